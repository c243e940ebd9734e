import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type * as threads from "node:worker_threads";
import { build } from "esbuild";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import type {
  Backend,
  BackendInfo,
  BaseSet,
  BaseSource,
  ConstraintSet,
  ConstraintSource,
  MatrixSource,
  RowProducts,
  ScalarSet,
  Transform,
} from "../../../src/prover/backend.js";
import { GpuJsBackend, type GpuJsBackendOptions } from "../../../src/prover/gpujs/backend.js";
import { invMod } from "../../../src/prover/wasm/constants.js";
import { bytesOf, valuesOf, witnessLike } from "../../support/conformance.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { constraintsOf, quotientOf, type Rows, transformed } from "../../support/transforms.js";

const r = FR_MODULUS;
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

class Scalars implements ScalarSet {
  freed = false;
  constructor(readonly values: readonly bigint[]) {}
  get length() {
    return this.values.length;
  }
  free() {
    this.freed = true;
  }
}

class Constraints implements ConstraintSet {
  constructor(
    readonly power: number,
    readonly nVars: number,
    readonly rows: { readonly a: Rows; readonly b: Rows },
  ) {}
  free() {}
}

/** A backend by BigInt, that says what it was asked. */
class BigintBackend implements Backend, RowProducts {
  readonly name = "wasm";
  readonly calls: string[] = [];
  closed = 0;

  info(): BackendInfo {
    return { backend: "wasm", device: "BigInt", native: [], memory: 1000, details: {} };
  }
  async putBases({ group, count }: BaseSource): Promise<BaseSet> {
    this.calls.push("putBases");
    return { group, count, free: () => {} };
  }
  async putConstraints({ power, nVars, a, b }: ConstraintSource): Promise<ConstraintSet> {
    return new Constraints(power, nVars, { a: await rowsOf(a), b: await rowsOf(b) });
  }
  async putScalars(values: Uint8Array): Promise<ScalarSet> {
    return new Scalars(valuesOf(values));
  }
  async readScalars(scalars: ScalarSet): Promise<Uint8Array> {
    if (!(scalars instanceof Scalars)) throw new TypeError("this lies in the memory of another backend");
    return bytesOf(scalars.values);
  }
  async msm(): Promise<never> {
    this.calls.push("msm");
    return { x: 1n, y: 2n } as never;
  }
  async ntt(values: ScalarSet, transform: Transform): Promise<ScalarSet> {
    this.calls.push(`ntt ${transform}`);
    return values;
  }
  async quotient(): Promise<ScalarSet> {
    this.calls.push("quotient");
    return new Scalars([]);
  }
  async rows(constraints: ConstraintSet, witness: ScalarSet): Promise<{ a: Uint8Array; b: Uint8Array }> {
    const { rows } = constraints as Constraints;
    const values = (of: Rows) =>
      bytesOf(of.map((row) => row.reduce((sum, [wire, c]) => sum + c * (witness as Scalars).values[wire]!, 0n) % r));
    return { a: values(rows.a), b: values(rows.b) };
  }
  async close() {
    this.closed++;
  }
}

async function rowsOf({ offsets, wires, coefficients }: MatrixSource): Promise<Rows> {
  const scale = invMod(2n ** 512n % r, r);
  const values = valuesOf(await coefficients(0, wires.length)).map((c) => (c * scale) % r);
  return Array.from({ length: offsets.length - 1 }, (_, i) =>
    Array.from({ length: offsets[i + 1]! - offsets[i]! }, (_, k) => {
      const at = offsets[i]! + k;
      return [wires[at]!, values[at]!] as const;
    }),
  );
}

/** Rows with edges among their coefficients; some are empty. */
const someRows = (n: number, nVars: number, seed: number): Rows =>
  Array.from({ length: n }, (_, i) =>
    Array.from({ length: (i * seed) % 4 }, (_, k) => {
      return [(i * 7 + k * seed) % nVars, [1n, r - 1n, BigInt(i + seed)][k % 3]!] as const;
    }),
  );

