/**
 * EXP: see `circuits/rows/exp.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import type { Machine } from "./machine.js";
import { assignPower, type PowerToken } from "./power.js";
import { give, inRange, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { halvesOf } from "./words.js";

export const exp = rowTemplate({
  name: "exp",
  columns: [
    ...REGISTERS,
    ...(["baseHi", "baseLo", "baseOld", "baseHigh", "eHi", "eLo", "eOld", "eHigh"] as const),
    ...(["squareHi", "squareLo", "i", "resultHi", "resultLo", "m", "p", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, baseHi, baseLo, eHi, eLo, squareHi, squareLo, i, resultHi, resultLo, m, p, act } = c;
    const now = 16n * clk + 1n;
    const small = isZero(eHi);
    const x = eHi + small * (eLo - eHi);
    const some = act * (1n - isZero(x));
    const bytes = 16n * (1n - small) + m + some;
    const begin = { squareHi: baseHi, squareLo: baseLo, i: 0n, accHi: 0n, accLo: 1n, eHi: 0n, eLo: 0n };
    const end = { squareHi, squareLo, i, accHi: resultHi, accLo: resultLo, eHi, eLo };
    return [
      ...step(c, act, { sp: sp - 1n, gas: gas - 10n - 50n * bytes }, { class: 0x0an }),
      ...take("STACK", { t: c.baseOld, ctx, index: sp - 1n, hi: baseHi, lo: baseLo }, act, now, c.baseHigh),
      ...take("STACK", { t: c.eOld, ctx, index: sp - 2n, hi: eHi, lo: eLo }, act, now, c.eHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 2n, hi: resultHi, lo: resultLo }, act),
      inRange(4, m),
      give("POW2", { s: 8n * m, hi: 0n, lo: p }, some),
      give("WIDE", { value: x - p }, some),
      give("WIDE", { value: 256n * p - 1n - x }, some),
      message("EXPCHAIN", { t: 16n * clk, ...begin }, act),
      received(message("EXPCHAIN", { t: 16n * clk, ...end }, act)),
    ];
  },
});

/** Bytes of a number: 0 for 0. */
const bytesOf = (x: bigint): bigint => BigInt(Math.ceil((x === 0n ? 0 : x.toString(2).length) / 8));

/** Emits the row of EXP, and a row for every product: one for each bit of the exponent but the lowest, one for each 1. */
export function assignExp(m: Machine): void {
  const at = m.registers;
  const [base, e] = [m.takeStack(1), m.takeStack(2)];
  let token: PowerToken = { t: 16n * at.clk, square: base.value, i: 0n, acc: 1n, e: 0n };
  for (let left = e.value; left > 0n; left >>= 1n) {
    if (left & 1n) token = assignPower(m, token, true);
    if (left > 1n) token = assignPower(m, token, false);
  }
  const [square, bytes] = [halvesOf(token.square), bytesOf(e.value)];
  const result = m.giveStack(at.sp - 2n, token.acc);
  // bytes below the highest in its half
  const lower = bytes === 0n ? 0n : (bytes - 1n) % 16n;
  m.emit(exp, {
    ...at,
    ...{ baseHi: base.hi, baseLo: base.lo, baseOld: base.tOld, baseHigh: base.high },
    ...{ eHi: e.hi, eLo: e.lo, eOld: e.tOld, eHigh: e.high },
    ...{ squareHi: square.hi, squareLo: square.lo, i: token.i, resultHi: result.hi, resultLo: result.lo },
    ...{ m: lower, p: bytes === 0n ? 0n : 1n << (8n * lower), act: 1n },
  });
  m.advance({ sp: at.sp - 1n, gas: at.gas - 10n - 50n * bytes });
}
