/**
 * Writes the field modules in floating-point arithmetic, for engines with relaxed SIMD whose `relaxed_madd` is a fused
 * multiply-add: BN254 field arithmetic with every limb loop unrolled.
 *
 * An element is five signed 51-bit limbs, each an f64 (40 bytes), Montgomery form with R = 2^255. A "pair" is two elements
 * side by side in five f64x2 (80 bytes). Unless said otherwise an element is "normal": the integer is within 0.51p of 0 and
 * its limbs but the top one are at most 2^50 in size. A "lazy" element is a sum or difference of two normal ones, limb by
 * limb: within 1.02p, limbs at most 2^51.
 *
 * The product of two limbs is at most 2^102 and is split exactly at 2^51 by two fused operations (Emmart's technique, as
 * used by several entries of the ZPrize 2023 WASM MSM track): with C1 = 1.5·2^103, whose unit in the last place is 2^51,
 * and CM = 1.5·2^52, whose unit is 1,
 *
 *     h = fma(x, y, C1)               = C1 + 2^51·hi
 *     l = fma(x, y, (C1 + CM) - h)    = CM + lo,  x·y = 2^51·hi + lo,  |lo| ≤ 2^50
 *
 * The bit patterns of h and l, as integers, are constants plus hi and lo, so that columns are sums of i64; the constants
 * are taken away in the first addition of every column. A column holds less than 2^58, digits are cut off with a bias of
 * 2^60.
 *
 * Reduction: the rows of the first four limbs add q·(2^-51 mod p), where q is just the lowest digit, one limb up; the last
 * row is a Montgomery step with p, which keeps the result within R. Then the nearest multiple k·p, |k| ≤ 2, estimated from
 * the two top columns, is taken away: |result| ≤ 0.51p whatever went in. Before that the value must be within 2.5p:
 * a·b with |a| ≤ αp, |b| ≤ βp gives (0.378·αβ + 0.627)p, and every summand adds its own bound.
 *
 * @module
 */

import { commonSource, data, invMod, range, words } from "./bn254.mjs";

const LIMBS = 5;
const BITS = 51n;
const BASE = 1n << BITS;
const R = 1n << (BITS * BigInt(LIMBS));
const BIAS = 1n << 60n;
const HALF = BASE / 2n;

const view = new DataView(new ArrayBuffer(8));
/** Bit pattern of an f64. */
const bitsOf = (x) => {
  view.setFloat64(0, x);
  return view.getBigUint64(0);
};
const C1 = 1.5 * 2 ** 103;
const CM = 1.5 * 2 ** 52;

/** Balanced digits: all but the top one in [-2^50, 2^50). */
function digits(x) {
  const out = [];
  let rest = x;
  for (let i = 0; i < LIMBS - 1; i++) {
    let d = BigInt.asUintN(Number(BITS), rest);
    if (d >= HALF) d -= BASE;
    out.push(d);
    rest = (rest - d) >> BITS;
  }
  return [...out, rest];
}

