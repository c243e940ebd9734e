import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createPublicClient, custom, defineChain, http, toHex as viemHex } from "viem";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { proofDigest, ReplicaChain } from "../../../../src/replica/node/chain.js";
import { ReplicaDatabase } from "../../../../src/replica/node/database.js";
import type { FollowerStatus } from "../../../../src/replica/node/follow.js";
import { type RpcServer, type RpcServerOptions, startRpc } from "../../../../src/replica/node/rpc.js";
import { quantity, toHex, wordBytes } from "../../../../src/trace/read.js";
import { decodeBlockProof, encodeBlockProof } from "../../../../src/verifier/encoding.js";
import { keccak, wordToHex } from "../../../../src/verifier/ethereum/words.js";
import { VERSION } from "../../../../src/version.js";
import {
  ALICE,
  altered,
  BOB,
  CAROL,
  call,
  ETHER,
  hexAddress,
  KEYS,
  MINER,
  REVERTS,
  STORE,
  STORE_CODE,
  TestChain,
  temporaryFolder,
  testFolder,
  transfer,
} from "./support.js";

const GWEI = 10n ** 9n;
const alice = hexAddress(ALICE.address);
const bob = hexAddress(BOB.address);
const store = hexAddress(STORE);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let chain: TestChain;
let database: ReplicaDatabase;
let replica: ReplicaChain;
let server: RpcServer;
let bad: Uint8Array;
const calls: [string, string][] = [];
const errors: unknown[] = [];
const status: FollowerStatus = {
  head: { number: 3n, hash: 5n },
  feedTip: 9n,
  lag: 6,
  behindSeconds: 1.5,
  stalled: { number: 4n, faults: [{ code: "BUS_UNBALANCED", where: "bus", message: "no" }], digest: "aa", since: 1000 },
  feedError: { code: "FEED_TIMEOUT", message: "late", since: 2000 },
  polledAt: 3000,
  running: true,
};

beforeAll(async () => {
  chain = await TestChain.create();
  await chain.add();
  await chain.add([
    transfer(ALICE, BOB.address, 7n, { nonce: 0n }),
    transfer(BOB, CAROL.address, 1n, { nonce: 0n, type: 0 }),
    call(CAROL, STORE, 0xabcn, 0n),
    call(CAROL, STORE, 0xdefn, 1n),
    transfer(ALICE, STORE, 0n, {
      nonce: 1n,
      type: 1,
      gasLimit: 100_000n,
      accessList: [{ address: store, storageKeys: [0n, 1n] }],
    }),
    transfer(ALICE, REVERTS, 0n, { nonce: 2n, gasLimit: 50_000n }),
  ]);
  await chain.add([transfer(ALICE, BOB.address, 5n, { nonce: 3n })], { extraData: "0x1234" });
  const next = await chain.add([transfer(ALICE, BOB.address, 5n, { nonce: 4n })]);
  bad = encodeBlockProof(
    altered(decodeBlockProof(next.proof), ({ claims }) => {
      Object.assign(claims.cells.balances[0]!, { balance: 1n });
    }),
  );
  folder = await temporaryFolder();
  database = await ReplicaDatabase.open(folder.path, { snapshot: chain.before });
  replica = await ReplicaChain.open({ database, keys: KEYS, now: () => Date.UTC(2030, 0, 1) });
  for (const { proof } of chain.blocks.slice(0, 3)) {
    expect(await replica.submit(proof)).toMatchObject({ outcome: "accepted" });
  }
  await replica.submit(bad);
  server = await startRpc({
    chain: replica,
    port: 0,
    status: () => status,
    onCall: (method, result) => calls.push([method, result]),
    onError: (error) => errors.push(error),
  });
});

afterAll(async () => {
  await server?.close();
  await database?.close();
  await folder?.remove();
});

/** What is sent back to a body. */
async function post(body: string, headers: Record<string, string> = { "content-type": "application/json" }) {
  const response = await fetch(server.url, { method: "POST", headers, body });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

// biome-ignore lint/suspicious/noExplicitAny: results of any method
async function ask(method: string, ...params: unknown[]): Promise<any> {
  const { body } = await post(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
  expect(body).toMatchObject({ jsonrpc: "2.0", id: 1 });
  return body.result;
}

const failureOf = async (method: string, ...params: unknown[]) =>
  (await post(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }))).body.error;

