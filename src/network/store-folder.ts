/**
 * Blobs in a folder, of this machine or shared by several (NFS):
 *
 * ```
 * <root>/<2 digits>/<62 digits>            a blob, complete
 *                  /<62 digits>.damaged    what was there under its name and was something else
 *       /tmp/                              what is being written
 * ```
 *
 * A blob appears under its name only when all of it is on the disk. Any number of processes may write, the same blob too.
 *
 * @module
 */

import { createHash, randomUUID } from "node:crypto";
import { constants, type Stats } from "node:fs";
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  unlink,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { openFile } from "#platform";
import { NetworkError } from "./errors.js";
import {
  digestOfLarge,
  errnoOf,
  type Hashed,
  hashFile,
  otherBytes,
  PIECE,
  piecesOf,
  readPieces,
  storeFailure,
  targetFailure,
  tooLarge,
  writePieces,
} from "./files.js";
import { assertDigest, type Digest, MAX_BLOB, type Store } from "./store.js";

const TEMPORARY = "tmp";
const DAMAGED = ".damaged";
const HOUR = 3_600_000;

/** No symbolic links, and no waiting for the writer of a pipe. */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Options of {@link FolderStore}. */
export interface FolderStoreOptions {
  /**
   * Make the folder when it is missing. `false` for a folder that somebody else made: one that is not mounted is then not
   * taken for an empty store. Default true.
   */
  readonly create?: boolean | undefined;
  /** Largest blob. Default {@link MAX_BLOB}. */
  readonly max?: number | undefined;
  /** Milliseconds that nothing was written to a temporary file, until its writer is taken for dead. Default an hour. */
  readonly temporaryAge?: number | undefined;
}

/** Options of {@link FolderStore.putStream}. */
export interface PutStreamOptions {
  /** What the bytes must be. */
  readonly expected?: Digest | undefined;
  /** Largest content, if that is less than the store takes. */
  readonly max?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A blob opened for reading. */
export interface OpenBlob {
  readonly size: number;
  /** Call it once. The last bytes come only after all were compared with the digest; else the stream ends with `STORE_DIGEST`. */
  stream(): Readable;
  /** For those that want no stream; a stream closes the blob when it ends or is destroyed. */
  close(): Promise<void>;
}

/** Options of {@link FolderStore.sweep}. */
export interface SweepOptions {
  /** Blobs that are still needed. */
  readonly keep: (digest: Digest) => boolean;
  /** Others go when nobody put them for so long. */
  readonly olderThanMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What is in a store. */
export interface Usage {
  readonly blobs: number;
  readonly bytes: number;
  /** Bytes that can still be written, as far as the file system knows. */
  readonly free: number;
}

interface Opened {
  readonly handle: FileHandle;
  readonly stats: Stats;
}

/** See the module. */
export class FolderStore implements Store {
  readonly name: string;
  readonly #root: string;
  readonly #create: boolean;
  readonly #max: number;
  readonly #temporaryAge: number;
  #ready: Promise<void> | undefined;

  constructor(root: string, options: FolderStoreOptions = {}) {
    const { create = true, max = MAX_BLOB, temporaryAge = HOUR } = options;
    this.name = root;
    this.#root = root;
    this.#create = create;
    this.#max = max;
    this.#temporaryAge = temporaryAge;
  }

