/**
 * Bases with known discrete logarithms, and their sums without a device.
 *
 * @module
 */

import { normalizeZ } from "@noble/curves/abstract/curve.js";
import { bn254 } from "@noble/curves/bn254.js";
import { encodeG1, encodeG2, FR_MODULUS, type G1Affine, type G2Affine } from "../../src/formats/bn254.js";
import type { BaseSource } from "../../src/prover/backend.js";
import type { Group } from "../../src/prover/wasm/field.js";

const generators = { g1: bn254.G1.Point.BASE, g2: bn254.G2.Point.BASE };

/** The multiple of the generator; infinity is (0, 0). */
export function multiple(group: Group, k: bigint): G1Affine | G2Affine {
  const scalar = ((k % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;
  const zero = { g1: { x: 0n, y: 0n }, g2: { x: { c0: 0n, c1: 0n }, y: { c0: 0n, c1: 0n } } };
  if (scalar === 0n) return zero[group];
  const { x, y } = generators[group].multiply(scalar).toAffine();
  return { x, y } as G1Affine | G2Affine;
}

/** `from`·G, (`from` + `step`)·G, … as in a zkey; logarithms with them. Quick: one addition each. */
export function progression(
  group: Group,
  n: number,
  from: bigint,
  step: bigint,
): { bytes: Uint8Array; logs: bigint[] } {
  const logs = Array.from({ length: n }, (_, i) => from + BigInt(i) * step);
  // normalizeZ inverts once for all
  const points =
    group === "g1"
      ? normalizeZ(bn254.G1.Point, walk(generators.g1.multiply(from), generators.g1.multiply(step), n))
      : normalizeZ(bn254.G2.Point, walk(generators.g2.multiply(from), generators.g2.multiply(step), n));
  return { bytes: encodePoints(group, points.map(affine)), logs };
}

const affine = ({ x, y }: { readonly x: unknown; readonly y: unknown }) => ({ x, y }) as G1Affine | G2Affine;

/** point, point + step, … */
function walk<P extends { add(other: P): P }>(point: P, step: P, n: number): P[] {
  const points = [point];
  while (points.length < n) points.push(points.at(-1)!.add(step));
  return points;
}

/** Points as in a zkey, one after the other. */
export function encodePoints(group: Group, points: readonly (G1Affine | G2Affine)[]): Uint8Array {
  const size = group === "g1" ? 64 : 128;
  const bytes = new Uint8Array(points.length * size);
  points.forEach((point, i) => {
    bytes.set(group === "g1" ? encodeG1(point as G1Affine) : encodeG2(point as G2Affine), i * size);
  });
  return bytes;
}

/** Where a backend takes bases from. */
export function sourceOf(group: Group, bytes: Uint8Array, index?: Uint32Array): BaseSource {
  const size = group === "g1" ? 64 : 128;
  return {
    group,
    count: bytes.length / size,
    index,
    read: async (from, to) => bytes.slice(from * size, to * size),
  };
}

/** Σ scalar·base for bases of these logarithms. */
export function expectedSum(
  group: Group,
  logs: readonly bigint[],
  scalars: readonly bigint[],
  index?: Uint32Array,
): G1Affine | G2Affine {
  return multiple(
    group,
    logs.reduce((sum, log, i) => sum + log * scalars[index?.[i] ?? i]!, 0n),
  );
}
