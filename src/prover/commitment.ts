/**
 * Groth16 with committed columns: of the public signals `[sum, alpha, beta, column …]` the columns are not given to the verifier
 * but committed to, under the verifying key itself: D = Σ column_i·IC_i, and P = Σ column_i·[σ·IC_i] shows that D is a
 * sum of those points. The challenges alpha and beta are drawn after the columns are fixed, and before the rest of the
 * witness exists.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { FormatError, ProverError } from "../errors.js";
import { bigintToBytesLE, FIELD_SIZE, FR_MODULUS, G1_SIZE, type G1Affine, type G2Affine } from "../formats/bn254.js";
import { type CkeyFile, type CkeyHeader, openCkey, zkeyDigest } from "../formats/ckey.js";
import type { Source } from "../formats/source.js";
import { openZkey, readIC, ZKEY_SECTION, type ZkeyFile, type ZkeyHeader } from "../formats/zkey.js";
import { faultOfChunk, readChunkPoints } from "../verifier/chunk.js";
import { N_STATEMENT, type PreparedChunkKey, prepareChunkKey } from "../verifier/keyset.js";
import { toG2 } from "../verifier/points.js";
import { allDone } from "./concurrency.js";
import {
  intoEngine,
  type KeyMemory,
  LoadedKey,
  type LoadJob,
  type LoadOptions,
  loadBases,
  loadJob,
  loadMemory,
  memoryUnits,
} from "./key.js";
import { Stage } from "./progress.js";
import { admit, inTurn, type ProofAffine, type ProveOptions, proveChecked, Run, type WorkOptions } from "./prove.js";
import type { BackendReport } from "./split.js";
import type { Engine } from "./wasm/engine.js";
import type { Bases } from "./wasm/msm.js";
import { Workspace } from "./workspace.js";

/** A commitment to columns. Infinity, what nothing but zeros commits to, is (0, 0). */
export interface Commitment {
  readonly d: G1Affine;
  /** σ·D. */
  readonly p: G1Affine;
}

/** Both files of a key. */
export interface CommittedKeySource {
  readonly zkey: Source;
  /** Made for this zkey by `createCommitmentKey` of `chunkproof/setup`. */
  readonly ckey: Source;
}

/** Options of `loadCommittedKey`. */
export type LoadCommittedOptions = Omit<LoadOptions, "verifyingKey">;

/** Options of `proveChunk`. */
export interface ProveChunkOptions extends ProveOptions {
  /** What the columns were committed to by; the self-check takes this. Default: computed again for it. */
  readonly commitment?: Commitment | undefined;
}

/** IC_i and σ·IC_i of the columns, by wire. @internal */
export interface ColumnBases {
  readonly ic: Bases;
  readonly sigma: Bases;
}

/** A proving key with its commitment key, in the memory of one engine. Work with the same key runs one after the other. */
export class CommittedKey extends LoadedKey {
  /** Number of columns. */
  readonly nCommitted: number;
  /** Number of public signals in front of them. */
  readonly nStatement: number;
  /** @internal */
  readonly columns: ColumnBases;
  readonly #prepared: PreparedChunkKey;

  /** @internal */
  constructor(
    name: string,
    header: ZkeyHeader,
    { nStatement, nCommitted }: CkeyHeader,
    engine: Engine,
    memory: KeyMemory,
    columns: ColumnBases,
    prepared: PreparedChunkKey,
  ) {
    super(name, header, engine, memory);
    this.nCommitted = nCommitted;
    this.nStatement = nStatement;
    this.columns = columns;
    this.#prepared = prepared;
  }

  /** @internal */
  get prepared(): PreparedChunkKey {
    return this.#prepared;
  }
}

/**
 * Refuses a commitment key that was made for another zkey, or a zkey that has no room for it.
 *
 * @throws FormatError `CKEY_FOREIGN`, `CKEY_COUNTS`, `ZKEY_GAMMA`.
 */
