/**
 * Block proofs: rows, chunks, commitments, challenges, proofs (docs/protocol.md, section 4).
 *
 * @module
 */

import type { SolverPlan } from "../circuits/solver.js";
import { FR_MODULUS } from "../formats/bn254.js";
import type { KeyFolder } from "../keys/folder.js";
import { unlessAborted } from "../prover/concurrency.js";
import type { BackendChoice, BackendReport } from "../prover/index.js";
import type { Trace } from "../trace/format.js";
import { validateTrace } from "../trace/validate.js";
import { busSum } from "../verifier/bus.js";
import { encodeChunkProof } from "../verifier/chunk.js";
import { BLOCK_PROOF_VERSION, type BlockProof, encodeBlockProof } from "../verifier/encoding.js";
import { encodeHeader } from "../verifier/ethereum/header.js";
import { fromHex } from "../verifier/ethereum/words.js";
import { BlockError } from "./errors.js";
import { Pool, type PoolOptions } from "./pool.js";
import {
  breathe,
  checkChunk,
  commitColumns,
  completeClaims,
  drawChallenges,
  planBlock,
  proveColumns,
  transcriptOf,
} from "./stages.js";

/** How far a block is. Chunks count from 0. */
export type BlockProgress =
  | { readonly stage: "trace" | "rows" }
  | { readonly stage: "planned"; readonly steps: number; readonly rows: number; readonly chunks: readonly string[] }
  | {
      readonly stage: "commit" | "prove";
      readonly chunk: number;
      /** From 0 to 1. */
      readonly done: number;
    };

/** Options of {@link proveBlock}. */
export interface ProveBlockOptions extends PoolOptions {
  /** Ends the work; what is thrown then is `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: BlockProgress) => void) | undefined;
  /** Check each chunk's proof, as a replica will, before the block's is handed out. Default true. */
  readonly selfCheck?: boolean | undefined;
  /** What computes the proofs of the chunks, see `prove` of `chunkproof/prover`. Default `"wasm"`. */
  readonly backend?: BackendChoice | undefined;
}

/** A block's proof and what it took. */
export interface ProvedBlock {
  readonly proof: BlockProof;
  /** `encodeBlockProof(proof)`. */
  readonly bytes: Uint8Array;
  readonly steps: number;
  /** Rows of templates, padding not included. */
  readonly rows: number;
  /** Names of the layouts, chunk by chunk. */
  readonly chunks: readonly string[];
  /** What computed the proofs, chunk by chunk. */
  readonly backends: readonly BackendReport[];
  readonly times: BlockTimes;
}

/** Milliseconds that the stages of a proof took, one after the other; `solve` is a part of `prove`. */
export interface BlockTimes {
  /** Validating the trace. */
  readonly trace: number;
  /** Rows, plan, columns. */
  readonly rows: number;
  /** Commitments, and meanwhile counting what rows ask of lookup tables; keys are loaded when they are first needed. */
  readonly commit: number;
  /** All from the challenges to the proofs' self-checks. */
  readonly prove: number;
  /** Computing the wires, the sum over all chunks. */
  readonly solve: number;
}

/** Proves blocks with the keys of one folder, which stay loaded. */
export class BlockProver {
  readonly #pool: Pool;
  readonly #plans = new Map<number, Promise<SolverPlan>>();
  #queue: Promise<unknown> = Promise.resolve();

  /** @throws ProverError `THREADS_INVALID` */
  constructor(
    readonly folder: KeyFolder,
    options: PoolOptions = {},
  ) {
    this.#pool = new Pool(folder, options);
  }

  /** Ends all threads, for good; a block under way rejects with `KEY_CLOSED`. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #plan(index: number): Promise<SolverPlan> {
    let plan = this.#plans.get(index);
    if (plan === undefined) {
      plan = this.folder.plan(index);
      this.#plans.set(index, plan);
      plan.catch(() => this.#plans.delete(index));
    }
    return plan;
  }

  /**
   * Proves a block, when those before it are done.
   *
   * @throws TraceError where the trace makes no sense or is not supported; BlockError, RowError; ProverError; FormatError,
   *   SolverError where a key is damaged; `signal.reason`.
   */
  async prove(trace: Trace, options: Omit<ProveBlockOptions, "threads"> = {}): Promise<ProvedBlock> {
    const before = this.#queue;
    let done!: () => void;
    this.#queue = Promise.all([before, new Promise<void>((resolve) => (done = resolve))]);
    try {
      await unlessAborted(before, options.signal);
      return await this.#prove(trace, options);
    } finally {
      done();
    }
  }

