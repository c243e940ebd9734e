/**
 * What the opcodes of Cancun ask of the stack (Yellow Paper H.2; EIP-145, EIP-1153, EIP-3855, EIP-5656, EIP-7516 among those
 * after it), by class and n as `code.ts` decodes them. The contents of the lookup table OPCODE, which rows of exceptional
 * halts ask.
 *
 * Opcodes that no row proves are in it like the others: a stack that doesn't suffice halts them too.
 *
 * @module
 */

import { classify } from "./code.js";

/** What an opcode asks of the stack. */
export interface OpcodeEntry {
  /** Items that must be there. */
  readonly min: number;
  /** Most items that may be there, at most 1024: with more of them the stack would overflow. */
  readonly max: number;
  /** 0: INVALID, or no opcode of Cancun; halts whatever the stack is. */
  readonly defined: 0 | 1;
}

/** Most items on a stack. */
const STACK_LIMIT = 1024;

const ENTRIES: ReadonlyMap<number, OpcodeEntry> = (() => {
  const stack = new Map<number, readonly [pops: number, pushes: number]>();
  const add = (pops: number, pushes: number, first: number, last = first) => {
    for (let op = first; op <= last; op++) stack.set(op, [pops, pushes]);
  };
  add(0, 0, 0x00); // STOP
  add(2, 1, 0x01, 0x07); // ADD MUL SUB DIV SDIV MOD SMOD
  add(3, 1, 0x08, 0x09); // ADDMOD MULMOD
  add(2, 1, 0x0a, 0x0b); // EXP SIGNEXTEND
  add(2, 1, 0x10, 0x1d); // LT to SAR
  add(1, 1, 0x15); // ISZERO
  add(1, 1, 0x19); // NOT
  add(2, 1, 0x20); // KECCAK256
  add(0, 1, 0x30, 0x3a); // ADDRESS to GASPRICE
  add(1, 1, 0x31); // BALANCE
  add(1, 1, 0x35); // CALLDATALOAD
  add(3, 0, 0x37); // CALLDATACOPY
  add(3, 0, 0x39); // CODECOPY
  add(1, 1, 0x3b); // EXTCODESIZE
  add(4, 0, 0x3c); // EXTCODECOPY
  add(0, 1, 0x3d); // RETURNDATASIZE
  add(3, 0, 0x3e); // RETURNDATACOPY
  add(1, 1, 0x3f); // EXTCODEHASH
  add(1, 1, 0x40); // BLOCKHASH
  add(0, 1, 0x41, 0x48); // COINBASE to BASEFEE
  add(1, 1, 0x49); // BLOBHASH
  add(0, 1, 0x4a); // BLOBBASEFEE
  add(1, 0, 0x50); // POP
  add(1, 1, 0x51); // MLOAD
  add(2, 0, 0x52, 0x53); // MSTORE MSTORE8
  add(1, 1, 0x54); // SLOAD
  add(2, 0, 0x55); // SSTORE
  add(1, 0, 0x56); // JUMP
  add(2, 0, 0x57); // JUMPI
  add(0, 1, 0x58, 0x5a); // PC MSIZE GAS
  add(0, 0, 0x5b); // JUMPDEST
  add(1, 1, 0x5c); // TLOAD
  add(2, 0, 0x5d); // TSTORE
  add(3, 0, 0x5e); // MCOPY
  add(0, 1, 0x5f, 0x7f); // PUSH0 to PUSH32
  for (let n = 1; n <= 16; n++) add(n, n + 1, 0x7f + n); // DUPn
  for (let n = 1; n <= 16; n++) add(n + 1, n + 1, 0x8f + n); // SWAPn
  for (let n = 0; n <= 4; n++) add(n + 2, 0, 0xa0 + n); // LOGn
  add(3, 1, 0xf0); // CREATE
  add(7, 1, 0xf1, 0xf2); // CALL CALLCODE
  add(2, 0, 0xf3); // RETURN
  add(6, 1, 0xf4); // DELEGATECALL
  add(4, 1, 0xf5); // CREATE2
  add(6, 1, 0xfa); // STATICCALL
  add(2, 0, 0xfd); // REVERT
  add(1, 0, 0xff); // SELFDESTRUCT

  const entries = new Map<number, OpcodeEntry>();
  for (let op = 0; op < 256; op++) {
    const [opcodeClass, n] = classify(op);
    const effect = stack.get(op);
    const entry: OpcodeEntry =
      effect === undefined
        ? { min: 0, max: STACK_LIMIT, defined: 0 }
        : { min: effect[0], max: Math.min(STACK_LIMIT, STACK_LIMIT + effect[0] - effect[1]), defined: 1 };
    entries.set(256 * opcodeClass + n, entry);
  }
  return entries;
})();

/**
 * The entry of an opcode by its class and n, see `code.ts`; `undefined` where no byte of code has that class and n.
 */
export function opcodeEntry(opcodeClass: number, n: number): OpcodeEntry | undefined {
  if (!(opcodeClass >= 0 && opcodeClass < 256 && n >= 0 && n < 256)) return undefined;
  return ENTRIES.get(256 * opcodeClass + n);
}
