/**
 * Block proofs as JSON, for people and for tools in other languages: the fields of `BlockProof`, numbers as `0x…` quantities,
 * byte strings, addresses and words in full. It says what the bytes say, no more and no less.
 *
 * @module
 */

import { type BlockProof, blockProof } from "./encoding.js";
import { fromJsonWith } from "./encoding-codec.js";

/** A value of JSON. */
export type Json = string | number | readonly Json[] | { readonly [name: string]: Json };

/** The JSON view of a block proof that has a canonical form, e.g. one that was decoded. */
export const blockProofToJson = (proof: BlockProof): Json => blockProof.toJson(proof) as Json;

/**
 * Reads the JSON view.
 *
 * @param json parsed; text as {@link blockProofToJson} spells it, without further fields
 * @throws VerifierError `BLOCK_MALFORMED`, `BLOCK_VERSION`, `CLAIM_RANGE`, `CLAIM_ORDER`; `where` is the path of the field
 */
export const blockProofFromJson = (json: unknown): BlockProof => fromJsonWith(blockProof, json);
