/**
 * Field multiplication: a loop inside WebAssembly calls the kernel, the same loop for both sides, so that neither pays for
 * JavaScript. Samples are nanoseconds for one product, the call included.
 *
 * - chain: every product needs the one before (latency);
 * - independent: the products do not depend on each other (throughput);
 * - pair: two products in one call, only there in chunkproof.
 *
 * @module
 */

import { FQ_MODULUS, FR_MODULUS } from "../../dist/formats/bn254.js";
import { putField } from "../../dist/prover/wasm/field.js";
import { compare, must } from "../_harness.mjs";
import { snarkjsCurve } from "../baselines/snarkjs.mjs";
import { createEngine } from "./_engine.mjs";

/** @typedef {(...args: number[]) => number} Wasm */

/**
 * `(a, b, ..., n) => { do f(a, b, ...); while (--n) }` in WebAssembly.
 *
 * @param {Wasm} f an export of a WebAssembly instance
 * @param {number} arity
 */
function loop(f, arity) {
  const section = (/** @type {number} */ id, /** @type {number[]} */ body) => [id, body.length, ...body];
  const params = (/** @type {number} */ n) => [0x60, n, ...new Array(n).fill(0x7f), 0];
  const args = Array.from({ length: arity }, (_, i) => [0x20, i]).flat();
  const body = [0, 0x03, 0x40, ...args, 0x10, 0, 0x20, arity, 0x41, 1, 0x6b, 0x22, arity, 0x0d, 0, 0x0b, 0x0b];
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, ...params(arity), ...params(arity + 1)]),
    ...section(2, [1, 1, 0x65, 1, 0x66, 0, 0]),
    ...section(3, [1, 1]),
    ...section(7, [1, 1, 0x72, 0, 1]),
    ...section(10, [1, body.length, ...body]),
  ];
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), { e: { f } });
  return /** @type {Wasm} */ (instance.exports.r);
}

function powMod(/** @type {bigint} */ a, /** @type {bigint} */ e, /** @type {bigint} */ m) {
  let result = 1n;
  for (let base = a % m, k = e; k > 0n; k >>= 1n, base = (base * base) % m) if (k & 1n) result = (result * base) % m;
  return result;
}

/** @typedef {[bigint, bigint]} Complex */

const mulComplex = (/** @type {Complex} */ [a, b], /** @type {Complex} */ [c, d], m = FQ_MODULUS) =>
  /** @type {Complex} */ ([(a * c + (m - b) * d) % m, (a * d + b * c) % m]);

function powComplex(/** @type {Complex} */ a, /** @type {number} */ e) {
  /** @type {Complex} */
  let result = [1n, 0n];
  for (let base = a, k = e; k > 0; k >>= 1, base = mulComplex(base, base)) if (k & 1) result = mulComplex(result, base);
  return result;
}

const X = 0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdefn;
const Y = 0x0fedcba987654321fedcba0987654321fedcba0987654321fedcba0987654321n;
const FIELDS = { fq: FQ_MODULUS, fr: FR_MODULUS };

/** @param {import("../run.mjs").Options} options */
export async function field({ quick, budget, report }) {
  const n = quick ? 1 << 12 : 1 << 20;
  const { engine } = await createEngine(1);
  const curve = await snarkjsCurve(1);
  try {
    const ours = oursOf(engine);
    const theirs = theirsOf(curve);
    for (const f of /** @type {const} */ (["fq", "fr"])) {
      const p = FIELDS[f];
      const [x, y] = [X % p, Y % p];
      const chained = (x * powMod(y, BigInt(n), p)) % p;
      const squared = powMod(x, powMod(2n, BigInt(n), p - 1n), p);
      const contenders = (
        /** @type {string} */ op,
        /** @type {(side: any) => any} */ make,
        /** @type {bigint} */ expected,
      ) =>
        Object.entries({ snarkjs: theirs, chunkproof: ours }).map(([name, side]) => {
          const { run, result } = make(side);
          return {
            name,
            perRun: n,
            prepare: () => side.reset(f, x, y),
            run: () => run(n),
            check: () => must(result() === expected, `${name} ${f} ${op}`),
          };
        });
      const chain = contenders("chain", (side) => side.chain(f), chained);
      report(await compare(`${f} mul`, { kind: "chain" }, chain, budget, "ns"));
      const independent = contenders("independent", (side) => side.independent(f), (x * y) % p);
      const pair = ours.pair(f, x, y);
      independent.push({
        name: "chunkproof, pair",
        perRun: 2 * n,
        prepare: pair.reset,
        run: () => pair.run(n),
        check: () =>
          must(
            pair.result().every((z) => z === (x * y) % p),
            `pair ${f}`,
          ),
      });
      report(await compare(`${f} mul`, { kind: "independent" }, independent, budget, "ns"));
      report(
        await compare(
          `${f} square`,
          { kind: "chain" },
          contenders("square", (side) => side.square(f), squared),
          budget,
          "ns",
        ),
      );
    }

    /** @type {[Complex, Complex]} */
    const [x2, y2] = [
      [X % FQ_MODULUS, Y % FQ_MODULUS],
      [Y % FQ_MODULUS, X % FQ_MODULUS],
    ];
    const expected = mulComplex(x2, powComplex(y2, n));
    const fq2 = Object.entries({ snarkjs: theirs, chunkproof: ours }).map(([name, side]) => {
      const { reset, run, result } = side.fq2(x2, y2);
      const check = () => must(String(result()) === String(expected), `${name} fq2`);
      return { name, perRun: n, prepare: reset, run: () => run(n), check };
    });
    report(await compare("fq2 mul", { kind: "chain" }, fq2, budget, "ns"));
  } finally {
    await engine.close();
  }
}

