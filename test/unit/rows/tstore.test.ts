import { describe, expect, it } from "vitest";
import { cellKey, journalLength } from "../../../src/rows/journal.js";
import { assignTload } from "../../../src/rows/tload.js";
import { assignTstore, tstore } from "../../../src/rows/tstore.js";
import { assignUndo } from "../../../src/rows/undo.js";
import { EDGE_WORDS, machineWith } from "../../support/machine.js";
import { messagesOfRows, unmatched } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import {
  changed,
  FRAME,
  giveTransient,
  messagesWith,
  open,
  SLOT,
  transientOf,
  transientSample,
} from "../../support/storage.js";

const { T } = FRAME;
const sample = (value: bigint, lastTx: bigint, next: bigint) =>
  transientSample(tstore, `${next} over ${value}, last ${lastTx}`, [5n, next, SLOT], { value, lastTx }, (m) =>
    assignTstore(m, FRAME),
  );

describeRow({
  template: tstore,
  cost: 69,
  samples: () =>
    EDGE_WORDS.slice(-4).map((value, i) => sample(value, i % 3 === 0 ? BigInt(i) : T, EDGE_WORDS.at(-1 - i)!)),
});

describe("TSTORE", () => {
  it("writes for 100 gas, each time with an entry of the journal (EIP-1153)", () => {
    const m = machineWith([2n, SLOT, 1n, SLOT]);
    open(m);
    giveTransient(m, SLOT, { value: 9n, lastTx: 3n });
    for (const [value, sp] of [
      [1n, 2n],
      [2n, 0n],
    ] as const) {
      const { gas, pc } = m.registers;
      assignTstore(m, FRAME);
      expect(m.registers).toMatchObject({ sp, pc: pc + 1n, gas: gas - 100n });
      expect(transientOf(m, SLOT)).toEqual({ value, lastTx: T });
    }
    expect(journalLength(m, T)).toBe(4n);
    const [first] = m.rows.get("tstore")!.columns;
    const { hi, lo } = { hi: SLOT >> 128n, lo: SLOT & ((1n << 128n) - 1n) };
    const entry = { T, j: 2n, space: 4n, address: FRAME.address, slotHi: hi, slotLo: lo, valueLo: 9n, lastTx: 3n };
    expect(messagesWith(tstore, first!, "JOURNAL")).toMatchObject([
      { multiplicity: 1n, fields: { ...entry, valueHi: 0n, origHi: 0n, origLo: 0n } },
    ]);
  });

  it("is undone to exactly what was there: a value of an earlier transaction reads as 0 again", () => {
    const m = machineWith([SLOT, 2n, SLOT, 1n, SLOT]);
    open(m);
    giveTransient(m, SLOT, { value: 9n, lastTx: 3n });
    assignTstore(m, FRAME);
    assignTstore(m, FRAME);
    assignUndo(m, T);
    expect(transientOf(m, SLOT)).toEqual({ value: 1n, lastTx: T });
    assignUndo(m, T);
    expect(transientOf(m, SLOT)).toEqual({ value: 9n, lastTx: 3n });
    expect(journalLength(m, T)).toBe(2n);
    assignTload(m, FRAME);
    expect(m.peek("STACK", `${m.registers.ctx}:0`).lo).toBe(0n);
    const left = unmatched(messagesOfRows(m)).filter(({ tag }) => ["TRANSIENT", "JOURNAL", "JRN"].includes(tag));
    expect(left.map(({ tag, multiplicity }) => `${multiplicity} ${tag}`).sort()).toEqual([
      "-1 JRN",
      "-1 TRANSIENT",
      "1 JRN",
      "1 TRANSIENT",
    ]);
    expect(m.has("TRANSIENT", cellKey.transient(FRAME.address, SLOT))).toBe(true);
  });

  it("cannot journal another tuple, nor write for another transaction or account", async () => {
    const circuit = await rowCircuit("tstore");
    const { columns } = sample(9n, 3n, 1n);
    for (const changes of [
      { lastTx: T },
      { valueLo: 0n },
      { T: 3n },
      { T: 3n, lastTx: T },
      { j: 3n },
      { addressLo: 1n },
      { newLo: 2n },
    ]) {
      expect(
        passes(circuit, tstore, columns, changed(tstore, columns, changes)),
        JSON.stringify(Object.keys(changes)),
      ).toBe(false);
    }
  });
});
