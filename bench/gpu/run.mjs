/**
 * `npm run bench -- --only gpu`: the GPU against all threads of WebAssembly on this machine, and gpu.js beside both. See
 * README.md in the folder above.
 *
 * A program of its own behind the other's command line: it needs neither snarkjs nor circom, only `dist/`, the packages
 * `webgpu` and `gpu.js`, and a GPU.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBackend } from "chunkproof/prover";
import { line, table } from "../_harness.mjs";
import { environment, machine, machineSlug, ROOT } from "../_machine.mjs";
import { elapsed, progress } from "../_progress.mjs";
import { findGpu, NoGpuError, SOFTWARE_NOTE, watch } from "./adapter.mjs";
import { SQUARES_SIZES } from "./circuit.mjs";
import { gpujs } from "./gpujs.mjs";
import { sums, transforms } from "./kernels.mjs";
import { profile } from "./profile.mjs";
import { cold, proofs } from "./proofs.mjs";
import { tune } from "./tune.mjs";

/**
 * @typedef {object} Sizes log2 each
 * @property {{ g1: number[], g2: number[] }} msm
 * @property {number[]} ntt
 * @property {number[]} proofs
 * @property {number[]} cold
 * @property {number[]} gpujs
 * @property {number[]} gpujsProofs
 * @property {number[]} profile
 * @property {number[]} profileProofs
 * @property {number} tune
 * @property {number} tuneLarge
 *
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {Sizes} sizes
 * @property {number} threads of WebAssembly
 * @property {import("../_harness.mjs").Budget} budget of one comparison
 * @property {import("./adapter.mjs").Found} found
 * @property {() => Promise<{ backend: any, watched: import("./adapter.mjs").Watch }>} open opens the backend `webgpu`
 * @property {(row: any) => void} report
 */

/**
 * @typedef {object} Group
 * @property {string} title
 * @property {(options: Options) => Promise<any>} run what it returns is kept beside the rows
 * @property {import("../_harness.mjs").Budget} budget
 */

/** @type {Record<string, Group>} */
const GROUPS = {
  "gpu-msm": { title: "Sums", run: sums, budget: { seconds: 4, min: 3, max: 9 } },
  "gpu-ntt": { title: "Coset transform of one polynomial", run: transforms, budget: { seconds: 4, min: 3, max: 9 } },
  "gpu-proofs": {
    title: "Proofs, warm: key loaded and on the device",
    run: proofs,
    budget: { seconds: 30, min: 3, max: 9 },
  },
  "gpu-cold": {
    title: "The first proof on a device, and what it waits for",
    run: cold,
    budget: { seconds: 0, min: 3, max: 3 },
  },
  "gpu-js": { title: "gpu.js", run: gpujs, budget: { seconds: 4, min: 3, max: 9 } },
  "gpu-profile": { title: "Where the time goes", run: profile, budget: { seconds: 0, min: 3, max: 3 } },
  "gpu-tune": { title: "Tuning", run: tune, budget: { seconds: 4, min: 3, max: 9 } },
};
/** What `gpu` stands for. */
const DEFAULT_GROUPS = Object.keys(GROUPS).filter((name) => name !== "gpu-tune");

/** @type {Sizes} */
const DEFAULT_SIZES = {
  msm: { g1: [16, 18, 20, 22], g2: [16, 18, 20] },
  ntt: [16, 18, 20, 22],
  proofs: [16, 18, 20],
  cold: [16, 18, 20],
  gpujs: [8, 10, 12, 14, 16],
  gpujsProofs: [8, 10, 12, 14, 16],
  profile: [20],
  profileProofs: [18, 20],
  tune: 18,
  tuneLarge: 20,
};
/** For a software adapter, and to see that everything works. @type {Sizes} */
const SMALL_SIZES = {
  msm: { g1: [8, 10], g2: [8] },
  ntt: [8, 12],
  proofs: [8],
  cold: [8],
  gpujs: [6, 8],
  gpujsProofs: [8],
  profile: [8],
  profileProofs: [8],
  tune: 8,
  tuneLarge: 9,
};
const QUICK_BUDGET = { seconds: 0, min: 2, max: 2 };
/** log2 of what a group can run. */
const RANGES = { msm: [4, 24], ntt: [4, 24], proofs: SQUARES_SIZES, gpujs: [4, 18] };

