/**
 * Block proofs as bytes. One proof has one byte string, and every byte string that is read is the one of its proof:
 *
 * ```text
 * "ckbp" | version, 1 byte | key set, 32 bytes | header | transactions | claims | chunks
 * ```
 *
 * with the rest as `encoding-codec.ts` says: the header's RLP and each transaction behind their length, the claims field by
 * field, each chunk's layout and its 224 bytes. Reading says nothing about validity: RLP and points are looked at by
 * `verifyBlock`.
 *
 * @module
 */

import { CHUNK_PROOF_SIZE } from "./chunk.js";
import type { BlockClaims } from "./claims.js";
import { blockClaims } from "./encoding-claims.js";
import { byteString, type Codec, encodeWith, integer, list, Reader, struct } from "./encoding-codec.js";
import { VerifierError } from "./errors.js";
import { describe } from "./json.js";

/** The version of the format that is read and written. */
export const BLOCK_PROOF_VERSION = 2;

/** The proof of one chunk, encoded. */
export interface BlockChunk {
  /** Index of the chunk's key in the key set, at most 255. */
  readonly layout: number;
  /** 224 bytes, see `encodeChunkProof`. */
  readonly proof: Uint8Array;
}

/** Everything that a replica needs beside its own state and the keys. */
export interface BlockProof {
  readonly version: typeof BLOCK_PROOF_VERSION;
  /** Digest of the key set, 32 bytes. */
  readonly keySet: Uint8Array;
  /** The block's header, RLP. */
  readonly header: Uint8Array;
  /** Signed transactions (EIP-2718). */
  readonly transactions: readonly Uint8Array[];
  readonly claims: BlockClaims;
  readonly chunks: readonly BlockChunk[];
}

const MAGIC = /* @__PURE__ */ new TextEncoder().encode("ckbp");

const unsupported = (version: unknown): VerifierError =>
  new VerifierError("an unknown version of the format", {
    code: "BLOCK_VERSION",
    where: "version",
    expected: String(BLOCK_PROOF_VERSION),
    got: describe(version),
  });

const version: Codec<typeof BLOCK_PROOF_VERSION> = {
  write(out, value) {
    if (value !== BLOCK_PROOF_VERSION) throw unsupported(value);
    out.byte(value);
  },
  read(from) {
    const value = from.byte();
    if (value !== BLOCK_PROOF_VERSION) throw unsupported(value);
    return value;
  },
  toJson: (value) => value,
  fromJson(_place, json) {
    if (json !== BLOCK_PROOF_VERSION) throw unsupported(json);
    return json;
  },
};

/**
 * No signed transaction is shorter: prefix, nonce, gas price, gas limit of three bytes, recipient of 21, value, data, v, r and
 * s. Usually r and s take 33 bytes each, but whoever wants to sign for no key in particular may choose them as short as he
 * likes.
 */
const MIN_TRANSACTION_BYTES = 32;

const byte = integer(8);

/** An index below 256, in JSON a number. */
const index: Codec<number> = {
  write(out, value) {
    if (!Number.isSafeInteger(value)) throw out.fault("not an integer", { got: describe(value) });
    byte.write(out, BigInt(value));
  },
  read: (from) => Number(byte.read(from)),
  toJson: (value) => value,
  fromJson(place, json) {
    if (!Number.isSafeInteger(json)) throw place.fault("not an integer", { got: describe(json) });
    return Number(place.inRange(BigInt(json as number), byte.bits));
  },
};

/** See the module. */
export const blockProof: Codec<BlockProof> = struct({
  version,
  keySet: byteString(32),
  header: byteString(),
  // without the bound, a few bytes of a proof would be an object each
  transactions: list(byteString(undefined, MIN_TRANSACTION_BYTES)),
  claims: blockClaims,
  chunks: list(struct({ layout: index, proof: byteString(CHUNK_PROOF_SIZE) })),
});

/**
 * The one byte string of a block proof.
 *
 * @throws VerifierError `BLOCK_MALFORMED`, `BLOCK_VERSION`, `CLAIM_RANGE`, `CLAIM_ORDER` for what has none; `where` is the
 *   path of the field
 */
export function encodeBlockProof(proof: BlockProof): Uint8Array {
  const body = encodeWith(blockProof, proof);
  const bytes = new Uint8Array(MAGIC.length + body.length);
  bytes.set(MAGIC);
  bytes.set(body, MAGIC.length);
  return bytes;
}

/**
 * Reads a block proof.
 *
 * @param bytes from {@link encodeBlockProof} or from anywhere; nothing of the result depends on them afterwards
 * @throws VerifierError `BLOCK_MALFORMED`, `BLOCK_VERSION`, `CLAIM_RANGE`; `where` is the path of the field
 */
export function decodeBlockProof(bytes: Uint8Array): BlockProof {
  if (!(bytes instanceof Uint8Array) || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new VerifierError("not a block proof", {
      code: "BLOCK_MALFORMED",
      expected: 'bytes that begin with "ckbp"',
      got: bytes instanceof Uint8Array ? `${bytes.length} bytes` : describe(bytes),
    });
  }
  const from = new Reader(bytes.slice(MAGIC.length), "");
  const proof = blockProof.read(from);
  if (from.left > 0) throw from.fault("bytes behind the end", { expected: "none", got: `${from.left} bytes` });
  return proof;
}
