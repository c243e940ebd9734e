import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { memgas, memgasRows } from "../../../src/rows/memgas.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
import { forged, memoryGas, outOfRange } from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

const EDGES = [1n, 22n, 23n, 32n, 511n, 512n, 65_535n, 65_536n, 741_455n, (1n << 20n) - 1n];
const row = (w: bigint, mult = 3n) => memgasRows(new Map([[w, mult]]))[0]!.columns;

describeRow({
  template: memgas,
  cost: 14,
  samples: () => EDGES.map((w) => ({ what: `${w} words`, columns: row(w) })),
});

describe("memgas", () => {
  it("answers with what the Yellow Paper says, as often as asked", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 20n) - 1n }), fc.bigInt({ min: 1n, max: 1n << 32n }), (w, mult) => {
        const columns = row(w, mult);
        const entry = messagesOf(memgas, columns).find(({ tag }) => tag === "MEMGAS")!;
        expect(fieldsOf(entry)).toEqual({ cost: memoryGas(w), w });
        expect(entry.multiplicity).toBe(-mult);
        expect(outOfRange(memgas, columns)).toEqual([]);
      }),
    );
  });

  it("has no entry for 2^20 words, whatever the limbs", async () => {
    const columns = row(1n << 20n);
    expect((await evaluateRow(columns)).violated).toEqual([]);
    expect(outOfRange(memgas, columns)).toEqual(["RANGE_4"]);
    expect(outOfRange(memgas, forged(memgas, columns, { wHigh: 15n }))).toEqual(["RANGE_16"]);
  });

  it("has no entry with another cost", () => {
    const columns = row(1000n);
    const q = 1000n ** 2n / 512n;
    for (const other of [q - 1n, q + 1n, 0n]) {
      expect(outOfRange(memgas, forged(memgas, columns, { q: other }))).toEqual(["RANGE_9"]);
    }
  });

  it("holds in padding too: a cheaper entry is refused whatever its multiplicity", () => {
    for (const mult of [0n, 1n, -1n]) {
      expect(outOfRange(memgas, forged(memgas, row(1000n), { q: 0n, mult }))).toEqual(["RANGE_9"]);
    }
  });
});

async function evaluateRow(columns: readonly bigint[]) {
  return evaluate(await rowCircuit("memgas"), memgas, columns);
}