const USAGE = `npm run bench -- --only gpu [options]
  --only <groups>    gpu: ${DEFAULT_GROUPS.join(", ")}; or some of them
  --tune             gpu-tune instead: which kernels are the fastest here
  --sizes <k,...>    log2 of the sizes, instead of the defaults
  --threads <n>      of WebAssembly, default all of the machine
  --runs <n>         recorded rounds of each comparison, default by time
  --quick            the smallest sizes, to see that everything works
  --software         SwiftShader of Debian's chromium instead of a GPU: correctness only
  --out <file.json>  where the JSON goes; the table goes beside it, .md`;

class UsageError extends Error {}

/** Comma-separated integers, ascending, each once. */
function integers(/** @type {string} */ text, /** @type {string} */ option, /** @type {number} */ max) {
  const parts = text.split(",");
  for (const part of parts)
    if (!/^\d{1,4}$/.test(part) || Number(part) < 1 || Number(part) > max)
      throw new UsageError(`${option} ${text}: "${part}" is not an integer from 1 to ${max}`);
  return [...new Set(parts.map(Number))].toSorted((a, b) => a - b);
}

/** One of them. */
function integer(/** @type {string} */ text, /** @type {string} */ option, /** @type {number} */ max) {
  const [value, ...more] = integers(text, option, max);
  if (more.length > 0) throw new UsageError(`${option} ${text}: one number is asked for`);
  return value;
}

/** Every group at these sizes, as far as it has them. @returns {Sizes} */
function sizesOf(/** @type {number[]} */ list) {
  const within = ([min, max]) => list.filter((log2) => log2 >= min && log2 <= max);
  const proofs = within(RANGES.proofs);
  return {
    msm: { g1: within(RANGES.msm), g2: within(RANGES.msm) },
    ntt: within(RANGES.ntt),
    proofs,
    cold: proofs,
    gpujs: within(RANGES.gpujs),
    gpujsProofs: within(RANGES.gpujs).filter((log2) => log2 >= RANGES.proofs[0]),
    profile: within(RANGES.msm),
    profileProofs: proofs,
    tune: list[0],
    tuneLarge: /** @type {number} */ (list.at(-1)),
  };
}

/** Whether the other command line is to hand over to this one. */
export const isForGpu = (/** @type {string | undefined} */ only) =>
  only?.split(",").every((name) => name === "gpu" || Object.hasOwn(GROUPS, name)) ?? false;

function groupsOf(/** @type {string} */ only, /** @type {boolean} */ tuning) {
  if (tuning) return ["gpu-tune"];
  const names = only.split(",").flatMap((name) => (name === "gpu" ? DEFAULT_GROUPS : [name]));
  const unknown = names.find((name) => !Object.hasOwn(GROUPS, name));
  if (unknown !== undefined) throw new UsageError(`--only ${only}: there is no group "${unknown}"`);
  return [...new Set(names)];
}

/** Name of the result file of this adapter in this machine. */
function slug(/** @type {import("./adapter.mjs").Adapter} */ { vendor, architecture, device }) {
  const name = device === "" ? `${vendor} ${architecture}` : device;
  return `gpu-${name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")}-${machineSlug()}`;
}

const tablePath = (/** @type {string} */ path) => path.replace(/(\.json)?$/, ".md");

const NOTES = [
  "Median, quartiles and least of the recorded rounds, in milliseconds unless it says otherwise. ÷ X: how many times as long as X it",
  "takes, as a ratio of the medians (least and greatest ratio within one round). `wasm`: all threads of this machine, in the same run.",
].join("\n");

/** The table of a file of results. */
function tables(
  /** @type {any} */ { machine: { cpu, cpuFamilyModel, cores, memoryGiB, os: system }, adapter, groups },
) {
  const model = cpuFamilyModel === undefined ? "" : ` (${cpuFamilyModel})`;
  const sections = Object.entries(groups).map(([, { title, environment: env, threads, rows, result }]) => {
    const load = env.loadAverage.map((/** @type {number} */ x) => x.toFixed(2)).join(" ");
    const commit = `${env.commit?.slice(0, 9) ?? "no commit"}${env.dirty ? " and changes" : ""}`;
    const packages = ["webgpu", "gpu.js"].map((name) => `${name} ${env.packages[name]}`).join(", ");
    const when = `${env.date.slice(0, 10)}, node ${env.node}, ${commit}, ${packages}, ${threads} threads, load before ${load}`;
    const shown = rows.filter((/** @type {any} */ { failed }) => failed === undefined);
    const found = result === undefined ? [] : [`\`${JSON.stringify(result)}\``, ""];
    return [table(title, shown), ...found, `${when}\n`].join("\n");
  });
  const head = `# ${adapter.name}; ${cpu}${model}, ${cores} cores, ${memoryGiB} GiB, ${system}`;
  const warning = adapter.software ? [`**${SOFTWARE_NOTE[0].toUpperCase()}${SOFTWARE_NOTE.slice(1)}.**`] : [];
  return [head, ...warning, NOTES, ...sections].join("\n\n");
}

