/**
 * Whole proofs. Every proof is verified by the other side's verifier.
 *
 * - warm: one process; threads started, code compiled, chunkproof's key loaded. snarkjs has no loaded key: it is given the
 *   zkey in memory and decodes it in every proof. Where chunkproof has a faster arithmetic than integers, the integers are
 *   timed too, at one size.
 * - cold: a process for each proof, from spawn to exit: the command lines, as a user calls them; files in the page cache.
 *   This is what compares with rapidsnark, and what the peak resident memory is taken from.
 *
 * @module
 */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { loadProvingKey, prove } from "chunkproof/prover";
import { parseVerifyingKey, verify } from "chunkproof/verifier";
import { compare, must, threadsOf } from "../_harness.mjs";
import { ROOT } from "../_machine.mjs";
import { progress } from "../_progress.mjs";
import { closeSnarkjs, snarkjs, snarkjsCurve } from "../baselines/snarkjs.mjs";
import { artefacts } from "../circuits/index.mjs";
import { measure } from "./process.mjs";

/** Largest size with a warm-up round of its own; beyond, {@link SMALL} is proved instead, which runs the same code. */
const WARM_UP_LIMIT = 16;
/** Largest size at which warm proofs without self-check are timed: it takes the same few milliseconds at every size. */
const NO_CHECK_LIMIT = 15;
/** From this size on, two rounds do. */
const LARGE = 18;
/** @type {[string, number]} */
const SMALL = ["poseidon-chain", 8];

const COMMAND = {
  snarkjs: join(createRequire(import.meta.url).resolve("snarkjs"), "..", "cli.cjs"),
  chunkproof: join(ROOT, "bin", "cli", "main.js"),
  cpus: join(ROOT, "bench", "baselines", "cpus.cjs"),
};

/**
 * The circuits, sizes and thread counts to prove: all threads at every size, the other counts at one.
 *
 * @param {import("../run.mjs").Options} options
 * @param {"warm" | "cold"} group
 */
function* cases({ sizes, threads, budget }, group) {
  for (const { circuit, log2, series, only = group, rounds } of sizes.proofs) {
    if (only !== group) continue;
    const min = Math.min(budget.min, rounds ?? (log2 >= LARGE ? 2 : budget.min));
    for (const count of threadsOf({ series }, threads)) {
      yield {
        circuit,
        integers: series && count === threads.at(-1),
        params: { log2, threads: count },
        // few rounds because they are long: no more even where they are not
        budget: { ...budget, min, max: rounds ?? budget.max },
      };
    }
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
  const small = await artefacts(...SMALL);
  for (const { circuit, integers, params, budget } of cases(options, "warm")) {
    const { log2, threads } = params;
    const { zkey, wtns, vk, info } = await artefacts(circuit, log2);
    const judge = judges(vk);
    const [zkeyBytes, wtnsBytes] = await Promise.all([readFile(zkey), readFile(wtns)]);
    await snarkjsCurve(threads);
    const warmUp = log2 <= WARM_UP_LIMIT;
    if (!warmUp) {
      await snarkjs.groth16.prove(small.zkey, small.wtns);
      const key = await loadProvingKey(small.zkey, { threads });
      await prove(key, small.wtns);
      await key.close();
    }
    const key = await loadProvingKey(zkeyBytes, { threads });
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
      ];
      if (log2 <= NO_CHECK_LIMIT) contenders.push(contender("chunkproof, no self-check", false));
      const { arithmetic } = key.info();
      if (integers && arithmetic !== "int") {
        const slower = await loadProvingKey(zkeyBytes, { threads, arithmetic: "int" });
        keys.push(slower);
        contenders.push(contender("chunkproof, int", true, slower));
      }
      const row = await compare(`warm ${circuit}`, params, contenders, budget, { warmUp });
      options.report({ ...row, circuit: { ...info, arithmetic } });
    } finally {
      for (const key of keys) await key.close();
    }
  }
}

/**
 * A command line that writes a proof, as a contender.
 *
 * @param {string} folder for the proofs
 * @param {import("../circuits/index.mjs").Artefacts} artefacts
 */
function commands(folder, { zkey, wtns, vk }) {
  const judge = judges(vk);
  const proofPath = join(folder, "proof.json");
  const publicPath = join(folder, "public.json");
  const files = [zkey, wtns, proofPath, publicPath];
  const contender = (
    /** @type {string} */ name,
    /** @type {string[]} */ command,
    /** @type {((result: any) => Promise<void>)[]} */ judges,
    env = process.env,
  ) => ({
    name,
    // nobody's proof is taken for another's
    prepare: () => Promise.all([proofPath, publicPath].map((path) => rm(path, { force: true }))),
    run: () => measure(command, env),
    check: async () => {
      const proof = JSON.parse(await readFile(proofPath, "utf8"));
      const publicSignals = JSON.parse(await readFile(publicPath, "utf8"));
      for (const judge of judges) await judge({ proof, publicSignals });
    },
    extras: (/** @type {Record<string, number>} */ measured) => measured,
  });
  const node = process.execPath;
  return {
    snarkjs: (/** @type {number} */ threads) => {
      const env = { ...process.env, BENCH_CPUS: String(threads) };
      const command = [node, "--require", COMMAND.cpus, COMMAND.snarkjs, "groth16", "prove", ...files];
      return contender("snarkjs", command, [judge.chunkproof], env);
    },
    chunkproof: (/** @type {number} */ threads, selfCheck = true) => {
      const command = [node, COMMAND.chunkproof, "groth16", "prove", ...files, "--threads", String(threads)];
      return selfCheck
        ? contender("chunkproof", command, [judge.snarkjs])
        : contender("chunkproof, no self-check", [...command, "--no-self-check"], [judge.snarkjs]);
    },
    rapidsnark: (/** @type {string} */ path) =>
      contender("rapidsnark", [path, ...files], [judge.snarkjs, judge.chunkproof]),
  };
}

/** @param {import("../run.mjs").Options} options */
export async function cold(options) {
  const { rapidsnark } = options;
  const folder = await mkdtemp(join(tmpdir(), "chunkproof-bench-"));
  const contendersOf = (
    /** @type {import("../circuits/index.mjs").Artefacts} */ made,
    /** @type {number} */ threads,
  ) => {
    const { snarkjs, chunkproof, rapidsnark: other } = commands(folder, made);
    const contenders = [snarkjs(threads), chunkproof(threads), chunkproof(threads, false)];
    if (rapidsnark !== undefined && threads === os.availableParallelism()) contenders.push(other(rapidsnark.path));
    return contenders;
  };
  if (rapidsnark !== undefined && options.threads.some((count) => count !== os.availableParallelism()))
    progress("rapidsnark takes all threads of the machine: left out where there are to be fewer");
  try {
    // programs and libraries into the page cache; there is nothing else to warm up in a new process
    const small = await artefacts(...SMALL);
    for (const { prepare, run, check } of contendersOf(small, os.availableParallelism())) {
      await prepare();
      await run();
      await check();
    }
    for (const { circuit, params, budget } of cases(options, "cold")) {
      const made = await artefacts(circuit, params.log2);
      await Promise.all([readFile(made.zkey), readFile(made.wtns)]);
      const contenders = contendersOf(made, params.threads);
      const row = await compare(`cold ${circuit}`, params, contenders, budget, { warmUp: false });
      options.report({ ...row, circuit: made.info });
    }
  } finally {
    await closeSnarkjs();
    await rm(folder, { recursive: true });
  }
}
