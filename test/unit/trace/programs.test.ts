/** Traces of programs that nobody wrote, and of gas. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TraceError } from "../../../src/trace/errors.js";
import { validateTrace } from "../../../src/trace/index.js";
import { blockOf, program, traceOf, wildProgram } from "../../support/contracts.js";

const STORAGE = [
  [1n, 1n],
  [2n, 2n],
  [3n, (1n << 256n) - 1n],
] as const;
const DATA = Uint8Array.from({ length: 70 }, (_, i) => (i % 5 === 0 ? 0 : 255 - i));

describe("random programs", () => {
  it("validate as the EVM ran them, twice in a block", { timeout: 120_000 }, async () => {
    let halted = 0;
    await fc.assert(
      fc.asyncProperty(
        program(),
        fc.constantFrom(200_000n, 200_000n, 200_000n, 60_000n, 30_000n),
        fc.constantFrom([], [0n, 1n]),
        async (code, gasLimit, accessList) => {
          const calls = 2;
          const run = await blockOf({ code, data: DATA, gasLimit, storage: STORAGE, accessList, value: 77n, calls });
          await validateTrace(run.trace);
          halted += run.trace.executions.filter(({ status, gasUsed }) => status === 0 && gasUsed === gasLimit).length;
        },
      ),
      { numRuns: 40, seed: 7 },
    );
    expect(halted).toBeGreaterThan(5);
  });

  it("of any bytes validate, or are refused by name", { timeout: 120_000 }, async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(wildProgram(), async (code) => {
        let outcome = "ok";
        try {
          await validateTrace(await traceOf({ code, data: DATA, storage: STORAGE, gasLimit: 100_000n }));
        } catch (error) {
          expect(error, String((error as Error).stack)).toBeInstanceOf(TraceError);
          outcome = (error as TraceError).code;
          expect(outcome).toBe("TRACE_UNSUPPORTED_OPCODE");
        }
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
      { numRuns: 120, seed: 11 },
    );
    expect(outcomes.get("ok")).toBeGreaterThan(100);
  });
});

describe("gas", () => {
  it("of two writes to a slot, from and to any of three values, in two transactions", async () => {
    const values = [0n, 1n, 2n];
    const slots = values.flatMap((a) => values.flatMap((b) => values.map((c) => [a, b, c] as const)));
    const code = slots.map(([, b, c], slot) => `${b} ${slot} SSTORE ${c} ${slot} SSTORE`).join(" ");
    const storage = slots.map(([a], slot) => [BigInt(slot), a] as const).filter(([, a]) => a !== 0n);
    for (const accessList of [[], [0n, 7n, 26n]]) {
      const trace = await traceOf({ code, storage, gasLimit: 2_000_000n, accessList, calls: 2 });
      expect(trace.executions.map(({ status }) => status)).toEqual([1, 1]);
      await validateTrace(trace);
    }
  });

  it("of SSTORE with one gas more than the sentry (EIP-2200)", async () => {
    const trace = await traceOf({ code: "0 0 SSTORE", gasLimit: 23305n });
    expect(trace.executions[0]!.steps.map(({ gas }) => gas)).toEqual([2305n, 2303n, 2301n, 101n]);
    await validateTrace(trace);
  });

  it("of memory grows with its square", async () => {
    const trace = await traceOf({ code: `1 ${32 * 500} MSTORE ${32 * 2000} MLOAD 7 ${32 * 2100} RETURN` });
    // 3 · 501 + floor(501² / 512) + 3
    expect(trace.executions[0]!.steps[2]!.gas - trace.executions[0]!.steps[3]!.gas).toBe(1503n + 490n + 3n);
    await validateTrace(trace);
  });
});
