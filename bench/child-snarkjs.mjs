/**
 * One proof by snarkjs as a process of its own: `node child-snarkjs.mjs <zkey> <wtns> <proof.json> <public.json> <threads>`.
 * Ends like the command line of snarkjs, which does not wait for its threads. Prints what it measured of itself.
 *
 * @module
 */

import { writeFile } from "node:fs/promises";
import { finish, phase } from "./_child.mjs";

const [zkey, wtns, proofPath, publicPath, threads] = process.argv.slice(2);
phase("start");
const { snarkjs, snarkjsCurve } = await import("./baselines/snarkjs.mjs");
phase("import");
await snarkjsCurve(Number(threads));
phase("curve");
const { proof, publicSignals } = await snarkjs.groth16.prove(zkey, wtns);
phase("prove");
await writeFile(proofPath, JSON.stringify(proof));
await writeFile(publicPath, JSON.stringify(publicSignals));
phase("write");
finish();
process.exit(0);
