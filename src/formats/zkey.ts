/**
 * Groth16 proving keys (`.zkey`, magic `zkey`, version 1) as snarkjs writes them.
 *
 * ```text
 *  1 protocol       u32, 1 = groth16
 *  2 header         u32 n8q = 32 | q | u32 n8r = 32 | r | u32 nVars | u32 nPublic | u32 domainSize
 *                   | alpha1 | beta1 | beta2 | gamma2 | delta1 | delta2
 *  3 IC             (nPublic + 1) × G1
 *  4 coefs          u32 n | n × (u32 matrix, 0 = A, 1 = B | u32 constraint | u32 signal | fr value · 2^512 mod r)
 *  5 A              nVars × G1
 *  6 B1             nVars × G1
 *  7 B2             nVars × G2
 *  8 C              (nVars - nPublic - 1) × G1
 *  9 H              domainSize × G1
 * 10 contributions  64 bytes circuit hash | u32 n | n × contribution, see readContributions
 * ```
 *
 * Signal 0 is the constant 1; `nPublic` does not count it. Points and numbers: see `bn254.ts`.
 * Protocol: https://eprint.iacr.org/2016/260
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
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
  decodeG1,
  decodeG2,
  encodeG1,
  encodeG2,
  FIELD_SIZE,
  FQ_MODULUS,
  type Fq2,
  FR_MODULUS,
  FR_TWO_ADICITY,
  G1_SIZE,
  type G1Affine,
  G2_SIZE,
  type G2Affine,
} from "./bn254.js";
import { g1ToJson, g2ToJson, type VerifyingKeyJson } from "./json.js";
import { type ByteSource, openSource, type Source } from "./source.js";

/** Section ids of a Groth16 zkey. */
export const ZKEY_SECTION = {
  protocol: 1,
  header: 2,
  ic: 3,
  coefs: 4,
  a: 5,
  b1: 6,
  b2: 7,
  c: 8,
  h: 9,
  contributions: 10,
} as const;

/** Bytes of one entry of section 4. */
export const ZKEY_COEF_SIZE = 3 * 4 + FIELD_SIZE;

const VERSION = 1;
const GROTH16 = 1;
const PROTOCOL_NAMES = new Map([
  [GROTH16, "groth16"],
  [2, "plonk"],
  [10, "fflonk"],
]);
/** Offset of nVars in section 2, behind both moduli. */
const COUNTS_OFFSET = 2 * (4 + FIELD_SIZE);
const POINTS_OFFSET = COUNTS_OFFSET + 3 * 4;
const HEADER_SIZE = POINTS_OFFSET + 3 * G1_SIZE + 3 * G2_SIZE;
const CIRCUIT_HASH_SIZE = 64;
const TRANSCRIPT_SIZE = 64;
/** A contribution up to and with the length of its parameters. */
const CONTRIBUTION_FIXED_SIZE = 3 * G1_SIZE + G2_SIZE + TRANSCRIPT_SIZE + 4 + 4;
/** Name and beacon hash with a one-byte length each, exponent. */
const CONTRIBUTION_MAX_PARAMS = 2 + 255 + 2 + 2 + 255;

/** Sizes and verifying-key points of a Groth16 key. */
export interface ZkeyHeader {
  /** Number of signals, the constant 1 included. */
  readonly nVars: number;
  /** Number of public signals, the constant 1 not included. */
  readonly nPublic: number;
  /** Number of points of the evaluation domain, a power of two from 2 to 2^28. */
  readonly domainSize: number;
  /** `log2(domainSize)`. */
  readonly power: number;
  readonly alpha1: G1Affine;
  readonly beta1: G1Affine;
  readonly delta1: G1Affine;
  readonly beta2: G2Affine;
  readonly gamma2: G2Affine;
  readonly delta2: G2Affine;
}

/** An open key: header in memory, sections still in the source. */
export interface ZkeyFile {
  readonly name: string;
  readonly header: ZkeyHeader;
  /** Number of entries in section 4. */
  readonly nCoefs: number;
  /** By section id, see {@link ZKEY_SECTION}; sections 1 to 9 are there and have the length the header demands. */
  readonly sections: ReadonlyMap<number, Section>;
  readonly source: ByteSource;
  close(): Promise<void>;
}

