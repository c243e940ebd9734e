/**
 * MSTORE at multiples of 32: see `circuits/rows/mstore.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { aligned, assignAligned } from "./memory.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";

export const mstore = rowTemplate({
  name: "mstore",
  columns: [
    ...REGISTERS,
    ...(["i", "offsetOld", "offsetHigh"] as const),
    ...(["hi", "lo", "valueOld", "valueHigh"] as const),
    ...(["wasHi", "wasLo", "wordOld", "wordHigh"] as const),
    ...(["words", "cost0", "cost1", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, i, hi, lo, words, cost0, cost1, act } = c;
    const now = 16n * clk + 1n;
    const was = { t: c.wordOld, ctx, index: i, hi: c.wasHi, lo: c.wasLo };
    return [
      ...aligned(c, act),
      ...step(c, act, { sp: sp - 2n, msize: words, gas: gas - 3n - cost1 + cost0 }, { class: 0x52n }),
      ...take("STACK", { t: c.valueOld, ctx, index: sp - 2n, hi, lo }, act, now, c.valueHigh),
      ...take("MEMORY", was, act, now, c.wordHigh),
      give("MEMORY", { t: now, ctx, index: i, hi, lo }, act),
    ];
  },
});

/** Emits the row of MSTORE. @throws RowError `MEMORY_ALIGNMENT`, `MEMORY_SIZE` */
export function assignMstore(m: Machine): void {
  const at = m.registers;
  const access = assignAligned(m);
  const { hi, lo, value, tOld: valueOld, high: valueHigh } = m.takeStack(2);
  const { hi: wasHi, lo: wasLo, tOld: wordOld, high: wordHigh } = m.takeMemory(access.i);
  m.giveMemory(access.i, value);
  const words = { hi, lo, valueOld, valueHigh, wasHi, wasLo, wordOld, wordHigh };
  m.emit(mstore, { ...at, ...access, ...words, act: 1n });
  m.advance({ sp: at.sp - 2n, msize: access.words, gas: at.gas - 3n - access.cost1 + access.cost0 });
}
