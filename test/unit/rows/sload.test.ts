import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { journalLength } from "../../../src/rows/journal.js";
import { assignSload, sload } from "../../../src/rows/sload.js";
import { EDGE_WORDS, machineWith } from "../../support/machine.js";
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
} from "../../support/storage.js";

const sample = (value: bigint, orig: bigint, lastTx: bigint): Sample =>
  storageSample(
    sload,
    `value ${value}, original ${orig}, last ${lastTx}`,
    [5n, SLOT],
    { value, orig, lastTx },
    (m: Parameters<typeof assignSload>[0]) => assignSload(m, FRAME),
  );

const cold = (): Sample[] => EDGE_WORDS.map((value, i) => sample(value, EDGE_WORDS.at(-1 - i)!, i % 2 === 0 ? 0n : 6n));
const warm = (): Sample[] => EDGE_WORDS.map((value, i) => sample(value, EDGE_WORDS.at(-1 - i)!, FRAME.T));

describeRow({ template: sload, cost: 71, samples: cold });
const unseen = "only in messages that a warm row does not send, and in requests to RANGE_16: tested below";
describeRow({ template: sload, cost: 71, samples: warm, free: { j: unseen, jOld: unseen, jHigh: unseen } });

describe("SLOAD", () => {
  it("costs 2100 at the first touch in a transaction, then 100 (EIP-2929)", () => {
    const m = machineWith([SLOT, SLOT, SLOT]);
    open(m);
    giveSlot(m, SLOT, { value: 11n, orig: 22n, lastTx: 3n });
    const costs = [1, 2].map(() => {
      const { gas } = m.registers;
      assignSload(m, FRAME);
      expect(m.peek("STACK", `${m.registers.ctx}:2`).lo).toBe(11n);
      m.take("STACK", `${m.registers.ctx}:2`, 16n * m.registers.clk);
      m.giveStack(2n, SLOT, 0n);
      return gas - m.registers.gas;
    });
    expect(costs).toEqual([2100n, 100n]);
    // the value of a cold slot is its original; a warm one keeps it
    expect(slotOf(m, SLOT)).toEqual({ value: 11n, orig: 11n, lastTx: FRAME.T });
    expect(journalLength(m, FRAME.T)).toBe(3n);
    expect(refundOf(m)).toBe(0n);
  });

  it("keeps the original of a slot that was written in this transaction", () => {
    const m = machineWith([SLOT]);
    open(m);
    giveSlot(m, SLOT, { value: 11n, orig: 22n, lastTx: FRAME.T });
    assignSload(m, FRAME);
    expect(slotOf(m, SLOT)).toEqual({ value: 11n, orig: 22n, lastTx: FRAME.T });
  });

  it("journals the old tuple of a cold slot, and nothing of a warm one", () => {
    const { columns } = sample(11n, 22n, 3n);
    const [entry] = messagesWith(sload, columns, "JOURNAL");
    expect(entry).toMatchObject({
      multiplicity: 1n,
      fields: { T: 7n, j: 2n, space: 1n, address: FRAME.address, valueLo: 11n, origLo: 22n, lastTx: 3n },
    });
    const { columns: again } = sample(11n, 22n, FRAME.T);
    expect(messagesWith(sload, again, "JOURNAL")).toEqual([]);
    expect(messagesWith(sload, again, "JRN")).toEqual([]);
  });

  it("is another honest row whatever the journal's columns hold, if the slot is warm", async () => {
    const circuit = await rowCircuit("sload");
    const { columns } = sample(11n, 22n, FRAME.T);
    const now = 16n * columns[0]! + 1n;
    const word = fc.bigInt(0n, (1n << 28n) - 1n);
    fc.assert(
      fc.property(word, fc.bigInt(0n, now - 1n), (j, jOld) => {
        const other = changed(sload, columns, { j, jOld, jHigh: (now - jOld - 1n) >> 16n });
        // same messages but for the ranges
        expect(passes(circuit, sload, columns, other)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it("cannot pass off a cold slot as warm", async () => {
    const circuit = await rowCircuit("sload");
    const { columns } = sample(11n, 22n, 3n);
    for (const changes of [{ lastTx: FRAME.T }, { T: 3n }, { T: 3n, lastTx: 3n }, { T: FRAME.T, lastTx: 0n }]) {
      expect(passes(circuit, sload, columns, changed(sload, columns, changes))).toBe(false);
    }
  });

  it("cannot read a cell from the future", async () => {
    const circuit = await rowCircuit("sload");
    const { columns } = sample(11n, 22n, 3n);
    const now = 16n * columns[0]! + 1n;
    for (const ahead of [0n, 1n, 15n, 1n << 20n]) {
      const difference = -ahead - 1n;
      const later = changed(sload, columns, { tOld: now + ahead, high: difference >> 16n });
      // even if such a cell were there
      expect(passes(circuit, sload, later, later)).toBe(false);
    }
  });

  it("cannot move bits between the halves of the account", async () => {
    const circuit = await rowCircuit("sload");
    const { columns } = sample(11n, 22n, 3n);
    const at = (name: (typeof sload.columns)[number]): bigint => columns[sload.columns.indexOf(name)]!;
    const other = changed(sload, columns, {
      addressHi: at("addressHi") - 1n,
      addressLo: at("addressLo") + (1n << 128n),
    });
    expect(passes(circuit, sload, columns, other)).toBe(false);
  });
});
