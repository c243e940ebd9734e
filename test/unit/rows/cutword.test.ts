import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutword, cutwordProvider } from "../../../src/rows/cutword.js";
import { messagesOf } from "../../../src/rows/machine.js";
import { halvesOf } from "../../../src/rows/words.js";
import { fieldsOf, message } from "../../../src/verifier/bus.js";
import { EDGE_WORDS } from "../../support/machine.js";
import { forged, outOfRange } from "../../support/memory.js";
import { describeRow, evaluate, passes, rowCircuit } from "../../support/rows.js";
import { words } from "../../support/steps.js";

const request = (m: bigint, word: bigint) => message("CUT", { m, ...halvesOf(word), topHi: 0n, topLo: 0n }).coordinates;
const rows = (m: bigint, word: bigint, count = 3n) => cutwordProvider.rows([{ coordinates: request(m, word), count }]);
const row = (m: bigint, word: bigint, count?: bigint) => rows(m, word, count)[0]!.columns;

/** Bytes that all differ. */
const WORD = BigInt(`0x${Array.from({ length: 32 }, (_, i) => (i + 0xa1).toString(16)).join("")}`);
const SAMPLES: readonly (readonly [bigint, bigint])[] = [
  ...[1n, 2n, 15n, 16n, 17n, 31n].map((m) => [m, WORD] as const),
  [15n, EDGE_WORDS.at(-1)!],
  [16n, EDGE_WORDS.at(-1)!],
];

describeRow({
  template: cutword,
  cost: 56,
  samples: () => SAMPLES.map(([m, word]) => ({ what: `${m} bytes of ${word}`, columns: row(m, word) })),
});

describe("cutword", () => {
  it("answers with the first bytes of the word, as often as asked", () => {
    const m = fc.oneof(fc.constantFrom(1n, 15n, 16n, 17n, 31n), fc.bigInt({ min: 1n, max: 31n }));
    fc.assert(
      fc.property(m, words(), fc.bigInt({ min: 1n, max: 1n << 32n }), (m, word, count) => {
        const columns = row(m, word, count);
        const entry = messagesOf(cutword, columns).find(({ tag }) => tag === "CUT")!;
        const digits = word
          .toString(16)
          .padStart(64, "0")
          .slice(0, 2 * Number(m));
        const { hi: topHi, lo: topLo } = halvesOf(BigInt(`0x${digits.padEnd(64, "0")}`));
        expect(fieldsOf(entry)).toEqual({ m, ...halvesOf(word), topHi, topLo });
        expect(entry.multiplicity).toBe(-count);
        expect(outOfRange(cutword, columns)).toEqual([]);
      }),
    );
  });

  it("answers nothing for no bytes, for 32, and for what is no word", () => {
    const wide = { m: 1n, hi: 0n, lo: 1n << 128n, topHi: 0n, topLo: 0n };
    expect(rows(0n, WORD)).toEqual([]);
    expect(rows(32n, WORD)).toEqual([]);
    expect(cutwordProvider.rows([{ coordinates: message("CUT", wide).coordinates, count: 1n }])).toEqual([]);
  });

  it("can't keep a byte more or less, or of the other half", async () => {
    const circuit = await rowCircuit("cutword");
    const honest = row(3n, WORD);
    const head = (WORD >> 128n) >> 104n;
    for (const other of [head - 1n, head + 1n, head >> 8n]) {
      const limbs = { a0: other % 65_536n, a1: other >> 16n, kept: other << 104n };
      const lie = forged(cutword, honest, limbs);
      expect(evaluate(circuit, cutword, lie).violated).toEqual([]);
      expect(outOfRange(cutword, lie)).toContain("RANGE_16");
    }
    expect(passes(circuit, cutword, honest, forged(cutword, honest, { kept: (head + 1n) << 104n }))).toBe(false);
    expect(passes(circuit, cutword, honest, forged(cutword, honest, { w: 1n }))).toBe(false);
    expect(outOfRange(cutword, forged(cutword, honest, { a7: 256n }))).toContain("RANGE_8");
  });

  it("is received by padding neither, and what it received is true whatever the multiplicity", async () => {
    const circuit = await rowCircuit("cutword");
    const zeros = cutword.columns.map(() => 0n);
    expect(evaluate(circuit, cutword, forged(cutword, zeros, { mult: 1n })).violated).not.toEqual([]);
    // 3 bytes, switched off
    const off = forged(cutword, row(3n, WORD), { mInverse: 0n });
    expect(evaluate(circuit, cutword, off).violated).not.toEqual([]);
    for (const mult of [0n, 1n, -1n]) {
      const lie = forged(cutword, row(3n, WORD), { a0: 1n, kept: 1n << 104n, mult });
      expect(outOfRange(cutword, lie)).toContain("RANGE_16");
    }
  });
});
