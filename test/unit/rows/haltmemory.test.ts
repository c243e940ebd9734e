import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mod } from "../../../src/circuits/linear.js";
import { MEMORY_OPERANDS } from "../../../src/rows/halt.js";
import { assignHaltmemory, haltmemory, haltmemoryNeed } from "../../../src/rows/haltmemory.js";
import { memoryCost } from "../../../src/rows/memory.js";
import { codeAt, haltAt, haltedBy } from "../../support/halts.js";
import { machineWith, REGISTERS, sampleOf } from "../../support/machine.js";
import { forged, memoryGas } from "../../support/memory.js";
import { describeRow, passes, rowCircuit } from "../../support/rows.js";
import { askedOf, byName, words } from "../../support/steps.js";

const [KECCAK, EXTCODECOPY, MLOAD, MSTORE8, MCOPY, LOG3] = [0x20, 0x3c, 0x51, 0x53, 0x5e, 0xa3] as const;
const MAX = (1n << 256n) - 1n;
const MOST = (1n << 20n) - 1n;
const { gas: GAS, msize } = REGISTERS;
const FREE = GAS + memoryGas(msize);
/** Words that the gas just suffices for. */
const PAID = (() => {
  let words = msize;
  while (memoryGas(words + 1n) <= FREE) words++;
  return words;
})();

/** The stack of an opcode, bottom first, whose items from the top are these. */
const stackOf = (...items: readonly bigint[]) => [...items, 9n, 9n, 9n, 9n, 9n].toReversed();
const sample = (op: number, ...items: readonly bigint[]) =>
  sampleOf(haltmemory, `0x${op.toString(16)} of ${items}`, stackOf(...items), (m) =>
    assignHaltmemory(m, { code: codeAt(op) }),
  );

describeRow({
  template: haltmemory,
  cost: 85,
  samples: () => [
    sample(LOG3, 32n * PAID, 1n),
    sample(EXTCODECOPY, 5n, MAX, 6n, MAX),
    sample(MCOPY, 0n, (1n << 128n) - 1n, (1n << 128n) - 1n),
  ],
});
describeRow({
  template: haltmemory,
  cost: 85,
  samples: () => [sample(MLOAD, 32n * PAID - 31n), sample(MSTORE8, 1n << 128n)],
  free: { sizeOld: "the size is no item" },
});

/** What the Yellow Paper says the memory's growth costs: for the slices [offset, size] of an opcode. */
const growth = (slices: readonly (readonly [bigint, bigint])[]): bigint => {
  const ends = slices.map(([offset, size]) => (size === 0n ? 0n : (offset + size + 31n) / 32n));
  const words = ends.reduce((most, end) => (end > most ? end : most), msize);
  return memoryGas(words) - memoryGas(msize);
};

/** Slices by opcode, from the items top first. */
const SLICES: Readonly<Record<number, (items: readonly bigint[]) => (readonly [bigint, bigint])[]>> = {
  32: ([a, b]) => [[a!, b!]],
  55: ([a, , c]) => [[a!, c!]],
  57: ([a, , c]) => [[a!, c!]],
  60: ([, b, , d]) => [[b!, d!]],
  81: ([a]) => [[a!, 32n]],
  82: ([a]) => [[a!, 32n]],
  83: ([a]) => [[a!, 1n]],
  94: ([a, b, c]) => [
    [a!, c!],
    [b!, c!],
  ],
  160: ([a, b]) => [[a!, b!]],
  243: ([a, b]) => [[a!, b!]],
  253: ([a, b]) => [[a!, b!]],
};

