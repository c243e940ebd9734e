/**
 * One more word of memory: see `circuits/rows/expand.circom`. Emitted by `grow` in `memory.ts`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { give, rowTemplate } from "./row.js";

export const expand = rowTemplate({
  name: "expand",
  columns: ["t", "ctx", "end", "i", "act"],
  messages({ t, ctx, end, i, act }) {
    return [
      received(message("EXPAND", { t, ctx, end, i }, act)),
      message("EXPAND", { t, ctx, end, i: i + 1n }, act),
      give("MEMORY", { t, ctx, index: i, hi: 0n, lo: 0n }, act),
    ];
  },
});
