/**
 * Provider of SHIFT: see `circuits/rows/shiftword.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { BYTES, bytes, bytesOf, ofWords, type Provided, type Request, split, splitColumns, splitOf } from "./bytes.js";
import { rowTemplate } from "./row.js";

export const shiftword = rowTemplate({
  name: "shiftword",
  columns: [...BYTES, "hi", "lo", ...splitColumns("a", "r"), ...splitColumns("c", "s"), "mult"],
  messages(c) {
    const { m, w, P, hi, lo, mult } = c;
    const upper = split(c, { head: "a", rest: "r" }, hi, P);
    const lower = split(c, { head: "c", rest: "s" }, lo, P);
    const [first, middle, last] = [upper.first, upper.others + lower.first, lower.others];
    const up = w * first;
    return [
      ...bytes(c),
      ...upper.ranges,
      ...lower.ranges,
      message(
        "SHIFT",
        {
          ...{ m, hi, lo, headHi: up, headLo: first + w * (middle - first) },
          ...{ tailHi: middle + w * (last - middle), tailLo: last - w * last },
        },
        -mult,
      ),
    ];
  },
});

/** The rows that answer requests to SHIFT: one for each word and number of bytes. */
export const shiftwordProvider = {
  tag: "SHIFT",
  /** @param requests what was asked for, by coordinates, and how often. One that no word answers is left out. */
  rows(requests: Iterable<Request>): readonly Provided[] {
    return ofWords(requests).map(({ m, hi, lo, count }) => {
      const number = bytesOf(m);
      const columns: Readonly<Record<string, bigint>> = {
        ...{ ...number, hi, lo, mult: count },
        ...splitOf("a", "r", hi, number.P),
        ...splitOf("c", "s", lo, number.P),
      };
      return { template: shiftword, columns: shiftword.columns.map((name) => columns[name]!) };
    });
  },
} as const;
