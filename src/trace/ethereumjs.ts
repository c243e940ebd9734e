/**
 * The embedded sequencer: a chain of blocks in memory, executed by `@ethereumjs/vm`, that says for each block what its EVM
 * did. Fork: Cancun. Blocks have no withdrawals, and the beacon roots contract (EIP-4788) must not exist in the genesis, so
 * that nothing but transactions changes the state.
 *
 * A block is built on a copy of the state: one that fails leaves nothing behind.
 *
 * @module
 */

import { type Block, createBlock } from "@ethereumjs/block";
import type { EVM, InterpreterStep } from "@ethereumjs/evm";
import { MerkleStateManager } from "@ethereumjs/statemanager";
import { createAccount, createAddressFromString, KECCAK256_NULL } from "@ethereumjs/util";
import { buildBlock, createVM, type RunTxResult, runBlock, type VM } from "@ethereumjs/vm";
import { TraceError } from "./errors.js";
import { TRACE_VERSION, type Trace, type TraceAccount, type TraceExecution, type TraceHeader } from "./format.js";
import { OP } from "./opcodes.js";
import { bigEndian, type Hex, quantity, toHex, wordBytes } from "./read.js";
import { SNAPSHOT_VERSION, type Snapshot, type SnapshotAccount } from "./snapshot.js";
import { cancun, decodeTransaction } from "./transaction.js";

/** Where EIP-4788 keeps the beacon roots. */
export const BEACON_ROOTS: Hex = "0x000f3df6d732807ef1319fb7b8bb8522d0beac02";

const EMPTY_CODE = toHex(KECCAK256_NULL);
const ZERO_HASH: Hex = `0x${"00".repeat(32)}`;
const ZERO_ADDRESS: Hex = `0x${"00".repeat(20)}`;
const SECONDS_PER_BLOCK = 12n;

/** An account of a genesis. An account with nothing in it does not exist. */
export interface GenesisAccount {
  /** 20 bytes. */
  readonly address: Hex;
  /** Default 0. */
  readonly nonce?: bigint;
  /** Wei, default 0. */
  readonly balance?: bigint;
  readonly code?: Uint8Array;
  /** `[slot, value]`; zero values don't exist. */
  readonly storage?: readonly (readonly [bigint, bigint])[];
}

/** What the header of a block may be given; everything else follows. */
export interface BlockFields {
  /** Seconds; default 12 after the parent's. */
  readonly timestamp?: bigint;
  /** Who gets the fees; default address 0. */
  readonly coinbase?: Hex;
  /** Default: that of the genesis. */
  readonly gasLimit?: bigint;
  /** Default zeros. */
  readonly prevRandao?: Hex;
  /** Default empty. */
  readonly extraData?: Hex;
  /** Default zeros. */
  readonly parentBeaconBlockRoot?: Hex;
}

/** What a chain begins with. */
export interface SequencerOptions {
  readonly chainId: bigint;
  readonly genesis: readonly GenesisAccount[];
  /** Defaults of every block's header. */
  readonly header?: BlockFields & {
    /** Wei a gas of the genesis block, from which that of the others follows (EIP-1559); default 10^9. */
    readonly baseFeePerGas?: bigint;
    /** Of the genesis block, from which that of the others and the blob base fee follow (EIP-4844); default 0. */
    readonly excessBlobGas?: bigint;
  };
}

/** The state after a block; later blocks don't change it. */
export interface PostState {
  readonly stateRoot: Hex;
  /** An account that does not exist has zeros and the hash of no code. */
  account(address: Hex): Promise<{ nonce: bigint; balance: bigint; codeHash: Hex }>;
  code(address: Hex): Promise<Uint8Array>;
  slot(address: Hex, slot: bigint): Promise<bigint>;
}

/** A block, what its EVM did, and the state after it. */
export interface BuiltBlock {
  readonly trace: Trace;
  /** In the words of ethereumjs; `block.serialize()` is its RLP. */
  readonly block: Block;
  readonly postState: PostState;
}

/** Addresses and slots, as they are met. */
class Touched {
  readonly accounts = new Map<Hex, Set<bigint>>();

  account(address: Hex): Set<bigint> {
    let slots = this.accounts.get(address);
    if (slots === undefined) {
      slots = new Set();
      this.accounts.set(address, slots);
    }
    return slots;
  }

