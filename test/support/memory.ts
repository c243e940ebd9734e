/**
 * Machines with a memory, and the bus of a few rows without their circuits.
 *
 * @module
 */

import fc from "fast-check";
import { FR_MODULUS } from "../../src/formats/bn254.js";
import { type CellTag, type Machine, messagesOf } from "../../src/rows/machine.js";
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

/** The machine's live cells, as sent: stack items and memory words unless told otherwise. */
export function liveWords(machine: Machine, tags: readonly CellTag[] = ["STACK", "MEMORY"]): Message[] {
  return tags.flatMap((tag) => machine.live(tag).map(({ cell }) => message(tag, cell)));
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

/**
 * Does something on a machine and says which words and tokens of memory are not accounted for by its rows; and which other
 * cells, if asked.
 */
export function unmatchedBy(
  machine: Machine,
  run: (machine: Machine) => void,
  others: readonly CellTag[] = [],
): Unmatched[] {
  const cells: readonly CellTag[] = ["STACK", "MEMORY", ...others];
  const before = liveWords(machine, cells);
  run(machine);
  const messages = [...before, ...messagesOfRows(machine), ...liveWords(machine, cells).map(received)];
  return unmatched(messages.filter(({ tag }) => [...cells, "EXPAND", "READ"].includes(tag)));
}

/** Gas of a memory of `words` words: C_mem of the Yellow Paper. */
export const memoryGas = (words: bigint): bigint => 3n * words + (words * words) / 512n;

/** Offsets and sizes at the edges of words, and sometimes others. */
export function placed(): fc.Arbitrary<readonly [offset: bigint, size: bigint]> {
  const offset = fc.oneof(fc.constantFrom(0n, 1n, 31n, 32n, 33n), fc.bigInt({ min: 0n, max: 200n }));
  const size = fc.oneof(fc.constantFrom(0n, 1n, 31n, 32n, 33n, 63n, 64n, 65n), fc.bigInt({ min: 0n, max: 200n }));
  return fc.tuple(offset, size);
}

/** `size` bytes of a memory at an offset, zeros beyond its end. */
export function bytesAt(memory: readonly bigint[], offset: bigint, size: bigint): Uint8Array {
  const bytes = new Uint8Array(Number(size));
  for (let i = 0; i < bytes.length; i++) {
    const at = Number(offset) + i;
    const word = memory[Math.floor(at / 32)] ?? 0n;
    bytes[i] = Number((word >> BigInt(8 * (31 - (at % 32)))) & 0xffn);
  }
  return bytes;
}

/** Bytes as 32-byte words, the last one padded with zeros. */
export function wordsOfBytes(bytes: Uint8Array): bigint[] {
  const words = new Array<bigint>(Math.ceil(bytes.length / 32)).fill(0n);
  for (const [i, byte] of bytes.entries()) words[i >> 5]! |= BigInt(byte) << BigInt(8 * (31 - (i & 31)));
  return words;
}

/** A memory whose bytes all differ (as long as they can). */
export const countingMemory = (words: number): bigint[] =>
  wordsOfBytes(Uint8Array.from({ length: 32 * words }, (_, i) => i + 1));
