/**
 * What batches of equations have in common: random weights, a product of pairings that takes few Miller loops whatever
 * the number of equations, and finding the ones that fail.
 *
 * Multiplying by a weight r costs half when r = a + b·λ with random 64-bit a, b, where λ is the eigenvalue of the
 * endomorphism φ(x, y) = (βx, y) of G1. These are 2¹²⁸ different values mod r: the shortest vector of the lattice
 * {(a, b): a + bλ ≡ 0 mod r} is longer than 2¹²⁵.
 *
 * @module
 */

import { interleavedMSMUnsafe, normalizeZ } from "@noble/curves/abstract/curve.js";
import { bn254 } from "@noble/curves/bn254.js";
import { VerifierError } from "./errors.js";
import { FQ_MODULUS, FR_MODULUS } from "./fq2.js";
import { negatedPair } from "./groth16.js";
import { describe } from "./json.js";
import { BN_X, isNeutral, type MillerPair, millerLoop } from "./pairing.js";
import type { G1, G2 } from "./points.js";

/** The verdict on a batch. */
export interface BatchResult {
  /** True if every item is valid. */
  readonly valid: boolean;
  /** Every item that is not valid, in ascending order of `index`, with the error that checking it alone throws. */
  readonly invalid: readonly { readonly index: number; readonly error: VerifierError }[];
}

/** λ: [λ]P = φ(P) on G1, a cube root of 1 mod r (Galbraith, Scott, eprint 2008/117). */
export const GLV_LAMBDA: bigint = 36n * BN_X ** 3n + 18n * BN_X ** 2n + 6n * BN_X + 1n;
/** β: φ(x, y) = (βx, y), a cube root of 1 mod q. */
export const GLV_BETA: bigint = 18n * BN_X ** 3n + 18n * BN_X ** 2n + 9n * BN_X + 1n;

// Bounds memory (about 50 kB of lines for each proof); beyond this the shared work is small change anyway.
const SLICE = 128;

const phi = (p: G1): G1 => {
  const { x, y } = p.toAffine();
  return bn254.G1.Point.fromAffine({ x: (x * GLV_BETA) % FQ_MODULUS, y });
};

/** A random number other than 0. */
export interface Weight {
  /** a and b, 64 bits each, not both 0. */
  readonly halves: readonly [bigint, bigint];
  /** a + b·λ mod r. */
  readonly scalar: bigint;
}

/** How often a pair of zeros is drawn again; of a sound generator not even one is ever seen. */
const REDRAWS = 4;

const noRandomness = (message: string, expected: string): VerifierError =>
  new VerifierError(message, { code: "RANDOMNESS_UNAVAILABLE", expected });

/**
 * Draws independent weights from the platform's CSPRNG. Only for equations that nobody can change any more, and never for
 * two of them: one that is false may be chosen to fit weights that are known.
 *
 * @throws VerifierError `RANDOMNESS_UNAVAILABLE`
 */
export function drawWeights(count: number): Weight[] {
  const crypto = globalThis.crypto as Crypto | undefined;
  if (typeof crypto?.getRandomValues !== "function") {
    throw noRandomness(
      "batch verification needs a cryptographic random generator",
      "globalThis.crypto.getRandomValues",
    );
  }
  const words = crypto.getRandomValues(new BigUint64Array(2 * count));
  return Array.from({ length: count }, (_, i): Weight => {
    let [a, b] = [words[2 * i]!, words[2 * i + 1]!];
    // 0 would leave the equation unchecked; it comes up with probability 2^-128
    for (let left = REDRAWS; a === 0n && b === 0n; left--) {
      if (left === 0) throw noRandomness("the random generator returns nothing but zeros", "random numbers");
      [a = 0n, b = 0n] = crypto.getRandomValues(new BigUint64Array(2));
    }
    return { halves: [a, b], scalar: (a + b * GLV_LAMBDA) % FR_MODULUS };
  });
}

/** Each point, none of them infinity, times its weight. */
export function multiplyAll(points: readonly G1[], weights: readonly Weight[]): { x: bigint; y: bigint }[] {
  const scaled = points.map((p, i) => {
    const [a, b] = weights[i]!.halves;
    return p.mulAddUnsafe(a, phi(p), b);
  });
  // never infinity: the order of a finite point is the prime r, and no weight is 0 mod r
  return normalizeZ(bn254.G1.Point, scaled).map((p) => p.toAffine());
}

/** The first arguments that are paired with one fixed G2 point: a sum already known, and terms still to be multiplied. */
interface FixedFactor {
  readonly g2: G2;
  sum: G1;
  readonly points: G1[];
  readonly scalars: bigint[];
}

/**
 * A product of pairings in which the first arguments of equal second ones are summed before they are paired, whatever key
 * those belong to: one Miller loop each, and one final power.
 */
export class WeightedProduct {
  readonly #pairs: MillerPair[] = [];
  readonly #factors = new Map<string, FixedFactor>();

  /** Times e(P, Q). */
  multiply(pair: MillerPair): void {
    this.#pairs.push(pair);
  }

  /** Divided by e(weight·point, g2). */
  divide(g2: G2, point: G1, { halves }: Weight): void {
    // infinity has no coordinates, and adds nothing
    if (point.is0()) return;
    const { points, scalars } = this.#factor(g2);
    points.push(point, phi(point));
    scalars.push(...halves);
  }

  /** Divided by e(scalar·point, g2) for any scalar in [0, r). */
  divideByMultiple(g2: G2, point: G1, scalar: bigint): void {
    const { points, scalars } = this.#factor(g2);
    points.push(point);
    scalars.push(scalar);
  }

