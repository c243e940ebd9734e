/**
 * What is done for each kind of job: blobs from the store, computed by an executor, results back into the store.
 *
 * Nothing that a worker hands in is believed. A commitment must be one (P = σ·D) before challenges are drawn; a block's proofs
 * are verified when they are put together. What is bad then is traced to its cause by computing the commitment again, which is
 * deterministic: a proof is asked for again, and in the end made here; a wrong commitment is corrected together with all
 * others, and the block gets new challenges.
 *
 * @module
 */

import { ChunkproofError } from "../errors.js";
import { NetworkError } from "./errors.js";
import type { Executor } from "./executor.js";
import { type JobData, type JobKind, jobId, ownerOf, ROUND, readData, readResult } from "./jobs.js";
import {
  type Delivery,
  failureOf,
  HandBack,
  JobError,
  type JobSpec,
  type Json,
  MoreChildren,
  type Queue,
} from "./queue.js";
import type { Store } from "./store.js";
import { USUAL_ATTEMPTS, WorkerUnfit } from "./worker.js";

/** Refused proofs of a chunk after which it is proved here. */
const MAX_REFUSED = 2;
/** Commitments that are remembered. */
const MEMO = 1024;
/** Blobs that are fetched side by side. */
const FETCHES = 16;

/** Rounds of challenges: in the second all commitments are this worker's own. */
const MAX_ROUNDS = 1;

type AssembledChunk = JobData<"assemble">["chunks"][number];

/** What handlers work with. */
export interface HandlerOptions {
  readonly queue: Queue;
  readonly store: Store;
  /** Digest of the keys that the executors have. */
  readonly keySet: string;
  /** Id of this worker. */
  readonly worker: string;
  /** Looks whether the key files are still those that were made. @throws KeysError */
  readonly verifyKeys: () => Promise<void>;
  /** Hears of results that were refused, and whose they were. */
  readonly onRefused?: ((worker: string, kind: "commit" | "prove", why: string) => void) | undefined;
}

/** Does a job with an executor that nobody else uses meanwhile. */
export type JobHandler = (delivery: Delivery, executor: Executor) => Promise<Json>;

/** Faults of this worker: another one can do the job. */
const UNFIT =
  /^(KEYS_|KEYSET_|FILE_|SOURCE_|BINFILE_|ZKEY_|CKEY_|VK_|FOREIGN_|PLAN_|POINT_|ARITHMETIC_|WASM_|STORE_FORBIDDEN|STORE_FULL|STORE_UNAVAILABLE)/;
/** What no other attempt could change. */
const FATAL = /^(TRACE_|ROW_|BLOCK_|TX_|HEADER_|CLAIM_|JOB_MALFORMED|NETWORK_KEYS|CHUNKS_FAILED|COLUMN)/;
/** A machine that fails at a trace says nothing about the trace. */
const MACHINE = new Set(["TRACE_EVM", "TRACE_LIMIT"]);

/** Whether another attempt at a job may end otherwise. */
export function isRetryable(code: string): boolean {
  return MACHINE.has(code) || !FATAL.test(code);
}

const codeOf = (error: unknown): string => (error instanceof ChunkproofError ? error.code : "INTERNAL");

/** Does something with all items, some side by side. */
async function each<T, R>(items: readonly T[], work: (item: T, i: number) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]!, i);
  };
  await Promise.all(Array.from({ length: Math.min(FETCHES, items.length) }, lane));
  return results;
}

/** The handlers of a worker. */
export function makeHandlers(options: HandlerOptions): Readonly<Record<JobKind, JobHandler>> {
  const handlers = new Handlers(options);
  const wrap =
    <K extends JobKind>(
      kind: K,
      work: (data: JobData<K>, delivery: Delivery, executor: Executor) => Promise<Json>,
    ): JobHandler =>
    (delivery, executor) =>
      handlers.attempt(kind, delivery, executor, work);
  return {
    plan: wrap("plan", (...args) => handlers.plan(...args)),
    commit: wrap("commit", (...args) => handlers.commit(...args)),
    challenge: wrap("challenge", (...args) => handlers.challenge(...args)),
    prove: wrap("prove", (...args) => handlers.prove(...args)),
    assemble: wrap("assemble", (...args) => handlers.assemble(...args)),
  };
}

