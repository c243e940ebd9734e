/**
 * How the wires of a circuit are computed, and the bytes a plan is kept in beside the keys. All integers u32
 * little-endian.
 *
 * ```text
 * "cpsp" | version | nWires | nOutputs | nInputs | nTemporaries | nCoefficients | nLevels | nSteps | nSlots | nTerms
 * coefficients  nCoefficients × (32 bytes LE, canonical), the first two 1 and r - 1
 * levels        nLevels × (steps up to this level | slots up to this level)
 * steps         nSteps × (target | via | end of X | end of Y | end of L)
 * slots         nSlots × (constraint | end of the denominator)
 * terms         nTerms × wire, then nTerms × coefficient
 * digest        SHA-256 of everything before it
 * ```
 *
 * X, Y, L and denominators are combinations `Σ coefficient · value`. They lie in the terms one after another, the steps'
 * first, so that only their ends are written. See {@link SolverPlan} for what a step does.
 *
 * @module
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bigintToBytesLE, FIELD_SIZE, FR_MODULUS, indexOfNonCanonical } from "../formats/bn254.js";
import { SolverError } from "./errors.js";
import { MINUS_ONE, mod, PLUS_ONE, readValues, signed } from "./linear.js";

/** `via` of a step that assigns `X·Y + L`. */
export const VIA_PRODUCT = 0;
/** `via` of a step that assigns `Y` if `X ≠ 0`, otherwise `L`. */
export const VIA_IS_ZERO = 1;
/** `via` of a step that assigns `X·i + L`, where i is the inverse that slot `via - 2` holds (0 if it divides by 0). */
export const VIA_SLOT = 2;

/** Numbers of a step in {@link SolverPlan.steps}. */
export const STEP_SIZE = 5;
/** Numbers of a slot in {@link SolverPlan.slots}. */
export const SLOT_SIZE = 2;
/** Numbers of a level in {@link SolverPlan.levels}. */
export const LEVEL_SIZE = 2;

/**
 * The order in which the wires of a circuit are computed: level by level, in each the steps and then the inverses of all
 * denominators that are known by then. Immutable; can be posted to a worker.
 */
export interface SolverPlan {
  /** Wires of the circuit, the constant 1 included. */
  readonly nWires: number;
  /** Outputs; their wires follow the constant. */
  readonly nOutputs: number;
  /** Inputs; their wires follow the outputs. */
  readonly nInputs: number;
  /** Values that are no wires and come after them. */
  readonly nTemporaries: number;
  /** Signed, in `(-r/2, r/2)`; the first two are 1 and -1. */
  readonly coefficients: readonly bigint[];
  readonly levels: Uint32Array;
  readonly steps: Uint32Array;
  readonly slots: Uint32Array;
  readonly termWires: Uint32Array;
  readonly termCoefficients: Uint32Array;
}

const MAGIC = 0x70737063;
const VERSION = 1;
const HEADER_WORDS = 11;
const DIGEST_SIZE = 32;
/** Far more than a domain has points; keeps a wrong number from costing memory. */
const MAX_VALUES = 2 ** 28;
const NAME = "solver plan";

/** The bytes of a plan. Equal plans have equal bytes. */
export function encodePlan(plan: SolverPlan): Uint8Array {
  const { coefficients, levels, steps, slots, termWires, termCoefficients } = plan;
  const header = Uint32Array.of(
    MAGIC,
    VERSION,
    plan.nWires,
    plan.nOutputs,
    plan.nInputs,
    plan.nTemporaries,
    coefficients.length,
    levels.length / LEVEL_SIZE,
    steps.length / STEP_SIZE,
    slots.length / SLOT_SIZE,
    termWires.length,
  );
  const arrays = [levels, steps, slots, termWires, termCoefficients];
  const nWords = arrays.reduce((sum, array) => sum + array.length, HEADER_WORDS);
  const bytes = new Uint8Array(4 * nWords + coefficients.length * FIELD_SIZE + DIGEST_SIZE);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const put = (words: Uint32Array): void => {
    for (let i = 0; i < words.length; i++, at += 4) view.setUint32(at, words[i]!, true);
  };
  put(header);
  for (const value of coefficients) {
    bytes.set(bigintToBytesLE(mod(value), FIELD_SIZE), at);
    at += FIELD_SIZE;
  }
  arrays.forEach(put);
  bytes.set(sha256(bytes.subarray(0, at)), at);
  return bytes;
}

/**
 * Reads a plan. What comes back computes every wire once and uses none before: {@link SolverPlan} needs no further check.
 *
 * @throws SolverError `PLAN_MALFORMED`, `PLAN_VERSION`, `PLAN_DIGEST`.
 */
