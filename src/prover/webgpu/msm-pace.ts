/**
 * Dispatches in batches of about a fifth of a second, on every device: a software device and a GPU differ by a factor of
 * thousands. Long batches keep an abort waiting, and drivers end those of seconds; short ones leave a GPU idle in between.
 *
 * @module
 */

import type { Batch, BufferRange, Device, Kernel } from "./device.js";

/** Milliseconds of a batch. */
const TARGET = 200;
/** Work for a millisecond that is expected of a device before it has shown another: a software device on two cores. */
const SLOW = 2000;
/** Most work for a dispatch in one piece; a device faster than that needs no more pieces. */
const MOST = 2 ** 40;

/** A kernel with what it works on. Its first two parameters are the first invocation and the one behind the last. */
export interface Job {
  readonly kernel: Kernel;
  readonly buffers: readonly (GPUBuffer | BufferRange)[];
  /** Parameters behind the first two. */
  readonly parameters?: readonly number[];
  /** Invocations. */
  readonly count: number;
  /** Products, or what takes as long, that an invocation has at most. */
  readonly work: number;
}

/** Knows how fast a device is, from what it did. */
export class Pace {
  readonly #device: Device;
  readonly #workgroup: number;
  #rate = SLOW;
  #batch: Batch | undefined;
  #pending = 0;

  constructor(device: Device, workgroup: number) {
    this.#device = device;
    this.#workgroup = workgroup;
  }

  /** Forgets what was added and not submitted, which an earlier failure may have left. */
  begin(): void {
    this.#batch = undefined;
    this.#pending = 0;
  }

  /** Adds a job, in pieces if it is a long one, and waits for the device now and then. */
  async add({ kernel, buffers, parameters = [], count, work }: Job, signal?: AbortSignal): Promise<void> {
    for (let first = 0; first < count; ) {
      const room = Math.min(MOST, TARGET * this.#rate) - this.#pending;
      const groups = Math.max(1, Math.floor(room / (work * this.#workgroup)));
      const end = Math.min(count, first + groups * this.#workgroup);
      this.#batch ??= this.#device.batch();
      this.#batch.dispatch(kernel, buffers, Math.ceil((end - first) / this.#workgroup), [first, end, ...parameters]);
      this.#pending += (end - first) * work;
      first = end;
      if (this.#pending >= Math.min(MOST, TARGET * this.#rate) * 0.9) await this.#wait(signal);
    }
  }

  /** Adds a kernel whose workgroups work together; it is never cut. */
  addGroups({ kernel, buffers, parameters = [], count, work }: Job): void {
    this.#batch ??= this.#device.batch();
    this.#batch.dispatch(kernel, buffers, count, [0, count, ...parameters]);
    this.#pending += count * work;
  }

  /** Hands over what was added. */
  submit(): void {
    this.#batch?.submit();
    this.begin();
  }

  /** A full batch says how fast the device is. */
  async #wait(signal?: AbortSignal): Promise<void> {
    const work = this.#pending;
    const began = performance.now();
    this.submit();
    await this.#device.done(signal);
    const rate = work / Math.max(1, performance.now() - began);
    // one measurement may be off: by a pause of the process, or work that was there before
    this.#rate = Math.min(this.#rate * 16, Math.max(this.#rate / 2, rate, SLOW / 16));
  }
}
