/**
 * SAR: see `circuits/rows/sar.circom`.
 *
 * @module
 */

import { inLimbs, inRangeLimbs, inRangeWide, over, QUARTER } from "./arith.js";
import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, halvesOf, joinLimbs, LIMBS, limbColumns, limbsIn, limbsOf, WORD } from "./words.js";

/** Lower limbs of what goes over from one half to the next. */
const OVER_LIMBS = 3;

/** The complement of half a word, if `sign` is 1. */
const complement = (half: bigint, sign: bigint): bigint => half + sign * (HALF - 1n - 2n * half);

export const sar = rowTemplate({
  name: "sar",
  columns: [
    ...REGISTERS,
    ...(["sHi", "sLo", "sOld", "sHigh", "vHi", "vLo", "vOld", "vHigh"] as const),
    ...[...limbColumns("n", LIMBS), ...limbColumns("k", OVER_LIMBS), ...limbColumns("top", OVER_LIMBS)],
    ...(["m", "g0", "g1", "sign", "isNear", "isFar"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, sHi, sLo, vHi, vLo, m, g0, g1, sign, isNear, isFar } = c;
    const act = isNear + isFar;
    const now = 16n * clk + 1n;
    const [wHi, wLo] = [complement(vHi, sign), complement(vLo, sign)];
    const limbs = limbsIn(c, "n", LIMBS);
    const [n0, n1, n2, n3] = [0, 4, 8, 12].map((i) => joinLimbs(limbs.slice(i, i + 4))) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    const k = over(wLo * m - n0 - QUARTER * n1, HALF);
    const n4 = over(wHi * m + k - n2 - QUARTER * n3, HALF);
    const first = n1 + QUARTER * n2 + g0 * (n2 - n1 + QUARTER * (n3 - n2));
    const second = n3 + QUARTER * n4 + g0 * (n4 - n3 - QUARTER * n4);
    const lo = complement(first + g1 * (second - first), sign);
    const hi = complement(second - g1 * second, sign);
    const e = 64n * (2n * g1 + g0 + 1n) - sLo;
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 3n }, { class: 0x1dn }),
      ...take("STACK", { t: c.sOld, ctx, index: sp - 1n, hi: sHi, lo: sLo }, act, now, c.sHigh),
      ...take("STACK", { t: c.vOld, ctx, index: sp - 2n, hi: vHi, lo: vLo }, act, now, c.vHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, hi, lo }, act),
      ...inLimbs(limbs),
      ...inRangeLimbs(k, limbsIn(c, "k", OVER_LIMBS)),
      ...inRangeLimbs(n4, limbsIn(c, "top", OVER_LIMBS)),
      give("POW2", { s: e, hi: sHi, lo: m }, isNear),
      give("RANGE_8", { value: 64n - e }, isNear),
      inRangeWide(sLo - 256n * isZero(sHi), isFar),
      inRangeWide(2n * wHi, act),
    ];
  },
});

/** Emits the row of SAR. */
export function assignSar(m: Machine): void {
  const at = m.registers;
  const [s, v] = [m.takeStack(1), m.takeStack(2)];
  const isFar = s.value >= 256n;
  const sign = v.value >> 255n;
  const shifted = halvesOf(sign === 1n ? WORD - 1n - v.value : v.value);
  const g = isFar ? 0n : s.value / 64n;
  const multiplier = isFar ? 0n : 1n << (64n * (g + 1n) - s.value);
  const product = ((shifted.hi << 128n) + shifted.lo) * multiplier;
  m.giveStack(at.sp - 2n, BigInt.asUintN(256, BigInt.asIntN(256, v.value) >> (isFar ? 256n : s.value)));
  m.emit(sar, {
    ...at,
    ...{ sHi: s.hi, sLo: s.lo, sOld: s.tOld, sHigh: s.high },
    ...{ vHi: v.hi, vLo: v.lo, vOld: v.tOld, vHigh: v.high },
    ...limbsOf("n", product, LIMBS),
    ...limbsOf("k", (shifted.lo * multiplier) >> 128n, OVER_LIMBS),
    ...limbsOf("top", product >> 256n, OVER_LIMBS),
    ...{ m: multiplier, g0: g & 1n, g1: g >> 1n, sign, isNear: isFar ? 0n : 1n, isFar: isFar ? 1n : 0n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 3n });
}
