/**
 * EXTCODECOPY: see `circuits/rows/extcodecopy.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { ACCOUNT, assignAccount, touchAccount } from "./account.js";
import {
  assignLoad,
  assignWrite,
  DESTINATION,
  destination,
  SOURCE,
  source,
  takeDestination,
  takeOffset,
} from "./copy.js";
import type { CodesFrame } from "./extcodesize.js";
import type { Machine } from "./machine.js";
import { expansion, grow } from "./memory.js";
import { REGISTERS, rowTemplate, step } from "./row.js";

export const extcodecopy = rowTemplate({
  name: "extcodecopy",
  columns: [
    ...REGISTERS,
    ...ACCOUNT,
    ...DESTINATION,
    ...SOURCE,
    ...(["id", "words", "cost0", "cost1", "act"] as const),
  ],
  messages(c) {
    const { sp, gas, hashHi, hashLo, id, length, n, words, cost0, cost1, act } = c;
    const { messages, cost } = touchAccount(c, act);
    return [
      ...messages,
      ...destination(c, 2n, act),
      message("CODEID", { code: id, length, hashHi, hashLo }, act),
      ...source(c, { ctx: 0n, code: id }, 3n, act),
      ...expansion(c, c, act),
      ...step(c, act, { sp: sp - 4n, msize: words, gas: gas - cost - 3n * n - cost1 + cost0 }, { class: 0x3cn }),
    ];
  },
});

/**
 * Emits the rows of EXTCODECOPY. Needs the cell ACCOUNT of the address, and for a cold account JRN.
 *
 * @throws RowError `MEMORY_SIZE`, `CELL_MISSING`, `CELL_TIME`; whatever `codeOf` throws
 */
export function assignExtcodecopy(m: Machine, frame: CodesFrame): void {
  const at = m.registers;
  const { columns: account, hash, cost } = assignAccount(m, frame.T);
  const { id, bytes } = frame.codeOf(hash);
  const { dest, size, columns: to } = takeDestination(m, 2);
  const { start, columns: from } = takeOffset(m, 3, size, bytes);
  const growth = grow(m, to.reach);
  assignWrite(m, dest, assignLoad(m, { ctx: 0n, code: id }, bytes, start, size));
  m.emit(extcodecopy, { ...at, ...account, ...to, ...from, id, ...growth, act: 1n });
  const { words, cost0, cost1 } = growth;
  m.advance({ sp: at.sp - 4n, msize: words, gas: at.gas - cost - 3n * from.n - cost1 + cost0 });
}
