/**
 * Allocator over a WebAssembly memory: first fit on a sorted free list, grows the memory on demand.
 *
 * @module
 */

import { ProverError } from "../../errors.js";
import { MAX_PAGES, PAGE } from "./kernel.js";

/** Alignment of every block: a cache line, so that threads do not share one. */
const ALIGN = 64;

const align = (n: number) => Math.ceil(n / ALIGN) * ALIGN;
const mebibytes = (n: number) => `${Math.ceil(n / 2 ** 20)} MiB`;

/** Hands out blocks of one memory. */
export class Heap {
  readonly #memory: WebAssembly.Memory;
  readonly #limit: number;
  #end: number;
  /** Free blocks, ascending and not adjacent: [address, size]. */
  readonly #free: [number, number][] = [];
  readonly #sizes = new Map<number, number>();
  #bytes: Uint8Array;

  /**
   * @param start first byte that may be handed out.
   * @param maxMemory bytes the memory may grow to; at most 4 GiB.
   */
  constructor(memory: WebAssembly.Memory, start: number, maxMemory = MAX_PAGES * PAGE) {
    this.#memory = memory;
    this.#end = align(start);
    this.#limit = Math.min(maxMemory, MAX_PAGES * PAGE);
    this.#bytes = new Uint8Array(memory.buffer);
  }

  /** All of the memory. Do not keep it across an allocation. */
  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.#memory.buffer) this.#bytes = new Uint8Array(this.#memory.buffer);
    return this.#bytes;
  }

  /** Bytes of the memory as it is now. */
  get size(): number {
    return this.#memory.buffer.byteLength;
  }

  /** `length` bytes at `address`. Do not keep it across an allocation. */
  view(address: number, length: number): Uint8Array {
    return this.bytes.subarray(address, address + length);
  }

  /**
   * A block of at least `size` bytes, 64-byte aligned, not cleared.
   *
   * @throws ProverError `OUT_OF_MEMORY` beyond the limit, or when the host gives no more.
   */
  alloc(size: number): number {
    const need = align(Math.max(size, 1));
    for (let i = 0; i < this.#free.length; i++) {
      const block = this.#free[i]!;
      if (block[1] < need) continue;
      const address = block[0];
      if (block[1] === need) this.#free.splice(i, 1);
      else this.#free[i] = [address + need, block[1] - need];
      this.#sizes.set(address, need);
      return address;
    }
    const address = this.#end;
    const end = address + need;
    const pages = Math.ceil(end / PAGE) - this.size / PAGE;
    if (end > this.#limit) throw this.#outOfMemory(need);
    if (pages > 0) {
      try {
        this.#memory.grow(pages);
      } catch (cause) {
        throw this.#outOfMemory(need, cause);
      }
    }
    this.#end = end;
    this.#sizes.set(address, need);
    return address;
  }

  /** Gives a block back. */
  free(address: number): void {
    const size = this.#sizes.get(address);
    if (size === undefined) throw new Error(`no block at ${address}`);
    this.#sizes.delete(address);
    this.#release(address, size);
  }

  /** Gives back what lies beyond the first `size` bytes of a block. */
  shrink(address: number, size: number): void {
    const old = this.#sizes.get(address);
    if (old === undefined) throw new Error(`no block at ${address}`);
    const keep = align(Math.max(size, 1));
    if (keep >= old) return;
    this.#sizes.set(address, keep);
    this.#release(address + keep, old - keep);
  }

  #release(address: number, size: number): void {
    let i = this.#free.findIndex(([a]) => a > address);
    if (i < 0) i = this.#free.length;
    this.#free.splice(i, 0, [address, size]);
    for (const j of [i, i - 1]) {
      const left = this.#free[j];
      const right = this.#free[j + 1];
      if (left && right && left[0] + left[1] === right[0]) this.#free.splice(j, 2, [left[0], left[1] + right[1]]);
    }
    const last = this.#free.at(-1);
    if (last && last[0] + last[1] === this.#end) {
      this.#end = last[0];
      this.#free.pop();
    }
  }

  #outOfMemory(need: number, cause?: unknown): ProverError {
    return new ProverError("not enough memory", {
      code: "OUT_OF_MEMORY",
      expected: `${mebibytes(need)} more, ${mebibytes(this.#end)} in use`,
      got: `a limit of ${mebibytes(this.#limit)}`,
      cause,
    });
  }
}
