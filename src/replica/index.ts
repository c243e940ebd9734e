/**
 * Replicas: they have a state, and take a block's proof for its execution. Node only.
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
export { ReplicaError } from "./errors.js";
export { applyDiff, type ReplicaOptions, snapshotState } from "./snapshot.js";
export { verifyOnSnapshot } from "./verify.js";
