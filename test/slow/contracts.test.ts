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

/** Steps up to which a scenario is proved as it is; of longer ones the first transactions are. */
const STEPS = 4_000;

describe.each(CONTRACT_SCENARIOS)("%s", (name) => {
  test("checks, and does what the EVM does", async () => {
    const { scenario, calls } = await contractScenario(name);
    const run = await runScenario(scenario);
    const { boundary } = await expectHonest(run, { sample: 16 });
    expect(boundary.receipts.map(({ status }) => status)).toEqual(calls.map(({ end }) => (end === "ok" ? 1 : 0)));
  });

  test("is proved and accepted", async () => {
    const { scenario } = await contractScenario(name);
    const whole = await runScenario(scenario);
    let [count, steps] = [0, 0];
    for (const execution of whole.trace.executions) {
      steps += execution.steps.length;
      if (steps > STEPS && count > 0) break;
      count++;
    }
    const run = await runScenario({ ...scenario, transactions: scenario.transactions.slice(0, count) });
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
