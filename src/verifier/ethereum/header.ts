/**
 * Block headers of Cancun: their encoding, and the rules that need no more than the header and its parent.
 *
 * Refused though Ethereum knows them: withdrawals, blob transactions, and an excess of blob gas at which a blob costs 2^232
 * wei and the fee's computation would take a while. `parentBeaconBlockRoot` may be anything; who executes the block must
 * see to EIP-4788's system call, which writes it, or find no code at {@link BEACON_ROOTS_ADDRESS}, and then it does nothing.
 *
 * @module
 */

import { VerifierError, type VerifierErrorCode } from "../errors.js";
import { BLOOM_LENGTH } from "./receipts.js";
import { decodeRlp, encodeRlp, type Place, RlpFields } from "./rlp.js";
import { EMPTY_TRIE_ROOT } from "./trie.js";
import { keccak, uintToBytes, wordToHex } from "./words.js";

/** The 20 fields of a header in the order of its encoding. Hashes and roots are words below 2^256. */
export interface Header {
  readonly parentHash: bigint;
  readonly ommersHash: bigint;
  /** COINBASE, below 2^160 */
  readonly beneficiary: bigint;
  readonly stateRoot: bigint;
  readonly transactionsRoot: bigint;
  readonly receiptsRoot: bigint;
  /** 256 bytes */
  readonly logsBloom: Uint8Array;
  /** below 2^256; 0 since the merge */
  readonly difficulty: bigint;
  /** below 2^64 */
  readonly number: bigint;
  /** below 2^64 */
  readonly gasLimit: bigint;
  /** below 2^64 */
  readonly gasUsed: bigint;
  /** seconds, below 2^64 */
  readonly timestamp: bigint;
  readonly extraData: Uint8Array;
  readonly prevRandao: bigint;
  /** 8 bytes; 0 since the merge */
  readonly nonce: bigint;
  /** wei, below 2^256 */
  readonly baseFeePerGas: bigint;
  readonly withdrawalsRoot: bigint;
  /** below 2^64 */
  readonly blobGasUsed: bigint;
  /** below 2^64 */
  readonly excessBlobGas: bigint;
  readonly parentBeaconBlockRoot: bigint;
}

/** Where EIP-4788 keeps the beacon block roots. */
export const BEACON_ROOTS_ADDRESS = 0x000f3df6d732807ef1319fb7b8bb8522d0beac02n;

/** keccak-256 of `rlp([])`. */
export const EMPTY_OMMERS_HASH = 0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347n;

const FIELDS = 20;
const MAX_EXTRA_DATA = 32;
const MIN_GAS_LIMIT = 5_000n;
const MAX_GAS_LIMIT = (1n << 63n) - 1n;
const GAS_LIMIT_BOUND_DIVISOR = 1_024n;
const ELASTICITY = 2n;
const BASE_FEE_CHANGE_DENOMINATOR = 8n;
const TARGET_BLOB_GAS = 393_216n;
const BLOB_FEE_UPDATE_FRACTION = 3_338_477n;

/** e^(2^29 / 3338477) wei is about 2^232 a unit of blob gas: nobody has ever been able to drive the excess up there. */
const MAX_EXCESS_BLOB_GAS = 1n << 29n;

/**
 * Decodes a header of Cancun, of exactly 20 fields.
 *
 * @param bytes canonical RLP; copied
 * @param where path of the header for errors
 * @throws VerifierError `HEADER_MALFORMED`; the rules are a matter of {@link checkHeader}
 */
