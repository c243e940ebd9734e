/**
 * Proofs of chunks: Groth16 with committed columns.
 *
 * With X = IC_0 + sum·IC_1 + alpha·IC_2 + beta·IC_3, a proof (A, B, C, D, P, sum) is valid if
 *
 *     e(A, B) = e(alpha1, beta2) · e(X + D, [1]₂) · e(C, delta)        and        e(P, [1]₂) = e(D, sigma)
 *
 * D commits to the columns before the challenges alpha and beta are known. The key's gamma is the generator, so P is the
 * only thing between a forger and any D that suits: the second equation is as important as the first.
 *
 * Many at once, with independent random weights r_i, s_i, drawn when no proof can change any more:
 *
 *     Π e(r_i·A_i, B_i) = e((Σ r_i)·alpha1, beta2) · e(Σ r_i·(X_i + D_i) - Σ s_i·P_i, [1]₂)
 *                         · Π_v e(Σ_{i∈v} r_i·C_i, delta_v) · Π_v e(Σ_{i∈v} s_i·D_i, sigma_v)
 *
 * which is n + 2 + 2k Miller loops for n chunks of k keys, and one final power. If one of the 2n equations fails, at most one
 * value of its weight makes the product right for given other ones. One weight for both equations of a chunk would not do:
 * A = alpha1, B = beta2, C = D = 0, P = X satisfies their product without being a proof of anything.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import {
  type BatchResult,
  bisect,
  drawWeights,
  multiplyAll,
  snapshotList,
  Verdicts,
  type Weight,
  WeightedProduct,
} from "./batching.js";
import {
  type AffineG1,
  type AffineG2,
  compressG1,
  compressG2,
  G1_BYTES,
  G2_BYTES,
  readG1,
  readG2,
  readNumber,
  toBytes,
} from "./compressed.js";
import { VerifierError } from "./errors.js";
import { FQ_MODULUS, type Fq2, FR_MODULUS, isZero, mulWide, sqr, sub } from "./fq2.js";
import { negatedPair } from "./groth16.js";
import { describe, fault, snapshotFields } from "./json.js";
import { generatorG2, type KeySet, openKeySet, type PreparedChunkKey } from "./keyset.js";
import { isNeutral, type MillerPair, millerLoop, TWIST_B } from "./pairing.js";
import { type G1, type G2, type TwistPoint, toG2 } from "./points.js";

/** The proof of one chunk. Coordinates are in [0, q); infinity, which only `d` and `p` may be, is (0, 0). */
export interface ChunkProof {
  /** Index of the key in its set. */
  readonly layout: number;
  readonly a: AffineG1;
  readonly b: AffineG2;
  readonly c: AffineG1;
  /** The commitment to the columns. */
  readonly d: AffineG1;
  /** σ·D. */
  readonly p: AffineG1;
  /** What the chunk puts on the bus, in [0, r). */
  readonly sum: bigint;
}

/** What the verifier draws from the transcript when all commitments are fixed; numbers in [0, r). */
export interface Challenges {
  readonly alpha: bigint;
  readonly beta: bigint;
}

/** Bytes of an encoded chunk proof: A 32 | B 64 | C 32 | D 32 | P 32 | sum 32, see `compressed.ts`; sum is big-endian. */
export const CHUNK_PROOF_SIZE = 224;

const OFFSET = { a: 0, b: G1_BYTES, c: G1_BYTES + G2_BYTES, d: 128, p: 160, sum: 192 } as const;

/**
 * The one encoding of a chunk proof, without the index of its layout.
 *
 * @returns 224 bytes
 * @throws VerifierError the codes of {@link decodeChunkProof}: what this writes can be read
 */
export function encodeChunkProof(proof: ChunkProof): Uint8Array {
  const { a, b, c, d, p, sum } = readChunk(proof);
  const bytes = new Uint8Array(CHUNK_PROOF_SIZE);
  for (const [field, point] of [
    ["a", a],
    ["c", c],
    ["d", d],
    ["p", p],
  ] as const) {
    bytes.set(compressG1(point.is0() ? INFINITY : point.toAffine()), OFFSET[field]);
  }
  bytes.set(compressG2(b), OFFSET.b);
  bytes.set(toBytes(sum), OFFSET.sum);
  return bytes;
}

