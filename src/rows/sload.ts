/**
 * SLOAD: see `circuits/rows/sload.circom`.
 *
 * @module
 */

import { accountOf, cellKey, type Frame, journal, renew, renewCell, SPACE, transactionOf } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, halvesOf } from "./words.js";

export const sload = rowTemplate({
  name: "sload",
  columns: [
    ...REGISTERS,
    ...(["slotHi", "slotLo", "slotOld", "slotHigh", "T", "addressHi", "addressLo"] as const),
    ...(["valueHi", "valueLo", "origHi", "origLo", "lastTx", "tOld", "high"] as const),
    ...(["j", "jOld", "jHigh", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, slotHi, slotLo, T, addressHi, addressLo, valueHi, valueLo, j, act } = c;
    const now = 16n * clk + 1n;
    const cold = act * (1n - isZero(T - c.lastTx));
    const key = { slotHi, slotLo, address: HALF * addressHi + addressLo };
    const old = { ...key, valueHi, valueLo, origHi: c.origHi, origLo: c.origLo, lastTx: c.lastTx };
    const renewed = cold === 0n ? old : { ...old, origHi: valueHi, origLo: valueLo };
    return [
      ...step(c, act, { gas: gas - 100n - 2000n * cold }, { class: 0x54n }),
      transactionOf(ctx, T, act),
      accountOf(ctx, addressHi, addressLo, act),
      ...take("STACK", { t: c.slotOld, ctx, index: sp - 1n, hi: slotHi, lo: slotLo }, act, now, c.slotHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 1n, hi: valueHi, lo: valueLo }, act),
      ...renew("STORAGE", c, old, { ...renewed, lastTx: T }, c.tOld, c.high),
      ...renew("JRN", { clk, act: cold }, { T, j }, { T, j: j + 1n }, c.jOld, c.jHigh),
      give("JOURNAL", { t: now + 1n, T, j, space: SPACE.STORAGE, ...old }, cold),
    ];
  },
});

/**
 * Emits the row of SLOAD. Needs the cell STORAGE, and for a cold slot JRN.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignSload(m: Machine, { T, address }: Frame): void {
  const at = m.registers;
  const slot = m.takeStack(1);
  const { tOld, high, ...old } = renewCell(m, "STORAGE", cellKey.storage(address, slot.value), (cell) => ({
    ...cell,
    ...(cell.lastTx === T ? {} : { origHi: cell.valueHi, origLo: cell.valueLo }),
    lastTx: T,
  }));
  m.giveStack(at.sp - 1n, (old.valueHi << 128n) + old.valueLo);
  const cold = old.lastTx !== T;
  const journaled = cold ? journal(m, T, { ...old, space: SPACE.STORAGE }) : { j: 0n, jOld: 0n, jHigh: 0n };
  // in a warm row nothing but RANGE_16 sees these: any time before now will do
  const unseen = cold ? {} : { jOld: 16n * at.clk };
  const account = halvesOf(address);
  m.emit(sload, {
    ...at,
    ...{ slotHi: slot.hi, slotLo: slot.lo, slotOld: slot.tOld, slotHigh: slot.high },
    ...{ T, addressHi: account.hi, addressLo: account.lo },
    ...{ valueHi: old.valueHi, valueLo: old.valueLo, origHi: old.origHi, origLo: old.origLo, lastTx: old.lastTx },
    ...{ tOld, high, ...journaled, ...unseen, act: 1n },
  });
  m.advance({ gas: at.gas - (cold ? 2100n : 100n) });
}
