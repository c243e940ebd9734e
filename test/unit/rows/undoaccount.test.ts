import { describe, expect, it } from "vitest";
import { NO_TUPLE, openCounters, SPACE } from "../../../src/rows/journal.js";
import type { Machine } from "../../../src/rows/machine.js";
import { assignUndo } from "../../../src/rows/undo.js";
import { undobalance } from "../../../src/rows/undobalance.js";
import { halvesOf } from "../../../src/rows/words.js";
import { EDGE_WORDS, machineWith, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit, type Sample } from "../../support/rows.js";
import { changed, FRAME, messagesWith, WRITTEN } from "../../support/storage.js";

const { T, address } = FRAME;

/** Journals a balance and changes it. */
function change(m: Machine, account: bigint, j: bigint, from: bigint, to: bigint, t: bigint): void {
  const [old, live] = [halvesOf(from), halvesOf(to)];
  if (m.has("BALANCE", `${account}`)) m.take("BALANCE", `${account}`, t);
  const entry = { ...NO_TUPLE, space: SPACE.BALANCE, address: account, valueHi: old.hi, valueLo: old.lo };
  m.give("JOURNAL", `${T}:${j}`, { ...entry, T, j }, t);
  m.give("BALANCE", `${account}`, { address: account, ...live }, t);
}

const sample = (from: bigint, to: bigint): Sample =>
  sampleOf(undobalance, `${to} back to ${from}`, [], (m) => {
    openCounters(m, T, WRITTEN, 1n);
    change(m, address, 0n, from, to, WRITTEN - 70_000n);
    assignUndo(m, T);
  });

describeRow({
  template: undobalance,
  cost: 50,
  samples: () => EDGE_WORDS.map((value, i) => sample(value, EDGE_WORDS.at(-1 - i)!)),
});

describe("UNDO of a balance", () => {
  const balance = (m: Machine, account: bigint): bigint => {
    const { hi, lo } = m.peek("BALANCE", `${account}`);
    return (hi << 128n) + lo;
  };

  it("gives both sides of a transfer their balance back", () => {
    const m = machineWith([]);
    openCounters(m, T, WRITTEN, 2n);
    change(m, 1n, 0n, 100n, 70n, WRITTEN - 2n);
    change(m, 2n, 1n, 5n, 35n, WRITTEN - 1n);
    const at = m.registers;
    assignUndo(m, T);
    assignUndo(m, T);
    expect([balance(m, 1n), balance(m, 2n)]).toEqual([100n, 5n]);
    expect(m.registers).toEqual({ ...at, clk: at.clk + 2n });
  });

  it("undoes a transfer to oneself", () => {
    const m = machineWith([]);
    openCounters(m, T, WRITTEN, 2n);
    change(m, 1n, 0n, 100n, 70n, WRITTEN - 2n);
    change(m, 1n, 1n, 70n, 100n, WRITTEN - 1n);
    assignUndo(m, T);
    expect(balance(m, 1n)).toBe(70n);
    assignUndo(m, T);
    expect(balance(m, 1n)).toBe(100n);
  });

  it("receives entries of its own space only, of its own account", async () => {
    const circuit = await rowCircuit("undobalance");
    const { columns } = sample(3n, 4n);
    expect(messagesWith(undobalance, columns, "JOURNAL")).toMatchObject([{ multiplicity: -1n, fields: { space: 2n } }]);
    for (const changes of [{ address: 1n }, { hi: 1n }, { lo: 4n }, { j: 1n }]) {
      expect(passes(circuit, undobalance, columns, changed(undobalance, columns, changes))).toBe(false);
    }
  });
});
