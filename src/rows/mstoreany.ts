/**
 * MSTORE at offsets that are no multiples of 32: see `circuits/rows/mstoreany.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { headOf, tailOf, topOf } from "./bytes.js";
import type { Machine } from "./machine.js";
import { assignTwoWords, rewrite, unaligned } from "./memory.js";
import { REGISTERS, rowTemplate, step, take } from "./row.js";

export const mstoreany = rowTemplate({
  name: "mstoreany",
  columns: [
    ...REGISTERS,
    ...(["i", "r", "offsetOld", "offsetHigh"] as const),
    ...(["hi", "lo", "valueOld", "valueHigh", "headHi", "headLo", "tailHi", "tailLo"] as const),
    ...(["wasHi", "wasLo", "wordOld", "wordHigh", "topHi", "topLo"] as const),
    ...(["nextHi", "nextLo", "nextOld", "nextHigh", "nextTopHi", "nextTopLo"] as const),
    ...(["words", "cost0", "cost1", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, i, r, hi, lo, headHi, headLo, tailHi, tailLo, words, cost0, cost1, act } = c;
    const { topHi, topLo, nextTopHi, nextTopLo } = c;
    const was = { hi: c.wasHi, lo: c.wasLo };
    const next = { hi: c.nextHi, lo: c.nextLo };
    const lower = { before: was, after: { hi: topHi + headHi, lo: topLo + headLo } };
    const upper = { before: next, after: { hi: tailHi + next.hi - nextTopHi, lo: tailLo + next.lo - nextTopLo } };
    return [
      ...unaligned(c, act),
      ...step(c, act, { sp: sp - 2n, msize: words, gas: gas - 3n - cost1 + cost0 }, { class: 0x52n }),
      message("SHIFT", { m: 32n - r, hi, lo, headHi, headLo, tailHi, tailLo }, act),
      ...take("STACK", { t: c.valueOld, ctx, index: sp - 2n, hi, lo }, act, 16n * clk + 1n, c.valueHigh),
      message("CUT", { m: r, ...was, topHi, topLo }, act),
      message("CUT", { m: r, ...next, topHi: nextTopHi, topLo: nextTopLo }, act),
      ...rewrite(c, i, lower, { tOld: c.wordOld, high: c.wordHigh }, act),
      ...rewrite(c, i + 1n, upper, { tOld: c.nextOld, high: c.nextHigh }, act),
    ];
  },
});

/** Emits the row of MSTORE. @throws RowError `MEMORY_ALIGNMENT` at multiples of 32, `MEMORY_SIZE` */
export function assignMstoreany(m: Machine): void {
  const at = m.registers;
  const access = assignTwoWords(m);
  const { i, r } = access;
  const value = m.takeStack(2);
  const was = m.takeMemory(i);
  const next = m.takeMemory(i + 1n);
  const [head, tail] = [headOf(value.value, 32n - r), tailOf(value.value, 32n - r)];
  const [top, nextTop] = [topOf(was.value, r), topOf(next.value, r)];
  m.giveMemory(i, ((top.hi + head.hi) << 128n) + top.lo + head.lo);
  m.giveMemory(i + 1n, ((tail.hi + next.hi - nextTop.hi) << 128n) + tail.lo + next.lo - nextTop.lo);
  m.emit(mstoreany, {
    ...{ ...at, ...access, act: 1n },
    ...{ hi: value.hi, lo: value.lo, valueOld: value.tOld, valueHigh: value.high },
    ...{ headHi: head.hi, headLo: head.lo, tailHi: tail.hi, tailLo: tail.lo },
    ...{ wasHi: was.hi, wasLo: was.lo, wordOld: was.tOld, wordHigh: was.high, topHi: top.hi, topLo: top.lo },
    ...{ nextHi: next.hi, nextLo: next.lo, nextOld: next.tOld, nextHigh: next.high },
    ...{ nextTopHi: nextTop.hi, nextTopLo: nextTop.lo },
  });
  m.advance({ sp: at.sp - 2n, msize: access.words, gas: at.gas - 3n - access.cost1 + access.cost0 });
}
