/**
 * Commitment keys (`.ckey`, magic `ckey`, version 1), in the container of the iden3 formats. One belongs to one zkey: with σ a
 * secret of its own, and IC the zkey's section 3,
 *
 * ```text
 *  1 header         u32 n8q = 32 | q | u32 n8r = 32 | r | u32 nStatement | u32 nCommitted | 64 bytes digest of the zkey
 *  2 sigma          σ·G2
 *  3 points         nCommitted × G1: σ·IC_i for i = nStatement + 1 to nPublic, and for no other i
 *  4 contributions  u32 n | n × (sigmaAfter G2 | nonce G2 | 32 bytes response, fr | 64 bytes transcript
 *                   | u8 length of the name | name, UTF-8)
 * ```
 *
 * The first `nStatement` public signals are the statement of a proof, the others, `nCommitted` of them, are committed to.
 * Points and numbers: see `bn254.ts`. What a contribution proves: see `setup/contribution.ts`.
 *
 * @module
 */

import { blake2b } from "@noble/hashes/blake2.js";
import { FormatError } from "../errors.js";
import {
  type BinFile,
  binFileParts,
  concatBytes,
  orClose,
  readBinFile,
  requireSection,
  type Section,
  type SectionData,
  sectionLengthError,
  totalLength,
  view,
} from "./binfile.js";
import {
  bigintToBytesLE,
  checkModulus,
  decodeG2,
  encodeG2,
  FIELD_SIZE,
  FQ_MODULUS,
  FR_MODULUS,
  G1_SIZE,
  G2_SIZE,
  type G2Affine,
  readBigintLE,
} from "./bn254.js";
import { type ByteSource, openSource, type Source } from "./source.js";
import { ZKEY_SECTION, type ZkeyFile } from "./zkey.js";

/** Section ids of a ckey. */
export const CKEY_SECTION = { header: 1, sigma: 2, points: 3, contributions: 4 } as const;

const VERSION = 1;
const DIGEST_SIZE = 64;
const TRANSCRIPT_SIZE = 64;
const MODULI_SIZE = 2 * (4 + FIELD_SIZE);
const HEADER_SIZE = MODULI_SIZE + 2 * 4 + DIGEST_SIZE;
/** A contribution up to and with the length of its name. */
const CONTRIBUTION_FIXED_SIZE = 2 * G2_SIZE + FIELD_SIZE + TRANSCRIPT_SIZE + 1;
const MAX_NAME = 255;
/** Bytes hashed at a time. */
const WINDOW = 1 << 20;

/** Sizes of a commitment key, and the zkey it belongs to. */
export interface CkeyHeader {
  /** Number of public signals that are not committed to; they come first. */
  readonly nStatement: number;
  /** Number of public signals that are. */
  readonly nCommitted: number;
  /** 64 bytes, see {@link zkeyDigest}. */
  readonly zkeyDigest: Uint8Array;
}

/** One contribution to σ, a factor that its maker knew. */
export interface CkeyContribution {
  /** σ·G2 after this contribution. */
  readonly sigmaAfter: G2Affine;
  /** Schnorr's proof of knowledge of the factor: k·(σ·G2 before), k secret. */
  readonly nonce: G2Affine;
  /** k + challenge·factor, below r. */
  readonly response: bigint;
  /** 64 bytes. */
  readonly transcript: Uint8Array;
  /** At most 255 bytes in UTF-8. */
  readonly name: string;
}

/** An open commitment key: everything but the points in memory. */
export interface CkeyFile {
  readonly name: string;
  readonly header: CkeyHeader;
  /** σ·G2. */
  readonly sigma2: G2Affine;
  readonly contributions: readonly CkeyContribution[];
  /** Section 3; has the length the header demands. */
  readonly points: Section;
  readonly source: ByteSource;
  close(): Promise<void>;
}

/**
 * What names a zkey: blake2b-512 of its header and IC, in which every point of its verifying key stands. A contribution
 * to delta changes it, so σ comes after the last of them.
 */
