/**
 * MUL: see `circuits/rows/mul.circom`.
 *
 * @module
 */

import { CARRY_LIMBS, factorIn, factorOf, HALF_LIMBS, lowHalf, multiply, productOf } from "./arith.js";
import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";
import { limbColumns, limbsIn } from "./words.js";

export const mul = rowTemplate({
  name: "mul",
  columns: [
    ...REGISTERS,
    ...[...limbColumns("u", HALF_LIMBS), "uHi" as const, "uOld" as const, "uHigh" as const],
    ...[...limbColumns("v", HALF_LIMBS), "vHi" as const, "vOld" as const, "vHigh" as const],
    ...[...limbColumns("c", HALF_LIMBS), "cHi" as const],
    ...[...limbColumns("k", CARRY_LIMBS), "overTop" as const, "gapTop" as const, "act" as const],
  ],
  messages(columns) {
    const { clk, ctx, sp, gas, overTop, gapTop, act } = columns;
    const now = 16n * clk + 1n;
    const [u, v, c] = [factorIn(columns, "u"), factorIn(columns, "v"), factorIn(columns, "c")];
    return [
      ...step(columns, act, { sp: sp - 1n, gas: gas - 5n }, { class: 0x02n }),
      ...take("STACK", { t: columns.uOld, ctx, index: sp - 1n, hi: u.hi, lo: lowHalf(u) }, act, now, columns.uHigh),
      ...take("STACK", { t: columns.vOld, ctx, index: sp - 2n, hi: v.hi, lo: lowHalf(v) }, act, now, columns.vHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, hi: c.hi, lo: lowHalf(c) }, act),
      ...multiply(u, v, { c, k: limbsIn(columns, "k", CARRY_LIMBS), overTop, gapTop }, act),
    ];
  },
});

/** Emits the row of MUL. */
export function assignMul(m: Machine): void {
  const at = m.registers;
  const [u, v] = [m.takeStack(1), m.takeStack(2)];
  const { value, columns } = productOf(u.value, v.value);
  m.giveStack(at.sp - 2n, value);
  m.emit(mul, {
    ...at,
    ...{ ...factorOf("u", u.value), uOld: u.tOld, uHigh: u.high },
    ...{ ...factorOf("v", v.value), vOld: v.tOld, vHigh: v.high },
    ...{ ...factorOf("c", value), ...columns, act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 5n });
}
