/**
 * A queue inside one process: what a coordinator without Redis works with, and tests. Nothing survives the process.
 *
 * @module
 */

import { JOB_KINDS, type JobKind } from "./jobs.js";
import {
  type Consumer,
  type Delivery,
  HandBack,
  type Handler,
  type JobFailure,
  type JobSpec,
  type JobState,
  type JobStatus,
  type Json,
  MoreChildren,
  type NetworkDescription,
  type Queue,
  type QueueCounts,
  type QueueEvent,
  type WorkerDescription,
} from "./queue.js";
import {
  BACKOFF,
  backoffOf,
  checkConcurrency,
  checkFamily,
  closedError,
  foreignChild,
  leaseLost,
  lostFailure,
  MAX_LOST,
  thrown,
} from "./queue-common.js";

/** Options of {@link MemoryQueue}. */
export interface MemoryQueueOptions {
  /** Milliseconds before a second attempt, default 500; doubled for each one after it. */
  readonly backoff?: number | undefined;
  /** How many completed and how many failed jobs of each kind are remembered, default 10,000. */
  readonly keep?: number | undefined;
}

/** A job's time in the hands of a handler. */
interface Lease {
  readonly job: Job;
  readonly controller: AbortController;
}

/** A job. */
interface Job {
  readonly kind: JobKind;
  readonly id: string;
  readonly priority: number;
  readonly attempts: number;
  /** JSON: nobody changes it behind the queue's back. */
  data: string;
  state: JobState | "removed";
  /** Where it stands among jobs of its priority. */
  order: number;
  /** Tells its present place in the line from older ones. */
  ticket: number;
  failures: number;
  lost: number;
  readySince: number;
  activeSince: number;
  result: string | undefined;
  failure: JobFailure | undefined;
  lease: Lease | undefined;
  timer: NodeJS.Timeout | undefined;
  parent: Job | undefined;
  /** Children that have not ended. */
  readonly pending: Set<Job>;
  readonly results: Map<string, string>;
  readonly losses: Map<string, JobFailure>;
}

interface Place {
  readonly job: Job;
  readonly ticket: number;
  readonly priority: number;
  readonly order: number;
}

const before = (a: Place, b: Place): boolean =>
  a.priority < b.priority || (a.priority === b.priority && a.order < b.order);

/** Jobs that wait, the next one first: a heap, in which jobs that are gone stay until they come up. */
class Line {
  readonly #heap: Place[] = [];

  push(job: Job): void {
    const heap = this.#heap;
    const place = { job, ticket: ++job.ticket, priority: job.priority, order: job.order };
    let i = heap.push(place) - 1;
    while (i > 0) {
      const above = (i - 1) >> 1;
      if (!before(place, heap[above]!)) break;
      heap[i] = heap[above]!;
      i = above;
    }
    heap[i] = place;
  }

  first(): Job | undefined {
    for (;;) {
      const place = this.#heap[0];
      if (place === undefined) return undefined;
      if (place.job.state === "waiting" && place.job.ticket === place.ticket) return place.job;
      this.#drop();
    }
  }

  shift(): Job | undefined {
    const job = this.first();
    if (job !== undefined) this.#drop();
    return job;
  }

  #drop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let below = 2 * i + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below++;
      if (!before(heap[below]!, last)) break;
      heap[i] = heap[below]!;
      i = below;
    }
    heap[i] = last;
  }
}

/** Everything of one kind. */
interface Lane {
  readonly jobs: Map<string, Job>;
  readonly line: Line;
  /** In the order in which they ended. */
  readonly ended: { readonly completed: Map<string, Job>; readonly failed: Map<string, Job> };
  /** Those that had one last stand last. */
  consumers: MemoryConsumer[];
  /** Whether somebody will look for work soon. */
  scheduled: NodeJS.Immediate | undefined;
}

/** What a handler made of a job. */
type Outcome =
  | { readonly type: "completed"; readonly result: string }
  | { readonly type: "failed"; readonly failure: JobFailure }
  | { readonly type: "back"; readonly delay: number }
  | { readonly type: "more"; readonly children: readonly JobSpec[]; readonly data: Json };

async function outcomeOf(handler: Handler, delivery: Delivery): Promise<Outcome> {
  try {
    const result = JSON.stringify((await handler(delivery)) ?? null);
    return { type: "completed", result };
  } catch (error) {
    if (error instanceof HandBack) return { type: "back", delay: error.delay };
    if (error instanceof MoreChildren) return { type: "more", children: error.children, data: error.data };
    return { type: "failed", failure: thrown(error) };
  }
}

class MemoryConsumer implements Consumer {
  readonly leases = new Set<Lease>();
  readonly #running = new Set<Promise<void>>();
  #paused = false;
  #closed = false;

