/**
 * Where bytes come from: a file, a URL, a Blob or memory, behind one random-access interface.
 *
 * - Files and Blobs are read piece by piece, straight into the caller's memory.
 * - HTTP answers are kept once, in fixed blocks: nothing is copied when the download grows.
 *
 * @module
 */

import { openFile, relativeUrl } from "#platform";
import { FormatError } from "../errors.js";

/**
 * Anything chunkproof reads a file from: a path (in browsers a URL relative to the page), an `http(s):`, `file:`, `blob:` or `data:` URL, a Blob or File,
 * or the bytes themselves.
 */
export type Source = string | URL | Uint8Array | ArrayBuffer | Blob;

/** Random access to the bytes of one {@link Source}. */
export interface ByteSource {
  /** What error messages call it: path, URL, or what it is used for. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * Fills `target` completely from `offset`. `target` may lie in a SharedArrayBuffer.
   *
   * @throws FormatError `SOURCE_TRUNCATED` when the source ends before that.
   */
  readInto(target: Uint8Array, offset: number): Promise<void>;
  /**
   * `length` bytes from `offset`, never in a SharedArrayBuffer: a copy, or a view where the source lies in memory
   * already. Read-only for the caller.
   *
   * @throws FormatError `SOURCE_TRUNCATED` when the source ends before that.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Longest single read: far below what one system call takes (2 GiB - 4 KiB), and an abort is noticed in between. */
const MAX_READ = 1 << 26;
/** Block of a download. */
const BLOCK = 1 << 22;

/** The part in which sources differ. */
interface Backend {
  name: string;
  size: number;
  /** Writes at most `target.length` bytes from `offset` into `target`; answers how many, 0 at the end. */
  fill(target: Uint8Array, offset: number): Promise<number> | number;
  /** Bytes that lie in memory already. */
  view?: (offset: number, length: number) => Uint8Array;
  close?: () => Promise<void>;
}

/**
 * Opens a source for reading.
 *
 * @param what what is expected there, for messages about sources without a name, e.g. `"zkey"`.
 * @param signal ends downloads and reads; what is thrown then is `signal.reason`.
 * @param maxBytes refuse anything larger.
 * @throws FormatError `SOURCE_UNSUPPORTED` (type, bad URL or scheme), `SOURCE_TOO_LARGE`,
 *   `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `FETCH_FAILED` (network, or an HTTP status other than 2xx).
 */
export async function openSource(
  source: Source,
  what = "input",
  signal?: AbortSignal,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<ByteSource> {
  signal?.throwIfAborted();
  const backend = await openBackend(source, what, signal, maxBytes);
  if (backend.size > maxBytes) {
    await backend.close?.();
    throw tooLarge(backend.name, maxBytes, `${backend.size} bytes`);
  }
  return new Reader(backend, signal);
}

async function openBackend(
  source: Source,
  what: string,
  signal: AbortSignal | undefined,
  maxBytes: number,
): Promise<Backend> {
  // by tag, not instanceof: values may come from another realm (iframe, worker, vm)
  const tag = Object.prototype.toString.call(source).slice(8, -1);
  switch (tag) {
    case "Uint8Array": {
      const { buffer, byteOffset, byteLength } = source as Uint8Array;
      return memoryBackend(`${what} (in memory)`, new Uint8Array(buffer, byteOffset, byteLength));
    }
    case "ArrayBuffer":
      return memoryBackend(`${what} (in memory)`, new Uint8Array(source as ArrayBuffer));
    case "Blob":
    case "File":
      return blobBackend(what, source as Blob);
    case "URL":
    case "String":
      return locationBackend(String(source), tag === "URL", what, signal, maxBytes);
    default:
      throw new FormatError("cannot be read from this value", {
        code: "SOURCE_UNSUPPORTED",
        where: what,
        expected: "a path, URL, Uint8Array, ArrayBuffer or Blob",
        got: tag,
      });
  }
}

class Reader implements ByteSource {
  readonly name: string;
  readonly size: number;

  constructor(
    private readonly backend: Backend,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.name = backend.name;
    this.size = backend.size;
  }

  async readInto(target: Uint8Array, offset: number): Promise<void> {
    this.checkRange(offset, target.length);
    let done = 0;
    while (done < target.length) {
      this.signal?.throwIfAborted();
      const piece = target.subarray(done, Math.min(target.length, done + MAX_READ));
      const n = await this.backend.fill(piece, offset + done);
      // the file became shorter after it was opened
      if (n === 0) throw truncated(this.name, offset + target.length, offset + done);
      done += n;
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.checkRange(offset, length);
    this.signal?.throwIfAborted();
    if (this.backend.view !== undefined) return this.backend.view(offset, length);
    const target = new Uint8Array(length);
    await this.readInto(target, offset);
    return target;
  }

  async close(): Promise<void> {
    await this.backend.close?.();
  }

  private checkRange(offset: number, length: number): void {
    if (offset + length > this.size) throw truncated(this.name, offset + length, this.size);
  }
}

function memoryBackend(name: string, bytes: Uint8Array): Backend {
  const shared = !(Object.prototype.toString.call(bytes.buffer) === "[object ArrayBuffer]");
  return {
    name,
    size: bytes.length,
    fill(target, offset) {
      target.set(bytes.subarray(offset, offset + target.length));
      return target.length;
    },
    // slice() copies out of the shared buffer
    view: (offset, length) => (shared ? bytes.slice(offset, offset + length) : bytes.subarray(offset, offset + length)),
  };
}

function blobBackend(what: string, blob: Blob): Backend {
  const name = (blob as Partial<File>).name || `${what} (blob)`;
  return {
    name,
    size: blob.size,
    async fill(target, offset) {
      const n = Math.min(target.length, BLOCK);
      let piece: ArrayBuffer;
      try {
        piece = await blob.slice(offset, offset + n).arrayBuffer();
      } catch (cause) {
        // a File whose file was changed or removed after it was chosen
        throw new FormatError("cannot be read", { code: "FILE_UNREADABLE", where: name, got: String(cause), cause });
      }
      target.set(new Uint8Array(piece));
      return piece.byteLength;
    },
  };
}

async function locationBackend(
  location: string,
  isUrl: boolean,
  what: string,
  signal: AbortSignal | undefined,
  maxBytes: number,
): Promise<Backend> {
  // two letters at least: "C:\key.zkey" is a path
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(location)?.[1]?.toLowerCase();
  if (scheme !== undefined && ["http", "https", "blob", "data"].includes(scheme)) {
    return download(location, what, signal, maxBytes);
  }
  if (scheme !== "file" && (isUrl || location.includes("://"))) {
    throw new FormatError("URL scheme is not supported", {
      code: "SOURCE_UNSUPPORTED",
      where: location,
      expected: "http, https, file, blob or data",
      got: scheme ?? "none",
    });
  }
  const url = scheme === undefined ? relativeUrl(location) : undefined;
  if (url !== undefined) return download(url, what, signal, maxBytes);
  const file = await openFile(location);
  return {
    name: location,
    size: file.size,
    fill: (target, offset) => file.read(target, offset),
    close: () => file.close(),
  };
}

async function download(
  location: string,
  what: string,
  signal: AbortSignal | undefined,
  maxBytes: number,
): Promise<Backend> {
  const name = urlName(location, what);
  const blocks: Uint8Array[] = [];
  let size = 0;
  try {
    const response = await fetch(location, { signal: signal ?? null });
    if (!response.ok) {
      throw new FormatError("download failed", {
        code: "FETCH_FAILED",
        where: name,
        expected: "HTTP status 200",
        got: `HTTP status ${response.status}`,
      });
    }
    // A body shorter than its Content-Length makes the reader fail, so the length needs no second check here.
    const reader = response.body?.getReader();
    while (reader !== undefined) {
      const { done, value } = await reader.read();
      if (done) break;
      if (size + value.length > maxBytes) {
        await reader.cancel();
        throw tooLarge(name, maxBytes, "more");
      }
      for (let from = 0; from < value.length; ) {
        const at = size % BLOCK;
        if (at === 0) blocks.push(new Uint8Array(BLOCK));
        const piece = value.subarray(from, from + BLOCK - at);
        blocks.at(-1)!.set(piece, at);
        from += piece.length;
        size += piece.length;
      }
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof FormatError) throw cause;
    throw new FormatError("download failed", { code: "FETCH_FAILED", where: name, got: fetchReason(cause), cause });
  }
  return {
    name,
    size,
    fill(target, offset) {
      const block = blocks[Math.floor(offset / BLOCK)]!;
      const at = offset % BLOCK;
      const piece = block.subarray(at, Math.min(at + target.length, BLOCK));
      target.set(piece);
      return piece.length;
    },
    async close() {
      blocks.length = 0;
      size = 0;
    },
  };
}

/** The URL without query and fragment, which may hold secrets: the name ends up in messages and logs. */
function urlName(location: string, what: string): string {
  if (/^data:/i.test(location)) return `${what} (data URL)`;
  if (/^blob:/i.test(location)) return location;
  const url = URL.canParse(location) ? new URL(location) : undefined;
  if (url !== undefined && url.username === "" && url.password === "") return `${url.origin}${url.pathname}`;
  throw new FormatError("URL cannot be fetched", {
    code: "SOURCE_UNSUPPORTED",
    where: `${what} (URL)`,
    got: url === undefined ? "an invalid URL" : "a URL with user name or password",
  });
}

/** What fetch failed with; Node hides the reason ("connect ECONNREFUSED …") behind "fetch failed". */
function fetchReason(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message : String(inner);
}

function truncated(name: string, needed: number, size: number): FormatError {
  return new FormatError(size === 0 ? "is empty" : "ends early", {
    code: "SOURCE_TRUNCATED",
    where: name,
    expected: `at least ${needed} bytes`,
    got: `${size} bytes`,
  });
}

function tooLarge(name: string, maxBytes: number, got: string): FormatError {
  return new FormatError("is too large", {
    code: "SOURCE_TOO_LARGE",
    where: name,
    expected: `at most ${maxBytes} bytes`,
    got,
  });
}
