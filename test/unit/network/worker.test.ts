import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { NetworkError } from "../../../src/network/errors.js";
import type { JobKind } from "../../../src/network/jobs.js";
import {
  type Delivery,
  HandBack,
  JobError,
  type Json,
  MoreChildren,
  type NetworkDescription,
  type WorkerDescription,
} from "../../../src/network/queue.js";
import { MemoryQueue } from "../../../src/network/queue-memory.js";
import { Slots } from "../../../src/network/slots.js";
import {
  type LaneHandler,
  type WorkerEvent,
  type WorkerOptions,
  WorkerService,
  WorkerUnfit,
} from "../../../src/network/worker.js";
import { silentLog } from "../../../src/service/log.js";

const MIB = 2 ** 20;
const KEY_SET = "ab".repeat(32);
const DIGEST = "cd".repeat(32);
const POINT = "01".repeat(32);
const NETWORK: NetworkDescription = { version: "1.2.3", protocol: "p1", keySet: KEY_SET, manifest: DIGEST };
const BLOCK = "0".repeat(32);

const of = { block: BLOCK, number: 1, keySet: KEY_SET };
const chunk = (layout: number) => ({ ...of, chunk: 0, layout, columns: DIGEST });
const DATA: Record<JobKind, (layout: number) => Json> = {
  plan: () => ({ ...of, trace: DIGEST, attempts: 5, priority: 0 }),
  commit: chunk,
  challenge: (layout) => ({
    ...{ ...of, skeleton: DIGEST, state: DIGEST, attempts: 5, priority: 0 },
    chunks: [{ layout, columns: DIGEST }],
  }),
  prove: (layout) => ({ ...chunk(layout), d: POINT, p: POINT, alpha: POINT, beta: POINT }),
  assemble: () => ({
    ...{ ...of, skeleton: DIGEST, state: DIGEST, attempts: 5, priority: 0 },
    ...{ alpha: POINT, beta: POINT, chunks: [], round: 0, corrected: 0 },
  }),
};

/** A job in the hands of a test's handler. */
interface InHand {
  readonly delivery: Delivery;
  readonly lane: string;
  end(result?: Json): void;
  fail(error: unknown): void;
}

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});

interface Setup extends Partial<Omit<WorkerOptions<string>, "identity" | "lanes">> {
  readonly identity?: Partial<WorkerDescription>;
  readonly limit?: number;
  readonly available?: () => number | undefined;
  readonly describe?: NetworkDescription | null;
}

/** A worker whose jobs end when the test says so. */
function setup(options: Setup = {}) {
  const { identity: own, limit = 4096 * MIB, available = () => undefined, describe: network = NETWORK } = options;
  const queue = options.queue ?? new MemoryQueue({ backoff: 5 });
  const identity: WorkerDescription = {
    id: "w1",
    version: "1.2.9",
    protocol: "p1",
    keySet: KEY_SET,
    host: "here",
    pid: 1,
    kinds: ["plan", "commit", "challenge", "prove", "assemble"],
    concurrency: 2,
    threads: 1,
    backend: "wasm",
    since: 0,
    ...own,
  };
  const lanes = Array.from({ length: identity.concurrency }, (_, i) => `lane ${i}`);
  const evicted: string[] = [];
  const slots =
    options.slots ??
    new Slots({
      lanes: lanes.length,
      limit,
      layouts: [
        { name: "small", zkey: 2 * MIB },
        { name: "large", zkey: 32 * MIB },
      ],
      threads: 1,
      evict: async (lane, layout) => void evicted.push(`${lane} ${layout}`),
      available,
    });
  const inHand: InHand[] = [];
  const begun: string[] = [];
  const byHand: LaneHandler<string> = (delivery, lane) => {
    begun.push(delivery.id);
    return new Promise<Json>((resolve, reject) => {
      inHand.push({ delivery, lane, end: (result = {}) => resolve(result), fail: reject });
    });
  };
  const kinds = ["plan", "commit", "challenge", "prove", "assemble"] as const;
  const handlers = Object.fromEntries(kinds.map((kind) => [kind, byHand])) as WorkerOptions<string>["handlers"];
  const events: WorkerEvent[] = [];
  const worker = new WorkerService<string>({
    drainMs: 1000,
    heartbeatMs: 20,
    jobTimeoutMs: 2000,
    backoffMs: 10,
    log: silentLog(),
    handlers,
    ...options,
    onEvent: (event) => {
      events.push(event);
      options.onEvent?.(event);
    },
    queue,
    lanes,
    slots,
    identity,
  });
  const running = { failure: undefined as unknown, ended: false };
  let run: Promise<void> | undefined;
  const start = async () => {
    if (network !== null) await queue.describe(network);
    run = worker.run().then(
      () => {
        running.ended = true;
      },
      (error: unknown) => {
        running.failure = error;
        running.ended = true;
      },
    );
  };
  const add = (kind: JobKind, id: string, { layout = 0, attempts = 5, priority = 0 } = {}) =>
    queue.add({ kind, id, data: DATA[kind](layout), attempts, priority });
  open.push({
    stop: async () => {
      await worker.stop();
      await run;
      await queue.close();
    },
  });
  const until = (what: () => boolean | Promise<boolean>) =>
    vi.waitFor(
      async () => {
        if (!(await what())) throw new Error(`not yet: ${what}`);
      },
      { timeout: 3000, interval: 2 },
    );
  const ended = (): Promise<void> => run!;
  const outcomes = () =>
    events.flatMap((event) => (event.type === "ended" ? [`${event.kind} ${event.id} ${event.outcome}`] : []));
  return { worker, queue, slots, start, add, inHand, begun, events, outcomes, until, running, ended, evicted };
}

