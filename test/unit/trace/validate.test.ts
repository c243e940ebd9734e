import { beforeAll, describe, expect, it } from "vitest";
import {
  assemble,
  blobBaseFee,
  loadScenario,
  opcodeByte,
  runScenario,
  Sequencer,
  scenarioKey,
  signTransaction,
  type Trace,
  type TraceErrorCode,
  type TraceStep,
  validateTrace,
} from "../../../src/trace/index.js";
import { CHAIN_ID, CONTRACT, SENDER, traceOf } from "../../support/contracts.js";
import { expectTraceError } from "../../support/trace-errors.js";

type Mutable<T> = T extends Uint8Array | bigint ? T : { -readonly [K in keyof T]: Mutable<T[K]> };

/** A copy that may be changed. */
function copyOf(trace: Trace): Mutable<Trace> {
  return structuredClone(trace) as Mutable<Trace>;
}

const EMPTY_CODE = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";

describe("a tampered trace of the demo", () => {
  let demo: Trace;
  beforeAll(async () => {
    ({ trace: demo } = await runScenario(loadScenario("demo")));
  });

  // transaction 0 is Fibonacci: PUSH0 PUSH1 1 PUSH0 CALLDATALOAD loop: DUP1 ISZERO PUSH2 JUMPI SWAP2 DUP2 ADD ...
  const add = 11;
  const step = (trace: Mutable<Trace>, i: number, transaction = 0) => trace.executions[transaction]!.steps[i]!;
  const cases: [string, (trace: Mutable<Trace>) => void, TraceErrorCode, string][] = [
    ["program counter", (t) => (step(t, add).pc += 1), "TRACE_PC", "transaction 0, step 11 (ADD at pc 15)"],
    ["opcode", (t) => (step(t, add).op = 3), "TRACE_OPCODE", "transaction 0, step 11 (SUB at pc 14)"],
    ["gas", (t) => (step(t, add).gas += 1n), "TRACE_GAS", "transaction 0, step 11 (ADD at pc 14)"],
    ["free gas", (t) => (step(t, 0).gas += 1n), "TRACE_GAS", "transaction 0, step 0 (PUSH0 at pc 0)"],
    ["result", (t) => (step(t, add + 1).stack[2]! += 1n), "TRACE_STACK", "transaction 0, step 12 (SWAP1 at pc 15)"],
    ["bottom item", (t) => (step(t, add + 1).stack[0] = 9n), "TRACE_STACK", "transaction 0, step 12 (SWAP1 at pc 15)"],
    ["extra item", (t) => step(t, add).stack.push(0n), "TRACE_STACK", "transaction 0, step 11 (ADD at pc 14)"],
    ["lost item", (t) => step(t, add).stack.pop(), "TRACE_STACK", "transaction 0, step 11 (ADD at pc 14)"],
    ["first stack", (t) => step(t, 0).stack.push(5n), "TRACE_STACK", "transaction 0, step 0 (PUSH0 at pc 0)"],
    ["memory size", (t) => (step(t, add).memorySize = 1), "TRACE_MEMORY", "transaction 0, step 11 (ADD at pc 14)"],
    ["refund", (t) => (step(t, add).refund = 4800n), "TRACE_REFUND", "transaction 0, step 11 (ADD at pc 14)"],
    [
      "skipped step",
      (t) => t.executions[0]!.steps.splice(add, 1),
      "TRACE_PC",
      "transaction 0, step 11 (SWAP1 at pc 15)",
    ],
    [
      "repeated step",
      (t) => t.executions[0]!.steps.splice(add, 0, structuredClone(step(t, add))),
      "TRACE_PC",
      "transaction 0, step 12 (ADD at pc 14)",
    ],
    [
      "swapped steps",
      (t) => t.executions[0]!.steps.splice(add, 2, step(t, add + 1), step(t, add)),
      "TRACE_PC",
      "transaction 0, step 11 (SWAP1 at pc 15)",
    ],
    ["no last step", (t) => t.executions[2]!.steps.pop(), "TRACE_ORDER", "transaction 2, step 11 (SSTORE at pc 13)"],
    [
      "a step after the last",
      (t) => t.executions[2]!.steps.push(structuredClone(step(t, 12, 2))),
      "TRACE_ORDER",
      "transaction 2, step 13 (STOP at pc 14)",
    ],
    ["no steps", (t) => t.executions[2]!.steps.splice(0), "TRACE_ORDER", "transaction 2"],
    [
      "steps of a transfer",
      (t) => t.executions[6]!.steps.push(structuredClone(step(t, 12, 2))),
      "TRACE_ORDER",
      "transaction 6, step 0 (STOP at pc 14)",
    ],
    ["status", (t) => (t.executions[5]!.status = 1), "TRACE_STATUS", "transaction 5"],
    ["status of a transfer", (t) => (t.executions[6]!.status = 0), "TRACE_STATUS", "transaction 6"],
    ["gas used", (t) => (t.executions[1]!.gasUsed -= 1n), "TRACE_STATUS", "transaction 1"],
    ["gas used of the block", (t) => (t.header.gasUsed += 1n), "TRACE_HEADER", "header.gasUsed"],
    ["a bloom", (t) => (t.header.logsBloom = `0x${"00".repeat(255)}01`), "TRACE_HEADER", "header.logsBloom"],
    [
      "withdrawals",
      (t) => (t.header.withdrawalsRoot = `0x${"11".repeat(32)}`),
      "TRACE_HEADER",
      "header.withdrawalsRoot",
    ],
    ["blobs", (t) => (t.header.blobGasUsed = 1n), "TRACE_HEADER", "header.blobGasUsed"],
    ["a blob fee without end", (t) => (t.header.excessBlobGas = 2n ** 63n), "TRACE_HEADER", "header.excessBlobGas"],
    ["base fee", (t) => (t.header.baseFeePerGas = 10n ** 12n), "TRACE_TRANSACTION", "transaction 0"],
    ["block gas limit", (t) => (t.header.gasLimit = 100_000n), "TRACE_TRANSACTION", "transaction 1"],
    ["dropped execution", (t) => t.executions.pop(), "TRACE_ORDER", "executions"],
    ["dropped transaction", (t) => t.transactions.shift(), "TRACE_ORDER", "executions"],
    [
      "repeated transaction",
      (t) => {
        t.transactions.splice(1, 0, t.transactions[0]!);
        t.executions.splice(1, 0, structuredClone(t.executions[0]!));
      },
      "TRACE_TRANSACTION",
      "transaction 1",
    ],
    ["foreign chain", (t) => (t.chainId = 1n), "TRACE_TRANSACTION", "transaction 0"],
    ["a signature that is none", (t) => t.transactions[0]!.fill(255, -32), "TRACE_TRANSACTION", "transaction 0"],
    [
      "another sender",
      (t) => {
        t.transactions[0]![100]! ^= 1;
      },
      "TRACE_PRESTATE",
      "transaction 0",
    ],
    [
      "bytes after a transaction",
      (t) => (t.transactions[0] = Uint8Array.of(...t.transactions[0]!, 0)),
      "TRACE_TRANSACTION",
      "transaction 0",
    ],
    ["a blob transaction", (t) => (t.transactions[0]![0] = 3), "TRACE_TX_TYPE", "transaction 0"],
    ["a set-code transaction", (t) => (t.transactions[0]![0] = 4), "TRACE_TX_TYPE", "transaction 0"],
    ["an empty transaction", (t) => (t.transactions[0] = new Uint8Array(0)), "TRACE_TRANSACTION", "transaction 0"],
    ["accounts in disorder", (t) => t.preState.accounts.reverse(), "TRACE_ORDER", "preState.accounts[1].address"],
    [
      "an account twice",
      (t) => t.preState.accounts.splice(1, 0, structuredClone(t.preState.accounts[0]!)),
      "TRACE_ORDER",
      "preState.accounts[1].address",
    ],
    [
      "an account that is not touched",
      (t) =>
        t.preState.accounts.unshift({
          address: "0x0000000000000000000000000000000000000042",
          nonce: 0n,
          balance: 1n,
          codeHash: EMPTY_CODE,
          storage: [],
        }),
      "TRACE_PRESTATE",
      "preState.accounts[0]",
    ],
  ];

  it.each(cases)("%s", async (_, tamper, code, where) => {
    const trace = copyOf(demo);
    tamper(trace);
    const error = await expectTraceError(() => validateTrace(trace), code, where);
    expect(error.message).toContain(where);
  });

  it("can be left", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(validateTrace(demo, { signal: controller.signal })).rejects.toThrow("enough");
    const loop = await traceOf({ code: "0x8000 l: 1 SWAP1 SUB DUP1 @l JUMPI", gasLimit: 3_000_000n });
    const later = new AbortController();
    setTimeout(() => later.abort(new Error("enough of it")));
    await expect(validateTrace(loop, { signal: later.signal })).rejects.toThrow("enough of it");
  });

  it("is as it was without tampering", async () => {
    await validateTrace(copyOf(demo));
  });

  it("accounts, codes and slots that are missing or wrong", async () => {
    const index = (has: (account: Mutable<Trace>["preState"]["accounts"][number]) => boolean) =>
      demo.preState.accounts.findIndex((account) => has(account as never));
    const counter = index(({ storage }) => storage.length === 4);
    const alice = index(({ code, nonce, balance }) => code === undefined && nonce === 0n && balance > 0n);
    const at = `preState.accounts[${counter}]`;
    const check = async (tamper: (t: Mutable<Trace>) => void, code: TraceErrorCode, where: string) => {
      const trace = copyOf(demo);
      tamper(trace);
      await expectTraceError(() => validateTrace(trace), code, where);
    };
    await check((t) => delete t.preState.accounts[counter]!.code, "TRACE_PRESTATE", `${at}.code`);
    await check((t) => (t.preState.accounts[counter]!.code![3]! ^= 1), "TRACE_PRESTATE", `${at}.code`);
    await check(
      (t) => (t.preState.accounts[alice]!.code = new Uint8Array(0)),
      "TRACE_PRESTATE",
      `preState.accounts[${alice}].code`,
    );
    await check((t) => t.preState.accounts.splice(counter, 1), "TRACE_PRESTATE", "transaction 2");
    await check(
      (t) => t.preState.accounts[counter]!.storage.shift(),
      "TRACE_PRESTATE",
      "transaction 2, step 1 (SLOAD at pc 1)",
    );
    await check(
      (t) => t.preState.accounts[counter]!.storage.push([1n << 255n, 3n]),
      "TRACE_PRESTATE",
      `${at}.storage[4]`,
    );
    await check((t) => t.preState.accounts[counter]!.storage.reverse(), "TRACE_ORDER", `${at}.storage[1]`);
    await check(
      (t) => (t.preState.accounts[counter]!.storage[0]![1] = 0n),
      "TRACE_STACK",
      "transaction 2, step 2 (PUSH1 at pc 2)",
    );
    await check((t) => (t.preState.accounts[alice]!.nonce = 1n), "TRACE_TRANSACTION", transactionOf(demo, alice));
    await check((t) => (t.preState.accounts[alice]!.balance = 1n), "TRACE_TRANSACTION", transactionOf(demo, alice));
    await check(
      (t) => (t.preState.accounts[alice]!.codeHash = t.preState.accounts[counter]!.codeHash),
      counter < alice ? "TRACE_TRANSACTION" : "TRACE_PRESTATE",
      counter < alice ? transactionOf(demo, alice) : `preState.accounts[${alice}].code`,
    );
  });
});

