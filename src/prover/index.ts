/**
 * Groth16 proofs over BN254 from snarkjs keys and witnesses.
 *
 * @example
 * ```ts
 * import { loadProvingKey, prove } from "chunkproof/prover";
 *
 * await using key = await loadProvingKey("circuit.zkey");
 * const { proof, publicSignals } = await prove(key, "witness.wtns");
 * ```
 *
 * @module
 */

export { ChunkproofError, FormatError, ProverError } from "../errors.js";
export type { G1Affine, G2Affine } from "../formats/bn254.js";
export type { ProofJson, VerifyingKeyJson } from "../formats/json.js";
export type { Source } from "../formats/source.js";
export type {
  Backend,
  BackendInfo,
  BackendName,
  BaseSet,
  BaseSource,
  ConstraintSet,
  ConstraintSource,
  Group,
  MatrixSource,
  Operation,
  OperationOptions,
  Resident,
  ScalarSet,
  Transform,
} from "./backend.js";
export type { BackendChoice, BackendOptions, BackendTuning } from "./backends.js";
export type {
  ChunkPoints,
  Commitment,
  CommittedKey,
  CommittedKeySource,
  LoadCommittedOptions,
  ProveChunkOptions,
} from "./commitment.js";
export {
  calculateWitness,
  commit,
  loadCommittedKey,
  loadProvingKey,
  openBackend,
  prove,
  proveChunk,
} from "./groth16.js";
export type { KeyInfo, LoadOptions, ProvingKey } from "./key.js";
export type { OnProgress, Progress } from "./progress.js";
export type { ProofAffine, ProofResult, ProveOptions, WorkOptions } from "./prove.js";
export type { BackendReport, Part, Split } from "./split.js";
export type { ThreadCount } from "./wasm/engine.js";
export type { Arithmetic } from "./wasm/kernel.js";
export type { CircomWitness, CircuitInputs, InputValue } from "./witness.js";
