/**
 * The embedded sequencer: a chain of blocks in memory, executed by `@ethereumjs/vm`, that says for each block what its EVM
 * did. Fork: Cancun. Blocks have no withdrawals, and the beacon roots contract (EIP-4788) must not exist in the genesis, so
 * that nothing but transactions changes the state.
 *
 * A block is built on a copy of the state: one that fails leaves nothing behind.
 *
 * @module
 */

import { type Block, createBlock, genTransactionsTrieRoot } from "@ethereumjs/block";
import type { Log } from "@ethereumjs/evm";
import { createMPT } from "@ethereumjs/mpt";
import { MerkleStateManager } from "@ethereumjs/statemanager";
import { createTxFromRLP } from "@ethereumjs/tx";
import { createAccount, createAddressFromString, KECCAK256_RLP } from "@ethereumjs/util";
import { createVM, encodeReceipt, runBlock } from "@ethereumjs/vm";
import { encodeRlp } from "../verifier/ethereum/rlp.js";
import { TraceError } from "./errors.js";
import { type ExecutedAccount, type ExecutedReceipt, executeBlock, type StateSource, traceOfBlock } from "./execute.js";
import type { Trace, TraceHeader } from "./format.js";
import {
  bigEndian,
  fromHex,
  type Hex,
  MAX_CHAIN_ID,
  MAX_UINT64,
  MAX_WORD,
  quantity,
  toHex,
  wordBytes,
} from "./read.js";
import { SNAPSHOT_VERSION, type Snapshot, type SnapshotAccount } from "./snapshot.js";
import { EMPTY_CODE } from "./state.js";
import { cancun } from "./transaction.js";
import { BEACON_ROOTS } from "./validate.js";

