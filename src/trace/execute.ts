/**
 * The execution of a block by `@ethereumjs/vm`, watched: every step, and everything of the state before the block that it
 * looks at. The embedded sequencer, the validation of traces and the source that follows a node are all built on it.
 *
 * @module
 */

import type { TraceAccount, TraceExecution, TraceHeader, TraceStep } from "./format.js";
import type { Hex } from "./read.js";
import type { TraceTransaction } from "./transaction.js";

/** An account as of before the block. */
export interface SourceAccount {
  readonly nonce: bigint;
  /** Wei. */
  readonly balance: bigint;
  readonly code: Uint8Array;
}

/**
 * What a block finds. Asked once for each account, slot and block hash, when the execution first needs it; may be as partial
 * as the block allows. What a method throws ends the execution: a TraceError without `where` is given the transaction and
 * step that asked.
 */
export interface StateSource {
  /** `undefined` if there is none; one with nothing in it means the same. */
  account(address: Hex): Promise<SourceAccount | undefined> | SourceAccount | undefined;
  /** 0 if it does not exist. */
  slot(address: Hex, slot: bigint): Promise<bigint> | bigint;
  /** Of one of the 256 blocks before; asked for only if BLOCKHASH asks. */
  blockHash(number: bigint): Promise<Hex> | Hex;
}

/** What the EVM sees of a header. */
export type ExecutionHeader = Pick<
  TraceHeader,
  "coinbase" | "number" | "gasLimit" | "timestamp" | "prevRandao" | "baseFeePerGas" | "excessBlobGas"
>;

/** A block to be executed. */
export interface BlockToExecute {
  readonly chainId: bigint;
  readonly header: ExecutionHeader;
  /** Raw signed transactions, EIP-2718. */
  readonly transactions: readonly Uint8Array[];
}

export interface ExecuteOptions {
  /**
   * Called before each instruction is executed, with transaction and step counted from 0. If given, the executions that are
   * returned have no steps. What it throws ends the execution.
   */
  readonly onStep?: (transaction: number, index: number, step: TraceStep) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A log of a transaction that succeeded. */
export interface ExecutedLog {
  readonly address: Hex;
  /** 32 bytes each, at most four. */
  readonly topics: readonly Hex[];
  readonly data: Uint8Array;
}

/** A receipt, as the receipts trie has it. */
export interface ExecutedReceipt {
  readonly type: 0 | 1 | 2;
  readonly status: 0 | 1;
  readonly cumulativeGasUsed: bigint;
  /** 256 bytes. */
  readonly logsBloom: Uint8Array;
  readonly logs: readonly ExecutedLog[];
}

/** An account after the block; `storage` holds the touched slots. */
export interface ExecutedAccount {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly codeHash: Hex;
  readonly storage: ReadonlyMap<bigint, bigint>;
}

/** What a block did. */
export interface ExecutedBlock {
  readonly transactions: readonly TraceTransaction[];
  /** Wei a gas that each transaction pays. */
  readonly gasPrices: readonly bigint[];
  /** As in a trace. */
  readonly executions: readonly TraceExecution[];
  readonly receipts: readonly ExecutedReceipt[];
  readonly gasUsed: bigint;
  /** Of all receipts, 256 bytes. */
  readonly logsBloom: Uint8Array;
  /** `preState.accounts` of a trace: everything that was touched, as of before the block. */
  readonly preAccounts: readonly TraceAccount[];
  /** `blockHashes` of a trace: those that BLOCKHASH asked for, ascending. */
  readonly blockHashes: readonly (readonly [bigint, Hex])[];
  /** The touched accounts after the block, ascending by address. */
  readonly postAccounts: ReadonlyMap<Hex, ExecutedAccount>;
}

/**
 * `executeBlock(block, source, options)`.
 *
 * @throws TraceError `TRACE_TX_TYPE`, `TRACE_CREATE`, `TRACE_PRECOMPILE`, `TRACE_LIMIT`, `TRACE_TRANSACTION` with
 *   `transaction <index>` in `where`; `TRACE_UNSUPPORTED_OPCODE` with the step; `TRACE_EVM`; what `source` throws;
 *   `signal.reason`
 */
export type ExecuteBlock = (
  block: BlockToExecute,
  source: StateSource,
  options?: ExecuteOptions,
) => Promise<ExecutedBlock>;
