/**
 * Numbers the kernel is given at run time: roots of unity of fr, the endomorphism, curve coefficients.
 *
 * @module
 */

import { FQ_MODULUS, FR_MODULUS, FR_TWO_ADICITY } from "../../formats/bn254.js";

/** a^e mod m. */
export function powMod(a: bigint, e: bigint, m: bigint): bigint {
  let result = 1n;
  let base = a % m;
  for (let k = e; k > 0n; k >>= 1n) {
    if (k & 1n) result = (result * base) % m;
    base = (base * base) % m;
  }
  return result;
}

/** Inverse modulo a prime; 0 for 0. */
export function invMod(a: bigint, prime: bigint): bigint {
  return powMod(a, prime - 2n, prime);
}

/**
 * Generator of the 2^bits-th roots of unity that snarkjs uses: 5, the least non-residue of fr, to the odd part.
 *
 * @param bits 0 to 28.
 */
export function rootOfUnity(bits: number): bigint {
  return powMod(5n, (FR_MODULUS - 1n) >> BigInt(bits), FR_MODULUS);
}

/** Largest domain with an odd coset of the same order. */
export const MAX_DOMAIN_BITS = FR_TWO_ADICITY - 1;

/** (x, y) -> (β·x, y) multiplies points of G1 by λ, see `scripts/bn254.mjs`. */
export const BETA_G1 = 2203960485148121921418603742825762020974279258880205651966n;
/** The same λ on G2. */
export const BETA_G2 = (BETA_G1 * BETA_G1) % FQ_MODULUS;

/** b of y² = x³ + b on G1. */
export const B_G1 = 3n;
/** b of y² = x³ + b on the twist: 3 / (9 + u). */
export const B_G2 = (() => {
  const inverse = invMod(82n, FQ_MODULUS);
  return { c0: (27n * inverse) % FQ_MODULUS, c1: (FQ_MODULUS - ((3n * inverse) % FQ_MODULUS)) % FQ_MODULUS };
})();
