/**
 * Whole proofs. Every proof is verified by the other side's verifier.
 *
 * - warm: one process; threads started, code compiled, chunkproof's key loaded. snarkjs has no loaded key: it is given the
 *   zkey in memory and decodes it in every proof. Where chunkproof has a faster arithmetic than integers, the integers are
 *   timed too, at one size.
 * - cold: a process for each proof, from spawn to exit; files in the page cache. This is what compares with rapidsnark, and
 *   what the peak resident memory is taken from.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadProvingKey, prove } from "chunkproof/prover";
import { parseVerifyingKey, verify } from "chunkproof/verifier";
import { compare, must, threadsOf } from "../_harness.mjs";
import { RAPIDSNARK } from "../baselines/rapidsnark.mjs";
import { snarkjs, snarkjsCurve } from "../baselines/snarkjs.mjs";
import { artefacts } from "../circuits/index.mjs";

const here = (/** @type {string} */ file) => fileURLToPath(new URL(`../${file}`, import.meta.url));

/**
 * The circuits, sizes and thread counts to prove: all threads at every size, the other counts at one.
 *
 * @param {import("../run.mjs").Options} options
 */
function* cases({ sizes, threads }) {
  for (const { circuit, log2, series } of sizes.proofs) {
    for (const count of threadsOf({ series }, threads)) yield { circuit, series, log2, threads: count };
  }
}

/** What the other side has to say about a proof. */
function judges(/** @type {any} */ vk) {
  const ours = parseVerifyingKey(vk);
  return {
    snarkjs: async (/** @type {any} */ { proof, publicSignals }) =>
      must(await snarkjs.groth16.verify(vk, publicSignals, proof), "snarkjs rejects a proof"),
    chunkproof: async (/** @type {any} */ { proof, publicSignals }) =>
      must(verify(ours, publicSignals, proof), "chunkproof rejects a proof"),
  };
}

/** @param {import("../run.mjs").Options} options */
export async function warm(options) {
  for (const { circuit, series, ...params } of cases(options)) {
    const { zkey, wtns, vk, info } = await artefacts(circuit, params.log2);
    const judge = judges(vk);
    const [zkeyBytes, wtnsBytes] = await Promise.all([readFile(zkey), readFile(wtns)]);
    await snarkjsCurve(params.threads);
    const key = await loadProvingKey(zkeyBytes, { threads: params.threads });
    const keys = [key];
    try {
      const contender = (/** @type {string} */ name, selfCheck = true, on = key) => ({
        name,
        run: () => prove(on, wtnsBytes, { selfCheck }),
        check: judge.snarkjs,
      });
      const contenders = [
        { name: "snarkjs", run: () => snarkjs.groth16.prove(zkeyBytes, wtnsBytes), check: judge.chunkproof },
        contender("chunkproof"),
        contender("chunkproof, no self-check", false),
      ];
      const { arithmetic } = key.info();
      if (series && arithmetic !== "int") {
        const integers = await loadProvingKey(zkeyBytes, { threads: params.threads, arithmetic: "int" });
        keys.push(integers);
        contenders.push(contender("chunkproof, int", true, integers));
      }
      const row = await compare(`warm ${circuit}`, params, contenders, options.budget);
      options.report({ ...row, circuit: { ...info, arithmetic } });
    } finally {
      for (const key of keys) await key.close();
    }
  }
}

/** @param {import("../run.mjs").Options} options */
export async function cold(options) {
  const folder = await mkdtemp(join(tmpdir(), "chunkproof-bench-"));
  try {
    for (const { circuit, series: _, ...params } of cases(options)) {
      const { zkey, wtns, vk, info } = await artefacts(circuit, params.log2);
      const judge = judges(vk);
      const proofPath = join(folder, "proof.json");
      const publicPath = join(folder, "public.json");
      const files = [zkey, wtns, proofPath, publicPath];
      const contender = (
        /** @type {string} */ name,
        /** @type {string[]} */ command,
        /** @type {((result: any) => Promise<void>)[]} */ judges,
      ) => ({
        name,
        // nobody's proof is taken for another's
        prepare: () => Promise.all([proofPath, publicPath].map((path) => rm(path, { force: true }))),
        run: () => run(command),
        check: async () => {
          const proof = JSON.parse(await readFile(proofPath, "utf8"));
          const publicSignals = JSON.parse(await readFile(publicPath, "utf8"));
          for (const judge of judges) await judge({ proof, publicSignals });
        },
        extras: reported,
      });
      const node = (/** @type {string} */ script, /** @type {string[]} */ ...flags) => [
        process.execPath,
        here(script),
        ...files,
        String(params.threads),
        ...flags,
      ];
      const contenders = [
        contender("snarkjs", node("child-snarkjs.mjs"), [judge.chunkproof]),
        contender("chunkproof", node("child-chunkproof.mjs"), [judge.snarkjs]),
        contender("chunkproof, no self-check", node("child-chunkproof.mjs", "--no-self-check"), [judge.snarkjs]),
      ];
      if (RAPIDSNARK !== undefined && params.threads === os.availableParallelism()) {
        contenders.push(contender("rapidsnark", [RAPIDSNARK, ...files], [judge.snarkjs, judge.chunkproof]));
      }
      const row = await compare(`cold ${circuit}`, params, contenders, options.budget);
      options.report({ ...row, circuit: info });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs a process to its end; answers what it wrote to stdout. */
function run(/** @type {string[]} */ [command, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ${args.join(" ")} ended with ${code}:\n${err}`));
    });
  });
}

/** What our child processes print: processor time and phases (ms), peak resident memory (MB). */
function reported(/** @type {string} */ out) {
  const line = out.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) return {};
  const { phases, cpu, maxRss } = JSON.parse(line);
  return { cpu, maxRss, ...phases };
}
