import { bytesToBigInt } from "@ethereumjs/util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Code, type CodeEntry, classify } from "../../../../src/verifier/ethereum/code.js";
import { fromHex, joinHalves } from "../../../../src/verifier/ethereum/words.js";

const hex = (text: string) => fromHex(`0x${text.replaceAll(" ", "")}`)!;
const STOP: CodeEntry = { isInstr: 1, class: 0, n: 0, immHi: 0n, immLo: 0n };
const DATA: CodeEntry = { isInstr: 0, class: 0, n: 0, immHi: 0n, immLo: 0n };
const instruction = (opcodeClass: number, n = 0, imm = 0n): CodeEntry => ({
  isInstr: 1,
  class: opcodeClass,
  n,
  immHi: imm >> 128n,
  immLo: imm & ((1n << 128n) - 1n),
});

/** Code made of instructions, many of them PUSHes, possibly cut in the middle of one; and any bytes. */
const code = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc
    .tuple(fc.array(fc.oneof(fc.integer({ min: 0x5b, max: 0x7f }), fc.nat(255)), { maxLength: 20 }), fc.nat(40))
    .map(([opcodes, cut]) => {
      const all = opcodes.flatMap((op) => [op, ...Array<number>(op > 0x5f && op < 0x80 ? op - 0x5f : 0).fill(0x5b)]);
      return Uint8Array.from(all.slice(0, Math.max(0, all.length - cut)));
    }),
);

/** The instructions of a code by going through it, each with the operand as the EVM pads it. */
function walk(bytes: Uint8Array): { instructions: Map<number, bigint>; end: number } {
  const padded = Uint8Array.from([...bytes, ...new Uint8Array(32)]);
  const instructions = new Map<number, bigint>();
  let pc = 0;
  while (pc < bytes.length) {
    const op = bytes[pc]!;
    const n = op >= 0x60 && op <= 0x7f ? op - 0x5f : 0;
    instructions.set(pc, n === 0 ? 0n : bytesToBigInt(padded.slice(pc + 1, pc + 1 + n)));
    pc += n + 1;
  }
  return { instructions, end: pc };
}

describe("classes", () => {
  it("are one for each opcode and n, whatever the opcode", () => {
    const seen = new Map<string, number>();
    for (let opcode = 0; opcode < 256; opcode++) {
      const key = classify(opcode).join(":");
      expect(seen.get(key), `opcodes ${seen.get(key)} and ${opcode}`).toBeUndefined();
      seen.set(key, opcode);
    }
  });

  it.each([
    ["STOP", 0x00, 0x00, 0],
    ["ADD", 0x01, 0x01, 0],
    ["ADDRESS", 0x30, 0x33, 0x30],
    ["BALANCE", 0x31, 0x31, 0],
    ["ORIGIN", 0x32, 0x32, 0x32],
    ["CALLER", 0x33, 0x33, 0x33],
    ["CALLVALUE", 0x34, 0x33, 0x34],
    ["CALLDATALOAD", 0x35, 0x35, 0],
    ["CALLDATASIZE", 0x36, 0x33, 0x36],
    ["CALLDATACOPY", 0x37, 0x37, 0],
    ["CODESIZE", 0x38, 0x33, 0x38],
    ["RETURNDATASIZE", 0x3d, 0x33, 0x3d],
    ["GASPRICE", 0x3a, 0x32, 0x3a],
    ["EXTCODESIZE", 0x3b, 0x3b, 0],
    ["BLOCKHASH", 0x40, 0x40, 0],
    ["COINBASE", 0x41, 0x41, 0x41],
    ["CHAINID", 0x46, 0x41, 0x46],
    ["SELFBALANCE", 0x47, 0x47, 0],
    ["BASEFEE", 0x48, 0x41, 0x48],
    ["BLOBHASH", 0x49, 0x49, 0],
    ["BLOBBASEFEE", 0x4a, 0x41, 0x4a],
    ["JUMPDEST", 0x5b, 0x5b, 0],
    ["MCOPY", 0x5e, 0x5e, 0],
    ["PUSH0", 0x5f, 0x5f, 0],
    ["PUSH1", 0x60, 0x5f, 1],
    ["PUSH32", 0x7f, 0x5f, 32],
    ["DUP1", 0x80, 0x80, 1],
    ["DUP16", 0x8f, 0x80, 16],
    ["SWAP1", 0x90, 0x90, 1],
    ["SWAP16", 0x9f, 0x90, 16],
    ["LOG0", 0xa0, 0xa0, 0],
    ["LOG4", 0xa4, 0xa0, 4],
    ["unassigned 0xa5", 0xa5, 0xa5, 0],
    ["RETURN", 0xf3, 0xf3, 0],
    ["SELFDESTRUCT", 0xff, 0xff, 0],
  ])("%s", (_, opcode, opcodeClass, n) => {
    expect(classify(opcode)).toEqual([opcodeClass, n]);
  });
});

