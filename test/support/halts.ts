/**
 * Machines before an exceptional halt, and what the rows of one must do.
 *
 * @module
 */

import { expect } from "vitest";
import { type Halt, haltOf } from "../../src/rows/halt.js";
import { type Machine, messagesOf } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { fieldsOf } from "../../src/verifier/bus.js";
import { Code } from "../../src/verifier/ethereum/code.js";
import { machineWith, REGISTERS } from "./machine.js";
import { rowsOf } from "./memory.js";

/** Code of 200 STOPs but for these bytes at the machine's pc. */
export function codeAt(...bytes: readonly number[]): Code {
  const code = new Uint8Array(200);
  code.set(bytes, Number(REGISTERS.pc));
  return new Code(code);
}

/** Which halt the machine's next step is, with this code. */
export function haltAt(
  code: Code,
  stack: readonly bigint[],
  registers: Partial<typeof REGISTERS> = {},
): Halt | undefined {
  return haltOf(machineWith(stack, registers), { code });
}

/** Does a halt and expects its row to give what every halt gives; returns the row. */
export function haltedBy(machine: Machine, template: RowTemplate, assign: (machine: Machine) => void): bigint[] {
  const before = machine.registers;
  assign(machine);
  const [row, ...more] = rowsOf(machine, template);
  expect(more).toEqual([]);
  const states = messagesOf(template, row!).filter(({ tag }) => tag === "STATE");
  const after = { ...before, clk: before.clk + 1n, gas: 0n };
  expect(states.map((state) => [state.multiplicity, fieldsOf(state)])).toEqual([
    [-1n, { ...before, mode: 0n }],
    [1n, { ...after, mode: 1n }],
  ]);
  expect(machine.registers).toEqual(after);
  return row!;
}
