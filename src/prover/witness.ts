/**
 * Witnesses: `.wtns` files, or computed by the WebAssembly that circom generates (circom 2, `circuit_js/circuit.wasm`).
 *
 * @module
 */

import { ProverError } from "../errors.js";
import { FIELD_SIZE, FR_MODULUS, readBigintLE } from "../formats/bn254.js";
import { openSource, type Source } from "../formats/source.js";
import { openWtns, type WtnsFile, writeWtns } from "../formats/wtns.js";

/** An input signal: number, decimal or 0x string, bigint, boolean, or nested arrays of them. */
export type InputValue = string | number | bigint | boolean | readonly InputValue[];

/** Input signals by name; buses and nested objects are not supported. */
export type CircuitInputs = Readonly<Record<string, InputValue>>;

/** A circuit's witness calculator and the inputs for it. */
export interface CircomWitness {
  /** The `.wasm` that `circom --wasm` wrote. */
  readonly wasm: Source;
  readonly inputs: CircuitInputs;
}

function isCircomWitness(witness: Source | CircomWitness): witness is CircomWitness {
  return typeof witness === "object" && witness !== null && "wasm" in witness && "inputs" in witness;
}

/**
 * Opens a witness, computing it first if need be.
 *
 * @throws FormatError for a bad file; those of {@link runCalculator}.
 */
export async function openWitness(witness: Source | CircomWitness, signal?: AbortSignal): Promise<WtnsFile> {
  if (!isCircomWitness(witness)) return openWtns(witness, signal);
  return openWtns(await runCalculator(witness.wasm, witness.inputs, signal), signal);
}

/** Exports of a circom 2 witness calculator. */
interface Calculator {
  init(sanityCheck: number): void;
  getFieldNumLen32(): number;
  getRawPrime(): void;
  readSharedRWMemory(i: number): number;
  writeSharedRWMemory(i: number, value: number): void;
  getInputSignalSize(hashHigh: number, hashLow: number): number;
  setInputSignal(hashHigh: number, hashLow: number, position: number): void;
  getInputSize(): number;
  getWitnessSize(): number;
  getWitness(i: number): void;
  getMessageChar(): number;
}

/** Checked before the first call: what is missing shows up in the middle of a computation otherwise. */
const EXPORTS: readonly (keyof Calculator)[] = [
  "init",
  "getFieldNumLen32",
  "getRawPrime",
  "readSharedRWMemory",
  "writeSharedRWMemory",
  "getInputSignalSize",
  "setInputSignal",
  "getInputSize",
  "getWitnessSize",
  "getWitness",
  "getMessageChar",
];

/** What circom's runtime reports to `exceptionHandler`. */
const EXCEPTIONS = new Map([
  [1, "signal not found"],
  [2, "too many signals set"],
  [3, "signal already set"],
  [4, "an assert or constraint of the circuit failed"],
  [5, "not enough memory"],
  [6, "an input signal array is accessed beyond its size"],
]);

const WORDS = FIELD_SIZE / 4;
/** Dimensions of an input array, at most; far more than a circuit can have in practice, far less than the stack takes. */
const MAX_DEPTH = 64;

