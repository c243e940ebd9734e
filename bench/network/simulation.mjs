/**
 * A thousand workers: the real queue, worker services and coordinator, with proving replaced by sleeping (`fake.mjs`). Who
 * proves takes no part in it, so that it shows what the queue, Redis and the coordinator do under so many.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { must } from "../_harness.mjs";
import { progress } from "../_progress.mjs";
import { grouped, percent, quantile, shown, spread, sum, table } from "./numbers.mjs";
import { MeasuredQueue } from "./queue.mjs";
import { CannotRunError, machineCpu, now, onStage } from "./stage.mjs";

/**
 * @typedef {object} Sizes
 * @property {number} processes
 * @property {number} workers of each process
 * @property {number} blocks
 * @property {number} chunks of each block
 * @property {number} burst blocks at once in the beginning
 * @property {number} interval milliseconds between the others
 * @property {{ commit: number, prove: number }} means milliseconds of sleep
 * @property {number} bound longest sleep, in means
 * @property {number} limit seconds that it may take
 */

/** @type {Sizes} */
const FULL = {
  ...{ processes: 8, workers: 125, blocks: 100, chunks: 100, burst: 20, interval: 1000 },
  ...{ means: { commit: 2000, prove: 6000 }, bound: 4, limit: 200 },
};
/** @type {Sizes} */
const QUICK = {
  ...{ processes: 2, workers: 20, blocks: 6, chunks: 20, burst: 2, interval: 500 },
  ...{ means: { commit: 200, prove: 600 }, bound: 4, limit: 40 },
};

const PREFIX = "simulation";
/** Milliseconds between looks. */
const LOOK = 1000;
/** Rows of the table over time. */
const SLICES = 14;
/** Connections that a worker has at most, with some to spare. */
const CONNECTIONS = 4;

/** Numbers of Redis' INFO. @returns {Record<string, number>} */
function numbersOf(/** @type {string} */ info) {
  const lines = info.split("\r\n").map((line) => line.split(":"));
  return Object.fromEntries(
    lines.filter(([, value]) => /^-?[\d.]+$/.test(value ?? "")).map(([k, v]) => [k, Number(v)]),
  );
}

/** Commands by name, those first that took longest. */
function commandsOf(/** @type {string} */ info) {
  const found = [...info.matchAll(/^cmdstat_(\S+):calls=(\d+),usec=(\d+)/gm)];
  return found
    .map(([, name, calls, usec]) => ({ name, calls: Number(calls), ms: Number(usec) / 1000 }))
    .toSorted((a, b) => b.ms - a.ms)
    .slice(0, 12);
}

/** @param {import("./run.mjs").Options} options */
export async function simulation({ quick, report }) {
  const sizes = quick ? QUICK : FULL;
  await onStage(async (stage) => {
    const row = await simulate(stage, sizes);
    report(row);
    const { result } = row;
    progress(
      `simulation: ${grouped(row.params.workers)} workers, ${grouped(result.chunks)} chunks in ${shown(result.seconds)} s; ` +
        `lost ${result.lost}, done twice ${result.twice}, Redis at most ${shown(result.redis.peakMB)} MB`,
    );
    must(result.lost === 0, `${result.lost} jobs were lost`);
    must(result.failed.length === 0, `blocks that were not proved: ${JSON.stringify(result.failed)}`);
  });
}

