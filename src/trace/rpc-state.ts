/**
 * The state before a block, as a node tells it: by `prestateTracer` all at once, and one by one what the tracer leaves out.
 *
 * @module
 */

import { verifyMerkleProof } from "@ethereumjs/mpt";
import { decodeRlp, type Place, type RlpItem } from "../verifier/ethereum/rlp.js";
import { EMPTY_TRIE_ROOT } from "../verifier/ethereum/trie.js";
import { wordToHex } from "../verifier/ethereum/words.js";
import { TraceError } from "./errors.js";
import type { ExecutedAccount, SourceAccount, StateSource } from "./execute.js";
import { bigEndian, fromHex, type Hex, MAX_UINT64, MAX_WORD, quantity, toHex, wordBytes } from "./read.js";
import { read } from "./rpc-block.js";
import type { RpcClient } from "./rpc-client.js";
import { RpcError } from "./rpc-errors.js";
import type { Fields } from "./rpc-values.js";
import { EMPTY_CODE } from "./state.js";
import { BEACON_ROOTS } from "./validate.js";

/** The block whose pre-state is asked for. */
export interface StateOf {
  readonly number: bigint;
  readonly hash: Hex;
  readonly parentHash: Hex;
  /** Hashes of its transactions. */
  readonly transactions: readonly Hex[];
}

interface Known extends SourceAccount {
  readonly slots: Map<bigint, bigint>;
}

/** BLOCKHASH looks back so far. */
const MAX_ANCESTORS = 256n;

/**
 * What a block finds, asked of a node. The pre-states of its transactions are one: what an account or slot was before the
 * first of them that mentions it, it was before the block.
 */
export class RpcState implements StateSource {
  readonly #client: RpcClient;
  readonly #block: StateOf;
  readonly #known = new Map<Hex, Known>();
  readonly #hashes = new Map<bigint, Hex>();
  /** Accounts and slots that the tracer did not mention. */
  #asked = 0;
  /** Whether the node has the tracer. */
  #traced = false;

  private constructor(client: RpcClient, block: StateOf) {
    this.#client = client;
    this.#block = block;
    this.#hashes.set(block.number - 1n, block.parentHash);
  }

