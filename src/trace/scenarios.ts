/**
 * Scenarios: a genesis and the transactions of one block, built in or from a JSON file.
 *
 * ```
 * {"name": "mine", "chainId": 1337,
 *  "block": {"timestamp": 1700000000, "coinbase": "0x…", "gasLimit": 30000000, "prevRandao": "0x…", "extraData": "0x",
 *            "parentBeaconBlockRoot": "0x…", "baseFeePerGas": 1000000000},
 *  "accounts": [
 *    {"name": "alice", "key": 0, "balance": "1000000000000000000"},
 *    {"name": "counter", "nonce": 1, "code": "0 SLOAD 1 ADD 0 SSTORE", "storage": {"0": 7}}],
 *  "transactions": [
 *    {"from": "alice", "to": "counter", "type": 2, "gas": 100000, "value": 0, "data": ["word", 5],
 *     "maxFeePerGas": 2000000000, "maxPriorityFeePerGas": 1000000,
 *     "accessList": [{"address": "counter", "storageKeys": [0]}]}]}
 * ```
 *
 * Numbers are JSON integers or strings, decimal or `0x…`. Accounts have an `address`, or a `key` (a number, one of the
 * well-known keys of {@link scenarioKey}, or 32 bytes in hex), or neither: then the address follows from the name. `to`,
 * `coinbase` and addresses of access lists may be names of accounts, `from` may be a name of an account with a key, or a
 * key. `code` is `0x…` or assembly text; `data` is `0x…` or a list of words. Nonces count up by themselves; types 0 and 1
 * have a `gasPrice`. Everything but `accounts`, `transactions` and their `from` and `to` may be left out.
 *
 * @module
 */

import { createAddressFromPrivateKey } from "@ethereumjs/util";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { assemble } from "./assembler.js";
import { COUNTER, FIBONACCI, REVERTER, SORT } from "./contracts.js";
import { TraceError } from "./errors.js";
import {
  type BlockFields,
  type BuiltBlock,
  type GenesisAccount,
  Sequencer,
  type SequencerOptions,
} from "./ethereumjs.js";
import {
  describe,
  fromHex,
  type Hex,
  MAX_CHAIN_ID,
  MAX_UINT64,
  MAX_WORD,
  parseJson,
  Reader,
  toHex,
  wordBytes,
} from "./read.js";
import type { Snapshot } from "./snapshot.js";
import { signTransaction } from "./transaction.js";

const GWEI = 10n ** 9n;
const ETHER = 10n ** 18n;
const DEFAULT_CHAIN_ID = 1337n;
const DEFAULT_GAS = 100_000n;
const MAX_KEY_INDEX = 2 ** 32;

/** Something to trace. */
export interface Scenario {
  readonly name: string;
  readonly chainId: bigint;
  readonly genesis: readonly GenesisAccount[];
  readonly header: NonNullable<SequencerOptions["header"]>;
  /** Raw signed. */
  readonly transactions: readonly Uint8Array[];
  /** Addresses of the accounts that have names. */
  readonly addresses: Readonly<Record<string, Hex>>;
}

/** The names that {@link loadScenario} knows. */
export const SCENARIO_NAMES = ["demo", "empty", "transfer", "counter"] as const;

/** A private key that everybody knows: keccak-256 of `chunkproof scenario key <index>`. */
export function scenarioKey(index: number): Uint8Array {
  return keccak_256(new TextEncoder().encode(`chunkproof scenario key ${index}`));
}

/** The address of a private key of 32 bytes. */
export function addressOf(privateKey: Uint8Array): Hex {
  return toHex(createAddressFromPrivateKey(privateKey).bytes);
}

/**
 * A built-in scenario by its name, or one from the text of a JSON file.
 *
 * @param nameOrJsonText text that begins with `{` is JSON
 * @throws TraceError `TRACE_SCENARIO` with the path of the field; `TRACE_ASSEMBLY`; `TRACE_TRANSACTION`
 */
