/**
 * Rows that copy bytes to memory: where to, and where from if that is calldata or code. Mirrors `circuits/copy.circom`.
 *
 * @module
 */

import { type Message, message, received } from "../verifier/bus.js";
import { bytesToUint, uintToBytes } from "../verifier/ethereum/words.js";
import { load } from "./load.js";
import type { Machine } from "./machine.js";
import { reachOf, span } from "./memory.js";
import { type Columns, inRange, inRange32, isZero, type Registers, take } from "./row.js";
import { halfColumns, halvesOf } from "./words.js";
import { write } from "./write.js";

/** Field of CTX that holds the number of bytes of the calldata: the opcode CALLDATASIZE. */
export const FIELD_CALLDATASIZE = 0x36n;

/** The code id of calldata in LOAD. */
export const NO_CODE = 65537n;

/** An offset as one element of fr: itself below 2^125, and not below 2^125 wherever its upper half isn't 0. */
export const offsetOf = (hi: bigint, lo: bigint): bigint => lo + (hi << 125n);

/** The 32 bytes at an offset, zeros beyond the end. */
export function wordAt(bytes: Uint8Array, offset: number): bigint {
  const word = new Uint8Array(32);
  word.set(bytes.subarray(offset, offset + 32));
  return bytesToUint(word);
}

/** Columns of `Destination` but registers and act. */
export const DESTINATION = [
  ...(["destHi", "destLo", "destOld", "destHigh", "size", "sizeOld", "sizeHigh"] as const),
  ...(["first", "reach", "writeEnd"] as const),
] as const;

/** `Destination` of `copy.circom`. */
export function destination(
  c: Registers & Columns<(typeof DESTINATION)[number]>,
  depth: bigint,
  act: bigint,
): Message[] {
  const { clk, ctx, sp, size, first, reach } = c;
  const now = 16n * clk + 1n;
  const { start, pad, range } = span(size, c.destLo, reach);
  const shift = start - 32n * first;
  const dest = { t: c.destOld, ctx, index: sp - depth, hi: c.destHi, lo: c.destLo };
  const token = { t: 16n * clk, ctx, shift, end: c.writeEnd, carryHi: 0n, carryLo: 0n, e: 32n - pad };
  return [
    ...take("STACK", dest, act, now, c.destHigh),
    ...take("STACK", { t: c.sizeOld, ctx, index: sp - depth - 2n, hi: 0n, lo: size }, act, now, c.sizeHigh),
    range,
    inRange(5, shift),
    message("WRITE", { ...token, j: first, i: 0n }, act),
    received(message("WRITE", { ...token, j: reach, i: reach - first }, act)),
  ];
}

/** Columns of `Source` but registers, size and act. */
export const SOURCE = [
  ...(["offsetHi", "offsetLo", "offsetOld", "offsetHigh"] as const),
  ...(["length", "inside", "leftHigh", "n", "loadEnd"] as const),
] as const;

/** What a LOAD chain reads: ctx and code of its token. */
export type SourceOf = Columns<"ctx" | "code">;

/** `Source` of `copy.circom`. */
export function source(
  c: Registers & Columns<(typeof SOURCE)[number] | "size">,
  from: SourceOf,
  depth: bigint,
  act: bigint,
): Message[] {
  const { clk, ctx, sp, size, offsetHi, offsetLo, length, inside, n } = c;
  const short = (act - inside) * isZero(offsetHi);
  const left = inside * (length - offsetOf(offsetHi, offsetLo));
  const unused = 32n * n - size;
  const offset = { t: c.offsetOld, ctx, index: sp - depth, hi: offsetHi, lo: offsetLo };
  const token = { ...from, t: 16n * clk, end: c.loadEnd, length, m: 32n - unused };
  const start = length - left;
  return [
    ...inRange32(left - inside, c.leftHigh),
    message("WIDE", { value: offsetLo - length }, short),
    ...take("STACK", offset, act, 16n * clk + 1n, c.offsetHigh),
    inRange(5, unused),
    message("LOAD", { ...token, o: start, i: 0n }, act),
    received(message("LOAD", { ...token, o: start + 32n * n, i: n }, act)),
  ];
}

/** Where to and how many bytes, as {@link takeDestination} finds them on the stack. */
export interface Place {
  readonly dest: bigint;
  readonly size: bigint;
  readonly columns: Columns<(typeof DESTINATION)[number]>;
}

