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
 * Multiplying by r_i costs half when r_i = a_i + b_i·λ with random 64-bit a_i, b_i, where λ is the eigenvalue of the
 * endomorphism φ(x, y) = (βx, y) of G1. These are 2¹²⁸ different values mod r: the shortest vector of the lattice
 * {(a, b): a + bλ ≡ 0 mod r} is longer than 2¹²⁵.
 *
 * @module
 */

import { interleavedMSMUnsafe, normalizeZ } from "@noble/curves/abstract/curve.js";
import { bn254 } from "@noble/curves/bn254.js";
import { VerifierError } from "./errors.js";
import { FQ_MODULUS, FR_MODULUS } from "./fq2.js";
import { equationHolds, invalidProof, negatedPair, resolveKey } from "./groth16.js";
import { describe } from "./json.js";
import type { PreparedKey, VerifyingKey, VerifyingKeyJson, VerifyingKeyOptions } from "./key.js";
import { BN_X, isNeutral, type MillerPair, millerLoop } from "./pairing.js";
import type { G1, G2 } from "./points.js";
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

/** The verdict on a batch. */
export interface BatchResult {
  /** True if every item is valid. */
  readonly valid: boolean;
  /** Every item that is not valid, in ascending order of `index`, with the error `assertValid` throws for it. */
  readonly invalid: readonly { readonly index: number; readonly error: VerifierError }[];
}

/** λ: [λ]P = φ(P) on G1, a cube root of 1 mod r (Galbraith, Scott, eprint 2008/117). */
export const GLV_LAMBDA: bigint = 36n * BN_X ** 3n + 18n * BN_X ** 2n + 6n * BN_X + 1n;
/** β: φ(x, y) = (βx, y), a cube root of 1 mod q. */
export const GLV_BETA: bigint = 18n * BN_X ** 3n + 18n * BN_X ** 2n + 9n * BN_X + 1n;

// Bounds memory (about 50 kB of lines for each proof); beyond this the shared work is small change anyway.
const SLICE = 128;

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
  /** r_i mod r. */
  readonly weight: bigint;
  /** C and φ(C), to be multiplied by the halves (a_i, b_i) of r_i. */
  readonly c: readonly [G1, G1];
  readonly halves: readonly [bigint, bigint];
  /** The factor e(r_i·A_i, B_i). */
  readonly pair: MillerPair;
}

const phi = (p: G1): G1 => {
  const { x, y } = p.toAffine();
  return bn254.G1.Point.fromAffine({ x: (x * GLV_BETA) % FQ_MODULUS, y });
};

/** How often a pair of zeros is drawn again; of a sound generator not even one is ever seen. */
const REDRAWS = 4;

const noRandomness = (message: string, expected: string): VerifierError =>
  new VerifierError(message, { code: "RANDOMNESS_UNAVAILABLE", expected });

/** Draws pairs of 64-bit numbers, not both zero, from the platform's CSPRNG. */
function drawHalves(count: number): [bigint, bigint][] {
  const crypto = globalThis.crypto as Crypto | undefined;
  if (typeof crypto?.getRandomValues !== "function") {
    throw noRandomness(
      "batch verification needs a cryptographic random generator",
      "globalThis.crypto.getRandomValues",
    );
  }
  const words = crypto.getRandomValues(new BigUint64Array(2 * count));
  return Array.from({ length: count }, (_, i): [bigint, bigint] => {
    let [a, b] = [words[2 * i]!, words[2 * i + 1]!];
    // 0 would leave the proof unchecked; it comes up with probability 2^-128
    for (let left = REDRAWS; a === 0n && b === 0n; left--) {
      if (left === 0) throw noRandomness("the random generator returns nothing but zeros", "random numbers");
      [a = 0n, b = 0n] = crypto.getRandomValues(new BigUint64Array(2));
    }
    return [a, b];
  });
}

function weigh(items: readonly Parsed[]): Weighted[] {
  const halves = drawHalves(items.length);
  const scaled = items.map(({ points: { a } }, i) => a.mulAddUnsafe(halves[i]![0], phi(a), halves[i]![1]));
  // never infinity: A is finite, its order is the prime r, and r_i is not 0 mod r
  const affine = normalizeZ(bn254.G1.Point, scaled).map((p) => p.toAffine());
  return items.map((item, i) => {
    const [a, b] = halves[i]!;
    const { c, b: g2 } = item.points;
    return {
      ...item,
      weight: (a + b * GLV_LAMBDA) % FR_MODULUS,
      c: [c, phi(c)],
      halves: [a, b],
      pair: { lines: g2.lines, x: affine[i]!.x, y: affine[i]!.y },
    };
  });
}

/** The first arguments that are paired with one fixed G2 point: a sum already known, and terms still to be multiplied. */
interface FixedFactor {
  readonly g2: G2;
  sum: G1;
  readonly points: G1[];
  readonly scalars: bigint[];
}

