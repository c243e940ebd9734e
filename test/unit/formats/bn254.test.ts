import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bigintToBytesLE,
  decodeG1,
  decodeG2,
  describeModulus,
  encodeG1,
  encodeG2,
  FQ_MODULUS,
  FR_MODULUS,
  FR_TWO_ADICITY,
  indexOfNonCanonical,
  readBigintLE,
} from "../../../src/formats/bn254.js";

const { Fp, Fr } = bn254.fields;

test("moduli are noble's, and those of EIP-197", () => {
  expect(FQ_MODULUS).toBe(Fp.ORDER);
  expect(FR_MODULUS).toBe(Fr.ORDER);
  expect(FQ_MODULUS).toBe(21888242871839275222246405745257275088696311157297823662689037894645226208583n);
  expect(FR_MODULUS).toBe(21888242871839275222246405745257275088548364400416034343698204186575808495617n);
  expect((FR_MODULUS - 1n) % 2n ** BigInt(FR_TWO_ADICITY)).toBe(0n);
  expect((FR_MODULUS - 1n) % 2n ** BigInt(FR_TWO_ADICITY + 1)).not.toBe(0n);
});

test("moduli have names", () => {
  expect(describeModulus(FQ_MODULUS)).toBe("bn254 base field");
  expect(describeModulus(101n)).toBe("modulus 0x65");
});

const scalar = fc.oneof(
  fc.constantFrom(1n, 2n, FR_MODULUS - 1n, FR_MODULUS >> 1n),
  fc.bigInt({ min: 1n, max: FR_MODULUS - 1n }),
);

test("integers survive the bytes", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.nat(5), (value, at) => {
      const bytes = new Uint8Array(at + 33).fill(255);
      bytes.set(bigintToBytesLE(value, 32), at);
      expect(readBigintLE(bytes, at, 32)).toBe(value);
    }),
  );
  expect(readBigintLE(new Uint8Array(0), 0, 0)).toBe(0n);
});

describe("points", () => {
  const where = "test";

  test("are written in Montgomery form", () => {
    const R = 2n ** 256n;
    fc.assert(
      fc.property(scalar, (k) => {
        const p = bn254.G1.Point.BASE.multiply(k).toAffine();
        const bytes = encodeG1(p);
        expect(readBigintLE(bytes, 0, 32)).toBe(Fp.mul(p.x, R % FQ_MODULUS));
        expect(readBigintLE(bytes, 32, 32)).toBe(Fp.mul(p.y, R % FQ_MODULUS));
        expect(decodeG1(bytes, 0, { where })).toEqual(p);
        const q = bn254.G2.Point.BASE.multiply(k).toAffine();
        const bytes2 = encodeG2(q);
        [q.x.c0, q.x.c1, q.y.c0, q.y.c1].forEach((value, i) => {
          expect(readBigintLE(bytes2, 32 * i, 32)).toBe(Fp.mul(value, R % FQ_MODULUS));
        });
        expect(decodeG2(bytes2, 0, { where })).toEqual(q);
      }),
      { numRuns: 20 },
    );
  });

  test("infinity is all zeros", () => {
    const options = { where, allowInfinity: true };
    expect(decodeG1(new Uint8Array(64), 0, options)).toEqual(bn254.G1.Point.ZERO.toAffine());
    expect(decodeG2(new Uint8Array(128), 0, options)).toEqual(bn254.G2.Point.ZERO.toAffine());
    expect(encodeG1(bn254.G1.Point.ZERO.toAffine())).toEqual(new Uint8Array(64));
    expect(encodeG2(bn254.G2.Point.ZERO.toAffine())).toEqual(new Uint8Array(128));
  });
});

describe("indexOfNonCanonical", () => {
  const near = (modulus: bigint) =>
    fc.oneof(
      fc.constantFrom(0n, 1n, modulus - 1n, modulus, modulus + 1n, 2n ** 256n - 1n, 2n ** 255n, 2n ** 248n * 0x30n),
      // same top bytes as the modulus, one lower byte changed
      fc
        .tuple(fc.nat(31), fc.integer({ min: 0, max: 255 }))
        .map(([i, byte]) => (modulus & ~(0xffn << BigInt(8 * i))) | (BigInt(byte) << BigInt(8 * i))),
      fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
      fc.bigInt({ min: 0n, max: modulus - 1n }),
    );

  test.each([
    ["r", FR_MODULUS],
    ["q", FQ_MODULUS],
  ])("finds the first value not below %s", (_, modulus) => {
    fc.assert(
      fc.property(fc.array(near(modulus), { maxLength: 6 }), fc.nat(7), (values, shift) => {
        const bytes = new Uint8Array(shift + 32 * values.length);
        values.forEach((value, i) => {
          bytes.set(bigintToBytesLE(value, 32), shift + 32 * i);
        });
        expect(indexOfNonCanonical(bytes.subarray(shift), modulus)).toBe(values.findIndex((value) => value >= modulus));
      }),
      { numRuns: 500 },
    );
  });
});
