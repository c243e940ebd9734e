/** What solc makes of contracts is executed as Solidity means it: every call ends the way it is expected to. */

import { describe, expect, it } from "vitest";
// @ts-expect-error a script without types
import { encodeCall, selectorOf } from "../../../scripts/contracts/abi.mjs";
import { mnemonic, runScenario, type TraceExecution } from "../../../src/trace/index.js";
import { CONTRACT_SCENARIOS, contractScenario, tokenTransfers } from "../../support/solidity.js";

/** How an execution ended, in the words of `ExpectedCall`; the selector instead of an error's signature. */
function endOf({ steps, status }: TraceExecution): string {
  const last = steps.at(-1)!;
  if (status === 1) return "ok";
  if (mnemonic(last.op) !== "REVERT") return "HALT";
  const [length, offset] = last.stack.slice(-2) as [bigint, bigint];
  if (length === 0n) return "REVERT";
  // the newest word of memory with the first bytes of the data
  const store = steps.findLast(({ op, stack }) => {
    const at = stack.at(-1)!;
    return mnemonic(op) === "MSTORE" && at <= offset && offset + 4n <= at + 32n;
  })!;
  const [value, at] = store.stack.slice(-2) as [bigint, bigint];
  const word = value.toString(16).padStart(64, "0");
  const from = 2 * Number(offset - at);
  return `0x${word.slice(from, from + 8)}`;
}

/** Executes the calls of one contract, and expects that each ends as it should. */
async function expectEnds(name: string): Promise<readonly TraceExecution[]> {
  const { scenario, calls } = await contractScenario(name);
  const { executions } = (await runScenario(scenario)).trace;
  const ends = executions.map((execution, i) => `${calls[i]!.signature}: ${endOf(execution)}`);
  expect(ends).toEqual(calls.map(({ signature, end }) => `${signature}: ${end.endsWith(")") ? selectorOf(end) : end}`));
  return executions;
}

describe("contracts", () => {
  it.each(CONTRACT_SCENARIOS.filter((name) => name !== "loops"))("%s", async (name) => {
    await expectEnds(name);
  });

  it("loops, which go on for more than 10,000 steps", async () => {
    const steps = (await expectEnds("loops")).map((execution) => execution.steps.length);
    expect(Math.max(...steps)).toBeGreaterThan(10_000);
  });

  it("a block of transfers: about 300 steps each", async () => {
    const { trace, postState } = await runScenario((await tokenTransfers(20)).scenario);
    expect(trace.executions.map(({ status }) => status)).toEqual(Array(20).fill(1));
    for (const { steps } of trace.executions) expect(steps.length).toBeGreaterThan(250);
    const contract = trace.preState.accounts.find(({ code }) => code !== undefined)!;
    const sum = async (after: boolean) => {
      let total = 0n;
      for (const [slot, value] of contract.storage) {
        total += after ? await postState.slot(contract.address, slot) : value;
      }
      return total;
    };
    expect(contract.storage.length).toBe(6);
    expect(await sum(true)).toBe(await sum(false));
  });
});

describe("the ABI", () => {
  it("encodes the example of the specification", () => {
    const data: string = encodeCall("f(uint256,uint32[],bytes10,bytes)", [
      0x123n,
      [0x456n, 0x789n],
      "0x31323334353637383930",
      "0x48656c6c6f2c20776f726c6421",
    ]);
    const words = data.slice(10).match(/.{64}/g)!;
    expect(data.slice(0, 10)).toBe("0x8be65246");
    expect(words.map((word) => word.replace(/^0+(?=.)/, ""))).toEqual([
      "123",
      "80",
      `31323334353637383930${"0".repeat(44)}`,
      "e0",
      "2",
      "456",
      "789",
      "d",
      `48656c6c6f2c20776f726c6421${"0".repeat(38)}`,
    ]);
  });

  it("puts arrays of strings behind offsets, negative numbers in two's complement", () => {
    const data: string = encodeCall("g(string[],uint256[2],int8)", [["one", ""], [1n, 2n], -1n]);
    const words = data.slice(10).match(/.{64}/g)!;
    expect(words.map((word) => word.replace(/^0+(?=.)/, ""))).toEqual([
      "80",
      "1",
      "2",
      "f".repeat(64),
      "2",
      "40",
      "80",
      "3",
      `6f6e65${"0".repeat(58)}`,
      "0",
    ]);
  });
});
