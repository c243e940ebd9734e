/**
 * PC, MSIZE, GAS: see `circuits/rows/gauge.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, inRange, inRange32, REGISTERS, rowTemplate, step } from "./row.js";

export const gauge = rowTemplate({
  name: "gauge",
  columns: [...REGISTERS, "high", "isMsize", "isGas", "act"],
  messages(c) {
    const { clk, ctx, pc, sp, gas, msize, high, isMsize, isGas, act } = c;
    const value = pc + isMsize * (32n * msize - pc) + isGas * (gas - 2n - pc);
    return [
      ...step(c, act, { sp: sp + 1n, gas: gas - 2n }, { class: 0x58n + isMsize + 2n * isGas }),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp, hi: 0n, lo: value }, act),
      ...inRange32(value, high),
      inRange(10, sp),
    ];
  },
});

/** Emits the row of PC, MSIZE or GAS. */
export function assignGauge(m: Machine, which: "pc" | "msize" | "gas"): void {
  const at = m.registers;
  const value = { pc: at.pc, msize: 32n * at.msize, gas: at.gas - 2n }[which];
  m.giveStack(at.sp, value);
  m.emit(gauge, {
    ...at,
    high: value >> 16n,
    isMsize: which === "msize" ? 1n : 0n,
    isGas: which === "gas" ? 1n : 0n,
    act: 1n,
  });
  m.advance({ sp: at.sp + 1n, gas: at.gas - 2n });
}
