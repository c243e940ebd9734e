/**
 * What the jobs of a block compute: bytes in, bytes out, nothing of queues and stores. Runs on a thread of its own, see
 * `executor.ts`.
 *
 * Between the stages a block is two blobs. The skeleton is its proof without chunks; the state is its trace without
 * executions: what the block touches, as it was before. From both, whoever draws the challenges derives the native messages
 * again, with the verifier's own code.
 *
 * @module
 */

import { touchedState } from "../block/assemble.js";
import { decodeColumns, encodeColumns } from "../block/columns.js";
import { BlockError } from "../block/errors.js";
import { headerOf, prepareBlock } from "../block/prepare.js";
import {
  checkChunk,
  commitColumns,
  completeClaims,
  drawChallenges,
  planBlock,
  proveColumns,
  transcriptOf,
} from "../block/stages.js";
import type { SolverPlan } from "../circuits/solver.js";
import { rowsOf } from "../circuits/sources.js";
import { ProverError } from "../errors.js";
import type { KeyFolder } from "../keys/folder.js";
import { type BackendChoice, type BackendReport, type CommittedKey, loadCommittedKey } from "../prover/index.js";
import { template } from "../rows/index.js";
import { decodeTrace, encodeTrace, type Trace } from "../trace/format.js";
import { validateTrace } from "../trace/validate.js";
import { verifyBlock } from "../verifier/block.js";
import type { BlockState } from "../verifier/block-state.js";
import { boundaryMessages } from "../verifier/boundary.js";
import {
  CHUNK_PROOF_SIZE,
  type Challenges,
  decodeChunkProof,
  encodeChunkProof,
  invalidCommitments,
  verifyChunks,
} from "../verifier/chunk.js";
import { compressG1, readG1 } from "../verifier/compressed.js";
import { BLOCK_PROOF_VERSION, type BlockProof, decodeBlockProof, encodeBlockProof } from "../verifier/encoding.js";
import { VerifierError } from "../verifier/errors.js";
import { encodeHeader, headerHash } from "../verifier/ethereum/header.js";
import { recoverSender } from "../verifier/ethereum/transaction.js";
import { fromHex, uintToBytes, wordToHex } from "../verifier/ethereum/words.js";
import { collectGarbage } from "./slots.js";

/** What a coordinator wants to know of a trace before it accepts it. */
export interface Inspected {
  readonly chainId: string;
  readonly number: number;
  /** Of the block, as of its parent: 0x and 64 digits. */
  readonly hash: string;
  readonly parentHash: string;
  readonly transactions: number;
}

export interface PlanOutput {
  readonly skeleton: Uint8Array;
  readonly state: Uint8Array;
  readonly chunks: readonly { readonly layout: number; readonly name: string; readonly columns: Uint8Array }[];
  readonly steps: number;
  readonly rows: number;
}

/** Points compressed, hexadecimal. */
export interface CommittedPoints {
  readonly d: string;
  readonly p: string;
}

export interface ChunkInput {
  /** Position of the key in the key set. */
  readonly layout: number;
  readonly columns: Uint8Array;
  /** Compute it otherwise than usual: without the device, or with the other arithmetic. */
  readonly alternate: boolean;
}

/** Challenges, hexadecimal. */
export interface Drawn {
  readonly alpha: string;
  readonly beta: string;
}

export interface BlockInput {
  readonly skeleton: Uint8Array;
  readonly state: Uint8Array;
}