/** One contribution of the phase 2 ceremony. */
export interface ZkeyContribution {
  /** delta1 after this contribution. */
  readonly deltaAfter: G1Affine;
  /** Proof of knowledge of the contribution's secret. */
  readonly delta: { readonly g1_s: G1Affine; readonly g1_sx: G1Affine; readonly g2_spx: G2Affine };
  /** 64 bytes. */
  readonly transcript: Uint8Array;
  /** 0 = random, 1 = beacon. */
  readonly type: number;
  /** At most 255 bytes in UTF-8. */
  readonly name?: string | undefined;
  /** Beacon: log2 of the number of hash iterations. */
  readonly numIterationsExp?: number | undefined;
  /** Beacon: the public randomness, at most 255 bytes. */
  readonly beaconHash?: Uint8Array | undefined;
}

/** Content of section 10. */
export interface ZkeyContributions {
  /** 64 bytes: what every contribution to this circuit starts from. */
  readonly circuitHash: Uint8Array;
  readonly contributions: readonly ZkeyContribution[];
}

/**
 * Opens a Groth16 key over BN254: checks the whole structure, and the points of the header for canonical coordinates,
 * curve and subgroup. The content of sections 3 to 9 is not read.
 *
 * @throws FormatError those of `openSource` and `readBinFile`; `FOREIGN_PROTOCOL`, `FOREIGN_CURVE`, `ZKEY_COUNTS`,
 *   `BINFILE_SECTION_MISSING`, `BINFILE_SECTION_LENGTH`, `POINT_NOT_CANONICAL`, `POINT_NOT_ON_CURVE`,
 *   `POINT_NOT_IN_SUBGROUP`, `POINT_AT_INFINITY`.
 */
export async function openZkey(from: Source, signal?: AbortSignal): Promise<ZkeyFile> {
  const source = await openSource(from, "zkey", signal);
  return orClose(source, async () => {
    const file = await readBinFile(source, "zkey", VERSION);
    await checkProtocol(file);
    const header = await readHeader(file);
    const nCoefs = await checkSectionSizes(file, header);
    const { name, sections } = file;
    return { name, header, nCoefs, sections, source, close: () => source.close() };
  });
}

async function checkProtocol(file: BinFile): Promise<void> {
  const section = requireSection(file, ZKEY_SECTION.protocol, "protocol", 4);
  const id = view(await file.source.read(section.offset, 4)).getUint32(0, true);
  if (id === GROTH16) return;
  throw new FormatError("key is for another proving system", {
    code: "FOREIGN_PROTOCOL",
    where: file.name,
    expected: "1 (groth16)",
    got: `${id} (${PROTOCOL_NAMES.get(id) ?? "unknown"})`,
  });
}

async function readHeader(file: BinFile): Promise<ZkeyHeader> {
  const section = requireSection(file, ZKEY_SECTION.header, "header");
  // Moduli before the length: a key over another curve has a header of another length.
  const bytes = await file.source.read(section.offset, Math.min(section.size, HEADER_SIZE));
  for (const [offset, modulus, field] of [
    [0, FQ_MODULUS, "q"],
    [4 + FIELD_SIZE, FR_MODULUS, "r"],
  ] as const) {
    if (bytes.length < offset + 4) break;
    checkModulus(
      view(bytes).getUint32(offset, true),
      bytes.subarray(offset + 4),
      modulus,
      `${file.name}: section 2 (header), ${field}`,
    );
  }
  requireSection(file, ZKEY_SECTION.header, "header", HEADER_SIZE);

  const counts = view(bytes.subarray(COUNTS_OFFSET, POINTS_OFFSET));
  const nVars = counts.getUint32(0, true);
  const nPublic = counts.getUint32(4, true);
  const domainSize = counts.getUint32(8, true);
  const power = Math.log2(domainSize);
  const countsError = (expected: string, got: string) =>
    new FormatError("header contradicts itself", {
      code: "ZKEY_COUNTS",
      where: `${file.name}: section 2 (header)`,
      expected,
      got,
    });
  if (!Number.isInteger(power) || power < 1 || power > FR_TWO_ADICITY) {
    throw countsError(`domainSize to be a power of two from 2 to 2^${FR_TWO_ADICITY}`, String(domainSize));
  }
  if (nPublic >= nVars) throw countsError(`nPublic below nVars = ${nVars}`, String(nPublic));

  const points = bytes.subarray(POINTS_OFFSET);
  const where = (field: string) => ({ where: `${file.name}: ${field}` });
  const alpha1 = decodeG1(points, 0, where("alpha1"));
  const beta1 = decodeG1(points, G1_SIZE, where("beta1"));
  const beta2 = decodeG2(points, 2 * G1_SIZE, where("beta2"));
  const gamma2 = decodeG2(points, 2 * G1_SIZE + G2_SIZE, where("gamma2"));
  const delta1 = decodeG1(points, 2 * G1_SIZE + 2 * G2_SIZE, where("delta1"));
  const delta2 = decodeG2(points, 3 * G1_SIZE + 2 * G2_SIZE, where("delta2"));
  return { nVars, nPublic, domainSize, power, alpha1, beta1, delta1, beta2, gamma2, delta2 };
}

