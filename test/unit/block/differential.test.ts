/** Blocks under `check`, and what the verifier makes of them, against the real EVM. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TraceError } from "../../../src/trace/errors.js";
import { loadScenario, runScenario, SCENARIO_NAMES, validateTrace } from "../../../src/trace/index.js";
import { expectHonest, randomBlock, scenarioOf, seedOf } from "../../support/blocks.js";
import { blockOf, EVERYTHING, wildProgram } from "../../support/contracts.js";

describe("built-in blocks", () => {
  for (const name of SCENARIO_NAMES) {
    it(`check, and do what the EVM does: ${name}`, async () => {
      await expectHonest(await runScenario(loadScenario(name)));
    });
  }

  for (const [mode, end] of ["STOP", "RETURN", "REVERT", "the end of the code"].entries()) {
    it(`check, and do what the EVM does: every opcode, up to ${end}`, async () => {
      const data = new Uint8Array(64).fill(9);
      data.fill(0, 0, 32);
      data[31] = mode;
      await expectHonest(await blockOf({ code: EVERYTHING, data, storage: [[7n, 9n]], value: 5n, calls: 2 }));
    });
  }
});

describe("storage", () => {
  it("costs and refunds what the EVM says, for all histories of two writes in two transactions", async () => {
    const values = [0n, 1n, (1n << 255n) + 1n];
    const slots = values.flatMap((a) => values.flatMap((b) => values.map((c) => [a, b, c] as const)));
    const code = slots.map(([, b, c], slot) => `${b} ${slot} SSTORE ${c} ${slot} SSTORE`).join(" ");
    const storage = slots.map(([a], slot) => [BigInt(slot), a] as const).filter(([, a]) => a !== 0n);
    for (const accessList of [[], [0n, 7n, 26n]]) {
      await expectHonest(await blockOf({ code, storage, gasLimit: 2_000_000n, accessList, calls: 2 }));
    }
  });

  it("is what it was after a reverted transaction, cold, and with its original", async () => {
    const store = { code: "32 CALLDATALOAD 0 CALLDATALOAD SSTORE 64 CALLDATALOAD @r JUMPI STOP r: 0 0 REVERT" };
    const call = (slot: number, value: number, revert: number, more = {}) => ({
      ...{ from: "alice", to: "store", data: [slot, value, revert], value: 3 },
      ...more,
    });
    const list = { type: 1, accessList: [{ address: "store", storageKeys: [5, 6, 5] }] };
    await expectHonest(
      await scenarioOf({ store: { ...store, storage: { 5: 9 } } }, [
        call(5, 1, 1),
        call(5, 9, 0),
        call(5, 0, 1, list),
        call(5, 0, 0, list),
        call(5, 0, 1),
        call(5, 7, 0),
        call(6, 7, 1, list),
        call(6, 0, 0),
      ]),
    );
  });
});

describe("random blocks", () => {
  it("check, and do what the EVM does", { timeout: 120_000 }, async () => {
    let rows = 0;
    await fc.assert(
      fc.asyncProperty(randomBlock(), async ({ contracts, calls, block }) => {
        const run = await scenarioOf(contracts, calls, block);
        await validateTrace(run.trace);
        rows += (await expectHonest(run, { sample: 16 })).rows;
      }),
      { numRuns: 40, seed: seedOf("random blocks") },
    );
    // 80 blocks of some 190
    expect(rows).toBeGreaterThan(5_000);
  });

  it("of any bytes check, if the trace is accepted at all", { timeout: 120_000 }, async () => {
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
        await expectHonest(run, { sample: 4 });
      }),
      { numRuns: 50, seed: seedOf("any bytes") },
    );
    expect(accepted).toBeGreaterThan(5);
  });
});
