/**
 * Brings blocks from their traces to their proofs. The registry says which blocks were accepted, the queue does the work and
 * may forget everything; the coordinator compares the two, again and again.
 *
 * The jobs of a block add each other (`handlers.ts`). The coordinator adds the first one, watches, and writes down how far a
 * block is. It can be killed at any moment: what it has accepted, another one brings to an end.
 *
 * @module
 */

import { Readable } from "node:stream";
import { ChunkproofError } from "../errors.js";
import type { Inspected } from "./compute.js";
import { NetworkError } from "./errors.js";
import { EventHub, type Progress, type SubscribeOptions, type Subscription } from "./events.js";
import { type Hashed, piecesOf } from "./files.js";
import { JOB_KINDS, type JobKind, type JobResult, jobId, ROUND, readResult } from "./jobs.js";
import type { JobFailure, JobStatus, NetworkDescription, Queue, QueueEvent, WorkerDescription } from "./queue.js";
import {
  type BlockFailure,
  type BlockRecord,
  blockId,
  type ChunkFailure,
  isFinished,
  MAX_NAMES,
  MAX_PRIORITY,
  type Registry,
  unknownBlock,
} from "./registry.js";
import { assertDigest, type Digest, type Store } from "./store.js";
import type { FolderStore } from "./store-folder.js";

/** A store that the coordinator keeps in order. */
export type BlobStore = Store & Pick<FolderStore, "putStream" | "open" | "size" | "delete" | "sweep">;

/** Where the coordinator says what it does; `pino` fits. */
export interface CoordinatorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What a coordinator counts. */
export interface CoordinatorHooks {
  /** A block has ended, so many seconds after it was accepted. */
  readonly finished?: (result: "proved" | "failed" | "cancelled", seconds: number) => void;
  /** How many have not. */
  readonly unfinished?: (count: number) => void;
  /** Jobs that are, or must be, done again. */
  readonly repeated?: (kind: JobKind, count: number) => void;
  /** A worker's result was bad. */
  readonly refused?: (kind: JobKind) => void;
}

/** Options of {@link Coordinator}. */
export interface CoordinatorOptions {
  readonly queue: Queue;
  readonly store: BlobStore;
  readonly registry: Registry;
  /** What workers have to fit. */
  readonly network: NetworkDescription;
  /** Blobs that no block refers to and that stay: the keys. Those of `network` need not be named. */
  readonly keep: readonly Digest[];
  /** Reads what a trace is about, on another thread. @throws ChunkproofError when it is none. */
  readonly inspect: (trace: Uint8Array, signal: AbortSignal) => Promise<Inspected>;
  /** Why a proof must not be handed out for the block of a trace; undefined: it is valid. */
  readonly confirm: (trace: Uint8Array, proof: Uint8Array, signal: AbortSignal) => Promise<string | undefined>;
  /** Blocks of other chains are refused. Default: those of the chain of the first block that did not come to nothing. */
  readonly chainId?: string | undefined;
  /** How often a job may be begun. Default 5. */
  readonly attempts?: number | undefined;
  /** Blocks that may be under way at the same time. Default 256. */
  readonly maxUnfinished?: number | undefined;
  /** Milliseconds that a job may take, until it is given to somebody else. Default 15 minutes. */
  readonly jobTimeout?: number | undefined;
  /** Milliseconds between looks at all blocks. Default 5 seconds. */
  readonly reconcileMs?: number | undefined;
  /** Keep the traces of blocks that are proved. Default false. */
  readonly keepTraces?: boolean | undefined;
  /** Milliseconds between sweeps of the store, and how old what is swept must be. Defaults: an hour, a day. */
  readonly sweepMs?: number | undefined;
  readonly sweepAge?: number | undefined;
  /** Refused results after which a worker is banned. Default 3. */
  readonly maxRefused?: number | undefined;
  readonly log: CoordinatorLog;
  readonly hooks?: CoordinatorHooks | undefined;
}

/** A trace that lies in the store. */
export type StoredTrace = Pick<Hashed, "digest"> & { readonly added: boolean };

/** What is said of a block. */
export interface BlockStatus extends Progress {
  readonly parentHash: string;
  readonly steps: number | null;
  readonly rows: number | null;
  readonly transactions: number;
  /** Milliseconds since 1970. */
  readonly submittedAt: number;
  readonly updatedAt: number;
  readonly finishedAt?: number;
  readonly failure?: BlockFailure;
  readonly work: BlockRecord["work"];
  readonly workers: readonly string[];
  readonly proof?: { readonly digest: Digest; readonly bytes: number };
}

/** What a replica is told. */
export interface Feed {
  readonly chainId: string | null;
  /** Highest number of a block. */
  readonly tip: number | null;
  readonly blocks: readonly {
    readonly number: number;
    readonly hash: string;
    readonly parentHash: string;
    readonly id: string;
    readonly state: BlockRecord["state"];
    readonly proof: Digest | null;
  }[];
}

/** A network and who works in it. */
export interface NetworkStatus extends NetworkDescription {
  readonly workers: readonly WorkerDescription[];
}

/** Jobs of chunks that are asked for in one look at all blocks, however many there are. */
const PROBES = 256;
/** Blocks whose remains are removed in one look. */
const TIDIED = 16;
/** Priorities that are left free below the first block, for those that are older. */
const OLDER = 2 ** 16;
/** How often a block is begun again by itself because a blob was lost. */
const MAX_RECOVERED = 3;
/** Workers whose refused results are counted. */
const MAX_SUSPECTS = 10_000;
/** Bytes of a chunk's proof: a blob of another size is none, whatever a worker says. */
const CHUNK_PROOF_BYTES = 224;
const MAX_MESSAGE = 2000;
/** Blocks of one number: what replicas are told of them has to fit into one answer. */
const MAX_SAME = 256;
/** Bytes of a block's proof. */
const MAX_PROOF = 1 << 26;

/** What is known of a block's present run beside the record; all of it can be found out again. */
interface Live {
  readonly run: number;
  readonly committed: Set<number>;
  /** Chunks whose latest prove job is done, with the digest of the proof. */
  readonly proved: Map<number, Digest | null>;
  /** Number of each chunk's latest prove job. */
  readonly attempts: Map<number, number>;
  /** Prove jobs that are done, those that no longer count included: `<chunk>-<attempt>`. */
  readonly proofs: Set<string>;
  /** Digests of chunk proofs in the store. */
  readonly blobs: Set<Digest>;
  /** Jobs in work, since when. */
  readonly active: Map<string, { readonly kind: JobKind; readonly since: number }>;
  /** Jobs whose leases were taken away, until the queue says so. */
  readonly expired: Set<string>;
  readonly workers: Set<string>;
  /** Jobs that were given to somebody else. */
  repeated: number;
}

