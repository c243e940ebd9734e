/**
 * Many independent affine additions on G2 with one inversion: `batch_g1.ts` over Fq2, where the two lanes of a pair are
 * the coordinates of one element. A point is x, y ; infinity is all zero bytes.
 */
import * as F from "./fq2";
import { negLazy2, negSumLazy2 } from "./fq.generated";
import { TLS, TLS_BATCH } from "./layout";

/** Bytes of an affine point. */
export const POINT: usize = 2 * F.SIZE;

const KIND_ADD: u8 = 0;
const KIND_FIRST: u8 = 1;
const KIND_SECOND: u8 = 2;
const KIND_DOUBLE: u8 = 3;
const KIND_INFINITY: u8 = 4;

/** Bytes of scratch for n operations. */
export function batchScratch(n: usize): usize { return (2 * n + 1) * F.SIZE + n + 64; }

export function isInfinity(p: usize): bool { return F.isLiteralZero(p) && F.isLiteralZero(p + F.SIZE); }

function special(kind: u8, p1: usize, p2: usize, out: usize, inverse: usize): void {
  if (kind == KIND_FIRST) {
    if (out != p1) memory.copy(out, p1, POINT);
  } else if (kind == KIND_SECOND) {
    if (out != p2) memory.copy(out, p2, POINT);
  } else if (kind == KIND_INFINITY) {
    memory.fill(out, 0, POINT);
  } else {
    const l = TLS + TLS_BATCH + 768, x = l + 80, y = x + 80;
    F.sqr(l, p1);
    F.add(x, l, l);
    F.add(l, l, x);
    F.mul(l, l, inverse);
    F.sqr(x, l);
    F.sub(x, x, p1);
    F.sub(x, x, p1);
    F.sub(y, p1, x);
    F.mul(y, y, l);
    F.sub(y, y, p1 + F.SIZE);
    F.copy(out, x);
    F.copy(out + F.SIZE, y);
  }
}

/** Runs n operations; scratch: batchScratch(n) bytes. */
export function batchAdd(ops: usize, n: usize, scratch: usize): void {
  if (n == 0) return;
  const prefix = scratch;
  const dbuf = prefix + (n + 1) * F.SIZE;
  const kinds = dbuf + n * F.SIZE;
  const t0 = TLS + TLS_BATCH, t1 = t0 + 80, acc = t0 + 160, lam = t0 + 240, x3 = t0 + 320, y3 = t0 + 400;

  F.setOne(prefix);
  for (let k: usize = 0; k < n; k++) {
    const op = ops + k * 12;
    const a = load<u32>(op), b = load<u32>(op, 4);
    const d = dbuf + k * F.SIZE;
    F.sub(d, b, a);
    let kind = KIND_ADD;
    if (isInfinity(a)) kind = KIND_SECOND;
    else if (isInfinity(b)) kind = KIND_FIRST;
    else if (F.isNormalZero(d)) {
      F.sub(t1, b + F.SIZE, a + F.SIZE);
      kind = F.isZero(t1) ? KIND_DOUBLE : KIND_INFINITY;
    }
    if (kind != KIND_ADD) {
      if (kind == KIND_DOUBLE) F.add(d, a + F.SIZE, a + F.SIZE);
      else F.setOne(d);
    }
    store<u8>(kinds + k, kind);
    F.mul(prefix + (k + 1) * F.SIZE, prefix + k * F.SIZE, d);
  }

  F.inv(acc, prefix + n * F.SIZE);

  for (let k: usize = n - 1; ; k--) {
    const op = ops + k * 12;
    const a = load<u32>(op), b = load<u32>(op, 4), out = load<u32>(op, 8);
    F.mul(t0, acc, prefix + k * F.SIZE);
    F.mul(acc, acc, dbuf + k * F.SIZE);
    const kind = load<u8>(kinds + k);
    if (kind != KIND_ADD) {
      special(kind, a, b, out, t0);
    } else {
      F.sub(t1, b + F.SIZE, a + F.SIZE);
      F.mul(lam, t1, t0);
      negSumLazy2(t1, a, b);
      F.sqrAdd(x3, lam, t1);
      F.sub(t0, a, x3);
      negLazy2(t1, a + F.SIZE);
      F.mulAdd(y3, lam, t0, t1);
      F.copy(out, x3);
      F.copy(out + F.SIZE, y3);
    }
    if (k == 0) break;
  }
}
