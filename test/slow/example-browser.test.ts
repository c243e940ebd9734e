/**
 * The examples of verifying in a page, in a worker, and in any runtime: built and served as their README says, on real
 * proofs of two blocks.
 */

import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { build as bundle, type Metafile } from "esbuild";
import fc from "fast-check";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SnapshotAccount } from "../../src/trace/index.js";
import { encodeSnapshot, type Hex, type Snapshot, scenarioKey, signTransaction } from "../../src/trace/index.js";
import type { BlockState } from "../../src/verifier/block-state.js";
import type { StateDiff } from "../../src/verifier/boundary.js";
import { missingBrowser } from "../support/browser.js";
import { runModule, startNode, startServer } from "../support/built.js";
import { ROOT } from "../support/circuits.js";
import {
  altered,
  CACHE,
  CHAIN_ID,
  counterBlock,
  encodeBlockProof,
  makeKeys,
  proveBlock,
  SMALL,
  snapshotState,
} from "../support/proofs.js";
import { temporaryFolder } from "../support/zoo.js";

if (missingBrowser !== undefined) console.warn(`the example's page is not tested: ${missingBrowser}`);

const EXAMPLE = join(ROOT, "examples/verify-in-browser");
/** What a visitor of the page downloads, in bytes of scripts after gzip -9. */
const BUDGET = 64_000;

/** Where the example's replica is used without a page: the parts that tests call. */
interface Head {
  readonly number: bigint;
  readonly hash: bigint;
  readonly stateRoot: bigint;
}
interface Info {
  readonly head: Head;
  readonly accounts: number;
}
interface Report {
  readonly valid: boolean;
  readonly faults: readonly { readonly code: string; readonly where: string }[];
}
interface Replica {
  info(): Info;
  verify(proof: Uint8Array): Promise<Report>;
  goOn(): Info;
}
type FollowEvent = { report: Report } | { info: Info } | { waiting: string };

const load = (path: string): Promise<unknown> => import(/* @vite-ignore */ pathToFileURL(join(ROOT, path)).href);
const { build } = (await load("examples/verify-in-browser/build.mjs")) as { build(): Promise<Metafile> };
const { MemoryState } = (await load("examples/verify-in-browser/src/state.js")) as {
  MemoryState: new (text: string) => Required<BlockState> & { head: Head; apply(diff: StateDiff, head: Head): void };
};
const { Replica } = (await load("examples/verify-in-browser/src/replica.js")) as {
  Replica: new (options: { keySet: string; snapshot: string; digest?: string; allowInsecure?: boolean }) => Replica;
};
const { follow } = (await load("examples/verify-in-browser/src/follow.js")) as {
  follow(
    replica: Replica,
    origin: string,
    options: { signal: AbortSignal; onEvent(event: FollowEvent): void; every?: number },
  ): Promise<void>;
};

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
/** All the time that a state has: no test waits for longer. */
const SOON = 20_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let metafile: Metafile;
let keySet: string;
let digest: string;
let before: string;
/** Proofs by the names of their files. */
const proofs = new Map<string, Uint8Array>();
/** Hashes and state roots after block 1 and block 2. */
const after: { hash: Hex; stateRoot: Hex; snapshot: Snapshot }[] = [];
const named = (name: string): Uint8Array => proofs.get(name)!;

