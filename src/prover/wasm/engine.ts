/**
 * Runs kernel calls on a pool of threads over one shared memory, or one after the other on the calling thread where
 * memory cannot be shared. One engine belongs to one key; nothing here is global.
 *
 * @module
 */

import { hardwareThreads, startThread, type Thread, yieldToHost } from "#platform";
import { ProverError } from "../../errors.js";
import { Heap } from "./heap.js";
import {
  type Arithmetic,
  type Call,
  compileBestKernel,
  compileKernel,
  instantiateKernel,
  type Kernel,
  MAX_PAGES,
  newMemory,
  PAGE,
  runCalls,
  sharedMemoryAvailable,
} from "./kernel.js";
import type { Answer, InitMessage, TaskMessage } from "./worker.js";

/** Calls that run one after the other on one thread. */
export interface Task {
  readonly calls: readonly Call[];
  /** Bytes of thread-private scratch memory the calls may use, see `SCRATCH`. */
  readonly scratch?: number;
}

/** How a batch of tasks is run. */
export interface RunOptions {
  /** Batches with a lower number go first. */
  readonly priority?: number;
  /** Aborting drops the tasks that have not begun; the batch rejects when those that have begun are done. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each finished task. */
  readonly onTask?: (() => void) | undefined;
}

/** `"auto"`: as many as the hardware runs at the same time. */
export type ThreadCount = number | "auto";

/** How an engine is made. */
export interface EngineOptions {
  readonly threads?: ThreadCount | undefined;
  /** Bytes the memory may grow to; default and maximum 4 GiB. */
  readonly maxMemory?: number | undefined;
  /**
   * `"fma"`: floating point with fused multiply-add; `"int"`: integers, slower, on every engine with SIMD; `"auto"`, the
   * default: `"fma"` where it works. On Node 20 and 21 `"fma"` sets the V8 flag `--experimental-wasm-relaxed-simd`.
   */
  readonly arithmetic?: Arithmetic | "auto" | undefined;
}

interface Batch {
  readonly tasks: readonly Task[];
  readonly results: number[][];
  readonly priority: number;
  readonly onTask: (() => void) | undefined;
  next: number;
  running: number;
  failure: unknown;
  finish(): void;
}

interface Slot {
  readonly thread: Thread;
  scratch: number;
  scratchSize: number;
  ready: boolean;
  current: { readonly batch: Batch; readonly index: number } | undefined;
}

/** More threads than this cannot be kept busy. */
const MAX_THREADS = 256;

/**
 * Resolves a thread count.
 *
 * @throws ProverError `THREADS_INVALID` unless it is `"auto"` or an integer from 1 to 256.
 */
export function resolveThreads(threads: ThreadCount | undefined): number {
  if (threads === undefined || threads === "auto") return Math.max(1, Math.min(MAX_THREADS, hardwareThreads()));
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new ProverError("bad number of threads", {
      code: "THREADS_INVALID",
      where: "threads",
      expected: `"auto" or an integer from 1 to ${MAX_THREADS}`,
      got: String(threads),
    });
  }
  return threads;
}

async function chooseKernel(threaded: boolean, arithmetic: Arithmetic | "auto" = "auto") {
  if (arithmetic === "auto") return compileBestKernel(threaded);
  if (arithmetic !== "int" && arithmetic !== "fma") {
    throw new ProverError("no such arithmetic", {
      code: "ARITHMETIC_UNSUPPORTED",
      where: "arithmetic",
      expected: '"auto", "int" or "fma"',
      got: String(arithmetic),
    });
  }
  return { module: await compileKernel(threaded, arithmetic), arithmetic };
}

/** The limit of the memory in bytes. @throws ProverError `MEMORY_INVALID` unless it is a positive number. */
function resolveMemory(maxMemory: number | undefined): number {
  const most = MAX_PAGES * PAGE;
  if (maxMemory === undefined) return most;
  if (typeof maxMemory !== "number" || !(maxMemory > 0)) {
    throw new ProverError("bad memory limit", {
      code: "MEMORY_INVALID",
      where: "maxMemory",
      expected: "a positive number of bytes",
      got: String(maxMemory),
    });
  }
  return Math.min(maxMemory, most);
}

/** What goes when an engine is closed. */
interface Resources {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly kernel: Kernel;
  readonly heap: Heap;
}

/** Threads, memory and kernel of one key. */
export class Engine {
  /** Whether tasks run on worker threads. */
  readonly threaded: boolean;
  readonly arithmetic: Arithmetic;
  /** Bytes of a field element and of two side by side. */
  readonly fieldBytes: number;
  readonly pairBytes: number;
  #resources: Resources | undefined;
  readonly #wipe: boolean;
  readonly #tlsSize: number;
  readonly #slots: Slot[] = [];
  readonly #batches: Batch[] = [];
  readonly #watched = new Map<AbortSignal, { readonly batches: Set<Batch>; readonly listener: () => void }>();
  #limit: number;
  #closed: unknown;
  #closing: Promise<void> | undefined;
  #inlineScratch = { address: 0, size: 0 };
  #inlineBusy = false;