/**
 * Decodes a chunk proof. Says nothing about validity, and does not look whether B lies in the subgroup of order r: that
 * comes with the check of the proof, of which it is most of the work.
 *
 * @param bytes 224 bytes
 * @param layout index of the key in its set
 * @throws VerifierError `CHUNK_MALFORMED`: not 224 bytes; `CHUNK_NON_CANONICAL`: a coordinate from q on, a sum from r on, or
 *   flags that no encoder sets; `CHUNK_POINT_NOT_ON_CURVE`; `CHUNK_POINT_AT_INFINITY`: A, B or C; `CHUNK_LAYOUT`
 */
export function decodeChunkProof(bytes: Uint8Array, layout: number): ChunkProof {
  const subject = "chunk";
  checkLayout(layout);
  if (!(bytes instanceof Uint8Array) || bytes.length !== CHUNK_PROOF_SIZE) {
    throw fault(subject, "MALFORMED", "", "not an encoded chunk proof", {
      expected: `${CHUNK_PROOF_SIZE} bytes`,
      got: bytes instanceof Uint8Array ? `${bytes.length} bytes` : describe(bytes),
    });
  }
  const g1 = (field: "a" | "c" | "d" | "p") => readG1(subject, bytes, OFFSET[field], `.${field}`);
  const b = readG2(subject, bytes, OFFSET.b, ".b");
  const proof = { layout, a: g1("a"), b, c: g1("c"), d: g1("d"), p: g1("p") };
  for (const field of ["a", "b", "c"] as const) if (isInfinity(proof[field])) throw refuseInfinity(`.${field}`);
  return { ...proof, sum: readNumber(subject, bytes, OFFSET.sum, ".sum", FR_MODULUS) };
}

const INFINITY: AffineG1 = { x: 0n, y: 0n };

/** Whether a point of a curve or (0, 0) is the latter: no point of either curve has y = 0. */
const isInfinity = ({ y }: AffineG1 | AffineG2): boolean => (typeof y === "bigint" ? y === 0n : isZero(y));

const refuseInfinity = (path: string) =>
  fault("chunk", "POINT_AT_INFINITY", path, "the point at infinity is not allowed here");

function checkLayout(layout: unknown): asserts layout is number {
  if (typeof layout === "number" && Number.isSafeInteger(layout) && layout >= 0) return;
  throw fault("chunk", "LAYOUT", ".layout", "not an index", { got: describe(layout) });
}

/** A chunk that was read: whatever its object becomes from now on, this is what will be checked. */
interface Read {
  readonly layout: number;
  readonly a: G1;
  readonly b: TwistPoint;
  readonly c: G1;
  readonly d: G1;
  readonly p: G1;
  readonly sum: bigint;
}

