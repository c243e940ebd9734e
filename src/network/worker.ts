/**
 * A worker: takes jobs from the queue, as many as it has lanes and memory for, and has them done by handlers. It computes
 * nothing itself, so that whatever the lanes are busy with, it goes on saying that it is there.
 *
 * It ends by itself when it does not fit the network, was banned, or is at fault (see {@link WorkerUnfit}). What it has in
 * hand then, and what is not done at the end of {@link WorkerService.drain}, goes back to the queue as if nobody had taken it.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { ChunkproofError } from "../errors.js";
import { unlessAborted } from "../prover/concurrency.js";
import { NetworkError } from "./errors.js";
import { JOB_KINDS, type JobKind, readData } from "./jobs.js";
import {
  type Consumer,
  type Delivery,
  failureOf,
  HandBack,
  JobError,
  type JobFailure,
  type Json,
  MoreChildren,
  type NetworkDescription,
  type Queue,
  type WorkerDescription,
} from "./queue.js";
import type { Demand, Lease, Slots } from "./slots.js";

/** Attempts at a job by the usual backend; those after them are made by another one, which needs a key of its own. */
export const USUAL_ATTEMPTS = 2;

/**
 * Thrown by a handler: it is this worker's fault that it cannot do the job, others may. The job goes back, and the worker
 * ends with the cause; if that passes, as a full disk does, it only takes no jobs meanwhile.
 */
export class WorkerUnfit extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = "WorkerUnfit";
  }
}

/** Does a job in a lane, where nothing else is done meanwhile. */
export type LaneHandler<L> = (delivery: Delivery, lane: L) => Promise<Json>;

/** What a worker needs of a log; pino's has it. */
export interface WorkerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * How a job ended here: `retried`: it is tried again, or waits for more children; `lost`: its lease was; `handed_back`: as if
 * it had not been taken.
 */
export type JobOutcome = "completed" | "retried" | "failed" | "lost" | "handed_back";

/** What happens in a worker. */
export type WorkerEvent =
  | {
      readonly type: "begun";
      readonly kind: JobKind;
      readonly id: string;
      readonly lane: number;
      /** Milliseconds from its being ready to its delivery. */
      readonly waited: number;
    }
  | {
      readonly type: "ended";
      readonly kind: JobKind;
      readonly id: string;
      readonly lane: number;
      readonly outcome: JobOutcome;
      /** Milliseconds since it was begun. */
      readonly ms: number;
      /** As its result says. */
      readonly backend?: string | undefined;
      /** Of its failure. */
      readonly code?: string | undefined;
    }
  /** Given back before it was begun. */
  | { readonly type: "refused"; readonly kind: JobKind; readonly id: string; readonly why: "busy" | "memory" }
  | { readonly type: "ready"; readonly ready: boolean; readonly reasons: readonly string[] };

/** Options of {@link WorkerService}. */
export interface WorkerOptions<L> {
  readonly queue: Queue;
  readonly handlers: Readonly<Record<JobKind, LaneHandler<L>>>;
  /** As many as `identity.concurrency` and as the slots have. */
  readonly lanes: readonly L[];
  readonly slots: Slots;
  /** Its `kinds` are those that are taken. */
  readonly identity: WorkerDescription;
  /** Milliseconds that jobs in hand have to end in {@link WorkerService.drain}. */
  readonly drainMs: number;
  /** Milliseconds between announcements; after three of them without one, it counts as gone. */
  readonly heartbeatMs: number;
  /** Milliseconds that a job may take. */
  readonly jobTimeoutMs: number;
  /** Whether what failed, store or disk, works again: rejects if not. Default: it does after a while. */
  readonly probe?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** First wait before `probe`, milliseconds; doubled up to 30 times as long. Default 1000. */
  readonly backoffMs?: number | undefined;
  readonly onEvent?: ((event: WorkerEvent) => void) | undefined;
  readonly log: WorkerLog;
}

