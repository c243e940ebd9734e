/**
 * What every backend has to do: one suite, against bigints and discrete logarithms that are known.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bigintToBytesLE, encodeG1, encodeG2, FR_MODULUS, readBigintLE } from "../../src/formats/bn254.js";
import type {
  Backend,
  BackendName,
  BaseSource,
  ConstraintSource,
  Group,
  MatrixSource,
  Transform,
} from "../../src/prover/backend.js";
import { powMod, rootOfUnity } from "../../src/prover/wasm/constants.js";

const R = FR_MODULUS;
const mod = (a: bigint) => ((a % R) + R) % R;

/** Reproducible numbers below r. */
export function* scalarStream(seed: bigint): Generator<bigint, never> {
  let state = seed;
  for (;;) {
    state = mod(state * state + 0x9e3779b97f4a7c15n);
    yield state;
  }
}

export const bytesOf = (values: readonly bigint[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 32);
  values.forEach((value, i) => {
    bytes.set(bigintToBytesLE(value, 32), i * 32);
  });
  return bytes;
};

export const valuesOf = (bytes: Uint8Array): bigint[] =>
  Array.from({ length: bytes.length / 32 }, (_, i) => readBigintLE(bytes, i * 32, 32));

/** k·G for each k, as a source of bases. */
export function basesOf(group: Group, logs: readonly bigint[], index?: readonly number[]): BaseSource {
  const point = (k: bigint): Uint8Array => {
    if (group === "g1") return encodeG1(bn254.G1.Point.BASE.multiply(k).toAffine());
    return encodeG2(bn254.G2.Point.BASE.multiply(k).toAffine());
  };
  const known = new Map<bigint, Uint8Array>();
  const bytes = logs.map((k) => {
    if (!known.has(k)) known.set(k, point(k));
    return known.get(k)!;
  });
  return {
    group,
    count: logs.length,
    index: index === undefined ? undefined : Uint32Array.from(index),
    read: async (from, to) => Uint8Array.from(bytes.slice(from, to).flatMap((b) => [...b])),
  };
}

/** The generator times a number; infinity is (0, 0). */
export function timesGenerator(group: Group, k: bigint): unknown {
  const scalar = mod(k);
  if (scalar === 0n) return group === "g1" ? { x: 0n, y: 0n } : { x: { c0: 0n, c1: 0n }, y: { c0: 0n, c1: 0n } };
  return (group === "g1" ? bn254.G1 : bn254.G2).Point.BASE.multiply(scalar).toAffine();
}

/** Σ a_j·x^j. */
const evaluate = (a: readonly bigint[], x: bigint): bigint => a.reduceRight((sum, c) => mod(sum * x + c), 0n);

/** A transform by its definition. */
export function naiveTransform(values: readonly bigint[], transform: Transform): bigint[] {
  const n = values.length;
  const power = Math.log2(n);
  const root = rootOfUnity(power);
  const points = (first: bigint) => values.map((_, i) => mod(first * powMod(root, BigInt(i), R)));
  if (transform === "forward") return points(1n).map((x) => evaluate(values, x));
  const inverseN = powMod(BigInt(n), R - 2n, R);
  const coefficients = points(1n).map((x) => mod(evaluate(values, powMod(x, R - 2n, R)) * inverseN));
  if (transform === "inverse") return coefficients;
  return points(rootOfUnity(power + 1)).map((x) => evaluate(coefficients, x));
}

/** A matrix as rows of (wire, coefficient). */
export type Rows = readonly (readonly (readonly [wire: number, coefficient: bigint])[])[];

const matrixOf = (rows: Rows): MatrixSource => {
  const entries = rows.flat();
  const offsets = new Uint32Array(rows.length + 1);
  rows.forEach((row, i) => {
    offsets[i + 1] = offsets[i]! + row.length;
  });
  const factor = powMod(2n, 512n, R);
  return {
    offsets,
    wires: Uint32Array.from(entries.map(([wire]) => wire)),
    coefficients: async (from, to) => bytesOf(entries.slice(from, to).map(([, c]) => mod(c * factor))),
  };
};

export const constraintsOf = (power: number, nVars: number, a: Rows, b: Rows): ConstraintSource => ({
  power,
  nVars,
  a: matrixOf(a),
  b: matrixOf(b),
});

const product = (rows: Rows, witness: readonly bigint[]): bigint[] =>
  rows.map((row) => mod(row.reduce((sum, [wire, c]) => sum + c * witness[wire]!, 0n)));

/** The scalars of the H bases by their definition. */
export function naiveQuotient(a: Rows, b: Rows, witness: readonly bigint[]): bigint[] {
  const [onA, onB] = [product(a, witness), product(b, witness)];
  const onC = onA.map((x, i) => mod(x * onB[i]!));
  const [x, y, z] = [onA, onB, onC].map((values) => naiveTransform(values, "coset"));
  return x!.map((value, i) => mod(value * y![i]! - z![i]!));
}

