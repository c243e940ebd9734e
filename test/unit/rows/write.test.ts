import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignWrite } from "../../../src/rows/copy.js";
import { write } from "../../../src/rows/write.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import {
  expectSatisfied,
  leftBy,
  leftWith,
  memoryOf,
  patterned,
  patternedWords,
  places,
  sizes,
} from "../../support/copy.js";
import { REGISTERS } from "../../support/machine.js";
import { forged, machineWithMemory, rowsOf } from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";

const MEMORY = patternedWords(12);
const t = 16n * REGISTERS.clk;

/** The chain that writes `size` bytes at a place. */
function chain(dest: number, size: number) {
  const m = machineWithMemory([], MEMORY);
  assignWrite(m, BigInt(dest), patterned(size));
  return rowsOf(m, write);
}

const sampled = (dest: number, size: number, ...at: number[]) => {
  const rows = chain(dest, size);
  return at.map((i) => ({ what: `word ${i} of ${size} bytes at ${dest}`, columns: rows.at(i)! }));
};

describeRow({
  template: write,
  cost: 71,
  samples: () => [
    // whole words; in the middle of one; from one to the next
    ...sampled(32, 64, 1),
    ...sampled(37, 5, 0),
    ...sampled(63, 33, 0, 1),
    // the first word in part, one in the middle, the last one without bytes of its own
    ...sampled(60, 64, 0, 1, 2),
    // the last one in part, with and without a shift
    ...sampled(32, 33, 1),
    ...sampled(33, 40, 1),
  ],
});

