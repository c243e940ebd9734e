/**
 * The polynomials of a circuit's QAP at τ, in the memory of an engine: for each signal Σ c·L_row(τ) over its terms in each
 * matrix, and section 4 of the key, which lists the terms of A and B.
 *
 * Rows `nConstraints + s` of A hold signal s alone, for the constant and every public signal (s = 0 to nPublic): without
 * them somebody could change a public signal and keep the proof.
 *
 * @module
 */

import { FIELD_SIZE, FR_MODULUS } from "../formats/bn254.js";
import type { R1cs, SparseMatrix } from "../formats/r1cs.js";
import { ZKEY_COEF_SIZE } from "../formats/zkey.js";
import { allDone } from "../prover/concurrency.js";
import type { Stage } from "../prover/progress.js";
import { invMod, powMod, rootOfUnity } from "../prover/wasm/constants.js";
import type { Engine, Task } from "../prover/wasm/engine.js";
import { kernelFunction, putField } from "../prover/wasm/field.js";
import { SCRATCH } from "../prover/wasm/kernel.js";
import { allocate, CHUNK, type Plan, TERMS } from "./plan.js";

/** What every step of a setup works with. */
export interface Job {
  readonly engine: Engine;
  readonly plan: Plan;
  readonly signal: AbortSignal | undefined;
}

