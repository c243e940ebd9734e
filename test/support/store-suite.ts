/**
 * What every store does, whatever is behind it.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../src/network/store.js";
import { temporaryFolder } from "./zoo.js";

/** A store, and the way round it. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Where the file of a blob lies. */
  pathOf(digest: string): string;
  close(): Promise<void>;
}

export const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

/** Random bytes in an array of their own. */
export const bytesOf = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

/** What is no digest, or not the one way to write it. */
export const BAD_IDS: readonly unknown[] = [
  "",
  "../",
  "../../../../etc/passwd",
  `../${"a".repeat(61)}`,
  "%2e%2e",
  `%2e%2e%2f${"a".repeat(55)}`,
  "a".repeat(63),
  "a".repeat(65),
  "A".repeat(64),
  `${"a".repeat(64)}\n`,
  `${"a".repeat(32)}/${"a".repeat(31)}`,
  `${"a".repeat(63)}\0`,
  "a".repeat(1_000_000),
  undefined,
  null,
  7,
  {},
  ["a".repeat(64)],
  { toString: () => "a".repeat(64) },
  new String("a".repeat(64)),
];

/** The largest blob of the stores that are tested. */
export const SUITE_MAX = 5 << 19;

/**
 * Runs the tests on a store.
 *
 * @param make a new and empty store whose largest blob is {@link SUITE_MAX}; the folder is there and empty.
 */