/** Sizes of the point sections in bytes, as the header demands. */
function pointSectionSizes(header: Pick<ZkeyHeader, "nVars" | "nPublic" | "domainSize">) {
  const { nVars, nPublic, domainSize } = header;
  return [
    { id: ZKEY_SECTION.ic, label: "IC", size: (nPublic + 1) * G1_SIZE },
    { id: ZKEY_SECTION.a, label: "A", size: nVars * G1_SIZE },
    { id: ZKEY_SECTION.b1, label: "B1", size: nVars * G1_SIZE },
    { id: ZKEY_SECTION.b2, label: "B2", size: nVars * G2_SIZE },
    { id: ZKEY_SECTION.c, label: "C", size: (nVars - nPublic - 1) * G1_SIZE },
    { id: ZKEY_SECTION.h, label: "H", size: domainSize * G1_SIZE },
  ] as const;
}

async function checkSectionSizes(file: BinFile, header: ZkeyHeader): Promise<number> {
  for (const { id, label, size } of pointSectionSizes(header)) requireSection(file, id, label, size);
  const coefs = requireSection(file, ZKEY_SECTION.coefs, "coefs");
  if (coefs.size < 4) throw sectionLengthError(file, ZKEY_SECTION.coefs, "coefs", "at least 4", String(coefs.size));
  const nCoefs = view(await file.source.read(coefs.offset, 4)).getUint32(0, true);
  requireSection(file, ZKEY_SECTION.coefs, "coefs", 4 + nCoefs * ZKEY_COEF_SIZE);
  return nCoefs;
}

/**
 * Reads section 3, the points that the public signals are multiplied with; the first belongs to the constant 1.
 * Infinity is refused: it would let its signal be anything in a valid proof. No setup makes such a point, because snarkjs
 * and chunkproof give every public signal a constraint of its own.
 *
 * @param count how many to read, from the first on; default: all, `nPublic + 1` points.
 * @throws FormatError `POINT_NOT_CANONICAL`, `POINT_NOT_ON_CURVE`, `POINT_AT_INFINITY`.
 */
export async function readIC(zkey: ZkeyFile, count = zkey.header.nPublic + 1): Promise<G1Affine[]> {
  const { offset } = zkey.sections.get(ZKEY_SECTION.ic)!;
  const bytes = await zkey.source.read(offset, count * G1_SIZE);
  return Array.from({ length: count }, (_, i) => decodeG1(bytes, i * G1_SIZE, { where: `${zkey.name}: IC[${i}]` }));
}

/**
 * The verifying key of this proving key, field for field what `snarkjs zkey export verificationkey` writes.
 *
 * @throws FormatError see {@link readIC}.
 */
export async function exportVerifyingKey(zkey: ZkeyFile): Promise<VerifyingKeyJson> {
  return verifyingKeyOf(zkey.header, await readIC(zkey));
}

/** {@link exportVerifyingKey} from what was read already; computes a pairing. */
export function verifyingKeyOf(header: ZkeyHeader, ic: readonly G1Affine[]): VerifyingKeyJson {
  const { IC, ...points } = verifyingPoints(header, ic);
  return { ...points, vk_alphabeta_12: pairingToJson(header.alpha1, header.beta2), IC };
}

