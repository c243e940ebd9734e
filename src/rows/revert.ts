/**
 * REVERT of a root frame: see `circuits/rows/revert.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import type { Machine } from "./machine.js";
import { assignSlice, SLICE, slice } from "./memory.js";
import { REGISTERS, rowTemplate, stateOf, takeState } from "./row.js";

export const revert = rowTemplate({
  name: "revert",
  columns: [...REGISTERS, ...SLICE, "act"],
  messages(c) {
    const { clk, gas, words, cost0, cost1, act } = c;
    const after = { ...c, clk: clk + 1n, gas: gas - cost1 + cost0, msize: words };
    return [...slice(c, act), ...takeState(c, act, { class: 0xfdn }), message("STATE", stateOf(after, 1n), act)];
  },
});

/** Emits the row of REVERT. The machine is in mode UNDO then. @throws RowError `MEMORY_SIZE` */
export function assignRevert(m: Machine): void {
  const at = m.registers;
  const returned = assignSlice(m);
  m.emit(revert, { ...at, ...returned, act: 1n });
  m.advance({ pc: at.pc, gas: at.gas - returned.cost1 + returned.cost0, msize: returned.words });
}
