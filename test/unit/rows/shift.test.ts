import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignShift, shift } from "../../../src/rows/shift.js";
import { ARITH_WORDS, numbers } from "../../support/arith.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
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
});
