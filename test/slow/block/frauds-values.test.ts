/**
 * Frauds by name (docs/protocol.md, section 12) with what opcodes compute, copy and look up. As in frauds.test.ts everything
 * that can be made to fit does fit, and the test says what is left to catch it.
 */

import { describe, expect, it } from "vitest";
import { OP } from "../../../src/trace/opcodes.js";
import { recoverSender } from "../../../src/verifier/ethereum/transaction.js";
import { canonical, type Forgery, forgeryOf } from "../../support/blocks.js";
import { blockOfCall as block, expectFault, expectRefused, expectUnmatched, pair } from "../../support/frauds.js";

const HALF = 1n << 128n;

/** Columns of a row by the beginning of their names. */
const columns = (row: Record<string, bigint>, names: RegExp): Record<string, bigint> =>
  Object.fromEntries(Object.entries(row).filter(([name]) => names.test(name)));

describe("claims", () => {
  it("two claims for one row", async () => {
    const f = await block("32 0 KECCAK256 POP STOP");
    f.end.keccaks.push({ ...f.end.keccaks[0]! });
    await expectRefused(f, "CLAIM_ORDER");
  });

  it("claim without a row", async () => {
    const f = await block("5 5 SSTORE 32 0 KECCAK256 POP JUMPDEST STOP");
    f.end.keccaks.push({ clk: f.row("jumpdest").clk!, data: new Uint8Array(0) });
    await expectUnmatched(f, ["CLAIM sent"]);
  });

  it("hash of a shorter slice", async () => {
    const f = await block("32 0 KECCAK256 POP STOP");
    f.end.keccaks[0]!.data = new Uint8Array(31);
    await expectUnmatched(f, pair("CLAIM"));
  });
});

describe("logs", () => {
  const log = (f: Forgery, n = 0) => f.end.logs.entries[n]!;
  const make = (): Promise<Forgery> => block("5 5 SSTORE 0x1234 0 MSTORE 7 33 0 LOG1 8 9 33 32 LOG2 STOP");

  it.each([
    ["topic", (f: Forgery) => Object.assign(log(f), { topics: [8n] })],
    ["number of topics", (f: Forgery) => Object.assign(log(f), { topics: [7n, 0n] })],
    ["address", (f: Forgery) => Object.assign(log(f), { address: log(f).address + 1n })],
    ["length, of zeros", (f: Forgery) => Object.assign(log(f), { data: log(f).data.slice(0, 32) })],
  ])("log with another %s", async (what, change) => {
    const f = await make();
    change(f);
    // a shorter one has one word less
    await expectUnmatched(f, what.startsWith("length") ? ["LOG received", "LOG sent", "LOGDATA sent"] : pair("LOG"));
  });

  it("log with other data", async () => {
    const f = await make();
    log(f).data[31] = 1;
    await expectUnmatched(f, pair("LOGDATA"));
  });

  it("log with the data of another one", async () => {
    const f = await make();
    [log(f).data, log(f, 1).data] = [log(f, 1).data, log(f).data];
    await expectUnmatched(f, pair("LOGDATA"));
  });

  it("log that nobody made", async () => {
    const f = await make();
    f.end.logs.entries.unshift({ ...log(f), clk: log(f).clk - 1n });
    await expectUnmatched(f, ["LOG received", "LOG sent", "LOGDATA received", "LOGS received", "LOGS sent"]);
  });

  it("logs in another order", async () => {
    const f = await make();
    f.end.logs.entries.reverse();
    await expectRefused(f, "CLAIM_ORDER");
  });

  it("topic that isn't on the stack", async () => {
    const f = await make();
    f.row("logs").topic1Lo = 8n;
    log(f).topics = [8n];
    await expectUnmatched(f, pair("STACK"));
  });
});