export function storeSuite(name: string, make: (folder: string) => Promise<StoreUnderTest>): void {
  describe(`${name}: what every store does`, () => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let under: StoreUnderTest;
    let store: Store;
    let count = 0;
    beforeAll(async () => {
      folder = await temporaryFolder();
    });
    afterAll(() => folder.remove());
    beforeEach(async () => {
      const root = folder.path(`store-${count++}`);
      await mkdir(root);
      await mkdir(here());
      under = await make(root);
      store = under.store;
    });
    afterEach(() => under.close());
    /** Files of a test. */
    const here = () => folder.path(`files-${count}`);
    const file = (name: string) => `${here()}/${name}`;
    /** Makes something else of a blob. */
    const damage = async (digest: string) => {
      const path = under.pathOf(digest);
      const bytes = await readFile(path);
      bytes[bytes.length >> 1]! ^= 1;
      await writeFile(path, bytes);
    };

    test("keeps what is put, of any size", async () => {
      for (const size of [0, 1, 224, (1 << 16) - 1, 1 << 16, (1 << 20) + 1, SUITE_MAX]) {
        const bytes = bytesOf(size);
        const digest = sha256(bytes);
        expect(await store.has(digest)).toBe(false);
        expect(await store.put(bytes)).toBe(digest);
        expect(await store.has(digest)).toBe(true);
        expect(await store.put(bytes)).toBe(digest);
        const got = await store.get(digest);
        expect(Object.getPrototypeOf(got)).toBe(Uint8Array.prototype);
        // all of its memory, so that it can be given to a thread
        expect([got.byteOffset, got.buffer.byteLength]).toEqual([0, size]);
        expect(sha256(got)).toBe(digest);
        expect(sha256(await readFile(under.pathOf(digest)))).toBe(digest);
      }
    });

    test("keeps a part of a larger memory", async () => {
      const memory = bytesOf(1000);
      const part = memory.subarray(100, 900);
      expect(await store.put(part)).toBe(sha256(part));
      expect(await store.get(sha256(part))).toEqual(part.slice());
    });

    test("keeps files and gives files", async () => {
      for (const size of [0, 224, (1 << 21) + 7]) {
        const bytes = bytesOf(size);
        await writeFile(file("from"), bytes);
        const digest = await store.putFile(file("from"));
        expect(digest).toBe(sha256(bytes));
        expect(await store.putFile(file("from"))).toBe(digest);
        await store.getFile(digest, file("to"));
        expect(sha256(await readFile(file("to")))).toBe(digest);
        expect(sha256(await store.get(digest))).toBe(digest);
      }
      expect((await readdir(here())).sort()).toEqual(["from", "to"]);
    });

    test("says that a blob is missing", async () => {
      const digest = sha256("nobody put this");
      await expect(store.get(digest)).rejects.toMatchObject({ name: "NetworkError", code: "STORE_MISSING" });
      await expect(store.getFile(digest, file("to"))).rejects.toMatchObject({ code: "STORE_MISSING" });
      expect(await store.has(digest)).toBe(false);
      expect(await readdir(here())).toEqual([]);
    });

    test("takes nothing for a digest that is none", async () => {
      for (const id of BAD_IDS as string[]) {
        const error = { name: "NetworkError", code: "STORE_BLOB_ID" };
        await expect(store.get(id)).rejects.toMatchObject(error);
        await expect(store.has(id)).rejects.toMatchObject(error);
        await expect(store.getFile(id, file("to"))).rejects.toMatchObject(error);
      }
      expect(await readdir(here())).toEqual([]);
    });

    test("serves many at once, with the same blobs", async () => {
      const blobs = Array.from({ length: 5 }, (_, i) => bytesOf(100_000 * i + 1));
      const many = Array.from({ length: 30 }, (_, i) => blobs[i % blobs.length]!);
      expect(await Promise.all(many.map((bytes) => store.put(bytes)))).toEqual(many.map(sha256));
      const got = await Promise.all(many.map((bytes) => store.get(sha256(bytes))));
      expect(got.map(sha256)).toEqual(many.map(sha256));
      await Promise.all(many.map((bytes, i) => store.getFile(sha256(bytes), file(`to-${i % 7}`))));
      expect((await readdir(here())).length).toBe(7);
    });

    test("gives out nothing else than what was put, and heals", async () => {
      for (const size of [224, 1 << 17, 1 << 21]) {
        for (const read of [(digest: string) => store.get(digest), (d: string) => store.getFile(d, file("to"))]) {
          const bytes = bytesOf(size);
          const digest = await store.put(bytes);
          await damage(digest);
          await expect(read(digest)).rejects.toMatchObject({ code: expect.stringMatching(/^STORE_(DIGEST|MISSING)$/) });
          expect(await readdir(here())).toEqual([]);
          await expect(read(digest)).rejects.toMatchObject({ code: "STORE_MISSING" });
          await store.put(bytes);
          expect(sha256(await store.get(digest))).toBe(digest);
        }
      }
    });

    test("puts a blob again that was cut off, or is longer than it was", async () => {
      for (const size of [224, 1 << 17]) {
        const bytes = bytesOf(size);
        await writeFile(file("from"), bytes);
        for (const put of [() => store.put(bytes), () => store.putFile(file("from"))]) {
          for (const length of [0, 100, size + 1]) {
            const digest = await put();
            await truncate(under.pathOf(digest), length);
            await put();
            expect(sha256(await store.get(digest))).toBe(digest);
          }
        }
      }
    });

    test("takes and gives no blob beyond its bound", async () => {
      const bytes = bytesOf(SUITE_MAX + 1);
      const digest = sha256(bytes);
      await writeFile(file("from"), bytes);
      const error = { name: "NetworkError", code: "STORE_TOO_LARGE" };
      await expect(store.put(bytes)).rejects.toMatchObject(error);
      await expect(store.putFile(file("from"))).rejects.toMatchObject(error);
      expect(await store.has(digest)).toBe(false);
      await mkdir(dirname(under.pathOf(digest)), { recursive: true });
      await writeFile(under.pathOf(digest), bytes);
      await expect(store.get(digest)).rejects.toMatchObject(error);
      await expect(store.getFile(digest, file("to"))).rejects.toMatchObject(error);
      expect(await readdir(here())).toEqual(["from"]);
    });

    test("does nothing once aborted", async () => {
      const reason = new Error("enough");
      const signal = AbortSignal.abort(reason);
      const digest = await store.put(bytesOf(10));
      const other = bytesOf(11);
      await writeFile(file("from"), other);
      await expect(store.put(other, signal)).rejects.toBe(reason);
      await expect(store.putFile(file("from"), signal)).rejects.toBe(reason);
      await expect(store.get(digest, signal)).rejects.toBe(reason);
      await expect(store.has(digest, signal)).rejects.toBe(reason);
      await expect(store.getFile(digest, file("to"), signal)).rejects.toBe(reason);
      expect(await store.has(sha256(other))).toBe(false);
      expect(await readdir(here())).toEqual(["from"]);
    });

    test("stops when aborted on the way", async () => {
      const reason = new Error("enough");
      const bytes = bytesOf(SUITE_MAX);
      const other = bytesOf(SUITE_MAX);
      await writeFile(file("from"), other);
      const digest = await store.put(bytes);
      const actions: ((signal: AbortSignal) => Promise<unknown>)[] = [
        (signal) => store.put(other, signal),
        (signal) => store.putFile(file("from"), signal),
        (signal) => store.get(digest, signal),
        (signal) => store.getFile(digest, file("to"), signal),
      ];
      for (const action of actions) {
        const controller = new AbortController();
        const done = action(controller.signal);
        setImmediate(() => controller.abort(reason));
        await expect(done).rejects.toBe(reason);
      }
      expect(await readdir(here())).toEqual(["from"]);
      await store.put(other);
      expect(sha256(await store.get(sha256(other)))).toBe(sha256(other));
    });

    test("names the local file that cannot be read or written", async () => {
      const digest = await store.put(bytesOf(1000));
      const { name } = { name: "FormatError" };
      await expect(store.putFile(file("none"))).rejects.toMatchObject({ name, code: "FILE_NOT_FOUND" });
      await expect(store.putFile(here())).rejects.toMatchObject({ name, code: "FILE_UNREADABLE" });
      const nowhere = file("none/to");
      await expect(store.getFile(digest, nowhere)).rejects.toMatchObject({
        name,
        code: "FILE_UNWRITABLE",
        where: nowhere,
      });
      await mkdir(file("folder"));
      await writeFile(file("folder/x"), "");
      await expect(store.getFile(digest, file("folder"))).rejects.toMatchObject({ name, code: "FILE_UNWRITABLE" });
      expect(await readdir(here())).toEqual(["folder"]);
    });

    test("replaces a file as a whole or leaves it", async () => {
      await writeFile(file("to"), "what was there");
      const bytes = bytesOf(1000);
      const digest = await store.put(bytes);
      await damage(digest);
      await expect(store.getFile(digest, file("to"))).rejects.toMatchObject({ name: "NetworkError" });
      expect(await readFile(file("to"), "utf8")).toBe("what was there");
      await store.put(bytes);
      await store.getFile(digest, file("to"));
      expect(sha256(await readFile(file("to")))).toBe(digest);
      expect(await readdir(here())).toEqual(["to"]);
    });
  });
}
