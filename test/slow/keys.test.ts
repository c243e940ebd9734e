/** Folders of keys: made whole or not at all, and looked at when they are opened. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { KeyFolder } from "../../src/keys/folder.js";
import type { Progress } from "../../src/prover/index.js";
import {
  CACHE,
  ChunkproofError,
  cleanKeys,
  findKeys,
  freshCache as makeCache,
  makeKeys,
  openKeys,
  parseKeySet,
  SMALL,
  Threads,
} from "../support/proofs.js";
import { temporaryFolder } from "../support/zoo.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let made: KeyFolder;
let copies = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
  made = await makeKeys({ cache: CACHE, layouts: SMALL });
});
afterAll(() => folder.remove());

const freshCache = () => makeCache(folder.path(`cache-${copies++}`));
const sha256 = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");
const names = (path: string) => readdir(path).catch(() => []);
const FILES = [
  ...SMALL.flatMap(({ name }) => ["ckey", "plan", "zkey"].map((kind) => `${name}.${kind}`)),
  "keyset.json",
  "manifest.json",
].sort();

describe("keys that are made", () => {
  test("are a whole folder, the same when asked for again", async () => {
    const cache = await freshCache();
    expect(await findKeys(cache, SMALL)).toBeUndefined();
    const events: Progress[] = [];
    const keys = await makeKeys({ cache, layouts: SMALL, onProgress: (event) => events.push(event) });
    expect(events.map(({ stage, done, total }) => `${stage} ${done}/${total}`)).toEqual([
      "compile ends-8 0/4",
      "compile store-9 1/4",
      "key ends-8 2/4",
      "key store-9 3/4",
      "keys 4/4",
    ]);
    expect(await names(join(cache, "keys"))).toEqual([keys.digest.slice(0, 24)]);
    expect((await names(keys.path)).sort()).toEqual(FILES);
    expect(keys.layouts.map(({ layout }) => layout)).toEqual(SMALL);
    expect(keys.parsed().keys.map(({ name, power }) => [name, power])).toEqual([
      ["ends-8", 8],
      ["store-9", 9],
    ]);
    expect(keys.parsed().insecure).toBe(true);

    const { files } = JSON.parse(await readFile(join(keys.path, "manifest.json"), "utf8"));
    expect(Object.keys(files).sort()).toEqual(FILES.filter((name) => name !== "manifest.json"));
    for (const name of Object.keys(files)) expect(files[name]).toBe(sha256(await readFile(join(keys.path, name))));

    const again = await makeKeys({ cache, layouts: SMALL });
    const found = await findKeys(cache, SMALL);
    for (const other of [again, found!]) expect(other.parsed().digest).toBe(keys.parsed().digest);
    // other keys of the same circuits
    expect(keys.digest).toBe(made.digest);
    expect(keys.parsed().digest).not.toBe(made.parsed().digest);
    await openKeys(keys.path, { verify: true });
  });

  test("of other layouts, or of the same in another order, are another folder", async () => {
    const [ends, store] = SMALL;
    expect(await findKeys(CACHE, [store!, ends!])).toBeUndefined();
    expect(await findKeys(CACHE, [{ ...ends!, rows: { stop: 5 } }, store!])).toBeUndefined();
    expect(await findKeys(CACHE, [{ ...ends!, power: 10 }, store!])).toBeUndefined();
    expect((await findKeys(CACHE, SMALL))!.path).toBe(made.path);
  });

  test("by two at once are one folder", async () => {
    const cache = await freshCache();
    const layouts = SMALL.slice(0, 1);
    const [first, second] = await Promise.all([makeKeys({ cache, layouts }), makeKeys({ cache, layouts })]);
    expect(second.path).toBe(first.path);
    expect(second.parsed().digest).toBe(first.parsed().digest);
    expect(await names(join(cache, "keys"))).toEqual([first.digest.slice(0, 24)]);
    await openKeys(first.path, { verify: true });
  });
});

describe("an interruption", () => {
  let threads: Threads | undefined;
  afterEach(() => {
    expect(threads?.live ?? []).toEqual([]);
    threads?.stop();
    threads = undefined;
  });

  test("anywhere leaves nothing half made, and the next call succeeds", async () => {
    const cache = await freshCache();
    threads = new Threads();
    const attempt = async (when: string, options: object) => {
      const reason = new Error(when);
      const controller = new AbortController();
      const abort = () => controller.abort(reason);
      const onProgress = ({ stage }: Progress) => {
        if (stage === when) abort();
        // in the middle of the work for a key
        if (`during ${stage}` === when) setTimeout(abort, 15);
      };
      const { signal } = controller;
      const making = makeKeys({ cache, layouts: SMALL, signal, onProgress, ...options });
      await expect(making, when).rejects.toBe(reason);
      expect(await names(join(cache, "keys")), when).toEqual([]);
    };
    for (const when of ["compile ends-8", "compile store-9", "key ends-8", "during key ends-8", "key store-9"]) {
      await attempt(when, { threads: 2 });
    }
    const reason = new Error("before");
    await expect(makeKeys({ cache, layouts: SMALL, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const onProgress = ({ stage }: Progress) => {
      if (stage === "key store-9") throw reason;
    };
    await expect(makeKeys({ cache, layouts: SMALL, onProgress })).rejects.toBe(reason);
    expect(await names(join(cache, "keys"))).toEqual([]);

    const keys = await makeKeys({ cache, layouts: SMALL });
    await openKeys(keys.path, { verify: true });
    // also when there is nothing left to do
    await expect(makeKeys({ cache, layouts: SMALL, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("while a circuit is compiled ends the compiler", async () => {
    const cache = folder.path("uncompiled");
    const reason = new Error("no time");
    const controller = new AbortController();
    const onProgress = () => setTimeout(() => controller.abort(reason), 100);
    const started = performance.now();
    const layouts = SMALL.slice(1);
    await expect(makeKeys({ cache, layouts, signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await names(join(cache, "keys"))).toEqual([]);
    expect(await names(join(cache, "circuits"))).toEqual([]);
  });

  test("of a process that was killed is swept up", async () => {
    const cache = await freshCache();
    const left = join(cache, "keys", `.${made.digest.slice(0, 24)}-999999999-abcdef`);
    const busy = `.${made.digest.slice(0, 24)}-${process.pid}-abcdef`;
    await mkdir(join(cache, "keys", busy), { recursive: true });
    await mkdir(left, { recursive: true });
    await writeFile(join(left, "ends-8.zkey"), "half");
    expect(await findKeys(cache, SMALL)).toBeUndefined();
    await cp(made.path, join(cache, "keys", made.digest.slice(0, 24)), { recursive: true });
    await cleanKeys(cache);
    expect(await names(join(cache, "keys"))).toEqual([busy, made.digest.slice(0, 24)]);
    expect((await findKeys(cache, SMALL))!.parsed().digest).toBe(made.parsed().digest);
    await cleanKeys(folder.path("nowhere"));
  });
});

describe("a folder that is opened", () => {
  /** A copy in a cache of its own, damaged. */
  async function damaged(damage: (path: string) => Promise<unknown>): Promise<{ cache: string; path: string }> {
    const cache = await freshCache();
    const path = join(cache, "keys", made.digest.slice(0, 24));
    await cp(made.path, path, { recursive: true });
    await damage(path);
    return { cache, path };
  }
  async function expectKeysError(action: () => Promise<unknown>, code: string, where: string) {
    const error = await action().then(
      () => "opened",
      (reason: unknown) => reason,
    );
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(ChunkproofError);
    const { code: got, where: at } = error as InstanceType<typeof ChunkproofError>;
    expect({ code: got, where: at }).toEqual({ code, where });
  }
  /** The manifest with something changed. */
  const manifest = (change: (manifest: Record<string, unknown>) => unknown) => async (path: string) => {
    const file = join(path, "manifest.json");
    const json = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify(change(json) ?? json));
  };

  test("without keys", async () => {
    const path = folder.path("empty");
    await mkdir(path);
    await expectKeysError(() => openKeys(path), "KEYS_MISSING", path);
    await expectKeysError(() => openKeys(folder.path("none")), "KEYS_MISSING", folder.path("none"));
    const file = join(path, "file");
    await writeFile(file, "");
    await expectKeysError(() => openKeys(file), "KEYS_MISSING", file);
  });

  const bad: [string, (path: string) => Promise<unknown>][] = [
    [
      "cut off",
      (path) =>
        readFile(join(path, "manifest.json")).then((b) => writeFile(join(path, "manifest.json"), b.subarray(0, 99))),
    ],
    ["empty", (path) => writeFile(join(path, "manifest.json"), "")],
    ["null", (path) => writeFile(join(path, "manifest.json"), "null")],
    ["a folder", (path) => rm(join(path, "manifest.json")).then(() => mkdir(join(path, "manifest.json")))],
    ["of another format", manifest((m) => ({ ...m, format: `${m.format}0` }))],
    ["without digest", manifest((m) => ({ ...m, digest: undefined }))],
    ["without files", manifest((m) => ({ ...m, files: null }))],
    ["without layouts", manifest((m) => ({ ...m, layouts: [] }))],
    ["with a layout that is none", manifest((m) => ({ ...m, layouts: [null, null] }))],
    [
      "with a layout that leads elsewhere",
      manifest((m) => ({ ...m, layouts: [{ ...SMALL[0], name: "../ends-8" }, SMALL[1]] })),
    ],
    ["with a layout of no rows", manifest((m) => ({ ...m, layouts: [{ ...SMALL[0], rows: "stop" }, SMALL[1]] }))],
    [
      "with a number of rows that is none",
      manifest((m) => ({ ...m, layouts: [{ ...SMALL[0], rows: { stop: -1 } }, SMALL[1]] })),
    ],
    ["with files elsewhere", manifest((m) => ({ ...m, files: { ...(m.files as object), "../x.zkey": "00" } }))],
    [
      "that forgets a file",
      manifest(({ files }) => {
        delete (files as Record<string, string>)["ends-8.plan"];
      }),
    ],
    ["with a sum that is none", manifest((m) => ({ ...m, files: { ...(m.files as object), "ends-8.plan": 7 } }))],
  ];
  test.each(bad)("with a manifest %s", async (_, damage) => {
    const { cache, path } = await damaged(damage);
    const where = join(path, "manifest.json");
    await expectKeysError(() => openKeys(path), "KEYS_MALFORMED", where);
    await expectKeysError(() => findKeys(cache, SMALL), "KEYS_MALFORMED", where);
    await expectKeysError(() => makeKeys({ cache, layouts: SMALL }), "KEYS_MALFORMED", where);
  });

  test("with layouts in another order than the keys", async () => {
    const { path } = await damaged(manifest((m) => ({ ...m, layouts: SMALL.toReversed() })));
    await expectKeysError(() => openKeys(path), "KEYS_MALFORMED", join(path, "keyset.json"));
  });

  test("without a file", async () => {
    for (const name of FILES) {
      if (name === "manifest.json") continue;
      for (const damage of [rm, (file: string) => rm(file).then(() => mkdir(file))]) {
        const { cache, path } = await damaged((at) => damage(join(at, name)));
        await expectKeysError(() => openKeys(path), "KEYS_DAMAGED", join(path, name));
        await expectKeysError(() => makeKeys({ cache, layouts: SMALL }), "KEYS_DAMAGED", join(path, name));
        await rm(cache, { recursive: true });
      }
    }
  });

  test("with a file that is not the one that was made", async () => {
    for (const name of FILES) {
      if (name === "manifest.json") continue;
      const { path } = await damaged(async (at) => {
        const bytes = await readFile(join(at, name));
        bytes[bytes.length >> 1]! ^= 1;
        await writeFile(join(at, name), bytes);
      });
      await expectKeysError(() => openKeys(path, { verify: true }), "KEYS_DAMAGED", join(path, name));
      // the key set is what proofs are checked against: its sum is always looked at
      if (name === "keyset.json") await expectKeysError(() => openKeys(path), "KEYS_DAMAGED", join(path, name));
      else await openKeys(path);
    }
  });

  test("with keys of other circuits under the name of these", async () => {
    const cache = await freshCache();
    const layouts = SMALL.slice(0, 1);
    const other = await makeKeys({ cache, layouts });
    const path = join(cache, "keys", made.digest.slice(0, 24));
    await rename(other.path, path);
    await expectKeysError(() => findKeys(cache, SMALL), "KEYS_FOREIGN", path);
    await expectKeysError(() => makeKeys({ cache, layouts: SMALL }), "KEYS_FOREIGN", path);
    await expectKeysError(() => openKeys(path, { digest: made.digest }), "KEYS_FOREIGN", path);
    // asked for nothing in particular, it is what it is
    expect((await openKeys(path)).digest).toBe(other.digest);
  });

  test("with files that are not its own takes no notice of them", async () => {
    const { cache, path } = await damaged((at) => writeFile(join(at, "mixed-12.zkey"), "foreign"));
    expect((await findKeys(cache, SMALL))!.parsed().digest).toBe(made.parsed().digest);
    expect(existsSync(join(path, "mixed-12.zkey"))).toBe(true);
  });

  test("with a key set that no replica takes", async () => {
    const { path } = await damaged(async (at) => {
      const file = join(at, "keyset.json");
      const json = JSON.parse(await readFile(file, "utf8")) as { keys: { vk_delta_2: unknown }[] };
      // δ of the first as δ of the second: whoever knows one knows the other
      json.keys[1]!.vk_delta_2 = json.keys[0]!.vk_delta_2;
      const text = JSON.stringify(json);
      await writeFile(file, text);
      const sum = sha256(text);
      await manifest((m) => ({ ...m, files: { ...(m.files as object), "keyset.json": sum } }))(at);
    });
    const keys = await openKeys(path);
    expect(() => keys.parsed()).toThrow(expect.objectContaining({ code: "KEYSET_POINTS_COINCIDE" }));
    expect(() => parseKeySet(keys.keySet, { allowInsecure: true })).toThrow();
  });
});