const ZERO_HASH: Hex = `0x${"00".repeat(32)}`;
const ZERO_ADDRESS: Hex = `0x${"00".repeat(20)}`;
/** The protocol allows no less. */
const MIN_GAS_LIMIT = 5000n;
const SECONDS_PER_BLOCK = 12n;
/** BLOCKHASH looks back no farther. */
const MAX_ANCESTORS = 256n;

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
  /** Hashes of the newest blocks by their number, {@link head} included. */
  readonly #hashes = new Map<bigint, Hex>();
  /** After {@link head}. */
  #state: MerkleStateManager;
  #head: Block;

  private constructor(chainId: bigint, defaults: BlockFields, known: Touched, state: MerkleStateManager, head: Block) {
    this.chainId = chainId;
    this.#defaults = defaults;
    this.#known = known;
    this.#state = state;
    this.#head = head;
    this.#hashes.set(head.header.number, toHex(head.hash()));
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
    return new Sequencer(chainId, rest, known, stateManager, head);
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
   * @throws TraceError those of `executeBlock`, with `transaction <index>` in `where`; `TRACE_HEADER`
   */
  async buildBlock(transactions: readonly Uint8Array[], fields: BlockFields = {}): Promise<BuiltBlock> {
    const { chainId } = this;
    const open = this.#open(fields);
    const executed = await executeBlock(
      { chainId, header: traceHeader(open), transactions },
      sourceOf(this.#state, this.#hashes),
    );
    const state = this.#state.shallowCopy();
    await write(state, executed.postAccounts);
    const decoded = transactions.map((raw) => createTxFromRLP(raw, { common: open.common }));
    const block = createBlock(
      {
        header: {
          ...open.header,
          stateRoot: await state.getStateRoot(),
          transactionsTrie: await genTransactionsTrieRoot(decoded),
          receiptTrie: await receiptsRoot(executed.receipts),
          logsBloom: executed.logsBloom,
          gasUsed: executed.gasUsed,
        },
        transactions: decoded,
        withdrawals: [],
      },
      { common: open.common },
    );

    for (const { address, storage } of executed.preAccounts) {
      const known = this.#known.account(address);
      for (const [slot] of storage) known.add(slot);
    }
    const root = toHex(this.#head.header.stateRoot);
    this.#state = state;
    this.#head = block;
    this.#hashes.set(block.header.number, toHex(block.hash()));
    this.#hashes.delete(block.header.number - MAX_ANCESTORS);
    const header = traceHeader(block);
    return {
      trace: traceOfBlock({ chainId, header, transactions }, root, executed),
      block,
      postState: accessor(state, header.stateRoot),
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
    const blockchain = {
      getBlock: async (number: number) => ({ hash: () => fromHex(this.#hashes.get(BigInt(number))!) }),
      putBlock: async () => {},
      shallowCopy: () => blockchain,
    };
    const vm = await createVM({ common: block.common, stateManager: this.#state.shallowCopy(), blockchain });
    try {
      // the validation left out is what ethereumjs does with a database of headers
      await runBlock(vm, { block, skipHeaderValidation: true });
    } catch (cause) {
      throw headerError(where, cause);
    }
  }

  /** The state after {@link head}. */
  async snapshot(): Promise<Snapshot> {
    const stateManager = this.#state;
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

  /** The next block without what its transactions make of it. @throws TraceError `TRACE_HEADER` */
  #open(fields: BlockFields): Block {
    const { common, header: parent } = this.#head;
    const options = { ...this.#defaults, ...fields };
    const gasLimit = options.gasLimit ?? parent.gasLimit;
    const timestamp = options.timestamp ?? parent.timestamp + SECONDS_PER_BLOCK;
    const number = parent.number + 1n;
    try {
      const header = {
        parentHash: this.#head.hash(),
        number,
        gasLimit,
        timestamp,
        coinbase: options.coinbase ?? ZERO_ADDRESS,
        mixHash: options.prevRandao ?? ZERO_HASH,
        extraData: options.extraData ?? "0x",
        parentBeaconBlockRoot: options.parentBeaconBlockRoot ?? ZERO_HASH,
        baseFeePerGas: parent.calcNextBaseFee(),
        excessBlobGas: parent.calcNextExcessBlobGas(common),
        blobGasUsed: 0n,
        withdrawalsRoot: KECCAK256_RLP,
      };
      const block = createBlock({ header, withdrawals: [] }, { common });
      expectRange("timestamp", timestamp, parent.timestamp + 1n, MAX_UINT64);
      expectRange("gasLimit", gasLimit, MIN_GAS_LIMIT, MAX_UINT64);
      return block;
    } catch (cause) {
      throw headerError(`block ${number}`, cause);
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

/** The state before a block, and the blocks before. */
function sourceOf(state: MerkleStateManager, hashes: ReadonlyMap<bigint, Hex>): StateSource {
  return {
    async account(address) {
      const key = createAddressFromString(address);
      const account = await state.getAccount(key);
      if (account === undefined) return undefined;
      return { nonce: account.nonce, balance: account.balance, code: await state.getCode(key) };
    },
    async slot(address, slot) {
      return bigEndian(await state.getStorage(createAddressFromString(address), wordBytes(slot)));
    },
    blockHash: (number) => hashes.get(number)!,
  };
}

/** Writes what a block has touched. */
async function write(state: MerkleStateManager, accounts: ReadonlyMap<Hex, ExecutedAccount>): Promise<void> {
  for (const [address, { nonce, balance, codeHash, storage }] of accounts) {
    const key = createAddressFromString(address);
    const account = (await state.getAccount(key)) ?? createAccount({});
    if (nonce === 0n && balance === 0n && codeHash === EMPTY_CODE) continue;
    account.nonce = nonce;
    account.balance = balance;
    await state.putAccount(key, account);
    for (const [slot, value] of storage) await state.putStorage(key, wordBytes(slot), wordBytes(value));
  }
}

async function receiptsRoot(receipts: readonly ExecutedReceipt[]): Promise<Uint8Array> {
  const trie = await createMPT();
  for (const [i, { type, status, cumulativeGasUsed, logsBloom, logs }] of receipts.entries()) {
    const receipt = {
      status,
      cumulativeBlockGasUsed: cumulativeGasUsed,
      bitvector: logsBloom,
      logs: logs.map(({ address, topics, data }): Log => [fromHex(address), topics.map(fromHex), data]),
    };
    await trie.put(encodeRlp(BigInt(i)), encodeReceipt(receipt, type));
  }
  return trie.root();
}

function accessor(stateManager: MerkleStateManager, stateRoot: Hex): PostState {
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
