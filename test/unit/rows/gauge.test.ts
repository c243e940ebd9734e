import { describe, expect, it } from "vitest";
import { assignGauge, gauge } from "../../../src/rows/gauge.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, byName, inOrder, stepped } from "../../support/steps.js";

const WHICH = ["pc", "msize", "gas"] as const;
type Which = (typeof WHICH)[number];
const sample = (which: Which, registers: Partial<typeof REGISTERS> = {}) =>
  sampleOf(gauge, `${which} ${Object.entries(registers)}`, [9n], (m) => assignGauge(m, which), registers);

describeRow({
  template: gauge,
  cost: 32,
  samples: () =>
    WHICH.flatMap((which) => [
      sample(which),
      sample(which, { pc: 0n, msize: 0n, gas: 2n }),
      sample(which, { pc: 0xffffn, msize: (1n << 20n) - 1n, gas: (1n << 31n) - 1n }),
    ]),
});

describe("PC, MSIZE, GAS", () => {
  it("push what the machine knows", () => {
    const { pc, msize, gas } = REGISTERS;
    for (const [which, value] of [
      ["pc", pc],
      ["msize", 32n * msize],
      ["gas", gas - 2n],
    ] as const) {
      const assign = (m: Parameters<typeof assignGauge>[0]) => assignGauge(m, which);
      expect(stepped([9n], assign)).toEqual({ stack: [9n, value], pc: pc + 1n, cost: 2n });
    }
  });

  it("fetch an opcode each", () => {
    for (const [i, which] of WHICH.entries()) {
      const opcode = [0x58n, 0x59n, 0x5an][i]!;
      expect(askedOf(gauge, "CODE", sample(which)).map((entry) => entry.class)).toEqual([opcode]);
    }
  });

  it("don't push gas that is missing", async () => {
    const circuit = await rowCircuit("gauge");
    const columns = byName(gauge, sample("gas"));
    for (const gas of [0n, 1n, -1n]) {
      for (const high of [0n, -1n, (gas - 2n) >> 16n]) {
        const forged = inOrder(gauge, { ...columns, gas, high });
        expect(passes(circuit, gauge, forged, forged)).toBe(false);
      }
    }
  });

  it("are one of the three", async () => {
    const circuit = await rowCircuit("gauge");
    const columns = byName(gauge, sample("pc"));
    for (const [isMsize, isGas, act] of [
      [1n, 1n, 1n],
      [1n, 0n, 0n],
      [0n, 1n, 0n],
      [1n, 1n, 2n],
      [1n, -1n, 1n],
    ] as const) {
      expect(evaluate(circuit, gauge, inOrder(gauge, { ...columns, isMsize, isGas, act })).violated).not.toEqual([]);
    }
  });

  it("leave no room for an item 1025", async () => {
    const circuit = await rowCircuit("gauge");
    for (const [sp, fits] of [
      [1023n, true],
      [1024n, false],
    ] as const) {
      const columns = inOrder(gauge, { ...byName(gauge, sample("pc")), sp });
      expect(passes(circuit, gauge, columns, columns)).toBe(fits);
    }
  });
});
