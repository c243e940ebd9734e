/**
 * One product in a power: see `circuits/rows/power.circom`. Emitted by `assignExp` in `exp.ts`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { CARRY_LIMBS, factorIn, factorOf, HALF_LIMBS, lowHalf, multiply, productOf, topLimb } from "./arith.js";
import type { Machine } from "./machine.js";
import { give, LOWER_LIMBS, rowTemplate } from "./row.js";
import { halvesOf, limbColumns, limbsIn, limbsOf } from "./words.js";

export const power = rowTemplate({
  name: "power",
  columns: [
    ...(["t", "i", "accHi", "accLo", "eHi", "eLo", "powHi", "powLo"] as const),
    ...[...limbColumns("s", HALF_LIMBS), "sHi" as const, ...limbColumns("x", LOWER_LIMBS)],
    ...[...limbColumns("c", HALF_LIMBS), "cHi" as const, ...limbColumns("k", CARRY_LIMBS)],
    ...(["overTop", "gapTop", "isMul", "act"] as const),
  ],
  messages(columns) {
    const { t, i, accHi, accLo, eHi, eLo, powHi, powLo, overTop, gapTop, isMul, act } = columns;
    const [s, c] = [factorIn(columns, "s"), factorIn(columns, "c")];
    const [sLo, cLo] = [lowHalf(s), lowHalf(c)];
    const [xHi, xLo] = [s.hi + isMul * (accHi - s.hi), sLo + isMul * (accLo - sLo)];
    const lower = limbsIn(columns, "x", LOWER_LIMBS);
    const x = { limbs: [...lower, topLimb(xLo, lower)], hi: xHi };
    // polynomials, as in the circuit, so that a forged flag is told as it is
    const before = { t, squareHi: s.hi, squareLo: sLo, i, accHi, accLo, eHi, eLo };
    const isSquare = 1n - isMul;
    const after = {
      t,
      ...{ squareHi: s.hi + isSquare * (c.hi - xHi), squareLo: sLo + isSquare * (cLo - xLo), i: i + isSquare },
      ...{ accHi: accHi + isMul * (c.hi - xHi), accLo: accLo + isMul * (cLo - xLo) },
      ...{ eHi: eHi + isMul * powHi, eLo: eLo + isMul * powLo },
    };
    return [
      received(message("EXPCHAIN", before, act)),
      message("EXPCHAIN", after, act),
      give("POW2", { s: i, hi: powHi, lo: powLo }, isMul),
      ...multiply(s, x, { c, k: limbsIn(columns, "k", CARRY_LIMBS), overTop, gapTop }, act),
    ];
  },
});

/** A token of the chain, in words. */
export interface PowerToken {
  readonly t: bigint;
  readonly square: bigint;
  readonly i: bigint;
  readonly acc: bigint;
  readonly e: bigint;
}

/** Emits the row that squares, or the one that multiplies, and says how the chain goes on. */
export function assignPower(m: Machine, token: PowerToken, isMul: boolean): PowerToken {
  const { t, square, i, acc, e } = token;
  const x = isMul ? acc : square;
  const { value, columns } = productOf(square, x);
  const bit = isMul ? 1n << i : 0n;
  const [accHalves, eHalves, powHalves] = [halvesOf(acc), halvesOf(e), halvesOf(bit)];
  m.emit(power, {
    ...{ t, i, accHi: accHalves.hi, accLo: accHalves.lo, eHi: eHalves.hi, eLo: eHalves.lo },
    ...{ powHi: powHalves.hi, powLo: powHalves.lo },
    ...{ ...factorOf("s", square), ...limbsOf("x", x, LOWER_LIMBS), ...factorOf("c", value) },
    ...{ ...columns, isMul: isMul ? 1n : 0n, act: 1n },
  });
  return isMul ? { ...token, acc: value, e: e + bit } : { ...token, square: value, i: i + 1n };
}
