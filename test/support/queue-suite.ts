/**
 * What every queue does, whatever it is made of.
 *
 * @module
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JobKind } from "../../src/network/jobs.js";
import {
  type Consumer,
  type Delivery,
  HandBack,
  type Handler,
  JobError,
  type JobSpec,
  type JobStatus,
  MoreChildren,
  type Queue,
  type QueueEvent,
  type WorkerDescription,
} from "../../src/network/queue.js";

/** Clients of one network. */
export interface Opened {
  /** Another client; it is closed with the others. */
  queue(): Promise<Queue>;
  close(): Promise<void>;
}

/** Milliseconds before a second attempt of the queues that are tested. */
export const SUITE_BACKOFF = 20;

const ATTEMPTS = 3;

/** A job; what it is about is its name. */
export const job = (kind: JobKind, id: string, more: Partial<JobSpec> = {}): JobSpec => ({
  kind,
  id,
  data: { about: id },
  priority: 10,
  attempts: ATTEMPTS,
  ...more,
});

/** Something that will happen. */
export interface Promised<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

export function promised<T = void>(): Promised<T> {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something is as it should be. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  ms = 10_000,
): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${look}`);
    await sleep(5);
  }
}

/** Waits until a job has ended. */
export const ended = (queue: Queue, kind: JobKind, id: string, ms?: number): Promise<JobStatus> =>
  until(async () => {
    const status = await queue.status(kind, id);
    return status?.state === "completed" || status?.state === "failed" ? status : undefined;
  }, ms);

export const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });

const failure = (code: string, retryable: boolean) =>
  new JobError({ code, message: `it is ${code}`, retryable, worker: "w1", backend: "wasm" });

const worker = (id: string): WorkerDescription => ({
  id,
  version: "0.1.0",
  protocol: "1",
  keySet: "00".repeat(32),
  host: "here",
  pid: 1,
  kinds: ["commit", "prove"],
  concurrency: 2,
  threads: 4,
  backend: "wasm",
  since: 1_700_000_000_000,
});

/** @param open clients of a network in which nothing has happened yet, with {@link SUITE_BACKOFF}. */
export function describeQueue(name: string, open: () => Promise<Opened>): void {
  describe(name, () => {
    let network: Opened;
    /** Adds jobs and asks. */
    let queue: Queue;
    /** Works. */
    let other: Queue;
    const consumers: Consumer[] = [];

    beforeEach(async () => {
      network = await open();
      [queue, other] = await Promise.all([network.queue(), network.queue()]);
    });
    afterEach(async () => {
      await Promise.all(consumers.splice(0).map((consumer) => consumer.close({ abandon: true })));
      await network.close();
    });

    const consume = (kind: JobKind, handler: Handler, concurrency = 1, by = other): Consumer => {
      const consumer = by.consume(kind, handler, { concurrency });
      consumers.push(consumer);
      return consumer;
    };

    describe("jobs", () => {
      it("is done once, with its data, and has a result", async () => {
        await queue.add(job("commit", "a", { data: { n: 1, text: "ü", list: [null, true], gone: undefined } }));
        expect(await queue.status("commit", "a")).toMatchObject({
          kind: "commit",
          id: "a",
          state: "waiting",
          failures: 0,
        });
        const seen: Delivery[] = [];
        consume("commit", async (delivery) => {
          seen.push(delivery);
          return { ok: [1, "2"] };
        });
        expect(await ended(queue, "commit", "a")).toMatchObject({
          kind: "commit",
          id: "a",
          state: "completed",
          failures: 0,
          result: { ok: [1, "2"] },
          failure: undefined,
          activeSince: undefined,
        });
        expect(seen).toHaveLength(1);
        expect(seen[0]).toMatchObject({ kind: "commit", id: "a", priority: 10, attempt: 0 });
        expect(seen[0]!.data).toEqual({ n: 1, text: "ü", list: [null, true] });
        expect(seen[0]!.signal.aborted).toBe(false);
        expect(seen[0]!.waited).toBeGreaterThanOrEqual(0);
        expect(seen[0]!.waited).toBeLessThan(5000);
        expect((await seen[0]!.children()).results.size).toBe(0);
      });

      it("says since when a job is worked on", async () => {
        const finish = promised();
        const before = Date.now();
        consume("commit", async () => {
          await finish.promise;
          return null;
        });
        await queue.add(job("commit", "a"));
        const active = await until(async () => {
          const status = await queue.status("commit", "a");
          return status?.state === "active" && status;
        });
        expect(active.activeSince).toBeGreaterThanOrEqual(before);
        expect(active.activeSince).toBeLessThanOrEqual(Date.now());
        expect(active.result).toBeUndefined();
        finish.resolve();
        expect(await ended(queue, "commit", "a")).toMatchObject({ state: "completed", result: null });
      });

      it("is in its own kind's queue only, and unknown elsewhere", async () => {
        const seen: string[] = [];
        consume("prove", async ({ id }) => {
          seen.push(id);
          return null;
        });
        await queue.add(job("commit", "a"));
        await queue.add(job("prove", "b"));
        await ended(queue, "prove", "b");
        expect(seen).toEqual(["b"]);
        expect(await queue.status("prove", "a")).toBeUndefined();
        expect(await queue.status("commit", "b")).toBeUndefined();
      });

      it("that is there is not added again, whatever it says, in any state", async () => {
        let times = 0;
        const again = job("commit", "a", { data: "other", attempts: 9, priority: 0 });
        await queue.add(job("commit", "a"));
        await Promise.all([queue.add(again), other.add(again)]);
        expect((await queue.counts("commit")).waiting).toBe(1);
        consume("commit", async ({ data }) => {
          times++;
          await other.add(again);
          return data as { about: string };
        });
        expect((await ended(queue, "commit", "a")).result).toEqual({ about: "a" });
        await queue.add(again, [job("prove", "late")]);
        await sleep(50);
        expect(times).toBe(1);
        // not its children either
        expect(await queue.status("prove", "late")).toBeUndefined();
        expect(await queue.status("commit", "a")).toMatchObject({ state: "completed" });
      });

      it("with names, priorities or attempts that no queue has are refused", async () => {
        const bad: Partial<JobSpec>[] = [
          { id: "" },
          { id: "a:b" },
          { id: "a b" },
          { id: "ä" },
          { id: "x".repeat(201) },
          { id: "events" },
          { priority: -1 },
          { priority: 2 ** 21 },
          { priority: 0.5 },
          { priority: Number.NaN },
          { attempts: 0 },
          { attempts: 1.5 },
        ];
        for (const more of bad) {
          await expect(queue.add(job("commit", "a", more))).rejects.toMatchObject({ code: "JOB_MALFORMED" });
          await expect(queue.add(job("challenge", "p"), [job("commit", "a", more)])).rejects.toMatchObject({
            code: "JOB_MALFORMED",
          });
        }
        await expect(queue.add(job("plan", "p"), [job("plan", "p")])).rejects.toMatchObject({ code: "JOB_MALFORMED" });
        expect((await queue.counts("commit")).waiting).toBe(0);
        expect(await queue.status("challenge", "p")).toBeUndefined();
        expect(() => queue.consume("commit", async () => null, { concurrency: 0 })).toThrow(
          expect.objectContaining({ code: "CONFIG_INVALID" }),
        );
      });

      it("the most important first, in the order of their coming", async () => {
        const priorities = [5, 0, 2 ** 21 - 1, 5, 1, 0, 2];
        for (const [i, priority] of priorities.entries()) await queue.add(job("commit", `j${i}`, { priority }));
        const seen: string[] = [];
        consume("commit", async ({ id, priority }) => {
          expect(priority).toBe(priorities[Number(id.slice(1))]);
          seen.push(id);
          return null;
        });
        await until(() => seen.length === priorities.length);
        expect(seen).toEqual(["j1", "j5", "j4", "j6", "j0", "j3", "j2"]);
      });

      it("many, over several consumers of several clients: each takes effect once", async () => {
        const count = 300;
        const done = new Map<string, number>();
        const active = new Map<Queue, number>();
        let most = 0;
        for (const by of [queue, other]) {
          const handler = async ({ id }: Delivery) => {
            active.set(by, (active.get(by) ?? 0) + 1);
            most = Math.max(most, active.get(by)!);
            await sleep(Math.random() * 3);
            active.set(by, active.get(by)! - 1);
            done.set(id, (done.get(id) ?? 0) + 1);
            return id;
          };
          consume("prove", handler, 4, by);
        }
        await Promise.all(
          Array.from({ length: count }, (_, i) => queue.add(job("prove", `j${i}`, { priority: i % 3 }))),
        );
        await until(async () => (await queue.counts("prove")).completed === count);
        expect(done.size).toBe(count);
        expect([...done.values()].every((times) => times === 1)).toBe(true);
        expect((await queue.status("prove", "j7"))?.result).toBe("j7");
        if (queue !== other) expect(most).toBeLessThanOrEqual(4);
      });

      it("no more at a time than the consumer takes", async () => {
        let active = 0;
        let most = 0;
        consume(
          "prove",
          async () => {
            most = Math.max(most, ++active);
            await sleep(10);
            active--;
            return null;
          },
          3,
        );
        await Promise.all(Array.from({ length: 20 }, (_, i) => queue.add(job("prove", `j${i}`))));
        await until(async () => (await queue.counts("prove")).completed === 20);
        expect(most).toBe(3);
      });

      it("wakes a consumer that has been waiting", async () => {
        const seen: string[] = [];
        consume("plan", async ({ id }) => {
          seen.push(id);
          return null;
        });
        await sleep(100);
        for (const id of ["a", "b", "c"]) {
          const began = performance.now();
          await queue.add(job("plan", id));
          await ended(queue, "plan", id);
          expect(performance.now() - began).toBeLessThan(1000);
        }
        expect(seen).toEqual(["a", "b", "c"]);
      });
    });

    describe("failures", () => {
      it("is tried again, a little later each time, and tells of the attempt", async () => {
        const attempts: { attempt: number; at: number; waited: number }[] = [];
        consume("commit", async ({ attempt, waited }) => {
          attempts.push({ attempt, at: performance.now(), waited });
          if (attempts.length < ATTEMPTS) throw failure("STORE_UNAVAILABLE", true);
          return "at last";
        });
        await queue.add(job("commit", "a"));
        const delayed = await until(async () => {
          const status = await queue.status("commit", "a");
          return (status?.failures ?? 0) > 0 && status;
        });
        expect(delayed.failure).toMatchObject({ code: "STORE_UNAVAILABLE", retryable: true });
        expect(await ended(queue, "commit", "a")).toMatchObject({ state: "completed", failures: 2, result: "at last" });
        expect(attempts.map(({ attempt }) => attempt)).toEqual([0, 1, 2]);
        expect(attempts[1]!.at - attempts[0]!.at).toBeGreaterThan(SUITE_BACKOFF / 2 - 2);
        expect(attempts[2]!.at - attempts[1]!.at).toBeGreaterThan(SUITE_BACKOFF - 2);
      });

      it("has failed after as many attempts as it has, with the last cause", async () => {
        let times = 0;
        consume("commit", async () => {
          throw failure(`E${++times}`, true);
        });
        await queue.add(job("commit", "a"));
        expect(await ended(queue, "commit", "a")).toMatchObject({
          state: "failed",
          failures: ATTEMPTS,
          failure: { code: "E3", message: "it is E3", retryable: true, worker: "w1", backend: "wasm" },
          result: undefined,
        });
        expect(times).toBe(ATTEMPTS);
      });

      it("that cannot end otherwise ends the job at once", async () => {
        let times = 0;
        consume("commit", async () => {
          times++;
          throw failure("BLOCK_TRACE", false);
        });
        await queue.add(job("commit", "a", { attempts: 50 }));
        expect(await ended(queue, "commit", "a")).toMatchObject({ state: "failed", failure: { code: "BLOCK_TRACE" } });
        await sleep(2 * SUITE_BACKOFF);
        expect(times).toBe(1);
      });

      it("of any other sort are bugs that may pass", async () => {
        let times = 0;
        consume("commit", async () => {
          if (++times === 1) throw new TypeError("oh");
          // biome-ignore lint/suspicious/noExplicitAny: what a handler must not throw or return
          if (times === 2) throw undefined as any;
          return 1n as unknown as number;
        });
        await queue.add(job("commit", "a", { attempts: 3 }));
        expect(await ended(queue, "commit", "a")).toMatchObject({
          state: "failed",
          failures: 3,
          failure: { code: "INTERNAL" },
        });
        expect(times).toBe(3);
      });

      it("keeps messages short", async () => {
        consume("commit", async () => {
          throw new JobError({ code: "BIG", message: "x".repeat(1_000_000), retryable: false });
        });
        await queue.add(job("commit", "a"));
        const { failure: kept } = await ended(queue, "commit", "a");
        expect(kept?.message.length).toBeLessThanOrEqual(2000);
      });

      it("lists those that failed, the newest first", async () => {
        consume("prove", async ({ id }) => {
          throw failure(id.toUpperCase(), false);
        });
        for (const id of ["a", "b", "c"]) {
          await queue.add(job("prove", id));
          await ended(queue, "prove", id);
          await sleep(2);
        }
        const failed = await queue.failed("prove", 10);
        expect(failed.map(({ id, failure }) => [id, failure?.code])).toEqual([
          ["c", "C"],
          ["b", "B"],
          ["a", "A"],
        ]);
        expect(failed[0]).toMatchObject({ kind: "prove", state: "failed", failures: 1 });
        expect(await queue.failed("prove", 2)).toHaveLength(2);
        expect(await queue.failed("prove", 0)).toEqual([]);
        expect(await queue.failed("plan", 5)).toEqual([]);
      });
    });

    describe("children", () => {
      it("end before the job begins, which sees how", async () => {
        const order: string[] = [];
        consume(
          "commit",
          async ({ id }) => {
            order.push(id);
            if (id === "c1") throw failure("ROWS", false);
            await sleep(20);
            return { of: id };
          },
          3,
        );
        const seen = promised<Awaited<ReturnType<Delivery["children"]>>>();
        consume("challenge", async ({ children, waited }) => {
          order.push("parent");
          expect(waited).toBeLessThan(5000);
          seen.resolve(await children());
          return "done";
        });
        const children = [0, 1, 2].map((i) => job("commit", `c${i}`));
        await queue.add(job("challenge", "p", { data: { more: 1 } }), children);
        const { results, failures } = await seen.promise;
        expect(order.at(-1)).toBe("parent");
        expect(new Map(results)).toEqual(
          new Map([
            ["c0", { of: "c0" }],
            ["c2", { of: "c2" }],
          ]),
        );
        expect([...failures.keys()]).toEqual(["c1"]);
        expect(failures.get("c1")).toMatchObject({
          code: "ROWS",
          message: "it is ROWS",
          retryable: false,
          worker: "w1",
        });
        expect(await ended(queue, "challenge", "p")).toMatchObject({ state: "completed", result: "done" });
      });

      it("that wait or are tried again keep the job waiting; those that used up their attempts do not", async () => {
        await queue.add(job("challenge", "p"), [job("commit", "a"), job("commit", "b")]);
        expect(await queue.status("challenge", "p")).toMatchObject({ state: "waiting-children" });
        expect(await queue.counts("challenge")).toMatchObject({ waiting: 0, waitingChildren: 1, oldestWaiting: 0 });
        let times = 0;
        let parents = 0;
        consume("challenge", async ({ children }) => {
          parents++;
          return (await children()).failures.size;
        });
        consume("commit", async ({ id }) => {
          if (id === "a") return null;
          times++;
          throw failure("AGAIN", true);
        });
        await ended(queue, "commit", "a");
        expect(await ended(queue, "challenge", "p")).toMatchObject({ result: 1 });
        expect(times).toBe(ATTEMPTS);
        expect(parents).toBe(1);
      });

      it("that are there already are waited for, or counted as they ended", async () => {
        consume("commit", async ({ id }) => {
          if (id === "bad") throw failure("BAD", false);
          return id;
        });
        await queue.add(job("commit", "good"));
        await queue.add(job("commit", "bad"));
        await Promise.all([ended(queue, "commit", "good"), ended(queue, "commit", "bad")]);

        const seen: Awaited<ReturnType<Delivery["children"]>>[] = [];
        consume("assemble", async ({ children }) => {
          seen.push(await children());
          return null;
        });
        const known = [job("commit", "good"), job("commit", "bad")];
        await queue.add(job("assemble", "p1"), known);
        await ended(queue, "assemble", "p1");
        expect(Object.fromEntries(seen[0]!.results)).toEqual({ good: "good" });
        expect(seen[0]!.failures.get("bad")).toMatchObject({ code: "BAD" });

        expect(seen).toHaveLength(1);
      });

      it("belong to one job: nobody else may wait for them, and then nothing is added", async () => {
        await queue.add(job("challenge", "p1"), [job("commit", "c")]);
        await expect(
          queue.add(job("challenge", "p2"), [job("commit", "new"), job("commit", "c")]),
        ).rejects.toMatchObject({
          code: "JOB_MALFORMED",
          where: "c",
        });
        expect(await queue.status("challenge", "p2")).toBeUndefined();
        expect(await queue.status("commit", "new")).toBeUndefined();
        consume("commit", async () => null);
        consume("challenge", async () => null);
        await ended(queue, "challenge", "p1");
      });

      it("added with their job by two at once are added once", async () => {
        const children = Array.from({ length: 30 }, (_, i) => job("commit", `c${i}`));
        await Promise.all([queue.add(job("challenge", "p"), children), other.add(job("challenge", "p"), children)]);
        expect((await queue.counts("commit")).waiting).toBe(30);
        let times = 0;
        consume("commit", async () => ++times, 8);
        const result = promised<number>();
        consume("challenge", async ({ children }) => {
          result.resolve((await children()).results.size);
          return null;
        });
        expect(await result.promise).toBe(30);
        expect(times).toBe(30);
      });

      it("may have children themselves", async () => {
        const order: string[] = [];
        const record: Handler = async ({ id }) => {
          order.push(id);
          return null;
        };
        await queue.add(job("challenge", "middle"), [job("commit", "leaf")]);
        await queue.add(job("assemble", "top"), [job("challenge", "middle")]);
        for (const kind of ["assemble", "challenge", "commit"] as const) consume(kind, record);
        await ended(queue, "assemble", "top");
        expect(order).toEqual(["leaf", "middle", "top"]);
      });
    });

    describe("more children", () => {
      it("keep the job waiting, which begins again with other data", async () => {
        const seen: { data: unknown; results: string[]; failures: string[] }[] = [];
        consume("prove", async ({ id }) => {
          if (id.startsWith("bad")) throw failure("BAD", false);
          return id;
        });
        consume("assemble", async ({ data, children }) => {
          const { results, failures } = await children();
          seen.push({ data, results: [...results.keys()].sort(), failures: [...failures.keys()] });
          switch (seen.length) {
            // waiting for more is no attempt that failed, one before it is
            case 1:
              throw failure("ONCE", true);
            case 2:
              throw new MoreChildren([job("prove", "a2"), job("prove", "bad2")], { round: 1 });
            case 3:
              throw new MoreChildren([job("prove", "a3")], { round: 2 });
            default:
              return "whole";
          }
        });
        await queue.add(job("assemble", "p", { data: { round: 0 }, attempts: 2 }), [job("prove", "a1")]);
        expect(await ended(queue, "assemble", "p")).toMatchObject({ state: "completed", result: "whole" });
        expect(seen).toEqual([
          { data: { round: 0 }, results: ["a1"], failures: [] },
          { data: { round: 0 }, results: ["a1"], failures: [] },
          { data: { round: 1 }, results: ["a1", "a2"], failures: ["bad2"] },
          { data: { round: 2 }, results: ["a1", "a2", "a3"], failures: ["bad2"] },
        ]);
      });

      it("show the job waiting for them", async () => {
        consume("assemble", async ({ data }) => {
          if (data === "second") return null;
          throw new MoreChildren([job("prove", "more")], "second");
        });
        await queue.add(job("assemble", "p", { data: "first" }));
        const waiting = await until(async () => {
          const status = await queue.status("assemble", "p");
          return status?.state === "waiting-children" && status;
        });
        expect(waiting).toMatchObject({ failures: 0, failure: undefined });
        consume("prove", async () => null);
        await ended(queue, "assemble", "p");
      });

      it("that are there already, in any state, or none at all, do not keep it waiting for ever", async () => {
        consume("commit", async ({ id }) => {
          if (id === "bad") throw failure("BAD", false);
          return id;
        });
        await queue.add(job("commit", "bad"));
        await queue.add(job("commit", "good"));
        await Promise.all([ended(queue, "commit", "bad"), ended(queue, "commit", "good")]);
        let round = 0;
        const sizes: number[][] = [];
        consume("assemble", async ({ children }) => {
          const { results, failures } = await children();
          sizes.push([results.size, failures.size]);
          round++;
          if (round === 1) throw new MoreChildren([], round);
          if (round <= 3) throw new MoreChildren([job("commit", "bad"), job("commit", "good")], round);
          return round;
        });
        await queue.add(job("assemble", "p"));
        expect(await ended(queue, "assemble", "p")).toMatchObject({ state: "completed", result: 4 });
        expect(sizes).toEqual([
          [0, 0],
          [0, 0],
          [1, 1],
          [1, 1],
        ]);
      });

      it("that cannot be added end the job", async () => {
        await queue.add(job("challenge", "owner"), [job("commit", "c")]);
        consume("assemble", async ({ id }) => {
          throw new MoreChildren([id === "p" ? job("commit", "c") : job("commit", "no:name")], null);
        });
        await queue.add(job("assemble", "p"));
        await queue.add(job("assemble", "q"));
        for (const id of ["p", "q"]) {
          expect(await ended(queue, "assemble", id)).toMatchObject({
            state: "failed",
            failure: { code: "JOB_MALFORMED", retryable: false },
          });
        }
        expect((await queue.counts("commit")).waiting).toBe(1);
      });
    });

    describe("handing back", () => {
      it("gives the job to somebody else, as if it had not been taken", async () => {
        const attempts: number[] = [];
        let back = 0;
        consume("prove", async ({ attempt }) => {
          attempts.push(attempt);
          if (attempts.length <= 5) {
            back++;
            throw new HandBack(attempts.length % 2 === 0 ? 0 : 5);
          }
          if (attempts.length === 6) throw failure("ONCE", true);
          return null;
        });
        // more often than it may fail
        await queue.add(job("prove", "a", { attempts: 2 }));
        expect(await ended(queue, "prove", "a")).toMatchObject({ state: "completed", failures: 1 });
        expect(back).toBe(5);
        expect(attempts).toEqual([0, 0, 0, 0, 0, 0, 1]);
      });

      it("for a while: nobody gets it sooner, and others get theirs", async () => {
        const seen: { id: string; at: number }[] = [];
        let given = 0;
        consume("prove", async ({ id }) => {
          if (id === "a" && given === 0) {
            given = performance.now();
            throw new HandBack(150);
          }
          seen.push({ id, at: performance.now() });
          return null;
        });
        await queue.add(job("prove", "a"));
        await until(async () => (await queue.status("prove", "a"))?.state === "delayed");
        expect(await queue.counts("prove")).toMatchObject({ waiting: 0, delayed: 1, active: 0 });
        await queue.add(job("prove", "b"));
        await until(() => seen.length === 2);
        expect(seen.map(({ id }) => id)).toEqual(["b", "a"]);
        expect(seen[1]!.at - given).toBeGreaterThan(140);
        expect(seen[1]!.at - given).toBeLessThan(3000);
      });

      it("wakes who is idle", async () => {
        const got = promised();
        const leaving = consume("prove", async () => {
          void leaving.close();
          throw new HandBack(0);
        });
        await queue.add(job("prove", "a"));
        await until(async () => (await queue.status("prove", "a"))?.state === "waiting");
        await leaving.close();
        const began = performance.now();
        consume("prove", async () => {
          got.resolve();
          return null;
        });
        await got.promise;
        expect(performance.now() - began).toBeLessThan(2000);
      });
    });

    describe("leases", () => {
      it("that expire: the job goes to somebody else, the first is told, what it brings is dropped", async () => {
        const late = promised();
        const attempts: number[] = [];
        const reasons: unknown[] = [];
        const handler: Handler = async ({ attempt, signal }) => {
          attempts.push(attempt);
          if (attempts.length > 1) return "second";
          reasons.push(await aborted(signal));
          await late.promise;
          return "first";
        };
        consume("prove", handler, 2);
        await queue.add(job("prove", "a", { attempts: 1 }));
        await until(() => attempts.length === 1);
        await queue.expire("prove", "a");
        expect(await ended(queue, "prove", "a")).toMatchObject({ state: "completed", result: "second", failures: 1 });
        await until(() => reasons.length === 1);
        expect(reasons[0]).toMatchObject({ code: "JOB_LOST" });
        late.resolve();
        await sleep(100);
        expect(await queue.status("prove", "a")).toMatchObject({ state: "completed", result: "second" });
        expect(attempts).toEqual([0, 1]);
        expect(await queue.counts("prove")).toMatchObject({ completed: 1, active: 0, waiting: 0 });
      });

      it("that expired: whatever else the first throws is dropped too", async () => {
        for (const error of [failure("LATE", false), new HandBack(0), new MoreChildren([job("commit", "no")], "no")]) {
          const gate = promised();
          const second = promised();
          let times = 0;
          const consumer = consume(
            "assemble",
            async ({ signal }) => {
              if (++times > 1) {
                await second.promise;
                return "second";
              }
              await aborted(signal);
              await gate.promise;
              throw error;
            },
            2,
          );
          const id = `a${error.name}`;
          await queue.add(job("assemble", id));
          await until(() => times === 1);
          await queue.expire("assemble", id);
          await until(() => times === 2);
          gate.resolve();
          await sleep(50);
          expect(await queue.status("assemble", id)).toMatchObject({ state: "active", failure: undefined });
          second.resolve();
          expect(await ended(queue, "assemble", id)).toMatchObject({ state: "completed", result: "second" });
          expect(await queue.status("commit", "no")).toBeUndefined();
          await consumer.close();
        }
      });

      it("that expire too often end the job", async () => {
        let times = 0;
        consume(
          "prove",
          async ({ signal }) => {
            times++;
            await aborted(signal);
            return null;
          },
          1,
        );
        await queue.add(job("prove", "a", { attempts: 1 }));
        for (let i = 1; i <= 11; i++) {
          await until(async () => times === i && (await queue.status("prove", "a"))?.state === "active");
          await queue.expire("prove", "a");
        }
        const status = await ended(queue, "prove", "a");
        expect(status).toMatchObject({ state: "failed", failure: { code: "JOB_LOST" } });
        expect(status.failures).toBeGreaterThanOrEqual(11);
        expect(times).toBe(11);
      });

      it("of jobs that nobody has do not expire", async () => {
        await queue.expire("prove", "nothing");
        await queue.add(job("prove", "a"));
        await queue.expire("prove", "a");
        expect(await queue.status("prove", "a")).toMatchObject({ state: "waiting", failures: 0 });
        consume("prove", async ({ attempt }) => attempt);
        expect(await ended(queue, "prove", "a")).toMatchObject({ result: 0 });
        await queue.expire("prove", "a");
        expect(await queue.status("prove", "a")).toMatchObject({ state: "completed" });
      });
    });

    describe("consumers", () => {
      it("that are paused take nothing, and finish what they have", async () => {
        const gate = promised();
        const seen: string[] = [];
        const consumer = consume("prove", async ({ id }) => {
          seen.push(id);
          if (id === "a") await gate.promise;
          return null;
        });
        await queue.add(job("prove", "a"));
        await until(() => seen.length === 1);
        consumer.pause();
        await queue.add(job("prove", "b"));
        gate.resolve();
        await ended(queue, "prove", "a");
        await sleep(100);
        expect(seen).toEqual(["a"]);
        expect(await queue.status("prove", "b")).toMatchObject({ state: "waiting", failures: 0 });
        consumer.resume();
        await ended(queue, "prove", "b");
        expect(seen).toEqual(["a", "b"]);
      });

      it("that are paused while they wait keep no job from others", async () => {
        const idle = consume("prove", async () => "idle");
        await sleep(50);
        idle.pause();
        await queue.add(job("prove", "a"));
        await sleep(50);
        const began = performance.now();
        consume("prove", async ({ attempt }) => `busy ${attempt}`, 1, queue);
        expect(await ended(queue, "prove", "a")).toMatchObject({ result: "busy 0" });
        expect(performance.now() - began).toBeLessThan(2000);
        await queue.add(job("prove", "b"));
        expect(await ended(queue, "prove", "b", 2000)).toMatchObject({ result: "busy 0" });
      });

      it("that are paused and resumed all the time lose nothing and do nothing twice", async () => {
        const times = new Map<string, number>();
        const consumer = consume(
          "prove",
          async ({ id, attempt }) => {
            times.set(id, (times.get(id) ?? 0) + 1);
            return attempt;
          },
          2,
        );
        const adding = (async () => {
          for (let i = 0; i < 60; i++) {
            await queue.add(job("prove", `j${i}`));
            await sleep(1);
          }
        })();
        for (let i = 0; i < 30; i++) {
          consumer.pause();
          await sleep(3);
          consumer.resume();
          await sleep(3);
        }
        await adding;
        await until(async () => (await queue.counts("prove")).completed === 60);
        expect(times.size).toBe(60);
        expect([...times.values()].every((n) => n === 1)).toBe(true);
        expect(await queue.status("prove", "j59")).toMatchObject({ failures: 0, result: 0 });
      });

      it("that are closed end what they have first, and leave the rest", async () => {
        const gate = promised();
        let ended = false;
        let begun = 0;
        const consumer = consume("prove", async () => {
          begun++;
          await gate.promise;
          ended = true;
          return "in time";
        });
        await queue.add(job("prove", "a"));
        await queue.add(job("prove", "b"));
        await until(() => begun === 1);
        const closing = consumer.close();
        await sleep(50);
        expect(ended).toBe(false);
        gate.resolve();
        await closing;
        expect(ended).toBe(true);
        expect(await queue.status("prove", "a")).toMatchObject({ state: "completed", result: "in time" });
        expect(await queue.status("prove", "b")).toMatchObject({ state: "waiting", failures: 0 });
        expect(begun).toBe(1);
        await consumer.close();
      });

      it("that are closed while idle wake somebody for the jobs they might have taken", async () => {
        const consumer = consume("prove", async () => "first");
        await sleep(50);
        const closing = consumer.close();
        await queue.add(job("prove", "a"));
        await closing;
        const began = performance.now();
        consume("prove", async () => "second", 1, queue);
        await ended(queue, "prove", "a");
        expect(performance.now() - began).toBeLessThan(2000);
      });

      it("that are abandoned go at once; their jobs go to others, with one attempt more", async () => {
        const gate = promised();
        const begun = promised<AbortSignal>();
        const consumer = consume("prove", async ({ signal }) => {
          begun.resolve(signal);
          await gate.promise;
          return "too late";
        });
        await queue.add(job("prove", "a"));
        const signal = await begun.promise;
        await consumer.close({ abandon: true });
        expect(signal.aborted).toBe(true);
        const seen = promised<number>();
        consume(
          "prove",
          async ({ attempt }) => {
            seen.resolve(attempt);
            return "other";
          },
          1,
          queue,
        );
        expect(await seen.promise).toBe(1);
        gate.resolve();
        expect(await ended(queue, "prove", "a")).toMatchObject({ result: "other" });
      });
    });

    describe("removing", () => {
      it("forgets jobs that nobody is at", async () => {
        consume("commit", async ({ id }) => {
          if (id === "is-failed") throw failure("NO", false);
          if (id === "is-delayed") throw new HandBack(60_000);
          return null;
        });
        for (const id of ["done", "is-failed", "is-delayed"]) await queue.add(job("commit", id));
        await ended(queue, "commit", "done");
        await ended(queue, "commit", "is-failed");
        await until(async () => (await queue.status("commit", "is-delayed"))?.state === "delayed");
        await queue.add(job("prove", "waiting"));
        await queue.remove([
          ...["done", "is-failed", "is-delayed", "unknown"].map((id) => ({ kind: "commit" as const, id })),
          { kind: "prove", id: "waiting" },
          // no jobs: nothing else goes with them
          { kind: "prove", id: "meta" },
          { kind: "prove", id: "prioritized" },
          { kind: "prove", id: "" },
        ]);
        for (const id of ["done", "is-failed", "is-delayed"]) expect(await queue.status("commit", id)).toBeUndefined();
        expect(await queue.counts("commit")).toMatchObject({ waiting: 0, delayed: 0, completed: 0, failed: 0 });
        expect(await queue.counts("prove")).toMatchObject({ waiting: 0 });
        expect(await queue.failed("commit", 10)).toEqual([]);
        // as if they had never been
        await queue.add(job("commit", "done"));
        expect((await ended(queue, "commit", "done")).result).toBeNull();
      });

      it("drops the results of jobs in work", async () => {
        const gate = promised();
        const begun = promised<AbortSignal>();
        const consumer = consume("prove", async ({ signal }) => {
          begun.resolve(signal);
          await gate.promise;
          return "late";
        });
        await queue.add(job("prove", "a"));
        const signal = await begun.promise;
        await queue.remove([{ kind: "prove", id: "a" }]);
        await aborted(signal);
        gate.resolve();
        await consumer.close();
        expect(await queue.status("prove", "a")).toBeUndefined();
        expect(await queue.counts("prove")).toMatchObject({ active: 0, waiting: 0, completed: 0, failed: 0 });
      });

      it("a whole family: its parent does not begin", async () => {
        const children = Array.from({ length: 20 }, (_, i) => job("prove", `c${i}`));
        await queue.add(job("assemble", "p"), children);
        let begun = 0;
        consume("assemble", async () => ++begun);
        await queue.remove([...children, job("assemble", "p")]);
        await sleep(100);
        expect(begun).toBe(0);
        expect(await queue.counts("assemble")).toMatchObject({ waiting: 0, waitingChildren: 0, completed: 0 });
        expect(await queue.counts("prove")).toMatchObject({ waiting: 0 });
      });

      it("the last child that a job waits for lets it begin", async () => {
        await queue.add(job("assemble", "p"), [job("prove", "a"), job("prove", "b")]);
        consume("assemble", async ({ children }) => (await children()).results.size);
        consume("prove", async ({ id }) => {
          if (id === "b") throw new HandBack(60_000);
          return null;
        });
        await ended(queue, "prove", "a");
        await queue.remove([{ kind: "prove", id: "b" }]);
        expect(await ended(queue, "assemble", "p")).toMatchObject({ result: 1 });
      });
    });

    describe("what is going on", () => {
      it("is told to followers, of jobs of every client", async () => {
        const events: QueueEvent[] = [];
        const end = queue.follow((event) => events.push(event));
        consume("commit", async ({ id, progress }) => {
          await progress({ done: 1 });
          if (id === "bad") throw failure("NO", false);
          return null;
        });
        await queue.add(job("commit", "good"));
        await queue.add(job("commit", "bad"));
        const of = (id: string) => events.filter((event) => event.id === id);
        await until(() => of("good").length >= 3 && of("bad").length >= 3);
        expect(of("good")).toEqual([
          { type: "active", kind: "commit", id: "good" },
          { type: "progress", kind: "commit", id: "good", progress: { done: 1 } },
          { type: "completed", kind: "commit", id: "good" },
        ]);
        expect(of("bad").at(-1)).toEqual({
          type: "failed",
          kind: "commit",
          id: "bad",
          failure: { code: "NO", message: "it is NO", retryable: false, worker: "w1", backend: "wasm" },
        });
        end();
        const before = events.length;
        await queue.add(job("commit", "after"));
        await ended(queue, "commit", "after");
        await sleep(50);
        expect(events).toHaveLength(before);
      });

      it("attempts that failed are no end; leases that were lost are told", async () => {
        const events: QueueEvent[] = [];
        queue.follow((event) => events.push(event));
        let times = 0;
        consume(
          "prove",
          async ({ signal }) => {
            times++;
            if (times === 1) throw failure("ONCE", true);
            if (times === 2) await aborted(signal);
            return null;
          },
          2,
        );
        await queue.add(job("prove", "a"));
        await until(async () => times === 2 && (await queue.status("prove", "a"))?.state === "active");
        await queue.expire("prove", "a");
        await until(() => events.some(({ type }) => type === "completed"));
        expect(events.map(({ type }) => type)).toEqual(["active", "active", "stalled", "active", "completed"]);
      });

      it("is followed by several, who may stop while they are told", async () => {
        const first: string[] = [];
        const second: string[] = [];
        const end = queue.follow(({ type }) => {
          first.push(type);
          end();
        });
        queue.follow(({ type }) => second.push(type));
        consume("plan", async () => null);
        await queue.add(job("plan", "a"));
        await until(() => second.includes("completed"));
        expect(first).toEqual(["active"]);
      });

      it("is counted", async () => {
        const none = {
          waiting: 0,
          active: 0,
          delayed: 0,
          waitingChildren: 0,
          completed: 0,
          failed: 0,
          oldestWaiting: 0,
        };
        expect(await queue.counts("prove")).toEqual(none);
        const gate = promised();
        consume("prove", async ({ id }) => {
          if (id === "is-failed") throw failure("NO", false);
          if (id === "is-delayed") throw new HandBack(60_000);
          if (id === "is-active") await gate.promise;
          return null;
        });
        for (const id of ["done", "is-failed", "is-delayed"]) await queue.add(job("prove", id));
        await ended(queue, "prove", "is-failed");
        await until(async () => (await queue.counts("prove")).delayed === 1);
        await queue.add(job("prove", "is-active"));
        await until(async () => (await queue.counts("prove")).active === 1);
        await queue.add(job("prove", "parent"), [job("commit", "child")]);
        for (const [i, priority] of [3, 0, 7].entries()) await queue.add(job("prove", `waiting${i}`, { priority }));
        await sleep(60);
        const counts = await queue.counts("prove");
        expect(counts).toMatchObject({
          waiting: 3,
          active: 1,
          delayed: 1,
          waitingChildren: 1,
          completed: 1,
          failed: 1,
        });
        expect(counts.oldestWaiting).toBeGreaterThan(40);
        expect(counts.oldestWaiting).toBeLessThan(5000);
        gate.resolve();
      });

      it("counts a parent's waiting from when it could begin", async () => {
        await queue.add(job("challenge", "p"), [job("commit", "c")]);
        await sleep(400);
        consume("commit", async () => null);
        await until(async () => (await queue.counts("challenge")).waiting === 1);
        expect((await queue.counts("challenge")).oldestWaiting).toBeLessThan(300);
        const waited = promised<number>();
        consume("challenge", async (delivery) => {
          waited.resolve(delivery.waited);
          return null;
        });
        expect(await waited.promise).toBeLessThan(300);
      });
    });

    describe("the network", () => {
      it("is described, by who was last", async () => {
        expect(await queue.description()).toBeUndefined();
        const network = { version: "1", protocol: "2", keySet: "33".repeat(32), manifest: "44".repeat(32) };
        await queue.describe(network);
        expect(await other.description()).toEqual(network);
        await queue.describe({ ...network, version: "5" });
        expect(await other.description()).toEqual({ ...network, version: "5" });
      });

      it("knows its workers until they go or fall silent", async () => {
        expect(await queue.workers()).toEqual([]);
        await other.announce(worker("w1"), 60_000);
        await other.announce(worker("w2"), 150);
        await other.announce({ ...worker("w1"), threads: 8 }, 60_000);
        const all = await queue.workers();
        expect([...all].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
          { ...worker("w1"), threads: 8 },
          worker("w2"),
        ]);
        for (let i = 0; i < 4; i++) {
          await sleep(60);
          await other.announce(worker("w2"), 150);
        }
        expect(await queue.workers()).toHaveLength(2);
        await sleep(200);
        expect((await queue.workers()).map(({ id }) => id)).toEqual(["w1"]);
        await other.withdraw("w1");
        await other.withdraw("nobody");
        expect(await queue.workers()).toEqual([]);
      });

      it("bans workers", async () => {
        expect(await other.banned("w1")).toBeUndefined();
        await queue.ban("w1", "its proofs are bad");
        expect(await other.banned("w1")).toBe("its proofs are bad");
        expect(await other.banned("w2")).toBeUndefined();
        await queue.ban("w1", "still");
        expect(await other.banned("w1")).toBe("still");
      });

      it("answers, and has a name", async () => {
        await queue.ping();
        expect(queue.name).not.toBe("");
      });
    });

    it("is closed once and for all; what its consumers had goes to nobody here", async () => {
      const begun = promised<AbortSignal>();
      const gate = promised();
      consume("prove", async ({ signal }) => {
        begun.resolve(signal);
        await gate.promise;
        return null;
      });
      await queue.add(job("prove", "a"));
      const signal = await begun.promise;
      await other.close();
      await other.close();
      expect(signal.aborted).toBe(true);
      gate.resolve();
      const closed = { code: "QUEUE_CLOSED" };
      await expect(other.ping()).rejects.toMatchObject(closed);
      await expect(other.add(job("prove", "b"))).rejects.toMatchObject(closed);
      await expect(other.status("prove", "a")).rejects.toMatchObject(closed);
      await expect(other.counts("prove")).rejects.toMatchObject(closed);
      await expect(other.workers()).rejects.toMatchObject(closed);
      await expect(other.remove([{ kind: "prove", id: "a" }])).rejects.toMatchObject(closed);
      expect(() => other.consume("prove", async () => null, { concurrency: 1 })).toThrow(
        expect.objectContaining(closed),
      );
      expect(() => other.follow(() => {})).toThrow(expect.objectContaining(closed));
      await sleep(20);
    });
  });
}
