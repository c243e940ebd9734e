/**
 * What the parts of a network's queue in Redis have in common: a connection, BullMQ's classes on it, and how jobs are given to
 * BullMQ.
 *
 * @module
 */

import type { FlowProducer, Job, JobsOptions, Queue as Line, ParentOptions } from "bullmq";
import type { Redis } from "ioredis";
import type { JobKind } from "./jobs.js";
import type { JobSpec } from "./queue.js";
import { BACKOFF, foreignChild } from "./queue-common.js";
import type { RedisAddress } from "./redis.js";

/** Options of `BullQueue.open`. */
export interface RedisQueueOptions {
  /** What all keys begin with, default `chunkproof`. */
  readonly prefix?: string | undefined;
  /**
   * Milliseconds after which a job is taken from a worker that gives no sign of life, default 30,000; it takes up to twice
   * that until somebody notices. Renewed three times as often.
   */
  readonly lockDuration?: number | undefined;
  /** Milliseconds before a second attempt, default 500; doubled for each one after it. */
  readonly backoff?: number | undefined;
  /** Milliseconds that a call waits for Redis, default 10,000. */
  readonly timeout?: number | undefined;
  /** Told of what goes wrong without harm: Redis is away, or back; leases that were lost; somebody else's jobs in our queues. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Options with what they are by default. */
export type Settings = { readonly [name in keyof RedisQueueOptions]-?: NonNullable<RedisQueueOptions[name]> };

export const DEFAULTS: Settings = {
  prefix: "chunkproof",
  lockDuration: 30_000,
  backoff: BACKOFF,
  timeout: 10_000,
  onWarning: () => {},
};

/** What the parts of a queue have in common. */
export interface Link {
  readonly address: RedisAddress;
  readonly settings: Settings;
  readonly redis: Redis;
  readonly lines: Readonly<Record<JobKind, Line>>;
  readonly flows: FlowProducer;
}

/** What all of BullMQ's classes are made with. */
export const connectionOf = ({ redis, settings }: Link) => ({
  connection: redis,
  prefix: settings.prefix,
});

/** How people see a job. One that has children has another name than its kind. */
export const nameOf = (kind: JobKind, children: number): string => (children === 0 ? kind : `${kind} of ${children}`);

/** Failed attempts leave no more than their cause. */
export const optionsOf = ({ id, priority, attempts }: JobSpec): JobsOptions => ({
  jobId: id,
  priority,
  attempts,
  backoff: { type: "spread" },
  stackTraceLimit: 0,
});

/** A job that others wait for: it need not end well for that. */
export const childOf = (child: JobSpec, parent?: ParentOptions) => ({
  name: child.kind,
  queueName: child.kind,
  data: child.data ?? null,
  opts: { ...optionsOf(child), ignoreDependencyOnFailure: true, ...(parent === undefined ? {} : { parent }) },
});

/** Since when a job is ready; undefined: nothing says so, of those that waited for others or for their next attempt. */
export const readySince = (kind: JobKind, job: Job): number | undefined =>
  job.name === kind && job.attemptsMade === 0 && job.stalledCounter === 0 ? job.timestamp : undefined;

/** What follows a job's key, of jobs in all queues. */
export async function jobAt({ lines, settings }: Link, key: string): Promise<Job | undefined> {
  const [prefix, kind, id] = key.split(":");
  return prefix === settings.prefix && kind! in lines ? lines[kind as JobKind].getJob(id!) : undefined;
}

/**
 * Makes sure that children can be added to a job: none of them is another one's. Those that have failed begin again.
 *
 * @throws NetworkError `JOB_MALFORMED`
 */
export async function claim(link: Link, kind: JobKind, id: string, children: readonly JobSpec[]): Promise<void> {
  const own = link.lines[kind].toKey(id);
  const known = await Promise.all(children.map((child) => link.lines[child.kind].getJob(child.id)));
  for (const job of known) {
    if (job === undefined) continue;
    const { parentKey = own } = job;
    if (parentKey !== own && (await jobAt(link, parentKey)) !== undefined) throw foreignChild(job.id!);
    // BullMQ would let its new parent wait for it for ever
    if (job.finishedOn !== undefined && (await job.isFailed())) await job.remove({ removeChildren: false });
  }
}

/** Waits so long. @returns undefined if it takes longer. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  return Promise.race([promise, end]).finally(() => clearTimeout(timer));
}
