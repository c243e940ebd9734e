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
import { FIELD_SIZE, FR_MODULUS, readBigintLE } from "../formats/bn254.js";
import { g1ToJson, g2ToJson, type ProofJson } from "../formats/json.js";
import type { Source } from "../formats/source.js";
import type { WtnsFile } from "../formats/wtns.js";
import { assertValid, VerifierError } from "../verifier/index.js";
import { allDone } from "./concurrency.js";
import { type ProvingKey, readToHeap } from "./key.js";
import { type OnProgress, Stage } from "./progress.js";
import { randomScalar } from "./random.js";
import { invMod } from "./wasm/constants.js";
import { resolveThreads, type Task, type ThreadCount } from "./wasm/engine.js";
import { PointSpace } from "./wasm/field.js";
import { type Call, SCRATCH } from "./wasm/kernel.js";
import {
  type Bases,
  type Digits,
  digitsSize,
  digitTasks,
  msmTasks,
  sumWindows,
  windowBits,
  windowCount,
  windowParts,
} from "./wasm/msm.js";
import { transformOf } from "./wasm/ntt.js";
import { type CircomWitness, openWitness } from "./witness.js";

/** Options of `prove`. */
export interface ProveOptions {
  /** Threads of this proof; default: those the key was loaded with. */
  readonly threads?: ThreadCount | undefined;
  /** Ends the proof; what is thrown then is `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
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

/** Batches: the quotient is the longest chain, so its tasks go before the sums. */
const PRIORITY = { chain: 0, sums: 1 };

/** Makes one proof, after those before it with the same key. @throws see `prove`. */
export async function createProof(
  key: ProvingKey,
  witness: Source | CircomWitness,
  options: ProveOptions,
): Promise<ProofResult> {
  const { signal } = options;
  signal?.throwIfAborted();
  key.assertOpen();
  const threads = options.threads === undefined ? undefined : resolveThreads(options.threads);
  // before the turn comes: a slow download keeps nobody else waiting
  const file = await openWitness(witness, signal);
  const work = async () => {
    const usual = key.engine.threads;
    if (threads !== undefined) key.engine.threads = threads;
    const run = new Run(key, file.name, options);
    try {
      await run.load(file);
      return await run.prove();
    } finally {
      run.free();
      key.engine.threads = usual;
    }
  };
  try {
    return await key.exclusive(work, signal);
  } finally {
    await file.close();
  }
}

/** One proof under way: its buffers and stages. */
class Run {
  readonly #key: ProvingKey;
  readonly #options: ProveOptions;
  readonly #blocks: number[] = [];
  /** What error messages call the witness. */
  readonly #witness: string;
  #values = 0;

  constructor(key: ProvingKey, witness: string, options: ProveOptions) {
    this.#key = key;
    this.#witness = witness;
    this.#options = options;
  }

  #alloc(size: number): number {
    const address = this.#key.engine.heap.alloc(size);
    this.#blocks.push(address);
    return address;
  }

