/**
 * Group law, multi-scalar multiplication and fixed-base multiplication on y² = x³ + b over the field of `./fq`.
 *
 * `scripts/build-wasm.mjs` makes G2 from this file by replacing the imports `./fq` and `./batch_g1` by `./fq2` and
 * `./batch_g2`; the comments speak of G1.
 *
 * - affine point: x, y, normal and below 1.01p; infinity is all zero bytes.
 * - base: x, y, βx (the GLV endomorphism (x, y) -> (βx, y) is multiplication by λ), canonical.
 * - Jacobian point: X, Y, Z with x = X/Z², y = Y/Z³; infinity has Z = 0 bit for bit.
 */
import * as F from "./fq";
import { POINT, batchAdd, batchScratch, isInfinity } from "./batch_g1";
import { TLS, TLS_CURVE } from "./layout";

const JACOBIAN: usize = 3 * F.SIZE;
const BASE: usize = 3 * F.SIZE;

/** Operations per batched inversion, an inversion costs about as much as 60 to 100 additions. */
const BATCH: usize = 2048;

export function pointSize(): usize { return POINT; }
export function baseSize(): usize { return BASE; }
export function jacobianSize(): usize { return JACOBIAN; }

// ---------------------------------------------------------------- Jacobian

// @ts-ignore: decorator
@inline
function tmp(i: usize): usize { return TLS + TLS_CURVE + i * 80; }

export function jacSetInfinity(p: usize): void { memory.fill(p, 0, JACOBIAN); }

export function jacIsInfinity(p: usize): bool { return F.isLiteralZero(p + 2 * F.SIZE); }

export function jacFromAffine(out: usize, p: usize): void {
  if (isInfinity(p)) { jacSetInfinity(out); return; }
  F.copy(out, p);
  F.copy(out + F.SIZE, p + F.SIZE);
  F.setOne(out + 2 * F.SIZE);
}

export function jacToAffine(out: usize, p: usize): void {
  if (jacIsInfinity(p)) { memory.fill(out, 0, POINT); return; }
  const z = tmp(0), z2 = tmp(1);
  F.inv(z, p + 2 * F.SIZE);
  F.sqr(z2, z);
  F.mul(z, z, z2);
  F.mul(z, p + F.SIZE, z);
  F.mul(z2, p, z2);
  F.canonical(out, z2);
  F.canonical(out + F.SIZE, z);
}

/** dbl-2009-l; no point has order 2. */
export function jacDouble(out: usize, p: usize): void {
  if (jacIsInfinity(p)) { jacSetInfinity(out); return; }
  const a = tmp(0), b = tmp(1), c = tmp(2), d = tmp(3), e = tmp(4);
  const x = p, y = p + F.SIZE, z = p + 2 * F.SIZE;
  F.sqr(a, x);
  F.sqr(b, y);
  F.sqr(c, b);
  F.add(d, x, b);
  F.sqr(d, d);
  F.sub(d, d, a);
  F.sub(d, d, c);
  F.add(d, d, d);
  F.add(e, a, a);
  F.add(e, e, a);
  F.mul(b, y, z);
  F.add(out + 2 * F.SIZE, b, b);
  F.sqr(a, e);
  F.sub(a, a, d);
  F.sub(a, a, d);
  F.copy(out, a);
  F.sub(d, d, a);
  F.mul(d, d, e);
  F.add(c, c, c);
  F.add(c, c, c);
  F.add(c, c, c);
  F.sub(out + F.SIZE, d, c);
}

