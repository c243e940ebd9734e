/**
 * `npm run bench`: chunkproof against snarkjs (and rapidsnark, when `RAPIDSNARK` names its binary) on this machine. See
 * README.md in this folder.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { line, table } from "./_harness.mjs";
import { environment, machine, machineSlug, ROOT } from "./_machine.mjs";
import { elapsed, progress } from "./_progress.mjs";
import { findRapidsnark } from "./baselines/rapidsnark.mjs";
import { closeSnarkjs } from "./baselines/snarkjs.mjs";
import { blocks, summary as blocksSummary } from "./blocks/blocks.mjs";
import { FAMILIES } from "./circuits/index.mjs";
import { field } from "./kernels/field.mjs";
import { msm } from "./kernels/msm.mjs";
import { ntt } from "./kernels/ntt.mjs";
import { cold, warm } from "./proofs/prove.mjs";
import { setup } from "./proofs/setup.mjs";
import { verify } from "./proofs/verify.mjs";

/**
 * @typedef {object} ProofCase
 * @property {string} circuit name in `circuits/index.mjs`
 * @property {number} log2
 * @property {boolean} [series] whether to run with every thread count, not only the largest
 * @property {"warm" | "cold"} [only] group, if not both
 * @property {number} [rounds] instead of what the time allows
 *
 * @typedef {object} KernelCase
 * @property {number} log2 of the terms of a sum and the length of a transform
 * @property {boolean} [series] whether to run with every thread count, and sums with scalars of a witness too
 *
 * @typedef {object} BlockCase
 * @property {string} block name in `blocks/scenarios.mjs`
 * @property {boolean} [series] whether to prove with every thread count, not only the largest
 * @property {boolean} [cold] whether to prove it by the command line too
 *
 * @typedef {object} Sizes
 * @property {KernelCase[]} kernels
 * @property {ProofCase[]} proofs
 * @property {number[]} setup
 * @property {number[]} verify
 * @property {BlockCase[]} blocks
 *
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {Sizes} sizes
 * @property {number[]} threads ascending
 * @property {import("./_harness.mjs").Budget} budget of one comparison
 * @property {import("./baselines/rapidsnark.mjs").Rapidsnark | undefined} rapidsnark
 * @property {(row: import("./_harness.mjs").Row & { circuit?: object }) => void} report
 */

/**
 * @typedef {object} Group
 * @property {string} title
 * @property {(options: Options) => Promise<void>} run
 * @property {import("./_harness.mjs").Budget} budget
 * @property {[min: number, max: number]} [sizes] log2 of what it can run, if it has sizes
 * @property {(rows: any[]) => string} [summary] more tables, in Markdown
 */

const PROOF_SIZES = /** @type {[number, number]} */ ([
  Math.min(...Object.values(FAMILIES).map(({ sizes }) => sizes[0])),
  Math.max(...Object.values(FAMILIES).map(({ sizes }) => sizes[1])),
]);
const POSEIDON_SIZES = FAMILIES["poseidon-chain"].sizes;

/** @type {Record<string, Group>} */
const GROUPS = {
  field: { title: "Field multiplication", run: field, budget: { seconds: 3, min: 5, max: 9 } },
  msm: {
    title: "Multi-scalar multiplication",
    run: msm,
    budget: { seconds: 4, min: 2, max: 9 },
    sizes: [4, 20],
  },
  ntt: {
    title: "Coset transform of one polynomial",
    run: ntt,
    budget: { seconds: 4, min: 3, max: 9 },
    sizes: [4, 20],
  },
  warm: {
    title: "Proofs, warm: one process, key loaded",
    run: warm,
    budget: { seconds: 30, min: 3, max: 9 },
    sizes: PROOF_SIZES,
  },
  cold: {
    title: "Proofs, cold: a process each, from spawn to exit",
    run: cold,
    budget: { seconds: 30, min: 3, max: 9 },
    sizes: PROOF_SIZES,
  },
  verify: {
    title: "Verification, warm",
    run: verify,
    budget: { seconds: 10, min: 5, max: 9 },
    sizes: POSEIDON_SIZES,
  },
  setup: {
    title: "Development keys",
    run: setup,
    budget: { seconds: 0, min: 3, max: 3 },
    sizes: POSEIDON_SIZES,
  },
  blocks: {
    title: "Blocks: proved, verified, executed again",
    run: blocks,
    budget: { seconds: 30, min: 3, max: 9 },
    summary: blocksSummary,
  },
};
/** @type {BlockCase[]} */
const BLOCK_CASES = [
  { block: "20 transfers", series: true, cold: true },
  { block: "100 transfers" },
  { block: "demo", series: true, cold: true },
  { block: "100 calls" },
  { block: "mixed 20k", series: true, cold: true },
  { block: "mixed 100k" },
];
/** @type {Record<string, string[]>} */
const SHORTHANDS = { kernels: ["field", "msm", "ntt"], proofs: ["warm", "cold"] };

