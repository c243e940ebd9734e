/**
 * Covers the rows of a block with layouts at the least cost: a covering problem in integers. Its relaxation, where chunks may
 * be cut, tells about how many chunks of each layout to take and what no cover can be cheaper than; a bounded search around
 * that finds the integers.
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

/** Relaxations that are solved for one plan, 20 to 100 µs each. */
const NODES = 1500;
/** What a better plan has to be better by, as a share of the cost. */
const GAIN = 0.002;
const EPSILON = 1e-9;

/** `costs[l]` of a chunk, `rows[l][r]` rows of template r in it. */
interface Problem {
  readonly costs: readonly number[];
  readonly rows: readonly (readonly number[])[];
}

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
  const needed = [...demand].filter(([, count]) => count > 0);
  const problem: Problem = {
    costs: layouts.map(({ cost }) => cost),
    rows: layouts.map(({ layout }) => needed.map(([row]) => layout.rows[row] ?? 0)),
  };
  return new Search(problem).run(needed.map(([, count]) => count));
}

/**
 * The relaxation, by its dual: prices of rows, at which no chunk holds more than it costs and the demand is worth the most.
 * The simplex method can begin with all prices 0.
 *
 * @param open layouts to use.
 * @returns chunks of each layout, not whole, and their cost; undefined where the layouts don't have all rows.
 */
function relax({ costs, rows }: Problem, wanted: readonly number[], open: readonly number[]) {
  const columns = wanted.flatMap((n, r) => (n > 0 ? [r] : []));
  if (columns.some((r) => open.every((l) => rows[l]![r]! === 0))) return undefined;
  // one line for each layout: Σ rows · price + slack = cost; the last one: what the demand is worth
  const width = columns.length + open.length + 1;
  const line = (values: (column: number) => number) => Float64Array.from({ length: width }, (_, i) => values(i));
  const lines = open.map((l, at) =>
    line((i) =>
      i < columns.length ? rows[l]![columns[i]!]! : i === width - 1 ? costs[l]! : Number(i === columns.length + at),
    ),
  );
  const worth = line((i) => (i < columns.length ? -wanted[columns[i]!]! : 0));
  for (let round = 0; round < 50 * width; round++) {
    // the steepest at first; the first one when that goes in circles
    let enter = -1;
    for (let i = 0; i < width - 1; i++) {
      if (worth[i]! < -EPSILON && (enter < 0 || (round < 10 * width && worth[i]! < worth[enter]!))) enter = i;
    }
    if (enter < 0) break;
    let leave = -1;
    for (const [at, of] of lines.entries()) {
      if (of[enter]! <= EPSILON) continue;
      const best = leave < 0 ? Number.POSITIVE_INFINITY : lines[leave]![width - 1]! / lines[leave]![enter]!;
      if (of[width - 1]! / of[enter]! < best) leave = at;
    }
    const pivot = lines[leave]!;
    const scale = 1 / pivot[enter]!;
    for (let i = 0; i < width; i++) pivot[i]! *= scale;
    for (const of of [...lines, worth]) {
      const factor = of[enter]!;
      if (of === pivot || factor === 0) continue;
      for (let i = 0; i < width; i++) of[i]! -= factor * pivot[i]!;
    }
  }
  const counts = new Map(open.map((l, at) => [l, Math.max(0, worth[columns.length + at]!)]));
  return { counts, cost: worth[width - 1]! };
}

/** What came of a part of the search. */
type Outcome = "searched" | "dear" | "impossible";

/** Goes through the layouts, those that are closest to a decision last, and prunes by the relaxation of what is left. */
class Search {
  readonly #problem: Problem;
  #best: number[] = [];
  #price = Number.POSITIVE_INFINITY;
  #nodes = 0;

  constructor(problem: Problem) {
    this.#problem = problem;
  }

  run(wanted: readonly number[]): number[] {
    const layouts = [...this.#problem.costs.keys()];
    this.#branch(
      wanted,
      layouts,
      layouts.map(() => 0),
      0,
    );
    return this.#trimmed(wanted, layouts);
  }