export function decodeHeader(bytes: Uint8Array, where = "header"): Header {
  const place: Place = { code: "HEADER_MALFORMED", where };
  const fields = new RlpFields(decodeRlp(new Uint8Array(bytes), place), FIELDS, place);
  // evaluated in this order, which is the order of the encoding
  return {
    parentHash: fields.word("parentHash", 32),
    ommersHash: fields.word("ommersHash", 32),
    beneficiary: fields.word("beneficiary", 20),
    stateRoot: fields.word("stateRoot", 32),
    transactionsRoot: fields.word("transactionsRoot", 32),
    receiptsRoot: fields.word("receiptsRoot", 32),
    logsBloom: fields.bytes("logsBloom", BLOOM_LENGTH),
    difficulty: fields.uint("difficulty", 256),
    number: fields.uint("number", 64),
    gasLimit: fields.uint("gasLimit", 64),
    gasUsed: fields.uint("gasUsed", 64),
    timestamp: fields.uint("timestamp", 64),
    extraData: fields.bytes("extraData"),
    prevRandao: fields.word("prevRandao", 32),
    nonce: fields.word("nonce", 8),
    baseFeePerGas: fields.uint("baseFeePerGas", 256),
    withdrawalsRoot: fields.word("withdrawalsRoot", 32),
    blobGasUsed: fields.uint("blobGasUsed", 64),
    excessBlobGas: fields.uint("excessBlobGas", 64),
    parentBeaconBlockRoot: fields.word("parentBeaconBlockRoot", 32),
  };
}

/** Canonical RLP of a header, the inverse of {@link decodeHeader}. */
export function encodeHeader(header: Header): Uint8Array {
  return encodeRlp([
    uintToBytes(header.parentHash, 32),
    uintToBytes(header.ommersHash, 32),
    uintToBytes(header.beneficiary, 20),
    uintToBytes(header.stateRoot, 32),
    uintToBytes(header.transactionsRoot, 32),
    uintToBytes(header.receiptsRoot, 32),
    header.logsBloom,
    header.difficulty,
    header.number,
    header.gasLimit,
    header.gasUsed,
    header.timestamp,
    header.extraData,
    uintToBytes(header.prevRandao, 32),
    uintToBytes(header.nonce, 8),
    header.baseFeePerGas,
    uintToBytes(header.withdrawalsRoot, 32),
    header.blobGasUsed,
    header.excessBlobGas,
    uintToBytes(header.parentBeaconBlockRoot, 32),
  ]);
}

/** The block hash: keccak-256 of the encoded header. */
export const headerHash = (header: Header): bigint => keccak(encodeHeader(header));

/**
 * The base fee that a block must have after `parent` (EIP-1559), wei.
 *
 * @param parent with a gas limit of at least 2, as every valid header has
 */
export function nextBaseFee(parent: Pick<Header, "gasLimit" | "gasUsed" | "baseFeePerGas">): bigint {
  const { gasLimit, gasUsed, baseFeePerGas } = parent;
  const target = gasLimit / ELASTICITY;
  if (gasUsed === target) return baseFeePerGas;
  const distance = gasUsed > target ? gasUsed - target : target - gasUsed;
  const delta = (baseFeePerGas * distance) / target / BASE_FEE_CHANGE_DENOMINATOR;
  if (gasUsed < target) return baseFeePerGas - delta;
  return baseFeePerGas + (delta > 1n ? delta : 1n);
}

/** The excess of blob gas that a block must have after `parent` (EIP-4844). */
export function nextExcessBlobGas(parent: Pick<Header, "excessBlobGas" | "blobGasUsed">): bigint {
  const total = parent.excessBlobGas + parent.blobGasUsed;
  return total < TARGET_BLOB_GAS ? 0n : total - TARGET_BLOB_GAS;
}

/**
 * BLOBBASEFEE: e^(excess / 3338477) by EIP-4844's integer series, wei.
 *
 * @param excessBlobGas at most 2^29, as {@link checkHeader} sees to: the work grows with it
 */
export function blobBaseFee(excessBlobGas: bigint): bigint {
  let sum = 0n;
  let term = BLOB_FEE_UPDATE_FRACTION;
  for (let i = 1n; term > 0n; i++) {
    sum += term;
    term = (term * excessBlobGas) / (BLOB_FEE_UPDATE_FRACTION * i);
  }
  return sum / BLOB_FEE_UPDATE_FRACTION;
}

