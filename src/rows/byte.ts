/**
 * BYTE, SIGNEXTEND: see `circuits/rows/byte.circom`.
 *
 * @module
 */

import type { Message } from "../verifier/bus.js";
import { FR_MODULUS } from "../verifier/fq2.js";
import type { Machine } from "./machine.js";
import { give, inRange, inRange128, LOWER_LIMBS, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, joinLimbs, limbColumns, limbsIn, limbsOf } from "./words.js";

const BYTES = 32n;
/** Bytes of half a word. */
const HALF_BYTES = 16n;

const inField = (x: bigint): bigint => ((x % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;
/** 2^-n in the field. */
const inversePower = (n: number): bigint =>
  Array.from({ length: n }).reduce((x: bigint) => (x * ((FR_MODULUS + 1n) / 2n)) % FR_MODULUS, 1n);
const TO_HIGHEST = inversePower(16 * LOWER_LIMBS);
const TO_TOP = inversePower(8);

export const byte = rowTemplate({
  name: "byte",
  columns: [
    ...REGISTERS,
    ...(["iHi", "iLo", "iOld", "iHigh", "xHi", "xLo", "xOld", "xHigh"] as const),
    ...limbColumns("h", LOWER_LIMBS),
    ...limbColumns("s", LOWER_LIMBS),
    ...(["low", "sign", "excess", "isByte", "isOut", "isHigh", "isOdd", "act"] as const),
  ],
  messages(c): Message[] {
    const { clk, ctx, sp, gas, iHi, iLo, xHi, xLo, low, sign, excess, isByte, isOut, isHigh, isOdd, act } = c;
    const now = 16n * clk + 1n;
    const half = xLo + isHigh * (xHi - xLo);
    const lower = limbsIn(c, "h", LOWER_LIMBS);
    const s = limbsIn(c, "s", LOWER_LIMBS);
    const chosen = [...s, s.reduce((left, x) => left - x, act - isOut)];
    const highest = inField((half - joinLimbs(lower)) * TO_HIGHEST);
    let [limb, below, weight, under] = [0n, 0n, 0n, 0n];
    for (const [i, h] of [...lower, highest].entries()) {
      limb += chosen[i]! * h;
      below += chosen[i]! * under;
      weight += chosen[i]! << BigInt(16 * i);
      under += h << BigInt(16 * i);
    }
    const top = inField((limb - low) * TO_TOP);
    const chosenByte = low + isOdd * (top - low);
    const r = below + weight * (low + isOdd * 256n * top - sign * (256n + isOdd * 65280n)) + sign * HALF;
    const isLow = act - isOut - isHigh;
    const hi = xHi + isLow * (sign * (HALF - 1n) - xHi) + isHigh * (r - xHi);
    const lo = xLo + isLow * (r - xLo);
    const result = { hi: hi - isByte * hi, lo: lo + isByte * (chosenByte - lo) };
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 5n + 2n * isByte }, { class: 0x0bn + 15n * isByte }),
      ...take("STACK", { t: c.iOld, ctx, index: sp - 1n, hi: iHi, lo: iLo }, act, now, c.iHigh),
      ...take("STACK", { t: c.xOld, ctx, index: sp - 2n, hi: xHi, lo: xLo }, act, now, c.xHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, ...result }, act),
      ...inRange128(half, lower),
      give("WIDE", { value: iLo + 32n * iHi - 32n - HALF * excess }, isOut),
      inRange(9, excess),
      inRange(8, low),
      inRange(8, top),
      inRange(8, 2n * (chosenByte - 128n * sign)),
    ];
  },
});

/** Emits the row of BYTE, or of SIGNEXTEND. */
export function assignByte(m: Machine, isByte: boolean): void {
  const at = m.registers;
  const [i, x] = [m.takeStack(1), m.takeStack(2)];
  const isOut = i.value >= BYTES;
  // bytes under the one that is meant
  const k = isOut ? 0n : isByte ? BYTES - 1n - i.value : i.value;
  const isHigh = k >= HALF_BYTES;
  const half = isHigh ? x.hi : x.lo;
  const l = isOut ? -1n : (k % HALF_BYTES) / 2n;
  const limb = isOut ? 0n : (half >> (16n * l)) & 0xffffn;
  const chosen = isOut ? 0n : (x.value >> (8n * k)) & 0xffn;
  const extended = BigInt.asUintN(256, BigInt.asIntN(Number(8n * (k + 1n)), x.value));
  m.giveStack(at.sp - 2n, isByte ? chosen : isOut ? x.value : extended);
  m.emit(byte, {
    ...at,
    ...{ iHi: i.hi, iLo: i.lo, iOld: i.tOld, iHigh: i.high, xHi: x.hi, xLo: x.lo, xOld: x.tOld, xHigh: x.high },
    ...limbsOf("h", half, LOWER_LIMBS),
    // one of them is 1, or the highest, which is no column
    ...limbsOf("s", l < 0n ? 0n : 1n << (16n * l), LOWER_LIMBS),
    ...{ low: limb & 0xffn, sign: chosen >> 7n, excess: isOut ? (i.lo + 32n * i.hi - 32n) >> 128n : 0n },
    ...{ isByte: isByte ? 1n : 0n, isOut: isOut ? 1n : 0n, isHigh: isHigh ? 1n : 0n, isOdd: k % 2n, act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - (isByte ? 3n : 5n) });
}
