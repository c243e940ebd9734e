/**
 * Halt for want of gas for memory: see `circuits/rows/haltmemory.circom`.
 *
 * @module
 */

import type { Code } from "../verifier/ethereum/code.js";
import { RowError } from "./errors.js";
import { halt, unaffordable, undoState } from "./halt.js";
import type { Machine } from "./machine.js";
import { memoryCost } from "./memory.js";
import { type Columns, give, inRange32, REGISTERS, rowTemplate, take, takeState } from "./row.js";

const FLAGS = [
  ...(["isMload", "isMstore", "isByte", "isKeccak", "isReturn", "isRevert", "isLog"] as const),
  ...(["isCalldata", "isCode", "isExternal", "isTo", "isFrom"] as const),
] as const;

type Flag = (typeof FLAGS)[number];

/** The class that a flag stands for. */
const CLASSES: Readonly<Record<Flag, bigint>> = {
  ...{
    isMload: 0x51n,
    isMstore: 0x52n,
    isByte: 0x53n,
    isKeccak: 0x20n,
    isReturn: 0xf3n,
    isRevert: 0xfdn,
    isLog: 0xa0n,
  },
  ...{ isCalldata: 0x37n, isCode: 0x39n, isExternal: 0x3cn, isTo: 0x5en, isFrom: 0x5en },
};

/** Bits of half a word. */
const HALF_BITS = 128n;

const OPERANDS = [
  ...(["offsetHi", "offsetLo", "offsetOld", "offsetHigh", "sizeHi", "sizeLo", "sizeOld", "sizeHigh"] as const),
  ...(["n", "words", "cost0", "cost1"] as const),
] as const;

export const haltmemory = rowTemplate({
  name: "haltmemory",
  columns: [...REGISTERS, ...OPERANDS, "shortHigh", "over", "overHigh", ...FLAGS],
  messages(c) {
    const { clk, ctx, sp, gas, msize, words, cost0, cost1, over } = c;
    const third = c.isCalldata + c.isCode + c.isTo + c.isFrom;
    const sized = c.isKeccak + c.isReturn + c.isRevert + c.isLog + third + c.isExternal;
    const act = c.isMload + c.isMstore + c.isByte + sized;
    const now = 16n * clk + 1n;
    const offsetAt = sp - 1n - c.isExternal - c.isFrom;
    const sizeAt = sp - 2n - third - 2n * c.isExternal;
    const opcode = FLAGS.reduce((sum, flag) => sum + CLASSES[flag] * c[flag], 0n);
    return [
      ...takeState(c, act, { class: opcode, n: c.n }),
      undoState(c, act),
      ...take(
        "STACK",
        { t: c.offsetOld, ctx, index: offsetAt, hi: c.offsetHi, lo: c.offsetLo },
        act,
        now,
        c.offsetHigh,
      ),
      ...take("STACK", { t: c.sizeOld, ctx, index: sizeAt, hi: c.sizeHi, lo: c.sizeLo }, sized, now, c.sizeHigh),
      give("MEMGAS", { cost: cost0, w: msize }, act),
      give("MEMGAS", { cost: cost1, w: words }, act),
      ...inRange32(cost1 - cost0 - gas - act, c.shortHigh),
      give("WIDE", { value: haltmemoryNeed(c) - (over << HALF_BITS) }, act),
      ...inRange32(over, c.overHigh),
    ];
  },
});

/** What must not be negative for the words to be needed. */
export function haltmemoryNeed(c: Columns<(typeof OPERANDS)[number] | Flag>): bigint {
  const size = c.sizeLo + 32n * (c.isMload + c.isMstore) + c.isByte;
  return c.offsetLo + size + (1n << 25n) * (c.offsetHi + c.sizeHi) + 31n - 32n * c.words;
}

/**
 * Emits the row of an opcode whose memory costs more than there is gas. The machine is in mode UNDO then.
 *
 * @throws RowError `HALT_UNTRUE` when the gas suffices for the memory.
 */
export function assignHaltmemory(m: Machine, { code }: { readonly code: Code }): void {
  const at = m.registers;
  const entry = code.entry(Number(at.pc));
  const found = entry?.isInstr === 1 ? unaffordable(m, entry.class) : undefined;
  if (entry === undefined || found === undefined) {
    throw new RowError("the gas suffices for the memory", {
      code: "HALT_UNTRUE",
      where: `pc ${at.pc}`,
      got: `gas ${at.gas}`,
    });
  }
  const { operand, words } = found;
  const chosen = FLAGS.find(
    (flag) => Number(CLASSES[flag]) === entry.class && (flag !== "isTo" || operand.offset === 1),
  )!;
  const offset = m.takeStack(operand.offset);
  // what isn't on the stack is as old as the newest item can be
  const none = { hi: 0n, lo: 0n, tOld: 16n * at.clk, high: 0n };
  const size = typeof operand.size === "number" ? m.takeStack(operand.size) : none;
  const [cost0, cost1] = [memoryCost(at.msize), memoryCost(words)];
  const columns = {
    ...at,
    ...{ offsetHi: offset.hi, offsetLo: offset.lo, offsetOld: offset.tOld, offsetHigh: offset.high },
    ...{ sizeHi: size.hi, sizeLo: size.lo, sizeOld: size.tOld, sizeHigh: size.high },
    ...{ n: BigInt(entry.n), words, cost0, cost1 },
    ...(Object.fromEntries(FLAGS.map((flag) => [flag, flag === chosen ? 1n : 0n])) as Record<Flag, bigint>),
  };
  const over = haltmemoryNeed(columns) >> HALF_BITS;
  const shortHigh = (cost1 - cost0 - at.gas - 1n) >> 16n;
  m.emit(haltmemory, { ...columns, shortHigh, over, overHigh: over >> 16n });
  halt(m);
}
