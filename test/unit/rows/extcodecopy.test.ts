import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignExtcodecopy, extcodecopy } from "../../../src/rows/extcodecopy.js";
import { cellKey, journalLength } from "../../../src/rows/journal.js";
import { load } from "../../../src/rows/load.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { write } from "../../../src/rows/write.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
import { EMPTY_CODE_HASH } from "../../../src/verifier/ethereum/words.js";
import { DIRTY, giveAccount, OTHER, warmed } from "../../support/accounts.js";
import {
  expectAnswers,
  expectSatisfied,
  leftBy,
  leftWith,
  memoryOf,
  offsets,
  patterned,
  patternedWords,
  places,
  requestsOf,
  sizes,
} from "../../support/copy.js";
import { forged, machineWithMemory, memoryGas, outOfRange, rowsOf } from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";
import { FRAME, messagesWith, open } from "../../support/storage.js";

const MEMORY = patternedWords(3);
const CODE = { hash: (0x1111n << 240n) + (0x77n << 128n) + 0x2222n, id: 3n, bytes: patterned(100) };
const NONE = { hash: EMPTY_CODE_HASH, id: 65_536n, bytes: new Uint8Array() };
const frame = { T: FRAME.T, codeOf: (hash: bigint) => (hash === NONE.hash ? NONE : CODE) };
const run = (m: Parameters<typeof assignExtcodecopy>[0]) => assignExtcodecopy(m, frame);

/** A machine before the copy, with one item below. */
function ready(dest: bigint, offset: bigint, size: bigint, lastTx = 0n, code: typeof CODE = CODE, word = DIRTY) {
  const m = machineWithMemory([9n, size, offset, dest, word], MEMORY);
  open(m);
  giveAccount(m, OTHER, { hash: code.hash, lastTx });
  return m;
}

const sample = (...args: Parameters<typeof ready>) => {
  const m = ready(...args);
  run(m);
  const [dest, offset, size, lastTx = 0n] = args;
  return { what: `${size} bytes from ${offset} to ${dest}, last ${lastTx}`, columns: rowsOf(m, extcodecopy)[0]! };
};

describeRow({
  template: extcodecopy,
  cost: 147,
  samples: () => [sample(33n, 99n, 70n), sample(0n, 1n << 128n, 1n, 6n), sample(1n << 200n, 0n, 0n)],
});
const unseen = "only in messages that a warm row does not send, and in requests to RANGE_16";
describe("of a warm account", () => {
  describeRow({
    template: extcodecopy,
    cost: 147,
    samples: () => [sample(0n, 100n, 33n, FRAME.T), sample(5n, 0n, 3n, FRAME.T, NONE, OTHER)],
    free: { j: unseen, jOld: unseen, jHigh: unseen },
  });
});

