import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mod } from "../../../src/circuits/linear.js";
import { LOWER_LIMBS } from "../../../src/rows/row.js";
import { assignSlt, slt, sltChecks } from "../../../src/rows/slt.js";
import { limbsOf } from "../../../src/rows/words.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { byName, HALVES_WORDS, inOrder, signed, stepped, words } from "../../support/steps.js";

const BOTH = [false, true];
const BITS = [0n, 1n];
const sample = (a: bigint, b: bigint, isGt: boolean) =>
  sampleOf(slt, `${a} ${isGt ? ">" : "<"} ${b}`, [9n, b, a], (m) => assignSlt(m, isGt));

describeRow({
  template: slt,
  cost: 90,
  samples: () =>
    BOTH.flatMap((isGt) => EDGE_WORDS.flatMap((a, i) => [a, EDGE_WORDS.at(-1 - i)!].map((b) => sample(a, b, isGt)))),
});

describe("SLT, SGT", () => {
  it("compare in two's complement, and no other result passes", async () => {
    const circuit = await rowCircuit("slt");
    const compare = (a: bigint, b: bigint, isGt: boolean) => {
      const result = (isGt ? signed(a) > signed(b) : signed(a) < signed(b)) ? 1n : 0n;
      const expected = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, b, a], (m) => assignSlt(m, isGt))).toEqual(expected);
      const honest = sample(a, b, isGt);
      expect(passes(circuit, slt, honest.columns, honest.columns)).toBe(true);
      // every claim there is; the limbs follow from it
      for (const below of BITS) {
        for (const [positive, negative] of [
          [0n, 0n],
          [0n, 1n],
          [1n, 0n],
          [1n, 1n],
        ] as const) {
          const claim = { ...byName(slt, honest), below, positive, negative };
          const { order, signs, result: claimed } = sltChecks(claim);
          if (claimed === result) continue;
          const d = limbsOf("d", mod(order), LOWER_LIMBS);
          const e = limbsOf("e", mod(signs), LOWER_LIMBS);
          const forged = inOrder(slt, { ...claim, ...d, ...e });
          expect(passes(circuit, slt, forged, forged), `${honest.what}: ${below} ${positive} ${negative}`).toBe(false);
        }
      }
    };
    for (const [i, a] of HALVES_WORDS.entries()) for (const b of HALVES_WORDS) compare(a, b, i % 2 === 0);
    fc.assert(fc.property(words(), words(), fc.boolean(), compare), { numRuns: 50 });
  });
});
