import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import {
  CONSTANTS,
  decode,
  encode,
  FIRST,
  factor,
  GROWTH,
  LANES,
  M,
  MAX_POWER,
  N,
  powers,
  RANGE,
  SECOND,
  writeNumber,
} from "../../../src/prover/gpujs/rns.js";
import { invMod } from "../../../src/prover/wasm/constants.js";
import { bytesOf, valuesOf } from "../../support/conformance.js";

const r = FR_MODULUS;
const P = Math.max(...FIRST, ...SECOND);
const SLACK = 0.51;
/** Numbers that kernels may add and multiply with exactly. */
const EXACT = 2 ** 24;

const mod = (x: bigint, m: bigint) => ((x % m) + m) % m;
const same = (residue: number | undefined, x: bigint, prime: number) =>
  mod(BigInt(residue!) - x, BigInt(prime)) === 0n && Math.abs(residue!) <= SLACK * prime;

/** ζ of any integer below N/2 in size, one array a lane. */
const rowsOf = (numbers: readonly bigint[]) =>
  SECOND.map((q) => {
    const cofactor = invMod(mod(N / BigInt(q), BigInt(q)), BigInt(q));
    return Float32Array.from(numbers, (x) => {
      const residue = Number(mod(x * cofactor, BigInt(q)));
      return 2 * residue > q ? residue - q : residue;
    });
  });

const number = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, r - 1n, r - 2n, (r - 1n) / 2n, (r + 1n) / 2n, 2n ** 253n, 2n ** 128n - 1n, 2n ** 32n),
  fc.nat({ max: 255 }).map((k) => 2n ** BigInt(k) % r),
  fc.bigInt({ min: 0n, max: r - 1n }),
);

describe("the bases", () => {
  test("are 48 different primes of at most 12 bits", () => {
    const primes = [...FIRST, ...SECOND];
    expect(new Set(primes).size).toBe(2 * LANES);
    for (const p of primes) {
      expect(p).toBeGreaterThan(1800);
      expect(p).toBeLessThan(2 ** 12);
      for (let d = 2; d * d <= p; d++) expect(p % d, `${p}`).not.toBe(0);
    }
  });

  test("leave room for what the module's comment says", () => {
    expect(M > 1300n * r && N > 1300n * r).toBe(true);
    // ranges: κ, a transform of the largest size, a product of two of its values, a difference
    const kappa = 900 / 1300 + LANES * SLACK;
    expect(kappa).toBeLessThan(GROWTH);
    const transformed = 2 * GROWTH + (MAX_POWER - 1) * GROWTH;
    const product = transformed ** 2 / 1300 + LANES * SLACK;
    expect(product).toBeLessThan(1300 / 21);
    expect(product + transformed).toBeLessThan(RANGE);
    expect(RANGE / 1300).toBeLessThan(0.25);
  });

  test("keep every sum of products exact, whatever the residues are", () => {
    const rows = (matrix: Float32Array) =>
      Array.from({ length: LANES }, (_, i) => matrix.subarray(i * LANES, (i + 1) * LANES));
    const size = (coefficients: Float32Array, primes: readonly number[], from: number) =>
      coefficients
        .subarray(from, from + LANES / 2)
        .reduce((sum, c, k) => sum + Math.abs(c) * SLACK * primes[from + k]!, 0);
    for (const [matrix, from, to] of [
      [CONSTANTS.extension1, FIRST, SECOND],
      [CONSTANTS.extension2, SECOND, FIRST],
    ] as const) {
      for (const [lane, row] of rows(matrix).entries()) {
        expect(size(row, from, 0)).toBeLessThan(EXACT - P);
        // the product of step 2 is the larger one of the two that are added
        const rest = SLACK * to[lane]! + (SLACK * P * P) / 2;
        expect(size(row, from, LANES / 2) + rest).toBeLessThan(EXACT - P);
      }
    }
    // the proof's own figure, which does not depend on the constants
    expect((13 * SLACK * P * P) / 2 + SLACK * P).toBeLessThan(EXACT - P);
    expect(Math.max(...CONSTANTS.overflow.map(Math.abs)) * 13).toBeLessThan((SLACK * P * P) / 2);
  });
});

