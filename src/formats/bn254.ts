/**
 * Numbers and points of BN254 (iden3: "bn128") as the binary formats write them.
 *
 * - Integers and field elements: 32 bytes, little-endian.
 * - Scalars (fr) in wtns and r1cs: canonical, `< r`.
 * - Coordinates (fq) in zkey and ptau: Montgomery form `x * 2^256 mod q`, canonical, `< q`.
 * - G1 point: `x | y`, 64 bytes. G2 point: `x.c0 | x.c1 | y.c0 | y.c1`, 128 bytes. Infinity: all zeros.
 *
 * Curve: G1 is `y² = x³ + 3` over fq; G2 the subgroup of order r of `y² = x³ + 3/(9 + u)` over fq2 = fq[u]/(u² + 1).
 * Reference: https://eips.ethereum.org/EIPS/eip-197
 *
 * @module
 */

import { FormatError } from "../errors.js";
import { FQ_MODULUS, type Fq2, FR_MODULUS, isZero, mul, sqr, sub } from "../verifier/fq2.js";
import { millerLines, TWIST_B } from "../verifier/pairing.js";

export { FQ_MODULUS, type Fq2, FR_MODULUS };

/** `2^256 mod q`: turns a number into Montgomery form. */
const FQ_R = 0x0e0a77c19a07df2f666ea36f7879462c0a78eb28f5c70b3dd35d438dc58f0d9dn;
/** `2^-256 mod q`: turns it back. */
const FQ_R_INVERSE = 0x2e67157159e5c639cf63e9cfb74492d9eb2022850278edf8ed84884a014afa37n;

/** Largest power of two that divides `r - 1`: domains have at most `2^28` points. */
export const FR_TWO_ADICITY = 28;
/** Bytes of one field element. */
export const FIELD_SIZE = 32;
/** Bytes of one G1 point. */
export const G1_SIZE = 64;
/** Bytes of one G2 point. */
export const G2_SIZE = 128;

/** Affine G1 point, coordinates canonical. Infinity is `(0, 0)`, which is not on the curve. */
export interface G1Affine {
  readonly x: bigint;
  readonly y: bigint;
}

/** Affine G2 point, coordinates canonical. Infinity is `(0, 0)`. */
export interface G2Affine {
  readonly x: Fq2;
  readonly y: Fq2;
}

/** Other moduli that snarkjs and circom write, so that messages can name the curve. */
const KNOWN_MODULI = new Map<bigint, string>([
  [FQ_MODULUS, "bn254 base field"],
  [FR_MODULUS, "bn254 scalar field"],
  [
    0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn,
    "bls12-381 base field",
  ],
  [0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n, "bls12-381 scalar field"],
  [0x12ab655e9a2ca55660b44d1e5c37b00159aa76fed00000010a11800000000001n, "bls12-377 scalar field"],
  [0xffffffff00000001n, "goldilocks field"],
  [0x40000000000000000000000000000000224698fc094cf91b992d30ed00000001n, "pallas base field"],
  [0x40000000000000000000000000000000224698fc0994a8dd8c46eb2100000001n, "vesta base field"],
  [0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn, "secp256r1 base field"],
]);

/** Name of a modulus if it is a well-known one, otherwise its value in hexadecimal. */
export function describeModulus(modulus: bigint): string {
  return KNOWN_MODULI.get(modulus) ?? `modulus 0x${modulus.toString(16)}`;
}

/** The unsigned little-endian integer in `bytes[offset, offset + length)`. */
export function readBigintLE(bytes: Uint8Array, offset: number, length: number): bigint {
  let hex = "";
  for (let i = offset + length - 1; i >= offset; i--) hex += bytes[i]!.toString(16).padStart(2, "0");
  return BigInt(`0x${hex || "0"}`);
}

