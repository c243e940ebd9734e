/**
 * SINK of stack, memory and log data: see `circuits/rows/sink.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import type { MessageFields } from "../verifier/tags.generated.js";
import type { Machine } from "./machine.js";
import { logDataKey } from "./read.js";
import { rowTemplate } from "./row.js";

export const sink = rowTemplate({
  name: "sink",
  columns: ["t", "ctx", "index", "hi", "lo", "isStack", "isMemory", "isLogdata"],
  messages({ isStack, isMemory, isLogdata, ...cell }) {
    // with a ctx, which LOGDATA has not, this is nobody's message
    const data = { ...message("MEMORY", cell, isLogdata), tag: "LOGDATA" } as const;
    return [received(message("STACK", cell, isStack)), received(message("MEMORY", cell, isMemory)), received(data)];
  },
});

/** Takes a live cell that nobody needs any more, and emits its row. @throws RowError `CELL_MISSING` */
export function assignSink<N extends "STACK" | "MEMORY" | "LOGDATA">(m: Machine, tag: N, cell: MessageFields[N]): void {
  const { t, hi, lo } = cell;
  const [ctx, index] = "i" in cell ? [0n, cell.i] : [cell.ctx, cell.index];
  m.take(tag, tag === "LOGDATA" ? logDataKey(t, index) : `${ctx}:${index}`, t + 1n);
  const is = (name: string): bigint => (tag === name ? 1n : 0n);
  const flags = { isStack: is("STACK"), isMemory: is("MEMORY"), isLogdata: is("LOGDATA") };
  m.emit(sink, { t, ctx, index, hi, lo, ...flags });
}
