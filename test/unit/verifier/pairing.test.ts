import { bn254 } from "@noble/curves/bn254.js";
import { describe, expect, it } from "vitest";
import { GLV_BETA, GLV_LAMBDA } from "../../../src/verifier/batching.js";
import type { Fq2 } from "../../../src/verifier/fq2.js";
import { BN_X, isNeutral, millerLines, millerLoop } from "../../../src/verifier/pairing.js";
import { Q, R, scalarSource } from "../../support/groth16.js";
import { COFACTOR, multiply, randomTwistPoint } from "../../support/twist.js";

const { G1, G2, fields } = bn254;
const next = scalarSource("pairing");
const g1 = (k: bigint) => G1.Point.BASE.multiplyUnsafe(k).toAffine();
const g2 = (k: bigint) => G2.Point.BASE.multiplyUnsafe(k).toAffine();
const linesOf = ({ x, y }: { x: Fq2; y: Fq2 }) => {
  const lines = millerLines(x, y);
  if (lines === undefined) throw new Error("not in G2");
  return lines;
};
const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));

describe("millerLoop", () => {
  it("agrees with noble's pairing after the final power, at random and edge multiples of the generators", () => {
    const scalars: [bigint, bigint][] = [
      [1n, 1n],
      [R - 1n, 1n],
      [2n, R - 2n],
      [BN_X, 6n * BN_X + 2n],
      [next(), next()],
      [next(), next()],
    ];
    for (const [a, b] of scalars) {
      const ours = fields.Fp12.finalExponentiate(millerLoop([{ lines: linesOf(g2(b)), ...g1(a) }]));
      const theirs = bn254.pairing(G1.Point.BASE.multiplyUnsafe(a), G2.Point.BASE.multiplyUnsafe(b));
      expect(fields.Fp12.eql(ours, theirs), `[${a}]G1, [${b}]G2`).toBe(true);
    }
  });

  it("multiplies several pairings into one", () => {
    const pairs = [1, 2, 3].map(() => ({ a: next(), b: next() }));
    const ours = millerLoop(pairs.map(({ a, b }) => ({ lines: linesOf(g2(b)), ...g1(a) })));
    const exponent = pairs.reduce((sum, { a, b }) => (sum + a * b) % R, 0n);
    const theirs = bn254.pairing(G1.Point.BASE.multiplyUnsafe(exponent), G2.Point.BASE);
    expect(fields.Fp12.eql(fields.Fp12.finalExponentiate(ours), theirs)).toBe(true);
  });

  it("is neutral for nothing and for e(aG, bH)·e(-abG, H), not for a neighbour of it", () => {
    const [a, b] = [next(), next()];
    const first = { lines: linesOf(g2(b)), ...g1(a) };
    const lines = linesOf(g2(1n));
    expect(isNeutral(millerLoop([]))).toBe(true);
    expect(isNeutral(millerLoop([first, { lines, ...g1(R - ((a * b) % R)) }]))).toBe(true);
    expect(isNeutral(millerLoop([first, { lines, ...g1(R + 1n - ((a * b) % R)) }]))).toBe(false);
    expect(isNeutral(millerLoop([first]))).toBe(false);
  });
});

