/**
 * The queue of a network: BullMQ's queues in Redis, one for each kind of job, named `<prefix>:<kind>`, where the usual tools
 * for BullMQ show them.
 *
 * BullMQ's engine moves the jobs: who gets one, locks, retries, stalled jobs, what parents wait for, what is kept. The loop
 * around it is ours, because BullMQ's worker does not give back what it fetched while it was paused, renews no lock that ran
 * out while Redis was away, loses a lock's renewal when it gets a job a second time, and keeps the queue busy with a job that
 * is no JSON. What needs several of BullMQ's steps at once is in `queue-scripts.ts`.
 *
 * A process has one connection for everything, one more for each consumer, which waits for jobs, and one while it follows
 * events.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { createRedisBackend, type JobJson, type MinimalJob, type RedisQueueBackend, type WorkerOptions } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";
import { NetworkError } from "./errors.js";
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
  decodeFailure,
  foreignChild,
  isJobId,
  leaseLost,
  MAX_LOST,
  thrown,
} from "./queue-common.js";
import { type Scripts, scriptsOf } from "./queue-scripts.js";
import {
  checkRedis,
  connect,
  connected,
  isReply,
  type RedisAddress,
  reasonOf,
  redisAddress,
  unavailable,
} from "./redis.js";

export { inspectRedis, type RedisReport } from "./redis.js";

/** Milliseconds that a consumer waits at most before it looks for itself: a wake-up may get lost with who got it. */
const BLOCK = 10_000;

/** Options of {@link RedisQueue.open}. */
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
  /** Told of what goes wrong without harm: Redis is away, or back; somebody else's jobs in our queues. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

type Settings = { readonly [name in keyof RedisQueueOptions]-?: NonNullable<RedisQueueOptions[name]> };

const DEFAULTS: Settings = {
  prefix: "chunkproof",
  lockDuration: 30_000,
  backoff: BACKOFF,
  timeout: 10_000,
  onWarning: () => {},
};

/**
 * What is kept of jobs that ended, so that the memory of Redis is bounded. Those of whole blocks are large, and few. A job
 * that is forgotten could be added again: by then its block has long ended.
 */
const keepOf = (kind: JobKind) => {
  const count = kind === "commit" || kind === "prove" ? 20_000 : 500;
  return { completed: { age: 24 * 3600, count }, failed: { age: 7 * 24 * 3600, count } };
};

/** Options of a job as BullMQ has them. `family`, ours: it has children. */
const optionsOf = (attempts: number, priority: number, family: boolean, child: boolean): string =>
  JSON.stringify({ attempts, priority, ...(family ? { family } : {}), ...(child ? { idof: true } : {}) });

const networkSchema = z.object({
  version: z.string(),
  protocol: z.string(),
  keySet: z.string(),
  manifest: z.string(),
}) satisfies z.ZodType<NetworkDescription>;

const workerSchema = z.object({
  id: z.string(),
  version: z.string(),
  protocol: z.string(),
  keySet: z.string(),
  host: z.string(),
  pid: z.number(),
  kinds: z.array(z.enum(JOB_KINDS)),
  concurrency: z.number(),
  threads: z.number(),
  backend: z.string(),
  since: z.number(),
}) satisfies z.ZodType<WorkerDescription>;

/** Undefined for what is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A connection that is shared, and what is done with it. */
interface Link {
  readonly address: RedisAddress;
  readonly settings: Settings;
  readonly redis: Redis;
  readonly scripts: Scripts;
  readonly backends: Readonly<Record<JobKind, RedisQueueBackend>>;
}

/** `<prefix>:<kind>` */
const queueOf = ({ settings }: Link, kind: JobKind): string => `${settings.prefix}:${kind}`;

/** See the module. */
export class RedisQueue implements Queue {
  readonly name: string;
  readonly #link: Link;
  readonly #consumers = new Set<RedisConsumer>();
  #follower: Follower | undefined;
  #closed = false;

