import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { assignRevert, revert } from "../../../src/rows/revert.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
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

const MAX = (1n << 256n) - 1n;
const sample = (offset: bigint, size: bigint, memory: readonly bigint[] = EDGE_WORDS) =>
  sampleOn(machineWithMemory([9n, size, offset], memory), revert, `${size} bytes at ${offset}`, assignRevert);

describeRow({
  template: revert,
  cost: 55,
  samples: () => [
    sample(0n, 0n),
    sample(MAX, 0n, []),
    sample(0n, 1n, []),
    sample(31n, 2n),
    sample(0n, 256n),
    sample(1n, 256n),
    sample(5n, 3_000n),
  ],
});

describe("REVERT", () => {
  it("goes on in mode UNDO, with the gas of its memory taken, and leaves the bus balanced", () => {
    for (const [offset, size, words] of [
      [0n, 0n, 8n],
      [MAX, 0n, 8n],
      [100n, 200n, 10n],
      [4n, 200n, 8n],
    ] as const) {
      const m = machineWithMemory([9n, size, offset], EDGE_WORDS);
      const { clk, ctx, code, pc, sp, gas, msize } = m.registers;
      expect(unmatchedBy(m, assignRevert)).toEqual([]);
      const after = { ctx, code, pc, sp, clk: clk + 1n, msize: words, gas: gas - memoryGas(words) + memoryGas(8n) };
      expect(m.registers).toEqual(after);
      const messages = messagesOf(revert, rowsOf(m, revert)[0]!);
      expect(messages.filter(({ tag }) => tag === "STATE").map((x) => [x.multiplicity, fieldsOf(x)])).toEqual([
        [-1n, { clk, ctx, code, pc, sp, gas, msize, mode: 0n }],
        [1n, { ...after, mode: 1n }],
      ]);
      expect(messages.some(({ tag }) => tag === "FRAME" || tag === "TXEND")).toBe(false);
    }
  });

  it("is refused where no gas suffices", () => {
    const far = () => assignRevert(machineWithMemory([1n, 1n << 200n], []));
    expect(far).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });

  it("can't pay for less memory than the slice needs", async () => {
    const columns = sample(5n, 300n, [1n]).columns;
    const short = forged(revert, columns, { reach: 9n, words: 9n, cost1: memoryGas(9n) });
    expect(evaluate(await rowCircuit("revert"), revert, short).violated).toEqual([]);
    expect(outOfRange(revert, short)).toEqual(["RANGE_5"]);
    const stale = forged(revert, columns, { words: 1n, cost1: memoryGas(1n), gas: REGISTERS.gas });
    expect(outOfRange(revert, stale)).not.toEqual([]);
  });
});
