/**
 * The execution of a block by `@ethereumjs/vm`, watched: every step, and everything of the state before the block that it
 * looks at. The embedded sequencer, the validation of traces and the source that follows a node are all built on it.
 *
 * @module
 */

import { type Block, createBlock } from "@ethereumjs/block";
import { createEVM, type EVMOpts, getOpcodesForHF, paramsEVM } from "@ethereumjs/evm";
import { Bloom, createVM, type RunTxResult, runTx, type VM } from "@ethereumjs/vm";
import { ChunkproofError } from "../verifier/errors.js";
import { isPrecompile } from "../verifier/ethereum/code.js";
import { blobBaseFee } from "../verifier/ethereum/header.js";
import { TraceError, type TraceErrorCode } from "./errors.js";
import {
  TRACE_VERSION,
  type Trace,
  type TraceAccount,
  type TraceExecution,
  type TraceHeader,
  type TraceStep,
} from "./format.js";
import { mnemonic, OP, OPCODES, UNSUPPORTED } from "./opcodes.js";
import { fromHex, type Hex, MAX_WORD, quantity, toHex } from "./read.js";
import { JournaledState } from "./state.js";
import { cancun, decodeTransaction, describeTransaction, type TraceTransaction } from "./transaction.js";

/** Bound of the protocol, section 6. */
const MAX_TX_GAS = 1n << 31n;
/** EIP-4844 at Cancun: from here on the blob base fee is no machine word, as e^178 > 2^256. */
const MAX_EXCESS_BLOB_GAS = 177n * 3338477n;
const ADDRESS_MASK = (1n << 160n) - 1n;
/** Steps after which timers and signals get their turn. */
const STEPS_AT_ONCE = 16_384;

/** An account as of before the block. */
export interface SourceAccount {
  readonly nonce: bigint;
  /** Wei. */
  readonly balance: bigint;
  readonly code: Uint8Array;
}

/**
 * What a block finds. Asked once for each account, slot and block hash, when the execution first needs it; may be as partial
 * as the block allows. `where` is the transaction, or the step, that asks. A ChunkproofError that a method throws ends the
 * execution and is what {@link executeBlock} throws.
 */