/** The verifying key without its redundant part, `vk_alphabeta_12`. */
export function verifyingPoints(
  { nPublic, alpha1, beta2, gamma2, delta2 }: ZkeyHeader,
  ic: readonly G1Affine[],
): Omit<VerifyingKeyJson, "vk_alphabeta_12"> {
  return {
    protocol: "groth16",
    curve: "bn128",
    nPublic,
    vk_alpha_1: g1ToJson(alpha1),
    vk_beta_2: g2ToJson(beta2),
    vk_gamma_2: g2ToJson(gamma2),
    vk_delta_2: g2ToJson(delta2),
    IC: ic.map(g1ToJson),
  };
}

/**
 * `e(alpha, beta)` as snarkjs nests it. Its tower is noble's (fq6 = fq2[v]/(v³ - 9 - u), fq12 = fq6[w]/(w² - v)), and
 * both raise to the same multiple of `(q^12 - 1)/r`, so the coefficients are the same; a test compares them.
 */
function pairingToJson(alpha1: G1Affine, beta2: G2Affine): VerifyingKeyJson["vk_alphabeta_12"] {
  const { c0, c1 } = bn254.pairing(bn254.G1.Point.fromAffine(alpha1), bn254.G2.Point.fromAffine(beta2));
  const fq2 = (x: Fq2) => [String(x.c0), String(x.c1)] as const;
  return [
    [fq2(c0.c0), fq2(c0.c1), fq2(c0.c2)],
    [fq2(c1.c0), fq2(c1.c1), fq2(c1.c2)],
  ];
}

/**
 * Reads section 10: who contributed to this key.
 *
 * ```text
 * contribution = deltaAfter G1 | g1_s G1 | g1_sx G1 | g2_spx G2 | 64 bytes transcript | u32 type
 *                | u32 length of the parameters | parameters, by ascending tag
 * parameter    = u8 1 | u8 n | n bytes name   or   u8 2 | u8 numIterationsExp   or   u8 3 | u8 n | n bytes beacon hash
 * ```
 *
 * Points are checked for canonical coordinates, curve and subgroup; whether they prove a contribution is for
 * `snarkjs zkey verify` to say.
 *
 * @throws FormatError `BINFILE_SECTION_MISSING`, `BINFILE_SECTION_LENGTH`, `ZKEY_CONTRIBUTION`, `POINT_NOT_CANONICAL`,
 *   `POINT_NOT_ON_CURVE`, `POINT_NOT_IN_SUBGROUP`.
 */
export async function readContributions(zkey: ZkeyFile): Promise<ZkeyContributions> {
  const id = ZKEY_SECTION.contributions;
  const label = "contributions";
  const file: BinFile = { ...zkey, version: VERSION };
  const section = requireSection(file, id, label);
  const fixed = CIRCUIT_HASH_SIZE + 4;
  const length = (expected: string) => sectionLengthError(file, id, label, expected, `${section.size} bytes`);
  if (section.size < fixed) throw length(`at least ${fixed} bytes`);
  const head = await zkey.source.read(section.offset, fixed);
  const n = view(head).getUint32(CIRCUIT_HASH_SIZE, true);
  const least = fixed + n * CONTRIBUTION_FIXED_SIZE;
  const most = least + n * CONTRIBUTION_MAX_PARAMS;
  if (section.size < least || section.size > most) {
    throw length(n === 0 ? `${least} bytes` : `${least} to ${most} bytes for ${n} contributions`);
  }

  const bytes = await zkey.source.read(section.offset, section.size);
  const contributions: ZkeyContribution[] = [];
  let position = fixed;
  for (let i = 0; i < n; i++) {
    const where = `${zkey.name}: section ${id} (${label}), contribution ${i}`;
    if (position + CONTRIBUTION_FIXED_SIZE > bytes.length) throw contributionError(where, "runs past the section");
    const paramsOffset = position + CONTRIBUTION_FIXED_SIZE;
    const paramsLength = view(bytes).getUint32(paramsOffset - 4, true);
    if (paramsOffset + paramsLength > bytes.length) throw contributionError(where, "runs past the section");
    contributions.push({
      ...decodeContribution(bytes.subarray(position, paramsOffset), where),
      ...decodeParameters(bytes.subarray(paramsOffset, paramsOffset + paramsLength), where),
    });
    position = paramsOffset + paramsLength;
  }
  if (position !== bytes.length) throw length(`${position} bytes`);
  return { circuitHash: head.slice(0, CIRCUIT_HASH_SIZE), contributions };
}

