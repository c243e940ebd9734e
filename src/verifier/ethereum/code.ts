/**
 * Contract code as the circuits look it up: for every program counter, what stands there. The verifier decodes, rows never
 * do: a row asks for its class as a constant and takes n and the immediate as given.
 *
 * | opcodes                                                      | class  | n               |
 * | ------------------------------------------------------------ | ------ | --------------- |
 * | PUSH0 to PUSH32                                              | 0x5f   | immediate bytes |
 * | DUP1 to DUP16                                                | 0x80   | 1 to 16         |
 * | SWAP1 to SWAP16                                              | 0x90   | 1 to 16         |
 * | LOG0 to LOG4                                                 | 0xa0   | topics          |
 * | ADDRESS CALLER CALLVALUE CALLDATASIZE CODESIZE               |        |                 |
 * | RETURNDATASIZE                                               | 0x33   | opcode          |
 * | ORIGIN GASPRICE                                              | 0x32   | opcode          |
 * | COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT CHAINID        |        |                 |
 * | BASEFEE BLOBBASEFEE                                          | 0x41   | opcode          |
 * | every other byte, assigned or not                            | itself | 0               |
 *
 * @module
 */

import { bytesToUint, wordHalves } from "./words.js";

/** The CODE entry at one program counter. Bytes inside an immediate have 0 everywhere. */
export interface CodeEntry {
  /** 1 where an instruction begins, 0 inside an immediate */
  readonly isInstr: 0 | 1;
  /** see the module comment */
  readonly class: number;
  readonly n: number;
  /** high 128 bits of a PUSH's operand */
  readonly immHi: bigint;
  /** low 128 bits of a PUSH's operand */
  readonly immLo: bigint;
}

/** Class of PUSH0 to PUSH32. */
export const PUSH_CLASS = 0x5f;
/** Class of DUP1 to DUP16. */
export const DUP_CLASS = 0x80;
/** Class of SWAP1 to SWAP16. */
export const SWAP_CLASS = 0x90;
/** Class of LOG0 to LOG4. */
export const LOG_CLASS = 0xa0;
/** Class of the opcodes that read the call's context. */
export const CTX_CLASS = 0x33;
/** Class of the opcodes that read the transaction. */
export const TXENV_CLASS = 0x32;
/** Class of the opcodes that read the block. */
export const ENV_CLASS = 0x41;

/** Id on the bus of the code of accounts that have none: above the positions in any block's list of codes. */
export const NO_CODE_ID = 65_536n;

/** Whether an address is one of Cancun's precompiles: 1 to 10. */
export const isPrecompile = (address: bigint): boolean => address >= 1n && address <= 10n;

const JUMPDEST = 0x5b;

const DATA: CodeEntry = { isInstr: 0, class: 0, n: 0, immHi: 0n, immLo: 0n };

const READS = new Map([
  ...[0x30, 0x33, 0x34, 0x36, 0x38, 0x3d].map((opcode) => [opcode, CTX_CLASS] as const),
  ...[0x32, 0x3a].map((opcode) => [opcode, TXENV_CLASS] as const),
  ...[0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x48, 0x4a].map((opcode) => [opcode, ENV_CLASS] as const),
]);

/** How many bytes follow an opcode as its immediate. */
const immediateLength = (opcode: number): number => (opcode >= 0x5f && opcode <= 0x7f ? opcode - 0x5f : 0);

/** Class and n of an opcode, as in the module comment. */
export function classify(opcode: number): readonly [opcodeClass: number, n: number] {
  if (opcode >= 0x5f && opcode <= 0x7f) return [PUSH_CLASS, opcode - 0x5f];
  if (opcode >= 0x80 && opcode <= 0x8f) return [DUP_CLASS, opcode - 0x7f];
  if (opcode >= 0x90 && opcode <= 0x9f) return [SWAP_CLASS, opcode - 0x8f];
  if (opcode >= 0xa0 && opcode <= 0xa4) return [LOG_CLASS, opcode - 0xa0];
  const read = READS.get(opcode);
  return read === undefined ? [opcode, 0] : [read, opcode];
}

/** One contract's code, swept once when it is made; every question after that takes constant time. */
export class Code {
  /** The code, copied. */
  readonly bytes: Uint8Array;
  /**
   * Program counter of the implicit STOP: the code's length, or up to 32 more if the code ends inside the immediate of a
   * PUSH. The bytes missing there have no entries.
   */
  readonly end: number;
  /** 1 where an instruction begins. */
  readonly #starts: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = new Uint8Array(bytes);
    this.#starts = new Uint8Array(this.bytes.length);
    let pc = 0;
    while (pc < this.bytes.length) {
      this.#starts[pc] = 1;
      pc += 1 + immediateLength(this.bytes[pc]!);
    }
    this.end = pc;
  }

  /** The entry at a program counter; `undefined` beyond the code, {@link Code.end} excepted. */
  entry(pc: number): CodeEntry | undefined {
    if (pc === this.end) return { isInstr: 1, class: 0, n: 0, immHi: 0n, immLo: 0n };
    const opcode = this.bytes[pc];
    if (opcode === undefined) return undefined;
    if (this.#starts[pc] === 0) return DATA;
    const [opcodeClass, n] = classify(opcode);
    const length = immediateLength(opcode);
    const present = this.bytes.subarray(pc + 1, pc + 1 + length);
    // bytes beyond the end of the code are zeros, on the right
    const [immHi, immLo] = wordHalves(bytesToUint(present) << BigInt(8 * (length - present.length)));
    return { isInstr: 1, class: opcodeClass, n, immHi, immLo };
  }

  /** Whether a jump may go there: a JUMPDEST that is no part of an immediate. */
  isJumpDest(pc: number): boolean {
    return this.bytes[pc] === JUMPDEST && this.#starts[pc] === 1;
  }
}
