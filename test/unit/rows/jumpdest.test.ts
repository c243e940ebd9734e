import { describe, expect, it } from "vitest";
import { assignJumpdest, jumpdest } from "../../../src/rows/jumpdest.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";
import { stepped } from "../../support/steps.js";

describeRow({
  template: jumpdest,
  cost: 18,
  samples: () => [sampleOf(jumpdest, "JUMPDEST", [9n], assignJumpdest)],
});

describe("JUMPDEST", () => {
  it("does nothing", () => {
    expect(stepped([9n], assignJumpdest)).toEqual({ stack: [9n], pc: REGISTERS.pc + 1n, cost: 1n });
  });
});
