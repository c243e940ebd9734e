/** Points of G1 and G2 in both builds: batched and Jacobian additions, zkey bytes, bases, fixed-base multiplication. */

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { randomBelow, scalarEdges } from "../../support/arbitraries.js";
import { scalarSource } from "../../support/groth16.js";
import {
  type Coords,
  describeBuilds,
  FQ,
  fromZkeyPoint,
  GROUPS,
  type Group,
  inverse,
  LAMBDA,
  type Layout,
  mod,
  Q,
  R,
  type TestKernel,
  toBytes,
  zkeyPoint,
} from "../../support/kernel.js";
import { randomTwistPoint } from "../../support/twist.js";

const coefficient = fc.oneof(fc.constantFrom(0n, 1n, -1n, 2n, -2n), fc.bigInt({ min: -12n, max: 12n }));

/**
 * Points with coordinates that have two representations: in `int` those that are tiny in Montgomery form, in `fma` those
 * close to p/2. Not all of them lie in the subgroup of order r; no addition needs that.
 */
function ambiguousPoints(group: Group, { arithmetic, bits, radix }: Layout): Coords[] {
  const radixInverse = inverse(radix, Q);
  const half = 1n << (bits - 1n);
  // in fma the lowest limbs of both differ by that of p, or that and 2^51 where one of them is close to the end
  const lowest = arithmetic === "int" ? [0n] : [0n, -half, half - 60n];
  const value = (low: bigint, t: bigint) => {
    const raw = arithmetic === "int" ? t : (((Q >> 1n) >> bits) << bits) + low + t;
    return mod(raw * radixInverse, Q);
  };
  return lowest.flatMap((low) => {
    const found: Coords[] = [];
    for (let t = 1n; found.length < (group.degree === 1 ? 4 : 3); t++) {
      const point = group.lift(
        group.degree === 1 ? [value(low, t)] : [value(low, t), t % 3n === 0n ? 0n : value(low, 5n * t)],
      );
      if (point !== undefined) found.push(point);
    }
    return found;
  });
}

