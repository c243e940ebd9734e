import { describe, expect, it } from "vitest";
import { assignExtcodehash, extcodehash } from "../../../src/rows/extcodehash.js";
import { journalLength } from "../../../src/rows/journal.js";
import { assignUndo } from "../../../src/rows/undo.js";
import { EMPTY_CODE_HASH } from "../../../src/verifier/ethereum/words.js";
import { type AccountState, accountSample, CODE, DIRTY, giveAccount, OTHER } from "../../support/accounts.js";
import { machineWith } from "../../support/machine.js";
import { describeRow, passes, rowCircuit, type Sample } from "../../support/rows.js";
import { changed, FRAME, messagesWith, open } from "../../support/storage.js";

const { T } = FRAME;
const HALF = 1n << 128n;
const sample = (what: string, state: AccountState, word = OTHER): Sample =>
  accountSample(extcodehash, what, state, (m) => assignExtcodehash(m, FRAME), word);
const pushed = (columns: readonly bigint[]): bigint => {
  const top = messagesWith(extcodehash, columns, "STACK").find(({ multiplicity }) => multiplicity === 1n)!.fields;
  return top.hi! * HALF + top.lo!;
};

/** Hashes that share a half with that of no code. */
const NEAR = [EMPTY_CODE_HASH + HALF, EMPTY_CODE_HASH - 1n, CODE.hash];
const EMPTY: AccountState = {};
const LIVE: readonly AccountState[] = [{ balance: 1n }, { balance: HALF }, { nonce: 1n }];

describeRow({
  template: extcodehash,
  cost: 95,
  samples: () => [
    sample("cold, empty", EMPTY, DIRTY),
    ...LIVE.map((state, i) => sample(`cold, live ${i}`, { ...state, lastTx: 6n })),
  ],
});
const warm = "only in messages that a warm row does not send, and in requests to RANGE_16";
const code =
  "only in messages that a row does not send if there is a code, in requests to RANGE_16 and in a product with 0";
const [j, jOld, jHigh] = [warm, warm, warm];
const [nonce, createdTx, nonceOld, nonceHigh] = [code, code, code, code];
const [balanceHi, balanceLo, balanceOld, balanceHigh] = [code, code, code, code];
describeRow({
  template: extcodehash,
  cost: 95,
  samples: () => [sample("warm, empty", { ...EMPTY, lastTx: T }, DIRTY)],
  free: { j, jOld, jHigh },
});
describeRow({
  template: extcodehash,
  cost: 95,
  samples: () => [CODE.hash, EMPTY_CODE_HASH + HALF].map((hash) => sample(`code ${hash}`, { hash, lastTx: 6n })),
  free: { nonce, createdTx, nonceOld, nonceHigh, balanceHi, balanceLo, balanceOld, balanceHigh },
});

describe("EXTCODEHASH", () => {
  it("pushes the hash of the account's code, that of no code for a live account, 0 for an empty one (EIP-1052)", () => {
    expect(pushed(sample("empty", EMPTY).columns)).toBe(0n);
    for (const state of LIVE) expect(pushed(sample("live", state).columns)).toBe(EMPTY_CODE_HASH);
    for (const hash of NEAR) expect(pushed(sample("code", { hash }).columns)).toBe(hash);
  });

  it("costs 2600 at the first touch in a transaction, then 100, and is undone", () => {
    const m = machineWith([OTHER, DIRTY]);
    open(m);
    giveAccount(m, OTHER, { nonce: 5n, balance: 7n, lastTx: 3n });
    const costs = [1, 2].map(() => {
      const { gas, sp, pc } = m.registers;
      assignExtcodehash(m, FRAME);
      expect(m.registers).toMatchObject({ sp, pc: pc + 1n });
      m.enter({ ...m.registers, sp: sp - 1n });
      return gas - m.registers.gas;
    });
    expect(costs).toEqual([2600n, 100n]);
    // nonce and balance are left as they were
    expect(m.peek("NONCE", `${OTHER}`)).toMatchObject({ nonce: 5n, createdTx: 0n });
    expect(m.peek("BALANCE", `${OTHER}`)).toMatchObject({ hi: 0n, lo: 7n });
    expect(journalLength(m, T)).toBe(3n);
    assignUndo(m, T);
    expect(m.peek("ACCOUNT", `${OTHER}`)).toMatchObject({ lastTx: 3n });
  });

  it("needs no cells but the account's if there is a code", () => {
    const { columns } = sample("code", { hash: CODE.hash });
    for (const tag of ["NONCE", "BALANCE"] as const) expect(messagesWith(extcodehash, columns, tag)).toEqual([]);
    const bare = sample("bare", {}).columns;
    for (const tag of ["NONCE", "BALANCE"] as const) expect(messagesWith(extcodehash, bare, tag).length).toBe(2);
  });

  it("cannot push 0 for a live account, nor a hash for an empty one", async () => {
    const circuit = await rowCircuit("extcodehash");
    const none = { nonce: 0n, balanceHi: 0n, balanceLo: 0n };
    for (const state of LIVE) {
      const { columns } = sample("live", state);
      const forged = changed(extcodehash, columns, none);
      expect(pushed(forged)).toBe(0n);
      expect(passes(circuit, extcodehash, columns, forged)).toBe(false);
    }
    const { columns: code } = sample("code", { hash: CODE.hash });
    for (const changes of [{ bare: 1n }, { bare: 1n, ...none }, { ...none, hashHi: EMPTY_CODE_HASH >> 128n }])
      expect(passes(circuit, extcodehash, code, changed(extcodehash, code, changes))).toBe(false);
    const { columns: empty } = sample("empty", EMPTY);
    for (const changes of [{ bare: 0n }, { nonce: 1n }, { balanceLo: 1n }, { nonce: 1n, balanceLo: -1n }]) {
      const forged = changed(extcodehash, empty, changes);
      // not even if it were nobody's business whether the cells are taken
      if ("bare" in changes) expect(passes(circuit, extcodehash, forged, forged)).toBe(false);
      expect(passes(circuit, extcodehash, empty, forged)).toBe(false);
    }
  });
});
