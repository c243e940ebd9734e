/**
 * Mutation of blocks: one committed cell at a time, everything else as an attacker would have it. Lookups that are true are
 * granted, because their multiplicities are the attacker's; what is left must violate a constraint or be missing on the
 * bus.
 *
 * @module
 */

import { expect } from "vitest";
import { touchedState } from "../../src/block/assemble.js";
import type { BuiltBlock } from "../../src/block/build.js";
import { checkRow } from "../../src/block/check.js";
import { FR_MODULUS, readBigintLE } from "../../src/formats/bn254.js";
import { template } from "../../src/rows/index.js";
import { messagesOf } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { boundaryMessages } from "../../src/verifier/boundary.js";
import type { Message } from "../../src/verifier/bus.js";
import { Code } from "../../src/verifier/ethereum/code.js";
import { recoverSender } from "../../src/verifier/ethereum/transaction.js";
import { EMPTY_CODE_HASH } from "../../src/verifier/ethereum/words.js";
import { TAGS } from "../../src/verifier/tags.generated.js";
import { Bus, CIRCUITS, canonical, Tables } from "./blocks.js";
import { EVERYTHING } from "./contracts.js";
import { FIXED_TABLES } from "./tables.js";

/** Cases of templates that {@link EVERYTHING} doesn't have: borders, signs, what is outside, what is empty. */
const CASES = `
  320 CALLDATALOAD POP 0 NOT CALLDATALOAD POP 5 CALLDATALOAD POP 0 0 NOT JUMPI 5 SLOAD 5 SLOAD POP POP
  0 NOT 1 NOT SLT POP 1 NOT 0 NOT SLT POP 2 1 SGT POP 1 2 SGT POP 0 NOT 0 NOT SLT POP
  5 6 EQ POP 0 NOT 5 EQ POP 0 NOT 0 NOT ADD POP 1 0 SUB POP 1 PUSH32 ${1n << 128n} SUB POP
  PUSH32 ${1n << 128n} ISZERO POP PUSH32 ${1n << 128n} 7 GT POP 7 DUP1 LT POP
  0 NOT 0 NOT MUL POP 0 5 DIV POP 0 5 MOD POP 0 5 SDIV POP 3 1 NOT SMOD POP 0 5 7 MULMOD POP 0 NOT DUP1 DUP1 ADDMOD POP
  0 0 EXP POP PUSH32 ${(1n << 128n) + 3n} 5 EXP POP 0x80 0 SIGNEXTEND POP 5 32 SIGNEXTEND POP
  5 PUSH32 ${1n << 128n} SIGNEXTEND POP 0 NOT 3 BYTE POP 0x1234 256 BYTE POP
  5 256 SHL POP 5 64 SHR POP 5 PUSH32 ${1n << 128n} SHL POP 5 256 SAR POP 0 NOT PUSH32 ${1n << 128n} SAR POP
  0 NOT 200 SAR POP ${(1n << 160n) - 1n} 5 AND POP
  5 31 MSTORE8 0x77 5 MSTORE 37 MLOAD POP 0 0 0 MCOPY 64 0 3 MCOPY 7 3 64 MCOPY
  0 0 NOT 0 CALLDATACOPY 40 0 NOT 0 CALLDATACOPY 32 0 32 CODECOPY 20 1000 0 CODECOPY
  0 0 0 0 EXTCODECOPY 5 0 3 0x1234567890 EXTCODECOPY 0 0 5 RETURNDATACOPY
  0 0 KECCAK256 POP 32 32 KECCAK256 POP 0 0 LOG0 5 32 0 LOG1
  0x1234567890 BALANCE POP ORIGIN EXTCODESIZE POP 1 EXTCODEHASH POP COINBASE EXTCODEHASH POP ADDRESS EXTCODEHASH POP
  257 NUMBER SUB BLOCKHASH POP PUSH32 ${1n << 128n} BLOCKHASH POP 6 TLOAD POP 7 6 TSTORE 8 6 TSTORE 6 TLOAD POP
  96 MLOAD 0 MSTORE 0 0 NOT RETURN
`;

