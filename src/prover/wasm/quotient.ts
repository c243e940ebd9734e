/**
 * The quotient as tasks: rows of the matrices times the witness, three transforms, and the scalars of the H bases.
 *
 * @module
 */

import type { Engine, Task } from "./engine.js";
import { type Call, SCRATCH } from "./kernel.js";
import type { Digits } from "./msm.js";
import { type Roots, transformOf } from "./ntt.js";

/** A sparse matrix in memory, see `assembly/qap.ts`. */
export interface MatrixAddress {
  readonly offsets: number;
  readonly wires: number;
  readonly coefficients: number;
}

/** Matrices in memory. */
export interface Matrices {
  readonly a: MatrixAddress;
  readonly b: MatrixAddress;
}

/** Addresses of three polynomials. */
export type Polynomials = readonly [a: number, b: number, c: number];

/** Bytes of a polynomial of `2^power` values. */
export const polynomialSize = (engine: Engine, power: number): number =>
  Math.max(1, 2 ** (power - 1)) * engine.pairBytes;

/** Calls that put A·w, B·w and their product into the rows `[from, to)` of the polynomials. */
function rowCalls([a, b, c]: Polynomials, matrices: Matrices, limbs: number, from: number, to: number): Call[] {
  const rows = (poly: number, m: MatrixAddress): Call => {
    return ["qap_rows", poly, from, to, m.offsets, m.wires, m.coefficients, limbs, SCRATCH];
  };
  return [rows(a, matrices.a), rows(b, matrices.b), ["qap_product", c, a, b, from, to]];
}

/** Tasks that put A·w, B·w and their product into the polynomials. */
export function rowTasks(
  engine: Engine,
  polynomials: Polynomials,
  matrices: Matrices,
  limbs: number,
  power: number,
): Task[] {
  const scratch = engine.kernel.qap_scratch!();
  const size = Math.max(2, 2 ** power / 16);
  return Array.from({ length: 2 ** power / size }, (_, i) => {
    return { scratch, calls: rowCalls(polynomials, matrices, limbs, i * size, (i + 1) * size) };
  });
}

/**
 * Three rounds: rows and outer layers by columns; blocks; outer layers back and the scalars by columns.
 *
 * @param limbs address of the witness, an element each.
 * @param digits where the scalars go as digits, if anywhere.
 * @param bytes where they go as numbers of 32 bytes, or 0.
 */
export function quotientTasks(
  engine: Engine,
  polynomials: Polynomials,
  matrices: Matrices,
  roots: Roots,
  power: number,
  limbs: number,
  digits: Digits | undefined,
  bytes = 0,
): [Task[], Task[], Task[]] {
  const [a, b, c] = polynomials;
  const transform = transformOf(power, roots);
  const { parts, block } = transform;
  const scratch = engine.kernel.qap_scratch!();
  const { address = 0, n = 0, bits = 0, windows = 0 } = digits ?? {};
  const rounds: [Task[], Task[], Task[]] = [[], [], []];
  for (let p = 0; p < parts; p++) {
    const [from, to] = transform.columns(p);
    const ranges = Array.from({ length: parts }, (_, k) => [k * block + from, k * block + to] as const);
    const first = ranges.flatMap(([lo, hi]) => rowCalls(polynomials, matrices, limbs, lo, hi));
    const last: Call[] = [];
    for (const poly of [a, b, c]) {
      first.push(transform.outerDif(poly, p));
      rounds[1].push({ calls: [transform.inner(poly, p)] });
      last.push(transform.outerDit(poly, p));
    }
    for (const range of ranges) {
      last.push(["qap_quotient", a, b, c, power, ...range, address, 2 * n, 4 * n, bits, windows, bytes]);
    }
    rounds[0].push({ calls: first, scratch });
    rounds[2].push({ calls: last });
  }
  return rounds;
}
