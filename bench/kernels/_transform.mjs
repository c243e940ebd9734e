/**
 * chunkproof's transform to the odd coset as the prover runs it, and whether a result is right.
 *
 * Every value of every result is checked: the polynomial of degree below n that has these values on the coset must be, at
 * a random point, what the polynomial of the input is there (in barycentric form, by BigInt). A wrong result passes with a
 * probability of n/r, less than 2^-230.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { FIELD_SIZE, FR_MODULUS } from "../../dist/formats/bn254.js";
import { loadRoots } from "../../dist/prover/key.js";
import { invMod, powMod, rootOfUnity } from "../../dist/prover/wasm/constants.js";
import { transformOf } from "../../dist/prover/wasm/ntt.js";
import { must } from "../_harness.mjs";
import { scalarAt } from "./_engine.mjs";

/** Says whether values are those on the coset of the polynomial that has the values of `input` on the domain. */
export function judge(/** @type {Uint8Array} */ input, /** @type {number} */ log2) {
  const r = FR_MODULUS;
  const z = BigInt(`0x${randomBytes(48).toString("hex")}`) % r;
  const expected = combination(input, lagrange(log2, z));
  // f(g·x) has on the domain the values that f has on the coset
  const weights = lagrange(log2, (z * invMod(rootOfUnity(log2 + 1), r)) % r);
  return (/** @type {Uint8Array} */ values) => combination(values, weights) === expected;
}

/** Σ weights[i]·values[i]; as many values as weights, each below r. */
function combination(/** @type {Uint8Array} */ values, /** @type {bigint[]} */ weights) {
  must(values.length === weights.length * FIELD_SIZE, "the result of a transform is as long as its input");
  // a copy, since words must be aligned
  const bytes = values.slice();
  let sum = 0n;
  for (let i = 0; i < weights.length; i++) {
    const value = scalarAt(bytes, i);
    must(value < FR_MODULUS, `value ${i} of a transform is canonical`);
    sum += value * weights[i];
  }
  return sum % FR_MODULUS;
}

/** Lagrange polynomials of the domain at z: (zⁿ - 1)/n · ω^i/(z - ω^i). */
function lagrange(/** @type {number} */ log2, /** @type {bigint} */ z) {
  const r = FR_MODULUS;
  const n = 2 ** log2;
  const root = rootOfUnity(log2);
  const powers = new Array(n);
  // all differences, inverted with one inversion
  const products = new Array(n + 1);
  products[0] = 1n;
  for (let i = 0, power = 1n; i < n; i++, power = (power * root) % r) {
    powers[i] = power;
    products[i + 1] = (products[i] * (z - power + r)) % r;
  }
  must(products[n] !== 0n, "the random point is not in the domain");
  let inverse = invMod(products[n], r);
  const factor = ((powMod(z, BigInt(n), r) + r - 1n) * invMod(BigInt(n), r)) % r;
  for (let i = n - 1; i >= 0; i--) {
    const power = powers[i];
    powers[i] = (((power * factor) % r) * ((inverse * products[i]) % r)) % r;
    inverse = (inverse * (z - power + r)) % r;
  }
  return powers;
}

/**
 * One polynomial through the prover's transform.
 *
 * @param {import("./_engine.mjs").Handle} handle
 * @param {number} log2
 * @param {Uint8Array} input
 */
export async function cosetTransform({ engine }, log2, input) {
  const { heap, kernel, fieldBytes, pairBytes } = engine;
  const n = 2 ** log2;
  const size = (pairBytes * n) / 2;
  const poly = heap.alloc(size);
  const [element, bytes] = [heap.alloc(fieldBytes), heap.alloc(FIELD_SIZE)];
  const { parts, outerDif, inner, outerDit } = transformOf(log2, await loadRoots(engine, log2));

  for (let i = 0; i < n; i++) {
    heap.view(bytes, FIELD_SIZE).set(input.subarray(i * FIELD_SIZE, (i + 1) * FIELD_SIZE));
    kernel.fr_fromBytes(element, bytes);
    kernel.fr_toMont(element, element);
    kernel.fr_putLane(poly + (i >> 1) * pairBytes, i & 1, element);
  }
  const start = heap.view(poly, size).slice();
  const rounds = [outerDif, inner, outerDit].map((call) =>
    Array.from({ length: parts }, (_, p) => ({ calls: [call(poly, p)] })),
  );
  return {
    reset: () => heap.view(poly, size).set(start),
    async run() {
      for (const tasks of rounds) await engine.run(tasks);
    },
    /** The values in the order of the coset: value i lies at position -i mod n. */
    values() {
      const out = new Uint8Array(n * FIELD_SIZE);
      for (let i = 0; i < n; i++) {
        const at = (n - i) % n;
        kernel.fr_getLane(element, poly + (at >> 1) * pairBytes, at & 1);
        kernel.fr_fromMont(element, element);
        kernel.fr_toBytes(bytes, element);
        out.set(heap.view(bytes, FIELD_SIZE), i * FIELD_SIZE);
      }
      return out;
    },
  };
}