describe("undoing", () => {
  /** Leaves out the row that undoes entry 2, which is sunk instead; as {@link block}, of which only one effect is undone. */
  function skip(f: Forgery, row: string, space: bigint): Record<string, bigint> {
    const undo = f.row(row);
    const [next] = f.all("undoaccount").filter(({ c }) => c.clk! > undo.clk!);
    f.drop(undo);
    const { address, entryOld, lastTx, slotHi = 0n, slotLo = 0n } = undo as Record<string, bigint>;
    const [valueHi, valueLo] = row === "undo" ? [undo.valueHi!, undo.valueLo!] : [undo.hi!, undo.lo!];
    const entry = { address: address!, slotHi, slotLo, valueHi, valueLo, lastTx: lastTx! };
    f.add("sinkjournal", { t: entryOld!, T: 1n, j: 2n, space, ...entry, act: 1n });
    next!.c.jOld = undo.jOld!;
    return undo;
  }

  it("skipped undo of a transient slot", async () => {
    const f = await block("7 5 TSTORE 0 0 REVERT");
    const undo = skip(f, "undo", 4n);
    Object.assign(f.claims.cells.transients[0]!, { value: 7n, lastTx: 1n, t: undo.liveOld });
    f.shift(undo.clk! + 1n, -1n);
    await expectUnmatched(f, pair("JRN"));
  });

  it("skipped undo of an account's warmth", async () => {
    const f = await block("0xabcdef BALANCE POP 0 0 REVERT");
    const undo = skip(f, "undoaccount", 3n);
    const cell = f.claims.cells.accounts.find(({ address }) => address === 0xabcdefn)!;
    Object.assign(cell, { lastTx: 1n, t: undo.liveOld });
    f.shift(undo.clk! + 1n, -1n);
    await expectUnmatched(f, pair("JRN"));
  });

  it("undo of a transient slot as if it were one of storage", async () => {
    const f = await block("7 5 TSTORE 5 SLOAD 0 0 REVERT");
    Object.assign(f.all("undo").find(({ c }) => c.isTransient === 1n)!.c, { isStorage: 1n, isTransient: 0n });
    await expectUnmatched(f, pair("JOURNAL", "STORAGE", "TRANSIENT"));
  });

  it("transient value of an earlier transaction", async () => {
    const code = "0 CALLDATALOAD @s JUMPI 5 TLOAD POP STOP s: 7 5 TSTORE STOP";
    const call = { from: "alice", to: "c" };
    const f = await forgeryOf({ c: code }, [{ ...call, data: [1] }, call]);
    expect(f.row("tload")).toMatchObject({ valueLo: 7n, lastTx: 1n, T: 2n });
    f.row("tload").lastTx = 2n;
    Object.assign(f.claims.cells.transients[0]!, { lastTx: 2n });
    f.row("pop").lo = 7n;
    await expectUnmatched(f, pair("TRANSIENT"));
  });

  it("transient value before the block", async () => {
    const f = await block("5 TLOAD POP STOP");
    Object.assign(f.row("tload"), { valueLo: 7n, lastTx: 1n });
    Object.assign(f.claims.cells.transients[0]!, { value: 7n, lastTx: 1n });
    f.row("pop").lo = 7n;
    await expectUnmatched(f, pair("TRANSIENT"));
  });
});

describe("halts that are not taken", () => {
  it("opcode that is none", async () => {
    const f = await block("JUMPDEST STOP");
    f.recode(Uint8Array.of(0x0c, 0));
    const { messages } = await expectUnmatched(f, ["CODE sent"]);
    expect(messages).toMatchObject([{ fields: { pc: 0n, class: 0x5bn } }]);
  });

  it("underflow", async () => {
    const f = await block("PUSH0 POP STOP");
    const [push, pop, stop] = [f.row("push"), f.row("pop"), f.row("stop")];
    const { clk, ctx, code, pc, sp, gas, msize } = push as Record<string, bigint>;
    f.drop(push);
    const step = { clk, ctx, code, pc, sp, gas, msize } as Record<string, bigint>;
    f.add("jumpdest", { ...step, act: 1n });
    f.gas(pop.clk!, 1n);
    [pop.sp, stop.sp] = [0n, -1n];
    f.recode(Uint8Array.of(OP.JUMPDEST, OP.POP, 0));
    const { messages } = await expectUnmatched(f, ["STACK received"]);
    expect(messages).toMatchObject([{ fields: { index: -1n } }]);
  });

  it("overflow", async () => {
    const f = await block("PUSH0 STOP");
    for (const { row, c } of f.rows) if (c.sp !== undefined) c.sp = row === "push" ? 1024n : 1025n;
    f.row("sink").index = 1024n;
    const { messages } = await expectUnmatched(f, ["RANGE_10 sent", ...pair("STATE")]);
    expect(messages).toContainEqual({ tag: "RANGE_10", net: 1n, fields: { value: 1024n } });
  });
});

