/**
 * chunkproof's kernels as the prover drives them, from its internal modules.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { encodeG1, encodeG2, FIELD_SIZE, FR_MODULUS } from "../../dist/formats/bn254.js";
import { Engine } from "../../dist/prover/wasm/engine.js";
import { POINT_BYTES, PointSpace, putConstants } from "../../dist/prover/wasm/field.js";
import { SCRATCH } from "../../dist/prover/wasm/kernel.js";
import {
  digitsSize,
  digitTasks,
  msmTasks,
  sumWindows,
  windowBits,
  windowCount,
  windowParts,
} from "../../dist/prover/wasm/msm.js";

/** @typedef {"g1" | "g2"} Group */

/**
 * An engine whose memory holds the constants of the curve.
 *
 * @param {number} threads
 * @param {"int" | "fma"} [arithmetic] default: the faster one that works here
 */
export async function createEngine(threads, arithmetic) {
  const engine = await Engine.create({ threads, arithmetic });
  return { engine, constants: putConstants(engine) };
}

/** @typedef {Awaited<ReturnType<typeof createEngine>>} Handle */

/** Splits 0 .. n into runs of at most `size`. */
function* runs(/** @type {number} */ n, /** @type {number} */ size) {
  for (let from = 0; from < n; from += size) yield [from, Math.min(n, from + size)];
}

/** n uniform scalars: `n × 32` bytes, little-endian, canonical. From a seed, so that runs compare. */
export function uniformScalars(/** @type {number} */ n, seed = 1n) {
  const out = new Uint8Array(n * FIELD_SIZE);
  const words = new BigUint64Array(out.buffer);
  let state = seed * 0x9e3779b97f4a7c15n;
  // splitmix64
  const next = () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
  const top = FR_MODULUS >> 192n;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < 3; j++) words[4 * i + j] = next();
    // below the top word of r: canonical, a bias of no interest here
    words[4 * i + 3] = next() % top;
  }
  return out;
}

/** n scalars as a witness of bits has them: half 0, three eighths 1, the rest 12 bits, every 64th full size. */
export function witnessScalars(/** @type {number} */ n) {
  const random = uniformScalars(n, 7n);
  for (let i = 0; i < n; i++) {
    if (i % 64 === 63) continue;
    const at = i * FIELD_SIZE;
    const kind = random[at + 4] & 7;
    random.fill(0, at + 2, at + FIELD_SIZE);
    if (kind < 7) [random[at], random[at + 1]] = [kind < 4 ? 0 : 1, 0];
    else random[at + 1] &= 15;
  }
  return random;
}

const wordsOf = (/** @type {Uint8Array} */ bytes) =>
  new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);

/** Number i of an array of 32-byte little-endian numbers. */
export function scalarAt(/** @type {Uint8Array} */ bytes, /** @type {number} */ i) {
  const words = wordsOf(bytes);
  const [a, b, c, d] = words.subarray(4 * i, 4 * i + 4);
  return a | (b << 64n) | (c << 128n) | (d << 192n);
}

/** Multiples of the generator by these scalars, as a zkey has them (little-endian, Montgomery, affine). */
export async function multiples(
  /** @type {Handle} */ { engine, constants },
  /** @type {Group} */ group,
  /** @type {Uint8Array} */ scalars,
) {
  const { heap, kernel } = engine;
  const bytes = POINT_BYTES[group];
  const n = scalars.length / FIELD_SIZE;
  const generator = bn254[group === "g1" ? "G1" : "G2"].Point.BASE.toAffine();
  const raw = group === "g1" ? encodeG1(/** @type {any} */ (generator)) : encodeG2(/** @type {any} */ (generator));
  const blocks = [
    raw.length,
    kernel[`${group}_pointSize`](),
    kernel[`${group}_fixedTableSize`](),
    scalars.length,
    n * bytes,
  ].map((size) => heap.alloc(size));
  const [encoded, base, table, input, output] = blocks;
  heap.view(encoded, raw.length).set(raw);
  if (kernel[`${group}_fromBytes`](base, encoded, constants.b[group]) !== 0)
    throw new Error("the generator is not on the curve");
  heap.view(input, scalars.length).set(scalars);
  const scratch = kernel[`${group}_fixedScratch`]();
  await engine.run([{ calls: [[`${group}_fixedTable`, table, base, SCRATCH]], scratch }]);
  const tasks = [...runs(n, 2048)].map(([from, to]) => ({
    calls: [[`${group}_fixedMul`, output + from * bytes, input + from * FIELD_SIZE, to - from, table, SCRATCH]],
    scratch,
  }));
  await engine.run(/** @type {any} */ (tasks));
  const points = heap.view(output, n * bytes).slice();
  for (const block of blocks) heap.free(block);
  return points;
}

