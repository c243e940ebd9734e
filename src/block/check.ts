/**
 * Checks a block without proving: every row against the constraints of its circuit, the circuit's sum of every row against
 * the row's messages, and all messages against each other. What does not balance is told in words.
 *
 * @module
 */

import { cachedCircuit } from "../circuits/cache.js";
import { checkWitness } from "../circuits/check.js";
import { SolverError } from "../circuits/errors.js";
import { mod } from "../circuits/linear.js";
import { planSolver, type SolverPlan, solve } from "../circuits/solver.js";
import { readBigintLE } from "../formats/bn254.js";
import type { R1cs } from "../formats/r1cs.js";
import type { OnProgress } from "../prover/progress.js";
import { randomScalar } from "../prover/random.js";
import { messagesOf, type Rows } from "../rows/machine.js";
import type { RowTemplate } from "../rows/row.js";
import { busSum, fieldsOf, type Message } from "../verifier/bus.js";

/** A circuit of one row. */
export interface RowCircuit {
  readonly r1cs: R1cs;
  readonly plan: SolverPlan;
}

/** Circuits of single rows, compiled when they are first asked for. */
export class RowCircuits {
  readonly #cache: string;
  readonly #circuits = new Map<string, Promise<RowCircuit>>();

  /** @param cache folder of the cache, see `defaultCache`. */
  constructor(cache: string) {
    this.#cache = cache;
  }

  /** @throws as `compileLayout` does. */
  get(row: string): Promise<RowCircuit> {
    let circuit = this.#circuits.get(row);
    if (circuit === undefined) {
      circuit = cachedCircuit({ name: `${row}-1`, power: 16, rows: { [row]: 1 } }, this.#cache).then(({ r1cs }) => ({
        r1cs,
        plan: planSolver(r1cs),
      }));
      this.#circuits.set(row, circuit);
    }
    return circuit;
  }
}

/** Options of a check. */
export interface CheckOptions {
  readonly signal?: AbortSignal | undefined;
  /** Stage `check`, in rows. */
  readonly onProgress?: OnProgress | undefined;
}

/** Why a row is refused. */
export interface RowFault {
  readonly row: string;
  /** Which of the block's rows of this template. */
  readonly index: number;
  readonly columns: Readonly<Record<string, bigint>>;
  /** Violated constraint of the circuit of one row; "sum": the circuit's sum is not that of the row's messages. */
  readonly constraint: number | "sum" | "division by zero";
}

/** A message that was not sent as often as it was received. */
export interface Unmatched {
  readonly tag: string;
  readonly fields: Readonly<Record<string, bigint>>;
  /** Sent − received. */
  readonly net: bigint;
  /** Who sent or received it: row templates with the number of the row, "verifier" for native messages. */
  readonly by: readonly string[];
}

/** What came out. */
export interface CheckReport {
  readonly faults: readonly RowFault[];
  readonly unmatched: readonly Unmatched[];
  /** Number of rows looked at. */
  readonly rows: number;
  readonly messages: number;
}

interface Net {
  readonly message: Message;
  net: bigint;
  readonly by: string[];
}

/** Names kept for an unmatched message. */
const NAMED = 4;

/**
 * @param native the verifier's messages.
 * @throws the signal's reason; as `compileLayout` does.
 */
export async function checkRows(
  rows: Rows,
  native: readonly Message[],
  circuits: RowCircuits,
  options: CheckOptions = {},
): Promise<CheckReport> {
  const { signal, onProgress } = options;
  const total = [...rows.values()].reduce((sum, { columns }) => sum + columns.length, 0);
  const faults: RowFault[] = [];
  const nets = new Map<string, Net>();
  let [done, messages] = [0, 0];
  const post = (list: readonly Message[], by: string) => {
    for (const message of list) {
      if (message.multiplicity === 0n) continue;
      messages++;
      const key = `${message.tag} ${message.coordinates.map(mod).join()}`;
      const entry = nets.get(key) ?? { message, net: 0n, by: [] };
      entry.net += message.multiplicity;
      if (entry.by.length < NAMED) entry.by.push(by);
      nets.set(key, entry);
    }
  };

  for (const [row, { template, columns }] of rows) {
    const circuit = await circuits.get(row);
    for (const [index, cells] of columns.entries()) {
      signal?.throwIfAborted();
      const fault = checkRow(circuit, template, cells);
      if (fault !== undefined) {
        const named = Object.fromEntries(template.columns.map((name, i) => [name, cells[i]!]));
        faults.push({ row, index, columns: named, constraint: fault });
      }
      post(messagesOf(template, cells), `${row} ${index}`);
      if (++done % 256 === 0) {
        onProgress?.({ stage: "check", done, total });
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
  onProgress?.({ stage: "check", done, total });
  post(native, "verifier");
  const unmatched = [...nets.values()]
    .filter(({ net }) => mod(net) !== 0n)
    .map(({ message, net, by }) => ({ tag: message.tag, fields: fieldsOf(message), net, by }));
  return { faults, unmatched, rows: total, messages };
}

/** The first thing that is wrong with a row. */
export function checkRow(
  { r1cs, plan }: RowCircuit,
  template: RowTemplate,
  columns: readonly bigint[],
): RowFault["constraint"] | undefined {
  const challenges = { alpha: randomScalar(), beta: randomScalar() };
  let witness: Uint8Array;
  try {
    witness = solve(plan, [challenges.alpha, challenges.beta, ...columns.map(mod)]);
  } catch (error) {
    if (error instanceof SolverError && error.code === "SOLVER_DIVISION_BY_ZERO") return "division by zero";
    throw error;
  }
  const [violation] = checkWitness(r1cs, witness, 1);
  if (violation !== undefined) return violation.constraint;
  const messages = messagesOf(template, columns).filter(({ multiplicity }) => multiplicity !== 0n);
  return readBigintLE(witness, 32, 32) === busSum(messages, challenges) ? undefined : "sum";
}

/** An unmatched message as a line of text. */
export function describeUnmatched({ tag, fields, net, by }: Unmatched): string {
  const shown = (x: bigint) => (x < 1_000_000n ? String(x) : `0x${x.toString(16)}`);
  const list = Object.entries(fields)
    .map(([name, value]) => `${name} ${shown(value)}`)
    .join(", ");
  const what = net > 0n ? `sent ${net} times too often` : `received ${-net} times too often`;
  return `${tag}(${list}): ${what} (${by.join("; ")})`;
}
