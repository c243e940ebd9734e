/**
 * Whole blocks: by the network, against the same cores in one process. Everything is warm, and takes turns.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeKeys } from "chunkproof/keys";
import { applyDiff, decodeSnapshot, verifyOnSnapshot } from "chunkproof/replica";
import { CoordinatorClient } from "../../dist/network/client.js";
import { tokenChain } from "../../scripts/contracts/chain.mjs";
import { compare, must } from "../_harness.mjs";
import { ROOT } from "../_machine.mjs";
import { progress } from "../_progress.mjs";
import { percent, shown, spread, sum, table } from "./numbers.mjs";
import { freePort, machineCpu, now, onStage } from "./stage.mjs";

/** Share of the throughput of one process that the network has to reach. */
export const BAR = 0.9;
const TOKEN = "token-of-the-bench-0123456789";
/** The cache of the tests: keys take a minute or two. */
const CACHE = join(ROOT, ".cache");
/** Blocks at most until all lanes have loaded their keys. */
const WARM_UP = 6;
/** Seconds that a batch may take. */
const PATIENCE = 180;
const KINDS = ["plan", "commit", "challenge", "prove", "assemble"];
const POOL = "one process";

/**
 * Blocks of a chain and what a replica has before each, found out as proofs come in.
 *
 * @param {number} blocks @param {number} transfers
 */
async function chainOf(blocks, transfers) {
  const { snapshot, traces, stateRoots, hashes } = await tokenChain(blocks, transfers);
  const before = [decodeSnapshot(snapshot)];
  return {
    traces,
    /** Accepts the proof of block i as a replica does, or ends the benchmark. */
    async verify(/** @type {number} */ i, /** @type {Uint8Array} */ proof, /** @type {any} */ keys) {
      must(before[i], `nobody has proved block ${i - 1}`);
      const verdict = await verifyOnSnapshot(proof, before[i], keys);
      must(verdict.valid, `a replica refuses the proof of block ${i}: ${JSON.stringify(verdict.faults)}`);
      if (!verdict.valid || before[i + 1] !== undefined) return;
      const after = applyDiff(before[i], verdict.stateDiff, verdict.header);
      must(after.stateRoot === stateRoots[i] && after.blockHash === hashes[i], `block ${i} ends in another state`);
      before[i + 1] = after;
    },
  };
}

/** What Prometheus would read, by name and labels. @returns {Promise<Map<string, number>>} */
async function scrape(/** @type {string} */ origin) {
  const text = await (await fetch(`${origin}/metrics`)).text();
  return new Map([...text.matchAll(/^(chunkproof_\S+?(?:\{.*?\})?) (\S+)$/gm)].map(([, name, n]) => [name, Number(n)]));
}

/** Jobs that have ended well, by kind: how many, and their time (ms). Others by outcome. */
function jobsOf(/** @type {Map<string, number>} */ from, /** @type {Map<string, number>} */ to) {
  const total = (/** @type {RegExp} */ name) =>
    sum([...to].flatMap(([key, value]) => (name.test(key) ? [value - (from.get(key) ?? 0)] : [])));
  const kinds = KINDS.map((kind) => [
    kind,
    {
      jobs: total(new RegExp(`^chunkproof_job_duration_seconds_count\\{.*kind="${kind}"`)),
      ms: 1000 * total(new RegExp(`^chunkproof_job_duration_seconds_sum\\{.*kind="${kind}"`)),
    },
  ]);
  const outcomes = ["retried", "failed", "lost", "handed_back"].map((outcome) => [
    outcome,
    total(new RegExp(`^chunkproof_jobs_total\\{.*outcome="${outcome}"`)),
  ]);
  return { ...Object.fromEntries(kinds), ...Object.fromEntries(outcomes) };
}

const keysLoaded = (/** @type {Map<string, number>} */ metrics) => metrics.get("chunkproof_keys_loaded_bytes") ?? 0;

/** From the end of a job to the beginning of the next one, in the log of a worker of one lane (ms). */
function gapsOf(/** @type {string} */ log, /** @type {number} */ from, /** @type {number} */ to) {
  const jobs = readFileSync(log, "utf8")
    .split("\n")
    .flatMap((line) => {
      if (!line.includes('"a job ended"')) return [];
      const { time, ms } = JSON.parse(line);
      const ended = Date.parse(time);
      return ended >= from && ended <= to ? [{ begun: ended - ms, ended }] : [];
    })
    .toSorted((a, b) => a.begun - b.begun);
  return jobs.slice(1).map(({ begun }, i) => Math.max(0, begun - jobs[i].ended));
}

