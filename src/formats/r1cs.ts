/**
 * Constraint systems (`.r1cs`, magic `r1cs`, version 1) as circom writes them.
 *
 * ```text
 * 1 header       u32 n8 = 32 | r | u32 nWires | u32 nOutputs | u32 nPubInputs | u32 nPrvInputs | u64 nLabels
 *                | u32 nConstraints
 * 2 constraints  nConstraints × (A, B, C), each: u32 n | n × (u32 wire | fr coefficient, 32 bytes LE, canonical)
 * 3 labels       nWires × u64, optional
 * 4, 5           custom gates (PLONK only); refused when there are any
 * ```
 *
 * Constraint i says `(A_i · w)(B_i · w) = C_i · w`. Wires: the constant 1, outputs, public inputs, private inputs,
 * intermediate ones.
 *
 * Reference: https://github.com/iden3/r1csfile/blob/master/doc/r1cs_bin_format.md
 *
 * @module
 */

import { FormatError } from "../errors.js";
import {
  type BinFile,
  concatBytes,
  readBinFile,
  requireSection,
  type Section,
  type SectionData,
  sectionLengthError,
  view,
  writeBinFile,
} from "./binfile.js";
import { bigintToBytesLE, checkModulus, FIELD_SIZE, FR_MODULUS, FR_TWO_ADICITY, indexOfNonCanonical } from "./bn254.js";
import { type ByteSource, openSource, type Source } from "./source.js";

const VERSION = 1;
const HEADER_SIZE = 4 + FIELD_SIZE + 4 * 4 + 8 + 4;
/** One term of a linear combination. */
const TERM_SIZE = 4 + FIELD_SIZE;
/** A constraint whose three combinations are empty. */
const MIN_CONSTRAINT_SIZE = 3 * 4;
/** The coefficients of one matrix stay under 4 GiB, which is as much as a WASM memory holds. */
const MAX_TERMS = 2 ** 27 - 1;
/** Bytes of the file in memory at a time. */
const WINDOW = 1 << 22;

/** Sizes of a constraint system. */
export interface R1csHeader {
  /** Number of wires, the constant 1 included. */
  readonly nWires: number;
  readonly nOutputs: number;
  readonly nPubInputs: number;
  readonly nPrvInputs: number;
  readonly nLabels: number;
  readonly nConstraints: number;
}

/** Sparse matrix over fr, row by row (CSR); terms `rowOffsets[i]` to `rowOffsets[i + 1] - 1` belong to row i. */
export interface SparseMatrix {
  /** `nRows + 1` entries, ascending, first 0, last the number of terms. */
  readonly rowOffsets: Uint32Array;
  /** Column of each term, `< nWires`. */
  readonly wires: Uint32Array;
  /** Value of each term: `nTerms × 32` bytes, little-endian, canonical `< r`. */
  readonly coefficients: Uint8Array;
}

