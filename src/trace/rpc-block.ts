/**
 * Blocks as nodes write them: headers, transactions and receipts in the JSON of
 * https://ethereum.github.io/execution-apis/, brought into the bytes that hashes and roots are taken of.
 *
 * @module
 */

import { keccak_256 } from "@noble/hashes/sha3.js";
import { type Header, headerHash } from "../verifier/ethereum/header.js";
import { encodeReceipt } from "../verifier/ethereum/receipts.js";
import { encodeRlp, type RlpInput } from "../verifier/ethereum/rlp.js";
import { orderedTrieRoot } from "../verifier/ethereum/trie.js";
import { addressToHex, wordToHex } from "../verifier/ethereum/words.js";
import { TraceError } from "./errors.js";
import type { ExecutedReceipt } from "./execute.js";
import type { TraceHeader } from "./format.js";
import { bigEndian, type Hex, MAX_UINT64, MAX_WORD, quantity, toHex } from "./read.js";
import { RpcError } from "./rpc-errors.js";
import { type Fields, LooseReader } from "./rpc-values.js";

/** Reads what nodes answer. */
export const read = new LooseReader(
  (message, where, expected, got) => new RpcError(message, { code: "RPC_MALFORMED", where, expected, got }),
);

/** Header fields that came with a fork, by what came. */
const SINCE_CANCUN = ["withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"];
/** Header fields of later forks: what they bring is not what is proved here. */
const AFTER_CANCUN: Readonly<Record<string, string>> = {
  requestsHash: "Prague or later (it has a requestsHash)",
  blockAccessListHash: "Amsterdam or later (it has a blockAccessListHash)",
};

/**
 * The header of a block, whose hash is that of its fields.
 *
 * @param path of the block in messages, e.g. `block 5`
 * @throws RpcError `RPC_MALFORMED`, `RPC_FORK`, `RPC_MISMATCH`
 */
export function readHeader(block: Fields, path: string): { readonly header: Header; readonly hash: Hex } {
  const fork = (got: string) =>
    new RpcError("a block of another fork", { code: "RPC_FORK", where: path, expected: "Cancun", got });
  for (const [name, got] of Object.entries(AFTER_CANCUN)) if (block[name] != null) throw fork(got);
  const missing = SINCE_CANCUN.find((name) => block[name] == null);
  if (missing !== undefined) throw fork(`one before Cancun (it has no ${missing})`);
  const bytes = (name: string, length?: number) => read.bytes(block[name], `${path}.${name}`, length);
  const word = (name: string, length = 32) => bigEndian(bytes(name, length));
  const number = (name: string, max = MAX_UINT64) => read.number(block[name], `${path}.${name}`, max);
  const header: Header = {
    parentHash: word("parentHash"),
    ommersHash: word("sha3Uncles"),
    beneficiary: word("miner", 20),
    stateRoot: word("stateRoot"),
    transactionsRoot: word("transactionsRoot"),
    receiptsRoot: word("receiptsRoot"),
    logsBloom: bytes("logsBloom", 256),
    difficulty: number("difficulty", MAX_WORD),
    number: number("number"),
    gasLimit: number("gasLimit"),
    gasUsed: number("gasUsed"),
    timestamp: number("timestamp"),
    extraData: bytes("extraData"),
    prevRandao: word("mixHash"),
    nonce: word("nonce", 8),
    baseFeePerGas: number("baseFeePerGas", MAX_WORD),
    withdrawalsRoot: word("withdrawalsRoot"),
    blobGasUsed: number("blobGasUsed"),
    excessBlobGas: number("excessBlobGas"),
    parentBeaconBlockRoot: word("parentBeaconBlockRoot"),
  };
  const hash = read.hex(block.hash, `${path}.hash`, 32);
  const own = wordToHex(headerHash(header));
  if (own !== hash) {
    throw new RpcError("not the hash of its header: a fork or chain with other headers?", {
      code: "RPC_MISMATCH",
      where: `${path}.hash`,
      expected: own,
      got: hash,
    });
  }
  return { header, hash };
}

/** A header in the words of traces. */
export function traceHeaderOf(header: Header): TraceHeader {
  const word = (value: bigint) => wordToHex(value) as Hex;
  const { number, gasLimit, gasUsed, timestamp, baseFeePerGas, blobGasUsed, excessBlobGas } = header;
  return {
    parentHash: word(header.parentHash),
    coinbase: addressToHex(header.beneficiary) as Hex,
    stateRoot: word(header.stateRoot),
    transactionsRoot: word(header.transactionsRoot),
    receiptsRoot: word(header.receiptsRoot),
    logsBloom: toHex(header.logsBloom),
    number,
    gasLimit,
    gasUsed,
    timestamp,
    extraData: toHex(header.extraData),
    prevRandao: word(header.prevRandao),
    baseFeePerGas,
    withdrawalsRoot: word(header.withdrawalsRoot),
    blobGasUsed,
    excessBlobGas,
    parentBeaconBlockRoot: word(header.parentBeaconBlockRoot),
  };
}