/** Takes the destination, `depth` items deep, and the size, two items deeper. */
export function takeDestination(m: Machine, depth: number): Place {
  const dest = m.takeStack(depth);
  const { value: size, tOld: sizeOld, high: sizeHigh } = m.takeStack(depth + 2);
  const reach = reachOf(dest.value, size);
  const first = size === 0n ? 0n : dest.value / 32n;
  // where the last word is written whole, nothing happens at the end of the chain
  const writeEnd = (dest.value + size) % 32n === 0n || size === 0n ? 0n : reach - first;
  return {
    dest: dest.value,
    size,
    columns: {
      ...{ destHi: dest.hi, destLo: dest.lo, destOld: dest.tOld, destHigh: dest.high },
      ...{ size, sizeOld, sizeHigh, first, reach, writeEnd },
    },
  };
}

/** Takes the offset in a source, `depth` items deep. Returns it and the columns of `Source`. */
export function takeOffset(
  m: Machine,
  depth: number,
  size: bigint,
  bytes: Uint8Array,
): { readonly start: bigint; readonly columns: Columns<(typeof SOURCE)[number]> } {
  const { value, hi, lo, tOld, high } = m.takeStack(depth);
  const length = BigInt(bytes.length);
  const inside = value < length;
  const n = (size + 31n) / 32n;
  return {
    start: inside ? value : length,
    columns: {
      ...{ offsetHi: hi, offsetLo: lo, offsetOld: tOld, offsetHigh: high },
      ...{ length, inside: inside ? 1n : 0n, leftHigh: inside ? (length - value - 1n) >> 16n : 0n },
      ...{ n, loadEnd: size % 32n === 0n ? 0n : n },
    },
  };
}

/**
 * Emits the chain of rows that load `size` bytes of a source, from `start` at most its length on. Returns them, zeros beyond
 * the end.
 */
export function assignLoad(m: Machine, from: SourceOf, bytes: Uint8Array, start: bigint, size: bigint): Uint8Array {
  const length = BigInt(bytes.length);
  const n = (size + 31n) / 32n;
  const last = size - 32n * (n - 1n);
  const isCode = from.code !== NO_CODE;
  const token = { ...from, t: 16n * m.registers.clk, end: last === 32n ? 0n : n, length, m: last };
  const data = new Uint8Array(Number(32n * n));
  for (let i = 0n; i < n; i++) {
    const o = start + 32n * i;
    const word = wordAt(bytes, Number(o));
    const cut = i + 1n === token.end ? headOf(word, last) : word;
    const inside = o < length;
    const flags = { isData: inside && !isCode ? 1n : 0n, isCode: inside && isCode ? 1n : 0n, act: 1n };
    m.emit(load, { ...token, o, i, ...halvesOf(word), ...halfColumns("cut", cut), ...flags });
    data.set(uintToBytes(cut, 32), Number(32n * i));
  }
  return data.subarray(0, Number(size));
}

/**
 * Emits the chain of rows that write bytes to the running frame's memory, which must be large enough.
 *
 * @throws RowError `CELL_MISSING`, `CELL_TIME`
 */
export function assignWrite(m: Machine, dest: bigint, bytes: Uint8Array): void {
  const { ctx, clk } = m.registers;
  const size = BigInt(bytes.length);
  if (size === 0n) return;
  const [t, now] = [16n * clk, 16n * clk + 4n];
  const [r, n, first] = [dest % 32n, (size + 31n) / 32n, dest / 32n];
  const count = (r + size + 31n) / 32n;
  const e = r + size - 32n * (count - 1n);
  const end = e === 32n ? 0n : count;
  let carry = 0n;
  for (let i = 0n; i < count; i++) {
    const word = i < n ? wordAt(bytes, Number(32n * i)) : 0n;
    const head = word >> (8n * r);
    const tail = r === 0n ? 0n : BigInt.asUintN(256, word << (8n * (32n - r)));
    const j = first + i;
    const { hi: wasHi, lo: wasLo, tOld, high } = m.take("MEMORY", `${ctx}:${j}`, now);
    const was = (wasHi << 128n) + wasLo;
    const top = i === 0n ? headOf(was, r) : 0n;
    const kept = i + 1n === end ? headOf(was, e) : was;
    m.giveMemory(j, carry + head + top + was - kept, { port: 4n });
    m.emit(write, {
      ...{ t, ctx, r, end, e, j, i },
      ...halfColumns("carry", carry),
      ...halvesOf(word),
      ...halfColumns("head", head),
      ...halfColumns("tail", tail),
      ...{ wasHi, wasLo },
      ...halfColumns("top", top),
      ...halfColumns("kept", kept),
      ...{ wordOld: tOld, wordHigh: high, has: i < n ? 1n : 0n, act: 1n },
    });
    carry = tail;
  }
}

/** The first `bytes` bytes of a word in place, zeros behind them. */
function headOf(word: bigint, bytes: bigint): bigint {
  const rest = 8n * (32n - bytes);
  return (word >> rest) << rest;
}
