/**
 * Many points of G1 times one secret scalar.
 *
 * k = k₁ + λ·k₂ with halves of 129 bits (Galbraith, Scott, eprint 2008/117), and φ(P) = λ·P costs one product. Double-and-add
 * runs over many points at a time, so that its additions share an inversion. With any fixed point T, X holds m·P + T for what
 * was read of both halves; two more bits b₁, b₂ take two additions, X + (b₁·P + b₂·φ(P) - T) and the sum of that and X, and
 * no doubling, which would take longer.
 *
 * Not constant time.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { FormatError } from "../errors.js";
import { encodeG1, FR_MODULUS, G1_SIZE, type G1Affine } from "../formats/bn254.js";
import type { ByteSource } from "../formats/source.js";
import { allDone } from "../prover/concurrency.js";
import { type OnProgress, Stage } from "../prover/progress.js";
import { Engine, type ThreadCount } from "../prover/wasm/engine.js";
import { kernelFunction, putConstants, putField } from "../prover/wasm/field.js";
import { type Call, SCRATCH } from "../prover/wasm/kernel.js";
import { GLV_BETA } from "../verifier/batching.js";
import { BN_X } from "../verifier/pairing.js";

/** Points of a file, in Montgomery form, see `formats/bn254.ts`. */
export interface PointsOfFile {
  readonly source: ByteSource;
  /** File and section, for messages. */
  readonly where: string;
  readonly offset: number;
  readonly count: number;
}

