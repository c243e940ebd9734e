/**
 * Accounts that a word of the stack names. Mirrors `circuits/account.circom`.
 *
 * @module
 */

import type { Message } from "../verifier/bus.js";
import { FR_MODULUS } from "../verifier/fq2.js";
import { cellKey, journal, renew, renewCell, SPACE, transactionOf } from "./journal.js";
import type { Machine } from "./machine.js";
import { type Columns, give, inRange32, isZero, type Registers, take } from "./row.js";
import { HALF } from "./words.js";

/** Columns of `TouchAccount` but registers and act. */
export const ACCOUNT = [
  ...(["wordHi", "wordLo", "wordOld", "wordHigh", "low", "lowHigh"] as const),
  ...(["T", "hashHi", "hashLo", "lastTx", "accountOld", "accountHigh", "j", "jOld", "jHigh"] as const),
] as const;

type AccountColumns = Columns<(typeof ACCOUNT)[number]>;

/** Gas of touching an account that this transaction has touched before, and what the first touch costs more (EIP-2929). */
const WARM = 100n;
const COLD_MORE = 2500n;

const SHIFT = 1n << 32n;
const HALVED = (FR_MODULUS + 1n) / 2n;
/** 2^-32. */
const UNSHIFT = Array.from({ length: 32 }).reduce((x: bigint) => (x * HALVED) % FR_MODULUS, 1n);

/** What is above an address in a word, as the circuit has it: (hi - low) / 2^32 in the field. */
const above = (hi: bigint, low: bigint): bigint => ((((hi - low) % FR_MODULUS) + FR_MODULUS) * UNSHIFT) % FR_MODULUS;

/** `TouchAccount` of `account.circom`: its messages, the address, and what it costs. */
export function touchAccount(
  c: Registers & AccountColumns,
  act: bigint,
): { readonly messages: Message[]; readonly address: bigint; readonly cost: bigint } {
  const { clk, ctx, sp, wordHi, wordLo, low, T, hashHi, hashLo, lastTx, j } = c;
  const now = 16n * clk + 1n;
  const cold = act * (1n - isZero(T - lastTx));
  const address = HALF * low + wordLo;
  const account = { address, hashHi, hashLo };
  const none = { slotHi: 0n, slotLo: 0n, origHi: 0n, origLo: 0n };
  const old = { ...none, space: SPACE.ACCOUNT, address, lastTx, valueHi: hashHi, valueLo: hashLo };
  const messages = [
    ...take("STACK", { t: c.wordOld, ctx, index: sp - 1n, hi: wordHi, lo: wordLo }, act, now, c.wordHigh),
    ...inRange32(low, c.lowHigh),
    give("WIDE", { value: above(wordHi, low) }, act),
    transactionOf(ctx, T, act),
    ...renew("ACCOUNT", { clk, act }, { ...account, lastTx }, { ...account, lastTx: T }, c.accountOld, c.accountHigh),
    ...renew("JRN", { clk, act: cold }, { T, j }, { T, j: j + 1n }, c.jOld, c.jHigh),
    give("JOURNAL", { ...old, t: now + 1n, T, j }, cold),
  ];
  return { messages, address, cost: WARM + COLD_MORE * cold };
}

/** An account that was touched. */
export interface Touched {
  readonly columns: AccountColumns;
  readonly address: bigint;
  /** Hash of its code. */
  readonly hash: bigint;
  readonly cost: bigint;
}

/**
 * Takes the topmost stack item and touches the account that it names. Needs the cell ACCOUNT, and for a cold account JRN.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignAccount(m: Machine, T: bigint): Touched {
  const word = m.takeStack(1);
  const low = word.hi % SHIFT;
  const address = HALF * low + word.lo;
  const { tOld, high, hashHi, hashLo, lastTx } = renewCell(m, "ACCOUNT", cellKey.account(address), (cell) => ({
    ...cell,
    lastTx: T,
  }));
  const cold = lastTx !== T;
  const none = { slotHi: 0n, slotLo: 0n, origHi: 0n, origLo: 0n };
  const journaled = cold
    ? journal(m, T, { ...none, space: SPACE.ACCOUNT, address, lastTx, valueHi: hashHi, valueLo: hashLo })
    : // nothing but RANGE_16 sees these: any time before now will do
      { j: 0n, jOld: 16n * m.registers.clk, jHigh: 0n };
  return {
    columns: {
      ...{ wordHi: word.hi, wordLo: word.lo, wordOld: word.tOld, wordHigh: word.high, low, lowHigh: low >> 16n },
      ...{ T, hashHi, hashLo, lastTx, accountOld: tOld, accountHigh: high, ...journaled },
    },
    address,
    hash: HALF * hashHi + hashLo,
    cost: WARM + (cold ? COLD_MORE : 0n),
  };
}
