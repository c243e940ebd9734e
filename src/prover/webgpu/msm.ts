/**
 * Multi-scalar multiplication on a GPU by buckets (Pippenger): Σ k_i·P_i for bases that stay on the device.
 *
 * A sum takes its bases in slices. Of each slice: scalars become signed digits of their GLV halves (`wgsl/scalars.ts`), which are
 * sorted by window and digit (`wgsl/sort.ts`); points of one digit are added up and weighted (`wgsl/sums.ts`). What is read back is
 * one point for each window of each slice; Σ 2^(c·w)·S_w is left to the processor.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { ProverError } from "../../errors.js";
import {
  decodeG1,
  decodeG2,
  encodeG1,
  encodeG2,
  FQ_MODULUS,
  type Fq2,
  type G1Affine,
  type G2Affine,
  readBigintLE,
} from "../../formats/bn254.js";
import type { BaseSource } from "../backend.js";
import { reachOf } from "../resident.js";
import { invMod } from "../wasm/constants.js";
import { type Group, POINT_BYTES } from "../wasm/field.js";
import type { Device, Kernel } from "./device.js";
import { FOLD_BLOCK, FULL, JOIN_FAN, MIXED, type MsmPlan, planMsm, runCount, type WorkSizes } from "./msm-plan.js";
import { type Job, Pace, Work } from "./pace.js";
import type { Tuning } from "./tuning.js";
import { baseSize, coordinateField, elementVectors, pointSize } from "./wgsl/curve.js";
import { decomposeKernel } from "./wgsl/scalars.js";
import { addTilesKernel, clearKernel, scanKernel, scanTile, scatterKernel } from "./wgsl/sort.js";
import { convertKernel, foldKernel, joinKernel, mergeKernel, runKernel } from "./wgsl/sums.js";

/** Bases that are uploaded at once. */
const UPLOAD = 1 << 16;
/** Products that take about as long as the digits of a scalar, as putting an entry, as a number of a scan. */
const DECOMPOSE = 10;
const SCATTER = 0.2;
const SCAN = 0.02;

/** Bases on the device. */
export interface DeviceBases {
  readonly group: Group;
  readonly count: number;
  /** Least number of scalars for them: the largest position, and one. */
  readonly reach: number;
  readonly plan: MsmPlan;
  readonly slices: readonly DeviceSlice[];
  /** Gives the memory back. Idempotent. */
  free(): void;
}

/** Consecutive bases in a buffer. */
export interface DeviceSlice {
  /** Position of the first. */
  readonly start: number;
  readonly count: number;
  readonly bases: GPUBuffer;
  /** Positions of their scalars; without it their own. */
  readonly index: GPUBuffer | undefined;
}

/** Kernels of a group, and those of scalars. */
interface Kernels {
  readonly decompose: Kernel;
  readonly decomposeIndexed: Kernel;
  readonly clear: Kernel;
  readonly scan: Kernel;
  readonly addTiles: Kernel;
  readonly scatter: Kernel;
  readonly run: Kernel;
  readonly join: Kernel;
  readonly fold: Kernel;
  readonly merge: Kernel;
}

/** Buffers that a sum works in, and those of its scan's levels and results. */
type Buffers = Readonly<Record<keyof WorkSizes | "results", GPUBuffer>> & { readonly sums: readonly GPUBuffer[] };

/** Sums on one device. Calls of {@link putBases} and {@link sum} must not overlap: `Device.exclusive`. */
export class Msm {
  readonly #device: Device;
  readonly #tuning: Tuning;
  /** 1/R mod q: out of the device's Montgomery form. */
  readonly #inverse: bigint;
  /** How much the device is handed at a time. */
  readonly pace = new Pace();
  /** Work buffers by name, as large as any set of bases needs; shared by all sets, for sums run one after the other. */
  readonly #work = new Map<string, { readonly buffer: GPUBuffer; readonly size: number }>();
  readonly #sets = new Set<DeviceBases>();
  readonly #compiled = new Map<Group, Promise<Kernels>>();

  constructor(device: Device, tuning: Tuning) {
    this.#device = device;
    this.#tuning = tuning;
    this.#inverse = invMod(coordinateField({ bits: tuning.limbBits }).r % FQ_MODULUS, FQ_MODULUS);
  }

