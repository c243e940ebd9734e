/** Every cell of every row of a block that uses every template, changed: the constraints or the bus refuse it. */

import { expect, it } from "vitest";
import { blockRows } from "../../../src/block/assemble.js";
import { TEMPLATES } from "../../../src/rows/index.js";
import { expectHonest, scenarioOf } from "../../support/blocks.js";
import { EVERY_TEMPLATE, expectFree, survivors, tablesOf } from "../../support/mutations.js";

it("no cell of any row could hold something else, but those that nobody looks at", { timeout: 900_000 }, async () => {
  const run = await scenarioOf(EVERY_TEMPLATE.contracts, EVERY_TEMPLATE.calls);
  await expectHonest(run);
  const built = blockRows(run.trace);
  expect([...built.rows.keys()].sort()).toEqual(TEMPLATES.map(({ name }) => name).sort());
  const result = await survivors(built, tablesOf(built));
  expectFree(result.survivors);
  expect(result.mutants).toBeGreaterThan(50_000);
});
