/**
 * EXTCODESIZE: see `circuits/rows/extcodesize.circom`.
 *
 * @module
 */

import { ACCOUNT, assignAccount, touchAccount } from "./account.js";
import type { Frame } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step } from "./row.js";

export const extcodesize = rowTemplate({
  name: "extcodesize",
  columns: [...REGISTERS, ...ACCOUNT, ...(["id", "length", "act"] as const)],
  messages(c) {
    const { clk, ctx, sp, gas, hashHi, hashLo, id, length, act } = c;
    const { messages, cost } = touchAccount(c, act);
    return [
      ...messages,
      ...step(c, act, { gas: gas - cost }, { class: 0x3bn }),
      give("CODEID", { code: id, length, hashHi, hashLo }, act),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp - 1n, hi: 0n, lo: length }, act),
    ];
  },
});

/** What EXTCODESIZE has to know of its frame. */
export interface CodesFrame extends Pick<Frame, "T"> {
  /** A code by its hash, that of no code included: its position in the block's list, and its bytes. */
  codeOf(hash: bigint): { readonly id: bigint; readonly bytes: Uint8Array };
}

/**
 * Emits the row of EXTCODESIZE. Needs the cell ACCOUNT of the address, and for a cold account JRN.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`; whatever `codeOf` throws
 */
export function assignExtcodesize(m: Machine, frame: CodesFrame): void {
  const at = m.registers;
  const { columns, hash, cost } = assignAccount(m, frame.T);
  const { id, bytes } = frame.codeOf(hash);
  const length = BigInt(bytes.length);
  m.giveStack(at.sp - 1n, length);
  m.emit(extcodesize, { ...at, ...columns, id, length, act: 1n });
  m.advance({ gas: at.gas - cost });
}
