/**
 * A WebGPU device: buffers, pipelines, batches of dispatches, readback, and everything that can go wrong with them as errors of this
 * package. Reference: https://www.w3.org/TR/webgpu/
 *
 * @module
 */

import { loadGpu } from "#platform";
import { ProverError } from "../../errors.js";
import { unlessAborted } from "../concurrency.js";

/** How a device is chosen and limited. */
export interface DeviceOptions {
  /** The GPU object to use; default: `navigator.gpu`, in Node that of the package `webgpu`. */
  readonly gpu?: GPU | undefined;
  readonly powerPreference?: GPUPowerPreference | undefined;
  /** Bytes of the largest buffer, if less than the adapter allows. */
  readonly maxBufferSize?: number | undefined;
  /** Milliseconds after which a device that answers nothing is given up. */
  readonly timeout?: number | undefined;
}

/** Limits of a device that kernels are laid out by. */
export interface DeviceLimits {
  /** Bytes of the largest buffer that a kernel can be given. */
  readonly buffer: number;
  /** Bytes of workgroup memory. */
  readonly workgroupStorage: number;
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** Workgroups of a dispatch in one dimension. */
  readonly workgroups: number;
}

/** A buffer or a part of one; offsets are multiples of 256. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset?: number;
  readonly size?: number;
}

/** Long enough for the slowest piece of work on a software device. */
const TIMEOUT = 120_000;
/** Longest that opening takes. */
const OPENING = 30_000;
/** So many times as long may a compiler take. */
const COMPILE = 10;
/** Bytes written at a time. */
const UPLOAD = 1 << 26;
/** Distance of uniforms, see `minUniformBufferOffsetAlignment`. */
const UNIFORM = 256;

const STORAGE = 0x80 | 0x8 | 0x4;
const UNIFORM_USAGE = 0x40 | 0x8;
const READBACK = 0x1 | 0x8;

function deviceError(code: string, message: string, got?: string, cause?: unknown): ProverError {
  return new ProverError(message, { code, where: "webgpu", ...(got === undefined ? {} : { got }), cause });
}

/** A pipeline of one kernel. */
export interface Kernel {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
}

/** A device and what it holds. Everything that waits for it goes through {@link exclusive}. */
export class Device {
  readonly limits: DeviceLimits;
  /** Vendor, architecture and name. */
  readonly description: string;
  /** Whether it is a program on the processor, which threads of our own are faster than. */
  readonly isSoftware: boolean;
  readonly #device: GPUDevice;
  readonly #timeout: number;
  readonly #kernels = new Map<string, Promise<Kernel>>();
  readonly #sizes = new Map<GPUBuffer, number>();
  #queue: Promise<unknown> = Promise.resolve();
  #uniforms: GPUBuffer | undefined;
  #staging: GPUBuffer | undefined;
  #memory = 0;
  #gone: ProverError | undefined;
  /** Rejects whatever waits for the device, and whatever an abort of the turn ends. */
  readonly #waiting = new Set<(reason: unknown) => void>();
  readonly #abortable = new Set<(reason: unknown) => void>();