/** A job in hand. */
export interface ActiveJob {
  readonly kind: JobKind;
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** How a worker is. */
export interface WorkerStatus {
  /** Takes jobs, when it has room. */
  readonly ready: boolean;
  /** Why not. */
  readonly reasons: readonly string[];
  readonly active: readonly ActiveJob[];
  /** Jobs since it began. */
  readonly done: number;
  /** For good or for now. */
  readonly failed: number;
  readonly handedBack: number;
}

/** Milliseconds between looks for a coordinator. */
const RETRY = 1000;
/** Milliseconds that a kind waits for those later in the pipeline when a lane is free again. */
const GRACE = 5;
/** Milliseconds before anybody gets a job again that did not fit here. */
const HELD_BACK = 500;
/** Milliseconds without looking at jobs of a kind after one that did not fit. */
const COOL = 100;
/** Longest that a queue may take to answer, and to close. */
const ANSWER = 10_000;
/** Jobs in a row whose results fail this worker's own check, until it counts as broken. */
const MAX_SUSPECT = 3;
/** Longest wait before a probe, in first waits. */
const MAX_BACKOFF = 30;

/** What passes by itself, or when somebody makes room. */
const PASSES: ReadonlySet<string> = new Set(["STORE_FULL", "STORE_UNAVAILABLE", "QUEUE_UNAVAILABLE"]);
/** What a queue says that it will not take back. */
const FINAL = /^(NETWORK_|QUEUE_CLOSED$|QUEUE_UNSAFE$)/;

/** Later in the pipeline goes first: what is begun is to end. */
const ORDER: readonly JobKind[] = [...JOB_KINDS].reverse();

const codeOf = (error: unknown): string | undefined =>
  error instanceof JobError ? error.failure.code : error instanceof ChunkproofError ? error.code : undefined;
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Ends early, without an error, when the signal aborts. */
const sleep = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal }).catch(() => {});

/** A promise that may fail when nobody waits for it any more. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

/** A kind's consumer. */
interface Tap {
  readonly kind: JobKind;
  readonly consumer: Consumer;
  paused: boolean;
  /** No jobs before then. */
  until: number;
}

interface Job extends ActiveJob {
  giveUp(): void;
}

/** What a job is aborted with when its worker ends. */
class GivenUp extends Error {}

/** The part of a version that must be the same. */
const series = (version: string): string => /^\d+\.\d+(?=\.|$)/.exec(version)?.[0] ?? version;

/** What a job needs. @throws NetworkError `JOB_MALFORMED` */
function demandOf({ kind, data, attempt }: Delivery): Demand {
  switch (kind) {
    case "plan":
      readData(kind, data);
      return { kind, layouts: [] };
    case "commit":
    case "prove":
      return { kind, layouts: [readData(kind, data).layout], alternate: attempt >= USUAL_ATTEMPTS };
    case "challenge":
    case "assemble": {
      const chunks: readonly { readonly layout: number }[] = readData(kind, data).chunks;
      return { kind, layouts: [...new Set(chunks.map(({ layout }) => layout))] };
    }
  }
}

/** See the module. */
export class WorkerService<L> {
  readonly #options: WorkerOptions<L>;
  readonly #taps: Tap[] = [];
  readonly #active = new Set<Job>();
  /** Why no jobs are taken, by what it is about. */
  readonly #holds = new Map<string, string>();
  /** Jobs in a row whose results failed the check. */
  readonly #suspects = new Set<string>();
  /** Aborted when it begins to end, when what is in hand is given up, when nothing is, and when it is not announced either. */
  readonly #leaving = new AbortController();
  readonly #givingUp = new AbortController();
  readonly #over = new AbortController();
  readonly #ended = new AbortController();
  #failure: { readonly error: unknown } | undefined;
  #idle: (() => void) | undefined;
  /** Before jobs of one more kind may come. */
  #opening: NodeJS.Timeout | undefined;
  #begun = false;
  #probing = false;
  #backoff: number;
  #done = 0;
  #failed = 0;
  #handedBack = 0;
  #reported: string | undefined;

  /** @throws NetworkError `CONFIG_INVALID` */
  constructor(options: WorkerOptions<L>) {
    this.#options = options;
    this.#backoff = options.backoffMs ?? RETRY;
    const { lanes, slots, identity } = options;
    if (lanes.length !== slots.lanes || lanes.length !== identity.concurrency) {
      throw new NetworkError("not one lane for each job", {
        code: "CONFIG_INVALID",
        where: "concurrency",
        expected: String(identity.concurrency),
        got: `${lanes.length} lanes, ${slots.lanes} slots`,
      });
    }
    this.#holds.set("network", "no coordinator has described the network yet");
  }

