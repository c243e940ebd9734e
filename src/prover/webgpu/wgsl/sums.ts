/**
 * WGSL for the sums of a multi-scalar multiplication over sorted entries (see `sort.ts`).
 *
 * 1. `run`: an invocation adds `run` consecutive entries. What it has of a key (bucket) is either all of it, which goes to
 *    `buckets`, or a part, because the key's entries begin in an earlier run or end in a later one. There are at most two parts: of
 *    the first key (slot 2t of a list) and of the last (slot 2t + 1).
 * 2. `join`: the same over the list of parts, again and again until one invocation has the whole list. A list is in the order of
 *    keys, so that one key with all entries is added up by a tree.
 * 3. `fold`: per window, Σ b·S_b over the buckets S_1, S_2, …: blocks by running sums. A node is (Σ (j + 1)·S_j, Σ S_j), j
 *    counted from the beginning of its block.
 * 4. `merge`: blocks to larger blocks, a tree: with children of 2^l buckets each, (Σ t_j + 2^l·Σ j·s_j, Σ s_j).
 *
 * Buckets without entries are never written, and read as infinity.
 *
 * @module
 */

import type { Group } from "../../wasm/field.js";
import type { Tuning } from "../tuning.js";
import { curveSource, elementVectors, readElements, readPoints, writeElements, writePoints } from "./curve.js";
import { kernelSource } from "./kernel.js";

/** What of a tuning the kernels of a group are made with. */
export type CurveTuning = Pick<Tuning, "limbBits" | "unroll" | "spell" | "workgroup">;

/** For kernels that are a small part of a sum: by default what is quick to compile. */
function curve(group: Group, { limbBits, unroll, spell }: CurveTuning): string {
  const spelled = spell === "all";
  return curveSource(group, { bits: limbBits, unroll: unroll && spelled, spelled });
}

/** For the one that takes most of the time. G2 has three times the code. */
function fastCurve(group: Group, { limbBits, unroll, spell }: CurveTuning): string {
  const spelled = spell === "all" || (spell === "run" && group === "g1");
  return curveSource(group, { bits: limbBits, unroll, spelled });
}

/** A slot of a list with nothing in it. */
const NONE = "0xffffffffu";

/**
 * Bases as in a zkey become those of the device. Buffers: raw (x, y; Montgomery form with 2^256), bases. Parameters: `offset`, the
 * position of the first of `raw` in `bases`. One invocation a base.
 */
export function convertKernel(group: Group, tuning: CurveTuning): string {
  const v = elementVectors(group);
  return kernelSource({
    workgroup: tuning.workgroup,
    buffers: [
      { name: "raw", of: "vec4u" },
      { name: "bases", of: "vec4u", write: true },
    ],
    parameters: ["offset"],
    source: curve(group, tuning) + readElements(group, "raw") + writeElements(group, "bases"),
    body: `let lower = ${2 * v}u * t;
let upper = ${3 * v}u * (offset + t);
let x = times(raw_element(lower), FQ_FROM_256);
bases_set_element(upper, below1(x));
bases_set_element(upper + ${v}u, below1(times(x, BETA)));
bases_set_element(upper + ${2 * v}u, below1(times(raw_element(lower + ${v}u), FQ_FROM_256)));`,
  });
}

/**
 * Where a sum goes: `settle_sum(key, sum, t, lower, upper)` for the sum over those entries of a key that lie in [lower, upper), of
 * invocation t.
 */
function settling(group: Group): string {
  return `${writePoints(group, "buckets")}${writePoints(group, "parts")}
fn begin_of(key: u32) -> u32 {
if (key == 0u) { return 0u; }
return ends[key - 1u];
}
fn settle_sum(key: u32, sum: Point, t: u32, lower: u32, upper: u32) {
let begins = begin_of(key) >= lower;
if (begins && ends[key] <= upper) {
buckets_set(key, sum);
} else {
let slot = 2u * t + u32(begins);
parts_set(slot, sum);
part_keys[slot] = key;
}
}`;
}

/**
 * Buffers: bases, ends (`counts` of `sort.ts`), entries, buckets, parts, part_keys. Parameters: `keys`, `run`. One invocation a run;
 * there may be more of them than entries.
 */
export function runKernel(group: Group, tuning: CurveTuning): string {
  const v = elementVectors(group);
  return kernelSource({
    workgroup: tuning.workgroup,
    buffers: [
      { name: "bases", of: "vec4u" },
      { name: "ends", of: "u32" },
      { name: "entries", of: "u32" },
      { name: "buckets", of: "vec4u", write: true },
      { name: "parts", of: "vec4u", write: true },
      { name: "part_keys", of: "u32", write: true },
    ],
    parameters: ["keys", "run"],
    source: `${fastCurve(group, tuning)}${readElements(group, "bases")}${settling(group)}
/** The key, from \`least\` on, of the entry at a position. */
fn key_of(at: u32, least: u32, keys: u32) -> u32 {
var low = least;
if (ends[low] > at) { return low; }
var high = keys - 1u;
while (low < high) {
let middle = (low + high) >> 1u;
if (ends[middle] > at) { high = middle; } else { low = middle + 1u; }
}
return low;
}`,
    body: `part_keys[2u * t] = ${NONE};
part_keys[2u * t + 1u] = ${NONE};
let lower = t * run;
let upper = min(lower + run, ends[keys - 1u]);
if (lower >= upper) { return; }
var key = key_of(lower, 0u, keys);
var key_end = ends[key];
var sum = INFINITY;
for (var at = lower; at <= upper; at++) {
if (at == key_end || at == upper) {
settle_sum(key, sum, t, lower, upper);
if (at == upper) { break; }
key = key_of(at, key + 1u, keys);
key_end = ends[key];
sum = INFINITY;
}
let entry = entries[at];
let base = (entry >> 2u) * ${3 * v}u;
let x = bases_element(base + (entry & 2u) * ${v / 2}u);
var y = bases_element(base + ${2 * v}u);
if ((entry & 1u) == 1u) { y = sub2(ELEMENT_ZERO, y); }
sum = add_base(sum, x, y);
}`,
  });
}

