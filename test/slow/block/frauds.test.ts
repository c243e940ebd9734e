/**
 * Frauds by name (docs/protocol.md, section 12 and every † that the opcodes at hand allow). Each is a witness as an attacker
 * would make it: everything that can be made to fit does fit, and the test says what is left to catch it.
 */

import { describe, expect, it } from "vitest";
import { effectiveGasPrice, recoverSender } from "../../../src/verifier/ethereum/transaction.js";
import { CLEAN, type Forgery, forgeryOf } from "../../support/blocks.js";
import { expectFault, expectRefused, expectUnmatched, pair } from "../../support/frauds.js";

const CALL = { from: "alice", to: "c" };

/** A block of one call of one contract. */
const block = (code: string, call: object = {}, storage: Record<string, number> = {}): Promise<Forgery> =>
  forgeryOf({ c: { code, storage } }, [{ ...CALL, ...call }]);

const senderOf = (f: Forgery): bigint => recoverSender(f.built.transactions[0]!, "test");
/** The row that sinks entry j of a journal. */
const entryOf = (f: Forgery, j: bigint): Record<string, bigint> =>
  f.rows.find(({ row, c }) => row === "sinkjournal" && c.j === j)!.c;

/** Code that writes what calldata says: value, slot, and whether to revert. */
const STORE = `
  0 CALLDATALOAD 32 CALLDATALOAD SSTORE
  64 CALLDATALOAD @r JUMPI STOP
r: 0 0 REVERT
`;

describe("an honest witness", () => {
  it("passes, as a forgery in which nothing was changed", async () => {
    const f = await forgeryOf({ c: { code: STORE, storage: { 0: 5 } } }, [
      { ...CALL, data: [7, 0, 0] },
      { ...CALL, data: [8, 0, 1], value: 3 },
    ]);
    expect(await f.verdict()).toMatchObject(CLEAN);
  });
});

