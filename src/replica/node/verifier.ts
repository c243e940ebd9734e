/**
 * Verification on a thread of its own: it takes up to seconds a block, in which nobody else would get an answer. The thread
 * has the keys; what it wants to know of the state it asks by messages.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { BlockValidity, VerifyBlockOptions } from "../../verifier/block.js";
import { VerifierError, type VerifierErrorCode } from "../../verifier/errors.js";
import type { KeySet } from "../../verifier/keyset.js";
import { messageOf, NodeError } from "./errors.js";

/** `verifyBlock`, here or elsewhere. Aborted, it rejects with `signal.reason`. */
export type Verify = (proof: Uint8Array, options: VerifyBlockOptions, signal?: AbortSignal) => Promise<BlockValidity>;

/** What {@link VerifierThread} is started with. */
export interface ThreadKeys {
  /** As `KeySet.toBytes` gives it. */
  readonly keys: Uint8Array;
  readonly allowInsecure: boolean;
}

/** Methods of a state that the thread asks for. */
export const STATE_METHODS = ["commitment", "account", "code", "slot", "blockHash", "postStateRoot"] as const;
export type StateMethod = (typeof STATE_METHODS)[number];

/** To the thread. */
export type ToThread =
  | {
      readonly type: "verify";
      readonly job: number;
      readonly proof: Uint8Array;
      readonly chainId: bigint;
      readonly parent: VerifyBlockOptions["parent"];
      readonly methods: readonly StateMethod[];
    }
  | { readonly type: "answer"; readonly call: number; readonly value: unknown };

/** From the thread. */
export type FromThread =
  | { readonly type: "ask"; readonly call: number; readonly method: StateMethod; readonly args: readonly unknown[] }
  | { readonly type: "done"; readonly job: number; readonly validity: BlockValidity }
  | {
      readonly type: "error";
      readonly job: number;
      /** Of a VerifierError; undefined: another one. */
      readonly code: VerifierErrorCode | undefined;
      readonly message: string;
      readonly where: string | undefined;
    };

/** Milliseconds that one proof may take. What a block can ask for is bounded by its gas, but not by much. */
const TIMEOUT = 600_000;

/** What is too large for that ends the thread, not the process. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 2048 };

/** Beside this module; or, where the command line is bundled, where it would be if it were not. */
const SCRIPTS = ["./verifier-thread.js", "../replica/node/verifier-thread.js"];

/** What is under way. */
interface Job {
  readonly id: number;
  readonly options: VerifyBlockOptions;
  resolve(validity: BlockValidity): void;
  reject(error: unknown): void;
}

/** Verifies one block after the other on a thread, which is started when it is needed. */
export class VerifierThread {
  readonly #keys: KeySet;
  readonly #timeout: number;
  #worker: Worker | undefined;
  #job: Job | undefined;
  #jobs = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @param options `timeout`: milliseconds that one proof may take, default ten minutes. */
  constructor(keys: KeySet, { timeout = TIMEOUT }: { readonly timeout?: number } = {}) {
    this.#keys = keys;
    this.#timeout = timeout;
  }

  /**
   * `verifyBlock` with the thread's keys.
   *
   * @throws as `verifyBlock`; NodeError `VERIFIER_LOST`, `VERIFIER_TIMEOUT`, `VERIFIER_CLOSED`; `signal.reason`
   */
  readonly verify: Verify = (proof, options, signal) => {
    const result = this.#queue.then(() => this.#run(proof, options, signal));
    this.#queue = result.catch(() => {});
    return result;
  };

  async #run(proof: Uint8Array, options: VerifyBlockOptions, signal?: AbortSignal): Promise<BlockValidity> {
    signal?.throwIfAborted();
    if (this.#closed) throw new NodeError("the verifier is closed", { code: "VERIFIER_CLOSED" });
    const worker = this.#started();
    const { state, chainId, parent } = options;
    const id = this.#jobs++;
    let timer: NodeJS.Timeout | undefined;
    const stop = () => this.#fail(signal!.reason);
    try {
      return await new Promise<BlockValidity>((resolve, reject) => {
        this.#job = { id, options, resolve, reject };
        timer = setTimeout(() => {
          this.#fail(new NodeError("the proof takes too long", { code: "VERIFIER_TIMEOUT" }));
        }, this.#timeout);
        signal?.addEventListener("abort", stop, { once: true });
        worker.ref();
        const methods = STATE_METHODS.filter((method) => state[method] !== undefined);
        // a copy: the bytes may be a view of something larger
        this.#post({ type: "verify", job: id, proof: proof.slice(), chainId, parent, methods });
      });
    } finally {
      this.#job = undefined;
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      this.#worker?.unref();
    }
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const workerData: ThreadKeys = { keys: this.#keys.toBytes(), allowInsecure: this.#keys.insecure };
    const scripts = SCRIPTS.map((path) => new URL(path, import.meta.url));
    const script = scripts.find((url) => existsSync(url)) ?? scripts[0]!;
    const worker = new Worker(script, { workerData, execArgv: [], resourceLimits: RESOURCE_LIMITS });
    const lost = (reason: string) => {
      if (this.#worker !== worker) return;
      this.#fail(new NodeError("the thread that verifies ended", { code: "VERIFIER_LOST", got: reason }));
    };
    worker.on("message", (message: FromThread) => void this.#receive(worker, message));
    worker.on("error", (error) => lost(messageOf(error)));
    worker.on("messageerror", (error) => lost(messageOf(error)));
    worker.on("exit", (code) => lost(`exit code ${code}`));
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #post(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  /** Ends the thread: whatever it is at cannot be told to stop. */
  #fail(error: unknown): void {
    const [worker, job] = [this.#worker, this.#job];
    this.#worker = undefined;
    this.#job = undefined;
    void worker?.terminate();
    job?.reject(error);
  }

  async #receive(worker: Worker, message: FromThread): Promise<void> {
    const job = this.#job;
    if (worker !== this.#worker || job === undefined) return;
    if (message.type === "ask") {
      const { call, method, args } = message;
      try {
        const { state } = job.options;
        const value = await (state[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args);
        if (worker === this.#worker) this.#post({ type: "answer", call, value });
      } catch (error) {
        // the verdict is unknown; with the thread goes its half of the block
        if (job === this.#job) this.#fail(error);
      }
      return;
    }
    if (message.job !== job.id) return;
    if (message.type === "done") {
      job.resolve(message.validity);
      return;
    }
    const { code, message: text, where } = message;
    job.reject(
      code === undefined
        ? new NodeError("the verifier failed", { code: "VERIFIER_LOST", got: text })
        : new VerifierError(where === undefined ? text : text.replace(`${where}: `, ""), { code, where }),
    );
  }

  /** Ends the thread, for good; what is under way rejects with `VERIFIER_CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#fail(new NodeError("the verifier is closed", { code: "VERIFIER_CLOSED" }));
    await worker?.terminate();
  }

  /** Same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
