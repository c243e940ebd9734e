/**
 * The other side of `executor.ts`.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { ChunkproofError } from "../errors.js";
import { openKeys } from "../keys/folder.js";
import { Compute } from "./compute.js";
import type { FromThread, Operation, SentError, ThreadOptions, ToThread } from "./executor.js";

const { keys, ...options } = workerData as ThreadOptions;
const port = parentPort!;
let compute: Promise<Compute> | undefined;
const running = new Map<number, AbortController>();

const open = async (): Promise<Compute> => new Compute({ ...options, folder: await openKeys(keys) });

async function run(operation: Operation, input: unknown, signal: AbortSignal): Promise<unknown> {
  compute ??= open();
  // keys that could not be opened may be there the next time
  compute.catch(() => {
    compute = undefined;
  });
  const method = (await compute)[operation] as (input: unknown, signal: AbortSignal) => Promise<unknown>;
  return method.call(await compute, input, signal);
}

function sent(error: unknown): SentError {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof ChunkproofError)) return { code: "INTERNAL", message };
  const { code, where, expected, got } = error;
  return { code, message, where, expected, got };
}

port.on("message", async (message: ToThread) => {
  const { id } = message;
  if ("abort" in message) {
    running.get(id)?.abort();
    return;
  }
  const controller = new AbortController();
  running.set(id, controller);
  let answer: FromThread;
  try {
    answer = { id, result: await run(message.operation, message.input, controller.signal) };
  } catch (error) {
    answer = { id, error: sent(error) };
  } finally {
    running.delete(id);
  }
  port.postMessage(answer);
});