/** @param {import("./stage.mjs").Stage} stage @param {Sizes} sizes @returns {Promise<any>} */
async function simulate(stage, sizes) {
  const { processes, workers: each, blocks, chunks, burst, interval, means, bound, limit } = sizes;
  const workers = processes * each;
  const clients = CONNECTIONS * workers + 100;
  const redis = await stage.redis("redis", ["--maxclients", `${Math.max(10_000, clients)}`]);
  const admin = new Redis(redis.url, { lazyConnect: false });
  const queue = await MeasuredQueue.open(redis.url, { prefix: PREFIX });
  try {
    const [, granted] = /** @type {string[]} */ (await admin.config("GET", "maxclients"));
    if (Number(granted) < clients) {
      throw new CannotRunError(`Redis takes only ${granted} connections, ${clients} are needed: see ulimit -n`);
    }
    const opened = performance.now();
    const host = stage.peer("host", "host.mjs");
    const hands = Array.from({ length: processes }, (_, i) => stage.peer(`workers-${i}`, "hands.mjs"));
    /** @type {any[]} */
    const jobs = [];
    /** @type {any[]} */
    const ended = [];
    host.onTold = (block) => ended.push(block);
    for (const peer of hands) peer.onTold = (told) => jobs.push(...told.jobs);
    const common = { url: redis.url, prefix: PREFIX };
    await stage.within(
      `${workers} workers`,
      Promise.all([
        host.ask("open", { ...common, dir: `${stage.dir}/coordinator`, chunks, concurrency: 2 }),
        ...hands.map((peer, i) =>
          peer.ask("open", { ...common, first: i * each, workers: each, concurrency: 1, means, bound }),
        ),
      ]),
      120,
    );
    progress(`simulation: ${workers} workers take jobs after ${((performance.now() - opened) / 1000).toFixed(1)} s`);

    // ---- what it costs that they are there, before there is work
    const groups = () => ({
      redis: redis.process.cpu(),
      coordinator: host.process.cpu(),
      workers: sum(hands.map((peer) => peer.process.cpu())),
      bench: (process.cpuUsage().user + process.cpuUsage().system) / 1000,
      machine: machineCpu(),
    });
    /** Shares of a core between two looks. */
    const shares = (/** @type {any} */ from, /** @type {any} */ to, /** @type {number} */ ms) =>
      Object.fromEntries(Object.keys(to).map((key) => [key, (to[key] - from[key]) / ms]));
    const [idleCpu, idleAt] = [groups(), now()];
    const idleInfo = numbersOf(await admin.info());
    await stage.race(sleep(workers < 100 ? 1000 : 5000));
    const idleAfter = numbersOf(await admin.info());
    const idle = {
      cpu: shares(idleCpu, groups(), now() - idleAt),
      commandsPerSecond:
        (1000 * (idleAfter.total_commands_processed - idleInfo.total_commands_processed)) / (now() - idleAt),
      clients: idleAfter.connected_clients,
      usedMB: idleAfter.used_memory / 1e6,
    };

    // ---- work
    const started = now();
    const [cpuBefore, infoBefore] = [groups(), idleAfter];
    await admin.config("RESETSTAT");
    /** @type {any[]} */
    const samples = [];
    let looking = true;
    const look = async () => {
      let [cpu, at, commands] = [cpuBefore, started, 0];
      while (looking) {
        await sleep(LOOK);
        const [commit, prove, text] = await Promise.all([queue.counts("commit"), queue.counts("prove"), admin.info()]);
        const info = numbersOf(text);
        const [cpuNow, atNow] = [groups(), now()];
        samples.push({
          at: (atNow - started) / 1000,
          waiting: { commit: commit.waiting, prove: prove.waiting },
          delayed: { commit: commit.delayed, prove: prove.delayed },
          active: { commit: commit.active, prove: prove.active },
          blocks: ended.length,
          usedMB: info.used_memory / 1e6,
          clients: info.connected_clients,
          commandsPerSecond: (1000 * (info.total_commands_processed - commands)) / (atNow - at),
          cpu: shares(cpu, cpuNow, atNow - at),
        });
        [cpu, at, commands] = [cpuNow, atNow, info.total_commands_processed];
      }
    };
    const watching = look();
    watching.catch(() => {});
    const ids = new Set();
    const submit = async () => {
      for (let number = 1; number <= blocks; number++) {
        if (number > burst) await sleep(Math.max(0, started + (number - burst) * interval - now()));
        ids.add((await host.ask("submit", { number })).id);
      }
      // what has not ended by then is lost
      while (ended.length < blocks && now() < started + 1000 * limit) await sleep(50);
    };
    await stage.within("the simulation", submit(), limit + 20);
    const wall = Math.max(now(), ...ended.map(({ marks }) => marks.ended)) - started;
    looking = false;
    await stage.race(watching);
    const cpuAfter = groups();
    const infoAfter = await admin.info();
    const commands = commandsOf(await admin.info("commandstats"));
    const counts = await Promise.all(hands.map((peer) => peer.ask("flush")));
    const events = await host.ask("events");
    const alive = await host.ask("workers");
    const left = await Promise.all(["commit", "prove"].map((kind) => queue.counts(/** @type {any} */ (kind))));
    const peaks = { redis: redis.process.maxRss(), coordinator: host.process.maxRss() };
    const rss = { ...peaks, workers: Math.max(...hands.map((peer) => peer.process.maxRss())) };
    await stage.within("ending the workers", Promise.all(hands.map((peer) => peer.ask("close"))), 60);

    // ---- what became of the jobs
    const marks = new Map(ended.map((block) => [block.id, block.marks]));
    const failed = [
      ...ended.flatMap(({ id, state, failure }) => (state === "proved" ? [] : [{ id, state, failure }])),
      ...[...ids].flatMap((id) => (marks.has(id) ? [] : [{ id, state: "unfinished" }])),
    ];
    const times = new Map();
    for (const [kind, id] of jobs) times.set(`${kind} ${id}`, (times.get(`${kind} ${id}`) ?? 0) + 1);
    const done = [...times.keys()];
    const expected = 2 * blocks * chunks;
    const lost = expected - done.filter((name) => ids.has(name.split(" ")[1].split("-")[0])).length;
    const twice = sum([...times.values()].map((n) => n - 1));
    /** @type {any[]} */
    const begun = jobs.flatMap(([kind, id, , at, end, attempt]) => {
      const ready = marks.get(id.split("-")[0])?.[`${kind} ready`];
      return ready === undefined ? [] : [{ kind, ready, begun: at, ended: end, wait: at - ready, attempt }];
    });
    noteFree(begun, workers);
    const waitsOf = (/** @type {(job: any) => boolean} */ which) => spread(begun.filter(which).map(({ wait }) => wait));
    const waits = {
      commit: waitsOf(({ kind }) => kind === "commit"),
      prove: waitsOf(({ kind }) => kind === "prove"),
      free: waitsOf(({ free }) => free),
    };
    const info = numbersOf(infoAfter);
    const total = (/** @type {RegExp} */ what) =>
      sum(counts.flatMap((one) => Object.entries(one).flatMap(([name, n]) => (what.test(name) ? [n] : []))));
    return {
      name: "simulation",
      params: { workers, blocks, chunks, processes, burst, interval, ...means, bound },
      idle,
      samples,
      slices: slicesOf(samples, begun, started),
      result: {
        seconds: wall / 1000,
        chunks: blocks * chunks,
        jobs: done.length,
        lost,
        twice,
        failed,
        left,
        alive,
        again: begun.filter(({ attempt }) => attempt > 0).length,
        repeated: sum(ended.map(({ work }) => work.repeated)),
        handedBack: total(/refused|handed_back/),
        leasesLost: total(/ lost$/),
        warnings: total(/^warnings$/),
        events,
        /** How often a job was given to somebody: once, unless it was handed back before a handler saw it. */
        given: (events["commit active"] ?? 0) + (events["prove active"] ?? 0),
        /** What the sleeps alone would take of all workers. */
        busy: sum(begun.map(({ begun: from, ended: to }) => to - from)) / (wall * workers),
        waits,
        challenge: spread(
          ended.flatMap(({ id, marks: m }) => followed(m["challenge begun"], begunOf(jobs, id, "commit"))),
        ),
        assemble: spread(
          ended.flatMap(({ id, marks: m }) => followed(m["assemble begun"], begunOf(jobs, id, "prove"))),
        ),
        add: spread(
          ended.flatMap(({ marks: m }) => ["commit", "prove"].map((kind) => m[`${kind} added`] - m[`${kind} ready`])),
        ),
        plan: spread(ended.map(({ marks: m }) => m["plan begun"] - m.submitted)),
        cpu: shares(cpuBefore, cpuAfter, wall),
        cpuPerChunk: Object.fromEntries(
          Object.entries(shares(cpuBefore, cpuAfter, blocks * chunks)).filter(([key]) => key !== "machine"),
        ),
        rss,
        redis: {
          redis_version: /^redis_version:(.*?)\r?$/m.exec(infoAfter)?.[1],
          peakMB: info.used_memory_peak / 1e6,
          endMB: info.used_memory / 1e6,
          beforeMB: infoBefore.used_memory / 1e6,
          clients: Math.max(...samples.map((sample) => sample.clients)),
          commands: info.total_commands_processed,
          commandsPerSecond: (1000 * info.total_commands_processed) / wall,
          mostPerSecond: Math.max(...samples.map((sample) => sample.commandsPerSecond)),
          inputMB: info.total_net_input_bytes / 1e6,
          outputMB: info.total_net_output_bytes / 1e6,
          byCommand: commands,
        },
      },
    };
  } finally {
    admin.disconnect();
    await queue.close();
  }
}