  private constructor(adapter: GPUAdapter, device: GPUDevice, options: DeviceOptions) {
    this.#device = device;
    this.#timeout = options.timeout ?? TIMEOUT;
    const { limits } = device;
    this.limits = {
      buffer: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize, options.maxBufferSize ?? Infinity),
      workgroupStorage: limits.maxComputeWorkgroupStorageSize,
      invocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
      workgroups: limits.maxComputeWorkgroupsPerDimension,
    };
    // browsers had no `info` at first
    const { vendor, architecture, device: name, description, isFallbackAdapter } = (adapter.info ?? {}) as AdapterInfo;
    this.description = [...new Set([vendor, architecture, name, description])].filter(Boolean).join(" ") || "a GPU";
    this.isSoftware =
      isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render/i.test(this.description);
    void device.lost.then(({ reason, message }) => {
      this.#lose(deviceError("DEVICE_LOST", "the GPU was lost", message || reason));
    });
  }

  /** @throws ProverError `WEBGPU_UNAVAILABLE`: no package, no API, no adapter, or one that gives no device. */
  static async open(options: DeviceOptions = {}): Promise<Device> {
    const gpu = options.gpu ?? ((await loadGpu()) as GPU);
    const { powerPreference = "high-performance" } = options;
    const timeout = Math.min(OPENING, options.timeout ?? OPENING);
    let adapter: GPUAdapter | null;
    try {
      adapter = await within(gpu.requestAdapter({ powerPreference }), timeout);
    } catch (cause) {
      throw unavailable("the host's WebGPU fails", cause);
    }
    if (adapter === null) throw unavailable("WebGPU finds no adapter: no GPU, or no driver that it takes");
    const { limits } = adapter;
    // the defaults are those of the smallest devices
    const requiredLimits = {
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    };
    try {
      const device = await within(adapter.requestDevice({ requiredLimits }), timeout, (late) => late.destroy());
      return new Device(adapter, device, options);
    } catch (cause) {
      throw unavailable("the adapter gives no device", cause);
    }
  }

  /** Bytes of all buffers. */
  get memory(): number {
    return this.#memory;
  }

  /** @throws ProverError `DEVICE_LOST`, `BACKEND_CLOSED`. */
  assertThere(): void {
    if (this.#gone !== undefined) throw this.#gone;
  }

  /**
   * Runs `work` when everything before it is done, and throws what the device has against it. A device knows its errors only
   * afterwards, so results of `work` mean nothing before this resolves.
   *
   * @throws ProverError `DEVICE_OUT_OF_MEMORY`, `DEVICE_FAILED`, `DEVICE_LOST`, `BACKEND_CLOSED`; what `work` throws.
   */
  exclusive<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#queue;
    const turn = (async () => {
      await unlessAborted(before, signal);
      return this.#turn(work, signal);
    })();
    this.#queue = Promise.allSettled([before, turn]);
    return turn;
  }

  async #turn<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    this.assertThere();
    const onAbort = () => {
      for (const reject of [...this.#abortable]) reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort);
    try {
      for (const kind of ["internal", "out-of-memory", "validation"] as const) this.#device.pushErrorScope(kind);
      // work that a lost device leaves hanging is nobody's business any more
      const result = await this.#orGone(work()).then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      this.assertThere();
      const scopes = Array.from({ length: 3 }, () => this.#device.popErrorScope());
      // a device that is gone has said so already
      const [validation, memory, internal] = await this.#wait(Promise.all(scopes)).catch(() => {
        this.assertThere();
        throw deviceError("DEVICE_FAILED", "the GPU does not say whether it failed");
      });
      this.assertThere();
      if (memory) throw deviceError("DEVICE_OUT_OF_MEMORY", "the GPU has not enough memory", memory.message, memory);
      const fault = validation ?? internal;
      if (fault) throw deviceError("DEVICE_FAILED", "the GPU refused its work", fault.message, fault);
      if ("error" in result) throw result.error;
      return result.value;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** A buffer of `size` bytes, zero at first. @throws ProverError `BUFFER_TOO_LARGE`. */
  buffer(size: number, label: string): GPUBuffer {
    this.assertThere();
    const bytes = Math.max(UNIFORM, Math.ceil(size / 4) * 4);
    if (bytes > this.limits.buffer) {
      throw new ProverError("a buffer is too large for the GPU", {
        code: "BUFFER_TOO_LARGE",
        where: `webgpu: ${label}`,
        expected: `at most ${this.limits.buffer} bytes`,
        got: String(bytes),
      });
    }
    const buffer = this.#device.createBuffer({ size: bytes, usage: STORAGE, label });
    this.#sizes.set(buffer, bytes);
    this.#memory += bytes;
    return buffer;
  }

  /** Gives a buffer back. Idempotent. */
  free(buffer: GPUBuffer): void {
    const size = this.#sizes.get(buffer);
    if (size === undefined) return;
    this.#sizes.delete(buffer);
    this.#memory -= size;
    buffer.destroy();
  }

  /** Writes bytes, a multiple of 4, from `offset` on. */
  upload(buffer: GPUBuffer, offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += UPLOAD) {
      const size = Math.min(UPLOAD, bytes.length - at);
      this.#device.queue.writeBuffer(buffer, offset + at, bytes as Uint8Array<ArrayBuffer>, at, size);
    }
  }

  /**
   * The kernel of this source; compiled once. Entry point `main`. An abort ends the wait, not the compiler: a next caller finds
   * it further on.
   */
  kernel(label: string, code: string): Promise<Kernel> {
    let kernel = this.#kernels.get(code);
    if (kernel === undefined) {
      kernel = this.#compile(label, code);
      this.#kernels.set(code, kernel);
      kernel.catch(() => this.#kernels.delete(code));
    }
    return this.#rejectedBy(this.#abortable, kernel);
  }

  async #compile(label: string, code: string): Promise<Kernel> {
    this.assertThere();
    const module = this.#device.createShaderModule({ code, label });
    try {
      const compute = { module, entryPoint: "main" };
      const pipeline = await this.#wait(
        this.#device.createComputePipelineAsync({ layout: "auto", compute, label }),
        COMPILE * this.#timeout,
      );
      return { label, pipeline };
    } catch (cause) {
      this.assertThere();
      const { messages } = await this.#wait(module.getCompilationInfo()).catch(() => ({ messages: [] }));
      this.assertThere();
      const said = messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join("; ");
      const got = said || (cause instanceof Error ? cause.message : String(cause));
      throw deviceError("DEVICE_FAILED", `the GPU's compiler refuses the kernel ${label}`, got, cause);
    }
  }

  /** A new list of dispatches. */
  batch(): Batch {
    return new Batch(this.#device, this.limits, (bytes) => this.#parameters(bytes));
  }

  /** The buffer of uniforms, as it will be for what is submitted next: writes and submissions keep their order. */
  #parameters(bytes: Uint32Array<ArrayBuffer>): GPUBuffer {
    if ((this.#uniforms?.size ?? 0) < bytes.byteLength) {
      // the queue keeps the old one until it is done
      this.#uniforms?.destroy();
      const size = Math.max(bytes.byteLength, 64 * UNIFORM);
      this.#uniforms = this.#device.createBuffer({ size, usage: UNIFORM_USAGE, label: "parameters" });
    }
    this.#device.queue.writeBuffer(this.#uniforms!, 0, bytes);
    return this.#uniforms!;
  }

  /** Waits until everything submitted is done. Pieces of work in between keep waits short and aborts quick. */
  async done(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#wait(this.#device.queue.onSubmittedWorkDone());
    signal?.throwIfAborted();
  }

  /** Reads `size` bytes, a multiple of 4, when everything submitted is done. One read at a time, see {@link exclusive}. */
  async read(buffer: GPUBuffer, offset: number, size: number): Promise<Uint8Array> {
    this.assertThere();
    if ((this.#staging?.size ?? 0) < size) {
      this.#staging?.destroy();
      this.#staging = this.#device.createBuffer({ size, usage: READBACK, label: "readback" });
    }
    const staging = this.#staging!;
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    try {
      await this.#wait(staging.mapAsync(0x1, 0, size));
      const bytes = new Uint8Array(staging.getMappedRange(0, size)).slice();
      staging.unmap();
      return bytes;
    } catch (cause) {
      // whatever state it is in
      this.#staging = undefined;
      staging.destroy();
      this.assertThere();
      throw deviceError("DEVICE_FAILED", "the GPU's memory cannot be read", String(cause), cause);
    }
  }

  /** Destroys the device; whatever waits for it rejects with `BACKEND_CLOSED`. Idempotent. */
  close(): void {
    if (this.#gone?.code === "BACKEND_CLOSED") return;
    const reason = deviceError("BACKEND_CLOSED", "the backend is closed");
    this.#lose(reason);
    this.#gone = reason;
    this.#kernels.clear();
    this.#sizes.clear();
    this.#memory = 0;
    this.#device.destroy();
  }

  #lose(reason: ProverError): void {
    this.#gone ??= reason;
    for (const reject of [...this.#waiting]) reject(this.#gone);
  }

  /** A promise that one of the set may reject before it settles. */
  #rejectedBy<T>(rejecting: Set<(reason: unknown) => void>, promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      rejecting.add(reject);
      promise.then(resolve, reject).finally(() => rejecting.delete(reject));
    });
  }

  #orGone<T>(promise: Promise<T>): Promise<T> {
    return this.#gone === undefined ? this.#rejectedBy(this.#waiting, promise) : Promise.reject(this.#gone);
  }

  /** Waits for the device, but not for one that is lost or answers nothing. */
  async #wait<T>(promise: Promise<T>, timeout = this.#timeout): Promise<T> {
    promise.catch(() => {});
    const timer = setTimeout(() => {
      this.#lose(deviceError("DEVICE_LOST", "the GPU does not answer", `nothing for ${timeout} ms`));
      this.#device.destroy();
    }, timeout);
    try {
      return await this.#orGone(promise);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What `adapter.info` may say. */
type AdapterInfo = Partial<GPUAdapterInfo> & { readonly isFallbackAdapter?: boolean };

/** Waits for a host that may answer nothing. @param late gets what comes too late. */
async function within<T>(promise: Promise<T>, timeout: number, late?: (value: T) => void): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLate = false;
  promise.then((value) => isLate && late?.(value)).catch(() => {});
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          isLate = true;
          reject(new Error(`no answer for ${timeout} ms`));
        }, timeout);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