describe("halts that are none", () => {
  /** Code that fails by INVALID, of which the last step of a template halts instead, as a row says. */
  async function halted(
    code: string,
    at: string,
    row: string,
    more: (step: Record<string, bigint>) => Record<string, bigint>,
    call: object = {},
  ): Promise<Forgery> {
    const f = await block(code, call);
    const step = f.row(at, -1);
    const end = f.row("haltcode").clk!;
    const dropped = (t: bigint): boolean => t >= 16n * step.clk! && t < 16n * (end + 1n);
    f.drop(...f.rows.flatMap(({ c }) => (dropped(c.clk === undefined ? (c.t ?? 0n) : 16n * c.clk) ? [c] : [])));
    const { clk, ctx, code: id, pc, sp, gas, msize } = step as Record<string, bigint>;
    for (const { row: name, c } of f.rows) {
      if (name === "undoaccount" || name === "fail") Object.assign(c, { pc, sp, msize });
    }
    f.shift(end + 1n, clk! - end);
    f.add(row, { clk: clk!, ctx: ctx!, code: id!, pc: pc!, sp: sp!, gas: gas!, msize: msize!, ...more(step) });
    return f;
  }

  it("GAS with gas for it", async () => {
    const f = await halted("GAS INVALID", "gauge", "haltgas", () => ({ high: 0n, isGas: 1n, act: 1n }), {
      gas: 21_002,
    });
    const { messages } = await expectUnmatched(f, ["RANGE_16 sent"]);
    expect(messages).toMatchObject([{ fields: { value: -1n } }]);
  });

  it("SSTORE with more gas than the floor", async () => {
    const more = () => ({ high: 0n, isSstore: 1n, act: 1n });
    // a POP, in whose place there is an SSTORE
    const f = await halted("5 5 POP INVALID", "pop", "haltgas", more, { gas: 21_000 + 6 + 2_301 });
    const bytes = [...f.codes.values()][0]!.bytes;
    f.recode(bytes.with(4, OP.SSTORE));
    const { clk, ctx } = f.row("haltgas") as { clk: bigint; ctx: bigint };
    f.add("sink", { t: 16n * clk - 14n, ctx, index: 1n, lo: 5n, isStack: 1n });
    const { messages } = await expectUnmatched(f, ["RANGE_16 sent"]);
    expect(messages).toMatchObject([{ fields: { value: -1n } }]);
  });

  it("memory of no bytes", async () => {
    const words = (1n << 20n) - 1n;
    const f = await halted("0 0 NOT LOG0 INVALID", "logs", "haltmemory", (c) => ({
      ...{ offsetHi: c.offsetHi!, offsetLo: c.offsetLo!, offsetOld: c.offsetOld!, sizeOld: c.sizeOld! },
      ...{ words, cost1: 3n * words + words ** 2n / 512n, isLog: 1n },
    }));
    await expectFault(f, "haltmemory");
  });
});

describe("memory", () => {
  it.each([
    ["mloadany", "1 MLOAD POP STOP"],
    ["mstoreany", "5 1 MSTORE STOP"],
    ["mstore8", "5 40 MSTORE8 STOP"],
    ["mcopy", "5 0 40 MCOPY STOP"],
    ["keccak", "33 0 KECCAK256 POP STOP"],
    ["logs", "33 0 LOG0 STOP"],
    ["copydata", "33 0 0 CALLDATACOPY STOP"],
    ["extcodecopy", "33 0 0 ADDRESS EXTCODECOPY STOP"],
  ])("memory expansion not paid: %s", async (row, code) => {
    const f = await block(code);
    const step = f.row(row);
    expect(step.cost1).toBe(6n);
    step.cost1 = 0n;
    f.gas(step.clk! + 1n, 6n);
    const { messages } = await expectUnmatched(f, ["MEMGAS sent"]);
    expect(messages).toMatchObject([{ fields: { w: 2n, cost: 0n } }]);
  });

  it.each([
    ["mcopy", "5 0 40 MCOPY STOP"],
    ["keccak", "33 0 KECCAK256 POP STOP"],
    ["copydata", "33 0 0 CALLDATACOPY STOP"],
  ])("memory not grown: %s", async (row, code) => {
    const f = await block(code);
    const step = f.row(row);
    f.drop(...f.all("expand").map(({ c }) => c));
    Object.assign(step, { words: 0n, cost1: 0n });
    for (const { c } of f.rows) if (c.msize !== undefined && c.clk! > step.clk!) c.msize = 0n;
    f.gas(step.clk! + 1n, 6n);
    const { messages } = await expectUnmatched(f, ["MEMORY received"]);
    expect(messages.map(({ fields }) => [fields.index, fields.lo])).toEqual([
      [0n, 0n],
      [1n, 0n],
    ]);
  });

  it("words of a slice that are not paid for", async () => {
    for (const [row, n, cost, code] of [
      ["keccak", "n", 6n, "64 0 KECCAK256 POP STOP"],
      ["mcopy", "n", 3n, "64 0 64 MCOPY STOP"],
      ["copydata", "n", 3n, "64 0 0 CALLDATACOPY STOP"],
    ] as const) {
      const f = await block(code);
      const step = f.row(row);
      step[n]! -= 1n;
      f.gas(step.clk! + 1n, cost);
      const { refused, unmatched } = await f.verdict();
      expect({ refused, unmatched }, row).toEqual({
        refused: undefined,
        unmatched: ["RANGE_5 sent", ...pair(row === "copydata" ? "LOAD" : "READ")].sort(),
      });
    }
  });
});

