/**
 * BALANCE: see `circuits/rows/balance.circom`.
 *
 * @module
 */

import { ACCOUNT, assignAccount, touchAccount } from "./account.js";
import { cellKey, type Frame, renew, renewCell } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step } from "./row.js";

export const balance = rowTemplate({
  name: "balance",
  columns: [...REGISTERS, ...ACCOUNT, ...(["hi", "lo", "tOld", "high", "act"] as const)],
  messages(c) {
    const { clk, ctx, sp, gas, hi, lo, act } = c;
    const { messages, address, cost } = touchAccount(c, act);
    const cell = { address, hi, lo };
    return [
      ...messages,
      ...step(c, act, { gas: gas - cost }, { class: 0x31n }),
      ...renew("BALANCE", c, cell, cell, c.tOld, c.high),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp - 1n, hi, lo }, act),
    ];
  },
});

/**
 * Emits the row of BALANCE. Needs the cells ACCOUNT and BALANCE of the address, and for a cold account JRN.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignBalance(m: Machine, { T }: Pick<Frame, "T">): void {
  const at = m.registers;
  const { columns, address, cost } = assignAccount(m, T);
  const { hi, lo, tOld, high } = renewCell(m, "BALANCE", cellKey.account(address), (cell) => cell);
  m.giveStack(at.sp - 1n, (hi << 128n) + lo);
  m.emit(balance, { ...at, ...columns, hi, lo, tOld, high, act: 1n });
  m.advance({ gas: at.gas - cost });
}
