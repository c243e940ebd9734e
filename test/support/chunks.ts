/**
 * Small circuits with committed columns, their keys and proofs: `[sum, alpha, beta, column …]`, all public, no private input.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { FIELD_SIZE, FR_MODULUS, type G1Affine, readBigintLE } from "../../src/formats/bn254.js";
import { calculateWitness, commit, loadCommittedKey, proveChunk } from "../../src/prover/groth16.js";
import {
  type ContributeOptions,
  createCommitmentKey,
  createPhase1,
  exportChunkKey,
  type Phase1,
  setup,
} from "../../src/setup/index.js";
import type { Challenges, ChunkProof } from "../../src/verifier/chunk.js";
import type { ChunkKeyJson, KeySetJson } from "../../src/verifier/keyset.js";
import { compileCircuit } from "./circuits.js";
import { splitContainer } from "./containers.js";

/** The row x·y = z (+ what else is in it), and sum = 1/(alpha + x + beta·z), as on a bus. */
const circuit = (columns: string, row: string) => `pragma circom 2.2.0;
template Chunk() {
  signal output sum;
  signal input alpha;
  signal input beta;
  ${columns
    .split(" ")
    .map((name) => `signal input ${name};`)
    .join(" ")}
  x * y === ${row};
  signal shared <== beta * z;
  sum <-- 1 / (alpha + x + shared);
  (alpha + x + shared) * sum === 1;
}
component main { public [alpha, beta, ${columns.split(" ").join(", ")}] } = Chunk();`;

/** Circuits by name. */
export const CIRCUITS = {
  /** x·y = z. */
  product: circuit("x y z", "z"),
  /** x·y = z + u: a column that stands in the same row as z, and only on that side. */
  longer: circuit("x y z u", "z + u"),
};

/** Both files of a key, in memory, and its entry in a key set. */
export interface ChunkKeys {
  readonly name: keyof typeof CIRCUITS;
  readonly r1cs: string;
  readonly wasm: string;
  readonly zkey: Uint8Array;
  readonly ckey: Uint8Array;
  readonly json: ChunkKeyJson;
}

const join = (pieces: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));

/** A digest of no particular layout. */
export const layoutDigest = (i: number): string => i.toString(16).padStart(64, "0");

/** Fresh keys for a circuit; those with the same phase 1 could be of one set. */
export async function makeKeys(
  name: keyof typeof CIRCUITS,
  phase1: Phase1 = createPhase1(),
  options: ContributeOptions = {},
): Promise<ChunkKeys> {
  const { r1cs, wasm } = await compileCircuit(name, CIRCUITS[name], { opts: ["--O2"] });
  const zkey = join((await setup(r1cs, { shared: phase1 })).zkey);
  const ckey = join((await createCommitmentKey(zkey, options)).ckey);
  return { name, r1cs, wasm, zkey, ckey, json: await exportChunkKey(zkey, ckey, { name, layout: layoutDigest(1) }) };
}

/** A set of these keys, in this order. */
export const setOf = (keys: readonly { readonly json: ChunkKeyJson }[], insecure = false): KeySetJson => ({
  version: 1,
  protocol: "groth16-committed",
  curve: "bn128",
  insecure,
  keys: keys.map(({ json }) => json),
});

/** The values of a witness that satisfies the circuit: `nVars × 32` bytes. */
export async function witnessOf(keys: ChunkKeys, inputs: Readonly<Record<string, bigint>>): Promise<Uint8Array> {
  const wtns = await calculateWitness(await readFile(keys.wasm), inputs);
  return splitContainer(wtns).sections.find(({ id }) => id === 2)!.data;
}

/** Signal `i` of a witness. */
export const signalOf = (witness: Uint8Array, i: number): bigint => readBigintLE(witness, i * FIELD_SIZE, FIELD_SIZE);

/** Columns of the circuits here for some x and y. */
export function columnsOf(name: keyof typeof CIRCUITS, x: bigint, y: bigint): Record<string, bigint> {
  const mod = (k: bigint) => ((k % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;
  return name === "product" ? { x, y, z: mod(x * y) } : { x, y, z: mod(x * y - 4n), u: 4n };
}

/** Honest proofs, one for each [x, y]. */
export async function proveAll(
  keys: ChunkKeys,
  layout: number,
  { alpha, beta }: Challenges,
  inputs: readonly (readonly [bigint, bigint])[],
): Promise<ChunkProof[]> {
  const { zkey, ckey, name } = keys;
  const key = await loadCommittedKey({ zkey, ckey });
  try {
    const proofs: ChunkProof[] = [];
    for (const [x, y] of inputs) {
      const columns = columnsOf(name, x, y);
      const commitment = await commit(key, Object.values(columns));
      const witness = await witnessOf(keys, { alpha, beta, ...columns });
      const { a, b, c } = await proveChunk(key, witness, { commitment });
      proofs.push({ layout, a, b, c, ...commitment, sum: signalOf(witness, 1) });
    }
    return proofs;
  } finally {
    await key.close();
  }
}

/** Infinity. */
export const INFINITY: G1Affine = { x: 0n, y: 0n };
