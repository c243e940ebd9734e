/**
 * Points on the twist E'(Fq2) outside the subgroup G2, for tests of subgroup checks.
 *
 * @module
 */

import type { WeierstrassPoint } from "@noble/curves/abstract/weierstrass.js";
import { bn254 } from "@noble/curves/bn254.js";

const { Fp2 } = bn254.fields;
const { Point } = bn254.G2;

export type TwistPoint = WeierstrassPoint<typeof Fp2.ONE>;

/** #E'(Fq2) / r. */
export const COFACTOR: bigint = Point.CURVE().h;

/** A point with a random abscissa; in G2 with probability 1/COFACTOR, i.e. never. */
export function randomTwistPoint(next: () => bigint): TwistPoint {
  for (;;) {
    const x = Fp2.create({ c0: next(), c1: next() });
    const right = Fp2.add(Fp2.mul(Fp2.sqr(x), x), Point.CURVE().b);
    try {
      return Point.fromAffine({ x, y: Fp2.sqrt(right) });
    } catch {
      // no square root: half of all abscissae
    }
  }
}

/** [k]P for any k >= 0; noble's own multiplication stops at r. */
export function multiply(point: TwistPoint, k: bigint): TwistPoint {
  let sum: TwistPoint = Point.ZERO;
  for (const bit of k.toString(2)) {
    sum = sum.double();
    if (bit === "1") sum = sum.add(point);
  }
  return sum;
}
