/** What setup computes with scalars, in both builds, against BigInt. */

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { rootOfUnity } from "../../../src/prover/wasm/constants.js";
import { fieldValue, randomBelow, rawBelow } from "../../support/arbitraries.js";
import { BUILDS, ELEMENT, FR, fromBytes, mod, R, TestKernel, toBytes } from "../../support/kernel.js";

const { p, mont, montInverse } = FR;
const inverse = (a: bigint): bigint => {
  let [x, y, u, v] = [mod(a, p), p, 1n, 0n];
  while (x !== 0n) {
    const q = y / x;
    [x, y, u, v] = [y - q * x, x, v - q * u, u];
  }
  return mod(v, p);
};

describe.each(BUILDS)("%s build", (build) => {
  let k: TestKernel;
  beforeAll(async () => {
    k = await TestKernel.open(build);
  });

  /** Elements in Montgomery form, `times` more powers of R on top. */
  const elements = (values: readonly bigint[], times = 1) => {
    const at = k.alloc(ELEMENT * values.length);
    for (const [i, value] of values.entries()) k.putRaw(at + ELEMENT * i, (value * mont ** BigInt(times)) % p);
    return at;
  };
  const scalars = (values: readonly bigint[]) => {
    const at = k.alloc(32 * values.length);
    for (const [i, value] of values.entries()) k.write(at + 32 * i, toBytes(value));
    return at;
  };
  const readScalars = (at: number, n: number) =>
    Array.from({ length: n }, (_, i) => fromBytes(k.read(at + 32 * i, 32)));
  const words = (values: readonly number[]) => {
    const at = k.alloc(4 * values.length);
    k.putU32(at, ...values);
    return at;
  };
  const value = fieldValue(FR);

  test("Lagrange polynomials", () => {
    const next = randomBelow(31);
    fc.assert(
      fc.property(
        fc.nat({ max: 40 }),
        fc.integer({ min: 1, max: 12 }),
        value,
        value,
        fc.constantFrom(1, 2),
        (n, bits, tau, factor, times) => {
          const step = rootOfUnity(bits);
          const first = next(R - 1n) + 1n;
          const xs: bigint[] = [];
          for (let x = first; xs.length < n; x = (x * step) % p) xs.push(x);
          fc.pre(!xs.includes(tau));
          k.scope(() => {
            const [out, scratch] = [k.alloc(ELEMENT * n), k.alloc(ELEMENT * n)];
            const [firstAt, stepAt, tauAt] = [first, step, tau].map((v) => elements([v])) as [number, number, number];
            k.call("setup_lagrange", out, n, firstAt, stepAt, tauAt, elements([factor], times), scratch);
            const got = xs.map((_, i) => k.getRaw(out + ELEMENT * i) % p);
            const want = xs.map((x) => (((factor * x) % p) * inverse(tau - x) * mont ** BigInt(times)) % p);
            expect(got).toEqual(want);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  test("Lagrange polynomials of a domain add up to 1", () => {
    const [bits, n, tau] = [5, 32, 987654321n];
    k.scope(() => {
      const [out, scratch] = [k.alloc(ELEMENT * n), k.alloc(ELEMENT * n)];
      const factor = ((tau ** BigInt(n) - 1n) * inverse(BigInt(n))) % p;
      const [one, step, tauAt, factorAt] = [1n, rootOfUnity(bits), tau, factor].map((v) => elements([v])) as [
        number,
        number,
        number,
        number,
      ];
      k.call("setup_lagrange", out, n, one, step, tauAt, factorAt, scratch);
      const sum = Array.from({ length: n }, (_, i) => k.get(FR, out + ELEMENT * i)).reduce((a, b) => a + b, 0n);
      expect(sum % p).toBe(1n);
    });
  });

  test("columns of a sparse matrix at the rows' values", () => {
    const entry = fc.record({ row: fc.nat({ max: 4 }), wire: fc.nat({ max: 5 }), coefficient: value });
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 30 }),
        fc.array(value, { minLength: 5, maxLength: 5 }),
        fc.array(value, { minLength: 6, maxLength: 6 }),
        (entries, rowValues, start) => {
          k.scope(() => {
            const sums = elements(start);
            const rows = words(entries.map(({ row }) => row));
            const wires = words(entries.map(({ wire }) => wire));
            const coefficients = scalars(entries.map(({ coefficient }) => coefficient));
            k.call("setup_accumulate", sums, elements(rowValues, 2), entries.length, rows, wires, coefficients);
            const want = [...start];
            for (const { row, wire, coefficient } of entries) {
              want[wire] = (want[wire]! + coefficient * rowValues[row]!) % p;
            }
            expect(want.map((_, i) => k.get(FR, sums + ELEMENT * i))).toEqual(want);
          });
        },
      ),
    );
  });

  test("scaling in place, and plain bytes", () => {
    const raw = rawBelow(FR, 2n * p);
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), value, fc.array(raw, { maxLength: 6 }), (values, factor, raws) => {
        k.scope(() => {
          const at = scalars(values);
          k.call("setup_scale", at, values.length, elements([factor]));
          expect(readScalars(at, values.length)).toEqual(values.map((v) => (v * factor) % p));

          const from = k.alloc(ELEMENT * raws.length);
          for (const [i, v] of raws.entries()) k.putRaw(from + ELEMENT * i, v);
          const out = k.alloc(32 * raws.length);
          k.call("setup_bytes", out, from, raws.length);
          expect(readScalars(out, raws.length)).toEqual(raws.map((v) => (v * montInverse) % p));
        });
      }),
    );
  });

  test("combinations factor·(β·a + α·b + c)", () => {
    const triple = fc.tuple(value, value, value);
    fc.assert(
      fc.property(fc.array(triple, { maxLength: 6 }), value, value, value, (triples, alpha, beta, factor) => {
        k.scope(() => {
          const n = triples.length;
          const out = k.alloc(32 * n);
          const [a, b, c] = [0, 1, 2].map((i) => elements(triples.map((t) => t[i]!))) as [number, number, number];
          const [alphaAt, betaAt, factorAt] = [alpha, beta, factor].map((v) => elements([v])) as [
            number,
            number,
            number,
          ];
          k.call("setup_combine", out, a, b, c, n, alphaAt, betaAt, factorAt);
          expect(readScalars(out, n)).toEqual(
            triples.map(([a, b, c]) => (((beta * a + alpha * b + c) % p) * factor) % p),
          );
        });
      }),
    );
  });
});
