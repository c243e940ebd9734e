/**
 * The seed of all random tests: the same in every run, so that a run is about the change it runs on. `SEED=random` looks
 * elsewhere, `SEED=<number>` looks there again.
 *
 * @module
 */

import fc from "fast-check";

const FIXED = 20_260_401;

const chosen = process.env.SEED ?? String(FIXED);

/** See the module. */
export const SEED: number = chosen === "random" ? Date.now() % 2 ** 31 : Number(chosen);
if (!Number.isSafeInteger(SEED)) throw new Error(`SEED=${chosen} is neither a number nor "random"`);

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED });
