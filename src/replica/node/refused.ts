/**
 * Proofs that a replica did not accept, and why. They are kept in the database within bounds, the oldest go first; what was
 * refused once is not verified again. Another proof of the same block is.
 *
 * @module
 */

import { z } from "zod";
import type { BlockFault } from "../../verifier/block.js";
import { VERSION } from "../../version.js";
import type { ReplicaDatabase } from "./database.js";

/** What is wrong with a proof, or that nobody could find out: `VERIFIER_LOST`. */
export interface ProofFault {
  readonly code: BlockFault["code"] | "VERIFIER_LOST";
  readonly where: string;
  readonly message: string;
}

/** A proof that was not accepted. */
export interface RefusedProof {
  /** SHA-256 of its bytes, hexadecimal. */
  readonly digest: string;
  /** Of its block; undefined: nobody could read it. */
  readonly number: bigint | undefined;
  readonly hash: bigint | undefined;
  /**
   * `invalid`: no replica accepts it. `not-next`: it does not come after the block that this replica is at, or needs what
   * this replica does not know; that is no forgery.
   */
  readonly reason: "invalid" | "not-next";
  /** At least one. */
  readonly faults: readonly ProofFault[];
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  /** How often it was handed in. */
  readonly count: number;
  /** Length of the proof. */
  readonly bytes: number;
  /** Whether its bytes are kept. */
  readonly kept: boolean;
}

/** Bounds of what is kept. */
export interface RefusedLimits {
  /** Number of proofs of which something is known after a restart; default 64. */
  readonly records?: number | undefined;
  /** Bytes of proofs that are kept, all together; default 16 MiB. A larger one is only known by its digest. */
  readonly bytes?: number | undefined;
}

const RECORDS = 64;
const BYTES = 16 << 20;
/** Digests that are remembered while the replica is at one block: 4 MiB. */
const MAX_DIGESTS = 65_536;
/** Of each proof. */
const MAX_FAULTS = 16;
const MAX_TEXT = 1000;

const stored = z.object({
  order: z.int().min(0),
  version: z.string(),
  keySet: z.string(),
  number: z
    .string()
    .regex(/^\d{1,20}$/)
    .nullable(),
  hash: z
    .string()
    .regex(/^\d{1,78}$/)
    .nullable(),
  reason: z.enum(["invalid", "not-next"]),
  faults: z.array(z.object({ code: z.string(), where: z.string(), message: z.string() })).min(1),
  firstSeen: z.number(),
  count: z.int().min(1),
  bytes: z.int().min(0),
  kept: z.boolean(),
});

/** See the module. */
export class RefusedProofs {
  readonly #database: ReplicaDatabase;
  readonly #keySet: string;
  readonly #limits: { readonly records: number; readonly bytes: number };
  /** In the order in which they came. */
  readonly #records = new Map<string, RefusedProof & { readonly order: number }>();
  /** Not to be verified again by these keys and this version. */
  readonly #digests = new Set<string>();
  #order = 0;

  private constructor(database: ReplicaDatabase, keySet: string, { records, bytes }: RefusedLimits) {
    this.#database = database;
    this.#keySet = keySet;
    this.#limits = { records: records ?? RECORDS, bytes: bytes ?? BYTES };
  }

  /** @param keySet digest of the keys that proofs are verified with. @throws NodeError `DATABASE_*` */
  static async load(database: ReplicaDatabase, keySet: string, limits: RefusedLimits = {}): Promise<RefusedProofs> {
    const refused = new RefusedProofs(database, keySet, limits);
    const unreadable: string[] = [];
    const found: { digest: string; record: z.infer<typeof stored> }[] = [];
    for (const [digest, value] of await database.refused()) {
      const parsed = stored.safeParse(value);
      // of a version that kept something else: not worth failing for
      if (!parsed.success) unreadable.push(digest);
      else found.push({ digest, record: parsed.data });
    }
    if (unreadable.length > 0) await database.forget(unreadable);
    for (const { digest, record } of found.sort((a, b) => a.record.order - b.record.order)) {
      const { version, keySet: by, order, number, hash, ...rest } = record;
      refused.#records.set(digest, {
        ...rest,
        digest,
        order,
        number: number === null ? undefined : BigInt(number),
        hash: hash === null ? undefined : BigInt(hash),
        faults: rest.faults as unknown as readonly ProofFault[],
      });
      refused.#order = Math.max(refused.#order, order + 1);
      // with other keys, or by another verifier, it may be valid; and other hashes may be known by now
      if (version === VERSION && by === keySet && record.reason === "invalid") refused.#digests.add(digest);
    }
    return refused;
  }

  /** Whether there is no use in verifying it. */
  has(digest: string): boolean {
    return this.#digests.has(digest);
  }

  get(digest: string): RefusedProof | undefined {
    return this.#records.get(digest);
  }

  /** All, oldest first. */
  list(): readonly RefusedProof[] {
    return [...this.#records.values()];
  }

  /** Keeps a proof, or counts it once more. @throws NodeError `DATABASE_*` */
  async add(
    proof: Uint8Array,
    about: Pick<RefusedProof, "digest" | "number" | "hash" | "reason" | "faults">,
    now: number,
  ): Promise<RefusedProof> {
    const { digest } = about;
    const before = this.#records.get(digest);
    const kept = proof.length <= this.#limits.bytes / 4;
    const faults = about.faults.slice(0, MAX_FAULTS).map(({ code, where, message }) => ({
      code,
      where: where.slice(0, MAX_TEXT),
      message: message.slice(0, MAX_TEXT),
    }));
    const record = {
      ...about,
      faults,
      order: before?.order ?? this.#order++,
      firstSeen: before?.firstSeen ?? now,
      count: (before?.count ?? 0) + 1,
      bytes: proof.length,
      kept,
    };
    this.#remember(digest);
    this.#records.set(digest, record);
    await this.#evict();
    await this.#store(record, kept && before === undefined ? proof : undefined);
    return record;
  }

  /** It was handed in again. @throws NodeError `DATABASE_*` */
  async count(digest: string): Promise<void> {
    const before = this.#records.get(digest);
    if (before === undefined) return;
    const record = { ...before, count: before.count + 1 };
    this.#records.set(digest, record);
    await this.#store(record);
  }

  async #store(record: RefusedProof & { readonly order: number }, proof?: Uint8Array): Promise<void> {
    const { digest, number, hash, ...rest } = record;
    const about = {
      ...rest,
      version: VERSION,
      keySet: this.#keySet,
      number: number === undefined ? null : String(number),
      hash: hash === undefined ? null : String(hash),
    };
    await this.#database.refuse(digest, about, proof);
  }

  #remember(digest: string): void {
    if (this.#digests.size >= MAX_DIGESTS) this.#digests.clear();
    this.#digests.add(digest);
  }

  async #evict(): Promise<void> {
    const gone: string[] = [];
    let bytes = 0;
    for (const record of this.#records.values()) bytes += record.kept ? record.bytes : 0;
    for (const [digest, record] of this.#records) {
      if (this.#records.size <= this.#limits.records && bytes <= this.#limits.bytes) break;
      this.#records.delete(digest);
      bytes -= record.kept ? record.bytes : 0;
      gone.push(digest);
    }
    if (gone.length > 0) await this.#database.forget(gone);
  }
}
