import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import fc from "fast-check";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ReplicaChain } from "../../../../src/replica/node/chain.js";
import { type DatabaseOptions, IMPORT_MARKER, ReplicaDatabase } from "../../../../src/replica/node/database.js";
import { encodeJson } from "../../../../src/replica/node/records.js";
import { snapshotState } from "../../../../src/replica/snapshot.js";
import { stateRootOf } from "../../../../src/trace/ethereumjs.js";
import type { Snapshot, SnapshotAccount } from "../../../../src/trace/snapshot.js";
import type { StateDiff } from "../../../../src/verifier/boundary.js";
import { EMPTY_CODE_HASH, keccak, wordToHex } from "../../../../src/verifier/ethereum/words.js";
import { ALICE, BOB, ETHER, hexAddress, KEYS, STORE, STORE_CODE, TestChain, testFolder } from "./support.js";

let chain: TestChain;
beforeAll(async () => {
  chain = await TestChain.of(6);
});

/** A database that is closed after the test. */
async function opened(path: string, options: DatabaseOptions = {}): Promise<ReplicaDatabase> {
  const database = await ReplicaDatabase.open(path, options);
  onTestFinished(() => database.close());
  return database;
}

/** A database with blocks of the chain. */
async function filled(path: string, blocks = chain.blocks.length): Promise<ReplicaDatabase> {
  const database = await opened(path, { snapshot: chain.before });
  const replica = await ReplicaChain.open({ database, keys: KEYS });
  for (const { proof } of chain.blocks.slice(0, blocks)) {
    expect(await replica.submit(proof)).toMatchObject({ outcome: "accepted" });
  }
  return database;
}

/** Works on the records themselves. */
async function raw<T>(path: string, work: (level: ClassicLevel<Uint8Array, Uint8Array>) => Promise<T>): Promise<T> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: "view", valueEncoding: "view" });
  await level.open();
  try {
    return await work(level);
  } finally {
    await level.close();
  }
}

const keysOf = (path: string, space: string): Promise<Uint8Array[]> =>
  raw(path, async (level) => (await level.keys().all()).filter((key) => key[0] === space.charCodeAt(0)));