export function decodePlan(bytes: Uint8Array): SolverPlan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const minimum = 4 * HEADER_WORDS + DIGEST_SIZE;
  if (bytes.length < minimum) throw malformed("length", `at least ${minimum} bytes`, `${bytes.length}`);
  const [magic, version, nWires, nOutputs, nInputs, nTemporaries, nCoefficients, nLevels, nSteps, nSlots, nTerms] =
    Array.from({ length: HEADER_WORDS }, (_, i) => view.getUint32(4 * i, true)) as Header;
  if (magic !== MAGIC) throw malformed("magic", "cpsp", `0x${magic.toString(16)}`);
  if (version !== VERSION) {
    throw new SolverError("plan has another version", {
      code: "PLAN_VERSION",
      where: NAME,
      expected: `${VERSION}`,
      got: `${version}`,
    });
  }
  const length =
    minimum +
    nCoefficients * FIELD_SIZE +
    4 * (nLevels * LEVEL_SIZE + nSteps * STEP_SIZE + nSlots * SLOT_SIZE + 2 * nTerms);
  if (bytes.length !== length) throw malformed("length", `${length} bytes`, `${bytes.length}`);
  const end = length - DIGEST_SIZE;
  const digest = sha256(bytes.subarray(0, end));
  if (!digest.every((byte, i) => byte === bytes[end + i])) {
    throw new SolverError("plan is damaged", { code: "PLAN_DIGEST", where: NAME });
  }

  let at = 4 * HEADER_WORDS;
  const numbers = bytes.subarray(at, at + nCoefficients * FIELD_SIZE);
  const bad = indexOfNonCanonical(numbers, FR_MODULUS);
  if (bad !== -1) throw malformed(`coefficient ${bad}`, "a number below r", "another");
  const coefficients = readValues(numbers).map(signed);
  at += numbers.length;
  const take = (n: number): Uint32Array => {
    const words = new Uint32Array(n);
    for (let i = 0; i < n; i++, at += 4) words[i] = view.getUint32(at, true);
    return words;
  };
  const levels = take(nLevels * LEVEL_SIZE);
  const steps = take(nSteps * STEP_SIZE);
  const slots = take(nSlots * SLOT_SIZE);
  const termWires = take(nTerms);
  const termCoefficients = take(nTerms);
  const plan = {
    nWires,
    nOutputs,
    nInputs,
    nTemporaries,
    coefficients,
    levels,
    steps,
    slots,
    termWires,
    termCoefficients,
  };
  checkOrder(plan);
  return plan;
}

type Header = [
  magic: number,
  version: number,
  nWires: number,
  nOutputs: number,
  nInputs: number,
  nTemporaries: number,
  nCoefficients: number,
  nLevels: number,
  nSteps: number,
  nSlots: number,
  nTerms: number,
];

function malformed(where: string, expected: string, got: string): SolverError {
  return new SolverError("not a plan", { code: "PLAN_MALFORMED", where: `${NAME}: ${where}`, expected, got });
}

/** Walks a plan as the solver does: every value is computed once, and used only after that. */
function checkOrder(plan: SolverPlan): void {
  const { nWires, nOutputs, nInputs, nTemporaries, coefficients, levels, steps, slots, termWires } = plan;
  const nValues = nWires + nTemporaries;
  const nSteps = steps.length / STEP_SIZE;
  const nSlots = slots.length / SLOT_SIZE;
  const first = 1 + nOutputs + nInputs;
  if (nValues > MAX_VALUES) throw malformed("nWires", `at most ${MAX_VALUES} values`, `${nValues}`);
  if (first > nWires) throw malformed("nWires", `at least ${first}`, `${nWires}`);
  if (nSteps !== nValues - 1 - nInputs) throw malformed("nSteps", `${nValues - 1 - nInputs}`, `${nSteps}`);
  if (coefficients[PLUS_ONE] !== 1n || coefficients[MINUS_ONE] !== -1n) {
    throw malformed("coefficients", "1 and -1 first", coefficients.slice(0, 2).join(", "));
  }
  const unknown = plan.termCoefficients.findIndex((index) => index >= coefficients.length);
  if (unknown !== -1) throw malformed(`term ${unknown}`, `a coefficient below ${coefficients.length}`, "another");

  const known = new Uint8Array(nValues);
  known[0] = 1;
  known.fill(1, 1 + nOutputs, first);
  let term = 0;
  const use = (end: number, limit: number, where: string): number => {
    if (end < term || end > limit) throw malformed(where, `an end from ${term} to ${limit}`, `${end}`);
    for (; term < end; term++) {
      if (known[termWires[term]!] !== 1) throw malformed(where, "known values only", `value ${termWires[term]}`);
    }
    return end;
  };
  // the terms of the denominators begin where those of the steps end
  let slotTerm = nSteps === 0 ? 0 : steps[steps.length - 1]!;
  const stepLimit = slotTerm;
  let step = 0;
  let slot = 0;
  for (let level = 0; level < levels.length; level += LEVEL_SIZE) {
    const stepEnd = levels[level]!;
    const slotEnd = levels[level + 1]!;
    const where = `level ${level / LEVEL_SIZE}`;
    if (stepEnd < step || stepEnd > nSteps) throw malformed(where, `steps from ${step} to ${nSteps}`, `${stepEnd}`);
    if (slotEnd < slot || slotEnd > nSlots) throw malformed(where, `slots from ${slot} to ${nSlots}`, `${slotEnd}`);
    for (; step < stepEnd; step++) {
      const at = step * STEP_SIZE;
      const [target, via] = [steps[at]!, steps[at + 1]!];
      if (via >= VIA_SLOT + slot)
        throw malformed(`step ${step}`, "an inverse of an earlier level", `${via - VIA_SLOT}`);
      for (let k = 2; k < STEP_SIZE; k++) use(steps[at + k]!, stepLimit, `step ${step}`);
      // known[target] is undefined for what is out of range
      if (known[target] !== 0) throw malformed(`step ${step}`, "a value that is still unknown", `value ${target}`);
      known[target] = 1;
    }
    const resume = term;
    term = slotTerm;
    for (; slot < slotEnd; slot++) slotTerm = use(slots[slot * SLOT_SIZE + 1]!, termWires.length, `slot ${slot}`);
    term = resume;
  }
  if (step !== nSteps) throw malformed("levels", `${nSteps} steps`, `${step}`);
  if (slot !== nSlots) throw malformed("levels", `${nSlots} slots`, `${slot}`);
  if (slotTerm !== termWires.length) throw malformed("terms", `${slotTerm}`, `${termWires.length}`);
}
