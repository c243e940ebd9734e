/**
 * `chunkproof/verifier`: checks Groth16 proofs over BN254 (alt_bn128, "bn128" in snarkjs; the curve of EIP-197) in the
 * JSON formats of snarkjs. Pure TypeScript on top of `@noble/curves`, without WASM, workers or Node APIs.
 *
 * @example
 * ```ts
 * import { parseVerifyingKey, verify } from "chunkproof/verifier";
 *
 * const vk = parseVerifyingKey(JSON.parse(verificationKeyText));
 * if (!verify(vk, JSON.parse(publicText), JSON.parse(proofText))) throw new Error("invalid proof");
 * ```
 *
 * @module
 */

export { type BatchItem, verifyBatch } from "./batch.js";
export type { BatchResult } from "./batching.js";
export {
  assertChunk,
  CHUNK_PROOF_SIZE,
  type Challenges,
  type ChunkProof,
  decodeChunkProof,
  encodeChunkProof,
  verifyChunk,
  verifyChunks,
} from "./chunk.js";
export type { AffineG1, AffineG2 } from "./compressed.js";
export {
  ChunkproofError,
  type ErrorDetails,
  VerifierError,
  type VerifierErrorCode,
  type VerifierErrorDetails,
} from "./errors.js";
export { assertValid, verify } from "./groth16.js";
export { parseVerifyingKey, type VerifyingKey, type VerifyingKeyJson, type VerifyingKeyOptions } from "./key.js";
export {
  type ChunkKeyInfo,
  type ChunkKeyJson,
  type KeySet,
  type KeySetJson,
  type KeySetOptions,
  parseKeySet,
} from "./keyset.js";
export { type Proof, type ProofJson, type PublicSignals, parseProof, parsePublicSignals } from "./proof.js";