/** Puts groups into the file, next to those that are there, and the table beside it. */
async function save(
  /** @type {string} */ path,
  /** @type {import("./adapter.mjs").Adapter} */ adapter,
  /** @type {Record<string, any>} */ groups,
  /** @type {boolean} */ keep,
) {
  const old = keep && existsSync(path) ? JSON.parse(await readFile(path, "utf8")).groups : {};
  const all = { ...old, ...groups };
  const names = Object.keys(GROUPS).filter((name) => name in all);
  const content = { machine: machine(), adapter, groups: Object.fromEntries(names.map((name) => [name, all[name]])) };
  await mkdir(dirname(path), { recursive: true });
  const round = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  await writeFile(path, `${JSON.stringify(content, round, 1)}\n`);
  await writeFile(tablePath(path), tables(content));
}

const OPTIONS = /** @type {const} */ ({
  only: { type: "string", default: "gpu" },
  tune: { type: "boolean", default: false },
  sizes: { type: "string" },
  threads: { type: "string" },
  runs: { type: "string" },
  quick: { type: "boolean", default: false },
  software: { type: "boolean", default: false },
  out: { type: "string" },
  help: { type: "boolean", default: false },
});

function readArguments(/** @type {string[]} */ args) {
  try {
    return parseArgs({ options: OPTIONS, args }).values;
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
}

async function run(/** @type {string[]} */ args) {
  const values = readArguments(args);
  if (values.help) return console.log(USAGE);
  const { quick, software } = values;
  const names = groupsOf(values.only, values.tune);
  const runs = values.runs === undefined ? {} : { runs: integer(values.runs, "--runs", 1000) };
  const threads = values.threads === undefined ? os.availableParallelism() : integer(values.threads, "--threads", 256);
  const list = values.sizes === undefined ? undefined : integers(values.sizes, "--sizes", 24);
  const partial = quick || [values.sizes, values.runs, values.threads].some((value) => value !== undefined);

  const found = await findGpu({ software });
  const { adapter } = found;
  const small = quick || adapter.software;
  const sizes = list === undefined ? (small ? SMALL_SIZES : DEFAULT_SIZES) : sizesOf(list);
  const file = partial ? [".cache", "bench", "gpu-partial.json"] : ["bench", "results", `${slug(adapter)}.json`];
  const path = values.out ?? join(ROOT, ...file);

  const { cpu, cores, memoryGiB } = machine();
  progress(`${adapter.name}; ${cpu}, ${cores} cores, ${memoryGiB} GiB, node ${process.version}`);
  if (adapter.software) progress(SOFTWARE_NOTE);
  const open = async () => {
    const watched = watch(found.gpu);
    return { backend: await openBackend("webgpu", { gpu: watched.gpu }), watched };
  };
  /** @type {Record<string, any>} */
  const results = {};
  for (const name of names) {
    const { title, run, budget } = GROUPS[name];
    progress(title);
    /** @type {any[]} */
    const rows = [];
    const env = environment(undefined);
    const own = { ...(quick ? QUICK_BUDGET : budget), ...runs };
    const report = (/** @type {any} */ row) => {
      rows.push(adapter.software ? { ...row, note: SOFTWARE_NOTE } : row);
      if (row.failed === undefined) progress(line(row));
    };
    /** @type {unknown} */
    let result;
    /** @type {unknown} */
    let failed;
    try {
      result = await run({ quick, sizes, threads, budget: own, found, open, report });
    } catch (error) {
      failed = error;
    }
    const { message } = /** @type {any} */ (failed ?? {});
    results[name] = { title, environment: env, threads, budget: own, rows, result, failed: message };
    // after every group, and what there is of one that failed: time on a GPU is dear
    await save(path, adapter, results, !partial || Object.keys(results).length > 1);
    if (failed !== undefined) throw failed;
  }
  console.log(tables({ machine: machine(), adapter, groups: results }));
  const files = [path, tablePath(path)].map((file) => relative(process.cwd(), file));
  console.log(`Every sample: ${files[0]}; this table: ${files[1]}. ${(elapsed() / 60).toFixed(1)} minutes in all.`);
}

/** Runs it, and ends the process: devices and threads of a comparison that failed are still there. */
export async function main(/** @type {string[]} */ args) {
  try {
    await run(args);
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\n${USAGE}`);
    else console.error(error instanceof NoGpuError ? error.message : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  }
}

// also by itself, where the packages of the other benchmark are not installed
if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
