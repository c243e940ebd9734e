/**
 * A feed from a coordinator: `GET /v1/feed?from=` and `GET /v1/blocks/:id/proof`. The coordinator may be anybody: answers are
 * bounded in size and time, redirects are not followed, and a proof that is not what its digest says is not handed on.
 *
 * @module
 */

import { z } from "zod";
import { proofDigest } from "./chain.js";
import { messageOf, NodeError } from "./errors.js";
import { BLOCKS_AT_ONCE, type Candidate, type Feed, MAX_PROOF_BYTES, type Poll } from "./feed.js";

/** Options of {@link HttpFeed}. */
export interface HttpFeedOptions {
  /** Address of the coordinator, `http:` or `https:`; a path in it is kept. */
  readonly url: string;
  /** Of the replica's chain; a feed of another one is refused. */
  readonly chainId: bigint;
  /** Most bytes of a proof; default 16 MiB. */
  readonly maxBytes?: number | undefined;
  /** Milliseconds that one answer may take until its last byte; default 30,000 for the list, ten times that for a proof. */
  readonly timeout?: number | undefined;
  /** Milliseconds over which an answer must come with at least 1 KiB a second; default 10,000. */
  readonly rateWindow?: number | undefined;
}

const TIMEOUT = 30_000;
const RATE_WINDOW = 10_000;
/** Bytes in a second. */
const MIN_RATE = 1024;
/** Proofs that are taken from one list. */
const MAX_CANDIDATES = 4 * BLOCKS_AT_ONCE;
/** The list of 256 blocks takes about 100 KiB. */
const MAX_LIST_BYTES = 1 << 20;

const number = z.int().min(0);
const listed = z.object({
  /** null: it has no blocks yet, and will take those of any chain. */
  chainId: z.union([z.int().min(0), z.string().regex(/^(?:0x[0-9a-f]{1,16}|\d{1,20})$/)]).nullable(),
  tip: number.nullable(),
  blocks: z.array(
    z.object({
      number,
      id: z.string().regex(/^[0-9a-f]{32}$/),
      proof: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .nullable(),
    }),
  ),
});

/** See the module. */
export class HttpFeed implements Feed {
  /** Scheme, host and port. */
  readonly name: string;
  readonly #base: string;
  readonly #authorization: string | undefined;
  readonly #chainId: bigint;
  readonly #maxBytes: number;
  readonly #timeout: number;
  readonly #rateWindow: number;