/** out = p + q; any of them may be infinity, equal or opposite; out may be p or q. */
export function jacAdd(out: usize, p: usize, q: usize): void {
  if (jacIsInfinity(p)) { if (out != q) memory.copy(out, q, JACOBIAN); return; }
  if (jacIsInfinity(q)) { if (out != p) memory.copy(out, p, JACOBIAN); return; }
  const z1 = tmp(0), z2 = tmp(1), u1 = tmp(2), h = tmp(3), s1 = tmp(4), r = tmp(5), v = tmp(6), x3 = tmp(7);
  F.sqr(z1, p + 2 * F.SIZE);
  F.sqr(z2, q + 2 * F.SIZE);
  F.mul(u1, p, z2);
  F.mul(h, q, z1);
  F.sub(h, h, u1);
  F.mul(z2, z2, q + 2 * F.SIZE);
  F.mul(s1, p + F.SIZE, z2);
  F.mul(z1, z1, p + 2 * F.SIZE);
  F.mul(r, q + F.SIZE, z1);
  F.sub(r, r, s1);
  if (F.isZero(h)) {
    if (F.isZero(r)) jacDouble(out, p);
    else jacSetInfinity(out);
    return;
  }
  F.mul(z1, p + 2 * F.SIZE, q + 2 * F.SIZE);
  F.mul(out + 2 * F.SIZE, z1, h);
  F.sqr(z1, h);
  F.mul(v, u1, z1);
  F.mul(z1, z1, h);
  F.sqr(x3, r);
  F.sub(x3, x3, z1);
  F.sub(x3, x3, v);
  F.sub(x3, x3, v);
  F.copy(out, x3);
  F.sub(v, v, x3);
  F.mul(v, v, r);
  F.mul(s1, s1, z1);
  F.sub(out + F.SIZE, v, s1);
}

/** p += affine q. */
export function jacAddAffine(p: usize, q: usize): void {
  const j = tmp(10);
  jacFromAffine(j, q);
  jacAdd(p, p, j);
}

/** out = scalar·p for 32 little-endian bytes; not constant time. */
export function jacMul(out: usize, p: usize, scalar: usize): void {
  const acc = tmp(13), base = tmp(16);
  memory.copy(base, p, JACOBIAN);
  jacSetInfinity(acc);
  for (let i = 255; i >= 0; i--) {
    jacDouble(acc, acc);
    if ((load<u8>(scalar + (usize(i) >> 3)) >> (u8(i) & 7)) & 1) jacAdd(acc, acc, base);
  }
  memory.copy(out, acc, JACOBIAN);
}

/** out = Σ 2^(c·w) · windows[w]. */
export function jacHorner(out: usize, windows: usize, n: u32, c: u32): void {
  const acc = tmp(13);
  jacSetInfinity(acc);
  for (let w: i32 = i32(n) - 1; w >= 0; w--) {
    for (let i: u32 = 0; i < c; i++) jacDouble(acc, acc);
    jacAdd(acc, acc, windows + usize(w) * JACOBIAN);
  }
  memory.copy(out, acc, JACOBIAN);
}

// ---------------------------------------------------------------- zkey points

/** Whether affine p is infinity or satisfies y² = x³ + b (b in Montgomery form). */
export function onCurve(p: usize, b: usize): bool {
  if (isInfinity(p)) return true;
  const l = tmp(0), r = tmp(1);
  F.sqr(l, p + F.SIZE);
  F.sqr(r, p);
  F.mul(r, r, p);
  F.add(r, r, b);
  F.sub(l, l, r);
  return F.isZero(l);
}

/** Affine point from its zkey bytes. Returns 0 when fine, 1 for a coordinate ≥ q, 2 off the curve. */
export function pointFromBytes(out: usize, src: usize, b: usize): i32 {
  if (!F.bytesBelowP(src) || !F.bytesBelowP(src + F.BYTES)) return 1;
  F.readPoint(out, src);
  return onCurve(out, b) ? 0 : 2;
}

/** Affine point to its zkey bytes. */
export function pointToBytes(out: usize, p: usize): void {
  F.toBytesR256(out, p);
  F.toBytesR256(out + F.BYTES, p + F.SIZE);
}

/**
 * Bases from n zkey points, leaving out infinity: base i belongs to scalar index[i] (first + position). Checks
 * coordinates and curve equation. Returns how many were written, or -1 - position of the first bad point.
 */
export function loadBases(bases: usize, index: usize, src: usize, n: u32, first: u32, beta: usize, b: usize): i32 {
  const l = tmp(0), r = tmp(1);
  let count: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const s = src + usize(i) * 2 * F.BYTES;
    const out = bases + usize(count) * BASE, image = out + 2 * F.SIZE;
    if (!F.bytesBelowP(s) || !F.bytesBelowP(s + F.BYTES)) return -1 - i32(i);
    F.readPoint(out, s);
    if (isInfinity(out)) continue;
    F.sidesAndImage(l, r, image, out, beta);
    F.add(r, r, b);
    F.sub(l, l, r);
    if (!F.isZero(l)) return -1 - i32(i);
    F.canonical(image, image);
    store<u32>(index + (usize(count) << 2), first + i);
    count++;
  }
  return i32(count);
}

