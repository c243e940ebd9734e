/**
 * Transforms over fr on a WebGPU device.
 *
 * A transform goes from natural to bit-reversed order (decimation in frequency) and back (decimation in time); passes do several layers
 * each in workgroup memory, see {@link passSource}. What leads from values on a domain to values on its odd coset is both, one after
 * the other, with the factors of the coset in between; no pass only moves values.
 *
 * @module
 */

import { bigintToBytesLE, FIELD_SIZE, FR_MODULUS } from "../../formats/bn254.js";
import type { Transform } from "../backend.js";
import { invMod, powMod, rootOfUnity } from "../wasm/constants.js";
import type { Device, Kernel } from "./device.js";
import { Pace, Work } from "./pace.js";
import type { Tuning } from "./tuning.js";
import { type Field, makeField } from "./wgsl/field.js";
import {
  COSET,
  copySource,
  DIF,
  DIT,
  finishSource,
  type KernelOptions,
  LAST,
  NEGATE,
  passSource,
  powersSource,
  REVERSE,
} from "./wgsl/ntt.js";

/** log2 of a tile without a choice: 16 KiB, what every device has, and little enough for several at a time. */
const TILE_BITS = 9;
/** log2 of the columns that a tile takes side by side, so that memory is read in lines of 128 bytes. */
const COLUMN_BITS = 2;
/** Powers of g that are computed on the CPU. */
const SEED = 64;

/** Three buffers of n values. */
export type Polynomials = readonly [GPUBuffer, GPUBuffer, GPUBuffer];

/** What transforms of one size need on the device. */
export interface DeviceDomain {
  readonly power: number;
  /** g^e in Montgomery form, canonical, for e < n. */
  readonly table: GPUBuffer;
  /** Room for three polynomials, the same for all who use this domain. */
  work(): Polynomials;
  /** Gives it back; buffers are freed when all who asked for the domain have. Idempotent. */
  free(): void;
}

/** Layers of one dispatch: butterflies span bits [at, at + rows). */
export interface Pass {
  readonly at: number;
  readonly rows: number;
  readonly columns: number;
}

/** How 2^power values are cut for tiles of 2^tileBits: the innermost pass first. */
export function passesOf(power: number, tileBits: number): Pass[] {
  const inner = Math.min(power, tileBits);
  const passes: Pass[] = [{ at: 0, rows: inner, columns: 0 }];
  const rest = power - inner;
  const count = Math.ceil(rest / Math.max(1, tileBits - COLUMN_BITS));
  for (let i = 0; i < count; i++) {
    const [from, to] = [i, i + 1].map((k) => Math.floor((rest * k) / count)) as [number, number];
    passes.push({ at: inner + from, rows: to - from, columns: tileBits - (to - from) });
  }
  return passes;
}

/** A number below r as the parameters that kernels take: eight words. */
export function wordsOf(value: bigint): number[] {
  const bytes = bigintToBytesLE(value, FIELD_SIZE);
  return [...new Uint32Array(bytes.buffer, bytes.byteOffset, FIELD_SIZE / 4)];
}

/** Buffers of a domain, and how many use it. */
interface Shared {
  readonly table: GPUBuffer;
  work: Polynomials | undefined;
  users: number;
}

/** See the module. Methods run inside the caller's {@link Device.exclusive}. */
export class Ntt {
  readonly field: Field;
  /** Of everything over fr on this device. */
  readonly pace = new Pace();
  /** Layers of a pass, at most. */
  readonly tileBits: number;
  readonly #device: Device;
  readonly #options: KernelOptions;
  readonly #passThreads: number;
  readonly #domains = new Map<number, Shared>();
  readonly #sources = new Map<string, string>();

  constructor(device: Device, tuning: Tuning) {
    const { limits } = device;
    this.field = makeField("fr", FR_MODULUS, tuning.limbBits);
    this.#device = device;
    const wanted = tuning.layers === 0 ? TILE_BITS : tuning.layers;
    this.tileBits = Math.min(wanted, Math.floor(Math.log2(limits.workgroupStorage / FIELD_SIZE)));
    const workgroup = Math.min(tuning.workgroup, limits.invocations);
    this.#options = { field: this.field, unroll: tuning.unroll, workgroup };
    // a tile keeps its memory whether few or many work on it: two butterflies each
    this.#passThreads = Math.max(workgroup, Math.min(2 ** (this.tileBits - 2), limits.invocations));
  }

