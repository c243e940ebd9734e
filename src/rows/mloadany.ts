/**
 * MLOAD at offsets that are no multiples of 32: see `circuits/rows/mloadany.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { headOf, tailOf } from "./bytes.js";
import type { Machine } from "./machine.js";
import { assignTwoWords, rewrite, unaligned } from "./memory.js";
import { give, REGISTERS, rowTemplate, step } from "./row.js";

export const mloadany = rowTemplate({
  name: "mloadany",
  columns: [
    ...REGISTERS,
    ...(["i", "r", "offsetOld", "offsetHigh"] as const),
    ...(["hi", "lo", "wordOld", "wordHigh", "headHi", "headLo", "tailHi", "tailLo"] as const),
    ...(["nextHi", "nextLo", "nextOld", "nextHigh"] as const),
    ...(["nextHeadHi", "nextHeadLo", "nextTailHi", "nextTailLo"] as const),
    ...(["words", "cost0", "cost1", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, i, r, hi, lo, headHi, headLo, tailHi, tailLo, words, cost0, cost1, act } = c;
    const word = { hi, lo };
    const next = { hi: c.nextHi, lo: c.nextLo };
    const moved = { headHi: c.nextHeadHi, headLo: c.nextHeadLo, tailHi: c.nextTailHi, tailLo: c.nextTailLo };
    const loaded = { hi: tailHi + c.nextHeadHi, lo: tailLo + c.nextHeadLo };
    return [
      ...unaligned(c, act),
      ...step(c, act, { msize: words, gas: gas - 3n - cost1 + cost0 }, { class: 0x51n }),
      message("SHIFT", { m: r, ...word, headHi, headLo, tailHi, tailLo }, act),
      message("SHIFT", { m: r, ...next, ...moved }, act),
      ...rewrite(c, i, { before: word, after: word }, { tOld: c.wordOld, high: c.wordHigh }, act),
      ...rewrite(c, i + 1n, { before: next, after: next }, { tOld: c.nextOld, high: c.nextHigh }, act),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp - 1n, ...loaded }, act),
    ];
  },
});

/** Emits the row of MLOAD. @throws RowError `MEMORY_ALIGNMENT` at multiples of 32, `MEMORY_SIZE` */
export function assignMloadany(m: Machine): void {
  const at = m.registers;
  const access = assignTwoWords(m);
  const { i, r } = access;
  const first = m.takeMemory(i);
  const second = m.takeMemory(i + 1n);
  m.giveMemory(i, first.value);
  m.giveMemory(i + 1n, second.value);
  const [head, tail] = [headOf(first.value, r), tailOf(first.value, r)];
  const [nextHead, nextTail] = [headOf(second.value, r), tailOf(second.value, r)];
  m.giveStack(at.sp - 1n, (tail.hi << 128n) + tail.lo + (nextHead.hi << 128n) + nextHead.lo);
  m.emit(mloadany, {
    ...{ ...at, ...access, act: 1n },
    ...{ hi: first.hi, lo: first.lo, wordOld: first.tOld, wordHigh: first.high },
    ...{ headHi: head.hi, headLo: head.lo, tailHi: tail.hi, tailLo: tail.lo },
    ...{ nextHi: second.hi, nextLo: second.lo, nextOld: second.tOld, nextHigh: second.high },
    ...{ nextHeadHi: nextHead.hi, nextHeadLo: nextHead.lo, nextTailHi: nextTail.hi, nextTailLo: nextTail.lo },
  });
  m.advance({ msize: access.words, gas: at.gas - 3n - access.cost1 + access.cost0 });
}
