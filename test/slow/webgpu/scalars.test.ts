import { bn254 } from "@noble/curves/bn254.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FQ_MODULUS, FR_MODULUS } from "../../../src/formats/bn254.js";
import { BETA_G1 } from "../../../src/prover/wasm/constants.js";
import { Device } from "../../../src/prover/webgpu/device.js";
import { decomposeKernel, glvLattice, LAMBDA, windowCount } from "../../../src/prover/webgpu/wgsl/scalars.js";
import { scanKernel, scanTile } from "../../../src/prover/webgpu/wgsl/sort.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { randomNumbers, toWords } from "../../support/kernels.js";
import { SEED } from "../../support/seed.js";

const skip = await skipWithoutGpu();
const GROUP = 64;

/** Edges of the decomposition, then random numbers. */
function edges(): bigint[] {
  const { a1, b1, a2, b2 } = glvLattice();
  const around = [0n, LAMBDA, FR_MODULUS - LAMBDA, a1, b1, a2, b2, FR_MODULUS / 2n, FR_MODULUS / 3n, LAMBDA * 12345n];
  for (let e = 1n; e < 254n; e += 4n) around.push(1n << e);
  for (const e of [16n, 32n, 64n, 96n, 126n, 127n, 128n, 160n, 192n, 224n])
    around.push(1n << e, FR_MODULUS - (1n << e));
  const values = around.flatMap((x) => [x - 1n, x, x + 1n]);
  const random = randomNumbers(SEED);
  for (let i = 0; i < 150; i++) values.push(random(FR_MODULUS), random(1n << 64n), -random(1n << 64n));
  return values.map((x) => ((x % FR_MODULUS) + FR_MODULUS) % FR_MODULUS);
}

describe("the lattice", () => {
  test("is one of λ, and its vectors are short", () => {
    const { a1, b1, a2, b2 } = glvLattice();
    expect((LAMBDA * LAMBDA + LAMBDA + 1n) % FR_MODULUS).toBe(0n);
    expect((a1 - b1 * LAMBDA) % FR_MODULUS).toBe(0n);
    expect((a2 + b2 * LAMBDA) % FR_MODULUS).toBe(0n);
    expect(a1 * b2 + a2 * b1).toBe(FR_MODULUS);
    // halves are at most half the sums
    for (const sum of [a1 + a2, b1 + b2]) expect(sum / 2n + 2n).toBeLessThan(1n << 126n);
  });

  test("λ multiplies what β does", () => {
    const { x, y } = bn254.G1.Point.BASE.toAffine();
    expect(bn254.G1.Point.BASE.multiply(LAMBDA).toAffine()).toEqual({ x: (x * BETA_G1) % FQ_MODULUS, y });
  });
});

