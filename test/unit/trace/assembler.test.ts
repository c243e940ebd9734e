import { describe, expect, it } from "vitest";
import { assemble } from "../../../src/trace/index.js";
import { toHex } from "../../../src/trace/read.js";
import { expectTraceError } from "../../support/trace-errors.js";

const hex = (text: string) => toHex(assemble(text));

describe("the assembler", () => {
  it("writes numbers with as few bytes as they need", () => {
    expect(hex("0 1 255 256 0x0100 0xffff 65536")).toBe("0x5f600160ff6101006101006" + "1ffff62010000");
    expect(hex(String((1n << 256n) - 1n))).toBe(`0x7f${"ff".repeat(32)}`);
    expect(hex("PUSH3 5 PUSH0 PUSH32 0x1")).toBe(`0x620000055f7f${"00".repeat(31)}01`);
  });

  it("resolves labels in both directions", () => {
    expect(hex("@end JUMP\nloop: @loop JUMP\nend: STOP")).toBe("0x61000956" + "5b61000456" + "5b00");
  });

  it("passes bytes through, and ignores comments and blanks", () => {
    expect(hex("  ; nothing\n\n.0xFE5b ADD ; and more ADD\r\n\tSTOP")).toBe("0xfe5b0100");
    expect(hex("")).toBe("0x");
  });

  it("knows the opcodes that cannot be proved too", () => {
    expect(hex("KECCAK256 MSTORE8 LOG4 CREATE2 SELFDESTRUCT INVALID")).toBe("0x2053a4f5fffe");
  });

  const wrong: [string, string][] = [
    ["ADD\nADDD", "line 2"],
    ["add", "line 1"],
    ["0x", "line 1"],
    ["12x", "line 1"],
    ["-1", "line 1"],
    [String(1n << 256n), "line 1"],
    ["PUSH1 256", "line 1"],
    ["PUSH1", "line 1"],
    ["PUSH1\n5", "line 1"],
    ["PUSH2 @a a:", "line 1"],
    ["@nowhere", "line 1"],
    ["a:\na:", "line 2"],
    [".0x1", "line 1"],
    [".", "line 1"],
    ["1 ADD:2", "line 1"],
    [`.0x${"00".repeat(65536)}`, "code"],
  ];
  it.each(wrong)("refuses %j", async (text, where) => {
    await expectTraceError(() => assemble(text), "TRACE_ASSEMBLY", where);
  });
});
