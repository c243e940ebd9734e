/** Circuits for the tests of the solver: circom sources, and systems written by hand. @module */

import { bigintToBytesLE, FR_MODULUS, readBigintLE } from "../../../src/formats/bn254.js";
import type { R1cs, SparseMatrix } from "../../../src/formats/r1cs.js";

/** A combination by wire, e.g. `{ 0: 1, 4: -1 }`. */
export type Terms = Readonly<Record<number, number | bigint>>;

/** A constraint system of triples A, B, C; its wires: 1, outputs, inputs, the rest. */
export function system(
  sizes: { nWires: number; nOutputs?: number; nInputs?: number; nPrivate?: number },
  constraints: readonly (readonly [a: Terms, b: Terms, c: Terms])[],
): R1cs {
  const matrix = (side: 0 | 1 | 2): SparseMatrix => {
    const rows = constraints.map((constraint) => Object.entries(constraint[side]));
    const rowOffsets = new Uint32Array(rows.length + 1);
    rows.forEach((row, i) => {
      rowOffsets[i + 1] = rowOffsets[i]! + row.length;
    });
    const terms = rows.flat();
    const coefficients = new Uint8Array(32 * terms.length);
    terms.forEach(([, value], i) => {
      coefficients.set(bigintToBytesLE(residue(BigInt(value)), 32), 32 * i);
    });
    return { rowOffsets, wires: Uint32Array.from(terms, ([wire]) => Number(wire)), coefficients };
  };
  const { nWires, nOutputs = 0, nInputs = 0, nPrivate = 0 } = sizes;
  return {
    name: "system",
    header: {
      nWires,
      nOutputs,
      nPubInputs: nInputs,
      nPrvInputs: nPrivate,
      nLabels: nWires,
      nConstraints: constraints.length,
    },
    a: matrix(0),
    b: matrix(1),
    c: matrix(2),
    wireToLabel: undefined,
  };
}