const littleEndian = (/** @type {bigint} */ x) => Buffer.from(x.toString(16).padStart(64, "0"), "hex").reverse();
const fromLittleEndian = (/** @type {Uint8Array} */ bytes) =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);

/** chunkproof: 36-byte elements of nine limbs, `f(out, a, b)`. */
function oursOf(/** @type {import("../../dist/prover/wasm/engine.js").Engine} */ engine) {
  const { heap, kernel } = engine;
  const [x, y, z, t] = Array.from({ length: 4 }, () => heap.alloc(80));
  const read = (/** @type {string} */ f, /** @type {number} */ at) => {
    kernel[`${f}_fromMont`](t, at);
    const bytes = heap.alloc(32);
    kernel[`${f}_toBytes`](bytes, t);
    const value = fromLittleEndian(heap.view(bytes, 32));
    heap.free(bytes);
    return value;
  };
  const words = (/** @type {number} */ at, /** @type {number} */ n) => new Uint32Array(heap.bytes.buffer, at, n);
  return {
    reset(/** @type {"fq" | "fr"} */ f, /** @type {bigint} */ a, /** @type {bigint} */ b) {
      putField(engine, f, x, a);
      putField(engine, f, y, b);
    },
    chain(/** @type {string} */ f) {
      const run = loop(kernel[`${f}_mul`], 3);
      return { run: (/** @type {number} */ n) => run(x, x, y, n), result: () => read(f, x) };
    },
    independent(/** @type {string} */ f) {
      const run = loop(kernel[`${f}_mul`], 3);
      return { run: (/** @type {number} */ n) => run(z, x, y, n), result: () => read(f, z) };
    },
    square(/** @type {string} */ f) {
      const run = loop(kernel[`${f}_sqr`], 2);
      return { run: (/** @type {number} */ n) => run(x, x, n), result: () => read(f, x) };
    },
    /** Both lanes hold the same operands; limbs of a pair alternate. */
    pair(/** @type {"fq" | "fr"} */ f, /** @type {bigint} */ a, /** @type {bigint} */ b) {
      const run = loop(kernel[`${f}_mul2`], 3);
      const [px, py, pz] = Array.from({ length: 3 }, () => heap.alloc(80));
      return {
        reset: () => {
          this.reset(f, a, b);
          for (const [to, from] of [
            [px, x],
            [py, y],
          ]) {
            for (let i = 0; i < 18; i++) words(to, 18)[i] = words(from, 9)[i >> 1];
          }
        },
        run: (/** @type {number} */ n) => run(pz, px, py, n),
        result: () =>
          [0, 1].map((lane) => {
            for (let i = 0; i < 9; i++) words(z, 9)[i] = words(pz, 18)[2 * i + lane];
            return read(f, z);
          }),
      };
    },
    fq2(/** @type {Complex} */ a, /** @type {Complex} */ b) {
      const run = loop(kernel.fq2_mul, 3);
      const [px, py] = [heap.alloc(80), heap.alloc(80)];
      return {
        reset: () => {
          for (const [to, [c0, c1]] of /** @type {[number, Complex][]} */ ([
            [px, a],
            [py, b],
          ])) {
            this.reset("fq", c0, c1);
            kernel.fq2_join(to, x, y);
          }
        },
        run: (/** @type {number} */ n) => run(px, px, py, n),
        result: () => {
          kernel.fq2_split(x, y, px);
          return [read("fq", x), read("fq", y)];
        },
      };
    },
  };
}

/** The WebAssembly of snarkjs: 32-byte Montgomery elements, `f(a, b, out)`. */
function theirsOf(/** @type {any} */ { tm }) {
  const { exports } = tm.instance;
  const module = { fq: "f1m", fr: "frm" };
  const [x, y, z, t] = Array.from({ length: 4 }, () => tm.alloc(64));
  const put = (/** @type {string} */ m, /** @type {number} */ at, /** @type {bigint} */ value) => {
    tm.setBuff(at, littleEndian(value));
    exports[`${m}_toMontgomery`](at, at);
  };
  const read = (/** @type {string} */ m, /** @type {number} */ at) => {
    exports[`${m}_fromMontgomery`](at, t);
    return fromLittleEndian(tm.getBuff(t, 32));
  };
  return {
    reset(/** @type {"fq" | "fr"} */ f, /** @type {bigint} */ a, /** @type {bigint} */ b) {
      put(module[f], x, a);
      put(module[f], y, b);
    },
    chain(/** @type {"fq" | "fr"} */ f) {
      const run = loop(exports[`${module[f]}_mul`], 3);
      return { run: (/** @type {number} */ n) => run(x, y, x, n), result: () => read(module[f], x) };
    },
    independent(/** @type {"fq" | "fr"} */ f) {
      const run = loop(exports[`${module[f]}_mul`], 3);
      return { run: (/** @type {number} */ n) => run(x, y, z, n), result: () => read(module[f], z) };
    },
    square(/** @type {"fq" | "fr"} */ f) {
      const run = loop(exports[`${module[f]}_square`], 2);
      return { run: (/** @type {number} */ n) => run(x, x, n), result: () => read(module[f], x) };
    },
    fq2(/** @type {Complex} */ a, /** @type {Complex} */ b) {
      const run = loop(exports.f2m_mul, 3);
      return {
        reset: () => {
          for (const [at, value] of /** @type {[number, Complex][]} */ ([
            [x, a],
            [y, b],
          ])) {
            for (const i of [0, 1]) put("f1m", at + 32 * i, value[i]);
          }
        },
        run: (/** @type {number} */ n) => run(x, y, x, n),
        result: () => [0, 1].map((i) => read("f1m", x + 32 * i)),
      };
    },
  };
}
