/**
 * Witness files (`.wtns`, magic `wtns`, versions 1 and 2) as circom's generators and snarkjs write them.
 *
 * ```text
 * 1 header  u32 n8 = 32 | r | u32 nWitness
 * 2 values  nWitness × fr, 32 bytes little-endian, canonical; value 0 is the constant 1
 * ```
 *
 * @module
 */

import { FormatError } from "../errors.js";
import { concatBytes, orClose, readBinFile, requireSection, view, writeBinFile } from "./binfile.js";
import { bigintToBytesLE, checkModulus, FIELD_SIZE, FR_MODULUS, indexOfNonCanonical } from "./bn254.js";
import { type ByteSource, openSource, type Source } from "./source.js";

const MAX_VERSION = 2;
const HEADER_SIZE = 4 + FIELD_SIZE + 4;

/** An open witness file, values still in the source. */
export interface WtnsFile {
  readonly name: string;
  /** Number of values, the constant 1 included. */
  readonly nWitness: number;
  /** Offset of the first value; `nWitness × 32` bytes follow. */
  readonly valuesOffset: number;
  readonly source: ByteSource;
  close(): Promise<void>;
}

/** A witness in memory. */
export interface Witness {
  /** Number of values, the constant 1 included. */
  readonly nWitness: number;
  /** `nWitness × 32` bytes, little-endian, canonical `< r`. */
  readonly values: Uint8Array;
}

/**
 * Opens a witness over the scalar field of BN254 and checks its structure. The values are not read: whoever reads them
 * calls {@link checkWitnessValues}.
 *
 * @throws FormatError those of `openSource` and `readBinFile`; `FOREIGN_CURVE`, `WTNS_EMPTY`, `BINFILE_SECTION_MISSING`,
 *   `BINFILE_SECTION_LENGTH`.
 */
export async function openWtns(from: Source, signal?: AbortSignal): Promise<WtnsFile> {
  const source = await openSource(from, "wtns", signal);
  return orClose(source, async () => {
    const file = await readBinFile(source, "wtns", MAX_VERSION);
    const { name } = file;
    const header = requireSection(file, 1, "header");
    const bytes = await source.read(header.offset, Math.min(header.size, 256));
    if (bytes.length >= 4) {
      checkModulus(view(bytes).getUint32(0, true), bytes.subarray(4), FR_MODULUS, `${name}: section 1 (header)`);
    }
    requireSection(file, 1, "header", HEADER_SIZE);
    const nWitness = view(bytes).getUint32(HEADER_SIZE - 4, true);
    if (nWitness === 0) {
      throw new FormatError("witness has no values", { code: "WTNS_EMPTY", where: `${name}: section 1 (header)` });
    }
    const { offset } = requireSection(file, 2, "values", nWitness * FIELD_SIZE);
    return { name, nWitness, valuesOffset: offset, source, close: () => source.close() };
  });
}

/**
 * Reads a whole witness and checks its values.
 *
 * @throws FormatError those of {@link openWtns} and {@link checkWitnessValues}.
 */
export async function readWtns(from: Source, signal?: AbortSignal): Promise<Witness> {
  const file = await openWtns(from, signal);
  try {
    const { nWitness } = file;
    const values = await file.source.read(file.valuesOffset, nWitness * FIELD_SIZE);
    checkWitnessValues(values, file.name);
    return { nWitness, values };
  } finally {
    await file.close();
  }
}

/**
 * Checks that every value is canonical and that the first one is the constant 1.
 *
 * @param values `n × 32` bytes, little-endian, any alignment, `n >= 1`.
 * @param name file the values come from, for the message.
 * @throws FormatError `WTNS_VALUE_NOT_CANONICAL`, `WTNS_FIRST_NOT_ONE`.
 */
export function checkWitnessValues(values: Uint8Array, name: string): void {
  const index = indexOfNonCanonical(values, FR_MODULUS);
  if (index !== -1) {
    throw new FormatError("witness value is not canonical", {
      code: "WTNS_VALUE_NOT_CANONICAL",
      where: `${name}: witness[${index}]`,
      expected: "a number below r",
    });
  }
  const one = values[0] === 1 && values.subarray(1, FIELD_SIZE).every((byte) => byte === 0);
  if (!one) {
    throw new FormatError("first value is not the constant 1", {
      code: "WTNS_FIRST_NOT_ONE",
      where: `${name}: witness[0]`,
    });
  }
}

/**
 * A witness file, version 2.
 *
 * @param values `n × 32` bytes, little-endian, canonical; not checked.
 */
export function writeWtns(values: Uint8Array): Uint8Array {
  return writeBinFile("wtns", 2, [
    {
      id: 1,
      data: concatBytes([
        bigintToBytesLE(BigInt(FIELD_SIZE), 4),
        bigintToBytesLE(FR_MODULUS, FIELD_SIZE),
        bigintToBytesLE(BigInt(values.length / FIELD_SIZE), 4),
      ]),
    },
    { id: 2, data: values },
  ]);
}