const client = () => {
  const own = defineChain({
    id: 1337,
    name: "chunkproof",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [server.url] } },
  });
  return createPublicClient({ chain: own, transport: http(server.url, { batch: true }) });
};

describe("viem", () => {
  test("reads blocks, transactions, receipts and accounts, now and then", async () => {
    const viem = client();
    const [id, number, version] = await Promise.all([
      viem.getChainId(),
      viem.getBlockNumber(),
      viem.request({ method: "web3_clientVersion" }),
    ]);
    expect({ id, number }).toEqual({ id: 1337, number: 3n });
    expect(version).toContain(`chunkproof-replica/${VERSION}`);
    for (const { number: of, hash, header, built } of chain.blocks.slice(0, 3)) {
      const block = await viem.getBlock({ blockNumber: of, includeTransactions: true });
      expect(block).toMatchObject({
        number: of,
        hash: wordToHex(hash),
        parentHash: wordToHex(header.parentHash),
        stateRoot: wordToHex(header.stateRoot),
        transactionsRoot: wordToHex(header.transactionsRoot),
        receiptsRoot: wordToHex(header.receiptsRoot),
        logsBloom: toHex(header.logsBloom),
        timestamp: header.timestamp,
        gasLimit: header.gasLimit,
        gasUsed: header.gasUsed,
        baseFeePerGas: header.baseFeePerGas,
        miner: hexAddress(MINER.address),
        extraData: toHex(header.extraData),
        size: BigInt(built.block.serialize().length),
        uncles: [],
        withdrawals: [],
      });
      expect(await viem.getBlock({ blockHash: block.hash })).toMatchObject({
        transactions: block.transactions.map((tx) => tx.hash),
      });
      expect(block.transactions.length).toBe(built.trace.transactions.length);
      let before = 0n;
      for (const [i, transaction] of block.transactions.entries()) {
        const raw = built.trace.transactions[i]!;
        expect(transaction.hash).toBe(wordToHex(keccak(raw)));
        expect(await viem.getTransaction({ hash: transaction.hash })).toMatchObject({
          hash: transaction.hash,
          blockNumber: of,
          transactionIndex: i,
        });
        const receipt = await viem.getTransactionReceipt({ hash: transaction.hash });
        const execution = built.trace.executions[i]!;
        expect(receipt).toMatchObject({
          transactionHash: transaction.hash,
          transactionIndex: i,
          blockHash: block.hash,
          blockNumber: of,
          from: transaction.from,
          to: transaction.to,
          contractAddress: null,
          gasUsed: execution.gasUsed,
          cumulativeGasUsed: before + execution.gasUsed,
          status: execution.status === 1 ? "success" : "reverted",
          type: transaction.type,
        });
        before += execution.gasUsed;
      }
    }
    for (const { number: of, built } of chain.blocks.slice(0, 3)) {
      for (const address of [alice, bob, store, hexAddress(CAROL.address), hexAddress(MINER.address)] as const) {
        const { balance, nonce } = await built.postState.account(address);
        expect(await viem.getBalance({ address, blockNumber: of })).toBe(balance);
        expect(await viem.getTransactionCount({ address, blockNumber: of })).toBe(Number(nonce));
      }
      for (const slot of [0n, 1n, 2n]) {
        expect(await viem.getStorageAt({ address: store, slot: viemHex(slot), blockNumber: of })).toBe(
          toHex(wordBytes(await built.postState.slot(store, slot))),
        );
      }
    }
    expect(await viem.getCode({ address: store })).toBe(toHex(STORE_CODE));
    expect(await viem.getCode({ address: alice })).toBeUndefined();
    expect(await viem.getBalance({ address: alice, blockTag: "earliest" })).toBe(ETHER);
    await expect(viem.getBlock({ blockNumber: 99n })).rejects.toThrow(/could not be found/);
    await expect(viem.getTransactionReceipt({ hash: `0x${"11".repeat(32)}` })).rejects.toThrow(/could not be found/);
  });

  test("reads proofs of validity, and many things in one batch", async () => {
    const viem = client();
    calls.length = 0;
    const balances = await Promise.all(
      [1n, 2n, 3n].map((blockNumber) => viem.getBalance({ address: bob, blockNumber })),
    );
    expect(new Set(balances).size).toBe(3);
    expect(calls).toEqual(Array(3).fill(["eth_getBalance", "ok"]));
    const request = custom({ request: (args) => viem.request(args as never) })({});
    expect(await request.request({ method: "chunkproof_getBlockValidity", params: ["latest"] })).toMatchObject({
      valid: true,
      number: "0x3",
    });
  });
});

