/**
 * Development keys for Groth16 over BN254, NOT FOR PRODUCTION, in snarkjs' format.
 *
 * @example
 * ```ts
 * import { setup } from "chunkproof/setup";
 *
 * const key = await setup("circuit.r1cs");
 * await key.writeTo("circuit.zkey");
 * ```
 *
 * @module
 */

export { ChunkproofError, FormatError, ProverError, SetupError } from "../errors.js";
export type { VerifyingKeyJson } from "../formats/json.js";
export type { Source } from "../formats/source.js";
export type { OnProgress, Progress } from "../prover/progress.js";
export type { ThreadCount } from "../prover/wasm/engine.js";
export type { ChunkKeyJson } from "../verifier/keyset.js";
export {
  type ChunkKeyNames,
  type CommitmentKeyReport,
  type CommitmentKeyResult,
  type CommitmentOptions,
  type ContributeOptions,
  checkCommitmentKey,
  contributeCommitmentKey,
  createCommitmentKey,
  exportChunkKey,
} from "./commitment.js";
export { DEVELOPMENT_WARNING, exportVerifyingKey, type SetupOptions, type SetupResult, setup } from "./setup.js";
export { createPhase1, type Phase1, type Trapdoors } from "./trapdoors.js";
