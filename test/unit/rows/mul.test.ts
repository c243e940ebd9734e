import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignMul, mul } from "../../../src/rows/mul.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { stepped } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const sample = (u: bigint, v: bigint) => sampleOf(mul, `${u} * ${v}`, [9n, v, u], assignMul);

describeRow({
  template: mul,
  cost: 109,
  samples: () => [sample(0n, MAX), sample(1_000n, 10n ** 18n), sample(MAX, MAX), sample(3n << 190n, (1n << 128n) - 1n)],
});

describe("MUL", () => {
  it("multiplies modulo 2^256", async () => {
    const circuit = await rowCircuit("mul");
    const multiply = (u: bigint, v: bigint) => {
      const expected = { stack: [9n, BigInt.asUintN(256, u * v)], pc: REGISTERS.pc + 1n, cost: 5n };
      expect(stepped([9n, v, u], assignMul)).toEqual(expected);
      const { columns, what } = sample(u, v);
      expect(passes(circuit, mul, columns, columns), what).toBe(true);
    };
    for (const u of ARITH_WORDS) for (const v of ARITH_WORDS) multiply(u, v);
    fc.assert(fc.property(numbers(), numbers(), multiply), { numRuns: 100 });
  });
});
