import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { wide, wideProvider } from "../../../src/rows/wide.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
import { forged, outOfRange } from "../../support/memory.js";
import { describeRow } from "../../support/rows.js";

const MAX = (1n << 128n) - 1n;
const rows = (value: bigint, count = 3n) => wideProvider.rows([{ coordinates: [value], count }]);
const row = (value: bigint, count = 3n) => rows(value, count)[0]!.columns;

describeRow({
  template: wide,
  cost: 18,
  samples: () =>
    [1n, 65_535n, 65_536n, 1n << 112n, 1n << 127n, MAX].map((value) => ({ what: `${value}`, columns: row(value) })),
});

describe("wide", () => {
  it("answers with the value, as often as asked", () => {
    const value = fc.bigInt({ min: 0n, max: MAX });
    fc.assert(
      fc.property(value, fc.bigInt({ min: 1n, max: 1n << 32n }), (value, count) => {
        const columns = row(value, count);
        const entry = messagesOf(wide, columns).find(({ tag }) => tag === "WIDE")!;
        expect(fieldsOf(entry)).toEqual({ value });
        expect(entry.multiplicity).toBe(-count);
        expect(outOfRange(wide, columns)).toEqual([]);
      }),
    );
  });

  it("answers nothing from 2^128 up, whatever the limbs", () => {
    expect(rows(MAX + 1n)).toEqual([]);
    expect(rows(-1n)).toEqual([]);
    // holds in padding too: with any multiplicity
    for (const mult of [0n, 1n, -1n]) {
      expect(outOfRange(wide, forged(wide, row(0n), { l7: 65_536n, mult }))).toEqual(["RANGE_16"]);
      expect(outOfRange(wide, forged(wide, row(0n), { l0: -1n, mult }))).toEqual(["RANGE_16"]);
    }
  });
});
