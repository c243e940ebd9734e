/**
 * The WebAssembly module built from `assembly/`: compiled once a process and kind, instantiated once a thread.
 *
 * @module
 */

import { ProverError } from "../../errors.js";
import { plain, shared } from "./binary.generated.js";

/** Exports of `assembly/index.ts`; addresses and sizes are bytes, booleans come back as 0 and 1. */
export type Kernel = Readonly<Record<string, (...args: number[]) => number>>;

/** One export and its arguments. {@link SCRATCH} stands for the address of the executing thread's scratch memory. */
export type Call = readonly [name: string, ...args: number[]];

/** No address: replaced by the thread that executes the call. */
export const SCRATCH = -1;

/** Bytes of a WebAssembly page. */
export const PAGE = 65536;

const compiled = new Map<boolean, Promise<WebAssembly.Module>>();

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
 * @throws ProverError `WASM_UNSUPPORTED` where WebAssembly or its SIMD instructions are missing.
 */
export function compileKernel(sharedMemory: boolean): Promise<WebAssembly.Module> {
  let module = compiled.get(sharedMemory);
  if (module === undefined) {
    module = compile(sharedMemory ? shared : plain);
    compiled.set(sharedMemory, module);
  }
  return module;
}

async function compile(base64: string): Promise<WebAssembly.Module> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new ProverError("this engine cannot compile the prover", {
      code: "WASM_UNSUPPORTED",
      expected: "WebAssembly with SIMD and bulk memory (Node 16.4, Chrome 91, Firefox 89, Safari 16.4 or newer)",
      got: cause instanceof Error ? cause.message : String(cause),
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
