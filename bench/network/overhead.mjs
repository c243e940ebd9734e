/**
 * What the queue costs: jobs in which nothing is done, from plan to assembly, by the real coordinator and one worker, each a
 * process, on a real Redis.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { must, short } from "../_harness.mjs";
import { progress } from "../_progress.mjs";
import { percent, shown, spread, sum, table } from "./numbers.mjs";
import { now, onStage } from "./stage.mjs";

/** Milliseconds for a chunk: what the queue may take of a lane, commitment and proof together. */
export const BAR = 20;
/** Seconds in which blocks without work end. */
const PATIENCE = 120;

/**
 * One worker of so many lanes.
 *
 * @param {import("./stage.mjs").Stage} stage
 * @param {{ url: string, process: import("./stage.mjs").Process }} redis
 * @param {{ concurrency: number, blocks: number, chunks: number, idle: number }} sizes
 */
async function measure(stage, redis, { concurrency, blocks, chunks, idle }) {
  const name = `c${concurrency}`;
  const open = async (/** @type {string} */ suffix, /** @type {number} */ many) => {
    const prefix = `${name}${suffix}`;
    const host = stage.peer(`host-${prefix}`, "host.mjs");
    const hands = stage.peer(`worker-${prefix}`, "hands.mjs");
    /** @type {any[]} */
    const jobs = [];
    /** @type {Map<string, any>} */
    const ended = new Map();
    let wake = () => {};
    hands.onTold = ({ jobs: more }) => jobs.push(...more);
    host.onTold = (block) => {
      must(block.state === "proved", `a block of empty jobs is ${block.state}: ${JSON.stringify(block.failure)}`);
      ended.set(block.id, block);
      wake();
    };
    await host.ask("open", { url: redis.url, prefix, dir: `${stage.dir}/${prefix}`, chunks: many, concurrency: 1 });
    const means = { commit: 0, prove: 0 };
    await hands.ask("open", { url: redis.url, prefix, first: 0, workers: 1, concurrency, means, bound: 1 });
    let next = 1;
    /** Blocks at once, until all have ended. */
    const run = async (/** @type {number} */ count) => {
      const numbers = Array.from({ length: count }, () => next++);
      const ids = (await Promise.all(numbers.map((number) => host.ask("submit", { number })))).map(({ id }) => id);
      const all = async () => {
        while (!ids.every((id) => ended.has(id))) {
          await new Promise((resolve) => {
            wake = () => resolve(undefined);
          });
        }
      };
      await stage.within(`${count} blocks of ${many} empty chunks`, all(), PATIENCE);
      return ids.map((id) => ended.get(id));
    };
    const close = async () => {
      await hands.ask("close");
      for (const peer of [hands, host]) await stage.stop(peer.process);
    };
    return { host, hands, jobs, run, close };
  };

  // many at once: the lanes are never without work
  const busy = await open("", chunks);
  const { host, hands } = busy;
  await busy.run(1);
  const parts = { worker: hands.process, coordinator: host.process, redis: redis.process };
  const cpuOf = () => Object.fromEntries(Object.entries(parts).map(([key, one]) => [key, one.cpu()]));
  const before = cpuOf();
  const started = now();
  const proved = await busy.run(blocks);
  const wall = Math.max(...proved.map(({ marks }) => marks.ended)) - started;
  const after = cpuOf();
  const handed = await hands.ask("flush");
  const many = blocks * chunks;
  const jobs = busy.jobs.filter(([, , , begun]) => begun >= started);
  must(jobs.length === 2 * many, `${jobs.length} jobs of ${2 * many} were done, each once`);
  must(new Set(jobs.map(([kind, id]) => `${kind} ${id}`)).size === jobs.length, "a job was done twice");
  const cpu = Object.fromEntries(Object.keys(parts).map((key) => [key, (after[key] - before[key]) / many]));
  await busy.close();

  // one chunk at a time: the worker waits for it
  progress(`queue, concurrency ${concurrency}: ${idle} blocks of one chunk, one after the other`);
  const alone = await open("-idle", 1);
  await alone.run(3);
  alone.jobs.length = 0;
  /** @type {any[]} */
  const blocksAlone = [];
  for (let i = 0; i < idle; i++) {
    // at any moment of whatever goes round in there
    await sleep(20 + ((i * 37) % 100));
    blocksAlone.push(...(await alone.run(1)));
  }
  await alone.hands.ask("flush");
  const jobOf = new Map(alone.jobs.map((job) => [`${job[0]} ${job[1].split("-")[0]}`, job]));
  /** @type {Record<string, number[]>} */
  const waits = { plan: [], commit: [], challenge: [], prove: [], assemble: [], block: [] };
  for (const { id, marks } of blocksAlone) {
    const [commit, prove] = ["commit", "prove"].map((kind) => jobOf.get(`${kind} ${id}`));
    must(commit && prove, "a chunk without its jobs");
    waits.plan.push(marks["plan begun"] - marks.submitted);
    waits.commit.push(commit[3] - marks["commit ready"]);
    waits.challenge.push(marks["challenge begun"] - commit[4]);
    waits.prove.push(prove[3] - marks["prove ready"]);
    waits.assemble.push(marks["assemble begun"] - prove[4]);
    waits.block.push(marks.ended - marks.submitted);
  }
  await alone.close();

  const perChunk = wall / many;
  return {
    name: "queue",
    params: { concurrency, blocks, chunks },
    perChunk,
    laneMs: perChunk * concurrency,
    jobsPerSecond: (2000 * many) / wall,
    cpuPerChunk: cpu,
    handedBack: sum(Object.entries(handed).flatMap(([what, n]) => (what.includes("refused") ? [n] : []))),
    gap: spread(concurrency === 1 ? gapsOf(jobs) : []),
    waits: Object.fromEntries(Object.entries(waits).map(([key, values]) => [key, spread(values)])),
    ready: spread([...waits.commit, ...waits.prove]),
    passes: perChunk < BAR,
  };
}