export function residue(value: bigint): bigint {
  return ((value % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;
}

export function toValues(bytes: Uint8Array): bigint[] {
  return Array.from({ length: bytes.length / 32 }, (_, i) => readBigintLE(bytes, 32 * i, 32));
}

export function toBytes(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * values.length);
  values.forEach((value, i) => {
    bytes.set(bigintToBytesLE(value, 32), 32 * i);
  });
  return bytes;
}

/** The constraints that a witness violates, by the definition. */
export function violated({ header, a, b, c }: R1cs, witness: readonly bigint[]): number[] {
  const value = (m: SparseMatrix, row: number): bigint => {
    let sum = 0n;
    for (let i = m.rowOffsets[row]!; i < m.rowOffsets[row + 1]!; i++) {
      sum += readBigintLE(m.coefficients, 32 * i, 32) * witness[m.wires[i]!]!;
    }
    return sum;
  };
  return Array.from({ length: header.nConstraints }, (_, i) => i).filter(
    (row) => (value(a, row) * value(b, row) - value(c, row)) % FR_MODULUS !== 0n,
  );
}

/** What all circom sources below begin with. */
const GADGETS = `pragma circom 2.2.0;
template Fraction() { signal input alpha, f, m; signal output y; y <-- m / (alpha + f); (alpha + f) * y === m; }
template IsZero() {
  signal input x; signal output z; signal inv;
  inv <-- x != 0 ? 1 / x : 0;
  z <== 1 - x * inv;
  x * z === 0;
}
// z comes from outside
template CheckZero() {
  signal input x, z; signal inv;
  inv <-- x != 0 ? 1 / x : 0;
  x * inv === 1 - z;
  x * z === 0;
}
template Powers(n) { signal input beta; signal output b[n]; b[0] <== 1; for (var i = 1; i < n; i++) b[i] <== b[i-1] * beta; }
`;

/**
 * Rows that share products between messages, as the rows of blocks do: a state taken and given, one entry fetched, a limb
 * in a range, each row's fractions summed up.
 */
export const ROWS = (n: number): string => `${GADGETS}
template Row() {
  signal input alpha, b[9], c[7]; signal output y;
  signal pc <== b[3] * c[1]; signal sp <== b[4] * c[2]; signal gas <== b[5] * c[3]; signal word <== b[6] * c[4];
  signal state <== c[0] + pc + sp + gas + 5 * b[8];
  signal cell <== sp + word + b[8];
  c[6] * (1 - c[6]) === 0;
  component q[5]; for (var i = 0; i < 5; i++) { q[i] = Fraction(); q[i].alpha <== alpha; }
  q[0].f <== state; q[0].m <== c[6];
  q[1].f <== state + 1 + b[3] - 2 * b[4] - 3 * b[5]; q[1].m <== c[6];
  q[2].f <== pc + word + 2 * b[8]; q[2].m <== c[6];
  q[3].f <== 16 * c[0] + cell; q[3].m <== c[6];
  q[4].f <== c[0] - c[5] * (1 << 16); q[4].m <== 1;
  y <== q[1].y - q[0].y + q[2].y + q[3].y + q[4].y;
}
template Main(n) {
  signal output sum; signal input alpha, beta, columns[n][7];
  component p = Powers(9); p.beta <== beta;
  component row[n]; signal sums[n + 1]; sums[0] <== 0;
  for (var i = 0; i < n; i++) {
    row[i] = Row(); row[i].alpha <== alpha; row[i].b <== p.b; row[i].c <== columns[i];
    sums[i + 1] <== sums[i] + row[i].y;
  }
  sum <== sums[n];
}
component main { public [alpha, beta, columns] } = Main(${n});`;

/** is-zero in all its uses: z a wire, a column, in a sum that simplification turns round, in a fraction's denominator. */
export const ZEROS = `${GADGETS}
template Main() {
  signal output sum; signal input alpha, beta, x[4], z;
  component is[3]; for (var i = 0; i < 3; i++) is[i] = IsZero();
  is[0].x <== x[0];
  is[1].x <== x[1] - x[0] - 7;
  // depends on an is-zero and a product
  signal p <== x[2] * is[0].z;
  is[2].x <== 3 * p - x[1];
  component check = CheckZero(); check.x <== x[3] - 5; check.z <== z;
  // one-hot with the rest
  signal none <== 1 - is[0].z - is[1].z;
  signal cost <== 100 * is[1].z + 2900 * none;
  signal powered <== beta * cost;
  component q = Fraction(); q.alpha <== alpha; q.f <== x[0] + powered; q.m <== is[2].z;
  component one = Fraction(); one.alpha <== alpha; one.f <== x[1]; one.m <== 1;
  sum <== q.y - one.y;
}
component main { public [alpha, beta, x, z] } = Main();`;

/** Products, linear signals and outputs; no fractions. */
export const PRODUCTS = `${GADGETS}
template Main() {
  signal output out[3]; signal input a, b, c;
  signal ab <== a * b; signal s <== ab + 3 * c - 4; signal d <== s - 2 * ab; signal e <== s * d;
  out[0] <== e + 1000000007 * a;
  out[1] <== (e - s) * (ab + c + 1);
  out[2] <== a + b;
}
component main { public [a, b, c] } = Main();`;

/** Sums of the same two products: what is left of them is a linear system. */
export const SYSTEM = `${GADGETS}
template Main() {
  signal output sum; signal input alpha, beta, a, b, c, d;
  signal p <== a * b; signal q <== c * d; signal t <== a * d;
  signal f <== p + q + t; signal g <== p - q + 2 * t; signal h <== p + 5 * q - t;
  component r[3]; for (var i = 0; i < 3; i++) { r[i] = Fraction(); r[i].alpha <== alpha; r[i].m <== b; }
  r[0].f <== f; r[1].f <== beta * g; r[2].f <== h + g;
  signal u <== r[0].y + r[1].y; signal v <== r[0].y - 3 * r[1].y + r[2].y;
  signal w <== u * v;
  sum <== w + u + f;
}
component main { public [alpha, beta, a, b, c, d] } = Main();`;
