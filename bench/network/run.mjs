/**
 * `npm run bench -- --only network`: the prover network on this machine. See README.md in the folder above.
 *
 * A program of its own behind the other's command line: it needs `dist/`, `bin/`, redis-server, and Linux.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { environment, machine, machineSlug, ROOT } from "../_machine.mjs";
import { elapsed, progress } from "../_progress.mjs";
import { overhead, overheadTables } from "./overhead.mjs";
import { MeasuredQueue } from "./queue.mjs";
import { simulation, simulationTables } from "./simulation.mjs";
import { CannotRunError } from "./stage.mjs";
import { throughput, throughputTables } from "./throughput.mjs";

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {number} threads of all processes that prove together
 * @property {{ min: number, max: number } | undefined} runs rounds of batches, default by time
 * @property {(row: any) => void} report
 *
 * @typedef {object} Group
 * @property {string} title
 * @property {(options: Options) => Promise<void>} run
 * @property {(rows: any[]) => string} tables
 */

/** @type {Record<string, Group>} */
const GROUPS = {
  "network-throughput": {
    title: "Blocks, by the network and in one process",
    run: throughput,
    tables: throughputTables,
  },
  "network-overhead": { title: "What the queue costs", run: overhead, tables: overheadTables },
  "network-simulation": { title: "A thousand workers", run: simulation, tables: simulationTables },
};

const USAGE = `npm run bench -- --only network [options]
  --only <groups>    network: all; or some of ${Object.keys(GROUPS).join(", ")}
  --threads <n>      of all processes that prove together, default all of the machine
  --runs <n>         rounds of network-throughput, default 2, or 3 where there is time
  --quick            the smallest sizes, to see that everything works
  --out <file.json>  where the JSON goes; the table goes beside it, .md`;

class UsageError extends Error {}

/** Whether the other command line is to hand over to this one. */
export const isForNetwork = (/** @type {string | undefined} */ only) =>
  only?.split(",").every((name) => name === "network" || Object.hasOwn(GROUPS, name)) ?? false;

function groupsOf(/** @type {string} */ only) {
  const names = only.split(",").flatMap((name) => (name === "network" ? Object.keys(GROUPS) : [name]));
  const unknown = names.find((name) => !Object.hasOwn(GROUPS, name));
  if (unknown !== undefined) throw new UsageError(`--only ${only}: there is no group "${unknown}"`);
  return Object.keys(GROUPS).filter((name) => names.includes(name));
}

function integer(/** @type {string | undefined} */ text, /** @type {string} */ option, /** @type {number} */ max) {
  if (text === undefined) return undefined;
  if (!/^\d{1,4}$/.test(text) || Number(text) < 1 || Number(text) > max)
    throw new UsageError(`${option} ${text}: not an integer from 1 to ${max}`);
  return Number(text);
}

/** Versions of what the network is made of, beside those of every benchmark. */
function versions() {
  const of = (/** @type {string} */ name) =>
    JSON.parse(readFileSync(join(ROOT, "node_modules", name, "package.json"), "utf8")).version;
  let redis = "none";
  try {
    redis = /v=(\S+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1] ?? "unknown";
  } catch {
    // said by whoever needs it
  }
  return { redis, bullmq: of("bullmq"), ioredis: of("ioredis"), queue: MeasuredQueue.name };
}

/** Coordinators and workers must open the queue that is measured beside them. */
function checkQueue() {
  const { name } = MeasuredQueue;
  const text = readFileSync(join(ROOT, "dist", "network", "start.js"), "utf8");
  if (!text.includes(`${name}.open(`))
    throw new CannotRunError(`src/network/start.ts opens another queue than ${name}: see bench/network/queue.mjs`);
}

const tablePath = (/** @type {string} */ path) => path.replace(/(\.json)?$/, ".md");

