/** Blocks of a node: what is asked of it, what is believed, and the ways in which it can fail. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  addressOf,
  assemble,
  type BuiltBlock,
  ChunkproofError,
  type Hex,
  Sequencer,
  scenarioKey,
  signTransaction,
} from "../../../src/trace/index.js";
import { toHex } from "../../../src/trace/read.js";
import { type RpcBlockOptions, traceFromRpc } from "../../../src/trace/rpc.js";
import { RpcClient } from "../../../src/trace/rpc-client.js";
import { chainNode, type Handlers, NodeError, startTestNode, type TestNode } from "../../support/node.js";
import { tokenTransfers } from "../../support/solidity.js";

const LOOK_BACK = "0xb10c000000000000000000000000000000000000";
/** Numbers of the blocks that the tests trace. */
const [TOKENS, ANCESTORS] = [3n, 4n];

let built: BuiltBlock[];
let good: Handlers;
let handlers: Handlers;
let node: TestNode;
/** Answers of HTTP before JSON-RPC has a say, one for each request as long as there are any; `undefined` never answers. */
let http: ([status: number, body: string, headers?: Record<string, string>] | undefined)[] = [];
let headers: Readonly<Record<string, unknown>> = {};

beforeAll(async () => {
  // two empty blocks, one of a token's transfers, and one that asks for the hashes of all before
  const { scenario } = await tokenTransfers(3);
  const { chainId, genesis, header, transactions } = scenario;
  const key = scenarioKey(0);
  const code = assemble("0 BLOCKHASH 1 BLOCKHASH 2 BLOCKHASH 3 BLOCKHASH 4 BLOCKHASH STOP");
  const sequencer = await Sequencer.create({
    chainId,
    genesis: [...genesis, { address: addressOf(key), balance: 10n ** 18n }, { address: LOOK_BACK, nonce: 1n, code }],
    header,
  });
  const first = sequencer.head.header;
  const fees = { maxFeePerGas: 2n * 10n ** 9n, maxPriorityFeePerGas: 1n };
  const lookBack = signTransaction({ type: 2, to: LOOK_BACK, gasLimit: 50_000n, ...fees }, chainId, key);
  built = [];
  for (const block of [[], [], transactions, [lookBack]]) built.push(await sequencer.buildBlock(block));
  good = await chainNode(first, built);
  node = await startTestNode(
    new Proxy({}, { get: (_, method: string) => handlers[method] }) as Handlers,
    (request, response) => {
      headers = request.headers;
      if (http.length === 0) return false;
      const answer = http.shift();
      if (answer !== undefined) response.writeHead(answer[0], answer[2]).end(answer[1]);
      return true;
    },
  );
});
afterAll(() => node.close());
beforeEach(() => {
  handlers = { ...good };
  http = [];
  node.asked.length = 0;
});

const trace = (options: Partial<RpcBlockOptions> = {}) =>
  traceFromRpc({ url: node.url, block: TOKENS, retries: 0, ...options });

/** The error that `action` fails with, which must have this code and place. */
async function expectError(
  action: () => Promise<unknown>,
  code: string,
  where: string | undefined,
): Promise<ChunkproofError> {
  const error = await action().then(
    () => expect.fail("nothing was thrown"),
    (thrown: unknown) => thrown,
  );
  expect(error, String((error as Error).stack)).toBeInstanceOf(ChunkproofError);
  const known = error as ChunkproofError;
  expect({ code: known.code, where: known.where?.replace(node.url, "node") }, known.message).toEqual({ code, where });
  return known;
}