export async function checkPair(zkey: ZkeyFile, ckey: CkeyFile): Promise<void> {
  const { nStatement, nCommitted } = ckey.header;
  const digest = await zkeyDigest(zkey);
  if (digest.some((byte, i) => byte !== ckey.header.zkeyDigest[i])) {
    throw new FormatError("belongs to another zkey", { code: "CKEY_FOREIGN", where: ckey.name, expected: zkey.name });
  }
  if (nStatement + nCommitted !== zkey.header.nPublic) {
    throw new FormatError("header contradicts the zkey", {
      code: "CKEY_COUNTS",
      where: `${ckey.name}: section 1 (header)`,
      expected: `nStatement + nCommitted = ${zkey.header.nPublic}`,
      got: `${nStatement} + ${nCommitted}`,
    });
  }
  checkGamma(zkey);
}

/** With another gamma no commitment of this kind can be checked. @throws FormatError `ZKEY_GAMMA`. */
export function checkGamma({ name, header }: ZkeyFile): void {
  const { x, y } = bn254.G2.Point.BASE.toAffine();
  const { gamma2 } = header;
  if ([x.c0 - gamma2.x.c0, x.c1 - gamma2.x.c1, y.c0 - gamma2.y.c0, y.c1 - gamma2.y.c1].every((n) => n === 0n)) return;
  throw new FormatError("gamma is not the generator of G2", { code: "ZKEY_GAMMA", where: `${name}: gamma2` });
}

/** The IC points of the columns, as a zkey holds them. */
export function committedIC(zkey: ZkeyFile, { nStatement, nCommitted }: Pick<CkeyHeader, "nStatement" | "nCommitted">) {
  const { offset } = zkey.sections.get(ZKEY_SECTION.ic)!;
  const first = nStatement + 1;
  return {
    source: zkey.source,
    where: `${zkey.name}: section ${ZKEY_SECTION.ic}`,
    offset: offset + first * G1_SIZE,
    count: nCommitted,
    first,
  };
}

/** Both points of each column. @internal @throws FormatError `POINT_INVALID`, `POINT_AT_INFINITY`. */
export async function loadColumns(job: LoadJob, zkey: ZkeyFile, ckey: CkeyFile): Promise<ColumnBases> {
  const { nCommitted, nStatement } = ckey.header;
  const ranges = {
    ic: committedIC(zkey, ckey.header),
    sigma: {
      source: ckey.source,
      where: `${ckey.name}: section 3`,
      offset: ckey.points.offset,
      count: nCommitted,
      first: nStatement + 1,
    },
  };
  const [ic, sigma] = await allDone([loadBases(job, "g1", ranges.ic), loadBases(job, "g1", ranges.sigma)] as const);
  for (const [{ count }, { where }] of [
    [ic, ranges.ic],
    [sigma, ranges.sigma],
  ] as const) {
    // a column with such a point could be anything
    if (count !== nCommitted) throw new FormatError("is the point at infinity", { code: "POINT_AT_INFINITY", where });
  }
  return { ic, sigma };
}

/** Reads both files into an engine, see {@link intoEngine}. @throws see `loadCommittedKey`. */
export async function readCommittedKey(
  { zkey, ckey }: CommittedKeySource,
  starting: Promise<Engine>,
  { signal, onProgress }: LoadCommittedOptions,
): Promise<CommittedKey> {
  return intoEngine(openZkey(zkey, signal), starting, signal, async (file, engine) => {
    const commitments = await openCkey(ckey, signal);
    try {
      await checkPair(file, commitments);
      const { header } = file;
      const { nStatement, nCommitted } = commitments.header;
      if (nStatement !== N_STATEMENT) {
        throw new FormatError("is no key for chunks", {
          code: "CKEY_COUNTS",
          where: `${commitments.name}: section 1 (header)`,
          expected: `nStatement = ${N_STATEMENT}: sum, alpha, beta`,
          got: String(nStatement),
        });
      }
      const stage = new Stage(onProgress, "load", memoryUnits(file) + 2 * nCommitted * G1_SIZE);
      const job = loadJob(engine, stage, signal);
      const [memory, columns, ic] = await allDone([
        loadMemory(job, file),
        loadColumns(job, file, commitments),
        readIC(file, nStatement + 1),
      ] as const);
      const g1 = (point: G1Affine) => bn254.G1.Point.fromAffine(point);
      const g2 = (point: G2Affine) => toG2("vk", point, "");
      const [beta, delta, sigma] = [g2(header.beta2), g2(header.delta2), g2(commitments.sigma2)];
      const prepared = prepareChunkKey(g1(header.alpha1), beta, delta, sigma, ic.map(g1));
      return new CommittedKey(file.name, header, commitments.header, engine, memory, columns, prepared);
    } finally {
      await commitments.close();
    }
  });
}

