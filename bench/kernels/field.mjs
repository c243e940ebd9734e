/**
 * Field multiplication: a loop inside WebAssembly calls the kernel, the same loop for both sides, so that neither pays for
 * JavaScript. Samples are nanoseconds for one product, the call included.
 *
 * - chain: every product needs the one before (latency);
 * - independent: the products do not depend on each other (throughput);
 * - pairs: two independent products in one call, what chunkproof's inner loops are made of; snarkjs has one in a call.
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

/**
 * Residues that stand together in memory: one, the two lanes of a pair, or c0 and c1 of Fq2.
 *
 * @typedef {readonly bigint[]} Element
 */

/** Product in Fq2 = Fq[u]/(u² + 1). */
function mulFq2(/** @type {Element} */ [a, b], /** @type {Element} */ [c, d]) {
  const q = FQ_MODULUS;
  return [(a * c + (q - b) * d) % q, (a * d + b * c) % q];
}

function powFq2(/** @type {Element} */ a, /** @type {number} */ e) {
  /** @type {Element} */
  let result = [1n, 0n];
  for (let base = a, k = e; k > 0; k >>= 1, base = mulFq2(base, base)) if (k & 1) result = mulFq2(result, base);
  return result;
}

const MODULUS = { fq: FQ_MODULUS, fr: FR_MODULUS };
const X = 0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdefn;
const Y = 0x0fedcba987654321fedcba0987654321fedcba0987654321fedcba0987654321n;

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {"chain" | "independent" | "pairs"} kind
 * @property {"fq" | "fr" | "fq2"} field
 * @property {string} ours export of chunkproof's module
 * @property {string} theirs export of snarkjs' module
 * @property {(x: Element, y: Element, n: number) => Element} expected after n calls
 *
 * @typedef {object} Side
 * @property {(element: Element) => number} alloc room for such an element
 * @property {(field: Case["field"], at: number, element: Element, pair: boolean) => void} put
 * @property {(field: Case["field"], at: number, pair: boolean) => Element} get
 */

/** @type {Case[]} */
const CASES = [
  .../** @type {const} */ (["fq", "fr"]).flatMap((field) => {
    const p = MODULUS[field];
    const [ours, theirs] = [field, field === "fq" ? "f1m" : "frm"];
    const mul = { name: `${field} mul`, field, ours: `${ours}_mul`, theirs: `${theirs}_mul` };
    const product = (/** @type {Element} */ [x], /** @type {Element} */ [y]) => [(x * y) % p];
    return [
      /** @type {Case} */ ({
        ...mul,
        kind: "chain",
        expected: ([x], [y], n) => [(x * powMod(y, BigInt(n), p)) % p],
      }),
      /** @type {Case} */ ({ ...mul, kind: "independent", expected: product }),
      /** @type {Case} */ ({ ...mul, kind: "pairs", ours: `${ours}_mul2`, expected: product }),
      /** @type {Case} */ ({
        name: `${field} square`,
        kind: "chain",
        field,
        ours: `${ours}_sqr`,
        theirs: `${theirs}_square`,
        expected: ([x], _, n) => [powMod(x, powMod(2n, BigInt(n), p - 1n), p)],
      }),
    ];
  }),
  {
    name: "fq2 mul",
    kind: "chain",
    field: "fq2",
    ours: "fq2_mul",
    theirs: "f2m_mul",
    expected: (x, y, n) => mulFq2(x, powFq2(y, n)),
  },
];

/** @param {import("../run.mjs").Options} options */
export async function field({ quick, budget, report }) {
  const n = quick ? 1 << 12 : 1 << 20;
  const curve = await snarkjsCurve(1);
  const engines = [];
  try {
    for (const arithmetic of /** @type {const} */ (["int", "fma"])) {
      const made = await createEngine(1, arithmetic).catch((error) => {
        // not every machine has a fused multiply-add
        if (error.code !== "ARITHMETIC_UNSUPPORTED") throw error;
      });
      if (made !== undefined) engines.push(made.engine);
    }
    for (const test of CASES) {
      const sides = [
        contender("snarkjs", theirsOf(curve), curve.tm.instance.exports[test.theirs], test, n, { outFirst: false }),
        ...engines.map((engine) =>
          contender(`chunkproof, ${engine.arithmetic}`, oursOf(engine), engine.kernel[test.ours], test, n, {
            outFirst: true,
          }),
        ),
      ];
      report(await compare(test.name, { kind: test.kind }, sides, budget, { unit: "ns" }));
    }
  } finally {
    for (const engine of engines) await engine.close();
  }
}

