/**
 * The thread that {@link calculateApart} starts: reads the inputs, runs the circuit's calculator, answers once.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { ChunkproofError } from "../errors.js";
import { readJson } from "../formats/json.js";
import { type CircuitInputs, calculateWitness } from "../prover/index.js";
import { inFile } from "./files.js";
import type { CalculatorAnswer, CalculatorOrder } from "./witness.js";

const { inputPath, wasm } = workerData as CalculatorOrder;
const answer = (content: CalculatorAnswer, transferred: ArrayBuffer[] = []) =>
  parentPort!.postMessage(content, transferred);

try {
  const inputs = (await readJson(inputPath, "inputs")) as CircuitInputs;
  const witness = (await calculateWitness(wasm, inputs)) as Uint8Array<ArrayBuffer>;
  answer({ witness }, [witness.buffer]);
} catch (error) {
  // the others arrive as the thread's failure
  if (!(error instanceof ChunkproofError)) throw error;
  const { code } = error;
  const { message, where, expected, got } = code.startsWith("INPUT_") ? inFile(inputPath, error) : error;
  // by hand: between threads an error loses its class and its fields
  answer({ failure: { message, code, where, expected, got } });
}
