import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FolderStore } from "../../../src/network/store-folder.js";
import { ROOT } from "../../support/circuits.js";
import { sha256 } from "../../support/store-suite.js";
import { temporaryFolder } from "../../support/zoo.js";

/** Puts the same blobs as all others, again and again, until it is killed. */
const WRITER = `
import { FolderStore } from ${JSON.stringify(join(ROOT, "src/network/store-folder.ts"))};
const store = new FolderStore(process.argv[2]);
const blobs = Array.from({ length: 6 }, (_, i) => new Uint8Array(1 + i * 700_000).fill(i));
process.send("writing");
for (;;) for (const bytes of blobs) {
  const digest = await store.put(bytes);
  const got = await store.get(digest).catch((error) => ({ error }));
  // removed by another one: that is no fault
  if (got.error !== undefined && got.error.code !== "STORE_MISSING") throw got.error;
  await store.delete(digest);
}
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let script: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  script = folder.path("writer.mjs");
  await build({
    stdin: { contents: WRITER, resolveDir: ROOT, loader: "ts" },
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["webgpu"],
    alias: { "#platform": join(ROOT, "src/platform/node.ts") },
    logLevel: "silent",
  });
});
afterAll(() => folder.remove());

describe("a folder that several processes write to", () => {
  test("shows whole blobs only, whenever they are killed", async () => {
    const root = folder.path("store");
    await mkdir(root);
    const store = new FolderStore(root, { temporaryAge: 0 });
    const failures: string[] = [];
    const start = async (): Promise<ChildProcess> => {
      const child = spawn(process.execPath, [script, root], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
      child.stderr!.on("data", (text) => failures.push(String(text)));
      await once(child, "message");
      return child;
    };
    const kill = async (child: ChildProcess) => {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    };
    const writers = await Promise.all([start(), start(), start()]);
    let left = 0;
    try {
      for (let round = 0; round < 12; round++) {
        await new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * 80));
        await kill(writers[round % 3]!);
        left += (await readdir(join(root, "tmp"))).length;
        for (const shard of (await readdir(root)).filter((name) => name !== "tmp")) {
          for (const name of await readdir(join(root, shard))) {
            // others may remove it now
            const bytes = await readFile(join(root, shard, name)).catch(() => undefined);
            if (bytes !== undefined) expect(sha256(bytes)).toBe(shard + name);
          }
        }
        writers[round % 3] = await start();
      }
    } finally {
      for (const writer of writers) await kill(writer);
    }
    expect(failures).toEqual([]);
    // they were killed while they wrote
    expect(left).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await store.sweep({ keep: () => false, olderThanMs: 0 });
    expect(await readdir(join(root, "tmp"))).toEqual([]);
    expect(await store.usage()).toMatchObject({ blobs: 0 });
  });
});
