import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type ChainOptions, proofDigest, ReplicaChain } from "../../../../src/replica/node/chain.js";
import { type DatabaseOptions, ReplicaDatabase } from "../../../../src/replica/node/database.js";
import { NodeError } from "../../../../src/replica/node/errors.js";
import { verifyBlock } from "../../../../src/verifier/block.js";
import { type BlockProof, decodeBlockProof, encodeBlockProof } from "../../../../src/verifier/encoding.js";
import { decodeHeader, encodeHeader } from "../../../../src/verifier/ethereum/header.js";
import { wordToHex } from "../../../../src/verifier/ethereum/words.js";
import { OTHER_KEYS } from "../../verifier/block/support.js";
import {
  ALICE,
  altered,
  BOB,
  call,
  HASHES,
  hexAddress,
  KEYS,
  type ProvedBlock,
  proofOf,
  STORE,
  TestChain,
  testFolder,
  transfer,
} from "./support.js";

let chain: TestChain;
beforeAll(async () => {
  chain = await TestChain.of(6);
});

const block = (number: number): ProvedBlock => chain.blocks[number - 1]!;

/** A replica at the snapshot, and how often it verified something. */
async function replicaOf(
  options: Partial<ChainOptions> & DatabaseOptions & { readonly path?: string; readonly blocks?: number } = {},
) {
  const { path = await testFolder(), blocks = 0, blockHashes, ...rest } = options;
  const database = await ReplicaDatabase.open(path, { snapshot: chain.before, blockHashes });
  onTestFinished(() => database.close());
  const verified: string[] = [];
  const replica = await ReplicaChain.open({
    database,
    keys: KEYS,
    ...rest,
    verify: (proof, verifyOptions) => {
      verified.push(proofDigest(proof));
      return verifyBlock(proof, verifyOptions);
    },
  });
  for (const { proof } of chain.blocks.slice(0, blocks)) await replica.submit(proof);
  verified.length = 0;
  return { replica, database, verified, path };
}

/** Another proof. */
const changed = (proof: Uint8Array, change: (proof: { -readonly [K in keyof BlockProof]: BlockProof[K] }) => void) =>
  encodeBlockProof(altered(decodeBlockProof(proof), change));
/** A proof that says more of the sender's balance than is true. */
const forged = (number: number, more = 1n) =>
  changed(block(number).proof, ({ claims }) => {
    Object.assign(claims.cells.balances[0]!, { balance: claims.cells.balances[0]!.balance + more });
  });

describe("proofs of the next block", () => {
  test("are accepted one after the other, each state is that of the EVM", async () => {
    const results: unknown[] = [];
    const { replica, database } = await replicaOf({ onVerified: (...result) => results.push(result), now: () => 7 });
    expect(replica.header).toBeUndefined();
    for (const { number, hash, proof, header, built } of chain.blocks) {
      const verdict = await replica.submit(proof);
      expect(verdict).toMatchObject({ outcome: "accepted", block: { hash, verifiedAt: 7 } });
      expect(replica.head).toEqual({ number, hash, stateRoot: header.stateRoot });
      expect(replica.header).toEqual(header);
      const { chunks } = decodeBlockProof(proof);
      expect((await database.block(number))!.proof).toEqual({
        digest: proofDigest(proof),
        bytes: proof.length,
        chunks: chunks.length,
        keySet: KEYS.digest,
      });
      const state = (await replica.stateAt(number))!;
      expect(await state.slot(STORE, 0n)).toBe(await built.postState.slot(hexAddress(STORE), 0n));
    }
    expect(results).toEqual(chain.blocks.map(() => ["valid", expect.any(Number)]));
    expect(await replica.stateAt(7n)).toBeUndefined();
    expect(replica.refused()).toEqual([]);
  });

  test("handed in all at once, and twice each, end in the same chain", async () => {
    const { replica } = await replicaOf();
    const twice = chain.blocks.flatMap(({ proof }) => [proof, proof]);
    const verdicts = await Promise.all(twice.map((proof) => replica.submit(proof)));
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(chain.blocks.flatMap(() => ["accepted", "known"]));
    expect(replica.head.hash).toBe(block(6).hash);
  });
});

