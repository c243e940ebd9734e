/**
 * What chunkproof needs from the host, for Node. Reached as `#platform` only (see `imports` in package.json), so that
 * bundlers for browsers take `web.ts` and no other module imports a Node builtin.
 *
 * @module
 */

import { renameSync } from "node:fs";
import { type FileHandle, mkdir, open, readFile, realpath, rm, stat } from "node:fs/promises";
import { arch, availableParallelism, cpus, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { Worker, parentPort as workerPort } from "node:worker_threads";
import { FormatError, ProverError } from "../errors.js";

/** What a string without a scheme stands for, if not a path: nothing here. */
export function relativeUrl(_location: string): string | undefined {
  return undefined;
}

/** A regular file opened for reading. */
export interface OpenedFile {
  /** Size in bytes when the file was opened. */
  readonly size: number;
  /** Reads at most `target.length` bytes from `offset`; answers how many, 0 at the end of the file. */
  read(target: Uint8Array, offset: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * Opens a local file for reading.
 *
 * @param path a file system path, or a `file:` URL.
 * @throws FormatError `FILE_NOT_FOUND`, or `FILE_UNREADABLE` (no permission, directory, pipe, device, I/O error).
 */
export async function openFile(path: string): Promise<OpenedFile> {
  let handle: FileHandle;
  let size: number;
  try {
    const local = /^file:/i.test(path) ? fileURLToPath(path) : path;
    // before open(): opening a pipe without a writer would wait for ever
    const found = await stat(local);
    if (!found.isFile()) {
      throw new FormatError("cannot be read", {
        code: "FILE_UNREADABLE",
        where: path,
        expected: "a regular file",
        got: found.isDirectory() ? "a directory" : "a pipe or device",
      });
    }
    handle = await open(local, "r");
    size = (await handle.stat()).size;
  } catch (cause) {
    throw fileError(path, cause);
  }
  return {
    size,
    async read(target, offset) {
      try {
        return (await handle.read(target, 0, target.length, offset)).bytesRead;
      } catch (cause) {
        throw fileError(path, cause);
      }
    },
    close: () => handle.close(),
  };
}

/** Longest single write: an abort is noticed in between. */
const MAX_WRITE = 1 << 24;

/**
 * Writes a file all or nothing: into a temporary file beside it, which then takes its name. Whatever fails, there is either
 * the old file or none under that name; the temporary one is only left behind when the process is killed. Through a symbolic
 * link its target is replaced.
 *
 * @param path a file system path, or a `file:` URL.
 * @param pieces content, one after the other.
 * @param signal ends writing; what is thrown then is `signal.reason`.
 * @throws FormatError `FILE_UNWRITABLE` (no such folder, no permission, no space, not a regular file, I/O error).
 */
export async function writeFileAtomic(
  path: string,
  pieces: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<void> {
  await writeFilesAtomic([{ path, pieces }], signal);
}

/** A file to write: where, and its content, one piece after the other. */
export interface FileContent {
  /** A file system path, or a `file:` URL. */
  readonly path: string;
  readonly pieces: readonly Uint8Array[];
}

/**
 * Writes files that belong together as {@link writeFileAtomic} writes one: no name is touched before the content of every
 * file is on the disk. Only the CLI has such files, so `web.ts` has no counterpart.
 *
 * @throws FormatError `FILE_UNWRITABLE`; signal.reason.
 */
export async function writeFilesAtomic(files: readonly FileContent[], signal?: AbortSignal): Promise<void> {
  const prepared: PreparedFile[] = [];
  try {
    for (const file of files) prepared.push(await prepareFile(file, signal));
    signal?.throwIfAborted();
    // without a pause: no signal may end the process when some of the files have their names and others have not
    for (const { path, temporary, target } of prepared) {
      try {
        renameSync(temporary, target);
      } catch (cause) {
        throw unwritable(path, cause);
      }
    }
  } finally {
    // those that got their names are no longer there
    for (const { temporary } of prepared) await rm(temporary, { force: true });
  }
}

/** The content of a file, complete, under a temporary name. */
interface PreparedFile {
  readonly path: string;
  readonly temporary: string;
  readonly target: string;
}

async function prepareFile({ path, pieces }: FileContent, signal: AbortSignal | undefined): Promise<PreparedFile> {
  signal?.throwIfAborted();
  let temporary: string | undefined;
  let handle: FileHandle | undefined;
  try {
    const local = /^file:/i.test(path) ? fileURLToPath(path) : path;
    const found = await stat(local).catch(ignoreMissing);
    if (found !== undefined && !found.isFile()) {
      throw new FormatError("cannot be written", {
        code: "FILE_UNWRITABLE",
        where: path,
        expected: "a regular file, or nothing yet",
        got: found.isDirectory() ? "a directory" : "a pipe or device",
      });
    }
    const target = found === undefined ? local : await realpath(local);
    const name = `${target}.${process.pid}-${Math.random().toString(36).slice(2, 10)}.tmp`;
    handle = await open(name, "wx");
    temporary = name;
    for (const piece of pieces) {
      for (let from = 0; from < piece.length; ) {
        signal?.throwIfAborted();
        const { bytesWritten } = await handle.write(piece, from, Math.min(MAX_WRITE, piece.length - from));
        from += bytesWritten;
      }
    }
    // the content before the name: after a crash there must not be an empty file under it
    await handle.sync();
    await handle.close();
    return { path, temporary, target };
  } catch (cause) {
    await handle?.close().catch(() => {});
    if (temporary !== undefined) await rm(temporary, { force: true });
    if (cause instanceof FormatError || (signal?.aborted && cause === signal.reason)) throw cause;
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): FormatError {
  const got = cause instanceof Error ? cause.message : String(cause);
  return new FormatError("cannot be written", { code: "FILE_UNWRITABLE", where: path, got, cause });
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

function fileError(path: string, cause: unknown): FormatError {
  if (cause instanceof FormatError) return cause;
  if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
    return new FormatError("no such file", { code: "FILE_NOT_FOUND", where: path, cause });
  }
  const got = cause instanceof Error ? cause.message : String(cause);
  return new FormatError("cannot be read", { code: "FILE_UNREADABLE", where: path, got, cause });
}

/**
 * Where generated artefacts lie: `CHUNKPROOF_CACHE`, else `chunkproof` in the user's cache folder. `web.ts` has no
 * counterpart.
 */
export function cacheFolder(): string {
  const { CHUNKPROOF_CACHE, XDG_CACHE_HOME } = process.env;
  return CHUNKPROOF_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "chunkproof");
}

/** A text that outlives the process. */
export interface StoredText {
  /** Where it is, for people. */
  readonly place: string;
  /** @returns undefined when there is none yet. */
  read(): Promise<string | undefined>;
  /** Replaces it as a whole, or not at all. */
  write(text: string): Promise<void>;
}

/** The text of this name: a file in the cache. */
export function storedText(name: string): StoredText {
  const place = join(cacheFolder(), name);
  return {
    place,
    read: async () => (await readFile(place).catch(ignoreMissing))?.toString("utf8"),
    async write(text) {
      await mkdir(dirname(place), { recursive: true });
      await writeFileAtomic(place, [new TextEncoder().encode(text)]);
    },
  };
}

/** What the speed of WebAssembly depends on: processor and engine. */
export function machineName(): string {
  return `${cpus()[0]?.model.trim() || "unknown processor"} (${arch()}), Node ${process.versions.node.split(".")[0]}`;
}

/** A worker thread as the pool sees it. */
export interface Thread {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** The thread died: uncaught error, out of memory, or it could not be started. */
  onFailure(listener: (reason: string) => void): void;
  /** While held, the thread keeps the process alive. */
  hold(held: boolean): void;
  terminate(): Promise<void>;
}

/** The other end of a {@link Thread}. */
export interface ParentPort {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
}

/** Number of threads that can run at the same time. */
export function hardwareThreads(): number {
  return availableParallelism();
}

/** Starts a thread of the WebAssembly pool, not held. */
export function startThread(): Thread {
  // its own argv and no inherited loaders: the worker needs neither
  const worker = new Worker(new URL("../prover/wasm/worker.js", import.meta.url), { execArgv: [] });
  worker.unref();
  // a failure may come before anybody listens: without a listener it would end the process
  let reason: string | undefined;
  let listener: ((reason: string) => void) | undefined;
  const fail = (text: string) => {
    reason ??= text;
    listener?.(reason);
  };
  worker.on("error", (error) => fail(error instanceof Error ? error.message : String(error)));
  worker.on("exit", (code) => fail(`the thread ended with code ${code}`));
  let ending = false;
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.on("message", listener),
    onFailure(onFailure) {
      listener = onFailure;
      if (reason !== undefined) onFailure(reason);
    },
    hold(held) {
      // its end is waited for: answers that arrive meanwhile must not let the process go before
      if (ending) return;
      if (held) worker.ref();
      else worker.unref();
    },
    terminate: async () => {
      ending = true;
      await worker.terminate();
    },
  };
}

/** Inside a thread: the way back to whoever started it. */
export function parentPort(): ParentPort {
  if (workerPort === null) throw new Error("not in a worker thread");
  const port = workerPort;
  return {
    post: (message) => port.postMessage(message),
    onMessage: (listener) => port.on("message", listener),
  };
}

/** Lets the host handle whatever is waiting: events, timers, an abort. */
export function yieldToHost(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Node 20 has relaxed SIMD behind a V8 flag that only gates the decoder of WebAssembly modules; newer ones have it anyway.
 * Modules compiled before are not affected.
 */
export async function allowRelaxedSimd(isAvailable: () => boolean): Promise<void> {
  if (!isAvailable()) setFlagsFromString("--experimental-wasm-relaxed-simd");
}

/** Kept for as long as the process lives: a GPU object that is collected takes its devices with it. */
let gpu: Promise<object> | undefined;

/**
 * The host's WebGPU: `navigator.gpu`, or that of the package `webgpu` (Dawn).
 *
 * @throws ProverError `WEBGPU_UNAVAILABLE` when the package is not installed or cannot be loaded.
 */
export async function loadGpu(): Promise<object> {
  const present = (globalThis.navigator as { readonly gpu?: object } | undefined)?.gpu;
  if (present !== undefined) return present;
  gpu ??= import("webgpu").then(({ create }) => create([]));
  try {
    return await gpu;
  } catch (cause) {
    gpu = undefined;
    const missing = (cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    throw new ProverError(missing ? "the package webgpu is not installed" : "the package webgpu cannot be loaded", {
      code: "WEBGPU_UNAVAILABLE",
      where: "webgpu",
      expected: "npm install webgpu, 0.6.2 or newer",
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}
