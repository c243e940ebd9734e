/**
 * MCOPY: see `circuits/rows/mcopy.circom`.
 *
 * @module
 */

import { assignWrite, DESTINATION, destination, takeDestination } from "./copy.js";
import type { Machine } from "./machine.js";
import { expansion, grow, READ_KIND, reachOf, reading, span } from "./memory.js";
import { assignRead } from "./read.js";
import { REGISTERS, rowTemplate, step, take } from "./row.js";

export const mcopy = rowTemplate({
  name: "mcopy",
  columns: [
    ...REGISTERS,
    ...DESTINATION,
    ...(["offsetHi", "offsetLo", "offsetOld", "offsetHigh", "n", "sourceFirst", "sourceReach"] as const),
    ...(["words", "cost0", "cost1", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, size, offsetHi, offsetLo, n, sourceFirst, sourceReach, words, cost0, cost1, act } = c;
    const offset = { t: c.offsetOld, ctx, index: sp - 2n, hi: offsetHi, lo: offsetLo };
    const { start, range } = span(size, offsetLo, sourceReach);
    return [
      ...destination(c, 1n, act),
      ...take("STACK", offset, act, 16n * clk + 1n, c.offsetHigh),
      range,
      ...reading(c, READ_KIND.BUFFER, { start, size, reach: sourceReach, first: sourceFirst, n }, act),
      ...expansion(c, c, act),
      ...step(c, act, { sp: sp - 3n, msize: words, gas: gas - 3n - 3n * n - cost1 + cost0 }, { class: 0x5en }),
    ];
  },
});

/** Emits the rows of MCOPY. @throws RowError `MEMORY_SIZE` */
export function assignMcopy(m: Machine): void {
  const at = m.registers;
  const { dest, size, columns: to } = takeDestination(m, 1);
  const { value: offset, hi: offsetHi, lo: offsetLo, tOld: offsetOld, high: offsetHigh } = m.takeStack(2);
  const sourceReach = reachOf(offset, size);
  const growth = grow(m, sourceReach > to.reach ? sourceReach : to.reach);
  const { first: sourceFirst, n, data } = assignRead(m, READ_KIND.BUFFER, offset, size);
  assignWrite(m, dest, data);
  const from = { offsetHi, offsetLo, offsetOld, offsetHigh, n, sourceFirst, sourceReach };
  m.emit(mcopy, { ...at, ...to, ...from, ...growth, act: 1n });
  const { words, cost0, cost1 } = growth;
  m.advance({ sp: at.sp - 3n, msize: words, gas: at.gas - 3n - 3n * n - cost1 + cost0 });
}