describe("proofs of other blocks", () => {
  test("known ones and those of other numbers are not verified, and leave nothing behind", async () => {
    const { replica, verified } = await replicaOf({ blocks: 3 });
    expect(await replica.submit(block(2).proof)).toEqual({ outcome: "known", number: 2n, hash: block(2).hash });
    for (const number of [5, 6]) {
      const faults = [
        { code: "HEADER_INVALID", where: "header.number", message: expect.stringContaining("expected 4") },
      ];
      expect(await replica.submit(block(number).proof)).toEqual({
        outcome: "not-next",
        number: BigInt(number),
        faults,
      });
    }
    // another block 2
    const fork = await TestChain.create();
    await fork.add([], { timestamp: 1_800_000_000n });
    expect(await replica.submit(fork.blocks[0]!.proof)).toMatchObject({ outcome: "not-next", number: 1n });
    expect(verified).toEqual([]);
    expect(replica.refused()).toEqual([]);
    expect(replica.head.number).toBe(3n);
  });

  test("another chain's next block is told from an invalid one, at the snapshot and later", async () => {
    const fork = await TestChain.create();
    await fork.add([transfer(ALICE, BOB.address, 1n)]);
    await fork.add([transfer(ALICE, BOB.address, 1n, { nonce: 1n })]);
    const other = fork.blocks[1]!;
    {
      const { replica, verified } = await replicaOf({ blocks: 1 });
      for (let i = 1; i <= 3; i++) {
        const verdict = await replica.submit(other.proof);
        expect(verdict).toMatchObject({ outcome: "not-next", number: 2n });
        expect(verdict).toMatchObject({ faults: [{ code: "HEADER_INVALID", where: "header.parentHash" }] });
        expect(replica.refused()).toMatchObject([{ reason: "not-next", hash: other.hash, count: i }]);
      }
      // its header says enough
      expect(verified.length).toBe(0);
      expect(await replica.submit(block(2).proof)).toMatchObject({ outcome: "accepted" });
    }
    // at the snapshot the verifier itself does not know the parent
    const { header } = block(1);
    const stranger = changed(block(1).proof, (proof) => {
      proof.header = encodeHeader({ ...header, parentHash: 5n });
    });
    const { replica, verified } = await replicaOf();
    expect(await replica.submit(stranger)).toMatchObject({
      outcome: "not-next",
      faults: [{ code: "HEADER_INVALID", where: "header.parentHash" }],
    });
    expect(verified).toEqual([]);
    expect(replica.head.number).toBe(0n);
  });

  test("another state before it", async () => {
    const { replica } = await replicaOf({ blocks: 2 });
    const elsewhere = changed(block(3).proof, ({ claims }) => {
      claims.preState[0]! ^= 1;
    });
    expect(await replica.submit(elsewhere)).toMatchObject({
      outcome: "not-next",
      faults: [{ code: "BLOCK_PRE_STATE" }],
    });
    expect(await replica.submit(block(3).proof)).toMatchObject({ outcome: "accepted" });
  });

  test("a block that asks for the hash of one before the snapshot needs what the replica was told", async () => {
    const whole = await TestChain.create();
    const old = (await whole.add()).hash;
    await whole.add();
    const before = await whole.snapshot();
    await whole.add();
    const asking = await whole.add([call(ALICE, HASHES, 1n, 0n)]);
    const submit = async (blockHashes: ReadonlyMap<bigint, bigint>) => {
      const database = await ReplicaDatabase.open(await testFolder(), { snapshot: before, blockHashes });
      onTestFinished(() => database.close());
      const replica = await ReplicaChain.open({ database, keys: KEYS });
      await replica.submit(whole.blocks[2]!.proof);
      return { replica, verdict: await replica.submit(asking.proof) };
    };
    const ancestry = [{ code: "BLOCK_ANCESTRY" }];
    expect((await submit(new Map())).verdict).toMatchObject({ outcome: "not-next", number: 4n, faults: ancestry });
    // a wrong hash makes it invalid: only who knows the right one can tell
    expect((await submit(new Map([[1n, 5n]]))).verdict).toMatchObject({ outcome: "invalid" });
    const { replica, verdict } = await submit(new Map([[1n, old]]));
    expect(verdict).toMatchObject({ outcome: "accepted" });
    expect(await (await replica.stateAt(4n))!.slot(HASHES, 0n)).toBe(old);
  });
});

