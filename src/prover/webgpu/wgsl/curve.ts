/**
 * WGSL for points of G1 and G2: `Element` is a coordinate (Fq, or Fq2 = Fq[u]/(u² + 1)), `Point` an accumulator.
 *
 * Accumulators are XYZZ (x = X/ZZ, y = Y/ZZZ, ZZ³ = ZZZ²; http://hyperelliptic.org/EFD/g1p/auto-shortw-xyzz.html). Infinity has
 * ZZ = 0, limb for limb. Bounds in multiples of q: X, Y < 4, ZZ, ZZZ < 2; of bases: x < 1, y < 2. Both additions are complete:
 * equal points are doubled, opposite ones give infinity. Doubling shares the end of the addition's formula, with P = 2Y and
 * R = 3X² and without the term PPP of X3, so that a kernel has few products to compile.
 *
 * In storage a coordinate is 2 (G1) or 4 (G2) `vec4u`, a base x, βx, y, a point X, Y, ZZ, ZZZ.
 *
 * @module
 */

import { FQ_MODULUS } from "../../../formats/bn254.js";
import { BETA_G1, BETA_G2 } from "../../wasm/constants.js";
import type { Group } from "../../wasm/field.js";
import { constant, type Field, type FieldOptions, fieldSource, makeField, toLimbs } from "./field.js";

/** `vec4u` of a coordinate. */
export const elementVectors = (group: Group): number => (group === "g1" ? 2 : 4);
/** Bytes of a base on the device. */
export const baseSize = (group: Group): number => 3 * 16 * elementVectors(group);
/** Bytes of an accumulator. */
export const pointSize = (group: Group): number => 4 * 16 * elementVectors(group);

/** The field of coordinates on a device. */
export const coordinateField = ({ bits }: Pick<FieldOptions, "bits">): Field => makeField("fq", FQ_MODULUS, bits);

/** How a curve's functions are written. */
export interface CurveOptions extends FieldOptions {
  /**
   * Whether additions are spelled out. If not they are programs on registers in memory, which have one product to compile: a small
   * fraction of the code, somewhat slower to run.
   */
  readonly spelled: boolean;
}

/**
 * Whether a < 8q may be 0 modulo q, by its lowest limb, and whether it is. The latter is a loop for the sake of short code: it is
 * rarely run.
 */
function zeroTests(field: Field): string {
  const limbs = Array.from({ length: 8 }, (_, k) => toLimbs(field, BigInt(k) * field.modulus)[0]!);
  return `fn fq_maybe_zero(a: Fq) -> bool {
let limb = a[0];
return ${[...new Set(limbs)].map((limb) => `limb == ${limb}u`).join(" || ")};
}
fn fq_is_multiple(a: Fq) -> bool {
var rest = a;
for (var k = 0u; k < 8u; k++) { rest = fq_reduce1(rest); }
return fq_is_literal_zero(rest);
}`;
}

/** `k` numbers in parentheses: bounds of the operands that a function takes. Results of products are below 2q. */
function elementG1(field: Field): string {
  return `alias Element = Fq;
const ELEMENT_ZERO = FQ_ZERO;
const ELEMENT_ONE = FQ_ONE;
const BETA = ${constant(field, (BETA_G1 * field.r) % field.modulus)};
fn mul(a: Element, b: Element) -> Element { return fq_mul(a, b); }
fn sqr(a: Element) -> Element { return fq_mul(a, a); }
fn times(a: Element, b: Fq) -> Element { return fq_mul(a, b); }
fn add(a: Element, b: Element) -> Element { return fq_add(a, b); }
fn sub2(a: Element, b: Element) -> Element { return fq_sub2(a, b); }
fn sub4(a: Element, b: Element) -> Element { return fq_sub4(a, b); }
fn reduce4(a: Element) -> Element { return fq_reduce4(a); }
/** A product takes factors below 8q as they are. */
fn tight(a: Element) -> Element { return a; }
fn below1(a: Element) -> Element { return fq_reduce1(a); }
fn is_zero(a: Element) -> bool { return fq_is_multiple(a); }
fn pick(a: Element, b: Element, second: bool) -> Element { return fq_pick(a, b, second); }
fn maybe_zero(a: Element) -> bool { return fq_maybe_zero(a); }
fn is_literal_zero(a: Element) -> bool { return fq_is_literal_zero(a); }
`;
}

