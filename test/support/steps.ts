/**
 * What a step does to a machine, for tests of rows against the EVM's rules.
 *
 * @module
 */

import fc from "fast-check";
import { type Machine, messagesOf } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { fieldsOf } from "../../src/verifier/bus.js";
import type { TagName } from "../../src/verifier/tags.generated.js";
import { machineWith, type REGISTERS } from "./machine.js";
import type { Sample } from "./rows.js";

/** A machine after one step. */
export interface Stepped {
  /** The live items, bottom first. */
  readonly stack: readonly bigint[];
  readonly pc: bigint;
  /** Gas that the step cost. */
  readonly cost: bigint;
}

/** Does a step on a machine with this stack (bottom first). */
export function stepped(
  stack: readonly bigint[],
  assign: (machine: Machine) => void,
  registers: Partial<typeof REGISTERS> = {},
): Stepped {
  const machine = machineWith(stack, registers);
  const before = machine.registers;
  assign(machine);
  const { clk, ctx, code, pc, sp, gas, msize } = machine.registers;
  if (clk !== before.clk + 1n || ctx !== before.ctx || code !== before.code || msize !== before.msize)
    throw new Error("the step changed what no step here changes");
  const items = machine.live("STACK").sort((x, y) => Number(x.cell.index - y.cell.index));
  if (items.some(({ cell }, i) => cell.index !== BigInt(i)) || sp !== BigInt(items.length))
    throw new Error(`sp is ${sp}, but live are ${items.map(({ cell }) => cell.index).join()}`);
  return { stack: items.map(({ cell }) => (cell.hi << 128n) + cell.lo), pc, cost: before.gas - gas };
}

/** Columns of a sample by name. */
export function byName<C extends string>(template: RowTemplate<C>, { columns }: Sample): Record<C, bigint> {
  return Object.fromEntries(template.columns.map((name, i) => [name, columns[i]!])) as Record<C, bigint>;
}

/** Columns in the template's order. */
export function inOrder<C extends string>(template: RowTemplate<C>, columns: Readonly<Record<C, bigint>>): bigint[] {
  return template.columns.map((name) => columns[name]);
}

const EDGE_HALVES = [0n, 1n, (1n << 127n) - 1n, 1n << 127n, (1n << 127n) + 1n, (1n << 128n) - 1n];

/** Words at the edges of halves and of signs: all pairs of edge halves. */
export const HALVES_WORDS: readonly bigint[] = EDGE_HALVES.flatMap((hi) => EDGE_HALVES.map((lo) => (hi << 128n) + lo));

/** Words whose halves are often at an edge, so that two of them often have one in common. */
export function words(): fc.Arbitrary<bigint> {
  const half = fc.oneof(fc.constantFrom(...EDGE_HALVES), fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }));
  return fc.tuple(half, half).map(([hi, lo]) => (hi << 128n) + lo);
}

/** A word as a number in two's complement. */
export const signed = (word: bigint): bigint => BigInt.asIntN(256, word);

/** Fields of the messages with this tag that a row sends. */
export function askedOf(template: RowTemplate, tag: TagName, { columns }: Sample): Record<string, bigint>[] {
  return messagesOf(template, columns)
    .filter((m) => m.tag === tag && m.multiplicity !== 0n)
    .map(fieldsOf);
}
