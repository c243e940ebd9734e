/**
 * A process from spawn to exit, and what it took: time, processor time, peak resident memory. Measured from outside, the
 * same way whatever runs in it.
 *
 * The processor time is what the system adds to this process's account of ended children (`/proc/self/stat`, in steps of
 * 10 ms). The peak is `VmHWM` of `/proc/<pid>/status`, read every 5 ms: it can miss what is allocated in the last 5 ms. Not
 * `ru_maxrss`, which Node reports of itself too: that of a child begins with the peak of the process that it was spawned
 * from. Both need Linux; elsewhere only times are measured.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const LINUX = process.platform === "linux";
/** Milliseconds between two looks at the memory. */
const INTERVAL = 5;
/** Milliseconds of a clock tick in /proc. */
const TICK = 10;
/** Milliseconds after which a process is taken to hang. */
const TIMEOUT = 600_000;

/** Processor time of the children that have ended so far (ms). */
function childrenCpu() {
  // behind the name of the program in brackets: state, ...; cutime and cstime are fields 16 and 17 of the line
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return TICK * (Number(fields[13]) + Number(fields[14]));
}

/** Peak resident memory of a process so far (MB of 10⁶ bytes), 0 if it has ended. */
function peakOf(/** @type {number} */ pid) {
  try {
    const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found ? (Number(found[1]) * 1024) / 1e6 : 0;
  } catch {
    return 0;
  }
}

/**
 * Runs a process to its end.
 *
 * @param {string[]} command
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Record<string, number>>} `cpu` (ms) and `maxRss` (MB), where they can be had
 */
export function measure([command, ...args], env) {
  return new Promise((resolve, reject) => {
    const cpuBefore = LINUX ? childrenCpu() : 0;
    let [output, maxRss, timedOut] = ["", 0, false];
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
    const { pid } = child;
    const watch = setInterval(() => {
      if (LINUX && pid !== undefined) maxRss = Math.max(maxRss, peakOf(pid));
    }, INTERVAL);
    const limit = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, TIMEOUT);
    const done = () => {
      clearInterval(watch);
      clearTimeout(limit);
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => {
        output = (output + data).slice(-4000);
      });
    }
    child.on("error", (error) => {
      done();
      reject(error);
    });
    child.on("close", (code, signal) => {
      done();
      const text = `${command} ${args.join(" ")}`;
      if (timedOut) reject(new Error(`${text}\nwas ended after ${TIMEOUT / 1000} s:\n${output}`));
      else if (code !== 0) reject(new Error(`${text}\nended with ${code ?? signal}:\n${output}`));
      else resolve(LINUX ? { cpu: childrenCpu() - cpuBefore, ...(maxRss > 0 && { maxRss }) } : {});
    });
  });
}
