/**
 * SSTORE: see `circuits/rows/sstore.circom`.
 *
 * @module
 */

import { accountOf, cellKey, type Frame, journal, renew, renewCell, SPACE, transactionOf } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, inRange, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, type Halves, halvesOf } from "./words.js";

/** SSTORE needs this much gas, whatever it costs (EIP-2200). */
export const SSTORE_FLOOR = 2301n;

const same = (a: Halves, b: Halves): bigint => isZero(a.lo - b.lo + 2n * HALF * (1n - isZero(a.hi - b.hi)));
const zero = (a: Halves): bigint => isZero(a.hi + a.lo);

/**
 * What a write costs, and by how much it changes the refund; `base` is the value before the transaction. Computed as the
 * circuit does, so that halves that are out of range are mirrored too.
 */
export function storeGas(
  cold: boolean,
  base: Halves,
  value: Halves,
  next: Halves,
): { readonly cost: bigint; readonly change: bigint } {
  const [clean, reset, fromZero] = [same(base, value), same(base, next), zero(base)];
  const write = clean * (1n - reset);
  const back = reset * (1n - clean);
  const cleared = zero(next) - zero(value) + (write - back) * fromZero;
  const bonus = 2800n + 17_100n * fromZero;
  return { cost: 100n + (cold ? 2100n : 0n) + write * bonus, change: 4800n * cleared + back * bonus };
}

export const sstore = rowTemplate({
  name: "sstore",
  columns: [
    ...REGISTERS.flatMap((name) => (name === "gas" ? (["gas0", "gas1"] as const) : [name])),
    ...(["slotHi", "slotLo", "slotOld", "slotHigh", "newHi", "newLo", "newOld", "newHigh"] as const),
    ...(["T", "addressHi", "addressLo"] as const),
    ...(["valueHi", "valueLo", "origHi", "origLo", "lastTx", "tOld", "high"] as const),
    ...(["j", "jOld", "jHigh", "refund", "refundOld", "refundHigh", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas0, gas1, slotHi, slotLo, newHi, newLo, T, addressHi, addressLo, valueHi, valueLo } = c;
    const { j, refund, act } = c;
    const now = 16n * clk + 1n;
    const gas = SSTORE_FLOOR + gas0 + 65536n * gas1;
    const key = { slotHi, slotLo, address: HALF * addressHi + addressLo };
    const old = { ...key, valueHi, valueLo, origHi: c.origHi, origLo: c.origLo, lastTx: c.lastTx };
    const cold = isZero(T - c.lastTx) === 0n;
    const value = { hi: valueHi, lo: valueLo };
    const base = cold ? value : { hi: c.origHi, lo: c.origLo };
    const { cost, change } = storeGas(cold, base, value, { hi: newHi, lo: newLo });
    const stored = { ...key, valueHi: newHi, valueLo: newLo, origHi: base.hi, origLo: base.lo, lastTx: T };
    return [
      ...step({ ...c, gas }, act, { sp: sp - 2n, gas: gas - cost }, { class: 0x55n }),
      inRange(16, gas0),
      inRange(16, gas1),
      transactionOf(ctx, T, act),
      accountOf(ctx, addressHi, addressLo, act),
      ...take("STACK", { t: c.slotOld, ctx, index: sp - 1n, hi: slotHi, lo: slotLo }, act, now, c.slotHigh),
      ...take("STACK", { t: c.newOld, ctx, index: sp - 2n, hi: newHi, lo: newLo }, act, now, c.newHigh),
      ...renew("STORAGE", c, old, stored, c.tOld, c.high),
      ...renew("JRN", c, { T, j }, { T, j: j + 1n }, c.jOld, c.jHigh),
      give("JOURNAL", { t: now + 1n, T, j, space: SPACE.STORAGE, ...old }, act),
      ...renew("REFUND", c, { T, value: refund }, { T, value: refund + change }, c.refundOld, c.refundHigh),
    ];
  },
});

/**
 * Emits the row of SSTORE. Needs the cells STORAGE, JRN and REFUND, and gas of at least {@link SSTORE_FLOOR} and the cost,
 * which who reads the trace has checked.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignSstore(m: Machine, { T, address }: Frame): void {
  const { gas, ...at } = m.registers;
  const slot = m.takeStack(1);
  const next = m.takeStack(2);
  let cost = 0n;
  let change = 0n;
  const { tOld, high, ...old } = renewCell(m, "STORAGE", cellKey.storage(address, slot.value), (cell) => {
    const cold = cell.lastTx !== T;
    const value = { hi: cell.valueHi, lo: cell.valueLo };
    const base = cold ? value : { hi: cell.origHi, lo: cell.origLo };
    ({ cost, change } = storeGas(cold, base, value, next));
    return { ...cell, valueHi: next.hi, valueLo: next.lo, origHi: base.hi, origLo: base.lo, lastTx: T };
  });
  const journaled = journal(m, T, { ...old, space: SPACE.STORAGE });
  const refund = renewCell(m, "REFUND", cellKey.transaction(T), ({ value }) => ({ T, value: value + change }));
  const account = halvesOf(address);
  const spare = gas - SSTORE_FLOOR;
  m.emit(sstore, {
    ...at,
    ...{ gas0: spare & 0xffffn, gas1: spare >> 16n },
    ...{ slotHi: slot.hi, slotLo: slot.lo, slotOld: slot.tOld, slotHigh: slot.high },
    ...{ newHi: next.hi, newLo: next.lo, newOld: next.tOld, newHigh: next.high },
    ...{ T, addressHi: account.hi, addressLo: account.lo },
    ...{ valueHi: old.valueHi, valueLo: old.valueLo, origHi: old.origHi, origLo: old.origLo, lastTx: old.lastTx },
    ...{ tOld, high, ...journaled, refund: refund.value, refundOld: refund.tOld, refundHigh: refund.high, act: 1n },
  });
  m.advance({ sp: at.sp - 2n, gas: gas - cost });
}