export interface StateSource {
  /** `undefined` if there is none; one with nothing in it means the same. */
  account(address: Hex, where: string): Promise<SourceAccount | undefined> | SourceAccount | undefined;
  /** 0 if it does not exist. */
  slot(address: Hex, slot: bigint, where: string): Promise<bigint> | bigint;
  /** Of one of the 256 blocks before; asked for only if BLOCKHASH asks. */
  blockHash(number: bigint, where: string): Promise<Hex> | Hex;
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

/** Options of {@link executeBlock}. What a callback throws ends the execution. */
export interface ExecuteOptions {
  /**
   * Called before each instruction is executed, transactions and steps counted from 0. If given, the executions that are
   * returned have no steps.
   */
  readonly onStep?: (transaction: number, index: number, step: TraceStep) => void;
  /** Called after each transaction with what {@link ExecutedBlock.executions} will hold, and its number of steps. */
  readonly onEnd?: (transaction: number, execution: TraceExecution, steps: number) => void;
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
 * Executes a block's transactions.
 *
 * @throws TraceError `TRACE_TX_TYPE`, `TRACE_CREATE`, `TRACE_PRECOMPILE`, `TRACE_LIMIT`, `TRACE_TRANSACTION`, `TRACE_PRESTATE`
 *   with `transaction <index>` in `where`; `TRACE_UNSUPPORTED_OPCODE` with the step that cannot be proved, which is not
 *   executed; `TRACE_HEADER`; `TRACE_EVM`; what `source` throws; `signal.reason`
 */
export async function executeBlock(
  block: BlockToExecute,
  source: StateSource,
  options: ExecuteOptions = {},
): Promise<ExecutedBlock> {
  return new Execution(block, source, options).run();
}

/** The trace of a block that was executed. `root`: of the whole state before the block. */
export function traceOfBlock(
  { chainId, header, transactions }: BlockToExecute & { readonly header: TraceHeader },
  root: Hex,
  { preAccounts, blockHashes, executions }: ExecutedBlock,
): Trace {
  return {
    version: TRACE_VERSION,
    chainId,
    header,
    transactions: transactions.map((raw) => raw.slice()),
    preState: { root, accounts: preAccounts },
    blockHashes,
    executions,
  };
}

/** `transaction 2, step 17 (ADD at pc 34)`. */
export function describeStep(transaction: number, index: number, { op, pc }: Pick<TraceStep, "op" | "pc">): string {
  return `transaction ${transaction}, step ${index} (${mnemonic(op)} at pc ${pc})`;
}

/** @throws TraceError `TRACE_UNSUPPORTED_OPCODE` for a step that no row can follow */
export function expectProvable(step: Pick<TraceStep, "op" | "pc" | "stack">, transaction: number, index: number): void {
  const { op, stack } = step;
  const pops = UNSUPPORTED.get(op);
  // without its operands it halts, which can be proved
  if (pops === undefined || stack.length < pops) return;
  throw new TraceError("an opcode that cannot be proved yet", {
    code: "TRACE_UNSUPPORTED_OPCODE",
    where: describeStep(transaction, index, step),
    expected: "a supported opcode",
    got: mnemonic(op),
  });
}

type CustomOpcode = NonNullable<EVMOpts["customOpcodes"]>[number];
type GasFunction = NonNullable<Extract<CustomOpcode, { gasFunction?: unknown }>["gasFunction"]>;
/** The machine of ethereumjs between two instructions. */
type RunState = Parameters<GasFunction>[0];

/** One block under way. */
class Execution {
  readonly #block: BlockToExecute;
  readonly #source: StateSource;
  readonly #options: ExecuteOptions;
  readonly #state: JournaledState;
  readonly #blockHashes = new Map<bigint, Hex>();
  /** What the BLOCKHASH under way will get. */
  #ancestor: Hex | undefined;
  /** Of the transaction under way. */
  #transaction = 0;
  #steps: TraceStep[] = [];
  #count = 0;
  #last: Pick<TraceStep, "op" | "pc"> | undefined;

  constructor(block: BlockToExecute, source: StateSource, options: ExecuteOptions) {
    this.#block = block;
    this.#source = source;
    this.#options = options;
    this.#state = new JournaledState(source, () => this.#where());
  }

