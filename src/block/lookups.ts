/**
 * Counts what rows ask of lookup tables, from the messages of every row, padding included.
 *
 * @module
 */

import { messagesOf, type Rows } from "../rows/machine.js";
import { memgasRows } from "../rows/memgas.js";
import type { RowTemplate } from "../rows/row.js";
import type { LookupClaims } from "../verifier/claims.js";
import { COORDINATES, TAGS, type TagName } from "../verifier/tags.generated.js";

/** A message that was asked for, and how often. */
interface Request {
  readonly coordinates: readonly bigint[];
  count: bigint;
}

/** Values that most requests are about: those of RANGE_16. */
const SMALL = 2 ** 16;

/** Requests of one tag. Most are for one small number, and are counted in an array. */
class Requests {
  readonly #at: readonly number[];
  readonly #small: Float64Array | undefined;
  readonly #others = new Map<string, Request>();

  constructor(tag: TagName) {
    this.#at = TAGS[tag].fields.map(([, at]) => at);
    if (this.#at.length === 1) this.#small = new Float64Array(SMALL);
  }

  add(coordinates: readonly bigint[], times: bigint): void {
    const value = coordinates[this.#at[0]!]!;
    if (this.#small !== undefined && value >= 0n && value < SMALL) {
      this.#small[Number(value)]! += Number(times);
      return;
    }
    let key = "";
    for (const at of this.#at) key += `${coordinates[at]},`;
    const entry = this.#others.get(key);
    if (entry === undefined) this.#others.set(key, { coordinates, count: times });
    else entry.count += times;
  }

  list(): Request[] {
    const list = [...this.#others.values()];
    this.#small?.forEach((count, value) => {
      if (count === 0) return;
      const coordinates = new Array<bigint>(COORDINATES).fill(0n).with(this.#at[0]!, BigInt(value));
      list.push({ coordinates, count: BigInt(count) });
    });
    return list;
  }
}

/** Requests by tag. */
export class Counter {
  readonly #requests = new Map<TagName, Requests>();

  /** Adds the requests of `times` rows with these columns. */
  add(template: RowTemplate, columns: readonly bigint[], times = 1n): void {
    for (const { tag, coordinates, multiplicity } of messagesOf(template, columns)) {
      if (TAGS[tag].type !== "L" || multiplicity <= 0n) continue;
      let requests = this.#requests.get(tag);
      if (requests === undefined) {
        requests = new Requests(tag);
        this.#requests.set(tag, requests);
      }
      requests.add(coordinates, times * multiplicity);
    }
  }

  /** What was asked of a tag. */
  of(tag: TagName): Readonly<Request>[] {
    return this.#requests.get(tag)?.list() ?? [];
  }
}

/** Whether rows of a template ask for a tag; a template's messages have the same tags whatever its columns are. */
function asks(template: RowTemplate, tag: TagName): boolean {
  return messagesOf(
    template,
    template.columns.map(() => 0n),
  ).some((message) => message.tag === tag);
}

/** Adds the rows that provide what other rows look up in circuits: MEMGAS. */
export function addProviders(rows: Rows): void {
  const counter = new Counter();
  for (const { template, columns } of rows.values()) {
    if (asks(template, "MEMGAS")) for (const row of columns) counter.add(template, row);
  }
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
    range: ([4, 5, 9, 10, 16] as const).flatMap((bits) =>
      list(`RANGE_${bits}`, [0]).map(([value, multiplicity]) => ({
        bits: BigInt(bits),
        value: value!,
        multiplicity: multiplicity!,
      })),
    ),
  };
}
