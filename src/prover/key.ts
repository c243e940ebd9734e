/**
 * A proving key in the memory of its engine: bases with their endomorphism images, the constraint matrices A and B by
 * row, roots of unity. Read once, section by section, straight from the source into that memory.
 *
 * @module
 */

/// <reference lib="esnext.disposable" preserve="true" />

import { FormatError, ProverError } from "../errors.js";
import { FR_MODULUS, type G1Affine } from "../formats/bn254.js";
import type { VerifyingKeyJson } from "../formats/json.js";
import type { ByteSource, Source } from "../formats/source.js";
import {
  openZkey,
  readIC,
  verifyingKeyOf,
  verifyingPoints,
  ZKEY_COEF_SIZE,
  ZKEY_SECTION,
  type ZkeyFile,
  type ZkeyHeader,
} from "../formats/zkey.js";
import { parseVerifyingKey, VerifierError, type VerifyingKey } from "../verifier/index.js";
import { allDone, unlessAborted } from "./concurrency.js";
import { KeyDevices } from "./devices.js";
import { type OnProgress, Stage } from "./progress.js";
import { invMod, MAX_DOMAIN_BITS, rootOfUnity } from "./wasm/constants.js";
import type { Engine, EngineOptions } from "./wasm/engine.js";
import { type Constants, type Group, kernelFunction, POINT_BYTES, putConstants, putField } from "./wasm/field.js";
import type { Arithmetic } from "./wasm/kernel.js";
import type { Bases } from "./wasm/msm.js";
import type { Roots } from "./wasm/ntt.js";
import type { Matrices } from "./wasm/quotient.js";

/** Addresses of what belongs to a key. */
export interface KeyMemory extends Roots {
  readonly constants: Constants;
  readonly bases: { readonly a: Bases; readonly b2: Bases; readonly c: Bases; readonly h: Bases };
  readonly matrices: Matrices;
}

/** Options of `loadProvingKey`. */
export interface LoadOptions extends EngineOptions {
  /** Ends loading; what is thrown then is `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /**
   * The verifying key that the proofs are meant for (`verification_key.json`). A proving key from elsewhere that is not its
   * counterpart is refused: it could declare private signals public, and proofs would hand them out.
   */
  readonly verifyingKey?: VerifyingKeyJson | undefined;
}

/** What a key runs on. */
export interface KeyInfo {
  /** `"wasm"`: WebAssembly with SIMD. */
  readonly backend: "wasm";
  /** `"fma"`: fused floating-point limbs; `"int"`: integer limbs, slower. */
  readonly arithmetic: Arithmetic;
  /** Threads a proof is spread over. */
  readonly threads: number;
  /** Whether they share memory; without, everything runs on the calling thread. */
  readonly sharedMemory: boolean;
  /** Bytes of the engine's memory. */
  readonly memory: number;
}

/** Priority of the matrices: they are read twice, window after window. */
const FIRST = -1;
/** Bytes read at a time. */
const WINDOW = 1 << 20;

/** What every key in an engine's memory has. Work with the same key runs one after the other. */
export class LoadedKey {
  /** What error messages call it. */
  readonly name: string;
  readonly header: ZkeyHeader;
  /** @internal */
  readonly engine: Engine;
  /** @internal */
  readonly memory: KeyMemory;
  /** @internal */
  readonly devices = new KeyDevices(this);
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @internal */
  constructor(name: string, header: ZkeyHeader, engine: Engine, memory: KeyMemory) {
    this.name = name;
    this.header = header;
    this.engine = engine;
    this.memory = memory;
  }

  /** Number of signals, the constant 1 included. */
  get nVars(): number {
    return this.header.nVars;
  }

  /** Number of public signals. */
  get nPublic(): number {
    return this.header.nPublic;
  }

  /** Size of the evaluation domain, a power of two. */
  get domainSize(): number {
    return this.header.domainSize;
  }

  /** What the key runs on. @throws ProverError `KEY_CLOSED`. */
  info(): KeyInfo {
    const { engine } = this;
    return {
      backend: "wasm",
      arithmetic: engine.arithmetic,
      threads: engine.threads,
      sharedMemory: engine.threaded,
      memory: engine.heap.size,
    };
  }

  /** Ends every thread and gives the memory back. A proof under way rejects with `KEY_CLOSED`. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.engine.close(), this.devices.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal @throws ProverError `KEY_CLOSED`. */
  assertOpen(): void {
    if (this.#closed) throw new ProverError("the key is closed", { code: "KEY_CLOSED", where: this.name });
  }

  /**
   * Runs `work` when everything before it is done; an abort ends the wait.
   *
   * @internal
   * @throws ProverError `KEY_CLOSED`; the signal's reason.
   */
  async exclusive<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#queue;
    let done!: () => void;
    this.#queue = Promise.all([before, new Promise<void>((resolve) => (done = resolve))]);
    try {
      await unlessAborted(before, signal);
      this.assertOpen();
      return await work();
    } finally {
      done();
    }
  }
}

