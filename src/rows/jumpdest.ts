/**
 * JUMPDEST: see `circuits/rows/jumpdest.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { REGISTERS, rowTemplate, step } from "./row.js";

export const jumpdest = rowTemplate({
  name: "jumpdest",
  columns: [...REGISTERS, "act"],
  messages: (c) => step(c, c.act, { gas: c.gas - 1n }, { class: 0x5bn }),
});

/** Emits the row of JUMPDEST. */
export function assignJumpdest(m: Machine): void {
  const at = m.registers;
  m.emit(jumpdest, { ...at, act: 1n });
  m.advance({ gas: at.gas - 1n });
}