describe("invalid proofs", () => {
  test("are kept aside with their faults, and another proof of the same block is tried at once", async () => {
    let now = 1000;
    const { replica, database, verified } = await replicaOf({ blocks: 2, now: () => now++ });
    const { proof, hash, header } = block(3);
    const bad = forged(3);
    const verdict = await replica.submit(bad);
    expect(verdict).toMatchObject({ outcome: "invalid", again: false });
    expect(verdict).toMatchObject({ faults: [{ code: "CHUNK_INVALID" }, { code: "BUS_UNBALANCED" }] });
    const digest = proofDigest(bad);
    const [record] = replica.refused();
    expect(record).toMatchObject({ digest, number: 3n, hash, reason: "invalid", firstSeen: 1002, count: 1 });
    expect(record).toMatchObject({ bytes: bad.length, kept: true });
    expect(replica.isRefused(digest)).toBe(true);
    expect(await replica.refusedProof(digest)).toEqual(bad);

    // the same again costs nothing
    expect(await replica.submit(bad)).toMatchObject({ outcome: "invalid", again: true });
    expect(verified).toEqual([digest]);
    expect(replica.refused()).toMatchObject([{ count: 2, firstSeen: 1002 }]);

    const other = encodeBlockProof(proofOf(block(3).built, 5n));
    expect(proofDigest(other)).not.toBe(proofDigest(proof));
    expect(await replica.submit(other)).toMatchObject({ outcome: "accepted", block: { hash } });
    expect((await database.block(3n))!.proof.digest).toBe(proofDigest(other));
    expect(replica.head).toEqual({ number: 3n, hash, stateRoot: header.stateRoot });
    // the other proof of a block that is in the chain
    expect(await replica.submit(proof)).toMatchObject({ outcome: "known" });
  });

  test("whatever is wrong with them, the head stays, and the next good one is accepted", async () => {
    const { replica } = await replicaOf({ blocks: 2 });
    const { proof } = block(3);
    const header = decodeHeader(decodeBlockProof(proof).header);
    const withHeader = (fields: object) =>
      changed(proof, (copy) => {
        copy.header = encodeHeader({ ...header, ...fields });
      });
    const bad: [string, Uint8Array][] = [
      ["BLOCK_MALFORMED", new Uint8Array(0)],
      ["BLOCK_MALFORMED", proof.subarray(0, proof.length - 1)],
      ["BLOCK_MALFORMED", new Uint8Array([...proof, 0])],
      ["BLOCK_VERSION", Uint8Array.from(proof, (byte, i) => (i === 4 ? 99 : byte))],
      ["BLOCK_KEY_SET", Uint8Array.from(proof, (byte, i) => (i === 5 ? byte ^ 1 : byte))],
      ["HEADER_MALFORMED", changed(proof, (copy) => void Object.assign(copy, { header: new Uint8Array(3) }))],
      ["HEADER_INVALID", withHeader({ timestamp: 1n })],
      ["HEADER_MISMATCH", withHeader({ gasUsed: header.gasUsed + 1n })],
      ["CHUNK_INVALID", withHeader({ stateRoot: 5n })],
      ["CHUNK_NON_CANONICAL", changed(proof, ({ chunks }) => void chunks[0]!.proof.fill(255))],
    ];
    for (const [code, bytes] of bad) {
      const verdict = await replica.submit(bytes);
      expect(verdict.outcome, code).toBe("invalid");
      expect("faults" in verdict && verdict.faults[0]!.code).toBe(code);
      expect(replica.head.number).toBe(2n);
    }
    expect(replica.refused().length).toBe(bad.length);
    expect(replica.refused().map(({ number }) => number)).toEqual([
      ...[undefined, undefined, undefined, undefined, 3n, undefined],
      ...[3n, 3n, 3n, 3n],
    ]);
    expect(await replica.submit(proof)).toMatchObject({ outcome: "accepted" });
  });

  test("a block without chunks whose state root is wrong", async () => {
    const { replica } = await replicaOf();
    const { header } = block(1);
    const wrong = changed(block(1).proof, (proof) => {
      proof.header = encodeHeader({ ...header, stateRoot: header.stateRoot + 1n });
    });
    expect(await replica.submit(wrong)).toMatchObject({
      outcome: "invalid",
      faults: [{ code: "HEADER_MISMATCH", where: "header.stateRoot" }],
    });
  });

  test("are remembered by the next process, but not by other keys", async () => {
    const path = await testFolder();
    const bad = forged(1);
    const elsewhere = changed(block(1).proof, ({ claims }) => {
      claims.preState[0]! ^= 1;
    });
    {
      const { replica, database } = await replicaOf({ path });
      await replica.submit(bad);
      await replica.submit(elsewhere);
      await database.close();
    }
    {
      const { replica, verified, database } = await replicaOf({ path });
      const digest = proofDigest(bad);
      expect(replica.refused()).toMatchObject([{ digest, count: 1 }, { reason: "not-next" }]);
      expect(await replica.submit(bad)).toMatchObject({
        outcome: "invalid",
        again: true,
        faults: [{ code: "BUS_UNBALANCED" }],
      });
      expect(verified).toEqual([]);
      // what only did not fit may fit now
      expect(await replica.submit(elsewhere)).toMatchObject({ outcome: "not-next" });
      expect(verified.length).toBe(1);
      expect(await replica.refusedProof(digest)).toEqual(bad);
      await database.close();
    }
    const { replica, verified } = await replicaOf({ path, keys: OTHER_KEYS });
    expect(replica.refused().map(({ count }) => count)).toEqual([2, 2]);
    expect(await replica.submit(bad)).toMatchObject({ outcome: "invalid", again: false });
    expect(verified.length).toBe(1);
  });

  test("are kept within bounds; what is not kept is still not verified again", async () => {
    const path = await testFolder();
    const some = [1n, 2n, 3n, 4n, 5n].map((more) => forged(1, more));
    const { replica, verified, database } = await replicaOf({ path, refused: { records: 3 } });
    for (const proof of some) await replica.submit(proof);
    const kept = () => replica.refused().map(({ digest }) => digest);
    expect(kept()).toEqual(some.slice(2).map(proofDigest));
    expect(await replica.refusedProof(proofDigest(some[0]!))).toBeUndefined();
    expect(await replica.submit(some[0]!)).toMatchObject({ outcome: "invalid", again: true });
    expect(verified.length).toBe(5);
    await database.close();

    const { length } = some[0]!;
    const small = await replicaOf({ path, refused: { bytes: 4 * length + 10 } });
    await small.replica.submit(forged(1, 6n));
    await small.replica.submit(forged(1, 7n));
    // one more would be too much
    expect(small.replica.refused().map(({ bytes, kept: has }) => has && bytes)).toEqual(Array(4).fill(length));
    await small.database.close();
    const none = await replicaOf({ path: await testFolder(), refused: { bytes: length } });
    await none.replica.submit(forged(1, 8n));
    expect(none.replica.refused()).toMatchObject([{ kept: false, bytes: length }]);
    expect(await none.replica.refusedProof(proofDigest(forged(1, 8n)))).toBeUndefined();
  });
});

