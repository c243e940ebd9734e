/**
 * Counts what rows ask of lookup tables, from the messages of every row, padding included.
 *
 * @module
 */

import { messagesOf, type Rows } from "../rows/machine.js";
import { memgasRows } from "../rows/memgas.js";
import type { RowTemplate } from "../rows/row.js";
import type { LookupClaims } from "../verifier/claims.js";
import { TAGS, type TagName } from "../verifier/tags.generated.js";

/** Requests of one tag: number of each message, by its coordinates. */
type Requests = Map<string, { readonly coordinates: readonly bigint[]; count: bigint }>;

/** Requests by tag. */
export class Counter {
  readonly #requests = new Map<TagName, Requests>();

  /** Adds the requests of `times` rows with these columns. */
  add(template: RowTemplate, columns: readonly bigint[], times = 1n): void {
    for (const { tag, coordinates, multiplicity } of messagesOf(template, columns)) {
      if (TAGS[tag].type !== "L" || multiplicity <= 0n) continue;
      let requests = this.#requests.get(tag);
      if (requests === undefined) {
        requests = new Map();
        this.#requests.set(tag, requests);
      }
      const key = coordinates.join();
      const entry = requests.get(key);
      if (entry === undefined) requests.set(key, { coordinates, count: times * multiplicity });
      else entry.count += times * multiplicity;
    }
  }

  /** What was asked of a tag. */
  of(tag: TagName): { readonly coordinates: readonly bigint[]; readonly count: bigint }[] {
    return [...(this.#requests.get(tag)?.values() ?? [])];
  }
}

/** Adds the rows that provide what other rows look up in circuits: MEMGAS. */
export function addProviders(rows: Rows): void {
  const counter = new Counter();
  for (const { template, columns } of rows.values()) for (const row of columns) counter.add(template, row);
  const requests = new Map(counter.of("MEMGAS").map(({ coordinates, count }) => [coordinates[8]!, count]));
  if (requests.size === 0) return;
  for (const { template, columns } of memgasRows(requests)) {
    const entry = rows.get(template.name);
    if (entry === undefined) rows.set(template.name, { template, columns: [[...columns]] });
    else entry.columns.push([...columns]);
  }
}

const ascending = (a: readonly bigint[], b: readonly bigint[]): number => {
  for (const [i, x] of a.entries()) if (x !== b[i]) return x < b[i]! ? -1 : 1;
  return 0;
};

/** What the verifier provides: the claims of a block's lookups. */
export function lookupClaims(counter: Counter): LookupClaims {
  /** Requests of a tag as [key..., multiplicity], ascending. */
  const list = (tag: TagName, at: readonly number[]): bigint[][] =>
    counter
      .of(tag)
      .map(({ coordinates, count }) => [...at.map((i) => coordinates[i]!), count])
      .sort(ascending);
  return {
    code: list("CODE", [2, 3]).map(([code, pc, multiplicity]) => ({
      code: code!,
      pc: pc!,
      multiplicity: multiplicity!,
    })),
    ctx: list("CTX", [1, 10]).map(([ctx, field, multiplicity]) => ({
      ctx: ctx!,
      field: field!,
      multiplicity: multiplicity!,
    })),
    txenv: list("TXENV", [1, 10]).map(([T, field, multiplicity]) => ({
      T: T!,
      field: field!,
      multiplicity: multiplicity!,
    })),
    env: list("ENV", [10]).map(([field, multiplicity]) => ({ field: field!, multiplicity: multiplicity! })),
    range: ([4, 5, 9, 10, 15, 16] as const).flatMap((bits) =>
      list(`RANGE_${bits}`, [0]).map(([value, multiplicity]) => ({
        bits: BigInt(bits),
        value: value!,
        multiplicity: multiplicity!,
      })),
    ),
  };
}