describe("steps", () => {
  it("skipped step", async () => {
    const f = await block("JUMPDEST JUMPDEST STOP");
    const step = f.row("jumpdest");
    f.drop(step);
    f.gas(step.clk! + 1n, 1n);
    f.shift(step.clk! + 1n, -1n);
    await expectUnmatched(f, pair("STATE"));
  });

  it("repeated step", async () => {
    const f = await block("JUMPDEST JUMPDEST STOP");
    const step = f.row("jumpdest");
    f.gas(step.clk! + 1n, -1n);
    f.shift(step.clk! + 1n, 1n);
    f.add("jumpdest", { ...step, clk: step.clk! + 1n, gas: step.gas! - 1n });
    await expectUnmatched(f, pair("STATE"));
  });

  it("STATE taken twice", async () => {
    const f = await block("1 POP STOP");
    f.add("stop", f.row("stop"));
    await expectUnmatched(f, ["FRAME received", "STATE received", "TXEND sent"]);
  });

  it("overlapping clk: a transaction begins before the last step of the one before", async () => {
    const f = await forgeryOf({ c: "JUMPDEST STOP" }, [CALL, { from: "alice", to: "bob", value: 1 }]);
    const end = f.claims.transactions[0]!.end!;
    f.shift(end.clk + 1n, -1n);
    end.clk -= 1n;
    await expectUnmatched(f, pair("TXEND"));
  });

  it("overlapping clk: two executions of one frame side by side", async () => {
    const f = await block("JUMPDEST JUMPDEST STOP");
    // the second execution begins one step later, at the same pc
    for (const { row, c } of f.rows.filter(({ row }) => row === "jumpdest")) f.add(row, { ...c, clk: c.clk! + 1n });
    await expectUnmatched(f, pair("STATE"));
  });

  it("early TXEND", async () => {
    const f = await block("1 POP JUMPDEST STOP");
    const [step, stop] = [f.row("jumpdest"), f.row("stop")];
    f.drop(step);
    f.gas(stop.clk!, 1n);
    f.shift(stop.clk!, -1n);
    stop.pc = step.pc!;
    const { messages } = await expectUnmatched(f, ["CODE sent"]);
    expect(messages).toMatchObject([{ fields: { class: 0n, isInstr: 1n, pc: step.pc } }]);
  });

  it("wrong code id", async () => {
    // the second code does what the first does, but is another
    const f = await forgeryOf({ a: "1 0 SSTORE STOP", b: "1 0 SSTORE STOP .0xfe" }, [
      { ...CALL, to: "a" },
      { ...CALL, to: "b" },
    ]);
    const [first, second] = f.all("stop").map(({ c }) => c);
    expect(first!.code).not.toBe(second!.code);
    for (const { c } of f.rows) if (c.code !== undefined && c.ctx === second!.ctx) c.code = first!.code!;
    await expectUnmatched(f, pair("STATE"));
  });

  it("jump into push data", async () => {
    const f = await block("@there JUMP .0xfe there: STOP");
    const bytes = [...f.codes.values()][0]!.bytes.slice();
    const dest = Number(f.row("jump").dest);
    // PUSH1 before the destination
    bytes[dest - 1] = 0x60;
    f.recode(bytes);
    const { messages } = await expectUnmatched(f, ["CODE sent"]);
    expect(messages).toMatchObject([{ net: 2n, fields: { pc: BigInt(dest), class: 0x5bn } }]);
  });

  it.each([
    ["another instruction", (bytes: Uint8Array, dest: number) => bytes.with(dest, 0)],
    ["the end of the code", (bytes: Uint8Array, dest: number) => bytes.slice(0, dest)],
  ])("jump to non-JUMPDEST: %s", async (_, recoded) => {
    const f = await block("@there JUMP .0xfe there: STOP");
    const { dest } = f.row("jump");
    f.recode(recoded([...f.codes.values()][0]!.bytes, Number(dest)));
    const [step, stop] = [f.row("jumpdest"), f.row("stop")];
    f.drop(step);
    f.gas(stop.clk!, 1n);
    f.shift(stop.clk!, -1n);
    stop.pc = dest!;
    const { messages } = await expectUnmatched(f, ["CODE sent"]);
    expect(messages).toMatchObject([{ net: 1n, fields: { pc: dest, class: 0x5bn } }]);
  });

  it("jump that is taken without its condition", async () => {
    const f = await block("0 @there JUMPI STOP there: STOP");
    const [jump, stop] = [f.row("jumpi"), f.row("stop")];
    const { clk, ctx, code, sp, gas, msize } = stop as Record<string, bigint>;
    jump.cLo = 1n;
    f.shift(clk!, 1n);
    const step = { clk, ctx, code, sp, gas, msize } as Record<string, bigint>;
    f.add("jumpdest", { ...step, pc: jump.destLo!, act: 1n });
    stop.pc = jump.destLo! + 1n;
    f.gas(stop.clk!, -1n);
    await expectUnmatched(f, pair("STACK"));
  });

  it("SWAP run as DUP: SWAP1 as DUP1", async () => {
    const f = await block("1 2 DUP1 STOP");
    const bytes = [...f.codes.values()][0]!.bytes;
    f.recode(bytes.with(bytes.indexOf(0x80), 0x90));
    const { messages } = await expectUnmatched(f, ["CODE sent"]);
    expect(messages).toMatchObject([{ fields: { class: 0x80n, n: 1n } }]);
  });

  it("SWAP run as DUP: SWAP1 as DUP17", async () => {
    const pushes = Array.from({ length: 17 }, (_, i) => i + 40).join(" ");
    const f = await block(`${pushes} DUP16 STOP`);
    const dup = f.row("dup");
    const sunk = (index: bigint) => f.rows.find(({ row, c }) => row === "sink" && c.index === index)!.c;
    const [bottom, next, top] = [sunk(0n), sunk(1n), sunk(17n)];
    // the item below is copied instead
    [bottom.t, next.t, dup.tOld] = [next.t!, dup.tOld!, bottom.t!];
    [dup.n, dup.lo, top.lo] = [17n, bottom.lo!, bottom.lo!];
    const bytes = [...f.codes.values()][0]!.bytes;
    f.recode(bytes.with(bytes.indexOf(0x8f), 0x90));
    const { messages } = await expectUnmatched(f, ["CODE sent"]);
    expect(messages).toMatchObject([{ fields: { class: 0x80n, n: 17n } }]);
  });
});

