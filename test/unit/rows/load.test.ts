import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignLoad, NO_CODE } from "../../../src/rows/copy.js";
import { load } from "../../../src/rows/load.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { fieldsOf, type Message } from "../../../src/verifier/bus.js";
import type { TagName } from "../../../src/verifier/tags.generated.js";
import { entryExists, expectAnswers, expectSatisfied, leftBy, patterned, sizes, wordIn } from "../../support/copy.js";
import { machineWith, REGISTERS } from "../../support/machine.js";
import { forged, rowsOf } from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";

const BYTES = patterned(100);
const CALLDATA = { ctx: REGISTERS.ctx, code: NO_CODE };
const CODE = { ctx: 0n, code: 5n };
const SOURCES = { calldata: new Map([[REGISTERS.ctx, BYTES]]), codes: new Map([[5n, BYTES]]) };

/** The chain that loads `size` bytes from an offset on. */
function chain(from: typeof CODE, start: number, size: number) {
  const m = machineWith([]);
  assignLoad(m, from, BYTES, BigInt(start), BigInt(size));
  return rowsOf(m, load);
}

const sampled = (from: typeof CODE, start: number, size: number, ...at: number[]) => {
  const rows = chain(from, start, size);
  const source = from === CODE ? "code" : "calldata";
  return at.map((i) => ({ what: `word ${i} of ${size} bytes at ${start} of ${source}`, columns: rows.at(i)! }));
};

describeRow({
  template: load,
  cost: 42,
  samples: () => [
    ...sampled(CALLDATA, 0, 64, 1),
    ...sampled(CALLDATA, 99, 65, 0, 2),
    ...sampled(CODE, 3, 40, 0, 1),
    ...sampled(CODE, 100, 33, 1),
  ],
});

/** Requests of a row to one table. */
const requests = (columns: readonly bigint[], name: TagName): Message[] =>
  messagesOf(load, columns).filter(({ tag, multiplicity }) => tag === name && multiplicity !== 0n);

describe("a chain of load rows", () => {
  it("sends the bytes from an offset on, zeros beyond the end of source and size", async () => {
    const start = fc.oneof(fc.constantFrom(0, 1, 31, 32, 33, 99, 100), fc.nat({ max: 100 }));
    await fc.assert(
      fc.asyncProperty(start, sizes(), fc.constantFrom(CALLDATA, CODE), async (start, size, from) => {
        const m = machineWith([]);
        const left = leftBy(m, () => {
          const data = assignLoad(m, from, BYTES, BigInt(start), BigInt(size));
          const padded = Array.from({ length: size }, (_, i) => BYTES[start + i] ?? 0);
          expect([...data]).toEqual(padded);
        });
        await expectSatisfied(m, [load]);
        expectAnswers(m, SOURCES);
        const words = Math.ceil(size / 32);
        const moved = Uint8Array.from({ length: 32 * words }, (_, i) => (i < size ? (BYTES[start + i] ?? 0) : 0));
        const buffers = left.filter(({ tag }) => tag === "BUFFER");
        expect(
          buffers.map(({ fields, multiplicity }) => [multiplicity, fields.i, (fields.hi! << 128n) + fields.lo!]),
        ).toEqual(Array.from({ length: words }, (_, i) => [1n, BigInt(i), wordIn(moved, 32 * i)]));
        const ends = left.filter(({ tag }) => tag === "LOAD");
        expect(left).toHaveLength(words + ends.length);
        if (size === 0) {
          expect(ends).toEqual([]);
          return;
        }
        const token = { t: 16n * REGISTERS.clk, ...from, length: 100n };
        const o = BigInt(start);
        const n = BigInt(words);
        expect(ends).toEqual([
          { tag: "LOAD", multiplicity: -1n, fields: expect.objectContaining({ ...token, o, i: 0n }) },
          { tag: "LOAD", multiplicity: 1n, fields: expect.objectContaining({ ...token, o: o + 32n * n, i: n }) },
        ]);
      }),
      { numRuns: 40 },
    );
  });

  it("can't have zeros for bytes that there are, nor bytes beyond the end", async () => {
    const circuit = await rowCircuit("load");
    const inside = chain(CODE, 64, 32)[0]!;
    const zeros = forged(load, inside, { isCode: 0n, hi: 0n, lo: 0n, cutHi: 0n, cutLo: 0n });
    expect(evaluate(circuit, load, zeros).violated).toEqual([]);
    // WIDE has no negative number
    expect(requests(zeros, "WIDE").map(fieldsOf)).toEqual([{ value: -36n }]);
    expect(passes(circuit, load, zeros, zeros)).toBe(false);
    const outside = forged(load, chain(CODE, 100, 32)[0]!, { hi: 1n, cutHi: 1n });
    expect(evaluate(circuit, load, outside).violated).not.toEqual([]);
    const invented = forged(load, outside, { isCode: 1n });
    expect(evaluate(circuit, load, invented).violated).toEqual([]);
    expect(requests(invented, "CODEWORD").map((request) => entryExists(request, SOURCES))).toEqual([false]);
  });

  it("can't take calldata for code, nor code for calldata", async () => {
    const circuit = await rowCircuit("load");
    for (const [from, flags, tag] of [
      [CALLDATA, { isData: 0n, isCode: 1n }, "CODEWORD"],
      [CODE, { isData: 1n, isCode: 0n }, "CALLDATA"],
    ] as const) {
      const other = forged(load, chain(from, 0, 32)[0]!, flags);
      expect(evaluate(circuit, load, other).violated).toEqual([]);
      expect(requests(other, tag).map((request) => entryExists(request, SOURCES))).toEqual([false]);
      const both = forged(load, other, { isData: 1n, isCode: 1n });
      expect(evaluate(circuit, load, both).violated).not.toEqual([]);
    }
  });

  it("sends nothing beyond the size", async () => {
    const circuit = await rowCircuit("load");
    const last = chain(CALLDATA, 0, 40)[1]!;
    const whole = Object.fromEntries(load.columns.map((name, i) => [name, last[i]!]));
    const uncut = { cutHi: whole.hi!, cutLo: whole.lo! };
    expect(passes(circuit, load, last, forged(load, last, uncut))).toBe(false);
    // a last row that is said not to be it: other tokens; one that is said to count 32 bytes: CUT has no entry
    expect(passes(circuit, load, last, forged(load, last, { ...uncut, end: 0n }))).toBe(false);
    const full = forged(load, last, { ...uncut, m: 32n });
    expect(passes(circuit, load, full, full)).toBe(false);
  });
});
