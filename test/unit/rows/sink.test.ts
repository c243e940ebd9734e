import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { assignSink, sink } from "../../../src/rows/sink.js";
import { EDGE_WORDS, REGISTERS } from "../../support/machine.js";
import { forged, machineWithMemory, rowsOf, unmatchedBy } from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

function sunk() {
  const machine = machineWithMemory([1n, 1n << 200n], EDGE_WORDS);
  for (const tag of ["STACK", "MEMORY"] as const) {
    for (const { cell } of machine.live(tag)) assignSink(machine, tag, cell);
  }
  return machine;
}

describeRow({
  template: sink,
  cost: 15,
  samples: () => rowsOf(sunk(), sink).map((columns, i) => ({ what: `cell ${i}`, columns })),
});

describe("sink", () => {
  it("takes what is live, once", () => {
    const machine = machineWithMemory([1n, 2n, 3n], EDGE_WORDS);
    const unaccounted = unmatchedBy(machine, (m) => {
      for (const tag of ["STACK", "MEMORY"] as const) for (const { cell } of m.live(tag)) assignSink(m, tag, cell);
    });
    expect(unaccounted).toEqual([]);
    expect(machine.live("STACK")).toEqual([]);
    expect(machine.live("MEMORY")).toEqual([]);
    expect(rowsOf(machine, sink)).toHaveLength(3 + EDGE_WORDS.length);
    const cell = { t: 1n, ctx: REGISTERS.ctx, index: 0n, hi: 0n, lo: 1n };
    expect(() => assignSink(machine, "STACK", cell)).toThrow(expect.objectContaining({ code: "CELL_MISSING" }));
  });

  it("receives nothing but STACK and MEMORY, whatever the flags", async () => {
    const circuit = await rowCircuit("sink");
    const honest = rowsOf(sunk(), sink)[0]!;
    for (const isStack of [-1n, 0n, 1n, 2n, 5n]) {
      for (const isMemory of [-1n, 0n, 1n, 2n, 5n]) {
        const columns = forged(sink, honest, { isStack, isMemory });
        const received = messagesOf(sink, columns).filter(({ multiplicity }) => multiplicity !== 0n);
        const flags = [isStack, isMemory].every((flag) => flag === 0n || flag === 1n);
        const { violated, sum, expected } = evaluate(circuit, sink, columns);
        expect(violated.length === 0).toBe(flags);
        // under tag 0 there is nothing: no flag, no message
        expect(received).toHaveLength([isStack, isMemory].filter((flag) => flag !== 0n).length);
        for (const { tag } of received) expect(["STACK", "MEMORY"]).toContain(tag);
        if (flags) expect(sum).toBe(expected);
      }
    }
  });
});
