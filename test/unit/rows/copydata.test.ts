import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignCopydata, copydata } from "../../../src/rows/copydata.js";
import { expand } from "../../../src/rows/expand.js";
import { load } from "../../../src/rows/load.js";
import { type Machine, messagesOf } from "../../../src/rows/machine.js";
import { write } from "../../../src/rows/write.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
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
import { REGISTERS } from "../../support/machine.js";
import { forged, machineWithMemory, memoryGas, outOfRange, rowsOf } from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";

const DATA = patterned(100);
const MEMORY = patternedWords(3);

/** A machine before the copy: destination, offset, size, with one item below. */
const ready = (dest: bigint, offset: bigint, size: bigint, memory: readonly bigint[] = MEMORY) =>
  machineWithMemory([9n, size, offset, dest], memory);

const copy =
  (isCode: boolean, data = DATA) =>
  (m: Machine) =>
    assignCopydata(m, data, isCode);

const sample = (dest: bigint, offset: bigint, size: bigint, isCode: boolean) => {
  const m = ready(dest, offset, size);
  copy(isCode)(m);
  return {
    what: `${size} bytes of ${isCode ? "code" : "calldata"} from ${offset} to ${dest}`,
    columns: rowsOf(m, copydata)[0]!,
  };
};

describeRow({
  template: copydata,
  cost: 103,
  samples: () => [
    sample(0n, 0n, 64n, false),
    sample(33n, 99n, 70n, true),
    sample(95n, 100n, 1n, false),
    sample(1n, 1n << 255n, 31n, true),
    sample(1n << 200n, 5n, 0n, true),
  ],
});

