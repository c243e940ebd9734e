import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { BlobStore } from "../../../src/network/coordinator.js";
import { NetworkError } from "../../../src/network/errors.js";
import type { BlockEvent } from "../../../src/network/events.js";
import { type JobKind, jobId } from "../../../src/network/jobs.js";
import { type Handler, JobError, MoreChildren, type Queue } from "../../../src/network/queue.js";
import { MemoryQueue } from "../../../src/network/queue-memory.js";
import { blockId, Registry } from "../../../src/network/registry.js";
import { digestOf } from "../../../src/network/store.js";
import { FolderStore } from "../../../src/network/store-folder.js";
import {
  cleanup,
  ended,
  FakeWorkers,
  inspect,
  KEY_SET,
  NETWORK,
  type Replaced,
  silent,
  temporaryFolder,
  traceOf,
  until,
  type World,
  world,
} from "./fake-blocks.js";

/** Blobs in a store's folder. */
async function blobsOf(store: FolderStore): Promise<Set<string>> {
  const found = new Set<string>();
  for (const shard of await readdir(store.name)) {
    if (shard.length !== 2) continue;
    for (const name of await readdir(join(store.name, shard))) found.add(shard + name);
  }
  return found;
}

/** A queue that says nothing by itself. */
function withoutEvents(queue: MemoryQueue): MemoryQueue {
  return new Proxy(queue, {
    get: (object, name) => {
      if (name === "follow") return () => () => {};
      const value = Reflect.get(object, name, object) as unknown;
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}

function work(on: World, replaced?: Replaced, kinds?: readonly JobKind[]): FakeWorkers {
  const workers = new FakeWorkers(on.queue, on.store, replaced, kinds);
  cleanup(() => workers.close());
  return workers;
}

/** A gate that jobs wait at. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const waiting: string[] = [];
  const pass = async (delivery: Parameters<Handler>[0], usual: Handler) => {
    waiting.push(delivery.id);
    await opened;
    return usual(delivery);
  };
  cleanup(async () => open());
  return { open, pass, waiting };
}

const failing =
  (code: string, message = "no") =>
  async () => {
    throw new JobError({ code, message, retryable: false, worker: "w1", backend: "wasm" });
  };

async function submit(on: World, ...traces: Parameters<typeof traceOf>[0][]): Promise<string> {
  let id = "";
  for (const trace of traces) ({ id } = (await on.coordinator.submit(traceOf(trace))).status);
  return id;
}

describe("a block", () => {
  test("goes from its trace to its proof, and nothing of it is left but that", async () => {
    const finished = vi.fn();
    const w = await world(await temporaryFolder(), { hooks: { finished } });
    const workers = work(w);
    const events: BlockEvent[] = [];
    const subscription = w.coordinator.events();
    const following = (async () => {
      for await (const event of subscription) {
        events.push(event);
        if (event.type === "end") return;
      }
    })();
    const { status, created } = await w.coordinator.submit(traceOf({ number: 7, chunks: 3 }));
    expect(created).toBe(true);
    expect(status).toMatchObject({ number: 7, state: "queued", chunks: 0, steps: null, rows: null, transactions: 1 });
    const done = await ended(w, status.id);
    expect(done).toMatchObject({
      ...{ state: "proved", chunks: 3, committed: 3, proved: 3, steps: 30, rows: 300 },
      work: { commits: 3, proofs: 3, repeated: 0, refused: 0 },
      proof: { digest: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: expect.any(Number) },
    });
    expect([...done.workers].sort()).toEqual([
      "fake-assemble",
      "fake-challenge",
      "fake-commit",
      "fake-plan",
      "fake-prove",
    ]);
    expect(workers.done).toHaveLength(9);
    expect(await blobsOf(w.store)).toEqual(new Set([done.proof!.digest]));
    expect(await w.queue.status("plan", jobId.plan(status.id, 0))).toBeUndefined();
    expect(await w.queue.counts("prove")).toMatchObject({ completed: 0, waiting: 0 });
    expect(finished).toHaveBeenCalledExactlyOnceWith("proved", expect.any(Number));
    await following;
    const states = events.flatMap(({ type, data }) => (type === "state" ? [data.state] : []));
    expect(states[0]).toBe("queued");
    expect(states.at(-1)).toBe("proved");
    expect(states).toContain("committing");
    const chunks = events.filter(({ type }) => type === "chunk");
    for (const done of ["commit", "prove"]) {
      expect(chunks.filter((event) => event.type === "chunk" && event.data.done === done)).toHaveLength(3);
    }
    expect(events.at(-1)).toMatchObject({ type: "end", data: { state: "proved", committed: 3, proved: 3 } });
  });

  test("without chunks", async () => {
    const w = await world(await temporaryFolder());
    work(w);
    const id = await submit(w, { number: 1, chunks: 0 });
    expect(await ended(w, id)).toMatchObject({ chunks: 0, committed: 0, proved: 0 });
  });

  test("is known by its trace: submitting it again changes nothing, at the same time or later", async () => {
    const w = await world(await temporaryFolder());
    const workers = work(w);
    const trace = traceOf({ number: 1 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => w.coordinator.submit(trace)));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    const { id } = answers[0]!.status;
    await ended(w, id);
    const again = await w.coordinator.submit(trace);
    expect(again).toMatchObject({ created: false, status: { id, state: "proved" } });
    expect(workers.count("plan")).toBe(1);
    // the trace that came with it is not kept either
    expect(await w.store.has(digestOf(trace))).toBe(false);
  });

  test("keeps its trace if that is wanted", async () => {
    const w = await world(await temporaryFolder(), { keepTraces: true });
    work(w);
    const trace = traceOf({ number: 1 });
    await ended(w, await submit(w, { number: 1 }));
    expect(await w.store.has(digestOf(trace))).toBe(true);
  });

  test("two of one number, and their feed", async () => {
    const w = await world(await temporaryFolder());
    expect(w.coordinator.feed(0, 10)).toEqual({ chainId: null, tip: null, blocks: [] });
    const workers = work(w);
    const ids = [await submit(w, { number: 5 }), await submit(w, { number: 5, salt: "other" })];
    ids.push(await submit(w, { number: 4 }), await submit(w, { number: 9 }));
    for (const id of ids) await ended(w, id);
    expect(workers.count("assemble")).toBe(4);
    const feed = w.coordinator.feed(0, 10);
    expect(feed).toMatchObject({ chainId: "1", tip: 9 });
    expect(feed.blocks.map(({ number, state }) => [number, state])).toEqual([4, 5, 5, 9].map((n) => [n, "proved"]));
    expect(feed.blocks[1]!.proof).toBe(w.coordinator.status(ids[0]!).proof!.digest);
    expect(feed.blocks[1]!.parentHash).toBe(feed.blocks[2]!.parentHash);
    // a number is not torn apart
    expect(w.coordinator.feed(0, 2).blocks.map(({ number }) => number)).toEqual([4]);
    expect(w.coordinator.feed(5, 1).blocks.map(({ number }) => number)).toEqual([5, 5]);
    expect(w.coordinator.feed(6, 1).blocks.map(({ number }) => number)).toEqual([9]);
    expect(w.coordinator.feed(10, 1).blocks).toEqual([]);
    expect(w.coordinator.list({ limit: 3 }).map(({ number }) => number)).toEqual([9, 5, 5]);
    expect(w.coordinator.list({ limit: 3, before: 5 }).map(({ number }) => number)).toEqual([4]);
  });

  test("older ones first, whenever they came", async () => {
    const w = await world(await temporaryFolder());
    for (const number of [1_000_000, 1_000_002, 999_999, 5, 9_000_000]) await submit(w, { number });
    const order: number[] = [];
    work(w, {
      plan: async (delivery, usual) => {
        order.push((delivery.data as { number: number }).number);
        return usual(delivery);
      },
    });
    await until(() => w.registry.unfinished === 0);
    expect(order).toEqual([5, 999_999, 1_000_000, 1_000_002, 9_000_000]);
  });

  test("gets the same priorities after a restart", async () => {
    const data = await temporaryFolder();
    const before = await world(data);
    const a = await submit(before, { number: 1000 });
    await before.coordinator.close();
    const after = await world(data);
    const [b, c] = [await submit(after, { number: 1001 }), await submit(after, { number: 990 })];
    const of = (id: string) => after.registry.get(id)!.priority - after.registry.get(a)!.priority;
    expect([of(b), of(c)]).toEqual([1, -10]);
  });
});

describe("a proof that is handed in for a block", () => {
  test("is not handed out unless it is confirmed, whoever says that it is whole", async () => {
    const w = await world(await temporaryFolder(), { confirm: async () => "a proof of another block" });
    work(w);
    const { status } = await w.coordinator.submit(traceOf({ number: 1 }));
    const ended = await until(() => {
      const now = w.coordinator.status(status.id);
      return now.state === "failed" && now;
    });
    expect(ended.proof ?? null).toBeNull();
    expect(ended.failure?.message).toContain("a proof of another block");
  });
});

describe("what is refused", () => {
  test("is not kept", async () => {
    const w = await world(await temporaryFolder(), { chainId: "1" });
    const junk = new TextEncoder().encode("junk");
    await expect(w.coordinator.submit(junk)).rejects.toMatchObject({ code: "TRACE_JSON" });
    await expect(w.coordinator.submit(traceOf({ number: 1, chainId: "2" }))).rejects.toMatchObject({
      ...{ code: "BLOCK_CHAIN", expected: "1", got: "2" },
    });
    expect(w.registry.size).toBe(0);
    expect(await blobsOf(w.store)).toEqual(new Set());
  });

  test("blocks of another chain than the first one's", async () => {
    const data = await temporaryFolder();
    const w = await world(data);
    await submit(w, { number: 1, chainId: "5" });
    await expect(w.coordinator.submit(traceOf({ number: 2 }))).rejects.toMatchObject({ code: "BLOCK_CHAIN" });
    await w.coordinator.close();
    const again = await world(data);
    await expect(again.coordinator.submit(traceOf({ number: 2 }))).rejects.toMatchObject({ code: "BLOCK_CHAIN" });
    expect(again.coordinator.feed(0, 1).chainId).toBe("5");
  });

  test("a number that is not exact", async () => {
    const w = await world(await temporaryFolder(), {
      inspect: async (bytes) => ({ ...(await inspect(bytes)), number: 2 ** 53 }),
    });
    await expect(w.coordinator.submit(traceOf({ number: 1 }))).rejects.toMatchObject({ code: "BLOCK_NUMBER" });
  });

  test("too many blocks under way", async () => {
    const w = await world(await temporaryFolder(), { maxUnfinished: 2 });
    const ids = [await submit(w, { number: 1 }), await submit(w, { number: 2 })];
    await expect(w.coordinator.submit(traceOf({ number: 3 }))).rejects.toMatchObject({ code: "BUSY" });
    // one that is known is not another one
    expect(await w.coordinator.submit(traceOf({ number: 2 }))).toMatchObject({ created: false });
    work(w);
    for (const id of ids) await ended(w, id);
    await ended(w, await submit(w, { number: 3 }));
  });

  test("places are not given away twice", async () => {
    const w = await world(await temporaryFolder(), { maxUnfinished: 2 });
    const results = await Promise.allSettled([1, 2, 3, 4].map((number) => w.coordinator.submit(traceOf({ number }))));
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
    expect(w.registry.size).toBe(2);
  });

  test("a blob that something needs is not removed because it is no trace", async () => {
    const w = await world(await temporaryFolder());
    const key = new TextEncoder().encode("a key");
    await w.store.put(key);
    await expect(w.coordinator.submit(key)).rejects.toMatchObject({ code: "TRACE_JSON" });
    expect(await w.store.has(digestOf(key))).toBe(true);
  });

  test("too many blocks of one number", async () => {
    const w = await world(await temporaryFolder(), { maxUnfinished: 1000 });
    const { id } = (await w.coordinator.submit(traceOf({ number: 1 }))).status;
    const record = w.registry.get(id)!;
    for (let i = 1; i < 256; i++) await w.registry.put({ ...record, id: i.toString(16).padStart(32, "0") });
    const other = traceOf({ number: 1, salt: "one too many" });
    await expect(w.coordinator.submit(other)).rejects.toMatchObject({ code: "BLOCK_NUMBER" });
    expect(w.coordinator.feed(0, 256).blocks).toHaveLength(256);
  });

  test("a submission that is given up", async () => {
    const abort = new AbortController();
    const w = await world(await temporaryFolder(), {
      inspect: async (_bytes, signal) => {
        abort.abort(new Error("enough"));
        signal.throwIfAborted();
        throw new Error("not reached");
      },
    });
    await expect(w.coordinator.submit(traceOf({ number: 1 }), abort.signal)).rejects.toThrow("enough");
    expect(w.registry.size).toBe(0);
  });

  test("traces are read one at a time, and one that fails keeps no other from being read", async () => {
    let [now, most] = [0, 0];
    const w = await world(await temporaryFolder(), {
      inspect: async (bytes) => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 5));
        now--;
        return inspect(bytes);
      },
    });
    const traces = [new Uint8Array([1]), traceOf({ number: 1 }), new Uint8Array([2]), traceOf({ number: 2 })];
    const results = await Promise.allSettled(traces.map((trace) => w.coordinator.submit(trace)));
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
    expect(most).toBe(1);
  });
});

describe("killed at any moment", () => {
  class Died extends Error {}
  type Moment =
    | "before the trace"
    | "after the trace"
    | "before the record"
    | "after the record"
    | "before the job"
    | "after the job";
  const moments: Moment[] = [
    "before the trace",
    "after the trace",
    "before the record",
    "after the record",
    "before the job",
    "after the job",
  ];

  /** An object whose method dies before or after its work, and whose other methods never do anything again. */
  function dying<T extends object>(target: T, method: string, when: "before" | "after", dead: { is: boolean }): T {
    return new Proxy(target, {
      get(object, name) {
        const value = Reflect.get(object, name, object) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (dead.is && name !== "close") throw new Died();
          if (name !== method) return value.apply(object, args);
          return (async () => {
            if (when === "after") await value.apply(object, args);
            dead.is = true;
            throw new Died();
          })();
        };
      },
    });
  }

  test.each(moments)("%s: the block is not accepted, or it is proved once", async (moment) => {
    const data = await temporaryFolder();
    const dead = { is: false };
    const [when, , what] = moment.split(" ") as ["before" | "after", string, "trace" | "record" | "job"];
    const store = new FolderStore(join(data, "store"));
    const queue = new MemoryQueue({ backoff: 5 });
    const registry = await Registry.open(data);
    const victim = await world(data, {
      start: false,
      store: what === "trace" ? dying(store as BlobStore, "putStream", when, dead) : store,
      queue: what === "job" ? dying(queue as Queue, "add", when, dead) : queue,
      registry: what === "record" ? dying(registry, "put", when, dead) : registry,
    });
    const outcome = await victim.coordinator.submit(traceOf({ number: 1 })).then(
      () => "accepted",
      () => "refused",
    );
    // that of the job is not the client's concern
    expect(outcome).toBe(what === "job" ? "accepted" : "refused");
    await victim.coordinator.close();
    // nobody works for a block that may not be accepted
    const job = jobId.plan(blockId(digestOf(traceOf({ number: 1 })), KEY_SET), 0);
    if (moment !== "after the job") expect(await queue.status("plan", job)).toBeUndefined();

    // Redis survives: the same queue
    const after = await world(data, { queue });
    const workers = work(after);
    const accepted = after.registry.size === 1;
    expect(accepted).toBe(what === "job" || moment === "after the record");
    const id = await submit(after, { number: 1 });
    await ended(after, id);
    expect(after.registry.size).toBe(1);
    expect([workers.count("plan"), workers.count("assemble")]).toEqual([1, 1]);
    expect(after.coordinator.status(id).work.repeated).toBe(0);
  });

  test.each(["plan", "commit", "challenge", "prove", "assemble"] as const)(
    "during %s: another one goes on, without doing anything again",
    async (kind) => {
      const data = await temporaryFolder();
      const queue = new MemoryQueue({ backoff: 5 });
      const first = await world(data, { queue });
      const { open, pass, waiting } = gate();
      const workers = work(first, { [kind]: pass });
      const id = await submit(first, { number: 1 });
      await until(() => waiting.length > 0);
      await first.coordinator.close();
      const second = await world(data, { queue });
      open();
      await ended(second, id);
      expect(workers.done).toHaveLength(7);
      expect(second.coordinator.status(id)).toMatchObject({
        ...{ run: 0, committed: 2, proved: 2 },
        work: { commits: 2, proofs: 2, repeated: 0 },
        workers: expect.arrayContaining(["fake-commit", "fake-prove"]),
      });
    },
  );

  test("while nobody watched, all was done", async () => {
    const data = await temporaryFolder();
    const queue = new MemoryQueue();
    const first = await world(data, { queue });
    const id = await submit(first, { number: 1, chunks: 5 });
    await first.coordinator.close();
    const workers = work(first);
    await until(() => workers.count("assemble") === 1);
    const second = await world(data, { queue });
    expect(await ended(second, id)).toMatchObject({ work: { commits: 5, proofs: 5, repeated: 0 }, run: 0 });
  });

  test("between the end and the cleaning up", async () => {
    const data = await temporaryFolder();
    const queue = new MemoryQueue();
    const store = new FolderStore(join(data, "store"));
    // nothing can be removed
    const stuck = new Proxy(store, {
      get: (object, name) => {
        if (name === "delete") return async () => Promise.reject(new Error("died"));
        const value = Reflect.get(object, name, object) as unknown;
        return typeof value === "function" ? value.bind(object) : value;
      },
    });
    const first = await world(data, { queue, store: stuck });
    work({ ...first, store });
    const id = await submit(first, { number: 1 });
    await until(() => first.registry.get(id)?.state === "proved");
    await first.coordinator.close();
    expect(first.registry.get(id)!.tidy).toBe(false);
    expect((await blobsOf(store)).size).toBeGreaterThan(5);
    const second = await world(data, { queue });
    await ended(second, id);
    expect(await blobsOf(store)).toEqual(new Set([second.coordinator.status(id).proof!.digest]));
    expect(await queue.counts("commit")).toMatchObject({ completed: 0 });
  });

  test("a coordinator that looked away finds out that another one was done", async () => {
    const data = await temporaryFolder();
    const queue = new MemoryQueue();
    const first = await world(data, { queue });
    const ids = [await submit(first, { number: 1 }), await submit(first, { number: 2 })];
    const { pass, waiting, open } = gate();
    const workers = work(first, { commit: pass });
    await until(() => waiting.length === 4);
    await until(() => ids.every((id) => first.registry.get(id)!.state === "committing"));
    const deaf = await world(data, { queue: withoutEvents(queue), reconcileMs: 60_000 });
    open();
    for (const id of ids) await ended(first, id);
    await deaf.coordinator.reconcile();
    for (const id of ids) {
      expect(deaf.coordinator.status(id)).toMatchObject({ state: "proved", run: 0, work: { repeated: 0 } });
      expect(await queue.status("plan", jobId.plan(id, 0))).toBeUndefined();
    }
    expect(workers.count("plan")).toBe(2);
  });

  test("two coordinators at once do no harm", async () => {
    const data = await temporaryFolder();
    const queue = new MemoryQueue();
    const first = await world(data, { queue });
    const ids = [await submit(first, { number: 1 }), await submit(first, { number: 2 })];
    const second = await world(data, { queue });
    const workers = work(first);
    for (const id of ids) {
      await ended(first, id);
      await until(() => second.coordinator.status(id).state === "proved");
    }
    expect(workers.count("assemble")).toBe(2);
    expect((await Registry.open(data)).unfinished).toBe(0);
    for (const id of ids) expect(second.coordinator.status(id)).toMatchObject({ run: 0, work: { repeated: 0 } });
  });
});

