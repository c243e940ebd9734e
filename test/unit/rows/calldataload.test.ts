import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignCalldataload, calldataload } from "../../../src/rows/calldataload.js";
import { type Machine, messagesOf } from "../../../src/rows/machine.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import type { TagName } from "../../../src/verifier/tags.generated.js";
import { expectAnswers, expectSatisfied, leftBy, offsets, patterned, requestsOf, wordIn } from "../../support/copy.js";
import { machineWith, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";

const DATA = patterned(100);
const load = (data: Uint8Array) => (m: Machine) => assignCalldataload(m, data);
const sample = (offset: bigint, data = DATA) =>
  sampleOf(calldataload, `${offset} of ${data.length}`, [9n, offset], load(data));

/** Fields of the requests to a table that a row makes. */
const requested = (columns: readonly bigint[], name: TagName) =>
  messagesOf(calldataload, columns)
    .filter(({ tag, multiplicity }) => tag === name && multiplicity !== 0n)
    .map(fieldsOf);

const COST = 44;
const unasked = "the length, which is asked for only where it matters";
describeRow({
  template: calldataload,
  cost: COST,
  samples: () => [
    ...[0n, 1n, 31n, 32n, 68n, 69n, 99n].map((offset) => sample(offset)),
    sample(0n, new Uint8Array(1)),
    sample(3n, new Uint8Array(4).fill(255)),
  ],
  free: { len: unasked },
});

describe("beyond the end", () => {
  describeRow({
    template: calldataload,
    cost: COST,
    samples: () => [
      ...[100n, 101n, 1n << 32n, (1n << 128n) - 1n].map((offset) => sample(offset)),
      sample(0n, new Uint8Array()),
    ],
  });
});

describe("far beyond the end", () => {
  describeRow({
    template: calldataload,
    cost: COST,
    samples: () => [1n << 128n, (1n << 128n) + 3n, 1n << 255n, (1n << 256n) - 1n].map((offset) => sample(offset)),
    free: { len: unasked },
  });
});

describe("CALLDATALOAD", () => {
  it("pushes the bytes there, zeros beyond the end, and leaves the bus balanced", async () => {
    const data = fc.uint8Array({ maxLength: 130 });
    await fc.assert(
      fc.asyncProperty(
        data.chain((bytes) => fc.tuple(fc.constant(bytes), offsets(bytes.length))),
        async ([bytes, offset]) => {
          const m = machineWith([9n, offset]);
          const before = m.registers;
          expect(leftBy(m, load(bytes))).toEqual([]);
          expect(m.registers).toEqual({ ...before, clk: before.clk + 1n, pc: before.pc + 1n, gas: before.gas - 3n });
          expectAnswers(m, { calldata: new Map([[REGISTERS.ctx, bytes]]) });
          await expectSatisfied(m, [calldataload]);
          const inside = offset < BigInt(bytes.length);
          expect(requestsOf(m, "CALLDATA")).toHaveLength(inside ? 1 : 0);
          expect(m.takeStack(1).value).toBe(inside ? wordIn(bytes, Number(offset)) : 0n);
          expect(m.takeStack(2).value).toBe(9n);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("asks for the length only where the end is near", () => {
    const asked = (offset: bigint) => {
      const m = machineWith([offset]);
      assignCalldataload(m, DATA);
      return requestsOf(m, "CTX", "WIDE").map(fieldsOf);
    };
    expect(asked(99n)).toEqual([]);
    expect(asked(105n)).toEqual([{ ctx: REGISTERS.ctx, hi: 0n, lo: 100n, field: 0x36n }, { value: 5n }]);
    expect(asked(1n << 128n)).toEqual([]);
  });

  it("can't call what is inside outside", async () => {
    const circuit = await rowCircuit("calldataload");
    const honest = sample(99n).columns;
    const outside = (len: bigint) => forged(calldataload, honest, { inside: 0n, hi: 0n, lo: 0n, len });
    expect(evaluate(circuit, calldataload, outside(100n)).violated).toEqual([]);
    // with the true length it asks WIDE for -1
    expect(passes(circuit, calldataload, outside(100n), outside(100n))).toBe(false);
    expect(requested(outside(100n), "WIDE")).toEqual([{ value: -1n }]);
    // with another one it asks CTX for what the frame doesn't have
    expect(passes(circuit, calldataload, outside(99n), outside(99n))).toBe(true);
    expect(requested(outside(99n), "CTX")).toEqual([{ ctx: REGISTERS.ctx, hi: 0n, lo: 99n, field: 0x36n }]);
  });

  it("can't call what is outside inside, nor push a word from nowhere", async () => {
    const circuit = await rowCircuit("calldataload");
    for (const offset of [100n, 1n << 128n, (1n << 255n) + 1n, (1n << 256n) - 1n]) {
      const inside = forged(calldataload, sample(offset).columns, { inside: 1n, hi: 1n, lo: 2n });
      expect(evaluate(circuit, calldataload, inside).violated).toEqual([]);
      // the calldata has no such offset
      const [request] = requested(inside, "CALLDATA");
      expect(request!.offset! % FR_MODULUS).toBeGreaterThanOrEqual(100n);
      const nowhere = forged(calldataload, inside, { inside: 0n });
      expect(evaluate(circuit, calldataload, nowhere).violated).not.toEqual([]);
    }
  });
});
