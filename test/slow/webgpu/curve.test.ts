import { bn254 } from "@noble/curves/bn254.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FQ_MODULUS, type Fq2 } from "../../../src/formats/bn254.js";
import { powMod } from "../../../src/prover/wasm/constants.js";
import type { Group } from "../../../src/prover/wasm/field.js";
import { Device } from "../../../src/prover/webgpu/device.js";
import {
  coordinateField,
  curveSource,
  elementVectors,
  readPoints,
  writePoints,
} from "../../../src/prover/webgpu/wgsl/curve.js";
import { kernelSource } from "../../../src/prover/webgpu/wgsl/kernel.js";
import { progression } from "../../support/bases.js";
import { skipWithoutGpu } from "../../support/gpu.js";
import { fromWords, randomNumbers, runKernel, toWords } from "../../support/kernels.js";
import { SEED } from "../../support/seed.js";

const { Fp2 } = bn254.fields;
const skip = await skipWithoutGpu();
const GROUP = 64;
/** Multiples of the generator that are tried, up to this one and down to its negative. */
const MOST = 24;

/** X, Y, ZZ, ZZZ. */
type Xyzz = readonly [Fq2, Fq2, Fq2, Fq2];
const ZERO: Fq2 = { c0: 0n, c1: 0n };

/** Points t and their successors 2t, 2t + 1 added: as accumulators, and the second as a base where it is affine. */
function additions(group: Group, spelled: boolean, operation: "add_points" | "add_base"): string {
  const v = elementVectors(group);
  const second =
    operation === "add_points"
      ? "points_point(2u * t + 1u)"
      : `points_element((2u * t + 1u) * ${4 * v}u), points_element((2u * t + 1u) * ${4 * v}u + ${v}u)`;
  const source = curveSource(group, { bits: 13, unroll: false, spelled });
  return kernelSource({
    workgroup: GROUP,
    buffers: [
      { name: "points", of: "vec4u" },
      { name: "sums", of: "vec4u", write: true },
    ],
    parameters: [],
    source: source + readPoints(group, "points") + writePoints(group, "sums"),
    body: `sums_set(t, ${operation}(points_point(2u * t), ${second}));`,
  });
}

