/**
 * The transforms of both builds: from values on the domain to values on its odd coset, whatever the domain is cut into,
 * against evaluation by BigInt.
 */

import { beforeAll, expect, test } from "vitest";
import { rootOfUnity } from "../../../src/prover/wasm/constants.js";
import { fieldEdges, randomBelow } from "../../support/arbitraries.js";
import { describeBuilds, FR, R, type TestKernel } from "../../support/kernel.js";

const { p } = FR;
const powers = (base: bigint, n: number, first = 1n): bigint[] => {
  const out: bigint[] = [];
  for (let i = 0, x = first; i < n; i++, x = (x * base) % R) out.push(x);
  return out;
};

/** The polynomial at one point. */
const evaluate = (coefficients: readonly bigint[], x: bigint): bigint =>
  coefficients.reduceRight((sum, c) => (sum * x + c) % R, 0n);

/** The polynomial at x·ω^i, i < n, for n = 2^bits coefficients. */
function evaluateAll(coefficients: readonly bigint[], x: bigint, omega: bigint): bigint[] {
  const n = coefficients.length;
  if (n === 1) return [coefficients[0]!];
  const part = (odd: number) =>
    evaluateAll(
      coefficients.filter((_, i) => i % 2 === odd),
      (x * x) % R,
      (omega * omega) % R,
    );
  const [even, odd] = [part(0), part(1)];
  return powers(omega, n, x).map((at, i) => (even[i % (n / 2)]! + at * odd[i % (n / 2)]!) % R);
}

test("the oracle: evaluation by halves is evaluation", () => {
  const next = randomBelow(1);
  const coefficients = Array.from({ length: 16 }, () => next(R));
  const omega = rootOfUnity(4);
  const all = evaluateAll(coefficients, 7n, omega);
  for (const [i, x] of powers(omega, 16, 7n).entries()) expect(all[i]).toBe(evaluate(coefficients, x));
});

