/**
 * What the child processes of the cold comparison report about themselves.
 *
 * @module
 */

/** @type {Record<string, number>} */
const phases = {};
let last = 0;

/** Ends a phase: milliseconds since the one before, or since the process began. */
export function phase(/** @type {string} */ name) {
  const now = performance.now();
  phases[name] = now - last;
  last = now;
}

/**
 * Prints one line of JSON: the phases, the processor time of all threads (ms), the peak resident memory (MB of 10⁶ bytes).
 */
export function finish() {
  const { user, system } = process.cpuUsage();
  const maxRss = (process.resourceUsage().maxRSS * 1024) / 1e6;
  console.log(JSON.stringify({ phases, cpu: (user + system) / 1000, maxRss }));
}
