/**
 * Does a witness satisfy a circuit? Every constraint, without proving.
 *
 * @module
 */

import { FIELD_SIZE } from "../formats/bn254.js";
import type { R1cs } from "../formats/r1cs.js";
import { checkWitnessValues } from "../formats/wtns.js";
import { SolverError } from "./errors.js";
import { type IndexedMatrix, indexedR1cs, MINUS_ONE, mod, PLUS_ONE, readValues } from "./linear.js";

/** A constraint `a · b = c` that a witness does not satisfy. */
export interface Violation {
  /** Number of the constraint in the R1CS. */
  readonly constraint: number;
  /** Value of its first combination, in `[0, r)`. */
  readonly a: bigint;
  readonly b: bigint;
  readonly c: bigint;
  /** The wires in it, ascending, each once. */
  readonly wires: readonly number[];
}

/**
 * The violated constraints, ascending, at most `limit` of them.
 *
 * @param values `nWires × 32` bytes, little-endian.
 * @param limit how many to look for, `>= 1`; all unless given.
 * @throws SolverError `WITNESS_SIZE` for another number of values; FormatError `WTNS_VALUE_NOT_CANONICAL`,
 *   `WTNS_FIRST_NOT_ONE`.
 */
export function checkWitness(r1cs: R1cs, values: Uint8Array, limit: number = Infinity): Violation[] {
  const { nWires, nConstraints } = r1cs.header;
  if (values.length !== nWires * FIELD_SIZE) {
    throw new SolverError("witness belongs to another circuit", {
      code: "WITNESS_SIZE",
      where: r1cs.name,
      expected: `${nWires} values of ${FIELD_SIZE} bytes`,
      got: `${values.length} bytes`,
    });
  }
  checkWitnessValues(values, "witness");
  const witness = readValues(values);
  const { a, b, c, coefficients } = indexedR1cs(r1cs);
  const value = ({ rowOffsets, wires, coefficients: indices }: IndexedMatrix, row: number): bigint => {
    let sum = 0n;
    for (let i = rowOffsets[row]!; i < rowOffsets[row + 1]!; i++) {
      const w = witness[wires[i]!]!;
      const index = indices[i]!;
      if (index === PLUS_ONE) sum += w;
      else if (index === MINUS_ONE) sum -= w;
      else sum += w * coefficients[index]!;
    }
    return sum;
  };

  const violations: Violation[] = [];
  for (let row = 0; row < nConstraints && violations.length < limit; row++) {
    const [x, y, z] = [value(a, row), value(b, row), value(c, row)];
    if (mod(x * y - z) === 0n) continue;
    const wires = new Set([a, b, c].flatMap((m) => [...m.wires.subarray(m.rowOffsets[row], m.rowOffsets[row + 1])]));
    violations.push({ constraint: row, a: mod(x), b: mod(y), c: mod(z), wires: [...wires].sort((p, q) => p - q) });
  }
  return violations;
}
