/**
 * Halt of JUMP or JUMPI: see `circuits/rows/haltjump.circom`.
 *
 * @module
 */

import type { Code, CodeEntry } from "../verifier/ethereum/code.js";
import { RowError } from "./errors.js";
import { halt, undoState } from "./halt.js";
import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, take, takeState } from "./row.js";

const CODESIZE = 0x38n;
const JUMPI_CLASS = 0x57;

export const haltjump = rowTemplate({
  name: "haltjump",
  columns: [
    ...REGISTERS,
    ...(["destHi", "destLo", "destOld", "destHigh", "cHi", "cLo", "cOld", "cHigh", "length"] as const),
    ...(["class", "n", "immHi", "immLo", "instr", "isJumpi", "isHigh", "isBeyond", "isOther"] as const),
  ],
  messages(c) {
    const { clk, ctx, code, sp, destHi, destLo, cHi, cLo, length, isJumpi, isHigh, isBeyond, isOther } = c;
    const act = isHigh + isBeyond + isOther;
    const now = 16n * clk + 1n;
    const { n, immHi, immLo, instr } = c;
    return [
      ...takeState(c, act, { class: 0x56n + isJumpi }),
      undoState(c, act),
      ...take("STACK", { t: c.destOld, ctx, index: sp - 1n, hi: destHi, lo: destLo }, act, now, c.destHigh),
      ...take("STACK", { t: c.cOld, ctx, index: sp - 2n, hi: cHi, lo: cLo }, isJumpi, now, c.cHigh),
      give("WIDE", { value: isHigh * (destHi - 1n) + isBeyond * (destLo - length) }, isHigh + isBeyond),
      give("CTX", { ctx, hi: 0n, lo: length, field: CODESIZE }, isBeyond),
      give("CODE", { code, pc: destLo, immHi, immLo, class: c.class, n, isInstr: instr }, isOther),
    ];
  },
});

const NONE = { immHi: 0n, immLo: 0n, class: 0, n: 0, isInstr: 0 } satisfies CodeEntry;

/**
 * Emits the row of a jump that can't be. The machine is in mode UNDO then.
 *
 * @throws RowError `HALT_UNTRUE` for a jump to a JUMPDEST, or one that isn't taken.
 */
export function assignHaltjump(m: Machine, { code }: { readonly code: Code }): void {
  const at = m.registers;
  const isJumpi = code.entry(Number(at.pc))?.class === JUMPI_CLASS;
  const dest = m.takeStack(1);
  // what JUMP doesn't take is as old as the newest item can be
  const condition = isJumpi ? m.takeStack(2) : { hi: 0n, lo: 0n, value: 1n, tOld: 16n * at.clk, high: 0n };
  const length = BigInt(code.bytes.length);
  const isHigh = dest.hi !== 0n;
  const isBeyond = !isHigh && dest.lo >= length;
  const isOther = !isHigh && !isBeyond;
  if (condition.value === 0n || (isOther && code.isJumpDest(Number(dest.lo)))) {
    throw new RowError("nothing is wrong with the jump", {
      code: "HALT_UNTRUE",
      where: `pc ${at.pc}`,
      got: `to ${dest.value}, if ${condition.value}`,
    });
  }
  const there = isOther ? code.entry(Number(dest.lo))! : NONE;
  m.emit(haltjump, {
    ...at,
    ...{ destHi: dest.hi, destLo: dest.lo, destOld: dest.tOld, destHigh: dest.high },
    ...{ cHi: condition.hi, cLo: condition.lo, cOld: condition.tOld, cHigh: condition.high, length },
    ...{ class: BigInt(there.class), n: BigInt(there.n), immHi: there.immHi, immLo: there.immLo },
    ...{ instr: BigInt(there.isInstr), isJumpi: isJumpi ? 1n : 0n },
    ...{ isHigh: isHigh ? 1n : 0n, isBeyond: isBeyond ? 1n : 0n, isOther: isOther ? 1n : 0n },
  });
  halt(m);
}
