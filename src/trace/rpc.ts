/**
 * Traces of blocks that another node has executed. The node gives the block, its parent and, by `prestateTracer`, what the
 * transactions found; the block is executed here, and what comes out is compared with what the header commits to. The
 * struct logger, which many providers refuse, is not needed.
 *
 * Nothing is believed that can be checked: headers and transactions by their hashes, the outcome by gas, bloom and receipts
 * root, accounts before and after by Merkle proofs under the state roots, if the node gives proofs.
 *
 * @module
 */

import { checkHeader, type Header } from "../verifier/ethereum/header.js";
import { orderedTrieRoot } from "../verifier/ethereum/trie.js";
import { wordToHex } from "../verifier/ethereum/words.js";
import { CrossCheckError, crossCheckTransaction, readStructLogs } from "./crosscheck.js";
import { stateRootOf } from "./ethereumjs.js";
import { type ExecutedBlock, executeBlock, traceOfBlock } from "./execute.js";
import type { Trace } from "./format.js";
import { type Hex, MAX_CHAIN_ID, MAX_UINT64, MAX_WORD, quantity, toHex } from "./read.js";
import {
  encodeTransaction,
  read,
  readHeader,
  receiptDifference,
  receiptsRootOf,
  traceHeaderOf,
  transactionHash,
} from "./rpc-block.js";
import { RpcClient, type RpcOptions } from "./rpc-client.js";
import { RpcError } from "./rpc-errors.js";
import { checkState, RpcState } from "./rpc-state.js";
import type { Fields } from "./rpc-values.js";
import { SNAPSHOT_VERSION, type Snapshot, type SnapshotAccount } from "./snapshot.js";
import { EMPTY_CODE } from "./state.js";

/** Bytes of a list of the whole state: more could not be held as one string. */
const MAX_DUMP = (1 << 29) - 1;

/** Which block of which node. */
export interface RpcBlockOptions extends RpcOptions {
  /** A number, or the newest one of a kind. */
  readonly block: bigint | "latest" | "safe" | "finalized";
  /** Whether accounts are compared with the state roots before and after the block; default true. */
  readonly stateProofs?: boolean | undefined;
}

/** A block of a node, executed here. */
export interface RpcTrace {
  readonly trace: Trace;
  /** What came of executing it. */
  readonly executed: ExecutedBlock;
  readonly hash: Hex;
  /** Hashes of its transactions. */
  readonly transactionHashes: readonly Hex[];
  /** What could not be asked of the node, and what was done instead. */
  readonly notes: readonly string[];
}

/**
 * Traces a block of a node.
 *
 * @throws RpcError where the node cannot be asked or contradicts itself or the execution here; TraceError for what cannot
 *   be proved; VerifierError `HEADER_INVALID`, `HEADER_UNSUPPORTED`: no replica would accept this header; `signal.reason`
 */
export async function traceFromRpc(options: RpcBlockOptions): Promise<RpcTrace> {
  const client = new RpcClient(options);
  const { signal, stateProofs = true } = options;
  const tag = typeof options.block === "bigint" ? quantity(options.block) : options.block;
  const [chain, found] = await client.callAll([
    { method: "eth_chainId", params: [] },
    { method: "eth_getBlockByNumber", params: [tag, true] },
  ]);
  const chainId = read.number(chain, "chain id", MAX_CHAIN_ID);
  const block = blockOf(found, typeof options.block === "bigint" ? `block ${options.block}` : `${tag} block`);
  const number = read.number(block.number, "block.number", MAX_UINT64);
  const where = `block ${number}`;
  if (number === 0n) throw new RpcError("the genesis block has nothing to trace", { code: "RPC_BLOCK", where });
  const { header, hash } = readHeader(block, where);
  if (typeof options.block === "bigint" && number !== options.block) {
    throw new RpcError("another block", { code: "RPC_MISMATCH", where: `block ${options.block}`, got: where });
  }
  const parentHash = wordToHex(header.parentHash) as Hex;
  const above = blockOf(await client.call("eth_getBlockByHash", parentHash, false), `block ${number - 1n}`);
  const { header: parent } = readHeader(above, `block ${number - 1n}`);
  checkHeader(header, parent, where);

  const { transactions, hashes } = await transactionsOf(client, block, header, where);
  const state = await RpcState.of(client, { number, hash, parentHash, transactions: hashes });
  const toExecute = { chainId, header: traceHeaderOf(header), transactions };
  const executed = await executeBlock(toExecute, state, { signal });
  await compareOutcome(client, header, hash, hashes, executed);
  const notes = state.note === undefined ? [] : [state.note];
  if (stateProofs) {
    const before = executed.preAccounts.map((account) => [account.address, account] as const);
    try {
      await checkState(client, { number: number - 1n, root: parent.stateRoot }, before);
      await checkState(client, { number, root: header.stateRoot }, [...executed.postAccounts]);
    } catch (error) {
      if (!(error instanceof RpcError) || !["RPC_METHOD", "RPC_PRUNED"].includes(error.code)) throw error;
      notes.push("the node gives no proofs (eth_getProof): accounts were not compared with the state roots");
    }
  }
  const root = wordToHex(parent.stateRoot) as Hex;
  return { trace: traceOfBlock(toExecute, root, executed), executed, hash, transactionHashes: hashes, notes };
}

