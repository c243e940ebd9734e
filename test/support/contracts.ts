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

const BINARY = ["ADD", "SUB", "LT", "GT", "SLT", "SGT", "EQ"];
const UNARY = ["ISZERO", "NOT"];
const NULLARY = [
  ...["ADDRESS", "ORIGIN", "CALLER", "CALLVALUE", "CALLDATASIZE", "GASPRICE", "COINBASE", "TIMESTAMP", "NUMBER"],
  ...["PREVRANDAO", "GASLIMIT", "CHAINID", "BASEFEE", "BLOBBASEFEE", "PC", "MSIZE", "GAS", "PUSH0"],
];

/**
 * Assembly text of a program that does not underflow, jumps only forward, and touches memory, storage and calldata at
 * few places, so that they meet. It may run out of gas.
 */
export function program(): fc.Arbitrary<string> {
  const item = fc.oneof(
    { weight: 4, arbitrary: word().map((value) => ({ kind: "push", value, n: 0 })) },
    ...[
      "binary",
      "unary",
      "nullary",
      "dup",
      "swap",
      "mload",
      "mstore",
      "sload",
      "sstore",
      "calldata",
      "jump",
      "jumpi",
    ].map((kind) => ({
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant(kind),
        value: fc.nat(9).map(BigInt),
        n: fc.nat(1000),
      }),
    })),
    { weight: 1, arbitrary: fc.constant({ kind: "pop", value: 0n, n: 0 }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("wide"), value: word(), n: fc.nat(31) }) },
  );
  const ending = fc.constantFrom(
    "STOP",
    "MSIZE 0 RETURN",
    "5 40 RETURN",
    "0 0 REVERT",
    "0x2000 0 REVERT",
    "",
    ".0x61ff",
  );
  return fc.tuple(fc.array(item, { minLength: 1, maxLength: 60 }), ending).map(([items, end]) => {
    let depth = 0;
    let labels = 0;
    const lines: string[] = [];
    const need = (n: number) => {
      for (; depth < n; depth++) lines.push(String(depth + 1));
    };
    for (const { kind, value, n } of items) {
      const slot = value % 4n;
      if (kind === "push") lines.push(String(value));
      else if (kind === "wide") lines.push(`PUSH32 ${value}`);
      else if (kind === "nullary") lines.push(NULLARY[n % NULLARY.length]!);
      else if (kind === "mload") lines.push(`${32n * value} MLOAD`);
      else if (kind === "sload") lines.push(`${slot} SLOAD`);
      else if (kind === "calldata") lines.push(`${32n * value} CALLDATALOAD`);
      else if (kind === "jump") lines.push(`@l${labels} JUMP .0xfe5b l${labels++}:`);
      else if (kind === "binary") {
        need(2);
        lines.push(BINARY[n % BINARY.length]!);
      } else if (kind === "unary") {
        need(1);
        lines.push(UNARY[n % UNARY.length]!);
      } else if (kind === "dup") {
        need((n % 16) + 1);
        lines.push(`DUP${(n % 16) + 1}`);
      } else if (kind === "swap") {
        need((n % 16) + 2);
        lines.push(`SWAP${(n % 16) + 1}`);
      } else if (kind === "pop") {
        need(1);
        lines.push("POP");
      } else if (kind === "mstore") {
        need(1);
        lines.push(`${32n * value} MSTORE`);
      } else if (kind === "sstore") {
        // mostly small values, so that slots come back to what they were
        if (n % 3 === 0) need(1);
        else lines.push(String(n % 3));
        lines.push(`${slot} SSTORE`);
        if (n % 3 === 0) depth--;
        continue;
      } else {
        need(1);
        lines.push(`@l${labels} JUMPI`);
        lines.push(`7 POP l${labels++}:`);
      }
      if (["push", "wide", "nullary", "mload", "sload", "calldata", "dup"].includes(kind)) depth++;
      else if (["binary", "pop", "mstore", "jumpi"].includes(kind)) depth--;
    }
    return [...lines, end].join("\n");
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
  return fc.array(byte, { minLength: 1, maxLength: 60 }).map((bytes) => Uint8Array.from(bytes));
}
