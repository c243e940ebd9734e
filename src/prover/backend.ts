/**
 * What a machine can compute of a Groth16 proof, behind one interface: multi-scalar multiplications in G1 and G2,
 * transforms, and the quotient. Implemented by WebAssembly (`wasm/backend.ts`), WebGPU (`webgpu/`) and gpu.js (`gpujs/`).
 *
 * What belongs to a key (bases, constraints) is put once and stays until it is freed; what belongs to a proof (scalars)
 * stays where it was computed until it is read. Numbers have the same form on every backend.
 *
 * @module
 */

import type { G1Affine, G2Affine } from "../formats/bn254.js";
import type { Group } from "./wasm/field.js";

export type { Group } from "./wasm/field.js";

/** `"wasm"` runs everywhere; `"webgpu"` and `"gpujs"` need a device or a package. */
export type BackendName = "wasm" | "webgpu" | "gpujs";

/** Every backend, in the order in which they are documented. */
export const BACKENDS: readonly BackendName[] = ["wasm", "webgpu", "gpujs"];

/** What a backend may run itself; the rest of its interface it hands to WebAssembly. */
export type Operation = "msm" | "ntt" | "quotient";

/** What a backend runs on. */
export interface BackendInfo {
  readonly backend: BackendName;
  /** Device or processor, in words. */
  readonly device: string;
  /** What runs on it; everything else falls back to WebAssembly. */
  readonly native: readonly Operation[];
  /** Bytes that it holds. */
  readonly memory: number;
  /** What it was tuned to and limited by: limb size, workgroup size, largest buffer … */
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** Something that lies in a backend's memory. */
export interface Resident {
  /** Gives the memory back. Idempotent. */
  free(): void;
}

/** Bases of one sum. */
export interface BaseSet extends Resident {
  readonly group: Group;
  readonly count: number;
}

/** Numbers below r. */
export interface ScalarSet extends Resident {
  readonly length: number;
}

/** The matrices A and B of a circuit, with what its transforms need. */
export interface ConstraintSet extends Resident {
  /** log2 of the size of the domain, which is the number of rows. */
  readonly power: number;
  /** Values of a witness. */
  readonly nVars: number;
}

/** Where {@link Backend.putBases} takes bases from. */
export interface BaseSource {
  readonly group: Group;
  readonly count: number;
  /** Position of each base's scalar; the i-th without it. `count` numbers, ascending. */
  readonly index?: Uint32Array | undefined;
  /**
   * Points `from` to `to - 1` as in a zkey: 64 bytes (G1) or 128 (G2) each, coordinates little-endian in Montgomery form
   * with R = 2^256. None is infinity, all are on the curve.
   */
  read(from: number, to: number): Promise<Uint8Array>;
}

/** A sparse matrix in compressed rows. */
export interface MatrixSource {
  /** `rows + 1` numbers: where the entries of each row begin, and the number of all. */
  readonly offsets: Uint32Array;
  /** The wire of each entry. */
  readonly wires: Uint32Array;
  /** Entries `from` to `to - 1` as in a zkey: 32 bytes each, little-endian, coefficient times 2^512 mod r. */
  coefficients(from: number, to: number): Promise<Uint8Array>;
}

/** Where {@link Backend.putConstraints} takes a circuit from. */
export interface ConstraintSource {
  readonly power: number;
  readonly nVars: number;
  readonly a: MatrixSource;
  readonly b: MatrixSource;
}

/**
 * Transforms of n = 2^power values, natural order on both sides; ω = `rootOfUnity(power)`, g = `rootOfUnity(power + 1)`.
 *
 * - `forward`: out_i = Σ a_j·ω^(ij).
 * - `inverse`: what `forward` undoes: out_i = Σ a_j·ω^(-ij) / n.
 * - `coset`: values on the domain become values on its odd coset: `inverse`, then out_i = Σ c_j·(g·ω^i)^j.
 */
export type Transform = "forward" | "inverse" | "coset";

/** How a piece of work is run. */
export interface OperationOptions {
  /** Ends the work; what is thrown then is `signal.reason`. Checked between pieces that take well under a second. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Computes parts of proofs. Operations may be called while others run; they are done in some order.
 *
 * Every method rejects with ProverError `BACKEND_CLOSED` after `close`, and on devices with `DEVICE_LOST`,
 * `DEVICE_OUT_OF_MEMORY`, `BUFFER_TOO_LARGE` (a limit of the device) or `DEVICE_FAILED` (anything else that it reports);
 * never hangs on a lost device. Scalars and sets of other backends are refused with a TypeError.
 */
export interface Backend {
  readonly name: BackendName;
  /** Never throws, not even when the backend is closed or its device lost. */
  info(): BackendInfo;
  /** @throws also what `source.read` throws; nothing is left of it then. */
  putBases(source: BaseSource, options?: OperationOptions): Promise<BaseSet>;
  putConstraints(source: ConstraintSource, options?: OperationOptions): Promise<ConstraintSet>;
  /** @param values `n × 32` bytes, little-endian, each below r. */
  putScalars(values: Uint8Array, options?: OperationOptions): Promise<ScalarSet>;
  /** `n × 32` bytes, little-endian, each below r. */
  readScalars(scalars: ScalarSet, options?: OperationOptions): Promise<Uint8Array>;
  /**
   * Σ scalar·base. Infinity is (0, 0). A result of a device is on the curve; whether it is the sum is for the proof's
   * check to say.
   *
   * @param scalars at least as many as the bases' index reaches.
   */
  msm(bases: BaseSet & { readonly group: "g1" }, scalars: ScalarSet, options?: OperationOptions): Promise<G1Affine>;
  msm(bases: BaseSet & { readonly group: "g2" }, scalars: ScalarSet, options?: OperationOptions): Promise<G2Affine>;
  msm(bases: BaseSet, scalars: ScalarSet, options?: OperationOptions): Promise<G1Affine | G2Affine>;
  /** A new set; the length of `values` is a power of two, 2^1 at least. */
  ntt(values: ScalarSet, transform: Transform, options?: OperationOptions): Promise<ScalarSet>;
  /**
   * The scalars of the H bases: with a = A·w, b = B·w and c = a∘b on the domain, each brought to the odd coset (`coset`
   * above), out_i = a_i·b_i - c_i. As many as the domain has points, in its order.
   *
   * @param witness `nVars` scalars.
   */
  quotient(constraints: ConstraintSet, witness: ScalarSet, options?: OperationOptions): Promise<ScalarSet>;
  /** Gives everything back; what is under way rejects with `BACKEND_CLOSED`. Idempotent. */
  close(): Promise<void>;
}

/** What backends without sparse products need of another: see `gpujs/backend.ts`. */
export interface RowProducts {
  /** A·w and B·w: `2^power × 32` bytes each, little-endian, below r. */
  rows(
    constraints: ConstraintSet,
    witness: ScalarSet,
    options?: OperationOptions,
  ): Promise<{ readonly a: Uint8Array; readonly b: Uint8Array }>;
}
