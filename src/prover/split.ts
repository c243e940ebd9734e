/**
 * The parts of a proof, and which backend computes which.
 *
 * @module
 */

import type { BackendName } from "./backend.js";

/** The sums over the bases A, B2 and C, the quotient, and the sum over the bases H, whose scalars it is. */
export type Part = "a" | "b2" | "c" | "quotient" | "h";

/** The parts that are sums. */
export type SumPart = Exclude<Part, "quotient">;

/** All parts. */
export const PARTS: readonly Part[] = ["a", "b2", "c", "quotient", "h"];

/** The backend of each part. */
export type Split = Readonly<Record<Part, BackendName>>;

const all = (backend: BackendName): Split => ({ a: backend, b2: backend, c: backend, quotient: backend, h: backend });

/**
 * What a proof can be split into, by name. gpu.js takes the quotient only; `webgpu+wasm` leaves the sum in G2, which costs most by
 * the base, to the threads while the GPU does the rest.
 */
export const SPLITS = {
  wasm: all("wasm"),
  webgpu: all("webgpu"),
  "webgpu+wasm": { ...all("webgpu"), b2: "wasm" },
  gpujs: { ...all("wasm"), quotient: "gpujs" },
} as const satisfies Readonly<Record<string, Split>>;

/** Name of a split. */
export type SplitName = keyof typeof SPLITS;

/** The devices that a split needs beside WebAssembly. */
export const devicesOf = (split: Split): BackendName[] =>
  [...new Set(PARTS.map((part) => split[part]))].filter((name) => name !== "wasm");

/** What made a proof. */
export interface BackendReport {
  /** What computed each part in the end. */
  readonly split: Split;
  /** Why parts that were meant for a device were computed by WebAssembly. */
  readonly fallback?: {
    readonly from: BackendName;
    /** Of the error: `DEVICE_LOST`, `DEVICE_OUT_OF_MEMORY`, `BUFFER_TOO_LARGE`, `DEVICE_WRONG_RESULT`, `DEVICE_FAILED`. */
    readonly code: string;
    readonly message: string;
  };
}
