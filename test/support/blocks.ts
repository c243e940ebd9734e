/**
 * Whole blocks under `check`: honest ones against what the EVM found, mutated rows, and forgeries, which are witnesses that
 * an attacker would make: rows, claims and lookups changed so that as much as possible fits together.
 *
 * @module
 */

import { join } from "node:path";
import fc from "fast-check";
import { expect } from "vitest";
import { assemble, blockRows, countRows } from "../../src/block/assemble.js";
import type { BuiltBlock } from "../../src/block/build.js";
import { checkRow, checkRows, describeUnmatched, RowCircuits } from "../../src/block/check.js";
import { addProviders, ascendingEntries, noLookups, PROVIDERS, TABLES } from "../../src/block/lookups.js";
import { FR_MODULUS } from "../../src/formats/bn254.js";
import { template } from "../../src/rows/index.js";
import { messagesOf, type Rows } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { TraceError } from "../../src/trace/errors.js";
import type { Trace } from "../../src/trace/format.js";
import {
  type BuiltBlock as Executed,
  loadScenario,
  runScenario,
  type ScenarioRun,
  validateTrace,
} from "../../src/trace/index.js";
import { toHex } from "../../src/trace/read.js";
import { type Boundary, boundaryMessages, type Checked, type StateAccount } from "../../src/verifier/boundary.js";
import type { Message } from "../../src/verifier/bus.js";
import type { BlockClaims, LookupClaims } from "../../src/verifier/claims.js";
import { Code } from "../../src/verifier/ethereum/code.js";
import { encodeReceipt } from "../../src/verifier/ethereum/receipts.js";
import { effectiveGasPrice, recoverSender } from "../../src/verifier/ethereum/transaction.js";
import { orderedTrieRoot } from "../../src/verifier/ethereum/trie.js";
import { keccak, wordToHex } from "../../src/verifier/ethereum/words.js";
import { TAGS, type TagName } from "../../src/verifier/tags.generated.js";
import { ROOT } from "./circuits.js";
import { program, wildProgram, word } from "./contracts.js";
import { SEED } from "./seed.js";
import { FIXED_TABLES } from "./tables.js";

/** Where the tests' circuits are compiled to. */
export const CACHE = join(ROOT, ".cache");

/** The circuits of single rows. */
export const CIRCUITS = new RowCircuits(CACHE);

