/**
 * What `scripts/field-fma.mjs` promises beyond normal operands: lazy factors and summands with limbs at the ends of their
 * range, values as large as allowed, quotients right between two integers, zeros with a sign.
 */

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { normalRaw, randomBelow, rawBetween } from "../../support/arbitraries.js";
import {
  describeBuilds,
  type Field,
  FMA,
  FQ,
  FR,
  inverse,
  joinLimbs,
  mod,
  type TestKernel,
  toBytes,
} from "../../support/kernel.js";

const LANES = [0, 1] as const;
const HALF = 1n << 50n;
const LOW = 204n;
const join = (limbs: readonly bigint[]) => joinLimbs(FMA, limbs);
const abs = (x: bigint) => (x < 0n ? -x : x);

type Limbs = readonly bigint[];
type Lanes = readonly [Limbs, Limbs];

/** Limbs in [-size, size], the last one so that the integer is within `bound` of 0, often close to it. */
function limbsWithin(size: bigint, bound: bigint): fc.Arbitrary<bigint[]> {
  const limb = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(size, -size, size - 1n, 1n - size, 0n, 1n, -1n) },
    { weight: 1, arbitrary: fc.bigInt({ min: -size, max: size }) },
  );
  const last = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("least", "most", "zero") },
    { weight: 1, arbitrary: fc.bigInt({ min: -bound >> LOW, max: bound >> LOW }) },
  );
  return fc.tuple(fc.array(limb, { minLength: 4, maxLength: 4 }), last).map(([low, end]) => {
    const rest = join([...low, 0n]);
    // bound ± rest, rounded towards 0
    const [most, least] = [(bound - rest) >> LOW, -((bound + rest) >> LOW)];
    const top = end === "most" ? most : end === "least" ? least : end === "zero" ? 0n : end;
    return [...low, top > most ? most : top < least ? least : top];
  });
}

/** Limbs of a normal element, of a lazy one: within 0.51p and 2^50, 1.02p and 2^51. */
const normalLimbs = ({ p }: Field) => limbsWithin(HALF, (51n * p) / 100n);
const lazyLimbs = ({ p }: Field) => limbsWithin(2n * HALF, (102n * p) / 100n);

test("columns: what is added up stays below the bias", () => {
  // per limb product a low and a high half, of two terms; of each of the folds and the last step; k·p and the summand
  const half = 2n * HALF;
  expect((2n * 5n * 2n + 5n * 2n + 5n * 2n + 2n) * half).toBeLessThan(1n << 58n);
});

test("the value before the last step: |a·b/R| and what the folds and the last row add stay within 2.5p", () => {
  const scale = 1n << 300n;
  for (const { p } of [FQ, FR]) {
    let fold = inverse(1n << 51n, p);
    if (fold > p / 2n) fold -= p;
    // digits are at most 2^50: q·fold one limb up in four rows, q·p in the last
    let own = (HALF * p * scale) >> 51n;
    for (let i = 1n; i <= 4n; i++) own += (HALF * abs(fold) * scale) >> (51n * i);
    const product = (α: bigint, β: bigint) => (α * β * p * p * scale) / 10000n / FMA.radix;
    const limit = (5n * p * scale) / 2n;
    const summand = (102n * p * scale) / 100n;
    // mul2: both lazy
    expect(own + product(102n, 102n)).toBeLessThan(limit);
    // mulAdd2: one lazy factor; mulAddFq2: two such products; sqrAddFq2: both factors lazy
    expect(own + product(51n, 102n) + summand).toBeLessThan(limit);
    expect(own + 2n * product(51n, 102n) + summand).toBeLessThan(limit);
    expect(own + product(102n, 102n) + summand).toBeLessThan(limit);
    // toMont of any 256 bits
    expect(own + ((1n << 256n) * (p / 2n) * scale) / FMA.radix).toBeLessThan(limit);
    // k·limb of p, |k| ≤ 2, is exact
    for (const limb of FMA.split(p)) expect(2n * abs(limb)).toBeLessThanOrEqual(2n * HALF);
  }
});