describe("a halt for want of gas for memory", () => {
  it("is needed exactly where the growth costs more than the gas, and can be shown there", async () => {
    const circuit = await rowCircuit("haltmemory");
    const near = fc.bigInt({ min: 0n, max: 64n }).map((x) => 32n * PAID - 32n + x);
    const item = fc.oneof(near, fc.bigInt({ min: 0n, max: 40n }), fc.bigInt({ min: 0n, max: 1n << 26n }), words());
    const opcode = fc.constantFrom(...Object.keys(SLICES).map(Number));
    fc.assert(
      fc.property(opcode, fc.tuple(item, item, item, item), (op, items) => {
        const halts = growth(SLICES[op]!(items)) > GAS;
        expect(haltAt(codeAt(op), stackOf(...items))).toBe(halts ? "memory" : undefined);
        if (!halts) return;
        const assign = (m: Parameters<typeof assignHaltmemory>[0]) => assignHaltmemory(m, { code: codeAt(op) });
        const row = haltedBy(machineWith(stackOf(...items)), haltmemory, assign);
        expect(passes(circuit, haltmemory, row, row), `${op} of ${items}`).toBe(true);
      }),
      { numRuns: 150 },
    );
    expect([...MEMORY_OPERANDS.keys()].sort()).toEqual(Object.keys(SLICES).map(Number).sort());
  });

  it("is at the word that the gas doesn't suffice for, and not the one before", () => {
    const at = (op: number, ...items: readonly bigint[]) => haltAt(codeAt(op), stackOf(...items));
    expect(at(KECCAK, 32n * PAID, 0n)).toBeUndefined();
    expect(at(KECCAK, MAX, 0n)).toBeUndefined();
    expect(at(KECCAK, 32n * PAID - 1n, 1n)).toBeUndefined();
    expect(at(KECCAK, 32n * PAID - 1n, 2n)).toBe("memory");
    expect(at(KECCAK, 0n, 1n << 128n)).toBe("memory");
    expect(at(MCOPY, 0n, 32n * PAID, 1n)).toBe("memory");
    expect(at(LOG3, 0n, MAX)).toBe("memory");
    expect(askedOf(haltmemory, "MEMGAS", sample(KECCAK, MAX, MAX))).toEqual([
      { w: msize, cost: memoryGas(msize) },
      { w: MOST, cost: memoryGas(MOST) },
    ]);
  });

  it("can't be where the memory is affordable, whatever is claimed", async () => {
    const circuit = await rowCircuit("haltmemory");
    /** Tries to halt with items that are affordable, at some number of words. */
    const tries = (op: number, items: readonly bigint[], honest: readonly bigint[], extra = {}) => {
      expect(() => sample(op, ...items)).toThrow(expect.objectContaining({ code: "HALT_UNTRUE" }));
      const operand = MEMORY_OPERANDS.get(op)![0]!;
      const offset = items[operand.offset - 1]!;
      const size = typeof operand.size === "number" ? items[operand.size - 1]! : 0n;
      for (const claimed of [msize, PAID, PAID + 1n, MOST]) {
        const base = forged(haltmemory, honest, {
          ...{ offsetHi: offset >> 128n, offsetLo: offset % (1n << 128n) },
          ...{ sizeHi: size >> 128n, sizeLo: size % (1n << 128n), words: claimed, cost1: memoryCost(claimed) },
          ...extra,
        });
        const columns = byName(haltmemory, { what: "", columns: base });
        const short = mod(columns.cost1 - columns.cost0 - columns.gas - 1n);
        // the limbs that would be true if the numbers came around modulo r too
        for (const need of [haltmemoryNeed(columns), mod(haltmemoryNeed(columns))]) {
          const over = mod(need >> 128n);
          const claim = forged(haltmemory, base, { shortHigh: short >> 16n, over, overHigh: over >> 16n });
          expect(passes(circuit, haltmemory, claim, claim), `${op} of ${items}, ${claimed} words`).toBe(false);
        }
      }
    };
    const keccak = sample(KECCAK, 32n * PAID, 1n).columns;
    tries(KECCAK, [0n, 0n], keccak);
    tries(KECCAK, [MAX, 0n], keccak);
    tries(KECCAK, [32n * PAID - 1n, 1n], keccak);
    tries(KECCAK, [0n, 32n * PAID], keccak);
    const mload = sample(MLOAD, 32n * PAID).columns;
    tries(MLOAD, [32n * PAID - 32n], mload);
    // a size of its own beside the constant
    tries(MLOAD, [0n], mload, { sizeLo: 1n << 100n });
    tries(MLOAD, [0n], mload, { sizeHi: 1n });
    // no flag, or one and a half
    tries(MLOAD, [0n], mload, { isMload: 2n, isMstore: -1n });
    tries(KECCAK, [0n, 5n], keccak, { isKeccak: 2n, isLog: -1n });
  });
});
