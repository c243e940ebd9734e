import { bigIntToUnpaddedBytes, bytesToBigInt, bytesToHex, KECCAK256_NULL } from "@ethereumjs/util";
import { keccak_256 } from "@noble/hashes/sha3.js";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  addressToHex,
  bytesToUint,
  EMPTY_CODE_HASH,
  fromHex,
  joinHalves,
  keccak,
  toHex,
  uintToBytes,
  uintToMinimalBytes,
  wordHalves,
  wordToHex,
} from "../../../../src/verifier/ethereum/words.js";
import { bytes, uint } from "./support.js";

it("integers and bytes are those of the reference", () => {
  fc.assert(
    fc.property(uint(256), (value) => {
      expect(uintToMinimalBytes(value)).toEqual(bigIntToUnpaddedBytes(value));
      const wide = uintToBytes(value, 32);
      expect(wide.length).toBe(32);
      expect(bytesToUint(wide)).toBe(value);
      expect(bytesToBigInt(wide)).toBe(value);
      const [hi, lo] = wordHalves(value);
      expect(hi < 1n << 128n && lo < 1n << 128n).toBe(true);
      expect(joinHalves(hi, lo)).toBe(value);
      expect(wordToHex(value)).toBe(bytesToHex(wide));
    }),
  );
  expect(bytesToUint(new Uint8Array())).toBe(0n);
  expect(uintToMinimalBytes(0n).length).toBe(0);
  expect(() => uintToBytes(256n, 1)).toThrow(RangeError);
  expect(() => uintToBytes(-1n, 1)).toThrow(RangeError);
});

it("keccak hashes the concatenation", () => {
  expect(keccak()).toBe(bytesToBigInt(KECCAK256_NULL));
  expect(EMPTY_CODE_HASH).toBe(bytesToBigInt(KECCAK256_NULL));
  fc.assert(
    fc.property(bytes(), bytes(), (a, b) => {
      expect(keccak(a, b)).toBe(bytesToBigInt(keccak_256(Uint8Array.from([...a, ...b]))));
    }),
  );
});

it("hexadecimal has one form", () => {
  fc.assert(
    fc.property(bytes(), (value) => {
      expect(toHex(value)).toBe(bytesToHex(value));
      expect(fromHex(toHex(value))).toEqual(value);
      expect(fromHex(toHex(value), value.length)).toEqual(value);
      expect(fromHex(toHex(value), value.length + 1)).toBeUndefined();
    }),
  );
  for (const text of ["", "0", "0x0", "00", "0X00", "0xAB", "0x0g", " 0x00", "0x00\n", "0x00 "]) {
    expect(fromHex(text), JSON.stringify(text)).toBeUndefined();
  }
  expect(addressToHex(10n)).toBe("0x000000000000000000000000000000000000000a");
});
