import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { describe, expect, test, vi } from "vitest";
import { CoordinatorClient, type Followed } from "../../../src/network/client.js";
import type { Coordinator, CoordinatorOptions } from "../../../src/network/coordinator.js";
import { NetworkError } from "../../../src/network/errors.js";
import { EventHub, type Progress, type SubscribeOptions } from "../../../src/network/events.js";
import { buildServer, type HttpLimits, type ServerOptions } from "../../../src/network/http.js";
import type { JobKind } from "../../../src/network/jobs.js";
import { digestOf } from "../../../src/network/store.js";
import { FolderStore } from "../../../src/network/store-folder.js";
import { HttpStore } from "../../../src/network/store-http.js";
import { HttpFeed } from "../../../src/replica/node/feed-http.js";
import {
  cleanup,
  ended,
  FakeWorkers,
  NETWORK,
  type Replaced,
  silent,
  temporaryFolder,
  traceOf,
  until,
  type World,
  world,
} from "./fake-blocks.js";

const TOKEN = "a-good-token";
const GOOD = { authorization: `Bearer ${TOKEN}` };
/** Times that tests can wait for. */
const QUICK: Partial<HttpLimits> = {
  ...{ headersTimeout: 200, bodyTimeout: 200, connectionTimeout: 2000, linger: 100 },
  ...{ maxTrace: 1 << 16, maxBlob: 1 << 17, closeTimeout: 300, heartbeat: 50 },
};

interface Served extends World {
  readonly app: FastifyInstance;
  readonly port: number;
  readonly url: string;
}

async function serve(
  options: Partial<ServerOptions> = {},
  coordinator: Partial<CoordinatorOptions> = {},
): Promise<Served> {
  const w = await world(await temporaryFolder(), coordinator);
  const app = buildServer({
    ...{ coordinator: w.coordinator, store: w.store, tokens: [TOKEN], log: silent },
    ...options,
    limits: { ...QUICK, ...options.limits },
  });
  cleanup(() => app.close());
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as { port: number };
  return { ...w, app, port, url: `http://127.0.0.1:${port}` };
}

function work(on: World, replaced?: Replaced, kinds?: readonly JobKind[]): FakeWorkers {
  const workers = new FakeWorkers(on.queue, on.store, replaced, kinds);
  cleanup(() => workers.close());
  return workers;
}

const post = (url: string, body: Uint8Array | string, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    body: body as BodyInit,
    headers: { "content-type": "application/json", ...GOOD, ...headers },
  });

/** What a client is told, in short. */
async function answer(response: Response | Promise<Response>): Promise<{ status: number; code: string | undefined }> {
  const { status, headers, ...rest } = await response;
  void rest;
  const text = await (await response).text();
  expect(headers.get("content-type")).toMatch(/^application\/json/);
  const { error } = JSON.parse(text) as { error?: { code: string; message: string } };
  if (status >= 400) {
    expect(error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    // nothing about this machine
    expect(text).not.toContain(tmpdir());
  }
  return { status, code: error?.code };
}

const piecesOf = ({ body }: Response) => body as unknown as AsyncIterable<Uint8Array>;

/** A connection on which anything can be said. */
class Raw {
  readonly socket: Socket;
  text = "";
  closed = false;
  readonly #closing: Promise<void>;

  constructor(port: number, allowHalfOpen = false) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen });
    this.socket.on("data", (data) => {
      this.text += data.toString("latin1");
    });
    this.socket.on("error", () => {});
    this.#closing = new Promise((resolve) => {
      this.socket.on("close", () => {
        this.closed = true;
        resolve();
      });
    });
    cleanup(async () => this.socket.destroy());
  }

  say(...parts: (string | Uint8Array)[]): this {
    for (const part of parts) this.socket.write(part);
    return this;
  }

  request(line: string, headers: Record<string, string | number> = {}): this {
    const lines = Object.entries({ host: "x", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.say(`${line} HTTP/1.1\r\n${lines.join("")}\r\n`);
  }

  /** Status of the n-th answer, when it is there. */
  async status(n = 0): Promise<number> {
    await until(() => this.statuses.length > n, 3000);
    return this.statuses[n]!;
  }

  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((found) => Number(found[1]));
  }

  get code(): string | undefined {
    return /"code":"([A-Z_]+)"/.exec(this.text)?.[1];
  }

  async end(): Promise<void> {
    await Promise.race([
      this.#closing,
      new Promise((_, reject) => setTimeout(() => reject(new Error(`still open: ${this.text}`)), 3000).unref()),
    ]);
  }
}

/** Somebody who behaves, beside those who don't. */
async function servedMeanwhile({ url }: Served): Promise<void> {
  const started = performance.now();
  expect((await fetch(`${url}/v1/feed`)).status).toBe(200);
  expect(performance.now() - started).toBeLessThan(1000);
}