describe("encodings", () => {
  test("transactions of every type, field by field", async () => {
    const { hash, header, built } = chain.blocks[1]!;
    const { transactions } = await ask("eth_getBlockByNumber", "0x2", true);
    const price = header.baseFeePerGas + 2n * GWEI;
    const place = (i: number) => ({
      blockHash: wordToHex(hash),
      blockNumber: "0x2",
      transactionIndex: quantity(BigInt(i)),
      hash: wordToHex(keccak(built.trace.transactions[i]!)),
      chainId: "0x539",
      r: expect.stringMatching(/^0x[1-9a-f][0-9a-f]*$/),
      s: expect.stringMatching(/^0x[1-9a-f][0-9a-f]*$/),
    });
    expect(transactions[0]).toEqual({
      ...place(0),
      type: "0x2",
      nonce: "0x0",
      from: alice,
      to: bob,
      value: "0x7",
      input: "0x",
      gas: "0x5208",
      gasPrice: quantity(price),
      maxFeePerGas: quantity(10n * GWEI),
      maxPriorityFeePerGas: quantity(2n * GWEI),
      accessList: [],
      yParity: expect.stringMatching(/^0x[01]$/),
      v: transactions[0].yParity,
    });
    expect(transactions[1]).toEqual({
      ...place(1),
      type: "0x0",
      nonce: "0x0",
      from: bob,
      to: hexAddress(CAROL.address),
      value: "0x1",
      input: "0x",
      gas: "0x5208",
      gasPrice: quantity(5n * GWEI),
      v: expect.stringMatching(/^0xa9[56]$/),
    });
    expect(transactions[2].input).toBe(toHex(wordBytes(0xabcn)));
    expect(transactions[4]).toEqual({
      ...place(4),
      type: "0x1",
      nonce: "0x1",
      from: alice,
      to: store,
      value: "0x0",
      input: "0x",
      gas: quantity(100_000n),
      gasPrice: quantity(5n * GWEI),
      accessList: [{ address: store, storageKeys: [wordToHex(0n), wordToHex(1n)] }],
      yParity: expect.stringMatching(/^0x[01]$/),
      v: transactions[4].yParity,
    });
    expect(await ask("eth_getTransactionByHash", transactions[4].hash)).toEqual(transactions[4]);
  });

  test("receipts with their logs, counted through the block", async () => {
    const { hash, header, built } = chain.blocks[1]!;
    const hashes = built.trace.transactions.map((raw) => wordToHex(keccak(raw)));
    const receipts = await ask("eth_getBlockReceipts", "0x2");
    expect(await ask("eth_getBlockReceipts", wordToHex(hash))).toEqual(receipts);
    expect(receipts.map(({ status: code }: { status: string }) => code)).toEqual([...Array(5).fill("0x1"), "0x0"]);
    for (const [i, receipt] of receipts.entries()) {
      expect(await ask("eth_getTransactionReceipt", hashes[i])).toEqual(receipt);
    }
    expect(receipts[0]).toEqual({
      blockHash: wordToHex(hash),
      blockNumber: "0x2",
      transactionHash: hashes[0],
      transactionIndex: "0x0",
      type: "0x2",
      status: "0x1",
      from: alice,
      to: bob,
      contractAddress: null,
      gasUsed: "0x5208",
      cumulativeGasUsed: "0x5208",
      effectiveGasPrice: quantity(header.baseFeePerGas + 2n * GWEI),
      logsBloom: `0x${"00".repeat(256)}`,
      logs: [],
    });
    const log = (i: number, at: number, value: bigint) => ({
      address: store,
      topics: [wordToHex(7n)],
      data: wordToHex(value),
      blockHash: wordToHex(hash),
      blockNumber: "0x2",
      blockTimestamp: quantity(header.timestamp),
      transactionHash: hashes[i],
      transactionIndex: quantity(BigInt(i)),
      logIndex: quantity(BigInt(at)),
      removed: false,
    });
    expect(receipts.slice(2).map(({ logs }: { logs: unknown }) => logs)).toEqual([
      [log(2, 0, 0xabcn)],
      [log(3, 1, 0xdefn)],
      [log(4, 2, 0n)],
      [],
    ]);
    expect(BigInt(receipts[2].logsBloom)).not.toBe(0n);
    expect(receipts.at(-1).cumulativeGasUsed).toBe(quantity(header.gasUsed));
  });

  test("storage in 32 bytes, quantities without leading zeros, nothing as nothing", async () => {
    expect(await ask("eth_getStorageAt", store, "0x0", "latest")).toBe(wordToHex(44n));
    expect(await ask("eth_getStorageAt", store, wordToHex(1n), "latest")).toBe(wordToHex(0n));
    expect(await ask("eth_getStorageAt", store, "0x1", "0x1")).toBe(wordToHex(0n));
    const nobody = hexAddress(12345n);
    expect(await ask("eth_getBalance", nobody)).toBe("0x0");
    expect(await ask("eth_getTransactionCount", nobody, null)).toBe("0x0");
    expect(await ask("eth_getCode", nobody, "latest")).toBe("0x");
    expect(await ask("eth_getStorageAt", nobody, "0x0")).toBe(wordToHex(0n));
    const empty = await ask("eth_getBlockByNumber", "0x1");
    expect(empty).toMatchObject({ transactions: [], nonce: "0x0000000000000000", difficulty: "0x0", uncles: [] });
    expect(Object.keys(empty).length).toBe(25);
    expect(await ask("net_version")).toBe("1337");
    expect(await ask("eth_syncing")).toEqual({ startingBlock: "0x0", currentBlock: "0x3", highestBlock: "0x9" });
  });
});