/** @throws see `commit`. */
export async function commitColumns(
  key: CommittedKey,
  columns: Uint8Array | readonly bigint[],
  options: WorkOptions,
): Promise<Commitment> {
  const threads = admit(key, options);
  const values = encodeColumns(key, columns);
  return inTurn(key, threads, options.signal, () => sumColumns(key, values, options));
}

/** Both sums, within a turn. */
async function sumColumns(key: CommittedKey, values: Uint8Array, options: WorkOptions): Promise<Commitment> {
  const space = new Workspace(key.engine, key.memory.constants);
  const { ic, sigma } = key.columns;
  const { signal, onProgress } = options;
  try {
    const refuse = (i: number) => notCanonical(key, i);
    const how = { signal, onProgress, stage: "commit" };
    const [d, p] = await space.sumAll(values, key.nStatement + 1, [ic, sigma], refuse, how);
    return { d: d!, p: p! };
  } finally {
    space.free();
  }
}

const notCanonical = ({ name }: CommittedKey, i: number) =>
  new ProverError("a column is not canonical", {
    code: "COLUMN_NOT_CANONICAL",
    where: `${name}: column ${i}`,
    expected: "a number below r",
  });

function encodeColumns(key: CommittedKey, columns: Uint8Array | readonly bigint[]): Uint8Array {
  const { nCommitted, name } = key;
  const n = columns instanceof Uint8Array ? columns.length / FIELD_SIZE : columns.length;
  if (n !== nCommitted) {
    throw new ProverError("the columns belong to another circuit than the key", {
      code: "COLUMNS_LENGTH",
      where: name,
      expected: `${nCommitted} columns`,
      got: String(n),
    });
  }
  if (columns instanceof Uint8Array) return columns;
  const bytes = new Uint8Array(n * FIELD_SIZE);
  columns.forEach((value, i) => {
    if (typeof value !== "bigint" || value < 0n || value >= FR_MODULUS) throw notCanonical(key, i);
    bytes.set(bigintToBytesLE(value, FIELD_SIZE), i * FIELD_SIZE);
  });
  return bytes;
}

/** The points of a chunk's proof, and what computed them. */
export interface ChunkPoints extends ProofAffine {
  readonly backend: BackendReport;
}

/** @throws see `proveChunk`. */
export async function createChunkProof(
  key: CommittedKey,
  witness: Uint8Array,
  options: ProveChunkOptions,
): Promise<ChunkPoints> {
  const threads = admit(key, options);
  const name = "witness";
  return inTurn(key, threads, options.signal, async () => {
    const run = new Run(key, name, options);
    try {
      run.put(witness);
      const { points, backend } = await proveChecked(key, run, name, options, async (proof) => {
        const first = (key.nStatement + 1) * FIELD_SIZE;
        const columns = witness.subarray(first, first + key.nCommitted * FIELD_SIZE);
        const commitment = options.commitment ?? (await sumColumns(key, columns, options));
        const [sum, alpha, beta] = [run.value(1), run.value(2), run.value(3)];
        const chunk = readChunkPoints({ ...proof, ...commitment, layout: 0, sum });
        const error = faultOfChunk(key.prepared, { alpha, beta }, chunk);
        if (error !== undefined) throw error;
      });
      return { ...points, backend };
    } finally {
      run.free();
    }
  });
}