  /** Divided by e(point, g2). */
  divideBySum(g2: G2, point: G1): void {
    const factor = this.#factor(g2);
    factor.sum = factor.sum.add(point);
  }

  isNeutral(): boolean {
    const pairs = [...this.#pairs];
    for (const { g2, sum, points, scalars } of this.#factors.values()) {
      const total = points.length === 0 ? sum : interleavedMSMUnsafe(bn254.G1.Point, points, 4)(scalars).add(sum);
      pairs.push(...negatedPair(total, g2.lines));
    }
    return isNeutral(millerLoop(pairs));
  }

  #factor(g2: G2): FixedFactor {
    let factor = this.#factors.get(g2.id);
    if (factor === undefined) {
      factor = { g2, sum: bn254.G1.Point.ZERO, points: [], scalars: [] };
      this.#factors.set(g2.id, factor);
    }
    return factor;
  }
}

/** At this size checking one by one beats two more rounds of halving, by far so if several are invalid. */
const CHECK_SINGLY = 4;

const inconsistent = (message: string, where: string): VerifierError =>
  new VerifierError(message, { code: "BATCH_INCONSISTENT", where });

/** An item of a list, by its index there. */
interface Indexed {
  readonly index: number;
}

/** An item that is not valid, and why. */
interface Convicted extends Indexed {
  readonly error: VerifierError;
}

/**
 * The invalid ones, at least one, among items whose product is known to be wrong; each is convicted by its own equations.
 *
 * @param list what the list is called in errors.
 * @param areValid whether the product of several is right.
 * @param faultOf the error of one alone, if it has any.
 */
export function bisect<T extends Indexed>(
  items: readonly T[],
  list: string,
  areValid: (items: readonly T[]) => boolean,
  faultOf: (item: T) => VerifierError | undefined,
): Convicted[] {
  if (items.length <= CHECK_SINGLY) {
    const wrong = items.flatMap((item) => {
      const error = faultOf(item);
      return error === undefined ? [] : [{ index: item.index, error }];
    });
    if (wrong.length === 0) {
      const [first, last] = [items[0]!.index, items.at(-1)!.index];
      throw inconsistent("the items fail together, but none of them alone", `${list}[${first}] to ${list}[${last}]`);
    }
    return wrong;
  }
  const half = items.length >> 1;
  const left = items.slice(0, half);
  const right = items.slice(half);
  // a product of valid proofs is always 1, so if the left half is fine the fault is in the right one
  if (areValid(left)) return bisect(right, list, areValid, faultOf);
  return [...bisect(left, list, areValid, faultOf), ...(areValid(right) ? [] : bisect(right, list, areValid, faultOf))];
}

/** What has been found out about each item of a list. */
export class Verdicts {
  // none by default: an item that got lost on the way must not pass for a valid one
  readonly #verdicts: ("valid" | VerifierError | undefined)[];
  readonly #list: string;

  /** @param list what the list is called in errors. */
  constructor(length: number, list: string) {
    this.#verdicts = new Array<undefined>(length).fill(undefined);
    this.#list = list;
  }

  /** The result as a list; empty if it is a verdict instead. */
  attempt<T>(index: number, action: () => T): T[] {
    try {
      return [action()];
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      this.#verdicts[index] = error;
      return [];
    }
  }

  /**
   * Checks what could be read, slice by slice.
   *
   * @param read items that nothing can change any more.
   * @param parse the part of reading that takes memory. @throws VerifierError what is wrong with the item
   * @param weigh gives each its weights.
   * @param invalidOf those that are not valid.
   */
  settle<R extends Indexed, P extends Indexed, W extends Indexed>(
    read: readonly R[],
    parse: (item: R) => P,
    weigh: (items: readonly P[]) => readonly W[],
    invalidOf: (items: readonly W[]) => readonly Convicted[],
  ): BatchResult {
    for (let start = 0; start < read.length; start += SLICE) {
      const parsed = read.slice(start, start + SLICE).flatMap((item) => this.attempt(item.index, () => parse(item)));
      if (parsed.length === 0) continue;
      const invalid = invalidOf(weigh(parsed));
      for (const { index } of parsed) this.#verdicts[index] = "valid";
      for (const { index, error } of invalid) this.#verdicts[index] = error;
    }
    const invalid = this.#verdicts.flatMap((verdict, index) => {
      if (verdict === undefined) throw inconsistent("the item was not checked", `${this.#list}[${index}]`);
      return verdict === "valid" ? [] : [{ index, error: verdict }];
    });
    return { valid: invalid.length === 0, invalid };
  }
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
 * Copies a list, reading its length and every property once. From then on no item can change how many there are, or what
 * another one is.
 *
 * @param list what the list is called in errors.
 * @param copy copies what is needed of an item, which is an object.
 * @throws VerifierError `BATCH_MALFORMED`
 */
export function snapshotList<T, C>(items: unknown, list: string, copy: (item: T) => C): C[] {
  const array = guarded(list, () => (Array.isArray(items) ? (items as unknown[]) : undefined));
  if (array === undefined) throw malformed("not an array", list, { got: describe(items) });
  const length: unknown = guarded(list, () => array.length);
  // a proxy can pass for an array and answer with anything
  if (typeof length !== "number" || !Number.isSafeInteger(length) || length < 0) {
    throw malformed("not an array", list, { got: `length ${describe(length)}` });
  }
  const copies: C[] = [];
  for (let index = 0; index < length; index++) {
    const where = `${list}[${index}]`;
    const item = guarded(where, () => array[index]);
    if (typeof item !== "object" || item === null) throw malformed("not an object", where, { got: describe(item) });
    copies.push(guarded(where, () => copy(item as T)));
  }
  return copies;
}
