import { describe, expect, test, vi } from "vitest";
import { coordinatorMetrics, replicaMetrics, workerMetrics } from "../../../src/service/metrics.js";
import { VERSION } from "../../../src/version.js";

const names = (metrics: { registry: { getMetricsAsArray(): { name: string }[] } }) =>
  metrics.registry.getMetricsAsArray().map(({ name }) => name);

/** Who does jobs counts them. */
const JOBS = [
  "chunkproof_jobs_total",
  "chunkproof_job_duration_seconds",
  "chunkproof_job_wait_seconds",
  "chunkproof_jobs_active",
  "chunkproof_keys_loaded_bytes",
  "chunkproof_memory_limit_bytes",
];

describe("metrics of the services", () => {
  test("have the names that dashboards know", () => {
    expect(names(coordinatorMetrics())).toEqual([
      "chunkproof_build_info",
      "chunkproof_blocks_total",
      "chunkproof_blocks_unfinished",
      "chunkproof_block_duration_seconds",
      "chunkproof_queue_depth",
      "chunkproof_queue_oldest_seconds",
      "chunkproof_results_refused_total",
      "chunkproof_work_repeated_total",
      "chunkproof_workers",
      "chunkproof_http_requests_total",
      "chunkproof_http_requests_in_flight",
      "chunkproof_store_bytes_total",
      "chunkproof_redis_up",
      ...JOBS,
    ]);
    expect(names(workerMetrics())).toEqual(["chunkproof_build_info", ...JOBS]);
    expect(names(replicaMetrics())).toEqual([
      "chunkproof_build_info",
      "chunkproof_replica_head",
      "chunkproof_replica_feed_tip",
      "chunkproof_replica_lag_blocks",
      "chunkproof_replica_behind_seconds",
      "chunkproof_replica_blocks_total",
      "chunkproof_replica_verify_duration_seconds",
      "chunkproof_replica_stalled",
      "chunkproof_rpc_requests_total",
    ]);
  });

  test("are fields named as Prometheus names them, without the prefix", () => {
    for (const metrics of [coordinatorMetrics(), workerMetrics(), replicaMetrics()]) {
      const fields = Object.keys(metrics).filter(
        (name) => !["registry", "onScrape", "scrape", "contentType"].includes(name),
      );
      const snake = fields.map((name) => `chunkproof_${name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}`);
      expect(["chunkproof_build_info", ...snake]).toEqual(names(metrics));
    }
  });

  test("two in one process are apart", async () => {
    const [a, b] = [workerMetrics({ protocol: "3" }), workerMetrics()];
    a.jobsTotal.inc({ kind: "prove", outcome: "completed" }, 2);
    a.jobDurationSeconds.observe({ kind: "prove", backend: "wasm" }, 0.3);
    const text = await a.scrape();
    expect(text).toContain(`chunkproof_build_info{version="${VERSION}",protocol="3",service="worker"} 1`);
    expect(text).toContain('chunkproof_jobs_total{kind="prove",outcome="completed"} 2');
    expect(text).toContain('chunkproof_job_duration_seconds_bucket{le="0.5",kind="prove",backend="wasm"} 1');
    expect(await b.scrape()).toContain('chunkproof_jobs_total{kind="prove",outcome="completed"} 0');
    expect(a.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });
});

test("counters begin with 0 where their labels are known: alerts look at how they rise", async () => {
  expect(await coordinatorMetrics().scrape()).toContain('chunkproof_blocks_total{result="failed"} 0');
  expect(await coordinatorMetrics().scrape()).toContain('chunkproof_results_refused_total{kind="prove"} 0');
  expect(await replicaMetrics().scrape()).toContain('chunkproof_replica_blocks_total{result="invalid"} 0');
  expect(await coordinatorMetrics().scrape()).not.toMatch(/^chunkproof_http_requests_total/m);
});

describe("a scrape", () => {
  test("asks for what is read from elsewhere, until that is ended", async () => {
    const metrics = coordinatorMetrics();
    let depth = 3;
    const stop = metrics.onScrape(async () => metrics.blocksUnfinished.set(depth));
    expect(await metrics.scrape()).toContain("chunkproof_blocks_unfinished 3");
    stop();
    depth = 4;
    expect(await metrics.scrape()).toContain("chunkproof_blocks_unfinished 3");
  });

  test("goes on without those that fail or hang", async () => {
    const metrics = coordinatorMetrics();
    metrics.onScrape(() => {
      throw new Error("gone");
    });
    metrics.onScrape(() => Promise.reject(new Error("gone")));
    metrics.onScrape(() => metrics.workers.set(2));
    expect(await metrics.scrape()).toContain("chunkproof_workers 2");
    metrics.onScrape(() => new Promise(() => {}));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const text = metrics.scrape();
      await vi.advanceTimersByTimeAsync(2000);
      expect(await text).toContain("chunkproof_workers 2");
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

test("the process is counted only when that is asked for", async () => {
  expect(await workerMetrics().scrape()).not.toContain("process_cpu");
  const text = await replicaMetrics({ process: true }).scrape();
  expect(text).toContain("process_resident_memory_bytes");
  expect(text).toContain("nodejs_eventloop_lag_seconds");
});
