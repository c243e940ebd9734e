/**
 * The WebAssembly engine as a backend: what a key does in its own memory, for bases and scalars from anywhere.
 *
 * @module
 */

import { FormatError, ProverError } from "../../errors.js";
import { bigintToBytesLE, FIELD_SIZE, FR_MODULUS, type G1Affine, type G2Affine } from "../../formats/bn254.js";
import type {
  Backend,
  BackendInfo,
  BaseSet,
  BaseSource,
  ConstraintSet,
  ConstraintSource,
  MatrixSource,
  OperationOptions,
  Resident,
  RowProducts,
  ScalarSet,
  Transform,
} from "../backend.js";
import { loadRoots } from "../key.js";
import { assertReach, assertWitness, own, powerOf, reachOf } from "../resident.js";
import { firstBad, Workspace } from "../workspace.js";
import { invMod } from "./constants.js";
import { Engine, type EngineOptions } from "./engine.js";
import { type Constants, type Group, kernelFunction, POINT_BYTES, PointSpace, putConstants } from "./field.js";
import type { Call } from "./kernel.js";
import { type Bases, digitTasks } from "./msm.js";
import type { Roots } from "./ntt.js";
import { type Matrices, type MatrixAddress, polynomialSize, quotientTasks, rowTasks } from "./quotient.js";

/** Points or coefficients converted at a time. */
const WINDOW = 1 << 14;
/** Numbers of one task. */
const CHUNK = 4096;

/** Blocks of an engine's memory. */
class Blocks implements Resident {
  readonly #engine: Engine;
  #addresses: number[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Address of `size` bytes more. @throws ProverError `OUT_OF_MEMORY`. */
  alloc(size: number): number {
    const address = this.#engine.heap.alloc(size);
    this.#addresses.push(address);
    return address;
  }

  free(): void {
    const addresses = this.#addresses;
    this.#addresses = [];
    // with the engine its memory is gone
    if (!this.#engine.isClosed) for (const address of addresses) this.#engine.heap.free(address);
  }
}

class WasmBases extends Blocks implements BaseSet {
  readonly group: Group;
  readonly count: number;
  readonly bases: Bases;
  /** One more than the largest position of a scalar. */
  readonly reach: number;

  constructor(engine: Engine, source: BaseSource) {
    super(engine);
    const { group, count } = source;
    this.group = group;
    this.count = count;
    this.reach = reachOf(source);
    const size = count * kernelFunction(engine.kernel, `${group}_baseSize`)();
    this.bases = onFailure(this, () => ({ group, count, address: this.alloc(size), index: this.alloc(4 * count) }));
  }
}

class WasmScalars extends Blocks implements ScalarSet {
  readonly address: number;

  constructor(
    engine: Engine,
    readonly length: number,
  ) {
    super(engine);
    this.address = this.alloc(length * FIELD_SIZE);
  }
}

class WasmConstraints extends Blocks implements ConstraintSet {
  readonly power: number;
  readonly nVars: number;
  readonly matrices: Matrices;

  constructor(engine: Engine, { power, nVars, a, b }: ConstraintSource) {
    super(engine);
    this.power = power;
    this.nVars = nVars;
    const matrix = ({ offsets, wires }: MatrixSource): MatrixAddress => ({
      offsets: this.alloc(4 * offsets.length),
      // entries are taken two by two
      wires: this.alloc(4 * (wires.length + 2)),
      coefficients: this.alloc(engine.pairBytes * (Math.ceil(wires.length / 2) + 1)),
    });
    this.matrices = onFailure(this, () => ({ a: matrix(a), b: matrix(b) }));
  }
}

/** Leaves nothing of `blocks` when `work` fails. */
function onFailure<T>(blocks: Resident, work: () => T): T {
  try {
    return work();
  } catch (error) {
    blocks.free();
    throw error;
  }
}

/** See {@link Backend}. Threads are its own. */
export class WasmBackend implements Backend, RowProducts {
  readonly name = "wasm";
  readonly #engine: Engine;
  readonly #constants: Constants;
  readonly #roots = new Map<number, Promise<Roots>>();

