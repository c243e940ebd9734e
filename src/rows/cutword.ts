/**
 * Provider of CUT: see `circuits/rows/cutword.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { BYTES, bytes, bytesOf, ofWords, type Provided, type Request, split, splitColumns, splitOf } from "./bytes.js";
import { rowTemplate } from "./row.js";
import { HALF } from "./words.js";

export const cutword = rowTemplate({
  name: "cutword",
  columns: [...BYTES, "hi", "lo", "kept", ...splitColumns("a", "r"), "mult"],
  messages(c) {
    const { m, w, P, hi, lo, kept, mult } = c;
    const { ranges } = split(c, { head: "a", rest: "r" }, hi + w * (lo - hi), P);
    const top = { topHi: kept + w * (hi - kept), topLo: w * kept };
    return [...bytes(c), ...ranges, message("CUT", { m, hi, lo, ...top }, -mult)];
  },
});

/** The rows that answer requests to CUT: one for each word and number of bytes. */
export const cutwordProvider = {
  tag: "CUT",
  /** @param requests what was asked for, by coordinates, and how often. One that no word answers is left out. */
  rows(requests: Iterable<Request>): readonly Provided[] {
    return ofWords(requests).map(({ m, hi, lo, count }) => {
      const number = bytesOf(m);
      const half = number.w === 0n ? hi : lo;
      const kept = ((half * number.P) / HALF) * (HALF / number.P);
      const columns: Readonly<Record<string, bigint>> = {
        ...{ ...number, hi, lo, kept, mult: count },
        ...splitOf("a", "r", half, number.P),
      };
      return { template: cutword, columns: cutword.columns.map((name) => columns[name]!) };
    });
  },
} as const;
