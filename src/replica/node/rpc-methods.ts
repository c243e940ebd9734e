/**
 * The methods of a replica's JSON-RPC: reading only. Everything that they answer was proved, so `safe` and `finalized` are
 * the head, and there is nothing pending.
 *
 * @module
 */

import { type Hex, quantity, toHex } from "../../trace/read.js";
import { uintToBytes, wordToHex } from "../../verifier/ethereum/words.js";
import { VERSION } from "../../version.js";
import type { ReplicaChain } from "./chain.js";
import type { FollowerStatus } from "./follow.js";
import type { Position, StoredBlock } from "./records.js";
import type { RefusedProof } from "./refused.js";
import { blockJson, receiptJson, transactionJson } from "./rpc-json.js";
import type { StateView } from "./state.js";

/** What a call is answered with instead of a result. */
export class RpcFailure extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
    this.name = "RpcFailure";
  }
}

/** Codes of JSON-RPC 2.0 and of Ethereum's nodes. */
export const RPC_CODE = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  internal: -32603,
  /** The block is not known, as geth says it. */
  unknown: -32000,
  /** There is no such thing, as EIP-1474 says it. */
  missing: -32001,
  tooLarge: -32003,
} as const;

/** What the methods answer from. */
export interface RpcSource {
  readonly chain: ReplicaChain;
  /** Undefined: the chain is followed by nobody. */
  readonly status?: (() => FollowerStatus) | undefined;
}

type Params = readonly unknown[];
type Method = (source: RpcSource, params: Params) => Promise<unknown> | unknown;

const invalid = (index: number, message: string): RpcFailure =>
  new RpcFailure(RPC_CODE.params, `invalid argument ${index}: ${message}`);
const noHeader = (): RpcFailure => new RpcFailure(RPC_CODE.unknown, "header not found");

/** Bytes of this length; upper case as in checksummed addresses is accepted. */
function bytesParam(params: Params, index: number, length: number): bigint {
  const value = params[index];
  if (value === undefined) {
    throw new RpcFailure(RPC_CODE.params, `missing value for required argument ${index}`);
  }
  if (typeof value !== "string" || value.length !== 2 + 2 * length || !/^0x[0-9a-fA-F]*$/.test(value)) {
    throw invalid(index, `expected 0x and ${2 * length} hexadecimal digits`);
  }
  return BigInt(value);
}

const addressParam = (params: Params, index: number): bigint => bytesParam(params, index, 20);
const hashParam = (params: Params, index: number): bigint => bytesParam(params, index, 32);

/** A slot: up to 32 bytes, with or without leading zeros. */
function slotParam(params: Params, index: number): bigint {
  const value = params[index];
  if (value === undefined) {
    throw new RpcFailure(RPC_CODE.params, `missing value for required argument ${index}`);
  }
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{1,64}$/.test(value)) {
    throw invalid(index, "expected 0x and up to 64 hexadecimal digits");
  }
  return BigInt(value);
}

/** A number, or undefined for what is no quantity. */
function quantityOf(value: unknown): bigint | undefined {
  return typeof value === "string" && /^0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,15})$/.test(value) ? BigInt(value) : undefined;
}

/** The number that a tag stands for, or a quantity. */
function numberOf({ chain }: RpcSource, value: unknown, index: number): bigint {
  switch (value) {
    case undefined:
    case null:
    case "latest":
    case "safe":
    case "finalized":
    case "pending":
      return chain.head.number;
    case "earliest":
      return chain.database.origin.number;
    default: {
      const number = quantityOf(value);
      if (number !== undefined) return number;
      throw invalid(index, "expected a block number, latest, safe, finalized, pending or earliest");
    }
  }
}

