/**
 * Groth16 proofs (eprint 2016/260): the sums A, B and C over the witness, the quotient and its sum H; then the blinding.
 *
 * The blinding is that of Baghery, Kohlweiss, Siim and Volkhov (eprint 2020/811): a proof made with r = s = 0 is
 * re-randomised with two secret scalars, A' = A/ρ, B' = ρ·(B + σ·δ), C' = C + σ·A. For A ≠ 0 the result is distributed
 * exactly as a proof with fresh r and s: A' and B' uniform and independent, C' what the equation demands. It saves the sum
 * over B in G1, which is only there for the blinding.
 *
 * @module
 */

import { ProverError } from "../errors.js";
import { FIELD_SIZE, FR_MODULUS, type G1Affine, type G2Affine, readBigintLE } from "../formats/bn254.js";
import { g1ToJson, g2ToJson, type ProofJson } from "../formats/json.js";
import type { Source } from "../formats/source.js";
import type { WtnsFile } from "../formats/wtns.js";
import { assertValid, VerifierError } from "../verifier/index.js";
import { assertBackendChoice, type BackendChoice } from "./backends.js";
import { allDone } from "./concurrency.js";
import { type LoadedKey, type ProvingKey, readToHeap } from "./key.js";
import { type OnProgress, Stage } from "./progress.js";
import { randomScalar } from "./random.js";
import { type BackendReport, SPLITS, type SplitName, type SumPart } from "./split.js";
import { invMod } from "./wasm/constants.js";
import { resolveThreads, type Task, type ThreadCount } from "./wasm/engine.js";
import { PointSpace } from "./wasm/field.js";
import { type Digits, digitTasks } from "./wasm/msm.js";
import { polynomialSize, quotientTasks } from "./wasm/quotient.js";
import { type CircomWitness, openWitness } from "./witness.js";
import { firstBad, type Sum, Workspace } from "./workspace.js";

