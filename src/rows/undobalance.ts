/**
 * UNDO of a balance: see `circuits/rows/undobalance.circom`.
 *
 * @module
 */

import { cellKey, NO_TUPLE, renew, renewCell, SPACE, undoing, unjournal } from "./journal.js";
import type { Machine } from "./machine.js";
import { REGISTERS, rowTemplate } from "./row.js";

export const undobalance = rowTemplate({
  name: "undobalance",
  columns: [
    ...REGISTERS,
    ...(["T", "j", "jOld", "jHigh", "address", "hi", "lo", "entryOld", "entryHigh"] as const),
    ...(["liveHi", "liveLo", "liveOld", "liveHigh", "act"] as const),
  ],
  messages(c) {
    const { address, hi, lo } = c;
    return [
      ...undoing(c, { ...NO_TUPLE, space: SPACE.BALANCE, address, valueHi: hi, valueLo: lo }),
      ...renew("BALANCE", c, { address, hi: c.liveHi, lo: c.liveLo }, { address, hi, lo }, c.liveOld, c.liveHigh),
    ];
  },
});

/** Emits the row that undoes the last journal entry of `T`, which is one of BALANCE: see `assignUndo`. */
export function assignUndobalance(m: Machine, T: bigint): void {
  const { entry, ...columns } = unjournal(m, T);
  const { address, valueHi: hi, valueLo: lo } = entry;
  const live = renewCell(m, "BALANCE", cellKey.account(address), () => ({ address, hi, lo }));
  m.emit(undobalance, {
    ...m.registers,
    ...columns,
    ...{ address, hi, lo },
    ...{ liveHi: live.hi, liveLo: live.lo, liveOld: live.tOld, liveHigh: live.high, act: 1n },
  });
  m.advance({ pc: m.registers.pc });
}
