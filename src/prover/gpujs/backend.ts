/**
 * gpu.js as a backend: transforms and the quotient's transforms in residues, for machines whose browser has WebGL2 and no WebGPU.
 * Sums, sparse products and everything that is only stored are another backend's.
 *
 * @module
 */

import { ProverError } from "../../errors.js";
import { FIELD_SIZE, FR_MODULUS, type G1Affine, type G2Affine, readBigintLE } from "../../formats/bn254.js";
import type {
  Backend,
  BackendInfo,
  BaseSet,
  BaseSource,
  ConstraintSet,
  ConstraintSource,
  OperationOptions,
  RowProducts,
  ScalarSet,
  Transform,
} from "../backend.js";
import { assertWitness, powerOf } from "../resident.js";
import { Products } from "./field.js";
import { GpuJsDevice, type GpuJsOptions } from "./gpu.js";
import { Domain, type Pause } from "./ntt.js";
import { MAX_POWER, writeNumber } from "./rns.js";

/** What {@link GpuJsBackend.open} takes. */
export interface GpuJsBackendOptions extends GpuJsOptions {
  /** Does the rest, and holds all sets; closed with the backend. */
  readonly rest: Backend & RowProducts;
}

/** log2 of the largest domain where memory is WebAssembly's; larger ones are the other backend's. */
const MAX_POWER_ON_CPU = 16;
/** Domains whose plans are kept when no one uses them. */
const KEPT = 2;

interface Entry {
  readonly domain: Domain;
  users: number;
}

/** See {@link Backend}. */
export class GpuJsBackend implements Backend {
  readonly name = "gpujs";
  readonly #device: GpuJsDevice;
  readonly #rest: Backend & RowProducts;
  readonly #maxPower: number;
  /** The least recently used first. */
  readonly #domains = new Map<number, Entry>();
  /** How to end what is under way. */
  readonly #pending = new Set<(error: ProverError) => void>();
  #closing: Promise<void> | undefined;

  private constructor(device: GpuJsDevice, rest: Backend & RowProducts) {
    this.#device = device;
    this.#rest = rest;
    this.#maxPower = device.mode === "webgl2" || device.mode === "webgpu" ? MAX_POWER : MAX_POWER_ON_CPU;
  }

  /**
   * Opens gpu.js, and multiplies some numbers with it: a GPU whose floats have fewer bits than it says is noticed here.
   *
   * @throws ProverError `GPUJS_UNAVAILABLE`: no package, or nothing of this kind for it to run on; `DEVICE_WRONG_RESULT`.
   */
  static async open(options: GpuJsBackendOptions): Promise<GpuJsBackend> {
    const device = await GpuJsDevice.open(options);
    try {
      await checkProducts(device);
    } catch (error) {
      await device.close();
      if (!(error instanceof ProverError) || error.code !== "DEVICE_FAILED") throw error;
      // a page may allow WebAssembly and no workers
      if (device.mode === "webasm" && device.threads) return GpuJsBackend.open({ ...options, threads: false });
      throw new ProverError(`gpu.js does not run in mode ${device.mode}`, {
        code: "GPUJS_UNAVAILABLE",
        where: "gpu.js",
        expected: "float32 textures, and a page that allows what gpu.js needs (docs/gpu.md)",
        got: error.got,
        cause: error,
      });
    }
    return new GpuJsBackend(device, options.rest);
  }

  info(): BackendInfo {
    const { details, memory } = this.#device;
    const rest = this.#rest.info();
    return {
      backend: "gpujs",
      device: `gpu.js on ${details.backend}`,
      native: ["ntt", "quotient"],
      memory: memory + rest.memory,
      details: { ...details, largestPower: this.#maxPower, rest: `${rest.backend}, ${rest.device}` },
    };
  }

  #open(): void {
    if (this.#closing !== undefined) throw closed();
    this.#device.check();
  }

  /** Runs work until it is done or the backend is closed. */
  async #run<T>(work: () => Promise<T>, { signal }: OperationOptions): Promise<T> {
    this.#open();
    signal?.throwIfAborted();
    let end!: (error: ProverError) => void;
    const ended = new Promise<never>((_, reject) => {
      end = reject;
    });
    this.#pending.add(end);
    try {
      return await Promise.race([work(), ended]);
    } finally {
      this.#pending.delete(end);
    }
  }

  putBases(source: BaseSource, options: OperationOptions = {}): Promise<BaseSet> {
    return this.#run(() => this.#rest.putBases(source, options), options);
  }

  putConstraints(source: ConstraintSource, options: OperationOptions = {}): Promise<ConstraintSet> {
    return this.#run(() => this.#rest.putConstraints(source, options), options);
  }

  putScalars(values: Uint8Array, options: OperationOptions = {}): Promise<ScalarSet> {
    return this.#run(() => this.#rest.putScalars(values, options), options);
  }

