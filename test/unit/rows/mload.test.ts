import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expand } from "../../../src/rows/expand.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { memoryCost } from "../../../src/rows/memory.js";
import { assignMload, mload } from "../../../src/rows/mload.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { EDGE_WORDS } from "../../support/machine.js";
import {
  forged,
  machineWithMemory,
  memoryGas,
  outOfRange,
  rowsOf,
  sampleOn,
  unmatched,
  unmatchedBy,
} from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

const sample = (i: bigint, memory: readonly bigint[]) =>
  sampleOn(machineWithMemory([9n, 32n * i], memory), mload, `word ${i} of ${memory.length}`, assignMload);

describeRow({
  template: mload,
  cost: 49,
  samples: () => [
    ...EDGE_WORDS.map((_, i) => sample(BigInt(i), EDGE_WORDS)),
    sample(0n, []),
    sample(1n, [7n]),
    sample(30n, [7n, 8n]),
    sample(800n, EDGE_WORDS),
  ],
});

describe("MLOAD", () => {
  it("pushes the word, grows the memory and takes gas as the EVM does, and leaves the bus balanced", () => {
    const word = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), fc.bigInt({ min: 0n, max: 40n }), word, (memory, i, below) => {
        const m = machineWithMemory([below, 32n * i], memory);
        const before = m.registers;
        expect(unmatchedBy(m, assignMload)).toEqual([]);
        const size = BigInt(memory.length);
        const msize = i + 1n > size ? i + 1n : size;
        const gas = before.gas - 3n - memoryGas(msize) + memoryGas(size);
        expect(m.registers).toEqual({ ...before, clk: before.clk + 1n, pc: before.pc + 1n, msize, gas });
        expect(m.takeStack(1).value).toBe(memory[Number(i)] ?? 0n);
        expect(m.takeStack(2).value).toBe(below);
        expect(rowsOf(m, expand)).toHaveLength(Number(msize - size));
        for (const [k, expected] of memory.entries()) expect(m.takeMemory(BigInt(k)).value).toBe(expected);
      }),
    );
  });

  it("is refused away from multiples of 32, and where no gas suffices", () => {
    const at = (offset: bigint) => () => assignMload(machineWithMemory([offset], []));
    expect(at(33n)).toThrow(expect.objectContaining({ code: "MEMORY_ALIGNMENT" }));
    expect(at(1n << 200n)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
    expect(at((1n << 25n) - 32n)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });

  /** A machine after an MLOAD whose row was changed, without the words that it made. */
  async function tamper(
    memory: readonly bigint[],
    i: bigint,
    changes: Partial<Record<"words" | "cost1" | "i", bigint>>,
  ) {
    const m = machineWithMemory([32n * i], memory);
    assignMload(m);
    const honest = rowsOf(m, mload)[0]!;
    const columns = forged(mload, honest, changes);
    const { violated } = evaluate(await rowCircuit("mload"), mload, columns);
    const messages = messagesOf(mload, columns);
    return { violated, wild: outOfRange(mload, columns), messages };
  }

  it("does not find a word beyond the memory that was paid for", async () => {
    const { violated, wild, messages } = await tamper([1n, 2n], 5n, { words: 2n, cost1: memoryCost(2n) });
    // the row itself has nothing against it: the word is missing
    expect([violated, wild]).toEqual([[], []]);
    const left = unmatched(messages).filter(({ tag }) => tag === "MEMORY" || tag === "EXPAND");
    expect(left).toEqual([
      { tag: "MEMORY", multiplicity: -1n, fields: expect.objectContaining({ index: 5n }) },
      { tag: "MEMORY", multiplicity: 1n, fields: expect.objectContaining({ index: 5n }) },
    ]);
  });

  it("does not get gas back by a memory that shrinks", async () => {
    const { violated, wild, messages } = await tamper([1n, 2n, 3n, 4n], 1n, { words: 2n, cost1: memoryCost(2n) });
    expect([violated, wild]).toEqual([[], []]);
    expect(unmatched(messages).filter(({ tag }) => tag === "EXPAND")).toEqual([
      { tag: "EXPAND", multiplicity: 1n, fields: expect.objectContaining({ i: 4n, end: 2n }) },
      { tag: "EXPAND", multiplicity: -1n, fields: expect.objectContaining({ i: 2n, end: 2n }) },
    ]);
  });

  it("does not let the memory grow further than to the word", async () => {
    const { violated } = await tamper([1n, 2n], 5n, { words: 7n, cost1: memoryCost(7n) });
    expect(violated).not.toEqual([]);
  });

  it("finds no word at a fraction of an index", async () => {
    let inverse = (FR_MODULUS + 1n) / 2n;
    inverse = inverse ** 5n % FR_MODULUS;
    const i = (33n * inverse) % FR_MODULUS;
    const { violated, messages } = await tamper([1n, 2n], 1n, { i });
    expect(violated).toEqual([]);
    const left = unmatched(messages);
    expect(left.find(({ tag, multiplicity }) => tag === "STACK" && multiplicity === -1n)?.fields.lo).toBe(32n * i);
    expect((32n * i) % FR_MODULUS).toBe(33n);
    expect(left.filter(({ tag }) => tag === "MEMORY").map(({ fields }) => fields.index)).toEqual([i, i]);
  });
});