  free(): void {
    for (const block of this.#blocks.splice(0)) this.#key.engine.heap.free(block);
  }

  /** Brings the witness values into memory. */
  async load(file: WtnsFile): Promise<void> {
    const { engine, nVars, name } = this.#key;
    if (file.nWitness !== nVars) {
      throw new ProverError("the witness belongs to another circuit than the key", {
        code: "WITNESS_LENGTH",
        where: file.name,
        expected: `${nVars} values (${name})`,
        got: String(file.nWitness),
      });
    }
    const size = nVars * FIELD_SIZE;
    this.#values = this.#alloc(size);
    await readToHeap(file.source, engine, this.#values, file.valuesOffset, size);
    if (readBigintLE(engine.heap.bytes, this.#values, FIELD_SIZE) !== 1n) {
      throw new ProverError("the first value of a witness is the constant 1", {
        code: "WITNESS_NOT_ONE",
        where: `${file.name}: value 0`,
      });
    }
  }

  async prove(): Promise<ProofResult> {
    const { engine, nVars, nPublic, domainSize, memory, header } = this.#key;
    const { signal, onProgress, selfCheck = true } = this.#options;
    const { kernel, heap } = engine;
    const { bases } = memory;

    const digitsOf = (n: number, used: number): Digits => {
      const bits = windowBits(used);
      return { address: this.#alloc(digitsSize(n, bits)), n, bits, windows: windowCount(bits) };
    };
    const witnessDigits = digitsOf(nVars, Math.max(bases.a.count, bases.c.count));
    const quotientDigits = digitsOf(domainSize, domainSize);
    const limbs = this.#alloc(nVars * engine.fieldBytes);
    const prepare = digitTasks(limbs, this.#values, witnessDigits);
    const quotient = this.#quotientTasks(limbs, quotientDigits);
    const parts = windowParts(engine.threads);
    const sum = (of: Bases, digits: Digits) => {
      const results = this.#alloc(parts * digits.windows * kernel[`${of.group}_jacobianSize`]!());
      return { group: of.group, digits, results, tasks: msmTasks(kernel, of, digits, parts, results) };
    };
    const sums = {
      b2: sum(bases.b2, witnessDigits),
      a: sum(bases.a, witnessDigits),
      c: sum(bases.c, witnessDigits),
      h: sum(bases.h, quotientDigits),
    };
    const count =
      prepare.length + quotient.flat().length + Object.values(sums).reduce((n, { tasks }) => n + tasks.length, 0);
    const stage = new Stage(onProgress, "prove", count);
    const onTask = () => stage.advance();

    for (const [first] of await engine.run(prepare, { signal, onTask })) {
      if (first! >= 0) {
        throw new ProverError("a witness value is not canonical", {
          code: "WITNESS_NOT_CANONICAL",
          where: `${this.#witness}: value ${first}`,
          expected: "a number below r",
        });
      }
    }
    const chain = async () => {
      for (const tasks of quotient) await engine.run(tasks, { priority: PRIORITY.chain, signal, onTask });
      await engine.run(sums.h.tasks, { priority: PRIORITY.sums, signal, onTask });
    };
    const witnessSums = [...sums.b2.tasks, ...sums.a.tasks, ...sums.c.tasks];
    await allDone([chain(), engine.run(witnessSums, { priority: PRIORITY.sums, signal, onTask })]);

    const points = new PointSpace(engine, memory.constants);
    let proof: ProofJson;
    try {
      const total = ({ group, digits, results }: (typeof sums)["a"]): number =>
        sumWindows(points, kernel, group, digits, parts, results);
      const a = total(sums.a);
      points.add("g1", a, a, points.put("g1", header.alpha1));
      const b = total(sums.b2);
      points.add("g2", b, b, points.put("g2", header.beta2));
      const c = total(sums.c);
      points.add("g1", c, c, total(sums.h));

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
      proof = {
        pi_a: g1ToJson(points.getG1(a, `${this.#key.name}: pi_a of a proof`)),
        pi_b: g2ToJson(points.getG2(b, `${this.#key.name}: pi_b of a proof`)),
        pi_c: g1ToJson(points.getG1(c, `${this.#key.name}: pi_c of a proof`, true)),
        protocol: "groth16",
        curve: "bn128",
      };
    } finally {
      points.free();
    }

    const publicSignals = Array.from({ length: nPublic }, (_, i) =>
      readBigintLE(heap.bytes, this.#values + (i + 1) * FIELD_SIZE, FIELD_SIZE).toString(),
    );
    signal?.throwIfAborted();
    if (selfCheck) this.#check(proof, publicSignals, onProgress);
    return { proof, publicSignals };
  }

  #check(proof: ProofJson, publicSignals: string[], onProgress: OnProgress | undefined): void {
    const stage = new Stage(onProgress, "check", 1);
    const vk = this.#key.preparedVerifyingKey();
    try {
      assertValid(vk, publicSignals, proof);
    } catch (cause) {
      if (!(cause instanceof VerifierError)) throw cause;
      throw new ProverError("the witness does not satisfy the circuit of the key, or the key is inconsistent", {
        code: "WITNESS_UNSATISFIED",
        where: `${this.#key.name}, ${this.#witness}`,
        cause,
      });
    }
    stage.advance();
  }

  /** Three rounds: rows and outer layers by columns; blocks; outer layers back and the scalars by columns. */
  #quotientTasks(limbs: number, digits: Digits): [Task[], Task[], Task[]] {
    const { kernel } = this.#key.engine;
    const { header, memory } = this.#key;
    const { power } = header;
    const { matrices } = memory;
    const polynomial = () => this.#alloc(Math.max(1, 2 ** (power - 1)) * this.#key.engine.pairBytes);
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
