import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { memoryCost } from "../../../src/rows/memory.js";
import { assignMloadany, mloadany } from "../../../src/rows/mloadany.js";
import { bytesToUint } from "../../../src/verifier/ethereum/words.js";
import {
  bytesAt,
  countingMemory,
  forged,
  machineWithMemory,
  memoryGas,
  outOfRange,
  rowsOf,
  sampleOn,
  unmatched,
  unmatchedBy,
} from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";
import { changed } from "../../support/storage.js";

const MEMORY = countingMemory(4);
const sample = (offset: bigint, memory = MEMORY) =>
  sampleOn(machineWithMemory([9n, offset], memory), mloadany, `at ${offset}`, assignMloadany);

describeRow({
  template: mloadany,
  cost: 80,
  samples: () => [sample(1n), sample(48n), sample(95n), sample(33n, [])],
});

describe("MLOAD at any offset", () => {
  it("pushes the bytes, grows the memory and takes gas as the EVM does, and leaves the bus balanced", () => {
    const offset = fc.oneof(fc.constantFrom(1n, 31n, 33n), fc.bigInt({ min: 0n, max: 250n }));
    fc.assert(
      fc.property(offset, fc.nat({ max: 6 }), (offset, words) => {
        fc.pre(offset % 32n !== 0n);
        const memory = countingMemory(words);
        const m = machineWithMemory([9n, offset], memory);
        const before = m.registers;
        expect(unmatchedBy(m, assignMloadany)).toEqual([]);
        const msize = [offset / 32n + 2n, BigInt(words)].reduce((a, b) => (a > b ? a : b));
        const gas = before.gas - 3n - memoryGas(msize) + memoryGas(BigInt(words));
        expect(m.registers).toEqual({ ...before, clk: before.clk + 1n, pc: before.pc + 1n, msize, gas });
        expect(m.takeStack(1).value).toBe(bytesToUint(bytesAt(memory, offset, 32n)));
        for (const [k, expected] of memory.entries()) expect(m.takeMemory(BigInt(k)).value).toBe(expected);
        expect(outOfRange(mloadany, rowsOf(m, mloadany)[0]!)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("is refused at multiples of 32, and where no gas suffices", () => {
    const at = (offset: bigint) => () => assignMloadany(machineWithMemory([offset], []));
    expect(at(32n)).toThrow(expect.objectContaining({ code: "MEMORY_ALIGNMENT" }));
    expect(at((1n << 200n) + 1n)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });

  it("can't load bytes of elsewhere, or a multiple of 32 with more memory than it has", async () => {
    const circuit = await rowCircuit("mloadany");
    const { columns } = sample(33n);
    // the same offset, split otherwise
    for (const changes of [
      { i: 0n, r: 33n },
      { i: 2n, r: -31n },
    ]) {
      expect(passes(circuit, mloadany, columns, forged(mloadany, columns, changes))).toBe(false);
    }
    // 0 bytes, or 32, are none that SHIFT has
    for (const [i, r] of [
      [1n, 0n],
      [0n, 32n],
    ] as const) {
      const [hi, lo] = [columns.at(mloadany.columns.indexOf("hi"))!, columns.at(mloadany.columns.indexOf("lo"))!];
      const whole = { i, r, headHi: 0n, headLo: 0n, tailHi: hi, tailLo: lo, nextHeadHi: 0n, nextHeadLo: 0n };
      expect(passes(circuit, mloadany, columns, changed(mloadany, columns, whole))).toBe(false);
    }
  });

  it("does not find a word beyond the memory that was paid for", async () => {
    const circuit = await rowCircuit("mloadany");
    const poor = forged(mloadany, sample(33n, [1n, 2n]).columns, { words: 2n, cost1: memoryCost(2n) });
    expect([evaluate(circuit, mloadany, poor).violated, outOfRange(mloadany, poor)]).toEqual([[], []]);
    const taken = unmatched(messagesOf(mloadany, poor)).filter(
      ({ tag, multiplicity }) => tag === "MEMORY" && multiplicity < 0n,
    );
    expect(taken.map(({ fields }) => fields.index)).toEqual([1n, 2n]);
    const tooMuch = forged(mloadany, sample(33n, [1n, 2n]).columns, { words: 4n, cost1: memoryCost(4n) });
    expect(evaluate(circuit, mloadany, tooMuch).violated).not.toEqual([]);
  });
});
