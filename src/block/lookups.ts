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

/** All of them; none asks for what another provides. */
const PROVIDERS: readonly Provider[] = [cutwordProvider, shiftwordProvider, memgasProvider, wideProvider];

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

const ascending = (a: readonly bigint[], b: readonly bigint[]): number => {
  for (const [i, x] of a.entries()) if (x !== b[i]) return x < b[i]! ? -1 : 1;
  return 0;
};

/** What the verifier provides: the claims of a block's lookups. */
export function lookupClaims(counter: Counter): LookupClaims {
  /** Requests of a tag by the coordinates that name an entry, ascending. */
  const list = <K extends string>(tag: TagName, at: Readonly<Record<K, number>>) => {
    const names = Object.keys(at) as K[];
    return counter
      .of(tag)
      .map(({ coordinates, count }) => [...names.map((name) => coordinates[at[name]]!), count])
      .sort(ascending)
      .map((values) => {
        const entry = Object.fromEntries(names.map((name, i) => [name, values[i]!])) as Record<K, bigint>;
        return { ...entry, multiplicity: values.at(-1)! };
      });
  };
  return {
    code: list("CODE", { code: 2, pc: 3 }),
    ctx: list("CTX", { ctx: 1, field: 10 }),
    txenv: list("TXENV", { T: 1, field: 10 }),
    env: list("ENV", { field: 10 }),
    range: ([4, 5, 8, 9, 10, 16] as const).flatMap((bits) =>
      list(`RANGE_${bits}`, { value: 0 }).map((entry) => ({ bits: BigInt(bits), ...entry })),
    ),
    calldata: list("CALLDATA", { ctx: 1, offset: 4 }),
    codeword: list("CODEWORD", { code: 2, offset: 4 }),
    codeid: list("CODEID", { hi: 6, lo: 7 }).map(({ hi, lo, multiplicity }) => ({
      hash: joinHalves(hi, lo),
      multiplicity,
    })),
    pow2: list("POW2", { s: 0 }),
    and: list("AND", { a: 0, b: 1 }),
    blockhash: list("BLOCKHASH", { n: 0 }),
    opcode: list("OPCODE", { class: 10, n: 11 }),
  };
}
