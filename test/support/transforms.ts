/**
 * Transforms and the quotient by BigInt, as their definitions say, and on a device.
 *
 * @module
 */

import { expect } from "vitest";
import type { ConstraintSource, MatrixSource, Transform } from "../../src/prover/backend.js";
import { invMod, rootOfUnity } from "../../src/prover/wasm/constants.js";
import type { Device } from "../../src/prover/webgpu/device.js";
import type { Ntt } from "../../src/prover/webgpu/ntt.js";
import type { Quotient } from "../../src/prover/webgpu/quotient.js";
import { fromBytes, R, toBytes } from "./kernel.js";
import { randomNumbers } from "./kernels.js";
import { SEED } from "./seed.js";

/** Numbers of 32 bytes each. */
export function bytesOf(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * values.length);
  for (const [i, value] of values.entries()) bytes.set(toBytes(value), 32 * i);
  return bytes;
}

export const valuesOf = (bytes: Uint8Array): bigint[] =>
  Array.from({ length: bytes.length / 32 }, (_, i) => fromBytes(bytes.subarray(32 * i, 32 * i + 32)));

/** n numbers below r. */
export function randomScalars(n: number, seed = n): bigint[] {
  const next = randomNumbers(SEED + seed);
  return Array.from({ length: n }, () => next(R));
}

/** Σ a_j·x^j at x = first·ω^i, i < n, for n = 2^power coefficients, by halves. */
function evaluate(coefficients: readonly bigint[], first: bigint, omega: bigint): bigint[] {
  const n = coefficients.length;
  if (n === 1) return [coefficients[0]!];
  const [even, odd] = [0, 1].map((half) =>
    evaluate(
      coefficients.filter((_, i) => i % 2 === half),
      (first * first) % R,
      (omega * omega) % R,
    ),
  ) as [bigint[], bigint[]];
  const out: bigint[] = [];
  for (let i = 0, x = first; i < n; i++, x = (x * omega) % R) {
    out.push((even[i % (n / 2)]! + x * odd[i % (n / 2)]!) % R);
  }
  return out;
}

/** See {@link Transform}. */
export function transformed(values: readonly bigint[], transform: Transform): bigint[] {
  const n = values.length;
  const power = Math.log2(n);
  const omega = rootOfUnity(power);
  if (transform === "forward") return evaluate(values, 1n, omega);
  const inverseN = invMod(BigInt(n), R);
  const coefficients = evaluate(values, 1n, invMod(omega, R)).map((value) => (value * inverseN) % R);
  return transform === "inverse" ? coefficients : evaluate(coefficients, rootOfUnity(power + 1), omega);
}

/** The same by sums over all pairs. */
export function naivelyTransformed(values: readonly bigint[], transform: Transform): bigint[] {
  const n = values.length;
  const power = Math.log2(n);
  const omega = rootOfUnity(power);
  const sums = (numbers: readonly bigint[], first: bigint, step: bigint) => {
    const out: bigint[] = [];
    for (let i = 0, x = first; i < n; i++, x = (x * step) % R) {
      let sum = 0n;
      for (let j = 0, w = 1n; j < n; j++, w = (w * x) % R) sum += numbers[j]! * w;
      out.push(sum % R);
    }
    return out;
  };
  if (transform === "forward") return sums(values, 1n, omega);
  const coefficients = sums(values, 1n, invMod(omega, R)).map((value) => (value * invMod(BigInt(n), R)) % R);
  return transform === "inverse" ? coefficients : sums(coefficients, rootOfUnity(power + 1), omega);
}

/** One entry of a row: wire and coefficient. */
export type Entry = readonly [wire: number, coefficient: bigint];
/** Entries of each row. */
export type Rows = readonly (readonly Entry[])[];

/** Rows as a backend takes them. */
export function matrixOf(rows: Rows): MatrixSource {
  const offsets = new Uint32Array(rows.length + 1);
  for (const [i, row] of rows.entries()) offsets[i + 1] = offsets[i]! + row.length;
  const entries = rows.flat();
  return {
    offsets,
    wires: Uint32Array.from(entries, ([wire]) => wire),
    async coefficients(from, to) {
      const out = new Uint8Array(32 * (to - from));
      for (let i = from; i < to; i++) out.set(toBytes((entries[i]![1] << 512n) % R), 32 * (i - from));
      return out;
    },
  };
}

