import { createBlock } from "@ethereumjs/block";
import { KECCAK256_NULL } from "@ethereumjs/util";
import { describe, expect, it } from "vitest";
import {
  assemble,
  decodeSnapshot,
  encodeSnapshot,
  type GenesisAccount,
  loadScenario,
  replayTrace,
  runScenario,
  SCENARIO_NAMES,
  Sequencer,
  type Snapshot,
  scenarioKey,
  signTransaction,
  type Trace,
  type TransactionFields,
  validateTrace,
} from "../../../src/trace/index.js";
import { toHex, wordBytes } from "../../../src/trace/read.js";
import { CHAIN_ID, CONTRACT, COUNTER, EVERYTHING, SENDER } from "../../support/contracts.js";
import { expectTraceError } from "../../support/trace-errors.js";

const ETHER = 10n ** 18n;
const COINBASE = "0x00000000000000000000000000000000c0ffee00";
const FEES = { maxFeePerGas: 2n * 10n ** 9n, maxPriorityFeePerGas: 1n };
const sign = (fields: Partial<TransactionFields>, key = 0) =>
  signTransaction({ type: 2, gasLimit: 100_000n, to: CONTRACT, ...FEES, ...fields }, CHAIN_ID, scenarioKey(key));
const genesis: readonly GenesisAccount[] = [
  { address: SENDER, balance: ETHER },
  { address: CONTRACT, nonce: 1n, code: assemble(COUNTER), storage: [[0n, 9n]] },
];
const create = () => Sequencer.create({ chainId: CHAIN_ID, genesis, header: { coinbase: COINBASE } });

/** The state after a trace: a snapshot of before, and what its execution says has changed. */
async function applied(before: Snapshot, trace: Trace): Promise<GenesisAccount[]> {
  const accounts = new Map(before.accounts.map((account) => [account.address, account]));
  for (const [address, { nonce, balance, storage }] of (await replayTrace(trace)).postAccounts) {
    const old = accounts.get(address);
    const slots = new Map([...(old?.storage ?? []), ...storage]);
    const code = old?.code ?? new Uint8Array(0);
    accounts.set(address, { address, nonce, balance, code, storage: [...slots].filter(([, value]) => value !== 0n) });
  }
  return [...accounts.values()];
}

async function rootOf(accounts: readonly GenesisAccount[]): Promise<string> {
  const sequencer = await Sequencer.create({ chainId: CHAIN_ID, genesis: accounts });
  return toHex(sequencer.head.header.stateRoot);
}

describe("the built-in scenarios", () => {
  it.each(SCENARIO_NAMES)("%s: the post-state has the root in the header", async (name) => {
    const { trace, before, postState, sequencer } = await runScenario(loadScenario(name));
    await validateTrace(trace);
    expect(await rootOf(await applied(before, trace))).toBe(trace.header.stateRoot);
    expect(postState.stateRoot).toBe(trace.header.stateRoot);
    expect(await rootOf((await sequencer.snapshot()).accounts)).toBe(trace.header.stateRoot);
    expect(await rootOf(before.accounts)).toBe(before.stateRoot);
  });

  it.each(SCENARIO_NAMES)("%s: the block is valid for a VM that doesn't watch", async (name) => {
    const scenario = loadScenario(name);
    const { block } = await runScenario(scenario);
    const fresh = await Sequencer.create(scenario);
    await expect(fresh.execute(block)).resolves.toBeUndefined();
    expect(fresh.head.header.number).toBe(0n);
  });
});

