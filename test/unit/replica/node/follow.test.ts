import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { type ChainOptions, proofDigest, ReplicaChain } from "../../../../src/replica/node/chain.js";
import { ReplicaDatabase } from "../../../../src/replica/node/database.js";
import { NodeError } from "../../../../src/replica/node/errors.js";
import type { Candidate, Feed, Poll } from "../../../../src/replica/node/feed.js";
import { FolderFeed } from "../../../../src/replica/node/feed-folder.js";
import { Follower, type FollowerOptions } from "../../../../src/replica/node/follow.js";
import { reasonsOf } from "../../../../src/replica/node/start.js";
import { decodeBlockProof, encodeBlockProof } from "../../../../src/verifier/encoding.js";
import { altered, KEYS, TestChain, testFolder } from "./support.js";

let chain: TestChain;
let proofs: Uint8Array[];
beforeAll(async () => {
  chain = await TestChain.of(6);
  proofs = chain.blocks.map(({ proof }) => proof);
});

/** What is wrong with it no two callers agree on. */
const forged = (proof: Uint8Array, more = 1n): Uint8Array =>
  encodeBlockProof(
    altered(decodeBlockProof(proof), ({ claims }) => {
      const [cell] = claims.cells.balances;
      Object.assign(cell!, { balance: cell!.balance + more });
    }),
  );

/** A feed that has what the test puts there. */
class TestFeed implements Feed {
  readonly name = "test";
  tip: bigint | undefined;
  readonly items: { number: bigint; proof: Uint8Array | NodeError; withDigest: boolean; id: string }[] = [];
  failure: NodeError | undefined;
  polls = 0;
  readonly fetched: bigint[] = [];

  async poll(from: bigint): Promise<Poll> {
    this.polls++;
    if (this.failure !== undefined) throw this.failure;
    const candidates = this.items
      .filter(({ number }) => number >= from)
      .map(({ number, proof, withDigest, id }): Candidate => {
        const digest = withDigest && proof instanceof Uint8Array ? proofDigest(proof) : undefined;
        const fetch = async () => {
          this.fetched.push(number);
          if (proof instanceof Uint8Array) return proof;
          throw proof;
        };
        return { number, digest, id, fetch };
      });
    return { tip: this.tip, candidates };
  }

  add(number: number, proof: Uint8Array | NodeError, more: { withDigest?: boolean; id?: string } = {}): void {
    const { withDigest = false, id = String(this.items.length) } = more;
    this.items.push({ number: BigInt(number), proof, withDigest, id });
    const last = BigInt(number);
    if (this.tip === undefined || this.tip < last) this.tip = last;
  }
}

/** A follower that runs until the test is over. */
async function following(options: Partial<FollowerOptions & ChainOptions> & { path?: string } = {}) {
  const path = options.path ?? (await testFolder());
  const database = await ReplicaDatabase.open(path, { snapshot: chain.before });
  const replica = await ReplicaChain.open({ database, keys: KEYS, ...options });
  const feed = (options.feed ?? new TestFeed()) as TestFeed;
  const follower = new Follower({ chain: replica, interval: 5, maxDelay: 20, ...options, feed });
  const controller = new AbortController();
  const done = follower.run(controller.signal);
  // whoever waits for it gets the error
  done.catch(() => {});
  const stop = async () => {
    controller.abort();
    await done.catch(() => {});
    await database.close();
  };
  onTestFinished(stop);
  return { replica, database, feed, follower, done, stop, path };
}

const until = (condition: () => unknown) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5000, interval: 2 });

