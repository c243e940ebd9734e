/**
 * EQ: see `circuits/rows/eq.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";

export const eq = rowTemplate({
  name: "eq",
  columns: [...REGISTERS, "aHi", "aLo", "aOld", "aHigh", "bHi", "bLo", "bOld", "bHigh", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, aHi, aLo, bHi, bLo, act } = c;
    const now = 16n * clk + 1n;
    const equal = isZero(aLo - bLo + (1n << 129n) * (1n - isZero(aHi - bHi)));
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 3n }, { class: 0x14n }),
      ...take("STACK", { t: c.aOld, ctx, index: sp - 1n, hi: aHi, lo: aLo }, act, now, c.aHigh),
      ...take("STACK", { t: c.bOld, ctx, index: sp - 2n, hi: bHi, lo: bLo }, act, now, c.bHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, hi: 0n, lo: equal }, act),
    ];
  },
});

/** Emits the row of EQ. */
export function assignEq(m: Machine): void {
  const at = m.registers;
  const a = m.takeStack(1);
  const b = m.takeStack(2);
  m.giveStack(at.sp - 2n, a.value === b.value ? 1n : 0n);
  m.emit(eq, {
    ...at,
    ...{ aHi: a.hi, aLo: a.lo, aOld: a.tOld, aHigh: a.high },
    ...{ bHi: b.hi, bLo: b.lo, bOld: b.tOld, bHigh: b.high },
    act: 1n,
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 3n });
}
