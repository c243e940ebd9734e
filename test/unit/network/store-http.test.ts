import { getEventListeners } from "node:events";
import { mkdir, readdir, truncate, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NetworkError } from "../../../src/network/errors.js";
import { CachedStore } from "../../../src/network/store-cache.js";
import { FolderStore } from "../../../src/network/store-folder.js";
import { HttpStore, type HttpStoreOptions } from "../../../src/network/store-http.js";
import { BlobServer, refuse } from "../../support/blob-server.js";
import { bytesOf, SUITE_MAX, sha256, storeSuite } from "../../support/store-suite.js";
import { temporaryFolder } from "../../support/zoo.js";

const TOKEN = "s3cr3t-t0ken/+=";
/** Without waiting. */
const QUICK: HttpStoreOptions = { token: TOKEN, backoff: 1, retries: 2, timeout: 5000 };

storeSuite("a coordinator", async (folder) => {
  const server = new BlobServer(folder, TOKEN);
  const url = await server.listen();
  return {
    store: new HttpStore(url, { ...QUICK, max: SUITE_MAX }),
    pathOf: (digest) => join(folder, digest.slice(0, 2), digest.slice(2)),
    close: () => server.close(),
  };
});

storeSuite("a cache before a folder", async (folder) => ({
  store: new CachedStore(new FolderStore(folder, { max: SUITE_MAX }), 0),
  pathOf: (digest) => join(folder, digest.slice(0, 2), digest.slice(2)),
  close: async () => {},
}));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: BlobServer;
let url: string;
let store: HttpStore;
let count = 0;
let target: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());
beforeEach(async () => {
  server = new BlobServer(folder.path(`store-${count}`), TOKEN, { max: 8 << 20 });
  target = folder.path(`target-${count++}`);
  await mkdir(target);
  url = await server.listen();
  store = new HttpStore(url, QUICK);
});
afterEach(() => server.close());

const codeOf = async (action: Promise<unknown>): Promise<string> => {
  const error = (await action.then(
    () => ({ code: "nothing was thrown" }),
    (reason: unknown) => reason,
  )) as { code: string };
  // with everything that a log would show of it
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(TOKEN);
  return error.code;
};
const [small, large] = [bytesOf(224), bytesOf(3 << 19)];
/** Every kind of request. */
const requests = (): [string, () => Promise<unknown>][] => [
  ["PUT", () => store.put(small)],
  ["GET", () => store.get(sha256(small))],
  ["GET", () => store.getFile(sha256(small), join(target, "to"))],
  ["HEAD", () => store.has(sha256(small))],
];
const everyCode = async () => Promise.all(requests().map(([, request]) => codeOf(request())));
const all = (code: string) => [code, code, code, code];

describe("an address", () => {
  test("is that of a coordinator, wherever it lies", async () => {
    expect(new HttpStore("http://127.0.0.1:1234").name).toBe("http://127.0.0.1:1234");
    expect(new HttpStore("https://prover.example/network//").name).toBe("https://prover.example/network");
    const inside = new HttpStore(`${url}/inside/`, QUICK);
    server.fault = (request) => {
      request.url = request.url?.replace(/^\/inside/, "");
      return false;
    };
    expect(await inside.get(await inside.put(small))).toEqual(small);
    expect(server.requests[0]).toBe(`PUT /inside/v1/blobs/${sha256(small)}`);
  });

  test("that is none, or has secrets in it, is refused and not shown", () => {
    for (const bad of [
      "",
      "localhost",
      "/v1",
      "ftp://h/",
      "file:///x",
      "redis://h",
      "http://",
      "http://u:hunter2@h/",
      "http://u@h",
      "http://h/?key=hunter2",
      "http://h/#hunter2",
    ]) {
      let error: unknown;
      try {
        new HttpStore(bad);
      } catch (caught) {
        error = caught;
      }
      expect(error, bad).toMatchObject({ name: "NetworkError", code: "CONFIG_INVALID" });
      expect(inspect(error)).not.toContain("hunter2");
    }
  });
});

