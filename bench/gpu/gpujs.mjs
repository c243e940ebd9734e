/**
 * gpu.js beside WebAssembly and WebGPU: products, transforms, the quotient, whole proofs. Small sizes first; whoever takes longer
 * than {@link LIMIT} for one result is left out from there on.
 *
 * Numbers go in and come out as bytes, on all sides: that is what `prove` does with gpu.js, which keeps nothing on a device. So
 * transforms of WebAssembly are those of its backend, on one thread. Results are those of WebAssembly, byte by byte, and
 * its products those of BigInt.
 *
 * @module
 */

import { openBackend, prove } from "chunkproof/prover";
import { FIELD_SIZE, FR_MODULUS } from "../../dist/formats/bn254.js";
import { Products } from "../../dist/prover/gpujs/field.js";
import { GpuJsDevice } from "../../dist/prover/gpujs/gpu.js";
import { Device } from "../../dist/prover/webgpu/device.js";
import { makeField } from "../../dist/prover/webgpu/wgsl/field.js";
import { bindings, elementwise, getter, header, putter } from "../../dist/prover/webgpu/wgsl/ntt.js";
import { compare, must } from "../_harness.mjs";
import { progress } from "../_progress.mjs";
import { createEngine, scalarAt, uniformScalars } from "../kernels/_engine.mjs";
import { loaded } from "./proofs.mjs";

/** ms of one result that are too many. */
const LIMIT = 10_000;
/** What gpu.js runs on in Node; browsers have WebGL2 too. */
const MODES = /** @type {const} */ (["webasm", "webgpu"]);

const WORKGROUP = 64;

/** Contenders that are not out yet; one that is too slow, or fails, is. */
class Field {
  /** @type {Set<string>} */
  #out = new Set();

