import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignSar, sar } from "../../../src/rows/sar.js";
import { limbsOf } from "../../../src/rows/words.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, signed, stepped, words } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const MIXED = 0x8001_7ffe_00ff_ff80_1234_5678_9abc_def0_0f0f_f0f0_5555_aaaa_0182_8304_fffe_fdfcn;
const sample = (s: bigint, v: bigint) => sampleOf(sar, `${v} >> ${s}`, [9n, v, s], assignSar);

describeRow({
  template: sar,
  cost: 113,
  samples: () => [sample(77n, MIXED >> 1n), sample(256n, MIXED), sample(3n << 128n, 5n)],
});

describe("SAR", () => {
  it("divides by a power of two, rounding down", async () => {
    const circuit = await rowCircuit("sar");
    const shift = (s: bigint, v: bigint) => {
      // floor division, written without a shift
      const divisor = 1n << (s < 256n ? s : 256n);
      const below = ((signed(v) % divisor) + divisor) % divisor;
      const result = ((signed(v) - below) / divisor) & MAX;
      const honest = sample(s, v);
      const expected = { stack: [9n, result], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, v, s], assignSar), honest.what).toEqual(expected);
      expect(passes(circuit, sar, honest.columns, honest.columns), honest.what).toBe(true);
      // the row's own idea of the result, not only the machine's
      const given = askedOf(sar, "STACK", honest).at(-1)!;
      expect((given.hi! << 128n) + given.lo!).toBe(result);
    };
    for (const s of [0n, 1n, 63n, 64n, 65n, 127n, 128n, 129n, 191n, 192n, 193n, 255n, 256n, 257n, MAX]) {
      for (const v of [MIXED, MIXED >> 1n, ...EDGE_WORDS]) shift(s, v);
    }
    const amount = fc.oneof(fc.bigInt({ min: 0n, max: 260n }), words());
    fc.assert(fc.property(amount, words(), shift), { numRuns: 60 });
  });

  it("asks WIDE for 0 of numbers whose high half is all sign", () => {
    for (const v of [0n, 5n, MAX, MAX - 5n]) expect(askedOf(sar, "WIDE", sample(3n, v))).toEqual([{ value: 0n }]);
  });

  it("can't have the other sign, another amount, or be far with an amount below 256", async () => {
    const circuit = await rowCircuit("sar");
    const refused = (
      columns: readonly bigint[],
      changes: Parameters<typeof forged<(typeof sar.columns)[number]>>[2],
    ) => {
      const claim = forged(sar, columns, changes);
      return !passes(circuit, sar, claim, claim);
    };
    /** Columns of the arithmetic that shifts w by s, as it stands. */
    const arithmeticOf = (s: bigint, w: bigint) => {
      const g = s / 64n;
      const m = 1n << (64n * (g + 1n) - s);
      return {
        ...limbsOf("n", w * m, 16),
        ...limbsOf("k", ((w % (1n << 128n)) * m) >> 128n, 3),
        ...limbsOf("top", (w * m) >> 256n, 3),
        ...{ m, g0: g & 1n, g1: g >> 1n },
      };
    };
    const [small, negative, far] = [sample(65n, 1n << 200n), sample(65n, MIXED), sample(256n, MIXED)];
    for (const { columns } of [small, negative, far]) expect(refused(columns, {})).toBe(false);
    // the sign of the other: its complement is shifted, and the result complemented
    expect(refused(small.columns, { ...arithmeticOf(65n, MAX - (1n << 200n)), sign: 1n })).toBe(true);
    expect(refused(negative.columns, { ...arithmeticOf(65n, MIXED), sign: 0n })).toBe(true);
    expect(refused(negative.columns, arithmeticOf(65n, MAX - MIXED))).toBe(false);
    // another amount's arithmetic
    for (const s of [1n, 64n, 129n]) {
      expect(refused(small.columns, arithmeticOf(s, 1n << 200n))).toBe(true);
      expect(refused(far.columns, { ...arithmeticOf(s, MAX - MIXED), isNear: 1n, isFar: 0n })).toBe(true);
    }
    // far: with an amount that isn't, or with both flags
    expect(refused(far.columns, { sLo: 255n })).toBe(true);
    expect(refused(far.columns, { sLo: 0n })).toBe(true);
    expect(refused(far.columns, { isNear: 1n })).toBe(true);
    expect(refused(far.columns, arithmeticOf(65n, MAX - MIXED))).toBe(true);
    // near with an amount that has a high half
    expect(refused(small.columns, { sHi: 1n })).toBe(true);
  });
});
