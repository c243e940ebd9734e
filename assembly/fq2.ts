/**
 * Fq2 = Fq[u]/(u² + 1). An element is a pair (c0, c1) with interleaved limbs: both coordinates of a product
 * come out of one two-way SIMD multiplication. Exports the names of `fq.generated.ts`, so that `curve.ts` serves G1 and G2.
 */
import * as Fq from "./fq.generated";
import { TLS, TLS_FQ2, TLS_INV } from "./layout";

/** Bytes of an element. */
export const SIZE: usize = Fq.PAIR;

export function mul(out: usize, a: usize, b: usize): void { Fq.mulFq2(out, a, b, TLS + TLS_FQ2); }
export function sqr(out: usize, a: usize): void { Fq.sqrFq2(out, a, TLS + TLS_FQ2); }
/** out = a·b + s, see Fq.mulAdd2. */
export function mulAdd(out: usize, a: usize, b: usize, s: usize): void { Fq.mulAddFq2(out, a, b, s, TLS + TLS_FQ2); }
/** out = a² + s, see Fq.mulAdd2. */
export function sqrAdd(out: usize, a: usize, s: usize): void { Fq.sqrAddFq2(out, a, s, TLS + TLS_FQ2); }
export function add(out: usize, a: usize, b: usize): void { Fq.add2(out, a, b); }
export function sub(out: usize, a: usize, b: usize): void { Fq.sub2(out, a, b); }

/** c0 and c1 of a into two Fq elements. */
export function split(c0: usize, c1: usize, a: usize): void { Fq.unpair(c0, c1, a); }

/** The reverse of split. */
export function join(out: usize, c0: usize, c1: usize): void { Fq.pairOf(out, c0, c1); }

export function copy(out: usize, a: usize): void { Fq.copy2(out, a); }

export function setZero(out: usize): void { memory.fill(out, 0, SIZE); }

export function setOne(out: usize): void {
  setZero(out);
  Fq.putLane(out, 0, Fq.ONE);
}

export function isLiteralZero(a: usize): bool { return Fq.isLiteralZero2(a); }

export function isZero(a: usize): bool {
  const s = TLS + TLS_FQ2 + 96;
  split(s, s + 40, a);
  return Fq.isZero(s, s + 80) && Fq.isZero(s + 40, s + 80);
}

/** isZero for a normal, with a cheap test first. */
export function isNormalZero(a: usize): bool { return Fq.maybeZero2(a) && isZero(a); }

/** Both coordinates canonical. */
export function canonical(out: usize, a: usize): void {
  const s = TLS + TLS_FQ2 + 96;
  split(s, s + 40, a);
  Fq.canonical(s, s);
  Fq.canonical(s + 40, s + 40);
  join(out, s, s + 40);
}

export function neg(out: usize, a: usize): void {
  const s = TLS + TLS_FQ2 + 96;
  split(s, s + 40, a);
  Fq.neg(s, s);
  Fq.neg(s + 40, s + 40);
  join(out, s, s + 40);
}

/** out = -a for canonical a; a zero coordinate becomes p, which is normal. */
export function negCanonical(out: usize, a: usize): void {
  const s = TLS + TLS_FQ2 + 96;
  split(s, s + 40, a);
  Fq.negCanonical(s, s);
  Fq.negCanonical(s + 40, s + 40);
  join(out, s, s + 40);
}

/** out = 1/a = (a0 - a1·u) / (a0² + a1²). */
export function inv(out: usize, a: usize): void {
  const s = TLS + TLS_FQ2 + 96;
  const c0 = s, c1 = s + 40, n = s + 80, t = s + 120;
  split(c0, c1, a);
  Fq.sqr(n, c0);
  Fq.sqr(t, c1);
  Fq.add(n, n, t);
  Fq.inv(n, n, TLS + TLS_INV);
  Fq.mul(c0, c0, n);
  Fq.mul(c1, c1, n);
  Fq.neg(c1, c1);
  join(out, c0, c1);
}

/** Reads an affine point of 128 bytes (x and y, c0 and c1 each), Montgomery R = 2^256; canonical. */
export function readPoint(out: usize, src: usize): void {
  const s = TLS + TLS_FQ2 + 96;
  Fq.fromBytesR256(s, s + 40, src, s + 80);
  join(out, s, s + 40);
  Fq.fromBytesR256(s, s + 40, src + 64, s + 80);
  join(out + SIZE, s, s + 40);
}

/** Writes 64 bytes (c0, c1), Montgomery R = 2^256. */
export function toBytesR256(out: usize, a: usize): void {
  const s = TLS + TLS_FQ2 + 96;
  split(s, s + 40, a);
  Fq.toBytesR256(out, s, s + 80);
  Fq.toBytesR256(out + 32, s + 40, s + 80);
}

/** Whether both 32-byte coordinates are below q. */
export function bytesBelowP(src: usize): bool { return Fq.bytesBelowP(src) && Fq.bytesBelowP(src + 32); }

/** y², x³ and beta·x of an affine point, beta in Fq. */
export function sidesAndImage(ySquare: usize, xCube: usize, image: usize, point: usize, beta: usize): void {
  sqr(ySquare, point + SIZE);
  sqr(xCube, point);
  mul(xCube, xCube, point);
  const s = TLS + TLS_FQ2 + 96;
  join(s, beta, beta);
  Fq.mul2(image, point, s);
}

/** Bytes of an element in a zkey. */
export const BYTES: usize = 64;