describeBuilds((_, kernel) => {
  let k: TestKernel;
  beforeAll(() => {
    k = kernel();
  });

  const lane = (i: number) => (i & 1) as 0 | 1;

  /** Tables of a domain, at addresses. */
  function tables(bits: number) {
    const n = 2 ** bits;
    const [twiddles, coset] = [k.pairs(n / 2), k.pairs(n / 2)];
    const [root, shift, inverse] = [k.elements(1), k.elements(1), k.elements(1)];
    k.put(FR, root, rootOfUnity(bits));
    k.put(FR, shift, rootOfUnity(bits + 1));
    // 1/n
    k.put(FR, inverse, powers((R + 1n) / 2n, bits + 1).at(-1)!);
    k.call("ntt_twiddles", twiddles, root, bits);
    k.call("ntt_coset", coset, shift, inverse, bits);
    return { twiddles, coset };
  }

  /** Both transforms, cut as the prover does. */
  function transform(values: readonly bigint[], bits: number, partBits: number, columns: number): bigint[] {
    return k.scope(() => {
      const { twiddles, coset } = tables(bits);
      const n = 2 ** bits;
      const poly = k.pairs(n / 2);
      for (const [i, value] of values.entries()) k.putRaw(poly + (i >> 1) * k.pair, value, lane(i));
      const block = 2 ** (bits - partBits);
      const step = block / columns;
      const outer = (name: string) => {
        for (let from = 0; from < block; from += step) k.call(name, poly, twiddles, bits, partBits, from, from + step);
      };
      outer("ntt_outerDif");
      for (let part = 0; part < 2 ** partBits; part++) k.call("ntt_block", poly, twiddles, coset, bits, partBits, part);
      outer("ntt_outerDit");
      return Array.from({ length: n }, (_, i) => {
        const at = poly + (i >> 1) * k.pair;
        // what qap_quotient takes
        if (k.getRaw(at, lane(i)) > (101n * p) / 100n) throw new Error(`position ${i} is not below 1.01p`);
        return k.get(FR, at, lane(i));
      });
    });
  }

  /** Position m of the result holds the value at g·ω^(-m). */
  function expected(coefficients: readonly bigint[], bits: number): bigint[] {
    const [g, omega, n] = [rootOfUnity(bits + 1), rootOfUnity(bits), 2 ** bits];
    const onCoset = evaluateAll(coefficients, g, omega);
    return Array.from({ length: n }, (_, m) => onCoset[(n - m) % n]!);
  }

  test("twiddles and coset factors", () => {
    for (const bits of [1, 2, 3, 6]) {
      k.scope(() => {
        const n = 2 ** bits;
        const { twiddles, coset } = tables(bits);
        const omega = rootOfUnity(bits);
        for (let m = n / 2; m >= 2; m /= 2) {
          const layer = powers(powers(omega, n / (2 * m) + 1).at(-1)!, m);
          for (const [j, w] of layer.entries()) {
            expect(k.get(FR, twiddles + (m / 2 + (j >> 1)) * k.pair, lane(j))).toBe(w);
          }
        }
        const shifts = powers(rootOfUnity(bits + 1), n);
        for (let position = 0; position < n; position++) {
          let reversed = 0;
          for (let b = 0; b < bits; b++) if ((position >> b) & 1) reversed |= 1 << (bits - 1 - b);
          const want = shifts[(n - reversed) % n]!;
          expect((k.get(FR, coset + (position >> 1) * k.pair, lane(position)) * BigInt(n)) % R).toBe(want);
        }
      });
    }
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])("domain of 2^%i", (bits) => {
    const n = 2 ** bits;
    const next = randomBelow(bits);
    const coefficients = Array.from({ length: n }, () => next(R));
    const values = evaluateAll(coefficients, 1n, rootOfUnity(bits)).map((v) => k.canonical(FR, v));
    const want = expected(coefficients, bits);
    for (const m of [0, 1, n - 1]) {
      const x = (rootOfUnity(bits + 1) * powers(rootOfUnity(bits), n)[(n - m) % n]!) % R;
      expect(want[m]).toBe(evaluate(coefficients, x));
    }
    for (let partBits = (bits - 1) >> 1; partBits >= 0; partBits--) {
      const parts = 2 ** partBits;
      // from one stretch of columns to as many as the prover makes
      for (const columns of new Set([1, parts])) {
        expect(transform(values, bits, partBits, columns), `${parts} parts, ${columns} stretches`).toEqual(want);
      }
    }
  });

  test("values at the edges, reduced or not", () => {
    const edges = fieldEdges(FR);
    for (const bits of [1, 2, 5]) {
      const n = 2 ** bits;
      const next = randomBelow(bits + 50);
      const pick = () => edges[Number(next(BigInt(edges.length)))]!;
      const ends =
        k.layout.arithmetic === "int"
          ? [0n, p - 1n, p, (101n * p) / 100n]
          : [(-51n * p) / 100n, -(1n << 50n), p >> 1n, (51n * p) / 100n];
      const vectors = [
        () => k.canonical(FR, pick()),
        () => k.canonical(FR, pick()),
        () => k.canonical(FR, pick()),
        // what sums of rows and products may come to
        ...ends.map((end) => () => end),
        () => ends[Number(next(4n))]!,
      ];
      for (const fill of vectors) {
        const raws = Array.from({ length: n }, fill);
        const inverse = evaluateAll(
          raws.map((raw) => k.fromMont(FR, raw)),
          1n,
          powers(rootOfUnity(bits), n).at(-1)!,
        );
        const scale = powers((R + 1n) / 2n, bits + 1).at(-1)!;
        const want = expected(
          inverse.map((v) => (v * scale) % R),
          bits,
        );
        for (let partBits = (bits - 1) >> 1; partBits >= 0; partBits--) {
          expect(transform(raws, bits, partBits, 1)).toEqual(want);
        }
      }
    }
  });
});
