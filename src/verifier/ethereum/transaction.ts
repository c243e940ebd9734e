/**
 * Signed transactions: legacy with replay protection (EIP-155), type 1 (EIP-2930) and type 2 (EIP-1559), in their
 * canonical encoding (EIP-2718).
 *
 * Refused though Ethereum knows them: blob (3) and set-code (4) transactions, creations, a gas limit of 2^31 or more (the
 * circuits' bound), and legacy transactions without a chain id (v = 27 or 28), which anybody could replay from another
 * chain.
 *
 * A decoded transaction obeys every rule that needs neither the block nor the state: form, bounds, chain id, fee caps,
 * intrinsic gas, ranges of the signature. Recovering the sender is the expensive part (a millisecond) and is a function of
 * its own, so that a caller can bound the number of transactions by the block's gas first.
 *
 * @module
 */

import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { concatBytes } from "@noble/hashes/utils.js";
import { VerifierError, type VerifierErrorCode } from "../errors.js";
import { decodeRlp, encodeRlp, type Place, RlpFields, type RlpInput } from "./rlp.js";
import { bytesToUint, keccak } from "./words.js";

/** One entry of an access list: an address and slots of it, both possibly repeated elsewhere in the list. */
export interface AccessListEntry {
  /** below 2^160 */
  readonly address: bigint;
  /** words below 2^256, in the order of the transaction */
  readonly storageKeys: readonly bigint[];
}

/** A transaction as {@link decodeTransaction} found it to be well-formed. */
export interface Transaction {
  /** Envelope type; 0 is legacy, which has no envelope. */
  readonly type: 0 | 1 | 2;
  /** The encoding it was decoded from: what the transactions trie holds. */
  readonly bytes: Uint8Array;
  /** keccak-256 of `bytes` */
  readonly hash: bigint;
  readonly chainId: bigint;
  /** at most 2^64 - 2 (EIP-2681) */
  readonly nonce: bigint;
  /** at least `intrinsicGas`, below 2^31 */
  readonly gasLimit: bigint;
  /** gas of EIP-2028 and EIP-2930: 21000, calldata, access list */
  readonly intrinsicGas: bigint;
  /** wei a unit of gas, below 2^256; types 0 and 1: the gas price */
  readonly maxFeePerGas: bigint;
  /** at most `maxFeePerGas`; types 0 and 1: the gas price */
  readonly maxPriorityFeePerGas: bigint;
  /** recipient, below 2^160 */
  readonly to: bigint;
  /** wei, below 2^256 */
  readonly value: bigint;
  readonly data: Uint8Array;
  /** empty for type 0 */
  readonly accessList: readonly AccessListEntry[];
  /** what the sender signed: keccak-256 of the transaction without its signature, 32 bytes */
  readonly signingHash: Uint8Array;
  readonly yParity: 0 | 1;
  /** in [1, n) for the order n of secp256k1 */
  readonly r: bigint;
  /** in [1, n/2] (EIP-2) */
  readonly s: bigint;
}

const TX_GAS = 21_000n;
const ZERO_BYTE_GAS = 4n;
const NONZERO_BYTE_GAS = 16n;
const ACCESS_LIST_ADDRESS_GAS = 2_400n;
const ACCESS_LIST_SLOT_GAS = 1_900n;

/** Bound of the circuits: memory that so much gas buys stays below 2^20 words. */
const GAS_LIMIT_BITS = 31n;
const MAX_NONCE = (1n << 64n) - 2n;
const MAX_UINT256 = (1n << 256n) - 1n;

const ORDER = secp256k1.Point.Fn.ORDER;

/** The field that caps the fee, for errors. */
const feeCap = (type: number): string => (type === 2 ? "maxFeePerGas" : "gasPrice");

/** Type names of Ethereum that are refused here, for the error. */
const OTHER_TYPES: Readonly<Record<number, string>> = { 3: "blob transaction", 4: "set-code transaction" };