/** The table of a file of results. */
function tables(/** @type {any} */ { machine: { cpu, cpuFamilyModel, cores, memoryGiB, os: system }, groups }) {
  const model = cpuFamilyModel === undefined ? "" : ` (${cpuFamilyModel})`;
  const sections = Object.entries(groups).map(([name, { title, environment: env, versions: of, rows, failed }]) => {
    const load = env.loadAverage.map((/** @type {number} */ x) => x.toFixed(2)).join(" ");
    const commit = `${env.commit?.slice(0, 9) ?? "no commit"}${env.dirty ? " and changes" : ""}`;
    const parts = `Redis ${of.redis}, bullmq ${of.bullmq}, ioredis ${of.ioredis}, ${of.queue}`;
    const when = `${env.date.slice(0, 10)}, node ${env.node}, ${commit}, ${parts}, load before ${load}`;
    const wrong = failed === undefined ? [] : [`**It failed: ${failed.split("\n")[0]}**`, ""];
    return [`## ${title}`, "", ...wrong, GROUPS[name].tables(rows), "", when, ""].join("\n");
  });
  return [`# The network on ${cpu}${model}, ${cores} cores, ${memoryGiB} GiB, ${system}`, ...sections].join("\n\n");
}

/** Puts groups into the file, next to those that are there, and the table beside it. */
async function save(
  /** @type {string} */ path,
  /** @type {Record<string, any>} */ groups,
  /** @type {boolean} */ keep,
) {
  const old = keep && existsSync(path) ? JSON.parse(await readFile(path, "utf8")).groups : {};
  const all = { ...old, ...groups };
  const names = Object.keys(GROUPS).filter((name) => name in all);
  const content = { machine: machine(), groups: Object.fromEntries(names.map((name) => [name, all[name]])) };
  await mkdir(dirname(path), { recursive: true });
  const round = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  await writeFile(path, `${JSON.stringify(content, round, 1)}\n`);
  await writeFile(tablePath(path), tables(content));
}

const OPTIONS = /** @type {any} */ ({
  only: { type: "string", default: "network" },
  threads: { type: "string" },
  runs: { type: "string" },
  quick: { type: "boolean", default: false },
  out: { type: "string" },
  help: { type: "boolean", default: false },
});

/** @returns {{ only: string, threads?: string, runs?: string, quick: boolean, out?: string, help: boolean }} */
function readArguments(/** @type {string[]} */ args) {
  try {
    return /** @type {any} */ (parseArgs({ options: OPTIONS, args }).values);
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
}

async function run(/** @type {string[]} */ args) {
  const values = readArguments(args);
  if (values.help) return console.log(USAGE);
  const { quick, out } = values;
  const names = groupsOf(values.only);
  const rounds = integer(values.runs, "--runs", 100);
  const runs = rounds === undefined ? undefined : { min: rounds, max: rounds };
  const threads = integer(values.threads, "--threads", 256) ?? os.availableParallelism();
  const partial = quick || values.runs !== undefined || values.threads !== undefined;
  const file = partial
    ? [".cache", "bench", "network-partial.json"]
    : ["bench", "results", `network-${machineSlug()}.json`];
  const path = out ?? join(ROOT, ...file);

  checkQueue();
  const { cpu, cores, memoryGiB } = machine();
  progress(`${cpu}, ${cores} cores, ${memoryGiB} GiB, node ${process.version}; load ${os.loadavg()[0].toFixed(2)}`);
  /** @type {Record<string, any>} */
  const results = {};
  for (const name of names) {
    const { title, run: measure } = GROUPS[name];
    progress(title);
    /** @type {any[]} */
    const rows = [];
    const env = environment(undefined);
    /** @type {any} */
    let failed;
    try {
      await measure({ quick, threads, runs, report: (row) => rows.push(row) });
    } catch (error) {
      failed = error;
    }
    results[name] = { title, environment: env, versions: versions(), threads, quick, rows, failed: failed?.message };
    // after every group, and what there is of one that failed
    await save(path, results, !partial || Object.keys(results).length > 1);
    if (failed !== undefined) throw failed;
  }
  console.log(tables({ machine: machine(), groups: results }));
  const files = [path, tablePath(path)].map((name) => relative(process.cwd(), name));
  console.log(`Every sample: ${files[0]}; this table: ${files[1]}. ${(elapsed() / 60).toFixed(1)} minutes in all.`);
}

/** Runs it, and ends the process. */
export async function main(/** @type {string[]} */ args) {
  try {
    await run(args);
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\n${USAGE}`);
    else console.error(error instanceof CannotRunError ? error.message : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  }
}

// also by itself, where the packages of the other benchmark are not installed
if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
