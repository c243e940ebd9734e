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
 * Fills layouts with rows.
 *
 * @param layouts that cover the rows, see `planChunks`.
 */
export function fillColumns(rows: Rows, layouts: readonly Layout[]): Chunk[] {
  const next = new Map<string, number>();
  return layouts.map((layout): Chunk => {
    const columns: bigint[] = [];
    const held: { row: string; first: number; count: number }[] = [];
    for (const { row, count } of rowsOf(layout)) {
      const all = rows.get(row)?.columns ?? [];
      const first = next.get(row) ?? 0;
      const end = Math.min(all.length, first + count);
      next.set(row, end);
      for (let i = first; i < end; i++) columns.push(...all[i]!);
      for (let cells = (count - (end - first)) * template(row).columns.length; cells > 0; cells--) columns.push(0n);
      if (end > first) held.push({ row, first, count: end - first });
    }
    return { layout, columns, rows: held };
  });
}

/** Counts what the rows of a chunk ask of lookup tables, padding included. */
export function countRequests(counter: Counter, rows: Rows, chunk: Chunk): void {
  const held = new Map(chunk.rows.map(({ row, first, count }) => [row, { first, count }]));
  for (const { row, count } of rowsOf(chunk.layout)) {
    const of = template(row);
    const { first, count: filled } = held.get(row) ?? { first: 0, count: 0 };
    for (let i = first; i < first + filled; i++) counter.add(of, rows.get(row)!.columns[i]!);
    const padding = count - filled;
    if (padding === 0) continue;
    const zeros = of.columns.map(() => 0n);
    counter.add(of, zeros, BigInt(padding));
  }
}

/** Both: {@link fillColumns} and {@link countRequests} of all chunks. */
export function fillChunks(rows: Rows, layouts: readonly Layout[]): { chunks: Chunk[]; counter: Counter } {
  const chunks = fillColumns(rows, layouts);
  const counter = new Counter();
  for (const chunk of chunks) countRequests(counter, rows, chunk);
  return { chunks, counter };
}
