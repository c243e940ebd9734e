/**
 * SLT, SGT: see `circuits/rows/slt.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import type { Columns } from "./row.js";
import { give, inRange128, isZero, LOWER_LIMBS, REGISTERS, rowTemplate, step, take } from "./row.js";
import { limbColumns, limbsIn, limbsOf } from "./words.js";

const WORDS = ["uHi", "uLo", "uOld", "uHigh", "vHi", "vLo", "vOld", "vHigh"] as const;
const CASES = ["below", "positive", "negative"] as const;

/** High halves from here up belong to negative words. */
const NEGATIVE = 1n << 127n;

export const slt = rowTemplate({
  name: "slt",
  columns: [
    ...REGISTERS,
    ...WORDS,
    ...limbColumns("d", LOWER_LIMBS),
    ...limbColumns("e", LOWER_LIMBS),
    ...CASES,
    ...(["isGt", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, isGt, act } = c;
    const now = 16n * clk + 1n;
    const { result, order, signs } = sltChecks(c);
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 3n }, { class: 0x12n + isGt }),
      ...take("STACK", { t: c.uOld, ctx, index: sp - 1n - isGt, hi: c.uHi, lo: c.uLo }, act, now, c.uHigh),
      ...take("STACK", { t: c.vOld, ctx, index: sp - 2n + isGt, hi: c.vHi, lo: c.vLo }, act, now, c.vHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, hi: 0n, lo: result }, act),
      ...inRange128(order, limbsIn(c, "d", LOWER_LIMBS)),
      ...inRange128(signs, limbsIn(c, "e", LOWER_LIMBS)),
    ];
  },
});

/** The result, and the two numbers that must be from 0 to 2^128 − 1 for it to be right. */
export function sltChecks(c: Columns<"uHi" | "uLo" | "vHi" | "vLo" | (typeof CASES)[number]>): {
  readonly result: bigint;
  readonly order: bigint;
  readonly signs: bigint;
} {
  const { uHi, vHi, below, positive, negative } = c;
  const same = isZero(uHi - vHi);
  const differ = 1n - same - positive - negative;
  const d = uHi - vHi + same * (c.uLo - c.vLo);
  const larger = uHi - below * d;
  const smaller = vHi + below * d;
  return {
    result: below + differ - 2n * below * differ,
    order: d - 2n * below * d - below + differ * (smaller - NEGATIVE + below),
    signs: positive * (NEGATIVE - 1n - larger) + negative * (smaller - NEGATIVE) + differ * (NEGATIVE - 1n - smaller),
  };
}

/** Emits the row of SLT, or of SGT. */
export function assignSlt(m: Machine, isGt: boolean): void {
  const at = m.registers;
  const [a, b] = [m.takeStack(1), m.takeStack(2)];
  const [u, v] = isGt ? [b, a] : [a, b];
  const [uNegative, vNegative] = [u.hi >= NEGATIVE, v.hi >= NEGATIVE];
  const columns = {
    ...at,
    ...{ uHi: u.hi, uLo: u.lo, uOld: u.tOld, uHigh: u.high },
    ...{ vHi: v.hi, vLo: v.lo, vOld: v.tOld, vHigh: v.high },
    below: u.value < v.value ? 1n : 0n,
    positive: u.hi !== v.hi && !uNegative && !vNegative ? 1n : 0n,
    negative: u.hi !== v.hi && uNegative && vNegative ? 1n : 0n,
    ...{ isGt: isGt ? 1n : 0n, act: 1n },
  };
  const { result, order, signs } = sltChecks(columns);
  m.giveStack(at.sp - 2n, result);
  m.emit(slt, { ...columns, ...limbsOf("d", order, LOWER_LIMBS), ...limbsOf("e", signs, LOWER_LIMBS) });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 3n });
}