describe("a token", () => {
  test("goes with every request", async () => {
    const seen: (string | undefined)[] = [];
    server.fault = (request) => {
      seen.push(request.headers.authorization);
      return false;
    };
    for (const [, request] of requests()) await request();
    expect(seen).toEqual(all(`Bearer ${TOKEN}`));
    const open = new BlobServer(folder.path(`store-${count}-open`));
    try {
      const stranger = new HttpStore(await open.listen());
      open.fault = ({ headers }) => {
        seen.push(headers.authorization);
        return false;
      };
      await stranger.put(small);
      expect(seen.at(-1)).toBeUndefined();
    } finally {
      await open.close();
    }
  });

  test("that is wrong or missing is refused, without another try", async () => {
    for (const token of ["wrong", undefined]) {
      store = new HttpStore(url, { ...QUICK, token });
      server.requests.length = 0;
      expect(await everyCode()).toEqual(all("STORE_FORBIDDEN"));
      expect(server.requests.length).toBe(4);
      await expect(store.put(large)).rejects.toMatchObject({ code: "STORE_FORBIDDEN" });
    }
  });

  test("that cannot be sent is not shown", () => {
    for (const token of ["", `${TOKEN}\n`, `${TOKEN} x`, `${TOKEN}é`, `${TOKEN}\0`]) {
      let error: unknown;
      try {
        new HttpStore(url, { token });
      } catch (caught) {
        error = caught;
      }
      expect(error).toMatchObject({ name: "NetworkError", code: "CONFIG_INVALID", where: "token" });
      expect(inspect(error)).not.toContain(TOKEN);
    }
  });

  test("does not follow a redirect", async () => {
    const other = new BlobServer(folder.path(`store-${count}-other`));
    const elsewhere = await other.listen();
    await other.store.put(small);
    try {
      for (const status of [301, 302, 303, 307, 308]) {
        server.requests.length = 0;
        server.fault = (request, response) => {
          response.writeHead(status, { location: `${elsewhere}${request.url}`, connection: "close" }).end();
          return true;
        };
        expect(await everyCode()).toEqual(all("STORE_UNAVAILABLE"));
        expect(server.requests.length).toBe(4);
        await expect(store.get(sha256(small))).rejects.toThrow("redirects are not followed");
      }
      expect(other.requests).toEqual([]);
    } finally {
      await other.close();
    }
  });
});

