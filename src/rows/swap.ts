/**
 * SWAP1 … SWAP16: see `circuits/rows/swap.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";

export const swap = rowTemplate({
  name: "swap",
  columns: [...REGISTERS, "n", "aHi", "aLo", "aOld", "aHigh", "bHi", "bLo", "bOld", "bHigh", "act"],
  messages(c) {
    const { clk, ctx, sp, gas, n, act } = c;
    const now = 16n * clk + 1n;
    const [top, below] = [sp - 1n, sp - 1n - n];
    const a = { ctx, hi: c.aHi, lo: c.aLo };
    const b = { ctx, hi: c.bHi, lo: c.bLo };
    return [
      ...step(c, act, { gas: gas - 3n }, { class: 0x90n, n }),
      ...take("STACK", { ...a, index: top, t: c.aOld }, act, now, c.aHigh),
      ...take("STACK", { ...b, index: below, t: c.bOld }, act, now, c.bHigh),
      give("STACK", { ...b, index: top, t: now + 1n }, act),
      give("STACK", { ...a, index: below, t: now + 1n }, act),
    ];
  },
});

/** Emits the row of SWAP`n`. */
export function assignSwap(m: Machine, n: number): void {
  const at = m.registers;
  const a = m.takeStack(1);
  const b = m.takeStack(1 + n);
  m.giveStack(at.sp - 1n, b.value);
  m.giveStack(at.sp - 1n - BigInt(n), a.value);
  m.emit(swap, {
    ...{ ...at, n: BigInt(n), act: 1n },
    ...{ aHi: a.hi, aLo: a.lo, aOld: a.tOld, aHigh: a.high },
    ...{ bHi: b.hi, bLo: b.lo, bOld: b.tOld, bHigh: b.high },
  });
  m.advance({ gas: at.gas - 3n });
}
