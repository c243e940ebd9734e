/**
 * What gpu.js compiles: kernels of residues, see `rns.ts` for the steps they take and why they are exact.
 *
 * The sources are strings, since gpu.js reads the text of a function, which compilers, minifiers and coverage tools change.
 *
 * A thread computes one residue of one number: lane z of number x. Arrays of numbers are [lane][0][number], for gpu.js gives
 * WebGL a texture of the same sides as an array of two dimensions, which may be too long, and a square one for three.
 *
 * There are no helper functions in them (gpu.js' WebAssembly would call these lane by lane), no division, and no numbers as
 * arguments: to gpu.js a whole number is of another type than others, and it compiles a kernel again for each place of an argument.
 *
 * @module
 */

import { CONSTANTS, LANES, type Residues } from "./rns.js";

/** What a kernel computes, from arguments that it names itself. */
export interface KernelSource {
  readonly source: string;
  /** Arrays by name: of one dimension, or rows of `width` values. */
  readonly constants: Readonly<Record<string, { readonly data: Float32Array; readonly width: number }>>;
  readonly output: readonly number[];
}

/** The size of an array of n numbers. */
export const shape = (n: number): number[] => [n, 1, LANES];

const vector = (data: Float32Array) => ({ data, width: data.length });
const square = (data: Float32Array) => ({ data, width: LANES });

const LANE = "this.thread.z";
/** A float must stay one in every shading language. */
const float = (x: number) => (Number.isInteger(x) ? `${x}.0` : String(x));

/** Statements that reduce the variable `x` modulo the lane's prime. */
const reduce = (x: string) =>
  `${x} = ${x} - this.constants.primes[${LANE}] * Math.floor(${x} * this.constants.inverses[${LANE}] + 0.5);`;

const modulo1 = { primes: vector(CONSTANTS.primes1), inverses: vector(CONSTANTS.inverses1) };
const modulo2 = { primes: vector(CONSTANTS.primes2), inverses: vector(CONSTANTS.inverses2) };

/** The sum of twelve products of an array's lanes and the matrix. */
const dot = (from: number, array: string) =>
  Array.from(
    { length: LANES / 2 },
    (_, k) => `this.constants.matrix[${LANE}][${from + k}] * ${array}[${from + k}][0][this.thread.x]`,
  ).join("\n + ");

/** What a product multiplies: expressions, and what has to be computed before them. */
export interface Product {
  readonly parameters: string;
  readonly prepare: string;
  readonly left: string;
  readonly right: string;
  /** The factor's residues as far as they are constant. */
  readonly factor: Residues;
  /** Numbers of which the factor has residues. */
  readonly width: number;
  /** Whether `left` is a product already. */
  readonly double?: boolean;
}

/** A product with a table of factors or with one factor, of numbers 0 to n - 1 or 0, n - 1, … 1. */
export function pointwise(factor: Residues, n: number, width: number, negate: boolean): Product {
  return {
    parameters: "x",
    prepare: negate
      ? `const i = ${float(n)} - this.thread.x - ${float(n)} * Math.floor((${float(n)} - this.thread.x) * ${float(1 / n)});`
      : "const i = this.thread.x;",
    left: `x[${LANE}][0][i]`,
    right: width === 1 ? `this.constants.factor[${LANE}]` : `this.constants.factor[${LANE}][this.thread.x]`,
    factor,
    width,
  };
}

/** The product of two arrays, divided by M. */
export const PRODUCT: Product = {
  parameters: "x, y",
  prepare: "",
  left: `x[${LANE}][0][this.thread.x] * y[${LANE}][0][this.thread.x]`,
  right: `this.constants.factor[${LANE}]`,
  factor: { first: CONSTANTS.product1, second: CONSTANTS.product2 },
  width: 1,
  double: true,
};

/**
 * The product of a layer of a transform: x_b·ω^(s·floor(t/s)), t < n/2. `stride` is [s, 1/s].
 *
 * @param twiddles ω^k, k < n/2.
 */
export function butterflyProduct(twiddles: Residues, n: number): Product {
  return {
    parameters: "x, stride",
    prepare: "const base = stride[0] * Math.floor(this.thread.x * stride[1]);",
    left: `x[${LANE}][0][this.thread.x + base + stride[0]]`,
    right: `this.constants.factor[${LANE}][base]`,
    factor: twiddles,
    width: n / 2,
  };
}