/** Halts, with something of each kind to undo before them. */
const EFFECTS = "7 5 SSTORE 5 SLOAD POP 7 5 TSTORE 3 9 9 LOG1 33 1 LOG0 0xabcdef BALANCE POP 0xabcdef EXTCODEHASH POP";
const HALTS: Readonly<Record<string, string>> = {
  invalid: `${EFFECTS} INVALID`,
  underflow: `${EFFECTS} POP`,
  gas: `${EFFECTS} 0 1000 LOG0 100000 0 LOG0`,
  askedGas: "JUMPDEST GAS",
  stored: "1 1 SSTORE",
  jump: "0 JUMP",
  jumpHigh: "0 NOT JUMP",
  jumpData: "4 JUMP .0x605b",
  jumpIf: "1 1000 JUMPI",
  ...{
    mload: "0 NOT MLOAD",
    mstore: "1 0xffffffff MSTORE",
    mstore8: "1 0xffffff MSTORE8",
    keccak: "1 0 NOT KECCAK256",
  },
  ...{
    returned: "0 NOT 0 RETURN",
    reverted: "1 0 NOT REVERT",
    log: "0 0xffffffff 5 LOG1",
    copied: "5 0 0 NOT CALLDATACOPY",
  },
  ...{ codecopied: "5 0 0 NOT CODECOPY", extcodecopied: "5 0 0 NOT ADDRESS EXTCODECOPY" },
  ...{ mcopyTo: "5 0 0 NOT MCOPY", mcopyFrom: "5 0 NOT 0 MCOPY", notReturned: "0 1 0 RETURNDATACOPY" },
  notReturnedSize: "1 0 0 RETURNDATACOPY",
};
/** What is left of the gas where that matters. */
const LITTLE: Readonly<Record<string, number>> = { gas: 14_000, askedGas: 2, stored: 2_306 };

/** The scenario of a block that uses every template: all opcodes, all ends, what is cold and what is warm, and undone. */
export const EVERY_TEMPLATE = {
  contracts: {
    all: { code: EVERYTHING, storage: { 7: 9 } },
    cases: { code: CASES, storage: { 5: 6 } },
    ...Object.fromEntries(Object.entries(HALTS).map(([name, code]) => [name, { code, storage: { 5: 6 } }])),
  },
  calls: [
    ...[0, 1, 2, 3].map((mode) => ({ from: "alice", to: "all", value: mode, data: [mode, 9, 9], gas: 200_000 })),
    { from: "bob", to: "cases", data: [1, 2, 3], gas: 200_000 },
    ...Object.keys(HALTS).map((to) => ({ from: "carol", to, value: 1, gas: 21_000 + (LITTLE[to] ?? 100_000) })),
  ],
  block: { gasLimit: 1_000_000_000 },
} as const;

const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : 1);
const ROOT_FIELDS = [0x30n, 0x33n, 0x34n, 0x36n, 0x38n, 0x3dn, 0x100n];

/** All entries of the verifier's tables in a block, asked for or not. */
export function tablesOf(built: BuiltBlock): Tables {
  const { chainId, header, transactions, claims, codes, codeIds } = built;
  const once = { multiplicity: 1n };
  const stepped = [...built.rows.values()].filter(({ template: of }) => of.columns.includes("clk"));
  const ctxs = stepped.flatMap(({ template: of, columns }) =>
    columns.map((cells) => cells[of.columns.indexOf("ctx")]!),
  );
  const contexts = [...new Set(ctxs)].sort(ascending);
  const executed = transactions.filter((_, i) => claims.transactions[i]!.end !== undefined);
  const lookups = {
    code: [...codeIds].flatMap(([hash, id]) => {
      const code = new Code(codes.get(hash)!);
      return Array.from({ length: code.end + 1 }, (_, pc) => pc)
        .filter((pc) => code.entry(pc) !== undefined)
        .map((pc) => ({ code: BigInt(id), pc: BigInt(pc), ...once }));
    }),
    ctx: contexts.flatMap((ctx) => ROOT_FIELDS.map((field) => ({ ctx, field, ...once }))),
    txenv: transactions.flatMap((_, i) => [0x32n, 0x3an].map((field) => ({ T: BigInt(i + 1), field, ...once }))),
    env: [0x41n, 0x42n, 0x43n, 0x44n, 0x45n, 0x46n, 0x48n, 0x4an].map((field) => ({ field, ...once })),
    calldata: contexts.flatMap((ctx, i) =>
      [...executed[i]!.data.keys()].map((offset) => ({ ctx, offset: BigInt(offset), ...once })),
    ),
    codeword: [...codeIds].flatMap(([hash, id]) =>
      [...codes.get(hash)!.keys()].map((offset) => ({ code: BigInt(id), offset: BigInt(offset), ...once })),
    ),
    codeid: [...codeIds.keys(), EMPTY_CODE_HASH].sort(ascending).map((hash) => ({ hash, ...once })),
    blockhash: [...built.blockHashes.keys()].map((n) => ({ n, ...once })),
    // the same in every block: see FIXED_TABLES
    ...{ range: [], pow2: [], and: [], opcode: [] },
  };
  const { value, faults } = boundaryMessages({
    ...{ chainId, header, claims: { ...claims, lookups } },
    transactions: transactions.map((transaction) => ({ transaction, sender: recoverSender(transaction, "test") })),
    state: touchedState(built),
  });
  if (value === undefined) throw faults[0]!;
  return new Tables(value.messages);
}

