/**
 * Small circuits for tests of the prover, each with inputs, and what circom and snarkjs make of them.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bn254 } from "@noble/curves/bn254.js";
import { compileCircuit, snarkjs, snarkjsKey, snarkjsWitness } from "./circuits.js";

const MINUS_ONE = bn254.fields.Fr.ORDER - 1n;
const RANDOM = 0x1b2c3d4e5f60718293a4b5c6d7e8f9010203040506070809fedcba987654321n;

/** 2^8 points, for all of these circuits: snarkjs needs seconds for it, minutes for more. */
export const POWER = 8;

interface Entry {
  readonly source: string;
  readonly opts?: string[];
  /** Inputs that the circuit accepts. */
  readonly inputs: readonly Readonly<Record<string, unknown>>[];
}

const squares = (n: number): Entry => ({
  source: `template Chain() {
    signal input x;
    signal t[${n + 1}];
    t[0] <== x;
    for (var i = 0; i < ${n}; i++) { t[i + 1] <== t[i] * t[i]; }
  }
  component main = Chain();`,
  opts: ["--O2"],
  inputs: [{ x: 0 }, { x: 1 }, { x: MINUS_ONE }, { x: RANDOM }],
});

/** Circuits by name. */
export const ZOO = {
  /** One constraint, no public signal. */
  one: {
    source: `template One() {
      signal input a;
      signal input b;
      signal input c;
      c === a * b;
    }
    component main = One();`,
    inputs: [
      { a: 3, b: 11, c: 33 },
      { a: 0, b: 0, c: 0 },
      { a: MINUS_ONE, b: MINUS_ONE, c: 1 },
      { a: RANDOM, b: 0, c: 0 },
    ],
  },
  /** Public outputs and inputs, signals that no constraint uses, coefficients of every size. */
  mixed: {
    source: `template Mixed() {
      signal input x;
      signal input unusedPublic;
      signal input y;
      signal input unusedPrivate;
      signal output out[2];
      signal t <== (x - 7 * y + 5) * (21888242871839275222246405745257275088548364400416034343698204186575808495616 * x + y);
      out[0] <== t * y;
      out[1] <== (12345678901234567890123456789012345678901234567890 * out[0] + t) * x;
    }
    component main { public [x, unusedPublic] } = Mixed();`,
    // further up, circom drops private inputs that no constraint uses
    opts: ["--O0"],
    inputs: [
      { x: 3, unusedPublic: 8, y: 5, unusedPrivate: 9 },
      { x: 0, unusedPublic: 0, y: 0, unusedPrivate: 0 },
      { x: MINUS_ONE, unusedPublic: MINUS_ONE, y: MINUS_ONE, unusedPrivate: MINUS_ONE },
      { x: RANDOM, unusedPublic: RANDOM, y: 1, unusedPrivate: RANDOM },
    ],
  },
  /** Nothing to put in. */
  constant: {
    source: `template Constant() {
      signal output out;
      signal t;
      t <-- 3;
      t * t === 9;
      out <== t * t;
    }
    component main = Constant();`,
    inputs: [{}],
  },
  /** Inputs of every shape. */
  arrays: {
    source: `template Arrays() {
      signal input grid[2][3];
      signal input flag;
      signal input row[1];
      signal output out;
      signal p[3];
      for (var i = 0; i < 3; i++) { p[i] <== grid[0][i] * grid[1][i]; }
      out <== p[0] + 2 * p[1] + 4 * p[2] + flag * row[0];
    }
    component main { public [row] } = Arrays();`,
    inputs: [
      {
        grid: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        flag: 1,
        row: [10],
      },
    ],
  },
  /** As many rows as the domain has points, and one more. */
  chain3: squares(3),
  chain4: squares(4),
  chain7: squares(7),
  chain8: squares(8),
  /** circomlib: bits. */
  less: {
    source: `include "comparators.circom";
    component main = LessThan(64);`,
    inputs: [{ in: [0, 0] }, { in: [5, 2n ** 64n - 1n] }, { in: [2n ** 64n - 1n, 2n ** 63n] }],
  },
  /** circomlib: full-size values, constants of every size. */
  hash: {
    source: `include "poseidon.circom";
    component main = Poseidon(2);`,
    opts: ["--O2"],
    inputs: [{ inputs: [0, 0] }, { inputs: [MINUS_ONE, MINUS_ONE] }, { inputs: [RANDOM, 2] }],
  },
  /** circomlib: a public key and a private value. */
  cipher: {
    source: `include "mimc.circom";
    component main { public [k] } = MiMC7(60);`,
    inputs: [
      { x_in: 0, k: 0 },
      { x_in: RANDOM, k: MINUS_ONE },
    ],
  },
} satisfies Record<string, Entry>;

/** Name of a circuit. */
export type ZooName = keyof typeof ZOO;

/** Files of a compiled circuit and its key by snarkjs. */
export interface Specimen {
  readonly r1cs: string;
  readonly wasm: string;
  /** With one contribution. */
  readonly zkey: string;
  /** snarkjs' verifying key. */
  // biome-ignore lint/suspicious/noExplicitAny: snarkjs has no types
  readonly vk: any;
  /** Witness file of the i-th inputs. */
  readonly witnesses: readonly string[];
  readonly inputs: readonly Readonly<Record<string, unknown>>[];
}

/** Compiles a circuit of the {@link ZOO}. */
export function compileSpecimen(name: ZooName): Promise<{ r1cs: string; wasm: string }> {
  const { source, opts = [] }: Entry = ZOO[name];
  // circomlib's poseidon.circom must not find itself
  return compileCircuit(`zoo_${name}`, `pragma circom 2.1.9;\n${source}\n`, {
    libs: ["node_modules/circomlib/circuits"],
    opts,
  });
}

/** A circuit of the {@link ZOO} with everything that snarkjs makes for it. */
export async function specimen(name: ZooName): Promise<Specimen> {
  const { inputs }: Entry = ZOO[name];
  const { r1cs, wasm } = await compileSpecimen(name);
  const zkey = await snarkjsKey(r1cs, POWER);
  const vk = await snarkjs.zKey.exportVerificationKey(zkey);
  const witnesses: string[] = [];
  for (const input of inputs) witnesses.push(await snarkjsWitness(wasm, input));
  return { r1cs, wasm, zkey, vk, witnesses, inputs };
}

/** Makes an empty temporary folder; `remove` deletes it with all that is in it. */
export async function temporaryFolder(): Promise<{ path: (name: string) => string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "chunkproof-"));
  return { path: (name) => join(folder, name), remove: () => rm(folder, { recursive: true, force: true }) };
}