  constructor(
    readonly handler: Handler,
    private readonly concurrency: number,
    private readonly changed: (consumer: MemoryConsumer) => void,
    private readonly lose: (lease: Lease) => void,
  ) {}

  get free(): boolean {
    return !this.#paused && !this.#closed && this.#running.size < this.concurrency;
  }

  get closed(): boolean {
    return this.#closed;
  }

  begin(lease: Lease, work: Promise<void>): void {
    this.leases.add(lease);
    const running = work.finally(() => {
      this.leases.delete(lease);
      this.#running.delete(running);
      this.changed(this);
    });
    this.#running.add(running);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.changed(this);
  }

  async close({ abandon = false }: { readonly abandon?: boolean } = {}): Promise<void> {
    this.#closed = true;
    this.changed(this);
    // in one process nobody has to wait for a lease to run out
    if (abandon) for (const lease of [...this.leases]) this.lose(lease);
    else await Promise.all(this.#running);
  }
}

/** See the module. */
export class MemoryQueue implements Queue {
  readonly name = "in this process";
  readonly #backoff: number;
  readonly #keep: number;
  readonly #lanes: Readonly<Record<JobKind, Lane>>;
  readonly #listeners = new Set<(event: QueueEvent) => void>();
  readonly #workers = new Map<string, { readonly worker: WorkerDescription; readonly until: number }>();
  readonly #bans = new Map<string, string>();
  #network: NetworkDescription | undefined;
  #order = 0;
  #closed = false;

  constructor({ backoff = BACKOFF, keep = 10_000 }: MemoryQueueOptions = {}) {
    this.#backoff = backoff;
    this.#keep = keep;
    const lane = (): Lane => ({
      jobs: new Map(),
      line: new Line(),
      ended: { completed: new Map(), failed: new Map() },
      consumers: [],
      scheduled: undefined,
    });
    this.#lanes = Object.fromEntries(JOB_KINDS.map((kind) => [kind, lane()])) as unknown as Record<JobKind, Lane>;
  }

  #open(): void {
    if (this.#closed) throw closedError(this.name);
  }

  async add(spec: JobSpec, children: readonly JobSpec[] = []): Promise<void> {
    this.#open();
    checkFamily(spec, children);
    if (this.#lanes[spec.kind].jobs.has(spec.id)) return;
    const job = this.#make(spec);
    this.#attach(job, children);
    this.#lanes[job.kind].jobs.set(job.id, job);
    this.#settle(job);
  }

  #make({ kind, id, data, priority, attempts }: JobSpec): Job {
    return {
      kind,
      id,
      priority,
      attempts,
      data: JSON.stringify(data ?? null),
      state: "waiting-children",
      order: 0,
      ticket: 0,
      failures: 0,
      lost: 0,
      readySince: 0,
      activeSince: 0,
      result: undefined,
      failure: undefined,
      lease: undefined,
      timer: undefined,
      parent: undefined,
      pending: new Set(),
      results: new Map(),
      losses: new Map(),
    };
  }

  /** Gives a job children, all or none. Those that are there already are not added again. */
  #attach(parent: Job, children: readonly JobSpec[]): void {
    const unended = (job: Job) => job.state !== "completed" && job.state !== "failed";
    for (const { kind, id } of children) {
      const child = this.#lanes[kind].jobs.get(id);
      const other = child?.parent;
      if (child === undefined || other === undefined || other === parent || !unended(child)) continue;
      if (other.state !== "removed") throw foreignChild(id);
    }
    for (const spec of children) {
      const { jobs } = this.#lanes[spec.kind];
      let child = jobs.get(spec.id);
      if (child === undefined) {
        // one that ended so long ago that only its parent remembers it
        if (parent.results.has(spec.id) || parent.losses.has(spec.id)) continue;
        child = this.#make(spec);
        jobs.set(child.id, child);
        this.#ready(child);
      }
      if (child.state === "completed") parent.results.set(child.id, child.result!);
      else if (child.state === "failed") parent.losses.set(child.id, child.failure!);
      else {
        child.parent = parent;
        parent.pending.add(child);
      }
    }
  }

