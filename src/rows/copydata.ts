/**
 * CALLDATACOPY and CODECOPY: see `circuits/rows/copydata.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import {
  assignLoad,
  assignWrite,
  DESTINATION,
  destination,
  NO_CODE,
  SOURCE,
  source,
  takeDestination,
  takeOffset,
} from "./copy.js";
import type { Machine } from "./machine.js";
import { expansion, grow } from "./memory.js";
import { REGISTERS, rowTemplate, step } from "./row.js";

export const copydata = rowTemplate({
  name: "copydata",
  columns: [...REGISTERS, ...DESTINATION, ...SOURCE, ...(["words", "cost0", "cost1", "isCode", "act"] as const)],
  messages(c) {
    const { ctx, code, sp, gas, length, n, words, cost0, cost1, isCode, act } = c;
    const opcode = 0x37n + 2n * isCode;
    const from = { ctx: ctx - isCode * ctx, code: NO_CODE + isCode * (code - NO_CODE) };
    return [
      ...destination(c, 1n, act),
      ...source(c, from, 2n, act),
      message("CTX", { ctx, hi: 0n, lo: length, field: opcode - 1n }, act),
      ...expansion(c, c, act),
      ...step(c, act, { sp: sp - 3n, msize: words, gas: gas - 3n - 3n * n - cost1 + cost0 }, { class: opcode }),
    ];
  },
});

/**
 * Emits the rows of CALLDATACOPY, or of CODECOPY.
 *
 * @param bytes the calldata, or the code.
 * @throws RowError `MEMORY_SIZE`
 */
export function assignCopydata(m: Machine, bytes: Uint8Array, isCode: boolean): void {
  const at = m.registers;
  const { dest, size, columns: to } = takeDestination(m, 1);
  const { start, columns: from } = takeOffset(m, 2, size, bytes);
  const growth = grow(m, to.reach);
  const place = isCode ? { ctx: 0n, code: at.code } : { ctx: at.ctx, code: NO_CODE };
  assignWrite(m, dest, assignLoad(m, place, bytes, start, size));
  m.emit(copydata, { ...at, ...to, ...from, ...growth, isCode: isCode ? 1n : 0n, act: 1n });
  const { words, cost0, cost1 } = growth;
  m.advance({ sp: at.sp - 3n, msize: words, gas: at.gas - 3n - 3n * from.n - cost1 + cost0 });
}
