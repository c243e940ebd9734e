/**
 * Halt that the opcode makes certain: see `circuits/rows/haltcode.circom`.
 *
 * @module
 */

import type { Code } from "../verifier/ethereum/code.js";
import { opcodeEntry } from "../verifier/ethereum/opcode-table.js";
import { RowError } from "./errors.js";
import { halt, undoState } from "./halt.js";
import type { Machine } from "./machine.js";
import { give, inRange, REGISTERS, rowTemplate, takeState } from "./row.js";

export const haltcode = rowTemplate({
  name: "haltcode",
  columns: [
    ...REGISTERS,
    ...(["class", "n", "immHi", "immLo", "min", "max", "defined", "isUnder", "isOver", "act"] as const),
  ],
  messages(c) {
    const { sp, n, immHi, immLo, min, max, defined, isUnder, isOver, act } = c;
    return [
      ...takeState(c, act, { class: c.class, n, immHi, immLo }),
      undoState(c, act),
      give("OPCODE", { min, max, defined, class: c.class, n }, act),
      inRange(5, isUnder * (min - sp - 1n) + isOver * (sp - max - 1n)),
    ];
  },
});

/**
 * Emits the row of a halt by opcode or stack. The machine is in mode UNDO then.
 *
 * @throws RowError `HALT_UNTRUE` when the opcode is one and the stack suffices.
 */
export function assignHaltcode(m: Machine, { code }: { readonly code: Code }): void {
  const at = m.registers;
  const entry = code.entry(Number(at.pc));
  const needs = entry?.isInstr === 1 ? opcodeEntry(entry.class, entry.n) : undefined;
  const isUnder = needs !== undefined && at.sp < needs.min;
  const isOver = needs !== undefined && at.sp > needs.max;
  if (entry === undefined || needs === undefined || (needs.defined === 1 && !isUnder && !isOver)) {
    throw new RowError("nothing is wrong with opcode and stack", {
      code: "HALT_UNTRUE",
      where: `pc ${at.pc}`,
      got: entry === undefined ? "no code" : `class 0x${entry.class.toString(16)}, n ${entry.n}, ${at.sp} items`,
    });
  }
  m.emit(haltcode, {
    ...at,
    ...{ class: BigInt(entry.class), n: BigInt(entry.n), immHi: entry.immHi, immLo: entry.immLo },
    ...{ min: BigInt(needs.min), max: BigInt(needs.max), defined: BigInt(needs.defined) },
    ...{ isUnder: isUnder ? 1n : 0n, isOver: isOver ? 1n : 0n, act: 1n },
  });
  halt(m);
}
