/**
 * Frauds by name (docs/protocol.md, section 12) with what stands beside the stack: logs, claimed hashes, exceptional halts,
 * chains. As in frauds.test.ts everything that can be made to fit does fit, and the test says what is left to catch it.
 */

import { describe, expect, it } from "vitest";
import { invert, mod } from "../../../src/circuits/linear.js";
import { memoryCost } from "../../../src/rows/memory.js";
import type { Forgery } from "../../support/blocks.js";
import { blockOfCall as block, expectFault, expectRefused, expectUnmatched, pair } from "../../support/frauds.js";

describe("logs", () => {
  const TWO = "7 40 1 LOG1 8 32 0 LOG1";

  it("log of a reverted frame", async () => {
    const f = await block("7 0 0 LOG1 0 0 REVERT");
    const { clk, address } = { clk: f.row("logs").clk!, address: f.row("undolog").address! };
    f.end.logs.entries.push({ clk, address, topics: [7n], data: new Uint8Array(0) });
    await expectRefused(f, "CLAIM_END");
  });

  it("log of a reverted frame, in a transaction that claims none", async () => {
    const f = await block("7 0 0 LOG1 0 0 REVERT");
    const [log, undo] = [f.row("logs"), f.row("undolog")];
    const { t, entryOld, n } = undo;
    const when = 16n * log.clk! + 2n;
    f.drop(undo);
    // the counter is what a failure makes it, and the entry is sunk
    Object.assign(f.row("fail"), { n: 1n, nOld: when });
    f.add("sinkjournal", { t: entryOld!, T: 1n, j: undo.j!, space: 5n, valueHi: n!, valueLo: t!, act: 1n });
    f.row("undoaccount").jOld = when;
    f.shift(undo.clk!, -1n);
    await expectUnmatched(f, ["JRN received", "JRN sent", "LOG sent"]);
  });

  it("reverted log swapped in by undo", async () => {
    const f = await block("7 0 0 LOG1 8 0 0 LOG1 0 0 REVERT");
    const [last, first] = [f.row("undolog", 0), f.row("undolog", 1)];
    expect([last.topic1Lo, first.topic1Lo]).toEqual([8n, 7n]);
    last.topic1Lo = 7n;
    await expectUnmatched(f, pair("LOG"));
    // and with the time and the number that it was sent with
    Object.assign(last, { t: first.t, n: 0n, nOld: first.nOld, entryOld: first.entryOld });
    const { unmatched } = await f.verdict();
    expect(unmatched).toEqual(expect.arrayContaining(pair("JOURNAL", "LOG")));
  });

  it("log left out", async () => {
    const f = await block(`${TWO} STOP`);
    f.end.logs.entries.pop();
    await expectUnmatched(f, ["LOG sent", "LOGDATA sent", ...pair("LOGS")]);
  });

  it("data of a log sunk", async () => {
    const f = await block(`${TWO} STOP`);
    const t = 16n * f.row("logs", 1).clk!;
    const { i, outHi, outLo } = f.all("read").find(({ c }) => c.t === t && c.i !== mod(-1n))!.c;
    f.add("sink", { t, index: i!, hi: outHi!, lo: outLo!, isLogdata: 1n });
    f.end.logs.entries[1]!.data = new Uint8Array(0);
    await expectUnmatched(f, pair("LOG"));
  });
});

describe("claims", () => {
  const HASH = "JUMPDEST 0x1234 0 MSTORE 32 0 KECCAK256 POP JUMPDEST STOP";

  it("claim with a wrong digest", async () => {
    const f = await block(HASH);
    const row = f.row("keccak");
    row.lo! += 1n;
    f.row("pop").lo! += 1n;
    await expectUnmatched(f, pair("CLAIM"));
  });

  it("claim of other bytes", async () => {
    const f = await block(HASH);
    f.end.keccaks[0]!.data = new Uint8Array(32).fill(1);
    await expectUnmatched(f, pair("CLAIM", "CLAIMWORD"));
  });

  it("claim at a foreign row", async () => {
    const f = await block(HASH);
    f.end.keccaks[0]!.clk += 1n;
    await expectUnmatched(f, pair("CLAIM", "CLAIMWORD"));
  });

  it("claims of two rows swapped", async () => {
    const f = await block("32 0 KECCAK256 POP 33 0 KECCAK256 POP STOP");
    const [first, second] = f.end.keccaks;
    [first!.data, second!.data] = [second!.data, first!.data];
    await expectUnmatched(f, pair("CLAIM", "CLAIMWORD"));
  });

  it("an empty slice read from the fraction of a word", async () => {
    const f = await block("0 0 KECCAK256 POP STOP");
    const row = f.row("keccak");
    const first = invert(32n);
    Object.assign(row, { first, reach: first });
    const { clk, ctx } = row as { clk: bigint; ctx: bigint };
    const link = { ctx, shift: 31n, k: mod(first - 1n), i: mod(-1n), end: 0n, m: 32n, has: 1n, isClaim: 1n };
    f.add("read", { ...link, t: 16n * clk, wordOld: 16n * clk });
    // everything fits but the word, which nobody has written
    await expectUnmatched(f, pair("MEMORY"));
  });
});

