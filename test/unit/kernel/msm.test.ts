/** Multi-scalar multiplication window by window, in both builds, against sums of discrete logarithms. */

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { SCRATCH } from "../../../src/prover/wasm/kernel.js";
import type { Digits } from "../../../src/prover/wasm/msm.js";
import { digitsSize, msmTasks, windowBits, windowCount } from "../../../src/prover/wasm/msm.js";
import { randomBelow, scalar } from "../../support/arbitraries.js";
import {
  type Coords,
  describeBuilds,
  fromZkeyPoint,
  GROUPS,
  type Group,
  LAMBDA,
  mod,
  R,
  type TestKernel,
  toBytes,
  zkeyPoint,
} from "../../support/kernel.js";

/** The largest scalar that could be one half of the decomposition: its highest digit has no room for a carry. */
const LONGEST = (1n << 127n) - 1n;
const BITS = Array.from({ length: 14 }, (_, i) => i + 3);

describeBuilds((build, kernel) => {
  let k: TestKernel;
  beforeAll(() => {
    k = kernel();
  });

  /** Bases from zkey points, and how many are not infinity. */
  function load(group: Group, data: Uint8Array, n: number) {
    const { name } = group;
    const [bases, index] = [k.alloc(n * k.call(`${name}_baseSize`)), k.alloc(4 * n)];
    const { beta, b } = k.curve[name];
    const count = k.call(`${name}_loadBases`, bases, index, k.bytes(data), n, 0, beta, b);
    expect(count).toBeGreaterThanOrEqual(0);
    return { bases, index, count };
  }

  function recode(scalars: readonly bigint[], bits: number): Digits {
    const n = scalars.length;
    const windows = windowCount(bits);
    const address = k.alloc(digitsSize(n, bits));
    const at = k.alloc(32);
    for (const [i, s] of scalars.entries()) {
      k.write(at, toBytes(s));
      k.call("fr_recode", at, address + 2 * i, 2 * n, 4 * n, bits, windows);
    }
    return { address, n, bits, windows };
  }

  /** Affine sum of windows, by the kernel. */
  function finish(group: Group, windows: number, n: number, bits: number): Coords {
    const { name } = group;
    const [out, affine] = [k.alloc(k.call(`${name}_jacobianSize`)), k.alloc(k.call(`${name}_pointSize`))];
    k.call(`${name}_horner`, out, windows, n, bits);
    k.call(`${name}_toAffine`, affine, out);
    return k.getAffine(group, affine);
  }

  /** Σ scalars[i]·points[i], `slice` bases at a time. */
  function msm(group: Group, data: Uint8Array, scalars: readonly bigint[], bits: number, slice: number): Coords {
    return k.scope(() => {
      const { name } = group;
      const { bases, index, count } = load(group, data, scalars.length);
      const digits = recode(scalars, bits);
      const size = k.call(`${name}_jacobianSize`);
      const results = k.alloc(size * digits.windows);
      const scratch = k.alloc(k.call(`${name}_msmScratch`, slice, bits));
      for (let w = 0; w < digits.windows; w++) {
        const at = digits.address + 4 * digits.n * w;
        k.call(`${name}_msmWindow`, results + size * w, bases, index, count, at, 2 * digits.n, bits, slice, scratch);
      }
      return finish(group, results, digits.windows, bits);
    });
  }

  const encode = (group: Group, logs: readonly bigint[]) => {
    const data = new Uint8Array(group.bytes * logs.length);
    for (const [i, log] of logs.entries()) data.set(zkeyPoint(group, group.coords(log)), group.bytes * i);
    return data;
  };
  const product = (scalars: readonly bigint[], logs: readonly bigint[]) =>
    scalars.reduce((sum, s, i) => (sum + s * logs[i]!) % R, 0n);
  const check = (group: Group, scalars: readonly bigint[], logs: readonly bigint[], bits: number, slice: number) =>
    expect(msm(group, encode(group, logs), scalars, bits, slice)).toEqual(group.coords(product(scalars, logs)));

  describe.each(GROUPS)("$name", (group) => {
    // few different points, so that doublings, cancellations and infinity meet in the buckets
    const log = fc.oneof(fc.constantFrom(0n, 1n, -1n, 2n, LAMBDA, -LAMBDA), fc.bigInt({ min: -9n, max: 9n }));

    test.each(BITS)("any scalars and points, digits of %i bits", (bits) => {
      const length = bits < 12 ? 24 : 12;
      fc.assert(
        fc.property(
          fc.array(fc.tuple(scalar(), log), { minLength: 1, maxLength: length }),
          fc.constantFrom(1, 2, 7, 64),
          (terms, slice) => {
            check(
              group,
              terms.map(([s]) => s),
              terms.map(([, l]) => l),
              bits,
              slice,
            );
          },
        ),
        { numRuns: build.runs(bits < 12 ? 7 : 2) },
      );
    });

    const next = randomBelow(7);
    const full = Array.from({ length: 40 }, () => next(R));
    const ones = full.map(() => 1n);
    const range = full.map((_, i) => BigInt(i + 1));
    test.each([
      ["all scalars zero", full.map(() => 0n), range],
      ["all scalars one", ones, range],
      ["all scalars r - 1", full.map(() => R - 1n), range],
      ["all scalars equal", full.map(() => full[0]!), range],
      ["scalars λ and -λ", full.map((_, i) => (i % 2 ? LAMBDA : R - LAMBDA)), range],
      ["all points equal", full, ones],
      ["all points and scalars equal", full.map(() => full[0]!), ones],
      ["all points infinity", full, full.map(() => 0n)],
      ["inverse points with equal scalars", full.map((_, i) => full[i >> 1]!), full.map((_, i) => (i % 2 ? -3n : 3n))],
      ["equal points with inverse scalars", full.map((_, i) => (i % 2 ? R - full[i >> 1]! : full[i >> 1]!)), ones],
      [
        "points and their endomorphism's images",
        full.map((_, i) => full[i >> 1]!),
        full.map((_, i) => (i % 2 ? LAMBDA : 1n)),
      ],
      [
        "halves as long as they may be, with one sign and the other",
        full.map((_, i) => (i % 2 ? LONGEST : R - LONGEST)),
        range,
      ],
      ["bits", full.map((_, i) => BigInt(i % 2)), range],
      ["one base", [full[1]!], [5n]],
      ["one base, scalar 0", [0n], [5n]],
      ["one base, infinity", [7n], [0n]],
    ] as const)("%s", (_, scalars, logs) => {
      for (const bits of [3, 4, 5, 8, 13, 16])
        for (const slice of bits < 13 ? [3, 64] : [64]) check(group, scalars, logs, bits, slice);
    });

    test("no base at all", () => {
      for (const bits of [3, 8]) expect(msm(group, new Uint8Array(0), [], bits, 1)).toEqual([]);
    });

    test("every bucket full", () => {
      // digits of the first window: 1, 2, ..., 2^(c-1) and their negatives, one window more for what is carried
      for (const bits of [3, 4, 5, 6, 7]) {
        const half = 2 ** (bits - 1);
        const scalars = Array.from({ length: 2 * half }, (_, i) => mod(BigInt(i < half ? i + 1 : half - i - 1), R));
        const logs = scalars.map((_, i) => BigInt(3 * i + 1));
        for (const slice of [5, 64]) check(group, scalars, logs, bits, slice);
      }
    });

    test("a larger sum, by discrete logarithms", () => {
      const n = 2000;
      const random = randomBelow(11);
      const kernelSize = (what: string) => k.call(`${group.name}_${what}`);
      k.scope(() => {
        const table = k.alloc(kernelSize("fixedTableSize"));
        const scratch = k.alloc(kernelSize("fixedScratch"));
        k.call(`${group.name}_fixedTable`, table, k.affine(group, group.coords(1n)), scratch);
        const logs = Array.from({ length: n }, (_, i) =>
          i % 50 === 0 ? 0n : i % 50 === 1 ? BigInt(i >> 7) : random(R),
        );
        const points = k.alloc(group.bytes * n);
        k.call(`${group.name}_fixedMul`, points, k.scalars(logs), n, table, scratch);
        const bytes = k.read(points, group.bytes * n);
        expect(fromZkeyPoint(bytes.subarray(group.bytes * 2, group.bytes * 3))).toEqual(group.coords(logs[2]!));
        const scalars = Array.from({ length: n }, (_, i) =>
          i % 4 === 0 ? random(R) : i % 4 === 1 ? random(4096n) : i % 4 === 2 ? random(2n) : R - 1n - random(100n),
        );
        const want = group.coords(product(scalars, logs));
        for (const [bits, slice] of [
          [8, 512],
          [windowBits(n), n],
          [11, 1999],
        ] as const) {
          expect(msm(group, bytes, scalars, bits, slice)).toEqual(want);
        }
      });
    });

    test("windows cut into parts add up", () => {
      const n = 25;
      const random = randomBelow(13);
      const scalars = Array.from({ length: n }, () => random(R));
      const logs = scalars.map((_, i) => BigInt(i % 9) - 4n);
      k.scope(() => {
        const { bases, index, count } = load(group, encode(group, logs), n);
        const digits = recode(scalars, 6);
        const size = k.call(`${group.name}_jacobianSize`);
        for (const parts of [1, 2, 3, 40]) {
          const results = k.alloc(size * parts * digits.windows);
          const run = { group: group.name, address: bases, index, count };
          const tasks = msmTasks(k.kernel, run, digits, parts, results);
          expect(tasks).toHaveLength(parts * digits.windows);
          for (const { calls, scratch } of tasks) {
            k.scope(() => {
              const at = k.alloc(scratch!);
              for (const [name, ...args] of calls) k.call(name, ...args.map((a) => (a === SCRATCH ? at : a)));
            });
          }
          const sums = k.alloc(size * digits.windows);
          for (let w = 0; w < digits.windows; w++) {
            k.move(sums + w * size, results + w * size, size);
            for (let p = 1; p < parts; p++) {
              k.call(`${group.name}_add`, sums + w * size, sums + w * size, results + (p * digits.windows + w) * size);
            }
          }
          expect(finish(group, sums, digits.windows, 6)).toEqual(group.coords(product(scalars, logs)));
        }
      });
    });
  });
});

test("windowBits stays within what the kernel takes, and grows", () => {
  let last = 0;
  for (let log = 0; log <= 27; log++) {
    const bits = windowBits(2 ** log);
    expect(bits).toBeGreaterThanOrEqual(Math.max(3, last));
    expect(bits).toBeLessThanOrEqual(16);
    expect(windowCount(bits) * bits).toBeGreaterThanOrEqual(128);
    last = bits;
  }
  expect(windowBits(0)).toBe(3);
});