  async run(): Promise<ExecutedBlock> {
    const { chainId, header, transactions: raws } = this.#block;
    if (header.excessBlobGas > MAX_EXCESS_BLOB_GAS) {
      throw new TraceError("the blob base fee would be no machine word", {
        code: "TRACE_HEADER",
        where: "header.excessBlobGas",
        expected: `at most ${quantity(MAX_EXCESS_BLOB_GAS)}`,
        got: quantity(header.excessBlobGas),
      });
    }
    const { vm, block } = await this.#machine();
    const transactions: TraceTransaction[] = [];
    const gasPrices: bigint[] = [];
    const executions: TraceExecution[] = [];
    const receipts: ExecutedReceipt[] = [];
    const bloom = new Bloom();
    let gasUsed = 0n;
    for (const [i, raw] of raws.entries()) {
      this.#options.signal?.throwIfAborted();
      this.#transaction = i;
      this.#steps = [];
      this.#count = 0;
      this.#last = undefined;
      const decoded = decodeTransaction(raw, chainId, `transaction ${i}`);
      const transaction = describeTransaction(decoded);
      const gasPrice = this.#price(transaction);
      let result: RunTxResult;
      try {
        await this.#admit(transaction, gasUsed);
        result = await runTx(vm, { tx: decoded, block, blockGasUsed: gasUsed, skipHardForkValidation: true });
        this.#ranOff(result, await this.#state.getCode(decoded.to!));
      } catch (cause) {
        throw this.#failure(cause);
      }
      const { receipt, totalGasSpent } = result;
      const status = (receipt as { status: 0 | 1 }).status;
      gasUsed += totalGasSpent;
      bloom.or(result.bloom);
      const execution = { steps: this.#steps, status, gasUsed: totalGasSpent };
      this.#options.onEnd?.(i, execution, this.#count);
      transactions.push(transaction);
      gasPrices.push(gasPrice);
      executions.push(execution);
      receipts.push({
        type: transaction.type,
        status,
        cumulativeGasUsed: receipt.cumulativeBlockGasUsed,
        logsBloom: receipt.bitvector,
        logs: receipt.logs.map(([address, topics, data]) => ({
          address: toHex(address),
          topics: topics.map(toHex),
          data,
        })),
      });
    }
    const hashes = [...this.#blockHashes].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      transactions,
      gasPrices,
      executions,
      receipts,
      gasUsed,
      logsBloom: bloom.bitvector,
      preAccounts: this.#state.preAccounts(),
      blockHashes: hashes,
      postAccounts: this.#state.postAccounts(),
    };
  }

  /** An EVM of which every instruction tells before its gas is counted. */
  async #machine(): Promise<{ vm: VM; block: Block }> {
    const { chainId, header } = this.#block;
    const common = cancun(chainId);
    const { coinbase, number, gasLimit, timestamp, prevRandao, baseFeePerGas, excessBlobGas } = header;
    // the number is none for which mainnet once had other rules of headers
    const fields = { number: 1n, coinbase, gasLimit, timestamp, mixHash: prevRandao, baseFeePerGas, excessBlobGas };
    const block = createBlock({ header: fields, withdrawals: [] }, { common, freeze: false });
    // computed once, not by every BLOBBASEFEE
    const fee = blobBaseFee(excessBlobGas);
    Object.assign(block.header, { number, getBlobGasPrice: () => fee });
    const blockchain = {
      // the number that comes here is rounded
      getBlock: async () => ({ hash: () => fromHex(this.#ancestor!) }),
      putBlock: async () => {},
      shallowCopy: () => blockchain,
    };
    const stateManager = this.#state;
    common.updateParams(paramsEVM);
    const customOpcodes = this.#opcodes(getOpcodesForHF(common));
    const evm = await createEVM({ common, stateManager, blockchain, customOpcodes });
    return { vm: await createVM({ common, stateManager, blockchain, evm }), block };
  }

  /**
   * The opcodes of ethereumjs with another gas function. Its step events come after dynamic gas, copy all of the memory, and
   * with REVERT even memory that nobody has paid for.
   */
  #opcodes({ opcodes, handlers, dynamicGasHandlers }: ReturnType<typeof getOpcodesForHF>): CustomOpcode[] {
    return [...opcodes].map(([opcode, { name, fee }]) => {
      const gasOf = dynamicGasHandlers.get(opcode);
      return {
        opcode,
        opcodeName: name,
        baseFee: fee,
        gasFunction: async (runState, gas, common) => {
          const watched = this.#watch(runState);
          if (watched !== undefined) await watched;
          return gasOf === undefined ? gas : gasOf(runState, gas, common);
        },
        logicFunction: handlers.get(opcode)!,
      };
    });
  }

  /** @returns something to wait for where the state has to be fetched */
  #watch(runState: RunState): Promise<unknown> | undefined {
    const { programCounter: pc, code, stack, gasLeft: gas, memoryWordCount, gasRefund: refund, env } = runState;
    // the opcode in the machine's words is INVALID for every byte that is none
    const step = { pc, op: code[pc]!, gas, stack: stack.getStack(), memorySize: Number(memoryWordCount), refund };
    const index = this.#note(step);
    expectProvable(step, this.#transaction, index);
    if (index % STEPS_AT_ONCE === STEPS_AT_ONCE - 1) return this.#breathe().then(() => this.#look(step, env));
    return this.#look(step, env);
  }

  #note(step: TraceStep): number {
    const index = this.#count++;
    this.#last = step;
    if (this.#options.onStep === undefined) this.#steps.push(step);
    else this.#options.onStep(this.#transaction, index, step);
    return index;
  }

  async #breathe(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    this.#options.signal?.throwIfAborted();
  }

  /** Fetches what the step looks at, whether or not it can pay for that. */
  #look({ op, stack }: TraceStep, { address }: RunState["env"]): Promise<unknown> | undefined {
    const top = stack[stack.length - 1];
    if (top === undefined || stack.length < (OPCODES.get(op)?.pops ?? 0)) return undefined;
    switch (op) {
      case OP.SLOAD:
      case OP.SSTORE:
        return this.#state.touchSlot(address.toString(), top);
      case OP.BALANCE:
      case OP.EXTCODESIZE:
      case OP.EXTCODEHASH:
      case OP.EXTCODECOPY:
        return this.#state.touch(`0x${(top & ADDRESS_MASK).toString(16).padStart(40, "0")}`);
      case OP.BLOCKHASH:
        return this.#lookBack(top);
      default:
        return undefined;
    }
  }