const opened: GpuJsBackend[] = [];
async function open(options: Partial<GpuJsBackendOptions> = {}) {
  const rest = new BigintBackend();
  const backend = await GpuJsBackend.open({ mode: "webasm", threads: false, rest, ...options });
  opened.push(backend);
  return { backend, rest };
}
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  for (const backend of opened) await backend.close();
});

/** gpu.js with a part of it replaced. */
type Module = { readonly GPU: new (settings: object) => object };
const gpujs = createRequire(import.meta.url)("gpu.js") as Module;
const changed = (GPU: unknown) => async () => ({ ...gpujs, GPU });

const { backend, rest } = await open();

describe("in gpu.js' WebAssembly", () => {
  test("transforms and quotients are its own", async () => {
    const power = 6;
    const nVars = 40;
    const [a, b] = [someRows(2 ** power, nVars, 5), someRows(2 ** power, nVars, 3)];
    const witness = [1n, ...witnessLike(nVars - 1, 2n)];
    const constraints = await backend.putConstraints(constraintsOf(a, b, nVars));
    const scalars = await backend.putScalars(bytesOf(witness));
    const quotient = await backend.quotient(constraints, scalars);
    expect(valuesOf(await backend.readScalars(quotient))).toEqual(quotientOf(a, b, witness));
    const values = await backend.putScalars(bytesOf(witnessLike(2 ** power, 4n)));
    const result = await backend.ntt(values, "coset");
    expect(valuesOf(await backend.readScalars(result))).toEqual(transformed(witnessLike(2 ** power, 4n), "coset"));
    expect(rest.calls).not.toContain("quotient");
    expect(rest.calls).not.toContain("ntt coset");
  });

  test("sums are the other's, and transforms of more numbers than there is memory for", async () => {
    const bases = await backend.putBases({ group: "g1", count: 0, read: async () => new Uint8Array() });
    const scalars = await backend.putScalars(bytesOf([1n]));
    expect(await backend.msm(bases, scalars)).toEqual({ x: 1n, y: 2n });
    const many = new Scalars(new Array(2 ** 17).fill(0n));
    expect(await backend.ntt(many, "inverse")).toBe(many);
    const large = new Constraints(17, 1, { a: [], b: [] });
    await backend.quotient(large, scalars);
    expect(rest.calls).toEqual(["putBases", "msm", "ntt inverse", "quotient"]);
  });

  test("says what it runs on", () => {
    const { native, device, details, memory } = backend.info();
    expect(native).toEqual(["ntt", "quotient"]);
    expect(device).toBe("gpu.js on webasm");
    expect(memory).toBeGreaterThan(1000);
    expect(details).toEqual({
      mode: "webasm",
      threads: false,
      executor: "fused-sync",
      backend: "webasm",
      largestPower: 16,
      rest: "wasm, BigInt",
    });
  });

  test("refuses witnesses of other constraints, lengths that are no domain and sets of others", async () => {
    const scalars = await backend.putScalars(bytesOf([1n, 2n, 3n]));
    const constraints = new Constraints(1, 5, { a: [[], []], b: [[], []] });
    await expect(backend.quotient(constraints, scalars)).rejects.toMatchObject({ code: "WITNESS_LENGTH" });
    await expect(backend.ntt(scalars, "forward")).rejects.toThrow(TypeError);
    await expect(backend.ntt({ length: 4, free: () => {} }, "forward")).rejects.toThrow(TypeError);
  });

  test("keeps the plans of the domains that were used last", async () => {
    const memory: number[] = [];
    for (const power of [3, 4, 5, 3, 4, 5]) {
      const values = witnessLike(2 ** power, 1n);
      const result = await backend.ntt(await backend.putScalars(bytesOf(values)), "forward");
      expect(valuesOf(await backend.readScalars(result))).toEqual(transformed(values, "forward"));
      memory.push(backend.info().memory);
    }
    expect(memory[5]).toBe(memory[2]);
  });

  test("an abort ends work between pieces, with its reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const options = { signal: controller.signal };
    const constraints = new Constraints(4, 1, { a: new Array(16).fill([]), b: new Array(16).fill([]) });
    const scalars = await backend.putScalars(bytesOf([1n]));
    const running = backend.quotient(constraints, scalars, options);
    setTimeout(() => controller.abort(reason));
    await expect(running).rejects.toBe(reason);
    await expect(backend.quotient(constraints, scalars, options)).rejects.toBe(reason);
    const result = await backend.quotient(constraints, scalars);
    expect(valuesOf(await backend.readScalars(result))).toEqual(new Array(16).fill(0n));
  });
});