/** n bases as a zkey holds points: x, y, Montgomery form with R = 2^256. */
export function storeBases(out: usize, bases: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) pointToBytes(out + usize(i) * 2 * F.BYTES, bases + usize(i) * BASE);
}

// ---------------------------------------------------------------- sums of groups

/**
 * Sums groups of affine points in place by trees of batched additions. Group g occupies counts[g] points from points +
 * starts[g]·POINT; afterwards its sum stands in its first place (groups of 0 points are left alone).
 * active: 2·groups u32; ops: 12·BATCH bytes; scratch: batchScratch(BATCH).
 */
function sumGroups(points: usize, starts: usize, counts: usize, groups: u32, active: usize, ops: usize, scratch: usize): void {
  let n: u32 = 0;
  for (let g: u32 = 0; g < groups; g++) {
    const m = load<u32>(counts + (usize(g) << 2));
    if (m > 1) {
      store<u32>(active + (usize(n) << 3), u32(points + usize(load<u32>(starts + (usize(g) << 2))) * POINT));
      store<u32>(active + (usize(n) << 3), m, 4);
      n++;
    }
  }
  let stride: usize = POINT;
  while (n > 0) {
    let pending: usize = 0, left: u32 = 0;
    for (let i: u32 = 0; i < n; i++) {
      const p = load<u32>(active + (usize(i) << 3)), m = load<u32>(active + (usize(i) << 3), 4);
      let a = usize(p);
      for (let j: u32 = 0; j < m >> 1; j++) {
        const op = ops + pending * 12;
        store<u32>(op, u32(a));
        store<u32>(op, u32(a + stride), 4);
        store<u32>(op, u32(a), 8);
        a += 2 * stride;
        if (++pending == BATCH) { batchAdd(ops, pending, scratch); pending = 0; }
      }
      const rest = (m + 1) >> 1;
      if (rest > 1) {
        store<u32>(active + (usize(left) << 3), p);
        store<u32>(active + (usize(left) << 3), rest, 4);
        left++;
      }
    }
    batchAdd(ops, pending, scratch);
    n = left;
    stride <<= 1;
  }
}

// ---------------------------------------------------------------- multi-scalar multiplication

// @ts-ignore: decorator
@inline
function align(x: usize): usize { return (x + 15) & ~15; }

/** Most points that lie in memory at once: entries of a slice and the sum of each bucket, or rows and columns of buckets. */
function msmPoints(sliceBases: u32, c: u32): usize {
  const buckets = usize(1) << (c - 1);
  const entries = usize(sliceBases) * 2 + buckets;
  return entries > 2 * buckets ? entries : 2 * buckets;
}

/** Bytes of scratch for msmWindow. */
export function msmScratch(sliceBases: u32, c: u32): usize {
  const groups = (usize(1) << (c - 1)) + 1;
  return (
    align(msmPoints(sliceBases, c) * POINT) +
    align(groups * POINT) +
    3 * align(groups * 8) +
    align(usize(sliceBases) * 8) +
    align(BATCH * 12) +
    align(batchScratch(BATCH)) +
    256
  );
}

/**
 * One window of Σ k_i·P_i: out = Σ_i d_i·P_i + e_i·λP_i (Jacobian), where d_i and e_i are the signed digits
 * (|digit| ≤ 2^(c-1)) of both GLV halves at i16 digits[index[i]] and digits[halfStride + index[i]].
 *
 * Entries are sorted by bucket |digit| and laid out in memory bucket by bucket (at most 2·sliceBases at a time, with the
 * sums so far), so that all additions are batched ones between neighbours. The weighted sum of the buckets is taken as a
 * table: with b = 2^l·row + column, Σ b·B_b = 2^l·Σ row·R_row + Σ column·C_column, again sums of groups.
 */
