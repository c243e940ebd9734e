/**
 * The jobs of a block on a queue in this process, with an executor whose mathematics are hashes: what becomes of results that
 * are bad, of workers that are, and of handlers that end in the middle.
 */

import { afterEach, describe, expect, it } from "vitest";
import { ChunkproofError } from "../../../src/errors.js";
import { NetworkError } from "../../../src/network/errors.js";
import type { Executor } from "../../../src/network/executor.js";
import { type HandlerOptions, isRetryable, makeHandlers } from "../../../src/network/handlers.js";
import { JOB_KINDS, type JobData, type JobKind, jobId, readData, readResult } from "../../../src/network/jobs.js";
import {
  type Delivery,
  HandBack,
  JobError,
  type JobSpec,
  type JobStatus,
  type Json,
  MoreChildren,
  type Queue,
} from "../../../src/network/queue.js";
import { MemoryQueue } from "../../../src/network/queue-memory.js";
import { type Digest, digestOf, type Store } from "../../../src/network/store.js";
import { WorkerUnfit } from "../../../src/network/worker.js";

const KEY_SET = "ab".repeat(32);
const BLOCK = "0123456789abcdef".repeat(2);
const ATTEMPTS = 5;

const encoder = new TextEncoder();
const bytesOf = (value: unknown) => encoder.encode(JSON.stringify(value));
const jsonOf = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
const hash = (...parts: unknown[]) => digestOf(encoder.encode(parts.join(" ")));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

class Failure extends ChunkproofError {}
const failure = (code: string) => new Failure("made to fail", { code });

/** A store in memory. */
class TestStore implements Store {
  readonly name = "memory";
  readonly blobs = new Map<Digest, Uint8Array>();

  async put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes.slice());
    return digest;
  }

  async get(digest: Digest): Promise<Uint8Array> {
    const found = this.blobs.get(digest);
    if (found === undefined) throw new NetworkError("no such blob", { code: "STORE_MISSING", where: digest });
    return found.slice();
  }

  async has(digest: Digest): Promise<boolean> {
    return this.blobs.has(digest);
  }

  async putFile(): Promise<Digest> {
    throw new Error("not asked for");
  }

  async getFile(): Promise<void> {
    throw new Error("not asked for");
  }
}

// ---- the mathematics

/** P follows from D as σ·D does; D from the columns. */
const pointsTo = (d: string) => ({ d, p: hash("sigma", d) });
const commitmentTo = (layout: number, columns: Uint8Array) => pointsTo(hash("columns", layout, digestOf(columns)));

type Proven = Pick<JobData<"prove">, "layout" | "d" | "p" | "alpha" | "beta">;

/** Proofs of the same are not the same bytes: they are randomized. */
let salt = 0;
function proofOf({ layout, d, p, alpha, beta }: Proven): Uint8Array {
  const proof = new Uint8Array(224);
  proof.set(Buffer.from(hash("proof", layout, d, p, alpha, beta), "hex"));
  new DataView(proof.buffer).setUint32(32, ++salt);
  proof.set(Buffer.from(d + p, "hex"), 128);
  return proof;
}
const isProof = (proof: Uint8Array | undefined, of: Proven) =>
  proof?.length === 224 &&
  hex(proof.subarray(0, 32)) === hash("proof", of.layout, of.d, of.p, of.alpha, of.beta) &&
  hex(proof.subarray(128, 192)) === of.d + of.p;

const LAYOUTS = [0, 0, 1];
const TRACE = bytesOf({ chunks: LAYOUTS });
const columnsOf = (i: number) => bytesOf({ columns: i });

/** What was asked of an executor. */
interface Asked {
  readonly operation: string;
  // biome-ignore lint/suspicious/noExplicitAny: the input of any operation
  readonly input: any;
}

class FakeExecutor {
  readonly asked: Asked[] = [];
  /** Fails instead, or answers. */
  before: (operation: string, input: Asked["input"]) => unknown = () => undefined;

  async run(operation: string, input: Asked["input"]): Promise<unknown> {
    this.asked.push({ operation, input });
    const instead = await this.before(operation, input);
    if (instead !== undefined) return instead;
    const compute = this[operation as "plan"];
    return compute.call(this, input);
  }

  count(operation: string): number {
    return this.asked.filter((one) => one.operation === operation).length;
  }

  plan(trace: Uint8Array) {
    const { chunks } = jsonOf(trace) as { chunks: number[] };
    return {
      // the bus: what was committed to must be these
      skeleton: bytesOf({ due: chunks.map((layout, i) => commitmentTo(layout, columnsOf(i)).d) }),
      state: bytesOf("state"),
      chunks: chunks.map((layout, i) => ({ layout, name: `layout ${layout}`, columns: columnsOf(i) })),
      steps: 7,
      rows: 70,
    };
  }

