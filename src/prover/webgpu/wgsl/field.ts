/**
 * WGSL for a prime field of about 254 bits: Montgomery multiplication on limbs of 12 to 15 bits.
 *
 * WGSL multiplies 32-bit numbers modulo 2^32 and has no wider type, so limbs are chosen such that sums of products of limbs fit
 * 32 bits. An element is n limbs of b bits, little-endian; R = 2^(b·n) is many times the modulus p, so that inputs of a product need
 * not be reduced: for a < αp, c < γp with αγ ≤ slack = ⌊R / p⌋ the result (a·c + m·p) / R, m < R, is below (αγ·p/R + 1)·p ≤ 2p.
 *
 * Exactness: in step i of a product every column gets one product of limbs for each operand pair and one for the reduction,
 * each at most (2^b - 1)². A column lives for n steps at most and is carried after every `every` steps, see `fieldSource`; what it
 * holds before is below 2^b + carries. `every` is the largest number for which all that stays below 2^32.
 *
 * @module
 */

import { powMod } from "../../wasm/constants.js";

/** Bits of a limb that kernels can be made for. */
export type LimbBits = 12 | 13 | 14 | 15;

/** A field on a device. */
export interface Field {
  /** Prefix of its functions: `fq` or `fr`. The type is the same with a capital: `Fq`, `Fr`. */
  readonly name: string;
  readonly type: string;
  readonly modulus: bigint;
  readonly bits: LimbBits;
  /** Number of limbs. */
  readonly limbs: number;
  /** 2^(bits·limbs). */
  readonly r: bigint;
  /** Products of bounds (in multiples of the modulus) that a multiplication takes, see above. */
  readonly slack: number;
}

/** How products are written: every step spelled out, or a loop over the limbs of one factor. Which is faster, the device decides. */
export interface FieldOptions {
  readonly bits: LimbBits;
  readonly unroll: boolean;
}

/** Limbs for `bits` bits each: R is at least 64 times the modulus of 254 bits. */
const limbsOf = (bits: LimbBits): number => Math.ceil(260 / bits);

/** @param name `fq` or `fr`. */
export function makeField(name: string, modulus: bigint, bits: LimbBits): Field {
  const limbs = limbsOf(bits);
  const r = 1n << BigInt(bits * limbs);
  const type = name[0]!.toUpperCase() + name.slice(1);
  return { name, type, modulus, bits, limbs, r, slack: Math.min(4096, Number(r / modulus)) };
}

/** Limbs of a number below R. */
export function toLimbs({ bits, limbs }: Field, value: bigint): number[] {
  const mask = (1n << BigInt(bits)) - 1n;
  return Array.from({ length: limbs }, (_, i) => Number((value >> BigInt(bits * i)) & mask));
}

/** A number below R as a constant of the field's type. */
export function constant(field: Field, value: bigint): string {
  return `${field.type}(${toLimbs(field, value)
    .map((limb) => `${limb}u`)
    .join(", ")})`;
}

/** Numbers of 0 to n - 1 in a string each, joined. */
const each = (n: number, text: (i: number) => string, separator = "\n"): string =>
  Array.from({ length: n }, (_, i) => text(i)).join(separator);

/** Steps of a product after which columns have to be carried, given how many products a column gets in a step. */
export function stepsBetweenCarries(bits: LimbBits, products: number): number {
  const product = (2 ** bits - 1) ** 2;
  // what a column has before: a limb, and the carry of the column below it, which held less than 2^32
  const rest = 2 ** 32 - 1 - 2 ** bits - 2 ** (32 - bits) - 2 ** (32 - bits);
  return Math.floor(rest / (products * product));
}