describe("the subgroup test in millerLines", () => {
  it("rests on a resultant that shares exactly r with the order of E'(Fq2)", () => {
    const x = BN_X;
    const t = 6n * x * x + 1n;
    expect(Q + 1n - t).toBe(R);
    expect(COFACTOR).toBe(Q - 1n + t);
    // X³ - X² + X + 6x+2 = aX + b modulo X² - tX + q, and Res(aX + b, X² - tX + q) = b² + tab + qa²
    const a = t * t - Q - t + 1n;
    const b = -t * Q + Q + 6n * x + 2n;
    const resultant = b * b + t * a * b + Q * a * a;
    expect(gcd(resultant, R * COFACTOR)).toBe(R);
  });

  it("accepts multiples of the generator", () => {
    for (const k of [1n, 2n, 3n, R - 1n, BN_X, 6n * BN_X + 2n, next(), next()]) {
      const { x, y } = g2(k);
      expect(millerLines(x, y), `[${k}]`).toHaveLength(88);
    }
  });

  it("refuses random points of the twist, their multiples by r, and sums with points of G2, as noble does", () => {
    for (let i = 0; i < 4; i++) {
      const point = randomTwistPoint(next);
      for (const p of [point, multiply(point, R), multiply(point, R).add(G2.Point.BASE)]) {
        const { x, y } = p.toAffine();
        expect(p.isTorsionFree()).toBe(false);
        expect(millerLines(x, y)).toBeUndefined();
      }
    }
  });

  it("refuses points of small order, where the addition formulas meet exceptional cases", () => {
    const point = multiply(randomTwistPoint(next), R);
    for (const order of [10069n, 5864401n, 10069n * 5864401n]) {
      expect(COFACTOR % order).toBe(0n);
      const small = multiply(point, COFACTOR / order);
      expect(small.is0()).toBe(false);
      expect(multiply(small, order).is0()).toBe(true);
      for (const k of [1n, 2n, 3n, 10067n]) {
        const { x, y } = multiply(small, k).toAffine();
        expect(millerLines(x, y), `[${k}] of order ${order}`).toBeUndefined();
      }
    }
  });

  it("refuses when the formulas degenerate to (0 : 0 : 0), which satisfies every equation between products", () => {
    const zero = { c0: 0n, c1: 0n };
    expect(millerLines(zero, zero)).toBeUndefined();
  });

  it("sends cleared points into G2", () => {
    const { x, y } = multiply(randomTwistPoint(next), COFACTOR).toAffine();
    expect(millerLines(x, y)).toHaveLength(88);
  });
});

describe("the endomorphism used for batch weights", () => {
  it("multiplies by lambda", () => {
    expect((GLV_LAMBDA * GLV_LAMBDA + GLV_LAMBDA + 1n) % R).toBe(0n);
    expect((GLV_BETA * GLV_BETA + GLV_BETA + 1n) % Q).toBe(0n);
    const { x, y } = g1(next());
    const p = G1.Point.fromAffine({ x, y });
    const image = G1.Point.fromAffine({ x: (x * GLV_BETA) % Q, y });
    expect(image.equals(p.multiplyUnsafe(GLV_LAMBDA))).toBe(true);
  });

  it("gives different weights for different pairs of 64-bit halves", () => {
    // Gauss' reduction finds a shortest vector of {(a, b): a + b·lambda = 0 mod r}
    let u: [bigint, bigint] = [R, 0n];
    let v: [bigint, bigint] = [-GLV_LAMBDA, 1n];
    const dot = (s: [bigint, bigint], t: [bigint, bigint]) => s[0] * t[0] + s[1] * t[1];
    for (;;) {
      if (dot(u, u) < dot(v, v)) [u, v] = [v, u];
      const n = dot(v, v);
      const m = (2n * dot(u, v) + n) / (2n * n) - (2n * dot(u, v) + n < 0n ? 1n : 0n);
      if (m === 0n) break;
      u = [u[0] - m * v[0], u[1] - m * v[1]];
      if (dot(u, u) >= dot(v, v)) break;
    }
    expect((u[0] + u[1] * GLV_LAMBDA) % R).toBe(0n);
    expect((v[0] + v[1] * GLV_LAMBDA) % R).toBe(0n);
    const shortest = dot(u, u) < dot(v, v) ? u : v;
    // reduced: |2u·v| <= |v|²
    const inner = 2n * dot(u, v);
    expect((inner < 0n ? -inner : inner) <= dot(shortest, shortest)).toBe(true);
    expect(dot(shortest, shortest) > 2n ** 250n).toBe(true);
  });
});