describe("the API", () => {
  test("takes a trace, says how far its block is, and hands out the proof", async () => {
    const s = await serve();
    const trace = traceOf({ number: 7, chunks: 3 });
    const submitted = await post(`${s.url}/v1/blocks`, trace);
    expect(submitted.status).toBe(202);
    const { id } = (await submitted.json()) as { id: string };
    expect(submitted.headers.get("location")).toBe(`/v1/blocks/${id}`);
    expect((await post(`${s.url}/v1/blocks`, trace, { "content-type": "application/octet-stream" })).status).toBe(200);
    expect(await answer(fetch(`${s.url}/v1/blocks/${id}/proof`))).toEqual({ status: 404, code: "NOT_FOUND" });
    work(s);
    await ended(s, id);

    const status = (await (await fetch(`${s.url}/v1/blocks/${id}`)).json()) as { proof: { digest: string } };
    expect(status).toEqual(JSON.parse(JSON.stringify(s.coordinator.status(id))));
    expect(await (await fetch(`${s.url}/v1/blocks`)).json()).toEqual({ blocks: [status] });
    expect(await (await fetch(`${s.url}/v1/blocks?limit=1&before=7`)).json()).toEqual({ blocks: [] });
    expect(await (await fetch(`${s.url}/v1/feed?from=7&limit=256`)).json()).toMatchObject({
      ...{ chainId: "1", tip: 7 },
      blocks: [{ number: 7, id, state: "proved", proof: status.proof.digest }],
    });
    expect(await (await fetch(`${s.url}/v1/feed?from=8`)).json()).toMatchObject({ tip: 7, blocks: [] });

    const proof = await fetch(`${s.url}/v1/blocks/${id}/proof`);
    expect(proof.headers.get("content-type")).toBe("application/octet-stream");
    expect(proof.headers.get("etag")).toBe(`"${status.proof.digest}"`);
    const bytes = new Uint8Array(await proof.arrayBuffer());
    expect(digestOf(bytes)).toBe(status.proof.digest);
    expect(proof.headers.get("content-length")).toBe(String(bytes.length));
    const head = await fetch(`${s.url}/v1/blocks/${id}/proof`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(bytes.length)]);
    // a browser asks like this; fetch of Node does so only by hand
    const known = await fetch(`${s.url}/v1/blocks/${id}/proof`, {
      headers: { "if-none-match": `"${status.proof.digest}"`, "cache-control": "no-cache" },
    });
    expect([known.status, await known.text()]).toEqual([304, ""]);
  });

  test("takes a trace that is compressed", async () => {
    const s = await serve();
    work(s);
    const body = gzipSync(traceOf({ number: 1 }));
    const submitted = await post(`${s.url}/v1/blocks`, body, { "content-encoding": "gzip" });
    expect(submitted.status).toBe(202);
    await ended(s, ((await submitted.json()) as { id: string }).id);
    expect((await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }))).status).toBe(200);
  });

  test("cancels and begins again", async () => {
    const s = await serve();
    const { id } = (await (await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }))).json()) as { id: string };
    const block = `${s.url}/v1/blocks/${id}`;
    const call = (method: string, path = "") => fetch(block + path, { method, headers: GOOD });
    expect(await answer(call("POST", "/retry"))).toEqual({ status: 409, code: "BLOCK_STATE" });
    expect(await answer(call("DELETE"))).toEqual({ status: 200, code: undefined });
    expect(await (await fetch(block)).json()).toMatchObject({ state: "cancelled" });
    expect((await call("POST", "/retry")).status).toBe(202);
    work(s);
    await ended(s, id);
    expect(await answer(call("DELETE"))).toEqual({ status: 409, code: "BLOCK_STATE" });
  });

  test("keeps blobs", async () => {
    const s = await serve();
    const bytes = new TextEncoder().encode("a blob");
    const digest = digestOf(bytes);
    const url = `${s.url}/v1/blobs/${digest}`;
    const call = (method: string, body?: Uint8Array, at = url) =>
      fetch(at, { method, headers: GOOD, ...(body === undefined ? {} : { body: body as BodyInit }) });
    expect(await answer(call("GET"))).toEqual({ status: 404, code: "STORE_MISSING" });
    expect((await call("HEAD")).status).toBe(404);
    expect((await call("PUT", bytes)).status).toBe(201);
    expect((await call("PUT", bytes)).status).toBe(200);
    const got = await call("GET");
    expect(new Uint8Array(await got.arrayBuffer())).toEqual(bytes);
    expect(got.headers.get("x-content-type-options")).toBe("nosniff");
    const head = await call("HEAD");
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "6"]);
    expect(await answer(call("PUT", new Uint8Array(3)))).toEqual({ status: 422, code: "STORE_DIGEST" });
    expect(await answer(call("PUT", new Uint8Array(1 << 18)))).toEqual({ status: 413, code: "STORE_TOO_LARGE" });
    for (const id of ["x", digest.slice(1), `${digest}0`, digest.toUpperCase()]) {
      for (const method of ["GET", "PUT"]) {
        const body = method === "PUT" ? bytes : undefined;
        const refused = await answer(call(method, body, `${s.url}/v1/blobs/${id}`));
        expect(refused).toEqual({ status: 400, code: "STORE_BLOB_ID" });
      }
    }
    expect(await s.store.usage()).toMatchObject({ blobs: 1 });
  });

  test("is a store to workers", async () => {
    const s = await serve({ limits: { maxBlob: 1 << 22 } });
    const store = new HttpStore(s.url, { token: TOKEN, retries: 0 });
    const large = new Uint8Array(3_000_000).map((_, i) => i % 251);
    for (const bytes of [new Uint8Array(0), new Uint8Array(10), large]) {
      const digest = await store.put(bytes);
      expect(await store.has(digest)).toBe(true);
      expect(Buffer.compare(await store.get(digest), bytes)).toBe(0);
      await store.put(bytes);
    }
    await expect(store.get("0".repeat(64))).rejects.toMatchObject({ code: "STORE_MISSING" });
    await expect(store.put(new Uint8Array(1 << 23))).rejects.toMatchObject({ code: "STORE_TOO_LARGE" });
    const stranger = new HttpStore(s.url, { token: "other", retries: 0 });
    await expect(stranger.put(large)).rejects.toMatchObject({ code: "STORE_FORBIDDEN" });
    await expect(stranger.put(new Uint8Array(2_000_000))).rejects.toMatchObject({ code: "STORE_FORBIDDEN" });
  });

  test("is what the client of the command line expects", async () => {
    const s = await serve({ limits: { maxTrace: 1 << 17 } });
    const client = new CoordinatorClient(s.url, { token: TOKEN, backoff: 10 });
    const { signal } = new AbortController();
    // large enough for it to be compressed
    const { id } = await client.submit(traceOf({ number: 1, salt: "x".repeat(65_500) }), signal);
    const followed: Followed[] = [];
    for await (const one of client.follow(id, signal)) {
      if (followed.push(one) === 1) work(s);
    }
    expect(followed.filter(({ type }) => type === "lost")).toEqual([]);
    expect(followed.some((one) => one.type === "progress" && one.progress.done === "prove")).toBe(true);
    const last = followed.at(-1)!;
    if (last.type !== "status") throw new Error(last.type);
    expect(last.status).toMatchObject({ state: "proved", proved: 2 });
    expect(digestOf(await client.proof(last.status, signal))).toBe(last.status.proof!.digest);
    expect(await client.accepts(signal)).toBe(true);
    expect(await new CoordinatorClient(s.url, { token: "no" }).accepts(signal)).toBe(false);
    expect(await client.network(signal)).toMatchObject({ keySet: NETWORK.keySet });
    await expect(client.submit(new TextEncoder().encode("{}"), signal)).rejects.toMatchObject({ code: "TRACE_FIELD" });
    await expect(client.status("0".repeat(32), signal)).rejects.toMatchObject({ code: "BLOCK_UNKNOWN" });
  });

  test("is a feed to replicas", async () => {
    const s = await serve();
    const feed = new HttpFeed({ url: s.url, chainId: 1n });
    await post(`${s.url}/v1/blocks`, traceOf({ number: 3 }));
    expect(await feed.poll(0n)).toMatchObject({ tip: 3n, candidates: [] });
    work(s);
    await until(() => s.registry.unfinished === 0);
    const { candidates } = await feed.poll(0n);
    expect(candidates).toMatchObject([{ number: 3n }]);
    expect(digestOf(await candidates[0]!.fetch(new AbortController().signal))).toBe(candidates[0]!.digest);
    const other = new HttpFeed({ url: s.url, chainId: 2n });
    await expect(other.poll(0n)).rejects.toMatchObject({ code: "FEED_CHAIN" });
  });

  test("describes the network; which machines there are only to those who belong to it", async () => {
    const s = await serve();
    const worker = {
      ...{ id: "w", version: "0", protocol: "0", keySet: NETWORK.keySet, host: "inside", pid: 1, kinds: [] },
      ...{ concurrency: 1, threads: 1, backend: "wasm", since: 0 },
    };
    await s.queue.announce(worker, 10_000);
    const { host: _host, pid: _pid, ...rest } = worker;
    expect(await (await fetch(`${s.url}/v1/network`)).json()).toEqual({ ...NETWORK, workers: [rest] });
    expect(await (await fetch(`${s.url}/v1/network`, { headers: GOOD })).json()).toEqual({
      ...NETWORK,
      workers: [worker],
    });
  });

  test("counts", async () => {
    const answered = vi.fn();
    const moved = vi.fn();
    const inFlight = vi.fn();
    const s = await serve({ hooks: { answered, moved, inFlight } });
    const trace = traceOf({ number: 1 });
    await (await post(`${s.url}/v1/blocks`, trace)).text();
    await (await fetch(`${s.url}/v1/blocks/${"0".repeat(32)}`)).text();
    await (await fetch(`${s.url}/nowhere`)).text();
    await until(() => answered.mock.calls.length === 3);
    expect(answered.mock.calls.map((call) => call.slice(0, 3))).toEqual([
      ["POST", "/v1/blocks", 202],
      ["GET", "/v1/blocks/:id", 404],
      ["GET", "none", 404],
    ]);
    expect(moved.mock.calls).toEqual([["in", trace.length]]);
    expect(inFlight.mock.calls.at(-1)).toEqual([0]);
  });

  test("has room for more routes", async () => {
    const s = await serve({
      routes: (app) => {
        app.get("/health", async () => ({ status: "alive" }));
        app.post("/forgotten", async () => ({ ok: true }));
        app.get("/broken", async () => {
          throw new Error("secret at /etc/passwd");
        });
      },
    });
    expect((await fetch(`${s.url}/health`)).status).toBe(200);
    expect(await answer(fetch(`${s.url}/forgotten`, { method: "POST" }))).toEqual({
      ...{ status: 401, code: "UNAUTHORIZED" },
    });
    const broken = await fetch(`${s.url}/broken`);
    expect([broken.status, await broken.text()]).toEqual([
      500,
      '{"error":{"code":"INTERNAL","message":"internal error"}}',
    ]);
  });
});