describe("what gpu.js falls back to", () => {
  test("is said", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    class OnCpu extends gpujs.GPU {
      static readonly isWebAssemblySupported = true;
      constructor() {
        super({ mode: "cpu" });
      }
    }
    const { backend: fallen } = await open({ load: changed(OnCpu) });
    const { device, details } = fallen.info();
    expect(device).toBe("gpu.js on cpu");
    expect(details).toMatchObject({
      mode: "webasm",
      backend: "cpu",
      executor: "generic",
      fallback: expect.stringContaining("pipeline backend is cpu"),
    });
    expect(warn).not.toHaveBeenCalled();
  });

  test("is no fallback where it was asked for", async () => {
    const { backend: cpu } = await open({ mode: "cpu" });
    expect(cpu.info().details).toEqual({
      mode: "cpu",
      threads: false,
      executor: "generic",
      backend: "cpu",
      largestPower: 16,
      rest: "wasm, BigInt",
    });
    const values = witnessLike(8, 1n);
    const result = await cpu.ntt(await cpu.putScalars(bytesOf(values)), "inverse");
    expect(valuesOf(await cpu.readScalars(result))).toEqual(transformed(values, "inverse"));
  });
});

describe("cannot be opened", () => {
  const refused = (options: Partial<GpuJsBackendOptions>) =>
    open(options).then(
      () => "opened",
      (error) => error,
    );

  test("without the package", async () => {
    const missing = Object.assign(new Error("Cannot find package 'gpu.js'"), { code: "ERR_MODULE_NOT_FOUND" });
    expect(await refused({ load: () => Promise.reject(missing) })).toMatchObject({
      code: "GPUJS_UNAVAILABLE",
      message: "gpu.js: the package gpu.js is not installed (expected npm install gpu.js)",
      cause: missing,
    });
  });

  test("with an older version of it", async () => {
    expect(await refused({ load: async () => ({ GPU: class {}, input: () => {} }) })).toMatchObject({
      code: "GPUJS_UNAVAILABLE",
      expected: "npm install gpu.js, 2.24 or newer",
    });
  });

  test("in a mode that the host has not", async () => {
    expect(await refused({ mode: "webgl2" })).toMatchObject({
      code: "GPUJS_UNAVAILABLE",
      expected: "a browser with WebGL2",
    });
  });

  /** gpu.js whose plans end otherwise. */
  const withRuns = (run: (results: [Float32Array][][]) => unknown) =>
    changed(
      class extends gpujs.GPU {
        static readonly isWebAssemblySupported = true;
        createPipeline(...args: unknown[]) {
          // biome-ignore lint/suspicious/noExplicitAny: gpu.js' own types say less
          const pipeline = (gpujs.GPU.prototype as any).createPipeline.apply(this, args);
          return new Proxy(pipeline, {
            apply: async (target, self, values) => run(await Reflect.apply(target, self, values)),
          });
        }
      },
    );

  test("on a device that computes wrongly", async () => {
    const load = withRuns((results) => {
      results[0]![5]![0][200]! += 1;
      return results;
    });
    expect(await refused({ load })).toMatchObject({ code: "DEVICE_WRONG_RESULT" });
  });

  test("on a device that fails, and says why", async () => {
    const load = withRuns(() => {
      throw new Error("float32 is not supported");
    });
    expect(await refused({ load })).toMatchObject({
      code: "GPUJS_UNAVAILABLE",
      got: "float32 is not supported",
      message: expect.stringContaining("gpu.js does not run in mode webasm"),
    });
  });

  test("but without threads where only they fail", async () => {
    let plans = 0;
    const load = withRuns((results) => {
      if (plans++ === 0) throw new Error("no workers here");
      return results;
    });
    const { backend: single } = await open({ load, threads: true });
    expect(single.info().details).toMatchObject({ threads: false, executor: "fused-sync" });
  });
});

