/**
 * What `scripts/field-int.mjs` promises beyond normal operands: limbs as heavy as allowed, values as large as allowed,
 * quotient estimates at the edge. Products are checked to the last bit against Montgomery reduction by BigInt.
 */

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { heaviestLimbs, limbVector, normalRaw, rawBetween } from "../../support/arbitraries.js";
import {
  describeBuilds,
  type Field,
  FQ,
  FR,
  INT,
  inverse,
  joinLimbs,
  lesser,
  mod,
  type TestKernel,
} from "../../support/kernel.js";

const LANES = [0, 1] as const;
const LIMB = 1n << INT.bits;
/** Largest limb of an unreduced factor, and of one whose partner has it too. */
const HEAVY = 3n * LIMB - 1n;
const BOTH_HEAVY = 2n * LIMB - 1n;
const split = INT.split;
const join = (limbs: readonly bigint[]) => joinLimbs(INT, limbs);
const almostReduced = ({ p }: Field) => p + p / 1000n;
const below = (field: Field, max: bigint) => rawBetween(field, 0n, max - 1n, INT);

/** What Montgomery reduction makes of any t ≥ 0: exactly (t + q·p) / R with q < R. */
function redc({ p }: Field, t: bigint): bigint {
  const R = INT.radix;
  // R·(1/R mod p) - p·n = 1
  const n = (R * inverse(R, p) - 1n) / p;
  const q = ((t % R) * (n % R)) % R;
  return (t + q * p) / R;
}

test("columns: nine products of limbs and nine of the reduction stay below 2^64", () => {
  const normal = LIMB - 1n;
  for (const { p } of [FQ, FR]) {
    const reduction = split(p).reduce((sum, limb) => sum + normal * limb, 0n);
    const lazy = 2n * LIMB - 2n;
    // carry from below, the summand of mulAdd2 and the bias
    const slack = (1n << 36n) + (1n << 32n) + (1n << 34n);
    for (const products of [
      9n * HEAVY * normal,
      9n * BOTH_HEAVY ** 2n,
      // mulFq2: a0·b0 + a1·(4p - b1)
      9n * normal * (normal + lazy),
      // sqrFq2: (a0 + a1)·(a0 - a1 + 4p)
      9n * 2n * normal * (normal + lazy),
    ]) {
      expect(products + reduction + slack).toBeLessThan(1n << 64n);
    }
  }
});

