import { describe, expect, it } from "vitest";
import { OPCODES } from "../../../../src/trace/opcodes.js";
import { classify } from "../../../../src/verifier/ethereum/code.js";
import { opcodeEntry } from "../../../../src/verifier/ethereum/opcode-table.js";

const entryOf = (op: number) => opcodeEntry(...classify(op));

describe("the table of opcodes", () => {
  it("asks of the stack what the trace's table takes from it and gives back", () => {
    for (const { op, name, pops, pushes } of OPCODES.values()) {
      expect(entryOf(op), name).toEqual({ min: pops, max: pushes > pops ? 1023 : 1024, defined: 1 });
    }
  });

  it("has those that no row proves, as Cancun has them", () => {
    // CREATE CALL CALLCODE DELEGATECALL CREATE2 STATICCALL SELFDESTRUCT BLOBHASH RETURNDATACOPY
    const needs = [0xf0, 0xf1, 0xf2, 0xf4, 0xf5, 0xfa, 0xff, 0x49, 0x3e].map((op) => entryOf(op)!);
    expect(needs.map(({ min }) => min)).toEqual([3, 7, 7, 6, 4, 6, 1, 1, 3]);
    expect(needs.every(({ max, defined }) => max === 1024 && defined === 1)).toBe(true);
  });

  it("says of all other bytes, INVALID among them, that they are no opcodes", () => {
    const undefinedBytes = Array.from({ length: 256 }, (_, op) => op).filter((op) => entryOf(op)!.defined === 0);
    const holes = [
      [0x0c, 0x0f],
      [0x1e, 0x1f],
      [0x21, 0x2f],
      [0x4b, 0x4f],
      [0xa5, 0xef],
      [0xf6, 0xf9],
      [0xfb, 0xfc],
      [0xfe, 0xfe],
    ];
    const expected = holes.flatMap(([first, last]) => Array.from({ length: last! - first! + 1 }, (_, i) => first! + i));
    expect(undefinedBytes).toEqual(expected);
    for (const op of undefinedBytes) expect(entryOf(op)).toEqual({ min: 0, max: 1024, defined: 0 });
  });

  it("has nothing that no byte is decoded to", () => {
    for (const [opcodeClass, n] of [
      [0x60, 0],
      [0x5f, 33],
      [0x80, 0],
      [0x90, 17],
      [0xa0, 5],
      [1, 1],
      [0, 256],
      [256, 0],
      [-1, 0],
      [0.5, 0],
    ] as const) {
      expect(opcodeEntry(opcodeClass, n)).toBeUndefined();
    }
  });
});