  /** A kernel over fr, made once. Sources are long, so that even they are made once. */
  kernel(name: string, source: (options: KernelOptions) => string): Promise<Kernel> {
    let code = this.#sources.get(name);
    if (code === undefined) {
      code = source(this.#options);
      this.#sources.set(name, code);
    }
    return this.#device.kernel(name, code);
  }

  /** Runs an elementwise kernel on `count` numbers. @param cost products of one. */
  async elementwise(
    work: Work,
    kernel: Kernel,
    buffers: readonly GPUBuffer[],
    count: number,
    cost: number,
    parameters: readonly number[],
  ): Promise<void> {
    const { workgroup } = this.#options;
    await work.spread(kernel, buffers, Math.ceil(count / workgroup), cost * workgroup, parameters);
  }

  /** The domain of 2^power points; made when nobody has it. @param power 1 to 27. */
  async domain(power: number, signal?: AbortSignal): Promise<DeviceDomain> {
    let shared = this.#domains.get(power);
    if (shared === undefined) {
      shared = { table: await this.#table(power, signal), work: undefined, users: 0 };
      this.#domains.set(power, shared);
    }
    return this.#use(power, shared);
  }

  #use(power: number, shared: Shared): DeviceDomain {
    const device = this.#device;
    shared.users++;
    let free = () => {
      free = () => {};
      if (--shared.users > 0) return;
      this.#domains.delete(power);
      for (const buffer of [shared.table, ...(shared.work ?? [])]) device.free(buffer);
    };
    return {
      power,
      table: shared.table,
      work() {
        if (shared.work !== undefined) return shared.work;
        const made: GPUBuffer[] = [];
        try {
          for (const name of ["a", "b", "c"]) made.push(device.buffer(FIELD_SIZE * 2 ** power, `polynomial ${name}`));
        } catch (error) {
          for (const buffer of made) device.free(buffer);
          throw error;
        }
        shared.work = made as unknown as Polynomials;
        return shared.work;
      },
      free: () => free(),
    };
  }

  /** Powers of g by doubling: n products in all, log2(n) dispatches. */
  async #table(power: number, signal: AbortSignal | undefined): Promise<GPUBuffer> {
    const n = 2 ** power;
    const work = new Work(this.#device, this.pace, signal);
    const table = this.#device.buffer(FIELD_SIZE * n, "powers of a root");
    try {
      const kernel = await this.kernel("powers", powersSource);
      let g = rootOfUnity(power + 1);
      const seed = new Uint8Array(FIELD_SIZE * Math.min(n, SEED));
      for (let at = 0, x = this.toMont(1n); at < seed.length; at += FIELD_SIZE, x = (x * g) % FR_MODULUS) {
        seed.set(bigintToBytesLE(x, FIELD_SIZE), at);
      }
      this.#device.upload(table, 0, seed);
      g = powMod(g, BigInt(SEED), FR_MODULUS);
      for (let k = SEED; k < n; k *= 2, g = (g * g) % FR_MODULUS) {
        await this.elementwise(work, kernel, [table], k, 1, [0, 0, k, 0, 0, 0, ...wordsOf(this.toMont(g))]);
      }
      await work.flush();
      return table;
    } catch (error) {
      this.#device.free(table);
      throw error;
    }
  }

  /** Montgomery form on this device. */
  toMont(value: bigint): bigint {
    return (value * this.field.r) % FR_MODULUS;
  }

  /**
   * From values on the domain to values on its odd coset, each n times as large and at the negated index: position i holds
   * n·value(-i mod n). In place.
   *
   * @param count how many of the polynomials; below 2r each, below 4r afterwards.
   */
  async coset(work: Work, domain: DeviceDomain, polynomials: Polynomials, count: number): Promise<void> {
    const [inner, ...outer] = passesOf(domain.power, this.tileBits) as [Pass, ...Pass[]];
    for (const pass of outer.toReversed()) await this.#pass(work, domain, polynomials, count, pass, DIF);
    await this.#pass(work, domain, polynomials, count, inner, DIF | COSET | DIT);
    for (const pass of outer) await this.#pass(work, domain, polynomials, count, pass, DIT);
  }

  async #pass(
    work: Work,
    { power, table }: DeviceDomain,
    polynomials: Polynomials,
    count: number,
    { at, rows, columns }: Pass,
    kind: number,
  ): Promise<void> {
    const kernel = await this.kernel("layers", (options) =>
      passSource({ ...options, workgroup: this.#passThreads }, 2 ** this.tileBits),
    );
    const size = 2 ** (rows + columns);
    const cost = (size * rows * (kind & COSET ? 2 : 1)) / 2;
    const groups = count * 2 ** (power - rows - columns);
    await work.spread(kernel, [table, ...polynomials], groups, cost, [power, kind, at, rows, columns, 0]);
  }

  /**
   * Transforms n canonical numbers; see {@link Transform}.
   *
   * @returns a buffer of n canonical numbers; `values` are left as they are.
   */
  async transform(values: GPUBuffer, power: number, transform: Transform, signal?: AbortSignal): Promise<GPUBuffer> {
    const n = 2 ** power;
    const device = this.#device;
    const work = new Work(device, this.pace, signal);
    const made: GPUBuffer[] = [];
    const make = (size: number, label: string): GPUBuffer => {
      const buffer = device.buffer(size, label);
      made.push(buffer);
      return buffer;
    };
    let domain: DeviceDomain | undefined;
    let result: GPUBuffer | undefined;
    try {
      const copy = await this.kernel("copy", ({ workgroup }) => copySource(workgroup));
      const finish = await this.kernel("finish", finishSource);
      domain = await this.domain(power, signal);
      const polynomial = make(FIELD_SIZE * n, "transform");
      const polynomials: Polynomials = [polynomial, make(0, "no polynomial"), make(0, "no polynomial")];
      await this.elementwise(work, copy, [values, polynomial], n, 0.1, [0, 0, n, 0, 0, 0]);
      let mode: number;
      if (transform === "coset") {
        await this.coset(work, domain, polynomials, 1);
        mode = NEGATE;
      } else {
        const [inner, ...outer] = passesOf(power, this.tileBits) as [Pass, ...Pass[]];
        for (const pass of outer.toReversed()) await this.#pass(work, domain, polynomials, 1, pass, DIF);
        await this.#pass(work, domain, polynomials, 1, inner, DIF | LAST);
        mode = transform === "inverse" ? NEGATE | REVERSE : REVERSE;
      }
      const factor = transform === "forward" ? 1n : invMod(BigInt(n), FR_MODULUS);
      const out = make(FIELD_SIZE * n, "scalars");
      const parameters = [power, mode, n, 0, 0, 0, ...wordsOf(this.toMont(factor))];
      await this.elementwise(work, finish, [polynomial, out], n, 1, parameters);
      work.submit();
      result = out;
      return out;
    } finally {
      // the device keeps what it still works on
      for (const buffer of made) if (buffer !== result) device.free(buffer);
      domain?.free();
    }
  }
}
