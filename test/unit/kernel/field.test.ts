/**
 * Fq, Fr and Fq2 of every build, against BigInt and noble. Operands are field elements in every form that counts as
 * normal; what else the two arithmetics promise is tested in field-int.test.ts and field-fma.test.ts.
 */

import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { fieldEdges, fieldValue, normalRaw, randomBelow } from "../../support/arbitraries.js";
import { describeBuilds, FQ, FR, mod, type TestKernel, toBytes } from "../../support/kernel.js";

const LANES = [0, 1] as const;

describeBuilds((build, kernel) => {
  const { layout, runs } = build;
  let k: TestKernel;
  beforeAll(() => {
    k = kernel();
  });

  describe.each([FQ, FR])("$name", (field) => {
    const { name, p } = field;
    const noble = name === "fq" ? bn254.fields.Fp : bn254.fields.Fr;
    const value = fieldValue(field);
    /** Integers of normal elements. */
    const normal = normalRaw(field, layout);
    const call = (op: string, ...args: number[]) => k.call(`${name}_${op}`, ...args);

    const put = (a: bigint) => {
      const at = k.elements(1);
      k.put(field, at, a);
      return at;
    };
    const putRaw = (raw: bigint) => {
      const at = k.elements(1);
      k.putRaw(at, raw);
      return at;
    };
    const putPair = (...lanes: readonly [bigint, bigint]) => {
      const at = k.pairs(1);
      for (const lane of LANES) k.putRaw(at, lanes[lane], lane);
      return at;
    };
    /** Result of an operation on elements at addresses. */
    const result = (op: string, ...operands: number[]) => {
      const out = k.elements(1);
      call(op, out, ...operands);
      return k.get(field, out);
    };
    const onValues = (op: string, ...values: bigint[]) => k.scope(() => result(op, ...values.map(put)));
    /** Both lanes of a result. */
    const pairResult = (op: string, ...operands: number[]) => {
      const out = k.pairs(1);
      call(op, out, ...operands);
      return LANES.map((lane) => k.get(field, out, lane));
    };
    const from = (raw: bigint) => k.fromMont(field, raw);

    test("ring operations agree with noble", () => {
      fc.assert(
        fc.property(value, value, (a, b) => {
          expect(onValues("mul", a, b)).toBe(noble.mul(a, b));
          expect(onValues("sqr", a)).toBe(noble.sqr(a));
          expect(onValues("add", a, b)).toBe(noble.add(a, b));
          expect(onValues("sub", a, b)).toBe(noble.sub(a, b));
          expect(onValues("neg", a)).toBe(noble.neg(a));
        }),
        { numRuns: runs(400) },
      );
    });

    test("whatever the form of the operands", () => {
      fc.assert(
        fc.property(normal, normal, (a, b) => {
          k.scope(() => {
            const [x, y] = [putRaw(a), putRaw(b)];
            expect(result("mul", x, y)).toBe(noble.mul(from(a), from(b)));
            expect(result("sqr", x)).toBe(noble.sqr(from(a)));
            expect(result("add", x, y)).toBe(noble.add(from(a), from(b)));
            expect(result("sub", x, y)).toBe(noble.sub(from(a), from(b)));
            expect(result("neg", x)).toBe(noble.neg(from(a)));
            expect(result("canonical", x)).toBe(from(a));
          });
        }),
        { numRuns: runs(400) },
      );
    });

    test("the result may overwrite an operand", () => {
      fc.assert(
        fc.property(value, value, (a, b) => {
          k.scope(() => {
            for (const op of ["mul", "add", "sub"] as const) {
              const want = noble[op](a, b);
              const [x, y, z] = [put(a), put(b), put(a)];
              call(op, x, x, y);
              expect(k.get(field, x)).toBe(want);
              call(op, y, z, y);
              expect(k.get(field, y)).toBe(want);
              call(op, z, z, z);
              expect(k.get(field, z)).toBe(noble[op](a, a));
            }
            for (const op of ["sqr", "neg"] as const) {
              const x = put(a);
              call(op, x, x);
              expect(k.get(field, x)).toBe(noble[op](a));
            }
          });
        }),
        { numRuns: runs(100) },
      );
    });

    test("inverses", () => {
      const inverse = (at: number, out = k.elements(1)) => {
        if (name === "fq") k.call("fq_inv", out, at);
        else k.call("fr_inv", out, at, k.elements(17));
        return k.get(field, out);
      };
      const edges = fieldEdges(field);
      for (let i = 0; i < edges.length; i += build.shared ? 7 : 1) {
        const a = edges[i]!;
        expect(k.scope(() => inverse(put(a)))).toBe(a === 0n ? 0n : noble.inv(a));
      }
      fc.assert(
        fc.property(normal, (a) => {
          const product = (k.scope(() => inverse(putRaw(a))) * from(a)) % p;
          expect(product).toBe(mod(a, p) === 0n ? 0n : 1n);
        }),
        { numRuns: runs(100) },
      );
      k.scope(() => {
        const at = put(5n);
        expect(inverse(at, at)).toBe(noble.inv(5n));
      });
    });

    test("Montgomery form there and back", () => {
      fc.assert(
        fc.property(value, normal, (a, b) => {
          k.scope(() => {
            const [plain, mont] = [k.elements(1), k.elements(1)];
            call("fromBytes", plain, k.scalars([a]));
            call("toMont", mont, plain);
            expect(k.get(field, mont)).toBe(a);
            call("fromMont", mont, mont);
            // fma: close to p/2 either representation will do
            const forms = layout.representations(a, p);
            expect(layout.arithmetic === "int" ? forms.slice(0, 1) : forms).toContain(k.getRaw(mont));
            // in place, from any normal form
            const at = putRaw(b);
            call("fromMont", at, at);
            expect(mod(k.getRaw(at), p)).toBe(from(b));
            call("toMont", at, at);
            expect(k.get(field, at)).toBe(from(b));
          });
        }),
        { numRuns: runs(200) },
      );
    });

    test("bytes hold any integer below p, and any 256-bit integer can be read", () => {
      const any = fc.oneof(
        fc.constantFrom(...fieldEdges(field), p, p + 1n, 2n * p, 5n * p, (1n << 256n) - 1n),
        fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
        fc.integer({ min: 0, max: 255 }).map((bit) => 1n << BigInt(bit)),
      );
      fc.assert(
        fc.property(any, (a) => {
          k.scope(() => {
            const [at, src, out] = [k.elements(1), k.scalars([a]), k.alloc(32)];
            call("fromBytes", at, src);
            expect(k.getRaw(at)).toBe(a);
            if (a < p) {
              call("toBytes", out, at);
              expect(k.readScalars(out, 1)).toEqual([a]);
            }
            call("toMont", at, at);
            expect(k.get(field, at)).toBe(a % p);
            call("fromMont", at, at);
            call("toBytes", out, at);
            expect(k.readScalars(out, 1)).toEqual([a % p]);
            if (name === "fr") expect(k.call("fr_bytesBelowP", src)).toBe(a < p ? 1 : 0);
          });
        }),
        { numRuns: runs(300) },
      );
    });

    test("two-way operations agree with BigInt in both lanes", () => {
      fc.assert(
        fc.property(normal, normal, normal, normal, (a0, a1, b0, b1) => {
          k.scope(() => {
            const [a, b] = [putPair(a0, a1), putPair(b0, b1)];
            expect(pairResult("mul2", a, b)).toEqual([noble.mul(from(a0), from(b0)), noble.mul(from(a1), from(b1))]);
            expect(pairResult("mul2", a, a)).toEqual([noble.sqr(from(a0)), noble.sqr(from(a1))]);
            expect(pairResult("add2", a, b)).toEqual([from(a0 + b0), from(a1 + b1)]);
            expect(pairResult("sub2", a, b)).toEqual([from(a0 - b0), from(a1 - b1)]);
          });
        }),
        { numRuns: runs(300) },
      );
    });

    test("two-way operations may overwrite an operand", () => {
      fc.assert(
        fc.property(normal, normal, normal, normal, (a0, a1, b0, b1) => {
          const want = {
            mul2: [noble.mul(from(a0), from(b0)), noble.mul(from(a1), from(b1))],
            add2: [from(a0 + b0), from(a1 + b1)],
            sub2: [from(a0 - b0), from(a1 - b1)],
          };
          for (const op of ["mul2", "add2", "sub2"] as const) {
            for (const overwritten of LANES) {
              k.scope(() => {
                const at = [putPair(a0, a1), putPair(b0, b1)] as const;
                call(op, at[overwritten], at[0], at[1]);
                expect(LANES.map((lane) => k.get(field, at[overwritten], lane))).toEqual(want[op]);
              });
            }
          }
        }),
        { numRuns: runs(100) },
      );
    });

    test("mulAdd2 of a product and a summand", () => {
      fc.assert(
        fc.property(fc.array(normal, { minLength: 6, maxLength: 6 }), ([a0, a1, b0, b1, s0, s1]) => {
          k.scope(() => {
            const [a, b] = [putPair(a0!, a1!), putPair(b0!, b1!)];
            // int wants its summand to be at least p
            const above = layout.arithmetic === "int" ? p : 0n;
            const s = putPair(s0! + above, s1! + above);
            const want = [from(a0!) * from(b0!) + from(s0!), from(a1!) * from(b1!) + from(s1!)].map((v) => v % p);
            expect(pairResult("mulAdd2", a, b, s)).toEqual(want);
            // over its summand
            call("mulAdd2", s, a, b, s);
            expect(LANES.map((lane) => k.get(field, s, lane))).toEqual(want);
          });
        }),
        { numRuns: runs(200) },
      );
    });

    test("lanes are put and taken one by one", () => {
      fc.assert(
        fc.property(normal, normal, normal, (a, b, c) => {
          k.scope(() => {
            const [pair, out] = [putPair(a, b), k.elements(1)];
            for (const lane of LANES) {
              call("getLane", out, pair, lane);
              expect(k.getRaw(out)).toBe([a, b][lane]);
            }
            call("putLane", pair, 1, putRaw(c));
            expect(LANES.map((lane) => k.getRaw(pair, lane))).toEqual([a, c]);
            call("putLane", pair, 0, putRaw(b));
            expect(LANES.map((lane) => k.getRaw(pair, lane))).toEqual([b, c]);
          });
        }),
        { numRuns: runs(60) },
      );
    });

    if (name === "fq") {
      test("isZero", () => {
        fc.assert(
          fc.property(normal, (a) => {
            expect(k.scope(() => k.call("fq_isZero", putRaw(a)))).toBe(mod(a, p) === 0n ? 1 : 0);
          }),
          { numRuns: runs(200) },
        );
      });

      test("negCanonical", () => {
        fc.assert(
          fc.property(value, (a) => {
            expect(onValues("negCanonical", a)).toBe(noble.neg(a));
          }),
          { numRuns: runs(100) },
        );
      });

      test("zkey coordinates are read two by two into canonical form", () => {
        fc.assert(
          fc.property(value, value, (a, b) => {
            k.scope(() => {
              const [first, second] = [k.elements(1), k.elements(1)];
              const bytes = [a, b].flatMap((x) => [...toBytes((x << 256n) % p)]);
              k.call("fq_fromBytesR256", first, second, k.bytes(Uint8Array.from(bytes)), k.pairs(2));
              expect([k.getCanonical(field, first), k.getCanonical(field, second)]).toEqual([a, b]);
            });
          }),
          { numRuns: runs(200) },
        );
      });
    } else {
      test("zkey coefficients c·2^512 are read as c·R²", () => {
        fc.assert(
          fc.property(value, (a) => {
            k.scope(() => {
              const out = k.elements(1);
              k.call("fr_fromBytesR512", out, k.bytes(toBytes((a << 512n) % p)));
              expect(k.get(field, out)).toBe(k.toMont(field, a));
            });
          }),
          { numRuns: runs(200) },
        );
      });

      describe("sumLanes", () => {
        /** Sum of n elements from `first` on of an array of pairs, into both lanes. */
        const sum = (elements: readonly bigint[], first: number, n: number) =>
          k.scope(() => {
            const pairs = k.pairs(Math.ceil(elements.length / 2));
            for (const [i, e] of elements.entries()) k.putRaw(pairs + (i >> 1) * k.pair, e, (i & 1) as 0 | 1);
            const out = k.pairs(1);
            for (const lane of LANES) k.call("fr_sumLanes", out, lane, pairs, first, n);
            expect(k.getRaw(out, 0)).toBe(k.getRaw(out, 1));
            expect(k.getRaw(out, 0)).toBeLessThan((101n * p) / 100n);
            return k.get(field, out, 0);
          });
        const total = (elements: readonly bigint[]) => from(elements.reduce((a, b) => a + b, 0n));

        test("of any stretch", () => {
          fc.assert(
            fc.property(
              fc.array(normal, { minLength: 1, maxLength: 24 }),
              fc.nat(),
              fc.nat(),
              (elements, from, length) => {
                const first = from % elements.length;
                const n = length % (elements.length - first + 1);
                expect(sum(elements, first, n)).toBe(total(elements.slice(first, first + n)));
              },
            ),
            { numRuns: runs(300) },
          );
        });

        const [least, most] = layout.arithmetic === "int" ? [0n, 2n * p - 1n] : [(-51n * p) / 100n, (51n * p) / 100n];
        test("of as many as a chunk has, and up to the limit", () => {
          const next = randomBelow(512);
          for (const n of build.shared ? [512] : [511, 512, 513, 4095]) {
            for (const fill of [() => most, () => least, () => least + next(most - least), () => 0n]) {
              const elements = Array.from({ length: n + 1 }, fill);
              expect(sum(elements, 1, n)).toBe(total(elements.slice(1)));
            }
          }
        });

        test("right beside the multiples of p and p/2", () => {
          for (const n of [2, 3, 511, 512]) {
            for (const d of [-1n, 0n, 1n, -(1n << 232n), 1n << 232n, -(1n << 204n), 1n << 204n]) {
              for (const all of [p >> 1n, (p >> 1n) - 1n]) {
                const elements = Array.from({ length: n }, () => all);
                elements[n - 1] = all + d;
                expect(sum(elements, 0, n)).toBe(total(elements));
              }
            }
          }
        });
      });
    }
  });

  describe("fq2", () => {
    const { p } = FQ;
    const { Fp2 } = bn254.fields;
    type Element = { c0: bigint; c1: bigint };
    const value = fieldValue(FQ);
    const normal = normalRaw(FQ, layout);
    const element = fc.record({ c0: value, c1: value }).map(({ c0, c1 }) => Fp2.create({ c0, c1 }));
    const rawElement = fc.tuple(normal, normal);
    const put = ([c0, c1]: readonly [bigint, bigint]) => {
      const at = k.pairs(1);
      k.putRaw(at, c0, 0);
      k.putRaw(at, c1, 1);
      return at;
    };
    const get = (at: number): Element => ({ c0: k.get(FQ, at, 0), c1: k.get(FQ, at, 1) });
    const from = ([c0, c1]: readonly [bigint, bigint]) =>
      Fp2.create({ c0: k.fromMont(FQ, c0), c1: k.fromMont(FQ, c1) });
    /** A summand of mulAdd and sqrAdd; int wants it to be at least p. */
    const summand = ([c0, c1]: readonly [bigint, bigint]) => {
      const above = layout.arithmetic === "int" ? p : 0n;
      return [c0 + above, c1 + above] as const;
    };
    const onRaw = (op: string, ...operands: (readonly [bigint, bigint])[]) =>
      k.scope(() => {
        const [out, ...at] = [k.pairs(1), ...operands.map(put)];
        k.call(`fq2_${op}`, out, ...at);
        return get(out);
      });
    const onValues = (op: string, ...elements: Element[]) =>
      onRaw(op, ...elements.map(({ c0, c1 }) => [k.canonical(FQ, c0), k.canonical(FQ, c1)] as const));
    /** Every operation, its operands, and what noble makes of them. */
    const operations = (a: readonly [bigint, bigint], b: readonly [bigint, bigint], s: readonly [bigint, bigint]) =>
      [
        ["mul", [a, b], Fp2.mul(from(a), from(b))],
        ["sqr", [a], Fp2.sqr(from(a))],
        ["add", [a, b], Fp2.add(from(a), from(b))],
        ["sub", [a, b], Fp2.sub(from(a), from(b))],
        ["neg", [a], Fp2.neg(from(a))],
        ["mulAdd", [a, b, summand(s)], Fp2.add(Fp2.mul(from(a), from(b)), from(s))],
        ["sqrAdd", [a, summand(s)], Fp2.add(Fp2.sqr(from(a)), from(s))],
      ] as const;

    test("operations agree with noble", () => {
      fc.assert(
        fc.property(element, element, (a, b) => {
          for (const op of ["mul", "add", "sub"] as const) expect(onValues(op, a, b)).toEqual({ ...Fp2[op](a, b) });
          for (const op of ["sqr", "neg"] as const) expect(onValues(op, a)).toEqual({ ...Fp2[op](a) });
        }),
        { numRuns: runs(300) },
      );
    });

    test("whatever the form of the operands", () => {
      fc.assert(
        fc.property(rawElement, rawElement, rawElement, (a, b, s) => {
          for (const [op, operands, want] of operations(a, b, s))
            expect(onRaw(op, ...operands), op).toEqual({ ...want });
        }),
        { numRuns: runs(300) },
      );
    });

    test("the result may overwrite any operand", () => {
      fc.assert(
        fc.property(rawElement, rawElement, rawElement, (a, b, s) => {
          for (const [op, operands, want] of operations(a, b, s)) {
            for (let i = 0; i < operands.length; i++) {
              k.scope(() => {
                const at = operands.map(put);
                k.call(`fq2_${op}`, at[i]!, ...at);
                expect(get(at[i]!), op).toEqual({ ...want });
              });
            }
          }
          // the same element twice
          for (const op of ["mul", "add", "sub"] as const) {
            k.scope(() => {
              const at = put(a);
              k.call(`fq2_${op}`, at, at, at);
              expect(get(at)).toEqual({ ...Fp2[op](from(a), from(a)) });
            });
          }
        }),
        { numRuns: runs(60) },
      );
    });

    test("inverses", () => {
      fc.assert(
        fc.property(element, (a) => {
          expect(onValues("inv", a)).toEqual(Fp2.is0(a) ? { c0: 0n, c1: 0n } : { ...Fp2.inv(a) });
        }),
        { numRuns: runs(60) },
      );
      expect(onValues("inv", { c0: 0n, c1: 0n })).toEqual({ c0: 0n, c1: 0n });
    });

    test("split, join and isZero", () => {
      fc.assert(
        fc.property(rawElement, (a) => {
          k.scope(() => {
            const [at, c0, c1, back] = [put(a), k.elements(1), k.elements(1), k.pairs(1)];
            k.call("fq2_split", c0, c1, at);
            expect([k.getRaw(c0), k.getRaw(c1)]).toEqual(a);
            k.call("fq2_join", back, c0, c1);
            expect([k.getRaw(back, 0), k.getRaw(back, 1)]).toEqual(a);
            expect(k.call("fq2_isZero", at)).toBe(a.every((c) => c % p === 0n) ? 1 : 0);
          });
        }),
        { numRuns: runs(100) },
      );
      const zeros = [0n, 1n, ...layout.representations(0n, p)];
      for (const c0 of zeros) {
        for (const c1 of zeros) {
          expect(k.scope(() => k.call("fq2_isZero", put([c0, c1])))).toBe(c0 === 1n || c1 === 1n ? 0 : 1);
        }
      }
    });
  });
});
