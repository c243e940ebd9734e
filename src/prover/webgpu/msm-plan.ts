/**
 * How a sum is laid out: bits of a digit, entries for an invocation, bases of a slice, sizes of buffers.
 *
 * Symbols: n bases of a slice, W = ⌈128 / c⌉ windows of c bits, B = 2^(c-1) buckets of a window. Each base has two halves, so a
 * slice has up to 2·n·W entries (less: digits that are 0). Costs in products of the base field (a product of G2 has three for
 * each of G1's, everywhere, so the choice is the same):
 *
 * - each entry is one mixed addition: 10;
 * - runs of `run` entries leave two parts each, which are added (14 each) by a list that shrinks to a quarter each time:
 *   4/3 · 2 · 14 / run for an entry;
 * - each bucket takes two additions and an eighth of three for its block and those above: 14 · (2 + 3/7).
 *
 * @module
 */

import { ProverError } from "../../errors.js";
import type { Group } from "../wasm/field.js";
import type { Tuning } from "./tuning.js";
import { baseSize, pointSize } from "./wgsl/curve.js";
import { windowCount } from "./wgsl/scalars.js";

/** Slots of a list that an invocation joins: leaves two, a quarter. */
export const JOIN_FAN = 8;
/** Buckets of a block, blocks of a larger one. */
export const FOLD_BLOCK = 8;
/** Products of an addition to a base, of one of two sums. */
export const MIXED = 10;
export const FULL = 14;

/** See the module. */
export interface MsmPlan {
  /** Bits of a digit. */
  readonly bits: number;
  readonly windows: number;
  /** Buckets of all windows: keys of the sort. */
  readonly keys: number;
  /** Entries of an invocation. */
  readonly run: number;
  /** Bases of a slice. */
  readonly slice: number;
  /** Bytes of the largest work buffers. */
  readonly sizes: WorkSizes;
}

/** Bytes of the buffers that a sum works in. Lists are written in turns. */
export interface WorkSizes {
  readonly digits: number;
  readonly entries: number;
  readonly counts: number;
  readonly buckets: number;
  readonly parts: number;
  readonly partKeys: number;
  readonly joined: number;
  readonly joinedKeys: number;
  readonly nodes: number;
  readonly merged: number;
}

/** Most runs of a slice. */
export const runCount = (bases: number, windows: number, run: number): number => Math.ceil((2 * bases * windows) / run);

/**
 * Long runs leave few parts, short ones occupy more of a GPU: about 2^15 runs, of 16 to 64 entries.
 */
const chooseRun = (entries: number): number => Math.min(64, Math.max(16, Math.ceil(entries / 2 ** 15)));

function sizesOf(group: Group, bases: number, bits: number, run: number): WorkSizes {
  const point = pointSize(group);
  const windows = windowCount(bits);
  const keys = windows << (bits - 1);
  const runs = runCount(bases, windows, run);
  const joins = Math.ceil((2 * runs) / JOIN_FAN);
  const blocks = keys / Math.min(FOLD_BLOCK, 1 << (bits - 1));
  return {
    digits: 4 * bases * windows,
    entries: 8 * bases * windows,
    counts: 4 * keys,
    buckets: keys * point,
    parts: 2 * runs * point,
    partKeys: 8 * runs,
    joined: 2 * joins * point,
    joinedKeys: 8 * joins,
    nodes: 2 * blocks * point,
    merged: 2 * Math.ceil(blocks / FOLD_BLOCK) * point,
  };
}

/** The layout with this many bits, with the largest slices that fit; undefined if none does. */
function layout(group: Group, count: number, tuning: Tuning, limit: number, bits: number): MsmPlan | undefined {
  const windows = windowCount(bits);
  // a slice's position takes 30 bits of an entry
  let slice = Math.min(count, tuning.slice, 2 ** 30, Math.floor(limit / baseSize(group)));
  for (; slice >= 1; slice = Math.floor(slice / 2)) {
    const run = tuning.run || chooseRun(2 * slice * windows);
    const sizes = sizesOf(group, slice, bits, run);
    if (Math.max(...Object.values(sizes)) > limit) continue;
    // equal slices rather than a short one at the end
    slice = Math.ceil(count / Math.ceil(count / slice));
    return {
      bits,
      windows,
      keys: windows << (bits - 1),
      run,
      slice,
      sizes: sizesOf(group, slice, bits, run),
    };
  }
  return undefined;
}

/** Products of a sum, see the module. */
export function planCost(count: number, { windows, keys, run, slice }: MsmPlan): number {
  const slices = Math.ceil(count / slice);
  const entry = MIXED + ((4 / 3) * 2 * FULL) / run;
  return 2 * count * windows * entry + slices * keys * FULL * (2 + 3 / (FOLD_BLOCK - 1));
}

/**
 * The cheapest layout of a sum of `count` bases, 1 at least.
 *
 * @param limit bytes of the largest buffer.
 * @throws ProverError `BUFFER_TOO_LARGE` if even a slice of one base does not fit.
 */
export function planMsm(group: Group, count: number, tuning: Tuning, limit: number): MsmPlan {
  const choices = tuning.windowBits === 0 ? Array.from({ length: 13 }, (_, i) => 4 + i) : [tuning.windowBits];
  let best: MsmPlan | undefined;
  for (const bits of choices) {
    const plan = layout(group, count, tuning, limit, bits);
    if (plan !== undefined && (best === undefined || planCost(count, plan) < planCost(count, best))) best = plan;
  }
  if (best !== undefined) return best;
  throw new ProverError("a sum does not fit the GPU's buffers", {
    code: "BUFFER_TOO_LARGE",
    where: `webgpu: ${group}, digits of ${choices.join(", ")} bits`,
    expected: "buffers for one base at least",
    got: `buffers of at most ${limit} bytes`,
  });
}