describe("a queue that forgets", () => {
  test.each(["commit", "challenge", "prove", "assemble"] as const)("during %s: begun again, once", async (kind) => {
    const data = await temporaryFolder();
    const repeated = vi.fn();
    const first = await world(data);
    const { pass, waiting } = gate();
    work(first, { [kind]: pass });
    const id = await submit(first, { number: 1 });
    await until(() => waiting.length > 0 && first.coordinator.status(id).state !== "queued");
    const state = kind === "prove" ? "proving" : kind === "assemble" ? "assembling" : "committing";
    await until(() => first.coordinator.status(id).state === state);
    await first.coordinator.close();

    const second = await world(data, { hooks: { repeated } });
    const workers = work(second);
    await ended(second, id);
    const status = second.coordinator.status(id);
    expect(status.run).toBe(1);
    expect(status.work.repeated).toBeGreaterThanOrEqual(kind === "prove" || kind === "assemble" ? 3 : 1);
    expect(repeated).toHaveBeenCalledWith("plan", 1);
    expect(workers.done.every((name) => name.startsWith(`${id}-1-`))).toBe(true);
    expect(workers.count("assemble")).toBe(1);
  });

  test("a block that nobody had begun is only added again", async () => {
    const data = await temporaryFolder();
    const first = await world(data);
    const id = await submit(first, { number: 1 });
    await first.coordinator.close();
    const second = await world(data);
    work(second);
    expect(await ended(second, id)).toMatchObject({ run: 0, work: { repeated: 0 } });
  });

  test("forgets while the coordinator runs, and what the network is as well", async () => {
    const w = await world(await temporaryFolder());
    const { pass, waiting, open } = gate();
    const workers = work(w, { prove: pass });
    const id = await submit(w, { number: 1 });
    await until(() => waiting.length === 2 && w.coordinator.status(id).state === "proving");
    expect(await w.queue.description()).toEqual(NETWORK);
    await w.queue.describe({ ...NETWORK, keySet: "00".repeat(32) });
    await w.queue.remove([
      ...[0, 1].map((i) => ({ kind: "prove" as const, id: jobId.prove(id, 0, i, 0) })),
      { kind: "assemble", id: jobId.assemble(id, 0) },
    ]);
    open();
    const status = await ended(w, id);
    expect(status).toMatchObject({ run: 1, chunks: 2, committed: 2, proved: 2 });
    expect(status.work).toMatchObject({ commits: 4, proofs: 2, repeated: 3 });
    expect(await w.queue.description()).toEqual(NETWORK);
    // what is left of the first run goes, too
    await until(async () => (await w.queue.status("plan", jobId.plan(id, 0))) === undefined);
    expect(workers.count("assemble")).toBe(1);
  });

  test("does not answer for a while: nothing is taken for lost", async () => {
    const w = await world(await temporaryFolder(), { start: false });
    let away = true;
    const error = vi.fn();
    const queue = new Proxy(w.queue, {
      get(object, name) {
        const value = Reflect.get(object, name, object) as unknown;
        if (typeof value !== "function") return value;
        if (name === "follow") return value.bind(object);
        return async (...args: unknown[]) => {
          if (away) throw new NetworkError("gone", { code: "QUEUE_UNAVAILABLE" });
          return value.apply(object, args);
        };
      },
    });
    const v = await world(w.data, { queue, registry: w.registry, store: w.store, log: { ...silent, error } });
    const { status, created } = await v.coordinator.submit(traceOf({ number: 1 }));
    expect(created).toBe(true);
    work(w);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(v.coordinator.status(status.id).state).toBe("queued");
    await expect(v.coordinator.network()).rejects.toMatchObject({ code: "QUEUE_UNAVAILABLE" });
    // said once, not at every look
    expect(error).toHaveBeenCalledTimes(1);
    away = false;
    expect(await ended(v, status.id)).toMatchObject({ run: 0 });
  });

  test("says no word of what happens: looking finds out", async () => {
    const w = await world(await temporaryFolder(), { start: false });
    const v = await world(w.data, { queue: withoutEvents(w.queue), registry: w.registry, store: w.store });
    const { open, pass, waiting } = gate();
    work(w, {
      prove: async (delivery, usual) => (delivery.id.endsWith("-0-0") ? usual(delivery) : pass(delivery, usual)),
    });
    const id = await submit(v, { number: 1, chunks: 3 });
    await until(() => waiting.length === 2);
    await until(() => v.coordinator.status(id).proved === 1);
    expect(v.coordinator.status(id)).toMatchObject({ state: "proving", committed: 3, proved: 1 });
    open();
    expect(await ended(v, id)).toMatchObject({ work: { commits: 3, proofs: 3 } });
  });
});

