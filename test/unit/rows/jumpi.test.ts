import { describe, expect, it } from "vitest";
import { RowError } from "../../../src/rows/errors.js";
import { assignJumpi, jumpi } from "../../../src/rows/jumpi.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, byName, inOrder, stepped } from "../../support/steps.js";

const { pc, code } = REGISTERS;
const sample = (condition: bigint, dest: bigint) =>
  sampleOf(jumpi, `JUMPI ${dest} if ${condition}`, [9n, condition, dest], assignJumpi);

describeRow({
  template: jumpi,
  cost: 50,
  samples: () => [
    ...EDGE_WORDS.map((condition) => sample(condition, 0x5fffn)),
    ...EDGE_WORDS.map((dest) => sample(0n, dest)),
    sample(1n, 0n),
    sample(1n, pc + 1n),
    sample(0n, pc + 1n),
  ],
});

describe("JUMPI", () => {
  it("goes to the destination unless the condition is 0", () => {
    for (const condition of EDGE_WORDS) {
      const next = condition === 0n ? pc + 1n : 1234n;
      expect(stepped([9n, condition, 1234n], assignJumpi)).toEqual({ stack: [9n], pc: next, cost: 10n });
    }
  });

  it("asks for a JUMPDEST only where it goes", () => {
    const imm = { immHi: 0n, immLo: 0n };
    const fetched = { code, pc, ...imm, class: 0x57n, n: 0n, isInstr: 1n };
    expect(askedOf(jumpi, "CODE", sample(0n, 1234n))).toEqual([fetched]);
    expect(askedOf(jumpi, "CODE", sample(2n, 1234n))).toEqual([
      fetched,
      { code, pc: 1234n, ...imm, class: 0x5bn, n: 0n, isInstr: 1n },
    ]);
  });

  it("may have any destination if it isn't taken, and none from 2^128 up if it is", async () => {
    const dest = (1n << 128n) + 1234n;
    expect(stepped([0n, dest], assignJumpi).pc).toBe(pc + 1n);
    expect(() => stepped([1n, dest], assignJumpi)).toThrow(
      expect.objectContaining({ constructor: RowError, code: "JUMP_DESTINATION", where: `pc ${pc}` }),
    );
    const circuit = await rowCircuit("jumpi");
    for (const condition of [1n, 1n << 128n]) {
      const forged = inOrder(jumpi, { ...byName(jumpi, sample(condition, 1234n)), destHi: 1n });
      // the item is there with these halves: it is the circuit that refuses
      expect(evaluate(circuit, jumpi, forged).violated).not.toEqual([]);
      expect(passes(circuit, jumpi, forged, forged)).toBe(false);
    }
  });
});
