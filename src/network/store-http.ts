/**
 * Blobs of the coordinator, over HTTP: `GET`, `HEAD` and `PUT /v1/blobs/<digest>`. What comes is compared with its digest here,
 * what goes there.
 *
 * @module
 */

import { createHash, randomUUID } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import { ReadableStream } from "node:stream/web";
import { setTimeout as sleep } from "node:timers/promises";
import { type OpenedFile, openFile } from "#platform";
import { NetworkError } from "./errors.js";
import {
  digestOfLarge,
  hashFile,
  otherBytes,
  piecesOf,
  readPieces,
  targetFailure,
  tooLarge,
  writePieces,
} from "./files.js";
import { assertDigest, type Digest, MAX_BLOB, type Store } from "./store.js";

/** Options of {@link HttpStore}. */
export interface HttpStoreOptions {
  /** Goes with every request, and into no message. */
  readonly token?: string | undefined;
  /** Milliseconds in which nothing comes or goes, until a request is given up. Default a minute. */
  readonly timeout?: number | undefined;
  /** How often a request is made again. Default 5, which takes 8 seconds. */
  readonly retries?: number | undefined;
  /** Milliseconds before the first of them; doubles. Default 250. */
  readonly backoff?: number | undefined;
  /** Largest blob. Default {@link MAX_BLOB}. */
  readonly max?: number | undefined;
}

/** What is asked before it is sent: the coordinator may have it. Smaller ones are sent at once. */
const ASK_FIRST = 1 << 16;
const MAX_PAUSE = 5000;
/** Errors are short. */
const MAX_ERROR = 1 << 14;

/** What may be otherwise in a moment. */
const PASSING = [500, 502, 503, 504];

/** The body of a request, as often as it is needed. */
interface Body {
  readonly size: number;
  pieces(): AsyncIterable<Uint8Array>;
}

interface Request {
  readonly method: "GET" | "HEAD" | "PUT";
  readonly digest: Digest;
  readonly body?: Body | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What to do with the body of an answer that is none of an error. */
type Use<T> = (pieces: AsyncIterable<Uint8Array>, declared: number | undefined) => Promise<T>;

/** A request that may go better next time. */
class Interrupted extends Error {
  constructor(readonly error: NetworkError) {
    super(error.message);
  }
}

/** See the module. */
export class HttpStore implements Store {
  readonly name: string;
  readonly #token: string | undefined;
  readonly #timeout: number;
  readonly #retries: number;
  readonly #backoff: number;
  readonly #max: number;

  /**
   * @param url of the coordinator, with or without a path.
   * @throws NetworkError `CONFIG_INVALID`
   */
  constructor(url: string | URL, options: HttpStoreOptions = {}) {
    const { token, timeout = 60_000, retries = 5, backoff = 250, max = MAX_BLOB } = options;
    this.name = baseOf(url);
    // fetch would put what it cannot send into its message
    if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
      throw new NetworkError("cannot be sent", { code: "CONFIG_INVALID", where: "token", expected: "printable ASCII" });
    }
    this.#token = token;
    this.#timeout = timeout;
    this.#retries = retries;
    this.#backoff = backoff;
    this.#max = max;
  }

