import { describe, expect, it } from "vitest";
import { cellKey, journalLength } from "../../../src/rows/journal.js";
import { assignLogs } from "../../../src/rows/logs.js";
import type { Machine } from "../../../src/rows/machine.js";
import { assignUndolog, undolog } from "../../../src/rows/undolog.js";
import { countingMemory, machineWithMemory, sampleOn, unmatchedBy } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { changed, FRAME, messagesWith, open } from "../../support/storage.js";

const { T } = FRAME;

/** A machine that may log three times. */
function ready(): Machine {
  const m = machineWithMemory(
    [4n, 3n << 140n, 2n << 130n, 1n << 200n, 33n, 5n, 1n, 64n, 0n, 0n, 7n],
    countingMemory(4),
  );
  open(m);
  return m;
}

/** Logs three times, at different times. */
function logged(m = ready()): Machine {
  for (const topics of [0, 1, 4]) {
    assignLogs(m, FRAME, topics);
    m.enter({ ...m.registers, clk: m.registers.clk + 7_000n });
  }
  return m;
}

const CELLS = ["LOGS", "LOG", "LOGDATA", "JRN", "JOURNAL"] as const;

describeRow({
  template: undolog,
  cost: 69,
  samples: () => [sampleOn(logged(), undolog, "4 topics", (m) => assignUndolog(m, T))],
});

describe("UNDO of a log", () => {
  it("takes logs back, the last one first, with their data, and leaves the bus balanced", () => {
    const m = logged();
    const before = m.registers;
    expect(m.live("LOG")).toHaveLength(3);
    expect(m.live("LOGDATA")).toHaveLength(4);
    const balance = unmatchedBy(
      ready(),
      (again) => {
        logged(again);
        for (let i = 0; i < 3; i++) assignUndolog(again, T);
      },
      CELLS,
    );
    expect(balance).toEqual([]);
    for (let left = 3n; left > 0n; left--) {
      expect(m.peek("LOGS", cellKey.transaction(T)).n).toBe(left);
      expect(journalLength(m, T)).toBe(2n + left);
      assignUndolog(m, T);
      expect(m.live("LOG")).toHaveLength(Number(left) - 1);
    }
    expect(m.live("LOGDATA")).toEqual([]);
    expect(m.peek("LOGS", cellKey.transaction(T)).n).toBe(0n);
    expect(m.registers).toEqual({ ...before, clk: before.clk + 3n });
  });

  it("can't take another log back, or count differently", async () => {
    const circuit = await rowCircuit("undolog");
    const { columns } = sampleOn(logged(), undolog, "", (m) => assignUndolog(m, T));
    const [entry] = messagesWith(undolog, columns, "JOURNAL");
    const [head] = messagesWith(undolog, columns, "LOG");
    expect(entry).toMatchObject({ multiplicity: -1n, fields: { space: 5n, valueHi: 2n, valueLo: head!.fields.t } });
    expect(head).toMatchObject({ multiplicity: -1n, fields: { n: 2n, T } });
    for (const changes of [{ n: 1n }, { t: 18n }, { j: 3n }, { topics: 3n }, { length: 0n }]) {
      expect(passes(circuit, undolog, columns, changed(undolog, columns, changes))).toBe(false);
    }
  });
});
