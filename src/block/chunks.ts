/**
 * Chunks: layouts filled with the rows of a block, padding where rows ran out.
 *
 * @module
 */

import type { Layout } from "../circuits/sources.js";
import { rowsOf } from "../circuits/sources.js";
import { template } from "../rows/index.js";
import type { Rows } from "../rows/machine.js";
import { Counter } from "./lookups.js";

/** A filled layout. */
export interface Chunk {
  readonly layout: Layout;
  /** Committed columns in the order of the circuit's public signals. */
  readonly columns: readonly bigint[];
  /** Rows that hold something, in the circuit's order: which template, which of the block's rows. */
  readonly rows: readonly { readonly row: string; readonly first: number; readonly count: number }[];
}

/**
 * Fills layouts with rows, and counts what they ask of lookup tables.
 *
 * @param layouts that cover the rows, see `planChunks`.
 */
export function fillChunks(rows: Rows, layouts: readonly Layout[]): { chunks: Chunk[]; counter: Counter } {
  const next = new Map<string, number>();
  const counter = new Counter();
  const chunks = layouts.map((layout): Chunk => {
    const columns: bigint[] = [];
    const held: { row: string; first: number; count: number }[] = [];
    for (const { row, count } of rowsOf(layout)) {
      const of = template(row);
      const all = rows.get(row)?.columns ?? [];
      const first = next.get(row) ?? 0;
      const taken = all.slice(first, first + count);
      next.set(row, first + taken.length);
      for (const cells of taken) {
        counter.add(of, cells);
        columns.push(...cells);
      }
      const padding = count - taken.length;
      if (padding > 0) {
        const zeros = of.columns.map(() => 0n);
        counter.add(of, zeros, BigInt(padding));
        for (let i = 0; i < padding; i++) columns.push(...zeros);
      }
      if (taken.length > 0) held.push({ row, first, count: taken.length });
    }
    return { layout, columns, rows: held };
  });
  return { chunks, counter };
}
