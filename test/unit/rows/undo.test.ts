import { describe, expect, it } from "vitest";
import { RowError } from "../../../src/rows/errors.js";
import { assignFail } from "../../../src/rows/fail.js";
import { journalLength } from "../../../src/rows/journal.js";
import type { Machine } from "../../../src/rows/machine.js";
import { assignSload } from "../../../src/rows/sload.js";
import { assignSstore } from "../../../src/rows/sstore.js";
import { assignTstore } from "../../../src/rows/tstore.js";
import { assignUndo, undo } from "../../../src/rows/undo.js";
import { machineWith } from "../../support/machine.js";
import { messagesOfRows, unmatched } from "../../support/memory.js";
import { describeRow, passes, rowCircuit, type Sample } from "../../support/rows.js";
import {
  changed,
  FRAME,
  giveSlot,
  messagesWith,
  open,
  refundOf,
  SLOT,
  slotOf,
  storageSample,
  transientSample,
} from "../../support/storage.js";

const { T } = FRAME;

/** Undo of a write, or of a first read. */
const sample = (value: bigint, orig: bigint, lastTx: bigint, write: boolean): Sample =>
  storageSample(
    undo,
    `${write ? "write" : "read"} over value ${value}, original ${orig}, last ${lastTx}`,
    [9n, 0xabcdefn << 120n, SLOT],
    { value, orig, lastTx },
    (m: Machine) => {
      if (write) assignSstore(m, FRAME);
      else assignSload(m, FRAME);
      // time goes on
      m.enter({ ...m.registers, clk: m.registers.clk + 12_345n });
      assignUndo(m, T);
    },
  );

/** Undo of a write to a transient slot. */
const transient = (value: bigint, lastTx: bigint): Sample =>
  transientSample(
    undo,
    `transient write over value ${value}, last ${lastTx}`,
    [9n, SLOT, SLOT],
    { value, lastTx },
    (m) => {
      assignTstore(m, FRAME);
      m.enter({ ...m.registers, clk: m.registers.clk + 12_345n });
      assignUndo(m, T);
    },
  );

describeRow({
  template: undo,
  cost: 71,
  samples: () => [
    sample(0n, (1n << 255n) + 1n, T, true),
    sample((1n << 255n) + 3n, 1n << 128n, 2n, true),
    sample((1n << 256n) - 1n, 0n, 0n, false),
    transient((1n << 255n) + 3n, 2n),
    transient(0n, T),
  ],
});