  /** A job that waits for children, if it has any to wait for. */
  #settle(job: Job): void {
    if (job.pending.size > 0) job.state = "waiting-children";
    else this.#ready(job);
  }

  /** @param again it keeps its place: as if it had not been taken. */
  #ready(job: Job, again = false): void {
    job.state = "waiting";
    job.readySince = Date.now();
    if (!again) job.order = ++this.#order;
    this.#lanes[job.kind].line.push(job);
    this.#schedule(job.kind);
  }

  #later(job: Job, delay: number): void {
    job.state = "delayed";
    job.timer = setTimeout(() => {
      job.timer = undefined;
      this.#ready(job);
    }, delay);
  }

  /** Handlers begin outside of whatever made them possible. */
  #schedule(kind: JobKind): void {
    const lane = this.#lanes[kind];
    if (this.#closed || lane.scheduled !== undefined) return;
    lane.scheduled = setImmediate(() => {
      lane.scheduled = undefined;
      for (;;) {
        const consumer = lane.consumers.find(({ free }) => free);
        const job = consumer === undefined ? undefined : lane.line.shift();
        if (consumer === undefined || job === undefined) return;
        lane.consumers = [...lane.consumers.filter((other) => other !== consumer), consumer];
        this.#deliver(job, consumer);
      }
    });
  }

  #deliver(job: Job, consumer: MemoryConsumer): void {
    const { kind, id, priority } = job;
    const lease: Lease = { job, controller: new AbortController() };
    const now = Date.now();
    job.state = "active";
    job.lease = lease;
    job.activeSince = now;
    this.#emit({ type: "active", kind, id });
    const delivery: Delivery = {
      kind,
      id,
      data: JSON.parse(job.data),
      priority,
      attempt: job.failures + job.lost,
      signal: lease.controller.signal,
      waited: now - job.readySince,
      progress: async (progress) => {
        if (job.lease === lease) this.#emit({ type: "progress", kind, id, progress });
      },
      children: async () => ({
        results: new Map([...job.results].map(([child, result]) => [child, JSON.parse(result)])),
        failures: new Map(job.losses),
      }),
    };
    const work = async () => this.#end(lease, await outcomeOf(consumer.handler, delivery));
    consumer.begin(lease, work());
  }

  #end(lease: Lease, outcome: Outcome): void {
    const { job } = lease;
    // somebody else has the job now, or nobody wants it
    if (job.lease !== lease) return;
    if (outcome.type === "completed") {
      job.lease = undefined;
      job.result = outcome.result;
      this.#finish(job, "completed");
    } else if (outcome.type === "back") {
      job.lease = undefined;
      if (outcome.delay > 0) this.#later(job, outcome.delay);
      else this.#ready(job, true);
    } else if (outcome.type === "more") {
      this.#extend(job, outcome.children, outcome.data);
    } else {
      this.#fail(job, outcome.failure);
    }
  }

  #extend(job: Job, children: readonly JobSpec[], data: Json): void {
    try {
      checkFamily({ ...job, data: null }, children);
      this.#attach(job, children);
    } catch (error) {
      this.#fail(job, { ...thrown(error), retryable: false });
      return;
    }
    job.lease = undefined;
    job.data = JSON.stringify(data ?? null);
    job.failures = 0;
    job.lost = 0;
    job.failure = undefined;
    this.#settle(job);
  }

  #fail(job: Job, failure: JobFailure): void {
    job.lease = undefined;
    job.failures++;
    job.failure = failure;
    if (failure.retryable && job.failures < job.attempts) this.#later(job, backoffOf(job.failures, this.#backoff));
    else this.#finish(job, "failed");
  }

  /** Takes a lease away, and gives the job to somebody else. */
  #lose(lease: Lease): void {
    const { job } = lease;
    if (job.lease !== lease) return;
    job.lease = undefined;
    job.lost++;
    this.#emit({ type: "stalled", kind: job.kind, id: job.id });
    if (job.lost > MAX_LOST) {
      job.failure = lostFailure();
      this.#finish(job, "failed");
    } else {
      this.#ready(job, true);
    }
    lease.controller.abort(leaseLost(job.kind, job.id));
  }

  #finish(job: Job, state: "completed" | "failed"): void {
    const { kind, id } = job;
    const lane = this.#lanes[kind];
    job.state = state;
    const ended = lane.ended[state];
    ended.set(id, job);
    const oldest = ended.size > this.#keep ? ended.keys().next().value : undefined;
    if (oldest !== undefined) {
      ended.delete(oldest);
      lane.jobs.delete(oldest);
    }
    // those who asked have read them
    job.results.clear();
    job.losses.clear();
    const { parent } = job;
    if (parent?.pending.delete(job)) {
      if (state === "completed") parent.results.set(id, job.result!);
      else parent.losses.set(id, job.failure!);
      if (parent.state === "waiting-children" && parent.pending.size === 0) this.#ready(parent);
    }
    job.parent = undefined;
    if (state === "completed") this.#emit({ type: "completed", kind, id });
    else this.#emit({ type: "failed", kind, id, failure: job.failure! });
  }

  #emit(event: QueueEvent): void {
    for (const listener of this.#listeners) {
      // what a listener throws is its own affair, not that of the job
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(event);
      });
    }
  }

  async status(kind: JobKind, id: string): Promise<JobStatus | undefined> {
    this.#open();
    const job = this.#lanes[kind].jobs.get(id);
    return job && this.#statusOf(job);
  }

  #statusOf({ kind, id, state, failures, lost, result, failure, activeSince }: Job): JobStatus {
    return {
      kind,
      id,
      // those that were removed are in no table
      state: state as JobState,
      failures: failures + lost,
      result: result === undefined ? undefined : JSON.parse(result),
      failure,
      activeSince: state === "active" ? activeSince : undefined,
    };
  }

  async remove(jobs: readonly { readonly kind: JobKind; readonly id: string }[]): Promise<void> {
    this.#open();
    const found = jobs.flatMap(({ kind, id }) => this.#lanes[kind].jobs.get(id) ?? []);
    // first of all, so that no parent begins because its children go
    for (const job of found) {
      clearTimeout(job.timer);
      job.state = "removed";
      const lane = this.#lanes[job.kind];
      lane.jobs.delete(job.id);
      lane.ended.completed.delete(job.id);
      lane.ended.failed.delete(job.id);
    }
    for (const job of found) {
      const { lease, parent } = job;
      job.lease = undefined;
      lease?.controller.abort(leaseLost(job.kind, job.id));
      if (!parent?.pending.delete(job)) continue;
      if (parent.state === "waiting-children" && parent.pending.size === 0) this.#ready(parent);
    }
  }

  async expire(kind: JobKind, id: string): Promise<void> {
    this.#open();
    const lease = this.#lanes[kind].jobs.get(id)?.lease;
    if (lease !== undefined) this.#lose(lease);
  }

  consume(kind: JobKind, handler: Handler, { concurrency }: { readonly concurrency: number }): Consumer {
    this.#open();
    checkConcurrency(concurrency);
    const lane = this.#lanes[kind];
    const changed = (consumer: MemoryConsumer) => {
      if (consumer.closed) lane.consumers = lane.consumers.filter((other) => other !== consumer);
      this.#schedule(kind);
    };
    const consumer = new MemoryConsumer(handler, concurrency, changed, (lease) => this.#lose(lease));
    lane.consumers = [...lane.consumers, consumer];
    this.#schedule(kind);
    return consumer;
  }

  follow(listener: (event: QueueEvent) => void): () => void {
    this.#open();
    // two that follow with the same function are still two
    const own = (event: QueueEvent) => listener(event);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  async counts(kind: JobKind): Promise<QueueCounts> {
    this.#open();
    const { jobs, line } = this.#lanes[kind];
    const count = { waiting: 0, active: 0, delayed: 0, "waiting-children": 0, completed: 0, failed: 0, removed: 0 };
    for (const { state } of jobs.values()) count[state]++;
    const first = line.first();
    return {
      waiting: count.waiting,
      active: count.active,
      delayed: count.delayed,
      waitingChildren: count["waiting-children"],
      completed: count.completed,
      failed: count.failed,
      oldestWaiting: first === undefined ? 0 : Date.now() - first.readySince,
    };
  }

  async failed(kind: JobKind, limit: number): Promise<readonly JobStatus[]> {
    this.#open();
    const jobs = [...this.#lanes[kind].ended.failed.values()].reverse();
    return jobs.slice(0, limit).map((job) => this.#statusOf(job));
  }

  async describe(network: NetworkDescription): Promise<void> {
    this.#open();
    this.#network = network;
  }

  async description(): Promise<NetworkDescription | undefined> {
    this.#open();
    return this.#network;
  }

  async announce(worker: WorkerDescription, ttl: number): Promise<void> {
    this.#open();
    this.#workers.set(worker.id, { worker, until: Date.now() + ttl });
  }

  async withdraw(worker: string): Promise<void> {
    this.#open();
    this.#workers.delete(worker);
  }

  async workers(): Promise<readonly WorkerDescription[]> {
    this.#open();
    const now = Date.now();
    for (const [id, { until }] of this.#workers) if (until <= now) this.#workers.delete(id);
    return [...this.#workers.values()].map(({ worker }) => worker);
  }

  async ban(worker: string, reason: string): Promise<void> {
    this.#open();
    this.#bans.set(worker, reason);
  }

  async banned(worker: string): Promise<string | undefined> {
    this.#open();
    return this.#bans.get(worker);
  }

  async ping(): Promise<void> {
    this.#open();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const lane of Object.values(this.#lanes)) {
      clearImmediate(lane.scheduled);
      for (const { timer } of lane.jobs.values()) clearTimeout(timer);
      await Promise.all(lane.consumers.map((consumer) => consumer.close({ abandon: true })));
    }
    this.#listeners.clear();
  }
}