/** An element of fr as a number from 0 to r − 1. */
export const canonical = (x: bigint): bigint =>
  x >= 0n && x < FR_MODULUS ? x : ((x % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;

/** A contract of {@link scenarioOf}: assembly text or `0x…`. */
export interface Contract {
  readonly code: string;
  readonly storage?: Readonly<Record<string, number | string>>;
}

/** A transaction as in a scenario's JSON. */
export type Call = Readonly<Record<string, unknown>> & { readonly from: string; readonly to: string };

/** Runs a block: accounts alice, bob and carol with an ether each, contracts by name. */
export async function scenarioOf(
  contracts: Readonly<Record<string, Contract | string>>,
  calls: readonly Call[],
  block: object = {},
): Promise<ScenarioRun> {
  const people = ["alice", "bob", "carol"].map((name, key) => ({ name, key, balance: String(10n ** 18n) }));
  const accounts = Object.entries(contracts).map(([name, contract]) => ({
    ...{ name, nonce: 1 },
    ...(typeof contract === "string" ? { code: contract } : contract),
  }));
  const text = JSON.stringify(
    { name: "test", block, accounts: [...people, ...accounts], transactions: calls },
    (_, value) => (typeof value === "bigint" ? String(value) : value),
  );
  return runScenario(loadScenario(text));
}

/** Options of {@link expectHonest}. */
export interface HonestOptions {
  /** Check the constraints of one row in so many, beside the whole bus; default of all. */
  readonly sample?: number;
}

/** What an honest block came to. */
export interface Honest {
  readonly built: BuiltBlock;
  readonly boundary: Boundary;
  readonly rows: number;
}

/** Expects `check` to find nothing, and the boundary to find what the EVM found: state, receipts, gas. */
export async function expectHonest(
  { trace, postState }: Pick<Executed, "trace" | "postState">,
  { sample = 1 }: HonestOptions = {},
): Promise<Honest> {
  const built = blockRows(trace);
  const { boundary } = assemble(built, countRows(built));
  let rows = 0;
  if (sample === 1) {
    const report = await checkRows(built.rows, boundary.messages, CIRCUITS);
    expect(report.faults).toEqual([]);
    expect(report.unmatched.map(describeUnmatched)).toEqual([]);
    rows = report.rows;
  } else {
    const bus = new Bus();
    bus.post(boundary.messages);
    for (const { template: of, columns } of built.rows.values()) {
      const circuit = await CIRCUITS.get(of.name);
      for (const cells of columns) {
        bus.post(messagesOf(of, cells));
        if (rows++ % sample === 0) expect(checkRow(circuit, of, cells), of.name).toBeUndefined();
      }
    }
    expect(bus.unmatched()).toEqual([]);
  }

  const { stateDiff, receipts, gasUsed } = boundary;
  expect(gasUsed).toBe(trace.header.gasUsed);
  expect(wordToHex(orderedTrieRoot(receipts.map(encodeReceipt)))).toBe(trace.header.receiptsRoot);
  expect(receipts.map(({ status }) => status)).toEqual(trace.executions.map(({ status }) => status));
  const accounts = new Map(stateDiff.accounts.map((account) => [account.address, account]));
  const slots = new Map(stateDiff.slots.map(({ address, slot, value }) => [`${address}:${slot}`, value]));
  for (const { address, nonce, balance, storage } of trace.preState.accounts) {
    const key = BigInt(address);
    const after = accounts.get(key);
    accounts.delete(key);
    const real = await postState.account(address);
    expect({ nonce: after?.nonce ?? nonce, balance: after?.balance ?? balance }, address).toEqual({
      nonce: real.nonce,
      balance: real.balance,
    });
    for (const [slot, value] of storage) {
      const found = slots.get(`${key}:${slot}`) ?? value;
      slots.delete(`${key}:${slot}`);
      expect(found, `${address} ${slot}`).toBe(await postState.slot(address, slot));
    }
  }
  // and nothing else
  expect([...accounts.keys(), ...slots.keys()]).toEqual([]);
  return { built, boundary, rows };
}

const keyOf = ({ tag, coordinates }: Message): string => `${tag} ${coordinates.map(canonical).join()}`;

/** Nets of messages. */
export class Bus {
  readonly #nets = new Map<string, { readonly message: Message; net: bigint }>();

  /** Adds messages, or with −1 takes them away. */
  post(messages: readonly Message[], sign: 1n | -1n = 1n): void {
    for (const message of messages) {
      if (message.multiplicity === 0n) continue;
      const key = keyOf(message);
      const entry = this.#nets.get(key) ?? { message, net: 0n };
      entry.net += sign * message.multiplicity;
      if (canonical(entry.net) === 0n) this.#nets.delete(key);
      else this.#nets.set(key, entry);
    }
  }

  /** Whether everything that is sent is received. */
  get balanced(): boolean {
    return this.#nets.size === 0;
  }

  /** What is not. */
  unmatched(): Message[] {
    return [...this.#nets.values()].map(({ message, net }) => ({ ...message, multiplicity: net }));
  }
}

/** Bits of the range tables. */
export const RANGE_BITS: Readonly<Record<string, bigint>> = Object.fromEntries(
  Object.keys(TAGS)
    .filter((name) => name.startsWith("RANGE_"))
    .map((name) => [name, BigInt(name.slice("RANGE_".length))]),
);

/** Contents of the verifier's lookup tables, as far as a block can ask for them. */
export class Tables {
  readonly #entries = new Set<string>();

  /** @param messages what the verifier provides. */
  constructor(messages: readonly Message[]) {
    for (const message of messages) if (TAGS[message.tag].type === "L") this.#entries.add(keyOf(message));
  }

  /** Whether a request has an entry. MEMGAS is no table of the verifier. */
  has(message: Message): boolean {
    const bits = RANGE_BITS[message.tag];
    if (bits !== undefined) return canonical(message.coordinates[0]!) < 1n << bits;
    return this.#entries.has(keyOf(message));
  }
}

type Deep<T> = T extends bigint | string | number | boolean | undefined | Uint8Array
  ? T
  : { -readonly [K in keyof T]: Deep<T[K]> };

/** Claims that can be changed. */
export type Claims = Deep<Omit<BlockClaims, "lookups">>;

const copied = <T>(value: T): Deep<T> => structuredClone(value) as Deep<T>;

/** A row of a forgery; columns by name. */
export interface ForgedRow {
  readonly row: string;
  c: Record<string, bigint>;
}

/** What catches a forgery. */
export interface Verdict {
  /** Code of the VerifierError by which a replica refuses the claims, whatever is proved. */
  readonly refused: string | undefined;
  /** Templates of rows that violate a constraint. */
  readonly faults: readonly string[];
  /** Unmatched messages: `TAG sent` or `TAG received`, sorted, each once. */
  readonly unmatched: readonly string[];
  /** The same with their fields. */
  readonly messages: readonly {
    readonly tag: TagName;
    readonly net: bigint;
    readonly fields: Record<string, bigint>;
  }[];
}

/** The verdict on a witness in which nothing is wrong. */
export const CLEAN = { refused: undefined, faults: [], unmatched: [] };

type Table = keyof LookupClaims;

/** Templates that provide tables. */
const PROVIDED = new Set(["memgas", "wide", "cutword", "shiftword"]);

/** Whether claims can hold the key of an entry, and whether it is so small that the verifier needn't be asked often. */
function canBeClaimed(table: Table, key: Record<string, bigint>): boolean {
  if (table === "codeid") return key.hash! < 1n << 256n;
  const bits = ["pow2", "and", "opcode"].includes(table) ? 8n : 16n;
  return Object.values(key).every((x) => x < 1n << bits);
}

/** A block that somebody tampers with. Times are below 2^16, so that all upper halves of differences of times are 0. */
export class Forgery {
  readonly built: BuiltBlock;
  rows: ForgedRow[];
  readonly claims: Claims;
  /** The replica's state. */
  readonly accounts: Map<bigint, Deep<StateAccount>>;
  readonly slots: Map<bigint, Map<bigint, bigint>>;
  readonly codes: Map<bigint, Code>;
  /** Entries of lookup tables that are claimed on top of those that rows ask for. */
  readonly more: { table: Table; entry: Record<string, bigint> }[] = [];
  /** Rows that provide tables are made anew, for all requests that are true. */
  provide = true;

  constructor(trace: Trace) {
    this.built = blockRows(trace);
    this.rows = [...this.built.rows.values()].flatMap(({ template: of, columns }) =>
      columns.map((cells) => ({
        row: of.name,
        c: Object.fromEntries(of.columns.map((name, i) => [name, cells[i]!])) as Record<string, bigint>,
      })),
    );
    if (this.rows.some(({ c }) => (c.clk ?? 0n) >= 4096n)) throw new Error("too long for a forgery");
    const { accounts, codes } = this.built;
    this.claims = copied(this.built.claims);
    this.accounts = new Map(
      [...accounts].map(([address, { nonce, balance, codeHash }]) => [address, { nonce, balance, codeHash }]),
    );
    this.slots = new Map([...accounts].map(([address, { storage }]) => [address, new Map(storage)]));
    this.codes = new Map([...codes].map(([hash, bytes]) => [hash, new Code(bytes)]));
  }

  /** The rows of a template in the order of their clk (or t), those of one context if it is given. */
  all(row: string, ctx?: bigint): ForgedRow[] {
    return this.rows
      .filter((each) => each.row === row && (ctx === undefined || each.c.ctx === ctx))
      .sort((a, b) => Number((a.c.clk ?? a.c.t ?? 0n) - (b.c.clk ?? b.c.t ?? 0n)));
  }

  /** Columns of the n-th row of a template; from the end if negative. */
  row(row: string, n = 0): Record<string, bigint> {
    const found = this.all(row).at(n);
    if (found === undefined) throw new Error(`no ${row} ${n}`);
    return found.c;
  }

  /** Adds a row; what is not given is 0. */
  add(row: string, columns: Record<string, bigint>): Record<string, bigint> {
    const names = template(row).columns;
    for (const name of Object.keys(columns)) if (!names.includes(name)) throw new Error(`${row} has no ${name}`);
    const c = { ...Object.fromEntries(names.map((name) => [name, 0n])), ...columns };
    this.rows.push({ row, c });
    return c;
  }

  /** Takes rows out. */
  drop(...columns: Record<string, bigint>[]): void {
    this.rows = this.rows.filter(({ c }) => !columns.includes(c));
  }

  /** Moves everything that happens at `clk` or later by some clocks: rows, times, contexts, claims. */
  shift(clk: bigint, by: bigint): void {
    const time = (t: bigint): bigint => (t >= 16n * clk ? t + 16n * by : t);
    const clock = (x: bigint): bigint => (x >= clk ? x + by : x);
    for (const { c } of this.rows) {
      for (const name of Object.keys(c)) {
        if (name === "t" || name.endsWith("Old")) c[name] = time(c[name]!);
        else if (name === "clk" || name === "ctx" || name === "region") c[name] = clock(c[name]!);
      }
    }
    const visit = (claim: unknown): void => {
      if (typeof claim !== "object" || claim === null) return;
      const fields = claim as Record<string, unknown>;
      for (const [name, value] of Object.entries(fields)) {
        if (name === "t") fields.t = time(value as bigint);
        else if (name === "clk") fields.clk = clock(value as bigint);
        else visit(value);
      }
    };
    visit(this.claims.transactions);
    visit(this.claims.cells);
  }

  /** Gives every row from `clk` on more gas, and its sender and coinbase what follows from it. For the last transaction. */
  gas(clk: bigint, by: bigint): void {
    for (const { c } of this.rows) {
      if (c.clk === undefined || c.clk < clk) continue;
      if (c.gas !== undefined) c.gas += by;
      else {
        const spare = c.gas0! + 65536n * c.gas1! + by;
        c.gas0 = spare & 0xffffn;
        c.gas1 = spare >> 16n;
      }
      if (c.gasHigh !== undefined) c.gasHigh = c.gas! >> 16n;
    }
    this.end.gas += by;
    this.credit(by);
  }

  /** Final balances as they are after the last transaction gave back more gas. */
  credit(gas: bigint): void {
    const tx = this.built.transactions.at(-1)!;
    const { baseFeePerGas: base, beneficiary } = this.built.header;
    const price = effectiveGasPrice(tx, base, "test");
    this.balance(recoverSender(tx, "test")).balance += gas * price;
    this.balance(beneficiary).balance -= gas * (price - base);
  }

  /** The final balance of an account. */
  balance(address: bigint): Claims["cells"]["balances"][number] {
    return this.claims.cells.balances.find((cell) => cell.address === address)!;
  }

  /** The end of the last transaction. */
  get end(): NonNullable<Claims["transactions"][number]["end"]> {
    return this.claims.transactions.at(-1)!.end!;
  }

  /** Puts another code in place of the block's only one: the rows still do what the first one says. */
  recode(bytes: Uint8Array): void {
    const hash = keccak(bytes);
    const [old] = [...this.codes.keys()];
    if (this.codes.size !== 1) throw new Error("which code?");
    this.codes.clear();
    this.codes.set(hash, new Code(bytes));
    for (const account of this.accounts.values()) if (account.codeHash === old) account.codeHash = hash;
    for (const cell of [...this.claims.cells.accounts, ...this.claims.transactions.flatMap((tx) => tx.accounts)]) {
      if (cell.codeHash === old) cell.codeHash = hash;
    }
  }

  #boundary(lookups: LookupClaims): Checked<Boundary> {
    const { chainId, header, transactions } = this.built;
    return boundaryMessages({
      ...{ chainId, header, claims: { ...(this.claims as unknown as BlockClaims), lookups } },
      transactions: transactions.map((transaction) => ({ transaction, sender: recoverSender(transaction, "test") })),
      state: {
        ...{ accounts: this.accounts, slots: this.slots, codes: this.codes },
        blockHashes: this.built.blockHashes,
      },
    });
  }

  /** The claims of all requests that the verifier's tables have an entry for. */
  #lookups(rows: Rows): LookupClaims {
    const requests = new Map<string, { readonly message: Message; count: bigint }>();
    for (const { template: of, columns } of rows.values()) {
      for (const message of columns.flatMap((cells) => messagesOf(of, cells))) {
        if (TABLES[message.tag] === undefined) continue;
        const entry = requests.get(keyOf(message)) ?? { message, count: 0n };
        entry.count += message.multiplicity;
        requests.set(keyOf(message), entry);
      }
    }
    const lists = noLookups();
    const put = (table: Table, key: Record<string, bigint>, multiplicity: bigint) => {
      const same = lists[table].find((entry) => Object.entries(key).every(([name, x]) => entry[name] === x));
      if (same === undefined) lists[table].push({ ...key, multiplicity });
      else same.multiplicity! += multiplicity;
    };
    const probed: {
      readonly table: Table;
      readonly key: Record<string, bigint>;
      readonly text: string;
      count: bigint;
    }[] = [];
    for (const [text, { message, count }] of requests) {
      if (count <= 0n) continue;
      const bits = RANGE_BITS[message.tag];
      if (bits !== undefined) {
        const value = canonical(message.coordinates[0]!);
        if (value < 1n << bits) put("range", { bits, value }, count);
        continue;
      }
      const { table, key: keyOfEntry } = TABLES[message.tag]!;
      const key = keyOfEntry(message.coordinates.map(canonical));
      if (canBeClaimed(table, key)) probed.push({ table, key, text, count });
    }
    // what the tables hold is for the verifier to say
    const held = this.#contents(probed.map(({ table, key }) => ({ table, key })));
    for (const { table, key, text, count } of probed) if (held.has(text)) put(table, key, count);
    for (const { table, entry } of this.more) {
      const { multiplicity, ...key } = entry;
      put(table, key, multiplicity!);
    }
    for (const list of Object.values(lists)) list.sort(ascendingEntries);
    return lists as unknown as LookupClaims;
  }

  /** Entries of the verifier's tables with these keys. */
  #contents(keys: readonly { readonly table: Table; readonly key: Record<string, bigint> }[]): Set<string> {
    const lists = noLookups();
    const seen = new Set<string>();
    for (const { table, key } of keys) {
      const text = `${table} ${Object.values(key).join()}`;
      if (!seen.has(text)) lists[table].push({ ...key, multiplicity: 1n });
      seen.add(text);
    }
    for (const list of Object.values(lists)) list.sort(ascendingEntries);
    for (;;) {
      const { value, faults } = this.#boundary(lists as unknown as LookupClaims);
      if (value !== undefined) return new Set(value.messages.filter(({ tag }) => TAGS[tag].type === "L").map(keyOf));
      const absent = faults.filter(({ code }) => code === "CLAIM_LOOKUP").map(({ where }) => where!);
      // another fault: the forgery is refused anyway
      if (absent.length === 0) return new Set();
      for (const table of Object.keys(lists) as Table[]) {
        lists[table] = lists[table].filter((_, i) => !absent.includes(`claims.lookups.${table}[${i}]`));
      }
    }
  }

  /** What catches the forgery. */
  async verdict(): Promise<Verdict> {
    const rows: Rows = new Map();
    const emit = (of: RowTemplate, cells: readonly bigint[]) => {
      const entry = rows.get(of.name) ?? { template: of, columns: [] };
      entry.columns.push([...cells]);
      rows.set(of.name, entry);
    };
    for (const { row, c } of this.rows) {
      if (this.provide && PROVIDED.has(row)) continue;
      const of = template(row);
      emit(
        of,
        of.columns.map((name) => c[name]!),
      );
    }
    if (this.provide) {
      const honest = PROVIDERS.map(({ tag, rows: answer }) => ({
        tag,
        rows: (requests: Parameters<typeof answer>[0]) =>
          answer(
            requests
              .filter(({ coordinates }) => FIXED_TABLES[tag]!(coordinates))
              .map(({ coordinates, count }) => ({ coordinates: coordinates.map(canonical), count })),
          ),
      }));
      addProviders(rows, honest);
    }

    const { value, faults: refusals } = this.#boundary(this.#lookups(rows));
    const report = await checkRows(rows, value?.messages ?? [], CIRCUITS);
    const faults = [...new Set(report.faults.map(({ row }) => row))].sort();
    // a sum that is not that of the messages would be a fault of the description, not of the attacker
    expect(report.faults.filter(({ constraint }) => constraint === "sum")).toEqual([]);
    if (value === undefined) return { refused: refusals[0]!.code, faults, unmatched: [], messages: [] };
    const messages = report.unmatched.map(({ tag, fields, net }) => ({ tag: tag as TagName, fields, net }));
    const unmatched = new Set(messages.map(({ tag, net }) => `${tag} ${net > 0n ? "sent" : "received"}`));
    return { refused: undefined, faults, unmatched: [...unmatched].sort(), messages };
  }
}