interface JobName {
  readonly block: string;
  readonly run: number;
  readonly kind: JobKind;
  readonly chunk: number;
  readonly attempt: number;
}

const JOB_NAME = new RegExp(`^([0-9a-f]{32})-(\\d{1,9})-(${JOB_KINDS.join("|")})(?:-(\\d{1,5}))?(?:-(\\d{1,9}))?$`);

/** What the name of a job says. */
function readName(id: string): JobName | undefined {
  const found = JOB_NAME.exec(id);
  if (found === null) return undefined;
  const [, block, run, kind, chunk = "0", attempt = "0"] = found;
  return {
    block: block!,
    run: Number(run),
    kind: kind as JobKind,
    chunk: Number(chunk),
    attempt: Number(attempt),
  };
}

/** Where a block is in each state that has jobs: the one that ends the state. */
const STAGE = {
  queued: "plan",
  planning: "plan",
  committing: "challenge",
  proving: "assemble",
  assembling: "assemble",
} as const;

const codeOf = (error: unknown): string => (error instanceof ChunkproofError ? error.code : "INTERNAL");
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** See the module. */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #queue: Queue;
  readonly #store: BlobStore;
  readonly #registry: Registry;
  readonly #log: CoordinatorLog;
  readonly #hub = new EventHub();
  readonly #live = new Map<string, Live>();
  /** The last thing under way for each block. */
  readonly #locks = new Map<string, Promise<unknown>>();
  /** Traces that are being accepted. */
  readonly #pinned = new Map<Digest, number>();
  /** Runs that should have no jobs any more but had: `<block>-<run>`. */
  readonly #strays = new Set<string>();
  /** Blocks that are to be looked at, and chunks' jobs that are done. */
  readonly #kicked = new Set<string>();
  readonly #done = new Map<string, JobName>();
  readonly #suspects = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #background = new Set<Promise<unknown>>();
  #inspecting: Promise<unknown> = Promise.resolve();
  /** Places that are taken by blocks that are being accepted. */
  #reserved = 0;
  #base: number | undefined;
  #probe = 0;
  #looking: Promise<void> | undefined;
  #draining = false;
  #removing = false;
  #unfollow: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sweptAt = 0;
  #away = false;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.#queue = options.queue;
    this.#store = options.store;
    this.#registry = options.registry;
    this.#log = options.log;
  }

  /** Takes up what is unfinished. A queue that does not answer is waited for, not complained about. */
  async start(): Promise<void> {
    for (const { file, movedTo, reason } of this.#registry.damaged) {
      this.#log.error({ file, movedTo, reason }, "the record of a block is damaged; submit its trace again");
    }
    this.#sayUnfinished();
    this.#unfollow = this.#queue.follow((event) => this.#onEvent(event));
    await this.reconcile();
    this.#schedule();
  }

  /** Ends what is under way; nothing is lost by it. */
  async close(): Promise<void> {
    this.#stop.abort(new NetworkError("the coordinator ends", { code: "QUEUE_CLOSED" }));
    clearTimeout(this.#timer);
    this.#unfollow?.();
    this.#hub.close();
    await this.#looking?.catch(() => {});
    while (this.#background.size > 0) await Promise.allSettled([...this.#background]);
    await Promise.allSettled([...this.#locks.values()]);
  }

  /**
   * Accepts the block of a trace.
   *
   * When this resolves, the block will be proved, or fail for a reason of its own, whatever happens to this process, the queue
   * and the workers. When it rejects, or the process dies before, the same trace can be submitted again.
   *
   * @param trace its bytes, or what `putStream` said of them.
   * @returns `created`: false when the block was known, in whatever state.
   * @throws what `inspect` throws; NetworkError `BUSY`, `BLOCK_CHAIN`, `STORE_*`, `BLOCK_NUMBER`; `signal.reason`.
   */
  async submit(
    trace: Uint8Array | StoredTrace,
    signal?: AbortSignal,
  ): Promise<{ readonly status: BlockStatus; readonly created: boolean }> {
    const ending = this.#stop.signal;
    const ends = signal === undefined ? ending : AbortSignal.any([signal, ending]);
    ends.throwIfAborted();
    const { digest, added } = trace instanceof Uint8Array ? await this.#keep(trace, ends) : trace;
    assertDigest(digest);
    this.#pinned.set(digest, (this.#pinned.get(digest) ?? 0) + 1);
    try {
      const id = blockId(digest, this.#options.network.keySet);
      return await this.#alone(id, async () => {
        const known = this.#registry.get(id);
        if (known !== undefined) return { status: this.#statusOf(known), created: false };
        return { status: this.#statusOf(await this.#accept(id, digest, ends)), created: true };
      });
    } finally {
      const pins = this.#pinned.get(digest)! - 1;
      if (pins > 0) this.#pinned.set(digest, pins);
      else this.#pinned.delete(digest);
      // of a trace that was not accepted, or whose block is proved, nothing stays; what was there before may be anything
      if (added) {
        await this.#dropTrace(digest).catch((error) => {
          this.#log.warn({ err: error }, "a trace that nobody needs could not be removed");
        });
      }
    }
  }

  /** @throws NetworkError `BLOCK_UNKNOWN` */
  status(id: string): BlockStatus {
    return this.#statusOf(this.#record(id));
  }

  /** The part of {@link status} that events have. @throws NetworkError `BLOCK_UNKNOWN` */
  progress(id: string): Progress {
    return this.#progressOf(this.#record(id));
  }

  /**
   * The newest blocks: descending by number, those below `before`. A number's blocks come together, so there can be more than
   * `limit` of them.
   */
  list({ limit, before = Number.POSITIVE_INFINITY }: { limit: number; before?: number | undefined }): BlockStatus[] {
    return this.#gather(this.#registry.numbersBelow(before), limit).map((record) => this.#statusOf(record));
  }

  /** Blocks for replicas: ascending by number, from `from` on. A number's blocks come together, as in {@link list}. */
  feed(from: number, limit: number): Feed {
    const blocks = this.#gather(this.#registry.numbersFrom(from), limit).map(
      ({ number, hash, parentHash, id, state, proof }) => ({
        number,
        hash,
        parentHash,
        id,
        state,
        proof: proof?.digest ?? null,
      }),
    );
    return { chainId: this.#chain() ?? null, tip: this.#registry.tip ?? null, blocks };
  }

  /** What happens, from now on. */
  events(options?: SubscribeOptions): Subscription {
    return this.#hub.subscribe(options);
  }

  /** @throws NetworkError `QUEUE_UNAVAILABLE` */
  async network(): Promise<NetworkStatus> {
    return { ...this.#options.network, workers: await this.#queue.workers() };
  }

  /**
   * Ends a block before it is proved.
   *
   * @throws NetworkError `BLOCK_UNKNOWN`; `BLOCK_STATE` for one that is proved or has failed.
   */
  async cancel(id: string): Promise<BlockStatus> {
    return this.#alone(id, async () => {
      const record = this.#record(id);
      if (record.state === "cancelled") return this.#statusOf(record);
      if (isFinished(record)) throw wrongState(record, "a block that has not ended");
      await this.#finish(record, { state: "cancelled" });
      return this.status(id);
    });
  }

  /**
   * Begins a block again that has failed or was cancelled.
   *
   * @throws NetworkError `BLOCK_UNKNOWN`, `BLOCK_STATE`, `BUSY`; `STORE_MISSING` when its trace is gone: submit it again first.
   */
  async retry(id: string): Promise<BlockStatus> {
    return this.#alone(id, async () => {
      const record = this.#record(id);
      if (!["failed", "cancelled"].includes(record.state))
        throw wrongState(record, "one that has failed or was cancelled");
      if (record.keySet !== this.#options.network.keySet) throw otherKeys(record, this.#options.network.keySet);
      if (!(await this.#store.has(record.trace))) {
        throw new NetworkError("the trace is gone", { code: "STORE_MISSING", where: record.trace });
      }
      const release = this.#reserve();
      try {
        // what is left of the run before must not be taken for the new one's
        await this.#tidy(record);
        await this.#again(this.#record(id), 0);
      } finally {
        release();
      }
      this.#sayUnfinished();
      return this.status(id);
    });
  }

  /** Whether a job's result is still wanted: not when its block has ended or was begun again. Others' blocks are not known. */
  wants(job: string): boolean {
    const name = readName(job);
    const record = name === undefined ? undefined : this.#registry.get(name.block);
    return record === undefined || (!isFinished(record) && record.run === name!.run);
  }

  /** Hears from who looked at a worker's result that it was bad. Too many, and the worker gets no more jobs. */
  refused(worker: string, kind: JobKind, why = ""): void {
    this.#options.hooks?.refused?.(kind);
    this.#log.warn({ worker, kind, why }, "a result was refused");
    if (worker === "") return;
    const count = (this.#suspects.get(worker) ?? 0) + 1;
    // the last one that was seen goes last
    this.#suspects.delete(worker);
    this.#suspects.set(worker, count);
    if (this.#suspects.size > MAX_SUSPECTS) this.#suspects.delete(this.#suspects.keys().next().value!);
    const { maxRefused = 3 } = this.#options;
    if (count < maxRefused) return;
    this.#log.error({ worker, refused: count }, "the worker is banned");
    this.#inBackground(this.#queue.ban(worker, `${count} results were refused`), "a worker could not be banned");
  }

  /** Compares all blocks with the queue. Called from time to time; resolves when it is through. */
  reconcile(): Promise<void> {
    this.#looking ??= this.#reconcile().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Removes from the store what no block needs, see {@link CoordinatorOptions.sweepAge}. Called from time to time. */
  async sweep(): Promise<{ blobs: number; bytes: number }> {
    const { sweepAge = 86_400_000 } = this.#options;
    // a record that cannot be read may need anything
    if (this.#registry.damaged.some(({ movedTo }) => movedTo === undefined)) return { blobs: 0, bytes: 0 };
    for (const record of this.#registry.listUnfinished()) await this.#probeAll(record);
    const keep = this.#referenced();
    const wanted = (digest: Digest) => keep.has(digest) || this.#pinned.has(digest);
    const swept = await this.#store.sweep({ keep: wanted, olderThanMs: sweepAge, signal: this.#stop.signal });
    if (swept.blobs > 0) this.#log.info(swept, "swept the store");
    return swept;
  }

  // ---- accepting

  async #keep(trace: Uint8Array, signal: AbortSignal): Promise<StoredTrace> {
    return this.#store.putStream(Readable.from(piecesOf(trace), { objectMode: false }), { signal });
  }

  async #accept(id: string, trace: Digest, signal: AbortSignal): Promise<BlockRecord> {
    const release = this.#reserve();
    try {
      const { chainId, number, hash, parentHash, transactions } = await this.#inspect(trace, signal);
      const expected = this.#chain();
      if (expected !== undefined && chainId !== expected) {
        const details = { code: "BLOCK_CHAIN", where: "chainId", expected, got: chainId };
        throw new NetworkError("a block of another chain", details);
      }
      if (!Number.isSafeInteger(number)) {
        throw new NetworkError("too large", { code: "BLOCK_NUMBER", where: "header.number", expected: "below 2^53" });
      }
      const rivals = this.#registry
        .withNumber(number)
        .filter(({ state }) => state !== "failed" && state !== "cancelled");
      if (rivals.length >= MAX_SAME) {
        throw new NetworkError("too many blocks with one number", {
          code: "BLOCK_NUMBER",
          where: "header.number",
          expected: `at most ${MAX_SAME} blocks with number ${number}`,
        });
      }
      signal.throwIfAborted();
      const now = Date.now();
      const record: BlockRecord = {
        ...{ version: 1, id, number, hash, parentHash, chainId, transactions, trace },
        keySet: this.#options.network.keySet,
        ...{ state: "queued", run: 0, recovered: 0, priority: this.#priority(number) },
        ...{ submittedAt: now, updatedAt: now, steps: null, rows: null, chunks: 0, committed: 0, proved: 0 },
        work: { commits: 0, proofs: 0, repeated: 0, refused: 0 },
        workers: [],
        tidy: false,
      };
      // from here on the block is accepted; its job is added afterwards, by whoever finds the record
      await this.#registry.put(record);
      this.#log.info({ block: id, number, hash }, "accepted");
      this.#publish("state", record);
      await this.#addPlan(record).catch((error) => {
        this.#log.warn(
          { block: id, err: error },
          "the block is accepted; its job will be added when the queue answers",
        );
      });
      return record;
    } finally {
      release();
      this.#sayUnfinished();
    }
  }

  /** Reads one trace at a time: each may be large. */
  async #inspect(trace: Digest, signal: AbortSignal): Promise<Inspected> {
    const before = this.#inspecting;
    const mine = (async () => {
      await before.catch(() => {});
      signal.throwIfAborted();
      return this.#options.inspect(await this.#store.get(trace, signal), signal);
    })();
    this.#inspecting = mine;
    return mine;
  }

  /** Takes a place among the unfinished. @throws NetworkError `BUSY` */
  #reserve(): () => void {
    const { maxUnfinished = 256 } = this.#options;
    if (this.#registry.unfinished + this.#reserved >= maxUnfinished) {
      throw new NetworkError("too many blocks are under way", {
        code: "BUSY",
        expected: `fewer than ${maxUnfinished} unfinished blocks`,
      });
    }
    this.#reserved++;
    return () => {
      this.#reserved--;
    };
  }

  /** The chain whose blocks are taken. */
  #chain(): string | undefined {
    if (this.#options.chainId !== undefined) return this.#options.chainId;
    // a block that came to nothing decides nothing
    for (const { chainId, state } of this.#registry.all()) {
      if (state !== "failed" && state !== "cancelled") return chainId;
    }
    return undefined;
  }

  /** Older blocks first. The base stays for as long as there is a block with a priority from it. */
  #priority(number: number): number {
    const unfinished = this.#registry.listUnfinished();
    const inside = unfinished.find(({ priority }) => priority > 0 && priority < MAX_PRIORITY);
    if (inside !== undefined) this.#base = inside.number - inside.priority;
    else if (unfinished.length === 0) this.#base = undefined;
    this.#base ??= number - OLDER;
    return Math.min(MAX_PRIORITY, Math.max(0, number - this.#base));
  }

  async #addPlan({ id, run, number, keySet, trace, priority }: BlockRecord): Promise<void> {
    const { attempts = 5 } = this.#options;
    await this.#queue.add({
      kind: "plan",
      id: jobId.plan(id, run),
      data: { block: id, number, keySet, trace, attempts, priority },
      priority,
      attempts,
    });
  }

  // ---- following

  #onEvent(event: QueueEvent): void {
    const name = readName(event.id);
    if (name === undefined || event.kind !== name.kind || this.#stop.signal.aborted) return;
    const record = this.#registry.get(name.block);
    if (record === undefined) return;
    if (isFinished(record) || name.run !== record.run) {
      // somebody works for nothing: a handler that was not stopped in time has added it
      if (event.type !== "active" || name.run > record.run) return;
      this.#strays.add(`${name.block}-${name.run}`);
      this.#removeStraysSoon();
      return;
    }
    const live = this.#liveOf(record);
    const { kind, chunk, attempt } = name;
    if (event.type === "active") live.active.set(event.id, { kind, since: Date.now() });
    else if (event.type !== "progress") live.active.delete(event.id);
    // what was expired here is counted
    if (event.type === "stalled" && !live.expired.delete(event.id)) this.#countRepeated(live, kind);
    if (kind === "prove") this.#noteAttempt(live, chunk, attempt);
    if (kind === "commit" || kind === "prove") {
      if (event.type !== "completed") return;
      this.#done.set(event.id, name);
      this.#drain();
    } else if (event.type !== "progress") {
      this.#kick(name.block);
    }
  }

  #noteAttempt(live: Live, chunk: number, attempt: number): void {
    if (attempt <= (live.attempts.get(chunk) ?? -1)) return;
    live.attempts.set(chunk, attempt);
    live.proved.delete(chunk);
  }

  /** Asks what became of chunks' jobs, one after the other. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    const work = async () => {
      try {
        for (const [id, name] of this.#done) {
          if (this.#stop.signal.aborted) return;
          this.#done.delete(id);
          const status = await this.#queue.status(name.kind, id);
          if (status !== undefined) this.#noteChunk(name, status);
        }
      } finally {
        this.#draining = false;
      }
    };
    this.#inBackground(work(), "could not ask for a chunk; the next look at all blocks does");
  }

  /** Takes over what the queue says of a chunk's job. */
  #noteChunk(name: JobName, status: JobStatus): void {
    const { block, run, kind, chunk, attempt } = name;
    const record = this.#registry.get(block);
    if (record === undefined || isFinished(record) || record.run !== run) return;
    const live = this.#liveOf(record);
    if (kind === "prove") this.#noteAttempt(live, chunk, attempt);
    if (status.state === "active") {
      live.active.set(status.id, { kind, since: status.activeSince ?? Date.now() });
      return;
    }
    live.active.delete(status.id);
    if (status.state !== "completed") return;
    let worker = "";
    let news = false;
    if (kind === "commit") {
      news = !live.committed.has(chunk);
      live.committed.add(chunk);
      worker = resultOf("commit", status)?.worker ?? "";
    } else {
      const result = resultOf("prove", status);
      const done = `${chunk}-${attempt}`;
      news = !live.proofs.has(done);
      live.proofs.add(done);
      if (result?.proof) live.blobs.add(result.proof);
      if (attempt === live.attempts.get(chunk)) live.proved.set(chunk, result?.proof ?? null);
      worker = result?.worker ?? "";
    }
    if (worker !== "" && live.workers.size < MAX_NAMES) live.workers.add(worker);
    if (!news) return;
    this.#hub.publish({ type: "chunk", data: { ...this.#progressOf(record), chunk, done: kind, worker } });
  }

  /** Looks at a block soon. */
  #kick(id: string): void {
    if (this.#kicked.has(id)) return;
    this.#kicked.add(id);
    const work = this.#alone(id, async () => {
      this.#kicked.delete(id);
      if (!this.#stop.signal.aborted) await this.#advance(id);
    });
    this.#inBackground(work, "could not look at a block; the next look at all blocks does");
  }

  #countRepeated(live: Live | undefined, kind: JobKind, count = 1): void {
    if (live !== undefined) live.repeated += count;
    if (count > 0) this.#options.hooks?.repeated?.(kind, count);
  }

  // ---- going on

  /** Writes down how far a block is, as often as that is further than it was. Alone with the block. */
  async #advance(id: string): Promise<void> {
    for (;;) {
      const record = this.#registry.get(id);
      if (record === undefined || isFinished(record) || !(await this.#step(record))) return;
    }
  }

  /** @returns whether there may be more to find out. */
  async #step(record: BlockRecord): Promise<boolean> {
    const { id, run, state } = record;
    if (record.keySet !== this.#options.network.keySet) {
      await this.#fail(record, failureFrom(otherKeys(record, this.#options.network.keySet)));
      return false;
    }
    const kind = STAGE[state as keyof typeof STAGE];
    const status = await this.#queue.status(kind, jobId[kind](id, run));
    if (status === undefined) return this.#missing(record, kind);
    this.#noteStage(record, kind, status);
    if (status.state === "failed") {
      await this.#fail(record, status.failure ?? { code: "INTERNAL", message: "failed", retryable: false });
      return false;
    }
    if (status.state !== "completed") {
      const now = stateOf(kind, status);
      if (now !== state) await this.#update(record, { state: now });
      return false;
    }
    try {
      return await this.#completed(record, kind, status);
    } catch (error) {
      if (codeOf(error) !== "JOB_MALFORMED") throw error;
      await this.#fail(record, failureFrom(error));
      return false;
    }
  }

  async #completed(record: BlockRecord, kind: JobKind, { result }: JobStatus): Promise<boolean> {
    if (kind === "plan") {
      const { skeleton, state, chunks, steps, rows, worker } = readResult("plan", result);
      await this.#update(record, {
        state: "committing",
        ...{ plan: { skeleton, state, chunks }, chunks: chunks.length, steps, rows },
        workers: withNames(record.workers, [worker]),
      });
      return true;
    }
    if (kind === "challenge") {
      const { worker } = readResult("challenge", result);
      // who committed is asked before the jobs are gone
      await this.#probeAll(record);
      const live = this.#liveOf(record);
      for (let i = 0; i < record.chunks; i++) live.committed.add(i);
      await this.#update(record, {
        state: "proving",
        workers: withNames(record.workers, [...live.workers, worker]),
      });
      return true;
    }
    const { proof, bytes, repaired, worker } = readResult("assemble", result);
    const wrong = await this.#confirm(record, proof);
    if (wrong !== undefined) {
      this.#log.error({ block: record.id, worker, why: wrong }, "the proof of a block is not one");
      await this.#recover(record, wrong);
      return false;
    }
    await this.#probeAll(record);
    const live = this.#liveOf(record);
    this.#countRepeated(live, "commit", repaired.commitments);
    this.#countRepeated(live, "prove", repaired.proofs);
    for (let i = 0; i < record.chunks; i++) live.proved.set(i, live.proved.get(i) ?? null);
    await this.#finish(record, {
      state: "proved",
      proof: { digest: proof, bytes },
      work: { ...record.work, refused: record.work.refused + repaired.commitments + repaired.proofs },
      workers: withNames(record.workers, [worker]),
    });
    return false;
  }

  /** A job that should be there is not. */
  async #missing(record: BlockRecord, kind: JobKind): Promise<boolean> {
    // another coordinator may have gone on, and removed it
    const now = await this.#registry.reload(record.id);
    if (now !== undefined && (now.run !== record.run || now.state !== record.state)) return true;
    if (record.state === "queued") {
      // it was never added, or nobody has begun it: to add it is all that is to be done
      await this.#addPlan(record);
      return false;
    }
    this.#log.warn(
      { block: record.id, run: record.run, missing: kind },
      "the queue has lost the block; it is begun again",
    );
    await this.#again(record, record.recovered);
    return false;
  }

  /** Nothing is handed out because a worker says so. @returns why it is not the block's proof. */
  async #confirm({ trace }: BlockRecord, proof: Digest): Promise<string | undefined> {
    const { signal } = this.#stop;
    const size = await this.#store.size(proof);
    if (size === undefined) return "the proof is not in the store";
    if (size > MAX_PROOF) return `a proof of ${size} bytes`;
    try {
      return await this.#options.confirm(
        await this.#store.get(trace, signal),
        await this.#store.get(proof, signal),
        signal,
      );
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: string };
      if (code === "STORE_MISSING" || code === "STORE_DIGEST") return message ?? String(code);
      throw error;
    }
  }

  /** Begins a block again, because blobs were lost; a few times at most. */
  async #recover(record: BlockRecord, why: string): Promise<void> {
    const { recovered, id, run } = record;
    if (recovered >= MAX_RECOVERED || !(await this.#store.has(record.trace))) {
      await this.#fail(record, { code: "STORE_MISSING", message: why, retryable: false }, false);
      return;
    }
    this.#log.warn({ block: id, run, why }, "blobs of the block were lost; it is begun again");
    // blobs that are damaged are made again only when they are gone
    await this.#removeRun(record);
    await this.#again(record, recovered + 1);
  }

  /** A new run, with other names for all jobs. */
  async #again(record: BlockRecord, recovered: number): Promise<void> {
    const { id, run } = record;
    const live = this.#liveOf(record);
    const { plan: _plan, failure: _failure, finishedAt: _finishedAt, ...rest } = record;
    const { committed, proved } = isFinished(record) ? record : this.#progressOf(record);
    const lost = { plan: 1, commit: committed, prove: proved };
    const work = isFinished(record) ? record.work : this.#workOf(record, live, record.state);
    const next: BlockRecord = {
      ...rest,
      ...{ state: "queued", run: run + 1, recovered, updatedAt: Date.now(), tidy: false },
      ...{ steps: null, rows: null, chunks: 0, committed: 0, proved: 0 },
      work: { ...work, repeated: work.repeated + lost.plan + lost.commit + lost.prove },
      workers: withNames(record.workers, live.workers),
    };
    await this.#registry.put(next);
    this.#live.delete(id);
    for (const kind of ["plan", "commit", "prove"] as const) this.#countRepeated(undefined, kind, lost[kind]);
    // a queue that has lost one job may have others of that run
    this.#strays.add(`${id}-${run}`);
    this.#publish("state", next);
    await this.#addPlan(next);
  }

  async #fail(record: BlockRecord, failure: JobFailure, mayRecover = true): Promise<void> {
    const chunks = await this.#failedChunks(record);
    const lost = [failure, ...chunks].find(({ code }) => code === "STORE_MISSING" || code === "STORE_DIGEST");
    if (mayRecover && lost !== undefined) {
      await this.#recover(record, lost.message);
      return;
    }
    const { code, message } = shortened(failure);
    this.#log.error({ block: record.id, number: record.number, code, why: message, chunks }, "the block has failed");
    await this.#finish(record, { state: "failed", failure: { code, message, chunks } });
  }

  /** Chunks whose jobs have failed for good, and why. */
  async #failedChunks(record: BlockRecord): Promise<ChunkFailure[]> {
    const found: ChunkFailure[] = [];
    const kinds = record.state === "committing" ? (["commit"] as const) : (["commit", "prove"] as const);
    for (let chunk = 0; chunk < record.chunks && found.length < MAX_NAMES; chunk++) {
      for (const kind of kinds) {
        for (const status of await this.#chunkJobs(record, kind, chunk)) {
          if (status.state !== "failed" || status.failure === undefined || found.length >= MAX_NAMES) continue;
          const { code, message } = shortened(status.failure);
          const { worker, backend } = status.failure;
          found.push({
            ...{ chunk, kind, code, message: message.slice(0, 300) },
            ...(worker === undefined ? {} : { worker: worker.slice(0, 200) }),
            ...(backend === undefined ? {} : { backend: backend.slice(0, 100) }),
          });
        }
      }
    }
    return found;
  }

  async #finish(record: BlockRecord, changes: Partial<BlockRecord> & Pick<BlockRecord, "state">): Promise<void> {
    const live = this.#liveOf(record);
    const finishedAt = Date.now();
    const base: BlockRecord = { ...record, ...changes };
    await this.#update(record, {
      ...changes,
      work: this.#workOf(base, live, record.state),
      workers: withNames(base.workers, live.workers),
      ...{ finishedAt, tidy: false },
    });
    const result = changes.state as "proved" | "failed" | "cancelled";
    this.#options.hooks?.finished?.(result, (finishedAt - record.submittedAt) / 1000);
    this.#sayUnfinished();
    this.#log.info({ block: record.id, number: record.number, ms: finishedAt - record.submittedAt }, `block ${result}`);
    this.#publish("end", this.#record(record.id));
    await this.#tidy(this.#record(record.id)).catch((error) => {
      this.#log.warn({ block: record.id, err: error }, "what is left of the block will be removed later");
    });
  }

  /** Writes a record and says so. */
  async #update(record: BlockRecord, changes: Partial<BlockRecord>): Promise<void> {
    const changed = { ...record, ...changes };
    const { committed, proved } = this.#progressOf({ ...changed, committed: 0, proved: 0 });
    const next: BlockRecord = { ...changed, committed, proved, updatedAt: Date.now() };
    await this.#registry.put(next);
    if (next.state !== record.state) this.#publish("state", next);
  }

  // ---- looking at everything

  #schedule(): void {
    if (this.#stop.signal.aborted) return;
    const { reconcileMs = 5000, sweepMs = 3_600_000 } = this.#options;
    this.#timer = setTimeout(() => {
      const look = async () => {
        await this.reconcile();
        if (Date.now() - this.#sweptAt >= sweepMs && !this.#away) {
          this.#sweptAt = Date.now();
          await this.sweep();
        }
      };
      const looked = look().catch((error) => {
        if (!this.#stop.signal.aborted) this.#log.warn({ err: error }, "the store could not be swept");
      });
      this.#inBackground(
        looked.then(() => this.#schedule()),
        "",
      );
    }, reconcileMs);
    this.#timer.unref();
  }

  async #reconcile(): Promise<void> {
    try {
      await this.#describe();
      for (const { id } of this.#registry.listUnfinished()) {
        this.#stop.signal.throwIfAborted();
        await this.#alone(id, () => this.#advance(id)).catch((error) => this.#unlessAway(error, id));
      }
      await this.#probeSome();
      await this.#expireOld();
      await this.#tidySome();
      if (this.#away) this.#log.info({ queue: this.#queue.name }, "the queue answers again");
      this.#away = false;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (!this.#away)
        this.#log.error({ queue: this.#queue.name, err: error }, "the queue does not answer; it is waited for");
      this.#away = true;
    }
  }

  /** One block's trouble does not keep others from going on; that of the queue does. */
  #unlessAway(error: unknown, block: string): void {
    if (["QUEUE_UNAVAILABLE", "QUEUE_CLOSED"].includes(codeOf(error)) || this.#stop.signal.aborted) throw error;
    this.#log.warn({ block, err: error }, "could not look at a block; it is tried again");
  }

  /** A queue that has lost everything has lost what workers compare themselves with, too. */
  async #describe(): Promise<void> {
    const { network } = this.#options;
    const found = await this.#queue.description();
    const same =
      found?.keySet === network.keySet &&
      found.manifest === network.manifest &&
      found.version === network.version &&
      found.protocol === network.protocol;
    if (!same) await this.#queue.describe(network);
  }

  /** Corrects what events have said of chunks: some of them at a time, all of them in turn. */
  async #probeSome(): Promise<void> {
    const open: [record: BlockRecord, kind: "commit" | "prove", chunk: number][] = [];
    for (const record of this.#registry.listUnfinished()) {
      const kind = record.state === "committing" ? "commit" : record.state === "queued" ? undefined : "prove";
      if (kind === undefined || record.chunks === 0) continue;
      const live = this.#liveOf(record);
      const done: { has(chunk: number): boolean } = kind === "commit" ? live.committed : live.proved;
      for (let chunk = 0; chunk < record.chunks; chunk++) if (!done.has(chunk)) open.push([record, kind, chunk]);
    }
    const count = Math.min(PROBES, open.length);
    for (let i = 0; i < count; i++) {
      this.#stop.signal.throwIfAborted();
      const [record, kind, chunk] = open[(this.#probe + i) % open.length]!;
      await this.#probeChunk(record, kind, chunk);
    }
    this.#probe = open.length === 0 ? 0 : (this.#probe + count) % open.length;
  }

  async #probeChunk(record: BlockRecord, kind: "commit" | "prove", chunk: number): Promise<void> {
    for (const status of await this.#chunkJobs(record, kind, chunk)) this.#noteChunk(readName(status.id)!, status);
  }

  async #probeAll(record: BlockRecord): Promise<void> {
    const live = this.#liveOf(record);
    for (let chunk = 0; chunk < record.chunks; chunk++) {
      this.#stop.signal.throwIfAborted();
      if (!live.committed.has(chunk)) await this.#probeChunk(record, "commit", chunk);
      const proving = record.state === "proving" || record.state === "assembling";
      if (proving && !live.proved.get(chunk)) await this.#probeChunk(record, "prove", chunk);
    }
  }

  /** The jobs that a chunk has had in this run, the latest last. */
  async #chunkJobs({ id, run }: BlockRecord, kind: "commit" | "prove", chunk: number): Promise<JobStatus[]> {
    if (kind === "commit") {
      const status = await this.#queue.status(kind, jobId.commit(id, run, chunk));
      return status === undefined ? [] : [status];
    }
    const found: JobStatus[] = [];
    for (let round = 0; ; round += ROUND) {
      for (let attempt = round; attempt < round + ROUND; attempt++) {
        const status = await this.#queue.status(kind, jobId.prove(id, run, chunk, attempt));
        if (status === undefined) {
          if (attempt === round) return found;
          break;
        }
        found.push(status);
      }
    }
  }

  /** What the queue says of the job that ends a state. */
  #noteStage(record: BlockRecord, kind: JobKind, { id, state, activeSince }: JobStatus): void {
    const live = this.#liveOf(record);
    if (state === "active")
      live.active.set(id, { kind, since: activeSince ?? live.active.get(id)?.since ?? Date.now() });
    else live.active.delete(id);
  }

  /** Gives jobs that take too long to somebody else. */
  async #expireOld(): Promise<void> {
    const { jobTimeout = 900_000 } = this.#options;
    const before = Date.now() - jobTimeout;
    for (const [block, live] of this.#live) {
      for (const [id, { kind, since }] of live.active) {
        if (since > before) continue;
        this.#stop.signal.throwIfAborted();
        const status = await this.#queue.status(kind, id);
        live.active.delete(id);
        if (status?.state !== "active") continue;
        // it may have been begun anew since
        if (status.activeSince !== undefined && status.activeSince > before) {
          live.active.set(id, { kind, since: status.activeSince });
          continue;
        }
        this.#log.warn({ block, job: id, ms: Date.now() - since }, "the job takes too long; another worker gets it");
        live.expired.add(id);
        await this.#queue.expire(kind, id);
        this.#countRepeated(live, kind);
      }
    }
  }

  // ---- cleaning up

  #removeStraysSoon(): void {
    if (this.#removing) return;
    this.#removing = true;
    const work = this.#removeStrays().finally(() => {
      this.#removing = false;
    });
    this.#inBackground(work, "jobs that nobody wants could not be removed; the next look at all blocks tries again");
  }

  /** Removes jobs of runs that were given up. */
  async #removeStrays(): Promise<void> {
    for (const stray of this.#strays) {
      this.#stop.signal.throwIfAborted();
      const [block, run] = stray.split("-");
      const record = this.#registry.get(block!);
      const present = Number(run) === record?.run;
      this.#strays.delete(stray);
      if (record === undefined || (present && !isFinished(record))) continue;
      // of a run that was given up not even what has failed is of interest
      await this.#removeJobs(present ? record : { ...record, run: Number(run), state: "cancelled" }).catch((error) => {
        this.#strays.add(stray);
        throw error;
      });
    }
  }

  /** Removes what is left of blocks that have ended, and of runs that were given up. */
  async #tidySome(): Promise<void> {
    await this.#removeStrays();
    let count = 0;
    for (const record of this.#registry.all()) {
      if (!isFinished(record) || record.tidy) continue;
      this.#stop.signal.throwIfAborted();
      await this.#alone(record.id, async () => {
        const now = this.#registry.get(record.id)!;
        if (isFinished(now) && !now.tidy) await this.#tidy(now);
      }).catch((error) => this.#unlessAway(error, record.id));
      if (++count >= TIDIED) return;
    }
  }

  /** Removes what a block that has ended leaves behind, and says so in its record when all of it is gone. */
  async #tidy(record: BlockRecord): Promise<void> {
    if (record.tidy) return;
    const left = await this.#removeRun(record);
    this.#live.delete(record.id);
    await this.#dropTrace(record.trace);
    if (!left) await this.#registry.put({ ...record, tidy: true });
  }

  /** Blobs and jobs of a record's run. @returns whether some are left. */
  async #removeRun(record: BlockRecord): Promise<boolean> {
    // the digests of chunks' proofs are only in their jobs: these go last
    const proofs = await this.#proofBlobs(record);
    const { plan } = record;
    const blobs = plan === undefined ? [] : [plan.skeleton, plan.state, ...plan.chunks.map(({ columns }) => columns)];
    const needed = this.#referenced(record.id);
    for (const digest of new Set(blobs)) if (!needed.has(digest)) await this.#store.delete(digest);
    for (const digest of proofs) {
      // a worker may have named anything
      if (needed.has(digest) || (await this.#store.size(digest)) !== CHUNK_PROOF_BYTES) continue;
      await this.#store.delete(digest);
    }
    return this.#removeJobs(record);
  }

  async #proofBlobs(record: BlockRecord): Promise<Set<Digest>> {
    const found = new Set(this.#liveOf(record).blobs);
    for (let chunk = 0; chunk < record.chunks; chunk++) {
      for (const status of await this.#chunkJobs(record, "prove", chunk)) {
        const proof = resultOf("prove", status)?.proof;
        if (proof) found.add(proof);
      }
    }
    return found;
  }

  /** Removes the jobs of a run; of a block that has failed those stay that did. @returns whether others are left. */
  async #removeJobs(record: BlockRecord): Promise<boolean> {
    const { id, run } = record;
    const found: JobStatus[] = [];
    const stages = [
      ["plan", jobId.plan(id, run)],
      ["challenge", jobId.challenge(id, run)],
      ["assemble", jobId.assemble(id, run)],
    ] as const;
    for (const [kind, name] of stages) {
      const status = await this.#queue.status(kind, name);
      if (status !== undefined) found.push(status);
    }
    for (const kind of ["commit", "prove"] as const) {
      // of a plan that nobody was told of, the chunks have to be looked for
      for (let chunk = 0; ; chunk++) {
        const jobs = await this.#chunkJobs(record, kind, chunk);
        found.push(...jobs);
        if (jobs.length === 0 && chunk >= record.chunks) break;
      }
    }
    const going = found.filter(({ state }) => record.state !== "failed" || state !== "failed");
    await this.#queue.remove(going.map(({ kind, id }) => ({ kind, id })));
    return going.some(({ state }) => state === "active");
  }

  /** Removes a trace, if no block needs it any more. */
  async #dropTrace(trace: Digest): Promise<void> {
    if (this.#pinned.has(trace)) return;
    const known = this.#registry.get(blockId(trace, this.#options.network.keySet));
    if (known !== undefined && this.#needsTrace(known)) return;
    if (this.#referenced().has(trace)) return;
    await this.#store.delete(trace);
  }

  /** Blocks that have failed or were cancelled can be begun again. */
  #needsTrace({ state }: BlockRecord): boolean {
    return state !== "proved" || this.#options.keepTraces === true;
  }

  /** Blobs that blocks need, but for those that only the present work of one block needs. */
  #referenced(except?: string): Set<Digest> {
    const { keep, network } = this.#options;
    const found = new Set<Digest>([...keep, network.manifest]);
    for (const record of this.#registry.all()) {
      const { id, trace, plan, proof } = record;
      if (proof !== undefined) found.add(proof.digest);
      if (this.#needsTrace(record)) found.add(trace);
      if (id === except || isFinished(record)) continue;
      if (plan !== undefined) for (const { columns } of plan.chunks) found.add(columns);
      if (plan !== undefined) found.add(plan.skeleton).add(plan.state);
      for (const digest of this.#live.get(id)?.blobs ?? []) found.add(digest);
    }
    return found;
  }

  // ---- saying

  #record(id: string): BlockRecord {
    const record = this.#registry.get(id);
    if (record === undefined) throw unknownBlock(id);
    return record;
  }

  #liveOf({ id, run }: BlockRecord): Live {
    const known = this.#live.get(id);
    if (known?.run === run) return known;
    const live: Live = {
      run,
      committed: new Set(),
      proved: new Map(),
      attempts: new Map(),
      proofs: new Set(),
      blobs: new Set(),
      active: new Map(),
      expired: new Set(),
      workers: new Set(),
      repeated: 0,
    };
    this.#live.set(id, live);
    return live;
  }

  /** The work of earlier runs and, as far as is known, of the one in this state. */
  #workOf({ work, chunks }: BlockRecord, live: Live | undefined, state: BlockRecord["state"]): BlockRecord["work"] {
    const allCommitted = state === "proving" || state === "assembling";
    return {
      commits: work.commits + (allCommitted ? chunks : (live?.committed.size ?? 0)),
      proofs: work.proofs + (live?.proofs.size ?? 0),
      repeated: work.repeated + (live?.repeated ?? 0),
      refused: work.refused,
    };
  }

  /** Of a block that is under way, the record knows less than events have said. */
  #progressOf(record: BlockRecord): Progress {
    const { id, number, hash, state, run, chunks } = record;
    const live = this.#live.get(id);
    const known = live?.run === run ? live : undefined;
    const all = (states: readonly string[]) => (states.includes(state) ? chunks : 0);
    const proofs = [...(known?.proved.values() ?? [])].filter((proof) => proof !== null).length;
    return {
      ...{ id, number, hash, state, run, chunks },
      committed: Math.max(record.committed, all(["proving", "assembling", "proved"]), known?.committed.size ?? 0),
      proved: known === undefined || isFinished(record) ? Math.max(record.proved, all(["proved"]), proofs) : proofs,
    };
  }

  #statusOf(record: BlockRecord): BlockStatus {
    const { parentHash, steps, rows, transactions, submittedAt, updatedAt, finishedAt, failure, proof } = record;
    const live = isFinished(record) ? undefined : this.#live.get(record.id);
    return {
      ...this.#progressOf(record),
      ...{ parentHash, steps, rows, transactions, submittedAt, updatedAt },
      ...(finishedAt === undefined ? {} : { finishedAt }),
      ...(failure === undefined ? {} : { failure }),
      work: isFinished(record) ? record.work : this.#workOf(record, live, record.state),
      workers: withNames(record.workers, live?.workers ?? []),
      ...(proof === undefined ? {} : { proof }),
    };
  }

  #publish(type: "state" | "end", record: BlockRecord): void {
    this.#hub.publish({ type, data: this.#progressOf(record) });
  }

  #sayUnfinished(): void {
    this.#options.hooks?.unfinished?.(this.#registry.unfinished);
  }

  /** Records of whole numbers, as long as they fit; those of the first number in any case. */
  #gather(numbers: Iterable<number>, limit: number): BlockRecord[] {
    const found: BlockRecord[] = [];
    for (const number of numbers) {
      const same = this.#registry.withNumber(number);
      if (found.length > 0 && found.length + same.length > limit) break;
      found.push(...same);
      if (found.length >= limit) break;
    }
    return found;
  }

  // ---- order

  /** Nothing else is done with a block meanwhile. */
  async #alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(id);
    const mine = (async () => {
      await before?.catch(() => {});
      return work();
    })();
    this.#locks.set(id, mine);
    try {
      return await mine;
    } finally {
      if (this.#locks.get(id) === mine) this.#locks.delete(id);
    }
  }

  /** Work that nobody waits for but {@link close}. */
  #inBackground(work: Promise<unknown>, message: string): void {
    const watched = work.catch((error) => {
      if (!this.#stop.signal.aborted) this.#log.warn({ err: error }, message);
    });
    this.#background.add(watched);
    void watched.finally(() => this.#background.delete(watched));
  }
}

