/**
 * JSON-RPC 2.0 over HTTP, `POST /`: single calls and batches, both bounded. Only `application/json` is taken, which a page
 * of another origin cannot send without being asked for permission, and there is nobody here to give it.
 *
 * @module
 */

import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";
import { ChunkproofError } from "../../errors.js";
import { messageOf, NodeError } from "./errors.js";
import { RPC_CODE, RPC_METHODS, RpcFailure, type RpcSource } from "./rpc-methods.js";

/** Options of {@link startRpc}. */
export interface RpcServerOptions extends RpcSource {
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** 0: any that is free. */
  readonly port: number;
  /** Most calls in one request; default 100. */
  readonly maxBatch?: number | undefined;
  /** Most bytes of a request; default 1 MiB. */
  readonly maxRequestBytes?: number | undefined;
  /** Most bytes of results in one answer; default 32 MiB. */
  readonly maxResponseBytes?: number | undefined;
  /** Milliseconds that a client may take to send its request; default 10,000. */
  readonly timeout?: number | undefined;
  /** Most clients at a time; default 512. */
  readonly maxConnections?: number | undefined;
  /** Told of every call; `method` is `unknown` for one that does not exist. */
  readonly onCall?: ((method: string, result: "ok" | "error", milliseconds: number) => void) | undefined;
  /** Told of what should not have happened: the client gets an internal error. */
  readonly onError?: ((error: unknown, method: string) => void) | undefined;
}

/** A running server. */
export interface RpcServer {
  /** `http://127.0.0.1:8545`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Takes no more requests, and waits for those under way. */
  close(): Promise<void>;
}

const HOST = "127.0.0.1";
const MAX_BATCH = 100;
const MAX_REQUEST = 1 << 20;
const MAX_RESPONSE = 32 << 20;
const TIMEOUT = 10_000;
const MAX_CONNECTIONS = 512;
/** Milliseconds between looks for clients that take too long. */
const CHECK_INTERVAL = 5_000;
/** Milliseconds that an idle connection is kept. */
const KEEP_ALIVE = 30_000;
/** A request that is longer than that in brackets is none of ours. */
const MAX_METHOD = 100;

type Id = string | number | null;

/** The answer to one call, as text. */
type Answer = string;

const failure = (id: Id, code: number, message: string, data?: unknown): Answer =>
  JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } });

/** An id as JSON-RPC has it; undefined: not one. */
function idOf(value: unknown): Id | undefined {
  if (value === null || typeof value === "number") return value;
  return typeof value === "string" && value.length <= 1000 ? value : undefined;
}

/** Answers calls. */
class Dispatcher {
  readonly #options: RpcServerOptions;

  constructor(options: RpcServerOptions) {
    this.#options = options;
  }

  /** @returns undefined where nothing is to be answered */
  async answer(body: unknown): Promise<string | undefined> {
    if (!Array.isArray(body)) return this.#one(body);
    const { maxBatch = MAX_BATCH, maxResponseBytes = MAX_RESPONSE } = this.#options;
    if (body.length === 0) return failure(null, RPC_CODE.request, "empty batch");
    if (body.length > maxBatch) return failure(null, RPC_CODE.request, `more than ${maxBatch} calls in a batch`);
    const answers: Answer[] = [];
    let size = 0;
    for (const call of body) {
      if (size > maxResponseBytes) {
        const id = idOf((call as { id?: unknown } | null)?.id) ?? null;
        answers.push(failure(id, RPC_CODE.tooLarge, "response too large"));
        continue;
      }
      const answer = await this.#one(call);
      if (answer === undefined) continue;
      size += answer.length;
      answers.push(answer);
    }
    return answers.length === 0 ? undefined : `[${answers.join(",")}]`;
  }