/**
 * Checks the rules that a header obeys whatever its block does: constants of the merge, no withdrawals and blobs, bounds,
 * and, against the parent, hash, number, time, gas limit, base fee and excess of blob gas. Not checked here, because they
 * follow from the block: the roots of state, transactions and receipts, the bloom, and the gas used beyond its bound.
 *
 * @param parent header of the block before, known to be valid; without it, what depends on it is left unchecked
 * @param where path of the header for errors
 * @throws VerifierError `HEADER_INVALID` for what breaks a rule of Ethereum, `HEADER_UNSUPPORTED` for what only this
 *   verifier refuses; `where` names the field
 */
export function checkHeader(header: Header, parent?: Header, where = "header"): void {
  const expect = (
    holds: boolean,
    field: keyof Header,
    message: string,
    expected: string | bigint,
    code: VerifierErrorCode = "HEADER_INVALID",
    got: string | bigint = header[field] as bigint,
  ): void => {
    if (holds) return;
    throw new VerifierError(message, {
      code,
      where: `${where}.${field}`,
      expected: String(expected),
      got: String(got),
    });
  };
  const { gasLimit, gasUsed, number, timestamp, baseFeePerGas, excessBlobGas } = header;
  const expectHash = (field: "ommersHash" | "parentHash", message: string, hash: bigint): void =>
    expect(header[field] === hash, field, message, wordToHex(hash), "HEADER_INVALID", wordToHex(header[field]));

  expectHash("ommersHash", "there are no ommers since the merge", EMPTY_OMMERS_HASH);
  expect(header.difficulty === 0n, "difficulty", "there is no difficulty since the merge", 0n);
  expect(header.nonce === 0n, "nonce", "there is no nonce since the merge", 0n);
  expect(
    header.extraData.length <= MAX_EXTRA_DATA,
    "extraData",
    "too long",
    `at most ${MAX_EXTRA_DATA} bytes`,
    "HEADER_INVALID",
    `${header.extraData.length} bytes`,
  );
  expect(number > 0n, "number", "the genesis block has nothing to verify", "at least 1");
  expect(gasLimit >= MIN_GAS_LIMIT, "gasLimit", "out of range", `at least ${MIN_GAS_LIMIT}`);
  expect(gasLimit <= MAX_GAS_LIMIT, "gasLimit", "out of range", `at most ${MAX_GAS_LIMIT}`);
  expect(gasUsed <= gasLimit, "gasUsed", "above the gas limit", `at most ${gasLimit}`);
  expect(
    header.withdrawalsRoot === EMPTY_TRIE_ROOT,
    "withdrawalsRoot",
    "withdrawals aren't supported",
    wordToHex(EMPTY_TRIE_ROOT),
    "HEADER_UNSUPPORTED",
    wordToHex(header.withdrawalsRoot),
  );
  expect(header.blobGasUsed === 0n, "blobGasUsed", "blobs aren't supported", 0n, "HEADER_UNSUPPORTED");
  expect(
    excessBlobGas <= MAX_EXCESS_BLOB_GAS,
    "excessBlobGas",
    "a blob fee beyond all reason",
    `at most ${MAX_EXCESS_BLOB_GAS}`,
    "HEADER_UNSUPPORTED",
  );
  if (parent === undefined) return;

  expectHash("parentHash", "not the hash of the parent", headerHash(parent));
  expect(number === parent.number + 1n, "number", "doesn't follow the parent's", parent.number + 1n);
  expect(timestamp > parent.timestamp, "timestamp", "not after the parent's", `above ${parent.timestamp}`);
  // with gasLimit ≥ 5000 this leaves only parents that nextBaseFee is defined for
  const bound = parent.gasLimit / GAS_LIMIT_BOUND_DIVISOR;
  expect(gasLimit < parent.gasLimit + bound, "gasLimit", "grew too much", `below ${parent.gasLimit + bound}`);
  expect(gasLimit > parent.gasLimit - bound, "gasLimit", "shrank too much", `above ${parent.gasLimit - bound}`);
  const baseFee = nextBaseFee(parent);
  expect(baseFeePerGas === baseFee, "baseFeePerGas", "doesn't follow from the parent (EIP-1559)", baseFee);
  const excess = nextExcessBlobGas(parent);
  expect(excessBlobGas === excess, "excessBlobGas", "doesn't follow from the parent (EIP-4844)", excess);
}
