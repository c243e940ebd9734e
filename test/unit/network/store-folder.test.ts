import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, utimesSync } from "node:fs";
import type * as fs from "node:fs/promises";
import { mkdir, readdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { FolderStore } from "../../../src/network/store-folder.js";
import { BAD_IDS, bytesOf, SUITE_MAX, sha256, storeSuite } from "../../support/store-suite.js";
import { temporaryFolder } from "../../support/zoo.js";

/** What the file system does not do, by name of the call: the errno. */
const broken = vi.hoisted(() => ({ calls: new Map<string, string>(), misread: 0, opened: 0 }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof fs>();
  const failing =
    <A extends unknown[], R>(name: string, call: (...args: A) => R) =>
    (...args: A) => {
      const code = broken.calls.get(name);
      if (code === undefined) return call(...args);
      return Promise.reject(Object.assign(new Error(`${code}: ${name}`), { code })) as R;
    };
  const open = async (...args: Parameters<typeof real.open>) => {
    const handle = await real.open(...args);
    broken.opened++;
    for (const name of ["write", "sync", "stat"] as const) {
      handle[name] = failing(name, handle[name].bind(handle) as never) as never;
    }
    const { close, read } = handle;
    handle.close = async () => {
      if (handle.fd >= 0) broken.opened--;
      await close.call(handle);
      const code = broken.calls.get("close");
      if (code !== undefined) throw Object.assign(new Error(`${code}: close`), { code });
    };
    handle.read = (async (...of: [Uint8Array, number, number, number]) => {
      const result = await (read as (...of: unknown[]) => Promise<{ bytesRead: number }>).apply(handle, of);
      if (broken.misread > 0 && result.bytesRead > 0) {
        broken.misread--;
        of[0][of[1]]! ^= 1;
      }
      return result;
    }) as never;
    return handle;
  };
  const { rename, readdir, utimes, unlink, mkdir } = real;
  return {
    ...real,
    open: failing("open", open),
    rename: failing("rename", rename),
    readdir: failing("readdir", readdir as never),
    utimes: failing("utimes", utimes),
    unlink: failing("unlink", unlink),
    mkdir: failing("mkdir", mkdir as never),
  };
});

storeSuite("a folder", async (folder) => ({
  store: new FolderStore(folder, { max: SUITE_MAX }),
  pathOf: (digest) => join(folder, digest.slice(0, 2), digest.slice(2)),
  close: async () => {},
}));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let root: string;
let store: FolderStore;
let count = 0;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());
beforeEach(() => {
  root = folder.path(`store-${count++}`);
  store = new FolderStore(root);
});
afterEach(() => {
  broken.calls.clear();
  broken.misread = 0;
});

const pathOf = (digest: string) => join(root, digest.slice(0, 2), digest.slice(2));
const temporary = () => readdir(join(root, "tmp"));
/** Makes it older by an hour and a half. */
const age = async (path: string) => {
  const then = new Date(Date.now() - 5_400_000);
  await utimes(path, then, then);
};

