/**
 * The state that a block is executed on: what it asks for is fetched once, what it writes stays in memory, and can be undone.
 *
 * @module
 */

import type { AccountFields, StateManagerInterface } from "@ethereumjs/common";
import { type Account, type Address, createAccount } from "@ethereumjs/util";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { TraceError } from "./errors.js";
import type { ExecutedAccount, SourceAccount, StateSource } from "./execute.js";
import type { TraceAccount } from "./format.js";
import { bigEndian, fromHex, type Hex, MAX_WORD, toHex, wordBytes } from "./read.js";

/** keccak-256 of no code. */
export const EMPTY_CODE: Hex = toHex(keccak_256(new Uint8Array(0)));
const NOTHING: SourceAccount = { nonce: 0n, balance: 0n, code: new Uint8Array(0) };

/** An account before the block, and as it is now. */
interface Entry {
  readonly before: { readonly nonce: bigint; readonly balance: bigint; readonly codeHash: Hex };
  readonly slotsBefore: Map<bigint, bigint>;
  now: { nonce: bigint; balance: bigint; codeHash: Hex };
  readonly slots: Map<bigint, bigint>;
}

/** In the words of ethereumjs. An account with nothing in it does not exist. */
export class JournaledState implements StateManagerInterface {
  readonly #source: StateSource;
  readonly #where: () => string;
  readonly #entries = new Map<Hex, Entry>();
  readonly #codes = new Map<Hex, Uint8Array>([[EMPTY_CODE, NOTHING.code]]);
  /** What undoes the writes since the outermost checkpoint, and where the checkpoints are. */
  readonly #undo: (() => void)[] = [];
  readonly #checkpoints: number[] = [];
  /** Slots as of before the transaction, of those that it has written. */
  readonly #originals = new Map<Entry, Map<bigint, bigint>>();

  /** @param where who asks the source, for its errors */
  constructor(source: StateSource, where: () => string) {
    this.#source = source;
    this.#where = where;
  }

  /** Fetches an account if that has not been done. @throws what the source throws */
  async touch(address: Hex): Promise<Entry> {
    const known = this.#entries.get(address);
    if (known !== undefined) return known;
    const { nonce, balance, code } = (await this.#source.account(address, this.#where())) ?? NOTHING;
    const codeHash = code.length === 0 ? EMPTY_CODE : toHex(keccak_256(code));
    if (!this.#codes.has(codeHash)) this.#codes.set(codeHash, code);
    const before = { nonce, balance, codeHash };
    const entry = { before, slotsBefore: new Map(), now: before, slots: new Map() };
    this.#entries.set(address, entry);
    return entry;
  }

  /** Fetches a slot if that has not been done. @returns its value now @throws what the source throws */
  async touchSlot(address: Hex, slot: bigint): Promise<bigint> {
    const { slots, slotsBefore } = await this.touch(address);
    const known = slots.get(slot);
    if (known !== undefined) return known;
    const value = await this.#source.slot(address, slot, this.#where());
    slotsBefore.set(slot, value);
    slots.set(slot, value);
    return value;
  }

  /** Everything fetched, as of before the block, ascending, each code with the first account that has it. */
  preAccounts(): TraceAccount[] {
    const given = new Set<Hex>([EMPTY_CODE]);
    return this.#sorted().map(([address, { before, slotsBefore }]) => {
      const code = given.has(before.codeHash) ? {} : { code: this.#codes.get(before.codeHash)!.slice() };
      given.add(before.codeHash);
      return { address, ...before, ...code, storage: ascending(slotsBefore) };
    });
  }

  /** Everything fetched, as it is now. */
  postAccounts(): Map<Hex, ExecutedAccount> {
    return new Map(
      this.#sorted().map(([address, { now, slots }]) => [address, { ...now, storage: new Map(ascending(slots)) }]),
    );
  }

  #sorted(): [Hex, Entry][] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  async getAccount(address: Address): Promise<Account | undefined> {
    const { nonce, balance, codeHash } = (await this.touch(keyOf(address))).now;
    if (nonce === 0n && balance === 0n && codeHash === EMPTY_CODE) return undefined;
    return createAccount({ nonce, balance, codeHash: fromHex(codeHash) });
  }

  async putAccount(address: Address, account?: Account): Promise<void> {
    const entry = await this.touch(keyOf(address));
    if (account !== undefined && account.balance > MAX_WORD) {
      const where = this.#where();
      throw new TraceError("there is more ether than a word can count", { code: "TRACE_PRESTATE", where });
    }
    const old = entry.now;
    this.#undo.push(() => {
      entry.now = old;
    });
    entry.now =
      account === undefined
        ? { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE }
        : { nonce: account.nonce, balance: account.balance, codeHash: toHex(account.codeHash) };
  }

  async deleteAccount(address: Address): Promise<void> {
    await this.putAccount(address, undefined);
  }

  async getCode(address: Address): Promise<Uint8Array> {
    return this.#codes.get((await this.touch(keyOf(address))).now.codeHash)!;
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length;
  }

  async getStorage(address: Address, key: Uint8Array): Promise<Uint8Array> {
    return shortest(await this.touchSlot(keyOf(address), bigEndian(key)));
  }

  async putStorage(address: Address, key: Uint8Array, value: Uint8Array): Promise<void> {
    const slot = bigEndian(key);
    const old = await this.touchSlot(keyOf(address), slot);
    const entry = await this.touch(keyOf(address));
    const originals = this.#originals.get(entry) ?? new Map<bigint, bigint>();
    if (!originals.has(slot)) this.#originals.set(entry, originals.set(slot, old));
    this.#undo.push(() => entry.slots.set(slot, old));
    entry.slots.set(slot, bigEndian(value));
  }

  readonly originalStorageCache = {
    get: async (address: Address, key: Uint8Array): Promise<Uint8Array> => {
      const slot = bigEndian(key);
      const current = await this.touchSlot(keyOf(address), slot);
      return shortest(this.#originals.get(await this.touch(keyOf(address)))?.get(slot) ?? current);
    },
    clear: (): void => this.#originals.clear(),
  };

  async checkpoint(): Promise<void> {
    this.#checkpoints.push(this.#undo.length);
  }

  async commit(): Promise<void> {
    this.#checkpoints.pop();
    if (this.#checkpoints.length === 0) this.#undo.length = 0;
  }

  async revert(): Promise<void> {
    const mark = this.#checkpoints.pop() ?? 0;
    while (this.#undo.length > mark) this.#undo.pop()!();
  }

  clearCaches(): void {}

  // creations, roots and copies: nothing that executes a transaction as it is executed here
  putCode = unsupported;
  clearStorage = unsupported;
  modifyAccountFields: (address: Address, fields: AccountFields) => Promise<void> = unsupported;
  getStateRoot = unsupported;
  setStateRoot = unsupported;
  hasStateRoot = unsupported;
  shallowCopy = unsupported;
}

function unsupported(): never {
  throw new TypeError("not a part of this state");
}

function keyOf(address: Address): Hex {
  return address.toString();
}

function ascending(slots: ReadonlyMap<bigint, bigint>): [bigint, bigint][] {
  return [...slots].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** As ethereumjs keeps words: without leading zeros, nothing for 0. */
function shortest(word: bigint): Uint8Array {
  if (word === 0n) return new Uint8Array(0);
  const bytes = wordBytes(word);
  return bytes.subarray(bytes.findIndex((byte) => byte !== 0));
}
