/**
 * UNDO of an account's balance, or of its warmth: see `circuits/rows/undoaccount.circom`.
 *
 * @module
 */

import { cellKey, NO_TUPLE, renewCell, renewEither, SPACE, undoing, unjournal } from "./journal.js";
import type { Machine, Taken } from "./machine.js";
import { REGISTERS, rowTemplate } from "./row.js";

export const undoaccount = rowTemplate({
  name: "undoaccount",
  columns: [
    ...REGISTERS,
    ...(["T", "j", "jOld", "jHigh", "address", "hi", "lo", "lastTx", "entryOld", "entryHigh"] as const),
    ...(["liveHi", "liveLo", "liveLastTx", "liveOld", "liveHigh", "isBalance", "isAccount"] as const),
  ],
  messages(c) {
    const { address, hi, lo, lastTx, isBalance, isAccount } = c;
    const space = SPACE.BALANCE * isBalance + SPACE.ACCOUNT * isAccount;
    const live = { address, hashHi: c.liveHi, hashLo: c.liveLo, lastTx: c.liveLastTx };
    const old = { address, hashHi: hi, hashLo: lo, lastTx };
    return [
      ...undoing(
        { ...c, act: isBalance + isAccount },
        { ...NO_TUPLE, space, address, valueHi: hi, valueLo: lo, lastTx },
      ),
      ...renewEither(
        ["ACCOUNT", isAccount],
        ["BALANCE", isBalance],
        ...([c.clk, live, old, c.liveOld, c.liveHigh] as const),
      ),
    ];
  },
});

/** Emits the row that undoes the last journal entry of `T`, which is one of BALANCE or ACCOUNT: see `assignUndo`. */
export function assignUndoaccount(m: Machine, T: bigint): void {
  const { entry, ...columns } = unjournal(m, T);
  const { space, address, valueHi: hi, valueLo: lo, lastTx } = entry;
  const key = cellKey.account(address);
  const renewed = (): { hi: bigint; lo: bigint; lastTx: bigint } & Taken => {
    if (space === SPACE.BALANCE) return { ...renewCell(m, "BALANCE", key, () => ({ address, hi, lo })), lastTx: 0n };
    const cell = renewCell(m, "ACCOUNT", key, () => ({ address, hashHi: hi, hashLo: lo, lastTx }));
    return { ...cell, hi: cell.hashHi, lo: cell.hashLo };
  };
  const live = renewed();
  m.emit(undoaccount, {
    ...m.registers,
    ...columns,
    ...{ address, hi, lo, lastTx, liveHi: live.hi, liveLo: live.lo, liveLastTx: live.lastTx },
    ...{ liveOld: live.tOld, liveHigh: live.high },
    ...(space === SPACE.BALANCE ? { isBalance: 1n, isAccount: 0n } : { isBalance: 0n, isAccount: 1n }),
  });
  m.advance({ pc: m.registers.pc });
}
