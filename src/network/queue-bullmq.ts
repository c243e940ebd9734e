/**
 * The queue of a network: BullMQ's queues in Redis, one for each kind of job, named `<prefix>:<kind>`, where the usual tools
 * for BullMQ show them. Jobs are moved by BullMQ alone, through its public classes.
 *
 * A process has one connection for everything, one more for each consumer, which waits for jobs, and one for each kind while
 * it follows events. What was asked when a connection breaks is asked again when it is back.
 *
 * @module
 */

import { FlowProducer, type Job, Queue as Line } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";
import { BullConsumer } from "./bull-consumer.js";
import { Follower } from "./bull-events.js";
import {
  childOf,
  claim,
  DEFAULTS,
  jobAt,
  type Link,
  nameOf,
  optionsOf,
  type RedisQueueOptions,
  readySince,
  type Settings,
  within,
} from "./bull-link.js";
import { NetworkError } from "./errors.js";
import { JOB_KINDS, type JobKind } from "./jobs.js";
import type {
  Consumer,
  Handler,
  JobSpec,
  JobState,
  JobStatus,
  Json,
  NetworkDescription,
  Queue,
  QueueCounts,
  QueueEvent,
  WorkerDescription,
} from "./queue.js";
import { checkConcurrency, checkFamily, closedError, decodeFailure, isJobId } from "./queue-common.js";
import { checkRedis, connect, connected, isReply, reasonOf, redisAddress, unavailable } from "./redis.js";

export type { RedisQueueOptions } from "./bull-link.js";
export { inspectRedis, type RedisReport } from "./redis.js";

/** Longest that BullMQ lets a connection wait, in milliseconds. */
const MAX_BLOCK = 10_000;
/** Jobs that are removed side by side. */
const REMOVED = 200;

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

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** See the module. */
export class BullQueue implements Queue {
  readonly name: string;
  readonly #link: Link;
  readonly #consumers = new Set<BullConsumer>();
  /** Connections of their own that consumers and followers have. */
  readonly #blocking: Set<Redis>;
  /** The jobs that were first in line when somebody looked last, and since when. */
  readonly #first = new Map<JobKind, { readonly id: string; readonly since: number }>();
  #follower: Follower | undefined;
  #closed = false;

  /**
   * Connects to a Redis, and refuses one that may throw jobs away.
   *
   * @throws NetworkError `QUEUE_UNAVAILABLE`, `QUEUE_UNSAFE`, `CONFIG_INVALID`
   */
  static async open(url: string, options: RedisQueueOptions = {}): Promise<BullQueue> {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    const settings: Settings = { ...DEFAULTS, ...Object.fromEntries(given) };
    const { prefix, timeout, onWarning } = settings;
    if (!/^[0-9a-zA-Z_-]{1,100}$/.test(prefix)) {
      throw new NetworkError("not a prefix for keys", {
        code: "CONFIG_INVALID",
        where: "prefix",
        expected: "1 to 100 of 0-9 a-z A-Z _ -",
        got: JSON.stringify(prefix.slice(0, 200)),
      });
    }
    const address = redisAddress(url);
    const redis = connect(address, timeout, { maxRetriesPerRequest: null, connectionName: prefix });
    redis.setMaxListeners(0);
    const blocking = new Set<Redis>();
    // those that BullMQ makes for itself wait for long
    redis.duplicate = (more) => {
      const name = more?.connectionName ?? `${prefix}:events`;
      const own = connect(address, MAX_BLOCK + timeout, { maxRetriesPerRequest: null, connectionName: name });
      own.setMaxListeners(0);
      blocking.add(own);
      // BullMQ ends one that hangs, and connects it again
      own.on("ready", () => blocking.add(own));
      own.on("end", () => blocking.delete(own));
      return own;
    };
    try {
      await connected(redis, address, timeout);
      const checked = checkRedis(redis, address, onWarning).then(() => true);
      if (!(await within(checked, timeout))) throw unavailable(address, `no answer within ${timeout} ms`);
    } catch (error) {
      redis.disconnect();
      throw error instanceof NetworkError ? error : unavailable(address, reasonOf(error, address));
    }
    // looked at above
    const common = { connection: redis, prefix, skipVersionCheck: true };
    const lines = Object.fromEntries(JOB_KINDS.map((kind) => [kind, new Line(kind, common)]));
    const flows = new FlowProducer(common);
    // those of the connection: whoever asks for something hears of it
    flows.on("error", () => {});
    for (const line of Object.values(lines)) line.on("error", () => {});
    return new BullQueue({ address, settings, redis, lines: lines as Record<JobKind, Line>, flows }, blocking);
  }

