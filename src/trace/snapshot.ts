/**
 * Snapshots: a whole state in a file, for a replica to start from.
 *
 * ```
 * {"version": 1, "chainId": "0x539", "number": "0x1", "blockHash": "0x…", "stateRoot": "0x…", "accounts": [
 *   {"address": "0x…", "nonce": "0x0", "balance": "0x0", "code": "0x…", "storage": [["slot", "value"], …]}, …]}
 * ```
 *
 * Accounts ascend by address and slots by number; there are no accounts with nothing in them and no slots of value 0, so
 * one state has one list.
 *
 * @module
 */

import { TraceError } from "./errors.js";
import {
  type Hex,
  isPlainJson,
  MAX_CHAIN_ID,
  MAX_UINT64,
  MAX_WORD,
  parseJson,
  quantity,
  Reader,
  toHex,
} from "./read.js";

/** The version of the format that is read and written. */
export const SNAPSHOT_VERSION = 1;

/** An account with all of its storage. */
export interface SnapshotAccount {
  /** 20 bytes. */
  readonly address: Hex;
  /** Below 2^64. */
  readonly nonce: bigint;
  /** Wei, below 2^256. */
  readonly balance: bigint;
  readonly code: Uint8Array;
  /** `[slot, value]`, ascending, no zero values. */
  readonly storage: readonly (readonly [bigint, bigint])[];
}

/** The state after a block. */
export interface Snapshot {
  readonly version: typeof SNAPSHOT_VERSION;
  readonly chainId: bigint;
  /** Number and hash of that block. */
  readonly number: bigint;
  readonly blockHash: Hex;
  readonly stateRoot: Hex;
  /** Ascending by address. */
  readonly accounts: readonly SnapshotAccount[];
}

const FIELDS = ["version", "chainId", "number", "blockHash", "stateRoot", "accounts"];
const read = new Reader("TRACE_FIELD");

/** The file of a snapshot. */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const { version, chainId, number, blockHash, stateRoot } = snapshot;
  const accounts = snapshot.accounts.map(({ address, nonce, balance, code, storage }) =>
    JSON.stringify({
      address,
      nonce: quantity(nonce),
      balance: quantity(balance),
      code: toHex(code),
      storage: storage.map((pair) => pair.map(quantity)),
    }),
  );
  const head = { version, chainId: quantity(chainId), number: quantity(number), blockHash, stateRoot };
  return new TextEncoder().encode(
    `${JSON.stringify(head).slice(0, -1)},"accounts":[${accounts.map((account) => `\n${account}`).join(",")}]}\n`,
  );
}

/**
 * Reads the file of a snapshot. That the accounts make up the state root is not checked.
 *
 * @throws TraceError `TRACE_JSON`, `TRACE_VERSION`, `TRACE_FIELD`, `TRACE_ORDER`
 */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const value = parseJson(bytes, "TRACE_JSON");
  const version = typeof value === "object" && value !== null && "version" in value ? value.version : undefined;
  if (version !== undefined && version !== SNAPSHOT_VERSION) {
    throw new TraceError("a version of the format that is not known here", {
      code: "TRACE_VERSION",
      where: "version",
      expected: String(SNAPSHOT_VERSION),
      got: typeof version === "number" ? String(version) : typeof version,
    });
  }
  const fields = read.object(value, "", FIELDS);
  const accounts = read
    .array(fields.accounts, "accounts")
    .map((account, i) => decodeAccount(account, `accounts[${i}]`));
  accounts.forEach(({ address }, i) => {
    if (i > 0 && accounts[i - 1]!.address >= address) throw outOfOrder(`accounts[${i}].address`, address);
  });
  const snapshot: Snapshot = {
    version: SNAPSHOT_VERSION,
    chainId: read.quantity(fields.chainId, "chainId", MAX_CHAIN_ID),
    number: read.quantity(fields.number, "number", MAX_UINT64),
    blockHash: read.hex(fields.blockHash, "blockHash", 32),
    stateRoot: read.hex(fields.stateRoot, "stateRoot", 32),
    accounts,
  };
  if (!isPlainJson(bytes, value)) {
    throw new TraceError("says more than it seems to", {
      code: "TRACE_JSON",
      expected: "each field once, plain integers, no escapes",
      got: "text that differs from what was read",
    });
  }
  return snapshot;
}

function decodeAccount(value: unknown, path: string): SnapshotAccount {
  const fields = read.object(value, path, ["address", "nonce", "balance", "code", "storage"]);
  const storage = read.array(fields.storage, `${path}.storage`).map((pair, i) => {
    const [slot, word] = read.array(pair, `${path}.storage[${i}]`, 2);
    const number = read.quantity(word, `${path}.storage[${i}][1]`, MAX_WORD);
    if (number === 0n) throw read.fault(`${path}.storage[${i}][1]`, "a slot that does not exist", "not 0", word);
    return [read.quantity(slot, `${path}.storage[${i}][0]`, MAX_WORD), number] as const;
  });
  storage.forEach(([slot], i) => {
    if (i > 0 && storage[i - 1]![0] >= slot) throw outOfOrder(`${path}.storage[${i}]`, quantity(slot));
  });
  const account: SnapshotAccount = {
    address: read.hex(fields.address, `${path}.address`, 20),
    nonce: read.quantity(fields.nonce, `${path}.nonce`, MAX_UINT64),
    balance: read.quantity(fields.balance, `${path}.balance`, MAX_WORD),
    code: read.bytes(fields.code, `${path}.code`),
    storage,
  };
  if (account.nonce === 0n && account.balance === 0n && account.code.length === 0) {
    throw read.fault(path, "an account with nothing in it", "nonce, balance or code", value);
  }
  return account;
}

function outOfOrder(where: string, got: string): TraceError {
  return new TraceError("not above the entry before", { code: "TRACE_ORDER", where, expected: "ascending order", got });
}