/** Both parts of a product take one reduction each; -b1 is kq - b1. */
function elementG2(field: Field): string {
  return `struct Element { c0: Fq, c1: Fq }
const ELEMENT_ZERO = Element(FQ_ZERO, FQ_ZERO);
const ELEMENT_ONE = Element(FQ_ONE, FQ_ZERO);
const BETA = ${constant(field, (BETA_G2 * field.r) % field.modulus)};
/** (4, 4): 4·4 + 4·4 */
fn mul(a: Element, b: Element) -> Element {
return Element(fq_mul_add(a.c0, b.c0, a.c1, fq_sub4(FQ_ZERO, b.c1)), fq_mul_add(a.c0, b.c1, a.c1, b.c0));
}
/** (4): (a0 + a1)·(a0 - a1 + 4q) is 8·8, 2·a0·a1 is 8·4 */
fn sqr(a: Element) -> Element {
return Element(fq_mul(fq_add(a.c0, a.c1), fq_sub4(a.c0, a.c1)), fq_mul(fq_add(a.c0, a.c0), a.c1));
}
fn times(a: Element, b: Fq) -> Element { return Element(fq_mul(a.c0, b), fq_mul(a.c1, b)); }
fn add(a: Element, b: Element) -> Element { return Element(fq_add(a.c0, b.c0), fq_add(a.c1, b.c1)); }
fn sub2(a: Element, b: Element) -> Element { return Element(fq_sub2(a.c0, b.c0), fq_sub2(a.c1, b.c1)); }
fn sub4(a: Element, b: Element) -> Element { return Element(fq_sub4(a.c0, b.c0), fq_sub4(a.c1, b.c1)); }
fn reduce4(a: Element) -> Element { return Element(fq_reduce4(a.c0), fq_reduce4(a.c1)); }
/** Below 4q what is below 8q: factors of a product have to be. */
fn tight(a: Element) -> Element { return reduce4(a); }
fn below1(a: Element) -> Element { return Element(fq_reduce1(a.c0), fq_reduce1(a.c1)); }
fn is_zero(a: Element) -> bool { return fq_is_multiple(a.c0) & fq_is_multiple(a.c1); }
fn pick(a: Element, b: Element, second: bool) -> Element {
return Element(fq_pick(a.c0, b.c0, second), fq_pick(a.c1, b.c1, second));
}
fn maybe_zero(a: Element) -> bool { return fq_maybe_zero(a.c0) & fq_maybe_zero(a.c1); }
fn is_literal_zero(a: Element) -> bool { return fq_is_literal_zero(a.c0) & fq_is_literal_zero(a.c1); }
`;
}

/**
 * Additions spelled out. `finish` is what both end with: (dx, dy) is the difference of x and of y on a common denominator, of which
 * `first` has the first point's x and y, zz and zzz those of the denominator. If dx is 0 the points are equal (both are `same`) or
 * opposite.
 */
const SPELLED = `fn finish(dx: Element, dy: Element, first: Point, same: Point) -> Point {
var p = dx;
var r = dy;
var twice = false;
// a loop rather than a condition: where branches are masked, a loop that no invocation enters costs nothing
var rare = maybe_zero(dx);
while (rare) {
rare = false;
if (is_zero(dx)) {
twice = is_zero(dy);
let square = sqr(same.x);
// of opposite points: products with it as the first factor are 0 limb for limb
p = pick(ELEMENT_ZERO, tight(add(same.y, same.y)), twice);
r = tight(add(add(square, square), square));
}
}
let d = pick_point(first, same, twice);
let pp = sqr(p);
let ppp = mul(p, pp);
let q = mul(d.x, pp);
// 2 + 2 + 4, then below 4
let x = reduce4(sub4(sub2(sqr(r), pick(ppp, ELEMENT_ZERO, twice)), add(q, q)));
let y = sub2(mul(r, tight(sub4(q, x))), mul(d.y, ppp));
return Point(x, y, mul(pp, d.zz), mul(ppp, d.zzz));
}
fn add_base(p: Point, x: Element, y: Element) -> Point {
let base = Point(x, y, ELEMENT_ONE, ELEMENT_ONE);
let dx = tight(sub4(mul(x, p.zz), p.x));
let dy = tight(sub4(mul(y, p.zzz), p.y));
return pick_point(finish(dx, dy, p, base), base, is_infinity(p));
}
fn add_points(p: Point, q: Point) -> Point {
let x = mul(p.x, q.zz);
let y = mul(p.y, q.zzz);
let dx = sub2(mul(q.x, p.zz), x);
let dy = sub2(mul(q.y, p.zzz), y);
let sum = finish(dx, dy, Point(x, y, mul(p.zz, q.zz), mul(p.zzz, q.zzz)), p);
return pick_point(pick_point(sum, p, is_infinity(q)), q, is_infinity(p));
}
`;

