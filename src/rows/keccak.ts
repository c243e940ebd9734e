/**
 * KECCAK256: see `circuits/rows/keccak.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { keccak as hashOf } from "../verifier/ethereum/words.js";
import type { Machine } from "./machine.js";
import { expansion, grow, OPERANDS, operands, READ_KIND, reachOf, reading, span, takeOperands } from "./memory.js";
import { assignRead, KECCAK } from "./read.js";
import { give, REGISTERS, rowTemplate, step } from "./row.js";

export const keccak = rowTemplate({
  name: "keccak",
  columns: [
    ...REGISTERS,
    ...OPERANDS,
    ...(["reach", "words", "cost0", "cost1", "first", "n", "hi", "lo", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, size, reach, words, cost0, cost1, n, hi, lo, act } = c;
    const { start, range } = span(size, c.offsetLo, reach);
    const left = gas - 30n - 6n * n - cost1 + cost0;
    return [
      ...operands(c, act),
      range,
      ...expansion(c, c, act),
      ...reading(c, READ_KIND.CLAIMWORD, { ...c, start }, act),
      ...step(c, act, { sp: sp - 1n, msize: words, gas: left }, { class: 0x20n }),
      received(message("CLAIM", { t: 16n * clk, length: size, hi, lo, kind: KECCAK }, act)),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp - 2n, hi, lo }, act),
    ];
  },
});

/** Emits the rows of KECCAK256, and claims the hash. @throws RowError `MEMORY_SIZE` */
export function assignKeccak(m: Machine): void {
  const at = m.registers;
  const { offset, size, operands: popped } = takeOperands(m);
  const reach = reachOf(offset, size);
  const growth = grow(m, reach);
  const { first, n, data } = assignRead(m, READ_KIND.CLAIMWORD, offset, size);
  m.keccaks.push({ clk: at.clk, data });
  const { hi, lo } = m.giveStack(at.sp - 2n, hashOf(data));
  m.emit(keccak, { ...at, ...popped, reach, ...growth, first, n, hi, lo, act: 1n });
  m.advance({ sp: at.sp - 1n, msize: growth.words, gas: at.gas - 30n - 6n * n - growth.cost1 + growth.cost0 });
}
