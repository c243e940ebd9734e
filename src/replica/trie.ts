/**
 * The tries of a state, by `@ethereumjs/statemanager`: its root, and the root after changes.
 *
 * @module
 */

import { MerkleStateManager } from "@ethereumjs/statemanager";
import { createAccount, createAddressFromString } from "@ethereumjs/util";
import { bigEndian, wordBytes } from "../trace/read.js";
import type { Snapshot, SnapshotAccount } from "../trace/snapshot.js";
import { cancun } from "../trace/transaction.js";
import { isEmptyAccount } from "./account.js";

/** All tries of a state, in memory. */
export class StateTries {
  readonly #manager: MerkleStateManager;

  private constructor(manager: MerkleStateManager) {
    this.#manager = manager;
  }

  /** @param accounts each at most once, none with nothing in it. */
  static async of({ chainId, accounts }: Pick<Snapshot, "chainId" | "accounts">): Promise<StateTries> {
    const tries = new StateTries(new MerkleStateManager({ common: cancun(chainId) }));
    for (const account of accounts) await tries.#put(account, account.storage);
    return tries;
  }

  /** The root, below 2^256. */
  async root(): Promise<bigint> {
    return bigEndian(await this.#manager.getStateRoot());
  }

  /**
   * The root with some accounts as given here; nothing is changed.
   *
   * @param changed whole accounts, one with nothing in it for one that is gone; and the slots of theirs that differ.
   */
  async rootWith(
    changed: Iterable<{ readonly account: SnapshotAccount; readonly slots: readonly (readonly [bigint, bigint])[] }>,
  ): Promise<bigint> {
    const copy = new StateTries(this.#manager.shallowCopy());
    for (const { account, slots } of changed) await copy.#put(account, slots);
    return copy.root();
  }

  async #put(account: SnapshotAccount, slots: readonly (readonly [bigint, bigint])[]): Promise<void> {
    const key = createAddressFromString(account.address);
    if (isEmptyAccount(account)) return this.#manager.deleteAccount(key);
    const found = await this.#manager.getAccount(key);
    if (found === undefined) {
      await this.#manager.putAccount(key, createAccount({ nonce: account.nonce, balance: account.balance }));
      if (account.code.length > 0) await this.#manager.putCode(key, account.code);
    } else {
      found.nonce = account.nonce;
      found.balance = account.balance;
      await this.#manager.putAccount(key, found);
    }
    // zeros delete
    for (const [slot, value] of slots) await this.#manager.putStorage(key, wordBytes(slot), wordBytes(value));
  }
}