  /**
   * @param {string} name
   * @param {number} log2
   * @param {import("../_harness.mjs").Contender[]} contenders
   * @param {import("./run.mjs").Options} options
   */
  async compare(name, log2, contenders, { threads, budget, report }) {
    const able = [];
    for (const contender of contenders) {
      if (this.#out.has(contender.name)) continue;
      const once = async () => {
        const prepared = await contender.prepare?.();
        const start = performance.now();
        const result = await contender.run(prepared);
        const took = performance.now() - start;
        await contender.check(result, prepared);
        return took;
      };
      // the first run compiles
      const took = Math.min(await once(), await once());
      if (took > LIMIT) {
        progress(`${name} 2^${log2}: ${contender.name} takes ${(took / 1000).toFixed(0)} s: out from here on`);
        this.#out.add(contender.name);
      } else able.push(contender);
    }
    if (able.length > 0) report(await compare(name, { log2, threads }, able, budget, { warmUp: false }));
  }
}

/** Products of numbers given and taken as bytes, on one thread of WebAssembly. */
async function wasmProducts() {
  const { engine } = await createEngine(1);
  const { heap, kernel, fieldBytes } = engine;
  const [a, b, raw] = [fieldBytes, fieldBytes, FIELD_SIZE].map((size) => heap.alloc(size));
  const put = (/** @type {number} */ at, /** @type {Uint8Array} */ bytes) => {
    heap.view(raw, FIELD_SIZE).set(bytes);
    kernel.fr_fromBytes(at, raw);
  };
  return {
    multiply: (/** @type {Uint8Array} */ x, /** @type {Uint8Array} */ y) => {
      const out = new Uint8Array(x.length);
      for (let at = 0; at < x.length; at += FIELD_SIZE) {
        put(a, x.subarray(at, at + FIELD_SIZE));
        put(b, y.subarray(at, at + FIELD_SIZE));
        // one factor in Montgomery form leaves the product what it is
        kernel.fr_toMont(a, a);
        kernel.fr_mul(a, a, b);
        // and out of it and back in, which makes it canonical
        kernel.fr_toMont(a, a);
        kernel.fr_fromMont(a, a);
        kernel.fr_toBytes(raw, a);
        out.set(heap.view(raw, FIELD_SIZE), at);
      }
      return out;
    },
    close: () => engine.close(),
  };
}

/** The same on a GPU. */
async function webgpuProducts(/** @type {any} */ gpu, /** @type {number} */ n) {
  const device = await Device.open({ gpu });
  const field = makeField("fr", FR_MODULUS, 13);
  const code = `${header({ field, unroll: true, workgroup: WORKGROUP })}${bindings(["x", "y", "product="], 2)}${getter("x")}${getter(
    "y",
  )}${putter("product")}${elementwise("product_put(i, fr_reduce1(fr_mul(fr_mul(x_get(i), FR_R2), y_get(i))));")}`;
  const size = n * FIELD_SIZE;
  const buffers = ["x", "y", "product"].map((name) => device.buffer(size, name));
  return {
    multiply: (/** @type {Uint8Array} */ x, /** @type {Uint8Array} */ y) =>
      device.exclusive(async () => {
        const kernel = await device.kernel("products", code);
        device.upload(buffers[0], 0, x);
        device.upload(buffers[1], 0, y);
        const groups = Math.ceil(n / WORKGROUP);
        device.batch().dispatch(kernel, buffers, groups, [0, groups, 0, 0, n, 0, 0, 0]).submit();
        return device.read(buffers[2], 0, size);
      }),
    close: async () => device.close(),
  };
}

/** What gpu.js can be opened with here, by name. */
async function openAll(/** @type {string[]} */ names, /** @type {(mode: any) => Promise<any>} */ open) {
  /** @type {Record<string, any>} */
  const opened = {};
  for (const mode of names) {
    try {
      opened[`gpujs, ${mode}`] = await open(mode);
    } catch (error) {
      const { code, message } = /** @type {any} */ (error);
      if (code === undefined) throw error;
      progress(`gpu.js, ${mode}: ${code}: ${message}`);
    }
  }
  return opened;
}

/** @param {import("./run.mjs").Options} options */
async function products(options) {
  const field = new Field();
  const wasm = await wasmProducts();
  const devices = await openAll([...MODES], (mode) => GpuJsDevice.open({ mode }));
  try {
    for (const log2 of options.sizes.gpujs) {
      const n = 2 ** log2;
      const [x, y] = [uniformScalars(n, 5n), uniformScalars(n, 6n)];
      const expected = wasm.multiply(x, y);
      for (let i = 0; i < n; i += Math.max(1, n >> 8))
        must(scalarAt(expected, i) === (scalarAt(x, i) * scalarAt(y, i)) % FR_MODULUS, `wasm, product ${i}`);
      const webgpu = await webgpuProducts(options.found.gpu, n);
      const sides = Object.fromEntries(
        Object.entries(devices).map(([name, device]) => [name, new Products(device, n)]),
      );
      try {
        const all = { "wasm, 1 thread": wasm, webgpu, ...sides };
        const contenders = Object.entries(all).map(([name, side]) => ({
          name,
          run: () => side.multiply(x, y),
          check: (/** @type {any} */ out) => must(Buffer.compare(out, expected) === 0, `${name}, products`),
        }));
        await field.compare("batch fr mul", log2, contenders, options);
      } finally {
        await webgpu.close();
        for (const side of Object.values(sides)) await side.free();
      }
    }
  } finally {
    await wasm.close();
    for (const device of Object.values(devices)) await device.close();
  }
}

/** A matrix with an entry 1 in each of the first `rows` rows, as that of `squares`. */
function diagonal(/** @type {number} */ power, /** @type {number} */ rows) {
  // 1·2^512 mod r
  const one = new Uint8Array(FIELD_SIZE);
  for (let value = 2n ** 512n % FR_MODULUS, i = 0; i < FIELD_SIZE; i++, value >>= 8n) one[i] = Number(value & 0xffn);
  return {
    offsets: Uint32Array.from({ length: 2 ** power + 1 }, (_, i) => Math.min(i, rows)),
    wires: Uint32Array.from({ length: rows }, (_, i) => i),
    coefficients: async (/** @type {number} */ from, /** @type {number} */ to) => {
      const out = new Uint8Array((to - from) * FIELD_SIZE);
      for (let at = 0; at < out.length; at += FIELD_SIZE) out.set(one, at);
      return out;
    },
  };
}

/** @param {import("./run.mjs").Options} options */
async function backends(options) {
  const { threads, open, sizes } = options;
  const wasm = await openBackend("wasm", { threads });
  const { backend: webgpu } = await open();
  const others = await openAll([...MODES], (mode) => openBackend("gpujs", { threads, mode }));
  const all = { wasm, webgpu, ...others };
  try {
    const [transforms, quotients] = [new Field(), new Field()];
    for (const log2 of sizes.gpujs) {
      const n = 2 ** log2;
      const input = uniformScalars(n, 3n);
      const thereAndBack = async (/** @type {any} */ backend) => {
        const there = await backend.putScalars(input);
        const result = await backend.ntt(there, "coset");
        const out = await backend.readScalars(result);
        for (const set of [there, result]) set.free();
        return out;
      };
      const expected = await thereAndBack(wasm);
      const contenders = Object.entries(all).map(([name, backend]) => ({
        name,
        run: () => thereAndBack(backend),
        check: (/** @type {any} */ out) => must(Buffer.compare(out, expected) === 0, `${name}, transform`),
      }));
      await transforms.compare("coset ntt, bytes", log2, contenders, options);
    }
    for (const log2 of sizes.gpujs) {
      const rows = Math.floor(0.97 * 2 ** log2);
      const matrix = diagonal(log2, rows);
      const source = { power: log2, nVars: rows + 1, a: matrix, b: matrix };
      const witness = uniformScalars(rows + 1, 4n);
      /** @type {Record<string, any>} */
      const sets = {};
      for (const [name, backend] of Object.entries(all)) sets[name] = await backend.putConstraints(source);
      const quotient = async (/** @type {any} */ backend, /** @type {any} */ constraints) => {
        const scalars = await backend.putScalars(witness);
        const result = await backend.quotient(constraints, scalars);
        const out = await backend.readScalars(result);
        for (const set of [scalars, result]) set.free();
        return out;
      };
      const expected = await quotient(wasm, sets.wasm);
      const contenders = Object.entries(all).map(([name, backend]) => ({
        name,
        run: () => quotient(backend, sets[name]),
        check: (/** @type {any} */ out) => must(Buffer.compare(out, expected) === 0, `${name}, quotient`),
      }));
      await quotients.compare("quotient, bytes", log2, contenders, options);
      for (const set of Object.values(sets)) set.free();
    }
    const proofs = new Field();
    for (const log2 of sizes.gpujsProofs) {
      const { key, wtns, check } = await loaded(log2, threads);
      try {
        const contenders = Object.entries(all).map(([name, backend]) => {
          const split = /** @type {"wasm" | "webgpu" | "gpujs"} */ (backend.name);
          return {
            name,
            run: () => prove(key, wtns, split === "wasm" ? {} : { backend }),
            check: (/** @type {any} */ result) => check(result, split),
          };
        });
        await proofs.compare("proof squares", log2, contenders, options);
      } finally {
        await key.close();
      }
    }
    for (const [name, backend] of Object.entries(others)) {
      const { details } = backend.info();
      progress(`${name}: ${JSON.stringify(details)}`);
    }
  } finally {
    for (const backend of Object.values(all)) await backend.close();
  }
}

/** @param {import("./run.mjs").Options} options */
export async function gpujs(options) {
  await products(options);
  await backends(options);
}
