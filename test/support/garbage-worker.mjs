/**
 * A worker that hands in garbage, in ways that a broken or hostile one might: `node garbage-worker.mjs <redis> <store>`. It
 * takes its time, so that the others get some of the jobs.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { BullQueue } from "../../dist/network/queue-bullmq.js";
import { HttpStore } from "../../dist/network/store-http.js";

const [redis, origin] = process.argv.slice(2);
const queue = await BullQueue.open(redis, { lockDuration: 2000 });
const store = new HttpStore(origin, { token: process.env.CHUNKPROOF_TOKEN });
const done = { worker: "garbage", ms: 1 };
const INFINITY = `40${"00".repeat(31)}`;
/** The generator of G1, compressed: a point, and no commitment to anything here. */
const ONE = `${"00".repeat(31)}01`;
let proofs = 0;
let commitments = 0;

/** What is handed in for a proof, one after the other. */
const GARBAGE = [
  // bytes that are no proof
  async () => ({ ...done, backend: "none", proof: await store.put(crypto.getRandomValues(new Uint8Array(224))) }),
  // not even a blob
  async () => ({ ...done, backend: "none", proof: "ab".repeat(32) }),
  // the key to another kind of blob
  async (data) => ({ ...done, backend: "none", proof: data.columns }),
  // a right commitment, disputed
  async () => ({ ...done, backend: "none", proof: null }),
  // no result
  async () => ({ proof: { $ne: 1 } }),
  async () => "garbage",
  // far too long
  async () => ({ ...done, backend: "none", proof: await store.put(new Uint8Array(1 << 20)) }),
];
/** For a commitment: no commitment, none that is one, and one to nothing at all, which only the proof shows to be wrong. */
const COMMITMENTS = [
  { ...done, backend: "none", d: ONE, p: ONE },
  { ...done, backend: "none", d: "zz", p: 7 },
  { ...done, backend: "none", d: INFINITY, p: INFINITY },
];

const consumers = [
  queue.consume(
    "prove",
    async ({ id, data }) => {
      await sleep(400);
      console.log(JSON.stringify({ kind: "prove", id, species: proofs % GARBAGE.length }));
      return GARBAGE[proofs++ % GARBAGE.length](data);
    },
    { concurrency: 1 },
  ),
  queue.consume(
    "commit",
    async ({ id }) => {
      await sleep(100);
      console.log(JSON.stringify({ kind: "commit", id, species: commitments % COMMITMENTS.length }));
      return COMMITMENTS[commitments++ % COMMITMENTS.length];
    },
    { concurrency: 1 },
  ),
];

process.on("SIGTERM", async () => {
  await Promise.all(consumers.map((consumer) => consumer.close()));
  await queue.close();
});
