/**
 * The quotient of the QAP on a WebGPU device: rows of the constraint matrices times the witness, three transforms to the odd coset,
 * and the scalars of the H bases, which stay on the device.
 *
 * @module
 */

import { FIELD_SIZE, FR_MODULUS } from "../../formats/bn254.js";
import type { ConstraintSource, MatrixSource } from "../backend.js";
import { invMod } from "../wasm/constants.js";
import type { Device } from "./device.js";
import { type DeviceDomain, type Ntt, wordsOf } from "./ntt.js";
import { Work } from "./pace.js";
import { coefficientsSource, PIECE, productSource, rowsSource, scalarsSource, sumsSource } from "./wgsl/qap.js";

/** Entries that are read and uploaded at a time. */
const UPLOAD = 1 << 16;
/** Entries after which the device gets time to take them over. */
const PAUSE = 1 << 20;
/** Bytes of a piece on the device. */
const PIECE_SIZE = 8;

/** Pieces of rows, as kernels take them: see `wgsl/qap.ts`. */
export interface Pieces {
  /** Two words each. */
  readonly words: Uint32Array;
  readonly count: number;
  /** The first of them are whole rows. */
  readonly direct: number;
}

/** Entries [from, to) of a matrix, and the pieces that they are cut into. */
export interface Slice extends Pieces {
  readonly from: number;
  readonly to: number;
}

/** A matrix, cut. */
export interface Cut {
  readonly slices: readonly Slice[];
  /** Sums of partial sums; each level adds up what those before it left. */
  readonly levels: readonly Pieces[];
  /** Number of partial sums. */
  readonly partials: number;
}

/** A long row: its partial sums are `count` from `first` on. */
interface LongRow {
  readonly row: number;
  readonly first: number;
  readonly count: number;
}

/**
 * Cuts the rows of a matrix into slices of at most `most` entries, and these into pieces of at most {@link PIECE}. A row of one piece is
 * a piece of its own; of longer ones pieces are partial sums. Pieces of a slice are in the order of their lengths, so that
 * invocations side by side have as much to do as each other.
 */
export function cutRows(offsets: Uint32Array, most: number): Cut {
  const rows = offsets.length - 1;
  const entries = offsets[rows]!;
  const count = Math.max(1, Math.ceil(entries / most));
  const slices: Slice[] = [];
  let long: LongRow[] = [];
  let row = 0;
  let partials = 0;
  for (let s = 0; s < count; s++) {
    const from = s * most;
    const to = Math.min(entries, from + most);
    // twice: to count pieces by length, whole rows before others and long ones before short ones, and to put them there
    const cursors = new Uint32Array(2 * (PIECE + 1));
    const classOf = (length: number, whole: boolean) => (whole ? PIECE - length : 2 * PIECE + 1 - length);
    const walk = (visit: (start: number, length: number, to: number, whole: boolean) => void) => {
      let [r, partial] = [row, partials];
      const found: LongRow[] = [];
      for (; r < rows; r++) {
        const [start, end] = [offsets[r]!, offsets[r + 1]!];
        // a row of no entries between two slices belongs to the later one
        if (start >= to && s < count - 1) break;
        if (start >= from && end <= to && end - start <= PIECE) {
          visit(start - from, end - start, r, true);
          continue;
        }
        const stop = Math.min(end, to);
        const first = partial;
        for (let e = Math.max(start, from); e < stop; e += PIECE) {
          visit(e - from, Math.min(PIECE, stop - e), partial++, false);
        }
        found.push({ row: r, first, count: partial - first });
        if (end > to) break;
      }
      return { row: r, partials: partial, found };
    };
    walk((_, length, __, whole) => {
      cursors[classOf(length, whole)]!++;
    });
    let total = 0;
    for (let c = 0; c < cursors.length; c++) {
      const size = cursors[c]!;
      cursors[c] = total;
      total += size;
    }
    const direct = cursors[PIECE + 1]!;
    const words = new Uint32Array(2 * total);
    const end = walk((start, length, place, whole) => {
      const at = cursors[classOf(length, whole)]!++;
      words[2 * at] = start;
      words[2 * at + 1] = place * 32 + length;
    });
    ({ row, partials } = end);
    for (const part of end.found) {
      // partial sums of a row that goes on in the next slice go on there too
      const last = long.at(-1);
      if (last?.row === part.row) long[long.length - 1] = { ...last, count: last.count + part.count };
      else long.push(part);
    }
    slices.push({ from, to, words, count: total, direct });
  }
  const levels: Pieces[] = [];
  while (long.length > 0) {
    const whole = long.filter((part) => part.count <= PIECE);
    const others = long.filter((part) => part.count > PIECE);
    const words: number[] = [];
    for (const part of whole) words.push(part.first, part.row * 32 + part.count);
    long = others.map(({ row, first, count }) => {
      const next = { row, first: partials, count: Math.ceil(count / PIECE) };
      for (let at = 0; at < count; at += PIECE) words.push(first + at, partials++ * 32 + Math.min(PIECE, count - at));
      return next;
    });
    levels.push({ words: Uint32Array.from(words), count: words.length / 2, direct: whole.length });
  }
  return { slices, levels, partials };
}

