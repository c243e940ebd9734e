/**
 * What a coordinator knows of its blocks, on disk: one JSON file each, `<data>/blocks/<id>.json`. A block is accepted when its
 * file is there; everything else that is known of it may be lost, and is then done again.
 *
 * @module
 */

import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { NetworkError } from "./errors.js";
import { errnoOf, piecesOf, storeFailure, writePieces } from "./files.js";
import { JOB_KINDS, JOB_RESULT } from "./jobs.js";
import { assertDigest, type Digest } from "./store.js";

/** In the order in which a block goes through them; the last three are the end. */
export const BLOCK_STATES = [
  "queued",
  "planning",
  "committing",
  "proving",
  "assembling",
  "proved",
  "failed",
  "cancelled",
] as const;
export type BlockStage = (typeof BLOCK_STATES)[number];

const FINISHED: ReadonlySet<BlockStage> = new Set(["proved", "failed", "cancelled"]);

/** Largest priority of a job: the queue's bound. */
export const MAX_PRIORITY = 2 ** 21 - 1;
/** Names of workers that are kept of a block, and of its failure's chunks. */
export const MAX_NAMES = 256;
/** Larger files are not ours: a block of 2^16 chunks takes less. */
const MAX_RECORD = 1 << 25;
/** Files that are read side by side at the start. */
const READS = 16;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const word = z.string().regex(/^0x[0-9a-f]{64}$/);
const count = z.int().min(0);
const code = z.string().regex(/^[0-9A-Za-z_]{1,64}$/);

const chunkFailure = z.strictObject({
  chunk: count,
  kind: z.enum(JOB_KINDS),
  code,
  message: z.string(),
  worker: z.string().optional(),
  backend: z.string().optional(),
});
const { skeleton, state, chunks: plannedChunks } = JOB_RESULT.plan.shape;

const RECORD = z.strictObject({
  version: z.literal(1),
  id: hex(16),
  number: count,
  hash: word,
  parentHash: word,
  chainId: z.string().regex(/^(0|[1-9]\d{0,18})$/),
  transactions: count,
  trace: hex(32),
  keySet: hex(32),
  state: z.enum(BLOCK_STATES),
  /** How often it was begun from the start. */
  run: count,
  /** How often that was because a blob was lost. */
  recovered: count,
  priority: z.int().min(0).max(MAX_PRIORITY),
  /** Milliseconds since 1970. */
  submittedAt: count,
  updatedAt: count,
  finishedAt: count.optional(),
  /** What `plan` said. Null before. */
  steps: count.nullable(),
  rows: count.nullable(),
  chunks: count,
  /** Chunks whose commitments and proofs were there when this was written. */
  committed: count,
  proved: count,
  /** Digests of what lies in the store until the block is proved. */
  plan: z.strictObject({ skeleton, state, chunks: plannedChunks }).optional(),
  proof: z.strictObject({ digest: hex(32), bytes: count }).optional(),
  failure: z.strictObject({ code, message: z.string(), chunks: z.array(chunkFailure).max(MAX_NAMES) }).optional(),
  /** Of runs that are over; of a block that has ended all of it. */
  work: z.strictObject({ commits: count, proofs: count, repeated: count, refused: count }),
  workers: z.array(z.string()).max(MAX_NAMES),
  /** Of a block that has ended: nothing of it is left in queue and store but what is wanted. */
  tidy: z.boolean(),
});

/** A block. Never changed, only replaced. */
export type BlockRecord = Readonly<z.infer<typeof RECORD>>;
export type BlockFailure = NonNullable<BlockRecord["failure"]>;
export type ChunkFailure = BlockFailure["chunks"][number];

/** Whether nothing more happens to a block by itself. */
export const isFinished = ({ state }: { readonly state: BlockStage }): boolean => FINISHED.has(state);

/** Name of a block: the same trace under the same keys has the same. */
export function blockId(trace: Digest, keySet: Digest): string {
  assertDigest(trace);
  assertDigest(keySet);
  const hash = createHash("sha256").update("chunkproof block");
  return hash.update(Buffer.from(trace, "hex")).update(Buffer.from(keySet, "hex")).digest("hex").slice(0, 32);
}

/** A file that is no record. */
export interface DamagedRecord {
  readonly file: string;
  /** Where it was moved to; missing if that failed. */
  readonly movedTo?: string;
  readonly reason: string;
}

