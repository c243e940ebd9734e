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
import type { EVM, EVMOpts, InterpreterStep } from "@ethereumjs/evm";
import { MerkleStateManager } from "@ethereumjs/statemanager";
import { createAccount, createAddressFromString, KECCAK256_NULL } from "@ethereumjs/util";
import { buildBlock, createVM, type RunTxResult, runBlock, type VM } from "@ethereumjs/vm";
import { TraceError } from "./errors.js";
import { TRACE_VERSION, type Trace, type TraceAccount, type TraceExecution, type TraceHeader } from "./format.js";
import { mnemonic, OP, opcodeByte } from "./opcodes.js";
import { bigEndian, type Hex, MAX_CHAIN_ID, MAX_UINT64, MAX_WORD, quantity, toHex, wordBytes } from "./read.js";
import { SNAPSHOT_VERSION, type Snapshot, type SnapshotAccount } from "./snapshot.js";
import { cancun, decodeTransaction } from "./transaction.js";
import { BEACON_ROOTS, memoryGas } from "./validate.js";

const EMPTY_CODE = toHex(KECCAK256_NULL);
const ZERO_HASH: Hex = `0x${"00".repeat(32)}`;
const ZERO_ADDRESS: Hex = `0x${"00".repeat(20)}`;
/** Point evaluation (EIP-4844): ethereumjs has it only with a trusted setup. */
const KZG_PRECOMPILE: Hex = `0x${"00".repeat(19)}0a`;
/** The protocol allows no less. */
const MIN_GAS_LIMIT = 5000n;
const SECONDS_PER_BLOCK = 12n;

/** A REVERT whose data no gas can pay for. */
class HugeRevert extends Error {
  readonly pc: number;

  constructor(pc: number) {
    super("REVERT of more memory than the gas pays for");
    this.pc = pc;
  }
}

/**
 * REVERT as it is, but for one thing: before its gas is paid, ethereumjs reads the data for the step event, and with an
 * offset of 2^200 allocates whatever it is asked for. Here such a REVERT ends the block instead.
 */
