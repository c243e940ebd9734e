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
import { allDone } from "./concurrency.js";
import { type LoadedKey, type ProvingKey, readToHeap } from "./key.js";
import { type OnProgress, Stage } from "./progress.js";
import { randomScalar } from "./random.js";
import { invMod } from "./wasm/constants.js";
import { resolveThreads, type Task, type ThreadCount } from "./wasm/engine.js";
import { PointSpace } from "./wasm/field.js";
import { type Call, SCRATCH } from "./wasm/kernel.js";
import { type Digits, digitTasks } from "./wasm/msm.js";
import { transformOf } from "./wasm/ntt.js";
import { type CircomWitness, openWitness } from "./witness.js";
import { firstBad, Workspace } from "./workspace.js";

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
   * the witness: without the check a key that was tampered with can make one that tells about it.
   */
  readonly selfCheck?: boolean | undefined;
}

/** A proof and its public signals, as snarkjs writes them. */
export interface ProofResult {
  readonly proof: ProofJson;
  /** `nPublic` decimal strings. */
  readonly publicSignals: string[];
}

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
  const { signal, onProgress, selfCheck = true } = options;
  const threads = admit(key, options);
  // before the turn comes: a slow download keeps nobody else waiting
  const file = await openWitness(witness, signal);
  try {
    return await inTurn(key, threads, signal, async () => {
      const run = new Run(key, file.name, options);
      try {
        await run.load(file);
        const { a, b, c } = await run.prove();
        const points = { pi_a: g1ToJson(a), pi_b: g2ToJson(b), pi_c: g1ToJson(c) };
        const proof: ProofJson = { ...points, protocol: "groth16", curve: "bn128" };
        const publicSignals = Array.from({ length: key.nPublic }, (_, i) => run.value(i + 1).toString());
        signal?.throwIfAborted();
        if (selfCheck) {
          const vk = key.preparedVerifyingKey();
          checkOwn(key, file.name, onProgress, () => assertValid(vk, publicSignals, proof));
        }
        return { proof, publicSignals };
      } finally {
        run.free();
      }
    });
  } finally {
    await file.close();
  }
}

/** Checks a proof before it is handed out. @throws ProverError `WITNESS_UNSATISFIED`. */
export function checkOwn(
  key: LoadedKey,
  witness: string,
  onProgress: OnProgress | undefined,
  assertValid: () => void,
): void {
  const stage = new Stage(onProgress, "check", 1);
  try {
    assertValid();
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
export function admit(key: LoadedKey, { signal, threads }: WorkOptions): number | undefined {
  signal?.throwIfAborted();
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

/** One proof under way: its buffers and stages. */
export class Run {
  readonly #key: LoadedKey;
  readonly #options: WorkOptions;
  readonly #space: Workspace;
  /** What error messages call the witness. */
  readonly #witness: string;
  #values = 0;

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

  /**
   * Makes a proof for the values in memory.
   *
   * @throws ProverError `WITNESS_NOT_CANONICAL`; FormatError `POINT_AT_INFINITY`.
   */
  async prove(): Promise<ProofAffine> {
    const { engine, nVars, domainSize, memory, header, name } = this.#key;
    const { signal, onProgress } = this.#options;
    const { bases } = memory;

    const space = this.#space;
    const witnessDigits = space.digits(nVars, Math.max(bases.a.count, bases.c.count));
    const quotientDigits = space.digits(domainSize, domainSize);
    const limbs = space.alloc(nVars * engine.fieldBytes);
    const prepare = digitTasks(limbs, this.#values, witnessDigits);
    const quotient = this.#quotientTasks(limbs, quotientDigits);
    const sums = {
      b2: space.sum(bases.b2, witnessDigits),
      a: space.sum(bases.a, witnessDigits),
      c: space.sum(bases.c, witnessDigits),
      h: space.sum(bases.h, quotientDigits),
    };
    const count =
      prepare.length + quotient.flat().length + Object.values(sums).reduce((n, { tasks }) => n + tasks.length, 0);
    const stage = new Stage(onProgress, "prove", count);
    const onTask = () => stage.advance();

    const bad = firstBad(await engine.run(prepare, { signal, onTask }));
    if (bad !== undefined) {
      throw new ProverError("a witness value is not canonical", {
        code: "WITNESS_NOT_CANONICAL",
        where: `${this.#witness}: value ${bad}`,
        expected: "a number below r",
      });
    }
    const chain = async () => {
      for (const tasks of quotient) await engine.run(tasks, { priority: PRIORITY.chain, signal, onTask });
      await engine.run(sums.h.tasks, { priority: PRIORITY.sums, signal, onTask });
    };
    const witnessSums = [...sums.b2.tasks, ...sums.a.tasks, ...sums.c.tasks];
    await allDone([chain(), engine.run(witnessSums, { priority: PRIORITY.sums, signal, onTask })]);

    const points = new PointSpace(engine, memory.constants);
    try {
      const a = space.total(points, sums.a);
      points.add("g1", a, a, points.put("g1", header.alpha1));
      const b = space.total(points, sums.b2);
      points.add("g2", b, b, points.put("g2", header.beta2));
      const c = space.total(points, sums.c);
      points.add("g1", c, c, space.total(points, sums.h));

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

  /** Three rounds: rows and outer layers by columns; blocks; outer layers back and the scalars by columns. */
  #quotientTasks(limbs: number, digits: Digits): [Task[], Task[], Task[]] {
    const { kernel } = this.#key.engine;
    const { header, memory } = this.#key;
    const { power } = header;
    const { matrices } = memory;
    const polynomial = () => this.#space.alloc(Math.max(1, 2 ** (power - 1)) * this.#key.engine.pairBytes);
    const [a, b, c] = [polynomial(), polynomial(), polynomial()];
    const transform = transformOf(power, memory);
    const { parts, block } = transform;
    const scratch = kernel.qap_scratch!();
    const rounds: [Task[], Task[], Task[]] = [[], [], []];
    for (let p = 0; p < parts; p++) {
      const [from, to] = transform.columns(p);
      const first: Call[] = [];
      for (let k = 0; k < parts; k++) {
        const [lo, hi] = [k * block + from, k * block + to];
        for (const [poly, m] of [
          [a, matrices.a],
          [b, matrices.b],
        ] as const) {
          first.push(["qap_rows", poly, lo, hi, m.offsets, m.wires, m.coefficients, limbs, SCRATCH]);
        }
        first.push(["qap_product", c, a, b, lo, hi]);
      }
      for (const poly of [a, b, c]) {
        first.push(transform.outerDif(poly, p));
        rounds[1].push({ calls: [transform.inner(poly, p)] });
      }
      rounds[0].push({ calls: first, scratch });
      const last: Call[] = [a, b, c].map((poly) => transform.outerDit(poly, p));
      const { address, n, bits, windows } = digits;
      for (let k = 0; k < parts; k++) {
        const range = [k * block + from, k * block + to];
        last.push([
          "qap_quotient",
          a,
          b,
          c,
          power,
          ...(range as [number, number]),
          address,
          2 * n,
          4 * n,
          bits,
          windows,
          0,
        ]);
      }
      rounds[2].push({ calls: last });
    }
    return rounds;
  }
}
