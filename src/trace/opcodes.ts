/**
 * Opcodes: the names of all of them, and the table of those that can be proved.
 *
 * Numbers of operands and gas are those of Cancun (https://ethereum.github.io/execution-specs/, EIP-3855 for PUSH0, EIP-7516
 * for BLOBBASEFEE). Everything that is not in {@link OPCODES} is refused when a trace is checked.
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
  /** Gas that it always costs. Memory expansion and storage access (SLOAD, SSTORE) come on top. */
  readonly gas: number;
  /** Bytes of immediate data after the opcode: 0 to 32. */
  readonly immediate: number;
}

/** Bytes of the opcodes that code refers to by name. */
export const OP = {
  STOP: 0x00,
  ADD: 0x01,
  SUB: 0x03,
  LT: 0x10,
  GT: 0x11,
  SLT: 0x12,
  SGT: 0x13,
  EQ: 0x14,
  ISZERO: 0x15,
  NOT: 0x19,
  ADDRESS: 0x30,
  ORIGIN: 0x32,
  CALLER: 0x33,
  CALLVALUE: 0x34,
  CALLDATALOAD: 0x35,
  CALLDATASIZE: 0x36,
  GASPRICE: 0x3a,
  COINBASE: 0x41,
  TIMESTAMP: 0x42,
  NUMBER: 0x43,
  PREVRANDAO: 0x44,
  GASLIMIT: 0x45,
  CHAINID: 0x46,
  BASEFEE: 0x48,
  BLOBBASEFEE: 0x4a,
  POP: 0x50,
  MLOAD: 0x51,
  MSTORE: 0x52,
  SLOAD: 0x54,
  SSTORE: 0x55,
  JUMP: 0x56,
  JUMPI: 0x57,
  PC: 0x58,
  MSIZE: 0x59,
  GAS: 0x5a,
  JUMPDEST: 0x5b,
  PUSH0: 0x5f,
  PUSH1: 0x60,
  PUSH32: 0x7f,
  DUP1: 0x80,
  DUP16: 0x8f,
  SWAP1: 0x90,
  SWAP16: 0x9f,
  RETURN: 0xf3,
  REVERT: 0xfd,
} as const;

/** Mnemonics of Cancun by their bytes; PUSHn, DUPn, SWAPn and LOGn are added below. */
const NAMES: Record<number, string> = {
  2: "MUL",
  4: "DIV",
  5: "SDIV",
  6: "MOD",
  7: "SMOD",
  8: "ADDMOD",
  9: "MULMOD",
  10: "EXP",
  11: "SIGNEXTEND",
  22: "AND",
  23: "OR",
  24: "XOR",
  26: "BYTE",
  27: "SHL",
  28: "SHR",
  29: "SAR",
  32: "KECCAK256",
  49: "BALANCE",
  55: "CALLDATACOPY",
  56: "CODESIZE",
  57: "CODECOPY",
  59: "EXTCODESIZE",
  60: "EXTCODECOPY",
  61: "RETURNDATASIZE",
  62: "RETURNDATACOPY",
  63: "EXTCODEHASH",
  64: "BLOCKHASH",
  71: "SELFBALANCE",
  73: "BLOBHASH",
  83: "MSTORE8",
  92: "TLOAD",
  93: "TSTORE",
  94: "MCOPY",
  240: "CREATE",
  241: "CALL",
  242: "CALLCODE",
  244: "DELEGATECALL",
  245: "CREATE2",
  250: "STATICCALL",
  254: "INVALID",
  255: "SELFDESTRUCT",
};
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
  const add = (pops: number, pushes: number, gas: number, ...ops: number[]) => {
    for (const op of ops) {
      const immediate = op > OP.PUSH0 && op <= OP.PUSH32 ? op - OP.PUSH0 : 0;
      table.set(op, { op, name: mnemonic(op), pops, pushes, gas, immediate });
    }
  };
  add(0, 0, 0, OP.STOP);
  add(2, 1, 3, OP.ADD, OP.SUB, OP.LT, OP.GT, OP.SLT, OP.SGT, OP.EQ);
  add(1, 1, 3, OP.ISZERO, OP.NOT, OP.CALLDATALOAD, OP.MLOAD);
  add(0, 1, 2, OP.ADDRESS, OP.ORIGIN, OP.CALLER, OP.CALLVALUE, OP.CALLDATASIZE, OP.GASPRICE);
  add(0, 1, 2, OP.COINBASE, OP.TIMESTAMP, OP.NUMBER, OP.PREVRANDAO, OP.GASLIMIT, OP.CHAINID, OP.BASEFEE);
  add(0, 1, 2, OP.BLOBBASEFEE, OP.PC, OP.MSIZE, OP.GAS, OP.PUSH0);
  add(1, 0, 2, OP.POP);
  add(2, 0, 3, OP.MSTORE);
  add(1, 1, 0, OP.SLOAD);
  add(2, 0, 0, OP.SSTORE, OP.RETURN, OP.REVERT);
  add(1, 0, 8, OP.JUMP);
  add(2, 0, 10, OP.JUMPI);
  add(0, 0, 1, OP.JUMPDEST);
  for (let op: number = OP.PUSH1; op <= OP.PUSH32; op++) add(0, 1, 3, op);
  for (let n = 1; n <= 16; n++) {
    add(n, n + 1, 3, OP.DUP1 + n - 1);
    add(n + 1, n + 1, 3, OP.SWAP1 + n - 1);
  }
  return table;
})();

/** Positions of the JUMPDEST instructions in code, one byte each: 1 where a jump may go. Data of PUSHn is not an instruction. */
export function jumpDestinations(code: Uint8Array): Uint8Array {
  const valid = new Uint8Array(code.length);
  for (let pc = 0; pc < code.length; pc++) {
    const op = code[pc]!;
    if (op === OP.JUMPDEST) valid[pc] = 1;
    else if (op >= OP.PUSH1 && op <= OP.PUSH32) pc += op - OP.PUSH0;
  }
  return valid;
}
