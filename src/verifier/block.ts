/**
 * Verification of a block: chunk proofs, the verifier's own messages, and what Ethereum asks of a block beside its
 * execution. See docs/protocol.md.
 *
 * @module
 */

import { bytesToHex } from "@noble/hashes/utils.js";
import { type BlockState, readAccount, readCommitment, readTouchedState } from "./block-state.js";
import {
  type Boundary,
  chunksFault,
  completeBoundary,
  outlineBoundary,
  type SignedTransaction,
  type StateDiff,
  transactionsFault,
} from "./boundary.js";
import { busSum, type Challenges, fieldsOf, type Message } from "./bus.js";
import { type ChunkProof, decodeChunkProof, verifyChunks } from "./chunk.js";
import { type BlockProof, decodeBlockProof, encodeBlockProof } from "./encoding.js";
import { VerifierError, type VerifierErrorCode } from "./errors.js";
import { BEACON_ROOTS_ADDRESS, checkHeader, decodeHeader, type Header } from "./ethereum/header.js";
import { blockBloom, encodeReceipt, type Receipt } from "./ethereum/receipts.js";
import { decodeTransaction, recoverSender } from "./ethereum/transaction.js";
import { orderedTrieRoot } from "./ethereum/trie.js";
import { EMPTY_CODE_HASH, toHex, wordToHex } from "./ethereum/words.js";
import { FR_MODULUS } from "./fq2.js";
import { describe } from "./json.js";
import { type KeySet, openKeySet } from "./keyset.js";
import { challenges } from "./transcript.js";

/** What a block is verified against: all of it the replica's own. */
export interface VerifyBlockOptions {
  /** The state that the block starts from. */
  readonly state: BlockState;
  /** The keys to accept, from `parseKeySet`. */
  readonly keys: KeySet;
  /** Of the replica's chain, below 2^256. */
  readonly chainId: bigint;
  /**
   * The header of the block before, known to be valid. Without it, number, time, gas limit and base fee are taken as the
   * block says, and so is the hash of its parent.
   */
  readonly parent?: Header | undefined;
}

/** Why a block is refused. */
export interface BlockFault {
  readonly code: VerifierErrorCode;
  /** The chunk, transaction, claim or field it was found in; empty: the whole proof. */
  readonly where: string;
  readonly message: string;
}

/** The verdict on a block proof. */
export type BlockValidity =
  | {
      readonly valid: true;
      readonly faults: readonly [];
      readonly header: Header;
      readonly transactions: readonly SignedTransaction[];
      readonly receipts: readonly Receipt[];
      readonly gasUsed: bigint;
      /** What the block changes in the state. */
      readonly stateDiff: StateDiff;
    }
  | {
      readonly valid: false;
      /** At least one. */
      readonly faults: readonly BlockFault[];
      /** What was read of it; nothing of it is true. */
      readonly header: Header | undefined;
    };

/** Ends a stage of verification that found faults. Never leaves this module. */
class Refusal {
  readonly faults: readonly VerifierError[];

  constructor(faults: readonly VerifierError[]) {
    this.faults = faults;
  }
}

/** Only as many faults of a kind as anybody would read. */
const MAX_FAULTS = 64;

const refuseIf = (faults: readonly (VerifierError | undefined)[]): void => {
  const found = faults.filter((fault) => fault !== undefined);
  if (found.length > 0) throw new Refusal(found.slice(0, MAX_FAULTS));
};

/** Runs an action whose VerifierErrors are faults of the proof. */
function attempt<T>(action: () => T): { value: T } | { fault: VerifierError } {
  try {
    return { value: action() };
  } catch (fault) {
    if (fault instanceof VerifierError) return { fault };
    throw fault;
  }
}

function orRefuse<T>(action: () => T): T {
  const result = attempt(action);
  if ("fault" in result) throw new Refusal([result.fault]);
  return result.value;
}

const optionError = (where: string, expected: string, got: unknown): VerifierError =>
  new VerifierError("not an option of verifyBlock", {
    code: "OPTIONS_INVALID",
    where: `options.${where}`,
    expected,
    got: describe(got),
  });

function checkOptions({ state, keys, chainId, parent }: VerifyBlockOptions): void {
  if (typeof state !== "object" || state === null) throw optionError("state", "BlockState", state);
  for (const name of ["commitment", "account", "code", "slot"] as const) {
    if (typeof state[name] !== "function") throw optionError(`state.${name}`, "function", state[name]);
  }
  for (const name of ["blockHash", "postStateRoot"] as const) {
    const method: unknown = state[name];
    if (method === undefined || typeof method === "function") continue;
    throw optionError(`state.${name}`, "function or undefined", method);
  }
  openKeySet(keys);
  if (typeof chainId !== "bigint" || chainId < 0n || chainId >> 256n !== 0n) {
    throw optionError("chainId", "bigint below 2^256", chainId);
  }
  if (parent !== undefined && (typeof parent !== "object" || parent === null)) {
    throw optionError("parent", "Header", parent);
  }
}

