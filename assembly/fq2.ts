/**
 * Fq2 = Fq[u]/(u² + 1). An element is a pair (c0, c1) with interleaved limbs (72 bytes): both coordinates of a product
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
export function split(c0: usize, c1: usize, a: usize): void {
  for (let i: usize = 0; i < 9; i++) {
    store<u32>(c0 + (i << 2), load<u32>(a + (i << 3)));
    store<u32>(c1 + (i << 2), load<u32>(a + (i << 3), 4));
  }
}

/** The reverse of split. */
export function join(out: usize, c0: usize, c1: usize): void {
  for (let i: usize = 0; i < 9; i++) {
    store<u32>(out + (i << 3), load<u32>(c0 + (i << 2)));
    store<u32>(out + (i << 3), load<u32>(c1 + (i << 2)), 4);
  }
}

export function copy(out: usize, a: usize): void {
  const x = v128.load(a), y = v128.load(a, 16), z = v128.load(a, 32), w = v128.load(a, 48), l = load<u64>(a, 64);
  v128.store(out, x); v128.store(out, y, 16); v128.store(out, z, 32); v128.store(out, w, 48); store<u64>(out, l, 64);
}

export function setZero(out: usize): void { memory.fill(out, 0, SIZE); }

export function setOne(out: usize): void {
  setZero(out);
  for (let i: usize = 0; i < 9; i++) store<u32>(out + (i << 3), load<u32>(Fq.ONE + (i << 2)));
}

export function isLiteralZero(a: usize): bool {
  const x = v128.or(v128.or(v128.load(a), v128.load(a, 16)), v128.or(v128.load(a, 32), v128.load(a, 48)));
  return !v128.any_true(x) && load<u64>(a, 64) == 0;
}

export function isZero(a: usize): bool {
  const s = TLS + TLS_FQ2 + 96;
  split(s, s + 40, a);
  return Fq.isZero(s, s + 80) && Fq.isZero(s + 40, s + 80);
}

/** isZero for a below 1.01p, with a cheap test first: the lowest limbs must be those of 0 or p. */
export function isSmallMultiple(a: usize): bool {
  const l0 = load<u32>(a), l1 = load<u32>(a, 4);
  if ((l0 != 0 && l0 != Fq.P0) || (l1 != 0 && l1 != Fq.P0)) return false;
  return isZero(a);
}

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

/** Reads 64 bytes (c0, c1), Montgomery R = 2^256. */
export function fromBytesR256(out: usize, src: usize): void {
  const s = TLS + TLS_FQ2 + 96;
  Fq.fromBytesR256(s, src);
  Fq.fromBytesR256(s + 40, src + 32);
  join(out, s, s + 40);
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

/** out = a scaled by an element of Fq. */
export function mulByFq(out: usize, a: usize, k: usize): void {
  const s = TLS + TLS_FQ2 + 96;
  split(s, s + 40, a);
  Fq.mul(s, s, k);
  Fq.mul(s + 40, s + 40, k);
  join(out, s, s + 40);
}

/** Bytes of an element in a zkey. */
export const BYTES: usize = 64;
