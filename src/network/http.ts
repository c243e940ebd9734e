/**
 * The coordinator's HTTP API. What costs something needs a token, and is refused before a byte of its body is read; what is
 * read is bounded in size and time. Whoever misbehaves gets a 4xx, and nobody else notices.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { ChunkproofError } from "../errors.js";
import type { BlobStore, Coordinator } from "./coordinator.js";
import { NetworkError } from "./errors.js";
import type { BlockEvent } from "./events.js";
import { tooLarge } from "./files.js";
import { isFinished } from "./registry.js";
import { assertDigest, type Digest, MAX_BLOB } from "./store.js";

/** Where the server says what it does; `pino` fits. */
export interface HttpLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What a server counts. */
export interface HttpHooks {
  /** An answer has ended. `route`: as it was declared, `none` if there is none; `status` 499: the client had gone. */
  readonly answered?: (method: string, route: string, status: number, seconds: number) => void;
  readonly inFlight?: (count: number) => void;
  /** Bytes of blobs and proofs that came and went. */
  readonly moved?: (direction: "in" | "out", bytes: number) => void;
}

/** Bounds of a server; times in milliseconds. */
export interface HttpLimits {
  /** Bytes of a trace, inflated. */
  readonly maxTrace: number;
  readonly maxBlob: number;
  /** Traces that are taken at the same time. */
  readonly maxUploads: number;
  readonly maxConnections: number;
  readonly maxRequestsPerSocket: number;
  /** Requests of one connection that are not answered yet; more, and it is cut off. */
  readonly maxPipelined: number;
  /** Clients that follow events. */
  readonly maxFollowers: number;
  /** To send the head of a request. */
  readonly headersTimeout: number;
  /** To send all of a request. */
  readonly requestTimeout: number;
  /** In which a connection may neither send nor take anything. */
  readonly connectionTimeout: number;
  /** Between two requests. */
  readonly keepAliveTimeout: number;
  /** In which a body must have brought some bytes: those of {@link minRate}. */
  readonly bodyTimeout: number;
  /** Bytes a second, below which a body counts as stalled. */
  readonly minRate: number;
  /** To send all of a trace, however fast it comes: there are few places for those. */
  readonly uploadTimeout: number;
  /** For a client to take in why its body is not wanted. */
  readonly linger: number;
  /** Between signs of life in a stream of events. */
  readonly heartbeat: number;
  /** For answers to end when the server closes. */
  readonly closeTimeout: number;
}

const LIMITS: HttpLimits = {
  maxTrace: 1 << 28,
  maxBlob: MAX_BLOB,
  maxUploads: 4,
  maxConnections: 1024,
  maxRequestsPerSocket: 10_000,
  maxPipelined: 8,
  maxFollowers: 256,
  headersTimeout: 10_000,
  requestTimeout: 3_600_000,
  connectionTimeout: 120_000,
  keepAliveTimeout: 60_000,
  bodyTimeout: 20_000,
  minRate: 1024,
  uploadTimeout: 600_000,
  linger: 1000,
  heartbeat: 15_000,
  closeTimeout: 5000,
};

/** Options of {@link buildServer}. */
export interface ServerOptions {
  readonly coordinator: Coordinator;
  readonly store: BlobStore;
  /** Any of them is good. */
  readonly tokens: readonly string[];
  readonly limits?: Partial<HttpLimits> | undefined;
  /** Origins whose pages may read what is public, `*`: all. Default none. */
  readonly cors?: readonly string[] | undefined;
  readonly log: HttpLog;
  readonly hooks?: HttpHooks | undefined;
  /** Adds routes: `/health`, `/ready`, `/metrics`. Those that are no GET need the token like all others. */
  readonly routes?: ((app: FastifyInstance) => void) | undefined;
}

/** A route, as it was declared. */
export interface RouteEntry {
  readonly method: string;
  readonly url: string;
  /** Whether it needs the token. */
  readonly secret: boolean;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** A GET that needs the token; everything else than GET and HEAD always does. */
    secret?: boolean;
  }
  interface FastifyInstance {
    /** All routes of the server. */
    routeTable: readonly RouteEntry[];
  }
}

