/**
 * States in a database: the account trie, storage tries and codes of Ethereum, every node under its hash. A state is named
 * by its root; nodes are never changed or deleted, so all states since the snapshot can be read.
 *
 * @module
 */

import { BranchMPTNode, createMPT, decodeMPTNode, ExtensionMPTNode, type MerklePatriciaTrie } from "@ethereumjs/mpt";
import {
  type Account,
  type BatchDBOp,
  createAccount,
  createAccountFromRLP,
  type DB,
  KECCAK256_RLP,
  ValueEncoding,
} from "@ethereumjs/util";
import type { StateAccount, StateDiff } from "../../verifier/boundary.js";
import { decodeRlp, encodeRlp } from "../../verifier/ethereum/rlp.js";
import {
  addressToHex,
  bytesToUint,
  EMPTY_CODE_HASH,
  uintToBytes,
  uintToMinimalBytes,
  wordToHex,
} from "../../verifier/ethereum/words.js";
import { ReplicaError } from "../errors.js";
import { damaged } from "./records.js";

/** Where the nodes of tries and codes are. What is asked for is there, or the database is damaged. */
export interface NodeSource {
  /** @param hash 64 hexadecimal digits. @throws NodeError `DATABASE_DAMAGED` */
  node(hash: string): Promise<Uint8Array>;
  /** @throws NodeError `DATABASE_DAMAGED` */
  code(hash: bigint): Promise<Uint8Array>;
}

/** What a block makes of a state. */
export interface NextState {
  readonly root: bigint;
  /** Nodes of the new tries that the old ones do not have, by hash (64 hexadecimal digits). */
  readonly nodes: ReadonlyMap<string, Uint8Array>;
}

const EMPTY_ROOT = Buffer.from(KECCAK256_RLP).toString("hex");
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A source of nodes with what was written on top of it, as the tries of ethereumjs want it. */
class Overlay implements DB<string, string | Uint8Array> {
  readonly written = new Map<string, Uint8Array>();
  readonly #source: NodeSource;

  constructor(source: NodeSource) {
    this.#source = source;
  }

  /**
   * Throws where the trie itself would take a missing node for the end of its path, and say that there is no such account.
   * Only the empty trie has no node.
   */
  async get(key: string): Promise<Uint8Array | undefined> {
    if (key === EMPTY_ROOT) return undefined;
    return this.written.get(key) ?? this.#source.node(key);
  }

  async put(key: string, value: string | Uint8Array): Promise<void> {
    this.written.set(key, value as Uint8Array);
  }

  /** Other states may need the node. */
  async del(): Promise<void> {}

  async batch(operations: BatchDBOp<string, string | Uint8Array>[]): Promise<void> {
    for (const operation of operations) {
      if (operation.type === "put") this.written.set(operation.key, operation.value as Uint8Array);
    }
  }

  shallowCopy(): Overlay {
    return this;
  }

  async open(): Promise<void> {}

  trie(root: Uint8Array): Promise<MerklePatriciaTrie> {
    return createMPT({ db: this, root, useKeyHashing: true, valueEncoding: ValueEncoding.Bytes });
  }

  /**
   * What was written and can be reached from these roots: a trie that is changed key by key leaves many nodes behind that
   * only stood there in between.
   */
  reachable(roots: Iterable<Uint8Array>): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    const waiting = [...roots];
    for (let hash = waiting.pop(); hash !== undefined; hash = waiting.pop()) {
      const key = hex(hash);
      const bytes = this.written.get(key);
      if (bytes === undefined || found.has(key)) continue;
      found.set(key, bytes);
      const node = decodeMPTNode(bytes);
      if (node instanceof BranchMPTNode) for (const [, child] of node.getChildren()) collect(child, waiting);
      if (node instanceof ExtensionMPTNode) collect(node.value(), waiting);
    }
    return found;
  }
}

/** Hashes in a child of a node: itself, or those within it if it is so small that it has none. */
function collect(child: unknown, into: Uint8Array[]): void {
  if (child instanceof Uint8Array) {
    if (child.length === 32) into.push(child);
  } else if (Array.isArray(child)) {
    for (const item of child) collect(item, into);
  }
}