describe("a database from a snapshot", () => {
  test("holds its state, and knows where it begins; the next start needs no snapshot", async () => {
    const path = join(await testFolder(), "new", "folder");
    const origin = { number: 0n, hash: BigInt(chain.before.blockHash), stateRoot: BigInt(chain.before.stateRoot) };
    for (const options of [{ snapshot: chain.before }, {}, { snapshot: chain.before }]) {
      const database = await ReplicaDatabase.open(path, options);
      expect(database).toMatchObject({ chainId: 1337n, head: origin, origin });
      const state = database.state(origin.stateRoot);
      for (const { address, nonce, balance, code, storage } of chain.before.accounts) {
        const at = BigInt(address);
        expect(await state.account(at)).toEqual({ nonce, balance, codeHash: keccak(code) });
        expect(await state.code(at)).toEqual(code);
        for (const [slot, value] of storage) expect(await state.slot(at, slot)).toBe(value);
        expect(await state.slot(at, 99n)).toBe(0n);
      }
      expect(await state.account(1n)).toBeUndefined();
      expect(await state.code(1n)).toEqual(new Uint8Array(0));
      expect(await state.slot(1n, 0n)).toBe(0n);
      expect(await database.block(0n)).toBeUndefined();
      expect(await database.position(0n)).toEqual(origin);
      expect(await database.position(1n)).toBeUndefined();
      expect(await database.numberOf(origin.hash)).toBe(0n);
      expect(await database.blockHash(0n)).toBe(origin.hash);
      await database.close();
    }
  });

  test("the snapshot of no accounts at all", async () => {
    const snapshot: Snapshot = { ...chain.before, accounts: [], stateRoot: await stateRootOf([]) };
    const path = await testFolder();
    const database = await opened(path, { snapshot });
    expect(await database.state(database.head.stateRoot).account(1n)).toBeUndefined();
    await database.close();
    await expect(opened(path)).resolves.toMatchObject({ head: { number: 0n } });
  });

  test("a function that gives the snapshot is only called where there is no chain yet", async () => {
    const path = await testFolder();
    let calls = 0;
    const snapshot = async () => {
      calls++;
      return chain.before;
    };
    await (await ReplicaDatabase.open(path, { snapshot })).close();
    await (await ReplicaDatabase.open(path, { snapshot })).close();
    expect(calls).toBe(1);
  });

  test("hashes of older blocks are kept, but not in place of its own", async () => {
    const before = { ...chain.before, number: 7n };
    const blockHashes = new Map([
      [5n, 55n],
      [7n, 77n],
      [9n, 99n],
    ]);
    const database = await opened(await testFolder(), { snapshot: before, blockHashes });
    expect(await Promise.all([4n, 5n, 7n, 9n].map((number) => database.blockHash(number)))).toEqual([
      undefined,
      55n,
      BigInt(before.blockHash),
      undefined,
    ]);
  });

  test("accounts that do not make up the root leave nothing behind", async () => {
    const path = await testFolder();
    const snapshot = { ...chain.before, accounts: chain.before.accounts.slice(1) };
    await expect(ReplicaDatabase.open(path, { snapshot })).rejects.toMatchObject({ code: "SNAPSHOT_ROOT" });
    expect(await raw(path, (level) => level.keys().all())).toEqual([]);
    const twice = { ...chain.before, accounts: [chain.before.accounts[0]!, chain.before.accounts[0]!] };
    await expect(ReplicaDatabase.open(path, { snapshot: twice })).rejects.toMatchObject({ code: "SNAPSHOT_ACCOUNT" });
    await expect(opened(path, { snapshot: chain.before })).resolves.toBeDefined();
  });

  test("an import that did not end begins again; an aborted one too", async () => {
    const path = await testFolder();
    const head = new TextEncoder().encode("h");
    await (await ReplicaDatabase.open(path, { snapshot: chain.before })).close();
    const [node] = await keysOf(path, "n");
    await raw(path, (level) =>
      level.batch([
        { type: "del", key: head },
        { type: "del", key: node! },
      ]),
    );
    // only what says so itself did not end
    await expect(ReplicaDatabase.open(path)).rejects.toMatchObject({ code: "DATABASE_DAMAGED" });
    await writeFile(join(path, IMPORT_MARKER), "");
    await expect(ReplicaDatabase.open(path)).rejects.toMatchObject({ code: "DATABASE_EMPTY" });
    const controller = new AbortController();
    const reason = new Error("enough");
    const snapshot = async () => {
      controller.abort(reason);
      return chain.before;
    };
    await expect(ReplicaDatabase.open(path, { snapshot, signal: controller.signal })).rejects.toBe(reason);
    expect(await raw(path, (level) => level.get(head))).toBeUndefined();
    const other = { ...chain.before, number: 9n };
    const database = await opened(path, { snapshot: other });
    expect(database.head.number).toBe(9n);
    expect(await database.state(database.head.stateRoot).account(ALICE.address)).toBeDefined();
  });
});