  async put(bytes: Uint8Array, signal?: AbortSignal): Promise<Digest> {
    signal?.throwIfAborted();
    if (bytes.length > this.#max) throw tooLarge(this.name, this.#max, bytes.length);
    const digest = await digestOfLarge(bytes, signal);
    if (bytes.length >= ASK_FIRST && (await this.#holds(digest, bytes.length, signal))) return digest;
    await this.#put(digest, { size: bytes.length, pieces: () => piecesOf(bytes) }, signal);
    return digest;
  }

  async get(digest: Digest, signal?: AbortSignal): Promise<Uint8Array> {
    assertDigest(digest);
    return await this.#request({ method: "GET", digest, signal }, async (pieces) => {
      const hash = createHash("sha256");
      const parts: Uint8Array[] = [];
      let size = 0;
      for await (const piece of pieces) {
        size += piece.length;
        if (size > this.#max) throw tooLarge(this.#urlOf(digest), this.#max);
        hash.update(piece);
        parts.push(piece);
      }
      const got = hash.digest("hex");
      if (got !== digest) throw otherBytes(this.#urlOf(digest), digest, got);
      const bytes = new Uint8Array(size);
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
      }
      return bytes;
    });
  }

  async has(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    assertDigest(digest);
    return await this.#holds(digest, undefined, signal);
  }

  async putFile(path: string, signal?: AbortSignal): Promise<Digest> {
    const { digest, size } = await hashFile(path, signal);
    if (size > this.#max) throw tooLarge(path, this.#max, size);
    if (size >= ASK_FIRST && (await this.#holds(digest, size, signal))) return digest;
    const file = await openFile(path);
    try {
      await this.#put(digest, { size, pieces: () => firstOf(file, path, size) }, signal);
    } finally {
      await file.close();
    }
    return digest;
  }

  async getFile(digest: Digest, path: string, signal?: AbortSignal): Promise<void> {
    assertDigest(digest);
    const temporary = `${path}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`;
    await this.#request({ method: "GET", digest, signal }, async (pieces) => {
      const options = { max: this.#max, signal, where: path, failure: targetFailure };
      const { digest: got } = await writePieces(temporary, pieces, options);
      try {
        if (got !== digest) throw otherBytes(this.#urlOf(digest), digest, got);
        await rename(temporary, path).catch((cause) => {
          throw targetFailure(path, cause);
        });
      } finally {
        // if it got its name, it is no longer there
        await rm(temporary, { force: true });
      }
    });
  }

  #urlOf(digest: Digest): string {
    return `${this.name}/v1/blobs/${digest}`;
  }

  /** Whether there is such a blob, and of this size if that is known; one of another is to be put again. */
  async #holds(digest: Digest, size: number | undefined, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      return await this.#request({ method: "HEAD", digest, signal }, async (_, declared) => {
        return size === undefined || declared === undefined || declared === size;
      });
    } catch (error) {
      if (error instanceof NetworkError && error.code === "STORE_MISSING") return false;
      throw error;
    }
  }