/** A forgery of a block of {@link scenarioOf}. */
export async function forgeryOf(
  contracts: Readonly<Record<string, Contract | string>>,
  calls: readonly Call[],
  block: object = {},
): Promise<Forgery> {
  return new Forgery((await scenarioOf(contracts, calls, block)).trace);
}

const ACCOUNTS = ["alice", "bob", "carol"];

/** A block that {@link scenarioOf} can run. */
export interface RandomBlock {
  readonly contracts: Readonly<Record<string, Contract>>;
  readonly calls: readonly Call[];
  readonly block: object;
}

const NONE = { address: "", slots: [] as readonly number[] };

/**
 * Blocks of transactions of all types, some of them transfers, that call random programs: the same slots cold, warm and
 * dirty, in access lists, written again after a transaction that reverted; little gas; senders that are coinbase or
 * recipient.
 *
 * @param programs how many contracts, each called at least once.
 */
export function randomBlock(programs = 2): fc.Arbitrary<RandomBlock> {
  const storage = fc.dictionary(
    fc.nat(3).map(String),
    word().map((value) => `0x${value.toString(16)}`),
    { maxKeys: 4 },
  );
  const contract = fc.record({ code: program(), storage });
  const names = Array.from({ length: programs }, (_, i) => `c${i}`);
  const slots = fc.array(fc.nat(4), { maxLength: 4 });
  const call = fc.record({
    from: fc.constantFrom(...ACCOUNTS),
    type: fc.nat(2),
    value: fc.constantFrom(0, 0, 1, 12_345),
    // what is left when the execution starts
    gas: fc.oneof({ weight: 3, arbitrary: fc.constant(4_000_000) }, { weight: 1, arbitrary: fc.nat(6_000) }),
    data: fc.array(fc.constantFrom(0, 1, 2, 3, 255), { maxLength: 70, size: "max" }),
    listed: fc.option(fc.tuple(fc.constantFrom(names[0]!, names.at(-1)!, "bob"), slots, slots)),
  });
  const more = fc.tuple(call, fc.constantFrom(...names, ...names, "alice", "bob", "nobody"));
  return fc
    .record({
      contracts: fc.tuple(...names.map(() => contract)),
      once: fc.tuple(...names.map(() => call)),
      more: fc.array(more, { maxLength: programs }),
      coinbase: fc.constantFrom("alice", names[0]!, "nobody", "bob"),
    })
    .map(({ contracts, once, more, coinbase }) => ({
      contracts: Object.fromEntries(names.map((name, i) => [name, contracts[i]!])),
      block: { coinbase: coinbase === "nobody" ? NOBODY : coinbase, gasLimit: 1_000_000_000 },
      calls: [...once.map((each, i) => [each, names[i]!] as const), ...more].map(
        ([{ from, type, value, gas, data, listed }, to]) => {
          const [first, second] =
            type === 0 || listed === null
              ? [NONE, NONE]
              : [
                  { address: listed[0], slots: listed[0] === "bob" ? [] : listed[1] },
                  { address: names[0]!, slots: listed[2] },
                ];
          const list = [first, second].filter(({ address }) => address !== "");
          const keys = first.slots.length + second.slots.length;
          const paid = data.reduce<number>((sum, byte) => sum + (byte === 0 ? 4 : 16), 0);
          return {
            ...{ from, to: to === "nobody" ? NOBODY : to, type, value },
            gas: 21_000 + paid + 2_400 * list.length + 1_900 * keys + gas,
            data: toHex(Uint8Array.from(data)),
            ...(type === 2 ? { maxPriorityFeePerGas: value } : {}),
            ...(list.length === 0
              ? {}
              : { accessList: list.map(({ address, slots }) => ({ address, storageKeys: slots })) }),
          };
        },
      ),
    }));
}

