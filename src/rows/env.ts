/**
 * COINBASE, TIMESTAMP, NUMBER, PREVRANDAO, GASLIMIT, CHAINID, BASEFEE, BLOBBASEFEE: see `circuits/rows/env.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, inRange, REGISTERS, rowTemplate, step } from "./row.js";

export const env = rowTemplate({
  name: "env",
  columns: [...REGISTERS, "n", "hi", "lo", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, n, hi, lo, act } = c;
    return [
      ...step(c, act, { sp: sp + 1n, gas: gas - 2n }, { class: 0x41n, n }),
      give("ENV", { field: n, hi, lo }, act),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp, hi, lo }, act),
      inRange(10, sp),
    ];
  },
});

/** Emits the row of the opcode `n`, which pushes `word` from the block's environment. */
export function assignEnv(m: Machine, n: number, word: bigint): void {
  const at = m.registers;
  const halves = m.giveStack(at.sp, word);
  m.emit(env, { ...at, n: BigInt(n), ...halves, act: 1n });
  m.advance({ sp: at.sp + 1n, gas: at.gas - 2n });
}