  /** The best plan without chunks that can be left out: where they cost less than `GAIN`, the search didn't care. */
  #trimmed(wanted: readonly number[], layouts: readonly number[]): number[] {
    const { costs, rows } = this.#problem;
    const counts = [...this.#best];
    const spare = wanted.map((n, r) => layouts.reduce((sum, l) => sum + counts[l]! * rows[l]![r]!, -n));
    for (const l of [...layouts].sort((a, b) => costs[b]! - costs[a]!)) {
      while (counts[l]! > 0 && rows[l]!.every((c, r) => c <= spare[r]!)) {
        counts[l]!--;
        for (const [r, c] of rows[l]!.entries()) spare[r]! -= c;
      }
    }
    return counts;
  }

  /**
   * @param spent cost of `counts`, which are final for all layouts that aren't open.
   * @returns whether there can be a better plan here, as far as the relaxation tells; it costs the more the farther a count is
   *   from where it has it.
   */
  #branch(wanted: readonly number[], open: readonly number[], counts: readonly number[], spent: number): Outcome {
    if (this.#nodes++ >= NODES) return "dear";
    const relaxed = relax(this.#problem, wanted, open);
    if (relaxed === undefined) return "impossible";
    if (spent + relaxed.cost > this.#price * (1 - GAIN)) return "dear";
    // rounded down, and what is then left covered greedily
    const rounded = [...counts];
    for (const [l, n] of relaxed.counts) rounded[l] = counts[l]! + Math.floor(n + EPSILON);
    this.#offer(this.#fill(rounded, wanted, counts, open));
    if (open.length === 0) return "searched";
    // the layout with the largest share of the cost is decided first
    const { costs, rows } = this.#problem;
    const share = (l: number) => relaxed.counts.get(l)! * costs[l]!;
    const layout = open.reduce((most, l) => (share(l) > share(most) ? l : most));
    const rest = open.filter((l) => l !== layout);
    const take = (n: number): Outcome => {
      const left = wanted.map((count, r) => Math.max(0, count - n * rows[layout]![r]!));
      return this.#branch(left, rest, counts.with(layout, n), spent + n * costs[layout]!);
    };
    const near = Math.floor(relaxed.counts.get(layout)! + EPSILON);
    for (let n = near; n >= 0 && take(n) === "searched"; n--);
    for (let n = near + 1; take(n) !== "dear"; n++);
    return "searched";
  }

  /** Keeps a cover if it is the cheapest so far. */
  #offer(counts: number[] | undefined): void {
    if (counts === undefined) return;
    const price = counts.reduce((sum, n, l) => sum + n * this.#problem.costs[l]!, 0);
    if (price < this.#price) [this.#best, this.#price] = [counts, price];
  }

  /** Adds chunks until everything is covered: always the one that holds the most of what is left for its cost. */
  #fill(
    counts: number[],
    wanted: readonly number[],
    done: readonly number[],
    open: readonly number[],
  ): number[] | undefined {
    const { costs, rows } = this.#problem;
    const left = wanted.map((n, r) => n - open.reduce((sum, l) => sum + (counts[l]! - done[l]!) * rows[l]![r]!, 0));
    // what a row is worth: its cheapest share of a chunk
    const worth = wanted.map((_, r) =>
      Math.min(...open.map((l) => (rows[l]![r]! > 0 ? costs[l]! / rows[l]![r]! : Number.POSITIVE_INFINITY))),
    );
    while (left.some((n) => n > 0)) {
      let [best, most] = [-1, 0];
      for (const l of open) {
        let gain = 0;
        for (const [r, n] of left.entries())
          if (n > 0 && rows[l]![r]! > 0) gain += worth[r]! * Math.min(n, rows[l]![r]!);
        if (gain / costs[l]! > most) [best, most] = [l, gain / costs[l]!];
      }
      if (best < 0) return undefined;
      counts[best]!++;
      for (const [r, c] of rows[best]!.entries()) left[r]! -= c;
    }
    // chunks that later ones made superfluous, the dearest first
    for (const l of [...open].sort((a, b) => costs[b]! - costs[a]!)) {
      while (counts[l]! > done[l]! && rows[l]!.every((c, r) => left[r]! + c <= 0)) {
        counts[l]!--;
        for (const [r, c] of rows[l]!.entries()) left[r]! += c;
      }
    }
    return counts;
  }
}