  /**
   * Brings bases to the device, and compiles what their sums need.
   *
   * @throws ProverError of the device; what `source.read` throws. Nothing is left of it then.
   */
  async putBases(source: BaseSource, signal?: AbortSignal): Promise<DeviceBases> {
    const { group, count, index } = source;
    const device = this.#device;
    const plan = planMsm(group, Math.max(1, count), this.#tuning, device.limits.buffer);
    const slices: DeviceSlice[] = [];
    const set: DeviceBases = {
      group,
      count,
      reach: reachOf(source),
      plan,
      slices,
      free: () => {
        for (const { bases, index } of slices.splice(0)) {
          device.free(bases);
          if (index !== undefined) device.free(index);
        }
        this.#sets.delete(set);
        if (this.#sets.size === 0) this.#freeWork();
      },
    };
    this.#sets.add(set);
    const bytes = POINT_BYTES[group];
    let staging: GPUBuffer | undefined;
    try {
      if (count === 0) return set;
      const [convert] = await Promise.all([
        device.kernel(`msm-${group}-convert`, convertKernel(group, this.#tuning)),
        this.#kernels(group),
      ]);
      const upload = Math.min(UPLOAD, plan.slice, Math.floor(device.limits.buffer / bytes));
      staging = device.buffer(upload * bytes, `msm-${group}-upload`);
      const work = new Work(device, this.pace, signal);
      for (let start = 0; start < count; start += plan.slice) {
        const size = Math.min(plan.slice, count - start);
        const slice = {
          start,
          count: size,
          bases: device.buffer(size * baseSize(group), `msm-${group}-bases`),
          index: index === undefined ? undefined : device.buffer(4 * size, `msm-${group}-index`),
        };
        slices.push(slice);
        if (slice.index !== undefined) {
          const positions = index!.slice(start, start + size);
          device.upload(slice.index, 0, new Uint8Array(positions.buffer));
        }
        for (let offset = 0; offset < size; offset += upload) {
          const n = Math.min(upload, size - offset);
          signal?.throwIfAborted();
          device.upload(staging, 0, await source.read(start + offset, start + offset + n));
          const buffers = [staging, slice.bases];
          await work.add(this.#job(convert, buffers, n, group === "g1" ? 4 : 8, [offset]));
          work.submit();
        }
      }
      await device.done(signal);
      return set;
    } catch (error) {
      set.free();
      throw error;
    } finally {
      if (staging !== undefined) device.free(staging);
    }
  }

  /**
   * Σ scalar·base; infinity is (0, 0).
   *
   * @param scalars canonical, 32 bytes each.
   * @param n number of scalars, {@link DeviceBases.reach} at least.
   * @throws ProverError `DEVICE_WRONG_RESULT` if what the device says is no point of the curve's group; others of the device.
   */
  async sum(set: DeviceBases, scalars: GPUBuffer, n: number, signal?: AbortSignal): Promise<G1Affine | G2Affine> {
    const kernels = await this.#kernels(set.group);
    if (!this.#sets.has(set)) throw new TypeError("bases that were freed, or of another device");
    if (n < set.reach) throw new RangeError(`${set.reach} scalars are needed, there are ${n}`);
    const { group, plan, slices } = set;
    if (slices.length === 0) return horner(group, [], plan.bits);
    // of each window a node: the weighted sum and the plain one
    const node = 2 * pointSize(group);
    const size = plan.windows * node;
    // results of so many slices are read at once
    const most = Math.max(1, Math.min(slices.length, Math.floor(this.#device.limits.buffer / size)));
    const buffers = this.#buffersFor(plan, most * size);
    const work = new Work(this.#device, this.pace, signal);
    const sums: Projective<Fq2>[][] = [];
    for (const [i, slice] of slices.entries()) {
      await this.#sort(work, kernels, buffers, plan, slice, scalars);
      await this.#sumBuckets(work, kernels, buffers, group, plan, slice);
      await this.#weigh(work, kernels, buffers, group, plan, i % most);
      if ((i + 1) % most !== 0 && i + 1 < slices.length) continue;
      work.submit();
      signal?.throwIfAborted();
      const bytes = await this.#device.read(buffers.results, 0, ((i % most) + 1) * size);
      signal?.throwIfAborted();
      for (let at = 0; at < bytes.length; at += size) {
        const windows = Array.from({ length: plan.windows }, (_, w) => at + w * node);
        sums.push(windows.map((offset) => readPoint(group, this.#inverse, bytes, offset)));
      }
    }
    return horner(group, sums, plan.bits);
  }

  /** Entries of a slice, sorted. */
  async #sort(
    work: Work,
    { decompose, decomposeIndexed, clear, scan, addTiles, scatter }: Kernels,
    { digits, entries, counts, sums }: Buffers,
    { bits, windows, keys }: MsmPlan,
    { start, count, index }: DeviceSlice,
    scalars: GPUBuffer,
  ): Promise<void> {
    await work.add(this.#job(clear, [counts], keys, SCAN));
    const [kernel, inputs] = index === undefined ? [decompose, [scalars]] : [decomposeIndexed, [scalars, index]];
    await work.add(this.#job(kernel, [...inputs, digits, counts], count, DECOMPOSE, [start, count, bits, windows]));
    const tile = scanTile(this.#tuning.workgroup);
    const levels = [counts, ...sums];
    const lengths = scanLengths(keys, tile);
    for (const [i, length] of lengths.entries()) {
      // a tile is a workgroup's
      await work.spread(scan, [levels[i]!, levels[i + 1]!], Math.ceil(length / tile), tile * SCAN, [length]);
    }
    for (let i = lengths.length - 2; i >= 0; i--) {
      await work.add(this.#job(addTiles, [levels[i]!, levels[i + 1]!], lengths[i]!, SCAN));
    }
    await work.add(this.#job(scatter, [digits, counts, entries], count * windows, SCATTER, [count, bits]));
  }

  /** A kernel whose invocations do one thing each. */
  #job(
    kernel: Kernel,
    buffers: readonly GPUBuffer[],
    count: number,
    cost: number,
    parameters: readonly number[] = [],
  ): Job {
    return { kernel, buffers, count, cost, parameters, workgroup: this.#tuning.workgroup };
  }

  /** The sum of each key's entries. */
  async #sumBuckets(
    work: Work,
    { run, join }: Kernels,
    { counts, entries, buckets, parts, partKeys, joined, joinedKeys }: Buffers,
    group: Group,
    plan: MsmPlan,
    { count, bases }: DeviceSlice,
  ): Promise<void> {
    const factor = group === "g1" ? 1 : 3;
    const runs = runCount(count, plan.windows, plan.run);
    const inputs = [bases, counts, entries, buckets, parts, partKeys];
    await work.add(this.#job(run, inputs, runs, factor * plan.run * MIXED, [plan.keys, plan.run]));
    let [from, fromKeys, to, toKeys] = [parts, partKeys, joined, joinedKeys];
    let span = plan.run;
    for (let invocations = runs; invocations > 1; ) {
      const length = 2 * invocations;
      invocations = Math.ceil(length / JOIN_FAN);
      span *= JOIN_FAN / 2;
      const inputs = [counts, from, fromKeys, buckets, to, toKeys];
      await work.add(this.#job(join, inputs, invocations, factor * JOIN_FAN * FULL, [length, JOIN_FAN, span]));
      [from, fromKeys, to, toKeys] = [to, toKeys, from, fromKeys];
    }
  }

  /** The weighted sum of each window's buckets, into the results of slice `i`. */
  async #weigh(
    work: Work,
    { fold, merge }: Kernels,
    { counts, buckets, nodes, merged, results }: Buffers,
    group: Group,
    { bits, windows }: MsmPlan,
    i: number,
  ): Promise<void> {
    const factor = group === "g1" ? 1 : 3;
    let log = Math.min(bits - 1, Math.log2(FOLD_BLOCK));
    /** Nodes of a window. */
    let width = 2 ** (bits - 1 - log);
    // the last nodes are results
    const target = (buffer: GPUBuffer): [GPUBuffer, number] => (width === 1 ? [results, i * windows] : [buffer, 0]);
    let [to, offset] = target(nodes);
    const block = 2 ** log;
    await work.add(this.#job(fold, [counts, buckets, to], windows * width, factor * 2 * block * FULL, [block, offset]));
    while (width > 1) {
      const from = to;
      const fan = Math.min(width, FOLD_BLOCK);
      width /= fan;
      [to, offset] = target(from === nodes ? merged : nodes);
      const cost = factor * (3 * fan + log + 1) * FULL;
      await work.add(this.#job(merge, [from, to], windows * width, cost, [fan, log, offset]));
      log += Math.log2(fan);
    }
  }

  /** Sources are long: even they are made once. */
  #kernels(group: Group): Promise<Kernels> {
    let kernels = this.#compiled.get(group);
    if (kernels === undefined) {
      kernels = this.#compile(group);
      this.#compiled.set(group, kernels);
      kernels.catch(() => this.#compiled.delete(group));
    }
    return kernels;
  }

  async #compile(group: Group): Promise<Kernels> {
    const { workgroup } = this.#tuning;
    const sources: Record<keyof Kernels, string> = {
      decompose: decomposeKernel(workgroup, false),
      decomposeIndexed: decomposeKernel(workgroup, true),
      clear: clearKernel(workgroup),
      scan: scanKernel(workgroup),
      addTiles: addTilesKernel(workgroup),
      scatter: scatterKernel(workgroup),
      run: runKernel(group, this.#tuning),
      join: joinKernel(group, this.#tuning),
      fold: foldKernel(group, this.#tuning),
      merge: mergeKernel(group, this.#tuning),
    };
    const kernels = await Promise.all(
      Object.entries(sources).map(async ([name, code]) => [
        name,
        await this.#device.kernel(`msm-${group}-${name}`, code),
      ]),
    );
    return Object.fromEntries(kernels) as Kernels;
  }

  #buffersFor({ keys, sizes }: MsmPlan, results: number): Buffers {
    const named = (name: string, size: number): GPUBuffer => {
      const present = this.#work.get(name);
      if (present !== undefined && present.size >= size) return present.buffer;
      if (present !== undefined) {
        this.#work.delete(name);
        this.#device.free(present.buffer);
      }
      const buffer = this.#device.buffer(size, `msm-${name}`);
      this.#work.set(name, { buffer, size });
      return buffer;
    };
    const tile = scanTile(this.#tuning.workgroup);
    const sums = scanLengths(keys, tile).map((length, i) => named(`sums-${i}`, 4 * Math.ceil(length / tile)));
    const work = Object.entries({ ...sizes, results }).map(([name, size]) => [name, named(name, size)]);
    return { ...(Object.fromEntries(work) as Omit<Buffers, "sums">), sums };
  }

  #freeWork(): void {
    for (const { buffer } of this.#work.values()) this.#device.free(buffer);
    this.#work.clear();
  }
}

/** Lengths of what the levels of a scan of n numbers scan: the last is a single tile. */
function scanLengths(n: number, tile: number): number[] {
  const lengths = [n];
  while (lengths.at(-1)! > tile) lengths.push(Math.ceil(lengths.at(-1)! / tile));
  return lengths;
}

type Projective<T> = { readonly x: T; readonly y: T; readonly z: T };

/**
 * A point of the device (X, Y, ZZ, ZZZ) as X·ZZZ : Y·ZZ : ZZ·ZZZ, homogeneous.
 *
 * @param inverse 1/R mod q.
 */
function readPoint(group: Group, inverse: bigint, bytes: Uint8Array, at: number): Projective<Fq2> {
  const { Fp2 } = bn254.fields;
  const element = (i: number) => (readBigintLE(bytes, at + 32 * i, 32) * inverse) % FQ_MODULUS;
  const coordinate = (i: number): Fq2 =>
    elementVectors(group) === 2 ? { c0: element(i), c1: 0n } : { c0: element(2 * i), c1: element(2 * i + 1) };
  const [x, y, zz, zzz] = [0, 1, 2, 3].map(coordinate) as [Fq2, Fq2, Fq2, Fq2];
  if (zz.c0 === 0n && zz.c1 === 0n) return { x: Fp2.ZERO, y: Fp2.ONE, z: Fp2.ZERO };
  return { x: Fp2.mul(x, zzz), y: Fp2.mul(y, zz), z: Fp2.mul(zz, zzz) };
}

/** Σ 2^(bits·w)·windows[w] over all slices. @throws ProverError `DEVICE_WRONG_RESULT`. */
function horner(group: Group, slices: readonly (readonly Projective<Fq2>[])[], bits: number): G1Affine | G2Affine {
  const wrong = (cause: unknown) =>
    new ProverError("the GPU's sum is no point of the group", {
      code: "DEVICE_WRONG_RESULT",
      where: `webgpu: ${group}`,
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  const options = { where: "sum", allowInfinity: true };
  try {
    if (group === "g1") {
      const { Point } = bn254.G1;
      const points = slices.map((windows) => windows.map(({ x, y, z }) => new Point(x.c0, y.c0, z.c0)));
      const { x, y } = weighted(Point.ZERO, points, bits).toAffine();
      return decodeG1(encodeG1({ x, y }), 0, options);
    }
    const { Point } = bn254.G2;
    const points = slices.map((windows) => windows.map(({ x, y, z }) => new Point(x, y, z)));
    const sum = weighted(Point.ZERO, points, bits);
    if (sum.is0()) return { x: { c0: 0n, c1: 0n }, y: { c0: 0n, c1: 0n } };
    const { x, y } = sum.toAffine();
    return decodeG2(encodeG2({ x, y }), 0, options);
  } catch (cause) {
    throw wrong(cause);
  }
}

function weighted<P extends { add(other: P): P; double(): P }>(zero: P, slices: readonly P[][], bits: number): P {
  let sum = zero;
  const windows = slices[0]?.length ?? 0;
  for (let w = windows - 1; w >= 0; w--) {
    for (let i = 0; i < bits; i++) sum = sum.double();
    for (const points of slices) sum = sum.add(points[w]!);
  }
  return sum;
}