/** A worker that is ready. */
async function ready(options: Setup = {}) {
  const made = setup(options);
  await made.start();
  await made.until(() => made.worker.status().ready);
  return made;
}

describe("joining the network", () => {
  it("waits for a coordinator and says so, then is announced and takes jobs", async () => {
    const { worker, queue, start, add, inHand, until, events } = setup({ describe: null });
    expect(worker.status()).toEqual({
      ready: false,
      reasons: ["no coordinator has described the network yet"],
      active: [],
      done: 0,
      failed: 0,
      handedBack: 0,
    });
    await add("commit", "a");
    await start();
    await delay(60);
    expect(worker.status().ready).toBe(false);
    expect(await queue.workers()).toEqual([]);
    expect(inHand).toEqual([]);
    await queue.describe(NETWORK);
    await until(() => inHand.length === 1);
    expect(worker.status()).toMatchObject({ ready: true, reasons: [], active: [{ kind: "commit", id: "a" }] });
    expect((await queue.workers()).map(({ id }) => id)).toEqual(["w1"]);
    expect(events.filter(({ type }) => type === "ready")).toEqual([
      { type: "ready", ready: false, reasons: ["no coordinator has described the network yet"] },
      { type: "ready", ready: true, reasons: [] },
    ]);
  });

  it.each([
    ["NETWORK_VERSION", { version: "1.3.0" }, "1.3.0", "1.2.9"],
    ["NETWORK_VERSION", { version: "2.2.9" }, "2.2.9", "1.2.9"],
    ["NETWORK_VERSION", { version: "1.20.9" }, "1.20.9", "1.2.9"],
    ["NETWORK_PROTOCOL", { protocol: "p2" }, "p2", "p1"],
    ["NETWORK_KEYS", { keySet: DIGEST }, DIGEST, KEY_SET],
  ])("%s: does not begin with %o", async (code, other, expected, got) => {
    const { start, ended, running, worker, queue, add, begun } = setup({ describe: { ...NETWORK, ...other } });
    await add("commit", "a");
    await start();
    await ended();
    expect(running.failure).toMatchObject({ code, expected, got });
    expect(worker.status()).toMatchObject({ ready: false, reasons: ["it has ended"] });
    expect(await queue.workers()).toEqual([]);
    expect(begun).toEqual([]);
  });

  it("ends when the network becomes another one, and gives back what it has", async () => {
    const { queue, add, inHand, until, ended, running } = await ready();
    await add("commit", "a");
    await until(() => inHand.length === 1);
    await queue.describe({ ...NETWORK, keySet: DIGEST });
    await ended();
    expect(running.failure).toMatchObject({ code: "NETWORK_KEYS", expected: DIGEST, got: KEY_SET });
    expect(inHand[0]!.delivery.signal.aborted).toBe(true);
    expect(await queue.status("commit", "a")).toMatchObject({ state: "waiting", failures: 0 });
    expect(await queue.workers()).toEqual([]);
  });

  it("ends when it is banned, or was before", async () => {
    const { queue, ended, running } = await ready();
    await queue.ban("w1", "forged proofs");
    await ended();
    expect(running.failure).toMatchObject({ code: "NETWORK_BANNED", where: "w1", got: "forged proofs" });
    const again = setup({ queue });
    await again.start();
    await again.ended();
    expect(again.running.failure).toMatchObject({ code: "NETWORK_BANNED" });
  });

  it("does not begin with less memory than some job needs", async () => {
    const { start, ended, running } = setup({ limit: 350 * MIB, identity: { kinds: ["prove"] } });
    await start();
    await ended();
    expect(running.failure).toMatchObject({ code: "MEMORY_LIMIT", where: "prove large" });
  });

  it("is not ready while the queue does not answer, and is again when it does", async () => {
    const { queue, worker, until, running } = await ready();
    const announce = vi.spyOn(queue, "announce");
    announce.mockRejectedValue(new NetworkError("down", { code: "QUEUE_UNAVAILABLE" }));
    await until(() => !worker.status().ready);
    expect(worker.status().reasons).toEqual(["the queue does not answer: down"]);
    announce.mockRestore();
    await until(() => worker.status().ready);
    expect(running.ended).toBe(false);
  });

  it("takes no jobs while nobody describes the network any more", async () => {
    const { queue, worker, until, add, begun } = await ready();
    const description = vi.spyOn(queue, "description").mockResolvedValue(undefined);
    await until(() => !worker.status().ready);
    await add("commit", "a");
    await delay(60);
    expect(begun).toEqual([]);
    description.mockRestore();
    await until(() => begun.length === 1);
  });

  it("ends with the queue", async () => {
    const { queue, ended, running } = await ready();
    vi.spyOn(queue, "description").mockRejectedValue(new NetworkError("closed", { code: "QUEUE_CLOSED" }));
    await ended();
    expect(running.failure).toMatchObject({ code: "QUEUE_CLOSED" });
  });

  it("can be stopped while it waits for an answer that does not come", async () => {
    const made = setup();
    vi.spyOn(made.queue, "description").mockReturnValue(new Promise(() => {}));
    await made.start();
    await turn();
    await made.worker.stop();
    await made.ended();
    expect(made.running.failure).toBeUndefined();
  });

  it("runs once; lanes, slots and description must agree", async () => {
    const { worker } = await ready();
    await expect(worker.run()).rejects.toThrowError("once");
    expect(() => setup({ slots: setup().slots, identity: { concurrency: 3 } })).toThrowError(
      expect.objectContaining({ code: "CONFIG_INVALID", where: "concurrency" }),
    );
  });
});

