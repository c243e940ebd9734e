/**
 * WGSL of the quotient: sparse rows times the witness, products by point, and what is left at the end.
 *
 * Rows are cut into pieces of at most {@link PIECE} entries, an invocation each. A piece is two words: where its entries begin; and
 * 2^5 times where its sum goes, plus its length. Sums of the first `direct` pieces of a list go to their rows; the others, parts
 * of longer rows, to an array of partial sums, which are added up in the same way, level by level.
 *
 * @module
 */

import { powMod } from "../../wasm/constants.js";
import { constant } from "./field.js";
import { bindings, elementwise, getter, header, type KernelOptions, putter } from "./ntt.js";

/** Entries of a piece, at most; below 2^5. */
export const PIECE = 16;

const UNPACK_PIECE = `let piece = pieces[q[1].z + i];
let length = piece.y & 31u;
let row = piece.y >> 5u;
let stop = piece.x + length;`;

/** The sum of a piece. */
const STORE = `if (i < q[1].y) { rows_put(row, sum); } else { partial_put(row, sum); }`;

/**
 * coefficients[q[1].y + i], in place: from c·2^512, as a zkey has it, to c·R², whose product with w is c·w in Montgomery form.
 * Parameters: first, end, -, -, count, from.
 *
 * Bounds: factors below p, the product below 2p, reduced below p.
 */
export function coefficientsSource(options: KernelOptions): string {
  const { field } = options;
  const factor = (field.r ** 3n * powMod((field.modulus + 1n) / 2n, 512n, field.modulus)) % field.modulus;
  return `${header(options)}const FACTOR = ${constant(field, factor)};
${bindings(["coefficients="], 2)}${getter("coefficients")}${putter("coefficients")}${elementwise(
  "coefficients_put(q[1].y + i, fr_reduce1(fr_mul(coefficients_get(q[1].y + i), FACTOR)));",
)}`;
}

/**
 * Pieces of rows times the witness. Parameters: first, end, -, -, pieces, direct, first piece.
 *
 * Bounds in multiples of p: coefficients and witness < 1, so that products, of one pair or of two, take 2 of 64 and are < 2. Two
 * such are < 4, reduced < 2.
 */
export const rowsSource = (options: KernelOptions): string =>
  header(options) +
  bindings(["pieces:array<vec2u>", "wires:array<u32>", "coefficients", "witness", "rows=", "partial="], 2) +
  getter("coefficients") +
  getter("witness") +
  putter("rows") +
  putter("partial") +
  elementwise(`${UNPACK_PIECE}
var e = piece.x;
var sum = FR_ZERO;
if ((length & 1u) != 0u) {
sum = fr_mul(coefficients_get(e), witness_get(wires[e]));
e += 1u;
}
while (e < stop) {
let c = coefficients_get(e);
let d = coefficients_get(e + 1u);
sum = fr_reduce2(fr_add(sum, fr_mul_add(c, witness_get(wires[e]), d, witness_get(wires[e + 1u]))));
e += 2u;
}
${STORE}`);

/**
 * Sums of partial sums; what is read and what is written are different ones. Parameters as of {@link rowsSource}.
 *
 * Bounds: < 2 each; two are < 4, reduced < 2.
 */
export const sumsSource = (options: KernelOptions): string =>
  header(options) +
  bindings(["pieces:array<vec2u>", "rows=", "partial="], 2) +
  getter("partial") +
  putter("rows") +
  putter("partial") +
  elementwise(`${UNPACK_PIECE}
var sum = FR_ZERO;
for (var e = piece.x; e < stop; e++) { sum = fr_reduce2(fr_add(sum, partial_get(e))); }
${STORE}`);

/** c = a·b. Parameters: first, end, -, -, n. Bounds: 2·2 = 4 of 64, below 2p. */
export const productSource = (options: KernelOptions): string =>
  header(options) +
  bindings(["a", "b", "c="], 2) +
  getter("a") +
  getter("b") +
  putter("c") +
  elementwise("c_put(i, fr_mul(a_get(i), b_get(i)));");

/**
 * Canonical scalars from a, b, c, each n times what it should be and at negated indices: scalar -i mod n is (a·b - n·c)/n². Parameters:
 * first, end, -, -, n, -, -, -, n in Montgomery form as two vectors, 1/n² out of it as two.
 *
 * Bounds in multiples of p: a, b < 4, 4 - c ≤ 4, n < 1: 16 + 4 of 64, below 2; times 1/n² < 1 below 2, reduced below 1.
 */
export const scalarsSource = (options: KernelOptions): string =>
  header(options) +
  bindings(["a", "b", "c", "scalars="], 6) +
  getter("a") +
  getter("b") +
  getter("c") +
  putter("scalars") +
  elementwise(`let n = q[1].x;
let h = fr_mul_add(a_get(i), b_get(i), fr_sub4(FR_ZERO, c_get(i)), fr_unpack(q[2], q[3]));
scalars_put((n - i) & (n - 1u), fr_reduce1(fr_mul(h, fr_unpack(q[4], q[5]))));`);