const NOBODY = `0x${"77".repeat(20)}`;

/** How many random blocks, how many programs in each, and of how many rows one is looked at beside the bus. */
export interface RandomOptions {
  readonly blocks: number;
  readonly programs: number;
  readonly sample: number;
}

/** Expects random blocks to be honest. Returns how many rows they had, and of which templates. */
export async function expectRandom({
  blocks,
  programs,
  sample,
}: RandomOptions): Promise<{ readonly rows: number; readonly templates: ReadonlySet<string> }> {
  let rows = 0;
  const templates = new Set<string>();
  await fc.assert(
    fc.asyncProperty(randomBlock(programs), async ({ contracts, calls, block }) => {
      const run = await scenarioOf(contracts, calls, block);
      await validateTrace(run.trace);
      const honest = await expectHonest(run, { sample });
      rows += honest.rows;
      for (const name of honest.built.rows.keys()) templates.add(name);
    }),
    // a failure is looked for again in smaller blocks, but not for long
    { numRuns: blocks, seed: seedOf("random blocks"), interruptAfterTimeLimit: 600_000 },
  );
  return { rows, templates };
}

/** Expects blocks of programs of any bytes to be honest, where they are traces at all. Returns how many were. */
export async function expectWild({ blocks, programs, sample }: RandomOptions): Promise<{ readonly accepted: number }> {
  let accepted = 0;
  const wild = fc.array(wildProgram(), { minLength: programs, maxLength: programs });
  await fc.assert(
    fc.asyncProperty(wild, async (codes) => {
      const contract = (code: Uint8Array) => ({ code: toHex(code), storage: { 1: `0x${(1n << 128n).toString(16)}` } });
      const contracts = Object.fromEntries(codes.map((code, i) => [`c${i}`, contract(code)]));
      const call = (i: number) => ({ from: ACCOUNTS[i % 3]!, to: `c${i >> 1}`, value: i & 1, gas: 100_000 });
      const calls = Array.from({ length: 2 * programs }, (_, i) => call(i));
      let run: ScenarioRun;
      try {
        run = await scenarioOf(contracts, calls);
        await validateTrace(run.trace);
      } catch (error) {
        expect(error).toBeInstanceOf(TraceError);
        return;
      }
      accepted++;
      await expectHonest(run, { sample });
    }),
    { numRuns: blocks, seed: seedOf("any bytes"), interruptAfterTimeLimit: 600_000 },
  );
  return { accepted };
}

/** The seed of a test, printed, so that a failure can be seen again. */
export function seedOf(name: string): number {
  console.log(`${name}: SEED=${SEED}`);
  return SEED;
}
