/**
 * What a proof transforms, once for each of three polynomials: from values on the domain to values on its odd coset,
 * i.e. inverse transform, multiplication by powers of the shift, forward transform.
 *
 * chunkproof transforms in place, in the memory that its threads share, from its own form of elements to that form, and
 * leaves the values in the order in which the prover reads them; the tables are those of a loaded key. snarkjs takes a byte
 * array, copies it to its workers and back in each of the three steps, and brings the values into their order. Both is what
 * they do in a proof.
 *
 * Every value of every result is checked, see `_transform.mjs`.
 *
 * @module
 */

import { compare, must, threadsOf } from "../_harness.mjs";
import { snarkjsCurve } from "../baselines/snarkjs.mjs";
import { createEngine, uniformScalars } from "./_engine.mjs";
import { cosetTransform, judge } from "./_transform.mjs";

/** @param {import("../run.mjs").Options} options */
export async function ntt({ sizes, threads, budget, report }) {
  for (const { log2, series } of sizes.kernels) {
    const input = uniformScalars(2 ** log2, 3n);
    const isTransform = judge(input, log2);
    for (const count of threadsOf({ series }, threads)) {
      const curve = await snarkjsCurve(count);
      const handle = await createEngine(count);
      try {
        const ours = await cosetTransform(handle, log2, input);
        const { Fr } = curve;
        const shift = Fr.w[log2 + 1];
        const contenders = [
          {
            name: "snarkjs",
            run: async () => Fr.fft(await Fr.batchApplyKey(await Fr.ifft(input), Fr.e(1), shift)),
            check: (/** @type {Uint8Array} */ out) => must(isTransform(out), "snarkjs ntt"),
          },
          {
            name: "chunkproof",
            prepare: ours.reset,
            run: ours.run,
            check: () => must(isTransform(ours.values()), "chunkproof ntt"),
          },
        ];
        report(await compare("coset ntt", { log2, threads: count }, contenders, budget));
      } finally {
        await handle.engine.close();
      }
    }
  }
}
