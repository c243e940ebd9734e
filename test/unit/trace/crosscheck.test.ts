/** Struct logs and EIP-3155 lines beside a trace: the same passes, whatever is different is named. */

import { beforeAll, describe, expect, it } from "vitest";
import {
  CrossCheckError,
  type CrossCheckErrorCode,
  crossCheck,
  readEip3155,
  readStructLogs,
} from "../../../src/trace/crosscheck.js";
import { mnemonic, type Trace } from "../../../src/trace/index.js";
import { quantity } from "../../../src/trace/read.js";
import { transactionHash } from "../../../src/trace/rpc-block.js";
import { traceOf } from "../../support/contracts.js";

/** Refunds, memory, a halt on a byte that is no opcode. */
const CODE = "0 7 SSTORE 1 64 MSTORE 64 MLOAD POP 5 GAS POP .0x0c";

// biome-ignore lint/suspicious/noExplicitAny: logs that are broken in every way
type Json = any;

let trace: Trace;
let hashes: `0x${string}`[];
let structLogs: Json[];
let lines: Json[];
beforeAll(async () => {
  trace = await traceOf({ code: CODE, storage: [[7n, 9n]], calls: 2 });
  hashes = trace.transactions.map(transactionHash);
  structLogs = trace.executions.map(({ steps, status }, i) => ({
    txHash: hashes[i],
    result: {
      failed: status === 0,
      gas: 1,
      returnValue: "",
      structLogs: steps.map(({ pc, op, gas, stack, refund }) => ({
        pc,
        op: mnemonic(op).startsWith("0x") ? `opcode ${mnemonic(op)} not defined` : mnemonic(op),
        gas: Number(gas),
        gasCost: 3,
        depth: 1,
        stack: stack.map(quantity),
        ...(refund === 0n ? {} : { refund: Number(refund) }),
      })),
    },
  }));
  lines = trace.executions.flatMap(({ steps }): Json[] => [
    ...steps.map(({ pc, op, gas, stack, memorySize, refund }, j) => ({
      pc,
      op,
      gas: quantity(gas),
      gasCost: "0x3",
      memSize: 32 * memorySize,
      stack: stack.map(quantity),
      depth: 1,
      // as geth has it: after the step
      refund: Number(steps[j + 1]?.refund ?? refund),
    })),
    { output: "", gasUsed: "0x5", error: "invalid opcode" },
  ]);
});

const text = (list: readonly Json[]) => list.map((line) => JSON.stringify(line)).join("\n");

function expectCrossCheckError(action: () => unknown, code: CrossCheckErrorCode, where: string | undefined) {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(CrossCheckError);
  const error = thrown as CrossCheckError;
  expect({ code: error.code, where: error.where }, error.message).toEqual({ code, where });
  return error;
}

describe("the same steps", () => {
  it("as struct logs: of a block, of transactions, as answers, by hash or in order", () => {
    const results = structLogs.map(({ result }) => result);
    for (const form of [structLogs, structLogs.toReversed(), results, { jsonrpc: "2.0", id: 1, result: structLogs }]) {
      expect(() => crossCheck(trace, readStructLogs(form), hashes)).not.toThrow();
    }
    const single = { jsonrpc: "2.0", id: 1, result: results[0] };
    const logs = [...readStructLogs(single), ...readStructLogs(results[1])];
    expect(() => crossCheck(trace, logs, hashes)).not.toThrow();
  });

  it("as EIP-3155 lines, with and without optional fields", () => {
    expect(trace.executions[0]!.steps.at(-1)!.refund).toBeGreaterThan(0n);
    expect(() => crossCheck(trace, readEip3155(text(lines)), hashes)).not.toThrow();
    const bare = lines.map(({ refund, memSize, stack, error, ...rest }) => ({
      ...rest,
      ...(error && { pass: false }),
    }));
    expect(() => crossCheck(trace, readEip3155(`${text(bare)}\n\n`), hashes)).not.toThrow();
  });
});

describe("other steps", () => {
  const at = "transaction 1, step 4 (PUSH1 at pc 6)";
  const cases: [string, (step: Json, steps: Json[]) => void, CrossCheckErrorCode, string?][] = [
    ["pc", (s) => s.pc++, "CROSSCHECK_MISMATCH"],
    ["opcode", (s) => (s.op = 0x61), "CROSSCHECK_MISMATCH"],
    ["opcode", (s) => (s.op = "UNKNOWN"), "CROSSCHECK_MISMATCH"],
    ["gas", (s) => (s.gas = "0x77"), "CROSSCHECK_MISMATCH"],
    ["stack", (s) => s.stack.push("0x0"), "CROSSCHECK_MISMATCH"],
    ["item 0 of the stack", (s) => (s.stack[0] = "0x2"), "CROSSCHECK_MISMATCH"],
    ["depth", (s) => (s.depth = 2), "CROSSCHECK_MISMATCH"],
    ["size of memory", (s) => (s.memSize = 1), "CROSSCHECK_MISMATCH"],
    ["refund counter", (s) => (s.refund = 1), "CROSSCHECK_MISMATCH"],
    ["number of steps", (_, steps) => steps.splice(-2, 1), "CROSSCHECK_MISMATCH", "transaction 1"],
    ["status", (_, steps) => delete steps.at(-1).error, "CROSSCHECK_MISMATCH", "transaction 1"],
  ];
  it.each(cases)("%s", (field, change, code, where = at) => {
    const copy = structuredClone(lines);
    const half = copy.splice(copy.length / 2);
    change(half[4], half);
    const error = expectCrossCheckError(
      () => crossCheck(trace, readEip3155(text([...copy, ...half])), hashes),
      code,
      where,
    );
    expect(error.message).toContain(`another ${field}`);
  });

  it("not of all transactions", () => {
    const some = (list: Json[]) => () => crossCheck(trace, readStructLogs(list), hashes);
    expectCrossCheckError(some(structLogs.slice(1)), "CROSSCHECK_COUNT", undefined);
    const foreign = { ...structLogs[0], txHash: `0x${"11".repeat(32)}` };
    expectCrossCheckError(some([foreign, structLogs[1]]), "CROSSCHECK_COUNT", "transaction 0");
  });

  it("no logs at all", () => {
    const line = (bad: string) => () => readEip3155(`${text(lines.slice(0, 2))}\n${bad}`);
    for (const bad of ["x", "[]", "{}", '{"pc":-1,"op":1,"gas":"0x1"}', '{"pc":1,"op":1,"gas":"0x1","stack":["y"]}']) {
      const where = bad.startsWith('{"pc":-1') ? "line 3.pc" : bad.includes("stack") ? "line 3.stack[0]" : "line 3";
      expectCrossCheckError(line(bad), "CROSSCHECK_FORMAT", where);
    }
    expectCrossCheckError(
      () => readStructLogs({ structLogs: [{}] }),
      "CROSSCHECK_FORMAT",
      "transaction 0.structLogs[0].pc",
    );
    expectCrossCheckError(() => readStructLogs([{ txHash: "0x" }]), "CROSSCHECK_FORMAT", "transaction 0.txHash");
    expectCrossCheckError(() => readStructLogs("logs"), "CROSSCHECK_FORMAT", "transaction 0");
  });
});
