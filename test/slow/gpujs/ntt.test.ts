import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import type { Transform } from "../../../src/prover/backend.js";
import { Products } from "../../../src/prover/gpujs/field.js";
import { GpuJsDevice, type Handle } from "../../../src/prover/gpujs/gpu.js";
import { alpha, extend, type KernelSource, PRODUCT, pointwise, xi, zeta } from "../../../src/prover/gpujs/kernels.js";
import { Domain } from "../../../src/prover/gpujs/ntt.js";
import { CONSTANTS, FIRST, LANES, M, N, type Residues, SECOND } from "../../../src/prover/gpujs/rns.js";
import { bytesOf, scalarStream, valuesOf, witnessLike } from "../../support/conformance.js";
import { naivelyTransformed, transformed } from "../../support/transforms.js";

const r = FR_MODULUS;
const mod = (x: bigint, m: bigint) => ((x % m) + m) % m;
const modulo = (x: number, p: number) => ((x % p) + p) % p;
const numbersOf = (n: number, seed: bigint) => {
  const random = scalarStream(seed);
  return Array.from({ length: n }, () => random.next().value);
};

const single = await GpuJsDevice.open({ mode: "webasm", threads: false });
const threaded = await GpuJsDevice.open({ mode: "webasm" });
afterAll(async () => {
  await single.close();
  await threaded.close();
});

describe("products", () => {
  const N_PRODUCTS = 512;
  const products = new Products(threaded, N_PRODUCTS);
  const edge = fc.constantFrom(0n, 1n, 2n, r - 1n, r - 2n, (r - 1n) / 2n, (r + 1n) / 2n, M % r, N % r);
  const number = fc.oneof(edge, fc.bigInt({ min: 0n, max: r - 1n }));

  test("are those of bigints", async () => {
    const numbers = fc.array(number, { minLength: N_PRODUCTS, maxLength: N_PRODUCTS });
    await fc.assert(
      fc.asyncProperty(numbers, numbers, async (x, y) => {
        const result = valuesOf(await products.multiply(bytesOf(x), bytesOf(y)));
        expect(result).toEqual(x.map((a, i) => (a * y[i]!) % r));
      }),
      { numRuns: 3 },
    );
    expect(threaded.details).toEqual({
      mode: "webasm",
      threads: true,
      executor: "fused-threaded",
      backend: "webasm",
    });
  });
});

/** What kernels make of residues that are as large as they may be. */
describe("kernels at their bounds", () => {
  /** Numbers. */
  const width = 2 * LANES;
  const largest = (p: number) => Math.floor(0.51 * p);
  const run = async (kernel: KernelSource, ...args: Float32Array[]) => {
    const plan = single.plan({ kernel }, args.length, ({ kernel: made }, handles: Handle[]) => [made!(...handles)]);
    const [rows] = await plan.run(
      ...args.map((data) => (data.length === width ? single.input(data, width) : single.numbers(data))),
    );
    await plan.destroy();
    return rows!;
  };
  /** Of numbers 2i and 2i + 1 every lane is of the signs of row i, or of the opposite ones: no sum is larger. */
  const extremes = (matrix: Float32Array, primes: readonly number[]) =>
    Float32Array.from({ length: LANES * width }, (_, at) => {
      const [lane, n] = [Math.floor(at / width), at % width];
      const coefficient = matrix[(n >> 1) * LANES + lane]!;
      return (coefficient < 0 ? -1 : 1) * (n % 2 === 0 ? 1 : -1) * largest(primes[lane]!);
    });
  const corners = (primes: readonly number[]) =>
    Float32Array.from({ length: LANES * width }, (_, at) => {
      const [lane, n] = [Math.floor(at / width), at % width];
      return ((n >> 2) % 2 === 0 ? 1 : -1) * largest(primes[lane]!);
    });
  const expectRows = (
    rows: readonly Float32Array[],
    primes: readonly number[],
    exact: (lane: number, n: number) => number,
  ) => {
    for (const [lane, p] of primes.entries()) {
      for (let n = 0; n < width; n++) {
        const got = rows[lane]![n]!;
        expect(Math.abs(got)).toBeLessThanOrEqual(0.51 * p);
        expect(modulo(got, p), `lane ${lane}, number ${n}`).toBe(modulo(exact(lane, n), p));
      }
    }
  };
  const dot = (matrix: Float32Array, lane: number, values: Float32Array, n: number) => {
    let sum = 0;
    for (let k = 0; k < LANES; k++) sum += matrix[lane * LANES + k]! * values[k * width + n]!;
    return sum;
  };

  test("step 1", async () => {
    const x = corners(FIRST);
    const y = x.map((value, i) => (i % 3 === 0 ? -value : value));
    const rows = await run(xi(PRODUCT, width), x, y);
    expectRows(rows, FIRST, (lane, n) => {
      const [a, b] = [x[lane * width + n]!, y[lane * width + n]!];
      return modulo(a * b, FIRST[lane]!) * CONSTANTS.product1[lane]!;
    });
  });

  test("step 2, of two numbers and of a number and a constant", async () => {
    const sums = extremes(CONSTANTS.extension1, FIRST);
    const x = corners(SECOND);
    const constant: Residues = {
      first: Float32Array.from(FIRST, (p) => (p - 1) / 2),
      second: Float32Array.from(SECOND, (q) => (q - 1) / 2),
    };
    expectRows(await run(zeta(PRODUCT, width), sums, x, x), SECOND, (lane, n) => {
      const q = SECOND[lane]!;
      const product = modulo(x[lane * width + n]! ** 2, q) * CONSTANTS.product2[lane]!;
      return modulo(product, q) + dot(CONSTANTS.extension1, lane, sums, n);
    });
    const scaled = await run(zeta(pointwise(constant, width, 1, false), width), sums, x);
    expectRows(scaled, SECOND, (lane, n) => {
      return x[lane * width + n]! * constant.second[lane]! + dot(CONSTANTS.extension1, lane, sums, n);
    });
  });

  test("step 3", async () => {
    // Σ ζ_j/q_j next to integers: u/N of ±1/21, and all lanes at once
    const numbers = [...Array(width - 2).keys()].map((k) => (k % 2 === 0 ? 1n : -1n) * (N / BigInt(22 + k)));
    const digits = new Float32Array(LANES * width);
    const wanted = new Float32Array(width);
    for (let n = 0; n < width; n++) {
      let total = 0n;
      for (const [lane, q] of SECOND.entries()) {
        const cofactor = N / BigInt(q);
        let digit: number;
        if (n >= numbers.length) digit = (n % 2 === 0 ? 1 : -1) * largest(q);
        else {
          // the inverse of the cofactor by search: q is small
          const residue = Number(mod(numbers[n]!, BigInt(q)));
          const c = Number(mod(cofactor, BigInt(q)));
          digit = 0;
          while (modulo(digit * c, q) !== residue) digit++;
          if (2 * digit > q) digit -= q;
        }
        digits[lane * width + n] = digit;
        total += BigInt(digit) * cofactor;
      }
      wanted[n] =
        n >= numbers.length
          ? Number(total / N) + Math.sign(digits[n]!) * (mod(total, N) > N / 2n ? 1 : 0)
          : Number((total - numbers[n]!) / N);
    }
    const [got] = await run(alpha(width), digits);
    expect([...got!.subarray(0, numbers.length)]).toEqual([...wanted.subarray(0, numbers.length)]);
    for (const n of [width - 2, width - 1]) expect(Math.abs(got![n]!)).toBe(12);
  });

  test("step 4", async () => {
    const sums = extremes(CONSTANTS.extension2, SECOND);
    const alphas = Float32Array.from({ length: width }, (_, n) => (n % 2 === 0 ? 13 : -13));
    const rows = await run(extend(width), sums, alphas);
    expectRows(rows, FIRST, (lane, n) => {
      return alphas[n]! * CONSTANTS.overflow[lane]! + dot(CONSTANTS.extension2, lane, sums, n);
    });
  });
});

