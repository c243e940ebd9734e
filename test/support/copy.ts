/**
 * Rows that move bytes: what a whole operation leaves on the bus, whether every row of it satisfies its circuit, and whether
 * calldata and codes say what it asked of them.
 *
 * @module
 */

import fc from "fast-check";
import { expect } from "vitest";
import { type Machine, messagesOf } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { fieldsOf, type Message, received } from "../../src/verifier/bus.js";
import type { TagName } from "../../src/verifier/tags.generated.js";
import { liveWords, messagesOfRows, rowsOf, type Unmatched, unmatched } from "./memory.js";
import { passes, rowCircuit } from "./rows.js";

/** Cells and tokens that an operation on bytes accounts for by itself. */
const OWN: readonly TagName[] = ["STACK", "MEMORY", "EXPAND", "BUFFER", "READ", "WRITE", "LOAD"];

const own = (messages: readonly Message[]): Unmatched[] => unmatched(messages.filter(({ tag }) => OWN.includes(tag)));

/** What is left of {@link OWN} after the rows that `run` makes, set off against what was live before and is after. */
export function leftBy(machine: Machine, run: (machine: Machine) => void): Unmatched[] {
  const before = liveWords(machine);
  run(machine);
  return own([...before, ...messagesOfRows(machine), ...liveWords(machine).map(received)]);
}

/**
 * What is left of {@link OWN} if one row of a template is another one, or none, and everything else is what an honest
 * prover makes.
 */
export function leftWith(
  machine: Machine,
  run: (machine: Machine) => void,
  template: RowTemplate,
  at: number,
  columns: readonly bigint[] | undefined,
): Unmatched[] {
  const before = liveWords(machine);
  run(machine);
  const honest = messagesOf(template, rowsOf(machine, template).at(at)!);
  const forged = columns === undefined ? [] : messagesOf(template, columns);
  const gone = honest.map((m) => ({ ...m, multiplicity: -m.multiplicity }));
  return own([...before, ...messagesOfRows(machine), ...gone, ...forged, ...liveWords(machine).map(received)]);
}

/** Every row of these templates satisfies its circuit, has its messages' sum, and asks tables for what they have. */
export async function expectSatisfied(machine: Machine, templates: readonly RowTemplate[]): Promise<void> {
  for (const template of templates) {
    const circuit = await rowCircuit(template.name);
    for (const columns of rowsOf(machine, template))
      expect(passes(circuit, template, columns, columns), template.name).toBe(true);
  }
}

/** Sources of bytes as a block has them. */
export interface Sources {
  /** Calldata by frame. */
  readonly calldata?: ReadonlyMap<bigint, Uint8Array>;
  /** Codes by id. */
  readonly codes?: ReadonlyMap<bigint, Uint8Array>;
}

/** Up to 32 bytes of a source from an offset on, as one word. */
export function wordIn(bytes: Uint8Array, offset: number): bigint {
  const hex = Array.from({ length: 32 }, (_, k) => (bytes[offset + k] ?? 0).toString(16).padStart(2, "0"));
  return BigInt(`0x${hex.join("")}`);
}

/** Whether calldata and codes have this entry. */
export function entryExists({ tag, coordinates }: Message, { calldata, codes }: Sources): boolean {
  const { hi, lo, ctx, code, offset } = fieldsOf({ tag, coordinates, multiplicity: 1n }) as Record<string, bigint>;
  const bytes = tag === "CALLDATA" ? calldata?.get(ctx!) : codes?.get(code!);
  return bytes !== undefined && offset! < BigInt(bytes.length) && wordIn(bytes, Number(offset)) === (hi! << 128n) + lo!;
}

/** Requests to tables that rows of a machine make. */
export function requestsOf(machine: Machine, ...tags: readonly TagName[]): Message[] {
  return messagesOfRows(machine).filter(({ tag, multiplicity }) => tags.includes(tag) && multiplicity !== 0n);
}

/** Calldata and codes say what the rows ask of them. */
export function expectAnswers(machine: Machine, sources: Sources): void {
  for (const request of requestsOf(machine, "CALLDATA", "CODEWORD")) {
    expect(request.multiplicity).toBe(1n);
    expect(
      entryExists(request, sources),
      JSON.stringify(fieldsOf(request), (_, x) => String(x)),
    ).toBe(true);
  }
}

/** A memory of whole words as bytes. */
export const bytesOf = (words: readonly bigint[]): number[] =>
  words.flatMap((word) => Array.from({ length: 32 }, (_, i) => Number((word >> BigInt(8 * (31 - i))) & 0xffn)));

/** The words of a machine's memory as bytes. */
export const memoryOf = (m: Machine): number[] =>
  bytesOf(
    Array.from({ length: Number(m.registers.msize) }, (_, i) => {
      const { hi, lo } = m.peek("MEMORY", `${m.registers.ctx}:${i}`);
      return (hi << 128n) + lo;
    }),
  );

/** Bytes that are not 0, all different from their neighbours. */
export const patterned = (length: number, from = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => ((from + 7 * i) % 255) + 1);

/** Words made of {@link patterned} bytes. */
export const patternedWords = (count: number, from = 3): bigint[] =>
  Array.from({ length: count }, (_, i) => wordIn(patterned(32 * count, from), 32 * i));

/** Sizes around multiples of a word. */
export const sizes = (): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(0, 1, 31, 32, 33, 63, 64, 65), fc.nat({ max: 130 }));

/** Places around multiples of a word. */
export const places = (): fc.Arbitrary<number> => fc.oneof(fc.constantFrom(0, 1, 31, 32, 33), fc.nat({ max: 200 }));

/** Offsets in a source of a length: around multiples of a word and the end, and far beyond it. */
export const offsets = (length: number): fc.Arbitrary<bigint> =>
  fc.oneof(
    fc.constantFrom(...[0, 1, 31, 32, 33, length - 1, length, length + 1].filter((x) => x >= 0).map(BigInt)),
    fc.constantFrom(1n << 32n, (1n << 128n) - 1n, 1n << 128n, 1n << 255n, (1n << 256n) - 1n),
    fc.nat({ max: 300 }).map(BigInt),
  );
