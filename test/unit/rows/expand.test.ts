import { describe, expect, it } from "vitest";
import { expand } from "../../../src/rows/expand.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { grow } from "../../../src/rows/memory.js";
import { message, received } from "../../../src/verifier/bus.js";
import { REGISTERS } from "../../support/machine.js";
import { forged, machineWithMemory, rowsOf, unmatched } from "../../support/memory.js";
import { describeRow } from "../../support/rows.js";

/** The rows that make words 3 to 9, and the messages of the row that wants them. */
function grown() {
  const machine = machineWithMemory([], [1n, 2n, 3n]);
  grow(machine, 10n);
  const token = { t: 16n * REGISTERS.clk, ctx: REGISTERS.ctx, end: 10n };
  const ends = [message("EXPAND", { ...token, i: 3n }), received(message("EXPAND", { ...token, i: 10n }))];
  return { rows: rowsOf(machine, expand), ends };
}

const madeBy = (rows: readonly (readonly bigint[])[]) => unmatched(rows.flatMap((row) => messagesOf(expand, row)));

describeRow({
  template: expand,
  cost: 13,
  samples: () => grown().rows.map((columns, i) => ({ what: `word ${3 + i}`, columns })),
});

describe("expand", () => {
  it("makes every missing word once, as zero, at port 0", () => {
    const { rows, ends } = grown();
    const left = unmatched([...rows.flatMap((row) => messagesOf(expand, row)), ...ends]);
    expect(left).toEqual(
      [3n, 4n, 5n, 6n, 7n, 8n, 9n].map((index) => ({
        tag: "MEMORY",
        fields: { t: 16n * REGISTERS.clk, ctx: REGISTERS.ctx, index, hi: 0n, lo: 0n },
        multiplicity: 1n,
      })),
    );
  });

  it("does not balance with a word left out, made twice, or made for nobody", () => {
    const { rows, ends } = grown();
    const twice = [...rows, rows[2]!];
    const skipped = rows.filter((_, i) => i !== 4);
    const beyond = [...rows, forged(expand, rows.at(-1)!, { i: 10n })];
    for (const forgery of [twice, skipped, beyond]) {
      const left = unmatched([...forgery.flatMap((row) => messagesOf(expand, row)), ...ends]);
      expect(left.some(({ tag }) => tag === "EXPAND")).toBe(true);
    }
    expect(madeBy(rows).filter(({ tag }) => tag === "EXPAND")).toHaveLength(2);
  });

  it("is not asked for more words than any gas pays for", () => {
    expect(() => grow(machineWithMemory([], []), 1n << 20n)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
    expect(() => grow(machineWithMemory([], []), 1n << 195n)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });
});