describe("copies", () => {
  /** The bytes of one word as the last row of a chain takes them, in another way. */
  const wrong = (f: Forgery): void => {
    const [write, kept] = [f.row("write"), f.all("sink").find(({ c }) => c.isMemory === 1n)!.c];
    for (const c of [write.lo!, write.headLo!, kept.lo!]) expect(c).toBe(write.lo);
    for (const [c, name] of [
      [write, "lo"],
      [write, "headLo"],
      [kept, "lo"],
    ] as const) {
      c[name]! += 1n;
    }
  };

  it("copied byte changed, of calldata", async () => {
    const f = await block("32 0 0 CALLDATACOPY STOP", { data: [0x1234] });
    wrong(f);
    await expectUnmatched(f, pair("BUFFER"));
    const load = f.row("load");
    load.lo! += 1n;
    load.cutLo! += 1n;
    await expectUnmatched(f, ["CALLDATA sent"]);
  });

  it("copied byte changed, of code", async () => {
    const f = await block("32 0 0 CODECOPY STOP");
    wrong(f);
    const load = f.row("load");
    load.lo! += 1n;
    load.cutLo! += 1n;
    await expectUnmatched(f, ["CODEWORD sent"]);
  });

  it("copied byte changed, of memory", async () => {
    const f = await block("0x1234 0 MSTORE 32 0 0 MCOPY STOP");
    wrong(f);
    await expectUnmatched(f, pair("BUFFER"));
    f.row("read").outLo! += 1n;
    await expectFault(f, "read");
    f.row("read").headLo! += 1n;
    await expectFault(f, "read");
    f.row("read").lo! += 1n;
    await expectUnmatched(f, pair("MEMORY"));
  });

  it("copied byte changed, on its way to another place in a word", async () => {
    const f = await block("3 0 31 CALLDATACOPY STOP", { data: [`0x${"11".repeat(32)}`] });
    const write = f.row("write", 0);
    write.headLo! += 1n;
    f.all("sink").find(({ c }) => c.index === 0n)!.c.lo! += 1n;
    await expectUnmatched(f, ["SHIFT sent"]);
  });

  it("bytes beside a copy changed", async () => {
    const f = await block("0 NOT 0 MSTORE 3 0 0 CALLDATACOPY STOP");
    const write = f.row("write");
    const kept = f.all("sink").find(({ c }) => c.isMemory === 1n)!.c;
    // as if the copy were a byte longer
    const dropped = 0xffn << 96n;
    write.keptHi! += dropped;
    kept.hi! -= dropped;
    await expectUnmatched(f, ["CUT sent"]);
  });

  it("copy of zeros, though there is data", async () => {
    const f = await block("32 0 0 CALLDATACOPY STOP", { data: [0x1234] });
    const [load, write] = [f.row("load"), f.row("write")];
    Object.assign(load, { lo: 0n, cutLo: 0n, isData: 0n });
    Object.assign(write, { lo: 0n, headLo: 0n });
    f.all("sink").find(({ c }) => c.isMemory === 1n)!.c.lo = 0n;
    const { messages } = await expectUnmatched(f, ["WIDE sent"]);
    expect(messages).toMatchObject([{ fields: { value: -32n } }]);
  });

  it("copy from beyond the end, as if from before it", async () => {
    const f = await block("32 64 0 CALLDATACOPY STOP", { data: [0x1234] });
    // the source's last word again
    const [copy, load] = [f.row("copydata"), f.row("load")];
    Object.assign(copy, { inside: 1n, length: 96n, leftHigh: 0n });
    Object.assign(load, { length: 96n, o: 64n });
    const { refused, unmatched } = await f.verdict();
    expect({ refused, unmatched }).toEqual({ refused: undefined, unmatched: ["CTX sent", "WIDE sent"] });
  });

  it("copy from another code", async () => {
    const text = "32 0 0 COINBASE EXTCODECOPY STOP";
    const f = await forgeryOf({ a: text, b: `${text} .0xfe` }, [{ from: "alice", to: "a" }], { coinbase: "b" });
    const [copy, load, write] = [f.row("extcodecopy"), f.row("load"), f.row("write")];
    const own = copy.code!;
    const bytes = [...f.codes.values()].find(({ bytes }) => bytes.length === Number(copy.length) - 1)!.bytes;
    // the frame's own code, up to its end
    const word = BigInt(`0x${Buffer.from(bytes).toString("hex").padEnd(64, "0")}`);
    const half = { hi: word >> 128n, lo: word % HALF };
    const left = (BigInt(bytes.length) - 1n) >> 16n;
    Object.assign(copy, { id: own, length: BigInt(bytes.length), leftHigh: left });
    Object.assign(load, { code: own, length: BigInt(bytes.length), ...half, cutHi: half.hi, cutLo: half.lo });
    Object.assign(write, { ...half, headHi: half.hi, headLo: half.lo });
    Object.assign(f.all("sink").find(({ c }) => c.isMemory === 1n)!.c, half);
    const { messages } = await expectUnmatched(f, ["CODEID sent"]);
    expect(messages).toMatchObject([{ fields: { code: own } }]);
  });

  it("CALLDATALOAD beyond the end, as if there were more", async () => {
    const f = await block("32 CALLDATALOAD POP STOP", { data: [7] });
    Object.assign(f.row("calldataload"), { inside: 1n, lo: 7n });
    f.row("pop").lo = 7n;
    await expectUnmatched(f, ["CALLDATA sent"]);
    const { ctx } = f.row("calldataload") as { ctx: bigint };
    f.more.push({ table: "calldata", entry: { ctx, offset: 32n, multiplicity: 1n } });
    await expectRefused(f, "CLAIM_LOOKUP");
  });

  it("CALLDATALOAD of zeros, though there is data", async () => {
    const f = await block("0 CALLDATALOAD POP STOP", { data: [7] });
    Object.assign(f.row("calldataload"), { inside: 0n, lo: 0n });
    f.row("pop").lo = 0n;
    const { messages } = await expectUnmatched(f, ["WIDE sent"]);
    expect(messages).toMatchObject([{ fields: { value: -32n } }]);
  });

  it("CALLDATALOAD at 2^128 + 1, as if at 1", async () => {
    const f = await block(`PUSH32 ${HALF + 1n} CALLDATALOAD POP STOP`, { data: [7] });
    Object.assign(f.row("calldataload"), { inside: 1n, lo: 7n << 8n });
    f.row("pop").lo = 7n << 8n;
    const { messages } = await expectUnmatched(f, ["CALLDATA sent"]);
    expect(messages).toMatchObject([{ fields: { offset: (1n << 125n) + 1n } }]);
  });
});

