/** One committed cell of a block changed: the constraints or the bus refuse it (docs/protocol.md, section 12). */

import { beforeAll, describe, expect, it } from "vitest";
import { blockRows } from "../../../src/block/assemble.js";
import type { BuiltBlock } from "../../../src/block/build.js";
import { checkRow } from "../../../src/block/check.js";
import { TEMPLATES } from "../../../src/rows/index.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { CIRCUITS, canonical, expectHonest, RANGE_BITS, scenarioOf } from "../../support/blocks.js";
import { EVERY_TEMPLATE, expectFree, mutants, survivors, tablesOf } from "../../support/mutations.js";

let built: BuiltBlock;
beforeAll(async () => {
  const run = await scenarioOf(EVERY_TEMPLATE.contracts, EVERY_TEMPLATE.calls);
  await expectHonest(run);
  built = blockRows(run.trace);
});

describe("a block that uses every template", () => {
  it("does", () => {
    expect([...built.rows.keys()].sort()).toEqual(TEMPLATES.map(({ name }) => name).sort());
  });

  it("has no cell that could hold something else, but those that nobody looks at", async () => {
    const result = await survivors(built, tablesOf(built), {
      // of many rows the first, one in the middle, the last
      pick: (_, count) => [...new Set([0, count >> 1, count - 1])],
      every: 4,
    });
    expectFree(result.survivors);
    expect(result.mutants).toBeGreaterThan(10_000);
  });
});

describe("padding", () => {
  it("does nothing, whatever one of its cells holds", async () => {
    for (const template of TEMPLATES) {
      const circuit = await CIRCUITS.get(template.name);
      const zeros = template.columns.map(() => 0n);
      for (const [i, column] of template.columns.entries()) {
        for (const value of mutants(0n)) {
          const cells = zeros.with(i, value);
          const acts = messagesOf(template, cells).filter(
            ({ tag, multiplicity }) => canonical(multiplicity) !== 0n && RANGE_BITS[tag] === undefined,
          );
          // switched on it is a row as any other, whose tokens nobody sends
          if (["act", "isStack", "isMemory", "mult"].includes(column)) continue;
          if (checkRow(circuit, template, cells) === undefined) expect(acts, `${template.name}.${column}`).toEqual([]);
        }
      }
    }
  });
});