export function msmWindow(out: usize, bases: usize, index: usize, n: u32, digits: usize, halfStride: usize, c: u32, sliceBases: u32, scratch: usize): void {
  const buckets: u32 = 1 << (c - 1), groups = buckets + 1;
  const points = scratch;
  const sums = points + align(msmPoints(sliceBases, c) * POINT);
  const starts = sums + align(usize(groups) * POINT);
  const counts = starts + align(usize(groups) * 8);
  const active = counts + align(usize(groups) * 8);
  const refs = active + align(usize(groups) * 8);
  const ops = refs + align(usize(sliceBases) * 8);
  const batch = ops + align(BATCH * 12);
  const full = starts + (usize(groups) << 2);
  const fill = counts + (usize(groups) << 2);
  memory.fill(full, 0, usize(groups) << 2);

  for (let from: u32 = 0; from < n; from += sliceBases) {
    const to = min(n, from + sliceBases);
    memory.fill(counts, 0, usize(groups) << 2);
    for (let i = from; i < to; i++) {
      const at = digits + (usize(load<u32>(index + (usize(i) << 2))) << 1);
      const d = abs<i32>(load<i16>(at)), e = abs<i32>(load<i16>(at + halfStride));
      const cd = counts + (usize(d) << 2);
      store<u32>(cd, load<u32>(cd) + 1);
      const ce = counts + (usize(e) << 2);
      store<u32>(ce, load<u32>(ce) + 1);
    }
    store<u32>(counts, 0);

    // place of each bucket: the sum so far, then its entries
    let place: u32 = 0, entries: u32 = 0;
    for (let g: u32 = 1; g < groups; g++) {
      const o = usize(g) << 2, m = load<u32>(counts + o);
      store<u32>(fill + o, entries);
      entries += m;
    }
    if (entries == 0) continue;
    for (let i = from; i < to; i++) {
      const at = digits + (usize(load<u32>(index + (usize(i) << 2))) << 1);
      const d = i32(load<i16>(at)), e = i32(load<i16>(at + halfStride));
      if (d != 0) {
        const f = fill + (usize(abs(d)) << 2), r = load<u32>(f);
        store<u32>(f, r + 1);
        store<u32>(refs + (usize(r) << 2), (i << 2) | u32(d < 0));
      }
      if (e != 0) {
        const f = fill + (usize(abs(e)) << 2), r = load<u32>(f);
        store<u32>(f, r + 1);
        store<u32>(refs + (usize(r) << 2), (i << 2) | 2 | u32(e < 0));
      }
    }
    let ref = refs;
    for (let g: u32 = 1; g < groups; g++) {
      const o = usize(g) << 2, m = load<u32>(counts + o);
      store<u32>(starts + o, place);
      if (m == 0) continue;
      if (load<u32>(full + o) != 0) {
        memory.copy(points + usize(place++) * POINT, sums + usize(g) * POINT, POINT);
        store<u32>(counts + o, m + 1);
      }
      for (let j: u32 = 0; j < m; j++) {
        const r = load<u32>(ref);
        ref += 4;
        const b = bases + usize(r >> 2) * BASE, p = points + usize(place++) * POINT;
        F.copy(p, r & 2 ? b + 2 * F.SIZE : b);
        if (r & 1) F.negCanonical(p + F.SIZE, b + F.SIZE);
        else F.copy(p + F.SIZE, b + F.SIZE);
      }
    }
    sumGroups(points, starts, counts, groups, active, ops, batch);
    for (let g: u32 = 1; g < groups; g++) {
      const o = usize(g) << 2;
      if (load<u32>(counts + o) != 0) {
        memory.copy(sums + usize(g) * POINT, points + usize(load<u32>(starts + o)) * POINT, POINT);
        store<u32>(full + o, 1);
      }
    }
  }

  // rows, then columns; c ≥ 3, so that rowCount + columns ≤ groups and the tables above suffice
  const l = (c - 1) >> 1, columns: u32 = 1 << l, rowCount = (buckets >> l) + 1;
  memory.fill(counts, 0, usize(rowCount + columns) << 2);
  for (let g: u32 = 1; g < groups; g++) {
    if (load<u32>(full + (usize(g) << 2)) == 0) continue;
    const row = counts + (usize(g >> l) << 2), col = counts + (usize(rowCount + (g & (columns - 1))) << 2);
    if (g >> l) store<u32>(row, load<u32>(row) + 1);
    if (g & (columns - 1)) store<u32>(col, load<u32>(col) + 1);
  }
  let place: u32 = 0;
  for (let g: u32 = 0; g < rowCount + columns; g++) {
    store<u32>(starts + (usize(g) << 2), place);
    store<u32>(active + (usize(g) << 2), place);
    place += load<u32>(counts + (usize(g) << 2));
  }
  for (let g: u32 = 1; g < groups; g++) {
    if (load<u32>(full + (usize(g) << 2)) == 0) continue;
    if (g >> l) {
      const a = active + (usize(g >> l) << 2), p = load<u32>(a);
      store<u32>(a, p + 1);
      memory.copy(points + usize(p) * POINT, sums + usize(g) * POINT, POINT);
    }
    if (g & (columns - 1)) {
      const a = active + (usize(rowCount + (g & (columns - 1))) << 2), p = load<u32>(a);
      store<u32>(a, p + 1);
      memory.copy(points + usize(p) * POINT, sums + usize(g) * POINT, POINT);
    }
  }
  sumGroups(points, starts, counts, rowCount + columns, active, ops, batch);
  weightedSum(out, points, starts, counts, rowCount);
  for (let i: u32 = 0; i < l; i++) jacDouble(out, out);
  const rest = tmp(16);
  weightedSum(rest, points, starts + (usize(rowCount) << 2), counts + (usize(rowCount) << 2), columns);
  jacAdd(out, out, rest);
}