/**
 * The proof as this verifier reads it. An object is written and read again: then it is what its bytes are, whatever getters
 * it had.
 */
function readProof(proof: unknown): BlockProof {
  return decodeBlockProof(proof instanceof Uint8Array ? proof : encodeBlockProof(proof as BlockProof));
}

/** Signers cost a millisecond each; there are no more of them than gas pays for. */
function readTransactions(proof: BlockProof, header: Header, chainId: bigint): SignedTransaction[] {
  refuseIf([transactionsFault(proof.transactions.length, header)]);
  const faults: VerifierError[] = [];
  const transactions = proof.transactions.flatMap((bytes, i): SignedTransaction[] => {
    const where = `transactions[${i}]`;
    const result = attempt(() => {
      const transaction = decodeTransaction(bytes, chainId, where);
      return { transaction, sender: recoverSender(transaction, where) };
    });
    if ("value" in result) return [result.value];
    faults.push(result.fault);
    return [];
  });
  refuseIf(faults);
  return transactions;
}

const mismatch = (field: keyof Header, expected: string, got: string): VerifierError =>
  new VerifierError("not what follows from the block", {
    code: "HEADER_MISMATCH",
    where: `header.${field}`,
    expected,
    got,
  });

/** What the header says of the block's contents against what they are. */
function checkContents(header: Header, transactions: readonly Uint8Array[], boundary: Boundary): void {
  const { receipts, gasUsed } = boundary;
  const word = (field: "transactionsRoot" | "receiptsRoot", expected: bigint) =>
    header[field] === expected ? undefined : mismatch(field, wordToHex(expected), wordToHex(header[field]));
  const bloom = blockBloom(receipts);
  refuseIf([
    word("transactionsRoot", orderedTrieRoot(transactions)),
    word("receiptsRoot", orderedTrieRoot(receipts.map(encodeReceipt))),
    toHex(header.logsBloom) === toHex(bloom)
      ? undefined
      : mismatch("logsBloom", "the bloom filter of the block's logs", "another one"),
    header.gasUsed === gasUsed ? undefined : mismatch("gasUsed", String(gasUsed), String(header.gasUsed)),
  ]);
}

/** Messages whose sends and receives don't cancel. */
function unmatched(messages: readonly Message[]): Message[] {
  const net = new Map<string, Message>();
  for (const m of messages) {
    const key = `${m.tag} ${m.coordinates.join()}`;
    const multiplicity = (net.get(key)?.multiplicity ?? 0n) + m.multiplicity;
    if (multiplicity === 0n) net.delete(key);
    else net.set(key, { ...m, multiplicity });
  }
  return [...net.values()];
}

/** How many unmatched messages a fault quotes. */
const QUOTED = 2;

const show = (m: Message): string => {
  const fields = Object.entries(fieldsOf(m)).map(
    ([name, value]) => `${name} ${value > 0xffffn ? `0x${value.toString(16)}` : value}`,
  );
  return `${m.tag} ${m.multiplicity > 0n ? "sent" : "received"} (${fields.join(", ")})`;
};

/** Whether everything that is sent is received. */
function busFault(
  messages: readonly Message[],
  chunks: readonly ChunkProof[],
  drawn: Challenges,
): VerifierError | undefined {
  const own = attempt(() => busSum(messages, drawn));
  if ("fault" in own) return own.fault;
  const sum = chunks.reduce((total, chunk) => total + chunk.sum, own.value) % FR_MODULUS;
  if (sum === 0n) return undefined;
  // without chunks there is nobody else to have sent or received it
  const loose = chunks.length === 0 ? unmatched(messages) : [];
  const more = loose.length > QUOTED ? ` and ${loose.length - QUOTED} more` : "";
  return new VerifierError("what is sent on the bus isn't what is received", {
    code: "BUS_UNBALANCED",
    where: "bus",
    expected: "sum 0",
    got: loose.length === 0 ? wordToHex(sum) : `unmatched: ${loose.slice(0, QUOTED).map(show).join("; ")}${more}`,
  });
}

/** Renames the `chunk` that errors about one chunk begin with. */
const inChunk = (error: VerifierError, i: number): VerifierError =>
  new VerifierError(error.message.replace(`${error.where}: `, ""), {
    code: error.code,
    where: `chunks[${i}]${error.where?.startsWith("chunk.") ? error.where.slice("chunk".length) : ""}`,
    cause: error,
  });