const REVERT: NonNullable<EVMOpts["customOpcodes"]>[number] = {
  opcode: OP.REVERT,
  opcodeName: mnemonic(OP.REVERT),
  baseFee: 0,
  async gasFunction(runState, gas) {
    const [offset, length] = runState.stack.peek(2) as [bigint, bigint];
    const words = length === 0n ? 0n : (offset + length + 31n) / 32n;
    if (words <= runState.memoryWordCount) return gas;
    const cost = memoryGas(words);
    const expansion = cost - runState.highestMemCost;
    if (expansion > runState.gasLeft) throw new HugeRevert(runState.programCounter);
    runState.highestMemCost = cost;
    runState.memoryWordCount = words;
    return gas + expansion;
  },
  logicFunction(runState) {
    const [offset, length] = runState.stack.popN(2) as [bigint, bigint];
    const data = length === 0n ? new Uint8Array(0) : runState.memory.read(Number(offset), Number(length));
    runState.interpreter.revert(data);
  },
};

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
   * @throws TraceError `TRACE_GENESIS` for an address or slot given twice, storage without an account, the beacon roots
   *   contract, a chain id below 1 or above 2^51 - 1; `TRACE_HEADER` for a header that no block can have.
   */
  static async create({ chainId, genesis, header = {} }: SequencerOptions): Promise<Sequencer> {
    if (chainId < 1n || chainId > MAX_CHAIN_ID) {
      throw new TraceError("not a chain id", {
        code: "TRACE_GENESIS",
        where: "chainId",
        expected: `1 to ${MAX_CHAIN_ID}`,
        got: String(chainId),
      });
    }
    const common = cancun(chainId);
    const stateManager = new MerkleStateManager({ common });
    const known = new Touched();
    for (const [i, { address: text, nonce = 0n, balance = 0n, code, storage = [] }] of genesis.entries()) {
      const where = `genesis[${i}]`;
      const address = text.toLowerCase() as Hex;
      const refuse = (message: string) => new TraceError(message, { code: "TRACE_GENESIS", where, got: address });
      if (!/^0x[0-9a-f]{40}$/.test(address)) throw refuse("not an address");
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
    const vm = await createVM({ common, stateManager, evmOpts: { customOpcodes: [REVERT] } });
    const { baseFeePerGas = 10n ** 9n, excessBlobGas = 0n, ...defaults } = header;
    const gasLimit = defaults.gasLimit ?? 30_000_000n;
    const timestamp = (defaults.timestamp ?? 1_700_000_000n) - SECONDS_PER_BLOCK;
    expectRange("timestamp", timestamp, 0n, MAX_UINT64 >> 1n);
    expectRange("gasLimit", gasLimit, MIN_GAS_LIMIT, MAX_UINT64);
    expectRange("baseFeePerGas", baseFeePerGas, 0n, MAX_WORD);
    expectRange("excessBlobGas", excessBlobGas, 0n, MAX_UINT64);
    const head = createBlock(
      {
        header: {
          number: 0n,
          stateRoot,
          gasLimit,
          timestamp,
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
   *   `TRACE_HALT` for a REVERT of more memory than can be paid for; `TRACE_PRECOMPILE` for KZG; `TRACE_EVM`
   */
  async buildBlock(transactions: readonly Uint8Array[], fields: BlockFields = {}): Promise<BuiltBlock> {
    const decoded = transactions.map((raw, i) => decodeTransaction(raw, this.chainId, `transaction ${i}`));
    decoded.forEach(({ to }, i) => {
      if (to === undefined || toHex(to.bytes) !== KZG_PRECOMPILE) return;
      throw new TraceError("the KZG precompile is not there", { code: "TRACE_PRECOMPILE", where: `transaction ${i}` });
    });
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
      const code = tx.to === undefined ? tx.data : await vm.stateManager.getCode(tx.to);
      const recorder = new Recorder(vm.evm as EVM, code, touched);
      let result: RunTxResult;
      try {
        result = await builder.addTransaction(tx);
      } catch (cause) {
        throw recorder.failure(cause, `transaction ${i}`);
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
    const root = toHex(this.#head.header.stateRoot);
    this.#vm = vm;
    this.#head = block;
    return {
      trace: {
        version: TRACE_VERSION,
        chainId: this.chainId,
        header: traceHeader(block),
        transactions: transactions.map((raw) => raw.slice()),
        preState: { root, accounts },
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
   * @param block the next after {@link head}
   * @throws TraceError `TRACE_HEADER` if it is not, or if it is not what its header says
   */
  async execute(block: Block): Promise<void> {
    const where = `block ${block.header.number}`;
    const [parent, head] = [toHex(block.header.parentHash), toHex(this.#head.hash())];
    if (parent !== head) {
      throw new TraceError("another parent", { code: "TRACE_HEADER", where, expected: head, got: parent });
    }
    const vm = await this.#vm.shallowCopy();
    try {
      // the validation left out is what ethereumjs does with a database of headers
      await runBlock(vm, { block, skipHeaderValidation: true });
    } catch (cause) {
      throw headerError(where, cause);
    }
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
  async #open(
    vm: VM,
    headerData: { readonly timestamp: bigint; readonly gasLimit: bigint } & Readonly<Record<string, bigint | Hex>>,
  ) {
    try {
      const blockOpts = { putBlockIntoBlockchain: false };
      const builder = await buildBlock(vm, { parentBlock: this.#head, headerData, withdrawals: [], blockOpts });
      // the builder looks at the header only with the first transaction
      createBlock({ header: { ...headerData, number: this.#head.header.number + 1n } }, { common: vm.common });
      expectRange("timestamp", headerData.timestamp, this.#head.header.timestamp + 1n, MAX_UINT64);
      expectRange("gasLimit", headerData.gasLimit, MIN_GAS_LIMIT, MAX_UINT64);
      return builder;
    } catch (cause) {
      throw headerError(`block ${this.#head.header.number + 1n}`, cause);
    }
  }
}

/** @throws TraceError `TRACE_HEADER` */
function expectRange(name: string, value: bigint, min: bigint, max: bigint): void {
  if (value >= min && value <= max) return;
  throw new TraceError("out of range", {
    code: "TRACE_HEADER",
    where: `header.${name}`,
    expected: `${quantity(min)} to ${quantity(max)}`,
    got: quantity(value),
  });
}

function headerError(where: string, cause: unknown): TraceError {
  if (cause instanceof TraceError) return cause;
  const got = cause instanceof Error ? cause.message : String(cause);
  return new TraceError("no block has this header", { code: "TRACE_HEADER", where, got, cause });
}

/** Writes down the steps of one transaction, and the slots that they touch. */
class Recorder {
  readonly #evm: EVM;
  readonly #code: Uint8Array;
  readonly #touched: Touched;
  readonly #steps: { -readonly [K in keyof TraceExecution["steps"][number]]: TraceExecution["steps"][number][K] }[] =
    [];
  /** After the newest step. */
  #refund = 0n;
  readonly #listener: (step: InterpreterStep) => void;

  constructor(evm: EVM, code: Uint8Array, touched: Touched) {
    this.#evm = evm;
    this.#code = code;
    this.#touched = touched;
    this.#listener = (step) => this.#step(step);
    evm.events.on("step", this.#listener);
  }

  stop(): void {
    this.#evm.events.off("step", this.#listener);
  }

  #step({ pc, gasLeft, gasRefund, stack, memoryWordCount, address, depth }: InterpreterStep) {
    // steps of inner calls belong to a call that is refused anyway
    if (depth > 0) return;
    // the event shows INVALID for every byte that is no opcode
    const op = this.#code[pc]!;
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
      const ends: (number | undefined)[] = [OP.STOP, OP.RETURN, opcodeByte("SELFDESTRUCT")];
      const ranOff = exceptionError === undefined && !ends.includes(last);
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

  /** The error to throw when the transaction was not executed. */
  failure(cause: unknown, where: string): TraceError {
    if (cause instanceof HugeRevert) {
      return new TraceError("exceptional halt, out of gas: cannot be proved yet", {
        code: "TRACE_HALT",
        where: `${where}, step ${this.#steps.length} (REVERT at pc ${cause.pc})`,
      });
    }
    // ethereumjs refuses transactions with plain errors
    const isBug = cause instanceof RangeError || cause instanceof TypeError;
    return new TraceError(isBug ? "the EVM failed" : "cannot be included in this block", {
      code: isBug ? "TRACE_EVM" : "TRACE_TRANSACTION",
      where,
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
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
