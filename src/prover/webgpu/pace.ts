/**
 * Work in pieces of a size that suits the device: a software device gets pieces of a fraction of a second, so that an abort is heard
 * soon and nobody takes the device for hung; a real one gets almost everything at once, because every wait costs it a round trip.
 *
 * @module
 */

import type { Batch, BufferRange, Device, Kernel } from "./device.js";

/** Products that any device does in a fraction of a second. */
const FIRST = 2 ** 18;
const LEAST = 2 ** 14;
const MOST = 2 ** 40;
/** Milliseconds that a piece should take, at least and at most. */
const SHORT = 40;
const LONG = 200;

/** How much a device is handed at a time, learnt from how long it takes. */
export class Pace {
  #budget = FIRST;

  /** Cost of a piece, in products of field elements. */
  get budget(): number {
    return this.#budget;
  }

  /** Learns from a piece of `cost`, if it was a full one. */
  learn(cost: number, milliseconds: number): void {
    if (cost < this.#budget) return;
    if (milliseconds < SHORT) this.#budget = Math.min(MOST, this.#budget * 4);
    else if (milliseconds > LONG) this.#budget = Math.max(LEAST, this.#budget / 2);
  }
}

/** A kernel with what it works on. Its first two parameters are the first invocation and the one behind the last. */
export interface Job {
  readonly kernel: Kernel;
  readonly buffers: readonly (GPUBuffer | BufferRange)[];
  /** Parameters behind the first two. */
  readonly parameters?: readonly number[];
  /** Invocations. */
  readonly count: number;
  /** Of a workgroup. */
  readonly workgroup: number;
  /** Products that an invocation has at most. */
  readonly cost: number;
}

/** Dispatches in order, handed to the device in pieces. */
export class Work {
  readonly #device: Device;
  readonly #pace: Pace;
  readonly #signal: AbortSignal | undefined;
  readonly #batch: Batch;
  #cost = 0;

  /** @throws `signal.reason` if it is aborted. */
  constructor(device: Device, pace: Pace, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    this.#device = device;
    this.#pace = pace;
    this.#signal = signal;
    this.#batch = device.batch();
  }

  /**
   * Adds `groups` workgroups of a kernel, in one dispatch or in several. Its first two parameters are the first group and the end of a
   * dispatch; `parameters` are those behind them.
   *
   * @param cost products of a group.
   */
  async spread(
    kernel: Kernel,
    buffers: readonly (GPUBuffer | BufferRange)[],
    groups: number,
    cost: number,
    parameters: readonly number[],
  ): Promise<void> {
    await this.#pieces(groups, cost, (first, end) => {
      this.#batch.dispatch(kernel, buffers, end - first, [first, end, ...parameters]);
    });
  }

  /** Adds a kernel whose invocations do one thing each, in one dispatch or in several. */
  async add({ kernel, buffers, parameters = [], count, workgroup, cost }: Job): Promise<void> {
    await this.#pieces(Math.ceil(count / workgroup), workgroup * cost, (first, end) => {
      const range = [first * workgroup, Math.min(count, end * workgroup)];
      this.#batch.dispatch(kernel, buffers, end - first, [...range, ...parameters]);
    });
  }

  async #pieces(groups: number, cost: number, dispatch: (first: number, end: number) => void): Promise<void> {
    for (let first = 0; first < groups; ) {
      const room = Math.max(1, Math.ceil((this.#pace.budget - this.#cost) / cost));
      const end = Math.min(groups, first + room);
      dispatch(first, end);
      this.#cost += (end - first) * cost;
      first = end;
      if (this.#cost >= this.#pace.budget) await this.flush();
    }
  }

  /** Hands over what there is and waits until it is done. @throws `signal.reason`. */
  async flush(): Promise<void> {
    const start = performance.now();
    this.#batch.submit();
    await this.#device.done(this.#signal);
    this.#pace.learn(this.#cost, performance.now() - start);
    this.#cost = 0;
  }

  /** Hands over what there is; what is handed over later comes after it. */
  submit(): void {
    this.#batch.submit();
    this.#cost = 0;
  }
}
