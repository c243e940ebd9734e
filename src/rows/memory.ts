/**
 * Memory as rows use it: what its growth costs, aligned words, slices, chains that read bytes. Mirrors the
 * templates of `circuits/memory.circom`.
 *
 * @module
 */

import { type Message, message, received } from "../verifier/bus.js";
import { RowError } from "./errors.js";
import { expand } from "./expand.js";
import type { Machine, Taken } from "./machine.js";
import { type Columns, inRange, inRange32, isZero, type Registers, take } from "./row.js";
import type { Halves } from "./words.js";

/** No memory has as many words: its gas would be 2^31 and more. */
export const MAX_WORDS = 1n << 20n;

/** Gas of a memory of `words` words. */
export function memoryCost(words: bigint): bigint {
  return 3n * words + words ** 2n / 512n;
}

/** Columns of `Expansion`. */
export interface Growth {
  /** Size afterwards. */
  readonly words: bigint;
  /** What the memory cost before, and afterwards. */
  readonly cost0: bigint;
  readonly cost1: bigint;
}

/** `Expansion` of `memory.circom`. */
export function expansion({ clk, ctx, msize }: Registers, { words, cost0, cost1 }: Growth, act: bigint): Message[] {
  const token = { t: 16n * clk, ctx, end: words };
  return [
    message("MEMGAS", { cost: cost0, w: msize }, act),
    message("MEMGAS", { cost: cost1, w: words }, act),
    message("EXPAND", { ...token, i: msize }, act),
    received(message("EXPAND", { ...token, i: words }, act)),
  ];
}

/** Columns of `Aligned`. */
type Aligned = Growth & Columns<"i" | "offsetOld" | "offsetHigh">;

/** `Aligned` of `memory.circom`. */
export function aligned(c: Registers & Aligned, act: bigint): Message[] {
  return unaligned({ ...c, r: 0n }, act);
}

/** Columns of `Unaligned`. */
export const UNALIGNED = ["i", "r", "offsetOld", "offsetHigh", "words", "cost0", "cost1"] as const;

/** `Unaligned` of `memory.circom`. */
export function unaligned(c: Registers & Columns<(typeof UNALIGNED)[number]>, act: bigint): Message[] {
  const { clk, ctx, sp, i, r, offsetOld, offsetHigh } = c;
  const offset = { t: offsetOld, ctx, index: sp - 1n, hi: 0n, lo: 32n * i + r };
  return [...take("STACK", offset, act, 16n * clk + 1n, offsetHigh), ...expansion(c, c, act)];
}

/** `Rewrite` of `memory.circom`. */
export function rewrite(
  { clk, ctx }: Registers,
  index: bigint,
  { before, after }: { readonly before: Halves; readonly after: Halves },
  { tOld, high }: Taken,
  act: bigint,
): Message[] {
  const now = 16n * clk + 1n;
  const [was, is] = [
    { ctx, index, hi: before.hi, lo: before.lo },
    { ctx, index, hi: after.hi, lo: after.lo },
  ];
  return [...take("MEMORY", { ...was, t: tOld }, act, now, high), message("MEMORY", { ...is, t: now }, act)];
}

/** Columns of `Operands`. */
export const OPERANDS = [
  ...(["offsetHi", "offsetLo", "offsetOld", "offsetHigh"] as const),
  ...(["size", "sizeOld", "sizeHigh"] as const),
] as const;

type Operands = Columns<(typeof OPERANDS)[number]>;

/** `Operands` of `memory.circom`. */
export function operands(c: Registers & Operands, act: bigint): Message[] {
  const { clk, ctx, sp, size } = c;
  const now = 16n * clk + 1n;
  const offset = { t: c.offsetOld, ctx, index: sp - 1n, hi: c.offsetHi, lo: c.offsetLo };
  return [
    ...take("STACK", offset, act, now, c.offsetHigh),
    ...take("STACK", { t: c.sizeOld, ctx, index: sp - 2n, hi: 0n, lo: size }, act, now, c.sizeHigh),
  ];
}

/** `Span` of `memory.circom`: where `size` bytes start and how far before a multiple of 32 they end, and the message. */
export function span(
  size: bigint,
  offsetLo: bigint,
  reach: bigint,
): { readonly start: bigint; readonly pad: bigint; readonly range: Message } {
  const start = (1n - isZero(size)) * offsetLo;
  const pad = 32n * reach - start - size;
  return { start, pad, range: inRange(5, pad) };
}

/** Columns of `Slice`. */
export const SLICE = [...OPERANDS, ...(["reach", "words", "spareHigh", "cost0", "cost1"] as const)] as const;

/** `Slice` of `memory.circom`. */
export function slice(c: Registers & Columns<(typeof SLICE)[number]>, act: bigint): Message[] {
  const { size, offsetLo, reach, words } = c;
  return [
    ...operands(c, act),
    span(size, offsetLo, reach).range,
    ...inRange32(words - reach, c.spareHigh),
    ...expansion(c, c, act),
  ];
}

/** What a `read` row does with the words that it puts together. */
export const READ_KIND = { BUFFER: 1n, CLAIMWORD: 2n, LOGDATA: 3n } as const;
export type ReadKind = (typeof READ_KIND)[keyof typeof READ_KIND];

