/**
 * A coordinator's HTTP API, from the other side: submit a block, follow it, fetch its proof. Answers are bounded in size and
 * time, and their texts go to terminals, so control characters are left out.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { z } from "zod";
import { NetworkError } from "./errors.js";
import { digestOf, MAX_BLOB } from "./store.js";

/** Options of {@link CoordinatorClient}. */
export interface ClientOptions {
  readonly token?: string | undefined;
  /** Milliseconds in which nothing comes, until a request is given up. Default 30 s. */
  readonly timeout?: number | undefined;
  /** Milliseconds without any answer, until the coordinator counts as gone. Default 10 s; while following two minutes. */
  readonly patience?: number | undefined;
  /** Milliseconds before the first of the attempts that follow; doubles. Default 250. */
  readonly backoff?: number | undefined;
  /** Milliseconds between questions after a block whose events can't be had. Default 2 s. */
  readonly poll?: number | undefined;
}

/** Control characters, which could do things to a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
const line = (max: number) => z.string().transform((text) => text.replace(CONTROL, " ").slice(0, max));
const count = z.number().int().nonnegative();

const STATUS = z.object({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  number: count,
  hash: line(100),
  state: z.enum(["queued", "planning", "committing", "proving", "assembling", "proved", "failed", "cancelled"]),
  steps: count.nullish(),
  rows: count.nullish(),
  chunks: count,
  committed: count,
  proved: count,
  failure: z
    .object({
      code: line(64),
      message: line(4000),
      chunks: z.array(z.object({ chunk: count, code: line(64), message: line(1000) })).optional(),
    })
    .nullish(),
  work: z.object({ commits: count, proofs: count, repeated: count, refused: count }).optional(),
  workers: z.array(line(200)).max(10_000).optional(),
  proof: z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/), bytes: count }).nullish(),
});

/** How far a block is. */
export type BlockStatus = z.infer<typeof STATUS>;

const PROGRESS = STATUS.pick({ state: true, chunks: true, committed: true, proved: true }).extend({
  chunk: count.optional(),
  done: line(20).optional(),
  worker: line(200).optional(),
});

const NETWORK = z.object({
  version: line(100),
  protocol: line(100),
  keySet: z.string().regex(/^[0-9a-f]{64}$/),
  workers: z.array(z.object({ id: line(200) })).optional(),
});

/** What a coordinator says of its network. */
export type NetworkView = z.infer<typeof NETWORK>;

/** What happens to a block that is followed. */
export type Followed =
  | { readonly type: "status"; readonly status: BlockStatus }
  | { readonly type: "progress"; readonly progress: z.infer<typeof PROGRESS> }
  /** The connection broke; it is made again. */
  | { readonly type: "lost"; readonly error: NetworkError };

/** Whether nothing more happens to a block by itself. */
export const isFinal = ({ state }: Pick<BlockStatus, "state">): boolean =>
  state === "proved" || state === "failed" || state === "cancelled";

/** Longest answer that is JSON. A block of 2^16 chunks that all failed is longer, and then not worth more. */
const MAX_JSON = 1 << 24;
/** Longest event. */
const MAX_EVENT = 1 << 16;
/** The server is heard of every 15 s. */
const HEARTBEAT = 45_000;
const MAX_PAUSE = 5000;
/** Smaller bodies are sent as they are. */
const COMPRESS = 1 << 16;

interface Call {
  readonly method?: "GET" | "POST" | "HEAD";
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses that are no error. */
  readonly ok?: readonly number[];
  readonly signal: AbortSignal;
  /** Milliseconds of silence. */
  readonly silence?: number;
}

/** An answer whose body comes piece by piece. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  pieces(): AsyncGenerator<Uint8Array>;
}

/** See the module. */
export class CoordinatorClient {
  /** Without secrets. */
  readonly name: string;
  readonly #base: string;
  readonly #options: ClientOptions;
  readonly #timeout: number;
  readonly #backoff: number;

