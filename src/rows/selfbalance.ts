/**
 * SELFBALANCE: see `circuits/rows/selfbalance.circom`.
 *
 * @module
 */

import { accountOf, cellKey, type Frame, renew, renewCell } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, inRange, REGISTERS, rowTemplate, step } from "./row.js";
import { HALF, halvesOf } from "./words.js";

export const selfbalance = rowTemplate({
  name: "selfbalance",
  columns: [...REGISTERS, ...(["addressHi", "addressLo", "hi", "lo", "tOld", "high", "act"] as const)],
  messages(c) {
    const { clk, ctx, sp, gas, addressHi, addressLo, hi, lo, act } = c;
    const cell = { address: HALF * addressHi + addressLo, hi, lo };
    return [
      ...step(c, act, { sp: sp + 1n, gas: gas - 5n }, { class: 0x47n }),
      accountOf(ctx, addressHi, addressLo, act),
      ...renew("BALANCE", c, cell, cell, c.tOld, c.high),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp, hi, lo }, act),
      inRange(10, sp),
    ];
  },
});

/**
 * Emits the row of SELFBALANCE. Needs the cell BALANCE of the frame's account.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignSelfbalance(m: Machine, { address }: Pick<Frame, "address">): void {
  const at = m.registers;
  const { hi, lo, tOld, high } = renewCell(m, "BALANCE", cellKey.account(address), (cell) => cell);
  m.giveStack(at.sp, (hi << 128n) + lo);
  const account = halvesOf(address);
  m.emit(selfbalance, {
    ...at,
    ...{ addressHi: account.hi, addressLo: account.lo, hi, lo, tOld, high, act: 1n },
  });
  m.advance({ sp: at.sp + 1n, gas: at.gas - 5n });
}
