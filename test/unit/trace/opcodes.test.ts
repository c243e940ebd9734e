/** Everything that one frame can do, executed, validated, and executed again by an EVM that nobody watches. */

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type BuiltBlock,
  decodeTrace,
  encodeTrace,
  mnemonic,
  OPCODES,
  type Trace,
  TraceError,
  validateTrace,
} from "../../../src/trace/index.js";
import { fromHex, toHex } from "../../../src/trace/read.js";
import { EVERYTHING, traceOf } from "../../support/contracts.js";
import { callAll, chainOf, HALTS, LIBRARY, NOBODY, RESULTS, SAVER } from "../../support/single-frame.js";
import { expectTraceError } from "../../support/trace-errors.js";

type Mutable<T> = T extends Uint8Array | bigint ? T : { -readonly [K in keyof T]: Mutable<T[K]> };
const copyOf = (trace: Trace) => structuredClone(trace) as Mutable<Trace>;

describe("every opcode", () => {
  let built: BuiltBlock;
  let trace: Trace;
  beforeAll(async () => {
    built = await callAll(await chainOf(RESULTS), RESULTS);
    trace = built.trace;
  });

  it("leaves its result", () => {
    const left = trace.executions.map(({ steps }) => steps.at(-1)!.stack.at(-1));
    expect(RESULTS.map(({ name }, i) => `${name}: ${left[i]}`)).toEqual(
      RESULTS.map(({ name, result }) => `${name}: ${result}`),
    );
    expect(trace.executions.map(({ status, steps }) => [status, mnemonic(steps.at(-1)!.op)])).toEqual(
      RESULTS.map(() => [1, "STOP"]),
    );
  });

  it("is there", async () => {
    const seen = new Set(trace.executions.flatMap(({ steps }) => steps.map(({ op }) => op)));
    for (const mode of [0, 1, 2, 3]) {
      const data = new Uint8Array(64);
      data[31] = mode;
      const everything = await traceOf({ code: EVERYTHING, data, storage: [[7n, 9n]] });
      await validateTrace(everything);
      for (const { op } of everything.executions[0]!.steps) seen.add(op);
    }
    const missing = [...OPCODES.values()].filter(({ op }) => !seen.has(op));
    expect(missing.map(({ name }) => name)).toEqual([]);
    expect(seen.size).toBe(OPCODES.size);
  });

  it("validates, from a file too", async () => {
    await validateTrace(trace);
    expect(decodeTrace(encodeTrace(trace))).toEqual(trace);
  });

  it("does the same where nobody watches", async () => {
    await (await chainOf(RESULTS)).execute(built.block);
  });

  it("looks at accounts that are in the pre-state", () => {
    const accounts = new Map(trace.preState.accounts.map((account) => [account.address, account]));
    expect(accounts.get(LIBRARY)).toMatchObject({ nonce: 1n, balance: 99n, code: expect.any(Uint8Array) });
    expect(accounts.get(SAVER)).toMatchObject({ balance: 5n, storage: [] });
    expect(accounts.get(NOBODY)).toMatchObject({ nonce: 0n, balance: 0n });
    expect(trace.blockHashes).toEqual([]);
  });

  it("logs, and the header has the bloom", async () => {
    expect(trace.header.logsBloom).not.toMatch(/^0x0*$/);
    const bloom = fromHex(trace.header.logsBloom);
    bloom[100]! ^= 1;
    const forged = { ...trace, header: { ...trace.header, logsBloom: toHex(bloom) } };
    await expectTraceError(() => validateTrace(forged), "TRACE_HEADER", "header.logsBloom");
  });
});

describe("every halt", () => {
  let built: BuiltBlock;
  beforeAll(async () => {
    built = await callAll(await chainOf(HALTS), HALTS);
  });

  it("is the last step and takes all gas", async () => {
    const { executions } = built.trace;
    const found = HALTS.map(({ name, gasLimit = 200_000n }, i) => {
      const { status, gasUsed, steps } = executions[i]!;
      return `${name}: ${status} ${gasUsed === gasLimit} ${steps.length > 0}`;
    });
    expect(found).toEqual(HALTS.map(({ name }) => `${name}: 0 true true`));
    // nothing but the gas is left of it
    expect(built.trace.header.logsBloom).toMatch(/^0x0*$/);
    await validateTrace(built.trace);
    expect(decodeTrace(encodeTrace(built.trace))).toEqual(built.trace);
  });

  it("does the same where nobody watches", async () => {
    await (await chainOf(HALTS)).execute(built.block);
  });

  it("of an underflow is at the opcode that lacks an operand", () => {
    HALTS.forEach(({ name }, i) => {
      const op = /^underflow of (\w+)$/.exec(name)?.[1];
      if (op !== undefined) expect(mnemonic(built.trace.executions[i]!.steps.at(-1)!.op)).toBe(op);
    });
  });
});

