/** What setup refuses, how it is stopped, and how its key gets into a file. */

import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Progress, SetupOptions } from "chunkproof/setup";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeFileAtomic } from "../../../src/platform/node.js";
import { writeFileAtomic as writeFileInBrowser } from "../../../src/platform/web.js";
import * as built from "../../support/built.js";
import { editSection, withoutSection } from "../../support/containers.js";
import { concat, productCircuit, r1csOf, TRAPDOORS } from "./reference.js";

const { setup, SetupError } = built.setup;
const r1cs = r1csOf(productCircuit(1));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chunkproof-setup-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("options", () => {
  test.each<[string, SetupOptions]>([
    ["randomness", { randomness: TRAPDOORS }],
    ["randomness", { randomness: TRAPDOORS, insecureDeterministic: false }],
    ["randomness", { insecureDeterministic: true }],
    ["maxMemory", { maxMemory: 0 }],
    ["maxMemory", { maxMemory: -1 }],
    ["maxMemory", { maxMemory: Number.NaN }],
    ["maxMemory", { maxMemory: "1GB" as unknown as number }],
  ])("a bad %s is refused: %o", async (where, options) => {
    const refused = expect(setup(r1cs, options)).rejects;
    await refused.toBeInstanceOf(SetupError);
    await refused.toMatchObject({ code: "SETUP_OPTIONS", where });
  });

  test("bad trapdoors are refused", async () => {
    const options = (change: object) => ({ randomness: { ...TRAPDOORS, ...change }, insecureDeterministic: true });
    await expect(setup(r1cs, options({ delta: 1n }))).rejects.toMatchObject({ code: "SETUP_TRAPDOOR", where: "delta" });
    await expect(setup(r1cs, options({ tau: 1n }))).rejects.toMatchObject({ code: "SETUP_TRAPDOOR", where: "tau" });
    await expect(setup(r1cs, options({ alpha: 0n }))).rejects.toMatchObject({ code: "SETUP_TRAPDOOR", where: "alpha" });
  });

  test.each([0, 1.5, 257, "two"])("%s threads are refused", async (threads) => {
    const refused = setup(r1cs, { threads: threads as number });
    await expect(refused).rejects.toMatchObject({ code: "THREADS_INVALID" });
  });

  test("more memory than allowed is refused before the work, with numbers", async () => {
    const error = await setup(r1cs, { threads: 2, maxMemory: 1e6 }).catch((e) => e);
    expect(error).toBeInstanceOf(SetupError);
    expect(error).toMatchObject({ code: "SETUP_TOO_LARGE", expected: "at most 1 MiB (maxMemory)" });
    expect(error.got).toMatch(/^\d+ MiB: key 1 MiB, WebAssembly \d+ MiB, circuit 1 MiB$/);
  });

  test("a tiny file that claims 2^32 - 1 signals is refused", async () => {
    const claims = editSection(withoutSection(r1cs, 3), 1, (header) => header.writeUInt32LE(2 ** 32 - 1, 36));
    await expect(setup(claims)).rejects.toMatchObject({ code: "SETUP_TOO_LARGE" });
  });
});

describe("bad circuits", () => {
  test.each<[string, string, () => Uint8Array | string]>([
    ["no such file", "FILE_NOT_FOUND", () => "/nowhere/circuit.r1cs"],
    ["cut short", "SOURCE_TRUNCATED", () => r1cs.subarray(0, r1cs.length - 9)],
    ["another format", "BINFILE_MAGIC", () => concat([Buffer.from("zkey"), r1cs.subarray(4)])],
    ["another curve", "FOREIGN_CURVE", () => editSection(r1cs, 1, (header) => header.writeUInt8(7, 4))],
    ["a wire out of range", "R1CS_WIRE_RANGE", () => editSection(r1cs, 2, (rows) => rows.writeUInt32LE(4, 4))],
    [
      "a coefficient ≥ r",
      "R1CS_COEFFICIENT_NOT_CANONICAL",
      () => editSection(r1cs, 2, (rows) => rows.fill(255, 8, 40)),
    ],
    [
      "fewer wires than public signals",
      "R1CS_COUNTS",
      () => editSection(r1cs, 1, (header) => header.writeUInt32LE(1, 36)),
    ],
    ["no constraints section", "BINFILE_SECTION_MISSING", () => withoutSection(r1cs, 2)],
  ])("%s: %s", async (_, code, source) => {
    await expect(setup(source())).rejects.toMatchObject({ code });
  });
});

