/**
 * WGSL for the scalars of a sum: GLV halves (Gallant, Lambert, Vanstone 2001) and their signed digits.
 *
 * k ≡ k1 + λ·k2 (mod r) with |k1|, |k2| < 2^127 (up to 1.02·2^126 are known). A digit of c bits lies in [-2^(c-1), 2^(c-1) - 1]; ceil(128 / c) of them make a
 * half. Word `w·n + i` of `digits` holds those of window w of scalar i: of k1 in its low 16 bits, of k2 in its high ones.
 *
 * WGSL has no 64-bit products: words are multiplied in pieces of 16 bits.
 *
 * @module
 */

import { FR_MODULUS } from "../../../formats/bn254.js";
import { kernelSource } from "./kernel.js";

/** A cube root of unity modulo r: (x, y) → (β·x, y) multiplies points of G1 by it. */
export const LAMBDA = 4407920970296243842393367215006156084916469457145843978461n;

/** Bits of the digits of a half together. */
const HALF_BITS = 128;

/** Number of windows for digits of `bits` bits. */
export const windowCount = (bits: number): number => Math.ceil(HALF_BITS / bits);

/** A short basis (a1, -b1), (a2, b2) of the lattice of (a, b) with a + b·λ ≡ 0 (mod r); g1 = ⌊b2·2^256/r⌉, g2 = ⌊b1·2^256/r⌉. */
export interface Lattice {
  readonly a1: bigint;
  readonly b1: bigint;
  readonly a2: bigint;
  readonly b2: bigint;
  readonly g1: bigint;
  readonly g2: bigint;
}

/** The basis by Gauss and Lagrange: the longer vector is shortened by the other until it stays. */
export function glvLattice(): Lattice {
  type Vector = readonly [bigint, bigint];
  const dot = (u: Vector, v: Vector) => u[0] * v[0] + u[1] * v[1];
  const floor = (x: bigint, y: bigint) => (x - (((x % y) + y) % y)) / y;
  let short: Vector = [-LAMBDA, 1n];
  let long: Vector = [FR_MODULUS, 0n];
  for (;;) {
    if (dot(long, long) < dot(short, short)) [short, long] = [long, short];
    const size = dot(short, short);
    const multiple = floor(2n * dot(short, long) + size, 2n * size);
    if (multiple === 0n) break;
    long = [long[0] - multiple * short[0], long[1] - multiple * short[1]];
  }
  const [u, v] = [short, long].map(([a, b]): Vector => (a < 0n ? [-a, -b] : [a, b])) as [Vector, Vector];
  const [negative, positive] = u[1] < 0n ? [u, v] : [v, u];
  const rounded = (x: bigint) => ((x << 257n) / FR_MODULUS + 1n) >> 1n;
  return {
    a1: negative[0],
    b1: -negative[1],
    a2: positive[0],
    b2: positive[1],
    g1: rounded(positive[1]),
    g2: rounded(-negative[1]),
  };
}

const wordsOf = (value: bigint): bigint[] => {
  const words: bigint[] = [];
  for (let rest = value; rest > 0n; rest >>= 32n) words.push(rest & 0xffffffffn);
  return words;
};