/** Ends of a block's jobs of a kind. */
const begunOf = (/** @type {any[]} */ jobs, /** @type {string} */ block, /** @type {string} */ kind) =>
  jobs.flatMap(([own, id, , , ended]) => (own === kind && id.startsWith(block) ? [ended] : []));

/** From the end of the last one to what waited for all. */
const followed = (/** @type {number | undefined} */ at, /** @type {number[]} */ ends) =>
  at === undefined || ends.length === 0 ? [] : [at - Math.max(...ends)];

/** Notes of each job whether there was a worker for it when it became ready. */
function noteFree(/** @type {any[]} */ jobs, /** @type {number} */ workers) {
  const events = jobs.flatMap((job) => [
    { at: job.ready, job },
    { at: job.ended, job: undefined },
  ]);
  let load = 0;
  for (const { job } of events.toSorted((a, b) => a.at - b.at)) {
    load += job === undefined ? -1 : 1;
    if (job !== undefined) job.free = load <= workers;
  }
}

/** The run in parts, between looks. */
function slicesOf(/** @type {any[]} */ samples, /** @type {any[]} */ jobs, /** @type {number} */ started) {
  const length = Math.max(1, Math.ceil(samples.length / SLICES));
  const slices = [];
  for (let i = 0; i < samples.length; i += length) {
    const within = samples.slice(i, i + length);
    const [from, until] = [i === 0 ? 0 : samples[i - 1].at, within.at(-1).at];
    const inTime = (/** @type {number} */ at) => at > started + 1000 * from && at <= started + 1000 * until;
    const waits = jobs.filter(({ begun }) => inTime(begun)).map(({ wait }) => wait);
    const mean = (/** @type {(sample: any) => number} */ of) => sum(within.map(of)) / within.length;
    slices.push({
      until,
      waiting: Math.max(
        ...within.map(({ waiting, delayed }) => waiting.commit + waiting.prove + delayed.commit + delayed.prove),
      ),
      active: mean(({ active }) => active.commit + active.prove),
      blocks: within.at(-1).blocks,
      jobsPerSecond: jobs.filter(({ ended }) => inTime(ended)).length / (until - from),
      p50: quantile(waits, 0.5),
      p95: quantile(waits, 0.95),
      usedMB: Math.max(...within.map(({ usedMB }) => usedMB)),
      commandsPerSecond: mean(({ commandsPerSecond }) => commandsPerSecond),
      redis: mean(({ cpu }) => cpu.redis),
      coordinator: mean(({ cpu }) => cpu.coordinator),
      workers: mean(({ cpu }) => cpu.workers),
    });
  }
  return slices;
}