describe("which block is meant", () => {
  test("tags, numbers, hashes, and objects of EIP-1898", async () => {
    const balances = await Promise.all(
      ["0x0", "0x1", "0x2", "0x3"].map((number) => ask("eth_getBalance", alice, number)),
    );
    expect(new Set(balances).size).toBe(3);
    const latest = balances[3];
    for (const tag of ["latest", "safe", "finalized", "pending", undefined, null]) {
      expect(await ask("eth_getBalance", alice, ...(tag === undefined ? [] : [tag]))).toBe(latest);
    }
    expect(await ask("eth_getBalance", alice, "earliest")).toBe(quantity(ETHER));
    for (const [number, balance] of balances.entries()) {
      const hash = number === 0 ? chain.before.blockHash : wordToHex(chain.blocks[number - 1]!.hash);
      for (const block of [
        hash,
        { blockHash: hash },
        { blockHash: hash, requireCanonical: true },
        { blockNumber: quantity(BigInt(number)) },
      ]) {
        expect(await ask("eth_getBalance", alice, block)).toBe(balance);
      }
    }
    expect(await ask("eth_getBalance", alice, { blockNumber: "earliest" })).toBe(quantity(ETHER));
    expect((await ask("eth_getBlockByNumber", "pending")).number).toBe("0x3");
  });

  test("what is not known is null, or an error where there is a state to read", async () => {
    for (const number of ["0x4", "0xffffffffffffffff"]) {
      expect(await ask("eth_getBlockByNumber", number, true)).toBeNull();
      expect(await ask("eth_getBlockReceipts", number)).toBeNull();
      expect(await failureOf("eth_getBalance", alice, number)).toEqual({ code: -32000, message: "header not found" });
    }
    const hash = `0x${"ab".repeat(32)}`;
    expect(await ask("eth_getBlockByHash", hash, false)).toBeNull();
    expect(await ask("eth_getBlockReceipts", hash)).toBeNull();
    expect(await ask("eth_getTransactionByHash", hash)).toBeNull();
    expect(await ask("eth_getTransactionReceipt", hash)).toBeNull();
    for (const block of [hash, { blockHash: hash }]) {
      expect(await failureOf("eth_getCode", alice, block)).toEqual({
        code: -32000,
        message: "header for hash not found",
      });
    }
    // of the snapshot's block the state is known, but not the contents
    expect(await ask("eth_getBlockByNumber", "earliest", true)).toBeNull();
    expect(await ask("eth_getBlockByHash", chain.before.blockHash)).toBeNull();
  });

  test("what is no block", async () => {
    const wrong = [
      ...[
        "",
        "0x",
        "0x01",
        "1",
        "newest",
        "0x10000000000000000",
        1,
        -1,
        true,
        [],
        `0x${"1".repeat(63)}`,
        `0x${"g".repeat(64)}`,
      ],
      ...[{}, { blockHash: `0x${"00".repeat(32)}`, blockNumber: "0x1" }, { blockNumber: 1 }, { blockHash: "0x1" }],
      ...[
        { blockNumber: "0x1", more: 1 },
        { blockHash: wordToHex(1n), requireCanonical: 1 },
      ],
    ];
    for (const block of wrong) {
      expect(await failureOf("eth_getBalance", alice, block), JSON.stringify(block)).toMatchObject({ code: -32602 });
    }
  });
});