  commit({ layout, columns, alternate }: { layout: number; columns: Uint8Array; alternate: boolean }) {
    return { ...commitmentTo(layout, columns), backend: alternate ? "int" : "wasm" };
  }

  challenge({ chunks }: { chunks: { d: string; p: string }[] }) {
    const invalid = chunks.flatMap(({ d, p }, i) => (p === pointsTo(d).p ? [] : [i]));
    if (invalid.length > 0) return { invalid };
    const drawn = chunks.map(({ d, p }) => d + p).join();
    return { alpha: hash("alpha", drawn), beta: hash("beta", drawn), invalid };
  }

  prove(input: Proven & { columns: Uint8Array; alternate: boolean }) {
    const { layout, columns, d, alternate } = input;
    const own = commitmentTo(layout, columns).d === d;
    return { proof: own ? proofOf(input) : null, backend: alternate ? "int" : "wasm" };
  }

  assemble(input: {
    skeleton: Uint8Array;
    alpha: string;
    beta: string;
    chunks: (Proven & { proof: Uint8Array | undefined })[];
  }) {
    const { alpha, beta, chunks } = input;
    const invalid = chunks.flatMap(({ proof, ...chunk }, i) => (isProof(proof, { ...chunk, alpha, beta }) ? [] : [i]));
    if (invalid.length > 0) return { invalid };
    const { due } = jsonOf(input.skeleton) as { due: string[] };
    if (chunks.some(({ d }, i) => d !== due[i])) throw failure("BLOCK_UNBALANCED");
    return { proof: bytesOf({ alpha, beta, chunks: chunks.map(({ proof }) => hex(proof!)) }) };
  }

  evict() {
    return null;
  }
}

// ---- a network

/** Changes what a worker hands in. */
type Meddle = (result: Json, delivery: Delivery, world: World) => Json | Promise<Json>;

interface Setup {
  readonly commit?: Meddle;
  readonly prove?: Meddle;
  readonly before?: FakeExecutor["before"];
  readonly verifyKeys?: HandlerOptions["verifyKeys"];
  readonly trace?: Uint8Array;
  /** Called before and after each call of queue and store that a handler makes; what it throws, the call throws. */
  readonly watch?: (call: string, when: "before" | "after") => void;
  readonly onCrash?: (error: unknown) => boolean;
}

const worlds: World[] = [];
afterEach(async () => {
  for (const { queue } of worlds.splice(0)) await queue.close();
});

/** An object whose methods are watched. */
function watched<T extends object>(object: T, names: readonly string[], watch: NonNullable<Setup["watch"]>): T {
  return new Proxy(object, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
      if (!names.includes(String(name))) return method;
      return async (...args: unknown[]) => {
        watch(String(name), "before");
        const result = await method(...args);
        watch(String(name), "after");
        return result;
      };
    },
  });
}

class World {
  readonly queue = new MemoryQueue({ backoff: 1 });
  readonly store = new TestStore();
  readonly executor = new FakeExecutor();
  readonly refused: string[] = [];
  readonly unfit: unknown[] = [];
  /** Jobs as they were added, by kind and id. */
  readonly added = new Map<string, string>();
  /** Jobs that were added again with other data. */
  readonly contradictions: string[] = [];
  readonly deliveries: { kind: JobKind; id: string; attempt: number }[] = [];