/** A loaded proving key. Proofs with the same key run one after the other. */
export class ProvingKey extends LoadedKey {
  readonly #ic: readonly G1Affine[];
  #verifyingKey: VerifyingKeyJson | undefined;
  #prepared: VerifyingKey | undefined;

  /** @internal */
  constructor(name: string, header: ZkeyHeader, ic: readonly G1Affine[], engine: Engine, memory: KeyMemory) {
    super(name, header, engine, memory);
    this.#ic = ic;
  }

  /** The verifying key, field for field what `snarkjs zkey export verificationkey` writes. */
  get verifyingKey(): VerifyingKeyJson {
    this.#verifyingKey ??= deepFreeze(verifyingKeyOf(this.header, this.#ic));
    return this.#verifyingKey;
  }

  /**
   * The verifying key prepared for checking proofs; made once.
   *
   * @internal
   * @throws FormatError `ZKEY_VERIFYING_KEY`.
   */
  preparedVerifyingKey(): VerifyingKey {
    try {
      // an uncontributed key is for verifiers to refuse: what is checked here is this process's own work
      this.#prepared ??= parseVerifyingKey(verifyingPoints(this.header, this.#ic), { allowUncontributed: true });
    } catch (cause) {
      if (!(cause instanceof VerifierError)) throw cause;
      throw new FormatError("no verifier accepts proofs of this key", {
        code: "ZKEY_VERIFYING_KEY",
        where: this.name,
        got: cause.message,
        cause,
      });
    }
    return this.#prepared;
  }
}

/**
 * Reads a key into the memory of an engine, which is then the key's; nothing is left of it when that fails.
 *
 * @throws see `loadProvingKey`.
 */
export function readProvingKey(
  source: Source,
  starting: Promise<Engine>,
  { signal, onProgress, verifyingKey }: LoadOptions,
): Promise<ProvingKey> {
  return intoEngine(openZkey(source, signal), starting, signal, async (zkey, engine) => {
    // bases that nobody waits for are not loaded
    const expected = verifyingKey === undefined ? undefined : await readIC(zkey);
    if (expected !== undefined) assertVerifyingKey(zkey, expected, verifyingKey);
    const job = loadJob(engine, new Stage(onProgress, "load", memoryUnits(zkey)), signal);
    const [memory, ic] = await allDone([loadMemory(job, zkey), expected ?? readIC(zkey)] as const);
    return new ProvingKey(zkey.name, zkey.header, ic, engine, memory);
  });
}

/**
 * What loading keys of every kind has in common: waits for the file and the engine, and closes both when `load` fails, the
 * file in any case.
 *
 * @throws ProverError `DOMAIN_TOO_LARGE`; whatever either of them or `load` rejects with; `signal.reason`.
 */
export async function intoEngine<T>(
  opening: Promise<ZkeyFile>,
  starting: Promise<Engine>,
  signal: AbortSignal | undefined,
  load: (zkey: ZkeyFile, engine: Engine) => Promise<T>,
): Promise<T> {
  const [opened, created] = await Promise.allSettled([opening, starting]);
  const zkey = opened.status === "fulfilled" ? opened.value : undefined;
  const engine = created.status === "fulfilled" ? created.value : undefined;
  try {
    if (opened.status === "rejected") throw opened.reason;
    if (created.status === "rejected") throw created.reason;
    if (zkey === undefined || engine === undefined) throw new Error("unreachable");
    const { header } = zkey;
    if (header.power > MAX_DOMAIN_BITS) {
      throw new ProverError("the domain is too large", {
        code: "DOMAIN_TOO_LARGE",
        where: zkey.name,
        expected: `at most 2^${MAX_DOMAIN_BITS}`,
        got: `2^${header.power}`,
      });
    }
    const key = await load(zkey, engine);
    signal?.throwIfAborted();
    return key;
  } catch (error) {
    await engine?.close();
    throw error;
  } finally {
    await zkey?.close();
  }
}

