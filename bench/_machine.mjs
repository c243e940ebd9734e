/**
 * What a measurement depends on: hardware, versions, the state of the repository.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";

/** Root of the repository. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

const PACKAGES = ["snarkjs", "circomlib", "circom2", "@noble/curves", "assemblyscript", "webgpu", "gpu.js"];

/** Undefined where it isn't installed: a machine that is lent for its GPU needs few of them. */
function version(/** @type {string} */ name) {
  const path = `${ROOT}/node_modules/${name}/package.json`;
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).version : undefined;
}

function git(/** @type {string[]} */ ...args) {
  try {
    return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

/** "25/17": family and model tell generations apart that have the same name. Linux on x86 only. */
function cpuModel() {
  const text = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "";
  const [family, model] = ["cpu family", "model"].map((key) => new RegExp(`^${key}\\s*: (\\d+)$`, "m").exec(text)?.[1]);
  return family && model ? `${family}/${model}` : undefined;
}

/** The hardware. */
export function machine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cpuFamilyModel: cpuModel(),
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    os: `${os.platform()} ${os.arch()} ${os.release()}`,
  };
}

/** Name of this machine's result file. */
export function machineSlug() {
  const { cpu, cores, memoryGiB } = machine();
  return `${cpu} ${cores} cores ${memoryGiB} GiB`
    .toLowerCase()
    .replace(/\((r|tm)\)/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/**
 * Versions and circumstances of a run.
 *
 * @param {import("./baselines/rapidsnark.mjs").Rapidsnark | undefined} rapidsnark
 */
export function environment(rapidsnark) {
  return {
    date: new Date().toISOString(),
    node: process.version,
    v8: process.versions.v8,
    commit: git("rev-parse", "HEAD"),
    /** Whether anything but results differs from the commit. */
    dirty: git("status", "--porcelain", "--", ".", ":!bench/results")?.length !== 0,
    packages: {
      chunkproof: JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8")).version,
      ...Object.fromEntries(PACKAGES.map((name) => [name, version(name)])),
    },
    rapidsnark,
    /** Before the run: other work on the machine shows here. */
    loadAverage: os.loadavg(),
  };
}
