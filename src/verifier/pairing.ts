/**
 * Products of optimal ate pairings on BN254 (the curve of EIP-197), with the subgroup test of G2 as a by-product.
 *
 * Curves: E: y² = x³ + 3 over Fq, its D-type sextic twist E': y² = x³ + 3/ξ over Fq2, ξ = 9 + u. With the BN seed x and
 * ψ: E' → E' the untwist-Frobenius-twist map, for Q in G2 and P in G1
 *
 *     e(P, Q) = ( f_{6x+2,Q}(P) · l_{[6x+2]Q, ψ(Q)}(P) · l_{[6x+2]Q+ψ(Q), -ψ²(Q)}(P) )^((q¹²-1)/r)
 *
 * (Vercauteren, eprint 2008/096). The factors left of the power depend on P only at the very end, so the *lines* of Q
 * are computed once ({@link millerLines}) and evaluated at as many P as needed ({@link millerLoop}). A product of
 * pairings shares the squarings of the loop and one power, which is left to `@noble/curves`.
 *
 * Subgroup test: Q on E' lies in G2 if and only if [6x+2]Q + ψ(Q) - ψ²(Q) + ψ³(Q) = O. The sum of the first three terms
 * is the point at which the loop ends anyway. Sufficient, because on E'(Fq2) ψ satisfies ψ² - tψ + q = 0, so the order
 * of such a Q divides the resultant of X² - tX + q and X³ - X² + X + 6x+2, and the gcd of that resultant with #E'(Fq2)
 * is r (checked in the tests; the method is that of Dai et al., eprint 2022/348). The incomplete addition formulas below
 * cannot spoil this: should they meet an exceptional pair of points, Z becomes 0 and stays so, which is refused.
 *
 * Values from the outside must be checked to lie on their curve before they come here.
 *
 * @module
 */

import type { Fp12 } from "@noble/curves/abstract/tower.js";
import { bn254 } from "@noble/curves/bn254.js";
import {
  add,
  canonical,
  conjugate,
  dot3Wide,
  FQ_MODULUS,
  type Fq2,
  isZero,
  mul,
  mulByFq,
  mulByXi,
  mulWide,
  neg,
  reduce,
  scale,
  sqr,
  sqrWide,
  sub,
} from "./fq2.js";

/** The BN parameter of BN254: q, r and t are polynomials in it. */
export const BN_X = 4965661367192848881n;

const ONE: Fq2 = { c0: 1n, c1: 0n };
const ZERO: Fq2 = { c0: 0n, c1: 0n };
const XI: Fq2 = { c0: 9n, c1: 1n };

// ψ(x, y) = (x̄·ξ^((q-1)/3), ȳ·ξ^((q-1)/2))
const PSI_X: Fq2 = /* @__PURE__ */ (() => bn254.fields.Fp2.pow(XI, (FQ_MODULUS - 1n) / 3n))();
const PSI_Y: Fq2 = /* @__PURE__ */ (() => bn254.fields.Fp2.pow(XI, (FQ_MODULUS - 1n) / 2n))();

/** The coefficient b' = 3/ξ of the twist. */
export const TWIST_B: Fq2 = /* @__PURE__ */ (() => bn254.fields.Fp2.div({ c0: 3n, c1: 0n }, XI))();
const TWIST_3B: Fq2 = /* @__PURE__ */ (() => scale(TWIST_B, 3n))();

/** Signed digits of 6x+2 in non-adjacent form, most significant first, without the leading 1. */
const ATE_DIGITS: readonly number[] = /* @__PURE__ */ (() => {
  const digits: number[] = [];
  for (let n = 6n * BN_X + 2n; n > 0n; n >>= 1n) {
    const digit = n & 1n ? 2 - Number(n & 3n) : 0;
    digits.push(digit);
    n -= BigInt(digit);
  }
  return digits.reverse().slice(1);
})();

/**
 * A line through two points of E' (or a tangent), as three Fq2 coefficients named after their slots in Fq12: its value at
 * P = (x_P, y_P) is y_P·o0 + (x_P·o3 + o4·v)·w.
 */
interface Line {
  readonly o0: Fq2;
  readonly o3: Fq2;
  readonly o4: Fq2;
}

/** The lines of one G2 point in the order in which the Miller loop consumes them. */
export type MillerLines = readonly Line[];

/**
 * The lines of a point of E'(Fq2), or `undefined` if the point is outside G2.
 *
 * Homogeneous projective coordinates and formulas of Aranha et al. (eprint 2010/526, section 4) with b' on the twist;
 * the running point is scaled by 4 in a doubling to avoid halvings.
 *
 * @param x affine coordinate; (x, y) must satisfy y² = x³ + 3/ξ
 * @param y affine coordinate
 */
