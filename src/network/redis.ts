/**
 * Connections to Redis that never hang: what is asked for is answered, or fails within a bound; and that come back by
 * themselves. What they say never contains a password.
 *
 * @module
 */

import { Redis } from "ioredis";
import { NetworkError } from "./errors.js";

/** BullMQ's advice; Redis 7 is what the tests run on. */
const OLDEST = [6, 2] as const;

/** Where a Redis is. */
export interface RedisAddress {
  /** For messages. */
  readonly name: string;
  readonly url: string;
  /** Without what must not be seen. */
  redact(text: string): string;
}

/** @throws NetworkError `CONFIG_INVALID` */
export function redisAddress(url: string): RedisAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw new NetworkError("not the address of a Redis", {
      code: "CONFIG_INVALID",
      where: "redis",
      expected: "redis://[user:password@]host[:port][/database], or rediss:// for TLS",
    });
  }
  const { protocol, hostname, port, pathname, password } = parsed;
  const secrets = new Set([password, decode(password)].filter((secret) => secret !== ""));
  return {
    name: `${protocol}//${hostname}:${port || "6379"}${pathname === "/" ? "" : pathname}`,
    url,
    redact: (text) => [...secrets].reduce((shown, secret) => shown.replaceAll(secret, "***"), text),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What an error of a connection says; the cause itself may hold the password among the arguments of a command. */
export function reasonOf(error: unknown, address: RedisAddress): string {
  const { message, errors, code } = error as { message?: string; errors?: readonly Error[]; code?: unknown };
  return address.redact(message || errors?.[0]?.message || String(code ?? error));
}

/** An answer of Redis itself, not a failure to reach it. */
export const isReply = (error: unknown): error is Error => error instanceof Error && error.name === "ReplyError";

/** Redis does not answer, or refuses. */
export const unavailable = (address: RedisAddress, reason: string): NetworkError =>
  new NetworkError("Redis does not answer as it should", {
    code: "QUEUE_UNAVAILABLE",
    where: address.name,
    got: reason,
  });

/** How a connection differs from others. */
export interface ConnectOptions {
  /** 0: what is under way when the connection breaks fails; null: it is sent again. */
  readonly maxRetriesPerRequest: 0 | null;
  /** Whether what is asked for without a connection waits for one, default true. */
  readonly enableOfflineQueue?: boolean;
  /** What `CLIENT LIST` shows. */
  readonly connectionName: string;
}

/**
 * Begins to connect, and never stops to.
 *
 * @param silence milliseconds without an answer after which the connection is given up for a new one.
 */
export function connect({ url }: RedisAddress, silence: number, options: ConnectOptions): Redis {
  const redis = new Redis(url, {
    connectTimeout: silence,
    socketTimeout: silence,
    // doubles up to 3 seconds, spread: a thousand workers come back after Redis was away
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), 3000) * (0.5 + Math.random() / 2),
    // BullMQ's scripts and ours have answers of the older protocol in mind
    protocol: 2,
    ...options,
  });
  // without a listener ioredis prints them
  redis.on("error", () => {});
  return redis;
}

/**
 * Waits until a connection can be used.
 *
 * @throws NetworkError `QUEUE_UNAVAILABLE`
 */
export async function connected(redis: Redis, address: RedisAddress, timeout: number): Promise<void> {
  if (redis.status === "ready") return;
  let reason = `no connection within ${timeout} ms`;
  await new Promise<void>((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer);
      redis.off("ready", onReady);
      redis.off("error", onError);
      redis.off("end", onEnd);
      settle();
    };
    const fail = () => end(() => reject(unavailable(address, reason)));
    const onReady = () => end(resolve);
    const onEnd = () => fail();
    const onError = (error: unknown) => {
      reason = reasonOf(error, address);
      // a wrong password does not become a right one
      if (isReply(error)) fail();
    };
    const timer = setTimeout(fail, timeout);
    redis.on("ready", onReady);
    redis.on("error", onError);
    redis.on("end", onEnd);
  });
}

/** Fields of `INFO`. */
async function infoOf(redis: Redis): Promise<ReadonlyMap<string, string>> {
  const lines = (await redis.info()).split(/\r?\n/);
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const colon = line.indexOf(":");
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
}

