import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headerOf } from "../../../src/block/prepare.js";
import { ReplicaError } from "../../../src/replica/errors.js";
import { applyDiff, snapshotState } from "../../../src/replica/index.js";
import { stateRootOf } from "../../../src/trace/ethereumjs.js";
import { loadScenario, runScenario } from "../../../src/trace/index.js";
import type { Hex } from "../../../src/trace/read.js";
import type { Snapshot, SnapshotAccount } from "../../../src/trace/snapshot.js";
import type { StateDiff } from "../../../src/verifier/boundary.js";
import { EMPTY_CODE_HASH, keccak } from "../../../src/verifier/ethereum/words.js";

const NO_CODE = new Uint8Array(0);
const hexOf = (address: bigint): Hex => `0x${address.toString(16).padStart(40, "0")}`;

/** What changed from one state to the next, as a verifier would find it. */
function diffOf(before: Snapshot, after: Snapshot): StateDiff {
  const of = ({ accounts }: Snapshot) => new Map(accounts.map((account) => [account.address, account]));
  const [old, now] = [of(before), of(after)];
  const addresses = [...new Set([...old.keys(), ...now.keys()])].sort();
  const accounts = addresses.flatMap((address) => {
    const [a, b] = [old.get(address), now.get(address)];
    const nonce = a?.nonce === b?.nonce ? undefined : (b?.nonce ?? 0n);
    const balance = a?.balance === b?.balance ? undefined : (b?.balance ?? 0n);
    return nonce === undefined && balance === undefined ? [] : [{ address: BigInt(address), nonce, balance }];
  });
  const slots = addresses.flatMap((address) => {
    const [a, b] = [new Map(old.get(address)?.storage), new Map(now.get(address)?.storage)];
    return [...new Set([...a.keys(), ...b.keys()])]
      .filter((slot) => (a.get(slot) ?? 0n) !== (b.get(slot) ?? 0n))
      .sort((x, y) => (x < y ? -1 : 1))
      .map((slot) => ({ address: BigInt(address), slot, value: b.get(slot) ?? 0n }));
  });
  return { accounts, slots };
}

async function snapshotOf(accounts: readonly SnapshotAccount[]): Promise<Snapshot> {
  return {
    version: 1,
    chainId: 1337n,
    number: 7n,
    blockHash: `0x${"11".repeat(32)}`,
    stateRoot: await stateRootOf(accounts),
    accounts,
  };
}

/** The ReplicaError that `action` fails with; anything else fails the test. */
async function errorOf(action: () => unknown): Promise<ReplicaError> {
  try {
    await action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(ReplicaError);
    return error as ReplicaError;
  }
  throw new Error("expected a ReplicaError, but nothing was thrown");
}

