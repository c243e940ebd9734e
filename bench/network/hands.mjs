/**
 * A process with fake workers, each with a queue of its own, as if it were a process of its own.
 *
 * @module
 */

import { chunkHandlers, digestOf, fakeWorker, log } from "./fake.mjs";
import { MeasuredQueue } from "./queue.mjs";
import { answer } from "./stage.mjs";

/** Milliseconds between reports. */
const REPORT = 500;

/** @type {any[]} */
const workers = [];
/** @type {any[]} */
const queues = [];
/** @type {any[]} */
let jobs = [];
/** What happened, by its name. @type {Record<string, number>} */
const counts = {};
const count = (/** @type {string} */ what) => {
  counts[what] = (counts[what] ?? 0) + 1;
};

/**
 * Exponential, bounded, the same for the same job.
 *
 * @param {Record<string, number>} means by kind, milliseconds; 0: nothing is waited for
 * @param {number} bound in means
 */
const pauses = (means, bound) => (/** @type {string} */ kind, /** @type {string} */ id) => {
  const mean = means[kind];
  if (mean === 0) return 0;
  const uniform = (Number.parseInt(digestOf(id).slice(0, 12), 16) + 1) / 2 ** 48;
  return mean * Math.min(bound, -Math.log(uniform));
};

const report = () => {
  if (jobs.length > 0) tell({ jobs });
  jobs = [];
};

const tell = answer({
  async open({ url, prefix, first, workers: many, concurrency, means, bound }) {
    const pause = pauses(means, bound);
    const begin = async (/** @type {number} */ i) => {
      const id = `worker-${i}`;
      const queue = await MeasuredQueue.open(url, {
        prefix,
        onWarning: (/** @type {string} */ message) => {
          count("warnings");
          log.warn({ worker: id }, message);
        },
      });
      queues.push(queue);
      let ready = () => {};
      const isReady = new Promise((resolve) => {
        ready = () => resolve(undefined);
      });
      const worker = fakeWorker({
        ...{ queue, id, kinds: ["commit", "prove"], concurrency },
        handlers: chunkHandlers({ worker: id, pause, done: (job) => jobs.push(job) }),
        onEvent: (event) => {
          if (event.type === "ready" && event.ready) ready();
          else if (event.type === "refused") count(`${event.kind} refused ${event.why}`);
          else if (event.type === "ended") count(`${event.kind} ${event.outcome}`);
        },
      });
      workers.push(worker);
      worker.run().catch((/** @type {any} */ error) => {
        console.error(id, error);
        process.exit(1);
      });
      await isReady;
    };
    // not all at once: that is not what is measured
    const waiting = Array.from({ length: many }, (_, i) => first + i);
    const lane = async () => {
      for (let i = waiting.shift(); i !== undefined; i = waiting.shift()) await begin(i);
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    setInterval(report, REPORT);
  },
  /** Everything so far. */
  async flush() {
    report();
    return counts;
  },
  async close() {
    await Promise.all(workers.map((worker) => worker.drain()));
    await Promise.all(queues.map((queue) => queue.close()));
    report();
    return counts;
  },
});
