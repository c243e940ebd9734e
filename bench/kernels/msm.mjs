/**
 * Multi-scalar multiplication in G1 and G2. The bases are known multiples of the generator, so that the right result is
 * one multiplication by `@noble/curves`.
 *
 * chunkproof's bases are in its memory already, as those of a loaded key are; snarkjs takes bases and scalars as byte
 * arrays and copies them to its workers in every call, as it does in a proof.
 *
 * Uniform scalars at every size; where every thread count is timed, also such as a witness of bits has them.
 *
 * @module
 */

import { POINT_BYTES } from "../../dist/prover/wasm/field.js";
import { compare, must, threadsOf } from "../_harness.mjs";
import { progress } from "../_progress.mjs";
import { snarkjsCurve } from "../baselines/snarkjs.mjs";
import {
  coordinates,
  createEngine,
  expectedSum,
  loadBases,
  multiples,
  msm as multiply,
  uniformScalars,
  witnessScalars,
} from "./_engine.mjs";

/** @param {import("../run.mjs").Options} options */
export async function msm({ sizes, threads, budget, report }) {
  const largest = 2 ** Math.max(...sizes.kernels.map(({ log2 }) => log2));
  const logs = uniformScalars(largest, 2n);
  for (const group of /** @type {const} */ (["g1", "g2"])) {
    progress(`${largest} bases in ${group}`);
    const maker = await createEngine(Math.max(...threads));
    const points = await multiples(maker, group, logs);
    await maker.engine.close();
    for (const { log2, series } of sizes.kernels) {
      const n = 2 ** log2;
      const bases = points.slice(0, n * POINT_BYTES[group]);
      const families = { uniform: uniformScalars(n) };
      if (series) Object.assign(families, { witness: witnessScalars(n) });
      for (const [scalars, values] of Object.entries(families)) {
        const expected = expectedSum(group, logs, values);
        for (const count of threadsOf({ series }, threads)) {
          const curve = await snarkjsCurve(count);
          const handle = await createEngine(count);
          try {
            const loaded = await loadBases(handle, group, bases);
            const theirs = curve[group === "g1" ? "G1" : "G2"];
            const contenders = [
              {
                name: "snarkjs",
                run: () => theirs.multiExpAffine(bases, values),
                check: (/** @type {any} */ p) =>
                  must(String(theirs.toObject(theirs.toAffine(p)).slice(0, 2)) === expected, "snarkjs msm"),
              },
              {
                name: "chunkproof",
                run: () => multiply(handle, loaded, values),
                check: (/** @type {any} */ { x, y }) => must(coordinates(group, x, y) === expected, "chunkproof msm"),
              },
            ];
            report(await compare(`msm ${group}`, { log2, scalars, threads: count }, contenders, budget));
          } finally {
            await handle.engine.close();
          }
        }
      }
    }
  }
}
