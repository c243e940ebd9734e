/**
 * A word that a chain reads from memory: see `circuits/rows/read.circom`.
 *
 * @module
 */

import { message, received } from "../verifier/bus.js";
import { uintToBytes } from "../verifier/ethereum/words.js";
import type { Machine } from "./machine.js";
import { READ_KIND, type ReadKind, reachOf } from "./memory.js";
import { give, isZero, rowTemplate, take } from "./row.js";
import { halvesOf } from "./words.js";

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
  let carry = 0n;
  for (let i = r === 32n ? 0n : -1n; i < n; i++) {
    const has = k < reach;
    const { value, tOld, high } = has ? takeWord(m, k, now) : { value: 0n, tOld: t, high: 0n };
    if (has) m.giveMemory(k, value, { port: 3n });
    const head = value >> (8n * (32n - r));
    const tail = BigInt.asUintN(256, value << (8n * r));
    const raw = carry + head;
    const isLast = i + 1n === n;
    const rest = 8n * (32n - last);
    const out = isLast ? (raw >> rest) << rest : raw;
    m.emit(read, {
      ...{ ...token, k, i },
      ...halves("carry", carry),
      ...{ ...halvesOf(value), wordOld: tOld, wordHigh: high, has: has ? 1n : 0n },
      ...halves("head", head),
      ...halves("tail", tail),
      ...halves("out", out),
      ...flags,
    });
    if (i >= 0n) {
      data.set(uintToBytes(out, 32), Number(32n * i));
      if (kind === READ_KIND.LOGDATA) m.give("LOGDATA", logDataKey(t, i), { i, ...halvesOf(out) }, t);
    }
    if (has) k++;
    carry = isLast ? 0n : tail;
  }
  return { first, n, data: data.subarray(0, Number(size)) };
}

/** Takes a word of the running frame's memory. */
function takeWord(m: Machine, k: bigint, now: bigint): { value: bigint; tOld: bigint; high: bigint } {
  const { hi, lo, tOld, high } = m.take("MEMORY", `${m.registers.ctx}:${k}`, now);
  return { value: (hi << 128n) + lo, tOld, high };
}

/** The halves of a word as columns of one name. */
function halves<const N extends string>(name: N, word: bigint): Record<`${N}Hi` | `${N}Lo`, bigint> {
  const { hi, lo } = halvesOf(word);
  return { [`${name}Hi`]: hi, [`${name}Lo`]: lo } as Record<`${N}Hi` | `${N}Lo`, bigint>;
}