describe("what cannot be opened", () => {
  test("nothing, without a snapshot", async () => {
    await expect(ReplicaDatabase.open(await testFolder())).rejects.toMatchObject({ code: "DATABASE_EMPTY" });
  });

  test("a database that is open", async () => {
    const path = await testFolder();
    await opened(path, { snapshot: chain.before });
    await expect(ReplicaDatabase.open(path)).rejects.toMatchObject({ code: "DATABASE_LOCKED", where: path });
  });

  test("one that was made from another snapshot or for another chain", async () => {
    const path = await testFolder();
    await (await ReplicaDatabase.open(path, { snapshot: chain.before })).close();
    for (const snapshot of [
      { ...chain.before, number: 1n },
      { ...chain.before, chainId: 1n },
      await chain.snapshot(),
    ]) {
      await expect(ReplicaDatabase.open(path, { snapshot })).rejects.toMatchObject({ code: "DATABASE_SNAPSHOT" });
    }
  });

  test("other databases, newer formats, other folders, files", async () => {
    const folder = await testFolder();
    const path = join(folder, "other");
    await raw(path, (level) => level.put(Uint8Array.of(1), Uint8Array.of(2)));
    const refused = { code: "DATABASE_FORMAT" };
    await expect(ReplicaDatabase.open(path, { snapshot: chain.before })).rejects.toMatchObject(refused);
    // and nothing was changed
    expect([...(await raw(path, (level) => level.get(Uint8Array.of(1))))!]).toEqual([2]);

    const newer = join(folder, "newer");
    await (await ReplicaDatabase.open(newer, { snapshot: chain.before })).close();
    const meta = new TextEncoder().encode("m");
    for (const value of [{ format: "chunkproof replica", version: 2 }, { format: "something" }, null]) {
      await raw(newer, (level) => level.put(meta, encodeJson(value)));
      await expect(ReplicaDatabase.open(newer, { snapshot: chain.before })).rejects.toMatchObject(refused);
    }

    const documents = join(folder, "documents");
    await mkdir(documents);
    await writeFile(join(documents, "letter.txt"), "dear");
    const options = { snapshot: chain.before };
    await expect(ReplicaDatabase.open(documents, options)).rejects.toMatchObject({ ...refused, got: "letter.txt" });
    expect(await readdir(documents)).toEqual(["letter.txt"]);
    const file = join(documents, "letter.txt");
    await expect(ReplicaDatabase.open(file, options)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  });

  test("damaged ones: tables without an index, a head without its block or state", async () => {
    const path = await testFolder();
    const damaged = { code: "DATABASE_DAMAGED" };
    await (await filled(path, 2)).close();
    await raw(path, (level) => level.del(new TextEncoder().encode("h")));
    await expect(ReplicaDatabase.open(path, { snapshot: chain.before })).rejects.toMatchObject(damaged);

    const cut = join(path, "cut");
    await (await filled(cut, 2)).close();
    for (const name of await readdir(cut)) if (/^CURRENT|^MANIFEST/.test(name)) await rm(join(cut, name));
    await expect(ReplicaDatabase.open(cut, { snapshot: chain.before })).rejects.toMatchObject(damaged);

    for (const space of ["b", "n", "h", "m"]) {
      const changed = join(path, `changed-${space}`);
      await (await filled(changed, 2)).close();
      const keys = await keysOf(changed, space);
      await raw(changed, async (level) => {
        for (const key of keys) {
          const value = Uint8Array.from((await level.get(key))!);
          value[value.length - 1]! ^= 1;
          await level.put(key, value);
        }
      });
      await expect(ReplicaDatabase.open(changed), space).rejects.toMatchObject(damaged);
    }
  });
});

describe("a log of which LevelDB drops parts", () => {
  const damaged = { code: "DATABASE_DAMAGED" };

  test("shows as a gap in the blocks, or as blocks beyond the head", async () => {
    const folder = await testFolder();
    for (const missing of [0, 2, 5]) {
      const path = join(folder, String(missing));
      await (await filled(path)).close();
      const keys = await keysOf(path, "b");
      expect(keys.length).toBe(6);
      await raw(path, (level) => level.del(keys[missing]!));
      await expect(ReplicaDatabase.open(path), String(missing)).rejects.toMatchObject(damaged);
    }
    const path = join(folder, "head");
    await (await filled(path, 3)).close();
    const head = await raw(path, (level) => level.get(new TextEncoder().encode("h")));
    const database = await opened(path);
    const replica = await ReplicaChain.open({ database, keys: KEYS });
    await replica.submit(chain.blocks[3]!.proof);
    await database.close();
    await raw(path, (level) => level.put(new TextEncoder().encode("h"), head!));
    await expect(ReplicaDatabase.open(path)).rejects.toMatchObject(damaged);
  });

  test("with everything in it is not begun anew", async () => {
    const path = await testFolder();
    await (await filled(path, 2)).close();
    expect(await readdir(path)).not.toContain(IMPORT_MARKER);
    await raw(path, (level) => level.clear());
    for (const options of [{}, { snapshot: chain.before }]) {
      await expect(ReplicaDatabase.open(path, options)).rejects.toMatchObject(damaged);
    }
  });

  test("an import that never began or failed leaves its marker, and may begin again", async () => {
    const path = await testFolder();
    await expect(ReplicaDatabase.open(path)).rejects.toMatchObject({ code: "DATABASE_EMPTY" });
    expect(await readdir(path)).toContain(IMPORT_MARKER);
    await opened(path, { snapshot: chain.before });
    expect(await readdir(path)).not.toContain(IMPORT_MARKER);
  });
});

test("a database says whether it began with a snapshot", async () => {
  const database = await opened(await testFolder(), { snapshot: chain.before });
  database.expectOrigin(chain.before);
  const other = { code: "DATABASE_SNAPSHOT" };
  expect(() => database.expectOrigin({ ...chain.before, number: 3n })).toThrow(expect.objectContaining(other));
});

describe("the state of a database", () => {
  test("a node or code that is missing or changed is an error, never an account that does not exist", async () => {
    for (const change of [undefined, (value: Uint8Array) => value.fill(0, 5, 6)]) {
      const path = await testFolder();
      await (await ReplicaDatabase.open(path, { snapshot: chain.before })).close();
      const root = Buffer.from(chain.before.stateRoot.slice(2), "hex");
      const keys = [...(await keysOf(path, "n")), ...(await keysOf(path, "c"))];
      for (const key of keys.filter((each) => !root.equals(each.subarray(1)))) {
        await raw(path, async (level) => {
          const value = Uint8Array.from((await level.get(key))!);
          await (change === undefined ? level.del(key) : level.put(key, change(value)));
        });
      }
      const database = await opened(path);
      const state = database.state(database.head.stateRoot);
      const damaged = { code: "DATABASE_DAMAGED" };
      for (const address of [ALICE.address, STORE]) {
        await expect(state.account(address)).rejects.toMatchObject(damaged);
        await expect(state.code(address)).rejects.toMatchObject(damaged);
        await expect(state.slot(address, 0n)).rejects.toMatchObject(damaged);
      }
      const change1 = { address: ALICE.address, nonce: 1n, balance: undefined };
      await expect(state.after({ accounts: [change1], slots: [] })).rejects.toMatchObject(damaged);
    }
  });

  test("has the root that a state in memory has, after any changes", async () => {
    const value = fc.oneof(fc.constant(0n), fc.bigInt(0n, 3n), fc.bigInt(0n, 2n ** 256n - 1n));
    const account = fc.record({
      nonce: fc.bigInt(0n, 2n),
      balance: value,
      hasCode: fc.boolean(),
      storage: fc.array(fc.tuple(value, value), { maxLength: 4 }),
    });
    const change = fc.record({
      address: fc.bigInt(1n, 7n),
      nonce: fc.option(fc.bigInt(0n, 2n), { nil: undefined }),
      balance: fc.option(value, { nil: undefined }),
    });
    const write = fc.record({ address: fc.bigInt(1n, 5n), slot: value, value });
    const folder = await testFolder();
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(account, { maxLength: 5 }),
        fc.uniqueArray(change, { maxLength: 4, selector: ({ address }) => address }),
        fc.uniqueArray(write, { maxLength: 5, selector: ({ address, slot }) => `${address} ${slot}` }),
        async (given, changes, writes) => {
          const accounts = given.flatMap(({ hasCode, storage, ...rest }, i): SnapshotAccount[] => {
            const code = hasCode ? Uint8Array.of(0x60, i) : new Uint8Array(0);
            if (rest.nonce === 0n && rest.balance === 0n && !hasCode) return [];
            const slots = [...new Map(hasCode ? storage : [])].filter(([, word]) => word !== 0n);
            slots.sort(([a], [b]) => (a < b ? -1 : 1));
            return [{ address: hexAddress(BigInt(i + 1)), ...rest, code, storage: slots }];
          });
          const stateRoot = await stateRootOf(accounts);
          const snapshot = { ...chain.before, accounts, stateRoot };
          const withCode = new Set(accounts.filter(({ code }) => code.length > 0).map((each) => BigInt(each.address)));
          const diff: StateDiff = { accounts: changes, slots: writes.filter(({ address }) => withCode.has(address)) };
          const database = await ReplicaDatabase.open(join(folder, String(runs++)), { snapshot });
          try {
            const { root, nodes } = await database.state(BigInt(stateRoot)).after(diff);
            expect(root).toBe(await (await snapshotState(snapshot)).postStateRoot(diff));
            for (const [hash, bytes] of nodes) expect(keccak(bytes)).toBe(BigInt(`0x${hash}`));
          } finally {
            await database.close();
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test("a slot that nothing can have written", async () => {
    const database = await opened(await testFolder(), { snapshot: chain.before });
    const slots = [{ address: ALICE.address, slot: 1n, value: 1n }];
    await expect(database.state(database.head.stateRoot).after({ accounts: [], slots })).rejects.toMatchObject({
      code: "SNAPSHOT_DIFF",
    });
  });
});

describe("blocks", () => {
  test("all of them, their indices and every state are there, also after the next start", async () => {
    const path = await testFolder();
    await (await filled(path)).close();
    const database = await opened(path);
    expect(database.head).toMatchObject({ number: 6n, hash: chain.blocks[5]!.hash });
    for (const { number, hash, header, built } of chain.blocks) {
      const block = (await database.block(number))!;
      expect(block).toMatchObject({ hash, header, transactions: built.trace.transactions });
      expect(block.receipts.map(({ status }) => status)).toEqual(built.trace.executions.map(({ status }) => status));
      expect(await database.numberOf(hash)).toBe(number);
      expect(await database.position(number)).toEqual({ number, hash, stateRoot: header.stateRoot });
      expect(await database.blockHash(number)).toBe(hash);
      for (const [index, bytes] of built.trace.transactions.entries()) {
        expect(await database.transaction(keccak(bytes))).toEqual({ number, index });
      }
      const state = database.state(header.stateRoot);
      for (const address of [ALICE.address, BOB.address, STORE]) {
        const { codeHash, ...real } = await built.postState.account(hexAddress(address));
        expect(await state.account(address)).toEqual({ ...real, codeHash: BigInt(codeHash) });
      }
      for (const slot of [0n, 1n]) {
        expect(await state.slot(STORE, slot)).toBe(await built.postState.slot(hexAddress(STORE), slot));
      }
      expect(await state.code(STORE)).toEqual(STORE_CODE);
    }
    const before = database.state(database.origin.stateRoot);
    expect(await before.account(ALICE.address)).toEqual({ nonce: 0n, balance: ETHER, codeHash: EMPTY_CODE_HASH });
    expect(await before.slot(STORE, 0n)).toBe(41n);
    expect(await database.block(7n)).toBeUndefined();
    expect(await database.numberOf(1n)).toBeUndefined();
    expect(await database.transaction(1n)).toBeUndefined();
  });

  test("only nodes of the tries after blocks are written, none that stood in between", async () => {
    const path = await testFolder();
    await (await filled(path)).close();
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
    const nodes = await raw(path, async (level) => {
      const records = await level.iterator({ gt: Buffer.from("n"), lt: Buffer.from("o") }).all();
      return new Map(records.map(([key, value]) => [hex(key.subarray(1)), hex(value)]));
    });
    const reached = new Set<string>();
    const visit = (hash: string): void => {
      if (reached.has(hash)) return;
      reached.add(hash);
      const node = nodes.get(hash)!;
      for (let i = 0; i + 64 <= node.length; i += 2) if (nodes.has(node.slice(i, i + 64))) visit(node.slice(i, i + 64));
    };
    visit(chain.before.stateRoot.slice(2));
    for (const { header } of chain.blocks) visit(wordToHex(header.stateRoot).slice(2));
    expect(reached.size).toBe(nodes.size);
  });

  test("only the next block is added, with the state that its header names", async () => {
    const path = await testFolder();
    const database = await filled(path, 2);
    const block = (await database.block(2n))!;
    const state = await database.state(database.head.stateRoot).after({ accounts: [], slots: [] });
    await expect(database.append(block, state)).rejects.toThrow(RangeError);
    const header = { ...chain.blocks[2]!.header };
    await expect(database.append({ ...block, header, hash: 1n }, state)).rejects.toThrow(RangeError);
    expect(database.head.number).toBe(2n);
  });

  test("a closed database says so", async () => {
    const database = await filled(await testFolder(), 1);
    await database.close();
    const closed = { code: "DATABASE_CLOSED" };
    await expect(database.state(database.head.stateRoot).account(1n)).rejects.toMatchObject(closed);
    await expect(database.block(1n)).rejects.toMatchObject(closed);
    await expect(database.forget(["00"])).rejects.toMatchObject(closed);
    await database.close();
  });
});