/** State of a block by the job that ends it. */
function stateOf(kind: JobKind, { state }: JobStatus): BlockRecord["state"] {
  if (kind === "plan") return state === "active" ? "planning" : "queued";
  if (kind === "challenge") return "committing";
  return state === "waiting-children" ? "proving" : "assembling";
}

/** A result that is one; workers may hand in anything. */
function resultOf<K extends JobKind>(kind: K, { result }: JobStatus): JobResult<K> | undefined {
  try {
    return result === undefined ? undefined : readResult(kind, result);
  } catch {
    return undefined;
  }
}

function withNames(names: readonly string[], more: Iterable<string>): string[] {
  return [...new Set([...names, ...more])].filter((name) => name !== "").slice(0, MAX_NAMES);
}

const failureFrom = (error: unknown): JobFailure => ({ code: codeOf(error), message: textOf(error), retryable: false });

/** A failure as a record holds it: it comes from a queue that others write to. */
function shortened({ code, message }: JobFailure): { code: string; message: string } {
  return {
    code: /^[0-9A-Za-z_]{1,64}$/.test(code) ? code : "INTERNAL",
    message: String(message).slice(0, MAX_MESSAGE),
  };
}

function wrongState({ id, state }: BlockRecord, expected: string): NetworkError {
  return new NetworkError("not possible now", { code: "BLOCK_STATE", where: id, expected, got: state });
}

function otherKeys({ keySet }: BlockRecord, ours: string): NetworkError {
  return new NetworkError("accepted under other keys; submit the trace again", {
    code: "NETWORK_KEYS",
    where: "keySet",
    expected: keySet,
    got: ours,
  });
}
