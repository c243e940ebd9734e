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
import { type MatrixAddress, polynomialSize, quotientTasks, rowTasks } from "./quotient.js";

/** Points or coefficients converted at a time. */
const WINDOW = 1 << 14;
/** Numbers of one task. */
const CHUNK = 4096;

/** Blocks of an engine's memory. */
class Blocks implements Resident {
  readonly #engine: Engine;
  #addresses: number[];

  constructor(engine: Engine, addresses: number[]) {
    this.#engine = engine;
    this.#addresses = addresses;
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

  /** @param reach one more than the largest position of a scalar. */
  constructor(
    engine: Engine,
    readonly bases: Bases,
    readonly reach: number,
  ) {
    super(engine, [bases.address, bases.index]);
    this.group = bases.group;
    this.count = bases.count;
  }
}

class WasmScalars extends Blocks implements ScalarSet {
  constructor(
    engine: Engine,
    readonly address: number,
    readonly length: number,
  ) {
    super(engine, [address]);
  }
}

class WasmConstraints extends Blocks implements ConstraintSet {
  constructor(
    engine: Engine,
    readonly power: number,
    readonly nVars: number,
    readonly matrices: { readonly a: MatrixAddress; readonly b: MatrixAddress },
  ) {
    super(
      engine,
      [matrices.a, matrices.b].flatMap((m) => [m.offsets, m.wires, m.coefficients]),
    );
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
    const { arithmetic, threads, threaded, heap } = this.#open();
    return {
      backend: "wasm",
      device: `${threads} ${threads === 1 ? "thread" : "threads"}`,
      native: ["msm", "ntt", "quotient"],
      memory: heap.size,
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
    const { heap, kernel } = engine;
    const { group, count: n } = source;
    const { b, beta } = this.#constants;
    const baseSize = kernelFunction(kernel, `${group}_baseSize`)();
    const pointBytes = POINT_BYTES[group];
    const bases = { group, address: heap.alloc(n * baseSize), index: heap.alloc(n * 4), count: n };
    const set = new WasmBases(engine, bases, reachOf(source));
    const buffer = heap.alloc(Math.min(WINDOW, n) * pointBytes);
    try {
      for (let from = 0; from < n; from += WINDOW) {
        const to = Math.min(n, from + WINDOW);
        heap.view(buffer, (to - from) * pointBytes).set(await source.read(from, to));
        const [out, index] = [bases.address + from * baseSize, bases.index + 4 * from];
        const call: Call = [`${group}_loadBases`, out, index, buffer, to - from, from, beta[group], b[group]];
        const loaded = await this.#call([call], options);
        if (loaded === to - from) continue;
        throw new FormatError("not a point of the curve with canonical coordinates, or infinity", {
          code: "POINT_INVALID",
          where: `bases ${loaded < 0 ? from - 1 - loaded : `${from} to ${to - 1}`}`,
        });
      }
      if (source.index !== undefined) new Uint32Array(heap.bytes.buffer, bases.index, n).set(source.index);
      return set;
    } catch (error) {
      set.free();
      throw error;
    } finally {
      if (!engine.isClosed) heap.free(buffer);
    }
  }

  async putConstraints(source: ConstraintSource, options: OperationOptions = {}): Promise<ConstraintSet> {
    const { power, nVars } = source;
    const engine = this.#open();
    const a = await this.#putMatrix(source.a, options);
    try {
      const b = await this.#putMatrix(source.b, options);
      return new WasmConstraints(engine, power, nVars, { a, b });
    } catch (error) {
      new Blocks(engine, Object.values(a)).free();
      throw error;
    }
  }

  async #putMatrix(source: MatrixSource, options: OperationOptions): Promise<MatrixAddress> {
    const engine = this.#open();
    const { heap } = engine;
    const n = source.wires.length;
    const offsets = heap.alloc(source.offsets.length * 4);
    // entries are taken two by two
    const wires = heap.alloc(4 * (n + 2));
    const coefficients = heap.alloc(engine.pairBytes * (Math.ceil(n / 2) + 1));
    const matrix = { offsets, wires, coefficients };
    const buffer = heap.alloc(Math.max(1, Math.min(WINDOW, n)) * FIELD_SIZE);
    try {
      new Uint32Array(heap.bytes.buffer, offsets, source.offsets.length).set(source.offsets);
      new Uint32Array(heap.bytes.buffer, wires, n).set(source.wires);
      for (let from = 0; from < n; from += WINDOW) {
        const to = Math.min(n, from + WINDOW);
        heap.view(buffer, (to - from) * FIELD_SIZE).set(await source.coefficients(from, to));
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
      return matrix;
    } catch (error) {
      new Blocks(engine, Object.values(matrix)).free();
      throw error;
    } finally {
      if (!engine.isClosed) heap.free(buffer);
    }
  }

  async putScalars(values: Uint8Array): Promise<ScalarSet> {
    const engine = this.#open();
    const address = engine.heap.alloc(values.length);
    engine.heap.view(address, values.length).set(values);
    return new WasmScalars(engine, address, values.length / FIELD_SIZE);
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
    const result = new WasmScalars(engine, engine.heap.alloc(length * FIELD_SIZE), length);
    try {
      const poly = space.alloc(polynomialSize(engine, power));
      const factor = space.alloc(engine.fieldBytes);
      const raw = space.alloc(FIELD_SIZE);
      const n = BigInt(length);
      engine.heap.view(raw, FIELD_SIZE).set(bigintToBytesLE(transform === "inverse" ? invMod(n, FR_MODULUS) : 1n, 32));
      engine.kernel.fr_fromBytes!(factor, raw);
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
    const result = new WasmScalars(engine, engine.heap.alloc(length * FIELD_SIZE), length);
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
      const [factor, raw, out] = [space.alloc(engine.fieldBytes), space.alloc(FIELD_SIZE), space.alloc(size)];
      engine.heap.view(raw, FIELD_SIZE).set(bigintToBytesLE(1n, FIELD_SIZE));
      engine.kernel.fr_fromBytes!(factor, raw);
      const read = async (poly: number) => {
        await this.#call([["ntt_store", out, poly, power, factor, 0, 0, 0, 2 ** power]], { signal });
        return engine.heap.view(out, size).slice();
      };
      const a = await read(polynomials[0]);
      return { a, b: await read(polynomials[1]) };
    });
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
