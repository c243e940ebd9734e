/**
 * Verification of one Groth16 proof (Groth, eprint 2016/260, section 3.2) over BN254.
 *
 * With the proof (A, B, C), the public signals s_1 … s_n and X = IC_0 + Σ s_j·IC_j, a proof is valid if
 *
 *     e(A, B) · e(-alpha, beta) · e(-X, gamma) · e(-C, delta) = 1
 *
 * The second factor is a constant of the key, gamma and delta have their lines precomputed, and one final power serves
 * all. Nothing here is secret, so nothing is constant-time.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { VerifierError } from "./errors.js";
import {
  openVerifyingKey,
  type PreparedKey,
  parseVerifyingKey,
  type VerifyingKey,
  type VerifyingKeyJson,
  type VerifyingKeyOptions,
} from "./key.js";
import { isNeutral, type MillerLines, type MillerPair, millerLoop } from "./pairing.js";
import type { G1 } from "./points.js";
import { type ProofPoints, proofPoints, readSignals } from "./proof.js";

/** The inside of a parsed key; JSON is parsed first. @throws VerifierError as {@link parseVerifyingKey} */
export function resolveKey(vk: unknown, options?: VerifyingKeyOptions): PreparedKey {
  return openVerifyingKey(vk) ?? openVerifyingKey(parseVerifyingKey(vk, options))!;
}

/** The factor e(-point, Q) as a list: empty if the point is infinity, where the factor is 1 and has no coordinates. */
export function negatedPair(point: G1, lines: MillerLines): MillerPair[] {
  if (point.is0()) return [];
  const { x, y } = point.negate().toAffine();
  return [{ lines, x, y }];
}

/** The error for a proof whose equation fails. */
export const invalidProof = (): VerifierError =>
  new VerifierError("the proof is not valid for these public signals and this key", {
    code: "PROOF_INVALID",
    where: "proof",
  });

/** Whether decoded values satisfy the equation. */
export function equationHolds(key: PreparedKey, signals: readonly bigint[], { a, b, c }: ProofPoints): boolean {
  const { x, y } = a.toAffine();
  const product = millerLoop([
    { lines: b.lines, x, y },
    ...negatedPair(key.combineIC([1n, ...signals]), key.gamma.lines),
    ...negatedPair(c, key.delta.lines),
  ]);
  return isNeutral(bn254.fields.Fp12.mul(product, key.minusAlphaBeta));
}

function check(key: PreparedKey, publicSignals: unknown, proof: unknown): void {
  const signals = readSignals(publicSignals, key.nPublic);
  if (!equationHolds(key, signals, proofPoints(proof))) throw invalidProof();
}

/**
 * Checks one proof and says by an exception what is wrong with it.
 *
 * @param vk a key from `parseVerifyingKey` (faster when used more than once), or its JSON
 * @param publicSignals parsed `public.json`
 * @param proof parsed `proof.json`, or a `Proof` from `parseProof`
 * @param options used if `vk` is JSON
 * @throws VerifierError any `SIGNALS_…` or `PROOF_…` code; `PROOF_INVALID` if only the equation fails; any `VK_…` code
 *   if the key itself is bad
 */
export function assertValid(
  vk: VerifyingKey | VerifyingKeyJson,
  publicSignals: unknown,
  proof: unknown,
  options?: VerifyingKeyOptions,
): void {
  check(resolveKey(vk, options), publicSignals, proof);
}

/**
 * Checks one proof.
 *
 * Never throws because of `publicSignals` or `proof`: they come from the other side, and whatever is not a valid proof
 * is `false`. The key is the caller's own configuration, so a bad one throws.
 *
 * @param vk a key from `parseVerifyingKey` (faster when used more than once), or its JSON
 * @param publicSignals parsed `public.json`: exactly `nPublic` canonical decimal strings
 * @param proof parsed `proof.json`, or a `Proof` from `parseProof`
 * @param options used if `vk` is JSON
 * @returns whether the proof is valid for these signals; see {@link assertValid} for the reason if not
 * @throws VerifierError any `VK_…` code
 */
export function verify(
  vk: VerifyingKey | VerifyingKeyJson,
  publicSignals: unknown,
  proof: unknown,
  options?: VerifyingKeyOptions,
): boolean {
  const key = resolveKey(vk, options);
  try {
    check(key, publicSignals, proof);
    return true;
  } catch (error) {
    if (error instanceof VerifierError) return false;
    throw error;
  }
}
