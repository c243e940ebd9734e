/** The numbers that the kernel is built with and given, from their definitions; and the two builds side by side. */

import { bn254 } from "@noble/curves/bn254.js";
import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { glv, FR as SCRIPT_FR, Q as SCRIPT_Q, invMod as scriptInvMod } from "../../../scripts/bn254.mjs";
import { FR_TWO_ADICITY } from "../../../src/formats/bn254.js";
import {
  B_G1,
  B_G2,
  BETA_G1,
  BETA_G2,
  invMod,
  MAX_DOMAIN_BITS,
  powMod,
  rootOfUnity,
} from "../../../src/prover/wasm/constants.js";
import { compileKernel } from "../../../src/prover/wasm/kernel.js";
import { BUILDS, describeBuilds, G1, G2, LAMBDA, mod, Q, R } from "../../support/kernel.js";

const { Fp2 } = bn254.fields;

test("moduli", () => {
  expect([SCRIPT_Q, SCRIPT_FR]).toEqual([Q, R]);
});

test("powMod and invMod", () => {
  for (const p of [Q, R]) {
    for (const a of [0n, 1n, 2n, p - 1n, 12345n, p >> 1n]) {
      expect((invMod(a, p) * a) % p).toBe(a === 0n ? 0n : 1n);
      expect(powMod(a, p, p)).toBe(a);
      if (a !== 0n) expect(scriptInvMod(a, p)).toBe(invMod(a, p));
    }
  }
  expect(powMod(3n, 0n, Q)).toBe(1n);
  expect(powMod(3n, 5n, 1000n)).toBe(243n);
});

test("β multiplies by λ on both groups", () => {
  for (const [group, beta] of [
    [G1, BETA_G1],
    [G2, BETA_G2],
  ] as const) {
    expect((beta * beta + beta + 1n) % Q).toBe(0n);
    for (const k of [1n, 5n, R - 1n]) {
      const point = group.coords(k);
      const want = point.map((c, i) => (i < group.degree ? (c * beta) % Q : c));
      expect(group.coords(LAMBDA * k)).toEqual(want);
    }
  }
});

test("curve coefficients", () => {
  expect(B_G1).toBe(bn254.G1.Point.CURVE().b);
  expect({ ...B_G2 }).toEqual({ ...bn254.G2.Point.CURVE().b });
  expect(Fp2.mul(Fp2.create(B_G2), Fp2.create({ c0: 9n, c1: 1n }))).toEqual(Fp2.create({ c0: 3n, c1: 0n }));
});

test("no point has a zero abscissa, an order of two, or is its own image", () => {
  // (0, ±√3) would be of order 3; points of order 2 need an even number of points
  expect(R % 2n).toBe(1n);
  expect(R % 3n).not.toBe(0n);
  expect(bn254.G2.Point.CURVE().h % 2n).toBe(1n);
  expect(LAMBDA).not.toBe(1n);
});

test("roots of unity", () => {
  expect(powMod(5n, (R - 1n) / 2n, R)).toBe(R - 1n);
  for (const smaller of [2n, 3n, 4n]) expect(powMod(smaller, (R - 1n) / 2n, R)).toBe(1n);
  expect((R - 1n) % 2n ** BigInt(FR_TWO_ADICITY)).toBe(0n);
  expect(((R - 1n) >> BigInt(FR_TWO_ADICITY)) % 2n).toBe(1n);
  expect(rootOfUnity(0)).toBe(1n);
  expect(rootOfUnity(1)).toBe(R - 1n);
  for (let bits = 1; bits <= FR_TWO_ADICITY; bits++) {
    expect(rootOfUnity(bits) ** 2n % R).toBe(rootOfUnity(bits - 1));
  }
  expect(MAX_DOMAIN_BITS).toBe(FR_TWO_ADICITY - 1);
});

test("the lattice of the GLV decomposition", () => {
  const { lambda, a1, b1, a2, b2, g1, g2 } = glv() as Record<
    "lambda" | "a1" | "b1" | "a2" | "b2" | "g1" | "g2",
    bigint
  >;
  expect(lambda).toBe(LAMBDA);
  expect((lambda * lambda + lambda + 1n) % R).toBe(0n);
  expect(mod(a1 - b1 * lambda, R)).toBe(0n);
  expect(mod(a2 + b2 * lambda, R)).toBe(0n);
  expect(a1 * b2 + a2 * b1).toBe(R);
  // factors rounded to the nearest integer
  for (const [g, b] of [
    [g1, b2],
    [g2, b1],
  ] as const) {
    const twice = 2n * (g * R - (b << 256n));
    expect(twice <= R && twice >= -R).toBe(true);
  }
  // |halves| ≤ Σ (1/2 + r·|g/2^256 - b/r|)·|vector| stays well below 2^127, so that the highest digit cannot overflow
  const error = (g: bigint, b: bigint) => {
    const difference = g * R - (b << 256n);
    return difference < 0n ? -difference : difference;
  };
  const half = 1n << 255n;
  const most = ([x, y]: readonly [bigint, bigint]) => ((half + error(g1, b2)) * x + (half + error(g2, b1)) * y) >> 256n;
  for (const half of [most([a1, a2]), most([b1, b2])]) expect(half).toBeLessThan((103n << 126n) / 100n);
});

test("all builds have the same exports and import nothing but a memory", async () => {
  const exports = [];
  for (const { arithmetic, shared } of BUILDS) {
    const module = await compileKernel(shared, arithmetic).catch((error) => {
      if (error.code !== "ARITHMETIC_UNSUPPORTED") throw error;
    });
    // no relaxed SIMD here
    if (module === undefined) continue;
    exports.push(WebAssembly.Module.exports(module));
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const other = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: !shared });
    expect(() => new WebAssembly.Instance(module, { env: { memory: other } })).toThrow(WebAssembly.LinkError);
    // compiled once
    expect(await compileKernel(shared, arithmetic)).toBe(module);
  }
  for (const list of exports) expect(list).toEqual(exports[0]);
});

describeBuilds(({ layout }, kernel) => {
  test("sizes of elements", () => {
    const k = kernel();
    expect(k.call("fieldSize")).toBe(layout.limbs * layout.bytes);
    expect(k.call("pairSize")).toBe(2 * layout.limbs * layout.bytes);
    expect(layout.radix).toBe(1n << (BigInt(layout.limbs) * layout.bits));
    // room for unreduced sums
    expect(layout.radix / Q).toBe(layout.arithmetic === "int" ? 169n : 2n);
    expect(k.call("isFused")).toBe(1);
  });
});
