/**
 * MLOAD at multiples of 32: see `circuits/rows/mload.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { aligned, assignAligned } from "./memory.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";

export const mload = rowTemplate({
  name: "mload",
  columns: [
    ...REGISTERS,
    ...(["i", "offsetOld", "offsetHigh"] as const),
    ...(["hi", "lo", "wordOld", "wordHigh"] as const),
    ...(["words", "cost0", "cost1", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, i, hi, lo, words, cost0, cost1, act } = c;
    const now = 16n * clk + 1n;
    const cell = { ctx, index: i, hi, lo };
    return [
      ...aligned(c, act),
      ...step(c, act, { msize: words, gas: gas - 3n - cost1 + cost0 }, { class: 0x51n }),
      ...take("MEMORY", { ...cell, t: c.wordOld }, act, now, c.wordHigh),
      give("MEMORY", { ...cell, t: now }, act),
      give("STACK", { t: now + 1n, ctx, index: sp - 1n, hi, lo }, act),
    ];
  },
});

/** Emits the row of MLOAD. @throws RowError `MEMORY_ALIGNMENT`, `MEMORY_SIZE` */
export function assignMload(m: Machine): void {
  const at = m.registers;
  const access = assignAligned(m);
  const { hi, lo, value, tOld: wordOld, high: wordHigh } = m.takeMemory(access.i);
  m.giveMemory(access.i, value);
  m.giveStack(at.sp - 1n, value);
  m.emit(mload, { ...at, ...access, hi, lo, wordOld, wordHigh, act: 1n });
  m.advance({ msize: access.words, gas: at.gas - 3n - access.cost1 + access.cost0 });
}