/** @type {Sizes} */
const DEFAULT_SIZES = {
  kernels: [12, 14, 16, 18].map((log2) => ({ log2, series: log2 === 16 })),
  proofs: [
    ...[12, 13, 14, 15, 16, 17, 18].map((log2) => ({ circuit: "poseidon-chain", log2, series: log2 === 15 })),
    { circuit: "sha256-blocks", log2: 16 },
    { circuit: "squares", log2: 18, only: "cold", rounds: 1 },
  ],
  setup: [16],
  verify: [12],
  blocks: BLOCK_CASES,
};
/** @type {Sizes} */
const QUICK_SIZES = {
  kernels: [{ log2: 8, series: true }],
  proofs: [
    { circuit: "poseidon-chain", log2: 8, series: true },
    { circuit: "squares", log2: 8 },
  ],
  setup: [8],
  verify: [8],
  blocks: [{ block: "counter", series: true, cold: true }],
};
const QUICK_BUDGET = { seconds: 0, min: 2, max: 2 };

const USAGE = `npm run bench -- [options]
  --only <groups>    of ${[...Object.keys(GROUPS), ...Object.keys(SHORTHANDS)].join(", ")}
  --sizes <k,...>    log2 of the sizes, instead of the defaults
  --threads <n,...>  thread counts, default 1, 2, 4, ... and all of the machine
  --runs <n>         recorded rounds of each comparison, default by time
  --quick            the smallest sizes, to see that everything works
  --out <file.json>  where the JSON goes; the table goes beside it, .md
RAPIDSNARK=<file>    its prover takes part in cold
npm run bench -- --only gpu --help: the GPU against WebAssembly
npm run bench -- --only network --help: the prover network`;

/** As many as an engine takes. */
const MAX_THREADS = 256;

class UsageError extends Error {}

/** Comma-separated integers of a range, ascending, each once. */
function integers(
  /** @type {string} */ text,
  /** @type {string} */ option,
  /** @type {number} */ min,
  /** @type {number} */ max,
) {
  const parts = text.split(",");
  for (const part of parts) {
    if (!/^\d{1,4}$/.test(part) || Number(part) < min || Number(part) > max)
      throw new UsageError(`${option} ${text}: "${part}" is not an integer from ${min} to ${max}`);
  }
  return [...new Set(parts.map(Number))].toSorted((a, b) => a - b);
}

function threadCounts() {
  const all = os.availableParallelism();
  const counts = [all];
  for (let n = 1; n < all; n *= 2) counts.push(n);
  return counts.toSorted((a, b) => a - b);
}

/** Every circuit at the sizes it can have, all thread counts. */
function sizesOf(/** @type {number[]} */ list) {
  /** @type {ProofCase[]} */
  const proofs = [];
  for (const [circuit, { sizes }] of Object.entries(FAMILIES)) {
    const [min, max] = sizes;
    for (const log2 of list) if (log2 >= min && log2 <= max) proofs.push({ circuit, log2, series: true });
  }
  return {
    kernels: list.map((log2) => ({ log2, series: true })),
    proofs,
    setup: list,
    verify: list,
    blocks: BLOCK_CASES,
  };
}

