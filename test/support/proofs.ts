/**
 * Whole block proofs of the built package, with threads: a block that small keys are enough for, a prover that proves
 * whatever it is told, and what a replica finds in it. Run `npm run build` first.
 *
 * @module
 */

import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Worker } from "node:worker_threads";
import { expect } from "vitest";
import type { BuiltBlock } from "../../src/block/build.js";
import type { Layout } from "../../src/circuits/sources.js";
import type { KeyFolder } from "../../src/keys/folder.js";
import type { CommittedKey } from "../../src/prover/index.js";
import type { Rows } from "../../src/rows/machine.js";
import type { ScenarioRun } from "../../src/trace/index.js";
import type { BlockFault, VerifyBlockOptions } from "../../src/verifier/block.js";
import type { BlockState } from "../../src/verifier/block-state.js";
import type { BoundaryInput, TouchedState } from "../../src/verifier/boundary.js";
import type { Challenges, Message } from "../../src/verifier/bus.js";
import type { BlockClaims, LookupClaims } from "../../src/verifier/claims.js";
import type { BlockProof } from "../../src/verifier/encoding.js";
import type { TranscriptInput } from "../../src/verifier/transcript.js";
import { ROOT } from "./circuits.js";

/** A module of dist/, outside the test runner's module graph: see built.ts. */
const load = (path: string): Promise<unknown> => {
  const url = pathToFileURL(join(ROOT, "dist", path)).href;
  return import(/* @vite-ignore */ `data:text/javascript,export * from ${JSON.stringify(url)}`);
};

export const { BlockProver, proveBlock } = (await load("block/prove.js")) as typeof import("../../src/block/prove.js");
export const { blockRows, touchedState } = (await load(
  "block/assemble.js",
)) as typeof import("../../src/block/assemble.js");
export const { cleanKeys, findKeys, makeKeys, openKeys } = (await load(
  "keys/folder.js",
)) as typeof import("../../src/keys/folder.js");
export const { loadScenario, runScenario } = (await load(
  "trace/index.js",
)) as typeof import("../../src/trace/index.js");
export const { snapshotState } = (await load("replica/snapshot.js")) as typeof import("../../src/replica/snapshot.js");
export const { verifyBlock } = (await load("verifier/block.js")) as typeof import("../../src/verifier/block.js");
export const { parseKeySet } = (await load("verifier/keyset.js")) as typeof import("../../src/verifier/keyset.js");
export const { decodeBlockProof, encodeBlockProof } = (await load(
  "verifier/encoding.js",
)) as typeof import("../../src/verifier/encoding.js");
export const { decodeChunkProof, encodeChunkProof, verifyChunks } = (await load(
  "verifier/chunk.js",
)) as typeof import("../../src/verifier/chunk.js");
export const { boundaryMessages } = (await load(
  "verifier/boundary.js",
)) as typeof import("../../src/verifier/boundary.js");
export const { challenges } = (await load(
  "verifier/transcript.js",
)) as typeof import("../../src/verifier/transcript.js");
export const { ChunkproofError } = (await load("verifier/errors.js")) as typeof import("../../src/verifier/errors.js");
export const { decodeTransaction, recoverSender } = (await load(
  "verifier/ethereum/transaction.js",
)) as typeof import("../../src/verifier/ethereum/transaction.js");
export const { decodeHeader, encodeHeader } = (await load(
  "verifier/ethereum/header.js",
)) as typeof import("../../src/verifier/ethereum/header.js");
export const { commit, loadCommittedKey, proveChunk } = (await load(
  "prover/index.js",
)) as typeof import("../../src/prover/index.js");
export const { solve } = (await load("circuits/solver.js")) as typeof import("../../src/circuits/solver.js");
const { fillChunks } = (await load("block/chunks.js")) as typeof import("../../src/block/chunks.js");
const { layoutCost } = (await load("block/costs.js")) as typeof import("../../src/block/costs.js");
const { lookupClaims } = (await load("block/lookups.js")) as typeof import("../../src/block/lookups.js");
const { planChunks } = (await load("block/plan.js")) as typeof import("../../src/block/plan.js");
export const { busSum } = (await load("verifier/bus.js")) as typeof import("../../src/verifier/bus.js");
const { compressG1 } = (await load("verifier/compressed.js")) as typeof import("../../src/verifier/compressed.js");

/** Where keys and circuits of the tests are kept. */
export const CACHE = join(ROOT, ".cache");

/** Makes an empty cache here, but for circuits that were compiled before. */
export async function freshCache(path: string): Promise<string> {
  await mkdir(path);
  await symlink(join(CACHE, "circuits"), join(path, "circuits"));
  return path;
}

