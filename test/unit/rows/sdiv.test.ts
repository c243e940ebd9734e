import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignSdiv, sdiv } from "../../../src/rows/sdiv.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { signed, stepped } from "../../support/steps.js";

const word = (x: bigint) => BigInt.asUintN(256, x);
const sample = (a: bigint, n: bigint, isMod: boolean) =>
  sampleOf(sdiv, `${signed(a)} ${isMod ? "mod" : "/"} ${signed(n)}`, [9n, n, a], (m) => assignSdiv(m, isMod));

describeRow({
  template: sdiv,
  cost: 133,
  samples: () => [
    ...[sample(word(-(10n ** 20n)), 7n, false), sample(1n << 255n, word(-1n), false)],
    ...[sample(word(-8n), word(-(3n << 128n)), true), sample(word(-5n), 0n, true)],
  ],
});

describe("SDIV, SMOD", () => {
  it("divide in two's complement, and by zero give zero", async () => {
    const circuit = await rowCircuit("sdiv");
    const divide = (a: bigint, n: bigint, isMod: boolean) => {
      // bigints round towards zero and their remainder has the sign of the dividend, too
      const result = n === 0n ? 0n : word(isMod ? signed(a) % signed(n) : signed(a) / signed(n));
      const expected = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: 5n };
      expect(stepped([9n, n, a], (m) => assignSdiv(m, isMod))).toEqual(expected);
      const { columns, what } = sample(a, n, isMod);
      expect(passes(circuit, sdiv, columns, columns), what).toBe(true);
    };
    for (const [i, a] of ARITH_WORDS.entries())
      for (const [j, n] of ARITH_WORDS.entries()) divide(a, n, (i + j) % 2 === 0);
    fc.assert(fc.property(numbers(), numbers(), fc.boolean(), divide), { numRuns: 100 });
  });
});
