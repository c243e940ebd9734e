import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignByte, byte } from "../../../src/rows/byte.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, stepped, words } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const MIXED = 0x8001_7ffe_00ff_ff80_1234_5678_9abc_def0_0f0f_f0f0_5555_aaaa_0182_8304_fffe_fdfcn;

const sample = (i: bigint, x: bigint, isByte: boolean) =>
  sampleOf(byte, `${isByte ? "BYTE" : "SIGNEXTEND"} ${i} of ${x}`, [9n, x, i], (m) => assignByte(m, isByte));

/** What the Yellow Paper says. */
const byteOf = (i: bigint, x: bigint): bigint => (i < 32n ? (x >> (8n * (31n - i))) & 0xffn : 0n);
const signextend = (k: bigint, x: bigint): bigint => {
  if (k >= 31n) return x;
  const bits = 8n * (k + 1n);
  const low = x % (1n << bits);
  return low >> (bits - 1n) === 1n ? MAX - (1n << bits) + 1n + low : low;
};

describeRow({
  template: byte,
  cost: 116,
  samples: () => [sample(3n, MIXED, true), sample(14n, MIXED, false), sample(20n, MIXED, false)],
  free: { excess: "only an index from 32 up has one" },
});
describeRow({
  template: byte,
  cost: 116,
  samples: () => [sample(32n, MIXED, false), sample(5n << 128n, MIXED, true)],
});

describe("BYTE, SIGNEXTEND", () => {
  it("pick a byte, and extend the sign of one", async () => {
    const circuit = await rowCircuit("byte");
    const pick = (i: bigint, x: bigint, isByte: boolean) => {
      const result = isByte ? byteOf(i, x) : signextend(i, x);
      const expected = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: isByte ? 3n : 5n };
      const honest = sample(i, x, isByte);
      expect(
        stepped([9n, x, i], (m) => assignByte(m, isByte)),
        honest.what,
      ).toEqual(expected);
      expect(passes(circuit, byte, honest.columns, honest.columns), honest.what).toBe(true);
      // the row's own idea of the result, not only the machine's
      const given = askedOf(byte, "STACK", honest).at(-1)!;
      expect((given.hi! << 128n) + given.lo!).toBe(result);
    };
    for (let i = 0n; i < 34n; i++) for (const isByte of [true, false]) pick(i, MIXED, isByte);
    const index = fc.oneof(fc.bigInt({ min: 0n, max: 33n }), words());
    fc.assert(fc.property(index, words(), fc.boolean(), pick), { numRuns: 60 });
    for (const i of EDGE_WORDS) pick(i, MAX, true);
  });

  it("ask for their class", () => {
    const classes = [true, false].map((isByte) => askedOf(byte, "CODE", sample(1n, 2n, isByte))[0]!.class);
    expect(classes).toEqual([0x1an, 0x0bn]);
  });

  it("can't be out of the word with an index below 32, nor in it with another", async () => {
    const circuit = await rowCircuit("byte");
    const refused = (
      columns: readonly bigint[],
      changes: Parameters<typeof forged<(typeof byte.columns)[number]>>[2],
    ) => {
      const claim = forged(byte, columns, changes);
      return !passes(circuit, byte, claim, claim);
    };
    for (const isByte of [true, false]) {
      const inside = sample(30n, MIXED, isByte).columns;
      const outside = sample(32n, MIXED, isByte).columns;
      for (const excess of [0n, 1n, FR_MODULUS >> 128n, (FR_MODULUS >> 128n) + 1n]) {
        expect(refused(outside, { iLo: 31n, excess })).toBe(true);
        expect(refused(outside, { iLo: 0n, excess })).toBe(true);
      }
      expect(refused(inside, { iLo: 32n })).toBe(true);
      expect(refused(inside, { iHi: 1n })).toBe(true);
      expect(refused(outside, {})).toBe(false);
      expect(refused(inside, {})).toBe(false);
    }
  });

  it("can't take two limbs for one, or half a flag", async () => {
    const circuit = await rowCircuit("byte");
    const { columns } = sample(31n, MIXED, true);
    // k = 0 as -1*... + ...: what the sum of l alone would allow
    for (const changes of [
      { s0: 0n, s1: 1n, isOdd: -2n },
      { s0: 2n, s1: -1n, isOdd: 2n },
      { s0: 1n, s2: 1n, s4: -1n, s3: 0n },
      { isHigh: 1n, s0: 0n, s6: 0n },
      { sign: 0n },
      { low: 0xfcn + 256n },
    ]) {
      const claim = forged(byte, columns, changes);
      expect(passes(circuit, byte, claim, claim), JSON.stringify(Object.keys(changes))).toBe(false);
    }
  });
});
