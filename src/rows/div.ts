/**
 * DIV, MOD: see `circuits/rows/div.circom`.
 *
 * @module
 */

import { CARRY_LIMBS, divide, factorIn, HALF_LIMBS, quotientOf } from "./arith.js";
import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, limbColumns, limbsIn, WORD } from "./words.js";

export const div = rowTemplate({
  name: "div",
  columns: [
    ...REGISTERS,
    ...(["aHi", "aLo", "aOld", "aHigh", "nHi", "nLo", "nOld", "nHigh"] as const),
    ...[...limbColumns("q", HALF_LIMBS), "qHi" as const, ...limbColumns("u", HALF_LIMBS)],
    ...[...limbColumns("w", HALF_LIMBS - 1), ...limbColumns("k", CARRY_LIMBS)],
    ...(["carry", "isMod", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, carry, isMod, act } = c;
    const now = 16n * clk + 1n;
    const zero = isZero(c.nHi + c.nLo + 1n - act);
    const { messages, q, u } = divide(
      {
        ...{ a: c.aLo + HALF * c.aHi, aLo: c.aLo },
        ...{ dLo: c.nLo + HALF * carry, dHi: c.nHi + HALF * zero - carry },
        ...{ q: factorIn(c, "q"), u: limbsIn(c, "u", HALF_LIMBS) },
        ...{ w: limbsIn(c, "w", HALF_LIMBS - 1), k: limbsIn(c, "k", CARRY_LIMBS) },
      },
      act,
    );
    const rest = isMod * (1n - zero);
    const result = { hi: q.hi + rest * (u.hi - q.hi), lo: q.lo + rest * (u.lo - q.lo) };
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 5n }, { class: 4n + 2n * isMod }),
      ...take("STACK", { t: c.aOld, ctx, index: sp - 1n, hi: c.aHi, lo: c.aLo }, act, now, c.aHigh),
      ...take("STACK", { t: c.nOld, ctx, index: sp - 2n, hi: c.nHi, lo: c.nLo }, act, now, c.nHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, ...result }, act),
      ...messages,
    ];
  },
});

/** Emits the row of DIV, or of MOD. */
export function assignDiv(m: Machine, isMod: boolean): void {
  const at = m.registers;
  const [a, n] = [m.takeStack(1), m.takeStack(2)];
  const { q, u, carry, columns } = quotientOf(a.value, n.value === 0n ? WORD : n.value, { aLo: a.lo, dLo: n.lo });
  m.giveStack(at.sp - 2n, isMod && n.value !== 0n ? u : q);
  m.emit(div, {
    ...at,
    ...{ aHi: a.hi, aLo: a.lo, aOld: a.tOld, aHigh: a.high },
    ...{ nHi: n.hi, nLo: n.lo, nOld: n.tOld, nHigh: n.high },
    ...{ ...columns, carry, isMod: isMod ? 1n : 0n, act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 5n });
}