describe("UNDO", () => {
  it("gives value, original and last transaction back, one entry after another", () => {
    const cold = { value: 5n, orig: 6n, lastTx: 2n };
    const other = { value: 1n, orig: 0n, lastTx: T };
    const m = machineWith([SLOT, 0n, SLOT, 8n, 3n, 7n, SLOT, SLOT]);
    open(m);
    giveSlot(m, SLOT, cold);
    giveSlot(m, 3n, other);
    const states = [[slotOf(m, SLOT), slotOf(m, 3n)]];
    const drop = (): void => {
      const { ctx, clk, sp } = m.registers;
      m.take("STACK", `${ctx}:${sp - 1n}`, 16n * clk);
      m.enter({ ...m.registers, sp: sp - 1n });
    };
    const effects = [
      () => {
        assignSload(m, FRAME); // warms
        drop();
      },
      () => assignSstore(m, FRAME), // SLOT := 7
      () => assignSstore(m, FRAME), // 3 := 8
      () => assignSstore(m, FRAME), // SLOT := 0
    ];
    for (const effect of effects) {
      effect();
      states.push([slotOf(m, SLOT), slotOf(m, 3n)]);
    }
    expect(states.at(-1)).toEqual([
      { value: 0n, orig: 5n, lastTx: T },
      { value: 8n, orig: 0n, lastTx: T },
    ]);
    const { clk, ...rest } = m.registers;
    for (const expected of states.slice(0, -1).reverse()) {
      assignUndo(m, T);
      expect([slotOf(m, SLOT), slotOf(m, 3n)]).toEqual(expected);
    }
    expect(journalLength(m, T)).toBe(2n);
    expect(m.registers).toEqual({ ...rest, clk: clk + 4n });
  });

  it("leaves nothing on the bus but what was there before and is after", () => {
    const m = machineWith([0n, SLOT, 7n, SLOT, SLOT]);
    open(m);
    giveSlot(m, SLOT, { value: 5n, orig: 6n, lastTx: 2n });
    m.take("JRN", `${T}`, 16n * 20_001n);
    m.give("JRN", `${T}`, { T, j: 0n }, 16n * 20_001n);
    const at = m.registers;
    m.give("STACK", `${at.ctx}:5`, { ctx: at.ctx, index: 5n, hi: 0n, lo: 0n }, 16n * at.clk);
    assignSload(m, FRAME);
    const { ctx, clk, sp } = m.registers;
    m.take("STACK", `${ctx}:${sp - 1n}`, 16n * clk);
    m.enter({ ...m.registers, sp: sp - 1n });
    assignSstore(m, FRAME);
    assignSstore(m, FRAME);
    expect(refundOf(m)).toBe(4800n);
    for (let i = 0; i < 3; i++) assignUndo(m, T);
    assignFail(m, T);
    const left = unmatched(messagesOfRows(m)).filter(({ tag }) => tag !== "STACK" && tag !== "STATE");
    const [before, after] = [-1n, 1n].map((sign) =>
      left.filter(({ multiplicity }) => multiplicity === sign).map(({ tag }) => tag),
    );
    expect(before!.sort()).toEqual(["FRAME", "JRN", "LOGS", "REFUND", "STORAGE"]);
    expect(after!.sort()).toEqual(["JRN", "LOGS", "REFUND", "STORAGE", "TXEND"]);
    expect(refundOf(m)).toBe(0n);
    expect(slotOf(m, SLOT)).toEqual({ value: 5n, orig: 6n, lastTx: 2n });
  });

  it("cannot give back the value without original or last transaction, nor another slot's", async () => {
    const circuit = await rowCircuit("undo");
    const { columns } = sample(5n, 6n, 2n, true);
    const at = (name: (typeof undo.columns)[number]): bigint => columns[undo.columns.indexOf(name)]!;
    for (const changes of [
      { lastTx: at("liveLastTx") },
      { origHi: at("liveOrigHi"), origLo: at("liveOrigLo") },
      { valueHi: at("liveHi"), valueLo: at("liveLo") },
      { slotLo: 1n },
      { address: 1n },
      { j: at("j") - 1n },
    ]) {
      expect(passes(circuit, undo, columns, changed(undo, columns, changes)), Object.keys(changes).join()).toBe(false);
    }
  });

  it("gives back a cell of the entry's own space, or none", async () => {
    const circuit = await rowCircuit("undo");
    const storage = sample(5n, 0n, 2n, true).columns;
    const written = transient(5n, 2n).columns;
    for (const [isStorage, isTransient] of [
      [1n, 1n],
      [0n, 0n],
      [2n, 0n],
      [-1n, 2n],
      [2n, -1n],
    ] as const) {
      // whatever tag the flags make, no such row exists, even if its messages were wanted
      const forged = changed(undo, storage, { isStorage, isTransient });
      const allowed = isStorage === 0n && isTransient === 0n;
      expect(passes(circuit, undo, forged, forged), `${isStorage}, ${isTransient}`).toBe(allowed);
    }
    expect(passes(circuit, undo, storage, changed(undo, storage, { isStorage: 0n, isTransient: 1n }))).toBe(false);
    expect(passes(circuit, undo, written, changed(undo, written, { isStorage: 1n, isTransient: 0n }))).toBe(false);
    expect(messagesWith(undo, storage, "JOURNAL")).toMatchObject([{ multiplicity: -1n, fields: { space: 1n } }]);
    expect(messagesWith(undo, written, "JOURNAL")).toMatchObject([{ multiplicity: -1n, fields: { space: 4n } }]);
    expect(messagesWith(undo, written, "STORAGE")).toEqual([]);
  });

  it("has nothing to undo in an empty journal", () => {
    const m = machineWith([]);
    m.give("JRN", `${T}`, { T, j: 0n }, 0n);
    expect(() => assignUndo(m, T)).toThrow(
      expect.objectContaining({ constructor: RowError, code: "JOURNAL_EMPTY", where: "transaction 7" }),
    );
  });

  it("refuses entries that no row undoes", () => {
    const m = machineWith([]);
    m.give("JRN", `${T}`, { T, j: 1n }, 0n);
    const none = { slotHi: 0n, slotLo: 0n, lastTx: 0n, valueHi: 0n, valueLo: 0n, origHi: 0n, origLo: 0n };
    m.give("JOURNAL", `${T}:0`, { T, j: 0n, space: 6n, address: 1n, ...none }, 0n);
    expect(() => assignUndo(m, T)).toThrow(
      expect.objectContaining({ constructor: RowError, code: "JOURNAL_SPACE", got: "6" }),
    );
  });
});