  async #put(digest: Digest, body: Body, signal: AbortSignal | undefined): Promise<void> {
    // to the end, so that the connection can be used again
    await this.#request({ method: "PUT", digest, body, signal }, errorCode);
  }

  async #request<T>(request: Request, use: Use<T>): Promise<T> {
    const { signal } = request;
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await this.#attempt(request, use);
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
        if (attempt >= this.#retries) throw error.error;
      }
      // workers that lost the coordinator together must not come back together
      const pause = Math.min(this.#backoff * 2 ** attempt, MAX_PAUSE) * (0.75 + Math.random() / 2);
      await sleep(pause, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
    }
  }

  async #attempt<T>({ method, digest, body, signal }: Request, use: Use<T>): Promise<T> {
    const where = this.#urlOf(digest);
    const controller = new AbortController();
    const onAbort = () => controller.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const silence = new NetworkError("no answer", {
      code: "STORE_UNAVAILABLE",
      where,
      expected: `something within ${this.#timeout} ms`,
    });
    const timer = setTimeout(() => controller.abort(silence), this.#timeout);
    // what failed on this side: to ask again would not help
    let fault: { readonly cause: unknown } | undefined;
    const guard = async <T>(work: Promise<T>): Promise<T> => {
      try {
        const value = await work;
        timer.refresh();
        return value;
      } catch (cause) {
        if (signal?.aborted) throw signal.reason;
        if (fault !== undefined) throw fault.cause;
        throw new Interrupted(controller.signal.aborted ? silence : unanswered(where, cause));
      }
    };
    async function* upload(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      try {
        for await (const piece of source) {
          timer.refresh();
          yield piece;
        }
      } catch (cause) {
        fault = { cause };
        throw cause;
      }
    }
    async function* download(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
      if (stream === null) return;
      const reader = stream.getReader();
      for (;;) {
        const { done, value } = await guard(reader.read());
        if (done) return;
        yield value;
      }
    }
    try {
      const headers: Record<string, string> = { "accept-encoding": "identity" };
      if (this.#token !== undefined) headers.authorization = `Bearer ${this.#token}`;
      if (body !== undefined) {
        headers["content-type"] = "application/octet-stream";
        headers["content-length"] = String(body.size);
      }
      const response = await guard(
        fetch(where, {
          method,
          headers,
          redirect: "manual",
          signal: controller.signal,
          ...(body === undefined ? {} : { body: ReadableStream.from(upload(body.pieces())) as never, duplex: "half" }),
        } as RequestInit),
      );
      const { status } = response;
      const pieces = download(response.body as ReadableStream<Uint8Array> | null);
      if (status !== 200 && !(method === "PUT" && [201, 204].includes(status))) {
        const end = setTimeout(() => controller.abort(silence), this.#timeout);
        const code = await errorCode(pieces).finally(() => clearTimeout(end));
        const error = refusal(where, method, status, code);
        throw PASSING.includes(status) ? new Interrupted(error) : error;
      }
      const length = response.headers.get("content-length");
      const declared = length === null ? undefined : Number(length);
      if (method === "GET" && declared !== undefined && declared > this.#max)
        throw tooLarge(where, this.#max, declared);
      return await use(pieces, declared);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      // of a request that was answered to the end nothing is left to abort
      controller.abort();
    }
  }
}

/** Address without a slash at its end. */
function baseOf(url: string | URL): string {
  const invalid = (message: string) =>
    // not shown: there may be a password in it
    new NetworkError(message, { code: "CONFIG_INVALID", where: "address of the coordinator" });
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw invalid("is no URL");
  }
  const { protocol, username, password, search, hash, origin, pathname } = parsed;
  if (!["http:", "https:"].includes(protocol)) throw invalid("neither http: nor https:");
  if (username + password + search + hash !== "") throw invalid("has a user, a password, a query or a fragment");
  return origin + pathname.replace(/\/+$/, "");
}

/** As many bytes of a file as were hashed. */
async function* firstOf(file: OpenedFile, path: string, size: number): AsyncGenerator<Uint8Array> {
  let left = size;
  for await (const piece of readPieces(file)) {
    yield piece.subarray(0, left);
    left -= Math.min(left, piece.length);
    if (left === 0) return;
  }
  if (left > 0) throw otherBytes(path, `${size} bytes`, `${size - left}`);
}

/** The code in the body of an error: one of ours, or nothing. Whatever else it says is not repeated. */
async function errorCode(pieces: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  let text = "";
  try {
    for await (const piece of pieces) {
      text += Buffer.from(piece).toString("latin1");
      if (text.length > MAX_ERROR) return undefined;
    }
  } catch (error) {
    // the status has come, and says enough
    if (!(error instanceof Interrupted)) throw error;
  }
  try {
    const code: unknown = JSON.parse(text)?.error?.code;
    return typeof code === "string" && /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

function unanswered(where: string, cause: unknown): NetworkError {
  // "fetch failed" says nothing; what is below it does
  const inner = (cause as { cause?: unknown } | null)?.cause ?? cause;
  const { code, message } = inner as NodeJS.ErrnoException;
  return new NetworkError("no answer, or only a part of it", {
    code: "STORE_UNAVAILABLE",
    where,
    got: code ?? message,
    cause,
  });
}

function refusal(where: string, method: string, status: number, code: string | undefined): NetworkError {
  const got = code === undefined ? `HTTP ${status}` : `HTTP ${status} ${code}`;
  const error = (message: string, code: string) => new NetworkError(message, { code, where, got });
  if (status >= 300 && status < 400) return error("redirects are not followed", "STORE_UNAVAILABLE");
  if (status === 401 || status === 403) return error("the coordinator refuses the token", "STORE_FORBIDDEN");
  // anybody says 404: of a blob that is missing only the coordinator can know
  if (status === 404 && (method === "HEAD" || code === "STORE_MISSING")) return error("no such blob", "STORE_MISSING");
  if (status === 400 && code === "STORE_BLOB_ID") return error("not the digest of a blob", code);
  if (status === 413) return error("larger than the coordinator takes", "STORE_TOO_LARGE");
  if (status === 422) return error("what arrived has another digest", "STORE_DIGEST");
  if (status === 507) return error("the coordinator has no space left", "STORE_FULL");
  return error("not an answer of a store", "STORE_UNAVAILABLE");
}
