/**
 * Blobs that were read lately, in memory: a worker reads the columns of a chunk for its commitment and again for its proof.
 *
 * @module
 */

import { assertDigest, type Digest, type Store } from "./store.js";

/** Bytes that a {@link CachedStore} holds unless told otherwise. */
export const CACHE_BYTES = 64 << 20;

/** A store in front of another one; what was read last stays longest. */
export class CachedStore implements Store {
  readonly name: string;
  readonly #store: Store;
  readonly #limit: number;
  /** Oldest first. */
  readonly #blobs = new Map<Digest, Uint8Array>();
  #bytes = 0;

  constructor(store: Store, limit = CACHE_BYTES) {
    this.name = store.name;
    this.#store = store;
    this.#limit = limit;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A copy: callers may change it, or give it to a thread for good. */
  async get(digest: Digest, signal?: AbortSignal): Promise<Uint8Array> {
    assertDigest(digest);
    signal?.throwIfAborted();
    const known = this.#blobs.get(digest);
    if (known !== undefined) {
      this.#blobs.delete(digest);
      this.#blobs.set(digest, known);
      return known.slice();
    }
    const bytes = await this.#store.get(digest, signal);
    this.#keep(digest, bytes);
    return bytes;
  }

  put(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest> {
    return this.#store.put(bytes, signal);
  }

  /** Asks the store: what is held here may be gone there. */
  has(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    return this.#store.has(digest, signal);
  }

  putFile(path: string, signal?: AbortSignal): Promise<Digest> {
    return this.#store.putFile(path, signal);
  }

  getFile(digest: Digest, path: string, signal?: AbortSignal): Promise<void> {
    return this.#store.getFile(digest, path, signal);
  }

  /** Forgets everything. */
  clear(): void {
    this.#blobs.clear();
    this.#bytes = 0;
  }

  #keep(digest: Digest, bytes: Uint8Array): void {
    // somebody else may have read it meanwhile
    if (bytes.length > this.#limit || this.#blobs.has(digest)) return;
    this.#blobs.set(digest, bytes.slice());
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#blobs) {
      if (this.#bytes <= this.#limit) return;
      this.#blobs.delete(oldest);
      this.#bytes -= length;
    }
  }
}