beforeAll(async () => {
  folder = await temporaryFolder();
  metafile = await build();
  const keys = await makeKeys({ cache: CACHE, layouts: SMALL });
  keySet = JSON.stringify(keys.keySet);
  digest = keys.parsed().digest;
  const run = await counterBlock();
  before = text(encodeSnapshot(run.before));
  const counter = run.before.accounts.find(({ code }) => code.length > 0)!.address;
  const settle = async () => {
    const snapshot = await run.sequencer.snapshot();
    after.push({ hash: snapshot.blockHash, stateRoot: snapshot.stateRoot, snapshot });
  };
  await settle();
  const { proof } = await proveBlock(run.trace, keys, { threads: 2 });
  const fees = { maxFeePerGas: 2n * 10n ** 9n, gasLimit: 100_000n };
  const again = signTransaction({ type: 2, nonce: 1n, to: counter, ...fees }, CHAIN_ID, scenarioKey(0));
  const { trace: second } = await run.sequencer.buildBlock([again]);
  await settle();
  proofs.set("block-1.proof", encodeBlockProof(proof));
  proofs.set("block-2.proof", (await proveBlock(second, keys, { threads: 2 })).bytes);
  const richer = altered(proof, ({ claims }) => {
    claims.cells.slots[0]!.value += 1n;
  });
  proofs.set("fraud-slot.proof", encodeBlockProof(richer));
  proofs.set("fraud-chunk.proof", encodeBlockProof({ ...proof, chunks: proof.chunks.slice(1) }));
  proofs.set("noise.proof", new Uint8Array(100).fill(7));
  await writeFile(folder.path("keyset.json"), keySet);
  await writeFile(folder.path("before.json"), before);
  for (const [name, bytes] of proofs) await writeFile(folder.path(name), bytes);
});

afterAll(() => folder?.remove());

describe("what is built", () => {
  test("holds nothing but the example and chunkproof/verifier", () => {
    const outside = new Set<string>();
    for (const [path, { imports }] of Object.entries(metafile.inputs)) {
      expect(path).toMatch(/^(?:src\/[a-z]+\.js|\.\.\/\.\.\/(?:dist\/verifier|node_modules\/@noble)\/.+\.js)$/);
      if (!path.startsWith("src/")) continue;
      for (const { original = "" } of imports) if (!original.startsWith("./")) outside.add(original);
    }
    expect([...outside]).toEqual(["chunkproof/verifier"]);
    // nothing is left for a browser to look for
    for (const [path, { imports }] of Object.entries(metafile.outputs)) {
      for (const { external } of imports) expect(external, path).not.toBe(true);
    }
  });

  test("is small: one copy of the verifier for page and worker", async () => {
    const sizes: string[] = [];
    let total = 0;
    for (const path of Object.keys(metafile.outputs)) {
      const code = await readFile(join(EXAMPLE, path));
      const size = gzipSync(code, { level: 9 }).length;
      total += size;
      sizes.push(`${path}: ${code.length} bytes, ${size} with gzip`);
    }
    console.log(sizes.join("\n"));
    expect(sizes.length).toBe(3);
    expect(total).toBeLessThan(BUDGET);
  });
});

