/**
 * DUP1 … DUP16: see `circuits/rows/dup.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, inRange, REGISTERS, rowTemplate, step, take } from "./row.js";

export const dup = rowTemplate({
  name: "dup",
  columns: [...REGISTERS, "n", "hi", "lo", "tOld", "high", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, n, hi, lo, tOld, high, act } = c;
    const now = 16n * clk + 1n;
    const cell = { ctx, index: sp - n, hi, lo };
    return [
      ...step(c, act, { sp: sp + 1n, gas: gas - 3n }, { class: 0x80n, n }),
      ...take("STACK", { ...cell, t: tOld }, act, now, high),
      give("STACK", { ...cell, t: now }, act),
      give("STACK", { ...cell, index: sp, t: now + 1n }, act),
      inRange(10, sp),
    ];
  },
});

/** Emits the row of DUP`n`. */
export function assignDup(m: Machine, n: number): void {
  const at = m.registers;
  const { value, hi, lo, tOld, high } = m.takeStack(n);
  m.giveStack(at.sp - BigInt(n), value, 1n);
  m.giveStack(at.sp, value);
  m.emit(dup, { ...at, n: BigInt(n), hi, lo, tOld, high, act: 1n });
  m.advance({ sp: at.sp + 1n, gas: at.gas - 3n });
}
