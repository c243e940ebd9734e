/**
 * Many independent affine additions on G1 with one inversion (Montgomery's trick): 5 products and a square each, two
 * additions side by side in the lanes of a pair.
 *
 * Operation i of `ops` is three u32: addresses of both summands and of the sum (which may be the address of a summand of
 * the same operation, of no other one). A point is x, y (2 × 36 bytes, below 1.001p); infinity is 72 zero bytes, which are
 * no point of y² = x³ + 3. Doubling, cancellation and infinity are found and treated apart, so any input is right.
 *
 * Passes, for λ_i = (y2 - y1) / d_i, d_i = x2 - x1: forward, the prefix products d_0·…·d_i; one inversion; backward,
 * 1/d_i from the running inverse, then x3 = λ² - x1 - x2, y3 = λ(x1 - x3) - y1.
 */
import { C4, C8, PAIR, SIZE, add, copy, inv, isLiteralZero, isZero, mul, mul2, mulAdd2, setZero, sqr, sub, subLazy2, ONE, P0 } from "./fq.generated";
import { TLS, TLS_BATCH, TLS_INV } from "./layout";

/** Bytes of an affine point. */
export const POINT: usize = 2 * SIZE;

const KIND_ADD: u8 = 0;
const KIND_FIRST: u8 = 1;
const KIND_SECOND: u8 = 2;
const KIND_DOUBLE: u8 = 3;
const KIND_INFINITY: u8 = 4;
const KIND_NONE: u8 = 5;

const MASK: u32 = (1 << 29) - 1;

/** Bytes of scratch for n operations. */
export function batchScratch(n: usize): usize {
  const pairs = (n + 1) >> 1;
  return (2 * pairs + 1) * PAIR + 2 * pairs + 64;
}

// @ts-ignore: decorator
@inline
function interleave(out: usize, a0: v128, a1: v128, a2: u32, b0: v128, b1: v128, b2: u32): void {
  v128.store(out, v128.shuffle<i32>(a0, b0, 0, 4, 1, 5));
  v128.store(out, v128.shuffle<i32>(a0, b0, 2, 6, 3, 7), 16);
  v128.store(out, v128.shuffle<i32>(a1, b1, 0, 4, 1, 5), 32);
  v128.store(out, v128.shuffle<i32>(a1, b1, 2, 6, 3, 7), 48);
  store<u32>(out, a2, 64);
  store<u32>(out, b2, 68);
}

// @ts-ignore: decorator
@inline
function deinterleave(a: usize, b: usize, pair: usize): void {
  const v0 = v128.load(pair), v1 = v128.load(pair, 16), v2 = v128.load(pair, 32), v3 = v128.load(pair, 48);
  v128.store(a, v128.shuffle<i32>(v0, v1, 0, 2, 4, 6));
  v128.store(a, v128.shuffle<i32>(v2, v3, 0, 2, 4, 6), 16);
  store<u32>(a, load<u32>(pair, 64), 32);
  v128.store(b, v128.shuffle<i32>(v0, v1, 1, 3, 5, 7));
  v128.store(b, v128.shuffle<i32>(v2, v3, 1, 3, 5, 7), 16);
  store<u32>(b, load<u32>(pair, 68), 32);
}

/** out = (a - b + 4p, c - d + 4p), limb by limb. */
// @ts-ignore: decorator
@inline
function differences(out: usize, a: usize, b: usize, c: usize, d: usize): void {
  const c0 = v128.load(C4), c1 = v128.load(C4, 16), c2 = load<u32>(C4, 32);
  interleave(
    out,
    i32x4.sub(i32x4.add(v128.load(a), c0), v128.load(b)),
    i32x4.sub(i32x4.add(v128.load(a, 16), c1), v128.load(b, 16)),
    load<u32>(a, 32) + c2 - load<u32>(b, 32),
    i32x4.sub(i32x4.add(v128.load(c), c0), v128.load(d)),
    i32x4.sub(i32x4.add(v128.load(c, 16), c1), v128.load(d, 16)),
    load<u32>(c, 32) + c2 - load<u32>(d, 32),
  );
}

