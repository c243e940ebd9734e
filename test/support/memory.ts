/**
 * Machines with a memory, and the bus of a few rows without their circuits.
 *
 * @module
 */

import { FR_MODULUS } from "../../src/formats/bn254.js";
import { type Machine, messagesOf } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { halvesOf } from "../../src/rows/words.js";
import { fieldsOf, type Message, message, received } from "../../src/verifier/bus.js";
import { TAGS } from "../../src/verifier/tags.generated.js";
import { machineWith, REGISTERS } from "./machine.js";
import type { Sample } from "./rows.js";

/** A machine with this stack (bottom first) and this memory, whose words were written at different times. */
export function machineWithMemory(
  stack: readonly bigint[],
  memory: readonly bigint[],
  registers: Partial<typeof REGISTERS> = {},
): Machine {
  const machine = machineWith(stack, { ...registers, msize: BigInt(memory.length) });
  giveWords(machine, memory, registers.ctx ?? REGISTERS.ctx, 7_001n);
  return machine;
}

/** Makes words live, the first at `t`, every further one 256 later. */
export function giveWords(machine: Machine, words: readonly bigint[], ctx: bigint, t: bigint): void {
  for (const [i, word] of words.entries()) {
    machine.give("MEMORY", `${ctx}:${i}`, { ctx, index: BigInt(i), ...halvesOf(word) }, t + 256n * BigInt(i));
  }
}

/** The rows of one template on a machine, in the order they were emitted. */
export const rowsOf = (machine: Machine, template: RowTemplate): readonly bigint[][] =>
  machine.rows.get(template.name)?.columns ?? [];

/** The one row of a template that `assign` emits on the machine. */
export function sampleOn(
  machine: Machine,
  template: RowTemplate,
  what: string,
  assign: (machine: Machine) => void,
): Sample {
  assign(machine);
  const rows = rowsOf(machine, template);
  if (rows.length !== 1) throw new Error(`${rows.length} rows of ${template.name}`);
  return { what, columns: rows[0]! };
}

/** Columns of a row with some of them replaced. */
export function forged<C extends string>(
  template: RowTemplate<C>,
  columns: readonly bigint[],
  changes: Partial<Record<NoInfer<C>, bigint>>,
): bigint[] {
  return template.columns.map((name, i) => changes[name] ?? columns[i]!);
}

const canonical = (x: bigint): bigint => ((x % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;

/** Requests of a row to range tables that have no such entry. */
export function outOfRange(template: RowTemplate, columns: readonly bigint[]): string[] {
  return messagesOf(template, columns)
    .filter(({ tag, coordinates, multiplicity }) => {
      const bits = /^RANGE_(\d+)$/.exec(tag)?.[1];
      return bits !== undefined && multiplicity !== 0n && canonical(coordinates[0]!) >= 1n << BigInt(bits);
    })
    .map(({ tag }) => tag);
}

/** The machine's live stack items and memory words, as sent. */
export function liveWords(machine: Machine): Message[] {
  return (["STACK", "MEMORY"] as const).flatMap((tag) => machine.live(tag).map(({ cell }) => message(tag, cell)));
}

/** Messages of all rows of a machine. */
export function messagesOfRows({ rows }: Machine): Message[] {
  return [...rows.values()].flatMap(({ template, columns }) => columns.flatMap((row) => messagesOf(template, row)));
}

/** A cell or token that is sent more often than received, or the other way round. */
export interface Unmatched {
  readonly tag: string;
  readonly fields: Record<string, bigint>;
  readonly multiplicity: bigint;
}

/** What is left of cells and tokens when every send is set off against its receive. */
export function unmatched(messages: readonly Message[]): Unmatched[] {
  const totals = new Map<string, { readonly message: Message; multiplicity: bigint }>();
  for (const message of messages) {
    if (TAGS[message.tag].type !== "C") continue;
    const key = `${message.tag} ${message.coordinates.map(canonical).join()}`;
    const total = totals.get(key) ?? { message, multiplicity: 0n };
    total.multiplicity += message.multiplicity;
    totals.set(key, total);
  }
  return [...totals.values()]
    .filter(({ multiplicity }) => multiplicity !== 0n)
    .map(({ message, multiplicity }) => ({ tag: message.tag, fields: fieldsOf(message), multiplicity }));
}

/** Does something on a machine and says which words, tokens but STATE and TXEND, are not accounted for by its rows. */
export function unmatchedBy(machine: Machine, run: (machine: Machine) => void): Unmatched[] {
  const before = liveWords(machine);
  run(machine);
  const messages = [...before, ...messagesOfRows(machine), ...liveWords(machine).map(received)];
  return unmatched(messages.filter(({ tag }) => ["STACK", "MEMORY", "EXPAND"].includes(tag)));
}

/** Gas of a memory of `words` words: C_mem of the Yellow Paper. */
export const memoryGas = (words: bigint): bigint => 3n * words + (words * words) / 512n;
