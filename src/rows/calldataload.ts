/**
 * CALLDATALOAD in root frames: see `circuits/rows/calldataload.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { FIELD_CALLDATASIZE, offsetOf, wordAt } from "./copy.js";
import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { halvesOf } from "./words.js";

export const calldataload = rowTemplate({
  name: "calldataload",
  columns: [
    ...REGISTERS,
    ...(["offsetHi", "offsetLo", "offsetOld", "offsetHigh"] as const),
    ...(["len", "hi", "lo", "inside", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, offsetHi, offsetLo, len, hi, lo, inside, act } = c;
    const now = 16n * clk + 1n;
    const short = (act - inside) * isZero(offsetHi);
    const offset = { t: c.offsetOld, ctx, index: sp - 1n, hi: offsetHi, lo: offsetLo };
    return [
      ...step(c, act, { gas: gas - 3n }, { class: 0x35n }),
      message("CALLDATA", { ctx, offset: offsetOf(offsetHi, offsetLo), hi, lo }, inside),
      message("CTX", { ctx, hi: 0n, lo: len, field: FIELD_CALLDATASIZE }, short),
      message("WIDE", { value: offsetLo - len }, short),
      ...take("STACK", offset, act, now, c.offsetHigh),
      give("STACK", { t: now + 1n, ctx, index: sp - 1n, hi, lo }, act),
    ];
  },
});

/** Emits the row of CALLDATALOAD. */
export function assignCalldataload(m: Machine, calldata: Uint8Array): void {
  const at = m.registers;
  const { hi: offsetHi, lo: offsetLo, value, tOld: offsetOld, high: offsetHigh } = m.takeStack(1);
  const len = BigInt(calldata.length);
  const inside = value < len;
  const word = inside ? wordAt(calldata, Number(value)) : 0n;
  m.giveStack(at.sp - 1n, word);
  const flags = { inside: inside ? 1n : 0n, act: 1n };
  m.emit(calldataload, { ...at, offsetHi, offsetLo, offsetOld, offsetHigh, len, ...halvesOf(word), ...flags });
  m.advance({ gas: at.gas - 3n });
}