describe("a folder of blobs", () => {
  test("has the blobs in it, and nothing else", async () => {
    const digest = await store.put(bytesOf(10));
    expect((await readdir(root)).sort()).toEqual([digest.slice(0, 2), "tmp"].sort());
    expect(await readdir(join(root, digest.slice(0, 2)))).toEqual([digest.slice(2)]);
    expect(await temporary()).toEqual([]);
    expect(store.name).toBe(root);
  });

  test("that is not there yet is empty", async () => {
    await expect(store.get(sha256("x"))).rejects.toMatchObject({ code: "STORE_MISSING" });
    expect(await store.has(sha256("x"))).toBe(false);
    expect(await store.delete(sha256("x"))).toBe(false);
    expect(await store.usage()).toMatchObject({ blobs: 0, bytes: 0 });
  });

  test("that somebody else makes is not taken for empty while it is not mounted", async () => {
    const mine = new FolderStore(root, { create: false });
    const error = { name: "NetworkError", code: "STORE_UNAVAILABLE", where: root };
    const unavailable = async () => {
      await expect(mine.put(bytesOf(1))).rejects.toMatchObject(error);
      await expect(mine.get(sha256("x"))).rejects.toMatchObject(error);
      await expect(mine.has(sha256("x"))).rejects.toMatchObject(error);
      await expect(mine.delete(sha256("x"))).rejects.toMatchObject(error);
      await expect(mine.usage()).rejects.toMatchObject(error);
      await expect(mine.sweep({ keep: () => false, olderThanMs: 0 })).rejects.toMatchObject(error);
    };
    await unavailable();
    expect(existsSync(root)).toBe(false);
    await mkdir(root);
    await unavailable();
    expect(await readdir(root)).toEqual([]);
    const digest = await store.put(bytesOf(1));
    expect(await mine.has(digest)).toBe(true);
    await mine.put(bytesOf(2));
    await rename(root, `${root}.away`);
    await expect(mine.put(bytesOf(3))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await unavailable();
  });

  test("that is removed is made again", async () => {
    await store.put(bytesOf(1));
    await rm(root, { recursive: true });
    await expect(store.put(bytesOf(2))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const bytes = bytesOf(3);
    expect(await store.get(await store.put(bytes))).toEqual(bytes);
  });

  test("that is a file", async () => {
    await writeFile(root, "");
    for (const create of [true, false]) {
      const mine = new FolderStore(root, { create });
      const error = { name: "NetworkError", code: "STORE_UNAVAILABLE" };
      await expect(mine.put(bytesOf(1))).rejects.toMatchObject(error);
      await expect(mine.get(sha256("x"))).rejects.toMatchObject(error);
      await expect(mine.has(sha256("x"))).rejects.toMatchObject(error);
    }
  });

  test("takes blobs from several at once", async () => {
    const stores = Array.from({ length: 4 }, () => new FolderStore(root));
    const blobs = Array.from({ length: 4 }, (_, i) => bytesOf(1 + i * 300_000));
    const puts = stores.flatMap((one) => blobs.map((bytes) => one.put(bytes)));
    expect(new Set(await Promise.all(puts)).size).toBe(4);
    for (const bytes of blobs) expect(sha256(await store.get(sha256(bytes)))).toBe(sha256(bytes));
    expect(await temporary()).toEqual([]);
    expect(await store.usage()).toMatchObject({ blobs: 4, bytes: blobs.reduce((sum, { length }) => sum + length, 0) });
  });

  test("removes blobs", async () => {
    const digest = await store.put(bytesOf(10));
    expect(await store.delete(digest)).toBe(true);
    expect(await store.has(digest)).toBe(false);
    expect(await store.delete(digest)).toBe(false);
    for (const id of BAD_IDS as string[]) {
      await expect(store.delete(id)).rejects.toMatchObject({ code: "STORE_BLOB_ID" });
      await expect(store.size(id)).rejects.toMatchObject({ code: "STORE_BLOB_ID" });
      await expect(store.open(id)).rejects.toMatchObject({ code: "STORE_BLOB_ID" });
      if (id === undefined) continue;
      await expect(store.putStream(Readable.from([]), { expected: id })).rejects.toMatchObject({
        code: "STORE_BLOB_ID",
      });
    }
  });

  test("does not keep bytes under the name of what they were", async () => {
    const bytes = bytesOf(100);
    const putting = store.put(bytes);
    // the digest is known, nothing is written yet
    bytes[0]! ^= 1;
    await expect(putting).rejects.toMatchObject({ code: "STORE_DIGEST" });
    expect(await store.usage()).toMatchObject({ blobs: 0 });
    expect(await temporary()).toEqual([]);
  });
});

describe("something else in the place of a blob", () => {
  const bytes = bytesOf(1000);
  const digest = sha256(bytes);
  const place = async (make: (path: string) => unknown) => {
    await mkdir(join(root, "tmp"), { recursive: true });
    await mkdir(join(root, digest.slice(0, 2)), { recursive: true });
    await make(pathOf(digest));
  };
  const things: [string, (path: string) => unknown][] = [
    ["other bytes", (path) => writeFile(path, bytesOf(1000))],
    ["fewer bytes", (path) => writeFile(path, bytes.subarray(0, 999))],
    ["more bytes", (path) => writeFile(path, Buffer.concat([bytes, bytes]))],
    [
      "a link to the very blob",
      async (path) => {
        await writeFile(folder.path("elsewhere"), bytes);
        await symlink(folder.path("elsewhere"), path);
      },
    ],
    ["a link to nothing", (path) => symlink("/nothing", path)],
    ["a link to itself", (path) => symlink(path, path)],
    ["a pipe without a writer", (path) => execFileSync("mkfifo", [path])],
    ["a folder", (path) => mkdir(path)],
  ];
  test.each(things)("%s is moved aside, and a put heals it", async (_, make) => {
    const reads: (() => Promise<unknown>)[] = [
      () => store.get(digest),
      () => store.getFile(digest, folder.path("to")),
      async () => {
        for await (const piece of (await store.open(digest)).stream()) expect(piece).toBeUndefined();
      },
    ];
    for (const read of reads) {
      await place(make);
      const { opened } = broken;
      await expect(read()).rejects.toMatchObject({ name: "NetworkError", code: "STORE_DIGEST", where: pathOf(digest) });
      await expect(read()).rejects.toMatchObject({ code: "STORE_MISSING" });
      expect(await readdir(join(root, digest.slice(0, 2)))).toEqual([`${digest.slice(2)}.damaged`]);
      expect(existsSync(folder.path("to"))).toBe(false);
      expect(broken.opened).toBe(opened);
      await store.put(bytes);
      expect(await store.get(digest)).toEqual(bytes);
      await rm(join(root, digest.slice(0, 2)), { recursive: true });
    }
  });

  test("stays when it was only misread", async () => {
    await store.put(bytes);
    broken.misread = 1;
    await expect(store.get(digest)).rejects.toMatchObject({ code: "STORE_DIGEST" });
    expect(await store.get(digest)).toEqual(bytes);
  });
});

describe("a disk", () => {
  const cases: [string, string, string][] = [
    ["write", "ENOSPC", "STORE_FULL"],
    ["write", "EDQUOT", "STORE_FULL"],
    ["sync", "ENOSPC", "STORE_FULL"],
    ["sync", "EDQUOT", "STORE_FULL"],
    ["close", "EDQUOT", "STORE_FULL"],
    ["open", "ENOSPC", "STORE_FULL"],
    ["rename", "ENOSPC", "STORE_FULL"],
    ["mkdir", "ENOSPC", "STORE_FULL"],
    ["write", "EIO", "STORE_UNAVAILABLE"],
    ["write", "EFBIG", "STORE_TOO_LARGE"],
    ["open", "EACCES", "STORE_UNAVAILABLE"],
    ["open", "EROFS", "STORE_UNAVAILABLE"],
    ["rename", "EACCES", "STORE_UNAVAILABLE"],
    ["mkdir", "EACCES", "STORE_UNAVAILABLE"],
    ["sync", "EIO", "STORE_UNAVAILABLE"],
  ];
  test.each(cases)("whose %s says %s: %s, and nothing is visible", async (call, errno, code) => {
    const bytes = bytesOf(5000);
    await writeFile(folder.path("from"), bytes);
    const puts = [
      () => store.put(bytes),
      () => store.putFile(folder.path("from")),
      () => store.putStream(Readable.from([bytes])),
    ];
    for (const put of puts) {
      // this one opens and closes a file of its own before
      if (["open", "close"].includes(call) && put === puts[1]) continue;
      broken.calls.set(call, errno);
      await expect(put()).rejects.toMatchObject({ name: "NetworkError", code });
      broken.calls.clear();
      expect(await store.has(sha256(bytes))).toBe(false);
      expect(await temporary().catch(() => [])).toEqual([]);
    }
    expect(await store.get(await store.put(bytes))).toEqual(bytes);
  });

  test("that is full where a blob is fetched to", async () => {
    const digest = await store.put(bytesOf(5000));
    for (const [call, errno, code] of [
      ["write", "ENOSPC", "STORE_FULL"],
      ["sync", "EDQUOT", "STORE_FULL"],
      ["write", "EIO", "FILE_UNWRITABLE"],
      ["rename", "EACCES", "FILE_UNWRITABLE"],
    ] as const) {
      await mkdir(folder.path("target"));
      broken.calls.set(call, errno);
      await expect(store.getFile(digest, folder.path("target/to"))).rejects.toMatchObject({ code });
      broken.calls.clear();
      expect(await readdir(folder.path("target"))).toEqual([]);
      await rm(folder.path("target"), { recursive: true });
    }
  });

  test("that cannot be read", async () => {
    const digest = await store.put(bytesOf(10));
    for (const [call, errno] of [
      ["open", "EACCES"],
      ["open", "EMFILE"],
      ["stat", "ESTALE"],
    ] as const) {
      broken.calls.set(call, errno);
      await expect(store.get(digest)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await expect(store.open(digest)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      broken.calls.clear();
    }
    broken.calls.set("readdir", "EACCES");
    await expect(store.usage()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    broken.calls.clear();
    broken.calls.set("unlink", "EACCES");
    await expect(store.delete(digest)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("where a blob of somebody else lies: it need not be written", async () => {
    const bytes = bytesOf(10);
    await store.put(bytes);
    for (const errno of ["EPERM", "EROFS"]) {
      broken.calls.set("utimes", errno);
      broken.calls.set("write", errno);
      expect(await store.put(bytes)).toBe(sha256(bytes));
    }
  });
});

describe("a stream that is put", () => {
  const pieces = [bytesOf(100_000), bytesOf(1), bytesOf(0), bytesOf(50_000)];
  const whole = new Uint8Array(Buffer.concat(pieces));
  const digest = sha256(whole);

  test("is kept under its digest", async () => {
    const size = whole.length;
    expect(await store.putStream(Readable.from(pieces))).toEqual({ digest, size, added: true });
    expect(await store.putStream(Readable.from(pieces), { expected: digest })).toEqual({ digest, size, added: false });
    expect(sha256(await store.get(digest))).toBe(digest);
    expect(await temporary()).toEqual([]);
  });

  test("is refused when it is something else or too much, and left to its owner", async () => {
    const refused: [object, string][] = [
      [{ expected: sha256("x") }, "STORE_DIGEST"],
      [{ max: whole.length - 1 }, "STORE_TOO_LARGE"],
      [{ max: 0, expected: digest }, "STORE_TOO_LARGE"],
    ];
    for (const [options, code] of refused) {
      const source = new PassThrough();
      for (const piece of pieces) source.write(piece);
      if (code === "STORE_DIGEST") source.end();
      await expect(store.putStream(source, options)).rejects.toMatchObject({ name: "NetworkError", code });
      if (code !== "STORE_DIGEST") expect(source.destroyed).toBe(false);
      source.destroy();
      expect(await temporary()).toEqual([]);
    }
    expect(await store.usage()).toMatchObject({ blobs: 0 });
    expect(await store.putStream(Readable.from(pieces), { max: whole.length })).toMatchObject({ digest });
  });

  test("that is never-ending is cut at the bound of the store", async () => {
    const small = new FolderStore(root, { max: 1 << 20 });
    let given = 0;
    const endless = async function* () {
      for (;;) {
        given += 1 << 16;
        yield new Uint8Array(1 << 16);
      }
    };
    await expect(small.putStream(Readable.from(endless()), { max: 1e9 })).rejects.toMatchObject({
      code: "STORE_TOO_LARGE",
    });
    expect(given).toBeLessThan(4 << 20);
    expect(await temporary()).toEqual([]);
  });

  test("that breaks off leaves nothing", async () => {
    const reason = new Error("the other end is gone");
    const source = new PassThrough();
    source.write(pieces[0]);
    const putting = store.putStream(source);
    setTimeout(() => source.destroy(reason), 10);
    await expect(putting).rejects.toBe(reason);
    // before anybody looks at it
    const fresh = new FolderStore(join(root, "fresh"));
    const gone = new PassThrough();
    const early = fresh.putStream(gone);
    gone.destroy(reason);
    await expect(early).rejects.toBe(reason);
    const closed = new PassThrough();
    closed.write(pieces[0]);
    setTimeout(() => closed.destroy(), 10);
    await expect(store.putStream(closed)).rejects.toMatchObject({ code: "ERR_STREAM_PREMATURE_CLOSE" });
    expect(await temporary()).toEqual([]);
    expect(await store.usage()).toMatchObject({ blobs: 0 });
  });

  test("that says nothing more ends with the abort", async () => {
    const reason = new Error("too slow");
    const controller = new AbortController();
    const source = new PassThrough();
    source.write(pieces[0]);
    setTimeout(() => controller.abort(reason), 20);
    const { opened } = broken;
    await expect(store.putStream(source, { signal: controller.signal })).rejects.toBe(reason);
    expect(source.destroyed).toBe(false);
    expect(await temporary()).toEqual([]);
    expect(broken.opened).toBe(opened);
    source.destroy();
  });
});

describe("a blob that is opened", () => {
  test("comes as a stream", async () => {
    const bytes = bytesOf((3 << 20) + 5);
    const { opened } = broken;
    const blob = await store.open(await store.put(bytes));
    expect(blob.size).toBe(bytes.length);
    const got: Buffer[] = [];
    for await (const piece of blob.stream()) got.push(piece);
    expect(sha256(Buffer.concat(got))).toBe(sha256(bytes));
    await vi.waitFor(() => expect(broken.opened).toBe(opened));
    const empty = await store.open(await store.put(new Uint8Array(0)));
    expect(empty.size).toBe(0);
    for await (const piece of empty.stream()) expect(piece).toBeUndefined();
  });

  test("never comes to its end when it is not what it should be", async () => {
    const bytes = bytesOf((3 << 20) + 5);
    const digest = await store.put(bytes);
    const changed = bytes.slice();
    changed[0]! ^= 1;
    await writeFile(pathOf(digest), changed);
    let length = 0;
    const read = async () => {
      for await (const piece of (await store.open(digest)).stream()) length += piece.length;
    };
    await expect(read()).rejects.toMatchObject({ code: "STORE_DIGEST" });
    expect(length).toBeLessThan(bytes.length);
    expect(await store.has(digest)).toBe(false);
  });

  test("is closed by whoever does not read it", async () => {
    const digest = await store.put(bytesOf(1 << 21));
    const { opened } = broken;
    await (await store.open(digest)).close();
    expect(broken.opened).toBe(opened);
    (await store.open(digest)).stream().destroy();
    const stream = (await store.open(digest)).stream();
    await new Promise((resolve) => stream.once("data", resolve));
    stream.destroy();
    await vi.waitFor(() => expect(broken.opened).toBe(opened));
  });

  test("that does not exist", async () => {
    await expect(store.open(sha256("x"))).rejects.toMatchObject({ code: "STORE_MISSING" });
    expect(await store.size(sha256("x"))).toBeUndefined();
  });
});

describe("sweeping", () => {
  test("removes what is old and not needed", async () => {
    const [kept, old, young, broke] = [bytesOf(10), bytesOf(20), bytesOf(30), bytesOf(40)];
    for (const bytes of [kept, old, young, broke]) await store.put(bytes);
    await writeFile(pathOf(sha256(broke)), bytesOf(40));
    await expect(store.get(sha256(broke))).rejects.toMatchObject({ code: "STORE_DIGEST" });
    for (const path of [pathOf(sha256(kept)), pathOf(sha256(old)), `${pathOf(sha256(broke))}.damaged`]) await age(path);
    const keep = (digest: string) => digest === sha256(kept);
    expect(await store.sweep({ keep, olderThanMs: 7_200_000 })).toEqual({ blobs: 0, bytes: 0 });
    expect(await store.sweep({ keep, olderThanMs: 3_600_000 })).toEqual({ blobs: 1, bytes: 20 });
    expect(await store.has(sha256(old))).toBe(false);
    expect(await store.has(sha256(kept))).toBe(true);
    expect(await store.has(sha256(young))).toBe(true);
    expect(existsSync(`${pathOf(sha256(broke))}.damaged`)).toBe(false);
    expect(await store.usage()).toMatchObject({ blobs: 2, bytes: 40 });
    expect(await temporary()).toEqual([]);
  });

  test("leaves what was put again", async () => {
    const bytes = bytesOf(10);
    await writeFile(folder.path("from"), bytes);
    const puts = [
      () => store.put(bytes),
      () => store.putFile(folder.path("from")),
      () => store.putStream(Readable.from([bytes])),
    ];
    for (const put of puts) {
      await put();
      await age(pathOf(sha256(bytes)));
      await put();
      expect(await store.sweep({ keep: () => false, olderThanMs: 3_600_000 })).toEqual({ blobs: 0, bytes: 0 });
    }
    // at the last moment, too
    await age(pathOf(sha256(bytes)));
    const keep = () => {
      utimesSync(pathOf(sha256(bytes)), new Date(), new Date());
      return false;
    };
    expect(await store.sweep({ keep, olderThanMs: 3_600_000 })).toEqual({ blobs: 0, bytes: 0 });
    expect(await store.get(sha256(bytes))).toEqual(bytes);
  });

  test("removes what dead writers left, also before the first put", async () => {
    await store.put(bytesOf(10));
    const [dead, alive] = [join(root, "tmp", "dead"), join(root, "tmp", "alive")];
    for (const path of [dead, alive]) await writeFile(path, "half");
    await age(dead);
    await store.sweep({ keep: () => true, olderThanMs: 0 });
    expect(await temporary()).toEqual(["alive"]);
    await age(alive);
    await new FolderStore(root, { temporaryAge: 7_200_000 }).put(bytesOf(11));
    expect(await temporary()).toEqual(["alive"]);
    await new FolderStore(root).put(bytesOf(12));
    expect(await temporary()).toEqual([]);
  });

  test("keeps away from what is not its own", async () => {
    const digest = await store.put(bytesOf(10));
    const own = [
      join(root, "notes.txt"),
      join(root, digest.slice(0, 2), "notes.txt"),
      join(root, "zz", "a".repeat(62)),
    ];
    await mkdir(join(root, "zz"));
    for (const path of own) {
      await writeFile(path, "mine");
      await age(path);
    }
    await age(pathOf(digest));
    expect(await store.sweep({ keep: () => false, olderThanMs: 0 })).toEqual({ blobs: 1, bytes: 10 });
    for (const path of own) expect(readFileSync(path, "utf8")).toBe("mine");
    expect(await store.usage()).toMatchObject({ blobs: 0 });
  });

  test("by several at once", async () => {
    for (let i = 0; i < 20; i++) await age(pathOf(await store.put(bytesOf(i + 1))));
    const swept = await Promise.all(
      [0, 1, 2].map(() => new FolderStore(root).sweep({ keep: () => false, olderThanMs: 3_600_000 })),
    );
    expect(swept.reduce((sum, { blobs }) => sum + blobs, 0)).toBe(20);
    expect(await store.usage()).toMatchObject({ blobs: 0, bytes: 0 });
  });

  test("can be stopped", async () => {
    await store.put(bytesOf(10));
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(store.sweep({ keep: () => false, olderThanMs: 0, signal })).rejects.toBe(reason);
    await expect(store.usage(signal)).rejects.toBe(reason);
  });
});

test("usage says what can still be written", async () => {
  await store.put(bytesOf(10));
  expect((await store.usage()).free).toBeGreaterThan(0);
  expect((await store.usage()).free).toBeLessThan(2 ** 60);
});
