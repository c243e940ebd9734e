/**
 * `chunkproof/block`: from a block's trace to its proof. Node only.
 *
 * @example
 * ```ts
 * const keys = await makeKeys({ cache: defaultCache() });
 * await using prover = new BlockProver(keys, { threads: "auto" });
 * const { bytes } = await prover.prove(decodeTrace(await readFile("block.trace")), {
 *   signal: AbortSignal.timeout(60_000),
 *   onProgress: (progress) => console.log(progress),
 * });
 * ```
 *
 * @module
 */

export { ChunkproofError } from "../errors.js";
export { RowError } from "../rows/errors.js";
export { TraceError } from "../trace/errors.js";
export { checkTraceRows } from "./assemble.js";
export { type CheckReport, describeUnmatched, RowCircuits, type RowFault, type Unmatched } from "./check.js";
export { BlockError } from "./errors.js";
export {
  type BlockProgress,
  BlockProver,
  type BlockTimes,
  type ProveBlockOptions,
  type ProvedBlock,
  proveBlock,
} from "./prove.js";
