/**
 * What sums on a GPU have to get right, whatever the group and the tuning.
 *
 * @module
 */

import { describe, expect, test } from "vitest";
import { FR_MODULUS, type G1Affine, type G2Affine } from "../../src/formats/bn254.js";
import type { BaseSource } from "../../src/prover/backend.js";
import type { Group } from "../../src/prover/wasm/field.js";
import type { Device } from "../../src/prover/webgpu/device.js";
import type { Msm } from "../../src/prover/webgpu/msm.js";
import type { Tuning } from "../../src/prover/webgpu/tuning.js";
import { LAMBDA } from "../../src/prover/webgpu/wgsl/scalars.js";
import { encodePoints, expectedSum, multiple, progression, sourceOf } from "./bases.js";
import { randomNumbers, toWords } from "./kernels.js";
import { SEED } from "./seed.js";

const ZERO = { g1: { x: 0n, y: 0n }, g2: { x: { c0: 0n, c1: 0n }, y: { c0: 0n, c1: 0n } } };
const random = randomNumbers(SEED);
/** n numbers below r. */
export const randomScalars = (n: number) => Array.from({ length: n }, () => random(FR_MODULUS));

/** Scalars of witnesses, and those that are hard on sums; n each. */
const FAMILIES: Record<string, (n: number) => bigint[]> = {
  random: randomScalars,
  zeros: (n) => new Array(n).fill(0n),
  ones: (n) => new Array(n).fill(1n),
  "all r - 1": (n) => new Array(n).fill(FR_MODULUS - 1n),
  "all the same": (n) => new Array(n).fill(random(FR_MODULUS)),
  "mostly zero": (n) => Array.from({ length: n }, (_, i) => (i % 17 === 0 ? random(FR_MODULUS) : 0n)),
  "zeros, ones and small ones": (n) => Array.from({ length: n }, () => random(3n) * random(2n) * random(200n)),
  "edges of halves": (n) => {
    const edges = [LAMBDA, FR_MODULUS - LAMBDA, FR_MODULUS - 1n, 1n, 0n, LAMBDA + 1n, LAMBDA - 1n];
    for (const e of [126n, 127n, 128n, 253n]) edges.push((1n << e) - 1n, 1n << e, (1n << e) + 1n);
    return Array.from({ length: n }, (_, i) => edges[i % edges.length]! % FR_MODULUS);
  },
  "powers of two": (n) => Array.from({ length: n }, (_, i) => 1n << BigInt(i % 254)),
};

/** The sum by a fresh set of bases. */
export async function sumOnDevice(
  device: Device,
  msm: Msm,
  source: BaseSource,
  scalars: readonly bigint[],
): Promise<G1Affine | G2Affine> {
  return device.exclusive(async () => {
    const words = toWords(scalars, 8);
    const buffer = device.buffer(words.byteLength, "scalars");
    try {
      device.upload(buffer, 0, new Uint8Array(words.buffer));
      const bases = await msm.putBases(source);
      try {
        return await msm.sum(bases, buffer, scalars.length);
      } finally {
        bases.free();
      }
    } finally {
      device.free(buffer);
    }
  });
}

/** Sums of n bases; `make` gives a device and what sums on it. */
export function describeSums(group: Group, n: number, make: (tuning?: Partial<Tuning>) => [Device, Msm]): void {
  describe(group, () => {
    test.each(Object.keys(FAMILIES))("scalars: %s", async (family) => {
      const { bytes, logs } = progression(group, n, 3n, 2n);
      const scalars = FAMILIES[family]!(n);
      expect(await sumOnDevice(...make(), sourceOf(group, bytes), scalars)).toEqual(expectedSum(group, logs, scalars));
    });

    test("equal and opposite bases", async () => {
      const point = multiple(group, 7n);
      const opposite = multiple(group, -7n);
      const on = make();
      const all = (points: (G1Affine | G2Affine)[]) => sourceOf(group, encodePoints(group, points));
      const scalars = randomScalars(n);
      const total = scalars.reduce((a, b) => a + b);
      // all the same
      expect(await sumOnDevice(...on, all(new Array(n).fill(point)), scalars)).toEqual(multiple(group, 7n * total));
      const ones = new Array(n).fill(1n);
      expect(await sumOnDevice(...on, all(new Array(n).fill(point)), ones)).toEqual(multiple(group, 7n * BigInt(n)));
      // pairs that cancel, side by side and apart; one is left over
      const pairs = Array.from({ length: n }, (_, i) => (i % 2 === 0 ? point : opposite));
      expect(await sumOnDevice(...on, all(pairs), ones)).toEqual(ZERO[group]);
      expect(await sumOnDevice(...on, all([...pairs, point]), [...ones, 1n])).toEqual(point);
      const halves = Array.from({ length: n }, (_, i) => (i < n / 2 ? point : opposite));
      expect(await sumOnDevice(...on, all(halves), new Array(n).fill(scalars[0]))).toEqual(ZERO[group]);
    });

    test("few bases, and none", async () => {
      const on = make();
      for (const count of [0, 1, 2, 3]) {
        const { bytes, logs } = progression(group, 3, 11n, 5n);
        const scalars = randomScalars(count);
        const source = sourceOf(group, bytes.slice(0, (bytes.length / 3) * count));
        const wanted = count === 0 ? ZERO[group] : expectedSum(group, logs.slice(0, count), scalars);
        expect(await sumOnDevice(...on, source, scalars)).toEqual(wanted);
      }
    });

    test("positions, in slices", async () => {
      const { bytes, logs } = progression(group, n, 1n, 1n);
      const scalars = randomScalars(3 * n);
      const index = Uint32Array.from({ length: n }, (_, i) => 3 * i + (i % 3));
      const on = make({ slice: 17 });
      const wanted = expectedSum(group, logs, scalars, index);
      expect(await sumOnDevice(...on, sourceOf(group, bytes, index), scalars)).toEqual(wanted);
      expect(await sumOnDevice(...on, sourceOf(group, bytes), scalars)).toEqual(expectedSum(group, logs, scalars));
    });
  });
}