describe("failures", () => {
  test("of a plan, with its reason; it can be begun again", async () => {
    const finished = vi.fn();
    const w = await world(await temporaryFolder(), { hooks: { finished } });
    let broken = true;
    const workers = work(w, {
      plan: (delivery, usual) => (broken ? failing("ROW_UNSUPPORTED", "CALL in step 7")() : usual(delivery)),
    });
    const id = await submit(w, { number: 1 });
    const status = await ended(w, id, "failed");
    expect(status.failure).toEqual({ code: "ROW_UNSUPPORTED", message: "CALL in step 7", chunks: [] });
    expect(finished).toHaveBeenCalledExactlyOnceWith("failed", expect.any(Number));
    expect(w.coordinator.feed(0, 1).blocks[0]).toMatchObject({ state: "failed", proof: null });
    expect(await w.coordinator.submit(traceOf({ number: 1 }))).toMatchObject({ created: false, status: { id } });
    broken = false;
    const retried = await w.coordinator.retry(id);
    expect(retried).toMatchObject({ state: "queued", run: 1 });
    expect(retried.failure).toBeUndefined();
    expect(await ended(w, id)).toMatchObject({ state: "proved", work: { repeated: 1 } });
    expect(workers.count("assemble")).toBe(1);
  });

  test("of chunks, with the reason of each", async () => {
    const w = await world(await temporaryFolder());
    work(w, {
      commit: async (delivery, usual) => {
        if (delivery.id.endsWith("-1")) return failing("WITNESS_UNSATISFIED", "row 3")();
        return usual(delivery);
      },
      challenge: async (delivery) => {
        const { failures } = await delivery.children();
        return failing("CHUNKS_FAILED", [...failures.values()].map(({ message }) => message).join())();
      },
    });
    const id = await submit(w, { number: 1, chunks: 3 });
    const { failure } = await ended(w, id, "failed");
    expect(failure).toEqual({
      ...{ code: "CHUNKS_FAILED", message: "row 3" },
      chunks: [
        {
          ...{ chunk: 1, kind: "commit", code: "WITNESS_UNSATISFIED", message: "row 3" },
          ...{ worker: "w1", backend: "wasm" },
        },
      ],
    });
    // dead letters stay where operators look, the rest goes
    await until(() => w.registry.get(id)!.tidy);
    expect((await w.queue.failed("commit", 10)).map(({ id }) => id)).toEqual([jobId.commit(id, 0, 1)]);
    expect(await w.queue.counts("commit")).toMatchObject({ completed: 0 });
    // the trace stays for another attempt, what came of it does not
    expect(await blobsOf(w.store)).toEqual(new Set([digestOf(traceOf({ number: 1, chunks: 3 }))]));
    // begun again, nothing is left of the first run
    await w.coordinator.retry(id);
    await until(async () => (await w.queue.failed("challenge", 10)).every((job) => !job.id.startsWith(`${id}-0-`)));
  });

  test("texts of workers are cut, codes that are none replaced", async () => {
    const w = await world(await temporaryFolder());
    work(w, { plan: failing("<script>", "x".repeat(100_000)) });
    const { failure } = await ended(w, await submit(w, { number: 1 }), "failed");
    expect(failure!.code).toBe("INTERNAL");
    expect(failure!.message.length).toBeLessThanOrEqual(2000);
  });

  test("a result that is none", async () => {
    const w = await world(await temporaryFolder());
    work(w, { plan: async () => ({ chunks: "many" }) });
    const { failure } = await ended(w, await submit(w, { number: 1 }), "failed");
    expect(failure!.code).toBe("JOB_MALFORMED");
  });

  test("results of chunks that are none are nobody's", async () => {
    const w = await world(await temporaryFolder());
    work(w, { prove: async ({ id }) => (id.endsWith("-0-0") ? { proof: 7 } : { proof: null, backend: "fake" }) });
    const status = await ended(w, await submit(w, { number: 1 }));
    expect(status.work).toMatchObject({ commits: 2, proofs: 2 });
  });

  test("a trace that is gone", async () => {
    const w = await world(await temporaryFolder());
    const id = await submit(w, { number: 1 });
    await w.store.delete(digestOf(traceOf({ number: 1 })));
    const workers = work(w);
    workers.queue.consume("plan", failing("STORE_MISSING", "no such blob"), { concurrency: 1 });
    await until(() => w.registry.get(id)!.state === "failed");
    expect(w.coordinator.status(id).failure).toMatchObject({ code: "STORE_MISSING" });
    await expect(w.coordinator.retry(id)).rejects.toMatchObject({ code: "STORE_MISSING" });
    // submitted again, it is there
    expect(await w.coordinator.submit(traceOf({ number: 1 }))).toMatchObject({ created: false });
    expect(await w.store.has(digestOf(traceOf({ number: 1 })))).toBe(true);
  });

  test("blobs that were lost are made again", async () => {
    const w = await world(await temporaryFolder());
    let lost = 0;
    work(w, {
      commit: (delivery, usual) => (lost++ < 1 ? failing("STORE_DIGEST", "damaged")() : usual(delivery)),
      challenge: async (delivery, usual) => {
        const { failures } = await delivery.children();
        return failures.size > 0 ? failing("CHUNKS_FAILED")() : usual(delivery);
      },
    });
    const status = await ended(w, await submit(w, { number: 1 }));
    expect(status.run).toBe(1);
    expect(status.work.repeated).toBeGreaterThan(1);
  });

  test("but not for ever", async () => {
    const w = await world(await temporaryFolder());
    const workers = work(w, { commit: failing("STORE_MISSING"), challenge: failing("CHUNKS_FAILED") });
    const id = await submit(w, { number: 1 });
    await until(() => w.registry.get(id)!.state === "failed");
    expect(w.coordinator.status(id)).toMatchObject({ run: 3, failure: { code: "STORE_MISSING" } });
    expect(workers.count("plan")).toBe(4);
  });

  test("a proof that is not in the store is no proof", async () => {
    const w = await world(await temporaryFolder());
    let missing = 1;
    work(w, {
      assemble: async (delivery, usual) => {
        const result = (await usual(delivery)) as { proof: string };
        if (missing-- > 0) await w.store.delete(result.proof);
        return result;
      },
    });
    const status = await ended(w, await submit(w, { number: 1 }));
    expect(status.run).toBe(1);
    expect(await w.store.has(status.proof!.digest)).toBe(true);
  });

  test("blocks of other keys than the coordinator's now", async () => {
    const data = await temporaryFolder();
    const first = await world(data);
    const id = await submit(first, { number: 1 });
    await first.coordinator.close();
    const second = await world(data, { network: { ...NETWORK, keySet: "ef".repeat(32) } });
    await until(() => second.registry.get(id)!.state === "failed");
    expect(second.coordinator.status(id).failure!.code).toBe("NETWORK_KEYS");
    await expect(second.coordinator.retry(id)).rejects.toMatchObject({ code: "NETWORK_KEYS" });
    // the same trace is another block now
    expect((await second.coordinator.submit(traceOf({ number: 1 }))).created).toBe(true);
  });

  test("one block's trouble is not another one's", async () => {
    const w = await world(await temporaryFolder());
    work(w, {
      plan: (delivery, usual) =>
        (delivery.data as { number: number }).number === 1 ? failing("X")() : usual(delivery),
    });
    const [bad, good] = [await submit(w, { number: 1 }), await submit(w, { number: 2 })];
    await ended(w, bad, "failed");
    await ended(w, good);
  });
});

