/**
 * Many independent affine additions on G1 with one inversion (Montgomery's trick): 5 products and a square each, two
 * additions side by side in the lanes of a pair.
 *
 * Operation i of `ops` is three u32: addresses of both summands and of the sum (which may be the address of a summand of
 * the same operation, of no other one). A point is x, y (normal, see mulAdd2); infinity is all zero bytes, which are
 * no point of y² = x³ + 3. Doubling, cancellation and infinity are found and treated apart, so any input is right.
 *
 * Passes, for λ_i = (y2 - y1) / d_i, d_i = x2 - x1: forward, the prefix products d_0·…·d_i; one inversion; backward,
 * 1/d_i from the running inverse, then x3 = λ² - x1 - x2, y3 = λ(x1 - x3) - y1.
 */
import {
  ONE, PAIR, SIZE, add, copy, inv, isLiteralZero, isZero, maybeEqual, mul, mul2, mulAdd2, pairDifference, pairNegatedSum,
  pairNegative, pairOf, putLane, sqr, sub, subLazy2, unpair,
} from "./fq.generated";
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

/** Whether an operation may be anything but a plain addition; rarely true for one that is. */
// @ts-ignore: decorator
@inline
function maybeSpecial(p1: usize, p2: usize): bool {
  return maybeEqual(p1, p2) || load<u64>(p1) == 0 || load<u64>(p2) == 0;
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
function specialDenominator(d: usize, lane: u32, kind: u8, p1: usize): void {
  const t = TLS + TLS_BATCH + 768;
  if (kind == KIND_DOUBLE) add(t, p1 + SIZE, p1 + SIZE);
  else copy(t, ONE);
  putLane(d, lane, t);
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
    pairDifference(dk, b, a, d, c);
    let k0 = KIND_ADD, k1 = last ? KIND_NONE : KIND_ADD;
    if (maybeSpecial(a, b)) k0 = classify(a, b);
    if (!last && maybeSpecial(c, d)) k1 = classify(c, d);
    store<u8>(kinds + 2 * k, k0);
    store<u8>(kinds + 2 * k, k1, 1);
    if (k0 != KIND_ADD) specialDenominator(dk, 0, k0, a);
    if (k1 != KIND_ADD) specialDenominator(dk, 1, k1, c);
    mul2(prefix + (k + 1) * PAIR, dk, prefix + k * PAIR);
  }

  unpair(e0, e1, prefix + pairs * PAIR);
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
      unpair(e0, e1, t0);
    }
    pairDifference(t1, b + SIZE, a + SIZE, d + SIZE, c + SIZE);
    mul2(lam, t1, t0);
    pairNegatedSum(t1, a, b, c, d);
    mulAdd2(x3, lam, lam, t1);
    pairOf(t1, a, c);
    subLazy2(t0, t1, x3);
    pairNegative(t1, a + SIZE, c + SIZE);
    mulAdd2(y3, t0, lam, t1);
    if (both == 0) {
      const p = load<u32>(o0, 8), q = load<u32>(o1, 8);
      unpair(p, q, x3);
      unpair(p + SIZE, q + SIZE, y3);
    } else {
      const k0 = u8(both & 255), k1 = u8(both >> 8);
      const x0 = TLS + TLS_BATCH + 640, x1 = x0 + 40;
      unpair(x0, x1, x3);
      if (k0 == KIND_ADD) copy(load<u32>(o0, 8), x0);
      if (k1 == KIND_ADD) copy(load<u32>(o1, 8), x1);
      unpair(x0, x1, y3);
      if (k0 == KIND_ADD) copy(usize(load<u32>(o0, 8)) + SIZE, x0);
      else special(k0, a, b, load<u32>(o0, 8), e0);
      if (k1 == KIND_ADD) copy(usize(load<u32>(o1, 8)) + SIZE, x1);
      else special(k1, c, d, load<u32>(o1, 8), e1);
    }
    if (k == 0) break;
  }
}
