/**
 * WGSL of the transforms over fr.
 *
 * A domain of n = 2^power points has one table: t[e] = g^e, e < n, canonical in Montgomery form, with g of order 2n and ω = g². It
 * holds the factors of butterflies (even exponents) and those of the coset. Both directions use powers of ω: the first
 * transform then is n times the inverse one with indices negated, and so is the order of what the second one leaves.
 *
 * Values may be in Montgomery form or not: a factor in Montgomery form leaves them what they are.
 *
 * @module
 */

import { preamble } from "../device.js";
import { type Field, fieldSource } from "./field.js";

/** What kernels over fr are made from. */
export interface KernelOptions {
  readonly field: Field;
  readonly unroll: boolean;
  /** Invocations of a workgroup. */
  readonly workgroup: number;
}

/** What every kernel begins with: the field, and an element at a position of a buffer. */
export const header = ({ field, unroll, workgroup }: KernelOptions): string =>
  preamble(workgroup) + fieldSource(field, { unroll });

/** Storage buffers at bindings 0, 1, …; `=` behind a name: also written. Behind them `vectors` × 4 parameters, called q. */
export function bindings(buffers: readonly string[], vectors: number): string {
  const storage = buffers.map((buffer, i) => {
    const [name, type = "array<vec4u>"] = buffer.replace("=", "").split(":");
    const access = buffer.includes("=") ? "read_write" : "read";
    return `@group(0) @binding(${i}) var<storage, ${access}> ${name}: ${type};\n`;
  });
  return `${storage.join("")}@group(0) @binding(${buffers.length}) var<uniform> q: array<vec4u, ${vectors}>;\n`;
}

/** Functions `name_get(i)` and `name_put(i, a)` of a buffer of elements. */
export const getter = (name: string): string =>
  `fn ${name}_get(i: u32) -> Fr { return fr_unpack(${name}[2u * i], ${name}[2u * i + 1u]); }\n`;
export const putter = (name: string): string =>
  `fn ${name}_put(i: u32, a: Fr) { let w = fr_pack(a); ${name}[2u * i] = w[0]; ${name}[2u * i + 1u] = w[1]; }\n`;

/** A kernel of one invocation each number i < q[1].x; q[0].xy are the first workgroup and their end. */
export const elementwise = (body: string): string => `@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) lid: u32) {
let g = q[0].x + group(wid, num);
let i = g * WORKGROUP + lid;
if (g >= q[0].y || i >= q[1].x) { return; }
${body}
}
`;

/**
 * t[k + i] = t[i]·g^k for i < k: buffer t; parameters first, end, -, -, k, -, -, -, g^k as two vectors.
 *
 * Bounds: factors below p, the product below 2p, reduced below p.
 */
export const powersSource = (options: KernelOptions): string =>
  header(options) +
  bindings(["t="], 4) +
  getter("t") +
  putter("t") +
  elementwise("t_put(q[1].x + i, fr_reduce1(fr_mul(t_get(i), fr_unpack(q[2], q[3]))));");

/** to[i] = from[i], so that what is given is left as it is. Parameters: first, end, -, -, n. */
export const copySource = (workgroup: number): string =>
  preamble(workgroup) +
  bindings(["source", "copy="], 2) +
  elementwise("copy[2u * i] = source[2u * i]; copy[2u * i + 1u] = source[2u * i + 1u];");

/** Bits of {@link finishSource}'s mode. */
export const NEGATE = 1;
export const REVERSE = 2;

/**
 * result[i] = k·values[j], canonical; j is i, negated modulo n (mode & 1) and then with its bits reversed (mode & 2). Parameters: first,
 * end, power, mode, n, -, -, -, k (Montgomery) as two vectors.
 *
 * Bounds: values below 4p, k below p: 4 of 64; below 2p, reduced below p.
 */
export const finishSource = (options: KernelOptions): string =>
  header(options) +
  bindings(["values", "result="], 4) +
  getter("values") +
  putter("result") +
  elementwise(`let n = q[1].x;
var j = i;
if ((q[0].w & ${NEGATE}u) != 0u) { j = (n - i) & (n - 1u); }
if ((q[0].w & ${REVERSE}u) != 0u) { j = reverseBits(j) >> (32u - q[0].z); }
result_put(i, fr_reduce1(fr_mul(values_get(j), fr_unpack(q[2], q[3]))));`);

/** What {@link passSource} does, added up. */
export const DIF = 1;
export const DIT = 2;
/** The innermost layer alone: from natural to bit-reversed order, that is all. */
export const LAST = 4;
/** The innermost layer, the factors of the coset, and the innermost layer back. */
export const COSET = 8;

