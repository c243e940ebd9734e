/**
 * Verify, then time: interleaved rounds of several contenders, medians and spread.
 *
 * A round runs every contender once, so that whatever slows the machine down meets all of them; the next round begins with
 * the next contender (A B C, B C A, C A B, ...), so that none always follows the same. A warm-up round is not recorded.
 * Every result of every round is checked, outside the timed region: a contender that computes something wrong ends the
 * benchmark.
 *
 * @module
 */

import { progress } from "./_progress.mjs";

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {() => unknown} [prepare] before each run, not timed
 * @property {(prepared: any) => unknown} run timed
 * @property {(result: any, prepared: any) => unknown} check after each run, not timed; throws if the result is wrong
 * @property {(result: any) => Record<string, number>} [extras] other numbers of a run, e.g. `maxRss` (MB); unless given,
 *   `cpu`: the processor time that all threads of this process took, in the unit of the samples
 * @property {number} [perRun] operations in a run, 1 unless given; samples are milliseconds for one
 *
 * @typedef {object} Budget
 * @property {number} [runs] rounds; overrules the rest
 * @property {number} seconds no more rounds are begun after that
 * @property {number} min rounds at least
 * @property {number} max rounds at most
 *
 * @typedef {object} Stats
 * @property {number} median
 * @property {number} min
 * @property {number} p25
 * @property {number} p75
 * @property {number} max
 * @property {number[]} samples in the order they were taken
 *
 * @typedef {object} Row one comparison
 * @property {string} name
 * @property {Record<string, string | number>} params
 * @property {"ms" | "ns"} unit
 * @property {Record<string, Stats>} times by contender
 * @property {Record<string, Record<string, Stats>>} extras by contender, then by number
 * @property {Ratio[]} ratios
 *
 * @typedef {object} Ratio how many times as long one contender takes as another, which is ours
 * @property {string} of
 * @property {string} to
 * @property {number} ratio of the medians
 * @property {number} min least ratio within one round
 * @property {number} max greatest ratio within one round
 */

/** Competitors; everything else in a comparison is ours. */
export const BASELINES = new Set(["snarkjs", "rapidsnark", "@ethereumjs/vm"]);

/** The q-quantile of ascending numbers, interpolated. */
function quantile(/** @type {number[]} */ sorted, /** @type {number} */ q) {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

/**
 * @param {number[]} samples
 * @returns {Stats}
 */
export function stats(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const [min, p25, median, p75, max] = [0, 0.25, 0.5, 0.75, 1].map((q) => quantile(sorted, q));
  return { median, min, p25, p75, max, samples };
}

/** Throws unless `condition` holds: a wrong result must not be timed. */
export function must(/** @type {unknown} */ condition, /** @type {string} */ what) {
  if (!condition) throw new Error(`wrong result: ${what}`);
}

/**
 * Runs the contenders against each other.
 *
 * @param {string} name
 * @param {Record<string, string | number>} params
 * @param {Contender[]} contenders
 * @param {Budget} budget
 * @param {{ unit?: "ms" | "ns", warmUp?: boolean }} [options] `warmUp: false`: the caller has seen to that
 * @returns {Promise<Row>}
 */
export async function compare(name, params, contenders, budget, { unit = "ms", warmUp = true } = {}) {
  const factor = unit === "ns" ? 1e6 : 1;
  /** @type {Map<string, number[]>} */
  const times = new Map(contenders.map((c) => [c.name, []]));
  /** @type {Map<string, Map<string, number[]>>} */
  const extras = new Map(contenders.map((c) => [c.name, new Map()]));

  const round = async (/** @type {number} */ first, /** @type {boolean} */ record) => {
    const order = contenders.map((_, i) => contenders[(first + i) % contenders.length]);
    for (const { name, prepare, run, check, extras: more, perRun = 1 } of order) {
      const prepared = await prepare?.();
      const cpuBefore = process.cpuUsage();
      const start = performance.now();
      const result = await run(prepared);
      const elapsed = performance.now() - start;
      const { user, system } = process.cpuUsage(cpuBefore);
      await check(result, prepared);
      if (!record) continue;
      times.get(name)?.push((elapsed / perRun) * factor);
      const numbers = more?.(result) ?? { cpu: ((user + system) / 1000 / perRun) * factor };
      for (const [key, value] of Object.entries(numbers)) {
        const all = /** @type {Map<string, number[]>} */ (extras.get(name));
        all.set(key, [...(all.get(key) ?? []), value]);
      }
    }
  };

  progress(`${label({ name, params })}: ${contenders.map((c) => c.name).join("; ")} ...`);
  if (warmUp) await round(0, false);
  const { runs, seconds } = budget;
  const [min, max] = runs === undefined ? [budget.min, budget.max] : [runs, runs];
  const start = performance.now();
  for (let i = 0; i < min || (i < max && performance.now() - start < 1000 * seconds); i++) await round(i, true);

  return {
    name,
    params,
    unit,
    times: Object.fromEntries([...times].map(([key, samples]) => [key, stats(samples)])),
    extras: Object.fromEntries(
      [...extras].map(([key, all]) => [key, Object.fromEntries([...all].map(([k, samples]) => [k, stats(samples)]))]),
    ),
    ratios: ratiosOf(times),
  };
}

/** Each contender over each other one that is ours. */
function ratiosOf(/** @type {Map<string, number[]>} */ times) {
  /** @type {Ratio[]} */
  const ratios = [];
  for (const [of, slow] of times) {
    for (const [to, fast] of times) {
      if (BASELINES.has(to) || of === to) continue;
      const rounds = slow.map((t, i) => t / fast[i]);
      const ratio = stats(slow).median / stats(fast).median;
      ratios.push({ of, to, ratio, min: Math.min(...rounds), max: Math.max(...rounds) });
    }
  }
  return ratios;
}

/** Three significant digits, no exponent. */
export const short = (/** @type {number} */ x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));