describe("what the proofs say", () => {
  test("a block of the chain is valid, by number, tag and hash", async () => {
    const { hash, header, proof } = chain.blocks[1]!;
    const expected = {
      valid: true,
      number: "0x2",
      hash: wordToHex(hash),
      stateRoot: wordToHex(header.stateRoot),
      gasUsed: quantity(header.gasUsed),
      transactions: 6,
      proof: { digest: proofDigest(proof), bytes: proof.length, chunks: 1, keySet: KEYS.digest },
      verifiedAt: "2030-01-01T00:00:00.000Z",
    };
    expect(await ask("chunkproof_getBlockValidity", "0x2")).toEqual(expected);
    expect(await ask("chunkproof_getBlockValidity", wordToHex(hash))).toEqual(expected);
    expect(await ask("chunkproof_getBlockValidity", "latest")).toMatchObject({ valid: true, number: "0x3" });
    expect(await ask("chunkproof_getBlockValidity")).toMatchObject({ valid: true, number: "0x3" });
    expect(await ask("chunkproof_getBlockValidity", "earliest")).toEqual({
      valid: true,
      number: "0x0",
      hash: chain.before.blockHash,
      stateRoot: chain.before.stateRoot,
      snapshot: true,
    });
  });

  test("one that was refused is not, and why; of others nothing is known", async () => {
    const { hash } = chain.blocks[3]!;
    const expected = {
      valid: false,
      number: "0x4",
      hash: wordToHex(hash),
      reason: "invalid",
      faults: [{ code: "BUS_UNBALANCED", where: "bus", message: expect.any(String) }],
      proof: { digest: proofDigest(bad), bytes: bad.length },
      firstSeen: "2030-01-01T00:00:00.000Z",
      count: 1,
    };
    expect(await ask("chunkproof_getBlockValidity", "0x4")).toEqual(expected);
    expect(await ask("chunkproof_getBlockValidity", wordToHex(hash))).toEqual(expected);
    expect(await ask("chunkproof_getBlockValidity", "0x5")).toBeNull();
    expect(await ask("chunkproof_getBlockValidity", wordToHex(5n))).toBeNull();
    expect(await failureOf("chunkproof_getBlockValidity", "five")).toMatchObject({ code: -32602 });
  });

  test("how far the replica is", async () => {
    expect(await ask("chunkproof_status")).toEqual({
      version: VERSION,
      chainId: "0x539",
      keySet: KEYS.digest,
      insecure: false,
      snapshot: { number: "0x0", hash: chain.before.blockHash },
      head: {
        number: "0x3",
        hash: wordToHex(chain.blocks[2]!.hash),
        stateRoot: wordToHex(chain.blocks[2]!.header.stateRoot),
      },
      refused: 1,
      following: true,
      feedTip: "0x9",
      lag: 6,
      behindSeconds: 1.5,
      polledAt: "1970-01-01T00:00:03.000Z",
      feedError: { code: "FEED_TIMEOUT", message: "late", since: "1970-01-01T00:00:02.000Z" },
      stalled: {
        number: "0x4",
        digest: "aa",
        faults: [{ code: "BUS_UNBALANCED", where: "bus", message: "no" }],
        since: "1970-01-01T00:00:01.000Z",
      },
    });
  });
});

