/**
 * Halt of RETURNDATACOPY: see `circuits/rows/haltreturn.circom`.
 *
 * @module
 */

import { RowError } from "./errors.js";
import { halt, peekStack, undoState } from "./halt.js";
import type { Machine } from "./machine.js";
import { RETURNDATASIZE } from "./returndatacopy.js";
import { give, REGISTERS, rowTemplate, take, takeState } from "./row.js";

export const haltreturn = rowTemplate({
  name: "haltreturn",
  columns: [...REGISTERS, "hi", "lo", "tOld", "high", "isSize", "act"],
  messages(c) {
    const { clk, ctx, sp, hi, lo, tOld, high, isSize, act } = c;
    return [
      ...takeState(c, act, { class: 0x3en }),
      undoState(c, act),
      ...take("STACK", { t: tOld, ctx, index: sp - 2n - isSize, hi, lo }, act, 16n * clk + 1n, high),
      give("CTX", { ctx, hi: 0n, lo: 0n, field: RETURNDATASIZE }, act),
    ];
  },
});

/**
 * Emits the row of a copy from beyond the end of what was returned, which is nothing. The machine is in mode UNDO then.
 *
 * @throws RowError `HALT_UNTRUE` when offset and size are 0.
 */
export function assignHaltreturn(m: Machine): void {
  const at = m.registers;
  const isSize = peekStack(m, 2) === 0n;
  const { hi, lo, value, tOld, high } = m.takeStack(isSize ? 3 : 2);
  if (value === 0n) {
    throw new RowError("nothing is wrong with the copy", {
      code: "HALT_UNTRUE",
      where: `pc ${at.pc}`,
      got: "offset 0, size 0",
    });
  }
  m.emit(haltreturn, { ...at, hi, lo, tOld, high, isSize: isSize ? 1n : 0n, act: 1n });
  halt(m);
}
