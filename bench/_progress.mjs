/**
 * What the benchmark is doing, on stderr, with the time since it began.
 *
 * @module
 */

const start = performance.now();

/** Seconds since the benchmark began. */
export const elapsed = () => (performance.now() - start) / 1000;

/** Says what is being done or has been found. */
export function progress(/** @type {string} */ text) {
  const seconds = Math.floor(elapsed());
  const [m, s] = [Math.floor(seconds / 60), seconds % 60].map((n) => String(n).padStart(2, "0"));
  console.error(`[${m}:${s}] ${text}`);
}
