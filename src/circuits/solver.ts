/**
 * Computes the wires of a circuit from its inputs by following its constraints: what circom's generated calculator does,
 * without generated code, and with one batch inversion for all fractions of the bus.
 *
 * A constraint `A·B = C` defines a wire w that is its only unknown one:
 *
 * - **Product**: w stands in C. `w = (A·B - C') / c`.
 * - **Quotient**: w stands in one factor, the other one is known: `w = (C / A - B') / b`. This is how a fraction
 *   `(alpha + f)·y === m` is solved. Where the denominator is 0, `C / A` counts as 0 and C must be 0.
 * - **Is-zero**: `x·inv === L` and `x·M === 0`, where L and M are the same but for a factor and a constant (z and 1 - z).
 *   M = 0 if `x ≠ 0`, otherwise L = 0: that defines a wire in L. What is left of the first is a quotient for inv.
 *
 * circom's simplification (`--O2`) leaves linear systems among the constraints: when it removes a sum `s <== p + q`, it may
 * keep s and express p by it. Mostly one constraint after another still determines one wire. Where none does, a constraint
 * still tells a sum of unknown wires: the sum becomes a value of its own (a temporary), and one of its wires is expressed by
 * it and the others everywhere. Every signal of the source is a combination of wires, and in the order of the source each
 * becomes known that way, so that the plan always ends.
 *
 * Codes of {@link SolverError} here and in the modules around:
 *
 * | code                         | meaning                                                                        |
 * | ---------------------------- | ------------------------------------------------------------------------------ |
 * | `SOLVER_PRIVATE_INPUTS`      | the circuit has inputs that are not public                                     |
 * | `SOLVER_CONTRADICTION`       | a constraint between constants is false                                        |
 * | `SOLVER_UNDETERMINED`        | no order of the constraints determines all wires                               |
 * | `SOLVER_INPUT_COUNT`         | another number of inputs than the circuit has                                  |
 * | `SOLVER_INPUT_NOT_CANONICAL` | an input is not in `[0, r)`                                                    |
 * | `SOLVER_DIVISION_BY_ZERO`    | a fraction with denominator 0 has another numerator than 0                     |
 * | `WITNESS_SIZE`               | `checkWitness`: a witness of another number of values than the circuit has     |
 * | `PLAN_MALFORMED`             | bytes that are no plan, or a plan that uses a value before it is computed      |
 * | `PLAN_VERSION`               | a plan of another version                                                      |
 * | `PLAN_DIGEST`                | a plan that was damaged                                                        |
 *
 * @module
 */

import { FR_MODULUS } from "../formats/bn254.js";
import type { R1cs } from "../formats/r1cs.js";
import { SolverError } from "./errors.js";
import {
  CoefficientTable,
  type IndexedMatrix,
  indexedR1cs,
  invert,
  MINUS_ONE,
  mod,
  PLUS_ONE,
  signed,
  writeValues,
} from "./linear.js";
import { LEVEL_SIZE, SLOT_SIZE, type SolverPlan, STEP_SIZE, VIA_IS_ZERO, VIA_PRODUCT, VIA_SLOT } from "./plan.js";

export { decodePlan, encodePlan, type SolverPlan } from "./plan.js";

/** The wire that is always 1. */
const ONE = 0;

/** A combination `Σ coefficient · wire`: signed coefficients in `(-r/2, r/2)` other than 0, by wire. */
type Combination = ReadonlyMap<number, bigint>;
const EMPTY: Combination = new Map();

interface Constraint {
  a: Combination;
  b: Combination;
  c: Combination;
  /** Distinct wires whose value is unknown so far. */
  unknown: number;
}

/** A denominator. Its inverse is known in the level after its own. */
interface Slot {
  readonly level: number;
  readonly constraint: number;
  readonly denominator: Combination;
}

interface Step {
  readonly level: number;
  readonly target: number;
  readonly via: typeof VIA_PRODUCT | typeof VIA_IS_ZERO | Slot;
  readonly x: Combination;
  readonly y: Combination;
  readonly l: Combination;
}

/** An is-zero `x·inv === L`, `x·M === 0`. */
interface ZeroTest {
  readonly x: Combination;
  readonly l: Combination;
  readonly m: Combination;
  /** What L's wires are to be multiplied by to have those of M. */
  readonly factor: bigint;
}

