/**
 * Witness calculators on a thread of their own: they run without a pause, and on the main thread no Ctrl-C would be heard
 * until they are done. Also the key is loaded in the meantime.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { ChunkproofError, type ErrorDetails } from "../errors.js";

/** What the thread is to do. */
export interface CalculatorOrder {
  readonly inputPath: string;
  readonly wasm: string;
}

/** What it answers. */
export type CalculatorAnswer =
  | { readonly witness: Uint8Array<ArrayBuffer> }
  | { readonly failure: ErrorDetails & { readonly message: string } };

/**
 * Computes a witness from a JSON file of inputs.
 *
 * @param signal ends the calculator, wherever it is; what is thrown then is `signal.reason`.
 * @returns a `.wtns` file.
 * @throws ChunkproofError those of `readJson` and `calculateWitness`.
 */
export async function calculateApart(order: CalculatorOrder, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  signal.throwIfAborted();
  // by way of the folder: scripts/bundle-cli.mjs may put this module into the one beside it
  const worker = new Worker(new URL("../cli/witness-thread.js", import.meta.url), { workerData: order, execArgv: [] });
  try {
    return await new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      worker.once("message", (answer: CalculatorAnswer) => {
        if ("witness" in answer) return resolve(answer.witness);
        const { message, ...details } = answer.failure;
        // the message is complete already
        reject(Object.assign(new ChunkproofError("", details), { message }));
      });
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`the thread of the witness calculator ended with code ${code}`)));
    });
  } finally {
    await worker.terminate();
  }
}
