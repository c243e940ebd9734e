import { describe, expect, it } from "vitest";
import { assignExtcodesize, extcodesize } from "../../../src/rows/extcodesize.js";
import { cellKey, journalLength } from "../../../src/rows/journal.js";
import { assignUndo } from "../../../src/rows/undo.js";
import { EMPTY_CODE_HASH } from "../../../src/verifier/ethereum/words.js";
import {
  type AccountState,
  accountSample,
  CODE,
  codeOf,
  DIRTY,
  giveAccount,
  OTHER,
  warmed,
} from "../../support/accounts.js";
import { machineWith } from "../../support/machine.js";
import { describeRow, passes, rowCircuit, type Sample } from "../../support/rows.js";
import { askedOf } from "../../support/steps.js";
import { changed, FRAME, messagesWith, open } from "../../support/storage.js";

const { T } = FRAME;
const frame = { T, codeOf };
const sample = (what: string, state: AccountState, word = OTHER): Sample =>
  accountSample(extcodesize, what, state, (m) => assignExtcodesize(m, frame), word);

describeRow({
  template: extcodesize,
  cost: 71,
  samples: () => [sample("cold, no code", { lastTx: 6n }, DIRTY), sample("cold, code", { hash: CODE.hash })],
});
const unseen = "only in messages that a warm row does not send, and in requests to RANGE_16";
describeRow({
  template: extcodesize,
  cost: 71,
  samples: () => [sample("warm, code", { hash: CODE.hash, lastTx: T }, DIRTY)],
  free: { j: unseen, jOld: unseen, jHigh: unseen },
});

describe("EXTCODESIZE", () => {
  it("pushes the length of the code that the account has, 0 for none, at 2600 and then 100 gas", () => {
    const m = machineWith([OTHER, DIRTY, 5n]);
    open(m);
    giveAccount(m, OTHER, { hash: CODE.hash, lastTx: 3n });
    giveAccount(m, 5n, { lastTx: T });
    const steps = [1, 2, 3].map(() => {
      const { gas, sp, ctx } = m.registers;
      assignExtcodesize(m, frame);
      const { hi, lo } = m.peek("STACK", `${ctx}:${sp - 1n}`);
      m.enter({ ...m.registers, sp: sp - 1n });
      return [gas - m.registers.gas, hi, lo];
    });
    expect(steps).toEqual([
      [100n, 0n, 0n],
      [2600n, 0n, 1234n],
      [100n, 0n, 1234n],
    ]);
    expect(journalLength(m, T)).toBe(3n);
    assignUndo(m, T);
    expect(m.peek("ACCOUNT", cellKey.account(OTHER))).toMatchObject({ lastTx: 3n });
    expect(journalLength(m, T)).toBe(2n);
  });

  it("asks for the code by the account's hash, and journals it with its warmth", () => {
    const row = sample("code", { hash: CODE.hash, lastTx: 2n });
    const hash = { hashHi: CODE.hash >> 128n, hashLo: 0x2222n };
    expect(askedOf(extcodesize, "CODEID", row)).toEqual([{ ...hash, code: 3n, length: 1234n }]);
    expect(messagesWith(extcodesize, row.columns, "JOURNAL")).toMatchObject([
      { multiplicity: 1n, fields: { T, j: 2n, ...warmed(OTHER, CODE.hash, 2n) } },
    ]);
    const none = { hashHi: EMPTY_CODE_HASH >> 128n, hashLo: EMPTY_CODE_HASH & ((1n << 128n) - 1n) };
    expect(askedOf(extcodesize, "CODEID", sample("none", {}))).toEqual([{ ...none, code: 65_536n, length: 0n }]);
  });

  it("cannot push the size of another account's code", async () => {
    const circuit = await rowCircuit("extcodesize");
    const { columns } = sample("none", { lastTx: T });
    const other = { hashHi: CODE.hash >> 128n, hashLo: 0x2222n, id: CODE.id, length: 1234n };
    const { hashHi, hashLo, ...found } = other;
    for (const changes of [other, found, { length: 1234n }, { id: CODE.id }, { low: 5n }])
      expect(passes(circuit, extcodesize, columns, changed(extcodesize, columns, changes))).toBe(false);
  });
});
