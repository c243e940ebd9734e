/** More than a thousand random programs in blocks under `check`, against the real EVM. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { TraceError } from "../../../src/trace/errors.js";
import { validateTrace } from "../../../src/trace/index.js";
import { expectHonest, randomBlock, scenarioOf, seedOf } from "../../support/blocks.js";
import { blockOf, wildProgram } from "../../support/contracts.js";

it("random blocks check, and do what the EVM does", { timeout: 900_000 }, async () => {
  let rows = 0;
  await fc.assert(
    fc.asyncProperty(randomBlock(), async ({ contracts, calls, block }) => {
      const run = await scenarioOf(contracts, calls, block);
      await validateTrace(run.trace);
      rows += (await expectHonest(run, { sample: 8 })).rows;
    }),
    { numRuns: 400, seed: seedOf("random blocks") },
  );
  expect(rows).toBeGreaterThan(40_000);
});

it("programs of any bytes check, if the trace is accepted at all", { timeout: 900_000 }, async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(wildProgram(), async (code) => {
      let run: Awaited<ReturnType<typeof blockOf>>;
      try {
        run = await blockOf({ code, gasLimit: 100_000n, calls: 2, storage: [[1n, 1n << 128n]] });
        await validateTrace(run.trace);
      } catch (error) {
        expect(error).toBeInstanceOf(TraceError);
        return;
      }
      accepted++;
      await expectHonest(run);
    }),
    { numRuns: 1_000, seed: seedOf("any bytes") },
  );
  expect(accepted).toBeGreaterThan(50);
});
