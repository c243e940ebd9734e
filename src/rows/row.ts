/**
 * What a row template is on this side: the columns of its circuit `circuits/rows/<name>.circom`, and the messages it sends
 * and receives, spelled out a second time. `check` compares the two through the bus: the circuit's sum of a row must be
 * that of its messages.
 *
 * The helpers mirror the templates of `circuits/bus.circom`.
 *
 * @module
 */

import { type Message, message, received } from "../verifier/bus.js";
import { FR_MODULUS } from "../verifier/fq2.js";
import type { MessageFields, TagName } from "../verifier/tags.generated.js";

/** Columns of a row by name, elements of fr. */
export type Columns<C extends string> = Readonly<Record<C, bigint>>;

/** A row template. */
export interface RowTemplate<C extends string = string> {
  /** Name of circuit, assignment and test. */
  readonly name: string;
  /** Committed columns in the order of the circuit's inputs. */
  readonly columns: readonly C[];
  /** Messages of a row; with all columns 0 those of a padding row. Multiplicity 0 says that a message is not there. */
  messages(columns: Columns<C>): Message[];
}

/** A row template; infers the names of its columns. */
export function rowTemplate<const C extends string>(template: RowTemplate<C>): RowTemplate<C> {
  return template;
}

/** Columns of the machine's registers, in every step. */
export const REGISTERS = ["clk", "ctx", "code", "pc", "sp", "gas", "msize"] as const;
export type Register = (typeof REGISTERS)[number];

/** Machine state in mode RUN, as in STATE. */
export type Registers = Readonly<Record<Register, bigint>>;

/** What a step changes; what is not given stays (pc: + 1). */
export interface Next {
  readonly pc?: bigint;
  readonly sp?: bigint;
  readonly gas?: bigint;
  readonly msize?: bigint;
}

/** What a step fetches. */
export interface Fetch {
  readonly class: bigint;
  readonly n?: bigint;
  readonly immHi?: bigint;
  readonly immLo?: bigint;
}

/** STATE of these registers. */
export function stateOf({ clk, ctx, code, pc, sp, gas, msize }: Registers, mode = 0n): MessageFields["STATE"] {
  return { clk, ctx, code, pc, sp, gas, msize, mode };
}

/** `TakeState` of `bus.circom`. */
export function takeState(at: Registers, act: bigint, fetch: Fetch): Message[] {
  const { class: opcode, n = 0n, immHi = 0n, immLo = 0n } = fetch;
  return [
    received(message("STATE", stateOf(at), act)),
    message("CODE", { code: at.code, pc: at.pc, immHi, immLo, class: opcode, n, isInstr: 1n }, act),
  ];
}

/** `Step` of `bus.circom`. */
export function step(at: Registers, act: bigint, next: Next, fetch: Fetch): Message[] {
  const after: Registers = { ...at, pc: at.pc + 1n, ...next, clk: at.clk + 1n };
  return [...takeState(at, act, fetch), message("STATE", stateOf(after), act)];
}

/** `InRange` of `bus.circom`. */
export function inRange(bits: 4 | 5 | 8 | 9 | 10 | 16, value: bigint): Message {
  return message(`RANGE_${bits}`, { value });
}

/** `InRange32` of `bus.circom`. */
export function inRange32(value: bigint, high: bigint): Message[] {
  return [inRange(16, value - 65536n * high), inRange(16, high)];
}

/** `Take` of `bus.circom`: `cell.t` is when it was written. */
export function take<N extends TagName>(
  tag: N,
  cell: MessageFields[N] & { t: bigint },
  act: bigint,
  now: bigint,
  high: bigint,
): Message[] {
  return [received(message(tag, cell, act)), ...inRange32(now - cell.t - 1n, high)];
}

/** `Give` of `bus.circom`; also `Ask`. */
export const give: <N extends TagName>(tag: N, cell: MessageFields[N], act: bigint) => Message = message;

/** `IsZero` of `gadgets.circom`: 1 where `x` is 0 in the field. */
export function isZero(x: bigint): bigint {
  return x % FR_MODULUS === 0n ? 1n : 0n;
}

/** Columns of `InRange128`: the lower limbs. */
export const LOWER_LIMBS = 7;

const HALF = (FR_MODULUS + 1n) / 2n;
/** 2^-112, which brings the highest limb of a half word down. */
const TO_HIGHEST = Array.from({ length: 16 * LOWER_LIMBS }).reduce((x: bigint) => (x * HALF) % FR_MODULUS, 1n);

/** `InRange128` of `bus.circom`. */
export function inRange128(value: bigint, limbs: readonly bigint[]): Message[] {
  const rest = limbs.reduce((left, limb, i) => left - (limb << BigInt(16 * i)), value);
  const highest = (((rest * TO_HIGHEST) % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;
  return [...limbs, highest].map((limb) => inRange(16, limb));
}