function intrinsicGas(data: Uint8Array, accessList: readonly AccessListEntry[]): bigint {
  let zeros = 0;
  for (const byte of data) if (byte === 0) zeros++;
  const slots = accessList.reduce((sum, { storageKeys }) => sum + storageKeys.length, 0);
  return (
    TX_GAS +
    ZERO_BYTE_GAS * BigInt(zeros) +
    NONZERO_BYTE_GAS * BigInt(data.length - zeros) +
    ACCESS_LIST_ADDRESS_GAS * BigInt(accessList.length) +
    ACCESS_LIST_SLOT_GAS * BigInt(slots)
  );
}

function readAccessList(fields: RlpFields, place: Place): AccessListEntry[] {
  return fields.list("accessList").map((item, i) => {
    const here: Place = { code: place.code, where: `${place.where}.accessList[${i}]` };
    const entry = new RlpFields(item, 2, here);
    const address = entry.word("address", 20);
    const items = entry.list("storageKeys");
    const keys = new RlpFields(items, items.length, here);
    return { address, storageKeys: items.map((_, j) => keys.word(`storageKeys[${j}]`, 32)) };
  });
}

/**
 * Decodes a signed transaction and checks all that depends on nothing else.
 *
 * @param bytes canonical encoding, as in a block's body after the outer RLP: `rlp([...])` or `type ‖ rlp([...])`; copied
 * @param chainId of this chain
 * @param where path of the transaction for errors
 * @throws VerifierError `TX_MALFORMED`, `TX_TYPE`, `TX_CHAIN_ID`, `TX_CREATION`, `TX_BOUNDS`, `TX_FEE`,
 *   `TX_INTRINSIC_GAS`, `TX_SIGNATURE`
 */
export function decodeTransaction(bytes: Uint8Array, chainId: bigint, where = "transaction"): Transaction {
  const own = new Uint8Array(bytes);
  const place: Place = { code: "TX_MALFORMED", where };
  const fault = (code: VerifierErrorCode, field: string, message: string, expected: string, got: string | bigint) =>
    new VerifierError(message, { code, where: `${where}.${field}`, expected, got: String(got) });

  const first = own[0];
  // an RLP list begins with 0xc0 or more, a type is at most 0x7f
  if (first === undefined || (first >= 0x80 && first < 0xc0)) {
    throw new VerifierError("not a transaction", {
      ...place,
      expected: "transaction type or RLP list",
      got: first === undefined ? "nothing" : `0x${first.toString(16)}`,
    });
  }
  const type = first >= 0xc0 ? 0 : first;
  if (first !== 1 && first !== 2 && first < 0xc0) {
    throw fault(
      "TX_TYPE",
      "type",
      "transactions of this type aren't supported",
      "legacy, 1 or 2",
      `${first}${OTHER_TYPES[first] === undefined ? "" : `, ${OTHER_TYPES[first]}`}`,
    );
  }

  const fields = new RlpFields(decodeRlp(type === 0 ? own : own.subarray(1), place), [9, 11, 12][type]!, place);
  const ownChainId = type === 0 ? undefined : fields.uint("chainId", 256);
  const nonce = fields.uint("nonce", 64);
  const maxPriorityFeePerGas = fields.uint(type === 2 ? "maxPriorityFeePerGas" : "gasPrice", 256);
  const maxFeePerGas = type === 2 ? fields.uint("maxFeePerGas", 256) : maxPriorityFeePerGas;
  const gasLimit = fields.uint("gasLimit", 64);
  const to = fields.bytes("to");
  if (to.length !== 0 && to.length !== 20) {
    throw fault("TX_MALFORMED", "to", "not an address", "20 bytes or none", `${to.length} bytes`);
  }
  const value = fields.uint("value", 256);
  const data = fields.bytes("data");
  const accessList = type === 0 ? [] : readAccessList(fields, place);
  const v = fields.uint(type === 0 ? "v" : "yParity", 256);
  const r = fields.uint("r", 256);
  const s = fields.uint("s", 256);

  let yParity = v;
  let signedChainId = ownChainId;
  if (type === 0) {
    if (v === 27n || v === 28n) {
      throw fault("TX_CHAIN_ID", "v", "transaction without replay protection (EIP-155)", `chain id ${chainId}`, v);
    }
    if (v < 35n) throw fault("TX_SIGNATURE", "v", "no signature has this v", "35 + 2·chain id or one more", v);
    signedChainId = (v - 35n) >> 1n;
    yParity = (v - 35n) & 1n;
  } else if (v > 1n) {
    throw fault("TX_SIGNATURE", "yParity", "not a parity", "0 or 1", v);
  }
  if (signedChainId !== chainId) {
    throw fault("TX_CHAIN_ID", "chainId", "signed for another chain", String(chainId), String(signedChainId));
  }
  if (r === 0n || r >= ORDER) throw fault("TX_SIGNATURE", "r", "out of range", "in [1, n)", r);
  if (s === 0n || s > ORDER >> 1n) throw fault("TX_SIGNATURE", "s", "out of range (EIP-2)", "in [1, n/2]", s);

  if (to.length === 0) throw fault("TX_CREATION", "to", "creations aren't supported", "a recipient", "none");
  if (nonce > MAX_NONCE) throw fault("TX_BOUNDS", "nonce", "out of range (EIP-2681)", "at most 2^64 - 2", nonce);
  if (gasLimit >> GAS_LIMIT_BITS !== 0n) {
    throw fault("TX_BOUNDS", "gasLimit", "more gas than the circuits count", `below 2^${GAS_LIMIT_BITS}`, gasLimit);
  }
  if (gasLimit * maxFeePerGas + value > MAX_UINT256) {
    throw fault("TX_BOUNDS", feeCap(type), "no balance pays for this", "gas and value below 2^256", maxFeePerGas);
  }
  if (maxPriorityFeePerGas > maxFeePerGas) {
    throw fault("TX_FEE", "maxPriorityFeePerGas", "above the fee cap", `at most ${maxFeePerGas}`, maxPriorityFeePerGas);
  }
  const intrinsic = intrinsicGas(data, accessList);
  if (gasLimit < intrinsic) {
    throw fault("TX_INTRINSIC_GAS", "gasLimit", "below the intrinsic gas", `at least ${intrinsic}`, gasLimit);
  }

  const unsigned = fields.items.slice(0, -3);
  const payload = encodeRlp(type === 0 ? [...(unsigned as RlpInput[]), chainId, 0n, 0n] : unsigned);
  return {
    type: type as Transaction["type"],
    bytes: own,
    hash: keccak(own),
    chainId,
    nonce,
    gasLimit,
    intrinsicGas: intrinsic,
    maxFeePerGas,
    maxPriorityFeePerGas,
    to: bytesToUint(to),
    value,
    data,
    accessList,
    signingHash: keccak_256(type === 0 ? payload : concatBytes(Uint8Array.of(type), payload)),
    yParity: yParity === 0n ? 0 : 1,
    r,
    s,
  };
}

