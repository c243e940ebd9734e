import { beforeAll, describe, expect, it } from "vitest";
import { outlineBoundary } from "../../../../src/verifier/boundary.js";
import { fieldsOf, message } from "../../../../src/verifier/bus.js";
import type { BlockProof } from "../../../../src/verifier/encoding.js";
import { EMPTY_CODE_HASH, keccak, wordHalves } from "../../../../src/verifier/ethereum/words.js";
import type { MessageFields, TagName } from "../../../../src/verifier/tags.generated.js";
import {
  ALICE,
  altered,
  BOB,
  boundaryOf,
  buildBlock,
  CHAIN_ID,
  ETHER,
  type Executed,
  endOf,
  expectFaults,
  GWEI,
  hexAddress,
  MemoryState,
  MINER,
  NO_LOOKUPS,
  type TestBlock,
  transfer,
  verdictOn,
  withForgedChunks,
} from "./support.js";

/** PUSH1 42, STOP. */
const CODE = Uint8Array.of(0x60, 42, 0x00);
const CONTRACT = 0xc0de_0000_0000_0000_0000_0000_0000_0000_0001n;
/** 33 bytes: a word and a byte. */
const CALLDATA = Uint8Array.from({ length: 33 }, (_, i) => i + 1);
const INTRINSIC = 21_000n + 33n * 16n + 2_400n + 1_900n;
const GAS = 50_000n;
const VALUE = 7n;

const GENESIS = [
  { address: hexAddress(ALICE.address), balance: 10n * ETHER, nonce: 4n },
  { address: hexAddress(CONTRACT), balance: 100n, nonce: 1n, code: CODE, storage: [[1n, 17n]] as const },
];

/** PUSH has clk 3 and STOP 4. */
const execute = (): Executed => ({ end: endOf({ t: 19n }, { clk: 4n, gas: GAS - INTRINSIC - 3n }) });

const LOOKUPS = {
  ...NO_LOOKUPS,
  code: [
    { code: 0n, pc: 0n, multiplicity: 1n },
    { code: 0n, pc: 2n, multiplicity: 2n },
  ],
  ctx: [
    { ctx: 2n, field: 0x33n, multiplicity: 1n },
    { ctx: 2n, field: 0x36n, multiplicity: 3n },
    { ctx: 2n, field: 0x100n, multiplicity: 1n },
  ],
  txenv: [
    { T: 1n, field: 0x32n, multiplicity: 1n },
    { T: 1n, field: 0x3an, multiplicity: 4n },
  ],
  env: [
    { field: 0x43n, multiplicity: 1n },
    { field: 0x46n, multiplicity: 1n },
    { field: 0x4an, multiplicity: 5n },
  ],
  range: [
    { bits: 9n, value: 511n, multiplicity: 1n },
    { bits: 16n, value: 0n, multiplicity: 4_294_967_295n },
    { bits: 16n, value: 65_535n, multiplicity: 1n },
  ],
};

let block: TestBlock;
beforeAll(async () => {
  block = await buildBlock({
    genesis: GENESIS,
    transactions: [
      transfer(ALICE, CONTRACT, VALUE, {
        nonce: 4n,
        gasLimit: GAS,
        data: CALLDATA,
        accessList: [{ address: hexAddress(CONTRACT), storageKeys: [1n] }],
      }),
      transfer(ALICE, BOB.address, ETHER, { nonce: 5n }),
    ],
    execute,
    lookups: LOOKUPS,
  });
});

/** A message as `[tag, multiplicity, fields]`. */
type Shown = readonly [TagName, bigint, Record<string, bigint>];
const sent = <N extends TagName>(tag: N, fields: MessageFields[N]): Shown => [tag, 1n, fieldsOf(message(tag, fields))];
const taken = <N extends TagName>(tag: N, fields: MessageFields[N], times = 1n): Shown => [
  tag,
  -times,
  fieldsOf(message(tag, fields)),
];

