/**
 * Contracts and programs for tests of traces, rows and blocks. The contracts of the demo are in `src/trace/contracts.ts`.
 *
 * @module
 */

import fc from "fast-check";
import { assemble } from "../../src/trace/assembler.js";
import type { BuiltBlock } from "../../src/trace/ethereumjs.js";
import { type Hex, Sequencer, scenarioKey, signTransaction, type Trace } from "../../src/trace/index.js";
import { OPCODES, opcodeByte } from "../../src/trace/opcodes.js";
import { addressOf } from "../../src/trace/scenarios.js";

export { COUNTER, FIBONACCI, REVERTER, SORT } from "../../src/trace/contracts.js";

const times = (n: number, line: (i: number) => string) => Array.from({ length: n }, (_, i) => line(i)).join("\n");
const address = `0x${"ff".repeat(20)}`;
const ones = (bytes: number) => `0x${"a5".repeat(bytes)}`;

/**
 * Executes every supported opcode; calldata's word 0 says how it ends: 0 STOP, 1 RETURN, 2 REVERT, 3 past the end of the
 * code, with half a PUSH32.
 */
export const EVERYTHING = `
  PUSH0 POP
  ${times(32, (i) => `PUSH${i + 1} ${ones(i + 1)}`)}
  ${times(16, (i) => `DUP${i + 1} SWAP${i + 1}`)}
  ${times(48, () => "POP")}
  7 5 ADD 3 SUB NOT ISZERO POP
  1 2 LT POP 1 2 GT POP 0 NOT 1 SLT POP 0 NOT 1 SGT POP 4 4 EQ POP
  ADDRESS ORIGIN CALLER CALLVALUE 32 CALLDATALOAD CALLDATASIZE GASPRICE COINBASE TIMESTAMP NUMBER PREVRANDAO
  GASLIMIT CHAINID BASEFEE BLOBBASEFEE PC MSIZE GAS
  ${times(18, () => "POP")}
  0x1234 64 MSTORE 64 MLOAD POP
  7 5 MUL 9 SWAP1 DIV 3 SWAP1 MOD POP 0 NOT 5 SDIV POP 0 NOT 5 SMOD POP 9 8 7 ADDMOD POP 9 8 7 MULMOD POP
  5 3 EXP POP 200 0 SIGNEXTEND POP 12 10 AND 1 OR 6 XOR POP ${address} 0 NOT AND POP 0x1234 30 BYTE POP
  7 3 SHL 2 SHR POP 0 NOT 3 SAR POP
  0x99 130 MSTORE 131 MLOAD POP 0xab 170 MSTORE8 40 99 128 MCOPY 33 1 200 CALLDATACOPY 40 2 240 CODECOPY
  40 1 250 ADDRESS EXTCODECOPY 33 100 KECCAK256 POP 64 0 KECCAK256 POP
  CODESIZE RETURNDATASIZE SELFBALANCE CALLER BALANCE ADDRESS EXTCODESIZE 1 EXTCODEHASH ORIGIN EXTCODEHASH
  1 NUMBER SUB BLOCKHASH NUMBER BLOCKHASH
  ${times(9, () => "POP")}
  5 TLOAD POP 6 5 TSTORE 5 TLOAD POP
  33 100 LOG0 7 64 0 LOG1 8 7 0 0 LOG2 9 8 7 1 31 LOG3 10 9 8 7 32 32 LOG4
  11 3 SSTORE 3 SLOAD POP 0 3 SSTORE 0 7 SSTORE
  @next JUMP
next:
  0 CALLDATALOAD 1 EQ @return JUMPI
  0 CALLDATALOAD 2 EQ @revert JUMPI
  0 CALLDATALOAD 3 EQ @end JUMPI
  STOP
return:
  MSIZE 0 RETURN
revert:
  33 31 REVERT
end:
  .0x7fa5a5a5
`;

/** A chain id of tests. */
export const CHAIN_ID = 1337n;
/** Where {@link traceOf} puts the code. */
export const CONTRACT: Hex = "0x00000000000000000000000000000000c0de0001";
/** Who sends the transactions of {@link traceOf}. */
export const SENDER: Hex = addressOf(scenarioKey(0));
const ETHER = 10n ** 18n;

/** What {@link traceOf} executes. */
export interface Program {
  /** Assembly text or bytes. */
  readonly code: string | Uint8Array;
  readonly data?: Uint8Array;
  readonly value?: bigint;
  readonly gasLimit?: bigint;
  readonly storage?: readonly (readonly [bigint, bigint])[];
  /** Slots of the contract in the access list. */
  readonly accessList?: readonly bigint[];
  /** How often it is called; default once. */
  readonly calls?: number;
}

