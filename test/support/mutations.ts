/**
 * Mutation of blocks: one committed cell at a time, everything else as an attacker would have it. Lookups that are true are
 * granted, because their multiplicities are the attacker's; what is left must violate a constraint or be missing on the
 * bus.
 *
 * @module
 */

import { expect } from "vitest";
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
  320 CALLDATALOAD POP 0 0 NOT JUMPI 5 SLOAD 5 SLOAD POP POP
  0 NOT 1 NOT SLT POP 1 NOT 0 NOT SLT POP 2 1 SGT POP 1 2 SGT POP 0 NOT 0 NOT SLT POP
  5 6 EQ POP 0 NOT 5 EQ POP 0 NOT 0 NOT ADD POP 1 0 SUB POP 1 PUSH32 ${1n << 128n} SUB POP
  PUSH32 ${1n << 128n} ISZERO POP PUSH32 ${1n << 128n} 7 GT POP 7 DUP1 LT POP
  96 MLOAD 0 MSTORE 0 0 NOT RETURN
`;

/** The scenario of a block that uses every template: all opcodes, all ends, what is cold and what is warm, and undone. */
export const EVERY_TEMPLATE = {
  contracts: { all: { code: EVERYTHING, storage: { 7: 9 } }, cases: { code: CASES, storage: { 5: 6 } } },
  calls: [
    ...[0, 1, 2, 3].map((mode) => ({ from: "alice", to: "all", value: mode, data: [mode, 9, 9], gas: 200_000 })),
    { from: "bob", to: "cases" },
  ],
} as const;

const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : 1);
const ROOT_FIELDS = [0x30n, 0x33n, 0x34n, 0x36n, 0x38n, 0x3dn, 0x100n];

/** All entries of the verifier's tables in a block, asked for or not. */
export function tablesOf(built: BuiltBlock): Tables {
  const { chainId, header, transactions, claims, accounts, codes, codeIds } = built;
  const once = { multiplicity: 1n };
  const contexts = [...new Set(built.rows.get("push")!.columns.map((cells) => cells[1]!))].sort(ascending);
  const executed = transactions.filter((_, i) => claims.transactions[i]!.end !== undefined);
  if (contexts.length !== executed.length) throw new Error("an execution without PUSH");
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
    state: {
      accounts,
      slots: new Map([...accounts].map(([address, { storage }]) => [address, new Map(storage)])),
      codes: new Map([...codes].map(([hash, bytes]) => [hash, new Code(bytes)])),
      blockHashes: built.blockHashes,
    },
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

const WARM_SLOAD = "a warm slot isn't journaled: JRN and JOURNAL have multiplicity 0, and the time is any before now";

/** Columns of which another value is another honest witness: why, and in which rows. */
export const FREE: Readonly<Record<string, { readonly why: string; when(cells: Record<string, bigint>): boolean }>> = {
  "sload.j": { why: WARM_SLOAD, when: ({ T, lastTx }) => T === lastTx },
  "sload.jOld": { why: WARM_SLOAD, when: ({ T, lastTx }) => T === lastTx },
  "calldataload.wordOld": {
    why: "outside the calldata no word is taken: MEMORY has multiplicity 0, and the time is any before now",
    when: ({ inside }) => inside === 0n,
  },
};

/** Expects nothing but {@link FREE} columns, all of them, and only in their rows. */
export function expectFree(found: readonly Survivor[]): void {
  expect([...new Set(found.map(({ column }) => column))].sort()).toEqual(Object.keys(FREE).sort());
  for (const { column, cells } of found) {
    const { columns } = template(column.split(".")[0]!);
    const named = Object.fromEntries(columns.map((name, i) => [name, cells[i]!]));
    expect(FREE[column]!.when(named), `${column} ${JSON.stringify(named, (_, x) => String(x))}`).toBe(true);
  }
}
