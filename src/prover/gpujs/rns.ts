/**
 * Numbers modulo r in residues small enough for float32, whose 24 bits are all that WebGL2 can be relied on for.
 *
 * Two bases of 24 primes each, p_i with product M (the first) and q_j with product N (the second). All primes lie between
 * 1800 and 2244, so M and N are near 2^264, more than 1300·r. A number x (an integer, of either sign) is
 *
 * - x mod p_i for each i, and
 * - x·(N/q_j)^-1 mod q_j for each j: the coefficients ζ_j with x ≡ Σ ζ_j·N/q_j (mod N), which is what an extension from
 *   the second base needs anyway,
 *
 * each of them an integer between -0.51·p and 0.51·p. The product of x by a factor f, after Kawamura, Koike, Sano and
 * Shimbo (https://doi.org/10.1007/3-540-45539-6_37):
 *
 * 1. ξ_i = x·f·(-1/r)·(M/p_i)^-1 mod p_i, so that q̂ = Σ ξ_i·M/p_i makes x·f + q̂·r a multiple of M;
 * 2. u = (x·f + q̂·r)/M in the second base: ζ_j = (x·f·M^-1 + Σ ξ_i·r/p_i)·(N/q_j)^-1 mod q_j (extension 1, approximate: q̂
 *    may exceed M, and u then is larger by some multiples of r, nothing else);
 * 3. α = round(Σ ζ_j/q_j), for Σ ζ_j·N/q_j = u + α·N;
 * 4. u in the first base: Σ ζ_j·N/q_j - α·N mod p_i (extension 2, exact).
 *
 * So u ≡ x·f/M (mod r). Constant factors are stored times M mod r, and their products by what step 1 and 2 multiply them
 * with, so that a product costs one reduction there.
 *
 * ### Why nothing is rounded
 *
 * Let P = 2243, the largest prime. Everything that kernels add, multiply and subtract is an integer, and float32 represents
 * every integer up to 2^24 in size; it suffices that none is larger. A GPU may fuse or reorder these operations: exact
 * results stay what they are.
 *
 * **Reduction**, `x - p·floor(x·p̂ + ½)`, with p̂ = fround(1/p) and |x| ≤ 2^24 - P. Assumed: p̂ comes from a table (nothing is divided
 * on the device); a product and a sum of highp floats err by at most 2^-21 in relative terms (GLSL ES 3.00, 4.5.1, WGSL and
 * IEEE 754 all promise 2^-23 or better); floor is exact. Then |x·p̂| < 2^24/1800 < 9321, so x·p̂ + ½ is wrong by less than
 * 9322·(2^-21 + 2^-21 + 2^-24) < 0.0095, and x - p·k with k its floor lies between -0.51·p and 0.51·p. |p·k| ≤ |x| + 0.51·p ≤ 2^24, so
 * both the product and the difference are exact. A residue need not be the smallest: 0.51·p is all that is used below.
 *
 * **Products**: two residues make at most (0.51·P)² < 1.31·10^6.
 *
 * **Extensions** add 24 products of a residue and a constant, |constant| ≤ p/2, of at most 0.51·P·P/2 < 1.283·10^6 each.
 * Twelve are reduced, to at most 0.51·P; the other twelve are added together with one more product (x·f in step 2, α·N in
 * step 4, where |α| ≤ 13): at most 13·1.283·10^6 + 0.51·P < 16 680 200 < 2^24 - P = 16 774 973.
 *
 * **Ranges of the integers.** |q̂| ≤ 24·0.51·M = 12.24·M, so |u| ≤ |x·f|/M + 12.24·r. With |f| < r (a stored factor) and |x| ≤ 900·r:
 * |u| ≤ (900/1300 + 12.24)·r < 13·r =: κ·r, {@link GROWTH}. A butterfly makes x ± u of x, so each layer adds κ·r to the bound;
 * the first, without a factor, doubles it. From |x| ≤ κ·r (a canonical number or a product) a transform of 2^18 points,
 * {@link MAX_POWER}, reaches (2·13 + 17·13)·r = 247·r. In a quotient the products of two such values are at most 247²·r²/M + 12.24·r < 60·r, and the
 * differences of these and another one 307·r. All are below {@link RANGE}·r = 320·r.
 *
 * **α** is right as soon as |u| < N/4 and the sum is within ¼ of Σ ζ_j/q_j = α + u/N. |u| ≤ 60·r < N/21; each of 24 terms is at most
 * 0.51 and wrong by 2^-24 + 2^-21 relative, each sum at most 12.3 and wrong by 2^-21: less than 0.001 altogether.
 *
 * **Back**: |x| ≤ 320·r < 0.24·N, so that the ζ_j determine x, and a fraction x/N beyond 0.24 shows a device that computes wrongly
 * (half of all wrong numbers, each).
 *
 * @module
 */

