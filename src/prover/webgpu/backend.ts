/**
 * WebGPU as a backend: kernels in WGSL for the whole of its interface.
 *
 * @module
 */

import { FIELD_SIZE, type G1Affine, type G2Affine } from "../../formats/bn254.js";
import type {
  Backend,
  BackendInfo,
  BaseSet,
  BaseSource,
  ConstraintSet,
  ConstraintSource,
  OperationOptions,
  Resident,
  ScalarSet,
  Transform,
} from "../backend.js";
import type { BackendOptions } from "../backends.js";
import { assertReach, assertWitness, own, powerOf } from "../resident.js";
import { Device } from "./device.js";
import { type DeviceBases, Msm } from "./msm.js";
import { Ntt } from "./ntt.js";
import { type DeviceConstraints, Quotient } from "./quotient.js";
import { resolveTuning, type Tuning } from "./tuning.js";

/** Something on the device. */
class OnDevice<T extends { free(): void }> implements Resident {
  constructor(readonly value: T) {}

  free(): void {
    this.value.free();
  }
}

class WebGpuBases extends OnDevice<DeviceBases> implements BaseSet {
  get group() {
    return this.value.group;
  }
  get count() {
    return this.value.count;
  }
}

class WebGpuConstraints extends OnDevice<DeviceConstraints> implements ConstraintSet {
  constructor(
    value: DeviceConstraints,
    readonly power: number,
    readonly nVars: number,
  ) {
    super(value);
  }
}

/** n canonical numbers of 32 bytes. */
class WebGpuScalars implements ScalarSet {
  constructor(
    private readonly device: Device,
    readonly buffer: GPUBuffer,
    readonly length: number,
  ) {}

  free(): void {
    this.device.free(this.buffer);
  }
}

/** See {@link Backend}. Work is done one piece after the other; what waits between pieces is the caller, not the GPU. */
export class WebGpuBackend implements Backend {
  readonly name = "webgpu";
  readonly #device: Device;
  readonly #tuning: Tuning;
  readonly #msm: Msm;
  readonly #ntt: Ntt;
  readonly #quotient: Quotient;

  private constructor(device: Device, tuning: Tuning) {
    this.#device = device;
    this.#tuning = tuning;
    this.#msm = new Msm(device, tuning);
    this.#ntt = new Ntt(device, tuning);
    this.#quotient = new Quotient(device, this.#ntt);
  }

  /** @throws ProverError `WEBGPU_UNAVAILABLE`, `TUNING_INVALID`. */
  static async open(options: BackendOptions = {}): Promise<WebGpuBackend> {
    const tuning = resolveTuning(options.tuning);
    const { gpu, powerPreference, maxBufferSize, timeout } = options;
    const device = await Device.open({ gpu: gpu as GPU | undefined, powerPreference, maxBufferSize, timeout });
    return new WebGpuBackend(device, tuning);
  }

  info(): BackendInfo {
    const { description, isSoftware, memory, limits } = this.#device;
    return {
      backend: "webgpu",
      device: description,
      native: ["msm", "ntt", "quotient"],
      memory,
      details: { software: isSoftware, ...this.#tuning, ...limits },
    };
  }

  putBases(source: BaseSource, { signal }: OperationOptions = {}): Promise<BaseSet> {
    return this.#make(signal, async () => new WebGpuBases(await this.#msm.putBases(source, signal)));
  }

  putConstraints(source: ConstraintSource, { signal }: OperationOptions = {}): Promise<ConstraintSet> {
    const { power, nVars } = source;
    return this.#make(
      signal,
      async () => new WebGpuConstraints(await this.#quotient.put(source, signal), power, nVars),
    );
  }

  putScalars(values: Uint8Array, { signal }: OperationOptions = {}): Promise<ScalarSet> {
    return this.#make(signal, async () => {
      const buffer = this.#device.buffer(values.length, "scalars");
      this.#device.upload(buffer, 0, values);
      return new WebGpuScalars(this.#device, buffer, values.length / FIELD_SIZE);
    });
  }

  readScalars(scalars: ScalarSet, { signal }: OperationOptions = {}): Promise<Uint8Array> {
    const { buffer, length } = own(scalars, WebGpuScalars);
    if (length === 0) return Promise.resolve(new Uint8Array());
    return this.#device.exclusive(() => this.#device.read(buffer, 0, length * FIELD_SIZE), signal);
  }

  msm(bases: BaseSet & { readonly group: "g1" }, scalars: ScalarSet, options?: OperationOptions): Promise<G1Affine>;
  msm(bases: BaseSet & { readonly group: "g2" }, scalars: ScalarSet, options?: OperationOptions): Promise<G2Affine>;
  msm(bases: BaseSet, scalars: ScalarSet, options?: OperationOptions): Promise<G1Affine | G2Affine>;
  async msm(bases: BaseSet, scalars: ScalarSet, { signal }: OperationOptions = {}): Promise<G1Affine | G2Affine> {
    const { value } = own(bases, WebGpuBases);
    const { buffer, length } = own(scalars, WebGpuScalars);
    assertReach(value.reach, length);
    return this.#device.exclusive(() => this.#msm.sum(value, buffer, length, signal), signal);
  }

  async ntt(values: ScalarSet, transform: Transform, { signal }: OperationOptions = {}): Promise<ScalarSet> {
    const { buffer, length } = own(values, WebGpuScalars);
    const power = powerOf(length);
    return this.#make(
      signal,
      async () => new WebGpuScalars(this.#device, await this.#ntt.transform(buffer, power, transform, signal), length),
    );
  }

  async quotient(
    constraints: ConstraintSet,
    witness: ScalarSet,
    { signal }: OperationOptions = {},
  ): Promise<ScalarSet> {
    const { value, power, nVars } = own(constraints, WebGpuConstraints);
    const { buffer, length } = own(witness, WebGpuScalars);
    assertWitness(nVars, length, this.name);
    return this.#make(
      signal,
      async () => new WebGpuScalars(this.#device, await this.#quotient.quotient(value, buffer, signal), 2 ** power),
    );
  }

  /** What `make` puts on the device; nothing is left of it if the device then says that it failed. */
  async #make<T extends Resident>(signal: AbortSignal | undefined, make: () => Promise<T>): Promise<T> {
    let made: T | undefined;
    try {
      await this.#device.exclusive(async () => {
        made = await make();
      }, signal);
    } catch (error) {
      made?.free();
      throw error;
    }
    return made!;
  }

  async close(): Promise<void> {
    this.#device.close();
  }
}