/** The proofs of the chunks, and the sum over the bus. */
function checkChunks(proof: BlockProof, messages: readonly Message[], { keys, chainId }: VerifyBlockOptions): void {
  const drawn = challenges({
    keySet: proof.keySet,
    chainId,
    header: proof.header,
    preState: proof.claims.preState,
    messages,
    chunks: proof.chunks.map(({ layout, proof: bytes }) => ({
      layout,
      d: bytes.subarray(128, 160),
      p: bytes.subarray(160, 192),
    })),
  });
  const faults: VerifierError[] = [];
  const chunks = proof.chunks.flatMap(({ layout, proof: bytes }, i) => {
    const result = attempt(() => decodeChunkProof(bytes, layout));
    if ("value" in result) return [result.value];
    faults.push(inChunk(result.fault, i));
    return [];
  });
  // the sums of chunks that cannot be read are unknown
  refuseIf(faults);
  const { invalid } = verifyChunks(keys, drawn, chunks);
  refuseIf([...invalid.map(({ index, error }) => inChunk(error, index)), busFault(messages, chunks, drawn)]);
}

/**
 * Verifies a block.
 *
 * It goes from the cheap to the dear, and stops behind the first of these stages that finds faults, with all of that stage:
 * form; header; transactions; pre-state and key set; what the proof claims, first alone, then with the state; the header
 * against the contents; chunk proofs and bus; the root of the state after the block, if `state` can compute it.
 *
 * A block on another state than the replica's is reported as `BLOCK_PRE_STATE`, one that asks for the hash of an older
 * block which `state` doesn't know as `BLOCK_ANCESTRY`: that says nothing about the proof.
 *
 * @param proof from anywhere; no proof makes this throw
 * @throws VerifierError `OPTIONS_INVALID`, `KEYSET_MALFORMED`, `STATE_INVALID`, `RANDOMNESS_UNAVAILABLE`,
 *   `BATCH_INCONSISTENT`: all about the caller's side; and whatever `state` throws
 */
export async function verifyBlock(proof: Uint8Array | BlockProof, options: VerifyBlockOptions): Promise<BlockValidity> {
  checkOptions(options);
  const { state, keys, chainId, parent } = options;
  let header: Header | undefined;
  try {
    const read = orRefuse(() => readProof(proof));
    header = orRefuse(() => decodeHeader(read.header));
    const decoded = header;
    orRefuse(() => checkHeader(decoded, parent));
    const transactions = readTransactions(read, decoded, chainId);

    const commitment = await readCommitment(state);
    refuseIf([keySetFault(read, keys), preStateFault(read, commitment)]);
    refuseIf([await beaconRootsFault(state)]);

    const outline = outlineBoundary({ chainId, header: decoded, transactions, claims: read.claims });
    if (outline.value === undefined) throw new Refusal(outline.faults);
    refuseIf([chunksFault(read.chunks.length, outline.value)]);
    const boundary = completeBoundary(outline.value, await readTouchedState(state, outline.value));
    if (boundary.value === undefined) throw new Refusal(boundary.faults);

    checkContents(decoded, read.transactions, boundary.value);
    checkChunks(read, boundary.value.messages, options);
    const { stateDiff, receipts, gasUsed } = boundary.value;
    refuseIf([await stateRootFault(state, decoded, stateDiff)]);
    return { valid: true, faults: [], header: decoded, transactions, receipts, gasUsed, stateDiff };
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    const faults = refusal.faults.map(({ code, where, message }) => ({ code, where: where ?? "", message }));
    return { valid: false, faults, header };
  }
}

function keySetFault({ keySet }: BlockProof, keys: KeySet): VerifierError | undefined {
  const got = bytesToHex(keySet);
  if (got === keys.digest) return undefined;
  return new VerifierError("made for another set of keys", {
    code: "BLOCK_KEY_SET",
    where: "keySet",
    expected: keys.digest,
    got,
  });
}

function preStateFault({ claims }: BlockProof, commitment: Uint8Array): VerifierError | undefined {
  const [expected, got] = [toHex(commitment), toHex(claims.preState)];
  if (got === expected) return undefined;
  return new VerifierError("the block starts from another state than this replica's", {
    code: "BLOCK_PRE_STATE",
    where: "claims.preState",
    expected,
    got,
  });
}

/** Where EIP-4788's contract exists, a block begins with a call of it, which isn't proved. */
async function beaconRootsFault(state: BlockState): Promise<VerifierError | undefined> {
  const { codeHash } = await readAccount(state, BEACON_ROOTS_ADDRESS);
  if (codeHash === EMPTY_CODE_HASH) return undefined;
  return new VerifierError("the beacon roots contract (EIP-4788) isn't supported", {
    code: "HEADER_UNSUPPORTED",
    where: "header.parentBeaconBlockRoot",
    expected: "a state without it",
  });
}

async function stateRootFault(state: BlockState, header: Header, diff: StateDiff): Promise<VerifierError | undefined> {
  if (state.postStateRoot === undefined) return undefined;
  const root = await state.postStateRoot(diff);
  if (root === header.stateRoot) return undefined;
  return mismatch(
    "stateRoot",
    typeof root === "bigint" ? wordToHex(root) : describe(root),
    wordToHex(header.stateRoot),
  );
}
