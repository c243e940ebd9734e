import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import { assignShift, shift } from "../../../src/rows/shift.js";
import { limbsOf } from "../../../src/rows/words.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { stepped } from "../../support/steps.js";

type Opcode = "SHL" | "SHR";

const MAX = (1n << 256n) - 1n;
const SHIFTS = [
  0n,
  1n,
  63n,
  64n,
  65n,
  127n,
  128n,
  191n,
  192n,
  224n,
  255n,
  256n,
  257n,
  1n << 128n,
  (1n << 128n) + 1n,
  MAX,
];
const PATTERN = BigInt(`0x${"0123456789abcdef".repeat(4)}`);
const sample = (s: bigint, v: bigint, opcode: Opcode) =>
  sampleOf(shift, `${opcode} by ${s} of ${v}`, [9n, v, s], (m) => assignShift(m, opcode));

describeRow({
  template: shift,
  cost: 114,
  samples: () => [
    sample(224n, PATTERN, "SHR"),
    sample(160n, 1n, "SHL"),
    sample(7n, MAX, "SHL"),
    sample(65n, 1n << 255n, "SHR"),
  ],
});

describe("SHL, SHR", () => {
  it("shift, by 256 and more to zero", async () => {
    const circuit = await rowCircuit("shift");
    const move = (s: bigint, v: bigint, opcode: Opcode) => {
      const result = s > 255n ? 0n : opcode === "SHL" ? BigInt.asUintN(256, v << s) : v >> s;
      const expected = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, v, s], (m) => assignShift(m, opcode))).toEqual(expected);
      const { columns, what } = sample(s, v, opcode);
      expect(passes(circuit, shift, columns, columns), what).toBe(true);
    };
    for (const opcode of ["SHL", "SHR"] as const)
      for (const s of SHIFTS) for (const v of [...ARITH_WORDS, PATTERN]) move(s, v, opcode);
    const shifts = fc.oneof(fc.bigInt({ min: 0n, max: 260n }), numbers());
    fc.assert(fc.property(shifts, numbers(), fc.constantFrom("SHL", "SHR"), move), { numRuns: 100 });
  });

  it("are far for shifts from 256 on only, and near for others only", async () => {
    const circuit = await rowCircuit("shift");
    const far = { isFar: 1n, m: 0n, ...limbsOf("n", 0n, 16), ...limbsOf("k", 0n, 3), ...limbsOf("top", 0n, 3) };
    for (const opcode of ["SHL", "SHR"] as const) {
      for (const s of [0n, 8n, 255n]) {
        const row = forged(shift, sample(s, MAX, opcode).columns, far);
        expect(passes(circuit, shift, row, row), `${opcode} by ${s}`).toBe(false);
      }
      // as if by 8, and by what is left of it modulo 256
      for (const s of [264n, (1n << 128n) + 8n, (8n << 128n) + 8n, MAX - 255n + 8n]) {
        const near = sample(8n, MAX, opcode).columns;
        const row = forged(shift, near, { sHi: s >> 128n, sLo: s % (1n << 128n) });
        expect(passes(circuit, shift, row, row), `${opcode} by ${s}`).toBe(false);
        const { columns } = sample(s, MAX, opcode);
        expect(passes(circuit, shift, columns, columns)).toBe(true);
        const multiplied = forged(shift, columns, { m: 1n, ...limbsOf("n", MAX, 16) });
        expect(passes(circuit, shift, multiplied, multiplied)).toBe(false);
      }
    }
  });

  it("take one power of two: no product comes around r", async () => {
    const circuit = await rowCircuit("shift");
    for (const e of [126n, 127n]) {
      // v.lo*2^e is r and a little more
      const vLo = FR_MODULUS / (1n << e) + 1n;
      const { columns } = sample(e, vLo, "SHL");
      const rest = vLo * (1n << e) - FR_MODULUS;
      const claim = { m: 1n << e, j0: 1n, j1: 1n, ...limbsOf("n", rest, 16), ...limbsOf("k", rest >> 128n, 3) };
      const row = forged(shift, columns, { ...claim, n8: 0n, n9: 0n, n10: 0n, n11: 0n, ...limbsOf("top", 0n, 3) });
      expect(passes(circuit, shift, row, row)).toBe(false);
    }
  });

  it("take other limbs for no shift", async () => {
    const circuit = await rowCircuit("shift");
    for (const opcode of ["SHL", "SHR"] as const) {
      for (const s of [3n, 70n, 200n]) {
        const { columns } = sample(s, PATTERN, opcode);
        for (const [j0, j1] of [
          [0n, 0n],
          [1n, 0n],
          [0n, 1n],
          [1n, 1n],
        ] as const) {
          const row = forged(shift, columns, { j0, j1 });
          if (JSON.stringify(row.map(String)) === JSON.stringify(columns.map(String))) continue;
          expect(passes(circuit, shift, row, row), `${opcode} by ${s}`).toBe(false);
        }
      }
    }
  });
});
