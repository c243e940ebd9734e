import { describe, expect, it } from "vitest";
import { RowError } from "../../../src/rows/errors.js";
import { assignFail, fail } from "../../../src/rows/fail.js";
import type { Machine } from "../../../src/rows/machine.js";
import { machineWith, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit, type Sample } from "../../support/rows.js";
import { changed, FRAME, messagesWith, WRITTEN } from "../../support/storage.js";

const { T } = FRAME;

/** Counters at the end of an undo. */
function counters(m: Machine, { j = 0n, refund = 0n, n = 0n } = {}): void {
  m.give("JRN", `${T}`, { T, j }, WRITTEN);
  m.give("REFUND", `${T}`, { T, value: refund }, WRITTEN - 1n);
  m.give("LOGS", `${T}`, { T, n }, WRITTEN - 65_536n);
}

const sample = (gas: bigint, refund: bigint, n: bigint): Sample =>
  sampleOf(
    fail,
    `gas ${gas}, refund ${refund}, ${n} logs`,
    [1n, 2n],
    (m) => {
      counters(m, { refund, n });
      assignFail(m, T);
    },
    { gas },
  );

describeRow({
  template: fail,
  cost: 48,
  samples: () => [sample(900_000n, 0n, 0n), sample(0n, 4800n, 3n), sample((1n << 31n) - 1n, 19_900n, 1n)],
});

describe("end of a failed root frame", () => {
  it("ends the transaction with status 0 and what gas is left, refund and logs gone", () => {
    const { columns } = sample(1234n, 4800n, 3n);
    const clk = columns[0]!;
    expect(messagesWith(fail, columns, "TXEND")).toEqual([
      { multiplicity: 1n, fields: { clk, ctx: 901n, gas: 1234n, T, status: 0n } },
    ]);
    expect(messagesWith(fail, columns, "REFUND").map(({ fields }) => fields.value)).toEqual([4800n, 0n]);
    expect(messagesWith(fail, columns, "LOGS").map(({ fields }) => fields.n)).toEqual([3n, 0n]);
    expect(messagesWith(fail, columns, "STATE")).toMatchObject([{ multiplicity: -1n, fields: { mode: 1n } }]);
  });

  it("has no end for a frame that spent more than it had", async () => {
    const circuit = await rowCircuit("fail");
    const { columns } = sample(0n, 0n, 0n);
    for (const gas of [-1n, -65_536n, -(1n << 31n), 1n << 32n]) {
      const spent = changed(fail, columns, { gas, gasHigh: gas >> 16n });
      expect(passes(circuit, fail, spent, spent), `gas ${gas}`).toBe(false);
    }
  });

  it("is not assigned before all is undone, or with negative gas", () => {
    const early = machineWith([]);
    counters(early, { j: 1n });
    expect(() => assignFail(early, T)).toThrow(
      expect.objectContaining({ constructor: RowError, code: "JOURNAL_LEFT", expected: "0", got: "1" }),
    );
    const spent = machineWith([], { gas: -1n });
    counters(spent);
    expect(() => assignFail(spent, T)).toThrow(
      expect.objectContaining({ constructor: RowError, code: "GAS_NEGATIVE", got: "-1" }),
    );
  });
});