describe("accounts", () => {
  it("BALANCE of another account", async () => {
    const honest = await block("CALLER BALANCE POP STOP");
    const sender = recoverSender(honest.built.transactions[0]!, "test");
    // the same low half: only the upper 32 bits tell them apart
    const other = (sender + HALF) % (1n << 160n);
    const coinbase = `0x${other.toString(16).padStart(40, "0")}`;
    const f = await block("CALLER BALANCE POP STOP", {}, { block: { coinbase } });
    const row = f.row("balance");
    const now = 16n * row.clk! + 2n;
    const cells = [...f.claims.cells.accounts];
    cells.find(({ address }) => address === other)!.t = now;
    cells.find(({ address }) => address === sender)!.t = row.accountOld!;
    const [{ endSenderBalance, coinbaseBalance }] = f.claims.transactions as [(typeof f.claims.transactions)[number]];
    endSenderBalance.t = row.tOld!;
    coinbaseBalance!.t = now;
    const low = (row.low! + 1n) % (1n << 32n);
    Object.assign(row, { low, lowHigh: low >> 16n, hi: 0n, lo: 0n, tOld: 0n });
    f.row("pop").lo = 0n;
    await expectUnmatched(f, ["WIDE sent"]);
  });

  it("BALANCE that isn't", async () => {
    const f = await block("CALLER BALANCE POP STOP");
    f.row("balance").lo! += 1n;
    f.row("pop").lo! += 1n;
    await expectUnmatched(f, pair("BALANCE"));
  });

  it("SELFBALANCE of another account", async () => {
    const f = await block("SELFBALANCE POP STOP", { value: 5 });
    const row = f.row("selfbalance");
    const sender = recoverSender(f.built.transactions[0]!, "test");
    const before = f.claims.transactions[0]!.endSenderBalance.balance;
    Object.assign(row, { addressHi: sender >> 128n, addressLo: sender % HALF, hi: 0n, lo: before, tOld: 18n });
    f.claims.transactions[0]!.endSenderBalance.t = 16n * row.clk! + 2n;
    f.balance(f.built.transactions[0]!.to).t = 19n;
    f.row("pop").lo = before;
    const { messages } = await expectUnmatched(f, ["CTX sent"]);
    expect(messages).toMatchObject([{ fields: { field: 0x30n } }]);
  });

  it("EXTCODESIZE of another code", async () => {
    const f = await block("ADDRESS EXTCODESIZE POP STOP");
    f.row("extcodesize").length! += 1n;
    f.row("pop").lo! += 1n;
    await expectUnmatched(f, ["CODEID sent"]);
  });

  it("EXTCODEHASH of another code", async () => {
    const f = await block("ADDRESS EXTCODEHASH POP STOP");
    f.row("extcodehash").hashLo! += 1n;
    f.row("pop").lo! += 1n;
    f.claims.cells.accounts.find(({ address }) => address === f.built.transactions[0]!.to)!.codeHash += 1n;
    const { refused, unmatched } = await f.verdict();
    expect({ refused, unmatched }).toEqual({ refused: undefined, unmatched: pair("ACCOUNT") });
  });

  it("EXTCODEHASH of nobody, as if there were an account", async () => {
    const f = await block("0xabcdef EXTCODEHASH POP STOP");
    const row = f.row("extcodehash");
    Object.assign(row, { bare: 0n });
    Object.assign(f.row("pop"), { hi: row.hashHi, lo: row.hashLo });
    expect((await f.verdict()).faults).toEqual(["extcodehash"]);
    Object.assign(row, { bare: 1n, nonce: 1n });
    await expectUnmatched(f, pair("NONCE"));
  });

  it("cold account claimed warm", async () => {
    // the store pays for as many accounts as are claimed
    const f = await block("5 5 SSTORE 0xabcdef BALANCE POP STOP");
    const row = f.row("balance");
    f.end.journal = { j: 3n, t: row.jOld! };
    f.drop(f.rows.find(({ row: name, c }) => name === "sinkjournal" && c.j === 3n)!.c);
    Object.assign(row, { lastTx: 1n, jOld: 16n * row.clk! });
    f.gas(row.clk! + 1n, 2_500n);
    await expectUnmatched(f, pair("ACCOUNT"));
  });

  it("warm account claimed cold", async () => {
    const f = await block("CALLER BALANCE POP STOP");
    const row = f.row("balance");
    const address = recoverSender(f.built.transactions[0]!, "test");
    const now = 16n * row.clk! + 2n;
    Object.assign(row, { lastTx: 0n, j: 2n, jOld: 19n });
    const entry = { space: 3n, address, valueHi: row.hashHi!, valueLo: row.hashLo! };
    f.add("sinkjournal", { t: now, T: 1n, j: 2n, ...entry, act: 1n });
    f.end.journal = { j: 3n, t: now };
    f.gas(row.clk! + 1n, -2_500n);
    await expectUnmatched(f, pair("ACCOUNT"));
  });
});

