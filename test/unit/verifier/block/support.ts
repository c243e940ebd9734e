/**
 * What the tests of block verification share: blocks of a real EVM, honest claims for them, a replica's state in memory, and
 * a key set whose trapdoors are known, with which chunk proofs of any sum can be made.
 *
 * @module
 */

import { privateToAddress } from "@ethereumjs/util";
import { bn254 } from "@noble/curves/bn254.js";
import { expect } from "vitest";
import { type GenesisAccount, Sequencer, stateRootOf } from "../../../../src/trace/ethereumjs.js";
import { signTransaction, type TransactionFields } from "../../../../src/trace/transaction.js";
import {
  type BlockFault,
  type BlockValidity,
  type VerifyBlockOptions,
  verifyBlock,
} from "../../../../src/verifier/block.js";
import type { BlockState } from "../../../../src/verifier/block-state.js";
import {
  type Boundary,
  boundaryMessages,
  type SignedTransaction,
  type StateDiff,
  type TouchedState,
} from "../../../../src/verifier/boundary.js";
import { busSum } from "../../../../src/verifier/bus.js";
import { encodeChunkProof } from "../../../../src/verifier/chunk.js";
import type { BlockClaims, EndClaim, LookupClaims, TransactionClaims } from "../../../../src/verifier/claims.js";
import { compressG1 } from "../../../../src/verifier/compressed.js";
import { BLOCK_PROOF_VERSION, type BlockChunk, type BlockProof } from "../../../../src/verifier/encoding.js";
import { Code } from "../../../../src/verifier/ethereum/code.js";
import { decodeHeader, type Header } from "../../../../src/verifier/ethereum/header.js";
import { decodeTransaction, effectiveGasPrice, recoverSender } from "../../../../src/verifier/ethereum/transaction.js";
import {
  addressToHex,
  bytesToUint,
  EMPTY_CODE_HASH,
  keccak,
  uintToBytes,
} from "../../../../src/verifier/ethereum/words.js";
import { FR_MODULUS } from "../../../../src/verifier/fq2.js";
import { type KeySet, parseKeySet } from "../../../../src/verifier/keyset.js";
import { challenges } from "../../../../src/verifier/transcript.js";

export const CHAIN_ID = 1337n;
export const NO_LOOKUPS: LookupClaims = {
  ...{ code: [], ctx: [], txenv: [], env: [], range: [], calldata: [] },
  ...{ codeword: [], codeid: [], pow2: [], and: [], blockhash: [], opcode: [] },
};

/** An account whose key is known. */
export interface Actor {
  readonly key: Uint8Array;
  readonly address: bigint;
}

export const actor = (name: number): Actor => {
  const key = uintToBytes(BigInt(name), 32);
  return { key, address: bytesToUint(privateToAddress(key)) };
};

export const [ALICE, BOB, CAROL, MINER] = [actor(0xa11ce), actor(0xb0b), actor(0xca201), actor(0x31e5)] as const;
export const ETHER = 10n ** 18n;
export const GWEI = 10n ** 9n;

export const hexAddress = (address: bigint) => addressToHex(address) as `0x${string}`;

/** A signed transaction: type 2 with sufficient fees unless told otherwise. */
export function transfer(
  from: Actor,
  to: bigint,
  value: bigint,
  fields: Partial<Omit<TransactionFields, "to" | "value">> = {},
  chainId = CHAIN_ID,
): Uint8Array {
  const type = fields.type ?? 2;
  const fees = type === 2 ? { maxFeePerGas: 10n * GWEI, maxPriorityFeePerGas: 2n * GWEI } : { gasPrice: 5n * GWEI };
  const all = { type, to: hexAddress(to), value, gasLimit: 21_000n, ...fees, ...fields };
  return signTransaction(all as TransactionFields, chainId, from.key);
}

interface Held {
  nonce: bigint;
  balance: bigint;
  code: Uint8Array;
  storage: Map<bigint, bigint>;
}

/** A replica's state in memory. */
export class MemoryState implements BlockState {
  readonly accounts = new Map<bigint, Held>();
  /** Of the blocks before the parent. */
  readonly hashes = new Map<bigint, bigint>();

  constructor(genesis: readonly GenesisAccount[]) {
    for (const { address, nonce = 0n, balance = 0n, code = new Uint8Array(), storage = [] } of genesis) {
      this.accounts.set(BigInt(address), { nonce, balance, code, storage: new Map(storage) });
    }
  }

