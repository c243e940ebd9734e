import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { READ_KIND } from "../../../src/rows/memory.js";
import { assignRead } from "../../../src/rows/read.js";
import { assignSink, sink } from "../../../src/rows/sink.js";
import { EDGE_WORDS, REGISTERS } from "../../support/machine.js";
import { forged, machineWithMemory, rowsOf, unmatchedBy } from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

/** A machine with stack, memory and 70 bytes of log data. */
function machine() {
  const m = machineWithMemory([1n, 1n << 200n], EDGE_WORDS);
  assignRead(m, READ_KIND.LOGDATA, 5n, 70n);
  return m;
}

function sunk() {
  const m = machine();
  for (const tag of ["STACK", "MEMORY", "LOGDATA"] as const) {
    for (const { cell } of m.live(tag)) assignSink(m, tag, cell);
  }
  return m;
}

describeRow({
  template: sink,
  cost: 18,
  samples: () => rowsOf(sunk(), sink).map((columns, i) => ({ what: `cell ${i}`, columns })),
});

describe("sink", () => {
  it("takes what is live, once", () => {
    const tags = ["STACK", "MEMORY", "LOGDATA"] as const;
    const m = machineWithMemory([1n, 2n, 3n], EDGE_WORDS);
    const unaccounted = unmatchedBy(m, () => {
      assignRead(m, READ_KIND.LOGDATA, 5n, 70n);
      for (const tag of tags) for (const { cell } of m.live(tag)) assignSink(m, tag, cell);
    }, ["LOGDATA"]);
    // the chain's ends are of the row that logs
    expect(unaccounted.map(({ tag }) => tag)).toEqual(["READ", "READ"]);
    for (const tag of tags) expect(m.live(tag)).toEqual([]);
    expect(rowsOf(m, sink)).toHaveLength(3 + EDGE_WORDS.length + 3);
    const cell = { t: 1n, ctx: REGISTERS.ctx, index: 0n, hi: 0n, lo: 1n };
    expect(() => assignSink(m, "STACK", cell)).toThrow(expect.objectContaining({ code: "CELL_MISSING" }));
    const data = { t: 1n, i: 0n, hi: 0n, lo: 1n };
    expect(() => assignSink(m, "LOGDATA", data)).toThrow(expect.objectContaining({ code: "CELL_MISSING" }));
  });

  it("receives nothing but STACK, MEMORY and LOGDATA, whatever the flags", async () => {
    const circuit = await rowCircuit("sink");
    const honest = rowsOf(sunk(), sink)[0]!;
    const flags = [-1n, 0n, 1n, 2n];
    for (const isStack of flags) {
      for (const isMemory of flags) {
        for (const isLogdata of flags) {
          const all = [isStack, isMemory, isLogdata];
          const columns = forged(sink, honest, { isStack, isMemory, isLogdata });
          const received = messagesOf(sink, columns).filter(({ multiplicity }) => multiplicity !== 0n);
          const boolean = all.every((flag) => flag === 0n || flag === 1n);
          const { violated, sum, expected } = evaluate(circuit, sink, columns);
          expect(violated.length === 0).toBe(boolean);
          // under tag 0 there is nothing: no flag, no message
          expect(received).toHaveLength(all.filter((flag) => flag !== 0n).length);
          for (const { tag } of received) expect(["STACK", "MEMORY", "LOGDATA"]).toContain(tag);
          if (boolean) expect(sum).toBe(expected);
        }
      }
    }
  });
});