/** Runs a circom 2 witness calculator. @throws see `calculateWitness` of `groth16.ts`. */
export async function runCalculator(wasm: Source, inputs: CircuitInputs, signal?: AbortSignal): Promise<Uint8Array> {
  const source = await openSource(wasm, "circuit wasm", signal);
  const { name } = source;
  let bytes: Uint8Array;
  try {
    bytes = await source.read(0, source.size);
  } finally {
    await source.close();
  }
  const messages: string[] = [];
  let exports: Calculator;
  try {
    const message = (): string => {
      let text = "";
      for (let c = exports.getMessageChar(); c !== 0; c = exports.getMessageChar()) text += String.fromCharCode(c);
      return text;
    };
    const { instance } = await WebAssembly.instantiate(bytes as BufferSource, {
      runtime: {
        exceptionHandler: (code: number) => {
          throw new ProverError(EXCEPTIONS.get(code) ?? `the circuit failed with code ${code}`, {
            code: "WITNESS_FAILED",
            where: [name, ...messages].join(": "),
          });
        },
        printErrorMessage: () => {
          messages.push(message().trim());
        },
        writeBufferMessage: () => {
          message();
        },
        showSharedRWMemory: () => {},
      },
    });
    const missing = EXPORTS.filter((key) => typeof instance.exports[key] !== "function");
    if (missing.length > 0) throw new Error(`no export ${missing.join(", ")}`);
    exports = instance.exports as unknown as Calculator;
    exports.init(1);
    if (exports.getFieldNumLen32() !== WORDS) throw new Error("another field size");
    exports.getRawPrime();
    if (readField(exports) !== FR_MODULUS) throw new Error("another field");
    const n = exports.getWitnessSize();
    if (!(n > 0)) throw new Error(`a witness of ${n} values`);
  } catch (cause) {
    throw new ProverError("not a witness calculator of circom 2 over BN254", {
      code: "CIRCUIT_WASM",
      where: name,
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }

  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs)) {
    throw new ProverError("not an object", {
      code: "INPUT_INVALID",
      where: "inputs",
      expected: "input signals by name",
      got: describe(inputs),
    });
  }
  try {
    return compute(exports, name, inputs, signal);
  } catch (cause) {
    if (cause instanceof ProverError || (signal?.aborted && cause === signal.reason)) throw cause;
    // a trap, a stack overflow (RangeError), or answers of another type than a calculator's
    throw new ProverError("the witness calculator crashed", {
      code: "WITNESS_FAILED",
      where: [name, ...messages].join(": "),
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

/** Sets the inputs, which makes the calculator run, and collects what it computed. */
function compute(
  exports: Calculator,
  name: string,
  inputs: CircuitInputs,
  signal: AbortSignal | undefined,
): Uint8Array {
  let set = 0;
  for (const [signalName, value] of Object.entries(inputs)) {
    const where = `input ${signalName}`;
    const [high, low] = fnv1a(signalName);
    const flat: bigint[] = [];
    flatten(value, where, flat, 0);
    const size = exports.getInputSignalSize(high, low);
    // circom answers 0 for names it does not know; an input with 0 values takes none either
    if (size <= 0 && flat.length > 0) {
      throw new ProverError("the circuit has no such input", { code: "INPUT_UNKNOWN", where });
    }
    if (flat.length !== size) {
      throw new ProverError("wrong number of values", {
        code: "INPUT_LENGTH",
        where,
        expected: String(size),
        got: String(flat.length),
      });
    }
    for (let i = 0; i < size; i++) {
      signal?.throwIfAborted();
      writeField(exports, flat[i]!);
      exports.setInputSignal(high, low, i);
      set++;
    }
  }
  if (set < exports.getInputSize()) {
    throw new ProverError("not all inputs are set", {
      code: "INPUT_MISSING",
      where: name,
      expected: `${exports.getInputSize()} values`,
      got: String(set),
    });
  }

  const n = exports.getWitnessSize();
  const values = new Uint8Array(n * FIELD_SIZE);
  const view = new DataView(values.buffer);
  for (let i = 0; i < n; i++) {
    exports.getWitness(i);
    for (let j = 0; j < WORDS; j++) view.setUint32(i * FIELD_SIZE + 4 * j, exports.readSharedRWMemory(j), true);
  }
  return writeWtns(values);
}

function readField(calculator: Calculator): bigint {
  const bytes = new Uint8Array(FIELD_SIZE);
  const view = new DataView(bytes.buffer);
  for (let j = 0; j < WORDS; j++) view.setUint32(4 * j, calculator.readSharedRWMemory(j), true);
  return readBigintLE(bytes, 0, FIELD_SIZE);
}

function writeField(calculator: Calculator, value: bigint): void {
  for (let j = 0; j < WORDS; j++) calculator.writeSharedRWMemory(j, Number((value >> BigInt(32 * j)) & 0xffffffffn));
}

/** Appends the values of an input to `out`, in circom's order: row by row. */
function flatten(value: InputValue, where: string, out: bigint[], depth: number): void {
  if (Array.isArray(value)) {
    if (depth === MAX_DEPTH) throw invalidInput(where, `at most ${MAX_DEPTH} dimensions`, "more");
    // by index: a hole in the array is a missing value, not none
    for (let i = 0; i < value.length; i++) flatten(value[i], `${where}[${i}]`, out, depth + 1);
    return;
  }
  out.push(toField(value as Exclude<InputValue, readonly InputValue[]>, where));
}

function toField(value: string | number | bigint | boolean, where: string): bigint {
  const k = toInteger(value);
  if (k === undefined) {
    throw invalidInput(where, "an integer as number, bigint, boolean, decimal or 0x string", describe(value));
  }
  const residue = k % FR_MODULUS;
  return residue < 0n ? residue + FR_MODULUS : residue;
}

function toInteger(value: string | number | bigint | boolean): bigint | undefined {
  if (typeof value === "number" && !Number.isSafeInteger(value)) return undefined;
  if (!["string", "number", "bigint", "boolean"].includes(typeof value)) return undefined;
  // BigInt() takes blanks for 0
  if (typeof value === "string" && value.trim() === "") return undefined;
  try {
    return BigInt(value);
  } catch {
    // its message repeats the text
    return undefined;
  }
}

function invalidInput(where: string, expected: string, got: string): ProverError {
  return new ProverError("not a field element", { code: "INPUT_INVALID", where, expected, got });
}

/** What kind of value it is, never the value itself: inputs are secrets, and messages end up in logs. */
function describe(value: unknown): string {
  if (typeof value === "string") return `text of ${value.length} characters`;
  if (typeof value === "number")
    return Number.isInteger(value) ? "a number beyond 2^53" : "a number that is no integer";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value === null || value === undefined) return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** 64-bit FNV-1a of a signal name, as circom looks signals up. */
function fnv1a(text: string): [high: number, low: number] {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text))
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)];
}