  async put(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest> {
    signal?.throwIfAborted();
    if (bytes.length > this.#max) throw tooLarge(this.name, this.#max, bytes.length);
    const digest = await digestOfLarge(bytes, signal);
    // bytes that somebody changes meanwhile must not get the name of what they were
    if (!(await this.#isThere(digest, bytes.length))) await this.#write(piecesOf(bytes), { expected: digest, signal });
    return digest;
  }

  async get(digest: Digest, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const { handle, stats } = await this.#open(digest);
    const { size } = stats;
    let got: string;
    let bytes: Uint8Array;
    try {
      if (size > this.#max) throw tooLarge(this.#pathOf(digest), this.#max, size);
      bytes = new Uint8Array(size);
      const hash = createHash("sha256");
      let from = 0;
      while (from < size) {
        const { bytesRead } = await handle.read(bytes, from, Math.min(PIECE, size - from), from);
        signal?.throwIfAborted();
        if (bytesRead === 0) break;
        hash.update(bytes.subarray(from, from + bytesRead));
        from += bytesRead;
      }
      got = hash.digest("hex");
    } catch (cause) {
      throw signal?.aborted && cause === signal.reason ? cause : storeFailure(this.#pathOf(digest), cause);
    } finally {
      await handle.close();
    }
    if (got !== digest) throw await this.#damaged(digest, got);
    return bytes;
  }

  async has(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    return (await this.size(digest)) !== undefined;
  }

  async putFile(path: string, signal?: AbortSignal): Promise<Digest> {
    const { digest, size } = await hashFile(path, signal);
    if (size > this.#max) throw tooLarge(path, this.#max, size);
    if (await this.#isThere(digest, size)) return digest;
    const file = await openFile(path);
    try {
      // of a file that was changed meanwhile what it is now
      return (await this.#write(readPieces(file), { signal })).digest;
    } finally {
      await file.close();
    }
  }

  async getFile(digest: Digest, path: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { handle, stats } = await this.#open(digest);
    const temporary = `${path}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`;
    let got: string;
    try {
      if (stats.size > this.#max) throw tooLarge(this.#pathOf(digest), this.#max, stats.size);
      const options = { max: this.#max, signal, where: path, failure: targetFailure };
      got = (await writePieces(temporary, this.#read(digest, handle), options)).digest;
    } finally {
      await handle.close();
    }
    if (got !== digest) {
      await rm(temporary, { force: true });
      throw await this.#damaged(digest, got);
    }
    await rename(temporary, path).catch(async (cause) => {
      await rm(temporary, { force: true });
      throw targetFailure(path, cause);
    });
  }

  /**
   * Keeps what comes out of a stream. The stream is not destroyed, whatever happens: it may be a request that is still to be
   * answered.
   *
   * @returns `added`: false when the blob was there already.
   * @throws NetworkError `STORE_DIGEST` when the bytes are not those expected, and as {@link put} does; errors of the stream as
   *   they are.
   */
  async putStream(source: Readable, options: PutStreamOptions = {}): Promise<Hashed & { readonly added: boolean }> {
    const { expected } = options;
    if (expected !== undefined) assertDigest(expected);
    // what happens to it before it is read comes out when it is; an error that nobody hears would end the process
    const heard = () => {};
    source.on("error", heard);
    try {
      return await this.#write(source.iterator({ destroyOnReturn: false }), options);
    } finally {
      source.off("error", heard);
    }
  }

  /** @throws as {@link get} does. */
  async open(digest: Digest): Promise<OpenBlob> {
    const { handle, stats } = await this.#open(digest);
    const { size } = stats;
    const close = () => handle.close();
    const checked = this.#checked(digest, handle, size);
    return {
      size,
      close,
      stream: () => {
        const stream = Readable.from(checked, { objectMode: false });
        // a generator that nobody began has no end
        stream.once("close", () => void close().catch(() => {}));
        return stream;
      },
    };
  }

  /** Size of a blob; undefined when there is none. @throws NetworkError `STORE_BLOB_ID`, `STORE_UNAVAILABLE` */
  async size(digest: Digest): Promise<number | undefined> {
    assertDigest(digest);
    const path = this.#pathOf(digest);
    const found = await lstat(path).catch(async (cause) => {
      if (errnoOf(cause) !== "ENOENT") throw storeFailure(path, cause);
      await this.#assertPresent();
    });
    return found?.isFile() ? found.size : undefined;
  }

  /** @returns whether there was such a blob. */
  async delete(digest: Digest): Promise<boolean> {
    assertDigest(digest);
    const path = this.#pathOf(digest);
    try {
      await unlink(path);
      return true;
    } catch (cause) {
      if (errnoOf(cause) !== "ENOENT") throw storeFailure(path, cause);
      await this.#assertPresent();
      return false;
    }
  }

  /** Removes blobs that nobody needs, damaged ones, and what dead writers left. */
  async sweep({ keep, olderThanMs, signal }: SweepOptions): Promise<{ blobs: number; bytes: number }> {
    const swept = { blobs: 0, bytes: 0 };
    await this.#sweepTemporary();
    const before = Date.now() - olderThanMs;
    for await (const { path, digest, stats } of this.#files(signal)) {
      if (stats.mtimeMs >= before || (digest !== undefined && keep(digest))) continue;
      if (digest === undefined) await rm(path, { recursive: true, force: true });
      else if (await this.#take(path, before)) {
        swept.blobs++;
        swept.bytes += stats.size;
      }
    }
    return swept;
  }

  /** Counts what is there, file by file. */
  async usage(signal?: AbortSignal): Promise<Usage> {
    let [blobs, bytes] = [0, 0];
    for await (const { digest, stats } of this.#files(signal)) {
      if (digest === undefined) continue;
      blobs++;
      bytes += stats.size;
    }
    await this.#prepare();
    try {
      const { bavail, bsize } = await statfs(this.#root);
      return { blobs, bytes, free: bavail * bsize };
    } catch (cause) {
      throw storeFailure(this.#root, cause);
    }
  }

  /** Of something that `assertDigest` has seen. */
  #pathOf(digest: Digest): string {
    return join(this.#root, digest.slice(0, 2), digest.slice(2));
  }

  /** Before the first blob is written. */
  #prepare(): Promise<void> {
    this.#ready ??= this.#makeFolder().catch((error) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #makeFolder(): Promise<void> {
    const folder = join(this.#root, TEMPORARY);
    try {
      if (this.#create) await mkdir(folder, { recursive: true });
    } catch (cause) {
      throw storeFailure(this.#root, cause);
    }
    await this.#assertPresent();
    await this.#sweepTemporary();
  }

  /** A blob that is missing is something else than a folder that is not mounted. */
  async #assertPresent(): Promise<void> {
    const where = join(this.#root, TEMPORARY);
    const found = await stat(where).catch((cause) => {
      if (errnoOf(cause) !== "ENOENT") throw storeFailure(this.#root, cause);
    });
    if (found?.isDirectory() || (this.#create && found === undefined)) return;
    throw new NetworkError("is no store; is it mounted?", {
      code: "STORE_UNAVAILABLE",
      where: this.#root,
      expected: `a folder with a folder ${TEMPORARY}`,
    });
  }

  async #sweepTemporary(): Promise<void> {
    const folder = join(this.#root, TEMPORARY);
    const before = Date.now() - this.#temporaryAge;
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const found = await lstat(path).catch(() => undefined);
      if (found !== undefined && found.mtimeMs < before) {
        await rm(path, { recursive: true, force: true }).catch(() => {});
      }
    }
  }

  /** Takes a blob away, unless somebody has put it since it was found to be old. */
  async #take(path: string, before: number): Promise<boolean> {
    const aside = join(this.#root, TEMPORARY, randomUUID());
    try {
      await mkdir(dirname(aside)).catch(ignore("EEXIST"));
      // from here on a put finds no blob and writes one
      await rename(path, aside);
      const { mtimeMs } = await lstat(aside);
      if (mtimeMs < before) {
        await unlink(aside);
        return true;
      }
      await rename(aside, path);
    } catch (cause) {
      // another sweep was faster
      if (errnoOf(cause) !== "ENOENT") throw storeFailure(path, cause);
    }
    return false;
  }

  /** All that lies where blobs lie; `digest` is missing of what is none. Files that go meanwhile are left out. */
  async *#files(signal?: AbortSignal): AsyncGenerator<{ path: string; digest?: Digest; stats: Stats }> {
    signal?.throwIfAborted();
    await this.#assertPresent();
    const list = async (folder: string) => {
      try {
        return await readdir(folder);
      } catch (cause) {
        if (errnoOf(cause) !== "ENOENT") throw storeFailure(folder, cause);
        return [];
      }
    };
    for (const shard of await list(this.#root)) {
      if (!/^[0-9a-f]{2}$/.test(shard)) continue;
      for (const name of await list(join(this.#root, shard))) {
        signal?.throwIfAborted();
        const [, rest, suffix] = /^([0-9a-f]{62})(\.damaged)?$/.exec(name) ?? [];
        if (rest === undefined) continue;
        const path = join(this.#root, shard, name);
        const stats = await lstat(path).catch(() => undefined);
        if (stats === undefined) continue;
        yield suffix === undefined && stats.isFile() ? { path, digest: shard + rest, stats } : { path, stats };
      }
    }
  }

  /** Whether a blob need not be written. It counts as put now, so that no sweep takes it away. */
  async #isThere(digest: Digest, size: number): Promise<boolean> {
    if ((await this.size(digest)) !== size) return false;
    const now = new Date();
    try {
      await utimes(this.#pathOf(digest), now, now);
    } catch (cause) {
      // it went meanwhile; that it is not ours, or that nothing can be written there, is no reason to write it again
      if (errnoOf(cause) === "ENOENT") return false;
    }
    return true;
  }

  async #write(
    source: AsyncIterable<Uint8Array>,
    { expected, max = this.#max, signal }: PutStreamOptions,
  ): Promise<Hashed & { readonly added: boolean }> {
    signal?.throwIfAborted();
    await this.#prepare();
    const where = this.name;
    const temporary = join(this.#root, TEMPORARY, randomUUID());
    const options = { max: Math.min(max, this.#max), signal, where, failure: storeFailure };
    const written = await writePieces(temporary, source, options).catch((error) => {
      // somebody removed the folder: it is made again for the next one
      if (error instanceof NetworkError && errnoOf(error.cause) === "ENOENT") this.#ready = undefined;
      throw error;
    });
    const { digest, size } = written;
    try {
      if (expected !== undefined && digest !== expected) throw otherBytes(where, expected, digest);
      if (await this.#isThere(digest, size)) return { ...written, added: false };
      await this.#name(temporary, digest, size);
      return { ...written, added: true };
    } finally {
      // a blob that got its name is no longer there
      await rm(temporary, { force: true }).catch(() => {});
    }
  }

  async #name(temporary: string, digest: Digest, size: number): Promise<void> {
    const path = this.#pathOf(digest);
    const folder = dirname(path);
    try {
      await rename(temporary, path).catch(ignore("ENOENT", () => this.#nameAgain(temporary, path, digest, size)));
      // the name is on the disk when the folder is; not every file system can do that
      const handle = await open(folder, "r").catch(() => undefined);
      await handle?.sync().catch(() => {});
      await handle?.close();
    } catch (cause) {
      throw storeFailure(path, cause);
    }
  }

  /** In a folder that was not there yet. */
  async #nameAgain(temporary: string, path: string, digest: Digest, size: number): Promise<void> {
    await mkdir(dirname(path)).catch(ignore("EEXIST"));
    await rename(temporary, path).catch(async (cause) => {
      // NFS repeats what it has no answer to: it may have been done
      if ((await this.size(digest)) !== size) throw cause;
    });
  }

  async #open(digest: Digest): Promise<Opened> {
    assertDigest(digest);
    const path = this.#pathOf(digest);
    let handle: FileHandle;
    try {
      handle = await open(path, READ);
    } catch (cause) {
      if (errnoOf(cause) === "ELOOP") throw await this.#damaged(digest, "a symbolic link");
      if (errnoOf(cause) !== "ENOENT") throw storeFailure(path, cause);
      await this.#assertPresent();
      throw new NetworkError("no such blob", { code: "STORE_MISSING", where: path, cause });
    }
    try {
      const stats = await handle.stat();
      if (stats.isFile()) return { handle, stats };
    } catch (cause) {
      await handle.close();
      throw storeFailure(path, cause);
    }
    await handle.close();
    throw await this.#damaged(digest, "no regular file");
  }

  /** Pieces of an open blob. */
  async *#read(digest: Digest, handle: FileHandle): AsyncGenerator<Uint8Array> {
    for (let offset = 0; ; ) {
      const piece = new Uint8Array(PIECE);
      const { bytesRead } = await handle.read(piece, 0, PIECE, offset).catch((cause) => {
        throw storeFailure(this.#pathOf(digest), cause);
      });
      if (bytesRead === 0) return;
      offset += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  async *#checked(digest: Digest, handle: FileHandle, size: number): AsyncGenerator<Uint8Array> {
    const hash = createHash("sha256");
    let [last, length]: [Uint8Array | undefined, number] = [undefined, 0];
    for await (const piece of this.#read(digest, handle)) {
      hash.update(piece);
      length += piece.length;
      if (length > size) break;
      if (last !== undefined) yield last;
      last = piece;
    }
    const got = hash.digest("hex");
    if (got !== digest) throw await this.#damaged(digest, got);
    if (last !== undefined) yield last;
  }

  /** Moves what is not the blob aside, so that a put heals it. */
  async #damaged(digest: Digest, got: string): Promise<NetworkError> {
    const path = this.#pathOf(digest);
    // looked at again: what this machine misread, or another one has healed meanwhile, is not taken away from all others
    const still = await this.#isDamaged(digest).catch(() => false);
    if (still) await rename(path, `${path}${DAMAGED}`).catch(() => {});
    return otherBytes(path, digest, got);
  }

  async #isDamaged(digest: Digest): Promise<boolean> {
    const path = this.#pathOf(digest);
    const seen = await lstat(path);
    if (!seen.isFile()) return true;
    if ((await hashFile(path)).digest === digest) return false;
    const { ino, mtimeMs } = await lstat(path);
    return ino === seen.ino && mtimeMs === seen.mtimeMs;
  }
}

/** For `catch`: nothing, or what to do instead, on this error of the system. */
function ignore(errno: string, instead?: () => Promise<void>): (error: unknown) => Promise<void> | undefined {
  return (error) => {
    if (errnoOf(error) !== errno) throw error;
    return instead?.();
  };
}
