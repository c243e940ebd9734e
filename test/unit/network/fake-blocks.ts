/**
 * Blocks without mathematics: traces that say how many chunks they have, and handlers that do every job at once.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { Inspected } from "../../../src/network/compute.js";
import { Coordinator, type CoordinatorOptions } from "../../../src/network/coordinator.js";
import { type JobData, type JobKind, jobId, ownerOf, readData } from "../../../src/network/jobs.js";
import type { Consumer, Delivery, Handler, Json, NetworkDescription, Queue } from "../../../src/network/queue.js";
import { MemoryQueue } from "../../../src/network/queue-memory.js";
import { Registry } from "../../../src/network/registry.js";
import { digestOf } from "../../../src/network/store.js";
import { FolderStore } from "../../../src/network/store-folder.js";
import { TraceError } from "../../../src/trace/errors.js";

export const KEY_SET = "ab".repeat(32);
export const NETWORK: NetworkDescription = { version: "0", protocol: "0", keySet: KEY_SET, manifest: "cd".repeat(32) };
export const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface FakeTrace {
  readonly number: number;
  readonly chunks?: number;
  readonly chainId?: string;
  /** Makes another block of the same number. */
  readonly salt?: string;
}

const word = (text: string): string => `0x${digestOf(new TextEncoder().encode(text))}`;

export function traceOf({ number, chunks = 2, chainId = "1", salt = "" }: FakeTrace): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ number, chunks, chainId, salt }));
}

export async function inspect(bytes: Uint8Array): Promise<Inspected> {
  let trace: FakeTrace;
  try {
    trace = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new TraceError("is no JSON", { code: "TRACE_JSON", cause });
  }
  if (!Number.isInteger(trace.number)) throw new TraceError("no number", { code: "TRACE_FIELD", where: "number" });
  const { number, chainId = "1", salt = "" } = trace;
  const parentHash = word(`${number - 1}`);
  return { chainId, number, hash: word(`${number}${salt}`), parentHash, transactions: 1 };
}

/** A fake handler may be replaced, kind by kind. */
export type Replaced = Partial<Record<JobKind, (delivery: Delivery, usual: Handler) => Promise<Json>>>;

const bytesOf = (...parts: (string | number)[]) => new TextEncoder().encode(parts.join(" "));

/** Workers that do everything at once. */
export class FakeWorkers {
  /** Jobs that were done, by their ids; more than one for those that were done again. */
  readonly done: string[] = [];
  readonly #consumers: Consumer[];

