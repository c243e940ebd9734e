/**
 * Retunes `circuits/layouts.json` on measured mixes: blocks of real contracts, small and large. Moves rows between the
 * templates of a layout as long as the blocks together get cheaper, and keeps every domain full. The names and sizes of the
 * layouts, and which templates a layout may hold, are given below.
 *
 *     npm run build && node scripts/tune-layouts.mjs [seconds]
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { blockRows } from "../dist/block/assemble.js";
import { layoutCost } from "../dist/block/costs.js";
import { planChunks } from "../dist/block/plan.js";
import { cachedCircuit } from "../dist/circuits/cache.js";
import { columnsOf, rowNames, SHARED_CONSTRAINTS } from "../dist/circuits/sources.js";
import { loadScenario, runScenario, SCENARIO_NAMES } from "../dist/trace/index.js";
import { CONTRACT_SCENARIOS, contractScenario, tokenTransfers } from "./contracts/scenarios.mjs";

const FILE = fileURLToPath(new URL("../circuits/layouts.json", import.meta.url));
const CACHE = fileURLToPath(new URL("../.cache", import.meta.url));
const SECONDS = Number(process.argv[2] ?? 300);
/** Rows of a domain that belong to no template: wires of the statement, powers of beta. */
const SHARED = 4 + SHARED_CONSTRAINTS;

const names = rowNames();
const weight = {};
for (const row of names) {
  const { r1cs } = await cachedCircuit({ name: `${row}-1`, power: 16, rows: { [row]: 1 } }, CACHE);
  weight[row] = r1cs.header.nConstraints - SHARED_CONSTRAINTS + columnsOf(row).length;
}

/** @type {{ name: string, share: number, demand: Map<string, number> }[]} */
const samples = [];
async function sample(name, share, scenario) {
  try {
    const { trace } = await runScenario(scenario);
    const demand = new Map([...blockRows(trace).rows].map(([row, { columns }]) => [row, columns.length]));
    const rows = [...demand].reduce((sum, [row, n]) => sum + n * weight[row], 0);
    console.log(`${name}: ${rows} rows`);
    samples.push({ name, share, demand });
  } catch (error) {
    console.log(`${name}: ${error instanceof Error ? error.message : error}`);
  }
}
const load = ({ json }) => loadScenario(JSON.stringify(json));
for (const count of [1, 3, 20, 100])
  await sample(`${count} transfers`, count === 20 ? 4 : 2, load(await tokenTransfers(count)));
for (const name of CONTRACT_SCENARIOS) await sample(name, 1, load(await contractScenario(name)));
for (const name of SCENARIO_NAMES) await sample(name, 0.5, loadScenario(name));

const layouts = JSON.parse(readFileSync(FILE, "utf8")).layouts;
const capacity = ({ power }) => 2 ** power - SHARED;
const used = ({ rows }) => Object.entries(rows).reduce((sum, [row, n]) => sum + n * weight[row], 0);

/** Makes a layout as full as it gets, in the proportions that it has. */
function fill(layout) {
  const scale = capacity(layout) / used(layout);
  for (const row of Object.keys(layout.rows)) layout.rows[row] = Math.max(1, Math.floor(layout.rows[row] * scale));
  while (used(layout) > capacity(layout)) {
    const most = Object.keys(layout.rows).reduce((a, b) => (layout.rows[b] > layout.rows[a] ? b : a));
    layout.rows[most]--;
  }
  top(layout);
}

/** Fills the rest with what fits. */
function top(layout) {
  for (;;) {
    const left = capacity(layout) - used(layout);
    const fits = Object.keys(layout.rows).filter((row) => weight[row] <= left);
    if (fits.length === 0) return;
    // what there is most of
    layout.rows[fits.reduce((a, b) => (layout.rows[b] > layout.rows[a] ? b : a))]++;
  }
}

const priced = (set) => set.map((layout) => ({ layout, cost: layoutCost(layout) }));
function price(set) {
  let sum = 0;
  for (const { share, demand } of samples) {
    const plan = planChunks(demand, priced(set));
    const cost = plan.reduce((total, n, i) => total + n * layoutCost(set[i]), 0);
    // relative to what its rows would cost in full domains, so that a block's size doesn't matter
    const rows = [...demand].reduce((total, [row, n]) => total + n * weight[row], 0);
    sum += (share * cost) / (rows + 2000);
  }
  return sum;
}

for (const layout of layouts) fill(layout);
let best = price(layouts);
console.log(`begins at ${best.toFixed(4)}`);
const until = performance.now() + 1000 * SECONDS;
let [tried, taken] = [0, 0];
let seed = 1;
const random = () => {
  seed = (seed * 1103515245 + 12345) % 2 ** 31;
  return seed / 2 ** 31;
};
const pick = (list) => list[Math.floor(random() * list.length)];
while (performance.now() < until) {
  const l = Math.floor(random() * layouts.length);
  const layout = layouts[l];
  const rows = { ...layout.rows };
  const list = Object.keys(rows);
  const [from, to] = [pick(list), pick(list)];
  if (from === to || rows[from] <= 1) continue;
  const away = Math.min(rows[from] - 1, Math.max(1, Math.ceil(rows[from] * 0.3 * random())));
  rows[from] -= away;
  const room = capacity(layout) - used({ rows });
  const more = Math.floor(room / weight[to]);
  if (more === 0) continue;
  rows[to] += more;
  const changed = { ...layout, rows };
  top(changed);
  const next = layouts.with(l, changed);
  const cost = price(next);
  tried++;
  if (cost < best) {
    best = cost;
    layouts[l] = changed;
    taken++;
    if (taken % 20 === 0) console.log(`${best.toFixed(4)} after ${tried} moves`);
  }
}
console.log(`ends at ${best.toFixed(4)}: ${taken} of ${tried} moves`);
for (const { name, demand } of samples) {
  const plan = planChunks(demand, priced(layouts));
  const chunks = plan.flatMap((n, i) => (n > 0 ? [`${n} ${layouts[i].name}`] : []));
  const domain = plan.reduce((sum, n, i) => sum + n * 2 ** layouts[i].power, 0);
  const rows = [...demand].reduce((sum, [row, n]) => sum + n * weight[row], 0);
  console.log(`${name}: ${((100 * rows) / domain).toFixed(0)} % full: ${chunks.join(", ")}`);
}
for (const layout of layouts) {
  layout.rows = Object.fromEntries(Object.entries(layout.rows).sort(([a], [b]) => (a < b ? -1 : 1)));
}
writeFileSync(FILE, `${JSON.stringify({ layouts }, undefined, 2)}\n`);
