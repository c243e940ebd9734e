import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignMcopy, mcopy } from "../../../src/rows/mcopy.js";
import { read } from "../../../src/rows/read.js";
import { write } from "../../../src/rows/write.js";
import { expectSatisfied, leftBy, leftWith, memoryOf, patternedWords, places, sizes } from "../../support/copy.js";
import { forged, machineWithMemory, memoryGas, outOfRange, rowsOf } from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

const MEMORY = patternedWords(5);

/** A machine before the copy, with one item below. */
const ready = (dest: bigint, source: bigint, size: bigint) => machineWithMemory([9n, size, source, dest], MEMORY);

const sample = (dest: bigint, source: bigint, size: bigint) => {
  const m = ready(dest, source, size);
  assignMcopy(m);
  return { what: `${size} bytes from ${source} to ${dest}`, columns: rowsOf(m, mcopy)[0]! };
};

describeRow({
  template: mcopy,
  cost: 94,
  samples: () => [
    sample(32n, 64n, 64n),
    sample(33n, 7n, 70n),
    sample(95n, 300n, 1n),
    sample(300n, 31n, 31n),
    sample(1n << 200n, (1n << 255n) + 5n, 0n),
  ],
});

describe("MCOPY", () => {
  it("copies as if through a buffer, grows the memory and takes gas as the EVM does, and leaves the bus balanced", async () => {
    const near = fc.tuple(places(), fc.integer({ min: -40, max: 40 })).map(([at, by]) => [at, Math.max(0, at + by)]);
    const pairs = fc.oneof(fc.tuple(places(), places()), near, near);
    await fc.assert(
      fc.asyncProperty(pairs, sizes(), async ([dest, source], size) => {
        const m = ready(BigInt(dest!), BigInt(source!), BigInt(size));
        const at = m.registers;
        const expected = memoryOf(m);
        expect(leftBy(m, assignMcopy)).toEqual([]);
        const end = size === 0 ? 0 : Math.ceil((Math.max(dest!, source!) + size) / 32);
        while (expected.length < 32 * end) expected.push(0);
        const bytes = Uint8Array.from(expected).copyWithin(dest!, source, source! + size);
        expect(memoryOf(m)).toEqual([...bytes]);
        const msize = BigInt(Math.max(5, end));
        const cost = 3n + 3n * BigInt(Math.ceil(size / 32)) + memoryGas(msize) - memoryGas(5n);
        expect(m.registers).toEqual({ ...at, clk: at.clk + 1n, pc: at.pc + 1n, sp: 1n, msize, gas: at.gas - cost });
        expect(m.live("STACK").map(({ cell }) => [cell.index, cell.lo])).toEqual([[0n, 9n]]);
        for (const { template, columns } of m.rows.values())
          for (const row of columns) expect(outOfRange(template, row)).toEqual([]);
        await expectSatisfied(m, [mcopy]);
      }),
      { numRuns: 60 },
    );
  });

  it("does nothing but take 3 gas for no bytes, wherever", () => {
    const m = ready((1n << 256n) - 1n, 1n << 255n, 0n);
    const { gas, msize } = m.registers;
    expect(leftBy(m, assignMcopy)).toEqual([]);
    expect(m.registers).toMatchObject({ gas: gas - 3n, msize });
    expect([read, write].map((template) => rowsOf(m, template).length)).toEqual([0, 0]);
  });

  it("is refused where no gas suffices", () => {
    for (const [dest, source, size] of [
      [1n << 200n, 0n, 1n],
      [0n, 1n << 25n, 1n],
      [0n, 0n, 1n << 128n],
    ] as const)
      expect(() => assignMcopy(ready(dest, source, size))).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
  });

  const args = [40n, 323n, 70n] as const;
  const tags = (left: readonly { tag: string }[]) => [...new Set(left.map(({ tag }) => tag))].sort();

  /** The row of a copy with changes: what circuit and ranges have against it, and what it leaves. */
  async function tamper(
    changes: Partial<Record<(typeof mcopy.columns)[number], bigint>>,
    at: readonly [bigint, bigint, bigint] = args,
  ) {
    const columns = forged(mcopy, sample(...at).columns, changes);
    const { violated } = evaluate(await rowCircuit("mcopy"), mcopy, columns);
    return {
      violated: violated.length > 0,
      wild: outOfRange(mcopy, columns),
      left: tags(leftWith(ready(...at), assignMcopy, mcopy, 0, columns)),
    };
  }

  it("grows the memory to the further of both ends, no more and no less", async () => {
    // to the destination's end only: the memory is that large already; the words that are read were made by nobody
    const short = await tamper({ words: 5n, cost1: memoryGas(5n) });
    expect(short).toEqual({ violated: false, wild: [], left: ["EXPAND"] });
    for (const words of [12n, 14n]) expect((await tamper({ words, cost1: memoryGas(words) })).violated).toBe(true);
    // to the nearer of both ends, where both are beyond the memory
    const nearer = await tamper({ words: 9n, cost1: memoryGas(9n) }, [200n, 323n, 70n]);
    expect(nearer).toEqual({ violated: false, wild: [], left: ["EXPAND"] });
    // a source that ends elsewhere
    expect((await tamper({ sourceReach: 12n, words: 12n })).wild).toContain("RANGE_5");
    expect((await tamper({ sourceFirst: 10n })).wild).toContain("RANGE_5");
    expect((await tamper({ destHi: 1n })).violated).toBe(true);
    expect((await tamper({ offsetHi: 1n })).violated).toBe(true);
  });

  it("can't copy fewer words, nor more", async () => {
    for (const n of [0n, 2n, 4n]) {
      const { wild, left } = await tamper({ n });
      expect(wild).toContain("RANGE_5");
      expect(left).toContain("READ");
    }
    expect((await tamper({ reach: 3n })).wild).toContain("RANGE_5");
    expect((await tamper({ writeEnd: 2n })).violated).toBe(true);
  });

  it("does not balance without a row of either chain", () => {
    const without = (template: typeof read | typeof write) =>
      tags(leftWith(ready(...args), assignMcopy, template as typeof write, 1, undefined));
    expect(without(read)).toEqual(["BUFFER", "MEMORY", "READ"]);
    expect(without(write)).toEqual(["BUFFER", "MEMORY", "WRITE"]);
  });

  it("reads all before it writes any: no word that it wrote is old enough to be read", async () => {
    // bytes move on by one word: word 1 would be read as it was written from word 0
    const copy = [32n, 0n, 64n] as const;
    const m = ready(...copy);
    assignMcopy(m);
    const rows = rowsOf(m, read);
    const circuit = await rowCircuit("read");
    const written = 16n * sample(...copy).columns[0]! + 4n;
    const late = forged(read, rows[1]!, { wordOld: written, wordHigh: 0n });
    expect(evaluate(circuit, read, late).violated).toEqual([]);
    expect(outOfRange(read, late)).toEqual(["RANGE_16"]);
  });
});
