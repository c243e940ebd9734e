/**
 * snarkjs as users run it: the CommonJS bundle, which is what its command line is made of and starts faster than the
 * modules. It has no option for the number of threads: it starts as many as `os.cpus()` has entries.
 *
 * @module
 */

import { createRequire } from "node:module";
import os from "node:os";

const require = createRequire(import.meta.url);

/** snarkjs, untyped. */
export const snarkjs = require("snarkjs");

const cpus = os.cpus();
let current = 0;

/** Ends its threads. */
export async function closeSnarkjs() {
  await /** @type {any} */ (globalThis).curve_bn128?.terminate();
  current = 0;
}

/**
 * Its curve with this many threads; what it does from now on runs on them.
 *
 * @param {number} threads
 * @returns {Promise<any>}
 */
export async function snarkjsCurve(threads) {
  if (current !== threads) await closeSnarkjs();
  os.cpus = () => Array.from({ length: threads }, () => cpus[0]);
  const curve = await snarkjs.curves.getCurveFromName("bn128");
  if (curve.tm.concurrency !== threads) throw new Error(`snarkjs runs ${curve.tm.concurrency} threads`);
  current = threads;
  return curve;
}