/** Whether a request is true. */
function isTrue(tables: Tables, { tag, coordinates, ...rest }: Message): boolean {
  return FIXED_TABLES[tag]?.(coordinates) ?? tables.has({ tag, coordinates, ...rest });
}

/** What a row has on the bus that others have to answer: all but requests that are true. */
export function owed(tables: Tables, template: RowTemplate, cells: readonly bigint[]): Message[] {
  return messagesOf(template, cells).filter(
    (message) => TAGS[message.tag].type !== "L" || message.multiplicity < 0n || !isTrue(tables, message),
  );
}

const randomFr = (): bigint => readBigintLE(crypto.getRandomValues(new Uint8Array(40)), 0, 40) % FR_MODULUS;

/** Other values of a cell: neighbours, edges, what wraps, anything. */
export function mutants(value: bigint): bigint[] {
  const list = [value + 1n, value - 1n, 0n, 1n, 2n, value + 65536n, -value, value + (1n << 128n), randomFr()];
  return [...new Set(list.map(canonical))].filter((other) => other !== canonical(value));
}

/** A mutated cell that nothing catches. */
export interface Survivor {
  /** `template.column` */
  readonly column: string;
  readonly index: number;
  readonly cells: readonly bigint[];
  readonly value: bigint;
}

/** Options of {@link survivors}. */
export interface MutationOptions {
  /** Which rows of each template; default: all. */
  pick?(template: string, count: number): readonly number[];
  /**
   * Ask the circuit about every so many mutants that the bus already refuses, beside all that it does not refuse; the
   * circuit's sum must be that of the messages then, so that what refused them is what they commit to. Default: all.
   */
  readonly every?: number;
}

/** Mutates cells of a block, and says how many mutants there were and which of them nothing catches. */
export async function survivors(
  { rows }: BuiltBlock,
  tables: Tables,
  { pick = (_, count) => Array.from({ length: count }, (_, i) => i), every = 1 }: MutationOptions = {},
): Promise<{ readonly mutants: number; readonly survivors: readonly Survivor[] }> {
  const found: Survivor[] = [];
  let count = 0;
  for (const { template: of, columns } of rows.values()) {
    const circuit = await CIRCUITS.get(of.name);
    for (const index of pick(of.name, columns.length)) {
      const cells = columns[index]!;
      const before = owed(tables, of, cells);
      for (const [i, column] of of.columns.entries()) {
        for (const value of mutants(cells[i]!)) {
          const mutated = cells.with(i, value);
          const bus = new Bus();
          bus.post(before, -1n);
          bus.post(owed(tables, of, mutated));
          count++;
          if (!bus.balanced && count % every !== 0) continue;
          const fault = checkRow(circuit, of, mutated);
          if (fault === "sum") throw new Error(`${of.name}.${column} = ${value}: sum and messages differ`);
          if (bus.balanced && fault === undefined) {
            found.push({ column: `${of.name}.${column}`, index, cells, value });
          }
        }
      }
    }
  }
  return { mutants: count, survivors: found };
}