/** The source of one field module. */
export function fmaField(name, p) {
  const rows = range(LIMBS);
  const out = [];
  const w = (s) => out.push(s);
  const nearest = (x) => (x > p / 2n ? x - p : x);
  const element = (x) =>
    data(
      "f64",
      digits(nearest(((x % p) + p) % p)).map((d) => `${d}.0`),
    );

  const table = [];
  const slots = new Map();
  /** A splatted 64-bit constant. */
  const constant = (bits) => {
    const key = BigInt.asUintN(64, bits);
    if (!slots.has(key)) {
      slots.set(key, table.length);
      table.push(key);
    }
    return `v128.load(CONSTANTS, ${16 * slots.get(key)})`;
  };
  const real = (x) => constant(bitsOf(x));
  const P = digits(p).map(Number);
  const FOLD = digits(nearest(invMod(BASE, p))).map(Number);
  const NINV = (() => {
    const n = BASE - invMod(p, BASE);
    return Number(n >= HALF ? n - BASE : n);
  })();
  const INV_TOP = 2 ** 204 / Number(p);

  /**
   * The body of a product: Σ terms x(i)·y(j), plus summand limbs, reduced; `store(i, expression)` writes limb i.
   *
   * @param {{ terms: any, summand?: any, store: any }} parts
   */
  const product = ({ terms, summand, store }) => {
    const lines = [];
    const b = (s) => lines.push(`  ${s}`);
    const init = Array(2 * LIMBS + 1).fill(0n);
    const begun = Array(2 * LIMBS + 1).fill(false);
    const accumulate = (k, v) => {
      b(begun[k] ? `t${k} = i64x2.add(t${k}, ${v});` : `t${k} = i64x2.add(${v}, @${k}@);`);
      begun[k] = true;
    };
    const multiply = (x, y, k) => {
      init[k] -= bitsOf(CM);
      init[k + 1] -= bitsOf(C1);
      b(`h = f64x2.relaxed_madd(${x}, ${y}, c1);`);
      b(`l = f64x2.relaxed_madd(${x}, ${y}, f64x2.sub(c2, h));`);
      accumulate(k, "l");
      accumulate(k + 1, "h");
      // never read: keeps V8 from hoisting loads and spilling them
      b(`v128.store(anchor, t${k});`);
    };
    const digit = (k) => `f64x2.sub(v128.or(v128.and(t${k}, mask), m52), m52h)`;
    const carry = (k) => {
      init[k] += BIAS + HALF;
      init[k + 1] -= BIAS >> BITS;
      accumulate(k + 1, `i64x2.shr_u(t${k}, 51)`);
    };
    for (const i of rows) {
      terms.forEach(({ x, y }, n) => {
        b(`const x${i}_${n} = ${x(i)};`);
        for (const j of rows) multiply(`x${i}_${n}`, y(j), i + j);
      });
      if (i < LIMBS - 1) {
        b(`q = ${digit(i)};`);
        carry(i);
        for (const j of rows) multiply("q", real(FOLD[j]), i + 1 + j);
      } else {
        b(`q = ${digit(i)};`);
        b(`h = f64x2.relaxed_madd(q, ${real(NINV)}, c1);`);
        b(`q = f64x2.sub(f64x2.relaxed_madd(q, ${real(NINV)}, f64x2.sub(c2, h)), cm);`);
        for (const j of rows) multiply("q", real(P[j]), i + j);
        carry(i);
      }
    }
    if (summand) {
      for (const i of rows) {
        init[LIMBS + i] -= bitsOf(CM);
        accumulate(LIMBS + i, `f64x2.add(${summand(i)}, cm)`);
      }
    }
    // t9 + carry of t8 is CM plus the top limb; both columns have had the constant of the k·p to come taken away already
    const top = 2 * LIMBS - 1;
    init[top] += bitsOf(CM);
    b(`q = i64x2.shr_u(i64x2.add(t${top - 1}, cm), 51);`);
    b(`q = f64x2.sub(i64x2.add(i64x2.add(t${top}, cm), q), cm);`);
    b(`q = f64x2.nearest(f64x2.mul(q, ${real(INV_TOP)}));`);
    for (const i of rows) {
      init[LIMBS + i] -= bitsOf(CM);
      accumulate(LIMBS + i, `f64x2.relaxed_madd(q, ${real(-P[i])}, cm)`);
    }
    for (let k = LIMBS; k < top; k++) {
      b(store(k - LIMBS, digit(k)));
      carry(k);
    }
    b(store(LIMBS - 1, `f64x2.sub(t${top}, cm)`));
    w(`  let h: v128, l: v128, q: v128;
  const c1 = ${real(C1)}, c2 = ${real(C1 + CM)}, cm = ${real(CM)};
  const mask = ${constant(BASE - 1n)}, m52 = ${real(2 ** 52)}, m52h = ${real(2 ** 52 + 2 ** 50)};
  const anchor = TLS + TLS_ANCHOR;`);
    for (let k = 0; k <= top; k++) w(`  let t${k}: v128;`);
    w(lines.join("\n").replace(/@(\d+)@/g, (_, k) => constant(init[k])));
    w("}\n");
  };
  const at = (ptr) => (i) => `v128.load(${ptr}, ${16 * i})`;
  const splat = (ptr) => (i) => `v128.load_splat<u64>(${ptr}, ${8 * i})`;
  const toPair = (i, e) => `v128.store(out, ${e}, ${16 * i});`;
  const toLane = (i, e) => `v128.store_lane<u64>(out, ${e}, 0, ${8 * i});`;
  /** Binds limbs to names before the product, so that `out` may be an operand and loads are not repeated. */
  const bind = (prefix, load) => {
    for (const j of rows) w(`  const ${prefix}${j} = ${load(j)};`);
    return (j) => `${prefix}${j}`;
  };

  w("/** out = a·b / R mod p. One factor may be lazy. */\nexport function mul(out: usize, a: usize, b: usize): void {");
  product({ terms: [{ x: splat("a"), y: bind("b", splat("b")) }], store: toLane });
  w("/** out = a² / R mod p. */\nexport function sqr(out: usize, a: usize): void { mul(out, a, a); }\n");
  w(
    "/** Two products: pair out = a·b / R. Both factors may be lazy. */\nexport function mul2(out: usize, a: usize, b: usize): void {",
  );
  product({ terms: [{ x: at("a"), y: bind("b", at("b")) }], store: toPair });
  w(
    "/** Two products and sums: pair out = a·b / R + s. s lazy; at most one factor lazy. */\nexport function mulAdd2(out: usize, a: usize, b: usize, s: usize): void {",
  );
  product({ terms: [{ x: at("a"), y: bind("b", at("b")) }], summand: at("s"), store: toPair });

  w(`/** Whether multiply-add rounds once: (2^51 - 1)² = 2^102 - 2^52 + 1 needs 102 bits. */
export function isFused(): bool {
  const x = f64x2.splat(${2 ** 51 - 1}.0), y = f64x2.relaxed_madd(x, x, f64x2.neg(f64x2.mul(x, x)));
  return f64x2.extract_lane(y, 0) == 1 && f64x2.extract_lane(y, 1) == 1;
}
`);

  // ---- sums: within 1.02p before, limbs up to 2^51
  /** Takes the nearest multiple of p off limbs r0.. (f64 or f64x2) and carries. */
  const reduceSum = (vector) => {
    const f = vector
      ? {
          mul: (a, b) => `f64x2.mul(${a}, ${b})`,
          add: (a, b) => `f64x2.add(${a}, ${b})`,
          sub: (a, b) => `f64x2.sub(${a}, ${b})`,
          nearest: (a) => `f64x2.nearest(${a})`,
          k: real,
        }
      : {
          mul: (a, b) => `(${a}) * (${b})`,
          add: (a, b) => `(${a}) + (${b})`,
          sub: (a, b) => `(${a}) - (${b})`,
          nearest: (a) => `nearest<f64>(${a})`,
          k: (x) => `reinterpret<f64>(${bitsOf(x)})`,
        };
    w(`  const k = ${f.nearest(f.mul(`r${LIMBS - 1}`, f.k(INV_TOP)))};`);
    for (const i of rows) w(`  r${i} = ${f.sub(`r${i}`, f.mul("k", f.k(P[i])))};`);
    w(`  let c: ${vector ? "v128" : "f64"};`);
    for (let i = 0; i < LIMBS - 1; i++) {
      w(`  c = ${f.nearest(f.mul(`r${i}`, f.k(2 ** -51)))};`);
      w(`  r${i} = ${f.sub(`r${i}`, f.mul("c", f.k(2 ** 51)))}; r${i + 1} = ${f.add(`r${i + 1}`, "c")};`);
    }
  };
  const sum2 = (expr) => {
    for (const i of rows) w(`  let r${i} = ${expr(i)};`);
    reduceSum(true);
    for (const i of rows) w(`  ${toPair(i, `r${i}`)}`);
    w("}\n");
  };
  const sum1 = (expr) => {
    for (const i of rows) w(`  let r${i}: f64 = ${expr(i)};`);
    reduceSum(false);
    for (const i of rows) w(`  store<f64>(out, r${i}, ${8 * i});`);
    w("}\n");
  };
  const ld = (ptr, i) => `load<f64>(${ptr}, ${8 * i})`;
  w("/** out = a + b. */\nexport function add(out: usize, a: usize, b: usize): void {");
  sum1((i) => `${ld("a", i)} + ${ld("b", i)}`);
  w("/** out = a - b. */\nexport function sub(out: usize, a: usize, b: usize): void {");
  sum1((i) => `${ld("a", i)} - ${ld("b", i)}`);
  w("/** out = -a. */\nexport function neg(out: usize, a: usize): void {");
  for (const i of rows) w(`  store<f64>(out, -${ld("a", i)}, ${8 * i});`);
  w("}\n\nexport function negCanonical(out: usize, a: usize): void { neg(out, a); }\n");
  w(
    "/** out = a with the nearest multiple of p taken off: the representative around 0; a within 1.5p. */\nexport function canonical(out: usize, a: usize): void {",
  );
  sum1((i) => ld("a", i));
  w("/** Pair out = a + b. */\nexport function add2(out: usize, a: usize, b: usize): void {");
  sum2((i) => `f64x2.add(${at("a")(i)}, ${at("b")(i)})`);
  w("/** Pair out = a - b. */\nexport function sub2(out: usize, a: usize, b: usize): void {");
  sum2((i) => `f64x2.sub(${at("a")(i)}, ${at("b")(i)})`);

  // ---- bytes
  w(
    "/** Splits a 32-byte little-endian integer into limbs; no range check, no Montgomery factor; a factor of a product with a constant. */",
  );
  w("export function fromBytes(out: usize, src: usize): void {");
  w("  const w0 = load<u64>(src), w1 = load<u64>(src, 8), w2 = load<u64>(src, 16), w3 = load<u64>(src, 24);");
  for (const i of rows) {
    const bit = i * 51;
    const [k, s] = [bit >> 6, bit & 63];
    let e = s === 0 ? `w${k}` : `(w${k} >> ${s})`;
    if (s > 13 && k < 3) e = `(${e} | (w${k + 1} << ${64 - s}))`;
    w(`  let d${i} = i64(${i < LIMBS - 1 ? `${e} & ${BASE - 1n}` : e});`);
  }
  for (let i = 0; i < LIMBS - 1; i++) w(`  if (d${i} >= ${HALF}) { d${i} -= ${BASE}; d${i + 1} += 1; }`);
  for (const i of rows) w(`  store<f64>(out, f64(d${i}), ${8 * i});`);
  w("}\n");
  w(
    "/** Writes the integer in [0, p) of a normal element as 32 little-endian bytes. */\nexport function toBytes(out: usize, a: usize): void {",
  );
  for (const i of rows) w(`  let d${i} = i64(${ld("a", i)});`);
  const settle = (indent) => {
    for (let i = 0; i < LIMBS - 1; i++) w(`${indent}d${i + 1} += d${i} >> 51; d${i} &= ${BASE - 1n};`);
  };
  settle("  ");
  w(`  if (d${LIMBS - 1} < 0) {`);
  words(p, 51, LIMBS).forEach((x, i) => {
    w(`    d${i} += ${x};`);
  });
  settle("    ");
  w("  }");
  for (let k = 0; k < 4; k++) {
    const terms = [];
    for (const i of rows) {
      const s = i * 51 - k * 64;
      if (s > -51 && s < 64)
        terms.push(s === 0 ? `u64(d${i})` : s > 0 ? `(u64(d${i}) << ${s})` : `(u64(d${i}) >> ${-s})`);
    }
    w(`  store<u64>(out, ${terms.join(" | ")}, ${8 * k});`);
  }
  w("}\n");

  // ---- pairs
  w(`export function copy(out: usize, a: usize): void {
  const x = v128.load(a), y = v128.load(a, 16), z = load<u64>(a, 32);
  v128.store(out, x); v128.store(out, y, 16); store<u64>(out, z, 32);
}

/** Copies a pair. */
export function copy2(out: usize, a: usize): void {
${rows.map((i) => `  const v${i} = v128.load(a, ${16 * i});`).join("\n")}
${rows.map((i) => `  v128.store(out, v${i}, ${16 * i});`).join("\n")}
}

/** Whether all limbs are zero. */
export function isLiteralZero(a: usize): bool {
  return ${rows.map((i) => `${ld("a", i)} == 0`).join(" && ")};
}

/** Whether all limbs of both lanes are zero. */
export function isLiteralZero2(a: usize): bool { return isLiteralZero(a) && isLiteralZero(a + SIZE); }

/** Pair out = (a, b). */
// @ts-ignore: decorator
@inline
export function pairOf(out: usize, a: usize, b: usize): void {
  interleave(out, v128.load(a), v128.load(a, 16), v128.load_splat<u64>(a, 32), v128.load(b), v128.load(b, 16), v128.load_splat<u64>(b, 32));
}

// @ts-ignore: decorator
@inline
function interleave(out: usize, a0: v128, a1: v128, a2: v128, b0: v128, b1: v128, b2: v128): void {
  v128.store(out, v128.shuffle<f64>(a0, b0, 0, 2));
  v128.store(out, v128.shuffle<f64>(a0, b0, 1, 3), 16);
  v128.store(out, v128.shuffle<f64>(a1, b1, 0, 2), 32);
  v128.store(out, v128.shuffle<f64>(a1, b1, 1, 3), 48);
  v128.store(out, v128.shuffle<f64>(a2, b2, 0, 2), 64);
}

/** (a, b) = pair. */
// @ts-ignore: decorator
@inline
export function unpair(a: usize, b: usize, pair: usize): void {
  const v0 = v128.load(pair), v1 = v128.load(pair, 16), v2 = v128.load(pair, 32), v3 = v128.load(pair, 48), v4 = v128.load(pair, 64);
  v128.store(a, v128.shuffle<f64>(v0, v1, 0, 2));
  v128.store(a, v128.shuffle<f64>(v2, v3, 0, 2), 16);
  v128.store_lane<u64>(a, v4, 0, 32);
  v128.store(b, v128.shuffle<f64>(v0, v1, 1, 3));
  v128.store(b, v128.shuffle<f64>(v2, v3, 1, 3), 16);
  v128.store_lane<u64>(b, v4, 1, 32);
}

/** Lane 0 or 1 of a pair = a. */
export function putLane(pair: usize, lane: u32, a: usize): void {
  const p = pair + (usize(lane) << 3);
  for (let i: usize = 0; i < ${LIMBS}; i++) store<f64>(p + (i << 4), load<f64>(a + (i << 3)));
}

/** out = lane 0 or 1 of a pair. */
export function getLane(out: usize, pair: usize, lane: u32): void {
  const p = pair + (usize(lane) << 3);
  for (let i: usize = 0; i < ${LIMBS}; i++) store<f64>(out + (i << 3), load<f64>(p + (i << 4)));
}

/** Pair out = (a - b, c - d), lazy. */
// @ts-ignore: decorator
@inline
export function pairDifference(out: usize, a: usize, b: usize, c: usize, d: usize): void {
  interleave(
    out,
    f64x2.sub(v128.load(a), v128.load(b)),
    f64x2.sub(v128.load(a, 16), v128.load(b, 16)),
    f64x2.sub(v128.load_zero<u64>(a, 32), v128.load_zero<u64>(b, 32)),
    f64x2.sub(v128.load(c), v128.load(d)),
    f64x2.sub(v128.load(c, 16), v128.load(d, 16)),
    f64x2.sub(v128.load_zero<u64>(c, 32), v128.load_zero<u64>(d, 32)),
  );
}

/** Pair out = (-a - b, -c - d), lazy. */
// @ts-ignore: decorator
@inline
export function pairNegatedSum(out: usize, a: usize, b: usize, c: usize, d: usize): void {
  interleave(
    out,
    f64x2.neg(f64x2.add(v128.load(a), v128.load(b))),
    f64x2.neg(f64x2.add(v128.load(a, 16), v128.load(b, 16))),
    f64x2.neg(f64x2.add(v128.load_zero<u64>(a, 32), v128.load_zero<u64>(b, 32))),
    f64x2.neg(f64x2.add(v128.load(c), v128.load(d))),
    f64x2.neg(f64x2.add(v128.load(c, 16), v128.load(d, 16))),
    f64x2.neg(f64x2.add(v128.load_zero<u64>(c, 32), v128.load_zero<u64>(d, 32))),
  );
}

/** Pair out = (-a, -b). */
// @ts-ignore: decorator
@inline
export function pairNegative(out: usize, a: usize, b: usize): void {
  interleave(
    out,
    f64x2.neg(v128.load(a)),
    f64x2.neg(v128.load(a, 16)),
    f64x2.neg(v128.load_zero<u64>(a, 32)),
    f64x2.neg(v128.load(b)),
    f64x2.neg(v128.load(b, 16)),
    f64x2.neg(v128.load_zero<u64>(b, 32)),
  );
}

/** Pair out = a - b, lazy. */
export function subLazy2(out: usize, a: usize, b: usize): void {
${rows.map((i) => `  v128.store(out, f64x2.sub(v128.load(a, ${16 * i}), v128.load(b, ${16 * i})), ${16 * i});`).join("\n")}
}

/** Pair out = -a. */
export function negLazy2(out: usize, a: usize): void {
${rows.map((i) => `  v128.store(out, f64x2.neg(v128.load(a, ${16 * i})), ${16 * i});`).join("\n")}
}

/** Pair out = -a - b, lazy. */
export function negSumLazy2(out: usize, a: usize, b: usize): void {
${rows.map((i) => `  v128.store(out, f64x2.neg(f64x2.add(v128.load(a, ${16 * i}), v128.load(b, ${16 * i}))), ${16 * i});`).join("\n")}
}

/** (a0, a1) = (a0 + a1, a0 - a1); t: two pairs of scratch. */
export function butterfly(a: usize, t: usize): void {
  const u = t + PAIR;
  for (let i: usize = 0; i < ${LIMBS}; i++) {
    const a0 = load<f64>(a + (i << 4)), a1 = load<f64>(a + (i << 4), 8);
    store<f64>(t + (i << 4), a0);
    store<f64>(t + (i << 4), a0, 8);
    store<f64>(u + (i << 4), a1);
    store<f64>(u + (i << 4), -a1, 8);
  }
  add2(a, t, u);
}

/**
 * False only if a - b is not 0 mod p, for normal a, b: the difference of the lowest limbs (digits between -2^50 and 2^50)
 * is not that of -p, 0 or p.
 */
// @ts-ignore: decorator
@inline
export function maybeEqual(a: usize, b: usize): bool {
  const d = abs<f64>(load<f64>(a) - load<f64>(b));
  return d == 0 || d == ${2 ** 51}.0 || d == ${Math.abs(P[0])}.0 || d == ${2 ** 51 - Math.abs(P[0])}.0;
}

/** False only if no lane of the normal pair is 0. */
// @ts-ignore: decorator
@inline
export function maybeZero2(a: usize): bool { return load<f64>(a) == 0 && load<f64>(a, 8) == 0; }

/** Lane 0 or 1 of out = the sum of n elements number first, first + 1, ... of an array of pairs. n below 2^12. */
export function sumLanes(out: usize, lane: u32, pairs: usize, first: u32, n: u32): void {
${rows.map((i) => `  let d${i}: i64 = 0;`).join("\n")}
  for (let e = first; e < first + n; e++) {
    const p = pairs + usize(e >> 1) * PAIR + (usize(e & 1) << 3);
${rows.map((i) => `    d${i} += i64(load<f64>(p, ${16 * i}));`).join("\n")}
  }`);
  const balance = () => {
    for (let i = 0; i < LIMBS - 1; i++)
      w(`  d${i + 1} += (d${i} + ${HALF}) >> 51; d${i} = ((d${i} + ${HALF}) & ${BASE - 1n}) - ${HALF};`);
  };
  balance();
  // up to 2^12 summands: k below 2^11, k·limb below 2^62
  w(`  const k = i64(nearest<f64>(f64(d${LIMBS - 1}) * reinterpret<f64>(${bitsOf(INV_TOP)})));`);
  for (const i of rows) w(`  d${i} -= k * ${digits(p)[i]};`);
  balance();
  w("  const o = out + (usize(lane) << 3);");
  for (const i of rows) w(`  store<f64>(o, f64(d${i}), ${16 * i});`);
  w("}\n");

  if (name === "fq") {
    const sign = { first: `v128.load(SIGNS)` };
    const swapped = (v) => `v128.shuffle<f64>(${v}, ${v}, 1, 0)`;
    const lane = (v, l) => `v128.shuffle<f64>(${v}, ${v}, ${l}, ${l})`;
    const fq2Terms = () => {
      const b = bind("b", at("b"));
      // (-b1, b0), kept in memory: there are not enough registers for both
      for (const j of rows) w(`  v128.store(t, f64x2.mul(${swapped(b(j))}, ${sign.first}), ${16 * j});`);
      return [
        { x: (i) => lane(at("a")(i), 0), y: b },
        { x: (i) => lane(at("a")(i), 1), y: at("t") },
      ];
    };
    const squareTerms = () => {
      // (a0 + a1, 2·a0) · (a0 - a1, a1)
      for (const i of rows) {
        w(`  const v${i} = ${at("a")(i)}, s${i} = ${swapped(`v${i}`)};`);
        w(`  const b${i} = v128.shuffle<f64>(f64x2.sub(v${i}, s${i}), v${i}, 0, 3);`);
        w(`  v128.store(t, v128.shuffle<f64>(f64x2.add(v${i}, s${i}), f64x2.add(v${i}, v${i}), 0, 2), ${16 * i});`);
      }
      return [{ x: at("t"), y: (j) => `b${j}` }];
    };
    w("// ---- Fq2 = Fq[u]/(u² + 1): the pair (c0, c1)\n\nconst SIGNS: usize = memory.data<f64>([-1.0, 1.0], 16);\n");
    w(
      "/** Fq2 product under one reduction: (a0·b0 - a1·b1, a0·b1 + a1·b0). One factor may be lazy; t: 80 bytes of scratch. */\nexport function mulFq2(out: usize, a: usize, b: usize, t: usize): void {",
    );
    product({ terms: fq2Terms(), store: toPair });
    w(
      "/** mulFq2 plus the pair s, lazy. */\nexport function mulAddFq2(out: usize, a: usize, b: usize, s: usize, t: usize): void {",
    );
    product({ terms: fq2Terms(), summand: at("s"), store: toPair });
    w(
      "/** Fq2 square: ((a0 + a1)·(a0 - a1), 2·a0·a1). a normal; t: 80 bytes of scratch. */\nexport function sqrFq2(out: usize, a: usize, t: usize): void {",
    );
    product({ terms: squareTerms(), store: toPair });
    w(
      "/** sqrFq2 plus the pair s, lazy. */\nexport function sqrAddFq2(out: usize, a: usize, s: usize, t: usize): void {",
    );
    product({ terms: squareTerms(), summand: at("s"), store: toPair });
  }
  if (name === "fr") {
    w(`/** The integer 1 twice. */
export const INT_ONE_PAIR: usize = ${data(
      "f64",
      digits(1n).flatMap((d) => [`${d}.0`, `${d}.0`]),
    )};
`);
  }
  w(commonSource(name, p));

  return `// Generated by scripts/field-fma.mjs: do not edit. ${name} of BN254, floating-point arithmetic.
import { TLS, TLS_ANCHOR } from "./layout";

/** Bytes of an element. */
export const SIZE: usize = ${LIMBS * 8};
/** Bytes of two elements side by side. */
export const PAIR: usize = ${LIMBS * 16};
/** 1 in Montgomery form. */
export const ONE: usize = ${element(R)};
const INT_ONE: usize = ${element(1n)};
const R2: usize = ${element(R * R)};
// x·2^256 -> x·2^255
const FROM_R256: usize = ${element(R * R * invMod(1n << 256n, p))};
// x·2^255 -> x·2^256
const TO_R256: usize = ${element(1n << 256n)};
// takes 2^512 off and two factors 1/R, and brings an inverse into Montgomery form, see inv
const INVERSE_FACTOR: usize = ${element((R * R * R * R * R * invMod(1n << 512n, p)) % p)};
// c·2^512 -> c·2^510
const FROM_R512: usize = ${element(R * R * R * invMod(1n << 512n, p))};
const CONSTANTS: usize = ${data(
    "u64",
    table.flatMap((x) => [x, x]),
  )};

${out.join("\n")}
`;
}