  async #one(call: unknown): Promise<Answer | undefined> {
    if (typeof call !== "object" || call === null || Array.isArray(call)) {
      return failure(null, RPC_CODE.request, "invalid request");
    }
    const { jsonrpc, method, params = [] } = call as Record<string, unknown>;
    const isNotification = !Object.hasOwn(call, "id");
    const id = isNotification ? null : idOf((call as { id: unknown }).id);
    if (id === undefined || jsonrpc !== "2.0" || typeof method !== "string") {
      return failure(id ?? null, RPC_CODE.request, "invalid request");
    }
    const answer = await this.#call(id, method, params);
    return isNotification ? undefined : answer;
  }

  async #call(id: Id, method: string, params: unknown): Promise<Answer> {
    const { onCall, onError, maxResponseBytes = MAX_RESPONSE } = this.#options;
    const run = RPC_METHODS.get(method);
    const begun = performance.now();
    const told = (result: "ok" | "error") =>
      onCall?.(run === undefined ? "unknown" : method, result, performance.now() - begun);
    try {
      if (run === undefined) {
        const name = method.slice(0, MAX_METHOD);
        throw new RpcFailure(RPC_CODE.method, `the method ${name} does not exist/is not available`);
      }
      if (!Array.isArray(params)) throw new RpcFailure(RPC_CODE.params, "params must be an array");
      const answer = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(await run(this.#options, params))}}`;
      if (answer.length > maxResponseBytes) throw new RpcFailure(RPC_CODE.tooLarge, "response too large");
      told("ok");
      return answer;
    } catch (error) {
      told("error");
      if (error instanceof RpcFailure) return failure(id, error.code, error.message, error.data);
      onError?.(error, method);
      // what went wrong here is for the log; paths and the like are no business of clients
      const code = error instanceof ChunkproofError ? error.code : "INTERNAL";
      return failure(id, RPC_CODE.internal, "internal error", { code });
    }
  }
}

/** The application, for those who listen themselves. */
export function rpcApp(options: RpcServerOptions): FastifyInstance {
  const { maxRequestBytes = MAX_REQUEST, timeout = TIMEOUT } = options;
  const dispatcher = new Dispatcher(options);
  const app = Fastify({
    logger: false,
    bodyLimit: maxRequestBytes,
    requestTimeout: timeout,
    connectionTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE,
    forceCloseConnections: "idle",
    http: {
      headersTimeout: timeout,
      maxHeaderSize: 16 << 10,
      connectionsCheckingInterval: Math.min(timeout, CHECK_INTERVAL),
    },
  });
  app.server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => done(null, body));
  app.post("/", async (request, reply) => {
    reply.header("content-type", "application/json");
    let body: unknown;
    try {
      body = JSON.parse(request.body as string);
    } catch {
      return reply.send(failure(null, RPC_CODE.parse, "parse error"));
    }
    const answer = await dispatcher.answer(body);
    // a batch of notifications has no answer
    return answer === undefined ? reply.code(204).send() : reply.send(answer);
  });
  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .type("application/json")
      .send(failure(null, RPC_CODE.request, "POST / is all there is")),
  );
  app.setErrorHandler((error, _request, reply) => {
    const status = (error as { statusCode?: unknown }).statusCode;
    const known = typeof status === "number" && status >= 400 && status < 500;
    if (!known) options.onError?.(error, "unknown");
    return reply
      .code(known ? status : 500)
      .type("application/json")
      .send(failure(null, known ? RPC_CODE.request : RPC_CODE.internal, known ? messageOf(error) : "internal error"));
  });
  return app;
}

/** Starts a server. @throws NodeError `RPC_LISTEN` */
export async function startRpc(options: RpcServerOptions): Promise<RpcServer> {
  const { host = HOST, port } = options;
  const app = rpcApp(options);
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    throw new NodeError("cannot listen at this address", {
      code: "RPC_LISTEN",
      where: `${host}:${port}`,
      got: messageOf(cause),
      cause,
    });
  }
  const address = app.server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return { url: `http://${name}:${address.port}`, port: address.port, close: () => app.close() };
}