/** A constraint as an equation `unknowns = value`, with a value that can be computed. */
interface Equation {
  readonly unknowns: Combination;
  readonly value: Omit<Step, "target">;
}

/**
 * Finds the order in which the wires of a circuit can be computed. Done once for a circuit.
 *
 * @param r1cs outputs, then public inputs, then wires that the constraints determine; no private inputs.
 * @throws SolverError `SOLVER_PRIVATE_INPUTS`; `SOLVER_CONTRADICTION`, `SOLVER_UNDETERMINED` with the constraint.
 */
export function planSolver(r1cs: R1cs): SolverPlan {
  const planner = new Planner(r1cs);
  planner.run();
  return planner.finish();
}

class Planner {
  private readonly nWires: number;
  private readonly constraints: Constraint[];
  /** Constraints with an unknown wire: those of wire w are `uses[useOffsets[w]]` to `uses[useOffsets[w + 1] - 1]`. */
  private readonly useOffsets: Uint32Array;
  private readonly uses: Uint32Array;
  /** Constraints that got a wire when another one was expressed by it. */
  private readonly moreUses = new Map<number, number[]>();
  private readonly rewritten = new Set<number>();
  /** Level in which each value is known, -1 while it is unknown; temporaries come after the wires. */
  private readonly levels: number[];
  private nUnknown: number;
  private readonly steps: Step[] = [];
  private readonly slots: Slot[] = [];

  /** Constraints with one unknown wire, not yet looked at. */
  private readonly ready: number[] = [];
  /** Those of them that are quotients. */
  private readonly quotients: number[] = [];
  /** The halves of each is-zero by the number of the first, `x·inv === L`. */
  private readonly zeros: Map<number, ZeroTest>;
  /** Those of them that had two unknown wires: inv and one in L. */
  private readonly openZeros: number[] = [];
  /** Whether everything that is told about sums without quotients was made use of before the quotients. */
  private searched = false;

  constructor(private readonly r1cs: R1cs) {
    const { nWires, nOutputs, nPubInputs, nPrvInputs } = r1cs.header;
    if (nPrvInputs !== 0) {
      throw new SolverError("circuit has private inputs", {
        code: "SOLVER_PRIVATE_INPUTS",
        where: r1cs.name,
        expected: "public inputs only",
        got: `${nPrvInputs} private ones`,
      });
    }
    this.nWires = nWires;
    this.levels = new Array<number>(nWires).fill(-1);
    this.levels[ONE] = 0;
    this.levels.fill(0, 1 + nOutputs, 1 + nOutputs + nPubInputs);
    this.nUnknown = nWires - 1 - nPubInputs;
    this.constraints = this.readConstraints();
    this.zeros = findZeroTests(this.constraints, 1 + nOutputs + nPubInputs);

    // two passes over the unknown wires of each constraint: count, then fill
    const unknowns = this.constraints.map((constraint) => this.unknownWires(constraint));
    this.useOffsets = new Uint32Array(nWires + 1);
    for (const wires of unknowns) for (const wire of wires) this.useOffsets[wire + 1]!++;
    for (let wire = 0; wire < nWires; wire++) this.useOffsets[wire + 1]! += this.useOffsets[wire]!;
    this.uses = new Uint32Array(this.useOffsets[nWires]!);
    const next = this.useOffsets.slice();
    unknowns.forEach((wires, i) => {
      for (const wire of wires) this.uses[next[wire]!++] = i;
      this.constraints[i]!.unknown = wires.size;
      this.notice(i);
    });
  }

  /**
   * Determines all wires. Quotients come last: in `x·z === y` with z from an is-zero of x, the quotient would be another
   * value where x is 0.
   */
  run(): void {
    while (this.nUnknown > 0) {
      if (this.takeReady() || this.takeZero() || this.expressFirst() || this.takeQuotient()) continue;
      if (this.express(false) || this.express(true)) continue;
      throw this.undetermined();
    }
  }