/** out = (8p - a - b, 8p - c - d), limb by limb. */
// @ts-ignore: decorator
@inline
function negatedSums(out: usize, a: usize, b: usize, c: usize, d: usize): void {
  const c0 = v128.load(C8), c1 = v128.load(C8, 16), c2 = load<u32>(C8, 32);
  interleave(
    out,
    i32x4.sub(i32x4.sub(c0, v128.load(a)), v128.load(b)),
    i32x4.sub(i32x4.sub(c1, v128.load(a, 16)), v128.load(b, 16)),
    c2 - load<u32>(a, 32) - load<u32>(b, 32),
    i32x4.sub(i32x4.sub(c0, v128.load(c)), v128.load(d)),
    i32x4.sub(i32x4.sub(c1, v128.load(c, 16)), v128.load(d, 16)),
    c2 - load<u32>(c, 32) - load<u32>(d, 32),
  );
}

/** out = (4p - a, 4p - b), limb by limb. */
// @ts-ignore: decorator
@inline
function negatives(out: usize, a: usize, b: usize): void {
  const c0 = v128.load(C4), c1 = v128.load(C4, 16), c2 = load<u32>(C4, 32);
  interleave(
    out,
    i32x4.sub(c0, v128.load(a)),
    i32x4.sub(c1, v128.load(a, 16)),
    c2 - load<u32>(a, 32),
    i32x4.sub(c0, v128.load(b)),
    i32x4.sub(c1, v128.load(b, 16)),
    c2 - load<u32>(b, 32),
  );
}

// @ts-ignore: decorator
@inline
function pairOf(out: usize, a: usize, b: usize): void {
  interleave(out, v128.load(a), v128.load(a, 16), load<u32>(a, 32), v128.load(b), v128.load(b, 16), load<u32>(b, 32));
}

/** x2 - x1 mod p can only be 0 if the lowest limb of the integer is that of -p, 0 or p: one test in 2^27 is wrong. */
// @ts-ignore: decorator
@inline
function maybeSpecial(p1: usize, p2: usize): bool {
  const d = (load<u32>(p2) - load<u32>(p1)) & MASK;
  return d == 0 || d == P0 || d == (1 << 29) - P0 || load<u64>(p1) == 0 || load<u64>(p2) == 0;
}

export function isInfinity(p: usize): bool { return isLiteralZero(p) && isLiteralZero(p + SIZE); }

function classify(p1: usize, p2: usize): u8 {
  const t = TLS + TLS_BATCH + 768;
  if (isInfinity(p1)) return KIND_SECOND;
  if (isInfinity(p2)) return KIND_FIRST;
  sub(t, p2, p1);
  if (!isZero(t, t + 40)) return KIND_ADD;
  sub(t, p2 + SIZE, p1 + SIZE);
  return isZero(t, t + 40) ? KIND_DOUBLE : KIND_INFINITY;
}

/** Denominator of an operation that is no plain addition, into lane 0 or 1 of d. */
function specialDenominator(d: usize, lane: usize, kind: u8, p1: usize): void {
  const t = TLS + TLS_BATCH + 768;
  if (kind == KIND_DOUBLE) add(t, p1 + SIZE, p1 + SIZE);
  else copy(t, ONE);
  for (let i: usize = 0; i < 9; i++) store<u32>(d + (i << 3) + (lane << 2), load<u32>(t + (i << 2)));
}

function special(kind: u8, p1: usize, p2: usize, out: usize, inverse: usize): void {
  if (kind == KIND_FIRST) {
    if (out != p1) memory.copy(out, p1, POINT);
  } else if (kind == KIND_SECOND) {
    if (out != p2) memory.copy(out, p2, POINT);
  } else if (kind == KIND_INFINITY) {
    memory.fill(out, 0, POINT);
  } else if (kind == KIND_DOUBLE) {
    const l = TLS + TLS_BATCH + 768, x = l + 40, y = x + 40;
    // λ = 3x² / 2y
    sqr(l, p1);
    add(x, l, l);
    add(l, l, x);
    mul(l, l, inverse);
    sqr(x, l);
    sub(x, x, p1);
    sub(x, x, p1);
    sub(y, p1, x);
    mul(y, y, l);
    sub(y, y, p1 + SIZE);
    copy(out, x);
    copy(out + SIZE, y);
  }
}

