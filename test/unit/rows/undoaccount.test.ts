import { describe, expect, it } from "vitest";
import { assignBalance } from "../../../src/rows/balance.js";
import { NO_TUPLE, openCounters, SPACE } from "../../../src/rows/journal.js";
import type { Machine } from "../../../src/rows/machine.js";
import { assignUndo } from "../../../src/rows/undo.js";
import { undoaccount } from "../../../src/rows/undoaccount.js";
import { halvesOf } from "../../../src/rows/words.js";
import { accountSample, CODE, giveAccount, OTHER } from "../../support/accounts.js";
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
  sampleOf(undoaccount, `${to} back to ${from}`, [], (m) => {
    openCounters(m, T, WRITTEN, 1n);
    change(m, address, 0n, from, to, WRITTEN - 70_000n);
    assignUndo(m, T);
  });

/** Undo of the first touch of an account. */
const touch = (hash: bigint, lastTx: bigint): Sample =>
  accountSample(undoaccount, `hash ${hash}, last ${lastTx}`, { hash, lastTx }, (m) => {
    assignBalance(m, FRAME);
    m.enter({ ...m.registers, clk: m.registers.clk + 12_345n });
    assignUndo(m, T);
  });

describeRow({
  template: undoaccount,
  cost: 59,
  samples: () => [
    sample(0n, EDGE_WORDS.at(-1)!),
    sample((1n << 255n) + 3n, 1n << 128n),
    touch(EDGE_WORDS.at(-1)!, 3n),
    touch(CODE.hash, 0n),
  ],
});

describe("UNDO of balance and warmth", () => {
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

  it("makes an account as cold as it was", () => {
    const m = machineWith([OTHER]);
    openCounters(m, T, WRITTEN, 0n);
    giveAccount(m, OTHER, { hash: CODE.hash, lastTx: 4n });
    const { t: _, ...before } = m.peek("ACCOUNT", `${OTHER}`);
    assignBalance(m, FRAME);
    const at = m.registers;
    assignUndo(m, T);
    expect(m.peek("ACCOUNT", `${OTHER}`)).toEqual({ ...before, t: 16n * at.clk + 2n });
    expect(m.registers).toEqual({ ...at, clk: at.clk + 1n });
  });

  it("gives back a cell of the entry's own space, or none", async () => {
    const circuit = await rowCircuit("undoaccount");
    const { columns } = touch(CODE.hash, 3n);
    expect(messagesWith(undoaccount, columns, "JOURNAL")).toMatchObject([
      { multiplicity: -1n, fields: { space: 3n, address: OTHER, lastTx: 3n } },
    ]);
    for (const [isBalance, isAccount] of [
      [1n, 1n],
      [-1n, 2n],
      [2n, -1n],
    ] as const) {
      const forged = changed(undoaccount, columns, { isBalance, isAccount });
      expect(passes(circuit, undoaccount, forged, forged)).toBe(false);
    }
    for (const changes of [
      { isBalance: 1n, isAccount: 0n },
      { isAccount: 0n },
      { lastTx: T },
      { hi: 0n },
      { address: 1n },
    ]) {
      expect(passes(circuit, undoaccount, columns, changed(undoaccount, columns, changes))).toBe(false);
    }
  });

  it("receives entries of its own space only, of its own account", async () => {
    const circuit = await rowCircuit("undoaccount");
    const { columns } = sample(3n, 4n);
    expect(messagesWith(undoaccount, columns, "JOURNAL")).toMatchObject([{ multiplicity: -1n, fields: { space: 2n } }]);
    for (const changes of [{ address: 1n }, { hi: 1n }, { lo: 4n }, { j: 1n }]) {
      expect(passes(circuit, undoaccount, columns, changed(undoaccount, columns, changes))).toBe(false);
    }
  });
});