/** Refuses sizes that a group can't run, and says which circuits don't have them. */
function checkSizes(/** @type {number[]} */ list, /** @type {string[]} */ groups) {
  const sized = groups.filter((name) => GROUPS[name].sizes !== undefined);
  if (sized.length === 0) throw new UsageError(`--sizes: ${groups.join(", ")} has none`);
  for (const name of sized) {
    const [min, max] = /** @type {[number, number]} */ (GROUPS[name].sizes);
    const bad = list.filter((log2) => log2 < min || log2 > max);
    if (bad.length > 0)
      throw new UsageError(`--sizes ${bad.join(",")}: ${name} runs sizes from 2^${min} to 2^${max}; see --only`);
  }
  if (!groups.some((name) => SHORTHANDS.proofs.includes(name))) return;
  for (const [circuit, { sizes }] of Object.entries(FAMILIES)) {
    const [min, max] = sizes;
    const missing = list.filter((log2) => log2 < min || log2 > max).map((log2) => `2^${log2}`);
    if (missing.length > 0) progress(`no ${circuit} at ${missing.join(", ")}: it has 2^${min} to 2^${max}`);
  }
}

function groupsOf(/** @type {string | undefined} */ only) {
  if (only === undefined) return Object.keys(GROUPS);
  const names = only.split(",").flatMap((name) => (Object.hasOwn(SHORTHANDS, name) ? SHORTHANDS[name] : [name]));
  const unknown = names.find((name) => !Object.hasOwn(GROUPS, name));
  if (unknown !== undefined && /^(gpu|network)/.test(unknown))
    throw new UsageError(`--only ${only}: groups of the GPU and of the network run by themselves`);
  if (unknown !== undefined) throw new UsageError(`--only ${only}: there is no group "${unknown}"`);
  return [...new Set(names)];
}

/** The binary that `RAPIDSNARK` names. */
function rapidsnarkOf() {
  try {
    return findRapidsnark();
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
}

/**
 * Where results go: full runs of a group to this machine's file, others out of git's sight.
 *
 * @param {{ out?: string, partial: boolean }} options
 */
const resultPath = ({ out, partial }) =>
  out ??
  (partial ? join(ROOT, ".cache", "bench", "partial.json") : join(ROOT, "bench", "results", `${machineSlug()}.json`));

/** Path of the table that belongs to a JSON file. */
const tablePath = (/** @type {string} */ path) => path.replace(/(\.json)?$/, ".md");

/** What a table needs to be understood. */
const NOTES = [
  "Median, quartiles and least of the recorded rounds. ÷ X: how many times as long as X it takes, as a ratio of the medians",
  "(least and greatest ratio within one round). CPU: processor time of all threads. chunkproof verifies every proof before it",
  "hands it out; `no self-check` is the same work as that of the others.",
].join("\n");

/** The table of a file of results. */
function tables(/** @type {any} */ { machine: { cpu, cpuFamilyModel, cores, memoryGiB, os }, groups }) {
  const model = cpuFamilyModel === undefined ? "" : ` (${cpuFamilyModel})`;
  const sections = Object.entries(groups).map(([name, { title, environment: env, rows }]) => {
    const load = env.loadAverage.map((/** @type {number} */ x) => x.toFixed(2)).join(" ");
    const commit = `${env.commit?.slice(0, 9) ?? "no commit"}${env.dirty ? " and changes" : ""}`;
    const snarkjs = `snarkjs ${env.packages.snarkjs}`;
    const rapidsnark = env.rapidsnark ? `, rapidsnark ${env.rapidsnark.sha256.slice(0, 12)}` : "";
    const when = `${env.date.slice(0, 10)}, node ${env.node}, ${commit}, ${snarkjs}${rapidsnark}, load before ${load}`;
    const more = GROUPS[name].summary?.(rows);
    return [table(title, rows), ...(more === undefined ? [] : [more, ""]), `${when}\n`].join("\n");
  });
  return [`# ${cpu}${model}, ${cores} cores, ${memoryGiB} GiB, ${os}`, NOTES, ...sections].join("\n\n");
}

/** Puts the results of the groups that were run into the file, next to those of the others, and the table beside it. */
async function save(/** @type {string} */ path, /** @type {Record<string, any>} */ groups, keep = true) {
  const old = keep && existsSync(path) ? JSON.parse(await readFile(path, "utf8")) : { groups: {} };
  const all = { ...old.groups, ...groups };
  const ordered = Object.keys(GROUPS).filter((name) => name in all);
  const content = { machine: machine(), groups: Object.fromEntries(ordered.map((name) => [name, all[name]])) };
  await mkdir(dirname(path), { recursive: true });
  // no digits beyond what a clock can tell
  const round = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  await writeFile(path, `${JSON.stringify(content, round, 1)}\n`);
  await writeFile(tablePath(path), tables(content));
}

/** Refuses what can't be written to, or would not survive it, before anything is timed. */
async function checkOut(/** @type {string} */ path) {
  if (!existsSync(path)) return;
  try {
    if (typeof JSON.parse(await readFile(path, "utf8")).groups === "object") return;
  } catch {
    // said below
  }
  throw new UsageError(`${path} exists and is not a file of results`);
}

const OPTIONS = /** @type {const} */ ({
  only: { type: "string" },
  sizes: { type: "string" },
  threads: { type: "string" },
  runs: { type: "string" },
  quick: { type: "boolean", default: false },
  out: { type: "string" },
  help: { type: "boolean", default: false },
});

function readArguments() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
}