/** Executes a program as a block of its own. */
export async function blockOf(program: Program): Promise<BuiltBlock & { sequencer: Sequencer }> {
  const { code, data = new Uint8Array(0), value = 0n, gasLimit = 200_000n, storage = [], accessList = [] } = program;
  const sequencer = await Sequencer.create({
    chainId: CHAIN_ID,
    genesis: [
      { address: SENDER, balance: ETHER },
      { address: CONTRACT, nonce: 1n, code: typeof code === "string" ? assemble(code) : code, storage },
    ],
    header: {
      coinbase: "0x00000000000000000000000000000000c0ffee00",
      prevRandao: `0x${"7b".repeat(32)}`,
      excessBlobGas: 40_000_000n,
    },
  });
  const transactions = Array.from({ length: program.calls ?? 1 }, (_, i) =>
    signTransaction(
      {
        type: accessList.length > 0 ? 1 : 2,
        nonce: BigInt(i),
        to: CONTRACT,
        value,
        data,
        gasLimit,
        gasPrice: 3n * 10n ** 9n,
        maxFeePerGas: 2n * 10n ** 9n,
        maxPriorityFeePerGas: 10n ** 8n,
        accessList: accessList.length > 0 ? [{ address: CONTRACT, storageKeys: accessList }] : [],
      },
      CHAIN_ID,
      scenarioKey(0),
    ),
  );
  return { ...(await sequencer.buildBlock(transactions)), sequencer };
}

/** The trace of {@link blockOf}. */
export async function traceOf(program: Program): Promise<Trace> {
  return (await blockOf(program)).trace;
}

/** Words at the edges: of zero, of halves, limbs, the sign, and what fits. */
export function word(): fc.Arbitrary<bigint> {
  const edges = [0n, 1n, 2n, (1n << 256n) - 1n, (1n << 256n) - 2n];
  for (const bits of [8n, 16n, 31n, 32n, 64n, 127n, 128n, 129n, 160n, 192n, 254n, 255n]) {
    edges.push((1n << bits) - 1n, 1n << bits, (1n << bits) + 1n);
  }
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...edges) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }) },
  );
}

/** Instructions that take words as they come, by the number of those. */
const ON_WORDS: readonly (readonly string[])[] = [
  [
    ...["ADDRESS", "ORIGIN", "CALLER", "CALLVALUE", "CALLDATASIZE", "GASPRICE", "COINBASE", "TIMESTAMP", "NUMBER"],
    ...["PREVRANDAO", "GASLIMIT", "CHAINID", "BASEFEE", "BLOBBASEFEE", "PC", "MSIZE", "GAS", "PUSH0"],
    ...["CODESIZE", "RETURNDATASIZE", "SELFBALANCE"],
  ],
  ["ISZERO", "NOT", "BALANCE", "EXTCODESIZE", "EXTCODEHASH", "BLOCKHASH", "CALLDATALOAD"],
  [
    ...["ADD", "SUB", "LT", "GT", "SLT", "SGT", "EQ", "MUL", "DIV", "SDIV", "MOD", "SMOD", "SIGNEXTEND"],
    ...["AND", "OR", "XOR", "BYTE", "SHL", "SHR", "SAR"],
  ],
  ["ADDMOD", "MULMOD"],
];

/** Where and how much, at the edges of words. */
const PLACES = [0, 1, 31, 32, 33, 63, 64, 65, 100, 128];
const SIZES = [0, 1, 5, 20, 31, 32, 33, 64, 65];
/** Accounts by how they come onto the stack: the last one is nobody's, 1 a precompile. */
const WHO = ["ADDRESS", "CALLER", "ORIGIN", "COINBASE", "1", "0x1234567890"];
const ENDINGS = [
  ...["STOP", "MSIZE 0 RETURN", "5 40 RETURN", "0 0 REVERT", "0x2000 0 REVERT", "", ".0x61ff", "INVALID", ".0x0c"],
  ...["POP ".repeat(80), "0 1 JUMP", "1 3 JUMPI", "0 0 NOT JUMP", "0 NOT 1 RETURN", "0 NOT MLOAD", "1 0 NOT LOG0"],
  ...["0 1 0 RETURNDATACOPY", "0 NOT 0 0 RETURNDATACOPY"],
];

const STACK = ["dup", "swap", "pop", "jump", "jumpi"];

type Make = (n: readonly number[], words: readonly bigint[]) => string;
const at = <T>(list: readonly T[], n: number): T => list[n % list.length]!;