export interface ComputeOptions {
  readonly folder: KeyFolder;
  readonly threads: number;
  readonly backend?: BackendChoice | undefined;
  /** How many compute side by side on this machine. */
  readonly share: number;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytesOf = (text: string): Uint8Array => fromHex(`0x${text}`)!;
const challengesOf = ({ alpha, beta }: Drawn): Challenges => ({
  alpha: BigInt(`0x${alpha}`),
  beta: BigInt(`0x${beta}`),
});
const scalar = (value: bigint): string => hex(uintToBytes(value, 32));

/** How many columns the chunks of a layout have. */
const columnsOf = (folder: KeyFolder, index: number): number =>
  rowsOf(folder.layouts[index]!.layout).reduce((sum, { row, count }) => sum + count * template(row).columns.length, 0);

/** The state of a trace as a replica would answer it. */
function stateOf(trace: Trace): BlockState {
  const { accounts, codes, blockHashes, preState } = prepareBlock(trace);
  return {
    commitment: async () => preState,
    account: async (address) => accounts.get(address),
    code: async (address) => codes.get(accounts.get(address)?.codeHash ?? 0n) ?? new Uint8Array(0),
    slot: async (address, slot) => accounts.get(address)?.storage.find(([key]) => key === slot)?.[1] ?? 0n,
    blockHash: async (number) => blockHashes.get(number),
  };
}

const arithmeticOf = (key: CommittedKey): string => `wasm ${key.info().arithmetic}`;

/** What computed a proof: the device that had a part in it, or the arithmetic. */
function describeBackend({ split }: BackendReport, key: CommittedKey): string {
  return Object.values(split).find((name) => name !== "wasm") ?? arithmeticOf(key);
}

/** Keys of one folder, loaded when they are needed, and what is computed with them. One thing at a time. */
export class Compute {
  readonly #options: ComputeOptions;
  readonly #keys = new Map<string, Promise<CommittedKey>>();
  readonly #plans = new Map<number, Promise<SolverPlan>>();

  constructor(options: ComputeOptions) {
    this.#options = options;
  }

  async inspect(trace: Uint8Array): Promise<Inspected> {
    const { chainId, header, transactions } = decodeTrace(trace);
    return {
      chainId: String(chainId),
      number: Number(header.number),
      hash: wordToHex(headerHash(headerOf(header))),
      parentHash: header.parentHash,
      transactions: transactions.length,
    };
  }

  /** @throws TraceError, BlockError, RowError; `signal.reason`. */
  async plan(bytes: Uint8Array, signal: AbortSignal): Promise<PlanOutput> {
    const { folder } = this.#options;
    const trace = decodeTrace(bytes);
    await validateTrace(trace, { signal });
    const planned = planBlock(
      trace,
      folder.layouts.map(({ layout }) => layout),
    );
    const { built, claims } = await completeClaims(planned, signal);
    const skeleton: BlockProof = {
      version: BLOCK_PROOF_VERSION,
      keySet: bytesOf(folder.parsed().digest),
      header: encodeHeader(built.header),
      transactions: trace.transactions,
      claims,
      chunks: [],
    };
    return {
      skeleton: encodeBlockProof(skeleton),
      state: encodeTrace({ ...trace, executions: [] }),
      chunks: planned.chunks.map(({ key, layout, columns }) => ({
        layout: key,
        name: layout.name,
        columns: encodeColumns(columns),
      })),
      steps: built.steps,
      rows: planned.rows,
    };
  }

