import { execFile } from "node:child_process";
import { chmod, mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { build } from "esbuild";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ByteSource, openSource, type Source } from "../../../src/formats/source.js";
import { openFile as openFileInBrowser } from "../../../src/platform/web.js";
import { ROOT } from "../../support/circuits.js";
import { expectFormatError } from "../../support/errors.js";

// over two blocks of a download, and no multiple of anything
const SIZE = 9_000_001;
const data = Uint8Array.from({ length: SIZE }, (_, i) => (i * 7 + (i >>> 8)) & 255);

let folder: string;
let path: string;
let server: Server;
let origin: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "source-"));
  path = join(folder, "data.bin");
  await writeFile(path, data);
  server = createServer((request, response) => {
    const name = new URL(request.url!, "http://host").pathname;
    if (name === "/data") response.end(data);
    else if (name === "/chunked") {
      response.write(data.subarray(0, 5_000_000));
      response.end(data.subarray(5_000_000));
    } else if (name === "/empty") response.end();
    else if (name === "/cut") {
      response.writeHead(200, { "content-length": SIZE });
      response.write(data.subarray(0, 1000), () => response.destroy());
    } else if (name === "/endless") {
      const send = () => {
        while (!response.destroyed && response.write(data.subarray(0, 65536)));
      };
      response.on("drain", send);
      send();
    } else if (name === "/stalled") response.write(data.subarray(0, 10));
    else response.writeHead(404).end("no");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

async function use<T>(source: Source, action: (opened: ByteSource) => Promise<T>): Promise<T> {
  const opened = await openSource(source, "thing");
  try {
    return await action(opened);
  } finally {
    await opened.close();
  }
}

/** Every kind of source over the same bytes, and the name it must have. */
const kinds: [kind: string, make: () => Source, name: () => string][] = [
  ["path", () => path, () => path],
  ["file URL", () => pathToFileURL(path), () => pathToFileURL(path).href],
  ["file URL in a string", () => pathToFileURL(path).href, () => pathToFileURL(path).href],
  ["http URL", () => new URL(`${origin}/data`), () => `${origin}/data`],
  ["http URL in a string, chunked", () => `${origin}/chunked?token=secret#x`, () => `${origin}/chunked`],
  ["Uint8Array", () => data, () => "thing (in memory)"],
  [
    "Buffer in the middle of another",
    () => Buffer.concat([Buffer.alloc(3), data]).subarray(3),
    () => "thing (in memory)",
  ],
  ["ArrayBuffer", () => data.buffer, () => "thing (in memory)"],
  ["Blob", () => new Blob([data]), () => "thing (blob)"],
  ["File", () => new File([data], "chosen.bin"), () => "chosen.bin"],
  ["object URL", () => URL.createObjectURL(new Blob([data])), () => expect.stringMatching(/^blob:/)],
  [
    "shared memory",
    () => {
      const shared = new Uint8Array(new SharedArrayBuffer(SIZE));
      shared.set(data);
      return shared;
    },
    () => "thing (in memory)",
  ],
];

describe.each(kinds)("%s", (_, make, name) => {
  test("has size and name", () =>
    use(make(), async (source) => {
      expect(source.size).toBe(SIZE);
      expect(source.name).toEqual(name());
    }));

  test("reads any range, also into shared memory", () =>
    use(make(), async (source) => {
      const edges = [0, 1, (1 << 22) - 1, 1 << 22, (1 << 22) + 1, 1 << 23, SIZE - 1, SIZE];
      const offset = fc.oneof(fc.constantFrom(...edges), fc.nat(SIZE));
      await fc.assert(
        fc.asyncProperty(offset, offset, fc.boolean(), async (p, q, shared) => {
          const [from, to] = [Math.min(p, q), Math.max(p, q)];
          const expected = data.subarray(from, to);
          const copy = await source.read(from, to - from);
          expect(Buffer.compare(copy, expected)).toBe(0);
          expect(copy.buffer).toBeInstanceOf(ArrayBuffer);
          const memory = shared ? new SharedArrayBuffer(to - from + 8) : new ArrayBuffer(to - from + 8);
          const target = new Uint8Array(memory);
          await source.readInto(target.subarray(4, 4 + to - from), from);
          expect(Buffer.compare(target.subarray(4, 4 + to - from), expected)).toBe(0);
          expect([...target.subarray(0, 4), ...target.subarray(4 + to - from)]).toEqual(Array(8).fill(0));
        }),
        { numRuns: 15 },
      );
    }));

  test("refuses to read past the end", () =>
    use(make(), async (source) => {
      for (const [offset, length] of [
        [SIZE, 1],
        [0, SIZE + 1],
        [2 ** 40, 1],
        [SIZE - 1, 2],
      ] as const) {
        await expectFormatError(() => source.read(offset, length), "SOURCE_TRUNCATED", source.name);
      }
      await expectFormatError(() => source.readInto(new Uint8Array(2), SIZE - 1), "SOURCE_TRUNCATED", source.name);
    }));
});

describe("files", () => {
  test("that are empty, missing, directories, pipes or unreadable", async () => {
    const empty = join(folder, "empty");
    await writeFile(empty, "");
    await use(empty, async (source) => {
      expect(source.size).toBe(0);
      const error = await expectFormatError(() => source.read(0, 4), "SOURCE_TRUNCATED", empty);
      expect(error.message).toContain("is empty");
    });
    const missing = join(folder, "missing");
    await expectFormatError(() => openSource(missing), "FILE_NOT_FOUND", missing);
    await expectFormatError(() => openSource(pathToFileURL(missing)), "FILE_NOT_FOUND", "file:");
    await expectFormatError(() => openSource(`${path}/below`), "FILE_UNREADABLE", path);
    await expectFormatError(() => openSource(`${folder}/a\0b`), "FILE_UNREADABLE", folder);
    await expectFormatError(() => openSource("file://other-host/x"), "FILE_UNREADABLE", "file:");
    expect((await expectFormatError(() => openSource(folder), "FILE_UNREADABLE", folder)).got).toBe("a directory");
    const pipe = join(folder, "pipe");
    await promisify(execFile)("mkfifo", [pipe]);
    expect((await expectFormatError(() => openSource(pipe), "FILE_UNREADABLE", pipe)).got).toBe("a pipe or device");
    expect((await expectFormatError(() => openSource("/dev/zero"), "FILE_UNREADABLE", "/dev/zero")).got).toBe(
      "a pipe or device",
    );
  });

  test.skipIf(process.getuid?.() === 0)("without permission", async () => {
    const secret = join(folder, "secret");
    await writeFile(secret, "x");
    await chmod(secret, 0);
    await expectFormatError(() => openSource(secret), "FILE_UNREADABLE", secret);
  });

  test("that shrink while they are open", async () => {
    const shrinking = join(folder, "shrinking");
    await writeFile(shrinking, data);
    await use(shrinking, async (source) => {
      await truncate(shrinking, 1000);
      await expectFormatError(() => source.read(900, 200), "SOURCE_TRUNCATED", shrinking);
    });
  });

  test("beyond 4 GiB", async () => {
    const huge = join(folder, "huge");
    const handle = await open(huge, "w");
    const offset = 5 * 2 ** 30;
    // a hole in front: takes no disk space
    await handle.write(Uint8Array.of(1, 2, 3), 0, 3, offset);
    await handle.close();
    await use(huge, async (source) => {
      expect(source.size).toBe(offset + 3);
      expect([...(await source.read(offset - 1, 4))]).toEqual([0, 1, 2, 3]);
    });
  });

  test("are closed", async () => {
    const source = await openSource(path);
    await source.close();
    await expectFormatError(() => source.read(0, 1), "FILE_UNREADABLE", path);
  });

  test("do not exist in browsers", async () => {
    await expectFormatError(() => openFileInBrowser("/key.zkey"), "SOURCE_UNSUPPORTED", "/key.zkey");
  });
});

describe("downloads", () => {
  test("that fail", async () => {
    const error = await expectFormatError(() => openSource(`${origin}/none`), "FETCH_FAILED", `${origin}/none`);
    expect(error.got).toBe("HTTP status 404");
    await expectFormatError(() => openSource(`${origin}/cut`), "FETCH_FAILED", `${origin}/cut`);
    // a port that was free a moment ago
    const closed = createTcpServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await expectFormatError(() => openSource(`http://127.0.0.1:${port}/x`), "FETCH_FAILED", "http://127.0.0.1:");
    await expectFormatError(() => openSource("http://", "vk"), "SOURCE_UNSUPPORTED", "vk (URL)");
  });

  test("do not show secrets", async () => {
    const tokens = `${origin}/none?token=secret#secret`;
    expect((await expectFormatError(() => openSource(tokens), "FETCH_FAILED", origin)).message).not.toContain("secret");
    const user = `http://user:secret@${origin.slice(7)}/data`;
    const error = await expectFormatError(() => openSource(user, "vk"), "SOURCE_UNSUPPORTED", "vk (URL)");
    expect(error.message).not.toContain("secret");
  });

  test("of nothing", () => use(`${origin}/empty`, async (source) => expect(source.size).toBe(0)));

  test("from data URLs", () =>
    use("data:application/octet-stream;base64,AQID", async (source) => {
      expect(source.name).toBe("thing (data URL)");
      expect([...(await source.read(0, 3))]).toEqual([1, 2, 3]);
    }));

  test("stop at the size limit", async () => {
    const limit = 1 << 20;
    for (const endless of [`${origin}/endless`, path, data]) {
      await expectFormatError(() => openSource(endless, "thing", undefined, limit), "SOURCE_TOO_LARGE", "");
    }
    await (await openSource(data, "thing", undefined, SIZE)).close();
  });

  test("stop when aborted", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 50);
    await expect(openSource(`${origin}/stalled`, "thing", controller.signal)).rejects.toBe(reason);
  });
});