describe("taking jobs", () => {
  it("as many as it has lanes, each lane once", async () => {
    const { add, inHand, until, begun, worker, outcomes } = await ready();
    for (const id of ["a", "b", "c"]) await add("commit", id);
    await until(() => inHand.length === 2);
    await delay(30);
    expect(begun).toEqual(["a", "b"]);
    expect(inHand.map(({ lane }) => lane).sort()).toEqual(["lane 0", "lane 1"]);
    inHand[1]!.end();
    await until(() => begun.length === 3);
    expect(inHand[2]!.lane).toBe(inHand[1]!.lane);
    inHand[0]!.end();
    inHand[2]!.end();
    await until(() => worker.status().done === 3);
    expect(outcomes().sort()).toEqual(["commit a completed", "commit b completed", "commit c completed"]);
    expect(worker.status()).toMatchObject({ active: [], failed: 0 });
  });

  it("never holds more than its lanes, whatever arrives at once, and does all of it", async () => {
    let active = 0;
    let most = 0;
    const { worker, queue, add, until } = await ready({
      identity: { concurrency: 3 },
      handlers: new Proxy({} as WorkerOptions<string>["handlers"], {
        get: () => async () => {
          most = Math.max(most, ++active);
          await turn();
          active--;
          return {};
        },
      }),
    });
    const kinds = ["plan", "commit", "challenge", "prove", "assemble"] as const;
    for (let i = 0; i < 20; i++) for (const kind of kinds) await add(kind, `${kind}-${i}`);
    await until(() => worker.status().done === 100);
    expect(most).toBe(3);
    for (const kind of kinds) expect(await queue.counts(kind)).toMatchObject({ completed: 20, failed: 0 });
  });

  it("gives the result to the queue, and says what it did", async () => {
    const { add, inHand, until, queue, events } = await ready();
    await add("prove", "a");
    await until(() => inHand.length === 1);
    const progress: Json[] = [];
    queue.follow((event) => event.type === "progress" && progress.push(event.progress));
    await inHand[0]!.delivery.progress(0.5);
    expect(await inHand[0]!.delivery.children()).toEqual({ results: new Map(), failures: new Map() });
    inHand[0]!.end({ backend: "webgpu", proof: DIGEST });
    await until(async () => (await queue.status("prove", "a"))?.state === "completed");
    expect(progress).toEqual([0.5]);
    expect(await queue.status("prove", "a")).toMatchObject({ result: { backend: "webgpu", proof: DIGEST } });
    const [begun, ended] = events.filter(({ type }) => type !== "ready");
    expect(begun).toEqual({
      type: "begun",
      kind: "prove",
      id: "a",
      lane: expect.any(Number),
      waited: expect.any(Number),
    });
    expect(ended).toMatchObject({ type: "ended", outcome: "completed", backend: "webgpu", ms: expect.any(Number) });
  });

  it("kinds later in the pipeline go first", async () => {
    const { add, inHand, until, begun } = await ready({ identity: { concurrency: 1 } });
    await add("commit", "first");
    await until(() => begun.length === 1);
    for (const kind of ["plan", "commit", "challenge", "prove", "assemble"] as const) await add(kind, kind);
    for (let i = 0; i < 5; i++) {
      inHand[i]!.end();
      await until(() => begun.length === i + 2);
    }
    expect(begun).toEqual(["first", "assemble", "prove", "challenge", "commit", "plan"]);
  });

  it("and do not have to be faster than the others", async () => {
    const queue = new MemoryQueue();
    const consume = queue.consume.bind(queue);
    vi.spyOn(queue, "consume").mockImplementation((kind, handler, options) => {
      const consumer = consume(kind, handler, options);
      const resume = consumer.resume.bind(consumer);
      // a round trip
      if (kind === "prove") consumer.resume = () => void setTimeout(resume, 2);
      return consumer;
    });
    const { add, inHand, until, begun } = await ready({
      queue,
      identity: { concurrency: 1, kinds: ["commit", "prove"] },
    });
    await add("commit", "first");
    await until(() => begun.length === 1);
    await add("commit", "commit");
    await add("prove", "prove");
    inHand[0]!.end();
    await until(() => begun.length === 2);
    expect(begun[1]).toBe("prove");
  });

  it("only of its kinds", async () => {
    const { add, until, begun, queue } = await ready({ identity: { kinds: ["prove"] } });
    await add("commit", "a");
    await add("prove", "b");
    await until(() => begun.length === 1);
    await delay(30);
    expect(begun).toEqual(["b"]);
    expect(await queue.status("commit", "a")).toMatchObject({ state: "waiting", failures: 0 });
  });

  it("one that does not fit beside the others goes back, unharmed, and is done when it does", async () => {
    // 64 + 2·96 for process and lanes; the large one needs 133, the small ones 23
    const { add, inHand, until, begun, queue, worker, events } = await ready({
      limit: 420 * MIB,
      identity: { kinds: ["prove"] },
    });
    await add("prove", "large", { layout: 1 });
    await until(() => begun.length === 1);
    await add("prove", "another", { layout: 1 });
    await add("prove", "small");
    await until(() => begun.length === 2);
    expect(begun).toEqual(["large", "small"]);
    expect(await queue.status("prove", "another")).toMatchObject({ state: "delayed", failures: 0 });
    expect(events).toContainEqual({ type: "refused", kind: "prove", id: "another", why: "memory" });
    expect(worker.status()).toMatchObject({ ready: true, handedBack: 1 });
    for (const job of inHand) job.end();
    await until(() => begun.length === 3);
    expect(begun[2]).toBe("another");
  });

  it("is not ready when the machine has no memory for anything", async () => {
    let free = 0;
    const { add, until, begun, worker } = await ready({ available: () => free });
    await add("prove", "a");
    await until(() => !worker.status().ready);
    expect(worker.status().reasons).toEqual([expect.stringMatching(/^no memory: .* the machine has 0 MiB$/)]);
    free = 4096 * MIB;
    await until(() => begun.length === 1);
    expect(worker.status().ready).toBe(true);
  });

  it("waits until idle keys are gone", async () => {
    let gone: (() => void) | undefined;
    const layouts = [
      { name: "a", zkey: 32 * MIB },
      { name: "b", zkey: 32 * MIB },
    ];
    const { add, inHand, until, begun } = await ready({
      identity: { concurrency: 1, kinds: ["prove"] },
      slots: new Slots({
        ...{ lanes: 1, limit: 300 * MIB, layouts, threads: 1, available: () => undefined },
        evict: () => new Promise((resolve) => (gone = resolve)),
      }),
    });
    await add("prove", "a", { layout: 0 });
    await until(() => begun.length === 1);
    inHand[0]!.end();
    await add("prove", "b", { layout: 1 });
    await until(() => gone !== undefined);
    await delay(20);
    expect(begun).toEqual(["a"]);
    gone!();
    await until(() => begun.length === 2);
  });

  it("data that is no job's fails for good", async () => {
    const { queue, until } = await ready();
    await queue.add({ kind: "prove", id: "a", data: { layout: 0 }, attempts: 5, priority: 0 });
    await until(async () => (await queue.status("prove", "a"))?.state === "failed");
    expect((await queue.status("prove", "a"))?.failure).toMatchObject({
      code: "JOB_MALFORMED",
      retryable: false,
      worker: "w1",
    });
  });
});