describe("a block", () => {
  it("has what it touches in the pre-state, and nothing else, as of before", async () => {
    const sequencer = await create();
    const other = "0x0000000000000000000000000000000000001234";
    const { trace, postState } = await sequencer.buildBlock([
      sign({ type: 1, gasPrice: FEES.maxFeePerGas, accessList: [{ address: other, storageKeys: [5n, 3n] }] }),
      sign({ nonce: 1n }),
    ]);
    await validateTrace(trace);
    const accounts = Object.fromEntries(trace.preState.accounts.map((account) => [account.address, account]));
    expect(Object.keys(accounts)).toEqual([SENDER, CONTRACT, COINBASE, other].sort());
    expect(accounts[SENDER]).toMatchObject({ nonce: 0n, balance: ETHER, storage: [] });
    expect(accounts[CONTRACT]).toMatchObject({
      nonce: 1n,
      code: assemble(COUNTER),
      storage: [
        [0n, 9n],
        [BigInt(SENDER), 0n],
      ],
    });
    expect(accounts[other]).toEqual({
      address: other,
      nonce: 0n,
      balance: 0n,
      codeHash: toHex(KECCAK256_NULL),
      storage: [
        [3n, 0n],
        [5n, 0n],
      ],
    });
    expect(await postState.slot(CONTRACT, 0n)).toBe(11n);
    expect(await postState.slot(CONTRACT, BigInt(SENDER))).toBe(2n);
    expect(await postState.account(SENDER)).toMatchObject({ nonce: 2n });
    expect(await postState.code(CONTRACT)).toEqual(assemble(COUNTER));
    expect(await postState.account("0x0000000000000000000000000000000000009999")).toMatchObject({ balance: 0n });
  });

  it("gives code once for each hash", async () => {
    const twin = "0x0000000000000000000000000000000000000aaa";
    const sequencer = await Sequencer.create({
      chainId: CHAIN_ID,
      genesis: [...genesis, { address: twin, nonce: 1n, code: assemble(COUNTER) }],
    });
    const { trace } = await sequencer.buildBlock([sign({}), sign({ nonce: 1n, to: twin })]);
    await validateTrace(trace);
    expect(trace.preState.accounts.filter(({ code }) => code !== undefined)).toHaveLength(1);
    expect(new Set(trace.preState.accounts.map(({ codeHash }) => codeHash)).size).toBe(2);
  });

  it("follows the one before, and earlier post-states stay", async () => {
    const sequencer = await create();
    const blocks = [];
    for (let i = 0; i < 3; i++) {
      const before = await sequencer.snapshot();
      const built = await sequencer.buildBlock([sign({ nonce: BigInt(i) })], { extraData: `0x0${i}` });
      await validateTrace(built.trace);
      expect(await rootOf(await applied(before, built.trace))).toBe(built.trace.header.stateRoot);
      blocks.push(built);
    }
    expect(await Promise.all(blocks.map(({ postState }) => postState.slot(CONTRACT, 0n)))).toEqual([10n, 11n, 12n]);
    expect(blocks.map(({ trace }) => trace.header.number)).toEqual([1n, 2n, 3n]);
    expect(blocks[1]!.trace.header.parentHash).toBe(toHex(blocks[0]!.block.hash()));
    expect(blocks[1]!.trace.header.timestamp).toBe(blocks[0]!.trace.header.timestamp + 12n);
    // EIP-1559: nearly empty blocks make gas cheaper
    expect(blocks[2]!.trace.header.baseFeePerGas).toBeLessThan(blocks[1]!.trace.header.baseFeePerGas);
    expect(blocks[2]!.trace.preState.accounts.find(({ address }) => address === CONTRACT)!.storage[0]).toEqual([
      0n,
      11n,
    ]);
  });

  it("takes its environment from the fields", async () => {
    const sequencer = await Sequencer.create({ chainId: CHAIN_ID, genesis, header: { excessBlobGas: 2n ** 26n } });
    const fields = {
      timestamp: 1_800_000_000n,
      coinbase: "0x00000000000000000000000000000000c0ffee01",
      prevRandao: `0x${"12".repeat(32)}`,
      gasLimit: 12_345_678n,
      parentBeaconBlockRoot: `0x${"34".repeat(32)}`,
      extraData: "0xabcd",
    } as const;
    const { trace } = await sequencer.buildBlock([sign({})], fields);
    expect(trace.header).toMatchObject(fields);
    expect(trace.header.excessBlobGas).toBe(2n ** 26n - 393216n);
    await validateTrace(trace);
  });

  it("writes no beacon root without the contract (EIP-4788)", async () => {
    const sequencer = await create();
    const { trace, block } = await sequencer.buildBlock([], { parentBeaconBlockRoot: `0x${"34".repeat(32)}` });
    expect(trace.preState.accounts).toEqual([]);
    expect(toHex(block.header.stateRoot)).toBe(await rootOf(genesis));
    await validateTrace(trace);
  });

  it("leaves nothing behind when it fails", async () => {
    const sequencer = await create();
    const before = await sequencer.snapshot();
    await expectTraceError(
      () => sequencer.buildBlock([sign({}), sign({ nonce: 5n })]),
      "TRACE_TRANSACTION",
      "transaction 1",
    );
    await expectTraceError(
      () => sequencer.buildBlock([sign({ value: 2n * ETHER })]),
      "TRACE_TRANSACTION",
      "transaction 0",
    );
    await expectTraceError(() => sequencer.buildBlock([sign({}, 3)]), "TRACE_TRANSACTION", "transaction 0");
    await expectTraceError(
      () => sequencer.buildBlock([sign({ gasLimit: 20_000n })]),
      "TRACE_TRANSACTION",
      "transaction 0",
    );
    await expectTraceError(() => sequencer.buildBlock([Uint8Array.of(3, 0)]), "TRACE_TX_TYPE", "transaction 0");
    await expectTraceError(() => sequencer.buildBlock([Uint8Array.of(1, 0)]), "TRACE_TRANSACTION", "transaction 0");
    await expectTraceError(() => sequencer.buildBlock([], { timestamp: 5n }), "TRACE_HEADER", "header.timestamp");
    await expectTraceError(() => sequencer.buildBlock([], { gasLimit: 1n }), "TRACE_HEADER", "header.gasLimit");
    await expectTraceError(() => sequencer.buildBlock([], { coinbase: "0x12" }), "TRACE_HEADER", "block 1");
    expect(await sequencer.snapshot()).toEqual(before);
    await validateTrace((await sequencer.buildBlock([sign({})])).trace);
  });

  it("a wrong block is refused by the VM", async () => {
    const { block } = await (await create()).buildBlock([sign({})]);
    const other = await Sequencer.create({ chainId: CHAIN_ID, genesis: [genesis[0]!] });
    await expectTraceError(() => other.execute(block), "TRACE_HEADER", "block 1");
    const { common, header, transactions, withdrawals } = block;
    for (const wrong of [
      { gasUsed: header.gasUsed + 1n },
      { stateRoot: header.parentHash },
      { receiptTrie: header.parentHash },
    ]) {
      const forged = createBlock(
        { header: { ...header, ...wrong }, transactions, withdrawals: withdrawals! },
        { common },
      );
      await expectTraceError(async () => (await create()).execute(forged), "TRACE_HEADER", "block 1");
    }
    await (await create()).execute(block);
  });

  it("with a transaction that halts takes all of its gas", async () => {
    const sequencer = await Sequencer.create({
      chainId: CHAIN_ID,
      genesis: [genesis[0]!, { address: CONTRACT, nonce: 1n, code: assemble("l: @l JUMP") }],
    });
    const { trace, block } = await sequencer.buildBlock([sign({ gasLimit: 22_000n })]);
    expect(trace.executions[0]).toMatchObject({ status: 0, gasUsed: 22_000n });
    expect(trace.executions[0]!.steps).toHaveLength(252);
    expect(block.header.gasUsed).toBe(22_000n);
    await validateTrace(trace);
  });

  it("sees the hashes of 256 blocks before", async () => {
    const code = assemble("0 CALLDATALOAD DUP1 BLOCKHASH SWAP1 SSTORE");
    const sequencer = await Sequencer.create({
      chainId: CHAIN_ID,
      genesis: [genesis[0]!, { address: CONTRACT, nonce: 1n, code }],
    });
    const hashes = [toHex(sequencer.head.hash())];
    for (let i = 1; i < 257; i++) hashes.push(toHex((await sequencer.buildBlock([])).block.hash()));
    const parent = await sequencer.snapshot();
    const ask = (nonce: bigint, number: bigint) => sign({ nonce, data: wordBytes(number) });
    const numbers = [0n, 1n, 200n, 256n, 257n, 1n << 64n, (1n << 256n) - 1n];
    const { trace, block, postState } = await sequencer.buildBlock(numbers.map((number, i) => ask(BigInt(i), number)));
    const known = numbers.filter((number) => number >= 1n && number <= 256n);
    expect(block.header.number).toBe(257n);
    expect(trace.blockHashes).toEqual(known.map((number) => [number, hashes[Number(number)]]));
    for (const number of numbers) {
      const hash = known.includes(number) ? BigInt(hashes[Number(number)]!) : 0n;
      expect(await postState.slot(CONTRACT, number)).toBe(hash);
    }
    await validateTrace(trace);
    expect(await rootOf(await applied(parent, trace))).toBe(trace.header.stateRoot);
  });

  it("the sender can be recipient and coinbase at once", async () => {
    const sequencer = await create();
    const before = await sequencer.snapshot();
    const { trace } = await sequencer.buildBlock([sign({ to: SENDER, value: 7n })], { coinbase: SENDER });
    expect(trace.preState.accounts).toHaveLength(1);
    expect(await rootOf(await applied(before, trace))).toBe(trace.header.stateRoot);
  });

  it("refunds at most a fifth, and nothing if it reverts", async () => {
    const slots = Array.from({ length: 8 }, (_, i): [bigint, bigint] => [BigInt(i), 1n]);
    const clear = slots.map(([slot]) => `0 ${slot} SSTORE`).join(" ");
    for (const end of ["STOP", "0 0 REVERT"]) {
      const sequencer = await Sequencer.create({
        chainId: CHAIN_ID,
        genesis: [genesis[0]!, { address: CONTRACT, nonce: 1n, code: assemble(`${clear} ${end}`), storage: slots }],
      });
      const before = await sequencer.snapshot();
      const { trace } = await sequencer.buildBlock([sign({})]);
      expect(trace.executions[0]!.steps.at(-1)!.refund).toBe(8n * 4800n);
      expect(await rootOf(await applied(before, trace))).toBe(trace.header.stateRoot);
    }
  });
});