describe("older blocks", () => {
  const make = (): Promise<Forgery> => block("1 NUMBER SUB BLOCKHASH POP STOP");

  it("BLOCKHASH of another block", async () => {
    const f = await make();
    f.row("blockhash").hashLo! += 1n;
    f.row("pop").lo! += 1n;
    await expectUnmatched(f, ["BLOCKHASH sent"]);
  });

  it("BLOCKHASH of a block that is as if it were too new, or too old", async () => {
    for (const [flag, value] of [
      ["above", -1n],
      ["below", -256n],
    ] as const) {
      const f = await make();
      Object.assign(f.row("blockhash"), { inside: 0n, [flag]: 1n });
      Object.assign(f.row("pop"), { hi: 0n, lo: 0n });
      const { messages } = await expectUnmatched(f, ["WIDE sent"]);
      expect(messages).toMatchObject([{ fields: { value } }]);
    }
  });

  it("BLOCKHASH in a block with another number", async () => {
    const f = await make();
    Object.assign(f.row("blockhash"), { inside: 0n, above: 1n, number: 0n });
    Object.assign(f.row("pop"), { hi: 0n, lo: 0n });
    const { messages } = await expectUnmatched(f, ["ENV sent"]);
    expect(messages).toMatchObject([{ fields: { field: 0x43n, lo: 0n } }]);
  });

  it("BLOCKHASH of this block", async () => {
    const f = await block("NUMBER BLOCKHASH POP STOP");
    Object.assign(f.row("blockhash"), { inside: 1n, above: 0n, hashLo: 7n });
    f.row("pop").lo = 7n;
    await expectUnmatched(f, ["BLOCKHASH sent"]);
    f.more.push({ table: "blockhash", entry: { n: f.built.header.number, multiplicity: 1n } });
    await expectRefused(f, "CLAIM_LOOKUP");
  });
});