/** Blocks in one answer. */
const MAX_PAGE = 256;
const DEFAULT_PAGE = 64;
/** Seconds after which a client that was refused for now should come back. */
const RETRY_AFTER = 5;

const STATUS: Readonly<Record<string, number>> = {
  TRACE_JSON: 400,
  REQUEST_MALFORMED: 400,
  STORE_BLOB_ID: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  BLOCK_UNKNOWN: 404,
  NOT_FOUND: 404,
  STORE_MISSING: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  BLOCK_STATE: 409,
  NETWORK_KEYS: 409,
  STORE_TOO_LARGE: 413,
  MEDIA_TYPE: 415,
  BLOCK_CHAIN: 422,
  BLOCK_NUMBER: 422,
  STORE_DIGEST: 422,
  BUSY: 429,
  INTERNAL: 500,
  EXECUTOR_LOST: 503,
  QUEUE_CLOSED: 503,
  QUEUE_UNAVAILABLE: 503,
  STORE_UNAVAILABLE: 503,
  STORE_FULL: 507,
};

/** Codes of errors that have a status and nothing else. */
const CODES: Readonly<Record<number, string>> = {
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  408: "REQUEST_TIMEOUT",
  413: "STORE_TOO_LARGE",
  415: "MEDIA_TYPE",
};

interface Answer {
  readonly status: number;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly where?: string | undefined;
    readonly expected?: string | undefined;
    readonly got?: string | undefined;
  };
}

/** What a client is told of an error. */
function answerOf(thrown: unknown): Answer {
  const error = thrown as Partial<FastifyError> & NodeJS.ErrnoException;
  if (thrown instanceof ChunkproofError) {
    // what is no error of the network is one of the trace
    const status = STATUS[thrown.code] ?? (thrown instanceof NetworkError ? 500 : 422);
    // the rest is about this machine
    if (status >= 500) return { status, error: { code: thrown.code, message: "not possible now" } };
    const { code, where, expected, got, message } = thrown;
    // where blobs are kept is nobody's business
    if (code.startsWith("STORE_") && where !== undefined) {
      return { status, error: { code, message: message.replace(`${where}: `, ""), expected, got } };
    }
    return { status, error: { code, message, where, expected, got } };
  }
  if (typeof error?.code === "string" && error.code.startsWith("Z_")) {
    return { status: 400, error: { code: "REQUEST_MALFORMED", message: "the body is not gzip, or not all of it" } };
  }
  const status = error?.statusCode ?? 500;
  if (status < 400 || status >= 500) return { status: 500, error: { code: "INTERNAL", message: "internal error" } };
  return { status, error: { code: CODES[status] ?? "REQUEST_MALFORMED", message: error.message ?? "refused" } };
}

const refuse = (code: string, message: string, details: { where?: string; expected?: string; got?: string } = {}) =>
  new NetworkError(message, { code, ...details });

const isSafe = (method: string): boolean => method === "GET" || method === "HEAD";

/** The server, not listening yet. Closing it ends streams of events at once, and other answers within a bound. */
export function buildServer(options: ServerOptions): FastifyInstance {
  return new Api(options).app;
}

class Api {
  readonly app: FastifyInstance;
  readonly #coordinator: Coordinator;
  readonly #store: BlobStore;
  readonly #limits: HttpLimits;
  readonly #log: HttpLog;
  readonly #hooks: HttpHooks;
  readonly #tokens: readonly Buffer[];
  readonly #origins: ReadonlySet<string>;
  /** Requests whose clients wait to be told that their bodies are wanted. */
  readonly #waiting = new WeakSet<IncomingMessage>();
  /** Connections on which nothing more can be understood, while something is still to be answered. */
  readonly #broken = new WeakSet<Socket>();
  /** Answers that are due on a connection, in their order. */
  readonly #due = new WeakMap<Socket, Set<ServerResponse>>();
  readonly #closing = new AbortController();
  /** Bodies that are being read. */
  readonly #receiving = new Set<AbortController>();
  #uploads = 0;
  #followers = 0;
  #inFlight = 0;