/** The benchmarks of the GPU and of the network are programs of their own, with options of their own. */
async function handOver() {
  const args = process.argv.slice(2);
  const { only } = parseArgs({ options: { only: OPTIONS.only }, args, strict: false }).values;
  if (typeof only !== "string") return false;
  if (only.startsWith("network")) {
    const { isForNetwork, main } = await import("./network/run.mjs");
    if (!isForNetwork(only)) return false;
    await main(args);
    return true;
  }
  const { isForGpu, main } = await import("./gpu/run.mjs");
  if (!isForGpu(only)) return false;
  await main(args);
  return true;
}

async function main() {
  if (await handOver()) return;
  const values = readArguments();
  if (values.help) return console.log(USAGE);
  const { quick, only, out } = values;
  const names = groupsOf(only);
  const runs = values.runs === undefined ? {} : { runs: integers(values.runs, "--runs", 1, 1000)[0] };
  if (values.runs?.includes(",")) throw new UsageError(`--runs ${values.runs}: one number is asked for`);
  const threads = values.threads === undefined ? threadCounts() : integers(values.threads, "--threads", 1, MAX_THREADS);
  const list = values.sizes === undefined ? undefined : integers(values.sizes, "--sizes", 1, 28);
  if (list !== undefined) checkSizes(list, names);
  const sizes = list === undefined ? (quick ? QUICK_SIZES : DEFAULT_SIZES) : sizesOf(list);
  const rapidsnark = rapidsnarkOf();
  const partial = quick || values.sizes !== undefined || values.runs !== undefined || values.threads !== undefined;
  const path = resultPath({ out, partial });

  await checkOut(path);

  const { cpu, cores, memoryGiB } = machine();
  progress(`${cpu}, ${cores} cores, ${memoryGiB} GiB, node ${process.version}; load ${os.loadavg()[0].toFixed(2)}`);
  if (rapidsnark !== undefined) progress(`rapidsnark ${rapidsnark.path}, SHA-256 ${rapidsnark.sha256}`);
  /** @type {Record<string, any>} */
  const results = {};
  for (const name of names) {
    const { title, run } = GROUPS[name];
    progress(title);
    /** @type {any[]} */
    const rows = [];
    const env = environment(rapidsnark);
    const budget = { ...(quick ? QUICK_BUDGET : GROUPS[name].budget), ...runs };
    await run({
      quick,
      sizes,
      threads,
      budget,
      rapidsnark,
      report: (row) => {
        rows.push(row);
        progress(line(row));
      },
    });
    results[name] = { title, environment: env, threads, budget, rows };
    // after every group, so that a long run can be cut short
    await save(path, results, !partial || Object.keys(results).length > 1);
  }
  await closeSnarkjs();

  console.log(tables({ machine: machine(), groups: results }));
  const files = [path, tablePath(path)].map((file) => relative(process.cwd(), file));
  console.log(`Every sample: ${files[0]}; this table: ${files[1]}. ${(elapsed() / 60).toFixed(1)} minutes in all.`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n${USAGE}` : error);
  // threads of a comparison that failed are still there
  process.exit(error instanceof UsageError ? 2 : 1);
}
