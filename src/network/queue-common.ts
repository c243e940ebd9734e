/**
 * What the queues have in common, so that they behave alike: which jobs they take, how failures are kept, how long a job
 * waits before it is tried again.
 *
 * @module
 */

import { z } from "zod";
import { NetworkError } from "./errors.js";
import type { JobKind } from "./jobs.js";
import { failureOf, type JobFailure, type JobSpec } from "./queue.js";

/** How often a job may lose its worker before it has failed. Apart from its attempts: dying workers are not its fault. */
export const MAX_LOST = 10;

/** Milliseconds before a second attempt; doubled for each one after it. */
export const BACKOFF = 500;

/** No attempt waits longer than this, in milliseconds. */
const MAX_BACKOFF = 60_000;

const MAX_PRIORITY = 2 ** 21 - 1;

/** Longest message of a failure that is kept. */
const MAX_MESSAGE = 2000;

/** Names that BullMQ has for keys beside those of the jobs. */
const RESERVED = new Set(
  (
    "active wait waiting-children paused id delayed prioritized stalled-check completed failed stalled repeat limiter " +
    "meta events pc marker de"
  ).split(" "),
);

const malformed = (where: string, expected: string, got?: string) =>
  new NetworkError("not a job", { code: "JOB_MALFORMED", where, expected, got });

/** Whether a job may be called so. */
export const isJobId = (id: string): boolean =>
  /^[0-9a-zA-Z_-]{1,200}$/.test(id) && !/^\d+$/.test(id) && !RESERVED.has(id);

/** @throws NetworkError `JOB_MALFORMED` */
export function checkSpec(spec: JobSpec): void {
  const { id, kind, priority, attempts } = spec;
  if (!isJobId(id)) {
    throw malformed(
      `${kind}.id`,
      "1 to 200 of 0-9 a-z A-Z _ -, not a number, no name of BullMQ's",
      JSON.stringify(id.slice(0, 250)),
    );
  }
  if (!Number.isInteger(priority) || priority < 0 || priority > MAX_PRIORITY) {
    throw malformed(`${id}.priority`, `0 to ${MAX_PRIORITY}`, String(priority));
  }
  if (!Number.isInteger(attempts) || attempts < 1) throw malformed(`${id}.attempts`, "1 or more", String(attempts));
}

/** A job and the jobs it waits for. @throws NetworkError `JOB_MALFORMED` */
export function checkFamily(job: JobSpec, children: readonly JobSpec[]): void {
  checkSpec(job);
  for (const child of children) {
    checkSpec(child);
    if (child.kind === job.kind && child.id === job.id) throw malformed(`${job.id}.children`, "other jobs than itself");
  }
}

/** A child that already belongs to a job which still waits for it. */
export const foreignChild = (id: string): NetworkError =>
  new NetworkError("a job that another one waits for", { code: "JOB_MALFORMED", where: id });

/** Milliseconds before a job is tried again. Spread, so that what failed together does not come back together. */
export function backoffOf(failures: number, base: number): number {
  const most = Math.min(base * 2 ** (failures - 1), MAX_BACKOFF);
  return Math.round(most * (0.5 + Math.random() / 2));
}

/** What a handler threw, as a failure: it may be tried again unless it says otherwise. */
export function thrown(error: unknown): JobFailure {
  const failure = failureOf(error, true);
  return { ...failure, message: failure.message.slice(0, MAX_MESSAGE) };
}

/** A job whose workers died or hung too often. */
export const lostFailure = (): JobFailure => ({
  code: "JOB_LOST",
  message: `lost its worker more than ${MAX_LOST} times`,
  retryable: true,
});

/** Why the signal of a delivery aborts. */
export const leaseLost = (kind: JobKind, id: string): NetworkError =>
  new NetworkError("the lease of the job was lost", { code: "JOB_LOST", where: `${kind} ${id}` });

export const closedError = (where: string): NetworkError =>
  new NetworkError("the queue is closed", { code: "QUEUE_CLOSED", where });

const failureSchema = z.object({
  code: z.string().max(200),
  message: z.string().max(2 * MAX_MESSAGE),
  retryable: z.boolean(),
  worker: z.string().max(500).optional(),
  backend: z.string().max(500).optional(),
});

/** What BullMQ writes by itself. */
const STALLED = "job stalled more than allowable limit";

/** A failure from text that anybody may have written. */
export function decodeFailure(text: string): JobFailure {
  if (text === STALLED) return lostFailure();
  try {
    const parsed = failureSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // not one of ours
  }
  return { code: "INTERNAL", message: text.slice(0, MAX_MESSAGE), retryable: false };
}

/** @throws NetworkError `CONFIG_INVALID` */
export function checkConcurrency(concurrency: number): void {
  if (Number.isInteger(concurrency) && concurrency >= 1) return;
  throw new NetworkError("cannot work on that many jobs", {
    code: "CONFIG_INVALID",
    where: "concurrency",
    expected: "1 or more",
    got: String(concurrency),
  });
}
