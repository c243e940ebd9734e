/**
 * Provider of WIDE: see `circuits/rows/wide.circom`.
 *
 * @module
 */

import { message } from "../verifier/bus.js";
import { inRange, type RowTemplate, rowTemplate } from "./row.js";
import { HALF, joinLimbs, limbColumns, limbsIn, limbsOf } from "./words.js";

/** Limbs of half a word. */
const HALF_LIMBS = 8;

export const wide = rowTemplate({
  name: "wide",
  columns: [...limbColumns("l", HALF_LIMBS), "mult"],
  messages(c) {
    const limbs = limbsIn(c, "l", HALF_LIMBS);
    const value = joinLimbs(limbs);
    return [...limbs.map((limb) => inRange(16, limb)), message("WIDE", { value }, -c.mult)];
  },
});

/** The rows that answer requests to WIDE: one for each value. */
export const wideProvider = {
  tag: "WIDE",
  /**
   * @param requests what was asked for, by coordinates, and how often. A value from 2^128 up is nobody's honest request:
   * no row answers it, and the bus stays open.
   */
  rows(
    requests: Iterable<{ readonly coordinates: readonly bigint[]; readonly count: bigint }>,
  ): { readonly template: RowTemplate; readonly columns: readonly bigint[] }[] {
    return [...requests]
      .filter(({ coordinates: [value] }) => value! >= 0n && value! < HALF)
      .map(({ coordinates: [value], count }) => {
        const limbs = limbsOf("l", value!, HALF_LIMBS);
        return { template: wide, columns: [...limbsIn(limbs, "l", HALF_LIMBS), count] };
      });
  },
} as const;