  finish(): SolverPlan {
    const nLevels = [...this.steps, ...this.slots].reduce((max, { level }) => Math.max(max, level), 0) + 1;
    const table = new CoefficientTable();
    const termWires: number[] = [];
    const termCoefficients: number[] = [];
    const put = (combination: Combination): number => {
      for (const [wire, coefficient] of combination) {
        termWires.push(wire);
        termCoefficients.push(table.index(coefficient));
      }
      return termWires.length;
    };
    const byLevel = <T extends { level: number }>(list: readonly T[]): T[] =>
      [...list].sort((p, q) => p.level - q.level);
    const slots = byLevel(this.slots);
    const slotNumbers = new Map(slots.map((slot, i) => [slot, i]));
    const steps = byLevel(this.steps).flatMap(({ target, via, x, y, l }) => [
      target,
      typeof via === "number" ? via : VIA_SLOT + slotNumbers.get(via)!,
      put(x),
      put(y),
      put(l),
    ]);
    const levels = new Uint32Array(nLevels * LEVEL_SIZE);
    for (const { level } of this.steps) levels[level * LEVEL_SIZE]!++;
    for (const { level } of this.slots) levels[level * LEVEL_SIZE + 1]!++;
    for (let i = LEVEL_SIZE; i < levels.length; i++) levels[i]! += levels[i - LEVEL_SIZE]!;
    const { nWires, nOutputs, nPubInputs } = this.r1cs.header;
    return {
      nWires,
      nOutputs,
      nInputs: nPubInputs,
      nTemporaries: this.levels.length - nWires,
      levels,
      steps: Uint32Array.from(steps),
      slots: Uint32Array.from(slots.flatMap(({ constraint, denominator }) => [constraint, put(denominator)])),
      // the slots' terms and coefficients are put by now
      coefficients: table.values,
      termWires: Uint32Array.from(termWires),
      termCoefficients: Uint32Array.from(termCoefficients),
    };
  }

  private readConstraints(): Constraint[] {
    const { a, b, c, coefficients } = indexedR1cs(this.r1cs);
    const read = (matrix: IndexedMatrix, row: number): Combination => {
      const combination = new Map<number, bigint>();
      for (let i = matrix.rowOffsets[row]!; i < matrix.rowOffsets[row + 1]!; i++) {
        add(combination, matrix.wires[i]!, coefficients[matrix.coefficients[i]!]!);
      }
      return combination;
    };
    return Array.from({ length: this.r1cs.header.nConstraints }, (_, i) => {
      const constraint = { a: read(a, i), b: read(b, i), c: read(c, i), unknown: 0 };
      // with a constant factor the constraint is linear: 0 = C - A·B
      if (isConstant(constraint.a) || isConstant(constraint.b)) {
        const [constant, other] = isConstant(constraint.a)
          ? [constraint.a, constraint.b]
          : [constraint.b, constraint.a];
        constraint.c = plus(constraint.c, other, -(constant.get(ONE) ?? 0n));
        constraint.a = EMPTY;
        constraint.b = EMPTY;
        if (isConstant(constraint.c) && constraint.c.size > 0) {
          throw new SolverError("constants contradict each other", {
            code: "SOLVER_CONTRADICTION",
            where: this.where(i),
          });
        }
      }
      return constraint;
    });
  }

  private isKnown(value: number): boolean {
    return this.levels[value]! >= 0;
  }

  private unknownWires({ a, b, c }: Constraint): Set<number> {
    const wires = new Set<number>();
    for (const side of [a, b, c]) for (const wire of side.keys()) if (!this.isKnown(wire)) wires.add(wire);
    return wires;
  }

  private hasUnknown(side: Combination): boolean {
    for (const wire of side.keys()) if (!this.isKnown(wire)) return true;
    return false;
  }

  /** Level in which a combination of known values can be computed. */
  private levelOf(...sides: readonly Combination[]): number {
    let level = 0;
    for (const side of sides) for (const value of side.keys()) level = Math.max(level, this.levels[value]!);
    return level;
  }

  /** Constraints that contain a wire, which is or was unknown. */
  private usesOf(wire: number): ArrayLike<number> & Iterable<number> {
    const uses = this.uses.subarray(this.useOffsets[wire], this.useOffsets[wire + 1]);
    const more = this.moreUses.get(wire);
    return more === undefined ? uses : [...uses, ...more];
  }

  private notice(constraint: number): void {
    const { unknown } = this.constraints[constraint]!;
    if (unknown === 1) this.ready.push(constraint);
    else if (unknown === 2 && this.zeros.has(constraint)) this.openZeros.push(constraint);
  }

