/**
 * `chunkproof/network`: the prover network. Node only; many processes need Redis.
 *
 * @example
 * ```ts
 * const client = new CoordinatorClient("http://127.0.0.1:8080", { token });
 * const { id } = await client.submit(await readFile("block.trace"), signal);
 * for await (const { status } of client.follow(id, signal)) console.log(status.state, status.proved, status.chunks);
 * ```
 *
 * @module
 */

export { ChunkproofError } from "../errors.js";
export { type BlockStatus, type ClientOptions, CoordinatorClient, type Followed, isFinal } from "./client.js";
export { NetworkError } from "./errors.js";
export { JOB_KINDS, type JobKind } from "./jobs.js";
export { type FetchKeysOptions, fetchKeys, publishKeys } from "./keys.js";
export {
  type CoordinatorStart,
  type RunningCoordinator,
  startCoordinator,
  startWorker,
  type WorkerStart,
} from "./start.js";
export { type Digest, digestOf, type Store } from "./store.js";
export { FolderStore, type FolderStoreOptions } from "./store-folder.js";
export { HttpStore, type HttpStoreOptions } from "./store-http.js";
