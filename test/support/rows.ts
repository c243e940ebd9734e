/**
 * Rows against their circuits, without proving: the constraints of one row, its sum against its messages, and mutations.
 *
 * @module
 */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cachedCircuit } from "../../src/circuits/cache.js";
import { checkWitness } from "../../src/circuits/check.js";
import { SolverError } from "../../src/circuits/errors.js";
import { planSolver, type SolverPlan, solve } from "../../src/circuits/solver.js";
import { columnsOf, SHARED_CONSTRAINTS } from "../../src/circuits/sources.js";
import { FR_MODULUS, readBigintLE } from "../../src/formats/bn254.js";
import type { R1cs } from "../../src/formats/r1cs.js";
import { messagesOf } from "../../src/rows/machine.js";
import type { RowTemplate } from "../../src/rows/row.js";
import { busSum, type Message } from "../../src/verifier/bus.js";
import { TAGS } from "../../src/verifier/tags.generated.js";
import { ROOT } from "./circuits.js";
import { FIXED_TABLES } from "./tables.js";

/** A circuit of one row. */
export interface RowCircuit {
  readonly r1cs: R1cs;
  readonly plan: SolverPlan;
}

const CACHE = join(ROOT, ".cache");

/** The circuit of one row of a template, compiled once for each state of the sources. */
export async function rowCircuit(row: string): Promise<RowCircuit> {
  const { r1cs } = await cachedCircuit({ name: `${row}-1`, power: 16, rows: { [row]: 1 } }, CACHE);
  return { r1cs, plan: planSolver(r1cs) };
}

/** Rows (constraints and committed columns) that one row of the template costs. */
export async function rowCost(row: string): Promise<number> {
  const { r1cs } = await rowCircuit(row);
  return r1cs.header.nConstraints - SHARED_CONSTRAINTS + columnsOf(row).length;
}

const randomFr = (): bigint => {
  const bytes = crypto.getRandomValues(new Uint8Array(40));
  return readBigintLE(bytes, 0, 40) % FR_MODULUS;
};

/** What a circuit makes of columns. */
export interface Evaluation {
  /** Violated constraints. */
  readonly violated: readonly number[];
  /** The circuit's output. */
  readonly sum: bigint;
  /** The sum of the row's messages. */
  readonly expected: bigint;
}

const canonical = (x: bigint): bigint => ((x % FR_MODULUS) + FR_MODULUS) % FR_MODULUS;

/** Fills in the other wires and checks all constraints. */
export function evaluate({ r1cs, plan }: RowCircuit, template: RowTemplate, columns: readonly bigint[]): Evaluation {
  const challenges = { alpha: randomFr(), beta: randomFr() };
  const witness = solve(plan, [challenges.alpha, challenges.beta, ...columns.map(canonical)]);
  const violated = checkWitness(r1cs, witness).map(({ constraint }) => constraint);
  const messages = messagesOf(template, columns).filter(({ multiplicity }) => multiplicity !== 0n);
  return { violated, sum: readBigintLE(witness, 32, 32), expected: busSum(messages, challenges) };
}

/** Text that is equal for equal messages. */
export function nameOf({ tag, coordinates, multiplicity }: Message): string {
  return `${multiplicity} ${tag} ${coordinates.map(canonical).join()}`;
}

/** Cells and tokens a row sends and receives, and requests to tables that have given contents. */
function fixedMessages(template: RowTemplate, columns: readonly bigint[]): string[] {
  return messagesOf(template, columns)
    .filter(({ multiplicity }) => canonical(multiplicity) !== 0n)
    .filter(({ tag, multiplicity }) => FIXED_TABLES[tag] === undefined || multiplicity < 0n)
    .map(nameOf)
    .sort();
}

/** Whether every request to a table of fixed contents has an entry there. */
function requestsHold(template: RowTemplate, columns: readonly bigint[]): boolean {
  return messagesOf(template, columns).every(({ tag, multiplicity, coordinates }) => {
    const table = FIXED_TABLES[tag];
    return table === undefined || canonical(multiplicity) === 0n || multiplicity < 0n || table(coordinates);
  });
}

