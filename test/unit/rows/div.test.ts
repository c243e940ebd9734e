import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignDiv, div } from "../../../src/rows/div.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { stepped } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const sample = (a: bigint, n: bigint, isMod: boolean) =>
  sampleOf(div, `${a} ${isMod ? "mod" : "/"} ${n}`, [9n, n, a], (m) => assignDiv(m, isMod));

describeRow({
  template: div,
  cost: 115,
  samples: () => [
    ...[sample(10n ** 20n + 7n, 10n ** 18n, false), sample(MAX, 1n, false), sample(MAX, 0n, true)],
    ...[sample(MAX, (1n << 128n) + 1n, true), sample(7n, 1n << 255n, true)],
  ],
});

describe("DIV, MOD", () => {
  it("divide unsigned, and by zero give zero", async () => {
    const circuit = await rowCircuit("div");
    const divide = (a: bigint, n: bigint, isMod: boolean) => {
      const result = n === 0n ? 0n : isMod ? a % n : a / n;
      const expected = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: 5n };
      expect(stepped([9n, n, a], (m) => assignDiv(m, isMod))).toEqual(expected);
      const { columns, what } = sample(a, n, isMod);
      expect(passes(circuit, div, columns, columns), what).toBe(true);
    };
    for (const [i, a] of ARITH_WORDS.entries())
      for (const [j, n] of ARITH_WORDS.entries()) divide(a, n, (i + j) % 2 === 0);
    fc.assert(fc.property(numbers(), numbers(), fc.boolean(), divide), { numRuns: 100 });
  });
});
