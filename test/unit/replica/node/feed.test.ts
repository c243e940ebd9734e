import { execFileSync } from "node:child_process";
import { linkSync, writeFileSync } from "node:fs";
import { mkdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { proofDigest } from "../../../../src/replica/node/chain.js";
import type { Feed } from "../../../../src/replica/node/feed.js";
import { FolderFeed, numberOfProof } from "../../../../src/replica/node/feed-folder.js";
import { HttpFeed, type HttpFeedOptions } from "../../../../src/replica/node/feed-http.js";
import { decodeBlockProof, encodeBlockProof } from "../../../../src/verifier/encoding.js";
import { encodeHeader } from "../../../../src/verifier/ethereum/header.js";
import { CHAIN_ID, TestChain, testFolder } from "./support.js";

let chain: TestChain;
let proofs: Uint8Array[];
beforeAll(async () => {
  chain = await TestChain.of(3);
  proofs = chain.blocks.map(({ proof }) => proof);
});

/** A proof of a block of any number; not a valid one. */
function numbered(number: bigint, extra = 0): Uint8Array {
  const { header } = chain.blocks[0]!;
  const extraData = new Uint8Array(extra);
  return encodeBlockProof({ ...decodeBlockProof(proofs[0]!), header: encodeHeader({ ...header, number, extraData }) });
}

const numbersOf = async (feed: Feed, from = 1n) => {
  const { tip, candidates } = await feed.poll(from);
  return { tip, numbers: candidates.map(({ number }) => number) };
};

describe("the number of a proof", () => {
  test("is read from its first bytes", () => {
    for (const [i, proof] of proofs.entries()) {
      expect(numberOfProof(proof)).toBe(BigInt(i + 1));
      expect(numberOfProof(proof.subarray(0, 1000))).toBe(BigInt(i + 1));
    }
    for (const number of [0n, 2n ** 64n - 1n]) expect(numberOfProof(numbered(number, 32))).toBe(number);
  });

  test("is not there in anything else", () => {
    const [proof] = proofs as [Uint8Array];
    for (let length = 0; length < 600; length += 7) expect(numberOfProof(proof.subarray(0, length))).toBeUndefined();
    expect(numberOfProof(proof.subarray(1))).toBeUndefined();
    expect(numberOfProof(new Uint8Array(3000))).toBeUndefined();
    const long = Uint8Array.from(proof);
    long.fill(255, 37, 41);
    expect(numberOfProof(long)).toBeUndefined();
    const wrong = Uint8Array.from(proof);
    wrong[40] = 1;
    expect(numberOfProof(wrong)).toBeUndefined();
  });
});

describe("a folder", () => {
  test("has proofs under any names, and several of one block", async () => {
    const folder = await testFolder();
    const feed = new FolderFeed(folder);
    expect(await feed.poll(1n)).toEqual({ tip: undefined, candidates: [], more: false });
    await writeFile(join(folder, "z.proof"), proofs[0]!);
    await writeFile(join(folder, "a b.proof"), proofs[2]!);
    await writeFile(join(folder, "2.proof"), proofs[1]!);
    await writeFile(join(folder, "other.proof"), numbered(2n));
    const { tip, candidates } = await feed.poll(1n);
    expect(tip).toBe(3n);
    expect(candidates.map(({ number }) => number)).toEqual([1n, 2n, 2n, 3n]);
    expect(new Set(candidates.map(({ id }) => id)).size).toBe(4);
    expect(await candidates[0]!.fetch()).toEqual(proofs[0]);
    expect(await candidates[3]!.fetch()).toEqual(proofs[2]);
    expect(await numbersOf(feed, 3n)).toEqual({ tip: 3n, numbers: [3n] });
    expect(await numbersOf(feed, 4n)).toEqual({ tip: 3n, numbers: [] });
    // and back
    expect(await numbersOf(feed, 2n)).toEqual({ tip: 3n, numbers: [2n, 2n, 3n] });
  });

  test("does not look at temporary files, reports each useless one once, and takes it when it has become a proof", async () => {
    const folder = await testFolder();
    const told: string[] = [];
    const feed = new FolderFeed(folder, {
      maxBytes: 100_000,
      onUnreadable: (path, reason) => told.push(`${path.slice(folder.length + 1)}: ${reason}`),
    });
    await writeFile(join(folder, "1.proof.123-abc.tmp"), proofs[0]!);
    await writeFile(join(folder, "readme.txt"), "hello");
    await writeFile(join(folder, "half.proof"), proofs[1]!.subarray(0, 300));
    await writeFile(join(folder, "text.proof"), "hello");
    await writeFile(join(folder, "large.proof"), new Uint8Array(100_001));
    await mkdir(join(folder, "folder.proof"));
    execFileSync("mkfifo", [join(folder, "pipe.proof")]);
    const expected = [
      "folder.proof: not a file",
      "half.proof: not the proof of a block",
      "large.proof: too large",
      "pipe.proof: not a file",
      "text.proof: not the proof of a block",
    ];
    for (let i = 0; i < 3; i++) {
      expect(await numbersOf(feed)).toEqual({ tip: undefined, numbers: [] });
      expect([...told].sort()).toEqual(expected);
    }
    await writeFile(join(folder, "half.proof"), proofs[1]!);
    await rename(join(folder, "1.proof.123-abc.tmp"), join(folder, "1.proof"));
    await writeFile(join(folder, "text.proof"), "hello again");
    expect(await numbersOf(feed)).toEqual({ tip: 2n, numbers: [1n, 2n] });
    expect(told.length).toBe(expected.length + 1);
    expect(told.at(-1)).toBe("text.proof: not the proof of a block");
  });

  test("sees files that are replaced, and files that are gone", async () => {
    const folder = await testFolder();
    const feed = new FolderFeed(folder);
    const path = join(folder, "latest.proof");
    await writeFile(path, proofs[0]!);
    const first = (await feed.poll(1n)).candidates[0]!;
    await writeFile(join(folder, "new"), numbered(1n, 5));
    await rename(join(folder, "new"), path);
    const second = (await feed.poll(1n)).candidates[0]!;
    expect(second.number).toBe(1n);
    expect(second.id).not.toBe(first.id);
    // written over in its place: the folder itself does not change
    await writeFile(path, numbered(7n));
    expect(await numbersOf(feed)).toEqual({ tip: 7n, numbers: [7n] });
    const [third] = (await feed.poll(1n)).candidates;
    await rm(path);
    await expect(third!.fetch()).rejects.toMatchObject({ code: "FEED_MISSING", where: path });
    expect(await numbersOf(feed)).toEqual({ tip: undefined, numbers: [] });
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(third!.fetch(controller.signal)).rejects.toBe(controller.signal.reason);
  });

  test("a pipe that took the place of a file keeps nobody waiting", async () => {
    const folder = await testFolder();
    const feed = new FolderFeed(folder);
    const path = join(folder, "1.proof");
    await writeFile(path, proofs[0]!);
    const [candidate] = (await feed.poll(1n)).candidates;
    await rm(path);
    execFileSync("mkfifo", [path]);
    await expect(candidate!.fetch()).rejects.toMatchObject({ code: "FEED_UNAVAILABLE", where: path });
    expect(await numbersOf(feed)).toEqual({ tip: undefined, numbers: [] });
  });

  test("sees a file that was written over and given its old time again", async () => {
    const folder = await testFolder();
    const feed = new FolderFeed(folder);
    const path = join(folder, "1.proof");
    const time = new Date(1_700_000_000_000);
    await writeFile(path, numbered(1n));
    await utimes(path, time, time);
    const [first] = (await feed.poll(1n)).candidates;
    await writeFile(path, numbered(2n));
    await utimes(path, time, time);
    expect(await numbersOf(feed)).toEqual({ tip: 2n, numbers: [2n] });
    expect(first!.number).toBe(1n);
  });

  test("a file that has grown is not read", async () => {
    const folder = await testFolder();
    const feed = new FolderFeed(folder, { maxBytes: 5000 });
    await writeFile(join(folder, "1.proof"), numbered(1n));
    const [candidate] = (await feed.poll(1n)).candidates;
    await writeFile(join(folder, "1.proof"), new Uint8Array(5001));
    await expect(candidate!.fetch()).rejects.toMatchObject({ code: "FEED_TOO_LARGE" });
  });

  test("that is not there says so, until it is", async () => {
    const folder = join(await testFolder(), "later");
    const feed = new FolderFeed(folder);
    await expect(feed.poll(1n)).rejects.toMatchObject({ code: "FEED_UNAVAILABLE", where: folder });
    await mkdir(folder);
    await writeFile(join(folder, "1.proof"), proofs[0]!);
    expect(await numbersOf(feed)).toEqual({ tip: 1n, numbers: [1n] });
  });

  test("of thousands is taken in parts, each file is read once, and 256 numbers are told at a time", async () => {
    const folder = await testFolder();
    const count = 5000;
    for (let i = 0; i < 600; i++) writeFileSync(join(folder, `${i}.proof`), numbered(BigInt(i)));
    for (let i = 600; i < count; i++) linkSync(join(folder, "1.proof"), join(folder, `${i}.proof`));
    const feed = new FolderFeed(folder);
    const first = await feed.poll(1n);
    expect(first.more).toBe(true);
    const second = await feed.poll(2n);
    expect(second).toMatchObject({ more: false, tip: 599n });
    expect(second.candidates.map(({ number }) => number)).toEqual(Array.from({ length: 256 }, (_, i) => BigInt(i + 2)));
    const begun = performance.now();
    for (let i = 0; i < 10; i++) await feed.poll(2n);
    expect((performance.now() - begun) / 10).toBeLessThan(300);
  });
});

/** A coordinator that answers as it is told. */
async function coordinator(listener: RequestListener, options: Partial<HttpFeedOptions> = {}) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, feed: new HttpFeed({ url, chainId: CHAIN_ID, timeout: 500, ...options }) };
}

