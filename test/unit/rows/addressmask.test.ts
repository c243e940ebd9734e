import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ADDRESS_MASK, addressmask, assignAddressmask, assignAnd } from "../../../src/rows/addressmask.js";
import { RowError } from "../../../src/rows/errors.js";
import { EDGE_WORDS, machineWith, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, stepped, words } from "../../support/steps.js";

const MAX = (1n << 256n) - 1n;
const sample = (a: bigint, b: bigint) => sampleOf(addressmask, `${a} and ${b}`, [9n, b, a], assignAddressmask);

describeRow({
  template: addressmask,
  cost: 42,
  samples: () => [
    ...[0n, 1n, ADDRESS_MASK - 1n, ADDRESS_MASK, ADDRESS_MASK + 1n, MAX].map((x) => sample(x, ADDRESS_MASK)),
    ...[0n, 1n << 160n, 0x1234_5678_9abcn << 128n, MAX].map((x) => sample(ADDRESS_MASK, x)),
  ],
});

describe("AND with 2^160 - 1", () => {
  it("leaves the lower 160 bits, wherever the mask is", async () => {
    const circuit = await rowCircuit("addressmask");
    const mask = (x: bigint, first: boolean) => {
      const [a, b] = first ? [ADDRESS_MASK, x] : [x, ADDRESS_MASK];
      const expected = { stack: [9n, x % (1n << 160n)], pc: REGISTERS.pc + 1n, cost: 3n };
      expect(stepped([9n, b, a], assignAddressmask)).toEqual(expected);
      const { columns } = sample(a, b);
      expect(passes(circuit, addressmask, columns, columns)).toBe(true);
    };
    for (const x of EDGE_WORDS) for (const first of [true, false]) mask(x, first);
    fc.assert(fc.property(words(), fc.boolean(), mask), { numRuns: 100 });
  });

  it("asks WIDE for 0 if the word is an address", () => {
    for (const x of [0n, 1n, ADDRESS_MASK])
      expect(askedOf(addressmask, "WIDE", sample(x, ADDRESS_MASK))).toEqual([{ value: 0n }]);
    expect(askedOf(addressmask, "WIDE", sample(MAX, ADDRESS_MASK))).toEqual([{ value: (1n << 96n) - 1n }]);
  });

  it("is one row of two: the other AND is for the rest", () => {
    const rowOf = (a: bigint, b: bigint) => {
      const machine = machineWith([b, a]);
      assignAnd(machine);
      expect(machine.peek("STACK", `${REGISTERS.ctx}:0`)).toMatchObject({
        hi: (a & b) >> 128n,
        lo: (a & b) % (1n << 128n),
      });
      return [...machine.rows.keys()];
    };
    expect(rowOf(5n, ADDRESS_MASK)).toEqual(["addressmask"]);
    expect(rowOf(ADDRESS_MASK, 5n)).toEqual(["addressmask"]);
    expect(rowOf(ADDRESS_MASK, ADDRESS_MASK)).toEqual(["addressmask"]);
    expect(rowOf(5n, ADDRESS_MASK + 1n)).toEqual(["bitwise"]);
    expect(() => sample(5n, 6n)).toThrow(expect.objectContaining({ constructor: RowError, code: "ADDRESS_MASK" }));
  });

  it("can't leave another part of the high half, with any h", async () => {
    const circuit = await rowCircuit("addressmask");
    const honest = sample((7n << 160n) + (5n << 128n), ADDRESS_MASK);
    for (const l of [0n, 4n, 6n, 7n, (1n << 32n) - 1n, 5n + (1n << 32n), 5n - (1n << 32n), 7n << 32n]) {
      for (const lHigh of [l >> 16n, 0n]) {
        const columns = forged(addressmask, honest.columns, { l, lHigh });
        expect(passes(circuit, addressmask, columns, columns), `${l}`).toBe(false);
      }
    }
  });
});
