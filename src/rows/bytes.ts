/**
 * Words cut at a byte: what the providers of SHIFT and CUT share. Mirrors `circuits/words.circom`.
 *
 * @module
 */

import { type Message, message } from "../verifier/bus.js";
import { FR_MODULUS } from "../verifier/fq2.js";
import { type Columns, inRange, inRange128, type RowTemplate } from "./row.js";
import { HALF, type Halves, halvesOf, joinLimbs, LIMBS, limbColumns, limbsIn, limbsOf } from "./words.js";

const HALF_LIMBS = LIMBS / 2;

/** A request to a lookup table, and how often it was made. */
export interface Request {
  readonly coordinates: readonly bigint[];
  readonly count: bigint;
}

/** Columns of a row that answers a request. */
export interface Provided {
  readonly template: RowTemplate;
  readonly columns: readonly bigint[];
}

/** Columns of `Bytes`. */
export const BYTES = ["m", "mInverse", "w", "P"] as const;

/** `Bytes` of `words.circom`. */
export function bytes({ m, mInverse, w, P }: Columns<(typeof BYTES)[number]>): Message[] {
  const v = m - 16n * w;
  return [inRange(4, v), message("POW2", { s: 8n * v, hi: 0n, lo: P }, (m * mInverse) % FR_MODULUS)];
}

/** Columns of `Bytes` for 1 to 31 bytes. */
export function bytesOf(m: bigint): Columns<(typeof BYTES)[number]> {
  const w = m >> 4n;
  let k = 0n;
  while ((FR_MODULUS * k + 1n) % m !== 0n) k++;
  return { m, mInverse: (FR_MODULUS * k + 1n) / m, w, P: 1n << (8n * (m - 16n * w)) };
}

/** Names of the limb columns of a `Split`. */
export const splitColumns = <const A extends string, const R extends string>(head: A, rest: R) => [
  ...limbColumns(head, HALF_LIMBS),
  ...limbColumns(rest, HALF_LIMBS - 1),
];

/** `Split` of `words.circom` with its limbs in columns called `head` and `rest`. */
export function split(
  c: Readonly<Record<string, bigint>>,
  names: { readonly head: string; readonly rest: string },
  half: bigint,
  P: bigint,
): { readonly first: bigint; readonly others: bigint; readonly ranges: Message[] } {
  const limbs = limbsIn(c, names.head, HALF_LIMBS);
  const first = joinLimbs(limbs);
  const others = half * P - HALF * first;
  return {
    first,
    others,
    ranges: [
      ...limbs.map((limb, i) => inRange(i < HALF_LIMBS - 1 ? 16 : 8, limb)),
      ...inRange128(others, limbsIn(c, names.rest, HALF_LIMBS - 1)),
    ],
  };
}

/** Limb columns of a `Split`. */
export function splitOf(head: string, rest: string, half: bigint, P: bigint): Record<string, bigint> {
  const moved = half * P;
  return { ...limbsOf(head, moved >> 128n, HALF_LIMBS), ...limbsOf(rest, moved % HALF, HALF_LIMBS - 1) };
}

/** Requests that have an answer: 1 to 31 bytes of a word. Others are nobody's honest ones: the bus stays open. */
export function ofWords(requests: Iterable<Request>): readonly { m: bigint; hi: bigint; lo: bigint; count: bigint }[] {
  return [...requests]
    .map(({ coordinates, count }) => ({ m: coordinates[0]!, hi: coordinates[6]!, lo: coordinates[7]!, count }))
    .filter(({ m, hi, lo }) => m >= 1n && m <= 31n && [hi, lo].every((half) => half >= 0n && half < HALF));
}

/** The first `bytes` bytes of a word, 0 to 32, as a number: what SHIFT has as head. */
export const headOf = (word: bigint, bytes: bigint): Halves => halvesOf(word >> (8n * (32n - bytes)));

/** A word moved up by `bytes` bytes, 0 to 32: what SHIFT has as tail. */
export const tailOf = (word: bigint, bytes: bigint): Halves => halvesOf(BigInt.asUintN(256, word << (8n * bytes)));

/** The first `bytes` bytes of a word, 0 to 32, in their place: what CUT has. */
export function topOf(word: bigint, bytes: bigint): Halves {
  const rest = 8n * (32n - bytes);
  return halvesOf((word >> rest) << rest);
}
