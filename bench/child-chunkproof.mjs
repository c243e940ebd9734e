/**
 * One proof by chunkproof as a process of its own:
 * `node child-chunkproof.mjs <zkey> <wtns> <proof.json> <public.json> <threads> [--no-self-check]`.
 * Prints what it measured of itself: see {@link finish}.
 *
 * @module
 */

import { writeFile } from "node:fs/promises";
import { finish, phase } from "./_child.mjs";

const [zkey, wtns, proofPath, publicPath, threads, flag] = process.argv.slice(2);
phase("start");
const { loadProvingKey, prove } = await import("chunkproof/prover");
phase("import");
const key = await loadProvingKey(zkey, { threads: Number(threads) });
phase("load");
const selfCheck = flag !== "--no-self-check";
const { proof, publicSignals } = await prove(key, wtns, {
  selfCheck,
  onProgress: ({ stage, done }) => {
    if (stage === "check" && done === 0) phase("prove");
  },
});
phase(selfCheck ? "check" : "prove");
await writeFile(proofPath, JSON.stringify(proof));
await writeFile(publicPath, JSON.stringify(publicSignals));
await key.close();
phase("write");
finish();