describe("progress and abort", () => {
  test("stages follow each other, and each runs from 0 to its total", async () => {
    const seen: Progress[] = [];
    await setup(r1cs, { onProgress: (progress) => seen.push(progress) });
    expect([...new Set(seen.map(({ stage }) => stage))]).toEqual(["read", "evaluate", "points"]);
    for (const name of ["read", "evaluate", "points"]) {
      const steps = seen.filter(({ stage }) => stage === name);
      expect(steps[0]!.done).toBe(0);
      expect(steps.at(-1)!.done).toBe(steps[0]!.total);
      steps.reduce((before, step) => {
        expect(step.done).toBeGreaterThan(before.done);
        expect(step.total).toBe(before.total);
        return step;
      });
    }
  });

  test("an abort at any moment rejects with its reason", async () => {
    let steps = 0;
    await setup(r1cs, { onProgress: () => steps++ });
    expect(steps).toBeGreaterThan(6);
    for (let at = 0; at < steps; at++) {
      const abort = new AbortController();
      const reason = new Error(`stop ${at}`);
      let count = 0;
      const onProgress = () => {
        if (count++ === at) abort.abort(reason);
      };
      await expect(setup(r1cs, { threads: 2, signal: abort.signal, onProgress }), `step ${at}`).rejects.toBe(reason);
      // the step under way may end others that run beside it, but nothing new begins
      expect(count).toBeLessThan(at + 4);
    }
  });

  test("an abort beforehand reads nothing", async () => {
    const reason = new Error("never mind");
    await expect(setup("/nowhere", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("an abort in the middle leaves no file", async () => {
    const path = join(folder, "out.zkey");
    const abort = new AbortController();
    const reason = new Error("enough");
    const key = await setup(r1cs);
    let reads = 0;
    // the piece in the middle of the file aborts when it is its turn
    const middle = Math.floor(key.zkey.length / 2);
    const piece = key.zkey[middle]!;
    Object.defineProperty(key.zkey, middle, {
      get: () => {
        reads++;
        abort.abort(reason);
        return piece;
      },
    });
    await expect(key.writeTo(path, abort.signal)).rejects.toBe(reason);
    expect(reads).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("writing", () => {
  const pieces = [Buffer.from("one,"), new Uint8Array(0), Buffer.from("two")];

  test("a key is written as its pieces say", async () => {
    const key = await setup(r1cs);
    const path = join(folder, "out.zkey");
    await key.writeTo(path);
    expect(await readFile(path)).toEqual(Buffer.concat(key.zkey));
    expect(await readdir(folder)).toEqual(["out.zkey"]);
  });

  test("paths and file URLs, new files and existing ones, large pieces", async () => {
    const path = join(folder, "file");
    await writeFileAtomic(path, pieces);
    expect(await readFile(path, "utf8")).toBe("one,two");
    const large = new Uint8Array(2 ** 24 + 5).fill(7);
    large[2 ** 24] = 8;
    await writeFileAtomic(pathToFileURL(path).href, [large]);
    expect((await readFile(path)).equals(large)).toBe(true);
    await writeFileAtomic(path, []);
    expect(await readFile(path, "utf8")).toBe("");
    expect(await readdir(folder)).toEqual(["file"]);
  });

  test("through a symbolic link its target is replaced", async () => {
    await mkdir(join(folder, "inner"));
    const target = join(folder, "inner", "target");
    const link = join(folder, "link");
    await writeFile(target, "old");
    await symlink(target, link);
    await writeFileAtomic(link, pieces);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(await readFile(target, "utf8")).toBe("one,two");
  });

  test("an abort or a failure keeps the old file and leaves no other", async () => {
    const path = join(folder, "file");
    await writeFile(path, "old");
    const abort = new AbortController();
    const reason = new Error("stop");
    const aborting = [pieces[0]!, pieces[2]!];
    Object.defineProperty(aborting, 1, {
      get: () => {
        abort.abort(reason);
        return pieces[2];
      },
    });
    await expect(writeFileAtomic(path, aborting, abort.signal)).rejects.toBe(reason);
    await expect(writeFileAtomic(path, pieces, AbortSignal.abort(reason))).rejects.toBe(reason);
    const broken = [pieces[0]!, "no bytes" as unknown as Uint8Array, { length: 3 } as unknown as Uint8Array];
    await expect(writeFileAtomic(path, broken)).rejects.toMatchObject({ code: "FILE_UNWRITABLE", where: path });
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["file"]);
  });

  test("what is no file is refused", async () => {
    const refused = async (path: string) =>
      expect(writeFileAtomic(path, pieces)).rejects.toMatchObject({ code: "FILE_UNWRITABLE", where: path });
    await refused(folder);
    await refused(join(folder, "missing", "file"));
    await refused("/dev/null");
    expect((await lstat("/dev/null")).isCharacterDevice()).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  test("browsers have no paths to write to", async () => {
    await expect(writeFileInBrowser("out.zkey", pieces)).rejects.toMatchObject({ code: "FILE_UNSUPPORTED" });
  });
});
