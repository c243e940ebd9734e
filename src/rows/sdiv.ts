/**
 * SDIV, SMOD: see `circuits/rows/sdiv.circom`.
 *
 * @module
 */

import { CARRY_LIMBS, divide, factorIn, HALF_LIMBS, inRangeWide, quotientOf } from "./arith.js";
import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, limbColumns, limbsIn, WORD } from "./words.js";

export const sdiv = rowTemplate({
  name: "sdiv",
  columns: [
    ...REGISTERS,
    ...(["aHi", "aLo", "aOld", "aHigh", "nHi", "nLo", "nOld", "nHigh"] as const),
    ...[...limbColumns("q", HALF_LIMBS), "qHi" as const, ...limbColumns("u", HALF_LIMBS)],
    ...[...limbColumns("w", HALF_LIMBS - 1), ...limbColumns("k", CARRY_LIMBS)],
    ...(["carry", "signA", "signN", "isMod", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, aHi, aLo, nHi, nLo, carry, signA, signN, isMod, act } = c;
    const now = 16n * clk + 1n;
    const zero = isZero(nHi + nLo + 1n - act);
    const sizeLo = aLo - 2n * signA * aLo;
    const { messages, q, u } = divide(
      {
        ...{ a: sizeLo + HALF * (aHi + signA * (HALF - 2n * aHi)), aLo: sizeLo },
        dLo: nLo + signN * (HALF - 2n * nLo) + HALF * carry,
        dHi: nHi + signN * (HALF - 1n - 2n * nHi) + HALF * zero - carry,
        ...{ q: factorIn(c, "q"), u: limbsIn(c, "u", HALF_LIMBS) },
        ...{ w: limbsIn(c, "w", HALF_LIMBS - 1), k: limbsIn(c, "k", CARRY_LIMBS) },
      },
      act,
    );
    const rest = isMod * (1n - zero);
    const [hi, lo] = [q.hi + rest * (u.hi - q.hi), q.lo + rest * (u.lo - q.lo)];
    const differ = signA + signN - 2n * signA * signN;
    const negative = differ + isMod * (signA - differ);
    const [below, some] = [1n - isZero(lo), 1n - isZero(hi + lo)];
    const result = {
      hi: hi + negative * (HALF * some - below - 2n * hi),
      lo: lo + negative * (HALF * below - 2n * lo),
    };
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 5n }, { class: 5n + 2n * isMod }),
      ...take("STACK", { t: c.aOld, ctx, index: sp - 1n, hi: aHi, lo: aLo }, act, now, c.aHigh),
      ...take("STACK", { t: c.nOld, ctx, index: sp - 2n, hi: nHi, lo: nLo }, act, now, c.nHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, ...result }, act),
      inRangeWide(2n * aHi - HALF * signA, act),
      inRangeWide(2n * nHi - HALF * signN, act),
      ...messages,
    ];
  },
});

/** Emits the row of SDIV, or of SMOD. */
export function assignSdiv(m: Machine, isMod: boolean): void {
  const at = m.registers;
  const [a, n] = [m.takeStack(1), m.takeStack(2)];
  const [signA, signN] = [a.hi >> 127n, n.hi >> 127n];
  const size = signA ? WORD - a.value : a.value;
  const divisor = n.value === 0n || signN ? WORD - n.value : n.value;
  // modulo 2^128, not brought below it
  const low = { aLo: signA ? -a.lo : a.lo, dLo: signN ? HALF - n.lo : n.lo };
  const { q, u, carry, columns } = quotientOf(size, divisor, low);
  const [x, negative] = isMod && n.value !== 0n ? [u, signA] : [q, signA ^ signN];
  m.giveStack(at.sp - 2n, BigInt.asUintN(256, negative ? -x : x));
  m.emit(sdiv, {
    ...at,
    ...{ aHi: a.hi, aLo: a.lo, aOld: a.tOld, aHigh: a.high },
    ...{ nHi: n.hi, nLo: n.lo, nOld: n.tOld, nHigh: n.high },
    ...{ ...columns, carry, signA, signN, isMod: isMod ? 1n : 0n, act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 5n });
}
