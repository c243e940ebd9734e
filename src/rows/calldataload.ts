/**
 * CALLDATALOAD at multiples of 32, in root frames: see `circuits/rows/calldataload.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { RowError } from "./errors.js";
import type { Machine } from "./machine.js";
import { alignedIndex } from "./memory.js";
import { give, inRange32, REGISTERS, rowTemplate, step, take } from "./row.js";

/** Field of CTX that holds the number of bytes: the opcode CALLDATASIZE. */
export const FIELD_CALLDATASIZE = 0x36n;
/** Field of CTX that holds the pseudo-frame whose memory the calldata is. */
export const FIELD_CALLDATA = 0x101n;

export const calldataload = rowTemplate({
  name: "calldataload",
  columns: [
    ...REGISTERS,
    ...(["i", "offsetOld", "offsetHigh"] as const),
    ...(["len", "region", "distanceHigh"] as const),
    ...(["hi", "lo", "wordOld", "wordHigh"] as const),
    ...(["inside", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, i, len, region, hi, lo, inside, act } = c;
    const now = 16n * clk + 1n;
    const left = len - 32n * i;
    const word = { ctx: region, index: i, hi, lo };
    return [
      ...step(c, act, { gas: gas - 3n }, { class: 0x35n }),
      message("CTX", { ctx, hi: 0n, lo: len, field: FIELD_CALLDATASIZE }, act),
      message("CTX", { ctx, hi: 0n, lo: region, field: FIELD_CALLDATA }, act),
      ...inRange32(inside * (2n * left - 1n) - left, c.distanceHigh),
      ...take("STACK", { t: c.offsetOld, ctx, index: sp - 1n, hi: 0n, lo: 32n * i }, act, now, c.offsetHigh),
      ...take("MEMORY", { ...word, t: c.wordOld }, inside, now, c.wordHigh),
      give("MEMORY", { ...word, t: now }, inside),
      give("STACK", { t: now + 1n, ctx, index: sp - 1n, hi, lo }, act),
    ];
  },
});

/**
 * Emits the row of CALLDATALOAD.
 *
 * @param calldata the pseudo-frame whose memory it is, and its number of bytes.
 * @throws RowError `MEMORY_ALIGNMENT`; `CALLDATA_OFFSET` for an offset of 2^32 or more.
 */
export function assignCalldataload(m: Machine, calldata: { readonly ctx: bigint; readonly length: bigint }): void {
  const at = m.registers;
  const { ctx: region, length: len } = calldata;
  const { value, tOld: offsetOld, high: offsetHigh } = m.takeStack(1);
  if (value >= 1n << 32n) {
    throw new RowError("there are rows for offsets below 2^32 only", {
      code: "CALLDATA_OFFSET",
      where: `frame ${at.ctx}, clk ${at.clk}`,
      got: `${value}`,
    });
  }
  const i = alignedIndex(m, value);
  const inside = value < len;
  // outside nothing is taken; a time of 0 with its limb satisfies the range that is asked all the same
  const nothing = { hi: 0n, lo: 0n, value: 0n, tOld: 0n, high: (16n * at.clk) >> 16n };
  const word = inside ? m.takeMemory(i, region) : nothing;
  if (inside) m.giveMemory(i, word.value, { ctx: region });
  m.giveStack(at.sp - 1n, word.value);
  m.emit(calldataload, {
    ...at,
    ...{ i, offsetOld, offsetHigh },
    ...{ len, region, distanceHigh: (inside ? len - value - 1n : value - len) >> 16n },
    ...{ hi: word.hi, lo: word.lo, wordOld: word.tOld, wordHigh: word.high },
    ...{ inside: inside ? 1n : 0n, act: 1n },
  });
  m.advance({ gas: at.gas - 3n });
}
