import { describe, expect, it } from "vitest";
import { assignBalance, balance } from "../../../src/rows/balance.js";
import { cellKey, journalLength } from "../../../src/rows/journal.js";
import { assignUndo } from "../../../src/rows/undo.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { type AccountState, accountSample, CODE, DIRTY, giveAccount, OTHER, warmed } from "../../support/accounts.js";
import { EDGE_WORDS, machineWith } from "../../support/machine.js";
import { messagesOfRows, unmatched } from "../../support/memory.js";
import { describeRow, passes, rowCircuit, type Sample } from "../../support/rows.js";
import { changed, FRAME, messagesWith, open } from "../../support/storage.js";

const { T } = FRAME;
const sample = (what: string, state: AccountState, word = OTHER): Sample =>
  accountSample(balance, what, state, (m) => assignBalance(m, FRAME), word);

describeRow({
  template: balance,
  cost: 75,
  samples: () => [
    sample("cold, with code", { hash: CODE.hash, balance: 5n << 128n, lastTx: 6n }),
    sample("cold, not there", {}, 0x1234n),
    sample("cold, dirty word", { balance: EDGE_WORDS.at(-1)!, lastTx: 3n }, DIRTY),
    sample("cold, word of ones", { balance: 1n }, EDGE_WORDS.at(-1)!),
  ],
});
const unseen = "only in messages that a warm row does not send, and in requests to RANGE_16";
describeRow({
  template: balance,
  cost: 75,
  samples: () => [
    sample("warm", { hash: CODE.hash, balance: 1n << 255n, lastTx: T }),
    sample("warm, dirty word", { lastTx: T }, DIRTY),
  ],
  free: { j: unseen, jOld: unseen, jHigh: unseen },
});

describe("BALANCE", () => {
  const touched = (m: ReturnType<typeof machineWith>) => m.peek("ACCOUNT", cellKey.account(OTHER));

  it("costs 2600 at the first touch in a transaction, then 100 (EIP-2929), whatever stands above the address", () => {
    const m = machineWith([DIRTY, OTHER, DIRTY]);
    open(m);
    giveAccount(m, OTHER, { balance: (3n << 128n) + 4n, lastTx: 3n });
    const step = (transaction: bigint) => {
      const { gas, sp, ctx, pc } = m.registers;
      assignBalance(m, { T: transaction });
      expect(m.registers).toMatchObject({ sp, pc: pc + 1n });
      expect(m.peek("STACK", `${ctx}:${sp - 1n}`)).toMatchObject({ hi: 3n, lo: 4n });
      m.enter({ ...m.registers, sp: sp - 1n });
      return gas - m.registers.gas;
    };
    expect([step(T), step(T)]).toEqual([2600n, 100n]);
    expect(journalLength(m, T)).toBe(3n);
    // the next transaction finds it cold
    m.give("JRN", cellKey.transaction(T + 1n), { T: T + 1n, j: 0n }, 16n * m.registers.clk);
    expect(step(T + 1n)).toBe(2600n);
    expect(touched(m).lastTx).toBe(T + 1n);
  });

  it("journals the old tuple of a cold account, and nothing of a warm one", () => {
    const { columns } = sample("cold", { hash: CODE.hash, lastTx: 3n });
    expect(messagesWith(balance, columns, "JOURNAL")).toMatchObject([
      { multiplicity: 1n, fields: { T, j: 2n, ...warmed(OTHER, CODE.hash, 3n) } },
    ]);
    const { columns: again } = sample("warm", { lastTx: T });
    expect([messagesWith(balance, again, "JOURNAL"), messagesWith(balance, again, "JRN")]).toEqual([[], []]);
  });

  it("is undone to exactly the account that was there", () => {
    const m = machineWith([OTHER]);
    open(m);
    giveAccount(m, OTHER, { hash: CODE.hash, balance: 5n, lastTx: 3n });
    const { t: _, ...before } = touched(m);
    assignBalance(m, FRAME);
    expect(touched(m).lastTx).toBe(T);
    assignUndo(m, T);
    expect(touched(m)).toMatchObject(before);
    expect(journalLength(m, T)).toBe(2n);
    const left = unmatched(messagesOfRows(m)).filter(({ tag }) => ["ACCOUNT", "BALANCE", "JOURNAL"].includes(tag));
    // one of each cell before, one after, no entry of the journal
    expect(left.map(({ tag, multiplicity }) => `${multiplicity} ${tag}`).sort()).toEqual([
      "-1 ACCOUNT",
      "-1 BALANCE",
      "1 ACCOUNT",
      "1 BALANCE",
    ]);
  });

  it("is of no other account: what is above 160 bits can't be made part of the address, nor taken from it", async () => {
    const circuit = await rowCircuit("balance");
    const { columns } = sample("dirty", { balance: 5n, lastTx: T }, DIRTY);
    const low = OTHER >> 128n;
    const shift = 1n << 32n;
    for (const [what, other] of [
      ["a bit above", low + shift],
      ["a bit less", low - 1n],
      ["all of the high half", DIRTY >> 128n],
      ["modulo r", (low + FR_MODULUS - 1n) % FR_MODULUS],
    ] as const) {
      const forged = changed(balance, columns, { low: other, lowHigh: other >> 16n });
      // even if such an account were there
      expect(passes(circuit, balance, forged, forged), what).toBe(false);
    }
  });

  it("cannot pass off a cold account as warm", async () => {
    const circuit = await rowCircuit("balance");
    const { columns } = sample("cold", { lastTx: 3n });
    for (const changes of [{ lastTx: T }, { T: 3n }, { T: 3n, lastTx: 3n }, { T, lastTx: 0n }]) {
      expect(passes(circuit, balance, columns, changed(balance, columns, changes))).toBe(false);
    }
  });
});
