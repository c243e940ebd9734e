/**
 * TSTORE: see `circuits/rows/tstore.circom`.
 *
 * @module
 */

import { accountOf, cellKey, type Frame, journal, renew, renewCell, SPACE, transactionOf } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, halvesOf } from "./words.js";

export const tstore = rowTemplate({
  name: "tstore",
  columns: [
    ...REGISTERS,
    ...(["slotHi", "slotLo", "slotOld", "slotHigh", "newHi", "newLo", "newOld", "newHigh"] as const),
    ...(["T", "addressHi", "addressLo", "valueHi", "valueLo", "lastTx", "tOld", "high"] as const),
    ...(["j", "jOld", "jHigh", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, slotHi, slotLo, newHi, newLo, T, addressHi, addressLo, j, act } = c;
    const now = 16n * clk + 1n;
    const key = { slotHi, slotLo, address: HALF * addressHi + addressLo };
    const old = { ...key, valueHi: c.valueHi, valueLo: c.valueLo, lastTx: c.lastTx };
    const stored = { ...key, valueHi: newHi, valueLo: newLo, lastTx: T };
    return [
      ...step(c, act, { sp: sp - 2n, gas: gas - 100n }, { class: 0x5dn }),
      transactionOf(ctx, T, act),
      accountOf(ctx, addressHi, addressLo, act),
      ...take("STACK", { t: c.slotOld, ctx, index: sp - 1n, hi: slotHi, lo: slotLo }, act, now, c.slotHigh),
      ...take("STACK", { t: c.newOld, ctx, index: sp - 2n, hi: newHi, lo: newLo }, act, now, c.newHigh),
      ...renew("TRANSIENT", c, old, stored, c.tOld, c.high),
      ...renew("JRN", c, { T, j }, { T, j: j + 1n }, c.jOld, c.jHigh),
      give("JOURNAL", { t: now + 1n, T, j, space: SPACE.TRANSIENT, ...old, origHi: 0n, origLo: 0n }, act),
    ];
  },
});

/**
 * Emits the row of TSTORE. Needs the cells TRANSIENT and JRN.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignTstore(m: Machine, { T, address }: Frame): void {
  const at = m.registers;
  const slot = m.takeStack(1);
  const next = m.takeStack(2);
  const { tOld, high, ...old } = renewCell(m, "TRANSIENT", cellKey.transient(address, slot.value), (cell) => ({
    ...cell,
    ...{ valueHi: next.hi, valueLo: next.lo, lastTx: T },
  }));
  const journaled = journal(m, T, { ...old, origHi: 0n, origLo: 0n, space: SPACE.TRANSIENT });
  const account = halvesOf(address);
  m.emit(tstore, {
    ...at,
    ...{ slotHi: slot.hi, slotLo: slot.lo, slotOld: slot.tOld, slotHigh: slot.high },
    ...{ newHi: next.hi, newLo: next.lo, newOld: next.tOld, newHigh: next.high },
    ...{ T, addressHi: account.hi, addressLo: account.lo },
    ...{ valueHi: old.valueHi, valueLo: old.valueLo, lastTx: old.lastTx, tOld, high, ...journaled, act: 1n },
  });
  m.advance({ sp: at.sp - 2n, gas: at.gas - 100n });
}