/** Rows of all kinds: empty, short, one long, coefficients at the edges. */
export function someRows(power: number, nVars: number, seed: bigint): Rows {
  const random = scalarStream(seed);
  const next = () => random.next().value;
  return Array.from({ length: 2 ** power }, (_, i) => {
    const length = i === 1 ? 40 : Number(next() % 4n);
    return Array.from({ length }, () => {
      const edge = [1n, R - 1n, 0n, next()][Number(next() % 4n)]!;
      return [Number(next() % BigInt(nVars)), edge] as const;
    });
  });
}

const EDGES = [0n, 1n, 2n, R - 1n, R - 2n, (R - 1n) / 2n, 1n << 127n, (1n << 128n) - 1n, 1n << 253n];

/** Scalars as witnesses have them: mostly small, some large, some at the edges. */
export function witnessLike(n: number, seed: bigint): bigint[] {
  const random = scalarStream(seed);
  return Array.from({ length: n }, (_, i) => {
    const value = random.next().value;
    if (i < EDGES.length) return EDGES[i]!;
    return [0n, 1n, value % 256n, R - (value % 256n) - 1n, value][Number(random.next().value % 5n)]!;
  });
}

/**
 * Declares the suite for a backend.
 *
 * @param skip whether it cannot run here; whoever calls says why.
 */
