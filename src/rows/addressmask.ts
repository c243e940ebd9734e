/**
 * AND with 2^160 − 1: see `circuits/rows/addressmask.circom`.
 *
 * @module
 */

import { FR_MODULUS } from "../verifier/fq2.js";
import { assignBitwise } from "./bitwise.js";
import { RowError } from "./errors.js";
import type { Machine } from "./machine.js";
import { give, inRange32, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF } from "./words.js";

/** What makes an address of a word. */
export const ADDRESS_MASK: bigint = (1n << 160n) - 1n;

/** Bits of an address in the high half of a word. */
const HIGH_BITS = 32n;
const HIGH = (1n << HIGH_BITS) - 1n;

const ONE_HALF = (FR_MODULUS + 1n) / 2n;
/** 2^-32. */
const TO_ABOVE = Array.from({ length: Number(HIGH_BITS) }).reduce((x: bigint) => (x * ONE_HALF) % FR_MODULUS, 1n);

export const addressmask = rowTemplate({
  name: "addressmask",
  columns: [
    ...REGISTERS,
    ...(["xHi", "xLo", "xOld", "xHigh", "l", "lHigh", "maskOld", "maskHigh", "isSecond", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, xHi, xLo, l, isSecond, act } = c;
    const now = 16n * clk + 1n;
    const mask = { t: c.maskOld, ctx, index: sp - 2n + isSecond, hi: HIGH, lo: HALF - 1n };
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 3n }, { class: 0x16n }),
      ...take("STACK", { t: c.xOld, ctx, index: sp - 1n - isSecond, hi: xHi, lo: xLo }, act, now, c.xHigh),
      ...take("STACK", mask, act, now, c.maskHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, hi: l, lo: xLo }, act),
      ...inRange32(l, c.lHigh),
      give("WIDE", { value: ((((xHi - l) * TO_ABOVE) % FR_MODULUS) + FR_MODULUS) % FR_MODULUS }, act),
    ];
  },
});

/** Emits the row of AND with a mask on top of the stack or right below. @throws RowError `ADDRESS_MASK` */
export function assignAddressmask(m: Machine): void {
  const at = m.registers;
  const [first, second] = [m.takeStack(1), m.takeStack(2)];
  const isSecond = first.value === ADDRESS_MASK && second.value !== ADDRESS_MASK;
  const [x, mask] = isSecond ? [second, first] : [first, second];
  if (mask.value !== ADDRESS_MASK) {
    throw new RowError("neither of the two is the mask", {
      code: "ADDRESS_MASK",
      where: `pc ${at.pc}`,
      expected: `${ADDRESS_MASK}`,
      got: `${first.value}, ${second.value}`,
    });
  }
  m.giveStack(at.sp - 2n, x.value & ADDRESS_MASK);
  const l = x.hi & HIGH;
  m.emit(addressmask, {
    ...at,
    ...{ xHi: x.hi, xLo: x.lo, xOld: x.tOld, xHigh: x.high, l, lHigh: l >> 16n },
    ...{ maskOld: mask.tOld, maskHigh: mask.high, isSecond: isSecond ? 1n : 0n, act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 3n });
}

/** Emits the cheapest row of AND. */
export function assignAnd(m: Machine): void {
  const { ctx, sp } = m.registers;
  const masked = [1n, 2n].some((depth) => {
    const { hi, lo } = m.peek("STACK", `${ctx}:${sp - depth}`);
    return hi === HIGH && lo === HALF - 1n;
  });
  if (masked) assignAddressmask(m);
  else assignBitwise(m, "and");
}
