/**
 * Puts coordinators and workers together from their parts.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { hardwareThreads } from "#platform";
import { type KeyFolder, MANIFEST, parseManifest } from "../keys/folder.js";
import { type ConfigOf, isHttp, readToken } from "../service/config.js";
import { type Address, addressText, cannotListen, HealthServer, healthRoutes } from "../service/health.js";
import type { Service } from "../service/lifecycle.js";
import type { Log } from "../service/log.js";
import { coordinatorMetrics, type JobMetrics, workerMetrics } from "../service/metrics.js";
import type { COORDINATOR_OPTIONS, WORKER_OPTIONS } from "../service/options.js";
import { parentOfBlock, span } from "../service/telemetry.js";
import { TraceError } from "../trace/errors.js";
import { BLOCK_PROOF_VERSION } from "../verifier/encoding.js";
import { PROTOCOL as BLOCK_PROTOCOL } from "../verifier/transcript.js";
import { VERSION } from "../version.js";
import { Coordinator } from "./coordinator.js";
import { NetworkError } from "./errors.js";
import { Executor } from "./executor.js";
import { errnoOf, storeFailure } from "./files.js";
import { type JobHandler, makeHandlers } from "./handlers.js";
import { buildServer } from "./http.js";
import { JOB_KINDS, type JobKind, ownerOf } from "./jobs.js";
import { fetchKeys, publishKeys, verifyKeys } from "./keys.js";
import { JobError, type NetworkDescription, type Queue, type WorkerDescription } from "./queue.js";
import { BullQueue } from "./queue-bullmq.js";
import { MemoryQueue } from "./queue-memory.js";
import { Registry } from "./registry.js";
import { layoutSizes, memoryLimit, Slots } from "./slots.js";
import { type Digest, digestOf, type Store } from "./store.js";
import { CachedStore } from "./store-cache.js";
import { FolderStore } from "./store-folder.js";
import { HttpStore } from "./store-http.js";
import { type WorkerEvent, WorkerService } from "./worker.js";

/** What workers and coordinators must have in common: the jobs, and the proofs that come of them. */
export const PROTOCOL = `jobs 1, block proofs ${BLOCK_PROOF_VERSION}, ${BLOCK_PROTOCOL}`;

/** How long a queue that does not answer is waited for at the start, milliseconds. */
const QUEUE_PATIENCE = 30_000;
/** Milliseconds after which a queue counts as away: less than probes and scrapes wait. */
const QUEUE_ANSWER = 1500;
/** Milliseconds in which a trace must be read. */
const INSPECTION = 60_000;
/** MiB of objects that a trace may be read into. */
const INSPECTOR_HEAP = 4096;
/** Milliseconds between attempts at what is not there yet. */
const RETRY = 1000;
/** Milliseconds between announcements of a worker. */
const HEARTBEAT = 5000;
/** The worker is told to stop by the signal of `close`, not by a clock of its own. */
const FOREVER = 2 ** 31 - 1;
/** A worker may end a job that takes too long by itself; the coordinator takes it away somewhat later. */
const TIMEOUT_MARGIN = 1.25;

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code;

/** What a coordinator is started with, beside its options. */
export interface CoordinatorStart {
  readonly config: ConfigOf<typeof COORDINATOR_OPTIONS>;
  /** From `--token` or `--token-file`; undefined: that in the folder of its data, made if there is none. */
  readonly token: string | undefined;
  readonly keys: KeyFolder;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A coordinator under way. */
export interface RunningCoordinator extends Service {
  readonly address: Address;
}

/** What a worker is started with, beside its options. */
export interface WorkerStart {
  readonly config: ConfigOf<typeof WORKER_OPTIONS>;
  readonly token: string | undefined;
  /** Undefined: those of the network. */
  readonly keys: KeyFolder | undefined;
  /** Where fetched keys are kept. */
  readonly cache: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Things that are closed in the reverse of the order in which they were opened, whatever happens to some of them. */
class Opened {
  readonly #log: Log;
  readonly #closers: { readonly name: string; readonly close: () => Promise<unknown> | unknown }[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(name: string, close: () => Promise<unknown> | unknown): void {
    this.#closers.push({ name, close });
  }

  async close(): Promise<void> {
    for (const { name, close } of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.#log.warn({ err: error }, `could not close ${name}`);
      }
    }
  }
}