  private constructor(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    threaded: boolean,
    arithmetic: Arithmetic,
    threads: number,
    maxMemory: number,
    wipe: boolean,
    started: readonly Thread[],
  ) {
    this.threaded = threaded;
    this.arithmetic = arithmetic;
    this.#limit = threads;
    this.#wipe = wipe;
    const kernel = instantiateKernel(module, memory);
    const heap = new Heap(memory, kernel.heapBase!(), maxMemory);
    this.#resources = { module, memory, kernel, heap };
    this.fieldBytes = kernel.fieldSize!();
    this.pairBytes = kernel.pairSize!();
    this.#tlsSize = kernel.tlsSize!();
    kernel.setTls!(heap.alloc(this.#tlsSize));
    for (const thread of started) this.#adopt(thread);
  }

  /**
   * @param wipe overwrite the memory when the engine is closed.
   * @throws ProverError `THREADS_INVALID`, `MEMORY_INVALID`, `WASM_UNSUPPORTED`, `ARITHMETIC_UNSUPPORTED`, `OUT_OF_MEMORY`, `WORKER_FAILED`.
   */
  static async create(options: EngineOptions = {}, wipe = false): Promise<Engine> {
    const threads = resolveThreads(options.threads);
    const maxMemory = resolveMemory(options.maxMemory);
    const threaded = sharedMemoryAvailable();
    const started: Thread[] = [];
    try {
      // threads take as long to start as the module to compile
      for (let i = 0; threaded && i < threads; i++) started.push(newThread());
      const { module, arithmetic } = await chooseKernel(threaded, options.arithmetic);
      const memory = newMemory(threaded, maxMemory);
      return new Engine(module, memory, threaded, arithmetic, threads, maxMemory, wipe, started);
    } catch (error) {
      await Promise.all(started.map((thread) => thread.terminate()));
      throw error;
    }
  }

  /** An instance on the calling thread, for what is too small to hand out. @throws ProverError `KEY_CLOSED`. */
  get kernel(): Kernel {
    return this.#open().kernel;
  }

  /** @throws ProverError `KEY_CLOSED`. */
  get heap(): Heap {
    return this.#open().heap;
  }

  #open(): Resources {
    if (this.#resources === undefined) throw this.#closed;
    return this.#resources;
  }

  /** Whether its memory is gone, or about to go. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Threads that tasks are spread over. */
  get threads(): number {
    return this.threaded ? this.#limit : 1;
  }

  /** Changes how many threads later tasks are spread over; threads are started when first needed. */
  set threads(n: number) {
    this.#limit = n;
  }

  /**
   * Runs a batch of independent tasks.
   *
   * @returns for every task what each of its calls returned.
   * @throws ProverError `WORKER_FAILED`, `KEY_CLOSED`; the signal's reason.
   */
  run(tasks: readonly Task[], options: RunOptions = {}): Promise<number[][]> {
    const { priority = 0, signal, onTask } = options;
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) return reject(this.#closed);
      if (signal?.aborted) return reject(signal.reason);
      if (tasks.length === 0) return resolve([]);
      const batch: Batch = {
        tasks,
        results: new Array(tasks.length),
        priority,
        onTask,
        next: 0,
        running: 0,
        failure: undefined,
        finish: () => {
          if (signal !== undefined) this.#unwatch(signal, batch);
          if (batch.failure !== undefined) reject(batch.failure);
          else resolve(batch.results);
        },
      };
      if (signal !== undefined) this.#watch(signal, batch);
      const at = this.#batches.findIndex((other) => other.priority > priority);
      this.#batches.splice(at < 0 ? this.#batches.length : at, 0, batch);
      this.#dispatch();
    });
  }