describe("its state", () => {
  const word = fc.bigInt({ min: 1n, max: 2n ** 256n - 1n });
  const small = fc.bigInt({ min: 1n, max: 300n });
  const account = fc
    .record({
      address: fc.bigInt({ min: 0n, max: 2n ** 160n - 1n }).map((n): Hex => `0x${n.toString(16).padStart(40, "0")}`),
      nonce: fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
      balance: fc.oneof(fc.constant(0n), word, small),
      code: fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ maxLength: 300 })),
      storage: fc.uniqueArray(fc.tuple(fc.oneof(small, word), fc.oneof(small, word)), {
        maxLength: 12,
        selector: ([slot]) => slot,
      }),
    })
    .filter(({ nonce, balance, code }) => nonce > 0n || balance > 0n || code.length > 0);
  const accounts = fc.uniqueArray(account, { maxLength: 20, selector: ({ address }) => address });
  const wordHex = (value: bigint): Hex => `0x${value.toString(16).padStart(64, "0")}`;

  /** With the root that the package's own replica computes. */
  async function snapshotOf(list: readonly SnapshotAccount[]): Promise<Snapshot> {
    const fields = { version: 1, chainId: CHAIN_ID, number: 7n, blockHash: wordHex(7n), accounts: list } as const;
    const zero = { ...fields, stateRoot: wordHex(0n) };
    const { expected } = await snapshotState(zero).then(
      () => expect.unreachable(),
      (error: { expected: Hex }) => error,
    );
    return { ...fields, stateRoot: expected };
  }

  test("has the roots that chunkproof/replica computes, before and after changes", async () => {
    await fc.assert(
      fc.asyncProperty(accounts, word, async (list, value) => {
        const snapshot = await snapshotOf(list);
        const [theirs, ours] = [await snapshotState(snapshot), new MemoryState(text(encodeSnapshot(snapshot)))];
        expect(await ours.commitment()).toEqual(await theirs.commitment());
        const addresses = list.map(({ address }) => BigInt(address));
        const diff: StateDiff = {
          accounts: [
            ...addresses.slice(0, 3).map((address) => ({ address, nonce: undefined, balance: value })),
            // of these some are gone then
            ...addresses.slice(3, 8).map((address) => ({ address, nonce: undefined, balance: 0n })),
            { address: 1n, nonce: 1n, balance: undefined },
            // comes and goes: nothing is in it
            { address: 2n, nonce: undefined, balance: 0n },
          ],
          slots: list
            .filter(({ code }) => code.length > 0)
            .flatMap(({ address, storage }) => [
              ...storage.slice(0, 2).map(([slot]) => ({ address: BigInt(address), slot, value: 0n })),
              { address: BigInt(address), slot: value, value },
            ]),
        };
        const root = await theirs.postStateRoot(diff);
        expect(await ours.postStateRoot(diff)).toBe(root);
        // asked again, everything is as it was
        expect(await ours.commitment()).toEqual(await theirs.commitment());
        ours.apply(diff, { number: 8n, hash: 8n, stateRoot: root });
        expect(await ours.postStateRoot({ accounts: [], slots: [] })).toBe(root);
        expect([await ours.blockHash(7n), await ours.blockHash(8n), await ours.blockHash(9n)]).toEqual([
          7n,
          8n,
          undefined,
        ]);
        for (const { address, slot, value: now } of diff.slots) expect(await ours.slot(address, slot)).toBe(now);
      }),
      { numRuns: 25 },
    );
  });

  test("refuses a root that the accounts don't make up, and what is no snapshot", () => {
    const json = JSON.parse(before);
    const changed = (change: (json: { accounts: { balance: string }[] }) => void) => {
      const copy = structuredClone(json);
      change(copy);
      return JSON.stringify(copy);
    };
    const open = (snapshot: string) => () => new MemoryState(snapshot);
    const code = (expected: string) => expect.objectContaining({ code: expected });
    expect(open(changed(({ accounts: [first] }) => Object.assign(first!, { balance: "0x1" })))).toThrow(
      code("SNAPSHOT_ROOT"),
    );
    expect(open(changed(({ accounts: list }) => list.pop()))).toThrow(code("SNAPSHOT_ROOT"));
    for (const snapshot of ["", "{}", "null", "[]", before.slice(0, -3), before.replace('"0x', '"')]) {
      expect(open(snapshot), snapshot.slice(0, 40)).toThrow(code("SNAPSHOT_MALFORMED"));
    }
  });
});

test("a replica goes from block to block, and stays where it is for anything else", async () => {
  const options = { keySet, snapshot: before, digest, allowInsecure: true };
  expect(() => new Replica({ keySet, snapshot: before, digest })).toThrow(/development keys/);
  expect(() => new Replica({ ...options, digest: "00".repeat(32) })).toThrow(/key sets to be accepted/);
  expect(() => new Replica({ ...options, keySet: "{" })).toThrow(/keySet/);
  const replica = new Replica(options);
  const codes = async (name: string) => (await replica.verify(named(name))).faults.map(({ code }) => code);
  expect(await codes("block-2.proof")).toEqual(["HEADER_INVALID", "HEADER_INVALID", "BLOCK_PRE_STATE"]);
  expect(await codes("noise.proof")).toEqual(["BLOCK_MALFORMED"]);
  expect(replica.goOn().head.number).toBe(0n);
  for (const [i, { hash, stateRoot, snapshot }] of after.entries()) {
    const report = await replica.verify(named(`block-${i + 1}.proof`));
    expect(report.faults).toEqual([]);
    // what comes later in the same breath is judged on the same state, and is not the next
    expect(await codes("fraud-slot.proof")).not.toEqual([]);
    const { head, accounts } = replica.goOn();
    expect(head).toEqual({ number: BigInt(i + 1), hash: BigInt(hash), stateRoot: BigInt(stateRoot) });
    expect(accounts).toBe(snapshot.accounts.length);
    expect(replica.goOn().head).toEqual(head);
  }
  expect(await codes("block-2.proof")).toEqual(["HEADER_INVALID"]);
});

