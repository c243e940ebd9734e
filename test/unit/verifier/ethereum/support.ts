/** What the tests of src/verifier/ethereum share: generators with edges, exact errors, the reference's chain. @module */

import { type Common, createCustomCommon, Hardfork, Mainnet } from "@ethereumjs/common";
import fc from "fast-check";
import { expect } from "vitest";
import { VerifierError, type VerifierErrorCode } from "../../../../src/verifier/errors.js";

export const CHAIN_ID = 1337n;

/** Cancun on another chain than mainnet. */
export const COMMON: Common = createCustomCommon({ chainId: Number(CHAIN_ID) }, Mainnet, {
  hardfork: Hardfork.Cancun,
});

/** Integers below 2^bits: lengths of a byte and their neighbours, small ones, any. */
export const uint = (bits: number): fc.Arbitrary<bigint> => {
  const max = (1n << BigInt(bits)) - 1n;
  const edges = [0n, 1n, 127n, 128n, 129n, 255n, 256n, 65535n, 65536n, max >> 1n, max - 1n, max];
  return fc.oneof(
    fc.constantFrom(...edges.filter((edge) => edge <= max)),
    fc.integer({ min: 1, max: bits }).chain((width) => fc.bigInt(0n, (1n << BigInt(width)) - 1n)),
  );
};

/** Byte strings, also of the lengths at which RLP changes its headers. */
export const bytes = (maxLength = 300): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ maxLength: Math.min(maxLength, 80) }),
    fc
      .constantFrom(...[0, 1, 31, 32, 54, 55, 56, 57, 255, 256, 257].filter((length) => length <= maxLength))
      .chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
    fc.integer({ min: 0, max: 255 }).map((byte) => Uint8Array.of(byte)),
  );

/** The VerifierError that `action` throws; anything else fails the test. */
export function errorOf(action: () => unknown): VerifierError {
  try {
    action();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(VerifierError);
    return error as VerifierError;
  }
  throw new Error("expected a VerifierError, but nothing was thrown");
}

/** Expects a VerifierError with this code at this place. */
export function expectError(action: () => unknown, code: VerifierErrorCode, where: string): VerifierError {
  const error = errorOf(action);
  expect({ code: error.code, where: error.where }, error.message).toEqual({ code, where });
  return error;
}

/** Bytes with one thing changed: a byte, the end, something inserted or left out. */
export const mutated = (original: Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.nat(original.length), fc.integer({ min: 0, max: 255 }), fc.constantFrom("set", "cut", "insert", "drop"))
    .map(([at, byte, how]) => {
      const head = original.subarray(0, at);
      if (how === "cut") return Uint8Array.from(head);
      if (how === "insert") return Uint8Array.from([...head, byte, ...original.subarray(at)]);
      const tail = original.subarray(at + 1);
      return Uint8Array.from(how === "drop" ? [...head, ...tail] : [...head, byte, ...tail]);
    });