/** How {@link scalePoints} is run. Stage: `"points"`. */
export interface ScaleOptions {
  readonly threads?: ThreadCount | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Points per task. */
const CHUNK = 1024;
/** Bytes of an operation of `g1_batchAdd`. */
const OPERATION = 12;

/** Two vectors (a, b) with a + b·λ ≡ 0 mod r that span all of them. Nothing in them is negative. */
const LATTICE = {
  v: [6n * BN_X ** 2n + 4n * BN_X + 1n, 2n * BN_X + 1n],
  w: [6n * BN_X ** 2n + 2n * BN_X, 6n * BN_X ** 2n + 4n * BN_X + 1n],
} as const;

/**
 * Numbers k₁, k₂ in [0, 2¹²⁹) with k₁ + k₂·λ ≡ k mod r: the point of the lattice's parallelogram at 0 that stands for k.
 *
 * @param k from 0 to r - 1.
 */
export function splitScalar(k: bigint): [bigint, bigint] {
  const { v, w } = LATTICE;
  // (k, 0) = s·v + t·w by Cramer's rule, where the determinant is r
  const floor = (n: bigint) => (n >= 0n ? n / FR_MODULUS : -((-n + FR_MODULUS - 1n) / FR_MODULUS));
  const [s, t] = [floor(k * w[1]), floor(-k * v[1])];
  return [k - s * v[0] - t * w[0], -s * v[1] - t * w[1]];
}

/**
 * Multiplies points by a scalar.
 *
 * @param k from 1 to r - 1.
 * @returns `count × 64` bytes.
 * @throws FormatError `POINT_INVALID`, `POINT_AT_INFINITY`; ProverError `WASM_UNSUPPORTED`, `OUT_OF_MEMORY`,
 *   `WORKER_FAILED`; `signal.reason`.
 */
export async function scalePoints(points: PointsOfFile, k: bigint, options: ScaleOptions): Promise<Uint8Array> {
  const engine = await Engine.create({ threads: options.threads }, true);
  try {
    const { count } = points;
    const result = new Uint8Array(count * G1_SIZE);
    const stage = new Stage(options.onProgress, "points", count);
    const bits = pairsOfBits(splitScalar(k));
    const shared = putShared(engine);
    const lanes = Array.from({ length: engine.threads }, () => makeLane(engine, shared, Math.min(CHUNK, count)));
    let next = 0;
    const work = async (lane: Lane): Promise<void> => {
      while (next < count) {
        const from = next;
        const n = Math.min(CHUNK, count - from);
        next += n;
        try {
          result.set(await scaleChunk(engine, shared, lane, bits, points, from, n, options.signal), from * G1_SIZE);
        } catch (error) {
          // the other lanes need not begin another one
          next = count;
          throw error;
        }
        stage.advance(n);
      }
    };
    await allDone(lanes.map(work));
    return result;
  } finally {
    await engine.close();
  }
}

/** b₁ + 2·b₂, highest bits first. */
function pairsOfBits([first, second]: [bigint, bigint]): number[] {
  const length = Math.max(first.toString(2).length, second.toString(2).length);
  return Array.from({ length }, (_, i) => {
    const at = BigInt(length - 1 - i);
    return Number((first >> at) & 1n) + 2 * Number((second >> at) & 1n);
  });
}

/** Addresses of what all lanes read. */
interface Shared {
  /** T and -T. */
  readonly t: number;
  readonly minusT: number;
  readonly beta: number;
  /** 0 of fq. */
  readonly zero: number;
  /** The curve's b. */
  readonly b: number;
  readonly pointSize: number;
}

function putShared(engine: Engine): Shared {
  const { heap, kernel, fieldBytes } = engine;
  const b = putConstants(engine).b.g1;
  const pointSize = kernelFunction(kernel, "g1_pointSize")();
  const put = (point: G1Affine): number => {
    const [raw, at] = [heap.alloc(G1_SIZE), heap.alloc(pointSize)];
    heap.view(raw, G1_SIZE).set(encodeG1(point));
    kernelFunction(kernel, "g1_fromBytes")(at, raw, b);
    return at;
  };
  const { BASE } = bn254.G1.Point;
  const [t, minusT] = [put(BASE.toAffine()), put(BASE.negate().toAffine())];
  const [beta, zero] = [heap.alloc(fieldBytes), heap.alloc(fieldBytes)];
  putField(engine, "fq", beta, GLV_BETA);
  putField(engine, "fq", zero, 0n);
  return { t, minusT, beta, zero, b, pointSize };
}

/** Addresses of what one task works on: points and lists of operations on them. */
interface Lane {
  readonly raw: number;
  /** P, and φ(P). */
  readonly p: number;
  readonly image: number;
  readonly x: number;
  /** Makes of P and φ(P) what is added to X for bits that are not both 0: sums of them less T. */
  readonly prepare: readonly number[];
  /** Y = X + what belongs to the bits b₁ + 2·b₂. */
  readonly byBits: readonly number[];
  /** X = X + Y. */
  readonly sum: number;
  /** X = X - T. */
  readonly finish: number;
}

function makeLane({ heap }: Engine, { minusT, pointSize }: Shared, n: number): Lane {
  const room = () => heap.alloc(n * pointSize);
  const [p, image, both, x, y] = [room(), room(), room(), room(), room()];
  /** One operation for each point: addresses of both summands and of the sum, with the point's offset. */
  const operations = (a: number, b: number, out: number): number => {
    const at = heap.alloc(n * OPERATION);
    const words = new Uint32Array(heap.bytes.buffer, at, 3 * n);
    for (let i = 0; i < n; i++) {
      const offset = i * pointSize;
      words.set([a + offset, b === minusT ? b : b + offset, out + offset], 3 * i);
    }
    return at;
  };
  return {
    raw: heap.alloc(n * G1_SIZE),
    p,
    image,
    x,
    // P + φ(P) first, while both are what they were
    prepare: [
      operations(p, image, both),
      operations(p, minusT, p),
      operations(image, minusT, image),
      operations(both, minusT, both),
    ],
    byBits: [minusT, p, image, both].map((summand) => operations(x, summand, y)),
    sum: operations(x, y, x),
    finish: operations(x, minusT, x),
  };
}

async function scaleChunk(
  engine: Engine,
  { t, beta, zero, b, pointSize }: Shared,
  { raw, p, image, x, prepare, byBits, sum, finish }: Lane,
  bits: readonly number[],
  { source, where, offset }: PointsOfFile,
  from: number,
  n: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { heap, kernel, fieldBytes } = engine;
  const bytes = await source.read(offset + from * G1_SIZE, n * G1_SIZE);
  for (let i = 0; i < n; i++) {
    if (bytes.subarray(i * G1_SIZE, (i + 1) * G1_SIZE).some((byte) => byte !== 0)) continue;
    // a signal with such a point could be anything
    throw new FormatError("is the point at infinity", {
      code: "POINT_AT_INFINITY",
      where: `${where}, point ${from + i}`,
    });
  }
  heap.view(raw, bytes.length).set(bytes);
  for (let i = 0; i < n; i++) heap.bytes.copyWithin(x + i * pointSize, t, t + pointSize);
  const each = (calls: (at: number, i: number) => Call[]): Call[] =>
    Array.from({ length: n }, (_, i) => calls(i * pointSize, i)).flat();
  const batch = (operations: number): Call => ["g1_batchAdd", operations, n, SCRATCH];
  const [answers] = await engine.run(
    [
      {
        scratch: kernelFunction(kernel, "g1_batchScratch")(n),
        calls: [
          ...each((at, i) => [["g1_fromBytes", p + at, raw + i * G1_SIZE, b]]),
          ...each((at) => [
            ["fq_mul", image + at, p + at, beta],
            ["fq_canonical", image + at, image + at],
            ["fq_add", image + at + fieldBytes, p + at + fieldBytes, zero],
            ["fq_canonical", image + at + fieldBytes, image + at + fieldBytes],
          ]),
          ...prepare.map(batch),
          ...bits.flatMap((pair) => [batch(byBits[pair]!), batch(sum)]),
          batch(finish),
          ...each((at, i) => [["g1_toBytes", raw + i * G1_SIZE, x + at]]),
        ],
      },
    ],
    { signal },
  );
  const bad = answers!.slice(0, n).findIndex((answer) => answer !== 0);
  if (bad >= 0) {
    throw new FormatError("not a point of the curve with canonical coordinates", {
      code: "POINT_INVALID",
      where: `${where}, point ${from + bad}`,
    });
  }
  return heap.view(raw, n * G1_SIZE).slice();
}