/** A coordinator that can lie, fall silent, and be late. */
class FakeFeed {
  readonly origin: string;
  /** Answers to be given before all others. */
  readonly mishaps: (() => { status?: number; body?: string | Uint8Array })[] = [];
  /** Whether block 2 has its proof. */
  late = true;
  chainId: unknown = String(CHAIN_ID);
  readonly #close: () => Promise<void>;

  private constructor(origin: string, close: () => Promise<void>) {
    this.origin = origin;
    this.#close = close;
  }

  static async open(): Promise<FakeFeed> {
    let feed: FakeFeed | undefined;
    const { origin, close } = await startServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url!, "http://localhost");
      const mishap = feed!.mishaps.shift();
      const { status = 200, body } = mishap === undefined ? feed!.#answer(pathname, searchParams) : mishap();
      response.writeHead(status, { "content-type": "application/octet-stream" }).end(body);
    });
    feed = new FakeFeed(origin, close);
    return feed;
  }

  #answer(path: string, query: URLSearchParams): { status?: number; body?: string | Uint8Array } {
    const id = /^\/v1\/blocks\/([0-9a-f]{32})\/proof$/.exec(path)?.[1];
    if (id !== undefined) return { body: named(this.#blocks().find((block) => block.id === id)!.name) };
    if (path !== "/v1/feed") return { status: 404 };
    const from = Number(query.get("from"));
    const blocks = this.#blocks()
      .filter(({ number }) => number >= from)
      .map(({ name: _, ...block }) => block);
    return { body: JSON.stringify({ chainId: this.chainId, tip: 2, blocks }) };
  }

  #blocks() {
    const start = JSON.parse(before).blockHash as Hex;
    const block = (number: number, name: string, parentHash: Hex, proved = true) => {
      const id = String([...proofs.keys()].indexOf(name)).padStart(32, "0");
      const state = proved ? "proved" : "proving";
      return { number, hash: after[number - 1]!.hash, parentHash, id, state, proof: proved ? id + id : null, name };
    };
    return [
      block(1, "fraud-slot.proof", start),
      block(1, "noise.proof", `0x${"22".repeat(32)}`),
      block(1, "block-1.proof", start),
      block(2, "block-2.proof", after[0]!.hash, !this.late),
    ];
  }

  close(): Promise<void> {
    return this.#close();
  }
}

test("a follower survives its feed's mishaps and lies, waits for proofs, and ends when it is told to", async () => {
  const feed = await FakeFeed.open();
  try {
    feed.mishaps.push(
      () => ({ status: 500 }),
      () => ({ body: "<html>" }),
      () => ({ body: '{"chainId":"1337","blocks":[{"number":"one"}]}' }),
      () => ({ body: JSON.stringify({ chainId: "1", blocks: [] }) }),
      () => ({ body: JSON.stringify({ chainId: null, tip: null, blocks: [] }) }),
      () => ({ body: new Uint8Array((1 << 20) + 1) }),
    );
    const replica = new Replica({ keySet, snapshot: before, allowInsecure: true });
    const controller = new AbortController();
    const seen: string[] = [];
    const onEvent = (event: FollowEvent) => {
      if ("report" in event) seen.push(event.report.valid ? "valid" : event.report.faults[0]!.code);
      else if ("info" in event) seen.push(`head ${event.info.head.number}`);
      else if (seen.at(-1) !== event.waiting) seen.push(event.waiting);
      if (seen.at(-1) === "block 2 has no proof yet") feed.late = false;
      if (seen.at(-1) === "the feed has no block 3 yet") controller.abort();
    };
    await follow(replica, feed.origin, { signal: controller.signal, onEvent, every: 1 });
    const url = `${feed.origin}/v1/feed?from=1&limit=256`;
    expect(seen).toEqual([
      `${url}: status 500`,
      `${url}: not a feed`,
      `${url}: blocks of chain 1, not 1337`,
      "the feed has no block 1 yet",
      `${url}: more than 1048576 bytes`,
      "CHUNK_INVALID",
      "valid",
      "head 1",
      "block 2 has no proof yet",
      "valid",
      "head 2",
      "the feed has no block 3 yet",
    ]);
    await feed.close();
    const again = new AbortController();
    const silent: string[] = [];
    await follow(replica, feed.origin, {
      signal: again.signal,
      every: 60_000,
      onEvent: (event) => {
        silent.push("waiting" in event ? event.waiting : "something");
        // in the middle of the pause
        setTimeout(() => again.abort(), 10);
      },
    });
    expect(silent).toEqual([`${feed.origin}/v1/feed?from=3&limit=256: cannot be reached`]);
  } finally {
    await feed.close().catch(() => {});
  }
});