  constructor(options: ServerOptions) {
    this.#coordinator = options.coordinator;
    this.#store = options.store;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#log = options.log;
    this.#hooks = options.hooks ?? {};
    this.#origins = new Set(options.cors);
    if (options.tokens.length === 0 || options.tokens.includes("")) {
      throw refuse("CONFIG_INVALID", "a server needs a token", { where: "token" });
    }
    this.#tokens = options.tokens.map(hashOf);
    // all who follow listen to it
    setMaxListeners(0, this.#closing.signal);
    this.app = this.#build();
    this.#addHooks();
    this.#addRoutes();
    options.routes?.(this.app);
  }

  #build(): FastifyInstance {
    const limits = this.#limits;
    const app = fastify({
      logger: false,
      connectionTimeout: limits.connectionTimeout,
      keepAliveTimeout: limits.keepAliveTimeout,
      requestTimeout: limits.requestTimeout,
      routerOptions: { maxParamLength: 256 },
      // no default for errors of the router: it says more than it should
      frameworkErrors: (error, _request, reply) => {
        void this.#sendError(reply as FastifyReply, error);
      },
      clientErrorHandler: (error, socket) => this.#onClientError(error, socket),
      http: {
        headersTimeout: limits.headersTimeout,
        connectionsCheckingInterval: Math.max(50, Math.min(1000, limits.headersTimeout / 4)),
        maxHeaderSize: 16_384,
      },
    });
    app.server.maxConnections = limits.maxConnections;
    app.server.maxRequestsPerSocket = limits.maxRequestsPerSocket;
    // a body is asked for only when somebody is going to read it
    app.server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      this.#waiting.add(request);
      app.server.emit("request", request, response);
    });
    // bodies are read by those who know what they may be
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _payload, done) => done(null));
    return app;
  }

  #addHooks(): void {
    const { app } = this;
    const table: RouteEntry[] = [];
    app.decorate("routeTable", table);
    app.addHook("onRoute", ({ method, url, config }) => {
      for (const name of [method].flat()) {
        table.push({ method: name, url, secret: !isSafe(name) || config?.secret === true });
      }
    });
    app.addHook("onRequest", async (request, reply) => {
      if (!this.#admit(request.raw.socket, reply.raw)) {
        reply.hijack();
        return;
      }
      this.#count(request, reply.raw);
      if (request.is404) return;
      const secret = !isSafe(request.method) || request.routeOptions.config.secret === true;
      if (secret) this.#authorize(request);
      else this.#allowOrigin(request, reply);
    });
    app.addHook("onSend", async (request, reply) => {
      reply.header("x-content-type-options", "nosniff");
      // a client that was not told to go on sends no body, or only after a while
      if (this.#waiting.has(request.raw)) reply.header("connection", "close");
    });
    app.addHook("onResponse", async ({ raw }) => this.#lingerFor(raw));
    app.addHook("preClose", async () => {
      const reason = refuse("QUEUE_CLOSED", "the coordinator ends");
      this.#closing.abort(reason);
      for (const stop of this.#receiving) stop.abort(reason);
      setTimeout(() => app.server.closeAllConnections(), this.#limits.closeTimeout).unref();
    });
    app.setErrorHandler((error, _request, reply) => this.#sendError(reply, error));
    app.setNotFoundHandler((request, reply) => {
      const path = request.url.split("?", 1)[0]!;
      const methods = new Set(table.filter(({ url }) => patternOf(url).test(path)).map(({ method }) => method));
      if (methods.size === 0) throw refuse("NOT_FOUND", "no such address");
      reply.header("allow", [...methods].sort().join(", "));
      throw refuse("METHOD_NOT_ALLOWED", "not done with this address", {
        expected: [...methods].sort().join(", "),
        got: request.method,
      });
    });
  }

  #addRoutes(): void {
    const { app } = this;
    const secret = { config: { secret: true } };
    type WithId = { Params: { id: string } };
    app.post("/v1/blocks", (request, reply) => this.#submit(request, reply));
    app.get("/v1/blocks", async ({ query }) => ({
      blocks: this.#coordinator.list({
        limit: numberIn(query, "limit", MAX_PAGE) ?? DEFAULT_PAGE,
        before: numberIn(query, "before"),
      }),
    }));
    app.get<WithId>("/v1/blocks/:id", async ({ params }) => this.#coordinator.status(params.id));
    app.delete<WithId>("/v1/blocks/:id", async (request) => {
      expectNoBody(request.raw);
      return this.#coordinator.cancel(request.params.id);
    });
    app.post<WithId>("/v1/blocks/:id/retry", async (request, reply) => {
      expectNoBody(request.raw);
      return reply.code(202).send(await this.#coordinator.retry(request.params.id));
    });
    app.get<WithId>("/v1/blocks/:id/proof", (request, reply) => this.#proof(request, reply, request.params.id));
    app.get<WithId>("/v1/blocks/:id/events", { exposeHeadRoute: false }, (request, reply) => {
      this.#coordinator.progress(request.params.id);
      return this.#follow(request, reply, request.params.id);
    });
    app.get("/v1/events", { exposeHeadRoute: false }, (request, reply) => this.#follow(request, reply));
    app.get("/v1/feed", async ({ query }, reply) => {
      reply.header("cache-control", "no-cache");
      return this.#coordinator.feed(numberIn(query, "from") ?? 0, numberIn(query, "limit", MAX_PAGE) ?? DEFAULT_PAGE);
    });
    app.get("/v1/network", async (request) => {
      const network = await this.#coordinator.network();
      if (this.#isAuthorized(request) === "yes") return network;
      // which machines there are is nobody's business
      return { ...network, workers: network.workers.map(({ host: _host, pid: _pid, ...worker }) => worker) };
    });
    app.get<WithId>("/v1/blobs/:id", { ...secret, exposeHeadRoute: false }, async ({ params }, reply) => {
      assertDigest(params.id);
      return this.#sendBlob(reply, params.id);
    });
    app.head<WithId>("/v1/blobs/:id", secret, async ({ params }, reply) => {
      assertDigest(params.id);
      const size = await this.#store.size(params.id);
      if (size === undefined) throw refuse("STORE_MISSING", "no such blob", { where: params.id });
      return reply.headers({ "content-length": size, "content-type": "application/octet-stream" }).send();
    });
    app.put<WithId>("/v1/blobs/:id", (request, reply) => this.#putBlob(request, reply, request.params.id));
  }

  // ---- who asks

  #isAuthorized({ headers }: FastifyRequest): "yes" | "no" | "wrong" {
    const token = /^bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
    if (token === undefined) return "no";
    const hash = hashOf(token);
    // all of them, so that time says nothing
    const matches = this.#tokens.filter((known) => timingSafeEqual(known, hash));
    return matches.length > 0 ? "yes" : "wrong";
  }

  #authorize(request: FastifyRequest): void {
    const authorized = this.#isAuthorized(request);
    if (authorized === "no") throw refuse("UNAUTHORIZED", "a bearer token is needed");
    if (authorized === "wrong") throw refuse("FORBIDDEN", "the token is not accepted");
  }

  /** Pages of other origins may read what anybody may read, if the operator says so. */
  #allowOrigin({ headers }: FastifyRequest, reply: FastifyReply): void {
    if (this.#origins.size === 0) return;
    reply.header("vary", "origin");
    const { origin } = headers;
    if (origin === undefined || !(this.#origins.has(origin) || this.#origins.has("*"))) return;
    reply.header("access-control-allow-origin", origin).header("access-control-expose-headers", "etag");
  }

  /** Bounds what one connection may ask for before it takes the answers. */
  #admit(socket: Socket, response: ServerResponse): boolean {
    // requests that came together come one after the other, even if the connection is cut off between them
    if (socket.destroyed) return false;
    let due = this.#due.get(socket);
    if (due === undefined) {
      const all = new Set<ServerResponse>();
      due = all;
      this.#due.set(socket, due);
      // Node tells only the answer whose turn it is that its connection is gone; things of the others would stay for ever
      socket.once("close", () => {
        for (const waiting of [...all].filter((one) => one.socket === null)) {
          waiting.destroy();
          waiting.emit("close");
        }
      });
    }
    if (due.size >= this.#limits.maxPipelined) {
      socket.destroy();
      return false;
    }
    due.add(response);
    response.once("close", () => due.delete(response));
    return true;
  }

  /** Waits until the answers before this one are given. Returns whether there still is somebody to answer. */
  async #turn(socket: Socket, response: ServerResponse): Promise<boolean> {
    const due = this.#due.get(socket);
    while (due?.has(response)) {
      const all = [...due];
      const before = all[all.indexOf(response) - 1];
      if (before === undefined) return true;
      await new Promise((resolve) => before.once("close", resolve));
    }
    return false;
  }

  #count(request: FastifyRequest, response: ServerResponse): void {
    const started = performance.now();
    this.#hooks.inFlight?.(++this.#inFlight);
    response.once("close", () => {
      this.#hooks.inFlight?.(--this.#inFlight);
      const status = response.writableFinished ? response.statusCode : 499;
      const route = request.routeOptions.url ?? "none";
      const seconds = (performance.now() - started) / 1000;
      this.#hooks.answered?.(request.method, route, status, seconds);
      this.#log.debug({ method: request.method, route, status, ms: Math.round(seconds * 1000) }, "answered");
    });
  }

  // ---- bodies

  async #submit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { headers, raw } = request;
    const type = (headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase();
    if (type !== "application/json" && type !== "application/octet-stream") {
      const expected = "application/json or application/octet-stream";
      throw refuse("MEDIA_TYPE", "not a trace", { where: "content-type", expected });
    }
    const encoding = (headers["content-encoding"] ?? "identity").trim().toLowerCase();
    if (encoding !== "identity" && encoding !== "gzip") {
      throw refuse("MEDIA_TYPE", "not an encoding that is known here", { where: "content-encoding", expected: "gzip" });
    }
    if (this.#uploads >= this.#limits.maxUploads) {
      throw refuse("BUSY", "too many traces at the same time", { expected: `at most ${this.#limits.maxUploads}` });
    }
    this.#uploads++;
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort(refuse("REQUEST_MALFORMED", "the client has gone")));
    try {
      const { maxTrace, uploadTimeout } = this.#limits;
      const decode = encoding === "gzip" ? inflate : undefined;
      const stored = await this.#receive(reply, maxTrace, { decode, within: uploadTimeout });
      // nothing moves while the trace is read
      raw.socket.setTimeout(0);
      const { status, created } = await this.#coordinator.submit(stored, gone.signal).finally(() => {
        raw.socket.setTimeout(this.#limits.connectionTimeout);
      });
      return reply
        .code(created ? 202 : 200)
        .header("location", `/v1/blocks/${status.id}`)
        .send(status);
    } finally {
      this.#uploads--;
    }
  }

  async #putBlob({ headers }: FastifyRequest, reply: FastifyReply, id: string): Promise<FastifyReply> {
    assertDigest(id);
    if (!["identity", undefined].includes(headers["content-encoding"])) {
      throw refuse("MEDIA_TYPE", "blobs are sent as they are", { where: "content-encoding", expected: "none" });
    }
    const { digest, size, added } = await this.#receive(reply, this.#limits.maxBlob, { expected: id });
    return reply.code(added ? 201 : 200).send({ digest, bytes: size });
  }

  /** Reads a body into the store. @throws NetworkError `REQUEST_TIMEOUT`, `STORE_*` */
  async #receive(
    reply: FastifyReply,
    max: number,
    {
      decode,
      expected,
      within,
    }: { decode?: ((raw: Readable) => Readable) | undefined; expected?: Digest; within?: number },
  ) {
    const { raw } = reply.request;
    const declared = Number(raw.headers["content-length"] ?? 0);
    if (declared > max) throw tooLarge("body", max, declared);
    if (this.#waiting.delete(raw)) reply.raw.writeContinue();
    const stop = new AbortController();
    const watch = this.#watch(raw, stop);
    const timer =
      within === undefined
        ? undefined
        : setTimeout(() => {
            stop.abort(refuse("REQUEST_TIMEOUT", "the body takes too long", { expected: `${within} ms at most` }));
          }, within).unref();
    this.#receiving.add(stop);
    const body = decode === undefined ? raw : decode(raw);
    try {
      const stored = await this.#store.putStream(body, { max, expected, signal: stop.signal });
      this.#hooks.moved?.("in", stored.size);
      return stored;
    } finally {
      clearInterval(watch);
      clearTimeout(timer);
      this.#receiving.delete(stop);
      if (body !== raw) body.destroy();
    }
  }

  /** Looks whether a body comes fast enough. Time in which it is the disk that is slow does not count. */
  #watch(raw: IncomingMessage, stop: AbortController): NodeJS.Timeout {
    const { bodyTimeout, minRate } = this.#limits;
    const { socket } = raw;
    const enough = Math.max(1, (minRate * bodyTimeout) / 1000);
    let [since, before] = [performance.now(), socket.bytesRead];
    const look = () => {
      const now = performance.now();
      if (raw.complete || raw.readableLength > 0 || socket.bytesRead - before >= enough) {
        [since, before] = [now, socket.bytesRead];
      } else if (now - since >= bodyTimeout) {
        stop.abort(refuse("REQUEST_TIMEOUT", "the body comes too slowly", { expected: `${minRate} bytes a second` }));
      }
    };
    return setInterval(look, Math.max(10, bodyTimeout / 10)).unref();
  }

  /** Of a body that nobody wanted the rest is thrown away, for a moment: a client that is cut off does not see the answer. */
  #lingerFor(raw: IncomingMessage): void {
    if (raw.complete) return;
    const timer = setTimeout(() => raw.socket.destroy(), this.#limits.linger);
    timer.unref();
    raw.once("end", () => clearTimeout(timer));
    raw.once("close", () => clearTimeout(timer));
  }

  // ---- answers

  async #proof({ headers }: FastifyRequest, reply: FastifyReply, id: string): Promise<FastifyReply> {
    const { state, proof } = this.#coordinator.status(id);
    if (proof === undefined) throw refuse("NOT_FOUND", "the block is not proved", { expected: "proved", got: state });
    reply.header("etag", `"${proof.digest}"`).header("cache-control", "no-cache");
    if (headers["if-none-match"] === `"${proof.digest}"`) return reply.code(304).send();
    return this.#sendBlob(reply, proof.digest);
  }

  async #sendBlob(reply: FastifyReply, digest: Digest): Promise<FastifyReply> {
    const { raw, request } = reply;
    // what waits behind other answers holds no file
    if (!(await this.#turn(request.raw.socket, raw))) return reply.hijack();
    const blob = await this.#store.open(digest);
    if (raw.destroyed) {
      await blob.close();
      return reply.hijack();
    }
    reply.headers({ "content-length": blob.size, "content-type": "application/octet-stream" });
    this.#hooks.moved?.("out", blob.size);
    const stream = blob.stream();
    raw.once("close", () => stream.destroy());
    return reply.send(stream);
  }

  #sendError(reply: FastifyReply, thrown: unknown): FastifyReply {
    let { status, error } = answerOf(thrown);
    // a blob that was damaged here is not the fault of who asks for it
    if (error.code === "STORE_DIGEST" && isSafe(reply.request.method)) status = 500;
    if (status >= 500 && !reply.raw.destroyed) {
      const { method } = reply.request;
      this.#log.error({ method, route: reply.request.routeOptions?.url, err: thrown }, "could not answer");
      error = { code: error.code, message: error.message };
    }
    if (status === 401) reply.header("www-authenticate", "Bearer");
    if (status === 429 || status === 503) reply.header("retry-after", String(RETRY_AFTER));
    reply.removeHeader("etag");
    return reply.code(status).header("content-type", "application/json; charset=utf-8").send(JSON.stringify({ error }));
  }

  /** Of what is no HTTP, or does not come to its end. */
  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    // told already
    if (socket.writableEnded || this.#broken.has(socket)) return;
    const { _httpMessage: answering } = socket as { _httpMessage?: ServerResponse | null };
    // what comes behind a whole request is not about that one, and is answered after it
    if (answering?.req.complete) {
      this.#broken.add(socket);
      answering.once("finish", () => {
        this.#broken.delete(socket);
        this.#onClientError(error, socket);
      });
      return;
    }
    if (error.code === "ECONNRESET" || !socket.writable || answering?.headersSent) {
      socket.destroy();
      return;
    }
    const [status, reason, code] =
      error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "Request Timeout", "REQUEST_TIMEOUT"]
        : error.code === "HPE_HEADER_OVERFLOW"
          ? [431, "Request Header Fields Too Large", "REQUEST_MALFORMED"]
          : [400, "Bad Request", "REQUEST_MALFORMED"];
    const body = JSON.stringify({ error: { code, message: reason } });
    const head = `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`;
    socket.end(`${head}connection: close\r\n\r\n${body}`);
    const timer = setTimeout(() => socket.destroy(), this.#limits.linger);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
  }

  // ---- events

  async #follow(request: FastifyRequest, reply: FastifyReply, block?: string): Promise<FastifyReply> {
    if (this.#followers >= this.#limits.maxFollowers) {
      throw refuse("BUSY", "too many follow", { expected: `at most ${this.#limits.maxFollowers}` });
    }
    const last = request.headers["last-event-id"];
    const after = typeof last === "string" ? last : undefined;
    const { raw } = reply;
    const events = this.#coordinator.events({
      ...{ block, after, signal: this.#closing.signal },
      // who does not take what there is may come back; it is not waited for
      onOverflow: () => request.raw.socket.destroy(),
    });
    reply.hijack();
    raw.once("close", () => events.close());
    if (raw.destroyed) events.close();
    // who has gone can not be told anything
    raw.on("error", () => raw.destroy());
    const write = (text: string): boolean => raw.destroyed || raw.write(text);
    this.#followers++;
    let heartbeat: NodeJS.Timeout | undefined;
    try {
      raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "x-content-type-options": "nosniff",
      });
      write("retry: 3000\n\n");
      heartbeat = setInterval(() => {
        if (!raw.writableNeedDrain) write(":\n\n");
      }, this.#limits.heartbeat).unref();
      if (block !== undefined) {
        const progress = this.#coordinator.progress(block);
        const ended = isFinished(progress);
        if (!events.resumed || ended) write(eventText("state", progress));
        if (ended) {
          write(eventText("end", progress));
          return reply;
        }
      }
      for await (const event of events) {
        if (!write(eventText(event.type, event.data, event.seq))) await drained(raw);
        if (block !== undefined && event.type === "end") break;
      }
    } catch (error) {
      if (!(error instanceof NetworkError && error.code === "BUSY")) throw error;
      this.#log.debug({ block }, "a client that follows is too slow");
    } finally {
      clearInterval(heartbeat);
      this.#followers--;
      events.close();
      raw.end();
    }
    return reply;
  }
}

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

