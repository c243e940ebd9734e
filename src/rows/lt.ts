/**
 * LT, GT: see `circuits/rows/lt.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import type { Columns } from "./row.js";
import { give, inRange128, isZero, LOWER_LIMBS, REGISTERS, rowTemplate, step, take } from "./row.js";
import { limbColumns, limbsIn, limbsOf } from "./words.js";

const WORDS = ["uHi", "uLo", "uOld", "uHigh", "vHi", "vLo", "vOld", "vHigh"] as const;

export const lt = rowTemplate({
  name: "lt",
  columns: [...REGISTERS, ...WORDS, ...limbColumns("d", LOWER_LIMBS), "result", "isGt", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, result, isGt, act } = c;
    const now = 16n * clk + 1n;
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 3n }, { class: 0x10n + isGt }),
      ...take("STACK", { t: c.uOld, ctx, index: sp - 1n - isGt, hi: c.uHi, lo: c.uLo }, act, now, c.uHigh),
      ...take("STACK", { t: c.vOld, ctx, index: sp - 2n + isGt, hi: c.vHi, lo: c.vLo }, act, now, c.vHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, hi: 0n, lo: result }, act),
      ...inRange128(ltCheck(c), limbsIn(c, "d", LOWER_LIMBS)),
    ];
  },
});

/** What must be from 0 to 2^128 − 1 for the result to be right. */
export function ltCheck(c: Columns<"uHi" | "uLo" | "vHi" | "vLo" | "result">): bigint {
  const d = c.uHi - c.vHi + isZero(c.uHi - c.vHi) * (c.uLo - c.vLo);
  return d - c.result * (2n * d + 1n);
}

/** Emits the row of LT, or of GT. */
export function assignLt(m: Machine, isGt: boolean): void {
  const at = m.registers;
  const [a, b] = [m.takeStack(1), m.takeStack(2)];
  const [u, v] = isGt ? [b, a] : [a, b];
  const result = u.value < v.value ? 1n : 0n;
  m.giveStack(at.sp - 2n, result);
  const columns = {
    ...at,
    ...{ uHi: u.hi, uLo: u.lo, uOld: u.tOld, uHigh: u.high },
    ...{ vHi: v.hi, vLo: v.lo, vOld: v.tOld, vHigh: v.high },
    ...{ result, isGt: isGt ? 1n : 0n, act: 1n },
  };
  m.emit(lt, { ...columns, ...limbsOf("d", ltCheck(columns), LOWER_LIMBS) });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 3n });
}