type When = (cells: Readonly<Record<string, bigint>>) => boolean;
interface Free {
  readonly why: string;
  readonly when: When;
}

/** Columns of some templates that are free for one reason. */
function freeOf(why: string, when: When, columns: Readonly<Record<string, readonly string[]>>): Record<string, Free> {
  return Object.fromEntries(
    Object.entries(columns).flatMap(([row, names]) => names.map((name) => [`${row}.${name}`, { why, when }])),
  );
}

const NOT_THERE = "a message with multiplicity 0, of which the time, any before now, is all that is asked for";
const NOT_ASKED = "in nothing but a lookup that isn't made";
const journaled = ["j", "jOld"];

/** Columns of which another value is another honest witness: why, and in which rows. */
export const FREE: Readonly<Record<string, Free>> = {
  ...freeOf("what is warm isn't journaled: JRN and JOURNAL have multiplicity 0", ({ T, lastTx }) => T === lastTx, {
    ...{ sload: journaled, balance: journaled, extcodesize: journaled, extcodehash: journaled, extcodecopy: journaled },
  }),
  ...freeOf("the hash of what has code is told without nonce and balance", ({ bare }) => bare === 0n, {
    extcodehash: ["nonce", "createdTx", "nonceOld", "balanceHi", "balanceLo", "balanceOld"],
  }),
  ...freeOf(NOT_ASKED, ({ inside, offsetHi }) => inside === 1n || offsetHi !== 0n, { calldataload: ["len"] }),
  ...freeOf(NOT_ASKED, ({ inside }) => inside === 0n, { blockhash: ["hashHi", "hashLo"] }),
  ...freeOf(NOT_ASKED, ({ isMul }) => isMul === 0n, { power: ["powHi", "powLo"] }),
  ...freeOf(NOT_ASKED, ({ eHi, eLo }) => eHi === 0n && eLo === 0n, { exp: ["p"] }),
  ...freeOf(NOT_ASKED, ({ isOut }) => isOut === 0n, { byte: ["excess"] }),
  ...freeOf("all limbs are 0, wherever they are put", ({ isFar }) => isFar === 1n, { shift: ["j0", "j1"] }),
  ...freeOf(NOT_THERE, ({ has }) => has === 0n, { read: ["wordOld"] }),
  ...freeOf("the chain has no rows, and its token goes round", ({ size }) => size === 0n, {
    ...{ mcopy: ["writeEnd"], copydata: ["writeEnd", "loadEnd"], extcodecopy: ["writeEnd", "loadEnd"] },
  }),
  ...Object.fromEntries(
    [1, 2, 3, 4].map((topic) => {
      const when: When = (cells) => [0, 1, 2, 3, 4].some((n) => n < topic && cells[`isLog${n}`] === 1n);
      return [`logs.topic${topic}Old`, { why: NOT_THERE, when }];
    }),
  ),
  ...freeOf(NOT_THERE, ({ isMload, isMstore, isByte }) => [isMload, isMstore, isByte].includes(1n), {
    haltmemory: ["sizeOld"],
  }),
  ...freeOf("JUMP has no condition", ({ isJumpi }) => isJumpi === 0n, { haltjump: ["cHi", "cLo", "cOld"] }),
  ...freeOf(NOT_ASKED, ({ isBeyond }) => isBeyond === 0n, { haltjump: ["length"] }),
  ...freeOf(NOT_ASKED, ({ isOther }) => isOther === 0n, { haltjump: ["class", "n", "immHi", "immLo", "instr"] }),
};

/** Expects nothing but {@link FREE} columns, only in their rows; all of them unless told otherwise. */
export function expectFree(found: readonly Survivor[], { all = true } = {}): void {
  const columns = [...new Set(found.map(({ column }) => column))].sort();
  expect(columns).toEqual(
    Object.keys(FREE)
      .filter((column) => all || columns.includes(column))
      .sort(),
  );
  for (const { column, cells } of found) {
    const { columns: names } = template(column.split(".")[0]!);
    const named = Object.fromEntries(names.map((name, i) => [name, cells[i]!]));
    expect(FREE[column]!.when(named), `${column} ${JSON.stringify(named, (_, x) => String(x))}`).toBe(true);
  }
}
