/**
 * What happens to blocks, for whoever listens: many listeners, each with a bounded buffer.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { NetworkError } from "./errors.js";
import type { JobKind } from "./jobs.js";
import type { BlockStage } from "./registry.js";

/** How far a block is. */
export interface Progress {
  readonly id: string;
  readonly number: number;
  readonly hash: string;
  readonly state: BlockStage;
  readonly run: number;
  readonly chunks: number;
  readonly committed: number;
  readonly proved: number;
}

/** `state`: it went on; `chunk`: something of it was done; `end`: it is proved, failed or cancelled, and nothing follows. */
export type BlockEvent = { readonly seq: string } & (
  | { readonly type: "state" | "end"; readonly data: Progress }
  | {
      readonly type: "chunk";
      readonly data: Progress & { readonly chunk: number; readonly done: JobKind; readonly worker: string };
    }
);
type Unnumbered<E> = E extends unknown ? Omit<E, "seq"> : never;

/** Options of {@link EventHub.subscribe}. */
export interface SubscribeOptions {
  /** Only of this block. */
  readonly block?: string | undefined;
  /** Begin after this event, if it is still known. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Events that wait for who reads slowly; more, and the subscription ends. Default 1000. */
  readonly buffer?: number | undefined;
  /** Hears of that at once, while the reader is still busy. */
  readonly onOverflow?: (() => void) | undefined;
}

/** Events in the order in which they happened. */
export interface Subscription extends AsyncIterableIterator<BlockEvent> {
  /** Whether it goes on where `after` was: nothing was missed. */
  readonly resumed: boolean;
  /** No more events; what waits is dropped. */
  close(): void;
}

/** Events that are kept for those who come back. */
const KEPT = 1024;

/** See the module. */
export class EventHub {
  /** Numbers of another process mean nothing here. */
  readonly #boot = randomBytes(4).toString("hex");
  readonly #listeners = new Set<Listener>();
  readonly #kept: BlockEvent[] = [];
  #next = 0;
  #closed = false;

  /** Number of subscriptions. */
  get size(): number {
    return this.#listeners.size;
  }

  publish(event: Unnumbered<BlockEvent>): void {
    const numbered = { ...event, seq: `${this.#boot}-${this.#next++}` } as BlockEvent;
    this.#kept.push(numbered);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const listener of this.#listeners) listener.push(numbered);
  }

  /** What happens from now on, or from `after` on. */
  subscribe({ block, after, signal, buffer = 1000, onOverflow }: SubscribeOptions = {}): Subscription {
    const at = after === undefined ? -1 : this.#kept.findIndex(({ seq }) => seq === after);
    // the event before the oldest that is kept may be unknown, the one that comes next is not
    const missed = at < 0 ? [] : this.#kept.slice(at + 1);
    const listener = new Listener(block, buffer, at >= 0, (overflow) => {
      this.#listeners.delete(listener);
      signal?.removeEventListener("abort", stop);
      if (overflow) onOverflow?.();
    });
    const stop = () => listener.close();
    this.#listeners.add(listener);
    for (const event of missed) listener.push(event);
    if (this.#closed || signal?.aborted) listener.close();
    else signal?.addEventListener("abort", stop, { once: true });
    return listener;
  }

  /** Ends all subscriptions. */
  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners) listener.close();
  }
}

class Listener implements Subscription {
  readonly resumed: boolean;
  readonly #block: string | undefined;
  readonly #max: number;
  readonly #onClose: (overflow: boolean) => void;
  #events: BlockEvent[] = [];
  #closed = false;
  #behind = false;
  #wake: (() => void) | undefined;

  constructor(block: string | undefined, max: number, resumed: boolean, onClose: (overflow: boolean) => void) {
    this.#block = block;
    this.#max = max;
    this.resumed = resumed;
    this.#onClose = onClose;
  }

  push(event: BlockEvent): void {
    if (this.#closed || (this.#block !== undefined && event.data.id !== this.#block)) return;
    if (this.#events.length >= this.#max) {
      this.#behind = true;
      this.close();
      return;
    }
    this.#events.push(event);
    this.#wake?.();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events = [];
    this.#onClose(this.#behind);
    this.#wake?.();
  }

  /** @throws NetworkError `BUSY` once, when events came faster than they were taken. */
  async next(): Promise<IteratorResult<BlockEvent>> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return { done: false, value: event };
      if (this.#behind) {
        this.#behind = false;
        throw new NetworkError("too slow for the events", { code: "BUSY", expected: `at most ${this.#max} waiting` });
      }
      if (this.#closed) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  async return(): Promise<IteratorResult<BlockEvent>> {
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