export async function zkeyDigest(zkey: ZkeyFile): Promise<Uint8Array> {
  const hash = blake2b.create({ dkLen: DIGEST_SIZE }).update(new TextEncoder().encode("chunkproof zkey"));
  for (const id of [ZKEY_SECTION.header, ZKEY_SECTION.ic]) {
    const { offset, size } = zkey.sections.get(id)!;
    // lengths first: the pieces cannot be cut in another way
    hash.update(bigintToBytesLE(BigInt(size), 8));
    for (let at = 0; at < size; at += WINDOW) {
      hash.update(await zkey.source.read(offset + at, Math.min(WINDOW, size - at)));
    }
  }
  return hash.digest();
}

/**
 * Opens a commitment key: checks the whole structure, and σ·G2 and the contributions for canonical numbers, curve and
 * subgroup. The points are not read, and nothing is said about whether contributions prove anything: that is for
 * `checkCommitmentKey` of the setup.
 *
 * @throws FormatError those of `openSource` and `readBinFile`; `FOREIGN_CURVE`, `CKEY_COUNTS`, `CKEY_CONTRIBUTION`,
 *   `BINFILE_SECTION_MISSING`, `BINFILE_SECTION_LENGTH`, `POINT_NOT_CANONICAL`, `POINT_NOT_ON_CURVE`,
 *   `POINT_NOT_IN_SUBGROUP`, `POINT_AT_INFINITY`.
 */
export async function openCkey(from: Source, signal?: AbortSignal): Promise<CkeyFile> {
  const source = await openSource(from, "ckey", signal);
  return orClose(source, async () => {
    const file = await readBinFile(source, "ckey", VERSION);
    const { name } = file;
    const header = await readHeader(file);
    const points = requireSection(file, CKEY_SECTION.points, "points", header.nCommitted * G1_SIZE);
    const sigma = requireSection(file, CKEY_SECTION.sigma, "sigma", G2_SIZE);
    const sigma2 = decodeG2(await source.read(sigma.offset, G2_SIZE), 0, { where: `${name}: sigma2` });
    const contributions = await readContributions(file);
    return { name, header, sigma2, contributions, points, source, close: () => source.close() };
  });
}

async function readHeader(file: BinFile): Promise<CkeyHeader> {
  const section = requireSection(file, CKEY_SECTION.header, "header");
  // moduli before the length: a key over another curve has a header of another length
  const bytes = await file.source.read(section.offset, Math.min(section.size, HEADER_SIZE));
  for (const [offset, modulus, field] of [
    [0, FQ_MODULUS, "q"],
    [4 + FIELD_SIZE, FR_MODULUS, "r"],
  ] as const) {
    if (bytes.length < offset + 4) break;
    const where = `${file.name}: section 1 (header), ${field}`;
    checkModulus(view(bytes).getUint32(offset, true), bytes.subarray(offset + 4), modulus, where);
  }
  requireSection(file, CKEY_SECTION.header, "header", HEADER_SIZE);
  const nStatement = view(bytes).getUint32(MODULI_SIZE, true);
  const nCommitted = view(bytes).getUint32(MODULI_SIZE + 4, true);
  if (nCommitted === 0) {
    throw new FormatError("commits to nothing", {
      code: "CKEY_COUNTS",
      where: `${file.name}: section 1 (header)`,
      expected: "nCommitted above 0",
      got: "0",
    });
  }
  return { nStatement, nCommitted, zkeyDigest: bytes.slice(MODULI_SIZE + 8) };
}

async function readContributions(file: BinFile): Promise<CkeyContribution[]> {
  const id = CKEY_SECTION.contributions;
  const label = "contributions";
  const section = requireSection(file, id, label);
  const length = (expected: string) => sectionLengthError(file, id, label, expected, `${section.size} bytes`);
  if (section.size < 4) throw length("at least 4 bytes");
  const n = view(await file.source.read(section.offset, 4)).getUint32(0, true);
  const least = 4 + n * CONTRIBUTION_FIXED_SIZE;
  // before anything is read: a damaged count costs nothing
  if (section.size < least || section.size > least + n * MAX_NAME) throw length(`${least} bytes and names`);
  const bytes = await file.source.read(section.offset, section.size);
  const contributions: CkeyContribution[] = [];
  let position = 4;
  for (let i = 0; i < n; i++) {
    const where = `${file.name}: section ${id} (${label}), contribution ${i}`;
    const nameAt = position + CONTRIBUTION_FIXED_SIZE;
    const end = nameAt + (bytes[nameAt - 1] ?? 0);
    if (end > bytes.length) throw length(`all of contribution ${i}`);
    contributions.push(decodeContribution(bytes.subarray(position, end), where));
    position = end;
  }
  if (position !== bytes.length) throw length(`${position} bytes`);
  return contributions;
}

