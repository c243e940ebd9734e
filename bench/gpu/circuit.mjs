/**
 * The circuit `squares` of `../circuits` without circom, which needs minutes and gigabytes for 2^20 constraints: the same
 * recurrence, x → x² + i, 248/256 of the domain, one public output. Written as an `.r1cs` and a `.wtns` directly; the key is
 * one of `chunkproof/setup`. Kept in `.cache/bench`.
 *
 * @module
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setup } from "chunkproof/setup";
import { bigintToBytesLE, FIELD_SIZE, FR_MODULUS } from "../../dist/formats/bn254.js";
import { writeR1cs } from "../../dist/formats/r1cs.js";
import { writeWtns } from "../../dist/formats/wtns.js";
import { cached, digest } from "../circuits/_cache.mjs";

/** Sizes that there are: 248·2^(k-8) constraints. */
export const SQUARES_SIZES = /** @type {[number, number]} */ ([8, 22]);

/** Part of the name in the cache: changes with what is made here. */
const VERSION = 1;
const INPUT = 3n;

const bytes = (/** @type {bigint} */ x) => bigintToBytesLE(x, FIELD_SIZE);

/** Wires: 1, the output x_n, the input x_0, x_1 to x_(n-1). */
const wireOf = (/** @type {number} */ i, /** @type {number} */ n) => (i === n ? 1 : i + 2);

/** One entry a row, with the coefficient 1. */
function column(/** @type {number} */ n, /** @type {(row: number) => number} */ wire) {
  const coefficients = new Uint8Array(n * FIELD_SIZE);
  for (let i = 0; i < n; i++) coefficients[i * FIELD_SIZE] = 1;
  const rowOffsets = Uint32Array.from({ length: n + 1 }, (_, i) => i);
  return { rowOffsets, wires: Uint32Array.from({ length: n }, (_, i) => wire(i)), coefficients };
}

/** x_i·x_i = x_(i+1) - i. */
function constraints(/** @type {number} */ n) {
  const x = column(n, (i) => wireOf(i, n));
  // the first row has no constant
  const rowOffsets = Uint32Array.from({ length: n + 1 }, (_, i) => Math.max(0, 2 * i - 1));
  const wires = new Uint32Array(2 * n - 1);
  const coefficients = new Uint8Array(wires.length * FIELD_SIZE);
  for (let i = 0; i < n; i++) {
    let at = rowOffsets[i];
    if (i > 0) coefficients.set(bytes(FR_MODULUS - BigInt(i)), FIELD_SIZE * at++);
    wires[at] = wireOf(i + 1, n);
    coefficients[FIELD_SIZE * at] = 1;
  }
  const nWires = n + 2;
  return writeR1cs({
    nWires,
    nOutputs: 1,
    nPubInputs: 0,
    nPrvInputs: 1,
    nLabels: nWires,
    a: x,
    b: x,
    c: { rowOffsets, wires, coefficients },
  });
}

/** The values of x_0 to x_n, in the order of the wires. */
function witness(/** @type {number} */ n) {
  const values = new Uint8Array((n + 2) * FIELD_SIZE);
  values[0] = 1;
  for (let i = 0, x = INPUT; i <= n; i++) {
    values.set(bytes(x), wireOf(i, n) * FIELD_SIZE);
    x = (x * x + BigInt(i)) % FR_MODULUS;
  }
  return writeWtns(values);
}

/**
 * Key and witness.
 *
 * @param {number} k log2 of the domain
 * @param {number} threads of the setup
 * @returns {Promise<{ zkey: string, wtns: Uint8Array, constraints: number }>}
 */
export async function squares(k, threads) {
  const n = 248 * 2 ** (k - 8);
  const folder = await cached(
    `squares-direct-${k}-${digest(String(VERSION))}`,
    `key of squares 2^${k}`,
    async (made) => {
      await (await setup(constraints(n), { threads })).writeTo(join(made, "circuit.zkey"));
      await writeFile(join(made, "witness.wtns"), witness(n));
    },
  );
  return { zkey: join(folder, "circuit.zkey"), wtns: await readFile(join(folder, "witness.wtns")), constraints: n };
}