/** Reads an object that came from anywhere, all but the subgroup test of B. */
function readChunk(proof: unknown): Read {
  const subject = "chunk";
  const fields = snapshotFields(subject, proof, { layout: 0, a: 0, b: 0, c: 0, d: 0, p: 0, sum: 0 });
  const number = (value: unknown, path: string, modulus: bigint): bigint => {
    if (typeof value !== "bigint") {
      throw fault(subject, "MALFORMED", path, "not a bigint", { got: describe(value) });
    }
    if (value < 0n || value >= modulus) {
      throw fault(subject, "NON_CANONICAL", path, "not a canonical number", { expected: `0 to ${modulus} - 1` });
    }
    return value;
  };
  const g1 = (field: "a" | "c" | "d" | "p", mayBeInfinity: boolean): G1 => {
    const point = snapshotFields(subject, fields[field], { x: 0, y: 0 }, `.${field}`);
    const x = number(point.x, `.${field}.x`, FQ_MODULUS);
    const y = number(point.y, `.${field}.y`, FQ_MODULUS);
    if (x === 0n && y === 0n) {
      if (!mayBeInfinity) throw refuseInfinity(`.${field}`);
      return bn254.G1.Point.ZERO;
    }
    if ((y * y - x * x * x - 3n) % FQ_MODULUS !== 0n) {
      throw fault(subject, "POINT_NOT_ON_CURVE", `.${field}`, "not on the curve y² = x³ + 3");
    }
    return bn254.G1.Point.fromAffine({ x, y });
  };
  const fq2 = (value: unknown, path: string): Fq2 => {
    const { c0, c1 } = snapshotFields(subject, value, { c0: 0, c1: 0 }, path);
    return { c0: number(c0, `${path}.c0`, FQ_MODULUS), c1: number(c1, `${path}.c1`, FQ_MODULUS) };
  };
  const twist = (): TwistPoint => {
    const point = snapshotFields(subject, fields.b, { x: 0, y: 0 }, ".b");
    const b = { x: fq2(point.x, ".b.x"), y: fq2(point.y, ".b.y") };
    if (isZero(b.x) && isZero(b.y)) throw refuseInfinity(".b");
    if (!isZero(sub(sub(sqr(b.y), mulWide(sqr(b.x), b.x)), TWIST_B))) {
      throw fault(subject, "POINT_NOT_ON_CURVE", ".b", "not on the twist y² = x³ + 3/(9 + u)");
    }
    return b;
  };
  checkLayout(fields.layout);
  return {
    layout: fields.layout,
    a: g1("a", false),
    b: twist(),
    c: g1("c", false),
    d: g1("d", true),
    p: g1("p", true),
    sum: number(fields.sum, ".sum", FR_MODULUS),
  };
}

/** The points of a chunk proof, all in their groups. */
interface ChunkPoints extends Omit<Read, "b" | "layout"> {
  readonly b: G2;
}

function readChallenges(challenges: unknown): Challenges {
  const refuse = (where: string, got: string) =>
    new VerifierError("not a challenge", {
      code: "CHUNK_CHALLENGES",
      where,
      expected: "bigints alpha and beta in [0, r)",
      got,
    });
  if (typeof challenges !== "object" || challenges === null) throw refuse("challenges", describe(challenges));
  const { alpha, beta } = challenges as Challenges;
  for (const [name, value] of Object.entries({ alpha, beta })) {
    if (typeof value !== "bigint") throw refuse(`challenges.${name}`, describe(value));
    if (value < 0n || value >= FR_MODULUS) throw refuse(`challenges.${name}`, String(value));
  }
  return { alpha, beta };
}

/**
 * What is wrong with one chunk, by each of its equations.
 *
 * @param points checked, in their groups
 */
export function faultOfChunk(
  key: PreparedChunkKey,
  { alpha, beta }: Challenges,
  { a, b, c, d, p, sum }: ChunkPoints,
): VerifierError | undefined {
  const one = generatorG2().lines;
  if (!isNeutral(millerLoop([...negatedPair(d, key.sigma.lines), ...negatedPair(p.negate(), one)]))) {
    return new VerifierError("P does not belong to D: nobody knew what they committed to", {
      code: "CHUNK_COMMITMENT",
      where: "chunk.p",
    });
  }
  const { x, y } = a.toAffine();
  const product = millerLoop([
    { lines: b.lines, x, y },
    ...negatedPair(key.combineIC([1n, sum, alpha, beta]).add(d), one),
    ...negatedPair(c, key.delta.lines),
  ]);
  if (isNeutral(bn254.fields.Fp12.mul(product, key.minusAlphaBeta))) return undefined;
  return new VerifierError("the proof is not valid for this sum, these challenges and this key", {
    code: "CHUNK_INVALID",
    where: "chunk",
  });
}

/** The points of a chunk with those of B's lines. @throws VerifierError `CHUNK_POINT_NOT_IN_SUBGROUP` */
const withLines = (read: Read): ChunkPoints => ({ ...read, b: toG2("chunk", read.b, ".b") });

/**
 * Reads the proof of a chunk into points to compute with.
 *
 * @throws VerifierError any `CHUNK_…` code but `CHUNK_CHALLENGES`, `CHUNK_COMMITMENT` and `CHUNK_INVALID`
 */
