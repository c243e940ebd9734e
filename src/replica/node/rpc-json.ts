/**
 * Blocks, transactions and receipts as Ethereum's nodes write them: quantities without leading zeros, bytes in full.
 *
 * @module
 */

import { type Hex, quantity, toHex } from "../../trace/read.js";
import { encodeHeader } from "../../verifier/ethereum/header.js";
import type { Receipt } from "../../verifier/ethereum/receipts.js";
import { encodeRlp, encodeRlpList } from "../../verifier/ethereum/rlp.js";
import { decodeTransaction, effectiveGasPrice } from "../../verifier/ethereum/transaction.js";
import { addressToHex, keccak, uintToBytes, wordToHex } from "../../verifier/ethereum/words.js";
import type { StoredBlock } from "./records.js";

const word = (value: bigint): Hex => wordToHex(value) as Hex;
const address = (value: bigint): Hex => addressToHex(value) as Hex;
const count = (value: number): Hex => quantity(BigInt(value));

/** Length of the block's RLP: header, transactions, no ommers, no withdrawals. */
function sizeOf({ header, transactions }: StoredBlock): number {
  // a typed transaction is a byte string, a legacy one a list
  const body = transactions.map((bytes) => (bytes[0]! < 0x80 ? encodeRlp(bytes) : bytes));
  const empty = encodeRlpList([]);
  return encodeRlpList([encodeHeader(header), encodeRlpList(body), empty, empty]).length;
}

/** A block with its transactions, or only their hashes. */
export function blockJson(block: StoredBlock, chainId: bigint, full: boolean): Readonly<Record<string, unknown>> {
  const { header, hash, transactions } = block;
  return {
    number: quantity(header.number),
    hash: word(hash),
    parentHash: word(header.parentHash),
    sha3Uncles: word(header.ommersHash),
    miner: address(header.beneficiary),
    stateRoot: word(header.stateRoot),
    transactionsRoot: word(header.transactionsRoot),
    receiptsRoot: word(header.receiptsRoot),
    logsBloom: toHex(header.logsBloom),
    difficulty: quantity(header.difficulty),
    gasLimit: quantity(header.gasLimit),
    gasUsed: quantity(header.gasUsed),
    timestamp: quantity(header.timestamp),
    extraData: toHex(header.extraData),
    mixHash: word(header.prevRandao),
    nonce: toHex(uintToBytes(header.nonce, 8)),
    baseFeePerGas: quantity(header.baseFeePerGas),
    withdrawalsRoot: word(header.withdrawalsRoot),
    blobGasUsed: quantity(header.blobGasUsed),
    excessBlobGas: quantity(header.excessBlobGas),
    parentBeaconBlockRoot: word(header.parentBeaconBlockRoot),
    size: count(sizeOf(block)),
    uncles: [],
    withdrawals: [],
    transactions: transactions.map((bytes, i) => (full ? transactionJson(block, i, chainId) : word(keccak(bytes)))),
  };
}

/** A transaction of a block. */
export function transactionJson(block: StoredBlock, index: number, chainId: bigint): Readonly<Record<string, unknown>> {
  const { header, hash, senders, transactions } = block;
  const tx = decodeTransaction(transactions[index]!, chainId);
  const { type, yParity } = tx;
  const v = type === 0 ? 35n + 2n * chainId + BigInt(yParity) : BigInt(yParity);
  return {
    blockHash: word(hash),
    blockNumber: quantity(header.number),
    transactionIndex: count(index),
    hash: word(tx.hash),
    type: count(type),
    chainId: quantity(chainId),
    nonce: quantity(tx.nonce),
    from: address(senders[index]!),
    to: address(tx.to),
    value: quantity(tx.value),
    input: toHex(tx.data),
    gas: quantity(tx.gasLimit),
    gasPrice: quantity(effectiveGasPrice(tx, header.baseFeePerGas)),
    ...(type === 2
      ? { maxFeePerGas: quantity(tx.maxFeePerGas), maxPriorityFeePerGas: quantity(tx.maxPriorityFeePerGas) }
      : {}),
    ...(type === 0
      ? {}
      : {
          accessList: tx.accessList.map((entry) => ({
            address: address(entry.address),
            storageKeys: entry.storageKeys.map(word),
          })),
          yParity: count(yParity),
        }),
    v: quantity(v),
    r: quantity(tx.r),
    s: quantity(tx.s),
  };
}

const gasBefore = (receipts: readonly Receipt[], index: number): bigint =>
  index === 0 ? 0n : receipts[index - 1]!.cumulativeGasUsed;

/** The receipt of a transaction. */
export function receiptJson(block: StoredBlock, index: number, chainId: bigint): Readonly<Record<string, unknown>> {
  const { header, hash, receipts, senders, transactions } = block;
  const receipt = receipts[index]!;
  const tx = decodeTransaction(transactions[index]!, chainId);
  const place = {
    blockHash: word(hash),
    blockNumber: quantity(header.number),
    transactionHash: word(tx.hash),
    transactionIndex: count(index),
  };
  const logsBefore = receipts.slice(0, index).reduce((sum, { logs }) => sum + logs.length, 0);
  return {
    ...place,
    type: count(receipt.type),
    status: count(receipt.status),
    from: address(senders[index]!),
    to: address(tx.to),
    contractAddress: null,
    gasUsed: quantity(receipt.cumulativeGasUsed - gasBefore(receipts, index)),
    cumulativeGasUsed: quantity(receipt.cumulativeGasUsed),
    effectiveGasPrice: quantity(effectiveGasPrice(tx, header.baseFeePerGas)),
    logsBloom: toHex(receipt.logsBloom),
    logs: receipt.logs.map((log, i) => ({
      ...place,
      blockTimestamp: quantity(header.timestamp),
      address: address(log.address),
      topics: log.topics.map(word),
      data: toHex(log.data),
      logIndex: count(logsBefore + i),
      removed: false,
    })),
  };
}
