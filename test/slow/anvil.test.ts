/** Blocks of a real node, anvil: fetched, executed here, compared with what the node says, and traced. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { validateTrace } from "../../src/trace/index.js";
import { snapshotFromRpc, traceFromRpc } from "../../src/trace/rpc.js";
import { ABSENT, type Anvil, calldata, deployOn, startAnvil } from "../support/anvil.js";

const TRANSFER = "transfer(address,uint256)";

describe.skipIf(ABSENT !== undefined)(`a node${ABSENT === undefined ? "" : ` (skipped: ${ABSENT})`}`, () => {
  let anvil: Anvil;
  beforeAll(async () => {
    anvil = await startAnvil("--steps-tracing");
    const token = await deployOn(anvil, "Token", ["address[]", "uint256"], [anvil.accounts.slice(0, 5), 1000n]);
    const transfer = (from: number, to: number, amount: bigint, fields = {}) =>
      anvil.send({
        from: anvil.accounts[from],
        to: token,
        data: calldata(TRANSFER, [anvil.accounts[to], amount]),
        ...fields,
      });
    await transfer(0, 1, 5n);
    await transfer(1, 8, 6n, { gasPrice: "0x77359400" });
    await transfer(2, 1, 2000n);
    await transfer(3, 1, 1n, {
      accessList: [
        { address: token, storageKeys: [`0x${"00".repeat(31)}77`] },
        { address: `0x${"ab".repeat(20)}`, storageKeys: [] },
      ],
    });
    await anvil.send({ from: anvil.accounts[0], to: anvil.accounts[9], value: "0x5" });
    await anvil.mine();
  });
  afterAll(() => anvil?.close());

  test("a block of token transfers", async () => {
    const began = performance.now();
    const traced = await traceFromRpc({ url: anvil.url, block: 2n });
    console.log(performance.now() - began, traced.notes);
    const { trace, notes } = traced;
    expect(notes).toEqual([]);
    expect(trace.executions.map(({ status }) => status).sort()).toEqual([0, 1, 1, 1, 1]);
    await validateTrace(trace);
    const snapshot = await snapshotFromRpc({ url: anvil.url }, traced);
    expect(snapshot.stateRoot).toBe(trace.preState.root);
  });
});