describe("anywhere", () => {
  const verify = (...args: string[]) =>
    startNode([join(ROOT, "examples/verify-anywhere/verify.mjs"), "keyset.json", "before.json", ...args], {
      cwd: folder.path(""),
    }).done;

  test("the command of three files under Node", async () => {
    const [good, bad, unsafe, missing] = await Promise.all([
      verify("block-1.proof", "block-2.proof", "--allow-development-keys", "--digest", digest),
      verify("fraud-slot.proof", "block-1.proof", "--allow-development-keys"),
      verify("block-1.proof"),
      verify("none.proof", "--allow-development-keys"),
    ]);
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(good.stdout).toMatch(/^block-1.proof: block 1 valid, \d+ ms\nblock-2.proof: block 2 valid, \d+ ms\n$/);
    expect(bad).toMatchObject({ code: 1, stderr: "" });
    expect(bad.stdout).toMatch(/^fraud-slot.proof: block 1 refused, \d+ ms\n {2}CHUNK_INVALID chunks\[0\]/);
    expect(bad.stdout).not.toContain("block-1.proof");
    expect(unsafe).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/^KEYSET_INSECURE: /) });
    expect(missing).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/^ENOENT: /) });
  });

  test("the replica asks a runtime for random numbers, texts and a clock, for nothing else", async () => {
    const { outputFiles } = await bundle({
      entryPoints: [join(EXAMPLE, "src/replica.js")],
      bundle: true,
      format: "iife",
      globalName: "example",
      platform: "neutral",
      tsconfigRaw: {},
      write: false,
    });
    // beside the language itself this world has what is named here
    const world = createContext({ crypto, performance, TextEncoder, TextDecoder });
    runInContext(outputFiles[0]!.text, world);
    const options = JSON.stringify({ keySet, snapshot: before, allowInsecure: true });
    const proof = `Uint8Array.from(${JSON.stringify([...named("block-1.proof")])})`;
    const code = `new example.Replica(${options}).verify(${proof}).then(({ valid }) => valid)`;
    expect(await runInContext(code, world)).toBe(true);
  });

  test("importing it starts nothing that keeps a process alive", async () => {
    const url = JSON.stringify(pathToFileURL(join(EXAMPLE, "src/session.js")).href);
    expect(await runModule(`await import(${url})`)).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });
});

