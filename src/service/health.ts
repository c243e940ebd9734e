/**
 * What orchestrators and Prometheus ask a service: `/health`, `/ready`, `/metrics`. They are asked without a token, so they say
 * little.
 *
 * @module
 */

import { type FastifyInstance, type FastifyReply, fastify } from "fastify";
import { NetworkError } from "../network/errors.js";
import { VERSION } from "../version.js";
import type { ServiceMetrics } from "./metrics.js";

/** Host and port. */
export interface Address {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
}

/** What {@link healthRoutes} answers with. */
export interface HealthOptions {
  /** Its name. */
  readonly service: string;
  /** Why the service can't do its work now, without secrets; nothing: it can. */
  readonly ready: () => readonly string[] | Promise<readonly string[]>;
  readonly metrics: Pick<ServiceMetrics, "scrape" | "contentType">;
}

/** Longest that a service may think about whether it is ready, milliseconds. */
const READY_TIMEOUT = 3000;

async function reasons(ready: HealthOptions["ready"]): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve([`no answer within ${READY_TIMEOUT / 1000} s`]), READY_TIMEOUT);
    timer.unref();
  });
  try {
    return await Promise.race([late, (async () => ready())()]);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  } finally {
    clearTimeout(timer);
  }
}

/** One at a time: who asks meanwhile gets the same answer. */
function shared<T>(compute: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= compute().finally(() => {
      running = undefined;
    });
    return running;
  };
}

/**
 * Adds the three routes. `/health`: the process is alive, and its event loop turns; `/ready`: 200, or 503 with reasons;
 * `/metrics`: text for Prometheus.
 */
export function healthRoutes(app: FastifyInstance, { service, ready, metrics }: HealthOptions): void {
  const asked = shared(() => reasons(ready));
  const scrape = shared(async () => metrics.scrape());
  app.get("/health", async () => ({
    status: "alive",
    service,
    version: VERSION,
    uptime: Math.round(process.uptime()),
  }));
  app.get("/ready", async (_request, reply) => {
    const why = await asked();
    return reply.code(why.length === 0 ? 200 : 503).send({ ready: why.length === 0, reasons: why });
  });
  app.get("/metrics", async (_request, reply) => {
    const text = await scrape();
    return reply.header("content-type", metrics.contentType).send(text);
  });
}

/** An address as people write it. */
export const addressText = ({ host, port }: Address): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** A server with the three routes and nothing else, for services that have no HTTP of their own. */
export class HealthServer {
  readonly #app: FastifyInstance;
  /** Where it listens. */
  readonly address: Address;

  private constructor(app: FastifyInstance, address: Address) {
    this.#app = app;
    this.address = address;
  }

  /** @throws NetworkError `CONFIG_INVALID` for an address that can't be listened on. */
  static async start(address: Address, options: HealthOptions): Promise<HealthServer> {
    const failed = (error: { readonly statusCode?: number }, _request: unknown, reply: Pick<FastifyReply, "code">) => {
      const status = error.statusCode ?? 500;
      const details =
        status < 500 ? { code: "BAD_REQUEST", message: "refused" } : { code: "INTERNAL", message: "failed" };
      void reply.code(status).send({ error: details });
    };
    const app = fastify({
      logger: false,
      frameworkErrors: failed,
      bodyLimit: 1024,
      connectionTimeout: 10_000,
      requestTimeout: 5000,
      keepAliveTimeout: 10_000,
      // those that are waiting for their next request must not keep the service from ending
      forceCloseConnections: true,
      routerOptions: { maxParamLength: 64 },
      http: { maxHeaderSize: 8192, headersTimeout: 5000, connectionsCheckingInterval: 1000 },
    });
    app.server.maxConnections = 64;
    app.server.maxRequestsPerSocket = 1000;
    app.setNotFoundHandler((_request, reply) => {
      void reply.code(404).send({ error: { code: "NOT_FOUND", message: "no such address" } });
    });
    app.setErrorHandler(failed);
    healthRoutes(app, options);
    try {
      await app.listen({ host: address.host, port: address.port });
    } catch (error) {
      await app.close();
      throw cannotListen(address, error);
    }
    const bound = app.server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
    return new HealthServer(app, { host: address.host, port });
  }

  /** Ends at once: nobody waits for an answer of it. */
  async close(): Promise<void> {
    await this.#app.close();
  }
}

/** The error of an address that can't be listened on: taken, not this machine's, or not allowed. */
export function cannotListen(address: Address, cause: unknown): NetworkError {
  return new NetworkError("cannot listen", {
    code: "CONFIG_INVALID",
    where: addressText(address),
    expected: "a free port of this machine",
    got: cause instanceof Error ? cause.message : String(cause),
    cause,
  });
}
