/**
 * The state of a replica that starts from a snapshot.
 *
 * @module
 */

import type { Hex } from "../trace/read.js";
import { SNAPSHOT_VERSION, type Snapshot } from "../trace/snapshot.js";
import type { BlockState } from "../verifier/block-state.js";
import type { StateDiff } from "../verifier/boundary.js";
import { type Header, headerHash } from "../verifier/ethereum/header.js";
import { keccak, uintToBytes, wordToHex } from "../verifier/ethereum/words.js";
import { accountsAfter, accountsOf, changedAccounts } from "./account.js";
import { ReplicaError } from "./errors.js";
import { StateTries } from "./trie.js";

/** What a replica knows beside its snapshot. */
export interface ReplicaOptions {
  /**
   * Hashes of the blocks before the snapshot's, by number, for blocks in which BLOCKHASH looks further back than that: up to
   * 255 of them. The snapshot's own is in it.
   */
  readonly blockHashes?: ReadonlyMap<bigint, bigint> | undefined;
}

/**
 * What `verifyBlock` asks of a replica, answered from a snapshot. The commitment is the state root, computed here from the
 * accounts and not taken from the file, and so is the root after a block.
 *
 * @param snapshot must stay as it is while the state is in use.
 * @throws ReplicaError `SNAPSHOT_ROOT` unless the accounts make up the snapshot's root; `SNAPSHOT_ACCOUNT`
 */
export async function snapshotState(
  snapshot: Snapshot,
  { blockHashes }: ReplicaOptions = {},
): Promise<Required<BlockState>> {
  const accounts = accountsOf(snapshot);
  const storage = new Map([...accounts].map(([address, account]) => [address, new Map(account.storage)]));
  const codeHashes = new Map([...accounts].map(([address, { code }]) => [address, keccak(code)]));
  const tries = await StateTries.of(snapshot);
  const root = await tries.root();
  if (root !== BigInt(snapshot.stateRoot)) {
    throw new ReplicaError("the accounts do not make up this root", {
      code: "SNAPSHOT_ROOT",
      where: "stateRoot",
      expected: wordToHex(root),
      got: snapshot.stateRoot,
    });
  }
  return {
    commitment: async () => uintToBytes(root, 32),
    async account(address) {
      const account = accounts.get(address);
      if (account === undefined) return undefined;
      return { nonce: account.nonce, balance: account.balance, codeHash: codeHashes.get(address)! };
    },
    code: async (address) => accounts.get(address)?.code ?? new Uint8Array(0),
    blockHash: async (number) => (number === snapshot.number ? BigInt(snapshot.blockHash) : blockHashes?.get(number)),
    slot: async (address, slot) => storage.get(address)?.get(slot) ?? 0n,
    postStateRoot: async (diff) => tries.rootWith(changedAccounts(accounts, diff).values()),
  };
}

/**
 * The snapshot after a block.
 *
 * @param diff,header of a block that `verifyBlock` found valid on {@link snapshotState} of this snapshot: that the accounts
 *   make up the header's root is known then, and not looked at again.
 * @throws ReplicaError `SNAPSHOT_ACCOUNT`, `SNAPSHOT_DIFF`
 */
export function applyDiff(snapshot: Snapshot, diff: StateDiff, header: Header): Snapshot {
  return {
    version: SNAPSHOT_VERSION,
    chainId: snapshot.chainId,
    number: header.number,
    blockHash: wordToHex(headerHash(header)) as Hex,
    stateRoot: wordToHex(header.stateRoot) as Hex,
    accounts: accountsAfter(accountsOf(snapshot), diff),
  };
}