describe("the list of native messages", () => {
  it("is, message by message, what the protocol says", () => {
    const price = block.header.baseFeePerGas + 2n * GWEI;
    const used = INTRINSIC + 3n;
    const [hashHi, hashLo] = wordHalves(keccak(CODE));
    const [noneHi, noneLo] = wordHalves(EMPTY_CODE_HASH);
    const alice = ALICE.address;
    const bob = BOB.address;
    const miner = MINER.address;
    const balance = (address: bigint, value: bigint, t: bigint) => ({ t, address, hi: 0n, lo: value });
    const nonce = (value: bigint, t: bigint) => ({ t, address: alice, nonce: value, createdTx: 0n });
    const account = (address: bigint, lastTx: bigint, t: bigint) => ({
      t,
      lastTx,
      address,
      hashHi: address === CONTRACT ? hashHi : noneHi,
      hashLo: address === CONTRACT ? hashLo : noneLo,
    });
    const slot = (lastTx: bigint, t: bigint) => ({
      ...{ t, lastTx, address: CONTRACT, slotHi: 0n, slotLo: 1n },
      ...{ valueHi: 0n, valueLo: 17n, origHi: 0n, origLo: 17n },
    });
    // a quick account of ALICE's money
    const [a0, a1] = [10n * ETHER, 10n * ETHER - GAS * price];
    const a2 = a1 - VALUE;
    const a3 = a2 + (GAS - used) * price;
    const a4 = a3 - 21_000n * price;
    const a5 = a4 - ETHER;
    const [fee, fee2] = [used * 2n * GWEI, (used + 21_000n) * 2n * GWEI];
    const sorted = (...addresses: bigint[]) => addresses.sort((x, y) => (x < y ? -1 : 1));
    const money = new Map([
      [alice, [a0, a5, 130n]],
      [bob, [0n, ETHER, 99n]],
      [miner, [0n, fee2, 130n]],
      [CONTRACT, [100n, 107n, 19n]],
    ]);
    const warmth = new Map([
      [alice, [2n, 97n]],
      [bob, [2n, 97n]],
      [miner, [2n, 97n]],
      [CONTRACT, [1n, 17n]],
    ]);
    const noCaller = { code: 0n, pc: 0n, sp: 0n, gas: 0n, msize: 0n, parent: 0n, j0: 0n, refund0: 0n, log0: 0n };
    const journal = { T: 1n, space: 2n, slotHi: 0n, slotLo: 0n, lastTx: 0n, origHi: 0n, origLo: 0n, valueHi: 0n };
    money.get(alice)![2] = 129n;

    const expected: Shown[] = [
      // cells: before the block, after it
      ...sorted(alice, bob, miner, CONTRACT).flatMap((address) => {
        const [before, after, t] = money.get(address)!;
        return [sent("BALANCE", balance(address, before!, 0n)), taken("BALANCE", balance(address, after!, t!))];
      }),
      sent("NONCE", nonce(4n, 0n)),
      taken("NONCE", nonce(6n, 96n)),
      ...sorted(alice, bob, miner, CONTRACT).flatMap((address) => {
        const [lastTx, t] = warmth.get(address)!;
        return [sent("ACCOUNT", account(address, 0n, 0n)), taken("ACCOUNT", account(address, lastTx!, t!))];
      }),
      sent("STORAGE", slot(0n, 0n)),
      taken("STORAGE", slot(1n, 17n)),

      // transaction 1 begins at clk 1: ports 0 to 3 are t 16 to 19
      taken("BALANCE", balance(alice, a0, 0n)),
      sent("BALANCE", balance(alice, a1, 16n)),
      taken("NONCE", nonce(4n, 0n)),
      sent("NONCE", nonce(5n, 16n)),
      ...sorted(alice, miner, CONTRACT).flatMap((address) => [
        taken("ACCOUNT", account(address, 0n, 0n)),
        sent("ACCOUNT", account(address, 1n, 17n)),
      ]),
      taken("STORAGE", slot(0n, 0n)),
      sent("STORAGE", slot(1n, 17n)),
      taken("BALANCE", balance(alice, a1, 16n)),
      sent("BALANCE", balance(alice, a2, 18n)),
      taken("BALANCE", balance(CONTRACT, 100n, 0n)),
      sent("BALANCE", balance(CONTRACT, 107n, 19n)),
      sent("JOURNAL", { t: 18n, j: 0n, address: alice, valueLo: a1, ...journal }),
      sent("JOURNAL", { t: 19n, j: 1n, address: CONTRACT, valueLo: 100n, ...journal }),
      sent("JRN", { t: 19n, T: 1n, j: 2n }),
      sent("REFUND", { t: 19n, T: 1n, value: 0n }),
      sent("LOGS", { t: 19n, T: 1n, n: 0n }),
      sent("FRAME", { ctx: 2n, ...noCaller }),
      sent("STATE", { clk: 3n, ctx: 2n, code: 0n, pc: 0n, sp: 0n, gas: GAS - INTRINSIC, msize: 0n, mode: 0n }),
      // its last row has clk 4, so it ends at clk 5: ports 0 to 2 are t 80 to 82
      taken("TXEND", { clk: 4n, ctx: 2n, gas: GAS - INTRINSIC - 3n, T: 1n, status: 1n }),
      taken("JRN", { t: 19n, T: 1n, j: 2n }),
      taken("REFUND", { t: 19n, T: 1n, value: 0n }),
      taken("LOGS", { t: 19n, T: 1n, n: 0n }),
      taken("BALANCE", balance(alice, a2, 18n)),
      sent("BALANCE", balance(alice, a3, 81n)),
      taken("BALANCE", balance(miner, 0n, 0n)),
      sent("BALANCE", balance(miner, fee, 82n)),

      // transaction 2 begins at clk 6, without rows, and ends at clk 8
      taken("BALANCE", balance(alice, a3, 81n)),
      sent("BALANCE", balance(alice, a4, 96n)),
      taken("NONCE", nonce(5n, 16n)),
      sent("NONCE", nonce(6n, 96n)),
      ...sorted(alice, bob, miner).flatMap((address) => [
        taken("ACCOUNT", address === bob ? account(bob, 0n, 0n) : account(address, 1n, 17n)),
        sent("ACCOUNT", account(address, 2n, 97n)),
      ]),
      taken("BALANCE", balance(alice, a4, 96n)),
      sent("BALANCE", balance(alice, a5, 98n)),
      taken("BALANCE", balance(bob, 0n, 0n)),
      sent("BALANCE", balance(bob, ETHER, 99n)),
      taken("BALANCE", balance(alice, a5, 98n)),
      sent("BALANCE", balance(alice, a5, 129n)),
      taken("BALANCE", balance(miner, fee, 82n)),
      sent("BALANCE", balance(miner, fee2, 130n)),

      // tables: code, ctx, txenv, env, range
      taken("CODE", { code: 0n, pc: 0n, immHi: 0n, immLo: 42n, class: 0x5fn, n: 1n, isInstr: 1n }),
      taken("CODE", { code: 0n, pc: 2n, immHi: 0n, immLo: 0n, class: 0n, n: 0n, isInstr: 1n }, 2n),
      taken("CTX", { ctx: 2n, hi: alice >> 128n, lo: wordHalves(alice)[1], field: 0x33n }),
      taken("CTX", { ctx: 2n, hi: 0n, lo: 33n, field: 0x36n }, 3n),
      taken("CTX", { ctx: 2n, hi: 0n, lo: 1n, field: 0x100n }),
      taken("TXENV", { T: 1n, hi: alice >> 128n, lo: wordHalves(alice)[1], field: 0x32n }),
      taken("TXENV", { T: 1n, hi: 0n, lo: price, field: 0x3an }, 4n),
      taken("ENV", { hi: 0n, lo: 1n, field: 0x43n }),
      taken("ENV", { hi: 0n, lo: CHAIN_ID, field: 0x46n }),
      taken("ENV", { hi: 0n, lo: 1n, field: 0x4an }, 5n),
      taken("RANGE_9", { value: 511n }),
      taken("RANGE_16", { value: 0n }, 4_294_967_295n),
      taken("RANGE_16", { value: 65_535n }),
    ];
    const { messages, codes, gasUsed } = boundaryOf(block);
    expect(messages.map((m): Shown => [m.tag, m.multiplicity, fieldsOf(m)])).toEqual(expected);
    // nothing stands outside the fields of its tag
    for (const m of messages) {
      const named = Object.values(fieldsOf(m)).filter((x) => x !== 0n).length;
      expect(m.coordinates.filter((x) => x !== 0n).length).toBe(named);
    }
    expect(codes).toEqual([keccak(CODE)]);
    expect(gasUsed).toBe(used + 21_000n);
  });

  it("has every entry of the tables of environment and context", async () => {
    const all = {
      ...LOOKUPS,
      ctx: [0x30n, 0x33n, 0x34n, 0x36n, 0x38n, 0x3dn, 0x100n].map((field) => ({ ctx: 2n, field, multiplicity: 1n })),
      env: [0x41n, 0x42n, 0x43n, 0x44n, 0x45n, 0x46n, 0x48n, 0x4an].map((field) => ({ field, multiplicity: 1n })),
    };
    const { messages } = boundaryOf(block, { ...block.proof.claims, lookups: all });
    const values = (tag: TagName) =>
      messages.filter((m) => m.tag === tag).map((m) => (fieldsOf(m).hi! << 128n) + fieldsOf(m).lo!);
    const { header } = block;
    // that of CODESIZE comes from the state, and therefore first
    expect(values("CTX")).toEqual([BigInt(CODE.length), CONTRACT, ALICE.address, VALUE, 33n, 0n, 1n]);
    expect(values("ENV")).toEqual([
      MINER.address,
      header.timestamp,
      1n,
      header.prevRandao,
      header.gasLimit,
      CHAIN_ID,
      header.baseFeePerGas,
      1n,
    ]);
  });

  it("is the same without the state until the cells are needed", () => {
    const { header, transactions, proof } = block;
    const outline = outlineBoundary({ chainId: CHAIN_ID, header, transactions, claims: proof.claims }).value!;
    const { messages } = boundaryOf(block);
    const cells = 2 * (4 + 1 + 4 + 1);
    expect(messages.slice(cells, cells + outline.begins.length)).toEqual(outline.begins);
    expect(messages.slice(-outline.tables.length)).toEqual(outline.tables);
    expect(outline.codes).toEqual([
      { hash: keccak(CODE), address: CONTRACT, where: "transactions[0].to", executed: true },
    ]);
    // a chunk for each of 4 steps, and 15 to spare
    expect(outline.maxChunks).toBe(4n + 15n);
  });
});

