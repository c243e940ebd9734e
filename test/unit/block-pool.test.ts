/** How threads are divided among chunks. The pool at work: test/slow/proving.test.ts. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseLanes, timeOn } from "../../src/block/pool.js";

/** When the last lane ends if the dearest chunks go first, each to the lane that is free first. */
function makespan(costs: readonly number[], lanes: number, threadsEach: number): number {
  const loads = new Array<number>(lanes).fill(0);
  for (const cost of [...costs].sort((a, b) => b - a)) {
    loads.sort((a, b) => a - b);
    loads[0]! += timeOn(cost, threadsEach);
  }
  return Math.max(...loads);
}

describe("the time of a chunk", () => {
  test("falls with the threads, but never below its serial part", () => {
    expect(timeOn(100, 1)).toBe(100);
    const times = [1, 2, 4, 8, 256].map((threads) => timeOn(100, threads));
    for (const [i, time] of times.entries()) {
      if (i > 0) expect(time).toBeLessThan(times[i - 1]!);
      expect(time).toBeGreaterThan(10);
    }
  });
});

describe("lanes", () => {
  test.each<[number[], number, { lanes: number; threadsEach: number }]>([
    [[], 4, { lanes: 1, threadsEach: 4 }],
    [[1], 1, { lanes: 1, threadsEach: 1 }],
    // one chunk: all threads on it
    [[5], 8, { lanes: 1, threadsEach: 8 }],
    // whole chunks side by side wait for nobody
    [[1, 1], 2, { lanes: 2, threadsEach: 1 }],
    [[1, 1, 1, 1], 4, { lanes: 4, threadsEach: 1 }],
    [[1, 1, 1, 1], 2, { lanes: 2, threadsEach: 1 }],
    [new Array(100).fill(1), 8, { lanes: 8, threadsEach: 1 }],
    // three for two: 2 units side by side, 1.65 one after the other
    [[1, 1, 1], 2, { lanes: 1, threadsEach: 2 }],
    // a large one would keep a lane busy when the other has long ended
    [[8, 1], 2, { lanes: 1, threadsEach: 2 }],
    [[8, 1, 1, 1, 1, 1, 1, 1, 1], 2, { lanes: 2, threadsEach: 1 }],
    [[1, 1], 8, { lanes: 2, threadsEach: 4 }],
  ])("for chunks of %j on %i threads", (costs, threads, expected) => {
    expect(chooseLanes(costs, threads)).toEqual(expected);
  });

  const blocks = fc.array(fc.integer({ min: 1, max: 7000 }), { maxLength: 40 });
  const counts = fc.integer({ min: 1, max: 64 });

  test("never have more threads than there are, nor more lanes than chunks", () => {
    fc.assert(
      fc.property(blocks, counts, (costs, threads) => {
        const { lanes, threadsEach } = chooseLanes(costs, threads);
        expect(lanes * threadsEach).toBeLessThanOrEqual(threads);
        expect(threadsEach).toBeGreaterThanOrEqual(1);
        expect(lanes).toBeGreaterThanOrEqual(1);
        expect(lanes).toBeLessThanOrEqual(Math.max(1, costs.length));
      }),
    );
  });

  test("end as soon as those of any other division, give or take a fiftieth", () => {
    fc.assert(
      fc.property(blocks, counts, (costs, threads) => {
        const { lanes, threadsEach } = chooseLanes(costs, threads);
        const chosen = makespan(costs, lanes, threadsEach);
        for (let other = 1; other <= threads; other++) {
          // each step to fewer lanes may have given up 2 %
          expect(makespan(costs, other, Math.floor(threads / other))).toBeGreaterThanOrEqual(chosen * 0.98);
        }
      }),
    );
  });

  test("do not depend on the order of the chunks, nor on the unit", () => {
    fc.assert(
      fc.property(blocks, counts, (costs, threads) => {
        const lanes = chooseLanes(costs, threads);
        expect(chooseLanes(costs.toReversed(), threads)).toEqual(lanes);
        expect(
          chooseLanes(
            costs.map((cost) => cost * 1024),
            threads,
          ),
        ).toEqual(lanes);
      }),
    );
  });
});
