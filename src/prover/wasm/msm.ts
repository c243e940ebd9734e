/**
 * Multi-scalar multiplication as tasks: one window of one sum each. Scalars come as signed digits of their GLV halves.
 *
 * @module
 */

import type { Task } from "./engine.js";
import type { Group, PointSpace } from "./field.js";
import { type Call, type Kernel, SCRATCH } from "./kernel.js";

/** Bits of a GLV half and one for the sign: digits of `bits` bits need ceil(128 / bits) windows. */
const HALF_BITS = 128;
/** Bases of which entries lie in memory at once. */
const SLICE = 1 << 14;
/** Scalars per task. */
const SCALAR_CHUNK = 4096;

/** Signed digits of n scalars: i16 at `address + window·4n + half·2n + 2·i`. */
export interface Digits {
  readonly address: number;
  /** Number of scalars. */
  readonly n: number;
  /** Bits of a digit. */
  readonly bits: number;
  readonly windows: number;
}

/** Bases of one sum and the scalars they belong to. */
export interface Bases {
  readonly group: Group;
  readonly address: number;
  /** u32 each: position of the scalar. */
  readonly index: number;
  /** Bases that are not infinity. */
  readonly count: number;
}

/** Number of windows for digits of `bits` bits. */
export const windowCount = (bits: number): number => Math.ceil(HALF_BITS / bits);

/** Bytes of the digits of n scalars. */
export const digitsSize = (n: number, bits: number): number => 4 * n * windowCount(bits);

/**
 * Bits of a digit for a sum of n bases: fewest additions, 2n for every window and about two for every bucket (fit to
 * measurements, see docs/performance.md).
 */
export function windowBits(n: number): number {
  let best = 3;
  let least = Number.POSITIVE_INFINITY;
  for (let bits = 3; bits <= 16; bits++) {
    const cost = windowCount(bits) * (2 * n + 2 * 2 ** (bits - 1) + 12 * 2 ** (bits / 2));
    if (cost < least) [best, least] = [bits, cost];
  }
  return best;
}

/** Into how many runs of bases each window is cut. Few threads: a window is a task; many: each is cut. */
export const windowParts = (threads: number): number => Math.max(1, Math.ceil(threads / 8));

/**
 * Tasks that check `digits.n` scalars and bring them into digits.
 *
 * @param limbs address of as many elements of fr, which the scalars become.
 * @param scalars address of 32 bytes each. A task answers the first that is not canonical, or -1.
 */
export function digitTasks(limbs: number, scalars: number, { address, n, bits, windows }: Digits): Task[] {
  const tasks: Task[] = [];
  for (let from = 0; from < n; from += SCALAR_CHUNK) {
    const to = Math.min(n, from + SCALAR_CHUNK);
    tasks.push({ calls: [["qap_witness", limbs, scalars, from, to, address, 2 * n, 4 * n, bits, windows]] });
  }
  return tasks;
}

/**
 * Tasks of one sum; the result of a task lies at `results + (part·windows + window)·jacobianSize`.
 *
 * @param parts into how many runs of bases each window is cut, so that there are enough tasks for all threads.
 * @param results address of `parts·windows` Jacobian points.
 */
export function msmTasks(kernel: Kernel, bases: Bases, digits: Digits, parts: number, results: number): Task[] {
  const { group, count } = bases;
  const { bits, windows, n } = digits;
  const size = kernel[`${group}_jacobianSize`]!();
  const baseSize = kernel[`${group}_baseSize`]!();
  const slice = Math.max(1, Math.min(SLICE, count));
  const scratch = kernel[`${group}_msmScratch`]!(slice, bits);
  const tasks: Task[] = [];
  for (let w = 0; w < windows; w++) {
    for (let p = 0; p < parts; p++) {
      const from = Math.floor((count * p) / parts);
      const to = Math.floor((count * (p + 1)) / parts);
      const out = results + (p * windows + w) * size;
      const run = [bases.address + from * baseSize, bases.index + 4 * from, to - from];
      const call: Call = [`${group}_msmWindow`, out, ...run, digits.address + w * 4 * n, 2 * n, bits, slice, SCRATCH];
      tasks.push({ scratch, calls: [call] });
    }
  }
  return tasks;
}

/** The sum that {@link msmTasks} left in `parts·windows` results: address of a point of the space. */
export function sumWindows(
  points: PointSpace,
  kernel: Kernel,
  group: Group,
  { windows, bits }: Digits,
  parts: number,
  results: number,
): number {
  const size = kernel[`${group}_jacobianSize`]!();
  for (let i = windows; i < parts * windows; i++) {
    const at = results + (i % windows) * size;
    points.add(group, at, at, results + i * size);
  }
  const out = points.blank(group);
  points.horner(group, out, results, windows, bits);
  return out;
}
