import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { invert, mod } from "../../../src/circuits/linear.js";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import { factorOf } from "../../../src/rows/arith.js";
import { assignMul, mul } from "../../../src/rows/mul.js";
import { limbsOf } from "../../../src/rows/words.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { byName, stepped } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const sample = (u: bigint, v: bigint) => sampleOf(mul, `${u} * ${v}`, [9n, v, u], assignMul);

describeRow({
  template: mul,
  cost: 109,
  samples: () => [sample(1_000n, 10n ** 18n), sample(MAX, MAX), sample(3n << 190n, (1n << 128n) - 1n)],
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

  it("has no carry by which another product passes", async () => {
    const circuit = await rowCircuit("mul");
    const [half, quarter] = [1n << 128n, 1n << 64n];
    for (const [u, v] of [
      [MAX, MAX - 2n],
      [(1n << 250n) + 3n, (1n << 251n) + 12_345n],
      [10n ** 18n, 10n ** 40n],
    ] as const) {
      const { columns } = sample(u, v);
      const [uLo, uHi, vLo, vHi] = [u % half, u / half, v % half, v / half];
      const lower = (uLo % quarter) * vLo + quarter * (uLo / quarter) * (vLo % quarter);
      for (const [byLower, byUpper] of [
        [1n, 0n],
        [0n, 1n],
        [0n, -1n],
        [0n, -4n],
        [1n, -2n],
      ] as const) {
        // the equations hold in the field, but not in integers: one side is multiples of r more
        const low = lower + byLower * FR_MODULUS;
        const upper = uHi * vLo + vHi * uLo + (uLo / quarter) * (vLo / quarter) + low / half + byUpper * FR_MODULUS;
        if (upper < 0n) continue;
        const c = (low % half) + half * (upper % half);
        expect(c).not.toBe(BigInt.asUintN(256, u * v));
        const claim = { ...factorOf("c", c), ...limbsOf("k", low / half, 4), overTop: upper / half / half };
        for (let gapTop = -1n; gapTop < 15n; gapTop++) {
          const row = forged(mul, columns, { ...claim, gapTop: mod(gapTop) });
          expect(passes(circuit, mul, row, row)).toBe(false);
        }
      }
    }
  });

  it("has no product whose high half is no half, and none for multiples of 2^-64", async () => {
    const circuit = await rowCircuit("mul");
    const { columns } = sample(10n ** 30n, 10n ** 30n);
    const { c0 = 0n, c4 = 0n, cHi, k0 = 0n } = byName(mul, { what: "", columns });
    const part = invert(1n << 64n);
    for (const change of [
      { cHi: cHi + (1n << 128n), overTop: 0n },
      { cHi: mod(cHi - (1n << 128n)) },
      { cHi: mod(cHi + part) },
      { c0: mod(c0 - (1n << 64n)), c4: c4 + 1n },
      { c0: mod(c0 + part) },
      { k0: mod(k0 + part) },
    ]) {
      const row = forged(mul, columns, change);
      expect(passes(circuit, mul, row, row)).toBe(false);
    }
  });
});