test("a reduction is right for every float that a device may compute the quotient as", () => {
  const fround = Math.fround;
  const x = fc.oneof(
    fc.integer({ min: -(EXACT - P), max: EXACT - P }),
    fc.integer({ min: -4096, max: 4096 }),
    // next to where the quotient jumps
    fc
      .tuple(fc.integer({ min: -7000, max: 7000 }), fc.integer({ min: -2, max: 2 }))
      .map(([k, d]) => Math.round((k + 0.5) * P) + d),
  );
  const error = fc.constantFrom(-1, -0.5, 0, 0.5, 1).map((e) => e * 2 ** -21);
  fc.assert(
    fc.property(fc.constantFrom(...FIRST, ...SECOND), x, error, error, (p, value, e1, e2) => {
      if (Math.abs(value) > EXACT - P) return;
      const product = value * fround(1 / p) * (1 + e1);
      const k = Math.floor((product + 0.5) * (1 + e2));
      expect(Math.abs(k * p)).toBeLessThanOrEqual(EXACT);
      expect(Math.abs(value - k * p)).toBeLessThanOrEqual(SLACK * p);
    }),
    { numRuns: 3000 },
  );
});

describe("residues", () => {
  test("are those of the number, in both bases", () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 8 }), (numbers) => {
        const { first, second } = encode(bytesOf(numbers));
        const n = numbers.length;
        for (const [i, x] of numbers.entries()) {
          for (const [lane, p] of FIRST.entries()) expect(same(first[lane * n + i], x, p)).toBe(true);
          const digits = SECOND.map((q, lane) => BigInt(second[lane * n + i]!) * (N / BigInt(q)));
          expect(
            mod(
              digits.reduce((a, b) => a + b, -x),
              N,
            ),
          ).toBe(0n);
          for (const [lane, q] of SECOND.entries()) expect(Math.abs(second[lane * n + i]!)).toBeLessThan(SLACK * q);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("come back as the number", () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 8 }), (numbers) => {
        const bytes = bytesOf(numbers);
        const { second } = encode(bytes);
        const n = numbers.length;
        expect(decode(SECOND.map((_, lane) => second.subarray(lane * n, (lane + 1) * n)))).toEqual(bytes);
      }),
      { numRuns: 50 },
    );
  });

  test("of any integer that kernels can make come back reduced", () => {
    const multiple = fc.integer({ min: -RANGE + 1, max: RANGE - 1 });
    const near = fc.constantFrom(0n, 1n, -1n, r - 1n);
    fc.assert(
      fc.property(fc.array(fc.tuple(multiple, fc.oneof(number, near)), { minLength: 1, maxLength: 8 }), (parts) => {
        const numbers = parts.map(([k, x]) => BigInt(k) * r + x);
        expect(valuesOf(decode(rowsOf(numbers)))).toEqual(numbers.map((x) => mod(x, r)));
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    ["no number", Number.NaN],
    ["a fraction", 0.5],
    ["too large", 1200],
    ["infinite", Number.POSITIVE_INFINITY],
  ])("that are %s are refused", (_, wrong) => {
    const rows = rowsOf([1n, 2n, 3n]);
    rows[17]![1] = wrong;
    expect(() => decode(rows)).toThrow(
      expect.objectContaining({ code: "DEVICE_WRONG_RESULT", where: "gpu.js, number 1" }),
    );
  });

  test("of a number that kernels cannot make are refused", () => {
    for (const x of [BigInt(RANGE + 2) * r, -BigInt(RANGE + 2) * r, N / 2n - 1n]) {
      expect(() => decode(rowsOf([0n, x]))).toThrow(expect.objectContaining({ code: "DEVICE_WRONG_RESULT" }));
    }
  });
});

test("factors are what the steps of a product take", () => {
  fc.assert(
    fc.property(number, (f) => {
      const { first, second } = factor(f);
      const value = (f * M) % r;
      for (const [i, p] of FIRST.entries()) {
        const prime = BigInt(p);
        const constant = -invMod(mod(r, prime), prime) * invMod(mod(M / prime, prime), prime);
        expect(same(first[i], value * constant, p)).toBe(true);
      }
      for (const [j, q] of SECOND.entries()) {
        expect(same(second[j], value * invMod(mod(M, BigInt(q)), BigInt(q)), q)).toBe(true);
      }
    }),
    { numRuns: 20 },
  );
});

test("powers are factors side by side", () => {
  const table = powers(3n, r - 5n, 4);
  for (const [k, f] of [3n, -15n, 75n, -375n].entries()) {
    const one = factor(f);
    for (let lane = 0; lane < LANES; lane++) {
      expect(table.first[4 * lane + k]).toBe(one.first[lane]);
      expect(table.second[4 * lane + k]).toBe(one.second[lane]);
    }
  }
});

test("numbers are written in 32 bytes, little-endian", () => {
  const bytes = new Uint8Array(96).fill(255);
  writeNumber(bytes, 32, r - 1n);
  expect(bytes).toEqual(
    Uint8Array.from([...new Uint8Array(32).fill(255), ...bytesOf([r - 1n]), ...new Uint8Array(32).fill(255)]),
  );
});