describe("when verification itself fails", () => {
  test("the chain is as it was, and goes on", async () => {
    const database = await ReplicaDatabase.open(await testFolder(), { snapshot: chain.before });
    onTestFinished(() => database.close());
    const failure = new Error("no thread");
    let fail = true;
    const replica = await ReplicaChain.open({
      database,
      keys: KEYS,
      verify: async (proof, options) => {
        if (fail) throw failure;
        return verifyBlock(proof, options);
      },
    });
    await expect(replica.submit(block(1).proof)).rejects.toBe(failure);
    expect(replica.head.number).toBe(0n);
    expect(replica.refused()).toEqual([]);
    fail = false;
    expect(await replica.submit(block(1).proof)).toMatchObject({ outcome: "accepted" });
  });

  test("a proof that costs the thread twice is refused, also by the next process, and another one is tried", async () => {
    const path = await testFolder();
    const bad = forged(1);
    const lost = new NodeError("ended", { code: "VERIFIER_LOST", got: "out of memory" });
    const opened = async () => {
      const database = await ReplicaDatabase.open(path, { snapshot: chain.before });
      onTestFinished(() => database.close());
      let calls = 0;
      const replica = await ReplicaChain.open({
        database,
        keys: KEYS,
        verify: async (proof, options) => {
          calls++;
          if (proofDigest(proof) === proofDigest(bad)) throw lost;
          return verifyBlock(proof, options);
        },
      });
      return { replica, database, calls: () => calls };
    };
    const faults = [{ code: "VERIFIER_LOST", message: expect.stringContaining("out of memory") }];
    const first = await opened();
    await expect(first.replica.submit(bad)).rejects.toBe(lost);
    expect(first.replica.refused()).toEqual([]);
    expect(await first.replica.submit(bad)).toMatchObject({ outcome: "invalid", again: false, faults });
    expect(await first.replica.submit(bad)).toMatchObject({ outcome: "invalid", again: true, faults });
    expect(first.calls()).toBe(2);
    await first.database.close();
    const second = await opened();
    expect(second.replica.isRefused(proofDigest(bad))).toBe(true);
    expect(await second.replica.submit(bad)).toMatchObject({ outcome: "invalid", again: true, faults });
    expect(second.calls()).toBe(0);
    expect(await second.replica.submit(block(1).proof)).toMatchObject({ outcome: "accepted" });
  });

  test("of a proof that is not the next only the beginning is read here", async () => {
    const { replica, verified } = await replicaOf({ blocks: 1 });
    const { proof } = block(3);
    // a header, and then millions of transactions of no bytes
    const bomb = new Uint8Array(16 << 20);
    bomb.set(proof.subarray(0, 1000));
    const begun = performance.now();
    expect(await replica.submit(bomb)).toMatchObject({ outcome: "not-next", number: 3n });
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(verified).toEqual([]);
  });

  test("a verdict that comes from somewhere else must be true of the state", async () => {
    const { database } = await replicaOf();
    const replica = await ReplicaChain.open({
      database,
      keys: KEYS,
      verify: async (proof, options) => {
        const validity = await verifyBlock(proof, { ...options, state: { ...options.state } });
        if (!validity.valid) throw new Error("not valid");
        return { ...validity, header: { ...validity.header, stateRoot: 5n } };
      },
    });
    await expect(replica.submit(block(1).proof)).rejects.toMatchObject({ code: "DATABASE_DAMAGED" });
    expect(replica.head.number).toBe(0n);
  });

  test("an aborted submission leaves the chain as it was", async () => {
    const database = await ReplicaDatabase.open(await testFolder(), { snapshot: chain.before });
    onTestFinished(() => database.close());
    const replica = await ReplicaChain.open({
      database,
      keys: KEYS,
      verify: async (_proof, _options, signal) => {
        await delay(60_000, undefined, { signal: signal! }).catch(() => {});
        throw signal!.reason;
      },
    });
    const controller = new AbortController();
    const reason = new Error("enough");
    const submitted = replica.submit(block(1).proof, controller.signal);
    // behind the first
    const waiting = replica.submit(block(1).proof, controller.signal);
    setTimeout(() => controller.abort(reason), 10);
    await expect(submitted).rejects.toBe(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(replica.head.hash).toBe(BigInt(chain.before.blockHash));
    expect(wordToHex(replica.head.stateRoot)).toBe(chain.before.stateRoot);
  });
});
