/**
 * Covers the rows of a block with layouts at the least cost: a covering problem in integers, solved by a greedy cover that
 * is then improved as long as taking one or two chunks out and covering what they held again comes out cheaper.
 *
 * @module
 */

import type { Layout } from "../circuits/sources.js";
import { BlockError } from "./errors.js";

/** A layout and what a chunk of it costs. */
export interface PricedLayout {
  readonly layout: Layout;
  /** Measured time of one chunk, any unit. */
  readonly cost: number;
}

/** Numbers of rows by the name of their template. */
export type Demand = ReadonlyMap<string, number>;

/** Rounds of improvement: each looks at every pair of layouts in use. */
const ROUNDS = 8;

/**
 * Chooses layouts whose rows cover the demand.
 *
 * @returns how many chunks of each layout, in the order given; the same for the same input.
 * @throws BlockError `BLOCK_LAYOUTS` when no layout has a row that is needed.
 */
export function planChunks(demand: Demand, layouts: readonly PricedLayout[]): number[] {
  for (const [row, count] of demand) {
    if (count > 0 && !layouts.some(({ layout }) => (layout.rows[row] ?? 0) > 0)) {
      throw new BlockError("no layout has rows that the block needs", {
        code: "BLOCK_LAYOUTS",
        where: row,
        expected: `${count} rows of ${row}`,
      });
    }
  }
  const rows = [...demand].filter(([, count]) => count > 0).map(([row]) => row);
  const capacity = layouts.map(({ layout }) => rows.map((row) => layout.rows[row] ?? 0));
  const costs = layouts.map(({ cost }) => cost);
  const wanted = rows.map((row) => demand.get(row)!);
  // what a row is worth: its cheapest share of a chunk
  const worth = rows.map((_, r) =>
    Math.min(...capacity.map((c, l) => (c[r]! > 0 ? costs[l]! / c[r]! : Number.POSITIVE_INFINITY))),
  );
  const price = (counts: readonly number[]): number => counts.reduce((sum, n, l) => sum + n * costs[l]!, 0);

  const cover = (counts: number[]): number[] => {
    const left = wanted.map((n, r) => n - counts.reduce((sum, k, l) => sum + k * capacity[l]![r]!, 0));
    while (left.some((n) => n > 0)) {
      let [best, bestGain] = [-1, 0];
      for (const [l, c] of capacity.entries()) {
        let gain = 0;
        for (const [r, n] of left.entries()) if (n > 0) gain += worth[r]! * Math.min(n, c[r]!);
        if (gain / costs[l]! > bestGain) [best, bestGain] = [l, gain / costs[l]!];
      }
      // as many at once as are filled by what is left, so that a large block takes few rounds
      const filled = Math.min(
        ...capacity[best]!.map((c, r) => (c > 0 && left[r]! > 0 ? Math.floor(left[r]! / c) : Number.POSITIVE_INFINITY)),
      );
      const times = Number.isFinite(filled) ? Math.max(1, filled) : 1;
      counts[best]! += times;
      for (const [r, c] of capacity[best]!.entries()) left[r]! -= times * c;
    }
    // chunks that later ones made superfluous
    for (const l of counts.keys()) {
      while (counts[l]! > 0 && capacity[l]!.every((c, r) => left[r]! + c <= 0)) {
        counts[l]!--;
        for (const [r, c] of capacity[l]!.entries()) left[r]! += c;
      }
    }
    return counts;
  };

  let best = cover(layouts.map(() => 0));
  for (let round = 0; round < ROUNDS; round++) {
    let improved = false;
    for (const a of layouts.keys()) {
      for (const b of layouts.keys()) {
        for (const add of layouts.keys()) {
          // one of a and one of b out, one of another in, the rest covered anew
          const trial = [...best];
          trial[a]!--;
          if (b !== a) trial[b]!--;
          if (trial.some((n) => n < 0)) continue;
          trial[add]!++;
          const counts = cover(trial);
          if (price(counts) < price(best) - 1e-9) [best, improved] = [counts, true];
        }
      }
    }
    if (!improved) break;
  }
  return best;
}