  /** @throws NetworkError `CONFIG_INVALID` */
  constructor(address: string, options: ClientOptions = {}) {
    const parsed = URL.canParse(address) ? new URL(address) : undefined;
    const { protocol, username, password, search, hash } = parsed ?? {};
    if (parsed === undefined || !/^https?:$/.test(protocol!) || `${username}${password}${search}${hash}` !== "") {
      throw new NetworkError("not the address of a coordinator", {
        code: "CONFIG_INVALID",
        where: "--coordinator",
        expected: "http://… or https://…, without user, password or query",
      });
    }
    this.#base = parsed.origin + parsed.pathname.replace(/\/+$/, "");
    this.name = this.#base;
    this.#options = options;
    this.#timeout = options.timeout ?? 30_000;
    this.#backoff = options.backoff ?? 250;
  }

  /**
   * Hands in a trace. The same trace twice is the same block.
   *
   * @throws NetworkError `COORDINATOR_UNAVAILABLE`, `BUSY`, what the coordinator has against it; `signal.reason`.
   */
  async submit(trace: Uint8Array, signal: AbortSignal): Promise<BlockStatus> {
    const compress = trace.length >= COMPRESS;
    const body = compress ? new Uint8Array(await promisify(gzip)(trace, { level: 1 })) : trace;
    const headers = {
      "content-type": "application/octet-stream",
      ...(compress ? { "content-encoding": "gzip" } : {}),
    };
    return this.#patiently(signal, () =>
      this.#json("/v1/blocks", STATUS, { method: "POST", body, headers, ok: [200, 202], signal }),
    );
  }

  /** @throws as {@link submit}; NetworkError `BLOCK_UNKNOWN`. */
  status(id: string, signal: AbortSignal): Promise<BlockStatus> {
    return this.#json(`/v1/blocks/${id}`, STATUS, { signal });
  }

  network(signal: AbortSignal): Promise<NetworkView> {
    return this.#json("/v1/network", NETWORK, { signal });
  }

  /** Whether the coordinator takes the token for what needs one. */
  async accepts(signal: AbortSignal): Promise<boolean> {
    return this.#call(
      `/v1/blobs/${"0".repeat(64)}`,
      { method: "HEAD", ok: [200, 401, 403, 404], signal },
      async (answer) => {
        return answer.status === 200 || answer.status === 404;
      },
    );
  }

  /**
   * One small request: how long it took, and how far the coordinator's clock is ahead of this one, in milliseconds. Its clock
   * is told in whole seconds.
   */
  async ping(signal: AbortSignal): Promise<{ readonly ms: number; readonly ahead: number | undefined }> {
    const started = Date.now();
    const date = await this.#call("/health", { signal }, async (answer) => answer.headers.get("date"));
    const ended = Date.now();
    const there = Date.parse(date ?? "");
    const ahead = Number.isNaN(there) ? undefined : there + 500 - (started + ended) / 2;
    return { ms: ended - started, ahead };
  }

  /** The proof of a block, compared with its digest. @throws as {@link status}; NetworkError `STORE_DIGEST`. */
  async proof({ id, proof }: BlockStatus, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#patiently(signal, () =>
      this.#call(`/v1/blocks/${id}/proof`, { signal }, (answer) => collect(answer.pieces(), MAX_BLOB)),
    );
    const got = digestOf(bytes);
    if (proof && got !== proof.digest) {
      const where = `${this.name}/v1/blocks/${id}/proof`;
      throw new NetworkError("not the bytes of this digest", {
        code: "STORE_DIGEST",
        where,
        expected: proof.digest,
        got,
      });
    }
    return bytes;
  }

  /**
   * Follows a block until it has ended; its last status comes last. Events that were missed are made up for by its status.
   *
   * @throws as {@link status}, for a coordinator that stays away `COORDINATOR_UNAVAILABLE`.
   */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<Followed> {
    const { patience = 120_000, poll = 2000 } = this.#options;
    let after: string | undefined;
    let contact = performance.now();
    for (let failures = 0; ; ) {
      try {
        await using events = await this.#events(id, after, signal);
        // asked after the events have begun: nothing can happen in between
        const status = await this.status(id, signal);
        contact = performance.now();
        failures = 0;
        yield { type: "status", status };
        if (isFinal(status)) return;
        // without events it is asked again and again
        if (events.error !== undefined) await sleep(poll, undefined, { signal });
        let ended = false;
        for await (const { id: seq, name, data } of events.stream) {
          contact = performance.now();
          after = seq ?? after;
          ended = name === "end";
          if (ended) break;
          const progress = PROGRESS.safeParse(data);
          if (progress.success) yield { type: "progress", progress: progress.data };
        }
        if (events.error !== undefined) continue;
        if (ended) {
          const last = await this.status(id, signal);
          yield { type: "status", status: last };
          if (isFinal(last)) return;
          continue;
        }
        throw unavailable(this.name, "the events ended before the block did");
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        if (performance.now() - contact > patience) throw error;
        failures++;
        yield { type: "lost", error };
        await sleep(this.#pause(failures), undefined, { signal });
      }
    }
  }

  /** The events of a block, or why they can't be had although the coordinator is there. */
  async #events(id: string, after: string | undefined, signal: AbortSignal) {
    const ending = new AbortController();
    const both = AbortSignal.any([signal, ending.signal]);
    const headers = { accept: "text/event-stream", ...(after === undefined ? {} : { "last-event-id": after }) };
    let open: (stream: AsyncGenerator<SentEvent>) => void = () => {};
    const opened = new Promise<AsyncGenerator<SentEvent>>((resolve) => {
      open = resolve;
    });
    const stopped = new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve()));
    const call = { headers, signal: both, silence: HEARTBEAT };
    // the request lasts until who follows is done with it
    const request = this.#call(`/v1/blocks/${id}/events`, call, async (answer) => {
      open(parseEvents(answer.pieces()));
      await stopped;
    });
    request.catch(() => {});
    const end = async () => {
      ending.abort();
      await request.catch(() => {});
    };
    try {
      const stream = await Promise.race([opened, request.then(() => opened)]);
      return { stream, error: undefined, [Symbol.asyncDispose]: end };
    } catch (error) {
      await end();
      if (!(error instanceof NetworkError) || error.code !== "BUSY") throw error;
      return { stream: nothing(), error, [Symbol.asyncDispose]: async () => {} };
    }
  }

  #pause(failures: number): number {
    return Math.min(MAX_PAUSE, this.#backoff * 2 ** Math.min(failures - 1, 20)) * (0.5 + Math.random() / 2);
  }

  /** Again and again while it may get better. */
  async #patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const patience = this.#options.patience ?? 10_000;
    const started = performance.now();
    for (let failures = 1; ; failures++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        const pause = this.#pause(failures);
        if (!isPassing(error) || performance.now() + pause - started > patience) throw error;
        await sleep(pause, undefined, { signal });
      }
    }
  }

  #json<T>(path: string, schema: z.ZodType<T>, call: Call): Promise<T> {
    return this.#call(path, call, async (answer) => {
      const bytes = await collect(answer.pieces(), MAX_JSON);
      try {
        return schema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
      } catch (cause) {
        throw new NetworkError("not the answer of a coordinator", {
          code: "COORDINATOR_MALFORMED",
          where: this.name + path,
          cause,
        });
      }
    });
  }

  async #call<T>(path: string, call: Call, use: (answer: Answer) => Promise<T>): Promise<T> {
    const { method = "GET", body, headers, ok = [200], signal, silence = this.#timeout } = call;
    signal.throwIfAborted();
    const { token } = this.#options;
    const where = this.name + path;
    const controller = new AbortController();
    const abort = () => controller.abort();
    signal.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(abort, silence);
    const guard = async <V>(work: Promise<V>): Promise<V> => {
      try {
        const value = await work;
        timer.refresh();
        return value;
      } catch (cause) {
        signal.throwIfAborted();
        throw unavailable(where, controller.signal.aborted ? `nothing for ${silence / 1000} s` : causeOf(cause), cause);
      }
    };
    async function* read(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
      const reader = stream?.getReader();
      if (reader === undefined) return;
      for (;;) {
        const { done, value } = await guard(reader.read());
        if (done) return;
        yield value;
      }
    }
    try {
      const response = await guard(
        fetch(this.#base + path, {
          method,
          headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
          redirect: "manual",
          signal: controller.signal,
          ...(body === undefined ? {} : { body: body as BodyInit }),
        }),
      );
      const pieces = () => read(response.body);
      if (!ok.includes(response.status)) throw await refusal(where, response.status, pieces());
      return await use({ status: response.status, headers: response.headers, pieces });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      controller.abort();
    }
  }
}

