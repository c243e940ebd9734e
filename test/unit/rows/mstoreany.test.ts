import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { memoryCost } from "../../../src/rows/memory.js";
import { assignMstoreany, mstoreany } from "../../../src/rows/mstoreany.js";
import { uintToBytes } from "../../../src/verifier/ethereum/words.js";
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
const VALUE = (0xfedcba98n << 224n) + (0x12345678n << 100n) + 0x9abcdef0n;
const sample = (offset: bigint, memory = MEMORY, value = VALUE) =>
  sampleOn(machineWithMemory([9n, value, offset], memory), mstoreany, `at ${offset}`, assignMstoreany);

describeRow({
  template: mstoreany,
  cost: 93,
  samples: () => [sample(1n), sample(48n, EDGE_WORDS.slice(-4)), sample(95n), sample(33n, [])],
});

describe("MSTORE at any offset", () => {
  it("writes the bytes, grows the memory and takes gas as the EVM does, and leaves the bus balanced", () => {
    const offset = fc.oneof(fc.constantFrom(1n, 31n, 33n), fc.bigInt({ min: 0n, max: 250n }));
    fc.assert(
      fc.property(offset, fc.nat({ max: 6 }), anyWord(), (offset, words, value) => {
        fc.pre(offset % 32n !== 0n);
        const memory = countingMemory(words);
        const m = machineWithMemory([9n, value, offset], memory);
        const before = m.registers;
        expect(unmatchedBy(m, assignMstoreany)).toEqual([]);
        const msize = [offset / 32n + 2n, BigInt(words)].reduce((a, b) => (a > b ? a : b));
        const gas = before.gas - 3n - memoryGas(msize) + memoryGas(BigInt(words));
        expect(m.registers).toEqual({ ...before, clk: before.clk + 1n, pc: before.pc + 1n, sp: 1n, msize, gas });
        expect(m.takeStack(1).value).toBe(9n);
        const bytes = bytesAt(memory, 0n, 32n * msize);
        bytes.set(uintToBytes(value, 32), Number(offset));
        for (const [k, expected] of wordsOfBytes(bytes).entries()) expect(m.takeMemory(BigInt(k)).value).toBe(expected);
        expect(outOfRange(mstoreany, rowsOf(m, mstoreany)[0]!)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("is refused at multiples of 32, and where no gas suffices", () => {
    const at = (offset: bigint) => () => assignMstoreany(machineWithMemory([1n, offset], []));
    expect(at(32n)).toThrow(expect.objectContaining({ code: "MEMORY_ALIGNMENT" }));
    expect(at((1n << 200n) + 1n)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });

  it("can't write elsewhere, or keep other bytes", async () => {
    const circuit = await rowCircuit("mstoreany");
    const { columns } = sample(33n);
    const column = (name: (typeof mstoreany.columns)[number]) => columns[mstoreany.columns.indexOf(name)]!;
    const whole = { topHi: column("wasHi"), topLo: column("wasLo"), headHi: 0n, headLo: 0n };
    for (const changes of [
      { i: 0n, r: 33n },
      { i: 2n, r: -31n },
      { ...whole, i: 1n, r: 0n },
      { ...whole, i: 0n, r: 32n },
      { topHi: 0n, topLo: 0n },
      whole,
      { nextTopHi: 0n, nextTopLo: 0n },
      { nextTopHi: column("nextHi"), nextTopLo: column("nextLo") },
      { headHi: column("headHi") + 1n, tailHi: column("tailHi") - 1n },
    ]) {
      expect(passes(circuit, mstoreany, columns, forged(mstoreany, columns, changes))).toBe(false);
    }
  });

  it("does not find a word beyond the memory that was paid for", async () => {
    const circuit = await rowCircuit("mstoreany");
    const poor = forged(mstoreany, sample(33n, [1n, 2n]).columns, { words: 2n, cost1: memoryCost(2n) });
    expect([evaluate(circuit, mstoreany, poor).violated, outOfRange(mstoreany, poor)]).toEqual([[], []]);
    const taken = unmatched(messagesOf(mstoreany, poor)).filter(
      ({ tag, multiplicity }) => tag === "MEMORY" && multiplicity < 0n,
    );
    expect(taken.map(({ fields }) => fields.index)).toEqual([1n, 2n]);
  });
});
