import { describe, expect, it } from "vitest";
import { assignIszero, iszero } from "../../../src/rows/iszero.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";
import { HALVES_WORDS, stepped } from "../../support/steps.js";

describeRow({
  template: iszero,
  cost: 31,
  samples: () => EDGE_WORDS.map((word) => sampleOf(iszero, `ISZERO ${word}`, [9n, word], assignIszero)),
});

describe("ISZERO", () => {
  it("is 1 for 0 only", () => {
    for (const word of HALVES_WORDS) {
      const expected = { stack: [9n, word === 0n ? 1n : 0n], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, word], assignIszero)).toEqual(expected);
    }
  });
});
