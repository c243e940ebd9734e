/**
 * A process with the real coordinator on the real queue; the jobs that it does itself are those of `fake.mjs`.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { Coordinator } from "../../dist/network/coordinator.js";
import { Registry } from "../../dist/network/registry.js";
import { FolderStore } from "../../dist/network/store-folder.js";
import { blockHandlers, digestOf, fakeWorker, log, NETWORK } from "./fake.mjs";
import { MeasuredQueue } from "./queue.mjs";
import { answer, now } from "./stage.mjs";

/** @type {any} */
let coordinator;
/** Moments of each block, by name. @type {Map<string, Record<string, number>>} */
const marks = new Map();
/** Events of the queue, by what they say. @type {Record<string, number>} */
const events = {};

const mark = (/** @type {string} */ block, /** @type {string} */ what, /** @type {number} */ at) => {
  const known = marks.get(block) ?? {};
  marks.set(block, { ...known, [what]: at });
};

const tell = answer({
  async open({ url, prefix, dir, chunks, concurrency }) {
    const onWarning = (/** @type {string} */ message) => log.warn({}, message);
    const queue = await MeasuredQueue.open(url, { prefix, onWarning });
    const store = new FolderStore(`${dir}/store`);
    const registry = await Registry.open(dir);
    coordinator = new Coordinator({
      queue,
      store,
      registry,
      network: NETWORK,
      keep: [],
      // a trace is the number of its block
      inspect: async (trace) => {
        const number = Number(Buffer.from(trace).toString());
        return {
          ...{ chainId: "1", number, transactions: 0 },
          ...{ hash: `0x${digestOf(`${number}`)}`, parentHash: `0x${digestOf(`${number - 1}`)}` },
        };
      },
      log,
      hooks: {},
    });
    queue.follow(({ kind, type }) => {
      events[`${kind} ${type}`] = (events[`${kind} ${type}`] ?? 0) + 1;
    });
    await coordinator.start();
    const worker = fakeWorker({
      ...{ queue, id: "coordinator", kinds: ["plan", "challenge", "assemble"], concurrency },
      handlers: blockHandlers({
        ...{ queue, worker: "coordinator", chunks, mark },
        async proof() {
          const bytes = randomBytes(1000);
          return { digest: await store.put(bytes), bytes: bytes.length };
        },
      }),
    });
    worker.run().catch((/** @type {any} */ error) => {
      console.error(error);
      process.exit(1);
    });
    void follow();
  },
  /** Submits a block. */
  async submit({ number }) {
    const at = now();
    const { status } = await coordinator.submit(Buffer.from(`${number}`));
    mark(status.id, "submitted", at);
    mark(status.id, "accepted", now());
    return { id: status.id };
  },
  async workers() {
    return (await coordinator.network()).workers.length;
  },
  events: () => events,
});

/** Tells of each block that has ended. */
async function follow() {
  for await (const { type, data } of coordinator.events({ buffer: 1e6 })) {
    if (type !== "end") continue;
    mark(data.id, "ended", now());
    const { work, failure } = coordinator.status(data.id);
    tell({ id: data.id, state: data.state, work, failure, marks: marks.get(data.id) });
    marks.delete(data.id);
  }
}