/** `Reading` of `memory.circom`. */
export function reading(
  { clk, ctx }: Registers,
  kind: ReadKind,
  at: Columns<"start" | "size" | "reach" | "first" | "n">,
  act: bigint,
): Message[] {
  const { start, size, reach, first, n } = at;
  const [q, rest] = [32n * first - start, 32n * n - size];
  const whole = isZero(q);
  const token = { t: 16n * clk, ctx, shift: 32n - q, end: n, kind, m: 32n - rest, carryHi: 0n, carryLo: 0n };
  return [
    inRange(5, q),
    inRange(5, rest),
    message("READ", { ...token, k: first - 1n + whole, i: whole - 1n }, act),
    received(message("READ", { ...token, k: reach, i: n }, act)),
  ];
}

/**
 * Grows the running frame's memory to at least `reach` words: emits the rows that make them.
 *
 * @throws RowError `MEMORY_SIZE` for 2^20 words or more.
 */
export function grow(m: Machine, reach: bigint): Growth {
  const { ctx, clk, msize } = m.registers;
  if (reach >= MAX_WORDS) {
    throw new RowError("no gas pays for so much memory", {
      code: "MEMORY_SIZE",
      where: `frame ${ctx}, clk ${clk}`,
      expected: `fewer than ${MAX_WORDS} words`,
      got: `${reach}`,
    });
  }
  const words = reach > msize ? reach : msize;
  for (let i = msize; i < words; i++) {
    m.giveMemory(i, 0n, { port: 0n });
    m.emit(expand, { t: 16n * clk, ctx, end: words, i, act: 1n });
  }
  return { words, cost0: memoryCost(msize), cost1: memoryCost(words) };
}

/**
 * Takes the offset on top of the stack, a multiple of 32, and grows the memory to the word there.
 *
 * @throws RowError `MEMORY_ALIGNMENT`, `MEMORY_SIZE`
 */
export function assignAligned(m: Machine): Aligned {
  const { tOld: offsetOld, high: offsetHigh, value } = m.takeStack(1);
  const i = alignedIndex(m, value);
  return { i, offsetOld, offsetHigh, ...grow(m, i + 1n) };
}

/**
 * Takes the offset on top of the stack and grows the memory to the end of `bytes` bytes there.
 *
 * @throws RowError `MEMORY_SIZE`
 */
export function assignUnaligned(m: Machine, bytes: bigint): Columns<(typeof UNALIGNED)[number]> {
  const { tOld: offsetOld, high: offsetHigh, value } = m.takeStack(1);
  return { i: value / 32n, r: value % 32n, offsetOld, offsetHigh, ...grow(m, reachOf(value, bytes)) };
}

/** As {@link assignUnaligned} for 32 bytes in two words. @throws RowError `MEMORY_ALIGNMENT`, `MEMORY_SIZE` */
export function assignTwoWords(m: Machine): Columns<(typeof UNALIGNED)[number]> {
  const access = assignUnaligned(m, 32n);
  if (access.r === 0n) {
    throw new RowError("a multiple of 32 has a row of its own", {
      code: "MEMORY_ALIGNMENT",
      where: `frame ${m.registers.ctx}, clk ${m.registers.clk}`,
      expected: "no multiple of 32",
      got: `${32n * access.i}`,
    });
  }
  return access;
}

/** Index of the word at an offset. @throws RowError `MEMORY_ALIGNMENT` */
export function alignedIndex(m: Machine, offset: bigint): bigint {
  if (offset % 32n !== 0n) {
    throw new RowError("there are rows for multiples of 32 only", {
      code: "MEMORY_ALIGNMENT",
      where: `frame ${m.registers.ctx}, clk ${m.registers.clk}`,
      expected: "a multiple of 32",
      got: `${offset}`,
    });
  }
  return offset / 32n;
}

/** Words of memory up to the end of `size` bytes at an offset; 0 for no bytes. */
export function reachOf(offset: bigint, size: bigint): bigint {
  return size === 0n ? 0n : (offset + size + 31n) / 32n;
}

/** Takes offset and size from the stack. Their values, and the columns of `Operands`. */
export function takeOperands(m: Machine): { offset: bigint; size: bigint; operands: Operands } {
  const offset = m.takeStack(1);
  const size = m.takeStack(2);
  return {
    offset: offset.value,
    size: size.value,
    operands: {
      ...{ offsetHi: offset.hi, offsetLo: offset.lo, offsetOld: offset.tOld, offsetHigh: offset.high },
      ...{ size: size.value, sizeOld: size.tOld, sizeHigh: size.high },
    },
  };
}

/**
 * Takes offset and size from the stack, and grows the memory to the slice's end.
 *
 * @throws RowError `MEMORY_SIZE`
 */
export function assignSlice(m: Machine): Columns<(typeof SLICE)[number]> {
  const { offset, size, operands: popped } = takeOperands(m);
  const reach = reachOf(offset, size);
  const growth = grow(m, reach);
  return { ...popped, reach, spareHigh: (growth.words - reach) >> 16n, ...growth };
}