export function loadScenario(nameOrJsonText: string): Scenario {
  if (nameOrJsonText.trimStart().startsWith("{")) return fromJson(parseJson(nameOrJsonText, "TRACE_SCENARIO"));
  const builtIn = Object.hasOwn(BUILT_IN, nameOrJsonText) ? BUILT_IN[nameOrJsonText] : undefined;
  if (builtIn === undefined) {
    throw new TraceError("no such scenario", {
      code: "TRACE_SCENARIO",
      expected: `${SCENARIO_NAMES.join(", ")}, or JSON`,
      got: describe(nameOrJsonText),
    });
  }
  return fromJson({ name: nameOrJsonText, ...builtIn() });
}

/** A scenario's block, and the state before it, from which a replica starts. */
export interface ScenarioRun extends BuiltBlock {
  readonly before: Snapshot;
  readonly sequencer: Sequencer;
}

/**
 * Executes a scenario.
 *
 * @throws TraceError those of `Sequencer.create` and `Sequencer.buildBlock`
 */
export async function runScenario({ chainId, genesis, header, transactions }: Scenario): Promise<ScenarioRun> {
  const sequencer = await Sequencer.create({ chainId, genesis, header });
  const before = await sequencer.snapshot();
  return { ...(await sequencer.buildBlock(transactions)), before, sequencer };
}

const BLOCK_FIELDS = [
  "timestamp",
  "coinbase",
  "gasLimit",
  "prevRandao",
  "extraData",
  "parentBeaconBlockRoot",
  "baseFeePerGas",
  "excessBlobGas",
];
const ACCOUNT_FIELDS = ["name", "key", "address", "nonce", "balance", "code", "storage"];
const TRANSACTION_FIELDS = [
  "type",
  "data",
  "value",
  "gas",
  "nonce",
  "gasPrice",
  "maxFeePerGas",
  "maxPriorityFeePerGas",
  "accessList",
];

const read = new Reader("TRACE_SCENARIO");

/** A number as people write it: a JSON integer, or a string, decimal or `0x…`. */
function number(value: unknown, path: string, max: bigint): bigint {
  const isInteger = typeof value === "number" && Number.isSafeInteger(value);
  if (isInteger || (typeof value === "string" && value.length <= 80 && /^(?:\d+|0x[0-9a-fA-F]+)$/.test(value))) {
    const result = BigInt(value as number | string);
    if (result >= 0n && result <= max) return result;
  }
  throw read.fault(path, "not a number in range", `0 to ${max}, as an integer or a string`, value);
}

function bytes(value: unknown, path: string, length?: number, max?: number): Uint8Array {
  return read.bytes(typeof value === "string" ? value.toLowerCase() : value, path, length, max);
}

