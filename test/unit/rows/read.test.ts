import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type Machine, messagesOf } from "../../../src/rows/machine.js";
import { READ_KIND, type ReadKind, reachOf, reading } from "../../../src/rows/memory.js";
import { assignRead, read } from "../../../src/rows/read.js";
import { fieldsOf, type Message, received } from "../../../src/verifier/bus.js";
import { REGISTERS } from "../../support/machine.js";
import {
  bytesAt,
  countingMemory,
  forged,
  liveWords,
  machineWithMemory,
  messagesOfRows,
  placed,
  rowsOf,
  type Unmatched,
  unmatched,
  wordsOfBytes,
} from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";

const MEMORY = countingMemory(8);
const OUTPUTS = ["BUFFER", "CLAIMWORD", "LOGDATA"] as const;
const { BUFFER, CLAIMWORD, LOGDATA } = READ_KIND;

/** A chain on a machine, and the messages of the row that reads. */
interface Chain {
  readonly machine: Machine;
  readonly rows: readonly bigint[][];
  readonly ends: Message[];
  readonly data: Uint8Array;
}

function chain(kind: ReadKind, offset: bigint, size: bigint, memory: readonly bigint[] = MEMORY): Chain {
  const machine = machineWithMemory([], memory);
  const { first, n, data } = assignRead(machine, kind, offset, size);
  const reach = reachOf(offset, size);
  const ends = reading(machine.registers, kind, { start: size === 0n ? 0n : offset, size, reach, first, n }, 1n);
  return { machine, rows: rowsOf(machine, read), ends, data };
}

/** What the chain leaves open of its tokens and of memory, with other rows in place of its own. */
function left({ machine, ends }: Chain, rows: readonly (readonly bigint[])[]): Unmatched[] {
  const before = liveWords(machineWithMemory([], MEMORY));
  const now = liveWords(machine).map(received);
  const messages = [...before, ...ends, ...rows.flatMap((row) => messagesOf(read, row)), ...now];
  return unmatched(messages.filter(({ tag }) => tag === "READ" || tag === "MEMORY"));
}

const rowsAt = (kind: ReadKind, offset: bigint, size: bigint) =>
  chain(kind, offset, size).rows.map((columns, i) => ({ what: `${kind}: ${size} at ${offset}, row ${i}`, columns }));
const at = (columns: readonly bigint[], name: (typeof read.columns)[number]) => columns[read.columns.indexOf(name)]!;
const takes = (columns: readonly bigint[]) => at(columns, "has") === 1n;

describeRow({
  template: read,
  cost: 78,
  samples: () =>
    [
      ...rowsAt(CLAIMWORD, 64n, 64n),
      ...rowsAt(LOGDATA, 33n, 65n),
      ...rowsAt(BUFFER, 31n, 33n),
      ...rowsAt(CLAIMWORD, 32n, 20n),
      ...rowsAt(BUFFER, 20n, 1n).slice(0, 1),
    ].filter(({ columns }) => takes(columns)),
});