/** Where pieces lie on the device. */
interface DevicePieces {
  readonly first: number;
  readonly count: number;
  readonly direct: number;
}

/** A matrix on the device. */
interface DeviceMatrix {
  readonly slices: readonly (DevicePieces & {
    readonly pieces: GPUBuffer;
    readonly wires: GPUBuffer;
    readonly coefficients: GPUBuffer;
  })[];
  readonly sums: GPUBuffer;
  readonly levels: readonly DevicePieces[];
  readonly partials: GPUBuffer;
}

/** The constraints of a circuit on the device. */
export interface DeviceConstraints {
  readonly power: number;
  readonly nVars: number;
  readonly domain: DeviceDomain;
  readonly a: DeviceMatrix;
  readonly b: DeviceMatrix;
  /** Gives its memory back. Idempotent. */
  free(): void;
}

/** The bytes of words, copied: what is given may lie in memory that threads share, which devices don't take. */
const bytesOf = (words: Uint32Array, from = 0, to = words.length): Uint8Array =>
  new Uint8Array(Uint32Array.from(words.subarray(from, to)).buffer);

/** See the module. Methods run inside the caller's {@link Device.exclusive}. */
export class Quotient {
  readonly #device: Device;
  readonly #ntt: Ntt;
  /** Entries of a slice, at most. */
  readonly #entries: number;

  constructor(device: Device, ntt: Ntt) {
    this.#device = device;
    this.#ntt = ntt;
    this.#entries = Math.max(1, Math.floor(device.limits.buffer / FIELD_SIZE));
  }

