import { describe, expect, it } from "vitest";
import { assignContext, context } from "../../../src/rows/context.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, byName, inOrder, stepped } from "../../support/steps.js";

const OPCODES = [0x33, 0x30, 0x34, 0x36];
const sample = (n: number, word: bigint) => sampleOf(context, `${n} ${word}`, [9n], (m) => assignContext(m, n, word));

describeRow({
  template: context,
  cost: 28,
  samples: () => [...OPCODES.map((n) => sample(n, 7n)), ...EDGE_WORDS.map((word) => sample(0x33, word))],
});

describe("CALLER, ADDRESS, CALLVALUE, CALLDATASIZE", () => {
  it("push the word that the table has", () => {
    const [hi, lo] = [0xabcn, 0xdefn];
    const word = (hi << 128n) + lo;
    for (const n of OPCODES) {
      const expected = { stack: [9n, word], pc: REGISTERS.pc + 1n, cost: 2n };
      expect(stepped([9n], (m) => assignContext(m, n, word))).toEqual(expected);
      const columns = sample(n, word);
      expect(askedOf(context, "CODE", columns)).toMatchObject([{ class: 0x33n, n: BigInt(n) }]);
      expect(askedOf(context, "CTX", columns)).toEqual([{ ctx: REGISTERS.ctx, field: BigInt(n), hi, lo }]);
    }
  });

  it("leave no room for an item 1025", async () => {
    const circuit = await rowCircuit("context");
    for (const [sp, fits] of [
      [1023n, true],
      [1024n, false],
    ] as const) {
      const columns = inOrder(context, { ...byName(context, sample(0x33, 7n)), sp });
      expect(passes(circuit, context, columns, columns)).toBe(fits);
    }
  });
});
