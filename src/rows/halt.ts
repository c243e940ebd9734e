/**
 * Exceptional halts (Yellow Paper 9.4.2): which of them a step is, and what their rows have in common. The rows are
 * `haltgas`, `haltcode`, `haltjump`, `haltmemory` and `haltreturn`; each shows one true reason, all have the same effect.
 *
 * A step that is paid with more gas than there is needs no row of its own: its ordinary row leaves negative gas, and
 * `haltgas` takes that. Halts before a step are for what ordinary rows can't show.
 *
 * @module
 */

import { type Message, message } from "../verifier/bus.js";
import type { Code } from "../verifier/ethereum/code.js";
import { opcodeEntry } from "../verifier/ethereum/opcode-table.js";
import { joinHalves } from "../verifier/ethereum/words.js";
import type { Machine } from "./machine.js";
import { MAX_WORDS, memoryCost } from "./memory.js";
import { type Registers, stateOf } from "./row.js";
import { SSTORE_FLOOR } from "./sstore.js";

/** Which row a halt needs. */
export type Halt = "code" | "jump" | "memory" | "return" | "gas";

const CLASS = { RETURNDATACOPY: 0x3e, SSTORE: 0x55, JUMP: 0x56, JUMPI: 0x57, GAS: 0x5a } as const;

/** What a halt gives: STATE in mode UNDO without gas, everything else the same. */
export function undoState(at: Registers, act: bigint): Message {
  return message("STATE", stateOf({ ...at, clk: at.clk + 1n, gas: 0n }, 1n), act);
}

/** Goes on in mode UNDO. */
export function halt(m: Machine): void {
  m.advance({ pc: m.registers.pc, gas: 0n });
}

/** A slice of memory that an opcode touches: where its offset and its size are on the stack, 1 being the top. */
export interface MemoryOperand {
  readonly offset: 1 | 2;
  /** Depth of the size, or the size itself. */
  readonly size: 2 | 3 | 4 | { readonly bytes: 1n | 32n };
}

/** Slices of memory by class. */
export const MEMORY_OPERANDS: ReadonlyMap<number, readonly MemoryOperand[]> = new Map([
  [0x20, [{ offset: 1, size: 2 }]], // KECCAK256
  [0x37, [{ offset: 1, size: 3 }]], // CALLDATACOPY
  [0x39, [{ offset: 1, size: 3 }]], // CODECOPY
  [0x3c, [{ offset: 2, size: 4 }]], // EXTCODECOPY
  [0x51, [{ offset: 1, size: { bytes: 32n } }]], // MLOAD
  [0x52, [{ offset: 1, size: { bytes: 32n } }]], // MSTORE
  [0x53, [{ offset: 1, size: { bytes: 1n } }]], // MSTORE8
  [
    0x5e, // MCOPY
    [
      { offset: 1, size: 3 },
      { offset: 2, size: 3 },
    ],
  ],
  [0xa0, [{ offset: 1, size: 2 }]], // LOGn
  [0xf3, [{ offset: 1, size: 2 }]], // RETURN
  [0xfd, [{ offset: 1, size: 2 }]], // REVERT
]);

/** The stack item `depth` items below the top plus one, which stays there. */
export function peekStack(m: Machine, depth: number): bigint {
  const { ctx, sp } = m.registers;
  const { hi, lo } = m.peek("STACK", `${ctx}:${sp - BigInt(depth)}`);
  return joinHalves(hi, lo);
}

/** Words of memory up to the end of a slice; 0 for an empty one. */
export function reachOf(m: Machine, { offset, size }: MemoryOperand): bigint {
  const bytes = typeof size === "number" ? peekStack(m, size) : size.bytes;
  return bytes === 0n ? 0n : (peekStack(m, offset) + bytes + 31n) / 32n;
}

/** A size of memory whose growth costs more than the gas. */
export interface Unaffordable {
  readonly operand: MemoryOperand;
  /** Words: those up to the slice's end, or the most that there is a cost for. */
  readonly words: bigint;
}

/** The slice of the opcode of a class that the gas doesn't suffice for, if there is one. */
export function unaffordable(m: Machine, opcodeClass: number): Unaffordable | undefined {
  const { gas, msize } = m.registers;
  for (const operand of MEMORY_OPERANDS.get(opcodeClass) ?? []) {
    const reach = reachOf(m, operand);
    // even the most costs more than any gas: it is below 2^31, with what the memory cost so far
    const words = reach < MAX_WORDS ? reach : MAX_WORDS - 1n;
    if (memoryCost(words) - memoryCost(msize) > gas) return { operand, words };
  }
  return undefined;
}

/**
 * Which row of a halt, if any, the step at the machine's registers needs instead of its own.
 *
 * @returns `undefined` where the step has a row of its own; that row may leave negative gas, which is `"gas"` before the
 * next step.
 */
export function haltOf(m: Machine, { code }: { readonly code: Code }): Halt | undefined {
  const { pc, sp, gas } = m.registers;
  if (gas < 0n) return "gas";
  const entry = code.entry(Number(pc));
  if (entry?.isInstr !== 1) return undefined;
  const needs = opcodeEntry(entry.class, entry.n)!;
  if (needs.defined === 0 || sp < needs.min || sp > needs.max) return "code";
  switch (entry.class) {
    case CLASS.GAS:
      return gas < 2n ? "gas" : undefined;
    case CLASS.RETURNDATACOPY:
      return peekStack(m, 2) === 0n && peekStack(m, 3) === 0n ? undefined : "return";
    case CLASS.SSTORE:
      return gas < SSTORE_FLOOR ? "gas" : undefined;
    case CLASS.JUMP:
      return isDestination(code, peekStack(m, 1)) ? undefined : "jump";
    case CLASS.JUMPI:
      return peekStack(m, 2) === 0n || isDestination(code, peekStack(m, 1)) ? undefined : "jump";
    default:
      return unaffordable(m, entry.class) === undefined ? undefined : "memory";
  }
}

const isDestination = (code: Code, dest: bigint): boolean =>
  dest < BigInt(code.bytes.length) && code.isJumpDest(Number(dest));