function decodeContribution(bytes: Uint8Array, where: string): ZkeyContribution {
  const point = (field: string) => ({ where: `${where}, ${field}`, allowInfinity: true });
  const transcriptOffset = 3 * G1_SIZE + G2_SIZE;
  return {
    deltaAfter: decodeG1(bytes, 0, point("deltaAfter")),
    delta: {
      g1_s: decodeG1(bytes, G1_SIZE, point("g1_s")),
      g1_sx: decodeG1(bytes, 2 * G1_SIZE, point("g1_sx")),
      g2_spx: decodeG2(bytes, 3 * G1_SIZE, point("g2_spx")),
    },
    transcript: bytes.slice(transcriptOffset, transcriptOffset + TRANSCRIPT_SIZE),
    type: view(bytes).getUint32(transcriptOffset + TRANSCRIPT_SIZE, true),
  };
}

const PARAM_NAME = 1;
const PARAM_ITERATIONS = 2;
const PARAM_BEACON = 3;

function decodeParameters(bytes: Uint8Array, where: string) {
  const found: { name?: string; numIterationsExp?: number; beaconHash?: Uint8Array } = {};
  let position = 0;
  let last = 0;
  while (position < bytes.length) {
    const tag = bytes[position]!;
    if (tag <= last) throw contributionError(where, "parameters are not in ascending order");
    if (tag > PARAM_BEACON) throw contributionError(where, `parameter ${tag} is unknown`);
    last = tag;
    // the byte behind the tag is the value itself for the exponent, a length for the others
    const second = bytes[position + 1] ?? 0;
    const end = position + 2 + (tag === PARAM_ITERATIONS ? 0 : second);
    if (end > bytes.length) throw contributionError(where, "parameter runs past its contribution");
    const value = bytes.slice(position + 2, end);
    if (tag === PARAM_NAME) found.name = new TextDecoder().decode(value);
    else if (tag === PARAM_ITERATIONS) found.numIterationsExp = second;
    else found.beaconHash = value;
    position = end;
  }
  return found;
}

function contributionError(where: string, message: string): FormatError {
  return new FormatError(message, { code: "ZKEY_CONTRIBUTION", where });
}

/** Raw section content, in one buffer or several that follow each other. */
export type SectionBytes = SectionData["data"];

/** What {@link writeZkey} needs. Point sections are raw: Montgomery form, see `bn254.ts`. */
export interface ZkeyParts extends Omit<ZkeyHeader, "power">, ZkeyContributions {
  /** `(nPublic + 1) × 64` bytes. */
  readonly ic: SectionBytes;
  /** `n × 44` bytes, without the count in front. */
  readonly coefs: SectionBytes;
  /** `nVars × 64` bytes. */
  readonly a: SectionBytes;
  /** `nVars × 64` bytes. */
  readonly b1: SectionBytes;
  /** `nVars × 128` bytes. */
  readonly b2: SectionBytes;
  /** `(nVars - nPublic - 1) × 64` bytes. */
  readonly c: SectionBytes;
  /** `domainSize × 64` bytes. */
  readonly h: SectionBytes;
}

/**
 * A key file with sections 1 to 10 in this order, as snarkjs writes it after a contribution.
 *
 * @returns the pieces of the file, to be written one after the other; the big sections are not copied.
 * @throws FormatError `BINFILE_SECTION_LENGTH` when a section does not fit the counts, `ZKEY_CONTRIBUTION`.
 */
