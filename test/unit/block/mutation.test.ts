/** One committed cell of a block changed: the constraints or the bus refuse it (docs/protocol.md, section 12). */

import { beforeAll, describe, expect, it, vi } from "vitest";
import { blockRows } from "../../../src/block/assemble.js";
import type { BuiltBlock } from "../../../src/block/build.js";
import { checkRow } from "../../../src/block/check.js";
import { TEMPLATES } from "../../../src/rows/index.js";
import { messagesOf } from "../../../src/rows/machine.js";
import type { RowTemplate } from "../../../src/rows/row.js";
import { TAGS } from "../../../src/verifier/tags.generated.js";
import { CIRCUITS, canonical, expectHonest, RANGE_BITS, scenarioOf } from "../../support/blocks.js";
import { EVERY_TEMPLATE, expectFree, mutants, survivors, tablesOf } from "../../support/mutations.js";

// where no circuit has been compiled yet, all of them are
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let built: BuiltBlock;
beforeAll(async () => {
  const run = await scenarioOf(EVERY_TEMPLATE.contracts, EVERY_TEMPLATE.calls, EVERY_TEMPLATE.block);
  await expectHonest(run, { sample: 16 });
  built = blockRows(run.trace);
});

describe("a block that uses every template", () => {
  it("does", () => {
    expect([...built.rows.keys()].sort()).toEqual(TEMPLATES.map(({ name }) => name).sort());
  });

  it("has no cell that could hold something else, but those that nobody looks at", async () => {
    const result = await survivors(built, tablesOf(built), {
      // of many rows the first and the last
      pick: (_, count) => [...new Set([0, count - 1])],
      every: 64,
    });
    expectFree(result.survivors, { all: false });
    expect(result.mutants).toBeGreaterThan(20_000);
  });
});

/** Ranges, and what chains ask of words that are cut or moved whoever acts: a request alone does nothing. */
const MAY_ASK: ReadonlySet<string> = new Set([...Object.keys(RANGE_BITS), "CUT", "SHIFT"]);

/** Whether a cell switches a row on: then it is one as any other, whose tokens nobody sends. */
const isSwitch = ({ columns }: RowTemplate, column: string, value: bigint): boolean =>
  column === "mult" ||
  (value === 1n && (column === "act" || (!columns.includes("act") && /^(is[A-Z]|inside|above|below)/.test(column))));

describe("padding", () => {
  it("does nothing, whatever one of its cells holds", async () => {
    for (const template of TEMPLATES) {
      const circuit = await CIRCUITS.get(template.name);
      const zeros = template.columns.map(() => 0n);
      for (const [i, column] of template.columns.entries()) {
        for (const value of mutants(0n)) {
          const cells = zeros.with(i, value);
          if (isSwitch(template, column, value)) continue;
          const acts = messagesOf(template, cells).filter(
            ({ tag, multiplicity }) =>
              canonical(multiplicity) !== 0n && (TAGS[tag].type === "C" || multiplicity < 0n || !MAY_ASK.has(tag)),
          );
          if (acts.length > 0) expect(checkRow(circuit, template, cells), `${template.name}.${column}`).toBeDefined();
        }
      }
    }
  });
});