export const CHAIN_ID = 1337n;
/** r of BN254. */
export const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
export const mod = (x: bigint): bigint => ((x % R) + R) % R;

/** Just enough for {@link counterBlock}: one chunk for all ends, one chunk for each execution. */
export const SMALL: readonly Layout[] = [
  { name: "ends-8", power: 8, rows: { stop: 6 } },
  { name: "store-9", power: 9, rows: { add: 1, push: 3, sinkjournal: 4, sload: 1, sstore: 1 } },
];

/** Three accounts bump a counter that stands at `start`, then one pays another `value`: 4 transactions, 4 chunks. */
export function counterBlock(start = 5, value = 7): Promise<ScenarioRun> {
  const people = ["alice", "bob", "carol"].map((name, key) => ({ name, key, balance: String(10n ** 18n) }));
  const counter = { name: "counter", nonce: 1, code: "0 SLOAD 1 ADD 0 SSTORE STOP", storage: { 0: start } };
  const transactions = [
    { from: "alice", to: "counter", type: 0 },
    { from: "bob", to: "counter", type: 1, accessList: [{ address: "counter", storageKeys: [0] }] },
    { from: "carol", to: "counter", type: 2 },
    { from: "bob", to: "carol", type: 2, value, gas: 21_000 },
  ];
  return runScenario(loadScenario(JSON.stringify({ name: "counter", accounts: [...people, counter], transactions })));
}

/** The execution of a STOP: one chunk. */
export function stopBlock(): Promise<ScenarioRun> {
  const accounts = [
    { name: "alice", key: 0, balance: String(10n ** 18n) },
    { name: "nothing", nonce: 1, code: "STOP" },
  ];
  const transactions = [{ from: "alice", to: "nothing", type: 2 }];
  return runScenario(loadScenario(JSON.stringify({ name: "nothing", accounts, transactions })));
}

/** A copy that may be changed. */
export type Mutable<T> = T extends bigint | number | string | Uint8Array | undefined
  ? T
  : { -readonly [K in keyof T]: Mutable<T[K]> };

/** A deep copy with something changed. */
export function altered<T>(value: T, change: (copy: Mutable<T>) => void): T {
  const copy = structuredClone(value) as Mutable<T>;
  change(copy);
  return copy as T;
}

/** A fault as [code, where]. */
export type Fault = readonly [BlockFault["code"], string];

/** Who verifies: a replica on the state before a block, with the keys of a folder. */
export interface Replica extends VerifyBlockOptions {
  readonly state: Required<BlockState>;
}

export async function replicaOf(run: ScenarioRun, folder: KeyFolder): Promise<Replica> {
  return { state: await snapshotState(run.before), keys: folder.parsed(), chainId: CHAIN_ID };
}

/** Expects exactly these faults. */
export async function expectFaults(
  proof: Uint8Array | BlockProof,
  replica: VerifyBlockOptions,
  expected: readonly Fault[],
): Promise<void> {
  const { valid, faults } = await verifyBlock(proof, replica);
  expect(
    faults.map(({ code, where }) => [code, where]),
    faults.map(({ message }) => message).join("\n"),
  ).toEqual(expected);
  expect(valid).toBe(false);
}

/** The faults of a block whose challenges are not those that its chunks were proved under. */
export const allInvalid = (n: number, except: readonly Fault[] = []): Fault[] => [
  ...Array.from({ length: n }, (_, i): Fault => {
    const chunk = `chunks[${i}]`;
    return except.find(([, where]) => where.startsWith(chunk)) ?? ["CHUNK_INVALID", chunk];
  }),
  ["BUS_UNBALANCED", "bus"],
];

/** What the boundary of a block follows from. */
export function boundaryInput(block: BuiltBlock, claims: BlockClaims): BoundaryInput & { state: TouchedState } {
  const { chainId, header } = block;
  const transactions = block.transactions.map((transaction) => ({ transaction, sender: recoverSender(transaction) }));
  return { chainId, header, transactions, claims, state: touchedState(block) };
}

/** The chunks for these rows as the prover chooses and fills them: index of the layout and columns of each. */
export function fill(folder: KeyFolder, rows: Rows) {
  const all = folder.layouts.map(({ layout }) => layout);
  const counts = planChunks(
    new Map([...rows].map(([name, { columns }]) => [name, columns.length])),
    all.map((layout) => ({ layout, cost: layoutCost(layout) })),
  );
  const indices = counts.flatMap((n, index) => new Array<number>(n).fill(index));
  const { chunks, counter } = fillChunks(
    rows,
    indices.map((index) => all[index]!),
  );
  return { indices, columns: chunks.map((chunk) => chunk.columns.map(mod)), counter };
}

