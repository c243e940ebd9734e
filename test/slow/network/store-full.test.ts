import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fetchKeys, publishKeys } from "../../../src/network/keys.js";
import { FolderStore } from "../../../src/network/store-folder.js";
import { HttpStore } from "../../../src/network/store-http.js";
import { BlobServer } from "../../support/blob-server.js";
import { fakeKeys } from "../../support/key-folders.js";
import { bytesOf, sha256 } from "../../support/store-suite.js";
import { temporaryFolder } from "../../support/zoo.js";

/** Mounts a disk of 1 MB; says why not. */
function mount(at: string, options = "size=1m"): string | undefined {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "chunkproof-test", at], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `nothing can be mounted here: ${(error as Error).message.split("\n")[1] ?? error}`;
  }
}
const unmount = (at: string) => execFileSync("umount", ["-l", at]);

const trial = mkdtempSync(join(tmpdir(), "chunkproof-mount-"));
const skipped = mount(trial);
if (skipped === undefined) unmount(trial);
rmdirSync(trial);

describe.skipIf(skipped !== undefined)(`a full disk${skipped === undefined ? "" : ` (skipped: ${skipped})`}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let disk: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    disk = folder.path("disk");
    await mkdir(disk);
  });
  afterAll(() => folder.remove());
  beforeEach(() => expect(mount(disk)).toBeUndefined());
  afterEach(() => unmount(disk));
  const FULL = { name: "NetworkError", code: "STORE_FULL" };

  test("takes what fits, shows nothing else, and goes on when there is room", async () => {
    const store = new FolderStore(join(disk, "store"));
    const before = await store.usage();
    expect(before.free).toBeLessThanOrEqual(1 << 20);
    const blobs = Array.from({ length: 4 }, () => bytesOf(300_000));
    for (const bytes of blobs.slice(0, 3)) await store.put(bytes);
    await writeFile(folder.path("from"), blobs[3]!);
    for (const put of [() => store.put(blobs[3]!), () => store.putFile(folder.path("from"))]) {
      await expect(put()).rejects.toMatchObject(FULL);
      expect(await store.has(sha256(blobs[3]!))).toBe(false);
      expect(await readdir(join(disk, "store", "tmp"))).toEqual([]);
      expect(await store.usage()).toMatchObject({ blobs: 3, bytes: 900_000 });
    }
    // together more than there is room for: each is there as a whole, or not at all
    const small = Array.from({ length: 20 }, () => bytesOf(20_000));
    const put = await Promise.allSettled(small.map((bytes) => store.put(bytes)));
    for (const [i, { status }] of put.entries()) {
      expect(await store.has(sha256(small[i]!))).toBe(status === "fulfilled");
      if (status === "fulfilled") expect(sha256(await store.get(sha256(small[i]!)))).toBe(sha256(small[i]!));
    }
    expect(put.some(({ status }) => status === "rejected")).toBe(true);
    for (const result of put) if (result.status === "rejected") expect(result.reason).toMatchObject(FULL);
    // what is there is no reason to write
    expect(await store.put(blobs[0]!)).toBe(sha256(blobs[0]!));
    expect(await store.delete(sha256(blobs[1]!))).toBe(true);
    expect(await store.put(blobs[3]!)).toBe(sha256(blobs[3]!));
    expect(sha256(await store.get(sha256(blobs[3]!)))).toBe(sha256(blobs[3]!));
  });

  test("without room for another name", async () => {
    unmount(disk);
    expect(mount(disk, "size=1m,nr_inodes=8")).toBeUndefined();
    const store = new FolderStore(join(disk, "store"));
    let kept = 0;
    const fill = async () => {
      for (; kept < 20; kept++) await store.put(bytesOf(10));
    };
    await expect(fill()).rejects.toMatchObject(FULL);
    expect(await store.usage()).toMatchObject({ blobs: kept });
    expect(await readdir(join(disk, "store", "tmp"))).toEqual([]);
  });

  test("of a coordinator", async () => {
    const server = new BlobServer(join(disk, "store"));
    try {
      const store = new HttpStore(await server.listen(), { backoff: 1 });
      const [first, second] = [bytesOf(900_000), bytesOf(900_000)];
      await store.put(first);
      server.requests.length = 0;
      await expect(store.put(second)).rejects.toMatchObject(FULL);
      expect(server.requests.map((request) => request.split(" ")[0])).toEqual(["HEAD", "PUT"]);
      expect(await store.has(sha256(second))).toBe(false);
      expect(sha256(await store.get(sha256(first)))).toBe(sha256(first));
    } finally {
      await server.close();
    }
  });

  test("of a worker, which fetches a blob or keys", async () => {
    const store = new FolderStore(folder.path("store"));
    const keys = await fakeKeys(folder.path("made"), "keys", { size: 150_000 });
    const manifest = await publishKeys(keys, store);
    await writeFile(join(disk, "ballast"), bytesOf(600_000));
    const digest = await store.put(bytesOf(500_000));
    await expect(store.getFile(digest, join(disk, "blob"))).rejects.toMatchObject(FULL);
    expect(await readdir(disk)).toEqual(["ballast"]);

    await expect(fetchKeys(store, manifest, join(disk, "cache"))).rejects.toMatchObject(FULL);
    const arrived = join(disk, "cache", "keys", `.fetched-${manifest.slice(0, 24)}`);
    expect(await readdir(join(disk, "cache", "keys"))).toEqual([`.fetched-${manifest.slice(0, 24)}`]);
    expect((await readdir(arrived)).sort()).toEqual(["ends-8.ckey", "ends-8.zkey"]);
    await writeFile(join(disk, "ballast"), "");
    const fetched = await fetchKeys(store, manifest, join(disk, "cache"));
    expect(sha256(await readFile(fetched.layouts[1]!.zkey))).toBe(sha256(await readFile(keys.layouts[1]!.zkey)));
  });
});
