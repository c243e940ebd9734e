/**
 * A machine in the middle of a frame, for tests of rows.
 *
 * @module
 */

import { Machine } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import type { Sample } from "./rows.js";

/** clk, ctx, code, pc, gas and msize that differ from each other and from small numbers. */
export const REGISTERS = { clk: 70_000n, ctx: 901n, code: 5n, pc: 77n, sp: 0n, gas: 900_000n, msize: 12n };

/** A machine with this stack (bottom first), whose items were pushed at different times. */
export function machineWith(stack: readonly bigint[], registers: Partial<typeof REGISTERS> = {}): Machine {
  const at = { ...REGISTERS, ...registers };
  const machine = new Machine({ ...at, clk: 3n });
  for (const [i, value] of stack.entries()) {
    // the older the item, the larger the difference of times: both limbs get used
    machine.enter({ ...at, clk: 3n + BigInt(i) * 6_000n });
    machine.giveStack(BigInt(i), value);
  }
  machine.enter({ ...at, sp: BigInt(stack.length) });
  return machine;
}

/** The one row of a template that `assign` emits on such a machine. */
export function sampleOf(
  template: RowTemplate,
  what: string,
  stack: readonly bigint[],
  assign: (machine: Machine) => void,
  registers: Partial<typeof REGISTERS> = {},
): Sample {
  const machine = machineWith(stack, registers);
  assign(machine);
  const rows = machine.rows.get(template.name)?.columns ?? [];
  if (rows.length !== 1) throw new Error(`${rows.length} rows of ${template.name}`);
  return { what, columns: rows[0]! };
}

/** Words at the edges of halves, limbs and signs. */
export const EDGE_WORDS: readonly bigint[] = [
  0n,
  1n,
  0xffffn,
  (1n << 128n) - 1n,
  1n << 128n,
  (1n << 255n) - 1n,
  1n << 255n,
  (1n << 256n) - 1n,
];
