/**
 * ADD, SUB: see `circuits/rows/add.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, inRange, REGISTERS, rowTemplate, step, take } from "./row.js";
import { fromLimbs, LIMBS, limbColumns, limbsIn, limbsOf, WORD } from "./words.js";

export const add = rowTemplate({
  name: "add",
  columns: [
    ...REGISTERS,
    ...(["aHi", "aLo", "aOld", "aHigh", "bHi", "bLo", "bOld", "bHigh"] as const),
    ...limbColumns("c", LIMBS),
    ...(["carry0", "carry1", "isSub", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, act } = c;
    const now = 16n * clk + 1n;
    const limbs = limbsIn(c, "c", LIMBS);
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 3n }, { class: 1n + 2n * c.isSub }),
      ...take("STACK", { t: c.aOld, ctx, index: sp - 1n, hi: c.aHi, lo: c.aLo }, act, now, c.aHigh),
      ...take("STACK", { t: c.bOld, ctx, index: sp - 2n, hi: c.bHi, lo: c.bLo }, act, now, c.bHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, ...fromLimbs(limbs) }, act),
      ...limbs.map((limb) => inRange(16, limb)),
    ];
  },
});

/** Emits the row of ADD, or of SUB. */
export function assignAdd(m: Machine, isSub: boolean): void {
  const at = m.registers;
  const a = m.takeStack(1);
  const b = m.takeStack(2);
  const result = (isSub ? a.value - b.value : a.value + b.value) & (WORD - 1n);
  const c = m.giveStack(at.sp - 2n, result);
  // the sum of the two that are added: a + b, or c + b
  const [x, of] = isSub ? [c, a] : [a, c];
  const carry0 = (x.lo + b.lo - of.lo) >> 128n;
  const carry1 = (x.hi + b.hi + carry0 - of.hi) >> 128n;
  m.emit(add, {
    ...at,
    ...{ aHi: a.hi, aLo: a.lo, aOld: a.tOld, aHigh: a.high },
    ...{ bHi: b.hi, bLo: b.lo, bOld: b.tOld, bHigh: b.high },
    ...limbsOf("c", result, LIMBS),
    ...{ carry0, carry1, isSub: isSub ? 1n : 0n, act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 3n });
}
