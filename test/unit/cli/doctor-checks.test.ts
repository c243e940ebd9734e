import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type Check,
  type CheckOptions,
  jobsThatFit,
  judgeMemory,
  judgeNetwork,
  judgeRedis,
  judgeThreads,
  type Machine,
  quotaOf,
  runChecks,
} from "../../../src/cli/doctor-checks.js";
import { describeChecks } from "../../../src/cli/doctor-view.js";
import type { RedisReport } from "../../../src/network/redis.js";
import { VERSION } from "../../../src/version.js";

const MiB = 2 ** 20;
const levels = (checks: readonly Check[]) => checks.map(({ name, level }) => `${name} ${level}`);

describe("this machine", () => {
  const machine: Machine = { total: 8192 * MiB, limit: 6144 * MiB, threads: 4, quota: undefined, sharedMemory: true };
  const layouts = [
    { name: "mixed-12", zkey: 2 * MiB },
    { name: "mixed-16", zkey: 32 * MiB },
  ];

  test("how many jobs fit, each with the largest key", async () => {
    const fits = (mib: number, threads = 4) => jobsThatFit(mib * MiB, threads, layouts);
    expect(await fits(100)).toBe(0);
    expect(await fits(400)).toBe(1);
    expect(await fits(16_384)).toBe(4);
    expect(await fits(16_384, 1)).toBe(1);
    const some = await fits(900);
    expect(some).toBeGreaterThanOrEqual(1);
    expect(some).toBeLessThan(4);
  });

  test("memory", () => {
    expect(judgeMemory(machine, undefined)).toMatchObject({ level: "ok", message: "6 GiB of 8 GiB for keys and jobs" });
    expect(judgeMemory(machine, 4).message).toBe(
      "6 GiB of 8 GiB for keys and jobs: 4 jobs at a time with the largest keys",
    );
    expect(judgeMemory(machine, 2)).toMatchObject({
      level: "ok",
      message: expect.stringContaining("before --concurrency"),
    });
    expect(judgeMemory(machine, 0)).toMatchObject({ level: "fail", advice: expect.stringContaining("more memory") });
  });

  test("threads, and what a container may use of them", () => {
    expect(judgeThreads(machine)).toMatchObject({ level: "ok", message: "4 threads, shared memory" });
    expect(judgeThreads({ ...machine, quota: 4 }).level).toBe("ok");
    expect(judgeThreads({ ...machine, quota: 1.5 })).toMatchObject({
      level: "warn",
      message: "4 threads, but the container may use 1.5 cores",
      advice: expect.stringContaining("--threads 1"),
    });
    expect(judgeThreads({ ...machine, sharedMemory: false }).level).toBe("warn");
    expect([quotaOf("150000 100000\n"), quotaOf("max 100000"), quotaOf(undefined), quotaOf("1 0")]).toEqual([
      1.5,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("Redis", () => {
  const good: RedisReport = {
    version: "7.0.15",
    maxmemoryPolicy: "noeviction",
    maxmemory: 0,
    usedMemory: 1000,
    persistence: { aof: true, rdb: false },
    clients: { connected: 3, most: 10_000 },
    clockSkewMs: 3,
    latencyMs: 0.2,
  };

  test("that is as it should be", () => {
    expect(levels(judgeRedis(good))).toEqual(["redis ok", "redis-memory ok", "redis-disk ok", "redis-clock ok"]);
  });

  test.each<[Partial<RedisReport>, string]>([
    [{ version: "6.0.16" }, "redis fail"],
    [{ version: "unknown" }, "redis warn"],
    [{ latencyMs: 80 }, "redis-latency warn"],
    [{ maxmemoryPolicy: "allkeys-lru" }, "redis-memory fail"],
    [{ maxmemoryPolicy: "unknown" }, "redis-memory warn"],
    [{ maxmemory: 1000, usedMemory: 900 }, "redis-full warn"],
    [{ persistence: { aof: false, rdb: false } }, "redis-disk warn"],
    [{ persistence: { aof: false, rdb: undefined } }, "redis-disk warn"],
    [{ clients: { connected: 90, most: 100 } }, "redis-clients warn"],
    [{ clockSkewMs: -2000 }, "redis-clock warn"],
    [{ clockSkewMs: 60_000 }, "redis-clock fail"],
  ])("%j: %s", (change, expected) => {
    const checks = judgeRedis({ ...good, ...change });
    expect(levels(checks)).toContain(expected);
    for (const check of checks) expect(check.advice === undefined, check.name).toBe(check.level === "ok");
    // one thing that is wrong is told once
    expect(checks.filter(({ level }) => level !== "ok").length).toBe(1);
  });
});

test("whether this machine fits a network", () => {
  const network = { version: VERSION, protocol: "p", keySet: "ab".repeat(32) };
  const judge = (change: object, keySet?: string) => levels(judgeNetwork({ ...network, ...change }, "p", keySet));
  expect(judge({})).toEqual(["network ok"]);
  expect(judge({}, network.keySet)).toEqual(["network ok", "network-keys ok"]);
  expect(judge({}, "cd".repeat(32))).toEqual(["network ok", "network-keys fail"]);
  expect(judge({ version: `${VERSION}-patch` })).toEqual(["network ok"]);
  expect(judge({ version: "99.0.0" })).toEqual(["network fail"]);
  expect(judge({ protocol: "q" })).toEqual(["network fail"]);
});

test("what people read", () => {
  const text = describeChecks([
    { name: "redis", level: "ok", message: "version 7" },
    { name: "redis-memory", level: "fail", message: "evicts", advice: "do not" },
    { name: "clock", level: "warn", message: "late", advice: "NTP" },
  ]);
  expect(text.split("\n")).toEqual([
    "  redis        version 7",
    "  redis-memory FAILS: evicts",
    "               what to do: do not",
    "  clock        warning: late",
    "               what to do: NTP",
  ]);
});

describe("all that was asked for", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "chunkproof-checks-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });
  const signal = new AbortController().signal;
  const run = (options: Partial<CheckOptions>) =>
    runChecks({ threads: 2, redisPrefix: "chunkproof", cache: join(folder, "cache"), ...options }, signal);

  test("nothing: the machine only", async () => {
    expect(levels(await run({}))).toEqual(["memory ok", "threads ok"]);
  });

  test("places that are none, or do not answer", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const checks = await run({
      redis: "redis://127.0.0.1:1",
      timeout: 300,
      coordinator: "http://127.0.0.1:1",
      store: file,
      keys: join(folder, "none"),
    });
    expect(levels(checks)).toEqual([
      "memory ok",
      "threads ok",
      "redis fail",
      "coordinator fail",
      "store fail",
      "keys fail",
    ]);
    expect(checks.find(({ name }) => name === "keys")?.details).toEqual({ code: "KEYS_MISSING" });
    expect(levels(await run({ store: folder }))).toContain("store ok");
    expect(levels(await run({ store: join(folder, "none") }))).toContain("store fail");
  });

  test("a coordinator: its clock, the token, what it runs", async () => {
    server = createServer((request, response) => {
      if (request.url === "/health") response.setHeader("date", new Date(Date.now() + 60_000).toUTCString());
      if (request.url!.startsWith("/v1/blobs")) response.statusCode = 403;
      response.end(JSON.stringify({ version: "99.0.0", protocol: "other", keySet: "ab".repeat(32), workers: [] }));
    });
    await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
    const coordinator = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    // as a store it is the same
    for (const where of [{ coordinator }, { store: coordinator }]) {
      expect(levels(await run({ ...where, token: "0123456789abcdef" }))).toEqual([
        "memory ok",
        "threads ok",
        "coordinator ok",
        "coordinator-clock warn",
        "token fail",
        "network fail",
      ]);
    }
  });

  test("an abort ends it", async () => {
    const options = { threads: 2, redisPrefix: "x", cache: folder, coordinator: "http://127.0.0.1:1" };
    await expect(runChecks(options, AbortSignal.abort("enough"))).rejects.toBe("enough");
  });
});
