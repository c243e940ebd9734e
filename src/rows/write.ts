/**
 * A word that a chain writes to memory: see `circuits/rows/write.circom`. Emitted by `assignWrite` in `copy.ts`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { give, isZero, rowTemplate, take } from "./row.js";

export const write = rowTemplate({
  name: "write",
  columns: [
    ...(["t", "ctx", "r", "end", "e", "j", "i", "carryHi", "carryLo"] as const),
    ...(["hi", "lo", "headHi", "headLo", "tailHi", "tailLo"] as const),
    ...(["wasHi", "wasLo", "topHi", "topLo", "keptHi", "keptLo", "wordOld", "wordHigh"] as const),
    ...(["has", "act"] as const),
  ],
  messages(c) {
    const { t, ctx, r, end, e, j, i, carryHi, carryLo, hi, lo, headHi, headLo, tailHi, tailLo, wasHi, wasLo, act } = c;
    const aligned = isZero(r);
    const first = isZero(i) * (1n - aligned);
    const last = isZero(end - i - 1n);
    const now = t + 1n + 3n * act;
    const token = { t, ctx, shift: r, end, e };
    const was = { hi: wasHi, lo: wasLo };
    const written = {
      hi: carryHi + headHi + c.topHi + wasHi - c.keptHi,
      lo: carryLo + headLo + c.topLo + wasLo - c.keptLo,
    };
    return [
      received(message("WRITE", { ...token, j, i, carryHi, carryLo }, act)),
      message("WRITE", { ...token, j: j + 1n, i: i + 1n, carryHi: tailHi, carryLo: tailLo }, act),
      received(message("BUFFER", { t, i, hi, lo }, c.has)),
      message("SHIFT", { m: 32n - r, hi, lo, headHi, headLo, tailHi, tailLo }, 1n - aligned),
      message("CUT", { m: r, ...was, topHi: c.topHi, topLo: c.topLo }, first),
      message("CUT", { m: e, ...was, topHi: c.keptHi, topLo: c.keptLo }, last),
      ...take("MEMORY", { t: c.wordOld, ctx, index: j, ...was }, act, now, c.wordHigh),
      give("MEMORY", { t: now, ctx, index: j, ...written }, act),
    ];
  },
});
