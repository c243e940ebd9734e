import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignBitwise, bitwise } from "../../../src/rows/bitwise.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, stepped, words } from "../../support/steps.js";

const OPERATIONS = {
  and: (a: bigint, b: bigint) => a & b,
  or: (a: bigint, b: bigint) => a | b,
  xor: (a: bigint, b: bigint) => a ^ b,
} as const;
type Operation = keyof typeof OPERATIONS;
const NAMES = Object.keys(OPERATIONS) as Operation[];

const sample = (a: bigint, b: bigint, operation: Operation) =>
  sampleOf(bitwise, `${a} ${operation} ${b}`, [9n, b, a], (m) => assignBitwise(m, operation));

const MIXED = 0x8001_7ffe_00ff_ff00_1234_5678_9abc_def0_0f0f_f0f0_5555_aaaa_0102_0304_fffe_fdfcn;

describeRow({
  template: bitwise,
  cost: 234,
  samples: () => [sample(MIXED, MIXED >> 3n, "xor")],
});

describe("AND, OR, XOR", () => {
  it("combine bit by bit", async () => {
    const circuit = await rowCircuit("bitwise");
    const combine = (a: bigint, b: bigint, operation: Operation) => {
      const result = BigInt.asUintN(256, OPERATIONS[operation](a, b));
      const after = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, b, a], (m) => assignBitwise(m, operation))).toEqual(after);
      const { columns, what } = sample(a, b, operation);
      expect(passes(circuit, bitwise, columns, columns), what).toBe(true);
    };
    for (const [i, a] of EDGE_WORDS.entries()) for (const b of EDGE_WORDS) combine(a, b, NAMES[i % 3]!);
    fc.assert(fc.property(words(), words(), fc.constantFrom(...NAMES), combine), { numRuns: 50 });
  });

  it("ask for their class", () => {
    const classes = NAMES.map((name) => askedOf(bitwise, "CODE", sample(1n, 2n, name))[0]!.class);
    expect(classes).toEqual([0x16n, 0x17n, 0x18n]);
  });

  it("can't have bytes of a word swapped, lent from each other, or another result", async () => {
    const circuit = await rowCircuit("bitwise");
    const honest = sample(0x0201n, 0xffffn, "and");
    const refused = (changes: Partial<Record<(typeof bitwise.columns)[number], bigint>>) => {
      const columns = forged(bitwise, honest.columns, changes);
      return !passes(circuit, bitwise, columns, columns);
    };
    // swapped: what is left of the half is no byte any more
    expect(refused({ a0: 2n, a1: 1n, m0: 2n, m1: 1n })).toBe(true);
    // lent: the same half, but 0x101 is no byte
    expect(refused({ a0: 0x101n, a1: 1n })).toBe(true);
    // from the low half to the high one
    expect(refused({ a15: 1n, m16: 1n })).toBe(true);
    // a result that is not that of the bytes
    expect(refused({ m0: 0n })).toBe(true);
    expect(refused({ m1: 3n })).toBe(true);
    expect(refused({})).toBe(false);
  });

  it("can't be two of them at once, nor another without its flag", async () => {
    const circuit = await rowCircuit("bitwise");
    for (const operation of NAMES) {
      const { columns } = sample(5n, 3n, operation);
      for (const isOr of [-1n, 0n, 1n, 2n]) {
        for (const isXor of [-1n, 0n, 1n, 2n]) {
          const other = forged(bitwise, columns, { isOr, isXor });
          const honest = isOr === (operation === "or" ? 1n : 0n) && isXor === (operation === "xor" ? 1n : 0n);
          expect(passes(circuit, bitwise, columns, other)).toBe(honest);
          // as a row of its own it may be one of the other operations, but nothing else
          expect(passes(circuit, bitwise, other, other)).toBe([0n, 1n].includes(isOr + isXor) && isOr * isXor === 0n);
        }
      }
    }
  });
});
