/**
 * Development keys, from the .r1cs file to the .zkey file. There is no ratio: before snarkjs can make a key it needs a
 * prepared phase 1, which takes it many minutes at this size.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setup as makeKey } from "chunkproof/setup";
import { compare, must } from "../_harness.mjs";
import { snarkjs } from "../baselines/snarkjs.mjs";
import { circuit, witness } from "../circuits/index.mjs";

/** @param {import("../run.mjs").Options} options */
export async function setup({ sizes, budget, report }) {
  const folder = await mkdtemp(join(tmpdir(), "chunkproof-bench-"));
  const zkey = join(folder, "circuit.zkey");
  const name = "poseidon-chain";
  const threads = 2;
  try {
    for (const log2 of sizes.setup) {
      const { r1cs } = await circuit(name, log2);
      const wtns = await witness(name, log2);
      const chunkproof = {
        name: "chunkproof",
        run: async () => {
          const key = await makeKey(r1cs, { threads });
          await key.writeTo(zkey);
          return key.verifyingKey;
        },
        check: async (/** @type {any} */ vk) => {
          const { proof, publicSignals } = await snarkjs.groth16.prove(zkey, wtns);
          must(
            await snarkjs.groth16.verify(vk, publicSignals, proof),
            `snarkjs proves with the key of ${name} 2^${log2}`,
          );
        },
      };
      report(await compare(`setup ${name}`, { log2, threads }, [chunkproof], budget, { warmUp: false }));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}