  /**
   * Connects to a Redis, and refuses one that may throw jobs away.
   *
   * @throws NetworkError `QUEUE_UNAVAILABLE`, `QUEUE_UNSAFE`, `CONFIG_INVALID`
   */
  static async open(url: string, options: RedisQueueOptions = {}): Promise<RedisQueue> {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    const settings: Settings = { ...DEFAULTS, ...Object.fromEntries(given) };
    if (!/^[0-9a-zA-Z_-]{1,100}$/.test(settings.prefix)) {
      throw new NetworkError("not a prefix for keys", {
        code: "CONFIG_INVALID",
        where: "prefix",
        expected: "1 to 100 of 0-9 a-z A-Z _ -",
        got: JSON.stringify(settings.prefix.slice(0, 200)),
      });
    }
    const address = redisAddress(url);
    const { prefix, timeout, lockDuration, onWarning } = settings;
    // what is asked while Redis is away fails; who may wait does so by themselves
    const redis = connect(address, timeout, {
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      connectionName: prefix,
    });
    try {
      await connected(redis, address, timeout);
      await checkRedis(redis, address, onWarning);
    } catch (error) {
      redis.disconnect();
      throw error instanceof NetworkError ? error : unavailable(address, reasonOf(error, address));
    }
    const engine: WorkerOptions = {
      connection: redis,
      prefix,
      lockDuration,
      stalledInterval: Math.ceil(lockDuration / 2),
      maxStalledCount: MAX_LOST,
      // done above, and BullMQ would print its findings
      skipVersionCheck: true,
    };
    const backends = Object.fromEntries(
      JOB_KINDS.map((kind) => {
        const backend = createRedisBackend(kind, engine) as RedisQueueBackend;
        // those of the connection: whoever asks for something hears of it
        backend.on("error", () => {});
        return [kind, backend];
      }),
    ) as unknown as Record<JobKind, RedisQueueBackend>;
    await Promise.all(Object.values(backends).map((backend) => backend.waitUntilReady()));
    // each call that waits for the connection listens to it
    redis.setMaxListeners(0);
    return new RedisQueue({ address, settings, redis, scripts: scriptsOf(redis), backends });
  }

