/**
 * Contracts as solc compiles them, from call to accepted proof: under `check` against what the EVM did, and proved with the
 * keys of the package.
 */

import { beforeAll, describe, expect, test } from "vitest";
import type { KeyFolder } from "../../src/keys/folder.js";
import { expectHonest } from "../support/blocks.js";
import { CACHE, makeKeys, proveBlock, replicaOf, runScenario, verifyBlock } from "../support/proofs.js";
import { CONTRACT_SCENARIOS, contractScenario, tokenTransfers } from "../support/solidity.js";

let keys: KeyFolder;
beforeAll(async () => {
  keys = await makeKeys({ cache: CACHE });
});

/** Steps of a transaction, and of all together, that are checked, and that are proved as well. */
const CHECKED = { each: 25_000, all: 60_000 };
const PROVED = { each: 1_100, all: 3_000 };
/** A loop of 10,402 steps, which takes many chunks. */
const LONG = { each: 11_000, all: 11_000 };

/** The transactions of a scenario that are no longer than that, executed again without the others. */
async function part(name: string, { each, all }: typeof CHECKED) {
  const { trace } = await runScenario((await contractScenario(name)).scenario);
  const kept = new Set<number>();
  let steps = 0;
  for (const [i, { steps: own }] of trace.executions.entries()) {
    if (own.length > each || steps + own.length > all) continue;
    steps += own.length;
    kept.add(i);
  }
  const { scenario, calls } = await contractScenario(name, (i) => kept.has(i));
  return { run: await runScenario(scenario), calls, whole: kept.size === trace.executions.length, steps };
}

describe.each(CONTRACT_SCENARIOS)("%s", (name) => {
  test("checks, and does what the EVM does", async () => {
    const { run, calls, whole } = await part(name, CHECKED);
    const { boundary } = await expectHonest(run, { sample: 16 });
    const statuses = boundary.receipts.map(({ status }) => status);
    // without those before it, a call may end in another way
    if (whole) expect(statuses).toEqual(calls.map(({ end }) => (end === "ok" ? 1 : 0)));
    else expect(statuses).toEqual(run.trace.executions.map(({ status }) => status));
  });

  test("is proved and accepted", async () => {
    const { run, steps } = await part(name, name === "loops" ? LONG : PROVED);
    expect(steps).toBeGreaterThan(name === "loops" ? 10_000 : 900);
    const { bytes } = await proveBlock(run.trace, keys, { threads: 2 });
    const verdict = await verifyBlock(bytes, await replicaOf(run, keys));
    expect(verdict.faults).toEqual([]);
    if (!verdict.valid) throw new Error("unreachable");
    expect(verdict.gasUsed).toBe(run.trace.header.gasUsed);
    for (const { address, slot, value } of verdict.stateDiff.slots) {
      expect(await run.postState.slot(`0x${address.toString(16).padStart(40, "0")}`, slot)).toBe(value);
    }
  });
});

test("20 token transfers cost at most 30,000 rows each, padding included, and leave their events", async () => {
  const { scenario } = await tokenTransfers(20);
  const run = await runScenario(scenario);
  const { bytes, proof } = await proveBlock(run.trace, keys, { threads: 2 });
  const rows = proof.chunks.reduce((sum, { layout }) => sum + 2 ** keys.layouts[layout]!.layout.power, 0);
  expect(rows).toBeLessThanOrEqual(20 * 30_000);
  const verdict = await verifyBlock(bytes, await replicaOf(run, keys));
  expect(verdict.faults).toEqual([]);
  if (!verdict.valid) throw new Error("unreachable");
  expect(verdict.receipts.map(({ logs }) => logs.length)).toEqual(Array.from({ length: 20 }, () => 1));
});