  private constructor(engine: Engine) {
    this.#engine = engine;
    this.#constants = putConstants(engine);
  }

  /** @throws ProverError the codes of `Engine.create`. */
  static async open(options: EngineOptions = {}): Promise<WasmBackend> {
    return new WasmBackend(await Engine.create(options));
  }

  info(): BackendInfo {
    const { arithmetic, threads, threaded, isClosed } = this.#engine;
    return {
      backend: "wasm",
      device: `${threads} ${threads === 1 ? "thread" : "threads"}`,
      native: ["msm", "ntt", "quotient"],
      memory: isClosed ? 0 : this.#engine.heap.size,
      details: { arithmetic, threads, sharedMemory: threaded },
    };
  }

  #open(): Engine {
    if (this.#engine.isClosed)
      throw new ProverError("the backend is closed", { code: "BACKEND_CLOSED", where: "wasm" });
    return this.#engine;
  }

  /** Runs calls one after the other on a thread; the result of the last. */
  async #call(calls: readonly Call[], { signal }: OperationOptions): Promise<number> {
    const [results] = await this.#engine.run([{ calls }], { signal });
    return results!.at(-1)!;
  }

  async putBases(source: BaseSource, options: OperationOptions = {}): Promise<BaseSet> {
    const engine = this.#open();
    const { group, count: n } = source;
    const set = new WasmBases(engine, source);
    const pointBytes = POINT_BYTES[group];
    const baseSize = kernelFunction(engine.kernel, `${group}_baseSize`)();
    const { b, beta } = this.#constants;
    await this.#filled(set, Math.min(WINDOW, n) * pointBytes, async (buffer) => {
      const { address, index } = set.bases;
      for (let from = 0; from < n; from += WINDOW) {
        const to = Math.min(n, from + WINDOW);
        const points = await source.read(from, to);
        engine.heap.view(buffer, points.length).set(points);
        const [out, positions] = [address + from * baseSize, index + 4 * from];
        const call: Call = [`${group}_loadBases`, out, positions, buffer, to - from, from, beta[group], b[group]];
        const loaded = await this.#call([call], options);
        if (loaded === to - from) continue;
        throw new FormatError("not a point of the curve with canonical coordinates, or infinity", {
          code: "POINT_INVALID",
          where: `bases ${loaded < 0 ? from - 1 - loaded : `${from} to ${to - 1}`}`,
        });
      }
      if (source.index !== undefined) new Uint32Array(engine.heap.bytes.buffer, index, n).set(source.index);
    });
    return set;
  }

  async putConstraints(source: ConstraintSource, options: OperationOptions = {}): Promise<ConstraintSet> {
    const set = new WasmConstraints(this.#open(), source);
    await this.#filled(set, WINDOW * FIELD_SIZE, async (buffer) => {
      await this.#putMatrix(source.a, set.matrices.a, buffer, options);
      await this.#putMatrix(source.b, set.matrices.b, buffer, options);
    });
    return set;
  }

  /** Fills a set by way of a buffer; nothing is left of either when that fails. */
  async #filled(set: Resident, size: number, fill: (buffer: number) => Promise<void>): Promise<void> {
    const space = new Workspace(this.#engine, this.#constants);
    try {
      await fill(space.alloc(size));
    } catch (error) {
      set.free();
      throw error;
    } finally {
      if (!this.#engine.isClosed) space.free();
    }
  }

  async #putMatrix(
    source: MatrixSource,
    { offsets, wires, coefficients }: MatrixAddress,
    buffer: number,
    options: OperationOptions,
  ): Promise<void> {
    const engine = this.#open();
    const { heap } = engine;
    const n = source.wires.length;
    new Uint32Array(heap.bytes.buffer, offsets, source.offsets.length).set(source.offsets);
    new Uint32Array(heap.bytes.buffer, wires, n).set(source.wires);
    for (let from = 0; from < n; from += WINDOW) {
      const to = Math.min(n, from + WINDOW);
      const bytes = await source.coefficients(from, to);
      heap.view(buffer, bytes.length).set(bytes);
      const calls = Array.from({ length: to - from }, (_, i): Call => {
        return ["qap_coefficient", coefficients, from + i, buffer + i * FIELD_SIZE, 1];
      });
      const [results] = await engine.run([{ calls }], options);
      const bad = results!.indexOf(0);
      if (bad < 0) continue;
      throw new FormatError("coefficient is not canonical", {
        code: "ZKEY_COEFFICIENT",
        where: `entry ${from + bad}`,
        expected: "a number below r",
      });
    }
  }

  async putScalars(values: Uint8Array): Promise<ScalarSet> {
    const engine = this.#open();
    const scalars = new WasmScalars(engine, values.length / FIELD_SIZE);
    engine.heap.view(scalars.address, values.length).set(values);
    return scalars;
  }

  async readScalars(scalars: ScalarSet): Promise<Uint8Array> {
    const { address, length } = own(scalars, WasmScalars);
    return this.#open()
      .heap.view(address, length * FIELD_SIZE)
      .slice();
  }

  msm(bases: BaseSet & { readonly group: "g1" }, scalars: ScalarSet, options?: OperationOptions): Promise<G1Affine>;
  msm(bases: BaseSet & { readonly group: "g2" }, scalars: ScalarSet, options?: OperationOptions): Promise<G2Affine>;
  msm(bases: BaseSet, scalars: ScalarSet, options?: OperationOptions): Promise<G1Affine | G2Affine>;
  async msm(set: BaseSet, scalars: ScalarSet, { signal }: OperationOptions = {}): Promise<G1Affine | G2Affine> {
    const engine = this.#open();
    const { bases, reach } = own(set, WasmBases);
    const { address, length } = own(scalars, WasmScalars);
    assertReach(reach, length);
    const space = new Workspace(engine, this.#constants);
    const points = new PointSpace(engine, this.#constants);
    try {
      const digits = space.digits(length, Math.max(1, bases.count));
      const prepare = digitTasks(space.alloc(length * engine.fieldBytes), address, digits);
      const bad = firstBad(await engine.run(prepare, { signal }));
      if (bad !== undefined) throw notCanonical(bad);
      const sum = space.sum(bases, digits);
      await engine.run(sum.tasks, { signal });
      const total = space.total(points, sum);
      return bases.group === "g1" ? points.getG1(total, "sum", true) : points.getG2(total, "sum", true);
    } finally {
      if (!engine.isClosed) {
        points.free();
        space.free();
      }
    }
  }

  /** Tables of the domain of `2^power` points; made once. */
  #rootsOf(power: number): Promise<Roots> {
    let roots = this.#roots.get(power);
    if (roots === undefined) {
      roots = loadRoots(this.#engine, power);
      this.#roots.set(power, roots);
      roots.catch(() => this.#roots.delete(power));
    }
    return roots;
  }

  async ntt(values: ScalarSet, transform: Transform, { signal }: OperationOptions = {}): Promise<ScalarSet> {
    const engine = this.#open();
    const { address, length } = own(values, WasmScalars);
    const power = powerOf(length);
    const { twiddles, coset } = await this.#rootsOf(power);
    const space = new Workspace(engine, this.#constants);
    const result = new WasmScalars(engine, length);
    try {
      const poly = space.alloc(polynomialSize(engine, power));
      const factor = this.#integer(space, transform === "inverse" ? invMod(BigInt(length), FR_MODULUS) : 1n);
      const chunks = Array.from({ length: Math.ceil(length / CHUNK) }, (_, i) => i * CHUNK);
      const end = (from: number) => Math.min(length, from + CHUNK);
      const load = chunks.map((from) => ({ calls: [["ntt_load", poly, address, from, end(from)] as Call] }));
      await engine.run(load, { signal });
      const [reversed, negated] = transform === "coset" ? [0, 1] : [1, transform === "inverse" ? 1 : 0];
      // a whole transform is one block: without parts it needs no rounds
      const whole: Call =
        transform === "coset"
          ? ["ntt_block", poly, twiddles, coset, power, 0, 0]
          : ["ntt_forward", poly, twiddles, power];
      await engine.run([{ calls: [whole] }], { signal });
      const store = chunks.map((from) => {
        const call: Call = ["ntt_store", result.address, poly, power, factor, reversed!, negated!, from, end(from)];
        return { calls: [call] };
      });
      await engine.run(store, { signal });
      return result;
    } catch (error) {
      result.free();
      throw error;
    } finally {
      if (!engine.isClosed) space.free();
    }
  }

  async quotient(
    constraints: ConstraintSet,
    witness: ScalarSet,
    { signal }: OperationOptions = {},
  ): Promise<ScalarSet> {
    const engine = this.#open();
    const { power, matrices } = own(constraints, WasmConstraints);
    const length = 2 ** power;
    const roots = await this.#rootsOf(power);
    const result = new WasmScalars(engine, length);
    try {
      await this.#onRows(constraints, witness, signal, async (limbs, polynomials) => {
        const rounds = quotientTasks(engine, polynomials, matrices, roots, power, limbs, undefined, result.address);
        for (const tasks of rounds) await engine.run(tasks, { signal });
      });
      return result;
    } catch (error) {
      result.free();
      throw error;
    }
  }

  async rows(
    constraints: ConstraintSet,
    witness: ScalarSet,
    { signal }: OperationOptions = {},
  ): Promise<{ readonly a: Uint8Array; readonly b: Uint8Array }> {
    const engine = this.#open();
    const { power, matrices } = own(constraints, WasmConstraints);
    const size = 2 ** power * FIELD_SIZE;
    return this.#onRows(constraints, witness, signal, async (limbs, polynomials, space) => {
      await engine.run(rowTasks(engine, polynomials, matrices, limbs, power), { signal });
      const [factor, out] = [this.#integer(space, 1n), space.alloc(size)];
      const read = async (poly: number) => {
        await this.#call([["ntt_store", out, poly, power, factor, 0, 0, 0, 2 ** power]], { signal });
        return engine.heap.view(out, size).slice();
      };
      const a = await read(polynomials[0]);
      return { a, b: await read(polynomials[1]) };
    });
  }

  /** Address of a number as an element that is not in Montgomery form. */
  #integer(space: Workspace, value: bigint): number {
    const { heap, kernel, fieldBytes } = this.#engine;
    const [element, bytes] = [space.alloc(fieldBytes), space.alloc(FIELD_SIZE)];
    heap.view(bytes, FIELD_SIZE).set(bigintToBytesLE(value, FIELD_SIZE));
    kernel.fr_fromBytes!(element, bytes);
    return element;
  }

  /** Gives `work` the witness as elements and room for three polynomials. @throws ProverError `WITNESS_NOT_CANONICAL`. */
  async #onRows<T>(
    constraints: ConstraintSet,
    witness: ScalarSet,
    signal: AbortSignal | undefined,
    work: (limbs: number, polynomials: readonly [number, number, number], space: Workspace) => Promise<T>,
  ): Promise<T> {
    const engine = this.#engine;
    const { nVars, power } = constraints;
    const { address, length } = own(witness, WasmScalars);
    assertWitness(nVars, length, this.name);
    const space = new Workspace(engine, this.#constants);
    try {
      const limbs = space.alloc(nVars * engine.fieldBytes);
      const none = { address: 0, n: nVars, bits: 0, windows: 0 };
      const bad = firstBad(await engine.run(digitTasks(limbs, address, none), { signal }));
      if (bad !== undefined) throw notCanonical(bad);
      const polynomial = () => space.alloc(polynomialSize(engine, power));
      return await work(limbs, [polynomial(), polynomial(), polynomial()], space);
    } finally {
      if (!engine.isClosed) space.free();
    }
  }

  async close(): Promise<void> {
    await this.#engine.close(closed());
  }
}

const closed = (): ProverError => new ProverError("the backend is closed", { code: "BACKEND_CLOSED", where: "wasm" });

const notCanonical = (position: number): ProverError =>
  new ProverError("a scalar is not canonical", {
    code: "WITNESS_NOT_CANONICAL",
    where: `scalar ${position}`,
    expected: "a number below r",
  });
