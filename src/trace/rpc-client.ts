/**
 * JSON-RPC 2.0 over HTTP: batches, time limits, retries. Neither the path of the URL nor what is sent in headers gets into
 * messages: providers put keys there.
 *
 * @module
 */

import { RpcError, type RpcErrorCode } from "./rpc-errors.js";

/** How to reach a node. */
export interface RpcOptions {
  /** `http:` or `https:`. A user name and password in it are sent as basic authorization. */
  readonly url: string;
  /** Sent with every request, e.g. `{ authorization: "Bearer …" }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds that one answer may take until its last byte; default 60,000. */
  readonly timeout?: number | undefined;
  /** How often a request is sent again after a broken connection, or when the node has too much to do; default 3. */
  readonly retries?: number | undefined;
  /** Most calls in one request, default 50; 1 for nodes without batches. */
  readonly batch?: number | undefined;
  /** Most bytes of one answer, default 512 MiB. */
  readonly maxBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A method and its parameters. */
export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

const TIMEOUT = 60_000;
const RETRIES = 3;
const BATCH = 50;
/** Longer text could not be held as one string. */
const MAX_BYTES = (1 << 29) - 1;
/** Milliseconds before the first retry; doubled with each. */
const FIRST_DELAY = 250;
/** Milliseconds that a node may ask to be left alone. */
const MAX_DELAY = 30_000;
/** Shorter parts of an address are no secrets, but words of messages. */
const MIN_SECRET = 8;

/** HTTP statuses that may be gone when asked again. */
const BUSY = new Set([429, 502, 503, 504]);
/** JSON-RPC codes of nodes that have had enough for now (EIP-1474 and what providers made of it). */
const LIMIT_EXCEEDED = new Set([-32005, 429]);
const METHOD_NOT_FOUND = new Set([-32601, -32004]);

/** A failure that may be gone when asked again. */
interface Failure {
  readonly error: RpcError;
  /** Whether to ask again, or after how many milliseconds, if the node said so. */
  readonly retry: number | boolean;
}

/** One node. Holds no connection of its own: nothing to close. */
export class RpcClient {
  /** The node in messages: scheme, host and port. */
  readonly name: string;
  readonly #url: string;
  readonly #headers: Headers;
  readonly #secrets: readonly string[];
  readonly #options: RpcOptions;
  #batch: number;
  #id = 0;

  /** @throws RpcError `RPC_URL` */
  constructor(options: RpcOptions) {
    const parsed = URL.canParse(options.url) ? new URL(options.url) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
      throw new RpcError("not the URL of a node", {
        code: "RPC_URL",
        expected: "http://… or https://…",
        got: parsed === undefined ? "no URL" : `a URL of ${parsed.protocol}`,
      });
    }
    this.name = parsed.origin;
    this.#options = options;
    this.#batch = Math.max(1, options.batch ?? BATCH);
    const { username, password, pathname, search } = parsed;
    const secrets = [...pathname.split("/"), ...[...new URLSearchParams(search).values()], username, password];
    try {
      this.#headers = new Headers({ "content-type": "application/json" });
      if (username !== "" || password !== "") {
        const [user, word] = [decodeURIComponent(username), decodeURIComponent(password)];
        this.#headers.set("authorization", `Basic ${btoa(`${user}:${word}`)}`);
        secrets.push(user, word);
      }
      for (const [name, value] of Object.entries(options.headers ?? {})) {
        this.#headers.set(name, value);
        secrets.push(value, ...value.split(/\s+/));
      }
    } catch {
      // the reason would repeat the value
      throw new RpcError("headers that HTTP cannot carry", { code: "RPC_URL", where: this.name });
    }
    parsed.username = "";
    parsed.password = "";
    this.#url = parsed.href;
    this.#secrets = secrets.filter(({ length }) => length >= MIN_SECRET).sort((a, b) => b.length - a.length);
  }

  /**
   * The result of one call.
   *
   * @throws RpcError; `where` is the method
   */
  async call(method: string, ...params: readonly unknown[]): Promise<unknown> {
    return this.#single({ method, params });
  }

  /**
   * The results of many calls, in their order. A node that refuses batches is asked one by one.
   *
   * @throws RpcError of the first call that failed
   */
  async callAll(calls: readonly RpcCall[]): Promise<unknown[]> {
    const results: unknown[] = [];
    while (results.length < calls.length) {
      const some = calls.slice(results.length, results.length + this.#batch);
      results.push(...(some.length === 1 ? [await this.#single(some[0]!)] : await this.#many(some)));
    }
    return results;
  }

  async #single(call: RpcCall): Promise<unknown> {
    const request = this.#request(call);
    return this.#retried(async () => {
      const posted = await this.#post(request, call.method);
      return "failure" in posted ? posted : this.#read(posted.value, call.method, request.id);
    });
  }

  async #many(calls: readonly RpcCall[]): Promise<unknown[]> {
    const requests = calls.map((call) => this.#request(call));
    const where = `${calls[0]!.method} and ${calls.length - 1} more`;
    const answers = await this.#retried(() => this.#post(requests, where)).catch((error: unknown) => {
      // how a node without batches says so is its own affair
      if (error instanceof RpcError && error.code === "RPC_HTTP") return undefined;
      throw error;
    });
    if (!Array.isArray(answers)) {
      this.#batch = 1;
      return [await this.#single(calls[0]!)];
    }
    const byId = new Map(answers.map((answer) => [(answer as { id?: unknown } | null)?.id, answer]));
    const results: unknown[] = [];
    for (const [i, call] of calls.entries()) {
      const { id } = requests[i]!;
      const outcome = this.#read(byId.get(id), call.method, id);
      if (!("failure" in outcome)) results.push(outcome.value);
      else if (outcome.failure.retry === false) throw outcome.failure.error;
      // the node had no time for this one
      else results.push(await this.#single(call));
    }
    return results;
  }

  #request({ method, params }: RpcCall) {
    return { jsonrpc: "2.0" as const, id: ++this.#id, method, params };
  }

  async #retried(attempt: () => Promise<Outcome>): Promise<unknown> {
    const { signal, retries = RETRIES } = this.#options;
    for (let i = 0; ; i++) {
      signal?.throwIfAborted();
      const outcome = await attempt();
      if (!("failure" in outcome)) return outcome.value;
      const { error, retry } = outcome.failure;
      if (retry === false || i >= retries) throw error;
      await pause(Math.min(retry === true ? FIRST_DELAY * 2 ** i : retry, MAX_DELAY), signal);
    }
  }