describe("the end", () => {
  test("is an error for what is under way and what comes after, and ends all threads", async () => {
    const workers = createRequire(import.meta.url)("node:worker_threads") as typeof threads;
    const { Worker } = workers;
    let started = 0;
    let ended = 0;
    class Counted extends Worker {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args);
        started++;
        this.once("exit", () => ended++);
      }
    }
    Object.assign(workers, { Worker: Counted });
    try {
      const { backend: own, rest: its } = await open({ threads: true });
      const values = await own.putScalars(bytesOf(witnessLike(2 ** 9, 1n)));
      await own.ntt(values, "forward");
      expect(own.info().details.executor).toBe("fused-threaded");
      const running = own.ntt(values, "coset");
      const closed = expect(running).rejects.toMatchObject({ code: "BACKEND_CLOSED" });
      await Promise.all([own.close(), own.close()]);
      await closed;
      expect(its.closed).toBe(1);
      expect(own.info().backend).toBe("gpujs");
      await expect(own.putScalars(bytesOf([1n]))).rejects.toMatchObject({ code: "BACKEND_CLOSED" });
      await expect(own.ntt(values, "forward")).rejects.toMatchObject({ code: "BACKEND_CLOSED" });
      expect(started).toBeGreaterThan(0);
      await vi.waitFor(() => expect(ended).toBe(started));
    } finally {
      Object.assign(workers, { Worker });
    }
  });

  test("lets a process end", async () => {
    const contents = `
      import { GpuJsDevice } from "./src/prover/gpujs/gpu.js";
      import { Domain } from "./src/prover/gpujs/ntt.js";
      const location = ${JSON.stringify(createRequire(import.meta.url).resolve("gpu.js"))};
      const load = () => import(location);
      const device = await GpuJsDevice.open({ mode: "webasm", load });
      await new Domain(device, 9).transform(new Uint8Array(32 * 512), "forward");
      await device.close();
      console.log("closed " + device.details.executor);`;
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: ROOT, loader: "ts" },
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      external: ["gpu.js", "webgpu"],
      alias: { "#platform": `${ROOT}/src/platform/node.ts` },
    });
    const folder = await mkdtemp(join(tmpdir(), "gpujs-"));
    try {
      const script = join(folder, "script.mjs");
      await writeFile(script, outputFiles[0]!.text);
      const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 20_000 });
      expect(stdout.trim()).toBe("closed fused-threaded");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe.skipIf(await skipWithoutGpu())("gpu.js on WebGPU, through the project's own package", () => {
  test("transforms, and leaves the process as it was", async () => {
    const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    const { backend: webgpu } = await open({ mode: "webgpu" });
    expect(Object.getOwnPropertyDescriptor(globalThis, "navigator")).toEqual(before);
    const values = witnessLike(2 ** 4, 1n);
    const result = await webgpu.ntt(await webgpu.putScalars(bytesOf(values)), "coset");
    expect(valuesOf(await webgpu.readScalars(result))).toEqual(transformed(values, "coset"));
    expect(webgpu.info().details).toMatchObject({ backend: "webgpu", executor: "fused-encoder" });
    await webgpu.close();
  });
});
