/**
 * Blobs by their digest: traces, keys, columns, proofs. Redis holds digests only.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { NetworkError } from "./errors.js";

/** SHA-256 of a blob, 64 lower-case hexadecimal digits: what `sha256sum` says. */
export type Digest = string;

/** Largest blob unless told otherwise. */
export const MAX_BLOB = 1 << 30;

/** See the module. What is there never changes. */
export interface Store {
  /** For messages: a path or an address, without secrets. */
  readonly name: string;
  /**
   * Keeps a blob. One that is there already is left as it is.
   *
   * @throws NetworkError `STORE_FULL`, `STORE_TOO_LARGE`, `STORE_UNAVAILABLE`, `STORE_FORBIDDEN`; `signal.reason`.
   */
  put(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest>;
  /**
   * Reads a blob and compares it with its digest.
   *
   * @throws NetworkError `STORE_BLOB_ID`, `STORE_MISSING`, `STORE_DIGEST`, `STORE_UNAVAILABLE`, `STORE_FORBIDDEN`;
   *   `signal.reason`.
   */
  get(digest: Digest, signal?: AbortSignal): Promise<Uint8Array>;
  has(digest: Digest, signal?: AbortSignal): Promise<boolean>;
  /** Keeps a file as a blob, without holding it in memory. */
  putFile(path: string, signal?: AbortSignal): Promise<Digest>;
  /** Writes a blob to a file, all or nothing, compared with its digest; without holding it in memory. */
  getFile(digest: Digest, path: string, signal?: AbortSignal): Promise<void>;
}

/** Digest of a blob. */
export function digestOf(bytes: Uint8Array): Digest {
  return createHash("sha256").update(bytes).digest("hex");
}

/** @throws NetworkError `STORE_BLOB_ID` for anything that is not 64 lower-case hexadecimal digits. */
export function assertDigest(digest: unknown): asserts digest is Digest {
  if (typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest)) return;
  throw new NetworkError("not the digest of a blob", {
    code: "STORE_BLOB_ID",
    expected: "64 lower-case hexadecimal digits",
    got: typeof digest === "string" ? JSON.stringify(digest.slice(0, 80)) : typeof digest,
  });
}