/** `value` as `length` bytes, little-endian. `0 <= value < 256^length`. */
export function bigintToBytesLE(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = value;
  for (let i = 0; i < length; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/**
 * Index of the first 32-byte little-endian number in `bytes` that is not below the modulus, -1 if there is none.
 *
 * @param bytes `n × 32` bytes, any alignment.
 * @param modulus r or q; 254 bits, so that nearly every number is decided by its top byte.
 */
export function indexOfNonCanonical(bytes: Uint8Array, modulus: bigint): number {
  const limit = bigintToBytesLE(modulus, FIELD_SIZE);
  const top = limit[FIELD_SIZE - 1]!;
  for (let i = FIELD_SIZE - 1; i < bytes.length; i += FIELD_SIZE) {
    if (bytes[i]! < top) continue;
    let k = FIELD_SIZE - 1;
    while (k > 0 && bytes[i - FIELD_SIZE + 1 + k] === limit[k]) k--;
    if (bytes[i - FIELD_SIZE + 1 + k]! >= limit[k]!) return (i + 1) / FIELD_SIZE - 1;
  }
  return -1;
}

/**
 * Refuses a file over another field than the expected one of BN254.
 *
 * @param n8 bytes per element as the file says.
 * @param bytes at least the `n8` bytes of the modulus, if the file has that many.
 * @param where file and field, for the message.
 * @throws FormatError `FOREIGN_CURVE`.
 */
export function checkModulus(n8: number, bytes: Uint8Array, expected: bigint, where: string): void {
  const readable = n8 >= 1 && n8 <= 128 && n8 <= bytes.length;
  const modulus = readable ? readBigintLE(bytes, 0, n8) : undefined;
  if (n8 === FIELD_SIZE && modulus === expected) return;
  throw new FormatError("belongs to another curve or field", {
    code: "FOREIGN_CURVE",
    where,
    expected: `${describeModulus(expected)} in ${FIELD_SIZE} bytes`,
    got: modulus === undefined ? `a field of ${n8} bytes` : `${describeModulus(modulus)} in ${n8} bytes`,
  });
}

/** How a point is read, and what is said if it is bad. */
export interface PointOptions {
  /** File and field, e.g. `key.zkey: alpha1`. */
  where: string;
  /** Accept the point at infinity. */
  allowInfinity?: boolean;
}

/**
 * Reads a G1 point: 64 bytes, Montgomery form.
 *
 * @throws FormatError `POINT_NOT_CANONICAL`, `POINT_NOT_ON_CURVE`, `POINT_AT_INFINITY`.
 */
export function decodeG1(bytes: Uint8Array, offset: number, options: PointOptions): G1Affine {
  const x = decodeCoordinate(bytes, offset, options.where);
  const y = decodeCoordinate(bytes, offset + FIELD_SIZE, options.where);
  if (x === 0n && y === 0n) {
    checkInfinity(options);
  } else if ((y * y - x * x * x - 3n) % FQ_MODULUS !== 0n) {
    throw new FormatError("G1 point is not on the curve", { code: "POINT_NOT_ON_CURVE", where: options.where });
  }
  return { x, y };
}

/**
 * Reads a G2 point: 128 bytes, Montgomery form.
 *
 * @throws FormatError `POINT_NOT_CANONICAL`, `POINT_NOT_ON_CURVE`, `POINT_NOT_IN_SUBGROUP`, `POINT_AT_INFINITY`.
 */
export function decodeG2(bytes: Uint8Array, offset: number, options: PointOptions): G2Affine {
  const { where } = options;
  const coordinate = (i: number): bigint => decodeCoordinate(bytes, offset + i * FIELD_SIZE, where);
  const x = { c0: coordinate(0), c1: coordinate(1) };
  const y = { c0: coordinate(2), c1: coordinate(3) };
  if (x.c0 === 0n && x.c1 === 0n && y.c0 === 0n && y.c1 === 0n) {
    checkInfinity(options);
    return { x, y };
  }
  if (!isZero(sub(sub(sqr(y), mul(sqr(x), x)), TWIST_B))) {
    throw new FormatError("G2 point is not on the curve", { code: "POINT_NOT_ON_CURVE", where });
  }
  // the verifier's subgroup test, several times as fast as a multiplication by r
  if (millerLines(x, y) === undefined) {
    throw new FormatError("G2 point is not in the subgroup of order r", { code: "POINT_NOT_IN_SUBGROUP", where });
  }
  return { x, y };
}

/** 64 bytes, Montgomery form. */
export function encodeG1(point: G1Affine): Uint8Array {
  return encodeCoordinates([point.x, point.y]);
}

/** 128 bytes, Montgomery form. */
export function encodeG2(point: G2Affine): Uint8Array {
  return encodeCoordinates([point.x.c0, point.x.c1, point.y.c0, point.y.c1]);
}

function decodeCoordinate(bytes: Uint8Array, offset: number, where: string): bigint {
  const stored = readBigintLE(bytes, offset, FIELD_SIZE);
  if (stored >= FQ_MODULUS) {
    throw new FormatError("coordinate is not canonical", {
      code: "POINT_NOT_CANONICAL",
      where,
      expected: "a number below q",
      got: `0x${stored.toString(16)}`,
    });
  }
  return (stored * FQ_R_INVERSE) % FQ_MODULUS;
}

function encodeCoordinates(coordinates: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(coordinates.length * FIELD_SIZE);
  coordinates.forEach((value, i) => {
    bytes.set(bigintToBytesLE((value * FQ_R) % FQ_MODULUS, FIELD_SIZE), i * FIELD_SIZE);
  });
  return bytes;
}

function checkInfinity(options: PointOptions): void {
  if (options.allowInfinity) return;
  throw new FormatError("is the point at infinity", { code: "POINT_AT_INFINITY", where: options.where });
}
