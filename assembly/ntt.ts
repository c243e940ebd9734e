/**
 * Number-theoretic transforms over Fr, without bit reversal: the inverse transform goes from natural to bit-reversed order
 * (decimation in frequency), the coset factors are stored in that order, the forward transform goes back (decimation in
 * time).
 *
 * A polynomial of size n is an array of n/2 pairs. Both directions use the powers of the same root ω: the first transform
 * then is n times the inverse one with indices negated, so position i of the final result holds index -i mod n.
 *
 * A transform of n = parts·block elements is cut for threads and caches: columns (elements j, j + block, j + 2·block, ...)
 * go through the outer log2(parts) layers together, then every block of consecutive elements is a transform of its own.
 */
import * as Fr from "./fr.generated";
import { TLS, TLS_MISC } from "./layout";

const PAIR = Fr.PAIR;

// @ts-ignore: decorator
@inline
function reverse(i: u32, bits: u32): u32 {
  let x = i;
  x = ((x >> 1) & 0x55555555) | ((x & 0x55555555) << 1);
  x = ((x >> 2) & 0x33333333) | ((x & 0x33333333) << 2);
  x = ((x >> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
  return bswap<u32>(x) >> (32 - bits);
}

// @ts-ignore: decorator
@inline
function put(pairs: usize, i: u32, a: usize): void { Fr.putLane(pairs + usize(i >> 1) * PAIR, i & 1, a); }

/**
 * Powers of ω (Montgomery, of order n ≥ 4): the layer whose butterflies span 2m elements has its m factors
 * ω^(j·n/2m) as pairs from pair m/2 of the table on. n/2 pairs in all; the first is unused.
 */
export function nttTwiddles(table: usize, root: usize, bits: u32): void {
  const w = TLS + TLS_MISC + 512;
  const half: u32 = 1 << (bits - 1);
  const top = table + usize(half >> 1) * PAIR;
  Fr.setOne(w);
  for (let j: u32 = 0; j < half; j++) {
    put(top, j, w);
    Fr.mul(w, w, root);
  }
  for (let m = half >> 1; m >= 2; m >>= 1) {
    const from = table + usize(m) * PAIR, to = table + usize(m >> 1) * PAIR;
    for (let j: u32 = 0; j < m; j++) {
      Fr.getLane(w, from + usize(j) * PAIR, 0);
      put(to, j, w);
    }
  }
}

/** factors[p] = g^(-rev(p) mod n) / n as pairs, g and inverse of n in Montgomery form. */
export function nttCoset(factors: usize, g: usize, inverseN: usize, bits: u32): void {
  const w = TLS + TLS_MISC + 512, n: u32 = 1 << bits;
  Fr.copy(w, inverseN);
  for (let i: u32 = 0; i < n; i++) {
    put(factors, reverse((n - i) & (n - 1), bits), w);
    Fr.mul(w, w, g);
  }
}

/** The transform by powers of ω, from natural to bit-reversed order, on one thread. */
export function nttForward(poly: usize, table: usize, bits: u32): void {
  const d = TLS + TLS_MISC + 512;
  nttOuterDif(poly, table, bits, bits - 1, 0, 2);
  for (let a = poly, end = poly + (usize(1) << (bits - 1)) * PAIR; a < end; a += PAIR) Fr.butterfly(a, d);
}

/** Canonical numbers of 32 bytes at positions from ≤ i < to as pairs in Montgomery form. */
export function nttLoad(poly: usize, values: usize, from: u32, to: u32): void {
  const t = TLS + TLS_MISC + 512;
  for (let i = from; i < to; i++) {
    Fr.fromBytes(t, values + (usize(i) << 5));
    Fr.toMont(t, t);
    put(poly, i, t);
  }
}

/**
 * factor·poly[p], from ≤ p < to, as canonical numbers of 32 bytes. Position p goes to index p, or -p mod n if negated; of
 * bit-reversed p if reversed. The factor is an integer, not in Montgomery form.
 */
export function nttStore(out: usize, poly: usize, bits: u32, factor: usize, reversed: bool, negated: bool, from: u32, to: u32): void {
  const t = TLS + TLS_MISC + 512, n: u32 = 1 << bits;
  for (let p = from; p < to; p++) {
    Fr.getLane(t, poly + usize(p >> 1) * PAIR, p & 1);
    Fr.mul(t, t, factor);
    Fr.canonical(t, t);
    let i = reversed ? reverse(p, bits) : p;
    if (negated) i = (n - i) & (n - 1);
    Fr.toBytes(out + (usize(i) << 5), t);
  }
}

/** Outer decimation-in-frequency layers of columns from ≤ j < to (even bounds). */
export function nttOuterDif(poly: usize, table: usize, bits: u32, partBits: u32, from: u32, to: u32): void {
  const block: u32 = 1 << (bits - partBits), parts: u32 = 1 << partBits, d = TLS + TLS_MISC + 512;
  for (let h = parts >> 1; h >= 1; h >>= 1) {
    const layer = table + usize((h * block) >> 1) * PAIR;
    for (let b: u32 = 0; b < parts; b += 2 * h) {
      for (let k: u32 = 0; k < h; k++) {
        let u = poly + usize(((b + k) * block + from) >> 1) * PAIR;
        let v = poly + usize(((b + k + h) * block + from) >> 1) * PAIR;
        let w = layer + usize((k * block + from) >> 1) * PAIR;
        for (let j = from; j < to; j += 2) {
          Fr.subLazy2(d, u, v);
          Fr.add2(u, u, v);
          Fr.mul2(v, d, w);
          u += PAIR; v += PAIR; w += PAIR;
        }
      }
    }
  }
}

/** Outer decimation-in-time layers of columns from ≤ j < to (even bounds). */
export function nttOuterDit(poly: usize, table: usize, bits: u32, partBits: u32, from: u32, to: u32): void {
  const block: u32 = 1 << (bits - partBits), parts: u32 = 1 << partBits, d = TLS + TLS_MISC + 512;
  for (let h: u32 = 1; h < parts; h <<= 1) {
    const layer = table + usize((h * block) >> 1) * PAIR;
    for (let b: u32 = 0; b < parts; b += 2 * h) {
      for (let k: u32 = 0; k < h; k++) {
        let u = poly + usize(((b + k) * block + from) >> 1) * PAIR;
        let v = poly + usize(((b + k + h) * block + from) >> 1) * PAIR;
        let w = layer + usize((k * block + from) >> 1) * PAIR;
        for (let j = from; j < to; j += 2) {
          Fr.mul2(d, v, w);
          Fr.sub2(v, u, d);
          Fr.add2(u, u, d);
          u += PAIR; v += PAIR; w += PAIR;
        }
      }
    }
  }
}

/** One block through the inner layers of the first transform, the coset factors and the inner layers back. */
export function nttBlock(poly: usize, table: usize, factors: usize, bits: u32, partBits: u32, part: u32): void {
  const block: u32 = 1 << (bits - partBits), d = TLS + TLS_MISC + 512;
  const base = poly + usize((part * block) >> 1) * PAIR;
  for (let m = block >> 1; m >= 2; m >>= 1) {
    const layer = table + usize(m >> 1) * PAIR;
    for (let b: u32 = 0; b < block; b += 2 * m) {
      let u = base + usize(b >> 1) * PAIR, v = u + usize(m >> 1) * PAIR, w = layer;
      for (let j: u32 = 0; j < m; j += 2) {
        Fr.subLazy2(d, u, v);
        Fr.add2(u, u, v);
        Fr.mul2(v, d, w);
        u += PAIR; v += PAIR; w += PAIR;
      }
    }
  }
  let f = factors + usize((part * block) >> 1) * PAIR, a = base;
  for (let j: u32 = 0; j < block; j += 2) {
    Fr.butterfly(a, d);
    Fr.mul2(a, a, f);
    Fr.butterfly(a, d);
    a += PAIR; f += PAIR;
  }
  for (let m: u32 = 2; m < block; m <<= 1) {
    const layer = table + usize(m >> 1) * PAIR;
    for (let b: u32 = 0; b < block; b += 2 * m) {
      let u = base + usize(b >> 1) * PAIR, v = u + usize(m >> 1) * PAIR, w = layer;
      for (let j: u32 = 0; j < m; j += 2) {
        Fr.mul2(d, v, w);
        Fr.sub2(v, u, d);
        Fr.add2(u, u, d);
        u += PAIR; v += PAIR; w += PAIR;
      }
    }
  }
}
