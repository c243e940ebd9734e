/**
 * The transform of a polynomial as calls: from values on the domain to values on its odd coset. Cut into columns and
 * blocks, with a barrier before the blocks and one after.
 *
 * @module
 */

import type { Call } from "./kernel.js";

/** Columns and blocks a transform is cut into, at most. */
const MAX_PART_BITS = 4;

/** Tables of a domain in memory. */
export interface Roots {
  readonly twiddles: number;
  readonly coset: number;
}

/** How the transforms of one domain are cut. */
export interface Transform {
  /** Number of parts of each round. */
  readonly parts: number;
  /** Elements of a block. */
  readonly block: number;
  /** Columns `[from, to)` of a part: of each block, these positions. */
  columns(part: number): readonly [from: number, to: number];
  /** First round, by columns. */
  outerDif(poly: number, part: number): Call;
  /** Second round, by blocks. */
  inner(poly: number, part: number): Call;
  /** Third round, by columns. Value i comes to lie at position `-i mod n`. */
  outerDit(poly: number, part: number): Call;
}

/** The transform on the domain of `2^power` points. */
export function transformOf(power: number, { twiddles, coset }: Roots): Transform {
  const partBits = Math.max(0, Math.min(MAX_PART_BITS, (power - 1) >> 1));
  const parts = 2 ** partBits;
  const block = 2 ** (power - partBits);
  const columns = (p: number) => [(block * p) / parts, (block * (p + 1)) / parts] as const;
  return {
    parts,
    block,
    columns,
    outerDif: (poly, p) => ["ntt_outerDif", poly, twiddles, power, partBits, ...columns(p)],
    inner: (poly, p) => ["ntt_block", poly, twiddles, coset, power, partBits, p],
    outerDit: (poly, p) => ["ntt_outerDit", poly, twiddles, power, partBits, ...columns(p)],
  };
}
