import { describe, expect, it } from "vitest";
import { assignPower, type PowerToken, power } from "../../../src/rows/power.js";
import { machineWith } from "../../support/machine.js";
import { forged, sampleOn } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";

const MAX = (1n << 256n) - 1n;
const sample = (token: PowerToken, isMul: boolean) =>
  sampleOn(machineWith([]), power, `${isMul ? "acc" : "square"} of 2^${token.i}`, (m) => assignPower(m, token, isMul));

describeRow({
  template: power,
  cost: 105,
  samples: () => [
    sample({ t: 1_120_000n, square: MAX - 8n, i: 200n, acc: MAX - 2n, e: 5n << 127n }, true),
    sample({ t: 1_120_000n, square: 10n, i: 0n, acc: 1n, e: 0n }, true),
  ],
});

describe("power", () => {
  it("squares to one square only", async () => {
    const circuit = await rowCircuit("power");
    for (const square of [10n ** 16n, MAX - 4n]) {
      const { columns } = sample({ t: 1_120_000n, square, i: 4n, acc: 10n, e: 1n }, false);
      expect(passes(circuit, power, columns, columns)).toBe(true);
      for (const [i, name] of power.columns.entries()) {
        // 2^i is looked at only where it is added to e
        if (name.startsWith("pow")) continue;
        for (const other of [columns[i]! + 1n, columns[i]! - 1n, columns[i]! + 65_536n]) {
          expect(passes(circuit, power, columns, columns.with(i, other)), name).toBe(false);
        }
      }
    }
  });

  it("adds no other power of two to the exponent, and none from 2^256 on", async () => {
    const circuit = await rowCircuit("power");
    const token = { t: 1_120_000n, square: 81n, i: 2n, acc: 3n, e: 1n };
    const { columns } = sample(token, true);
    expect(passes(circuit, power, columns, forged(power, columns, { powLo: 8n }))).toBe(false);
    const beyond = sample({ ...token, i: 256n }, true).columns;
    for (const change of [{}, { powHi: 0n }]) {
      const row = forged(power, beyond, change);
      expect(passes(circuit, power, row, row)).toBe(false);
    }
  });
});