describeBuilds(
  ({ runs }, kernel) => {
    let k: TestKernel;
    beforeAll(() => {
      k = kernel();
    });

    /** Result of an operation on limbs, read by `read`. */
    function apply<T>(name: string, operands: readonly (readonly bigint[])[], read: (out: number) => T): T {
      return k.scope(() => {
        const out = k.elements(1);
        const addresses = operands.map((limbs) => {
          const at = k.elements(1);
          k.putLimbs(at, limbs);
          return at;
        });
        k.call(name, out, ...addresses);
        return read(out);
      });
    }
    type Lanes = readonly [readonly bigint[], readonly bigint[]];
    function applyPair<T>(name: string, operands: readonly Lanes[], read: (out: number, lane: 0 | 1) => T): [T, T] {
      return k.scope(() => {
        const out = k.pairs(1);
        const addresses = operands.map((limbs) => {
          const at = k.pairs(1);
          for (const lane of LANES) k.putLimbs(at, limbs[lane], lane);
          return at;
        });
        k.call(name, out, ...addresses);
        return [read(out, 0), read(out, 1)];
      });
    }
    const raw = (out: number, lane?: 0 | 1) => k.getRaw(out, lane);
    /** The integer, whatever the limbs. */
    const any = (out: number, lane?: 0 | 1) => join(k.getLimbs(out, lane));
    const lanes = (a: bigint, b: bigint): Lanes => [split(a), split(b)];

    describe.each([FQ, FR])("$name", (field) => {
      const { name, p } = field;
      const normal = normalRaw(field, INT);

      test("products of the heaviest limbs", () => {
        const a = fc.oneof(limbVector(INT, HEAVY), limbVector(INT, LIMB - 1n), normal.map(split));
        const b = fc.oneof(limbVector(INT, LIMB - 1n), normal.map(split));
        const c = limbVector(INT, BOTH_HEAVY);
        const product = (x: readonly bigint[], y: readonly bigint[]) => redc(field, join(x) * join(y));
        fc.assert(
          fc.property(a, a, b, b, c, c, (a0, a1, b0, b1, c0, c1) => {
            expect(apply(`${name}_mul`, [a0, b0], any)).toBe(product(a0, b0));
            expect(apply(`${name}_mul`, [c0, c1], any)).toBe(product(c0, c1));
            expect(apply(`${name}_sqr`, [c0], any)).toBe(product(c0, c0));
            const [first, second, third] = [[a0, a1] as const, [b0, b1] as const, [c0, c1] as const];
            expect(applyPair(`${name}_mul2`, [first, second], any)).toEqual([product(a0, b0), product(a1, b1)]);
            expect(applyPair(`${name}_mul2`, [third, third], any)).toEqual([product(c0, c0), product(c1, c1)]);
          }),
          { numRuns: runs(300) },
        );
      });

      test("products are normal while the factors multiply to less than 2^261·p", () => {
        const limit = INT.radix * p;
        fc.assert(
          fc.property(below(field, 90n * p), normal, (big, b) => {
            const a = b === 0n ? big : lesser(big, (limit - 1n) / b);
            const product = apply(`${name}_mul`, [heaviestLimbs(a, HEAVY), split(b)], raw);
            expect(product).toBe(redc(field, a * b));
            expect(product).toBeLessThan(2n * p);
          }),
          { numRuns: runs(300) },
        );
      });

      test("sums of unreduced elements come back below 1.001p", () => {
        const wide = below(field, 4n * p + 1n);
        fc.assert(
          fc.property(normal, wide, wide, (a, b, c) => {
            for (const [op, operands, want] of [
              ["add", [b, c], b + c],
              ["sub", [a, b], a - b],
              ["sub", [b, c], b - c],
              ["neg", [b], -b],
            ] as const) {
              const got = apply(`${name}_${op}`, operands.map(split), raw);
              expect(mod(got, p)).toBe(mod(want, p));
              expect(got).toBeLessThan(almostReduced(field));
            }
          }),
          { numRuns: runs(500) },
        );
      });

      test("canonical and fromMont of anything below 8p", () => {
        const cases: bigint[] = [];
        for (let n = 0n; n < 8n; n++) cases.push(n * p, n * p + 1n, n * p + (1n << 232n), (n + 1n) * p - 1n);
        const check = (a: bigint) => {
          expect(apply(`${name}_canonical`, [split(a)], raw)).toBe(a % p);
          expect(apply(`${name}_fromMont`, [split(a)], raw)).toBe(k.fromMont(field, a));
          if (name === "fq") {
            const zero = k.scope(() => {
              const at = k.elements(1);
              k.putRaw(at, a);
              return k.call("fq_isZero", at);
            });
            expect(zero).toBe(a % p === 0n ? 1 : 0);
          }
        };
        cases.forEach(check);
        fc.assert(fc.property(below(field, 8n * p), check), { numRuns: runs(500) });
      });

      if (name === "fq") {
        test("lazy differences hold every limb without a borrow, and are light enough for a factor", () => {
          fc.assert(
            fc.property(normal, normal, normal, normal, (a0, a1, b0, b1) => {
              const lazy = applyPair("fq_subLazy2", [lanes(a0, a1), lanes(b0, b1)], (out, lane) =>
                k.getLimbs(out, lane),
              );
              expect(lazy.map(join)).toEqual([a0 - b0 + 4n * p, a1 - b1 + 4n * p]);
              for (const limb of lazy.flat()) expect(limb).toBeLessThanOrEqual(HEAVY);
            }),
            { numRuns: runs(300) },
          );
        });
      }

      test("add2 up to 30p and sub2 down to -2.9p", () => {
        const share = below(field, 15n * p);
        const below29 = below(field, (29n * p) / 10n);
        fc.assert(
          fc.property(share, share, below29, below29, (a, b, c, d) => {
            // the sum of both limbs must stay below 2^31
            const heavy = [heaviestLimbs(a, BOTH_HEAVY), heaviestLimbs(b, BOTH_HEAVY)] as const;
            const sums = applyPair(`${name}_add2`, [heavy, [heavy[1], heavy[1]]], raw);
            const differences = applyPair(`${name}_sub2`, [lanes(0n, c), lanes(c, d)], raw);
            const wants = [a + b, 2n * b, -c, c - d];
            for (const [i, got] of [...sums, ...differences].entries()) {
              expect(mod(got, p)).toBe(mod(wants[i]!, p));
              expect(got).toBeLessThan(almostReduced(field));
            }
          }),
          { numRuns: runs(300) },
        );
      });

      test("mulAdd2 at the bounds of factors and summand", () => {
        const limit = INT.radix * p;
        const top = (1n << 32n) - 1n;
        const factor = below(field, 84n * p);
        const summand = below(field, 29n * p).map((s) => s + p);
        fc.assert(
          fc.property(factor, normal, summand, summand, fc.boolean(), (a, b, s, t, heavy) => {
            fc.pre(a * b < limit);
            const spread = (v: bigint) => (heavy ? heaviestLimbs(v, top) : split(v));
            const operands: Lanes[] = [
              [heaviestLimbs(a, HEAVY), split(b)],
              [split(b), split(b)],
              [spread(s), spread(t)],
            ];
            const results = applyPair(`${name}_mulAdd2`, operands, raw);
            for (const [i, want] of [redc(field, a * b) + s, redc(field, b * b) + t].entries()) {
              expect(results[i]! % p).toBe(want % p);
              expect(results[i]).toBeLessThan(almostReduced(field));
            }
          }),
          { numRuns: runs(400) },
        );
      });

      test("reductions right at the multiples of p, where the quotient estimate may be off by one", () => {
        const offset = fc.oneof(
          fc.bigInt({ min: -4n, max: 4n }),
          fc.bigInt({ min: -8n, max: 8n }).map((n) => n << 232n),
          fc.bigInt({ min: -(1n << 236n), max: 1n << 236n }),
        );
        fc.assert(
          fc.property(normal, normal, fc.bigInt({ min: 2n, max: 30n }), offset, offset, (a, b, n, d, e) => {
            const product = redc(field, a * b);
            const s = mod(n * p + d - product - p, 29n * p) + p;
            const t = mod(n * p + e - product - p, 29n * p) + p;
            const results = applyPair(`${name}_mulAdd2`, [lanes(a, a), lanes(b, b), lanes(s, t)], raw);
            const x = mod(n * p + d, 30n * p);
            const y = x < 15n * p ? 0n : x - 15n * p;
            const sums = applyPair(`${name}_add2`, [lanes(x - y, y), lanes(y, x - y)], raw);
            const wants = [product + s, product + t, x, x];
            for (const [i, got] of [...results, ...sums].entries()) {
              expect(got % p).toBe(wants[i]! % p);
              expect(got).toBeLessThan(almostReduced(field));
            }
          }),
          { numRuns: runs(400) },
        );
      });
    });

    describe("fq2", () => {
      const { p } = FQ;
      const normal = normalRaw(FQ, INT);
      const rawElement = fc.tuple(normal, normal);
      const onRaw = (op: string, ...operands: (readonly [bigint, bigint])[]) =>
        applyPair(
          `fq2_${op}`,
          operands.map(([c0, c1]) => lanes(c0, c1)),
          raw,
        );
      type Raw = readonly [bigint, bigint];
      const product = ([a0, a1]: Raw, [b0, b1]: Raw) => [
        redc(FQ, a0 * b0 + a1 * (4n * p - b1)),
        redc(FQ, a0 * b1 + a1 * b0),
      ];
      const square = ([a0, a1]: Raw) => [redc(FQ, (a0 + a1) * (a0 - a1 + 4n * p)), redc(FQ, 2n * a0 * a1)];

      test("products of normal operands", () => {
        fc.assert(
          fc.property(rawElement, rawElement, (a, b) => {
            expect(onRaw("mul", a, b)).toEqual(product(a, b));
            expect(onRaw("sqr", a)).toEqual(square(a));
          }),
          { numRuns: runs(400) },
        );
      });

      test("the heaviest normal operands", () => {
        // every limb but the last is 2^29 - 1, or 0, the value below 2p
        const top = (2n * p) >> 232n;
        const ends = [(top << 232n) - 1n, (top - 1n) << 232n, 2n * p - 1n, 0n];
        for (const a0 of ends) {
          for (const a1 of ends) {
            for (const b0 of ends) {
              for (const b1 of ends) expect(onRaw("mul", [a0, a1], [b0, b1])).toEqual(product([a0, a1], [b0, b1]));
            }
            expect(onRaw("sqr", [a0, a1])).toEqual(square([a0, a1]));
          }
        }
      });

      test("mulAdd and sqrAdd with the heaviest summands", () => {
        const top = (1n << 32n) - 1n;
        const summand = below(FQ, 29n * p).map((s) => s + p);
        fc.assert(
          fc.property(rawElement, rawElement, summand, summand, fc.boolean(), (a, b, s0, s1, heavy) => {
            const spread = (v: bigint) => (heavy ? heaviestLimbs(v, top) : split(v));
            const s: Lanes = [spread(s0), spread(s1)];
            for (const [op, operands, want] of [
              ["mulAdd", [lanes(...a), lanes(...b), s], product(a, b)],
              ["sqrAdd", [lanes(...a), s], square(a)],
            ] as const) {
              const got = applyPair(`fq2_${op}`, operands, raw);
              expect(got.map((c) => c % p)).toEqual([(want[0]! + s0) % p, (want[1]! + s1) % p]);
              for (const c of got) expect(c).toBeLessThan(almostReduced(FQ));
            }
          }),
          { numRuns: runs(300) },
        );
      });
    });

    test("sumLanes of 2^12 elements is below 1.01p", () => {
      const { p } = FR;
      // the error of the quotient grows with the sum: most of it shows where the sum is a little above a multiple of p
      for (let i = 0n; i < 40n; i++) {
        k.scope(() => {
          const n = 4095;
          const pairs = k.pairs(2048);
          for (const lane of LANES) k.putRaw(pairs, 2n * p - 1n, lane);
          for (let filled = 1; filled < 2048; filled *= 2) k.move(pairs + filled * k.pair, pairs, filled * k.pair);
          const last = p + (i * p) / 2000n;
          k.putRaw(pairs + 7 * k.pair, last, 1);
          const out = k.pairs(1);
          k.call("fr_sumLanes", out, 0, pairs, 0, n);
          expect(k.getRaw(out, 0)).toBeLessThan((101n * p) / 100n);
          expect(k.getRaw(out, 0) % p).toBe((4094n * (2n * p - 1n) + last) % p);
        });
      }
    });
  },
  ["int"],
);
