/** What setup computes with scalars, in both builds, against BigInt. */

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { rootOfUnity } from "../../../src/prover/wasm/constants.js";
import { fieldValue, normalRaw, randomBelow } from "../../support/arbitraries.js";
import { describeBuilds, FR, inverse, R, type TestKernel } from "../../support/kernel.js";

const { p } = FR;

describeBuilds((build, kernel) => {
  let k: TestKernel;
  beforeAll(() => {
    k = kernel();
  });

  /** Elements in Montgomery form, with `times` factors R instead of one. */
  const elements = (values: readonly bigint[], times = 1) => {
    const at = k.elements(values.length);
    for (const [i, value] of values.entries()) {
      k.put(FR, at + k.element * i, times === 1 ? value : k.toMont(FR, value));
    }
    return at;
  };
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
            const [out, scratch] = [k.elements(n), k.elements(n)];
            const [firstAt, stepAt, tauAt] = [first, step, tau].map((v) => elements([v])) as [number, number, number];
            k.call("setup_lagrange", out, n, firstAt, stepAt, tauAt, elements([factor], times), scratch);
            const got = xs.map((_, i) => {
              const once = k.get(FR, out + k.element * i);
              return times === 1 ? once : k.fromMont(FR, once);
            });
            const want = xs.map((x) => (((factor * x) % p) * inverse(tau - x, p)) % p);
            expect(got).toEqual(want);
          });
        },
      ),
      { numRuns: build.runs(60) },
    );
  });

  test("Lagrange polynomials of a domain add up to 1", () => {
    const [bits, n, tau] = [5, 32, 987654321n];
    k.scope(() => {
      const [out, scratch] = [k.elements(n), k.elements(n)];
      const factor = ((tau ** BigInt(n) - 1n) * inverse(BigInt(n), p)) % p;
      const [one, step, tauAt, factorAt] = [1n, rootOfUnity(bits), tau, factor].map((v) => elements([v])) as [
        number,
        number,
        number,
        number,
      ];
      k.call("setup_lagrange", out, n, one, step, tauAt, factorAt, scratch);
      const sum = Array.from({ length: n }, (_, i) => k.get(FR, out + k.element * i)).reduce((a, b) => a + b, 0n);
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
            const coefficients = k.scalars(entries.map(({ coefficient }) => coefficient));
            k.call("setup_accumulate", sums, elements(rowValues, 2), entries.length, rows, wires, coefficients);
            const want = [...start];
            for (const { row, wire, coefficient } of entries) {
              want[wire] = (want[wire]! + coefficient * rowValues[row]!) % p;
            }
            expect(want.map((_, i) => k.get(FR, sums + k.element * i))).toEqual(want);
          });
        },
      ),
    );
  });

  test("scaling in place, and plain bytes", () => {
    const raw = normalRaw(FR, build.layout);
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), value, fc.array(raw, { maxLength: 6 }), (values, factor, raws) => {
        k.scope(() => {
          const at = k.scalars(values);
          k.call("setup_scale", at, values.length, elements([factor]));
          expect(k.readScalars(at, values.length)).toEqual(values.map((v) => (v * factor) % p));

          const from = k.elements(raws.length);
          for (const [i, v] of raws.entries()) k.putRaw(from + k.element * i, v);
          const out = k.alloc(32 * raws.length);
          k.call("setup_bytes", out, from, raws.length);
          expect(k.readScalars(out, raws.length)).toEqual(raws.map((v) => k.fromMont(FR, v)));
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
          expect(k.readScalars(out, n)).toEqual(
            triples.map(([a, b, c]) => (((beta * a + alpha * b + c) % p) * factor) % p),
          );
        });
      }),
    );
  });
});
