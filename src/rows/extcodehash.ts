/**
 * EXTCODEHASH: see `circuits/rows/extcodehash.circom`.
 *
 * @module
 */

import { EMPTY_CODE_HASH } from "../verifier/ethereum/words.js";
import { ACCOUNT, assignAccount, touchAccount } from "./account.js";
import { cellKey, type Frame, renew, renewCell } from "./journal.js";
import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step } from "./row.js";

export const extcodehash = rowTemplate({
  name: "extcodehash",
  columns: [
    ...REGISTERS,
    ...ACCOUNT,
    ...(["nonce", "createdTx", "nonceOld", "nonceHigh"] as const),
    ...(["balanceHi", "balanceLo", "balanceOld", "balanceHigh", "bare", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, hashHi, hashLo, nonce, createdTx, balanceHi, balanceLo, bare, act } = c;
    const { messages, address, cost } = touchAccount(c, act);
    const account = { address, nonce, createdTx };
    const owned = { address, hi: balanceHi, lo: balanceLo };
    const full = 1n - bare * isZero(nonce + balanceHi + balanceLo);
    return [
      ...messages,
      ...step(c, act, { gas: gas - cost }, { class: 0x3fn }),
      ...renew("NONCE", { clk, act: bare }, account, account, c.nonceOld, c.nonceHigh),
      ...renew("BALANCE", { clk, act: bare }, owned, owned, c.balanceOld, c.balanceHigh),
      give("STACK", { t: 16n * clk + 2n, ctx, index: sp - 1n, hi: full * hashHi, lo: full * hashLo }, act),
    ];
  },
});

/**
 * Emits the row of EXTCODEHASH. Needs the cell ACCOUNT of the address, for an account without code NONCE and BALANCE, and
 * for a cold account JRN.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignExtcodehash(m: Machine, { T }: Pick<Frame, "T">): void {
  const at = m.registers;
  const { columns, address, hash, cost } = assignAccount(m, T);
  const bare = hash === EMPTY_CODE_HASH;
  // without `bare`, nothing but RANGE_16 sees these: any time before now will do
  const unseen = { tOld: 16n * at.clk, high: 0n };
  const key = cellKey.account(address);
  const counted = bare ? renewCell(m, "NONCE", key, (cell) => cell) : { address, nonce: 0n, createdTx: 0n, ...unseen };
  const owned = bare ? renewCell(m, "BALANCE", key, (cell) => cell) : { address, hi: 0n, lo: 0n, ...unseen };
  const empty = bare && counted.nonce === 0n && owned.hi === 0n && owned.lo === 0n;
  m.giveStack(at.sp - 1n, empty ? 0n : hash);
  m.emit(extcodehash, {
    ...at,
    ...columns,
    ...{ nonce: counted.nonce, createdTx: counted.createdTx, nonceOld: counted.tOld, nonceHigh: counted.high },
    ...{ balanceHi: owned.hi, balanceLo: owned.lo, balanceOld: owned.tOld, balanceHigh: owned.high },
    ...{ bare: bare ? 1n : 0n, act: 1n },
  });
  m.advance({ gas: at.gas - cost });
}