/**
 * Someone who proves blocks.
 *
 * @typedef {object} Prover
 * @property {string} name
 * @property {number} share of the blocks of a batch that it is given
 * @property {Record<string, import("./stage.mjs").Process[]>} processes by what they are
 * @property {number} lanes
 * @property {(traces: Uint8Array[]) => Promise<{ bytes: Uint8Array, chunks: number, work?: any, times?: any }[]>} prove
 * @property {() => Promise<Map<string, number>[]>} metrics of each process that does jobs, workers first
 * @property {import("./stage.mjs").Process[]} single workers of one lane
 */

/** One process, block after block. @returns {Promise<Prover>} */
async function openPool(
  /** @type {import("./stage.mjs").Stage} */ stage,
  /** @type {string} */ keys,
  /** @type {number} */ threads,
) {
  const peer = stage.peer("pool", "prover.mjs");
  await peer.ask("open", { keys, threads });
  return {
    ...{ name: POOL, share: 1, processes: { prover: [peer.process] }, lanes: threads, single: [] },
    prove: (traces) => peer.ask("prove", { traces }),
    metrics: async () => [],
  };
}

/**
 * A coordinator and its workers.
 *
 * @param {import("./stage.mjs").Stage} stage
 * @param {{ id: string, name: string, keys: string, redis?: { url: string, process: import("./stage.mjs").Process },
 *   concurrency: number, threads: number, workers: { concurrency: number, threads: number }[], share?: number }} options
 *   `concurrency`, `threads`: of the coordinator
 * @returns {Promise<Prover>}
 */
async function openNetwork(stage, { id, name, keys, redis, concurrency, threads, workers, share = 1 }) {
  const env = { CHUNKPROOF_TOKEN: TOKEN, CHUNKPROOF_CACHE: CACHE };
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const queue = redis === undefined ? [] : ["--redis", redis.url, "--redis-prefix", id];
  const coordinator = stage.chunkproof(
    `${id}-coordinator`,
    [
      ...["coordinator", "--data", join(stage.dir, id), "--listen", `127.0.0.1:${port}`, "--keys", keys, ...queue],
      ...["--concurrency", `${concurrency}`, "--threads", `${threads}`],
    ],
    env,
  );
  const isReady = (/** @type {string} */ at) => async () => (await fetch(`${at}/ready`)).ok;
  await stage.until(`coordinator ${id}`, isReady(origin));
  const hired = await Promise.all(
    workers.map(async (one, i) => {
      const listen = `127.0.0.1:${await freePort()}`;
      const started = stage.chunkproof(
        `${id}-worker-${i + 1}`,
        [
          ...["worker", "--name", `${id}-${i + 1}`, ...queue, "--store", origin, "--keys", keys, "--listen", listen],
          ...["--concurrency", `${one.concurrency}`, "--threads", `${one.threads}`, "--log-level", "debug"],
        ],
        env,
      );
      await stage.until(`worker ${i + 1} of ${id}`, isReady(`http://${listen}`));
      return { process: started, origin: `http://${listen}`, lanes: one.concurrency };
    }),
  );
  const client = new CoordinatorClient(origin, { token: TOKEN });
  const never = new AbortController().signal;
  /** Submits a block, waits for it, fetches the proof. */
  const proveOne = async (/** @type {Uint8Array} */ trace) => {
    let status = await client.submit(trace, never);
    for await (const followed of client.follow(status.id, never)) {
      if (followed.type === "lost") throw followed.error;
      if (followed.type === "status") status = followed.status;
    }
    if (status.state !== "proved")
      throw new Error(`${id}: block ${status.number} is ${status.state}: ${status.failure?.message}`);
    return { bytes: await client.proof(status, never), chunks: status.chunks, work: status.work };
  };
  return {
    ...{ name, share, lanes: workers.length === 0 ? concurrency : sum(workers.map((one) => one.concurrency)) },
    processes: {
      coordinator: [coordinator],
      workers: hired.map((one) => one.process),
      redis: redis === undefined ? [] : [redis.process],
    },
    single: hired.filter(({ lanes }) => lanes === 1).map((one) => one.process),
    prove: (traces) => Promise.all(traces.map(proveOne)),
    metrics: () => Promise.all([...hired.map((one) => scrape(one.origin)), scrape(origin)]),
  };
}

