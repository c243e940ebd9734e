/**
 * BLOCKHASH: see `circuits/rows/blockhash.circom`.
 *
 * @module
 */

import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";
import { halvesOf } from "./words.js";

/** Field of ENV that holds the number of the block. */
const FIELD_NUMBER = 0x43n;
/** How many blocks before this one have a hash. */
const ANCESTORS = 256n;

export const blockhash = rowTemplate({
  name: "blockhash",
  columns: [
    ...REGISTERS,
    ...(["nHi", "nLo", "nOld", "nHigh", "number", "hashHi", "hashLo", "inside", "above", "below"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, nHi, nLo, number, hashHi, hashLo, inside, above, below } = c;
    const act = inside + above + below;
    const now = 16n * clk + 1n;
    const distance = (above * isZero(nHi) - below) * (nLo - number) - (ANCESTORS + 1n) * below;
    return [
      ...step(c, act, { gas: gas - 20n }, { class: 0x40n }),
      ...take("STACK", { t: c.nOld, ctx, index: sp - 1n, hi: nHi, lo: nLo }, act, now, c.nHigh),
      give("ENV", { field: FIELD_NUMBER, hi: 0n, lo: number }, act),
      give("WIDE", { value: distance }, above + below),
      give("BLOCKHASH", { n: nLo, hi: hashHi, lo: hashLo }, inside),
      give("STACK", { t: now + 1n, ctx, index: sp - 1n, hi: inside * hashHi, lo: inside * hashLo }, act),
    ];
  },
});

/** What BLOCKHASH has to know of its block. */
export interface BlockFrame {
  /** Number of the block, below 2^64. */
  readonly number: bigint;
  /** Hash of one of the 256 blocks before; is asked for no other. */
  blockHash(n: bigint): bigint;
}

/** Emits the row of BLOCKHASH. @throws whatever `blockHash` throws */
export function assignBlockhash(m: Machine, frame: BlockFrame): void {
  const { number } = frame;
  const at = m.registers;
  const n = m.takeStack(1);
  const above = n.value >= number;
  const below = n.value + ANCESTORS < number;
  const inside = !above && !below;
  const hash = inside ? frame.blockHash(n.value) : 0n;
  const { hi: hashHi, lo: hashLo } = halvesOf(hash);
  m.giveStack(at.sp - 1n, hash);
  m.emit(blockhash, {
    ...at,
    ...{ nHi: n.hi, nLo: n.lo, nOld: n.tOld, nHigh: n.high, number, hashHi, hashLo },
    ...{ inside: inside ? 1n : 0n, above: above ? 1n : 0n, below: below ? 1n : 0n },
  });
  m.advance({ gas: at.gas - 20n });
}