describe("cancelling", () => {
  test.each(["plan", "commit", "prove", "assemble"] as const)("during %s", async (kind) => {
    const w = await world(await temporaryFolder());
    const { open, pass, waiting } = gate();
    const workers = work(w, { [kind]: pass });
    const id = await submit(w, { number: 1 });
    await until(() => waiting.length > 0);
    expect(w.coordinator.wants(waiting[0]!)).toBe(true);
    expect(await w.coordinator.cancel(id)).toMatchObject({ state: "cancelled" });
    expect(w.coordinator.wants(waiting[0]!)).toBe(false);
    expect(await w.coordinator.cancel(id)).toMatchObject({ state: "cancelled" });
    // a handler that does not look up adds what comes after it
    open();
    await until(() => w.registry.get(id)!.tidy);
    await until(async () => {
      for (const kind of ["plan", "commit", "challenge", "prove", "assemble"] as const) {
        const { waiting, active, completed, waitingChildren } = await w.queue.counts(kind);
        if (waiting + active + completed + waitingChildren > 0) return false;
      }
      return true;
    });
    expect(w.coordinator.status(id).state).toBe("cancelled");
    if (kind === "commit" || kind === "prove") expect(workers.count("assemble")).toBe(0);
    expect(await w.coordinator.retry(id)).toMatchObject({ state: "queued", run: 1 });
    expect(await ended(w, id)).toMatchObject({ state: "proved", run: 1 });
  });

  test("what has ended can't be cancelled, what has not can't be begun again", async () => {
    const w = await world(await temporaryFolder());
    const id = await submit(w, { number: 1 });
    await expect(w.coordinator.retry(id)).rejects.toMatchObject({ code: "BLOCK_STATE", got: "queued" });
    work(w);
    await ended(w, id);
    await expect(w.coordinator.cancel(id)).rejects.toMatchObject({ code: "BLOCK_STATE", got: "proved" });
    await expect(w.coordinator.retry(id)).rejects.toMatchObject({ code: "BLOCK_STATE" });
    for (const unknown of ["0".repeat(32), "", "../../x"]) {
      expect(() => w.coordinator.status(unknown)).toThrow(expect.objectContaining({ code: "BLOCK_UNKNOWN" }));
      await expect(w.coordinator.cancel(unknown)).rejects.toMatchObject({ code: "BLOCK_UNKNOWN" });
      await expect(w.coordinator.retry(unknown)).rejects.toMatchObject({ code: "BLOCK_UNKNOWN" });
    }
  });

  test("others' jobs are none of its business", async () => {
    const w = await world(await temporaryFolder());
    expect(w.coordinator.wants(jobId.plan("0".repeat(32), 0))).toBe(true);
    expect(w.coordinator.wants("something else")).toBe(true);
  });
});

