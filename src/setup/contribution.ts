/**
 * Contributions: proofs that whoever changed a key's secret knew the factor, each bound to all before it by a hash.
 *
 * The contributions section of a development zkey holds one contribution whose name says what the key is, with the proof of
 * knowledge of delta that phase 2 of a snarkjs ceremony demands, so that anybody can see whose key it is and go on from it.
 *
 * The proof is that of Bowe, Gabizon and Miers (eprint 2017/1050): s·G1 and δ·s·G1 go into a transcript, the transcript is
 * hashed to a point P of G2, and δ·P has the same ratio to P as the new delta has to the old one, here to the generator.
 *
 * What it does not prove: anything about tau, alpha and beta. There is no phase 1 (`.ptau`) for this key, so
 * `snarkjs zkey verify` has nothing to compare it with; and the circuit hash is one of our own, see {@link circuitHash}.
 *
 * Contributions to the σ of a commitment key carry Schnorr's proof instead, over G2: a proof like that of delta publishes
 * a pair (S, σ·S) in G1, and what makes commitments binding is that no such pair is known but for sums of the IC points
 * that are committed to.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { concatBytes } from "../formats/binfile.js";
import {
  bigintToBytesLE,
  encodeG2,
  FQ_MODULUS,
  type Fq2,
  FR_MODULUS,
  type G1Affine,
  type G2Affine,
  readBigintLE,
} from "../formats/bn254.js";
import { type CkeyContribution, encodeName } from "../formats/ckey.js";
import type { ZkeyContribution } from "../formats/zkey.js";
import { randomScalar } from "../prover/random.js";
import { invMod, powMod } from "../prover/wasm/constants.js";
import type { Trapdoors } from "./trapdoors.js";

/** Name of the one contribution in a development key. */
export const CONTRIBUTION_NAME = "chunkproof development key, NOT FOR PRODUCTION";

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const hash512 = (...parts: Uint8Array[]): Uint8Array => blake2b(concatBytes(parts), { dkLen: 64 });

/**
 * 64 bytes that later contributions start from. In a ceremony this is a hash over the whole key before the first
 * contribution, to be compared with one made from the circuit and phase 1; a development key has no phase 1 to compare
 * with, so it hashes what names the key: counts, verifying-key points and IC.
 *
 * @param parts pieces of the key.
 */
export function circuitHash(parts: readonly Uint8Array[]): Uint8Array {
  return hash512(text(CONTRIBUTION_NAME), ...parts);
}

/**
 * The blinding scalar s of the proof of knowledge.
 *
 * @param trapdoors when given, s is derived from them: for reproducible test keys only.
 */
export function blindingScalar(trapdoors?: Trapdoors): bigint {
  if (trapdoors === undefined) return randomScalar();
  const { tau, alpha, beta, delta } = trapdoors;
  return derivedScalar("chunkproof test key", [tau, alpha, beta, delta]);
}

/** A scalar from 1 to r - 1 that depends on these numbers: no secret unless they are. */
export function derivedScalar(label: string, secrets: readonly bigint[]): bigint {
  const seed = hash512(text(label), ...secrets.map((k) => bigintToBytesLE(k, 32)));
  return (readBigintLE(seed, 0, 64) % (FR_MODULUS - 1n)) + 1n;
}

/** The contribution that takes delta from 1 to `delta`; `s` is a secret scalar, not 0. */
export function developmentContribution(hash: Uint8Array, delta: bigint, s: bigint): ZkeyContribution {
  const { BASE } = bn254.G1.Point;
  const g1_s = BASE.multiply(s).toAffine();
  const g1_sx = BASE.multiply((s * delta) % FR_MODULUS).toAffine();
  const transcript = hash512(hash, uncompressed(g1_s), uncompressed(g1_sx));
  return {
    deltaAfter: BASE.multiply(delta).toAffine(),
    delta: { g1_s, g1_sx, g2_spx: bn254.G2.Point.fromAffine(hashToG2(transcript)).multiply(delta).toAffine() },
    transcript,
    type: 0,
    name: CONTRIBUTION_NAME,
  };
}

/**
 * What the first contribution to the σ of a key starts from: everything that the key's points depend on, but for σ.
 *
 * @param zkeyDigest 64 bytes.
 */
export function commitmentHash(zkeyDigest: Uint8Array, nStatement: number, nCommitted: number): Uint8Array {
  const counts = [nStatement, nCommitted].map((n) => bigintToBytesLE(BigInt(n), 4));
  return hash512(text("chunkproof commitment key"), zkeyDigest, ...counts);
}

/**
 * The contribution that multiplies σ by `factor`.
 *
 * @param before transcript of the contribution before, or {@link commitmentHash}.
 * @param sigmaBefore σ·G2 before it; of a new key the generator.
 * @param k a secret scalar, not 0, never used again: with two responses for one k the factor is known.
 */
export function commitmentContribution(
  before: Uint8Array,
  sigmaBefore: G2Affine,
  factor: bigint,
  k: bigint,
  name: string,
): CkeyContribution {
  const base = bn254.G2.Point.fromAffine(sigmaBefore);
  const sigmaAfter = base.multiply(factor).toAffine();
  const nonce = base.multiply(k).toAffine();
  const transcript = commitmentTranscript(before, { sigmaAfter, nonce, name }, sigmaBefore);
  const response = (k + challengeOf(transcript) * factor) % FR_MODULUS;
  return { sigmaAfter, nonce, response, transcript, name };
}

