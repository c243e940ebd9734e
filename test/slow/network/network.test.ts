/**
 * A network of real processes that everything happens to: Redis, a coordinator, three workers, a replica, ten blocks.
 */

import { execFileSync } from "node:child_process";
import { cp, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeTrace } from "../../../src/trace/format.js";
import { ROOT } from "../../support/circuits.js";
import { type ServiceProcess, TestNetwork, tokenChain, until } from "../../support/network.js";
import { CACHE, decodeBlockProof, makeKeys, proveBlock } from "../../support/proofs.js";
import { freePort, redisMissing, startRedis, type TestRedis } from "../../support/redis.js";
import { SEED } from "../../support/seed.js";

const BLOCKS = 10;
/** D and P of a chunk's proof. */
const commitmentsOf = (proof: Uint8Array): string[] =>
  decodeBlockProof(proof).chunks.map(({ proof: bytes }) => Buffer.from(bytes.subarray(128, 192)).toString("hex"));

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

async function rpc<T>(port: number, method: string, params: unknown[] = []): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${port}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  return ((await response.json()) as { result: T }).result;
}

describe.skipIf(redisMissing !== undefined)(`a network of processes${redisMissing ? ` (${redisMissing})` : ""}`, () => {
  let dir: string;
  let redis: TestRedis;
  let network: TestNetwork;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "chunkproof-network-"));
    redis = await startRedis({ appendonly: true });
  });

  afterEach(async () => {
    await network?.close();
    await redis.stop();
    try {
      execFileSync("umount", [join(dir, "coordinator")], { stdio: "ignore" });
    } catch {
      // was not mounted
    }
    await rm(dir, { recursive: true, force: true });
  });

  it("proves every block, whatever happens to its parts", async () => {
    const keys = await makeKeys({ cache: CACHE });
    const { snapshot, traces, stateRoots, hashes } = await tokenChain(BLOCKS, 2);
    network = new TestNetwork({ dir, redis: redis.url, keys: keys.path, lease: "2s" });
    // a disk that can be filled
    let small = true;
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=400m", "tmpfs", network.data], { stdio: "ignore" });
    } catch {
      small = false;
      console.warn("no file system can be mounted here: the disk of the store is not filled");
    }
    let coordinator = await network.coordinator();
    const workers = new Map<string, ServiceProcess>();
    const hire = (name: string) => workers.set(name, network.worker(name));
    for (const name of ["one", "two", "three"]) hire(name);
    await writeFile(join(dir, "before.json"), snapshot);
    await writeFile(join(dir, "keyset.json"), JSON.stringify(keys.keySet));
    const rpcPort = await freePort();
    network.start("replica", [
      ...["replica", "--data", join(dir, "replica"), "--snapshot", join(dir, "before.json"), "--feed", network.origin],
      ...["--keys", join(dir, "keyset.json"), "--allow-development-keys", "--rpc", `127.0.0.1:${rpcPort}`],
      ...["--poll", "200ms"],
    ]);

    // a worker whose keys are not those that were made
    const broken = join(dir, "broken-keys");
    await cp(keys.path, broken, { recursive: true });
    const flip = async () => {
      const file = await open(join(broken, `${keys.layouts[0]!.layout.name}.zkey`), "r+");
      const { size } = await file.stat();
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, size >> 1);
      byte[0]! ^= 1;
      await file.write(byte, 0, 1, size >> 1);
      await file.close();
    };
    await flip();
    const refused = network.start("broken", [
      ...["worker", "--redis", redis.url, "--store", network.origin, "--keys", broken, "--name", "broken"],
    ]);
    const end = await refused.ended;
    expect(refused.stdout + refused.stderr).toContain("KEYS_DAMAGED");
    expect(end).toEqual({ code: 2, signal: null });

    // and one that hands in garbage, all the time
    const garbage = network.script("garbage", join(ROOT, "test/support/garbage-worker.mjs"), [
      redis.url,
      network.origin,
    ]);

    const ids: string[] = [];
    for (const trace of traces) ids.push(await network.submit(trace));
    const all = Promise.all(ids.map((id) => network.finished(id, 240_000)));

    const roll = random(SEED);
    const kill = async (name: string) => {
      workers.get(name)!.kill("SIGKILL");
      await workers.get(name)!.ended;
      hire(name);
    };
    const faults: [string, () => Promise<void>][] = [
      ["worker one killed", () => kill("one")],
      [
        "coordinator killed",
        async () => {
          coordinator.kill("SIGKILL");
          await coordinator.ended;
          coordinator = await network.coordinator();
        },
      ],
      ["worker two killed", () => kill("two")],
      ["Redis restarted with its data", async () => redis.restart()],
      [
        "disk full",
        async () => {
          if (!small) return;
          const filler = join(network.data, "filler");
          try {
            execFileSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=1M", "count=1000"], { stdio: "ignore" });
          } catch {
            // that is what it is for
          }
          await sleep(3000);
          await rm(filler);
        },
      ],
      ["worker three killed", () => kill("three")],
      [
        "Redis and a worker killed",
        async () => {
          await redis.kill9();
          await kill("one");
          await redis.restart();
        },
      ],
    ];
    for (const [name, happen] of faults) {
      await sleep(500 + 2500 * roll());
      await happen();
      const states = await Promise.all(
        ids.map(async (id) => (await network.status(id)).state).map((p) => p.catch(() => "?")),
      );
      console.log(`${name}: ${states.filter((state) => state === "proved").length} of ${BLOCKS} blocks proved`);
    }

    const blocks = await all;
    expect(blocks.map(({ state, failure }) => [state, failure])).toEqual(blocks.map(() => ["proved", undefined]));
    garbage.kill("SIGTERM");

    // what the workers said of the same columns is what one process says
    for (const i of [0, 4, 9]) {
      const alone = await proveBlock(decodeTrace(traces[i]!), keys, { threads: 2 });
      expect(commitmentsOf(await network.proof(ids[i]!))).toEqual(commitmentsOf(alone.bytes));
    }
    // a replica takes all of them
    await until("the replica", async () =>
      Number(await rpc<string>(rpcPort, "eth_blockNumber")) === BLOCKS ? true : undefined,
    );
    const head = await rpc<{ hash: string; stateRoot: string }>(rpcPort, "eth_getBlockByNumber", ["latest", false]);
    expect([head.hash, head.stateRoot]).toEqual([hashes.at(-1), stateRoots.at(-1)]);

    // nothing is left in the queue
    const metrics = await (await network.api("/metrics")).text();
    for (const state of ["waiting", "active", "delayed", "waiting-children"]) {
      const depth = [
        ...metrics.matchAll(new RegExp(`^chunkproof_queue_depth\\{[^}]*state="${state}"[^}]*\\} (\\d+)`, "gm")),
      ];
      expect(depth.map(([, n]) => Number(n)).reduce((a, b) => a + b, 0)).toBe(0);
    }
    // garbage was handed in, and none of it is in a proof
    const handedIn = garbage.stdout.split("\n").filter((line) => line.startsWith("{")).length;
    const work = blocks.map(({ work }) => work);
    const sum = (of: (w: (typeof work)[number]) => number) => work.reduce((total, w) => total + of(w), 0);
    expect(handedIn).toBeGreaterThan(5);
    expect(sum(({ refused }) => refused)).toBeGreaterThan(0);
    const chunks = blocks.reduce((total, block) => total + block.chunks, 0);
    console.log(
      `${chunks} chunks: ${sum((w) => w.commits)} commitments and ${sum((w) => w.proofs)} proofs were made, ` +
        `${sum((w) => w.repeated)} of them again; ${sum((w) => w.refused)} results were refused, ${handedIn} were garbage`,
    );
  });
});