  readScalars(scalars: ScalarSet, options: OperationOptions = {}): Promise<Uint8Array> {
    return this.#run(() => this.#rest.readScalars(scalars, options), options);
  }

  msm(bases: BaseSet & { readonly group: "g1" }, scalars: ScalarSet, options?: OperationOptions): Promise<G1Affine>;
  msm(bases: BaseSet & { readonly group: "g2" }, scalars: ScalarSet, options?: OperationOptions): Promise<G2Affine>;
  msm(bases: BaseSet, scalars: ScalarSet, options?: OperationOptions): Promise<G1Affine | G2Affine>;
  msm(bases: BaseSet, scalars: ScalarSet, options: OperationOptions = {}): Promise<G1Affine | G2Affine> {
    return this.#run(() => this.#rest.msm(bases, scalars, options), options);
  }

  ntt(values: ScalarSet, transform: Transform, options: OperationOptions = {}): Promise<ScalarSet> {
    return this.#run(async () => {
      const power = powerOf(values.length);
      if (power > this.#maxPower) return this.#rest.ntt(values, transform, options);
      const numbers = await this.#rest.readScalars(values, options);
      const pause = this.#pause(options);
      return this.#put(await this.#onDomain(power, (domain) => domain.transform(numbers, transform, pause)), options);
    }, options);
  }

  quotient(constraints: ConstraintSet, witness: ScalarSet, options: OperationOptions = {}): Promise<ScalarSet> {
    return this.#run(async () => {
      const { power, nVars } = constraints;
      assertWitness(nVars, witness.length, this.name);
      if (power > this.#maxPower) return this.#rest.quotient(constraints, witness, options);
      const { a, b } = await this.#rest.rows(constraints, witness, options);
      const pause = this.#pause(options);
      return this.#put(await this.#onDomain(power, (domain) => domain.quotient(a, b, pause)), options);
    }, options);
  }

  async #put(values: Uint8Array, options: OperationOptions): Promise<ScalarSet> {
    this.#open();
    return this.#rest.putScalars(values, options);
  }

  /** Lets others run, an abort among them. */
  #pause({ signal }: OperationOptions): Pause {
    return async () => {
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      this.#open();
    };
  }

  /** Plans of a domain are made when it is first used, and kept for a while. */
  async #onDomain<T>(power: number, work: (domain: Domain) => Promise<T>): Promise<T> {
    const entry = this.#domains.get(power) ?? { domain: new Domain(this.#device, power), users: 0 };
    this.#domains.delete(power);
    this.#domains.set(power, entry);
    entry.users++;
    try {
      return await work(entry.domain);
    } finally {
      entry.users--;
      await this.#forget();
    }
  }

  async #forget(): Promise<void> {
    for (const [power, { domain, users }] of this.#domains) {
      if (this.#domains.size <= KEPT) return;
      if (users > 0) continue;
      this.#domains.delete(power);
      await domain.free();
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const end of this.#pending) end(closed());
      this.#domains.clear();
      await Promise.all([this.#device.close(), this.#rest.close()]);
    })();
    return this.#closing;
  }
}

function closed(): ProverError {
  return new ProverError("the backend is closed", { code: "BACKEND_CLOSED", where: "gpu.js" });
}

/** Enough for threads to be used, see `THREAD_MIN_CELLS` of gpu.js. */
const CHECKED = 256;

/** @throws ProverError `DEVICE_WRONG_RESULT` if products of edges, and of some other numbers, are wrong. */
async function checkProducts(device: GpuJsDevice): Promise<void> {
  const r = FR_MODULUS;
  const edges = [0n, 1n, r - 1n, r - 2n, r >> 1n, (r >> 1n) + 1n, 1n << 253n, (1n << 127n) - 1n];
  const x = new Uint8Array(CHECKED * FIELD_SIZE);
  const y = new Uint8Array(CHECKED * FIELD_SIZE);
  for (let i = 0; i < CHECKED; i++) {
    const [a, b] = [Math.floor(i / edges.length), i % edges.length];
    const spread = BigInt(i + 1) ** 27n * 0x9e3779b97f4a7c15n;
    writeNumber(x, i * FIELD_SIZE, edges[a] ?? spread % r);
    writeNumber(y, i * FIELD_SIZE, a < edges.length ? (edges[b] as bigint) : (spread * spread + 1n) % r);
  }
  const products = new Products(device, CHECKED);
  const result = await products.multiply(x, y);
  await products.free();
  const at = (bytes: Uint8Array, i: number) => readBigintLE(bytes, i * FIELD_SIZE, FIELD_SIZE);
  for (let i = 0; i < CHECKED; i++) {
    const [got, expected] = [at(result, i), (at(x, i) * at(y, i)) % r];
    if (got === expected) continue;
    throw new ProverError("the device computes wrongly", {
      code: "DEVICE_WRONG_RESULT",
      where: `gpu.js on ${device.details.backend}, product ${i}`,
      expected: String(expected),
      got: String(got),
    });
  }
}
