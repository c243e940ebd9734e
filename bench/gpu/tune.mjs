/**
 * `--tune`: which kernels are the fastest on this GPU. Limb bits × unrolled or not × additions spelled out or not × workgroup size first, by a sum in G1 and a
 * transform; then, for the best of these, bits of a digit × points an invocation adds up, and layers of a transform; at the end the best
 * against the defaults, in turns, with G2 and the largest size.
 *
 * Every result is checked before it counts. A combination that the device refuses, or that computes something wrong, is
 * reported as such and out.
 *
 * @module
 */

import { Device } from "../../dist/prover/webgpu/device.js";
import { Msm } from "../../dist/prover/webgpu/msm.js";
import { Ntt } from "../../dist/prover/webgpu/ntt.js";
import { DEFAULT_TUNING, resolveTuning } from "../../dist/prover/webgpu/tuning.js";
import { compare, must, stats } from "../_harness.mjs";
import { progress } from "../_progress.mjs";
import { createEngine, uniformScalars } from "../kernels/_engine.mjs";
import { cosetTransform } from "../kernels/_transform.mjs";
import { watch } from "./adapter.mjs";
import { knownBases } from "./kernels.mjs";

/** @typedef {typeof DEFAULT_TUNING} Tuning */

/** A proof has three sums in G1 over the witness and the quotient, one in G2 that takes as long as about three, three transforms. */
const SUMS = 6;
const TRANSFORMS = 3;
const RUNS = 3;

const FULL = {
  limbBits: [12, 13, 14, 15],
  unroll: [true, false],
  spell: ["none", "run", "all"],
  workgroup: [32, 64, 128, 256],
  windowBits: [0, 8, 9, 10, 11, 12, 13, 14, 15, 16],
  run: [0, 8, 16, 32, 64, 128, 256],
  layers: [0, 6, 7, 8, 9, 10, 11, 12],
};
const QUICK = {
  limbBits: [13, 15],
  unroll: [true, false],
  spell: ["none", "run"],
  workgroup: [64],
  windowBits: [0, 7],
  run: [0, 8],
  layers: [0, 5],
};

/** What is summed and transformed, and what has to come out. */
async function workload(/** @type {number} */ log2, /** @type {number} */ threads) {
  const n = 2 ** log2;
  const values = uniformScalars(n);
  /** @type {Record<string, any>} */
  const groups = {};
  for (const group of /** @type {const} */ (["g1", "g2"])) {
    const known = await knownBases(group, n, threads);
    groups[group] = { source: known.source(n), judge: known.judge(values) };
  }
  const handle = await createEngine(threads);
  try {
    const ours = await cosetTransform(handle, log2, values);
    await ours.run();
    return { log2, values, groups, transformed: ours.values() };
  } finally {
    await handle.engine.close();
  }
}

/** @typedef {Awaited<ReturnType<typeof workload>>} Workload */

/**
 * A sum and a transform by kernels of a tuning.
 *
 * @param {any} device
 * @param {Partial<Tuning>} tuning
 * @param {Workload} load
 */
async function sides(device, tuning, { log2, values, groups, transformed }) {
  const resolved = resolveTuning(tuning);
  const [msm, ntt] = [new Msm(device, resolved), new Ntt(device, resolved)];
  const { scalars, domain } = await device.exclusive(async () => {
    const scalars = device.buffer(values.length, "scalars");
    device.upload(scalars, 0, values);
    // kept, as a key does
    return { scalars, domain: await ntt.domain(log2) };
  });
  /** @type {Record<string, any>} */
  const bases = {};
  return {
    /** A sum, judged by `check`. */
    sum: async (/** @type {"g1" | "g2"} */ group) => {
      bases[group] ??= await device.exclusive(() => msm.putBases(groups[group].source));
      return device.exclusive(() => msm.sum(bases[group], scalars, values.length / 32));
    },
    check: (/** @type {"g1" | "g2"} */ group, /** @type {any} */ point) => groups[group].judge(point, "webgpu"),
    transform: () =>
      device.exclusive(async () => {
        const out = await ntt.transform(scalars, log2, "coset");
        await device.done();
        return out;
      }),
    checkTransform: async (/** @type {any} */ out) => {
      const bytes = await device.exclusive(() => device.read(out, 0, values.length));
      device.free(out);
      must(Buffer.compare(bytes, transformed) === 0, "webgpu, transform");
    },
    free: () => {
      for (const set of [...Object.values(bases), domain]) set.free();
      device.free(scalars);
    },
  };
}

/** Times work after one run that is checked and not counted. */
async function time(/** @type {() => Promise<any>} */ run, /** @type {(result: any) => any} */ check) {
  await check(await run());
  const samples = [];
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    const result = await run();
    samples.push(performance.now() - start);
    await check(result);
  }
  return stats(samples);
}

const wordsOf = (/** @type {Partial<Tuning>} */ tuning) =>
  Object.entries(tuning)
    .map(([name, value]) => (name === "unroll" ? (value ? "unrolled" : "looped") : `${name} ${value}`))
    .join(", ");

