/**
 * Tiny circuits, keys and witnesses made by circom and snarkjs, the oracles of the tests. Everything is cached under
 * `.cache/fixtures` by the hash of what it is made from, and appears there by rename, so test files may run side by
 * side.
 *
 * snarkjs leaves worker threads alive: whoever uses it calls {@link closeSnarkjs} in `afterAll`.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
// @ts-expect-error snarkjs has no types
import * as untypedSnarkjs from "snarkjs";

/** snarkjs, untyped. */
// biome-ignore lint/suspicious/noExplicitAny: snarkjs has no types
export const snarkjs: any = untypedSnarkjs;

/** Root of the repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(ROOT, ".cache", "fixtures");
const require = createRequire(import.meta.url);
const CIRCOM = require.resolve("circom2/cli.js");
const CIRCOM_VERSION: string = require("circom2/package.json").version;

/** Ends snarkjs' worker threads; without it the test process would not exit. */
export async function closeSnarkjs(): Promise<void> {
  await (globalThis as { curve_bn128?: { terminate(): Promise<void> } }).curve_bn128?.terminate();
}

/** Hexadecimal SHA-256 of the parts, with their lengths, 16 digits. */
function digest(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/** The folder `name` in the cache; if it is not there yet, `make` fills it. */
async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  const temporary = await mkdtemp(join(CACHE, "tmp-"));
  try {
    await make(temporary);
    await rename(temporary, folder).catch((error) => {
      // another process was faster
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return folder;
}

/** Options of {@link compileCircuit}. */
export interface CompileOptions {
  /** Folders inside the repository to look for includes in, e.g. `node_modules/circomlib/circuits`. */
  libs?: string[];
  /** Further arguments for circom, e.g. `["--O2", "--prime", "bls12381"]`. */
  opts?: string[];
}

/**
 * Compiles circom source.
 *
 * @param name base name of the results.
 * @param source a whole circom file with its main component.
 */
export async function compileCircuit(
  name: string,
  source: string,
  { libs = [], opts = [] }: CompileOptions = {},
): Promise<{ r1cs: string; wasm: string }> {
  const key = digest(CIRCOM_VERSION, source, ...libs, "|", ...opts);
  const folder = await cached(`${name}-${key}`, async (temporary) => {
    await writeFile(join(temporary, `${name}.circom`), source);
    // circom2's file system finds no includes above the working folder
    const [folderArg, ...libFolders] = [temporary, ...libs.map((lib) => resolve(ROOT, lib))].map((p) =>
      relative(ROOT, p),
    );
    const libArgs = libFolders.flatMap((lib) => ["-l", lib]);
    const args = [CIRCOM, `${folderArg}/${name}.circom`, "--r1cs", "--wasm", "-o", folderArg!, ...opts, ...libArgs];
    try {
      await promisify(execFile)(process.execPath, args, { cwd: ROOT, maxBuffer: 1 << 26 });
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`circom failed on ${name}:\n${stdout ?? ""}${stderr ?? ""}`, { cause: error });
    }
  });
  return { r1cs: join(folder, `${name}.r1cs`), wasm: join(folder, `${name}_js`, `${name}.wasm`) };
}

/** A prepared ptau file for circuits of up to `2^power` constraints; small powers only, snarkjs is slow here. */
export async function snarkjsPtau(power: number): Promise<string> {
  const folder = await cached(`ptau-${power}`, async (temporary) => {
    const curve = await snarkjs.curves.getCurveFromName("bn128");
    const file = (name: string) => join(temporary, name);
    await snarkjs.powersOfTau.newAccumulator(curve, power, file("0.ptau"));
    // without a contribution tau would be 1 and most Lagrange points infinity
    await snarkjs.powersOfTau.contribute(file("0.ptau"), file("1.ptau"), "test", "entropy");
    await snarkjs.powersOfTau.preparePhase2(file("1.ptau"), file("final.ptau"));
    await Promise.all(["0.ptau", "1.ptau"].map((name) => rm(file(name))));
  });
  return join(folder, "final.ptau");
}

/** A zkey that snarkjs made from the circuit, with one contribution. */
export async function snarkjsKey(r1csPath: string, power: number): Promise<string> {
  const ptau = await snarkjsPtau(power);
  const key = digest(await readFile(r1csPath), await readFile(ptau));
  const folder = await cached(`zkey-${key}`, async (temporary) => {
    const file = (name: string) => join(temporary, name);
    const made = await snarkjs.zKey.newZKey(r1csPath, ptau, file("0.zkey"));
    if (made === -1) throw new Error(`snarkjs cannot make a key for ${r1csPath} from 2^${power}`);
    await snarkjs.zKey.contribute(file("0.zkey"), file("final.zkey"), "first contribution", "entropy");
    await rm(file("0.zkey"));
  });
  return join(folder, "final.zkey");
}

/** The witness file that circom's generator and snarkjs make for these inputs. */
export async function snarkjsWitness(wasmPath: string, input: Record<string, unknown>): Promise<string> {
  const text = JSON.stringify(input, (_, value) => (typeof value === "bigint" ? String(value) : value));
  const key = digest(await readFile(wasmPath), text);
  const folder = await cached(`wtns-${key}`, async (temporary) => {
    await snarkjs.wtns.calculate(JSON.parse(text), wasmPath, join(temporary, "witness.wtns"));
  });
  return join(folder, "witness.wtns");
}
