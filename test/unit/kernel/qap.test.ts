/** Sparse matrices times witnesses and the scalars of the quotient, in both builds, against BigInt. */

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { windowCount } from "../../../src/prover/wasm/msm.js";
import { fieldEdges, fieldValue, randomBelow, reducedRaw } from "../../support/arbitraries.js";
import { describeBuilds, FR, mod, R, type TestKernel, toBytes } from "../../support/kernel.js";

const { p } = FR;
const RECORD = 44;
const lane = (i: number) => (i & 1) as 0 | 1;

interface Entry {
  matrix: number;
  row: number;
  wire: number;
  value: bigint;
}

/** Coefficient records of a zkey: u32 matrix, u32 row, u32 wire, value·2^512. */
function records(entries: readonly Entry[]): Uint8Array {
  const out = new Uint8Array(RECORD * entries.length);
  const view = new DataView(out.buffer);
  for (const [i, { matrix, row, wire, value }] of entries.entries()) {
    for (const [j, word] of [matrix, row, wire].entries()) view.setUint32(RECORD * i + 4 * j, word, true);
    out.set(toBytes((value << 512n) % p), RECORD * i + 12);
  }
  return out;
}

describeBuilds((build, kernel) => {
  let k: TestKernel;
  beforeAll(() => {
    k = kernel();
  });

  const zeros = (words: number) => {
    const at = k.alloc(4 * words);
    k.fill(at, 4 * words, 0);
    return at;
  };

  /** Matrices A and B from records, as the key loads them; records go in `pieces` calls. */
  function loadMatrices(entries: readonly Entry[], rows: number, nWires: number, pieces = 1) {
    const data = records(entries);
    const at = k.bytes(data);
    const [offsetsA, offsetsB, cursorsA, cursorsB] = [0, 0, 0, 0].map(() => zeros(rows + 1)) as [
      number,
      number,
      number,
      number,
    ];
    const runs = Array.from({ length: pieces }, (_, i) => {
      const [from, to] = [i, i + 1].map((j) => Math.floor((entries.length * j) / pieces)) as [number, number];
      return [at + RECORD * from, to - from] as const;
    });
    for (const run of runs) expect(k.call("qap_count", ...run, offsetsA, offsetsB, rows, nWires)).toBe(-1);
    const made = [offsetsA, offsetsB].map((offsets, matrix) => {
      for (let r = 0; r < rows; r++)
        k.putU32(offsets + 4 * (r + 1), k.u32(offsets + 4 * r) + k.u32(offsets + 4 * (r + 1)));
      k.move([cursorsA, cursorsB][matrix]!, offsets, 4 * (rows + 1));
      const n = k.u32(offsets + 4 * rows);
      expect(n).toBe(entries.filter((entry) => entry.matrix === matrix).length);
      // room as src/prover/key.ts makes it; what is not filled stays garbage
      return { offsets, wires: k.alloc(4 * (n + 2)), pairs: k.pairs(Math.ceil(n / 2) + 1) };
    });
    const [a, b] = made as [(typeof made)[0], (typeof made)[0]];
    for (const run of runs) {
      const tables = [offsetsA, offsetsB, cursorsA, cursorsB, a.wires, b.wires, a.pairs, b.pairs];
      expect(k.call("qap_load", ...run, rows, nWires, ...tables)).toBe(-1);
    }
    return { a, b };
  }

  function putWitness(values: readonly bigint[]): number {
    // integers, not in Montgomery form
    const at = k.elements(values.length);
    for (const [i, value] of values.entries()) k.putRaw(at + k.element * i, value);
    return at;
  }

  type Matrix = ReturnType<typeof loadMatrices>["a"];

  /** Rows from ≤ i < to times the witness. */
  function rowValues(matrix: Matrix, witness: number, cuts: readonly number[]): bigint[] {
    const rows = cuts.at(-1)!;
    const poly = k.pairs(Math.ceil(rows / 2));
    const scratch = k.alloc(k.call("qap_scratch"));
    for (let i = 1; i < cuts.length; i++) {
      const { offsets, wires, pairs } = matrix;
      k.call("qap_rows", poly, cuts[i - 1]!, cuts[i]!, offsets, wires, pairs, witness, scratch);
    }
    return Array.from({ length: rows }, (_, i) => {
      const at = poly + (i >> 1) * k.pair;
      if (k.getRaw(at, lane(i)) > (101n * p) / 100n) throw new Error(`row ${i} is not below 1.01p`);
      return k.get(FR, at, lane(i));
    });
  }

  function expectedRows(entries: readonly Entry[], matrix: number, rows: number, witness: readonly bigint[]): bigint[] {
    const out = Array.from({ length: rows }, () => 0n);
    for (const { matrix: m, row, wire, value } of entries) {
      if (m === matrix) out[row] = (out[row]! + value * witness[wire]!) % p;
    }
    return out;
  }

  describe("rows", () => {
    const value = fieldValue(FR);

    test("of random matrices, cut anywhere", () => {
      const nWires = 7;
      const matrixEntry = fc.record({
        matrix: fc.constantFrom(0, 1),
        row: fc.nat({ max: 9 }),
        wire: fc.nat({ max: nWires - 1 }),
        value,
      });
      fc.assert(
        fc.property(
          fc.array(matrixEntry, { maxLength: 60 }),
          fc.array(value, { minLength: nWires, maxLength: nWires }),
          fc.array(fc.nat({ max: 10 }), { maxLength: 4 }),
          fc.integer({ min: 1, max: 3 }),
          (entries, witness, inner, pieces) => {
            const cuts = [0, ...inner.sort((x, y) => x - y), 10];
            k.scope(() => {
              const { a, b } = loadMatrices(entries, 10, nWires, pieces);
              const at = putWitness(witness);
              expect(rowValues(a, at, cuts)).toEqual(expectedRows(entries, 0, 10, witness));
              expect(rowValues(b, at, cuts)).toEqual(expectedRows(entries, 1, 10, witness));
            });
          },
        ),
        { numRuns: build.runs(200) },
      );
    });

    // a chunk is 512 entries
    const lengths = [0, 1, 2, 3, 510, 511, 512, 513, 514, 1023, 1024, 1025, 1536, 2000];
    const shapes: Record<string, number[][]> = {
      alone: lengths.map((n) => [n]),
      "between short rows": lengths.map((n) => [1, n, 1]),
      "between empty rows": lengths.map((n) => [0, 2, n, 0, 0, 3, n, 0]),
      "that end where a chunk ends": [
        [511, 1, 512],
        [1, 511, 512, 0],
        [512, 512, 512],
        [0, 1024, 0, 1, 1025],
        [256, 256, 1, 255, 257, 512],
      ],
    };
    test.each(Object.keys(shapes))("of lengths about a chunk, %s", (name) => {
      const next = randomBelow(21);
      const edges = fieldEdges(FR);
      const witness = Array.from({ length: 50 }, (_, i) => (i < 40 ? next(R) : edges[i]!));
      for (const shape of shapes[name]!) {
        const rows = shape.length + (shape.length & 1);
        const entries = shape.flatMap((n, row) =>
          Array.from({ length: n }, () => ({ matrix: 0, row, wire: Number(next(50n)), value: next(R) })),
        );
        k.scope(() => {
          const { a, b } = loadMatrices(entries, rows, 50);
          const at = putWitness(witness);
          const want = expectedRows(entries, 0, rows, witness);
          expect(rowValues(a, at, [0, rows])).toEqual(want);
          // one row a call: entries begin at odd offsets, rows in odd lanes
          expect(
            rowValues(
              a,
              at,
              Array.from({ length: rows + 1 }, (_, i) => i),
            ),
          ).toEqual(want);
          // an empty matrix
          expect(rowValues(b, at, [0, rows])).toEqual(want.map(() => 0n));
        });
      }
    });

    test("of the largest values", () => {
      const entries = [512, 513, 1024].flatMap((n, row) =>
        Array.from({ length: n }, () => ({ matrix: 1, row, wire: 1, value: p - 1n })),
      );
      k.scope(() => {
        const { b } = loadMatrices(entries, 4, 2);
        const witness = [1n, p - 1n];
        expect(rowValues(b, putWitness(witness), [0, 4])).toEqual([512n, 513n, 1024n, 0n]);
      });
    });
  });

  describe("records", () => {
    const good: Entry[] = [
      { matrix: 0, row: 0, wire: 0, value: 1n },
      { matrix: 1, row: 3, wire: 4, value: p - 1n },
      { matrix: 0, row: 2, wire: 1, value: 5n },
    ];
    const count = (entries: readonly Entry[]) =>
      k.scope(() => k.call("qap_count", k.bytes(records(entries)), entries.length, zeros(5), zeros(5), 4, 5));

    test("qap_count finds the first with a bad matrix, row or wire", () => {
      expect(count(good)).toBe(-1);
      expect(count([])).toBe(-1);
      for (let i = 0; i < good.length; i++) {
        for (const bad of [
          { matrix: 2 },
          { matrix: 0xffffffff },
          { row: 4 },
          { row: 0xffffffff },
          { wire: 5 },
          { wire: 0x80000000 },
        ]) {
          expect(count(good.map((entry, j) => (j < i ? entry : { ...entry, ...bad }))), JSON.stringify(bad)).toBe(i);
        }
      }
    });

    /** Loads records into the rows that `good` counts. */
    const loadGood = (data: Uint8Array) => {
      const tables = [0, 0].flatMap(() => {
        const [a, b] = [zeros(5), zeros(5)];
        k.putU32(a, 0, 1, 1, 2, 2);
        k.putU32(b, 0, 0, 0, 0, 1);
        return [a, b];
      });
      const room = [k.alloc(16), k.alloc(16), k.pairs(2), k.pairs(2)] as const;
      return k.call("qap_load", k.bytes(data), good.length, 4, 5, ...tables, ...room);
    };

    test("qap_load finds the first coefficient that is not canonical", () => {
      for (let i = 0; i < good.length; i++) {
        for (const bad of [p, p + 1n, (1n << 256n) - 1n]) {
          k.scope(() => {
            const data = records(good);
            for (let j = i; j < good.length; j++) data.set(toBytes(bad), RECORD * j + 12);
            expect(loadGood(data)).toBe(i);
          });
        }
      }
    });

    test("qap_load takes no record that was not counted", () => {
      const changed = (i: number, field: number, value: number) => {
        const data = records(good);
        new DataView(data.buffer, data.byteOffset).setUint32(RECORD * i + field, value, true);
        return data;
      };
      for (let i = 0; i < good.length; i++) {
        for (const [field, values] of [
          [0, [2, 1 << 20, 2 ** 32 - 1]],
          [4, [4, 100, 3000, 1 << 28, 2 ** 32 - 1]],
          [8, [5, 100, 2 ** 32 - 1]],
        ] as const) {
          for (const value of values) k.scope(() => expect(loadGood(changed(i, field, value))).toBe(i));
        }
        // the row is there, but as many entries as it was counted have come already, or none was counted
        k.scope(() => {
          const found = loadGood(changed(i, 4, (good[i]!.row + 1) % 4));
          expect(found).toBeGreaterThanOrEqual(i);
        });
      }
    });

    test("qap_coefficient takes zkey values and plain integers, below r only", () => {
      fc.assert(
        fc.property(fieldValue(FR), fc.nat({ max: 5 }), (value, position) => {
          k.scope(() => {
            const pairs = k.pairs(3);
            const at = pairs + (position >> 1) * k.pair;
            for (const [montgomery, stored] of [
              [1, (value << 512n) % p],
              [0, value],
            ] as const) {
              k.fill(pairs, 3 * k.pair, 0);
              expect(k.call("qap_coefficient", pairs, position, k.bytes(toBytes(stored)), montgomery)).toBe(1);
              expect(mod(k.getRaw(at, lane(position)), p)).toBe(k.toMont(FR, k.toMont(FR, value)));
              expect(k.getRaw(at, lane(position + 1))).toBe(0n);
            }
          });
        }),
        { numRuns: build.runs(60) },
      );
      for (const value of [p, p + 1n, (1n << 256n) - 1n]) {
        for (const montgomery of [0, 1]) {
          const accepted = k.scope(() => k.call("qap_coefficient", k.pairs(1), 0, k.bytes(toBytes(value)), montgomery));
          expect(accepted).toBe(0);
        }
      }
    });
  });

  test("qap_product multiplies a stretch", () => {
    const raw = reducedRaw(FR, build.layout);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(raw, raw), { minLength: 8, maxLength: 8 }),
        fc.nat({ max: 4 }),
        fc.nat({ max: 4 }),
        (ab, x, y) => {
          const [from, to] = [2 * Math.min(x, y), 2 * Math.max(x, y)];
          k.scope(() => {
            const [a, b, c] = [k.pairs(4), k.pairs(4), k.pairs(4)];
            k.fill(c, 4 * k.pair, 0);
            for (const [i, [u, v]] of ab.entries()) {
              k.putRaw(a + (i >> 1) * k.pair, u, lane(i));
              k.putRaw(b + (i >> 1) * k.pair, v, lane(i));
            }
            k.call("qap_product", c, a, b, from, to);
            const got = ab.map((_, i) => mod(k.getRaw(c + (i >> 1) * k.pair, lane(i)), p));
            expect(got).toEqual(ab.map(([u, v], i) => (i >= from && i < to ? k.fromMont(FR, u * v) : 0n)));
          });
        },
      ),
      { numRuns: build.runs(60) },
    );
  });

  describe("qap_quotient", () => {
    /** Bytes and digits of the scalars from stretches of positions. */
    function quotient(abc: readonly (readonly [bigint, bigint, bigint])[], cuts: readonly number[], c: number) {
      return k.scope(() => {
        const n = abc.length;
        const at = [0, 1, 2].map((part) => {
          const poly = k.pairs(n / 2);
          for (const [i, values] of abc.entries()) k.putRaw(poly + (i >> 1) * k.pair, values[part]!, lane(i));
          return poly;
        }) as [number, number, number];
        const windows = windowCount(c);
        const [digits, bytes] = [k.alloc(4 * n * windows), k.alloc(32 * n)];
        for (let i = 1; i < cuts.length; i++) {
          const stretch = [cuts[i - 1]!, cuts[i]!] as const;
          k.call("qap_quotient", ...at, Math.log2(n), ...stretch, digits, 2 * n, 4 * n, c, windows, bytes);
        }
        const only = k.alloc(4 * n * windows);
        k.call("qap_quotient", ...at, Math.log2(n), 0, n, only, 2 * n, 4 * n, c, windows, 0);
        expect(k.read(only, 4 * n * windows)).toEqual(k.read(digits, 4 * n * windows));
        const scalars = k.readScalars(bytes, n);
        const bare = k.alloc(32 * n);
        k.call("qap_quotient", ...at, Math.log2(n), 0, n, 0, 0, 0, 0, 0, bare);
        expect(k.read(bare, 32 * n)).toEqual(k.read(bytes, 32 * n));
        // the digits are those of the scalars
        const one = k.alloc(4 * windows);
        for (const [i, s] of scalars.entries()) {
          k.call("fr_recode", k.bytes(toBytes(s)), one, 2, 4, c, windows);
          for (let w = 0; w < windows; w++) {
            for (const half of [0, 1]) {
              expect(k.i16(digits + 4 * n * w + 2 * n * half + 2 * i)).toBe(k.i16(one + 4 * w + 2 * half));
            }
          }
        }
        return scalars;
      });
    }
    const expected = (abc: readonly (readonly [bigint, bigint, bigint])[]) => {
      const n = abc.length;
      const h = abc.map(([a, b, c]) => k.fromMont(FR, k.fromMont(FR, a * b) - c));
      // scalar -i mod n stands at position i
      return h.map((_, i) => h[(n - i) % n]!);
    };

    test("a·b - c at reversed positions, as bytes and digits", () => {
      const raw = reducedRaw(FR, build.layout);
      const triple = fc.oneof(
        fc.tuple(raw, raw, raw),
        // quotients of 0
        fc
          .tuple(raw, raw)
          .map(([a, b]) => [a, b, k.layout.representations(k.fromMont(FR, a * b), p)[0]!] as [bigint, bigint, bigint]),
      );
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 4 }).chain((bits) =>
            fc.record({
              abc: fc.array(triple, { minLength: 2 ** bits, maxLength: 2 ** bits }),
              cut: fc.nat({ max: 2 ** (bits - 1) }),
            }),
          ),
          fc.integer({ min: 3, max: 16 }),
          ({ abc, cut }, c) => {
            expect(quotient(abc, [0, 2 * cut, abc.length], c)).toEqual(expected(abc));
          },
        ),
        { numRuns: build.runs(60) },
      );
    });

    if (build.arithmetic === "fma") return;
    test("c up to 3p", () => {
      const abc = [0n, 1n, p - 1n, p, 2n * p - 1n, 2n * p, 3n * p - 1n, 3n * p].map(
        (c) => [2n * p - 1n, 2n * p - 1n, c] as const,
      );
      expect(quotient(abc, [0, 8], 13)).toEqual(expected(abc));
    });
  });
});
