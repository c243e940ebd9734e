/**
 * Keys computed straight from the definition with BigInt and noble, and small circuits to compare them on.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { bigintToBytesLE, encodeG1, encodeG2, FR_MODULUS as R } from "../../../src/formats/bn254.js";
import { type SparseMatrix, writeR1cs } from "../../../src/formats/r1cs.js";
import { writeWtns } from "../../../src/formats/wtns.js";
import type { Trapdoors } from "../../../src/setup/trapdoors.js";
import { scalar } from "../../support/arbitraries.js";
import { splitContainer } from "../../support/containers.js";

/** Coefficient of a wire. */
export type Term = readonly [wire: number, coefficient: bigint];

export interface Circuit {
  nOutputs: number;
  nPubInputs: number;
  nWires: number;
  /** (A · w)(B · w) = C · w. */
  constraints: { a: Term[]; b: Term[]; c: Term[] }[];
}

const { Fr } = bn254.fields;

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

/** The circuit as an r1cs file. */
export function r1csOf({ nOutputs, nPubInputs, nWires, constraints }: Circuit): Uint8Array {
  const matrix = (m: "a" | "b" | "c"): SparseMatrix => {
    const terms = constraints.flatMap((row) => row[m]);
    let end = 0;
    return {
      rowOffsets: Uint32Array.from([0, ...constraints.map((row) => (end += row[m].length))]),
      wires: Uint32Array.from(terms, ([wire]) => wire),
      coefficients: concat(terms.map(([, value]) => bigintToBytesLE(value, 32))),
    };
  };
  const nPrvInputs = nWires - 1 - nOutputs - nPubInputs;
  const [a, b, c] = [matrix("a"), matrix("b"), matrix("c")];
  return writeR1cs({ nWires, nOutputs, nPubInputs, nPrvInputs, nLabels: nWires, a, b, c });
}

/** Values as a witness file. */
export function wtnsOf(values: readonly bigint[]): Uint8Array {
  return writeWtns(concat(values.map((value) => bigintToBytesLE(value, 32))));
}

/** Discrete logarithms of the points of a key, and section 4 without its count. */
export interface ReferenceKey {
  domainSize: number;
  ic: bigint[];
  a: bigint[];
  b: bigint[];
  c: bigint[];
  h: bigint[];
  coefs: Uint8Array;
}

/** `L_i(τ)` on the powers of the root of order n that snarkjs uses. */
function lagrange(n: number, tau: bigint): (i: number) => bigint {
  const root = Fr.pow(5n, (R - 1n) / BigInt(n));
  if (n > 64) {
    const factor = Fr.div(Fr.sub(Fr.pow(tau, BigInt(n)), 1n), BigInt(n));
    return (i) => {
      const x = Fr.pow(root, BigInt(i));
      return Fr.mul(factor, Fr.div(x, Fr.sub(tau, x)));
    };
  }
  // the definition
  const points = Array.from({ length: n }, (_, i) => Fr.pow(root, BigInt(i)));
  return (i) =>
    points.reduce(
      (product, x, j) => (j === i ? product : Fr.mul(product, Fr.div(Fr.sub(tau, x), Fr.sub(points[i]!, x)))),
      1n,
    );
}

