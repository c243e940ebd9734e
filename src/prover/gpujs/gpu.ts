/**
 * gpu.js (https://github.com/gpujs/gpu.js, 2.24): which of its backends runs, kernels, plans, and what it fell back to.
 *
 * What it needs of a page's content security policy, beside its own script: nothing for WebGL2 and WebGPU;
 * `script-src 'wasm-unsafe-eval'` for WebAssembly, and `worker-src blob:` for its threads, which only exist where
 * the page is cross-origin isolated; `script-src 'unsafe-eval'` for its plain JavaScript (mode `cpu`, and what other modes fall back to).
 *
 * @module
 */

import { loadGpu } from "#platform";
import { ProverError } from "../../errors.js";
import { type KernelSource, shape } from "./kernels.js";
import { LANES } from "./rns.js";

/**
 * What gpu.js runs on: `webgl2` in a browser, `webasm` anywhere, `webgpu` through `navigator.gpu` or the package `webgpu`,
 * `cpu` for tests. `auto` takes the first of `webgl2` and `webasm` that there is.
 */
export type GpuJsMode = "auto" | "webgl2" | "webasm" | "webgpu" | "cpu";

/** The part of gpu.js that is used. */
interface GpuJs {
  readonly GPU: {
    new (settings: { mode: string }): Instance;
    readonly isWebGL2Supported: boolean;
    readonly isWebAssemblySupported: boolean;
    isWebGPUAvailable(): Promise<boolean>;
  };
  input(value: Float32Array, size: readonly number[]): Input;
  readonly WebGPUContext: { acquire(): Promise<{ readonly device: GPUDevice }>; destroy(): Promise<void> };
  readonly WebGL2Kernel: { readonly features?: { readonly isFloatRead?: boolean; readonly isTextureFloat?: boolean } };
}

interface Instance {
  readonly mode: string;
  readonly context: { isContextLost?(): boolean } | null;
  createKernel(source: string, settings: object): Kernel;
  createPipeline(plan: (...handles: Handle[]) => unknown, settings: object): Pipeline;
  destroy(): Promise<void>;
}

/** A value on the device, while a plan is made. */
export interface Handle {
  readonly handle: unique symbol;
}
/** Rows of numbers for gpu.js. */
export interface Input {
  readonly value: Float32Array;
}
/** A kernel: in a plan it takes handles and answers one. */
export type Kernel = (...args: (Handle | Input)[]) => Handle;

interface Pipeline {
  (...args: Input[]): Promise<unknown>;
  readonly executorKind: string;
  readonly backend: string;
  readonly fallbackReason: string | null;
  destroy(): Promise<void>;
}

/** Where gpu.js' own message is worth more than a guess. */
function failed(message: string, cause: unknown): ProverError {
  return new ProverError(message, {
    code: "DEVICE_FAILED",
    where: "gpu.js",
    got: cause instanceof Error ? cause.message : String(cause),
    cause,
  });
}

function unavailable(message: string, expected: string, cause?: unknown): ProverError {
  return new ProverError(message, { code: "GPUJS_UNAVAILABLE", where: "gpu.js", expected, cause });
}

async function load(importer: GpuJsOptions["load"]): Promise<GpuJs> {
  let module: Partial<GpuJs> & { default?: GpuJs };
  try {
    // within `try`, a bundler that does not find the package goes on without it
    module = (await (importer === undefined ? import("gpu.js") : importer())) as unknown as typeof module;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // browsers say TypeError, and no code
    const missing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND" || cause instanceof TypeError;
    const message = missing ? "the package gpu.js is not installed" : "the package gpu.js cannot be loaded";
    throw unavailable(message, "npm install gpu.js", cause);
  }
  // a CommonJS module: bundlers and Node do not agree on where its exports are
  const found = module.default?.GPU === undefined ? module : module.default;
  if (
    found.GPU === undefined ||
    found.input === undefined ||
    typeof found.GPU.prototype.createPipeline !== "function"
  ) {
    throw unavailable("this version of gpu.js has no pipelines", "npm install gpu.js, 2.24 or newer");
  }
  return found as GpuJs;
}

