/**
 * WGSL that sorts the digits of a slice by counting: keys are `window·2^(bits-1) + |digit| - 1`.
 *
 * `counts` holds how often a key occurs; `scan` makes of it where its entries begin; `scatter` moves that up for each entry
 * that it puts, so that afterwards `counts[key]` is where the key's entries end and the next one's begin. The order among
 * entries of one key is any.
 *
 * An entry: position of the base in its slice, times 4, plus 2 for the second half (λ times the base), plus 1 for its negative.
 *
 * @module
 */

import { kernelSource, workgroupKernelSource } from "./kernel.js";

/** Numbers that an invocation of a scan adds up. */
const PER_INVOCATION = 16;

/** Numbers that a workgroup scans. */
export const scanTile = (workgroup: number): number => workgroup * PER_INVOCATION;

/** Sets `values` to 0. One invocation a word. */
export const clearKernel = (workgroup: number): string =>
  kernelSource({
    workgroup,
    buffers: [{ name: "values", of: "u32", write: true }],
    parameters: [],
    body: "values[t] = 0u;",
  });

/**
 * Replaces each number of a tile by the sum of those before it in the tile, and writes the sum of the tile. Buffers: values,
 * sums. Parameters: `n` values. One workgroup a tile.
 */
export const scanKernel = (workgroup: number): string =>
  workgroupKernelSource({
    workgroup,
    buffers: [
      { name: "values", of: "u32", write: true },
      { name: "sums", of: "u32", write: true },
    ],
    parameters: ["n"],
    source: "var<workgroup> shared_sums: array<u32, WORKGROUP>;",
    body: `let lower = (tile * WORKGROUP + lid) * ${PER_INVOCATION}u;
// none of a tile behind the last of this dispatch
let upper = select(lower, min(lower + ${PER_INVOCATION}u, n), tile < end);
var own = 0u;
for (var i = lower; i < upper; i++) { own += values[i]; }
shared_sums[lid] = own;
workgroupBarrier();
for (var distance = 1u; distance < WORKGROUP; distance <<= 1u) {
var before = 0u;
if (lid >= distance) { before = shared_sums[lid - distance]; }
workgroupBarrier();
shared_sums[lid] += before;
workgroupBarrier();
}
var sum = shared_sums[lid] - own;
for (var i = lower; i < upper; i++) {
let value = values[i];
values[i] = sum;
sum += value;
}
if (lid == WORKGROUP - 1u && tile < end) { sums[tile] = sum; }`,
  });

/** Adds to each number the sum of the tiles before its own. Buffers: values, sums (scanned). One invocation a number. */
export const addTilesKernel = (workgroup: number): string =>
  kernelSource({
    workgroup,
    buffers: [
      { name: "values", of: "u32", write: true },
      { name: "sums", of: "u32" },
    ],
    parameters: [],
    body: `values[t] += sums[t / ${scanTile(workgroup)}u];`,
  });

/**
 * Puts entries where they belong. Buffers: digits (see `scalars.ts`), counts (scanned), entries. Parameters: `n` bases, `bits`.
 * One invocation a word of `digits`.
 */
export const scatterKernel = (workgroup: number): string =>
  kernelSource({
    workgroup,
    buffers: [
      { name: "digits", of: "u32" },
      { name: "counts", of: "atomic<u32>", write: true },
      { name: "entries", of: "u32", write: true },
    ],
    parameters: ["n", "bits"],
    source: `fn put(d: i32, window: u32, bits: u32, entry: u32) {
if (d == 0i) { return; }
let at = atomicAdd(&counts[(window << (bits - 1u)) + u32(abs(d)) - 1u], 1u);
entries[at] = entry | u32(d < 0i);
}`,
    body: `let window = t / n;
let entry = (t - window * n) << 2u;
let both = digits[t];
put(i32(both << 16u) >> 16u, window, bits, entry);
put(i32(both) >> 16u, window, bits, entry | 2u);`,
  });