/** Runs n operations; scratch: batchScratch(n) bytes. */
export function batchAdd(ops: usize, n: usize, scratch: usize): void {
  if (n == 0) return;
  const pairs = (n + 1) >> 1;
  const prefix = scratch;
  const dbuf = prefix + (pairs + 1) * PAIR;
  const kinds = dbuf + pairs * PAIR;
  const t0 = TLS + TLS_BATCH, t1 = t0 + 80, acc = t0 + 160, lam = t0 + 240, x3 = t0 + 320, y3 = t0 + 400;
  const e0 = t0 + 480, e1 = t0 + 520, e2 = t0 + 560;

  pairOf(prefix, ONE, ONE);
  for (let k: usize = 0; k < pairs; k++) {
    const o0 = ops + k * 24;
    const last = 2 * k + 1 == n;
    const o1 = last ? o0 : o0 + 12;
    const a = load<u32>(o0), b = load<u32>(o0, 4), c = load<u32>(o1), d = load<u32>(o1, 4);
    const dk = dbuf + k * PAIR;
    differences(dk, b, a, d, c);
    let k0 = KIND_ADD, k1 = last ? KIND_NONE : KIND_ADD;
    if (maybeSpecial(a, b)) k0 = classify(a, b);
    if (!last && maybeSpecial(c, d)) k1 = classify(c, d);
    store<u8>(kinds + 2 * k, k0);
    store<u8>(kinds + 2 * k, k1, 1);
    if (k0 != KIND_ADD) specialDenominator(dk, 0, k0, a);
    if (k1 != KIND_ADD) specialDenominator(dk, 1, k1, c);
    mul2(prefix + (k + 1) * PAIR, dk, prefix + k * PAIR);
  }

  deinterleave(e0, e1, prefix + pairs * PAIR);
  mul(e2, e0, e1);
  inv(e2, e2, TLS + TLS_INV);
  mul(e1, e1, e2);
  mul(e0, e0, e2);
  pairOf(acc, e1, e0);

  for (let k: usize = pairs - 1; ; k--) {
    const o0 = ops + k * 24;
    const last = 2 * k + 1 == n;
    const o1 = last ? o0 : o0 + 12;
    const a = load<u32>(o0), b = load<u32>(o0, 4), c = load<u32>(o1), d = load<u32>(o1, 4);
    const both = load<u16>(kinds + 2 * k);
    mul2(t0, acc, prefix + k * PAIR);
    mul2(acc, dbuf + k * PAIR, acc);
    if (both != 0) {
      // inverses of both lanes, before lam overwrites anything
      deinterleave(e0, e1, t0);
    }
    differences(t1, b + SIZE, a + SIZE, d + SIZE, c + SIZE);
    mul2(lam, t1, t0);
    negatedSums(t1, a, b, c, d);
    mulAdd2(x3, lam, lam, t1);
    pairOf(t1, a, c);
    subLazy2(t0, t1, x3);
    negatives(t1, a + SIZE, c + SIZE);
    mulAdd2(y3, t0, lam, t1);
    if (both == 0) {
      const p = load<u32>(o0, 8), q = load<u32>(o1, 8);
      deinterleave(p, q, x3);
      deinterleave(p + SIZE, q + SIZE, y3);
    } else {
      const k0 = u8(both & 255), k1 = u8(both >> 8);
      const x0 = TLS + TLS_BATCH + 640, x1 = x0 + 40;
      deinterleave(x0, x1, x3);
      if (k0 == KIND_ADD) copy(load<u32>(o0, 8), x0);
      if (k1 == KIND_ADD) copy(load<u32>(o1, 8), x1);
      deinterleave(x0, x1, y3);
      if (k0 == KIND_ADD) copy(usize(load<u32>(o0, 8)) + SIZE, x0);
      else special(k0, a, b, load<u32>(o0, 8), e0);
      if (k1 == KIND_ADD) copy(usize(load<u32>(o1, 8)) + SIZE, x1);
      else special(k1, c, d, load<u32>(o1, 8), e1);
    }
    if (k == 0) break;
  }
}
