/**
 * SINK of the journal: see `circuits/rows/sinkjournal.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import type { MessageFields } from "../verifier/tags.generated.js";
import { cellKey } from "./journal.js";
import type { Machine } from "./machine.js";
import { rowTemplate } from "./row.js";

export const sinkjournal = rowTemplate({
  name: "sinkjournal",
  columns: [
    ...(["t", "T", "j", "slotHi", "slotLo", "space", "lastTx", "address"] as const),
    ...(["valueHi", "valueLo", "origHi", "origLo", "act"] as const),
  ],
  messages: ({ act, ...entry }) => [received(message("JOURNAL", entry, act))],
});

/**
 * Emits the row of a journal entry that is left at the end of its transaction, and takes it.
 *
 * @throws RowError `CELL_MISSING`
 */
export function assignSinkjournal(m: Machine, entry: MessageFields["JOURNAL"]): void {
  m.take("JOURNAL", cellKey.journal(entry.T, entry.j), entry.t + 1n);
  m.emit(sinkjournal, { ...entry, act: 1n });
}