  /**
   * Works until {@link drain} or {@link stop}, once.
   *
   * @throws NetworkError `NETWORK_VERSION`, `NETWORK_PROTOCOL`, `NETWORK_KEYS`: it does not fit the network; `NETWORK_BANNED`;
   *   `MEMORY_LIMIT`: there are jobs that it can never do; `WORKER_BROKEN`; `QUEUE_CLOSED`, `QUEUE_UNSAFE`; the cause of a
   *   {@link WorkerUnfit}.
   */
  async run(): Promise<void> {
    if (this.#begun) throw new Error("a worker runs once");
    this.#begun = true;
    const { slots, identity } = this.#options;
    try {
      slots.check(identity.kinds);
      this.#report();
      const beating = this.#beat();
      await aborted(this.#leaving.signal);
      await this.#settle();
      this.#over.abort();
      await beating;
    } finally {
      this.#over.abort();
      this.#ended.abort();
      this.#report();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Takes no more jobs; those in hand may end within `drainMs`, and go back then. Resolves when {@link run} has ended. */
  async drain(): Promise<void> {
    this.#leave();
    if (this.#begun) await aborted(this.#ended.signal);
  }

  /** Gives everything back at once. Resolves when {@link run} has ended. */
  async stop(): Promise<void> {
    this.#givingUp.abort();
    await this.drain();
  }

  status(): WorkerStatus {
    const reasons = this.#reasons();
    return {
      ready: reasons.length === 0,
      reasons,
      active: [...this.#active].map(({ kind, id, since }) => ({ kind, id, since })),
      done: this.#done,
      failed: this.#failed,
      handedBack: this.#handedBack,
    };
  }

  // --- being part of the network ---

  /** Says that it is there, and looks whether it still may be. */
  async #beat(): Promise<void> {
    const { queue, identity, heartbeatMs, log } = this.#options;
    log.info({ queue: queue.name }, "looking for the network");
    while (!this.#over.signal.aborted) {
      try {
        const [network, ban] = await this.#ask(() => Promise.all([queue.description(), queue.banned(identity.id)]));
        if (ban !== undefined) {
          throw new NetworkError("this worker's results are not wanted", {
            code: "NETWORK_BANNED",
            where: identity.id,
            got: ban,
          });
        }
        if (network !== undefined) {
          this.#fit(network);
          await this.#ask(() => queue.announce(identity, 3 * heartbeatMs));
        }
        this.#hold("network", network === undefined ? "no coordinator has described the network yet" : undefined);
        this.#hold("queue", undefined);
        if (network !== undefined) this.#consume();
      } catch (error) {
        if (FINAL.test(codeOf(error) ?? "")) this.#fail(error);
        else this.#hold("queue", `the queue does not answer: ${messageOf(error)}`);
      }
      const well = !this.#holds.has("network") && !this.#holds.has("queue");
      await sleep(well ? heartbeatMs : Math.min(RETRY, heartbeatMs), this.#over.signal);
    }
    // after the last announcement, or it would be there again
    await this.#within(() => queue.withdraw(identity.id));
  }

  /** @throws NetworkError `NETWORK_VERSION`, `NETWORK_PROTOCOL`, `NETWORK_KEYS` */
  #fit(network: NetworkDescription): void {
    const { identity, queue } = this.#options;
    const same = (code: string, message: string, expected: string, got: string, equal: boolean) => {
      if (!equal) throw new NetworkError(message, { code, where: queue.name, expected, got });
    };
    const { version, protocol, keySet } = network;
    const fits = series(version) === series(identity.version);
    same("NETWORK_VERSION", "the network runs another version", version, identity.version, fits);
    const speaks = protocol === identity.protocol;
    same("NETWORK_PROTOCOL", "the network has another protocol", protocol, identity.protocol, speaks);
    same("NETWORK_KEYS", "the network has other keys", keySet, identity.keySet, keySet === identity.keySet);
  }

  /** An answer of the queue. @throws NetworkError `QUEUE_UNAVAILABLE` if there is none for long, or it is over. */
  async #ask<T>(question: () => Promise<T>, where = this.#options.queue.name): Promise<T> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), ANSWER);
    const over = () => timeout.abort();
    this.#over.signal.addEventListener("abort", over, { once: true });
    if (this.#over.signal.aborted) over();
    try {
      return await unlessAborted(heard(question()), timeout.signal);
    } catch (error) {
      if (error !== timeout.signal.reason) throw error;
      throw new NetworkError("no answer", { code: "QUEUE_UNAVAILABLE", where, cause: error });
    } finally {
      clearTimeout(timer);
      this.#over.signal.removeEventListener("abort", over);
    }
  }

  /** Does something that may fail, and may not take long. @returns whether it did not. */
  async #within(work: () => Promise<unknown>): Promise<boolean> {
    const timeout = new AbortController();
    try {
      return await Promise.race([
        work().then(
          () => true,
          (error: unknown) => {
            this.#options.log.warn({ err: error }, "could not leave in order");
            return false;
          },
        ),
        sleep(ANSWER, timeout.signal).then(() => false),
      ]);
    } finally {
      timeout.abort();
    }
  }

  // --- taking jobs ---

  #consume(): void {
    if (this.#taps.length > 0 || this.#leaving.signal.aborted) return;
    const { queue, identity, lanes } = this.#options;
    for (const kind of ORDER) {
      if (!identity.kinds.includes(kind)) continue;
      const consumer = queue.consume(kind, (delivery) => this.#take(delivery), { concurrency: lanes.length });
      consumer.pause();
      this.#taps.push({ kind, consumer, paused: true, until: 0 });
    }
    this.#regulate();
  }

  /** Lets jobs come while there is room for them. */
  #regulate(): void {
    if (this.#isOpen()) {
      this.#opening ??= setTimeout(() => this.#openNext(), 0);
    } else {
      clearTimeout(this.#opening);
      this.#opening = undefined;
      for (const tap of this.#taps) this.#close(tap);
    }
    this.#report();
  }

  /** Lets jobs of one more kind come. One kind after the other, so that those that go first can take what is free. */
  #openNext(): void {
    this.#opening = undefined;
    const now = Date.now();
    const shut = this.#taps.filter(({ paused }) => paused);
    const tap = shut.find(({ until }) => until <= now);
    if (tap !== undefined) {
      tap.paused = false;
      tap.consumer.resume();
    }
    const rest = shut.filter((other) => other !== tap).map(({ until }) => until - now);
    if (rest.length > 0) this.#opening = setTimeout(() => this.#openNext(), Math.max(GRACE, Math.min(...rest)));
  }

  #close(tap: Tap): void {
    if (!tap.paused) tap.consumer.pause();
    tap.paused = true;
  }

  #isOpen(): boolean {
    return !this.#leaving.signal.aborted && this.#holds.size === 0 && this.#options.slots.free > 0;
  }

  async #take(delivery: Delivery): Promise<Json> {
    const { slots, identity, log } = this.#options;
    const { kind, id } = delivery;
    if (!this.#isOpen()) {
      // before it is given back, or it would come again at once
      this.#regulate();
      throw this.#refuse(delivery, "busy", 0);
    }
    let lease: Lease | undefined;
    try {
      lease = slots.take(demandOf(delivery));
    } catch (error) {
      log.warn({ job: id, kind, err: error }, "cannot take a job");
      throw new JobError(failureOf(error, codeOf(error) === "MEMORY_LIMIT", { worker: identity.id }), { cause: error });
    }
    if (lease === undefined) {
      this.#cool(kind);
      throw this.#refuse(delivery, "memory", HELD_BACK);
    }
    return this.#work(delivery, lease);
  }

  #refuse({ kind, id }: Delivery, why: "busy" | "memory", delay: number): HandBack {
    this.#handedBack++;
    const { log, slots } = this.#options;
    if (why === "memory") log.debug({ job: id, kind, why: slots.refusal }, "no memory for a job now");
    this.#emit({ type: "refused", kind, id, why });
    return new HandBack(delay);
  }

  /** A kind waits until there may be memory again. */
  #cool(kind: JobKind): void {
    const tap = this.#taps.find((other) => other.kind === kind)!;
    tap.until = Date.now() + COOL;
    this.#close(tap);
    this.#regulate();
  }

