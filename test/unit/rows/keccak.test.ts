import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignKeccak, keccak } from "../../../src/rows/keccak.js";
import { type Machine, messagesOf } from "../../../src/rows/machine.js";
import { memoryCost } from "../../../src/rows/memory.js";
import { read } from "../../../src/rows/read.js";
import { halvesOf } from "../../../src/rows/words.js";
import { message } from "../../../src/verifier/bus.js";
import { keccak as hashOf } from "../../../src/verifier/ethereum/words.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { REGISTERS } from "../../support/machine.js";
import {
  bytesAt,
  countingMemory,
  forged,
  machineWithMemory,
  memoryGas,
  messagesOfRows,
  outOfRange,
  placed,
  rowsOf,
  sampleOn,
  unmatched,
  unmatchedBy,
  wordsOfBytes,
} from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

const MAX = (1n << 256n) - 1n;
const MEMORY = countingMemory(5);
const machine = (offset: bigint, size: bigint, memory = MEMORY): Machine =>
  machineWithMemory([9n, size, offset], memory);
const sample = (offset: bigint, size: bigint, memory?: bigint[]) =>
  sampleOn(machine(offset, size, memory), keccak, `${size} bytes at ${offset}`, assignKeccak);

describeRow({
  template: keccak,
  cost: 75,
  samples: () => [
    sample(0n, 64n),
    sample(MAX, 0n),
    sample(0n, 0n, []),
    sample(1n, 31n),
    sample(31n, 34n, []),
    sample(150n, 65n),
  ],
});

/** What the verifier sends for the claims of a machine. */
function claims(m: Machine) {
  return m.keccaks.flatMap(({ clk, data }) => {
    const at = { t: 16n * clk, kind: 1n };
    const words = wordsOfBytes(data).map((word, i) => message("CLAIMWORD", { ...at, i: BigInt(i), ...halvesOf(word) }));
    return [message("CLAIM", { ...at, length: BigInt(data.length), ...halvesOf(hashOf(data)) }), ...words];
  });
}

const inverse32 = ((FR_MODULUS + 1n) / 2n) ** 5n % FR_MODULUS;

/** What is left of the bus when the row is another one. */
function leftWith(m: Machine, columns: readonly bigint[]) {
  const messages = rowsOf(m, read).flatMap((row) => messagesOf(read, row));
  return unmatched([...messages, ...messagesOf(keccak, columns), ...claims(m)]).map(({ tag }) => tag);
}