describe("read", () => {
  it("reads bytes as words, of every kind, and gives memory back as it was", () => {
    const kind = fc.constantFrom(BUFFER, CLAIMWORD, LOGDATA);
    fc.assert(
      fc.property(kind, placed(), (kind, [offset, size]) => {
        const memory = countingMemory(Number(reachOf(offset, size)) + 1);
        const read = chain(kind, offset, size, memory);
        const expected = bytesAt(memory, offset, size);
        expect(read.data).toEqual(expected);
        const outputs = messagesOfRows(read.machine).filter(
          ({ tag, multiplicity }) => (OUTPUTS as readonly string[]).includes(tag) && multiplicity !== 0n,
        );
        const t = 16n * REGISTERS.clk;
        const words = wordsOfBytes(expected);
        expect(outputs.map(({ tag }) => tag)).toEqual(words.map(() => OUTPUTS[Number(kind) - 1]));
        expect(outputs.map(fieldsOf)).toMatchObject(
          words.map((word, i) => ({ t, i: BigInt(i), hi: word >> 128n, lo: word % (1n << 128n) })),
        );
        expect(outputs.every(({ multiplicity }) => multiplicity === (kind === CLAIMWORD ? -1n : 1n))).toBe(true);
        const before = liveWords(machineWithMemory([], memory));
        const messages = [...before, ...read.ends, ...messagesOfRows(read.machine)];
        const open = unmatched([...messages, ...liveWords(read.machine).map(received)]);
        expect(open.map(({ tag }) => tag)).toEqual(words.map(() => OUTPUTS[Number(kind) - 1]));
        expect(read.machine.live("MEMORY").map(({ cell }) => cell.hi * (1n << 128n) + cell.lo)).toEqual(
          expect.arrayContaining(memory),
        );
        const logged = read.machine.live("LOGDATA").map(({ cell }) => (cell.hi << 128n) + cell.lo);
        expect(logged).toEqual(kind === LOGDATA ? words : []);
        expect(read.ends.filter(({ tag }) => tag.startsWith("RANGE")).every(({ coordinates: [x] }) => x! < 32n)).toBe(
          true,
        );
      }),
      { numRuns: 60 },
    );
  });

  it("refuses every mutation of a row that takes no word", async () => {
    const circuit = await rowCircuit("read");
    const honest = chain(CLAIMWORD, 20n, 33n).rows.at(-1)!;
    expect(takes(honest)).toBe(false);
    expect(evaluate(circuit, read, honest).violated).toEqual([]);
    for (const [i, name] of read.columns.entries()) {
      // no cell is taken: when it was written says nothing
      if (name === "wordOld" || name === "wordHigh") continue;
      for (const other of [honest[i]! + 1n, 0n, 1n, -honest[i]!, 1n << 128n]) {
        if (other === honest[i]) continue;
        expect(passes(circuit, read, honest, honest.with(i, other)), `${name} = ${other}`).toBe(false);
      }
    }
  });

  it("can't read less than memory has: no word in place of one in the middle, or of the last", async () => {
    const circuit = await rowCircuit("read");
    const honest = chain(CLAIMWORD, 20n, 70n);
    const nothing = { has: 0n, hi: 0n, lo: 0n, headHi: 0n, headLo: 0n, tailHi: 0n, tailLo: 0n };
    for (const i of [0, 1, 2]) {
      const row = honest.rows[i]!;
      const raw = { outHi: at(row, "carryHi"), outLo: at(row, "carryLo"), wordOld: at(row, "t"), wordHigh: 0n };
      const lie = forged(read, row, { ...nothing, ...raw });
      expect(evaluate(circuit, read, lie).violated).not.toEqual([]);
    }
    // the last row of a slice whose end needs a word: the row agrees, but the chain ends before `reach`
    const needed = chain(CLAIMWORD, 20n, 50n);
    const last = needed.rows.at(-1)!;
    expect(takes(last)).toBe(true);
    const raw = { outHi: at(last, "carryHi"), outLo: at(last, "carryLo"), wordOld: at(last, "t"), wordHigh: 0n };
    const lie = forged(read, last, { ...nothing, ...raw });
    expect(evaluate(circuit, read, lie).violated).toEqual([]);
    expect(left(needed, [...needed.rows.slice(0, -1), lie])).toContainEqual(
      expect.objectContaining({ tag: "READ", multiplicity: 1n }),
    );
    // and beyond the end there is no word to take, but 0
    const beyond = chain(CLAIMWORD, 20n, 33n);
    const further = forged(read, beyond.rows.at(-1)!, { has: 1n });
    expect(left(beyond, [...beyond.rows.slice(0, -1), further]).map(({ tag }) => tag)).toContain("READ");
    expect(left(beyond, beyond.rows)).toEqual([]);
  });

  it("can't shift by another number of bytes, skip the first word's or keep the last one's", async () => {
    const circuit = await rowCircuit("read");
    // every row takes a word
    const { rows } = chain(BUFFER, 20n, 80n);
    const other = chain(BUFFER, 21n, 80n).rows;
    for (const [i, row] of rows.entries()) {
      const parts = ["shift", "headHi", "headLo", "tailHi", "tailLo", "outHi", "outLo", "carryHi", "carryLo"] as const;
      const changes = Object.fromEntries(parts.map((name) => [name, at(other[i]!, name)]));
      expect(passes(circuit, read, row, forged(read, row, changes))).toBe(false);
      // as if the bytes were aligned
      const { hi, lo } = { hi: at(row, "hi"), lo: at(row, "lo") };
      const aligned = { headHi: hi, headLo: lo, tailHi: 0n, tailLo: 0n };
      expect(passes(circuit, read, row, forged(read, row, aligned))).toBe(false);
    }
    const last = rows.at(-1)!;
    const whole = { outHi: at(last, "carryHi") + at(last, "headHi"), outLo: at(last, "carryLo") + at(last, "headLo") };
    expect(passes(circuit, read, last, forged(read, last, whole))).toBe(false);
    expect(passes(circuit, read, last, forged(read, last, { m: 32n, ...whole }))).toBe(false);
  });

  it("does not balance with a row left out, made twice, or one too many", () => {
    const honest = chain(LOGDATA, 33n, 100n);
    const { rows } = honest;
    const skipped = rows.filter((_, i) => i !== 1);
    const twice = [...rows, rows[1]!];
    const further = forged(read, rows.at(-1)!, { k: 7n, i: 4n, carryHi: 0n, carryLo: 0n });
    const shorter = rows.slice(0, -1);
    const later = rows.slice(1);
    for (const forgery of [skipped, twice, [...rows, further], shorter, later]) {
      expect(left(honest, forgery).map(({ tag }) => tag)).toContain("READ");
    }
    expect(left(honest, rows)).toEqual([]);
  });

  it("is of one kind, whatever the flags", async () => {
    const circuit = await rowCircuit("read");
    const honest = chain(BUFFER, 0n, 32n).rows[0]!;
    for (const [isBuffer, isClaim, isLog] of [
      [0n, 0n, 0n],
      [1n, 1n, 0n],
      [1n, 0n, 1n],
      [2n, 0n, 0n],
      [2n, -1n, 0n],
      [0n, -1n, 1n],
    ] as const) {
      const columns = forged(read, honest, { isBuffer, isClaim, isLog });
      expect(passes(circuit, read, honest, columns)).toBe(false);
    }
  });
});