  /**
   * Asks for the pre-states of a block's transactions.
   *
   * @throws RpcError; TraceError `TRACE_PRESTATE` if there is the contract of EIP-4788, which no trace can hold yet
   */
  static async of(client: RpcClient, block: StateOf): Promise<RpcState> {
    const state = new RpcState(client, block);
    const code = read.hex(await client.call("eth_getCode", BEACON_ROOTS, state.#parent), "the code of beacon roots");
    if (code !== "0x") {
      throw new TraceError("the beacon roots contract (EIP-4788) is there, which cannot be proved yet", {
        code: "TRACE_PRESTATE",
        where: `block ${block.number}`,
        expected: `no code at ${BEACON_ROOTS}`,
        got: `${(code.length - 2) / 2} bytes`,
      });
    }
    if (block.transactions.length > 0) {
      for (const [i, found] of (await state.#trace()).entries()) state.#merge(read.object(found, `pre-state ${i}`), i);
    }
    return state;
  }

  /** What is worth a note: that the node was asked for accounts and slots one by one. */
  get note(): string | undefined {
    if (this.#asked === 0 || this.#traced) return undefined;
    return `the node has no prestateTracer: ${this.#asked} accounts and slots were asked for one by one`;
  }

  get #parent(): Hex {
    return quantity(this.#block.number - 1n);
  }

  /** The pre-state of each transaction; none if the node has no tracer. */
  async #trace(): Promise<readonly unknown[]> {
    const { hash, number, transactions } = this.#block;
    // geth gives a transaction five seconds unless told otherwise
    const tracer = { tracer: "prestateTracer", timeout: "60s" };
    const attempts = [
      async () => this.#results(await this.#client.call("debug_traceBlockByHash", hash, tracer)),
      async () => this.#results(await this.#client.call("debug_traceBlockByNumber", quantity(number), tracer)),
      () =>
        this.#client.callAll(transactions.map((of) => ({ method: "debug_traceTransaction", params: [of, tracer] }))),
    ];
    for (const attempt of attempts) {
      try {
        const results = await attempt();
        this.#traced = true;
        return results;
      } catch (error) {
        if (!(error instanceof RpcError) || error.code !== "RPC_METHOD") throw error;
      }
    }
    return [];
  }

  #results(answer: unknown): readonly unknown[] {
    const { transactions } = this.#block;
    return read.list(answer, "pre-states", transactions.length).map((entry, i) => {
      const { result, error, txHash } = read.object(entry, `pre-state ${i}`);
      if (txHash !== undefined && read.hex(txHash, `pre-state ${i}.txHash`, 32) !== transactions[i]) {
        throw new RpcError("the pre-state of another transaction", {
          code: "RPC_MISMATCH",
          where: `transaction ${i}`,
          expected: transactions[i],
          got: String(txHash),
        });
      }
      if (error !== undefined) {
        const got = JSON.stringify(error).slice(0, 200);
        throw new RpcError("the node could not trace it", { code: "RPC_REFUSED", where: `transaction ${i}`, got });
      }
      return result;
    });
  }

  #merge(accounts: Fields, i: number): void {
    for (const [key, value] of Object.entries(accounts)) {
      const path = `pre-state ${i}.${key.slice(0, 60)}`;
      const address = read.hex(key, path, 20);
      const { nonce, balance, code, storage } = read.object(value, path);
      const account = this.#known.get(address) ?? {
        nonce: read.number(nonce ?? 0, `${path}.nonce`, MAX_UINT64),
        balance: read.number(balance ?? 0, `${path}.balance`, MAX_WORD),
        code: read.bytes(code ?? "0x", `${path}.code`),
        slots: new Map(),
      };
      this.#known.set(address, account);
      for (const [slot, word] of Object.entries(read.object(storage ?? {}, `${path}.storage`))) {
        const number = read.word(slot, `${path}.storage`);
        const before = read.word(word, `${path}.storage.${slot}`);
        if (!account.slots.has(number)) account.slots.set(number, before);
      }
    }
  }

  async account(address: Hex): Promise<SourceAccount> {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    this.#asked++;
    const methods = ["eth_getTransactionCount", "eth_getBalance", "eth_getCode"];
    const calls = methods.map((method) => ({ method, params: [address, this.#parent] }));
    const [nonce, balance, code] = await this.#client.callAll(calls);
    const account = {
      nonce: read.number(nonce, `nonce of ${address}`, MAX_UINT64),
      balance: read.number(balance, `balance of ${address}`, MAX_WORD),
      code: read.bytes(code, `code of ${address}`),
      slots: new Map(),
    };
    this.#known.set(address, account);
    return account;
  }

  async slot(address: Hex, slot: bigint): Promise<bigint> {
    const known = this.#known.get(address)?.slots.get(slot);
    if (known !== undefined) return known;
    this.#asked++;
    const word = await this.#client.call("eth_getStorageAt", address, toHex(wordBytes(slot)), this.#parent);
    return read.word(word, `slot ${quantity(slot)} of ${address}`);
  }

  async blockHash(number: bigint): Promise<Hex> {
    const newest = this.#block.number - 1n;
    const oldest = newest - MAX_ANCESTORS + 1n;
    if (number > newest || number < oldest) throw new RangeError(`block ${number} is out of BLOCKHASH's reach`);
    const known = this.#hashes.get(number);
    if (known !== undefined) return known;
    // a header says the hash of the one before: down from the oldest that is known
    let lowest = newest;
    while (this.#hashes.has(lowest - 1n)) lowest--;
    const numbers: bigint[] = [];
    for (let n = lowest; n > number; n--) numbers.push(n);
    const calls = numbers.map((n) => ({ method: "eth_getBlockByNumber", params: [quantity(n), false] }));
    for (const [i, block] of (await this.#client.callAll(calls)).entries()) {
      const path = `block ${numbers[i]}`;
      if (block === null) throw new RpcError("no such block", { code: "RPC_BLOCK", where: path });
      const fields = read.object(block, path);
      const hash = read.hex(fields.hash, `${path}.hash`, 32);
      const expected = this.#hashes.get(numbers[i]!)!;
      if (hash !== expected) {
        throw new RpcError("not the hash that the block after it names: was the chain reorganised?", {
          code: "RPC_MISMATCH",
          where: `${path}.hash`,
          expected,
          got: hash,
        });
      }
      this.#hashes.set(numbers[i]! - 1n, read.hex(fields.parentHash, `${path}.parentHash`, 32));
    }
    return this.#hashes.get(number)!;
  }
}

/**
 * Compares accounts with a state root, by the Merkle proofs that a node gives (EIP-1186).
 *
 * @param number of the block whose header has the root
 * @throws RpcError `RPC_MISMATCH` with the account and what is different in it; those of `RpcClient`
 */
export async function checkState(
  client: RpcClient,
  { number, root }: { readonly number: bigint; readonly root: bigint },
  accounts: readonly (readonly [
    Hex,
    Omit<ExecutedAccount, "storage"> & { readonly storage: Iterable<readonly [bigint, bigint]> },
  ])[],
): Promise<void> {
  const proofs = await client.callAll(
    accounts.map(([address, { storage }]) => ({
      method: "eth_getProof",
      params: [address, [...storage].map(([slot]) => toHex(wordBytes(slot))), quantity(number)],
    })),
  );
  for (const [i, [address, account]] of accounts.entries()) {
    const path = `proof of ${address}`;
    const { accountProof, storageProof } = read.object(proofs[i], path);
    const expect = (field: string, proved: bigint, ours: bigint) => {
      if (proved === ours) return;
      throw new RpcError(`not what the state root of block ${number} commits to`, {
        code: "RPC_MISMATCH",
        where: `${field} of ${address}`,
        expected: quantity(proved),
        got: quantity(ours),
      });
    };
    const item = await proved(root, fromHex(address), accountProof, path);
    const [nonce, balance, storageRoot, codeHash] = (item ?? []) as readonly Uint8Array[];
    expect("nonce", bigEndian(nonce ?? new Uint8Array(0)), account.nonce);
    expect("balance", bigEndian(balance ?? new Uint8Array(0)), account.balance);
    expect("code hash", codeHash === undefined ? BigInt(EMPTY_CODE) : bigEndian(codeHash), BigInt(account.codeHash));
    const slots = [...account.storage];
    const slotProofs = read.list(storageProof, `${path}.storageProof`, slots.length);
    for (const [j, [slot, value]] of slots.entries()) {
      const at = `${path}.storageProof[${j}]`;
      const slotRoot = storageRoot === undefined ? EMPTY_TRIE_ROOT : bigEndian(storageRoot);
      const word = await proved(slotRoot, wordBytes(slot), read.object(slotProofs[j], at).proof, at);
      expect(`slot ${quantity(slot)}`, bigEndian((word as Uint8Array | undefined) ?? new Uint8Array(0)), value);
    }
  }
}

/** What a trie of this root has at a key, `undefined` if nothing. */
async function proved(root: bigint, key: Uint8Array, nodes: unknown, path: string): Promise<RlpItem | undefined> {
  const proof = read.list(nodes, path).map((node, i) => read.bytes(node, `${path}[${i}]`));
  if (root === EMPTY_TRIE_ROOT) return undefined;
  const place: Place = { code: "BLOCK_MALFORMED", where: path };
  try {
    const value = await verifyMerkleProof(key, proof, { root: fromHex(wordToHex(root)), useKeyHashing: true });
    return value === null ? undefined : decodeRlp(value, place);
  } catch (cause) {
    const got = cause instanceof Error ? cause.message.slice(0, 100) : String(cause);
    const expected = `a proof under ${wordToHex(root)}`;
    throw new RpcError("not a proof under the state root", { code: "RPC_MISMATCH", where: path, expected, got, cause });
  }
}
