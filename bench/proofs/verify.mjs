/**
 * Verification, warm: one proof, and a batch of 32 proofs of 32 witnesses for one key. snarkjs has no batches: it verifies
 * one after the other.
 *
 * @module
 */

import { loadProvingKey, prove } from "chunkproof/prover";
import { parseVerifyingKey, verifyBatch, verify as verifyOne } from "chunkproof/verifier";
import { compare, must } from "../_harness.mjs";
import { snarkjs, snarkjsCurve } from "../baselines/snarkjs.mjs";
import { artefacts, witness } from "../circuits/index.mjs";

const BATCH = 32;
const CIRCUIT = "poseidon-chain";

/** @param {import("../run.mjs").Options} options */
export async function verify(options) {
  for (const log2 of options.sizes.verify) await verifyAt(log2, options);
}

/**
 * @param {number} log2 size of the circuit, which a verification hardly depends on
 * @param {import("../run.mjs").Options} options
 */
async function verifyAt(log2, { threads, budget, report }) {
  const { zkey, vk: json } = await artefacts(CIRCUIT, log2);
  await snarkjsCurve(Math.max(...threads));
  const vk = parseVerifyingKey(json);
  const key = await loadProvingKey(zkey);
  /** @type {import("chunkproof/prover").ProofResult[]} */
  const items = [];
  for (let seed = 0; seed < BATCH; seed++) items.push(await prove(key, await witness(CIRCUIT, log2, seed)));
  await key.close();

  // a verifier that says yes to everything must not be timed
  const [{ proof, publicSignals }, other] = items;
  must(!verifyOne(vk, other.publicSignals, proof), "chunkproof accepts a proof for other signals");
  must(!(await snarkjs.groth16.verify(json, other.publicSignals, proof)), "snarkjs accepts a proof for other signals");
  const forged = items.map((item, i) => ({ vk, ...item, proof: i === 5 ? proof : item.proof }));
  must(
    verifyBatch(forged)
      .invalid.map(({ index }) => index)
      .join() === "5",
    "the batch names the wrong proofs",
  );

  const check = (/** @type {boolean} */ valid) => must(valid, "a valid proof is rejected");
  const single = [
    { name: "snarkjs", run: () => snarkjs.groth16.verify(json, publicSignals, proof), check },
    { name: "chunkproof", run: () => verifyOne(vk, publicSignals, proof), check },
  ];
  report(await compare("verify one", { log2 }, single, budget));

  const batch = [
    {
      name: "snarkjs",
      perRun: BATCH,
      run: async () => {
        let valid = true;
        for (const { proof, publicSignals } of items)
          valid &&= await snarkjs.groth16.verify(json, publicSignals, proof);
        return valid;
      },
      check,
    },
    {
      name: "chunkproof",
      perRun: BATCH,
      run: () => verifyBatch(items.map((item) => ({ vk, ...item }))).valid,
      check,
    },
  ];
  report(await compare(`verify ${BATCH}, each`, { log2 }, batch, budget));
}
