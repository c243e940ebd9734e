/**
 * Development keys: a Groth16 key in snarkjs' format from locally drawn trapdoors, in seconds and without a ceremony.
 *
 * With A_i, B_i, C_i the polynomials of signal i at τ (the circuit's columns interpolated over a domain of n points) and
 * L_j the Lagrange polynomials of the domain of 2n points (eprint 2016/260, γ = 1):
 *
 * ```text
 * A, B1, B2  A_i·G1, B_i·G1, B_i·G2                      every signal
 * IC         (β·A_i + α·B_i + C_i)·G1                     signals 0 to nPublic
 * C          (β·A_i + α·B_i + C_i)/δ·G1                   the others
 * H          L_{2j+1}(τ)/δ·G1                             j < n
 * ```
 *
 * H in this form saves the prover a transform: the quotient's part A·B - C is all that is left of it at odd points.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { writeFileAtomic } from "#platform";
import { SetupError } from "../errors.js";
import { encodeG1, encodeG2 } from "../formats/bn254.js";
import type { VerifyingKeyJson } from "../formats/json.js";
import { readR1cs } from "../formats/r1cs.js";
import { openSource, type Source } from "../formats/source.js";
import {
  exportVerifyingKey as exportFromFile,
  openZkey,
  writeZkey,
  ZKEY_SECTION,
  type ZkeyHeader,
} from "../formats/zkey.js";
import { type OnProgress, Stage } from "../prover/progress.js";
import { Engine, resolveThreads, type ThreadCount } from "../prover/wasm/engine.js";
import { blindingScalar, circuitHash, developmentContribution } from "./contribution.js";
import { evaluate, evaluationUnits } from "./evaluate.js";
import { planSetup } from "./plan.js";
import { allocateSections, makePoints, pointUnits } from "./points.js";
import { chooseTrapdoors, type Phase1, type Trapdoors } from "./trapdoors.js";

/** What has to be said wherever such a key is made or used. */
export const DEVELOPMENT_WARNING =
  "DEVELOPMENT KEY, NOT FOR PRODUCTION: whoever made it could have kept the trapdoor and forge proofs. " +
  "Production keys come from a ceremony (snarkjs powersoftau, snarkjs zkey contribute).";

/** Options of {@link setup}. */
export interface SetupOptions {
  /** Default `"auto"`: as many as the hardware runs at the same time. */
  readonly threads?: ThreadCount | undefined;
  /** Ends the setup between two tasks; what is thrown then is `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Stages `"read"`, `"evaluate"`, `"points"`. */
  readonly onProgress?: OnProgress | undefined;
  /** Most bytes of memory to take in all: the circuit, the work and the key. Default: no limit. */
  readonly maxMemory?: number | undefined;
  /** τ, α and β of all keys of a set, from `createPhase1`; δ is drawn for each key. Default: drawn for this key too. */
  readonly shared?: Phase1 | undefined;
  /**
   * FOR TESTS ONLY: trapdoors to use instead of secret random ones. The key is then the same in every run, byte by byte,
   * and everybody who knows these numbers can forge proofs for it. Refused unless {@link insecureDeterministic} is set.
   */
  readonly randomness?: Trapdoors | undefined;
  /** FOR TESTS ONLY: must be `true` when {@link randomness} is given, and must not be set without. */
  readonly insecureDeterministic?: boolean | undefined;
}

/** A new development key. */
export interface SetupResult {
  /** The `.zkey` file in pieces, to be written one after the other; as a source: `new Blob(zkey)`. */
  readonly zkey: Uint8Array[];
  /** Its verifying key, field for field what `snarkjs zkey export verificationkey` writes. */
  readonly verifyingKey: VerifyingKeyJson;
  readonly nConstraints: number;
  /** Number of signals, the constant 1 included. */
  readonly nVars: number;
  /** Number of public signals, the constant 1 not included. */
  readonly nPublic: number;
  /** Number of points of the evaluation domain, a power of two. */
  readonly domainSize: number;
  /** {@link DEVELOPMENT_WARNING}. */
  readonly warning: string;
  /**
   * Writes the key to a local file; whatever fails, no incomplete file is left under that name.
   *
   * @throws FormatError `FILE_UNWRITABLE`, in browsers `FILE_UNSUPPORTED`; `signal.reason`.
   */
  writeTo(path: string, signal?: AbortSignal): Promise<void>;
}

/**
 * Makes a development key for a circuit, NOT FOR PRODUCTION.
 *
 * One party draws every secret here, and a single one that is kept or leaks lets its holder prove anything. They are drawn
 * from the host's CSPRNG, never written anywhere, and the WebAssembly memory they went through is overwritten at the end;
 * JavaScript's own big integers cannot be overwritten and stay in this process until they are collected and reused. The
 * arithmetic is not constant time. The key says what it is: section 10 holds one contribution, named
 * `chunkproof development key, NOT FOR PRODUCTION`, with a valid proof of knowledge of delta. No `.ptau` file belongs to the
 * key, so `snarkjs zkey verify` cannot say anything about it; `snarkjs zkey contribute` and everything else works.
 *
 * Memory: about 430 bytes for each signal, 100 for each point of the domain and 80 for each term of the constraints.
 *
 * @param r1cs constraint system as circom writes it (path, URL, bytes or Blob).
 * @returns the key in memory.
 * @throws FormatError when the source is no such circuit (the codes of `readR1cs`); SetupError `SETUP_TOO_LARGE`,
 *   `SETUP_TRAPDOOR`, `SETUP_OPTIONS`; ProverError `THREADS_INVALID`, `WASM_UNSUPPORTED`, `OUT_OF_MEMORY`, `NO_RANDOMNESS`,
 *   `WORKER_FAILED`; `signal.reason`.
 */
