/**
 * The container that every iden3 binary file uses. All integers little-endian.
 *
 * ```text
 * offset 0  4 bytes  magic: "zkey", "wtns", "r1cs" or "ptau"
 *        4  u32      version
 *        8  u32      number of sections
 *       12  then for each section, without padding:  u32 id | u64 size | size bytes
 * ```
 *
 * Sections stand in any order; ids that a format does not know are skipped.
 *
 * Reference: https://github.com/iden3/r1csfile/blob/master/doc/r1cs_bin_format.md
 *
 * @module
 */

import { FormatError } from "../errors.js";
import type { ByteSource } from "./source.js";

/** Where the content of a section lies in its file. */
export interface Section {
  /** Offset of the first content byte. */
  readonly offset: number;
  /** Content size in bytes. */
  readonly size: number;
}

/** The section table of an open file. */
export interface BinFile {
  readonly source: ByteSource;
  readonly name: string;
  readonly version: number;
  /** By section id. */
  readonly sections: ReadonlyMap<number, Section>;
}

/** A section to write. `data` is one buffer or several that follow each other. */
export interface SectionData {
  readonly id: number;
  readonly data: Uint8Array | readonly Uint8Array[];
}

/** No iden3 format has more than 18 section ids; the bound keeps a damaged count from costing time. */
const MAX_SECTIONS = 64;
const FILE_HEADER = 12;
const SECTION_HEADER = 12;

/**
 * Reads the section table and checks that the sections fill the file exactly.
 *
 * @param magic the four characters the file must begin with.
 * @param maxVersion versions 1 to this one are accepted.
 * @throws FormatError `SOURCE_TRUNCATED`, `BINFILE_MAGIC`, `BINFILE_VERSION`, `BINFILE_SECTION_COUNT`,
 *   `BINFILE_SECTION_DUPLICATE`, `BINFILE_TRAILING_BYTES`.
 */
export async function readBinFile(source: ByteSource, magic: string, maxVersion: number): Promise<BinFile> {
  const { name, size } = source;
  const head = view(await source.read(0, FILE_HEADER));
  const found = String.fromCharCode(...new Uint8Array(head.buffer, head.byteOffset, 4));
  if (found !== magic) {
    throw new FormatError(`is not a ${magic} file`, {
      code: "BINFILE_MAGIC",
      where: name,
      expected: `a file that begins with "${magic}"`,
      got: JSON.stringify(found),
    });
  }
  const version = head.getUint32(4, true);
  if (version < 1 || version > maxVersion) {
    throw new FormatError(`${magic} version is not supported`, {
      code: "BINFILE_VERSION",
      where: name,
      expected: maxVersion === 1 ? "1" : `1 to ${maxVersion}`,
      got: String(version),
    });
  }
  const nSections = head.getUint32(8, true);
  if (nSections > MAX_SECTIONS) {
    throw new FormatError("has too many sections", {
      code: "BINFILE_SECTION_COUNT",
      where: name,
      expected: `at most ${MAX_SECTIONS}`,
      got: String(nSections),
    });
  }

  const sections = new Map<number, Section>();
  let position = FILE_HEADER;
  for (let i = 0; i < nSections; i++) {
    const entry = view(await source.read(position, SECTION_HEADER));
    const id = entry.getUint32(0, true);
    // inexact above 2^53, where it is beyond any file anyway
    const sectionSize = entry.getUint32(8, true) * 2 ** 32 + entry.getUint32(4, true);
    position += SECTION_HEADER;
    if (position + sectionSize > size) {
      throw new FormatError("ends early", {
        code: "SOURCE_TRUNCATED",
        where: `${name}: section ${id}`,
        expected: `${sectionSize} bytes from offset ${position}`,
        got: `a file of ${size} bytes`,
      });
    }
    if (sections.has(id)) {
      throw new FormatError("section appears twice", {
        code: "BINFILE_SECTION_DUPLICATE",
        where: `${name}: section ${id}`,
      });
    }
    sections.set(id, { offset: position, size: sectionSize });
    position += sectionSize;
  }
  if (position !== size) {
    throw new FormatError("has bytes behind its last section", {
      code: "BINFILE_TRAILING_BYTES",
      where: name,
      expected: `${position} bytes`,
      got: `${size} bytes`,
    });
  }
  return { source, name, version, sections };
}

/**
 * The section with this id.
 *
 * @param label what the section holds, for the message.
 * @param size the exact size it must have, in bytes.
 * @throws FormatError `BINFILE_SECTION_MISSING`, `BINFILE_SECTION_LENGTH`.
 */
export function requireSection(file: BinFile, id: number, label: string, size?: number): Section {
  const section = file.sections.get(id);
  if (section === undefined) {
    throw new FormatError("section is missing", {
      code: "BINFILE_SECTION_MISSING",
      where: `${file.name}: section ${id} (${label})`,
    });
  }
  if (size !== undefined && section.size !== size) {
    throw sectionLengthError(file, id, label, `${size} bytes`, `${section.size} bytes`);
  }
  return section;
}

/** The error for a section whose size contradicts the header or its own content. */
export function sectionLengthError(
  file: BinFile,
  id: number,
  label: string,
  expected: string,
  got: string,
): FormatError {
  return new FormatError("section has a wrong length", {
    code: "BINFILE_SECTION_LENGTH",
    where: `${file.name}: section ${id} (${label})`,
    expected,
    got,
  });
}

/**
 * Runs `parse` on the open source and closes it again if that fails: whoever gets the result closes it.
 *
 * @internal
 */
export async function orClose<T>(source: ByteSource, parse: () => Promise<T>): Promise<T> {
  try {
    return await parse();
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * The pieces of a container file in order, to be written one after the other; section data is not copied.
 *
 * @param magic four ASCII characters.
 */
export function binFileParts(magic: string, version: number, sections: readonly SectionData[]): Uint8Array[] {
  const head = new DataView(new ArrayBuffer(FILE_HEADER));
  for (let i = 0; i < 4; i++) head.setUint8(i, magic.charCodeAt(i));
  head.setUint32(4, version, true);
  head.setUint32(8, sections.length, true);
  const parts: Uint8Array[] = [new Uint8Array(head.buffer)];
  for (const { id, data } of sections) {
    const pieces = data instanceof Uint8Array ? [data] : data;
    const entry = new DataView(new ArrayBuffer(SECTION_HEADER));
    entry.setUint32(0, id, true);
    entry.setBigUint64(4, BigInt(totalLength(pieces)), true);
    parts.push(new Uint8Array(entry.buffer), ...pieces);
  }
  return parts;
}

/** A container file in one buffer. See {@link binFileParts} for large ones. */
export function writeBinFile(magic: string, version: number, sections: readonly SectionData[]): Uint8Array {
  return concatBytes(binFileParts(magic, version, sections));
}

/** Sum of the lengths, in bytes. */
export function totalLength(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** The pieces joined into one new buffer. */
export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(totalLength(pieces));
  let position = 0;
  for (const piece of pieces) {
    all.set(piece, position);
    position += piece.length;
  }
  return all;
}

/** A DataView of the same bytes. */
export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
