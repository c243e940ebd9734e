/**
 * A session in a module worker: the same four functions, by messages. Every result is plain data, which `postMessage` copies
 * as it is, bigints and bytes included; of errors only message and code come across.
 *
 * @module
 */

/** @typedef {import("./session.js").Session} Session */

/** Of the page: do this. @typedef {{ id: number, method: string, args: unknown[] } | { id: number, abort: true }} Request */
/** Of the worker. @typedef {{ id: number, result?: unknown, event?: any, error?: { message: string, code?: string } }} Answer */

/** @returns {Session} */
export function workerSession() {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  /** @type {Map<number, { resolve(value: any): void, reject(error: Error): void, onEvent?: ((event: any) => void) | undefined }>} */
  const calls = new Map();
  let last = 0;
  /** Why it answers no more. @type {string | undefined} */
  let ended;

  worker.addEventListener("message", ({ data }) => {
    const { id, result, event, error } = /** @type {Answer} */ (data);
    const call = calls.get(id);
    if (call === undefined) return;
    if (event !== undefined) return call.onEvent?.(event);
    calls.delete(id);
    if (error === undefined) call.resolve(result);
    else call.reject(Object.assign(new Error(error.message), { code: error.code }));
  });
  /** @param {string} message */
  const end = (message) => {
    ended ??= message;
    worker.terminate();
    for (const { reject } of calls.values()) reject(new Error(message));
    calls.clear();
  };
  // without these a worker that does not start leaves everybody waiting
  worker.addEventListener("error", ({ message }) => end(`the worker failed: ${message || "it could not be loaded"}`));
  worker.addEventListener("messageerror", () => end("the worker failed: a message could not be read"));

  /** @param {string} method @param {unknown[]} args @param {(event: any) => void} [onEvent] @param {AbortSignal} [signal] */
  const call = async (method, args, onEvent, signal) => {
    if (ended !== undefined) throw new Error(ended);
    const id = ++last;
    const abort = () => worker.postMessage(/** @type {Request} */ ({ id, abort: true }));
    /** @type {Promise<any>} */
    const answer = new Promise((resolve, reject) => calls.set(id, { resolve, reject, onEvent }));
    worker.postMessage(/** @type {Request} */ ({ id, method, args }));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    return answer.finally(() => signal?.removeEventListener("abort", abort));
  };

  return {
    open: (options) => call("open", [options]),
    verify: (proof) => call("verify", [proof]),
    goOn: () => call("goOn", []),
    follow: (origin, every, signal, onEvent) => call("follow", [origin, every], onEvent, signal),
    close: () => end("the worker was closed"),
  };
}