/** A constraint system in memory. */
export interface R1cs {
  readonly name: string;
  readonly header: R1csHeader;
  readonly a: SparseMatrix;
  readonly b: SparseMatrix;
  readonly c: SparseMatrix;
  /** Label of each wire, if the file has them. */
  readonly wireToLabel: BigUint64Array | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const MATRICES = ["A", "B", "C"] as const;

/**
 * Reads a constraint system over the scalar field of BN254. Memory: the result and a window of 4 MiB; the constraints
 * are read twice.
 *
 * @throws FormatError those of `openSource` and `readBinFile`; `FOREIGN_CURVE`, `R1CS_COUNTS`, `R1CS_CUSTOM_GATES`,
 *   `R1CS_WIRE_RANGE`, `R1CS_COEFFICIENT_NOT_CANONICAL`, `R1CS_TOO_LARGE`, `BINFILE_SECTION_MISSING`,
 *   `BINFILE_SECTION_LENGTH`.
 */
export async function readR1cs(from: Source, signal?: AbortSignal): Promise<R1cs> {
  const source = await openSource(from, "r1cs", signal);
  try {
    const file = await readBinFile(source, "r1cs", VERSION);
    const header = await readHeader(file);
    await refuseCustomGates(file);
    const wireToLabel = await readLabels(file, header.nWires);
    const rowOffsets = await scanRows(file, header.nConstraints);
    const [a, b, c] = await readTerms(file, header, rowOffsets);
    return { name: file.name, header, a: a!, b: b!, c: c!, wireToLabel };
  } finally {
    await source.close();
  }
}

async function readHeader(file: BinFile): Promise<R1csHeader> {
  const where = `${file.name}: section 1 (header)`;
  const section = requireSection(file, 1, "header");
  const bytes = await file.source.read(section.offset, Math.min(section.size, 256));
  if (bytes.length >= 4) checkModulus(view(bytes).getUint32(0, true), bytes.subarray(4), FR_MODULUS, where);
  requireSection(file, 1, "header", HEADER_SIZE);

  const fields = view(bytes.subarray(4 + FIELD_SIZE));
  const header = {
    nWires: fields.getUint32(0, true),
    nOutputs: fields.getUint32(4, true),
    nPubInputs: fields.getUint32(8, true),
    nPrvInputs: fields.getUint32(12, true),
    nLabels: Number(fields.getBigUint64(16, true)),
    nConstraints: fields.getUint32(24, true),
  };
  // Private inputs are not counted in: circom drops those that no constraint uses.
  const least = 1 + header.nOutputs + header.nPubInputs;
  const fault =
    header.nWires < least
      ? { expected: `at least ${least} wires for ${least - 1} public signals`, got: `${header.nWires}` }
      : header.nConstraints > 2 ** FR_TWO_ADICITY
        ? { expected: `at most 2^${FR_TWO_ADICITY} constraints`, got: `${header.nConstraints}` }
        : !Number.isSafeInteger(header.nLabels)
          ? { expected: "a number of labels below 2^53", got: `${header.nLabels}` }
          : undefined;
  if (fault !== undefined) throw new FormatError("header makes no sense", { code: "R1CS_COUNTS", where, ...fault });
  return header;
}

async function refuseCustomGates(file: BinFile): Promise<void> {
  for (const id of [4, 5]) {
    const section = file.sections.get(id);
    if (section === undefined || section.size === 0) continue;
    const bytes = await file.source.read(section.offset, Math.min(section.size, 4));
    if (section.size === 4 && bytes.every((byte) => byte === 0)) continue;
    throw new FormatError("circuit uses custom gates, which Groth16 does not have", {
      code: "R1CS_CUSTOM_GATES",
      where: `${file.name}: section ${id} (custom gates)`,
    });
  }
}

async function readLabels(file: BinFile, nWires: number): Promise<BigUint64Array | undefined> {
  if (!file.sections.has(3)) return undefined;
  const { offset, size } = requireSection(file, 3, "labels", nWires * 8);
  // read into an own buffer: a view of the source need not be aligned
  const labels = new BigUint64Array(nWires);
  await file.source.readInto(new Uint8Array(labels.buffer, 0, size), offset);
  return labels;
}

/** First pass: how many terms each row has, and that the rows fill the section exactly. Allocates nothing by the terms. */
async function scanRows(file: BinFile, nConstraints: number): Promise<Uint32Array[]> {
  const section = requireSection(file, 2, "constraints");
  const end = section.offset + section.size;
  const lengthError = (expected: string) =>
    sectionLengthError(file, 2, "constraints", expected, `${section.size} bytes`);
  if (section.size < nConstraints * MIN_CONSTRAINT_SIZE) {
    throw lengthError(`at least ${nConstraints * MIN_CONSTRAINT_SIZE} bytes for ${nConstraints} constraints`);
  }
  const rowOffsets = MATRICES.map(() => new Uint32Array(nConstraints + 1));
  const nTerms = [0, 0, 0];
  const window = new Window(file.source, section);
  let position = section.offset;
  for (let row = 0; row < nConstraints; row++) {
    for (let m = 0; m < MATRICES.length; m++) {
      if (position + 4 > end) throw lengthError(`more: it ends in constraint ${row} of ${nConstraints}`);
      if (!window.has(position, 4)) await window.load(position);
      const n = window.view.getUint32(position - window.start, true);
      position += 4 + n * TERM_SIZE;
      if (position > end) throw lengthError(`more: ${MATRICES[m]} of constraint ${row} has ${n} terms`);
      nTerms[m]! += n;
      if (nTerms[m]! > MAX_TERMS) {
        throw new FormatError("constraint system is too large", {
          code: "R1CS_TOO_LARGE",
          where: `${file.name}: matrix ${MATRICES[m]}`,
          expected: `at most ${MAX_TERMS} terms`,
        });
      }
      rowOffsets[m]![row + 1] = nTerms[m]!;
    }
  }
  if (position !== end) {
    throw lengthError(`${position - section.offset} bytes for ${nConstraints} constraints`);
  }
  return rowOffsets;
}

/** Second pass: the terms themselves. */
async function readTerms(file: BinFile, header: R1csHeader, rowOffsets: Uint32Array[]): Promise<SparseMatrix[]> {
  const { nWires, nConstraints } = header;
  const section = requireSection(file, 2, "constraints");
  const window = new Window(file.source, section);
  const matrices = rowOffsets.map((offsets) => {
    const n = offsets[nConstraints]!;
    return { rowOffsets: offsets, wires: new Uint32Array(n), coefficients: new Uint8Array(n * FIELD_SIZE) };
  });
  const words = matrices.map(({ coefficients }) => new Uint32Array(coefficients.buffer));

  let position = section.offset;
  for (let row = 0; row < nConstraints; row++) {
    for (let m = 0; m < MATRICES.length; m++) {
      const { rowOffsets: offsets, wires } = matrices[m]!;
      position += 4;
      let term = offsets[row]!;
      const last = offsets[row + 1]!;
      while (term < last) {
        if (!window.has(position, TERM_SIZE)) await window.load(position);
        const n = Math.min(last - term, Math.floor((window.end - position) / TERM_SIZE));
        const bad = copyTerms(window.view, position - window.start, n, wires, words[m]!, term, nWires);
        if (bad !== -1) {
          throw new FormatError("wire is out of range", {
            code: "R1CS_WIRE_RANGE",
            where: `${file.name}: ${MATRICES[m]} of constraint ${row}`,
            expected: `a wire below ${nWires}`,
            got: String(wires[bad]),
          });
        }
        term += n;
        position += n * TERM_SIZE;
      }
    }
  }
  matrices.forEach(({ coefficients, rowOffsets: offsets }, m) => {
    const index = indexOfNonCanonical(coefficients, FR_MODULUS);
    if (index === -1) return;
    const row = offsets.findIndex((offset) => offset > index) - 1;
    throw new FormatError("coefficient is not canonical", {
      code: "R1CS_COEFFICIENT_NOT_CANONICAL",
      where: `${file.name}: ${MATRICES[m]} of constraint ${row}, term ${index - offsets[row]!}`,
      expected: "a number below r",
    });
  });
  return matrices;
}

/**
 * Copies `n` terms from `offset` in `from` to term `term` and following.
 *
 * @param words the coefficients, eight 32-bit words each (host order, little-endian on every engine there is).
 * @returns the first term whose wire is not below `nWires`, or -1.
 */
function copyTerms(
  from: DataView,
  offset: number,
  n: number,
  wires: Uint32Array,
  words: Uint32Array,
  term: number,
  nWires: number,
): number {
  let at = offset;
  for (let i = term; i < term + n; i++) {
    const wire = from.getUint32(at, true);
    wires[i] = wire;
    if (wire >= nWires) return i;
    for (let k = 0; k < 8; k++) words[8 * i + k] = from.getUint32(at + 4 + 4 * k, true);
    at += TERM_SIZE;
  }
  return -1;
}

/** A piece of the source in memory. `has` is synchronous so that loops wait only when the piece is used up. */
class Window {
  start = 0;
  end = 0;
  view: DataView = new DataView(new ArrayBuffer(0));
  private readonly buffer: Uint8Array;
  private readonly limit: number;

