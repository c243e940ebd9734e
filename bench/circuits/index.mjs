/**
 * The circuits of the benchmark: compiled, keyed and given a witness on demand. Everything is cached under `.cache/bench`
 * by a digest of what it is made from.
 *
 * A circuit of size k fills the evaluation domain of 2^k nearly: {@link FAMILIES} say how far. Keys come from
 * `chunkproof/setup`. Witnesses come from chunkproof's `calculateWitness`, and are the bytes that snarkjs computes.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { calculateWitness } from "chunkproof/prover";
import { setup } from "chunkproof/setup";
import { readR1cs } from "../../dist/formats/r1cs.js";
import { exportVerifyingKey, openZkey } from "../../dist/formats/zkey.js";
import { must } from "../_harness.mjs";
import { ROOT } from "../_machine.mjs";
import { snarkjs } from "../baselines/snarkjs.mjs";
import { cached, digest } from "./_cache.mjs";

const require = createRequire(import.meta.url);
const HERE = join(ROOT, "bench", "circuits");
const CIRCOM = require.resolve("circom2/cli.js");
const CIRCOMLIB = join(require.resolve("circomlib/package.json"), "..", "circuits");

/** Constraints of one Poseidon(2) after --O2. */
const POSEIDON_CONSTRAINTS = 240;
const SEGMENT = 248;

/**
 * @typedef {object} Family
 * @property {string} file in this folder
 * @property {[min: number, max: number]} sizes k
 * @property {(k: number) => string} main
 * @property {"--O1" | "--O2"} optimisation
 * @property {(k: number, seed: number) => Record<string, any>} inputs
 */

/** @type {Record<string, Family>} */
export const FAMILIES = {
  // 31/32 of the domain: 31,680 constraints at 2^15
  "poseidon-chain": {
    file: "poseidon-chain.circom",
    sizes: [8, 18],
    main: (k) => `PoseidonChain(${Math.floor((2 ** k * 31) / 32 / POSEIDON_CONSTRAINTS)})`,
    optimisation: "--O2",
    inputs: (_, seed) => ({ start: 1 + seed, key: 2 }),
  },
  // one block for 2^15, two for 2^16, ...: 92 %
  "sha256-blocks": {
    file: "sha256-blocks.circom",
    sizes: [15, 18],
    main: (k) => `Sha256Blocks(${2 ** (k - 15)})`,
    optimisation: "--O1",
    inputs: (k, seed) => ({ in: Array.from({ length: 512 * 2 ** (k - 15) - 65 }, (_, i) => ((i * i + seed) % 7) & 1) }),
  },
  // 248/256 of the domain
  squares: {
    file: "squares.circom",
    sizes: [8, 18],
    main: (k) => `SquareChain(${SEGMENT}, ${2 ** (k - 8)})`,
    optimisation: "--O1",
    inputs: (_, seed) => ({ in: 3 + seed }),
  },
};

/**
 * @typedef {object} Artefacts
 * @property {string} r1cs path
 * @property {string} wasm path
 * @property {string} zkey path
 * @property {string} wtns path
 * @property {any} vk verifying key, JSON
 * @property {CircuitInfo} info
 *
 * @typedef {object} CircuitInfo
 * @property {number} constraints
 * @property {number} wires
 * @property {number} publicSignals
 * @property {number} coefficients entries of the matrices A and B, those of the public signals included
 * @property {number} trivialValues witness values that are 0 or 1
 * @property {number} zkeyBytes
 */