  private assign(step: Step): void {
    this.steps.push(step);
    this.levels[step.target] = step.level;
    if (step.target >= this.nWires) return;
    this.nUnknown--;
    for (const i of this.usesOf(step.target)) {
      // a rewritten constraint may not contain the wire any more, or be listed twice
      if (this.rewritten.has(i)) this.recount(i);
      else {
        this.constraints[i]!.unknown--;
        this.notice(i);
      }
    }
  }

  /** Solves the products among the ready constraints and puts the others where they belong. */
  private takeReady(): boolean {
    const before = this.nUnknown;
    while (this.ready.length > 0) {
      const i = this.ready.pop()!;
      const constraint = this.constraints[i]!;
      // meanwhile another one determined its wire: this one is a check
      if (constraint.unknown !== 1) continue;
      const equation = this.equation(i);
      if (equation?.value.via === VIA_PRODUCT) this.assignEquation(equation);
      else if (equation !== undefined) this.quotients.push(i);
    }
    return this.nUnknown < before;
  }

  private takeQuotient(): boolean {
    while (this.quotients.length > 0) {
      const i = this.quotients.pop()!;
      if (this.constraints[i]!.unknown !== 1) continue;
      this.assignEquation(this.equation(i)!);
      return true;
    }
    return false;
  }

  /** Solves an is-zero for a wire in L; inv follows as a quotient. */
  private takeZero(): boolean {
    while (this.openZeros.length > 0) {
      const equation = this.zeroEquation(this.openZeros.pop()!);
      if (equation === undefined || equation.unknowns.size !== 1) continue;
      this.assignEquation(equation);
      return true;
    }
    return false;
  }

  /** An is-zero as an equation between the unknown wires of L, if x is known. */
  private zeroEquation(constraint: number): Equation | undefined {
    const { x, l, m, factor } = this.zeros.get(constraint)!;
    if (this.hasUnknown(x)) return undefined;
    const [unknowns, rest] = this.split(l);
    if (unknowns.size === 0) return undefined;
    const zero = scaled(rest, -1n);
    const other = scaled(this.split(m)[1], -invert(factor));
    return { unknowns, value: { level: this.levelOf(x, zero, other), via: VIA_IS_ZERO, x, y: other, l: zero } };
  }

  /** The factors of a constraint, if exactly one has unknown wires. */
  private openFactor({ a, b }: Constraint): { known: Combination; unknown: Combination } | undefined {
    const [openA, openB] = [this.hasUnknown(a), this.hasUnknown(b)];
    if (openA === openB) return undefined;
    return openA ? { known: b, unknown: a } : { known: a, unknown: b };
  }

  /**
   * A constraint as an equation between its unknown wires, if those stand in C only, or in one factor only.
   * `x·M === 0` is none: it says nothing about M where x is 0.
   */
  private equation(constraint: number): Equation | undefined {
    const { a, b, c } = this.constraints[constraint]!;
    if (!this.hasUnknown(a) && !this.hasUnknown(b)) {
      const [unknowns, rest] = this.split(c);
      const l = scaled(rest, -1n);
      return { unknowns, value: { level: this.levelOf(a, b, l), via: VIA_PRODUCT, x: a, y: b, l } };
    }
    const open = this.openFactor(this.constraints[constraint]!);
    if (open === undefined || c.size === 0 || this.hasUnknown(c)) return undefined;
    const [unknowns, rest] = this.split(open.unknown);
    const l = scaled(rest, -1n);
    const via: Slot = { level: this.levelOf(open.known), constraint, denominator: open.known };
    return { unknowns, value: { level: Math.max(via.level + 1, this.levelOf(c, l)), via, x: c, y: EMPTY, l } };
  }

  /** The unknown and the known terms of a combination. */
  private split(combination: Combination): [unknown: Combination, known: Combination] {
    const terms = [...combination];
    return [
      new Map(terms.filter(([wire]) => !this.isKnown(wire))),
      new Map(terms.filter(([wire]) => this.isKnown(wire))),
    ];
  }

  /** Computes the only unknown of an equation. */
  private assignEquation({ unknowns, value }: Equation): void {
    const [[target, coefficient]] = [...unknowns] as [[number, bigint]];
    if (typeof value.via !== "number") this.slots.push(value.via);
    this.assign(scaleStep({ ...value, target }, invert(coefficient)));
  }