describe.skipIf(missingBrowser !== undefined)("the page", () => {
  let feed: FakeFeed;
  let server: ReturnType<typeof startNode>;
  let origin: string;
  let linked: string;
  let browser: Browser;

  beforeAll(async () => {
    feed = await FakeFeed.open();
    const port = await freePort();
    const serve = join(EXAMPLE, "serve.mjs");
    const args = ["--port", String(port), "--files", folder.path(""), "--coordinator", feed.origin];
    server = startNode([serve, ...args], { limit: 120_000 });
    origin = `http://localhost:${port}/`;
    linked = `${origin}?keys=files/keyset.json&state=files/before.json`;
    const until = performance.now() + SOON;
    for (;;) {
      if (await fetch(origin, { method: "HEAD" }).catch(() => undefined)) break;
      if (performance.now() > until) throw new Error("the example's server doesn't answer");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    browser = await chromium.launch({ executablePath, args: ["--headless", "--no-sandbox", "--disable-gpu"] });
  });

  afterAll(async () => {
    await browser?.close();
    server?.kill("SIGTERM");
    await feed?.close();
    // a server that is told to end does
    if (server !== undefined) expect((await server.done).code).toBe(0);
  });

  /** Opens the page, and expects that nothing goes wrong in it that was not to. */
  async function inPage(address: string, work: (page: Page) => Promise<void>, expected: RegExp[] = []): Promise<void> {
    const page = await browser.newPage();
    page.setDefaultTimeout(SOON);
    const complaints: string[] = [];
    page.on("pageerror", ({ message }) => complaints.push(message));
    page.on("requestfailed", (request) => {
      const failure = `failed: ${request.url()} ${request.failure()?.errorText}`;
      // so Chromium calls, now and then, one whose body a script read as a stream to its very end
      if (!/\/v1\/.* net::ERR_ABORTED$/.test(failure)) complaints.push(failure);
    });
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    try {
      await page.goto(address);
      await work(page);
      expect(complaints.filter((complaint) => !expected.some((pattern) => pattern.test(complaint)))).toEqual([]);
    } finally {
      await page.close();
    }
  }

  const ready = (page: Page) => page.waitForSelector("#proofs:enabled");
  /** Gives the page proofs, and waits until it has judged all of them. */
  async function give(page: Page, ...names: string[]): Promise<void> {
    const known = await page.locator("#verdicts > li").count();
    await page.setInputFiles(
      "#proofs",
      names.map((name) => folder.path(name)),
    );
    await page.waitForFunction(
      (count) => document.querySelectorAll("#verdicts > li").length === count,
      known + names.length,
    );
    await ready(page);
  }
  /** What the page says, oldest first: file, verdict, codes. */
  const verdicts = (page: Page): Promise<[string, string, ...string[]][]> =>
    page.locator("#verdicts > li").evaluateAll((cards) =>
      cards.reverse().map((card) => {
        const { source = "", verdict = "" } = (card as HTMLElement).dataset;
        const codes = [...card.querySelectorAll<HTMLElement>("[data-code]")].map(({ dataset }) => dataset.code!);
        return [source, verdict, ...codes];
      }),
    );
  const headOf = (number: number) => `State after block ${number}`;

  describe.each(["page", "worker"])("verifying in the %s", (place) => {
    test("accepts block after block, refuses frauds with their codes, and goes back to the snapshot", async () => {
      await inPage(origin, async (page) => {
        await page.check(`#${place}`);
        await page.setInputFiles("#keys", folder.path("keyset.json"));
        await page.setInputFiles("#state", folder.path("before.json"));
        // the keys are development keys, and nobody said yet that they will do
        await page.getByText("KEYSET_INSECURE").waitFor();
        expect(await page.locator("#proofs").isDisabled()).toBe(true);
        await page.check("#insecure");
        await ready(page);
        expect(page.workers().length).toBe(place === "worker" ? 1 : 0);
        await page.fill("#digest", "11".repeat(32));
        await page.press("#digest", "Tab");
        await page.getByText("KEYSET_DIGEST").waitFor();
        await page.fill("#digest", digest);
        await page.press("#digest", "Tab");
        await ready(page);
        expect(await page.textContent("#keys-info")).toContain(`${digest} (as you demand)`);

        await give(page, "fraud-slot.proof", "fraud-chunk.proof", "noise.proof");
        expect(await page.textContent("#head-title")).toBe(headOf(0));
        // in any order: they are sorted by their blocks
        await give(page, "block-2.proof", "block-1.proof");
        expect(await page.textContent("#head-title")).toBe(headOf(2));
        expect(await page.textContent("#head")).toContain(after[1]!.stateRoot);
        expect(await page.textContent("#head")).toContain(after[1]!.hash);
        await give(page, "block-1.proof");
        expect(await verdicts(page)).toEqual([
          ["fraud-slot.proof", "refused", "CHUNK_INVALID", "BUS_UNBALANCED"],
          ["fraud-chunk.proof", "refused", "CHUNK_INVALID", "BUS_UNBALANCED"],
          ["noise.proof", "refused", "BLOCK_MALFORMED"],
          ["block-1.proof", "valid"],
          ["block-2.proof", "valid"],
          ["block-1.proof", "refused", "HEADER_INVALID"],
        ]);
        const card = page.locator('[data-source="block-1.proof"][data-verdict="valid"]');
        expect(await card.textContent()).toContain(after[0]!.hash);
        await card.locator("summary").click();
        expect(await card.locator("tbody tr").count()).toBe(4);
        expect(await card.locator("tbody tr").last().textContent()).toContain("21,000");

        await page.click("#again");
        await page.getByText(headOf(0)).waitFor();
        await ready(page);
        await give(page, "block-1.proof");
        expect((await verdicts(page)).at(-1)).toEqual(["block-1.proof", "valid"]);
      });
    });

    test("follows a coordinator that lies and is late", async () => {
      feed.late = true;
      const host = new URL(origin).host;
      await inPage(linked, async (page) => {
        await page.check(`#${place}`);
        await page.check("#insecure");
        await ready(page);
        // of the page's own server, which passes it on
        await page.click("#follow");
        await page.getByText("Waiting: block 2 has no proof yet").waitFor();
        expect(await page.textContent("#head-title")).toBe(headOf(1));
        expect(await page.locator("#proofs").isDisabled()).toBe(true);
        feed.late = false;
        await page.getByText("Waiting: the feed has no block 3 yet").waitFor();
        expect(await page.textContent("#head-title")).toBe(headOf(2));
        await page.click("#follow");
        await ready(page);
        expect(await verdicts(page)).toEqual([
          [host, "refused", "CHUNK_INVALID", "BUS_UNBALANCED"],
          [host, "valid"],
          [host, "valid"],
        ]);
        expect(await page.textContent("#follow")).toBe("Follow");
      });
    });
  });

  test("proofs of a link wait until somebody trusts its keys; links to elsewhere are refused", async () => {
    await inPage(`${linked}&proof=files/block-1.proof`, async (page) => {
      await page.getByText("1 proof will be verified when keys and state are there").waitFor();
      await page.check("#insecure");
      await page.locator('[data-verdict="valid"]').waitFor();
      expect(await page.textContent("#head-title")).toBe(headOf(1));
    });
    await inPage(`${origin}?keys=${feed.origin}/keyset.json`, async (page) => {
      await page.getByText("is not of this server").waitFor();
    });
  });

  test("a worker that cannot be loaded is a message, not a wait", async () => {
    await inPage(
      linked,
      async (page) => {
        await page.getByText("KEYSET_INSECURE").waitFor();
        await page.route("**/worker.js", (route) => route.fulfill({ status: 404, body: "" }));
        await page.check("#insecure");
        await page.getByText("the worker failed").waitFor();
        // and the page can still do it itself
        await page.check("#page");
        await ready(page);
      },
      [/404/, /^failed: .*\/worker\.js /],
    );
  });

  // other processes can stop frames too
  test("verifying stops the frames of the page that does it, not those of one that has a worker", {
    retry: 3,
  }, async () => {
    const measure = async (place: string) => {
      const result = { gap: Number.NaN, ms: Number.NaN };
      await inPage(linked, async (page) => {
        await page.check(`#${place}`);
        await page.check("#insecure");
        await ready(page);
        await give(page, "block-1.proof");
        result.gap = Number(await page.locator("#gap").getAttribute("data-ms"));
        result.ms = Number(await page.locator("#verdicts > li").getAttribute("data-ms"));
      });
      console.log(`in the ${place}: ${result.ms.toFixed(0)} ms, longest frame gap ${result.gap.toFixed(0)} ms`);
      return result;
    };
    const [here, there] = [await measure("page"), await measure("worker")];
    expect(here.gap).toBeGreaterThan(0.9 * here.ms);
    expect(there.gap).toBeLessThan(here.gap / 2);
    expect(there.gap).toBeLessThan(there.ms / 2);
  });
});

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port } = server.address() as import("node:net").AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
