/**
 * STOP of a root frame: see `circuits/rows/stop.circom`.
 *
 * @module
 */

import { type Ended, endRoot } from "./frame.js";
import type { Machine } from "./machine.js";
import { REGISTERS, rowTemplate, takeState } from "./row.js";

export const stop = rowTemplate({
  name: "stop",
  columns: [...REGISTERS, "gasHigh", "T", "act"],
  messages: (c) => [...takeState(c, c.act, { class: 0n }), ...endRoot(c, c, c.gas, 1n, c.act)],
});

/** Emits the row of STOP, which ends transaction `T`. */
export function assignStop(m: Machine, T: bigint): Ended {
  const at = m.registers;
  m.emit(stop, { ...at, gasHigh: at.gas >> 16n, T, act: 1n });
  return { clk: at.clk, gas: at.gas, status: 1n };
}