describe("tokens", () => {
  test("every route but reading needs one, before anything else is looked at", async () => {
    const s = await serve();
    const { routeTable } = s.app;
    expect(routeTable.length).toBeGreaterThan(15);
    const open = routeTable.filter(({ secret }) => !secret).map(({ method, url }) => `${method} ${url}`);
    expect(open.every((route) => /^(GET|HEAD) \/v1\/(blocks|feed|network|events)/.test(route))).toBe(true);
    const secret = routeTable.filter(({ secret }) => secret);
    for (const { method, url } of routeTable) {
      if (method !== "GET" && method !== "HEAD") expect(secret).toContainEqual({ method, url, secret: true });
    }
    for (const { method, url } of secret) {
      const at = s.url + url.replace(":id", "0".repeat(64));
      const statusWith = async (authorization?: string) => {
        const response = await fetch(at, { method, headers: authorization === undefined ? {} : { authorization } });
        if (method !== "HEAD") await answer(response.clone());
        return response.status;
      };
      expect([method, url, await statusWith()]).toEqual([method, url, 401]);
      for (const none of ["Basic YTpi", "Bearer", "Bearer  ", TOKEN]) expect(await statusWith(none)).toBe(401);
      for (const wrong of ["other", `${TOKEN}x`, TOKEN.slice(1), TOKEN.toUpperCase()]) {
        expect(await statusWith(`Bearer ${wrong}`)).toBe(403);
      }
      // with it, other things are wrong
      expect([401, 403]).not.toContain(await statusWith(`Bearer ${TOKEN}`));
      expect([401, 403]).not.toContain(await statusWith(`bearer   ${TOKEN}`));
    }
    expect((await fetch(`${s.url}/v1/blobs/x`)).headers.get("www-authenticate")).toBe("Bearer");
  });

  test("any of several is good; a server without any is none", async () => {
    const s = await serve({ tokens: ["one", "two"] });
    for (const token of ["one", "two"]) {
      const response = await fetch(`${s.url}/v1/blobs/x`, { headers: { authorization: `Bearer ${token}` } });
      expect(response.status).toBe(400);
    }
    const { coordinator, store } = s;
    for (const tokens of [[], [""], ["x", ""]]) {
      expect(() => buildServer({ coordinator, store, tokens, log: silent })).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID" }),
      );
    }
  });

  test("without one no byte of a body is waited for", async () => {
    const s = await serve({ limits: { bodyTimeout: 5000, linger: 50 } });
    const raw = new Raw(s.port).request("POST /v1/blocks", {
      "content-type": "application/json",
      "content-length": 1e9,
    });
    expect(await raw.status()).toBe(401);
    // and who goes on sending is cut off
    await raw.end();
    const sender = new Raw(s.port).request("PUT /v1/blobs/x", { authorization: "Bearer no", "content-length": 1e9 });
    const timer = setInterval(() => sender.say(new Uint8Array(1000)), 5);
    cleanup(async () => clearInterval(timer));
    expect(await sender.status()).toBe(403);
    await sender.end();
  });

  test("who asks first is told before the body is sent", async () => {
    const s = await serve();
    const body = Buffer.from(traceOf({ number: 1 }));
    const headers = { "content-type": "application/json", "content-length": body.length, expect: "100-continue" };
    const refused = new Raw(s.port).request("POST /v1/blocks", headers);
    expect(await refused.status()).toBe(401);
    expect(refused.text).toMatch(/^connection: close/im);
    await refused.end();
    const good = new Raw(s.port).request("POST /v1/blocks", { ...headers, ...GOOD });
    expect(await good.status()).toBe(100);
    expect(await good.say(body).status(1)).toBe(202);
    const huge = { ...headers, ...GOOD, "content-length": 1e9 };
    expect(await new Raw(s.port).request("POST /v1/blocks", huge).status()).toBe(413);
  });
});

