/**
 * POP: see `circuits/rows/pop.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { REGISTERS, rowTemplate, step, take } from "./row.js";

export const pop = rowTemplate({
  name: "pop",
  columns: [...REGISTERS, "hi", "lo", "tOld", "high", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, hi, lo, tOld, high, act } = c;
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 2n }, { class: 0x50n }),
      ...take("STACK", { t: tOld, ctx, index: sp - 1n, hi, lo }, act, 16n * clk + 1n, high),
    ];
  },
});

/** Emits the row of POP. */
export function assignPop(m: Machine): void {
  const at = m.registers;
  const { hi, lo, tOld, high } = m.takeStack(1);
  m.emit(pop, { ...at, hi, lo, tOld, high, act: 1n });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 2n });
}
