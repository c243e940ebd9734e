/**
 * What a proof says of its block at its very beginning. Nothing more of it is read on the thread that answers: whoever made
 * it may have written millions of items into few bytes.
 *
 * @module
 */

import { VerifierError } from "../../verifier/errors.js";
import { decodeHeader, type Header } from "../../verifier/ethereum/header.js";

/** Longer than everything before the transactions is in any proof. */
export const PREFIX_BYTES = 2048;

const MAGIC = new TextEncoder().encode("ckbp");
/** Magic, version, key set; then the length of the header. Whether version and keys are known is for the verifier to say. */
const HEADER_AT = 4 + 1 + 32;

/** The header of a proof. @param proof all of it, or its first {@link PREFIX_BYTES}. @returns undefined if it has none */
export function headerOfProof(proof: Uint8Array): Header | undefined {
  const prefix = proof.subarray(0, PREFIX_BYTES);
  if (MAGIC.some((byte, i) => prefix[i] !== byte)) return undefined;
  // LEB128; a header takes two bytes of it
  let length = 0;
  let at = HEADER_AT;
  for (let shift = 0; shift < 21; shift += 7) {
    const byte = prefix[at++];
    if (byte === undefined) return undefined;
    length |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  if (at + length > prefix.length) return undefined;
  try {
    return decodeHeader(prefix.subarray(at, at + length));
  } catch (error) {
    if (error instanceof VerifierError) return undefined;
    throw error;
  }
}
