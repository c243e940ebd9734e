/**
 * UNDO of a log: see `circuits/rows/undolog.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { cellKey, NO_TUPLE, renew, renewCell, SPACE, undoing, unjournal } from "./journal.js";
import { logKey } from "./logs.js";
import type { Machine } from "./machine.js";
import { logDataKey } from "./read.js";
import { REGISTERS, rowTemplate } from "./row.js";
import { assignSink } from "./sink.js";

export const undolog = rowTemplate({
  name: "undolog",
  columns: [
    ...REGISTERS,
    ...(["T", "j", "jOld", "jHigh", "n", "t", "entryOld", "entryHigh", "nOld", "nHigh"] as const),
    ...(["topics", "length", "address", "topic1Hi", "topic1Lo", "topic2Hi", "topic2Lo"] as const),
    ...(["topic3Hi", "topic3Lo", "topic4Hi", "topic4Lo", "act"] as const),
  ],
  messages(c) {
    const { T, n, t, act } = c;
    return [
      ...undoing(c, { ...NO_TUPLE, space: SPACE.LOG, valueHi: n, valueLo: t }),
      ...renew("LOGS", c, { T, n: n + 1n }, { T, n }, c.nOld, c.nHigh),
      received(message("LOG", c, act)),
    ];
  },
});

/**
 * Emits the row that undoes the last journal entry of `T`, which is one of a log, and those that sink the log's data: see
 * `assignUndo`.
 */
export function assignUndolog(m: Machine, T: bigint): void {
  const { entry, ...columns } = unjournal(m, T);
  const { valueHi: n, valueLo: t } = entry;
  const counter = renewCell(m, "LOGS", cellKey.transaction(T), () => ({ T, n }));
  const { tOld: _t, high: _high, ...head } = m.take("LOG", logKey(T, n), 16n * m.registers.clk + 1n);
  const at = 16n * (t >> 4n);
  for (let i = 0n; 32n * i < head.length; i++) assignSink(m, "LOGDATA", m.peek("LOGDATA", logDataKey(at, i)));
  m.emit(undolog, {
    ...{ ...m.registers, ...head, ...columns, n, t, nOld: counter.tOld, nHigh: counter.high },
    act: 1n,
  });
  m.advance({ pc: m.registers.pc });
}
