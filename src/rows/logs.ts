/**
 * LOG0 to LOG4: see `circuits/rows/logs.circom`.
 *
 * @module
 */

import { type Message, message } from "../verifier/bus.js";
import {
  accountOf,
  cellKey,
  type Frame,
  journal,
  NO_TUPLE,
  renew,
  renewCell,
  SPACE,
  transactionOf,
} from "./journal.js";
import type { Machine, TakenWord } from "./machine.js";
import { expansion, grow, OPERANDS, operands, READ_KIND, reachOf, reading, span, takeOperands } from "./memory.js";
import { assignRead } from "./read.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";
import { HALF, halvesOf } from "./words.js";

const TOPICS = [1, 2, 3, 4] as const;
type Topic = (typeof TOPICS)[number];
type TopicColumn<I extends Topic = Topic> = `topic${I}${"Hi" | "Lo" | "Old" | "High"}`;

const topicColumns = TOPICS.flatMap((i): TopicColumn[] => [
  `topic${i}Hi`,
  `topic${i}Lo`,
  `topic${i}Old`,
  `topic${i}High`,
]);

export const logs = rowTemplate({
  name: "logs",
  columns: [
    ...REGISTERS,
    ...OPERANDS,
    ...topicColumns,
    ...(["reach", "words", "cost0", "cost1", "first", "count"] as const),
    ...(["T", "addressHi", "addressLo", "n", "nOld", "nHigh", "j", "jOld", "jHigh"] as const),
    ...(["isLog0", "isLog1", "isLog2", "isLog3", "isLog4"] as const),
  ],
  messages(c) {
    const {
      clk,
      ctx,
      sp,
      gas,
      size,
      reach,
      words,
      cost0,
      cost1,
      first,
      count,
      T,
      n,
      j,
      isLog0,
      isLog1,
      isLog2,
      isLog3,
      isLog4,
    } = c;
    const act = isLog0 + isLog1 + isLog2 + isLog3 + isLog4;
    const topics = isLog1 + 2n * isLog2 + 3n * isLog3 + 4n * isLog4;
    const there = [isLog1 + isLog2 + isLog3 + isLog4, isLog2 + isLog3 + isLog4, isLog3 + isLog4, isLog4];
    const now = 16n * clk + 1n;
    const { start, range } = span(size, c.offsetLo, reach);
    const left = gas - 375n - 375n * topics - 8n * size - cost1 + cost0;
    const topic = (i: Topic): Message[] => {
      const cell = {
        t: c[`topic${i}Old`],
        ctx,
        index: sp - 2n - BigInt(i),
        hi: c[`topic${i}Hi`],
        lo: c[`topic${i}Lo`],
      };
      return take("STACK", cell, there[i - 1]!, now, c[`topic${i}High`]);
    };
    const entry = { ...NO_TUPLE, T, j, space: SPACE.LOG, valueHi: n, valueLo: now + 1n };
    return [
      ...operands(c, act),
      ...TOPICS.flatMap(topic),
      range,
      ...expansion(c, c, act),
      ...reading(c, READ_KIND.LOGDATA, { start, size, reach, first, n: count }, act),
      ...step(c, act, { sp: sp - 2n - topics, msize: words, gas: left }, { class: 0xa0n, n: topics }),
      transactionOf(ctx, T, act),
      accountOf(ctx, c.addressHi, c.addressLo, act),
      ...renew("LOGS", { clk, act }, { T, n }, { T, n: n + 1n }, c.nOld, c.nHigh),
      message("LOG", { ...c, t: now + 1n, topics, length: size, address: HALF * c.addressHi + c.addressLo }, act),
      ...renew("JRN", { clk, act }, { T, j }, { T, j: j + 1n }, c.jOld, c.jHigh),
      give("JOURNAL", { ...entry, t: now + 1n }, act),
    ];
  },
});

/** Key of LOG in the machine. */
export const logKey = (T: bigint, n: bigint): string => `${T}:${n}`;

/** Emits the rows of LOG with so many topics, 0 to 4. Needs LOGS and JRN. @throws RowError `MEMORY_SIZE` */
export function assignLogs(m: Machine, { T, address }: Frame, topics: number): void {
  const at = m.registers;
  const now = 16n * at.clk + 1n;
  const { offset, size, operands: popped } = takeOperands(m);
  // without a topic the time that is asked for is just before now
  const none: TakenWord = { hi: 0n, lo: 0n, value: 0n, tOld: now - 1n, high: 0n };
  const columns = Object.fromEntries(
    TOPICS.flatMap((i): [TopicColumn, bigint][] => {
      const { hi, lo, tOld, high } = i <= topics ? m.takeStack(2 + i) : none;
      return [
        [`topic${i}Hi`, hi],
        [`topic${i}Lo`, lo],
        [`topic${i}Old`, tOld],
        [`topic${i}High`, high],
      ];
    }),
  ) as Record<TopicColumn, bigint>;
  const reach = reachOf(offset, size);
  const growth = grow(m, reach);
  const { first, n: count } = assignRead(m, READ_KIND.LOGDATA, offset, size);
  const number = renewCell(m, "LOGS", cellKey.transaction(T), (old) => ({ T, n: old.n + 1n }));
  const { n } = number;
  const { topic1Hi, topic1Lo, topic2Hi, topic2Lo, topic3Hi, topic3Lo, topic4Hi, topic4Lo } = columns;
  m.give(
    "LOG",
    logKey(T, n),
    {
      ...{ T, topics: BigInt(topics), n, length: size, address },
      ...{ topic1Hi, topic1Lo, topic2Hi, topic2Lo, topic3Hi, topic3Lo, topic4Hi, topic4Lo },
    },
    now + 1n,
  );
  const journaled = journal(m, T, { ...NO_TUPLE, space: SPACE.LOG, valueHi: n, valueLo: now + 1n });
  const account = halvesOf(address);
  const flag = (i: number): bigint => (i === topics ? 1n : 0n);
  m.emit(logs, {
    ...{ ...at, ...popped, ...columns, reach, ...growth, first, count },
    ...{ T, addressHi: account.hi, addressLo: account.lo, n, nOld: number.tOld, nHigh: number.high, ...journaled },
    ...{ isLog0: flag(0), isLog1: flag(1), isLog2: flag(2), isLog3: flag(3), isLog4: flag(4) },
  });
  m.advance({
    sp: at.sp - 2n - BigInt(topics),
    msize: growth.words,
    gas: at.gas - 375n - 375n * BigInt(topics) - 8n * size - growth.cost1 + growth.cost0,
  });
}