/** Instructions that lay out their own operands: text, and how many words it leaves. */
const WITH_OPERANDS: readonly { readonly make: Make; readonly leaves: 0 | 1 }[] = [
  { make: ([a]) => `${at(PLACES, a!)} MLOAD`, leaves: 1 },
  { make: ([a], [x]) => `${x} ${at(PLACES, a!)} MSTORE`, leaves: 0 },
  { make: ([a], [x]) => `${x} ${at(PLACES, a!)} MSTORE8`, leaves: 0 },
  { make: ([a, b, c]) => `${at(SIZES, a!)} ${at(PLACES, b!)} ${at(PLACES, c!)} MCOPY`, leaves: 0 },
  { make: ([a, b, c]) => `${at(SIZES, a!)} ${at(PLACES, b!)} ${at(PLACES, c!)} CALLDATACOPY`, leaves: 0 },
  { make: ([a, b, c]) => `${at(SIZES, a!)} ${at(PLACES, b!)} ${at(PLACES, c!)} CODECOPY`, leaves: 0 },
  {
    make: ([a, b, c, d]) => `${at(SIZES, a!)} ${at(PLACES, b!)} ${at(PLACES, c!)} ${at(WHO, d!)} EXTCODECOPY`,
    leaves: 0,
  },
  { make: ([a]) => `0 0 ${at(PLACES, a!)} RETURNDATACOPY`, leaves: 0 },
  { make: ([a, b]) => `${at(SIZES, a!)} ${at(PLACES, b!)} KECCAK256`, leaves: 1 },
  { make: ([a]) => `${at(PLACES, a!)} CALLDATALOAD`, leaves: 1 },
  { make: ([a]) => `${a! % 4} SLOAD`, leaves: 1 },
  // mostly small values, so that slots come back to what they were
  { make: ([a, b], [x]) => `${b! % 3 === 0 ? x : b! % 3} ${a! % 4} SSTORE`, leaves: 0 },
  { make: ([a]) => `${a! % 4} TLOAD`, leaves: 1 },
  { make: ([a, b], [x]) => `${b! % 2 === 0 ? x : 0} ${a! % 4} TSTORE`, leaves: 0 },
  { make: ([a]) => `${at(WHO, a!)} ${at(["BALANCE", "EXTCODESIZE", "EXTCODEHASH"], a! >> 3)}`, leaves: 1 },
  { make: ([a]) => `${at([0, 1, 255, 256, 257], a!)} NUMBER SUB BLOCKHASH`, leaves: 1 },
  { make: ([a], [x]) => `${at([0, 1, 2, 3, 13, 255, 256], a!)} ${x} EXP`, leaves: 1 },
  {
    make: ([a, b, c], [x, y]) =>
      `${[x, y, 1, 2].slice(0, a! % 5).join(" ")} ${at(SIZES, b!)} ${at(PLACES, c!)} LOG${a! % 5}`,
    leaves: 0,
  },
  { make: (_, [x]) => `${x} 0xffffffffffffffffffffffffffffffffffffffff AND`, leaves: 1 },
];

/**
 * Assembly text of a program that does not underflow but perhaps at its end, jumps only forward, and touches memory, storage
 * and calldata at few places, so that they meet. It may run out of gas, and halt in any other way.
 */
export function program(): fc.Arbitrary<string> {
  const item = fc.record({
    kind: fc.constantFrom(...["push", "push", "words", "words", "words", "operands", "operands", "operands"], ...STACK),
    n: fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 }),
    words: fc.array(word(), { minLength: 2, maxLength: 2 }),
  });
  return fc
    .tuple(fc.array(item, { minLength: 1, maxLength: 50, size: "max" }), fc.constantFrom(...ENDINGS))
    .map(([items, end]) => {
      let depth = 0;
      let labels = 0;
      const lines: string[] = [];
      const need = (n: number) => {
        for (; depth < n; depth++) lines.push(String(depth + 1));
      };
      for (const { kind, n, words } of items) {
        const k = (n[0]! % 16) + 1;
        if (kind === "push") {
          lines.push(n[0]! % 4 === 0 ? `PUSH32 ${words[0]}` : String(words[0]));
          depth++;
        } else if (kind === "words") {
          const many = at([0, 1, 2, 2, 2, 3], n[0]!);
          need(many);
          lines.push(at(ON_WORDS[many]!, n[1]!));
          depth += 1 - many;
        } else if (kind === "operands") {
          const { make, leaves } = at(WITH_OPERANDS, n[3]!);
          lines.push(make(n, words));
          depth += leaves;
        } else if (kind === "dup") {
          need(k);
          lines.push(`DUP${k}`);
          depth++;
        } else if (kind === "swap") {
          need(k + 1);
          lines.push(`SWAP${k}`);
        } else if (kind === "pop") {
          need(1);
          lines.push("POP");
          depth--;
        } else if (kind === "jump") {
          lines.push(`@l${labels} JUMP .0xfe5b l${labels++}:`);
        } else {
          need(1);
          lines.push(`@l${labels} JUMPI 7 POP l${labels++}:`);
          depth--;
        }
      }
      // what starts with 0x would be bytes
      return ["", ...lines, end].join("\n");
    });
}

/** Any bytes, most of them supported opcodes and small numbers: programs that mostly halt. */
export function wildProgram(): fc.Arbitrary<Uint8Array> {
  const supported = [...OPCODES.keys()].filter((op) => op !== opcodeByte("STOP"));
  const byte = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...supported) },
    { weight: 20, arbitrary: fc.constantFrom(0x60, 0x60, 0x5f, 0x20, 0x40, 0x5b) },
    { weight: 1, arbitrary: fc.nat(255) },
  );
  return fc.array(byte, { minLength: 1, maxLength: 60, size: "max" }).map((bytes) => Uint8Array.from(bytes));
}
