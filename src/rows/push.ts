/**
 * PUSH0 … PUSH32: see `circuits/rows/push.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, inRange, REGISTERS, rowTemplate, step } from "./row.js";

export const push = rowTemplate({
  name: "push",
  columns: [...REGISTERS, "n", "hi", "lo", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, n, hi, lo, act } = c;
    const cost = n === 0n ? 2n : 3n;
    return [
      ...step(c, act, { pc: c.pc + 1n + n, sp: sp + 1n, gas: gas - cost }, { class: 0x5fn, n, immHi: hi, immLo: lo }),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp, hi, lo }, act),
      inRange(10, sp),
    ];
  },
});

/** Emits the row of a PUSH whose immediate has `n` bytes and the value `immediate`. */
export function assignPush(m: Machine, n: number, immediate: bigint): void {
  const at = m.registers;
  const word = m.giveStack(at.sp, immediate);
  m.emit(push, { ...at, n: BigInt(n), ...word, act: 1n });
  m.advance({ pc: at.pc + 1n + BigInt(n), sp: at.sp + 1n, gas: at.gas - (n === 0 ? 2n : 3n) });
}
