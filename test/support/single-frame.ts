/**
 * Small programs for everything that one frame can do: results of opcodes, and every way to halt. All of a list are the
 * transactions of one block, the second of its chain, each with a contract of its own.
 *
 * @module
 */

import { keccak_256 } from "@noble/hashes/sha3.js";
import { assemble } from "../../src/trace/assembler.js";
import { type BuiltBlock, Sequencer } from "../../src/trace/ethereumjs.js";
import { mnemonic, OPCODES, UNSUPPORTED } from "../../src/trace/opcodes.js";
import { bigEndian, type Hex, MAX_WORD } from "../../src/trace/read.js";
import { scenarioKey } from "../../src/trace/scenarios.js";
import { signTransaction } from "../../src/trace/transaction.js";
import { CHAIN_ID, SENDER } from "./contracts.js";

/** One program. */
export interface Case {
  readonly name: string;
  /** Assembly text. */
  readonly code: string;
  /** Default 200,000. */
  readonly gasLimit?: bigint;
}

/** An account with code that nobody calls. */
export const LIBRARY: Hex = "0x00000000000000000000000000000000000011b1";
export const LIBRARY_CODE = Uint8Array.from({ length: 40 }, (_, i) => i + 1);
const LIBRARY_BALANCE = 99n;
/** An account with a balance and nothing else. */
export const SAVER: Hex = "0x0000000000000000000000000000000000005a7e";
/** An account that does not exist. */
export const NOBODY: Hex = "0x000000000000000000000000000000000000dead";
/** Calldata of every transaction: 1, 2, 3 ... */
export const DATA = Uint8Array.from({ length: 70 }, (_, i) => i + 1);
/** Wei with every transaction. */
export const VALUE = 7n;
const ETHER = 10n ** 18n;

const addressOf = (i: number): Hex => `0x${(0xc0de0000 + i).toString(16).padStart(40, "0")}`;

/** A chain with a contract for each program, after its first block. */
export async function chainOf(cases: readonly Case[]): Promise<Sequencer> {
  const sequencer = await Sequencer.create({
    chainId: CHAIN_ID,
    genesis: [
      { address: SENDER, balance: 1000n * ETHER },
      { address: LIBRARY, nonce: 1n, balance: LIBRARY_BALANCE, code: LIBRARY_CODE },
      { address: SAVER, balance: 5n },
      ...cases.map(({ code }, i) => ({
        address: addressOf(i),
        nonce: 1n,
        code: assemble(code),
        storage: [[3n, 5n]] as const,
      })),
    ],
    header: { coinbase: "0x00000000000000000000000000000000c0ffee00", gasLimit: 1n << 40n },
  });
  await sequencer.buildBlock([]);
  return sequencer;
}

/** Calls each contract of {@link chainOf} once, in the next block. */
export async function callAll(sequencer: Sequencer, cases: readonly Case[], nonce = 0n): Promise<BuiltBlock> {
  const transactions = cases.map(({ gasLimit = 200_000n }, i) => {
    const fields = { type: 2, nonce: nonce + BigInt(i), to: addressOf(i), value: VALUE, data: DATA, gasLimit } as const;
    return signTransaction({ ...fields, maxFeePerGas: 2n * 10n ** 9n }, CHAIN_ID, scenarioKey(0));
  });
  return sequencer.buildBlock(transactions);
}

/** The block of {@link callAll}, on a chain of its own. */
export const callBlock = async (cases: readonly Case[]): Promise<BuiltBlock> => callAll(await chainOf(cases), cases);

const high = 1n << 255n;
const neg = (n: bigint) => (1n << 256n) - n;
const hash = (bytes: Uint8Array) => bigEndian(keccak_256(bytes));
const dataWord = (from: number) => {
  const word = new Uint8Array(32);
  word.set(DATA.subarray(from, from + 32));
  return bigEndian(word);
};
/** The library's code, 30 bytes of it from the 15th on, in two bytes' distance from the start of a word. */
const libraryWord = bigEndian(LIBRARY_CODE.subarray(14, 40)) << 32n;