/** A row of a sweep. */
const rowOf = (
  /** @type {Partial<Tuning>} */ tuning,
  /** @type {number} */ log2,
  /** @type {Record<string, any>} */ times,
) => ({
  name: "tune",
  params: { log2, tuning: wordsOf(tuning) },
  tuning,
  unit: /** @type {const} */ ("ms"),
  times,
  extras: {},
  ratios: [],
});

/** @param {import("./run.mjs").Options} options */
export async function tune({ sizes, threads, quick, budget, found, report }) {
  const grid = quick ? QUICK : FULL;
  const load = await workload(sizes.tune, threads);
  const { log2 } = load;
  const attempt = async (/** @type {Partial<Tuning>} */ tuning, /** @type {() => Promise<any>} */ work) => {
    try {
      return await work();
    } catch (error) {
      const { code, message, got } = /** @type {any} */ (error);
      progress(`${wordsOf(tuning)}: out: ${code ?? ""} ${message} ${got ?? ""}`);
      report({ ...rowOf(tuning, log2, {}), failed: { code, message, got } });
      return undefined;
    }
  };

  /** @type {{ tuning: Partial<Tuning>, cost: number }[]} */
  const tried = [];
  for (const limbBits of /** @type {(12 | 13 | 14 | 15)[]} */ (grid.limbBits)) {
    for (const unroll of grid.unroll) {
      for (const [spell, workgroup] of grid.spell.flatMap((s) => grid.workgroup.map((w) => [s, w]))) {
        const tuning = /** @type {Partial<Tuning>} */ ({ limbBits, unroll, spell, workgroup });
        const watched = watch(found.gpu);
        const device = await Device.open({ gpu: watched.gpu });
        await attempt(tuning, async () => {
          const { sum, check, transform, checkTransform } = await sides(device, tuning, load);
          const msm = await time(
            () => sum("g1"),
            (point) => check("g1", point),
          );
          const ntt = await time(transform, checkTransform);
          tried.push({ tuning, cost: SUMS * msm.median + TRANSFORMS * ntt.median });
          report(rowOf(tuning, log2, { "msm g1": msm, "coset ntt": ntt, compile: stats([watched.compileMs]) }));
        });
        device.close();
      }
    }
  }
  tried.sort((a, b) => a.cost - b.cost);
  if (tried.length === 0) throw new Error("no tuning works on this device");
  const best = tried[0].tuning;
  progress(`best kernels: ${wordsOf(best)}`);

  // the same pipelines for all of these
  const device = await Device.open({ gpu: found.gpu });
  /** @type {{ tuning: Partial<Tuning>, ms: number }[]} */
  const windows = [];
  for (const windowBits of grid.windowBits) {
    for (const run of grid.run) {
      const tuning = { windowBits, run };
      await attempt(tuning, async () => {
        const { sum, check, free } = await sides(device, { ...best, ...tuning }, load);
        const msm = await time(
          () => sum("g1"),
          (point) => check("g1", point),
        );
        free();
        windows.push({ tuning, ms: msm.median });
        report(rowOf(tuning, log2, { "msm g1": msm }));
      });
    }
  }
  /** @type {{ tuning: Partial<Tuning>, ms: number }[]} */
  const layers = [];
  for (const count of grid.layers) {
    const tuning = { layers: count };
    await attempt(tuning, async () => {
      const { transform, checkTransform, free } = await sides(device, { ...best, ...tuning }, load);
      const ntt = await time(transform, checkTransform);
      free();
      layers.push({ tuning, ms: ntt.median });
      report(rowOf(tuning, log2, { "coset ntt": ntt }));
    });
  }
  device.close();
  const fastest = (/** @type {typeof windows} */ list) => list.toSorted((a, b) => a.ms - b.ms)[0]?.tuning ?? {};
  const chosen = { ...best, ...fastest(windows), ...fastest(layers) };

  // a window is best at one size: at others the default's choice by size may be better
  const large = sizes.tuneLarge === log2 ? load : await workload(sizes.tuneLarge, threads);
  const candidates = { defaults: {}, "best kernels": best, best: chosen };
  /** @type {any[]} */
  const devices = [];
  try {
    const opened = [];
    for (const [name, tuning] of Object.entries(candidates)) {
      const own = await Device.open({ gpu: found.gpu });
      devices.push(own);
      opened.push({ name, ...(await sides(own, tuning, large)) });
    }
    for (const group of /** @type {const} */ (["g1", "g2"])) {
      const contenders = opened.map(({ name, sum, check }) => ({
        name,
        run: () => sum(group),
        check: (/** @type {any} */ point) => check(group, point),
      }));
      report(await compare(`msm ${group}`, { log2: large.log2 }, contenders, budget));
    }
    const contenders = opened.map(({ name, transform, checkTransform }) => ({
      name,
      run: transform,
      check: checkTransform,
    }));
    report(await compare("coset ntt", { log2: large.log2 }, contenders, budget));
  } finally {
    for (const own of devices) own.close();
  }
  progress(`defaults: ${wordsOf(DEFAULT_TUNING)}`);
  progress(`best: ${wordsOf(chosen)}`);
  return { defaults: DEFAULT_TUNING, bestKernels: best, best: chosen };
}
