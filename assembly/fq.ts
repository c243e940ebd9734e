/**
 * Fq under the names that `fq2.ts` has too (scratch taken from the thread-local block), so that `curve.ts` serves G1 and G2.
 */
import * as Fq from "./fq.generated";
import { TLS, TLS_FQ2, TLS_INV } from "./layout";

/** Bytes of an element. */
export const SIZE: usize = Fq.SIZE;
/** Bytes of an element in a zkey. */
export const BYTES: usize = 32;

export { mul, sqr, add, sub, neg, negCanonical, copy, setZero, setOne, isLiteralZero, canonical, fromBytesR256, bytesBelowP } from "./fq.generated";

export function isZero(a: usize): bool { return Fq.isZero(a, TLS + TLS_FQ2); }
export function inv(out: usize, a: usize): void { Fq.inv(out, a, TLS + TLS_INV); }
export function toBytesR256(out: usize, a: usize): void { Fq.toBytesR256(out, a, TLS + TLS_FQ2); }
export function mulByFq(out: usize, a: usize, k: usize): void { Fq.mul(out, a, k); }