  #root(accounts: ReadonlyMap<bigint, Held>) {
    return stateRootOf(
      [...accounts].map(([address, { storage, ...rest }]) => ({
        ...rest,
        address: hexAddress(address),
        storage: [...storage],
      })),
    );
  }

  async commitment() {
    return uintToBytes(BigInt(await this.#root(this.accounts)), 32);
  }

  async account(address: bigint) {
    const account = this.accounts.get(address);
    if (account === undefined) return undefined;
    const { nonce, balance, code } = account;
    return { nonce, balance, codeHash: keccak(code) };
  }

  async code(address: bigint) {
    return this.accounts.get(address)?.code ?? new Uint8Array();
  }

  async blockHash(number: bigint) {
    return this.hashes.get(number);
  }

  async slot(address: bigint, slot: bigint) {
    return this.accounts.get(address)?.storage.get(slot) ?? 0n;
  }

  /** The accounts with the changes of a block. */
  after(diff: StateDiff): Map<bigint, Held> {
    const after = new Map<bigint, Held>();
    for (const [address, held] of this.accounts) after.set(address, { ...held, storage: new Map(held.storage) });
    const at = (address: bigint): Held => {
      const held = after.get(address) ?? { nonce: 0n, balance: 0n, code: new Uint8Array(), storage: new Map() };
      after.set(address, held);
      return held;
    };
    for (const { address, nonce, balance } of diff.accounts) {
      if (nonce !== undefined) at(address).nonce = nonce;
      if (balance !== undefined) at(address).balance = balance;
    }
    for (const { address, slot, value } of diff.slots) at(address).storage.set(slot, value);
    return after;
  }

  async postStateRoot(diff: StateDiff) {
    return BigInt(await this.#root(this.after(diff)));
  }
}

/** What an execution did, for the claims. Times are those of its rows. */
export interface Executed {
  readonly end: EndClaim;
  /** New values of slots of the recipient, and when they were written. */
  readonly slots?: readonly { readonly slot: bigint; readonly value: bigint; readonly t: bigint }[];
  /** The same of its transient slots. */
  readonly transients?: readonly { readonly slot: bigint; readonly value: bigint; readonly t: bigint }[];
  /** Cells of other accounts that its steps looked at, and when. */
  readonly looked?: readonly {
    readonly cell: "balance" | "nonce" | "account";
    readonly address: bigint;
    readonly t: bigint;
  }[];
  /** When the journal's balances were restored; undefined: it succeeded. */
  readonly undone?: { readonly recipient: bigint; readonly sender: bigint };
}

/** How an execution ended that did nothing, except as told; `t`: when its counters were written. */
export const endOf = (
  { t, ...parts }: { readonly t: bigint } & Partial<EndClaim>,
  { clk, gas }: Pick<EndClaim, "clk" | "gas">,
): EndClaim => ({
  ...{ clk, gas, status: 1n, journal: { j: 2n, t }, refund: { value: 0n, t } },
  ...{ logs: { t, entries: [] }, keccaks: [] },
  ...parts,
});

interface Live {
  balance: { value: bigint; t: bigint };
  nonce: { value: bigint; t: bigint };
  account: { lastTx: bigint; t: bigint };
}

/** A block as its real EVM made it, and what to verify it against. */
export interface TestBlock {
  readonly proof: BlockProof;
  readonly state: MemoryState;
  readonly touched: TouchedState;
  readonly parent: Header;
  readonly header: Header;
  readonly transactions: readonly SignedTransaction[];
  /** What the EVM's state holds afterwards. */
  readonly balanceAfter: (address: bigint) => Promise<bigint>;
}

export interface BlockOptions {
  readonly genesis: readonly GenesisAccount[];
  readonly transactions: readonly Uint8Array[];
  readonly coinbase?: bigint;
  /** What the transaction with this index did, which begins at clk `start`; `left` is the gas that the EVM gave back. */
  readonly execute?: (index: number, start: bigint, left: bigint) => Executed;
  /** Precompiles that some step looks at. */
  readonly precompiles?: readonly bigint[];
  /** How many blocks without transactions come first. */
  readonly before?: number;
  readonly lookups?: LookupClaims;
}

const cmp = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Builds a block with the EVM, and honest claims for it by a second hand-written account of what BEGIN and END do: one map of
 * live cells, changed access by access.
 */
export async function buildBlock({
  genesis,
  transactions: raw,
  coinbase = MINER.address,
  execute,
  lookups = NO_LOOKUPS,
  precompiles = [],
  before = 0,
}: BlockOptions): Promise<TestBlock> {
  const sequencer = await Sequencer.create({ chainId: CHAIN_ID, genesis });
  const state = new MemoryState(genesis);
  for (let i = 0; i < before; i++) {
    state.hashes.set(BigInt(i), bytesToUint(sequencer.head.hash()));
    await sequencer.buildBlock([]);
  }
  const parent = decodeHeader(sequencer.head.header.serialize());
  const { block, postState, trace } = await sequencer.buildBlock(raw, { coinbase: hexAddress(coinbase) });
  const header = decodeHeader(block.header.serialize());
  const transactions = raw.map((bytes) => {
    const transaction = decodeTransaction(bytes, CHAIN_ID);
    return { transaction, sender: recoverSender(transaction) };
  });

  const cells = new Map<bigint, Live>();
  const touched = { balances: new Set<bigint>(), nonces: new Set<bigint>(), accounts: new Set<bigint>() };
  const slots = new Map<
    string,
    { address: bigint; slot: bigint; value: bigint; original: bigint; lastTx: bigint; t: bigint }
  >();
  const codeHash = (address: bigint) => keccak(state.accounts.get(address)?.code ?? new Uint8Array());
  const live = (address: bigint): Live => {
    const { nonce, balance } = state.accounts.get(address) ?? { nonce: 0n, balance: 0n };
    const cell = cells.get(address) ?? {
      balance: { value: balance, t: 0n },
      nonce: { value: nonce, t: 0n },
      account: { lastTx: 0n, t: 0n },
    };
    cells.set(address, cell);
    return cell;
  };
  const transients = new Map<string, BlockClaims["cells"]["transients"][number]>();
  const slotOf = (address: bigint, slot: bigint) => {
    const key = `${address} ${slot}`;
    const value = state.accounts.get(address)?.storage.get(slot) ?? 0n;
    const cell = slots.get(key) ?? { address, slot, value, original: value, lastTx: 0n, t: 0n };
    slots.set(key, cell);
    return cell;
  };
  /** Changes a balance; returns what it was. */
  const pay = (address: bigint, delta: bigint, t: bigint) => {
    touched.balances.add(address);
    const cell = live(address).balance;
    const before = { balance: cell.value, t: cell.t };
    cell.value += delta;
    cell.t = t;
    return before;
  };

  let start = 1n;
  const claims = transactions.map(({ transaction: tx, sender }, i): TransactionClaims => {
    const T = BigInt(i + 1);
    const at = (port: bigint) => 16n * start + port;
    const price = effectiveGasPrice(tx, header.baseFeePerGas);
    const senderBalance = pay(sender, -tx.gasLimit * price, at(0n));
    touched.nonces.add(sender);
    const nonceCell = live(sender).nonce;
    const senderNonce = { nonce: nonceCell.value, createdTx: 0n, t: nonceCell.t };
    nonceCell.value++;
    nonceCell.t = at(0n);
    const warm = new Set([sender, tx.to, coinbase, ...precompiles, ...tx.accessList.map(({ address }) => address)]);
    const accounts = [...warm].sort(cmp).map((address) => {
      touched.accounts.add(address);
      const { account } = live(address);
      const claim = { codeHash: codeHash(address), lastTx: account.lastTx, t: account.t };
      account.lastTx = T;
      account.t = at(1n);
      return claim;
    });
    const keys = new Set(
      tx.accessList.flatMap(({ address, storageKeys }) => storageKeys.map((slot) => (address << 256n) | slot)),
    );
    const warmSlots = [...keys].sort(cmp).map((key) => {
      const cell = slotOf(key >> 256n, key & ((1n << 256n) - 1n));
      const { value, original, lastTx, t } = cell;
      Object.assign(cell, { original: value, lastTx: T, t: at(1n) });
      return { value, original, lastTx, t };
    });
    const paid = pay(sender, -tx.value, at(2n)).balance;
    const recipient = pay(tx.to, tx.value, at(3n));

    const executed =
      codeHash(tx.to) === EMPTY_CODE_HASH ? undefined : execute!(i, start, tx.gasLimit - trace.executions[i]!.gasUsed);
    let [close, left, refund] = [start + 2n, tx.gasLimit - tx.intrinsicGas, 0n];
    if (executed !== undefined) {
      const { end } = executed;
      close = end.clk + 1n;
      left = end.gas;
      const most = (tx.gasLimit - left) / 5n;
      refund = end.refund.value < most ? end.refund.value : most;
      for (const { slot, value, t } of executed.slots ?? []) {
        const cell = slotOf(tx.to, slot);
        Object.assign(cell, { original: cell.lastTx < T ? cell.value : cell.original, value, lastTx: T, t });
      }
      for (const { slot, value, t } of executed.transients ?? []) {
        transients.set(`${tx.to} ${slot}`, { address: tx.to, slot, value, lastTx: T, t });
      }
      for (const { cell, address, t } of executed.looked ?? []) {
        touched[`${cell}s`].add(address);
        live(address)[cell].t = t;
        if (cell === "account") live(address).account.lastTx = T;
      }
      if (executed.undone !== undefined) {
        live(tx.to).balance = { value: recipient.balance, t: executed.undone.recipient };
        live(sender).balance = { value: paid, t: executed.undone.sender };
      }
    }
    const used = tx.gasLimit - left - refund;
    const endSenderBalance = pay(sender, (left + refund) * price, 16n * close + 1n);
    const payee = pay(coinbase, used * (price - header.baseFeePerGas), 16n * close + 2n);
    start = close + 1n;
    return {
      senderBalance,
      senderNonce,
      accounts,
      slots: warmSlots,
      recipientBalance: tx.to === sender ? undefined : recipient,
      end: executed?.end,
      endSenderBalance,
      coinbaseBalance: coinbase === sender ? undefined : payee,
    };
  });
  const list = <T>(addresses: Set<bigint>, of: (cell: Live) => T) =>
    [...addresses].sort(cmp).map((address) => ({ address, ...of(live(address)) }));
  const proofClaims: BlockClaims = {
    preState: await state.commitment(),
    transactions: claims,
    cells: {
      balances: list(touched.balances, ({ balance: { value, t } }) => ({ balance: value, t })),
      nonces: list(touched.nonces, ({ nonce: { value, t } }) => ({ nonce: value, createdTx: 0n, t })),
      accounts: [...touched.accounts]
        .sort(cmp)
        .map((address) => ({ address, codeHash: codeHash(address), ...live(address).account })),
      slots: [...slots.values()].sort((a, b) => cmp(a.address, b.address) || cmp(a.slot, b.slot)),
      transients: [...transients.values()].sort((a, b) => cmp(a.address, b.address) || cmp(a.slot, b.slot)),
    },
    lookups,
  };

  const accounts = new Map<bigint, { nonce: bigint; balance: bigint; codeHash: bigint }>();
  const codes = new Map<bigint, Code>();
  for (const address of cells.keys()) {
    const { nonce = 0n, balance = 0n, code = new Uint8Array() } = state.accounts.get(address) ?? {};
    accounts.set(address, { nonce, balance, codeHash: codeHash(address) });
    codes.set(codeHash(address), new Code(code));
  }
  const slotValues = new Map<bigint, Map<bigint, bigint>>();
  for (const { address, slot } of slots.values()) {
    const values = slotValues.get(address) ?? new Map<bigint, bigint>();
    slotValues.set(address, values.set(slot, await state.slot(address, slot)));
  }
  return {
    proof: {
      version: BLOCK_PROOF_VERSION,
      keySet: digestOf(KEYS),
      header: block.header.serialize(),
      transactions: raw,
      claims: proofClaims,
      chunks: [],
    },
    state,
    touched: { accounts, slots: slotValues, codes, blockHashes: state.hashes },
    parent,
    header,
    transactions,
    balanceAfter: async (address) => (await postState.account(hexAddress(address))).balance,
  };
}

/** Verifies against the block's own replica. */
export const verdictOn = (
  { state, parent }: TestBlock,
  proof: Uint8Array | BlockProof,
  options: Partial<VerifyBlockOptions> = {},
): Promise<BlockValidity> => verifyBlock(proof, { state, parent, keys: KEYS, chainId: CHAIN_ID, ...options });

export async function faultsOf(
  block: TestBlock,
  proof: Uint8Array | BlockProof,
  options: Partial<VerifyBlockOptions> = {},
): Promise<readonly BlockFault[]> {
  const verdict = await verdictOn(block, proof, options);
  expect(verdict.valid).toBe(false);
  return verdict.faults;
}

/** Expects exactly these faults, as [code, where]. */
export async function expectFaults(
  block: TestBlock,
  proof: Uint8Array | BlockProof,
  expected: readonly (readonly [BlockFault["code"], string])[],
  options: Partial<VerifyBlockOptions> = {},
): Promise<readonly BlockFault[]> {
  const faults = await faultsOf(block, proof, options);
  expect(
    faults.map(({ code, where }) => [code, where]),
    faults.map(({ message }) => message).join("\n"),
  ).toEqual(expected);
  return faults;
}

/** A deep copy with one thing changed. */
export function altered<T>(value: T, change: (copy: T) => void): T {
  const copy = structuredClone(value);
  change(copy);
  return copy;
}

/** What nobody else may know. */
const TRAPDOOR = { alpha: 11n, beta: 13n };
const SECRETS = [
  { delta: 101n, sigma: 103n, ic: [3n, 5n, 7n, 9n] },
  { delta: 107n, sigma: 109n, ic: [4n, 6n, 8n, 10n] },
];
const { G1, G2, fields } = bn254;
const g1 = (k: bigint) => {
  const reduced = ((k % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;
  return reduced === 0n ? { x: 0n, y: 0n } : G1.Point.BASE.multiply(reduced).toAffine();
};
const g2 = (k: bigint) => G2.Point.BASE.multiply(k).toAffine();
const json1 = (k: bigint) => {
  const { x, y } = g1(k);
  return [String(x), String(y), "1"];
};
const json2 = (k: bigint) => {
  const { x, y } = g2(k);
  return [
    [String(x.c0), String(x.c1)],
    [String(y.c0), String(y.c1)],
    ["1", "0"],
  ];
};

const keySetJson = (insecure: boolean) => ({
  version: 1,
  protocol: "groth16-committed",
  curve: "bn128",
  insecure,
  keys: SECRETS.map(({ delta, sigma, ic }, i) => ({
    name: `layout-${i}`,
    power: 10,
    nPublic: 23,
    nCommitted: 20,
    layout: "00".repeat(32),
    vk_alpha_1: json1(TRAPDOOR.alpha),
    vk_beta_2: json2(TRAPDOOR.beta),
    vk_gamma_2: json2(1n),
    vk_delta_2: json2(delta),
    vk_sigma_2: json2(sigma),
    IC: ic.map(json1),
  })),
});

export const KEYS: KeySet = parseKeySet(keySetJson(false));
/** The same points, another set. */
export const OTHER_KEYS: KeySet = parseKeySet(keySetJson(true), { allowInsecure: true });

export const digestOf = (keys: KeySet): Uint8Array => uintToBytes(BigInt(`0x${keys.digest}`), 32);

/** A commitment to something, by its discrete logarithm. */
export interface Commitment {
  readonly layout: number;
  readonly d: bigint;
}

const commitmentBytes = ({ layout, d }: Commitment) => ({
  layout,
  d: compressG1(g1(d)),
  p: compressG1(g1(d * SECRETS[layout]!.sigma)),
});

/** A valid chunk proof of any sum: what only the makers of the keys can do. */
export function forgeChunk(
  { layout, d }: Commitment,
  sum: bigint,
  { alpha, beta }: { alpha: bigint; beta: bigint },
): BlockChunk {
  const { delta, sigma, ic } = SECRETS[layout]!;
  const [a, b] = [17n, 19n];
  const x = ic[0]! + ic[1]! * sum + ic[2]! * alpha + ic[3]! * beta + d;
  const c = fields.Fr.mul(fields.Fr.create(a * b - TRAPDOOR.alpha * TRAPDOOR.beta - x), fields.Fr.inv(delta));
  const proof = { layout, a: g1(a), b: g2(b), c: g1(c), d: g1(d), p: g1(d * sigma), sum };
  return { layout, proof: encodeChunkProof(proof) };
}

/** The boundary of a block, which must have no faults. */
export function boundaryOf(block: TestBlock, claims: BlockClaims = block.proof.claims): Boundary {
  const { header, transactions, touched } = block;
  const { value, faults } = boundaryMessages({ chainId: CHAIN_ID, header, transactions, claims, state: touched });
  expect(faults.map(({ message }) => message)).toEqual([]);
  return value!;
}

/** The proof with chunks for these commitments whose sums balance the bus, whatever is on it. */
export function withForgedChunks(block: TestBlock, commitments: readonly Commitment[]): BlockProof {
  const { proof } = block;
  const { messages } = boundaryOf(block);
  const drawn = challenges({
    keySet: proof.keySet,
    chainId: CHAIN_ID,
    header: proof.header,
    preState: proof.claims.preState,
    messages,
    chunks: commitments.map(commitmentBytes),
  });
  const total = (FR_MODULUS - busSum(messages, drawn)) % FR_MODULUS;
  const chunks = commitments.map((commitment, i) =>
    // all but the last prove the sum i + 1
    forgeChunk(
      commitment,
      i < commitments.length - 1
        ? BigInt(i + 1)
        : fields.Fr.create(total - BigInt(((commitments.length - 1) * commitments.length) / 2)),
      drawn,
    ),
  );
  return { ...proof, chunks };
}