const factorOf = (data: Float32Array, width: number) => ({ factor: { data, width: width === 1 ? LANES : width } });

/** Step 1: ξ. */
export function xi(product: Product, n: number): KernelSource {
  const { parameters, prepare, left, right, factor, width, double = false } = product;
  return {
    source: `function (${parameters}) {
      ${prepare}
      let v = ${left};
      ${double ? reduce("v") : ""}
      v = v * ${right};
      ${reduce("v")}
      return v;
    }`,
    constants: { ...modulo1, ...factorOf(factor.first, width) },
    output: shape(n),
  };
}

/** Step 2: ζ, from ξ and the operands in the second base. */
export function zeta(product: Product, n: number): KernelSource {
  const { parameters, prepare, left, right, factor, width, double = false } = product;
  return {
    source: `function (xi, ${parameters}) {
      ${prepare}
      let v = ${left};
      ${double ? reduce("v") : ""}
      let sum = ${dot(0, "xi")};
      ${reduce("sum")}
      sum = sum + v * ${right} + ${dot(LANES / 2, "xi")};
      ${reduce("sum")}
      return sum;
    }`,
    constants: { ...modulo2, matrix: square(CONSTANTS.extension1), ...factorOf(factor.second, width) },
    output: shape(n),
  };
}

/** Step 3: α, one a number. */
export function alpha(n: number): KernelSource {
  const terms = Array.from({ length: LANES }, (_, j) => `zeta[${j}][0][this.thread.x] * this.constants.inverses[${j}]`);
  return {
    source: `function (zeta) {
      return Math.floor(0.5 + ${terms.join("\n + ")});
    }`,
    constants: { inverses: vector(CONSTANTS.inverses2) },
    output: [n],
  };
}

/** Step 4: from the second base to the first. */
export function extend(n: number): KernelSource {
  return {
    source: `function (zeta, alpha) {
      let sum = ${dot(0, "zeta")};
      ${reduce("sum")}
      sum = sum + alpha[this.thread.x] * this.constants.overflow[${LANE}] + ${dot(LANES / 2, "zeta")};
      ${reduce("sum")}
      return sum;
    }`,
    constants: { ...modulo1, matrix: square(CONSTANTS.extension2), overflow: vector(CONSTANTS.overflow) },
    output: shape(n),
  };
}

export type Base = "first" | "second";
const modulo = (base: Base) => (base === "first" ? modulo1 : modulo2);

/** The first layer of a transform, which has no factors: x_t ± x_(t + n/2) at t and t + n/2. */
export function firstButterfly(base: Base, n: number): KernelSource {
  return {
    source: `function (x) {
      const odd = Math.floor(this.thread.x * ${float(2 / n)});
      const t = this.thread.x - odd * ${float(n / 2)};
      let sum = x[${LANE}][0][t] + (1.0 - 2.0 * odd) * x[${LANE}][0][t + ${float(n / 2)}];
      ${reduce("sum")}
      return sum;
    }`,
    constants: modulo(base),
    output: shape(n),
  };
}

/** Another layer: x_a ± y_t at t and t + n/2, where x_a lies s before what y_t is a product of. */
export function butterfly(base: Base, n: number): KernelSource {
  return {
    source: `function (x, y, stride) {
      const odd = Math.floor(this.thread.x * ${float(2 / n)});
      const t = this.thread.x - odd * ${float(n / 2)};
      const base = stride[0] * Math.floor(t * stride[1]);
      let sum = x[${LANE}][0][t + base] + (1.0 - 2.0 * odd) * y[${LANE}][0][t];
      ${reduce("sum")}
      return sum;
    }`,
    constants: modulo(base),
    output: shape(n),
  };
}

/** [s, 1/s] of the next layer: [s/2, 2/s]. Two passes' worth of data, so that all layers run the same kernels. */
export const NEXT_STRIDE: KernelSource = {
  source: `function (stride) {
    return stride[this.thread.x] * (0.5 + 1.5 * this.thread.x);
  }`,
  constants: {},
  output: [2],
};

/** x - y in the second base. */
export function difference(n: number): KernelSource {
  return {
    source: `function (x, y) {
      let sum = x[${LANE}][0][this.thread.x] - y[${LANE}][0][this.thread.x];
      ${reduce("sum")}
      return sum;
    }`,
    constants: modulo2,
    output: shape(n),
  };
}
