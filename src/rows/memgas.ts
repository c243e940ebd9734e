/**
 * Provider of MEMGAS: see `circuits/rows/memgas.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { inRange, inRange32, type RowTemplate, rowTemplate } from "./row.js";

export const memgas = rowTemplate({
  name: "memgas",
  columns: ["w", "wHigh", "q", "qHigh", "mult"],
  messages({ w, wHigh, q, qHigh, mult }) {
    return [
      inRange(16, w - 65536n * wHigh),
      inRange(4, wHigh),
      ...inRange32(q, qHigh),
      inRange(9, w * w - 512n * q),
      message("MEMGAS", { cost: 3n * w + q, w }, -mult),
    ];
  },
});

/**
 * The rows that answer requests to MEMGAS: one for each number of words.
 *
 * @param requests how often each number of words, below 2^20, was asked for.
 */
export function memgasRows(
  requests: ReadonlyMap<bigint, bigint>,
): { readonly template: RowTemplate; readonly columns: readonly bigint[] }[] {
  return [...requests].map(([w, mult]) => {
    const q = w ** 2n / 512n;
    return { template: memgas, columns: [w, w >> 16n, q, q >> 16n, mult] };
  });
}

/** Answers whoever asks for MEMGAS. */
export const memgasProvider = {
  tag: "MEMGAS",
  rows(requests: readonly { readonly coordinates: readonly bigint[]; readonly count: bigint }[]) {
    const words = new Map<bigint, bigint>();
    for (const { coordinates, count } of requests) {
      const w = coordinates[8]!;
      words.set(w, (words.get(w) ?? 0n) + count);
    }
    return memgasRows(words);
  },
} as const;
