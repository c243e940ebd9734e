/**
 * What the services count, for Prometheus. No label says which block, job or worker it was: their number has no bound, logs
 * have them.
 *
 * @module
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { JOB_KINDS } from "../network/jobs.js";
import { VERSION } from "../version.js";

/** Longest that what is asked for at a scrape may take, milliseconds. */
const SCRAPE_TIMEOUT = 2000;

/** Seconds that blocks and jobs take: 50 ms to about a quarter of an hour. */
const WORK_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 960];
/** Seconds that a block's proof takes to be verified. */
const VERIFY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Options of the functions that make metrics. */
export interface MetricsOptions {
  /** Version of the network's protocol, for `chunkproof_build_info`. */
  readonly protocol?: string | undefined;
  /** Counts the process as well: memory, processor, event loop, garbage. They can't be stopped, so tests do without. */
  readonly process?: boolean | undefined;
}

/** What the metrics of all services have. */
export interface ServiceMetrics {
  readonly registry: Registry;
  /**
   * Called before each scrape, for gauges that are read from elsewhere. It may fail or hang: the scrape then goes on without it.
   *
   * @returns what ends that.
   */
  onScrape(update: () => void | Promise<void>): () => void;
  /** The text that Prometheus gets. */
  scrape(): Promise<string>;
  readonly contentType: string;
}

/** Registries of one service. */
class Metrics implements ServiceMetrics {
  readonly registry = new Registry();
  readonly #updates = new Set<() => void | Promise<void>>();

  constructor(service: string, { protocol = "unknown", process = false }: MetricsOptions) {
    this.gauge("chunkproof_build_info", "What runs here; always 1", ["version", "protocol", "service"]).set(
      { version: VERSION, protocol, service },
      1,
    );
    if (process) collectDefaultMetrics({ register: this.registry });
  }

  /** @param labels values of each label where they are known: what begins with its first event never seems to have risen. */
  counter<L extends string>(name: string, help: string, labels: Readonly<Record<L, readonly string[]>>): Counter<L> {
    const labelNames = Object.keys(labels) as L[];
    const counter = new Counter({ name, help, labelNames, registers: [this.registry] });
    let all: Partial<Record<L, string>>[] = [{}];
    for (const label of labelNames)
      all = all.flatMap((one) => labels[label].map((value) => ({ ...one, [label]: value })));
    for (const one of all) counter.inc(one, 0);
    return counter;
  }