describe("a snapshot", () => {
  it("is what a chain goes on from", async () => {
    const sequencer = await create();
    await sequencer.buildBlock([sign({})]);
    const snapshot = decodeSnapshot(encodeSnapshot(await sequencer.snapshot()));
    expect(snapshot).toMatchObject({ number: 1n, chainId: CHAIN_ID, blockHash: toHex(sequencer.head.hash()) });
    const next = await Sequencer.fromSnapshot(snapshot);
    expect(toHex(next.head.header.stateRoot)).toBe(snapshot.stateRoot);
    const { trace, postState } = await next.buildBlock([sign({ nonce: 1n })]);
    await validateTrace(trace);
    expect(await postState.slot(CONTRACT, 0n)).toBe(11n);
  });
});

describe("a genesis", () => {
  it("refuses what it cannot hold", async () => {
    const check = (accounts: GenesisAccount[], where: string) =>
      expectTraceError(() => Sequencer.create({ chainId: CHAIN_ID, genesis: accounts }), "TRACE_GENESIS", where);
    const roots = "0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02";
    await check([...genesis, genesis[0]!], "genesis[2]");
    await check([{ address: "0x12" }], "genesis[0]");
    await check([{ address: SENDER, storage: [[1n, 1n]] }], "genesis[0]");
    await check([{ address: roots, nonce: 1n, code: assemble(EVERYTHING) }], "genesis[0]");
    await check([{ address: SENDER, balance: 1n, storage: [[1n, 1n], [1n, 2n]] }], "genesis[0]"); // biome-ignore format: one line
    for (const chainId of [0n, 1n << 51n]) {
      await expectTraceError(() => Sequencer.create({ chainId, genesis }), "TRACE_GENESIS", "chainId");
    }
    const headers = { gasLimit: 4999n, timestamp: 11n, baseFeePerGas: 1n << 256n, excessBlobGas: -1n };
    for (const [name, value] of Object.entries(headers)) {
      const create = () => Sequencer.create({ chainId: CHAIN_ID, genesis, header: { [name]: value } });
      await expectTraceError(create, "TRACE_HEADER", `header.${name}`);
    }
  });

  it("leaves out accounts and slots with nothing in them", async () => {
    const empty = { address: COINBASE, nonce: 0n, balance: 0n, code: new Uint8Array(0), storage: [] } as const;
    const zero: GenesisAccount = { ...genesis[1]!, storage: [[0n, 9n], [1n, 0n]] }; // biome-ignore format: one line
    expect(await rootOf([genesis[0]!, zero, empty])).toBe(await rootOf(genesis));
  });
});
