import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expand } from "../../../src/rows/expand.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { memoryCost } from "../../../src/rows/memory.js";
import { assignReturns, returns } from "../../../src/rows/returns.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { EDGE_WORDS, REGISTERS } from "../../support/machine.js";
import {
  forged,
  machineWithMemory,
  memoryGas,
  outOfRange,
  rowsOf,
  sampleOn,
  unmatchedBy,
} from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

const T = 3n;
const MAX = (1n << 256n) - 1n;
const sample = (offset: bigint, size: bigint, memory: readonly bigint[] = EDGE_WORDS) =>
  sampleOn(machineWithMemory([9n, size, offset], memory), returns, `${size} bytes at ${offset}`, (m) =>
    assignReturns(m, T),
  );

/** Slices at all edges: of words, of the memory, of nothing. */
const SLICES: readonly (readonly [bigint, bigint, (readonly bigint[])?])[] = [
  [0n, 0n],
  [0n, 0n, []],
  [77n, 0n],
  [MAX, 0n],
  [1n << 128n, 0n],
  [0n, 1n],
  [0n, 1n, []],
  [31n, 1n],
  [31n, 2n],
  [0n, 32n],
  [0n, 256n],
  [1n, 256n],
  [250n, 7n],
  [5n, 3_000n],
  [3_000n, 5n, []],
];

describeRow({ template: returns, cost: 63, samples: () => SLICES.map((slice) => sample(...slice)) });

describe("RETURN", () => {
  it("grows the memory to the end of the slice, takes its gas, and leaves the bus balanced", () => {
    const offset = fc.oneof(fc.bigInt({ min: 0n, max: 900n }), fc.constantFrom(1n << 128n, MAX));
    const size = fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 900n }));
    fc.assert(
      fc.property(fc.nat({ max: 20 }), offset, size, (words, o, s) => {
        fc.pre(s === 0n || o < 1n << 20n);
        const m = machineWithMemory([s, o], new Array<bigint>(words).fill(5n));
        const before = m.registers;
        let ended: unknown;
        const left = unmatchedBy(m, () => {
          ended = assignReturns(m, T);
        });
        expect(left).toEqual([]);
        // the byte after the slice's last, rounded up to words
        let reach = BigInt(words);
        while (s > 0n && 32n * reach < o + s) reach++;
        const gas = before.gas - memoryGas(reach) + memoryGas(BigInt(words));
        expect(ended).toEqual({ clk: before.clk, gas, status: 1n });
        expect(rowsOf(m, expand)).toHaveLength(Number(reach) - words);
        expect(m.live("STACK")).toEqual([]);
        const messages = messagesOf(returns, rowsOf(m, returns)[0]!);
        const fieldsOfTag = (tag: string) => messages.filter((x) => x.tag === tag).map(fieldsOf);
        expect(fieldsOfTag("TXEND")).toEqual([{ clk: before.clk, ctx: before.ctx, gas, T, status: 1n }]);
        expect(fieldsOfTag("STATE")).toHaveLength(1);
        expect(fieldsOfTag("CODE")[0]).toMatchObject({ class: 0xf3n, n: 0n, isInstr: 1n });
      }),
    );
  });

  it("is refused where no gas suffices", () => {
    const at = (offset: bigint, size: bigint) => () => assignReturns(machineWithMemory([size, offset], []), T);
    for (const [offset, size] of [
      [1n << 200n, 1n],
      [0n, 1n << 200n],
      [(1n << 25n) - 32n, 1n],
    ] as const) {
      expect(at(offset, size)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
    }
  });

  it("can't pay for less memory than the slice needs", async () => {
    const circuit = await rowCircuit("returns");
    const columns = sample(5n, 300n, [1n]).columns;
    const cheaper = { words: 9n, cost1: memoryCost(9n), gasHigh: (REGISTERS.gas - memoryCost(9n) + 3n) >> 16n };
    const short = forged(returns, columns, { ...cheaper, reach: 9n });
    expect(evaluate(circuit, returns, short).violated).toEqual([]);
    expect(outOfRange(returns, short)).toEqual(["RANGE_5"]);

    // words = msize although the slice goes beyond
    const none = { words: 1n, cost1: 3n, gasHigh: REGISTERS.gas >> 16n };
    for (const spareHigh of [0n, 65_535n, 65_536n]) {
      const stale = forged(returns, columns, { ...none, spareHigh });
      expect(evaluate(circuit, returns, stale).violated).toEqual([]);
      expect(outOfRange(returns, stale)).not.toEqual([]);
    }

    // a fraction of a word, which satisfies the padding
    const inverse = ((FR_MODULUS + 1n) / 2n) ** 5n % FR_MODULUS;
    for (const spareHigh of [0n, 65_535n]) {
      const odd = forged(returns, columns, { ...none, spareHigh, reach: (308n * inverse) % FR_MODULUS });
      expect(evaluate(circuit, returns, odd).violated).toEqual([]);
      expect(outOfRange(returns, odd)).toContain("RANGE_16");
      expect(outOfRange(returns, odd)).not.toContain("RANGE_5");
    }
  });

  it("can't ignore the offset of a slice that isn't empty", async () => {
    const circuit = await rowCircuit("returns");
    const far = forged(returns, sample(0n, 32n).columns, { offsetHi: 1n });
    expect(evaluate(circuit, returns, far).violated).not.toEqual([]);
    const later = forged(returns, sample(0n, 32n).columns, { offsetLo: 3_200n });
    expect(outOfRange(returns, later)).toEqual(["RANGE_5"]);
  });

  it("does not end a frame that ran out of gas, by growth or before", async () => {
    const circuit = await rowCircuit("returns");
    const columns = sample(0n, 3_200n, []).columns;
    for (const gas of [0n, 318n, -5n]) {
      for (const gasHigh of [0n, -1n, 65_535n]) {
        const poor = forged(returns, columns, { gas, gasHigh });
        expect(evaluate(circuit, returns, poor).violated).toEqual([]);
        expect(outOfRange(returns, poor)).not.toEqual([]);
      }
    }
    const enough = forged(returns, columns, { gas: 319n, gasHigh: 0n });
    expect(outOfRange(returns, enough)).toEqual([]);
  });
});
