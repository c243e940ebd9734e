import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mod } from "../../../src/circuits/linear.js";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import { assignMulmod, mulmod, remainderColumns } from "../../../src/rows/mulmod.js";
import { limbsOf } from "../../../src/rows/words.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { byName, stepped } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const sample = (f: bigint, g: bigint, n: bigint, isMul: boolean) =>
  sampleOf(mulmod, `${f} ${isMul ? "*" : "+"} ${g} mod ${n}`, [9n, n, g, f], (m) => assignMulmod(m, isMul));

describeRow({
  template: mulmod,
  cost: 296,
  samples: () => [sample(MAX, MAX - 5n, (1n << 255n) - 19n, true)],
});

describe("ADDMOD, MULMOD", () => {
  it("reduce sums and products of full size, and modulo 0 give 0", async () => {
    const circuit = await rowCircuit("mulmod");
    const reduce = (f: bigint, g: bigint, n: bigint, isMul: boolean) => {
      const result = n === 0n ? 0n : (isMul ? f * g : f + g) % n;
      const expected = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: 8n };
      expect(stepped([9n, n, g, f], (m) => assignMulmod(m, isMul))).toEqual(expected);
      const { columns, what } = sample(f, g, n, isMul);
      expect(passes(circuit, mulmod, columns, columns), what).toBe(true);
    };
    for (const [i, f] of ARITH_WORDS.entries()) {
      for (const [j, n] of ARITH_WORDS.entries()) {
        const isMul = (i + j) % 3 > 0;
        if ((i + 3 * j) % 4 === 0 || n === 0n) reduce(f, ARITH_WORDS.at((i * 5 + j) % ARITH_WORDS.length)!, n, isMul);
      }
    }
    fc.assert(fc.property(numbers(), numbers(), numbers(), fc.boolean(), reduce), { numRuns: 40 });
  });

  it("have no other remainder modulo all moduli but one, or beyond their product", async () => {
    const circuit = await rowCircuit("mulmod");
    const moduli = [FR_MODULUS, 1n << 144n, (1n << 96n) - 1n, (1n << 96n) + 1n];
    const all = moduli.reduce((product, modulus) => product * modulus);
    const [f, g, n] = [MAX - 3n, MAX - 77n, (1n << 252n) + 27n];
    const honest = sample(f, g, n, true);
    const claim = (a: bigint) => forged(mulmod, honest.columns, remainderColumns(byName(mulmod, honest), a));
    expect(claim(f * g)).toEqual(honest.columns);
    for (const more of [...moduli.map((modulus) => all / modulus), all, 2n * all]) {
      const row = claim(f * g + more);
      expect(passes(circuit, mulmod, row, row), `${more}`).toBe(false);
    }
  });

  it("have no remainder from the modulus on", async () => {
    const circuit = await rowCircuit("mulmod");
    const n = 10n ** 18n;
    const { columns } = sample(5n, 10n ** 18n, n, false);
    for (const carry of [0n, 1n]) {
      const change = {
        q0: 0n,
        ...limbsOf("u", 5n + n, 15),
        ...limbsOf("w", mod(-6n), 7),
        ...limbsOf("h", MAX, 7),
        carry,
      };
      const row = forged(mulmod, columns, change);
      expect(passes(circuit, mulmod, row, row)).toBe(false);
    }
  });
});