/** One state. */
export class StateView {
  readonly root: bigint;
  readonly #source: NodeSource;
  #accounts: Promise<MerklePatriciaTrie> | undefined;

  constructor(source: NodeSource, root: bigint) {
    this.#source = source;
    this.root = root;
  }

  /** undefined: there is no such account. */
  async account(address: bigint): Promise<StateAccount | undefined> {
    const account = await this.#account(address);
    if (account === undefined) return undefined;
    return { nonce: account.nonce, balance: account.balance, codeHash: bytesToUint(account.codeHash) };
  }

  /** None: no bytes. */
  async code(address: bigint): Promise<Uint8Array> {
    const account = await this.#account(address);
    const hash = account === undefined ? EMPTY_CODE_HASH : bytesToUint(account.codeHash);
    return hash === EMPTY_CODE_HASH ? new Uint8Array(0) : this.#source.code(hash);
  }

  /** 0 for one that does not exist. */
  async slot(address: bigint, slot: bigint): Promise<bigint> {
    const account = await this.#account(address);
    if (account === undefined) return 0n;
    const trie = await new Overlay(this.#source).trie(account.storageRoot);
    const value = await trie.get(uintToBytes(slot, 32));
    if (value === null) return 0n;
    const where = `${addressToHex(address)} ${wordToHex(slot)}`;
    const word = decodeRlp(value, { code: "STATE_INVALID", where });
    if (!(word instanceof Uint8Array)) throw damaged(where);
    return bytesToUint(word);
  }

  async #account(address: bigint): Promise<Account | undefined> {
    this.#accounts ??= new Overlay(this.#source).trie(uintToBytes(this.root, 32));
    const value = await (await this.#accounts).get(uintToBytes(address, 20));
    return value === null ? undefined : createAccountFromRLP(value);
  }

  /**
   * The state after these changes. This one stays as it is.
   *
   * @throws ReplicaError `SNAPSHOT_DIFF` for a slot of an account without code, which nothing can have written; NodeError
   *   `DATABASE_DAMAGED`
   */
  async after(diff: StateDiff): Promise<NextState> {
    const overlay = new Overlay(this.#source);
    const accounts = await overlay.trie(uintToBytes(this.root, 32));
    const roots: Uint8Array[] = [];
    const changes = new Map(diff.accounts.map((change) => [change.address, change]));
    const slots = new Map<bigint, StateDiff["slots"][number][]>();
    for (const slot of diff.slots) {
      const list = slots.get(slot.address);
      if (list === undefined) slots.set(slot.address, [slot]);
      else list.push(slot);
    }
    for (const address of new Set([...changes.keys(), ...slots.keys()])) {
      const key = uintToBytes(address, 20);
      const found = await accounts.get(key);
      const account = found === null ? createAccount({}) : createAccountFromRLP(found);
      account.nonce = changes.get(address)?.nonce ?? account.nonce;
      account.balance = changes.get(address)?.balance ?? account.balance;
      const hasCode = bytesToUint(account.codeHash) !== EMPTY_CODE_HASH;
      const written = slots.get(address) ?? [];
      if (written.length > 0) {
        if (!hasCode) {
          const where = `${addressToHex(address)} ${wordToHex(written[0]!.slot)}`;
          throw new ReplicaError("a slot of an account without code", { code: "SNAPSHOT_DIFF", where });
        }
        const storage = await overlay.trie(account.storageRoot);
        for (const { slot, value } of written) {
          const word = uintToBytes(slot, 32);
          if (value === 0n) await storage.del(word);
          else await storage.put(word, encodeRlp(uintToMinimalBytes(value)));
        }
        account.storageRoot = storage.root();
        roots.push(account.storageRoot);
      }
      if (account.nonce === 0n && account.balance === 0n && !hasCode) await accounts.del(key);
      else await accounts.put(key, account.serialize());
    }
    const root = accounts.root();
    return { root: bytesToUint(root), nodes: overlay.reachable([root, ...roots]) };
  }
}
