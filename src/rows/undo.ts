/**
 * UNDO of a storage slot: see `circuits/rows/undo.circom`.
 *
 * @module
 */

import { RowError } from "./errors.js";
import { cellKey, journalLength, renew, renewCell, SPACE, undoing, unjournal } from "./journal.js";
import type { Machine } from "./machine.js";
import { REGISTERS, rowTemplate } from "./row.js";
import { assignUndobalance } from "./undobalance.js";

export const undo = rowTemplate({
  name: "undo",
  columns: [
    ...REGISTERS,
    ...(["T", "j", "jOld", "jHigh", "address", "slotHi", "slotLo"] as const),
    ...(["valueHi", "valueLo", "origHi", "origLo", "lastTx", "entryOld", "entryHigh"] as const),
    ...(["liveHi", "liveLo", "liveOrigHi", "liveOrigLo", "liveLastTx", "liveOld", "liveHigh", "act"] as const),
  ],
  messages(c) {
    const { address, slotHi, slotLo, valueHi, valueLo, origHi, origLo, lastTx } = c;
    const key = { address, slotHi, slotLo };
    const old = { ...key, valueHi, valueLo, origHi, origLo, lastTx };
    const live = {
      ...key,
      ...{ valueHi: c.liveHi, valueLo: c.liveLo, origHi: c.liveOrigHi, origLo: c.liveOrigLo, lastTx: c.liveLastTx },
    };
    return [...undoing(c, { ...old, space: SPACE.STORAGE }), ...renew("STORAGE", c, live, old, c.liveOld, c.liveHigh)];
  },
});

/**
 * Emits the row that undoes the last journal entry of transaction `T`: {@link undo} or `undobalance`, by the entry. The
 * machine is in mode UNDO; its registers stay but clk.
 *
 * @throws RowError `JOURNAL_EMPTY`, `JOURNAL_SPACE`, `CELL_MISSING`, `CELL_TIME`
 */
export function assignUndo(m: Machine, T: bigint): void {
  const length = journalLength(m, T);
  const where = `transaction ${T}`;
  if (length === 0n) throw new RowError("there is nothing left to undo", { code: "JOURNAL_EMPTY", where });
  const { space } = m.peek("JOURNAL", cellKey.journal(T, length - 1n));
  if (space === SPACE.BALANCE) {
    assignUndobalance(m, T);
    return;
  }
  if (space !== SPACE.STORAGE) {
    throw new RowError("no row undoes such an entry", { code: "JOURNAL_SPACE", where, got: String(space) });
  }
  const { entry, ...columns } = unjournal(m, T);
  const { address, slotHi, slotLo, valueHi, valueLo, origHi, origLo, lastTx } = entry;
  const old = { address, slotHi, slotLo, valueHi, valueLo, origHi, origLo, lastTx };
  const live = renewCell(m, "STORAGE", cellKey.storage(address, (slotHi << 128n) + slotLo), () => old);
  m.emit(undo, {
    ...m.registers,
    ...columns,
    ...old,
    ...{ liveHi: live.valueHi, liveLo: live.valueLo, liveOrigHi: live.origHi, liveOrigLo: live.origLo },
    ...{ liveLastTx: live.lastTx, liveOld: live.tOld, liveHigh: live.high, act: 1n },
  });
  m.advance({ pc: m.registers.pc });
}
