/**
 * AND, OR, XOR: see `circuits/rows/bitwise.circom`.
 *
 * @module
 */

import type { Message } from "../verifier/bus.js";
import { FR_MODULUS } from "../verifier/fq2.js";
import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";
import { type Halves, limbColumns, limbsIn } from "./words.js";

/** Bytes of half a word that are columns: all but the highest, which is what is left. */
const LOWER = 15;
const BYTES = 32;

/** Bytes of a word, the lowest first. */
const split = (word: bigint): bigint[] => Array.from({ length: BYTES }, (_, i) => (word >> BigInt(8 * i)) & 0xffn);
const join = (bytes: readonly bigint[]): bigint => bytes.reduceRight((sum, byte) => sum * 256n + byte, 0n);

const bytesOf = <const P extends string>(prefix: P, bytes: readonly bigint[]) =>
  Object.fromEntries(bytes.map((byte, i) => [`${prefix}${i}`, byte])) as Record<`${P}${number}`, bigint>;

/** 2^-120, which brings the highest byte of a half word down. */
const HALF = (FR_MODULUS + 1n) / 2n;
const TO_HIGHEST = Array.from({ length: 8 * LOWER }).reduce((x: bigint) => (x * HALF) % FR_MODULUS, 1n);

/** The lower bytes of both halves with what is left of each, in the field. */
function completed({ hi, lo }: Halves, lower: readonly bigint[]): bigint[] {
  const half = (value: bigint, bytes: readonly bigint[]) => [
    ...bytes,
    ((value - join(bytes)) * TO_HIGHEST) % FR_MODULUS,
  ];
  return [...half(lo, lower.slice(0, LOWER)), ...half(hi, lower.slice(LOWER))];
}

/** The bytes that {@link completed} completes. */
const lowerOf = (word: bigint): bigint[] => split(word).filter((_, i) => i % 16 !== LOWER);

export const bitwise = rowTemplate({
  name: "bitwise",
  columns: [
    ...REGISTERS,
    ...(["aHi", "aLo", "aOld", "aHigh", "bHi", "bLo", "bOld", "bHigh"] as const),
    ...limbColumns("a", 2 * LOWER),
    ...limbColumns("b", 2 * LOWER),
    ...limbColumns("m", BYTES),
    ...(["isOr", "isXor", "act"] as const),
  ],
  messages(c): Message[] {
    const { clk, ctx, sp, gas, aHi, aLo, bHi, bLo, isOr, isXor, act } = c;
    const now = 16n * clk + 1n;
    const a = completed({ hi: aHi, lo: aLo }, limbsIn(c, "a", 2 * LOWER));
    const b = completed({ hi: bHi, lo: bLo }, limbsIn(c, "b", 2 * LOWER));
    const m = limbsIn(c, "m", BYTES);
    const result = (x: bigint, y: bigint, both: bigint) => both + (isOr + isXor) * (x + y - 2n * both) - isXor * both;
    const lo = result(aLo, bLo, join(m.slice(0, 16)));
    const hi = result(aHi, bHi, join(m.slice(16)));
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 3n }, { class: 0x16n + isOr + 2n * isXor }),
      ...take("STACK", { t: c.aOld, ctx, index: sp - 1n, hi: aHi, lo: aLo }, act, now, c.aHigh),
      ...take("STACK", { t: c.bOld, ctx, index: sp - 2n, hi: bHi, lo: bLo }, act, now, c.bHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, hi, lo }, act),
      ...m.map((both, i) => give("AND", { a: a[i]!, b: b[i]!, c: both }, act)),
    ];
  },
});

/** What {@link assignBitwise} does with two words. */
const OPERATIONS = {
  and: (a: bigint, b: bigint) => a & b,
  or: (a: bigint, b: bigint) => a | b,
  xor: (a: bigint, b: bigint) => a ^ b,
} as const;

/** Emits the row of AND, OR or XOR. */
export function assignBitwise(m: Machine, operation: keyof typeof OPERATIONS): void {
  const at = m.registers;
  const [a, b] = [m.takeStack(1), m.takeStack(2)];
  m.giveStack(at.sp - 2n, OPERATIONS[operation](a.value, b.value));
  m.emit(bitwise, {
    ...at,
    ...{ aHi: a.hi, aLo: a.lo, aOld: a.tOld, aHigh: a.high },
    ...{ bHi: b.hi, bLo: b.lo, bOld: b.tOld, bHigh: b.high },
    ...bytesOf("a", lowerOf(a.value)),
    ...bytesOf("b", lowerOf(b.value)),
    ...bytesOf("m", split(a.value & b.value)),
    ...{ isOr: operation === "or" ? 1n : 0n, isXor: operation === "xor" ? 1n : 0n, act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 3n });
}
