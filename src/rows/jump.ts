/**
 * JUMP: see `circuits/rows/jump.circom`.
 *
 * @module
 */

import { RowError } from "./errors.js";
import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";

export const jump = rowTemplate({
  name: "jump",
  columns: [...REGISTERS, "dest", "tOld", "high", "act"],
  messages(c) {
    const { clk, ctx, code, sp, gas, dest, tOld, high, act } = c;
    return [
      ...step(c, act, { pc: dest, sp: sp - 1n, gas: gas - 8n }, { class: 0x56n }),
      ...take("STACK", { t: tOld, ctx, index: sp - 1n, hi: 0n, lo: dest }, act, 16n * clk + 1n, high),
      give("CODE", jumpdestAt(code, dest), act),
    ];
  },
});

/** What CODE has where a jump may go. */
export function jumpdestAt(code: bigint, pc: bigint) {
  return { code, pc, immHi: 0n, immLo: 0n, class: 0x5bn, n: 0n, isInstr: 1n };
}

/**
 * Emits the row of JUMP.
 *
 * @throws RowError `JUMP_DESTINATION` for one from 2^128 up.
 */
export function assignJump(m: Machine): void {
  const at = m.registers;
  const { value, hi, lo: dest, tOld, high } = m.takeStack(1);
  if (hi !== 0n) throw noDestination(value, at.pc);
  m.emit(jump, { ...at, dest, tOld, high, act: 1n });
  m.advance({ pc: dest, sp: at.sp - 1n, gas: at.gas - 8n });
}

/** A jump that can't be: the EVM halts there. */
export function noDestination(dest: bigint, pc: bigint): RowError {
  return new RowError("a jump to where no code is", {
    code: "JUMP_DESTINATION",
    where: `pc ${pc}`,
    expected: "below 2^128",
    got: String(dest),
  });
}