/**
 * @param {string} name
 * @param {Side} side
 * @param {Wasm} f
 * @param {Case} test
 * @param {number} n
 * @param {{ outFirst: boolean }} convention whether the result comes first or last among the arguments
 */
function contender(name, side, f, { kind, field, expected }, n, { outFirst }) {
  const p = MODULUS[field === "fr" ? "fr" : "fq"];
  // only chunkproof has pairs
  const pair = kind === "pairs" && outFirst;
  const x = field === "fq2" || pair ? [X % p, Y % p] : [X % p];
  const y = x.toReversed().map((c) => (c * Y) % p);
  const at = { x: side.alloc(x), y: side.alloc(y), z: side.alloc(x) };
  const inputs = f.length === 2 ? [at.x] : [at.x, at.y];
  const out = kind === "chain" ? at.x : at.z;
  const args = outFirst ? [out, ...inputs] : [...inputs, out];
  const run = loop(f, args.length);
  // lane by lane
  const right = pair ? x.flatMap((c, i) => expected([c], [y[i]], n)) : expected(x, y, n);
  return {
    name,
    perRun: pair ? 2 * n : n,
    prepare: () => {
      side.put(field, at.x, x, pair);
      side.put(field, at.y, y, pair);
    },
    run: () => run(...args, n),
    check: () => must(String(side.get(field, out, pair)) === String(right), `${name}: ${field}, ${kind}`),
  };
}

const FIELD_SIZE = 32;
const toBytes = (/** @type {bigint} */ x) => Buffer.from(x.toString(16).padStart(2 * FIELD_SIZE, "0"), "hex").reverse();
const fromBytes = (/** @type {Uint8Array} */ bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);

/**
 * chunkproof: elements of `engine.fieldBytes`, two of them side by side in a pair, which is also what Fq2 is.
 *
 * @param {import("../../dist/prover/wasm/engine.js").Engine} engine
 * @returns {Side}
 */
function oursOf(engine) {
  const { heap, kernel, fieldBytes, pairBytes } = engine;
  const bytes = heap.alloc(FIELD_SIZE);
  const lanes = [heap.alloc(fieldBytes), heap.alloc(fieldBytes)];
  const read = (/** @type {"fq" | "fr"} */ field, /** @type {number} */ at) => {
    kernel[`${field}_fromMont`](lanes[0], at);
    kernel[`${field}_toBytes`](bytes, lanes[0]);
    return fromBytes(heap.view(bytes, FIELD_SIZE));
  };
  return {
    alloc: () => heap.alloc(pairBytes),
    put(field, at, element, pair) {
      const base = field === "fr" ? "fr" : "fq";
      if (!pair && field !== "fq2") return putField(engine, base, at, element[0]);
      for (const i of [0, 1]) putField(engine, base, lanes[i], element[i]);
      if (field === "fq2") kernel.fq2_join(at, lanes[0], lanes[1]);
      else for (const i of [0, 1]) kernel[`${base}_putLane`](at, i, lanes[i]);
    },
    get(field, at, pair) {
      const base = field === "fr" ? "fr" : "fq";
      if (!pair && field !== "fq2") return [read(base, at)];
      const c = [heap.alloc(fieldBytes), heap.alloc(fieldBytes)];
      if (field === "fq2") kernel.fq2_split(c[0], c[1], at);
      else for (const i of [0, 1]) kernel[`${base}_getLane`](c[i], at, i);
      const element = c.map((at) => read(base, at));
      for (const at of c) heap.free(at);
      return element;
    },
  };
}

/**
 * The WebAssembly of snarkjs: 32 bytes an element, Montgomery form.
 *
 * @param {any} curve
 * @returns {Side}
 */
function theirsOf({ tm }) {
  const { exports } = tm.instance;
  const moduleOf = (/** @type {string} */ field) => (field === "fr" ? "frm" : "f1m");
  const temporary = tm.alloc(FIELD_SIZE);
  return {
    alloc: (element) => tm.alloc(element.length * FIELD_SIZE),
    put(field, at, element) {
      for (const [i, c] of element.entries()) {
        tm.setBuff(at + i * FIELD_SIZE, toBytes(c));
        exports[`${moduleOf(field)}_toMontgomery`](at + i * FIELD_SIZE, at + i * FIELD_SIZE);
      }
    },
    get(field, at) {
      return Array.from({ length: field === "fq2" ? 2 : 1 }, (_, i) => {
        exports[`${moduleOf(field)}_fromMontgomery`](at + i * FIELD_SIZE, temporary);
        return fromBytes(tm.getBuff(temporary, FIELD_SIZE));
      });
    },
  };
}