  async #prove(trace: Trace, options: Omit<ProveBlockOptions, "threads">): Promise<ProvedBlock> {
    const { signal, onProgress, selfCheck = true } = options;
    const keys = this.folder.parsed();
    signal?.throwIfAborted();
    const times = { trace: 0, rows: 0, commit: 0, prove: 0, solve: 0 };
    let since = performance.now();
    const lap = (stage: keyof typeof times) => {
      const now = performance.now();
      times[stage] += now - since;
      since = now;
    };
    onProgress?.({ stage: "trace" });
    await validateTrace(trace, { signal });
    lap("trace");
    await breathe();
    signal?.throwIfAborted();
    onProgress?.({ stage: "rows" });
    const planned = planBlock(
      trace,
      this.folder.layouts.map(({ layout }) => layout),
    );
    const { built, chunks, rows } = planned;
    const names = chunks.map(({ layout }) => layout.name);
    onProgress?.({ stage: "planned", steps: built.steps, rows, chunks: names });
    const report = (stage: "commit" | "prove", chunk: number, done: number) => onProgress?.({ stage, chunk, done });
    lap("rows");
    // while the threads commit to the columns, the claims are completed here; a block that is refused then ends both
    const refused = new AbortController();
    const committing = this.#pool.run(
      chunks,
      async (key, i, own) => {
        report("commit", i, 0);
        const result = await commitColumns(key, chunks[i]!.columns, own);
        report("commit", i, 1);
        return result;
      },
      signal === undefined ? refused.signal : AbortSignal.any([signal, refused.signal]),
    );
    const assembling = completeClaims(planned, signal).catch((error: unknown) => {
      refused.abort(error);
      throw error;
    });
    // after both have ended: the first failure of either is the reason of the other
    const [committed, assembled] = await Promise.allSettled([committing, assembling]);
    if (committed.status === "rejected") throw committed.reason;
    if (assembled.status === "rejected") throw assembled.reason;
    const commitments = committed.value;
    const { claims, boundary } = assembled.value;
    lap("commit");

    const challenges = drawChallenges(
      { keys, ...built, preState: claims.preState, messages: boundary.messages },
      commitments.map((commitment, i) => transcriptOf(chunks[i]!.key, commitment)),
    );
    const backends = new Array<BackendReport>(chunks.length);
    const proofs = await this.#pool.run(
      chunks,
      async (key, i, own, share) => {
        const { key: layout, columns } = chunks[i]!;
        const plan = await this.#plan(layout);
        let most = 0;
        const proved = await proveColumns(key, plan, { layout, columns, commitment: commitments[i]! }, challenges, {
          signal: own,
          backend: options.backend,
          share,
          onProgress: ({ done, total }) => {
            // what a device leaves undone is a stage of its own
            most = Math.max(most, Math.min(0.99, done / total));
            report("prove", i, most);
          },
        });
        times.solve += proved.solve;
        backends[i] = proved.backend;
        if (selfCheck) checkChunk(keys, challenges, proved.proof, `chunk ${i} (${names[i]})`);
        report("prove", i, 1);
        return proved.proof;
      },
      signal,
    );

    lap("prove");

    const total = proofs.reduce((sum, proof) => sum + proof.sum, busSum(boundary.messages, challenges)) % FR_MODULUS;
    if (total !== 0n) {
      throw new BlockError("the bus does not balance; `chunkproof check` tells what is missing", {
        code: "BLOCK_UNBALANCED",
      });
    }
    const proof: BlockProof = {
      version: BLOCK_PROOF_VERSION,
      keySet: fromHex(`0x${keys.digest}`)!,
      header: encodeHeader(built.header),
      transactions: trace.transactions,
      claims,
      chunks: proofs.map((chunk) => ({ layout: chunk.layout, proof: encodeChunkProof(chunk) })),
    };
    return { proof, bytes: encodeBlockProof(proof), steps: built.steps, rows, chunks: names, backends, times };
  }
}

/** Proves one block: see {@link BlockProver}. */
export async function proveBlock(
  trace: Trace,
  folder: KeyFolder,
  options: ProveBlockOptions = {},
): Promise<ProvedBlock> {
  const prover = new BlockProver(folder, options);
  try {
    return await prover.prove(trace, options);
  } finally {
    await prover.close();
  }
}
