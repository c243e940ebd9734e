/**
 * Powers of tau (`.ptau`, magic `ptau`, version 1), phase 1 of a snarkjs ceremony.
 *
 * ```text
 *  1 header             u32 n8 = 32 | q | u32 power | u32 ceremonyPower
 *  2 tauG1              (2^(power+1) - 1) × G1    tau^i
 *  3 tauG2              2^power × G2              tau^i
 *  4 alphaTauG1         2^power × G1              alpha tau^i
 *  5 betaTauG1          2^power × G1              beta tau^i
 *  6 betaG2             1 × G2                    beta
 *  7 contributions      not read
 * 12 lagrangeTauG1      (2^(power+2) - 1) × G1    Lagrange bases of sizes 1, 2, 4, …, 2^(power+1)
 * 13 lagrangeTauG2      (2^(power+1) - 1) × G2    of sizes 1, 2, 4, …, 2^power
 * 14 lagrangeAlphaTauG1 (2^(power+1) - 1) × G1    of sizes 1, 2, 4, …, 2^power
 * 15 lagrangeBetaTauG1  (2^(power+1) - 1) × G1    of sizes 1, 2, 4, …, 2^power
 * ```
 *
 * Sections 12 to 15 exist after `snarkjs powersoftau prepare phase2`. Points: see `bn254.ts`.
 *
 * @module
 */

import { FormatError } from "../errors.js";
import {
  concatBytes,
  orClose,
  readBinFile,
  requireSection,
  type Section,
  type SectionData,
  view,
  writeBinFile,
} from "./binfile.js";
import { bigintToBytesLE, checkModulus, FIELD_SIZE, FQ_MODULUS, FR_TWO_ADICITY, G1_SIZE, G2_SIZE } from "./bn254.js";
import { type ByteSource, openSource, type Source } from "./source.js";

/** Section ids of a ptau file. */
export const PTAU_SECTION = {
  header: 1,
  tauG1: 2,
  tauG2: 3,
  alphaTauG1: 4,
  betaTauG1: 5,
  betaG2: 6,
  contributions: 7,
  lagrangeTauG1: 12,
  lagrangeTauG2: 13,
  lagrangeAlphaTauG1: 14,
  lagrangeBetaTauG1: 15,
} as const;

const VERSION = 1;
const HEADER_SIZE = 4 + FIELD_SIZE + 2 * 4;
const LAGRANGE = ["lagrangeTauG1", "lagrangeTauG2", "lagrangeAlphaTauG1", "lagrangeBetaTauG1"] as const;

/** Names of the sections that hold points. */
export type PtauPoints = Exclude<keyof typeof PTAU_SECTION, "header" | "contributions">;

/** An open ptau file: header in memory, points still in the source and not checked. */
export interface PtauFile {
  readonly name: string;
  /** Circuits of up to `2^power` constraints, 0 to 28. */
  readonly power: number;
  /** Power of the ceremony that this file was cut from. */
  readonly ceremonyPower: number;
  /** Whether all four Lagrange sections are there. */
  readonly prepared: boolean;
  /** By section id, see {@link PTAU_SECTION}; every point section in it has the length that `power` demands. */
  readonly sections: ReadonlyMap<number, Section>;
  readonly source: ByteSource;
  close(): Promise<void>;
}

/** Size of each point section in bytes. */
function pointSectionSizes(power: number): Record<PtauPoints, number> {
  const n = 2 ** power;
  return {
    tauG1: (2 * n - 1) * G1_SIZE,
    tauG2: n * G2_SIZE,
    alphaTauG1: n * G1_SIZE,
    betaTauG1: n * G1_SIZE,
    betaG2: G2_SIZE,
    lagrangeTauG1: (4 * n - 1) * G1_SIZE,
    lagrangeTauG2: (2 * n - 1) * G2_SIZE,
    lagrangeAlphaTauG1: (2 * n - 1) * G1_SIZE,
    lagrangeBetaTauG1: (2 * n - 1) * G1_SIZE,
  };
}

/**
 * Opens a ptau file over BN254 and checks its structure.
 *
 * @throws FormatError those of `openSource` and `readBinFile`; `FOREIGN_CURVE`, `PTAU_POWER`, `BINFILE_SECTION_MISSING`,
 *   `BINFILE_SECTION_LENGTH`.
 */
export async function openPtau(from: Source, signal?: AbortSignal): Promise<PtauFile> {
  const source = await openSource(from, "ptau", signal);
  return orClose(source, async () => {
    const file = await readBinFile(source, "ptau", VERSION);
    const where = `${file.name}: section 1 (header)`;
    const header = requireSection(file, PTAU_SECTION.header, "header");
    const bytes = await source.read(header.offset, Math.min(header.size, 256));
    if (bytes.length >= 4) checkModulus(view(bytes).getUint32(0, true), bytes.subarray(4), FQ_MODULUS, where);
    requireSection(file, PTAU_SECTION.header, "header", HEADER_SIZE);
    const power = view(bytes).getUint32(4 + FIELD_SIZE, true);
    const ceremonyPower = view(bytes).getUint32(4 + FIELD_SIZE + 4, true);
    if (power > ceremonyPower || ceremonyPower > FR_TWO_ADICITY) {
      throw new FormatError("header makes no sense", {
        code: "PTAU_POWER",
        where,
        expected: `power <= ceremonyPower <= ${FR_TWO_ADICITY}`,
        got: `power ${power}, ceremonyPower ${ceremonyPower}`,
      });
    }
    const sizes = Object.entries(pointSectionSizes(power)) as [PtauPoints, number][];
    for (const [points, size] of sizes) {
      const id = PTAU_SECTION[points];
      const optional = points.startsWith("lagrange") && !file.sections.has(id);
      if (!optional) requireSection(file, id, points, size);
    }
    const prepared = LAGRANGE.every((points) => file.sections.has(PTAU_SECTION[points]));
    const { name, sections } = file;
    return { name, power, ceremonyPower, prepared, sections, source, close: () => source.close() };
  });
}

/** What {@link writePtau} needs. */
export interface PtauParts {
  readonly power: number;
  /** Default: `power`. */
  readonly ceremonyPower?: number;
  /** Content of the sections, raw. */
  readonly points: Readonly<Partial<Record<PtauPoints, SectionData["data"]>>>;
  /** Content of section 7; default: no contributions. */
  readonly contributions?: Uint8Array;
}

/** A ptau file with the given sections in the order of their ids. Nothing is checked. */
export function writePtau({ power, ceremonyPower = power, points, contributions }: PtauParts): Uint8Array {
  const u32 = (value: number) => bigintToBytesLE(BigInt(value), 4);
  const header = concatBytes([
    u32(FIELD_SIZE),
    bigintToBytesLE(FQ_MODULUS, FIELD_SIZE),
    u32(power),
    u32(ceremonyPower),
  ]);
  const sections: SectionData[] = [
    { id: PTAU_SECTION.header, data: header },
    { id: PTAU_SECTION.contributions, data: contributions ?? u32(0) },
  ];
  for (const [name, data] of Object.entries(points)) sections.push({ id: PTAU_SECTION[name as PtauPoints], data });
  sections.sort((x, y) => x.id - y.id);
  return writeBinFile("ptau", VERSION, sections);
}
