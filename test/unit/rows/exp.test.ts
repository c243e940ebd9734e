import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignExp, exp } from "../../../src/rows/exp.js";
import { power } from "../../../src/rows/power.js";
import { halvesOf } from "../../../src/rows/words.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { machineWith, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged, messagesOfRows, rowsOf, unmatched } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { byName, stepped } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const sample = (base: bigint, e: bigint) => sampleOf(exp, `${base} ^ ${e}`, [9n, e, base], assignExp);

describeRow({
  template: exp,
  cost: 68,
  samples: () => [sample(10n, 18n), sample(MAX, 1n << 128n), sample(2n, MAX)],
});

function powerOf(base: bigint, e: bigint): bigint {
  let result = 1n;
  for (const bit of e.toString(2)) result = BigInt.asUintN(256, result * result * (bit === "1" ? base : 1n));
  return result;
}

const ODD_EXPONENTS = [0n, 1n, 2n, 18n, 255n, 256n, 77_777n, 1n << 128n, MAX];

describe("EXP", () => {
  it("is the power modulo 2^256, by a chain of products", () => {
    const raise = (base: bigint, e: bigint) => {
      const machine = machineWith([9n, e, base]);
      assignExp(machine);
      expect(machine.peek("STACK", `${REGISTERS.ctx}:1`)).toMatchObject(halvesOf(powerOf(base, e)));
      expect(machine.registers).toMatchObject({ pc: REGISTERS.pc + 1n, sp: 2n });
      expect(unmatched(messagesOfRows(machine)).filter(({ tag }) => tag === "EXPCHAIN")).toEqual([]);
    };
    for (const [i, e] of ODD_EXPONENTS.entries()) raise(ARITH_WORDS.at(-1 - i)!, e);
    fc.assert(fc.property(numbers(), fc.bigInt({ min: 0n, max: 70_000n }), raise), { numRuns: 30 });
  });

  it("is paid by the exponent's bytes", async () => {
    const circuit = await rowCircuit("exp");
    for (const bits of [0n, 8n, 16n, 120n, 128n, 136n, 248n, 256n]) {
      for (const e of [(1n << bits) - 1n, (1n << bits) & MAX]) {
        const bytes = BigInt(e === 0n ? 0 : Math.ceil(e.toString(16).length / 2));
        expect(stepped([e, 2n], assignExp).cost).toBe(10n + 50n * bytes);
        const { columns, what } = sample(2n, e);
        expect(passes(circuit, exp, columns, columns), what).toBe(true);
        // any other number of bytes, with the power of two that it would need
        const { m } = byName(exp, { what, columns });
        for (let other = 0n; other < 16n; other++) {
          if (other === m) continue;
          const row = forged(exp, columns, { m: other, p: 1n << (8n * other) });
          expect(passes(circuit, exp, row, row), `${what} with ${other}`).toBe(false);
        }
      }
    }
  });

  it("takes as many products as the exponent has bits and ones", async () => {
    const circuit = await rowCircuit("power");
    const products = (base: bigint, e: bigint) => {
      const machine = machineWith([e, base]);
      assignExp(machine);
      return rowsOf(machine, power);
    };
    expect([0n, 1n, 2n, 18n, MAX].map((e) => products(10n, e).length)).toEqual([0, 1, 2, 6, 511]);
    for (const row of products(10n, 77n)) expect(passes(circuit, power, row, row)).toBe(true);
  });
});