  constructor(setup: Setup = {}) {
    worlds.push(this);
    const { verifyKeys = async () => {}, watch = () => {}, onCrash = () => false } = setup;
    this.executor.before = setup.before ?? (() => undefined);
    const queue = new Proxy(this.queue, {
      get: (target, name) => {
        if (name === "add") {
          return (job: JobSpec, children: readonly JobSpec[] = []) => {
            for (const one of [job, ...children]) this.#note(one);
            return target.add(job, children);
          };
        }
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const handlers = makeHandlers({
      queue: watched(queue as Queue, ["add"], watch),
      store: watched(this.store as Store, ["put", "get", "has"], watch),
      keySet: KEY_SET,
      worker: "me",
      verifyKeys,
      onRefused: (worker, kind, why) => this.refused.push(`${kind} of ${worker || "?"}: ${why}`),
    });
    const lane = watched(this.executor, ["run"], watch) as unknown as Executor;
    for (const kind of JOB_KINDS) {
      const handle = async (delivery: Delivery): Promise<Json> => {
        this.deliveries.push({ kind, id: delivery.id, attempt: delivery.attempt });
        const meddle = kind === "commit" || kind === "prove" ? setup[kind] : undefined;
        try {
          const own = watched(delivery, ["children"], watch);
          const result = await handlers[kind](own, lane);
          return meddle === undefined ? result : await meddle(result, delivery, this);
        } catch (error) {
          if (error instanceof MoreChildren) for (const one of error.children) this.#note(one);
          if (onCrash(error)) throw new HandBack(0);
          if (!(error instanceof WorkerUnfit)) throw error;
          this.unfit.push(error.cause);
          throw new HandBack(1);
        }
      };
      this.queue.consume(kind, handle, { concurrency: 1 });
    }
  }

  #note({ kind, id, data }: JobSpec): void {
    const text = JSON.stringify(data);
    const known = this.added.get(`${kind} ${id}`);
    if (known !== undefined && known !== text) this.contradictions.push(`${kind} ${id}`);
    this.added.set(`${kind} ${id}`, text);
  }

  get jobs(): string[] {
    return [...this.added.keys()].map((name) => name.replace(`${BLOCK}-0-`, "")).sort();
  }

  /** Resolves when a job has ended. */
  async ended(kind: JobKind, id: string): Promise<JobStatus> {
    for (;;) {
      const status = await this.queue.status(kind, id);
      if (status?.state === "completed" || status?.state === "failed") return status;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async begin(trace: Uint8Array): Promise<void> {
    await this.queue.add({
      ...{ kind: "plan", id: jobId.plan(BLOCK, 0), priority: 3, attempts: ATTEMPTS },
      data: {
        ...{ block: BLOCK, number: 1, keySet: KEY_SET, attempts: ATTEMPTS, priority: 3 },
        trace: await this.store.put(trace),
      },
    });
  }

  /** Has a block proved. @returns how the last job ended that there was. */
  async prove(trace = TRACE): Promise<JobStatus> {
    await this.begin(trace);
    let last: JobStatus | undefined;
    for (const kind of ["plan", "challenge", "assemble"] as const) {
      last = await this.ended(kind, jobId[kind](BLOCK, 0));
      if (last.state === "failed") return last;
    }
    return last!;
  }

  /** Proves, and looks at what came out. */
  async proved(commitments = 0, proofs = 0): Promise<void> {
    const { result, state, failure: why } = await this.prove();
    expect(state, JSON.stringify(why)).toBe("completed");
    const { proof, bytes, repaired } = readResult("assemble", result);
    const blob = await this.store.get(proof);
    expect(blob.length).toBe(bytes);
    expect(repaired).toEqual({ commitments, proofs });
    const points = LAYOUTS.map((layout, i) => commitmentTo(layout, columnsOf(i)));
    const { alpha, beta, chunks } = jsonOf(blob) as { alpha: string; beta: string; chunks: string[] };
    const drawn = new FakeExecutor().challenge({ chunks: points });
    expect({ alpha, beta, invalid: [] }).toEqual(drawn);
    expect(chunks.length).toBe(LAYOUTS.length);
    for (const [i, layout] of LAYOUTS.entries()) {
      expect(isProof(Buffer.from(chunks[i]!, "hex"), { layout, ...points[i]!, alpha, beta })).toBe(true);
    }
    expect(this.contradictions).toEqual([]);
    expect(this.unfit).toEqual([]);
  }
}

const chunkOf = ({ data }: Delivery): number => (data as { chunk: number }).chunk;
/** The first time that this chunk's result comes, and each further time up to `times`. */
function once(chunk: number, change: Meddle, times = 1): Meddle {
  let left = times;
  return (result, delivery, world) =>
    chunkOf(delivery) === chunk && left-- > 0 ? change(result, delivery, world) : result;
}
const foreign = (result: Json): { readonly [name: string]: Json | undefined } => ({
  ...(result as object),
  worker: "bad",
});

describe("the jobs of a block", () => {
  it("go from the trace to the proof, each once", async () => {
    const world = new World();
    await world.proved();
    expect(world.refused).toEqual([]);
    expect(world.jobs).toEqual([
      "assemble assemble",
      "challenge challenge",
      ...["commit commit-0", "commit commit-1", "commit commit-2"],
      ...["prove prove-0-0", "prove prove-1-0", "prove prove-2-0"],
    ]);
    expect(world.deliveries.map(({ id, attempt }) => [new Set([id]).size, attempt])).toEqual(
      Array.from({ length: 9 }, () => [1, 0]),
    );
    const { operations, alternates } = {
      operations: world.executor.asked.map(({ operation }) => operation),
      alternates: world.executor.asked.filter(({ input }) => input?.alternate),
    };
    expect(operations.sort()).toEqual([
      "assemble",
      "challenge",
      ...["commit", "commit", "commit"],
      "plan",
      ...["prove", "prove", "prove"],
    ]);
    expect(alternates).toEqual([]);
    // every job says what it is for, and what it costs to try again
    for (const [name, text] of world.added) {
      const [kind, id] = name.split(" ") as [JobKind, string];
      expect(readData(kind, JSON.parse(text))).toMatchObject({ block: BLOCK, number: 1, keySet: KEY_SET });
      const { result } = (await world.queue.status(kind, id))!;
      expect(readResult(kind, result)).toMatchObject({ worker: "me" });
    }
  });

  it("of a block without chunks end, too", async () => {
    const { state } = await new World().prove(bytesOf({ chunks: [] }));
    expect(state).toBe("completed");
  });

  it("commit once to columns that come again", async () => {
    const world = new World({
      before: (operation, input) =>
        operation === "plan"
          ? { ...new FakeExecutor().plan(input), chunks: LAYOUTS.map(() => ({ layout: 0, columns: columnsOf(0) })) }
          : undefined,
    });
    await world.begin(TRACE);
    await world.ended("challenge", jobId.challenge(BLOCK, 0));
    expect(world.executor.count("commit")).toBe(1);
  });
});

describe("a chunk that fails", () => {
  for (const kind of ["commit", "prove"] as const) {
    it(`is ${kind === "commit" ? "committed to" : "proved"} as usual twice, then otherwise, and fails with the block`, async () => {
      const world = new World({
        before: (operation, { columns, layout }) => {
          if (operation === kind && layout === 1 && columns !== undefined) throw failure("DEVICE_WRONG_RESULT");
        },
      });
      const last = await world.prove();
      const tried = world.executor.asked.filter(({ operation, input }) => operation === kind && input.layout === 1);
      expect(tried.map(({ input }) => input.alternate)).toEqual([false, false, true, true, true]);
      expect(last).toMatchObject({ kind: kind === "commit" ? "challenge" : "assemble", state: "failed", failures: 1 });
      expect(last.failure).toEqual({
        code: "CHUNKS_FAILED",
        message: "chunk 2: made to fail [DEVICE_WRONG_RESULT]",
        retryable: false,
      });
      const id = kind === "commit" ? jobId.commit(BLOCK, 0, 2) : jobId.prove(BLOCK, 0, 2, 0);
      expect(await world.queue.status(kind, id)).toMatchObject({
        ...{ state: "failed", failures: 5 },
        failure: { code: "DEVICE_WRONG_RESULT", retryable: true, worker: "me" },
      });
      // the others are done, for a retry that finds the cause removed
      expect(world.unfit).toEqual([]);
    });
  }

  it("is done when the other backend can", async () => {
    const world = new World({
      before: (operation, { alternate }) => {
        if (["commit", "prove"].includes(operation) && alternate === false) throw failure("DEVICE_LOST");
      },
    });
    await world.proved();
    for (const kind of ["commit", "prove"] as const) {
      const id = kind === "commit" ? jobId.commit(BLOCK, 0, 0) : jobId.prove(BLOCK, 0, 0, 0);
      const { failures, result } = (await world.queue.status(kind, id))!;
      expect([failures, readResult(kind, result).backend]).toEqual([2, "int"]);
    }
  });

  it("for a reason of its own fails at once", async () => {
    const world = new World({
      before: (operation, { layout }) => {
        if (operation === "prove" && layout === 1) throw failure("BLOCK_COLUMNS");
      },
    });
    const last = await world.prove();
    expect(last.failure).toMatchObject({ code: "CHUNKS_FAILED", message: "chunk 2: made to fail [BLOCK_COLUMNS]" });
    expect(await world.queue.status("prove", jobId.prove(BLOCK, 0, 2, 0))).toMatchObject({
      ...{ state: "failed", failures: 1 },
      failure: { code: "BLOCK_COLUMNS", retryable: false },
    });
    expect(world.executor.count("assemble")).toBe(0);
  });
});

/** A job in the hands of nobody's queue. */
const delivered = (kind: JobKind, data: Json, signal = new AbortController().signal): Delivery => ({
  ...{ kind, id: jobId.plan(BLOCK, 0), data, priority: 0, attempt: 0, signal, waited: 0 },
  progress: async () => {},
  children: async () => ({ results: new Map(), failures: new Map() }),
});

describe("errors", () => {
  const data = async (store: TestStore) => ({
    ...{ block: BLOCK, number: 1, keySet: KEY_SET, chunk: 0, layout: 0 },
    columns: await store.put(columnsOf(0)),
  });
  const options = (world: World, verifyKeys = async () => {}): HandlerOptions => ({
    ...{ queue: world.queue, store: world.store, keySet: KEY_SET, worker: "me", verifyKeys },
  });
  const commit = async (error: unknown, verifyKeys?: () => Promise<void>, signal?: AbortSignal): Promise<unknown> => {
    const world = new World();
    const executor = {
      run: async () => {
        throw error;
      },
    } as unknown as Executor;
    const { commit: handler } = makeHandlers(options(world, verifyKeys));
    return handler(delivered("commit", await data(world.store), signal), executor).catch((thrown: unknown) => thrown);
  };

  it.each([
    // the job's
    ...["TRACE_JSON", "TRACE_UNSUPPORTED_OPCODE", "TX_SIGNATURE", "HEADER_MALFORMED", "ROW_UNKNOWN", "BLOCK_COLUMNS"],
    ...["CLAIM_SIZE", "COLUMNS_LENGTH", "COLUMN_NOT_CANONICAL", "JOB_MALFORMED", "BLOCK_UNBALANCED", "CHUNKS_FAILED"],
  ])("%s: no attempt can change it", async (code) => {
    const thrown = (await commit(failure(code))) as JobError;
    expect(thrown).toBeInstanceOf(JobError);
    expect(thrown.failure).toEqual({ code, message: "made to fail", retryable: false, worker: "me" });
    expect(isRetryable(code)).toBe(false);
  });

  it.each([
    ...["TRACE_EVM", "TRACE_LIMIT", "EXECUTOR_LOST", "OUT_OF_MEMORY", "WORKER_FAILED", "DEVICE_WRONG_RESULT"],
    ...["STORE_MISSING", "STORE_DIGEST", "STORE_TOO_LARGE", "QUEUE_UNAVAILABLE", "WITNESS_UNSATISFIED", "KEY_CLOSED"],
  ])("%s: another attempt may end otherwise", async (code) => {
    const thrown = (await commit(failure(code))) as JobError;
    expect(thrown).toBeInstanceOf(JobError);
    expect(thrown.failure).toEqual({ code, message: "made to fail", retryable: true, worker: "me" });
    expect(isRetryable(code)).toBe(true);
  });

  it.each([
    ...["KEYS_DAMAGED", "KEYS_MISSING", "KEYS_CONTRADICT", "KEYSET_MALFORMED", "FILE_UNREADABLE", "ZKEY_COEFFICIENT"],
    // what key files are refused with that were damaged since they were opened
    ...["CKEY_POINTS", "POINT_INVALID", "BINFILE_MAGIC", "BINFILE_SECTION_MISSING", "SOURCE_TRUNCATED"],
    ...["FOREIGN_CURVE", "FOREIGN_PROTOCOL", "PLAN_DIGEST", "ARITHMETIC_UNSUPPORTED", "WASM_UNSUPPORTED"],
    ...["STORE_FORBIDDEN", "STORE_FULL", "STORE_UNAVAILABLE"],
  ])("%s: this worker's fault", async (code) => {
    const error = failure(code);
    const thrown = (await commit(error)) as WorkerUnfit;
    expect(thrown).toBeInstanceOf(WorkerUnfit);
    expect(thrown.cause).toBe(error);
  });

  it("of a bug may pass", async () => {
    const thrown = (await commit(new RangeError("oops"))) as JobError;
    expect(thrown.failure).toEqual({ code: "INTERNAL", message: "oops", retryable: true, worker: "me" });
  });

  it("of rows are the keys' fault if these are damaged", async () => {
    const damaged = failure("KEYS_DAMAGED");
    let looked = 0;
    const verify = async () => {
      looked++;
      throw damaged;
    };
    const thrown = (await commit(failure("WITNESS_UNSATISFIED"), verify)) as WorkerUnfit;
    expect(thrown).toBeInstanceOf(WorkerUnfit);
    expect(thrown.cause).toBe(damaged);
    await commit(failure("DEVICE_LOST"), verify);
    expect(looked).toBe(1);
  });

  it("after the lease was lost, and what handlers tell the queue, are left as they are", async () => {
    const lost = new AbortController();
    lost.abort();
    const error = failure("KEYS_DAMAGED");
    expect(await commit(error, undefined, lost.signal)).toBe(error);
    for (const told of [
      new HandBack(5),
      new MoreChildren([], null),
      new WorkerUnfit(error),
      new JobError({ code: "X", message: "x", retryable: false }),
    ]) {
      expect(await commit(told)).toBe(told);
    }
  });

  it("of jobs that are none", async () => {
    const world = new World();
    const handlers = makeHandlers(options(world));
    const executor = world.executor as unknown as Executor;
    const good = await data(world.store);
    const foreign = await handlers
      .commit(delivered("commit", { ...good, keySet: "cd".repeat(32) }), executor)
      .catch((error: unknown) => error);
    // whoever put it there: it must end no worker
    expect(foreign).toBeInstanceOf(JobError);
    expect((foreign as JobError).failure).toMatchObject({ code: "NETWORK_KEYS", retryable: false });
    for (const bad of [
      null,
      "x",
      [],
      {},
      { ...good, more: 1 },
      { ...good, columns: "../x" },
      { ...good, layout: -1 },
    ]) {
      await expect(handlers.commit(delivered("commit", bad as Json), executor)).rejects.toMatchObject({
        failure: { code: "JOB_MALFORMED", retryable: false },
      });
    }
    expect(world.executor.asked).toEqual([]);
  });

  it("of a trace fail the block at once, and those of the machine do not", async () => {
    for (const [code, attempts] of [
      ["TRACE_STACK", 1],
      ["TRACE_EVM", 5],
    ] as const) {
      const world = new World({
        before: (operation) => {
          if (operation === "plan") throw failure(code);
        },
      });
      expect(await world.prove()).toMatchObject({ kind: "plan", failures: attempts, failure: { code } });
      expect(world.jobs).toEqual([]);
    }
  });
});

describe("commitments that are bad", () => {
  it.each<[string, Meddle, string]>([
    ["no points of a commitment", (result) => ({ ...foreign(result), p: "01".repeat(32) }), "bad: P is not σ·D"],
    ["not a result", () => ({ worker: "bad" }), "?: not a result"],
    ["a text", () => "garbage", "?: not a result"],
    ["nothing", () => null, "?: not a result"],
    ["no point", (result) => ({ ...foreign(result), d: "zz" }), "?: not a result"],
    ["too much", (result) => ({ ...foreign(result), more: 1 }), "?: not a result"],
  ])("%s: made again before challenges are drawn", async (_name, meddle, why) => {
    const world = new World({ commit: once(1, meddle) });
    await world.proved(1);
    expect(world.refused).toEqual([`commit of ${why}`]);
    // nobody had to prove anything twice
    expect(world.executor.count("prove")).toBe(3);
    const { result } = (await world.queue.status("challenge", jobId.challenge(BLOCK, 0)))!;
    expect(readResult("challenge", result).repaired).toEqual([1]);
  });

  it("all of them: made again", async () => {
    const world = new World({ commit: (result) => ({ ...foreign(result), d: "02".repeat(32) }) });
    await world.proved(3);
    expect(world.refused).toEqual(Array.from({ length: 3 }, () => "commit of bad: P is not σ·D"));
  });

  const OTHER = pointsTo(hash("other columns"));

  it("to other columns, which only the proof shows: all are made again, with new challenges", async () => {
    const world = new World({ commit: once(1, (result) => ({ ...foreign(result), ...OTHER })) });
    await world.proved(1);
    // the honest prover, who disputes it, is not blamed
    expect(world.refused).toEqual(["commit of ?: a commitment to other columns"]);
    expect(world.jobs.filter((name) => name.startsWith("prove"))).toEqual([
      ...["prove prove-0-0", "prove prove-0-1000", "prove prove-1-0", "prove prove-1-1000"],
      ...["prove prove-2-0", "prove prove-2-1000"],
    ]);
  });

  it("to other columns that are proved as well: the bus shows it", async () => {
    const proveOther: Meddle = async (result, { data }, { store }) => {
      const proven = readData("prove", data);
      return proven.d === OTHER.d ? { ...foreign(result), proof: await store.put(proofOf(proven)) } : result;
    };
    const world = new World({ commit: once(2, (result) => ({ ...foreign(result), ...OTHER })), prove: proveOther });
    await world.proved(1);
    expect(world.refused).toEqual(["commit of ?: a commitment to other columns"]);
  });

  it("in the second round are this machine's own, or it is at fault", async () => {
    const { store, queue } = new World();
    const points = pointsTo(hash("neither these nor those"));
    const chunk = { layout: 0, columns: await store.put(columnsOf(0)), ...points };
    const blob = await store.put(bytesOf({ due: [] }));
    const data = {
      ...{ block: BLOCK, number: 1, keySet: KEY_SET, skeleton: blob, state: blob, attempts: 1, priority: 0 },
      ...{ alpha: "01".repeat(32), beta: "02".repeat(32), round: 1, corrected: 1 },
      chunks: [{ ...chunk, job: jobId.prove(BLOCK, 0, 0, 1000), tries: 0 }],
    };
    const { assemble } = makeHandlers({ queue, store, keySet: KEY_SET, worker: "me", verifyKeys: async () => {} });
    const thrown = await assemble(delivered("assemble", data), new FakeExecutor() as unknown as Executor).catch(
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(WorkerUnfit);
    expect((thrown as WorkerUnfit).cause).toMatchObject({ code: "KEYS_CONTRADICT" });
  });
});

describe("a block that is refused although all was done right", () => {
  it("fails, after the commitments were looked at", async () => {
    const world = new World({
      before: (operation) => {
        if (operation === "assemble") throw failure("BLOCK_UNBALANCED");
      },
    });
    expect(await world.prove()).toMatchObject({
      ...{ kind: "assemble", failures: 1 },
      failure: { code: "BLOCK_UNBALANCED", retryable: false },
    });
    expect(world.refused).toEqual([]);
  });
});

describe("proofs that are bad", () => {
  const put =
    (bytes: (data: Proven) => Uint8Array): Meddle =>
    async (result, { data }, { store }) => ({
      ...foreign(result),
      proof: await store.put(bytes(readData("prove", data))),
    });
  const INVALID = "prove of bad: the proof is not valid";
  const SPECIES: [string, Meddle, string][] = [
    ["garbage", put(() => new Uint8Array(224).fill(7)), INVALID],
    ["too short", put(() => new Uint8Array(223)), INVALID],
    ["empty", put(() => new Uint8Array(0)), INVALID],
    ["too long", put((data) => new Uint8Array([...proofOf(data), 0])), INVALID],
    ["under other challenges", put((data) => proofOf({ ...data, alpha: "00".repeat(32) })), INVALID],
    ["of another layout", put((data) => proofOf({ ...data, layout: 9 })), INVALID],
    ["of other columns", put((data) => proofOf({ ...data, ...pointsTo(hash("other")) })), INVALID],
    [
      "not in the store",
      (result) => ({ ...foreign(result), proof: "ab".repeat(32) }),
      "prove of ?: no such proof in the store",
    ],
    [
      "a right commitment disputed",
      (result) => ({ ...foreign(result), proof: null }),
      "prove of bad: the worker disputes the commitment, which is right",
    ],
    ["not a result", () => ({ proof: { $ne: 1 } }), "prove of ?: not a result"],
    ["a text", () => "garbage", "prove of ?: not a result"],
    ["nothing", () => null, "prove of ?: not a result"],
  ];

  it.each(SPECIES)("%s: asked for again, of that chunk alone", async (_name, meddle, why) => {
    const world = new World({ prove: once(1, meddle) });
    await world.proved(0, 1);
    expect(world.refused).toEqual([why]);
    expect(world.jobs.filter((name) => name.startsWith("prove"))).toEqual([
      ...["prove prove-0-0", "prove prove-1-0", "prove prove-1-1", "prove prove-2-0"],
    ]);
  });

  it("that lie under the digest of something else are asked for again", async () => {
    const world = new World({
      prove: once(0, async (result, _delivery, { store }) => {
        const digest = await store.put(new Uint8Array(1));
        store.get = async (asked) => {
          if (asked === digest) throw new NetworkError("not the bytes", { code: "STORE_DIGEST" });
          return TestStore.prototype.get.call(store, asked);
        };
        return { ...foreign(result), proof: digest };
      }),
    });
    await world.proved(0, 1);
    expect(world.refused).toEqual(["prove of ?: no such proof in the store"]);
  });

  it("twice: asked for a third time", async () => {
    const world = new World({ prove: once(1, () => null, 2) });
    await world.proved(0, 2);
    expect(world.executor.count("prove")).toBe(5);
    expect(world.jobs).toContain("prove prove-1-2");
  });

  it("three times: proved where they are put together", async () => {
    const world = new World({ prove: once(1, () => null, 100) });
    await world.proved(0, 3);
    expect(world.refused.length).toBe(3);
    // three by the worker of the chunk, one by the assembler; those of the others
    expect(world.executor.count("prove")).toBe(6);
    expect(world.jobs).not.toContain("prove prove-1-3");
  });

  it("of everybody, always: all is proved where they are put together", async () => {
    const world = new World({ prove: put(() => new Uint8Array(224)) });
    await world.proved(0, 9);
    expect(world.refused.length).toBe(9);
  });

  it("of some chunks, more often of one than of another", async () => {
    const world = new World({
      prove: (result, delivery, on) =>
        once(0, () => null, 100)(once(1, () => null, 100)(result, delivery, on) as Json, delivery, on),
    });
    await world.proved(0, 6);
    const mixed = [once(0, () => null, 1), once(2, () => null, 3)];
    const other = new World({
      prove: async (result, delivery, on) => {
        let changed = result;
        for (const meddle of mixed) changed = await meddle(changed, delivery, on);
        return changed;
      },
    });
    await other.proved(0, 4);
  });

  it("with a bad commitment: the commitment first, and then they", async () => {
    const other = pointsTo(hash("other columns"));
    const world = new World({
      commit: once(0, (result) => ({ ...foreign(result), ...other })),
      prove: (result, delivery) => (delivery.id.endsWith("-prove-2-1000") ? null : result),
    });
    await world.proved(1, 1);
    expect(world.jobs).toContain("prove prove-2-1001");
  });

  it("made here are a fault of this machine", async () => {
    const world = new World({
      prove: () => null,
      before: (operation, input) => {
        if (operation === "prove") return { proof: new Uint8Array(224), backend: "wasm" };
        if (operation === "assemble") return { invalid: input.chunks.map((_: unknown, i: number) => i) };
        return undefined;
      },
    });
    await world.begin(TRACE);
    while (world.unfit.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(world.unfit[0]).toMatchObject({ code: "KEYS_CONTRADICT" });
    const disputed = new World({
      prove: () => null,
      before: (operation) => (operation === "prove" ? { proof: null, backend: "wasm" } : undefined),
    });
    await disputed.begin(TRACE);
    while (disputed.unfit.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(disputed.unfit[0]).toMatchObject({ code: "KEYS_CONTRADICT" });
  });

  it("whose store is away are waited for, and nobody is blamed", async () => {
    let away = 3;
    const world = new World();
    const get = world.store.get.bind(world.store);
    world.store.get = async (digest) => {
      const blob = await get(digest);
      if (blob.length === 224 && away-- > 0) throw new NetworkError("away", { code: "STORE_UNAVAILABLE" });
      return blob;
    };
    const { state } = await world.prove();
    expect(state).toBe("completed");
    expect(world.unfit.length).toBeGreaterThan(0);
    expect(world.refused).toEqual([]);
  });
});

describe("a handler that ends at any point", () => {
  class Crash extends Error {}
  const other = pointsTo(hash("other columns"));
  /** Bad results are the same in every run: they depend on the job. */
  const SCENARIOS: [string, Setup, commitments: number, proofs: number][] = [
    ["of a block without trouble", {}, 0, 0],
    [
      "while commitments are repaired",
      { commit: (result, { id }) => (id.endsWith("commit-1") ? { ...foreign(result), p: "01".repeat(32) } : result) },
      1,
      0,
    ],
    [
      "while commitments are corrected",
      { commit: (result, { id }) => (id.endsWith("commit-1") ? { ...foreign(result), ...other } : result) },
      1,
      0,
    ],
    [
      "while proofs are asked for again",
      { prove: (result, { id }) => (/prove-1-[01]$/.test(id) ? null : result) },
      0,
      2,
    ],
    ["while it proves itself", { prove: (result, { id }) => (/prove-1-/.test(id) ? null : result) }, 0, 3],
  ];

  it.each(SCENARIOS)("%s, does it again: the same jobs, the same proof", async (_name, setup, commitments, proofs) => {
    let calls = 0;
    const usual = new World({
      ...setup,
      watch: () => {
        calls++;
      },
    });
    await usual.proved(commitments, proofs);
    expect(calls).toBeGreaterThan(50);
    for (let k = 0; k < calls; k++) {
      let [call, crashed] = [0, ""];
      const world = new World({
        ...setup,
        watch: (name, when) => {
          if (call++ !== k) return;
          crashed = `${when} ${name}`;
          throw new Crash(crashed);
        },
        // as if the process had died: nobody counts it as an attempt that failed
        onCrash: (error) => error instanceof JobError && error.cause instanceof Crash,
      });
      await world.proved(commitments, proofs);
      expect([crashed === "", crashed, world.jobs]).toEqual([false, crashed, usual.jobs]);
      for (const [name, data] of usual.added)
        if (!name.startsWith("assemble")) expect(world.added.get(name)).toBe(data);
      const attempts = world.deliveries.filter(({ attempt }) => attempt > 0);
      expect(attempts).toEqual([]);
    }
  });

  it("with attempts that count: the block is proved all the same", async () => {
    let calls = 0;
    const world = new World({
      // every 29th call fails
      watch: () => {
        if (++calls % 29 === 0) throw new Error("the network is bad today");
      },
    });
    await world.proved();
    expect(world.deliveries.some(({ attempt }) => attempt > 0)).toBe(true);
  });
});