  /** One listener for each signal, however many batches it may end: Node warns of more than ten. */
  #watch(signal: AbortSignal, batch: Batch): void {
    let watched = this.#watched.get(signal);
    if (watched === undefined) {
      const batches = new Set<Batch>();
      const listener = () => {
        for (const ended of [...batches]) {
          ended.failure ??= signal.reason;
          this.#settle(ended);
        }
      };
      watched = { batches, listener };
      this.#watched.set(signal, watched);
      signal.addEventListener("abort", listener);
    }
    watched.batches.add(batch);
  }

  #unwatch(signal: AbortSignal, batch: Batch): void {
    const watched = this.#watched.get(signal);
    if (watched === undefined) return;
    watched.batches.delete(batch);
    if (watched.batches.size > 0) return;
    this.#watched.delete(signal);
    signal.removeEventListener("abort", watched.listener);
  }

  /** Ends every thread and lets go of the memory; whatever runs rejects with `reason`, by default `KEY_CLOSED`. */
  close(reason = new ProverError("the key is closed", { code: "KEY_CLOSED" })): Promise<void> {
    this.#closed ??= reason;
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const slots = this.#slots.splice(0);
    for (const batch of this.#batches.splice(0)) {
      batch.failure ??= this.#closed;
      batch.finish();
    }
    await Promise.all(slots.map((slot) => slot.thread.terminate()));
    if (this.#wipe) this.#open().heap.bytes.fill(0);
    this.#resources = undefined;
  }

  #dispatch(): void {
    if (!this.threaded) {
      if (!this.#inlineBusy) void this.#runInline();
      return;
    }
    for (;;) {
      const batch = this.#batches.find((b) => b.failure === undefined && b.next < b.tasks.length);
      if (batch === undefined) return;
      const busy = this.#slots.filter((s) => s.current !== undefined || !s.ready).length;
      if (busy >= this.#limit) return;
      let slot = this.#slots.find((s) => s.ready && s.current === undefined);
      if (slot === undefined) {
        if (this.#slots.length >= this.#limit) return;
        try {
          this.#adopt(newThread());
        } catch (error) {
          this.#fail(error);
          return;
        }
        continue;
      }
      const index = batch.next++;
      const task = batch.tasks[index]!;
      try {
        slot.scratch = this.#scratch(slot, task.scratch ?? 0);
      } catch (error) {
        batch.failure ??= error;
        this.#settle(batch);
        continue;
      }
      batch.running++;
      slot.current = { batch, index };
      slot.thread.hold(true);
      slot.thread.post({ calls: task.calls, scratch: slot.scratch } satisfies TaskMessage);
      slot = undefined;
    }
  }

  #scratch(slot: Slot, size: number): number {
    if (size <= slot.scratchSize) return slot.scratch;
    if (slot.scratchSize > 0) this.heap.free(slot.scratch);
    slot.scratchSize = 0;
    const address = this.heap.alloc(size);
    slot.scratchSize = size;
    return address;
  }

  #adopt(thread: Thread): void {
    // the thread before this one failed at once
    if (this.#closed !== undefined) return void thread.terminate();
    const { module, memory, heap } = this.#open();
    const slot: Slot = { thread, scratch: 0, scratchSize: 0, ready: false, current: undefined };
    this.#slots.push(slot);
    thread.hold(true);
    thread.onFailure((reason) => {
      if (this.#slots.includes(slot)) this.#fail(workerError(reason));
    });
    thread.onMessage((message) => this.#answer(slot, message as Answer));
    thread.post({
      module,
      memory,
      tls: heap.alloc(this.#tlsSize),
    } satisfies InitMessage);
  }

  #answer(slot: Slot, answer: Answer): void {
    // sent before the thread was told to end
    if (!this.#slots.includes(slot)) return;
    const { current } = slot;
    slot.current = undefined;
    slot.thread.hold(false);
    if (current === undefined) {
      if ("error" in answer) {
        this.#fail(workerError(answer.error));
        return;
      }
      slot.ready = true;
    } else {
      this.#complete(current.batch, current.index, answer);
    }
    this.#dispatch();
  }

  #complete(batch: Batch, index: number, answer: Answer): void {
    batch.running--;
    if ("error" in answer) batch.failure ??= workerError(answer.error);
    else {
      batch.results[index] = answer.results;
      try {
        batch.onTask?.();
      } catch (error) {
        batch.failure ??= error;
      }
    }
    this.#settle(batch);
  }

  /** Ends a batch when nothing of it runs and nothing of it will. */
  #settle(batch: Batch): void {
    if (batch.running > 0 || (batch.failure === undefined && batch.next < batch.tasks.length)) return;
    const at = this.#batches.indexOf(batch);
    if (at < 0) return;
    this.#batches.splice(at, 1);
    batch.finish();
  }

  /** A thread is lost: so is what it was doing, and the memory may be half written. */
  #fail(reason: unknown): void {
    this.#closed ??= reason;
    void this.close();
  }

  async #runInline(): Promise<void> {
    this.#inlineBusy = true;
    for (;;) {
      await yieldToHost();
      const batch = this.#batches.find((b) => b.failure === undefined && b.next < b.tasks.length);
      if (batch === undefined) break;
      const index = batch.next++;
      const task = batch.tasks[index]!;
      batch.running++;
      let answer: Answer;
      try {
        const need = task.scratch ?? 0;
        if (need > this.#inlineScratch.size) {
          if (this.#inlineScratch.size > 0) this.heap.free(this.#inlineScratch.address);
          this.#inlineScratch = { address: 0, size: 0 };
          this.#inlineScratch = { address: this.heap.alloc(need), size: need };
        }
        answer = { results: runCalls(this.kernel, task.calls, this.#inlineScratch.address) };
      } catch (error) {
        if (error instanceof ProverError) batch.failure ??= error;
        answer = { error: error instanceof Error ? error.message : String(error) };
      }
      this.#complete(batch, index, answer);
    }
    this.#inlineBusy = false;
    if (this.#batches.length > 0 && this.#closed === undefined) this.#dispatch();
  }
}

function newThread(): Thread {
  try {
    return startThread();
  } catch (error) {
    throw workerError(error instanceof Error ? error.message : String(error));
  }
}

function workerError(reason: string): ProverError {
  return new ProverError("a prover thread failed", { code: "WORKER_FAILED", got: reason });
}
