import { describe, expect, it } from "vitest";
import { assignPop, pop } from "../../../src/rows/pop.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";
import { stepped } from "../../support/steps.js";

describeRow({
  template: pop,
  cost: 27,
  samples: () => EDGE_WORDS.map((word) => sampleOf(pop, `POP ${word}`, [9n, word], assignPop)),
});

describe("POP", () => {
  it("drops the top", () => {
    expect(stepped([9n, 8n], assignPop)).toEqual({ stack: [9n], pc: REGISTERS.pc + 1n, cost: 2n });
  });
});
