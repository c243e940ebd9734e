/**
 * Whole proofs: warm ones on every split against all threads of WebAssembly, and what the first one on a device costs more.
 * Every proof is verified, and has to come from the split that it is timed for: one that threads finished for a device that failed
 * ends the run.
 *
 * @module
 */

import { loadProvingKey, prove } from "chunkproof/prover";
import { parseVerifyingKey, verify } from "chunkproof/verifier";
import { SPLITS } from "../../dist/prover/split.js";
import { compare, must, stats } from "../_harness.mjs";
import { progress } from "../_progress.mjs";
import { squares } from "./circuit.mjs";

/** From this size on, two rounds do. */
const LARGE = 18;

/**
 * A key in memory, its witness, and whether a proof is right.
 *
 * @param {number} log2
 * @param {number} threads
 */
export async function loaded(log2, threads) {
  const { zkey, wtns, constraints } = await squares(log2, threads);
  const key = await loadProvingKey(zkey, { threads });
  const vk = parseVerifyingKey(key.verifyingKey);
  return {
    key,
    wtns,
    constraints,
    /** Throws unless the proof is valid and comes from this split. */
    check: (/** @type {any} */ { proof, publicSignals, backend }, /** @type {keyof typeof SPLITS} */ split) => {
      must(verify(vk, publicSignals, proof), `proof, ${split}`);
      const { fallback } = backend;
      if (fallback !== undefined) throw new Error(`${split}: ${fallback.code}: ${fallback.message}`);
      must(JSON.stringify(backend.split) === JSON.stringify(SPLITS[split]), `who made the proof, ${split}`);
    },
  };
}

/** @param {import("./run.mjs").Options} options */
export async function proofs({ sizes, threads, budget, open, report }) {
  for (const log2 of sizes.proofs) {
    const { key, wtns, constraints, check } = await loaded(log2, threads);
    const { backend } = await open();
    try {
      const contenders = /** @type {const} */ (["wasm", "webgpu", "webgpu+wasm"]).map((split) => ({
        name: split,
        run: () => prove(key, wtns, split === "wasm" ? {} : { backend, split }),
        check: (/** @type {any} */ result) => check(result, split),
      }));
      const min = log2 >= LARGE ? Math.min(2, budget.min) : budget.min;
      const row = await compare("proof squares", { log2, threads }, contenders, { ...budget, min });
      report({ ...row, circuit: { constraints }, device: { memory: backend.info().memory } });
    } finally {
      await key.close();
      await backend.close();
    }
  }
}

/**
 * A backend whose calls are timed, for `prove`.
 *
 * @param {any} backend
 * @param {(method: string, args: any[], ms: number) => void} note
 */
export function timed(backend, note) {
  return new Proxy(backend, {
    get: (target, name) => {
      const value = target[name];
      if (typeof value !== "function") return value;
      return (/** @type {any[]} */ ...args) => {
        const start = performance.now();
        const result = value.apply(target, args);
        if (!(result instanceof Promise)) return result;
        return result.finally(() => note(String(name), args, performance.now() - start));
      };
    },
  });
}

/**
 * The first proof on a device, in parts; what the driver keeps on disk of an earlier run (NVIDIA: ~/.nv) may make pipelines
 * appear sooner: the first round is the coldest.
 *
 * @param {import("./run.mjs").Options} options
 */
export async function cold({ sizes, threads, budget, open, report }) {
  for (const log2 of sizes.cold) {
    const { key, wtns, constraints, check } = await loaded(log2, threads);
    progress(`first proof of 2^${log2} ...`);
    /** @type {Record<string, number[]>} */
    const times = {
      "open device": [],
      "compile pipelines": [],
      "upload bases": [],
      "upload constraints": [],
      "first proof": [],
      "second proof": [],
    };
    /** @type {any} */
    let device;
    try {
      const rounds = budget.runs ?? Math.min(3, budget.max);
      for (let round = 0; round < rounds; round++) {
        const start = performance.now();
        const { backend, watched } = await open();
        times["open device"].push(performance.now() - start);
        try {
          const ms = { putBases: 0, putConstraints: 0 };
          let compiled = 0;
          const noted = timed(backend, (method, _, took) => {
            // a kernel that is needed first is compiled there
            const without = took - (watched.compileMs - compiled);
            compiled = watched.compileMs;
            if (method === "putBases" || method === "putConstraints") ms[method] += Math.max(0, without);
          });
          const one = async () => {
            const start = performance.now();
            const result = await prove(key, wtns, { backend: noted, split: "webgpu" });
            const took = performance.now() - start;
            check(result, "webgpu");
            return took;
          };
          times["first proof"].push(await one());
          times["compile pipelines"].push(watched.compileMs);
          times["upload bases"].push(ms.putBases);
          times["upload constraints"].push(ms.putConstraints);
          const { uploaded, pipelines } = watched;
          watched.reset();
          times["second proof"].push(await one());
          const { dispatches, submits } = watched;
          const { memory } = backend.info();
          device = { memory, uploaded, pipelines, dispatchesOfAProof: dispatches, submitsOfAProof: submits };
        } finally {
          await backend.close();
        }
      }
    } finally {
      await key.close();
    }
    report({
      name: "first proof squares",
      params: { log2, threads },
      unit: "ms",
      times: Object.fromEntries(Object.entries(times).map(([name, samples]) => [name, stats(samples)])),
      extras: {},
      ratios: [],
      circuit: { constraints },
      device,
    });
  }
}