describe("gas", () => {
  it("free gas: an opcode that costs less", async () => {
    const f = await block("1 2 ADD POP STOP");
    f.gas(f.row("pop").clk!, 1n);
    await expectUnmatched(f, pair("STATE"));
  });

  it("free gas: more at the start", async () => {
    const f = await block("1 2 ADD POP STOP");
    f.gas(0n, 5n);
    await expectUnmatched(f, pair("STATE"));
  });

  it("free gas: more at the end than there was at the start", async () => {
    const f = await block("1 2 ADD POP STOP");
    f.gas(0n, 1_000n);
    await expectRefused(f, "CLAIM_END");
  });

  /** An execution that needs one more gas than there is, and goes on all the same. */
  const exhausted = async (): Promise<Forgery> => {
    const contracts = { c: "1 2 ADD POP JUMPDEST STOP" };
    const [rich, poor] = [
      await forgeryOf(contracts, [{ ...CALL, gas: 100_000 }]),
      await forgeryOf(contracts, [{ ...CALL, gas: 21_011 }]),
    ];
    const { header, transactions } = poor.built;
    const missing = rich.built.transactions[0]!.gasLimit - transactions[0]!.gasLimit;
    Object.assign(rich.built, { header, transactions });
    rich.gas(0n, -missing);
    // the gas isn't paid for, and isn't given back
    rich.credit(missing);
    const unpaid = missing * effectiveGasPrice(transactions[0]!, header.baseFeePerGas, "test");
    rich.claims.transactions[0]!.endSenderBalance.balance += unpaid;
    entryOf(rich, 0n).valueLo! += unpaid;
    return rich;
  };

  it("out of gas carried on, with the debt claimed", async () => {
    const f = await exhausted();
    expect(f.end.gas).toBe(-1n);
    await expectRefused(f, "CLAIM_RANGE");
  });

  it("out of gas carried on, with none left", async () => {
    const f = await exhausted();
    f.end.gas = 0n;
    f.credit(1n);
    const { messages } = await expectUnmatched(f, ["RANGE_16 sent", ...pair("TXEND")]);
    expect(messages).toContainEqual({ tag: "RANGE_16", net: 1n, fields: { value: -1n } });
  });

  it("refund inflated", async () => {
    const f = await block("0 0 SSTORE STOP", {}, { 0: 5 });
    f.end.refund.value += 100n;
    f.credit(100n);
    await expectUnmatched(f, pair("REFUND"));
  });

  it("refund inflated in the row that changes it", async () => {
    const f = await block("0 0 SSTORE STOP", {}, { 0: 5 });
    f.row("sstore").refund = 100n;
    f.end.refund.value += 100n;
    f.credit(100n);
    await expectUnmatched(f, pair("REFUND"));
  });

  it("refund of a reverted transaction", async () => {
    const f = await block("0 0 SSTORE 0 0 REVERT", {}, { 0: 5 });
    f.end.refund.value = 4800n;
    await expectRefused(f, "CLAIM_END");
  });
});