/** Processor time by part, of who submits, and of the whole machine (ms). */
function cpuOf(/** @type {Prover} */ { processes }) {
  const { user, system } = process.cpuUsage();
  const parts = Object.entries(processes).map(([part, all]) => [part, sum(all.map((one) => one.cpu()))]);
  return { ...Object.fromEntries(parts), client: (user + system) / 1000, machine: machineCpu() };
}

/** What a batch took. */
async function timed(/** @type {Prover} */ prover, /** @type {Uint8Array[]} */ traces) {
  const before = await prover.metrics();
  const cpu = cpuOf(prover);
  const started = now();
  const proofs = await prover.prove(traces);
  const ended = now();
  const used = Object.fromEntries(
    Object.entries(cpuOf(prover)).map(([key, value]) => [key, value - /** @type {any} */ (cpu)[key]]),
  );
  return { proofs, started, ended, ms: ended - started, cpu: used, before };
}

/** The same, with what the metrics say afterwards. */
async function told(/** @type {Prover} */ prover, /** @type {Awaited<ReturnType<typeof timed>>} */ batch) {
  const after = await prover.metrics();
  const jobs = after.map((one, i) => jobsOf(batch.before[i], one));
  const kinds = Object.fromEntries(
    KINDS.map((kind) => [
      kind,
      { jobs: sum(jobs.map((one) => one[kind].jobs)), ms: sum(jobs.map((one) => one[kind].ms)) },
    ]),
  );
  const again = sum(jobs.flatMap((one) => ["retried", "failed", "lost", "handed_back"].map((outcome) => one[outcome])));
  const [from, to] = [batch.before, after].map((all) => sum(all.map(keysLoaded)));
  const gaps = prover.single.flatMap(({ log }) => gapsOf(log, batch.started, batch.ended));
  const repeated = sum(batch.proofs.map(({ work }) => (work === undefined ? 0 : work.repeated + work.refused)));
  const times = batch.proofs.flatMap((proof) => proof.times ?? []);
  return { kinds, again, repeated, cold: to > from, gaps, times };
}