describe("a follower", () => {
  test("takes blocks as they come, in whatever order", async () => {
    const { replica, feed, follower } = await following();
    await until(() => feed.polls > 2);
    expect(follower.status).toMatchObject({ lag: 0, behindSeconds: 0, feedTip: undefined, running: true });
    expect(follower.status.stalled).toBeUndefined();
    for (const number of [1, 3, 2, 6, 5]) feed.add(number, proofs[number - 1]!);
    await until(() => replica.head.number === 3n);
    await until(() => follower.status.lag === 3);
    expect(follower.status.stalled).toBeUndefined();
    feed.add(4, proofs[3]!);
    await until(() => replica.head.number === 6n);
    expect(replica.head.hash).toBe(chain.blocks[5]!.hash);
    await until(() => follower.status.lag === 0);
    expect(follower.status).toMatchObject({ head: { number: 6n }, feedTip: 6n, behindSeconds: 0 });
  });

  test("stops when it is told to, in the middle of anything", async () => {
    const feed = new TestFeed();
    const { follower, stop } = await following({ feed, interval: 60_000 });
    await until(() => feed.polls === 1);
    await stop();
    expect(follower.status.running).toBe(false);
    expect(feed.polls).toBe(1);

    let aborted = false;
    const slow: Feed = {
      name: "slow",
      poll: (_from, signal) =>
        new Promise((_, reject) =>
          signal!.addEventListener("abort", () => {
            aborted = true;
            reject(signal!.reason);
          }),
        ),
    };
    const other = await following({ feed: slow });
    await until(() => other.follower.status.running);
    await other.stop();
    expect(aborted).toBe(true);
    await expect(other.done).resolves.toBeUndefined();
    const again = new AbortController();
    again.abort();
    await other.follower.run(again.signal);
  });

  test("cannot run twice at once", async () => {
    const { follower } = await following();
    await expect(follower.run(new AbortController().signal)).rejects.toThrow(RangeError);
  });

  test("tells how far behind it is, from when the feed knew of the next block", async () => {
    let now = 10_000;
    const feed = new TestFeed();
    const { replica, follower } = await following({ feed, now: () => now });
    feed.tip = 2n;
    await until(() => follower.status.lag === 2);
    now = 13_000;
    feed.tip = 5n;
    await until(() => follower.status.lag === 5);
    now = 20_000;
    expect(follower.status.behindSeconds).toBe(10);
    feed.add(1, proofs[0]!);
    await until(() => replica.head.number === 1n);
    expect(follower.status).toMatchObject({ lag: 4, behindSeconds: 10 });
    feed.add(2, proofs[1]!);
    await until(() => replica.head.number === 2n);
    // the next one became known later
    expect(follower.status).toMatchObject({ lag: 3, behindSeconds: 7 });
    // what a feed takes back does not count
    feed.tip = 2n;
    await until(() => follower.status.lag === 0);
    expect(follower.status.behindSeconds).toBe(0);
    now = 30_000;
    feed.tip = 3n;
    await until(() => follower.status.lag === 1);
    expect(follower.status.behindSeconds).toBe(0);
  });
});

