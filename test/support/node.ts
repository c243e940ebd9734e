/**
 * A node for tests: what it answers is what the test says, or what a chain of the embedded sequencer has done.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BlockHeader } from "@ethereumjs/block";
import type { BuiltBlock } from "../../src/trace/ethereumjs.js";
import type { ExecutedReceipt } from "../../src/trace/execute.js";
import { quantity, toHex, wordBytes } from "../../src/trace/read.js";
import { decodeTransaction } from "../../src/trace/transaction.js";
import { replayTrace } from "../../src/trace/validate.js";

// biome-ignore lint/suspicious/noExplicitAny: parameters and answers of any method
export type Handler = (...params: any[]) => unknown;
/** Methods and what they answer; a thrown {@link NodeError} is the answer's error. */
export type Handlers = Record<string, Handler>;

/** An error as a node answers it. */
export class NodeError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** A running server. */
export interface TestNode {
  readonly url: string;
  /** Names of the methods that were asked for, in their order. */
  readonly asked: string[];
  close(): Promise<void>;
}

/**
 * Starts a node.
 *
 * @param handlers looked into with each request
 * @param before answers instead of the handlers if it returns true
 */
export async function startTestNode(
  handlers: Handlers,
  before: (request: IncomingMessage, response: ServerResponse, body: string) => boolean = () => false,
): Promise<TestNode> {
  const asked: string[] = [];
  const answer = ({ id, method, params }: { id: number; method: string; params: unknown[] }) => {
    asked.push(method);
    try {
      const handler = handlers[method];
      if (handler === undefined) throw new NodeError(-32601, "Method not found");
      return { jsonrpc: "2.0", id, result: handler(...params) };
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      return { jsonrpc: "2.0", id, error: { code: error.code, message: error.message } };
    }
  };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    if (before(request, response, body)) return;
    const calls = JSON.parse(body);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(Array.isArray(calls) ? calls.map(answer) : answer(calls)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A header as nodes write it. */
function headerJson(header: BlockHeader) {
  return {
    hash: toHex(header.hash()),
    parentHash: toHex(header.parentHash),
    sha3Uncles: toHex(header.uncleHash),
    miner: toHex(header.coinbase.bytes),
    stateRoot: toHex(header.stateRoot),
    transactionsRoot: toHex(header.transactionsTrie),
    receiptsRoot: toHex(header.receiptTrie),
    logsBloom: toHex(header.logsBloom),
    difficulty: quantity(header.difficulty),
    number: quantity(header.number),
    gasLimit: quantity(header.gasLimit),
    gasUsed: quantity(header.gasUsed),
    timestamp: quantity(header.timestamp),
    extraData: toHex(header.extraData),
    mixHash: toHex(header.mixHash),
    nonce: toHex(header.nonce),
    baseFeePerGas: quantity(header.baseFeePerGas!),
    withdrawalsRoot: toHex(header.withdrawalsRoot!),
    blobGasUsed: quantity(header.blobGasUsed!),
    excessBlobGas: quantity(header.excessBlobGas!),
    parentBeaconBlockRoot: toHex(header.parentBeaconBlockRoot!),
    uncles: [],
    withdrawals: [],
  };
}

function transactionJson(raw: Uint8Array, chainId: bigint) {
  const tx = decodeTransaction(raw, chainId, "transaction");
  const { gasLimit, data, ...rest } = tx.toJSON();
  return { ...rest, type: quantity(BigInt(tx.type)), gas: gasLimit, input: data, hash: toHex(tx.hash()) };
}

function receiptJson({ status, cumulativeGasUsed, logs }: ExecutedReceipt) {
  return {
    status: quantity(BigInt(status)),
    cumulativeGasUsed: quantity(cumulativeGasUsed),
    logs: logs.map(({ address, topics, data }) => ({ address, topics, data: toHex(data) })),
  };
}

/** A block of {@link chainNode} in JSON. */
// biome-ignore lint/suspicious/noExplicitAny: tests change all of it
export type BlockJson = Record<string, any>;

/**
 * What a node answers that has executed these blocks, the first of which is number 1. It has `prestateTracer`, of which it
 * tells everything with the first transaction, receipts, and the state before each block; no proofs.
 */
export async function chainNode(genesis: BlockHeader, built: readonly BuiltBlock[]): Promise<Handlers> {
  const receipts: unknown[][] = [];
  for (const { trace } of built) receipts.push((await replayTrace(trace)).receipts.map(receiptJson));
  const blocks: BlockJson[] = [
    { ...headerJson(genesis), transactions: [] },
    ...built.map(({ block, trace }) => ({
      ...headerJson(block.header),
      transactions: trace.transactions.map((raw) => transactionJson(raw, trace.chainId)),
    })),
  ];
  const find = (of: string) => blocks.findIndex(({ number, hash }) => number === of || hash === of);
  const brief = (i: number) => {
    const block = blocks[i];
    return block === undefined
      ? null
      : structuredClone({ ...block, transactions: block.transactions.map(({ hash }: BlockJson) => hash) });
  };
  const blockJson = (of: string, full: boolean) => {
    const i = of === "latest" ? blocks.length - 1 : find(of);
    return full ? structuredClone(blocks[i] ?? null) : brief(i);
  };
  const accountBefore = (address: string, parent: string) => {
    const { accounts } = built[find(parent)]!.trace.preState;
    const account = accounts.find((other) => other.address === address);
    const code = accounts.find(({ codeHash, code }) => codeHash === account?.codeHash && code !== undefined)?.code;
    return { ...account, code };
  };
  return {
    eth_chainId: () => quantity(built[0]!.trace.chainId),
    eth_getBlockByNumber: blockJson,
    eth_getBlockByHash: blockJson,
    eth_getBlockReceipts: (hash: string) => receipts[find(hash) - 1],
    eth_getCode: (address: string, parent: string) => toHex(accountBefore(address, parent).code ?? new Uint8Array(0)),
    eth_getBalance: (address: string, parent: string) => quantity(accountBefore(address, parent).balance ?? 0n),
    eth_getTransactionCount: (address: string, parent: string) => quantity(accountBefore(address, parent).nonce ?? 0n),
    eth_getStorageAt: (address: string, slot: string, parent: string) =>
      toHex(wordBytes(accountBefore(address, parent).storage?.find(([key]) => key === BigInt(slot))?.[1] ?? 0n)),
    debug_traceBlockByHash: (hash: string) => {
      const { trace } = built[find(hash) - 1]!;
      const everything = Object.fromEntries(
        trace.preState.accounts.map(({ address, nonce, balance, codeHash, storage }) => {
          const code = trace.preState.accounts.find((other) => other.codeHash === codeHash && other.code)?.code;
          return [
            address,
            {
              balance: quantity(balance),
              ...(nonce === 0n ? {} : { nonce: Number(nonce) }),
              ...(code === undefined ? {} : { code: toHex(code) }),
              storage: Object.fromEntries(
                storage.map(([slot, value]) => [toHex(wordBytes(slot)), toHex(wordBytes(value))]),
              ),
            },
          ];
        }),
      );
      return blocks[find(hash)]!.transactions.map(({ hash: txHash }: BlockJson, i: number) => ({
        txHash,
        result: i === 0 ? everything : {},
      }));
    },
  };
}