export function millerLines(x: Fq2, y: Fq2): MillerLines | undefined {
  const lines: Line[] = [];
  let X = x;
  let Y = y;
  let Z = ONE;

  const double = () => {
    const b = sqr(Y);
    const c = sqr(Z);
    const e = mul(TWIST_3B, c);
    const f = scale(e, 3n);
    const h = reduce(sub(sqrWide(add(Y, Z)), add(b, c))); // 2YZ
    lines.push({ o0: neg(h), o3: reduce(scale(sqrWide(X), 3n)), o4: sub(e, b) });
    X = reduce(scale(mulWide(mul(X, Y), sub(b, f)), 2n));
    Y = reduce(sub(sqrWide(add(b, f)), scale(sqrWide(e), 12n)));
    Z = reduce(scale(mulWide(b, h), 4n));
  };

  const addAffine = (xT: Fq2, yT: Fq2) => {
    const theta = reduce(sub(Y, mulWide(yT, Z)));
    const lambda = reduce(sub(X, mulWide(xT, Z)));
    lines.push({ o0: lambda, o3: neg(theta), o4: reduce(sub(mulWide(theta, xT), mulWide(lambda, yT))) });
    const d = sqr(lambda);
    const e = mul(lambda, d);
    const g = mul(X, d);
    const h = reduce(sub(add(e, mulWide(Z, sqr(theta))), scale(g, 2n)));
    X = mul(lambda, h);
    Y = reduce(sub(mulWide(theta, sub(g, h)), mulWide(Y, e)));
    Z = mul(Z, e);
  };

  const minusY = neg(y);
  for (const digit of ATE_DIGITS) {
    double();
    if (digit !== 0) addAffine(x, digit === 1 ? y : minusY);
  }
  const psi = (xT: Fq2, yT: Fq2): [Fq2, Fq2] => [mul(conjugate(xT), PSI_X), mul(conjugate(yT), PSI_Y)];
  const [x1, y1] = psi(x, y);
  const [x2, y2] = psi(x1, y1);
  const [x3, y3] = psi(x2, y2);
  addAffine(x1, y1);
  addAffine(x2, neg(y2));

  // (X : Y : Z) must be -ψ³(Q), a finite point
  const inSubgroup = !isZero(Z) && isZero(sub(X, mulWide(x3, Z))) && isZero(add(Y, mulWide(y3, Z)));
  return inSubgroup ? lines : undefined;
}

/** a + b·w with a, b in Fq6, as (a0, a1, a2, b0, b1, b2). */
type Fq12 = readonly [Fq2, Fq2, Fq2, Fq2, Fq2, Fq2];

/** (a + bw)² = a² + v·b² + 2ab·w, where a² + v·b² = (a + b)(a + v·b) - ab - v·ab. */
function square([a0, a1, a2, b0, b1, b2]: Fq12): Fq12 {
  const xb1 = mulByXi(b1);
  const xb2 = mulByXi(b2);
  const m0 = dot3Wide(a0, b0, a1, xb2, a2, xb1);
  const m1 = dot3Wide(a0, b1, a1, b0, a2, xb2);
  const m2 = dot3Wide(a0, b2, a1, b1, a2, b0);
  const s0 = add(a0, b0);
  const s1 = add(a1, b1);
  const s2 = add(a2, b2);
  const t0 = add(a0, xb2);
  const t1 = add(a1, b0);
  const t2 = add(a2, b1);
  return [
    reduce(sub(dot3Wide(s0, t0, s1, mulByXi(t2), s2, mulByXi(t1)), add(m0, mulByXi(m2)))),
    reduce(sub(dot3Wide(s0, t1, s1, t0, s2, mulByXi(t2)), add(m1, m0))),
    reduce(sub(dot3Wide(s0, t2, s1, t1, s2, t0), add(m2, m1))),
    reduce(scale(m0, 2n)),
    reduce(scale(m1, 2n)),
    reduce(scale(m2, 2n)),
  ];
}

/** (a + bw)·(o0 + (o3 + o4·v)·w), the line being evaluated at P first. */
function mulByLine([a0, a1, a2, b0, b1, b2]: Fq12, line: Line, x: bigint, y: bigint): Fq12 {
  const o0 = mulByFq(line.o0, y);
  const o3 = mulByFq(line.o3, x);
  const o4 = line.o4;
  const xo4 = mulByXi(o4);
  return [
    reduce(dot3Wide(a0, o0, b2, mulByXi(o3), b1, xo4)),
    reduce(dot3Wide(a1, o0, b0, o3, b2, xo4)),
    reduce(dot3Wide(a2, o0, b1, o3, b0, o4)),
    reduce(dot3Wide(b0, o0, a0, o3, a2, xo4)),
    reduce(dot3Wide(b1, o0, a1, o3, a0, o4)),
    reduce(dot3Wide(b2, o0, a2, o3, a1, o4)),
  ];
}

/** One factor of a pairing product: lines of a G2 point, and a finite G1 point in affine coordinates below q. */
export interface MillerPair {
  readonly lines: MillerLines;
  readonly x: bigint;
  readonly y: bigint;
}

/**
 * The product of the Miller functions of all pairs, before the final power.
 *
 * @returns an element of noble's `Fp12` (same tower); 1 for no pairs
 */
export function millerLoop(pairs: readonly MillerPair[]): Fp12 {
  let f: Fq12 = [ONE, ZERO, ZERO, ZERO, ZERO, ZERO];
  let next = 0;
  const step = () => {
    for (const { lines, x, y } of pairs) f = mulByLine(f, lines[next]!, x, y);
    next++;
  };
  for (const [i, digit] of ATE_DIGITS.entries()) {
    if (i !== 0) f = square(f);
    step();
    if (digit !== 0) step();
  }
  step();
  step();
  const [a0, a1, a2, b0, b1, b2] = f.map(canonical) as unknown as Fq12;
  return { c0: { c0: a0, c1: a1, c2: a2 }, c1: { c0: b0, c1: b1, c2: b2 } };
}

/** Whether a product of Miller values is 1 after the final power, i.e. whether the pairing product is neutral. */
export function isNeutral(product: Fp12): boolean {
  const { Fp12 } = bn254.fields;
  return Fp12.eql(Fp12.finalExponentiate(product), Fp12.ONE);
}