describe("arithmetic", () => {
  it("wrong quotient, with a wrapped carry", async () => {
    // 10 = 2*3 + 4: the remainder is above the divisor, and the carry would bring the difference back
    for (const code of ["DIV", "MOD", "SDIV", "SMOD"]) {
      const f = await block(`3 10 ${code} POP STOP`);
      const row = f.row(code.startsWith("S") ? "sdiv" : "div");
      Object.assign(row, { q0: 2n, u0: 4n, w0: 65534n, carry: 1n, k0: 2n });
      for (let i = 1; i < 7; i++) row[`w${i}`] = 65535n;
      f.row("pop").lo = code.endsWith("DIV") ? 2n : 4n;
      const { messages } = await expectUnmatched(f, ["WIDE sent"]);
      expect(messages).toMatchObject([{ fields: { value: canonical(-1n) } }]);
    }
  });

  it("wrong remainder", async () => {
    const f = await block("3 10 MOD POP STOP");
    f.row("div").u0 = 2n;
    f.row("div").w0 = 0n;
    f.row("pop").lo = 2n;
    await expectUnmatched(f, ["RANGE_16 sent", ...pair("STACK"), "WIDE sent"]);
  });

  it("quotient of size zero for a divisor that isn't", async () => {
    const f = await block("3 10 DIV POP STOP");
    // what a division by 2^256 leaves: all of the dividend
    Object.assign(f.row("div"), { q0: 0n, u0: 10n });
    f.row("pop").lo = 0n;
    const { unmatched } = await f.verdict();
    expect(unmatched).toEqual(expect.arrayContaining(["RANGE_16 sent"]));
  });

  it("sign of a negative dividend left out", async () => {
    const f = await block("3 10 NOT SDIV POP STOP");
    f.row("sdiv").signA = 0n;
    const { unmatched } = await f.verdict();
    expect(unmatched).toContain("WIDE sent");
  });

  it("wrong product", async () => {
    const f = await block("6 7 MUL POP STOP");
    f.row("mul").c0 = 43n;
    f.row("pop").lo = 43n;
    const { unmatched } = await f.verdict();
    expect(unmatched).toContain("RANGE_16 sent");
  });

  it("shift by 2^128 + 1, as if by 1", async () => {
    for (const [code, row] of [
      ["SHL", "shift"],
      ["SHR", "shift"],
      ["SAR", "sar"],
    ] as const) {
      const f = await block(`10 1 ${code} POP 10 PUSH32 ${HALF + 1n} ${code} POP STOP`);
      const [near, far] = [f.row(row, 0), f.row(row, 1)];
      expect([near.isFar, far.isFar]).toEqual([0n, 1n]);
      Object.assign(far, columns(near, /^(n|k|top|j|g)\d+$|^(m|isFar|isNear)$/));
      f.row("pop", 1).lo = f.row("pop", 0).lo!;
      const { messages } = await expectUnmatched(f, ["POW2 sent"]);
      expect(messages).toMatchObject([{ fields: { hi: 1n } }]);
    }
  });

  it("shift by 256, as if by 0", async () => {
    const f = await block("10 0 SHL POP 10 256 SHL POP STOP");
    const [near, far] = [f.row("shift", 0), f.row("shift", 1)];
    Object.assign(far, columns(near, /^(n|k|top|j)\d+$|^(m|isFar)$/));
    f.row("pop", 1).lo = 10n;
    const { messages } = await expectUnmatched(f, ["POW2 sent", "RANGE_8 sent"]);
    expect(messages.map(({ fields }) => fields.s ?? fields.value)).toEqual(expect.arrayContaining([256n, -192n]));
  });

  it("SIGNEXTEND with an index of 2^128, as if it were 0; BYTE likewise", async () => {
    for (const code of ["SIGNEXTEND", "BYTE"]) {
      const f = await block(`0x80 0 ${code} POP 0x80 PUSH32 ${HALF} ${code} POP STOP`);
      const [near, far] = [f.row("byte", 0), f.row("byte", 1)];
      Object.assign(far, columns(near, /^(h|s)\d+$|^(low|sign|excess|is\w+)$/));
      Object.assign(f.row("pop", 1), columns(f.row("pop", 0), /^(hi|lo)$/));
      await expectFault(f, "byte");
    }
  });

  it("SIGNEXTEND with an index below 32, as if it were out", async () => {
    const f = await block("0x80 32 SIGNEXTEND POP 0x80 0 SIGNEXTEND POP STOP");
    const [out, near] = [f.row("byte", 0), f.row("byte", 1)];
    Object.assign(near, columns(out, /^(h|s)\d+$|^(low|sign|excess|is\w+)$/));
    Object.assign(f.row("pop", 1), columns(f.row("pop", 0), /^(hi|lo)$/));
    const { messages } = await expectUnmatched(f, ["WIDE sent"]);
    expect(messages).toMatchObject([{ fields: { value: -32n } }]);
  });

  it("sign that a byte doesn't have", async () => {
    const f = await block("0x7f 0 SIGNEXTEND POP STOP");
    f.row("byte").sign = 1n;
    Object.assign(f.row("pop"), { hi: HALF - 1n, lo: HALF - 256n + 0x7fn });
    const { messages } = await expectUnmatched(f, ["RANGE_8 sent"]);
    expect(messages).toMatchObject([{ fields: { value: -2n } }]);
  });

  it("bits that two bytes don't have in common", async () => {
    const f = await block("12 10 AND POP STOP");
    f.row("bitwise").m0 = 9n;
    f.row("pop").lo = 9n;
    const { messages } = await expectUnmatched(f, ["AND sent"]);
    expect(messages).toMatchObject([{ fields: { a: 10n, b: 12n, c: 9n } }]);
  });

  it("AND taken for OR", async () => {
    const f = await block("12 10 AND POP STOP");
    f.row("bitwise").isOr = 1n;
    f.row("pop").lo = 14n;
    const { messages } = await expectUnmatched(f, ["CODE sent"]);
    expect(messages).toMatchObject([{ fields: { class: 0x17n } }]);
  });

  it("mask of an address that isn't one", async () => {
    const f = await block(`0x1234 ${(1n << 160n) - 1n} AND POP STOP`);
    const row = f.row("addressmask");
    row.xLo = 0x1235n;
    f.row("pop").lo = 0x1235n;
    await expectUnmatched(f, pair("STACK"));
  });

  it("upper bits that an address keeps", async () => {
    const f = await block(`PUSH32 ${1n << 200n} ${(1n << 160n) - 1n} AND POP STOP`);
    const row = f.row("addressmask");
    // all that is above 2^32 in the high half
    Object.assign(row, { l: 1n << 72n, lHigh: 1n << 56n });
    f.row("pop").hi = 1n << 72n;
    const { messages } = await expectUnmatched(f, ["RANGE_16 sent"]);
    expect(messages).toMatchObject([{ fields: { value: 1n << 56n } }]);
  });
});