/** Addresses of `nVars` elements in Montgomery form each. */
export interface Polynomials {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Words of an entry of section 4. */
const RECORD = ZKEY_COEF_SIZE / 4;

/** Number of units that {@link evaluate} reports. */
export function evaluationUnits(circuit: R1cs, plan: Plan): number {
  return plan.nCoefs + circuit.c.wires.length;
}

/** Evaluates A, B and C at τ and writes section 4; `coefs` is without the count in front. */
export async function evaluate(
  job: Job,
  circuit: R1cs,
  tau: bigint,
  stage: Stage,
): Promise<Polynomials & { readonly coefs: Uint8Array }> {
  const { engine, plan, signal } = job;
  const { heap } = engine;
  const { nVars, nPublic, nConstraints, nCoefs } = plan;
  const coefs = allocate(circuit.name, plan, nCoefs * ZKEY_COEF_SIZE);
  const lagrange = await lagrangeBasis(job, tau);
  const size = nVars * engine.fieldBytes;
  const [a, b, c] = [heap.alloc(size), heap.alloc(size), heap.alloc(size)];
  for (const address of [a, b, c]) heap.view(address, size).fill(0);
  const factor = heap.alloc(engine.fieldBytes);
  putField(engine, "fr", factor, powMod(2n, 512n, FR_MODULUS));

  /** Adds the terms of a matrix, in its own order: two tasks must not add to the same sums at a time. */
  const add = async (matrix: SparseMatrix, sums: number, firstRow: number, record?: CoefPlaces): Promise<void> => {
    const { rowOffsets, wires, coefficients } = matrix;
    const total = wires.length;
    const window = Math.min(TERMS, total);
    const [rowsAt, wiresAt, valuesAt] = [
      heap.alloc(4 * window),
      heap.alloc(4 * window),
      heap.alloc(FIELD_SIZE * window),
    ];
    const rows = new Uint32Array(window);
    let row = 0;
    for (let from = 0; from < total; from += window) {
      const n = Math.min(window, total - from);
      for (let i = 0; i < n; i++) {
        while (rowOffsets[row + 1]! <= from + i) row++;
        rows[i] = row + firstRow;
      }
      heap.view(rowsAt, 4 * n).set(bytesOf(rows.subarray(0, n)));
      heap.view(wiresAt, 4 * n).set(bytesOf(wires.subarray(from, from + n)));
      heap.view(valuesAt, FIELD_SIZE * n).set(coefficients.subarray(FIELD_SIZE * from, FIELD_SIZE * (from + n)));
      const calls: Task["calls"][number][] = [["setup_accumulate", sums, lagrange, n, rowsAt, wiresAt, valuesAt]];
      if (record !== undefined) calls.push(["setup_scale", valuesAt, n, factor]);
      await engine.run([{ calls }], { signal });
      if (record !== undefined) {
        const values = new Uint32Array(heap.bytes.buffer, valuesAt, 8 * n);
        const out = new Uint32Array(coefs.buffer);
        for (let i = 0; i < n; i++) {
          const at = RECORD * record.place(from + i, rows[i]!);
          out[at] = record.matrix;
          out[at + 1] = rows[i]!;
          out[at + 2] = wires[from + i]!;
          for (let k = 0; k < 8; k++) out[at + 3 + k] = values[8 * i + k]!;
        }
      }
      stage.advance(n);
    }
    for (const address of [rowsAt, wiresAt, valuesAt]) heap.free(address);
  };

  // row by row, the terms of A before those of B; the rows of the public signals last
  const [offsetsA, offsetsB] = [circuit.a.rowOffsets, circuit.b.rowOffsets];
  const last = circuit.a.wires.length + circuit.b.wires.length;
  const sumA = async () => {
    await add(circuit.a, a, 0, { matrix: 0, place: (term, row) => term + offsetsB[row]! });
    await add(publicRows(nPublic), a, nConstraints, { matrix: 0, place: (term) => last + term });
  };
  await allDone([
    sumA(),
    add(circuit.b, b, 0, { matrix: 1, place: (term, row) => term + offsetsA[row + 1]! }),
    add(circuit.c, c, 0),
  ]);
  heap.free(lagrange);
  heap.free(factor);
  return { a, b, c, coefs };
}

/** Where the terms of a matrix stand in section 4. */
interface CoefPlaces {
  readonly matrix: 0 | 1;
  place(term: number, row: number): number;
}

/** One row with coefficient 1 for each of the signals 0 to nPublic. */
function publicRows(nPublic: number): SparseMatrix {
  const n = nPublic + 1;
  const coefficients = new Uint8Array(FIELD_SIZE * n);
  for (let s = 0; s < n; s++) coefficients[FIELD_SIZE * s] = 1;
  const wires = Uint32Array.from({ length: n }, (_, s) => s);
  return { rowOffsets: Uint32Array.from({ length: n + 1 }, (_, s) => s), wires, coefficients };
}

/** Address of `L_i(τ)·R` in Montgomery form, i < domainSize: what `setup_accumulate` multiplies with. */
async function lagrangeBasis({ engine, plan, signal }: Job, tau: bigint): Promise<number> {
  const { heap, kernel } = engine;
  const { power, domainSize } = plan;
  const values = heap.alloc(domainSize * engine.fieldBytes);
  const firsts = heap.alloc(Math.ceil(domainSize / CHUNK) * engine.fieldBytes);
  const [step, point, factor] = [
    heap.alloc(engine.fieldBytes),
    heap.alloc(engine.fieldBytes),
    heap.alloc(engine.fieldBytes),
  ];
  const root = rootOfUnity(power);
  putField(engine, "fr", step, root);
  putField(engine, "fr", point, tau);
  // L_i(τ) = (τ^n - 1)/n · ω^i/(τ - ω^i)
  putField(engine, "fr", factor, lagrangeFactor(power, tau));
  kernelFunction(kernel, "fr_toMont")(factor, factor);
  const tasks: Task[] = [];
  const stride = powMod(root, BigInt(CHUNK), FR_MODULUS);
  let first = 1n;
  for (let from = 0; from < domainSize; from += CHUNK) {
    const n = Math.min(CHUNK, domainSize - from);
    const at = firsts + (from / CHUNK) * engine.fieldBytes;
    putField(engine, "fr", at, first);
    tasks.push({
      calls: [["setup_lagrange", values + from * engine.fieldBytes, n, at, step, point, factor, SCRATCH]],
      scratch: n * engine.fieldBytes,
    });
    first = (first * stride) % FR_MODULUS;
  }
  await engine.run(tasks, { signal });
  for (const address of [firsts, step, point, factor]) heap.free(address);
  return values;
}

/** `(τ^n - 1) / n` for n = `2^power`. */
export function lagrangeFactor(power: number, tau: bigint): bigint {
  const n = 2n ** BigInt(power);
  const vanishing = powMod(tau, n, FR_MODULUS) + FR_MODULUS - 1n;
  return (vanishing * invMod(n, FR_MODULUS)) % FR_MODULUS;
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
