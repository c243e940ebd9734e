import { describe, expect, test } from "vitest";
import { describeUnmatched } from "../../../src/block/check.js";
import { type BlockReport, describeReport, describeRowFault, holds, reportDetails } from "../../../src/cli/check.js";
import { SCENARIOS } from "../../../src/cli/trace.js";
import { SCENARIO_NAMES } from "../../../src/trace/index.js";

const good: BlockReport = { steps: 1947, rows: 2015, messages: 20314, faults: [], unmatched: [], refusals: [] };
const fault = { row: "push", index: 17, columns: { t: 5n, hi: 2n ** 127n, sp: -1n }, constraint: 12 } as const;
const loose = { tag: "STACK", fields: { t: 4n, ctx: 1n }, net: -1n, by: ["add 3", "verifier"] };
const refusal = { code: "TX_NONCE", where: "transactions[0]", message: "transactions[0]: not the nonce" };

describe("what check says", () => {
  test("a block that holds is one line", () => {
    expect(holds(good)).toBe(true);
    expect(describeReport(good, describeUnmatched)).toBe(
      "OK: all constraints hold and the bus balances: 1,947 steps, 2,015 rows, 20,314 messages",
    );
  });

  test("each kind of fault is a reason, and is told in words", () => {
    for (const change of [{ faults: [fault] }, { unmatched: [loose] }, { refusals: [refusal] }]) {
      expect(holds({ ...good, ...change })).toBe(false);
    }
    const text = describeReport(
      { ...good, faults: [fault], unmatched: [loose], refusals: [refusal] },
      describeUnmatched,
    );
    expect(text.split("\n")).toEqual([
      "DOES NOT HOLD: 1 row fault, 1 unmatched message, 1 refusal in 1,947 steps, 2,015 rows, 20,314 messages",
      "  refused: transactions[0]: not the nonce [TX_NONCE]",
      `  push 17: constraint 12 does not hold (t 5, hi 0x8${"0".repeat(31)}, sp -1)`,
      `  ${describeUnmatched(loose)}`,
    ]);
    expect(describeUnmatched(loose)).toMatch(/^STACK\(t 4, ctx 1\): received 1 .*\(add 3; verifier\)$/);
    expect(describeRowFault({ ...fault, constraint: "sum" })).toMatch(/^push 17: the circuit's sum/);
    expect(describeRowFault({ ...fault, constraint: "division by zero" })).toMatch(/^push 17: a division by zero/);
  });

  test("people get twenty of a kind, programs all, in JSON", () => {
    const faults = Array.from({ length: 1234 }, (_, index) => ({ ...fault, index }));
    const lines = describeReport({ ...good, faults }, describeUnmatched).split("\n");
    expect(lines.length).toBe(22);
    expect(lines.at(-1)).toBe("  … and 1,214 more; all with --json");
    const details = reportDetails({ ...good, faults, unmatched: [loose] });
    const parsed = JSON.parse(JSON.stringify(details));
    expect(parsed.faults.length).toBe(1234);
    expect(parsed.faults[7]).toEqual({
      row: "push",
      index: 7,
      constraint: 12,
      columns: { t: "0x5", hi: `0x8${"0".repeat(31)}`, sp: "-0x1" },
    });
    expect(parsed.unmatched).toEqual([
      { tag: "STACK", fields: { t: "0x4", ctx: "0x1" }, net: "-1", by: ["add 3", "verifier"] },
    ]);
  });
});

test("the scenarios that --help names are those that are built in", () => {
  expect(SCENARIOS).toEqual(SCENARIO_NAMES);
});
