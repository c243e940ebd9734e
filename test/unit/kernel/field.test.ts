/** Fq, Fr and Fq2 of both builds, against BigInt and noble, on field elements and at the bounds that the kernel states. */

import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { fieldEdges, fieldValue, heaviestLimbs, limbVector, randomBelow, rawBelow } from "../../support/arbitraries.js";
import {
  BUILDS,
  ELEMENT,
  type Field,
  FQ,
  FR,
  fromBytes,
  joinLimbs,
  LIMB,
  LIMBS,
  lesser,
  MONT,
  mod,
  PAIR,
  redc,
  splitLimbs,
  TestKernel,
  toBytes,
} from "../../support/kernel.js";

const LANES = [0, 1] as const;
/** Largest limb of an unreduced factor. */
const HEAVY = (3n << 29n) - 1n;
/** "Below 1.001p". */
const almostReduced = ({ p }: Field) => p + p / 1000n;

describe.each(BUILDS)("%s build", (build) => {
  let k: TestKernel;
  beforeAll(async () => {
    k = await TestKernel.open(build);
  });

  /** Puts operands, calls, and answers with what stands at the result. */
  function apply<T>(name: string, operands: readonly (bigint | readonly bigint[])[], read: (out: number) => T): T {
    return k.scope(() => {
      const out = k.alloc(ELEMENT);
      const addresses = operands.map((operand) => {
        const at = k.alloc(ELEMENT);
        k.putLimbs(at, typeof operand === "bigint" ? splitLimbs(operand) : operand);
        return at;
      });
      k.call(name, out, ...addresses);
      return read(out);
    });
  }
  const raw = (out: number) => k.getRaw(out);

  /** The same for pairs: both lanes of the result. */
  function applyPair<T>(
    name: string,
    operands: readonly (readonly [readonly bigint[], readonly bigint[]])[],
    read: (out: number, lane: 0 | 1) => T,
  ): [T, T] {
    return k.scope(() => {
      const out = k.alloc(PAIR);
      const addresses = operands.map((operand) => {
        const at = k.alloc(PAIR);
        for (const lane of LANES) k.putLimbs(at, operand[lane], lane);
        return at;
      });
      k.call(name, out, ...addresses);
      return [read(out, 0), read(out, 1)];
    });
  }
  const rawLane = (out: number, lane: 0 | 1) => k.getRaw(out, lane);
  const limbs = (a: bigint, b: bigint) => [splitLimbs(a), splitLimbs(b)] as const;

  describe.each([FQ, FR])("$name", (field) => {
    const { name, p, mont } = field;
    const noble = name === "fq" ? bn254.fields.Fp : bn254.fields.Fr;
    const value = fieldValue(field);
    /** Any two normal elements, as they stand in memory. */
    const normal = rawBelow(field, 2n * p);

    /** A kernel operation on Montgomery forms, without the Montgomery factor. */
    const onValues = (op: string, ...values: bigint[]) =>
      apply(
        `${name}_${op}`,
        values.map((v) => (v * mont) % p),
        (out) => k.get(field, out),
      );

    test("ring operations agree with noble", () => {
      fc.assert(
        fc.property(value, value, (a, b) => {
          expect(onValues("mul", a, b)).toBe(noble.mul(a, b));
          expect(onValues("sqr", a)).toBe(noble.sqr(a));
          expect(onValues("add", a, b)).toBe(noble.add(a, b));
          expect(onValues("sub", a, b)).toBe(noble.sub(a, b));
          expect(onValues("neg", a)).toBe(noble.neg(a));
        }),
        { numRuns: 400 },
      );
    });

    test("the result may overwrite an operand", () => {
      fc.assert(
        fc.property(value, value, (a, b) => {
          const put = (v: bigint) => {
            const at = k.alloc(ELEMENT);
            k.put(field, at, v);
            return at;
          };
          k.scope(() => {
            for (const op of ["mul", "add", "sub"] as const) {
              const want = noble[op](a, b);
              const [x, y, z] = [put(a), put(b), put(a)];
              k.call(`${name}_${op}`, x, x, y);
              expect(k.get(field, x)).toBe(want);
              k.call(`${name}_${op}`, y, z, y);
              expect(k.get(field, y)).toBe(want);
              k.call(`${name}_${op}`, z, z, z);
              expect(k.get(field, z)).toBe(noble[op](a, a));
            }
            for (const op of ["sqr", "neg"] as const) {
              const x = put(a);
              k.call(`${name}_${op}`, x, x);
              expect(k.get(field, x)).toBe(noble[op](a));
            }
          });
        }),
      );
    });

    test("products of unreduced limbs are exact Montgomery reductions", () => {
      const a = fc.oneof(limbVector(HEAVY), limbVector(LIMB - 1n), normal.map(splitLimbs));
      const b = fc.oneof(limbVector(LIMB - 1n), normal.map(splitLimbs));
      const c = limbVector(2n * LIMB - 1n);
      const top = (out: number) => joinLimbs(k.getLimbs(out));
      fc.assert(
        fc.property(a, b, c, c, (a, b, c, d) => {
          expect(apply(`${name}_mul`, [a, b], top)).toBe(redc(field, joinLimbs(a) * joinLimbs(b)));
          // both below 2^30
          expect(apply(`${name}_mul`, [c, d], top)).toBe(redc(field, joinLimbs(c) * joinLimbs(d)));
          expect(apply(`${name}_sqr`, [c], top)).toBe(redc(field, joinLimbs(c) ** 2n));
        }),
        { numRuns: 300 },
      );
    });

    test("products are normal while the factors multiply to less than 2^261·p", () => {
      const limit = MONT * p;
      fc.assert(
        fc.property(rawBelow(field, 90n * p), normal, (big, b) => {
          const a = b === 0n ? big : lesser(big, (limit - 1n) / b);
          const product = apply(`${name}_mul`, [heaviestLimbs(a, HEAVY), b], raw);
          expect(product).toBe(redc(field, a * b));
          expect(product).toBeLessThan(2n * p);
        }),
        { numRuns: 300 },
      );
    });

    test("sums of unreduced elements come back below 1.001p", () => {
      const wide = rawBelow(field, 4n * p + 1n);
      fc.assert(
        fc.property(normal, wide, wide, (a, b, c) => {
          for (const [op, operands, want] of [
            ["add", [b, c], b + c],
            ["sub", [a, b], a - b],
            ["sub", [b, c], b - c],
            ["neg", [b], -b],
          ] as const) {
            const got = apply(`${name}_${op}`, operands, raw);
            expect(mod(got, p)).toBe(mod(want, p));
            expect(got).toBeLessThan(almostReduced(field));
          }
        }),
        { numRuns: 500 },
      );
    });

    test("canonical of anything below 8p", () => {
      fc.assert(
        fc.property(rawBelow(field, 8n * p), (a) => {
          expect(apply(`${name}_canonical`, [a], raw)).toBe(a % p);
        }),
        { numRuns: 500 },
      );
    });

    test("inverses", () => {
      const inverse = (a: bigint) =>
        k.scope(() => {
          const [out, at, scratch] = [k.alloc(ELEMENT), k.alloc(ELEMENT), k.alloc(17 * ELEMENT)];
          k.putRaw(at, a);
          if (name === "fq") k.call("fq_inv", out, at);
          else k.call("fr_inv", out, at, scratch);
          return k.get(field, out);
        });
      for (const a of fieldEdges(field)) {
        expect(inverse((a * mont) % p)).toBe(a === 0n ? 0n : noble.inv(a));
      }
      fc.assert(
        fc.property(normal, (a) => {
          expect((inverse(a) * a) % p).toBe(a % p === 0n ? 0n : mont);
        }),
      );
      // in place
      k.scope(() => {
        const [at, scratch] = [k.alloc(ELEMENT), k.alloc(17 * ELEMENT)];
        k.put(field, at, 5n);
        if (name === "fq") k.call("fq_inv", at, at);
        else k.call("fr_inv", at, at, scratch);
        expect(k.get(field, at)).toBe(noble.inv(5n));
      });
    });

    test("Montgomery form there and back", () => {
      for (const a of fieldEdges(field)) {
        expect(apply(`${name}_toMont`, [a], (out) => k.getRaw(out) % p)).toBe((a * mont) % p);
      }
      fc.assert(
        fc.property(normal, (a) => {
          const there = apply(`${name}_toMont`, [a], raw);
          expect(there % p).toBe((a * mont) % p);
          expect(apply(`${name}_fromMont`, [there], raw)).toBe(a % p);
          expect(apply(`${name}_fromMont`, [a], raw)).toBe((a * field.montInverse) % p);
        }),
      );
    });

    test("bytes hold any 256-bit integer", () => {
      const any = fc.oneof(
        fc.constantFrom(...fieldEdges(field), p, p + 1n, 2n * p, (1n << 256n) - 1n),
        fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
        fc.integer({ min: 0, max: 255 }).map((bit) => 1n << BigInt(bit)),
      );
      fc.assert(
        fc.property(any, (a) => {
          k.scope(() => {
            const [at, src, out] = [k.alloc(ELEMENT), k.bytes(toBytes(a)), k.alloc(32)];
            k.call(`${name}_fromBytes`, at, src);
            expect(k.getRaw(at)).toBe(a);
            k.call(`${name}_toBytes`, out, at);
            expect(fromBytes(k.read(out, 32))).toBe(a);
            if (name === "fr") expect(k.call("fr_bytesBelowP", src)).toBe(a < p ? 1 : 0);
          });
        }),
        { numRuns: 300 },
      );
    });

    test("two-way products, sums and differences agree with BigInt in both lanes", () => {
      fc.assert(
        fc.property(normal, normal, normal, normal, (a0, a1, b0, b1) => {
          const operands = [limbs(a0, a1), limbs(b0, b1)];
          expect(applyPair(`${name}_mul2`, operands, rawLane)).toEqual([redc(field, a0 * b0), redc(field, a1 * b1)]);
          for (const [op, want] of [
            ["add2", [a0 + b0, a1 + b1]],
            ["sub2", [a0 - b0, a1 - b1]],
          ] as const) {
            for (const [i, got] of applyPair(`${name}_${op}`, operands, rawLane).entries()) {
              expect(mod(got, p)).toBe(mod(want[i]!, p));
              expect(got).toBeLessThan(almostReduced(field));
            }
          }
          if (name === "fr") return;
          // limb by limb: every limb holds without a borrow, and is light enough for a factor
          const lazy = applyPair("fq_subLazy2", operands, (out, lane) => k.getLimbs(out, lane));
          expect(lazy.map(joinLimbs)).toEqual([a0 - b0 + 4n * p, a1 - b1 + 4n * p]);
          for (const limb of lazy.flat()) expect(limb).toBeLessThanOrEqual(HEAVY);
        }),
        { numRuns: 300 },
      );
    });

    test("two-way operations may overwrite an operand", () => {
      fc.assert(
        fc.property(normal, normal, normal, normal, (a0, a1, b0, b1) => {
          const want = {
            mul2: [redc(field, a0 * b0) % p, redc(field, a1 * b1) % p],
            add2: [(a0 + b0) % p, (a1 + b1) % p],
            sub2: [mod(a0 - b0, p), mod(a1 - b1, p)],
          };
          for (const op of ["mul2", "add2", "sub2"] as const) {
            for (const overwritten of LANES) {
              k.scope(() => {
                const at = [k.alloc(PAIR), k.alloc(PAIR)] as const;
                for (const [i, [x, y]] of [[a0, a1] as const, [b0, b1] as const].entries()) {
                  k.putRaw(at[i]!, x, 0);
                  k.putRaw(at[i]!, y, 1);
                }
                const out = at[overwritten];
                k.call(`${name}_${op}`, out, at[0], at[1]);
                expect(LANES.map((lane) => k.getRaw(out, lane) % p)).toEqual(want[op]);
              });
            }
          }
        }),
      );
    });

    test("two-way products of the heaviest limbs", () => {
      const a = fc.oneof(limbVector(HEAVY), normal.map(splitLimbs));
      const b = fc.oneof(limbVector(LIMB - 1n), normal.map(splitLimbs));
      const c = limbVector(2n * LIMB - 1n);
      const sum = (out: number, lane: 0 | 1) => joinLimbs(k.getLimbs(out, lane));
      fc.assert(
        fc.property(a, a, b, b, c, c, (a0, a1, b0, b1, c0, c1) => {
          const product = (x: readonly bigint[], y: readonly bigint[]) => redc(field, joinLimbs(x) * joinLimbs(y));
          const got = applyPair(
            `${name}_mul2`,
            [
              [a0, a1],
              [b0, b1],
            ],
            sum,
          );
          expect(got).toEqual([product(a0, b0), product(a1, b1)]);
          const both = applyPair(
            `${name}_mul2`,
            [
              [c0, c1],
              [c1, c1],
            ],
            sum,
          );
          expect(both).toEqual([product(c0, c1), product(c1, c1)]);
        }),
        { numRuns: 300 },
      );
    });

    test("add2 up to 30p and sub2 down to -2.9p", () => {
      const share = rawBelow(field, 15n * p);
      const below29 = rawBelow(field, (29n * p) / 10n);
      fc.assert(
        fc.property(share, share, below29, below29, (a, b, c, d) => {
          // the sum of both limbs must stay below 2^31
          const heavy = [heaviestLimbs(a, 2n * LIMB - 1n), heaviestLimbs(b, 2n * LIMB - 1n)] as const;
          const sums = applyPair(`${name}_add2`, [heavy, [heavy[1], heavy[1]]], rawLane);
          for (const [i, want] of [a + b, 2n * b].entries()) {
            expect(sums[i]! % p).toBe(want % p);
            expect(sums[i]).toBeLessThan(almostReduced(field));
          }
          const differences = applyPair(`${name}_sub2`, [limbs(0n, c), limbs(c, d)], rawLane);
          for (const [i, want] of [-c, c - d].entries()) {
            expect(mod(differences[i]!, p)).toBe(mod(want, p));
            expect(differences[i]).toBeLessThan(almostReduced(field));
          }
        }),
        { numRuns: 300 },
      );
    });

    test("mulAdd2 at the bounds of its summand", () => {
      const limit = MONT * p;
      const top = (1n << 32n) - 1n;
      const factor = rawBelow(field, 84n * p);
      const summand = rawBelow(field, 29n * p).map((s) => s + p);
      fc.assert(
        fc.property(factor, normal, summand, summand, fc.boolean(), (a, b, s, t, heavy) => {
          fc.pre(a * b < limit);
          const spread = (v: bigint) => (heavy ? heaviestLimbs(v, top) : splitLimbs(v));
          const results = applyPair(
            `${name}_mulAdd2`,
            [
              [heaviestLimbs(a, HEAVY), splitLimbs(b)],
              [splitLimbs(b), splitLimbs(b)],
              [spread(s), spread(t)],
            ],
            rawLane,
          );
          for (const [i, want] of [redc(field, a * b) + s, redc(field, b * b) + t].entries()) {
            expect(results[i]! % p).toBe(want % p);
            expect(results[i]).toBeLessThan(almostReduced(field));
          }
        }),
        { numRuns: 400 },
      );
    });

    test("reductions right at the multiples of p, where the quotient estimate is off by one", () => {
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
          const results = applyPair(`${name}_mulAdd2`, [limbs(a, a), limbs(b, b), limbs(s, t)], rawLane);
          for (const [i, want] of [product + s, product + t].entries()) {
            expect(results[i]! % p).toBe(want % p);
            expect(results[i]).toBeLessThan(almostReduced(field));
          }
          const x = mod(n * p + d, 30n * p);
          const y = x < 15n * p ? 0n : x - 15n * p;
          const sum = applyPair(`${name}_add2`, [limbs(x - y, x - y), limbs(y, y)], rawLane);
          expect(sum[0] % p).toBe(x % p);
          expect(sum[0]).toBeLessThan(almostReduced(field));
          expect(sum[1]).toBe(sum[0]);
        }),
        { numRuns: 400 },
      );
    });

    if (name === "fq") {
      test("isZero", () => {
        const zero = (a: bigint) => k.scope(() => k.call("fq_isZero", k.bytes(elementBytes(a))));
        for (let n = 0n; n < 8n; n++) {
          expect(zero(n * p)).toBe(1);
          expect(zero(n * p + 1n)).toBe(0);
          if (n > 0n) expect(zero(n * p - 1n)).toBe(0);
          expect(zero(n * p + (1n << 232n))).toBe(0);
        }
        fc.assert(
          fc.property(rawBelow(field, 8n * p), (a) => {
            expect(zero(a)).toBe(a % p === 0n ? 1 : 0);
          }),
        );
      });

      test("negCanonical", () => {
        fc.assert(
          fc.property(value, (a) => {
            // of zero it makes p
            expect(apply("fq_negCanonical", [a], raw)).toBe(p - a);
          }),
        );
      });

      test("zkey coordinates are read into canonical form", () => {
        fc.assert(
          fc.property(value, (a) => {
            k.scope(() => {
              const [out, src] = [k.alloc(ELEMENT), k.bytes(toBytes((a << 256n) % p))];
              k.call("fq_fromBytesR256", out, src);
              expect(k.getRaw(out)).toBe((a * mont) % p);
            });
          }),
        );
      });
    } else {
      test("zkey coefficients c·2^512 are read as c·R²", () => {
        fc.assert(
          fc.property(value, (a) => {
            k.scope(() => {
              const [out, src] = [k.alloc(ELEMENT), k.bytes(toBytes((a << 512n) % p))];
              k.call("fr_fromBytesR512", out, src);
              expect(k.getRaw(out)).toBeLessThan(2n * p);
              expect(k.getRaw(out) % p).toBe((a * mont * mont) % p);
            });
          }),
        );
      });

      describe("sumLanes", () => {
        /** Sum of elements from `first` on of an array of pairs, into both lanes. */
        const sums = (elements: readonly bigint[], first: number, n: number) =>
          k.scope(() => {
            const pairs = k.alloc(Math.ceil(elements.length / 2) * PAIR);
            for (const [i, e] of elements.entries()) k.putRaw(pairs + (i >> 1) * PAIR, e, (i & 1) as 0 | 1);
            const out = k.alloc(PAIR);
            for (const lane of LANES) k.call("fr_sumLanes", out, lane, pairs, first, n);
            expect(k.getRaw(out, 0)).toBe(k.getRaw(out, 1));
            return k.getRaw(out, 0);
          });

        test("of any stretch", () => {
          fc.assert(
            fc.property(
              fc.array(normal, { minLength: 1, maxLength: 24 }),
              fc.nat(),
              fc.nat(),
              (elements, from, length) => {
                const first = from % elements.length;
                const n = length % (elements.length - first + 1);
                const got = sums(elements, first, n);
                const want = elements.slice(first, first + n).reduce((a, b) => a + b, 0n);
                expect(got % p).toBe(want % p);
                expect(got).toBeLessThan(almostReduced(field));
              },
            ),
            { numRuns: 300 },
          );
        });

        test("of as many as a chunk has, and more", () => {
          const next = randomBelow(512);
          for (const n of [511, 512, 513, 4096]) {
            for (const fill of [() => 2n * p - 1n, () => p, () => p - 1n, () => next(2n * p), () => 0n]) {
              const elements = Array.from({ length: n + 1 }, fill);
              const got = sums(elements, 1, n);
              expect(got % p).toBe(elements.slice(1).reduce((a, b) => a + b, 0n) % p);
              expect(got).toBeLessThan((101n * p) / 100n);
            }
          }
        });

        test("right below and above the multiples of p", () => {
          for (const n of [2, 3, 511, 512]) {
            for (const d of [-1n, 0n, 1n, -(1n << 232n), 1n << 232n]) {
              const elements = Array.from({ length: n }, () => p);
              elements[n - 1] = p + d;
              const got = sums(elements, 0, n);
              expect(got % p).toBe(mod(d, p));
              expect(got).toBeLessThan((101n * p) / 100n);
            }
          }
        });

        test("of 2^20 elements the residue is right", () => {
          k.scope(() => {
            const n = 1 << 20;
            const pairs = k.alloc((n / 2) * PAIR);
            for (const lane of LANES) k.putRaw(pairs, 2n * p - 1n, lane);
            for (let filled = PAIR; filled < (n / 2) * PAIR; filled *= 2) {
              k.move(pairs + filled, pairs, Math.min(filled, (n / 2) * PAIR - filled));
            }
            const out = k.alloc(PAIR);
            k.call("fr_sumLanes", out, 0, pairs, 0, n);
            expect(k.getRaw(out, 0) % p).toBe((BigInt(n) * (2n * p - 1n)) % p);
          });
        });
      });
    }
  });

  describe("fq2", () => {
    const { p, mont, montInverse } = FQ;
    const { Fp2 } = bn254.fields;
    const value = fieldValue(FQ);
    const normal = rawBelow(FQ, 2n * p);
    const put = ([c0, c1]: readonly [bigint, bigint]) => {
      const at = k.alloc(PAIR);
      k.putRaw(at, c0, 0);
      k.putRaw(at, c1, 1);
      return at;
    };
    const get = (at: number) => [k.getRaw(at, 0), k.getRaw(at, 1)] as const;
    /** A kernel operation on elements as they stand in memory. */
    const onRaw = (op: string, ...operands: (readonly [bigint, bigint])[]) =>
      k.scope(() => {
        const [out, ...at] = [k.alloc(PAIR), ...operands.map(put)];
        k.call(`fq2_${op}`, out, ...at);
        return get(out);
      });
    type Element = { c0: bigint; c1: bigint };
    const onValues = (op: string, ...elements: Element[]): Element => {
      const raws = elements.map(({ c0, c1 }) => [(c0 * mont) % p, (c1 * mont) % p] as const);
      const [c0, c1] = onRaw(op, ...raws);
      return { c0: (c0 * montInverse) % p, c1: (c1 * montInverse) % p };
    };
    const element = fc.record({ c0: value, c1: value }).map(({ c0, c1 }) => Fp2.create({ c0, c1 }));
    const rawElement = fc.tuple(normal, normal);

    test("operations agree with noble", () => {
      fc.assert(
        fc.property(element, element, element, (a, b, s) => {
          expect(onValues("mul", a, b)).toEqual({ ...Fp2.mul(a, b) });
          expect(onValues("sqr", a)).toEqual({ ...Fp2.sqr(a) });
          expect(onValues("add", a, b)).toEqual({ ...Fp2.add(a, b) });
          expect(onValues("sub", a, b)).toEqual({ ...Fp2.sub(a, b) });
          expect(onValues("neg", a)).toEqual({ ...Fp2.neg(a) });
          // the summand of mulAdd and sqrAdd must be at least p: as it comes from a negation or a lazy difference
          const lazy = [0, 1].map((i) => ([s.c0, s.c1][i]! * mont) % p) as [bigint, bigint];
          const montOf = ({ c0, c1 }: Element) => [(c0 * mont) % p, (c1 * mont) % p] as const;
          const withSum = (op: string, ...operands: Element[]) => {
            const [c0, c1] = onRaw(op, ...operands.map(montOf), [lazy[0] + p, lazy[1] + p]);
            return { c0: (c0 * montInverse) % p, c1: (c1 * montInverse) % p };
          };
          expect(withSum("mulAdd", a, b)).toEqual({ ...Fp2.add(Fp2.mul(a, b), s) });
          expect(withSum("sqrAdd", a)).toEqual({ ...Fp2.add(Fp2.sqr(a), s) });
        }),
        { numRuns: 400 },
      );
    });

    test("inverses", () => {
      fc.assert(
        fc.property(element, (a) => {
          const zero = Fp2.is0(a);
          expect(onValues("inv", a)).toEqual(zero ? { c0: 0n, c1: 0n } : { ...Fp2.inv(a) });
        }),
        { numRuns: 60 },
      );
      expect(onValues("inv", { c0: 0n, c1: 0n })).toEqual({ c0: 0n, c1: 0n });
    });

    test("products of unreduced coordinates are exact Montgomery reductions", () => {
      fc.assert(
        fc.property(rawElement, rawElement, ([a0, a1], [b0, b1]) => {
          expect(onRaw("mul", [a0, a1], [b0, b1])).toEqual([
            redc(FQ, a0 * b0 + a1 * (4n * p - b1)),
            redc(FQ, a0 * b1 + a1 * b0),
          ]);
          expect(onRaw("sqr", [a0, a1])).toEqual([redc(FQ, (a0 + a1) * (a0 - a1 + 4n * p)), redc(FQ, 2n * a0 * a1)]);
        }),
        { numRuns: 400 },
      );
    });

    test("the heaviest normal operands", () => {
      // every limb but the last is 2^29 - 1, or 0, the value below 2p
      const top = (2n * p) >> 232n;
      const heavy = ((top - 1n) << 232n) + (1n << 232n) - 1n;
      const light = (top - 1n) << 232n;
      for (const a of [heavy, light, 0n]) {
        for (const b of [heavy, light, 0n]) {
          for (const c of [heavy, light, 0n]) {
            for (const d of [heavy, light, 0n]) {
              expect(onRaw("mul", [a, b], [c, d])).toEqual([
                redc(FQ, a * c + b * (4n * p - d)),
                redc(FQ, a * d + b * c),
              ]);
            }
          }
          expect(onRaw("sqr", [a, b])).toEqual([redc(FQ, (a + b) * (a - b + 4n * p)), redc(FQ, 2n * a * b)]);
        }
      }
    });

    test("mulAdd and sqrAdd with the heaviest summands", () => {
      const top = (1n << 32n) - 1n;
      const summand = rawBelow(FQ, 29n * p).map((s) => s + p);
      fc.assert(
        fc.property(rawElement, rawElement, summand, summand, fc.boolean(), ([a0, a1], [b0, b1], s0, s1, heavy) => {
          k.scope(() => {
            const [out, a, b, s] = [k.alloc(PAIR), put([a0, a1]), put([b0, b1]), k.alloc(PAIR)];
            for (const [lane, v] of [s0, s1].entries()) {
              k.putLimbs(s, heavy ? heaviestLimbs(v, top) : splitLimbs(v), lane as 0 | 1);
            }
            const check = (want0: bigint, want1: bigint) => {
              const got = get(out);
              expect(got.map((c) => c % p)).toEqual([(redc(FQ, want0) + s0) % p, (redc(FQ, want1) + s1) % p]);
              for (const c of got) expect(c).toBeLessThan(almostReduced(FQ));
            };
            k.call("fq2_mulAdd", out, a, b, s);
            check(a0 * b0 + a1 * (4n * p - b1), a0 * b1 + a1 * b0);
            k.call("fq2_sqrAdd", out, a, s);
            check((a0 + a1) * (a0 - a1 + 4n * p), 2n * a0 * a1);
          });
        }),
        { numRuns: 300 },
      );
    });

    test("the result may overwrite any operand", () => {
      fc.assert(
        fc.property(rawElement, rawElement, rawElement, (a, b, [s0, s1]) => {
          const s = [s0 + p, s1 + p] as const;
          for (const [op, operands] of [
            ["mul", [a, b]],
            ["sqr", [a]],
            ["add", [a, b]],
            ["sub", [a, b]],
            ["neg", [a]],
            ["mulAdd", [a, b, s]],
            ["sqrAdd", [a, s]],
          ] as const) {
            const want = onRaw(op, ...operands);
            for (let i = 0; i < operands.length; i++) {
              k.scope(() => {
                const at = operands.map(put);
                k.call(`fq2_${op}`, at[i]!, ...at);
                expect(get(at[i]!)).toEqual(want);
              });
            }
            // the same element twice
            if (operands.length === 2 && op !== "sqrAdd") {
              const twice = onRaw(op, a, a);
              k.scope(() => {
                const at = put(a);
                k.call(`fq2_${op}`, at, at, at);
                expect(get(at)).toEqual(twice);
              });
            }
          }
        }),
        { numRuns: 60 },
      );
    });

    test("split, join and isZero", () => {
      fc.assert(
        fc.property(rawElement, (a) => {
          k.scope(() => {
            const [at, c0, c1, back] = [put(a), k.alloc(ELEMENT), k.alloc(ELEMENT), k.alloc(PAIR)];
            k.call("fq2_split", c0, c1, at);
            expect([k.getRaw(c0), k.getRaw(c1)]).toEqual(a);
            k.call("fq2_join", back, c0, c1);
            expect(get(back)).toEqual(a);
            expect(k.call("fq2_isZero", at)).toBe(a.every((c) => c % p === 0n) ? 1 : 0);
          });
        }),
      );
      for (const c0 of [0n, p, 1n]) {
        for (const c1 of [0n, p, 1n]) {
          expect(k.scope(() => k.call("fq2_isZero", put([c0, c1])))).toBe(c0 === 1n || c1 === 1n ? 0 : 1);
        }
      }
    });
  });
});

