/**
 * What chunks cost: measured, so that the planner chooses by time and not by rows.
 *
 * @module
 */

import type { Layout } from "../circuits/sources.js";

/**
 * Milliseconds of committing, solving and proving a chunk on one thread, self-check included, by the log2 of its domain. AMD
 * EPYC (25/17), Node 20; 13, 15, 17 and 18 between and beyond what was measured. Half a chunk's time is the same whatever
 * the chunk holds, so that padding costs nearly as much as rows.
 */
const MEASURED: Readonly<Record<number, number>> = { 12: 120, 13: 205, 14: 360, 15: 645, 16: 1170, 17: 2300, 18: 4500 };

/** Relative cost of a chunk. */
export function layoutCost({ power }: Layout): number {
  return MEASURED[power] ?? 2 ** power / 58;
}
