import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cleanKeys, type KeyFolder, openKeys } from "../../../src/keys/folder.js";
import { fetchKeys, publishKeys, verifyKeys } from "../../../src/network/keys.js";
import { FolderStore } from "../../../src/network/store-folder.js";
import { HttpStore } from "../../../src/network/store-http.js";
import type { Progress } from "../../../src/prover/progress.js";
import type { ChunkKeyJson, KeySetJson } from "../../../src/verifier/keyset.js";
import { BlobServer } from "../../support/blob-server.js";
import { type FakeManifest, fakeKeys, writeKeys } from "../../support/key-folders.js";
import { BAD_IDS, bytesOf, sha256 } from "../../support/store-suite.js";
import { temporaryFolder } from "../../support/zoo.js";

/** A store that counts. */
class Counting extends FolderStore {
  readonly calls: string[] = [];
  /** Called before a blob is given. */
  before: ((digest: string) => unknown) | undefined;
  override async putFile(path: string, signal?: AbortSignal) {
    this.calls.push(`put ${path.split("/").at(-1)}`);
    return super.putFile(path, signal);
  }
  override async getFile(digest: string, path: string, signal?: AbortSignal) {
    this.calls.push(`get ${path.split("/").at(-1)}`);
    await this.before?.(digest);
    return super.getFile(digest, path, signal);
  }
}

const NAMES = [
  "ends-8.zkey",
  "ends-8.ckey",
  "ends-8.plan",
  "store-9.zkey",
  "store-9.ckey",
  "store-9.plan",
  "keyset.json",
];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let keys: KeyFolder;
let store: Counting;
let cache: string;
let count = 0;
beforeAll(async () => {
  folder = await temporaryFolder();
  keys = await fakeKeys(folder.path("coordinator"), "keys");
});
afterAll(() => folder.remove());
beforeEach(() => {
  store = new Counting(folder.path(`store-${count}`));
  cache = folder.path(`cache-${count++}`);
});

const inCache = (at = cache) => readdir(join(at, "keys")).then((names) => names.sort());
const manifestOf = (path: string) => readFile(join(path, "manifest.json"));
/** Name of the folder of a manifest. */
const nameOf = (manifest: string) => `fetched-${manifest.slice(0, 24)}`;
const pathOf = (digest: string) => join(store.name, digest.slice(0, 2), digest.slice(2));

async function expectSame(fetched: KeyFolder, made: KeyFolder): Promise<void> {
  expect(fetched.digest).toBe(made.digest);
  expect(fetched.parsed().digest).toBe(made.parsed().digest);
  expect(fetched.layouts.map(({ layout }) => layout)).toEqual(made.layouts.map(({ layout }) => layout));
  for (const name of [...NAMES, "manifest.json"]) {
    expect(sha256(await readFile(join(fetched.path, name)))).toBe(sha256(await readFile(join(made.path, name))));
  }
}

