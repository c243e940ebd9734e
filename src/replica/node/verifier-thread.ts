/**
 * The thread behind `VerifierThread`.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { verifyBlock } from "../../verifier/block.js";
import type { BlockState } from "../../verifier/block-state.js";
import { VerifierError } from "../../verifier/errors.js";
import { parseKeySet } from "../../verifier/keyset.js";
import type { FromThread, StateMethod, ThreadKeys, ToThread } from "./verifier.js";

if (parentPort === null) throw new Error("not in a worker thread");
const port = parentPort;
const { keys: bytes, allowInsecure } = workerData as ThreadKeys;
const keys = parseKeySet(bytes, { allowInsecure });

const waiting = new Map<number, (value: unknown) => void>();
let calls = 0;

const post = (message: FromThread) => port.postMessage(message);

/** Where an answer never comes, this thread is about to be ended. */
function ask(method: StateMethod, args: readonly unknown[]): Promise<unknown> {
  const call = calls++;
  return new Promise((resolve) => {
    waiting.set(call, resolve);
    post({ type: "ask", call, method, args });
  });
}

async function verify({ job, proof, chainId, parent, methods }: ToThread & { type: "verify" }): Promise<void> {
  const state = Object.fromEntries(
    methods.map((method) => [method, (...args: readonly unknown[]) => ask(method, args)]),
  ) as unknown as BlockState;
  try {
    post({ type: "done", job, validity: await verifyBlock(proof, { state, keys, chainId, parent }) });
  } catch (error) {
    const known = error instanceof VerifierError ? error : undefined;
    const message = error instanceof Error ? error.message : String(error);
    post({ type: "error", job, code: known?.code, message, where: known?.where });
  }
}

port.on("message", (message: ToThread) => {
  if (message.type === "verify") {
    void verify(message);
    return;
  }
  const resolve = waiting.get(message.call);
  waiting.delete(message.call);
  resolve?.(message.value);
});
