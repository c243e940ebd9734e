/**
 * Decoding of curve points, with every check that makes them safe to compute with.
 *
 * JSON encodings (snarkjs): G1 `[x, y, "1"]`, infinity `["0", "1", "0"]`; G2 `[[x.c0, x.c1], [y.c0, y.c1], ["1", "0"]]`,
 * infinity `[["0","0"], ["1","0"], ["0","0"]]`. Only z = 1 and the two infinities are accepted: with another z the same
 * point would have many encodings. The limbs of G2 stand in the order (c0, c1), reversed with respect to EIP-197.
 *
 * @module
 */

import type { WeierstrassPoint } from "@noble/curves/abstract/weierstrass.js";
import { bn254 } from "@noble/curves/bn254.js";
import { FQ_MODULUS, type Fq2, isZero, mulWide, sqr, sub } from "./fq2.js";
import { type CopyRule, decimal, fault, type Subject, tuple } from "./json.js";
import { type MillerLines, millerLines, TWIST_B } from "./pairing.js";

/** A point of G1. Instances made here lie on the curve, which has prime order. */
export type G1 = WeierstrassPoint<bigint>;

/** A finite point of the twist, in G2 or not. */
export interface TwistPoint {
  readonly x: Fq2;
  readonly y: Fq2;
}

/** A finite point of G2, checked to lie in the subgroup of order r, with its lines. */
export interface G2 extends TwistPoint {
  /** Equal for equal points. */
  readonly id: string;
  readonly lines: MillerLines;
}

export const G1_RULE: CopyRule = { max: 3, of: 0 };
export const G2_RULE: CopyRule = { max: 3, of: { max: 2, of: 0 } };

const refuseInfinity = (subject: Subject, path: string) =>
  fault(subject, "POINT_AT_INFINITY", path, "the point at infinity is not allowed here");

const refuseZ = (subject: Subject, path: string, expected: string) =>
  fault(subject, "NON_CANONICAL", path, "the third coordinate of a finite point must be 1", { expected });

/**
 * Decodes a finite G1 point from the snapshot of its JSON.
 *
 * @throws VerifierError `…_MALFORMED`, `…_NON_CANONICAL`, `…_POINT_NOT_ON_CURVE`, `…_POINT_AT_INFINITY`
 */
export function decodeG1(subject: Subject, value: unknown, path: string): G1 {
  const [jx, jy, jz] = tuple(subject, value, path, 3);
  const x = decimal(subject, jx, `${path}[0]`, FQ_MODULUS);
  const y = decimal(subject, jy, `${path}[1]`, FQ_MODULUS);
  const z = decimal(subject, jz, `${path}[2]`, FQ_MODULUS);
  if (z === 0n && x === 0n && y === 1n) throw refuseInfinity(subject, path);
  if (z !== 1n) throw refuseZ(subject, `${path}[2]`, '"1"');
  // not left to noble's assertValidity: noble reads (0, 0), which is off the curve, as infinity
  if ((y * y - x * x * x - 3n) % FQ_MODULUS !== 0n) {
    throw fault(subject, "POINT_NOT_ON_CURVE", path, "not on the curve y² = x³ + 3");
  }
  return bn254.G1.Point.fromAffine({ x, y });
}

function decodeFq2(subject: Subject, value: unknown, path: string): Fq2 {
  const [c0, c1] = tuple(subject, value, path, 2);
  return {
    c0: decimal(subject, c0, `${path}[0]`, FQ_MODULUS),
    c1: decimal(subject, c1, `${path}[1]`, FQ_MODULUS),
  };
}

/**
 * Decodes a finite point of the twist from the snapshot of its JSON.
 *
 * @throws VerifierError `…_MALFORMED`, `…_NON_CANONICAL`, `…_POINT_AT_INFINITY`, `…_POINT_NOT_ON_CURVE`
 */
export function decodeTwist(subject: Subject, value: unknown, path: string): TwistPoint {
  const [jx, jy, jz] = tuple(subject, value, path, 3);
  const x = decodeFq2(subject, jx, `${path}[0]`);
  const y = decodeFq2(subject, jy, `${path}[1]`);
  const z = decodeFq2(subject, jz, `${path}[2]`);
  const is = (a: Fq2, c0: bigint) => a.c0 === c0 && a.c1 === 0n;
  if (is(z, 0n) && is(x, 0n) && is(y, 1n)) throw refuseInfinity(subject, path);
  if (!is(z, 1n)) throw refuseZ(subject, `${path}[2]`, '["1","0"]');
  if (!isZero(sub(sub(sqr(y), mulWide(sqr(x), x)), TWIST_B))) {
    throw fault(subject, "POINT_NOT_ON_CURVE", path, "not on the twist y² = x³ + 3/(9 + u)");
  }
  return { x, y };
}

/** Computes the lines of a decoded point. @throws VerifierError `…_POINT_NOT_IN_SUBGROUP` */
export function toG2(subject: Subject, { x, y }: TwistPoint, path: string): G2 {
  const lines = millerLines(x, y);
  if (lines === undefined) {
    throw fault(subject, "POINT_NOT_IN_SUBGROUP", path, "on the twist, but not in its subgroup of order r");
  }
  return { id: [x.c0, x.c1, y.c0, y.c1].join(), x, y, lines };
}

/** {@link decodeTwist} and {@link toG2}. */
export const decodeG2 = (subject: Subject, value: unknown, path: string): G2 =>
  toG2(subject, decodeTwist(subject, value, path), path);
