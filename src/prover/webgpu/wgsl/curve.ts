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
   * Products that do not depend on each other in a loop, which has one product to compile: a third of the code. Otherwise all are
   * spelled out.
   */
  readonly grouped: boolean;
}

/** `mul<k>(a, b)`: k products. */
function mulMany(k: number, grouped: boolean): string {
  const type = `array<Element, ${k}>`;
  const products = Array.from({ length: k }, (_, i) => `mul(a[${i}], b[${i}])`);
  const body = grouped
    ? `var x = a;
var y = b;
var products: ${type};
for (var i = 0u; i < ${k}u; i++) { products[i] = mul(x[i], y[i]); }
return products;`
    : `return ${type}(${products.join(", ")});`;
  return `fn mul${k}(a: ${type}, b: ${type}) -> ${type} {\n${body}\n}`;
}

/** A call of it. */
function products(pairs: readonly (readonly [string, string])[]): string {
  const factors = [0, 1].map((i) => `array<Element, ${pairs.length}>(${pairs.map((pair) => pair[i]).join(", ")})`);
  return `mul${pairs.length}(${factors.join(", ")})`;
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
fn is_zero(a: Element) -> bool { return fq_is_multiple(a.c0) && fq_is_multiple(a.c1); }
fn pick(a: Element, b: Element, second: bool) -> Element {
return Element(fq_pick(a.c0, b.c0, second), fq_pick(a.c1, b.c1, second));
}
fn maybe_zero(a: Element) -> bool { return fq_maybe_zero(a.c0) && fq_maybe_zero(a.c1); }
fn is_literal_zero(a: Element) -> bool { return fq_is_literal_zero(a.c0) && fq_is_literal_zero(a.c1); }
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
${[2, 3, 6].map((k) => mulMany(k, options.grouped)).join("\n")}
struct Point { x: Element, y: Element, zz: Element, zzz: Element }
const INFINITY = Point(ELEMENT_ZERO, ELEMENT_ZERO, ELEMENT_ZERO, ELEMENT_ZERO);
fn is_infinity(p: Point) -> bool { return is_literal_zero(p.zz); }

fn pick_point(a: Point, b: Point, second: bool) -> Point {
return Point(pick(a.x, b.x, second), pick(a.y, b.y, second), pick(a.zz, b.zz, second), pick(a.zzz, b.zzz, second));
}
/**
 * What both additions end with. (dx, dy): difference of x and of y on a common denominator, of which \`first\` has the first point's x
 * and y, zz and zzz those of the denominator. If dx is 0 the points are equal, \`same\`, or opposite.
 */
fn finish(dx: Element, dy: Element, first: Point, same: Point) -> Point {
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
// of opposite points: products with it are 0 limb for limb
p = pick(ELEMENT_ZERO, tight(add(same.y, same.y)), twice);
r = tight(add(add(square, square), square));
}
}
let d = pick_point(first, same, twice);
let squares = ${products([
    ["p", "p"],
    ["r", "r"],
  ])};
let pp = squares[0];
let cubes = ${products([
    ["p", "pp"],
    ["d.x", "pp"],
    ["d.zz", "pp"],
  ])};
let ppp = cubes[0];
let q = cubes[1];
// 2 + 2 + 4, then below 4
let x = reduce4(sub4(sub2(squares[1], pick(ppp, ELEMENT_ZERO, twice)), add(q, q)));
let last = ${products([
    ["r", "tight(sub4(q, x))"],
    ["d.y", "ppp"],
    ["d.zzz", "ppp"],
  ])};
return Point(x, sub2(last[0], last[1]), cubes[2], last[2]);
}
fn add_base(p: Point, x: Element, y: Element) -> Point {
let base = Point(x, y, ELEMENT_ONE, ELEMENT_ONE);
let crossed = ${products([
    ["x", "p.zz"],
    ["y", "p.zzz"],
  ])};
let dx = tight(sub4(crossed[0], p.x));
let dy = tight(sub4(crossed[1], p.y));
return pick_point(finish(dx, dy, p, base), base, is_infinity(p));
}
fn add_points(p: Point, q: Point) -> Point {
let crossed = ${products([
    ["p.x", "q.zz"],
    ["p.y", "q.zzz"],
    ["q.x", "p.zz"],
    ["q.y", "p.zzz"],
    ["p.zz", "q.zz"],
    ["p.zzz", "q.zzz"],
  ])};
let dx = sub2(crossed[2], crossed[0]);
let dy = sub2(crossed[3], crossed[1]);
let sum = finish(dx, dy, Point(crossed[0], crossed[1], crossed[4], crossed[5]), p);
return pick_point(pick_point(sum, p, is_infinity(q)), q, is_infinity(p));
}
`;
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

/** `<buffer>_point(i)`. */
export function readPoints(group: Group, buffer: string): string {
  const v = elementVectors(group);
  const coordinates = [0, 1, 2, 3].map((k) => `${buffer}_element(i * ${4 * v}u + ${k * v}u)`);
  return `${readElements(group, buffer)}fn ${buffer}_point(i: u32) -> Point { return Point(${coordinates.join(", ")}); }\n`;
}

/** `<buffer>_set(i, p)`. */
export function writePoints(group: Group, buffer: string): string {
  const v = elementVectors(group);
  const stores = ["x", "y", "zz", "zzz"].map(
    (name, k) => `${buffer}_set_element(i * ${4 * v}u + ${k * v}u, p.${name});`,
  );
  return `${writeElements(group, buffer)}fn ${buffer}_set(i: u32, p: Point) {\n${stores.join("\n")}\n}\n`;
}