  async #work(delivery: Delivery, lease: Lease): Promise<Json> {
    const { handlers, lanes, identity, jobTimeoutMs, log } = this.#options;
    const { kind, id, waited } = delivery;
    const { lane } = lease;
    const controller = new AbortController();
    const { signal } = controller;
    const timeout = new NetworkError("took longer than a job may", {
      code: "JOB_TIMEOUT",
      where: `${kind} ${id}`,
      expected: `at most ${jobTimeoutMs} ms`,
    });
    const lost = () => controller.abort(delivery.signal.reason);
    delivery.signal.addEventListener("abort", lost, { once: true });
    if (delivery.signal.aborted) lost();
    const timer = setTimeout(() => controller.abort(timeout), jobTimeoutMs);
    const job: Job = { kind, id, since: Date.now(), giveUp: () => controller.abort(new GivenUp()) };
    this.#active.add(job);
    const started = performance.now();
    this.#emit({ type: "begun", kind, id, lane, waited });
    this.#regulate();
    const own: Delivery = {
      kind,
      id,
      data: delivery.data,
      priority: delivery.priority,
      attempt: delivery.attempt,
      waited,
      signal,
      progress: (progress) => delivery.progress(progress),
      children: () => delivery.children(),
    };
    let outcome: JobOutcome = "failed";
    let code: string | undefined;
    let backend: string | undefined;
    try {
      const result = await unlessAborted(heard(this.#inLane(handlers[kind], own, lease, lanes[lane]!)), signal);
      const fields = result as { readonly backend?: unknown; readonly proof?: unknown } | null;
      if (typeof fields?.backend === "string") backend = fields.backend;
      if (kind === "prove" && typeof fields?.proof === "string") this.#suspects.clear();
      this.#backoff = this.#options.backoffMs ?? RETRY;
      outcome = "completed";
      return result;
    } catch (error) {
      const reason: unknown = signal.aborted ? signal.reason : undefined;
      code = codeOf(error);
      if (reason instanceof GivenUp) {
        outcome = "handed_back";
        throw new HandBack(0);
      }
      if (reason !== undefined && reason !== timeout) {
        outcome = "lost";
        throw error;
      }
      if (reason === undefined && error instanceof HandBack) {
        outcome = "handed_back";
        throw error;
      }
      if (reason === undefined && error instanceof MoreChildren) {
        outcome = "retried";
        throw error;
      }
      if (reason === undefined && error instanceof WorkerUnfit) {
        outcome = "handed_back";
        code = codeOf(error.cause);
        this.#unfit(error.cause);
        throw new HandBack(0);
      }
      const failure = failureOf(reason ?? error, true, { worker: identity.id });
      code = failure.code;
      if (this.#suspect(id, failure)) {
        outcome = "handed_back";
        throw new HandBack(0);
      }
      outcome = failure.retryable ? "retried" : "failed";
      log.warn({ job: id, kind, code, err: error }, "a job failed");
      throw new JobError(failure, { cause: error });
    } finally {
      clearTimeout(timer);
      delivery.signal.removeEventListener("abort", lost);
      if (outcome === "completed") this.#done++;
      else if (outcome === "handed_back") this.#handedBack++;
      else if (code !== undefined && outcome !== "lost") this.#failed++;
      const ms = Math.round(performance.now() - started);
      log.debug({ job: id, kind, outcome, ms }, "a job ended");
      this.#emit({ type: "ended", kind, id, lane, outcome, ms, backend, code });
      this.#active.delete(job);
      if (this.#active.size === 0) this.#idle?.();
      this.#report();
    }
  }

  /** Has a job done; whether or not anybody waits for it any more, its lane is free only when it has ended. */
  async #inLane(handler: LaneHandler<L>, delivery: Delivery, lease: Lease, lane: L): Promise<Json> {
    let gone = false;
    try {
      await unlessAborted(lease.ready, delivery.signal);
      return await handler(delivery, lane);
    } catch (error) {
      gone = codeOf(error) === "EXECUTOR_LOST";
      throw error;
    } finally {
      const { slots } = this.#options;
      lease.release();
      if (gone) slots.forget(lease.lane);
      // what did not fit may fit now
      for (const tap of this.#taps) tap.until = 0;
      clearTimeout(this.#opening);
      this.#opening = undefined;
      // when the job itself has ended: the queue is to hear of it first
      setImmediate(() => this.#regulate());
    }
  }

  // --- its own faults ---

  /** Whether this is the last of too many results in a row that are wrong. */
  #suspect(id: string, { code, message }: JobFailure): boolean {
    if (code !== "WITNESS_UNSATISFIED") return false;
    // the same job again says more about the job
    this.#suspects.add(id);
    if (this.#suspects.size < MAX_SUSPECT) return false;
    this.#fail(
      new NetworkError(`proofs made here fail their own check, ${MAX_SUSPECT} in a row: ${message}`, {
        code: "WORKER_BROKEN",
        where: this.#options.identity.id,
      }),
    );
    return true;
  }

  #unfit(cause: unknown): void {
    if (PASSES.has(codeOf(cause) ?? "")) {
      this.#hold("fault", messageOf(cause));
      if (!this.#probing) void this.#recover();
    } else {
      this.#fail(cause);
    }
  }

  /** Takes no jobs until what failed works again. */
  async #recover(): Promise<void> {
    const { backoffMs = RETRY, probe, log } = this.#options;
    const { signal } = this.#leaving;
    this.#probing = true;
    while (!signal.aborted) {
      await sleep(this.#backoff, signal);
      // it begins anew only when a job was completed: a probe may see less than jobs do
      this.#backoff = Math.min(2 * this.#backoff, MAX_BACKOFF * backoffMs);
      if (signal.aborted) break;
      try {
        if (probe !== undefined) await this.#ask(() => probe(signal), "probe");
        this.#hold("fault", undefined);
        break;
      } catch (error) {
        log.warn({ err: error }, "still no jobs");
        this.#hold("fault", messageOf(error));
      }
    }
    this.#probing = false;
  }

  #hold(about: string, reason: string | undefined): void {
    const had = this.#holds.get(about);
    if (had === reason) return;
    if (reason === undefined) this.#holds.delete(about);
    else this.#holds.set(about, reason);
    this.#regulate();
  }

  // --- ending ---

  #leave(): void {
    if (this.#leaving.signal.aborted) return;
    this.#leaving.abort();
    this.#regulate();
  }

  /** Ends with an error, and gives back what is in hand. */
  #fail(error: unknown): void {
    if (this.#leaving.signal.aborted) return;
    this.#options.log.error({ err: error }, "this worker cannot go on");
    this.#failure = { error };
    this.#givingUp.abort();
    this.#leave();
  }

  async #settle(): Promise<void> {
    const { drainMs, log } = this.#options;
    const { signal } = this.#givingUp;
    if (this.#active.size > 0 && !signal.aborted) {
      log.info({ jobs: this.#active.size, ms: drainMs }, "ending the jobs in hand");
      const rest = new AbortController();
      signal.addEventListener("abort", () => rest.abort(), { once: true });
      this.#idle = () => rest.abort();
      await sleep(drainMs, rest.signal);
    }
    for (const job of this.#active) job.giveUp();
    const closed = await this.#within(() => Promise.all(this.#taps.map(({ consumer }) => consumer.close())));
    if (!closed)
      await this.#within(() => Promise.all(this.#taps.map(({ consumer }) => consumer.close({ abandon: true }))));
  }

  // --- what others see ---

  #reasons(): string[] {
    if (this.#ended.signal.aborted) return ["it has ended"];
    if (this.#leaving.signal.aborted) return ["it is ending"];
    const { slots } = this.#options;
    const reasons = [...this.#holds.values()];
    if (this.#active.size > 0) return reasons;
    if (slots.free === 0) reasons.push("every lane is still at a job that was given up");
    else if (slots.refusal !== undefined) reasons.push(`no memory: ${slots.refusal}`);
    return reasons;
  }

  #report(): void {
    const reasons = this.#reasons();
    const text = reasons.join("; ");
    if (text === this.#reported) return;
    this.#reported = text;
    const { log } = this.#options;
    if (text === "") log.info({}, "takes jobs");
    else log.info({ reasons }, "takes no jobs");
    this.#emit({ type: "ready", ready: reasons.length === 0, reasons });
  }

  #emit(event: WorkerEvent): void {
    try {
      this.#options.onEvent?.(event);
    } catch (error) {
      // no job is to fail because somebody could not count it
      this.#options.log.warn({ err: error }, "an observer failed");
    }
  }
}
