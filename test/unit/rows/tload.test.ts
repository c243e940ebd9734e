import { describe, expect, it } from "vitest";
import { journalLength } from "../../../src/rows/journal.js";
import { assignTload, tload } from "../../../src/rows/tload.js";
import { EDGE_WORDS, machineWith } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { changed, FRAME, giveTransient, messagesWith, open, SLOT, transientSample } from "../../support/storage.js";

const { T } = FRAME;
const sample = (value: bigint, lastTx: bigint) =>
  transientSample(tload, `value ${value}, last ${lastTx}`, [5n, SLOT], { value, lastTx }, (m) => assignTload(m, FRAME));

describeRow({
  template: tload,
  cost: 54,
  samples: () => EDGE_WORDS.slice(-4).map((value, i) => sample(value, [0n, T, 6n, T][i]!)),
});

describe("TLOAD", () => {
  it("pushes what this transaction wrote, and 0 otherwise, for 100 gas (EIP-1153)", () => {
    const m = machineWith([9n, SLOT]);
    open(m);
    giveTransient(m, SLOT, { value: (3n << 128n) + 4n, lastTx: T });
    const load = (transaction: bigint) => {
      const { gas, sp, ctx, clk } = m.registers;
      assignTload(m, { ...FRAME, T: transaction });
      const { hi, lo } = m.peek("STACK", `${ctx}:${sp - 1n}`);
      const { t: _, ...cell } = m.live("TRANSIENT")[0]!.cell;
      m.take("STACK", `${ctx}:${sp - 1n}`, 16n * clk + 16n);
      m.giveStack(sp - 1n, SLOT, 0n);
      return { cost: gas - m.registers.gas, hi, lo, lastTx: cell.lastTx, value: cell.valueLo };
    };
    const kept = { cost: 100n, lastTx: T, value: 4n };
    expect([load(T), load(T), load(T + 1n)]).toEqual([
      { ...kept, hi: 3n, lo: 4n },
      { ...kept, hi: 3n, lo: 4n },
      { ...kept, hi: 0n, lo: 0n },
    ]);
    expect(journalLength(m, T)).toBe(2n);
  });

  it("cannot read a value of another transaction, nor hide one of this", async () => {
    const circuit = await rowCircuit("tload");
    const other = sample(7n, T - 1n).columns;
    const own = sample(7n, T).columns;
    const pushed = (columns: readonly bigint[]) =>
      messagesWith(tload, columns, "STACK").find(({ multiplicity }) => multiplicity === 1n)!.fields.lo;
    expect([pushed(other), pushed(own)]).toEqual([0n, 7n]);
    for (const changes of [{ lastTx: T }, { T: T - 1n }, { T: T - 1n, lastTx: T - 1n }])
      expect(passes(circuit, tload, other, changed(tload, other, changes))).toBe(false);
    for (const changes of [{ lastTx: T - 1n }, { valueLo: 0n }, { T: T + 1n }])
      expect(passes(circuit, tload, own, changed(tload, own, changes))).toBe(false);
  });
});