type Mutable<T> = T extends Uint8Array ? T : { -readonly [K in keyof T]: Mutable<T[K]> };

describe("executions", () => {
  const change = (edit: (claims: Mutable<BlockProof>["claims"]) => void): BlockProof =>
    altered(block.proof as Mutable<BlockProof>, ({ claims }) => edit(claims)) as BlockProof;

  it("are accepted with chunks that balance the bus", async () => {
    const verdict = await verdictOn(block, withForgedChunks(block, [{ layout: 0, d: 5n }]));
    expect(verdict.faults).toEqual([]);
    expect(verdict.valid && verdict.receipts.map(({ status }) => status)).toEqual([1, 1]);
  });

  it("are refused without their rows", () => expectFaults(block, block.proof, [["BUS_UNBALANCED", "bus"]]));

  type Edit = Parameters<typeof change>[0];
  type Expected = Parameters<typeof expectFaults>[2];
  const end = (set: (end: NonNullable<Mutable<BlockProof>["claims"]["transactions"][0]["end"]>) => void): Edit => {
    return ({ transactions: [tx] }) => set(tx!.end!);
  };
  const lookup = (set: (lookups: Mutable<BlockProof>["claims"]["lookups"]) => void): Edit => {
    return ({ lookups }) => set(lookups);
  };
  const at = "claims.transactions[0].end";
  const cases: [string, Edit, Expected][] = [
    [
      "no end",
      ({ transactions: [tx] }) => {
        tx!.end = undefined;
      },
      [["CLAIM_PRESENCE", at]],
    ],
    ["an end before the first row", end((e) => (e.clk = 2n)), [["CLAIM_TIME", `${at}.clk`]]],
    ["more gas left than there was", end((e) => (e.gas = GAS - INTRINSIC + 1n)), [["CLAIM_END", `${at}.gas`]]],
    [
      "a refund of a reverted transaction",
      end((e) => {
        e.status = 0n;
        e.refund.value = 1n;
      }),
      [["CLAIM_END", `${at}.refund.value`]],
    ],
    ["a status of 2", end((e) => (e.status = 2n)), [["CLAIM_RANGE", `${at}.status`]]],
    ["a journal from the future", end((e) => (e.journal.t = 80n)), [["CLAIM_TIME", `${at}.journal.t`]]],
    ["a refund counter from the future", end((e) => (e.refund.t = 80n)), [["CLAIM_TIME", `${at}.refund.t`]]],
    ["a log counter from the future", end((e) => (e.logs.t = 99n)), [["CLAIM_TIME", `${at}.logs.t`]]],
    [
      "a field that CTX doesn't have",
      lookup(({ ctx }) => (ctx[0]!.field = 0x31n)),
      [["CLAIM_LOOKUP", "claims.lookups.ctx[0]"]],
    ],
    [
      "the context of the calldata",
      lookup(({ ctx }) => (ctx[0]!.ctx = 1n)),
      [["CLAIM_LOOKUP", "claims.lookups.ctx[0]"]],
    ],
    [
      "the environment of a transaction without rows",
      lookup(({ txenv }) => (txenv[1]!.T = 2n)),
      [["CLAIM_LOOKUP", "claims.lookups.txenv[1]"]],
    ],
    ["code beyond the end", lookup(({ code }) => (code[1]!.pc = 4n)), [["CLAIM_LOOKUP", "claims.lookups.code[1]"]]],
    ["code of nobody", lookup(({ code }) => (code[1]!.code = 1n)), [["CLAIM_LOOKUP", "claims.lookups.code[1]"]]],
    [
      "a number too wide for its range",
      lookup(({ range }) => (range[0]!.value = 512n)),
      [["CLAIM_LOOKUP", "claims.lookups.range[0]"]],
    ],
    [
      "a range that there isn't",
      lookup(({ range }) => (range[0]!.bits = 7n)),
      [["CLAIM_LOOKUP", "claims.lookups.range[0]"]],
    ],
    ["an entry twice", lookup(({ code }) => code.push({ ...code[1]! })), [["CLAIM_ORDER", "claims.lookups.code[2]"]]],
    [
      "more entries than the gas pays for",
      lookup((lookups) => {
        // 3 gas: at most 4 steps of 2 lookups of code and 64 of ranges
        lookups.code = Array.from({ length: 9 }, (_, i) => ({ code: 0n, pc: BigInt(i), multiplicity: 1n }));
        lookups.range = Array.from({ length: 257 }, (_, i) => ({ bits: 16n, value: BigInt(i), multiplicity: 1n }));
      }),
      [
        ["CLAIM_SIZE", "claims.lookups.code"],
        ["CLAIM_SIZE", "claims.lookups.range"],
      ],
    ],
    [
      "slots that 3 gas cannot touch",
      ({ cells }) => cells.slots.push({ ...cells.slots[0]!, slot: 2n }),
      [["CLAIM_SIZE", "claims.cells.slots[1]"]],
    ],
    [
      "another code than the recipient's",
      ({ transactions: [tx] }) => {
        tx!.accounts.find(({ codeHash }) => codeHash !== EMPTY_CODE_HASH)!.codeHash = 77n;
      },
      [["CLAIM_CODE", "transactions[0].to"]],
    ],
  ];
  for (const [name, edit, expected] of cases) {
    it(`refuses ${name}`, () => expectFaults(block, change(edit), expected));
  }

  it("refuses a clock beyond 2^28", () =>
    expectFaults(
      block,
      change(({ transactions: [tx] }) => (tx!.end!.clk = (1n << 28n) - 1n)),
      [["CLAIM_TIME", "claims.transactions[0].end.clk"]],
    ));

  it("refuses more chunks than rows can fill", async () => {
    const chunk = { layout: 0, proof: new Uint8Array(224) };
    const crowd = { ...block.proof, chunks: new Array(64).fill(chunk) };
    await expectFaults(block, crowd, [["CLAIM_SIZE", "chunks"]]);
    const plain = await buildBlock({
      genesis: GENESIS,
      transactions: [transfer(ALICE, BOB.address, 1n, { nonce: 4n })],
    });
    await expectFaults(plain, { ...plain.proof, chunks: [chunk] }, [["CLAIM_SIZE", "chunks"]]);
  });

  it("throws if the state's code isn't the one of its hash", async () => {
    const state = Object.assign(new MemoryState(GENESIS), { code: async () => Uint8Array.of(1) });
    await expect(verdictOn(block, block.proof, { state })).rejects.toMatchObject({ code: "STATE_INVALID" });
  });

  it("pays refunds, up to a fifth of the gas used, as the EVM does", async () => {
    // PUSH0 PUSH0 SSTORE STOP clears slot 0; PUSH0 PUSH1 1 SSTORE PUSH0 PUSH1 2 SSTORE clear two more
    const one = Uint8Array.of(0x5f, 0x5f, 0x55, 0x00);
    const two = Uint8Array.of(0x5f, 0x60, 1, 0x55, 0x5f, 0x60, 2, 0x55);
    const [first, second] = [CONTRACT + 1n, CONTRACT + 2n];
    const gasLimit = 60_000n;
    const end = (clk: bigint, cost: bigint, value: bigint, start: bigint) => {
      const t = 16n * start + 80n;
      const gas = gasLimit - 21_000n - cost;
      return endOf({ t, journal: { j: 3n, t }, refund: { value, t } }, { clk, gas });
    };
    const clearing = await buildBlock({
      genesis: [
        GENESIS[0]!,
        { address: hexAddress(first), nonce: 1n, code: one, storage: [[0n, 5n]] },
        {
          address: hexAddress(second),
          nonce: 1n,
          code: two,
          storage: [
            [1n, 5n],
            [2n, 6n],
          ],
        },
      ],
      transactions: [first, second].map((to, i) => transfer(ALICE, to, 0n, { nonce: 4n + BigInt(i), gasLimit })),
      // an SSTORE of a cold slot to zero costs 5000 and gives back 4800
      execute: (i, start) =>
        i === 0
          ? { end: end(start + 5n, 5_004n, 4_800n, start), slots: [{ slot: 0n, value: 0n, t: 16n * start + 70n }] }
          : {
              end: end(start + 8n, 10_010n, 9_600n, start),
              slots: [1n, 2n].map((slot) => ({ slot, value: 0n, t: 16n * start + 70n })),
            },
    });
    const verdict = await verdictOn(clearing, withForgedChunks(clearing, [{ layout: 1, d: 3n }]));
    expect(verdict.faults).toEqual([]);
    if (!verdict.valid) throw new Error("not valid");
    // 26004 - 4800; 31010 used, of which a fifth is 6202
    expect(verdict.receipts.map(({ cumulativeGasUsed }) => cumulativeGasUsed)).toEqual([21_204n, 21_204n + 24_808n]);
    expect(verdict.stateDiff.slots).toEqual([
      { address: first, slot: 0n, value: 0n },
      { address: second, slot: 1n, value: 0n },
      { address: second, slot: 2n, value: 0n },
    ]);
  });

  it("takes back what a reverted transaction transferred, but not its fee", async () => {
    // PUSH0 PUSH0 REVERT: rows at clk 3, 4, 5, two of the undo, the end of the frame at 8
    const reverting = CONTRACT + 3n;
    const gasLimit = 30_000n;
    const reverted = await buildBlock({
      genesis: [GENESIS[0]!, { address: hexAddress(reverting), nonce: 1n, code: Uint8Array.of(0x5f, 0x5f, 0xfd) }],
      transactions: [transfer(ALICE, reverting, ETHER, { nonce: 4n, gasLimit })],
      execute: () => ({
        end: endOf({ t: 129n, status: 0n, journal: { j: 0n, t: 129n } }, { clk: 8n, gas: gasLimit - 21_004n }),
        undone: { recipient: 97n, sender: 113n },
      }),
    });
    const verdict = await verdictOn(reverted, withForgedChunks(reverted, [{ layout: 1, d: 3n }]));
    expect(verdict.faults).toEqual([]);
    if (!verdict.valid) throw new Error("not valid");
    const logsBloom = new Uint8Array(256);
    expect(verdict.receipts).toEqual([{ type: 2, status: 0, cumulativeGasUsed: 21_004n, logs: [], logsBloom }]);
    expect(verdict.stateDiff.accounts.map(({ address }) => address)).not.toContain(reverting);
    const after = reverted.state.after(verdict.stateDiff);
    expect(after.get(ALICE.address)!.balance).toBe(await reverted.balanceAfter(ALICE.address));
  });
});