describe.skipIf(skip)("group law on a GPU", () => {
  let device: Device;
  const field = coordinateField({ bits: 13 });
  const toDevice = (x: bigint) => (x * field.r) % FQ_MODULUS;
  const inverse = powMod(field.r % FQ_MODULUS, FQ_MODULUS - 2n, FQ_MODULUS);
  const random = randomNumbers(SEED);

  beforeAll(async () => {
    device = await Device.open();
  });
  afterAll(() => device?.close());

  /** k·G affine, k from 1 to 2·MOST, coordinates plain. */
  function multiples(group: Group): Map<number, readonly [Fq2, Fq2]> {
    const { bytes } = progression(group, 2 * MOST, 1n, 1n);
    const words = new Uint32Array(bytes.buffer);
    const back = powMod(1n << 256n, FQ_MODULUS - 2n, FQ_MODULUS);
    const coordinate = (i: number) => (fromWords(words, 8 * i, 8) * back) % FQ_MODULUS;
    const points = new Map<number, readonly [Fq2, Fq2]>();
    for (let k = 1; k <= 2 * MOST; k++) {
      const at = (k - 1) * (group === "g1" ? 2 : 4);
      const [x, y]: [Fq2, Fq2] =
        group === "g1"
          ? [
              { c0: coordinate(at), c1: 0n },
              { c0: coordinate(at + 1), c1: 0n },
            ]
          : [
              { c0: coordinate(at), c1: coordinate(at + 1) },
              { c0: coordinate(at + 2), c1: coordinate(at + 3) },
            ];
      points.set(k, [x, y]);
      points.set(-k, [x, { c0: (FQ_MODULUS - y.c0) % FQ_MODULUS, c1: (FQ_MODULUS - y.c1) % FQ_MODULUS }]);
    }
    return points;
  }

  for (const group of ["g1", "g2"] as const) {
    const variants = [
      ["add_points", false],
      ["add_base", false],
      ...(group === "g1" ? [["add_base", true] as const] : []),
    ] as const;
    for (const [operation, spelled] of variants) {
      test(`${group}: ${operation}, ${spelled ? "spelled out" : "as a program"}`, async () => {
        const points = multiples(group);
        /** k·G on a random denominator; bounds as wide as they may be. */
        const accumulator = (k: number): Xyzz => {
          const anything = (): Fq2 => ({ c0: random(FQ_MODULUS), c1: group === "g1" ? 0n : random(FQ_MODULUS) });
          if (k === 0) return [anything(), anything(), ZERO, anything()];
          const [x, y] = points.get(k)!;
          const z = anything();
          const zz = Fp2.sqr(z);
          const zzz = Fp2.mul(zz, z);
          return [Fp2.mul(x, zz), Fp2.mul(y, zzz), zz, zzz];
        };
        const pairs: (readonly [number, number])[] = [];
        for (let a = -MOST; a <= MOST; a++) {
          // everything with itself, with its negative, with infinity, and with others
          for (const b of [a, -a, 0, 1, MOST, Number(random(BigInt(2 * MOST + 1))) - MOST]) {
            if (operation === "add_points" || b !== 0) pairs.push([a, b]);
          }
        }
        const wide = (x: bigint, multiple: bigint) => toDevice(x) + random(multiple) * FQ_MODULUS;
        const encode = (k: number, affine: boolean): bigint[] => {
          const point = affine ? ([...points.get(k)!, ZERO, ZERO] as const) : accumulator(k);
          const infinite = !affine && k === 0;
          return point.flatMap(({ c0, c1 }, i) => {
            const multiple = affine ? (i === 1 ? 2n : 1n) : i < 2 ? 4n : 2n;
            const parts = group === "g1" ? [c0] : [c0, c1];
            return parts.map((part) => (infinite && i === 2 ? 0n : wide(part, multiple)));
          });
        };
        const values = pairs.flatMap(([a, b]) => [...encode(a, false), ...encode(b, operation === "add_base")]);
        const size = 4 * elementVectors(group) * 4;
        const code = additions(group, spelled, operation);
        const groups = Math.ceil(pairs.length / GROUP);
        const output = await runKernel(device, code, [toWords(values, 8)], pairs.length * size, groups, [
          0,
          pairs.length,
        ]);
        const wrong: string[] = [];
        pairs.forEach(([a, b], i) => {
          const parts = group === "g1" ? 1 : 2;
          const stored = (k: number) => fromWords(output, i * size + 8 * k, 8);
          const coordinates = Array.from({ length: 4 }, (_, k): Fq2 => {
            const [c0, c1] = [stored(parts * k), parts === 1 ? 0n : stored(parts * k + 1)];
            const bound = (k < 2 ? 4n : 2n) * FQ_MODULUS;
            if (c0 >= bound || c1 >= bound) wrong.push(`${a} + ${b}: coordinate ${k} is out of bounds`);
            return { c0: (c0 * inverse) % FQ_MODULUS, c1: (c1 * inverse) % FQ_MODULUS };
          }) as unknown as Xyzz;
          const [x, y, zz, zzz] = coordinates;
          let right: boolean;
          if (a + b === 0) {
            right = stored(2 * parts) === 0n && (parts === 1 || stored(2 * parts + 1) === 0n);
          } else {
            const [u, v] = points.get(a + b)!;
            right =
              !Fp2.is0(zz) &&
              Fp2.eql(x, Fp2.mul(u, zz)) &&
              Fp2.eql(y, Fp2.mul(v, zzz)) &&
              Fp2.eql(Fp2.mul(Fp2.sqr(zz), zz), Fp2.sqr(zzz));
          }
          if (!right) wrong.push(`${a} + ${b}`);
        });
        expect(wrong).toEqual([]);
      });
    }
  }
});