describe("blocks of a node", () => {
  it("are what the sequencer has made", async () => {
    const { trace: tokens, notes, hash, transactionHashes } = await trace();
    expect(tokens).toEqual(built[2]!.trace);
    expect(hash).toBe(toHex(built[2]!.block.hash()));
    expect(transactionHashes.length).toBe(3);
    // the node of the test has no proofs
    expect(notes.join()).toMatch(/^the node gives no proofs \(eth_getProof\)[^,]*$/);
    expect((await trace({ block: 1n, stateProofs: false })).trace).toEqual(built[0]!.trace);
    expect(new Set(node.asked)).not.toContain("eth_getStorageAt");
  });

  it("with the tracer by number, or for single transactions", async () => {
    delete handlers.debug_traceBlockByHash;
    const results = good.debug_traceBlockByHash!(toHex(built[2]!.block.hash())) as { txHash: Hex; result: unknown }[];
    const transaction = (hash: Hex) => results.find(({ txHash }) => txHash === hash)!.result;
    for (const [method, handler] of [
      ["debug_traceBlockByNumber", () => results],
      ["debug_traceTransaction", transaction],
    ] as const) {
      handlers[method] = handler;
      const { trace: tokens, notes } = await trace({ stateProofs: false });
      expect({ tokens, notes }).toEqual({ tokens: built[2]!.trace, notes: [] });
      expect(node.asked).toContain(method);
      delete handlers[method];
    }
  });

  it("without tracer: accounts and slots one by one", async () => {
    delete handlers.debug_traceBlockByHash;
    const { trace: tokens, notes } = await trace({ stateProofs: false, batch: 1 });
    expect(tokens).toEqual(built[2]!.trace);
    expect(notes.join()).toMatch(/^the node has no prestateTracer: \d+ accounts and slots were asked for one by one$/);
  });

  it("hashes of older blocks, by the chain of parents", async () => {
    expect((await trace({ block: "latest", stateProofs: false })).trace).toEqual(built[3]!.trace);
    expect(built[3]!.trace.blockHashes.map(([number]) => number)).toEqual([0n, 1n, 2n, 3n]);
    handlers.eth_getBlockByNumber = (number: Hex, full: boolean) => ({
      ...(good.eth_getBlockByNumber!(number, full) as object),
      ...(number === "0x2" ? { hash: `0x${"11".repeat(32)}` } : {}),
    });
    await expectError(() => trace({ block: ANCESTORS }), "RPC_MISMATCH", "block 2.hash");
  });

  it("transactions whose fields are told otherwise come from their bytes", async () => {
    changed((block) => {
      block.transactions[1].gasPrice = "0x5";
      block.transactions[1].maxFeePerGas = "0x5";
    });
    await expectError(() => trace(), "RPC_METHOD", "node, eth_getRawTransactionByHash");
    const raws = built[2]!.trace.transactions;
    handlers.eth_getRawTransactionByHash = () => toHex(raws[1]!);
    expect((await trace()).trace).toEqual(built[2]!.trace);
    handlers.eth_getRawTransactionByHash = () => toHex(raws[0]!);
    await expectError(() => trace(), "RPC_MISMATCH", "transaction 1");
  });
});

/** Changes what the node says about the block of the token's transfers. */
// biome-ignore lint/suspicious/noExplicitAny: a block that is broken in every way
function changed(change: (block: any) => void): void {
  handlers.eth_getBlockByNumber = (number: Hex, full: boolean) => {
    const block = good.eth_getBlockByNumber!(number, full);
    change(block);
    return block;
  };
}

/** Changes the pre-state that the node tells of the block of the token's transfers. */
// biome-ignore lint/suspicious/noExplicitAny: a pre-state that is broken in every way
function changedState(change: (accounts: any, contract: string) => void): void {
  handlers.debug_traceBlockByHash = (hash: Hex) => {
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const results = good.debug_traceBlockByHash!(hash) as any;
    const accounts = results[0].result;
    change(accounts, Object.keys(accounts).find((address) => accounts[address].code !== undefined)!);
    return results;
  };
}