describe("bad proofs", () => {
  test("are refused once, stall the replica, and a good one is taken as soon as it is there", async () => {
    const stalled: unknown[] = [];
    const verdicts: unknown[] = [];
    const { replica, feed, follower } = await following({
      now: () => 5000,
      onStalled: (state) => stalled.push(state?.number),
      onVerdict: ({ outcome }, { number }) => verdicts.push([outcome, number]),
    });
    const bad = forged(proofs[1]!);
    feed.add(1, proofs[0]!);
    feed.add(2, bad);
    feed.add(3, proofs[2]!);
    await until(() => follower.status.stalled !== undefined);
    const { polls } = feed;
    await until(() => feed.polls > polls + 5);
    expect(feed.fetched.filter((number) => number === 2n).length).toBe(1);
    expect(follower.status).toMatchObject({
      lag: 2,
      stalled: { number: 2n, digest: proofDigest(bad), since: 5000, faults: [{ code: "BUS_UNBALANCED" }] },
    });
    feed.add(2, forged(proofs[1]!, 2n), { withDigest: true });
    await until(() => replica.refused().length === 2);
    feed.add(2, proofs[1]!);
    await until(() => replica.head.number === 3n);
    expect(follower.status.stalled).toBeUndefined();
    expect(stalled).toEqual([2n, undefined]);
    expect(verdicts).toEqual([
      ["accepted", 1n],
      ["invalid", 2n],
      ["invalid", 2n],
      ["accepted", 2n],
      ["accepted", 3n],
    ]);
  });

  test("known by their digest are not even fetched by the next process, which still knows why", async () => {
    const bad = forged(proofs[0]!);
    const first = await following();
    first.feed.add(1, bad, { withDigest: true });
    await until(() => first.follower.status.stalled !== undefined);
    await first.stop();
    const second = await following({ path: first.path });
    second.feed.add(1, bad, { withDigest: true });
    await until(() => second.follower.status.stalled !== undefined);
    expect(second.feed.fetched).toEqual([]);
    expect(second.follower.status.stalled).toMatchObject({
      digest: proofDigest(bad),
      faults: [{ code: "BUS_UNBALANCED" }],
    });
    second.feed.add(1, proofs[0]!, { withDigest: true });
    await until(() => second.replica.head.number === 1n);
  });

  test("of other blocks under the number of the next do not keep it from going on", async () => {
    const fork = await TestChain.create();
    await fork.add([], { timestamp: 1_800_000_000n });
    await fork.add();
    const { replica, feed, follower } = await following();
    feed.add(1, proofs[0]!);
    feed.add(2, proofs[0]!);
    feed.add(2, proofs[4]!);
    feed.add(2, fork.blocks[1]!.proof);
    feed.add(2, new Uint8Array(5));
    await until(() => follower.status.stalled?.faults[0]?.code === "BLOCK_MALFORMED");
    feed.add(2, proofs[1]!);
    await until(() => replica.head.number === 2n);
  });

  test("an old block as the only proof of the next stalls it with a reason", async () => {
    const { feed, follower } = await following();
    feed.add(1, proofs[0]!);
    feed.add(2, proofs[0]!, { id: "again" });
    await until(() => follower.status.stalled?.number === 2n);
    expect(follower.status.stalled!.faults).toMatchObject([{ code: "HEADER_INVALID", where: "header.number" }]);
  });
});