class Handlers {
  readonly #options: HandlerOptions;
  /** Points by layout and columns: the same chunk has the same commitment. */
  readonly #memo = new Map<string, { readonly d: string; readonly p: string; readonly backend: string }>();

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  async attempt<K extends JobKind>(
    kind: K,
    delivery: Delivery,
    executor: Executor,
    work: (data: JobData<K>, delivery: Delivery, executor: Executor) => Promise<Json>,
  ): Promise<Json> {
    const { worker, keySet } = this.#options;
    const started = performance.now();
    try {
      const data = readData(kind, delivery.data);
      if (data.keySet !== keySet) {
        // whether this worker has the network's keys was asked of the network; a job that has others is nobody's
        const details = { code: "NETWORK_KEYS", where: "keySet", expected: keySet, got: data.keySet };
        throw new NetworkError("a job for other keys than the network's", details);
      }
      const result = await work(data, delivery, executor);
      return { ...(result as object), worker, ms: Math.round(performance.now() - started) };
    } catch (error) {
      if (error instanceof HandBack || error instanceof MoreChildren) throw error;
      if (error instanceof JobError || error instanceof WorkerUnfit || delivery.signal.aborted) throw error;
      const code = codeOf(error);
      if (UNFIT.test(code)) throw new WorkerUnfit(error);
      // rows of others are proved by good keys, or not at all
      if (code === "WITNESS_UNSATISFIED") {
        await this.#options.verifyKeys().catch((damaged: unknown) => {
          throw new WorkerUnfit(damaged);
        });
      }
      throw new JobError(failureOf(error, isRetryable(code), { worker }), { cause: error });
    }
  }

  async plan(data: JobData<"plan">, delivery: Delivery, executor: Executor): Promise<Json> {
    const { queue, store } = this.#options;
    const { signal } = delivery;
    const planned = await executor.run("plan", await store.get(data.trace, signal), signal);
    const [skeleton, state] = await Promise.all([
      store.put(planned.skeleton, signal),
      store.put(planned.state, signal),
    ]);
    const columns = await each(planned.chunks, ({ columns }) => store.put(columns, signal));
    const chunks = planned.chunks.map(({ layout }, i) => ({ layout, columns: columns[i]! }));
    const { block, number, keySet, attempts, priority } = data;
    const { run } = ownerOf(delivery.id)!;
    const common = { block, number, keySet };
    await queue.add(
      {
        kind: "challenge",
        id: jobId.challenge(block, run),
        data: { ...common, skeleton, state, chunks, attempts, priority },
        priority,
        attempts,
      },
      chunks.map((chunk, i) => ({
        kind: "commit",
        id: jobId.commit(block, run, i),
        data: { ...common, chunk: i, ...chunk },
        priority,
        attempts,
      })),
    );
    const { steps, rows } = planned;
    return {
      skeleton,
      state,
      chunks: chunks.map((chunk, i) => ({ ...chunk, name: planned.chunks[i]!.name })),
      steps,
      rows,
    };
  }

  async commit(
    { layout, columns }: Pick<JobData<"commit">, "layout" | "columns">,
    { signal, attempt }: Pick<Delivery, "signal" | "attempt">,
    executor: Executor,
  ): Promise<{ d: string; p: string; backend: string }> {
    const alternate = attempt >= USUAL_ATTEMPTS;
    const name = `${layout} ${columns}`;
    const known = alternate ? undefined : this.#memo.get(name);
    if (known !== undefined) return known;
    const bytes = await this.#options.store.get(columns, signal);
    const points = await executor.run("commit", { layout, columns: bytes, alternate }, signal);
    this.#memo.set(name, points);
    if (this.#memo.size > MEMO) this.#memo.delete(this.#memo.keys().next().value!);
    return points;
  }

  async challenge(data: JobData<"challenge">, delivery: Delivery, executor: Executor): Promise<Json> {
    const { queue } = this.#options;
    const { signal } = delivery;
    const { block, number, keySet, skeleton, state, chunks, attempts, priority } = data;
    const { run } = ownerOf(delivery.id)!;
    const { results, failures } = await delivery.children();
    refuseFailures(chunks.map((_, i) => failures.get(jobId.commit(block, run, i))));
    const repaired: number[] = [];
    const makers: string[] = [];
    const repair = async (i: number): Promise<{ d: string; p: string }> => {
      repaired.push(i);
      return this.#commitHere(chunks[i]!, signal, executor);
    };
    const points: { d: string; p: string }[] = [];
    for (const i of chunks.keys()) {
      const result = readOr("commit", results.get(jobId.commit(block, run, i)));
      makers[i] = result?.worker ?? "";
      if (result === undefined) this.#refuse("", "commit", "not a result");
      points[i] = result === undefined ? await repair(i) : { d: result.d, p: result.p };
    }
    const input = await this.#blobs({ skeleton, state }, signal);
    const draw = () =>
      executor.run(
        "challenge",
        { ...input, chunks: chunks.map(({ layout }, i) => ({ layout, ...points[i]! })) },
        signal,
      );
    let drawn = await draw();
    if (drawn.invalid.length > 0) {
      for (const i of drawn.invalid) {
        this.#refuse(makers[i]!, "commit", "P is not σ·D");
        points[i] = await repair(i);
      }
      drawn = await draw();
    }
    const { alpha, beta } = drawn;
    if (alpha === undefined || beta === undefined) throw unfitKeys("commitments made here are none");
    const proving = chunks.map((chunk, i) => ({ ...chunk, ...points[i]! }));
    const common = { block, number, keySet };
    await queue.add(
      {
        kind: "assemble",
        id: jobId.assemble(block, run),
        data: {
          ...{ ...common, skeleton, state, alpha, beta, attempts, priority },
          chunks: proving.map((chunk, i) => ({ ...chunk, job: jobId.prove(block, run, i, 0), tries: 0 })),
          round: 0,
          corrected: repaired.length,
        },
        priority,
        attempts,
      },
      proving.map((chunk, i) => ({
        kind: "prove",
        id: jobId.prove(block, run, i, 0),
        data: { ...common, chunk: i, ...chunk, alpha, beta },
        priority,
        attempts,
      })),
    );
    return { alpha, beta, repaired, commitments: points.map(({ d, p }) => `${d}${p}`) };
  }

  async prove(data: JobData<"prove">, delivery: Delivery, executor: Executor): Promise<Json> {
    const { store } = this.#options;
    const { signal, attempt } = delivery;
    const { layout, columns, d, p, alpha, beta } = data;
    const { proof, backend } = await executor.run(
      "prove",
      {
        ...{ layout, d, p, alpha, beta },
        columns: await store.get(columns, signal),
        alternate: attempt >= USUAL_ATTEMPTS,
      },
      signal,
    );
    return { proof: proof === null ? null : await store.put(proof, signal), backend };
  }

  async assemble(data: JobData<"assemble">, delivery: Delivery, executor: Executor): Promise<Json> {
    const { store } = this.#options;
    const { signal } = delivery;
    const { alpha, beta } = data;
    const { run } = ownerOf(delivery.id)!;
    const { results, failures } = await delivery.children();
    const input = await this.#blobs(data, signal);
    let { chunks } = data;
    for (;;) {
      refuseFailures(chunks.map(({ job, made }) => (made === undefined ? failures.get(job) : undefined)));
      const handedIn = await each(chunks, (chunk) => this.#handedIn(chunk, results, signal));
      const proved = chunks.map(({ layout, d, p }, i) => ({ layout, d, p, proof: handedIn[i]!.bytes }));
      const assembled = await executor
        .run("assemble", { ...input, alpha, beta, chunks: proved }, signal)
        .catch((error: unknown) => {
          // somebody may have committed to, and proved, other columns than those of the chunk
          if (codeOf(error) !== "BLOCK_UNBALANCED" || data.round >= MAX_ROUNDS) throw error;
          return this.#correct(data, delivery, executor, error);
        });
      if ("proof" in assembled) {
        const { proof } = assembled;
        const repaired = { commitments: data.corrected, proofs: chunks.reduce((sum, { tries }) => sum + tries, 0) };
        return { proof: await store.put(proof, signal), bytes: proof.length, repaired };
      }
      // what the chunk is committed to decides whose fault it is
      const bad = assembled.invalid;
      for (const i of bad) {
        const chunk = chunks[i]!;
        const { d, p } = await this.#commitHere(chunk, signal, executor);
        if (d !== chunk.d || p !== chunk.p) return this.#correct(data, delivery, executor);
      }
      const again: JobSpec[] = [];
      const next = [...chunks];
      for (const i of bad) {
        const chunk = chunks[i]!;
        if (chunk.made !== undefined) throw unfitKeys(`chunk ${i}: the proof that was made here is not valid`);
        this.#refuse(handedIn[i]!.worker, "prove", handedIn[i]!.why);
        const tries = chunk.tries + 1;
        if (tries > MAX_REFUSED) {
          next[i] = { ...chunk, tries, made: await this.#proveHere(data, chunk, executor, signal) };
        } else {
          next[i] = { ...chunk, tries, job: jobId.prove(data.block, run, i, data.round * ROUND + tries) };
          again.push(proveJob(data, i, next[i]!));
        }
      }
      if (again.length > 0) throw new MoreChildren(again, { ...data, chunks: next });
      chunks = next;
    }
  }

  /** What there is of a chunk's proof, and what would be wrong with it. */
  async #handedIn(
    { job, made }: AssembledChunk,
    results: ReadonlyMap<string, unknown>,
    signal: AbortSignal,
  ): Promise<{ worker: string; bytes?: Uint8Array | undefined; why: string }> {
    const result =
      made === undefined ? readOr("prove", results.get(job)) : { worker: this.#options.worker, proof: made };
    if (result === undefined) return { worker: "", why: "not a result" };
    const { worker, proof } = result;
    if (proof === null) return { worker, why: "the worker disputes the commitment, which is right" };
    const bytes = await this.#options.store.get(proof, signal).catch((error: unknown) => {
      if (["STORE_MISSING", "STORE_DIGEST"].includes(codeOf(error))) return undefined;
      throw error;
    });
    // what the store lost is not the worker's fault
    if (bytes === undefined) return { worker: "", why: "no such proof in the store" };
    return { worker, bytes, why: "the proof is not valid" };
  }

  async #proveHere(
    { alpha, beta }: JobData<"assemble">,
    { layout, columns, d, p }: AssembledChunk,
    executor: Executor,
    signal: AbortSignal,
  ): Promise<string> {
    const { store } = this.#options;
    const bytes = await store.get(columns, signal);
    const input = { layout, columns: bytes, d, p, alpha, beta, alternate: false };
    const { proof } = await executor.run("prove", input, signal);
    await executor.run("evict", layout, signal);
    if (proof === null) throw unfitKeys("a commitment that was made here is disputed here");
    return store.put(proof, signal);
  }

  /**
   * Corrects all commitments, draws challenges again, and has every chunk proved under these.
   *
   * @param cause thrown if no commitment is wrong.
   */
  async #correct(data: JobData<"assemble">, delivery: Delivery, executor: Executor, cause?: unknown): Promise<never> {
    const { signal } = delivery;
    if (data.round >= MAX_ROUNDS) throw unfitKeys("commitments that were made here are wrong");
    let corrected = 0;
    const chunks: AssembledChunk[] = [];
    const { run } = ownerOf(delivery.id)!;
    const round = data.round + 1;
    for (const [i, chunk] of data.chunks.entries()) {
      const { d, p } = await this.#commitHere(chunk, signal, executor);
      if (d !== chunk.d || p !== chunk.p) {
        corrected++;
        this.#refuse("", "commit", "a commitment to other columns");
      }
      const { layout, columns } = chunk;
      chunks.push({ layout, columns, d, p, job: jobId.prove(data.block, run, i, round * ROUND), tries: 0 });
    }
    if (corrected === 0 && cause !== undefined) throw cause;
    const input = await this.#blobs(data, signal);
    const { alpha, beta } = await executor.run("challenge", { ...input, chunks }, signal);
    if (alpha === undefined || beta === undefined) throw unfitKeys("commitments made here are none");
    const next = { ...data, alpha, beta, chunks, round, corrected: data.corrected + corrected };
    throw new MoreChildren(
      chunks.map((chunk, i) => proveJob(next, i, chunk)),
      next,
    );
  }

  /** Commits to a chunk for {@link challenge} and {@link assemble}: memory for one key at a time is theirs. */
  async #commitHere(
    chunk: Pick<JobData<"commit">, "layout" | "columns">,
    signal: AbortSignal,
    executor: Executor,
  ): Promise<{ d: string; p: string }> {
    const { d, p } = await this.commit(chunk, { signal, attempt: 0 }, executor);
    await executor.run("evict", chunk.layout, signal);
    return { d, p };
  }

  async #blobs(
    { skeleton, state }: { skeleton: string; state: string },
    signal: AbortSignal,
  ): Promise<{ skeleton: Uint8Array; state: Uint8Array }> {
    const { store } = this.#options;
    const [a, b] = await Promise.all([store.get(skeleton, signal), store.get(state, signal)]);
    return { skeleton: a, state: b };
  }

  #refuse(worker: string, kind: "commit" | "prove", why: string): void {
    this.#options.onRefused?.(worker, kind, why);
  }
}

