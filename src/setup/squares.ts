/**
 * A circuit of any size, for measurements: a chain of squares that fills its domain, whose witness needs no calculator.
 *
 * ```text
 * x_{i+1} = x_i²    2^power - 2 constraints; x_0 private, the last one public
 * ```
 *
 * Nearly all values are as large as the field, and every signal has a point in every sum: as much work as a circuit with this
 * domain and one constraint a signal makes.
 *
 * @module
 */

import { yieldToHost } from "#platform";
import { bigintToBytesLE, FIELD_SIZE, FR_MODULUS } from "../formats/bn254.js";
import { type SparseMatrix, writeR1cs } from "../formats/r1cs.js";
import { writeWtns } from "../formats/wtns.js";

/** Squares between two looks at the signal. */
const PIECE = 1 << 14;

/** Wires: the constant 1, the public end of the chain, then the chain from its start. */
const END = 1;
const START = 2;

/** One term a row, with the coefficient 1. */
function unitRows(wires: Uint32Array): SparseMatrix {
  const coefficients = new Uint8Array(wires.length * FIELD_SIZE);
  for (let i = 0; i < wires.length; i++) coefficients[i * FIELD_SIZE] = 1;
  return { rowOffsets: Uint32Array.from({ length: wires.length + 1 }, (_, i) => i), wires, coefficients };
}

/**
 * The circuit and a witness for it.
 *
 * @param power log2 of the domain, 2 at least.
 * @returns the files `.r1cs` and `.wtns`.
 * @throws `signal.reason`.
 */
export async function squares(
  power: number,
  signal?: AbortSignal,
): Promise<{ readonly r1cs: Uint8Array; readonly wtns: Uint8Array }> {
  const n = 2 ** power - 2;
  const wireOf = (i: number) => (i === n ? END : START + i);
  const nWires = n + 2;
  const values = new Uint8Array(nWires * FIELD_SIZE);
  const put = (wire: number, value: bigint) => values.set(bigintToBytesLE(value, FIELD_SIZE), wire * FIELD_SIZE);
  put(0, 1n);
  // large at once
  let value = FR_MODULUS / 3n;
  for (let i = 0; i <= n; i++) {
    if (i % PIECE === 0) {
      await yieldToHost();
      signal?.throwIfAborted();
    }
    put(wireOf(i), value);
    value = (value * value) % FR_MODULUS;
  }
  const from = unitRows(Uint32Array.from({ length: n }, (_, i) => wireOf(i)));
  const to = unitRows(Uint32Array.from({ length: n }, (_, i) => wireOf(i + 1)));
  const counts = { nWires, nOutputs: 1, nPubInputs: 0, nPrvInputs: 1, nLabels: nWires };
  return { r1cs: writeR1cs({ ...counts, a: from, b: from, c: to }), wtns: writeWtns(values) };
}
