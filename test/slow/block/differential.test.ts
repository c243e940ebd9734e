/** Thousands of random programs in blocks under `check`, against the real EVM. */

import { expect, it } from "vitest";
import { TEMPLATES } from "../../../src/rows/index.js";
import { expectHonest, expectRandom, expectWild } from "../../support/blocks.js";
import { callBlock, HALTS, RESULTS } from "../../support/single-frame.js";

it("each opcode of one frame and each way to halt check, and do what the EVM does", async () => {
  const block = await callBlock([...RESULTS, ...HALTS]);
  const { built } = await expectHonest(block, { sample: 4 });
  expect(block.trace.executions.filter(({ status }) => status === 1)).toHaveLength(RESULTS.length);
  expect([...built.rows.keys()]).toEqual(
    expect.arrayContaining(["haltcode", "haltgas", "haltjump", "haltmemory", "haltreturn", "undolog", "undoaccount"]),
  );
});

it("random blocks check, and do what the EVM does", { timeout: 900_000 }, async () => {
  const { rows, templates } = await expectRandom({ blocks: 40, programs: 24, sample: 32 });
  expect(rows).toBeGreaterThan(80_000);
  expect([...templates].sort()).toEqual(TEMPLATES.map(({ name }) => name).sort());
});

it("programs of any bytes check, if the trace is accepted at all", { timeout: 900_000 }, async () => {
  const { accepted } = await expectWild({ blocks: 60, programs: 20, sample: 32 });
  expect(accepted).toBeGreaterThan(30);
});
