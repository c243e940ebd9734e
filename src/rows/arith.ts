/**
 * Arithmetic of words. Mirrors `circuits/arith.circom`.
 *
 * @module
 */

import { invert, mod } from "../circuits/linear.js";
import type { Message } from "../verifier/bus.js";
import { give, inRange } from "./row.js";
import { HALF, joinLimbs, limbsIn, limbsOf, WORD } from "./words.js";

/** 2^64. */
export const QUARTER: bigint = 1n << 64n;
/** 16-bit limbs of half a word. */
export const HALF_LIMBS = 8;

const INVERSES = new Map<bigint, bigint>();

/** `value / divisor` in the field. */
export function over(value: bigint, divisor: bigint): bigint {
  let inverse = INVERSES.get(divisor);
  if (inverse === undefined) {
    inverse = invert(divisor);
    INVERSES.set(divisor, inverse);
  }
  return mod(mod(value) * inverse);
}

/** `Limbs` of `arith.circom`. */
export const inLimbs = (limbs: readonly bigint[]): Message[] => limbs.map((limb) => inRange(16, limb));

/** Highest limb in `InRangeLimbs` of `arith.circom`. */
export const topLimb = (value: bigint, lower: readonly bigint[]): bigint =>
  over(value - joinLimbs(lower), 1n << BigInt(16 * lower.length));

/** `InRangeLimbs` of `arith.circom`. */
export const inRangeLimbs = (value: bigint, lower: readonly bigint[]): Message[] =>
  inLimbs([...lower, topLimb(value, lower)]);

/** `InRangeWide` of `arith.circom`. */
export const inRangeWide = (value: bigint, act: bigint): Message => give("WIDE", { value: mod(value) }, act);

/** Limbs of a low half, and the high half that is not taken apart. */
export interface Factor {
  readonly limbs: readonly bigint[];
  readonly hi: bigint;
}

/** What `Multiply` commits to besides its factors. */
export interface Product {
  readonly c: Factor;
  readonly k: readonly bigint[];
  readonly overTop: bigint;
  readonly gapTop: bigint;
}

/** The low half of a factor. */
export const lowHalf = ({ limbs }: Factor): bigint => joinLimbs(limbs);

const parts = ({ limbs, hi }: Factor) => {
  const [first, second] = [joinLimbs(limbs.slice(0, 4)), joinLimbs(limbs.slice(4))];
  return { first, second, lo: first + QUARTER * second, hi };
};

/** What `Multiply` derives from its columns. */
function multiplied(factors: readonly [Factor, Factor], product: Factor) {
  const [u, v, c] = [...factors.map(parts), parts(product)] as [Parts, Parts, Parts];
  const k = over(u.first * v.lo + QUARTER * u.second * v.first - c.lo, HALF);
  const above = over(u.hi * v.lo + v.hi * u.lo + u.second * v.second + k - c.hi, HALF);
  return { k, above, gap: QUARTER * above - u.hi * v.second - v.hi * u.second };
}
type Parts = ReturnType<typeof parts>;

/** `Multiply` of `arith.circom`. */
export function multiply(u: Factor, v: Factor, { c, k, overTop, gapTop }: Product, act: bigint): Message[] {
  const derived = multiplied([u, v], c);
  return [
    ...[u, v, c].flatMap(({ limbs }) => inLimbs(limbs)),
    ...inRangeLimbs(derived.k, k),
    inRangeWide(c.hi, act),
    inRangeWide(derived.above - HALF * overTop, act),
    inRangeWide(derived.gap - HALF * gapTop, act),
    inRange(4, overTop),
    // -1 + 1 in the field
    inRange(4, mod(gapTop + act)),
  ];
}

/** Columns of a factor, or of the product, named after `prefix`: the limbs of the low half, then the high half. */
export function factorOf<const P extends string>(prefix: P, value: bigint): Record<`${P}${number}` | `${P}Hi`, bigint> {
  const columns: Record<string, bigint> = { ...limbsOf(prefix, value, HALF_LIMBS), [`${prefix}Hi`]: value >> 128n };
  return columns;
}

