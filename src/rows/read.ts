/**
 * A word that a chain reads from memory: see `circuits/rows/read.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { joinHalves, uintToBytes } from "../verifier/ethereum/words.js";
import { headOf, tailOf, topOf } from "./bytes.js";
import type { Machine } from "./machine.js";
import { READ_KIND, type ReadKind, reachOf } from "./memory.js";
import { give, isZero, rowTemplate, take } from "./row.js";
import { type Halves, halvesOf } from "./words.js";

/** Kind of CLAIMWORD whose bytes are hashed by keccak-256. */
export const KECCAK = 1n;

export const read = rowTemplate({
  name: "read",
  columns: [
    ...(["t", "ctx", "shift", "k", "i", "end", "m", "carryHi", "carryLo"] as const),
    ...(["hi", "lo", "wordOld", "wordHigh", "has"] as const),
    ...(["headHi", "headLo", "tailHi", "tailLo", "outHi", "outLo"] as const),
    ...(["isBuffer", "isClaim", "isLog"] as const),
  ],
  messages(c) {
    const { t, ctx, shift, k, i, end, m, carryHi, carryLo, hi, lo, has, headHi, headLo, tailHi, tailLo } = c;
    const { isBuffer, isClaim, isLog } = c;
    const act = isBuffer + isClaim + isLog;
    const last = isZero(end - i - 1n);
    const outputs = 1n - isZero(i + 1n);
    const token = { t, ctx, shift, end, m, kind: isBuffer + 2n * isClaim + 3n * isLog };
    const rest = { carryHi: tailHi - last * tailHi, carryLo: tailLo - last * tailLo };
    const cell = { ctx, index: k, hi, lo };
    const now = t + 1n + 2n * has;
    const out = { t, i, hi: c.outHi, lo: c.outLo };
    const raw = { hi: carryHi + headHi, lo: carryLo + headLo };
    return [
      received(message("READ", { ...token, k, i, carryHi, carryLo }, act)),
      message("READ", { ...token, k: k + has, i: i + 1n, ...rest }, act),
      ...take("MEMORY", { ...cell, t: c.wordOld }, has, now, c.wordHigh),
      give("MEMORY", { ...cell, t: now }, has),
      message("SHIFT", { m: shift, hi, lo, headHi, headLo, tailHi, tailLo }, act * (1n - isZero(32n - shift))),
      message("CUT", { m, ...raw, topHi: c.outHi, topLo: c.outLo }, last * (1n - isZero(32n - m))),
      message("BUFFER", out, isBuffer * outputs),
      received(message("CLAIMWORD", { ...out, kind: KECCAK }, isClaim * outputs)),
      message("LOGDATA", out, isLog * outputs),
    ];
  },
});

/** Key of LOGDATA in the machine: word `i` of what the log at `t` = 16·clk has. */
export const logDataKey = (t: bigint, i: bigint): string => `${t}:${i}`;

const NOTHING: Halves = { hi: 0n, lo: 0n };

/** What a chain read: the columns of `Reading`, and the bytes. */
export interface Bytes {
  readonly first: bigint;
  readonly n: bigint;
  readonly data: Uint8Array;
}

/**
 * Emits the chain of rows that read `size` bytes of the running frame's memory, which must be large enough. LOGDATA becomes
 * live; BUFFER is for whom the chain is read.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignRead(m: Machine, kind: ReadKind, offset: bigint, size: bigint): Bytes {
  if (size === 0n) return { first: 0n, n: 0n, data: new Uint8Array() };
  const { clk, ctx } = m.registers;
  const [t, now] = [16n * clk, 16n * clk + 3n];
  const [first, n] = [(offset + 31n) / 32n, (size + 31n) / 32n];
  const reach = reachOf(offset, size);
  const r = 32n + offset - 32n * first;
  const last = size - 32n * (n - 1n);
  const token = { t, ctx, shift: r, end: n, m: last };
  const flags = {
    isBuffer: kind === READ_KIND.BUFFER ? 1n : 0n,
    isClaim: kind === READ_KIND.CLAIMWORD ? 1n : 0n,
    isLog: kind === READ_KIND.LOGDATA ? 1n : 0n,
  };
  const data = new Uint8Array(Number(32n * n));
  let k = offset / 32n;
  let carry: Halves = NOTHING;
  for (let i = r === 32n ? 0n : -1n; i < n; i++) {
    const has = k < reach;
    const word = has ? m.take("MEMORY", `${ctx}:${k}`, now) : { ...NOTHING, tOld: t, high: 0n };
    const value = joinHalves(word.hi, word.lo);
    if (has) m.giveMemory(k, value, { port: 3n });
    const [head, tail] = [headOf(value, r), tailOf(value, r)];
    const raw = joinHalves(carry.hi + head.hi, carry.lo + head.lo);
    const isLast = i + 1n === n;
    const out = isLast ? topOf(raw, last) : halvesOf(raw);
    m.emit(read, {
      ...{ ...token, k, i, carryHi: carry.hi, carryLo: carry.lo },
      ...{ hi: word.hi, lo: word.lo, wordOld: word.tOld, wordHigh: word.high, has: has ? 1n : 0n },
      ...{ headHi: head.hi, headLo: head.lo, tailHi: tail.hi, tailLo: tail.lo, outHi: out.hi, outLo: out.lo },
      ...flags,
    });
    if (i >= 0n) {
      data.set(uintToBytes(joinHalves(out.hi, out.lo), 32), Number(32n * i));
      if (kind === READ_KIND.LOGDATA) m.give("LOGDATA", logDataKey(t, i), { i, ...out }, t);
    }
    if (has) k++;
    carry = isLast ? NOTHING : tail;
  }
  return { first, n, data: data.subarray(0, Number(size)) };
}
