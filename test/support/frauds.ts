/**
 * What tests of forgeries share: tiny blocks, and what is expected to catch them.
 *
 * @module
 */

import { expect } from "vitest";
import { CLEAN, type Forgery, forgeryOf, type Verdict } from "./blocks.js";

/** A block of one call by alice of one contract. */
export const blockOfCall = (
  code: string,
  call: object = {},
  { storage = {}, block = {} }: { storage?: Record<string, number>; block?: object } = {},
) =>
  // what starts with 0x would be bytes
  forgeryOf({ c: { code: ` ${code}`, storage } }, [{ from: "alice", to: "c", ...call }], block);

/** Expects the bus to catch a forgery by these messages and nothing else. */
export async function expectUnmatched(f: Forgery, unmatched: readonly string[]): Promise<Verdict> {
  const verdict = await f.verdict();
  const { refused, faults } = verdict;
  expect({ refused, faults, unmatched: verdict.unmatched }).toEqual({ ...CLEAN, unmatched });
  return verdict;
}

/** Expects the verifier to refuse the claims with a code. */
export async function expectRefused(f: Forgery, code: string): Promise<void> {
  expect((await f.verdict()).refused).toBe(code);
}

/** Expects a constraint of one template's rows to be violated, at least. */
export async function expectFault(f: Forgery, row: string): Promise<void> {
  const { refused, faults } = await f.verdict();
  expect({ refused, faults }).toEqual({ refused: undefined, faults: [row] });
}

/** Messages that are sent and received, but not the same ones. */
export const pair = (...tags: string[]): string[] => tags.flatMap((tag) => [`${tag} received`, `${tag} sent`]).sort();
