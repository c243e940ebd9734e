import { describe, expect, it } from "vitest";
import { assignHaltjump, haltjump } from "../../../src/rows/haltjump.js";
import { codeAt, haltAt, haltedBy } from "../../support/halts.js";
import { machineWith, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf } from "../../support/steps.js";

const PC = Number(REGISTERS.pc);
/** JUMP or JUMPI, a JUMPDEST, a PUSH3 of three JUMPDESTs. */
const bytes = (op: number) => [op, 0x5b, 0x62, 0x5b, 0x5b, 0x5b] as const;
const [JUMP, JUMPI] = [codeAt(...bytes(0x56)), codeAt(...bytes(0x57))];
const [VALID, PUSH3, DATA] = [PC + 1, PC + 2, PC + 4].map(BigInt) as [bigint, bigint, bigint];
const LENGTH = BigInt(JUMP.bytes.length);
const HIGH = 1n << 128n;

const jump = (dest: bigint) =>
  sampleOf(haltjump, `JUMP ${dest}`, [8n, 9n, dest], (m) => assignHaltjump(m, { code: JUMP }));
const jumpi = (dest: bigint, condition: bigint) =>
  sampleOf(haltjump, `JUMPI ${dest}, ${condition}`, [8n, condition, dest], (m) => assignHaltjump(m, { code: JUMPI }));

const NOT_ASKED = "of an entry or a length that the row doesn't ask for";
const ENTRY = { class: NOT_ASKED, n: NOT_ASKED, immHi: NOT_ASKED, immLo: NOT_ASKED, instr: NOT_ASKED };
const SECOND = "JUMP has no second item";

describeRow({
  template: haltjump,
  cost: 68,
  samples: () => [jumpi(LENGTH, 1n), jumpi(HIGH - 1n, HIGH)],
  free: ENTRY,
});
describeRow({
  template: haltjump,
  cost: 68,
  samples: () => [PUSH3, DATA].map((dest) => jump(dest)),
  free: { cHi: SECOND, cLo: SECOND, cOld: SECOND, length: NOT_ASKED },
});

describe("a halt by jump", () => {
  it("is needed exactly where the destination is no JUMPDEST, if the jump is taken", () => {
    const dests = [
      0n,
      VALID,
      PUSH3,
      DATA,
      LENGTH - 1n,
      LENGTH,
      LENGTH + 77n,
      VALID + HIGH,
      VALID + (1n << 64n),
      1n << 255n,
    ];
    for (const dest of dests) {
      const expected = dest === VALID ? undefined : "jump";
      expect(haltAt(JUMP, [8n, dest])).toBe(expected);
      expect(haltAt(JUMPI, [HIGH, dest])).toBe(expected);
      expect(haltAt(JUMPI, [0n, dest])).toBeUndefined();
      if (expected === undefined) continue;
      haltedBy(machineWith([8n, dest]), haltjump, (m) => assignHaltjump(m, { code: JUMP }));
      haltedBy(machineWith([1n, dest]), haltjump, (m) => assignHaltjump(m, { code: JUMPI }));
    }
  });

  it("asks for the length or for what stands there", () => {
    expect(askedOf(haltjump, "CTX", jump(LENGTH + 5n))).toEqual([
      { ctx: REGISTERS.ctx, hi: 0n, lo: LENGTH, field: 0x38n },
    ]);
    expect(askedOf(haltjump, "WIDE", jump(LENGTH + 5n))).toEqual([{ value: 5n }]);
    expect(askedOf(haltjump, "WIDE", jump(5n * HIGH))).toEqual([{ value: 4n }]);
    expect(askedOf(haltjump, "CODE", jump(DATA))[1]).toMatchObject({ pc: DATA, isInstr: 0n, class: 0n });
    expect(askedOf(haltjump, "CODE", jump(PUSH3))[1]).toMatchObject({ pc: PUSH3, isInstr: 1n, immLo: 0x5b5b5bn });
  });

  it("can't be of a jump to a JUMPDEST, or of one that isn't taken", async () => {
    const circuit = await rowCircuit("haltjump");
    const untrue = expect.objectContaining({ code: "HALT_UNTRUE" });
    expect(() => jump(VALID)).toThrow(untrue);
    expect(() => jumpi(VALID, 1n)).toThrow(untrue);
    expect(() => jumpi(LENGTH, 0n)).toThrow(untrue);
    const aim = { destHi: 0n, destLo: VALID, length: LENGTH, class: 0x5bn, n: 0n, immHi: 0n, immLo: 0n, instr: 1n };
    const flags = [0n, 1n, 2n, -1n];
    for (const { columns } of [jump(LENGTH), jump(HIGH), jump(DATA), jumpi(DATA, 1n)]) {
      for (const isHigh of flags) {
        for (const isBeyond of flags) {
          for (const isOther of flags) {
            const idle = isHigh === 0n && isBeyond === 0n && isOther === 0n;
            const claim = forged(haltjump, columns, { ...aim, isHigh, isBeyond, isOther });
            // no flag at all is no row, but for JUMPI's item
            if (!idle) expect(passes(circuit, haltjump, claim, claim)).toBe(false);
          }
        }
      }
    }
    // nor can another length be claimed
    const { columns: beyond } = jump(LENGTH);
    expect(passes(circuit, haltjump, beyond, forged(haltjump, beyond, { length: LENGTH - 1n }))).toBe(false);
    const idle = forged(haltjump, jumpi(LENGTH, 1n).columns, { cHi: 0n, cLo: 0n });
    expect(passes(circuit, haltjump, idle, idle)).toBe(false);
    // its flag is what asks for the condition: without it the row is one of JUMP, at whose pc JUMPI isn't found
    const asJump = forged(haltjump, idle, { isJumpi: 0n });
    expect(askedOf(haltjump, "CODE", { what: "", columns: asJump })[0]!.class).toBe(0x56n);
  });
});