/** @throws RpcError `RPC_BLOCK` */
function blockOf(answer: unknown, path: string): Fields {
  if (answer === null) throw new RpcError("the node has no such block", { code: "RPC_BLOCK", where: path });
  return read.object(answer, path);
}

/** The signed transactions of a block, as its header commits to them. */
async function transactionsOf(
  client: RpcClient,
  block: Fields,
  header: Header,
  where: string,
): Promise<{ transactions: Uint8Array[]; hashes: Hex[] }> {
  const list = read.list(block.transactions, `${where}.transactions`).map((tx, i) => {
    const path = `transaction ${i}`;
    const fields = read.object(tx, path);
    const hash = read.hex(fields.hash, `${path}.hash`, 32);
    const raw = encodeTransaction(fields, path);
    return { hash, raw: transactionHash(raw) === hash ? raw : undefined };
  });
  const hashes = list.map(({ hash }) => hash);
  // fields that are not those of the signed bytes: the node may still have these
  const unknown = [...list.keys()].filter((i) => list[i]!.raw === undefined);
  const fetched = await client.callAll(
    unknown.map((i) => ({ method: "eth_getRawTransactionByHash", params: [hashes[i]] })),
  );
  const transactions = list.map(({ raw }) => raw);
  unknown.forEach((i, k) => {
    const raw = read.bytes(fetched[k], `transaction ${i}`);
    const hash = transactionHash(raw);
    if (hash !== hashes[i]) {
      throw new RpcError("not the transaction of this hash", {
        code: "RPC_MISMATCH",
        where: `transaction ${i}`,
        expected: hashes[i],
        got: hash,
      });
    }
    transactions[i] = raw;
  });
  const complete = transactions as Uint8Array[];
  const root = orderedTrieRoot(complete);
  if (root !== header.transactionsRoot) {
    throw new RpcError("not the transactions of this block", {
      code: "RPC_MISMATCH",
      where: `${where}.transactionsRoot`,
      expected: wordToHex(header.transactionsRoot),
      got: wordToHex(root),
    });
  }
  return { transactions: complete, hashes };
}

/** @throws RpcError `RPC_MISMATCH` that names the first transaction with another outcome, if the node has receipts */
async function compareOutcome(
  client: RpcClient,
  header: Header,
  hash: Hex,
  hashes: readonly Hex[],
  executed: ExecutedBlock,
): Promise<void> {
  const root = receiptsRootOf(executed.receipts);
  const pairs = [
    ["receiptsRoot", wordToHex(header.receiptsRoot), wordToHex(root)],
    ["gasUsed", quantity(header.gasUsed), quantity(executed.gasUsed)],
    ["logsBloom", toHex(header.logsBloom), toHex(executed.logsBloom)],
  ] as const;
  const wrong = pairs.find(([, expected, got]) => expected !== got);
  if (wrong === undefined) return;
  const receipts = await receiptsOf(client, hash, hashes);
  const difference = receipts && receiptDifference(receipts, executed.receipts);
  if (difference !== undefined) {
    const { transaction, field, expected, got } = difference;
    throw new RpcError(`executed here, it comes to another ${field}`, {
      code: "RPC_MISMATCH",
      where: `transaction ${transaction} (${hashes[transaction]})`,
      expected,
      got,
    });
  }
  const [field, expected, got] = wrong;
  throw new RpcError("executed here, the block comes to another one", {
    code: "RPC_MISMATCH",
    where: `block ${header.number}.${field}`,
    expected: expected.slice(0, 66),
    got: got.slice(0, 66),
  });
}

/** The receipts of a block, `undefined` if the node does not give them. */
async function receiptsOf(
  client: RpcClient,
  hash: Hex,
  hashes: readonly Hex[],
): Promise<readonly unknown[] | undefined> {
  const calls = hashes.map((of) => ({ method: "eth_getTransactionReceipt", params: [of] }));
  for (const ask of [() => client.call("eth_getBlockReceipts", hash), () => client.callAll(calls)]) {
    const answer = await ask().catch((error: unknown) => {
      if (error instanceof RpcError) return undefined;
      throw error;
    });
    if (Array.isArray(answer) && answer.length === hashes.length) return answer;
  }
  return undefined;
}

/**
 * Compares the steps of a block with the node's own: its struct logs, one transaction after the other. Many providers refuse
 * them; anvil has them with `--steps-tracing`.
 *
 * @throws CrossCheckError `CROSSCHECK_MISMATCH` with the first step that is different, `CROSSCHECK_COUNT` if the node has kept
 *   none; RpcError
 */
