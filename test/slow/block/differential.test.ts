/** Thousands of random programs in blocks under `check`, against the real EVM. */

import { expect, it } from "vitest";
import { TEMPLATES } from "../../../src/rows/index.js";
import { expectRandom, expectWild } from "../../support/blocks.js";

it("random blocks check, and do what the EVM does", { timeout: 900_000 }, async () => {
  const { rows, templates } = await expectRandom({ blocks: 40, programs: 24, sample: 32 });
  expect(rows).toBeGreaterThan(80_000);
  expect([...templates].sort()).toEqual(TEMPLATES.map(({ name }) => name).sort());
});

it("programs of any bytes check, if the trace is accepted at all", { timeout: 900_000 }, async () => {
  const { accepted } = await expectWild({ blocks: 60, programs: 20, sample: 32 });
  expect(accepted).toBeGreaterThan(30);
});