/** Options of whatever works with a loaded key. */
export interface WorkOptions {
  /** Threads of this piece of work; default: those the key was loaded with. */
  readonly threads?: ThreadCount | undefined;
  /** Ends the work; what is thrown then is `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Options of `prove`. */
export interface ProveOptions extends WorkOptions {
  /**
   * Verify the proof, against the key's own verifying key, before it is handed out. Default true. Only a valid proof hides
   * the witness: without the check a key that was tampered with can make one that tells about it. A proof that a device
   * had a part in is verified in any case.
   */
  readonly selfCheck?: boolean | undefined;
  /**
   * What computes the proof. `"wasm"`, the default: threads. `"webgpu"`, `"gpujs"`: a device, and threads for what it is not made
   * for. `"auto"`: what is fastest with keys of this size on this machine, measured once (docs/gpu.md). A backend from
   * `openBackend`: that one. If a device fails in the middle, the threads finish the proof, see {@link BackendReport}.
   */
  readonly backend?: BackendChoice | undefined;
  /** Overrides what the backend's name stands for. @internal */
  readonly split?: SplitName | undefined;
  /** For `"auto"`: how many proofs of other keys want the same device at once, this one included. @internal */
  readonly share?: number | undefined;
}

/** A proof and its public signals, as snarkjs writes them. */
export interface ProofResult {
  readonly proof: ProofJson;
  /** `nPublic` decimal strings. */
  readonly publicSignals: string[];
  /** What computed it. */
  readonly backend: BackendReport;
}

/** A sum as a device gives it. */
export type Point = G1Affine | G2Affine;

/** The points of a proof. Only C can be infinity, in theory. */
export interface ProofAffine {
  readonly a: G1Affine;
  readonly b: G2Affine;
  readonly c: G1Affine;
}

/** Batches: the quotient is the longest chain, so its tasks go before the sums. */
const PRIORITY = { chain: 0, sums: 1 };

/** Makes one proof, after those before it with the same key. @throws see `prove`. */
export async function createProof(
  key: ProvingKey,
  witness: Source | CircomWitness,
  options: ProveOptions,
): Promise<ProofResult> {
  const { signal } = options;
  const threads = admit(key, options);
  // before the turn comes: a slow download keeps nobody else waiting
  const file = await openWitness(witness, signal);
  try {
    return await inTurn(key, threads, signal, async () => {
      const run = new Run(key, file.name, options);
      try {
        await run.load(file);
        const publicSignals = Array.from({ length: key.nPublic }, (_, i) => run.value(i + 1).toString());
        const { points, backend } = await proveChecked(key, run, file.name, options, (points) => {
          assertValid(key.preparedVerifyingKey(), publicSignals, proofJson(points));
        });
        return { proof: proofJson(points), publicSignals, backend };
      } finally {
        run.free();
      }
    });
  } finally {
    await file.close();
  }
}

const proofJson = ({ a, b, c }: ProofAffine): ProofJson => ({
  pi_a: g1ToJson(a),
  pi_b: g2ToJson(b),
  pi_c: g1ToJson(c),
  protocol: "groth16",
  curve: "bn128",
});

/**
 * Makes a proof on the chosen backend and checks it as the options say. If a device had a part in a proof that is not valid, threads
 * make it again: whether it was the device's fault shows then.
 *
 * @param witness what error messages call it.
 * @param assertProof throws a VerifierError for an invalid proof.
 */
export async function proveChecked(
  key: LoadedKey,
  run: Run,
  witness: string,
  options: ProveOptions,
  assertProof: Making["assertProof"],
): Promise<Made> {
  const { signal, backend, split } = options;
  if ((backend === undefined || backend === "wasm") && split === undefined) {
    return proveOnThreads({ key, run, witness, options, assertProof });
  }
  signal?.throwIfAborted();
  // what devices need is loaded with them only
  const { proveOnDevice } = await import("./accelerate.js");
  return proveOnDevice({ key, run, witness, options, assertProof });
}

/** A proof to be made. */
export interface Making {
  readonly key: LoadedKey;
  readonly run: Run;
  /** What error messages call the witness. */
  readonly witness: string;
  readonly options: ProveOptions;
  readonly assertProof: (points: ProofAffine) => void | Promise<void>;
}

/** A proof, and what made it. */
export interface Made {
  readonly points: ProofAffine;
  readonly backend: BackendReport;
}

/** @throws see `prove`. */
export async function proveOnThreads(making: Making): Promise<Made> {
  const points = await making.run.prove();
  if (making.options.selfCheck !== false) await checkOwn(making, points);
  return { points, backend: { split: SPLITS.wasm } };
}

/** Checks a proof before it is handed out. @throws ProverError `WITNESS_UNSATISFIED`; `signal.reason`. */
export async function checkOwn({ key, witness, options, assertProof }: Making, points: ProofAffine): Promise<void> {
  options.signal?.throwIfAborted();
  const stage = new Stage(options.onProgress, "check", 1);
  try {
    await assertProof(points);
  } catch (cause) {
    if (!(cause instanceof VerifierError)) throw cause;
    throw new ProverError("the witness does not satisfy the circuit of the key, or the key is inconsistent", {
      code: "WITNESS_UNSATISFIED",
      where: `${key.name}, ${witness}`,
      cause,
    });
  }
  stage.advance();
}

/** What must hold before anything is waited for; the number of threads to use, if not the key's usual one. */
export function admit(key: LoadedKey, { signal, threads, backend }: ProveOptions): number | undefined {
  signal?.throwIfAborted();
  if (backend !== undefined) assertBackendChoice(backend);
  key.assertOpen();
  return threads === undefined ? undefined : resolveThreads(threads);
}

/** Runs `work` when everything before it with this key is done, on so many threads. */
export function inTurn<T>(
  key: LoadedKey,
  threads: number | undefined,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  return key.exclusive(async () => {
    const usual = key.engine.threads;
    if (threads !== undefined) key.engine.threads = threads;
    try {
      return await work();
    } finally {
      key.engine.threads = usual;
    }
  }, signal);
}

/** The sums of a proof, in the order in which threads begin them: the one in G2 takes longest. */
export const SUMS: readonly SumPart[] = ["b2", "a", "c", "h"];

/** The witness as digits and as elements, and the tasks that make them, once. */
interface Recoded {
  readonly digits: Digits;
  readonly limbs: number;
  tasks: readonly Task[];
}

/** One proof under way: its buffers and stages. */
export class Run {
  readonly #key: LoadedKey;
  readonly #options: WorkOptions;
  readonly #space: Workspace;
  /** What error messages call the witness. */
  readonly #witness: string;
  #values = 0;
  #recoded: Recoded | undefined;
  #stage = "prove";