describe.skipIf(skip)("scalars on a GPU", () => {
  let device: Device;
  beforeAll(async () => {
    device = await Device.open();
  });
  afterAll(() => device?.close());

  test.each([4, 5, 13, 16])("digits of %i bits give the scalar, and are counted", async (bits) => {
    const scalars = edges();
    const n = scalars.length;
    const windows = windowCount(bits);
    const words = toWords(scalars, 8);
    // both outputs in one buffer would hide which is which: two runs
    const source = decomposeKernel(GROUP, false);
    const digits = await runDecompose(device, source, [words], n, [0, n, 0, n, bits, windows], bits, windows);
    const counts = new Uint32Array(windows << (bits - 1));
    const wrong: string[] = [];
    scalars.forEach((scalar, i) => {
      const halves = [0n, 0n];
      for (let w = windows - 1; w >= 0; w--) {
        const word = digits.digits[w * n + i]!;
        [(word << 16) >> 16, word >> 16].forEach((digit, half) => {
          if (digit < -(2 ** (bits - 1)) || digit >= 2 ** (bits - 1)) wrong.push(`${scalar}: digit ${digit}`);
          if (digit !== 0) counts[(w << (bits - 1)) + Math.abs(digit) - 1]!++;
          halves[half] = (halves[half]! << BigInt(bits)) + BigInt(digit);
        });
      }
      const [first, second] = halves as [bigint, bigint];
      if ((first + LAMBDA * second - scalar) % FR_MODULUS !== 0n) wrong.push(`${scalar}: ${first}, ${second}`);
      const small = scalar < 1n << 126n || FR_MODULUS - scalar < 1n << 126n;
      if (small && second !== 0n) wrong.push(`${scalar}: ${second} of a small scalar`);
    });
    expect(wrong).toEqual([]);
    expect(digits.counts).toEqual(counts);
  });

  test("positions of scalars", async () => {
    const scalars = [5n, 6n, 7n, 8n, 9n];
    const index = new Uint32Array([4, 1, 1]);
    const indexed = [toWords(scalars, 8), index];
    const { digits } = await runDecompose(device, decomposeKernel(GROUP, true), indexed, 3, [0, 3, 0, 3, 8, 16], 8, 16);
    expect([...digits.subarray(0, 3)]).toEqual([9, 6, 6]);
    // without an index, from a start on; a piece of the invocations
    const plain = await runDecompose(
      device,
      decomposeKernel(GROUP, false),
      [toWords(scalars, 8)],
      3,
      [1, 3, 2, 3, 8, 16],
      8,
      16,
    );
    expect([...plain.digits.subarray(0, 3)]).toEqual([0, 8, 9]);
  });

  test.each([1, 5, 64, 1000, 1024, 2500])("a scan of %i numbers, tile by tile", async (n) => {
    const random = randomNumbers(n);
    const values = Uint32Array.from({ length: n }, () => Number(random(1000n)));
    const tile = scanTile(GROUP);
    const tiles = Math.ceil(n / tile);
    // the values are replaced, and the sums of tiles follow
    const output = await runScan(device, values, tiles);
    const wanted: number[] = [];
    const sums: number[] = [];
    values.forEach((value, i) => {
      if (i % tile === 0) sums.push(0);
      wanted.push(sums.at(-1)!);
      sums[sums.length - 1]! += value;
    });
    expect([...output.values]).toEqual(wanted);
    expect([...output.sums]).toEqual(sums);
  });
});

/** Runs a kernel with two outputs behind its inputs. */
async function runBoth(
  device: Device,
  code: string,
  inputs: readonly Uint32Array[],
  outputs: readonly Uint32Array[],
  groups: number,
  parameters: readonly number[],
): Promise<Uint32Array[]> {
  return device.exclusive(async () => {
    const kernel = await device.kernel("test", code);
    const buffers = [...inputs, ...outputs].map((words) => {
      const buffer = device.buffer(words.byteLength, "test");
      device.upload(buffer, 0, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
      return buffer;
    });
    try {
      device.batch().dispatch(kernel, buffers, groups, parameters).submit();
      const results: Uint32Array[] = [];
      for (const [i, { byteLength }] of outputs.entries()) {
        const bytes = await device.read(buffers[inputs.length + i]!, 0, byteLength);
        results.push(new Uint32Array(bytes.buffer, bytes.byteOffset, byteLength / 4));
      }
      return results;
    } finally {
      for (const buffer of buffers) device.free(buffer);
    }
  });
}

async function runDecompose(
  device: Device,
  code: string,
  inputs: readonly Uint32Array[],
  n: number,
  parameters: readonly number[],
  bits: number,
  windows: number,
): Promise<{ digits: Uint32Array; counts: Uint32Array }> {
  const outputs = [new Uint32Array(n * windows), new Uint32Array(windows << (bits - 1))];
  const [digits, counts] = await runBoth(device, code, inputs, outputs, Math.ceil(n / GROUP), parameters);
  return { digits: digits!, counts: counts! };
}

async function runScan(
  device: Device,
  values: Uint32Array,
  tiles: number,
): Promise<{ values: Uint32Array; sums: Uint32Array }> {
  const outputs = [values, new Uint32Array(tiles)];
  const [scanned, sums] = await runBoth(device, scanKernel(GROUP), [], outputs, tiles, [0, tiles, values.length]);
  return { values: scanned!, sums: sums! };
}
