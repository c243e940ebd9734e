/**
 * Where a GPU's time goes: what it can do at most (products in registers, bytes moved), how long each kernel of a sum, a transform
 * and a proof runs (timestamp queries), and how long the parts of a proof take for whoever waits for them.
 *
 * @module
 */

import { openBackend, prove } from "chunkproof/prover";
import { FQ_MODULUS } from "../../dist/formats/bn254.js";
import { Device, preamble } from "../../dist/prover/webgpu/device.js";
import { fieldSource, makeField, toLimbs } from "../../dist/prover/webgpu/wgsl/field.js";
import { must, stats } from "../_harness.mjs";
import { progress } from "../_progress.mjs";
import { uniformScalars } from "../kernels/_engine.mjs";
import { watch } from "./adapter.mjs";
import { keepDomain, knownBases } from "./kernels.mjs";
import { loaded, timed } from "./proofs.mjs";

const WORKGROUP = 64;
/** Products that an invocation of the field's kernel computes, each of the result of the one before. */
const CHAIN = 256;
const ROUNDS = 3;

/**
 * A row of samples by name.
 *
 * @param {string} name
 * @param {Record<string, string | number>} params
 * @param {Map<string, number[]>} samples
 */
const row = (name, params, samples) => ({
  name,
  params,
  unit: /** @type {const} */ ("ms"),
  times: Object.fromEntries([...samples].map(([key, ms]) => [key, stats(ms)])),
  extras: {},
  ratios: [],
});

/** The products of a chain, checked; ns a product, all invocations together. */
async function products(
  /** @type {any} */ gpu,
  /** @type {12 | 13 | 14 | 15} */ bits,
  /** @type {boolean} */ unroll,
  invocations = 2 ** 20,
) {
  const field = makeField("fq", FQ_MODULUS, bits);
  const code = `${preamble(WORKGROUP)}${fieldSource(field, { unroll })}
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<uniform> q: array<vec4u, 1>;
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) lid: u32) {
let i = position(wid, num, lid);
if (i >= q[0].x) { return; }
var x = FQ_R2;
x[0] = (x[0] ^ i) & ${2 ** bits - 1}u;
let y = x;
for (var k = 0u; k < q[0].y; k++) { x = fq_mul(x, y); }
x = fq_canonical(x);
var sum = 0u;
for (var k = 0u; k < ${field.limbs}u; k++) { sum = sum * 31u + x[k]; }
out[i] = sum;
}`;
  const device = await Device.open({ gpu });
  try {
    return await device.exclusive(async () => {
      const kernel = await device.kernel("products", code);
      const out = device.buffer(4 * invocations, "products");
      const run = async (/** @type {number} */ count) => {
        const start = performance.now();
        device
          .batch()
          .dispatch(kernel, [out], Math.ceil(count / WORKGROUP), [count, CHAIN, 0, 0])
          .submit();
        await device.done();
        return performance.now() - start;
      };
      // a slow device gets less
      let count = WORKGROUP;
      await run(count);
      while (count < invocations && (await run(count)) < 40) count *= 4;
      count = Math.min(count, invocations);
      const samples = [];
      for (let round = 0; round < ROUNDS; round++) samples.push((1e6 * (await run(count))) / (count * CHAIN));
      const got = new Uint32Array((await device.read(out, 0, 256)).buffer);
      const mask = 2 ** bits - 1;
      for (const i of [0, 1, 63]) {
        const limbs = toLimbs(field, (field.r * field.r) % FQ_MODULUS);
        limbs[0] = (limbs[0] ^ i) & mask;
        const y = limbs.reduceRight((sum, limb) => (sum << BigInt(bits)) | BigInt(limb), 0n) % FQ_MODULUS;
        const inverse = modularInverse(field.r % FQ_MODULUS);
        let x = y;
        for (let k = 0; k < CHAIN; k++) x = (((x * y) % FQ_MODULUS) * inverse) % FQ_MODULUS;
        const sum = toLimbs(field, x).reduce((all, limb) => (Math.imul(all, 31) + limb) >>> 0, 0);
        must(got[i] === sum, `chain ${i} of products, ${bits} bits`);
      }
      device.free(out);
      return { samples, count };
    });
  } finally {
    device.close();
  }
}

/** x^-1 mod q by Fermat. */
function modularInverse(/** @type {bigint} */ x) {
  let [result, base] = [1n, x];
  for (let e = FQ_MODULUS - 2n; e > 0n; e >>= 1n, base = (base * base) % FQ_MODULUS)
    if (e & 1n) result = (result * base) % FQ_MODULUS;
  return result;
}