  /** @throws BlockError `BLOCK_COLUMNS`; ProverError, FormatError; `signal.reason`. */
  async commit(
    { layout, columns, alternate }: ChunkInput,
    signal: AbortSignal,
  ): Promise<CommittedPoints & { readonly backend: string }> {
    const values = decodeColumns(columns, this.#expect(layout));
    const key = await this.#key(layout, alternate, signal);
    const { d, p } = await commitColumns(key, values, signal);
    return { d: hex(compressG1(d)), p: hex(compressG1(p)), backend: arithmeticOf(key) };
  }

  /**
   * @returns `invalid`: chunks whose P is not σ·D; then there are no challenges.
   * @throws BlockError `BLOCK_REFUSED`; VerifierError where the blobs are no block.
   */
  async challenge({
    skeleton,
    state,
    chunks,
  }: BlockInput & { readonly chunks: readonly (CommittedPoints & { layout: number })[] }): Promise<
    Partial<Drawn> & { readonly invalid: readonly number[] }
  > {
    const keys = this.#options.folder.parsed();
    const committed = chunks.map(({ layout, d, p }) => ({ layout, d: bytesOf(d), p: bytesOf(p) }));
    const invalid = invalidCommitments(keys, committed);
    if (invalid.length > 0) return { invalid };
    const proof = decodeBlockProof(skeleton);
    const prepared = prepareBlock(decodeTrace(state));
    const { chainId, header, transactions, preState } = prepared;
    const boundary = boundaryMessages({
      chainId,
      header,
      transactions: transactions.map((transaction, i) => ({
        transaction,
        sender: recoverSender(transaction, `transactions[${i}]`),
      })),
      claims: proof.claims,
      state: touchedState(prepared),
    });
    if (boundary.value === undefined) {
      const [cause] = boundary.faults;
      throw new BlockError(`no replica accepts this block: ${cause!.message}`, { code: "BLOCK_REFUSED", cause });
    }
    const { alpha, beta } = drawChallenges(
      { keys, chainId, header, preState, messages: boundary.value.messages },
      committed,
    );
    return { alpha: scalar(alpha), beta: scalar(beta), invalid: [] };
  }

  /**
   * @returns proof null: the commitment is not that of these columns.
   * @throws as {@link commit}; ProverError `WITNESS_UNSATISFIED`
   */
  async prove(
    { layout, columns, alternate, d, p, ...drawn }: ChunkInput & CommittedPoints & Drawn,
    signal: AbortSignal,
  ): Promise<{ readonly proof: Uint8Array | null; readonly backend: string }> {
    const { folder, backend, share } = this.#options;
    const values = decodeColumns(columns, this.#expect(layout));
    const challenges = challengesOf(drawn);
    const plan = await this.#plan(layout);
    const key = await this.#key(layout, alternate, signal);
    const commitment = {
      d: readG1("chunk", bytesOf(d), 0, ".d"),
      p: readG1("chunk", bytesOf(p), 0, ".p"),
    };
    const proved = await proveColumns(key, plan, { layout, columns: values, commitment }, challenges, {
      signal,
      backend: alternate ? "wasm" : backend,
      share,
    });
    const by = describeBackend(proved.backend, key);
    try {
      checkChunk(folder.parsed(), challenges, proved.proof, folder.layouts[layout]!.layout.name);
    } catch (error) {
      if (!(error instanceof ProverError)) throw error;
      // whose fault is it: another commitment makes every proof fail
      const own = transcriptOf(layout, await commitColumns(key, values, signal));
      if (hex(own.d) !== d || hex(own.p) !== p) return { proof: null, backend: by };
      throw error;
    }
    return { proof: encodeChunkProof(proved.proof), backend: by };
  }

  /**
   * Puts a block's proof together and verifies it as a replica would, the root of the state after it excepted.
   *
   * @param chunks undefined proofs: known to be bad; the others are then checked alone.
   * @returns the proof, or the chunks whose proofs are bad, ascending.
   * @throws BlockError `BLOCK_UNBALANCED`, where all chunks are proved and the block is nevertheless refused.
   */
  async assemble({
    skeleton,
    state,
    chunks,
    ...drawn
  }: BlockInput &
    Drawn & {
      readonly chunks: readonly (CommittedPoints & { layout: number; proof: Uint8Array | undefined })[];
    }): Promise<{ readonly proof: Uint8Array } | { readonly invalid: readonly number[] }> {
    const keys = this.#options.folder.parsed();
    const invalid = new Set<number>();
    const read = chunks.flatMap(({ layout, d, p, proof }, index) => {
      // with other commitments the challenges would be others, and all chunks look bad
      const own = proof?.length === CHUNK_PROOF_SIZE && hex(proof.subarray(128, 192)) === `${d}${p}`;
      if (own) {
        try {
          return [{ index, chunk: decodeChunkProof(proof, layout) }];
        } catch (error) {
          if (!(error instanceof VerifierError)) throw error;
        }
      }
      invalid.add(index);
      return [];
    });
    const checked = () => {
      const batch = verifyChunks(
        keys,
        challengesOf(drawn),
        read.map(({ chunk }) => chunk),
      );
      for (const { index } of batch.invalid) invalid.add(read[index]!.index);
      return { invalid: [...invalid].sort((a, b) => a - b) };
    };
    if (invalid.size > 0) return checked();
    const block = decodeBlockProof(skeleton);
    const trace = decodeTrace(state);
    const proof = encodeBlockProof({
      ...block,
      chunks: chunks.map(({ layout, proof }) => ({ layout, proof: proof! })),
    });
    const verdict = await verifyBlock(proof, { state: stateOf(trace), keys, chainId: trace.chainId });
    if (verdict.valid) return { proof };
    const { invalid: bad } = checked();
    if (bad.length > 0) return { invalid: bad };
    const [first] = verdict.faults;
    throw new BlockError(`a replica would refuse this block: ${first!.message}`, {
      code: "BLOCK_UNBALANCED",
      where: first!.where,
      got: first!.code,
    });
  }

  /**
   * Whether a proof may be handed out: verified as a replica would, against the block's own trace and nothing that went through
   * the queue.
   *
   * @returns why not; undefined: it may.
   */
  async confirm({ trace: bytes, proof }: { trace: Uint8Array; proof: Uint8Array }): Promise<string | undefined> {
    const trace = decodeTrace(bytes);
    let header: Uint8Array;
    try {
      ({ header } = decodeBlockProof(proof));
    } catch (error) {
      if (error instanceof VerifierError) return error.message;
      throw error;
    }
    if (hex(header) !== hex(encodeHeader(headerOf(trace.header)))) return "a proof of another block";
    const keys = this.#options.folder.parsed();
    const verdict = await verifyBlock(proof, { state: stateOf(trace), keys, chainId: trace.chainId });
    return verdict.valid ? undefined : verdict.faults[0]!.message;
  }

  /** Lets go of the keys of a layout; another use loads them again. */
  async evict(layout: number): Promise<void> {
    this.#plans.delete(layout);
    let closed = false;
    for (const alternate of [false, true]) {
      const name = nameOf(layout, alternate);
      const key = this.#keys.get(name);
      if (key === undefined) continue;
      this.#keys.delete(name);
      await key.then(
        (loaded) => loaded.close(),
        () => {},
      );
      closed = true;
    }
    // its memory is as good as taken until then
    if (closed) await collectGarbage();
  }

  async close(): Promise<void> {
    await Promise.all(this.#options.folder.layouts.map((_, i) => this.evict(i)));
  }

  /** Bytes of the memories of all keys that are loaded. */
  async memory(): Promise<number> {
    const keys = await Promise.allSettled(this.#keys.values());
    return keys.reduce((sum, key) => sum + (key.status === "fulfilled" ? key.value.info().memory : 0), 0);
  }

  #expect(layout: number): number {
    const { layouts } = this.#options.folder;
    if (layout < layouts.length) return columnsOf(this.#options.folder, layout);
    throw new BlockError("no such layout", {
      code: "BLOCK_LAYOUTS",
      expected: `0 to ${layouts.length - 1}`,
      got: String(layout),
    });
  }

  #plan(layout: number): Promise<SolverPlan> {
    const { folder } = this.#options;
    let plan = this.#plans.get(layout);
    if (plan === undefined) {
      plan = folder.plan(layout);
      this.#plans.set(layout, plan);
      plan.catch(() => this.#plans.delete(layout));
    }
    return plan;
  }

  /** With `alternate` by the arithmetic that is not the usual one, if there was one. */
  async #key(layout: number, alternate: boolean, signal: AbortSignal): Promise<CommittedKey> {
    const name = nameOf(layout, alternate);
    let key = this.#keys.get(name);
    if (key === undefined) {
      const { folder, threads, backend = "wasm" } = this.#options;
      const { zkey, ckey } = folder.layouts[layout]!;
      // a device that failed is replaced by the usual arithmetic; the usual arithmetic by integers
      const arithmetic = alternate && backend === "wasm" ? "int" : "auto";
      key = loadCommittedKey({ zkey, ckey }, { threads, arithmetic, signal });
      this.#keys.set(name, key);
      key.catch(() => this.#keys.delete(name));
    }
    return key;
  }
}

const nameOf = (layout: number, alternate: boolean): string => `${layout}${alternate ? " alternate" : ""}`;
