/**
 * Tells what becomes of jobs, as BullMQ's queues do.
 *
 * @module
 */

import { QueueEvents } from "bullmq";
import { connectionOf, type Link } from "./bull-link.js";
import { JOB_KINDS, type JobKind } from "./jobs.js";
import type { Json, QueueEvent } from "./queue.js";
import { decodeFailure } from "./queue-common.js";
import { reasonOf } from "./redis.js";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Hears the events of all queues. */
export class Follower {
  readonly #listeners = new Set<(event: QueueEvent) => void>();
  readonly #open = new Set<QueueEvents>();
  #closed = false;

  constructor(private readonly link: Link) {
    for (const kind of JOB_KINDS) void this.#run(kind);
  }

  get idle(): boolean {
    return this.#listeners.size === 0;
  }

  add(listener: (event: QueueEvent) => void): () => void {
    // two that follow with the same function are still two
    const own = (event: QueueEvent) => listener(event);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    for (const events of this.#open) events.close().catch(() => {});
  }

  /** One that cannot read an event ends: another one begins with those after it. */
  async #run(kind: JobKind): Promise<void> {
    const { redis, settings, address } = this.link;
    while (!this.#closed) {
      let events: QueueEvents | undefined;
      try {
        // over the connection by which jobs are added: what is added after this is seen
        const [seconds = 0, micros = 0] = await redis.time();
        if (this.#closed) return;
        const since = seconds * 1000 + Math.floor(micros / 1000) - 1;
        events = new QueueEvents(kind, {
          ...connectionOf(this.link),
          skipVersionCheck: true,
          autorun: false,
          lastEventId: `${since}-999999`,
        });
        events.on("error", () => {});
        this.#open.add(events);
        this.#listen(kind, events);
        await events.run();
      } catch (error) {
        if (this.#closed) return;
        settings.onWarning(`events of ${kind}: ${reasonOf(error, address)}`);
        await sleep(1000);
      } finally {
        if (events !== undefined) {
          this.#open.delete(events);
          events.close().catch(() => {});
        }
      }
    }
  }

  #listen(kind: JobKind, events: QueueEvents): void {
    const emit = (event: QueueEvent) => {
      for (const listener of this.#listeners) {
        // what a listener throws is its own affair, not that of the others
        queueMicrotask(() => {
          if (this.#listeners.has(listener)) listener(event);
        });
      }
    };
    for (const type of ["active", "completed", "stalled"] as const) {
      events.on(type, ({ jobId: id }: { jobId: string }) => emit({ type, kind, id }));
    }
    events.on("failed", ({ jobId: id, failedReason }) =>
      emit({ type: "failed", kind, id, failure: decodeFailure(failedReason ?? "") }),
    );
    events.on("progress", ({ jobId: id, data }) => emit({ type: "progress", kind, id, progress: data as Json }));
  }
}
