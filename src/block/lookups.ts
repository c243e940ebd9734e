/**
 * Counts what rows ask of lookup tables, from the messages of every row, padding included.
 *
 * @module
 */

import { cutwordProvider } from "../rows/cutword.js";
import { messagesOf, type Rows } from "../rows/machine.js";
import { memgasProvider } from "../rows/memgas.js";
import type { RowTemplate } from "../rows/row.js";
import { shiftwordProvider } from "../rows/shiftword.js";
import { wideProvider } from "../rows/wide.js";
import type { LookupClaims } from "../verifier/claims.js";
import { joinHalves } from "../verifier/ethereum/words.js";
import { COORDINATES, TAGS, type TagName } from "../verifier/tags.generated.js";

/** A message that was asked for, and how often. */
interface Request {
  readonly coordinates: readonly bigint[];
  count: bigint;
}

/** Rows that answer; none asks for what another provides. */
export const PROVIDERS: readonly Provider[] = [cutwordProvider, shiftwordProvider, memgasProvider, wideProvider];

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

/** Rows that answer requests to a table. */
export interface Provider {
  readonly tag: TagName;
  /** One row for each entry, or as the circuit has it. */
  rows(requests: readonly Readonly<Request>[]): readonly {
    readonly template: RowTemplate;
    readonly columns: readonly bigint[];
  }[];
}

/** Tags that rows of a template use; the same whatever its columns are. */
function tagsOf(template: RowTemplate): Set<TagName> {
  const zeros = template.columns.map(() => 0n);
  return new Set(messagesOf(template, zeros).map(({ tag }) => tag));
}

/**
 * Adds the rows that provide what other rows look up in circuits.
 *
 * @param providers in an order in which none asks for what an earlier one provides.
 */
export function addProviders(rows: Rows, providers: readonly Provider[] = PROVIDERS): void {
  for (const { tag, rows: answer } of providers) {
    const counter = new Counter();
    for (const { template, columns } of rows.values()) {
      if (tagsOf(template).has(tag)) for (const row of columns) counter.add(template, row);
    }
    for (const { template, columns } of answer(counter.of(tag))) {
      const entry = rows.get(template.name);
      if (entry === undefined) rows.set(template.name, { template, columns: [[...columns]] });
      else entry.columns.push([...columns]);
    }
  }
}

/** What names an entry of a table of the verifier, in a request for it. */
type Key = (coordinates: readonly bigint[]) => Record<string, bigint>;

const at =
  (places: Readonly<Record<string, number>>): Key =>
  (coordinates) =>
    Object.fromEntries(Object.entries(places).map(([name, place]) => [name, coordinates[place]!]));
const range =
  (bits: bigint): Key =>
  ([value]) => ({ bits, value: value! });

/** Tags of the verifier's tables: which list of the claims names their entries, and how. */
export const TABLES: Readonly<Partial<Record<TagName, { readonly table: keyof LookupClaims; readonly key: Key }>>> = {
  CODE: { table: "code", key: at({ code: 2, pc: 3 }) },
  CTX: { table: "ctx", key: at({ ctx: 1, field: 10 }) },
  TXENV: { table: "txenv", key: at({ T: 1, field: 10 }) },
  ENV: { table: "env", key: at({ field: 10 }) },
  RANGE_4: { table: "range", key: range(4n) },
  RANGE_5: { table: "range", key: range(5n) },
  RANGE_8: { table: "range", key: range(8n) },
  RANGE_9: { table: "range", key: range(9n) },
  RANGE_10: { table: "range", key: range(10n) },
  RANGE_16: { table: "range", key: range(16n) },
  CALLDATA: { table: "calldata", key: at({ ctx: 1, offset: 4 }) },
  CODEWORD: { table: "codeword", key: at({ code: 2, offset: 4 }) },
  CODEID: { table: "codeid", key: (coordinates) => ({ hash: joinHalves(coordinates[6]!, coordinates[7]!) }) },
  POW2: { table: "pow2", key: at({ s: 0 }) },
  AND: { table: "and", key: at({ a: 0, b: 1 }) },
  BLOCKHASH: { table: "blockhash", key: at({ n: 0 }) },
  OPCODE: { table: "opcode", key: at({ class: 10, n: 11 }) },
};

/** Entries of tables without any. */
export const noLookups = (): Record<keyof LookupClaims, Record<string, bigint>[]> => ({
  ...{ code: [], ctx: [], txenv: [], env: [], range: [], calldata: [], codeword: [], codeid: [] },
  ...{ pow2: [], and: [], blockhash: [], opcode: [] },
});

/** Order of the claims' lists: by the fields of their entries. */
export function ascendingEntries(a: Record<string, bigint>, b: Record<string, bigint>): number {
  for (const name of Object.keys(a)) if (a[name] !== b[name]) return a[name]! < b[name]! ? -1 : 1;
  return 0;
}

/** What the verifier provides: the claims of a block's lookups. */
export function lookupClaims(counter: Counter): LookupClaims {
  const lists = noLookups();
  for (const [tag, { table, key }] of Object.entries(TABLES)) {
    for (const { coordinates, count } of counter.of(tag as TagName)) {
      lists[table].push({ ...key(coordinates), multiplicity: count });
    }
  }
  for (const list of Object.values(lists)) list.sort(ascendingEntries);
  return lists as unknown as LookupClaims;
}
