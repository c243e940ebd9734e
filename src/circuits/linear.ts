/**
 * The terms of an R1CS in the shape that computing with bigints wants: coefficients by index into a table of signed
 * numbers, of which a circuit has a few dozen.
 *
 * @module
 */

import { FIELD_SIZE, FR_MODULUS } from "../formats/bn254.js";
import type { R1cs, SparseMatrix } from "../formats/r1cs.js";

/** Index of the coefficient 1 in every table. */
export const PLUS_ONE = 0;
/** Index of the coefficient -1 in every table. */
export const MINUS_ONE = 1;

const HALF = FR_MODULUS >> 1n;
const WORD = 64n;
const WORD_VALUES = 1n << WORD;

/** The residue of `value` in `[0, r)`. */
export function mod(value: bigint): bigint {
  if (value >= 0n && value < FR_MODULUS) return value;
  const residue = value % FR_MODULUS;
  return residue < 0n ? residue + FR_MODULUS : residue;
}

/** The residue of `value` in `(-r/2, r/2)`: what is small stays short. */
export function signed(value: bigint): bigint {
  const residue = mod(value);
  return residue > HALF ? residue - FR_MODULUS : residue;
}

/** `1 / value mod r`. `value` is no multiple of r. */
export function invert(value: bigint): bigint {
  let [a, b] = [mod(value), FR_MODULUS];
  let [x, y] = [1n, 0n];
  while (a > 1n) {
    const q = b / a;
    [a, b] = [b - q * a, a];
    [x, y] = [y - q * x, x];
  }
  return mod(x);
}

/** Distinct signed coefficients. */
export class CoefficientTable {
  readonly values: bigint[] = [1n, -1n];
  private readonly indices = new Map<bigint, number>([
    [1n, PLUS_ONE],
    [-1n, MINUS_ONE],
  ]);

  /** The index of a coefficient in `(-r/2, r/2)`. */
  index(value: bigint): number {
    let index = this.indices.get(value);
    if (index === undefined) {
      index = this.values.length;
      this.values.push(value);
      this.indices.set(value, index);
    }
    return index;
  }
}

/** A matrix of the R1CS with coefficients by index. */
export interface IndexedMatrix {
  readonly rowOffsets: Uint32Array;
  readonly wires: Uint32Array;
  /** Index of each term's coefficient in {@link IndexedR1cs.coefficients}. */
  readonly coefficients: Uint32Array;
}

/** The three matrices over one table of coefficients. */
export interface IndexedR1cs {
  readonly a: IndexedMatrix;
  readonly b: IndexedMatrix;
  readonly c: IndexedMatrix;
  /** Signed, in `(-r/2, r/2)`. */
  readonly coefficients: readonly bigint[];
}

const indexed = new WeakMap<R1cs, IndexedR1cs>();

/** The indexed form of a constraint system, made once for each. */
export function indexedR1cs(r1cs: R1cs): IndexedR1cs {
  let result = indexed.get(r1cs);
  if (result === undefined) {
    const table = new CoefficientTable();
    const [a, b, c] = [r1cs.a, r1cs.b, r1cs.c].map((matrix) => indexMatrix(matrix, table));
    result = { a: a!, b: b!, c: c!, coefficients: table.values };
    indexed.set(r1cs, result);
  }
  return result;
}

function indexMatrix({ rowOffsets, wires, coefficients }: SparseMatrix, table: CoefficientTable): IndexedMatrix {
  const values = readValues(coefficients);
  return { rowOffsets, wires, coefficients: Uint32Array.from(values, (value) => table.index(signed(value))) };
}

/**
 * Field elements as numbers.
 *
 * @param bytes `n × 32` bytes, little-endian, any alignment.
 */
export function readValues(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Array<bigint>(bytes.length / FIELD_SIZE);
  for (let i = 0, at = 0; i < values.length; i++, at += FIELD_SIZE) {
    let value = view.getBigUint64(at, true);
    const second = view.getBigUint64(at + 8, true);
    const third = view.getBigUint64(at + 16, true);
    const fourth = view.getBigUint64(at + 24, true);
    if (second !== 0n || third !== 0n || fourth !== 0n) {
      value += (second << WORD) + (third << (2n * WORD)) + (fourth << (3n * WORD));
    }
    values[i] = value;
  }
  return values;
}

/**
 * Field elements as bytes, the inverse of {@link readValues}.
 *
 * @param values in `[0, 2^256)`; the first `n` are written.
 */
export function writeValues(values: readonly bigint[], n: number): Uint8Array {
  // host order, little-endian on every engine there is; a store keeps the low 64 bits
  const words = new BigUint64Array((n * FIELD_SIZE) / 8);
  for (let i = 0; i < n; i++) {
    const value = values[i]!;
    words[4 * i] = value;
    if (value < WORD_VALUES) continue;
    words[4 * i + 1] = value >> WORD;
    words[4 * i + 2] = value >> (2n * WORD);
    words[4 * i + 3] = value >> (3n * WORD);
  }
  return new Uint8Array(words.buffer);
}
