import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignNot, not } from "../../../src/rows/not.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";
import { stepped, words } from "../../support/steps.js";

describeRow({
  template: not,
  cost: 28,
  samples: () => EDGE_WORDS.map((word) => sampleOf(not, `NOT ${word}`, [9n, word], assignNot)),
});

describe("NOT", () => {
  it("complements", () => {
    fc.assert(
      fc.property(words(), (word) => {
        const expected = { stack: [9n, BigInt.asUintN(256, ~word)], pc: REGISTERS.pc + 1n, cost: 3n };
        expect(stepped([9n, word], assignNot)).toEqual(expected);
      }),
    );
  });
});