/** Hash of a transaction: keccak-256 of its EIP-2718 bytes. */
export const transactionHash = (raw: Uint8Array): Hex => toHex(keccak_256(raw));

/**
 * The signed bytes of a transaction, put together from its fields. Whether they are the right ones is for their hash to say.
 *
 * @throws RpcError `RPC_MALFORMED`; TraceError `TRACE_TX_TYPE` for types other than 0, 1 and 2
 */
export function encodeTransaction(tx: Fields, path: string): Uint8Array {
  const type = read.number(tx.type ?? 0, `${path}.type`, 0xffn);
  if (type > 2n) {
    throw new TraceError("a transaction type that cannot be proved", {
      code: "TRACE_TX_TYPE",
      where: path,
      expected: "type 0, 1 or 2",
      got: `type ${type}`,
    });
  }
  const number = (name: string, max = MAX_WORD) => read.number(tx[name], `${path}.${name}`, max);
  const to = tx.to == null ? new Uint8Array(0) : read.bytes(tx.to, `${path}.to`, 20);
  const rest: RlpInput[] = [number("gas"), to, number("value"), read.bytes(tx.input ?? tx.data, `${path}.input`)];
  const signature = [number("r"), number("s")];
  if (type === 0n) return encodeRlp([number("nonce"), number("gasPrice"), ...rest, number("v"), ...signature]);
  const list = read.list(tx.accessList ?? [], `${path}.accessList`).map((entry, i): RlpInput => {
    const at = `${path}.accessList[${i}]`;
    const { address, storageKeys } = read.object(entry, at);
    const keys = read.list(storageKeys, `${at}.storageKeys`);
    return [
      read.bytes(address, `${at}.address`, 20),
      keys.map((key, j) => read.bytes(key, `${at}.storageKeys[${j}]`, 32)),
    ];
  });
  const fees = type === 1n ? [number("gasPrice")] : [number("maxPriorityFeePerGas"), number("maxFeePerGas")];
  const parity = read.number(tx.yParity ?? tx.v, `${path}.yParity`, 1n);
  const payload = encodeRlp([number("chainId"), number("nonce"), ...fees, ...rest, list, parity, ...signature]);
  return Uint8Array.of(Number(type), ...payload);
}

/** The root of the trie of receipts. */
export function receiptsRootOf(receipts: readonly ExecutedReceipt[]): bigint {
  return orderedTrieRoot(
    receipts.map((receipt) =>
      encodeReceipt({
        ...receipt,
        logs: receipt.logs.map(({ address, topics, data }) => ({
          address: BigInt(address),
          topics: topics.map(BigInt),
          data,
        })),
      }),
    ),
  );
}

/** What is different in a transaction's receipt. */
export interface ReceiptDifference {
  readonly transaction: number;
  /** E.g. `status`, `logs[1].topics[0]`. */
  readonly field: string;
  /** What the node says. */
  readonly expected: string;
  /** What the execution here comes to. */
  readonly got: string;
}

/**
 * The first difference between the receipts of a node and those of an execution, if there is one.
 *
 * @param receipts as the node answered
 * @throws RpcError `RPC_MALFORMED`
 */
export function receiptDifference(
  receipts: readonly unknown[],
  executed: readonly ExecutedReceipt[],
): ReceiptDifference | undefined {
  let before = 0n;
  for (const [i, ours] of executed.entries()) {
    const path = `receipts[${i}]`;
    const theirs = read.object(receipts[i], path);
    const list = read.list(theirs.logs, `${path}.logs`).map((log, j) => {
      const at = `${path}.logs[${j}]`;
      const { address, topics, data } = read.object(log, at);
      return {
        address: read.hex(address, `${at}.address`, 20),
        topics: read.list(topics, `${at}.topics`).map((topic, k) => read.hex(topic, `${at}.topics[${k}]`, 32)),
        data: read.hex(data, `${at}.data`),
      };
    });
    const cumulative = read.number(theirs.cumulativeGasUsed, `${path}.cumulativeGasUsed`, MAX_UINT64);
    const pairs: [field: string, expected: unknown, got: unknown][] = [
      ["status", read.number(theirs.status, `${path}.status`, 1n), BigInt(ours.status)],
      ["gasUsed", cumulative - before, ours.cumulativeGasUsed - before],
      ["logs", list.length, ours.logs.length],
      ...ours.logs.flatMap(({ address, topics, data }, j): typeof pairs => [
        [`logs[${j}].address`, list[j]?.address, address],
        [`logs[${j}].topics`, list[j]?.topics.join(), topics.join()],
        [`logs[${j}].data`, list[j]?.data, toHex(data)],
      ]),
    ];
    for (const [field, expected, got] of pairs) {
      if (expected !== got) return { transaction: i, field, expected: shown(expected), got: shown(got) };
    }
    before = ours.cumulativeGasUsed;
  }
  return undefined;
}

function shown(value: unknown): string {
  const text = typeof value === "bigint" ? quantity(value) : String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