describe("workers", () => {
  test("that hang lose their jobs to others", async () => {
    const repeated = vi.fn();
    const w = await world(await temporaryFolder(), { jobTimeout: 60, hooks: { repeated } });
    let hung = false;
    const workers = work(w, {
      prove: async (delivery, usual) => {
        if (hung) return usual(delivery);
        hung = true;
        return new Promise(() => {});
      },
    });
    const id = await submit(w, { number: 1 });
    const status = await ended(w, id);
    expect(status.work.repeated).toBeGreaterThanOrEqual(1);
    expect(repeated).toHaveBeenCalledWith("prove", 1);
    expect(workers.count("prove")).toBe(2);
  });

  test("that hang are noticed by a coordinator that was not there when they began", async () => {
    const data = await temporaryFolder();
    const queue = new MemoryQueue();
    const first = await world(data, { queue });
    let hung = 0;
    work(first, {
      prove: async (delivery, usual) => (hung++ < 2 ? new Promise(() => {}) : usual(delivery)),
    });
    const id = await submit(first, { number: 1 });
    await until(() => hung === 2);
    await first.coordinator.close();
    const second = await world(data, { queue, jobTimeout: 50 });
    const status = await ended(second, id);
    expect(status.work.repeated).toBeGreaterThanOrEqual(2);
  });

  test("whose results are refused three times are banned", async () => {
    const refused = vi.fn();
    const w = await world(await temporaryFolder(), { hooks: { refused } });
    w.coordinator.refused("evil", "prove", "not valid");
    w.coordinator.refused("evil", "commit");
    w.coordinator.refused("other", "prove");
    w.coordinator.refused("", "prove");
    w.coordinator.refused("", "prove");
    w.coordinator.refused("", "prove");
    expect(await w.queue.banned("evil")).toBeUndefined();
    w.coordinator.refused("evil", "prove");
    expect(await until(() => w.queue.banned("evil"))).toContain("3 results");
    expect(await w.queue.banned("other")).toBeUndefined();
    expect(refused).toHaveBeenCalledTimes(7);
  });

  test("are listed with the network", async () => {
    const w = await world(await temporaryFolder());
    const worker = {
      ...{ id: "w", version: "0", protocol: "0", keySet: KEY_SET, host: "h", pid: 1, kinds: [] },
      ...{ concurrency: 1, threads: 1, backend: "wasm", since: 0 },
    };
    await w.queue.announce(worker, 1000);
    expect(await w.coordinator.network()).toEqual({ ...NETWORK, workers: [worker] });
  });

  test("proofs that are asked for again are counted, and not taken for the first ones", async () => {
    const w = await world(await temporaryFolder());
    const { open, pass, waiting } = gate();
    let round = 0;
    work(w, {
      prove: async (delivery, usual) => (delivery.id.endsWith("-0-1") ? pass(delivery, usual) : usual(delivery)),
      assemble: async (delivery, usual) => {
        if (round++ > 0) return { ...((await usual(delivery)) as object), repaired: { commitments: 0, proofs: 1 } };
        const data = delivery.data as { block: string; number: number };
        const [chunk] = (delivery.data as unknown as { chunks: object[] }).chunks;
        const { job: _job, tries: _tries, ...committed } = chunk as { job: string; tries: number };
        const common = { block: data.block, number: data.number, keySet: KEY_SET, alpha: "03".repeat(32) };
        throw new MoreChildren(
          [
            {
              ...{ kind: "prove", id: jobId.prove(data.block, 0, 0, 1), priority: 1, attempts: 2 },
              data: { ...common, chunk: 0, ...committed, beta: "04".repeat(32) },
            },
          ],
          delivery.data as never,
        );
      },
    });
    const id = await submit(w, { number: 1 });
    await until(() => waiting.length === 1);
    await until(() => w.coordinator.status(id).state === "proving" && w.coordinator.status(id).proved === 1);
    open();
    const status = await ended(w, id);
    expect(status).toMatchObject({ proved: 2, work: { commits: 2, proofs: 3, repeated: 1, refused: 1 } });
    expect(await w.queue.status("prove", jobId.prove(id, 0, 0, 1))).toBeUndefined();
    expect(await blobsOf(w.store)).toEqual(new Set([status.proof!.digest]));
  });

  test("cannot have blobs removed that are not chunk proofs", async () => {
    const w = await world(await temporaryFolder());
    const key = await w.store.put(new Uint8Array(1000).fill(7));
    work(w, {
      prove: async (delivery, usual) =>
        delivery.id.endsWith("-0-0") ? { proof: key, backend: "evil" } : usual(delivery),
    });
    const id = await submit(w, { number: 1 });
    const status = await ended(w, id);
    expect(await blobsOf(w.store)).toEqual(new Set([status.proof!.digest, key]));
  });
});

