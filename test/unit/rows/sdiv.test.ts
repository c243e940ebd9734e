import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import { factorOf, quotientOf } from "../../../src/rows/arith.js";
import { assignSdiv, sdiv } from "../../../src/rows/sdiv.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
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
    sample(word(-8n), word(-(3n << 128n)), true),
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

  it("have one sign for each word", async () => {
    const circuit = await rowCircuit("sdiv");
    const [half, whole] = [1n << 128n, 1n << 256n];
    for (const [a, n] of [
      [word(-100n), 7n],
      [100n, word(-7n)],
      [1n << 255n, 3n],
      [(1n << 255n) - 1n, 5n],
    ] as const) {
      for (const isMod of [false, true]) {
        const { columns } = sample(a, n, isMod);
        for (const flip of [1n, 2n, 3n]) {
          const [signA, signN] = [(a >> 255n) ^ (flip & 1n), (n >> 255n) ^ (flip >> 1n)];
          const low = { aLo: signA ? -(a % half) : a % half, dLo: signN ? half - (n % half) : n % half };
          const claim = quotientOf(signA ? whole - a : a, signN ? whole - n : n, low);
          const row = forged(sdiv, columns, { ...claim.columns, carry: claim.carry, signA, signN });
          expect(passes(circuit, sdiv, row, row), `${a} ${n} ${flip}`).toBe(false);
        }
      }
    }
  });

  it("have no other quotient modulo r and 2^128", async () => {
    const circuit = await rowCircuit("sdiv");
    const half = 1n << 128n;
    const [a, n] = [word(-(1n << 250n)), (1n << 249n) + 3n];
    const { columns } = sample(a, n, false);
    const claim = quotientOf((1n << 250n) + FR_MODULUS * half, n, { aLo: -(a % half), dLo: n % half });
    const row = forged(sdiv, columns, { ...claim.columns, carry: claim.carry });
    expect(passes(circuit, sdiv, row, row)).toBe(false);
    expect(passes(circuit, sdiv, row, forged(sdiv, columns, factorOf("q", 1n)))).toBe(false);
  });
});
