import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { assignStop, stop } from "../../../src/rows/stop.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
import { machineWith, REGISTERS } from "../../support/machine.js";
import { forged, outOfRange, sampleOn } from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

const T = 3n;
const sample = (gas: bigint) =>
  sampleOn(machineWith([1n, 2n], { gas }), stop, `${gas} gas left`, (m) => assignStop(m, T));

describeRow({
  template: stop,
  cost: 26,
  samples: () => [0n, 1n, 65_536n, REGISTERS.gas, (1n << 31n) - 1n].map(sample),
});

describe("STOP", () => {
  it("ends the transaction with the gas that is left, and the frame of a root", () => {
    const machine = machineWith([1n]);
    expect(assignStop(machine, T)).toEqual({ clk: REGISTERS.clk, gas: REGISTERS.gas, status: 1n });
    const messages = messagesOf(stop, sample(REGISTERS.gas).columns).filter(({ tag }) => !tag.startsWith("RANGE"));
    const none = { code: 0n, pc: 0n, sp: 0n, gas: 0n, msize: 0n, parent: 0n, j0: 0n, refund0: 0n, log0: 0n };
    const { clk, ctx, gas, code, pc, msize } = REGISTERS;
    expect(messages.map((m) => [m.tag, m.multiplicity, fieldsOf(m)])).toEqual([
      ["STATE", -1n, { clk, ctx, code, pc, sp: 2n, gas, msize, mode: 0n }],
      ["CODE", 1n, { code, pc, immHi: 0n, immLo: 0n, class: 0n, n: 0n, isInstr: 1n }],
      ["CTX", 1n, { ctx, hi: 0n, lo: T, field: 0x100n }],
      ["FRAME", -1n, { ctx, ...none }],
      ["TXEND", 1n, { clk, ctx, gas, T, status: 1n }],
    ]);
  });

  it("does not end a frame that ran out of gas", async () => {
    const circuit = await rowCircuit("stop");
    for (const gas of [-1n, -(1n << 31n), 1n << 32n]) {
      for (const gasHigh of [0n, 65_535n, gas >> 16n]) {
        const columns = forged(stop, sample(5n).columns, { gas, gasHigh });
        expect(evaluate(circuit, stop, columns).violated).toEqual([]);
        expect(outOfRange(stop, columns)).not.toEqual([]);
      }
    }
  });
});