/** Whether the contribution stands behind `before` and `sigmaBefore`, and its maker knew the factor. */
export function provesFactor(contribution: CkeyContribution, before: Uint8Array, sigmaBefore: G2Affine): boolean {
  const { sigmaAfter, nonce, response, transcript } = contribution;
  const expected = commitmentTranscript(before, contribution, sigmaBefore);
  if (expected.some((byte, i) => byte !== transcript[i])) return false;
  const { Point } = bn254.G2;
  const right = Point.fromAffine(nonce).add(Point.fromAffine(sigmaAfter).multiplyUnsafe(challengeOf(transcript)));
  return Point.fromAffine(sigmaBefore).multiplyUnsafe(response).equals(right);
}

function commitmentTranscript(
  before: Uint8Array,
  { sigmaAfter, nonce, name }: Pick<CkeyContribution, "sigmaAfter" | "nonce" | "name">,
  sigmaBefore: G2Affine,
): Uint8Array {
  // every part but the last has a length of its own
  const points = [sigmaBefore, sigmaAfter, nonce].map(encodeG2);
  return hash512(text("chunkproof sigma"), before, ...points, encodeName(name, "new contribution"));
}

/** 512 bits mod r: the bias is below 2^-250. */
const challengeOf = (transcript: Uint8Array): bigint => readBigintLE(transcript, 0, 64) % FR_MODULUS;

/** x and y, 32 bytes each, big-endian and not in Montgomery form: how transcripts hash points of G1. */
function uncompressed({ x, y }: G1Affine): Uint8Array {
  return concatBytes([x, y].map((c) => bigintToBytesLE(c, 32).reverse()));
}

/** Rounds, constants and word order of ChaCha20 (RFC 8439, 2.1 to 2.3), nonce 0, counter from 0 over the last words. */
function* chacha20(key: readonly number[]): Generator<number, never> {
  const input = Uint32Array.from([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, ...key, 0, 0, 0, 0]);
  const rotate = (x: number, n: number) => (x << n) | (x >>> (32 - n));
  for (;;) {
    const s = input.slice();
    const quarter = (a: number, b: number, c: number, d: number) => {
      for (const [left, right] of [
        [16, 12],
        [8, 7],
      ] as const) {
        s[a]! += s[b]!;
        s[d] = rotate(s[d]! ^ s[a]!, left);
        s[c]! += s[d]!;
        s[b] = rotate(s[b]! ^ s[c]!, right);
      }
    };
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i);
      for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4));
    }
    for (let i = 0; i < 16; i++) yield (s[i]! + input[i]!) >>> 0;
    input[12]!++;
  }
}

const { Fp2 } = bn254.fields;
/** `2^-256 mod q`: the words of the stream are an element in Montgomery form. */
const FROM_MONTGOMERY = invMod(2n ** 256n, FQ_MODULUS);

/**
 * The point of G2 that snarkjs derives from a transcript: x from a ChaCha20 stream keyed with the first 32 bytes, by
 * rejection; y the root of the sign that the next bit says; times the cofactor.
 *
 * @param transcript 64 bytes.
 */
export function hashToG2(transcript: Uint8Array): G2Affine {
  const words = new DataView(transcript.buffer, transcript.byteOffset, transcript.byteLength);
  const stream = chacha20(Array.from({ length: 8 }, (_, i) => words.getUint32(4 * i)));
  const word = () => stream.next().value;
  const coordinate = (): bigint => {
    for (;;) {
      let value = 0n;
      // four numbers of 64 bits, the lowest first, each as high and low word
      for (let i = 0n; i < 4n; i++) value += ((BigInt(word()) << 32n) + BigInt(word())) << (64n * i);
      value &= (1n << 254n) - 1n;
      if (value < FQ_MODULUS) return (value * FROM_MONTGOMERY) % FQ_MODULUS;
    }
  };
  const { Point } = bn254.G2;
  const { b, h } = Point.CURVE();
  for (;;) {
    const c0 = coordinate();
    const x: Fq2 = { c0, c1: coordinate() };
    const negative = (word() & 1) === 1;
    const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), b);
    // a square in fq2 exactly when its norm is one in fq
    const norm = (square.c0 * square.c0 + square.c1 * square.c1) % FQ_MODULUS;
    if (powMod(norm, (FQ_MODULUS - 1n) / 2n, FQ_MODULUS) !== 1n) continue;
    const root = Fp2.sqrt(square);
    const y = isNegative(root) === negative ? root : Fp2.neg(root);
    let sum = Point.ZERO;
    const point = Point.fromAffine({ x: Fp2.create(x), y });
    // by hand: noble refuses scalars from r on, which the cofactor is
    for (const bit of h.toString(2)) {
      sum = sum.double();
      if (bit === "1") sum = sum.add(point);
    }
    return sum.toAffine();
  }
}

/** Whether the deciding coordinate, c1 unless it is 0, lies in the upper half of fq. */
function isNegative({ c0, c1 }: Fq2): boolean {
  return (c1 === 0n ? c0 : c1) > (FQ_MODULUS - 1n) / 2n;
}
