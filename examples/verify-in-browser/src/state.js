/**
 * A state in memory, from the file that `chunkproof trace --snapshot` writes: what `verifyBlock` asks a replica for.
 *
 * What is trusted: that the file's state root is the chain's after that block. Nobody can compute this, so compare root and
 * block hash with a source that you trust. What isn't: that the accounts of the file make up this root. That is computed
 * here, and so is the root after each block, which `verifyBlock` compares with the header. The commitment that proofs are
 * checked against is therefore always the root of the accounts that are held here, never a word of a file or of a proof.
 *
 * @module
 */

import { ChunkproofError } from "chunkproof/verifier";
import {
  bytesOf,
  digitsOf,
  keccak256,
  minimalBytes,
  put,
  remove,
  rlp,
  rlpList,
  rootOf,
  uintBytes,
  wordToHex,
} from "./ethereum.js";

/** @typedef {import("chunkproof/verifier").BlockState} BlockState */
/** @typedef {import("chunkproof/verifier").StateDiff} StateDiff */
/** @typedef {import("./ethereum.js").Trie} Trie */

/**
 * @typedef {object} Account
 * @property {bigint} nonce
 * @property {bigint} balance
 * @property {Uint8Array} code
 * @property {bigint} codeHash
 * @property {ReadonlyMap<bigint, bigint>} storage no zeros
 * @property {Trie | undefined} trie of the storage
 */

/**
 * A block, as far as its successor needs to know it.
 *
 * @typedef {object} Head
 * @property {bigint} number
 * @property {bigint} hash
 * @property {bigint} stateRoot
 */

const VERSION = 1;
/** BLOCKHASH looks back no farther. */
const ANCESTORS = 256n;

/** @param {Uint8Array} bytes */
const uintOf = (bytes) => BigInt(`0x${digitsOf(bytes)}`);

const NO_CODE = new Uint8Array(0);
/** @type {Account} */
const NO_ACCOUNT = {
  nonce: 0n,
  balance: 0n,
  code: NO_CODE,
  codeHash: uintOf(keccak256(NO_CODE)),
  storage: new Map(),
  trie: undefined,
};

/** Whether it does not exist, as far as Ethereum is concerned (EIP-161). @param {Account} account */
const isEmpty = ({ nonce, balance, code }) => nonce === 0n && balance === 0n && code.length === 0;

/** The trie of a storage with a slot as it is now. @param {Trie | undefined} trie @param {bigint} slot @param {bigint} value */
function withSlot(trie, slot, value) {
  const key = digitsOf(keccak256(uintBytes(slot, 32)));
  return value === 0n ? remove(trie, key) : put(trie, key, rlp(minimalBytes(value)));
}

/** The trie of the state with an account as it is now. @param {Trie | undefined} trie @param {bigint} address @param {Account} account */
function withAccount(trie, address, account) {
  const key = digitsOf(keccak256(uintBytes(address, 20)));
  if (isEmpty(account)) return remove(trie, key);
  const { nonce, balance, codeHash, trie: storage } = account;
  const fields = [minimalBytes(nonce), minimalBytes(balance), rootOf(storage), uintBytes(codeHash, 32)];
  return put(trie, key, rlpList(fields.map(rlp)));
}

/** @param {string} where @param {string} expected @returns {never} */
function malformed(where, expected) {
  throw new ChunkproofError("not a snapshot", { code: "SNAPSHOT_MALFORMED", where, expected });
}

/** @param {unknown} value @param {string} where */
function quantity(value, where) {
  return typeof value === "string" && /^0x[0-9a-f]{1,64}$/.test(value) ? BigInt(value) : malformed(where, "0x…");
}

/** @param {unknown} value @param {string} where */
const list = (value, where) => (Array.isArray(value) ? value : malformed(where, "a list"));

/** @param {any} json @param {string} where @returns {[bigint, Account]} */
function readAccount(json, where) {
  const address = quantity(json?.address, `${where}.address`);
  if (address >> 160n !== 0n) malformed(`${where}.address`, "20 bytes");
  if (typeof json.code !== "string" || !/^0x(?:[0-9a-f]{2})*$/.test(json.code)) malformed(`${where}.code`, "0x…");
  const code = bytesOf(json.code.slice(2));
  /** @type {Map<bigint, bigint>} */
  const storage = new Map();
  /** @type {Trie | undefined} */
  let trie;
  for (const [i, pair] of list(json.storage, `${where}.storage`).entries()) {
    const [slot, value] = list(pair, `${where}.storage[${i}]`).map((word) => quantity(word, `${where}.storage[${i}]`));
    storage.set(slot, value);
    trie = withSlot(trie, slot, value);
  }
  const nonce = quantity(json.nonce, `${where}.nonce`);
  const balance = quantity(json.balance, `${where}.balance`);
  return [address, { nonce, balance, code, codeHash: uintOf(keccak256(code)), storage, trie }];
}