/**
 * Starts a coordinator.
 *
 * @throws NetworkError `CONFIG_INVALID`, `MEMORY_LIMIT`, `QUEUE_*`, `STORE_*`; KeysError; `signal.reason`.
 */
export async function startCoordinator(options: CoordinatorStart): Promise<RunningCoordinator> {
  const opened = new Opened(options.log);
  try {
    return await openCoordinator(options, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function openCoordinator(
  { config, token, keys, log, signal }: CoordinatorStart,
  opened: Opened,
): Promise<RunningCoordinator> {
  const { data, redis, attempts, maxBlocks, maxTrace, keepTraces, jobTimeout, cors, listen } = config;
  const secret = token ?? (await ownToken(data, log));
  const metrics = coordinatorMetrics({ protocol: PROTOCOL, process: true });
  const registry = await Registry.open(data);
  const store = new FolderStore(join(data, "store"));
  signal.throwIfAborted();
  const queue = redis === undefined ? new MemoryQueue() : await openQueue(redis, config, log, signal);
  opened.add("the queue", () => queue.close());
  const blobs = await blobsOf(keys);
  const network: NetworkDescription = {
    version: VERSION,
    protocol: PROTOCOL,
    keySet: keys.parsed().digest,
    // nobody else needs the keys where nobody else works
    manifest: redis === undefined ? blobs.manifest : await publishKeys(keys, store, signal),
  };
  const kinds = config.kinds ?? (redis === undefined ? JOB_KINDS : (["plan", "challenge", "assemble"] as const));

  // traces are looked at while jobs are computed
  const inspector = new Executor({ keys: keys.path, threads: 1, share: 1, heap: INSPECTOR_HEAP });
  opened.add("the thread that reads traces", () => inspector.close());
  const coordinator: Coordinator = new Coordinator({
    queue,
    store,
    registry,
    network,
    // every file of the keys is a blob that workers may want at any time
    keep: blobs.files,
    inspect: (trace, aborted) => inspect(inspector, trace, aborted),
    confirm: (trace, proof, aborted) => inspector.run("confirm", { trace, proof }, aborted),
    chainId: config.chainId === undefined ? undefined : String(config.chainId),
    attempts,
    maxUnfinished: maxBlocks,
    jobTimeout: Math.round(jobTimeout * TIMEOUT_MARGIN),
    keepTraces,
    log,
    hooks: {
      finished: (result, seconds) => {
        metrics.blocksTotal.inc({ result });
        if (result === "proved") metrics.blockDurationSeconds.observe(seconds);
      },
      unfinished: (count) => metrics.blocksUnfinished.set(count),
      repeated: (kind, count) => metrics.workRepeatedTotal.inc({ kind }, count),
      refused: (kind) => metrics.resultsRefusedTotal.inc({ kind }),
    },
  });
  opened.add("the coordinator", () => coordinator.close());
  const own = `coordinator-${ownName()}`;
  const worker = await assembleWorker({
    config: { ...config, kinds },
    id: own,
    queue,
    store,
    keys,
    metrics,
    log,
    opened,
    // a name is only what somebody said; the coordinator must not ban itself for one
    onRefused: (who, kind, why) => coordinator.refused(who === own ? "" : who, kind, why),
    wants: (job) => coordinator.wants(job),
  });

  metrics.onScrape(() => watchQueue(queue, metrics));
  const app = buildServer({
    coordinator,
    store,
    tokens: [secret],
    limits: { maxTrace },
    cors,
    log,
    hooks: {
      answered: (method, route, status) => metrics.httpRequestsTotal.inc({ method, route, status: String(status) }),
      inFlight: (count) => metrics.httpRequestsInFlight.set(count),
      moved: (direction, bytes) => metrics.storeBytesTotal.inc({ direction }, bytes),
    },
    routes: (routes) =>
      healthRoutes(routes, {
        service: "coordinator",
        ready: async () => {
          const away = (await answers(queue)) ? [] : [`${queue.name} does not answer`];
          return [...away, ...worker.status().reasons];
        },
        metrics,
      }),
  });
  opened.add("the server", () => app.close());
  await coordinator.start();
  const ended = worker.run();
  // it is heard of by `ended`
  ended.catch(() => {});
  opened.add("the worker", () => worker.stop());
  signal.throwIfAborted();
  const address = await listenOn(app, listen);
  log.info({ address: addressText(address), kinds, keySet: network.keySet, data }, "takes blocks");
  return {
    address,
    ended,
    // the server goes on meanwhile: other workers need the store to end what they have begun
    close: (abandon) => closeWorker(worker, abandon, opened),
  };
}

/**
 * Starts a worker. Waits for a coordinator, if the keys are to come from there.
 *
 * @throws NetworkError `CONFIG_INVALID`, `MEMORY_LIMIT`, `QUEUE_*`, `STORE_*`; KeysError; `signal.reason`.
 */
export async function startWorker(options: WorkerStart): Promise<Service> {
  const opened = new Opened(options.log);
  try {
    return await openWorker(options, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function openWorker({ config, token, keys, cache, log, signal }: WorkerStart, opened: Opened): Promise<Service> {
  const { redis, store: place, listen, name } = config;
  const metrics = workerMetrics({ protocol: PROTOCOL, process: true });
  let phase = "connecting to the queue";
  let worker: WorkerService<Executor> | undefined;
  if (listen !== undefined) {
    const ready = () => worker?.status().reasons ?? [phase];
    const health = await HealthServer.start(listen, { service: "worker", ready, metrics });
    opened.add("the health server", () => health.close());
    log.info({ address: addressText(health.address) }, "listens for /health, /ready and /metrics");
  }
  const queue = await openQueue(redis, config, log, signal);
  opened.add("the queue", () => queue.close());
  const remote: Store = isHttp(place) ? new HttpStore(place, { token }) : new FolderStore(place, { create: false });
  const store = new CachedStore(remote);
  phase = "fetching the keys of the network";
  const folder = keys ?? (await keysOfNetwork(queue, remote, cache, log, signal));
  const id = name ?? ownName();
  worker = await assembleWorker({ config, id, queue, store, keys: folder, metrics, log, opened });
  const running = worker;
  await warnOfTwin(queue, id, log);
  signal.throwIfAborted();
  const ended = running.run();
  ended.catch(() => {});
  return { ended, close: (abandon) => closeWorker(running, abandon, opened) };
}

/** Ends a worker: with what it has in hand, or without once `abandon` is aborted; then everything else. */
async function closeWorker(worker: WorkerService<Executor>, abandon: AbortSignal, opened: Opened): Promise<void> {
  const stop = () => void worker.stop();
  abandon.addEventListener("abort", stop, { once: true });
  try {
    if (abandon.aborted) stop();
    await worker.drain();
  } finally {
    abandon.removeEventListener("abort", stop);
    await opened.close();
  }
}

// ---- parts

interface WorkerParts {
  readonly config: Pick<
    ConfigOf<typeof WORKER_OPTIONS>,
    "concurrency" | "threads" | "backend" | "maxMemory" | "jobTimeout" | "kinds"
  >;
  readonly id: string;
  readonly queue: Queue;
  readonly store: Store;
  readonly keys: KeyFolder;
  readonly metrics: JobMetrics & Pick<ReturnType<typeof workerMetrics>, "onScrape">;
  readonly log: Log;
  readonly opened: Opened;
  readonly onRefused?: (worker: string, kind: JobKind, why: string) => void;
  /** Whether a job's result is of use to anybody. */
  readonly wants?: (job: string) => boolean;
}

/** Lanes, their memory and what is done in them. */
async function assembleWorker(parts: WorkerParts): Promise<WorkerService<Executor>> {
  const { config, id, queue, store, keys, metrics, log, opened, onRefused, wants = () => true } = parts;
  const { concurrency, backend, jobTimeout, kinds } = config;
  const all = config.threads === "auto" ? hardwareThreads() : config.threads;
  const threads = Math.max(1, Math.floor(all / concurrency));
  const lanes = Array.from(
    { length: concurrency },
    () => new Executor({ keys: keys.path, threads, backend, share: concurrency }),
  );
  opened.add("the threads that compute", () => Promise.all(lanes.map((lane) => lane.close())));
  const slots = new Slots({
    lanes: concurrency,
    limit: config.maxMemory ?? memoryLimit(),
    layouts: await layoutSizes(keys),
    threads,
    evict: (lane, layout) => lanes[lane]!.run("evict", layout),
  });
  metrics.memoryLimitBytes.set(slots.limit);
  metrics.onScrape(() => metrics.keysLoadedBytes.set(slots.status().keys));
  const keySet = keys.parsed().digest;
  const handlers = makeHandlers({
    queue,
    store,
    keySet,
    worker: id,
    verifyKeys: () => verifyKeys(keys),
    // a coordinator logs it itself
    onRefused: onRefused ?? ((worker, kind, why) => log.warn({ worker, kind, why }, "a result was refused")),
  });
  const identity: WorkerDescription = {
    id,
    version: VERSION,
    protocol: PROTOCOL,
    keySet,
    host: hostname(),
    pid: process.pid,
    kinds,
    concurrency,
    threads: all,
    backend,
    since: Date.now(),
  };
  log.info(
    { worker: id, kinds, concurrency, threads, backend, memory: slots.limit, keySet, keys: keys.path },
    "computes",
  );
  return new WorkerService({
    queue,
    handlers: traced(handlers, id, wants),
    lanes,
    slots,
    identity,
    drainMs: FOREVER,
    heartbeatMs: HEARTBEAT,
    jobTimeoutMs: jobTimeout,
    // any blob: whether it is there does not matter, an answer does
    probe: async (signal) => void (await store.has("0".repeat(64), signal)),
    onEvent: (event) => count(event, metrics),
    log: log.child({ worker: id }),
  });
}

/** Handlers in spans of their blocks' traces; those whose results nobody wants any more don't begin. */
function traced(
  handlers: Readonly<Record<JobKind, JobHandler>>,
  worker: string,
  wants: (job: string) => boolean,
): Readonly<Record<JobKind, JobHandler>> {
  const wrap =
    (kind: JobKind, handler: JobHandler): JobHandler =>
    (delivery, executor) => {
      const { id, attempt, waited } = delivery;
      if (!wants(id)) {
        throw new JobError({ code: "JOB_CANCELLED", message: "its block has ended", retryable: false, worker });
      }
      const block = ownerOf(id)?.block;
      const attributes = { kind, job: id, block, worker, attempt, waited };
      const parent = block === undefined ? undefined : parentOfBlock(block);
      return span(`job ${kind}`, attributes, () => handler(delivery, executor), parent);
    };
  return Object.fromEntries(JOB_KINDS.map((kind) => [kind, wrap(kind, handlers[kind])])) as Record<JobKind, JobHandler>;
}

/** What happens in a worker, as metrics. */
function count(event: WorkerEvent, metrics: JobMetrics): void {
  if (event.type === "begun") {
    metrics.jobsActive.inc({ kind: event.kind });
    metrics.jobWaitSeconds.observe({ kind: event.kind }, event.waited / 1000);
  } else if (event.type === "ended") {
    const { kind, outcome, ms, backend = "none" } = event;
    metrics.jobsActive.dec({ kind });
    metrics.jobsTotal.inc({ kind, outcome });
    if (outcome === "completed") metrics.jobDurationSeconds.observe({ kind, backend }, ms / 1000);
  }
}

/** Whether a queue answers, and soon: a client that was connected before waits for it longer than whoever asks here. */
async function answers(queue: Queue): Promise<boolean> {
  const ping = queue.ping().then(
    () => true,
    () => false,
  );
  return Promise.race([ping, sleep(QUEUE_ANSWER, false, { ref: false })]);
}

/** Looks at a trace, which may have been made to take long. @throws TraceError `TRACE_LIMIT`; as `Compute.inspect` */
async function inspect(inspector: Executor, trace: Uint8Array, aborted: AbortSignal) {
  const late = AbortSignal.timeout(INSPECTION);
  const refuse = (got: string) =>
    new TraceError("takes too long or too much memory to read", { code: "TRACE_LIMIT", where: "trace", got });
  try {
    return await inspector.run("inspect", trace, AbortSignal.any([aborted, late]));
  } catch (error) {
    if (codeOf(error) === "EXECUTOR_LOST") throw refuse("more memory than there is for it");
    if (late.aborted && !aborted.aborted) throw refuse(`more than ${INSPECTION / 1000} s`);
    throw error;
  }
}

/** What the queue says, for a scrape. */
async function watchQueue(queue: Queue, metrics: ReturnType<typeof coordinatorMetrics>): Promise<void> {
  const up = await answers(queue);
  metrics.redisUp.set(up ? 1 : 0);
  if (!up) return;
  const [workers] = await Promise.all([
    queue.workers(),
    ...JOB_KINDS.map(async (kind) => {
      const { oldestWaiting, waitingChildren, ...states } = await queue.counts(kind);
      const all = { ...states, waiting_children: waitingChildren };
      for (const [state, jobs] of Object.entries(all)) metrics.queueDepth.set({ kind, state }, jobs);
      metrics.queueOldestSeconds.set({ kind }, oldestWaiting / 1000);
    }),
  ]);
  metrics.workers.set(workers.filter(({ kinds }) => kinds.includes("prove")).length);
}

/** Host and process: unlike those of other workers. In a container the process often has the same number, its host a name of its own. */
const ownName = (): string =>
  `${hostname()
    .replace(/[^0-9a-zA-Z._-]/g, "-")
    .slice(0, 60)}-${process.pid}`;

/** Two workers of one name are taken for one. */
async function warnOfTwin(queue: Queue, id: string, log: Log): Promise<void> {
  const twin = (await queue.workers().catch(() => [])).find((worker) => worker.id === id);
  if (twin === undefined) return;
  const { host, pid } = twin;
  log.warn({ worker: id, host, pid }, "a worker of this name is there, or was until a moment ago; names should differ");
}

/** Connects to Redis, which may be starting as well. */
async function openQueue(
  url: string,
  { redisPrefix, lease }: { readonly redisPrefix: string; readonly lease: number },
  log: Log,
  signal: AbortSignal,
): Promise<Queue> {
  const onWarning = (message: string) => log.warn({}, message);
  const started = performance.now();
  for (let told = false; ; ) {
    signal.throwIfAborted();
    try {
      return await BullQueue.open(url, { prefix: redisPrefix, lockDuration: lease, onWarning });
    } catch (error) {
      const refused = error instanceof NetworkError && /WRONGPASS|NOAUTH|NOPERM/.test(error.got ?? "");
      if (codeOf(error) !== "QUEUE_UNAVAILABLE" || refused || performance.now() - started > QUEUE_PATIENCE) throw error;
      if (!told) log.warn({ err: error }, "Redis does not answer; waiting for it");
      told = true;
      await sleep(RETRY, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

/** The keys that the coordinator has published, once there is one. */
async function keysOfNetwork(
  queue: Queue,
  store: Store,
  cache: string,
  log: Log,
  signal: AbortSignal,
): Promise<KeyFolder> {
  let told: string | undefined;
  const tell = (what: string, fields: object = {}) => {
    if (what !== told) log.info(fields, what);
    told = what;
  };
  for (;;) {
    signal.throwIfAborted();
    try {
      const network = await queue.description();
      if (network !== undefined) {
        if (network.protocol !== PROTOCOL) {
          const details = { code: "NETWORK_PROTOCOL", where: queue.name, expected: network.protocol, got: PROTOCOL };
          throw new NetworkError("the network has another protocol", details);
        }
        tell("fetching the keys of the network", { store: store.name, manifest: network.manifest });
        return await fetchKeys(store, network.manifest, cache, {
          signal,
          onProgress: ({ stage, done, total }) => log.debug({ stage, done, total }, "keys"),
        });
      }
      tell("no coordinator has described the network yet; waiting");
    } catch (error) {
      // a coordinator that is starting, or starting again
      if (!["QUEUE_UNAVAILABLE", "STORE_UNAVAILABLE", "STORE_MISSING"].includes(String(codeOf(error)))) throw error;
      if (told !== String(codeOf(error))) log.warn({ err: error }, "the keys can't be had; trying again");
      told = String(codeOf(error));
    }
    await sleep(RETRY, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Digests of a folder of keys: of its manifest, which names it in the network, and of its files. */
async function blobsOf({ path }: KeyFolder): Promise<{ readonly manifest: Digest; readonly files: readonly Digest[] }> {
  const where = join(path, MANIFEST);
  const bytes = await readFile(where);
  return { manifest: digestOf(bytes), files: Object.values(parseManifest(bytes.toString("utf8"), where).files) };
}

/** The token in the folder of a coordinator's data; a new one if there is none. */
async function ownToken(data: string, log: Log): Promise<string> {
  const path = join(data, "token");
  try {
    await mkdir(data, { recursive: true });
    try {
      await writeFile(path, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
      log.info({ path }, "made a token: workers and who submits blocks need it");
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      log.info({ path }, "the token is in this file");
    }
    // whatever the umask or somebody's copy made of it
    await chmod(path, 0o600);
  } catch (error) {
    throw storeFailure(path, error);
  }
  return await readToken(path);
}

/** @throws NetworkError `CONFIG_INVALID` */
async function listenOn(app: FastifyInstance, { host, port }: Address): Promise<Address> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw cannotListen({ host, port }, error);
  }
  const bound = app.server.address();
  return { host, port: typeof bound === "object" && bound !== null ? bound.port : port };
}
