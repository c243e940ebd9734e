import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import {
  type BlockStatus,
  CoordinatorClient,
  type Followed,
  isFinal,
  parseEvents,
} from "../../../src/network/client.js";
import { digestOf } from "../../../src/network/store.js";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

async function serve(answer: Answer, port = 0): Promise<{ address: string; port: number; server: Server }> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    answer(request, response, Buffer.concat(parts));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const bound = (server.address() as AddressInfo).port;
  return { address: `http://127.0.0.1:${bound}`, port: bound, server };
}

const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
const refuse = (response: ServerResponse, status: number, code: string, message = "no") =>
  json(response, status, { error: { code, message } });

const id = "0123456789abcdef0123456789abcdef";
const proof = new Uint8Array([1, 2, 3]);
const status = (change: Partial<BlockStatus> = {}): BlockStatus => ({
  id,
  number: 7,
  hash: `0x${"ab".repeat(32)}`,
  state: "queued",
  chunks: 0,
  committed: 0,
  proved: 0,
  ...change,
});
const proved = status({
  state: "proved",
  chunks: 1,
  committed: 1,
  proved: 1,
  proof: { digest: digestOf(proof), bytes: 3 },
});

const never = new AbortController().signal;
const quick = { backoff: 5, patience: 300 };

describe("a block is handed in", () => {
  test("as it is if it is small, compressed if not, with the token", async () => {
    const seen: { headers: IncomingMessage["headers"]; body: Buffer; url: string | undefined }[] = [];
    const { address } = await serve((request, response, body) => {
      seen.push({ headers: request.headers, body, url: `${request.method} ${request.url}` });
      json(response, 202, status());
    });
    const client = new CoordinatorClient(`${address}/`, { token: "0123456789abcdef" });
    const small = new TextEncoder().encode("{}");
    expect(await client.submit(small, never)).toEqual(status());
    const large = new Uint8Array(100_000).fill(65);
    await client.submit(large, never);
    expect(seen.map(({ url }) => url)).toEqual(["POST /v1/blocks", "POST /v1/blocks"]);
    expect(seen[0]!.headers).toMatchObject({
      authorization: "Bearer 0123456789abcdef",
      "content-type": "application/octet-stream",
    });
    expect([...seen[0]!.body]).toEqual([...small]);
    expect(seen[1]!.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(seen[1]!.body).equals(large)).toBe(true);
  });

  test("again while the coordinator is busy or ill, until that lasts too long", async () => {
    let calls = 0;
    const { address } = await serve((_request, response) => {
      calls++;
      if (calls === 1) refuse(response, 429, "BUSY");
      else if (calls === 2) response.writeHead(502).end("<html>");
      else if (calls === 3) response.destroy();
      else json(response, 200, proved);
    });
    expect(await new CoordinatorClient(address, { backoff: 5 }).submit(proof, never)).toMatchObject({
      state: "proved",
    });
    expect(calls).toBe(4);
    const busy = await serve((_request, response) => refuse(response, 429, "BUSY", "too many blocks"));
    await expect(new CoordinatorClient(busy.address, quick).submit(proof, never)).rejects.toMatchObject({
      code: "BUSY",
      message: expect.stringContaining("too many blocks"),
    });
    const gone = await serve(() => {});
    gone.server.closeAllConnections();
    await new Promise((resolve) => gone.server.close(resolve));
    await expect(new CoordinatorClient(gone.address, quick).submit(proof, never)).rejects.toMatchObject({
      code: "COORDINATOR_UNAVAILABLE",
      got: "ECONNREFUSED",
    });
  });

  test("refusals keep the coordinator's code; nothing is tried again", async () => {
    for (const [code, http, expected] of [
      ["TRACE_INVALID", 400, "TRACE_INVALID"],
      ["STORE_TOO_LARGE", 413, "STORE_TOO_LARGE"],
      ["STORE_FULL", 507, "STORE_FULL"],
      ["UNAUTHORIZED", 401, "UNAUTHORIZED"],
      ["FORBIDDEN", 403, "FORBIDDEN"],
      ["not a code", 400, "COORDINATOR_MALFORMED"],
    ] as const) {
      let calls = 0;
      const { address } = await serve((_request, response) => {
        calls++;
        json(response, http, { error: { code, message: "why\u001b[31m", where: "field", got: "x" } });
      });
      const error: Error = await new CoordinatorClient(address, quick).submit(proof, never).catch((thrown) => thrown);
      expect(error).toMatchObject({ name: "NetworkError", code: expected });
      expect(error.message).not.toContain("\u001b");
      expect(calls).toBe(1);
    }
  });

  test("answers that are none", async () => {
    for (const body of [
      "",
      "{",
      "[]",
      JSON.stringify(status({ id: "../x" })),
      JSON.stringify({ ...status(), chunks: -1 }),
    ]) {
      const { address } = await serve((_request, response) => response.writeHead(200).end(body));
      await expect(new CoordinatorClient(address).submit(proof, never)).rejects.toMatchObject({
        code: "COORDINATOR_MALFORMED",
      });
    }
    const page = await serve((_request, response) => response.writeHead(404).end("<html>"));
    await expect(new CoordinatorClient(page.address).status(id, never)).rejects.toMatchObject({
      code: "COORDINATOR_MALFORMED",
      got: "HTTP 404",
    });
    const moved = await serve((_request, response) =>
      response.writeHead(302, { location: "http://127.0.0.1:9/" }).end(),
    );
    await expect(new CoordinatorClient(moved.address).status(id, never)).rejects.toMatchObject({ got: "HTTP 302" });
  });

  test("a coordinator that says nothing is not waited for, an abort ends it", async () => {
    const { address } = await serve(() => {});
    await expect(new CoordinatorClient(address, { timeout: 50 }).status(id, never)).rejects.toMatchObject({
      code: "COORDINATOR_UNAVAILABLE",
      got: "nothing for 0.05 s",
    });
    const reason = new Error("enough");
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 20);
    await expect(new CoordinatorClient(address).submit(proof, controller.signal)).rejects.toBe(reason);
  });
});