  private constructor(link: Link) {
    this.#link = link;
    this.name = link.address.name;
    const { redis, address, settings } = link;
    let reason = "the connection was closed";
    redis.on("error", (error) => {
      reason = reasonOf(error, address);
    });
    let away = false;
    redis.on("reconnecting", () => {
      if (!away) settings.onWarning(`${address.name} is away: ${reason}`);
      away = true;
    });
    redis.on("ready", () => {
      if (away) settings.onWarning(`${address.name} is back`);
      away = false;
      for (const consumer of this.#consumers) consumer.reconnected();
    });
  }

  /**
   * Asks Redis. When the connection breaks it asks again: all that is asked for here may be done twice.
   *
   * @throws NetworkError `QUEUE_UNAVAILABLE`, `QUEUE_CLOSED`
   */
  async #call<T>(ask: (link: Link) => Promise<T>): Promise<T> {
    const { redis, address, settings } = this.#link;
    const deadline = Date.now() + settings.timeout;
    for (;;) {
      if (this.#closed) throw closedError(this.name);
      try {
        await connected(redis, address, Math.max(0, deadline - Date.now()));
        return await ask(this.#link);
      } catch (error) {
        if (this.#closed) throw closedError(this.name);
        if (error instanceof NetworkError) throw error;
        if (isReply(error) || Date.now() >= deadline) throw unavailable(address, reasonOf(error, address));
        // at least until the connection knows that it is gone
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async add(job: JobSpec, children: readonly JobSpec[] = []): Promise<void> {
    checkFamily(job, children);
    const answer = await this.#call((link) => addTo(link, job, children));
    if (typeof answer === "string") throw foreignChild(answer);
  }

  async status(kind: JobKind, id: string): Promise<JobStatus | undefined> {
    const [status] = await this.#call((link) => statusOf(link, kind, [id]));
    return status;
  }

  async remove(jobs: readonly { readonly kind: JobKind; readonly id: string }[]): Promise<void> {
    // parents before their children, whose end would let them begin
    const sorted = jobs
      .filter(({ id }) => isJobId(id))
      .sort((a, b) => JOB_KINDS.indexOf(b.kind) - JOB_KINDS.indexOf(a.kind));
    for (let i = 0; i < sorted.length; i += 200) {
      const some = sorted.slice(i, i + 200);
      await this.#call((link) => Promise.all(some.map(({ kind, id }) => removeFrom(link, kind, id))));
    }
    for (const consumer of this.#consumers) void consumer.renew();
  }

  async expire(kind: JobKind, id: string): Promise<void> {
    await this.#call((link) => link.scripts.run("release", [queueOf(link, kind), id, "", MAX_LOST]));
    for (const consumer of this.#consumers) if (consumer.kind === kind) void consumer.renew();
  }

  consume(kind: JobKind, handler: Handler, { concurrency }: { readonly concurrency: number }): Consumer {
    if (this.#closed) throw closedError(this.name);
    checkConcurrency(concurrency);
    const children = (id: string) => this.#call((link) => childrenOf(link, kind, id));
    const consumer: RedisConsumer = new RedisConsumer(this.#link, kind, handler, concurrency, children, () =>
      this.#consumers.delete(consumer),
    );
    this.#consumers.add(consumer);
    return consumer;
  }

  follow(listener: (event: QueueEvent) => void): () => void {
    if (this.#closed) throw closedError(this.name);
    this.#follower ??= new Follower(this.#link);
    const follower = this.#follower;
    const end = follower.add(listener);
    return () => {
      end();
      if (!follower.idle) return;
      follower.close();
      if (this.#follower === follower) this.#follower = undefined;
    };
  }

  async counts(kind: JobKind): Promise<QueueCounts> {
    const [waiting, active, delayed, waitingChildren, completed, failed, ready] = (await this.#call((link) =>
      link.scripts.run("counts", [queueOf(link, kind), Date.now()]),
    )) as [number, number, number, number, number, number, number];
    const oldestWaiting = waiting === 0 || ready === 0 ? 0 : Math.max(0, Date.now() - ready);
    return { waiting, active, delayed, waitingChildren, completed, failed, oldestWaiting };
  }

  async failed(kind: JobKind, limit: number): Promise<readonly JobStatus[]> {
    const found = await this.#call(async (link) => {
      const ids = limit < 1 ? [] : await link.redis.zrevrange(`${queueOf(link, kind)}:failed`, 0, limit - 1);
      return ids.length === 0 ? [] : statusOf(link, kind, ids);
    });
    return found.filter((status) => status?.state === "failed") as JobStatus[];
  }

  #key(name: string): string {
    return `${this.#link.settings.prefix}:${name}`;
  }

  async describe(network: NetworkDescription): Promise<void> {
    await this.#call(({ redis }) => redis.set(this.#key("network"), JSON.stringify(network)));
  }

  async description(): Promise<NetworkDescription | undefined> {
    const text = await this.#call(({ redis }) => redis.get(this.#key("network")));
    return text === null ? undefined : networkSchema.safeParse(parse(text)).data;
  }

  async announce(worker: WorkerDescription, ttl: number): Promise<void> {
    const description = JSON.stringify(worker);
    await this.#call(({ scripts }) => scripts.run("workers", [this.#key(""), worker.id, description, Math.ceil(ttl)]));
  }

  async withdraw(worker: string): Promise<void> {
    await this.#call(({ scripts }) => scripts.run("workers", [this.#key(""), worker]));
  }

  async workers(): Promise<readonly WorkerDescription[]> {
    const found = (await this.#call(({ scripts }) => scripts.run("workers", [this.#key("")]))) as readonly string[];
    return found.flatMap((text) => workerSchema.safeParse(parse(text)).data ?? []);
  }

  async ban(worker: string, reason: string): Promise<void> {
    await this.#call(({ redis }) => redis.hset(this.#key("banned"), worker, reason));
  }

  async banned(worker: string): Promise<string | undefined> {
    return (await this.#call(({ redis }) => redis.hget(this.#key("banned"), worker))) ?? undefined;
  }

  async ping(): Promise<void> {
    await this.#call(({ redis }) => redis.ping());
  }

  /** Consumers that were not closed before are abandoned. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#follower?.close();
    const consumers = [...this.#consumers];
    await Promise.all(consumers.map((consumer) => consumer.close({ abandon: true })));
    // what they took in this moment goes back, if Redis is there
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, 1000);
    });
    await Promise.race([Promise.all(consumers.map((consumer) => consumer.settled())), enough]);
    clearTimeout(timer);
    this.#link.redis.disconnect();
  }
}

/** 0; -2: the lease is lost; the id of a child that another job waits for. */
async function addTo(
  link: Link,
  { kind, id, data, priority, attempts }: JobSpec,
  children: readonly JobSpec[],
  token = "",
): Promise<unknown> {
  const { settings, scripts } = link;
  const own = [kind, id, token, Date.now(), JSON.stringify(data ?? null)];
  const family = children.length > 0;
  return scripts.run("add", [
    `${settings.prefix}:`,
    ...own,
    optionsOf(attempts, priority, family, false),
    priority,
    ...children.flatMap((child) => [
      child.kind,
      child.id,
      JSON.stringify(child.data ?? null),
      optionsOf(child.attempts, child.priority, false, true),
      child.priority,
    ]),
  ]);
}

async function statusOf(link: Link, kind: JobKind, ids: readonly string[]): Promise<(JobStatus | undefined)[]> {
  const found = (await link.scripts.run("status", [queueOf(link, kind), Date.now(), ...ids])) as readonly (
    | null
    | [JobState, ...(string | null)[]]
  )[];
  return found.map((fields, i): JobStatus | undefined => {
    if (fields === null) return undefined;
    const [state, begun, stalled, result, failure, since] = fields;
    const completed = state === "completed";
    return {
      kind,
      id: ids[i]!,
      state,
      // BullMQ counts the one that went well too
      failures: Math.max(0, Number(begun ?? 0) - (completed ? 1 : 0)) + Number(stalled ?? 0),
      result: completed && result ? (parse(result) as Json | undefined) : undefined,
      failure: failure ? decodeFailure(failure) : undefined,
      activeSince: state === "active" && since ? Number(since) : undefined,
    };
  });
}

async function removeFrom(link: Link, kind: JobKind, id: string): Promise<void> {
  // who has it may renew the lock in between
  for (let tries = 0; tries < 5; tries++) {
    const lock = link.redis.del(`${queueOf(link, kind)}:${id}:lock`);
    const [removed] = await Promise.all([link.backends[kind].remove(id, false), lock]);
    if (removed === 1) return;
  }
}

/** How the children of a job ended. */
async function childrenOf(link: Link, kind: JobKind, id: string): ReturnType<Delivery["children"]> {
  const key = `${queueOf(link, kind)}:${id}`;
  const [processed, failed] = await Promise.all([
    link.redis.hgetall(`${key}:processed`),
    link.redis.hgetall(`${key}:failed`),
  ]);
  const named = (child: string) => child.slice(child.lastIndexOf(":") + 1);
  return {
    results: new Map(Object.entries(processed).map(([child, text]) => [named(child), parse(text)])),
    failures: new Map(Object.entries(failed).map(([child, text]) => [named(child), decodeFailure(text)])),
  };
}

/** A job that was taken. */
interface Taken {
  readonly json: JobJson;
  readonly id: string;
  /** The lock is ours as long as this is in it. */
  readonly token: string;
}

/** A job in hand. */
interface Held extends Taken {
  readonly controller: AbortController;
  /** The lease is lost: whatever comes out is dropped. */
  lost: boolean;
  /** Its end is on the way to Redis. */
  ending: boolean;
}

/** What becomes of a job. */
type Outcome =
  | { readonly type: "completed"; readonly result: Json }
  | { readonly type: "failed"; readonly failure: JobFailure }
  | { readonly type: "back"; readonly delay: number }
  | { readonly type: "more"; readonly children: readonly JobSpec[]; readonly data: Json };

/** What BullMQ answers when it gives a job: the job, its id, milliseconds that the queue is limited, when one is due. */
type Next = readonly [JobJson | null | 0 | undefined, string | undefined, number | undefined, number | undefined];

/** BullMQ's codes: the job is gone, has no lock, is not active, has somebody else's lock. */
const GONE = -1;
const UNLOCKED = -2;
const LOST: readonly unknown[] = [GONE, UNLOCKED, -3, -6];

/** The code of an answer of BullMQ's. */
function codeOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "number" ? code : undefined;
}

/** A job came along that BullMQ cannot read. */
const isUnreadable = (error: unknown): boolean =>
  error instanceof SyntaxError || (isReply(error) && /WRONGTYPE|not an integer/.test(error.message));

class RedisConsumer implements Consumer {
  readonly #id = randomUUID();
  readonly #queue: string;
  readonly #backend: RedisQueueBackend;
  readonly #blocking: Redis;
  readonly #held = new Set<Held>();
  readonly #loop: Promise<void>;
  readonly #renewal: NodeJS.Timeout;
  #rescue: NodeJS.Timeout;
  #tokens = 0;
  #paused = false;
  #closed = false;
  #abandoned = false;
  /** When a consumer that is closed gives up what it cannot hand in. */
  #deadline = Number.POSITIVE_INFINITY;
  /** Nothing was there when we last looked. */
  #empty = false;
  /** When the next delayed job is due, if known. */
  #due = 0;
  /** Wait for something to change here. */
  readonly #waiting = new Set<() => void>();
  /** What Redis calls the connection that waits. */
  #client: number | undefined;
  /** Ends the wait for jobs. */
  #interrupt: (() => void) | undefined;

  constructor(
    private readonly link: Link,
    readonly kind: JobKind,
    private readonly handler: Handler,
    private readonly concurrency: number,
    private readonly children: (id: string) => ReturnType<Delivery["children"]>,
    private readonly ended: () => void,
  ) {
    const { address, settings, backends } = link;
    this.#queue = queueOf(link, kind);
    this.#backend = backends[kind];
    this.#blocking = connect(address, BLOCK + settings.timeout, {
      maxRetriesPerRequest: null,
      connectionName: `${this.#queue}:wait`,
    });
    this.#blocking.on("close", () => {
      this.#client = undefined;
    });
    this.#renewal = setInterval(() => void this.renew(), settings.lockDuration / 3);
    this.#rescue = this.#startRescue();
    this.#loop = this.#run();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#change();
  }

  async close({ abandon = false }: { readonly abandon?: boolean } = {}): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#deadline = Date.now() + this.link.settings.lockDuration;
      clearInterval(this.#rescue);
      this.#change();
      void this.#leave();
    }
    if (abandon && !this.#abandoned) {
      this.#abandoned = true;
      for (const held of [...this.#held]) this.#lose(held);
      clearInterval(this.#renewal);
      this.#change();
      void this.settled().then(this.ended);
    }
    if (this.#abandoned) return;
    await this.settled();
    clearInterval(this.#renewal);
    this.ended();
  }

  /** Stops waiting for jobs, without being woken for one that nobody else then hears of. */
  async #leave(): Promise<void> {
    const { redis } = this.link;
    const id = this.#client;
    const asked = id === undefined ? Promise.reject(new Error("not connected")) : redis.client("UNBLOCK", id);
    const unblocked = await asked.catch(() => undefined);
    this.#blocking.disconnect();
    this.#interrupt?.();
    if (unblocked === 1) return;
    // Redis may believe for a moment that we are still there
    if (unblocked === undefined) await this.#sleep(50);
    this.#restore("0", 0);
  }

  /** Of a consumer that is closed: when it has nothing more to tell Redis. */
  async settled(): Promise<void> {
    await this.#loop;
    while ([...this.#held].some(({ lost }) => !lost || !this.#abandoned)) await this.#changed();
  }

  /** The connection is there again. */
  reconnected(): void {
    // before anybody finds that our leases ran out
    void this.renew();
    clearInterval(this.#rescue);
    if (!this.#closed) this.#rescue = this.#startRescue();
    this.#change();
  }

  /** Renews the leases of all jobs in hand; notices those that are lost. */
  async renew(): Promise<void> {
    const held = [...this.#held].filter(({ lost, ending }) => !lost && !ending);
    if (held.length === 0) return;
    const args = held.flatMap(({ token, id }) => [token, id]);
    try {
      const lost = await this.link.scripts.run("renew", [this.#queue, this.link.settings.lockDuration, ...args]);
      for (const i of lost as number[]) this.#lose(held[i]!);
    } catch {
      // Redis is away: when it is back, it says whose the jobs are
    }
  }

  #lose(held: Held): void {
    if (held.lost || !this.#held.has(held)) return;
    held.lost = true;
    held.controller.abort(leaseLost(this.kind, held.id));
  }

  /** Gives the jobs of dead workers to others. All do so, as any may be the last; most find that it has just been done. */
  #startRescue(): NodeJS.Timeout {
    const every = this.link.settings.lockDuration / 2;
    return setInterval(
      () => void this.#backend.moveStalledJobsToWait().catch(() => {}),
      every * (0.9 + Math.random() / 5),
    );
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #change(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Ends sooner when something changes. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#waiting.add(end);
    });
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      if (this.#paused || this.#held.size >= this.concurrency) {
        await this.#changed();
        continue;
      }
      try {
        const taken = await this.#take();
        if (taken !== undefined) this.#begin(taken);
      } catch (error) {
        if (!this.#closed) await this.#trouble(error);
      }
    }
  }

  /** Waits out what goes wrong, without asking Redis all the time. */
  async #trouble(error: unknown): Promise<void> {
    const { address, settings } = this.link;
    if (isReply(error)) settings.onWarning(`${this.#queue}: ${reasonOf(error, address)}`);
    await this.#sleep(200 + Math.random() * 800);
  }

  /** The next job; undefined: the consumer was paused or closed. */
  async #take(): Promise<Taken | undefined> {
    for (;;) {
      if (!this.#empty) {
        const token = `${this.#id}:${++this.#tokens}`;
        try {
          const taken = this.#read((await this.#backend.moveToActive(token)) as unknown as Next, token);
          if (taken !== undefined) return taken;
        } catch (error) {
          if (!isUnreadable(error) || !(await this.#mend(token))) throw error;
        }
        continue;
      }
      if (!this.#closed && !this.#paused) await this.#wait();
      if (this.#closed || this.#paused) return undefined;
    }
  }

  #read([json, id, limited, due]: Next, token: string): Taken | undefined {
    if (json && id !== undefined) {
      this.#empty = false;
      const counters = [json.attemptsMade, json.attemptsStarted, json.stalledCounter];
      if (!counters.every(Number.isInteger)) throw new SyntaxError("counters that cannot be counted on");
      return { json, id, token };
    }
    this.#empty = true;
    this.#due = limited ? Date.now() + limited : (due ?? 0);
    return undefined;
  }

  /** Until there may be something to do. */
  async #wait(): Promise<void> {
    const most = BLOCK * (0.9 + Math.random() / 10);
    const ms = this.#due === 0 ? most : Math.min(Math.max(this.#due - Date.now(), 5), most);
    const popped = await new Promise<readonly [string, string, string] | null>((resolve, reject) => {
      this.#interrupt = () => resolve(null);
      if (this.#client === undefined) {
        const known = (id: unknown) => {
          this.#client = Number(id);
        };
        this.#blocking.client("ID").then(known, () => {});
      }
      this.#blocking.bzpopmin(`${this.#queue}:marker`, ms / 1000).then(resolve as (value: unknown) => void, reject);
    });
    if (popped === null) {
      this.#empty = false;
      this.#due = 0;
      return;
    }
    const [, member, score] = popped;
    const at = Number(score);
    if (this.#closed || this.#paused) this.#restore(member, at);
    else if (at > Date.now()) this.#due = at;
    else this.#empty = false;
  }

  /** Somebody else shall wake up. */
  #restore(member: string, score: number): void {
    this.link.redis.zadd(`${this.#queue}:marker`, score, member).catch(() => {});
  }

  /** What is in our queue but no job can be read from: it gets a chance to fail. Returns whether there was something. */
  async #mend(token: string): Promise<boolean> {
    const id = await this.link.scripts.run("mend", [this.#queue, token]);
    if (id !== null) this.link.settings.onWarning(`${this.#queue}: job ${JSON.stringify(id)} is damaged`);
    return id !== null;
  }

  #begin(taken: Taken): void {
    const held: Held = { ...taken, controller: new AbortController(), lost: false, ending: false };
    this.#held.add(held);
    void this.#work(held);
  }

  async #work(held: Held): Promise<void> {
    let next: Taken | undefined;
    try {
      next = await this.#end(held, await this.#outcome(held));
    } catch (error) {
      // its lease runs out
      this.link.settings.onWarning(`${this.#queue}: ${reasonOf(error, this.link.address)}`);
    }
    this.#held.delete(held);
    if (next !== undefined) this.#begin(next);
    this.#change();
  }

  async #outcome(held: Held): Promise<Outcome> {
    const { json, id } = held;
    // fetched in the moment in which we should not have
    if (this.#paused || this.#closed) return { type: "back", delay: 0 };
    if (json.deferredFailure)
      return { type: "failed", failure: { ...decodeFailure(json.deferredFailure), retryable: false } };
    try {
      const delivery: Delivery = {
        kind: this.kind,
        id,
        data: parse(json.data),
        priority: json.priority || 0,
        attempt: json.attemptsMade + json.stalledCounter,
        signal: held.controller.signal,
        waited: await this.#waited(json, id),
        progress: async (progress) => {
          if (held.lost || held.ending) return;
          await this.#backend.updateProgress(id, progress as object).catch(() => {});
        },
        children: () => this.children(id),
      };
      const result = (await this.handler(delivery)) ?? null;
      // fails here if it is no JSON, and not halfway through BullMQ
      JSON.stringify(result);
      return { type: "completed", result };
    } catch (error) {
      if (error instanceof HandBack) return { type: "back", delay: error.delay };
      if (error instanceof MoreChildren) return { type: "more", children: error.children, data: error.data };
      return { type: "failed", failure: thrown(error) };
    }
  }

  /** A job that begins for the first time and had nothing to wait for was ready when it was added; of others events tell. */
  async #waited(json: JobJson, id: string): Promise<number> {
    const { family } = json.opts as { family?: unknown };
    const told =
      family || json.attemptsStarted > 1 ? await this.link.scripts.run("since", [this.#queue, id]).catch(() => 0) : 0;
    const waited = (json.processedOn ?? 0) - (Number(told) || json.timestamp);
    return waited > 0 ? waited : 0;
  }

  /** Tells Redis what became of a job, as long as it takes. Returns the next one, which comes with the answer. */
  async #end(held: Held, outcome: Outcome): Promise<Taken | undefined> {
    for (;;) {
      if (held.lost) return undefined;
      held.ending = true;
      try {
        return await this.#tell(held, outcome);
      } catch (error) {
        held.ending = false;
        const code = codeOf(error);
        if (isUnreadable(error)) {
          // not this job, the one that came with the answer
          await this.#mend(held.token).catch(() => {});
          return undefined;
        }
        if (code === UNLOCKED) {
          // ran out, maybe while Redis was away: ours again if nobody else has it
          await this.renew();
          if (!held.lost) continue;
        }
        if (LOST.includes(code)) {
          this.#lose(held);
          return undefined;
        }
        if (code !== undefined) {
          // BullMQ does not take the result: children are left that somebody else added
          if (outcome.type !== "completed") throw error;
          outcome = { type: "failed", failure: thrown(error) };
          continue;
        }
        if (Date.now() > this.#deadline || this.#abandoned) return undefined;
        await this.#trouble(error);
      }
    }
  }

  async #tell(held: Held, outcome: Outcome): Promise<Taken | undefined> {
    const { json, id, token } = held;
    const { settings, scripts, redis } = this.link;
    const fetch = !this.#paused && !this.#closed;
    const attempts = json.opts.attempts || 1;
    const job = { id, opts: { ...json.opts, attempts } } as unknown as MinimalJob;
    const keep = keepOf(this.kind);
    switch (outcome.type) {
      case "completed": {
        const { result } = await this.#backend.moveToCompleted(job, outcome.result, keep.completed, token, fetch);
        // copies of the children's results, as large as the block
        if ((json.opts as { family?: unknown }).family) {
          redis.unlink(`${this.#queue}:${id}:processed`, `${this.#queue}:${id}:failed`).catch(() => {});
        }
        return this.#next(result, token, fetch);
      }
      case "failed": {
        const { failure } = outcome;
        const failedReason = JSON.stringify(failure);
        const failures = json.attemptsMade + 1;
        if (failure.retryable && failures < attempts) {
          const delay = backoffOf(failures, settings.backoff);
          const options = { fieldsToUpdate: { failedReason }, fetchNext: fetch };
          return this.#next(await this.#backend.moveToDelayed(id, Date.now(), delay, token, options), token, fetch);
        }
        const { result } = await this.#backend.moveToFailed(job, failedReason, keep.failed, token, fetch);
        return this.#next(result, token, fetch);
      }
      case "back": {
        if (outcome.delay > 0) {
          const options = { skipAttempt: true, fetchNext: fetch };
          const next = await this.#backend.moveToDelayed(id, Date.now(), Math.ceil(outcome.delay), token, options);
          return this.#next(next, token, fetch);
        }
        const answer = await scripts.run("release", [this.#queue, id, token, MAX_LOST]);
        if (answer !== 0) this.#refused(held, answer as number);
        this.#empty = false;
        return undefined;
      }
      case "more": {
        const { children, data } = outcome;
        const spec: JobSpec = { kind: this.kind, id, data, priority: json.priority || 0, attempts };
        try {
          checkFamily(spec, children);
        } catch (error) {
          return this.#tell(held, { type: "failed", failure: { ...thrown(error), retryable: false } });
        }
        const answer = await addTo(this.link, spec, children, token);
        if (typeof answer === "string") {
          const failure = { ...thrown(foreignChild(answer)), retryable: false };
          return this.#tell(held, { type: "failed", failure });
        }
        if (answer !== 0) this.#refused(held, answer as number);
        this.#empty = false;
        return undefined;
      }
    }
  }

  #refused({ id }: Held, code: number): never {
    throw Object.assign(new Error(`${id}: refused`), { code });
  }

  #next(answer: unknown, token: string, fetched: boolean): Taken | undefined {
    if (!fetched) return undefined;
    return this.#read((Array.isArray(answer) ? answer : []) as unknown as Next, token);
  }
}

/** Reads the events of all queues. */
class Follower {
  readonly #link: Link;
  readonly #listeners = new Set<(event: QueueEvent) => void>();
  #redis: Redis | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(link: Link) {
    this.#link = link;
    void this.#run();
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
    this.#wake?.();
    this.#redis?.disconnect();
  }

  async #run(): Promise<void> {
    const { address, settings } = this.#link;
    // over the connection by which jobs are added: what is added after this is seen
    const ids = await this.#newest();
    if (this.#closed) return;
    this.#redis = connect(address, BLOCK / 2 + settings.timeout, {
      maxRetriesPerRequest: null,
      connectionName: `${settings.prefix}:events`,
    });
    while (!this.#closed) {
      try {
        const found = await this.#more(ids);
        for (const [key, entries] of found ?? []) {
          const kind = key.split(":")[1] as JobKind;
          for (const [id, fields] of entries) {
            ids.set(kind, id);
            this.#emit(kind, fields);
          }
        }
      } catch (error) {
        if (isReply(error)) settings.onWarning(`events: ${reasonOf(error, address)}`);
        await this.#sleep(1000);
      }
    }
  }

  /** The last event of each queue. */
  async #newest(): Promise<Map<JobKind, string>> {
    while (!this.#closed) {
      try {
        const found = await Promise.all(
          JOB_KINDS.map((kind) =>
            this.#link.redis.xrevrange(`${queueOf(this.#link, kind)}:events`, "+", "-", "COUNT", 1),
          ),
        );
        return new Map(JOB_KINDS.map((kind, i) => [kind, found[i]?.[0]?.[0] ?? "0-0"]));
      } catch {
        await this.#sleep(200);
      }
    }
    return new Map();
  }

  #more(ids: ReadonlyMap<JobKind, string>): Promise<[string, [string, string[]][]][] | null> {
    const keys = [...ids.keys()].map((kind) => `${queueOf(this.#link, kind)}:events`);
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(null);
      this.#redis!.xread("COUNT", 500, "BLOCK", BLOCK / 2, "STREAMS", ...keys, ...ids.values()).then(resolve, reject);
    });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #emit(kind: JobKind, fields: readonly string[]): void {
    const field = (name: string): string | undefined => {
      for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
      return undefined;
    };
    const type = field("event");
    const id = field("jobId");
    if (id === undefined) return;
    let event: QueueEvent;
    if (type === "active" || type === "completed" || type === "stalled") event = { type, kind, id };
    else if (type === "failed") event = { type, kind, id, failure: decodeFailure(field("failedReason") ?? "") };
    else if (type === "progress") event = { type, kind, id, progress: parse(field("data") ?? "null") as Json };
    else return;
    for (const listener of this.#listeners) {
      // what a listener throws is its own affair, not that of the others
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(event);
      });
    }
  }
}
