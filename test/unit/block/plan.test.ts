/** Plans: they cover, they are the same every time, they are nearly the cheapest. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockError } from "../../../src/block/errors.js";
import { type PricedLayout, planChunks } from "../../../src/block/plan.js";
import { readLayouts } from "../../../src/circuits/sources.js";
import { seedOf } from "../../support/blocks.js";

const ROWS = ["push", "dup", "add", "sload"];

/** The cheapest cover, by trying all of them. */
function optimum(demand: ReadonlyMap<string, number>, layouts: readonly PricedLayout[]): number {
  const rows = [...demand.keys()];
  const memo = new Map<string, number>();
  const cheapest = (left: readonly number[]): number => {
    if (left.every((n) => n <= 0)) return 0;
    const key = left.join();
    const known = memo.get(key);
    if (known !== undefined) return known;
    // some layout has to hold the first row that is left
    const open = left.findIndex((n) => n > 0);
    let best = Number.POSITIVE_INFINITY;
    for (const { layout, cost } of layouts) {
      if ((layout.rows[rows[open]!] ?? 0) === 0) continue;
      best = Math.min(best, cost + cheapest(left.map((n, i) => Math.max(0, n - (layout.rows[rows[i]!] ?? 0)))));
    }
    memo.set(key, best);
    return best;
  };
  return cheapest([...demand.values()]);
}

const price = (counts: readonly number[], layouts: readonly PricedLayout[]): number =>
  counts.reduce((sum, n, l) => sum + n * layouts[l]!.cost, 0);

const missing = (counts: readonly number[], demand: ReadonlyMap<string, number>, layouts: readonly PricedLayout[]) =>
  [...demand].filter(
    ([row, n]) => counts.reduce((sum, count, l) => sum + count * (layouts[l]!.layout.rows[row] ?? 0), 0) < n,
  );

/** Layouts that together have every row: the first has some of all. */
function layouts(): fc.Arbitrary<PricedLayout[]> {
  const rows = (min: number) =>
    fc.record(Object.fromEntries(ROWS.map((row) => [row, fc.nat({ max: 8 }).map((n) => n + min)])));
  return fc
    .tuple(
      rows(1),
      fc.array(rows(0), { maxLength: 3 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 4, maxLength: 4 }),
    )
    .map(([first, more, costs]) =>
      [first, ...more].map((held, i) => ({
        layout: { name: `l${i}`, power: 12, rows: Object.fromEntries(Object.entries(held).filter(([, n]) => n > 0)) },
        cost: costs[i]!,
      })),
    );
}

const demand = (max: number): fc.Arbitrary<Map<string, number>> =>
  fc.tuple(...ROWS.map(() => fc.nat(max))).map((counts) => new Map(ROWS.map((row, i) => [row, counts[i]!])));

describe("plans", () => {
  it("cover the demand, the same every time, without a chunk that could be left out", () => {
    fc.assert(
      fc.property(demand(5_000), layouts(), (wanted, priced) => {
        const counts = planChunks(wanted, priced);
        expect(missing(counts, wanted, priced)).toEqual([]);
        expect(counts.every((n) => Number.isInteger(n) && n >= 0)).toBe(true);
        expect(planChunks(new Map([...wanted]), priced)).toEqual(counts);
        for (const [l, n] of counts.entries()) {
          if (n > 0) expect(missing(counts.with(l, n - 1), wanted, priced)).not.toEqual([]);
        }
      }),
      { numRuns: 500, seed: seedOf("plans cover") },
    );
  });

  it("are within a tenth of the cheapest on small instances", () => {
    fc.assert(
      fc.property(demand(14), layouts(), (wanted, priced) => {
        const [found, best] = [price(planChunks(wanted, priced), priced), optimum(wanted, priced)];
        expect(found).toBeGreaterThanOrEqual(best);
        expect(found).toBeLessThanOrEqual(best * 1.1);
      }),
      { numRuns: 1_000, seed: seedOf("plans are cheap") },
    );
  });

  it("are within a tenth of the cheapest for the layouts there are", () => {
    const priced = readLayouts()
      .filter(({ power }) => power <= 14)
      .map((layout) => ({ layout, cost: 2 ** layout.power }));
    const names = ["push", "dup", "mload", "sstore", "expand"];
    fc.assert(
      fc.property(fc.tuple(...names.map((_, i) => fc.nat(i < 2 ? 300 : 60))), (counts) => {
        const wanted = new Map(names.map((row, i) => [row, counts[i]!]));
        const plan = planChunks(wanted, priced);
        expect(missing(plan, wanted, priced)).toEqual([]);
        expect(price(plan, priced)).toBeLessThanOrEqual(optimum(wanted, priced) * 1.1);
      }),
      { numRuns: 60, seed: seedOf("plans for the layouts") },
    );
  });

  it("are empty for nothing", () => {
    const priced = readLayouts().map((layout) => ({ layout, cost: 2 ** layout.power }));
    expect(planChunks(new Map(), priced).every((n) => n === 0)).toBe(true);
    expect(planChunks(new Map([["push", 0]]), priced).every((n) => n === 0)).toBe(true);
    // a row that no layout has is no matter if there are none
    expect(planChunks(new Map([["nothing", 0]]), priced).every((n) => n === 0)).toBe(true);
  });

  it("refuse a row that no layout has", () => {
    const priced = [{ layout: { name: "a", power: 12, rows: { push: 3 } }, cost: 1 }];
    for (const wanted of [
      new Map([["add", 1]]),
      new Map([
        ["push", 7],
        ["add", 1],
      ]),
    ]) {
      try {
        planChunks(wanted, priced);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(BlockError);
        expect(error).toMatchObject({ code: "BLOCK_LAYOUTS", where: "add", expected: "1 rows of add" });
      }
    }
  });
});