  gauge<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly L[] = [],
  ): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this.registry] });
  }

  onScrape(update: () => void | Promise<void>): () => void {
    this.#updates.add(update);
    return () => this.#updates.delete(update);
  }

  async scrape(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, SCRAPE_TIMEOUT);
      timer.unref();
    });
    try {
      await Promise.race([bound, Promise.allSettled([...this.#updates].map(async (update) => update()))]);
    } finally {
      clearTimeout(timer);
    }
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }
}

/** The public part of {@link Metrics} and a service's own. */
const withMetrics = <T extends object>(metrics: Metrics, own: T): ServiceMetrics & T => ({
  registry: metrics.registry,
  onScrape: (update) => metrics.onScrape(update),
  scrape: () => metrics.scrape(),
  contentType: metrics.contentType,
  ...own,
});

/** Metrics of who does jobs. */
const jobMetrics = (m: Metrics) => ({
  jobsTotal: m.counter("chunkproof_jobs_total", "Jobs that were begun here and have ended", {
    kind: JOB_KINDS,
    outcome: ["completed", "retried", "failed", "lost", "handed_back"],
  }),
  /** `backend`: as the result says; `none` for jobs that are done without one. */
  jobDurationSeconds: m.histogram(
    "chunkproof_job_duration_seconds",
    "Time that jobs took which were completed",
    WORK_SECONDS,
    ["kind", "backend"],
  ),
  jobWaitSeconds: m.histogram("chunkproof_job_wait_seconds", "From a job's being ready to its delivery", WORK_SECONDS, [
    "kind",
  ]),
  jobsActive: m.gauge("chunkproof_jobs_active", "Jobs being done", ["kind"]),
  keysLoadedBytes: m.gauge("chunkproof_keys_loaded_bytes", "Memory of the keys that are loaded, as estimated"),
  memoryLimitBytes: m.gauge("chunkproof_memory_limit_bytes", "Memory that keys and jobs may take"),
});
export type JobMetrics = ReturnType<typeof jobMetrics>;

/**
 * Metrics of a coordinator: each is called as Prometheus calls it, without `chunkproof_`, in camel case. What it computes itself
 * it counts as a worker does.
 */
export function coordinatorMetrics(options: MetricsOptions = {}) {
  const m = new Metrics("coordinator", options);
  return withMetrics(m, {
    blocksTotal: m.counter("chunkproof_blocks_total", "Blocks that have ended", {
      result: ["proved", "failed", "cancelled"],
    }),
    blocksUnfinished: m.gauge("chunkproof_blocks_unfinished", "Blocks that were accepted and have not ended"),
    blockDurationSeconds: m.histogram(
      "chunkproof_block_duration_seconds",
      "From accepting a block to its proof",
      WORK_SECONDS,
    ),
    /** `state`: `waiting`, `active`, `delayed`, `waiting_children`, `completed`, `failed`. */
    queueDepth: m.gauge("chunkproof_queue_depth", "Jobs in the queue", ["kind", "state"]),
    queueOldestSeconds: m.gauge("chunkproof_queue_oldest_seconds", "How long the first in line has been waiting", [
      "kind",
    ]),
    resultsRefusedTotal: m.counter("chunkproof_results_refused_total", "Results that were bad", {
      kind: ["commit", "prove"],
    }),
    workRepeatedTotal: m.counter("chunkproof_work_repeated_total", "Jobs done again", { kind: JOB_KINDS }),
    workers: m.gauge("chunkproof_workers", "Workers that prove"),
    httpRequestsTotal: m.counter("chunkproof_http_requests_total", "Requests answered", {
      method: [],
      route: [],
      status: [],
    }),
    httpRequestsInFlight: m.gauge("chunkproof_http_requests_in_flight", "Requests being answered"),
    storeBytesTotal: m.counter("chunkproof_store_bytes_total", "Bytes of blobs and proofs over HTTP", {
      direction: ["in", "out"],
    }),
    redisUp: m.gauge("chunkproof_redis_up", "1 if the queue answers"),
    ...jobMetrics(m),
  });
}
export type CoordinatorMetrics = ReturnType<typeof coordinatorMetrics>;

/** Metrics of a worker, named as those of {@link coordinatorMetrics}. */
export function workerMetrics(options: MetricsOptions = {}) {
  const m = new Metrics("worker", options);
  return withMetrics(m, jobMetrics(m));
}
export type WorkerMetrics = ReturnType<typeof workerMetrics>;

/** Metrics of a replica, named as those of {@link coordinatorMetrics}. */
export function replicaMetrics(options: MetricsOptions = {}) {
  const m = new Metrics("replica", options);
  return withMetrics(m, {
    replicaHead: m.gauge("chunkproof_replica_head", "Number of the last block that was verified"),
    replicaFeedTip: m.gauge("chunkproof_replica_feed_tip", "Number of the last block that the feed has"),
    replicaLagBlocks: m.gauge("chunkproof_replica_lag_blocks", "Blocks of the feed that are not verified yet"),
    replicaBehindSeconds: m.gauge(
      "chunkproof_replica_behind_seconds",
      "Age of the head while the feed has more; else 0",
    ),
    replicaBlocksTotal: m.counter("chunkproof_replica_blocks_total", "Blocks that were verified", {
      result: ["valid", "invalid"],
    }),
    replicaVerifyDurationSeconds: m.histogram(
      "chunkproof_replica_verify_duration_seconds",
      "Time to verify a block",
      VERIFY_SECONDS,
    ),
    replicaStalled: m.gauge("chunkproof_replica_stalled", "1 if the chain does not go on without somebody's help"),
    /** `method`: of those that are served, or `unknown`; `result`: `ok`, `error`. */
    rpcRequestsTotal: m.counter("chunkproof_rpc_requests_total", "Calls of JSON-RPC", { method: [], result: [] }),
  });
}
export type ReplicaMetrics = ReturnType<typeof replicaMetrics>;