  constructor(
    readonly queue: Queue,
    readonly store: FolderStore,
    replaced: Replaced = {},
    kinds: readonly JobKind[] = ["plan", "commit", "challenge", "prove", "assemble"],
  ) {
    const usual: Record<JobKind, Handler> = {
      plan: (delivery) => this.#plan(readData("plan", delivery.data), delivery),
      commit: async () => ({ d: "01".repeat(32), p: "02".repeat(32), backend: "fake" }),
      challenge: (delivery) => this.#challenge(readData("challenge", delivery.data), delivery),
      prove: async ({ data, id }) => {
        const { chunk } = readData("prove", data);
        const proof = new Uint8Array(224).fill(chunk + 1);
        proof.set(bytesOf(id));
        return { proof: await store.put(proof), backend: "fake" };
      },
      assemble: async ({ id, data }) => {
        const proof = bytesOf("proof of", id, readData("assemble", data).chunks.length);
        return { proof: await store.put(proof), bytes: proof.length, repaired: { commitments: 0, proofs: 0 } };
      },
    };
    this.#consumers = kinds.map((kind) => {
      const handler = async (delivery: Delivery): Promise<Json> => {
        const result = await (replaced[kind]?.(delivery, usual[kind]) ?? usual[kind](delivery));
        this.done.push(delivery.id);
        return { worker: `fake-${kind}`, ms: 1, ...(result as object) };
      };
      return queue.consume(kind, handler, { concurrency: 4 });
    });
  }

  /** How often jobs of this kind were done. */
  count(kind: JobKind): number {
    return this.done.filter((id) => id.includes(`-${kind}`)).length;
  }

  async close(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.close({ abandon: true })));
  }

  async #plan(data: JobData<"plan">, delivery: Delivery): Promise<Json> {
    const { store, queue } = this;
    const { block, number, keySet, attempts, priority } = data;
    const trace = await store.get(data.trace);
    const { chunks: count = 2 } = JSON.parse(new TextDecoder().decode(trace)) as FakeTrace;
    const [skeleton, state] = [await store.put(bytesOf("skeleton", block)), await store.put(bytesOf("state", block))];
    const chunks = [];
    for (let i = 0; i < count; i++) chunks.push({ layout: 0, columns: await store.put(bytesOf("columns", block, i)) });
    const { run } = ownerOf(delivery.id)!;
    const common = { block, number, keySet };
    await queue.add(
      {
        ...{ kind: "challenge", id: jobId.challenge(block, run), priority, attempts },
        data: { ...common, skeleton, state, chunks, attempts, priority },
      },
      chunks.map((chunk, i) => ({
        ...{ kind: "commit", id: jobId.commit(block, run, i), priority, attempts },
        data: { ...common, chunk: i, ...chunk },
      })),
    );
    const named = chunks.map((chunk) => ({ ...chunk, name: "fake" }));
    return { skeleton, state, chunks: named, steps: 10 * count, rows: 100 * count };
  }

  async #challenge(data: JobData<"challenge">, delivery: Delivery): Promise<Json> {
    const { block, number, keySet, skeleton, state, attempts, priority } = data;
    const { run } = ownerOf(delivery.id)!;
    const { failures } = await delivery.children();
    if (failures.size > 0) {
      throw new Error([...failures.values()].map(({ message }) => message).join());
    }
    const drawn = { alpha: "03".repeat(32), beta: "04".repeat(32) };
    const points = { d: "01".repeat(32), p: "02".repeat(32) };
    const common = { block, number, keySet };
    await this.queue.add(
      {
        ...{ kind: "assemble", id: jobId.assemble(block, run), priority, attempts },
        data: {
          ...{ ...common, skeleton, state, ...drawn, round: 0, corrected: 0, attempts, priority },
          chunks: data.chunks.map((chunk, i) => ({
            ...{ ...chunk, ...points },
            ...{ job: jobId.prove(block, run, i, 0), tries: 0 },
          })),
        },
      },
      data.chunks.map((chunk, i) => ({
        ...{ kind: "prove", id: jobId.prove(block, run, i, 0), priority, attempts },
        data: { ...common, chunk: i, ...chunk, ...points, ...drawn },
      })),
    );
    return { ...drawn, repaired: [], commitments: data.chunks.map(() => "05".repeat(64)) };
  }
}

/** What has to be ended after a test, last first. */
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Ends something after the test. */
export function cleanup(work: () => Promise<unknown>): void {
  cleanups.push(work);
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "chunkproof-coordinator-"));
  cleanup(() => rm(folder, { recursive: true, force: true, maxRetries: 9, retryDelay: 20 }));
  return folder;
}

export interface World {
  readonly data: string;
  readonly store: FolderStore;
  readonly queue: MemoryQueue;
  readonly registry: Registry;
  readonly coordinator: Coordinator;
}

/** A coordinator on a folder, started. */
export async function world(
  data: string,
  options: Partial<CoordinatorOptions> & { readonly start?: boolean } = {},
): Promise<World> {
  const { start = true, ...more } = options;
  const store = (options.store as FolderStore | undefined) ?? new FolderStore(join(data, "store"));
  const queue = (options.queue as MemoryQueue | undefined) ?? new MemoryQueue({ backoff: 5 });
  const registry = options.registry ?? (await Registry.open(data));
  const coordinator = new Coordinator({
    ...{ queue, store, registry, network: NETWORK, keep: [], inspect, log: silent, reconcileMs: 20 },
    confirm: async () => undefined,
    ...more,
  });
  cleanup(async () => {
    await coordinator.close();
    await queue.close();
  });
  if (start) await coordinator.start();
  return { data, store, queue, registry, coordinator };
}

/** Waits until something holds. */
export async function until<T>(
  what: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 5000,
): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await what();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until a block has come to an end, and all that is left of it is gone. */
export async function ended({ coordinator, registry }: World, id: string, state = "proved") {
  await until(() => registry.get(id)?.tidy === true || registry.get(id)?.state === "failed");
  const status = coordinator.status(id);
  if (status.state !== state) throw new Error(`${status.state}: ${JSON.stringify(status.failure)}`);
  return status;
}
