import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkWitness } from "../../../src/circuits/check.js";
import { SolverError } from "../../../src/circuits/errors.js";
import { planSolver, solve } from "../../../src/circuits/solver.js";
import { FR_MODULUS } from "../../../src/formats/bn254.js";
import { type R1cs, readR1cs } from "../../../src/formats/r1cs.js";
import { closeSnarkjs, compileCircuit } from "../../support/circuits.js";
import { formatErrorOf } from "../../support/errors.js";
import { ROWS, residue, system, toBytes, toValues, violated } from "./systems.js";

let r1cs: R1cs;
let honest: bigint[];

beforeAll(async () => {
  r1cs = await readR1cs((await compileCircuit("solver-rows", ROWS(5), { opts: ["--O2"] })).r1cs);
  const inputs = Array.from({ length: r1cs.header.nPubInputs }, (_, i) => ((i - 2) % 7 === 6 ? 1n : BigInt(i * i + 3)));
  honest = toValues(solve(planSolver(r1cs), inputs));
});

afterAll(closeSnarkjs);

const found = (witness: readonly bigint[], limit?: number) =>
  checkWitness(r1cs, toBytes(witness), limit).map(({ constraint }) => constraint);

describe("checkWitness", () => {
  test("finds nothing in an honest witness", () => {
    expect(violated(r1cs, honest)).toEqual([]);
    expect(found(honest)).toEqual([]);
  });

  test("finds exactly the violated constraints, whichever wire is changed", () => {
    let total = 0;
    for (let wire = 1; wire < honest.length; wire++) {
      const changed = honest.with(wire, residue(honest[wire]! + 1n));
      const expected = violated(r1cs, changed);
      expect(found(changed), `wire ${wire}`).toEqual(expected);
      total += expected.length;
    }
    expect(total).toBeGreaterThan(honest.length);
  });

  test("finds exactly the violated constraints, whatever the witness", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(honest.length - 2), fc.bigInt({ min: 0n, max: FR_MODULUS - 1n })), { maxLength: 6 }),
        (changes) => {
          const witness = [...honest];
          for (const [i, value] of changes) witness[i + 1] = value;
          expect(found(witness)).toEqual(violated(r1cs, witness));
        },
      ),
      { numRuns: 50 },
    );
  });

  test("tells the values and the wires", () => {
    const small = system({ nWires: 4, nInputs: 3 }, [
      [{ 1: 1 }, { 2: 1 }, { 3: 1 }],
      [{ 3: 2, 0: 1, 1: -1 }, { 3: 1 }, { 1: 1 }],
    ]);
    expect(checkWitness(small, toBytes([1n, 5n, 6n, 30n]))).toEqual([
      { constraint: 1, a: 56n, b: 30n, c: 5n, wires: [0, 1, 3] },
    ]);
    expect(checkWitness(small, toBytes([1n, 5n, 6n, 1n]))).toEqual([
      { constraint: 0, a: 5n, b: 6n, c: 1n, wires: [1, 2, 3] },
      { constraint: 1, a: FR_MODULUS - 2n, b: 1n, c: 5n, wires: [0, 1, 3] },
    ]);
  });

  test("stops at the limit", () => {
    const random = honest.map((_, i) => (i === 0 ? 1n : BigInt(i) ** 20n % FR_MODULUS));
    const all = violated(r1cs, random);
    expect(all.length).toBeGreaterThan(20);
    expect(found(random)).toEqual(all);
    expect(found(random, 1)).toEqual(all.slice(0, 1));
    expect(found(random, 13)).toEqual(all.slice(0, 13));
  });

  test("refuses what is no witness of the circuit", async () => {
    for (const bytes of [toBytes(honest.slice(1)), toBytes([...honest, 0n]), toBytes(honest).subarray(1)]) {
      let error: unknown;
      try {
        checkWitness(r1cs, bytes);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(SolverError);
      expect((error as SolverError).code).toBe("WITNESS_SIZE");
    }
    const notOne = await formatErrorOf(() => checkWitness(r1cs, toBytes(honest.with(0, 2n))));
    expect(notOne.code).toBe("WTNS_FIRST_NOT_ONE");
    const large = await formatErrorOf(() => checkWitness(r1cs, toBytes(honest.with(7, FR_MODULUS))));
    expect([large.code, large.where]).toEqual(["WTNS_VALUE_NOT_CANONICAL", "witness: witness[7]"]);
  });
});