  private constructor(link: Link, blocking: Set<Redis>) {
    this.#link = link;
    this.#blocking = blocking;
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
      for (const consumer of this.#consumers) consumer.renew();
    });
  }

  /**
   * Asks Redis. What a broken connection cut short is asked again: all that is asked for here may be done twice.
   *
   * @throws NetworkError `QUEUE_UNAVAILABLE`, `QUEUE_CLOSED`
   */
  async #call<T>(ask: (link: Link) => Promise<T>): Promise<T> {
    const { redis, address, settings } = this.#link;
    const deadline = Date.now() + settings.timeout;
    const left = () => Math.max(0, deadline - Date.now());
    for (;;) {
      if (this.#closed) throw closedError(this.name);
      try {
        // nothing is to pile up while Redis is away
        await connected(redis, address, left());
        const answer = await within(
          ask(this.#link).then((value) => ({ value })),
          left(),
        );
        if (answer !== undefined) return answer.value;
        throw unavailable(address, `no answer within ${settings.timeout} ms`);
      } catch (error) {
        if (this.#closed) throw closedError(this.name);
        if (error instanceof NetworkError) throw error;
        const again = !isReply(error) && /connection|stream/i.test((error as Error).message);
        if (!again || left() === 0) throw unavailable(address, reasonOf(error, address));
        await sleep(20);
      }
    }
  }

  async add(job: JobSpec, children: readonly JobSpec[] = []): Promise<void> {
    const { kind, id, data } = job;
    checkFamily(job, children);
    await this.#call(async (link) => {
      const name = nameOf(kind, children.length);
      if (children.length === 0) return void (await link.lines[kind].add(name, data ?? null, optionsOf(job)));
      // it came with all its children: they are added in one transaction
      if ((await link.lines[kind].getJob(id)) !== undefined) return;
      await claim(link, kind, id, children);
      const family = { name, queueName: kind, data: data ?? null, opts: optionsOf(job) };
      const { job: parent } = await link.flows.add({ ...family, children: children.map((child) => childOf(child)) });
      // when two add it at once, the second one lets it wait for children that have failed in between
      const { unprocessed = [], ignored = {} } = await parent.getDependencies();
      for (const key of unprocessed) {
        if (key in ignored) await (await jobAt(link, key))?.removeChildDependency();
      }
    });
  }

  async status(kind: JobKind, id: string): Promise<JobStatus | undefined> {
    if (!isJobId(id)) return undefined;
    return this.#call(async ({ lines }) => {
      for (let tries = 0; tries < 3; tries++) {
        // in this order: what is read of an active job is of this attempt
        const [state, job] = await Promise.all([lines[kind].getJobState(id), lines[kind].getJob(id)]);
        if (job === undefined) return undefined;
        const over = state === "completed" || state === "failed";
        // added, ended or removed in between
        if (state === "unknown" || over !== (job.finishedOn !== undefined)) continue;
        const due = state === "prioritized" || (state === "delayed" && job.delay === 0);
        return statusOf(kind, job, due ? "waiting" : state);
      }
      return undefined;
    });
  }

  async remove(jobs: readonly { readonly kind: JobKind; readonly id: string }[]): Promise<void> {
    // parents before their children, whose end would let them begin
    const sorted = jobs
      .filter(({ id }) => isJobId(id))
      .sort((a, b) => JOB_KINDS.indexOf(b.kind) - JOB_KINDS.indexOf(a.kind));
    for (let i = 0; i < sorted.length; i += REMOVED) {
      const some = sorted.slice(i, i + REMOVED);
      await this.#call((link) => Promise.all(some.map(({ kind, id }) => removeFrom(link, kind, id))));
    }
  }

  async expire(kind: JobKind, id: string): Promise<void> {
    if (isJobId(id)) await this.#call((link) => unlock(link, kind, id));
  }

  consume(kind: JobKind, handler: Handler, { concurrency }: { readonly concurrency: number }): Consumer {
    if (this.#closed) throw closedError(this.name);
    checkConcurrency(concurrency);
    const consumer: BullConsumer = new BullConsumer(this.#link, kind, handler, concurrency, () =>
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
    return this.#call(async ({ lines }) => {
      const line = lines[kind];
      const types = ["waiting", "prioritized", "active", "delayed", "waiting-children", "completed", "failed"] as const;
      const [found, due] = await Promise.all([line.getJobCounts(...types), line.getDelayedCount(Date.now())]);
      const [wait = 0, prioritized = 0, active = 0, delayed = 0, waitingChildren = 0, completed = 0, failed = 0] =
        types.map((type) => found[type]);
      const [first] =
        wait > 0 ? await line.getWaiting(0, 0) : prioritized > 0 ? await line.getPrioritized(0, 0) : [undefined];
      const since = first === undefined ? Date.now() : (readySince(kind, first) ?? this.#firstSince(kind, first));
      const oldestWaiting = Math.max(0, Date.now() - since);
      const waiting = wait + prioritized + due;
      return {
        waiting,
        active,
        delayed: Math.max(0, delayed - due),
        waitingChildren,
        completed,
        failed,
        oldestWaiting,
      };
    });
  }

  /** For want of something better, since it is first in line. */
  #firstSince(kind: JobKind, { id = "" }: Job): number {
    const seen = this.#first.get(kind);
    if (seen?.id === id) return seen.since;
    const since = Date.now();
    this.#first.set(kind, { id, since });
    return since;
  }

  async failed(kind: JobKind, limit: number): Promise<readonly JobStatus[]> {
    if (limit < 1) return [];
    const found = await this.#call(({ lines }) => lines[kind].getFailed(0, limit - 1));
    return found.map((job) => statusOf(kind, job, "failed"));
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
    const about = this.#key(`worker:${worker.id}`);
    const text = JSON.stringify(worker);
    await this.#call(({ redis }) =>
      redis.multi().set(about, text, "PX", Math.ceil(ttl)).sadd(this.#key("workers"), worker.id).exec(),
    );
  }

  async withdraw(worker: string): Promise<void> {
    const about = this.#key(`worker:${worker}`);
    await this.#call(({ redis }) => redis.multi().del(about).srem(this.#key("workers"), worker).exec());
  }

  async workers(): Promise<readonly WorkerDescription[]> {
    return this.#call(async ({ redis }) => {
      const ids = await redis.smembers(this.#key("workers"));
      if (ids.length === 0) return [];
      const found = await redis.mget(ids.map((id) => this.#key(`worker:${id}`)));
      const gone = ids.filter((_, i) => found[i] === null);
      // one that comes back in this moment is here again when it says so the next time
      if (gone.length > 0) await redis.srem(this.#key("workers"), ...gone);
      return found.flatMap((text) => (text === null ? [] : (workerSchema.safeParse(parse(text)).data ?? [])));
    });
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
    await Promise.all([...this.#consumers].map((consumer) => consumer.close({ abandon: true })));
    for (const connection of [...this.#blocking, this.#link.redis]) connection.disconnect();
  }
}

function statusOf(kind: JobKind, job: Job, state: JobState): JobStatus {
  const completed = state === "completed";
  return {
    kind,
    id: job.id!,
    state,
    // BullMQ counts the one that went well too
    failures: Math.max(0, job.attemptsMade - (completed ? 1 : 0)) + job.stalledCounter,
    result: completed ? (job.returnvalue as Json) : undefined,
    failure: job.failedReason ? decodeFailure(job.failedReason) : undefined,
    activeSince: state === "active" ? job.processedOn : undefined,
  };
}

/** BullMQ has nothing by which a lock could be taken from somebody else: its key goes. */
async function unlock({ redis, lines }: Link, kind: JobKind, id: string): Promise<void> {
  await redis.del(lines[kind].toKey(`${id}:lock`));
}

async function removeFrom(link: Link, kind: JobKind, id: string): Promise<void> {
  // who has it loses it; somebody else may get it in between
  for (let tries = 0; tries < 5; tries++) {
    if ((await link.lines[kind].remove(id, { removeChildren: false })) === 1) return;
    await unlock(link, kind, id);
  }
}