describe("the state of a snapshot", () => {
  test("answers what the EVM's state manager does, before and after every scenario's block", async () => {
    for (const name of ["demo", "transfer", "counter", "empty"]) {
      const { before, postState, sequencer, trace } = await runScenario(loadScenario(name));
      const after = await sequencer.snapshot();
      const state = await snapshotState(before);
      const diff = diffOf(before, after);
      expect(Buffer.from(await state.commitment()).toString("hex")).toBe(trace.preState.root.slice(2));
      expect(await state.postStateRoot(diff)).toBe(BigInt(postState.stateRoot));
      // asked twice, the state before the block is still there
      expect(await state.postStateRoot({ accounts: [], slots: [] })).toBe(BigInt(before.stateRoot));
      expect(await state.postStateRoot(diff)).toBe(BigInt(postState.stateRoot));
      const next = applyDiff(before, diff, headerOf(trace.header));
      expect(next).toEqual(after);
      await expect(snapshotState(next)).resolves.toBeDefined();
      for (const { address, nonce, balance, codeHash, code, storage } of trace.preState.accounts) {
        const found = await state.account(BigInt(address));
        expect(found ?? { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE_HASH }).toEqual({
          nonce,
          balance,
          codeHash: BigInt(codeHash),
        });
        if (code !== undefined) expect(keccak(await state.code(BigInt(address)))).toBe(BigInt(codeHash));
        for (const [slot, value] of storage) expect(await state.slot(BigInt(address), slot)).toBe(value);
      }
    }
  });

  test("has nothing at addresses and slots that are not there", async () => {
    const { before } = await runScenario(loadScenario("counter"));
    const state = await snapshotState(before);
    expect(await state.account(5n)).toBeUndefined();
    expect(await state.code(5n)).toEqual(NO_CODE);
    expect(await state.slot(5n, 0n)).toBe(0n);
    expect(await state.slot(BigInt(before.accounts[0]!.address), 2n ** 255n)).toBe(0n);
  });

  test("knows the hash of its own block, and those that it is told", async () => {
    const { before } = await runScenario(loadScenario("counter"));
    const alone = await snapshotState(before);
    expect(await alone.blockHash(before.number)).toBe(BigInt(before.blockHash));
    expect(await alone.blockHash(before.number - 1n)).toBeUndefined();
    // what it is told does not replace its own
    const blockHashes = new Map([
      [before.number, 5n],
      [before.number - 2n, 7n],
    ]);
    const told = await snapshotState(before, { blockHashes });
    expect(await told.blockHash(before.number)).toBe(BigInt(before.blockHash));
    expect(await told.blockHash(before.number - 1n)).toBeUndefined();
    expect(await told.blockHash(before.number - 2n)).toBe(7n);
  });

  test("the root after any changes is that of a state made anew", async () => {
    const word = fc.oneof(fc.constant(0n), fc.bigInt(0n, 3n), fc.bigInt(0n, 2n ** 256n - 1n));
    const account = fc.record({
      nonce: fc.bigInt(0n, 2n),
      balance: word,
      hasCode: fc.boolean(),
      storage: fc.array(fc.tuple(word, word), { maxLength: 4 }),
    });
    const change = fc.record({
      address: fc.bigInt(1n, 7n),
      nonce: fc.option(fc.bigInt(0n, 2n), { nil: undefined }),
      balance: fc.option(word, { nil: undefined }),
    });
    const write = fc.record({ address: fc.bigInt(1n, 5n), slot: word, value: word });
    const { header } = (await runScenario(loadScenario("empty"))).trace;
    await fc.assert(
      fc.asyncProperty(
        fc.array(account, { maxLength: 5 }),
        fc.uniqueArray(change, { maxLength: 4, selector: ({ address }) => address }),
        fc.uniqueArray(write, { maxLength: 5, selector: ({ address, slot }) => `${address} ${slot}` }),
        async (given, changes, writes) => {
          const accounts = given.flatMap(({ hasCode, storage, ...rest }, i): SnapshotAccount[] => {
            const code = hasCode ? Uint8Array.of(0x60, i) : NO_CODE;
            if (rest.nonce === 0n && rest.balance === 0n && !hasCode) return [];
            const slots = new Map(hasCode ? storage : []);
            const filled = [...slots].filter(([, value]) => value !== 0n).sort(([a], [b]) => (a < b ? -1 : 1));
            return [{ address: hexOf(BigInt(i + 1)), ...rest, code, storage: filled }];
          });
          const withCode = new Set(
            accounts.filter(({ code }) => code.length > 0).map(({ address }) => BigInt(address)),
          );
          const diff: StateDiff = { accounts: changes, slots: writes.filter(({ address }) => withCode.has(address)) };
          const before = await snapshotOf(accounts);
          const state = await snapshotState(before);
          const next = applyDiff(before, diff, headerOf(header));
          const root = await stateRootOf(next.accounts);
          expect(await state.postStateRoot(diff)).toBe(BigInt(root));
          for (const { nonce, balance, code } of next.accounts) {
            expect(nonce === 0n && balance === 0n && code.length === 0).toBe(false);
          }
          expect(next.accounts.map(({ address }) => address)).toEqual(
            next.accounts.map(({ address }) => address).sort(),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  test("an account with nothing in it vanishes, with its slots", async () => {
    const accounts: SnapshotAccount[] = [
      { address: hexOf(1n), nonce: 0n, balance: 5n, code: NO_CODE, storage: [[1n, 2n]] },
      { address: hexOf(2n), nonce: 1n, balance: 0n, code: NO_CODE, storage: [] },
    ];
    const before = await snapshotOf(accounts);
    const diff: StateDiff = { accounts: [{ address: 1n, nonce: undefined, balance: 0n }], slots: [] };
    const { trace } = await runScenario(loadScenario("empty"));
    expect(applyDiff(before, diff, headerOf(trace.header)).accounts).toEqual([accounts[1]]);
    const root = await stateRootOf([accounts[1]!]);
    expect(await (await snapshotState(before)).postStateRoot(diff)).toBe(BigInt(root));
  });
});

describe("what is refused", () => {
  test("accounts that do not make up the root: any field of any of them", async () => {
    const { before } = await runScenario(loadScenario("counter"));
    const change = (i: number, change: Partial<SnapshotAccount>): Snapshot => ({
      ...before,
      accounts: before.accounts.map((account, j) => (i === j ? { ...account, ...change } : account)),
    });
    const counter = before.accounts.findIndex(({ code }) => code.length > 0);
    for (const changed of [
      change(0, { balance: before.accounts[0]!.balance + 1n }),
      change(0, { nonce: before.accounts[0]!.nonce + 1n }),
      change(counter, { code: Uint8Array.of(0) }),
      change(counter, { storage: [[0n, 42n]] }),
      change(counter, { storage: [] }),
      { ...before, accounts: before.accounts.slice(1) },
      { ...before, accounts: [] },
      { ...before, stateRoot: `0x${"00".repeat(32)}` as const },
    ]) {
      const error = await errorOf(() => snapshotState(changed));
      expect(error).toMatchObject({ code: "SNAPSHOT_ROOT", where: "stateRoot", got: changed.stateRoot });
    }
  });

  test("accounts that are there twice, or with nothing in them", async () => {
    const { before } = await runScenario(loadScenario("transfer"));
    const twice = { ...before, accounts: [...before.accounts, before.accounts[0]!] };
    expect(await errorOf(() => snapshotState(twice))).toMatchObject({ code: "SNAPSHOT_ACCOUNT" });
    const nothing = { address: hexOf(9n), nonce: 0n, balance: 0n, code: NO_CODE, storage: [] };
    const empty = { ...before, accounts: [...before.accounts, nothing] };
    expect(await errorOf(() => snapshotState(empty))).toMatchObject({ code: "SNAPSHOT_ACCOUNT", where: hexOf(9n) });
  });

  test("a slot that nothing can have written", async () => {
    const { before, trace } = await runScenario(loadScenario("transfer"));
    const diff: StateDiff = { accounts: [], slots: [{ address: 77n, slot: 1n, value: 1n }] };
    expect(await errorOf(() => applyDiff(before, diff, headerOf(trace.header)))).toMatchObject({
      code: "SNAPSHOT_DIFF",
    });
  });
});
