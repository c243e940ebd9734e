/**
 * A network in which nothing is computed: the real queue, the real worker service and, in `host.mjs`, the real coordinator;
 * the handlers of the jobs are these. There is no way to have them in a network but to write a program like this one.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { jobId, ownerOf } from "../../dist/network/jobs.js";
import { Slots } from "../../dist/network/slots.js";
import { WorkerService } from "../../dist/network/worker.js";
import { VERSION } from "../../dist/version.js";
import { now } from "./stage.mjs";

/** A digest of whatever it is. */
export const digestOf = (/** @type {string} */ text) => createHash("sha256").update(text).digest("hex");

/** What everybody here takes for the keys. */
export const NETWORK = {
  version: VERSION,
  protocol: "bench",
  keySet: digestOf("keys of the bench"),
  manifest: digestOf("manifest of the bench"),
};

/** As start.ts has it. */
const HEARTBEAT = 5000;
const POINT = digestOf("a point");
const SCALAR = digestOf("a challenge");

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const toStderr = (/** @type {object} */ fields, /** @type {string} */ message) =>
  console.error(new Date().toISOString(), message, fields);
/** Says what is out of the ordinary. */
export const log = { ...quiet, warn: toStderr, error: toStderr };

/**
 * A worker whose lanes are nothing: `handlers` are called with a delivery.
 *
 * @param {{ queue: any, id: string, kinds: string[], concurrency: number, handlers: Record<string, (delivery: any) => any>,
 *   onEvent?: (event: any) => void }} options
 */
export function fakeWorker({ queue, id, kinds, concurrency, handlers, onEvent }) {
  const slots = new Slots({
    lanes: concurrency,
    // a terabyte that nobody needs
    limit: 2 ** 40,
    available: () => undefined,
    layouts: [{ name: "fake", zkey: 2 ** 20 }],
    threads: 1,
    evict: async () => {},
  });
  const never = () => {
    throw new Error("not a job for this worker");
  };
  const all = { plan: never, commit: never, challenge: never, prove: never, assemble: never, ...handlers };
  return new WorkerService({
    queue,
    handlers: /** @type {any} */ (all),
    lanes: Array.from({ length: concurrency }, () => undefined),
    slots,
    identity: {
      id,
      version: VERSION,
      protocol: NETWORK.protocol,
      keySet: NETWORK.keySet,
      host: "bench",
      pid: process.pid,
      kinds: /** @type {any} */ (kinds),
      concurrency,
      threads: concurrency,
      backend: "none",
      since: Date.now(),
    },
    drainMs: 10_000,
    heartbeatMs: HEARTBEAT,
    jobTimeoutMs: 600_000,
    onEvent,
    log,
  });
}

/**
 * What workers do: nothing, or sleep.
 *
 * @param {{ worker: string, pause: (kind: "commit" | "prove", id: string) => number,
 *   done: (job: [kind: string, id: string, worker: string, begun: number, ended: number, attempt: number]) => void }} options
 *   `pause`: milliseconds
 */
export function chunkHandlers({ worker, pause, done }) {
  const handler =
    (/** @type {"commit" | "prove"} */ kind, /** @type {(id: string) => object} */ resultOf) =>
    async (/** @type {any} */ { id, attempt, signal }) => {
      const begun = now();
      const ms = pause(kind, id);
      if (ms > 0) await sleep(ms, undefined, { signal });
      const result = { worker, ms: Math.round(ms), backend: "none", ...resultOf(id) };
      done([kind, id, worker, begun, now(), attempt]);
      return result;
    };
  return {
    commit: handler("commit", () => ({ d: POINT, p: POINT })),
    prove: handler("prove", (id) => ({ proof: digestOf(id) })),
  };
}

/**
 * What the coordinator does itself: adds the jobs that follow, as `handlers.ts` does, and reads what came of them.
 *
 * @param {{ queue: any, worker: string, chunks: number, proof: () => Promise<{ digest: string, bytes: number }>,
 *   mark: (block: string, what: string, at: number) => void }} options `proof`: puts the proof of a block into the store
 */
export function blockHandlers({ queue, worker, chunks, proof, mark }) {
  const commonOf = (/** @type {any} */ { block, number, keySet }) => ({ block, number, keySet });
  const planned = (/** @type {string} */ block) =>
    Array.from({ length: chunks }, (_, i) => ({ layout: 0, columns: digestOf(`${block} ${i}`) }));
  const blobs = (/** @type {string} */ block) => ({
    skeleton: digestOf(`${block} skeleton`),
    state: digestOf(`${block} state`),
  });
  const own = { worker, ms: 0 };
  /** A job with its children, and when it was added. */
  const add = async (/** @type {any} */ job, /** @type {any[]} */ children, /** @type {string} */ what) => {
    mark(job.data.block, `${what} ready`, now());
    await queue.add(job, children);
    mark(job.data.block, `${what} added`, now());
  };
  return {
    async plan(/** @type {any} */ { id, data }) {
      const { block, attempts, priority } = data;
      mark(block, "plan begun", now());
      const { run } = /** @type {any} */ (ownerOf(id));
      const parts = planned(block);
      await add(
        {
          kind: "challenge",
          id: jobId.challenge(block, run),
          data: { ...commonOf(data), ...blobs(block), chunks: parts, attempts, priority },
          ...{ priority, attempts },
        },
        parts.map((part, i) => ({
          kind: "commit",
          id: jobId.commit(block, run, i),
          data: { ...commonOf(data), chunk: i, ...part },
          ...{ priority, attempts },
        })),
        "commit",
      );
      return { ...own, ...blobs(block), chunks: parts.map((part) => ({ ...part, name: "fake" })), steps: 0, rows: 0 };
    },
    async challenge(/** @type {any} */ delivery) {
      const { id, data } = delivery;
      const { block, attempts, priority } = data;
      mark(block, "challenge begun", now());
      const { run } = /** @type {any} */ (ownerOf(id));
      const { results, failures } = await delivery.children();
      if (results.size !== chunks || failures.size !== 0) throw new Error(`${results.size} commitments of ${chunks}`);
      const parts = data.chunks.map((/** @type {any} */ part) => ({ ...part, d: POINT, p: POINT }));
      const drawn = { alpha: SCALAR, beta: SCALAR };
      await add(
        {
          kind: "assemble",
          id: jobId.assemble(block, run),
          data: {
            ...{ ...commonOf(data), ...blobs(block), ...drawn, attempts, priority, round: 0, corrected: 0 },
            chunks: parts.map((/** @type {any} */ part, /** @type {number} */ i) => ({
              ...part,
              job: jobId.prove(block, run, i, 0),
              tries: 0,
            })),
          },
          ...{ priority, attempts },
        },
        parts.map((/** @type {any} */ part, /** @type {number} */ i) => ({
          kind: "prove",
          id: jobId.prove(block, run, i, 0),
          data: { ...commonOf(data), chunk: i, ...part, ...drawn },
          ...{ priority, attempts },
        })),
        "prove",
      );
      return { ...own, ...drawn, repaired: [], commitments: parts.map(() => POINT + POINT) };
    },
    async assemble(/** @type {any} */ delivery) {
      const { data } = delivery;
      mark(data.block, "assemble begun", now());
      const { results, failures } = await delivery.children();
      if (results.size !== chunks || failures.size !== 0) throw new Error(`${results.size} proofs of ${chunks}`);
      const { digest, bytes } = await proof();
      return { ...own, proof: digest, bytes, repaired: { commitments: 0, proofs: 0 } };
    },
  };
}