/** Options of {@link Registry.open}. */
export interface RegistryOptions {
  /** How many blocks that have ended keep the digests of their plans, for who wants to look into them. Default 100. */
  readonly keep?: number | undefined;
}

/** See the module. One process writes to a folder. */
export class Registry {
  /** Files that were moved aside at the start. */
  readonly damaged: readonly DamagedRecord[];
  readonly #folder: string;
  readonly #keep: number;
  readonly #records = new Map<string, BlockRecord>();
  readonly #unfinished = new Set<string>();
  readonly #byNumber = new Map<number, Set<string>>();
  /** Ascending. */
  readonly #numbers: number[] = [];
  /** Blocks that have ended and still have a plan, the oldest first. */
  readonly #detailed = new Set<string>();
  /** The last write of each file that is under way. */
  readonly #writing = new Map<string, Promise<unknown>>();

  private constructor(folder: string, keep: number, damaged: DamagedRecord[]) {
    this.#folder = folder;
    this.#keep = keep;
    this.damaged = damaged;
  }

  /**
   * Reads the records of `<data>/blocks`. A file that is none is moved into `blocks/damaged` and listed in {@link damaged}.
   *
   * @throws NetworkError `STORE_UNAVAILABLE`, `STORE_FULL` when the folder itself cannot be used.
   */
  static async open(data: string, { keep = 100 }: RegistryOptions = {}): Promise<Registry> {
    const folder = join(data, "blocks");
    const damaged: DamagedRecord[] = [];
    const registry = new Registry(folder, keep, damaged);
    let names: string[];
    try {
      await mkdir(folder, { recursive: true });
      names = (await readdir(folder)).sort();
    } catch (cause) {
      throw storeFailure(folder, cause);
    }
    const found: BlockRecord[] = [];
    const files = names.values();
    const lane = async () => {
      for (const name of files) {
        // what a process that was killed had not finished
        if (/^[0-9a-f]{32}\.json\..*\.tmp$/.test(name)) await rm(join(folder, name), { force: true }).catch(() => {});
        if (!/^[0-9a-f]{32}\.json$/.test(name)) continue;
        try {
          found.push(await registry.#read(name.slice(0, 32)));
        } catch (error) {
          damaged.push(await registry.#moveAside(name, error));
        }
      }
    };
    await Promise.all(Array.from({ length: READS }, lane));
    // in the order in which they ended, so that the oldest lose their details first
    found.sort((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0) || (a.id < b.id ? -1 : 1));
    for (const record of found) registry.#index(record);
    return registry;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Number of blocks that have not ended. */
  get unfinished(): number {
    return this.#unfinished.size;
  }

  /** The highest number of a block. */
  get tip(): number | undefined {
    return this.#numbers.at(-1);
  }

  get(id: string): BlockRecord | undefined {
    return this.#records.get(id);
  }

  all(): IterableIterator<BlockRecord> {
    return this.#records.values();
  }

  /** Blocks that have not ended, the most urgent first. */
  listUnfinished(): BlockRecord[] {
    return [...this.#unfinished]
      .map((id) => this.#records.get(id)!)
      .sort((a, b) => a.priority - b.priority || a.submittedAt - b.submittedAt);
  }

  /** Blocks of one number, the oldest first. */
  withNumber(number: number): BlockRecord[] {
    return [...(this.#byNumber.get(number) ?? [])]
      .map((id) => this.#records.get(id)!)
      .sort((a, b) => a.submittedAt - b.submittedAt || (a.id < b.id ? -1 : 1));
  }

  /** Numbers that blocks have from this one on, ascending. */
  *numbersFrom(number: number): Generator<number> {
    for (let i = this.#place(number); i < this.#numbers.length; i++) yield this.#numbers[i]!;
  }

  /** Numbers that blocks have below this one, descending. */
  *numbersBelow(number: number): Generator<number> {
    for (let i = this.#place(number) - 1; i >= 0; i--) yield this.#numbers[i]!;
  }

  /**
   * Writes a record, all or nothing. Only when it is on the disk does {@link get} say it.
   *
   * @throws NetworkError `STORE_FULL`, `STORE_UNAVAILABLE`
   */
  async put(record: BlockRecord): Promise<void> {
    await this.#alone(record.id, async () => {
      await this.#write(record);
      this.#index(record);
    });
    const excess = this.#detailed.size - this.#keep;
    for (const id of [...this.#detailed].slice(0, Math.max(0, excess))) {
      // the next put tries again
      await this.#alone(id, () => this.#forgetPlan(id)).catch(() => {});
    }
  }

  /** What is on the disk now: another process may have gone on with the block. Undefined for what is no record there. */
  async reload(id: string): Promise<BlockRecord | undefined> {
    return this.#alone(id, async () => {
      const record = await this.#read(id).catch(() => undefined);
      if (record !== undefined) this.#index(record);
      return record;
    });
  }

  async #forgetPlan(id: string): Promise<void> {
    const record = this.#records.get(id)!;
    if (!isFinished(record) || record.plan === undefined) return;
    const { plan: _plan, ...rest } = record;
    await this.#write(rest);
    this.#index(rest);
  }

  /** What is written last counts, so one file is written by one at a time. */
  async #alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#writing.get(id);
    const mine = (async () => {
      await before?.catch(() => {});
      return work();
    })();
    this.#writing.set(id, mine);
    try {
      return await mine;
    } finally {
      if (this.#writing.get(id) === mine) this.#writing.delete(id);
    }
  }

  #pathOf(id: string): string {
    return join(this.#folder, `${id}.json`);
  }

  async #write(record: BlockRecord): Promise<void> {
    const checked = RECORD.parse(record);
    const path = this.#pathOf(checked.id);
    const temporary = `${path}.${randomUUID()}.tmp`;
    const bytes = new TextEncoder().encode(`${JSON.stringify(checked)}\n`);
    await writePieces(temporary, piecesOf(bytes), { max: MAX_RECORD, where: path, failure: storeFailure });
    try {
      await rename(temporary, path);
      // the name is on the disk when the folder is; not every file system can do that
      const handle = await open(this.#folder, "r").catch(() => undefined);
      await handle?.sync().catch(() => {});
      await handle?.close();
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => {});
      throw storeFailure(path, cause);
    }
  }

  /** @throws whatever is wrong with the file. */
  async #read(id: string): Promise<BlockRecord> {
    // no waiting for the writer of a pipe
    const handle = await open(this.#pathOf(id), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const { size } = await handle.stat();
      if (size > MAX_RECORD) throw new Error(`${size} bytes`);
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await handle.readFile());
      const record = RECORD.parse(JSON.parse(text));
      if (record.id !== id) throw new Error(`the record of ${record.id}`);
      return record;
    } finally {
      await handle.close();
    }
  }

  async #moveAside(name: string, error: unknown): Promise<DamagedRecord> {
    const file = join(this.#folder, name);
    const reason = (error instanceof z.ZodError ? z.prettifyError(error) : String(error)).slice(0, 500);
    // one that cannot be read now may be whole
    const { syscall } = error as NodeJS.ErrnoException;
    if (syscall !== undefined && errnoOf(error) !== "EISDIR") return { file, reason };
    const movedTo = join(this.#folder, "damaged", `${name}.${Date.now()}`);
    try {
      await mkdir(join(this.#folder, "damaged"), { recursive: true });
      await rename(file, movedTo);
      return { file, movedTo, reason };
    } catch {
      return { file, reason };
    }
  }

  #index(record: BlockRecord): void {
    const { id, number } = record;
    this.#records.set(id, record);
    if (isFinished(record)) this.#unfinished.delete(id);
    else this.#unfinished.add(id);
    if (!isFinished(record) || record.plan === undefined) this.#detailed.delete(id);
    else this.#detailed.add(id);
    const same = this.#byNumber.get(number);
    if (same !== undefined) {
      same.add(id);
      return;
    }
    this.#byNumber.set(number, new Set([id]));
    this.#numbers.splice(this.#place(number), 0, number);
  }

  /** Position of the first number that is not below. */
  #place(number: number): number {
    let [low, high] = [0, this.#numbers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#numbers[middle]! < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** @throws NetworkError `BLOCK_UNKNOWN` */
export function unknownBlock(id: string): NetworkError {
  return new NetworkError("no such block", { code: "BLOCK_UNKNOWN", where: id.slice(0, 64) });
}