describe("what contradicts itself", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a block that is broken in every way
  const blocks: [string, (block: any) => void, string, string][] = [
    ["a header of Prague", (b) => (b.requestsHash = `0x${"00".repeat(32)}`), "RPC_FORK", "block 3"],
    ["a header of Shanghai", (b) => delete b.parentBeaconBlockRoot, "RPC_FORK", "block 3"],
    ["another state root", (b) => (b.stateRoot = b.receiptsRoot), "RPC_MISMATCH", "block 3.hash"],
    ["another number", (b) => (b.number = "0x4"), "RPC_MISMATCH", "block 4.hash"],
    ["a bloom too short", (b) => (b.logsBloom = "0x00"), "RPC_MALFORMED", "block 3.logsBloom"],
    ["gas as text", (b) => (b.gasUsed = "many"), "RPC_MALFORMED", "block 3.gasUsed"],
    ["no transactions", (b) => (b.transactions = []), "RPC_MISMATCH", "block 3.transactionsRoot"],
    ["only hashes", (b) => (b.transactions = [b.hash]), "RPC_MALFORMED", "transaction 0"],
    ["a blob transaction", (b) => (b.transactions[2].type = "0x3"), "TRACE_TX_TYPE", "transaction 2"],
    ["a transaction without r", (b) => delete b.transactions[2].r, "RPC_MALFORMED", "transaction 2.r"],
  ];
  it.each(blocks)("%s", async (_, change, code, where) => {
    changed(change);
    await expectError(() => trace(), code, where);
  });

  it("blocks that are not there", async () => {
    await expectError(() => trace({ block: 99n }), "RPC_BLOCK", "block 99");
    await expectError(() => trace({ block: 0n }), "RPC_BLOCK", "block 0");
    handlers.eth_getBlockByNumber = () => good.eth_getBlockByNumber!("0x2", true);
    await expectError(() => trace(), "RPC_MISMATCH", "block 3");
    handlers.eth_getBlockByNumber = good.eth_getBlockByNumber!;
    handlers.eth_getBlockByHash = () => null;
    await expectError(() => trace(), "RPC_BLOCK", "block 2");
  });

  it("a pre-state with which the transactions do something else: the first of them is named", async () => {
    const hash = (i: number) => (good.eth_getBlockByNumber!("0x3", false) as { transactions: Hex[] }).transactions[i];
    changedState((accounts, contract) => {
      for (const slot of Object.keys(accounts[contract].storage)) accounts[contract].storage[slot] = "0x5";
    });
    const error = await expectError(() => trace(), "RPC_MISMATCH", `transaction 0 (${hash(0)})`);
    expect(error).toMatchObject({ expected: "0x1", got: "0x0", message: expect.stringContaining("another status") });
    handlers.eth_getBlockReceipts = () => null;
    await expectError(() => trace(), "RPC_MISMATCH", "block 3.receiptsRoot");
    changedState((accounts, contract) => {
      accounts[contract].code = accounts[contract].code.replace("52", "53");
    });
    await expectError(() => trace(), "RPC_MISMATCH", "block 3.receiptsRoot");
    changedState((accounts) => {
      for (const account of Object.values(accounts) as { nonce: number }[]) account.nonce = 7;
    });
    await expectError(() => trace(), "TRACE_TRANSACTION", "transaction 0");
  });

  it("a pre-state that is none", async () => {
    changedState((accounts, contract) => {
      accounts[contract].balance = "lots";
    });
    expect((await expectError(() => trace(), "RPC_MALFORMED", expect.any(String))).where).toMatch(
      /^pre-state 0\..*balance$/,
    );
    handlers.debug_traceBlockByHash = (hash: Hex) => (good.debug_traceBlockByHash!(hash) as unknown[]).slice(1);
    await expectError(() => trace(), "RPC_MALFORMED", "pre-states");
    handlers.debug_traceBlockByHash = (hash: Hex) => (good.debug_traceBlockByHash!(hash) as unknown[]).toReversed();
    await expectError(() => trace(), "RPC_MISMATCH", "transaction 0");
    handlers.debug_traceBlockByHash = () => [1, 2, 3].map(() => ({ error: "execution timeout" }));
    await expectError(() => trace(), "RPC_REFUSED", "transaction 0");
    handlers.debug_traceBlockByHash = () => {
      throw new NodeError(-32000, "required historical state unavailable (reexec=128)");
    };
    await expectError(() => trace(), "RPC_PRUNED", "node, debug_traceBlockByHash");
  });

  it("another chain; the contract of EIP-4788", async () => {
    handlers.eth_chainId = () => "0x1";
    await expectError(() => trace(), "TRACE_TRANSACTION", "transaction 0");
    handlers.eth_chainId = good.eth_chainId!;
    handlers.eth_getCode = () => "0x3373ff";
    await expectError(() => trace(), "TRACE_PRESTATE", "block 3");
  });
});

