/**
 * RETURNDATACOPY of nothing: see `circuits/rows/returndatacopy.circom`.
 *
 * @module
 */

import { RowError } from "./errors.js";
import type { Machine } from "./machine.js";
import { give, REGISTERS, rowTemplate, step, take } from "./row.js";

/** Field of CTX: how many bytes have been returned to the frame. */
export const RETURNDATASIZE = 0x3dn;

export const returndatacopy = rowTemplate({
  name: "returndatacopy",
  columns: [
    ...REGISTERS,
    ...(["destHi", "destLo", "destOld", "destHigh", "offsetOld", "offsetHigh", "sizeOld", "sizeHigh", "act"] as const),
  ],
  messages(c) {
    const { clk, ctx, sp, gas, destHi, destLo, act } = c;
    const now = 16n * clk + 1n;
    const zero = { ctx, hi: 0n, lo: 0n };
    return [
      ...step(c, act, { sp: sp - 3n, gas: gas - 3n }, { class: 0x3en }),
      ...take("STACK", { t: c.destOld, ctx, index: sp - 1n, hi: destHi, lo: destLo }, act, now, c.destHigh),
      ...take("STACK", { t: c.offsetOld, ...zero, index: sp - 2n }, act, now, c.offsetHigh),
      ...take("STACK", { t: c.sizeOld, ...zero, index: sp - 3n }, act, now, c.sizeHigh),
      give("CTX", { ...zero, field: RETURNDATASIZE }, act),
    ];
  },
});

/**
 * Emits the row of RETURNDATACOPY in a frame that nothing has been returned to.
 *
 * @throws RowError `RETURNDATA_BEYOND` where offset or size isn't 0: that is a halt.
 */
export function assignReturndatacopy(m: Machine): void {
  const at = m.registers;
  const dest = m.takeStack(1);
  const offset = m.takeStack(2);
  const size = m.takeStack(3);
  if (offset.value !== 0n || size.value !== 0n) {
    throw new RowError("a copy of what was not returned", {
      code: "RETURNDATA_BEYOND",
      where: `pc ${at.pc}`,
      expected: "offset 0, size 0",
      got: `offset ${offset.value}, size ${size.value}`,
    });
  }
  m.emit(returndatacopy, {
    ...at,
    ...{ destHi: dest.hi, destLo: dest.lo, destOld: dest.tOld, destHigh: dest.high },
    ...{ offsetOld: offset.tOld, offsetHigh: offset.high, sizeOld: size.tOld, sizeHigh: size.high, act: 1n },
  });
  m.advance({ sp: at.sp - 3n, gas: at.gas - 3n });
}