  /** {@link express} without quotients, before the first of them is taken. */
  private expressFirst(): boolean {
    if (this.searched) return false;
    this.searched = !this.express(false);
    return !this.searched;
  }

  /** Makes known what constraints tell about sums of unknown wires. */
  private express(withQuotients: boolean): boolean {
    let found = false;
    // definitions, which come after the constraints, tell nothing new
    for (let i = 0; i < this.r1cs.header.nConstraints; i++) {
      if (this.constraints[i]!.unknown < 2) continue;
      const equation = (this.zeros.has(i) ? this.zeroEquation(i) : undefined) ?? this.equation(i);
      if (equation === undefined || equation.unknowns.size < 2) continue;
      if (!withQuotients && typeof equation.value.via !== "number") continue;
      this.substitute(equation);
      found = true;
      while (this.takeReady() || this.takeZero()) {}
    }
    return found;
  }

  /** Gives the sum of an equation's unknowns a value of its own, and expresses one of them by it and the others. */
  private substitute({ unknowns, value }: Equation): void {
    const temporary = this.levels.length;
    if (typeof value.via !== "number") this.slots.push(value.via);
    this.assign({ ...value, target: temporary });
    let pivot = -1;
    for (const wire of unknowns.keys()) {
      if (pivot < 0 || this.usesOf(wire).length < this.usesOf(pivot).length) pivot = wire;
    }
    const others = new Map(scaled(unknowns, -1n));
    others.delete(pivot);
    others.set(temporary, 1n);
    const expression = scaled(others, invert(unknowns.get(pivot)!));

    for (const i of new Set(this.usesOf(pivot))) {
      const constraint = this.constraints[i]!;
      const into = (side: Combination): Combination => {
        const coefficient = side.get(pivot);
        if (coefficient === undefined) return side;
        const result = plus(side, expression, coefficient);
        (result as Map<number, bigint>).delete(pivot);
        return result;
      };
      constraint.a = into(constraint.a);
      constraint.b = into(constraint.b);
      constraint.c = into(constraint.c);
      const zero = this.zeros.get(i);
      if (zero !== undefined) this.zeros.set(i, { ...zero, x: into(zero.x), l: into(zero.l), m: into(zero.m) });
      this.rewritten.add(i);
      for (const wire of expression.keys()) this.use(wire, i);
      this.recount(i);
    }
    const definition = this.constraints.length;
    this.constraints.push({ a: EMPTY, b: EMPTY, c: plus(expression, new Map([[pivot, 1n]]), -1n), unknown: 0 });
    this.rewritten.add(definition);
    for (const wire of [pivot, ...expression.keys()]) this.use(wire, definition);
    this.recount(definition);
  }

  private use(wire: number, constraint: number): void {
    const list = this.moreUses.get(wire);
    if (list === undefined) this.moreUses.set(wire, [constraint]);
    else list.push(constraint);
  }

  private recount(constraint: number): void {
    const counted = this.constraints[constraint]!;
    counted.unknown = this.unknownWires(counted).size;
    this.notice(constraint);
  }

  private where(constraint: number): string {
    return `${this.r1cs.name}: constraint ${constraint}`;
  }

  private undetermined(): SolverError {
    // of the constraints that are stuck, the one with the fewest unknown wires is most likely the one to look at
    let worst = -1;
    this.constraints.forEach(({ unknown }, i) => {
      if (unknown > 0 && (worst < 0 || unknown < this.constraints[worst]!.unknown)) worst = i;
    });
    const wires =
      worst < 0
        ? this.levels.flatMap((level, wire) => (level < 0 ? [wire] : []))
        : [...this.unknownWires(this.constraints[worst]!)].sort((p, q) => p - q);
    return new SolverError("constraints do not determine all wires", {
      code: "SOLVER_UNDETERMINED",
      where: worst < 0 ? this.r1cs.name : this.where(worst),
      expected:
        worst < 0 ? "every wire in a constraint" : "at most one unknown wire, outside of one factor or of C only",
      got: `wires ${wires.slice(0, 8).join(", ")}${wires.length > 8 ? ", ..." : ""} unknown, ${this.nUnknown} in all`,
    });
  }
}