  constructor(key: LoadedKey, witness: string, options: WorkOptions) {
    this.#key = key;
    this.#witness = witness;
    this.#options = options;
    this.#space = new Workspace(key.engine, key.memory.constants);
  }

  free(): void {
    this.#space.free();
  }

  /** Brings the witness values of a file into memory. */
  async load(file: WtnsFile): Promise<void> {
    const { engine, nVars } = this.#key;
    this.#assertLength(file.nWitness);
    const size = nVars * FIELD_SIZE;
    this.#values = this.#space.alloc(size);
    await readToHeap(file.source, engine, this.#values, file.valuesOffset, size);
    this.#assertOne();
  }

  /** Brings witness values into memory: `nVars × 32` bytes, little-endian. */
  put(values: Uint8Array): void {
    this.#assertLength(values.length / FIELD_SIZE);
    this.#values = this.#space.alloc(values.length);
    this.#key.engine.heap.view(this.#values, values.length).set(values);
    this.#assertOne();
  }

  #assertLength(nWitness: number): void {
    const { nVars, name } = this.#key;
    if (nWitness === nVars) return;
    throw new ProverError("the witness belongs to another circuit than the key", {
      code: "WITNESS_LENGTH",
      where: this.#witness,
      expected: `${nVars} values (${name})`,
      got: String(nWitness),
    });
  }

  #assertOne(): void {
    if (this.value(0) === 1n) return;
    throw new ProverError("the first value of a witness is the constant 1", {
      code: "WITNESS_NOT_ONE",
      where: `${this.#witness}: value 0`,
    });
  }

