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
import { BASELINES, line, table } from "./_harness.mjs";
import { environment, machine, machineSlug, ROOT } from "./_machine.mjs";
import { closeSnarkjs } from "./baselines/snarkjs.mjs";
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
 *
 * @typedef {Omit<ProofCase, "circuit">} KernelCase log2 of the terms of a sum and the length of a transform
 *
 * @typedef {object} Sizes
 * @property {KernelCase[]} kernels
 * @property {ProofCase[]} proofs
 * @property {number[]} setup
 * @property {number[]} verify
 *
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {Sizes} sizes
 * @property {number[]} threads ascending
 * @property {import("./_harness.mjs").Budget} budget of one comparison
 * @property {(row: import("./_harness.mjs").Row & { circuit?: object }) => void} report
 * @property {(text: string) => void} progress
 */

/** @type {Record<string, { title: string, run: (options: Options) => Promise<void> }>} */
const GROUPS = {
  field: { title: "Field multiplication", run: field },
  msm: { title: "Multi-scalar multiplication", run: msm },
  ntt: { title: "Coset transform of one polynomial", run: ntt },
  warm: { title: "Proofs, warm: one process, key loaded", run: warm },
  cold: { title: "Proofs, cold: a process each, from spawn to exit", run: cold },
  verify: { title: "Verification, warm", run: verify },
  setup: { title: "Development keys", run: setup },
};
const SHORTHANDS = { kernels: ["field", "msm", "ntt"], proofs: ["warm", "cold"] };

/** @type {Sizes} */
const DEFAULT_SIZES = {
  kernels: [12, 14, 16, 18].map((log2) => ({ log2, series: log2 === 16 })),
  proofs: [
    ...[12, 13, 14, 15, 16, 17].map((log2) => ({ circuit: "poseidon-chain", log2, series: log2 === 15 })),
    { circuit: "sha256-blocks", log2: 16 },
    { circuit: "squares", log2: 18 },
  ],
  setup: [16],
  verify: [12],
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
};
const DEFAULT_BUDGET = { seconds: 12, min: 3, max: 9 };
const QUICK_BUDGET = { seconds: 0, min: 2, max: 2 };

const USAGE = `npm run bench -- [options]
  --only <groups>    of ${[...Object.keys(GROUPS), ...Object.keys(SHORTHANDS)].join(", ")}
  --sizes <k,...>    log2 of the sizes, instead of the defaults
  --threads <n,...>  thread counts, default 1, 2, 4, ... and all of the machine
  --runs <n>         recorded rounds of each comparison, default ${DEFAULT_BUDGET.min} to ${DEFAULT_BUDGET.max} by time
  --quick            the smallest sizes, to see that everything works
  --out <file>       where the JSON goes`;

class UsageError extends Error {}

/** Comma-separated positive integers, ascending. */
function integers(/** @type {string} */ text, /** @type {string} */ option) {
  const numbers = text.split(",").map(Number);
  if (!numbers.every((n) => Number.isInteger(n) && n > 0))
    throw new UsageError(`${option} ${text}: not positive integers`);
  return numbers.toSorted((a, b) => a - b);
}

function threadCounts() {
  const all = os.availableParallelism();
  const counts = [all];
  for (let n = 1; n < all; n *= 2) counts.push(n);
  return counts.toSorted((a, b) => a - b);
}

/** Every circuit at the sizes it can have, all thread counts. */
const sizesOf = (/** @type {number[]} */ list) => ({
  kernels: list.map((log2) => ({ log2, series: true })),
  proofs: Object.entries(FAMILIES).flatMap(
    ([
      circuit,
      {
        sizes: [min, max],
      },
    ]) => list.filter((k) => k >= min && k <= max).map((log2) => ({ circuit, log2, series: true })),
  ),
  setup: list,
  verify: list,
});

function groupsOf(/** @type {string | undefined} */ only) {
  if (only === undefined) return Object.keys(GROUPS);
  const names = only.split(",").flatMap((name) => /** @type {Record<string, string[]>} */ (SHORTHANDS)[name] ?? [name]);
  const unknown = names.find((name) => !(name in GROUPS));
  if (unknown !== undefined) throw new UsageError(`--only ${unknown}: no such group`);
  return names;
}

/**
 * Where results go: full runs of a group to this machine's file, others out of git's sight.
 *
 * @param {{ out?: string, partial: boolean }} options
 */
const resultPath = ({ out, partial }) =>
  out ??
  (partial ? join(ROOT, ".cache", "bench", "partial.json") : join(ROOT, "bench", "results", `${machineSlug()}.json`));

/** Puts the results of the groups that were run into the file, next to those of the others. */
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

async function main() {
  const values = readArguments();
  if (values.help) return console.log(USAGE);
  const { quick, only, out } = values;
  const names = groupsOf(only);
  const budget = { ...(quick ? QUICK_BUDGET : DEFAULT_BUDGET) };
  if (values.runs !== undefined) Object.assign(budget, { runs: integers(values.runs, "--runs")[0] });
  const threads = values.threads === undefined ? threadCounts() : integers(values.threads, "--threads");
  const defaults = quick ? QUICK_SIZES : DEFAULT_SIZES;
  const sizes = values.sizes === undefined ? defaults : sizesOf(integers(values.sizes, "--sizes"));
  const partial = quick || values.sizes !== undefined || values.runs !== undefined || values.threads !== undefined;
  const path = resultPath({ out, partial });

  const { cpu, cores, memoryGiB } = machine();
  console.error(
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, node ${process.version}; load ${os.loadavg()[0].toFixed(2)}`,
  );
  const start = performance.now();
  /** @type {Record<string, any>} */
  const results = {};
  for (const name of names) {
    const { title, run } = GROUPS[name];
    console.error(`\n${title} [${((performance.now() - start) / 60_000).toFixed(1)} min]`);
    /** @type {any[]} */
    const rows = [];
    const env = environment();
    await run({
      quick,
      sizes,
      threads,
      budget,
      report: (row) => {
        rows.push(row);
        console.error(`  ${line(row)}`);
      },
      progress: (text) => console.error(`  ${text}`),
    });
    results[name] = { title, environment: env, threads, budget, rows };
    // after every group, so that a long run can be cut short
    await save(path, results, !partial || Object.keys(results).length > 1);
  }
  await closeSnarkjs();

  for (const { title, rows } of Object.values(results)) console.log(`\n${table(title, rows)}`);
  console.log(
    `Times as fast: median of ${[...BASELINES].join(" or ")} over ours, (least and greatest ratio within one round).`,
  );
  console.log(
    `Every sample: ${relative(process.cwd(), path)}; ${((performance.now() - start) / 60_000).toFixed(1)} minutes in all.`,
  );
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n${USAGE}` : error);
  // threads of a comparison that failed are still there
  process.exit(error instanceof UsageError ? 2 : 1);
}