/** `poseidon-chain 2^15, 2 threads` */
export function label(/** @type {Pick<Row, "name" | "params">} */ { name, params }) {
  const { log2, threads, ...rest } = params;
  const size = log2 === undefined ? "" : ` 2^${log2}`;
  const more = Object.entries(rest).map(([key, value]) => (typeof value === "string" ? value : `${value} ${key}`));
  if (threads !== undefined) more.push(threads === 1 ? "1 thread" : `${threads} threads`);
  return [`${name}${size}`, ...more].join(", ");
}

/** One line about one comparison. */
export function line(/** @type {Row} */ row) {
  const times = Object.entries(row.times).map(([name, { median, p25, p75 }]) => {
    const { cpu, maxRss } = others(row, name);
    return [`${name} ${short(median)} (${short(p25)}–${short(p75)}) ${row.unit}`, cpu && `cpu ${cpu}`, maxRss]
      .filter((part) => part)
      .join(", ");
  });
  const ratios = row.ratios
    .filter(({ of }) => BASELINES.has(of))
    .map(({ of, to, ratio, min, max }) => `${of} / ${to} ${short(ratio)} (${short(min)}–${short(max)})`);
  return `${label(row)}: ${[...times, ...ratios].join("; ")}`;
}

/** Medians of processor time and peak resident memory, where they were measured. */
function others(/** @type {Row} */ { extras, unit }, /** @type {string} */ name) {
  const { cpu, maxRss } = extras[name] ?? {};
  return { cpu: cpu ? `${short(cpu.median)} ${unit}` : "", maxRss: maxRss ? `${maxRss.median.toFixed(0)} MB` : "" };
}

/**
 * A readable table of comparisons, in Markdown: a line for each contender; a column for each contender of ours, with the
 * times of the others over its own.
 *
 * @param {string} title
 * @param {Row[]} rows
 */
export function table(title, rows) {
  const ours = [...new Set(rows.flatMap(({ times }) => Object.keys(times)))].filter((name) => !BASELINES.has(name));
  // the slower arithmetic is compared, but not what others are compared with
  const main = ours.includes("chunkproof") ? ours.filter((name) => name !== "chunkproof, int") : ours;
  const compared = main.filter((name) => rows.some(({ ratios }) => ratios.some(({ to }) => to === name)));
  const has = (/** @type {string} */ key) =>
    rows.some(({ extras }) => Object.values(extras).some((more) => key in more));
  const head = ["case", "contender", "rounds", "median", "p25–p75", "min", "CPU", "peak RSS"];
  const body = rows.flatMap((row) =>
    Object.entries(row.times).map(([name, s], i) => {
      const { cpu, maxRss } = others(row, name);
      const ratioTo = (/** @type {string} */ other) => {
        const found = row.ratios.find(({ of, to }) => of === name && to === other);
        return found ? `${short(found.ratio)} (${short(found.min)}–${short(found.max)})` : "";
      };
      return [
        i === 0 ? label(row) : "",
        name,
        String(s.samples.length),
        `${short(s.median)} ${row.unit}`,
        `${short(s.p25)}–${short(s.p75)}`,
        short(s.min),
        cpu,
        maxRss,
        ...compared.map(ratioTo),
      ];
    }),
  );
  const shown = has("maxRss") ? () => true : (/** @type {unknown} */ _, /** @type {number} */ i) => i !== 7;
  const lines = [[...head, ...compared.map((name) => `÷ ${name}`)], ...body].map((cells) => cells.filter(shown));
  const widths = lines[0].map((_, i) => Math.max(...lines.map((cells) => cells[i].length)));
  const [first, ...rest] = lines.map((cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [`## ${title}`, "", first, rule, ...rest, ""].join("\n");
}

/**
 * The thread counts of a case: all of them, or only the largest.
 *
 * @param {{ series?: boolean }} test
 * @param {number[]} threads ascending
 */
export const threadsOf = ({ series }, threads) => (series ? threads : threads.slice(-1));
