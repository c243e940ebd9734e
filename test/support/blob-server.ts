/**
 * The blob API of a coordinator and nothing else, over a folder: for tests of stores. It can be told to misbehave.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { ChunkproofError } from "../../src/errors.js";
import { FolderStore, type FolderStoreOptions } from "../../src/network/store-folder.js";

/** What errors of a store are over HTTP. */
const STATUS: Record<string, number> = {
  STORE_BLOB_ID: 400,
  STORE_MISSING: 404,
  STORE_TOO_LARGE: 413,
  STORE_DIGEST: 422,
  STORE_FULL: 507,
};

/** Answers instead of the server; false: the server answers after all. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

/** See the module. */
export class BlobServer {
  readonly store: FolderStore;
  /** What was asked, `GET /v1/blobs/…`. */
  readonly requests: string[] = [];
  /** Connections that were opened. */
  connections = 0;
  /** Asked before anything else is done. */
  fault: Fault | undefined;
  readonly #token: string | undefined;
  readonly #server: Server;

  constructor(root: string, token?: string, options?: FolderStoreOptions) {
    this.store = new FolderStore(root, options);
    this.#token = token;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("connection", () => this.connections++);
  }

  /** @returns the address. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    try {
      if (await this.fault?.(request, response)) return;
      await this.#answer(request, response);
    } catch (error) {
      const code = error instanceof ChunkproofError ? error.code : "INTERNAL";
      if (response.headersSent) response.destroy();
      else refuse(response, STATUS[code] ?? 500, code);
      // what is still coming would stand in the way of the connection's next request
      request.resume();
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { authorization } = request.headers;
    if (this.#token !== undefined) {
      if (authorization === undefined) return refuse(response, 401, "UNAUTHORIZED");
      if (authorization !== `Bearer ${this.#token}`) return refuse(response, 403, "FORBIDDEN");
    }
    const digest = /^\/v1\/blobs\/([^/?]*)$/.exec(request.url ?? "")?.[1];
    if (digest === undefined) return refuse(response, 404, "NOT_FOUND");
    if (request.method === "PUT") {
      const { added } = await this.store.putStream(request, { expected: digest });
      response.writeHead(added ? 201 : 200).end();
    } else if (request.method === "HEAD") {
      const size = await this.store.size(digest);
      response.writeHead(size === undefined ? 404 : 200, size === undefined ? {} : { "content-length": size }).end();
    } else {
      const blob = await this.store.open(digest);
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": blob.size });
      await pipeline(blob.stream(), response);
    }
  }
}

/** Answers with an error. Not at once closed: the answer would be lost with what is still being sent. */
export function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: { code, message: "no" } }));
}