export const readChunkPoints = (proof: unknown): ChunkPoints => withLines(readChunk(proof));

function keyOf(keys: readonly PreparedChunkKey[], layout: number): PreparedChunkKey {
  const key = keys[layout];
  if (key !== undefined) return key;
  throw fault("chunk", "LAYOUT", ".layout", "the key set has no such layout", {
    expected: `0 to ${keys.length - 1}`,
    got: String(layout),
  });
}

/**
 * Checks one chunk and says by an exception what is wrong with it.
 *
 * @param keySet from `parseKeySet`
 * @param challenges alpha and beta of the block; the statement's third part, the sum, comes with the proof
 * @param proof see {@link ChunkProof}; from {@link decodeChunkProof} or from anywhere
 * @throws VerifierError any `CHUNK_…` code; `KEYSET_MALFORMED` if `keySet` is no parsed one
 */
export function assertChunk(keySet: KeySet, challenges: Challenges, proof: ChunkProof): void {
  const keys = openKeySet(keySet);
  const drawn = readChallenges(challenges);
  const read = readChunk(proof);
  const error = faultOfChunk(keyOf(keys, read.layout), drawn, withLines(read));
  if (error !== undefined) throw error;
}

/**
 * Checks one chunk.
 *
 * @returns whether the proof is valid; see {@link assertChunk} for the reason if not
 * @throws VerifierError `KEYSET_MALFORMED`, `CHUNK_CHALLENGES`: these are the caller's own
 */
export function verifyChunk(keySet: KeySet, challenges: Challenges, proof: ChunkProof): boolean {
  const keys = openKeySet(keySet);
  const drawn = readChallenges(challenges);
  try {
    const read = readChunk(proof);
    return faultOfChunk(keyOf(keys, read.layout), drawn, withLines(read)) === undefined;
  } catch (error) {
    if (error instanceof VerifierError) return false;
    throw error;
  }
}

/** What a chunk is committed to, before there is a proof. */
export interface CommittedChunk {
  readonly layout: number;
  /** Compressed points, 32 bytes each. */
  readonly d: Uint8Array;
  readonly p: Uint8Array;
}

function readCommitted(bytes: Uint8Array, path: string): G1 {
  if (!(bytes instanceof Uint8Array) || bytes.length !== G1_BYTES) {
    throw fault("chunk", "MALFORMED", path, "not a compressed point", { expected: `${G1_BYTES} bytes` });
  }
  const point = readG1("chunk", bytes, 0, path);
  return isInfinity(point) ? bn254.G1.Point.ZERO : bn254.G1.Point.fromAffine(point);
}

/**
 * Checks commitments that came from others before challenges are drawn from them: that P is σ·D. A commitment to other columns
 * than the block's passes; the chunk's proof then fails.
 *
 * @param keySet from `parseKeySet`
 * @returns the indices of those that are no commitments, ascending
 * @throws VerifierError `KEYSET_MALFORMED`, `RANDOMNESS_UNAVAILABLE`
 */
export function invalidCommitments(keySet: KeySet, chunks: readonly CommittedChunk[]): number[] {
  const keys = openKeySet(keySet);
  const invalid: number[] = [];
  const read = chunks.flatMap(({ layout, d, p }, index) => {
    try {
      const key = keyOf(keys, layout);
      return [{ index, key, d: readCommitted(d, ".d"), p: readCommitted(p, ".p") }];
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      invalid.push(index);
      return [];
    }
  });
  const one = generatorG2();
  const hold = (some: typeof read): boolean => {
    const weights = drawWeights(some.length);
    const product = new WeightedProduct();
    some.forEach(({ key, d, p }, i) => {
      product.divide(key.sigma, d, weights[i]!);
      product.divide(one, p.negate(), weights[i]!);
    });
    return product.isNeutral();
  };
  const search = (some: typeof read): void => {
    if (some.length === 0 || hold(some)) return;
    if (some.length === 1) invalid.push(some[0]!.index);
    else {
      const half = some.length >> 1;
      search(some.slice(0, half));
      search(some.slice(half));
    }
  };
  search(read);
  return invalid.sort((a, b) => a - b);
}