/** How gpu.js is opened. */
export interface GpuJsOptions {
  readonly mode?: GpuJsMode | undefined;
  /** Whether its WebAssembly may use threads; default true. */
  readonly threads?: boolean | undefined;
  /** Loads the package; default: `import("gpu.js")`. */
  readonly load?: (() => Promise<unknown>) | undefined;
}

/** Users of the WebGPU device, which gpu.js has one of for all its instances. */
let webgpuUsers = 0;

/** A plan: what one call computes. */
export interface Plan {
  /** @returns of each result its rows: those of residues by lane, or the one of a vector. */
  run(...args: Input[]): Promise<Float32Array[][]>;
  destroy(): Promise<void>;
}

/** An instance of gpu.js. */
export class GpuJsDevice {
  readonly mode: Exclude<GpuJsMode, "auto">;
  readonly threads: boolean;
  readonly #module: GpuJs;
  readonly #gpu: Instance;
  #memory = 0;
  #executor = "not used yet";
  #ran: string | undefined;
  #fallback: string | undefined;
  #lost: ProverError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(module: GpuJs, mode: Exclude<GpuJsMode, "auto">, threads: boolean) {
    this.#module = module;
    this.mode = mode;
    this.threads = threads;
    this.#gpu = new module.GPU({ mode });
  }

  /** @throws ProverError `GPUJS_UNAVAILABLE`: no package, or nothing of this kind for it to run on. */
  static async open(options: GpuJsOptions = {}): Promise<GpuJsDevice> {
    const module = await load(options.load);
    const { GPU } = module;
    const { threads = true } = options;
    let { mode = "auto" } = options;
    if (mode === "auto") mode = GPU.isWebGL2Supported ? "webgl2" : "webasm";
    if (mode === "webgl2" && !GPU.isWebGL2Supported) throw unavailable("there is no WebGL2", "a browser with WebGL2");
    if (mode === "webasm" && !GPU.isWebAssemblySupported) {
      throw unavailable("WebAssembly is not allowed", "script-src 'wasm-unsafe-eval'");
    }
    if (mode === "webgpu") return GpuJsDevice.#openWebGpu(module, threads);
    try {
      return new GpuJsDevice(module, mode, threads);
    } catch (cause) {
      throw unavailable(`gpu.js does not run in mode ${mode}`, "another mode", cause);
    }
  }

  /** gpu.js only knows `navigator.gpu`: where there is none, it gets the package's for as long as it opens its device. */
  static async #openWebGpu(module: GpuJs, threads: boolean): Promise<GpuJsDevice> {
    const gpu = await loadGpu();
    const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    const present = (globalThis.navigator as { readonly gpu?: object } | undefined)?.gpu !== undefined;
    if (!present)
      Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true, writable: true });
    try {
      const device = new GpuJsDevice(module, "webgpu", threads);
      const context = await module.WebGPUContext.acquire();
      void context.device.lost.then(({ message, reason }) => {
        device.#lost = lost(message || reason);
      });
      webgpuUsers++;
      return device;
    } catch (cause) {
      throw unavailable("gpu.js gets no WebGPU device", "a GPU with a driver that WebGPU takes", cause);
    } finally {
      if (!present) {
        if (before === undefined) Reflect.deleteProperty(globalThis, "navigator");
        else Object.defineProperty(globalThis, "navigator", before);
      }
    }
  }

  /** Bytes of plans: tables, arguments and what is between kernels, by their sizes. */
  get memory(): number {
    return this.#memory;
  }

  /** What ran last, and why it is not what was asked for. */
  get details(): Readonly<Record<string, string | boolean>> {
    return {
      mode: this.mode,
      threads: this.threads,
      executor: this.#executor,
      backend: this.#ran ?? "not used yet",
      ...(this.#fallback === undefined ? {} : { fallback: this.#fallback }),
    };
  }

  /** Rows of `width` values; one row is a vector. */
  input(data: Float32Array, width: number): Input {
    return this.#module.input(data, data.length === width ? [width] : [width, data.length / width]);
  }

  /** Residues, see {@link shape}. */
  numbers(data: Float32Array): Input {
    return this.#module.input(data, shape(data.length / LANES));
  }

  /** Makes a plan of kernels; `define` calls them on handles. */
  plan(
    kernels: Readonly<Record<string, KernelSource>>,
    parameters: number,
    define: (kernels: Readonly<Record<string, Kernel>>, handles: Handle[]) => Handle[],
  ): Plan {
    this.check();
    let bytes = 0;
    const made: Record<string, Kernel & { destroy(): void }> = {};
    for (const [name, kernel] of Object.entries(kernels)) {
      const constants: Record<string, Input | Float32Array> = {};
      for (const [constant, { data, width }] of Object.entries(kernel.constants)) {
        constants[constant] = data.length === width ? data : this.input(data, width);
        bytes += data.byteLength;
      }
      // two outputs a kernel: a plan alternates between them
      bytes += 8 * kernel.output.reduce((a, b) => a * b, 1);
      made[name] = this.#gpu.createKernel(kernel.source, {
        output: kernel.output,
        constants,
        precision: "single",
        // highp, whatever the size
        tactic: "precision",
      }) as Kernel & { destroy(): void };
    }
    const orchestrate = (...handles: Handle[]) => define(made, handles);
    // gpu.js looks at how many parameters there are
    Object.defineProperty(orchestrate, "length", { value: parameters });
    const pipeline = this.#gpu.createPipeline(orchestrate, { threads: this.threads });
    this.#memory += bytes;
    let destroyed = false;
    return {
      run: async (...args) => {
        this.check();
        let results: unknown;
        try {
          results = await pipeline(...args);
        } catch (cause) {
          this.check();
          throw failed("gpu.js fails", cause);
        }
        if (this.#gpu.context?.isContextLost?.() === true) this.#lost = lost("the WebGL context was lost");
        this.check();
        this.#observe(pipeline);
        // of residues there is a row a lane, in a layer of its own
        return (results as (Float32Array | [Float32Array][])[]).map((result) =>
          Array.isArray(result) ? result.map(([row]) => row) : [result],
        );
      },
      destroy: async () => {
        if (destroyed) return;
        destroyed = true;
        this.#memory -= bytes;
        await pipeline.destroy();
        for (const kernel of Object.values(made)) kernel.destroy();
      },
    };
  }

  /** A device that is asked for a GPU must not compute in JavaScript unnoticed. */
  #observe({ executorKind, backend, fallbackReason }: Pipeline): void {
    this.#executor = executorKind;
    // gpu.js calls all of WebGL "gpu"
    this.#ran = backend === "gpu" ? "webgl2" : backend;
    if (this.#ran !== this.mode) this.#fallback = fallbackReason ?? `${this.mode} is not what ran`;
    else if (fallbackReason !== null && this.mode !== "webgl2" && this.mode !== "cpu") this.#fallback = fallbackReason;
  }

  /** @throws ProverError `DEVICE_LOST`, or `BACKEND_CLOSED` after {@link close}. */
  check(): void {
    if (this.#closing !== undefined) {
      throw new ProverError("the backend is closed", { code: "BACKEND_CLOSED", where: "gpu.js" });
    }
    if (this.#lost !== undefined) throw this.#lost;
  }

  /** Ends what runs, with all workers. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#gpu.destroy();
      this.#memory = 0;
      if (this.mode === "webgpu" && --webgpuUsers === 0) await this.#module.WebGPUContext.destroy();
    })();
    return this.#closing;
  }
}

function lost(got: string): ProverError {
  return new ProverError("the GPU was lost", { code: "DEVICE_LOST", where: "gpu.js", got });
}