/** @implements {BlockState} */
export class MemoryState {
  /** @type {Map<bigint, Account>} */
  #accounts;
  /** @type {Trie | undefined} */
  #trie;
  /** Hashes of blocks that were seen here, by number. */
  #hashes;
  /** @type {Head} */
  #head;

  /**
   * @param {string} text of the file
   * @throws ChunkproofError `SNAPSHOT_MALFORMED`; `SNAPSHOT_ROOT`: the accounts do not make up the root
   */
  constructor(text) {
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      malformed("file", "JSON");
    }
    if (json?.version !== VERSION) malformed("version", String(VERSION));
    this.chainId = quantity(json.chainId, "chainId");
    this.#accounts = new Map(
      list(json.accounts, "accounts").map((account, i) => readAccount(account, `accounts[${i}]`)),
    );
    for (const [address, account] of this.#accounts) this.#trie = withAccount(this.#trie, address, account);
    const stateRoot = uintOf(rootOf(this.#trie));
    this.#head = { number: quantity(json.number, "number"), hash: quantity(json.blockHash, "blockHash"), stateRoot };
    this.#hashes = new Map([[this.#head.number, this.#head.hash]]);
    if (stateRoot !== quantity(json.stateRoot, "stateRoot")) {
      throw new ChunkproofError("the accounts do not make up this root", {
        code: "SNAPSHOT_ROOT",
        where: "stateRoot",
        expected: wordToHex(stateRoot),
        got: json.stateRoot,
      });
    }
  }

  get head() {
    return this.#head;
  }

  get size() {
    return this.#accounts.size;
  }

  async commitment() {
    return uintBytes(this.#head.stateRoot, 32);
  }

  /** @param {bigint} address */
  async account(address) {
    return this.#accounts.get(address);
  }

  /** @param {bigint} address */
  async code(address) {
    return this.#accounts.get(address)?.code ?? NO_CODE;
  }

  /** @param {bigint} address @param {bigint} slot */
  async slot(address, slot) {
    return this.#accounts.get(address)?.storage.get(slot) ?? 0n;
  }

  /** @param {bigint} number */
  async blockHash(number) {
    return this.#hashes.get(number);
  }

  /** @param {StateDiff} diff */
  async postStateRoot(diff) {
    return uintOf(rootOf(this.#after(diff).trie));
  }

  /**
   * Goes on to the state after a block.
   *
   * @param {StateDiff} diff of a block that `verifyBlock` found valid on this state
   * @param {Head} head that block; its root was compared with {@link postStateRoot} then
   */
  apply(diff, head) {
    const { changed, trie } = this.#after(diff);
    for (const [address, account] of changed) {
      if (isEmpty(account)) this.#accounts.delete(address);
      else this.#accounts.set(address, account);
    }
    this.#trie = trie;
    this.#head = head;
    this.#hashes.set(head.number, head.hash);
    this.#hashes.delete(head.number - ANCESTORS);
  }

  /** Changed accounts as they are after a block, and the trie of the state. @param {StateDiff} diff */
  #after(diff) {
    /** @type {Map<bigint, Account>} */
    const changed = new Map();
    const open = (/** @type {bigint} */ address) => changed.get(address) ?? this.#accounts.get(address) ?? NO_ACCOUNT;
    for (const { address, nonce, balance } of diff.accounts) {
      const account = open(address);
      changed.set(address, { ...account, nonce: nonce ?? account.nonce, balance: balance ?? account.balance });
    }
    /** @type {Map<bigint, Map<bigint, bigint>>} */
    const storages = new Map();
    for (const { address, slot, value } of diff.slots) {
      const account = open(address);
      const storage = storages.get(address) ?? new Map(account.storage);
      if (value === 0n) storage.delete(slot);
      else storage.set(slot, value);
      storages.set(address, storage);
      changed.set(address, { ...account, storage, trie: withSlot(account.trie, slot, value) });
    }
    let trie = this.#trie;
    for (const [address, account] of changed) trie = withAccount(trie, address, account);
    return { changed, trie };
  }
}
