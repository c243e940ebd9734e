/**
 * ORIGIN, GASPRICE: see `circuits/rows/txenv.circom`.
 *
 * @module
 */

import { transactionOf } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, inRange, REGISTERS, rowTemplate, step } from "./row.js";

export const txenv = rowTemplate({
  name: "txenv",
  columns: [...REGISTERS, "n", "T", "hi", "lo", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, n, T, hi, lo, act } = c;
    return [
      ...step(c, act, { sp: sp + 1n, gas: gas - 2n }, { class: 0x32n, n }),
      transactionOf(ctx, T, act),
      give("TXENV", { T, field: n, hi, lo }, act),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp, hi, lo }, act),
      inRange(10, sp),
    ];
  },
});

/** Emits the row of the opcode `n`, which pushes `word` from the environment of transaction `T`. */
export function assignTxenv(m: Machine, n: number, T: bigint, word: bigint): void {
  const at = m.registers;
  const halves = m.giveStack(at.sp, word);
  m.emit(txenv, { ...at, n: BigInt(n), T, ...halves, act: 1n });
  m.advance({ sp: at.sp + 1n, gas: at.gas - 2n });
}