export async function crossCheckWithNode(
  options: RpcOptions,
  { trace, transactionHashes }: Pick<RpcTrace, "trace" | "transactionHashes">,
): Promise<void> {
  const client = new RpcClient(options);
  const settings = { enableMemory: false, disableStorage: true, enableReturnData: false };
  for (const [i, hash] of transactionHashes.entries()) {
    const [log] = readStructLogs(await client.call("debug_traceTransaction", hash, settings));
    const execution = trace.executions[i]!;
    if (log!.steps.length === 0 && execution.steps.length > 0) {
      throw new CrossCheckError("the node has no steps of it", {
        code: "CROSSCHECK_COUNT",
        where: `transaction ${i}`,
        expected: `${execution.steps.length} steps; anvil keeps them with --steps-tracing`,
      });
    }
    crossCheckTransaction(execution, i, log!);
  }
}

/**
 * The whole state before a block, for a replica to start from. Only development nodes list their state, and only the newest:
 * of anvil, the block must be its newest one, and what the block has changed is taken back.
 *
 * @param traced the block, from {@link traceFromRpc} of the same node
 * @throws RpcError `RPC_SNAPSHOT` if the node does not list its state, if that is of another block, or does not make up the
 *   state root
 */
export async function snapshotFromRpc(options: RpcOptions, { trace }: Pick<RpcTrace, "trace">): Promise<Snapshot> {
  const { header, chainId, preState } = trace;
  const client = new RpcClient(options);
  const refuse = (message: string, expected?: string, got?: string, cause?: unknown) =>
    new RpcError(message, { code: "RPC_SNAPSHOT", where: `block ${header.number}`, expected, got, cause });
  const dump = await client.call("anvil_dumpState").catch((error: unknown) => {
    if (!(error instanceof RpcError) || error.code !== "RPC_METHOD") throw error;
    throw refuse("the node does not list its whole state", "a node with anvil_dumpState", error.got, error);
  });
  const listed = await unzipped(read.bytes(dump, "dump")).catch((cause: unknown) => {
    throw refuse(
      "the node's list of its state cannot be read",
      "JSON, compressed by gzip",
      cause instanceof Error ? cause.message : String(cause),
      cause,
    );
  });
  const { accounts, best_block_number: best } = read.object(listed, "dump");
  const newest = read.number(best, "dump.best_block_number", MAX_UINT64);
  if (newest !== header.number && newest !== header.number - 1n) {
    throw refuse("the node lists its newest state only", `that of block ${header.number}`, `block ${newest}`);
  }
  const state = new Map<Hex, Omit<SnapshotAccount, "storage"> & { readonly storage: Map<bigint, bigint> }>();
  for (const [key, value] of Object.entries(read.object(accounts, "dump.accounts"))) {
    const path = `dump.accounts.${key.slice(0, 60)}`;
    const address = read.hex(key, path, 20);
    const { nonce, balance, code, storage } = read.object(value, path);
    state.set(address, {
      address,
      nonce: read.number(nonce, `${path}.nonce`, MAX_UINT64),
      balance: read.number(balance, `${path}.balance`, MAX_WORD),
      code: read.bytes(code, `${path}.code`),
      storage: new Map(
        Object.entries(read.object(storage, `${path}.storage`)).map(([slot, word]) => [
          read.word(slot, `${path}.storage`),
          read.word(word, `${path}.storage.${slot.slice(0, 70)}`),
        ]),
      ),
    });
  }
  const codes = new Map<Hex, Uint8Array>([[EMPTY_CODE, new Uint8Array(0)]]);
  for (const { address, nonce, balance, codeHash, code, storage } of preState.accounts) {
    if (code !== undefined) codes.set(codeHash, code);
    const slots = state.get(address)?.storage ?? new Map<bigint, bigint>();
    for (const [slot, value] of storage) slots.set(slot, value);
    state.set(address, { address, nonce, balance, code: codes.get(codeHash)!, storage: slots });
  }
  const whole = [...state.values()]
    .filter(({ nonce, balance, code }) => nonce !== 0n || balance !== 0n || code.length > 0)
    .sort((a, b) => (a.address < b.address ? -1 : 1))
    .map((account): SnapshotAccount => {
      const slots = [...account.storage].filter(([, value]) => value !== 0n);
      return { ...account, storage: slots.sort(([a], [b]) => (a < b ? -1 : 1)) };
    });
  const root = await stateRootOf(whole);
  if (root !== preState.root) throw refuse("the listed accounts do not make up the state root", preState.root, root);
  return {
    version: SNAPSHOT_VERSION,
    chainId,
    number: header.number - 1n,
    blockHash: header.parentHash,
    stateRoot: root,
    accounts: whole,
  };
}

/** @throws RangeError if there is more than a string can hold: anvil lists the steps it has kept too */
async function unzipped(bytes: Uint8Array): Promise<unknown> {
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("gzip"));
  const decoder = new TextDecoder();
  const pieces: string[] = [];
  let size = 0;
  for await (const piece of stream as unknown as AsyncIterable<Uint8Array>) {
    size += piece.length;
    if (size > MAX_DUMP) throw new RangeError(`more than ${MAX_DUMP} bytes`);
    pieces.push(decoder.decode(piece, { stream: true }));
  }
  return JSON.parse(pieces.join("") + decoder.decode());
}