  /** @throws NodeError `FEED_UNAVAILABLE` for what is no address */
  constructor({ url, chainId, maxBytes = MAX_PROOF_BYTES, timeout = TIMEOUT, rateWindow }: HttpFeedOptions) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
      throw new NodeError("not the address of a coordinator", {
        code: "FEED_UNAVAILABLE",
        expected: "http://… or https://…",
        got: parsed === undefined ? "no URL" : `a URL of ${parsed.protocol}`,
      });
    }
    const { username, password } = parsed;
    if (username !== "" || password !== "") {
      const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
      this.#authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
    }
    this.name = parsed.origin;
    this.#base = `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
    this.#chainId = chainId;
    this.#maxBytes = maxBytes;
    this.#timeout = timeout;
    this.#rateWindow = rateWindow ?? RATE_WINDOW;
  }

  async poll(from: bigint, signal?: AbortSignal): Promise<Poll> {
    const path = `/v1/feed?from=${from}&limit=${BLOCKS_AT_ONCE}`;
    const body = await this.#get(path, MAX_LIST_BYTES, this.#timeout, signal);
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    } catch (cause) {
      throw this.#error("FEED_MALFORMED", path, "not JSON", { cause });
    }
    const { data, error } = listed.safeParse(value);
    if (data === undefined) {
      const [issue] = error.issues;
      const got = `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "something else"}`;
      throw this.#error("FEED_MALFORMED", path, "not a list of blocks", { got });
    }
    const chainId = data.chainId === null ? undefined : BigInt(data.chainId);
    if (chainId !== undefined && chainId !== this.#chainId) {
      throw this.#error("FEED_CHAIN", path, "the coordinator of another chain", {
        expected: `chain ${this.#chainId}`,
        got: `chain ${chainId}`,
      });
    }
    const candidates: Candidate[] = [];
    for (const block of data.blocks) {
      const of = BigInt(block.number);
      if (block.proof === null || of < from) continue;
      const { id, proof } = block;
      candidates.push({
        number: of,
        id: `${id} ${proof}`,
        digest: proof,
        fetch: (fetchSignal) => this.#fetch(id, proof, fetchSignal),
      });
    }
    candidates.sort((a, b) => (a.number < b.number ? -1 : a.number > b.number ? 1 : 0));
    // whoever can submit many blocks must not be able to make the list useless
    return {
      tip: data.tip === null ? undefined : BigInt(data.tip),
      candidates: candidates.slice(0, MAX_CANDIDATES),
    };
  }

  async #fetch(id: string, digest: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const path = `/v1/blocks/${id}/proof`;
    const bytes = await this.#get(path, this.#maxBytes, 10 * this.#timeout, signal);
    const got = proofDigest(bytes);
    if (got === digest) return bytes;
    throw this.#error("FEED_DIGEST", path, "another proof than was announced", { expected: digest, got });
  }

  #error(code: string, path: string, message: string, details: object = {}): NodeError {
    return new NodeError(message, { code, where: `${this.name}${path}`, ...details });
  }

  async #get(path: string, maxBytes: number, timeout: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const clock = AbortSignal.timeout(timeout);
    const slow = new AbortController();
    const signals = [clock, slow.signal];
    try {
      const response = await fetch(`${this.#base}${path}`, {
        headers: this.#authorization === undefined ? {} : { authorization: this.#authorization },
        redirect: "manual",
        signal: AbortSignal.any(signal === undefined ? signals : [signal, ...signals]),
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        const code = response.status === 404 ? "FEED_MISSING" : "FEED_UNAVAILABLE";
        throw this.#error(code, path, "the coordinator refused", {
          expected: "HTTP status 200",
          got: `HTTP status ${response.status}`,
        });
      }
      return await this.#body(response, path, maxBytes, slow);
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof NodeError) throw cause;
      if (slow.signal.aborted) {
        throw this.#error("FEED_TIMEOUT", path, "the answer comes too slowly", {
          expected: `${MIN_RATE} bytes a second`,
        });
      }
      if (clock.aborted) {
        throw this.#error("FEED_TIMEOUT", path, "no answer in time", { expected: `an answer within ${timeout} ms` });
      }
      // Node hides the reason behind "fetch failed"
      const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
      const first = inner instanceof AggregateError ? inner.errors[0] : inner;
      throw this.#error("FEED_UNAVAILABLE", path, "the coordinator cannot be reached", {
        got: messageOf(first),
        cause,
      });
    }
  }

  async #body(response: Response, path: string, maxBytes: number, slow: AbortController): Promise<Uint8Array> {
    let size = 0;
    let before = 0;
    const watch = setInterval(() => {
      if (size - before < (MIN_RATE * this.#rateWindow) / 1000) slow.abort();
      before = size;
    }, this.#rateWindow);
    try {
      return await this.#read(response, path, maxBytes, (more) => {
        size += more;
        return size;
      });
    } finally {
      clearInterval(watch);
    }
  }

  /** @param count told of bytes, gives those so far */
  async #read(
    response: Response,
    path: string,
    maxBytes: number,
    count: (more: number) => number,
  ): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    const reader = response.body?.getReader();
    while (reader !== undefined) {
      const { done, value } = await reader.read();
      if (done) break;
      if (count(value.length) > maxBytes) {
        await reader.cancel();
        throw this.#error("FEED_TOO_LARGE", path, "the answer is too large", { expected: `at most ${maxBytes} bytes` });
      }
      pieces.push(value);
    }
    return new Uint8Array(Buffer.concat(pieces));
  }
}
