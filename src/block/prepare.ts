/**
 * A trace in the verifier's terms: header, decoded transactions, pre-state, the list of the block's codes.
 *
 * @module
 */

import type { Trace, TraceHeader } from "../trace/format.js";
import { EMPTY_OMMERS_HASH, type Header } from "../verifier/ethereum/header.js";
import { decodeTransaction, type Transaction } from "../verifier/ethereum/transaction.js";
import { EMPTY_CODE_HASH, fromHex, uintToBytes } from "../verifier/ethereum/words.js";

/** An account before the block. */
export interface PreAccount {
  readonly address: bigint;
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly codeHash: bigint;
  readonly storage: readonly (readonly [slot: bigint, value: bigint])[];
}

/** See the module. */
export interface Prepared {
  readonly chainId: bigint;
  readonly header: Header;
  readonly transactions: readonly Transaction[];
  /** Commitment of the state before the block, 32 bytes. */
  readonly preState: Uint8Array;
  readonly accounts: ReadonlyMap<bigint, PreAccount>;
  /** Code by its hash. */
  readonly codes: ReadonlyMap<bigint, Uint8Array>;
  /** Hashes of older blocks, by number. */
  readonly blockHashes: ReadonlyMap<bigint, bigint>;
  /** Hashes of the codes of recipients. */
  readonly run: ReadonlySet<bigint>;
}

/** The verifier's header of a trace's. */
export function headerOf(header: TraceHeader): Header {
  return {
    parentHash: BigInt(header.parentHash),
    ommersHash: EMPTY_OMMERS_HASH,
    beneficiary: BigInt(header.coinbase),
    stateRoot: BigInt(header.stateRoot),
    transactionsRoot: BigInt(header.transactionsRoot),
    receiptsRoot: BigInt(header.receiptsRoot),
    logsBloom: fromHex(header.logsBloom)!,
    difficulty: 0n,
    number: header.number,
    gasLimit: header.gasLimit,
    gasUsed: header.gasUsed,
    timestamp: header.timestamp,
    extraData: fromHex(header.extraData)!,
    prevRandao: BigInt(header.prevRandao),
    nonce: 0n,
    baseFeePerGas: header.baseFeePerGas,
    withdrawalsRoot: BigInt(header.withdrawalsRoot),
    blobGasUsed: header.blobGasUsed,
    excessBlobGas: header.excessBlobGas,
    parentBeaconBlockRoot: BigInt(header.parentBeaconBlockRoot),
  };
}

/** @throws VerifierError where a transaction is not what it must be. */
export function prepareBlock(trace: Trace): Prepared {
  const transactions = trace.transactions.map((raw, i) => decodeTransaction(raw, trace.chainId, `transactions[${i}]`));
  const codes = new Map<bigint, Uint8Array>();
  const accounts = new Map<bigint, PreAccount>();
  for (const { address, nonce, balance, codeHash, code, storage } of trace.preState.accounts) {
    accounts.set(BigInt(address), {
      address: BigInt(address),
      nonce,
      balance,
      codeHash: BigInt(codeHash),
      storage,
    });
    if (code !== undefined) codes.set(BigInt(codeHash), code);
  }
  const run = new Set(transactions.map(({ to }) => accounts.get(to)?.codeHash ?? EMPTY_CODE_HASH));
  run.delete(EMPTY_CODE_HASH);
  return {
    chainId: trace.chainId,
    header: headerOf(trace.header),
    transactions,
    preState: uintToBytes(BigInt(trace.preState.root), 32),
    accounts,
    codes,
    blockHashes: new Map(trace.blockHashes.map(([number, hash]) => [number, BigInt(hash)])),
    run,
  };
}
