/**
 * Numbers of BN254 that the generated sources need, derived rather than copied where that is possible.
 *
 * @module
 */

/** Base field. */
export const Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
/** Scalar field. */
export const FR = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

/**
 * Modular inverse by the extended Euclidean algorithm.
 *
 * @param {bigint} a
 * @param {bigint} m
 */
export function invMod(a, m) {
  let [x, y, u, v] = [((a % m) + m) % m, m, 1n, 0n];
  while (x !== 0n) {
    const k = y / x;
    [x, y] = [y - k * x, x];
    [u, v] = [v - k * u, u];
  }
  if (y !== 1n) throw new Error("not invertible");
  return ((v % m) + m) % m;
}

/**
 * [0, 1, ..., n - 1].
 *
 * @param {number} n
 */
export const range = (n) => Array.from({ length: n }, (_, i) => i);

/** Static data of the module. */
export const data = (type, xs) => `memory.data<${type}>([${xs.join(", ")}], 16)`;

/** Every element twice. */
export const pairs = (xs) => xs.flatMap((x) => [x, x]);

/**
 * Words of x in base 2^bits, least significant first.
 *
 * @param {bigint} x
 * @param {number} bits
 * @param {number} n
 */
export const words = (x, bits, n) => range(n).map((k) => (x >> BigInt(bits * k)) & ((1n << BigInt(bits)) - 1n));

/**
 * Constants of the GLV decomposition (Gallant, Lambert, Vanstone 2001) for λ, a cube root of unity mod r, found by
 * Gauss-Lagrange reduction of the lattice {(a, b): a + b·λ ≡ 0 mod r}.
 */
export function glv() {
  const lambda = 4407920970296243842393367215006156084916469457145843978461n;
  if ((lambda * lambda + lambda + 1n) % FR !== 0n) throw new Error("λ is no cube root of unity");
  /** @param {bigint[]} vector */
  const norm = ([a, b]) => a * a + b * b;
  let [u, v] = [
    [FR, 0n],
    [-lambda, 1n],
  ];
  for (;;) {
    if (norm(u) < norm(v)) [u, v] = [v, u];
    const dot = u[0] * v[0] + u[1] * v[1];
    const n = norm(v);
    const q = (2n * dot + n) / (2n * n) - ((2n * dot + n) % (2n * n) < 0n ? 1n : 0n);
    if (q === 0n) break;
    u = [u[0] - q * v[0], u[1] - q * v[1]];
  }
  // signs: first vector (+, -), second (+, +)
  const vectors = [u, v].map(([a, b]) => (a < 0n ? [-a, -b] : [a, b]));
  const first = vectors.find(([, b]) => b < 0n);
  const second = vectors.find(([, b]) => b > 0n);
  if (!first || !second) throw new Error("unexpected lattice basis");
  const [a1, b1, a2, b2] = [first[0], -first[1], second[0], second[1]];
  if (a1 * b2 + a2 * b1 !== FR) throw new Error("not a basis");
  const rounded = (x) => ((x << 257n) / FR + 1n) >> 1n;
  return { lambda, a1, b1, a2, b2, g1: rounded(b2), g2: rounded(b1) };
}

/**
 * Inversion by Kaliski's almost inverse (IEEE Trans. Computers 44/8, 1995) on the canonical integer: a^-1·2^k after k steps,
 * bits ≤ k ≤ 2·bits of p; products with powers of two and a constant take 2^k off and bring the result into Montgomery form.
 * About three times as fast as a power a^(p-2).
 */
