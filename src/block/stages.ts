/**
 * The stages of a block's proof, for whoever runs them where: `prove.ts` in one process, the prover network on many machines.
 *
 * @module
 */

import { mod, writeValues } from "../circuits/linear.js";
import { type SolverPlan, solve } from "../circuits/solver.js";
import type { Layout } from "../circuits/sources.js";
import { ProverError } from "../errors.js";
import { readBigintLE } from "../formats/bn254.js";
import {
  type BackendChoice,
  type BackendReport,
  type Commitment,
  type CommittedKey,
  commit,
  type OnProgress,
  proveChunk,
} from "../prover/index.js";
import type { Trace } from "../trace/format.js";
import type { Message } from "../verifier/bus.js";
import { assertChunk, type Challenges, type ChunkProof } from "../verifier/chunk.js";
import { compressG1 } from "../verifier/compressed.js";
import { VerifierError } from "../verifier/errors.js";
import { encodeHeader, type Header } from "../verifier/ethereum/header.js";
import { fromHex } from "../verifier/ethereum/words.js";
import type { KeySet } from "../verifier/keyset.js";
import { type ChunkCommitment, challenges } from "../verifier/transcript.js";
import { type Assembled, assemble, blockRows } from "./assemble.js";
import type { BuiltBlock } from "./build.js";
import { type Chunk, countRequests, fillColumns } from "./chunks.js";
import { layoutCost } from "./costs.js";
import { Counter } from "./lookups.js";
import { planChunks } from "./plan.js";

const COLUMN = 32;

/** Lets timers and messages in between two pieces of synchronous work. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A block cut into chunks. */
export interface PlannedBlock {
  readonly built: BuiltBlock;
  readonly chunks: readonly PlannedChunk[];
  /** Rows of templates, padding not included. */
  readonly rows: number;
}

/** A chunk before anything is computed of it. */
export interface PlannedChunk extends Chunk {
  /** Position of its layout's key in the key set. */
  readonly key: number;
  /** Time it takes to prove, any unit. */
  readonly cost: number;
}

/**
 * Cuts a valid trace into chunks, in the order of the key set.
 *
 * @param layouts in the order of the key set.
 * @throws BlockError, RowError
 */
export function planBlock(trace: Trace, layouts: readonly Layout[]): PlannedBlock {
  const built = blockRows(trace);
  const demand = new Map([...built.rows].map(([row, { columns }]) => [row, columns.length]));
  const costs = layouts.map((layout) => ({ layout, cost: layoutCost(layout) }));
  const planned = planChunks(demand, costs).flatMap((n, key) => new Array<number>(n).fill(key));
  const filled = fillColumns(
    built.rows,
    planned.map((key) => layouts[key]!),
  );
  return {
    built,
    chunks: filled.map((chunk, i): PlannedChunk => {
      const key = planned[i]!;
      return { ...chunk, columns: chunk.columns.map(mod), key, cost: costs[key]!.cost };
    }),
    rows: [...demand.values()].reduce((sum, n) => sum + n, 0),
  };
}

/** Completes a block's claims by what its chunks ask of lookup tables. @throws BlockError `BLOCK_REFUSED`; `signal.reason`. */
export async function completeClaims({ built, chunks }: PlannedBlock, signal?: AbortSignal): Promise<Assembled> {
  const counter = new Counter();
  for (const chunk of chunks) {
    await breathe();
    signal?.throwIfAborted();
    countRequests(counter, built.rows, chunk);
  }
  return assemble(built, counter);
}

/** Commits to the columns of a chunk. @throws as `commit` of the prover. */
export function commitColumns(
  key: CommittedKey,
  columns: readonly bigint[],
  signal: AbortSignal | undefined,
): Promise<Commitment> {
  return commit(key, writeValues(columns, columns.length), { signal });
}

/** What a chunk's commitment is in the transcript. */
export function transcriptOf(layout: number, { d, p }: Commitment): ChunkCommitment {
  return { layout, d: compressG1(d), p: compressG1(p) };
}

/** What the challenges are drawn from, beside the commitments. */
export interface Drawn {
  readonly keys: KeySet;
  readonly chainId: bigint;
  readonly header: Header;
  /** Commitment of the state before the block, 32 bytes. */
  readonly preState: Uint8Array;
  readonly messages: readonly Message[];
}

/** The challenges of a block whose commitments are fixed. */
export function drawChallenges(
  { keys, chainId, header, preState, messages }: Drawn,
  chunks: readonly ChunkCommitment[],
): Challenges {
  const keySet = fromHex(`0x${keys.digest}`)!;
  return challenges({ keySet, chainId, header: encodeHeader(header), preState, messages, chunks });
}

/** Options of {@link proveColumns}. */
export interface ProveColumnsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly backend?: BackendChoice | undefined;
  /** How many chunks are proved beside this one at most, itself included. */
  readonly share?: number | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** A chunk that was proved, and what it took. */
export interface ProvedChunk {
  readonly proof: ChunkProof;
  readonly backend: BackendReport;
  /** Milliseconds of computing the wires. */
  readonly solve: number;
}

/**
 * Proves a chunk. The proof is not checked here, see {@link checkChunk}.
 *
 * @param layout position of the key in the key set.
 * @throws ProverError, FormatError, SolverError; `signal.reason`.
 */
export async function proveColumns(
  key: CommittedKey,
  plan: SolverPlan,
  { layout, columns, commitment }: { layout: number; columns: readonly bigint[]; commitment: Commitment },
  { alpha, beta }: Challenges,
  { signal, backend: choice, share, onProgress }: ProveColumnsOptions = {},
): Promise<ProvedChunk> {
  const start = performance.now();
  const witness = solve(plan, [alpha, beta, ...columns]);
  const solving = performance.now() - start;
  await breathe();
  const { backend, ...points } = await proveChunk(key, witness, {
    signal,
    backend: choice,
    share,
    commitment,
    // under the keys of the set instead of the key's own
    selfCheck: false,
    onProgress,
  });
  const proof = { layout, ...points, ...commitment, sum: readBigintLE(witness, COLUMN, COLUMN) };
  return { proof, backend, solve: solving };
}

/** Checks a proof before it is handed out. @throws ProverError `WITNESS_UNSATISFIED` */
export function checkChunk(keys: KeySet, drawn: Challenges, proof: ChunkProof, where: string): void {
  try {
    assertChunk(keys, drawn, proof);
  } catch (cause) {
    if (!(cause instanceof VerifierError)) throw cause;
    throw new ProverError("the rows do not satisfy the chunk's circuit, or its key is damaged", {
      code: "WITNESS_UNSATISFIED",
      where,
      cause,
    });
  }
}
