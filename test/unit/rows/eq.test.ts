import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignEq, eq } from "../../../src/rows/eq.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { HALVES_WORDS, stepped, words } from "../../support/steps.js";

const sample = (a: bigint, b: bigint) => sampleOf(eq, `${a} = ${b}`, [9n, b, a], assignEq);

describeRow({
  template: eq,
  cost: 42,
  samples: () =>
    EDGE_WORDS.flatMap((a, i) => [a, EDGE_WORDS.at(i - 1)!, EDGE_WORDS.at(-1 - i)!].map((b) => sample(a, b))),
});

describe("EQ", () => {
  it("compares both halves", async () => {
    const circuit = await rowCircuit("eq");
    const compare = (a: bigint, b: bigint) => {
      const expected = { stack: [9n, a === b ? 1n : 0n], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, b, a], assignEq)).toEqual(expected);
      const { columns } = sample(a, b);
      expect(passes(circuit, eq, columns, columns)).toBe(true);
    };
    for (const a of HALVES_WORDS) for (const b of HALVES_WORDS) compare(a, b);
    fc.assert(fc.property(words(), words(), compare), { numRuns: 100 });
  });
});
