/**
 * NOT: see `circuits/rows/not.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, WORD } from "./words.js";

export const not = rowTemplate({
  name: "not",
  columns: [...REGISTERS, "hi", "lo", "tOld", "high", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, hi, lo, tOld, high, act } = c;
    const now = 16n * clk + 1n;
    const index = sp - 1n;
    return [
      ...step(c, act, { gas: gas - 3n }, { class: 0x19n }),
      ...take("STACK", { t: tOld, ctx, index, hi, lo }, act, now, high),
      give("STACK", { t: now + 1n, ctx, index, hi: HALF - 1n - hi, lo: HALF - 1n - lo }, act),
    ];
  },
});

/** Emits the row of NOT. */
export function assignNot(m: Machine): void {
  const at = m.registers;
  const { value, hi, lo, tOld, high } = m.takeStack(1);
  m.giveStack(at.sp - 1n, WORD - 1n - value);
  m.emit(not, { ...at, hi, lo, tOld, high, act: 1n });
  m.advance({ gas: at.gas - 3n });
}