/** @param {import("./run.mjs").Options} options */
async function field({ found, report }) {
  for (const unroll of [true, false]) {
    /** @type {Map<string, number[]>} */
    const samples = new Map();
    let invocations = 0;
    for (const bits of /** @type {const} */ ([12, 13, 14, 15])) {
      const { samples: ns, count } = await products(found.gpu, bits, unroll);
      samples.set(`${bits} bits`, ns);
      invocations = Math.max(invocations, count);
    }
    report({ ...row("fq product", { kind: unroll ? "unrolled" : "looped", invocations }, samples), unit: "ns" });
  }
}

/** Adds up the kernels of some rounds of work. */
async function byKernel(
  /** @type {import("./adapter.mjs").Watch} */ watched,
  /** @type {() => Promise<unknown>} */ work,
) {
  await work();
  await watched.kernels();
  /** @type {Map<string, number[]>} */
  const samples = new Map();
  /** @type {Record<string, number>} */
  const dispatches = {};
  for (let round = 0; round < ROUNDS; round++) {
    await work();
    await watched.done();
    let total = 0;
    for (const [label, { ms, dispatches: count }] of await watched.kernels()) {
      samples.set(label, [...(samples.get(label) ?? []), ms]);
      dispatches[label] = count;
      total += ms;
    }
    samples.set("all kernels", [...(samples.get("all kernels") ?? []), total]);
  }
  const middle = (/** @type {number[]} */ ms) => ms.toSorted((a, b) => a - b)[ms.length >> 1];
  return { samples: new Map([...samples].toSorted(([, a], [, b]) => middle(b) - middle(a))), dispatches };
}

/** @param {import("./run.mjs").Options} options */
async function kernels({ sizes, threads, found, report }) {
  const watched = watch(found.gpu, { profile: true });
  const gpu = await openBackend("webgpu", { gpu: watched.gpu });
  try {
    for (const log2 of sizes.profile) {
      for (const group of /** @type {const} */ (["g1", "g2"])) {
        const known = await knownBases(group, 2 ** log2, threads);
        const values = uniformScalars(2 ** log2);
        const judge = known.judge(values);
        const bases = await gpu.putBases(known.source(2 ** log2));
        const scalars = await gpu.putScalars(values);
        const { samples, dispatches } = await byKernel(watched, async () =>
          judge(await gpu.msm(bases, scalars), "webgpu"),
        );
        report({ ...row(`kernels of msm ${group}`, { log2 }, samples), device: { dispatches } });
        for (const set of [bases, scalars]) set.free();
      }
      const domain = await keepDomain(gpu, log2);
      const scalars = await gpu.putScalars(uniformScalars(2 ** log2, 3n));
      const { samples, dispatches } = await byKernel(watched, async () => (await gpu.ntt(scalars, "coset")).free());
      report({ ...row("kernels of coset ntt", { log2 }, samples), device: { dispatches } });
      for (const set of [domain, scalars]) set.free();
    }
    for (const log2 of sizes.profileProofs) {
      const { key, wtns, check } = await loaded(log2, threads);
      try {
        const work = async () => check(await prove(key, wtns, { backend: gpu }), "webgpu");
        const { samples, dispatches } = await byKernel(watched, work);
        report({ ...row("kernels of a proof, squares", { log2 }, samples), device: { dispatches } });
      } finally {
        await key.close();
      }
    }
  } finally {
    await gpu.close();
  }
}

/** @param {import("./run.mjs").Options} options */
async function parts({ sizes, threads, open, report }) {
  for (const log2 of sizes.profileProofs) {
    const { key, wtns, check } = await loaded(log2, threads);
    const { backend } = await open();
    try {
      /** @type {Map<string, number[]>} */
      const samples = new Map();
      let recording = false;
      const note = (/** @type {string} */ name, /** @type {number} */ ms) => {
        if (recording) samples.set(name, [...(samples.get(name) ?? []), ms]);
      };
      let sums = 0;
      // the order of a proof: the witness, the quotient, the sums over H, B2, A and C
      const names = ["h (g1)", "b2 (g2)", "a (g1)", "c (g1)"];
      const noted = timed(backend, (method, _, ms) => {
        if (method === "msm") note(`sum ${names[sums++ % names.length]}`, ms);
        else note(method === "putScalars" ? "upload witness" : method, ms);
      });
      for (let round = 0; round <= ROUNDS; round++) {
        recording = round > 0;
        const start = performance.now();
        check(await prove(key, wtns, { backend: noted }), "webgpu");
        note("whole proof", performance.now() - start);
      }
      report(row("parts of a proof, squares", { log2, threads }, samples));
    } finally {
      await key.close();
      await backend.close();
    }
  }
}

/** @param {import("./run.mjs").Options} options */
export async function profile(options) {
  await field(options);
  await parts(options);
  if (options.found.adapter.features.includes("timestamp-query")) await kernels(options);
  else progress("no feature timestamp-query: times of single kernels are left out");
}