function add(combination: Map<number, bigint>, wire: number, coefficient: bigint): void {
  const sum = signed((combination.get(wire) ?? 0n) + coefficient);
  if (sum === 0n) combination.delete(wire);
  else combination.set(wire, sum);
}

/** `p + factor·q`. */
function plus(p: Combination, q: Combination, factor: bigint): Combination {
  const sum = new Map(p);
  for (const [wire, coefficient] of q) add(sum, wire, coefficient * factor);
  return sum;
}

/** `factor·p`, for a factor that is no multiple of r. */
function scaled(p: Combination, factor: bigint): Combination {
  if (factor === 1n) return p;
  return new Map([...p].map(([wire, coefficient]) => [wire, signed(coefficient * factor)]));
}

function isConstant(p: Combination): boolean {
  return p.size === 0 || (p.size === 1 && p.has(ONE));
}

/** The number that p is to be multiplied by to give q, if there is one other than 0. */
function ratio(p: Combination, q: Combination): bigint | undefined {
  if (p.size !== q.size) return undefined;
  const [first] = p;
  const other = first === undefined ? undefined : q.get(first[0]);
  if (other === undefined) return undefined;
  const factor = signed(other * invert(first![1]));
  for (const [wire, coefficient] of p) if (signed(coefficient * factor) !== q.get(wire)) return undefined;
  return factor;
}

/** The combination without its constant. */
function withoutConstant(p: Combination): Combination {
  if (!p.has(ONE)) return p;
  const rest = new Map(p);
  rest.delete(ONE);
  return rest;
}

/** The wires of a combination as a key; combinations that are multiples of each other have the same. */
function wiresKey(p: Combination): string {
  return [...p.keys()].sort((v, w) => v - w).join();
}

/**
 * Finds the is-zeros of a circuit.
 *
 * @param firstOpen the first wire that constraints determine, beside the outputs.
 * @returns by the number of the constraint `x·inv === L`.
 */
function findZeroTests(constraints: readonly Constraint[], firstOpen: number): Map<number, ZeroTest> {
  const annihilators = new Map<string, { x: Combination; m: Combination }[]>();
  for (const { a, b, c } of constraints) {
    if (c.size > 0 || a.size === 0) continue;
    for (const [x, m] of [
      [a, b],
      [b, a],
    ] as const) {
      const key = wiresKey(x);
      annihilators.set(key, [...(annihilators.get(key) ?? []), { x, m }]);
    }
  }
  const found = new Map<number, ZeroTest>();
  constraints.forEach(({ a, b, c }, i) => {
    const l = withoutConstant(c);
    if (l.size === 0) return;
    for (const [x, inverse] of [
      [a, b],
      [b, a],
    ] as const) {
      const [wire] = inverse.keys();
      if (inverse.size !== 1 || wire! < firstOpen || l.has(wire!)) continue;
      for (const half of annihilators.get(wiresKey(x)) ?? []) {
        if (ratio(half.x, x) === undefined) continue;
        const factor = ratio(l, withoutConstant(half.m));
        if (factor !== undefined) found.set(i, { x, l: c, m: half.m, factor });
      }
    }
  });
  return found;
}

/** The step with its value times a factor; that of a product goes to the shorter one of X and Y. */
function scaleStep(step: Step, factor: bigint): Step {
  const l = scaled(step.l, factor);
  const toY = step.via === VIA_IS_ZERO || (step.via === VIA_PRODUCT && step.y.size < step.x.size);
  return toY ? { ...step, y: scaled(step.y, factor), l } : { ...step, x: scaled(step.x, factor), l };
}

/**
 * The values of all wires.
 *
 * Constraints that define no wire are not looked at: `checkWitness` does that.
 *
 * @param inputs in the order of the wires (alpha, beta, columns), each in `[0, r)`.
 * @returns `nWires × 32` bytes, little-endian, canonical: the constant 1, outputs, inputs, the other wires.
 * @throws SolverError `SOLVER_INPUT_COUNT`, `SOLVER_INPUT_NOT_CANONICAL`; `SOLVER_DIVISION_BY_ZERO` with the constraint.
 */