export function writeZkey(parts: ZkeyParts): Uint8Array[] {
  const { ic, coefs, a, b1, b2, c, h } = parts;
  const bytesOf = (data: SectionBytes) => (data instanceof Uint8Array ? [data] : data);
  const data: Record<number, SectionBytes> = { 3: ic, 5: a, 6: b1, 7: b2, 8: c, 9: h };
  for (const { id, label, size } of pointSectionSizes(parts)) {
    const got = totalLength(bytesOf(data[id]!));
    if (got !== size) throw outputLengthError(`section ${id} (${label})`, `${size} bytes`, got);
  }
  const coefsLength = totalLength(bytesOf(coefs));
  if (coefsLength % ZKEY_COEF_SIZE !== 0) {
    throw outputLengthError("section 4 (coefs)", `a multiple of ${ZKEY_COEF_SIZE} bytes`, coefsLength);
  }
  return binFileParts("zkey", VERSION, [
    { id: ZKEY_SECTION.protocol, data: bigintToBytesLE(BigInt(GROTH16), 4) },
    { id: ZKEY_SECTION.header, data: encodeHeader(parts) },
    { id: ZKEY_SECTION.ic, data: ic },
    { id: ZKEY_SECTION.coefs, data: [u32(coefsLength / ZKEY_COEF_SIZE), ...bytesOf(coefs)] },
    { id: ZKEY_SECTION.a, data: a },
    { id: ZKEY_SECTION.b1, data: b1 },
    { id: ZKEY_SECTION.b2, data: b2 },
    { id: ZKEY_SECTION.c, data: c },
    { id: ZKEY_SECTION.h, data: h },
    { id: ZKEY_SECTION.contributions, data: encodeContributions(parts) },
  ]);
}

function encodeHeader(parts: ZkeyParts): Uint8Array {
  return concatBytes([
    u32(FIELD_SIZE),
    bigintToBytesLE(FQ_MODULUS, FIELD_SIZE),
    u32(FIELD_SIZE),
    bigintToBytesLE(FR_MODULUS, FIELD_SIZE),
    u32(parts.nVars),
    u32(parts.nPublic),
    u32(parts.domainSize),
    encodeG1(parts.alpha1),
    encodeG1(parts.beta1),
    encodeG2(parts.beta2),
    encodeG2(parts.gamma2),
    encodeG1(parts.delta1),
    encodeG2(parts.delta2),
  ]);
}

function encodeContributions({ circuitHash, contributions }: ZkeyContributions): Uint8Array {
  if (circuitHash.length !== CIRCUIT_HASH_SIZE) {
    throw outputLengthError("circuitHash", `${CIRCUIT_HASH_SIZE} bytes`, circuitHash.length);
  }
  const pieces = [circuitHash, u32(contributions.length)];
  contributions.forEach((contribution, i) => {
    const { deltaAfter, delta, transcript, type, name, numIterationsExp, beaconHash } = contribution;
    const where = `new zkey: contribution ${i}`;
    if (transcript.length !== TRANSCRIPT_SIZE) {
      throw contributionError(where, `transcript has ${transcript.length} bytes instead of ${TRANSCRIPT_SIZE}`);
    }
    const params: Uint8Array[] = [];
    const text = (tag: number, value: Uint8Array) => {
      if (value.length > 255) throw contributionError(where, `parameter ${tag} is longer than 255 bytes`);
      params.push(Uint8Array.of(tag, value.length), value);
    };
    if (name) text(PARAM_NAME, new TextEncoder().encode(name));
    if (numIterationsExp !== undefined) params.push(Uint8Array.of(PARAM_ITERATIONS, numIterationsExp));
    if (beaconHash !== undefined) text(PARAM_BEACON, beaconHash);
    pieces.push(encodeG1(deltaAfter), encodeG1(delta.g1_s), encodeG1(delta.g1_sx), encodeG2(delta.g2_spx));
    pieces.push(transcript, u32(type), u32(totalLength(params)), ...params);
  });
  return concatBytes(pieces);
}

function outputLengthError(where: string, expected: string, got: number): FormatError {
  return new FormatError("section has a wrong length", {
    code: "BINFILE_SECTION_LENGTH",
    where: `new zkey: ${where}`,
    expected,
    got: `${got} bytes`,
  });
}

function u32(value: number): Uint8Array {
  return bigintToBytesLE(BigInt(value), 4);
}