describe("a chain of write rows", () => {
  it("writes bytes at a place and leaves all others as they were", async () => {
    await fc.assert(
      fc.asyncProperty(places(), sizes(), async (dest, size) => {
        const m = machineWithMemory([], MEMORY);
        const expected = memoryOf(m);
        const bytes = patterned(size, dest);
        expected.splice(dest, size, ...bytes);
        const left = leftBy(m, () => assignWrite(m, BigInt(dest), bytes));
        expect(memoryOf(m)).toEqual(expected);
        await expectSatisfied(m, [write]);
        const rows = rowsOf(m, write);
        expect(rows).toHaveLength(size === 0 ? 0 : Math.ceil(((dest % 32) + size) / 32));
        // what the row that copies has to send and receive: BUFFER, the first and the last WRITE
        const words = Math.ceil(size / 32);
        const buffers = left.filter(({ tag }) => tag === "BUFFER");
        expect(buffers.map(({ fields, multiplicity }) => [fields.i, multiplicity])).toEqual(
          Array.from({ length: words }, (_, i) => [BigInt(i), -1n]),
        );
        const ends = left.filter(({ tag }) => tag === "WRITE");
        expect(left).toHaveLength(buffers.length + ends.length);
        if (size === 0) {
          expect(ends).toEqual([]);
          return;
        }
        const fields = { t, ctx: REGISTERS.ctx, shift: BigInt(dest % 32), carryHi: 0n, carryLo: 0n };
        const j = BigInt(Math.floor(dest / 32));
        const n = BigInt(rows.length);
        expect(ends).toEqual([
          { tag: "WRITE", multiplicity: -1n, fields: expect.objectContaining({ ...fields, j, i: 0n }) },
          { tag: "WRITE", multiplicity: 1n, fields: expect.objectContaining({ ...fields, j: j + n, i: n }) },
        ]);
      }),
      { numRuns: 40 },
    );
  });

  const run = (m: Parameters<typeof assignWrite>[0]) => assignWrite(m, 60n, patterned(64));
  /** What more than in an honest chain is left if row `at` is another one, by tag. */
  const leftOf = (at: number, columns: readonly bigint[] | undefined) => {
    const honest = leftBy(machineWithMemory([], MEMORY), run).length;
    const left = leftWith(machineWithMemory([], MEMORY), run, write, at, columns);
    return { tags: [...new Set(left.map(({ tag }) => tag))].sort(), more: left.length - honest };
  };

  it("does not balance without one of its rows, or with a BUFFER word that none takes", async () => {
    expect(leftOf(1, undefined)).toEqual({ tags: ["BUFFER", "MEMORY", "WRITE"], more: 3 });
    // has = 0 in the middle, and the word 0: the row is one, but BUFFER(t, 1) is left and its bytes are missing in the next
    const other = forged(write, chain(60, 64)[1]!, {
      ...{ has: 0n, hi: 0n, lo: 0n, headHi: 0n, headLo: 0n, tailHi: 0n, tailLo: 0n },
    });
    expect(evaluate(await rowCircuit("write"), write, other).violated).toEqual([]);
    const { tags, more } = leftOf(1, other);
    expect(tags).toEqual(["BUFFER", "MEMORY", "WRITE"]);
    expect(more).toBeGreaterThan(0);
  });

  it("keeps what is before the first byte and behind the last", async () => {
    const circuit = await rowCircuit("write");
    const rows = chain(60, 64);
    const [first, last] = [rows[0]!, rows[2]!];
    // the old bytes replaced by zeros, by others, or by all of the old word
    const tops = [
      { topHi: 0n, topLo: 0n },
      { topHi: 1n << 127n, topLo: 0n },
      { topLo: MEMORY[1]! & ((1n << 128n) - 1n) },
    ];
    for (const top of tops) expect(passes(circuit, write, first, forged(write, first, top))).toBe(false);
    const kept = { keptHi: MEMORY[3]! >> 128n, keptLo: MEMORY[3]! & ((1n << 128n) - 1n) };
    for (const other of [kept, { keptHi: 0n, keptLo: 0n }])
      expect(passes(circuit, write, last, forged(write, last, other))).toBe(false);
    // where nothing is kept, nothing can be
    const middle = rows[1]!;
    for (const other of [{ topHi: 1n }, { keptHi: 0n, keptLo: 0n }])
      expect(evaluate(circuit, write, forged(write, middle, other)).violated).not.toEqual([]);
    // a last row that is said not to be it, a first one in the middle: other tokens
    expect(passes(circuit, write, last, forged(write, last, { end: 9n, ...kept }))).toBe(false);
    expect(passes(circuit, write, middle, forged(write, middle, { i: 0n }))).toBe(false);
  });

  it("has no last row that reaches 32 bytes", async () => {
    const circuit = await rowCircuit("write");
    const whole = chain(32, 64)[1]!;
    // CUT has no entry for 32 bytes, whatever is said to be kept
    const was = { wasHi: MEMORY[2]! >> 128n, wasLo: MEMORY[2]! & ((1n << 128n) - 1n) };
    for (const kept of [{}, { keptHi: was.wasHi, keptLo: was.wasLo }, { keptHi: 0n, keptLo: 0n }]) {
      const other = forged(write, whole, { end: 2n, ...kept });
      expect(passes(circuit, write, other, other)).toBe(false);
    }
  });

  it("finds no word at a fraction of an index", async () => {
    const inverse = ((FR_MODULUS + 1n) / 2n) ** 5n % FR_MODULUS;
    const j = (37n * inverse) % FR_MODULUS;
    const other = forged(write, chain(32, 32)[0]!, { j });
    expect(evaluate(await rowCircuit("write"), write, other).violated).toEqual([]);
    const left = leftWith(machineWithMemory([], MEMORY), (m) => assignWrite(m, 32n, patterned(32)), write, 0, other);
    const memory = left.filter(({ tag }) => tag === "MEMORY");
    expect(memory.filter(({ multiplicity }) => multiplicity < 0n).map(({ fields }) => fields.index)).toContain(j);
  });

  it("needs the memory that it writes", () => {
    expect(() => assignWrite(machineWithMemory([], [1n]), 30n, patterned(3))).toThrow(
      expect.objectContaining({ code: "CELL_MISSING" }),
    );
  });
});
