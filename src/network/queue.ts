/**
 * The queue: jobs with children, leases, retries. Two implementations, one behaviour: `queue-memory.ts` in one process,
 * `queue-bullmq.ts` on BullMQ and Redis.
 *
 * Delivery is at least once: a job whose worker dies is given to another. A result that comes after the lease was lost is
 * dropped.
 *
 * @module
 */

import { ChunkproofError } from "../errors.js";
import type { JobKind } from "./jobs.js";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };

/** A job to be done. */
export interface JobSpec<K extends JobKind = JobKind> {
  readonly kind: K;
  /** `[0-9a-zA-Z_-]`, at most 200. Adding a job that is there changes nothing. */
  readonly id: string;
  readonly data: Json;
  /** Smaller is sooner; 0 to 2^21 − 1. */
  readonly priority: number;
  /** How often it may fail; that its worker died or hung does not count. */
  readonly attempts: number;
}

/** Why a job failed. */
export interface JobFailure {
  readonly code: string;
  readonly message: string;
  /** Whether another attempt could have ended otherwise. */
  readonly retryable: boolean;
  readonly worker?: string | undefined;
  readonly backend?: string | undefined;
}

export type JobState = "waiting" | "waiting-children" | "active" | "delayed" | "completed" | "failed";

/** What is known of a job. */
export interface JobStatus {
  readonly kind: JobKind;
  readonly id: string;
  readonly state: JobState;
  /** How often it was begun and did not end well. */
  readonly failures: number;
  readonly result?: Json | undefined;
  /** The last one; of a job that is tried again too. */
  readonly failure?: JobFailure | undefined;
  /** When its present attempt began, milliseconds since 1970. */
  readonly activeSince?: number | undefined;
}

/** A job in the hands of a consumer. */
export interface Delivery {
  readonly kind: JobKind;
  readonly id: string;
  /** Not checked: see `readData`. */
  readonly data: unknown;
  readonly priority: number;
  /** From 0; one more for each time that it was begun and failed or was lost. */
  readonly attempt: number;
  /** Aborted when the lease is lost: whatever comes out then is dropped. */
  readonly signal: AbortSignal;
  /** Milliseconds from becoming ready to this delivery. */
  readonly waited: number;
  /** What followers of the queue see. Losing one does no harm. */
  progress(progress: Json): Promise<void>;
  /** How the children ended, by id. */
  children(): Promise<{
    readonly results: ReadonlyMap<string, unknown>;
    readonly failures: ReadonlyMap<string, JobFailure>;
  }>;
}

/** Ends a job for good or for now, see {@link JobFailure.retryable}; anything else that a handler throws is retried. */
export class JobError extends Error {
  constructor(
    readonly failure: JobFailure,
    options?: ErrorOptions,
  ) {
    super(failure.message, options);
    this.name = "JobError";
  }
}

/** Thrown by a handler: gives the job back. No attempt has failed; others of its priority may now come before it. */
export class HandBack extends Error {
  /** @param delay milliseconds before anybody gets it again. */
  constructor(readonly delay: number) {
    super("handed back");
    this.name = "HandBack";
  }
}

/** Thrown by a handler: the job waits for more children, with other data, and is then delivered again. No attempt has failed. */
export class MoreChildren extends Error {
  constructor(
    readonly children: readonly JobSpec[],
    readonly data: Json,
  ) {
    super("waits for more children");
    this.name = "MoreChildren";
  }
}

/** Does a job; what it returns is the result. */
export type Handler = (delivery: Delivery) => Promise<Json>;

/** Takes jobs of one kind. */
export interface Consumer {
  /** Takes no more jobs until {@link resume}; those taken go on. */
  pause(): void;
  resume(): void;
  /** Takes no more jobs; resolves when those taken have ended, or at once with `abandon`: their leases then run out. */
  close(options?: { readonly abandon?: boolean }): Promise<void>;
}

/** What becomes of jobs. */
export type QueueEvent =
  | { readonly type: "active" | "completed" | "stalled"; readonly kind: JobKind; readonly id: string }
  | { readonly type: "progress"; readonly kind: JobKind; readonly id: string; readonly progress: Json }
  | { readonly type: "failed"; readonly kind: JobKind; readonly id: string; readonly failure: JobFailure };

/** Jobs of a kind, by state. */
export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly waitingChildren: number;
  readonly completed: number;
  readonly failed: number;
  /** Milliseconds that the first in line has been waiting. */
  readonly oldestWaiting: number;
}

/** What a network is, as its coordinator says. */
export interface NetworkDescription {
  readonly version: string;
  readonly protocol: string;
  /** Digest of the set of keys. */
  readonly keySet: string;
  /** Digest of the keys' manifest in the store, see `keys.ts`. */
  readonly manifest: string;
}

/** What a worker says of itself. */
export interface WorkerDescription {
  readonly id: string;
  readonly version: string;
  readonly protocol: string;
  readonly keySet: string;
  readonly host: string;
  readonly pid: number;
  readonly kinds: readonly JobKind[];
  readonly concurrency: number;
  readonly threads: number;
  readonly backend: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** See the module. */
export interface Queue {
  /** For messages: without secrets. */
  readonly name: string;
  /** Adds a job and the jobs it waits for. Children that fail do not keep it from running: it sees why. */
  add(job: JobSpec, children?: readonly JobSpec[]): Promise<void>;
  status(kind: JobKind, id: string): Promise<JobStatus | undefined>;
  /** Removes jobs; those in work are aborted, and whatever comes out of them is dropped. */
  remove(jobs: readonly { readonly kind: JobKind; readonly id: string }[]): Promise<void>;
  /** Takes the lease of a job away, which is then given to somebody else. */
  expire(kind: JobKind, id: string): Promise<void>;
  consume(kind: JobKind, handler: Handler, options: { readonly concurrency: number }): Consumer;
  /** What happens from now on, to jobs of all consumers. Nothing follows for what happened while the queue was away. */
  follow(listener: (event: QueueEvent) => void): () => void;
  counts(kind: JobKind): Promise<QueueCounts>;
  /** Jobs that failed, newest first. */
  failed(kind: JobKind, limit: number): Promise<readonly JobStatus[]>;
  describe(network: NetworkDescription): Promise<void>;
  description(): Promise<NetworkDescription | undefined>;
  /** Renewed by calling it again; forgotten after `ttl` milliseconds. */
  announce(worker: WorkerDescription, ttl: number): Promise<void>;
  withdraw(worker: string): Promise<void>;
  workers(): Promise<readonly WorkerDescription[]>;
  /** Workers whose results are not wanted. */
  ban(worker: string, reason: string): Promise<void>;
  banned(worker: string): Promise<string | undefined>;
  /** @throws NetworkError `QUEUE_UNAVAILABLE` */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** An error as queues keep it. */
export function failureOf(error: unknown, retryable: boolean, more: Partial<JobFailure> = {}): JobFailure {
  if (error instanceof JobError) return { ...error.failure, ...more };
  const known = error instanceof ChunkproofError;
  return {
    code: known ? error.code : "INTERNAL",
    message: error instanceof Error ? error.message : String(error),
    retryable,
    ...more,
  };
}