const names = (prefix: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${prefix}${i}`);

/** Declares `out0` to `out(n-1)`: the low n words of the product of these words and a constant. */
function product(out: string, n: number, x: readonly string[], constant: bigint): string {
  const y = wordsOf(constant);
  const lines = [`var ${out}_c = vec3u();`];
  for (let column = 0; column < n; column++) {
    for (let i = 0; i < x.length; i++) {
      const word = y[column - i];
      if (word !== undefined && word !== 0n) lines.push(`${out}_c = mac(${out}_c, ${x[i]}, ${word}u);`);
    }
    lines.push(`let ${out}${column} = ${out}_c.x; ${out}_c = vec3u(${out}_c.yz, 0u);`);
  }
  return lines.join("\n");
}

/** Declares `out0` … : x - y of n words modulo 2^(32n); a missing word of y is 0. */
function difference(out: string, x: readonly string[], y: readonly string[]): string {
  const lines = [`var ${out}_b = vec2u();`];
  x.forEach((word, i) => {
    lines.push(`${out}_b = sbb(${word}, ${y[i] ?? "0u"}, ${out}_b.y); let ${out}${i} = ${out}_b.x;`);
  });
  return lines.join("\n");
}

/** Declares `out0` to `out(n-1)`: ⌊product / 2^256⌉ for the words of a product named `x…`. */
function rounded(out: string, n: number, x: string): string {
  const lines = [`var ${out}_r = ${x}7 >> 31u;`];
  for (let i = 0; i < n; i++) {
    lines.push(`let ${out}${i} = ${x}${8 + i} + ${out}_r; ${out}_r = u32(${out}${i} < ${out}_r);`);
  }
  return lines.join("\n");
}

/** `glv(lo, hi)`: halves of a scalar below r. */
function glvSource(): string {
  const { a1, b1, a2, b2, g1, g2 } = glvLattice();
  const modulus = wordsOf(FR_MODULUS).map((word) => `${word}u`);
  const [scalar, c1, c2] = [names("s", 8), names("c", 3), names("d", 5)];
  return `/** acc + x·y, words from the least on. */
fn mac(acc: vec3u, x: u32, y: u32) -> vec3u {
let x0 = x & 0xffffu; let x1 = x >> 16u;
let y0 = y & 0xffffu; let y1 = y >> 16u;
let ll = x0 * y0; let lh = x0 * y1; let hl = x1 * y0; let hh = x1 * y1;
let middle = (ll >> 16u) + (lh & 0xffffu) + (hl & 0xffffu);
let low = (ll & 0xffffu) | (middle << 16u);
let s0 = acc.x + low;
let high = hh + (lh >> 16u) + (hl >> 16u) + (middle >> 16u) + u32(s0 < low);
let s1 = acc.y + high;
return vec3u(s0, s1, acc.z + u32(s1 < high));
}
/** x - y - borrow, and the borrow. */
fn sbb(x: u32, y: u32, borrow: u32) -> vec2u {
let d = x - y;
return vec2u(d - borrow, u32(x < y) | u32(d < borrow));
}
/** An integer by its absolute value. */
struct Half { words: vec4u, negative: bool }
struct Halves { first: Half, second: Half }
/** For |k| < 2^127, given modulo 2^160. */
fn half(k: vec4u, sign: u32) -> Half {
if ((sign >> 31u) == 0u) { return Half(k, false); }
let a = sbb(0u, k.x, 0u); let b = sbb(0u, k.y, a.y); let c = sbb(0u, k.z, b.y); let d = sbb(0u, k.w, c.y);
return Half(vec4u(a.x, b.x, c.x, d.x), true);
}
fn glv(lo: vec4u, hi: vec4u) -> Halves {
// small scalars, and r less small ones, have no second half: most of a witness
if (all(hi == vec4u()) && (lo.w >> 30u) == 0u) { return Halves(Half(lo, false), Half(vec4u(), false)); }
${scalar.map((name, i) => `let ${name} = ${i < 4 ? "lo" : "hi"}[${i % 4}];`).join(" ")}
${difference("n", modulus, scalar)}
if ((n4 | n5 | n6 | n7 | (n3 >> 30u)) == 0u) {
return Halves(Half(vec4u(n0, n1, n2, n3), true), Half(vec4u(), false));
}
// c = round(s·b2 / r), d = round(s·b1 / r), off by less than one
${product("p", 11, scalar, g1)}
${rounded("c", 3, "p")}
${product("q", 13, scalar, g2)}
${rounded("d", 5, "q")}
// first = s - c·a1 - d·a2, second = c·b1 - d·b2
${product("e", 5, c1, a1)}
${product("f", 5, c2, a2)}
${difference("g", scalar.slice(0, 5), names("e", 5))}
${difference("h", names("g", 5), names("f", 5))}
${product("i", 5, c1, b1)}
${product("j", 5, c2, b2)}
${difference("k", names("i", 5), names("j", 5))}
return Halves(half(vec4u(h0, h1, h2, h3), h4), half(vec4u(k0, k1, k2, k3), k4));
}
`;
}

/**
 * Digits of a slice's scalars, and how often each occurs: `counts[w·2^(bits-1) + |d| - 1]` for d ≠ 0.
 *
 * Buffers: scalars (canonical, 32 bytes each), with `indexed` the positions of the bases' scalars, digits, counts. Parameters:
 * `start` (position of the first scalar, without index), `n`, `bits`, `windows`. One invocation a base.
 */
export function decomposeKernel(workgroup: number, indexed: boolean): string {
  return kernelSource({
    workgroup,
    buffers: [
      { name: "scalars", of: "vec4u" },
      ...(indexed ? [{ name: "index", of: "u32" }] : []),
      { name: "digits", of: "u32", write: true },
      { name: "counts", of: "atomic<u32>", write: true },
    ],
    parameters: ["start", "n", "bits", "windows"],
    source: `${glvSource()}
/** The lowest digit of k + carry, less 2^bits (and a carry) where that is nearer to 0. */
fn digit(k: Half, carry: u32, bits: u32) -> vec2i {
let d = i32((k.words.x & ((1u << bits) - 1u)) + carry);
if (d >= (1i << (bits - 1u)) + i32(k.negative)) { return vec2i(d - (1i << bits), 1i); }
return vec2i(d, 0i);
}
fn shifted(k: vec4u, bits: u32) -> vec4u {
return (k >> vec4u(bits)) | (vec4u(k.yzw, 0u) << vec4u(32u - bits));
}
fn count(window: u32, bits: u32, d: i32) {
if (d != 0i) { atomicAdd(&counts[(window << (bits - 1u)) + u32(abs(d)) - 1u], 1u); }
}
`,
    body: `let at = ${indexed ? "index[t]" : "start + t"};
var halves = glv(scalars[2u * at], scalars[2u * at + 1u]);
var carries = vec2u();
for (var w = 0u; w < windows; w++) {
let a = digit(halves.first, carries.x, bits);
let b = digit(halves.second, carries.y, bits);
carries = vec2u(u32(a.y), u32(b.y));
let first = select(a.x, -a.x, halves.first.negative);
let second = select(b.x, -b.x, halves.second.negative);
digits[w * n + t] = (u32(first) & 0xffffu) | (u32(second) << 16u);
count(w, bits, first);
count(w, bits, second);
halves.first.words = shifted(halves.first.words, bits);
halves.second.words = shifted(halves.second.words, bits);
}`,
  });
}