/** Registers of the programs: both points, their difference on a common denominator, the sum, 0. */
const REGISTERS = [
  "x1",
  "y1",
  "zz1",
  "zzz1",
  "x2",
  "y2",
  "zz2",
  "zzz2",
  "t",
  "u",
  "p",
  "r",
  "x",
  "y",
  "zz",
  "zzz",
].concat(["x3", "y3", "zz3", "zzz3", "zero"]);

/**
 * The programs: `to = a * b`, or `to = a - b`; `a ? b` is a - b, but a where points are doubled. All numbers are below 4q. After
 * the first two, p and r are the differences of x and y, (x, y) is the first point on the common denominator (zz, zzz).
 */
const PROGRAMS = {
  base: "t = x2 * zz1; p = t - x1; u = y2 * zzz1; r = u - y1; x = x1 - zero; y = y1 - zero; zz = zz1 - zero; zzz = zzz1 - zero",
  points: `x = x1 * zz2; t = x2 * zz1; p = t - x; y = y1 * zzz2; u = y2 * zzz1; r = u - y; zz = zz1 * zz2; zzz = zzz1 * zzz2`,
  twice: `x = x1 - zero; y = y1 - zero; zz = zz1 - zero; zzz = zzz1 - zero; t = zero - y; p = y - t;
    u = x * x; t = zero - u; r = u - t; r = r - t`,
  finish: `t = p * p; p = p * t; x = x * t; zz3 = t * zz; zzz3 = p * zzz; x3 = r * r; x3 = x3 ? p; x3 = x3 - x; x3 = x3 - x;
    x = x - x3; x = r * x; y = y * p; y3 = x - y`,
};

/** The programs one after the other, a step a word: operation, to, a, b; and where each begins and ends. */
function assemble(): { steps: number[]; at: Record<keyof typeof PROGRAMS, readonly [number, number]> } {
  const steps: number[] = [];
  const at = Object.entries(PROGRAMS).map(([name, text]) => {
    const begin = steps.length;
    for (const step of text.split(";")) {
      const [to, , a, operation, b] = step.trim().split(" ") as [string, string, string, string, string];
      const [i, j, k] = [to, a, b].map((register) => REGISTERS.indexOf(register)) as [number, number, number];
      if (Math.min(i, j, k) < 0) throw new Error(`no such registers: ${step}`);
      steps.push(("*-?".indexOf(operation) << 24) | (i << 16) | (j << 8) | k);
    }
    return [name, [begin, steps.length]];
  });
  return { steps, at: Object.fromEntries(at) };
}

/** Additions as programs. */
function programs(): string {
  const { steps, at } = assemble();
  const register = (name: string) => `${REGISTERS.indexOf(name)}u`;
  const put = (prefix: string, suffix: string) =>
    ["x", "y", "zz", "zzz"].map((name) => `registers[${register(name + suffix)}] = ${prefix}.${name};`).join("\n");
  return `var<private> registers: array<Element, ${REGISTERS.length}>;
var<private> steps: array<u32, ${steps.length}> = array<u32, ${steps.length}>(${steps.map((step) => `${step}u`).join(", ")});
/** The sum of both points, after a program that makes their difference. */
fn sum_of(begin: u32, end: u32, p: Point, q: Point) -> Point {
${put("p", "1")}
${put("q", "2")}
registers[${register("zero")}] = ELEMENT_ZERO;
var twice = false;
var first = begin;
var stop = end;
for (var phase = 0u; phase < 3u; phase++) {
for (var i = first; i < stop; i++) {
let step = steps[i];
let a = registers[(step >> 8u) & 255u];
let to = (step >> 16u) & 255u;
// loops rather than conditions: where branches are masked, a loop that no invocation enters costs nothing
var value: Element;
for (var product = step < ${1 << 24}u; product; product = false) { value = mul(a, registers[step & 255u]); }
for (var difference = step >= ${1 << 24}u; difference; difference = false) {
let b = select(step & 255u, ${register("zero")}, twice && step >= ${2 << 24}u);
value = reduce4(sub4(a, registers[b]));
}
registers[to] = value;
}
// of equal points the double, which is a program in between
first = ${at.twice[0]}u;
stop = ${at.twice[0]}u;
for (var rare = (phase == 0u) & maybe_zero(registers[${register("p")}]); rare; rare = false) {
if (is_zero(registers[${register("p")}])) {
twice = is_zero(registers[${register("r")}]);
stop = select(${at.twice[0]}u, ${at.twice[1]}u, twice);
// of opposite points: products with it as the first factor are 0 limb for limb
registers[${register("p")}] = ELEMENT_ZERO;
}
}
if (phase == 1u) {
first = ${at.finish[0]}u;
stop = ${at.finish[1]}u;
}
}
let at = select(select(${register("x3")}, ${register("x1")}, is_infinity(q)), ${register("x2")}, is_infinity(p));
return Point(registers[at], registers[at + 1u], registers[at + 2u], registers[at + 3u]);
}
fn add_base(p: Point, x: Element, y: Element) -> Point {
return sum_of(${at.base[0]}u, ${at.base[1]}u, p, Point(x, y, ELEMENT_ONE, ELEMENT_ONE));
}
fn add_points(p: Point, q: Point) -> Point { return sum_of(${at.points[0]}u, ${at.points[1]}u, p, q); }
`;
}

