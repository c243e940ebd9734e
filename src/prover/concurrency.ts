/**
 * Waiting for work that shares memory.
 *
 * @module
 */

/**
 * Waits for all, then throws the first failure: nothing must still write to memory that is about to be given back.
 *
 * @returns the results in order.
 */
export async function allDone<const T extends readonly unknown[]>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const settled = await Promise.allSettled(promises);
  return settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  }) as { -readonly [K in keyof T]: Awaited<T[K]> };
}

/** Waits for a promise, but no longer than until the signal aborts: then its reason is thrown. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        onAbort = () => reject(signal.reason);
        signal.addEventListener("abort", onAbort);
      }),
    ]);
  } finally {
    signal.removeEventListener("abort", onAbort!);
  }
}
