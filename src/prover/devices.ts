/**
 * A key on devices: its bases and constraints, exported from the key's own memory when a device is first used with it, and
 * kept there until the key is closed.
 *
 * @module
 */

import { ProverError } from "../errors.js";
import { FIELD_SIZE, type G1Affine, type G2Affine } from "../formats/bn254.js";
import type {
  Backend,
  BackendName,
  BaseSet,
  BaseSource,
  ConstraintSet,
  ConstraintSource,
  MatrixSource,
  OperationOptions,
  ScalarSet,
} from "./backend.js";
import { shareBackend } from "./backends.js";
import type { LoadedKey } from "./key.js";
import type { SplitName, SumPart } from "./split.js";
import { kernelFunction, POINT_BYTES } from "./wasm/field.js";
import type { Call } from "./wasm/kernel.js";
import type { Bases } from "./wasm/msm.js";
import type { MatrixAddress } from "./wasm/quotient.js";

/** Codes of errors that are about a device, and no reason to end a proof. */
export const DEVICE_CODES: ReadonlySet<string> = new Set([
  "DEVICE_LOST",
  "DEVICE_OUT_OF_MEMORY",
  "BUFFER_TOO_LARGE",
  "DEVICE_FAILED",
  "DEVICE_WRONG_RESULT",
]);

/** A key on one device. */
export class DeviceKey {
  readonly #bases = new Map<SumPart, Promise<BaseSet>>();
  #constraints: Promise<ConstraintSet> | undefined;
  readonly #ended = new AbortController();

  constructor(
    private readonly key: LoadedKey,
    readonly backend: Backend,
  ) {}

  /** The sum of a part. */
  async sum(part: SumPart, scalars: ScalarSet, options: OperationOptions): Promise<G1Affine | G2Affine> {
    const own = this.#own(options);
    let bases = this.#bases.get(part);
    if (bases === undefined) {
      bases = this.backend.putBases(baseSource(this.key, this.key.memory.bases[part]), own);
      this.#bases.set(part, bases);
      // what failed, or was given up, may be tried again
      bases.catch(() => this.#bases.delete(part));
    }
    const set = await bases;
    this.#ended.signal.throwIfAborted();
    return this.backend.msm(set, scalars, own);
  }

  /** The scalars of the H bases. */
  async quotient(witness: ScalarSet, options: OperationOptions): Promise<ScalarSet> {
    const own = this.#own(options);
    if (this.#constraints === undefined) {
      this.#constraints = this.backend.putConstraints(constraintSource(this.key), own);
      this.#constraints.catch(() => {
        this.#constraints = undefined;
      });
    }
    const set = await this.#constraints;
    this.#ended.signal.throwIfAborted();
    return this.backend.quotient(set, witness, own);
  }

  /** Options of work that ends when the key leaves the device. */
  #own({ signal }: OperationOptions): OperationOptions {
    const { signal: ended } = this.#ended;
    ended.throwIfAborted();
    return { signal: signal === undefined ? ended : AbortSignal.any([signal, ended]) };
  }

  /** Gives back what the device holds of the key, for good. */
  async free(): Promise<void> {
    this.#ended.abort(new ProverError("the device was given up", { code: "DEVICE_FAILED", where: this.backend.name }));
    const sets = [...this.#bases.values(), this.#constraints];
    this.#bases.clear();
    this.#constraints = undefined;
    for (const set of await Promise.allSettled(sets)) if (set.status === "fulfilled") set.value?.free();
  }
}

/** Bytes that a call writes to `out`. */
async function exported(key: LoadedKey, size: number, call: (out: number) => Call): Promise<Uint8Array> {
  const { engine } = key;
  const out = engine.heap.alloc(size);
  try {
    await engine.run([{ calls: [call(out)] }]);
    return engine.heap.view(out, size).slice();
  } finally {
    if (!engine.isClosed) engine.heap.free(out);
  }
}

function numbers({ engine }: LoadedKey, address: number, n: number): Uint32Array {
  return new Uint32Array(engine.heap.bytes.buffer, address, n).slice();
}

function baseSource(key: LoadedKey, { group, address, index, count }: Bases): BaseSource {
  const baseSize = kernelFunction(key.engine.kernel, `${group}_baseSize`)();
  return {
    group,
    count,
    index: numbers(key, index, count),
    read: (from, to) =>
      exported(key, (to - from) * POINT_BYTES[group], (out) => [
        `${group}_storeBases`,
        out,
        address + from * baseSize,
        to - from,
      ]),
  };
}

function matrixSource(key: LoadedKey, { offsets, wires, coefficients }: MatrixAddress): MatrixSource {
  const rows = numbers(key, offsets, key.domainSize + 1);
  return {
    offsets: rows,
    wires: numbers(key, wires, rows.at(-1)!),
    coefficients: (from, to) =>
      exported(key, (to - from) * FIELD_SIZE, (out) => ["qap_storeCoefficients", out, coefficients, from, to]),
  };
}

function constraintSource(key: LoadedKey): ConstraintSource {
  const { a, b } = key.memory.matrices;
  const { power } = key.header;
  return { power, nVars: key.nVars, a: matrixSource(key, a), b: matrixSource(key, b) };
}

/** What is borrowed of a backend that others use too. */
interface Lease {
  readonly device: DeviceKey;
  /** For one that is shared by name. @param broken nobody shall get it again. */
  readonly release: ((broken: boolean) => Promise<void>) | undefined;
}

/** The devices that a key is on. */
export class KeyDevices {
  /** The fastest split by numbers of threads and of proofs at once, as far as it was asked for. */
  readonly fastest = new Map<string, SplitName>();
  /** Why backends that this key does not fit cannot be used with it. */
  readonly unfit = new Map<Backend, unknown>();
  readonly #leases = new Map<Backend, Lease>();
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(private readonly key: LoadedKey) {}

  /** The key on a backend. `release`, for one that is shared by name, is called once, when the key no longer needs it. */
  on(backend: Backend, release?: (broken: boolean) => Promise<void>): DeviceKey {
    const lease = this.#leases.get(backend);
    if (lease !== undefined) return lease.device;
    if (this.#closed) throw new ProverError("the key is closed", { code: "KEY_CLOSED", where: this.key.name });
    const device = new DeviceKey(this.key, backend);
    this.#leases.set(backend, { device, release });
    return device;
  }

  /** The shared device of this name, opened if need be. @throws whatever opening it throws; ProverError `KEY_CLOSED`. */
  async shared(name: BackendName): Promise<DeviceKey> {
    const isIt = ({ device, release }: Lease) => release !== undefined && device.backend.name === name;
    const lease = [...this.#leases.values()].find(isIt);
    if (lease !== undefined) return lease.device;
    const { backend, release } = await shareBackend(name);
    try {
      return this.on(backend, release);
    } catch (error) {
      await release(false);
      throw error;
    }
  }

  /** Takes the key off a backend that failed. */
  drop(backend: Backend): Promise<void> {
    return this.#end(backend, true);
  }

  /** Takes the key off a backend that it has no use for. */
  leave(backend: Backend): Promise<void> {
    return this.#end(backend, false);
  }

  async #end(backend: Backend, broken: boolean): Promise<void> {
    const lease = this.#leases.get(backend);
    if (lease === undefined) return;
    this.#leases.delete(backend);
    await lease.device.free();
    await lease.release?.(broken);
  }

  /** Takes the key off all of them. */
  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= Promise.all([...this.#leases.keys()].map((backend) => this.leave(backend))).then(() => {});
    return this.#closing;
  }
}
