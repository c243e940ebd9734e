/**
 * SHL, SHR: see `circuits/rows/shift.circom`.
 *
 * @module
 */

import { inLimbs, inRangeLimbs, over, QUARTER } from "./arith.js";
import type { Machine } from "./machine.js";
import { type Columns, give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, joinLimbs, LIMBS, limbColumns, limbsIn, limbsOf, WORD } from "./words.js";

/** Lower limbs of what goes over from one half to the next. */
const OVER_LIMBS = 3;

export const shift = rowTemplate({
  name: "shift",
  columns: [
    ...REGISTERS,
    ...(["sHi", "sLo", "sOld", "sHigh", "vHi", "vLo", "vOld", "vHigh"] as const),
    ...[...limbColumns("n", LIMBS), ...limbColumns("k", OVER_LIMBS), ...limbColumns("top", OVER_LIMBS)],
    ...(["m", "j0", "j1", "isRight", "isFar", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, sHi, sLo, m, isRight, isFar, act } = c;
    const now = 16n * clk + 1n;
    const limbs = limbsIn(c, "n", LIMBS);
    const n = [0, 4, 8, 12].map((i) => joinLimbs(limbs.slice(i, i + 4)));
    const k = over(c.vLo * m - n[0]! - QUARTER * n[1]!, HALF);
    const top = over(c.vHi * m + k - n[2]! - QUARTER * n[3]!, HALF);
    const e = exponent(c);
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 3n }, { class: 0x1bn + isRight }),
      ...take("STACK", { t: c.sOld, ctx, index: sp - 1n, hi: sHi, lo: sLo }, act, now, c.sHigh),
      ...take("STACK", { t: c.vOld, ctx, index: sp - 2n, hi: c.vHi, lo: c.vLo }, act, now, c.vHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, ...chosen([...n, top], c) }, act),
      ...inLimbs(limbs),
      ...inRangeLimbs(k, limbsIn(c, "k", OVER_LIMBS)),
      ...inRangeLimbs(top, limbsIn(c, "top", OVER_LIMBS)),
      give("POW2", { s: e, hi: sHi, lo: m }, act - isFar),
      give("RANGE_8", { value: 64n - e }, act - isFar),
      give("WIDE", { value: sLo - 256n * isZero(sHi) }, isFar),
    ];
  },
});

/** The multiplier is 2 to this. */
const exponent = ({ sLo, j0, j1, isRight }: Columns<"sLo" | "j0" | "j1" | "isRight">): bigint =>
  sLo + isRight * (256n - 2n * sLo) - 192n + 64n * (2n * j1 + j0);

/** Four of the product's five limbs, or zeros beyond them; polynomials, as in the circuit. */
function chosen(limbs: readonly bigint[], { j0, j1, isRight }: Columns<"j0" | "j1" | "isRight">) {
  const limb = (i: number) => limbs[i] ?? 0n;
  const pairAt = (i: number) => limb(i) + QUARTER * limb(i + 1);
  const pairs = [-3, -1, 1, 3, 5].map((i) => pairAt(i) + j0 * (pairAt(i + 1) - pairAt(i)));
  const moved = [0, 1, 2, 3].map((i) => pairs[i]! + j1 * (pairs[i + 1]! - pairs[i]!));
  const [none, low, middle, high] = moved as [bigint, bigint, bigint, bigint];
  return { lo: none + isRight * (middle - none), hi: low + isRight * (high - low) };
}

/** Emits the row of SHL, or of SHR. */
export function assignShift(m: Machine, opcode: "SHL" | "SHR"): void {
  const at = m.registers;
  const [s, v] = [m.takeStack(1), m.takeStack(2)];
  const isRight = opcode === "SHR" ? 1n : 0n;
  const far = s.value >= 256n;
  const g = far ? 3n : s.value / 64n;
  const j = isRight ? g : 3n - g;
  const columns = { sLo: s.lo, j0: j & 1n, j1: j >> 1n, isRight };
  const multiplier = far ? 0n : 1n << exponent(columns);
  const product = v.value * multiplier;
  m.giveStack(at.sp - 2n, far ? 0n : isRight ? v.value >> s.value : (v.value << s.value) & (WORD - 1n));
  m.emit(shift, {
    ...at,
    ...{ sHi: s.hi, sOld: s.tOld, sHigh: s.high },
    ...{ vHi: v.hi, vLo: v.lo, vOld: v.tOld, vHigh: v.high },
    ...limbsOf("n", product, LIMBS),
    ...limbsOf("k", (v.lo * multiplier) >> 128n, OVER_LIMBS),
    ...limbsOf("top", product >> 256n, OVER_LIMBS),
    ...{ ...columns, m: multiplier, isFar: far ? 1n : 0n, act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 3n });
}
