/**
 * Points in few bytes, each in exactly one way: x big-endian, with two flags in the bits that no coordinate below q < 2²⁵⁴
 * uses, and y from the curve equation.
 *
 * ```text
 * G1  32 bytes  x             bit 255: y > (q - 1)/2     bit 254: infinity, then everything else is 0
 * G2  64 bytes  x.c1 | x.c0   the same flags in x.c1; y counts as greater by its c1, or by its c0 if c1 is 0
 * ```
 *
 * No point of either curve has y = 0: both have odd order, so the sign says something about every finite one.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { canonicalFq, FQ_MODULUS, type Fq2, mul, sqr } from "./fq2.js";
import { fault, type Subject } from "./json.js";
import { TWIST_B } from "./pairing.js";

/** A point of G1 by its coordinates in [0, q). Infinity is (0, 0), which is not on the curve. */
export interface AffineG1 {
  readonly x: bigint;
  readonly y: bigint;
}

/** A point of the twist by its coordinates in [0, q). Infinity is (0, 0). */
export interface AffineG2 {
  readonly x: Fq2;
  readonly y: Fq2;
}

/** Bytes of a compressed point of G1, or of a number. */
export const G1_BYTES = 32;
/** Bytes of a compressed point of G2. */
export const G2_BYTES = 64;

const GREATER = 0x80;
const INFINITY = 0x40;

const { Fp, Fp2 } = bn254.fields;
const HALF = (FQ_MODULUS - 1n) / 2n;

const isGreaterFq2 = ({ c0, c1 }: Fq2): boolean => (c1 === 0n ? c0 : c1) > HALF;

/** 32 bytes, big-endian, of a number in [0, 2²⁵⁶). */
export function toBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(G1_BYTES);
  const words = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) words.setBigUint64(8 * i, BigInt.asUintN(64, value >> BigInt(64 * (3 - i))));
  return bytes;
}

/** The number in the 32 bytes from `offset` on, big-endian. */
export function fromBytes(bytes: Uint8Array, offset: number): bigint {
  const words = new DataView(bytes.buffer, bytes.byteOffset + offset, G1_BYTES);
  let value = 0n;
  for (let i = 0; i < 4; i++) value = (value << 64n) | words.getBigUint64(8 * i);
  return value;
}

/** A point that is on the curve, or infinity, in 32 bytes. */
export function compressG1({ x, y }: AffineG1): Uint8Array {
  const bytes = toBytes(x);
  bytes[0]! |= x === 0n && y === 0n ? INFINITY : y > HALF ? GREATER : 0;
  return bytes;
}

/** A point that is on the twist, or infinity, in 64 bytes. */
export function compressG2({ x, y }: AffineG2): Uint8Array {
  const bytes = new Uint8Array(G2_BYTES);
  bytes.set(toBytes(x.c1));
  bytes.set(toBytes(x.c0), G1_BYTES);
  const infinite = x.c0 === 0n && x.c1 === 0n && y.c0 === 0n && y.c1 === 0n;
  bytes[0]! |= infinite ? INFINITY : isGreaterFq2(y) ? GREATER : 0;
  return bytes;
}

const nonCanonical = (subject: Subject, path: string, expected: string) =>
  fault(subject, "NON_CANONICAL", path, "not the one encoding of a value", { expected });

/** The number in 32 bytes. @throws VerifierError `…_NON_CANONICAL` unless it is below `modulus` */
export function readNumber(subject: Subject, bytes: Uint8Array, offset: number, path: string, modulus: bigint): bigint {
  const value = fromBytes(bytes, offset);
  if (value < modulus) return value;
  throw nonCanonical(subject, path, `a number below ${modulus}`);
}

/** Flags and the first coordinate; no coordinates of infinity. */
function readFirst(subject: Subject, bytes: Uint8Array, offset: number, size: number, path: string) {
  const first = bytes[offset]!;
  const greater = (first & GREATER) !== 0;
  if ((first & INFINITY) !== 0) {
    if (first !== INFINITY || bytes.subarray(offset + 1, offset + size).some((byte) => byte !== 0)) {
      throw nonCanonical(subject, path, "infinity as 0x40 and zeros");
    }
    return undefined;
  }
  const value = fromBytes(bytes, offset) & ((1n << 254n) - 1n);
  if (value >= FQ_MODULUS) throw nonCanonical(subject, path, "a coordinate below q");
  return { greater, value };
}

/** Square root, or undefined. */
function root<T>(field: { sqrt(a: T): T }, square: T): T | undefined {
  try {
    return field.sqrt(square);
  } catch {
    return undefined;
  }
}

/**
 * Reads a compressed point of G1.
 *
 * @throws VerifierError `…_NON_CANONICAL`, `…_POINT_NOT_ON_CURVE`
 */
export function readG1(subject: Subject, bytes: Uint8Array, offset: number, path: string): AffineG1 {
  const first = readFirst(subject, bytes, offset, G1_BYTES, path);
  if (first === undefined) return { x: 0n, y: 0n };
  const { greater, value: x } = first;
  const y = root(Fp, (x * x * x + 3n) % FQ_MODULUS);
  if (y === undefined) throw fault(subject, "POINT_NOT_ON_CURVE", path, "no point of y² = x³ + 3 has this x");
  return { x, y: y > HALF === greater ? y : FQ_MODULUS - y };
}

/**
 * Reads a compressed point of the twist, in G2 or not.
 *
 * @throws VerifierError `…_NON_CANONICAL`, `…_POINT_NOT_ON_CURVE`
 */
export function readG2(subject: Subject, bytes: Uint8Array, offset: number, path: string): AffineG2 {
  const first = readFirst(subject, bytes, offset, G2_BYTES, path);
  if (first === undefined) return { x: { c0: 0n, c1: 0n }, y: { c0: 0n, c1: 0n } };
  const { greater, value: c1 } = first;
  const x = { c0: readNumber(subject, bytes, offset + G1_BYTES, path, FQ_MODULUS), c1 };
  const cube = mul(sqr(x), x);
  const square = { c0: canonicalFq(cube.c0 + TWIST_B.c0), c1: canonicalFq(cube.c1 + TWIST_B.c1) };
  const y = root(Fp2, square);
  if (y === undefined) {
    throw fault(subject, "POINT_NOT_ON_CURVE", path, "no point of y² = x³ + 3/(9 + u) has this x");
  }
  return { x, y: isGreaterFq2(y) === greater ? y : Fp2.neg(y) };
}