  /** Addresses ascending, each with its slots ascending. */
  sorted(): [Hex, bigint[]][] {
    return [...this.accounts]
      .map(([address, slots]): [Hex, bigint[]] => [address, [...slots].sort((a, b) => (a < b ? -1 : 1))])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** A chain in memory. Use one call at a time: blocks are built one after the other. */
export class Sequencer {
  readonly chainId: bigint;
  readonly #defaults: BlockFields;
  /** Every address and slot that can be in the state: the trie only knows their hashes. */
  readonly #known: Touched;
  #vm: VM;
  #head: Block;

  private constructor(chainId: bigint, defaults: BlockFields, known: Touched, vm: VM, head: Block) {
    this.chainId = chainId;
    this.#defaults = defaults;
    this.#known = known;
    this.#vm = vm;
    this.#head = head;
  }

  /**
   * Makes the genesis block.
   *
   * @throws TraceError `TRACE_GENESIS` for an address given twice, storage without an account, the beacon roots contract.
   */
  static async create({ chainId, genesis, header = {} }: SequencerOptions): Promise<Sequencer> {
    const common = cancun(chainId);
    const stateManager = new MerkleStateManager({ common });
    const known = new Touched();
    for (const [i, { address: text, nonce = 0n, balance = 0n, code, storage = [] }] of genesis.entries()) {
      const where = `genesis[${i}]`;
      const address = text.toLowerCase() as Hex;
      const refuse = (message: string) => new TraceError(message, { code: "TRACE_GENESIS", where, got: address });
      if (known.accounts.has(address)) throw refuse("an address that was given before");
      const hasCode = code !== undefined && code.length > 0;
      if (address === BEACON_ROOTS && hasCode) throw refuse("the beacon roots contract (EIP-4788) is not supported");
      const filled = storage.filter(([, value]) => value !== 0n);
      if (nonce === 0n && balance === 0n && !hasCode) {
        if (filled.length > 0) throw refuse("storage of an account that does not exist");
        continue;
      }
      const slots = known.account(address);
      const key = createAddressFromString(address);
      await stateManager.putAccount(key, createAccount({ nonce, balance }));
      if (hasCode) await stateManager.putCode(key, code);
      for (const [slot, value] of filled) {
        if (slots.has(slot)) throw refuse(`slot ${quantity(slot)} was given before`);
        slots.add(slot);
        await stateManager.putStorage(key, wordBytes(slot), wordBytes(value));
      }
    }
    const stateRoot = await stateManager.getStateRoot();
    const vm = await createVM({ common, stateManager });
    const { baseFeePerGas = 10n ** 9n, excessBlobGas = 0n, ...defaults } = header;
    const head = createBlock(
      {
        header: {
          number: 0n,
          stateRoot,
          gasLimit: defaults.gasLimit ?? 30_000_000n,
          timestamp: (defaults.timestamp ?? 1_700_000_000n) - SECONDS_PER_BLOCK,
          baseFeePerGas,
          excessBlobGas,
          blobGasUsed: 0n,
          parentBeaconBlockRoot: ZERO_HASH,
        },
        withdrawals: [],
      },
      { common },
    );
    const { timestamp: _, ...rest } = defaults;
    return new Sequencer(chainId, rest, known, vm, head);
  }

  /** A chain that begins with the state of a snapshot. Its first block has number 1 again. */
  static async fromSnapshot(snapshot: Snapshot, header?: SequencerOptions["header"]): Promise<Sequencer> {
    const { chainId, accounts } = snapshot;
    return Sequencer.create({ chainId, genesis: accounts, ...(header === undefined ? {} : { header }) });
  }

  /** The newest block. */
  get head(): Block {
    return this.#head;
  }

  /**
   * Executes transactions as the next block.
   *
   * A transaction that reverts or halts is part of the block; one that cannot be included refuses the whole block, and
   * the chain stays as it was.
   *
   * @param transactions raw signed, EIP-2718
   * @throws TraceError `TRACE_TX_TYPE`, `TRACE_TRANSACTION` with `transaction <index>` in `where`; `TRACE_HEADER`;
   *   `TRACE_EVM`
   */
  async buildBlock(transactions: readonly Uint8Array[], fields: BlockFields = {}): Promise<BuiltBlock> {
    const decoded = transactions.map((raw, i) => decodeTransaction(raw, this.chainId, `transaction ${i}`));
    const before = this.#vm;
    const vm = await before.shallowCopy();
    const options = { ...this.#defaults, ...fields };
    const coinbase = options.coinbase ?? ZERO_ADDRESS;
    const parent = this.#head.header;
    const builder = await this.#open(vm, {
      coinbase,
      gasLimit: options.gasLimit ?? parent.gasLimit,
      timestamp: options.timestamp ?? parent.timestamp + SECONDS_PER_BLOCK,
      mixHash: options.prevRandao ?? ZERO_HASH,
      extraData: options.extraData ?? "0x",
      parentBeaconBlockRoot: options.parentBeaconBlockRoot ?? ZERO_HASH,
    });

    const touched = new Touched();
    if (decoded.length > 0) touched.account(coinbase.toLowerCase() as Hex);
    const executions: TraceExecution[] = [];
    for (const [i, tx] of decoded.entries()) {
      touched.account(toHex(tx.getSenderAddress().bytes));
      if (tx.to !== undefined) touched.account(toHex(tx.to.bytes));
      for (const [address, slots] of "accessList" in tx ? tx.accessList : []) {
        const set = touched.account(toHex(address));
        for (const slot of slots) set.add(bigEndian(slot));
      }
      const recorder = new Recorder(vm.evm as EVM, touched);
      let result: RunTxResult;
      try {
        result = await builder.addTransaction(tx);
      } catch (cause) {
        const isEvm = cause instanceof RangeError || cause instanceof TypeError;
        throw new TraceError(isEvm ? "the EVM failed" : "cannot be included in this block", {
          code: isEvm ? "TRACE_EVM" : "TRACE_TRANSACTION",
          where: `transaction ${i}`,
          got: cause instanceof Error ? cause.message : String(cause),
          cause,
        });
      } finally {
        recorder.stop();
      }
      executions.push(recorder.execution(result));
    }
    const { block } = await builder.build();

    const accounts = await preState(before, touched);
    for (const [address, slots] of touched.accounts) {
      const known = this.#known.account(address);
      for (const slot of slots) known.add(slot);
    }
    this.#vm = vm;
    this.#head = block;
    return {
      trace: {
        version: TRACE_VERSION,
        chainId: this.chainId,
        header: traceHeader(block),
        transactions: transactions.map((raw) => raw.slice()),
        preState: { accounts },
        executions,
      },
      block,
      postState: accessor(vm, toHex(block.header.stateRoot)),
    };
  }

  /**
   * Executes a block again on the state before it, without watching, and compares roots, receipts, bloom and gas with its
   * header: what a replica without proofs does. The chain stays as it is.
   *
   * @param block a successor of {@link head}
   * @throws what ethereumjs throws if the header is wrong
   */
  async execute(block: Block): Promise<void> {
    const vm = await this.#vm.shallowCopy();
    await runBlock(vm, { block, skipHardForkValidation: true });
  }

  /** The state after {@link head}. */
  async snapshot(): Promise<Snapshot> {
    const { stateManager } = this.#vm;
    const accounts: SnapshotAccount[] = [];
    for (const [address, slots] of this.#known.sorted()) {
      const key = createAddressFromString(address);
      const account = await stateManager.getAccount(key);
      if (account === undefined) continue;
      const storage: [bigint, bigint][] = [];
      for (const slot of slots) {
        const value = bigEndian(await stateManager.getStorage(key, wordBytes(slot)));
        if (value !== 0n) storage.push([slot, value]);
      }
      const { nonce, balance } = account;
      accounts.push({ address, nonce, balance, code: await stateManager.getCode(key), storage });
    }
    return {
      version: SNAPSHOT_VERSION,
      chainId: this.chainId,
      number: this.#head.header.number,
      blockHash: toHex(this.#head.hash()),
      stateRoot: toHex(this.#head.header.stateRoot),
      accounts,
    };
  }

  /** Begins a block. @throws TraceError `TRACE_HEADER` */
  async #open(vm: VM, headerData: { readonly timestamp: bigint } & Readonly<Record<string, bigint | Hex>>) {
    try {
      const blockOpts = { putBlockIntoBlockchain: false };
      const builder = await buildBlock(vm, { parentBlock: this.#head, headerData, withdrawals: [], blockOpts });
      // the builder looks at the header only with the first transaction
      createBlock({ header: { ...headerData, number: this.#head.header.number + 1n } }, { common: vm.common });
      if (headerData.timestamp <= this.#head.header.timestamp) throw new Error("not later than its parent");
      return builder;
    } catch (cause) {
      throw new TraceError("no block can have this header", {
        code: "TRACE_HEADER",
        where: `block ${this.#head.header.number + 1n}`,
        got: cause instanceof Error ? cause.message : String(cause),
        cause,
      });
    }
  }
}

/** Writes down the steps of one transaction, and the slots that they touch. */
class Recorder {
  readonly #evm: EVM;
  readonly #touched: Touched;
  readonly #steps: { -readonly [K in keyof TraceExecution["steps"][number]]: TraceExecution["steps"][number][K] }[] =
    [];
  /** After the newest step. */
  #refund = 0n;
  readonly #listener: (step: InterpreterStep) => void;

  constructor(evm: EVM, touched: Touched) {
    this.#evm = evm;
    this.#touched = touched;
    this.#listener = (step) => this.#step(step);
    evm.events.on("step", this.#listener);
  }

  stop(): void {
    this.#evm.events.off("step", this.#listener);
  }

  #step({ pc, opcode: { code: op }, gasLeft, gasRefund, stack, memoryWordCount, address, depth }: InterpreterStep) {
    // steps of inner calls belong to a call that is refused anyway
    if (depth > 0) return;
    if ((op === OP.SLOAD || op === OP.SSTORE) && stack.length > 0) {
      this.#touched.account(toHex(address.bytes)).add(stack[stack.length - 1]!);
    }
    // the event shows the gas before the step, but the refund counter after it
    this.#steps.push({ pc, op, gas: gasLeft, stack, memorySize: Number(memoryWordCount), refund: this.#refund });
    this.#refund = gasRefund;
  }

  /** What was written down, with the steps that ethereumjs has no event for. */
  execution({ execResult, receipt, totalGasSpent }: RunTxResult): TraceExecution {
    const { runState, exceptionError } = execResult;
    if (runState !== undefined) {
      const { programCounter, opCode } = runState;
      const last = this.#steps.at(-1)?.op;
      const ranOff = exceptionError === undefined && last !== OP.STOP && last !== OP.RETURN;
      // REVERT without its two operands halts before the event is sent
      const silent = exceptionError !== undefined && opCode === OP.REVERT && last !== OP.REVERT;
      if (ranOff || silent) {
        this.#steps.push({
          pc: programCounter,
          op: silent ? OP.REVERT : OP.STOP,
          gas: runState.gasLeft,
          stack: runState.stack.getStack(),
          memorySize: Number(runState.memoryWordCount),
          refund: this.#refund,
        });
      }
    }
    return { steps: this.#steps, status: (receipt as { status: 0 | 1 }).status, gasUsed: totalGasSpent };
  }
}

/** Everything that was touched, as of before the block. */
async function preState({ stateManager }: VM, touched: Touched): Promise<TraceAccount[]> {
  const given = new Set<Hex>([EMPTY_CODE]);
  const accounts: TraceAccount[] = [];
  for (const [address, slots] of touched.sorted()) {
    const key = createAddressFromString(address);
    const account = await stateManager.getAccount(key);
    const codeHash = account === undefined ? EMPTY_CODE : toHex(account.codeHash);
    const code = given.has(codeHash) ? {} : { code: (await stateManager.getCode(key)).slice() };
    given.add(codeHash);
    const storage: [bigint, bigint][] = [];
    for (const slot of slots) storage.push([slot, bigEndian(await stateManager.getStorage(key, wordBytes(slot)))]);
    const { nonce = 0n, balance = 0n } = account ?? {};
    accounts.push({ address, nonce, balance, codeHash, ...code, storage });
  }
  return accounts;
}

function accessor({ stateManager }: VM, stateRoot: Hex): PostState {
  return {
    stateRoot,
    async account(address) {
      const account = await stateManager.getAccount(createAddressFromString(address));
      if (account === undefined) return { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE };
      return { nonce: account.nonce, balance: account.balance, codeHash: toHex(account.codeHash) };
    },
    code: (address) => stateManager.getCode(createAddressFromString(address)),
    async slot(address, slot) {
      return bigEndian(await stateManager.getStorage(createAddressFromString(address), wordBytes(slot)));
    },
  };
}

function traceHeader({ header }: Block): TraceHeader {
  return {
    parentHash: toHex(header.parentHash),
    coinbase: toHex(header.coinbase.bytes),
    stateRoot: toHex(header.stateRoot),
    transactionsRoot: toHex(header.transactionsTrie),
    receiptsRoot: toHex(header.receiptTrie),
    logsBloom: toHex(header.logsBloom),
    number: header.number,
    gasLimit: header.gasLimit,
    gasUsed: header.gasUsed,
    timestamp: header.timestamp,
    extraData: toHex(header.extraData),
    prevRandao: toHex(header.mixHash),
    baseFeePerGas: header.baseFeePerGas!,
    withdrawalsRoot: toHex(header.withdrawalsRoot!),
    blobGasUsed: header.blobGasUsed!,
    excessBlobGas: header.excessBlobGas!,
    parentBeaconBlockRoot: toHex(header.parentBeaconBlockRoot!),
  };
}

/** The root of the state that these accounts make up. */
export async function stateRootOf(accounts: readonly GenesisAccount[]): Promise<Hex> {
  const sequencer = await Sequencer.create({ chainId: 1n, genesis: accounts });
  return toHex(sequencer.head.header.stateRoot);
}