/** A block by number, tag, or as EIP-1898 has it. */
async function positionParam(source: RpcSource, params: Params, index: number): Promise<Position> {
  const { database } = source.chain;
  const value = params[index];
  let number: bigint | undefined;
  if (typeof value === "object" && value !== null) {
    const { blockHash, blockNumber, requireCanonical, ...others } = value as Record<string, unknown>;
    const isHash = blockHash !== undefined;
    if (isHash === (blockNumber !== undefined) || Object.keys(others).length > 0) {
      throw invalid(index, "expected either blockHash or blockNumber");
    }
    if (requireCanonical !== undefined && typeof requireCanonical !== "boolean") {
      throw invalid(index, "requireCanonical is not a boolean");
    }
    // every block that is known is part of the chain
    if (isHash) {
      number = await database.numberOf(bytesParam([blockHash], 0, 32));
      if (number === undefined) throw new RpcFailure(RPC_CODE.unknown, "header for hash not found");
    } else {
      number = numberOf(source, blockNumber, index);
    }
  } else if (typeof value === "string" && value.length === 66) {
    number = await database.numberOf(hashParam(params, index));
    if (number === undefined) throw new RpcFailure(RPC_CODE.unknown, "header for hash not found");
  } else {
    number = numberOf(source, value, index);
  }
  const position = await database.position(number);
  if (position === undefined) throw noHeader();
  return position;
}

async function stateParam(source: RpcSource, params: Params, index: number): Promise<StateView> {
  return source.chain.database.state((await positionParam(source, params, index)).stateRoot);
}

function fullParam(params: Params, index: number): boolean {
  const value = params[index] ?? false;
  if (typeof value !== "boolean") throw invalid(index, "expected true or false");
  return value;
}

/** A block; null for one that is not known, or the snapshot's. */
async function blockByNumber(source: RpcSource, number: bigint, full: boolean): Promise<unknown> {
  const { chain } = source;
  const block = await chain.database.block(number);
  return block === undefined ? null : blockJson(block, chain.chainId, full);
}

async function blockOf(source: RpcSource, params: Params): Promise<StoredBlock | undefined> {
  const { database } = source.chain;
  const value = params[0];
  const number =
    typeof value === "string" && value.length === 66
      ? await database.numberOf(hashParam(params, 0))
      : numberOf(source, value, 0);
  return number === undefined ? undefined : database.block(number);
}

