import { describe, expect, it } from "vitest";
import { assignSelfbalance, selfbalance } from "../../../src/rows/selfbalance.js";
import { giveAccount } from "../../support/accounts.js";
import { EDGE_WORDS, machineWith, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit, type Sample } from "../../support/rows.js";
import { askedOf, byName, inOrder } from "../../support/steps.js";
import { changed, FRAME } from "../../support/storage.js";

const sample = (balance: bigint): Sample =>
  sampleOf(selfbalance, `balance ${balance}`, [9n], (m) => {
    giveAccount(m, FRAME.address, { balance });
    assignSelfbalance(m, FRAME);
  });

describeRow({ template: selfbalance, cost: 37, samples: () => EDGE_WORDS.map(sample) });

describe("SELFBALANCE", () => {
  it("pushes the balance of the frame's account for 5 gas, and leaves it there", () => {
    const m = machineWith([9n]);
    giveAccount(m, FRAME.address, { balance: (3n << 128n) + 4n });
    assignSelfbalance(m, FRAME);
    const { clk, ctx, pc, gas } = REGISTERS;
    expect(m.registers).toEqual({ ...REGISTERS, clk: clk + 1n, sp: 2n, pc: pc + 1n, gas: gas - 5n });
    expect(m.peek("STACK", `${ctx}:1`)).toEqual({ ctx, index: 1n, hi: 3n, lo: 4n, t: 16n * clk + 2n });
    expect(m.live("BALANCE").map(({ cell }) => cell)).toEqual([
      { address: FRAME.address, hi: 3n, lo: 4n, t: 16n * clk + 2n },
    ]);
    expect(m.has("JRN", "7")).toBe(false);
  });

  it("asks whose account it is", async () => {
    const circuit = await rowCircuit("selfbalance");
    const row = sample(5n);
    const { addressHi, addressLo } = byName(selfbalance, row);
    expect(askedOf(selfbalance, "CTX", row)).toMatchObject([{ field: 0x30n, hi: addressHi, lo: addressLo }]);
    for (const changes of [
      { addressLo: 1n },
      { addressHi: addressHi - 1n, addressLo: addressLo + (1n << 128n) },
      { hi: 1n },
    ])
      expect(passes(circuit, selfbalance, row.columns, changed(selfbalance, row.columns, changes))).toBe(false);
  });

  it("leaves no room for an item 1025", async () => {
    const circuit = await rowCircuit("selfbalance");
    for (const [sp, fits] of [
      [1023n, true],
      [1024n, false],
    ] as const) {
      const columns = inOrder(selfbalance, { ...byName(selfbalance, sample(7n)), sp });
      expect(passes(circuit, selfbalance, columns, columns)).toBe(fits);
    }
  });
});