  /** Sends a request and parses the JSON of the answer. */
  async #post(body: unknown, where: string): Promise<Outcome> {
    const { signal, timeout = TIMEOUT } = this.#options;
    const clock = AbortSignal.timeout(timeout);
    const fail = (code: RpcErrorCode, message: string, details: object, retry: Failure["retry"] = false): Outcome => ({
      failure: { error: new RpcError(message, { code, where: this.#at(where), ...details }), retry },
    });
    let text: string;
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: this.#headers,
        body: JSON.stringify(body),
        signal: signal === undefined ? clock : AbortSignal.any([signal, clock]),
        // headers with secrets are for this host only
        redirect: "manual",
      });
      if (!response.ok) {
        const { status } = response;
        const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
        const said = await this.#text(response, where);
        const got = `HTTP status ${status}${said === "" ? "" : `, ${this.#quote(said)}`}`;
        if (status === 401 || status === 403) return fail("RPC_DENIED", "the node does not allow it", { got });
        const retry = BUSY.has(status) && (seconds > 0 ? seconds * 1000 : true);
        return fail("RPC_HTTP", "the node refused", { expected: "HTTP status 200", got }, retry);
      }
      text = await this.#text(response, where);
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof RpcError) throw cause;
      if (clock.aborted) {
        // asked again it would take as long again
        return fail("RPC_TIMEOUT", "no answer in time", { expected: `an answer within ${timeout / 1000} s` });
      }
      return fail("RPC_CONNECTION", "the node cannot be reached", { got: this.#redacted(reasonOf(cause)) }, true);
    }
    try {
      return { value: JSON.parse(text) };
    } catch {
      return fail("RPC_MALFORMED", "not JSON", { expected: "a JSON-RPC answer", got: this.#quote(text) });
    }
  }

  async #text(response: Response, where: string): Promise<string> {
    const { maxBytes = MAX_BYTES } = this.#options;
    const decoder = new TextDecoder();
    let text = "";
    let size = 0;
    const reader = response.body?.getReader();
    while (reader !== undefined) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > maxBytes) {
        await reader.cancel();
        throw new RpcError("the answer is too large", {
          code: "RPC_TOO_LARGE",
          where: this.#at(where),
          expected: `at most ${maxBytes} bytes`,
        });
      }
      text += decoder.decode(value, { stream: true });
    }
    return text + decoder.decode();
  }

  #read(answer: unknown, method: string, id: number): Outcome {
    const fields = typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : {};
    const { error } = fields;
    if (typeof error === "object" && error !== null) return { failure: this.#errorOf(error, method) };
    if (fields.id !== id || !Object.hasOwn(fields, "result")) {
      const got = answer === undefined ? "nothing" : this.#quote(JSON.stringify(answer));
      throw new RpcError("not an answer of JSON-RPC", {
        code: "RPC_MALFORMED",
        where: this.#at(method),
        expected: "the result of the call",
        got,
      });
    }
    return { value: fields.result };
  }

  #errorOf(error: object, method: string): Failure {
    const { code, message } = error as { code?: unknown; message?: unknown };
    const text = typeof message === "string" ? message : JSON.stringify(error);
    const got = `${this.#quote(text)}${typeof code === "number" ? ` (${code})` : ""}`;
    const where = this.#at(method);
    const missing =
      METHOD_NOT_FOUND.has(code as number) ||
      /method .*(not (found|exist|supported|available|whitelisted|allowed)|does not exist|is not available)|unsupported method|tracer not found/i.test(
        text,
      );
    if (missing)
      return {
        error: new RpcError("the node does not have this method", { code: "RPC_METHOD", where, got }),
        retry: false,
      };
    if (
      /missing trie node|state .*(not available|unavailable|is pruned)|pruned|historical state|required historical|old data not available|distance to target block exceeds|BlockOutOfRange/i.test(
        text,
      )
    ) {
      return {
        error: new RpcError("the node does not have the state before the block", { code: "RPC_PRUNED", where, got }),
        retry: false,
      };
    }
    return {
      error: new RpcError("the node answered with an error", { code: "RPC_REFUSED", where, got }),
      retry: LIMIT_EXCEEDED.has(code as number),
    };
  }

  #at(where: string): string {
    return `${this.name}, ${where}`;
  }

  /** What a node said, fit for a message. */
  #quote(text: string): string {
    const line = this.#redacted(text).replace(/\s+/g, " ").trim();
    return JSON.stringify(line.length > 200 ? `${line.slice(0, 200)}…` : line);
  }

  #redacted(text: string): string {
    return this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, "…"), text);
  }
}

type Outcome = { readonly value: unknown } | { readonly failure: Failure };

/** What fetch failed with; Node hides the reason ("connect ECONNREFUSED …") behind "fetch failed". */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  // several addresses were tried
  const first = inner instanceof AggregateError ? inner.errors[0] : inner;
  return first instanceof Error ? first.message : String(first);
}

/** Waits, but not beyond the signal. */
function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