/** A result that is not one counts as bad, whoever sent it. */
function readOr<K extends JobKind>(kind: K, value: unknown) {
  try {
    return readResult(kind, value);
  } catch (error) {
    if (error instanceof NetworkError) return undefined;
    throw error;
  }
}

const proveJob = (data: JobData<"assemble">, i: number, chunk: AssembledChunk): JobSpec => {
  const { block, number, keySet, alpha, beta, attempts, priority } = data;
  const { layout, columns, d, p, job } = chunk;
  return {
    kind: "prove",
    id: job,
    data: { block, number, keySet, chunk: i, layout, columns, d, p, alpha, beta },
    priority,
    attempts,
  };
};

/** @throws JobError `CHUNKS_FAILED` with what is wrong with each. */
function refuseFailures(failures: readonly (ReturnType<typeof failureOf> | undefined)[]): void {
  const failed = failures.flatMap((failure, i) => (failure === undefined ? [] : [{ i, failure }]));
  if (failed.length === 0) return;
  const lines = failed.map(({ i, failure }) => `chunk ${i}: ${failure.message} [${failure.code}]`);
  throw new JobError({ code: "CHUNKS_FAILED", message: lines.join("; ").slice(0, 4000), retryable: false });
}

const unfitKeys = (got: string): WorkerUnfit =>
  new WorkerUnfit(new NetworkError("the keys of this machine contradict each other", { code: "KEYS_CONTRADICT", got }));
