/**
 * Replica nodes as real processes of the built package: killed at any moment, fed with everything that a feed may hold.
 */

import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { createPublicClient, http } from "viem";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { buildTrie } from "../../../src/replica/node/build-trie.js";
import { proofDigest } from "../../../src/replica/node/chain.js";
import { ReplicaDatabase } from "../../../src/replica/node/database.js";
import { NodeError } from "../../../src/replica/node/errors.js";
import type { Hex } from "../../../src/trace/read.js";
import { encodeSnapshot, type Snapshot, type SnapshotAccount } from "../../../src/trace/snapshot.js";
import { decodeBlockProof, encodeBlockProof } from "../../../src/verifier/encoding.js";
import { encodeRlp } from "../../../src/verifier/ethereum/rlp.js";
import { EMPTY_TRIE_ROOT } from "../../../src/verifier/ethereum/trie.js";
import { EMPTY_CODE_HASH, fromHex, keccak, uintToBytes, wordToHex } from "../../../src/verifier/ethereum/words.js";
import { ROOT } from "../../support/circuits.js";
import { altered } from "../../support/proofs.js";
import { type RealChain, realChain } from "../../support/replica-chain.js";
import { temporaryFolder } from "../../support/zoo.js";

const DIST = pathToFileURL(join(ROOT, "dist/")).href;
const KILLS = 20;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let chain: RealChain;
let files: { readonly keys: string; readonly snapshot: string };

beforeAll(async () => {
  folder = await temporaryFolder();
  chain = await realChain();
  await mkdir(folder.path("."), { recursive: true });
  files = { keys: folder.path("keyset.json"), snapshot: folder.path("before.json") };
  await writeFile(files.keys, JSON.stringify(chain.keys.keySet));
  await writeFile(files.snapshot, encodeSnapshot(chain.before));
}, 600_000);

afterAll(() => folder?.remove());

/** A replica; says `opened <number> <url>` when it has its database, and `head <number>` with each block. */
const REPLICA = `
  const load = (name) => import(${JSON.stringify(DIST)} + name);
  const { readFile } = await import("node:fs/promises");
  const [node, { decodeSnapshot }, { parseKeySet }] = await Promise.all(
    ["replica/node/index.js", "trace/snapshot.js", "verifier/keyset.js"].map(load),
  );
  const { DATABASE, FEED, SNAPSHOT, KEYS } = process.env;
  const keys = parseKeySet(JSON.parse(await readFile(KEYS, "utf8")), { allowInsecure: true });
  console.log("started");
  const database = await node.ReplicaDatabase.open(DATABASE, {
    snapshot: async () => decodeSnapshot(await readFile(SNAPSHOT)),
  });
  const thread = new node.VerifierThread(keys);
  const chain = await node.ReplicaChain.open({ database, keys, verify: thread.verify });
  const feed = FEED.startsWith("http")
    ? new node.HttpFeed({ url: FEED, chainId: chain.chainId })
    : new node.FolderFeed(FEED);
  const onVerdict = ({ outcome, block }) => {
    if (outcome === "accepted") console.log("head " + block.header.number);
    else console.log(outcome);
  };
  const follower = new node.Follower({ chain, feed, onVerdict, interval: 20, maxDelay: 100 });
  const server = await node.startRpc({ chain, status: () => follower.status, port: 0 });
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  console.log("opened " + chain.head.number + " " + server.url);
  await follower.run(stop.signal);
  await server.close();
  await thread.close();
  await database.close();
  console.log("stopped");
`;