/** An item of a batch that can still not be weighed. */
interface Chunk {
  readonly index: number;
  readonly key: PreparedChunkKey;
  readonly points: ChunkPoints;
}

interface Weighted extends Chunk {
  /** Of the proof's equation. */
  readonly r: Weight;
  /** Of the commitment's. */
  readonly s: Weight;
  /** The factor e(r·A, B). */
  readonly pair: MillerPair;
}

function weigh(chunks: readonly Chunk[]): Weighted[] {
  const weights = drawWeights(2 * chunks.length);
  const [r, s] = [weights.slice(0, chunks.length), weights.slice(chunks.length)];
  const scaled = multiplyAll(
    chunks.map(({ points }) => points.a),
    r,
  );
  return chunks.map((chunk, i) => ({
    ...chunk,
    r: r[i]!,
    s: s[i]!,
    pair: { lines: chunk.points.b.lines, ...scaled[i]! },
  }));
}

/** Whether the weighted product of these chunks is 1. */
function productIsNeutral(chunks: readonly Weighted[], { alpha, beta }: Challenges): boolean {
  const product = new WeightedProduct();
  const one = generatorG2();
  const byKey = new Map<PreparedChunkKey, { r: bigint; rSum: bigint }>();
  for (const { key, points, r, s, pair } of chunks) {
    const { c, d, p, sum } = points;
    product.multiply(pair);
    let weights = byKey.get(key);
    if (weights === undefined) {
      weights = { r: 0n, rSum: 0n };
      byKey.set(key, weights);
    }
    weights.r += r.scalar;
    weights.rSum += r.scalar * sum;
    product.divide(one, d, r);
    product.divide(one, p.negate(), s);
    product.divide(key.delta, c, r);
    product.divide(key.sigma, d, s);
  }
  for (const [key, { r, rSum }] of byKey) {
    // Σ r_i·X_i
    product.divideBySum(one, key.combineIC([r, rSum, r * alpha, r * beta].map((k) => k % FR_MODULUS)));
    product.divideByMultiple(key.beta, key.alpha, r % FR_MODULUS);
  }
  return product.isNeutral();
}

/**
 * Checks the chunks of a block together, several times faster than one by one, and names those that are not valid.
 *
 * Nothing is drawn before every chunk has been read. Ill-formed ones are named without any effect on the others. If the rest
 * fails as a whole, the culprits are found by bisection and convicted by their own equations. A valid chunk is never named; an
 * invalid one is missed with a probability below 2⁻¹²⁰ over the randomness of `globalThis.crypto`. A block without
 * chunks has no invalid ones.
 *
 * @param keySet from `parseKeySet`
 * @param challenges alpha and beta of the block
 * @throws VerifierError `KEYSET_MALFORMED`, `CHUNK_CHALLENGES`, `BATCH_MALFORMED` (`chunks` is not an array of objects, or
 *   reading it throws), `RANDOMNESS_UNAVAILABLE`, `BATCH_INCONSISTENT`
 */
export function verifyChunks(keySet: KeySet, challenges: Challenges, chunks: readonly ChunkProof[]): BatchResult {
  const keys = openKeySet(keySet);
  const drawn = readChallenges(challenges);
  const objects = snapshotList(chunks, "chunks", (chunk: ChunkProof) => chunk as unknown);
  const verdicts = new Verdicts(objects.length, "chunks");
  const read = objects.flatMap((object, index) =>
    verdicts.attempt(index, () => {
      const chunk = readChunk(object);
      return { index, key: keyOf(keys, chunk.layout), chunk };
    }),
  );
  return verdicts.settle(
    read,
    ({ index, key, chunk }): Chunk => ({ index, key, points: withLines(chunk) }),
    weigh,
    (weighted) =>
      productIsNeutral(weighted, drawn)
        ? []
        : bisect(
            weighted,
            "chunks",
            (some) => productIsNeutral(some, drawn),
            ({ key, points }) => faultOfChunk(key, drawn, points),
          ),
  );
}
