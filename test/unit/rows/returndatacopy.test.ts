import { describe, expect, it } from "vitest";
import { assignReturndatacopy, returndatacopy } from "../../../src/rows/returndatacopy.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow } from "../../support/rows.js";
import { askedOf, stepped } from "../../support/steps.js";

const copy = (dest: bigint, offset = 0n, size = 0n) =>
  sampleOf(returndatacopy, `RETURNDATACOPY to ${dest}`, [9n, size, offset, dest], assignReturndatacopy);

describeRow({
  template: returndatacopy,
  cost: 48,
  samples: () => [0n, 5n, ...EDGE_WORDS.slice(-3)].map((dest) => copy(dest)),
});

describe("RETURNDATACOPY of nothing", () => {
  it("pops three items, costs 3 and grows no memory, wherever it goes", () => {
    for (const dest of EDGE_WORDS) {
      const expected = { stack: [9n], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, 0n, 0n, dest], assignReturndatacopy)).toEqual(expected);
    }
  });

  it("asks that nothing has been returned", () => {
    const asked = { ctx: REGISTERS.ctx, hi: 0n, lo: 0n, field: 0x3dn };
    expect(askedOf(returndatacopy, "CTX", copy(5n))).toEqual([asked]);
  });

  it("is none with an offset or a size", () => {
    const beyond = expect.objectContaining({ code: "RETURNDATA_BEYOND" });
    for (const word of EDGE_WORDS.slice(1)) {
      expect(() => copy(0n, word, 0n)).toThrow(beyond);
      expect(() => copy(0n, 0n, word)).toThrow(beyond);
    }
  });
});
