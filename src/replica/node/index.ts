/**
 * `chunkproof replica` as a library: a replica that lives in a folder, follows a feed of proofs and answers JSON-RPC. Node
 * only.
 *
 * @example
 * ```ts
 * await using database = await ReplicaDatabase.open("replica", { snapshot });
 * await using thread = new VerifierThread(keys);
 * const chain = await ReplicaChain.open({ database, keys, verify: thread.verify });
 * const follower = new Follower({ chain, feed: new FolderFeed("proofs") });
 * const server = await startRpc({ chain, status: () => follower.status, port: 8545 });
 * await follower.run(signal);
 * await server.close();
 * ```
 *
 * @module
 */

export { type ChainOptions, proofDigest, ReplicaChain, type Verdict } from "./chain.js";
export { DATABASE_VERSION, type DatabaseOptions, ReplicaDatabase } from "./database.js";
export { NodeError } from "./errors.js";
export { BLOCKS_AT_ONCE, type Candidate, type Feed, MAX_PROOF_BYTES, type Poll } from "./feed.js";
export { FolderFeed, type FolderFeedOptions } from "./feed-folder.js";
export { HttpFeed, type HttpFeedOptions } from "./feed-http.js";
export { Follower, type FollowerHooks, type FollowerOptions, type FollowerStatus, type Stalled } from "./follow.js";
export type { Position, StoredBlock } from "./records.js";
export type { ProofFault, RefusedLimits, RefusedProof } from "./refused.js";
export { type RpcServer, type RpcServerOptions, rpcApp, startRpc } from "./rpc.js";
export type { StateView } from "./state.js";
export { VerifierThread, type Verify } from "./verifier.js";
