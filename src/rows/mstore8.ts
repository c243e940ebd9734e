/**
 * MSTORE8: see `circuits/rows/mstore8.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { FR_MODULUS } from "../verifier/fq2.js";
import { topOf } from "./bytes.js";
import type { Machine } from "./machine.js";
import { assignUnaligned, rewrite, unaligned } from "./memory.js";
import { inRange, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { halvesOf } from "./words.js";

/** 1/256 in fr: r = 1 mod 256. */
const INVERSE_256 = FR_MODULUS - (FR_MODULUS - 1n) / 256n;

export const mstore8 = rowTemplate({
  name: "mstore8",
  columns: [
    ...REGISTERS,
    ...(["i", "r", "offsetOld", "offsetHigh"] as const),
    ...(["hi", "lo", "valueOld", "valueHigh", "byte"] as const),
    ...(["wasHi", "wasLo", "wordOld", "wordHigh"] as const),
    ...(["topHi", "topLo", "keptHi", "keptLo", "powerHi", "powerLo"] as const),
    ...(["words", "cost0", "cost1", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, i, r, hi, lo, byte, wasHi, wasLo, words, cost0, cost1, act } = c;
    const { topHi, topLo, keptHi, keptLo, powerHi, powerLo } = c;
    const was = { hi: wasHi, lo: wasLo };
    const after = { hi: topHi + byte * powerHi + wasHi - keptHi, lo: topLo + byte * powerLo + wasLo - keptLo };
    return [
      ...unaligned(c, act),
      ...step(c, act, { sp: sp - 2n, msize: words, gas: gas - 3n - cost1 + cost0 }, { class: 0x53n }),
      ...take("STACK", { t: c.valueOld, ctx, index: sp - 2n, hi, lo }, act, 16n * clk + 1n, c.valueHigh),
      inRange(8, byte),
      message("WIDE", { value: ((lo - byte) * INVERSE_256) % FR_MODULUS }, act),
      message("CUT", { m: r, ...was, topHi, topLo }, act * (1n - isZero(r))),
      message("CUT", { m: r + 1n, ...was, topHi: keptHi, topLo: keptLo }, act * (1n - isZero(31n - r))),
      message("POW2", { s: 248n - 8n * r, hi: powerHi, lo: powerLo }, act),
      ...rewrite(c, i, { before: was, after }, { tOld: c.wordOld, high: c.wordHigh }, act),
    ];
  },
});

/** Emits the row of MSTORE8. @throws RowError `MEMORY_SIZE` */
export function assignMstore8(m: Machine): void {
  const at = m.registers;
  const access = assignUnaligned(m, 1n);
  const { i, r } = access;
  const value = m.takeStack(2);
  const was = m.takeMemory(i);
  const byte = value.lo & 0xffn;
  const [top, kept] = [topOf(was.value, r), topOf(was.value, r + 1n)];
  const power = halvesOf(1n << (248n - 8n * r));
  const hi = top.hi + byte * power.hi + was.hi - kept.hi;
  m.giveMemory(i, (hi << 128n) + top.lo + byte * power.lo + was.lo - kept.lo);
  m.emit(mstore8, {
    ...{ ...at, ...access, act: 1n },
    ...{ hi: value.hi, lo: value.lo, valueOld: value.tOld, valueHigh: value.high, byte },
    ...{ wasHi: was.hi, wasLo: was.lo, wordOld: was.tOld, wordHigh: was.high },
    ...{ topHi: top.hi, topLo: top.lo, keptHi: kept.hi, keptLo: kept.lo, powerHi: power.hi, powerLo: power.lo },
  });
  m.advance({ sp: at.sp - 2n, msize: access.words, gas: at.gas - 3n - access.cost1 + access.cost0 });
}
