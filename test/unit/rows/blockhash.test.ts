import { describe, expect, it } from "vitest";
import { assignBlockhash, blockhash } from "../../../src/rows/blockhash.js";
import { REGISTERS, sampleOf } from "../../support/machine.js";
import { describeRow, passes, rowCircuit, type Sample } from "../../support/rows.js";
import { askedOf, stepped } from "../../support/steps.js";
import { changed } from "../../support/storage.js";

const NUMBER = 19_000_000n;
const hashOf = (n: bigint): bigint => (0xabcdn << 240n) + (n << 128n) + n + 1n;
const frameAt = (number: bigint) => ({
  number,
  blockHash(n: bigint): bigint {
    if (n >= number || n < number - 256n || n < 0n) throw new Error(`${n} is not one of the 256 blocks`);
    return hashOf(n);
  },
});
const sample = (n: bigint, number = NUMBER): Sample =>
  sampleOf(blockhash, `${n} at ${number}`, [9n, n], (m) => assignBlockhash(m, frameAt(number)));

describeRow({
  template: blockhash,
  cost: 48,
  samples: () => [NUMBER - 256n, NUMBER - 1n].map((n) => sample(n)),
});
const unseen = "only in a message that is not sent, and in a product with inside = 0";
describeRow({
  template: blockhash,
  cost: 48,
  samples: () => [0n, NUMBER - 257n, NUMBER, (1n << 128n) - 1n].map((n) => sample(n)),
  free: { hashHi: unseen, hashLo: unseen },
});

describe("BLOCKHASH", () => {
  const run = (n: bigint, number = NUMBER) => stepped([9n, n], (m) => assignBlockhash(m, frameAt(number)));

  it("pushes the hash of the 256 blocks before this one, and 0 for all others, for 20 gas", () => {
    const step = { pc: REGISTERS.pc + 1n, cost: 20n };
    for (const n of [NUMBER - 1n, NUMBER - 2n, NUMBER - 255n, NUMBER - 256n])
      expect(run(n)).toEqual({ ...step, stack: [9n, hashOf(n)] });
    for (const n of [0n, NUMBER - 257n, NUMBER, NUMBER + 1n, 1n << 64n, 1n << 128n, (1n << 256n) - 1n])
      expect(run(n)).toEqual({ ...step, stack: [9n, 0n] });
    // where there are no 256 blocks before
    for (const n of [0n, 9n]) expect(run(n, 10n).stack).toEqual([9n, hashOf(n)]);
    expect(run(10n, 10n).stack).toEqual([9n, 0n]);
    expect(run(0n, 0n).stack).toEqual([9n, 0n]);
  });

  it("asks for the block's number, and for the hash only inside", () => {
    for (const [n, inside] of [
      [NUMBER - 256n, true],
      [NUMBER - 257n, false],
      [NUMBER, false],
      [1n << 200n, false],
    ] as const) {
      const row = sample(n);
      expect(askedOf(blockhash, "ENV", row)).toEqual([{ field: 0x43n, hi: 0n, lo: NUMBER }]);
      expect(askedOf(blockhash, "BLOCKHASH", row).map((asked) => asked.n)).toEqual(inside ? [n] : []);
      expect(askedOf(blockhash, "WIDE", row).length).toBe(inside ? 0 : 1);
    }
  });

  it("cannot take a number with something in its high half for the number of a block", async () => {
    const circuit = await rowCircuit("blockhash");
    const { columns } = sample((5n << 128n) + NUMBER - 1n);
    // BLOCKHASH has an entry for the low half
    const hash = { hashHi: hashOf(NUMBER - 1n) >> 128n, hashLo: hashOf(NUMBER - 1n) & ((1n << 128n) - 1n) };
    const inside = changed(blockhash, columns, { ...hash, above: 0n, inside: 1n });
    expect(passes(circuit, blockhash, inside, inside)).toBe(false);
    const known = changed(blockhash, inside, { nHi: 0n });
    expect(passes(circuit, blockhash, known, known)).toBe(true);
    expect(passes(circuit, blockhash, columns, known)).toBe(false);
    // WIDE is asked for 0: whatever nLo is
    for (const changes of [{ nHi: 0n }, { nHi: 6n }, { nLo: 0n }])
      expect(passes(circuit, blockhash, columns, changed(blockhash, columns, changes))).toBe(false);
  });

  it("cannot say that a block has another place than it has", async () => {
    const circuit = await rowCircuit("blockhash");
    const flags = { inside: 0n, above: 0n, below: 0n };
    for (const [n, honest] of [
      [NUMBER - 257n, "below"],
      [NUMBER - 256n, "inside"],
      [NUMBER - 1n, "inside"],
      [NUMBER, "above"],
      [1n << 128n, "above"],
      [(1n << 128n) + NUMBER - 1n, "above"],
    ] as const) {
      const { columns } = sample(n);
      for (const flag of ["inside", "above", "below"] as const) {
        const forged = changed(blockhash, columns, { ...flags, [flag]: 1n });
        // even if everybody else took it, but for BLOCKHASH, which has no entry outside
        const wanted = flag === "inside" ? columns : forged;
        expect(passes(circuit, blockhash, wanted, forged), `${n} ${flag}`).toBe(flag === honest);
      }
      for (const more of [
        { inside: 1n, above: 1n },
        { above: 1n, below: 1n },
        { inside: 1n, above: -1n, below: 1n },
      ]) {
        const forged = changed(blockhash, columns, { ...flags, ...more });
        expect(passes(circuit, blockhash, forged, forged)).toBe(false);
      }
    }
  });
});