/** A setting; undefined: forbidden, as with many hosted ones. */
async function settingOf(redis: Redis, name: string): Promise<string | undefined> {
  try {
    const [, value] = (await redis.config("GET", name)) as readonly string[];
    return value;
  } catch (error) {
    if (isReply(error)) return undefined;
    throw error;
  }
}

/**
 * Refuses a Redis that may throw jobs away.
 *
 * @param warn told what cannot be found out.
 * @throws NetworkError `QUEUE_UNSAFE`
 */
export async function checkRedis(redis: Redis, { name }: RedisAddress, warn: (message: string) => void): Promise<void> {
  const info = await infoOf(redis);
  const unsafe = (message: string, expected: string, got: string) =>
    new NetworkError(message, { code: "QUEUE_UNSAFE", where: name, expected, got });
  const version = info.get("redis_version");
  if (version === undefined) warn(`${name} does not tell its version`);
  else {
    const [major = 0, minor = 0] = version.split(".").map(Number);
    if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
      throw unsafe("an old Redis", `${OLDEST.join(".")} or newer`, version);
    }
  }
  const policy = info.get("maxmemory_policy") ?? (await settingOf(redis, "maxmemory-policy"));
  if (policy === undefined) warn(`${name} does not tell its maxmemory-policy, which must be noeviction`);
  else if (policy !== "noeviction") {
    throw unsafe("a Redis that forgets jobs when its memory is full", "maxmemory-policy noeviction", policy);
  }
}

/** What {@link inspectRedis} finds. */
export interface RedisReport {
  readonly version: string;
  /** Must be `noeviction`. */
  readonly maxmemoryPolicy: string;
  /** Bytes; 0: no limit. */
  readonly maxmemory: number;
  readonly usedMemory: number;
  /** What survives a restart. `rdb` is undefined where asking is forbidden. */
  readonly persistence: { readonly aof: boolean; readonly rdb: boolean | undefined };
  /** Workers have one connection for each kind of job, and one more. */
  readonly clients: { readonly connected: number; readonly most: number };
  /** By how much its clock is ahead of this machine's; delays and times of jobs are measured by the machines' clocks. */
  readonly clockSkewMs: number;
  /** Of the fastest of some pings. */
  readonly latencyMs: number;
}

/**
 * Looks at a Redis.
 *
 * @throws NetworkError `QUEUE_UNAVAILABLE`, `CONFIG_INVALID`
 */
export async function inspectRedis(url: string, timeout = 5000): Promise<RedisReport> {
  const address = redisAddress(url);
  const redis = connect(address, timeout, {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    connectionName: "chunkproof:inspect",
  });
  try {
    await connected(redis, address, timeout);
    const info = await infoOf(redis);
    const number = (field: string) => Number(info.get(field) ?? 0);
    let latencyMs = Number.POSITIVE_INFINITY;
    let clockSkewMs = 0;
    for (let i = 0; i < 5; i++) {
      const [began, start] = [Date.now(), performance.now()];
      const [seconds, micros] = await redis.time();
      const took = performance.now() - start;
      if (took >= latencyMs) continue;
      latencyMs = took;
      clockSkewMs = Number(seconds) * 1000 + Number(micros) / 1000 - (began + took / 2);
    }
    const save = await settingOf(redis, "save");
    return {
      version: info.get("redis_version") ?? "unknown",
      maxmemoryPolicy: info.get("maxmemory_policy") ?? (await settingOf(redis, "maxmemory-policy")) ?? "unknown",
      maxmemory: number("maxmemory"),
      usedMemory: number("used_memory"),
      persistence: { aof: info.get("aof_enabled") === "1", rdb: save === undefined ? undefined : save !== "" },
      clients: { connected: number("connected_clients"), most: number("maxclients") },
      clockSkewMs: Math.round(clockSkewMs),
      latencyMs: Math.round(latencyMs * 100) / 100,
    };
  } catch (error) {
    throw error instanceof NetworkError ? error : unavailable(address, reasonOf(error, address));
  } finally {
    redis.disconnect();
  }
}