/** out = Σ i · (sum of group i), i < n. */
function weightedSum(out: usize, points: usize, starts: usize, counts: usize, n: u32): void {
  const run = tmp(13);
  jacSetInfinity(out);
  jacSetInfinity(run);
  for (let i = n - 1; i >= 1; i--) {
    if (load<u32>(counts + (usize(i) << 2)) != 0) jacAddAffine(run, points + usize(load<u32>(starts + (usize(i) << 2))) * POINT);
    jacAdd(out, out, run);
  }
}

// ---------------------------------------------------------------- fixed base

const FIXED_BITS: u32 = 8;
const FIXED_WINDOWS: u32 = 32;

/** Bytes of a fixed-base table: d·2^(8w)·P for d in 1..255, w in 0..31. */
export function fixedTableSize(): usize { return usize(FIXED_WINDOWS * 255) * POINT; }

/** Bytes of scratch for fixedTable and fixedMul. */
export function fixedScratch(): usize { return align(BATCH * 12) + align(BATCH * POINT) + batchScratch(BATCH) + 64; }

/** Table of affine base p. */
export function fixedTable(table: usize, p: usize, scratch: usize): void {
  const batch = scratch + align(BATCH * 12), j = tmp(13);
  jacFromAffine(j, p);
  for (let w: u32 = 0; w < FIXED_WINDOWS; w++) {
    jacToAffine(table + usize(w * 255) * POINT, j);
    for (let i: u32 = 0; i < FIXED_BITS; i++) jacDouble(j, j);
  }
  for (let d: u32 = 2; d < 256; d++) {
    for (let w: u32 = 0; w < FIXED_WINDOWS; w++) {
      const row = table + usize(w * 255) * POINT, op = scratch + usize(w) * 12;
      store<u32>(op, u32(row + usize(d - 2) * POINT));
      store<u32>(op, u32(row), 4);
      store<u32>(op, u32(row + usize(d - 1) * POINT), 8);
    }
    batchAdd(scratch, FIXED_WINDOWS, batch);
  }
}

/** n zkey points out[i] = scalars[i]·P; scalars 32 little-endian bytes, canonical. */
export function fixedMul(out: usize, scalars: usize, n: u32, table: usize, scratch: usize): void {
  const ops = scratch, acc = ops + align(BATCH * 12), batch = acc + align(BATCH * POINT);
  for (let from: u32 = 0; from < n; from += u32(BATCH)) {
    const m = min(n - from, u32(BATCH));
    memory.fill(acc, 0, usize(m) * POINT);
    for (let w: u32 = 0; w < FIXED_WINDOWS; w++) {
      let k: usize = 0;
      for (let i: u32 = 0; i < m; i++) {
        const d = load<u8>(scalars + (usize(from + i) << 5) + usize(w));
        if (d == 0) continue;
        const a = acc + usize(i) * POINT, op = ops + k * 12;
        store<u32>(op, u32(a));
        store<u32>(op, u32(table + (usize(w * 255) + usize(d) - 1) * POINT), 4);
        store<u32>(op, u32(a), 8);
        k++;
      }
      batchAdd(ops, k, batch);
    }
    for (let i: u32 = 0; i < m; i++) pointToBytes(out + usize(from + i) * 2 * F.BYTES, acc + usize(i) * POINT);
  }
}
