/**
 * A worker thread of the pool: instantiates the kernel on the shared memory it is given and runs calls.
 *
 * @module
 */

import { parentPort } from "#platform";
import { type Call, instantiateKernel, type Kernel, runCalls } from "./kernel.js";

/** First message to a worker. */
export interface InitMessage {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly tls: number;
}

/** Every further message to a worker. */
export interface TaskMessage {
  readonly calls: readonly Call[];
  readonly scratch: number;
}

/** Answer to a {@link TaskMessage}; to an {@link InitMessage} it is an empty result. */
export type Answer = { readonly results: number[] } | { readonly error: string };

const port = parentPort();
let kernel: Kernel | undefined;

port.onMessage((message) => {
  let answer: Answer;
  try {
    if (kernel === undefined) {
      const { module, memory, tls } = message as InitMessage;
      kernel = instantiateKernel(module, memory, tls);
      answer = { results: [] };
    } else {
      const { calls, scratch } = message as TaskMessage;
      answer = { results: runCalls(kernel, calls, scratch) };
    }
  } catch (error) {
    answer = { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
  port.post(answer);
});
