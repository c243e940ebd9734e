/**
 * `chunkproof/verifier`: what a replica needs. Checks block proofs against its own state, and Groth16 proofs over BN254
 * (alt_bn128, "bn128" in snarkjs; the curve of EIP-197) in the JSON formats of snarkjs. Pure TypeScript on top of
 * `@noble/curves`, without WASM, workers or Node APIs.
 *
 * @example
 * ```ts
 * import { parseKeySet, verifyBlock } from "chunkproof/verifier";
 *
 * const keys = parseKeySet(JSON.parse(keySetText), { digests: [TRUSTED] });
 * const validity = await verifyBlock(proofBytes, { state, keys, chainId: 1337n, parent });
 * if (validity.valid) await apply(validity.stateDiff);
 * else for (const { code, where, message } of validity.faults) console.error(code, where, message);
 * ```
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
export { type BlockFault, type BlockValidity, type VerifyBlockOptions, verifyBlock } from "./block.js";
export type { BlockState } from "./block-state.js";
export type { StateAccount, StateDiff } from "./boundary.js";
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
export type { BlockClaims } from "./claims.js";
export type { AffineG1, AffineG2 } from "./compressed.js";
export {
  BLOCK_PROOF_VERSION,
  type BlockChunk,
  type BlockProof,
  decodeBlockProof,
  encodeBlockProof,
} from "./encoding.js";
export {
  ChunkproofError,
  type ErrorDetails,
  VerifierError,
  type VerifierErrorCode,
  type VerifierErrorDetails,
} from "./errors.js";
export { decodeHeader, encodeHeader, type Header, headerHash } from "./ethereum/header.js";
export type { Log, Receipt } from "./ethereum/receipts.js";
export type { Transaction } from "./ethereum/transaction.js";
export { assertValid, verify } from "./groth16.js";
export { blockProofFromJson, blockProofToJson } from "./json-view.js";
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