import { ProverError } from "../../errors.js";
import { FIELD_SIZE, FR_MODULUS } from "../../formats/bn254.js";
import { invMod } from "../wasm/constants.js";

/** Primes of a base. */
export const LANES = 24;
/** No prime is larger: see "Extensions" above. */
const LARGEST = 2243;
/** κ above: |x·f/M| ≤ κ·r for a constant factor f. */
export const GROWTH = 13;
/** log2 of the largest transform. */
export const MAX_POWER = 18;
/** Numbers that come back are below this times r in size. */
export const RANGE = 320;

const r = FR_MODULUS;

const isPrime = (n: number) => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
};
const PRIMES: number[] = [];
for (let n = LARGEST; PRIMES.length < 2 * LANES; n -= 2) if (isPrime(n)) PRIMES.push(n);

/** p_i and q_j: alternate primes, so that the products are of the same size. */
export const FIRST: readonly number[] = PRIMES.filter((_, i) => i % 2 === 0);
export const SECOND: readonly number[] = PRIMES.filter((_, i) => i % 2 === 1);

const productOf = (primes: readonly number[]) => primes.reduce((m, p) => m * BigInt(p), 1n);
/** M. */
export const M = productOf(FIRST);
/** N. */
export const N = productOf(SECOND);

const mod = (x: bigint, m: bigint) => ((x % m) + m) % m;

/** The residue of smallest size. */
function centred(x: bigint, prime: number): number {
  const residue = Number(mod(x, BigInt(prime)));
  return 2 * residue > prime ? residue - prime : residue;
}

/** (m/p)^-1 mod p for each prime p of a base with product m. */
const cofactors = (primes: readonly number[], m: bigint) =>
  primes.map((p) => invMod(mod(m / BigInt(p), BigInt(p)), BigInt(p)));

const FIRST_COFACTORS = cofactors(FIRST, M);
const SECOND_COFACTORS = cofactors(SECOND, N);

const lanes = (f: (lane: number) => number) => Float32Array.from({ length: LANES }, (_, lane) => f(lane));
const matrix = (f: (to: number, from: number) => number) =>
  Float32Array.from({ length: LANES * LANES }, (_, i) => f(Math.floor(i / LANES), i % LANES));

/** Constants of the kernels; matrices by rows, one row per lane of the result. */
export const CONSTANTS = {
  primes1: lanes((i) => FIRST[i] as number),
  inverses1: lanes((i) => 1 / (FIRST[i] as number)),
  primes2: lanes((j) => SECOND[j] as number),
  inverses2: lanes((j) => 1 / (SECOND[j] as number)),
  /** Step 2: r/p_i·(N/q_j)^-1 mod q_j. */
  extension1: matrix((j, i) => {
    const q = SECOND[j] as number;
    return centred(r * invMod(BigInt(FIRST[i] as number), BigInt(q)) * (SECOND_COFACTORS[j] as bigint), q);
  }),
  /** Step 4: N/q_j mod p_i. */
  extension2: matrix((i, j) => centred(N / BigInt(SECOND[j] as number), FIRST[i] as number)),
  /** Step 4: -N mod p_i. */
  overflow: lanes((i) => centred(-N, FIRST[i] as number)),
  /** What step 1 multiplies a product of two numbers with: (-1/r)·(M/p_i)^-1 mod p_i. */
  product1: lanes((i) => {
    const p = BigInt(FIRST[i] as number);
    return centred(-invMod(mod(r, p), p) * (FIRST_COFACTORS[i] as bigint), Number(p));
  }),
  /** What step 2 does: M^-1·(N/q_j) mod q_j, for both numbers have (N/q_j)^-1 in them. */
  product2: lanes((j) => {
    const q = BigInt(SECOND[j] as number);
    return centred(invMod(mod(M, q), q) * (N / q), Number(q));
  }),
};