describe("a refusal", () => {
  const statuses: [number, string, string, string][] = [
    [400, "STORE_BLOB_ID", "STORE_BLOB_ID", "STORE_BLOB_ID"],
    [400, "SOMETHING", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [401, "UNAUTHORIZED", "STORE_FORBIDDEN", "STORE_FORBIDDEN"],
    [403, "FORBIDDEN", "STORE_FORBIDDEN", "STORE_FORBIDDEN"],
    [404, "STORE_MISSING", "STORE_MISSING", "STORE_MISSING"],
    // a server that is no coordinator, or a wrong path
    [404, "NOT_FOUND", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [405, "METHOD", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [408, "SLOW", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [413, "STORE_TOO_LARGE", "STORE_TOO_LARGE", "STORE_TOO_LARGE"],
    [413, "nginx", "STORE_TOO_LARGE", "STORE_TOO_LARGE"],
    [415, "TYPE", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [418, "TEAPOT", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [422, "STORE_DIGEST", "STORE_DIGEST", "STORE_DIGEST"],
    [429, "BUSY", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [501, "NO", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [507, "STORE_FULL", "STORE_FULL", "STORE_FULL"],
    [206, "PARTIAL", "STORE_UNAVAILABLE", "STORE_UNAVAILABLE"],
    [204, "EMPTY", "nothing was thrown", "STORE_UNAVAILABLE"],
  ];
  test.each(statuses)("HTTP %i %s is not asked for again", async (status, code, put, get) => {
    server.fault = (_, response) => {
      refuse(response, status, code);
      return true;
    };
    expect(await codeOf(store.put(small))).toBe(put);
    expect(await codeOf(store.get(sha256(small)))).toBe(get);
    expect(server.requests.length).toBe(2);
  });

  test("with whatever body", async () => {
    const bodies: (Buffer | string)[] = [
      "",
      "<html>",
      "null",
      "[]",
      '{"error":null}',
      '{"error":{"code":7}}',
      '{"error":{"code":"a b"}}',
    ];
    bodies.push(JSON.stringify({ error: { code: TOKEN } }), JSON.stringify({ error: { code: "X".repeat(65) } }));
    bodies.push(Buffer.alloc(1 << 20, 65), Buffer.from([0xff, 0xfe]));
    for (const body of bodies) {
      server.fault = (_, response) => {
        response.writeHead(404, { connection: "close" }).end(body);
        return true;
      };
      expect(await codeOf(store.get(sha256(small)))).toBe("STORE_UNAVAILABLE");
    }
    // what the other side says is not repeated
    server.fault = (request, response) => {
      const { authorization } = request.headers;
      response
        .writeHead(418, { connection: "close" })
        .end(JSON.stringify({ error: { code: "NO", message: authorization } }));
      return true;
    };
    expect(await codeOf(store.get(sha256(small)))).toBe("STORE_UNAVAILABLE");
  });

  test("whose body never ends, or breaks off, is one all the same", async () => {
    const endless = (response: ServerResponse) => {
      response.writeHead(413, { "content-type": "application/json" });
      const timer = setInterval(() => response.write(" "), 5);
      response.once("close", () => clearInterval(timer));
    };
    store = new HttpStore(url, { ...QUICK, timeout: 100 });
    server.fault = (_, response) => {
      endless(response);
      return true;
    };
    expect(await codeOf(store.get(sha256(small)))).toBe("STORE_TOO_LARGE");
    server.fault = (_, response) => {
      response.writeHead(507, { "content-length": 100 }).write("{");
      setTimeout(() => response.destroy(), 5);
      return true;
    };
    expect(await codeOf(store.get(sha256(small)))).toBe("STORE_FULL");
    expect(server.requests.length).toBe(2);
  });

  test("in the middle of a large body is heard", async () => {
    await writeFile(join(target, "from"), large);
    for (const [status, code] of [
      [413, "STORE_TOO_LARGE"],
      [507, "STORE_FULL"],
      [401, "STORE_FORBIDDEN"],
      [422, "STORE_DIGEST"],
    ] as const) {
      server.requests.length = 0;
      server.fault = (request, response) => {
        if (request.method !== "PUT") return false;
        refuse(response, status, code);
        return true;
      };
      expect(await codeOf(store.put(large))).toBe(code);
      expect(await codeOf(store.putFile(join(target, "from")))).toBe(code);
      expect(server.requests.map((request) => request.split(" ")[0])).toEqual(["HEAD", "PUT", "HEAD", "PUT"]);
    }
  });

  test("in the middle is in nobody's way", async () => {
    await store.put(small);
    for (const size of [1000, 60_000, 1 << 16, 900_000, 3 << 20]) {
      server.fault = async (request) => {
        if (request.method !== "PUT") return false;
        await new Promise((resolve) => request.once("readable", resolve));
        request.read();
        throw new NetworkError("no", { code: "STORE_FULL" });
      };
      expect(await codeOf(store.put(bytesOf(size)))).toBe("STORE_FULL");
      server.fault = undefined;
      const started = performance.now();
      await Promise.all(requests().map(([, request]) => request()));
      expect(performance.now() - started).toBeLessThan(2000);
    }
  });

  test("of a blob that is larger than the coordinator takes", async () => {
    expect(await codeOf(store.put(bytesOf((8 << 20) + 1)))).toBe("STORE_TOO_LARGE");
    expect(await server.store.usage()).toMatchObject({ blobs: 0 });
  });
});

describe("a failure that passes", () => {
  test("is tried again, a bounded number of times", async () => {
    for (const status of [500, 502, 503, 504]) {
      for (const [, request] of requests()) {
        let left = 2;
        server.requests.length = 0;
        server.fault = (_, response) => {
          if (left-- <= 0) return false;
          refuse(response, status, "INTERNAL");
          return true;
        };
        await request();
        expect(server.requests.length).toBe(3);
      }
    }
    server.requests.length = 0;
    server.fault = (_, response) => {
      refuse(response, 503, "INTERNAL");
      return true;
    };
    expect(await everyCode()).toEqual(all("STORE_UNAVAILABLE"));
    expect(server.requests.length).toBe(12);
  });

  test("a coordinator that is not there", async () => {
    await server.close();
    expect(await everyCode()).toEqual(all("STORE_UNAVAILABLE"));
    await expect(store.put(small)).rejects.toMatchObject({ got: "ECONNREFUSED" });
    const unknown = new HttpStore("http://chunkproof.invalid", { ...QUICK, retries: 0 });
    expect(await codeOf(unknown.put(small))).toBe("STORE_UNAVAILABLE");
  });

  test("a coordinator that is no HTTP server", async () => {
    const raw = createServer((socket) =>
      socket
        .on("error", () => {})
        .resume()
        .end("-ERR unknown command\r\n"),
    );
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    const { port } = raw.address() as { port: number };
    store = new HttpStore(`http://127.0.0.1:${port}`, QUICK);
    expect(await everyCode()).toEqual(all("STORE_UNAVAILABLE"));
    await new Promise((resolve) => raw.close(resolve));
  });

  test("an answer that is cut off", async () => {
    await store.put(large);
    const digest = sha256(large);
    for (const read of [() => store.get(digest), () => store.getFile(digest, join(target, "to"))]) {
      let left = 2;
      server.fault = (_, response) => {
        if (left-- <= 0) return false;
        // without a length nothing but the encoding shows that something is missing
        response.writeHead(200, left === 0 ? { "content-length": large.length } : {});
        response.write(large.subarray(0, 1 << 20), () => setTimeout(() => response.destroy(), 5));
        return true;
      };
      await read();
      server.fault = (_, response) => {
        response.writeHead(200, { "content-length": large.length });
        response.write(large.subarray(0, 1 << 20), () => setTimeout(() => response.destroy(), 5));
        return true;
      };
      expect(await codeOf(read())).toBe("STORE_UNAVAILABLE");
      expect((await readdir(target)).filter((name) => name !== "to")).toEqual([]);
    }
  });

  test("an upload that is cut off", async () => {
    let left = 2;
    server.fault = (request) => {
      if (request.method !== "PUT" || left-- <= 0) return false;
      request.once("data", () => request.socket.destroy());
      return true;
    };
    expect(await store.put(large)).toBe(sha256(large));
    expect(await server.store.has(sha256(large))).toBe(true);
    left = 3;
    expect(await codeOf(store.put(bytesOf(3 << 20)))).toBe("STORE_UNAVAILABLE");
  });
});

describe("a coordinator that is slow", () => {
  beforeEach(() => {
    store = new HttpStore(url, { ...QUICK, timeout: 80, retries: 1 });
  });

  test("and never answers is given up", async () => {
    server.fault = () => true;
    expect(await everyCode()).toEqual(all("STORE_UNAVAILABLE"));
    expect(server.requests.length).toBe(8);
    await expect(store.get(sha256(small))).rejects.toMatchObject({ expected: "something within 80 ms" });
  });

  test("and stops in the middle is given up", async () => {
    server.fault = (_, response) => {
      response.writeHead(200, { "content-length": 224 }).write(small.subarray(0, 100));
      return true;
    };
    expect(await codeOf(store.get(sha256(small)))).toBe("STORE_UNAVAILABLE");
    expect(await codeOf(store.getFile(sha256(small), join(target, "to")))).toBe("STORE_UNAVAILABLE");
    expect(await readdir(target)).toEqual([]);
    // that reads nothing
    server.fault = (request) => {
      request.pause();
      return true;
    };
    expect(await codeOf(store.put(bytesOf((8 << 20) - 1)))).toBe("STORE_UNAVAILABLE");
  });

  test("but goes on is waited for", async () => {
    const parts = Array.from({ length: 8 }, (_, i) => small.subarray(i * 28, (i + 1) * 28));
    store = new HttpStore(url, { ...QUICK, timeout: 600 });
    server.fault = async (_, response) => {
      response.writeHead(200, { "content-length": 224 });
      for (const part of parts) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        response.write(part);
      }
      response.end();
      return true;
    };
    const started = performance.now();
    expect(await store.get(sha256(small))).toEqual(small);
    expect(performance.now() - started).toBeGreaterThan(700);
    expect(server.requests.length).toBe(1);
  });
});

describe("a coordinator that lies", () => {
  test("sends other bytes", async () => {
    for (const bytes of [bytesOf(224), small.subarray(1), Buffer.concat([small, small]), new Uint8Array(0)]) {
      server.requests.length = 0;
      server.fault = (_, response) => {
        response.writeHead(200).end(bytes);
        return true;
      };
      expect(await codeOf(store.get(sha256(small)))).toBe("STORE_DIGEST");
      expect(await codeOf(store.getFile(sha256(small), join(target, "to")))).toBe("STORE_DIGEST");
      expect(server.requests.length).toBe(2);
      expect(await readdir(target)).toEqual([]);
    }
  });

  test("says that a blob is huge, or sends without end", async () => {
    store = new HttpStore(url, { ...QUICK, max: 1 << 20 });
    let sent = 0;
    const endless = (response: ServerResponse) => {
      const piece = new Uint8Array(1 << 16);
      const go = () => {
        do sent += piece.length;
        while (response.write(piece));
      };
      response.on("drain", go);
      go();
    };
    for (const headers of [{}, { "content-length": 1e15 }, { "content-length": 1000 }]) {
      server.fault = (_, response) => {
        response.on("error", () => {});
        response.writeHead(200, headers);
        if (headers["content-length"] === 1000) response.write(new Uint8Array(999), () => response.destroy());
        else endless(response);
        return true;
      };
      const code = headers["content-length"] === 1000 ? "STORE_UNAVAILABLE" : "STORE_TOO_LARGE";
      expect(await codeOf(store.get(sha256(small)))).toBe(code);
      expect(await codeOf(store.getFile(sha256(small), join(target, "to")))).toBe(code);
      expect(await readdir(target)).toEqual([]);
    }
    expect(sent).toBeLessThan(64 << 20);
  });

  test("packs a lot into a little", async () => {
    store = new HttpStore(url, { ...QUICK, max: 1 << 20 });
    const bomb = gzipSync(new Uint8Array(16 << 20));
    server.fault = (_, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-length": bomb.length }).end(bomb);
      return true;
    };
    expect(await codeOf(store.get(sha256(small)))).toBe("STORE_TOO_LARGE");
  });
});

describe("an abort", () => {
  const reason = new Error("enough");
  const aborted = async (action: (signal: AbortSignal) => Promise<unknown>) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 30);
    const started = performance.now();
    await expect(action(controller.signal)).rejects.toBe(reason);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    expect(await readdir(target)).toEqual([]);
  };

  test("ends waiting for an answer, or for the rest of it", async () => {
    for (const headers of [false, true]) {
      server.fault = (_, response) => {
        if (headers) response.writeHead(200, { "content-length": 224 }).write(small.subarray(0, 100));
        return true;
      };
      await aborted((signal) => store.get(sha256(small), signal));
      await aborted((signal) => store.getFile(sha256(small), join(target, "to"), signal));
      if (!headers) await aborted((signal) => store.has(sha256(small), signal));
      if (!headers) await aborted((signal) => store.put(small, signal));
    }
  });

  test("ends an upload", async () => {
    const gone: string[] = [];
    server.fault = (request) => {
      if (request.method !== "PUT") return false;
      request.on("error", () => gone.push(request.method!));
      return true;
    };
    await aborted((signal) => store.put(bytesOf(8 << 20), signal));
    await writeFile(folder.path("upload"), bytesOf(8 << 20));
    await aborted((signal) => store.putFile(folder.path("upload"), signal));
  });

  test("ends the pause before another try", async () => {
    store = new HttpStore(url, { ...QUICK, backoff: 60_000 });
    server.fault = (_, response) => {
      refuse(response, 503, "INTERNAL");
      return true;
    };
    await aborted((signal) => store.get(sha256(small), signal));
    expect(server.requests.length).toBe(1);
  });

  test("that does not come leaves no listener", async () => {
    const { signal } = new AbortController();
    await store.put(large, signal);
    await store.get(sha256(large), signal);
    await store.getFile(sha256(large), folder.path("to"), signal);
    await store.putFile(folder.path("to"), signal);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("requests", () => {
  test("share a connection", async () => {
    for (let i = 0; i < 10; i++) {
      const bytes = bytesOf(1000 + i);
      await store.put(bytes);
      await store.get(sha256(bytes));
      await codeOf(store.get(sha256("nothing")));
    }
    expect(server.requests.length).toBe(30);
    expect(server.connections).toBeLessThan(4);
  });

  test("send what is large only when it is not there", async () => {
    await store.put(large);
    await store.put(large);
    await writeFile(join(target, "from"), large);
    await store.putFile(join(target, "from"));
    await store.put(small);
    await store.put(small);
    const url = (bytes: Uint8Array) => `/v1/blobs/${sha256(bytes)}`;
    const [ask, send] = [`HEAD ${url(large)}`, `PUT ${url(large)}`];
    expect(server.requests).toEqual([ask, send, ask, ask, `PUT ${url(small)}`, `PUT ${url(small)}`]);
  });

  test("send a file that is changed meanwhile only if it is what it was", async () => {
    const path = join(target, "from");
    for (const [length, code] of [
      [large.length + 5, "nothing was thrown"],
      [large.length - 5, "STORE_DIGEST"],
    ] as const) {
      await writeFile(path, large);
      await server.store.delete(sha256(large));
      server.fault = async (request) => {
        if (request.method === "HEAD") await truncate(path, length);
        return false;
      };
      expect(await codeOf(store.putFile(path))).toBe(code);
      expect(await server.store.has(sha256(large))).toBe(code !== "STORE_DIGEST");
    }
    const changed = large.slice();
    changed[7]! ^= 1;
    await writeFile(path, large);
    server.fault = async (request) => {
      if (request.method === "HEAD") await writeFile(path, changed);
      return false;
    };
    expect(await codeOf(store.putFile(path))).toBe("STORE_DIGEST");
    expect((await server.store.usage()).blobs).toBe(0);
  });
});

describe("a cache", () => {
  let behind: FolderStore;
  let reads: string[];
  const blobs = [bytesOf(100), bytesOf(100), bytesOf(100), bytesOf(301)];
  const [a, b, c, big] = blobs.map(sha256) as [string, string, string, string];
  beforeEach(async () => {
    behind = new FolderStore(folder.path(`behind-${count}`));
    reads = [];
    for (const bytes of blobs) await behind.put(bytes);
    const get = behind.get.bind(behind);
    behind.get = (digest, signal) => {
      reads.push(digest);
      return get(digest, signal);
    };
  });

  test("reads once what is read again soon, and forgets what was not read for longest", async () => {
    const cache = new CachedStore(behind, 250);
    expect(cache.name).toBe(behind.name);
    await cache.get(a);
    await cache.get(b);
    await cache.get(a);
    expect(reads).toEqual([a, b]);
    await cache.get(c);
    await cache.get(a);
    await cache.get(c);
    expect(reads).toEqual([a, b, c]);
    await cache.get(b);
    expect(reads).toEqual([a, b, c, b]);
    expect(cache.bytes).toBe(200);
    // what has no room pushes nothing out
    expect((await cache.get(big)).length).toBe(301);
    await cache.get(c);
    expect(reads).toEqual([a, b, c, b, big]);
    cache.clear();
    expect(cache.bytes).toBe(0);
    await cache.get(c);
    expect(reads.length).toBe(6);
  });

  test("is not changed by those who read it", async () => {
    const cache = new CachedStore(behind);
    for (let i = 0; i < 3; i++) {
      const bytes = await cache.get(a);
      expect(sha256(bytes)).toBe(a);
      bytes.fill(0);
      structuredClone(bytes, { transfer: [bytes.buffer] });
    }
    expect(reads).toEqual([a]);
    const both = await Promise.all([cache.get(b), cache.get(b)]);
    expect(both.map(sha256)).toEqual([b, b]);
    expect(cache.bytes).toBe(200);
  });

  test("keeps no errors, and asks the store what is there", async () => {
    const cache = new CachedStore(behind);
    const bytes = bytesOf(7);
    await expect(cache.get(sha256(bytes))).rejects.toMatchObject({ code: "STORE_MISSING" });
    await cache.put(bytes);
    expect(await cache.get(sha256(bytes))).toEqual(bytes);
    await behind.delete(sha256(bytes));
    expect(await cache.has(sha256(bytes))).toBe(false);
    await expect(cache.get("../x")).rejects.toMatchObject({ code: "STORE_BLOB_ID" });
  });
});