  constructor(
    private readonly source: ByteSource,
    section: Section,
  ) {
    this.buffer = new Uint8Array(Math.min(WINDOW, section.size));
    this.limit = section.offset + section.size;
  }

  has(position: number, length: number): boolean {
    return position >= this.start && position + length <= this.end;
  }

  async load(position: number): Promise<void> {
    const length = Math.min(this.buffer.length, this.limit - position);
    const piece = this.buffer.subarray(0, length);
    await this.source.readInto(piece, position);
    this.start = position;
    this.end = position + length;
    this.view = view(piece);
  }
}

/** What {@link writeR1cs} needs. */
export interface R1csParts extends Mutable<Omit<R1csHeader, "nConstraints">> {
  a: SparseMatrix;
  b: SparseMatrix;
  c: SparseMatrix;
  wireToLabel?: BigUint64Array | undefined;
}

/** An r1cs file, version 1, with sections 1, 2 and 3 (labels 0, 1, 2, … unless given). Nothing is checked. */
export function writeR1cs(parts: R1csParts): Uint8Array {
  const { a, b, c, nWires } = parts;
  const nConstraints = a.rowOffsets.length - 1;
  const header = new DataView(new ArrayBuffer(HEADER_SIZE - 4 - FIELD_SIZE));
  [nWires, parts.nOutputs, parts.nPubInputs, parts.nPrvInputs].forEach((n, i) => {
    header.setUint32(4 * i, n, true);
  });
  header.setBigUint64(16, BigInt(parts.nLabels), true);
  header.setUint32(24, nConstraints, true);

  const nTerms = a.wires.length + b.wires.length + c.wires.length;
  const constraints = new Uint8Array(nConstraints * MIN_CONSTRAINT_SIZE + nTerms * TERM_SIZE);
  const out = view(constraints);
  let position = 0;
  for (let row = 0; row < nConstraints; row++) {
    for (const { rowOffsets, wires, coefficients } of [a, b, c]) {
      const last = rowOffsets[row + 1]!;
      out.setUint32(position, last - rowOffsets[row]!, true);
      position += 4;
      for (let term = rowOffsets[row]!; term < last; term++) {
        out.setUint32(position, wires[term]!, true);
        constraints.set(coefficients.subarray(term * FIELD_SIZE, (term + 1) * FIELD_SIZE), position + 4);
        position += TERM_SIZE;
      }
    }
  }

  const labels = parts.wireToLabel ?? BigUint64Array.from({ length: nWires }, (_, i) => BigInt(i));
  const sections: SectionData[] = [
    {
      id: 1,
      data: concatBytes([
        bigintToBytesLE(BigInt(FIELD_SIZE), 4),
        bigintToBytesLE(FR_MODULUS, FIELD_SIZE),
        new Uint8Array(header.buffer),
      ]),
    },
    { id: 2, data: constraints },
    { id: 3, data: new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength) },
  ];
  return writeBinFile("r1cs", VERSION, sections);
}