/** From the end of a job to the beginning of the next one, of one lane that has work. */
function gapsOf(/** @type {any[]} */ jobs) {
  const ordered = jobs.toSorted((a, b) => a[3] - b[3]);
  return ordered.slice(1).map(([, , , begun], i) => begun - ordered[i][4]);
}

/** @param {import("./run.mjs").Options} options */
export async function overhead({ quick, report }) {
  const sizes = quick ? { blocks: 1, chunks: 20, idle: 6 } : { blocks: 5, chunks: 100, idle: 60 };
  await onStage(async (stage) => {
    const redis = await stage.redis("redis");
    for (const concurrency of [1, 4]) {
      progress(`queue, concurrency ${concurrency}: ${sizes.blocks} blocks of ${sizes.chunks} chunks at once`);
      const row = await measure(stage, redis, { concurrency, ...sizes });
      const { perChunk, ready, gap, passes } = row;
      const between = gap.samples === 0 ? "" : `; from job to job p50 ${shown(gap.p50)} ms, p95 ${shown(gap.p95)}`;
      progress(
        `queue, concurrency ${concurrency}: ${short(perChunk)} ms for a chunk (bar ${BAR}: ${passes ? "passed" : "FAILED"}); ` +
          `ready to delivered p50 ${shown(ready.p50)} ms, p95 ${shown(ready.p95)} ms${between}`,
      );
      report(row);
    }
  });
}

/** Tables of it. */
export function overheadTables(/** @type {any[]} */ rows) {
  const all = table(
    ["lanes", "chunks", "ms a chunk", "ms of a lane", "jobs/s", "worker", "coordinator", "Redis", "handed back", "bar"],
    rows.map((row) => [
      String(row.params.concurrency),
      String(row.params.blocks * row.params.chunks),
      ...[row.perChunk, row.laneMs, row.jobsPerSecond].map(shown),
      ...["worker", "coordinator", "redis"].map((key) => `${shown(row.cpuPerChunk[key])} ms`),
      String(row.handedBack),
      `${row.passes ? "passed" : "FAILED"} (${percent(row.perChunk / BAR)} of ${BAR} ms)`,
    ]),
  );
  const stages = ["plan", "commit", "challenge", "prove", "assemble", "block"];
  const waits = table(
    [
      "lanes",
      "samples",
      "commit + prove",
      ...stages.map((stage) => (stage === "block" ? "whole block" : stage)),
      "job to job",
    ],
    rows.map(({ params, waits, ready, gap }) => {
      const cell = (/** @type {any} */ { p50, p95 }) => (p50 === undefined ? "" : `${shown(p50)} / ${shown(p95)}`);
      const cells = [ready, ...stages.map((stage) => waits[stage]), gap].map(cell);
      return [String(params.concurrency), String(waits.block.samples), ...cells];
    }),
  );
  return [
    "Empty jobs, blocks all at once: wall-clock time for each chunk, that times the lanes, and processor time for each chunk by",
    "process. A chunk is two jobs, and its part of three more. With several lanes, jobs without work wait for each other's",
    "processor time.",
    "",
    all,
    "",
    "From being ready to being delivered, p50 / p95 in ms: to a worker that waits, one block of one chunk after the other.",
    "Ready: when it begins to be added, or when the last one that it waited for has ended. Whole block: from submitting it to",
    "the coordinator's saying that it is proved, nothing being computed. Job to job: in the busy lane above, from the end of",
    "one to the beginning of the next.",
    "",
    waits,
  ].join("\n");
}
