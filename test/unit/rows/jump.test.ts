import { describe, expect, it } from "vitest";
import { RowError } from "../../../src/rows/errors.js";
import { assignJump, jump } from "../../../src/rows/jump.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";
import { askedOf, stepped } from "../../support/steps.js";

const { pc, code } = REGISTERS;

describeRow({
  template: jump,
  cost: 40,
  samples: () => [0n, 1n, pc, 0x5fffn].map((dest) => sampleOf(jump, `JUMP ${dest}`, [9n, dest], assignJump)),
});

describe("JUMP", () => {
  it("goes to the destination", () => {
    expect(stepped([9n, 1234n], assignJump)).toEqual({ stack: [9n], pc: 1234n, cost: 8n });
  });

  it("asks for a JUMPDEST there that is an instruction", () => {
    const imm = { immHi: 0n, immLo: 0n };
    expect(askedOf(jump, "CODE", sampleOf(jump, "", [1234n], assignJump))).toEqual([
      { code, pc, ...imm, class: 0x56n, n: 0n, isInstr: 1n },
      { code, pc: 1234n, ...imm, class: 0x5bn, n: 0n, isInstr: 1n },
    ]);
  });

  it("takes no item from 2^128 up", () => {
    for (const dest of [1n << 128n, (1n << 255n) + 1234n]) {
      expect(() => stepped([dest], assignJump)).toThrow(
        expect.objectContaining({ constructor: RowError, code: "JUMP_DESTINATION", where: `pc ${pc}` }),
      );
    }
  });
});
