import { describe, expect, it } from "vitest";
import { RowError } from "../../../src/rows/errors.js";
import { NO_TUPLE, SPACE } from "../../../src/rows/journal.js";
import { type CellFields, type Machine, messagesOf } from "../../../src/rows/machine.js";
import { assignSinkjournal, sinkjournal } from "../../../src/rows/sinkjournal.js";
import { assignSstore } from "../../../src/rows/sstore.js";
import { machineWith, sampleOf } from "../../support/machine.js";
import { messagesOfRows, unmatched } from "../../support/memory.js";
import { describeRow, type Sample } from "../../support/rows.js";
import { changed, FRAME, giveSlot, messagesWith, open, SLOT, storageSample } from "../../support/storage.js";

const sinkAll = (m: Machine): void => {
  for (const { cell } of m.live("JOURNAL")) assignSinkjournal(m, cell);
};

const sample = (value: bigint, orig: bigint, lastTx: bigint): Sample =>
  storageSample(sinkjournal, `value ${value}`, [9n, SLOT], { value, orig, lastTx }, (m: Machine) => {
    assignSstore(m, FRAME);
    sinkAll(m);
  });

/** An entry of a space with every field that it has. */
const entryOf = (space: bigint): CellFields<"JOURNAL"> => {
  const entry = { ...NO_TUPLE, T: 7n, j: 5n, space, address: FRAME.address, valueHi: 1n << 127n, valueLo: 3n };
  if (space === SPACE.ACCOUNT) return { ...entry, lastTx: 6n };
  if (space === SPACE.TRANSIENT) return { ...entry, slotHi: 8n, slotLo: 9n, lastTx: 6n };
  // head of a log: its number and its time
  if (space === SPACE.LOG) return { ...entry, address: 0n, valueHi: 2n, valueLo: 16n * 60_000n + 2n };
  return entry;
};
const other = (space: bigint): Sample =>
  sampleOf(sinkjournal, `space ${space}`, [], (m) => {
    m.give("JOURNAL", "7:5", entryOf(space), 16n * 60_000n + 2n);
    sinkAll(m);
  });

describeRow({
  template: sinkjournal,
  cost: 26,
  samples: () => [
    sample((1n << 255n) + 3n, 1n << 128n, 3n),
    ...[SPACE.BALANCE, SPACE.ACCOUNT, SPACE.TRANSIENT, SPACE.LOG].map(other),
  ],
});

describe("sink of the journal", () => {
  it("takes what is left, each entry once", () => {
    const m = machineWith([1n, 3n, 2n, SLOT]);
    open(m);
    giveSlot(m, SLOT, { value: 5n, orig: 6n, lastTx: 2n });
    giveSlot(m, 3n, { value: 5n, orig: 6n, lastTx: 2n });
    assignSstore(m, FRAME);
    assignSstore(m, FRAME);
    sinkAll(m);
    expect(m.rows.get("sinkjournal")!.columns.length).toBe(2);
    expect(m.live("JOURNAL")).toEqual([]);
    expect(unmatched(messagesOfRows(m)).filter(({ tag }) => tag === "JOURNAL")).toEqual([]);
  });

  it("takes entries of every space, as they are", () => {
    for (const space of Object.values(SPACE).filter((s) => s !== SPACE.STORAGE)) {
      const { columns } = other(space);
      expect(messagesWith(sinkjournal, columns, "JOURNAL")).toEqual([
        { multiplicity: -1n, fields: { ...entryOf(space), t: 16n * 60_000n + 2n } },
      ]);
    }
  });

  it("receives under its own tag, or nothing", () => {
    const { columns } = sample(1n, 2n, 3n);
    const inactive = changed(sinkjournal, columns, { act: 0n });
    expect(messagesOf(sinkjournal, columns).map(({ tag, multiplicity }) => [tag, multiplicity])).toEqual([
      ["JOURNAL", -1n],
    ]);
    expect(messagesOf(sinkjournal, inactive).map(({ tag, multiplicity }) => [tag, multiplicity])).toEqual([
      ["JOURNAL", 0n],
    ]);
  });

  it("sinks no entry that is not there", () => {
    const m = machineWith([]);
    const entry = { ...NO_TUPLE, t: 5n, T: 1n, j: 0n, space: 1n };
    expect(() => assignSinkjournal(m, entry)).toThrow(
      expect.objectContaining({ constructor: RowError, code: "CELL_MISSING", where: "JOURNAL 1:0" }),
    );
  });
});
