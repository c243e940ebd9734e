import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { memoryCost } from "../../../src/rows/memory.js";
import { assignMstore8, mstore8 } from "../../../src/rows/mstore8.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { EDGE_WORDS } from "../../support/machine.js";
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
  wordsOfBytes,
} from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";
import { words as anyWord } from "../../support/steps.js";

const MEMORY = countingMemory(4);
const sample = (offset: bigint, memory = MEMORY, value = (7n << 200n) + 0x12345n) =>
  sampleOn(machineWithMemory([9n, value, offset], memory), mstore8, `at ${offset}`, assignMstore8);

describeRow({
  template: mstore8,
  cost: 87,
  samples: () => [sample(0n), sample(49n), sample(31n), sample(33n, []), sample(3n, [], EDGE_WORDS.at(-1)!)],
});

describe("MSTORE8", () => {
  it("writes the byte, grows the memory and takes gas as the EVM does, and leaves the bus balanced", () => {
    const offset = fc.oneof(fc.constantFrom(0n, 1n, 31n, 32n, 33n), fc.bigInt({ min: 0n, max: 250n }));
    fc.assert(
      fc.property(offset, fc.nat({ max: 6 }), anyWord(), (offset, words, value) => {
        const memory = countingMemory(words);
        const m = machineWithMemory([9n, value, offset], memory);
        const before = m.registers;
        expect(unmatchedBy(m, assignMstore8)).toEqual([]);
        const msize = [offset / 32n + 1n, BigInt(words)].reduce((a, b) => (a > b ? a : b));
        const gas = before.gas - 3n - memoryGas(msize) + memoryGas(BigInt(words));
        expect(m.registers).toEqual({ ...before, clk: before.clk + 1n, pc: before.pc + 1n, sp: 1n, msize, gas });
        expect(m.takeStack(1).value).toBe(9n);
        const bytes = bytesAt(memory, 0n, 32n * msize);
        bytes[Number(offset)] = Number(value & 0xffn);
        for (const [k, expected] of wordsOfBytes(bytes).entries()) expect(m.takeMemory(BigInt(k)).value).toBe(expected);
        expect(outOfRange(mstore8, rowsOf(m, mstore8)[0]!)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("is refused where no gas suffices", () => {
    const far = () => assignMstore8(machineWithMemory([1n, 1n << 200n], []));
    expect(far).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });

  it("can't write another byte, elsewhere, or change others", async () => {
    const circuit = await rowCircuit("mstore8");
    for (const offset of [32n, 41n, 63n]) {
      const { columns } = sample(offset);
      const column = (name: (typeof mstore8.columns)[number]) => columns[mstore8.columns.indexOf(name)]!;
      const r = column("r");
      for (const changes of [
        // 0x12345 = 256*0x122 + 0x145
        { byte: 0x145n },
        { byte: 0x44n },
        { i: 0n, r: r + 32n },
        { i: 2n, r: r - 32n },
        { topHi: column("wasHi"), topLo: column("wasLo") },
        { topHi: 0n, topLo: 1n },
        { keptHi: 0n, keptLo: 0n },
        { keptHi: column("topHi"), keptLo: column("topLo") },
        { powerHi: 0n, powerLo: 0n },
        { powerHi: column("powerHi") * 256n, powerLo: column("powerLo") * 256n },
      ]) {
        const same = Object.entries(changes).every(([name, x]) => column(name as "r") === x);
        if (same) continue;
        const name = `${offset}: ${Object.keys(changes).join()}`;
        expect(passes(circuit, mstore8, columns, forged(mstore8, columns, changes)), name).toBe(false);
      }
    }
  });

  it("shows the byte by what is left of the value: no fraction of a byte", async () => {
    const circuit = await rowCircuit("mstore8");
    const { columns } = sample(40n);
    const wide = messagesOf(mstore8, columns).find(({ tag }) => tag === "WIDE")!;
    expect(wide.coordinates[0]).toBe(0x123n);
    const other = forged(mstore8, columns, { byte: 0x46n });
    expect([evaluate(circuit, mstore8, other).violated, outOfRange(mstore8, other)]).toEqual([[], []]);
    const rest = messagesOf(mstore8, other).find(({ tag }) => tag === "WIDE")!.coordinates[0]!;
    expect((((rest % FR_MODULUS) + FR_MODULUS) % FR_MODULUS) >> 128n).not.toBe(0n);
  });

  it("does not find a word beyond the memory that was paid for", async () => {
    const circuit = await rowCircuit("mstore8");
    const poor = forged(mstore8, sample(65n, [1n, 2n]).columns, { words: 2n, cost1: memoryCost(2n) });
    expect([evaluate(circuit, mstore8, poor).violated, outOfRange(mstore8, poor)]).toEqual([[], []]);
    const taken = unmatched(messagesOf(mstore8, poor)).filter(
      ({ tag, multiplicity }) => tag === "MEMORY" && multiplicity < 0n,
    );
    expect(taken.map(({ fields }) => fields.index)).toEqual([2n]);
  });
});
