/** The evaluator of traces agrees with the real EVM, on programs that nobody wrote. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TraceError } from "../../../src/trace/errors.js";
import { mnemonic, OPCODES, type Trace, validateTrace } from "../../../src/trace/index.js";
import { blockOf, EVERYTHING, program, traceOf, wildProgram } from "../../support/contracts.js";

const STORAGE = [
  [1n, 1n],
  [2n, 2n],
  [3n, (1n << 256n) - 1n],
] as const;
const DATA = Uint8Array.from({ length: 70 }, (_, i) => (i % 5 === 0 ? 0 : 255 - i));

describe("random programs", () => {
  it("validate as the EVM ran them, or are refused for the halt it had", { timeout: 120_000 }, async () => {
    let finished = 0;
    await fc.assert(
      fc.asyncProperty(
        program(),
        fc.constantFrom(200_000n, 200_000n, 200_000n, 60_000n, 30_000n),
        fc.constantFrom([], [0n, 1n]),
        async (code, gasLimit, accessList) => {
          const { trace, sequencer, block } = await blockOf({
            code,
            data: DATA,
            gasLimit,
            storage: STORAGE,
            accessList,
            value: 77n,
            calls: 2,
          });
          const halted = trace.executions.findIndex(({ steps }) => !ends(steps.at(-1)!.op));
          const failed = trace.executions.findIndex(
            ({ status, gasUsed }, i) => status === 0 && (gasUsed === gasLimit || i === halted),
          );
          if (failed < 0) {
            validateTrace(trace);
            finished++;
          } else {
            expect(errorOf(() => validateTrace(trace))).toMatchObject({
              code: "TRACE_HALT",
              where: expect.stringMatching(new RegExp(`^transaction ${failed}, step \\d+ \\(`)),
            });
          }
          expect(sequencer.head.hash()).toEqual(block.hash());
        },
      ),
      { numRuns: 60, seed: 7 },
    );
    expect(finished).toBeGreaterThan(30);
  });

  it("of any bytes give a clear answer", { timeout: 120_000 }, async () => {
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(wildProgram(), async (code) => {
        let trace: Trace;
        try {
          trace = await traceOf({ code, data: DATA, storage: STORAGE, gasLimit: 100_000n });
        } catch (error) {
          // a REVERT of memory that nobody can pay for is not even executed
          expect(error).toMatchObject({ name: "TraceError", code: "TRACE_HALT" });
          return;
        }
        const { status, steps, gasUsed } = trace.executions[0]!;
        const halted = status === 0 && (!ends(steps.at(-1)!.op) || gasUsed === 100_000n);
        const validated = outcome(() => validateTrace(trace));
        codes.add(validated);
        expect(["ok", "TRACE_HALT", "TRACE_UNSUPPORTED_OPCODE", "TRACE_UNALIGNED"]).toContain(validated);
        if (halted) expect(validated).not.toBe("ok");
        else expect(validated).not.toBe("TRACE_HALT");
      }),
      { numRuns: 120, seed: 11 },
    );
    expect([...codes].sort()).toEqual(["TRACE_HALT", "TRACE_UNALIGNED", "TRACE_UNSUPPORTED_OPCODE", "ok"]);
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
      validateTrace(trace);
    }
  });

  it("of SSTORE with one gas more than the sentry (EIP-2200)", async () => {
    const trace = await traceOf({ code: "0 0 SSTORE", gasLimit: 23305n });
    expect(trace.executions[0]!.steps.map(({ gas }) => gas)).toEqual([2305n, 2303n, 2301n, 101n]);
    validateTrace(trace);
  });

  it("of memory grows with its square", async () => {
    const trace = await traceOf({ code: `1 ${32 * 500} MSTORE ${32 * 2000} MLOAD 7 ${32 * 2100} RETURN` });
    // 3 · 501 + floor(501² / 512) + 3
    expect(trace.executions[0]!.steps[2]!.gas - trace.executions[0]!.steps[3]!.gas).toBe(1503n + 490n + 3n);
    validateTrace(trace);
  });
});

describe("the contract of everything", () => {
  it("executes every supported opcode, and validates however it ends", async () => {
    const seen = new Set<number>();
    for (const [mode, last] of ["STOP", "RETURN", "REVERT", "STOP"].entries()) {
      const data = new Uint8Array(64).fill(9);
      data.fill(0, 0, 32);
      data[31] = mode;
      const trace = await traceOf({ code: EVERYTHING, data, storage: [[7n, 9n]] });
      validateTrace(trace);
      const { steps, status } = trace.executions[0]!;
      for (const { op } of steps) seen.add(op);
      expect(mnemonic(steps.at(-1)!.op)).toBe(last);
      expect(status).toBe(mode === 2 ? 0 : 1);
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([...OPCODES.keys()].sort((a, b) => a - b));
  });
});

function ends(op: number): boolean {
  return ["STOP", "RETURN", "REVERT"].includes(mnemonic(op));
}

/** `ok`, or the code of the TraceError; anything else fails the test. */
function outcome(action: () => void): string {
  return errorOf(action)?.code ?? "ok";
}

function errorOf(action: () => void): TraceError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    expect(error, String((error as Error).stack)).toBeInstanceOf(TraceError);
    return error as TraceError;
  }
}