function unavailable(message: string, cause?: unknown): ProverError {
  return new ProverError(message, {
    code: "WEBGPU_UNAVAILABLE",
    where: "webgpu",
    ...(cause === undefined ? {} : { got: cause instanceof Error ? cause.message : String(cause), cause }),
  });
}

/**
 * Dispatches that run one after the other; each sees what those before it wrote. A kernel has its storage buffers at bindings
 * 0, 1, … of group 0 and, if it takes parameters, a uniform `array<vec4u, k>` behind the last of them. {@link preamble} gives it
 * the position of an invocation.
 */
export class Batch {
  readonly #device: GPUDevice;
  readonly #limits: DeviceLimits;
  readonly #uniforms: (bytes: Uint32Array<ArrayBuffer>) => GPUBuffer;
  readonly #dispatches: {
    readonly kernel: Kernel;
    readonly buffers: readonly (GPUBuffer | BufferRange)[];
    readonly groups: number;
    readonly parameters: readonly number[];
  }[] = [];

  /** @internal */
  constructor(device: GPUDevice, limits: DeviceLimits, uniforms: (bytes: Uint32Array<ArrayBuffer>) => GPUBuffer) {
    this.#device = device;
    this.#limits = limits;
    this.#uniforms = uniforms;
  }

  /**
   * Adds a dispatch.
   *
   * @param groups workgroups, as many as are needed: they are spread over two dimensions, see {@link preamble}.
   * @param parameters u32 each; at most 64.
   */
  dispatch(
    kernel: Kernel,
    buffers: readonly (GPUBuffer | BufferRange)[],
    groups: number,
    parameters: readonly number[] = [],
  ): this {
    if (groups > 0) this.#dispatches.push({ kernel, buffers, groups, parameters });
    return this;
  }

  /** Hands everything to the GPU, which runs it after what it was handed before. */
  submit(): void {
    if (this.#dispatches.length === 0) return;
    const device = this.#device;
    const uniforms = new Uint32Array((this.#dispatches.length * UNIFORM) / 4);
    this.#dispatches.forEach(({ parameters }, i) => {
      uniforms.set(parameters, (i * UNIFORM) / 4);
    });
    const buffer = this.#uniforms(uniforms);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.#dispatches.forEach(({ kernel, buffers, groups, parameters }, i) => {
      const resources: GPUBufferBinding[] = buffers.map((range) =>
        "buffer" in range ? (range as GPUBufferBinding) : { buffer: range },
      );
      // uniform arrays are of 16 bytes each
      const size = Math.ceil(parameters.length / 4) * 16;
      if (size > 0) resources.push({ buffer, offset: i * UNIFORM, size });
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      const layout = kernel.pipeline.getBindGroupLayout(0);
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
      const width = Math.min(groups, this.#limits.workgroups);
      pass.dispatchWorkgroups(width, Math.ceil(groups / width));
    });
    pass.end();
    device.queue.submit([encoder.finish()]);
    this.#dispatches.length = 0;
  }
}

/**
 * Source that kernels begin with: `WORKGROUP`, and `position(wid, num, lid)`, which counts invocations of a dispatch that was
 * spread over two dimensions; it may be as large as or larger than the number asked for. `group(wid, num)` counts workgroups.
 */
export const preamble = (workgroup: number): string => `const WORKGROUP = ${workgroup}u;
fn group(wid: vec3u, num: vec3u) -> u32 { return wid.y * num.x + wid.x; }
fn position(wid: vec3u, num: vec3u, lid: u32) -> u32 { return group(wid, num) * WORKGROUP + lid; }
`;