export function solve(plan: SolverPlan, inputs: readonly bigint[]): Uint8Array {
  const { coefficients, levels, steps, slots, termWires, termCoefficients, nWires } = plan;
  const values = inputValues(plan, inputs);

  const sum = (from: number, to: number): bigint => {
    let total = 0n;
    for (let i = from; i < to; i++) {
      const value = values[termWires[i]!]!;
      const index = termCoefficients[i]!;
      if (index === PLUS_ONE) total += value;
      else if (index === MINUS_ONE) total -= value;
      else total += value * coefficients[index]!;
    }
    return total;
  };

  const inverses = new Array<bigint>(slots.length / SLOT_SIZE);
  let term = 0;
  let slotTerm = steps.length === 0 ? 0 : steps[steps.length - 1]!;
  let step = 0;
  let slot = 0;
  for (let level = 0; level < levels.length; level += LEVEL_SIZE) {
    for (const end = levels[level]! * STEP_SIZE; step < end; step += STEP_SIZE) {
      const via = steps[step + 1]!;
      const [xEnd, yEnd, lEnd] = [steps[step + 2]!, steps[step + 3]!, steps[step + 4]!];
      let value: bigint;
      if (via >= VIA_SLOT) {
        const x = sum(term, xEnd);
        const inverse = inverses[via - VIA_SLOT]!;
        if (inverse === 0n && mod(x) !== 0n) throw divisionByZero(plan, via - VIA_SLOT);
        value = (x === 1n ? inverse : x * inverse) + sum(yEnd, lEnd);
      } else if (via === VIA_PRODUCT) {
        value = sum(term, xEnd) * sum(xEnd, yEnd) + sum(yEnd, lEnd);
      } else {
        value = mod(sum(term, xEnd)) === 0n ? sum(yEnd, lEnd) : sum(xEnd, yEnd);
      }
      values[steps[step]!] = mod(value);
      term = lEnd;
    }
    const end = levels[level + 1]!;
    for (let i = slot; i < end; i++) {
      const to = slots[i * SLOT_SIZE + 1]!;
      inverses[i] = sum(slotTerm, to);
      slotTerm = to;
    }
    invertBatch(inverses, slot, end);
    slot = end;
  }
  return writeValues(values, nWires);
}

/** The values of a plan with those that are known from the start. */
function inputValues(plan: SolverPlan, inputs: readonly bigint[]): bigint[] {
  const { nWires, nOutputs, nInputs, nTemporaries } = plan;
  if (inputs.length !== nInputs) {
    throw new SolverError("wrong number of inputs", {
      code: "SOLVER_INPUT_COUNT",
      where: "inputs",
      expected: `${nInputs}`,
      got: `${inputs.length}`,
    });
  }
  const values = new Array<bigint>(nWires + nTemporaries).fill(0n);
  values[ONE] = 1n;
  for (let i = 0; i < nInputs; i++) {
    const value = inputs[i];
    if (typeof value !== "bigint" || value < 0n || value >= FR_MODULUS) {
      throw new SolverError("input is not canonical", {
        code: "SOLVER_INPUT_NOT_CANONICAL",
        where: `inputs[${i}]`,
        expected: "a bigint from 0 to r - 1",
        got: typeof value === "bigint" ? `${value}` : typeof value,
      });
    }
    values[1 + nOutputs + i] = value;
  }
  return values;
}

function divisionByZero(plan: SolverPlan, slot: number): SolverError {
  return new SolverError("fraction has denominator 0 and another numerator", {
    code: "SOLVER_DIVISION_BY_ZERO",
    where: `constraint ${plan.slots[slot * SLOT_SIZE]}`,
  });
}

/**
 * Replaces numbers by their inverses, multiples of r by 0: Montgomery's trick, three multiplications each.
 *
 * Half of a solver's time (350 ns a multiplication). Barrett's reduction with bigints gains a tenth of that: not worth it.
 *
 * @param numbers any integers.
 */
function invertBatch(numbers: bigint[], from: number, to: number): void {
  const products = new Array<bigint>(to - from);
  let product = 1n;
  for (let i = from; i < to; i++) {
    products[i - from] = product;
    const next = (product * numbers[i]!) % FR_MODULUS;
    if (next === 0n) numbers[i] = 0n;
    else product = next;
  }
  let inverse = invert(product);
  for (let i = to - 1; i >= from; i--) {
    const number = numbers[i]!;
    if (number === 0n) continue;
    numbers[i] = (inverse * products[i - from]!) % FR_MODULUS;
    inverse = (inverse * number) % FR_MODULUS;
  }
}
