/**
 * The jobs of a block. All of them are small JSON; what is large lies in the store.
 *
 * ```
 * plan ─→ commit × n ─→ challenge ─→ prove × n ─→ assemble
 * ```
 *
 * `plan` and `challenge` add what comes after them, with names that follow from the block, so that a job which runs twice
 * adds nothing twice. Commitments are deterministic; of a chunk's proofs the first that is handed in counts.
 *
 * @module
 */

import { z } from "zod";
import { NetworkError } from "./errors.js";

/** What a worker can do. */
export const JOB_KINDS = ["plan", "commit", "challenge", "prove", "assemble"] as const;
export type JobKind = (typeof JOB_KINDS)[number];

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const digest = hex(32);
const index = z.int().min(0).max(0xff_ff);
/** An element of fr, below r is for who uses it to say. */
const scalar = hex(32);
/** Compressed points of a commitment. */
const point = hex(32);

/** Chunks of a block; their indices are 16 bits. */
const MAX_CHUNKS = 0x1_0000;

/** What every job says of its block. */
const ofBlock = {
  /** Id of the block in the coordinator's registry. */
  block: z.string().regex(/^[0-9a-f]{32}$/),
  number: z.number().int().nonnegative(),
  /** Digest of the set of keys: a worker with others must not touch the job. */
  keySet: digest,
};
const plannedChunk = z.strictObject({ layout: index, columns: digest });
/** The block without its chunks' proofs, and the state it starts from: see `compute.ts`. */
const planned = { skeleton: digest, state: digest };
const committedChunk = z.strictObject({ layout: index, columns: digest, d: point, p: point });

/** Data of each kind. */
export const JOB_DATA = {
  plan: z.strictObject({ ...ofBlock, trace: digest, attempts: z.int().min(1).max(100), priority: z.int().min(0) }),
  commit: z.strictObject({ ...ofBlock, chunk: index, ...plannedChunk.shape }),
  challenge: z.strictObject({
    ...ofBlock,
    ...planned,
    chunks: z.array(plannedChunk).max(MAX_CHUNKS),
    attempts: z.int().min(1).max(100),
    priority: z.int().min(0),
  }),
  prove: z.strictObject({ ...ofBlock, chunk: index, ...committedChunk.shape, alpha: scalar, beta: scalar }),
  assemble: z.strictObject({
    ...ofBlock,
    ...planned,
    alpha: scalar,
    beta: scalar,
    /**
     * `job`: the prove job that counts now; `tries`: how many of its predecessors brought something bad; `made`: the proof that
     * was made by whoever assembles, after too many of these.
     */
    chunks: z
      .array(committedChunk.extend({ job: z.string(), tries: z.int().min(0), made: digest.optional() }))
      .max(MAX_CHUNKS),
    /** Times that challenges were drawn again, because a commitment was wrong. */
    round: z.int().min(0),
    /** Commitments that had to be made again. */
    corrected: z.int().min(0),
    attempts: z.int().min(1).max(100),
    priority: z.int().min(0),
  }),
} as const;

export type JobData<K extends JobKind> = z.infer<(typeof JOB_DATA)[K]>;

/** Who did it, and how long it took: for people and metrics, never believed. */
const done = { worker: z.string().max(200), ms: z.number().nonnegative() };

/** Results of each kind. */
export const JOB_RESULT = {
  plan: z.strictObject({
    ...done,
    ...planned,
    chunks: z.array(plannedChunk.extend({ name: z.string().max(100) })).max(MAX_CHUNKS),
    steps: z.int().min(0),
    rows: z.int().min(0),
  }),
  commit: z.strictObject({ ...done, d: point, p: point, backend: z.string().max(100) }),
  challenge: z.strictObject({
    ...done,
    alpha: scalar,
    beta: scalar,
    /** Chunks whose commitments had to be made again here. */
    repaired: z.array(index).max(MAX_CHUNKS),
    /** D and P of each chunk, 64 bytes. */
    commitments: z.array(hex(64)).max(MAX_CHUNKS),
  }),
  prove: z.strictObject({
    ...done,
    backend: z.string().max(100),
    /** Digest of the 224 bytes; null: the commitment is not that of the columns. */
    proof: digest.nullable(),
  }),
  assemble: z.strictObject({
    ...done,
    proof: digest,
    bytes: z.int().min(0),
    /** What was done again, because what was handed in was bad. */
    repaired: z.strictObject({ commitments: z.int().min(0), proofs: z.int().min(0) }),
  }),
} as const;

export type JobResult<K extends JobKind> = z.infer<(typeof JOB_RESULT)[K]>;

/** @throws NetworkError `JOB_MALFORMED` */
function read<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new NetworkError(issue?.message ?? "not what it should be", {
    code: "JOB_MALFORMED",
    where: [where, ...(issue?.path.map(String) ?? [])].join("."),
  });
}

/** Data of a job, from a queue that others write to. @throws NetworkError `JOB_MALFORMED` */
export function readData<K extends JobKind>(kind: K, value: unknown): JobData<K> {
  return read(JOB_DATA[kind] as unknown as z.ZodType<JobData<K>>, value, `${kind}.data`);
}

/** A result, from a worker that may be anybody. @throws NetworkError `JOB_MALFORMED` */
export function readResult<K extends JobKind>(kind: K, value: unknown): JobResult<K> {
  return read(JOB_RESULT[kind] as unknown as z.ZodType<JobResult<K>>, value, `${kind}.result`);
}

/** Proofs of a chunk under the same challenges are fewer: attempts count on from a multiple of it when challenges change. */
export const ROUND = 1000;

/** Names of a block's jobs. `run` counts how often the block was begun from the start. */
export const jobId = {
  plan: (block: string, run: number) => `${block}-${run}-plan`,
  commit: (block: string, run: number, chunk: number) => `${block}-${run}-commit-${chunk}`,
  challenge: (block: string, run: number) => `${block}-${run}-challenge`,
  /** `attempt`: {@link ROUND} for each time that challenges were drawn again, and one for each proof that was refused. */
  prove: (block: string, run: number, chunk: number, attempt: number) => `${block}-${run}-prove-${chunk}-${attempt}`,
  assemble: (block: string, run: number) => `${block}-${run}-assemble`,
} as const;

/** Block and run of a job, from its name. */
export function ownerOf(id: string): { readonly block: string; readonly run: number } | undefined {
  const found = /^([0-9a-f]{32})-(\d+)-/.exec(id);
  return found === null ? undefined : { block: found[1]!, run: Number(found[2]) };
}
