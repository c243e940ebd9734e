import { describe, expect, it } from "vitest";
import { RowError } from "../../../src/rows/errors.js";
import { assignHaltcode, haltcode } from "../../../src/rows/haltcode.js";
import { opcodeEntry } from "../../../src/verifier/ethereum/opcode-table.js";
import { codeAt, haltAt, haltedBy } from "../../support/halts.js";
import { machineWith, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf } from "../../support/steps.js";

const [ADD, CALL, SWAP16, PUSH2, INVALID] = [0x01, 0xf1, 0x9f, 0x61, 0xfe];
const items = (n: number): bigint[] => Array.from({ length: n }, (_, i) => BigInt(i));
const sample = (bytes: readonly number[], n: number) =>
  sampleOf(haltcode, `0x${bytes[0]!.toString(16)} on ${n} items`, items(n), (m) =>
    assignHaltcode(m, { code: codeAt(...bytes) }),
  );

describeRow({
  template: haltcode,
  cost: 41,
  samples: () => [sample([SWAP16], 0), sample([CALL], 6), sample([PUSH2, 0xab, 0xcd], 1024), sample([0x0c], 3)],
});

describe("a halt by opcode or stack", () => {
  it("is needed exactly by what the stack doesn't suffice for, and by what is no opcode", () => {
    for (let op = 0; op < 256; op++) {
      const code = codeAt(op);
      const entry = code.entry(Number(REGISTERS.pc))!;
      const { min, max, defined } = opcodeEntry(entry.class, entry.n)!;
      const halts = (sp: number) => haltAt(code, items(sp)) === "code";
      const edges = [0, min - 1, min, max, max + 1, 1024].filter((sp) => sp >= 0 && sp <= 1024);
      for (const sp of edges) expect(halts(sp), `${op} on ${sp}`).toBe(defined === 0 || sp < min || sp > max);
    }
  });

  it("goes on in mode UNDO without gas, and asks what the opcode at pc needs", () => {
    const row = haltedBy(machineWith([1n]), haltcode, (m) => assignHaltcode(m, { code: codeAt(SWAP16) }));
    expect(askedOf(haltcode, "OPCODE", { what: "", columns: row })).toEqual([
      { class: 0x90n, n: 16n, min: 17n, max: 1024n, defined: 1n },
    ]);
    expect(askedOf(haltcode, "CODE", sample([PUSH2, 0xab, 0xcd], 1024))[0]).toMatchObject({
      class: 0x5fn,
      n: 2n,
      immLo: 0xabcdn,
    });
  });

  it("can't be where the stack suffices for an opcode", async () => {
    const circuit = await rowCircuit("haltcode");
    const honest = [sample([ADD], 1), sample([PUSH2, 0xab, 0xcd], 1024), sample([INVALID], 3)];
    for (const [bytes, n] of [
      [[ADD], 2],
      [[ADD], 1024],
      [[PUSH2, 0xab, 0xcd], 1023],
      [[SWAP16], 17],
      [[CALL], 7],
    ] as const) {
      expect(() => sample(bytes, n)).toThrow(expect.objectContaining({ code: "HALT_UNTRUE" }));
      const { class: opcode, n: which, immHi, immLo } = codeAt(...bytes).entry(Number(REGISTERS.pc))!;
      const { min, max } = opcodeEntry(opcode, which)!;
      const truth = {
        ...{ sp: BigInt(n), class: BigInt(opcode), n: BigInt(which), immHi, immLo },
        ...{ min: BigInt(min), max: BigInt(max), defined: 1n },
      };
      for (const { columns } of honest) {
        for (const isUnder of [0n, 1n, 2n, -1n]) {
          for (const isOver of [0n, 1n, 2n, -1n]) {
            const claim = forged(haltcode, columns, { ...truth, isUnder, isOver });
            expect(passes(circuit, haltcode, claim, claim), `${bytes} on ${n}`).toBe(false);
          }
        }
      }
    }
  });

  it("is not for a pc where no instruction is", () => {
    const inside = () =>
      assignHaltcode(machineWith([], { pc: REGISTERS.pc + 1n }), { code: codeAt(PUSH2, 0xfe, 0xfe) });
    expect(inside).toThrow(expect.objectContaining({ constructor: RowError, code: "HALT_UNTRUE" }));
  });
});