/** What {@link forge} proves. */
export interface Attack {
  /** What the replica has: transactions, header, state. */
  readonly truth: BuiltBlock;
  readonly transactions: readonly Uint8Array[];
  /** Rows that the chunks are filled with, and the claims for them; multiplicities are counted. */
  readonly rows: Rows;
  readonly claims: Omit<BlockClaims, "lookups">;
  /** How challenges are drawn; default: as the protocol says. */
  readonly draw?: ((input: TranscriptInput) => Challenges) | undefined;
  /** Look at each proof before it is handed out, as an honest prover does. Default false. */
  readonly selfCheck?: boolean | undefined;
}

/** What {@link forge} made. */
export interface Forged {
  readonly proof: BlockProof;
  readonly drawn: Challenges;
  readonly messages: readonly Message[];
  /** Sum of each chunk. */
  readonly sums: readonly bigint[];
}

/** What was asked of one byte of code under several contents is one claim. */
function onceEach(lookups: LookupClaims): LookupClaims {
  const code = new Map<string, LookupClaims["code"][number]>();
  for (const entry of lookups.code) {
    const key = `${entry.code} ${entry.pc}`;
    const multiplicity = (code.get(key)?.multiplicity ?? 0n) + entry.multiplicity;
    code.set(key, { ...entry, multiplicity });
  }
  return { ...lookups, code: [...code.values()] };
}

/**
 * The prover of somebody who cheats: commits to any rows, draws the challenges that the replica will draw, and proves every
 * chunk under them, without asking whether anything balances.
 */
export async function forge(folder: KeyFolder, attack: Attack): Promise<Forged> {
  const { truth, transactions, rows, draw = challenges, selfCheck = false } = attack;
  const { indices, columns, counter } = fill(folder, rows);
  const claims: BlockClaims = { ...attack.claims, lookups: onceEach(lookupClaims(counter)) };
  const { value, faults } = boundaryMessages(boundaryInput(truth, claims));
  expect(faults.map(({ message }) => message)).toEqual([]);
  const { messages } = value!;

  const keys = new Map<number, CommittedKey>();
  try {
    for (const index of new Set(indices)) keys.set(index, await loadCommittedKey(folder.layouts[index]!));
    const commitments = [];
    for (const [i, index] of indices.entries()) commitments.push(await commit(keys.get(index)!, columns[i]!));
    const header = encodeHeader(truth.header);
    const keySet = new Uint8Array(Buffer.from(folder.parsed().digest, "hex"));
    const drawn = draw({
      keySet,
      chainId: truth.chainId,
      header,
      preState: claims.preState,
      messages,
      chunks: commitments.map(({ d, p }, i) => ({ layout: indices[i]!, d: compressG1(d), p: compressG1(p) })),
    });
    const proofs = [];
    for (const [i, layout] of indices.entries()) {
      const witness = solve(await folder.plan(layout), [drawn.alpha, drawn.beta, ...columns[i]!]);
      const points = await proveChunk(keys.get(layout)!, witness, { selfCheck });
      const sum = BigInt(`0x${Buffer.from(witness.slice(32, 64)).reverse().toString("hex")}`);
      proofs.push({ layout, ...points, ...commitments[i]!, sum });
    }
    const proof: BlockProof = {
      version: 2,
      keySet,
      header,
      transactions,
      claims,
      chunks: proofs.map((chunk) => ({ layout: chunk.layout, proof: encodeChunkProof(chunk) })),
    };
    return { proof, drawn, messages, sums: proofs.map(({ sum }) => sum) };
  } finally {
    for (const key of keys.values()) await key.close();
  }
}

/** Changes a column of one row; `at` counts from the end if negative. */
export function edit(rows: Rows, row: string, at: number, column: string, change: (value: bigint) => bigint): void {
  const { template, columns } = rows.get(row)!;
  const cells = columns.at(at)!;
  const i = template.columns.indexOf(column);
  expect(i, `${row}.${column}`).toBeGreaterThanOrEqual(0);
  cells[i] = change(cells[i]!);
}

/** The threads that live: those that were started since this was asked for and have not ended. */
export class Threads {
  readonly #live = new Set<Worker>();
  readonly #onWorker = (worker: Worker) => {
    this.#live.add(worker);
    worker.once("exit", () => this.#live.delete(worker));
  };

  constructor() {
    process.on("worker", this.#onWorker);
  }

  get live(): readonly Worker[] {
    return [...this.#live];
  }

  stop(): void {
    process.off("worker", this.#onWorker);
  }
}