/** A circuit as a backend takes it; as many rows as its domain has points. */
export function constraintsOf(a: Rows, b: Rows, nVars: number): ConstraintSource {
  return { power: Math.log2(a.length), nVars, a: matrixOf(a), b: matrixOf(b) };
}

/** The scalars of the H bases, see `Backend.quotient`. */
export function quotientOf(rowsA: Rows, rowsB: Rows, witness: readonly bigint[]): bigint[] {
  const values = (rows: Rows) =>
    rows.map((row) => row.reduce((sum, [wire, coefficient]) => sum + coefficient * witness[wire]!, 0n) % R);
  const [a, b] = [values(rowsA), values(rowsB)];
  const c = a.map((value, i) => (value * b[i]!) % R);
  const [onCosetA, onCosetB, onCosetC] = [a, b, c].map((numbers) => transformed(numbers, "coset")) as [
    bigint[],
    bigint[],
    bigint[],
  ];
  return onCosetA.map((value, i) => (((value * onCosetB[i]! - onCosetC[i]!) % R) + R) % R);
}

/** n lengths of rows, 0 to 4. */
export function shortRows(n: number, seed: number): number[] {
  const next = randomNumbers(SEED + seed);
  return Array.from({ length: n }, () => Number(next(5n)));
}

/** Rows of these lengths with coefficients from `values`, random ones without. */
export function randomRows(lengths: readonly number[], nVars: number, seed: number, values?: readonly bigint[]): Rows {
  const next = randomNumbers(SEED + seed);
  const coefficient = () => (values === undefined ? next(R) : values[Number(next(BigInt(values.length)))]!);
  return lengths.map((length) => Array.from({ length }, () => [Number(next(BigInt(nVars))), coefficient()] as const));
}

export const randomWitness = (nVars: number, seed: number): bigint[] => [1n, ...randomScalars(nVars - 1, seed)];

// ---------------------------------------------------------------- on a device

/** A transform on the device; what is given must stay as it is, and nothing may be left of it. */
export async function transformOn(
  device: Device,
  ntt: Ntt,
  values: readonly bigint[],
  transform: Transform,
  signal?: AbortSignal,
): Promise<bigint[]> {
  const bytes = bytesOf(values);
  const memory = device.memory;
  const made = [device.buffer(bytes.length, "input")];
  const [input] = made as [GPUBuffer];
  device.upload(input, 0, bytes);
  try {
    return await device.exclusive(async () => {
      const output = await ntt.transform(input, Math.log2(values.length), transform, signal);
      made.push(output);
      expect(await device.read(input, 0, bytes.length)).toEqual(bytes);
      return valuesOf(await device.read(output, 0, bytes.length));
    });
  } finally {
    for (const buffer of made) device.free(buffer);
    expect(device.memory).toBe(memory);
  }
}

/** Quotients of one circuit for some witnesses, one after the other; nothing may be left of them. */
export async function quotientsOn(
  device: Device,
  quotient: Quotient,
  source: ConstraintSource,
  witnesses: readonly (readonly bigint[])[],
): Promise<bigint[][]> {
  const memory = device.memory;
  const made: GPUBuffer[] = [];
  const results = await device.exclusive(async () => {
    const constraints = await quotient.put(source);
    const outputs: GPUBuffer[] = [];
    for (const witness of witnesses) {
      const input = device.buffer(32 * witness.length, "witness");
      device.upload(input, 0, bytesOf(witness));
      outputs.push(await quotient.quotient(constraints, input));
      made.push(input, outputs.at(-1)!);
    }
    const read: bigint[][] = [];
    for (const output of outputs) read.push(valuesOf(await device.read(output, 0, 32 * 2 ** source.power)));
    constraints.free();
    constraints.free();
    return read;
  });
  for (const buffer of made) device.free(buffer);
  expect(device.memory).toBe(memory);
  return results;
}
