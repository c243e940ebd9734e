/**
 * The arithmetic that the Miller loop needs over Fq2 = Fq[u]/(u² + 1), in plain bigints with lazy reduction.
 *
 * `@noble/curves` reduces after every single product; the reductions are three quarters of the cost of its Miller loop.
 * Here a sum of products is reduced once. Bigints cannot overflow, so an unreduced value is never wrong, only larger.
 *
 * Convention: a *reduced* component lies in (-q, q) (the sign is that of JavaScript's `%`); functions named `…Wide`
 * return unreduced values, and only {@link canonical} brings a component into [0, q).
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";

/** The base field modulus q = 36x⁴ + 36x³ + 24x² + 6x + 1 (noble: `Fp.ORDER`). */
export const FQ_MODULUS: bigint = /* @__PURE__ */ (() => bn254.fields.Fp.ORDER)();

/** The scalar field modulus, the order r of G1 and G2 (noble: `Fr.ORDER`). */
export const FR_MODULUS: bigint = /* @__PURE__ */ (() => bn254.fields.Fr.ORDER)();

/** An element c0 + c1·u; the shape is noble's `Fp2`. */
export interface Fq2 {
  readonly c0: bigint;
  readonly c1: bigint;
}

const q = FQ_MODULUS;

export const reduce = (a: Fq2): Fq2 => ({ c0: a.c0 % q, c1: a.c1 % q });
export const add = (a: Fq2, b: Fq2): Fq2 => ({ c0: a.c0 + b.c0, c1: a.c1 + b.c1 });
export const sub = (a: Fq2, b: Fq2): Fq2 => ({ c0: a.c0 - b.c0, c1: a.c1 - b.c1 });
export const neg = (a: Fq2): Fq2 => ({ c0: -a.c0, c1: -a.c1 });
/** Multiplication by a small integer. */
export const scale = (a: Fq2, k: bigint): Fq2 => ({ c0: a.c0 * k, c1: a.c1 * k });
/** Complex conjugation, which is the Frobenius map x ↦ x^q of Fq2. */
export const conjugate = (a: Fq2): Fq2 => ({ c0: a.c0, c1: -a.c1 });
/** Multiplication by ξ = 9 + u, the non-residue of the tower Fq12 = Fq6[w]/(w² - v), Fq6 = Fq2[v]/(v³ - ξ). */
export const mulByXi = (a: Fq2): Fq2 => ({ c0: 9n * a.c0 - a.c1, c1: 9n * a.c1 + a.c0 });

// Schoolbook on purpose: a bigint product costs about as much as the three extra additions of Karatsuba.
export const mulWide = (a: Fq2, b: Fq2): Fq2 => ({
  c0: a.c0 * b.c0 - a.c1 * b.c1,
  c1: a.c0 * b.c1 + a.c1 * b.c0,
});
export const sqrWide = (a: Fq2): Fq2 => ({ c0: (a.c0 + a.c1) * (a.c0 - a.c1), c1: 2n * a.c0 * a.c1 });
export const mul = (a: Fq2, b: Fq2): Fq2 => reduce(mulWide(a, b));
export const sqr = (a: Fq2): Fq2 => reduce(sqrWide(a));
/** Multiplication by an element of Fq. */
export const mulByFq = (a: Fq2, k: bigint): Fq2 => ({ c0: (a.c0 * k) % q, c1: (a.c1 * k) % q });
/** The inner product a·x + b·y + c·z: six of them make one product in Fq12. */
export const dot3Wide = (a: Fq2, x: Fq2, b: Fq2, y: Fq2, c: Fq2, z: Fq2): Fq2 => ({
  c0: a.c0 * x.c0 - a.c1 * x.c1 + b.c0 * y.c0 - b.c1 * y.c1 + c.c0 * z.c0 - c.c1 * z.c1,
  c1: a.c0 * x.c1 + a.c1 * x.c0 + b.c0 * y.c1 + b.c1 * y.c0 + c.c0 * z.c1 + c.c1 * z.c0,
});

/** The representative in [0, q) of any integer. */
export function canonicalFq(a: bigint): bigint {
  const c = a % q;
  return c < 0n ? c + q : c;
}

/** The same element with both components in [0, q), as noble requires them. */
export const canonical = (a: Fq2): Fq2 => ({ c0: canonicalFq(a.c0), c1: canonicalFq(a.c1) });

/** Whether a = 0 in Fq2, whatever representatives it has. */
export const isZero = (a: Fq2): boolean => a.c0 % q === 0n && a.c1 % q === 0n;