/** @param {import("./run.mjs").Options} options */
export async function throughput({ quick, threads, runs, report }) {
  const sizes = quick ? { batch: 2, transfers: 4, alone: 1 } : { batch: 6, transfers: 10, alone: 3 };
  const rounds = runs ?? (quick ? { min: 1, max: 1 } : { min: 2, max: 3 });
  const [batches, alone] = [rounds.max, sizes.alone];
  const keys = await makeKeys({ cache: CACHE, onProgress: ({ stage }) => progress(`keys: ${stage}`) });
  const keySet = keys.parsed();
  const chain = await chainOf(WARM_UP + batches * sizes.batch + alone, sizes.transfers);
  const half = Math.max(1, Math.floor(threads / 2));
  await onStage(async (stage) => {
    const redis = await stage.redis("redis");
    const common = { keys: keys.path, concurrency: 1, threads: 1 };
    const one = { concurrency: 1, threads: half };
    progress("starting one process, four coordinators and four workers");
    const two = Math.max(2, threads);
    /** @type {Prover[]} */
    const provers = await Promise.all([
      // its lane has loaded all keys for certain, which tells how much that is
      openNetwork(stage, {
        ...{ ...common, id: "e", name: `network, 1 worker of ${half}`, redis, share: 0.5 },
        workers: [one],
      }),
      openPool(stage, keys.path, threads),
      openNetwork(stage, {
        ...{ ...common, id: "b", name: `network, 1 worker, 2 jobs on ${two}`, redis },
        workers: [{ concurrency: 2, threads: two }],
      }),
      openNetwork(stage, {
        ...{ ...common, id: "c", name: `network, 2 workers of ${half}`, redis },
        workers: [one, one],
      }),
      openNetwork(stage, {
        ...{ ...common, id: "d", name: "coordinator alone, 2 jobs", concurrency: 2, threads: two },
        workers: [],
      }),
    ]);

    // ---- keys are loaded, code is compiled
    let perLane = 0;
    for (const prover of provers) {
      const loaded = async () => sum((await prover.metrics()).map(keysLoaded));
      const isPool = prover.name === POOL;
      const lanes = prover.lanes;
      let done = 0;
      for (let count = lanes > 1 && !isPool ? 3 : 2; done + count <= WARM_UP; count = 1) {
        const proofs = await stage.within(
          `warming up ${prover.name}`,
          prover.prove(chain.traces.slice(done, done + count)),
          PATIENCE,
        );
        for (const { bytes } of proofs) await chain.verify(done++, bytes, keySet);
        if (isPool || (await loaded()) >= perLane * lanes) break;
      }
      if (perLane === 0) perLane = await loaded();
      // the pool has proved everything that it was given: the chain goes on from what it says
      if (isPool) {
        const rest = await prover.prove(chain.traces.slice(done, WARM_UP));
        for (const { bytes } of rest) await chain.verify(done++, bytes, keySet);
      }
      progress(`warm: ${prover.name}`);
    }
    // the usual order
    const [e, ...others] = provers;
    const inOrder = [...others, e];

    // ---- what they do without work
    const idleFrom = provers.map(cpuOf);
    const idleAt = now();
    await stage.race(sleep(quick ? 1000 : 5000));
    const idle = Object.fromEntries(
      provers.map((prover, i) => {
        const to = cpuOf(prover);
        const shares = Object.keys(prover.processes).map((part) => [
          part,
          (to[part] - idleFrom[i][part]) / (now() - idleAt),
        ]);
        return [prover.name, Object.fromEntries(shares)];
      }),
    );

    /** Rounds of batches of so many blocks. */
    const contest = async (
      /** @type {string} */ name,
      /** @type {Prover[]} */ contenders,
      /** @type {number} */ first,
      /** @type {number} */ batch,
      /** @type {import("../_harness.mjs").Budget} */ budget,
    ) => {
      /** @type {Record<string, any[]>} */
      const details = Object.fromEntries(contenders.map((prover) => [prover.name, []]));
      const row = await compare(
        name,
        { blocks: batch, transfers: sizes.transfers, threads },
        contenders.map((prover) => {
          let at = first;
          // all blocks of its batches are alike
          let chunks = 0;
          const count = Math.max(1, Math.round(batch * prover.share));
          return {
            name: prover.name,
            prepare: () => chain.traces.slice(at, at + count),
            run: (/** @type {Uint8Array[]} */ traces) =>
              stage.within(`${name}: ${prover.name}`, timed(prover, traces), PATIENCE),
            async check(/** @type {Awaited<ReturnType<typeof timed>>} */ result) {
              chunks = sum(result.proofs.map((proof) => proof.chunks));
              for (const [i, { bytes }] of result.proofs.entries()) await chain.verify(at + i, bytes, keySet);
              details[prover.name].push({ ...(await told(prover, result)), ms: result.ms, cpu: result.cpu, chunks });
              at += batch;
            },
            extras: (/** @type {any} */ { ms, cpu: { machine, ...own } }) => {
              const cpu = sum(Object.values(own));
              return { cpu, chunksPerSecond: (1000 * chunks) / ms, others: (machine - cpu) / ms, ...own };
            },
          };
        }),
        budget,
        { warmUp: false },
      );
      return { row, details };
    };

    const budget = { seconds: quick ? 0 : 100, ...rounds };
    const all = await contest("blocks", inOrder, WARM_UP, sizes.batch, budget);
    // what is submitted alone comes after everything that may have been used up
    const start = WARM_UP + all.row.times[POOL].samples.length * sizes.batch;
    const single = await contest("one block", others, start, 1, { seconds: 0, min: alone, max: alone });
    const memory = Object.fromEntries(
      provers.map((prover) => [
        prover.name,
        Object.fromEntries(Object.entries(prover.processes).map(([part, of]) => [part, of.map((one) => one.maxRss())])),
      ]),
    );
    for (const { row, details } of [all, single]) {
      const names = Object.keys(row.times);
      const summary = Object.fromEntries(names.map((name) => [name, summaryOf(details, name, threads)]));
      report({ ...row, network: { bar: BAR, summary, idle, memory, details } });
      if (row !== all.row) continue;
      for (const [name, { chunksPerSecond, ratio }] of Object.entries(summary)) {
        progress(`${name}: ${shown(chunksPerSecond)} chunks/s, ${percent(ratio)} of ${POOL}`);
      }
    }
  });
}