describe("CALLDATACOPY and CODECOPY", () => {
  const edges = fc.oneof(places().map(BigInt), fc.constantFrom(1n << 32n, 1n << 255n));

  it("write the bytes and no others, grow the memory and take gas as the EVM does, and leave the bus balanced", async () => {
    await fc.assert(
      fc.asyncProperty(edges, offsets(DATA.length), sizes(), fc.boolean(), async (to, offset, size, isCode) => {
        const dest = size === 0 ? to : to % 1000n;
        const m = ready(dest, offset, BigInt(size));
        const at = m.registers;
        const expected = memoryOf(m);
        expect(leftBy(m, copy(isCode))).toEqual([]);
        const end = size === 0 ? 0 : Math.ceil((Number(dest) + size) / 32);
        while (expected.length < 32 * end) expected.push(0);
        const start = offset < 100n ? Number(offset) : 100;
        for (let i = 0; i < size; i++) expected[Number(dest) + i] = DATA[start + i] ?? 0;
        expect(memoryOf(m)).toEqual(expected);
        const msize = BigInt(Math.max(3, end));
        const cost = 3n + 3n * BigInt(Math.ceil(size / 32)) + memoryGas(msize) - memoryGas(3n);
        expect(m.registers).toEqual({ ...at, clk: at.clk + 1n, pc: at.pc + 1n, sp: 1n, msize, gas: at.gas - cost });
        expect(m.live("STACK").map(({ cell }) => [cell.index, cell.lo])).toEqual([[0n, 9n]]);
        expectAnswers(m, { calldata: new Map([[at.ctx, DATA]]), codes: new Map([[at.code, DATA]]) });
        expect(requestsOf(m, isCode ? "CALLDATA" : "CODEWORD")).toEqual([]);
        const field = isCode ? 0x38n : 0x36n;
        expect(requestsOf(m, "CTX").map(fieldsOf)).toEqual([{ ctx: at.ctx, hi: 0n, lo: 100n, field }]);
        for (const { template, columns } of m.rows.values())
          for (const row of columns) expect(outOfRange(template, row)).toEqual([]);
        await expectSatisfied(m, [copydata]);
      }),
      { numRuns: 60 },
    );
  });

  it("do nothing but take 3 gas for no bytes, from a source without any", () => {
    const m = ready((1n << 256n) - 1n, (1n << 256n) - 1n, 0n, []);
    const { gas } = m.registers;
    expect(leftBy(m, copy(false, new Uint8Array()))).toEqual([]);
    expect([m.registers.gas, m.registers.msize]).toEqual([gas - 3n, 0n]);
    expect([load, write, expand].map((template) => rowsOf(m, template).length)).toEqual([0, 0, 0]);
  });

  it("are refused where no gas suffices", () => {
    const at = (dest: bigint, size: bigint) => () => copy(false)(ready(dest, 0n, size));
    for (const [dest, size] of [
      [1n << 200n, 1n],
      [(1n << 25n) - 32n, 1n],
      [0n, 1n << 128n],
    ] as const)
      expect(at(dest, size)).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });

  /** Columns of a copy's own row with changes; what the circuit and the ranges have against it, and what is left. */
  async function tamper(
    [dest, offset, size]: readonly [bigint, bigint, bigint],
    changes: Partial<Record<(typeof copydata.columns)[number], bigint>>,
    isCode = false,
  ) {
    const columns = forged(copydata, sample(dest, offset, size, isCode).columns, changes);
    const { violated } = evaluate(await rowCircuit("copydata"), copydata, columns);
    const left = leftWith(ready(dest, offset, size), copy(isCode), copydata, 0, columns);
    return { violated, wild: outOfRange(copydata, columns), left, columns };
  }
  const tags = (left: readonly { tag: string }[]) => [...new Set(left.map(({ tag }) => tag))].sort();

  it("can't copy fewer bytes or words, nor more", async () => {
    const args = [40n, 3n, 70n] as const;
    const inverse = ((FR_MODULUS + 1n) / 2n) ** 5n % FR_MODULUS;
    for (const n of [0n, 2n, 4n, (70n * inverse) % FR_MODULUS]) {
      const { violated, wild, left } = await tamper(args, { n, loadEnd: n });
      // a fraction of a word is in range, but no chain ends there
      if (n > 4n) expect([violated, wild]).toEqual([[], []]);
      else expect(wild).toContain("RANGE_5");
      expect(tags(left)).toContain("LOAD");
    }
    for (const changes of [{ reach: 3n }, { reach: 5n }, { first: 2n }, { first: 0n }, { reach: 5n, first: 2n }]) {
      const { wild, left } = await tamper(args, changes);
      expect(wild).toContain("RANGE_5");
      expect(tags(left)).toContain("WRITE");
    }
    // the ends of the chains' last words are not for the prover to choose
    for (const changes of [{ loadEnd: 0n }, { loadEnd: 2n }, { writeEnd: 0n }, { writeEnd: 1n }])
      expect((await tamper(args, changes)).violated).not.toEqual([]);
  });

  it("finds no words at fractions of an index", async () => {
    // destination 40 as 32·(40/32) + 0
    const inverse = ((FR_MODULUS + 1n) / 2n) ** 5n % FR_MODULUS;
    const first = (40n * inverse) % FR_MODULUS;
    const reach = (first + 1n) % FR_MODULUS;
    const { violated, wild, left } = await tamper([40n, 0n, 32n], {
      first,
      reach,
      writeEnd: 0n,
      words: 3n,
      cost1: memoryGas(3n),
    });
    // ranges have nothing against it
    expect(wild).toEqual([]);
    expect(violated).toEqual([]);
    const begin = left.find(({ tag, fields }) => tag === "WRITE" && fields.j === first);
    expect(begin).toMatchObject({ multiplicity: 1n, fields: { i: 0n } });
    expect(begin!.fields.shift! % FR_MODULUS).toBe(0n);
    // from there no write row leads anywhere: MEMORY has integers only
  });

  it("can't call an offset inside that is beyond, nor the other way round", async () => {
    const circuit = await rowCircuit("copydata");
    const near = sample(0n, 99n, 32n, false).columns;
    const beyond = forged(copydata, near, { inside: 0n, leftHigh: 0n });
    // WIDE has no -1
    expect(evaluate(circuit, copydata, beyond).violated).toEqual([]);
    expect(passes(circuit, copydata, beyond, beyond)).toBe(false);
    expect(
      messagesOf(copydata, beyond)
        .filter(({ tag, multiplicity }) => tag === "WIDE" && multiplicity !== 0n)
        .map(fieldsOf),
    ).toEqual([{ value: -1n }]);
    for (const offset of [100n, 1n << 127n, 1n << 128n, 1n << 255n, (1n << 256n) - 1n]) {
      for (const leftHigh of [0n, 65_535n]) {
        const inside = forged(copydata, sample(0n, offset, 32n, false).columns, { inside: 1n, leftHigh });
        expect(evaluate(circuit, copydata, inside).violated).toEqual([]);
        expect(outOfRange(copydata, inside)).not.toEqual([]);
      }
    }
  });

  it("can't load from elsewhere", async () => {
    const args = [0n, 5n, 64n] as const;
    // another source, length or offset in the chain than the row's
    for (const changes of [{ ctx: 0n, code: 6n }, { code: 6n }, { length: 101n }, { o: 38n }, { m: 31n }] as const) {
      const m = ready(...args);
      copy(true)(m);
      const row = forged(load, rowsOf(m, load)[0]!, changes);
      const left = leftWith(ready(...args), copy(true), load, 0, row);
      expect(tags(left)).toEqual(["LOAD"]);
    }
    // calldata instead of code, in the row itself: another opcode, and another chain
    const { violated, left } = await tamper(args, { isCode: 0n }, true);
    expect(violated).toEqual([]);
    expect(tags(left)).toEqual(["LOAD"]);
  });

  it("does not balance without a word of the bytes, or with one more", () => {
    const args = [33n, 0n, 70n] as const;
    for (const template of [load, write]) {
      const without = leftWith(ready(...args), copy(false), template, 1, undefined);
      expect(tags(without)).toEqual(template === load ? ["BUFFER", "LOAD"] : ["BUFFER", "MEMORY", "WRITE"]);
      const m = ready(...args);
      copy(false)(m);
      const twice = rowsOf(m, template)[1]!;
      const left = leftWith(ready(...args), copy(false), template, 0, twice);
      expect(tags(left)).toContain("BUFFER");
    }
  });

  it("doesn't grow the memory without bytes, nor less than to the last one", async () => {
    const empty = await tamper([320n, 0n, 0n], { reach: 10n, words: 10n, cost1: memoryGas(10n) });
    expect(empty.wild).toContain("RANGE_5");
    const moved = await tamper([320n, 0n, 0n], { first: 10n, reach: 10n, words: 10n, cost1: memoryGas(10n) });
    expect(moved.wild).toContain("RANGE_5");
    const shrunk = await tamper([320n, 0n, 0n], { words: 0n, cost1: 0n });
    expect(shrunk.violated).toEqual([]);
    expect(tags(shrunk.left)).toEqual(["EXPAND"]);
    const stingy = await tamper([320n, 0n, 32n], { words: 3n, cost1: memoryGas(3n) });
    expect(stingy.violated).toEqual([]);
    expect(tags(stingy.left)).toEqual(["EXPAND"]);
    // without the words that the expand rows made there is none to write to
    const m = ready(320n, 0n, 32n);
    copy(false)(m);
    expect(rowsOf(m, expand)).toHaveLength(8);
    expect(messagesOf(write, rowsOf(m, write)[0]!).map(fieldsOf)).toContainEqual(
      expect.objectContaining({ index: 10n, t: 16n * REGISTERS.clk }),
    );
    // the halves of a destination are the stack's: a high one has no bytes
    const high = await tamper([0n, 0n, 32n], { destHi: 1n });
    expect(high.violated).not.toEqual([]);
  });
});