/** The first transaction of an account. */
function transactionOf(demo: Trace, account: number): string {
  const { address } = demo.preState.accounts[account]!;
  const senders = ["alice", "bob", "alice", "bob", "carol"];
  const { addresses } = loadScenario("demo");
  return `transaction ${senders.findIndex((name) => addresses[name] === address)}`;
}

describe("what cannot be proved yet", () => {
  const refused: [string, string][] = [
    ["0 0 0 0 0 9 GAS CALL POP", "step 7 (CALL at pc 8)"],
    ["0 0 0 0 0 9 GAS CALLCODE POP", "step 7 (CALLCODE at pc 8)"],
    ["0 0 0 0 9 GAS DELEGATECALL POP", "step 6 (DELEGATECALL at pc 7)"],
    ["0 0 0 0 9 GAS STATICCALL POP", "step 6 (STATICCALL at pc 7)"],
    ["0 0 0 CREATE", "step 3 (CREATE at pc 3)"],
    ["0 0 0 0 CREATE2", "step 4 (CREATE2 at pc 4)"],
    ["CALLER SELFDESTRUCT", "step 1 (SELFDESTRUCT at pc 1)"],
    ["0 BLOBHASH", "step 1 (BLOBHASH at pc 1)"],
  ];

  it.each(refused)("%s", async (code, where) => {
    const error = await expectTraceError(
      () => traceOf({ code }),
      "TRACE_UNSUPPORTED_OPCODE",
      `transaction 0, ${where}`,
    );
    expect(where).toContain(error.got);
    // in a file, before anything else is looked at
    const trace = copyOf(await traceOf({ code: code.replace(/[A-Z2]+( POP)?$/, "STOP") }));
    const { steps } = trace.executions[0]!;
    steps.at(-1)!.op = opcodeByte(error.got!)!;
    trace.transactions.pop();
    await expectTraceError(() => validateTrace(trace), "TRACE_UNSUPPORTED_OPCODE", `transaction 0, ${where}`);
  });

  it("steps that go on where the EVM halts", async () => {
    const trace = copyOf(await traceOf({ code: "1 ADD" }));
    const [, last] = trace.executions[0]!.steps;
    trace.executions[0]!.steps.push({ ...last!, pc: 3, op: 0, stack: [1n] });
    await expectTraceError(() => validateTrace(trace), "TRACE_ORDER", "transaction 0, step 2 (STOP at pc 3)");
    const poor = copyOf(await traceOf({ code: "0 JUMPDEST", gasLimit: 21002n }));
    const steps = poor.executions[0]!.steps as Mutable<TraceStep>[];
    expect(steps.at(-1)).toMatchObject({ op: 0x5b, gas: 0n });
    steps.push({ ...steps[1]!, pc: 2, op: 0, gas: 0n });
    await expectTraceError(() => validateTrace(poor), "TRACE_ORDER", "transaction 0, step 2 (STOP at pc 2)");
  });

  const sign = (fields: object, nonce = 0n) =>
    signTransaction(
      { type: 2, nonce, gasLimit: 100_000n, maxFeePerGas: 2n * 10n ** 9n, ...fields },
      CHAIN_ID,
      scenarioKey(0),
    );
  const block = async (transaction: Uint8Array, header = {}) => {
    const sequencer = await Sequencer.create({
      chainId: CHAIN_ID,
      genesis: [{ address: SENDER, balance: 10n ** 20n }],
      header,
    });
    return (await sequencer.buildBlock([transaction])).trace;
  };

  it("creations, by a transaction", async () => {
    const creation = sign({ data: assemble("0 0 RETURN") });
    await expectTraceError(() => block(creation), "TRACE_CREATE", "transaction 0");
    const trace = copyOf(await block(sign({ to: CONTRACT })));
    trace.transactions[0] = creation;
    await expectTraceError(() => validateTrace(trace), "TRACE_CREATE", "transaction 0");
  });

  it("precompiles as recipients, and address 11 is none", async () => {
    for (const last of ["01", "09", "0a"]) {
      const call = sign({ to: `0x${"00".repeat(19)}${last}`, value: 1n });
      await expectTraceError(() => block(call), "TRACE_PRECOMPILE", "transaction 0");
    }
    const trace = await block(sign({ to: `0x${"00".repeat(19)}0b`, value: 1n }));
    await validateTrace(trace);
  });

  it("more gas than the protocol allows", async () => {
    const huge = sign({ to: CONTRACT, gasLimit: 2n ** 31n });
    await expectTraceError(() => block(huge, { gasLimit: 2n ** 33n }), "TRACE_LIMIT", "transaction 0");
    const allowed = await block(sign({ to: CONTRACT, gasLimit: 2n ** 31n - 1n }), { gasLimit: 2n ** 33n });
    await validateTrace(allowed);
  });
});

describe("the blob base fee", () => {
  it("follows EIP-4844", () => {
    // https://github.com/ethereum/go-ethereum/blob/master/consensus/misc/eip4844/eip4844_test.go, Cancun
    expect([0n, 2314057n, 2314058n, 10n * 1024n * 1024n].map(blobBaseFee)).toEqual([1n, 1n, 2n, 23n]);
    expect(blobBaseFee(177n * 3338477n) < 1n << 256n).toBe(true);
  });
});
