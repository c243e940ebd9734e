/**
 * The WebAssembly module built from `assembly/`: compiled once a process and kind, instantiated once a thread.
 *
 * It comes with two arithmetics of the same exports: `int`, nine 29-bit limbs, for every engine with SIMD; `fma`, five
 * 51-bit limbs in floating point, about 1.6 times as fast, for engines with relaxed SIMD on a CPU with fused multiply-add.
 *
 * @module
 */

import { allowRelaxedSimd } from "#platform";
import { ProverError } from "../../errors.js";

/** Exports of `assembly/index.ts`; addresses and sizes are bytes, booleans come back as 0 and 1. */
export type Kernel = Readonly<Record<string, (...args: number[]) => number>>;

/** One export and its arguments. {@link SCRATCH} stands for the address of the executing thread's scratch memory. */
export type Call = readonly [name: string, ...args: number[]];

/** No address: replaced by the thread that executes the call. */
export const SCRATCH = -1;

/** Bytes of a field element in the larger arithmetic; in the one in use: `Engine.fieldBytes`. */
export const MAX_FIELD_BYTES = 40;

/** Bytes of a WebAssembly page. */
export const PAGE = 65536;

/** How the kernel computes: integer or fused floating-point limbs. */
export type Arithmetic = "int" | "fma";

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** Whether threads can share memory here (in browsers: only cross-origin isolated pages). */
export function sharedMemoryAvailable(): boolean {
  return (
    typeof SharedArrayBuffer !== "undefined" &&
    (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false
  );
}

/**
 * Compiles the module for shared or plain memory.
 *
 * @throws ProverError `WASM_UNSUPPORTED` where WebAssembly or its SIMD instructions are missing; for `"fma"`
 *   `ARITHMETIC_UNSUPPORTED` where relaxed SIMD is missing or `relaxed_madd` is not fused; `WASM_UNAVAILABLE` where its
 *   file cannot be loaded.
 */
export function compileKernel(sharedMemory: boolean, arithmetic: Arithmetic = "int"): Promise<WebAssembly.Module> {
  const kind = `${arithmetic} ${sharedMemory}`;
  let module = compiled.get(kind);
  if (module === undefined) {
    module = compile(sharedMemory, arithmetic);
    compiled.set(kind, module);
    // what failed, a download for instance, may work the next time
    module.catch(() => compiled.delete(kind));
  }
  return module;
}

/** The fastest arithmetic that works here, compiled. */
export async function compileBestKernel(
  sharedMemory: boolean,
): Promise<{ module: WebAssembly.Module; arithmetic: Arithmetic }> {
  try {
    return { module: await compileKernel(sharedMemory, "fma"), arithmetic: "fma" };
  } catch (error) {
    if (!(error instanceof ProverError)) throw error;
    return { module: await compileKernel(sharedMemory, "int"), arithmetic: "int" };
  }
}

async function compile(sharedMemory: boolean, arithmetic: Arithmetic): Promise<WebAssembly.Module> {
  if (arithmetic === "fma") await allowRelaxedSimd(relaxedSimdAvailable);
  const bytes = decode(await binaryOf(arithmetic));
  if (sharedMemory) importSharedMemory(bytes);
  let module: WebAssembly.Module;
  try {
    module = await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new ProverError("this engine cannot compile the prover", {
      code: arithmetic === "fma" ? "ARITHMETIC_UNSUPPORTED" : "WASM_UNSUPPORTED",
      expected:
        arithmetic === "fma"
          ? "WebAssembly with relaxed SIMD (Node 22, Chrome 114 or newer)"
          : "WebAssembly with SIMD and bulk memory (Node 16.4, Chrome 91, Firefox 89, Safari 16.4 or newer)",
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
  if (arithmetic === "fma" && !isFused(module, sharedMemory)) {
    throw new ProverError("multiply-add is not fused on this machine", { code: "ARITHMETIC_UNSUPPORTED" });
  }
  return module;
}

async function binaryOf(arithmetic: Arithmetic): Promise<string> {
  try {
    return (arithmetic === "fma" ? await import("./fma.generated.js") : await import("./int.generated.js")).binary;
  } catch (cause) {
    throw new ProverError("the prover's WebAssembly could not be loaded", {
      code: "WASM_UNAVAILABLE",
      where: `${arithmetic}.generated.js`,
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));

/**
 * Changes the kind of memory that a module imports as env.memory: the flags of its limits, 1 for a maximum, 2 for shared.
 * The code is the same for both.
 */
function importSharedMemory(bytes: Uint8Array): void {
  // length and name of the module, length and name of the import, kind memory, flags
  const pattern = [3, ...ascii("env"), 6, ...ascii("memory"), 2, 1];
  const at = bytes.findIndex((_, i) => pattern.every((b, j) => bytes[i + j] === b));
  if (at < 0) throw new Error("the module imports no memory");
  bytes[at + pattern.length - 1] = 3;
}

/** A module with one function of one `f64x2.relaxed_madd`. */
const RELAXED_PROBE = decode(
  "AGFzbQEAAAABBQFgAAF7AwIBAAo9ATsA/QwAAAAAAAAAAAAAAAAAAAAA/QwAAAAAAAAAAAAAAAAAAAAA/QwAAAAAAAAAAAAAAAAAAAAA/YcCCw==",
);

function relaxedSimdAvailable(): boolean {
  return WebAssembly.validate(RELAXED_PROBE);
}

/** The specification lets `relaxed_madd` round twice, which would make every result wrong. */
function isFused(module: WebAssembly.Module, sharedMemory: boolean): boolean {
  return instantiateKernel(module, newMemory(sharedMemory, 0)).isFused!() === 1;
}

/** Pages that a module's constants and first block take. */
const MIN_PAGES = 16;
/** 4 GiB: what 32-bit addresses reach. */
export const MAX_PAGES = 65536;

/**
 * A memory for {@link instantiateKernel} that may grow to `maxBytes`: hosts set aside address space for that.
 *
 * @throws ProverError `OUT_OF_MEMORY` when the host has none.
 */
export function newMemory(shared: boolean, maxBytes: number): WebAssembly.Memory {
  const maximum = Math.max(MIN_PAGES, Math.min(MAX_PAGES, Math.floor(maxBytes / PAGE)));
  try {
    return new WebAssembly.Memory({ initial: MIN_PAGES, maximum, shared });
  } catch (cause) {
    throw new ProverError("the host gives no memory", {
      code: "OUT_OF_MEMORY",
      expected: `address space for ${maximum * PAGE} bytes`,
      cause,
    });
  }
}

/** Instantiates the module on `memory`; `tls` is the address of the thread-local block. */
export function instantiateKernel(module: WebAssembly.Module, memory: WebAssembly.Memory, tls?: number): Kernel {
  const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernel;
  if (tls !== undefined) kernel.setTls!(tls);
  return kernel;
}

/** Runs calls in order and returns what each returned (`undefined` becomes 0). */
export function runCalls(kernel: Kernel, calls: readonly Call[], scratch: number): number[] {
  return calls.map(([name, ...args]) => {
    const f = kernel[name];
    if (f === undefined) throw new Error(`the kernel has no export ${name}`);
    return f(...args.map((a) => (a === SCRATCH ? scratch : a))) ?? 0;
  });
}
