/**
 * Receipts and their bloom filters (Yellow Paper, section 4.3.1; EIP-658, EIP-2718), derived by the verifier and compared
 * with the header through the receipts root.
 *
 * @module
 */

import { keccak_256 } from "@noble/hashes/sha3.js";
import { concatBytes } from "@noble/hashes/utils.js";
import { encodeRlp } from "./rlp.js";
import { uintToBytes } from "./words.js";

/** What LOG0 to LOG4 leave behind. */
export interface Log {
  /** below 2^160 */
  readonly address: bigint;
  /** at most 4 words below 2^256 */
  readonly topics: readonly bigint[];
  readonly data: Uint8Array;
}

/** The outcome of a transaction. */
export interface Receipt {
  /** of the transaction */
  readonly type: 0 | 1 | 2;
  /** 1 success, 0 failure */
  readonly status: 0 | 1;
  /** of this transaction and all before it in the block */
  readonly cumulativeGasUsed: bigint;
  /** empty if the transaction failed */
  readonly logs: readonly Log[];
  /** {@link logsBloom} of the logs */
  readonly logsBloom: Uint8Array;
}

/** Length of a bloom filter in bytes. */
export const BLOOM_LENGTH = 256;

/** The bloom filter of logs: 2048 bits, three for each address and topic. */
export function logsBloom(logs: readonly Log[]): Uint8Array {
  const bloom = new Uint8Array(BLOOM_LENGTH);
  for (const { address, topics } of logs) {
    for (const entry of [uintToBytes(address, 20), ...topics.map((topic) => uintToBytes(topic, 32))]) {
      const hash = keccak_256(entry);
      for (const i of [0, 2, 4]) {
        const bit = ((hash[i]! & 7) << 8) | hash[i + 1]!;
        bloom[BLOOM_LENGTH - 1 - (bit >> 3)]! |= 1 << (bit & 7);
      }
    }
  }
  return bloom;
}

/** A receipt with its bloom filter. */
export const receiptOf = (outcome: Omit<Receipt, "logsBloom">): Receipt => ({
  ...outcome,
  logsBloom: logsBloom(outcome.logs),
});

/**
 * `rlp([status, cumulativeGasUsed, bloom, logs])` behind the type, which type 0 doesn't have.
 *
 * @param receipt from {@link receiptOf}: the bloom is taken as it is
 */
export function encodeReceipt({ type, status, cumulativeGasUsed, logs, logsBloom: bloom }: Receipt): Uint8Array {
  const payload = encodeRlp([
    BigInt(status),
    cumulativeGasUsed,
    bloom,
    logs.map(({ address, topics, data }) => [
      uintToBytes(address, 20),
      topics.map((topic) => uintToBytes(topic, 32)),
      data,
    ]),
  ]);
  return type === 0 ? payload : concatBytes(Uint8Array.of(type), payload);
}

/** The bloom filter of a block: all bits of its receipts'. */
export function blockBloom(receipts: readonly Receipt[]): Uint8Array {
  const bloom = new Uint8Array(BLOOM_LENGTH);
  for (const receipt of receipts) for (let i = 0; i < BLOOM_LENGTH; i++) bloom[i]! |= receipt.logsBloom[i]!;
  return bloom;
}