describe("keys that are published", () => {
  test("are in the store, file by file, and their manifest names them", async () => {
    const manifest = await publishKeys(keys, store);
    expect(manifest).toBe(sha256(await manifestOf(keys.path)));
    expect(store.calls).toEqual(NAMES.map((name) => `put ${name}`));
    for (const name of NAMES) expect(await store.has(sha256(await readFile(join(keys.path, name))))).toBe(true);
    expect(await store.usage()).toMatchObject({ blobs: 8 });
    store.calls.length = 0;
    expect(await publishKeys(keys, store)).toBe(manifest);
    expect(store.calls).toEqual([]);
    await store.delete(sha256(await readFile(join(keys.path, "store-9.plan"))));
    expect(await publishKeys(keys, store)).toBe(manifest);
    expect(store.calls).toEqual(["put store-9.plan"]);
  });

  test("are those that were made, or nothing", async () => {
    for (const damage of [
      (path: string) => truncate(path, 7),
      (path: string) => rm(path),
      (path: string) => rm(path).then(() => mkdir(path)),
    ]) {
      const mine = await fakeKeys(join(cache, "mine"), "mine");
      await damage(join(mine.path, "store-9.zkey"));
      const where = join(mine.path, "store-9.zkey");
      await expect(publishKeys(mine, store)).rejects.toMatchObject({ name: "KeysError", code: "KEYS_DAMAGED", where });
      await rm(join(mine.path, "manifest.json"));
      await expect(publishKeys(mine, store)).rejects.toMatchObject({ code: "KEYS_DAMAGED" });
      await writeFile(join(mine.path, "manifest.json"), "{}");
      await expect(publishKeys(mine, store)).rejects.toMatchObject({ code: "KEYS_MALFORMED" });
      await rm(join(cache, "mine"), { recursive: true });
    }
    const one = await fakeKeys(join(cache, "one"), "one");
    const other = await writeKeys(join(cache, "other"), "one", { digest: sha256("other circuits") });
    await cp(other, one.path, { recursive: true });
    await expect(publishKeys(one, store)).rejects.toMatchObject({ code: "KEYS_DAMAGED" });
  });

  test("until the abort", async () => {
    const reason = new Error("enough");
    await expect(publishKeys(keys, store, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await store.usage()).toMatchObject({ blobs: 0 });
  });
});

describe("keys that are fetched", () => {
  test("are those that were published", async () => {
    const manifest = await publishKeys(keys, store);
    const events: Progress[] = [];
    const fetched = await fetchKeys(store, manifest, cache, { onProgress: (event) => events.push(event) });
    await expectSame(fetched, keys);
    expect(fetched.path).toBe(join(cache, "keys", nameOf(manifest)));
    expect(await inCache()).toEqual([nameOf(manifest)]);
    expect(events.map(({ stage, done, total }) => `${stage} ${done}/${total}`)).toEqual([
      ...NAMES.map((name, i) => `fetch ${name} ${i}/7`),
      "keys 7/7",
    ]);
    await verifyKeys(fetched);
    // and no longer needed from anybody
    await rm(store.name, { recursive: true });
    await expectSame(await fetchKeys(store, manifest, cache), keys);
  });

  test("over HTTP", async () => {
    const server = new BlobServer(store.name, "token");
    try {
      const http = new HttpStore(await server.listen(), { token: "token", backoff: 1 });
      const large = await fakeKeys(join(cache, "large"), "large", { size: 300_000 });
      const manifest = await publishKeys(large, http);
      await publishKeys(large, http);
      expect(server.requests.filter((request) => request.startsWith("PUT")).length).toBe(9);
      await expectSame(await fetchKeys(http, manifest, cache), large);
      await server.close();
      const other = new HttpStore("http://127.0.0.1:9", { retries: 0 });
      await expectSame(await fetchKeys(other, manifest, cache), large);
      await expect(fetchKeys(other, sha256("x"), cache)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    } finally {
      await server.close().catch(() => {});
    }
  });

  test("do not get in the way of others of the same circuits", async () => {
    const [local, theirs] = [await fakeKeys(cache, "local"), await publishKeys(keys, store)];
    expect(local.digest).toBe(keys.digest);
    const fetched = await fetchKeys(store, theirs, cache);
    await expectSame(fetched, keys);
    expect(fetched.parsed().digest).not.toBe(local.parsed().digest);
    expect(await inCache()).toEqual([keys.digest.slice(0, 24), nameOf(theirs)].sort());
    const again = await openKeys(local.path, { verify: true });
    expect(again.parsed().digest).toBe(local.parsed().digest);
    await cleanKeys(cache);
    expect((await inCache()).length).toBe(2);
  });

  test("need not be fetched where they were made", async () => {
    const manifest = await publishKeys(keys, store);
    store.calls.length = 0;
    const found = await fetchKeys(store, manifest, folder.path("coordinator"));
    expect(found.path).toBe(keys.path);
    expect(store.calls).toEqual(["get manifest.json"]);
    expect(await inCache(folder.path("coordinator"))).toEqual([keys.digest.slice(0, 24)]);
  });

  test("by two at once are one folder", async () => {
    const manifest = await publishKeys(keys, store);
    const all = await Promise.all(Array.from({ length: 5 }, () => fetchKeys(store, manifest, cache)));
    for (const fetched of all) await expectSame(fetched, keys);
    expect(await inCache()).toEqual([nameOf(manifest)]);
    await verifyKeys(all[0]!);
  });

  test("go on where another one stopped, file by file", async () => {
    const manifest = await publishKeys(keys, store);
    const reason = new Error("enough");
    for (const [i, name] of NAMES.entries()) {
      const controller = new AbortController();
      const onProgress = ({ stage }: Progress) => {
        if (stage === `fetch ${name}`) controller.abort(reason);
      };
      store.calls.length = 0;
      await expect(fetchKeys(store, manifest, cache, { signal: controller.signal, onProgress })).rejects.toBe(reason);
      // the one before, which was not there yet
      expect(store.calls.slice(1, -1)).toEqual(i === 0 ? [] : [`get ${NAMES[i - 1]}`]);
      expect(await inCache()).toEqual([`.${nameOf(manifest)}`]);
    }
    // what a killed process or the disk made of it is found
    const arrived = join(cache, "keys", `.${nameOf(manifest)}`);
    await truncate(join(arrived, "ends-8.zkey"), 5);
    await rm(join(arrived, "ends-8.ckey"));
    await mkdir(join(arrived, "ends-8.ckey"));
    await rm(join(arrived, "ends-8.plan"));
    await symlink(join(keys.path, "ends-8.plan"), join(arrived, "ends-8.plan"));
    store.calls.length = 0;
    await expectSame(await fetchKeys(store, manifest, cache), keys);
    expect(store.calls.slice(1)).toEqual([...NAMES.slice(0, 3), "keyset.json"].map((name) => `get ${name}`));
    expect(await inCache()).toEqual([nameOf(manifest)]);
    expect(await readdir(join(cache, "keys", nameOf(manifest)))).toHaveLength(8);
  });

  test("are fetched again as far as they were damaged", async () => {
    const manifest = await publishKeys(keys, store);
    const { path } = await fetchKeys(store, manifest, cache);
    const damages: [() => Promise<unknown>, string[]][] = [
      [() => truncate(join(path, "store-9.zkey"), 5), ["store-9.zkey"]],
      [() => rm(join(path, "keyset.json")), ["keyset.json"]],
      [() => writeFile(join(path, "manifest.json"), "{}"), []],
      [() => rm(path, { recursive: true }).then(() => writeFile(path, "")), NAMES],
    ];
    for (const [damage, names] of damages) {
      await damage();
      store.calls.length = 0;
      await expectSame(await fetchKeys(store, manifest, cache), keys);
      expect(store.calls).toEqual(["manifest.json", ...names].map((name) => `get ${name}`));
      expect(await inCache()).toEqual([nameOf(manifest)]);
    }
  });

  test("without a file in the store, or with another one", async () => {
    const manifest = await publishKeys(keys, store);
    const sum = sha256(await readFile(join(keys.path, "store-9.ckey")));
    await writeFile(pathOf(sum), bytesOf(2000));
    await expect(fetchKeys(store, manifest, cache)).rejects.toMatchObject({ code: "STORE_DIGEST" });
    await expect(fetchKeys(store, manifest, cache)).rejects.toMatchObject({ code: "STORE_MISSING" });
    expect(await inCache()).toEqual([`.${nameOf(manifest)}`]);
    await publishKeys(keys, store);
    await expectSame(await fetchKeys(store, manifest, cache), keys);
    await expect(fetchKeys(store, sha256("nothing"), cache)).rejects.toMatchObject({ code: "STORE_MISSING" });
    for (const id of BAD_IDS as string[]) {
      await expect(fetchKeys(store, id, cache)).rejects.toMatchObject({ code: "STORE_BLOB_ID" });
    }
    expect(await inCache()).toEqual([nameOf(manifest)]);
  });

  test("survive that another process is done first", async () => {
    const manifest = await publishKeys(keys, store);
    let other: KeyFolder | undefined;
    store.before = async (digest) => {
      if (other !== undefined || digest !== sha256(await readFile(join(keys.path, "store-9.ckey")))) return;
      other = await fetchKeys(new FolderStore(store.name), manifest, cache);
    };
    await expectSame(await fetchKeys(store, manifest, cache), keys);
    await expectSame(other!, keys);
    expect(await inCache()).toEqual([nameOf(manifest)]);
  });

  test("leave nothing for ever", async () => {
    const manifest = await publishKeys(keys, store);
    const names = [`.${nameOf(sha256("old"))}`, ".fetching-0-1", `.${nameOf(sha256("young"))}`, "notes"];
    for (const name of names) {
      await mkdir(join(cache, "keys", name), { recursive: true });
      const then = new Date(Date.now() - 8 * 24 * 3_600_000);
      if (name !== names[2]) await utimes(join(cache, "keys", name), then, then);
    }
    await fetchKeys(store, manifest, cache);
    expect(await inCache()).toEqual([names[2], names[3], nameOf(manifest)].sort());
  });

  test("into a cache that is none", async () => {
    const manifest = await publishKeys(keys, store);
    await writeFile(cache, "");
    await expect(fetchKeys(store, manifest, cache)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
    await rm(cache);
    const reason = new Error("enough");
    await expect(fetchKeys(store, manifest, cache, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const onProgress = () => {
      throw reason;
    };
    await expect(fetchKeys(store, manifest, cache, { onProgress })).rejects.toBe(reason);
    await rm(cache, { recursive: true });
  });
});

describe("a manifest from somebody who means harm", () => {
  const zkey = { name: "ends-8", power: 8, rows: { stop: 6 } };
  const cases: [string, (manifest: FakeManifest) => void][] = [
    ["of another format", (m) => Object.assign(m, { format: "chunkproof keys 3" })],
    ["with a digest that leads elsewhere", (m) => Object.assign(m, { digest: "../../../x" })],
    ["with a file that leads elsewhere", (m) => Object.assign(m.files, { "../x.zkey": sha256("x") })],
    ["with a file of an absolute path", (m) => Object.assign(m.files, { "/tmp/x.zkey": sha256("x") })],
    ["with a file more", (m) => Object.assign(m.files, { "x.zkey": sha256("x") })],
    ["with itself in it", (m) => Object.assign(m.files, { "manifest.json": sha256("x") })],
    ["without a file", (m) => delete m.files["ends-8.plan"]],
    ["without the key set", (m) => delete m.files["keyset.json"]],
    [
      "with a file that is inherited",
      (m) => {
        delete m.files["ends-8.plan"];
        Object.assign(m.files, { constructor: sha256("x") });
      },
    ],
    ["with a sum that leads elsewhere", (m) => Object.assign(m.files, { "ends-8.plan": "../../x" })],
    ["with a sum in capitals", (m) => Object.assign(m.files, { "ends-8.plan": sha256("x").toUpperCase() })],
    ["with a sum that is a list", (m) => Object.assign(m.files, { "ends-8.plan": [sha256("x")] })],
    ["with files in a list", (m) => Object.assign(m, { files: Object.values(m.files) })],
    ["without layouts", (m) => Object.assign(m, { layouts: [] })],
    ["with layouts that are none", (m) => Object.assign(m, { layouts: { length: 2 } })],
    ["with a layout twice", (m) => m.layouts.push(m.layouts[0]!)],
    [
      "with a layout that leads elsewhere",
      (m) => Object.assign(m, { layouts: [{ ...zkey, name: "../ends-8" }, m.layouts[1]] }),
    ],
    ["with a name in a list", (m) => Object.assign(m, { layouts: [{ ...zkey, name: ["ends-8"] }, m.layouts[1]] })],
    [
      "with a row that leads elsewhere",
      (m) => Object.assign(m, { layouts: [{ ...zkey, rows: { "../stop": 6 } }, m.layouts[1]] }),
    ],
    [
      "with more rows than there is room for",
      (m) => Object.assign(m, { layouts: [{ ...zkey, rows: { stop: 257 } }, m.layouts[1]] }),
    ],
    [
      "with a count that is none",
      (m) => Object.assign(m, { layouts: [{ ...zkey, rows: { stop: "6" } }, m.layouts[1]] }),
    ],
    ["with a domain that no field has", (m) => Object.assign(m, { layouts: [{ ...zkey, power: 29 }, m.layouts[1]] })],
    ["with a power that is none", (m) => Object.assign(m, { layouts: [{ ...zkey, power: 8.5 }, m.layouts[1]] })],
    [
      "with more layouts than a key set has",
      (m) => {
        m.layouts = Array.from({ length: 256 }, (_, i) => ({ ...zkey, name: `x-${i}` }));
        m.files = { "keyset.json": m.files["keyset.json"]! };
        for (const { name } of m.layouts)
          for (const kind of ["zkey", "ckey", "plan"]) m.files[`${name}.${kind}`] = sha256("x");
      },
    ],
  ];
  /** What is published without being looked at. */
  const forced = async (path: string, names: readonly string[] = []) => {
    for (const name of names) await store.putFile(join(path, name));
    return await store.putFile(join(path, "manifest.json"));
  };

  test.each(cases)("%s is refused", async (_, manifest) => {
    const digest = await forced(await writeKeys(join(cache, "theirs"), "theirs", { manifest }));
    await expect(fetchKeys(store, digest, cache)).rejects.toMatchObject({
      name: "KeysError",
      code: "KEYS_MALFORMED",
      where: `manifest ${digest}`,
    });
    expect(await inCache()).toEqual([]);
    expect(existsSync(join(cache, "x.zkey"))).toBe(false);
  });

  test("that is no manifest", async () => {
    for (const content of [
      "",
      "null",
      "[]",
      "7",
      '"chunkproof keys 2"',
      "{",
      new Uint8Array([0xff]),
      new Uint8Array((1 << 20) + 1),
    ]) {
      const digest = await store.put(new Uint8Array(Buffer.from(content as string)));
      await expect(fetchKeys(store, digest, cache)).rejects.toMatchObject({
        name: "KeysError",
        code: "KEYS_MALFORMED",
      });
      expect(await inCache()).toEqual([]);
    }
  });

  test("with a key set that is none, of others, or that no replica takes", async () => {
    const second = (change: (first: ChunkKeyJson, second: ChunkKeyJson) => object) => (set: KeySetJson) => ({
      ...set,
      keys: [set.keys[0]!, { ...set.keys[1]!, ...change(set.keys[0]!, set.keys[1]!) }],
    });
    const sets: [(set: KeySetJson) => object, string][] = [
      [(set) => ({ ...set, keys: set.keys.toReversed() }), "KEYS_MALFORMED"],
      [(set) => ({ ...set, keys: set.keys.slice(1) }), "KEYS_MALFORMED"],
      [() => [], "KEYS_MALFORMED"],
      [(set) => ({ ...set, version: 2 }), "KEYSET_VERSION"],
      [second((_, { vk_sigma_2 }) => ({ vk_gamma_2: vk_sigma_2 })), "KEYSET_GAMMA"],
      [second(({ vk_delta_2 }) => ({ vk_delta_2 })), "KEYSET_POINTS_COINCIDE"],
    ];
    for (const [keySet, code] of sets) {
      const digest = await forced(await writeKeys(join(cache, "theirs"), "theirs", { keySet }), NAMES);
      await expect(fetchKeys(store, digest, cache)).rejects.toMatchObject({ code });
      expect(await inCache()).toEqual([]);
    }
  });
});

test("keys that are verified are read to the end", async () => {
  const mine = await fakeKeys(cache, "mine");
  await verifyKeys(mine);
  const bytes = await readFile(mine.layouts[0]!.zkey);
  bytes[1999]! ^= 1;
  await writeFile(mine.layouts[0]!.zkey, bytes);
  await openKeys(mine.path);
  await expect(verifyKeys(mine)).rejects.toMatchObject({ code: "KEYS_DAMAGED", where: mine.layouts[0]!.zkey });
});
