/**
 * End of a root frame that failed: see `circuits/rows/fail.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { RowError } from "./errors.js";
import { endRoot } from "./frame.js";
import { cellKey, journalLength, renew, renewCell } from "./journal.js";
import type { Machine } from "./machine.js";
import { REGISTERS, rowTemplate, stateOf } from "./row.js";

export const fail = rowTemplate({
  name: "fail",
  columns: [
    ...REGISTERS,
    ...(["gasHigh", "T", "jOld", "jHigh", "refund", "refundOld", "refundHigh", "n", "nOld", "nHigh", "act"] as const),
  ],
  messages(c) {
    const { T, refund, n, act } = c;
    return [
      received(message("STATE", stateOf(c, 1n), act)),
      ...endRoot(c, c, c.gas, 0n, act),
      ...renew("JRN", c, { T, j: 0n }, { T, j: 0n }, c.jOld, c.jHigh),
      ...renew("REFUND", c, { T, value: refund }, { T, value: 0n }, c.refundOld, c.refundHigh),
      ...renew("LOGS", c, { T, n }, { T, n: 0n }, c.nOld, c.nHigh),
    ];
  },
});

/**
 * Emits the row that ends the failed root frame of transaction `T`. The machine is in mode UNDO and nothing is left to
 * undo. There is no state after it: the registers stay as they are.
 *
 * @throws RowError `JOURNAL_LEFT`, `GAS_NEGATIVE`, `CELL_MISSING`, `CELL_TIME`
 */
export function assignFail(m: Machine, T: bigint): void {
  const at = m.registers;
  const left = journalLength(m, T);
  const where = `transaction ${T}`;
  if (left !== 0n) {
    throw new RowError("not all has been undone", { code: "JOURNAL_LEFT", where, expected: "0", got: String(left) });
  }
  if (at.gas < 0n) throw new RowError("the gas is spent", { code: "GAS_NEGATIVE", where, got: String(at.gas) });
  const key = cellKey.transaction(T);
  const journal = renewCell(m, "JRN", key, (old) => old);
  const refund = renewCell(m, "REFUND", key, () => ({ T, value: 0n }));
  const logs = renewCell(m, "LOGS", key, () => ({ T, n: 0n }));
  m.emit(fail, {
    ...at,
    ...{ gasHigh: at.gas >> 16n, T, jOld: journal.tOld, jHigh: journal.high },
    ...{ refund: refund.value, refundOld: refund.tOld, refundHigh: refund.high },
    ...{ n: logs.n, nOld: logs.tOld, nHigh: logs.high, act: 1n },
  });
}
