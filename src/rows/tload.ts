/**
 * TLOAD: see `circuits/rows/tload.circom`.
 *
 * @module
 */

import { accountOf, cellKey, type Frame, renew, renewCell, transactionOf } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, halvesOf } from "./words.js";

export const tload = rowTemplate({
  name: "tload",
  columns: [
    ...REGISTERS,
    ...(["slotHi", "slotLo", "slotOld", "slotHigh", "T", "addressHi", "addressLo"] as const),
    ...(["valueHi", "valueLo", "lastTx", "tOld", "high", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, slotHi, slotLo, T, addressHi, addressLo, valueHi, valueLo, lastTx, act } = c;
    const now = 16n * clk + 1n;
    const written = isZero(T - lastTx);
    const cell = { slotHi, slotLo, address: HALF * addressHi + addressLo, valueHi, valueLo, lastTx };
    return [
      ...step(c, act, { gas: gas - 100n }, { class: 0x5cn }),
      transactionOf(ctx, T, act),
      accountOf(ctx, addressHi, addressLo, act),
      ...take("STACK", { t: c.slotOld, ctx, index: sp - 1n, hi: slotHi, lo: slotLo }, act, now, c.slotHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 1n, hi: written * valueHi, lo: written * valueLo }, act),
      ...renew("TRANSIENT", c, cell, cell, c.tOld, c.high),
    ];
  },
});

/**
 * Emits the row of TLOAD. Needs the cell TRANSIENT.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignTload(m: Machine, { T, address }: Frame): void {
  const at = m.registers;
  const slot = m.takeStack(1);
  const { valueHi, valueLo, lastTx, tOld, high } = renewCell(
    m,
    "TRANSIENT",
    cellKey.transient(address, slot.value),
    (cell) => cell,
  );
  m.giveStack(at.sp - 1n, lastTx === T ? (valueHi << 128n) + valueLo : 0n);
  const account = halvesOf(address);
  m.emit(tload, {
    ...at,
    ...{ slotHi: slot.hi, slotLo: slot.lo, slotOld: slot.tOld, slotHigh: slot.high },
    ...{ T, addressHi: account.hi, addressLo: account.lo },
    ...{ valueHi, valueLo, lastTx, tOld, high, act: 1n },
  });
  m.advance({ gas: at.gas - 100n });
}
