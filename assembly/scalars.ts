/**
 * Scalars of a multi-scalar multiplication: GLV halves and signed digits.
 *
 * k ≡ k1 + λ·k2 (mod r), |k1|, |k2| < 2^127. Digit w of a half is in [-2^(c-1), 2^(c-1)] and goes to the i16 at
 * digits + w·windowStride (first half) or digits + halfStride + w·windowStride (second half), at the scalar's position.
 */
import { GLV_A1, GLV_A2, GLV_B1, GLV_B2, GLV_G1, GLV_G2, MODULUS } from "./fr.generated";
import { TLS, TLS_MISC } from "./layout";

/** out (n words) = x (nx words) · y (ny words) mod 2^(32n). */
function mulWords(out: usize, n: usize, x: usize, nx: usize, y: usize, ny: usize): void {
  memory.fill(out, 0, n << 2);
  for (let i: usize = 0; i < nx; i++) {
    const w = u64(load<u32>(x + (i << 2)));
    if (w == 0) continue;
    let carry: u64 = 0;
    for (let j: usize = 0; j < ny && i + j < n; j++) {
      const o = out + ((i + j) << 2);
      carry += w * u64(load<u32>(y + (j << 2))) + u64(load<u32>(o));
      store<u32>(o, u32(carry));
      carry >>= 32;
    }
    if (i + ny < n) store<u32>(out + ((i + ny) << 2), u32(carry));
  }
}

/** a -= b (n words, mod 2^(32n)). */
function subWords(a: usize, b: usize, n: usize): void {
  let c: i64 = 0;
  for (let i: usize = 0; i < n; i++) {
    c += i64(load<u32>(a + (i << 2))) - i64(load<u32>(b + (i << 2)));
    store<u32>(a + (i << 2), u32(c));
    c >>= 32;
  }
}

/** Absolute value of the 5-word number; returns whether it was negative. */
function absWords(a: usize): bool {
  if (load<i32>(a, 16) >= 0) return false;
  let c: i64 = 0;
  for (let i: usize = 0; i < 5; i++) {
    c -= i64(load<u32>(a + (i << 2)));
    store<u32>(a + (i << 2), u32(c));
    c >>= 32;
  }
  return true;
}

/** Digits of the 128-bit number at k. Negative numbers get digits in (-2^(c-1), 2^(c-1)] before negation. */
function writeDigits(k: usize, negative: bool, digits: usize, windowStride: usize, c: u32, windows: u32): void {
  let lo = load<u64>(k), hi = load<u64>(k, 8);
  const mask = (u64(1) << c) - 1;
  const limit = (i32(1) << (c - 1)) + i32(negative);
  let carry: i32 = 0;
  for (let w: u32 = 0; w < windows; w++) {
    let d = i32(lo & mask) + carry;
    carry = 0;
    if (d >= limit) { d -= i32(1) << c; carry = 1; }
    store<i16>(digits, i16(negative ? -d : d));
    digits += windowStride;
    lo = (lo >> c) | (hi << (64 - c));
    hi >>= c;
    if ((lo | hi) == 0 && carry == 0) {
      for (w++; w < windows; w++) { store<i16>(digits, 0); digits += windowStride; }
      return;
    }
  }
}

/** Recodes one canonical scalar (32 little-endian bytes). windows·c ≥ 128, 3 ≤ c ≤ 16. */
export function recode(scalar: usize, digits: usize, halfStride: usize, windowStride: usize, c: u32, windows: u32): void {
  const t = TLS + TLS_MISC;
  const k1 = t, k2 = t + 32, c1 = t + 64, c2 = t + 96, product = t + 128, s = t + 192;
  memory.copy(s, scalar, 32);
  // small and small negative scalars cost what they are
  let flip = false;
  if ((load<u64>(s, 16) | load<u64>(s, 24)) != 0) {
    memory.copy(k1, MODULUS, 32);
    subWords(k1, s, 8);
    if ((load<u64>(k1, 16) | load<u64>(k1, 24)) == 0) { memory.copy(s, k1, 32); flip = true; }
  }
  if ((load<u64>(s, 16) | load<u64>(s, 24)) == 0 && (load<u64>(s, 8) >> 62) == 0) {
    writeDigits(s, flip, digits, windowStride, c, windows);
    for (let w: u32 = 0; w < windows; w++) store<i16>(digits + halfStride + usize(w) * windowStride, 0);
    return;
  }

  // c1 = round(k·b2 / r), c2 = round(k·b1 / r)
  mulWords(product, 11, s, 8, GLV_G1, 3);
  memory.fill(c1, 0, 32);
  roundHigh(c1, product, 3);
  mulWords(product, 13, s, 8, GLV_G2, 5);
  memory.fill(c2, 0, 32);
  roundHigh(c2, product, 5);
  // k1 = k - c1·a1 - c2·a2, k2 = c1·b1 - c2·b2
  memory.copy(k1, s, 20);
  mulWords(product, 5, c1, 3, GLV_A1, 5);
  subWords(k1, product, 5);
  mulWords(product, 5, c2, 5, GLV_A2, 5);
  subWords(k1, product, 5);
  mulWords(k2, 5, c1, 3, GLV_B1, 5);
  mulWords(product, 5, c2, 5, GLV_B2, 5);
  subWords(k2, product, 5);
  const n1 = absWords(k1), n2 = absWords(k2);
  writeDigits(k1, n1 != flip, digits, windowStride, c, windows);
  writeDigits(k2, n2 != flip, digits + halfStride, windowStride, c, windows);
}

/** out (n words) = round(product / 2^256). */
function roundHigh(out: usize, product: usize, n: usize): void {
  let carry: u64 = load<u32>(product, 28) >> 31;
  for (let i: usize = 0; i < n; i++) {
    carry += u64(load<u32>(product + ((i + 8) << 2)));
    store<u32>(out + (i << 2), u32(carry));
    carry >>= 32;
  }
}
