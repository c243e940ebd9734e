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
