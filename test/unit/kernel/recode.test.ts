/** GLV halves and signed digits of scalars, in both builds: the digits of a scalar add up to it, and keep their bounds. */

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { glv } from "../../../scripts/bn254.mjs";
import { windowCount } from "../../../src/prover/wasm/msm.js";
import { randomBelow, scalar, scalarEdges } from "../../support/arbitraries.js";
import { describeBuilds, LAMBDA, lesser, mod, R, type TestKernel, toBytes } from "../../support/kernel.js";

const { a1, b1, a2, b2 } = glv() as { a1: bigint; b1: bigint; a2: bigint; b2: bigint };
/** Scalars below this, and their negatives, are one half: nothing is multiplied. */
const SMALL = 1n << 126n;
const BITS = Array.from({ length: 14 }, (_, i) => i + 3);
/** Halves are within half a cell of the lattice, and the error of the rounded factors: less than 0.09 of a vector each. */
const LONGEST = (-lesser(-a1 - a2, -b1 - b2) * 59n) / 100n;
const abs = (x: bigint) => (x < 0n ? -x : x);

describeBuilds((build, kernel) => {
  let k: TestKernel;
  beforeAll(() => {
    k = kernel();
  });

  /** The halves that the digits of each scalar stand for; throws where a digit is out of range. */
  function halves(scalars: readonly bigint[], c: number): [bigint, bigint][] {
    return k.scope(() => {
      const n = scalars.length;
      const windows = windowCount(c);
      const digits = k.alloc(4 * n * windows);
      const at = k.scalars(scalars);
      for (let i = 0; i < n; i++) k.call("fr_recode", at + 32 * i, digits + 2 * i, 2 * n, 4 * n, c, windows);
      const half = (first: number) => {
        let sum = 0n;
        for (let w = windows - 1; w >= 0; w--) {
          const digit = k.i16(first + 4 * n * w);
          if (Math.abs(digit) > 2 ** (c - 1)) throw new Error(`digit ${digit} of ${c} bits`);
          sum = (sum << BigInt(c)) + BigInt(digit);
        }
        return sum;
      };
      return scalars.map((_, i) => [half(digits + 2 * i), half(digits + 2 * n + 2 * i)]);
    });
  }

  function check(scalars: readonly bigint[], c: number): void {
    for (const [i, [first, second]] of halves(scalars, c).entries()) {
      const s = scalars[i]!;
      const fault = (() => {
        if (mod(first + LAMBDA * second - s, R) !== 0n) return "the digits make another scalar";
        if (abs(first) >= 1n << 127n || abs(second) >= 1n << 127n) return "a half is too long";
        if (second !== 0n && (abs(first) > LONGEST || abs(second) > LONGEST))
          return "a half is not rounded to the nearest";
        const small = s < SMALL ? s : R - s < SMALL ? s - R : undefined;
        if (small !== undefined && (first !== small || second !== 0n)) return "a small scalar is not one half";
        return undefined;
      })();
      if (fault !== undefined) expect.fail(`${fault}: ${s} = ${first} + λ·${second}, digits of ${c} bits`);
    }
  }

  describe.each(BITS)("digits of %i bits", (c) => {
    test("edges", () => check(scalarEdges(), c));

    test("all digits at the ends of their range", () => {
      const patterns = [];
      for (const digit of [(1n << BigInt(c - 1)) - 1n, 1n << BigInt(c - 1), (1n << BigInt(c)) - 1n]) {
        let sum = 0n;
        for (let w = 0; w < 127; w += c) sum += digit << BigInt(w);
        for (const bits of [64n, 100n, 125n, 126n, 127n, 128n]) patterns.push(sum % (1n << bits));
      }
      check(
        patterns.flatMap((s) => [s, mod(-s, R), mod(s * LAMBDA, R), mod(-s * LAMBDA, R)]),
        c,
      );
    });

    test("one half up to 2^127", () => {
      const next = randomBelow(c);
      const scalars = Array.from({ length: 200 }, (_, i) => (1n << 127n) - 1n - next(1n << BigInt(i % 127)));
      check(
        scalars.flatMap((s) => [s, R - s]),
        c,
      );
    });

    test("random scalars", () => {
      const next = randomBelow(100 + c);
      check(
        Array.from({ length: build.runs(1500) }, () => next(R)),
        c,
      );
    });
  });

  test("scalars right at the boundaries of the rounding", () => {
    const next = randomBelow(4);
    const scalars: bigint[] = [];
    for (const b of [b1, b2]) {
      for (let i = 0; i < build.runs(300); i++) {
        // k·b/r halfway between two integers
        const j = i < 3 ? BigInt(i) : next(b);
        const middle = ((2n * j + 1n) * R) / (2n * b);
        scalars.push(...[-2n, -1n, 0n, 1n, 2n].map((d) => mod(middle + d, R)));
        scalars.push(...[-1n, 0n, 1n].map((d) => mod((j * R) / b + d, R)));
      }
    }
    for (let j = 0n; j < 100n; j++) scalars.push(mod(j * LAMBDA, R), mod(-j * LAMBDA, R), mod((R >> 1n) + j - 50n, R));
    for (const c of [3, 4, 8, 13, 16]) check(scalars, c);
  });

  test("scalars at the corners of the lattice's cell, where both halves are largest", () => {
    const scalars: bigint[] = [];
    for (const [s, t] of [
      [1n, 1n],
      [1n, -1n],
      [-1n, 1n],
      [-1n, -1n],
    ] as const) {
      for (let i = -20n; i <= 20n; i++) {
        for (let j = -2n; j <= 2n; j++) {
          const first = (s * a1 + t * a2) / 2n + i;
          const second = (-s * b1 + t * b2) / 2n + j;
          scalars.push(mod(first + LAMBDA * second, R));
        }
      }
    }
    for (const c of [3, 4, 8, 13, 16]) check(scalars, c);
  });

  test("any scalar with any digits", () => {
    fc.assert(
      fc.property(fc.array(scalar(), { minLength: 1, maxLength: 8 }), fc.constantFrom(...BITS), (scalars, c) => {
        check(scalars, c);
      }),
      { numRuns: build.runs(300) },
    );
  });

  test("more windows than needed hold zeros", () => {
    k.scope(() => {
      const digits = k.alloc(4 * 20);
      for (const s of [0n, 1n, R - 1n, LAMBDA, R >> 1n]) {
        k.call("fr_recode", k.bytes(toBytes(s)), digits, 2, 4, 8, 20);
        for (let w = 17; w < 20; w++) expect([k.i16(digits + 4 * w), k.i16(digits + 4 * w + 2)]).toEqual([0, 0]);
      }
    });
  });

  describe("qap_witness", () => {
    test("recodes and keeps the limbs of a stretch", () => {
      const next = randomBelow(9);
      const values = [...scalarEdges().slice(0, 60), ...Array.from({ length: 40 }, () => next(R))];
      const n = values.length;
      const [c, windows] = [11, windowCount(11)];
      k.scope(() => {
        const [at, limbs, digits, one] = [
          k.scalars(values),
          k.elements(n),
          k.alloc(4 * n * windows),
          k.alloc(4 * windows),
        ];
        k.fill(limbs, k.element * n, 0xff);
        k.fill(digits, 4 * n * windows, 0x77);
        const [from, to] = [13, 71];
        expect(k.call("qap_witness", limbs, at, from, to, digits, 2 * n, 4 * n, c, windows)).toBe(-1);
        for (let i = 0; i < n; i++) {
          const inside = i >= from && i < to;
          if (inside) expect(k.getRaw(limbs + k.element * i)).toBe(values[i]);
          else expect(k.read(limbs + k.element * i, k.element).every((byte) => byte === 0xff)).toBe(true);
          k.call("fr_recode", at + 32 * i, one, 2, 4, c, windows);
          for (let w = 0; w < windows; w++) {
            for (const half of [0, 1]) {
              const digit = k.i16(digits + 4 * n * w + 2 * n * half + 2 * i);
              expect(digit).toBe(inside ? k.i16(one + 4 * w + 2 * half) : 0x7777);
            }
          }
        }
        // without digits
        const other = k.elements(n);
        expect(k.call("qap_witness", other, at, 0, n, 0, 0, 0, 0, 0)).toBe(-1);
        expect(k.getRaw(other + k.element * (n - 1))).toBe(values[n - 1]);
      });
    });

    test("finds the first value that is not canonical", () => {
      k.scope(() => {
        for (const bad of [R, R + 1n, (1n << 256n) - 1n, 1n << 254n]) {
          const values = [0n, R - 1n, 5n, bad, bad, 1n];
          const [at, limbs, digits] = [k.scalars(values), k.elements(6), k.alloc(4 * 6 * 16)];
          expect(k.call("qap_witness", limbs, at, 0, 6, digits, 12, 24, 8, 16)).toBe(3);
          expect(k.call("qap_witness", limbs, at, 4, 6, digits, 12, 24, 8, 16)).toBe(4);
          expect(k.call("qap_witness", limbs, at, 0, 3, digits, 12, 24, 8, 16)).toBe(-1);
          expect(k.call("qap_witness", limbs, at, 5, 6, digits, 12, 24, 8, 16)).toBe(-1);
        }
      });
    });
  });
});
