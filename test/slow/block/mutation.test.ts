/** Every cell of most rows of a block that uses every template, changed: the constraints or the bus refuse it. */

import { expect, it } from "vitest";
import { blockRows } from "../../../src/block/assemble.js";
import { TEMPLATES } from "../../../src/rows/index.js";
import { expectHonest, scenarioOf } from "../../support/blocks.js";
import { EVERY_TEMPLATE, expectFree, survivors, tablesOf } from "../../support/mutations.js";

it("no cell of any row could hold something else, but those that nobody looks at", { timeout: 900_000 }, async () => {
  const run = await scenarioOf(EVERY_TEMPLATE.contracts, EVERY_TEMPLATE.calls, EVERY_TEMPLATE.block);
  await expectHonest(run);
  const built = blockRows(run.trace);
  expect([...built.rows.keys()].sort()).toEqual(TEMPLATES.map(({ name }) => name).sort());
  const result = await survivors(built, tablesOf(built), {
    // of a template with many rows some that lie far apart
    pick: (_, count) => [...new Set(Array.from({ length: 60 }, (_, i) => Math.floor((i * count) / 60)))],
    every: 64,
  });
  expectFree(result.survivors);
  expect(result.mutants).toBeGreaterThan(200_000);
});
