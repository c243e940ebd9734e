/**
 * `chunkproof/keys`: the keys of a block prover. Node only.
 *
 * @example
 * ```ts
 * const keys = await makeKeys({ cache: defaultCache() });   // compiles and makes development keys once, then opens them
 * await writeFile("keyset.json", JSON.stringify(keys.keySet)); // what replicas need
 * ```
 *
 * @module
 */

export { defaultCache } from "../circuits/cache.js";
export { CircuitError } from "../circuits/errors.js";
export { type Layout, readLayouts } from "../circuits/sources.js";
export { ChunkproofError } from "../errors.js";
export { KeysError } from "./errors.js";
export {
  cleanKeys,
  findKeys,
  type KeyFolder,
  type LayoutFiles,
  type MakeKeysOptions,
  makeKeys,
  type OpenKeysOptions,
  openKeys,
} from "./folder.js";
