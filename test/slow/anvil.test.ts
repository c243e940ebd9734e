/** Blocks of a real node, anvil: fetched, executed here, compared with what the node says, and traced. */

import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crossCheck, readStructLogs } from "../../src/trace/crosscheck.js";
import { decodeSnapshot, decodeTrace, validateTrace } from "../../src/trace/index.js";
import { type Hex, quantity, toHex } from "../../src/trace/read.js";
import { crossCheckWithNode, snapshotFromRpc, traceFromRpc } from "../../src/trace/rpc.js";
import { headerHash } from "../../src/verifier/ethereum/header.js";
import { addressToHex, wordToHex } from "../../src/verifier/ethereum/words.js";
import { ABSENT, type Anvil, calldata, deployOn, playOn, startAnvil } from "../support/anvil.js";
import { startNode } from "../support/built.js";
import { ROOT } from "../support/circuits.js";
import { startTestNode, type TestNode } from "../support/node.js";
import { CACHE, makeKeys, proveBlock, snapshotState, verifyBlock } from "../support/proofs.js";
import { CONTRACT_SCENARIOS, contractScenario } from "../support/solidity.js";
import { temporaryFolder } from "../support/zoo.js";

const BIN = join(ROOT, createRequire(import.meta.url)("../../package.json").bin.chunkproof);
const TRANSFER = "transfer(address,uint256)";
/** The block of {@link transfers}, after one that is empty and one that deploys. */
const TOKENS = 3n;
const CREATION = 2n;

/** A receipt as the node writes it. */
interface NodeReceipt {
  readonly status: Hex;
  readonly logs: readonly { readonly address: Hex; readonly topics: readonly Hex[]; readonly data: Hex }[];
}

/** Deploys a token, and mines a block of its transfers and one of ether. */
async function transfers(anvil: Anvil): Promise<void> {
  const { accounts } = anvil;
  const token = await deployOn(anvil, "Token", ["address[]", "uint256"], [accounts.slice(0, 5), 1000n]);
  const unused = { address: `0x${"ab".repeat(20)}`, storageKeys: [] };
  const accessList = [{ address: token, storageKeys: [`0x${"00".repeat(31)}77`] }, unused];
  for (const [from, to, amount, fields] of [
    [0, 1, 5n],
    [1, 8, 6n, { gasPrice: "0x77359400" }],
    [2, 1, 2000n],
    [3, 1, 1n, { accessList }],
  ] as const) {
    const data = calldata(TRANSFER, [accounts[to], amount]);
    await anvil.send({ from: accounts[from], to: token, data, ...fields });
  }
  await anvil.send({ from: accounts[0], to: accounts[9], value: "0x5" });
  await anvil.mine();
}

