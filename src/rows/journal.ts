/**
 * What rows with side effects share: keys of the machine's cells, cells that are taken and given back, the journal. Mirrors
 * `circuits/journal.circom`.
 *
 * @module
 */

import { type Message, message, received } from "../verifier/bus.js";
import type { MessageFields, TagName } from "../verifier/tags.generated.js";
import { FIELD_T } from "./frame.js";
import type { CellFields, CellTag, Machine, Taken } from "./machine.js";
import { give, type Registers, stateOf, take } from "./row.js";

/** Which cells a journal entry is about. */
export const SPACE = { STORAGE: 1n, BALANCE: 2n, ACCOUNT: 3n, TRANSIENT: 4n, LOG: 5n } as const;

/** Fields of CTX that rows with side effects ask for. */
export const CTX_FIELD = { ADDRESS: 0x30n, T: FIELD_T } as const;

/** What a row with side effects has to know of its frame. */
export interface Frame {
  /** The transaction, from 1. */
  readonly T: bigint;
  /** The account that it runs as, below 2^160. */
  readonly address: bigint;
}

/** Keys of cells in the machine. */
export const cellKey = {
  /** STORAGE of a slot. */
  storage: (address: bigint, slot: bigint): string => `${address}:${slot}`,
  /** TRANSIENT of a slot. */
  transient: (address: bigint, slot: bigint): string => `${address}:${slot}`,
  /** ACCOUNT, BALANCE, NONCE. */
  account: (address: bigint): string => `${address}`,
  /** JRN, REFUND, LOGS of a transaction. */
  transaction: (T: bigint): string => `${T}`,
  /** JOURNAL: entry j. */
  journal: (T: bigint, j: bigint): string => `${T}:${j}`,
} as const;

/** The request of `TransactionOf`. */
export function transactionOf(ctx: bigint, T: bigint, act: bigint): Message {
  return give("CTX", { ctx, hi: 0n, lo: T, field: CTX_FIELD.T }, act);
}

/** The request of `AccountOf`. */
export function accountOf(ctx: bigint, hi: bigint, lo: bigint, act: bigint): Message {
  return give("CTX", { ctx, hi, lo, field: CTX_FIELD.ADDRESS }, act);
}

/** `Renew` of `journal.circom`: a cell written at `tOld` and the same cell as it is after. */
export function renew<N extends TagName & CellTag>(
  tag: N,
  at: { readonly clk: bigint; readonly act: bigint },
  before: CellFields<N>,
  after: CellFields<N>,
  tOld: bigint,
  high: bigint,
): Message[] {
  const now = 16n * at.clk + 1n;
  type Cell = MessageFields[N] & { t: bigint };
  return [
    ...take(tag, { ...before, t: tOld } as unknown as Cell, at.act, now, high),
    give(tag, { ...after, t: now + 1n } as unknown as Cell, at.act),
  ];
}

/**
 * `RenewEither` of `journal.circom`: a cell of the tag whose flag is 1. Both tags have their fields at the same coordinates,
 * the first has all that the second has; the others are the row's to vouch for.
 */
export function renewEither<N extends TagName & CellTag>(
  [first, isFirst]: readonly [N, bigint],
  [second, isSecond]: readonly [CellTag, bigint],
  clk: bigint,
  before: CellFields<N>,
  after: CellFields<N>,
  tOld: bigint,
  high: bigint,
): Message[] {
  const [taken, ...rest] = renew(first, { clk, act: isFirst }, before, after, tOld, high);
  const given = rest.pop()!;
  const other = (m: Message): Message => ({ ...m, tag: second });
  const others = renew(first, { clk, act: isSecond }, before, after, tOld, high).map(other);
  return [taken!, others[0]!, ...rest, given, others.at(-1)!];
}

/** The fields of a journal entry that its space does not have are 0. */
export const NO_TUPLE = {
  ...{ slotHi: 0n, slotLo: 0n, lastTx: 0n, address: 0n },
  ...{ valueHi: 0n, valueLo: 0n, origHi: 0n, origLo: 0n },
} as const;

/** A journal entry without its place in the journal. */
export type Entry = Omit<CellFields<"JOURNAL">, "T" | "j">;

/** Columns of `Undoing` in `journal.circom` but the registers. */
export const UNDOING = ["T", "j", "jOld", "jHigh", "entryOld", "entryHigh"] as const;

/** `Undoing` of `journal.circom`. */
export function undoing(
  c: Registers & Readonly<Record<(typeof UNDOING)[number] | "act", bigint>>,
  entry: Entry,
): Message[] {
  const { clk, ctx, T, j, jOld, jHigh, entryOld, entryHigh, act } = c;
  return [
    received(message("STATE", stateOf(c, 1n), act)),
    message("STATE", stateOf({ ...c, clk: clk + 1n }, 1n), act),
    transactionOf(ctx, T, act),
    ...renew("JRN", c, { T, j: j + 1n }, { T, j }, jOld, jHigh),
    ...take("JOURNAL", { ...entry, T, j, t: entryOld }, act, 16n * clk + 1n, entryHigh),
  ];
}

/** Takes a cell at port 1 and gives it back at port 2. Returns what it was. */
export function renewCell<N extends CellTag>(
  m: Machine,
  tag: N,
  key: string,
  change: (old: CellFields<N>) => CellFields<N>,
): CellFields<N> & Taken {
  const now = 16n * m.registers.clk + 1n;
  const taken = m.take(tag, key, now);
  const { tOld: _t, high: _high, ...old } = taken;
  m.give(tag, key, change(old as unknown as CellFields<N>), now + 1n);
  return taken;
}

/** Opens the counters of a transaction at a time: journal (with `j` entries already), refund, logs. */
export function openCounters(m: Machine, T: bigint, t: bigint, j = 0n): void {
  const key = cellKey.transaction(T);
  m.give("JRN", key, { T, j }, t);
  m.give("REFUND", key, { T, value: 0n }, t);
  m.give("LOGS", key, { T, n: 0n }, t);
}

/** Number of entries in the journal of a transaction. */
export function journalLength(m: Machine, T: bigint): bigint {
  return m.peek("JRN", cellKey.transaction(T)).j;
}

/** Columns that say when the counter of the journal was written before. */
export interface Journaled {
  readonly j: bigint;
  readonly jOld: bigint;
  readonly jHigh: bigint;
}

/** Writes an entry at port 2. */
export function journal(m: Machine, T: bigint, entry: Entry): Journaled {
  const { j, tOld, high } = renewCell(m, "JRN", cellKey.transaction(T), (old) => ({ T, j: old.j + 1n }));
  m.give("JOURNAL", cellKey.journal(T, j), { ...entry, T, j }, 16n * m.registers.clk + 2n);
  return { j, jOld: tOld, jHigh: high };
}

/** Takes the last entry of the journal at port 1: the columns {@link UNDOING}, and the entry. */
export function unjournal(
  m: Machine,
  T: bigint,
): Readonly<Record<(typeof UNDOING)[number], bigint>> & { entry: CellFields<"JOURNAL"> } {
  const counter = renewCell(m, "JRN", cellKey.transaction(T), (old) => ({ T, j: old.j - 1n }));
  const j = counter.j - 1n;
  const { tOld, high, ...entry } = m.take("JOURNAL", cellKey.journal(T, j), 16n * m.registers.clk + 1n);
  return { T, j, jOld: counter.tOld, jHigh: counter.high, entryOld: tOld, entryHigh: high, entry };
}