describe("the store", () => {
  test("is swept of what nobody needs, and of nothing else", async () => {
    const data = await temporaryFolder();
    const store = new FolderStore(join(data, "store"));
    const key = await store.put(new TextEncoder().encode("key"));
    const orphan = await store.put(new TextEncoder().encode("orphan"));
    const manifest = await store.put(new TextEncoder().encode("manifest"));
    const w = await world(data, { store, keep: [key], network: { ...NETWORK, manifest } });
    const { pass, waiting } = gate();
    const assemble: Replaced["assemble"] = (delivery, usual) =>
      (delivery.data as { number: number }).number === 2 ? pass(delivery, usual) : usual(delivery);
    work(w, { assemble });
    const done = await ended(w, await submit(w, { number: 1 }));
    const id = await submit(w, { number: 2 });
    await until(() => waiting.length === 1 && w.coordinator.status(id).state === "assembling");
    const before = await blobsOf(w.store);
    expect(await w.coordinator.sweep()).toEqual({ blobs: 0, bytes: 0 });
    const old = new Date(Date.now() - 2 * 86_400_000);
    for (const digest of before) await utimes(join(store.name, digest.slice(0, 2), digest.slice(2)), old, old);
    expect(await w.coordinator.sweep()).toEqual({ blobs: 1, bytes: 6 });
    const after = await blobsOf(w.store);
    expect([...before].filter((digest) => !after.has(digest))).toEqual([orphan]);
    for (const digest of [key, manifest, done.proof!.digest]) expect(after).toContain(digest);
  });

  test("is not swept while a record cannot be read", async () => {
    const data = await temporaryFolder();
    await mkdir(join(data, "blocks"));
    await writeFile(join(data, "blocks", `${"0".repeat(32)}.json`), "{");
    // damaged records cannot be moved aside
    await writeFile(join(data, "blocks", "damaged"), "in the way");
    const error = vi.fn();
    const w = await world(data, { sweepAge: -1000, log: { ...silent, error } });
    expect(error).toHaveBeenCalledOnce();
    const orphan = await w.store.put(new TextEncoder().encode("orphan"));
    expect(await w.coordinator.sweep()).toEqual({ blobs: 0, bytes: 0 });
    expect(await w.store.has(orphan)).toBe(true);
    expect(await readFile(join(data, "blocks", "damaged"), "utf8")).toBe("in the way");
  });
});