/** Programs and the top of the stack when they stop. Left operands are on top: `b a SUB` is a - b. */
export const RESULTS: readonly (Case & { readonly result: bigint })[] = (
  [
    ["MUL", `${high} 3 MUL`, high],
    ["DIV", "3 17 DIV", 5n],
    ["DIV by 0", "0 17 DIV", 0n],
    ["SDIV", `3 ${neg(17n)} SDIV`, neg(5n)],
    ["SDIV, overflow", `${MAX_WORD} ${high} SDIV`, high],
    ["MOD", "5 17 MOD", 2n],
    ["SMOD", `5 ${neg(17n)} SMOD`, neg(2n)],
    ["ADDMOD", `7 ${MAX_WORD} ${MAX_WORD} ADDMOD`, (2n * MAX_WORD) % 7n],
    ["MULMOD", `1000003 ${MAX_WORD} ${MAX_WORD - 1n} MULMOD`, (MAX_WORD * (MAX_WORD - 1n)) % 1000003n],
    ["ADDMOD 0", "0 1 2 ADDMOD", 0n],
    ["EXP", "0x0101 3 EXP", (3n ** 257n) & MAX_WORD],
    ["EXP 0", "0 0 EXP", 1n],
    ["SIGNEXTEND", "0x1280 0 SIGNEXTEND", neg(128n)],
    ["SIGNEXTEND of all", `${high} 31 SIGNEXTEND`, high],
    ["AND", "12 10 AND", 8n],
    ["OR", "12 10 OR", 14n],
    ["XOR", "12 10 XOR", 6n],
    ["BYTE", "0x1234 30 BYTE", 0x12n],
    ["BYTE 32", "0x1234 32 BYTE", 0n],
    ["SHL", "3 255 SHL", high],
    ["SHL 2^200", `3 ${1n << 200n} SHL`, 0n],
    ["SHR", `${high} 254 SHR`, 2n],
    ["SAR", `${high} 254 SAR`, neg(2n)],
    ["SAR 2^200", `${high} ${1n << 200n} SAR`, MAX_WORD],
    ["KECCAK256 of nothing, at 2^200", `0 ${1n << 200n} KECCAK256`, hash(new Uint8Array(0))],
    [
      "KECCAK256",
      "0x0102 0 MSTORE 40 3 KECCAK256",
      hash(Uint8Array.from([...Array(27).fill(0), 1, 2, ...Array(11).fill(0)])),
    ],
    ["MLOAD at 31", "0x0102 0 MSTORE 31 MLOAD", 2n << 248n],
    ["MSTORE at 5", "0x0102 5 MSTORE 4 MLOAD", 1n],
    ["MSTORE8", "0x1ff 1 MSTORE8 0 MLOAD", 0xffn << 240n],
    ["MCOPY up", `${MAX_WORD} 0 MSTORE 32 0 5 MCOPY 4 MLOAD`, MAX_WORD],
    ["MCOPY down", "0x0102 32 MSTORE 40 29 3 MCOPY 6 MLOAD", 0x0102n],
    ["MCOPY of nothing, at 2^200", `0 ${1n << 200n} ${1n << 200n} MCOPY MSIZE`, 0n],
    ["CALLDATALOAD at 3", "3 CALLDATALOAD", dataWord(3)],
    ["CALLDATALOAD at the end", "60 CALLDATALOAD", dataWord(60)],
    ["CALLDATALOAD at 2^200", `${1n << 200n} CALLDATALOAD`, 0n],
    ["CALLDATACOPY", "40 50 3 CALLDATACOPY 3 MLOAD", dataWord(50)],
    ["CALLDATACOPY beyond", `0 NOT 0 MSTORE 32 ${1n << 200n} 0 CALLDATACOPY 0 MLOAD`, 0n],
    ["CODESIZE", "CODESIZE", 1n],
    ["CODECOPY", "9 2 1 CODECOPY 0 MLOAD", 0x60_02_60_01_39_5f_51n << 192n],
    ["RETURNDATASIZE", "RETURNDATASIZE", 0n],
    ["RETURNDATACOPY of nothing", `0 0 ${1n << 200n} RETURNDATACOPY MSIZE`, 0n],
    ["BALANCE", `${LIBRARY} BALANCE`, LIBRARY_BALANCE],
    ["BALANCE, bits above", `PUSH32 0xffffffffffffffffffffffff${SAVER.slice(2)} BALANCE`, 5n],
    ["BALANCE of nobody", `${NOBODY} BALANCE`, 0n],
    ["SELFBALANCE", "SELFBALANCE", VALUE],
    ["EXTCODESIZE", `${LIBRARY} EXTCODESIZE`, 40n],
    ["EXTCODEHASH", `${LIBRARY} EXTCODEHASH`, hash(LIBRARY_CODE)],
    ["EXTCODEHASH of no code", `${SAVER} EXTCODEHASH`, hash(new Uint8Array(0))],
    ["EXTCODEHASH of nobody", `${NOBODY} EXTCODEHASH`, 0n],
    ["EXTCODECOPY", `30 14 2 ${LIBRARY} EXTCODECOPY 2 MLOAD`, libraryWord << 16n],
    ["BLOCKHASH of this block", "NUMBER BLOCKHASH", 0n],
    ["BLOCKHASH of 2^64 + 1", `${(1n << 64n) + 1n} BLOCKHASH`, 0n],
    ["TLOAD, TSTORE", `9 ${high} TSTORE ${high} TLOAD`, 9n],
    ["TLOAD", `${high} TLOAD`, 0n],
    ["LOG0 of nothing, at 2^200", `0 ${1n << 200n} LOG0 MSIZE`, 0n],
    ["LOG1", "0x0102 0 MSTORE 11 33 3 LOG1 MSIZE", 64n],
    ["LOG2", "12 11 0 0 LOG2 MSIZE", 0n],
    ["LOG3", "13 12 11 1 31 LOG3 MSIZE", 32n],
    ["LOG4", "14 13 12 11 64 0 LOG4 MSIZE", 64n],
  ] as const
).map(([name, code, result]) => ({ name, code, result: BigInt.asUintN(256, result) }));