  /** Value `i` of the witness in memory. */
  value(i: number): bigint {
    return readBigintLE(this.#key.engine.heap.bytes, this.#values + i * FIELD_SIZE, FIELD_SIZE);
  }

  /** Another proof of the same values, which ends before this one is freed. */
  again(options: WorkOptions): Run {
    const run = new Run(this.#key, this.#witness, options);
    run.#values = this.#values;
    return run;
  }

  /** All values as they are in memory, little-endian; a copy. */
  values(): Uint8Array {
    return this.#key.engine.heap.view(this.#values, this.#key.nVars * FIELD_SIZE).slice();
  }

  /** Makes a proof for the values in memory, on threads. @throws ProverError `WITNESS_NOT_CANONICAL`; FormatError `POINT_AT_INFINITY`. */
  async prove(): Promise<ProofAffine> {
    return this.blind(await this.sums(SUMS));
  }

  /**
   * Takes sums on threads.
   *
   * @param quotient the scalars of the H bases, if they are known already: `domainSize × 32` bytes.
   * @param also what else is done meanwhile: so many units of progress.
   * @throws ProverError `WITNESS_NOT_CANONICAL`, before `also` begins.
   */
  async sums(
    parts: readonly SumPart[],
    quotient?: Uint8Array,
    also?: { readonly units: number; run(onUnit: () => void): Promise<void> },
  ): Promise<Map<SumPart, Sum>> {
    const { engine, domainSize, memory } = this.#key;
    const { signal, onProgress } = this.#options;
    const space = this.#space;
    const witness = this.#recoded ?? this.#recode();
    const sums = new Map<SumPart, Sum>();
    for (const part of parts) if (part !== "h") sums.set(part, space.sum(memory.bases[part], witness.digits));
    const witnessTasks = [...sums.values()].flatMap(({ tasks }) => tasks);
    const rounds: (readonly Task[])[] = [];
    if (parts.includes("h")) {
      const digits = space.digits(domainSize, domainSize);
      const sum = space.sum(memory.bases.h, digits);
      const scalars =
        quotient === undefined ? this.#quotient(witness.limbs, digits) : [this.#recodeAll(quotient, digits)];
      rounds.push(...scalars, sum.tasks);
      sums.set("h", sum);
    }

    const { tasks } = witness;
    const units = tasks.length + witnessTasks.length + rounds.flat().length + (also?.units ?? 0);
    // what a device leaves undone comes after
    const stage = new Stage(onProgress, this.#stage, units);
    this.#stage = "finish";
    const onTask = () => stage.advance();
    const bad = firstBad(await engine.run(tasks, { signal, onTask }));
    if (bad !== undefined) {
      throw new ProverError("a witness value is not canonical", {
        code: "WITNESS_NOT_CANONICAL",
        where: `${this.#witness}: value ${bad}`,
        expected: "a number below r",
      });
    }
    witness.tasks = [];
    this.#recoded = witness;
    const chain = async () => {
      for (const [i, round] of rounds.entries()) {
        const priority = i < rounds.length - 1 ? PRIORITY.chain : PRIORITY.sums;
        await engine.run(round, { priority, signal, onTask });
      }
    };
    const ordered = engine.run(witnessTasks, { priority: PRIORITY.sums, signal, onTask });
    await allDone([chain(), ordered, also?.run(onTask)]);
    return sums;
  }

  /** The witness to be recoded: all its values have to be looked at, whatever they are needed for. */
  #recode(): Recoded {
    const { engine, nVars, memory } = this.#key;
    const digits = this.#space.digits(nVars, Math.max(memory.bases.a.count, memory.bases.c.count));
    const limbs = this.#space.alloc(nVars * engine.fieldBytes);
    return { digits, limbs, tasks: digitTasks(limbs, this.#values, digits) };
  }

  /** Tasks that bring scalars into digits. */
  #recodeAll(scalars: Uint8Array, digits: Digits): Task[] {
    const { engine } = this.#key;
    const address = this.#space.alloc(scalars.length);
    const limbs = this.#space.alloc(digits.n * engine.fieldBytes);
    engine.heap.view(address, scalars.length).set(scalars);
    return digitTasks(limbs, address, digits);
  }

  #quotient(limbs: number, digits: Digits): Task[][] {
    const { engine, header, memory } = this.#key;
    const { power } = header;
    const polynomial = () => this.#space.alloc(polynomialSize(engine, power));
    const polynomials = [polynomial(), polynomial(), polynomial()] as const;
    return quotientTasks(engine, polynomials, memory.matrices, memory, power, limbs, digits);
  }

  /**
   * The proof of the four sums, blinded.
   *
   * @param sums taken on threads, or points.
   * @throws FormatError `POINT_AT_INFINITY`.
   */
  blind(sums: ReadonlyMap<SumPart, Sum | Point>): ProofAffine {
    const { engine, memory, header, name } = this.#key;
    const points = new PointSpace(engine, memory.constants);
    const total = (part: SumPart): number => {
      const sum = sums.get(part)!;
      if ("tasks" in sum) return this.#space.total(points, sum);
      return typeof sum.x === "bigint" ? points.put("g1", sum as G1Affine) : points.put("g2", sum as G2Affine);
    };
    try {
      const a = total("a");
      points.add("g1", a, a, points.put("g1", header.alpha1));
      const b = total("b2");
      points.add("g2", b, b, points.put("g2", header.beta2));
      const c = total("c");
      points.add("g1", c, c, total("h"));

      const [rho, sigma] = [randomScalar(), randomScalar()];
      const shift = points.put("g2", header.delta2);
      points.mul("g2", shift, shift, sigma);
      points.add("g2", b, b, shift);
      points.mul("g2", b, b, rho);
      const sigmaA = points.blank("g1");
      points.mul("g1", sigmaA, a, sigma);
      points.add("g1", c, c, sigmaA);
      points.mul("g1", a, a, invMod(rho, FR_MODULUS));
      // nothing blinds a point at infinity
      return {
        a: points.getG1(a, `${name}: pi_a of a proof`),
        b: points.getG2(b, `${name}: pi_b of a proof`),
        c: points.getG1(c, `${name}: pi_c of a proof`, true),
      };
    } finally {
      points.free();
    }
  }
}