  async #lookBack(number: bigint): Promise<void> {
    const distance = this.#block.header.number - number;
    if (distance < 1n || distance > 256n) return;
    this.#ancestor = this.#blockHashes.get(number) ?? (await this.#source.blockHash(number, this.#where()));
    this.#blockHashes.set(number, this.#ancestor);
  }

  /** Past the end of the code there is a STOP, of which the machine tells nothing. */
  #ranOff({ execResult }: RunTxResult, { length }: Uint8Array): void {
    const { runState, exceptionError } = execResult;
    const op = this.#last?.op;
    if (length === 0 || exceptionError !== undefined || op === OP.STOP || op === OP.RETURN) return;
    const { programCounter, gasLeft, stack, memoryWordCount, gasRefund } = runState!;
    this.#note({
      pc: programCounter,
      op: OP.STOP,
      gas: gasLeft,
      stack: stack.getStack(),
      memorySize: Number(memoryWordCount),
      refund: gasRefund,
    });
  }

  /** What ethereumjs doesn't look at, or looks at otherwise; fetches what the transaction touches. */
  async #admit(transaction: TraceTransaction, gasBefore: bigint): Promise<void> {
    const { sender, to, value, gasLimit, accessList } = transaction;
    const refuse = (code: TraceErrorCode, message: string, expected?: string, got?: string) =>
      new TraceError(message, { code, where: this.#where(), expected, got });
    if (to === undefined) throw refuse("TRACE_CREATE", "creates a contract, which cannot be proved yet");
    if (isPrecompile(BigInt(to))) {
      throw refuse("TRACE_PRECOMPILE", "calls a precompile, which cannot be proved yet", undefined, to);
    }
    const { header } = this.#block;
    if (gasLimit >= MAX_TX_GAS) {
      throw refuse(
        "TRACE_LIMIT",
        "more gas than can be proved",
        `less than ${quantity(MAX_TX_GAS)}`,
        quantity(gasLimit),
      );
    }
    if (gasBefore + gasLimit > header.gasLimit) {
      const left = `at most ${quantity(header.gasLimit - gasBefore)}`;
      throw refuse("TRACE_TRANSACTION", "more gas than the block has left", left, quantity(gasLimit));
    }
    await this.#state.touch(sender);
    const recipient = await this.#state.touch(to);
    await this.#state.touch(header.coinbase);
    for (const { address, storageKeys } of accessList) {
      await this.#state.touch(address);
      for (const slot of storageKeys) await this.#state.touchSlot(address, slot);
    }
    if (sender !== to && recipient.now.balance + value > MAX_WORD) {
      throw refuse("TRACE_PRESTATE", "there is more ether than a word can count");
    }
  }

  #price({ maxFeePerGas, maxPriorityFeePerGas }: TraceTransaction): bigint {
    const { baseFeePerGas } = this.#block.header;
    const tip = maxFeePerGas - baseFeePerGas;
    return baseFeePerGas + (tip < maxPriorityFeePerGas ? tip : maxPriorityFeePerGas);
  }

  #where(): string {
    if (this.#last === undefined) return `transaction ${this.#transaction}`;
    return describeStep(this.#transaction, this.#count - 1, this.#last);
  }

  #failure(cause: unknown): unknown {
    this.#options.signal?.throwIfAborted();
    if (cause instanceof ChunkproofError) return cause;
    // ethereumjs refuses transactions with plain errors, before the first step
    const isBug = cause instanceof RangeError || cause instanceof TypeError || this.#last !== undefined;
    return new TraceError(isBug ? "the EVM failed" : "cannot be included in this block", {
      code: isBug ? "TRACE_EVM" : "TRACE_TRANSACTION",
      where: this.#where(),
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}