/**
 * The type and functions of a field, named `fq_…`. Values are normalised (every limb below 2^b) before and after; what "below 2p"
 * means for p the modulus.
 *
 * - `fq_mul(a, b)`: a·b/R, below 2p, for a product of bounds ≤ slack.
 * - `fq_mul_add(a, b, c, d)`: (a·b + c·d)/R, below 2p, for a sum of both products of bounds ≤ slack.
 * - `fq_add(a, b)`: the sum, its bound the sum of bounds.
 * - `fq_sub2(a, b)`, `fq_sub4`, `fq_sub8`: a - b + kp for b < kp (or equal); bound of a plus k.
 * - `fq_reduce1(a)`, `2`, `4`, `8`: less kp if it is at least kp: brings what is below 2kp below kp.
 * - `fq_canonical(a)`: below p, for a < 16p. `fq_is_zero(a)`: whether a ≡ 0, for a < 16p. `fq_is_literal_zero(a)`: whether all limbs are 0.
 * - `fq_pick(a, b, second)`: b if `second`, else a.
 * - `fq_unpack(lo, hi)`, `fq_pack(a)`: from and to eight words, for a < 2^256 (5.29p).
 * - `FQ_ZERO`, `FQ_ONE` (R mod p), `FQ_R2` (R² mod p: brings an integer into Montgomery form), `FQ_FROM_256` (R²/2^256: from
 *   Montgomery form with 2^256), `FQ_TO_256` (2^256 mod p: to it), `FQ_INT_ONE` (the number 1: out of Montgomery form).
 */
