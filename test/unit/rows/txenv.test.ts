import { describe, expect, it } from "vitest";
import { assignTxenv, txenv } from "../../../src/rows/txenv.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, byName, inOrder, stepped } from "../../support/steps.js";

const OPCODES = [0x32, 0x3a];
const sample = (n: number, word: bigint) => sampleOf(txenv, `${n} ${word}`, [9n], (m) => assignTxenv(m, n, 3n, word));

describeRow({
  template: txenv,
  cost: 32,
  samples: () => [...OPCODES.map((n) => sample(n, 7n)), ...EDGE_WORDS.map((word) => sample(0x32, word))],
});

describe("ORIGIN, GASPRICE", () => {
  it("push the word that the table has", () => {
    const [hi, lo] = [0xabcn, 0xdefn];
    const word = (hi << 128n) + lo;
    for (const n of OPCODES) {
      const expected = { stack: [9n, word], pc: REGISTERS.pc + 1n, cost: 2n };
      expect(stepped([9n], (m) => assignTxenv(m, n, 3n, word))).toEqual(expected);
      const columns = sample(n, word);
      expect(askedOf(txenv, "CODE", columns)).toMatchObject([{ class: 0x32n, n: BigInt(n) }]);
      expect(askedOf(txenv, "CTX", columns)).toEqual([{ ctx: REGISTERS.ctx, field: 0x100n, hi: 0n, lo: 3n }]);
      expect(askedOf(txenv, "TXENV", columns)).toEqual([{ T: 3n, field: BigInt(n), hi, lo }]);
    }
  });

  it("leave no room for an item 1025", async () => {
    const circuit = await rowCircuit("txenv");
    for (const [sp, fits] of [
      [1023n, true],
      [1024n, false],
    ] as const) {
      const columns = inOrder(txenv, { ...byName(txenv, sample(0x32, 7n)), sp });
      expect(passes(circuit, txenv, columns, columns)).toBe(fits);
    }
  });
});