async function* nothing(): AsyncGenerator<never> {}

function unavailable(where: string, got: string, cause?: unknown): NetworkError {
  return new NetworkError("the coordinator does not answer", { code: "COORDINATOR_UNAVAILABLE", where, got, cause });
}

/** Whether it may be otherwise in a moment. */
const isPassing = (error: unknown): error is NetworkError =>
  error instanceof NetworkError && (error.code === "COORDINATOR_UNAVAILABLE" || error.code === "BUSY");

/** "fetch failed" says nothing; what is below it does. */
function causeOf(error: unknown): string {
  const inner = ((error as { cause?: unknown } | null)?.cause ?? error) as NodeJS.ErrnoException;
  return inner.code ?? inner.message;
}

async function collect(pieces: AsyncGenerator<Uint8Array>, max: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > max) {
      throw new NetworkError("an answer that is too large", {
        code: "COORDINATOR_MALFORMED",
        expected: `at most ${max} bytes`,
      });
    }
    parts.push(piece);
  }
  return new Uint8Array(Buffer.concat(parts));
}

const REFUSAL = z.object({
  error: z.object({
    code: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/),
    message: line(1000),
    where: line(200).optional(),
    expected: line(200).optional(),
    got: line(200).optional(),
  }),
});

/** What a status that is no success means. */
async function refusal(where: string, status: number, pieces: AsyncGenerator<Uint8Array>): Promise<NetworkError> {
  const text = await collect(pieces, MAX_EVENT).then(
    (bytes) => Buffer.from(bytes).toString("utf8"),
    () => "",
  );
  let said: z.infer<typeof REFUSAL>["error"] | undefined;
  try {
    said = REFUSAL.parse(JSON.parse(text)).error;
  } catch {
    // a proxy's page
  }
  const got = said === undefined ? `HTTP ${status}` : `HTTP ${status} ${said.code}`;
  if (status === 401) {
    return new NetworkError("the coordinator wants a token", {
      code: "UNAUTHORIZED",
      where,
      expected: "--token-file or CHUNKPROOF_TOKEN",
      got,
    });
  }
  if (status === 403) return new NetworkError("the coordinator refuses the token", { code: "FORBIDDEN", where, got });
  if (status === 429) return new NetworkError(said?.message ?? "the coordinator is busy", { code: "BUSY", where, got });
  if (status >= 500 && said?.code !== "STORE_FULL") return unavailable(where, got);
  if (said !== undefined) {
    // the message has the details already
    return Object.assign(new NetworkError(said.message, { code: said.code }), { where, got: said.got ?? got });
  }
  return new NetworkError("not an answer of a coordinator", { code: "COORDINATOR_MALFORMED", where, got });
}

/** One event. */
export interface SentEvent {
  readonly id: string | undefined;
  readonly name: string;
  /** JSON, or undefined. */
  readonly data: unknown;
}

/** Server-sent events. @throws NetworkError `COORDINATOR_MALFORMED` for one that is too long. */
export async function* parseEvents(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<SentEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let [id, name, data]: [string | undefined, string, string[]] = [undefined, "message", []];
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    const size = rest.length + data.reduce((sum, text) => sum + text.length, 0);
    if (size > MAX_EVENT) {
      throw new NetworkError("an event that is too long", {
        code: "COORDINATOR_MALFORMED",
        expected: `at most ${MAX_EVENT} characters`,
      });
    }
    for (const text of lines) {
      if (text === "") {
        if (data.length > 0) yield { id, name, data: jsonOf(data.join("\n")) };
        [name, data] = ["message", []];
        continue;
      }
      const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(text)!;
      if (field === "data") data.push(value);
      else if (field === "event") name = value;
      else if (field === "id" && /^[\x21-\x7e]{1,200}$/.test(value)) id = value;
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
