/**
 * A pool of loaded keys: lanes that each prove one chunk at a time on some of the threads. Whole chunks side by side keep
 * threads from waiting for each other; several threads on one chunk help when there are few chunks. What ends a block sooner
 * is estimated from the chunks' costs.
 *
 * @module
 */

import { setMaxListeners } from "node:events";
import { ProverError } from "../errors.js";
import type { KeyFolder } from "../keys/folder.js";
import { type CommittedKey, loadCommittedKey } from "../prover/index.js";
import { resolveThreads, type ThreadCount } from "../prover/wasm/engine.js";

/**
 * Share of a chunk's work that m threads on one chunk do not speed up: transforms' rounds, the sums of windows, the
 * self-check. From 1 and 2 threads at 2^16 (docs/performance.md).
 */
const SERIAL = 0.1;

/** Time of a chunk on `threads` threads, for its time on one. */
export function timeOn(cost: number, threads: number): number {
  return cost * (SERIAL + (1 - SERIAL) / threads);
}

/**
 * How many lanes of how many threads each end these chunks soonest; in doubt fewer lanes, which take less memory.
 *
 * @param costs time of each chunk on one thread, any unit.
 */
export function chooseLanes(costs: readonly number[], threads: number): { lanes: number; threadsEach: number } {
  let best = { lanes: 1, threadsEach: threads, time: Number.POSITIVE_INFINITY };
  for (let lanes = 1; lanes <= Math.min(threads, Math.max(1, costs.length)); lanes++) {
    const threadsEach = Math.floor(threads / lanes);
    const loads = new Array<number>(lanes).fill(0);
    for (const cost of [...costs].sort((a, b) => b - a)) {
      loads[loads.indexOf(Math.min(...loads))]! += timeOn(cost, threadsEach);
    }
    const time = Math.max(...loads);
    if (time < best.time * 0.98) best = { lanes, threadsEach, time };
  }
  return { lanes: best.lanes, threadsEach: best.threadsEach };
}

/** Options of {@link Pool}. */
export interface PoolOptions {
  /** Of all lanes together. */
  readonly threads?: ThreadCount | undefined;
}

const closedError = (): ProverError => new ProverError("the prover is closed", { code: "KEY_CLOSED" });

/** One lane: keys by their index in the folder, loaded when first needed. */
class Lane {
  readonly #keys = new Map<number, Promise<CommittedKey>>();
  #closed = false;

  constructor(
    private readonly folder: KeyFolder,
    private readonly threads: number,
  ) {}

  async key(index: number, signal: AbortSignal | undefined): Promise<CommittedKey> {
    // nobody would close it again
    if (this.#closed) throw closedError();
    let key = this.#keys.get(index);
    if (key === undefined) {
      const { zkey, ckey } = this.folder.layouts[index]!;
      key = loadCommittedKey({ zkey, ckey }, { threads: this.threads, signal });
      this.#keys.set(index, key);
      // a load that failed, or was given up, may be tried again
      key.catch(() => this.#keys.delete(index));
    }
    return key;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const keys = await Promise.allSettled(this.#keys.values());
    await Promise.all(keys.map((key) => (key.status === "fulfilled" ? key.value.close() : undefined)));
  }
}

/** Loaded keys of a folder, for many blocks; one {@link Pool.run} after the other. */
export class Pool {
  readonly threads: number;
  #lanes: { readonly threads: number; readonly lanes: Lane[] } | undefined;
  #closed = false;

  /** @throws ProverError `THREADS_INVALID` */
  constructor(
    readonly folder: KeyFolder,
    { threads }: PoolOptions = {},
  ) {
    this.threads = resolveThreads(threads);
  }

  /** Lanes for chunks of these costs. Keys of another division of the threads are closed. */
  async #divide(costs: readonly number[]): Promise<Lane[]> {
    const { lanes, threadsEach } = chooseLanes(costs, this.threads);
    if (this.#lanes?.threads !== threadsEach) await this.#end();
    if (this.#closed) throw closedError();
    this.#lanes ??= { threads: threadsEach, lanes: [] };
    const all = this.#lanes.lanes;
    while (all.length < lanes) all.push(new Lane(this.folder, threadsEach));
    return all.slice(0, lanes);
  }

  /**
   * Does something with every chunk, the dearest first.
   *
   * @param chunks which key each needs, and what it costs.
   * @param work must end when its signal aborts, which does so with `signal`; learns how many others run beside it at most,
   *   itself included.
   * @returns the results in the order of the chunks.
   * @throws the first failure, after everything that was under way has ended; ProverError `KEY_CLOSED`.
   */
  async run<R>(
    chunks: readonly { readonly key: number; readonly cost: number }[],
    work: (key: CommittedKey, chunk: number, signal: AbortSignal | undefined, beside: number) => Promise<R>,
    signal?: AbortSignal,
  ): Promise<R[]> {
    signal?.throwIfAborted();
    if (chunks.length === 0) return [];
    const lanes = await this.#divide(chunks.map(({ cost }) => cost));
    const results = new Array<R>(chunks.length);
    const waiting = chunks.map((_, i) => i).sort((a, b) => chunks[b]!.cost - chunks[a]!.cost || a - b);
    let failure: { readonly error: unknown } | undefined;
    // every batch of every engine listens to it: more than Node takes for sound on a signal from elsewhere
    const own = signal === undefined ? undefined : AbortSignal.any([signal]);
    if (own !== undefined) setMaxListeners(0, own);
    const serve = async (lane: Lane) => {
      while (failure === undefined) {
        const i = waiting.shift();
        if (i === undefined) return;
        try {
          own?.throwIfAborted();
          results[i] = await work(await lane.key(chunks[i]!.key, own), i, own, lanes.length);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(lanes.map(serve));
    if (failure === undefined) return results;
    // threads may be gone, memory half written: whatever comes next starts afresh
    if (failure.error !== own?.reason) await this.#end();
    throw failure.error;
  }

  async #end(): Promise<void> {
    const lanes = this.#lanes?.lanes ?? [];
    this.#lanes = undefined;
    await Promise.all(lanes.map((lane) => lane.close()));
  }

  /** Ends all threads, for good; what is under way rejects with `KEY_CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }
}