/** The factor whose columns are named after `prefix`. */
export const factorIn = (columns: Readonly<Record<string, bigint>>, prefix: string): Factor => ({
  limbs: limbsIn(columns, prefix, HALF_LIMBS),
  hi: columns[`${prefix}Hi`]!,
});

const split = (value: bigint): Factor => factorIn(factorOf("", value), "");

/** Lower limbs of the carry in `Multiply` and `Divide`. */
export const CARRY_LIMBS = 4;

/** The product modulo 2^256 of two words, and the other columns that prove it. */
export function productOf(u: bigint, v: bigint) {
  const value = (u * v) & (WORD - 1n);
  const { k, above, gap } = multiplied([split(u), split(v)], split(value));
  // the gap may be negative, above -2^64
  const gapTop = mod((mod(gap + HALF) >> 128n) - 1n);
  return { value, columns: { ...limbsOf("k", k, CARRY_LIMBS), overTop: above >> 128n, gapTop } };
}

/** What `Divide` divides, by what, and the columns it commits to. */
export interface Division {
  /** Modulo r, and in two's complement of any size modulo 2^128. */
  readonly a: bigint;
  readonly aLo: bigint;
  readonly dLo: bigint;
  readonly dHi: bigint;
  readonly q: Factor;
  readonly u: readonly bigint[];
  readonly w: readonly bigint[];
  readonly k: readonly bigint[];
}

/** High half of the remainder in `Divide`. */
const remainderHi = ({ a, dLo, dHi, q, u }: Omit<Division, "k" | "w" | "aLo">): bigint =>
  over(a - (joinLimbs(q.limbs) + HALF * q.hi) * (dLo + HALF * dHi) - joinLimbs(u), HALF);

const carryOf = ({ aLo, dLo, q, u, w }: Omit<Division, "k" | "a" | "dHi">, act: bigint): bigint => {
  const { first, second } = parts(q);
  const d0 = joinLimbs(u.slice(0, 4)) + joinLimbs(w.slice(0, 4)) + act;
  return over(first * dLo + QUARTER * second * d0 + joinLimbs(u) - aLo, HALF);
};

/** `Divide` of `arith.circom`: its messages, and the quotient and the remainder in halves. */
export function divide(division: Division, act: bigint) {
  const { dLo, dHi, q, u, w, k } = division;
  const { second, lo } = parts(q);
  const [uLo, uHi] = [joinLimbs(u), remainderHi(division)];
  const d1 = over(dLo - joinLimbs(u.slice(0, 4)) - joinLimbs(w.slice(0, 4)) - act, QUARTER);
  const messages: Message[] = [
    ...inLimbs(q.limbs),
    ...inLimbs(u),
    ...inRangeLimbs(dLo - uLo - act, w),
    ...inRangeLimbs(carryOf(division, act), k),
    ...[q.hi, uHi, dHi - uHi, (q.hi + second) * (dHi + d1)].map((value) => inRangeWide(value, act)),
  ];
  return { messages, q: { hi: q.hi, lo }, u: { hi: uHi, lo: uLo } };
}

/**
 * Quotient and remainder, the carry in the divisor's low half, and the other columns that prove them.
 *
 * @param a from 0 to 2^256 - 1.
 * @param d from 1 to 2^256.
 * @param aLo a modulo 2^128, from -2^128 to 2^128.
 * @param dLo d modulo 2^128, likewise.
 */
export function quotientOf(a: bigint, d: bigint, { aLo, dLo }: { aLo: bigint; dLo: bigint }) {
  const [q, u] = [a / d, a % d];
  const w = d - 1n - u;
  const carry = ((u & (HALF - 1n)) + (w & (HALF - 1n)) + 1n - dLo) >> 128n;
  const [uLimbs, wLimbs] = [split(u).limbs, split(w).limbs];
  const k = carryOf({ aLo, dLo: dLo + HALF * carry, q: split(q), u: uLimbs, w: wLimbs }, 1n);
  return {
    q,
    u,
    carry,
    columns: {
      ...factorOf("q", q),
      ...limbsOf("u", u, HALF_LIMBS),
      ...limbsOf("w", w, HALF_LIMBS - 1),
      ...limbsOf("k", k, CARRY_LIMBS),
    },
  };
}