describe("EXTCODECOPY", () => {
  it("writes the bytes and no others, grows the memory and takes gas as the EVM does, and leaves the bus balanced", async () => {
    await fc.assert(
      fc.asyncProperty(
        ...[places(), offsets(100), sizes(), fc.constantFrom(0n, 6n, FRAME.T), fc.constantFrom(CODE, NONE)],
        async (to, offset, size, lastTx, code) => {
          const dest = size === 0 && to > 100 ? 1n << 250n : BigInt(to);
          const m = ready(dest, offset, BigInt(size), lastTx, code);
          const at = m.registers;
          const expected = memoryOf(m);
          expect(leftBy(m, run)).toEqual([]);
          const end = size === 0 ? 0 : Math.ceil((to + size) / 32);
          while (expected.length < 32 * end) expected.push(0);
          const start = offset < 100n ? Number(offset) : 100;
          for (let i = 0; i < size; i++) expected[to + i] = code.bytes[start + i] ?? 0;
          expect(memoryOf(m)).toEqual(expected);
          const msize = BigInt(Math.max(3, end));
          const words = BigInt(Math.ceil(size / 32));
          const touch = lastTx === FRAME.T ? 100n : 2600n;
          const gas = at.gas - touch - 3n * words - memoryGas(msize) + memoryGas(3n);
          expect(m.registers).toEqual({ ...at, clk: at.clk + 1n, pc: at.pc + 1n, sp: 1n, msize, gas });
          expect(m.live("STACK").map(({ cell }) => [cell.index, cell.lo])).toEqual([[0n, 9n]]);
          expectAnswers(m, { codes: new Map([[code.id, code.bytes]]) });
          expect(requestsOf(m, "CALLDATA")).toEqual([]);
          const [hashHi, hashLo] = [code.hash >> 128n, code.hash & ((1n << 128n) - 1n)];
          const length = BigInt(code.bytes.length);
          expect(requestsOf(m, "CODEID").map(fieldsOf)).toEqual([{ code: code.id, length, hashHi, hashLo }]);
          expect(m.peek("ACCOUNT", cellKey.account(OTHER)).lastTx).toBe(FRAME.T);
          for (const { template, columns } of m.rows.values())
            for (const row of columns) expect(outOfRange(template, row)).toEqual([]);
          await expectSatisfied(m, [extcodecopy]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("journals the warming of a cold account, without bytes too, and nothing of a warm one", () => {
    const m = ready(0n, 0n, 0n, 6n);
    run(m);
    expect(journalLength(m, FRAME.T)).toBe(3n);
    const [entry] = messagesWith(extcodecopy, rowsOf(m, extcodecopy)[0]!, "JOURNAL");
    expect(entry).toMatchObject({ multiplicity: 1n, fields: warmed(OTHER, CODE.hash, 6n) });
    expect([load, write].map((template) => rowsOf(m, template).length)).toEqual([0, 0]);
    expect(messagesWith(extcodecopy, sample(0n, 0n, 1n, FRAME.T).columns, "JOURNAL")).toEqual([]);
  });

  const args = [40n, 3n, 70n] as const;
  const tags = (left: readonly { tag: string }[]) => [...new Set(left.map(({ tag }) => tag))].sort();

  it("can't copy another code, nor pretend that this one is shorter", async () => {
    const circuit = await rowCircuit("extcodecopy");
    const honest = sample(...args).columns;
    for (const changes of [{ id: 4n }, { length: 3n }, { hashLo: 5n }]) {
      const columns = forged(extcodecopy, honest, changes);
      expect(passes(circuit, extcodecopy, honest, columns)).toBe(false);
    }
    // id and length stand in CODEID beside the hash of the account's cell
    const other = forged(extcodecopy, honest, { id: 4n });
    expect(evaluate(circuit, extcodecopy, other).violated).toEqual([]);
    const [asked] = messagesOf(extcodecopy, other).filter(({ tag }) => tag === "CODEID");
    expect(fieldsOf(asked!)).toMatchObject({ code: 4n, hashHi: CODE.hash >> 128n });
    expect(tags(leftWith(ready(...args), run, extcodecopy, 0, other))).toEqual(["LOAD"]);
  });

  it("can't be had for the price of a warm account, nor of no memory", async () => {
    const circuit = await rowCircuit("extcodecopy");
    const honest = sample(320n, 0n, 32n).columns;
    for (const changes of [
      { lastTx: FRAME.T },
      { T: 0n },
      { words: 3n, cost1: memoryGas(3n) },
      { cost1: memoryGas(3n) },
    ])
      expect(passes(circuit, extcodecopy, honest, forged(extcodecopy, honest, changes))).toBe(false);
    const stingy = forged(extcodecopy, honest, { words: 3n, cost1: memoryGas(3n) });
    expect(evaluate(circuit, extcodecopy, stingy).violated).toEqual([]);
    expect(tags(leftWith(ready(320n, 0n, 32n), run, extcodecopy, 0, stingy))).toEqual(["EXPAND"]);
  });

  it("is refused where no gas suffices", () => {
    expect(() => run(ready(1n << 25n, 0n, 1n))).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });
});