describe("entries", () => {
  it("of no code: one STOP", () => {
    const empty = new Code(new Uint8Array());
    expect(empty.end).toBe(0);
    expect(empty.entry(0)).toEqual(STOP);
    expect(empty.entry(1)).toBeUndefined();
  });

  it("of immediates are no instructions, whatever they hold", () => {
    const { end, entry, isJumpDest } = bound(new Code(hex("61 5b5b 5b 00")));
    expect(end).toBe(5);
    expect([0, 1, 2, 3, 4, 5].map(entry)).toEqual([
      instruction(0x5f, 2, 0x5b5bn),
      DATA,
      DATA,
      instruction(0x5b),
      STOP,
      STOP,
    ]);
    expect([0, 1, 2, 3, 4, 5, 6, -1, 0.5].filter(isJumpDest)).toEqual([3]);
  });

  it("of a truncated PUSH: zeros on the right, no entries for them, STOP behind them", () => {
    const { end, entry } = bound(new Code(hex("00 63 0102")));
    expect(end).toBe(6);
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(entry)).toEqual([
      STOP,
      instruction(0x5f, 4, 0x01020000n),
      DATA,
      DATA,
      undefined,
      undefined,
      STOP,
      undefined,
    ]);
    const last = bound(new Code(hex("7f")));
    expect(last.end).toBe(33);
    expect(last.entry(0)).toEqual(instruction(0x5f, 32));
    expect([1, 32, 33, 34].map(last.entry)).toEqual([undefined, undefined, STOP, undefined]);
  });

  it("halves of an immediate", () => {
    const operand = "0102030405060708090a0b0c0d0e0f10 1112131415161718191a1b1c1d1e1f20";
    expect(new Code(hex(`7f ${operand}`)).entry(0)).toEqual({
      isInstr: 1,
      class: 0x5f,
      n: 32,
      immHi: 0x0102030405060708090a0b0c0d0e0f10n,
      immLo: 0x1112131415161718191a1b1c1d1e1f20n,
    });
  });

  it("of any code are those of a walk through it", () => {
    fc.assert(
      fc.property(code, (bytes) => {
        const { instructions, end } = walk(bytes);
        const { entry, isJumpDest, end: ourEnd } = bound(new Code(bytes));
        expect(ourEnd).toBe(end);
        for (let pc = -1; pc <= end + 2; pc++) {
          const operand = instructions.get(pc);
          const found = entry(pc);
          if (operand !== undefined) {
            const [opcodeClass, n] = classify(bytes[pc]!);
            expect(found).toMatchObject({ isInstr: 1, class: opcodeClass, n });
            expect(joinHalves(found!.immHi, found!.immLo)).toBe(operand);
          } else if (pc === end) {
            expect(found).toEqual(STOP);
          } else {
            expect(found).toEqual(pc >= 0 && pc < bytes.length ? DATA : undefined);
          }
          expect(isJumpDest(pc)).toBe(instructions.has(pc) && bytes[pc] === 0x5b);
        }
      }),
    );
  });

  it("don't change with the caller's buffer", () => {
    const buffer = Buffer.from("6005", "hex");
    const own = new Code(buffer);
    buffer.fill(0);
    expect(own.entry(0)).toEqual(instruction(0x5f, 1, 5n));
  });
});

/** Methods that may be handed around. */
function bound(own: Code) {
  return { end: own.end, entry: (pc: number) => own.entry(pc), isJumpDest: (pc: number) => own.isJumpDest(pc) };
}
