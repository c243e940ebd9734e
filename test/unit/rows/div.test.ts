import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { invert, mod } from "../../../src/circuits/linear.js";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import { factorOf, quotientOf } from "../../../src/rows/arith.js";
import { assignDiv, div } from "../../../src/rows/div.js";
import { limbsOf } from "../../../src/rows/words.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { stepped } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const sample = (a: bigint, n: bigint, isMod: boolean) =>
  sampleOf(div, `${a} ${isMod ? "mod" : "/"} ${n}`, [9n, n, a], (m) => assignDiv(m, isMod));

describeRow({
  template: div,
  cost: 115,
  samples: () => [
    ...[sample(10n ** 20n + 7n, 10n ** 18n, false), sample(MAX, 0n, true), sample(MAX, (1n << 128n) + 1n, true)],
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

  it("have no other quotient modulo r, modulo 2^128 or modulo both", async () => {
    const circuit = await rowCircuit("div");
    const half = 1n << 128n;
    for (const n of [(1n << 255n) + 977n, (1n << 200n) - 3n, (1n << 129n) + 1n]) {
      const a = MAX - 12_345n;
      const { columns } = sample(a, n, false);
      for (const more of [FR_MODULUS, half * n, FR_MODULUS * half, 2n * FR_MODULUS * half, 5n * FR_MODULUS * half]) {
        const { q, u, carry, columns: claim } = quotientOf(a + more, n, { aLo: a % half, dLo: n % half });
        expect([q, u]).not.toEqual([a / n, a % n]);
        const row = forged(div, columns, { ...claim, carry });
        expect(passes(circuit, div, row, row), `${n}: ${more}`).toBe(false);
      }
    }
  });

  it("have no remainder from the divisor on, none below 0, and no quotient that is no integer", async () => {
    const circuit = await rowCircuit("div");
    const [a, n] = [10n ** 40n + 5n, 10n ** 20n];
    const { columns } = sample(a, n, true);
    const claim = (q: bigint, u: bigint) => {
      const [qr, ur] = [mod(q), mod(u)];
      return { ...factorOf("q", qr), ...limbsOf("u", ur, 8), ...limbsOf("w", mod(n - 1n - u), 7) };
    };
    const [q, u] = [a / n, a % n];
    const halfOf = (x: bigint) => x * invert(n);
    for (const [other, rest] of [
      [q + 1n, u - n],
      [q - 1n, u + n],
      [0n, a],
      [halfOf(a), 0n],
      [halfOf(a - 77n), 77n],
    ] as const) {
      for (const carry of [0n, 1n]) {
        const row = forged(div, columns, { ...claim(other, rest), carry });
        expect(passes(circuit, div, row, row), `${other}`).toBe(false);
      }
    }
  });

  it("give no quotient of a division by zero", async () => {
    const circuit = await rowCircuit("div");
    const { columns } = sample(7n, 0n, false);
    for (const change of [{ q0: 1n }, { q0: 7n, u0: 0n }, { qHi: 1n }, { carry: 0n }, { isMod: 1n, q0: 1n }]) {
      const row = forged(div, columns, change);
      expect(passes(circuit, div, row, row)).toBe(false);
    }
  });
});