describe("what fails", () => {
  test("a proof that cannot be fetched is asked for again, and others in its place meanwhile", async () => {
    const errors: unknown[] = [];
    const { replica, feed, follower } = await following({ onCandidateError: (error) => errors.push(error) });
    const missing = new NodeError("gone", { code: "FEED_MISSING" });
    feed.add(1, missing);
    await until(() => feed.fetched.length >= 3);
    expect(errors.every((error) => error === missing)).toBe(true);
    // it may still be good
    expect(follower.status.stalled).toBeUndefined();
    expect(follower.status.lag).toBe(1);
    feed.add(1, proofs[0]!);
    await until(() => replica.head.number === 1n);
    feed.add(2, missing, { id: "late" });
    await until(() => feed.fetched.includes(2n));
    feed.items.find(({ id }) => id === "late")!.proof = proofs[1]!;
    await until(() => replica.head.number === 2n);
  });

  test("a feed that does not answer is asked again, ever less often", async () => {
    const errors: unknown[] = [];
    const { replica, feed, follower } = await following({
      now: () => 77,
      onFeedError: ({ code }) => errors.push(code),
    });
    feed.add(1, proofs[0]!);
    await until(() => replica.head.number === 1n);
    feed.failure = new NodeError("no answer", { code: "FEED_TIMEOUT" });
    await until(() => errors.length >= 3);
    expect(follower.status.feedError).toEqual({ code: "FEED_TIMEOUT", message: "no answer", since: 77 });
    feed.failure = undefined;
    feed.add(2, proofs[1]!);
    await until(() => replica.head.number === 2n);
    expect(follower.status.feedError).toBeUndefined();
    expect(follower.status.polledAt).toBe(77);
  });

  test("a verifier that dies is given the proof again", async () => {
    let failures = 1;
    const { verifyBlock } = await import("../../../../src/verifier/block.js");
    const { replica, feed, follower } = await following({
      verify: async (proof, options) => {
        if (failures-- > 0) throw new NodeError("ended", { code: "VERIFIER_LOST" });
        return verifyBlock(proof, options);
      },
    });
    feed.add(1, proofs[0]!);
    await until(() => replica.head.number === 1n);
    expect(follower.status.stalled).toBeUndefined();
  });

  test("a round over many proofs is ended, and the feed asked again, untried ones first", async () => {
    const order: string[] = [];
    let later: string | undefined;
    const candidate = (id: string, proof: Uint8Array | undefined): Candidate => ({
      number: 1n,
      id,
      fetch: async () => {
        order.push(id);
        await new Promise((resolve) => setTimeout(resolve, 15));
        if (proof !== undefined) return proof;
        throw new NodeError("gone", { code: "FEED_MISSING" });
      },
    });
    let polls = 0;
    const feed: Feed = {
      name: "many",
      poll: async () => {
        polls++;
        const bad = ["a", "b", "c"].map((id) => candidate(id, undefined));
        if (polls > 1) later ??= String(order.length);
        return { tip: 1n, candidates: polls === 1 ? bad : [...bad, candidate("good", proofs[0])] };
      },
    };
    const { replica } = await following({ feed, roundTime: 10, maxDelay: 1 });
    await until(() => replica.head.number === 1n);
    // one a round; those that failed may be due again, and still come last
    expect(order).toEqual(["a", "b", "c", "good"]);
    expect(later).toBe("1");
  });

  test("a feed that takes long to ask is still asked as often as maxDelay says", async () => {
    let polls = 0;
    const feed: Feed = {
      name: "slow",
      poll: async () => {
        polls++;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return { tip: undefined, candidates: [] };
      },
    };
    await following({ feed, maxDelay: 20 });
    // nine times as long would be 900 ms each
    await vi.waitFor(() => expect(polls).toBeGreaterThanOrEqual(4), { timeout: 1500, interval: 10 });
  });

  test("damage that others meet, and a feed that is not asked any more, are reasons not to be ready", async () => {
    const { follower, feed } = await following();
    await until(() => feed.polls > 1);
    expect(reasonsOf(follower.status)).toEqual([]);
    follower.noteDamage(new NodeError("closed", { code: "DATABASE_CLOSED" }));
    follower.noteDamage(new Error("other"));
    expect(follower.status.damaged).toBeUndefined();
    follower.noteDamage(new NodeError("damaged", { code: "DATABASE_DAMAGED" }));
    expect(reasonsOf(follower.status)).toEqual(["the database: DATABASE_DAMAGED"]);
    const { damaged, ...rest } = follower.status;
    expect(damaged).toMatchObject({ code: "DATABASE_DAMAGED" });
    const status = { ...rest, polledAt: 0, feedError: undefined };
    expect(reasonsOf(status, { now: 120_000 })).toEqual([]);
    expect(reasonsOf(status, { now: 120_001 })).toEqual(["feed not asked since 1970-01-01T00:00:00.000Z"]);
    expect(reasonsOf(status, { now: 120_001, poll: 600_000 })).toEqual([]);
  });

  test("a damaged or closed database ends it", async () => {
    const { done, database, feed, follower } = await following();
    await database.close();
    feed.add(1, proofs[0]!);
    await expect(done).rejects.toMatchObject({ code: "DATABASE_CLOSED" });
    expect(follower.status.running).toBe(false);
  });
});

test("a folder of proofs in which everything is wrong that can be", async () => {
  const folder = await testFolder();
  const { replica, follower } = await following({ feed: new FolderFeed(folder) });
  const put = (name: string, bytes: Uint8Array) => writeFile(join(folder, `${name}.proof`), bytes);
  await put("1", proofs[0]!);
  await put("1 again", proofs[0]!);
  await put("2", forged(proofs[1]!));
  await put("3", proofs[2]!.subarray(0, 700));
  await until(() => follower.status.stalled?.number === 2n);
  await put("2 better", proofs[1]!);
  await until(() => follower.status.stalled?.number === 3n);
  expect(follower.status.stalled!.faults).toMatchObject([{ code: "BLOCK_MALFORMED" }]);
  await put("3", proofs[2]!);
  await until(() => replica.head.number === 3n);
  await put("6", proofs[5]!);
  await put("5", proofs[4]!);
  await until(() => follower.status.lag === 3);
  expect(follower.status.stalled).toBeUndefined();
  await put("4", proofs[3]!);
  await until(() => replica.head.number === 6n);
  expect(replica.head.hash).toBe(chain.blocks[5]!.hash);
});
