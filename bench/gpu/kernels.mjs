/**
 * Sums and transforms on the GPU against all threads of WebAssembly, in the same run.
 *
 * Bases and scalars lie where they are needed, as those of a loaded key and of a witness do; what is timed ends when the result is
 * known. Bases are all distinct: uniform multiples of the generator, which are known, so that the right result is one
 * multiplication by `@noble/curves`.
 *
 * A transform is what a proof needs three times: from values on the domain to values on its odd coset. WebAssembly does it as in
 * a proof, in place in the memory that its threads share. Up to 2^18 its result is checked by itself (`../kernels/_transform.mjs`),
 * beyond that the two have to agree, byte by byte, everywhere.
 *
 * @module
 */

import { openBackend } from "chunkproof/prover";
import { POINT_BYTES } from "../../dist/prover/wasm/field.js";
import { compare, must } from "../_harness.mjs";
import { progress } from "../_progress.mjs";
import { coordinates, createEngine, expectedSum, multiples, uniformScalars } from "../kernels/_engine.mjs";
import { cosetTransform, judge } from "../kernels/_transform.mjs";

/** @typedef {import("../kernels/_engine.mjs").Group} Group */

/** Largest transform whose values are checked by BigInt. */
const JUDGED = 18;

/**
 * Bases with known logarithms, and what their sums have to be.
 *
 * @param {Group} group
 * @param {number} n
 * @param {number} threads
 */
export async function knownBases(group, n, threads) {
  progress(`${n} bases in ${group} ...`);
  const logs = uniformScalars(n, 2n);
  const maker = await createEngine(threads);
  try {
    const points = await multiples(maker, group, logs);
    const size = POINT_BYTES[group];
    return {
      /** The first `count` of them. */
      source: (/** @type {number} */ count) => ({
        group,
        count,
        read: async (/** @type {number} */ from, /** @type {number} */ to) => points.slice(from * size, to * size),
      }),
      /** Throws if that is not the sum with these scalars. */
      judge: (/** @type {Uint8Array} */ scalars) => {
        const expected = expectedSum(group, logs, scalars);
        return (/** @type {any} */ { x, y }, /** @type {string} */ who) =>
          must(coordinates(group, x, y) === expected, `${who}, sum in ${group}`);
      },
    };
  } finally {
    await maker.engine.close();
  }
}

/** @param {import("./run.mjs").Options} options */
export async function sums({ sizes, threads, budget, open, report }) {
  for (const group of /** @type {const} */ (["g1", "g2"])) {
    const list = sizes.msm[group];
    if (list.length === 0) continue;
    const known = await knownBases(group, 2 ** Math.max(...list), threads);
    for (const log2 of list) {
      const n = 2 ** log2;
      const values = uniformScalars(n);
      const judge = known.judge(values);
      const wasm = await openBackend("wasm", { threads });
      const { backend: gpu } = await open();
      try {
        const sides = [];
        for (const backend of [wasm, gpu]) {
          const bases = await backend.putBases(known.source(n));
          sides.push({ backend, bases, scalars: await backend.putScalars(values) });
        }
        const contenders = sides.map(({ backend, bases, scalars }) => ({
          name: backend.name,
          run: () => backend.msm(bases, scalars),
          check: (/** @type {any} */ point) => judge(point, backend.name),
        }));
        contenders.push({
          name: "webgpu, scalars uploaded",
          run: async () => {
            const scalars = await gpu.putScalars(values);
            try {
              return await gpu.msm(sides[1].bases, scalars);
            } finally {
              scalars.free();
            }
          },
          check: (point) => judge(point, "webgpu"),
        });
        const row = await compare(`msm ${group}`, { log2, threads }, contenders, budget);
        report({ ...row, device: { memory: gpu.info().memory } });
      } finally {
        await gpu.close();
        await wasm.close();
      }
    }
  }
}

/**
 * Keeps the powers of a domain's root on a device, as a key there does; else each transform computes them.
 *
 * @param {any} backend
 * @param {number} power
 */
export async function keepDomain(backend, power) {
  const none = {
    offsets: new Uint32Array(2 ** power + 1),
    wires: new Uint32Array(),
    coefficients: async () => new Uint8Array(),
  };
  return backend.putConstraints({ power, nVars: 1, a: none, b: none });
}

/** @param {import("./run.mjs").Options} options */
export async function transforms({ sizes, threads, budget, open, report }) {
  for (const log2 of sizes.ntt) {
    const input = uniformScalars(2 ** log2, 3n);
    const handle = await createEngine(threads);
    const { backend: gpu, watched } = await open();
    try {
      const ours = await cosetTransform(handle, log2, input);
      await ours.run();
      const expected = ours.values();
      if (log2 <= JUDGED) must(judge(input, log2)(expected), "wasm ntt");
      const same = (/** @type {Uint8Array} */ out, /** @type {string} */ who) =>
        must(Buffer.compare(out, expected) === 0, `${who}, transform of 2^${log2}`);
      await keepDomain(gpu, log2);
      const values = await gpu.putScalars(input);
      const contenders = [
        { name: "wasm", prepare: ours.reset, run: ours.run, check: () => same(ours.values(), "wasm") },
        {
          name: "webgpu",
          run: async () => {
            const result = await gpu.ntt(values, "coset");
            await watched.done();
            return result;
          },
          check: async (/** @type {any} */ result) => {
            same(await gpu.readScalars(result), "webgpu");
            result.free();
          },
        },
        {
          name: "webgpu, there and back",
          run: async () => {
            const there = await gpu.putScalars(input);
            const result = await gpu.ntt(there, "coset");
            const out = await gpu.readScalars(result);
            for (const set of [there, result]) set.free();
            return out;
          },
          check: (/** @type {any} */ out) => same(out, "webgpu"),
        },
      ];
      const row = await compare("coset ntt", { log2, threads }, contenders, budget);
      report({ ...row, device: { memory: gpu.info().memory } });
    } finally {
      await gpu.close();
      await handle.engine.close();
    }
  }
}
