/**
 * What `chunkproof doctor` looks at beside backends: memory, threads, and the network that this machine is to work in.
 *
 * @module
 */

import { constants, readFileSync } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { hardwareThreads } from "#platform";
import { ChunkproofError } from "../errors.js";
import type { KeyFolder } from "../keys/folder.js";
import type { NetworkView } from "../network/client.js";
import type { RedisReport } from "../network/redis.js";
import type { SizedLayout } from "../network/slots.js";
import type { ThreadCount } from "../prover/index.js";
import { VERSION } from "../version.js";
import { bytes } from "./doctor-view.js";
import { countOf } from "./screen.js";

/** What was found of one thing. */
export interface Check {
  readonly name: string;
  /** `fail`: it does not work like this. */
  readonly level: "ok" | "warn" | "fail";
  readonly message: string;
  /** What to do. */
  readonly advice?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What is checked; what is undefined is not. */
export interface CheckOptions {
  readonly threads: ThreadCount;
  readonly redis?: string | undefined;
  readonly redisPrefix: string;
  readonly store?: string | undefined;
  readonly coordinator?: string | undefined;
  readonly token?: string | undefined;
  readonly keys?: string | undefined;
  readonly cache?: string | undefined;
  /** Milliseconds that Redis and the coordinator have to answer; default 5 s. */
  readonly timeout?: number | undefined;
}

const TIMEOUT = 5000;

const ok = (name: string, message: string, details?: Check["details"]): Check => ({
  name,
  level: "ok",
  message,
  ...(details === undefined ? {} : { details }),
});
const bad = (
  name: string,
  level: "warn" | "fail",
  message: string,
  advice: string,
  details?: Check["details"],
): Check => ({ name, level, message, advice, ...(details === undefined ? {} : { details }) });

/** An error as a check that failed. */
function failed(name: string, error: unknown, advice: string): Check {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof ChunkproofError ? error.code : "INTERNAL";
  return bad(name, "fail", `${message} [${code}]`, advice, { code });
}

// ---- this machine

/** What this machine has. */
export interface Machine {
  /** Bytes of the machine. */
  readonly total: number;
  /** Bytes that services take unless told otherwise: see `memoryLimit`. */
  readonly limit: number;
  readonly threads: number;
  /** Cores that the control group may use, if that is bounded. */
  readonly quota: number | undefined;
  readonly sharedMemory: boolean;
}

/** Cores that `cpu.max` of a control group allows. */
export function quotaOf(text: string | undefined): number | undefined {
  const found = /^(\d+) (\d+)\s*$/.exec(text ?? "");
  return found === null || found[2] === "0" ? undefined : Number(found[1]) / Number(found[2]);
}

async function thisMachine(threads: ThreadCount): Promise<Machine> {
  const { memoryLimit } = await import("../network/slots.js");
  let text: string | undefined;
  try {
    text = readFileSync("/sys/fs/cgroup/cpu.max", "utf8");
  } catch {
    // no control groups of the second version
  }
  return {
    total: totalmem(),
    limit: memoryLimit(),
    threads: threads === "auto" ? hardwareThreads() : threads,
    quota: quotaOf(text),
    sharedMemory: typeof SharedArrayBuffer === "function",
  };
}

/** How many jobs fit side by side, each with the key of the largest layout. */
export async function jobsThatFit(limit: number, threads: number, layouts: readonly SizedLayout[]): Promise<number> {
  const { Slots } = await import("../network/slots.js");
  const largest = layouts.reduce((best, { zkey }, i) => (zkey > layouts[best]!.zkey ? i : best), 0);
  for (let lanes = 1; lanes <= threads; lanes++) {
    try {
      const own = Math.max(1, Math.floor(threads / lanes));
      const slots = new Slots({
        lanes,
        limit,
        layouts,
        threads: own,
        evict: async () => {},
        available: () => undefined,
      });
      for (let i = 0; i < lanes; i++) {
        if (slots.take({ kind: "prove", layouts: [largest] }) === undefined) return lanes - 1;
      }
    } catch (error) {
      if (error instanceof ChunkproofError && error.code === "MEMORY_LIMIT") return lanes - 1;
      throw error;
    }
  }
  return threads;
}

/** @param fits jobs side by side; undefined: nobody knows how large the keys are. */
export function judgeMemory({ total, limit, threads }: Machine, fits: number | undefined): Check {
  const has = `${bytes(limit)} of ${bytes(total)} for keys and jobs`;
  const details = { total, limit, fits };
  if (fits === undefined) return ok("memory", has, details);
  if (fits === 0) {
    const advice = "give the machine or container more memory: a worker with 1 GiB does all jobs, one after the other";
    return bad("memory", "fail", `${has}: too little for a single job`, advice, details);
  }
  const room = `${has}: ${countOf(fits, "job")} at a time with the largest keys`;
  if (fits >= threads) return ok("memory", room, details);
  return ok("memory", `${room}; for more, raise it before --concurrency`, details);
}

/** @returns what there is to compute with. */
export function judgeThreads({ threads, quota, sharedMemory }: Machine): Check {
  const details = { threads, quota, sharedMemory };
  if (!sharedMemory) {
    return bad(
      "threads",
      "warn",
      "memory cannot be shared between threads",
      "start Node without --no-harmony-sharedarraybuffer; until then every proof has one thread",
      details,
    );
  }
  if (quota !== undefined && quota < threads) {
    const most = Math.max(1, Math.floor(quota));
    const message = `${countOf(threads, "thread")}, but the container may use ${Number(quota.toFixed(2))} cores`;
    return bad("threads", "warn", message, `--threads ${most}: more only wait for each other`, details);
  }
  return ok("threads", `${countOf(threads, "thread")}, shared memory`, details);
}

// ---- Redis

/** Milliseconds. */
const SLOW = 20;
const SKEW_WARN = 1000;
const SKEW_FAIL = 30_000;

const CLOCKS = "set the clocks of all machines by NTP";

function judgeSkew(name: string, skew: number, [warn, fail]: readonly [number, number]): Check {
  const text = `this machine's clock is ${(Math.abs(skew) / 1000).toFixed(1)} s ${skew > 0 ? "behind" : "ahead"}`;
  const details = { skewMs: Math.round(skew) };
  if (Math.abs(skew) > fail) return bad(name, "fail", text, CLOCKS, details);
  if (Math.abs(skew) > warn) return bad(name, "warn", text, CLOCKS, details);
  return ok(name, "the clocks agree", details);
}

/** Redis, from what it says of itself. */
export function judgeRedis(report: RedisReport): Check[] {
  const { version, maxmemoryPolicy, maxmemory, usedMemory, persistence, clients, clockSkewMs, latencyMs } = report;
  const checks: Check[] = [];
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (version === "unknown") {
    checks.push(bad("redis", "warn", "it does not tell its version", "6.2 or newer is needed"));
  } else if (major < 6 || (major === 6 && minor < 2)) {
    checks.push(bad("redis", "fail", `version ${version}`, "6.2 or newer is needed", { version }));
  } else {
    checks.push(ok("redis", `version ${version}, ${latencyMs} ms away`, { ...report }));
  }
  if (latencyMs > SLOW) {
    const advice = "put it nearer to its workers: each job takes several questions";
    checks.push(bad("redis-latency", "warn", `${latencyMs} ms away`, advice, { latencyMs }));
  }
  if (maxmemoryPolicy === "noeviction") {
    checks.push(
      ok(
        "redis-memory",
        `noeviction, ${maxmemory === 0 ? "no limit" : `${bytes(usedMemory)} of ${bytes(maxmemory)} used`}`,
      ),
    );
  } else if (maxmemoryPolicy === "unknown") {
    checks.push(bad("redis-memory", "warn", "it does not tell its maxmemory-policy", "it must be noeviction"));
  } else {
    const advice = "CONFIG SET maxmemory-policy noeviction, and in its configuration file: else it throws jobs away";
    checks.push(bad("redis-memory", "fail", `maxmemory-policy is ${maxmemoryPolicy}`, advice, { maxmemoryPolicy }));
  }
  if (maxmemory > 0 && usedMemory > 0.8 * maxmemory) {
    const advice = "raise maxmemory: a full Redis takes no more jobs";
    checks.push(bad("redis-full", "warn", `${bytes(usedMemory)} of ${bytes(maxmemory)} used`, advice));
  }
  if (persistence.aof || persistence.rdb === true) {
    checks.push(
      ok("redis-disk", persistence.aof ? "keeps an append-only file" : "writes snapshots", { ...persistence }),
    );
  } else {
    const advice = "--appendonly yes: else jobs are gone when it restarts, and the coordinator has them done again";
    const message = persistence.rdb === undefined ? "no append-only file" : "keeps nothing on disk";
    checks.push(bad("redis-disk", "warn", message, advice, { ...persistence }));
  }
  if (clients.most > 0 && clients.connected > 0.8 * clients.most) {
    const message = `${countOf(clients.connected, "connection")} of ${clients.most}`;
    checks.push(
      bad("redis-clients", "warn", message, "raise maxclients: a worker takes three or more", { ...clients }),
    );
  }
  checks.push(judgeSkew("redis-clock", clockSkewMs, [SKEW_WARN, SKEW_FAIL]));
  return checks;
}

/** What a network says of itself: its coordinator, or the queue. */
export type NetworkFacts = Pick<NetworkView, "version" | "protocol" | "keySet">;

async function checkRedis(
  url: string,
  prefix: string,
  timeout: number,
): Promise<{ checks: Check[]; network?: NetworkFacts }> {
  const [{ inspectRedis }, { BullQueue }] = await Promise.all([
    import("../network/redis.js"),
    import("../network/queue-bullmq.js"),
  ]);
  let checks: Check[];
  try {
    checks = judgeRedis(await inspectRedis(url, timeout));
  } catch (error) {
    const advice = "is it running, does it listen for this machine, is the password right?";
    return { checks: [failed("redis", error, advice)] };
  }
  if (checks.some(({ level }) => level === "fail")) return { checks };
  try {
    const queue = await BullQueue.open(url, { prefix, timeout });
    try {
      const [network, workers] = await Promise.all([queue.description(), queue.workers()]);
      if (network === undefined) {
        const advice = "start the coordinator, with the same --redis-prefix";
        return { checks: [...checks, bad("network", "warn", "no coordinator has described it yet", advice)] };
      }
      const found = ok("workers", `${countOf(workers.length, "worker")} announced`, { workers });
      return { checks: [...checks, found], network };
    } finally {
      await queue.close();
    }
  } catch (error) {
    return { checks: [...checks, failed("queue", error, "see above")] };
  }
}

// ---- the coordinator and its store

/** Milliseconds; `Date` has whole seconds. */
const DATE_WARN = 5000;
const DATE_FAIL = 300_000;

async function checkCoordinator(
  address: string,
  token: string | undefined,
  timeout: number,
  signal: AbortSignal,
): Promise<{ checks: Check[]; network?: NetworkFacts }> {
  const { CoordinatorClient } = await import("../network/client.js");
  const checks: Check[] = [];
  try {
    const client = new CoordinatorClient(address, { token, timeout });
    const { ms, ahead } = await client.ping(signal);
    checks.push(ok("coordinator", `${client.name}, ${ms} ms away`, { ms }));
    if (ahead !== undefined) checks.push(judgeSkew("coordinator-clock", ahead, [DATE_WARN, DATE_FAIL]));
    checks.push(
      (await client.accepts(signal))
        ? ok("token", "accepted")
        : bad(
            "token",
            "fail",
            token === undefined ? "none was given" : "refused",
            "--token-file: the file <data>/token of the coordinator",
          ),
    );
    return { checks, network: await client.network(signal) };
  } catch (error) {
    signal.throwIfAborted();
    const advice = "is it running, does it listen for this machine (--listen), is the address right?";
    return { checks: [...checks, failed("coordinator", error, advice)] };
  }
}

/** Bytes below which a store is soon full. */
const LITTLE = 2 ** 30;

async function checkFolder(path: string): Promise<Check> {
  const advice = "a folder that this user may write to; a shared one must be mounted";
  try {
    if (!(await stat(path)).isDirectory()) return bad("store", "fail", `${path} is no folder`, advice);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(path);
    const free = bavail * bsize;
    if (free < LITTLE) {
      return bad(
        "store",
        "warn",
        `${bytes(free)} left in ${path}`,
        "make room: columns of a block take hundreds of MiB",
        {
          free,
        },
      );
    }
    return ok("store", `${path}, ${bytes(free)} left`, { free });
  } catch (error) {
    return bad("store", "fail", (error as Error).message, advice);
  }
}

// ---- keys

async function checkKeys(path: string): Promise<{ check: Check; folder?: KeyFolder }> {
  const [{ openKeys }, { keysOfFolder }] = await Promise.all([import("../keys/folder.js"), import("./key-folders.js")]);
  try {
    const folder = await keysOfFolder(path);
    await openKeys(path, { verify: true });
    const { digest, insecure } = folder.parsed();
    const all = `${countOf(folder.layouts.length, "layout")}, every file is the one that was made`;
    const details = { keySet: digest, insecure };
    const check = insecure
      ? bad(
          "keys",
          "warn",
          `${all}; DEVELOPMENT KEYS`,
          "fine for tests; for production: the keys of a ceremony",
          details,
        )
      : ok("keys", all, details);
    return { check, folder };
  } catch (error) {
    return { check: failed("keys", error, "chunkproof keys makes them; workers can fetch those of the network") };
  }
}

/** Whether this machine would be taken into a network. */
export function judgeNetwork(network: NetworkFacts, protocol: string, keySet: string | undefined): Check[] {
  const series = (version: string) => version.split(".").slice(0, 2).join(".");
  const checks: Check[] = [];
  if (network.protocol !== protocol || series(network.version) !== series(VERSION)) {
    const message = `it runs ${network.version} (${network.protocol}), this is ${VERSION} (${protocol})`;
    checks.push(bad("network", "fail", message, "update one of the two", { ...network }));
  } else {
    checks.push(ok("network", `version ${network.version}, protocol: ${network.protocol}`, { ...network }));
  }
  if (keySet === undefined) return checks;
  checks.push(
    keySet === network.keySet
      ? ok("network-keys", "the keys here are those of the network")
      : bad(
          "network-keys",
          "fail",
          "other keys than those of the network",
          "leave --keys out: workers fetch the right ones",
          {
            expected: network.keySet,
            got: keySet,
          },
        ),
  );
  return checks;
}

/** Looks at everything that was asked for. @throws `signal.reason` */
export async function runChecks(options: CheckOptions, signal: AbortSignal): Promise<Check[]> {
  const { redis, redisPrefix, store, token, keys, cache, timeout = TIMEOUT } = options;
  const coordinator = options.coordinator ?? (/^https?:/i.test(store ?? "") ? store : undefined);
  const checks: Check[] = [];
  const networks: NetworkFacts[] = [];
  const take = (found: { checks: Check[]; network?: NetworkFacts }) => {
    checks.push(...found.checks);
    if (found.network !== undefined) networks.push(found.network);
  };
  const machine = await thisMachine(options.threads);
  const own = keys === undefined ? undefined : await checkKeys(keys);
  const folder = own?.folder ?? (keys === undefined ? await keysInCache(cache) : undefined);
  const sizes = folder === undefined ? undefined : await (await import("../network/slots.js")).layoutSizes(folder);
  const fits = sizes === undefined ? undefined : await jobsThatFit(machine.limit, machine.threads, sizes);
  checks.push(judgeMemory(machine, fits), judgeThreads(machine));
  signal.throwIfAborted();
  if (redis !== undefined) take(await checkRedis(redis, redisPrefix, timeout));
  signal.throwIfAborted();
  if (coordinator !== undefined) take(await checkCoordinator(coordinator, token, timeout, signal));
  if (store !== undefined && store !== coordinator) checks.push(await checkFolder(store));
  if (own !== undefined) checks.push(own.check);
  const [network, other] = networks;
  if (network !== undefined) {
    const { PROTOCOL } = await import("../network/start.js");
    checks.push(...judgeNetwork(network, PROTOCOL, own?.folder?.parsed().digest));
  }
  if (other !== undefined && other.keySet !== network!.keySet) {
    const advice = "is this the Redis, and the --redis-prefix, of this coordinator?";
    checks.push(bad("same-network", "fail", "Redis and the coordinator are of different networks", advice));
  }
  signal.throwIfAborted();
  return checks;
}

/** Keys that are there anyway; whether they are any good is not asked here. */
async function keysInCache(cache: string | undefined): Promise<KeyFolder | undefined> {
  const [{ findKeys }, { cacheFolder }] = await Promise.all([import("../keys/folder.js"), import("./key-folders.js")]);
  try {
    return await findKeys(await cacheFolder(cache === undefined ? {} : { cache }));
  } catch {
    return undefined;
  }
}
