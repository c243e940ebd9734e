/**
 * A word of calldata or code that a chain loads: see `circuits/rows/load.circom`. Emitted by `assignLoad` in `copy.ts`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { isZero, rowTemplate } from "./row.js";

export const load = rowTemplate({
  name: "load",
  columns: [
    ...(["t", "ctx", "code", "end", "length", "m", "o", "i"] as const),
    ...(["hi", "lo", "cutHi", "cutLo", "isData", "isCode", "act"] as const),
  ],
  messages({ t, ctx, code, end, length, m, o, i, hi, lo, cutHi, cutLo, isData, isCode, act }) {
    const token = { t, ctx, code, end, length, m };
    return [
      received(message("LOAD", { ...token, o, i }, act)),
      message("LOAD", { ...token, o: o + 32n, i: i + 1n }, act),
      message("CALLDATA", { ctx, offset: o, hi, lo }, isData),
      message("CODEWORD", { code, offset: o, hi, lo }, isCode),
      message("WIDE", { value: o - length }, act - isData - isCode),
      message("CUT", { m, hi, lo, topHi: cutHi, topLo: cutLo }, isZero(end - i - 1n)),
      message("BUFFER", { t, i, hi: cutHi, lo: cutLo }, act),
    ];
  },
});