describe("what a trace lacks or claims too much of", () => {
  const code = `1 BLOCKHASH POP ${SAVER} BALANCE POP 3 SLOAD POP ${LIBRARY} EXTCODEHASH POP 1 1 TSTORE`;
  let trace: Trace;
  beforeAll(async () => {
    const cases = [{ name: "looks", code }];
    ({ trace } = await callAll(await chainOf(cases), cases));
  });
  const check = async (
    where: string,
    tamper: (trace: Mutable<Trace>) => void,
    code: "TRACE_PRESTATE" | "TRACE_ORDER" | "TRACE_STACK" = "TRACE_PRESTATE",
  ) => {
    const copy = copyOf(trace);
    tamper(copy);
    await expectTraceError(() => validateTrace(copy), code, where);
  };
  const without = (address: string) => (t: Mutable<Trace>) => {
    const i = t.preState.accounts.findIndex((account) => account.address === address);
    t.preState.accounts.splice(i, 1);
  };

  it("accounts", async () => {
    await validateTrace(trace);
    await check("transaction 0, step 4 (BALANCE at pc 7)", without(SAVER));
    await check("transaction 0, step 10 (EXTCODEHASH at pc 16)", without(LIBRARY));
  });

  it("hashes of blocks", async () => {
    expect(trace.blockHashes).toEqual([[1n, trace.header.parentHash]]);
    const step = "transaction 0, step 1 (BLOCKHASH at pc 2)";
    const other = `0x${"11".repeat(32)}` as const;
    await check(step, (t) => (t.blockHashes = []));
    await check(step, (t) => (t.blockHashes[0]![0] = 0n));
    await check("blockHashes[0]", (t) => (t.blockHashes[0]![1] = other));
    await check("blockHashes[0]", (t) => t.blockHashes.unshift([0n, other]));
    await check("blockHashes[1]", (t) => t.blockHashes.push([1n, other]), "TRACE_ORDER");
    // what nothing else in the trace says
    const cases = [{ name: "looks", code: "0 BLOCKHASH" }];
    const copy = copyOf((await callAll(await chainOf(cases), cases)).trace);
    await validateTrace(copy);
    copy.blockHashes[0]![1] = other;
    await expectTraceError(() => validateTrace(copy), "TRACE_STACK", "transaction 0, step 2 (STOP at pc 2)");
  });
});

describe("a trace with values replaced", () => {
  const replacements = [0n, 1n, 1n << 63n, (1n << 64n) - 1n, 1n << 255n, (1n << 256n) - 1n];

  /** All places of a value that can be replaced by another of its type. */
  function places(value: unknown, found: [object, string][] = []): [object, string][] {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return found;
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === "object") places(inner, found);
      else found.push([value, key]);
    }
    return found;
  }

  it("is refused with a TraceError, or is still right", { timeout: 60_000 }, async () => {
    const code = `1 BLOCKHASH 7 SSTORE ${LIBRARY} BALANCE 3 MSTORE8 35 0 LOG0 3 SLOAD 9 KECCAK256 NUMBER POP`;
    const cases = [{ name: "everything", code }];
    const { trace } = await callAll(await chainOf(cases), cases);
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom(...replacements), fc.nat(31), async (at, number, byte) => {
        const copy = copyOf(trace);
        const all = places({ ...copy, preState: { accounts: copy.preState.accounts } });
        const [holder, key] = all[at % all.length]!;
        const fields = holder as Record<string, unknown>;
        const old = fields[key];
        if (typeof old === "bigint") fields[key] = number;
        else if (typeof old === "number") fields[key] = Number(number & 0xffffn);
        else if (typeof old === "string") fields[key] = old.replace(/.{1,2}$/, byte.toString(16).padStart(2, "0"));
        try {
          await validateTrace(copy);
        } catch (error) {
          expect(error, String((error as Error).stack)).toBeInstanceOf(TraceError);
          expect((error as TraceError).code).not.toBe("TRACE_EVM");
          refused++;
        }
      }),
      { numRuns: 200, seed: 5 },
    );
    expect(refused).toBeGreaterThan(150);
  });
});