describe("events", () => {
  test("of one block, and none of others", async () => {
    const w = await world(await temporaryFolder());
    const a = await submit(w, { number: 1 });
    const events = w.coordinator.events({ block: a });
    const seen: string[] = [];
    const following = (async () => {
      for await (const { data, type } of events) {
        seen.push(data.id);
        if (type === "end") break;
      }
    })();
    work(w);
    await ended(w, await submit(w, { number: 2 }));
    await ended(w, a);
    await following;
    expect(new Set(seen)).toEqual(new Set([a]));
  });

  test("go on where somebody was", async () => {
    const w = await world(await temporaryFolder());
    const events = w.coordinator.events();
    await submit(w, { number: 1 });
    const { value: first } = (await events.next()) as { value: BlockEvent };
    events.close();
    expect(await events.next()).toEqual({ done: true, value: undefined });
    await submit(w, { number: 2 });
    const resumed = w.coordinator.events({ after: first.seq });
    expect(resumed.resumed).toBe(true);
    expect(((await resumed.next()).value as BlockEvent).data.number).toBe(2);
    const foreign = w.coordinator.events({ after: "other-0" });
    expect(foreign.resumed).toBe(false);
    resumed.close();
    foreign.close();
  });

  test("who does not read loses the rest, at once", async () => {
    const w = await world(await temporaryFolder());
    const onOverflow = vi.fn();
    const events = w.coordinator.events({ buffer: 2, onOverflow });
    const quick = w.coordinator.events();
    for (const number of [1, 2, 3]) await submit(w, { number });
    expect(onOverflow).toHaveBeenCalledOnce();
    await expect(events.next()).rejects.toMatchObject({ code: "BUSY" });
    expect((await events.next()).done).toBe(true);
    for (const number of [1, 2, 3]) expect(((await quick.next()).value as BlockEvent).data.number).toBe(number);
    quick.close();
  });

  test("end with the coordinator, and with a signal", async () => {
    const w = await world(await temporaryFolder());
    const abort = new AbortController();
    const [a, b] = [w.coordinator.events({ signal: abort.signal }), w.coordinator.events()];
    const waiting = [a.next(), b.next()];
    abort.abort();
    expect((await waiting[0]!).done).toBe(true);
    await w.coordinator.close();
    expect((await waiting[1]!).done).toBe(true);
    expect((await w.coordinator.events().next()).done).toBe(true);
  });
});

describe("closing", () => {
  test("ends submissions that are under way", async () => {
    const w = await world(await temporaryFolder(), {
      inspect: (_bytes, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    const submitted = w.coordinator.submit(traceOf({ number: 1 }));
    submitted.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 30));
    await w.coordinator.close();
    await expect(submitted).rejects.toMatchObject({ code: "QUEUE_CLOSED" });
    await expect(w.coordinator.submit(traceOf({ number: 1 }))).rejects.toMatchObject({ code: "QUEUE_CLOSED" });
  });
});