/** Paths that a route stands for. */
function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/:[a-z]+/g, "[^/]+")}$`);
}

/** A number of the query. @throws NetworkError `REQUEST_MALFORMED` */
function numberIn(query: unknown, name: string, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = (query as Readonly<Record<string, unknown>>)[name];
  if (value === undefined) return undefined;
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  // a page of nothing leads nowhere
  if (number <= max && (number > 0 || max > MAX_PAGE)) return number;
  throw refuse("REQUEST_MALFORMED", "not a number in range", { where: name, expected: `at most ${max}` });
}

/** @throws NetworkError `REQUEST_MALFORMED` */
function expectNoBody({ headers }: IncomingMessage): void {
  if (headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0) return;
  throw refuse("REQUEST_MALFORMED", "has a body", { expected: "none" });
}

/** What comes out of a body of gzip; how much that is, is for who reads it to say. */
function inflate(raw: Readable): Readable {
  const gunzip = createGunzip();
  raw.once("error", (error) => gunzip.destroy(error));
  raw.pipe(gunzip);
  return gunzip;
}

function eventText(type: BlockEvent["type"], data: object, seq?: string): string {
  return `${seq === undefined ? "" : `id: ${seq}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Until there is room again, or nobody to take anything. */
function drained(raw: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (raw.destroyed) return resolve();
    const done = () => {
      raw.off("drain", done);
      raw.off("close", done);
      resolve();
    };
    raw.once("drain", done);
    raw.once("close", done);
  });
}