/**
 * Several layers of up to three transforms at once, in workgroup memory; values in place.
 *
 * A tile is 2^(rows + columns) values: those whose index has any bits [at, at + rows) and any lowest bits [0, columns); its workgroup
 * does the layers whose butterflies span these `rows` bits, at ≥ columns. Neighbouring columns lie side by side in memory. The
 * innermost pass (at = columns = 0) has blocks of consecutive values and the layer that spans bit 0, whose factors are all 1.
 *
 * Buffers: t, then three of values; the first `count` of them are used, workgroups are `count` times the tiles of one. Parameters:
 * first, end, power, kind, at, rows, columns, -.
 *
 * Bounds in multiples of p, of 64 that a product takes; t is below 1, values are stored below 5.29.
 * - DIF: u, v < 2. u + v < 4, reduced < 2. u - v + 2 < 4; times t: 4, < 2.
 * - LAST: u, v < 2. u + v < 4, u - v + 2 < 4.
 * - COSET: the same, times t: 4, < 2 each; again u + v < 4, u - v + 2 < 4.
 * - DIT: u, v < 4. v·t: 4, < 2. u reduced < 2; u + vt < 4, u - vt + 2 < 4.
 */
export function passSource(options: KernelOptions, tile: number): string {
  const buffers = ["p0", "p1", "p2"];
  const choose = (text: (buffer: string) => string) =>
    `if (poly == 0u) { ${text("p0")} } else if (poly == 1u) { ${text("p1")} } else { ${text("p2")} }`;
  return `${header(options)}${bindings(["t", ...buffers.map((name) => `${name}=`)], 2)}${getter("t")}
var<workgroup> low: array<vec4u, ${tile}>;
var<workgroup> high: array<vec4u, ${tile}>;
fn tile_get(i: u32) -> Fr { return fr_unpack(low[i], high[i]); }
fn tile_put(i: u32, a: Fr) { let w = fr_pack(a); low[i] = w[0]; high[i] = w[1]; }
fn address(base: u32, at: u32, columns: u32, i: u32) -> u32 {
return base | (i & ((1u << columns) - 1u)) | ((i >> columns) << at);
}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) num: vec3u, @builtin(local_invocation_index) lid: u32) {
let g = q[0].x + group(wid, num);
if (g >= q[0].y) { return; }
let power = q[0].z;
let kind = q[0].w;
let at = q[1].x;
let rows = q[1].y;
let columns = q[1].z;
let size = 1u << (rows + columns);
let half = size >> 1u;
let poly = g >> (power - rows - columns);
let number = g & ((1u << (power - rows - columns)) - 1u);
// bits [columns, at) of the index are the lowest of the tile's number
let between = at - columns;
let base = ((number & ((1u << between) - 1u)) << columns) | ((number >> between) << (at + rows));
for (var i = lid; i < size; i += WORKGROUP) {
let j = 2u * address(base, at, columns, i);
${choose((p) => `low[i] = ${p}[j]; high[i] = ${p}[j + 1u];`)}
}
workgroupBarrier();
let middle = (kind & ${LAST | COSET}u) != 0u;
let first = select(0u, 1u, middle);
// both directions in one loop: drivers put every product where it is called
for (var phase = 0u; phase < 2u; phase++) {
let dif = phase == 0u;
let layers = select(0u, rows - first, (kind & select(${DIT}u, ${DIF}u, dif)) != 0u);
for (var k = 0u; k < layers; k++) {
// butterflies that span bit r of the rows
let r = select(first + k, rows - 1u - k, dif);
let bit = columns + r;
let span = 1u << bit;
let mask = (1u << (at + r)) - 1u;
for (var i = lid; i < half; i += WORKGROUP) {
let x = ((i >> bit) << (bit + 1u)) | (i & (span - 1u));
let y = x + span;
let w = t_get((address(base, at, columns, x) & mask) << (power - at - r));
var u = tile_get(x);
var v = tile_get(y);
if (dif) {
let d = fr_sub2(u, v);
u = fr_add(u, v);
v = d;
}
v = fr_mul(v, w);
u = fr_reduce2(u);
if (!dif) {
let d = fr_sub2(u, v);
u = fr_add(u, v);
v = d;
}
tile_put(x, u);
tile_put(y, v);
}
workgroupBarrier();
}
if (dif && middle) {
for (var i = lid; i < half; i += WORKGROUP) {
var u = tile_get(2u * i);
var v = tile_get(2u * i + 1u);
// position p holds the coefficient of index -rev(p) mod n
let n = 1u << power;
let index = reverseBits(base + 2u * i) >> (32u - power);
for (var k = select(1u, 0u, (kind & ${COSET}u) != 0u); k < 2u; k++) {
let d = fr_sub2(u, v);
u = fr_add(u, v);
v = d;
if (k == 0u) {
u = fr_mul(u, t_get((n - index) & (n - 1u)));
v = fr_mul(v, t_get(((n >> 1u) - index) & (n - 1u)));
}
}
tile_put(2u * i, u);
tile_put(2u * i + 1u, v);
}
workgroupBarrier();
}
}
for (var i = lid; i < size; i += WORKGROUP) {
let j = 2u * address(base, at, columns, i);
${choose((p) => `${p}[j] = low[i]; ${p}[j + 1u] = high[i];`)}
}
}
`;
}
