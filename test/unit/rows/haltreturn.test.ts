import { describe, expect, it } from "vitest";
import { assignHaltreturn, haltreturn } from "../../../src/rows/haltreturn.js";
import { codeAt, haltAt, haltedBy } from "../../support/halts.js";
import { EDGE_WORDS, machineWith, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf } from "../../support/steps.js";

const CODE = codeAt(0x3e);

const copy = (offset: bigint, size: bigint) =>
  sampleOf(haltreturn, `RETURNDATACOPY of ${size} from ${offset}`, [size, offset, 7n], assignHaltreturn);

describeRow({
  template: haltreturn,
  cost: 36,
  samples: () => [
    ...EDGE_WORDS.slice(1).map((word) => copy(word, 0n)),
    ...[1n, 1n << 128n, (1n << 256n) - 1n].map((word) => copy(0n, word)),
  ],
});

describe("a halt by RETURNDATACOPY", () => {
  it("is needed exactly where offset or size isn't 0", () => {
    for (const dest of [0n, 1n << 200n]) {
      expect(haltAt(CODE, [0n, 0n, dest])).toBeUndefined();
      for (const word of EDGE_WORDS.slice(1)) {
        for (const [size, offset] of [
          [0n, word],
          [word, 0n],
          [word, 1n],
        ] as const) {
          expect(haltAt(CODE, [size, offset, dest])).toBe("return");
          haltedBy(machineWith([size, offset, dest]), haltreturn, assignHaltreturn);
        }
      }
    }
    expect(haltAt(CODE, [1n, 1n])).toBe("code");
    expect(haltAt(CODE, [1n, 1n, 1n], { gas: -1n })).toBe("gas");
  });

  it("asks that nothing has been returned", () => {
    const asked = { ctx: REGISTERS.ctx, hi: 0n, lo: 0n, field: 0x3dn };
    expect(askedOf(haltreturn, "CTX", copy(0n, 5n))).toEqual([asked]);
  });

  it("can't be of a copy of nothing", async () => {
    expect(() => copy(0n, 0n)).toThrow(expect.objectContaining({ code: "HALT_UNTRUE" }));
    const circuit = await rowCircuit("haltreturn");
    for (const isSize of [0n, 1n]) {
      const claim = forged(haltreturn, copy(1n, 0n).columns, { hi: 0n, lo: 0n, isSize });
      expect(passes(circuit, haltreturn, claim, claim)).toBe(false);
    }
    // nor can the place be shown instead: only what lies below it
    for (const isSize of [-1n, 2n]) {
      const claim = forged(haltreturn, copy(1n, 0n).columns, { isSize });
      expect(passes(circuit, haltreturn, claim, claim)).toBe(false);
    }
  });
});