/** What a contender's rounds come to. */
function summaryOf(
  /** @type {Record<string, any[]>} */ details,
  /** @type {string} */ name,
  /** @type {number} */ threads,
) {
  const parts = ["prover", "workers", "coordinator", "redis", "client"];
  const totals = (/** @type {string} */ who) => {
    const [chunks, ms] = [sum(details[who].map((one) => one.chunks)), sum(details[who].map((one) => one.ms))];
    const cpu = Object.fromEntries(parts.map((part) => [part, sum(details[who].map((one) => one.cpu[part] ?? 0))]));
    const all = sum(Object.values(cpu));
    const others = (sum(details[who].map((one) => one.cpu.machine)) - all) / ms;
    return { chunks, rate: chunks / ms, cpu, all: all / chunks, use: all / ms / threads, others };
  };
  const [mine, pool] = [totals(name), totals(POOL)];
  const own = details[name];
  const kinds = Object.fromEntries(
    KINDS.map((kind) => [
      kind,
      { jobs: sum(own.map((one) => one.kinds[kind].jobs)), ms: sum(own.map((one) => one.kinds[kind].ms)) },
    ]),
  );
  const times = own.flatMap((one) => one.times);
  return {
    chunksPerSecond: 1000 * mine.rate,
    ratio: mine.rate / pool.rate,
    /** The ratio is the product of these two. */
    ratioOfCpu: pool.all / mine.all,
    ratioOfUse: mine.use / pool.use,
    cpuPerChunk: Object.fromEntries(parts.map((part) => [part, mine.cpu[part] / mine.chunks])),
    utilisation: mine.use,
    /** Share of a core that everything else on the machine used. */
    others: mine.others,
    kinds,
    /** Stages of a block in one process, means by the clock. */
    stages: Object.fromEntries(
      Object.keys(times[0] ?? {}).map((stage) => [stage, sum(times.map((one) => one[stage])) / times.length]),
    ),
    gap: spread(own.flatMap((one) => one.gaps)),
    again: sum(own.map((one) => one.again)),
    repeated: sum(own.map((one) => one.repeated)),
    cold: own.filter((one) => one.cold).length,
  };
}

