import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expand } from "../../../src/rows/expand.js";
import { assignMload } from "../../../src/rows/mload.js";
import { assignMstore, mstore } from "../../../src/rows/mstore.js";
import { EDGE_WORDS } from "../../support/machine.js";
import { machineWithMemory, memoryGas, rowsOf, sampleOn, unmatchedBy } from "../../support/memory.js";
import { describeRow } from "../../support/rows.js";

const sample = (i: bigint, memory: readonly bigint[], value: bigint) =>
  sampleOn(
    machineWithMemory([9n, value, 32n * i], memory),
    mstore,
    `${value} at ${i} of ${memory.length}`,
    assignMstore,
  );

describeRow({
  template: mstore,
  cost: 57,
  samples: () => [
    ...EDGE_WORDS.map((word, i) => sample(BigInt(EDGE_WORDS.length - 1 - i), EDGE_WORDS, word)),
    sample(0n, [], 5n),
    sample(2n, [7n, 8n], EDGE_WORDS.at(-1)!),
    sample(30n, [7n, 8n], 1n << 128n),
    sample(1_023n, EDGE_WORDS, 3n),
  ],
});

describe("MSTORE", () => {
  const word = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n });
  const index = fc.bigInt({ min: 0n, max: 40n });

  it("writes the word, grows the memory and takes gas as the EVM does, and leaves the bus balanced", () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), index, word, (memory, i, value) => {
        const m = machineWithMemory([77n, value, 32n * i], memory);
        const before = m.registers;
        expect(unmatchedBy(m, assignMstore)).toEqual([]);
        const size = BigInt(memory.length);
        const msize = i + 1n > size ? i + 1n : size;
        const gas = before.gas - 3n - memoryGas(msize) + memoryGas(size);
        expect(m.registers).toEqual({ ...before, clk: before.clk + 1n, pc: before.pc + 1n, sp: 1n, msize, gas });
        expect(m.live("STACK").map(({ cell }) => [cell.index, cell.lo])).toEqual([[0n, 77n]]);
        expect(rowsOf(m, expand)).toHaveLength(Number(msize - size));
        const expected = Array.from({ length: Number(msize) }, (_, k) => (BigInt(k) === i ? value : (memory[k] ?? 0n)));
        expect(expected.map((_, k) => m.takeMemory(BigInt(k)).value)).toEqual(expected);
      }),
    );
  });

  it("writes what MLOAD reads", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(index, word), { maxLength: 20 }), (writes) => {
        const m = machineWithMemory([], []);
        const memory = new Map<bigint, bigint>();
        const push = (value: bigint) => {
          m.giveStack(m.registers.sp, value);
          m.advance({ sp: m.registers.sp + 1n });
        };
        for (const [i, value] of writes) {
          memory.set(i, value);
          push(value);
          push(32n * i);
          assignMstore(m);
          push(32n * writes[0]![0]);
          assignMload(m);
          expect(m.takeStack(1).value).toBe(memory.get(writes[0]![0]));
          m.advance({ sp: m.registers.sp - 1n });
        }
      }),
      { numRuns: 30 },
    );
  });

  it("is refused away from multiples of 32, and where no gas suffices", () => {
    const at = (offset: bigint) => () => assignMstore(machineWithMemory([0n, offset], []));
    expect(at(31n)).toThrow(expect.objectContaining({ code: "MEMORY_ALIGNMENT" }));
    expect(at(1n << 200n)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });
});