/** Nine little-endian u32 limbs. */
function elementBytes(a: bigint): Uint8Array {
  const out = new Uint8Array(ELEMENT);
  const view = new DataView(out.buffer);
  for (const [i, limb] of splitLimbs(a).entries()) view.setUint32(4 * i, Number(limb), true);
  return out;
}

test("the bounds on columns hold: nine products of limbs and nine of the reduction stay below 2^64", () => {
  const normalLimb = LIMB - 1n;
  const n = BigInt(LIMBS);
  for (const { p } of [FQ, FR]) {
    const reduction = splitLimbs(p).reduce((sum, limb) => sum + normalLimb * limb, 0n);
    const lazy = 2n * LIMB - 2n;
    // carry from below, the summand of mulAdd2 and the bias
    const slack = (1n << 36n) + (1n << 32n) + (1n << 34n);
    for (const products of [
      n * HEAVY * normalLimb,
      n * (2n * LIMB - 1n) ** 2n,
      // mulFq2: a0·b0 + a1·(4p - b1)
      n * normalLimb * (normalLimb + lazy),
      // sqrFq2: (a0 + a1)·(a0 - a1 + 4p)
      n * 2n * normalLimb * (normalLimb + lazy),
    ]) {
      expect(products + reduction + slack).toBeLessThan(1n << 64n);
    }
  }
});