test("an aborted signal stops opening and reading", async () => {
  const controller = new AbortController();
  const sources = await Promise.all([path, data].map((from) => openSource(from, "thing", controller.signal)));
  const reason = new Error("enough");
  controller.abort(reason);
  for (const source of sources) {
    await expect(source.read(0, 10)).rejects.toBe(reason);
    await expect(source.readInto(new Uint8Array(10), 0)).rejects.toBe(reason);
    await source.close();
  }
  await expect(openSource(path, "thing", controller.signal)).rejects.toBe(reason);
});

test("refuses other values and URL schemes", async () => {
  for (const value of [undefined, null, 5, {}, [1, 2], new Float64Array(4), new DataView(new ArrayBuffer(8))]) {
    await expectFormatError(() => openSource(value as never, "vk"), "SOURCE_UNSUPPORTED", "vk");
  }
  for (const url of ["ftp://host/x", new URL("ftp://host/x"), new URL("mailto:x@y")]) {
    await expectFormatError(() => openSource(url), "SOURCE_UNSUPPORTED", String(url));
  }
  // not URL schemes: drive letters and odd file names
  await expectFormatError(() => openSource("C:\\key.zkey"), "FILE_NOT_FOUND", "C:\\key.zkey");
  await expectFormatError(() => openSource("a:b"), "FILE_NOT_FOUND", "a:b");
});

test("takes values from another realm", () =>
  use(runInNewContext("Uint8Array.of(4, 5, 6)"), async (source) =>
    expect([...(await source.read(0, 3))]).toEqual([4, 5, 6]),
  ));

test("the readers bundle for browsers without Node builtins", async () => {
  const formats = ["zkey", "wtns", "r1cs", "ptau", "json"].map((name) => join(ROOT, `src/formats/${name}.ts`));
  const platform = {
    name: "platform",
    setup(b: import("esbuild").PluginBuild) {
      b.onResolve({ filter: /^#platform$/ }, () => ({ path: join(ROOT, "src/platform/web.ts") }));
    },
  };
  // esbuild refuses unresolved builtins on this platform
  const result = await build({
    entryPoints: formats,
    bundle: true,
    write: false,
    outdir: folder,
    format: "esm",
    platform: "browser",
    plugins: [platform],
    logLevel: "silent",
  });
  for (const { text } of result.outputFiles) expect(text).not.toMatch(/["']node:|["'](fs|path|url)["']/);
});