/** Whether the weighted product of these items is 1. */
function productIsNeutral(items: readonly Weighted[]): boolean {
  const factors = new Map<string, FixedFactor>();
  const factorOf = (g2: G2): FixedFactor => {
    let factor = factors.get(g2.id);
    if (factor === undefined) {
      factor = { g2, sum: bn254.G1.Point.ZERO, points: [], scalars: [] };
      factors.set(g2.id, factor);
    }
    return factor;
  };

  const byKey = new Map<PreparedKey, bigint[]>();
  for (const { key, weight, signals, c, halves } of items) {
    // Σ r_i·X_i = Σ_j k_j·IC_j with k_0 = Σ r_i and k_j = Σ r_i·s_ij
    let k = byKey.get(key);
    if (k === undefined) {
      k = new Array<bigint>(key.nPublic + 1).fill(0n);
      byKey.set(key, k);
    }
    k[0]! += weight;
    for (const [j, signal] of signals.entries()) k[j + 1]! += weight * signal;
    const { points, scalars } = factorOf(key.delta);
    points.push(...c);
    scalars.push(...halves);
  }
  for (const [key, sums] of byKey) {
    const k = sums.map((sum) => sum % FR_MODULUS);
    const gamma = factorOf(key.gamma);
    gamma.sum = gamma.sum.add(key.combineIC(k));
    const beta = factorOf(key.beta);
    beta.points.push(key.alpha);
    beta.scalars.push(k[0]!);
  }

  const pairs = items.map((item) => item.pair);
  for (const { g2, sum, points, scalars } of factors.values()) {
    const total = interleavedMSMUnsafe(bn254.G1.Point, points, 4)(scalars).add(sum);
    pairs.push(...negatedPair(total, g2.lines));
  }
  return isNeutral(millerLoop(pairs));
}

/** At this size checking one by one beats two more rounds of halving, by far so if several are invalid. */
const CHECK_SINGLY = 4;

const inconsistent = (message: string, where: string): VerifierError =>
  new VerifierError(message, { code: "BATCH_INCONSISTENT", where });

/** The invalid ones, at least one, among items whose product is known to be wrong; each is convicted by its own equation. */
function bisect(items: readonly Weighted[]): Weighted[] {
  if (items.length <= CHECK_SINGLY) {
    const wrong = items.filter(({ key, signals, points }) => !equationHolds(key, signals, points));
    if (wrong.length === 0) {
      const [first, last] = [items[0]!.index, items.at(-1)!.index];
      throw inconsistent("the items fail together, but none of them alone", `items[${first}] to items[${last}]`);
    }
    return wrong;
  }
  const half = items.length >> 1;
  const left = items.slice(0, half);
  const right = items.slice(half);
  // a product of valid proofs is always 1, so if the left half is fine the fault is in the right one
  if (productIsNeutral(left)) return bisect(right);
  return [...bisect(left), ...(productIsNeutral(right) ? [] : bisect(right))];
}

const malformed = (message: string, where: string, details: { got?: string; cause?: unknown } = {}): VerifierError =>
  new VerifierError(message, { ...details, code: "BATCH_MALFORMED", where });

/** Runs what may run into foreign code: getters, traps of proxies. @throws VerifierError `BATCH_MALFORMED` if that throws */
function guarded<T>(where: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw malformed("reading the value threw an exception", where, { cause });
  }
}

/**
 * Copies the list, reading its length and every property once. From then on no item can change how many there are, or what
 * another one is.
 */
function snapshotItems(items: unknown): Record<keyof BatchItem, unknown>[] {
  const array = guarded("items", () => (Array.isArray(items) ? (items as unknown[]) : undefined));
  if (array === undefined) throw malformed("not an array", "items", { got: describe(items) });
  const length: unknown = guarded("items", () => array.length);
  // a proxy can pass for an array and answer with anything
  if (typeof length !== "number" || !Number.isSafeInteger(length) || length < 0) {
    throw malformed("not an array", "items", { got: `length ${describe(length)}` });
  }
  const copies: Record<keyof BatchItem, unknown>[] = [];
  for (let index = 0; index < length; index++) {
    const where = `items[${index}]`;
    const item = guarded(where, () => array[index]);
    if (typeof item !== "object" || item === null) throw malformed("not an object", where, { got: describe(item) });
    copies.push(
      guarded(where, () => {
        const { vk, publicSignals, proof } = item as BatchItem;
        return { vk, publicSignals, proof };
      }),
    );
  }
  return copies;
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
  const snapshots = snapshotItems(items);
  if (snapshots.length === 0) throw new VerifierError("nothing to verify", { code: "BATCH_EMPTY", where: "items" });

  const keys = new Map<unknown, PreparedKey>();
  const keyOf = (vk: unknown): PreparedKey => {
    const key = keys.get(vk) ?? resolveKey(vk, options);
    keys.set(vk, key);
    return key;
  };

  // none by default: an item that got lost on the way must not pass for a valid one
  const verdicts: ("valid" | VerifierError | undefined)[] = snapshots.map(() => undefined);
  /** The result as a list; empty if it is a verdict instead. */
  const attempt = <T>(index: number, action: () => T): T[] => {
    try {
      return [action()];
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      verdicts[index] = error;
      return [];
    }
  };

  // everything is read before the first weight is drawn, so that no proof can be adapted to the weights
  const read: Read[] = snapshots.flatMap(({ vk, publicSignals, proof }, index) => {
    const key = keyOf(vk);
    return attempt(index, () => ({
      index,
      key,
      signals: readSignals(publicSignals, key.nPublic),
      points: readProof(proof),
    }));
  });
  for (let start = 0; start < read.length; start += SLICE) {
    const parsed: Parsed[] = read
      .slice(start, start + SLICE)
      .flatMap((item) => attempt(item.index, () => ({ ...item, points: item.points() })));
    if (parsed.length === 0) continue;
    const weighted = weigh(parsed);
    const wrong = productIsNeutral(weighted) ? [] : bisect(weighted);
    for (const { index } of parsed) verdicts[index] = "valid";
    for (const { index } of wrong) verdicts[index] = invalidProof();
  }

  const invalid = verdicts.flatMap((verdict, index) => {
    if (verdict === undefined) throw inconsistent("the item was not checked", `items[${index}]`);
    return verdict === "valid" ? [] : [{ index, error: verdict }];
  });
  return { valid: invalid.length === 0, invalid };
}