/** Of what the bus refuses, the circuit is asked about so many. */
const ASKED = 8;
let refused = 0;

/** Whether the rest of an honest block would accept these columns in place of the row's own. */
export function passes(
  circuit: RowCircuit,
  template: RowTemplate,
  honest: readonly bigint[],
  columns: readonly bigint[],
): boolean {
  const balanced =
    requestsHold(template, columns) &&
    JSON.stringify(fixedMessages(template, columns)) === JSON.stringify(fixedMessages(template, honest));
  if (!balanced && refused++ % ASKED !== 0) return false;
  let evaluation: Evaluation;
  try {
    evaluation = evaluate(circuit, template, columns);
  } catch (error) {
    if (error instanceof SolverError && error.code === "SOLVER_DIVISION_BY_ZERO") return false;
    throw error;
  }
  const { violated, sum, expected } = evaluation;
  // a sum that is not that of the messages would be a bug of the description, not a rejection
  if (violated.length === 0) expect(sum).toBe(expected);
  return violated.length === 0 && balanced;
}

/** An honest row and what it is. */
export interface Sample {
  readonly what: string;
  readonly columns: readonly bigint[];
}

/** Options of {@link describeRow}. */
export interface RowTests {
  readonly template: RowTemplate;
  /** Most rows it may cost. */
  readonly cost: number;
  /** Honest rows: every opcode, every case, edges. */
  samples(): readonly Sample[];
  /**
   * Columns that may hold something else in an honest row of the same meaning, and why. Everything else is mutated and must
   * be refused.
   */
  readonly free?: Readonly<Record<string, string>>;
}

/** The tests that every row template passes. */
export function describeRow({ template, cost, samples, free = {} }: RowTests): void {
  const { name, columns } = template;
  describe(`row ${name}`, () => {
    it("has the columns of its circuit", () => {
      expect(columns).toEqual(columnsOf(name));
    });

    it(`costs at most ${cost} rows`, async () => {
      const measured = await rowCost(name);
      expect(measured).toBeLessThanOrEqual(cost);
    });

    it("uses tags as the registry says", () => {
      for (const { columns: sample } of samples()) {
        for (const { tag, multiplicity } of messagesOf(template, sample)) {
          const { senders, receivers } = TAGS[tag];
          if (multiplicity > 0n && senders !== "any") expect(senders, tag).toContain(name);
          if (multiplicity < 0n) expect(receivers, tag).toContain(name);
        }
      }
    });

    it("does nothing in padding", async () => {
      const zeros = columns.map(() => 0n);
      const { violated, sum, expected } = evaluate(await rowCircuit(name), template, zeros);
      expect(violated).toEqual([]);
      expect(sum).toBe(expected);
      for (const { tag, multiplicity, coordinates } of messagesOf(template, zeros)) {
        if (multiplicity === 0n) continue;
        expect(tag).toMatch(/^RANGE_/);
        expect(coordinates.every((x) => x === 0n)).toBe(true);
      }
    });

    it("accepts honest rows", async () => {
      const circuit = await rowCircuit(name);
      for (const { what, columns: sample } of samples()) {
        const { violated, sum, expected } = evaluate(circuit, template, sample);
        expect(violated, what).toEqual([]);
        expect(sum, what).toBe(expected);
        expect(requestsHold(template, sample), what).toBe(true);
      }
    });

    it("refuses every mutation of one column", async () => {
      const circuit = await rowCircuit(name);
      for (const { what, columns: sample } of samples()) {
        for (const [i, column] of columns.entries()) {
          if (free[column] !== undefined) continue;
          const value = sample[i]!;
          const others = [value + 1n, value - 1n, 0n, 1n, 2n, value + 65536n, -value, 1n << 128n, randomFr()];
          for (const other of others) {
            if (canonical(other) === canonical(value)) continue;
            const mutated = sample.with(i, canonical(other));
            expect(passes(circuit, template, sample, mutated), `${what}: ${column} = ${other}`).toBe(false);
          }
        }
      }
    });
  });
}
