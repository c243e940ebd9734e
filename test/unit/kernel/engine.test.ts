/**
 * The thread pool as it is built: workers need files in `dist/`. Skipped where `npm run build` was not run.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as WorkerThreads from "node:worker_threads";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Engine as EngineClass, EngineOptions, Task } from "../../../src/prover/wasm/engine.js";
import { type Call, SCRATCH } from "../../../src/prover/wasm/kernel.js";
import { fromBytes, R, toBytes } from "../../support/kernel.js";

type EngineModule = typeof import("../../../src/prover/wasm/engine.js");
type Built = typeof import("../../support/built.js");

const FILE = join(import.meta.dirname, "../../../dist/prover/wasm/engine.js");
const URL_TEXT = JSON.stringify(pathToFileURL(FILE).href);

describe.skipIf(!existsSync(FILE))("Engine (of dist/, which npm run build makes)", () => {
  let Engine: EngineModule["Engine"];
  let resolveThreads: EngineModule["resolveThreads"];
  let built: Built;
  const engines: EngineClass[] = [];
  /** Every worker thread that was started. */
  const workers: WorkerThreads.Worker[] = [];
  const threads: typeof WorkerThreads = createRequire(import.meta.url)("node:worker_threads");
  const { Worker } = threads;

  beforeAll(async () => {
    class CountedWorker extends Worker {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args);
        workers.push(this);
      }
    }
    (threads as { Worker: typeof Worker }).Worker = CountedWorker;
    syncBuiltinESMExports();
    // by way of a data: URL, which the test runner leaves to Node
    ({ Engine, resolveThreads } = await import(/* @vite-ignore */ `data:text/javascript,export * from ${URL_TEXT}`));
    built = await import("../../support/built.js");
  });
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.close();
    workers.length = 0;
  });
  afterAll(() => {
    (threads as { Worker: typeof Worker }).Worker = Worker;
    syncBuiltinESMExports();
  });

  async function open(options: EngineOptions = {}): Promise<EngineClass> {
    const engine = await Engine.create(options);
    engines.push(engine);
    return engine;
  }

  /** A block with a scalar. */
  function put(engine: EngineClass, value: bigint): number {
    const at = engine.heap.alloc(32);
    engine.heap.view(at, 32).set(toBytes(value));
    return at;
  }

  /** Tasks that answer 1 for scalars below r and 0 for others. */
  const answers = (engine: EngineClass, pattern: readonly number[]): Task[] => {
    const [good, bad] = [put(engine, R - 1n), put(engine, R)];
    return pattern.map((bit) => ({ calls: [["fr_bytesBelowP", bit ? good : bad]] }));
  };

  /** Tasks of about a millisecond, or n of them. */
  function slow(engine: EngineClass, tasks: number, n = 1): Task[] {
    const at = engine.heap.alloc(64);
    engine.heap.view(at, 64).fill(0);
    const calls: Call[] = Array.from({ length: 60 * n }, () => ["fq_inv", at, at]);
    return Array.from({ length: tasks }, () => ({ calls }));
  }

  const failing: Task = { calls: [["no_such_export", 1]] };
  const alive = async (engine: EngineClass) =>
    expect(await engine.run(answers(engine, [1, 0, 1]))).toEqual([[1], [0], [1]]);

  test("answers stand in the order of tasks and calls", async () => {
    const engine = await open({ threads: 3 });
    expect(engine.threaded).toBe(true);
    const pattern = Array.from({ length: 100 }, (_, i) => Number(i % 3 === 0));
    const single = answers(engine, pattern);
    expect(await engine.run(single)).toEqual(pattern.map((bit) => [bit]));
    const joined: Task = { calls: single.slice(0, 5).flatMap(({ calls }) => calls) };
    expect(await engine.run([joined])).toEqual([[1, 0, 0, 1, 0]]);
    expect(await engine.run([])).toEqual([]);
    // no result becomes 0
    expect(await engine.run(slow(engine, 1))).toEqual([Array.from({ length: 60 }, () => 0)]);
  });

  test("no more threads than asked for, and no fewer when there is work", async () => {
    const engine = await open({ threads: 3 });
    expect(engine.threads).toBe(3);
    let done = 0;
    await engine.run(slow(engine, 200), { onTask: () => done++ });
    expect(done).toBe(200);
    expect(workers).toHaveLength(3);
    workers.length = 0;
    const one = await open({ threads: 1 });
    await one.run(slow(one, 20));
    expect(workers).toHaveLength(1);
    // more later
    one.threads = 2;
    await one.run(slow(one, 200));
    expect(workers).toHaveLength(2);
  });

  test("with integers where asked for, with the best arithmetic otherwise", async () => {
    const int = await open({ threads: 1, arithmetic: "int" });
    expect(int.arithmetic).toBe("int");
    await alive(int);
    const best = await open({ threads: 1 });
    const auto = await open({ threads: 1, arithmetic: "auto" });
    expect(auto.arithmetic).toBe(best.arithmetic);
    await alive(best);
    await alive(auto);
    const fma = await Engine.create({ arithmetic: "fma" }).catch((error) => error.code);
    if (typeof fma === "string") expect([fma, best.arithmetic]).toEqual(["ARITHMETIC_UNSUPPORTED", "int"]);
    else {
      engines.push(fma);
      expect([fma.arithmetic, best.arithmetic]).toEqual(["fma", "fma"]);
    }
  });

  test("each thread has scratch memory of its own", async () => {
    const engine = await open({ threads: 4 });
    // inversions in place in the thread's scratch: two threads on the same scratch would spoil each other's
    const { fieldBytes } = engine;
    const inputs = Array.from({ length: 40 }, (_, i) => {
      const [at, bytes] = [engine.heap.alloc(fieldBytes), put(engine, BigInt(i + 2))];
      engine.kernel.fr_fromBytes!(at, bytes);
      engine.kernel.fr_toMont!(at, at);
      return { at, bytes };
    });
    const twice: Task[] = inputs.map(({ at }) => ({
      calls: Array.from({ length: 50 }, () => ["fr_inv", at, at, SCRATCH] as const),
      scratch: 17 * fieldBytes,
    }));
    await engine.run(twice);
    for (const [i, { at, bytes }] of inputs.entries()) {
      engine.kernel.fr_fromMont!(at, at);
      engine.kernel.fr_toBytes!(bytes, at);
      expect(fromBytes(engine.heap.view(bytes, 32))).toBe(BigInt(i + 2));
    }
  });

  test("batches with a lower number go first", async () => {
    const engine = await open({ threads: 1 });
    const order: string[] = [];
    const [late, early] = [
      engine.run(slow(engine, 5), { priority: 1, onTask: () => order.push("late") }),
      engine.run(slow(engine, 3), { priority: 0, onTask: () => order.push("early") }),
    ];
    await Promise.all([late, early]);
    expect(order).toEqual(["early", "early", "early", "late", "late", "late", "late", "late"]);
  });

  describe("errors", () => {
    test("a failing task rejects its batch with WORKER_FAILED and spares the others", async () => {
      const engine = await open({ threads: 2 });
      const other = engine.run(answers(engine, [1, 1, 0]));
      let tasks = 0;
      const run = engine.run([failing, ...slow(engine, 500)], { onTask: () => tasks++ });
      await expect(run).rejects.toMatchObject({
        name: "ProverError",
        code: "WORKER_FAILED",
        got: expect.stringContaining("no_such_export"),
      });
      // what had not begun was dropped
      expect(tasks).toBeLessThan(500);
      expect(await other).toEqual([[1], [1], [0]]);
      await alive(engine);
    });

    test("so does a WebAssembly trap", async () => {
      const engine = await open({ threads: 1 });
      const trap: Task = { calls: [["fq_mul", 0xffff_fff0, 0xffff_fff0, 0xffff_fff0]] };
      await expect(engine.run([trap])).rejects.toMatchObject({
        code: "WORKER_FAILED",
        got: expect.stringContaining("RuntimeError"),
      });
      await alive(engine);
    });

    test("scratch beyond the limit is OUT_OF_MEMORY", async () => {
      const engine = await open({ threads: 1, maxMemory: 2 ** 21 });
      const greedy: Task = { ...answers(engine, [1])[0]!, scratch: 2 ** 22 };
      await expect(engine.run([greedy])).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
      await alive(engine);
      expect(await engine.run([{ ...answers(engine, [1])[0]!, scratch: 2 ** 18 }])).toEqual([[1]]);
    });

    test("no memory for a thread is OUT_OF_MEMORY, and leaves no thread behind", async () => {
      await expect(Engine.create({ threads: 2, maxMemory: 1024 })).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
      for (const worker of workers) expect(worker.threadId).toBe(-1);
    });

    test("a thread that dies rejects everything with WORKER_FAILED, then and later", async () => {
      const engine = await open({ threads: 2 });
      await alive(engine);
      // more than can be done before the thread is gone, on the slowest machine
      const runs = [engine.run(slow(engine, 2000, 10)), engine.run(slow(engine, 2000, 10))];
      const settled = Promise.allSettled(runs);
      await workers[0]!.terminate();
      for (const result of await settled) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "WORKER_FAILED" } });
      }
      await expect(engine.run(slow(engine, 1))).rejects.toMatchObject({ code: "WORKER_FAILED" });
    });

    test.each([0, -1, Number.NaN, "1e9" as unknown as number, null as never])("MEMORY_INVALID for %s", async (bad) => {
      await expect(Engine.create({ threads: 1, maxMemory: bad })).rejects.toMatchObject({
        code: "MEMORY_INVALID",
        where: "maxMemory",
        got: String(bad),
      });
    });

    test.each([0, -1, 1.5, 257, Number.NaN, "2" as unknown as number])("THREADS_INVALID for %s", async (bad) => {
      await expect(Engine.create({ threads: bad })).rejects.toMatchObject({
        code: "THREADS_INVALID",
        where: "threads",
      });
    });

    test("ARITHMETIC_UNSUPPORTED for an unknown one", async () => {
      const arithmetic = "float" as unknown as "fma";
      await expect(Engine.create({ arithmetic })).rejects.toMatchObject({
        code: "ARITHMETIC_UNSUPPORTED",
        where: "arithmetic",
        got: "float",
      });
    });

    test("thread counts", () => {
      expect(resolveThreads(7)).toBe(7);
      expect(resolveThreads("auto")).toBe(resolveThreads(undefined));
      expect(resolveThreads("auto")).toBeGreaterThanOrEqual(1);
    });
  });

  describe("abort", () => {
    test("rejects with the reason, drops what has not begun, and later runs work", async () => {
      const engine = await open({ threads: 2 });
      const controller = new AbortController();
      const reason = new Error("enough");
      let tasks = 0;
      const run = engine.run(slow(engine, 1000), {
        signal: controller.signal,
        onTask: () => {
          if (++tasks === 5) controller.abort(reason);
        },
      });
      await expect(run).rejects.toBe(reason);
      expect(tasks).toBeGreaterThanOrEqual(5);
      expect(tasks).toBeLessThan(20);
      await alive(engine);
    });

    test("before anything began", async () => {
      const engine = await open({ threads: 1 });
      const reason = { any: "value" };
      await expect(engine.run(slow(engine, 3), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const controller = new AbortController();
      const run = engine.run(slow(engine, 3), { signal: controller.signal });
      controller.abort();
      await expect(run).rejects.toMatchObject({ name: "AbortError" });
      await alive(engine);
    });

    test("leaves other batches alone, and after the end does nothing", async () => {
      const engine = await open({ threads: 1 });
      const controller = new AbortController();
      const [aborted, kept] = [
        engine.run(slow(engine, 100), { signal: controller.signal }),
        engine.run(answers(engine, [0, 1])),
      ];
      controller.abort(0);
      await expect(aborted).rejects.toBe(0);
      expect(await kept).toEqual([[0], [1]]);
      const late = new AbortController();
      const done = await engine.run(answers(engine, [1]), { signal: late.signal });
      late.abort();
      expect(done).toEqual([[1]]);
    });

    test("waits for the task that has begun", async () => {
      const engine = await open({ threads: 1 });
      // its thread is there
      await alive(engine);
      const controller = new AbortController();
      let done = 0;
      const run = engine.run(slow(engine, 2, 100), { signal: controller.signal, onTask: () => done++ });
      setTimeout(() => controller.abort(), 1);
      await expect(run).rejects.toMatchObject({ name: "AbortError" });
      expect(done).toBe(1);
    });
  });

  describe("close", () => {
    test("rejects what runs and what comes later with KEY_CLOSED, and ends the threads", async () => {
      const engine = await open({ threads: 2 });
      await alive(engine);
      const exits = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
      const runs = Promise.allSettled([engine.run(slow(engine, 100)), engine.run(slow(engine, 100), { priority: 3 })]);
      const late = answers(engine, [1]);
      await engine.close();
      for (const result of await runs) {
        expect(result).toMatchObject({ status: "rejected", reason: { name: "ProverError", code: "KEY_CLOSED" } });
      }
      await Promise.all(exits);
      await expect(engine.run(late)).rejects.toMatchObject({ code: "KEY_CLOSED" });
      await engine.close();
      // whoever still holds the engine does not hold the memory
      expect(() => engine.heap).toThrow(expect.objectContaining({ code: "KEY_CLOSED" }));
      expect(() => engine.kernel).toThrow(expect.objectContaining({ code: "KEY_CLOSED" }));
    });

    test("while threads are being started", async () => {
      const engine = await open({ threads: 2 });
      const run = engine.run(slow(engine, 4));
      const rejected = expect(run).rejects.toMatchObject({ code: "KEY_CLOSED" });
      await engine.close();
      await rejected;
      expect(workers).toHaveLength(2);
    });
  });

  describe("as a process of its own", () => {
    const prelude = `
      const { Engine } = await import(${URL_TEXT});
      const call = (engine, value) => {
        const at = engine.heap.alloc(32);
        engine.heap.view(at, 32).fill(value);
        return { calls: [["fr_bytesBelowP", at]] };
      };
      const work = (engine) => {
        const at = engine.heap.alloc(64);
        engine.heap.view(at, 64).fill(0);
        return Array.from({ length: 50 }, () => ({ calls: Array(600).fill(["fq_inv", at, at]) }));
      };
    `;
    const limit = 20_000;

    test("a process that never calls close() exits, and not before its work is done", async () => {
      const code = `${prelude}
        const engine = await Engine.create({ threads: 2 });
        void engine.run([call(engine, 0), call(engine, 255), ...work(engine)]).then((r) => console.log(r.length, r[0][0], r[1][0]));
      `;
      const { code: exit, stdout, stderr } = await built.runModule(code, { limit });
      expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: "52 1 0\n", stderr: "" });
    });

    test("a process with an aborted run exits", async () => {
      const code = `${prelude}
        const engine = await Engine.create({ threads: 2 });
        const run = engine.run(work(engine), { signal: AbortSignal.timeout(60) });
        console.log(await run.then(() => "done", (e) => e.name));
      `;
      const { code: exit, stdout, stderr } = await built.runModule(code, { limit });
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
      expect(["TimeoutError\n", "done\n"]).toContain(stdout);
    });

    test("without SharedArrayBuffer everything runs on the calling thread, with the same answers", async () => {
      const code = `
        delete globalThis.SharedArrayBuffer;
        ${prelude}
        const engine = await Engine.create({ threads: 4, maxMemory: 2 ** 21 });
        const out = { threaded: engine.threaded, threads: engine.threads };
        const fails = (run) => run.then(() => "done", (e) => e.code ?? e.name ?? e);
        out.answers = await engine.run([call(engine, 0), call(engine, 255), call(engine, 1)]);
        out.error = await fails(engine.run([{ calls: [["no_such_export"]] }, ...work(engine)]));
        out.trap = await fails(engine.run([{ calls: [["fq_mul", 0xfffffff0, 0xfffffff0, 0xfffffff0]] }]));
        out.memory = await fails(engine.run([{ ...call(engine, 0), scratch: 2 ** 22 }]));
        out.scratch = await engine.run([{ ...call(engine, 0), scratch: 2 ** 16 }, { ...call(engine, 0), scratch: 2 ** 17 }]);
        const order = [];
        await Promise.all([
          engine.run(work(engine).slice(0, 3), { priority: 1, onTask: () => order.push(1) }),
          engine.run(work(engine).slice(0, 3), { priority: 0, onTask: () => order.push(0) }),
        ]);
        out.order = order.join("");
        const controller = new AbortController();
        let tasks = 0;
        const aborted = engine.run(work(engine), { signal: controller.signal, onTask: () => tasks++ });
        // the host gets its turn between tasks
        setTimeout(() => controller.abort("stop"), 5);
        out.aborted = await fails(aborted);
        out.dropped = tasks < 50;
        out.after = await engine.run([call(engine, 0)]);
        const late = call(engine, 0);
        const pending = fails(engine.run(work(engine)));
        setTimeout(() => engine.close(), 3);
        out.pending = await pending;
        out.closed = await fails(engine.run([late]));
        console.log(JSON.stringify(out));
      `;
      const { code: exit, stdout, stderr } = await built.runModule(code, { limit });
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
      expect(JSON.parse(stdout)).toEqual({
        threaded: false,
        threads: 1,
        answers: [[1], [0], [1]],
        error: "WORKER_FAILED",
        trap: "WORKER_FAILED",
        memory: "OUT_OF_MEMORY",
        scratch: [[1], [1]],
        order: "000111",
        aborted: "stop",
        dropped: true,
        after: [[1]],
        pending: "KEY_CLOSED",
        closed: "KEY_CLOSED",
      });
    });
  });
});
