import { describe, expect, it } from "vitest";
import { assignHaltgas, haltgas } from "../../../src/rows/haltgas.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { codeAt, haltAt, haltedBy } from "../../support/halts.js";
import { machineWith, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf } from "../../support/steps.js";

const [ADD, SSTORE, GAS] = [0x01, 0x55, 0x5a];
const sample = (op: number, gas: bigint) =>
  sampleOf(haltgas, `0x${op.toString(16)} with ${gas}`, [7n, 8n], (m) => assignHaltgas(m, { code: codeAt(op) }), {
    gas,
  });

describeRow({
  template: haltgas,
  cost: 26,
  samples: () => [
    ...[-1n, -65_538n, 1n - (1n << 32n)].map((gas) => sample(ADD, gas)),
    ...[0n, 1n].map((gas) => sample(GAS, gas)),
    ...[0n, 2300n].map((gas) => sample(SSTORE, gas)),
  ],
});

describe("a halt for want of gas", () => {
  it("is needed with negative gas, by GAS below 2 and by SSTORE up to 2300", () => {
    const at = (op: number, gas: bigint) => haltAt(codeAt(op), [7n, 8n], { gas });
    expect([-1n, 0n, 1n].map((gas) => at(ADD, gas))).toEqual(["gas", undefined, undefined]);
    expect([-1n, 0n, 1n, 2n].map((gas) => at(GAS, gas))).toEqual(["gas", "gas", "gas", undefined]);
    expect([-1n, 0n, 2300n, 2301n].map((gas) => at(SSTORE, gas))).toEqual(["gas", "gas", "gas", undefined]);
  });

  it("goes on in mode UNDO without gas", () => {
    for (const [op, gas] of [
      [ADD, -3n],
      [GAS, 1n],
      [SSTORE, 2300n],
    ] as const) {
      haltedBy(machineWith([7n, 8n], { gas }), haltgas, (m) => assignHaltgas(m, { code: codeAt(op) }));
    }
  });

  it("fetches the opcode where the limit is its own", () => {
    const classes = (op: number, gas: bigint) => askedOf(haltgas, "CODE", sample(op, gas)).map((entry) => entry.class);
    expect([classes(ADD, -1n), classes(GAS, -1n), classes(GAS, 1n), classes(SSTORE, 1n)]).toEqual([
      [],
      [],
      [0x5an],
      [0x55n],
    ]);
  });

  it("can't be where the gas suffices", async () => {
    const circuit = await rowCircuit("haltgas");
    const untrue = expect.objectContaining({ code: "HALT_UNTRUE" });
    for (const [op, gas, flags] of [
      [ADD, 0n, {}],
      [ADD, 5n, {}],
      [GAS, 2n, { isGas: 1n }],
      [SSTORE, 2301n, { isSstore: 1n }],
      // without its opcode, a limit is -1
      [ADD, 1n, { isGas: 0n }],
      // two limits at once, or one and a half
      [GAS, 2n, { isGas: 1n, isSstore: 1n }],
      [GAS, 2n, { isGas: 2n, isSstore: -1n }],
      [GAS, 2n, { isGas: (FR_MODULUS + 3n) / 2n }],
    ] as const) {
      expect(() => sample(op, gas)).toThrow(untrue);
      for (const high of [0n, 1n, 65_535n]) {
        const columns = forged(haltgas, sample(ADD, -1n).columns, { gas, high, ...flags });
        expect(passes(circuit, haltgas, columns, columns), `${op} with ${gas}`).toBe(false);
      }
    }
  });
});