describe.each(["forward", "inverse", "coset"] as const)("transform %s", (transform: Transform) => {
  test.each([1, 2, 4])("of 2^%i values is its definition", async (power) => {
    const values = numbersOf(2 ** power, BigInt(power));
    values.splice(0, 2, r - 1n, 0n);
    const domain = new Domain(single, power);
    expect(valuesOf(await domain.transform(bytesOf(values), transform))).toEqual(naivelyTransformed(values, transform));
    await domain.free();
  });

  test.each([
    [8, single],
    [10, threaded],
  ] as const)("of 2^%i values", async (power, device) => {
    const domain = new Domain(device, power);
    for (const values of [witnessLike(2 ** power, 5n), new Array<bigint>(2 ** power).fill(r - 1n)]) {
      expect(valuesOf(await domain.transform(bytesOf(values), transform))).toEqual(transformed(values, transform));
    }
    await domain.free();
  });

  test("in pieces of a few products each", async () => {
    const values = numbersOf(2 ** 5, 3n);
    for (const piece of [1, 40]) {
      const domain = new Domain(single, 5, piece);
      let pauses = 0;
      const pause = async () => {
        pauses++;
      };
      expect(valuesOf(await domain.transform(bytesOf(values), transform, pause))).toEqual(
        transformed(values, transform),
      );
      expect(pauses).toBeGreaterThan(0);
      await domain.free();
    }
  });
});

describe("the quotient's values", () => {
  const quotient = (a: readonly bigint[], b: readonly bigint[]) => {
    const c = a.map((x, i) => (x * b[i]!) % r);
    const [onA, onB, onC] = [a, b, c].map((values) => transformed(values, "coset"));
    return onA!.map((x, i) => mod(x * onB![i]! - onC![i]!, r));
  };

  test.each([
    [1, single],
    [3, single],
    [8, threaded],
  ] as const)("on a domain of 2^%i points", async (power, device) => {
    const n = 2 ** power;
    const domain = new Domain(device, power);
    for (const [a, b] of [
      [witnessLike(n, 1n), witnessLike(n, 2n)],
      [new Array<bigint>(n).fill(r - 1n), numbersOf(n, 3n)],
      [new Array<bigint>(n).fill(0n), numbersOf(n, 3n)],
    ] as const) {
      expect(valuesOf(await domain.quotient(bytesOf(a), bytesOf(b)))).toEqual(quotient(a, b));
    }
    await domain.free();
  });
});

test("plans give their memory back", async () => {
  const before = single.memory;
  const domain = new Domain(single, 4);
  await domain.transform(bytesOf(numbersOf(16, 1n)), "forward");
  expect(single.memory).toBeGreaterThan(before + 2 * 16 * LANES * 4);
  await domain.free();
  await domain.free();
  expect(single.memory).toBe(before);
});