const far = (offset: bigint): [string, string][] => [
  ["MLOAD", `${offset} MLOAD`],
  ["MSTORE", `1 ${offset} MSTORE`],
  ["MSTORE8", `1 ${offset} MSTORE8`],
  ["KECCAK256", `1 ${offset} KECCAK256`],
  ["KECCAK256, length", `${offset} 0 KECCAK256`],
  ["RETURN", `1 ${offset} RETURN`],
  ["RETURN, length", `${offset} 0 RETURN`],
  ["REVERT", `1 ${offset} REVERT`],
  ["REVERT, length", `${offset} 0 REVERT`],
  ["LOG0", `1 ${offset} LOG0`],
  ["LOG4, length", `0 0 0 0 ${offset} 0 LOG4`],
  ["CALLDATACOPY", `1 0 ${offset} CALLDATACOPY`],
  ["CALLDATACOPY, length", `${offset} 0 0 CALLDATACOPY`],
  ["CODECOPY", `1 0 ${offset} CODECOPY`],
  ["EXTCODECOPY", `1 0 ${offset} ADDRESS EXTCODECOPY`],
  ["EXTCODECOPY, length", `${offset} 0 0 ADDRESS EXTCODECOPY`],
  ["MCOPY to", `1 0 ${offset} MCOPY`],
  ["MCOPY from", `1 ${offset} 0 MCOPY`],
  ["MCOPY, length", `${offset} 0 0 MCOPY`],
];

const GAS = 21000n + 70n * 16n;

/** Programs whose last instruction halts. */
export const HALTS: readonly Case[] = [
  ...[1n << 31n, 1n << 40n, 1n << 200n, MAX_WORD].flatMap((offset) =>
    far(offset).map(([name, code]) => ({ name: `${name} at ${offset}`, code })),
  ),
  { name: "out of gas", code: "l: @l JUMP", gasLimit: GAS + 100n },
  { name: "out of gas at once", code: "JUMPDEST", gasLimit: GAS },
  { name: "out of gas for a byte of EXP", code: "256 2 EXP", gasLimit: GAS + 3n + 3n + 109n },
  { name: "out of gas for a word of KECCAK256", code: "33 0 KECCAK256", gasLimit: GAS + 3n + 2n + 30n + 6n + 11n },
  { name: "out of gas for a byte of LOG1", code: "0 33 0 LOG1", gasLimit: GAS + 2n + 3n + 2n + 750n + 6n + 263n },
  { name: "out of gas for a word of MCOPY", code: "33 0 0 MCOPY", gasLimit: GAS + 3n + 2n + 2n + 3n + 6n + 5n },
  { name: "out of gas for a cold SLOAD", code: "3 SLOAD", gasLimit: GAS + 2000n },
  { name: "out of gas for a cold BALANCE", code: `${SAVER} BALANCE`, gasLimit: GAS + 2600n },
  { name: "out of gas for a cold EXTCODEHASH", code: `${LIBRARY} EXTCODEHASH`, gasLimit: GAS + 2600n },
  { name: "out of gas for BLOCKHASH", code: "1 BLOCKHASH", gasLimit: GAS + 22n },
  { name: "out of gas for TSTORE", code: "1 1 TSTORE", gasLimit: GAS + 105n },
  { name: "out of gas for SSTORE", code: "6 3 SSTORE", gasLimit: GAS + 5005n },
  { name: "SSTORE with 2300 gas", code: "0 0 SSTORE", gasLimit: GAS + 2304n },
  { name: "overflow of PUSH", code: "l: 0 @l JUMP" },
  { name: "overflow of GAS", code: `${"GAS ".repeat(1025)}` },
  { name: "overflow of DUP", code: `0 ${"DUP1 ".repeat(1024)}` },
  { name: "a jump to no JUMPDEST", code: "0 JUMP" },
  { name: "a jump into data", code: "4 JUMP .0x605b" },
  { name: "a jump to the end", code: "3 JUMP" },
  { name: "a jump to 2^64 + a JUMPDEST", code: `JUMPDEST ${1n << 64n} JUMP` },
  { name: "a jump if, to no JUMPDEST", code: "1 0 JUMPI" },
  { name: "RETURNDATACOPY from 1", code: "0 1 0 RETURNDATACOPY" },
  { name: "RETURNDATACOPY of 2^128 bytes", code: `${1n << 128n} 0 0 RETURNDATACOPY` },
  { name: "INVALID", code: "1 INVALID" },
  { name: "underflow of EXTCODECOPY with a precompile on top", code: "0 0 1 EXTCODECOPY" },
  { name: "no opcode", code: "1 .0x0c" },
  { name: "no opcode: EOF", code: ".0xef00" },
  { name: "after writes and logs", code: "1 3 SSTORE 1 1 TSTORE 0 0 LOG0 INVALID" },
  ...[...[...OPCODES.values()].map(({ op, pops }) => [op, pops] as const), ...UNSUPPORTED]
    .filter(([, pops]) => pops > 0)
    .map(([op, pops]) => ({ name: `underflow of ${mnemonic(op)}`, code: `${"0 ".repeat(pops - 1)} ${mnemonic(op)}` })),
];