/** The key for these trapdoors. */
export function referenceKey(
  { nOutputs, nPubInputs, nWires, constraints }: Circuit,
  trapdoors: Trapdoors,
): ReferenceKey {
  const { tau, alpha, beta, delta } = trapdoors;
  const nPublic = nOutputs + nPubInputs;
  let domainSize = 2;
  while (domainSize < constraints.length + nPublic + 1) domainSize *= 2;
  const atTau = lagrange(domainSize, tau);
  const zero = () => Array.from({ length: nWires }, () => 0n);
  const sums = { a: zero(), b: zero(), c: zero() };
  const records: Buffer[] = [];
  const record = (matrix: number, row: number, [wire, value]: Term) => {
    const bytes = Buffer.alloc(44);
    [matrix, row, wire].forEach((word, i) => {
      bytes.writeUInt32LE(word, 4 * i);
    });
    bytes.set(bigintToBytesLE(Fr.mul(value, Fr.create(1n << 512n)), 32), 12);
    records.push(bytes);
  };
  const rows = [
    ...constraints,
    ...Array.from({ length: nPublic + 1 }, (_, s) => ({ a: [[s, 1n]] as Term[], b: [], c: [] })),
  ];
  rows.forEach((terms, row) => {
    const value = atTau(row);
    for (const m of ["a", "b", "c"] as const) {
      for (const term of terms[m]) {
        const [wire, coefficient] = term;
        sums[m][wire] = Fr.add(sums[m][wire]!, Fr.mul(coefficient, value));
        if (m !== "c") record(m === "a" ? 0 : 1, row, term);
      }
    }
  });
  const combined = sums.a.map((a, i) => Fr.create(beta * a + alpha * sums.b[i]! + sums.c[i]!));
  const odd = lagrange(2 * domainSize, tau);
  return {
    domainSize,
    ic: combined.slice(0, nPublic + 1),
    a: sums.a,
    b: sums.b,
    c: combined.slice(nPublic + 1).map((k) => Fr.div(k, delta)),
    h: Array.from({ length: domainSize }, (_, i) => Fr.div(odd(2 * i + 1), delta)),
    coefs: concat(records),
  };
}

/** [k]G1 as a zkey writes it. */
export function g1Bytes(k: bigint): Uint8Array {
  return k === 0n ? new Uint8Array(64) : encodeG1(bn254.G1.Point.BASE.multiplyUnsafe(k).toAffine());
}

/** [k]G2 as a zkey writes it. */
export function g2Bytes(k: bigint): Uint8Array {
  return k === 0n ? new Uint8Array(128) : encodeG2(bn254.G2.Point.BASE.multiplyUnsafe(k).toAffine());
}

/** Content of the sections of a zkey by id, as Buffers: they print readably when they differ. */
export function sectionsOf(zkey: readonly Uint8Array[]): Map<number, Buffer> {
  return new Map(splitContainer(concat(zkey)).sections.map(({ id, data }) => [id, Buffer.from(data)]));
}

/** Trapdoors that no test should have to explain. */
export const TRAPDOORS: Trapdoors = {
  tau: 0x1234567890abcdef1234567890abcdefn,
  alpha: R - 7n,
  beta: 3n ** 150n % R,
  delta: 5n ** 100n % R,
};

/** Trapdoors that setup takes: small, large, or any. */
export function trapdoors(): fc.Arbitrary<Trapdoors> {
  const value = scalar().filter((k) => k !== 0n);
  return fc
    .record({ tau: value, alpha: value, beta: value, delta: value })
    .filter(({ tau, delta }) => delta !== 1n && delta !== R - 1n && Fr.pow(tau, 32n) !== 1n);
}

/** Circuits with unused wires, empty combinations, wires twice in one, zero coefficients, and any split of the public ones. */
export function circuit(): fc.Arbitrary<Circuit> {
  return fc
    .record({
      nOutputs: fc.integer({ min: 0, max: 2 }),
      nPubInputs: fc.integer({ min: 0, max: 2 }),
      nPrivate: fc.integer({ min: 0, max: 4 }),
    })
    .chain(({ nOutputs, nPubInputs, nPrivate }) => {
      const nWires = 1 + nOutputs + nPubInputs + nPrivate;
      const terms = fc.array(fc.tuple(fc.integer({ min: 0, max: nWires - 1 }), scalar()), { maxLength: 3 });
      const constraints = fc.array(fc.record({ a: terms, b: terms, c: terms }), { maxLength: 6 });
      return constraints.map((rows) => ({ nOutputs, nPubInputs, nWires, constraints: rows }));
    });
}

/** x·y = out, then out·x = 9 hidden behind nothing: one public output, `extra` unused wires at the end. */
export function productCircuit(nOutputs: 0 | 1, extra = 0): Circuit {
  return {
    nOutputs,
    nPubInputs: 0,
    nWires: 4 + extra,
    constraints: [{ a: [[2, 1n]], b: [[3, 1n]], c: [[1, 1n]] }],
  };
}
