/**
 * Fq under the names that `fq2.ts` has too (scratch taken from the thread-local block), so that `curve.ts` serves G1 and G2.
 */
import * as Fq from "./fq.generated";
import { TLS, TLS_FQ2, TLS_INV } from "./layout";

/** Bytes of an element. */
export const SIZE: usize = Fq.SIZE;
/** Bytes of an element in a zkey. */
export const BYTES: usize = 32;

export { mul, sqr, add, sub, neg, negCanonical, copy, setZero, setOne, isLiteralZero, canonical, bytesBelowP } from "./fq.generated";

export function isZero(a: usize): bool { return Fq.isZero(a, TLS + TLS_FQ2); }
export function inv(out: usize, a: usize): void { Fq.inv(out, a, TLS + TLS_INV); }
export function toBytesR256(out: usize, a: usize): void { Fq.toBytesR256(out, a, TLS + TLS_FQ2); }

/** Reads an affine point of 64 bytes (x, y), Montgomery R = 2^256; canonical. */
export function readPoint(out: usize, src: usize): void { Fq.fromBytesR256(out, out + SIZE, src, TLS + TLS_FQ2); }

/** y², x³ and beta·x of an affine point: four products, two by two. */
export function sidesAndImage(ySquare: usize, xCube: usize, image: usize, point: usize, beta: usize): void {
  const t = TLS + TLS_FQ2, u = t + Fq.PAIR;
  Fq.pairOf(t, point, point + SIZE);
  Fq.mul2(t, t, t);
  Fq.unpair(xCube, ySquare, t);
  Fq.pairOf(t, xCube, beta);
  Fq.pairOf(u, point, point);
  Fq.mul2(t, t, u);
  Fq.unpair(xCube, image, t);
}
