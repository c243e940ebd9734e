/**
 * Verification of many proofs at once, for one or several keys.
 *
 * Proof i is valid if its equation P_i = e(A_i, B_i)·e(-alpha, beta)·e(-X_i, gamma)·e(-C_i, delta) equals 1. With random
 * r_i the product Π P_i^(r_i) is checked instead, moved into the first arguments of the pairings:
 *
 *     Π_i e(r_i·A_i, B_i) · e(-Σ r_i·alpha, beta) · e(-Σ r_i·X_i, gamma) · e(-Σ r_i·C_i, delta) = 1
 *
 * where the last three factors exist once per distinct second argument, whatever key it belongs to. All P_i lie in a
 * group of prime order r (the points were checked to lie in G1 and G2), so if some P_i ≠ 1, at most one value of its r_i
 * makes the product 1 for given other r_j: an invalid proof slips through with probability at most 1/(2¹²⁸ - 1), if the
 * r_i are drawn after the proofs are fixed (Bellare, Garay, Rabin, EUROCRYPT 1998).
 *
 * @module
 */

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
import { VerifierError } from "./errors.js";
import { FR_MODULUS } from "./fq2.js";
import { equationHolds, invalidProof, resolveKey } from "./groth16.js";
import type { PreparedKey, VerifyingKey, VerifyingKeyJson, VerifyingKeyOptions } from "./key.js";
import type { MillerPair } from "./pairing.js";
import { type ProofPoints, readProof, readSignals } from "./proof.js";

/** One proof of a batch. */
export interface BatchItem {
  /** A key from `parseVerifyingKey`, or its JSON. Items may have different keys; a JSON object is parsed once. */
  readonly vk: VerifyingKey | VerifyingKeyJson;
  /** Parsed `public.json`. */
  readonly publicSignals: unknown;
  /** Parsed `proof.json`, or a `Proof` from `parseProof`. */
  readonly proof: unknown;
}

/** An item that was read: whatever its JSON becomes from now on, this is what will be checked. */
interface Read {
  readonly index: number;
  readonly key: PreparedKey;
  readonly signals: readonly bigint[];
  /** See {@link readProof}. */
  readonly points: () => ProofPoints;
}

interface Parsed extends Omit<Read, "points"> {
  readonly points: ProofPoints;
}

interface Weighted extends Parsed {
  readonly weight: Weight;
  /** The factor e(r_i·A_i, B_i). */
  readonly pair: MillerPair;
}

function weigh(items: readonly Parsed[]): Weighted[] {
  const weights = drawWeights(items.length);
  const scaled = multiplyAll(
    items.map(({ points }) => points.a),
    weights,
  );
  return items.map((item, i) => ({
    ...item,
    weight: weights[i]!,
    pair: { lines: item.points.b.lines, ...scaled[i]! },
  }));
}

/** Whether the weighted product of these items is 1. */
function productIsNeutral(items: readonly Weighted[]): boolean {
  const product = new WeightedProduct();
  const byKey = new Map<PreparedKey, bigint[]>();
  for (const { key, weight, signals, points, pair } of items) {
    product.multiply(pair);
    // Σ r_i·X_i = Σ_j k_j·IC_j with k_0 = Σ r_i and k_j = Σ r_i·s_ij
    let k = byKey.get(key);
    if (k === undefined) {
      k = new Array<bigint>(key.nPublic + 1).fill(0n);
      byKey.set(key, k);
    }
    k[0]! += weight.scalar;
    for (const [j, signal] of signals.entries()) k[j + 1]! += weight.scalar * signal;
    product.divide(key.delta, points.c, weight);
  }
  for (const [key, sums] of byKey) {
    const k = sums.map((sum) => sum % FR_MODULUS);
    product.divideBySum(key.gamma, key.combineIC(k));
    product.divideByMultiple(key.beta, key.alpha, k[0]!);
  }
  return product.isNeutral();
}

/**
 * Checks many proofs together, several times faster than one by one, and names the invalid ones.
 *
 * Ill-formed items are named without any effect on the others. If the rest fails as a whole, the culprits are found by
 * bisection; a batch full of invalid proofs costs up to twice as much as checking each alone. A valid proof is never
 * named; an invalid one is missed with a probability below 2⁻¹²⁰ over the randomness of `globalThis.crypto`.
 *
 * @param items at least one: "all of nothing is valid" is hardly ever what the caller means by true
 * @param options used for keys given as JSON
 * @throws VerifierError `BATCH_EMPTY`, `BATCH_MALFORMED` (`items` is not an array of objects, or reading it throws), any
 *   `VK_…` code if a key is bad, `RANDOMNESS_UNAVAILABLE`, `BATCH_INCONSISTENT`
 */
export function verifyBatch(items: readonly BatchItem[], options?: VerifyingKeyOptions): BatchResult {
  const snapshots = snapshotList(items, "items", ({ vk, publicSignals, proof }: BatchItem) => ({
    vk: vk as unknown,
    publicSignals,
    proof,
  }));
  if (snapshots.length === 0) throw new VerifierError("nothing to verify", { code: "BATCH_EMPTY", where: "items" });

  const keys = new Map<unknown, PreparedKey>();
  const keyOf = (vk: unknown): PreparedKey => {
    const key = keys.get(vk) ?? resolveKey(vk, options);
    keys.set(vk, key);
    return key;
  };

  const verdicts = new Verdicts(snapshots.length, "items");

  // everything is read before the first weight is drawn, so that no proof can be adapted to the weights
  const read: Read[] = snapshots.flatMap(({ vk, publicSignals, proof }, index) => {
    const key = keyOf(vk);
    return verdicts.attempt(index, () => ({
      index,
      key,
      signals: readSignals(publicSignals, key.nPublic),
      points: readProof(proof),
    }));
  });
  return verdicts.settle(
    read,
    (item): Parsed => ({ ...item, points: item.points() }),
    weigh,
    (weighted) =>
      productIsNeutral(weighted)
        ? []
        : bisect(weighted, "items", productIsNeutral, ({ key, signals, points }) =>
            equationHolds(key, signals, points) ? undefined : invalidProof(),
          ),
  );
}