describe("words and ranges", () => {
  it("wide limb", async () => {
    const f = await block("1 65535 ADD POP STOP");
    Object.assign(f.row("add"), { c0: 65_536n, c1: 0n });
    const { messages } = await expectUnmatched(f, ["RANGE_16 sent"]);
    expect(messages).toEqual([{ tag: "RANGE_16", net: 1n, fields: { value: 65_536n } }]);
  });

  it("wide limb: a word of 257 bits", async () => {
    const f = await block("1 0 NOT ADD POP STOP");
    Object.assign(f.row("add"), { c15: 65_536n, carry1: 0n });
    f.row("pop").hi = 1n << 128n;
    await expectUnmatched(f, ["RANGE_16 sent"]);
  });

  /** A slice that reaches a word too far. */
  const reaching = async (): Promise<Forgery> => {
    const f = await block("31 0 RETURN");
    const [end, first, sunk] = [f.row("returns"), f.row("expand"), f.row("sink")];
    Object.assign(end, { reach: 2n, words: 2n, cost1: 6n });
    first.end = 2n;
    f.add("expand", { ...first, i: 1n });
    f.add("sink", { ...sunk, index: 1n });
    f.gas(end.clk! + 1n, -3n);
    return f;
  };

  it("own-range by another width", async () => {
    const f = await reaching();
    f.more.push({ table: "range", entry: { bits: 16n, value: 33n, multiplicity: 1n } });
    await expectUnmatched(f, ["RANGE_16 received", "RANGE_5 sent"]);
  });

  it("own-range by an entry that its table doesn't have", async () => {
    const f = await reaching();
    f.more.push({ table: "range", entry: { bits: 5n, value: 33n, multiplicity: 1n } });
    await expectRefused(f, "CLAIM_LOOKUP");
  });

  it("negative request", async () => {
    const f = await block("CALLER POP STOP");
    const asked = f.row("context");
    // takes out what another row asks for
    f.add("context", { ...asked, act: -1n });
    await expectFault(f, "context");
  });

  it("negative request, provided by the verifier", async () => {
    const f = await block("CALLER POP STOP");
    f.more.push({ table: "range", entry: { bits: 16n, value: 60_000n, multiplicity: -1n } });
    await expectRefused(f, "CLAIM_RANGE");
  });

  it("caller vouched for by a padding row", async () => {
    const f = await block("CALLER POP STOP");
    const caller = f.row("context");
    caller.lo! += 1n;
    f.row("pop").lo! += 1n;
    const { messages } = await expectUnmatched(f, ["CTX sent"]);
    expect(messages).toMatchObject([{ net: 1n, fields: { field: 0x33n, lo: caller.lo } }]);
    // no row receives CTX but one that asks a negative number of times
    f.add("context", { ctx: caller.ctx!, n: 0x33n, hi: caller.hi!, lo: caller.lo!, act: -1n });
    await expectFault(f, "context");
  });

  it.each([
    ["add", { isSub: 1n }],
    ["lt", { isGt: 1n }],
    ["slt", { isGt: 1n }],
    ["gauge", { isGas: 1n }],
    ["gauge", { isMsize: 1n }],
    ["calldataload", { inside: 1n, len: 1n }],
    ["sload", { act: 2n }],
    ["sink", { isStack: 2n }],
    ["sink", { isMemory: -1n }],
  ])("padding row that acts: %s %o", async (row, columns) => {
    const f = await block("STOP");
    f.add(row, columns);
    await expectFault(f, row);
  });

  it("provider that vouches for what isn't true", async () => {
    const f = await block("7 0 MSTORE STOP");
    const store = f.row("mstore");
    // a word of memory for nothing
    store.cost1 = 0n;
    f.gas(store.clk! + 1n, 3n);
    expect((await f.verdict()).unmatched).toEqual(["MEMGAS sent"]);
    f.provide = false;
    const provider = f.rows.find(({ row, c }) => row === "memgas" && c.w === 1n)!.c;
    Object.assign(provider, { q: -3n, qHigh: 0n });
    const { messages } = await expectUnmatched(f, ["RANGE_16 sent", "RANGE_9 sent"]);
    expect(messages.map(({ fields }) => fields.value)).toEqual(expect.arrayContaining([-3n, 1537n]));
  });
});