  /** Brings a circuit to the device. @throws also what the source throws. */
  async put(source: ConstraintSource, signal?: AbortSignal): Promise<DeviceConstraints> {
    const { power, nVars } = source;
    const work = new Work(this.#device, this.#ntt.pace, signal);
    const made: GPUBuffer[] = [];
    let domain: DeviceDomain | undefined;
    const free = () => {
      for (const buffer of made.splice(0)) this.#device.free(buffer);
      domain?.free();
    };
    try {
      domain = await this.#ntt.domain(power, signal);
      domain.work();
      const a = await this.#putMatrix(source.a, work, made);
      const b = await this.#putMatrix(source.b, work, made);
      await work.flush();
      return { power, nVars, domain, a, b, free };
    } catch (error) {
      free();
      throw error;
    }
  }

  async #putMatrix(source: MatrixSource, work: Work, made: GPUBuffer[]): Promise<DeviceMatrix> {
    const device = this.#device;
    const make = (size: number, label: string): GPUBuffer => {
      const buffer = device.buffer(size, label);
      made.push(buffer);
      return buffer;
    };
    const kernel = await this.#ntt.kernel("coefficients", coefficientsSource);
    const cut = cutRows(source.offsets, this.#entries);
    const slices: DeviceMatrix["slices"][number][] = [];
    for (const { from, to, words, count, direct } of cut.slices) {
      const pieces = make(PIECE_SIZE * count, "pieces of rows");
      const wires = make(4 * (to - from), "wires");
      const coefficients = make(FIELD_SIZE * (to - from), "coefficients");
      device.upload(pieces, 0, bytesOf(words));
      for (let at = from; at < to; at += UPLOAD) {
        const end = Math.min(to, at + UPLOAD);
        device.upload(wires, 4 * (at - from), bytesOf(source.wires, at, end));
        device.upload(coefficients, FIELD_SIZE * (at - from), await source.coefficients(at, end));
        const parameters = [0, 0, end - at, at - from, 0, 0];
        await this.#ntt.elementwise(work, kernel, [coefficients], end - at, 1, parameters);
        if ((end - from) % PAUSE === 0) await work.flush();
      }
      slices.push({ first: 0, count, direct, pieces, wires, coefficients });
    }
    const sums = make(PIECE_SIZE * cut.levels.reduce((sum, { count }) => sum + count, 0), "pieces of sums");
    const levels: DevicePieces[] = [];
    let first = 0;
    for (const { words, count, direct } of cut.levels) {
      device.upload(sums, PIECE_SIZE * first, bytesOf(words));
      levels.push({ first, count, direct });
      first += count;
    }
    return { slices, sums, levels, partials: make(FIELD_SIZE * cut.partials, "partial sums") };
  }

  /**
   * The scalars of the H bases; see {@link Backend.quotient}.
   *
   * @param witness `nVars` canonical numbers.
   * @returns a buffer of n canonical numbers.
   */
  async quotient(constraints: DeviceConstraints, witness: GPUBuffer, signal?: AbortSignal): Promise<GPUBuffer> {
    const { power, domain } = constraints;
    const n = 2 ** power;
    const ntt = this.#ntt;
    const work = new Work(this.#device, ntt.pace, signal);
    const product = await ntt.kernel("product", productSource);
    const scalars = await ntt.kernel("scalars", scalarsSource);
    const out = this.#device.buffer(FIELD_SIZE * n, "scalars");
    try {
      const polynomials = domain.work();
      const [a, b] = polynomials;
      await this.#rows(work, constraints.a, witness, a);
      await this.#rows(work, constraints.b, witness, b);
      await ntt.elementwise(work, product, [...polynomials], n, 1, [0, 0, n, 0, 0, 0]);
      await ntt.coset(work, domain, polynomials, 3);
      const size = BigInt(n);
      const factors = [...wordsOf(ntt.toMont(size)), ...wordsOf(invMod(size * size, FR_MODULUS))];
      await ntt.elementwise(work, scalars, [...polynomials, out], n, 3, [0, 0, n, 0, 0, 0, ...factors]);
      work.submit();
      return out;
    } catch (error) {
      this.#device.free(out);
      throw error;
    }
  }

  /** out[row] = Σ coefficient·witness over the row, in Montgomery form, below 2r. */
  async #rows(work: Work, matrix: DeviceMatrix, witness: GPUBuffer, out: GPUBuffer): Promise<void> {
    const ntt = this.#ntt;
    const rows = await ntt.kernel("rows", rowsSource);
    for (const { first, count, direct, pieces, wires, coefficients } of matrix.slices) {
      const buffers = [pieces, wires, coefficients, witness, out, matrix.partials];
      await ntt.elementwise(work, rows, buffers, count, 4, [0, 0, count, direct, first, 0]);
    }
    if (matrix.levels.length === 0) return;
    const sums = await ntt.kernel("sums", sumsSource);
    for (const { first, count, direct } of matrix.levels) {
      await ntt.elementwise(work, sums, [matrix.sums, out, matrix.partials], count, 1, [0, 0, count, direct, first, 0]);
    }
  }
}
