/**
 * Halt for want of gas: see `circuits/rows/haltgas.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import type { Code } from "../verifier/ethereum/code.js";
import { RowError } from "./errors.js";
import { halt, undoState } from "./halt.js";
import type { Machine } from "./machine.js";
import { give, inRange32, REGISTERS, rowTemplate, stateOf } from "./row.js";
import { SSTORE_FLOOR } from "./sstore.js";

const GAS_CLASS = 0x5a;
const SSTORE_CLASS = 0x55;

export const haltgas = rowTemplate({
  name: "haltgas",
  columns: [...REGISTERS, "high", "isGas", "isSstore", "act"],
  messages(c) {
    const { code, pc, gas, high, isGas, isSstore, act } = c;
    const fetched = { code, pc, immHi: 0n, immLo: 0n, class: 0x55n + 5n * isGas, n: 0n, isInstr: 1n };
    return [
      received(message("STATE", stateOf(c), act)),
      give("CODE", fetched, isGas + isSstore),
      undoState(c, act),
      ...inRange32(2n * isGas + SSTORE_FLOOR * isSstore - act - gas, high),
    ];
  },
});

/**
 * Emits the row of a halt for want of gas. The machine is in mode UNDO then.
 *
 * @throws RowError `HALT_UNTRUE` when the gas suffices.
 */
export function assignHaltgas(m: Machine, { code }: { readonly code: Code }): void {
  const at = m.registers;
  const opcode = at.gas < 0n ? undefined : code.entry(Number(at.pc));
  const isGas = opcode?.isInstr === 1 && opcode.class === GAS_CLASS;
  const isSstore = opcode?.isInstr === 1 && opcode.class === SSTORE_CLASS;
  const missing = (isGas ? 1n : isSstore ? SSTORE_FLOOR - 1n : -1n) - at.gas;
  if (missing < 0n) {
    throw new RowError("the gas suffices", { code: "HALT_UNTRUE", where: `pc ${at.pc}`, got: `gas ${at.gas}` });
  }
  m.emit(haltgas, {
    ...at,
    ...{ high: missing >> 16n, isGas: isGas ? 1n : 0n, isSstore: isSstore ? 1n : 0n, act: 1n },
  });
  halt(m);
}