/** Tables of it. */
export function simulationTables(/** @type {any[]} */ rows) {
  return rows
    .map(({ params, idle, slices, result }) => {
      const { redis, waits, cpu, cpuPerChunk, rss } = result;
      const series = table(
        [
          "until s",
          "waiting",
          "in work",
          "blocks done",
          "jobs/s",
          "wait p50 ms",
          "p95 ms",
          "Redis MB",
          "commands/s",
          "Redis",
          "coordinator",
          "workers",
        ],
        slices.map((slice) => [
          slice.until.toFixed(0),
          ...[slice.waiting, slice.active, slice.blocks, slice.jobsPerSecond].map(grouped),
          ...[slice.p50, slice.p95, slice.usedMB].map(shown),
          grouped(slice.commandsPerSecond),
          ...[slice.redis, slice.coordinator, slice.workers].map(percent),
        ]),
      );
      const waiting = (/** @type {string} */ name, /** @type {any} */ { samples, p50, p95, max }) => [
        name,
        grouped(samples),
        ...[p50, p95, max].map(shown),
      ];
      const latencies = table(
        ["ms from being ready to delivery", "number", "p50", "p95", "max"],
        [
          waiting("commit", waits.commit),
          waiting("prove", waits.prove),
          waiting("of these, with a worker free for it", waits.free),
          waiting("challenge, after the last commitment", result.challenge),
          waiting("assemble, after the last proof", result.assemble),
          waiting("plan, after submitting", result.plan),
          waiting(`(adding ${params.chunks} jobs and who waits for them)`, result.add),
        ],
      );
      const cores = table(
        ["processor time", "without work", "with work", "ms a chunk", "peak RSS"],
        ["redis", "coordinator", "workers", "bench"].map((key) => [
          key === "redis" ? "Redis" : key === "workers" ? `workers, ${params.processes} processes` : key,
          ...[idle.cpu[key], cpu[key]].map((share) => `${percent(share)} of a core`),
          shown(cpuPerChunk[key]),
          rss[key] === undefined ? "" : `${grouped(rss[key])} MB${key === "workers" ? " the largest" : ""}`,
        ]),
      );
      const { redis_version: version, byCommand } = redis;
      const commands = byCommand
        .slice(0, 5)
        .map(
          (/** @type {any} */ { name, calls, ms }) => `${name} ${grouped(calls)} × ${shown((1000 * ms) / calls)} µs`,
        );
      const seconds = (/** @type {number} */ ms) => `${ms / 1000} s`;
      return [
        `${grouped(params.workers)} workers in ${params.processes} processes; ${params.blocks} blocks of ${params.chunks} chunks,`,
        `${params.burst} at once, then one every ${seconds(params.interval)}. A commitment sleeps ${seconds(params.commit)} on average, a proof`,
        `${seconds(params.prove)}, exponentially, at most ${params.bound} times as long. ${grouped(result.chunks)} chunks in ${shown(result.seconds)} s,`,
        `workers busy ${percent(result.busy)} of it.`,
        "",
        `**Jobs lost: ${result.lost}. Done twice: ${result.twice}.** ${grouped(result.jobs)} jobs were given to a worker ${grouped(result.given)} times: the`,
        `others came to one that was just getting busy, and went back (${grouped(result.handedBack)} of them by its lanes). Begun again`,
        `${result.again}, leases lost ${result.leasesLost}, warnings ${result.warnings}.`,
        "",
        series,
        "",
        "Waiting: the most at a look once a second; shares are of one core; commands with those inside of scripts.",
        "",
        latencies,
        "",
        cores,
        "",
        `Redis ${version}: ${shown(idle.usedMB)} MB, ${grouped(idle.commandsPerSecond)} commands/s and ${grouped(idle.clients)} connections without work; at most`,
        `${shown(redis.peakMB)} MB, ${grouped(redis.mostPerSecond)} commands/s (mean ${grouped(redis.commandsPerSecond)}), ${grouped(redis.clients)} connections;`,
        `${shown(redis.endMB)} MB in the end. Most time: ${commands.join(", ")}.`,
      ].join("\n");
    })
    .join("\n\n");
}