describe("who asks for what is not there", () => {
  test("gets 404 or 405, as JSON", async () => {
    const s = await serve();
    const cases: [method: string, path: string, status: number, code: string][] = [
      ["GET", "/", 404, "NOT_FOUND"],
      ["GET", "/v1", 404, "NOT_FOUND"],
      ["POST", "/v1/nothing", 404, "NOT_FOUND"],
      ["GET", "/v1/blocks/", 404, "BLOCK_UNKNOWN"],
      ["GET", "/v1/blocks/xyz", 404, "BLOCK_UNKNOWN"],
      ["GET", `/v1/blocks/${"0".repeat(32)}/events`, 404, "BLOCK_UNKNOWN"],
      ["GET", `/v1/blocks/${"0".repeat(32)}/proof`, 404, "BLOCK_UNKNOWN"],
      ["PUT", "/v1/blocks", 405, "METHOD_NOT_ALLOWED"],
      ["POST", "/v1/feed", 405, "METHOD_NOT_ALLOWED"],
      ["DELETE", `/v1/blobs/${"0".repeat(64)}`, 405, "METHOD_NOT_ALLOWED"],
      ["OPTIONS", "/v1/feed", 405, "METHOD_NOT_ALLOWED"],
      ["PATCH", "/v1/blocks/1/retry", 405, "METHOD_NOT_ALLOWED"],
    ];
    for (const [method, path, status, code] of cases) {
      const response = await fetch(s.url + path, { method });
      expect([path, await answer(response)]).toEqual([path, { status, code }]);
    }
    expect((await fetch(`${s.url}/v1/blocks`, { method: "PUT" })).headers.get("allow")).toBe("GET, HEAD, POST");
    expect((await fetch(`${s.url}/v1/events`, { method: "HEAD" })).status).toBe(405);
  });

  test("and for pages that are none 400", async () => {
    const s = await serve();
    for (const query of ["limit=0", "limit=257", "limit=-1", "limit=1e2", "limit=", "limit=1&limit=2", "limit[]=1"]) {
      const paths = query.startsWith("limit[") ? [] : ["/v1/feed", "/v1/blocks"];
      for (const path of paths) {
        const refused = await answer(fetch(`${s.url}${path}?${query}`));
        expect([query, refused]).toEqual([query, { status: 400, code: "REQUEST_MALFORMED" }]);
      }
    }
    for (const from of ["-1", "x", "0x1", "9".repeat(17), "9".repeat(16), "1.5"]) {
      expect((await fetch(`${s.url}/v1/feed?from=${from}`)).status).toBe(400);
    }
    expect((await fetch(`${s.url}/v1/feed?from=0&other=1`)).status).toBe(200);
  });
});