/** Numbers or factors in both bases: residues by lane, those of one lane side by side. */
export interface Residues {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

const WORDS = FIELD_SIZE / 4;

/** Residues of 32-byte integers, times a constant of each lane. */
class Encoder {
  /** 2^32k times the lane's constant mod p, eight a lane. */
  readonly #weights: Float64Array;
  readonly #primes: readonly number[];

  constructor(primes: readonly number[], constants: readonly bigint[]) {
    this.#primes = primes;
    this.#weights = Float64Array.from({ length: LANES * WORDS }, (_, i) => {
      const lane = Math.floor(i / WORDS);
      return centred((constants[lane] as bigint) << BigInt(32 * (i % WORDS)), primes[lane] as number);
    });
  }

  /** @param words eight little-endian words a number, as doubles. */
  encode(words: Float64Array): Float32Array {
    const count = words.length / WORDS;
    const out = new Float32Array(LANES * count);
    for (let lane = 0; lane < LANES; lane++) {
      const p = this.#primes[lane] as number;
      const inverse = 1 / p;
      const [w0, w1, w2, w3, w4, w5, w6, w7] = this.#weights.subarray(
        lane * WORDS,
        lane * WORDS + WORDS,
      ) as unknown as [number, number, number, number, number, number, number, number];
      const base = lane * count;
      for (let i = 0, at = 0; i < count; i++, at += WORDS) {
        // |x| < 8·2^32·2^11: doubles are exact, and the quotient is right but for ties
        const x =
          (words[at] as number) * w0 +
          (words[at + 1] as number) * w1 +
          (words[at + 2] as number) * w2 +
          (words[at + 3] as number) * w3 +
          (words[at + 4] as number) * w4 +
          (words[at + 5] as number) * w5 +
          (words[at + 6] as number) * w6 +
          (words[at + 7] as number) * w7;
        out[base + i] = x - p * Math.floor(x * inverse + 0.5);
      }
    }
    return out;
  }
}