describeBuilds((build, kernel) => {
  let k: TestKernel;
  beforeAll(() => {
    k = kernel();
  });

  describe.each(GROUPS)("$name", (group) => {
    const { name, bytes } = group;
    const coords = group.coords;
    const size = (what: string, ...args: number[]) => k.call(`${name}_${what}`, ...args);
    const call = size;

    describe("batchAdd", () => {
      type Summand = { point: Coords; other?: boolean };
      interface Op {
        a: Summand;
        b: Summand;
        /** Where the sum goes: a block of its own, or the place of a summand. */
        out: "new" | "first" | "second";
      }

      /** Sums by the kernel. */
      function run(ops: readonly Op[]): Coords[] {
        return k.scope(() => {
          const list = k.alloc(12 * ops.length);
          const results = ops.map(({ a, b, out }, i) => {
            const put = ({ point, other }: Summand) => k.affine(group, point, other);
            const [p, q] = [put(a), put(b)];
            const result = out === "first" ? p : out === "second" ? q : k.alloc(size("pointSize"));
            k.putU32(list + 12 * i, p, q, result);
            return result;
          });
          call("batchAdd", list, ops.length, k.alloc(size("batchScratch", ops.length)));
          return results.map((at) => k.getAffine(group, at));
        });
      }
      const known = (n: bigint): Summand => ({ point: coords(n) });
      const outs = ["new", "first", "second"] as const;

      test("any mixture of additions, doublings, cancellations and infinity", () => {
        const op = fc.record({ a: coefficient, b: coefficient, out: fc.constantFrom(...outs) });
        const alike = fc
          .record({ a: coefficient, negate: fc.boolean(), out: fc.constantFrom(...outs) })
          .map(({ a, negate, out }) => ({ a, b: negate ? -a : a, out }));
        fc.assert(
          fc.property(fc.array(fc.oneof(op, alike), { maxLength: 12 }), (ops) => {
            const got = run(ops.map(({ a, b, out }) => ({ a: known(a), b: known(b), out })));
            expect(got).toEqual(ops.map(({ a, b }) => coords(a + b)));
          }),
          { numRuns: build.runs(150) },
        );
      });

      test("every kind beside every kind, in either lane, for odd and even counts", () => {
        // addition, infinity second, first, both; doubling, cancellation
        const kinds = [
          [3n, 5n],
          [7n, 0n],
          [0n, 7n],
          [0n, 0n],
          [6n, 6n],
          [4n, -4n],
        ] as const;
        for (const [i, [a, b]] of kinds.entries()) {
          for (const [j, [c, d]] of kinds.entries()) {
            const out = outs[(i + j) % 3]!;
            const first = { a: known(a), b: known(b), out };
            const second = { a: known(c), b: known(d), out };
            expect(run([first, second])).toEqual([coords(a + b), coords(c + d)]);
            expect(run([first, second, first])).toEqual([coords(a + b), coords(c + d), coords(a + b)]);
          }
          for (const out of outs) expect(run([{ a: known(a), b: known(b), out }])).toEqual([coords(a + b)]);
        }
      });

      test("no operation, and as many as a batch has", () => {
        expect(run([])).toEqual([]);
        const next = randomBelow(1);
        for (const n of [2047, 2048]) {
          const pairs = Array.from({ length: n }, (_, i) => {
            const a = next(41n) - 20n;
            return [a, i % 7 === 0 ? a : i % 7 === 1 ? -a : next(41n) - 20n] as const;
          });
          const got = run(pairs.map(([a, b], i) => ({ a: known(a), b: known(b), out: outs[i % 3]! })));
          expect(got).toEqual(pairs.map(([a, b]) => coords(a + b)));
        }
      });

      test("a summand may serve many operations, and both sides of one", () => {
        k.scope(() => {
          const [p, q] = [k.affine(group, coords(9n)), k.affine(group, coords(-9n))];
          const out = Array.from({ length: 5 }, () => k.alloc(size("pointSize")));
          const list = k.alloc(60);
          k.putU32(list, p, p, out[0]!, p, q, out[1]!, q, q, out[2]!, q, p, out[3]!, p, p, out[4]!);
          call("batchAdd", list, 5, k.alloc(size("batchScratch", 5)));
          expect(out.map((at) => k.getAffine(group, at))).toEqual([18n, 0n, -18n, 0n, 18n].map(coords));
          expect(k.getAffine(group, p)).toEqual(coords(9n));
        });
      });

      test("coordinates with two representations are equal, opposite or different all the same", () => {
        const ambiguous = ambiguousPoints(group, k.layout);
        const points = [...ambiguous, ...ambiguous.map(group.negate), [], coords(1n)];
        const variants = points.flatMap((point) => [{ point }, { point, other: true }]);
        const ops = variants.flatMap((a) => variants.map((b) => ({ a, b, out: "new" as const })));
        const got = run(ops);
        for (const [i, { a, b }] of ops.entries()) expect(got[i]).toEqual(group.sum(a.point, b.point));
        // the second representation is another one
        k.scope(() => {
          for (const point of ambiguous) {
            const [usual, other] = [k.affine(group, point), k.affine(group, point, true)];
            expect(k.read(usual, k.element)).not.toEqual(k.read(other, k.element));
            expect(k.getAffine(group, other)).toEqual(point);
          }
        });
      });

      if (build.arithmetic === "fma" && name === "g1") {
        test("a lowest limb of 2^50 and one of -2^50 may belong to the same abscissa", () => {
          const radixInverse = inverse(build.layout.radix, Q);
          const half = 1n << 50n;
          let point: Coords | undefined;
          for (let s = 1n; point === undefined; s++) point = group.lift([mod(((s << 51n) - half) * radixInverse, Q)]);
          const found = point;
          for (const second of [found, group.negate(found)]) {
            k.scope(() => {
              const [p, q, out, list] = [k.affine(group, found), k.affine(group, second), k.alloc(k.pair), k.alloc(12)];
              const [low, next, ...rest] = k.getLimbs(q);
              expect(low).toBe(-half);
              k.putLimbs(q, [half, next! - 1n, ...rest]);
              k.putU32(list, p, q, out);
              call("batchAdd", list, 1, k.alloc(size("batchScratch", 1)));
              expect(k.getAffine(group, out)).toEqual(group.sum(found, second));
            });
          }
        });
      }

      test("abscissae with equal lowest limbs are still different", () => {
        if (group.degree === 2) return;
        // lowest limbs t, t + p, t - p: what equal abscissae may have
        const { bits, radix } = k.layout;
        const radixInverse = inverse(radix, Q);
        const found: Coords[] = [];
        for (const [i, low] of [12345n, 12345n + Q, 12345n - Q].map((x) => BigInt.asIntN(Number(bits), x)).entries()) {
          for (let s = 1n; found.length < 4 * (i + 1); s++) {
            const point = group.lift([mod((low + (s << bits)) * radixInverse, Q)]);
            if (point !== undefined) found.push(point);
          }
        }
        const ops = found.flatMap((a) => found.map((b) => ({ a: { point: a }, b: { point: b }, out: "new" as const })));
        expect(run(ops)).toEqual(ops.map(({ a, b }) => group.sum(a.point, b.point)));
      });
    });

    describe("Jacobian points", () => {
      /** What the kernel makes of points given with arbitrary Z, read back by BigInt. */
      const jacobian = (op: string, ...operands: { point: Coords; z: bigint }[]) =>
        k.scope(() => {
          const out = k.alloc(size("jacobianSize"));
          call(op, out, ...operands.map(({ point, z }) => k.jacobian(group, point, z)));
          return k.getJacobian(group, out);
        });
      const z = fc.oneof(fc.constantFrom(1n, 2n, Q - 1n), fc.bigInt({ min: 1n, max: Q - 1n }));

      test("there and back", () => {
        fc.assert(
          fc.property(coefficient, z, (a, z) => {
            k.scope(() => {
              const [out, affine] = [k.alloc(size("jacobianSize")), k.affine(group, coords(a))];
              call("fromAffine", out, affine);
              expect(k.getJacobian(group, out)).toEqual(coords(a));
              const back = k.alloc(size("pointSize"));
              call("toAffine", back, k.jacobian(group, coords(a), z));
              expect(k.getAffine(group, back)).toEqual(coords(a));
            });
          }),
          { numRuns: build.runs(60) },
        );
      });

      test("add and double, whatever the operands and their Z", () => {
        fc.assert(
          fc.property(coefficient, coefficient, z, z, (a, b, z, w) => {
            const [p, q] = [
              { point: coords(a), z },
              { point: coords(b), z: w },
            ];
            expect(jacobian("add", p, q)).toEqual(coords(a + b));
            expect(jacobian("add", p, { point: coords(a), z: w })).toEqual(coords(2n * a));
            expect(jacobian("add", p, { point: coords(-a), z: w })).toEqual([]);
            expect(jacobian("double", p)).toEqual(coords(2n * a));
          }),
          { numRuns: build.runs(100) },
        );
      });

      test("the result may overwrite an operand", () => {
        for (const [a, b] of [
          [3n, 4n],
          [3n, 3n],
          [3n, -3n],
          [0n, 3n],
          [3n, 0n],
          [0n, 0n],
        ] as const) {
          k.scope(() => {
            const put = (n: bigint) => k.jacobian(group, coords(n), 7n);
            const [p, q, r] = [put(a), put(b), put(a)];
            call("add", p, p, q);
            expect(k.getJacobian(group, p)).toEqual(coords(a + b));
            call("add", q, r, q);
            expect(k.getJacobian(group, q)).toEqual(coords(a + b));
            call("add", r, r, r);
            expect(k.getJacobian(group, r)).toEqual(coords(2n * a));
            call("double", r, r);
            expect(k.getJacobian(group, r)).toEqual(coords(4n * a));
            const s = put(a);
            call("mul", s, s, k.bytes(toBytes(11n)));
            expect(k.getJacobian(group, s)).toEqual(coords(11n * a));
          });
        }
      });

      test("mul by edge scalars, reduced or not", () => {
        const scalars = [0n, 1n, 2n, 3n, R - 1n, R, R + 1n, LAMBDA, 1n << 255n, (1n << 256n) - 1n, (R - 1n) / 2n];
        for (const base of [1n, -5n, 0n]) {
          for (const s of scalars) {
            k.scope(() => {
              const out = k.alloc(size("jacobianSize"));
              call("mul", out, k.jacobian(group, coords(base), 3n), k.bytes(toBytes(s)));
              expect(k.getJacobian(group, out)).toEqual(coords(s * base));
            });
          }
        }
      });

      test("horner", () => {
        fc.assert(
          fc.property(fc.array(coefficient, { maxLength: 5 }), fc.integer({ min: 1, max: 16 }), (digits, c) => {
            k.scope(() => {
              const windows = k.alloc(Math.max(1, digits.length) * size("jacobianSize"));
              for (const [i, digit] of digits.entries()) {
                k.move(windows + i * size("jacobianSize"), k.jacobian(group, coords(digit), 9n), size("jacobianSize"));
              }
              const out = k.alloc(size("jacobianSize"));
              call("horner", out, windows, digits.length, c);
              const want = digits.reduceRight((sum, digit) => (sum << BigInt(c)) + digit, 0n);
              expect(k.getJacobian(group, out)).toEqual(coords(want));
            });
          }),
          { numRuns: build.runs(40) },
        );
      });
    });

    describe("zkey bytes", () => {
      const fromBytes = (data: Uint8Array) =>
        k.scope(() => {
          const out = k.alloc(size("pointSize"));
          return { code: call("fromBytes", out, k.bytes(data), k.curve[name].b), point: k.getAffine(group, out) };
        });
      const code = (data: Uint8Array) =>
        k.scope(() => call("fromBytes", k.alloc(size("pointSize")), k.bytes(data), k.curve[name].b));

      test("round trip", () => {
        for (const point of [
          ...[0n, 1n, 2n, -1n, LAMBDA, 0x1234567n].map(coords),
          ...ambiguousPoints(group, k.layout),
        ]) {
          const data = zkeyPoint(group, point);
          expect(fromBytes(data)).toEqual({ code: 0, point });
          k.scope(() => {
            const [affine, out] = [k.affine(group, point), k.alloc(bytes)];
            call("toBytes", out, affine);
            expect(k.read(out, bytes)).toEqual(data);
            expect(call("onCurve", affine, k.curve[name].b)).toBe(1);
          });
        }
      });

      test("toBytes of unreduced coordinates is canonical", () => {
        for (const point of [...ambiguousPoints(group, k.layout), coords(5n)]) {
          k.scope(() => {
            const [affine, out] = [k.affine(group, point, true), k.alloc(bytes)];
            call("toBytes", out, affine);
            expect(k.read(out, bytes)).toEqual(zkeyPoint(group, point));
          });
        }
      });

      test("a coordinate of q or more gives 1, in every position", () => {
        const good = zkeyPoint(group, coords(3n));
        for (const start of [good, new Uint8Array(bytes)]) {
          for (let i = 0; i < bytes / 32; i++) {
            const original = start.slice(32 * i, 32 * i + 32).reduceRight((sum, b) => (sum << 8n) + BigInt(b), 0n);
            for (const value of [Q, Q + 1n, original + Q, (1n << 256n) - 1n, 1n << 255n]) {
              const bad = start.slice();
              bad.set(toBytes(value), 32 * i);
              expect(code(bad), `coordinate ${i} = ${value}`).toBe(1);
            }
            // q - 1 is a coordinate, though not of this point
            const other = start.slice();
            other.set(toBytes(Q - 1n), 32 * i);
            expect(code(other)).toBe(2);
          }
        }
      });

      test("points off the curve give 2", () => {
        fc.assert(
          fc.property(coefficient, fc.nat({ max: bytes / 32 - 1 }), fc.bigInt({ min: 1n, max: Q - 1n }), (n, i, d) => {
            const point = [...coords(n === 0n ? 1n : n)];
            point[i] = mod(point[i]! + d, Q);
            // the other root, or another abscissa with the same square
            fc.pre(group.lift(point.slice(0, group.degree)) === undefined || i >= group.degree);
            fc.pre(point.join() !== group.negate(coords(n === 0n ? 1n : n)).join());
            expect(code(zkeyPoint(group, point))).toBe(2);
          }),
          { numRuns: build.runs(60) },
        );
        // (0, 0) is infinity, but nothing else with a zero abscissa or ordinate
        expect(
          code(
            zkeyPoint(
              group,
              coords(1n).map((v, i) => (i < group.degree ? 0n : v)),
            ),
          ),
        ).toBe(2);
        expect(
          code(
            zkeyPoint(
              group,
              coords(1n).map((v, i) => (i < group.degree ? v : 0n)),
            ),
          ),
        ).toBe(2);
      });
    });

    describe("loadBases", () => {
      /** Bases of n zkey points: what was answered, the scalar positions and the three coordinates of each. */
      function load(points: readonly Coords[], first: number, spoil: (data: Uint8Array) => void = () => {}) {
        return k.scope(() => {
          const data = new Uint8Array(bytes * points.length);
          for (const [i, point] of points.entries()) data.set(zkeyPoint(group, point), bytes * i);
          spoil(data);
          const n = points.length;
          const [bases, index] = [k.alloc(n * size("baseSize")), k.alloc(4 * n)];
          const { beta, b } = k.curve[name];
          const count = call("loadBases", bases, index, k.bytes(data), n, first, beta, b);
          const loaded = Array.from({ length: Math.max(0, count) }, (_, i) => {
            const at = bases + i * size("baseSize");
            const step = group.degree === 1 ? k.element : k.pair;
            const lanes = group.degree === 1 ? [undefined] : ([0, 1] as const);
            const values = [0, 1, 2].map((c) => lanes.map((lane) => k.getCanonical(FQ, at + c * step, lane)));
            return { index: k.u32(index + 4 * i), values };
          });
          return { count, loaded };
        });
      }

      test("leaves out infinity and adds the endomorphism's image", () => {
        const logs = [0n, 1n, 0n, 0n, 5n, -7n, 12345n, 0n, LAMBDA, 3n, 0n];
        const { count, loaded } = load(logs.map(coords), 1000);
        expect(count).toBe(6);
        const positions = logs.flatMap((log, i) => (log === 0n ? [] : [i]));
        expect(loaded.map(({ index }) => index)).toEqual(positions.map((i) => 1000 + i));
        for (const [i, { values }] of loaded.entries()) {
          const log = logs[positions[i]!]!;
          const point = coords(log);
          const image = coords(log * LAMBDA);
          expect(image.slice(group.degree)).toEqual(point.slice(group.degree));
          const want = [point.slice(0, group.degree), point.slice(group.degree), image.slice(0, group.degree)];
          expect(values).toEqual(want);
        }
      });

      test("nothing but infinity, and nothing", () => {
        expect(load([[], [], []], 0)).toEqual({ count: 0, loaded: [] });
        expect(load([], 0)).toEqual({ count: 0, loaded: [] });
      });

      test("says which point is bad", () => {
        const points = [1n, 0n, 3n, 4n].map(coords);
        for (let i = 0; i < 4; i++) {
          expect(load(points, 77, (data) => data.set(toBytes(Q), bytes * i)).count).toBe(-1 - i);
          expect(load(points, 77, (data) => (data[bytes * i]! ^= 1)).count).toBe(-1 - i);
        }
      });

      if (name === "g2") {
        test("takes points of the twist outside the subgroup: the order is not its business", () => {
          const { x, y } = randomTwistPoint(scalarSource("curve")).toAffine();
          expect(load([[x.c0, x.c1, y.c0, y.c1]], 0).count).toBe(1);
        });
      }
    });

    describe("fixed base", () => {
      const table = (base: Coords) => {
        const at = k.alloc(size("fixedTableSize"));
        const scratch = k.alloc(size("fixedScratch"));
        call("fixedTable", at, k.affine(group, base), scratch);
        return { at, scratch };
      };
      const multiply = ({ at, scratch }: { at: number; scratch: number }, scalars: readonly bigint[]) => {
        const out = k.alloc(bytes * scalars.length);
        call("fixedMul", out, k.scalars(scalars), scalars.length, at, scratch);
        return scalars.map((_, i) => fromZkeyPoint(k.read(out + bytes * i, bytes)));
      };

      test("the table holds d·2^(8w)·P", () => {
        k.scope(() => {
          const { at } = table(coords(3n));
          for (const w of [0, 1, 15, 31]) {
            for (const d of [1, 2, 3, 128, 255]) {
              const entry = k.getAffine(group, at + (255 * w + d - 1) * size("pointSize"));
              expect(entry).toEqual(coords(3n * BigInt(d) * (1n << BigInt(8 * w))));
            }
          }
        });
      });

      test("products with edge and random scalars", () => {
        k.scope(() => {
          const made = table(coords(77n));
          const next = randomBelow(3);
          const few = [0n, 1n, 2n, 254n, 255n, 256n, 257n, 65535n, 65536n, R - 1n, R - 2n, R, (1n << 256n) - 1n];
          const scalars = [...few, ...scalarEdges().slice(0, 40), ...Array.from({ length: 20 }, () => next(R))];
          expect(multiply(made, scalars)).toEqual(scalars.map((s) => coords(77n * s)));
        });
      });

      test("more scalars than a batch has", () => {
        k.scope(() => {
          const made = table(coords(-1n));
          const scalars = Array.from({ length: 2049 + 50 }, (_, i) => BigInt(i % 23) * 256n + BigInt(i % 3));
          expect(multiply(made, scalars)).toEqual(scalars.map((s) => coords(-s)));
          expect(multiply(made, [])).toEqual([]);
        });
      });

      test("multiples of infinity", () => {
        k.scope(() => {
          expect(multiply(table([]), [0n, 1n, R - 1n])).toEqual([[], [], []]);
        });
      });
    });
  });
});
