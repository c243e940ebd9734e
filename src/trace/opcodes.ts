/**
 * Opcodes: the names of all of them, and the table of those that can be proved.
 *
 * Numbers of operands are those of Cancun (https://ethereum.github.io/execution-specs/). A byte that is no opcode of Cancun,
 * and INVALID, are in no table: they halt, which can be proved.
 *
 * @module
 */

/** One supported opcode. */
export interface Opcode {
  /** The byte. */
  readonly op: number;
  readonly name: string;
  /** Operands taken from the stack. DUPn needs n and SWAPn n + 1 of them, and gives all of them back. */
  readonly pops: number;
  readonly pushes: number;
}

/** Bytes of the opcodes that code refers to by name. */
export const OP = {
  STOP: 0x00,
  ADD: 0x01,
  MUL: 0x02,
  SUB: 0x03,
  DIV: 0x04,
  SDIV: 0x05,
  MOD: 0x06,
  SMOD: 0x07,
  ADDMOD: 0x08,
  MULMOD: 0x09,
  EXP: 0x0a,
  SIGNEXTEND: 0x0b,
  LT: 0x10,
  GT: 0x11,
  SLT: 0x12,
  SGT: 0x13,
  EQ: 0x14,
  ISZERO: 0x15,
  AND: 0x16,
  OR: 0x17,
  XOR: 0x18,
  NOT: 0x19,
  BYTE: 0x1a,
  SHL: 0x1b,
  SHR: 0x1c,
  SAR: 0x1d,
  KECCAK256: 0x20,
  ADDRESS: 0x30,
  BALANCE: 0x31,
  ORIGIN: 0x32,
  CALLER: 0x33,
  CALLVALUE: 0x34,
  CALLDATALOAD: 0x35,
  CALLDATASIZE: 0x36,
  CALLDATACOPY: 0x37,
  CODESIZE: 0x38,
  CODECOPY: 0x39,
  GASPRICE: 0x3a,
  EXTCODESIZE: 0x3b,
  EXTCODECOPY: 0x3c,
  RETURNDATASIZE: 0x3d,
  RETURNDATACOPY: 0x3e,
  EXTCODEHASH: 0x3f,
  BLOCKHASH: 0x40,
  COINBASE: 0x41,
  TIMESTAMP: 0x42,
  NUMBER: 0x43,
  PREVRANDAO: 0x44,
  GASLIMIT: 0x45,
  CHAINID: 0x46,
  SELFBALANCE: 0x47,
  BASEFEE: 0x48,
  BLOBHASH: 0x49,
  BLOBBASEFEE: 0x4a,
  POP: 0x50,
  MLOAD: 0x51,
  MSTORE: 0x52,
  MSTORE8: 0x53,
  SLOAD: 0x54,
  SSTORE: 0x55,
  JUMP: 0x56,
  JUMPI: 0x57,
  PC: 0x58,
  MSIZE: 0x59,
  GAS: 0x5a,
  JUMPDEST: 0x5b,
  TLOAD: 0x5c,
  TSTORE: 0x5d,
  MCOPY: 0x5e,
  PUSH0: 0x5f,
  PUSH1: 0x60,
  PUSH32: 0x7f,
  DUP1: 0x80,
  DUP16: 0x8f,
  SWAP1: 0x90,
  SWAP16: 0x9f,
  LOG0: 0xa0,
  LOG4: 0xa4,
  CREATE: 0xf0,
  CALL: 0xf1,
  CALLCODE: 0xf2,
  RETURN: 0xf3,
  DELEGATECALL: 0xf4,
  CREATE2: 0xf5,
  STATICCALL: 0xfa,
  REVERT: 0xfd,
  INVALID: 0xfe,
  SELFDESTRUCT: 0xff,
} as const;

/** Mnemonics of Cancun by their bytes; PUSHn, DUPn, SWAPn and LOGn are added below. */
const NAMES: Record<number, string> = {};
for (const [name, op] of Object.entries(OP)) NAMES[op] = name;
for (let n = 1; n <= 32; n++) NAMES[0x5f + n] = `PUSH${n}`;
for (let n = 1; n <= 16; n++) {
  NAMES[0x7f + n] = `DUP${n}`;
  NAMES[0x8f + n] = `SWAP${n}`;
}
for (let n = 0; n <= 4; n++) NAMES[0xa0 + n] = `LOG${n}`;