describe("halts that are none", () => {
  /**
   * Code that fails by INVALID, of which the last step of a template halts instead, as a row says. The rows from there to
   * the failure are left out.
   */
  async function halted(
    code: string,
    at: string,
    row: string,
    columns: (step: Record<string, bigint>) => Record<string, bigint>,
  ): Promise<{ f: Forgery; step: Record<string, bigint> }> {
    const f = await block(code);
    const step = f.row(at, -1);
    const end = f.row("haltcode").clk!;
    f.drop(...f.rows.flatMap(({ c }) => (c.clk !== undefined && c.clk >= step.clk! && c.clk <= end ? [c] : [])));
    const { clk, ctx, code: id, pc, sp, gas, msize } = step as Record<string, bigint>;
    for (const { row: name, c } of f.rows) {
      if (name === "undoaccount" || name === "fail") Object.assign(c, { pc, sp, msize });
    }
    f.shift(end + 1n, step.clk! - end);
    f.add(row, { clk: clk!, ctx: ctx!, code: id!, pc: pc!, sp: sp!, gas: gas!, msize: msize!, ...columns(step) });
    return { f, step };
  }

  for (const gas of [1n, 0n]) {
    it(`for want of gas, with ${gas} left`, async () => {
      const { f } = await halted("JUMPDEST INVALID", "jumpdest", "haltgas", ({ gas: left }) => ({
        ...{ high: mod(-1n - left!) >> 16n, act: 1n },
      }));
      await expectUnmatched(f, ["RANGE_16 sent"]);
    });
  }

  it("a jump to a JUMPDEST, by the class of another entry", async () => {
    const { f } = await halted("@x JUMP x: INVALID", "jump", "haltjump", ({ dest, tOld, high }) => ({
      ...{ destLo: dest!, destOld: tOld!, destHigh: high!, class: 0xfen, instr: 1n, isOther: 1n },
    }));
    await expectUnmatched(f, ["CODE sent"]);
  });

  it("a jump to a JUMPDEST, behind the end of shorter code", async () => {
    const { f } = await halted("@x JUMP x: INVALID", "jump", "haltjump", ({ dest, tOld, high }) => ({
      ...{ destLo: dest!, destOld: tOld!, destHigh: high!, length: dest!, isBeyond: 1n },
    }));
    await expectUnmatched(f, ["CTX sent"]);
  });

  it("a jump that isn't taken", async () => {
    const { f } = await halted("0 99 JUMPI INVALID", "jumpi", "haltjump", (c) => ({
      ...{ destLo: c.destLo!, destOld: c.destOld!, destHigh: c.destHigh!, cOld: c.cOld!, cHigh: c.cHigh! },
      ...{ length: 6n, isJumpi: 1n, isBeyond: 1n },
    }));
    expect((await f.verdict()).faults).toEqual(["haltjump"]);
  });

  it("memory that is affordable, at words that aren't needed", async () => {
    const words = (1n << 20n) - 1n;
    const { f, step } = await halted("0 MLOAD INVALID", "mload", "haltmemory", ({ gas, offsetOld, offsetHigh }) => ({
      ...{ offsetOld: offsetOld!, offsetHigh: offsetHigh!, words, cost1: memoryCost(words), isMload: 1n },
      ...{ shortHigh: (memoryCost(words) - gas! - 1n) >> 16n, over: mod(-1n), overHigh: 0n },
    }));
    // what MLOAD would have left behind
    const pushed = 16n * step.clk! + 2n;
    f.drop(...f.all("expand").map(({ c }) => c));
    f.drop(...f.all("sink").flatMap(({ c }) => (c.isMemory === 1n || c.t === pushed ? [c] : [])));
    await expectUnmatched(f, ["RANGE_16 sent"]);
  });

  it("an opcode that is one", async () => {
    for (const [columns, unmatched] of [
      [{ class: 0x5bn, max: 1024n }, "OPCODE sent"],
      [{ class: 0xfen, max: 1024n }, "CODE sent"],
      [{ class: 0x5bn, min: 1n, max: 1024n, defined: 1n, isUnder: 1n }, "OPCODE sent"],
    ] as const) {
      const { f } = await halted("JUMPDEST INVALID", "jumpdest", "haltcode", () => ({ ...columns, act: 1n }));
      await expectUnmatched(f, [unmatched]);
    }
  });

  it("RETURNDATACOPY of nothing", async () => {
    const { f } = await halted("0 0 0 RETURNDATACOPY INVALID", "returndatacopy", "haltreturn", (c) => ({
      ...{ tOld: c.offsetOld!, high: c.offsetHigh!, act: 1n },
    }));
    await expectFault(f, "haltreturn");
  });
});

describe("chains and tables", () => {
  it("a power of another exponent", async () => {
    const f = await block("5 3 EXP POP STOP");
    f.row("exp").resultLo = 81n;
    f.row("pop").lo = 81n;
    await expectUnmatched(f, pair("EXPCHAIN"));
    // a factor that counts for another bit
    const last = f.all("power").findLast(({ c }) => c.isMul === 1n)!.c;
    last.powLo! -= 1n;
    const { unmatched } = await f.verdict();
    expect(unmatched).toContain("POW2 sent");
  });

  it("MSTORE8 at the fraction of a byte", async () => {
    const f = await block("5 33 MSTORE8 STOP");
    const r = mod(247n * invert(8n));
    // 2^1 is a power that there is, and the offset is what the stack says
    Object.assign(f.row("mstore8"), { r, i: mod((33n - r) * invert(32n)), powerLo: 2n, powerHi: 0n });
    const { unmatched } = await f.verdict();
    expect(unmatched).toEqual(expect.arrayContaining(["CUT sent", "MEMORY received"]));
  });

  it("words moved by no bytes, vouched for by a row that provides nothing", async () => {
    const f = await block("1 MLOAD POP STOP");
    f.provide = false;
    Object.assign(f.row("shiftword"), { m: 0n, mInverse: 0n, w: 0n });
    await expectFault(f, "shiftword");
  });
});