describe("clients that misbehave", () => {
  const jsonHeaders = { ...GOOD, "content-type": "application/json" };

  test("bodies that are too large", async () => {
    const s = await serve();
    const declared = new Raw(s.port).request("POST /v1/blocks", { ...jsonHeaders, "content-length": 1e12 });
    expect([await declared.status(), declared.code]).toEqual([413, "STORE_TOO_LARGE"]);
    await servedMeanwhile(s);
    // without saying so before
    const chunked = new Raw(s.port).request("POST /v1/blocks", { ...jsonHeaders, "transfer-encoding": "chunked" });
    const piece = `1000\r\n${"x".repeat(4096)}\r\n`;
    const timer = setInterval(() => chunked.say(piece), 1);
    cleanup(async () => clearInterval(timer));
    expect([await chunked.status(), chunked.code]).toEqual([413, "STORE_TOO_LARGE"]);
    await servedMeanwhile(s);
    await chunked.end();
    await declared.end();
    expect(await s.store.usage()).toMatchObject({ blobs: 0 });
  });

  test("bodies that do not come, or byte by byte", async () => {
    const s = await serve();
    const none = new Raw(s.port).request("POST /v1/blocks", { ...jsonHeaders, "content-length": 100 });
    const some = new Raw(s.port).request("POST /v1/blocks", { ...jsonHeaders, "content-length": 100 }).say('{"a":');
    const trickle = new Raw(s.port).request("PUT /v1/blobs/".concat("0".repeat(64)), {
      ...{ ...GOOD, "content-length": 10_000 },
    });
    const timer = setInterval(() => trickle.say("x"), 10);
    cleanup(async () => clearInterval(timer));
    await servedMeanwhile(s);
    for (const raw of [none, some, trickle]) {
      expect([await raw.status(), raw.code]).toEqual([408, "REQUEST_TIMEOUT"]);
      await raw.end();
    }
    // a body that comes slowly, but fast enough
    const body = Buffer.from(traceOf({ number: 1, salt: "x".repeat(2000) }));
    const slow = new Raw(s.port).request("POST /v1/blocks", { ...jsonHeaders, "content-length": body.length });
    for (let from = 0; from < body.length; from += 300) {
      slow.say(body.subarray(from, from + 300));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await slow.status()).toBe(202);
  });

  test("heads that do not come", async () => {
    const s = await serve();
    const silentOne = new Raw(s.port);
    const half = new Raw(s.port).say("GET /v1/feed HTTP/1.1\r\nhost: x\r\n");
    const trickle = new Raw(s.port).say("GET /v1/feed HTTP/1.1\r\n");
    const timer = setInterval(() => trickle.say("x-y: 1\r\n"), 10);
    cleanup(async () => clearInterval(timer));
    await servedMeanwhile(s);
    for (const raw of [half, trickle]) {
      expect([await raw.status(), raw.code]).toEqual([408, "REQUEST_TIMEOUT"]);
    }
    for (const raw of [silentOne, half, trickle]) await raw.end();
  });

  test("traces that are none", async () => {
    const s = await serve();
    const cases: [body: string | Uint8Array, headers: Record<string, string>, status: number, code: string][] = [
      ["", {}, 400, "TRACE_JSON"],
      ["{", {}, 400, "TRACE_JSON"],
      [new Uint8Array([0, 255, 254]), {}, 400, "TRACE_JSON"],
      ["{}", {}, 422, "TRACE_FIELD"],
      ["{}", { "content-type": "text/plain" }, 415, "MEDIA_TYPE"],
      ["{}", { "content-type": "" }, 415, "MEDIA_TYPE"],
      ["{}", { "content-type": "garbage" }, 415, "MEDIA_TYPE"],
      ["{}", { "content-encoding": "br" }, 415, "MEDIA_TYPE"],
      ["{}", { "content-encoding": "gzip, gzip" }, 415, "MEDIA_TYPE"],
      ["no gzip at all", { "content-encoding": "gzip" }, 400, "REQUEST_MALFORMED"],
      [gzipSync("{}").subarray(0, 12), { "content-encoding": "gzip" }, 400, "REQUEST_MALFORMED"],
      ["", { "content-encoding": "gzip" }, 400, "REQUEST_MALFORMED"],
      [gzipSync(new Uint8Array(1 << 24)), { "content-encoding": "gzip" }, 413, "STORE_TOO_LARGE"],
    ];
    for (const [body, headers, status, code] of cases) {
      const refused = await answer(post(`${s.url}/v1/blocks`, body, headers));
      expect([String(body).slice(0, 20), headers, refused]).toEqual([
        ...[String(body).slice(0, 20), headers],
        { status, code },
      ]);
      await servedMeanwhile(s);
    }
    expect(await s.store.usage()).toMatchObject({ blobs: 0 });
    expect(s.registry.size).toBe(0);
    // the places that they had are free again
    expect((await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }))).status).toBe(202);
  });

  test("a trace of another chain", async () => {
    const s = await serve({}, { chainId: "5" });
    const refused = await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }));
    expect(refused.status).toBe(422);
    expect(await refused.json()).toEqual({
      error: {
        ...{ code: "BLOCK_CHAIN", message: expect.stringContaining("another chain") },
        ...{ where: "chainId", expected: "5", got: "1" },
      },
    });
  });

  test("bodies where none belongs", async () => {
    const s = await serve();
    const { id } = (await (await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }))).json()) as { id: string };
    for (const [method, path] of [
      ["DELETE", ""],
      ["POST", "/retry"],
    ]) {
      const refused = fetch(`${s.url}/v1/blocks/${id}${path}`, { method: method!, headers: GOOD, body: "x" });
      expect(await answer(refused)).toEqual({ status: 400, code: "REQUEST_MALFORMED" });
    }
    const get = new Raw(s.port).request("GET /v1/feed", { "content-length": 1e9 });
    expect(await get.status()).toBe(200);
    await get.end();
  });

  test("paths that lead elsewhere", async () => {
    const s = await serve();
    const zeros = "0".repeat(64);
    const tricks = [
      "/v1/blobs/../../../../etc/passwd",
      "/v1/blobs/..%2f..%2f..%2fetc%2fpasswd",
      `/v1/blobs/%2e%2e/${zeros}`,
      `/v1/blobs/${zeros}%00`,
      `/v1/blobs/${zeros}/`,
      `/v1/blobs//${zeros}`,
      `/v1/blobs/${zeros}.damaged`,
      "/v1/blobs/%",
      "/v1/blobs/%zz",
      "/v1/blobs/%c0%ae%c0%ae",
      `/v1/blobs/${"a".repeat(5000)}`,
      "/v1/blobs/tmp",
      "/v1/blocks/..%2fblocks",
      "/v1/blocks/__proto__",
      "/v1/blocks/constructor",
      "*",
    ];
    for (const method of ["GET", "PUT", "DELETE"]) {
      for (const path of tricks) {
        const raw = new Raw(s.port).request(`${method} ${path}`, { ...GOOD, "content-length": 0 });
        const status = await raw.status();
        expect([path, status >= 400 && status < 500 && status !== 408]).toEqual([path, true]);
        expect([path, raw.code]).toEqual([path, expect.any(String)]);
        raw.socket.destroy();
      }
    }
    // another way to say the same, and the same is said about it
    for (const path of ["http://elsewhere/v1/blobs/x", "/v1/blobs/x#y", "/v1/blobs/x?y", "/v1/%62lobs/x"]) {
      expect([path, await new Raw(s.port).request(`GET ${path}`).status()]).toEqual([path, 401]);
    }
    await servedMeanwhile(s);
    expect(await s.store.usage()).toMatchObject({ blobs: 0 });
  });

  test("what is no HTTP", async () => {
    const s = await serve();
    const garbage: (string | Uint8Array)[] = [
      "hello\r\n\r\n",
      new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]),
      "GET / HTTP/9.9\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "GET /v1/feed HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
      "GET /v1/feed HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
      "GET /v1/feed HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
      "GET /v1/feed HTTP/1.1\r\nhost: x\r\n bad: folding\r\n\r\n",
      "GET /v1/feed HTTP/1.1\r\n\r\n",
      `GET /v1/feed HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
    ];
    for (const bytes of garbage) {
      const raw = new Raw(s.port).say(bytes);
      const status = await raw.status();
      expect([String(bytes).slice(0, 90), status === 400 || status === 431]).toEqual([
        String(bytes).slice(0, 90),
        true,
      ]);
      await raw.end();
    }
    await servedMeanwhile(s);
  });

  test("garbage behind a request that is good", async () => {
    const s = await serve();
    const raw = new Raw(s.port).request("GET /v1/feed").say("garbage garbage\r\n\r\n");
    expect(await raw.status()).toBe(200);
    expect(await raw.status(1)).toBe(400);
    await raw.end();
    const many = new Raw(s.port);
    for (let i = 0; i < 8; i++) many.request("GET /v1/feed");
    expect(await many.status(7)).toBe(200);
    // two requests in the body of one that is refused are no requests
    const smuggled = "GET /v1/network HTTP/1.1\r\nhost: x\r\n\r\n";
    const inBody = new Raw(s.port)
      .request("POST /v1/blocks", { "content-type": "application/json", "content-length": smuggled.length })
      .say(smuggled);
    expect(await inBody.status()).toBe(401);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(inBody.statuses).toEqual([401]);
  });

  test("connections that are closed half way", async () => {
    const inFlight = vi.fn();
    const s = await serve({ hooks: { inFlight } });
    const half = new Raw(s.port, true).request("GET /v1/feed");
    half.socket.end();
    expect(await half.status()).toBe(200);
    const cutHead = new Raw(s.port, true).say("GET /v1/fe");
    cutHead.socket.end();
    const cutBody = new Raw(s.port, true)
      .request("POST /v1/blocks", { ...jsonHeaders, "content-length": 100 })
      .say("{");
    await until(() => inFlight.mock.calls.length >= 3);
    cutBody.socket.end();
    const gone = new Raw(s.port).request("POST /v1/blocks", { ...jsonHeaders, "content-length": 100 }).say("{");
    await until(() => inFlight.mock.calls.at(-1)![0] >= 1 && inFlight.mock.calls.length >= 4);
    gone.socket.destroy();
    await servedMeanwhile(s);
    for (const raw of [half, cutHead, cutBody, gone]) await raw.end();
    await until(() => inFlight.mock.calls.at(-1)![0] === 0);
    expect(await s.store.usage()).toMatchObject({ blobs: 0 });
  });

  test("too many traces at once", async () => {
    const s = await serve({ limits: { maxUploads: 2, bodyTimeout: 1000, minRate: 1 } });
    const body = Buffer.from(traceOf({ number: 1 }));
    const headers = { ...jsonHeaders, "content-length": body.length };
    const slow = [0, 1].map(() => new Raw(s.port).request("POST /v1/blocks", headers).say(body.subarray(0, 5)));
    const refused = await until(async () => {
      const response = await post(`${s.url}/v1/blocks`, body);
      return response.status === 429 && response;
    });
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await answer(refused)).toEqual({ status: 429, code: "BUSY" });
    // blobs of workers are none
    const blob = { method: "PUT", headers: GOOD, body: "x" };
    expect((await fetch(`${s.url}/v1/blobs/${digestOf(Buffer.from("x"))}`, blob)).status).toBe(201);
    for (const raw of slow) raw.say(body.subarray(5));
    expect([await slow[0]!.status(), await slow[1]!.status()].sort()).toEqual([200, 202]);
    expect((await post(`${s.url}/v1/blocks`, body)).status).toBe(200);
  });

  test("more requests at once than a connection may have", async () => {
    const [inFlight, answered] = [vi.fn(), vi.fn()];
    const s = await serve({ hooks: { inFlight, answered } });
    const raw = new Raw(s.port).say("GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n".repeat(300));
    await raw.end();
    expect(inFlight).toHaveBeenCalled();
    await until(() => inFlight.mock.calls.at(-1)![0] === 0);
    expect(Math.max(...inFlight.mock.calls.map(([count]) => count as number))).toBe(8);
    expect(answered.mock.calls.map(([, , status]) => status)).toEqual(Array(8).fill(499));
    // one after the other there may be many
    const many = new Raw(s.port);
    for (let i = 0; i < 20; i++) expect(await many.request("GET /v1/feed").status(i)).toBe(200);
    await servedMeanwhile(s);
  });

  test("requests that wait behind others when their connection goes", async () => {
    const inFlight = vi.fn();
    const { store } = await world(await temporaryFolder());
    const digest = await store.put(new Uint8Array(1 << 16));
    const hub = new EventHub();
    const coordinator = {
      events: (options: SubscribeOptions) => hub.subscribe(options),
      feed: () => ({ chainId: null, tip: null, blocks: [] }),
      status: () => ({ state: "proved", proof: { digest } }),
    } as unknown as Coordinator;
    const open = vi.spyOn(store, "open");
    const s = await serve({ coordinator, store, hooks: { inFlight }, limits: { maxFollowers: 4 } });
    const raw = new Raw(s.port);
    for (let i = 0; i < 4; i++) raw.request("GET /v1/events").request("GET /v1/blocks/x/proof");
    await until(() => hub.size === 4 && inFlight.mock.calls.at(-1)![0] === 8);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(open).not.toHaveBeenCalled();
    raw.socket.destroy();
    await until(() => hub.size === 0 && inFlight.mock.calls.at(-1)![0] === 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(open).not.toHaveBeenCalled();
    // places are free again, and proofs come one after the other
    const after = new Raw(s.port);
    for (let i = 0; i < 7; i++) after.request("GET /v1/blocks/x/proof");
    expect(await after.request("GET /v1/events").status(7)).toBe(200);
    expect(after.statuses).toEqual(Array(8).fill(200));
    expect(open).toHaveBeenCalledTimes(7);
  });

  test("blobs that were opened for who has gone are closed", async () => {
    const { store } = await world(await temporaryFolder());
    const digest = await store.put(new Uint8Array(1 << 16));
    const close = vi.fn();
    let opened = () => {};
    const slow = new Proxy(store, {
      get: (object, name) => {
        if (name !== "open") {
          const value = Reflect.get(object, name, object) as unknown;
          return typeof value === "function" ? value.bind(object) : value;
        }
        return async () => {
          const blob = await store.open(digest);
          await new Promise<void>((resolve) => {
            opened = resolve;
          });
          return { ...blob, stream: () => blob.stream(), close: async () => blob.close().then(close) };
        };
      },
    });
    const [inFlight, error] = [vi.fn(), vi.fn()];
    const s = await serve({ store: slow, hooks: { inFlight }, log: { ...silent, error } });
    const before = opened;
    const raw = new Raw(s.port).request(`GET /v1/blobs/${digest}`, GOOD);
    await until(() => opened !== before);
    raw.socket.destroy();
    await until(() => inFlight.mock.calls.at(-1)![0] === 0);
    opened();
    await until(() => close.mock.calls.length === 1);
    expect(error).not.toHaveBeenCalled();
  });

  test("a trace that comes for too long", async () => {
    const s = await serve({ limits: { uploadTimeout: 300, minRate: 1, maxUploads: 1 } });
    const slow = new Raw(s.port).request("POST /v1/blocks", { ...jsonHeaders, "content-length": 10_000 });
    const timer = setInterval(() => slow.say(" "), 10);
    cleanup(async () => clearInterval(timer));
    expect([await slow.status(), slow.code]).toEqual([408, "REQUEST_TIMEOUT"]);
    await slow.end();
    expect((await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }))).status).toBe(202);
  });

  test("who goes while a trace is looked at", async () => {
    const aborted = vi.fn();
    const started = vi.fn();
    const inspect: CoordinatorOptions["inspect"] = (_, signal) =>
      new Promise((_resolve, reject) => {
        started();
        signal.addEventListener("abort", () => {
          aborted();
          reject(signal.reason as Error);
        });
      });
    const error = vi.fn();
    const s = await serve({ log: { ...silent, error }, limits: { maxUploads: 1 } }, { inspect });
    const body = Buffer.from(traceOf({ number: 1 }));
    const raw = new Raw(s.port).request("POST /v1/blocks", { ...jsonHeaders, "content-length": body.length }).say(body);
    await until(() => started.mock.calls.length === 1);
    expect(aborted).not.toHaveBeenCalled();
    raw.socket.destroy();
    await until(() => aborted.mock.calls.length === 1);
    await until(async () => (await s.store.usage()).blobs === 0);
    expect(s.registry.size).toBe(0);
    expect(error).not.toHaveBeenCalled();
  });

  test("too many blocks", async () => {
    const s = await serve({}, { maxUnfinished: 1 });
    expect((await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }))).status).toBe(202);
    expect(await answer(post(`${s.url}/v1/blocks`, traceOf({ number: 2 })))).toEqual({ status: 429, code: "BUSY" });
    expect((await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }))).status).toBe(200);
  });

  test("more connections than there may be", async () => {
    const s = await serve({ limits: { maxConnections: 3, headersTimeout: 300 } });
    const idle = Array.from({ length: 10 }, () => new Raw(s.port));
    await until(() => idle.filter(({ closed }) => closed).length >= 7);
    // those that say nothing do not keep their places
    await Promise.all(idle.map((raw) => raw.end()));
    await servedMeanwhile(s);
  });

  test("who does not take an answer", async () => {
    const s = await serve({ limits: { connectionTimeout: 300, maxBlob: 1 << 26 } });
    const digest = await s.store.put(new Uint8Array(1 << 25));
    const raw = new Raw(s.port);
    raw.socket.pause();
    raw.request(`GET /v1/blobs/${digest}`, GOOD);
    const connections = () =>
      new Promise<number>((resolve) => s.app.server.getConnections((_, count) => resolve(count)));
    await until(async () => (await connections()) === 1);
    await until(async () => (await connections()) === 0);
    await servedMeanwhile(s);
  });
});

describe("trouble of its own", () => {
  test("is told without saying what is inside", async () => {
    const data = await temporaryFolder();
    const store = new FolderStore(join(data, "store"));
    const error = vi.fn();
    let code = "";
    const broken = new Proxy(store, {
      get: (object, name) => {
        if (name === "putStream") {
          return async () => Promise.reject(new NetworkError("no", { code, where: "/srv/secret/place" }));
        }
        const value = Reflect.get(object, name, object) as unknown;
        return typeof value === "function" ? value.bind(object) : value;
      },
    });
    const s = await serve({ store: broken, log: { ...silent, error } });
    for (const [one, status] of [
      ["STORE_FULL", 507],
      ["STORE_UNAVAILABLE", 503],
      ["SOMETHING_NEW", 500],
    ] as const) {
      code = one;
      const response = await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }));
      expect(response.status).toBe(status);
      const text = await response.text();
      expect(JSON.parse(text)).toEqual({ error: { code, message: expect.any(String) } });
      expect(text).not.toContain("secret");
    }
    expect(error).toHaveBeenCalledTimes(3);
    const put = { method: "PUT", headers: GOOD, body: "x" };
    expect((await fetch(`${s.url}/v1/blobs/${"0".repeat(64)}`, put)).status).toBe(500);
  });

  test("a queue that is away", async () => {
    const s = await serve();
    await s.queue.close();
    expect(await answer(fetch(`${s.url}/v1/network`))).toEqual({ status: 503, code: "QUEUE_CLOSED" });
    // what it has on disk it says all the same
    await servedMeanwhile(s);
  });

  test("a blob that was damaged", async () => {
    const s = await serve();
    const digest = await s.store.put(new TextEncoder().encode("as it should be"));
    const url = `${s.url}/v1/blobs/${digest}`;
    await writeFile(join(s.store.name, digest.slice(0, 2), digest.slice(2)), "as it should not");
    expect(await answer(fetch(url, { headers: GOOD }))).toEqual({ status: 500, code: "STORE_DIGEST" });
    expect(await answer(fetch(url, { headers: GOOD }))).toEqual({ status: 404, code: "STORE_MISSING" });
  });
});

describe("events over HTTP", () => {
  /** Events of a stream, until it ends. */
  async function* eventsOf(response: Response): AsyncGenerator<{ id?: string; event?: string; data?: unknown }> {
    let text = "";
    for await (const piece of piecesOf(response)) {
      text += Buffer.from(piece).toString();
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const fields = Object.fromEntries(
          text
            .slice(0, end)
            .split("\n")
            .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
        ) as Record<string, string>;
        text = text.slice(end + 2);
        if (fields.event === undefined) yield {};
        else yield { ...fields, data: JSON.parse(fields.data!) };
      }
    }
  }

  test("of one block: where it is, what happens, the end", async () => {
    const s = await serve();
    const { id } = (await (await post(`${s.url}/v1/blocks`, traceOf({ number: 1 }))).json()) as { id: string };
    const response = await fetch(`${s.url}/v1/blocks/${id}/events`);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    work(s);
    const events = [];
    for await (const event of eventsOf(response)) events.push(event);
    const named = events.filter(({ event }) => event !== undefined);
    expect(named[0]).toMatchObject({ event: "state", data: { id, state: "queued" } });
    expect(named.filter(({ event }) => event === "chunk")).toHaveLength(4);
    expect(named.at(-1)).toMatchObject({ event: "end", data: { state: "proved", proved: 2 } });
    // who comes later is told at once
    await ended(s, id);
    const late = [];
    for await (const { event } of eventsOf(await fetch(`${s.url}/v1/blocks/${id}/events`))) late.push(event);
    expect(late).toEqual([undefined, "state", "end"]);
    // who comes back hears what it has missed
    const last = named.find(({ event }) => event === "chunk")!.id!;
    const resumed = await fetch(`${s.url}/v1/events`, { headers: { "last-event-id": last } });
    for await (const { id: seq, event } of eventsOf(resumed)) {
      if (event === undefined) continue;
      expect(seq).toBe(named[named.findIndex(({ id }) => id === last) + 1]!.id);
      break;
    }
  });

  test("signs of life, and a bound for who follows", async () => {
    const s = await serve({ limits: { maxFollowers: 1, heartbeat: 20 } });
    const controller = new AbortController();
    const response = await fetch(`${s.url}/v1/events`, { signal: controller.signal });
    let beats = 0;
    for await (const piece of piecesOf(response)) {
      beats += Buffer.from(piece).toString().split(":\n\n").length - 1;
      if (beats >= 2) break;
    }
    controller.abort();
    const second = await until(async () => {
      const tried = await fetch(`${s.url}/v1/events`);
      if (tried.status === 200) return tried;
      expect(await answer(tried)).toEqual({ status: 429, code: "BUSY" });
      return undefined;
    });
    expect((await fetch(`${s.url}/v1/events`)).status).toBe(429);
    await second.body!.cancel();
  });

  test("many follow", async () => {
    const warned = vi.fn();
    process.on("warning", warned);
    cleanup(async () => void process.off("warning", warned));
    const s = await serve();
    const followers = Array.from({ length: 12 }, () => new Raw(s.port).request("GET /v1/events"));
    for (const raw of followers) expect(await raw.status()).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(warned).not.toHaveBeenCalled();
  });

  test("who does not read is cut off, and costs others nothing", async () => {
    const { store } = await world(await temporaryFolder());
    const hub = new EventHub();
    const coordinator = {
      events: (options: SubscribeOptions) => hub.subscribe(options),
      feed: () => ({ chainId: null, tip: null, blocks: [] }),
    } as unknown as Coordinator;
    // no other bound than that of the events
    const limits = { connectionTimeout: 60_000, heartbeat: 60_000 };
    const s = await serve({ coordinator, store, limits });
    const raw = new Raw(s.port).request("GET /v1/events");
    await until(() => hub.size === 1);
    raw.socket.pause();
    const reader = hub.subscribe();
    // more than what the kernel takes for somebody who reads nothing
    const data = {
      id: "",
      number: 1,
      hash: "x".repeat(20_000),
      state: "queued",
      run: 0,
      chunks: 0,
      committed: 0,
      proved: 0,
    };
    for (let i = 0; hub.size === 2 && i < 10_000; i++) {
      hub.publish({ type: "state", data: data as Progress });
      expect((await reader.next()).done).toBe(false);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(hub.size).toBe(1);
    reader.close();
    await servedMeanwhile(s);
    raw.socket.resume();
    await raw.end();
  });

  test("end when the server closes, which does not wait for those who hang", async () => {
    const s = await serve({ limits: { bodyTimeout: 10_000, headersTimeout: 10_000 } });
    const follower = new Raw(s.port).request("GET /v1/events");
    expect(await follower.status()).toBe(200);
    const hanging = new Raw(s.port).request("PUT /v1/blobs/".concat("0".repeat(64)), { ...GOOD, "content-length": 10 });
    const idle = new Raw(s.port);
    const keptAlive = new Raw(s.port).request("GET /v1/feed");
    expect(await keptAlive.status()).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const started = performance.now();
    await s.app.close();
    expect(performance.now() - started).toBeLessThan(1500);
    for (const raw of [follower, hanging, idle, keptAlive]) await raw.end();
  });
});

describe("pages of other origins", () => {
  test("may read nothing, unless the operator says so", async () => {
    const s = await serve();
    const from = (served: Served, path: string, origin: string, headers = {}) =>
      fetch(served.url + path, { headers: { origin, ...headers } });
    expect((await from(s, "/v1/feed", "https://app.example")).headers.get("access-control-allow-origin")).toBeNull();
    const open = await serve({ cors: ["https://app.example"] });
    const allowed = await from(open, "/v1/feed", "https://app.example");
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(allowed.headers.get("vary")).toBe("origin");
    const other = await from(open, "/v1/feed", "https://evil.example");
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
    // what needs the token is for no page
    const secret = await from(open, `/v1/blobs/${"0".repeat(64)}`, "https://app.example", GOOD);
    expect([secret.status, secret.headers.get("access-control-allow-origin")]).toEqual([404, null]);
    const all = await serve({ cors: ["*"] });
    const any = await from(all, "/v1/network", "https://x.example");
    expect(any.headers.get("access-control-allow-origin")).toBe("https://x.example");
  });
});
