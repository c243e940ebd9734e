/** The block prover's manners: aborts, lost threads, damaged keys, several blocks. What its proofs are worth: proofs.test.ts. */

import { cp, readFile, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { BlockProgress } from "../../src/block/prove.js";
import type { KeyFolder } from "../../src/keys/folder.js";
import type { ScenarioRun } from "../../src/trace/index.js";
import { runModule } from "../support/built.js";
import { editSection, flipBit, splitContainer } from "../support/containers.js";
import {
  BlockProver,
  CACHE,
  ChunkproofError,
  counterBlock,
  freshCache,
  loadScenario,
  makeKeys,
  openKeys,
  proveBlock,
  type Replica,
  replicaOf,
  runScenario,
  SMALL,
  stopBlock,
  Threads,
  verifyBlock,
} from "../support/proofs.js";
import { temporaryFolder } from "../support/zoo.js";

let keys: KeyFolder;
let run: ScenarioRun;
let replica: Replica;
let stop: ScenarioRun;
let stopReplica: Replica;
let threads: Threads;
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => rejections.push(reason);

beforeAll(async () => {
  process.on("unhandledRejection", onRejection);
  keys = await makeKeys({ cache: CACHE, layouts: SMALL });
  [run, stop] = await Promise.all([counterBlock(), stopBlock()]);
  [replica, stopReplica] = await Promise.all([replicaOf(run, keys), replicaOf(stop, keys)]);
});

afterAll(() => {
  process.off("unhandledRejection", onRejection);
  expect(rejections, "unhandled rejections").toEqual([]);
});

beforeEach(() => {
  threads = new Threads();
});

afterEach(() => {
  expect(threads.live, "threads left behind").toEqual([]);
  threads.stop();
});

const CHUNKS = 4;
const accepted = async (bytes: Uint8Array, on = replica) => {
  expect((await verifyBlock(bytes, on)).faults).toEqual([]);
};
const codeOf = (error: unknown): string => {
  expect(error, String((error as Error)?.stack)).toBeInstanceOf(ChunkproofError);
  return (error as InstanceType<typeof ChunkproofError>).code;
};

/** The parts of progress that do not depend on how many tasks a proof has. */
function expectOrderly(events: readonly BlockProgress[], names: readonly string[], steps: number) {
  expect(events.slice(0, 3)).toMatchObject([{ stage: "trace" }, { stage: "rows" }, { stage: "planned", steps }]);
  expect(events[2]).toMatchObject({ chunks: names });
  const rest = events.slice(3) as Extract<BlockProgress, { chunk: number }>[];
  const proving = rest.findIndex(({ stage }) => stage === "prove");
  const commits = rest.slice(0, proving);
  // all commitments come before the challenges
  expect(commits.every(({ stage }) => stage === "commit")).toBe(true);
  for (const i of names.keys()) {
    expect(commits.filter(({ chunk }) => chunk === i).map(({ done }) => done)).toEqual([0, 1]);
  }
  expect(rest.slice(proving).every(({ stage }) => stage === "prove")).toBe(true);
  for (const i of names.keys()) {
    const done = rest.slice(proving).flatMap((event) => (event.chunk === i ? [event.done] : []));
    expect([done[0], done.at(-1)], `chunk ${i}`).toEqual([0, 1]);
    expect(done.length).toBeGreaterThan(3);
    expect(done.filter((x) => x === 1).length).toBe(1);
    for (const [j, x] of done.entries()) if (j > 0) expect(x).toBeGreaterThanOrEqual(done[j - 1]!);
  }
}

describe("progress", () => {
  test.each([1, 2])("is ordered and complete on %i threads", async (n) => {
    const events: BlockProgress[] = [];
    const proved = await proveBlock(run.trace, keys, { threads: n, onProgress: (event) => events.push(event) });
    expectOrderly(events, proved.chunks, proved.steps);
    expect(proved.steps).toBe(21);
    expect(proved.chunks.length).toBe(CHUNKS);
    await accepted(proved.bytes);
  });

  test("that throws ends the work", async () => {
    const reason = new Error("seen enough");
    for (const stage of ["planned", "commit", "prove"]) {
      const onProgress = (event: BlockProgress) => {
        if (event.stage === stage) throw reason;
      };
      await expect(proveBlock(run.trace, keys, { threads: 2, onProgress })).rejects.toBe(reason);
    }
  });
});

describe("an abort", () => {
  const stages: [string, (event: BlockProgress) => boolean][] = [
    ["trace", ({ stage }) => stage === "trace"],
    ["rows", ({ stage }) => stage === "rows"],
    ["plan", ({ stage }) => stage === "planned"],
    ["first commitment", ({ stage }) => stage === "commit"],
    ["start of a proof", ({ stage }) => stage === "prove"],
    ["middle of a proof", (event) => event.stage === "prove" && event.done > 0.3],
    ["end of a proof", (event) => event.stage === "prove" && event.done === 1],
  ];
  test("in any stage rejects with the reason, and the prover goes on with the next block", async () => {
    const prover = new BlockProver(keys, { threads: 2 });
    for (const [name, when] of stages) {
      const reason = new Error(name);
      const controller = new AbortController();
      const events: BlockProgress[] = [];
      const onProgress = (event: BlockProgress) => {
        events.push(event);
        if (when(event)) controller.abort(reason);
      };
      await expect(prover.prove(run.trace, { signal: controller.signal, onProgress }), name).rejects.toBe(reason);
      const chunks = new Set(events.flatMap((event) => (event.stage === "prove" ? [event.chunk] : [])));
      expect(chunks.size, name).toBeLessThan(CHUNKS);
    }
    await accepted((await prover.prove(run.trace)).bytes);
    await prover.close();
  });

  test("while keys are loaded, or before anything, or of a block of no chunks", async () => {
    const reason = new Error("no time");
    await expect(proveBlock(run.trace, keys, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const onProgress = ({ stage }: BlockProgress) => {
      if (stage === "planned") setTimeout(() => controller.abort(reason), 5);
    };
    const { signal } = controller;
    await expect(proveBlock(run.trace, keys, { threads: 2, signal, onProgress })).rejects.toBe(reason);
    const empty = await runScenario(loadScenario("empty"));
    const early = new AbortController();
    const atPlan = ({ stage }: BlockProgress) => stage === "planned" && early.abort(reason);
    await expect(proveBlock(empty.trace, keys, { signal: early.signal, onProgress: atPlan })).rejects.toBe(reason);
  });

  test("of a block that waits for its turn leaves the one before alone", async () => {
    const prover = new BlockProver(keys, { threads: 2 });
    const reason = new Error("no time");
    const controller = new AbortController();
    const first = prover.prove(run.trace);
    const second = prover.prove(run.trace, { signal: controller.signal });
    const third = prover.prove(stop.trace);
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    await accepted((await first).bytes);
    await accepted((await third).bytes, stopReplica);
    await prover.close();
  });

  test("leaves a process that can exit, with and without close()", async () => {
    const url = (path: string) => JSON.stringify(new URL(`../../dist/${path}`, import.meta.url).href);
    for (const close of ["await prover.close();", ""]) {
      const { code, stdout, stderr } = await runModule(
        `import { BlockProver } from ${url("block/prove.js")};
         import { openKeys } from ${url("keys/folder.js")};
         import { loadScenario, runScenario } from ${url("trace/index.js")};
         const { trace } = await runScenario(loadScenario(${JSON.stringify(STOP)}));
         const prover = new BlockProver(await openKeys(${JSON.stringify(keys.path)}), { threads: 2 });
         const controller = new AbortController();
         const onProgress = ({ stage, done }) => stage === "prove" && done > 0.3 && controller.abort(new Error("enough"));
         await prover.prove(trace, { signal: controller.signal, onProgress }).catch(({ message }) => console.log(message));
         ${close}
         console.log("end");`,
        { limit: 30_000 },
      );
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "enough\nend\n", stderr: "" });
    }
  });
  const STOP = JSON.stringify({
    accounts: [
      { name: "alice", key: 0, balance: String(10n ** 18n) },
      { name: "nothing", nonce: 1, code: "STOP" },
    ],
    transactions: [{ from: "alice", to: "nothing" }],
  });
});

describe("blocks with one prover", () => {
  test.each([1, 2, 3])("one after the other and at once, on %i threads", async (n) => {
    const prover = new BlockProver(keys, { threads: n });
    await accepted((await prover.prove(run.trace)).bytes);
    await accepted((await prover.prove(stop.trace)).bytes, stopReplica);
    // the chunks of both would be divided among the threads in different ways
    const [four, one, again] = await Promise.all(
      [run, stop, run].map(async ({ trace }) => (await prover.prove(trace)).bytes),
    );
    await accepted(four!);
    await accepted(one!, stopReplica);
    await accepted(again!);
    await prover.close();
    expect(threads.live).toEqual([]);
  });

  test("a block that is refused keeps no other from being proved", async () => {
    const prover = new BlockProver(keys, { threads: 2 });
    const { executions } = stop.trace;
    const wrong = { ...stop.trace, executions: [{ ...executions[0]!, gasUsed: executions[0]!.gasUsed + 1n }] };
    const [refused, proved] = await Promise.allSettled([prover.prove(wrong), prover.prove(stop.trace)]);
    expect(codeOf((refused as PromiseRejectedResult).reason)).toBe("TRACE_STATUS");
    await accepted((proved as PromiseFulfilledResult<{ bytes: Uint8Array }>).value.bytes, stopReplica);
    // no layout has a row for it
    const counter = await runScenario(loadScenario("counter"));
    await expect(prover.prove(counter.trace)).rejects.toMatchObject({ code: "BLOCK_LAYOUTS" });
    await prover.close();
  });

  test("closed under way, the prover says so, then and ever after", async () => {
    for (const stage of ["planned", "commit", "prove"]) {
      const prover = new BlockProver(keys, { threads: 2 });
      let closing: Promise<void> | undefined;
      const onProgress = (event: BlockProgress) => {
        if (event.stage === stage) closing ??= prover.close();
      };
      await expect(prover.prove(run.trace, { onProgress }), stage).rejects.toMatchObject({ code: "KEY_CLOSED" });
      await closing;
      expect(threads.live).toEqual([]);
      await expect(prover.prove(run.trace)).rejects.toMatchObject({ code: "KEY_CLOSED" });
      await prover.close();
    }
  });
});

describe("a thread that dies", () => {
  test.each([1, 2])("fails the block and not the next, on %i threads", async (n) => {
    const prover = new BlockProver(keys, { threads: n });
    for (const stage of ["commit", "prove"]) {
      let killed = false;
      const onProgress = (event: BlockProgress) => {
        if (event.stage !== stage || killed) return;
        killed = true;
        for (const thread of threads.live) void thread.terminate();
      };
      const error = await prover.prove(run.trace, { onProgress }).catch((reason: unknown) => reason);
      expect(codeOf(error)).toBe("WORKER_FAILED");
      await accepted((await prover.prove(run.trace)).bytes);
    }
    await prover.close();
  });
});

describe("damaged keys", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let damaged: KeyFolder;
  beforeAll(async () => {
    folder = await temporaryFolder();
    await cp(keys.path, folder.path("keys"), { recursive: true });
    damaged = await openKeys(folder.path("keys"));
  });
  afterAll(() => folder.remove());

  /** What comes of a block of one chunk if the file of its key is another. */
  async function outcome(kind: "zkey" | "ckey" | "plan", file: Uint8Array): Promise<string> {
    const path = damaged.layouts[0]![kind];
    const original = await readFile(path);
    await writeFile(path, file);
    try {
      const { bytes } = await proveBlock(stop.trace, damaged, { threads: 2 });
      await accepted(bytes, stopReplica);
      return "accepted";
    } catch (error) {
      return codeOf(error);
    } finally {
      await writeFile(path, original);
    }
  }
  const original = (kind: "zkey" | "ckey" | "plan") => readFile(keys.layouts[0]![kind]);

  test("are fine when they are not damaged", async () => {
    for (const kind of ["zkey", "ckey", "plan"] as const) {
      expect(await outcome(kind, await original(kind))).toBe("accepted");
    }
  });

  test("a file cut off, empty, or of another kind", async () => {
    for (const kind of ["zkey", "ckey", "plan"] as const) {
      const file = await original(kind);
      const short = kind === "plan" ? "KEYS_DAMAGED" : "SOURCE_TRUNCATED";
      for (const length of [file.length - 1, file.length >> 1, 0]) {
        expect(await outcome(kind, file.subarray(0, length)), `${kind}: ${length} bytes`).toBe(short);
      }
      const other = await original(kind === "plan" ? "zkey" : "plan");
      expect(await outcome(kind, other), kind).toBe(kind === "plan" ? "KEYS_DAMAGED" : "BINFILE_MAGIC");
    }
  });

  /** What a flipped bit in some places of each section leads to. */
  async function flips(kind: "zkey" | "ckey"): Promise<Record<string, string[]>> {
    const file = await original(kind);
    const seen: Record<string, string[]> = {};
    for (const { id, data } of splitContainer(file).sections) {
      const codes = new Set<string>();
      for (const share of [0.1, 0.9]) {
        const flipped = editSection(file, id, (section) => {
          section[Math.floor(data.length * share)]! ^= 1;
        });
        codes.add(await outcome(kind, flipped));
      }
      seen[id] = [...codes].sort();
    }
    return seen;
  }

  test("a flipped bit in any section of a proving key", async () => {
    expect(await flips("zkey")).toEqual({
      1: ["FOREIGN_PROTOCOL"],
      2: ["FOREIGN_CURVE", "POINT_NOT_ON_CURVE"],
      3: ["CKEY_FOREIGN"],
      4: ["WITNESS_UNSATISFIED"],
      5: ["POINT_INVALID"],
      // B in G1: only the blinding of other provers needs it
      6: ["accepted"],
      7: ["POINT_INVALID"],
      8: ["POINT_INVALID"],
      9: ["POINT_INVALID"],
      // contributions: the past of the key
      10: ["accepted"],
    });
  });

  test("a flipped bit in any section of a commitment key, and anywhere in a plan", async () => {
    expect(await flips("ckey")).toEqual({
      1: ["CKEY_FOREIGN", "FOREIGN_CURVE"],
      2: ["POINT_NOT_ON_CURVE"],
      3: ["POINT_INVALID"],
      4: ["POINT_NOT_ON_CURVE", "accepted"],
    });
    const plan = await original("plan");
    for (const share of [0.1, 0.5, 0.999]) {
      const flipped = flipBit(plan, Math.floor(plan.length * share), 3);
      expect(await outcome("plan", flipped), `at ${share}`).toBe("KEYS_DAMAGED");
    }
  });

  test("two points of the curve that changed places", async () => {
    for (const [kind, id, size] of [
      ["zkey", 5, 64],
      ["zkey", 7, 128],
      ["zkey", 8, 64],
      ["zkey", 9, 64],
      ["ckey", 3, 64],
    ] as const) {
      const swapped = editSection(await original(kind), id, (section) => {
        const first = Buffer.from(section.subarray(0, size));
        section.copyWithin(0, size, 2 * size);
        section.set(first, size);
      });
      expect(await outcome(kind, swapped), `${kind}: section ${id}`).toBe("WITNESS_UNSATISFIED");
    }
  });

  test("a sound key of another set is not used", async () => {
    const own = await makeKeys({ cache: await freshCache(folder.path("own")), layouts: SMALL.slice(0, 1) });
    for (const kind of ["zkey", "ckey"] as const) await cp(own.layouts[0]![kind], damaged.layouts[0]![kind]);
    try {
      await expect(proveBlock(stop.trace, damaged, { threads: 2 })).rejects.toMatchObject({
        code: "WITNESS_UNSATISFIED",
        where: "chunk 0 (ends-8)",
      });
      // who turns the check off has the replica's word for it
      const { bytes } = await proveBlock(stop.trace, damaged, { threads: 2, selfCheck: false });
      expect((await verifyBlock(bytes, stopReplica)).faults).toMatchObject([{ code: "CHUNK_COMMITMENT" }]);
    } finally {
      for (const kind of ["zkey", "ckey"] as const) await cp(keys.layouts[0]![kind], damaged.layouts[0]![kind]);
    }
  });
});
