import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { FlowProducer, Queue as Line, Worker } from "bullmq";
import { build } from "esbuild";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { NetworkError } from "../../../src/network/errors.js";
import { type Handler, JobError, MoreChildren, type Queue, type QueueEvent } from "../../../src/network/queue.js";
import { BullQueue, inspectRedis, type RedisQueueOptions } from "../../../src/network/queue-bullmq.js";
import { ROOT } from "../../support/circuits.js";
import {
  aborted,
  describeQueue,
  ended,
  job,
  promised,
  SUITE_BACKOFF,
  sleep,
  until,
} from "../../support/queue-suite.js";
import { freePort, redisMissing, startRedis, type TestRedis } from "../../support/redis.js";

const LOCK = 700;

describe.skipIf(redisMissing)(`queues in Redis${redisMissing === undefined ? "" : `: ${redisMissing}`}`, () => {
  let redis: TestRedis;
  /** Looks at the keys. */
  let raw: Redis;
  let prefix = "";
  let networks = 0;
  const opened: BullQueue[] = [];

  const open = async (options: RedisQueueOptions = {}, server = redis): Promise<BullQueue> => {
    const all = { prefix, backoff: SUITE_BACKOFF, lockDuration: LOCK, timeout: 1500, ...options };
    const queue = await BullQueue.open(server.url, all);
    opened.push(queue);
    return queue;
  };
  const closeAll = () => Promise.all(opened.splice(0).map((queue) => queue.close()));

  beforeAll(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url);
  });
  beforeEach(() => {
    prefix = `network${++networks}`;
  });
  afterEach(closeAll);
  afterAll(async () => {
    raw.disconnect();
    await redis.stop();
  });

  describeQueue("a queue in Redis", async () => ({ queue: () => open(), close: async () => void (await closeAll()) }));

  describe("a worker's process", () => {
    let folder: string;
    let script: string;
    const children: ChildProcess[] = [];

    beforeAll(async () => {
      await mkdir(join(ROOT, ".cache"), { recursive: true });
      folder = await mkdtemp(join(ROOT, ".cache", "queue-bullmq-test-"));
      script = join(folder, "worker.mjs");
      const source = `
        import { BullQueue } from ${JSON.stringify(join(ROOT, "src/network/queue-bullmq.ts"))};
        const [url, prefix] = process.argv.slice(2);
        const queue = await BullQueue.open(url, { prefix, lockDuration: ${LOCK} });
        queue.consume("prove", async ({ id, attempt, signal }) => {
          signal.addEventListener("abort", () => console.log("aborted " + signal.reason.code));
          console.log("begun " + id + " " + attempt);
          await new Promise((resolve) => process.stdin.once("data", resolve));
          console.log("ending " + id);
          return "from a process";
        }, { concurrency: 1 });`;
      await build({
        stdin: { contents: source, resolveDir: ROOT, loader: "ts" },
        outfile: script,
        bundle: true,
        packages: "external",
        platform: "node",
        format: "esm",
        tsconfigRaw: {},
      });
    });
    afterEach(() => {
      for (const child of children.splice(0)) child.kill("SIGKILL");
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const start = async () => {
      const child = spawn(process.execPath, [script, redis.url, prefix], { stdio: ["pipe", "pipe", "inherit"] });
      children.push(child);
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (text) => {
        said += text;
      });
      return { child, says: (text: string) => until(() => said.includes(text)), said: () => said };
    };

    it("that is killed loses its job to another, however few attempts it has", async () => {
      const queue = await open();
      await queue.add(job("prove", "a", { attempts: 1 }));
      const { child, says } = await start();
      await says("begun a 0");
      const events: QueueEvent[] = [];
      queue.follow((event) => events.push(event));
      queue.consume("prove", async ({ attempt }) => attempt, { concurrency: 1 });
      await sleep(50);
      const killed = performance.now();
      child.kill("SIGKILL");
      expect(await ended(queue, "prove", "a")).toMatchObject({ state: "completed", result: 1, failures: 1 });
      expect(performance.now() - killed).toBeLessThan(4 * LOCK);
      await until(() => events.length >= 3);
      expect(events.map(({ type }) => type)).toEqual(["stalled", "active", "completed"]);
    });

    it("that hangs loses its job too; when it goes on it is told, and what it brings is dropped", async () => {
      const queue = await open();
      await queue.add(job("prove", "a"));
      const { child, says, said } = await start();
      await says("begun a 0");
      child.kill("SIGSTOP");
      const gate = promised();
      const taken = promised<number>();
      const consumer = queue.consume(
        "prove",
        async ({ attempt }) => {
          taken.resolve(attempt);
          await gate.promise;
          return "other";
        },
        { concurrency: 1 },
      );
      expect(await taken.promise).toBe(1);
      child.kill("SIGCONT");
      await says("aborted JOB_LOST");
      child.stdin!.write("end\n");
      await says("ending a");
      await sleep(100);
      expect(await queue.status("prove", "a")).toMatchObject({ state: "active", result: undefined });
      gate.resolve();
      expect(await ended(queue, "prove", "a")).toMatchObject({ state: "completed", result: "other" });
      // and it takes jobs again
      await consumer.close();
      await queue.add(job("prove", "b"));
      await says("begun b 0");
      child.stdin!.write("end\n");
      expect(await ended(queue, "prove", "b")).toMatchObject({ result: "from a process" });
      expect(said()).not.toContain("Error");
    });
  });

  describe("a worker that dies while it lets a job wait for more children", () => {
    // each as far as it came
    const steps = ["children", "children, some of which have ended", "data"] as const;
    for (const step of steps) {
      it(`after it added ${step}: whoever gets the job lets it wait for the same children`, async () => {
        const queue = await open();
        const connection = { host: "127.0.0.1", port: redis.port };
        const flows = new FlowProducer({ connection, prefix });
        const more = [job("prove", "good"), job("prove", "bad"), job("prove", "late", { priority: 20 })];
        await queue.add(job("assemble", "p", { data: 0 }), [job("prove", "first")]);
        const gate = promised();
        const done: string[] = [];
        const work: Handler = async ({ id }) => {
          done.push(id);
          if (id === "bad") throw new JobError({ code: "BAD", message: "bad", retryable: false });
          if (id === "late") await gate.promise;
          return id;
        };
        const provers = queue.consume("prove", work, { concurrency: 1 });
        const died = promised();
        const dying = new Worker(
          "assemble",
          async (parent) => {
            provers.pause();
            const opts = { parent: { id: "p", queue: `${prefix}:assemble` }, ignoreDependencyOnFailure: true };
            await flows.addBulk(
              more.map(({ id, data, priority }) => ({
                name: "prove",
                queueName: "prove",
                data,
                opts: { ...opts, jobId: id, priority },
              })),
            );
            if (step === "data") await parent.updateData(1);
            if (step === "children, some of which have ended") {
              provers.resume();
              await until(() => done.includes("late"));
            }
            died.resolve();
            await new Promise(() => {});
          },
          { connection, prefix, lockDuration: 300, stalledInterval: 100 },
        );
        await died.promise;
        await dying.close(true);
        provers.resume();
        const seen: unknown[] = [];
        const handler: Handler = async ({ data, children }) => {
          const { results, failures } = await children();
          seen.push([data, [...results.keys()].sort(), [...failures.keys()]]);
          if (data === 0) throw new MoreChildren(more, 1);
          return "whole";
        };
        queue.consume("assemble", handler, { concurrency: 1 });
        await until(() => done.includes("late"));
        await until(async () => (await queue.status("assemble", "p"))?.state === "waiting-children");
        expect(seen).toEqual([]);
        gate.resolve();
        expect(await ended(queue, "assemble", "p")).toMatchObject({ state: "completed", result: "whole" });
        const all = [["first", "good", "late"], ["bad"]];
        expect(seen).toEqual(
          step === "data"
            ? [[1, ...all]]
            : [
                [0, ...all],
                [1, ...all],
              ],
        );
        expect(done.sort()).toEqual(["bad", "first", "good", "late"]);
        await flows.close();
      });
    }

    it("before it did anything, or who adds jobs, again and again: all are done once, their parents once", async () => {
      const queue = await open();
      const other = await open();
      const children = Array.from({ length: 40 }, (_, i) => job("prove", `c${i}`));
      const done = new Map<string, number>();
      const count: Handler = async ({ id, kind, children }) => {
        done.set(`${kind} ${id}`, (done.get(`${kind} ${id}`) ?? 0) + 1);
        if (id === "c7") throw new JobError({ code: "BAD", message: "bad", retryable: false });
        const { results, failures } = await children();
        return [results.size, failures.size];
      };
      other.consume("prove", count, { concurrency: 4 });
      other.consume("assemble", count, { concurrency: 1 });
      const adding = async () => {
        for (let i = 0; i < 20; i++) await queue.add(job("assemble", "p"), children);
      };
      await Promise.all([adding(), adding(), adding(), adding()]);
      expect(await ended(queue, "assemble", "p")).toMatchObject({ state: "completed", result: [39, 1] });
      await sleep(100);
      expect([...done.values()].every((times) => times === 1)).toBe(true);
      expect(done.size).toBe(41);
      expect(await raw.scard(`${prefix}:assemble:p:dependencies`)).toBe(0);
    });
  });

  it("children that failed and are nobody's any more do not keep a new parent waiting", async () => {
    const queue = await open();
    let times = 0;
    const work: Handler = async () => {
      if (++times === 1) throw new JobError({ code: "BAD", message: "bad", retryable: false });
      return times;
    };
    queue.consume("prove", work, { concurrency: 1 });
    queue.consume("assemble", async ({ children }) => [...(await children()).results.values()] as number[], {
      concurrency: 1,
    });
    await queue.add(job("assemble", "p"), [job("prove", "a")]);
    expect(await ended(queue, "assemble", "p")).toMatchObject({ result: [] });
    await queue.remove([{ kind: "assemble", id: "p" }]);
    await queue.add(job("assemble", "p"), [job("prove", "a")]);
    expect(await ended(queue, "assemble", "p")).toMatchObject({ result: [2] });
  });

  describe("Redis that goes away", () => {
    let own: TestRedis;
    beforeEach(async () => {
      own = await startRedis({ appendonly: true });
    });
    afterEach(async () => {
      await closeAll();
      await own.stop();
    });

    it("for longer than leases last, and comes back with its data: nothing is lost", async () => {
      const warnings: string[] = [];
      const queue = await open({ onWarning: (message) => warnings.push(message) }, own);
      const other = await open({}, own);
      const gate = promised();
      const begun: string[] = [];
      const events: QueueEvent[] = [];
      queue.follow((event) => events.push(event));
      const handler: Handler = async ({ id, attempt, signal }) => {
        begun.push(`${id} ${attempt}`);
        if (id === "long") await gate.promise;
        if (id === "during") await sleep(500);
        return signal.aborted;
      };
      other.consume("prove", handler, { concurrency: 2 });
      const children = [job("prove", "long"), job("prove", "during"), job("prove", "late", { priority: 20 })];
      await queue.add(job("assemble", "p"), children);
      await until(() => begun.length === 2);
      // asked for while nobody answers
      await own.kill9();
      const asked = expect(queue.status("prove", "long")).rejects.toMatchObject({ code: "QUEUE_UNAVAILABLE" });
      await sleep(2 * LOCK);
      await asked;
      await own.restart();
      gate.resolve();
      for (const id of ["late", "long", "during"]) {
        expect(await ended(queue, "prove", id)).toMatchObject({ state: "completed", result: false });
      }
      // leases that ran out meanwhile are lost
      expect(begun.filter((text) => !text.endsWith(" 1")).sort()).toEqual(["during 0", "late 0", "long 0"]);
      expect(begun.length).toBeLessThanOrEqual(5);
      other.consume("assemble", async ({ children }) => (await children()).results.size, { concurrency: 1 });
      expect(await ended(queue, "assemble", "p")).toMatchObject({ state: "completed", result: 3 });
      await until(() => events.some(({ type, id }) => type === "completed" && id === "p"));
      expect(warnings[0]).toMatch(/is away/);
      expect(warnings[1]).toMatch(/is back/);
      expect(warnings).toHaveLength(2);
    });

    it("in the middle of many jobs: each takes effect once", async () => {
      const queue = await open({}, own);
      const other = await open({}, own);
      let done = 0;
      const handler: Handler = async ({ id }) => {
        await sleep(5);
        done++;
        return id;
      };
      const children = Array.from({ length: 300 }, (_, i) => job("prove", `j${i}`, { priority: i % 5 }));
      await queue.add(job("assemble", "p"), children);
      for (const by of [queue, other]) by.consume("prove", handler, { concurrency: 3 });
      queue.consume("assemble", async ({ children }) => Object.fromEntries((await children()).results) as never, {
        concurrency: 1,
      });
      await until(() => done > 80);
      await own.kill9();
      await own.restart();
      const { result } = await ended(queue, "assemble", "p", 20_000);
      expect(result).toEqual(Object.fromEntries(children.map(({ id }) => [id, id])));
      // those whose taking was not answered are in nobody's hands until their lease ends, and one may be answered twice
      expect(done).toBeLessThan(330);
      expect(await queue.counts("prove")).toMatchObject({ waiting: 0, active: 0, completed: 300, failed: 0 });
    });

    it("fails what is asked within a bound, then goes on by itself", async () => {
      const queue = await open({ timeout: 300 }, own);
      const seen: string[] = [];
      const consumer = queue.consume("plan", async ({ id }) => seen.push(id), { concurrency: 1 });
      await own.kill9();
      const asks: [string, (queue: Queue) => Promise<unknown>][] = [
        ["add", (queue) => queue.add(job("plan", "a"))],
        ["status", (queue) => queue.status("plan", "a")],
        ["remove", (queue) => queue.remove([{ kind: "plan", id: "a" }])],
        ["expire", (queue) => queue.expire("plan", "a")],
        ["counts", (queue) => queue.counts("plan")],
        ["failed", (queue) => queue.failed("plan", 1)],
        ["description", (queue) => queue.description()],
        ["workers", (queue) => queue.workers()],
        ["withdraw", (queue) => queue.withdraw("w")],
        ["ban", (queue) => queue.ban("w", "why")],
        ["banned", (queue) => queue.banned("w")],
        ["ping", (queue) => queue.ping()],
      ];
      const began = performance.now();
      for (const result of await Promise.allSettled(asks.map(([, ask]) => ask(queue)))) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "QUEUE_UNAVAILABLE", where: queue.name } });
      }
      expect(performance.now() - began).toBeLessThan(1500);
      await own.restart();
      await queue.add(job("plan", "b"));
      await ended(queue, "plan", "b");
      // what was refused was not done later
      expect(seen).toEqual(["b"]);
      // a pause short enough is nobody's business
      const restarting = own.restart();
      await sleep(20);
      const slow = await open({ timeout: 10_000 }, own);
      await restarting;
      await slow.ping();
      await consumer.close();
    });

    it("or hangs: what is asked fails within a bound, then goes on", async () => {
      const queue = await open({ timeout: 400 }, own);
      queue.consume("plan", async ({ id }) => id, { concurrency: 1 });
      const events: QueueEvent[] = [];
      queue.follow((event) => events.push(event));
      await queue.ping();
      process.kill(own.pid, "SIGSTOP");
      try {
        const began = performance.now();
        await expect(queue.add(job("plan", "a"))).rejects.toMatchObject({ code: "QUEUE_UNAVAILABLE" });
        await expect(queue.ping()).rejects.toMatchObject({ code: "QUEUE_UNAVAILABLE" });
        expect(performance.now() - began).toBeLessThan(3000);
      } finally {
        process.kill(own.pid, "SIGCONT");
      }
      await until(async () => {
        await queue.add(job("plan", "b"));
        return true;
      });
      expect(await ended(queue, "plan", "b")).toMatchObject({ result: "b" });
      await until(() => events.some(({ type, id }) => type === "completed" && id === "b"));
    });

    it("does not keep anybody from closing", async () => {
      const queue = await open({ timeout: 300 }, own);
      const begun = promised();
      const finish = promised();
      const busy = queue.consume(
        "plan",
        async () => {
          begun.resolve();
          await finish.promise;
          return null;
        },
        { concurrency: 1 },
      );
      const idle = queue.consume("commit", async () => null, { concurrency: 1 });
      queue.follow(() => {});
      await queue.add(job("plan", "a"));
      await begun.promise;
      await sleep(50);
      await own.kill9();
      const began = performance.now();
      finish.resolve();
      await Promise.all([busy.close(), idle.close()]);
      await queue.close();
      expect(performance.now() - began).toBeLessThan(LOCK + 2500);
      await own.restart();
      // its lease runs out, and somebody else does it
      const other = await open({}, own);
      other.consume("plan", async ({ attempt }) => attempt, { concurrency: 1 });
      expect(await ended(other, "plan", "a")).toMatchObject({ state: "completed", result: 1 });
    });
  });

  describe("opening", () => {
    it("refuses a Redis that throws keys away", async () => {
      const forgetful = await startRedis({ args: ["--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb"] });
      try {
        await expect(BullQueue.open(forgetful.url)).rejects.toMatchObject({
          code: "QUEUE_UNSAFE",
          where: forgetful.url,
          expected: "maxmemory-policy noeviction",
          got: "allkeys-lru",
        });
      } finally {
        await forgetful.stop();
      }
    });

    it("works where settings may not be asked for", async () => {
      const hosted = await startRedis({ args: ["--rename-command", "CONFIG", ""] });
      try {
        const warnings: string[] = [];
        const queue = await open({ onWarning: (message) => warnings.push(message) }, hosted);
        await queue.ping();
        expect(warnings).toEqual([]);
        expect((await inspectRedis(hosted.url)).persistence.rdb).toBeUndefined();
        await queue.close();
      } finally {
        await hosted.stop();
      }
    });

    it("never shows a password", async () => {
      const secret = "s3cr€t/%41";
      const locked = await startRedis({ args: ["--requirepass", secret] });
      try {
        const withPassword = (password: string) =>
          locked.url.replace("redis://", `redis://:${encodeURIComponent(password)}@`);
        const queue = await open({}, { ...locked, url: withPassword(secret) });
        expect(queue.name).toBe(locked.url);
        await queue.ping();
        for (const url of [withPassword("wrong-one"), locked.url]) {
          const error = await BullQueue.open(url, { timeout: 5000 }).then(
            () => undefined,
            (error: unknown) => error,
          );
          expect(error).toMatchObject({ code: "QUEUE_UNAVAILABLE", where: locked.url });
          const { message, stack, cause } = error as NetworkError;
          expect(message).toMatch(/NOAUTH|WRONGPASS/);
          expect(JSON.stringify([message, stack, cause])).not.toContain("wrong-one");
        }
        await locked.kill9();
        const error = await queue.ping().catch((error: unknown) => error);
        expect(error).toMatchObject({ code: "QUEUE_UNAVAILABLE" });
        expect(JSON.stringify([String(error), (error as Error).stack])).not.toContain("s3cr");
        await queue.close();
      } finally {
        await locked.stop();
      }
    });

    it("fails within a bound where nothing is, or something else", async () => {
      const port = await freePort();
      const url = `redis://user:hidden@127.0.0.1:${port}/3`;
      await expect(BullQueue.open(url, { timeout: 200 })).rejects.toMatchObject({
        code: "QUEUE_UNAVAILABLE",
        where: `redis://127.0.0.1:${port}/3`,
        got: expect.stringMatching(/ECONNREFUSED/),
      });
      await expect(inspectRedis(url, 200)).rejects.toMatchObject({ code: "QUEUE_UNAVAILABLE" });
      for (const bad of ["", "localhost:6379", "http://localhost", "redis://", "redis:hidden@"]) {
        const error = await BullQueue.open(bad).catch((error: unknown) => error);
        expect(error).toMatchObject({ code: "CONFIG_INVALID", where: "redis" });
        expect(String(error)).not.toContain("hidden");
      }
      await expect(BullQueue.open(redis.url, { prefix: "a:b" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
      // listens and says nothing
      const silent = await listen(() => "");
      try {
        await expect(BullQueue.open(silent.url, { timeout: 300 })).rejects.toMatchObject({
          code: "QUEUE_UNAVAILABLE",
        });
      } finally {
        silent.close();
      }
    });

    it("refuses an old Redis, and says what it cannot find out", async () => {
      let info = "";
      const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
      const fake = await listen((asked) =>
        /^\*1\r\n\$4\r\ninfo/i.test(asked) ? bulk(info) : "-ERR unknown command\r\n",
      );
      try {
        info = "redis_version:5.0.14\r\nmaxmemory_policy:noeviction\r\n";
        await expect(BullQueue.open(fake.url, { timeout: 2000 })).rejects.toMatchObject({
          code: "QUEUE_UNSAFE",
          expected: "6.2 or newer",
          got: "5.0.14",
        });
        info = "redis_version:7.2.0\r\n";
        const warnings: string[] = [];
        const queue = await BullQueue.open(fake.url, {
          timeout: 2000,
          onWarning: (message) => warnings.push(message),
        });
        expect(warnings).toEqual([`${fake.url} does not tell its maxmemory-policy, which must be noeviction`]);
        await expect(queue.ping()).rejects.toMatchObject({
          code: "QUEUE_UNAVAILABLE",
          got: expect.stringMatching(/unknown/),
        });
        await queue.close();
      } finally {
        fake.close();
      }
    });

    it("finds what doctors ask for", async () => {
      expect(await inspectRedis(redis.url)).toMatchObject({
        version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
        maxmemoryPolicy: "noeviction",
        maxmemory: 0,
        usedMemory: expect.any(Number),
        persistence: { aof: false, rdb: false },
        clients: { connected: expect.any(Number), most: expect.any(Number) },
      });
      const { clockSkewMs, latencyMs } = await inspectRedis(redis.url);
      expect(Math.abs(clockSkewMs)).toBeLessThan(100);
      expect(latencyMs).toBeGreaterThan(0);
      expect(latencyMs).toBeLessThan(1000);
    });
  });

  describe("beside others who write to Redis", () => {
    it("BullMQ's own classes work with our jobs, and ours with theirs", async () => {
      const queue = await open();
      const connection = { host: "127.0.0.1", port: redis.port };
      await queue.add(job("assemble", "ours", { data: 1, priority: 7 }), [job("prove", "our-child", { data: 2 })]);
      const flows = new FlowProducer({ connection, prefix });
      await flows.add({
        name: "theirs",
        queueName: "assemble",
        data: 1,
        opts: { jobId: "theirs" },
        children: [{ name: "child", queueName: "prove", data: 2, opts: { jobId: "their-child" } }],
      });
      // their worker does our job, ours does theirs, and the parents see it
      const theirs = new Worker("prove", async ({ id }) => `${id} by BullMQ`, { connection, prefix });
      await ended(queue, "prove", "our-child");
      await ended(queue, "prove", "their-child");
      await theirs.close();
      queue.consume("assemble", async ({ children }) => [...(await children()).results.values()] as string[], {
        concurrency: 1,
      });
      expect((await ended(queue, "assemble", "ours")).result).toEqual(["our-child by BullMQ"]);
      expect((await ended(queue, "assemble", "theirs")).result).toEqual(["their-child by BullMQ"]);
      const bull = new Line("assemble", { connection, prefix });
      expect(await bull.getJobCounts("completed", "failed", "waiting")).toEqual({
        completed: 2,
        failed: 0,
        waiting: 0,
      });
      expect(await bull.getJob("ours")).toMatchObject({ name: "assemble of 1", data: 1, priority: 7 });
      expect((await bull.getJob("ours"))?.returnvalue).toEqual(["our-child by BullMQ"]);
      await Promise.all([bull.close(), flows.close()]);
    });

    it("damaged jobs harm nobody else", async () => {
      const warnings: string[] = [];
      const queue = await open({ onWarning: (message) => warnings.push(message) });
      const base = `${prefix}:prove`;
      const hash = {
        name: "prove",
        data: '{"a":1}',
        opts: '{"attempts":1}',
        timestamp: "1",
        delay: "0",
        priority: "0",
      };
      const put = async (id: string, fields: Record<string, string>) => {
        await raw.hset(`${base}:${id}`, fields);
        await raw.lpush(`${base}:wait`, id);
      };
      const seen = new Map<string, unknown>();
      const gate = promised();
      const handler: Handler = async ({ id, data }) => {
        seen.set(id, data);
        if (id === "first") await gate.promise;
        return null;
      };
      queue.consume("prove", handler, { concurrency: 1 });
      await queue.add(job("prove", "first"));
      await until(() => seen.has("first"));
      // two of them come along with the end of another
      await put("no-json", { ...hash, data: "{" });
      await put("no-options", { ...hash, opts: "]" });
      await put("no-progress", { ...hash, progress: "oh" });
      await put("no-numbers", { ...hash, opts: "{}", timestamp: "x", priority: "y", atm: "z", stc: "?" });
      await put("orphan", {
        ...hash,
        parentKey: `${prefix}:assemble:gone`,
        parent: `{"id":"gone","queueKey":"${prefix}:assemble"}`,
      });
      await raw.lpush(`${base}:wait`, "nothing", "0:0", "a:b:c");
      await raw.zadd(`${base}:marker`, 0, "0");
      await queue.add(job("prove", "good", { priority: 1000 }));
      gate.resolve();
      for (const id of ["first", "good", "orphan"]) {
        expect(await ended(queue, "prove", id)).toMatchObject({ state: "completed" });
      }
      expect(seen.has("no-json")).toBe(false);
      expect(warnings.length).toBeGreaterThan(0);
      expect(warnings.length).toBeLessThan(30);
    });

    it("text of others is no failure, worker or network of ours, and no event either", async () => {
      const queue = await open();
      await queue.add(job("assemble", "p"), [job("prove", "a")]);
      await raw.hset(`${prefix}:assemble:p:failed`, `${prefix}:prove:z`, "child failed");
      await raw.set(`${prefix}:network`, '{"version":1}');
      expect(await queue.description()).toBeUndefined();
      await raw.set(`${prefix}:network`, "{");
      expect(await queue.description()).toBeUndefined();
      await raw.sadd(`${prefix}:workers`, "w1", "w2", "w3");
      await raw.mset(`${prefix}:worker:w1`, "{", `${prefix}:worker:w2`, '{"id":"w2"}');
      expect(await queue.workers()).toEqual([]);
      expect((await raw.smembers(`${prefix}:workers`)).sort()).toEqual(["w1", "w2"]);
      await raw.hset(`${prefix}:plan:odd`, { failedReason: "x".repeat(5000), atm: "1", opts: "{}" });
      await raw.zadd(`${prefix}:plan:failed`, 1, "odd", 2, "gone");
      const failed = await queue.failed("plan", 10);
      expect(failed).toMatchObject([{ id: "odd", failure: { code: "INTERNAL", retryable: false } }]);
      expect(failed[0]!.failure!.message.length).toBe(2000);

      const events: QueueEvent[] = [];
      queue.follow((event) => events.push(event));
      await queue.ping();
      const stream = `${prefix}:prove:events`;
      await raw.xadd(stream, "*", "event", "failed", "jobId", "a");
      await raw.xadd(stream, "*", "odd", "odder");
      await raw.xadd(stream, "*", "event", "progress", "jobId", "a", "data", "{");
      await until(() => events.length > 0);
      // who reads the queue begins again after what cannot be read
      await sleep(1500);
      queue.consume("prove", async () => null, { concurrency: 1 });
      const children = promised<unknown>();
      queue.consume(
        "assemble",
        async (delivery) => {
          const { results, failures } = await delivery.children();
          children.resolve([Object.fromEntries(results), Object.fromEntries(failures)]);
          return null;
        },
        { concurrency: 1 },
      );
      expect(await children.promise).toEqual([
        { a: null },
        { z: { code: "INTERNAL", message: "child failed", retryable: false } },
      ]);
      await until(() => events.some(({ type, id }) => type === "completed" && id === "p"));
      await until(() => events.some(({ type, id }) => type === "completed" && id === "a"));
      expect(events[0]).toMatchObject({ type: "failed", failure: { code: "INTERNAL" } });
    });
  });

  describe("what it costs Redis", () => {
    const calls = async (): Promise<number> => {
      const stats = await raw.info("commandstats");
      return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };

    it("is one script for each job of a busy consumer, whose connections are few", async () => {
      const queue = await open();
      const count = 400;
      await queue.add(
        job("assemble", "p"),
        Array.from({ length: count }, (_, i) => job("prove", `j${i}`)),
      );
      const before = await calls();
      const done = promised();
      queue.consume("prove", async ({ id }) => id, { concurrency: 4 });
      queue.consume(
        "assemble",
        async () => {
          done.resolve();
          return null;
        },
        { concurrency: 1 },
      );
      await done.promise;
      expect((await calls()) - before).toBeLessThan(1.1 * count);
      const mine = async () => {
        const list = (await raw.client("LIST")) as string;
        return list.split("\n").filter((line) => line.includes(` name=${prefix}`)).length;
      };
      expect(await mine()).toBe(3);
      const end = queue.follow(() => {});
      await until(async () => (await mine()) === 8);
      end();
      await until(async () => (await mine()) === 3);
      await queue.close();
      await until(async () => (await mine()) === 0);
    });

    it("is nothing while there is nothing to do", async () => {
      const queue = await open({ lockDuration: 60_000 });
      for (const kind of ["plan", "commit", "prove"] as const)
        queue.consume(kind, async () => null, { concurrency: 4 });
      await sleep(200);
      const before = await calls();
      await sleep(1000);
      expect((await calls()) - before).toBeLessThanOrEqual(1);
    });

    it("is bounded: jobs that ended are forgotten", async () => {
      const queue = await open();
      const done = promised();
      let left = 220;
      queue.consume(
        "plan",
        async () => {
          if (--left === 0) done.resolve();
          return null;
        },
        { concurrency: 8 },
      );
      await Promise.all(Array.from({ length: left }, (_, i) => queue.add(job("plan", `j${i}`))));
      await done.promise;
      await until(async () => (await queue.counts("plan")).active === 0);
      expect((await queue.counts("plan")).completed).toBe(200);
      expect((await raw.keys(`${prefix}:plan:j*`)).length).toBe(200);
    });
  });

  it("a consumer that was away finds its signal aborted, not the job done twice", async () => {
    const queue = await open();
    const signals: AbortSignal[] = [];
    queue.consume(
      "prove",
      async ({ signal, attempt }) => {
        signals.push(signal);
        if (attempt === 0) await aborted(signal);
        return attempt;
      },
      { concurrency: 2 },
    );
    await queue.add(job("prove", "a"));
    await until(() => signals.length === 1);
    // somebody took the lock
    await raw.set(`${prefix}:prove:a:lock`, "foreign", "PX", LOCK);
    await aborted(signals[0]!);
    expect(await ended(queue, "prove", "a")).toMatchObject({ state: "completed", result: 1 });
    expect(signals[1]!.aborted).toBe(false);
  });
});

/** A server that answers each piece of what it hears. */
async function listen(answer: (asked: string) => string): Promise<{ url: string; close(): void }> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      // as many commands as were sent together
      for (const asked of data.toString().split(/(?=\*\d+\r\n\$)/)) socket.write(answer(asked));
    });
    sockets.add(socket);
  });
  const sockets = new Set<{ destroy(): void }>();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