describe("memory and calldata", () => {
  it("memory not grown", async () => {
    const f = await block("7 32 MSTORE STOP");
    const store = f.row("mstore");
    f.drop(f.row("expand", 0), f.row("expand", 1), f.rows.find(({ row, c }) => row === "sink" && c.index === 0n)!.c);
    Object.assign(store, { words: 0n, cost1: 0n });
    f.row("stop").msize = 0n;
    f.gas(store.clk! + 1n, 6n);
    const { messages } = await expectUnmatched(f, ["MEMORY received"]);
    expect(messages).toMatchObject([{ fields: { index: 1n, lo: 0n } }]);
  });

  it("memory word made twice", async () => {
    const f = await block("7 0 MSTORE 0 MLOAD POP STOP");
    const [made, store, load] = [f.row("expand"), f.row("mstore"), f.row("mload")];
    f.add("expand", made);
    // the second one is read
    Object.assign(load, { lo: 0n, wordOld: 16n * store.clk! });
    f.row("pop").lo = 0n;
    const sunk = f.row("sink");
    sunk.lo = 0n;
    f.add("sink", { ...sunk, lo: 7n, t: 16n * store.clk! + 1n });
    await expectUnmatched(f, pair("EXPAND"));
  });

  it("memory grown more than needed, so that MSIZE says more", async () => {
    const f = await block("7 0 MSTORE MSIZE POP STOP");
    const [store, made, size] = [f.row("mstore"), f.row("expand"), f.row("gauge")];
    Object.assign(store, { words: 2n, cost1: 6n });
    made.end = 2n;
    f.add("expand", { ...made, i: 1n });
    f.add("sink", { ...f.row("sink"), t: 16n * store.clk!, index: 1n, lo: 0n });
    for (const { c } of f.rows) if (c.msize !== undefined && c.clk! > store.clk!) c.msize = 2n;
    f.row("pop").lo = 32n * size.msize!;
    f.gas(store.clk! + 1n, -3n);
    // all is there that has to be paid for; only the row knows that it is too much
    expect(await f.verdict()).toMatchObject({ ...CLEAN, faults: ["mstore"] });
  });

  it("memory shrunk", async () => {
    const f = await block("7 32 MSTORE 0 MLOAD POP STOP");
    const load = f.row("mload");
    Object.assign(load, { words: 1n, cost1: 3n });
    for (const { c } of f.rows) if (c.msize !== undefined && c.clk! > load.clk!) c.msize = 1n;
    f.gas(load.clk! + 1n, 3n);
    await expectUnmatched(f, pair("EXPAND"));
  });

  it("calldata of another transaction", async () => {
    const f = await forgeryOf({ c: "0 CALLDATALOAD POP STOP" }, [
      { ...CALL, data: [77] },
      { ...CALL, data: [88] },
    ]);
    const [first, second] = f.all("calldataload").map(({ c }) => c);
    second!.lo = 77n;
    f.row("pop", 1).lo = 77n;
    const { messages } = await expectUnmatched(f, ["CALLDATA sent"]);
    expect(messages).toMatchObject([{ fields: { ctx: second!.ctx, lo: 77n } }]);
    // the entry that there is belongs to another frame
    second!.ctx = first!.ctx!;
    expect((await f.verdict()).unmatched).toEqual(["STACK received", "STACK sent", "STATE received", "STATE sent"]);
  });

  it("sink under tag 0", async () => {
    const f = await block("1 STOP");
    f.row("sink").isStack = 0n;
    await expectUnmatched(f, ["STACK sent"]);
  });

  it("sink of two cells at once", async () => {
    const f = await block("1 STOP");
    f.row("sink").isMemory = 1n;
    await expectUnmatched(f, ["MEMORY received"]);
  });
});