function fromJson(value: unknown): Scenario {
  const top = read.object(value, "", ["accounts", "transactions"], ["name", "chainId", "block"]);
  const optional = <T>(field: unknown, path: string, parse: (field: unknown, path: string) => T): T | undefined =>
    field === undefined ? undefined : parse(field, path);
  const chainId = optional(top.chainId, "chainId", (field, path) => number(field, path, MAX_CHAIN_ID));
  const id = chainId ?? DEFAULT_CHAIN_ID;

  // no prototype: a name may be any word
  const addresses: Record<string, Hex> = Object.create(null);
  const keys = new Map<Hex, Uint8Array>();
  const privateKey = (field: unknown, path: string): Uint8Array => {
    if (typeof field === "number") return scenarioKey(read.integer(field, path, MAX_KEY_INDEX));
    const key = bytes(field, path, 32);
    try {
      addressOf(key);
    } catch (cause) {
      throw new TraceError("not a private key", { code: "TRACE_SCENARIO", where: path, cause });
    }
    return key;
  };
  const address = (field: unknown, path: string): Hex => {
    if (typeof field === "string" && Object.hasOwn(addresses, field)) return addresses[field]!;
    if (typeof field === "string" && field.startsWith("0x")) return toHex(bytes(field, path, 20));
    throw read.fault(path, "not an address", "20 bytes in hex, or the name of an account", field);
  };

  const genesis = read.array(top.accounts, "accounts").map((entry, i): GenesisAccount => {
    const path = `accounts[${i}]`;
    const fields = read.object(entry, path, [], ACCOUNT_FIELDS);
    const name = optional(fields.name, `${path}.name`, (field, at) => {
      const text = read.string(field, at);
      if (/^[A-Za-z_][\w-]{0,63}$/.test(text) && !Object.hasOwn(addresses, text)) return text;
      throw read.fault(at, "not a free name", "a name that no account before has", field);
    });
    const key = optional(fields.key, `${path}.key`, privateKey);
    let own: Hex;
    if (key !== undefined) {
      own = addressOf(key);
      keys.set(own, key);
      if (fields.address !== undefined)
        throw read.fault(`${path}.address`, "follows from the key", "nothing", fields.address);
    } else if (fields.address !== undefined) {
      own = toHex(bytes(fields.address, `${path}.address`, 20));
    } else if (name !== undefined) {
      own = toHex(keccak_256(new TextEncoder().encode(name)).subarray(12));
    } else {
      throw read.fault(path, "an account without address", "name, key or address", entry);
    }
    if (name !== undefined) addresses[name] = own;
    const nonce = optional(fields.nonce, `${path}.nonce`, (field, at) => number(field, at, MAX_UINT64)) ?? 0n;
    const balance = optional(fields.balance, `${path}.balance`, (field, at) => number(field, at, MAX_WORD)) ?? 0n;
    const code = optional(fields.code, `${path}.code`, (field, at) => codeOf(read.string(field, at), at));
    const storage = optional(fields.storage, `${path}.storage`, storageOf) ?? [];
    return { address: own, nonce, balance, ...(code === undefined ? {} : { code }), storage };
  });

  const block = read.object(top.block ?? {}, "block", [], BLOCK_FIELDS);
  const header: Record<string, bigint | Hex> = {};
  for (const name of BLOCK_FIELDS) {
    const field = block[name];
    const path = `block.${name}`;
    if (field === undefined) continue;
    if (name === "coinbase") header[name] = address(field, path);
    else if (name === "extraData") header[name] = toHex(bytes(field, path, undefined, 32));
    else if (name === "prevRandao" || name === "parentBeaconBlockRoot") header[name] = toHex(bytes(field, path, 32));
    else header[name] = number(field, path, name === "baseFeePerGas" ? MAX_WORD : MAX_UINT64);
  }

  const nonces = new Map(genesis.map(({ address: own, nonce = 0n }) => [own, nonce]));
  const transactions = read.array(top.transactions, "transactions").map((entry, i) => {
    const path = `transactions[${i}]`;
    const fields = read.object(entry, path, ["from", "to"], TRANSACTION_FIELDS);
    const from = fields.from;
    const named = typeof from === "string" && Object.hasOwn(addresses, from) ? keys.get(addresses[from]!) : undefined;
    if (named === undefined && typeof from === "string" && !from.startsWith("0x")) {
      throw read.fault(
        `${path}.from`,
        "no account with a key has this name",
        "a name, a number, or 32 bytes in hex",
        from,
      );
    }
    const key = named ?? privateKey(from, `${path}.from`);
    const sender = addressOf(key);
    const nonce =
      optional(fields.nonce, `${path}.nonce`, (field, at) => number(field, at, MAX_UINT64)) ?? nonces.get(sender) ?? 0n;
    nonces.set(sender, nonce + 1n);
    const type = read.integer(fields.type ?? 2, `${path}.type`, 2) as 0 | 1 | 2;
    const wei = (name: string, otherwise: bigint) =>
      optional(fields[name], `${path}.${name}`, (field, at) => number(field, at, MAX_WORD)) ?? otherwise;
    const forbidden = type === 2 ? ["gasPrice"] : ["maxFeePerGas", "maxPriorityFeePerGas"];
    for (const name of type === 0 ? [...forbidden, "accessList"] : forbidden) {
      const field = fields[name];
      if (field !== undefined) throw read.fault(`${path}.${name}`, `not a field of type ${type}`, "nothing", field);
    }
    const accessList = optional(fields.accessList, `${path}.accessList`, (list, at) =>
      read.array(list, at).map((item, j) => {
        const { address: of, storageKeys } = read.object(item, `${at}[${j}]`, ["address", "storageKeys"]);
        return {
          address: address(of, `${at}[${j}].address`),
          storageKeys: read
            .array(storageKeys, `${at}[${j}].storageKeys`)
            .map((slot, k) => number(slot, `${at}[${j}].storageKeys[${k}]`, MAX_WORD)),
        };
      }),
    );
    const data = optional(fields.data, `${path}.data`, dataOf);
    const gasLimit = optional(fields.gas, `${path}.gas`, (field, at) => number(field, at, MAX_UINT64)) ?? DEFAULT_GAS;
    const prices =
      type === 2
        ? {
            maxFeePerGas: wei("maxFeePerGas", 2n * GWEI),
            maxPriorityFeePerGas: wei("maxPriorityFeePerGas", GWEI / 10n),
          }
        : { gasPrice: wei("gasPrice", 2n * GWEI) };
    return signTransaction(
      {
        type,
        nonce,
        to: address(fields.to, `${path}.to`),
        value: wei("value", 0n),
        ...(data === undefined ? {} : { data }),
        gasLimit,
        ...prices,
        ...(accessList === undefined ? {} : { accessList }),
      },
      id,
      key,
    );
  });
  return {
    name: optional(top.name, "name", (field, path) => read.string(field, path)) ?? "scenario",
    chainId: id,
    genesis,
    header: header as BlockFields,
    transactions,
    addresses,
  };
}

