/**
 * Accounts of snapshots and what a block does to them.
 *
 * @module
 */

import type { Hex } from "../trace/read.js";
import type { Snapshot, SnapshotAccount } from "../trace/snapshot.js";
import type { StateDiff } from "../verifier/boundary.js";
import { addressToHex, wordToHex } from "../verifier/ethereum/words.js";
import { ReplicaError } from "./errors.js";

const ascending = (a: string | bigint, b: string | bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** An account that, as far as Ethereum is concerned, does not exist (EIP-161). */
export function isEmptyAccount({ nonce, balance, code }: Pick<SnapshotAccount, "nonce" | "balance" | "code">): boolean {
  return nonce === 0n && balance === 0n && code.length === 0;
}

/** The accounts of a snapshot by address. @throws ReplicaError `SNAPSHOT_ACCOUNT` */
export function accountsOf({ accounts }: Pick<Snapshot, "accounts">): Map<bigint, SnapshotAccount> {
  const found = new Map<bigint, SnapshotAccount>();
  for (const account of accounts) {
    const refuse = (message: string) => new ReplicaError(message, { code: "SNAPSHOT_ACCOUNT", where: account.address });
    const address = BigInt(account.address);
    if (found.has(address)) throw refuse("the account is there twice");
    if (isEmptyAccount(account)) throw refuse("an account with nothing in it");
    found.set(address, account);
  }
  return found;
}

/** An account after a block, with nothing in it if it is gone. */
export interface ChangedAccount {
  readonly account: SnapshotAccount;
  /** `[slot, value]` that the block wrote, zeros included. */
  readonly slots: readonly (readonly [bigint, bigint])[];
}

/**
 * The accounts that a block changes, as they are after it, by address.
 *
 * @throws ReplicaError `SNAPSHOT_DIFF` for a slot of an account without code, which nothing can have written.
 */
export function changedAccounts(
  accounts: ReadonlyMap<bigint, SnapshotAccount>,
  diff: StateDiff,
): Map<bigint, ChangedAccount> {
  const changes = new Map(diff.accounts.map((change) => [change.address, change]));
  const slots = new Map<bigint, [bigint, bigint][]>();
  for (const { address, slot, value } of diff.slots) {
    slots.set(address, [...(slots.get(address) ?? []), [slot, value]]);
  }
  const changed = new Map<bigint, ChangedAccount>();
  for (const address of new Set([...changes.keys(), ...slots.keys()])) {
    const before = accounts.get(address);
    const hex = addressToHex(address) as Hex;
    const written = slots.get(address) ?? [];
    if (written.length > 0 && (before === undefined || before.code.length === 0)) {
      const where = `${hex} ${wordToHex(written[0]![0])}`;
      throw new ReplicaError("a slot of an account without code", { code: "SNAPSHOT_DIFF", where });
    }
    const storage = new Map([...(before?.storage ?? []), ...written]);
    const account: SnapshotAccount = {
      address: hex,
      nonce: changes.get(address)?.nonce ?? before?.nonce ?? 0n,
      balance: changes.get(address)?.balance ?? before?.balance ?? 0n,
      code: before?.code ?? new Uint8Array(0),
      storage: [...storage].filter(([, value]) => value !== 0n).sort(([a], [b]) => ascending(a, b)),
    };
    changed.set(address, { account, slots: written });
  }
  return changed;
}

/** The accounts after a block, ascending; those with nothing in them are gone. @throws as {@link changedAccounts} */
export function accountsAfter(
  accounts: ReadonlyMap<bigint, SnapshotAccount>,
  diff: StateDiff,
): readonly SnapshotAccount[] {
  const after = new Map(accounts);
  for (const [address, { account }] of changedAccounts(accounts, diff)) after.set(address, account);
  return [...after.values()]
    .filter((account) => !isEmptyAccount(account))
    .sort((a, b) => ascending(a.address, b.address));
}