test("addresses that are none", () => {
  for (const address of [
    "",
    "coordinator",
    "redis://a",
    "http://u:secret@a",
    "http://a/?token=secret",
    "http://a/#b",
  ]) {
    let error: Error | undefined;
    try {
      new CoordinatorClient(address);
    } catch (thrown) {
      error = thrown as Error;
    }
    expect(error, address).toMatchObject({ code: "CONFIG_INVALID", where: "--coordinator" });
    expect(error!.message).not.toContain("secret");
  }
  expect(new CoordinatorClient("http://host:80/path/").name).toBe("http://host/path");
});

test("a proof is what its digest says", async () => {
  let bytes = proof;
  const { address } = await serve((_request, response) => response.end(bytes));
  const client = new CoordinatorClient(address, quick);
  expect(await client.proof(proved, never)).toEqual(proof);
  bytes = new Uint8Array([1, 2, 4]);
  await expect(client.proof(proved, never)).rejects.toMatchObject({ code: "STORE_DIGEST" });
});

test("the clock, the network, the token", async () => {
  const network = {
    version: "1",
    protocol: "2",
    keySet: "ab".repeat(32),
    manifest: "x",
    workers: [{ id: "w", more: 1 }],
  };
  const { address } = await serve((request, response) => {
    if (request.url === "/health") {
      response.setHeader("date", new Date(Date.now() + 60_000).toUTCString());
      json(response, 200, {});
    } else if (request.url === "/v1/network") json(response, 200, network);
    else response.writeHead(request.headers.authorization === "Bearer good-good-good-good" ? 404 : 401).end();
  });
  const client = new CoordinatorClient(address);
  const { ms, ahead } = await client.ping(never);
  expect(ms).toBeLessThan(1000);
  expect(Math.abs(ahead! - 60_000)).toBeLessThan(1500);
  expect(await client.network(never)).toEqual({
    version: "1",
    protocol: "2",
    keySet: network.keySet,
    workers: [{ id: "w" }],
  });
  expect(await client.accepts(never)).toBe(false);
  expect(await new CoordinatorClient(address, { token: "good-good-good-good" }).accepts(never)).toBe(true);
});

