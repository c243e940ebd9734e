/**
 * ISZERO: see `circuits/rows/iszero.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";

export const iszero = rowTemplate({
  name: "iszero",
  columns: [...REGISTERS, "hi", "lo", "tOld", "high", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, hi, lo, tOld, high, act } = c;
    const now = 16n * clk + 1n;
    const index = sp - 1n;
    return [
      ...step(c, act, { gas: gas - 3n }, { class: 0x15n }),
      ...take("STACK", { t: tOld, ctx, index, hi, lo }, act, now, high),
      give("STACK", { t: now + 1n, ctx, index, hi: 0n, lo: isZero(hi + lo) }, act),
    ];
  },
});

/** Emits the row of ISZERO. */
export function assignIszero(m: Machine): void {
  const at = m.registers;
  const { value, hi, lo, tOld, high } = m.takeStack(1);
  m.giveStack(at.sp - 1n, value === 0n ? 1n : 0n);
  m.emit(iszero, { ...at, hi, lo, tOld, high, act: 1n });
  m.advance({ gas: at.gas - 3n });
}