/** @throws ProverError `ZKEY_UNEXPECTED` unless this is the verifying key in the file. */
function assertVerifyingKey({ name, header }: ZkeyFile, ic: readonly G1Affine[], expected: unknown): void {
  const given = Object(expected) as Record<string, unknown>;
  for (const [field, own] of Object.entries(verifyingPoints(header, ic))) {
    if (JSON.stringify(given[field]) === JSON.stringify(own)) continue;
    throw new ProverError("the proving key does not belong to the verifying key", {
      code: "ZKEY_UNEXPECTED",
      where: `${name}: ${field}`,
      expected: `what verifyingKey.${field} says`,
    });
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}

/** Loading under way. */
export interface LoadJob {
  readonly engine: Engine;
  readonly constants: Constants;
  readonly signal: AbortSignal | undefined;
  readonly stage: Stage;
}

/** Points as a file holds them: a whole section or a part of one. */
export interface PointRange {
  readonly source: ByteSource;
  /** File and section, for messages. */
  readonly where: string;
  readonly offset: number;
  /** Number of points. */
  readonly count: number;
  /** Position of the first one's scalar. */
  readonly first: number;
}

/** The start of loading into an engine. */
export function loadJob(engine: Engine, stage: Stage, signal: AbortSignal | undefined): LoadJob {
  return { engine, constants: putConstants(engine), signal, stage };
}

/** Number of units that {@link loadMemory} reports: bytes read. */
export function memoryUnits({ sections }: ZkeyFile): number {
  const used = [ZKEY_SECTION.a, ZKEY_SECTION.b2, ZKEY_SECTION.c, ZKEY_SECTION.h];
  return used.reduce((n, id) => n + sections.get(id)!.size, 2 * (sections.get(ZKEY_SECTION.coefs)!.size - 4));
}

/** Loads what proofs are made with. */
export async function loadMemory(job: LoadJob, zkey: ZkeyFile): Promise<KeyMemory> {
  const { header } = zkey;
  const section = (group: Group, id: number, first = 0) => {
    const { offset, size } = zkey.sections.get(id)!;
    const where = `${zkey.name}: section ${id}`;
    return loadBases(job, group, { source: zkey.source, where, offset, count: size / POINT_BYTES[group], first });
  };
  // the sections side by side: each waits for its own reads, and the threads are kept busy by the others
  const tables = loadRoots(job.engine, header.power, job.signal);
  const parts = await allDone([
    loadMatrices(job, zkey),
    section("g2", ZKEY_SECTION.b2),
    section("g1", ZKEY_SECTION.a),
    section("g1", ZKEY_SECTION.h),
    section("g1", ZKEY_SECTION.c, header.nPublic + 1),
    tables,
  ] as const);
  const [matrices, b2, a, h, c, roots] = parts;
  return { constants: job.constants, bases: { a, b2, c, h }, matrices, ...roots };
}

/** Calls `visit` with the address of each run of at most WINDOW bytes of records, and how many they are. */
async function eachWindow(
  { engine, signal, stage }: LoadJob,
  source: ByteSource,
  offset: number,
  count: number,
  recordSize: number,
  visit: (address: number, n: number, first: number) => Promise<void>,
): Promise<void> {
  const perWindow = Math.max(1, Math.floor(WINDOW / recordSize));
  const buffer = engine.heap.alloc(Math.max(1, Math.min(perWindow, count)) * recordSize);
  try {
    for (let first = 0; first < count; first += perWindow) {
      signal?.throwIfAborted();
      const n = Math.min(perWindow, count - first);
      await readToHeap(source, engine, buffer, offset + first * recordSize, n * recordSize);
      await visit(buffer, n, first);
      stage.advance(n * recordSize);
    }
  } finally {
    engine.heap.free(buffer);
  }
}

/** Reads into the memory; a plain one loses its views when it grows, which may happen while a read is waited for. */
export async function readToHeap(
  source: ByteSource,
  engine: Engine,
  address: number,
  offset: number,
  size: number,
): Promise<void> {
  if (engine.threaded) await source.readInto(engine.heap.view(address, size), offset);
  else {
    const bytes = await source.read(offset, size);
    engine.heap.view(address, size).set(bytes);
  }
}

/**
 * Loads bases with their endomorphism images; points at infinity are left out.
 *
 * @throws FormatError `POINT_INVALID`.
 */
export async function loadBases(job: LoadJob, group: Group, points: PointRange): Promise<Bases> {
  const { engine, constants, signal } = job;
  const { heap, kernel } = engine;
  const { source, where, offset, count: n, first } = points;
  const baseSize = kernelFunction(kernel, `${group}_baseSize`)();
  const address = heap.alloc(n * baseSize);
  const index = heap.alloc(n * 4);
  let count = 0;
  await eachWindow(job, source, offset, n, POINT_BYTES[group], async (src, m, at) => {
    const out = address + count * baseSize;
    const { b, beta } = constants;
    const [result] = await engine.run(
      [{ calls: [[`${group}_loadBases`, out, index + 4 * count, src, m, first + at, beta[group], b[group]]] }],
      { signal },
    );
    const loaded = result![0]!;
    if (loaded < 0) {
      throw new FormatError("not a point of the curve with canonical coordinates", {
        code: "POINT_INVALID",
        where: `${where}, point ${at - 1 - loaded}`,
      });
    }
    count += loaded;
  });
  heap.shrink(address, count * baseSize);
  heap.shrink(index, count * 4);
  return { group, address, index, count };
}

async function loadMatrices(job: LoadJob, zkey: ZkeyFile): Promise<KeyMemory["matrices"]> {
  const { engine, signal } = job;
  const { heap } = engine;
  const { nVars, domainSize } = zkey.header;
  // a count of 4 bytes stands in front
  const offset = zkey.sections.get(ZKEY_SECTION.coefs)!.offset + 4;
  const rows = (domainSize + 1) * 4;
  const [offsetsA, offsetsB, cursorsA, cursorsB] = [
    heap.alloc(rows),
    heap.alloc(rows),
    heap.alloc(rows),
    heap.alloc(rows),
  ];
  for (const address of [offsetsA, offsetsB]) heap.view(address, rows).fill(0);

  await eachWindow(job, zkey.source, offset, zkey.nCoefs, ZKEY_COEF_SIZE, async (src, n, first) => {
    const call = ["qap_count", src, n, offsetsA, offsetsB, domainSize, nVars] as const;
    const [result] = await engine.run([{ calls: [call] }], { signal, priority: FIRST });
    if (result![0]! >= 0) {
      throw new FormatError("matrix, row or signal of a coefficient is out of range", {
        code: "ZKEY_COEFFICIENT",
        where: `${zkey.name}: section ${ZKEY_SECTION.coefs}, entry ${first + result![0]!}`,
        expected: `matrix 0 or 1, row below ${domainSize}, signal below ${nVars}`,
      });
    }
  });
  const totals = [offsetsA, offsetsB].map((address, i) => {
    const table = new Uint32Array(heap.bytes.buffer, address, domainSize + 1);
    for (let r = 0; r < domainSize; r++) table[r + 1]! += table[r]!;
    heap.view([cursorsA, cursorsB][i]!, rows).set(heap.view(address, rows));
    return table[domainSize]!;
  });
  // one wire and one half of a pair more: entries are taken two by two
  const [wiresA, wiresB] = totals.map((n) => heap.alloc(4 * (n + 2))) as [number, number];
  const [pairsA, pairsB] = totals.map((n) => heap.alloc(engine.pairBytes * (Math.ceil(n / 2) + 1))) as [number, number];
  await eachWindow(job, zkey.source, offset, zkey.nCoefs, ZKEY_COEF_SIZE, async (src, n, first) => {
    const tables = [offsetsA, offsetsB, cursorsA, cursorsB, wiresA, wiresB, pairsA, pairsB];
    const call = ["qap_load", src, n, domainSize, nVars, ...tables] as const;
    const [result] = await engine.run([{ calls: [call] }], { signal, priority: FIRST });
    if (result![0]! >= 0) {
      throw new FormatError("coefficient is not canonical, or changed while it was read", {
        code: "ZKEY_COEFFICIENT",
        where: `${zkey.name}: section ${ZKEY_SECTION.coefs}, entry ${first + result![0]!}`,
        expected: "a number below r",
      });
    }
  });
  heap.free(cursorsA);
  heap.free(cursorsB);
  return {
    a: { offsets: offsetsA, wires: wiresA, coefficients: pairsA },
    b: { offsets: offsetsB, wires: wiresB, coefficients: pairsB },
  };
}

/** Makes the tables of the transforms on the domain of `2^power` points. */
export async function loadRoots(engine: Engine, power: number, signal?: AbortSignal): Promise<Roots> {
  const { heap, fieldBytes, pairBytes } = engine;
  const size = (pairBytes * 2 ** power) / 2 + pairBytes;
  const [twiddles, coset] = [heap.alloc(size), heap.alloc(size)];
  const [root, shift, inverse] = [heap.alloc(fieldBytes), heap.alloc(fieldBytes), heap.alloc(fieldBytes)];
  putField(engine, "fr", root, rootOfUnity(power));
  putField(engine, "fr", shift, rootOfUnity(power + 1));
  putField(engine, "fr", inverse, invMod(2n ** BigInt(power), FR_MODULUS));
  await engine.run(
    [{ calls: [["ntt_twiddles", twiddles, root, power]] }, { calls: [["ntt_coset", coset, shift, inverse, power]] }],
    { signal },
  );
  for (const address of [root, shift, inverse]) heap.free(address);
  return { twiddles, coset };
}
