/**
 * Takes jobs of one kind by a worker of BullMQ's.
 *
 * @module
 */

import { DelayedError, type Job, UnrecoverableError, WaitingChildrenError, WaitingError, Worker } from "bullmq";
import { childOf, claim, connectionOf, type Link, readySince, within } from "./bull-link.js";
import { NetworkError } from "./errors.js";
import type { JobKind } from "./jobs.js";
import {
  type Consumer,
  type Delivery,
  HandBack,
  type Handler,
  type JobFailure,
  type Json,
  MoreChildren,
} from "./queue.js";
import { backoffOf, checkFamily, decodeFailure, leaseLost, MAX_LOST, thrown } from "./queue-common.js";
import { isReply, reasonOf } from "./redis.js";

/** Seconds that a consumer waits at most before it looks for itself: a wake-up may get lost with who got it. */
const BLOCK = 5;
/** Milliseconds that a consumer rests when Redis refuses what it asks for. */
const REST = 1000;

/**
 * What is kept of jobs that ended, so that the memory of Redis is bounded. Those of whole blocks are large, with the results
 * of their children, and few. A job that is forgotten could be added again: by then its block has long ended.
 */
const keepOf = (kind: JobKind) => {
  const count = kind === "commit" || kind === "prove" ? 20_000 : 200;
  return { removeOnComplete: { age: 24 * 3600, count }, removeOnFail: { age: 7 * 24 * 3600, count } };
};

/** A negative code: BullMQ refuses, for example because the lock is lost. */
const isRefusal = (error: unknown): boolean => typeof (error as { code?: unknown }).code === "number";

/** `<prefix>:<kind>:<id>`, as BullMQ names jobs to each other. */
const nameIn = (key: string): string => key.slice(key.lastIndexOf(":") + 1);

/** How BullMQ is told of a failure. */
function failed(failure: JobFailure): Error {
  const text = JSON.stringify(failure);
  return failure.retryable ? new Error(text) : new UnrecoverableError(text);
}

/** A job in hand. */
interface Held {
  readonly job: Job;
  /** The lock is ours as long as this is in it. */
  readonly token: string;
  readonly controller: AbortController;
  /** The lease is lost: whatever comes out is dropped. */
  lost: boolean;
  /** It is given away, and its lock with it. */
  ending: boolean;
}

/** See the module. */
export class BullConsumer implements Consumer {
  readonly #held = new Set<Held>();
  readonly #worker: Worker;
  readonly #renewal: NodeJS.Timeout;
  /** Wait for the last job in hand to end. */
  readonly #waiting = new Set<() => void>();
  #rest: NodeJS.Timeout | undefined;
  #paused = false;
  #closing: Promise<void> | undefined;
  #abandoned = false;