/**
 * Buffers: ends, list, list_keys, buckets, parts, part_keys. Parameters: `length` of the list, `fan` (slots for an invocation),
 * `span` (entries that an invocation's slots stand for). One invocation for each \`fan\` slots.
 */
export function joinKernel(group: Group, tuning: CurveTuning): string {
  return kernelSource({
    workgroup: tuning.workgroup,
    buffers: [
      { name: "ends", of: "u32" },
      { name: "list", of: "vec4u" },
      { name: "list_keys", of: "u32" },
      { name: "buckets", of: "vec4u", write: true },
      { name: "parts", of: "vec4u", write: true },
      { name: "part_keys", of: "u32", write: true },
    ],
    parameters: ["length", "fan", "span"],
    source: curve(group, tuning) + readPoints(group, "list") + settling(group),
    body: `part_keys[2u * t] = ${NONE};
part_keys[2u * t + 1u] = ${NONE};
let lower = t * span;
let upper = lower + span;
var key = ${NONE};
var sum = INFINITY;
let stop = min((t + 1u) * fan, length);
for (var slot = t * fan; slot <= stop; slot++) {
// the slot behind the last ends the last key
var next = ${NONE};
if (slot < stop) {
next = list_keys[slot];
if (next == ${NONE}) { continue; }
}
if (next != key) {
if (key != ${NONE}) { settle_sum(key, sum, t, lower, upper); }
key = next;
sum = INFINITY;
}
if (slot == stop) { break; }
sum = add_points(sum, list_point(slot));
}`,
  });
}

/**
 * Buffers: ends, buckets, nodes. Parameters: `block` (buckets, a power of two), `offset` (of the nodes to write, in nodes). One
 * invocation a block.
 */
export function foldKernel(group: Group, tuning: CurveTuning): string {
  return kernelSource({
    workgroup: tuning.workgroup,
    buffers: [
      { name: "ends", of: "u32" },
      { name: "buckets", of: "vec4u" },
      { name: "nodes", of: "vec4u", write: true },
    ],
    parameters: ["block", "offset"],
    source: `${curve(group, tuning)}${readPoints(group, "buckets")}${writePoints(group, "nodes")}
fn bucket(key: u32) -> Point {
var begin = 0u;
if (key > 0u) { begin = ends[key - 1u]; }
// what was never written is read, but not used
let point = buckets_point(key);
return Point(point.x, point.y, pick(point.zz, ELEMENT_ZERO, begin == ends[key]), point.zzz);
}`,
    // the plain sum, the weighted one, a bucket; odd steps add a bucket to the plain sum, the even ones behind them that to the weighted
    body: `var state = array<Point, 3>(INFINITY, INFINITY, INFINITY);
var step = 2u * block;
while (step > 0u) {
step--;
let odd = step & 1u;
state[2] = bucket(t * block + (step >> 1u));
state[1u - odd] = add_points(state[1u + odd], state[0]);
}
nodes_set(2u * (offset + t), state[1]);
nodes_set(2u * (offset + t) + 1u, state[0]);`,
  });
}

/**
 * Buffers: children, nodes. Parameters: `fan` (children of a node), `log` (log2 of the buckets of a child), `offset` (of the nodes
 * to write, in nodes). One invocation a node.
 */
export function mergeKernel(group: Group, tuning: CurveTuning): string {
  return kernelSource({
    workgroup: tuning.workgroup,
    buffers: [
      { name: "children", of: "vec4u" },
      { name: "nodes", of: "vec4u", write: true },
    ],
    parameters: ["fan", "log", "offset"],
    source: curve(group, tuning) + readPoints(group, "children") + writePoints(group, "nodes"),
    // The state: running (Σ s_j), moved (Σ j·s_j), total, a child's sum. For each child, from the last on, moved += running,
    // running += s_j, total += t_j. Then moved is doubled `log` times and added to the total.
    body: `var state = array<Point, 4>(INFINITY, INFINITY, INFINITY, INFINITY);
let sums = 3u * fan;
for (var step = 0u; step <= sums + log; step++) {
let kind = step % 3u;
let child = t * fan + fan - 1u - min(step / 3u, fan - 1u);
state[3] = children_point(2u * child + select(0u, 1u, kind == 1u));
// moved + running, s + running, t + total; moved + moved, moved + total
var a = select(3u, 1u, kind == 0u);
var b = select(0u, 2u, kind == 2u);
if (step >= sums) {
a = 1u;
b = select(1u, 2u, step == sums + log);
}
let sum = add_points(state[a], state[b]);
state[select(b, 1u, a == 1u && b == 0u)] = sum;
}
nodes_set(2u * (offset + t), state[2]);
nodes_set(2u * (offset + t) + 1u, state[0]);`,
  });
}