describe("a block is followed", () => {
  const event = (name: string, data: object, seq: string) =>
    `id: ${seq}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  const collect = async (client: CoordinatorClient, signal = never): Promise<Followed[]> => {
    const all: Followed[] = [];
    for await (const one of client.follow(id, signal)) all.push(one);
    return all;
  };

  test("through its events to its end", async () => {
    let state = status({ state: "proving", chunks: 2, committed: 2 });
    const { address } = await serve((request, response) => {
      if (!request.url!.endsWith("/events")) return json(response, 200, state);
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(":\n\n");
      setTimeout(() => {
        response.write(event("chunk", { ...state, proved: 1, chunk: 1, done: "prove", worker: "w\u001b1" }, "a-1"));
        state = proved;
        response.write(event("nonsense", { x: 1 }, "a-2"));
        response.write(event("end", proved, "a-3"));
      }, 20);
    });
    expect(await collect(new CoordinatorClient(address))).toEqual([
      { type: "status", status: status({ state: "proving", chunks: 2, committed: 2 }) },
      {
        type: "progress",
        progress: { state: "proving", chunks: 2, committed: 2, proved: 1, chunk: 1, done: "prove", worker: "w 1" },
      },
      { type: "status", status: proved },
    ]);
  });

  test("a block that has ended takes one look", async () => {
    const { address } = await serve((request, response) => {
      if (request.url!.endsWith("/events")) response.writeHead(200).end(event("end", proved, "a-0"));
      else json(response, 200, proved);
    });
    expect(await collect(new CoordinatorClient(address))).toEqual([{ type: "status", status: proved }]);
  });

  test("over broken connections, going on where it was", async () => {
    const after: (string | undefined)[] = [];
    let round = 0;
    const { address } = await serve((request, response) => {
      if (!request.url!.endsWith("/events")) return json(response, 200, round < 3 ? status() : proved);
      after.push(request.headers["last-event-id"] as string | undefined);
      round++;
      if (round === 2) return void response.destroy();
      response.writeHead(200).write(":\n\n");
      setTimeout(() => response.write(event("state", status({ state: "planning" }), `b-${round}`)), 100);
      setTimeout(() => response.destroy(), 200);
    });
    const seen = await collect(new CoordinatorClient(address, { backoff: 5 }));
    expect(seen.map(({ type }) => type)).toEqual(["status", "progress", "lost", "lost", "status"]);
    expect(after).toEqual([undefined, "b-1", "b-1"]);
  });

  test("without events, where there are too many listeners", async () => {
    let asked = 0;
    const { address } = await serve((request, response) => {
      if (request.url!.endsWith("/events")) return refuse(response, 429, "BUSY");
      json(response, 200, ++asked < 2 ? status() : proved);
    });
    const seen = await collect(new CoordinatorClient(address, { poll: 5 }));
    expect(seen.map((one) => (one.type === "status" ? one.status.state : one.type))).toEqual(["queued", "proved"]);
  });

  test("not for ever: a coordinator that stays away, a block that nobody knows, an abort", async () => {
    const { address, server } = await serve((request, response) => {
      if (request.url!.endsWith("/events")) response.writeHead(200).write(":\n\n");
      else json(response, 200, status());
    });
    const client = new CoordinatorClient(address, { backoff: 5, patience: 100 });
    const seen: string[] = [];
    await expect(
      (async () => {
        for await (const { type } of client.follow(id, never)) {
          seen.push(type);
          if (seen.length === 1) {
            server.close();
            server.closeAllConnections();
          }
        }
      })(),
    ).rejects.toMatchObject({ code: "COORDINATOR_UNAVAILABLE" });
    expect(seen.slice(0, 2)).toEqual(["status", "lost"]);

    const unknown = await serve((_request, response) => refuse(response, 404, "BLOCK_UNKNOWN"));
    await expect(collect(new CoordinatorClient(unknown.address))).rejects.toMatchObject({ code: "BLOCK_UNKNOWN" });

    const quiet = await serve((request, response) => {
      if (request.url!.endsWith("/events")) response.writeHead(200).write(":\n\n");
      else json(response, 200, status());
    });
    const controller = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 50);
    await expect(collect(new CoordinatorClient(quiet.address), controller.signal)).rejects.toBe(reason);
  });
});

describe("server-sent events", () => {
  const parse = async (...texts: string[]) => {
    const found: unknown[] = [];
    const pieces = (async function* () {
      for (const text of texts) yield new TextEncoder().encode(text);
    })();
    for await (const { id, name, data } of parseEvents(pieces)) found.push([id, name, data]);
    return found;
  };

  test("in pieces cut anywhere, with any ends of lines", async () => {
    const text = ': hello\n\nid: 1\nevent: state\ndata: {"ü":1}\n\ndata: {"b":\r\ndata: 2}\r\n\r\n';
    const expected = [
      ["1", "state", { ü: 1 }],
      ["1", "message", { b: 2 }],
    ];
    expect(await parse(text)).toEqual(expected);
    expect(await parse(...text)).toEqual(expected);
  });

  test("what is no event or no JSON", async () => {
    expect(await parse("event: x\n\n", "data\n\n", "data: {\n\n", "unknown: 1\n\n", "id: a b\ndata: 1\n\n")).toEqual([
      [undefined, "message", undefined],
      [undefined, "message", undefined],
      [undefined, "message", 1],
    ]);
    expect(await parse("data: 1\n")).toEqual([]);
  });

  test("no end of a line, no end of an event: bounded", async () => {
    await expect(parse("x".repeat(70_000))).rejects.toMatchObject({ code: "COORDINATOR_MALFORMED" });
    await expect(parse(...Array.from({ length: 700 }, () => `data: ${"x".repeat(100)}\n`))).rejects.toMatchObject({
      code: "COORDINATOR_MALFORMED",
    });
  });
});

test("which states are the end", () => {
  expect((["queued", "proving", "proved", "failed", "cancelled"] as const).map((state) => isFinal({ state }))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
});
