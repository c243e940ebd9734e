import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mod } from "../../../src/circuits/linear.js";
import { assignLt, lt, ltCheck } from "../../../src/rows/lt.js";
import { LOWER_LIMBS } from "../../../src/rows/row.js";
import { limbsOf } from "../../../src/rows/words.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { byName, HALVES_WORDS, inOrder, stepped, words } from "../../support/steps.js";

const BOTH = [false, true];
const sample = (a: bigint, b: bigint, isGt: boolean) =>
  sampleOf(lt, `${a} ${isGt ? ">" : "<"} ${b}`, [9n, b, a], (m) => assignLt(m, isGt));

describeRow({
  template: lt,
  cost: 63,
  samples: () =>
    BOTH.flatMap((isGt) => EDGE_WORDS.flatMap((a, i) => [a, EDGE_WORDS.at(-1 - i)!].map((b) => sample(a, b, isGt)))),
});

describe("LT, GT", () => {
  it("compare unsigned, and no other result passes", async () => {
    const circuit = await rowCircuit("lt");
    const compare = (a: bigint, b: bigint, isGt: boolean) => {
      const result = (isGt ? a > b : a < b) ? 1n : 0n;
      const expected = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, b, a], (m) => assignLt(m, isGt))).toEqual(expected);
      const honest = sample(a, b, isGt);
      expect(passes(circuit, lt, honest.columns, honest.columns)).toBe(true);
      // every limb follows from the claim, so that there are no others to try
      const claim = { ...byName(lt, honest), result: 1n - result };
      const forged = inOrder(lt, { ...claim, ...limbsOf("d", mod(ltCheck(claim)), LOWER_LIMBS) });
      expect(passes(circuit, lt, forged, forged), honest.what).toBe(false);
    };
    for (const [i, a] of HALVES_WORDS.entries()) for (const b of HALVES_WORDS) compare(a, b, i % 2 === 0);
    fc.assert(fc.property(words(), words(), fc.boolean(), compare), { numRuns: 100 });
  });
});