function wordsOf(bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Float64Array(bytes.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = view.getUint32(4 * i, true);
  return words;
}

const ONES = FIRST.map(() => 1n);
const numbers1 = new Encoder(FIRST, ONES);
const numbers2 = new Encoder(SECOND, SECOND_COFACTORS);
const factors1 = new Encoder(
  FIRST,
  FIRST.map((p, i) => -invMod(mod(r, BigInt(p)), BigInt(p)) * (FIRST_COFACTORS[i] as bigint)),
);
const factors2 = new Encoder(
  SECOND,
  SECOND.map((q) => invMod(mod(M, BigInt(q)), BigInt(q))),
);

/** @param bytes `n × 32`, little-endian, any integers below 2^256. */
export function encode(bytes: Uint8Array): Residues {
  const words = wordsOf(bytes);
  return { first: numbers1.encode(words), second: numbers2.encode(words) };
}

/** {@link factor}s of many numbers below r that are times M mod r already, `n × 32` bytes. */
export function encodeFactors(bytes: Uint8Array): Residues {
  const words = wordsOf(bytes);
  return { first: factors1.encode(words), second: factors2.encode(words) };
}

const LIMBS = 9;
const LIMB = 2 ** 32;
/** N/q_j, N and r in limbs of 32 bits. */
const limbsOf = (x: bigint) =>
  Float64Array.from({ length: LIMBS }, (_, k) => Number((x >> BigInt(32 * k)) & 0xffffffffn));
const R_LIMBS = limbsOf(r);
const N_LIMBS = limbsOf(N);
/** By limb: those of N/q_0, N/q_1, … side by side. */
const PART_LIMBS = (() => {
  const parts = SECOND.map((q) => limbsOf(N / BigInt(q)));
  return Float64Array.from({ length: LIMBS * LANES }, (_, i) => parts[i % LANES]?.[Math.floor(i / LANES)] as number);
})();
/** N/r, to a double's precision. */
const N_OVER_R = Number((N << 64n) / r) / 2 ** 64;
const SECOND_INVERSES = SECOND.map((q) => 1 / q);
const SECOND_BOUNDS = SECOND.map((q) => 0.51 * q);

function wrongResult(index: number, got: string): ProverError {
  return new ProverError("the device computes wrongly", {
    code: "DEVICE_WRONG_RESULT",
    where: `gpu.js, number ${index}`,
    expected: "residues of a number that its kernels can make",
    got,
  });
}

/**
 * Canonical numbers from residues of the second base.
 *
 * @param rows one array a lane; all of the same length n.
 * @returns `n × 32` bytes, little-endian, below r.
 * @throws ProverError `DEVICE_WRONG_RESULT`: these are none that kernels can have made.
 */
export function decode(rows: readonly Float32Array[]): Uint8Array {
  const count = rows[0]?.length ?? 0;
  const out = new Uint8Array(count * FIELD_SIZE);
  const view = new DataView(out.buffer);
  const digits = new Float64Array(LANES);
  const limbs = new Float64Array(LIMBS);
  const furthest = (RANGE / N_OVER_R) * 1.001;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let j = 0; j < LANES; j++) {
      const digit = (rows[j] as Float32Array)[i] as number;
      if (!(Math.abs(digit) <= (SECOND_BOUNDS[j] as number)) || digit !== Math.floor(digit)) {
        throw wrongResult(i, `residue ${digit} modulo ${SECOND[j]}`);
      }
      digits[j] = digit;
      sum += digit * (SECOND_INVERSES[j] as number);
    }
    const alpha = Math.floor(sum + 0.5);
    const fraction = sum - alpha;
    if (Math.abs(fraction) > furthest) throw wrongResult(i, `${(fraction * N_OVER_R).toFixed(1)} times r`);
    // x = Σ ζ_j·N/q_j - α·N, and all multiples of r that the fraction shows; it errs by less than 10^-10, so one may remain
    const multiple = Math.floor(fraction * N_OVER_R);
    let carry = 0;
    for (let k = 0; k < LIMBS; k++) {
      let limb = carry - alpha * (N_LIMBS[k] as number) - multiple * (R_LIMBS[k] as number);
      for (let j = 0, at = k * LANES; j < LANES; j++, at++) limb += (digits[j] as number) * (PART_LIMBS[at] as number);
      carry = Math.floor(limb / LIMB);
      limbs[k] = limb - carry * LIMB;
    }
    if (carry !== 0) addMultiple(limbs, 1);
    else if (!belowR(limbs)) addMultiple(limbs, -1);
    for (let k = 0; k < WORDS; k++) view.setUint32(i * FIELD_SIZE + 4 * k, limbs[k] as number, true);
  }
  return out;
}

function belowR(limbs: Float64Array): boolean {
  for (let k = LIMBS - 1; k >= 0; k--) {
    const difference = (limbs[k] as number) - (R_LIMBS[k] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Adds sign·r modulo 2^288. */
function addMultiple(limbs: Float64Array, sign: 1 | -1): void {
  let carry = 0;
  for (let k = 0; k < LIMBS; k++) {
    const limb = (limbs[k] as number) + sign * (R_LIMBS[k] as number) + carry;
    carry = Math.floor(limb / LIMB);
    limbs[k] = limb - carry * LIMB;
  }
}

/** A constant factor f, as kernels multiply with it. */
export function factor(f: bigint): Residues {
  return powers(f, 1n, 1);
}

const MASK = 0xffffffffffffffffn;

/** 32 bytes, little-endian. */
export function writeNumber(bytes: Uint8Array, offset: number, value: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, FIELD_SIZE);
  for (let k = 0; k < 4; k++) view.setBigUint64(8 * k, (value >> BigInt(64 * k)) & MASK, true);
}

/** Factors first·ratio^k, k < count. */
export function powers(first: bigint, ratio: bigint, count: number): Residues {
  const bytes = new Uint8Array(count * FIELD_SIZE);
  let value = mod(first * M, r);
  for (let k = 0; k < count; k++) {
    writeNumber(bytes, k * FIELD_SIZE, value);
    value = (value * ratio) % r;
  }
  return encodeFactors(bytes);
}