const id = (i: number) => i.toString(16).padStart(32, "0");
const listed = () => ({
  chainId: "0x539",
  tip: 9,
  blocks: [
    ...chain.blocks.map(({ number, proof }, i) => ({
      ...{ number: Number(number), id: id(i), state: "proved", proof: proofDigest(proof) },
      ...{ hash: `0x${"00".repeat(32)}`, parentHash: `0x${"00".repeat(32)}` },
    })),
    { number: 4, id: id(4), state: "proving", proof: null, hash: "", parentHash: "" },
  ],
});

describe("a coordinator", () => {
  test("tells what there is, and gives proofs", async () => {
    const asked: string[] = [];
    const { feed } = await coordinator((request, response) => {
      asked.push(request.url!);
      if (request.url!.startsWith("/v1/feed")) response.end(JSON.stringify(listed()));
      else response.end(proofs[Number(request.url!.split("/")[3]!.slice(-1))]);
    });
    const { tip, candidates } = await feed.poll(2n);
    expect(tip).toBe(9n);
    expect(candidates.map(({ number }) => number)).toEqual([2n, 3n]);
    expect(candidates[1]!.digest).toBe(proofDigest(proofs[2]!));
    expect(await candidates[1]!.fetch()).toEqual(proofs[2]);
    expect(asked).toEqual(["/v1/feed?from=2&limit=256", `/v1/blocks/${id(2)}/proof`]);
  });

  test("behind a path and basic authorization", async () => {
    const asked: (string | undefined)[] = [];
    const { url } = await coordinator((request, response) => {
      asked.push(request.url, request.headers.authorization);
      response.end(JSON.stringify({ chainId: null, tip: null, blocks: [] }));
    });
    const feed = new HttpFeed({ url: `${url.replace("//", "//me:s%20cret@")}/prover/`, chainId: CHAIN_ID });
    expect(await feed.poll(1n)).toEqual({ tip: undefined, candidates: [] });
    expect(asked).toEqual(["/prover/v1/feed?from=1&limit=256", `Basic ${btoa("me:s cret")}`]);
    expect(feed.name).toBe(url);
  });

  test("that answers something else is refused, and what it says is not believed", async () => {
    let answer: (value: Parameters<RequestListener>[1]) => void = () => {};
    const { feed } = await coordinator((_request, response) => answer(response));
    const list = (change: object) => JSON.stringify({ ...listed(), ...change });
    const block = listed().blocks[0]!;
    const refused: [string, (response: Parameters<RequestListener>[1]) => void][] = [
      ["FEED_MALFORMED", (response) => response.end("hello")],
      ["FEED_MALFORMED", (response) => response.end(Uint8Array.of(0xff, 0xfe))],
      ["FEED_MALFORMED", (response) => response.end("null")],
      ["FEED_MALFORMED", (response) => response.end(list({ tip: -1 }))],
      ["FEED_MALFORMED", (response) => response.end(list({ tip: 1.5 }))],
      ["FEED_MALFORMED", (response) => response.end(list({ blocks: [{ ...block, id: "../../etc/passwd" }] }))],
      ["FEED_MALFORMED", (response) => response.end(list({ blocks: [{ ...block, proof: "x" }] }))],
      ["FEED_MALFORMED", (response) => response.end(list({ blocks: [{ ...block, number: 1e300 }] }))],
      ["FEED_CHAIN", (response) => response.end(list({ chainId: "0x1" }))],
      ["FEED_TOO_LARGE", (response) => response.end(" ".repeat(2 << 20))],
      [
        "FEED_TOO_LARGE",
        (response) => {
          response.setHeader("content-encoding", "gzip");
          response.end(gzipSync(new Uint8Array(50 << 20)));
        },
      ],
      [
        "FEED_UNAVAILABLE",
        (response) => {
          response.statusCode = 302;
          response.setHeader("location", "http://127.0.0.1:1/");
          response.end();
        },
      ],
      [
        "FEED_UNAVAILABLE",
        (response) => {
          response.statusCode = 500;
          response.end("oh");
        },
      ],
      [
        "FEED_MISSING",
        (response) => {
          response.statusCode = 404;
          response.end();
        },
      ],
      ["FEED_UNAVAILABLE", (response) => response.destroy()],
      [
        "FEED_UNAVAILABLE",
        (response) => {
          response.writeHead(200, { "content-length": 1000 });
          response.write("{");
          setTimeout(() => response.destroy(), 5);
        },
      ],
      ["FEED_TIMEOUT", () => {}],
      ["FEED_TIMEOUT", (response) => response.writeHead(200).write("{")],
    ];
    for (const [i, [code, how]] of refused.entries()) {
      answer = how;
      await expect(feed.poll(1n), `${code} ${i}`).rejects.toMatchObject({ code });
    }
    // more than it takes: those with proofs come first
    const many = [...Array(2000).fill({ ...block, proof: null }), ...Array(1500).fill(block)];
    answer = (response) => response.end(list({ blocks: many }));
    expect((await feed.poll(1n)).candidates.length).toBe(1024);
    // out of order, and older than what was asked for
    answer = (response) => response.end(list({ blocks: listed().blocks.reverse() }));
    expect(await numbersOf(feed, 2n)).toEqual({ tip: 9n, numbers: [2n, 3n] });
  });

  test("that gives another proof than it announced, or none, or too much", async () => {
    let proof: (response: Parameters<RequestListener>[1]) => void = () => {};
    const { feed } = await coordinator(
      (request, response) => {
        if (request.url!.startsWith("/v1/feed")) response.end(JSON.stringify(listed()));
        else proof(response);
      },
      { maxBytes: 10_000, timeout: 50 },
    );
    const [candidate] = (await feed.poll(1n)).candidates;
    for (const [code, how] of [
      ["FEED_DIGEST", (response) => response.end(proofs[1])],
      ["FEED_DIGEST", (response) => response.end()],
      ["FEED_TOO_LARGE", (response) => response.end(new Uint8Array(10_001))],
      ["FEED_MISSING", (response) => response.writeHead(404).end()],
      ["FEED_TIMEOUT", () => {}],
    ] as [string, typeof proof][]) {
      proof = how;
      await expect(candidate!.fetch(), code).rejects.toMatchObject({ code });
    }
    const controller = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 20);
    await expect(candidate!.fetch(controller.signal)).rejects.toBe(reason);
    await expect(feed.poll(1n, controller.signal)).rejects.toBe(reason);
    proof = (response) => response.end(proofs[0]);
    expect(await candidate!.fetch()).toEqual(proofs[0]);
  });

  test("that dribbles is not waited for", async () => {
    const timers: NodeJS.Timeout[] = [];
    onTestFinished(() => timers.forEach(clearInterval));
    const { feed } = await coordinator(
      (_request, response) => {
        response.writeHead(200);
        timers.push(setInterval(() => response.write(" "), 5));
      },
      { timeout: 60_000, rateWindow: 200 },
    );
    await expect(feed.poll(1n)).rejects.toMatchObject({
      code: "FEED_TIMEOUT",
      message: expect.stringContaining("slowly"),
    });
  });

  test("that is not there, and what is no address", async () => {
    const feed = new HttpFeed({ url: "http://127.0.0.1:1", chainId: CHAIN_ID });
    await expect(feed.poll(1n)).rejects.toMatchObject({
      code: "FEED_UNAVAILABLE",
      where: expect.stringMatching(/:1\/v1/),
    });
    for (const url of ["proofs", "file:///tmp", "ftp://x"]) {
      expect(() => new HttpFeed({ url, chainId: CHAIN_ID })).toThrow(
        expect.objectContaining({ code: "FEED_UNAVAILABLE" }),
      );
    }
  });
});