  constructor(
    private readonly link: Link,
    private readonly kind: JobKind,
    private readonly handler: Handler,
    concurrency: number,
    private readonly ended: () => void,
  ) {
    const { lockDuration, backoff } = link.settings;
    this.#worker = new Worker(kind, (job, token) => this.#process(job, token ?? ""), {
      ...connectionOf(link),
      ...keepOf(kind),
      concurrency,
      lockDuration,
      // ours: BullMQ's goes by the job's name, and forgets to renew one that comes again while its first try hangs
      skipLockRenewal: true,
      stalledInterval: Math.ceil(lockDuration / 2),
      maxStalledCount: MAX_LOST,
      drainDelay: BLOCK,
      // otherwise BullMQ takes every Redis for an old one, in which waiting for delayed jobs takes whole seconds
      skipVersionCheck: false,
      settings: { backoffStrategy: (failures) => backoffOf(failures, backoff) },
    });
    this.#worker.on("error", (error) => this.#trouble(error));
    this.#renewal = setInterval(() => {
      this.renew();
      if (!this.#worker.isRunning()) this.#go();
    }, lockDuration / 3);
  }

  pause(): void {
    this.#paused = true;
    void this.#worker.pause(true);
  }

  resume(): void {
    this.#paused = false;
    this.#go();
  }

  #go(): void {
    if (!this.#paused && this.#rest === undefined && this.#closing === undefined) void this.#worker.resume();
  }

  async close({ abandon = false }: { readonly abandon?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#worker.close(abandon).catch((error) => this.#trouble(error));
    clearTimeout(this.#rest);
    if (abandon && !this.#abandoned) {
      this.#abandoned = true;
      for (const held of this.#held) this.#lose(held);
    }
    if (!this.#abandoned) {
      while (this.#held.size > 0 && !this.#abandoned) await new Promise<void>((resolve) => this.#waiting.add(resolve));
      // it tells Redis, if that is there
      await within(this.#closing, this.link.settings.timeout);
    }
    clearInterval(this.#renewal);
    this.ended();
  }

  #release(held: Held): void {
    this.#held.delete(held);
    if (this.#held.size > 0 && !this.#abandoned) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Redis refuses something, or a job cannot be read: not again and again without a break. */
  #trouble(error: Error): void {
    const { redis, address, settings } = this.link;
    if (redis.status !== "ready" || this.#closing !== undefined) return;
    settings.onWarning(`${this.kind}: ${reasonOf(error, address)}`);
    if (!isReply(error) || this.#rest !== undefined) return;
    void this.#worker.pause(true);
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#go();
    }, REST);
  }

  /** Renews the leases of all jobs in hand; notices those that are lost. */
  renew(): void {
    if (this.link.redis.status !== "ready") return;
    for (const held of this.#held) {
      if (held.lost || held.ending) continue;
      this.#extend(held).catch(() => {
        // Redis is away: when it is back, it says whose the job is
      });
    }
  }

  async #extend(held: Held): Promise<boolean> {
    const renewed = await held.job.extendLock(held.token, this.link.settings.lockDuration);
    if (!renewed && !held.ending) this.#lose(held);
    return Boolean(renewed);
  }

  #lose(held: Held): void {
    if (held.lost || !this.#held.has(held)) return;
    held.lost = true;
    held.controller.abort(leaseLost(this.kind, held.job.id!));
    if (!this.#abandoned) this.link.settings.onWarning(`${this.kind}: the lease of ${held.job.id} was lost`);
    else this.#release(held);
  }

  /** What BullMQ calls with a job; what this throws tells it what became of the job. */
  async #process(job: Job, token: string): Promise<Json> {
    const held: Held = { job, token, controller: new AbortController(), lost: false, ending: false };
    this.#held.add(held);
    try {
      // it came along with a pause
      if (this.#paused || this.#closing !== undefined) throw new HandBack(0);
      // who had it before may have added children, and died before it waited for them
      if (job.attemptsStarted > 1 && (await job.moveToWaitingChildren(token))) throw new WaitingChildrenError();
      if (held.lost) throw new WaitingError();
      const result = (await this.handler(this.#deliver(held))) ?? null;
      // fails here if it is no JSON, and not halfway through BullMQ
      JSON.stringify(result);
      if (held.lost) throw new WaitingError();
      return result;
    } catch (error) {
      if (held.lost) throw new WaitingError();
      throw await this.#outcome(held, error);
    } finally {
      this.#release(held);
    }
  }

  #deliver(held: Held): Delivery {
    const { job } = held;
    const { processedOn = 0 } = job;
    return {
      kind: this.kind,
      id: job.id!,
      data: job.data,
      priority: job.priority,
      attempt: job.attemptsMade + job.stalledCounter,
      signal: held.controller.signal,
      waited: Math.max(0, processedOn - (readySince(this.kind, job) ?? processedOn)),
      progress: async (progress) => {
        if (!held.lost && this.#held.has(held)) await job.updateProgress(progress as object).catch(() => {});
      },
      children: async () => {
        const [results = {}, failures = {}] = await Promise.all([
          job.getChildrenValues(),
          job.getIgnoredChildrenFailures(),
        ]);
        return {
          results: new Map(Object.entries(results).map(([key, value]) => [nameIn(key), value])),
          failures: new Map(Object.entries(failures).map(([key, text]) => [nameIn(key), decodeFailure(text)])),
        };
      },
    };
  }

  /** Does what a handler asks for by an error. Returns what says so to BullMQ, which does nothing more to the job then. */
  async #outcome(held: Held, error: unknown): Promise<Error> {
    const { job, token } = held;
    try {
      if (error instanceof WaitingChildrenError) return error;
      if (error instanceof HandBack) {
        held.ending = true;
        await job.moveToDelayed(Date.now() + Math.ceil(error.delay), token);
        return new DelayedError();
      }
      if (error instanceof MoreChildren) return await this.#waitForMore(held, error);
    } catch (refused) {
      // children that cannot be
      if (refused instanceof NetworkError) return failed({ ...thrown(refused), retryable: false });
      if (!isRefusal(refused)) return failed(thrown(refused));
      // the lease was lost in the meantime
      this.#lose(held);
      return new WaitingError();
    }
    return failed(thrown(error));
  }

  /**
   * Children first, then the data which says what they are for, then it waits: whoever gets the job after a crash in between
   * waits for the children that there are, and finds that the same ones are needed.
   */
  async #waitForMore(held: Held, { children, data }: MoreChildren): Promise<Error> {
    const { job, token } = held;
    const { link, kind } = this;
    checkFamily({ kind, id: job.id!, data, priority: job.priority, attempts: 1 }, children);
    if (!(await this.#extend(held))) return new WaitingError();
    const { processed = {}, ignored = {}, unprocessed = [] } = await job.getDependencies();
    const known = new Set([...Object.keys(processed), ...Object.keys(ignored), ...unprocessed]);
    const more = children.filter((child) => !known.has(link.lines[child.kind].toKey(child.id)));
    await claim(link, kind, job.id!, more);
    const parent = { id: job.id!, queue: job.queueQualifiedName };
    if (more.length > 0) await link.flows.addBulk(more.map((child) => childOf(child, parent)));
    await job.updateData(data ?? null);
    held.ending = true;
    if (await job.moveToWaitingChildren(token)) return new WaitingChildrenError();
    // all of them have ended
    await job.moveToDelayed(Date.now(), token);
    return new DelayedError();
  }
}
