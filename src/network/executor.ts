/**
 * The thread on which jobs are computed: whatever it is busy with, the one that renews leases and answers HTTP goes on.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { ChunkproofError } from "../errors.js";
import type { Compute, ComputeOptions } from "./compute.js";
import { NetworkError } from "./errors.js";

/** What can be asked of the thread: the methods of {@link Compute} that jobs need. */
export type Operation =
  | "inspect"
  | "plan"
  | "commit"
  | "challenge"
  | "prove"
  | "assemble"
  | "confirm"
  | "evict"
  | "memory";

type Result<O extends Operation> = Awaited<ReturnType<Compute[O]>>;
type Input<O extends Operation> = O extends "memory" ? undefined : Parameters<Compute[O]>[0];

/** An error of the thread, with the code and the fields that it had there. */
export class ExecutorError extends ChunkproofError {
  constructor({ code, message, where, expected, got }: SentError) {
    super(message, { code });
    // the message has them already
    Object.assign(this, { where, expected, got });
  }
}

/** @internal */
export interface SentError {
  readonly code: string;
  readonly message: string;
  readonly where?: string | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
}

/** @internal */
export type ToThread =
  | { readonly id: number; readonly operation: Operation; readonly input: unknown }
  | { readonly id: number; readonly abort: true };

/** @internal */
export type FromThread =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: SentError };

/** What the thread is started with: the keys by the name of their folder. @internal */
export interface ThreadOptions extends Omit<ComputeOptions, "folder"> {
  readonly keys: string;
  /** MiB that objects may take; more ends the thread. Default: what Node allows. */
  readonly heap?: number | undefined;
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** How long an operation that was aborted may take to notice; then its thread is ended. */
const GRACE = 10_000;

/** One thread, started when it is first needed and again when it was lost. */
export class Executor {
  readonly #options: ThreadOptions;
  readonly #pending = new Map<number, Pending>();
  #thread: Worker | undefined;
  #next = 0;
  #closed = false;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  /**
   * Has something computed. Operations of one executor that use the same key wait for each other.
   *
   * @throws ExecutorError; NetworkError `EXECUTOR_LOST` if the thread ended meanwhile; `signal.reason`.
   */
  async run<O extends Operation>(operation: O, input: Input<O>, signal?: AbortSignal): Promise<Result<O>> {
    signal?.throwIfAborted();
    if (this.#closed) throw lost("it was closed");
    const thread = this.#start();
    const id = this.#next++;
    let timer: NodeJS.Timeout | undefined;
    const abort = () => {
      thread.postMessage({ id, abort: true } satisfies ToThread);
      // what does not look up from its work is stopped all the same
      timer = setTimeout(() => void thread.terminate(), GRACE);
    };
    try {
      return await new Promise<Result<O>>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject });
        thread.ref();
        signal?.addEventListener("abort", abort, { once: true });
        thread.postMessage({ id, operation, input } satisfies ToThread);
      });
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(id);
      // an idle thread keeps no process alive
      if (this.#pending.size === 0 && this.#thread === thread) thread.unref();
    }
  }

  #start(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const thread = new Worker(new URL("../network/executor-thread.js", import.meta.url), {
      workerData: this.#options,
      ...(this.#options.heap === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: this.#options.heap } }),
    });
    this.#thread = thread;
    let cause: unknown;
    thread.on("message", (message: FromThread) => {
      const pending = this.#pending.get(message.id);
      if (pending === undefined) return;
      if ("error" in message) pending.reject(new ExecutorError(message.error));
      else pending.resolve(message.result as never);
    });
    thread.on("error", (error) => {
      cause = error;
    });
    thread.on("exit", (code) => {
      if (this.#thread === thread) this.#thread = undefined;
      const error = lost(cause instanceof Error ? cause.message : `exit code ${code}`, cause);
      for (const { reject } of this.#pending.values()) reject(error);
      this.#pending.clear();
    });
    return thread;
  }

  /** Ends the thread; what is under way rejects with `EXECUTOR_LOST`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.terminate();
  }
}

const lost = (got: string, cause?: unknown): NetworkError =>
  new NetworkError("the thread that computes ended", { code: "EXECUTOR_LOST", got, cause });