describe("storage", () => {
  it("unrequested storage row", async () => {
    // what stands behind STOP is run on the side
    const f = await block("7 1 SSTORE STOP .0x60075f55", {}, { 0: 5 });
    const [store, stop] = [f.row("sstore"), f.row("stop")];
    const { addressHi, addressLo } = store as { addressHi: bigint; addressLo: bigint };
    const address = (addressHi << 128n) + addressLo;
    const { ctx, code, pc } = stop as { ctx: bigint; code: bigint; pc: bigint };
    const clk = stop.clk! - 2n;
    const before = 16n * store.clk! + 2n;
    const now = 16n * (clk + 2n) + 2n;
    const step = { ctx, code, act: 1n };
    f.add("push", { ...step, clk, pc: pc + 1n, sp: 0n, gas: 50_000n, n: 1n, lo: 7n });
    f.add("push", { ...step, clk: clk + 1n, pc: pc + 3n, sp: 1n, gas: 49_997n });
    const old = { valueLo: 5n, origLo: 5n };
    f.add("sstore", {
      ...{ ...step, clk: clk + 2n, pc: pc + 4n, sp: 2n, gas0: 49_995n - 2_301n, T: 1n, addressHi, addressLo },
      ...{ slotOld: 16n * (clk + 1n) + 2n, newLo: 7n, newOld: 16n * clk + 2n, ...old },
      ...{ j: 3n, jOld: before, refundOld: before },
    });
    f.add("sinkjournal", { t: now, T: 1n, j: 3n, space: 1n, address, ...old, act: 1n });
    f.end.journal = { j: 4n, t: now };
    f.end.refund.t = now;
    f.slots.get(address)!.set(0n, 5n);
    f.claims.cells.slots.unshift({ address, slot: 0n, value: 7n, original: 5n, lastTx: 1n, t: now });
    await expectUnmatched(f, pair("STATE"));
  });

  it("duplicate cell", async () => {
    const f = await block("7 0 SSTORE STOP", {}, { 0: 5 });
    f.claims.cells.slots.push({ ...f.claims.cells.slots[0]! });
    await expectRefused(f, "CLAIM_ORDER");
  });

  it("cells listed twice (double spend)", async () => {
    const f = await forgeryOf({}, [{ from: "alice", to: "bob", value: 1 }]);
    f.claims.cells.balances.splice(1, 0, { ...f.claims.cells.balances[0]! });
    await expectRefused(f, "CLAIM_ORDER");
  });

  it("sink of a storage cell", async () => {
    const f = await block("7 0 SSTORE STOP", {}, { 0: 5 });
    const [slot] = f.claims.cells.slots;
    const { address, t } = slot!;
    // the slot ends as it began, and what was written goes down the only sink that has all coordinates
    Object.assign(slot!, { value: 5n, lastTx: 0n, t: 0n });
    f.add("sinkjournal", { t, address, lastTx: 1n, valueLo: 7n, origLo: 5n, act: 1n });
    await expectUnmatched(f, ["JOURNAL received", "STORAGE received", "STORAGE sent"]);
  });

  it("read from the future (t_old = -x)", async () => {
    const f = await block("0 SLOAD POP 7 0 SSTORE STOP", {}, { 0: 5 });
    const [load, store] = [f.row("sload"), f.row("sstore")];
    const written = 16n * store.clk! + 2n;
    const opened = load.jOld!;
    // the store takes the slot as it was before the block, the load what the store leaves
    Object.assign(store, { origLo: 5n, lastTx: 0n, tOld: 0n, j: 2n, jOld: opened });
    const future = { valueLo: 7n, origLo: 5n, lastTx: 1n, tOld: written, high: -1n, jOld: 16n * load.clk!, jHigh: 0n };
    Object.assign(load, future);
    f.row("pop").lo = 7n;
    f.gas(load.clk! + 1n, 2_000n);
    f.gas(store.clk! + 1n, -2_100n);
    f.drop(entryOf(f, 3n));
    entryOf(f, 2n).t = written;
    f.end.journal.j = 3n;
    f.claims.cells.slots[0]!.t = 16n * load.clk! + 2n;
    const { messages } = await expectUnmatched(f, ["RANGE_16 sent"]);
    expect(messages).toMatchObject([{ net: 1n, fields: { value: -1n } }]);
  });

  it("altered final value", async () => {
    const f = await block("7 0 SSTORE STOP", {}, { 0: 5 });
    f.claims.cells.slots[0]!.value = 8n;
    await expectUnmatched(f, pair("STORAGE"));
  });

  it("altered final time", async () => {
    const f = await block("7 0 SSTORE STOP", {}, { 0: 5 });
    f.claims.cells.slots[0]!.t += 1n;
    await expectUnmatched(f, pair("STORAGE"));
  });

  it("altered final balance", async () => {
    const f = await forgeryOf({}, [{ from: "alice", to: "bob", value: 1 }]);
    f.claims.cells.balances[0]!.balance += 1n;
    await expectUnmatched(f, pair("BALANCE"));
  });

  it("other pre-state: a slot", async () => {
    const f = await block("0 SLOAD POP STOP", {}, { 0: 5 });
    for (const slots of f.slots.values()) if (slots.has(0n)) slots.set(0n, 6n);
    await expectUnmatched(f, pair("STORAGE"));
  });

  it("other pre-state: a balance", async () => {
    const f = await forgeryOf({}, [{ from: "alice", to: "bob", value: 1 }]);
    f.accounts.get(senderOf(f))!.balance -= 1n;
    await expectUnmatched(f, pair("BALANCE"));
  });

  it("warm claimed cold", async () => {
    const f = await block("0 SLOAD POP 0 SLOAD POP STOP", {}, { 0: 5 });
    const [first, second] = [f.row("sload"), f.row("sload", 1)];
    const now = 16n * second.clk! + 2n;
    Object.assign(second, { lastTx: 0n, j: 3n, jOld: 16n * first.clk! + 2n });
    f.add("sinkjournal", { ...f.row("sinkjournal", -1), j: 3n, t: now });
    f.end.journal = { j: 4n, t: now };
    f.gas(second.clk! + 1n, -2_000n);
    await expectUnmatched(f, pair("STORAGE"));
  });

  it("cold claimed warm", async () => {
    // the store pays for as many slots as are claimed
    const f = await block("0 SLOAD POP 7 1 SSTORE STOP", {}, { 0: 5 });
    const [load, store] = [f.row("sload"), f.row("sstore")];
    Object.assign(store, { j: 2n, jOld: load.jOld });
    Object.assign(load, { lastTx: 1n, jOld: 16n * load.clk! });
    f.drop(entryOf(f, 2n));
    entryOf(f, 3n).j = 2n;
    f.end.journal.j = 3n;
    f.gas(load.clk! + 1n, 2_000n);
    await expectUnmatched(f, pair("STORAGE"));
  });

  it("cold claimed warm, so that more slots are touched than the gas pays for", async () => {
    const f = await block("0 SLOAD POP STOP", {}, { 0: 5 });
    const load = f.row("sload");
    f.end.journal = { j: 2n, t: load.jOld! };
    Object.assign(load, { lastTx: 1n, jOld: 16n * load.clk! });
    f.drop(entryOf(f, 2n));
    f.gas(load.clk! + 1n, 2_000n);
    await expectRefused(f, "CLAIM_SIZE");
  });

  it("cold claimed warm, in an access list", async () => {
    const list = [{ address: "c", storageKeys: [0] }];
    const f = await block("0 SLOAD POP STOP", { type: 1, accessList: list }, { 0: 5 });
    f.claims.transactions[0]!.slots[0]!.lastTx = 1n;
    await expectRefused(f, "CLAIM_WARMTH");
  });
});

