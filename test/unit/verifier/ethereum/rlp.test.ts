import { RLP } from "@ethereumjs/rlp";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VerifierError } from "../../../../src/verifier/errors.js";
import { decodeRlp, encodeRlp, encodeRlpList, RlpFields, type RlpItem } from "../../../../src/verifier/ethereum/rlp.js";
import { fromHex } from "../../../../src/verifier/ethereum/words.js";
import { bytes, errorOf, expectError, mutated, uint } from "./support.js";

const PLACE = { code: "TX_MALFORMED", where: "item" } as const;
const hex = (text: string) => fromHex(`0x${text.replaceAll(" ", "")}`)!;

/** Items with lists nested at most `depth` deep. */
const item = (depth: number): fc.Arbitrary<RlpItem> =>
  depth === 0 ? bytes() : fc.oneof(bytes(), fc.array(item(depth - 1), { maxLength: 5 }));

describe("encoding", () => {
  it("is the reference's, and decodes to the same item", () => {
    fc.assert(
      fc.property(item(4), (value) => {
        const encoded = encodeRlp(value);
        expect(encoded).toEqual(RLP.encode(value as never));
        expect(decodeRlp(encoded, PLACE)).toEqual(value);
      }),
    );
  });

  it("has integers without leading zeros", () => {
    fc.assert(
      fc.property(uint(256), (value) => {
        expect(encodeRlp(value)).toEqual(RLP.encode(value));
      }),
    );
    expect(encodeRlp([0n, [1n], 128n])).toEqual(hex("c5 80 c101 8180"));
  });

  it("has lengths of two and three bytes", () => {
    for (const length of [255, 256, 65535, 65536, 70000]) {
      const value = new Uint8Array(length).fill(7);
      expect(encodeRlp(value)).toEqual(RLP.encode(value));
      expect(encodeRlp([value])).toEqual(RLP.encode([value]));
      expect(decodeRlp(encodeRlp([value]), PLACE)).toEqual([value]);
    }
  });

  it("puts encoded items into a list", () => {
    expect(encodeRlpList([encodeRlp(5n), encodeRlp([])])).toEqual(encodeRlp([5n, []]));
  });
});

describe("decoding refuses what no encoder writes", () => {
  it.each([
    ["nothing", "", "nothing at byte 0"],
    ["a byte behind a byte", "0000", "bytes after the item at byte 1"],
    ["a byte behind a list", "c000", "bytes after the item at byte 1"],
    ["a header for a byte that stands for itself", "817f", "stands for itself at byte 0"],
    ["the same inside a list", "c3 01 8100", "stands for itself at byte 2"],
    ["the long form for 1 byte", "b801ff", "long form of a short length"],
    ["the long form for 55 bytes", `b837${"ff".repeat(55)}`, "long form of a short length"],
    ["the long form for an empty list", "f800", "length with leading zeros"],
    ["the long form for a list of 1 byte", "f80101", "long form of a short length"],
    ["a length with leading zeros", `b90038${"ff".repeat(56)}`, "length with leading zeros"],
    ["a list's length with leading zeros", `f90038${"01".repeat(56)}`, "length with leading zeros"],
    ["a truncated string", "82ff", "payload goes beyond the end"],
    ["a truncated list", "c201", "payload goes beyond the end"],
    ["a string that goes beyond its list", "c2 82ffff", "payload goes beyond the end"],
    ["a list that goes beyond its list", "c2 c20101", "payload goes beyond the end"],
    ["a length that ends early", "b9ff", "truncated length"],
    ["a length that ends early inside a list", "c1 b8 ff", "truncated length"],
    ["a length of 2^64 - 1", "bfffffffffffffffff", "payload goes beyond the end"],
    ["a list's length of 2^64 - 1", "ffffffffffffffffff", "payload goes beyond the end"],
    ["lists in five levels", "c4c3c2c1c0", "nested too deeply"],
    ["lists in a thousand levels", "c1".repeat(1000), "goes beyond the end"],
  ])("%s", (_, text, message) => {
    expect(expectError(() => decodeRlp(hex(text), PLACE), "TX_MALFORMED", "item").message).toContain(message);
  });

  it("nesting can't exhaust the stack", () => {
    let nested: Uint8Array = hex("c0");
    for (let i = 0; i < 5000; i++) nested = encodeRlpList([nested]);
    expect(errorOf(() => decodeRlp(nested, PLACE)).message).toContain("nested too deeply");
  });

  it("any bytes: refused, or the one encoding of what they decode to", () => {
    const structured = item(4).chain((value) => mutated(encodeRlp(value)));
    const headers = fc
      .array(fc.constantFrom(0, 1, 0x7f, 0x80, 0x81, 0x82, 0xb7, 0xb8, 0xb9, 0xbf, 0xc0, 0xc1, 0xc2, 0xf7, 0xf8, 0xff))
      .map((list) => Uint8Array.from(list));
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 12 }), headers, structured), (input) => {
        let decoded: RlpItem;
        try {
          decoded = decodeRlp(input, PLACE);
        } catch (error) {
          expect(error).toBeInstanceOf(VerifierError);
          expect((error as VerifierError).code).toBe("TX_MALFORMED");
          return;
        }
        accepted++;
        expect(encodeRlp(decoded)).toEqual(input);
        // the reference is laxer than we are, never stricter
        expect(RLP.decode(input)).toEqual(decoded);
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(200);
  });
});

describe("fields", () => {
  const fields = (...items: RlpItem[]) => new RlpFields(items, items.length, PLACE);

  it("are read in order", () => {
    const f = fields(hex("0100"), hex("0100"), hex("0100"), [hex("")]);
    expect(f.uint("a", 9)).toBe(256n);
    expect(f.word("b", 2)).toBe(256n);
    expect(f.bytes("c")).toEqual(hex("0100"));
    expect(f.list("d")).toEqual([hex("")]);
  });

  it("integers have exact bounds and one form", () => {
    fc.assert(
      fc.property(uint(80), fc.integer({ min: 1, max: 80 }), (value, bits) => {
        const read = () => fields(decodeRlp(encodeRlp(value), PLACE)).uint("x", bits);
        if (value < 1n << BigInt(bits)) expect(read()).toBe(value);
        else expectError(read, "TX_MALFORMED", "item.x");
      }),
    );
    for (const text of ["00", "0001", "0000"]) {
      expectError(() => fields(hex(text)).uint("x", 64), "TX_MALFORMED", "item.x");
    }
    expectError(() => fields(new Uint8Array(100_000).fill(1)).uint("x", 256), "TX_MALFORMED", "item.x");
  });

  it("have the kind and the length asked for", () => {
    expectError(() => fields([]).bytes("x"), "TX_MALFORMED", "item.x");
    expectError(() => fields([]).uint("x", 8), "TX_MALFORMED", "item.x");
    expectError(() => fields([]).word("x", 0), "TX_MALFORMED", "item.x");
    expectError(() => fields(hex("01")).list("x"), "TX_MALFORMED", "item.x");
    expectError(() => fields(hex("01")).bytes("x", 2), "TX_MALFORMED", "item.x");
    expectError(() => fields(hex("01")).word("x", 0), "TX_MALFORMED", "item.x");
    for (const item of [hex("01"), [], [hex("01"), hex("01")]]) {
      expectError(() => new RlpFields(item, 1, PLACE), "TX_MALFORMED", "item");
    }
  });
});
