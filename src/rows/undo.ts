/**
 * UNDO of a storage slot, or of a transient one: see `circuits/rows/undo.circom`.
 *
 * @module
 */

import { RowError } from "./errors.js";
import { cellKey, journalLength, renewCell, renewEither, SPACE, undoing, unjournal } from "./journal.js";
import type { Machine } from "./machine.js";
import { REGISTERS, rowTemplate } from "./row.js";
import { assignUndoaccount } from "./undoaccount.js";

export const undo = rowTemplate({
  name: "undo",
  columns: [
    ...REGISTERS,
    ...(["T", "j", "jOld", "jHigh", "address", "slotHi", "slotLo"] as const),
    ...(["valueHi", "valueLo", "origHi", "origLo", "lastTx", "entryOld", "entryHigh"] as const),
    ...(["liveHi", "liveLo", "liveOrigHi", "liveOrigLo", "liveLastTx", "liveOld", "liveHigh"] as const),
    ...(["isStorage", "isTransient"] as const),
  ],
  messages(c) {
    const { address, slotHi, slotLo, valueHi, valueLo, origHi, origLo, lastTx, isStorage, isTransient } = c;
    const key = { address, slotHi, slotLo };
    const old = { ...key, valueHi, valueLo, origHi, origLo, lastTx };
    const live = {
      ...key,
      ...{ valueHi: c.liveHi, valueLo: c.liveLo, origHi: c.liveOrigHi, origLo: c.liveOrigLo, lastTx: c.liveLastTx },
    };
    const space = SPACE.STORAGE * isStorage + SPACE.TRANSIENT * isTransient;
    return [
      ...undoing({ ...c, act: isStorage + isTransient }, { ...old, space }),
      ...renewEither(
        ["STORAGE", isStorage],
        ["TRANSIENT", isTransient],
        ...([c.clk, live, old, c.liveOld, c.liveHigh] as const),
      ),
    ];
  },
});

/** Emits the row that undoes the last journal entry of `T`, which is one of STORAGE or TRANSIENT. */
function assignUndoslot(m: Machine, T: bigint): void {
  const { entry, ...columns } = unjournal(m, T);
  const { space, address, slotHi, slotLo, valueHi, valueLo, origHi, origLo, lastTx } = entry;
  const slot = (slotHi << 128n) + slotLo;
  const held = { address, slotHi, slotLo, valueHi, valueLo, lastTx };
  const old = { ...held, origHi, origLo };
  const live =
    space === SPACE.STORAGE
      ? renewCell(m, "STORAGE", cellKey.storage(address, slot), () => old)
      : { ...renewCell(m, "TRANSIENT", cellKey.transient(address, slot), () => held), origHi: 0n, origLo: 0n };
  m.emit(undo, {
    ...m.registers,
    ...columns,
    ...old,
    ...{ liveHi: live.valueHi, liveLo: live.valueLo, liveOrigHi: live.origHi, liveOrigLo: live.origLo },
    ...{ liveLastTx: live.lastTx, liveOld: live.tOld, liveHigh: live.high },
    ...(space === SPACE.STORAGE ? { isStorage: 1n, isTransient: 0n } : { isStorage: 0n, isTransient: 1n }),
  });
  m.advance({ pc: m.registers.pc });
}

/**
 * Emits the row that undoes the last journal entry of transaction `T`: {@link undo} or `undoaccount`, by the entry. The
 * machine is in mode UNDO; its registers stay but clk.
 *
 * @throws RowError `JOURNAL_EMPTY`, `JOURNAL_SPACE`, `CELL_MISSING`, `CELL_TIME`
 */
export function assignUndo(m: Machine, T: bigint): void {
  const length = journalLength(m, T);
  const where = `transaction ${T}`;
  if (length === 0n) throw new RowError("there is nothing left to undo", { code: "JOURNAL_EMPTY", where });
  const { space } = m.peek("JOURNAL", cellKey.journal(T, length - 1n));
  if (space === SPACE.STORAGE || space === SPACE.TRANSIENT) assignUndoslot(m, T);
  else if (space === SPACE.BALANCE || space === SPACE.ACCOUNT) assignUndoaccount(m, T);
  else throw new RowError("no row undoes such an entry", { code: "JOURNAL_SPACE", where, got: String(space) });
}
