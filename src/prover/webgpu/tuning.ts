/**
 * What kernels can be tuned by. Which values are best depends on the device; `bench/` measures them.
 *
 * @module
 */

import { ProverError } from "../../errors.js";
import type { LimbBits } from "./wgsl/field.js";

/** How kernels are made. */
export interface Tuning {
  /** Bits of a limb, 12 to 15. */
  readonly limbBits: LimbBits;
  /** Whether products are spelled out: faster to run, slower to compile. */
  readonly unroll: boolean;
  /**
   * Which additions of points are spelled out: none, those of G1 that take most of a sum's time, or all. The others are short programs on
   * registers in private memory: slower to run, if that memory is slow, and many times quicker to compile.
   */
  readonly spell: "none" | "run" | "all";
  /** Invocations of a workgroup, a power of two from 32 to 256. */
  readonly workgroup: number;
  /** Bits of a digit of a sum, 4 to 16; 0: by the number of bases. */
  readonly windowBits: number;
  /** Points that an invocation adds up before its sum is added to others, 4 to 1024; 0: by their number. */
  readonly run: number;
  /** Bases that are treated at once; more are taken in slices. */
  readonly slice: number;
  /** Layers of a transform that are done at once in workgroup memory, 1 to 12, if they fit; 0: as many as fit 16 KiB. */
  readonly layers: number;
}

/** What is used without a choice. */
export const DEFAULT_TUNING: Tuning = {
  limbBits: 13,
  unroll: true,
  spell: "run",
  workgroup: 64,
  windowBits: 0,
  run: 0,
  slice: 2 ** 20,
  layers: 0,
};

const RANGES: Readonly<Record<keyof Omit<Tuning, "unroll" | "spell">, (n: number) => boolean>> = {
  limbBits: (n) => n >= 12 && n <= 15,
  workgroup: (n) => n >= 32 && n <= 256 && Number.isInteger(Math.log2(n)),
  windowBits: (n) => n === 0 || (n >= 4 && n <= 16),
  run: (n) => n === 0 || (n >= 4 && n <= 1024),
  slice: (n) => n >= 1,
  layers: (n) => n >= 0 && n <= 12,
};

/** @throws ProverError `TUNING_INVALID`. */
export function resolveTuning(tuning: Partial<Tuning> = {}): Tuning {
  const resolved = { ...DEFAULT_TUNING, ...tuning };
  for (const [name, fits] of Object.entries(RANGES) as [keyof typeof RANGES, (n: number) => boolean][]) {
    const value = resolved[name];
    if (Number.isInteger(value) && fits(value)) continue;
    throw invalid(name, value);
  }
  if (typeof resolved.unroll !== "boolean") throw invalid("unroll", resolved.unroll);
  if (!["none", "run", "all"].includes(resolved.spell)) throw invalid("spell", resolved.spell);
  return resolved;
}

function invalid(name: keyof Tuning, value: unknown): ProverError {
  return new ProverError("kernels cannot be tuned so", {
    code: "TUNING_INVALID",
    where: `tuning.${name}`,
    expected: "see BackendTuning",
    got: String(value),
  });
}