/**
 * Points as bases in memory, as a loaded key has them.
 *
 * @returns {Promise<import("../../dist/prover/wasm/msm.js").Bases>}
 */
export async function loadBases(
  /** @type {Handle} */ { engine, constants },
  /** @type {Group} */ group,
  /** @type {Uint8Array} */ points,
) {
  const { heap, kernel } = engine;
  const n = points.length / POINT_BYTES[group];
  const address = heap.alloc(n * kernel[`${group}_baseSize`]());
  const index = heap.alloc(n * 4);
  const source = heap.alloc(points.length);
  heap.view(source, points.length).set(points);
  const { b, beta } = constants;
  const [[count]] = await engine.run([
    { calls: [[`${group}_loadBases`, address, index, source, n, 0, beta[group], b[group]]] },
  ]);
  heap.free(source);
  if (count !== n) throw new Error(`base ${-1 - count} is not a point`);
  return { group, address, index, count };
}

/** Σ scalars[i]·bases[i] by the functions of the prover: recoding, windows, their sum. Affine. */
export async function msm(
  /** @type {Handle} */ { engine, constants },
  /** @type {import("../../dist/prover/wasm/msm.js").Bases} */ bases,
  /** @type {Uint8Array} */ scalars,
) {
  const { heap, kernel } = engine;
  const { group, count: n } = bases;
  const bits = windowBits(n);
  const windows = windowCount(bits);
  const parts = windowParts(engine.threads);
  const sizes = [
    scalars.length,
    n * engine.fieldBytes,
    digitsSize(n, bits),
    parts * windows * kernel[`${group}_jacobianSize`](),
  ];
  const blocks = sizes.map((bytes) => heap.alloc(bytes));
  const [values, limbs, address, results] = blocks;
  const digits = { address, n, bits, windows };
  heap.view(values, scalars.length).set(scalars);
  await engine.run(digitTasks(limbs, values, digits));
  await engine.run(msmTasks(kernel, bases, digits, parts, results));
  const points = new PointSpace(engine, constants);
  try {
    const sum = sumWindows(points, kernel, group, digits, parts, results);
    return group === "g1" ? points.getG1(sum, "sum of the benchmark") : points.getG2(sum, "sum of the benchmark");
  } finally {
    points.free();
    for (const block of blocks) heap.free(block);
  }
}

/** The coordinates one after the other. */
export const coordinates = (/** @type {Group} */ group, /** @type {any} */ x, /** @type {any} */ y) =>
  String(group === "g1" ? [x, y] : [x.c0, x.c1, y.c0, y.c1]);

/** (Σ logs[i]·scalars[i])·generator by noble, as {@link coordinates}; as many terms as scalars. */
export function expectedSum(
  /** @type {Group} */ group,
  /** @type {Uint8Array} */ logs,
  /** @type {Uint8Array} */ scalars,
) {
  let sum = 0n;
  for (let i = 0; i < scalars.length / 32; i++) sum += scalarAt(logs, i) * scalarAt(scalars, i);
  const { x, y } = bn254[group === "g1" ? "G1" : "G2"].Point.BASE.multiply(sum % FR_MODULUS).toAffine();
  return coordinates(group, x, y);
}
