/** Blocks under `check`, and what the verifier makes of them, against the real EVM. */

import { describe, expect, it, vi } from "vitest";
import { loadScenario, runScenario, SCENARIO_NAMES } from "../../../src/trace/index.js";
import { expectHonest, expectRandom, expectWild, scenarioOf } from "../../support/blocks.js";
import { blockOf, EVERYTHING } from "../../support/contracts.js";
import { callBlock, HALTS, RESULTS } from "../../support/single-frame.js";

// where no circuit has been compiled yet, all of them are
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

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

describe("one frame", () => {
  it("checks, and does what the EVM does: each opcode, and some ways to halt", async () => {
    // all of them, and the long ones: test/slow
    const halts = HALTS.filter(
      ({ name }, i) => (i % 6 === 0 || name.includes("precompile")) && !name.startsWith("overflow"),
    );
    const { trace, ...block } = await callBlock([...RESULTS, ...halts]);
    await expectHonest({ trace, ...block }, { sample: 32 });
    expect(trace.executions.filter(({ status }) => status === 1)).toHaveLength(RESULTS.length);
  });
});

describe("random blocks", () => {
  it("check, and do what the EVM does", async () => {
    const { rows } = await expectRandom({ blocks: 4, programs: 8, sample: 32 });
    expect(rows).toBeGreaterThan(2_000);
  });

  it("of any bytes check, if the trace is accepted at all", async () => {
    const { accepted } = await expectWild({ blocks: 4, programs: 8, sample: 32 });
    expect(accepted).toBeGreaterThan(1);
  });
});