describeBuilds(
  ({ runs }, kernel) => {
    let k: TestKernel;
    beforeAll(() => {
      k = kernel();
    });

    /** Result of an operation on limbs: a normal element's value. */
    const apply = (field: Field, op: string, ...operands: readonly Limbs[]) =>
      k.scope(() => {
        const out = k.elements(1);
        const addresses = operands.map((limbs) => {
          const at = k.elements(1);
          k.putLimbs(at, limbs);
          return at;
        });
        k.call(`${field.name}_${op}`, out, ...addresses);
        return k.get(field, out);
      });
    const applyPair = (field: Field, name: string, ...operands: readonly Lanes[]) =>
      k.scope(() => {
        const out = k.pairs(1);
        const addresses = operands.map((limbs) => {
          const at = k.pairs(1);
          for (const lane of LANES) k.putLimbs(at, limbs[lane], lane);
          return at;
        });
        k.call(name, out, ...addresses);
        return LANES.map((lane) => k.get(field, out, lane));
      });

    describe.each([FQ, FR])("$name", (field) => {
      const { name, p } = field;
      const normal = normalLimbs(field);
      const lazy = lazyLimbs(field);
      const value = (limbs: Limbs) => k.fromMont(field, join(limbs));

      test("products of lazy factors", () => {
        fc.assert(
          fc.property(lazy, lazy, lazy, lazy, normal, (a0, a1, b0, b1, n) => {
            expect(applyPair(field, `${name}_mul2`, [a0, a1], [b0, b1])).toEqual([
              (value(a0) * value(b0)) % p,
              (value(a1) * value(b1)) % p,
            ]);
            expect(apply(field, "mul", a0, n)).toBe((value(a0) * value(n)) % p);
            expect(apply(field, "mul", n, b0)).toBe((value(b0) * value(n)) % p);
            expect(apply(field, "sqr", n)).toBe(value(n) ** 2n % p);
          }),
          { numRuns: runs(600) },
        );
      });

      test("products and lazy summands", () => {
        fc.assert(
          fc.property(lazy, normal, normal, lazy, lazy, (a, b, c, s, t) => {
            const want = [(value(a) * value(b) + value(s)) % p, (value(c) * value(b) + value(t)) % p];
            expect(applyPair(field, `${name}_mulAdd2`, [a, c], [b, b], [s, t])).toEqual(want);
            expect(applyPair(field, `${name}_mulAdd2`, [b, b], [a, c], [s, t])).toEqual(want);
          }),
          { numRuns: runs(600) },
        );
      });

      test("sums, differences and the canonical form, of limbs at both ends", () => {
        const wide = limbsWithin(2n * HALF, (3n * p) / 2n);
        fc.assert(
          fc.property(normal, normal, normal, normal, wide, (a0, a1, b0, b1, c) => {
            expect(apply(field, "add", a0, b0)).toBe((value(a0) + value(b0)) % p);
            expect(apply(field, "sub", a0, b0)).toBe(mod(value(a0) - value(b0), p));
            expect(apply(field, "neg", a0)).toBe(mod(-value(a0), p));
            expect(apply(field, "canonical", c)).toBe(value(c));
            expect(applyPair(field, `${name}_add2`, [a0, a1], [b0, b1])).toEqual([
              (value(a0) + value(b0)) % p,
              (value(a1) + value(b1)) % p,
            ]);
            expect(applyPair(field, `${name}_sub2`, [a0, a1], [b0, b1])).toEqual([
              mod(value(a0) - value(b0), p),
              mod(value(a1) - value(b1), p),
            ]);
          }),
          { numRuns: runs(600) },
        );
      });

      test("reductions right between two multiples of p", () => {
        const offset = fc.oneof(
          fc.bigInt({ min: -4n, max: 4n }),
          fc.bigInt({ min: -8n, max: 8n }).map((n) => n << LOW),
          fc.bigInt({ min: -(1n << 210n), max: 1n << 210n }),
        );
        const raw = normalRaw(field, FMA);
        const { radix } = FMA;
        fc.assert(
          fc.property(raw, raw, fc.bigInt({ min: -3n, max: 3n }), offset, offset, (a, b, n, d, e) => {
            const split = FMA.split;
            // a + b and a - b near (n/2)·p
            const near = (x: bigint) => split(mod((n * p) / 2n + x - a + p / 2n, p) - p / 2n);
            for (const other of [near(d), near(e)]) {
              expect(apply(field, "add", split(a), other)).toBe((value(split(a)) + value(other)) % p);
            }
            // a·b/R + s near (n/2)·p: what the product comes to before its reduction is known up to a multiple of p
            const product = mod(a * b * inverse(radix, p), p);
            const summand = (x: bigint) => split(mod((n * p) / 2n + x - product + p, 2n * p) - p);
            const [s, t] = [summand(d), summand(e)];
            const [x, y] = [split(a), split(b)];
            const want = [s, t].map((v) => (value(x) * value(y) + value(v)) % p);
            expect(applyPair(field, `${name}_mulAdd2`, [x, x], [y, y], [s, t])).toEqual(want);
          }),
          { numRuns: runs(500) },
        );
      });

      test("zero has a sign, and is zero all the same", () => {
        k.scope(() => {
          const negative = k.elements(1);
          // eight bytes with only the sign bit
          for (let i = 0; i < 5; i++) k.write(negative + 8 * i, toBytes(1n << 63n, 8));
          expect(k.getRaw(negative)).toBe(0n);
          if (name === "fq") expect(k.call("fq_isZero", negative)).toBe(1);
          const [bytes, other, out] = [k.alloc(32), k.elements(1), k.elements(1)];
          k.call(`${name}_toBytes`, bytes, negative);
          expect(k.readScalars(bytes, 1)).toEqual([0n]);
          k.put(field, other, 7n);
          for (const op of ["mul", "add", "sub"]) {
            k.call(`${name}_${op}`, out, negative, other);
            expect(k.get(field, out)).toBe({ mul: 0n, add: 7n, sub: p - 7n }[op]);
          }
        });
      });

      test("bytes of any normal element are those of its integer in [0, p)", () => {
        fc.assert(
          fc.property(normal, (a) => {
            k.scope(() => {
              const [at, out] = [k.elements(1), k.alloc(32)];
              k.putLimbs(at, a);
              k.call(`${name}_toBytes`, out, at);
              expect(k.readScalars(out, 1)).toEqual([mod(join(a), p)]);
            });
          }),
          { numRuns: runs(400) },
        );
      });

      test("a factor straight from bytes", () => {
        // witness values and coefficients: up to p, not within 0.51p
        const integer = rawBetween(field, 0n, p - 1n, FMA);
        fc.assert(
          fc.property(integer, normal, (a, b) => {
            const want = mod(k.fromMont(field, a * join(b)), p);
            const got = k.scope(() => {
              const [x, y, out] = [k.elements(1), k.elements(1), k.elements(1)];
              k.call(`${name}_fromBytes`, x, k.scalars([a]));
              k.putLimbs(y, b);
              k.call(`${name}_mul`, out, y, x);
              return mod(k.getRaw(out), p);
            });
            expect(got).toBe(want);
          }),
          { numRuns: runs(300) },
        );
      });
    });

    describe("fq2", () => {
      const { p } = FQ;
      const element = fc.tuple(normalLimbs(FQ), normalLimbs(FQ));
      const lazy = fc.tuple(lazyLimbs(FQ), lazyLimbs(FQ));
      const value = (limbs: Limbs) => k.fromMont(FQ, join(limbs));
      const product = (a: Lanes, b: Lanes): [bigint, bigint] => {
        const [a0, a1, b0, b1] = [...a, ...b].map(value) as [bigint, bigint, bigint, bigint];
        return [a0 * b0 - a1 * b1, a0 * b1 + a1 * b0];
      };
      const plus = (a: [bigint, bigint], s: Lanes) => a.map((c, i) => mod(c + value(s[i]!), p));
      const none: Lanes = [FMA.split(0n), FMA.split(0n)];

      test("with one lazy factor, and lazy summands", () => {
        fc.assert(
          fc.property(element, lazy, lazy, (a, b, s) => {
            const want = product(a, b);
            expect(applyPair(FQ, "fq2_mul", a, b)).toEqual(plus(want, none));
            expect(applyPair(FQ, "fq2_mul", b, a)).toEqual(plus(want, none));
            expect(applyPair(FQ, "fq2_mulAdd", a, b, s)).toEqual(plus(want, s));
            expect(applyPair(FQ, "fq2_mulAdd", b, a, s)).toEqual(plus(want, s));
            expect(applyPair(FQ, "fq2_sqr", a)).toEqual(plus(product(a, a), none));
            expect(applyPair(FQ, "fq2_sqrAdd", a, s)).toEqual(plus(product(a, a), s));
          }),
          { numRuns: runs(600) },
        );
      });
    });

    test("sumLanes of 2^12 elements with limbs at both ends", () => {
      const { p } = FR;
      const next = randomBelow(77);
      const bound = (51n * p) / 100n;
      for (const sign of [1n, -1n, 0n]) {
        k.scope(() => {
          const pairs = k.pairs(2048);
          let total = 0n;
          for (let i = 0; i < 4095; i++) {
            const low = Array.from({ length: 4 }, () => (sign === 0n ? HALF - next(2n) * 2n * HALF : sign * HALF));
            const rest = join([...low, 0n]);
            const top = sign === 0n ? next(2n) : sign > 0n ? (bound - rest) >> LOW : -((bound + rest) >> LOW);
            k.putLimbs(pairs + (i >> 1) * k.pair, [...low, top], (i & 1) as 0 | 1);
            total += rest + (top << LOW);
          }
          const out = k.pairs(1);
          k.call("fr_sumLanes", out, 1, pairs, 0, 4095);
          expect(k.get(FR, out, 1)).toBe(k.fromMont(FR, total));
        });
      }
    });
  },
  ["fma"],
);
