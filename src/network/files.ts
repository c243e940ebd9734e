/**
 * Files in pieces: read, written and hashed without holding them in memory, for stores.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { type OpenedFile, openFile, yieldToHost } from "#platform";
import { ChunkproofError, FormatError } from "../errors.js";
import { NetworkError } from "./errors.js";
import type { Digest } from "./store.js";

/** Bytes that are handled at once: an abort is noticed in between, and nothing else waits for long. */
export const PIECE = 1 << 20;

/** What was read or written. */
export interface Hashed {
  readonly digest: Digest;
  readonly size: number;
}

/** Number of an error of the operating system, e.g. `ENOENT`. */
export const errnoOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;

/** Nothing can be written before somebody makes room. */
export const isFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(errnoOf(error) ?? "");

/** What an error of the operating system says of a store. Those of chunkproof are left as they are. */
export function storeFailure(where: string, cause: unknown): Error {
  if (cause instanceof ChunkproofError) return cause;
  const got = cause instanceof Error ? cause.message : String(cause);
  if (isFull(cause)) return new NetworkError("no space left", { code: "STORE_FULL", where, got, cause });
  if (errnoOf(cause) === "EFBIG") return tooLarge(where, "what the file system takes");
  return new NetworkError("cannot be used", { code: "STORE_UNAVAILABLE", where, got, cause });
}

/** What an error of the operating system says of a file that somebody wants to have. */
export function targetFailure(where: string, cause: unknown): Error {
  if (isFull(cause) || cause instanceof ChunkproofError) return storeFailure(where, cause);
  const got = cause instanceof Error ? cause.message : String(cause);
  return new FormatError("cannot be written", { code: "FILE_UNWRITABLE", where, got, cause });
}

export function tooLarge(where: string, expected: number | string, got?: number): NetworkError {
  const most = typeof expected === "number" ? `at most ${expected} bytes` : expected;
  return new NetworkError("too large", {
    code: "STORE_TOO_LARGE",
    where,
    expected: most,
    got: got === undefined ? undefined : `${got} bytes`,
  });
}

export function otherBytes(where: string, expected: Digest, got: string): NetworkError {
  return new NetworkError("not the bytes of this digest", { code: "STORE_DIGEST", where, expected, got });
}

/** {@link digestOf}, for what is so large that others would wait for it. */
export async function digestOfLarge(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  for (let from = 0; from < bytes.length; from += PIECE) {
    if (from > 0) await yieldToHost();
    signal?.throwIfAborted();
    hash.update(bytes.subarray(from, from + PIECE));
  }
  return hash.digest("hex");
}

/** Views of the bytes. */
export async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += PIECE) yield bytes.subarray(from, from + PIECE);
}

/** What is in an open file, in new buffers. */
export async function* readPieces(file: OpenedFile): AsyncGenerator<Uint8Array> {
  for (let offset = 0; ; ) {
    const piece = new Uint8Array(PIECE);
    const length = await file.read(piece, offset);
    if (length === 0) return;
    offset += length;
    yield piece.subarray(0, length);
  }
}

/** Reads a local file. @throws FormatError as `openFile` does; `signal.reason`. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<Hashed> {
  signal?.throwIfAborted();
  const file = await openFile(path);
  try {
    const hash = createHash("sha256");
    const piece = new Uint8Array(PIECE);
    for (let size = 0; ; ) {
      const length = await file.read(piece, size);
      signal?.throwIfAborted();
      if (length === 0) return { digest: hash.digest("hex"), size };
      hash.update(piece.subarray(0, length));
      size += length;
    }
  } finally {
    await file.close();
  }
}

/** The next piece, or the abort, whichever comes first: a source that says nothing for hours must not be waited for. */
async function* until(signal: AbortSignal | undefined, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (signal === undefined) return yield* source;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
  });
  aborted.catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  const pieces = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = pieces.next();
      // whoever owns the source ends it after an abort, and nobody listens then
      next.catch(() => {});
      const { done, value } = await Promise.race([next, aborted]);
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    // not waited for: behind a next() that hangs it would hang as well
    if (!ended) pieces.return?.()?.catch(() => {});
  }
}

/** Options of {@link writePieces}. */
export interface WriteOptions {
  /** Largest content. */
  readonly max: number;
  readonly signal?: AbortSignal | undefined;
  /** For messages. */
  readonly where: string;
  /** Makes an error of the file system one of chunkproof. */
  readonly failure: (where: string, cause: unknown) => Error;
}

/**
 * Writes a new file and brings it to the disk. Whatever fails, the file is gone afterwards. Errors of the source are passed on
 * as they are.
 *
 * @throws NetworkError `STORE_TOO_LARGE`; what `failure` makes; `signal.reason`.
 */
export async function writePieces(
  path: string,
  source: AsyncIterable<Uint8Array>,
  { max, signal, where, failure }: WriteOptions,
): Promise<Hashed> {
  signal?.throwIfAborted();
  const guard = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      throw failure(where, cause);
    }
  };
  const hash = createHash("sha256");
  let size = 0;
  let complete = false;
  const handle: FileHandle = await guard(open(path, "wx"));
  try {
    for await (const piece of until(signal, source)) {
      if (size + piece.length > max) throw tooLarge(where, max);
      hash.update(piece);
      for (let from = 0; from < piece.length; ) {
        const { bytesWritten } = await guard(handle.write(piece, from, Math.min(PIECE, piece.length - from)));
        from += bytesWritten;
        signal?.throwIfAborted();
      }
      size += piece.length;
    }
    // over NFS it is only now that a full disk shows
    await guard(handle.sync());
    await guard(handle.close());
    signal?.throwIfAborted();
    complete = true;
    return { digest: hash.digest("hex"), size };
  } finally {
    if (!complete) {
      await handle.close().catch(() => {});
      await rm(path, { force: true }).catch(() => {});
    }
  }
}