/** How a replica ended. */
interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** A replica under way. */
interface Replica {
  readonly done: Promise<Ended>;
  readonly lines: readonly string[];
  /** The first line that begins so, from now on or before. */
  line(start: string): Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

function startReplica(env: { readonly DATABASE: string; readonly FEED: string; readonly SNAPSHOT?: string }): Replica {
  const child = spawn(process.execPath, ["--input-type=module", "-e", REPLICA], {
    cwd: ROOT,
    env: { ...process.env, NODE_OPTIONS: "", SNAPSHOT: files.snapshot, KEYS: files.keys, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  let ended = false;
  const done = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => {
      ended = true;
      resolve({ code, signal, stderr });
    });
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    done,
    lines,
    kill: (signal) => child.kill(signal),
    async line(start) {
      for (;;) {
        const found = lines.find((line) => line.startsWith(start));
        if (found !== undefined) return found;
        if (ended) throw new Error(`ended without "${start}": ${stderr}`);
        await delay(5);
      }
    },
  };
}

/** The state in the database is that after the head's block, account by account. @returns the head's number */
async function checkDatabase(path: string, options: { readonly snapshot?: Snapshot } = {}): Promise<number> {
  const database = await ReplicaDatabase.open(path, options);
  try {
    const { head } = database;
    const number = Number(head.number);
    const expected = number === 0 ? (options.snapshot ?? chain.before) : chain.blocks[number - 1]!.after;
    expect(head).toEqual({
      number: expected.number,
      hash: BigInt(expected.blockHash),
      stateRoot: BigInt(expected.stateRoot),
    });
    const state = database.state(head.stateRoot);
    // some hundred of very many
    const step = Math.ceil(expected.accounts.length / 500);
    const accounts = expected.accounts.filter((_, i) => i % step === 0);
    for (const { address, nonce, balance, code, storage } of accounts) {
      expect(await state.account(BigInt(address)), address).toEqual({ nonce, balance, codeHash: keccak(code) });
      for (const [slot, value] of storage) expect(await state.slot(BigInt(address), slot)).toBe(value);
    }
    for (let n = 1; n <= number; n++) {
      const { hash, proof } = chain.blocks[n - 1]!;
      const block = (await database.block(BigInt(n)))!;
      expect(block.hash).toBe(BigInt(hash));
      expect(block.proof.digest).toBe(proofDigest(proof));
    }
    return number;
  } finally {
    await database.close();
  }
}

/** The root of a state of accounts without code: what takes minutes entry by entry. */
function rootOf(accounts: readonly SnapshotAccount[]): Hex {
  const nodes = buildTrie(
    accounts.map(({ address, nonce, balance }) => ({
      key: uintToBytes(keccak(fromHex(address)!), 32),
      value: encodeRlp([nonce, balance, uintToBytes(EMPTY_TRIE_ROOT, 32), uintToBytes(EMPTY_CODE_HASH, 32)]),
    })),
  );
  for (let next = nodes.next(); ; next = nodes.next()) if (next.done) return wordToHex(next.value) as Hex;
}

/** Numbers below 1, the same in every run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A proof that says something else than is true. */
const forged = (proof: Uint8Array): Uint8Array =>
  encodeBlockProof(
    altered(decodeBlockProof(proof), ({ claims }) => {
      const [cell] = claims.cells.balances;
      if (cell === undefined) claims.preState[0]! ^= 1;
      else cell.balance++;
    }),
  );

describe("a replica that is killed", () => {
  test("twenty times at random moments, with everything wrong in its feed, is always at some block, and ends at the last", async () => {
    const random = randomNumbers(7);
    const feed = folder.path("feed-killed");
    const database = folder.path("killed");
    await mkdir(feed);
    const put = (name: string, bytes: Uint8Array) => writeFile(join(feed, `${name}.proof`), bytes);
    const late: (() => Promise<void>)[] = [];
    /** Files of block n, in a wrong order with something wrong in most of them. */
    const reveal = async (n: number) => {
      const { proof } = chain.blocks[n - 1]!;
      const fork = chain.fork[n - 1]?.proof;
      switch (n % 7) {
        case 0:
          // comes later than those after it
          late.push(() => put(`${n}`, proof));
          break;
        case 1:
          await put(`${n} forged`, forged(proof));
          await put(`${n}`, proof);
          break;
        case 2:
          await put(`${n}`, proof.subarray(0, Math.floor(proof.length * random())));
          late.push(() => put(`${n}`, proof));
          break;
        case 3:
          await put(`${n}`, proof);
          await put(`${n} again`, proof);
          break;
        case 4:
          // under the name of another block
          await put(`${n + 1000}`, proof);
          await put(`${n}`, chain.blocks[Math.floor(random() * 100)]!.proof);
          break;
        case 5:
          await put(`${n} forged`, forged(proof));
          await put(`${n} cut`, proof.subarray(0, 2000));
          await writeFile(join(feed, `${n}.proof.1-abc.tmp`), proof.subarray(0, 100));
          late.push(() => put(`${n}`, proof));
          break;
        default:
          await put(`${n}`, proof);
      }
      if (fork !== undefined) await put(`${n} fork`, fork);
    };

    const heads: number[] = [];
    const outcomes = new Map<string, number>();
    for (let i = 0, next = 1; i < KILLS; i++) {
      for (const arrive of late.splice(0)) await arrive();
      const some = Array.from({ length: 5 }, () => next++).sort(() => random() - 0.5);
      for (const n of some) await reveal(n);
      const replica = startReplica({ DATABASE: database, FEED: feed });
      if (i % 5 === 4) {
        // while it starts
        await replica.line("started");
        await delay(40 * random());
      } else {
        await replica.line("opened");
        await delay(600 * random());
        for (const arrive of late.splice(0)) await arrive();
        await delay(600 * random());
      }
      replica.kill("SIGKILL");
      expect(await replica.done).toMatchObject({ signal: "SIGKILL", stderr: "" });
      for (const line of replica.lines) outcomes.set(line, (outcomes.get(line) ?? 0) + 1);
      heads.push(await checkDatabase(database, { snapshot: chain.before }));
    }
    expect(heads).toEqual([...heads].sort((a, b) => a - b));
    expect(new Set(heads).size).toBeGreaterThan(5);
    for (const arrive of late.splice(0)) await arrive();
    const last = startReplica({ DATABASE: database, FEED: feed });
    await last.line("opened");
    if (heads.at(-1)! < 100) await last.line("head 100");
    last.kill("SIGTERM");
    expect(await last.done).toMatchObject({ code: 0, stderr: "" });
    expect(last.lines.at(-1)).toBe("stopped");
    expect(await checkDatabase(database)).toBe(100);
    expect(outcomes.get("invalid")).toBeGreaterThan(0);
    expect(outcomes.get("not-next")).toBeGreaterThan(0);
  });

  test("while it imports its snapshot, begins again", async () => {
    const random = randomNumbers(11);
    const accounts = Array.from({ length: 20_000 }, (_, i): SnapshotAccount => {
      const address = `0x${(i + 1).toString(16).padStart(40, "0")}` as const;
      return { address, nonce: BigInt(i), balance: BigInt(i) ** 9n + 1n, code: new Uint8Array(0), storage: [] };
    });
    const snapshot = { ...chain.before, accounts, stateRoot: rootOf(accounts) };
    const path = folder.path("large.json");
    await writeFile(path, encodeSnapshot(snapshot));
    const env = { DATABASE: folder.path("imported"), FEED: folder.path("."), SNAPSHOT: path };
    let interrupted = 0;
    for (let i = 0; i < 3; i++) {
      const replica = startReplica(env);
      await replica.line("started");
      await delay(50 + 500 * random());
      replica.kill("SIGKILL");
      await replica.done;
      if (replica.lines.some((line) => line.startsWith("opened"))) break;
      interrupted++;
      const opened = ReplicaDatabase.open(env.DATABASE);
      await expect(opened).rejects.toMatchObject({ code: "DATABASE_EMPTY" });
    }
    expect(interrupted).toBeGreaterThan(0);
    const replica = startReplica(env);
    await replica.line("opened");
    replica.kill("SIGTERM");
    expect(await replica.done).toMatchObject({ code: 0 });
    expect(await checkDatabase(env.DATABASE, { snapshot })).toBe(0);
  });
});

describe("a replica that starts late", () => {
  test("catches up from a folder, and answers meanwhile", async () => {
    const feed = folder.path("feed-late");
    await mkdir(feed);
    for (const { number, proof } of chain.blocks) await writeFile(join(feed, `${number}.proof`), proof);
    const database = folder.path("late");
    const replica = startReplica({ DATABASE: database, FEED: feed });
    const url = (await replica.line("opened")).split(" ")[2]!;
    const viem = createPublicClient({ transport: http(url) });
    const times: number[] = [];
    let head = 0n;
    while (head < 100n) {
      const begun = performance.now();
      head = await viem.getBlockNumber({ cacheTime: 0 });
      times.push(performance.now() - begun);
      await delay(10);
    }
    times.sort((a, b) => a - b);
    expect(times.length).toBeGreaterThan(20);
    // a block with chunks takes longer than that to verify
    expect(times[Math.floor(times.length * 0.9)]).toBeLessThan(500);

    const asked = { method: "chunkproof_status" } as unknown as { method: "web3_clientVersion" };
    expect(await viem.request(asked)).toMatchObject({ following: true, lag: 0, stalled: null, refused: 0 });
    for (const { number, hash, after } of chain.blocks.filter((_, i) => i % 11 === 5)) {
      expect(await viem.getBlock({ blockNumber: number })).toMatchObject({ hash, stateRoot: after.stateRoot });
      for (const { address, balance } of after.accounts) {
        expect(await viem.getBalance({ address, blockNumber: number })).toBe(balance);
      }
    }
    replica.kill("SIGTERM");
    expect(await replica.done).toMatchObject({ code: 0, stderr: "" });
    expect(await checkDatabase(database)).toBe(100);
  });

  test("catches up from a coordinator that goes away in between", async () => {
    const listed = (from: number) => ({
      chainId: "1337",
      tip: 100,
      blocks: chain.blocks
        .filter(({ number }) => number >= BigInt(from))
        .slice(0, 32)
        .map(({ number, proof }) => ({
          number: Number(number),
          id: number.toString(16).padStart(32, "0"),
          proof: proofDigest(proof),
        })),
    });
    let answers = 0;
    const server = createServer((request, response) => {
      const url = new URL(request.url!, "http://x");
      answers++;
      // in the middle of some answer
      if (answers % 9 === 8) return response.destroy();
      if (url.pathname === "/v1/feed")
        return response.end(JSON.stringify(listed(Number(url.searchParams.get("from")))));
      const number = Number.parseInt(url.pathname.split("/")[3]!, 16);
      // another block's proof now and then
      response.end(chain.blocks[number - 1 + (answers % 13 === 12 ? 1 : 0)]?.proof);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const database = folder.path("from-coordinator");
    const feed = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const replica = startReplica({ DATABASE: database, FEED: feed });
    await replica.line("head 100");
    replica.kill("SIGTERM");
    expect(await replica.done).toMatchObject({ code: 0, stderr: "" });
    expect(await checkDatabase(database)).toBe(100);
  });
});

describe("the thread that verifies", () => {
  const load = <T>(name: string): Promise<T> =>
    import(/* @vite-ignore */ `data:text/javascript,export * from ${JSON.stringify(`${DIST}${name}`)}`);

  async function threadOf(timeout?: number) {
    const { VerifierThread } =
      await load<typeof import("../../../src/replica/node/verifier.js")>("replica/node/verifier.js");
    const { parseKeySet } = await load<typeof import("../../../src/verifier/keyset.js")>("verifier/keyset.js");
    const { snapshotState } = await load<typeof import("../../../src/replica/snapshot.js")>("replica/snapshot.js");
    const keys = parseKeySet(chain.keys.keySet, { allowInsecure: true });
    const thread = new VerifierThread(keys, timeout === undefined ? {} : { timeout });
    onTestFinished(() => thread.close());
    const state = await snapshotState(chain.before);
    return { thread, options: { keys, state, chainId: 1337n } };
  }

  test("says what verifyBlock says", async () => {
    const { thread, options } = await threadOf();
    const { verifyBlock } = await load<typeof import("../../../src/verifier/block.js")>("verifier/block.js");
    const [{ proof }, other] = chain.blocks as [RealChain["blocks"][0], RealChain["blocks"][0]];
    const some = [proof, forged(proof), other.proof, new Uint8Array(3)];
    const verdicts = await Promise.all(some.map((bytes) => thread.verify(bytes, options)));
    expect(verdicts.map(({ valid }) => valid)).toEqual([true, false, false, false]);
    for (const [i, bytes] of some.entries()) expect(verdicts[i]).toEqual(await verifyBlock(bytes, options));
  });

  test("passes on what the state throws, and verifies the next block", async () => {
    const { thread, options } = await threadOf();
    const [{ proof }] = chain.blocks as [RealChain["blocks"][0]];
    const failure = new NodeError("damaged", { code: "DATABASE_DAMAGED" });
    const state = {
      ...options.state,
      account: async () => {
        throw failure;
      },
    };
    await expect(thread.verify(proof, { ...options, state })).rejects.toBe(failure);
    const lying = { ...options.state, commitment: async () => new Uint8Array(3) };
    await expect(thread.verify(proof, { ...options, state: lying })).rejects.toMatchObject({
      code: "STATE_INVALID",
      message: expect.stringMatching(/^state: commitment: not a commitment/),
    });
    expect(await thread.verify(proof, options)).toMatchObject({ valid: true });
  });

  test("ends at once when it is told to, takes too long, or is closed", async () => {
    const { thread, options } = await threadOf();
    const [{ proof }] = chain.blocks as [RealChain["blocks"][0]];
    const slow = { ...options, state: { ...options.state, account: () => new Promise<never>(() => {}) } };
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = thread.verify(proof, slow, controller.signal);
    setTimeout(() => controller.abort(reason), 50);
    await expect(aborted).rejects.toBe(reason);
    await expect(thread.verify(proof, options, controller.signal)).rejects.toBe(reason);
    expect(await thread.verify(proof, options)).toMatchObject({ valid: true });

    const hurried = await threadOf(300);
    await expect(hurried.thread.verify(proof, slow)).rejects.toMatchObject({ code: "VERIFIER_TIMEOUT" });
    const closed = hurried.thread.verify(proof, slow);
    closed.catch(() => {});
    const waiting = hurried.thread.verify(proof, slow);
    waiting.catch(() => {});
    await delay(20);
    await hurried.thread.close();
    await expect(closed).rejects.toMatchObject({ code: "VERIFIER_CLOSED" });
    await expect(waiting).rejects.toMatchObject({ code: "VERIFIER_CLOSED" });
  });
});
