/**
 * JUMPI: see `circuits/rows/jumpi.circom`.
 *
 * @module
 */

import { jumpdestAt, noDestination } from "./jump.js";
import type { Machine } from "./machine.js";
import { give, isZero, REGISTERS, rowTemplate, step, take } from "./row.js";

export const jumpi = rowTemplate({
  name: "jumpi",
  columns: [
    ...REGISTERS,
    ...(["destHi", "destLo", "destOld", "destHigh", "cHi", "cLo", "cOld", "cHigh", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, code, pc, sp, gas, destHi, destLo, cHi, cLo, act } = c;
    const now = 16n * clk + 1n;
    const taken = act * (1n - isZero(cHi + cLo));
    const next = pc + 1n + taken * (destLo - pc - 1n);
    return [
      ...step(c, act, { pc: next, sp: sp - 2n, gas: gas - 10n }, { class: 0x57n }),
      ...take("STACK", { t: c.destOld, ctx, index: sp - 1n, hi: destHi, lo: destLo }, act, now, c.destHigh),
      ...take("STACK", { t: c.cOld, ctx, index: sp - 2n, hi: cHi, lo: cLo }, act, now, c.cHigh),
      give("CODE", jumpdestAt(code, destLo), taken),
    ];
  },
});

/**
 * Emits the row of JUMPI.
 *
 * @throws RowError `JUMP_DESTINATION` for one from 2^128 up, if the jump is taken.
 */
export function assignJumpi(m: Machine): void {
  const at = m.registers;
  const dest = m.takeStack(1);
  const condition = m.takeStack(2);
  const taken = condition.value !== 0n;
  if (taken && dest.hi !== 0n) throw noDestination(dest.value, at.pc);
  m.emit(jumpi, {
    ...at,
    ...{ destHi: dest.hi, destLo: dest.lo, destOld: dest.tOld, destHigh: dest.high },
    ...{ cHi: condition.hi, cLo: condition.lo, cOld: condition.tOld, cHigh: condition.high },
    act: 1n,
  });
  m.advance({ pc: taken ? dest.lo : at.pc + 1n, sp: at.sp - 2n, gas: at.gas - 10n });
}