/**
 * The address whose key signed a transaction.
 *
 * @param where path of the transaction for errors
 * @returns below 2^160
 * @throws VerifierError `TX_SIGNATURE` if no key can have made the signature
 */
export function recoverSender(tx: Transaction, where = "transaction"): bigint {
  let key: Uint8Array;
  try {
    key = new secp256k1.Signature(tx.r, tx.s, tx.yParity).recoverPublicKey(tx.signingHash).toBytes(false);
  } catch (cause) {
    // r is the x-coordinate of no point, or the key would be the point at infinity
    throw new VerifierError("no key can have made this signature", { code: "TX_SIGNATURE", where, cause });
  }
  return keccak(key.subarray(1)) & ((1n << 160n) - 1n);
}

/**
 * What a transaction pays for a unit of gas in a block: the base fee and what is left for the priority fee (EIP-1559).
 *
 * @param baseFee of the block, wei
 * @param where path of the transaction for errors
 * @returns in [baseFee, maxFeePerGas]
 * @throws VerifierError `TX_FEE` if the fee cap is below the base fee
 */
export function effectiveGasPrice(tx: Transaction, baseFee: bigint, where = "transaction"): bigint {
  const { maxFeePerGas, maxPriorityFeePerGas } = tx;
  if (maxFeePerGas < baseFee) {
    throw new VerifierError("fee cap below the block's base fee", {
      code: "TX_FEE",
      where: `${where}.${feeCap(tx.type)}`,
      expected: `at least ${baseFee}`,
      got: String(maxFeePerGas),
    });
  }
  const wanted = baseFee + maxPriorityFeePerGas;
  return wanted < maxFeePerGas ? wanted : maxFeePerGas;
}