describe("how jobs end", () => {
  it("failures are retried unless they say otherwise", async () => {
    const { add, inHand, until, queue, worker, outcomes } = await ready();
    await add("commit", "a");
    await until(() => inHand.length === 1);
    inHand[0]!.fail(new Error("strange"));
    await until(() => inHand.length === 2);
    expect(inHand[1]!.delivery.attempt).toBe(1);
    inHand[1]!.fail(new JobError({ code: "ROW_BAD", message: "bad", retryable: false }));
    await until(() => worker.status().failed === 2);
    expect(await queue.status("commit", "a")).toMatchObject({
      state: "failed",
      failures: 2,
      failure: { code: "ROW_BAD", worker: "w1" },
    });
    expect(outcomes()).toEqual(["commit a retried", "commit a failed"]);
  });

  it("a handler may give back, or ask for more children", async () => {
    const { add, inHand, until, queue, outcomes } = await ready({ identity: { concurrency: 1 } });
    await add("commit", "a");
    await until(() => inHand.length === 1);
    inHand[0]!.fail(new HandBack(0));
    await until(() => inHand.length === 2);
    expect(inHand[1]!.delivery.attempt).toBe(0);
    const children = [{ kind: "prove" as const, id: "b", data: DATA.prove(0), attempts: 1, priority: 0 }];
    inHand[1]!.fail(new MoreChildren(children, DATA.commit(1)));
    await until(() => inHand.length === 3);
    expect(inHand[2]!.delivery.id).toBe("b");
    expect(await queue.status("commit", "a")).toMatchObject({ state: "waiting-children" });
    expect(outcomes()).toEqual(["commit a handed_back", "commit a retried"]);
  });

  it("one that takes too long is aborted and retried; its lane is busy until it has ended", async () => {
    const { add, inHand, until, queue, worker, slots } = await ready({
      jobTimeoutMs: 40,
      identity: { concurrency: 1 },
    });
    await add("commit", "a", { attempts: 1 });
    await until(async () => (await queue.status("commit", "a"))?.state === "failed");
    expect((await queue.status("commit", "a"))?.failure).toMatchObject({
      code: "JOB_TIMEOUT",
      retryable: true,
      worker: "w1",
    });
    expect(inHand[0]!.delivery.signal.reason).toMatchObject({ code: "JOB_TIMEOUT" });
    expect(slots.free).toBe(0);
    expect(worker.status()).toMatchObject({
      ready: false,
      reasons: ["every lane is still at a job that was given up"],
      active: [],
    });
    inHand[0]!.fail(inHand[0]!.delivery.signal.reason);
    await until(() => worker.status().ready);
    expect(slots.free).toBe(1);
  });

  it("one whose lease is lost is aborted, and somebody else's", async () => {
    const { add, inHand, until, queue, outcomes, worker } = await ready();
    await add("commit", "a");
    await until(() => inHand.length === 1);
    await queue.expire("commit", "a");
    await until(() => inHand.length === 2);
    expect(inHand[0]!.delivery.signal.aborted).toBe(true);
    expect(outcomes()).toEqual(["commit a lost"]);
    inHand[0]!.end({ from: "the first" });
    inHand[1]!.end({ from: "the second" });
    await until(() => worker.status().done === 1);
    await until(async () => (await queue.status("commit", "a"))?.state === "completed");
    expect(await queue.status("commit", "a")).toMatchObject({ result: { from: "the second" } });
  });

  it("a lane whose thread was lost has no keys any more", async () => {
    const { add, inHand, until, slots } = await ready();
    await add("commit", "a", { attempts: 1 });
    await until(() => inHand.length === 1);
    expect(slots.status().keys).toBeGreaterThan(0);
    inHand[0]!.fail(new JobError({ code: "EXECUTOR_LOST", message: "gone", retryable: true }));
    await until(() => slots.free === 2);
    expect(slots.status().keys).toBe(0);
  });

  it("an observer that fails harms nobody", async () => {
    const { add, inHand, until, worker } = await ready({
      onEvent: () => {
        throw new Error("cannot count");
      },
    });
    await add("commit", "a");
    await until(() => inHand.length === 1);
    inHand[0]!.end();
    await until(() => worker.status().done === 1);
  });
});

