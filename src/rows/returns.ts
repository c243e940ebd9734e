/**
 * RETURN of a root frame: see `circuits/rows/returns.circom`.
 *
 * @module
 */

import { type Ended, endRoot } from "./frame.js";
import type { Machine } from "./machine.js";
import { assignSlice, SLICE, slice } from "./memory.js";
import { REGISTERS, rowTemplate, takeState } from "./row.js";

export const returns = rowTemplate({
  name: "returns",
  columns: [...REGISTERS, ...SLICE, "gasHigh", "T", "act"],
  messages(c) {
    const { gas, cost0, cost1, act } = c;
    return [...slice(c, act), ...takeState(c, act, { class: 0xf3n }), ...endRoot(c, c, gas - cost1 + cost0, 1n, act)];
  },
});

/** Emits the row of RETURN, which ends transaction `T`. @throws RowError `MEMORY_SIZE` */
export function assignReturns(m: Machine, T: bigint): Ended {
  const at = m.registers;
  const returned = assignSlice(m);
  const gas = at.gas - returned.cost1 + returned.cost0;
  m.emit(returns, { ...at, ...returned, gasHigh: gas >> 16n, T, act: 1n });
  return { clk: at.clk, gas, status: 1n };
}
