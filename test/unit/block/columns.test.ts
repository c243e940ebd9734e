import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeColumns, encodeColumns } from "../../../src/block/columns.js";
import { FR_MODULUS } from "../../../src/formats/bn254.js";

const column = fc.oneof(
  fc.constantFrom(0n, 1n, 255n, 256n, (1n << 128n) - 1n, 1n << 248n, FR_MODULUS - 1n),
  fc.bigInt({ min: 0n, max: 0xffffn }),
  fc.bigInt({ min: 0n, max: FR_MODULUS - 1n }),
);

const code = (bytes: number[], count: number): unknown => {
  try {
    return decodeColumns(Uint8Array.from(bytes), count);
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("columns", () => {
  it("come back as they went", () => {
    fc.assert(
      fc.property(fc.array(column), (columns) => {
        const bytes = encodeColumns(columns);
        expect(decodeColumns(bytes, columns.length)).toEqual(columns);
        // a byte more, or less, is not them
        expect(() => decodeColumns(Uint8Array.from([...bytes, 0]), columns.length)).toThrow("not the columns");
        if (bytes.length > 0)
          expect(() => decodeColumns(bytes.subarray(0, -1), columns.length)).toThrow("not the columns");
      }),
    );
  });

  it("have one encoding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(8), (bytes, count) => {
        const read = code([...bytes], count);
        if (Array.isArray(read)) expect(encodeColumns(read as bigint[])).toEqual(bytes);
        else expect(read).toBe("BLOCK_COLUMNS");
      }),
    );
  });

  it.each([
    ["too few", [1, 5], 2],
    ["too many", [1, 5, 0], 1],
    ["cut off", [2, 5], 1],
    ["longer than a word", [33, ...new Array(33).fill(1)], 1],
    ["a leading zero", [2, 0, 5], 1],
    ["a number from r on", [32, ...Buffer.from(FR_MODULUS.toString(16), "hex")], 1],
  ])("refuses %s", (_, bytes, count) => {
    expect(code(bytes, count)).toBe("BLOCK_COLUMNS");
  });
});