function inverseSource(p) {
  const four = range(4);
  const each = (f) => four.map(f).join("\n      ");
  /** x = (x - y) >> 1 for x > y. */
  const halfDifference = (x, y) => `t0 = ${x}0 - ${y}0; b = u64(${x}0 < ${y}0);
      t1 = ${x}1 - ${y}1 - b; b = u64(${x}1 < ${y}1 || (${x}1 == ${y}1 && b != 0));
      t2 = ${x}2 - ${y}2 - b; b = u64(${x}2 < ${y}2 || (${x}2 == ${y}2 && b != 0));
      t3 = ${x}3 - ${y}3 - b;
      ${x}0 = (t0 >> 1) | (t1 << 63); ${x}1 = (t1 >> 1) | (t2 << 63); ${x}2 = (t2 >> 1) | (t3 << 63); ${x}3 = t3 >> 1;`;
  const half = (x) =>
    `${x}0 = (${x}0 >> 1) | (${x}1 << 63); ${x}1 = (${x}1 >> 1) | (${x}2 << 63); ${x}2 = (${x}2 >> 1) | (${x}3 << 63); ${x}3 >>= 1;`;
  const double = (x) =>
    `${x}3 = (${x}3 << 1) | (${x}2 >> 63); ${x}2 = (${x}2 << 1) | (${x}1 >> 63); ${x}1 = (${x}1 << 1) | (${x}0 >> 63); ${x}0 <<= 1;`;
  const addTo = (x, y) => `t0 = ${x}0 + ${y}0; b = u64(t0 < ${x}0); ${x}0 = t0;
      t1 = ${x}1 + ${y}1 + b; b = u64(t1 < ${x}1 || (t1 == ${x}1 && b != 0)); ${x}1 = t1;
      t2 = ${x}2 + ${y}2 + b; b = u64(t2 < ${x}2 || (t2 == ${x}2 && b != 0)); ${x}2 = t2;
      ${x}3 += ${y}3 + b;`;
  const greater = `u3 > v3 || (u3 == v3 && (u2 > v2 || (u2 == v2 && (u1 > v1 || (u1 == v1 && u0 > v0)))))`;
  return `/** out = 1/a, 0 for 0; a normal. scratch: 3 elements. Not constant time. */
export function inv(out: usize, a: usize, scratch: usize): void {
  canonical(scratch, a);
  if (isLiteralZero(scratch)) { setZero(out); return; }
  toBytes(scratch, scratch);
  ${words(p, 64, 4)
    .map(
      (x, i) =>
        `let u${i}: u64 = ${x}, v${i} = load<u64>(scratch, ${8 * i}), r${i}: u64 = 0, s${i}: u64 = ${i === 0 ? 1 : 0};`,
    )
    .join("\n  ")}
  let t0: u64, t1: u64, t2: u64, t3: u64, b: u64;
  let k: u32 = 0;
  while ((v0 | v1 | v2 | v3) != 0) {
    if ((u0 & 1) == 0) {
      ${half("u")}
      ${double("s")}
    } else if ((v0 & 1) == 0) {
      ${half("v")}
      ${double("r")}
    } else if (${greater}) {
      ${halfDifference("u", "v")}
      ${addTo("r", "s")}
      ${double("s")}
    } else {
      ${halfDifference("v", "u")}
      ${addTo("s", "r")}
      ${double("r")}
    }
    k++;
  }
  // r < 2p is -a^-1·2^k; 2^(512-k) in two factors, each below p
  ${each((i) => `store<u64>(scratch, r${i}, ${8 * i});`)}
  fromBytes(out, scratch);
  const rest: u32 = 512 - k, first: u32 = rest < 250 ? rest : 250;
  power(scratch, first);
  mul(out, out, scratch);
  power(scratch, rest - first);
  mul(out, out, scratch);
  mul(out, out, INVERSE_FACTOR);
  neg(out, out);
}

/** out = the integer 2^k, k < 256; out: room for two elements. */
function power(out: usize, k: u32): void {
  const t = out + 48;
  memory.fill(t, 0, 32);
  store<u8>(t + usize(k >> 3), u8(u32(1) << (k & 7)));
  fromBytes(out, t);
}
`;
}

/** Source that is the same for every arithmetic: conversions, inversion, comparisons with p. */
export function commonSource(name, p) {
  const fr = () => {
    const { g1, g2, a1, a2, b1, b2 } = glv();
    return `// ---- GLV: lattice vectors (a1, -b1), (a2, b2) with a + b·λ ≡ 0 (mod r), 32-bit words
/** round(2^256·b2 / r). */
export const GLV_G1: usize = ${data("u32", words(g1, 32, 3))};
/** round(2^256·b1 / r). */
export const GLV_G2: usize = ${data("u32", words(g2, 32, 5))};
export const GLV_A1: usize = ${data("u32", words(a1, 32, 5))};
export const GLV_B1: usize = ${data("u32", words(b1, 32, 5))};
export const GLV_A2: usize = ${data("u32", words(a2, 32, 5))};
export const GLV_B2: usize = ${data("u32", words(b2, 32, 5))};
/** r as 32-bit words. */
export const MODULUS: usize = ${data("u32", words(p, 32, 8))};
`;
  };
  return `
export function setZero(out: usize): void { memory.fill(out, 0, SIZE); }

export function setOne(out: usize): void { copy(out, ONE); }

/** Whether a ≡ 0. */
export function isZero(a: usize, scratch: usize): bool {
  canonical(scratch, a);
  return isLiteralZero(scratch);
}

/** out = integer a into Montgomery form. */
export function toMont(out: usize, a: usize): void { mul(out, a, R2); }

/** out = the canonical integer of Montgomery a. */
export function fromMont(out: usize, a: usize): void { mul(out, a, INT_ONE); canonical(out, out); }

/**
 * Reads two elements of 32 bytes each in Montgomery form with R = 2^256, the form of points in a zkey; canonical results.
 * t: two pairs of scratch.
 */
export function fromBytesR256(a: usize, b: usize, src: usize, t: usize): void {
  fromBytes(a, src);
  fromBytes(b, src + 32);
  pairOf(t, a, b);
  pairOf(t + PAIR, FROM_R256, FROM_R256);
  mul2(t, t, t + PAIR);
  unpair(a, b, t);
  canonical(a, a);
  canonical(b, b);
}

/** Writes 32 bytes in Montgomery form with R = 2^256. */
export function toBytesR256(out: usize, a: usize, scratch: usize): void {
  mul(scratch, a, TO_R256); canonical(scratch, scratch); toBytes(out, scratch);
}

/** Reads c·2^512 (coefficients in a zkey) as c·R². */
export function fromBytesR512(out: usize, src: usize): void { fromBytes(out, src); mul(out, out, FROM_R512); }

/** Whether the 32-byte little-endian integer is below p. */
export function bytesBelowP(src: usize): bool {
  for (let i = 3; i >= 0; i--) {
    const x = load<u64>(src + (usize(i) << 3)), y = load<u64>(P_BYTES + (usize(i) << 3));
    if (x != y) return x < y;
  }
  return false;
}
const P_BYTES: usize = ${data("u64", words(p, 64, 4))};

${inverseSource(p)}
${name === "fr" ? fr() : ""}`;
}