function decodeContribution(bytes: Uint8Array, where: string): CkeyContribution {
  const refuse = (field: string, expected: string) =>
    new FormatError("contribution is malformed", { code: "CKEY_CONTRIBUTION", where: `${where}, ${field}`, expected });
  const sigmaAfter = decodeG2(bytes, 0, { where: `${where}, sigmaAfter` });
  const nonce = decodeG2(bytes, G2_SIZE, { where: `${where}, nonce` });
  const response = readBigintLE(bytes, 2 * G2_SIZE, FIELD_SIZE);
  if (response >= FR_MODULUS) throw refuse("response", "a number below r");
  const transcriptAt = 2 * G2_SIZE + FIELD_SIZE;
  const transcript = bytes.slice(transcriptAt, transcriptAt + TRANSCRIPT_SIZE);
  try {
    const name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(CONTRIBUTION_FIXED_SIZE),
    );
    return { sigmaAfter, nonce, response, transcript, name };
  } catch {
    throw refuse("name", "UTF-8");
  }
}

/** What {@link writeCkey} needs. */
export interface CkeyParts extends CkeyHeader {
  readonly sigma2: G2Affine;
  /** `nCommitted × 64` bytes: Montgomery form, see `bn254.ts`. */
  readonly points: SectionData["data"];
  readonly contributions: readonly CkeyContribution[];
}

/**
 * A commitment key as a file.
 *
 * @returns the pieces of the file, to be written one after the other; the points are not copied.
 * @throws FormatError `CKEY_CONTRIBUTION`: a name is longer than 255 bytes.
 */
export function writeCkey(parts: CkeyParts): Uint8Array[] {
  const u32 = (value: number) => bigintToBytesLE(BigInt(value), 4);
  const number = (value: bigint) => bigintToBytesLE(value, FIELD_SIZE);
  const { nStatement, nCommitted, zkeyDigest, sigma2, points, contributions } = parts;
  const size = totalLength(points instanceof Uint8Array ? [points] : points);
  if (size !== nCommitted * G1_SIZE || zkeyDigest.length !== DIGEST_SIZE) {
    throw new Error(`${nCommitted} points in ${size} bytes, digest of ${zkeyDigest.length} bytes`);
  }
  const moduli = [FQ_MODULUS, FR_MODULUS].flatMap((modulus) => [u32(FIELD_SIZE), number(modulus)]);
  const encoded = contributions.flatMap(({ sigmaAfter, nonce, response, transcript, name }, i) => {
    const text = encodeName(name, `new ckey: contribution ${i}`);
    return [encodeG2(sigmaAfter), encodeG2(nonce), number(response), transcript, Uint8Array.of(text.length), text];
  });
  return binFileParts("ckey", VERSION, [
    { id: CKEY_SECTION.header, data: concatBytes([...moduli, u32(nStatement), u32(nCommitted), zkeyDigest]) },
    { id: CKEY_SECTION.sigma, data: encodeG2(sigma2) },
    { id: CKEY_SECTION.points, data: points },
    { id: CKEY_SECTION.contributions, data: concatBytes([u32(contributions.length), ...encoded]) },
  ]);
}

/** The name of a contribution in UTF-8. @throws FormatError `CKEY_CONTRIBUTION`: it is longer than 255 bytes. */
export function encodeName(name: string, where: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length <= MAX_NAME) return bytes;
  throw new FormatError("name is too long", {
    code: "CKEY_CONTRIBUTION",
    where,
    expected: `at most ${MAX_NAME} bytes in UTF-8`,
    got: `${bytes.length} bytes`,
  });
}