describe.skipIf(ABSENT !== undefined)(`a node${ABSENT === undefined ? "" : ` (${ABSENT})`}`, () => {
  let anvil: Anvil;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
    anvil = await startAnvil({ args: ["--steps-tracing"] });
    // the base fee of the first block is the same as that of the genesis, against EIP-1559
    await anvil.mine();
    await transfers(anvil);
  });
  afterAll(async () => {
    await anvil?.close();
    await folder?.remove();
  });

  test("a block of token transfers, whose every step is as the node has seen it", async () => {
    const traced = await traceFromRpc({ url: anvil.url, block: TOKENS });
    const { trace, notes } = traced;
    expect(notes).toEqual([]);
    expect(trace.executions.map(({ status }) => status)).toEqual([1, 1, 0, 1, 1]);
    await validateTrace(trace);
    await crossCheckWithNode({ url: anvil.url }, traced);
    const logs = await anvil.rpc("debug_traceBlockByNumber", "0x3", {});
    crossCheck(trace, readStructLogs(logs), traced.transactionHashes);
    const { stateRoot, blockHash, number } = await snapshotFromRpc({ url: anvil.url }, traced);
    expect({ stateRoot, blockHash, number }).toEqual({
      stateRoot: trace.preState.root,
      blockHash: trace.header.parentHash,
      number: TOKENS - 1n,
    });
  });

  test("a block traced from anvil is proved and verified", async () => {
    const traced = await traceFromRpc({ url: anvil.url, block: TOKENS });
    const { trace } = traced;
    const state = await snapshotState(await snapshotFromRpc({ url: anvil.url }, traced));
    const keys = await makeKeys({ cache: CACHE });
    const { bytes } = await proveBlock(trace, keys, { threads: 2 });
    const verdict = await verifyBlock(bytes, { state, keys: keys.parsed(), chainId: trace.chainId });
    expect(verdict.faults).toEqual([]);
    if (!verdict.valid) throw new Error("unreachable");

    // what follows from the proof is what the node says
    expect(wordToHex(headerHash(verdict.header))).toBe(traced.hash);
    const receipts = await Promise.all(
      traced.transactionHashes.map((hash) => anvil.rpc<NodeReceipt>("eth_getTransactionReceipt", hash)),
    );
    expect(
      verdict.receipts.map(({ status, logs }) => ({
        status: `0x${status}`,
        logs: logs.map(({ address, topics, data }) => ({
          address: addressToHex(address),
          topics: topics.map(wordToHex),
          data: toHex(data),
        })),
      })),
    ).toEqual(
      receipts.map(({ status, logs }) => ({
        status,
        logs: logs.map(({ address, topics, data }) => ({ address, topics, data })),
      })),
    );
    const { accounts, slots } = verdict.stateDiff;
    expect(slots.length).toBeGreaterThan(0);
    const number = async (method: string, ...params: readonly string[]) =>
      BigInt(await anvil.rpc<string>(method, ...params, quantity(TOKENS)));
    for (const { address, balance, nonce } of accounts) {
      const hex = addressToHex(address);
      if (balance !== undefined) expect(await number("eth_getBalance", hex), hex).toBe(balance);
      if (nonce !== undefined) expect(await number("eth_getTransactionCount", hex), hex).toBe(nonce);
    }
    for (const { address, slot, value } of slots) {
      expect(await number("eth_getStorageAt", addressToHex(address), quantity(slot)), quantity(slot)).toBe(value);
    }
  });

  test("the state is listed only with the newest block", async () => {
    const traced = await traceFromRpc({ url: anvil.url, block: TOKENS });
    await anvil.mine();
    await anvil.mine();
    await expect(snapshotFromRpc({ url: anvil.url }, traced)).rejects.toMatchObject({ code: "RPC_SNAPSHOT" });
    const empty = await traceFromRpc({ url: anvil.url, block: "latest" });
    expect(empty.trace.transactions).toEqual([]);
  });

  test("a creation is refused by name", async () => {
    await expect(traceFromRpc({ url: anvil.url, block: CREATION })).rejects.toMatchObject({
      code: "TRACE_CREATE",
      where: "transaction 0",
    });
  });

  describe("what the node says, with a change", () => {
    let proxy: TestNode;
    // biome-ignore lint/suspicious/noExplicitAny: answers that are changed
    let change: (method: string, result: any) => void;
    beforeAll(async () => {
      proxy = await startTestNode({}, (_, response, body) => {
        const forward = async () => {
          const answer = await (
            await fetch(anvil.url, { method: "POST", headers: { "content-type": "application/json" }, body })
          ).json();
          const calls = JSON.parse(body);
          for (const [i, call] of (Array.isArray(calls) ? calls : [calls]).entries()) {
            change(call.method, (Array.isArray(answer) ? answer[i] : answer).result);
          }
          response.end(JSON.stringify(answer));
        };
        void forward();
        return true;
      });
    });
    afterAll(() => proxy.close());
    const trace = () => traceFromRpc({ url: proxy.url, block: TOKENS });

    test("balances, nonces and slots that don't show in receipts do in proofs", async () => {
      const poor = anvil.accounts[9]!;
      change = (method, result) => {
        if (method === "debug_traceBlockByHash") result[4].result[poor].balance = "0x1";
      };
      await expect(trace()).rejects.toMatchObject({ code: "RPC_MISMATCH", where: `balance of ${poor}`, got: "0x1" });
      change = (method, result) => {
        if (method !== "debug_traceBlockByHash") return;
        // biome-ignore lint/suspicious/noExplicitAny: a pre-state
        const token = Object.values<any>(result[0].result).find(({ code }) => code !== undefined);
        const [slot] = Object.entries(token.storage).find(([, value]) => BigInt(value as string) === 1000n)!;
        token.storage[slot] = `0x${"00".repeat(30)}0999`;
      };
      await expect(trace()).rejects.toMatchObject({ code: "RPC_MISMATCH", where: expect.stringMatching(/^slot 0x/) });
    });

    test("proofs that are none", async () => {
      change = (method, result) => {
        if (method === "eth_getProof") result.accountProof[0] = result.accountProof[0].replace("a0", "a1");
      };
      await expect(trace()).rejects.toMatchObject({
        code: "RPC_MISMATCH",
        where: expect.stringMatching(/^proof of 0x/),
      });
    });

    test("a step", async () => {
      change = () => {};
      const traced = await trace();
      change = (method, result) => {
        if (method === "debug_traceTransaction" && result.failed) result.structLogs[30].gas += 1;
      };
      await expect(crossCheckWithNode({ url: proxy.url }, traced)).rejects.toMatchObject({
        code: "CROSSCHECK_MISMATCH",
        where: expect.stringMatching(/^transaction 2, step 30 \(/),
      });
      change = (method, result) => {
        if (method === "debug_traceTransaction") result.structLogs = [];
      };
      await expect(crossCheckWithNode({ url: proxy.url }, traced)).rejects.toMatchObject({ code: "CROSSCHECK_COUNT" });
    });
  });

  test("chunkproof trace --rpc", async () => {
    const cwd = folder.path("cli");
    await mkdir(cwd);
    const cli = (...args: string[]) => startNode([BIN, "trace", "--rpc", anvil.url, ...args], { cwd }).done;
    await transfers(anvil);
    const newest = String(BigInt(await anvil.rpc<string>("eth_blockNumber")));
    const logs = await anvil.rpc("debug_traceBlockByNumber", "latest", {});
    await writeFile(join(cwd, "logs.json"), JSON.stringify(logs));
    const files = ["-o", "b.trace", "--snapshot", "before.json", "--check-steps", "--struct-logs", "logs.json"];
    const { code, stdout, stderr } = await cli("--block", newest, ...files, "--json");
    expect(code, stdout + stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, number: Number(newest), transactions: 5, trace: "b.trace" });
    const trace = decodeTrace(await readFile(join(cwd, "b.trace")));
    const snapshot = decodeSnapshot(await readFile(join(cwd, "before.json")));
    expect(snapshot.stateRoot).toBe(trace.preState.root);

    await writeFile(join(cwd, "logs.json"), JSON.stringify(logs).replace('"PUSH1"', '"PUSH2"'));
    for (const [args, error] of [
      [["--block", newest, "--struct-logs", "logs.json"], "CROSSCHECK_MISMATCH"],
      [["--block", newest, "--eip3155", "logs.json"], "CROSSCHECK_FORMAT"],
      [["--block", "9999"], "RPC_BLOCK"],
      [["--block", "1", "--rpc-header", "s3cret"], "RPC_URL"],
      [["--block", String(CREATION)], "TRACE_CREATE"],
    ] as const) {
      const refused = await cli(...args, "-o", "other.trace");
      expect(refused.code, refused.stderr).toBe(2);
      expect(refused.stderr).toMatch(new RegExp(`\\[${error}\\]\n$`));
      expect(refused.stderr).not.toContain("s3cret");
      expect(existsSync(join(cwd, "other.trace"))).toBe(false);
    }
  });

  test("blocks of another fork, and blocks of one second", async () => {
    const later = await startAnvil({ hardfork: "prague" });
    await later.mine();
    await expect(traceFromRpc({ url: later.url, block: 1n })).rejects.toMatchObject({
      code: "RPC_FORK",
      where: "block 1",
    });
    await later.close();
    const hasty = await startAnvil();
    await hasty.rpc("anvil_setBlockTimestampInterval", 0);
    await hasty.rpc("evm_mine");
    await hasty.rpc("evm_mine");
    await expect(traceFromRpc({ url: hasty.url, block: 2n })).rejects.toMatchObject({
      code: "HEADER_INVALID",
      where: "block 2.timestamp",
    });
    await hasty.close();
  });
});

describe.skipIf(ABSENT !== undefined)(`contracts on a node${ABSENT === undefined ? "" : ` (${ABSENT})`}`, () => {
  test.each(CONTRACT_SCENARIOS)("%s: every step as the node has seen it", async (name) => {
    const { scenario, calls } = await contractScenario(name);
    const { chainId, header } = scenario;
    const args = ["--steps-tracing", "--chain-id", String(chainId), "--timestamp", String(header.timestamp)];
    const anvil = await startAnvil({ args });
    try {
      await playOn(anvil, scenario);
      const traced = await traceFromRpc({ url: anvil.url, block: 2n });
      const statuses = traced.trace.executions.map(({ status }, i) => `${calls[i]?.signature} ${status}`);
      expect(statuses).toEqual(calls.map(({ signature, end }) => `${signature} ${end === "ok" ? 1 : 0}`));
      await crossCheckWithNode({ url: anvil.url }, traced);
    } finally {
      await anvil.close();
    }
  });
});
