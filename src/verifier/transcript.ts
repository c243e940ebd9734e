/**
 * The transcript of a block: what is fixed before the challenges are known, hashed.
 *
 * keccak-256 absorbs these parts in this order, each behind its length (8 bytes, big-endian):
 *
 * 1. protocol, version and fork, as text
 * 2. digest of the key set
 * 3. chain id, 32 bytes
 * 4. the block header, RLP, which holds the parent's hash
 * 5. commitment of the state before the block
 * 6. the verifier's own messages, verbatim: their number (4 bytes), then for each the tag (1 byte), sign and multiplicity
 *    (the sign's bit above the number of bytes, then big-endian bytes without leading zeros), the number of coordinates up
 *    to the last that isn't 0, and each of these (number of bytes, bytes)
 * 7. the number of chunks, 4 bytes
 * 8. of each chunk, in the order of the proof: layout (4 bytes), D, P
 *
 * With seed = the hash, alpha = (keccak(seed‖"a0")‖keccak(seed‖"a1")) mod r, and beta the same with b0 and b1: 512 bits, so
 * that the remainder is uniform.
 *
 * @module
 */

import { keccak_256 } from "@noble/hashes/sha3.js";
import { concatBytes } from "@noble/hashes/utils.js";
import type { Challenges, Message } from "./bus.js";
import { Writer } from "./encoding-codec.js";
import { bytesToUint, uintToBytes } from "./ethereum/words.js";
import { FR_MODULUS } from "./fq2.js";
import { TAGS } from "./tags.generated.js";

/** What the first part says. A change of anything that is proved changes it. */
export const PROTOCOL = "chunkproof block 2 cancun";

/** What a chunk is committed to before the challenges. */
export interface ChunkCommitment {
  /** Position of the chunk's key in the key set, below 2^32. */
  readonly layout: number;
  /** Compressed points, 32 bytes each. */
  readonly d: Uint8Array;
  readonly p: Uint8Array;
}

/** See the module. */
export interface TranscriptInput {
  /** 32 bytes. */
  readonly keySet: Uint8Array;
  /** Below 2^256. */
  readonly chainId: bigint;
  /** RLP. */
  readonly header: Uint8Array;
  readonly preState: Uint8Array;
  /** The list that {@link busSum} is taken of, and no other. */
  readonly messages: readonly Message[];
  readonly chunks: readonly ChunkCommitment[];
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Added to the number of bytes of a negative multiplicity; that number is at most 32. */
const NEGATIVE = 0x80;

/**
 * The injective encoding of a list of messages.
 *
 * @param messages coordinates and multiplicities below 2^256, coordinates not negative, as the verifier makes them
 */
export function encodeMessages(messages: readonly Message[]): Uint8Array {
  const out = new Writer("messages", true);
  out.put(uintToBytes(BigInt(messages.length), 4));
  for (const { tag, multiplicity, coordinates } of messages) {
    let arity = coordinates.length;
    while (arity > 0 && coordinates[arity - 1] === 0n) arity--;
    out.byte(TAGS[tag].id);
    if (multiplicity < 0n) out.minimal(-multiplicity, NEGATIVE);
    else out.minimal(multiplicity);
    out.byte(arity);
    for (let i = 0; i < arity; i++) out.minimal(coordinates[i]!);
  }
  return out.bytes;
}

/**
 * The hash of everything that comes before the challenges, 32 bytes.
 *
 * @throws RangeError for numbers out of their bounds; the caller has checked them
 */
export function transcriptSeed({ keySet, chainId, header, preState, messages, chunks }: TranscriptInput): Uint8Array {
  const hash = keccak_256.create();
  const absorb = (part: Uint8Array): void => {
    hash.update(uintToBytes(BigInt(part.length), 8)).update(part);
  };
  absorb(utf8(PROTOCOL));
  absorb(keySet);
  absorb(uintToBytes(chainId, 32));
  absorb(header);
  absorb(preState);
  absorb(encodeMessages(messages));
  absorb(uintToBytes(BigInt(chunks.length), 4));
  for (const { layout, d, p } of chunks) absorb(concatBytes(uintToBytes(BigInt(layout), 4), d, p));
  return hash.digest();
}

/** alpha and beta, below r. */
export function challengesOf(seed: Uint8Array): Challenges {
  const draw = (name: string): bigint =>
    bytesToUint(
      concatBytes(keccak_256(concatBytes(seed, utf8(`${name}0`))), keccak_256(concatBytes(seed, utf8(`${name}1`)))),
    ) % FR_MODULUS;
  return { alpha: draw("a"), beta: draw("b") };
}

/** The challenges of a block: {@link challengesOf} its {@link transcriptSeed}. */
export const challenges = (input: TranscriptInput): Challenges => challengesOf(transcriptSeed(input));