describe("a worker at fault", () => {
  it("ends with the cause, and gives back all it has", async () => {
    const { add, inHand, until, queue, ended, running, begun } = await ready();
    for (const id of ["a", "b", "c"]) await add("commit", id);
    await until(() => inHand.length === 2);
    const cause = new NetworkError("not the file that was made", { code: "KEYS_DAMAGED", where: "x.zkey" });
    inHand[0]!.fail(new WorkerUnfit(cause));
    await ended();
    expect(running.failure).toBe(cause);
    expect(inHand[1]!.delivery.signal.aborted).toBe(true);
    for (const id of ["a", "b", "c"]) {
      expect(await queue.status("commit", id)).toMatchObject({ state: "waiting", failures: 0 });
    }
    expect(begun.length).toBe(2);
  });

  it("takes no jobs while a full disk or a store that is away lasts", async () => {
    let works = false;
    const probed = vi.fn(async () => {
      if (!works) throw new NetworkError("still no space", { code: "STORE_FULL" });
    });
    const { add, inHand, until, queue, worker, begun, running } = await ready({ probe: probed });
    await add("commit", "a");
    await until(() => inHand.length === 1);
    inHand[0]!.fail(new WorkerUnfit(new NetworkError("no space", { code: "STORE_FULL" })));
    await until(() => !worker.status().ready);
    expect(worker.status().reasons).toEqual([expect.stringContaining("no space")]);
    await until(() => probed.mock.calls.length >= 2);
    expect(worker.status().reasons).toEqual([expect.stringContaining("still no space")]);
    expect(begun).toEqual(["a"]);
    expect(await queue.status("commit", "a")).toMatchObject({ state: "waiting", failures: 0 });
    works = true;
    await until(() => begun.length === 2);
    expect(worker.status().ready).toBe(true);
    expect(running.ended).toBe(false);
    inHand[1]!.end();
    await until(() => worker.status().done === 1);
  });

  it("waits longer each time that a probe promised too much", async () => {
    const times: number[] = [];
    const { add, until } = await ready({
      identity: { concurrency: 1 },
      handlers: new Proxy({} as WorkerOptions<string>["handlers"], {
        get: () => async () => {
          times.push(performance.now());
          if (times.length === 5) return {};
          throw new WorkerUnfit(new NetworkError("away", { code: "STORE_UNAVAILABLE" }));
        },
      }),
    });
    await add("commit", "a");
    await until(() => times.length === 5);
    const waits = times.slice(1).map((time, i) => time - times[i]!);
    for (const [i, least] of [10, 20, 40, 80].entries()) expect(waits[i]).toBeGreaterThan(least - 2);
  });

  it("ends after three results in a row that fail its own check, of different jobs", async () => {
    const wrong = new JobError({ code: "WITNESS_UNSATISFIED", message: "wrong", retryable: true });
    const { add, inHand, until, queue, ended, running } = await ready({ identity: { concurrency: 1 } });
    const next = async (id: string, { attempts = 1 } = {}) => {
      const n = inHand.length;
      await add("prove", id, { attempts });
      await until(() => inHand.length === n + 1);
      return inHand[n]!;
    };
    // the same job, again and again: its fault
    const bad = await next("bad", { attempts: 4 });
    bad.fail(wrong);
    for (let i = 1; i < 4; i++) {
      await until(() => inHand.length === i + 1);
      inHand[i]!.fail(wrong);
    }
    await until(async () => (await queue.status("prove", "bad"))?.state === "failed");
    (await next("b")).fail(wrong);
    // a good one begins the row anew
    (await next("good")).end({ proof: DIGEST });
    (await next("c")).fail(wrong);
    (await next("d")).fail(wrong);
    expect(running.ended).toBe(false);
    (await next("e")).fail(wrong);
    await ended();
    expect(running.failure).toMatchObject({ code: "WORKER_BROKEN", where: "w1" });
    expect(await queue.status("prove", "e")).toMatchObject({ state: "waiting", failures: 0 });
  });
});