export function fieldSource(field: Field, { unroll }: Pick<FieldOptions, "unroll">): string {
  const { name, type, bits, limbs: n, modulus: p, r } = field;
  const NAME = name.toUpperCase();
  const mask = `${2 ** bits - 1}u`;
  const modulusLimbs = toLimbs(field, p);
  // -1/p mod 2^b
  const base = 1n << BigInt(bits);
  let inverse = 1n;
  for (let i = 0; i < 5; i++) inverse = (inverse * (2n + p * inverse)) % base;
  const negInverse = ((inverse % base) + base) % base;
  if ((negInverse * p + 1n) % base !== 0n) throw new Error("no inverse of the modulus");

  /** Columns 0 to n - 1, `every` steps without carrying, see above. */
  const product = (name: string, pairs: readonly [string, string][]): string => {
    const every = Math.min(n, stepsBetweenCarries(bits, pairs.length + 1));
    if (every < 1) throw new Error(`limbs of ${bits} bits are too large`);
    const carry = `${each(n - 1, (j) => `t${j + 1} += t${j} >> ${bits}u; t${j} &= ${mask};`)}`;
    const terms = (j: number) => pairs.map(([x, y]) => `x${x} * ${y}${j}`).join(" + ");
    const step = (i: string) => `{
${pairs.map(([x]) => `let x${x} = ${x}[${i}];`).join(" ")}
t0 += ${terms(0)};
let m = (t0 * ${negInverse}u) & ${mask};
let c = (t0 + m * ${modulusLimbs[0]}u) >> ${bits}u;
${each(n - 1, (j) => `t${j} = t${j + 1} + ${terms(j + 1)} + m * ${modulusLimbs[j + 1]}u${j === 0 ? " + c" : ""};`)}
t${n - 1} = 0u;
}`;
    let steps: string;
    if (unroll) steps = each(n, (i) => step(`${i}`) + (i % every === every - 1 && i < n - 1 ? `\n${carry}` : ""));
    else if (every >= n) steps = `for (var i = 0u; i < ${n}u; i++) ${step("i")}`;
    else
      steps = `for (var i = 0u; i < ${n}u; i++) {
${step("i")}
if (i % ${every}u == ${every - 1}u) {
${carry}
}
}`;
    const parameters = pairs.map(([x, y]) => `${x}_in: ${type}, ${y}_in: ${type}`).join(", ");
    return `fn ${name}(${parameters}) -> ${type} {
${pairs.map(([x, y]) => `${unroll ? "let" : "var"} ${x} = ${x}_in;\n${each(n, (j) => `let ${y}${j} = ${y}_in[${j}];`, " ")}`).join("\n")}
${each(n, (j) => `var t${j} = 0u;`, " ")}
${steps}
${carry}
return ${type}(${each(n, (j) => `t${j}`, ", ")});
}`;
  };

  /** Limbs r0, r1, … as a value. No variables of the type: arrays in memory are slow to compile. */
  const result = (limb: (j: number) => string): string => `return ${type}(${each(n, limb, ", ")});`;

  const sub = (k: number): string => {
    const multiple = toLimbs(field, BigInt(k) * p);
    return `fn ${name}_sub${k}(a: ${type}, b: ${type}) -> ${type} {
var c = 0i;
${each(n, (j) => `c += i32(a[${j}] + ${multiple[j]}u) - i32(b[${j}]); let r${j} = u32(c) & ${mask}; c >>= ${bits}u;`)}
${result((j) => `r${j}`)}
}`;
  };

  const reduce = (k: number): string => {
    const multiple = toLimbs(field, BigInt(k) * p);
    return `fn ${name}_reduce${k}(a: ${type}) -> ${type} {
var c = 0i;
${each(n, (j) => `c += i32(a[${j}]) - ${multiple[j]}i; let r${j} = u32(c) & ${mask}; c >>= ${bits}u;`)}
let less = c < 0i;
${result((j) => `select(r${j}, a[${j}], less)`)}
}`;
  };

  const words = (j: number): string => {
    // limb j begins at bit j·b: from one word or two
    const [word, shift] = [Math.floor((j * bits) / 32), (j * bits) % 32];
    if (word > 7) return "0u";
    const low = shift === 0 ? `w${word}` : `(w${word} >> ${shift}u)`;
    if (shift + bits <= 32 || word === 7) return `${low} & ${mask}`;
    return `(${low} | (w${word + 1} << ${32 - shift}u)) & ${mask}`;
  };
  const word = (w: number): string => {
    const parts: string[] = [];
    for (let j = 0; j < n; j++) {
      const shift = j * bits - 32 * w;
      if (shift <= -bits || shift >= 32) continue;
      parts.push(shift < 0 ? `(a[${j}] >> ${-shift}u)` : `(a[${j}] << ${shift}u)`);
    }
    return parts.join(" | ");
  };

  return `alias ${type} = array<u32, ${n}>;
const ${NAME}_ZERO = ${constant(field, 0n)};
const ${NAME}_ONE = ${constant(field, r % p)};
const ${NAME}_R2 = ${constant(field, (r * r) % p)};
const ${NAME}_FROM_256 = ${constant(field, (r * r * powMod((p + 1n) / 2n, 256n, p)) % p)};
const ${NAME}_TO_256 = ${constant(field, (1n << 256n) % p)};
const ${NAME}_INT_ONE = ${constant(field, 1n)};
${product(`${name}_mul`, [["a", "b"]])}
${product(`${name}_mul_add`, [
  ["a", "b"],
  ["d", "e"],
])}
fn ${name}_add(a: ${type}, b: ${type}) -> ${type} {
var c = 0u;
${each(n, (j) => `c += a[${j}] + b[${j}]; let r${j} = c & ${mask}; c >>= ${bits}u;`)}
${result((j) => `r${j}`)}
}
fn ${name}_pick(a: ${type}, b: ${type}, second: bool) -> ${type} {
${result((j) => `select(a[${j}], b[${j}], second)`)}
}
${[2, 4, 8].map(sub).join("\n")}
${[1, 2, 4, 8].map(reduce).join("\n")}
fn ${name}_canonical(a: ${type}) -> ${type} {
return ${name}_reduce1(${name}_reduce2(${name}_reduce4(${name}_reduce8(a))));
}
fn ${name}_is_literal_zero(a: ${type}) -> bool {
return (${each(n, (j) => `a[${j}]`, " | ")}) == 0u;
}
fn ${name}_is_zero(a: ${type}) -> bool {
return ${name}_is_literal_zero(${name}_canonical(a));
}
fn ${name}_unpack(lo: vec4u, hi: vec4u) -> ${type} {
${each(8, (w) => `let w${w} = ${w < 4 ? "lo" : "hi"}[${w % 4}];`, " ")}
return ${type}(${each(n, words, ", ")});
}
fn ${name}_pack(a: ${type}) -> array<vec4u, 2> {
return array<vec4u, 2>(vec4u(${each(4, word, ", ")}), vec4u(${each(4, (w) => word(w + 4), ", ")}));
}
`;
}
