import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messagesOf } from "../../../src/rows/machine.js";
import { shiftword, shiftwordProvider } from "../../../src/rows/shiftword.js";
import { halvesOf } from "../../../src/rows/words.js";
import { fieldsOf, message } from "../../../src/verifier/bus.js";
import { FR_MODULUS } from "../../../src/verifier/fq2.js";
import { EDGE_WORDS } from "../../support/machine.js";
import { forged, outOfRange } from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";
import { words } from "../../support/steps.js";

const NOTHING = { headHi: 0n, headLo: 0n, tailHi: 0n, tailLo: 0n };
const request = (m: bigint, word: bigint) => message("SHIFT", { m, ...halvesOf(word), ...NOTHING }).coordinates;
const rows = (m: bigint, word: bigint, count = 3n) =>
  shiftwordProvider.rows([{ coordinates: request(m, word), count }]);
const row = (m: bigint, word: bigint, count?: bigint) => rows(m, word, count)[0]!.columns;

/** Bytes that all differ. */
const WORD = BigInt(`0x${Array.from({ length: 32 }, (_, i) => (i + 0xa1).toString(16)).join("")}`);
const SAMPLES: readonly (readonly [bigint, bigint])[] = [
  ...[1n, 2n, 15n, 16n, 17n, 31n].map((m) => [m, WORD] as const),
  [15n, EDGE_WORDS.at(-1)!],
  [16n, EDGE_WORDS.at(-1)!],
];

describeRow({
  template: shiftword,
  cost: 85,
  samples: () => SAMPLES.map(([m, word]) => ({ what: `${m} bytes of ${word}`, columns: row(m, word) })),
});

describe("shiftword", () => {
  it("answers with the word moved down and up by bytes, as often as asked", () => {
    const m = fc.oneof(fc.constantFrom(1n, 15n, 16n, 17n, 31n), fc.bigInt({ min: 1n, max: 31n }));
    fc.assert(
      fc.property(m, words(), fc.bigInt({ min: 1n, max: 1n << 32n }), (m, word, count) => {
        const columns = row(m, word, count);
        const entry = messagesOf(shiftword, columns).find(({ tag }) => tag === "SHIFT")!;
        const digits = word.toString(16).padStart(64, "0");
        const head = halvesOf(BigInt(`0x${digits.slice(0, 2 * Number(m))}`));
        const tail = halvesOf(BigInt(`0x${digits.slice(2 * Number(m)).padEnd(64, "0")}`));
        const halves = { headHi: head.hi, headLo: head.lo, tailHi: tail.hi, tailLo: tail.lo };
        expect(fieldsOf(entry)).toEqual({ m, ...halvesOf(word), ...halves });
        expect(entry.multiplicity).toBe(-count);
        expect(outOfRange(shiftword, columns)).toEqual([]);
      }),
    );
  });

  it("answers nothing for no bytes, for 32, and for what is no word", () => {
    const wide = { m: 1n, hi: 1n << 128n, lo: 0n, ...NOTHING };
    expect(rows(0n, WORD)).toEqual([]);
    expect(rows(32n, WORD)).toEqual([]);
    expect(rows(-1n, WORD)).toEqual([]);
    expect(shiftwordProvider.rows([{ coordinates: message("SHIFT", wide).coordinates, count: 1n }])).toEqual([]);
  });

  it("can't shift by 0 or 32 bytes, by a fraction, or by another power", async () => {
    const circuit = await rowCircuit("shiftword");
    const honest = row(16n, WORD);
    const violated = (changes: Parameters<typeof forged<(typeof shiftword.columns)[number]>>[2]) =>
      evaluate(circuit, shiftword, forged(shiftword, honest, changes)).violated;
    expect(violated({ m: 0n, w: 0n })).not.toEqual([]);
    expect(violated({ m: 0n, w: 0n, mInverse: 0n })).not.toEqual([]);
    // 32 = 16*2 + 0 or 16*1 + 16
    const inverse = shiftwordInverse(32n);
    expect(violated({ m: 32n, w: 2n, mInverse: inverse })).not.toEqual([]);
    const above = forged(shiftword, honest, { m: 32n, mInverse: inverse });
    expect(evaluate(circuit, shiftword, above).violated).toEqual([]);
    expect(outOfRange(shiftword, above)).toEqual(["RANGE_4"]);
    // an eighth of a byte: POW2 would have 2^1
    const eighth = shiftwordInverse(8n);
    const odd = forged(shiftword, honest, { m: 16n + eighth, mInverse: shiftwordInverse(16n + eighth) });
    expect(outOfRange(shiftword, odd)).toEqual(["RANGE_4"]);
    expect(passes(circuit, shiftword, honest, forged(shiftword, honest, { P: 256n }))).toBe(false);
  });

  it("can't move a byte from one side of the cut to the other", () => {
    // the head one less or more, or with more bytes: the rest is no half word then
    const honest = row(3n, WORD);
    const head = (WORD >> 128n) >> 104n;
    for (const other of [head - 1n, head + 1n, head >> 8n]) {
      const limbs = { a0: other % 65_536n, a1: other >> 16n };
      expect(outOfRange(shiftword, forged(shiftword, honest, limbs))).toContain("RANGE_16");
    }
    // 2^128 times it would wrap
    expect(outOfRange(shiftword, forged(shiftword, honest, { a7: 256n }))).toContain("RANGE_8");
  });

  it("is received by padding neither, and what it received is true whatever the multiplicity", async () => {
    const circuit = await rowCircuit("shiftword");
    const zeros = shiftword.columns.map(() => 0n);
    expect(evaluate(circuit, shiftword, forged(shiftword, zeros, { mult: 1n })).violated).not.toEqual([]);
    // 3 bytes, switched off
    const off = forged(shiftword, row(3n, WORD), { mInverse: 0n });
    expect(evaluate(circuit, shiftword, off).violated).not.toEqual([]);
    for (const mult of [0n, 1n, -1n]) {
      const lie = forged(shiftword, row(3n, WORD), { a0: 1n, mult });
      expect(outOfRange(shiftword, lie)).toContain("RANGE_16");
    }
  });
});

/** The inverse in the field. */
function shiftwordInverse(x: bigint): bigint {
  let [result, base] = [1n, x % FR_MODULUS];
  for (let e = FR_MODULUS - 2n; e > 0n; e >>= 1n) {
    if ((e & 1n) === 1n) result = (result * base) % FR_MODULUS;
    base = (base * base) % FR_MODULUS;
  }
  return result;
}