/**
 * - `mul`, `sqr`, `add`, `sub2` …: coordinates.
 * - `INFINITY`; `is_infinity(p)`; `pick_point(p, q, second)`: q if `second`, else p.
 * - `add_base(p, x, y)`: p plus an affine point.
 * - `add_points(p, q)`.
 * - {@link readPoints}, {@link writePoints}, {@link readElements}: storage.
 */
export function curveSource(group: Group, options: CurveOptions): string {
  const field = coordinateField(options);
  return `${fieldSource(field, options)}
${zeroTests(field)}
${group === "g1" ? elementG1(field) : elementG2(field)}
struct Point { x: Element, y: Element, zz: Element, zzz: Element }
const INFINITY = Point(ELEMENT_ZERO, ELEMENT_ZERO, ELEMENT_ZERO, ELEMENT_ZERO);
fn is_infinity(p: Point) -> bool { return is_literal_zero(p.zz); }

fn pick_point(a: Point, b: Point, second: bool) -> Point {
return Point(pick(a.x, b.x, second), pick(a.y, b.y, second), pick(a.zz, b.zz, second), pick(a.zzz, b.zzz, second));
}
${options.spelled ? SPELLED : programs()}`;
}

/** `<buffer>_element(at)`: the coordinate at a position, in \`vec4u\`. */
export function readElements(group: Group, buffer: string): string {
  const part = (k: number) => `fq_unpack(${buffer}[at + ${2 * k}u], ${buffer}[at + ${2 * k + 1}u])`;
  const value = group === "g1" ? part(0) : `Element(${part(0)}, ${part(1)})`;
  return `fn ${buffer}_element(at: u32) -> Element { return ${value}; }\n`;
}

/** `<buffer>_set_element(at, a)`. */
export function writeElements(group: Group, buffer: string): string {
  const part = (k: number, a: string) => `let w${k} = fq_pack(${a});
${buffer}[at + ${2 * k}u] = w${k}[0]; ${buffer}[at + ${2 * k + 1}u] = w${k}[1];`;
  const parts = group === "g1" ? part(0, "a") : `${part(0, "a.c0")}\n${part(1, "a.c1")}`;
  return `fn ${buffer}_set_element(at: u32, a: Element) {\n${parts}\n}\n`;
}

/** `<buffer>_point(i)`. A loop for the sake of short code. */
export function readPoints(group: Group, buffer: string): string {
  const v = elementVectors(group);
  return `${readElements(group, buffer)}fn ${buffer}_point(i: u32) -> Point {
var parts: array<Element, 4>;
for (var k = 0u; k < 4u; k++) { parts[k] = ${buffer}_element((4u * i + k) * ${v}u); }
return Point(parts[0], parts[1], parts[2], parts[3]);
}
`;
}

/** `<buffer>_set(i, p)`. */
export function writePoints(group: Group, buffer: string): string {
  const v = elementVectors(group);
  return `${writeElements(group, buffer)}fn ${buffer}_set(i: u32, p: Point) {
var parts = array<Element, 4>(p.x, p.y, p.zz, p.zzz);
for (var k = 0u; k < 4u; k++) { ${buffer}_set_element((4u * i + k) * ${v}u, parts[k]); }
}
`;
}
