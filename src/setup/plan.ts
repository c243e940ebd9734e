/**
 * Sizes of a key to be made, before anything is made.
 *
 * @module
 */

import { SetupError } from "../errors.js";
import { FIELD_SIZE, G1_SIZE, G2_SIZE } from "../formats/bn254.js";
import type { R1cs } from "../formats/r1cs.js";
import { ZKEY_COEF_SIZE } from "../formats/zkey.js";
import { MAX_DOMAIN_BITS } from "../prover/wasm/constants.js";
import { MAX_FIELD_BYTES } from "../prover/wasm/kernel.js";

/** Points or domain elements per task. */
export const CHUNK = 4096;
/** Terms of linear combinations per task. */
export const TERMS = 1 << 16;

/** Most that a WebAssembly memory holds. */
const WASM_LIMIT = 2 ** 32;
/** Both fixed-base tables, static data, thread-local blocks, section headers. */
const WASM_FIXED = 4 * 2 ** 20;
/** A thread's scratch memory, its points, scalars and their like. */
const LANE = CHUNK * (G2_SIZE + 2 * FIELD_SIZE + 2 * MAX_FIELD_BYTES) + 2 ** 20;

/** Counts of a key and what it takes to make it. */
export interface Plan {
  readonly nVars: number;
  readonly nPublic: number;
  readonly nConstraints: number;
  /** log2 of the domain. */
  readonly power: number;
  readonly domainSize: number;
  /** Entries of section 4: the terms of A and B, and one for each public signal and the constant. */
  readonly nCoefs: number;
  /** Bytes of the key file, short of headers. */
  readonly keyBytes: number;
  /** Bytes of WebAssembly memory. */
  readonly wasmBytes: number;
  /** Bytes in all: the circuit, WebAssembly memory and the key. */
  readonly totalBytes: number;
}

/**
 * log2 of the domain that snarkjs takes: one point for each constraint, each public signal and the constant 1, and no
 * fewer than two.
 */
export function domainPower(nConstraints: number, nPublic: number): number {
  let power = 1;
  while (2 ** power < nConstraints + nPublic + 1) power++;
  return power;
}

/**
 * Plans a key.
 *
 * @param threads that will work on it.
 * @param maxMemory bytes that may be taken in all.
 * @throws SetupError `SETUP_TOO_LARGE` when the domain has no odd coset, or memory cannot suffice.
 */
export function planSetup(circuit: R1cs, threads: number, maxMemory: number): Plan {
  const { nWires: nVars, nOutputs, nPubInputs, nConstraints } = circuit.header;
  const nPublic = nOutputs + nPubInputs;
  const power = domainPower(nConstraints, nPublic);
  if (power > MAX_DOMAIN_BITS) {
    throw tooLarge(circuit.name, `a domain of at most 2^${MAX_DOMAIN_BITS} points`, `2^${power}`);
  }
  const domainSize = 2 ** power;
  const nTerms = [circuit.a, circuit.b, circuit.c].map(({ wires }) => wires.length) as [number, number, number];
  const nCoefs = nTerms[0] + nTerms[1] + nPublic + 1;
  // A, B1, C with IC: one point of G1 for each signal; B2
  const keyBytes = ZKEY_COEF_SIZE * nCoefs + nVars * (3 * G1_SIZE + G2_SIZE) + domainSize * G1_SIZE;
  const windows = 3 * (8 + FIELD_SIZE) * Math.min(TERMS, Math.max(...nTerms, nPublic + 1));
  const wasmBytes = MAX_FIELD_BYTES * (domainSize + 3 * nVars) + windows + (threads + 1) * LANE + WASM_FIXED;
  const circuitBytes = (4 + FIELD_SIZE) * (nTerms[0] + nTerms[1] + nTerms[2]) + 12 * nConstraints + 8 * nVars;
  const totalBytes = keyBytes + wasmBytes + circuitBytes;
  const parts = `${mebibytes(totalBytes)}: key ${mebibytes(keyBytes)}, WebAssembly ${mebibytes(wasmBytes)}, circuit ${mebibytes(circuitBytes)}`;
  if (wasmBytes > WASM_LIMIT)
    throw tooLarge(circuit.name, `at most ${mebibytes(WASM_LIMIT)} of WebAssembly memory`, parts);
  if (totalBytes > maxMemory) throw tooLarge(circuit.name, `at most ${mebibytes(maxMemory)} (maxMemory)`, parts);
  return { nVars, nPublic, nConstraints, power, domainSize, nCoefs, keyBytes, wasmBytes, totalBytes };
}

/**
 * A buffer of a planned key.
 *
 * @throws SetupError `SETUP_TOO_LARGE` when the host does not give it.
 */
export function allocate(name: string, plan: Plan, length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw tooLarge(
      name,
      `${mebibytes(plan.totalBytes)} of memory`,
      `a host that refuses ${mebibytes(length)} of it`,
      cause,
    );
  }
}

function tooLarge(where: string, expected: string, got: string, cause?: unknown): SetupError {
  return new SetupError("the key is too large to be made here", {
    code: "SETUP_TOO_LARGE",
    where,
    expected,
    got,
    cause,
  });
}

function mebibytes(n: number): string {
  return `${Math.ceil(n / 2 ** 20)} MiB`;
}
