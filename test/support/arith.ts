/**
 * Words for tests of arithmetic.
 *
 * @module
 */

import fc from "fast-check";
import { words } from "./steps.js";

const WORD = 1n << 256n;

/** Words where carries, signs and limbs change. */
export const ARITH_WORDS: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 10n, (1n << 64n) - 1n, 1n << 64n, (1n << 128n) - 1n, 1n << 128n, (1n << 128n) + 1n],
  ...[(1n << 192n) + 5n, (1n << 255n) - 1n, 1n << 255n, (1n << 255n) + 1n, WORD - 2n, WORD - 1n],
];

/** Words of any size: edges, powers of two and their neighbours, random ones of random length. */
export function numbers(): fc.Arbitrary<bigint> {
  const near = fc.tuple(fc.integer({ min: 0, max: 256 }), fc.bigInt({ min: -2n, max: 2n }));
  const sized = fc.tuple(fc.bigInt({ min: 0n, max: WORD - 1n }), fc.integer({ min: 0, max: 255 }));
  return fc.oneof(
    fc.constantFrom(...ARITH_WORDS),
    near.map(([bit, by]) => BigInt.asUintN(256, (1n << BigInt(bit)) + by)),
    sized.map(([word, bits]) => word >> BigInt(bits)),
    words(),
  );
}