describe("a node that fails", () => {
  const SECRET = "s3cret-of-the-provider";
  const first = "node, eth_chainId and 1 more";

  it("is told from one that never answers, answers something else, or too much", async () => {
    http = [undefined];
    await expectError(() => trace({ timeout: 50 }), "RPC_TIMEOUT", first);
    http = [[200, "<html>Hello</html>"]];
    await expectError(() => trace(), "RPC_MALFORMED", first);
    http = [[200, '[{"jsonrpc":"2.0","id":999,"result":1}]']];
    await expectError(() => trace(), "RPC_MALFORMED", "node, eth_chainId");
    http = [[200, `"${"x".repeat(5000)}"`]];
    await expectError(() => trace({ maxBytes: 1000 }), "RPC_TOO_LARGE", first);
    delete handlers.eth_chainId;
    await expectError(() => trace(), "RPC_METHOD", "node, eth_chainId");
    const closed = await startTestNode({});
    await closed.close();
    const unreachable = await expectError(() => trace({ url: closed.url }), "RPC_CONNECTION", expect.any(String));
    expect(unreachable.message).toMatch(/ECONNREFUSED/);
  });

  it("is asked again if it has too much to do, but not for ever", async () => {
    http = [
      [503, "busy"],
      [429, "slow down", { "retry-after": "0.01" }],
    ];
    expect((await trace({ retries: 2, stateProofs: false })).trace).toEqual(built[2]!.trace);
    http = Array(5).fill([503, "busy"]);
    const client = new RpcClient({ url: node.url, retries: 1 });
    await expectError(() => client.call("eth_chainId"), "RPC_HTTP", "node, eth_chainId");
    expect(http.length).toBe(3);
    http = [];
    let limited = 2;
    handlers.eth_chainId = () => {
      if (limited-- > 0) throw new NodeError(-32005, "limit exceeded");
      return "0x1";
    };
    expect(await new RpcClient({ url: node.url }).call("eth_chainId")).toBe("0x1");
  });

  it("is asked one by one if it refuses batches", async () => {
    const calls = Array.from({ length: 3 }, () => ({ method: "eth_chainId", params: [] }));
    for (const refusal of [
      [200, '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}'],
      [400, "no batches"],
    ] as [number, string][]) {
      http = [refusal];
      expect(await new RpcClient({ url: node.url }).callAll(calls)).toEqual(Array(3).fill("0x539"));
    }
  });

  it("gets its keys, and nobody else does", async () => {
    const [, host] = node.url.split("//");
    const url = `http://user:pass%40word@${host}/v3/${SECRET}?key=${SECRET}2`;
    http = [[403, `invalid project id ${SECRET}, key ${SECRET}2`]];
    const refused = await expectError(() => trace({ url }), "RPC_DENIED", first);
    expect(refused.message).toMatch(/the node does not allow it \(got HTTP status 403, "invalid project id …, key …/);
    expect(headers.authorization).toBe(`Basic ${btoa("user:pass@word")}`);
    await expectError(
      () => trace({ url, headers: { authorization: `Bearer ${SECRET}` }, stateProofs: false, block: 99n }),
      "RPC_BLOCK",
      "block 99",
    );
    expect(headers.authorization).toBe(`Bearer ${SECRET}`);
    http = [[302, "", { location: "http://example.invalid/" }]];
    await expectError(() => trace({ batch: 1 }), "RPC_HTTP", "node, eth_chainId");
    for (const bad of ["node", "ftp://example.invalid/", "http://"]) {
      await expectError(() => trace({ url: bad }), "RPC_URL", undefined);
    }
    const split = await expectError(() => trace({ headers: { "x-key": `${SECRET}\nx: y` } }), "RPC_URL", "node");
    expect(split.message).not.toContain(SECRET);
  });

  it("is left alone when the signal says so", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    http = [undefined];
    setTimeout(() => controller.abort(reason), 30);
    await expect(trace({ signal: controller.signal })).rejects.toBe(reason);
    http = [[503, "busy"]];
    const later = new AbortController();
    setTimeout(() => later.abort(reason), 30);
    await expect(trace({ signal: later.signal, retries: 3 })).rejects.toBe(reason);
  });
});
