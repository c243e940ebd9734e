/**
 * Commitment keys: σ·IC_i for the public signals of a zkey that are committed to, and for no other, with σ a secret of
 * this key alone.
 *
 * σ is toxic waste like δ: whoever knows it makes P = σ·D for any D, and with that proves anything. It is a product of
 * factors, one for each contribution, and safe if a single one of them was forgotten. And no two keys may share it: a
 * point σ·IC_i of another key would be one that this key must not have.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { writeFileAtomic } from "#platform";
import { FormatError, SetupError } from "../errors.js";
import { FIELD_SIZE, FR_MODULUS, G1_SIZE, type G2Affine } from "../formats/bn254.js";
import {
  type CkeyContribution,
  type CkeyFile,
  type CkeyHeader,
  encodeName,
  openCkey,
  writeCkey,
  zkeyDigest,
} from "../formats/ckey.js";
import { g1ToJson, g2ToJson } from "../formats/json.js";
import type { Source } from "../formats/source.js";
import { openZkey, readIC, type ZkeyFile } from "../formats/zkey.js";
import { checkGamma, checkPair, committedIC, loadColumns } from "../prover/commitment.js";
import { loadJob } from "../prover/key.js";
import { type OnProgress, Stage } from "../prover/progress.js";
import { randomBytes, randomScalar } from "../prover/random.js";
import { Engine, resolveThreads, type ThreadCount } from "../prover/wasm/engine.js";
import { Workspace } from "../prover/workspace.js";
import { negatedPair } from "../verifier/groth16.js";
import { type ChunkKeyJson, generatorG2, N_STATEMENT } from "../verifier/keyset.js";
import { isNeutral, millerLoop } from "../verifier/pairing.js";
import { toG2 } from "../verifier/points.js";
import {
  CONTRIBUTION_NAME,
  commitmentContribution,
  commitmentHash,
  derivedScalar,
  provesFactor,
} from "./contribution.js";
import { scalePoints } from "./scale.js";
import { badOption, checkRandomness, DEVELOPMENT_WARNING } from "./setup.js";

/** Options of everything here. */
export interface CommitmentOptions {
  /** Default `"auto"`: as many as the hardware runs at the same time. */
  readonly threads?: ThreadCount | undefined;
  /** Ends the work between two tasks; what is thrown then is `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Options of {@link createCommitmentKey} and {@link contributeCommitmentKey}. Stage: `"points"`. */
export interface ContributeOptions extends CommitmentOptions {
  /** Who contributes, at most 255 bytes in UTF-8. Default: `chunkproof development key, NOT FOR PRODUCTION`. */
  readonly name?: string | undefined;
  /**
   * FOR TESTS ONLY: the factor of σ instead of a secret random one, from 2 to r - 2. The key is then the same in every run,
   * and everybody who knows this number can forge proofs for it. Refused unless {@link insecureDeterministic} is set.
   */
  readonly randomness?: { readonly sigma: bigint } | undefined;
  /** FOR TESTS ONLY: must be `true` when {@link randomness} is given, and must not be set without. */
  readonly insecureDeterministic?: boolean | undefined;
}

/** A new commitment key. */
export interface CommitmentKeyResult {
  /** The `.ckey` file in pieces, to be written one after the other; as a source: `new Blob(ckey)`. */
  readonly ckey: Uint8Array[];
  readonly nStatement: number;
  readonly nCommitted: number;
  /** What has to be said as long as nobody else has contributed. */
  readonly warning: string;
  /**
   * Writes the key to a local file; whatever fails, no incomplete file is left under that name.
   *
   * @throws FormatError `FILE_UNWRITABLE`, in browsers `FILE_UNSUPPORTED`; `signal.reason`.
   */
  writeTo(path: string, signal?: AbortSignal): Promise<void>;
}

/** The generator of G2, where σ starts. */
const ONE: G2Affine = /* @__PURE__ */ (() => bn254.G2.Point.BASE.toAffine())();

/**
 * Makes the commitment key of a zkey, with a σ of its own and the first contribution to it.
 *
 * Needs the zkey only, in its last state: a contribution to δ makes it another one. The public signals are sum, alpha and
 * beta, and the columns, which are committed to. One party draws σ here; let others {@link contributeCommitmentKey}.
 *
 * @returns the key in memory.
 * @throws FormatError when the source cannot be read or is no such key (the codes of `openZkey`; IC: `POINT_INVALID`,
 *   `POINT_AT_INFINITY`; `ZKEY_GAMMA`, `CKEY_CONTRIBUTION`: the name is too long); SetupError `SETUP_OPTIONS`,
 *   `SETUP_NO_COLUMNS`; ProverError `THREADS_INVALID`, `WASM_UNSUPPORTED`, `OUT_OF_MEMORY`, `NO_RANDOMNESS`,
 *   `WORKER_FAILED`; `signal.reason`.
 */
export async function createCommitmentKey(zkey: Source, options: ContributeOptions = {}): Promise<CommitmentKeyResult> {
  const { factor, name, nonce } = chooseFactor(options);
  const file = await openZkey(zkey, options.signal);
  try {
    checkGamma(file);
    const nCommitted = file.header.nPublic - N_STATEMENT;
    if (nCommitted < 1) {
      throw new SetupError("the circuit has nothing to commit to", {
        code: "SETUP_NO_COLUMNS",
        where: file.name,
        expected: `more than ${N_STATEMENT} public signals`,
        got: String(file.header.nPublic),
      });
    }
    const header = { nStatement: N_STATEMENT, nCommitted, zkeyDigest: await zkeyDigest(file) };
    const points = await scalePoints(committedIC(file, header), factor, options);
    const start = commitmentHash(header.zkeyDigest, N_STATEMENT, nCommitted);
    return resultOf(header, points, [commitmentContribution(start, ONE, factor, nonce, name)]);
  } finally {
    await file.close();
  }
}

/**
 * Contributes to the σ of a commitment key: multiplies it by a secret that nobody keeps.
 *
 * The contributions before this one are checked; that the points are what they should be is for
 * {@link checkCommitmentKey} to say, which everybody should do with the final key.
 *
 * @throws FormatError when the source cannot be read or is no such key (the codes of `openCkey`; `POINT_INVALID`,
 *   `POINT_AT_INFINITY`; `CKEY_CONTRIBUTION`, `CKEY_NO_CONTRIBUTION`); SetupError `SETUP_OPTIONS`; ProverError as
 *   {@link createCommitmentKey}; `signal.reason`.
 */
export async function contributeCommitmentKey(
  ckey: Source,
  options: ContributeOptions = {},
): Promise<CommitmentKeyResult> {
  const { factor, name, nonce } = chooseFactor(options);
  const file = await openCkey(ckey, options.signal);
  try {
    checkContributions(file);
    const { header, contributions, sigma2, source, points: section } = file;
    const range = {
      source,
      where: `${file.name}: section 3`,
      offset: section.offset,
      count: header.nCommitted,
    };
    const points = await scalePoints(range, factor, options);
    const last = contributions.at(-1)!.transcript;
    const contribution = commitmentContribution(last, sigma2, factor, nonce, name);
    return resultOf(header, points, [...contributions, contribution]);
  } finally {
    await file.close();
  }
}

function chooseFactor(options: ContributeOptions) {
  options.signal?.throwIfAborted();
  resolveThreads(options.threads);
  checkRandomness(options);
  const { randomness, name = CONTRIBUTION_NAME } = options;
  encodeName(name, "name");
  if (randomness === undefined) {
    // 1 and -1 come once in 2^253 times, and parseKeySet refuses them
    return { factor: randomScalar(), nonce: randomScalar(), name };
  }
  const { sigma } = randomness;
  if (typeof sigma !== "bigint" || sigma < 2n || sigma > FR_MODULUS - 2n) {
    throw badOption("randomness.sigma", "a bigint from 2 to r - 2");
  }
  return { factor: sigma, nonce: derivedScalar("chunkproof test sigma", [sigma]), name };
}

function resultOf(
  header: CkeyHeader,
  points: Uint8Array,
  contributions: readonly CkeyContribution[],
): CommitmentKeyResult {
  const ckey = writeCkey({ ...header, points, contributions, sigma2: contributions.at(-1)!.sigmaAfter });
  return {
    ckey,
    nStatement: header.nStatement,
    nCommitted: header.nCommitted,
    warning: DEVELOPMENT_WARNING,
    writeTo: (path, abort) => writeFileAtomic(path, ckey, abort),
  };
}

/** What {@link checkCommitmentKey} found out. */
export interface CommitmentKeyReport {
  readonly nStatement: number;
  readonly nCommitted: number;
  /** Names of the contributors in order. The names are claims; the factors are proved to be known to whoever made them. */
  readonly contributors: readonly string[];
}

/**
 * Checks a commitment key against its zkey: that every contribution is chained to the one before and proves its factor, that
 * the last one leads to the key's σ, and that all points are σ·IC_i for it.
 *
 * The points are compared by one random linear combination, with 128-bit coefficients drawn afterwards:
 * e(Σ ρ_i·Q_i, [1]) = e(Σ ρ_i·IC_i, [σ]).
 *
 * @throws FormatError when a source cannot be read or is no such key (the codes of `openZkey` and `openCkey`; `POINT_INVALID`,
 *   `POINT_AT_INFINITY`, `ZKEY_GAMMA`, `CKEY_COUNTS`); `CKEY_FOREIGN`; `CKEY_NO_CONTRIBUTION`; `CKEY_CONTRIBUTION`: one of
 *   them proves nothing or is not chained; `CKEY_SIGMA`: σ is not where they lead; `CKEY_POINTS`: the points have another
 *   ratio; ProverError as {@link createCommitmentKey}; `signal.reason`.
 */
export async function checkCommitmentKey(
  zkey: Source,
  ckey: Source,
  options: CommitmentOptions = {},
): Promise<CommitmentKeyReport> {
  options.signal?.throwIfAborted();
  return withBoth(zkey, ckey, options.signal, async (file, commitments) => {
    checkContributions(commitments);
    await checkRatio(file, commitments, options);
    const { header, contributions } = commitments;
    return {
      nStatement: header.nStatement,
      nCommitted: header.nCommitted,
      contributors: contributions.map(({ name }) => name),
    };
  });
}

/** Opens both files, holds that they belong together, and closes them in any case. */
async function withBoth<T>(
  zkey: Source,
  ckey: Source,
  signal: AbortSignal | undefined,
  work: (zkey: ZkeyFile, ckey: CkeyFile) => Promise<T>,
): Promise<T> {
  const file = await openZkey(zkey, signal);
  try {
    const commitments = await openCkey(ckey, signal);
    try {
      await checkPair(file, commitments);
      return await work(file, commitments);
    } finally {
      await commitments.close();
    }
  } finally {
    await file.close();
  }
}

function checkContributions({ name, header, sigma2, contributions }: CkeyFile): void {
  if (contributions.length === 0) {
    throw new FormatError("nobody contributed to sigma", { code: "CKEY_NO_CONTRIBUTION", where: name });
  }
  let before = commitmentHash(header.zkeyDigest, header.nStatement, header.nCommitted);
  let sigma = ONE;
  contributions.forEach((contribution, i) => {
    if (!provesFactor(contribution, before, sigma)) {
      throw new FormatError("contribution proves nothing, or does not follow the one before", {
        code: "CKEY_CONTRIBUTION",
        where: `${name}: section 4 (contributions), contribution ${i}`,
      });
    }
    before = contribution.transcript;
    sigma = contribution.sigmaAfter;
  });
  const { Point } = bn254.G2;
  if (!Point.fromAffine(sigma).equals(Point.fromAffine(sigma2))) {
    throw new FormatError("sigma is not where the contributions lead", {
      code: "CKEY_SIGMA",
      where: `${name}: section 2 (sigma)`,
    });
  }
}

async function checkRatio(zkey: ZkeyFile, ckey: CkeyFile, options: CommitmentOptions): Promise<void> {
  const { signal, onProgress } = options;
  const { nStatement, nCommitted } = ckey.header;
  const engine = await Engine.create({ threads: options.threads });
  try {
    const job = loadJob(engine, new Stage(onProgress, "load", 2 * nCommitted * G1_SIZE), signal);
    const { ic, sigma } = await loadColumns(job, zkey, ckey);
    const coefficients = new Uint8Array(nCommitted * FIELD_SIZE);
    for (let i = 0; i < nCommitted; i++) coefficients.set(randomBytes(FIELD_SIZE / 2), i * FIELD_SIZE);
    const space = new Workspace(engine, job.constants);
    const impossible = (i: number) => new Error(`coefficient ${i} is above 2^128`);
    const how = { signal, onProgress, stage: "check" };
    const sums = await space.sumAll(coefficients, nStatement + 1, [ic, sigma], impossible, how);
    const [left, right] = sums.map(({ x, y }) => bn254.G1.Point.fromAffine({ x, y })) as [Point, Point];
    const pairs = [
      ...negatedPair(left, toG2("vk", ckey.sigma2, "").lines),
      ...negatedPair(right.negate(), generatorG2().lines),
    ];
    if (isNeutral(millerLoop(pairs))) return;
  } finally {
    await engine.close();
  }
  throw new FormatError("the points are not those of IC times sigma", {
    code: "CKEY_POINTS",
    where: `${ckey.name}: section 3 (points)`,
  });
}

type Point = ReturnType<typeof bn254.G1.Point.fromAffine>;

/** How a chunk key is called, and what it is a key for. */
export interface ChunkKeyNames {
  /** See `ChunkKeyJson`. */
  readonly name: string;
  /** Digest of what the layout's circuit is made from: 64 lower-case hexadecimal digits. */
  readonly layout: string;
}

/**
 * The verifying key of a layout, as an entry of a key set.
 *
 * @throws FormatError when a source cannot be read or is no such key (the codes of `openZkey` and `openCkey`; IC:
 *   `POINT_NOT_CANONICAL`, `POINT_NOT_ON_CURVE`, `POINT_AT_INFINITY`; `CKEY_FOREIGN`, `CKEY_COUNTS`, `ZKEY_GAMMA`).
 */
export async function exportChunkKey(
  zkey: Source,
  ckey: Source,
  { name, layout }: ChunkKeyNames,
  signal?: AbortSignal,
): Promise<ChunkKeyJson> {
  return withBoth(zkey, ckey, signal, async (file, { header: { nStatement, nCommitted }, sigma2 }) => {
    const { power, nPublic, alpha1, beta2, gamma2, delta2 } = file.header;
    const ic = await readIC(file, nStatement + 1);
    return {
      name,
      power,
      nPublic,
      nCommitted,
      layout,
      vk_alpha_1: g1ToJson(alpha1),
      vk_beta_2: g2ToJson(beta2),
      vk_gamma_2: g2ToJson(gamma2),
      vk_delta_2: g2ToJson(delta2),
      vk_sigma_2: g2ToJson(sigma2),
      IC: ic.map(g1ToJson),
    };
  });
}