describe("powers", () => {
  const link = (f: Forgery, n: number): Record<string, bigint> => f.all("power").at(n)!.c;

  it("chain that is shorter", async () => {
    const f = await block("5 3 EXP POP STOP");
    // 3^1 in place of 3^5: the last product is left out
    f.drop(link(f, -1));
    f.row("exp").resultLo = 3n;
    f.row("pop").lo = 3n;
    const { messages } = await expectUnmatched(f, pair("EXPCHAIN"));
    expect(messages.map(({ net, fields }) => [net, fields.eLo])).toEqual(
      expect.arrayContaining([
        [1n, 1n],
        [-1n, 5n],
      ]),
    );
  });

  it("chain that is longer", async () => {
    const f = await block("1 3 EXP POP STOP");
    const last = link(f, -1);
    // once more by 3, for the bit that was counted already
    f.add("power", { ...last, accLo: 3n, eLo: 1n, x0: 3n, c0: 9n });
    f.row("exp").resultLo = 9n;
    f.row("pop").lo = 9n;
    const { messages } = await expectUnmatched(f, pair("EXPCHAIN"));
    expect(messages.map(({ net, fields }) => [net, fields.eLo])).toEqual(
      expect.arrayContaining([
        [1n, 2n],
        [-1n, 1n],
      ]),
    );
  });

  it("chain that begins in itself", async () => {
    const f = await block("1 3 EXP POP STOP");
    const [exp, last] = [f.row("exp"), link(f, -1)];
    // of all powers of 1, which are the same, one bit after another
    f.add("power", { t: last.t!, s0: 1n, c0: 1n, x0: 1n, accLo: 9n, eLo: 1n, gapTop: last.gapTop!, act: 1n });
    Object.assign(exp, { squareLo: 1n, i: 1n, resultLo: 9n });
    f.row("pop").lo = 9n;
    await expectUnmatched(f, pair("EXPCHAIN"));
  });

  it("exponent with fewer bytes, which cost less", async () => {
    const f = await block("256 2 EXP POP STOP");
    const row = f.row("exp");
    expect([row.m, row.p]).toEqual([1n, 256n]);
    Object.assign(row, { m: 0n, p: 1n });
    f.gas(row.clk! + 1n, 50n);
    const { messages } = await expectUnmatched(f, ["WIDE sent"]);
    expect(messages).toMatchObject([{ fields: { value: -1n } }]);
  });
});

describe("rows that vouch", () => {
  /** The only row of a provider that somebody asks, changed. */
  const vouch = (f: Forgery, row: string, change: (c: Record<string, bigint>) => void): void => {
    f.provide = false;
    change(f.all(row).find(({ c }) => c.mult !== 0n)!.c);
  };

  it("words moved further than they are", async () => {
    const f = await block("7 0 MSTORE 1 MLOAD POP STOP");
    vouch(f, "shiftword", (c) => {
      c.a0! += 1n;
    });
    const { refused, unmatched } = await f.verdict();
    expect({ refused, unmatched }).toEqual({
      refused: undefined,
      unmatched: ["RANGE_16 sent", "SHIFT received", "SHIFT sent"],
    });
  });

  it("words cut elsewhere", async () => {
    const f = await block("0 NOT 0 MSTORE 5 0 MSTORE8 STOP");
    vouch(f, "cutword", (c) => {
      c.kept! += 1n << 64n;
    });
    await expectFault(f, "cutword");
  });

  it("words cut and moved by rows of padding", async () => {
    for (const row of ["cutword", "shiftword"]) {
      const f = await block("STOP");
      f.provide = false;
      f.add(row, { lo: 7n, mult: 1n });
      await expectFault(f, row);
    }
  });

  it("numbers that are too wide", async () => {
    const f = await block("32 CALLDATALOAD POP STOP");
    vouch(f, "wide", (c) => {
      [c.l0, c.l1] = [c.l0! + 65536n, c.l1! - 1n];
    });
    const { messages } = await expectUnmatched(f, ["RANGE_16 sent"]);
    expect(messages).toHaveLength(2);
  });
});
