import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignCalldataload, calldataload } from "../../../src/rows/calldataload.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { fieldsOf } from "../../../src/verifier/bus.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { EDGE_WORDS, machineWith, REGISTERS } from "../../support/machine.js";
import { forged, giveWords, outOfRange, rowsOf, sampleOn, unmatched, unmatchedBy } from "../../support/memory.js";
import { describeRow, evaluate, rowCircuit } from "../../support/rows.js";

const REGION = REGISTERS.ctx - 1n;

/** A machine whose calldata is `words`, of which `length` bytes count. */
function machineWithCalldata(offset: bigint, words: readonly bigint[]) {
  const machine = machineWith([9n, offset]);
  giveWords(machine, words, REGION, 16n * REGION);
  return machine;
}

const sample = (offset: bigint, length: bigint, words = EDGE_WORDS) =>
  sampleOn(machineWithCalldata(offset, words), calldataload, `${offset} of ${length}`, (m) =>
    assignCalldataload(m, { ctx: REGION, length }),
  );

const full = 32n * BigInt(EDGE_WORDS.length);

describeRow({
  template: calldataload,
  cost: 52,
  samples: () => [
    ...EDGE_WORDS.map((_, i) => sample(32n * BigInt(i), full)),
    sample(0n, 1n, [1n << 248n]),
    sample(full - 32n, full - 31n),
  ],
});

describe("beyond the end", () => {
  // no MEMORY message there, so the columns that would be its time stand nowhere else; their ranges are asked all the same
  const time = "the time of a message that is not sent";
  describeRow({
    template: calldataload,
    cost: 52,
    samples: () => [
      sample(0n, 0n, []),
      sample(32n, 32n, [5n]),
      sample(full, full),
      sample(full + 3_200n, full),
      sample((1n << 32n) - 32n, 7n, [0n]),
    ],
    free: { wordOld: time, wordHigh: time },
  });
});

describe("CALLDATALOAD", () => {
  it("pushes the bytes there, zeros beyond the end, and leaves the bus balanced", () => {
    const offset = fc.bigInt({ min: 0n, max: 6n });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 130 }), offset, (data, i) => {
        const hex = (at: number, length: number) =>
          Buffer.from(Array.from({ length }, (_, k) => data[at + k] ?? 0)).toString("hex");
        const words = Array.from({ length: Math.ceil(data.length / 32) }, (_, k) => BigInt(`0x${hex(32 * k, 32)}`));
        const m = machineWithCalldata(32n * i, words);
        const before = m.registers;
        const calldata = { ctx: REGION, length: BigInt(data.length) };
        expect(unmatchedBy(m, () => assignCalldataload(m, calldata))).toEqual([]);
        expect(m.registers).toEqual({ ...before, clk: before.clk + 1n, pc: before.pc + 1n, gas: before.gas - 3n });
        expect(m.takeStack(1).value).toBe(BigInt(`0x${hex(32 * Number(i), 32)}`));
        const asked = messagesOf(calldataload, rowsOf(m, calldataload)[0]!).filter(({ tag }) => tag === "CTX");
        expect(asked.map(fieldsOf)).toEqual([
          { ctx: REGISTERS.ctx, hi: 0n, lo: BigInt(data.length), field: 0x36n },
          { ctx: REGISTERS.ctx, hi: 0n, lo: REGION, field: 0x101n },
        ]);
      }),
    );
  });

  it("is refused away from multiples of 32, and from 2^32 on", () => {
    const at = (offset: bigint) => () =>
      assignCalldataload(machineWithCalldata(offset, [1n]), { ctx: REGION, length: 32n });
    expect(at(4n)).toThrow(expect.objectContaining({ code: "MEMORY_ALIGNMENT" }));
    expect(at(1n << 32n)).toThrow(expect.objectContaining({ code: "CALLDATA_OFFSET" }));
    expect(at(1n << 255n)).toThrow(expect.objectContaining({ code: "CALLDATA_OFFSET" }));
  });

  it("can't call what is inside outside, nor the other way round", async () => {
    const circuit = await rowCircuit("calldataload");
    for (const [offset, length] of [
      [0n, 1n],
      [32n, 33n],
      [32n, 32n],
      [96n, 33n],
    ] as const) {
      const columns = sample(offset, length, [0n, 0n]).columns;
      const inside = offset < length ? 0n : 1n;
      for (const distanceHigh of [0n, 65_535n, 65_536n]) {
        const other = forged(calldataload, columns, { inside, distanceHigh });
        expect(evaluate(circuit, calldataload, other).violated).toEqual([]);
        expect(outOfRange(calldataload, other)).not.toEqual([]);
      }
    }
  });

  it("finds no word at a fraction of an index", async () => {
    const inverse = ((FR_MODULUS + 1n) / 2n) ** 5n % FR_MODULUS;
    const i = (33n * inverse) % FR_MODULUS;
    const other = forged(calldataload, sample(32n, 80n, [1n, 2n, 3n]).columns, { i });
    expect(evaluate(await rowCircuit("calldataload"), calldataload, other).violated).toEqual([]);
    expect(outOfRange(calldataload, other)).toEqual([]);
    const left = unmatched(messagesOf(calldataload, other)).filter(({ tag }) => tag === "MEMORY");
    expect(left.map(({ fields }) => fields.index)).toEqual([i, i]);
  });
});