/** What a transaction is asked about by its hash. */
async function byTransaction(
  { chain }: RpcSource,
  params: Params,
  describe: (block: StoredBlock, index: number, chainId: bigint) => unknown,
): Promise<unknown> {
  const place = await chain.database.transaction(hashParam(params, 0));
  if (place === undefined) return null;
  const block = await chain.database.block(place.number);
  return block === undefined ? null : describe(block, place.index, chain.chainId);
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

function validJson(block: StoredBlock) {
  const { header, hash, proof, transactions, verifiedAt } = block;
  return {
    valid: true,
    number: quantity(header.number),
    hash: wordToHex(hash),
    stateRoot: wordToHex(header.stateRoot),
    gasUsed: quantity(header.gasUsed),
    transactions: transactions.length,
    proof: { digest: proof.digest, bytes: proof.bytes, chunks: proof.chunks, keySet: proof.keySet },
    verifiedAt: iso(verifiedAt),
  };
}

function refusedJson({ digest, number, hash, reason, faults, firstSeen, count, bytes }: RefusedProof) {
  return {
    valid: false,
    number: number === undefined ? null : quantity(number),
    hash: hash === undefined ? null : wordToHex(hash),
    reason,
    faults,
    proof: { digest, bytes },
    firstSeen: iso(firstSeen),
    count,
  };
}

/**
 * Whether a block is valid, as far as this replica can tell: by number, tag or hash. A block of the chain is; one of which
 * only bad proofs came is not known to be, and its faults are told. null: nothing is known of it.
 */
async function blockValidity(source: RpcSource, params: Params): Promise<unknown> {
  const { chain } = source;
  const { database } = chain;
  const value = params[0];
  const isHash = typeof value === "string" && value.length === 66;
  const hash = isHash ? hashParam(params, 0) : undefined;
  const number = hash === undefined ? numberOf(source, value, 0) : await database.numberOf(hash);
  if (number !== undefined) {
    const block = await database.block(number);
    if (block !== undefined) return validJson(block);
    if (number === database.origin.number) {
      const { hash: own, stateRoot } = database.origin;
      return {
        valid: true,
        number: quantity(number),
        hash: wordToHex(own),
        stateRoot: wordToHex(stateRoot),
        snapshot: true,
      };
    }
  }
  const refused = chain
    .refused()
    .findLast((proof) => (hash === undefined ? proof.number === number : proof.hash === hash));
  return refused === undefined ? null : refusedJson(refused);
}

/** How far the replica is. */
function status({ chain, status: follower }: RpcSource): unknown {
  const { head, keys, database } = chain;
  const now = follower?.();
  const refused = chain.refused();
  return {
    version: VERSION,
    chainId: quantity(chain.chainId),
    keySet: keys.digest,
    insecure: keys.insecure,
    snapshot: { number: quantity(database.origin.number), hash: wordToHex(database.origin.hash) },
    head: { number: quantity(head.number), hash: wordToHex(head.hash), stateRoot: wordToHex(head.stateRoot) },
    refused: refused.length,
    ...(now === undefined
      ? {}
      : {
          following: now.running,
          feedTip: now.feedTip === undefined ? null : quantity(now.feedTip),
          lag: now.lag,
          behindSeconds: now.behindSeconds,
          polledAt: now.polledAt === undefined ? null : iso(now.polledAt),
          feedError:
            now.feedError === undefined
              ? null
              : { code: now.feedError.code, message: now.feedError.message, since: iso(now.feedError.since) },
          ...(now.damaged === undefined ? {} : { damaged: { code: now.damaged.code, since: iso(now.damaged.since) } }),
          stalled:
            now.stalled === undefined
              ? null
              : {
                  number: quantity(now.stalled.number),
                  digest: now.stalled.digest,
                  faults: now.stalled.faults,
                  since: iso(now.stalled.since),
                },
        }),
  };
}

const bytes32 = (value: bigint): Hex => toHex(uintToBytes(value, 32));

/** By name. */
export const RPC_METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["web3_clientVersion", () => `chunkproof-replica/${VERSION}/node${process.versions.node}`],
  ["net_version", ({ chain }) => String(chain.chainId)],
  ["eth_chainId", ({ chain }) => quantity(chain.chainId)],
  ["eth_blockNumber", ({ chain }) => quantity(chain.head.number)],
  [
    "eth_syncing",
    ({ chain, status: follower }) => {
      const now = follower?.();
      if (now === undefined || now.lag === 0) return false;
      return {
        startingBlock: quantity(chain.database.origin.number),
        currentBlock: quantity(chain.head.number),
        highestBlock: quantity(now.feedTip ?? chain.head.number),
      };
    },
  ],
  [
    "eth_getBalance",
    async (source, params) => {
      const address = addressParam(params, 0);
      const account = await (await stateParam(source, params, 1)).account(address);
      return quantity(account?.balance ?? 0n);
    },
  ],
  [
    "eth_getTransactionCount",
    async (source, params) => {
      const address = addressParam(params, 0);
      const account = await (await stateParam(source, params, 1)).account(address);
      return quantity(account?.nonce ?? 0n);
    },
  ],
  [
    "eth_getCode",
    async (source, params) => {
      const address = addressParam(params, 0);
      return toHex(await (await stateParam(source, params, 1)).code(address));
    },
  ],
  [
    "eth_getStorageAt",
    async (source, params) => {
      const [address, slot] = [addressParam(params, 0), slotParam(params, 1)];
      return bytes32(await (await stateParam(source, params, 2)).slot(address, slot));
    },
  ],
  [
    "eth_getBlockByNumber",
    (source, params) => blockByNumber(source, numberOf(source, params[0], 0), fullParam(params, 1)),
  ],
  [
    "eth_getBlockByHash",
    async (source, params) => {
      const full = fullParam(params, 1);
      const number = await source.chain.database.numberOf(hashParam(params, 0));
      return number === undefined ? null : blockByNumber(source, number, full);
    },
  ],
  ["eth_getTransactionByHash", (source, params) => byTransaction(source, params, transactionJson)],
  ["eth_getTransactionReceipt", (source, params) => byTransaction(source, params, receiptJson)],
  [
    "eth_getBlockReceipts",
    async (source, params) => {
      const block = await blockOf(source, params);
      return block?.transactions.map((_, i) => receiptJson(block, i, source.chain.chainId)) ?? null;
    },
  ],
  ["chunkproof_getBlockValidity", blockValidity],
  ["chunkproof_status", (source) => status(source)],
]);
