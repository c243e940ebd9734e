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
  return typeof witness === "object" && "wasm" in witness && "inputs" in witness;
}

/**
 * Opens a witness, computing it first if need be.
 *
 * @throws FormatError for a bad file; those of {@link calculateWitness}.
 */
export async function openWitness(witness: Source | CircomWitness, signal?: AbortSignal): Promise<WtnsFile> {
  if (!isCircomWitness(witness)) return openWtns(witness, signal);
  return openWtns(await calculateWitness(witness.wasm, witness.inputs, signal), signal);
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

/**
 * Runs a circom 2 witness calculator.
 *
 * @returns the witness as a `.wtns` file.
 * @throws ProverError `CIRCUIT_WASM` (not a circom 2 calculator over BN254), `INPUT_UNKNOWN`, `INPUT_MISSING`,
 *   `INPUT_LENGTH`, `INPUT_INVALID`, `WITNESS_FAILED` (the circuit rejects the inputs); FormatError when the file cannot be read.
 */
export async function calculateWitness(wasm: Source, inputs: CircuitInputs, signal?: AbortSignal): Promise<Uint8Array> {
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
    exports = instance.exports as unknown as Calculator;
    exports.init(1);
    if (exports.getFieldNumLen32() !== WORDS) throw new Error("another field size");
    exports.getRawPrime();
    if (readField(exports) !== FR_MODULUS) throw new Error("another field");
  } catch (cause) {
    throw new ProverError("not a witness calculator of circom 2 over BN254", { code: "CIRCUIT_WASM", where: name, cause });
  }

  let set = 0;
  for (const [signalName, value] of Object.entries(inputs)) {
    const where = `input ${signalName}`;
    const [high, low] = fnv1a(signalName);
    const flat = flatten(value, where);
    const size = exports.getInputSignalSize(high, low);
    if (size < 0) {
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

function flatten(value: InputValue, where: string): bigint[] {
  if (Array.isArray(value)) return value.flatMap((v, i) => flatten(v as InputValue, `${where}[${i}]`));
  try {
    if (typeof value === "number" && !Number.isSafeInteger(value)) throw new RangeError("not a safe integer");
    if (!["string", "number", "bigint", "boolean"].includes(typeof value) || value === "") throw new TypeError("not a number");
    const k = BigInt(value as string | number | bigint | boolean) % FR_MODULUS;
    return [k < 0n ? k + FR_MODULUS : k];
  } catch (cause) {
    throw new ProverError("not a field element", {
      code: "INPUT_INVALID",
      where,
      expected: "an integer as number, bigint, boolean, decimal or 0x string",
      got: String(value).slice(0, 80),
      cause,
    });
  }
}

/** 64-bit FNV-1a of a signal name, as circom looks signals up. */
function fnv1a(text: string): [high: number, low: number] {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)];
}