describe("KECCAK256", () => {
  it("pushes the hash, grows the memory, takes gas as the EVM does, and leaves the bus balanced", () => {
    fc.assert(
      fc.property(placed(), fc.nat({ max: 7 }), ([offset, size], words) => {
        const memory = countingMemory(words);
        const m = machine(offset, size, memory);
        const before = m.registers;
        expect(unmatchedBy(m, assignKeccak)).toEqual([]);
        const data = bytesAt(memory, offset, size);
        expect(m.takeStack(1).value).toBe(hashOf(data));
        expect(m.takeStack(2).value).toBe(9n);
        expect(m.keccaks).toEqual([{ clk: before.clk, data }]);
        let msize = BigInt(words);
        while (size > 0n && 32n * msize < offset + size) msize++;
        const gas = before.gas - 30n - 6n * ((size + 31n) / 32n) - memoryGas(msize) + memoryGas(BigInt(words));
        expect(m.registers).toEqual({
          ...before,
          ...{ clk: before.clk + 1n, pc: before.pc + 1n, sp: before.sp - 1n, msize, gas },
        });
        const claimed = unmatched([...messagesOfRows(m), ...claims(m)]).filter(({ tag }) => tag.startsWith("CLAIM"));
        expect(claimed).toEqual([]);
        expect(outOfRange(keccak, rowsOf(m, keccak)[0]!)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("is refused where no gas suffices", () => {
    for (const [offset, size] of [
      [1n << 200n, 1n],
      [0n, 1n << 200n],
    ] as const) {
      expect(() => assignKeccak(machine(offset, size))).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
    }
  });

  it("can't hash other bytes: of another place, or fewer", async () => {
    const circuit = await rowCircuit("keccak");
    const m = machine(20n, 70n);
    assignKeccak(m);
    const honest = rowsOf(m, keccak)[0]!;
    expect(leftWith(m, honest).filter((tag) => tag.startsWith("READ") || tag.startsWith("CLAIM"))).toEqual([]);
    expect(outOfRange(keccak, forged(keccak, honest, { first: 0n }))).toEqual(["RANGE_5"]);
    expect(outOfRange(keccak, forged(keccak, honest, { first: 2n }))).toEqual(["RANGE_5"]);
    expect(outOfRange(keccak, forged(keccak, honest, { n: 2n }))).toEqual(["RANGE_5"]);
    // gas of a word less
    expect(outOfRange(keccak, forged(keccak, honest, { n: 4n }))).toEqual(["RANGE_5"]);
    expect(outOfRange(keccak, forged(keccak, honest, { reach: 2n }))).toEqual(["RANGE_5"]);
    // fractions of words satisfy the ranges, but not the chain
    const fractions = { first: (25n * inverse32) % FR_MODULUS, reach: (95n * inverse32) % FR_MODULUS };
    for (const changes of [{ first: fractions.first }, { reach: fractions.reach, words: 5n }]) {
      const odd = forged(keccak, honest, changes);
      expect(evaluate(circuit, keccak, odd).violated).toEqual([]);
      expect(outOfRange(keccak, odd)).toEqual([]);
      expect(leftWith(m, odd)).toContain("READ");
    }
    const n = (80n * inverse32) % FR_MODULUS;
    expect(outOfRange(keccak, forged(keccak, honest, { n }))).toEqual([]);
    expect(leftWith(m, forged(keccak, honest, { n }))).toContain("READ");
  });

  it("can't pay for less memory than it reads", async () => {
    const circuit = await rowCircuit("keccak");
    const m = machine(20n, 70n, []);
    assignKeccak(m);
    const poor = forged(keccak, rowsOf(m, keccak)[0]!, { words: 0n, cost1: memoryCost(0n) });
    expect(evaluate(circuit, keccak, poor).violated).toEqual([]);
    expect(outOfRange(keccak, poor)).toEqual([]);
    // the words that the chain takes were made by nobody
    const left = unmatched([...messagesOf(keccak, poor), ...rowsOf(m, read).flatMap((row) => messagesOf(read, row))]);
    expect(left.filter(({ tag, multiplicity }) => tag === "MEMORY" && multiplicity < 0n)).toHaveLength(3);
  });

  it("has one chain only if there are bytes, and none of another length", async () => {
    const circuit = await rowCircuit("keccak");
    const columns = sample(MAX, 0n).columns;
    const tags = (row: readonly bigint[]) => unmatched(messagesOf(keccak, row)).map(({ tag }) => tag);
    expect(tags(columns)).not.toContain("READ");
    for (const changes of [{ n: inverse32 }, { first: inverse32 }, { reach: inverse32 }]) {
      const odd = forged(keccak, columns, changes);
      expect(outOfRange(keccak, odd)).toEqual([]);
      expect(tags(odd)).toContain("READ");
    }
    // bytes without the offset's upper half
    const far = forged(keccak, sample(0n, 32n).columns, { offsetHi: 1n });
    expect(evaluate(circuit, keccak, far).violated).not.toEqual([]);
    // the claim has the length, and the time of the row
    const claim = messagesOf(keccak, sample(0n, 64n).columns).find(({ tag }) => tag === "CLAIM")!;
    expect(claim).toEqual(
      expect.objectContaining({
        multiplicity: -1n,
        coordinates: message("CLAIM", {
          ...{ t: 16n * REGISTERS.clk, length: 64n, kind: 1n },
          ...halvesOf(hashOf(bytesAt(MEMORY, 0n, 64n))),
        }).coordinates,
      }),
    );
  });
});