/** Compiles a circuit; answers the folder with circuit.r1cs and circuit_js/circuit.wasm. */
async function compile(/** @type {string} */ name, /** @type {number} */ k) {
  const { file, main, optimisation } = FAMILIES[name];
  const source = await readFile(join(HERE, file), "utf8");
  const versions = ["circom2", "circomlib"].map((p) => require(`${p}/package.json`).version);
  const key = digest(...versions, source, main(k), optimisation);
  return cached(`${name}-${k}-${key}`, `compiling ${name} 2^${k}: ${main(k)} ${optimisation}`, async (folder) => {
    const path = join(folder, "circuit.circom");
    await writeFile(path, `pragma circom 2.1.0;\ninclude "${file}";\ncomponent main = ${main(k)};\n`);
    // circom2 sees the working directory and the folders above it, by relative paths
    const [from, ...libs] = [path, HERE, CIRCOMLIB].map((p) => relative(ROOT, p));
    const libArgs = libs.flatMap((lib) => ["-l", lib]);
    const args = [CIRCOM, from, "--r1cs", "--wasm", optimisation, ...libArgs, "-o", relative(ROOT, folder)];
    try {
      await promisify(execFile)(process.execPath, args, { cwd: ROOT, maxBuffer: 1 << 26 });
    } catch (error) {
      const { stdout, stderr } = /** @type {any} */ (error);
      throw new Error(`circom failed on ${name}:\n${stdout ?? ""}${stderr ?? ""}`, { cause: error });
    }
  });
}

/** A witness of the circuit; `seed` chooses among its inputs. */
export async function witness(/** @type {string} */ name, /** @type {number} */ k, seed = 0) {
  const circuit = await compile(name, k);
  const wasm = join(circuit, "circuit_js", "circuit.wasm");
  const inputs = FAMILIES[name].inputs(k, seed);
  const key = digest(await readFile(wasm), JSON.stringify(inputs));
  const folder = await cached(`wtns-${name}-${k}-${key}`, undefined, async (folder) => {
    const values = await calculateWitness(wasm, inputs);
    const theirs = { type: "mem", data: new Uint8Array() };
    await snarkjs.wtns.calculate(inputs, wasm, theirs);
    must(Buffer.compare(values, theirs.data) === 0, `the witness of ${name} 2^${k} is not that of snarkjs`);
    await writeFile(join(folder, "witness.wtns"), values);
  });
  return join(folder, "witness.wtns");
}

/** The compiled circuit alone. */
export async function circuit(/** @type {string} */ name, /** @type {number} */ k) {
  const folder = await compile(name, k);
  return { r1cs: join(folder, "circuit.r1cs"), wasm: join(folder, "circuit_js", "circuit.wasm") };
}

/**
 * Everything for proofs of one circuit.
 *
 * @param {string} name
 * @param {number} k
 * @returns {Promise<Artefacts>}
 */
export async function artefacts(name, k) {
  const { r1cs, wasm } = await circuit(name, k);
  const key = digest(await readFile(r1cs));
  const folder = await cached(`zkey-${name}-${k}-${key}`, `key of ${name} 2^${k}`, async (folder) => {
    const path = join(folder, "circuit.zkey");
    await (await setup(r1cs)).writeTo(path);
    const { header } = await readR1cs(r1cs);
    const zkey = await openZkey(path);
    const vk = await exportVerifyingKey(zkey);
    await zkey.close();
    must(zkey.header.domainSize === 2 ** k, `${name} 2^${k} has a domain of ${zkey.header.domainSize}`);
    const theirs = await snarkjs.zKey.exportVerificationKey(path);
    for (const field of /** @type {const} */ (["vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC"])) {
      const same = JSON.stringify(vk[field]) === JSON.stringify(theirs[field]);
      must(same, `${field} of ${name} 2^${k} is not what snarkjs reads`);
    }
    const values = await readFile(await witness(name, k));
    const info = {
      constraints: header.nConstraints,
      wires: header.nWires,
      publicSignals: zkey.header.nPublic,
      coefficients: zkey.nCoefs,
      trivialValues: countTrivial(values.subarray(values.length - 32 * header.nWires)),
      zkeyBytes: (await stat(path)).size,
    };
    await writeFile(join(folder, "circuit.json"), JSON.stringify({ vk, info }, null, 1));
  });
  const { vk, info } = JSON.parse(await readFile(join(folder, "circuit.json"), "utf8"));
  return { r1cs, wasm, zkey: join(folder, "circuit.zkey"), wtns: await witness(name, k), vk, info };
}

/** How many of these 32-byte little-endian numbers are 0 or 1. */
function countTrivial(/** @type {Uint8Array} */ values) {
  let count = 0;
  for (let at = 0; at < values.length; at += 32) {
    if (values[at] <= 1 && values.subarray(at + 1, at + 32).every((byte) => byte === 0)) count++;
  }
  return count;
}