/** Tables of it. */
export function throughputTables(/** @type {any[]} */ rows) {
  const sections = rows.map((row) => {
    const { summary, idle, memory, bar } = row.network;
    const { blocks, transfers, threads } = row.params;
    const names = Object.keys(row.times);
    const isBatch = row.name === "blocks";
    const speeds = table(
      isBatch
        ? ["contender", "rounds", "s a batch", "chunks/s", `÷ ${POOL}`, "bar", "cores used", "others"]
        : ["contender", "rounds", "median ms", "min", "max", `times ${POOL}`, "cores used", "others"],
      names.map((name) => {
        const { median, min, max, samples } = row.times[name];
        const { chunksPerSecond, ratio, utilisation, others } = summary[name];
        const use = [`${shown(utilisation * threads)} of ${threads}`, percent(others)];
        const single = name.includes("1 worker of");
        if (!isBatch) {
          return [
            ...[name, String(samples.length), ...[median, min, max].map(shown)],
            ...[shown(median / row.times[POOL].median), ...use],
          ];
        }
        const verdict = name === POOL || single ? "" : ratio >= bar ? "passed" : "FAILED";
        return [
          name,
          String(samples.length),
          shown(median / 1000),
          shown(chunksPerSecond),
          percent(ratio),
          verdict,
          ...use,
        ];
      }),
    );
    const parts = ["prover", "workers", "coordinator", "redis", "client"];
    const jobs = (/** @type {string} */ name) =>
      KINDS.map((kind) => {
        const { jobs: count, ms } = summary[name].kinds[kind];
        return count === 0 ? "" : shown(ms / count);
      });
    const why = table(
      [
        "processor ms a chunk",
        "all",
        ...parts,
        "× CPU",
        "× use",
        ...KINDS.map((kind) => `${kind} ms`),
        "job to job ms",
        "repeated",
      ],
      names.map((name) => {
        const { cpuPerChunk, ratioOfCpu, ratioOfUse, gap, again, repeated, cold } = summary[name];
        return [
          cold > 0 ? `${name} (keys were loaded in ${cold} rounds)` : name,
          shown(sum(parts.map((part) => cpuPerChunk[part]))),
          ...parts.map((part) => (cpuPerChunk[part] === 0 ? "" : shown(cpuPerChunk[part]))),
          ...[ratioOfCpu, ratioOfUse].map((ratio) => ratio.toFixed(3)),
          ...jobs(name),
          gap.samples === 0 ? "" : `${shown(gap.p50)} / ${shown(gap.p95)}`,
          name === POOL ? "" : String(again + repeated),
        ];
      }),
    );
    if (!isBatch) {
      const title = `One block of ${transfers} transfers, from submitting it to its proof:`;
      return [title, "", ...disturbed(summary), speeds, "", why].join("\n");
    }
    const chunks = row.network.details[POOL][0].chunks;
    const two = names.find((name) => name.includes("2 workers"));
    const one = names.find((name) => name.includes("1 worker of"));
    const scaling =
      one === undefined || two === undefined
        ? ""
        : `From one worker to two: ${shown(summary[two].chunksPerSecond / summary[one].chunksPerSecond)} times the chunks per second.`;
    const resting = table(
      ["without work", "share of a core", "peak RSS, MB"],
      Object.keys(memory).flatMap((name) =>
        Object.entries(memory[name])
          .filter(([, all]) => /** @type {any} */ (all).length > 0)
          .map(([part, all]) => [
            `${name}: ${part}`,
            percent(idle[name][part]),
            /** @type {number[]} */ (all).map((mb) => mb.toFixed(0)).join(", "),
          ]),
      ),
    );
    return [
      `${blocks} blocks of ${transfers} transfers, ${chunks} chunks, from the first one's submission to the last proof; all at once`,
      "for a network, one after the other in one process; half of them for one worker alone. Bar:",
      `${percent(bar)} of ${POOL}.`,
      "",
      ...disturbed(summary),
      speeds,
      "",
      explanation(names, summary),
      scaling,
      "",
      why,
      "",
      "`× CPU` · `× use` is the ratio to one process: how much less processor time a chunk takes there, and how much better the cores",
      "are used. Times of jobs are means by the clock, p50 / p95 from a job's end to the next one's beginning in workers of one lane.",
      "",
      resting,
    ].join("\n");
  });
  return sections.join("\n\n");
}

/** A warning, where other programs used the cores too. */
function disturbed(/** @type {Record<string, any>} */ summary) {
  const most = Math.max(...Object.values(summary).map(({ others }) => others));
  if (most < 0.1) return [];
  return [
    `**Other programs used up to ${percent(most)} of a core meanwhile: times say little, processor time says more.**`,
    "",
  ];
}

/** In words, where the difference comes from. */
function explanation(/** @type {string[]} */ names, /** @type {Record<string, any>} */ summary) {
  const pool = summary[POOL];
  const cpuOfPool = sum(Object.values(pool.cpuPerChunk));
  const signed = (/** @type {number} */ ms) => `${ms < 0 ? "−" : "+"}${shown(Math.abs(ms))}`;
  const lines = names.flatMap((name) => {
    if (name === POOL) return [];
    const { cpuPerChunk: cpu, ratio, ratioOfCpu, ratioOfUse, utilisation } = summary[name];
    const { workers, coordinator, redis, client } = cpu;
    const parts =
      workers > 0
        ? [`workers ${shown(workers)}`, `coordinator ${shown(coordinator)}`, `Redis ${shown(redis)}`]
        : [`coordinator ${shown(coordinator)}`];
    const all = sum(Object.values(cpu));
    return [
      `- ${name}: ${percent(ratio)} = ${ratioOfCpu.toFixed(3)} × ${ratioOfUse.toFixed(3)}. A chunk takes ${signed(all - cpuOfPool)} ms of`,
      `  processor time: ${[...parts, `client ${shown(client)}`].join(", ")} instead of ${shown(cpuOfPool)}. The cores are busy`,
      `  ${percent(utilisation)} instead of ${percent(pool.utilisation)}.`,
    ];
  });
  const { trace, rows, commit, prove } = pool.stages;
  return [
    ...lines,
    "",
    `In one process a block's trace takes ${shown(trace)} ms by the clock, its rows ${shown(rows)}, commitments ${shown(commit)}, proofs ${shown(prove)}, one`,
    "after the other; the first two keep one core busy.",
  ].join("\n");
}
