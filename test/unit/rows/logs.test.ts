import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cellKey } from "../../../src/rows/journal.js";
import { assignLogs, logs } from "../../../src/rows/logs.js";
import { type Machine, messagesOf } from "../../../src/rows/machine.js";
import { memoryCost } from "../../../src/rows/memory.js";
import { read } from "../../../src/rows/read.js";
import { halvesOf } from "../../../src/rows/words.js";
import { EDGE_WORDS, REGISTERS } from "../../support/machine.js";
import {
  bytesAt,
  countingMemory,
  forged,
  machineWithMemory,
  memoryGas,
  outOfRange,
  placed,
  rowsOf,
  sampleOn,
  unmatched,
  unmatchedBy,
  wordsOfBytes,
} from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";
import { FRAME, messagesWith, open } from "../../support/storage.js";

const { T, address } = FRAME;
const MEMORY = countingMemory(5);
/** Topics that all differ, the first on top. */
const TOPIC_WORDS = [EDGE_WORDS.at(-1)!, (7n << 200n) + 8n, 5n << 130n, 6n];

function machine(offset: bigint, size: bigint, topics: number, memory = MEMORY): Machine {
  const m = machineWithMemory([9n, ...TOPIC_WORDS.slice(0, topics).reverse(), size, offset], memory);
  open(m);
  return m;
}

const sample = (offset: bigint, size: bigint, topics: number, memory?: bigint[]) =>
  sampleOn(machine(offset, size, topics, memory), logs, `${topics} topics, ${size} bytes at ${offset}`, (m) =>
    assignLogs(m, FRAME, topics),
  );

describeRow({
  template: logs,
  cost: 154,
  samples: () => [sample(1n, 65n, 4, []), sample(1n << 200n, 0n, 4)],
});

