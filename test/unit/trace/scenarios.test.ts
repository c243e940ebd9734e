import { beforeAll, describe, expect, it } from "vitest";
import {
  addressOf,
  loadScenario,
  readTransaction,
  runScenario,
  type ScenarioRun,
  scenarioKey,
  type TraceErrorCode,
  validateTrace,
} from "../../../src/trace/index.js";
import { bigEndian } from "../../../src/trace/read.js";
import { expectTraceError } from "../../support/trace-errors.js";

describe("the demo", () => {
  const { addresses } = loadScenario("demo");
  let run: ScenarioRun;
  beforeAll(async () => {
    run = await runScenario(loadScenario("demo"));
  });

  it("has about 2,000 steps, all types of transactions, a revert and a transfer", () => {
    const { executions, transactions, chainId } = run.trace;
    const steps = executions.map((execution) => execution.steps.length);
    expect(steps.reduce((a, b) => a + b)).toBeGreaterThan(1900);
    expect(steps.reduce((a, b) => a + b)).toBeLessThan(2100);
    expect(steps.at(-1)).toBe(0);
    expect(executions.map(({ status }) => status)).toEqual([1, 1, 1, 1, 1, 0, 1]);
    const types = transactions.map((raw, i) => readTransaction(raw, chainId, `transaction ${i}`).type);
    expect(new Set(types)).toEqual(new Set([0, 1, 2]));
  });

  it("computes what it says", async () => {
    const { postState, trace, before } = run;
    const counter = addresses.counter!;
    expect(await postState.slot(counter, 0n)).toBe(44n);
    for (const name of ["alice", "bob", "carol"]) {
      expect(await postState.slot(counter, BigInt(addresses[name]!))).toBe(1n);
    }
    expect(await postState.slot(addresses.sort!, 0n)).toBe(3n);
    expect(await postState.slot(addresses.reverter!, 0n)).toBe(5n);
    expect(await postState.slot(addresses.reverter!, 1n)).toBe(0n);
    // the last MSTORE of Fibonacci
    const store = trace.executions[0]!.steps.findLast(({ op }) => op === 0x52)!;
    expect(store.stack).toEqual([12586269025n, 0n]);
    const carol = before.accounts.find(({ address }) => address === addresses.carol)!;
    expect((await postState.account(addresses.carol!)).balance).toBeGreaterThan(carol.balance);
  });

  it("sorts", () => {
    const memory = new Map<bigint, bigint>();
    for (const { op, stack } of run.trace.executions[1]!.steps) {
      if (op === 0x52) memory.set(stack.at(-1)!, stack.at(-2)!);
    }
    const words = [17n, 3n, (1n << 128n) - 1n, 5n, 11n, 99n, 3n, 42n].sort((a, b) => (a < b ? -1 : 1));
    expect(words.map((_, i) => memory.get(32n * BigInt(i)))).toEqual(words);
  });
});

