import { describe, expect, it } from "vitest";
import { assignEnv, env } from "../../../src/rows/env.js";
import { EDGE_WORDS, REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, byName, inOrder, stepped } from "../../support/steps.js";

const OPCODES = [0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x48, 0x4a];
const sample = (n: number, word: bigint) => sampleOf(env, `${n} ${word}`, [9n], (m) => assignEnv(m, n, word));

describeRow({
  template: env,
  cost: 28,
  samples: () => [...OPCODES.map((n) => sample(n, 7n)), ...EDGE_WORDS.map((word) => sample(0x41, word))],
});

describe("COINBASE to BLOBBASEFEE", () => {
  it("push the word that the table has", () => {
    const [hi, lo] = [0xabcn, 0xdefn];
    const word = (hi << 128n) + lo;
    for (const n of OPCODES) {
      const expected = { stack: [9n, word], pc: REGISTERS.pc + 1n, cost: 2n };
      expect(stepped([9n], (m) => assignEnv(m, n, word))).toEqual(expected);
      const columns = sample(n, word);
      expect(askedOf(env, "CODE", columns)).toMatchObject([{ class: 0x41n, n: BigInt(n) }]);
      expect(askedOf(env, "ENV", columns)).toEqual([{ field: BigInt(n), hi, lo }]);
    }
  });

  it("leave no room for an item 1025", async () => {
    const circuit = await rowCircuit("env");
    for (const [sp, fits] of [
      [1023n, true],
      [1024n, false],
    ] as const) {
      const columns = inOrder(env, { ...byName(env, sample(0x41, 7n)), sp });
      expect(passes(circuit, env, columns, columns)).toBe(fits);
    }
  });
});