const BYTES = new Map(Object.entries(NAMES).map(([op, name]) => [name, Number(op)]));

/** The mnemonic of a byte, e.g. `KECCAK256`; a byte that is no opcode of Cancun is written as `0x0c`. */
export function mnemonic(op: number): string {
  return NAMES[op] ?? `0x${op.toString(16).padStart(2, "0")}`;
}

/** The byte of what {@link mnemonic} writes, `undefined` for any other text. */
export function opcodeByte(name: string): number | undefined {
  const op = BYTES.get(name) ?? (/^0x[0-9a-f]{2}$/.test(name) ? Number(name) : undefined);
  return op !== undefined && mnemonic(op) === name ? op : undefined;
}

/** The supported opcodes by their byte. */
export const OPCODES: ReadonlyMap<number, Opcode> = (() => {
  const table = new Map<number, Opcode>();
  const add = (pops: number, pushes: number, ...ops: number[]) => {
    for (const op of ops) table.set(op, { op, name: mnemonic(op), pops, pushes });
  };
  const {
    ADD,
    MUL,
    SUB,
    DIV,
    SDIV,
    MOD,
    SMOD,
    EXP,
    SIGNEXTEND,
    LT,
    GT,
    SLT,
    SGT,
    EQ,
    AND,
    OR,
    XOR,
    BYTE,
    SHL,
    SHR,
    SAR,
  } = OP;
  add(2, 1, ADD, MUL, SUB, DIV, SDIV, MOD, SMOD, EXP, SIGNEXTEND);
  add(2, 1, LT, GT, SLT, SGT, EQ, AND, OR, XOR, BYTE, SHL, SHR, SAR, OP.KECCAK256);
  add(3, 1, OP.ADDMOD, OP.MULMOD);
  add(1, 1, OP.ISZERO, OP.NOT, OP.BALANCE, OP.CALLDATALOAD, OP.EXTCODESIZE, OP.EXTCODEHASH, OP.BLOCKHASH);
  add(1, 1, OP.MLOAD, OP.SLOAD, OP.TLOAD);
  add(
    0,
    1,
    OP.ADDRESS,
    OP.ORIGIN,
    OP.CALLER,
    OP.CALLVALUE,
    OP.CALLDATASIZE,
    OP.CODESIZE,
    OP.GASPRICE,
    OP.RETURNDATASIZE,
  );
  add(0, 1, OP.COINBASE, OP.TIMESTAMP, OP.NUMBER, OP.PREVRANDAO, OP.GASLIMIT, OP.CHAINID, OP.SELFBALANCE, OP.BASEFEE);
  add(0, 1, OP.BLOBBASEFEE, OP.PC, OP.MSIZE, OP.GAS);
  add(0, 0, OP.STOP, OP.JUMPDEST);
  add(1, 0, OP.POP, OP.JUMP);
  add(2, 0, OP.MSTORE, OP.MSTORE8, OP.SSTORE, OP.TSTORE, OP.JUMPI, OP.RETURN, OP.REVERT);
  add(3, 0, OP.CALLDATACOPY, OP.CODECOPY, OP.RETURNDATACOPY, OP.MCOPY);
  add(4, 0, OP.EXTCODECOPY);
  for (let op: number = OP.PUSH0; op <= OP.PUSH32; op++) add(0, 1, op);
  for (let n = 1; n <= 16; n++) {
    add(n, n + 1, OP.DUP1 + n - 1);
    add(n + 1, n + 1, OP.SWAP1 + n - 1);
  }
  for (let n = 0; n <= 4; n++) add(n + 2, 0, OP.LOG0 + n);
  return table;
})();

/** The opcodes of Cancun that cannot be proved yet, with the number of their operands. */
export const UNSUPPORTED: ReadonlyMap<number, number> = new Map<number, number>([
  [OP.BLOBHASH, 1],
  [OP.CREATE, 3],
  [OP.CALL, 7],
  [OP.CALLCODE, 7],
  [OP.DELEGATECALL, 6],
  [OP.CREATE2, 4],
  [OP.STATICCALL, 6],
  [OP.SELFDESTRUCT, 1],
]);
