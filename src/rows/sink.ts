/**
 * SINK of stack and memory: see `circuits/rows/sink.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import type { MessageFields } from "../verifier/tags.generated.js";
import type { Machine } from "./machine.js";
import { rowTemplate } from "./row.js";

export const sink = rowTemplate({
  name: "sink",
  columns: ["t", "ctx", "index", "hi", "lo", "isStack", "isMemory"],
  messages({ isStack, isMemory, ...cell }) {
    return [received(message("STACK", cell, isStack)), received(message("MEMORY", cell, isMemory))];
  },
});

/** Takes a live cell that nobody needs any more, and emits its row. @throws RowError `CELL_MISSING` */
export function assignSink<N extends "STACK" | "MEMORY">(m: Machine, tag: N, cell: MessageFields[N]): void {
  const { t, ctx, index, hi, lo } = cell;
  m.take(tag, `${ctx}:${index}`, t + 1n);
  m.emit(sink, { t, ctx, index, hi, lo, isStack: tag === "STACK" ? 1n : 0n, isMemory: tag === "MEMORY" ? 1n : 0n });
}
