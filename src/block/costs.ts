/**
 * What chunks cost: measured, so that the planner chooses by time and not by rows.
 *
 * @module
 */

import type { Layout } from "../circuits/sources.js";

/** Milliseconds of committing, solving and proving a chunk on one thread, by the log2 of its domain. */
const MEASURED: Readonly<Record<number, number>> = { 12: 150, 13: 250, 14: 450, 15: 850, 16: 1650, 17: 3300, 18: 6700 };

/** Relative cost of a chunk. */
export function layoutCost({ power }: Layout): number {
  return MEASURED[power] ?? 2 ** power / 40;
}