function codeOf(text: string, path: string): Uint8Array {
  if (text.startsWith("0x")) return bytes(text, path);
  try {
    return assemble(text);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    const { code, where, expected, got } = error;
    throw new TraceError("cannot be assembled", { code, where: `${path}, ${where}`, expected, got, cause: error });
  }
}

function storageOf(value: unknown, path: string): [bigint, bigint][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw read.fault(path, "not an object", "an object from slots to values", value);
  }
  const slots = new Map<bigint, bigint>();
  for (const [slot, word] of Object.entries(value)) {
    const key = number(slot, `${path} (slot ${slot.slice(0, 80)})`, MAX_WORD);
    if (slots.has(key)) throw read.fault(path, "a slot that was there before", "another slot", slot);
    slots.set(key, number(word, `${path}[${slot}]`, MAX_WORD));
  }
  return [...slots];
}

function dataOf(value: unknown, path: string): Uint8Array {
  if (!Array.isArray(value)) return bytes(value, path);
  const words = value.map((word, i) => wordBytes(number(word, `${path}[${i}]`, MAX_WORD)));
  return fromHex(`0x${words.map((word) => toHex(word).slice(2)).join("")}`);
}

const COINBASE = "0xc0ffee0000000000000000000000000000000000";
const BLOCK = { timestamp: 1_700_000_000, coinbase: COINBASE, prevRandao: `0x${"5a".repeat(32)}` };
/** Accounts with keys 0 to 2 and an ether each. */
const PEOPLE = ["alice", "bob", "carol"].map((name, key) => ({ name, key, balance: String(ETHER) }));

/** The built-in scenarios, as the JSON they could be. */
const BUILT_IN: Readonly<Record<string, () => object>> = {
  empty: () => ({ block: BLOCK, accounts: PEOPLE, transactions: [] }),
  transfer: () => ({
    block: BLOCK,
    accounts: PEOPLE,
    transactions: [{ from: "alice", to: "bob", type: 2, value: 12345, gas: 21000 }],
  }),
  counter: () => ({
    block: BLOCK,
    accounts: [...PEOPLE, { name: "counter", nonce: 1, code: COUNTER, storage: { 0: 41 } }],
    transactions: [{ from: "alice", to: "counter", type: 0 }],
  }),
  demo: () => ({
    block: BLOCK,
    accounts: [
      ...PEOPLE,
      { name: "fibonacci", nonce: 1, code: FIBONACCI },
      { name: "sort", nonce: 1, code: SORT },
      { name: "counter", nonce: 1, code: COUNTER, storage: { 0: 41 } },
      { name: "reverter", nonce: 1, code: REVERTER, storage: { 0: 5 } },
    ],
    transactions: [
      { from: "alice", to: "fibonacci", type: 2, data: [50] },
      { from: "bob", to: "sort", type: 2, data: [8, 17, 3, "0xffffffffffffffffffffffffffffffff", 5, 11, 99, 3, 42] },
      { from: "alice", to: "counter", type: 0 },
      { from: "bob", to: "counter", type: 1, accessList: [{ address: "counter", storageKeys: [0] }] },
      { from: "carol", to: "counter", type: 2, maxPriorityFeePerGas: 1 },
      { from: "carol", to: "reverter", type: 2, data: [1], value: 1000 },
      { from: "bob", to: "carol", type: 2, value: String(ETHER / 4n), gas: 21000 },
    ],
  }),
};
