/**
 * CALLER, ADDRESS, CALLVALUE, CALLDATASIZE: see `circuits/rows/context.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, inRange, REGISTERS, rowTemplate, step } from "./row.js";

export const context = rowTemplate({
  name: "context",
  columns: [...REGISTERS, "n", "hi", "lo", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, n, hi, lo, act } = c;
    return [
      ...step(c, act, { sp: sp + 1n, gas: gas - 2n }, { class: 0x33n, n }),
      give("CTX", { ctx, field: n, hi, lo }, act),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp, hi, lo }, act),
      inRange(10, sp),
    ];
  },
});

/** Emits the row of the opcode `n`, which pushes `word` from the frame's context. */
export function assignContext(m: Machine, n: number, word: bigint): void {
  const at = m.registers;
  const halves = m.giveStack(at.sp, word);
  m.emit(context, { ...at, n: BigInt(n), ...halves, act: 1n });
  m.advance({ sp: at.sp + 1n, gas: at.gas - 2n });
}