export async function setup(r1cs: Source, options: SetupOptions = {}): Promise<SetupResult> {
  const { signal, onProgress, maxMemory = Number.POSITIVE_INFINITY, randomness, shared } = options;
  signal?.throwIfAborted();
  const threads = resolveThreads(options.threads);
  checkOptions(options, maxMemory);

  const reading = new Stage(onProgress, "read", 1);
  const circuit = await readR1cs(r1cs, signal);
  reading.advance();
  signal?.throwIfAborted();
  const plan = planSetup(circuit, threads, maxMemory);
  const { power, domainSize, nVars, nPublic, nConstraints } = plan;
  const trapdoors = chooseTrapdoors(power, randomness, shared);
  const sections = allocateSections(circuit.name, plan);

  const engine = await Engine.create({ threads }, true);
  let coefs: Uint8Array;
  try {
    const job = { engine, plan, signal };
    const polynomials = await evaluate(
      job,
      circuit,
      trapdoors.tau,
      new Stage(onProgress, "evaluate", evaluationUnits(circuit, plan)),
    );
    coefs = polynomials.coefs;
    await makePoints(job, polynomials, trapdoors, sections, new Stage(onProgress, "points", pointUnits(plan)));
  } finally {
    await engine.close();
  }
  signal?.throwIfAborted();

  const header = { nVars, nPublic, domainSize, power, ...headerPoints(trapdoors) };
  const counts = new Uint8Array(new Uint32Array([nVars, nPublic, domainSize]).buffer);
  const hash = circuitHash([counts, ...encodedPoints(header), sections.ic]);
  const s = blindingScalar(randomness);
  const zkey = writeZkey({
    ...header,
    ...sections,
    coefs,
    circuitHash: hash,
    contributions: [developmentContribution(hash, trapdoors.delta, s)],
  });
  const verifyingKey = await verifyingKeyOf(header, sections.ic);
  return {
    zkey,
    verifyingKey,
    nConstraints,
    nVars,
    nPublic,
    domainSize,
    warning: DEVELOPMENT_WARNING,
    writeTo: (path, abort) => writeFileAtomic(path, zkey, abort),
  };
}

function checkOptions(options: SetupOptions, maxMemory: number): void {
  if (typeof maxMemory !== "number" || !(maxMemory > 0)) throw badOption("maxMemory", "a positive number of bytes");
  checkRandomness(options);
  if (options.shared !== undefined && options.randomness !== undefined) {
    throw badOption("shared", "shared or randomness, not both");
  }
}

/** The error for an option that cannot be taken. */
export const badOption = (where: string, expected: string): SetupError =>
  new SetupError("bad option", { code: "SETUP_OPTIONS", where, expected });

/** Holds that nobody makes a key of known secrets unawares. @throws SetupError `SETUP_OPTIONS`. */
export function checkRandomness(options: {
  readonly randomness?: unknown;
  readonly insecureDeterministic?: boolean | undefined;
}): void {
  const { randomness, insecureDeterministic = false } = options;
  if ((randomness !== undefined) === insecureDeterministic) return;
  throw badOption("randomness", "randomness and insecureDeterministic: true together, in tests only, or neither");
}

type HeaderPoints = Pick<ZkeyHeader, "alpha1" | "beta1" | "delta1" | "beta2" | "gamma2" | "delta2">;

function headerPoints({ alpha, beta, delta }: Trapdoors): HeaderPoints {
  const g1 = (k: bigint) => bn254.G1.Point.BASE.multiply(k).toAffine();
  const g2 = (k: bigint) => bn254.G2.Point.BASE.multiply(k).toAffine();
  return {
    alpha1: g1(alpha),
    beta1: g1(beta),
    delta1: g1(delta),
    beta2: g2(beta),
    gamma2: bn254.G2.Point.BASE.toAffine(),
    delta2: g2(delta),
  };
}

function encodedPoints({ alpha1, beta1, delta1, beta2, delta2 }: HeaderPoints): Uint8Array[] {
  return [...[alpha1, beta1, delta1].map(encodeG1), ...[beta2, delta2].map(encodeG2)];
}

async function verifyingKeyOf(header: ZkeyHeader, ic: Uint8Array): Promise<VerifyingKeyJson> {
  const source = await openSource(ic, "new key");
  const sections = new Map([[ZKEY_SECTION.ic as number, { offset: 0, size: ic.length }]]);
  return exportFromFile({ name: source.name, header, nCoefs: 0, sections, source, close: () => source.close() });
}

/**
 * The verifying key of any Groth16 `.zkey` over BN254, field for field what `snarkjs zkey export verificationkey` writes.
 *
 * @throws FormatError when the source cannot be read or is no such key (the codes of `openZkey`; IC: `POINT_NOT_CANONICAL`,
 *   `POINT_NOT_ON_CURVE`, `POINT_AT_INFINITY`).
 */
export async function exportVerifyingKey(zkey: Source, signal?: AbortSignal): Promise<VerifyingKeyJson> {
  const file = await openZkey(zkey, signal);
  try {
    return await exportFromFile(file);
  } finally {
    await file.close();
  }
}
