/**
 * What a proof transforms, once for each of three polynomials: from values on the domain to values on its odd coset,
 * i.e. inverse transform, multiplication by powers of the shift, forward transform.
 *
 * Checked against the definition: the value at a coset point is that of the interpolating polynomial, in barycentric form.
 *
 * @module
 */

import { FIELD_SIZE, FR_MODULUS } from "../../dist/formats/bn254.js";
import { invMod, powMod, rootOfUnity } from "../../dist/prover/wasm/constants.js";
import { putField } from "../../dist/prover/wasm/field.js";
import { compare, must, threadsOf } from "../_harness.mjs";
import { snarkjsCurve } from "../baselines/snarkjs.mjs";
import { createEngine, scalarAt, uniformScalars } from "./_engine.mjs";

/** @param {import("../run.mjs").Options} options */
export async function ntt({ sizes, threads, budget, report }) {
  for (const { log2, series } of sizes.kernels) {
    const n = 2 ** log2;
    const input = uniformScalars(n, 3n);
    const expected = [0, 1, n / 2 + 1, n - 1].map((i) => /** @type {const} */ ([i, cosetValue(input, log2, i)]));
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
            check: (/** @type {Uint8Array} */ out) =>
              must(
                expected.every(([i, value]) => scalarAt(out.slice(), i) === value),
                "snarkjs ntt",
              ),
          },
          {
            name: "chunkproof",
            prepare: ours.reset,
            run: ours.run,
            check: () =>
              must(
                expected.every(([i, value]) => ours.value(i) === value),
                "chunkproof ntt",
              ),
          },
        ];
        report(await compare("coset ntt", { log2, threads: count }, contenders, budget));
      } finally {
        await handle.engine.close();
      }
    }
  }
}

/** f(g·ω^i) for f of degree below n with f(ω^j) = values[j], where g² = ω: (gⁿ - 1)/n · Σ values[j]·ω^j / (g·ω^i - ω^j). */
function cosetValue(/** @type {Uint8Array} */ values, /** @type {number} */ log2, /** @type {number} */ i) {
  const n = 2 ** log2;
  const root = rootOfUnity(log2);
  const at = (rootOfUnity(log2 + 1) * powMod(root, BigInt(i), FR_MODULUS)) % FR_MODULUS;
  // all differences, inverted with one inversion
  const powers = new Array(n);
  const products = new Array(n + 1);
  products[0] = 1n;
  for (let j = 0, power = 1n; j < n; j++, power = (power * root) % FR_MODULUS) {
    powers[j] = power;
    products[j + 1] = (products[j] * (at - power + FR_MODULUS)) % FR_MODULUS;
  }
  let inverse = invMod(products[n], FR_MODULUS);
  let sum = 0n;
  for (let j = n - 1; j >= 0; j--) {
    sum += ((scalarAt(values, j) * powers[j]) % FR_MODULUS) * ((inverse * products[j]) % FR_MODULUS);
    inverse = (inverse * (at - powers[j] + FR_MODULUS)) % FR_MODULUS;
  }
  const factor = (powMod(at, BigInt(n), FR_MODULUS) - 1n + FR_MODULUS) * invMod(BigInt(n), FR_MODULUS);
  return ((sum % FR_MODULUS) * (factor % FR_MODULUS)) % FR_MODULUS;
}

/**
 * One polynomial through the prover's transforms.
 *
 * @param {import("./_engine.mjs").Handle} handle
 * @param {number} log2
 * @param {Uint8Array} input
 */
async function cosetTransform({ engine }, log2, input) {
  const { heap, kernel, fieldBytes, pairBytes } = engine;
  const n = 2 ** log2;
  const size = (pairBytes * n) / 2;
  const poly = heap.alloc(size);
  const [twiddles, coset] = [heap.alloc(size + pairBytes), heap.alloc(size + pairBytes)];
  const [element, bytes, root, shift, inverse] = Array.from({ length: 5 }, () => heap.alloc(fieldBytes));
  putField(engine, "fr", root, rootOfUnity(log2));
  putField(engine, "fr", shift, rootOfUnity(log2 + 1));
  putField(engine, "fr", inverse, invMod(BigInt(n), FR_MODULUS));
  await engine.run([
    { calls: [["ntt_twiddles", twiddles, root, log2]] },
    { calls: [["ntt_coset", coset, shift, inverse, log2]] },
  ]);

  for (let i = 0; i < n; i++) {
    heap.view(bytes, FIELD_SIZE).set(input.subarray(i * FIELD_SIZE, (i + 1) * FIELD_SIZE));
    kernel.fr_fromBytes(element, bytes);
    kernel.fr_toMont(element, element);
    kernel.fr_putLane(poly + (i >> 1) * pairBytes, i & 1, element);
  }
  const start = heap.view(poly, size).slice();
  // as prove.ts cuts them
  const partBits = Math.max(0, Math.min(4, (log2 - 1) >> 1));
  const parts = 2 ** partBits;
  const block = n / parts;
  const each = (/** @type {(p: number) => any} */ call) =>
    Array.from({ length: parts }, (_, p) => ({ calls: [call(p)] }));
  const columns = (/** @type {number} */ p) => [(block * p) / parts, (block * (p + 1)) / parts];
  const rounds = [
    each((p) => ["ntt_outerDif", poly, twiddles, log2, partBits, ...columns(p)]),
    each((p) => ["ntt_block", poly, twiddles, coset, log2, partBits, p]),
    each((p) => ["ntt_outerDit", poly, twiddles, log2, partBits, ...columns(p)]),
  ];
  return {
    reset: () => heap.view(poly, size).set(start),
    async run() {
      for (const tasks of rounds) await engine.run(/** @type {any} */ (tasks));
    },
    /** Value i of the result, which lies at position -i mod n. */
    value(/** @type {number} */ i) {
      const at = (n - i) % n;
      kernel.fr_getLane(element, poly + (at >> 1) * pairBytes, at & 1);
      kernel.fr_fromMont(element, element);
      kernel.fr_toBytes(bytes, element);
      return scalarAt(heap.view(bytes, FIELD_SIZE).slice(), 0);
    },
  };
}