export function describeBackend(title: string, name: BackendName, skip: boolean, open: () => Promise<Backend>): void {
  describe.skipIf(skip)(title, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open();
    });
    afterAll(() => backend.close());

    test("says what it is", () => {
      const info = backend.info();
      expect(backend.name).toBe(name);
      expect(info.backend).toBe(name);
      expect(info.device).not.toBe("");
      expect(info.native).toContain("quotient");
      expect(info.memory).toBeGreaterThanOrEqual(0);
    });

    test("scalars come back as they were put", async () => {
      const values = bytesOf(witnessLike(300, 1n));
      const scalars = await backend.putScalars(values);
      expect(scalars.length).toBe(300);
      expect(await backend.readScalars(scalars)).toEqual(values);
      scalars.free();
      scalars.free();
    });

    describe.each(["g1", "g2"] as const)("sums in %s", (group) => {
      const sum = async (source: BaseSource, scalars: readonly bigint[]) => {
        const bases = await backend.putBases(source);
        const values = await backend.putScalars(bytesOf(scalars));
        try {
          expect(bases.group).toBe(group);
          expect(bases.count).toBe(source.count);
          return await backend.msm(bases, values);
        } finally {
          bases.free();
          values.free();
        }
      };
      const expected = (logs: readonly bigint[], scalars: readonly bigint[]) =>
        timesGenerator(
          group,
          logs.reduce((total, k, i) => total + k * scalars[i]!, 0n),
        );
      const sizes = group === "g1" ? [1, 2, 63, 300] : [1, 2, 130];

      test.each(sizes)("of %i bases and scalars as in a witness", async (n) => {
        const random = scalarStream(BigInt(n));
        const logs = Array.from({ length: n }, () => random.next().value);
        const scalars = witnessLike(n, 7n);
        expect(await sum(basesOf(group, logs), scalars)).toEqual(expected(logs, scalars));
      });

      test("of equal and opposite bases", async () => {
        const logs = [5n, 5n, 5n, R - 5n, 5n, R - 5n, 1n, 1n, R - 1n, 2n, 2n, 4n];
        for (const scalars of [
          logs.map(() => 1n),
          logs.map(() => R - 1n),
          logs.map((_, i) => BigInt(i + 1)),
          logs.map((_, i) => (i % 2 === 0 ? 3n : R - 3n)),
          logs.map(() => 0x123456789abcdef0123456789abcdefn),
        ]) {
          expect(await sum(basesOf(group, logs), scalars)).toEqual(expected(logs, scalars));
        }
      });

      test("that are infinity", async () => {
        const zero = timesGenerator(group, 0n);
        expect(await sum(basesOf(group, [3n, 9n]), [0n, 0n])).toEqual(zero);
        expect(await sum(basesOf(group, [3n, 9n]), [R - 3n, 1n])).toEqual(zero);
        expect(await sum(basesOf(group, []), [1n])).toEqual(zero);
      });

      test("of bases that belong to some of the scalars", async () => {
        const logs = [2n, 3n, 11n];
        const index = [1, 4, 5];
        const scalars = [R - 1n, 7n, 1n, 1n, 13n, R - 1n, 1n];
        const total = logs.reduce((all, k, i) => all + k * scalars[index[i]!]!, 0n);
        expect(await sum(basesOf(group, logs, index), scalars)).toEqual(timesGenerator(group, total));
        await expect(sum(basesOf(group, logs, index), scalars.slice(0, 5))).rejects.toThrow(TypeError);
      });
    });

    describe.each(["forward", "inverse", "coset"] as const)("transform %s", (transform) => {
      test.each([1, 2, 3, 6, 8])("of 2^%i values", async (power) => {
        const random = scalarStream(BigInt(power));
        const values = Array.from({ length: 2 ** power }, () => random.next().value);
        values.splice(0, 2, R - 1n, 0n);
        const scalars = await backend.putScalars(bytesOf(values));
        const result = await backend.ntt(scalars, transform);
        expect(valuesOf(await backend.readScalars(result))).toEqual(naiveTransform(values, transform));
        // the input is left as it was
        expect(valuesOf(await backend.readScalars(scalars))).toEqual(values);
        for (const set of [scalars, result]) set.free();
      });
    });

    test("transforms undo each other, larger", async () => {
      const values = bytesOf(witnessLike(2 ** 11, 3n));
      const scalars = await backend.putScalars(values);
      const there = await backend.ntt(scalars, "forward");
      const back = await backend.ntt(there, "inverse");
      expect(await backend.readScalars(back)).toEqual(values);
      expect(await backend.readScalars(there)).not.toEqual(values);
      for (const set of [scalars, there, back]) set.free();
    });

    test("refuses lengths that are no domain", async () => {
      const scalars = await backend.putScalars(bytesOf([1n, 2n, 3n]));
      await expect(backend.ntt(scalars, "forward")).rejects.toThrow(TypeError);
      scalars.free();
    });

    test.each([1, 3, 7])("the quotient on a domain of 2^%i points", async (power) => {
      const nVars = 50;
      const [a, b] = [someRows(power, nVars, 5n), someRows(power, nVars, 6n)];
      const witness = [1n, ...witnessLike(nVars - 1, 8n)];
      const constraints = await backend.putConstraints(constraintsOf(power, nVars, a, b));
      expect([constraints.power, constraints.nVars]).toEqual([power, nVars]);
      const scalars = await backend.putScalars(bytesOf(witness));
      const quotient = await backend.quotient(constraints, scalars);
      expect(valuesOf(await backend.readScalars(quotient))).toEqual(naiveQuotient(a, b, witness));
      const short = await backend.putScalars(bytesOf(witness.slice(1)));
      await expect(backend.quotient(constraints, short)).rejects.toMatchObject({ code: "WITNESS_LENGTH" });
      for (const set of [constraints, scalars, quotient, short]) set.free();
    });

    test("a quotient's scalars can be summed where they are", async () => {
      const power = 5;
      const [a, b] = [someRows(power, 9, 1n), someRows(power, 9, 2n)];
      const witness = [1n, ...witnessLike(8, 4n)];
      const logs = Array.from({ length: 2 ** power }, (_, i) => BigInt(i + 2));
      const constraints = await backend.putConstraints(constraintsOf(power, 9, a, b));
      const bases = await backend.putBases(basesOf("g1", logs));
      const scalars = await backend.putScalars(bytesOf(witness));
      const quotient = await backend.quotient(constraints, scalars);
      const total = naiveQuotient(a, b, witness).reduce((sum, h, i) => sum + h * logs[i]!, 0n);
      expect(await backend.msm(bases, quotient)).toEqual(timesGenerator("g1", total));
      for (const set of [constraints, bases, scalars, quotient]) set.free();
    });

    test("takes several pieces of work at once", async () => {
      const logs = [3n, 5n, 7n];
      const bases = await backend.putBases(basesOf("g1", logs));
      const results = await Promise.all(
        [1n, 2n, 3n, 4n].map(async (k) => {
          const scalars = await backend.putScalars(bytesOf([k, k, k]));
          try {
            return await backend.msm(bases, scalars);
          } finally {
            scalars.free();
          }
        }),
      );
      expect(results).toEqual([1n, 2n, 3n, 4n].map((k) => timesGenerator("g1", 15n * k)));
      bases.free();
    });

    test("an abort ends work with its reason, and the next works", async () => {
      const scalars = await backend.putScalars(bytesOf(witnessLike(2 ** 8, 9n)));
      const reason = new Error("enough");
      await expect(backend.ntt(scalars, "coset", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const result = await backend.ntt(scalars, "coset");
      expect(result.length).toBe(2 ** 8);
      for (const set of [scalars, result]) set.free();
    });

    test("what a source throws comes through", async () => {
      const reason = new Error("unreadable");
      const source = { ...basesOf("g1", [1n, 2n]), read: () => Promise.reject(reason) };
      await expect(backend.putBases(source)).rejects.toBe(reason);
    });

    test("refuses what belongs to another backend", async () => {
      const other = await open();
      try {
        const stranger = { length: 4, free: () => {} };
        await expect(async () => backend.readScalars(stranger)).rejects.toThrow(TypeError);
        await expect(async () => backend.ntt(stranger, "forward")).rejects.toThrow(TypeError);
      } finally {
        await other.close();
        await other.close();
      }
      await expect(other.putScalars(bytesOf([1n]))).rejects.toMatchObject({ code: "BACKEND_CLOSED" });
      expect(other.info().backend).toBe(name);
    });
  });
}
