/**
 * Opening backends by name, and sharing them among keys.
 *
 * @module
 */

import { ProverError } from "../errors.js";
import { BACKENDS, type Backend, type BackendName } from "./backend.js";
import type { EngineOptions } from "./wasm/engine.js";
import type { Tuning } from "./webgpu/tuning.js";

/** What `prove` can be told to compute on: a name, a choice by measurement, or a backend that was opened before. */
export type BackendChoice = "auto" | BackendName | Backend;

/** Options of {@link openBackend}; each backend takes its own and ignores the others. */
export interface BackendOptions extends EngineOptions {
  /** WebGPU: the `GPU` object to use. Default: `navigator.gpu`, in Node that of the package `webgpu`. */
  readonly gpu?: object | undefined;
  /** WebGPU: default `"high-performance"`. */
  readonly powerPreference?: "low-power" | "high-performance" | undefined;
  /** WebGPU: bytes of the largest buffer, if less than the adapter allows. */
  readonly maxBufferSize?: number | undefined;
  /** WebGPU: milliseconds after which a device that answers nothing is given up. Default 120,000. */
  readonly timeout?: number | undefined;
  /** WebGPU: how kernels are made. */
  readonly tuning?: BackendTuning | undefined;
  /** gpu.js: what it runs on. Default: WebGL2 in browsers that have it, else its own WebAssembly. */
  readonly mode?: "auto" | "webgl2" | "webasm" | "webgpu" | "cpu" | undefined;
}

/** Tuning of WebGPU's kernels; what is not named has its default. See docs/gpu.md. */
export type BackendTuning = Partial<Tuning>;

/**
 * Opens a backend. Close it when it is no longer needed.
 *
 * @throws ProverError `BACKEND_UNKNOWN`; `WEBGPU_UNAVAILABLE`, `TUNING_INVALID`; `GPUJS_UNAVAILABLE`; those of starting the
 *   WebAssembly engine.
 */
export async function openBackend(name: BackendName, options: BackendOptions = {}): Promise<Backend> {
  assertBackendName(name);
  if (name === "webgpu") {
    const { WebGpuBackend } = await import("./webgpu/backend.js");
    return WebGpuBackend.open(options);
  }
  const { WasmBackend } = await import("./wasm/backend.js");
  if (name === "wasm") return WasmBackend.open(options);
  const { GpuJsBackend } = await import("./gpujs/backend.js");
  const rest = await WasmBackend.open(options);
  try {
    return await GpuJsBackend.open({ mode: options.mode, threads: options.threads !== 1, rest });
  } catch (error) {
    await rest.close();
    throw error;
  }
}

/** @throws ProverError `BACKEND_UNKNOWN`. */
function assertBackendName(name: unknown): asserts name is BackendName {
  if (BACKENDS.includes(name as BackendName)) return;
  throw new ProverError("no such backend", {
    code: "BACKEND_UNKNOWN",
    where: "backend",
    expected: BACKENDS.map((known) => `"${known}"`).join(", "),
    got: String(name),
  });
}

/** @throws ProverError `BACKEND_UNKNOWN` unless it can be the option `backend`. */
export function assertBackendChoice(choice: unknown): asserts choice is BackendChoice {
  const isOpened = typeof choice === "object" && choice !== null && "name" in choice && "msm" in choice;
  if (choice !== "auto" && !isOpened) assertBackendName(choice);
}

interface Shared {
  readonly opening: Promise<Backend>;
  users: number;
}

const shared = new Map<BackendName, Shared>();

/** A backend that several keys use: opened for the first, closed after the last. */
export async function shareBackend(
  name: BackendName,
): Promise<{ readonly backend: Backend; release(broken: boolean): Promise<void> }> {
  let entry = shared.get(name);
  if (entry === undefined) {
    entry = { opening: openBackend(name), users: 0 };
    shared.set(name, entry);
  }
  const own = entry;
  own.users++;
  const leave = async (broken: boolean) => {
    own.users--;
    if ((broken || own.users === 0) && shared.get(name) === own) shared.delete(name);
    if (own.users > 0) return;
    const [opened] = await Promise.allSettled([own.opening]);
    if (opened.status === "fulfilled") await opened.value.close();
  };
  try {
    return { backend: await own.opening, release: leave };
  } catch (error) {
    await leave(true);
    throw error;
  }
}