describe("ending", () => {
  it("drains: takes no more, ends what it has, and is not announced any more", async () => {
    const { add, inHand, until, queue, worker, ended, running, begun } = await ready();
    await add("commit", "a");
    await until(() => inHand.length === 1);
    const draining = worker.drain();
    expect(worker.status()).toMatchObject({ ready: false, reasons: ["it is ending"] });
    await add("commit", "b");
    await delay(50);
    expect(running.ended).toBe(false);
    // longer than it would be known for, if it did not go on saying that it is there
    await delay(40);
    expect((await queue.workers()).length).toBe(1);
    inHand[0]!.end();
    await draining;
    await ended();
    expect(running.failure).toBeUndefined();
    expect(begun).toEqual(["a"]);
    expect(await queue.status("commit", "a")).toMatchObject({ state: "completed" });
    expect(await queue.status("commit", "b")).toMatchObject({ state: "waiting", failures: 0 });
    expect(await queue.workers()).toEqual([]);
  });

  it("what takes longer than the drain may is given back, and no attempt is lost", async () => {
    const { add, inHand, until, queue, worker, outcomes } = await ready({ drainMs: 30 });
    await add("commit", "a");
    await until(() => inHand.length === 1);
    await worker.drain();
    expect(await queue.workers()).toEqual([]);
    expect(inHand[0]!.delivery.signal.aborted).toBe(true);
    expect(outcomes()).toEqual(["commit a handed_back"]);
    expect(await queue.status("commit", "a")).toMatchObject({ state: "waiting", failures: 0 });
    expect(worker.status()).toMatchObject({ handedBack: 1, reasons: ["it has ended"] });
  });

  it("stop does not wait, not even for a drain under way", async () => {
    const { add, inHand, until, queue, worker } = await ready({ drainMs: 60_000 });
    await add("commit", "a");
    await until(() => inHand.length === 1);
    const draining = worker.drain();
    await worker.stop();
    await draining;
    expect(await queue.status("commit", "a")).toMatchObject({ state: "waiting", failures: 0 });
  });

  it("before it has begun, or while it waits for the network", async () => {
    const idle = setup();
    await idle.worker.drain();
    await idle.start();
    await idle.ended();
    expect(idle.running.failure).toBeUndefined();
    expect(await idle.queue.workers()).toEqual([]);

    const waiting = setup({ describe: null });
    await waiting.start();
    await turn();
    await waiting.worker.drain();
    expect(waiting.running.failure).toBeUndefined();
  });

  it("leaves nothing running", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    const { add, until, worker } = await ready({
      handlers: new Proxy({} as WorkerOptions<string>["handlers"], { get: () => async () => ({}) }),
    });
    for (let i = 0; i < 20; i++) await add("commit", `job-${i}`);
    await until(() => worker.status().done === 20);
    await worker.stop();
    await turn();
    expect(timers()).toBeLessThan(before + 10);
  });
});