describe("undoing", () => {
  it("missing undo", async () => {
    const f = await block("7 0 SSTORE 0 0 REVERT", { value: 3 }, { 0: 5 });
    const [undo, next] = [f.row("undo"), f.row("undoaccount")];
    f.drop(undo);
    const { address, valueLo, origLo, lastTx, entryOld, liveOld } = undo as Record<string, bigint>;
    f.add("sinkjournal", {
      ...{ t: entryOld!, T: 1n, j: 2n, space: 1n, address: address!, act: 1n },
      ...{ valueLo: valueLo!, origLo: origLo!, lastTx: lastTx! },
    });
    next.jOld = undo.jOld!;
    Object.assign(f.claims.cells.slots[0]!, { value: 7n, original: 5n, lastTx: 1n, t: liveOld });
    f.shift(undo.clk! + 1n, -1n);
    await expectUnmatched(f, pair("JRN"));
  });

  it("partial undo: the value without its warmth", async () => {
    const f = await block("7 0 SSTORE 0 0 REVERT", {}, { 0: 5 });
    f.row("undo").lastTx = 1n;
    f.claims.cells.slots[0]!.lastTx = 1n;
    await expectUnmatched(f, pair("JOURNAL"));
  });

  it("partial undo: the value without its original", async () => {
    const f = await forgeryOf({ c: { code: STORE, storage: { 0: 5 } } }, [
      { ...CALL, data: [7, 0, 0] },
      { ...CALL, data: [8, 0, 1] },
    ]);
    // as if the slot had been written by the transaction that reverts
    f.row("undo").origLo = 7n;
    f.claims.cells.slots[0]!.original = 7n;
    await expectUnmatched(f, pair("JOURNAL"));
  });

  it("undo of another slot", async () => {
    const f = await block("7 0 SSTORE 8 1 SSTORE 0 0 REVERT", {}, { 0: 5, 1: 5 });
    // slot 1 undone twice, slot 0 never
    const second = f.row("undo", 1);
    const [zero, one] = f.claims.cells.slots;
    [second.slotLo, second.liveLo] = [1n, 5n];
    Object.assign(second, { liveLastTx: 0n, liveOrigLo: 5n, liveOld: one!.t });
    one!.t = zero!.t;
    Object.assign(zero!, { value: 7n, original: 5n, lastTx: 1n, t: 16n * f.row("sstore").clk! + 2n });
    await expectUnmatched(f, pair("JOURNAL"));
  });

  it("journal entry reused across transactions", async () => {
    const f = await forgeryOf({ c: { code: STORE, storage: { 0: 5 } } }, [
      { ...CALL, data: [7, 0, 0] },
      { ...CALL, data: [8, 0, 1] },
    ]);
    const [first, undo] = [entryOf(f, 2n), f.row("undo")];
    const { valueLo, origLo, lastTx, t } = first as Record<string, bigint>;
    // the entry that the second transaction made is sunk, the first one's is undone
    Object.assign(first, { T: 2n, t: undo.entryOld, valueLo: undo.valueLo, origLo: undo.origLo, lastTx: undo.lastTx });
    Object.assign(undo, { entryOld: t, valueLo, origLo, lastTx });
    Object.assign(f.claims.cells.slots[0]!, { value: valueLo, original: origLo, lastTx });
    await expectUnmatched(f, pair("JOURNAL"));
  });

  it("status 1 after REVERT", async () => {
    const f = await block("7 0 SSTORE 0 0 REVERT", {}, { 0: 5 });
    f.end.status = 1n;
    await expectUnmatched(f, pair("TXEND"));
  });

  it("status 1 after REVERT, by a STOP in place of the end of the failure", async () => {
    const f = await block("7 0 SSTORE 0 0 REVERT", {}, { 0: 5 });
    const end = f.row("fail");
    const { clk, ctx, code, pc, sp, gas, msize, gasHigh, T } = end as Record<string, bigint>;
    f.drop(end);
    const step = { clk, ctx, code, pc, sp, gas, msize, gasHigh, T } as Record<string, bigint>;
    f.add("stop", { ...step, act: 1n });
    f.end.status = 1n;
    f.end.journal.t = end.jOld!;
    f.end.refund = { value: end.refund!, t: end.refundOld! };
    f.end.logs.t = end.nOld!;
    await expectUnmatched(f, ["CODE sent", ...pair("STATE")]);
  });

  it("a transfer kept by the sender, though the transaction succeeds", async () => {
    const f = await block("STOP", { value: 3 });
    const [sender, to] = [f.balance(senderOf(f)), f.balance(f.built.transactions[0]!.to)];
    sender.balance += 3n;
    to.balance -= 3n;
    await expectUnmatched(f, pair("BALANCE"));
  });
});