describe("LOG", () => {
  it("logs topics and bytes, takes gas as the EVM does, and leaves the bus balanced", () => {
    fc.assert(
      fc.property(placed(), fc.nat({ max: 4 }), fc.nat({ max: 7 }), ([offset, size], topics, words) => {
        const memory = countingMemory(words);
        const m = machine(offset, size, topics, memory);
        const before = m.registers;
        const cells = ["LOGS", "LOG", "LOGDATA", "JRN", "JOURNAL"] as const;
        expect(unmatchedBy(m, () => assignLogs(m, FRAME, topics), cells)).toEqual([]);
        let msize = BigInt(words);
        while (size > 0n && 32n * msize < offset + size) msize++;
        const cost = 375n + 375n * BigInt(topics) + 8n * size + memoryGas(msize) - memoryGas(BigInt(words));
        expect(m.registers).toEqual({
          ...before,
          ...{ clk: before.clk + 1n, pc: before.pc + 1n, sp: 1n, msize, gas: before.gas - cost },
        });
        expect(m.takeStack(1).value).toBe(9n);
        const t = 16n * before.clk;
        const [first, second, third, fourth] = TOPIC_WORDS.map((word, i) => halvesOf(i < topics ? word : 0n));
        expect(m.live("LOG").map(({ cell }) => cell)).toEqual([
          {
            ...{ t: t + 2n, T, n: 0n, topics: BigInt(topics), length: size, address },
            ...{ topic1Hi: first!.hi, topic1Lo: first!.lo, topic2Hi: second!.hi, topic2Lo: second!.lo },
            ...{ topic3Hi: third!.hi, topic3Lo: third!.lo, topic4Hi: fourth!.hi, topic4Lo: fourth!.lo },
          },
        ]);
        const data = wordsOfBytes(bytesAt(memory, offset, size));
        expect(m.live("LOGDATA").map(({ cell }) => cell)).toEqual(
          data.map((word, i) => ({ t, i: BigInt(i), ...halvesOf(word) })),
        );
        expect(m.peek("LOGS", cellKey.transaction(T)).n).toBe(1n);
        expect(m.peek("JOURNAL", cellKey.journal(T, 2n))).toMatchObject({ space: 5n, valueHi: 0n, valueLo: t + 2n });
        const row = rowsOf(m, logs)[0]!;
        expect(messagesWith(logs, row, "CODE")[0]!.fields).toMatchObject({ class: 0xa0n, n: BigInt(topics) });
        expect(outOfRange(logs, row)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses every mutation of fewer topics", async () => {
    const circuit = await rowCircuit("logs");
    for (const topics of [0, 2]) {
      const { columns } = sample(33n, 31n, topics);
      const { violated, sum, expected } = evaluate(circuit, logs, columns);
      expect(violated).toEqual([]);
      expect(sum).toBe(expected);
      const missing = [1, 2, 3, 4].filter((i) => i > topics);
      for (const [i, name] of logs.columns.entries()) {
        // no topic is taken: when it was pushed says nothing
        if (!/^(topic|isLog|sp$)/.test(name)) continue;
        if (missing.some((k) => name === `topic${k}Old` || name === `topic${k}High`)) continue;
        for (const other of [columns[i]! + 1n, 0n, 1n]) {
          if (other === columns[i]) continue;
          expect(passes(circuit, logs, columns, columns.with(i, other)), `${topics}: ${name} = ${other}`).toBe(false);
        }
      }
    }
  });

  it("has one number of topics, which the code says", async () => {
    const circuit = await rowCircuit("logs");
    const { columns } = sample(0n, 32n, 2);
    for (const flags of [
      { isLog1: 1n },
      { isLog2: 0n, isLog4: 1n },
      { isLog2: 0n, isLog1: 2n },
      { isLog2: 2n },
      { isLog2: 0n },
      { isLog1: 2n, isLog0: -1n, isLog2: 0n },
    ]) {
      expect(passes(circuit, logs, columns, forged(logs, columns, flags))).toBe(false);
    }
    // a topic that the opcode doesn't have
    expect(evaluate(circuit, logs, forged(logs, columns, { topic3Lo: 1n })).violated).not.toEqual([]);
    expect(evaluate(circuit, logs, forged(logs, columns, { topic4Hi: 1n })).violated).not.toEqual([]);
  });

  it("can't log fewer bytes than it pays for, or bytes of elsewhere", async () => {
    const circuit = await rowCircuit("logs");
    const m = machine(33n, 70n, 1, []);
    assignLogs(m, FRAME, 1);
    const honest = rowsOf(m, logs)[0]!;
    const left = (columns: readonly bigint[]) =>
      unmatched([...messagesOf(logs, columns), ...rowsOf(m, read).flatMap((row) => messagesOf(read, row))]).filter(
        ({ tag, multiplicity }) => tag === "READ" || (tag === "MEMORY" && multiplicity < 0n),
      );
    expect(left(honest).filter(({ tag }) => tag === "READ")).toEqual([]);
    for (const changes of [{ first: 1n }, { count: 2n }, { count: 4n }, { reach: 3n }, { offsetLo: 1n }]) {
      expect(outOfRange(logs, forged(logs, honest, changes))).not.toEqual([]);
    }
    const poor = forged(logs, honest, { words: 0n, cost1: memoryCost(0n) });
    expect(evaluate(circuit, logs, poor).violated).toEqual([]);
    expect(left(poor).map(({ tag }) => tag)).toEqual(["MEMORY", "MEMORY", "MEMORY"]);
  });

  it("is refused where no gas suffices, and without counters", () => {
    const far = () => assignLogs(machine(1n << 200n, 1n, 0), FRAME, 0);
    expect(far).toThrow(expect.objectContaining({ code: "MEMORY_SIZE" }));
    const closed = machineWithMemory([0n, 0n], [], REGISTERS);
    expect(() => assignLogs(closed, FRAME, 0)).toThrow(expect.objectContaining({ code: "CELL_MISSING" }));
  });
});