describe("JSON-RPC", () => {
  const request = (id: unknown, method = "eth_blockNumber", more: object = {}) => ({
    jsonrpc: "2.0",
    id,
    method,
    ...more,
  });
  const ok = (id: unknown) => ({ jsonrpc: "2.0", id, result: "0x3" });
  const error = (id: unknown, code: number) => ({ jsonrpc: "2.0", id, error: { code, message: expect.any(String) } });

  test("ids come back as they were; notifications have no answer", async () => {
    for (const id of [0, -1.5, "a", "", null]) {
      expect(await post(JSON.stringify(request(id)))).toEqual({ status: 200, body: ok(id) });
    }
    const { id: _, ...notification } = request(1);
    expect(await post(JSON.stringify(notification))).toEqual({ status: 204, body: undefined });
    expect(await post(JSON.stringify([notification, notification]))).toEqual({ status: 204, body: undefined });
    expect((await post(JSON.stringify([notification, request(5)]))).body).toEqual([ok(5)]);
  });

  test("what is no request", async () => {
    for (const body of ["", "{", "hello", "[1,"]) expect((await post(body)).body).toEqual(error(null, -32700));
    for (const body of ["1", "null", '"a"', "{}", "[]", '{"id":1}', '{"jsonrpc":"2.0","method":1}']) {
      const answer = (await post(body)).body;
      expect(answer, body).toMatchObject({ error: { code: -32600 } });
    }
    for (const wrong of [request({}), request(true), { ...request(1), jsonrpc: "1.0" }, { ...request(1), method: 5 }]) {
      expect((await post(JSON.stringify(wrong))).body).toMatchObject({ error: { code: -32600 } });
    }
    expect((await post(JSON.stringify([1, request(2), []]))).body).toEqual([
      error(null, -32600),
      ok(2),
      error(null, -32600),
    ]);
  });

  test("methods that are not there, and parameters that are none", async () => {
    calls.length = 0;
    for (const method of ["eth_call", "eth_sendRawTransaction", "constructor", "x".repeat(100_000)]) {
      const { code, message } = await failureOf(method);
      expect({ code, length: message.length < 200 }).toEqual({ code: -32601, length: true });
    }
    expect(calls).toEqual(Array(4).fill(["unknown", "error"]));
    for (const params of [{}, "a", 5, null]) {
      expect((await post(JSON.stringify(request(1, "eth_blockNumber", { params })))).body).toEqual(error(1, -32602));
    }
    for (const params of [[], [5], ["0x"], [alice.slice(2)], [`${alice}00`], [`0x${"zz".repeat(20)}`], [null]]) {
      expect(await failureOf("eth_getBalance", ...params), JSON.stringify(params)).toMatchObject({ code: -32602 });
    }
    for (const slot of [undefined, "", "0x", `0x1${"0".repeat(64)}`, 5]) {
      expect(await failureOf("eth_getStorageAt", alice, slot)).toMatchObject({ code: -32602 });
    }
    expect(await failureOf("eth_getBlockByNumber", "0x1", "yes")).toMatchObject({ code: -32602 });
    expect(await failureOf("eth_getBlockByHash", "0x1")).toMatchObject({ code: -32602 });
    expect(await failureOf("eth_getTransactionReceipt")).toMatchObject({ code: -32602 });
    // upper case, as checksummed addresses have it
    expect(await ask("eth_getBalance", `0x${alice.slice(2).toUpperCase()}`)).toBe(await ask("eth_getBalance", alice));
  });

  test("batches are answered in order, within bounds", async () => {
    const batch = Array.from({ length: 100 }, (_, i) => request(i, i % 2 === 0 ? "eth_blockNumber" : "nothing"));
    const { body } = await post(JSON.stringify(batch));
    expect(body).toEqual(batch.map(({ id }) => ((id as number) % 2 === 0 ? ok(id) : error(id, -32601))));
    expect((await post(JSON.stringify([...batch, request(100)]))).body).toEqual(error(null, -32600));
  });

  test("only JSON to /, not too much of it, and not too slowly", async () => {
    const body = JSON.stringify(request(1));
    for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
      expect(await post(body, { "content-type": type })).toMatchObject({
        status: 415,
        body: { error: { code: -32600 } },
      });
    }
    expect((await post(body, { "content-type": "application/json; charset=utf-8" })).status).toBe(200);
    expect(await post(" ".repeat((1 << 20) + 1))).toMatchObject({ status: 413, body: { error: { code: -32600 } } });
    expect((await fetch(server.url)).status).toBe(404);
    expect((await fetch(`${server.url}/other`, { method: "POST" })).status).toBe(404);
    expect((await fetch(server.url, { method: "OPTIONS", headers: { origin: "http://evil.example" } })).status).toBe(
      404,
    );
  });

  test("a client that does not finish is cut off; others are answered meanwhile", async () => {
    const own = await startRpc({ chain: replica, port: 0, timeout: 300 });
    try {
      const socket = connect(own.port, "127.0.0.1");
      const closed = new Promise((resolve) => socket.on("close", resolve));
      socket.on("error", () => {});
      socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{");
      const response = await fetch(own.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request(1)),
      });
      expect(await response.json()).toEqual(ok(1));
      socket.resume();
      await Promise.race([closed, delay(5_000)]);
      expect(socket.destroyed).toBe(true);
    } finally {
      await own.close();
    }
  });

  test("answers have a bound", async () => {
    const small: Partial<RpcServerOptions> = { maxResponseBytes: 3000 };
    const own = await startRpc({ chain: replica, port: 0, ...small });
    try {
      const send = async (body: unknown) => {
        const headers = { "content-type": "application/json" };
        return (await fetch(own.url, { method: "POST", headers, body: JSON.stringify(body) })).json();
      };
      const block = (id: number) => request(id, "eth_getBlockByNumber", { params: ["0x2", true] });
      expect(await send(block(1))).toEqual(error(1, -32003));
      const empty = (id: number) => request(id, "eth_getBlockByNumber", { params: ["0x1", true] });
      expect(await send([1, 2, 3, 4].map(empty))).toMatchObject([
        { id: 1, result: {} },
        { id: 2, result: {} },
        error(3, -32003),
        error(4, -32003),
      ]);
    } finally {
      await own.close();
    }
  });

  test("an address that is taken", async () => {
    await expect(startRpc({ chain: replica, port: server.port })).rejects.toMatchObject({ code: "RPC_LISTEN" });
  });

  test("a database that fails is an internal error without details", async () => {
    const broken = await ReplicaDatabase.open(await testFolder(), { snapshot: chain.before });
    const own = await startRpc({
      chain: await ReplicaChain.open({ database: broken, keys: KEYS }),
      port: 0,
      onError: (failure) => errors.push(failure),
    });
    try {
      await broken.close();
      errors.length = 0;
      const response = await fetch(own.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request(1, "eth_getBalance", { params: [alice] })),
      });
      expect(await response.json()).toEqual({
        jsonrpc: "2.0",
        id: 1,
        error: { code: -32603, message: "internal error", data: { code: "DATABASE_CLOSED" } },
      });
      expect(errors).toMatchObject([{ code: "DATABASE_CLOSED" }]);
    } finally {
      await own.close();
    }
  });
});
