/**
 * `chunkproof/replica`: replicas that start from a snapshot file. They have a state, and take a block's proof for its
 * execution. Node only. Who holds the state in another way needs `chunkproof/verifier` only.
 *
 * @example
 * ```ts
 * const keys = parseKeySet(JSON.parse(await readFile("keyset.json", "utf8")));
 * let snapshot = decodeSnapshot(await readFile("before.json"));
 * const validity = await verifyOnSnapshot(await readFile("block.proof"), snapshot, keys);
 * if (validity.valid) snapshot = applyDiff(snapshot, validity.stateDiff, validity.header);
 * ```
 *
 * @module
 */

export { ChunkproofError } from "../errors.js";
export {
  decodeSnapshot,
  encodeSnapshot,
  SNAPSHOT_VERSION,
  type Snapshot,
  type SnapshotAccount,
} from "../trace/snapshot.js";
export type { BlockFault, BlockValidity } from "../verifier/block.js";
export type { BlockState } from "../verifier/block-state.js";
export { type KeySet, type KeySetOptions, parseKeySet } from "../verifier/keyset.js";
export { ReplicaError } from "./errors.js";
export { applyDiff, type ReplicaOptions, snapshotState } from "./snapshot.js";
export { verifyOnSnapshot } from "./verify.js";