describe("a scenario from JSON", () => {
  const base = () => ({
    name: "mine",
    chainId: "0x539",
    block: { timestamp: 1_800_000_000, coinbase: "alice", baseFeePerGas: "7", extraData: "0xAB" },
    accounts: [
      { name: "alice", key: 0, balance: "0xde0b6b3a7640000" },
      { name: "box", nonce: 1, code: "0 CALLDATALOAD 5 SSTORE", storage: { "0x5": "9", 6: 1 } },
      { address: "0x00000000000000000000000000000000000000AA", balance: 1 },
    ],
    transactions: [
      { from: "alice", to: "box", data: [123], maxFeePerGas: 100, maxPriorityFeePerGas: 1 },
      { from: 0, to: "0x00000000000000000000000000000000000000aa", type: 0, gasPrice: "0x64", value: "5", gas: 21000 },
      { from: `0x${Buffer.from(scenarioKey(0)).toString("hex")}`, to: "box", type: 1, gasPrice: 100, data: "0xFF", accessList: [{ address: "box", storageKeys: ["0x5"] }] }, // biome-ignore format: one line
    ],
  });
  const load = (change: (json: Record<string, never> & ReturnType<typeof base>) => void) => {
    const json = base();
    change(json as never);
    return loadScenario(JSON.stringify(json));
  };

  it("is loaded, executed and validated", async () => {
    const scenario = load(() => {});
    expect(scenario.addresses.alice).toBe(addressOf(scenarioKey(0)));
    const { trace, postState } = await runScenario(scenario);
    await validateTrace(trace);
    expect(trace.header).toMatchObject({
      timestamp: 1_800_000_000n,
      coinbase: scenario.addresses.alice,
      extraData: "0xab",
    });
    expect(trace.executions.map(({ status }) => status)).toEqual([1, 1, 1]);
    expect(await postState.slot(scenario.addresses.box!, 5n)).toBe(
      bigEndian(Uint8Array.of(255, ...new Uint8Array(31))),
    );
    expect((await postState.account("0x00000000000000000000000000000000000000aa")).balance).toBe(6n);
  });

  // biome-ignore lint/suspicious/noExplicitAny: JSON that is broken in every way
  const wrong: [string, (json: any) => void, string, TraceErrorCode?][] = [
    ["an unknown field", (s) => (s.foo = 1), "foo"],
    ["no accounts", (s) => delete s.accounts, "accounts"],
    ["no transactions", (s) => delete s.transactions, "transactions"],
    ["a fraction", (s) => (s.chainId = 1.5), "chainId"],
    ["a negative number", (s) => (s.accounts[0].balance = -1), "accounts[0].balance"],
    ["an unsafe integer", (s) => (s.accounts[0].balance = 2 ** 60), "accounts[0].balance"],
    ["a balance of 2^256", (s) => (s.accounts[0].balance = String(1n << 256n)), "accounts[0].balance"],
    ["a name twice", (s) => (s.accounts[1].name = "alice"), "accounts[1].name"],
    ["a name that is an address", (s) => (s.accounts[1].name = "0x12"), "accounts[1].name"],
    ["an account of nobody", (s) => (s.accounts[1] = {}), "accounts[1]"],
    ["an address beside a key", (s) => (s.accounts[0].address = "0x12"), "accounts[0].address"],
    ["a short key", (s) => (s.accounts[0].key = "0x12"), "accounts[0].key"],
    ["a key that is none", (s) => (s.accounts[0].key = `0x${"00".repeat(32)}`), "accounts[0].key"],
    ["a negative key", (s) => (s.accounts[0].key = -1), "accounts[0].key"],
    ["bad assembly", (s) => (s.accounts[1].code = "STOP\nHOP"), "accounts[1].code, line 2", "TRACE_ASSEMBLY"],
    ["half a byte of code", (s) => (s.accounts[1].code = "0x123"), "accounts[1].code"],
    ["storage as a list", (s) => (s.accounts[1].storage = []), "accounts[1].storage"],
    ["a slot twice", (s) => (s.accounts[1].storage = { 5: 1, "0x5": 2 }), "accounts[1].storage"],
    ["a slot that is none", (s) => (s.accounts[1].storage = { x: 1 }), "accounts[1].storage (slot x)"],
    ["an unknown block field", (s) => (s.block.difficulty = 1), "block.difficulty"],
    ["a short prevRandao", (s) => (s.block.prevRandao = "0x12"), "block.prevRandao"],
    ["a sender unknown", (s) => (s.transactions[0].from = "mallory"), "transactions[0].from"],
    ["a sender without key", (s) => (s.transactions[0].from = "box"), "transactions[0].from"],
    ["a recipient unknown", (s) => (s.transactions[0].to = "mallory"), "transactions[0].to"],
    ["no recipient", (s) => delete s.transactions[0].to, "transactions[0].to"],
    ["type 3", (s) => (s.transactions[0].type = 3), "transactions[0].type"],
    ["a gas price of type 2", (s) => (s.transactions[0].gasPrice = 1), "transactions[0].gasPrice"],
    ["a fee cap of type 0", (s) => (s.transactions[1].maxFeePerGas = 1), "transactions[1].maxFeePerGas"],
    ["an access list of type 0", (s) => (s.transactions[1].accessList = []), "transactions[1].accessList"],
    [
      "a slot that is no number",
      (s) => (s.transactions[2].accessList[0].storageKeys = ["x"]),
      "transactions[2].accessList[0].storageKeys[0]",
    ],
    [
      "an unknown field in an access list",
      (s) => (s.transactions[2].accessList[0].x = 1),
      "transactions[2].accessList[0].x",
    ],
    ["data as a number", (s) => (s.transactions[0].data = 5), "transactions[0].data"],
    ["a word too large", (s) => (s.transactions[0].data = [String(1n << 256n)]), "transactions[0].data[0]"],
  ];
  it.each(wrong)("refuses %s", async (_, change, where, code = "TRACE_SCENARIO") => {
    await expectTraceError(() => load(change), code, where);
  });

  it("refuses what is no scenario", async () => {
    for (const text of ["", "nosuch", "constructor", "{", '{"accounts": [', "[]"]) {
      await expectTraceError(() => loadScenario(text), "TRACE_SCENARIO", undefined);
    }
    await expectTraceError(() => loadScenario("{}"), "TRACE_SCENARIO", "accounts");
  });

  it("names no prototype", () => {
    const scenario = load((s) => {
      s.accounts[2] = { name: "__proto__", balance: 1 } as never;
      s.transactions[1]!.to = "__proto__";
    });
    expect(Object.keys(scenario.addresses)).toEqual(["alice", "box", "__proto__"]);
  });
});
