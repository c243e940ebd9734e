/**
 * rapidsnark's prover, when the environment variable `RAPIDSNARK` names its binary. It takes all threads there are.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";

/**
 * @typedef {object} Rapidsnark
 * @property {string} path
 * @property {string} sha256 of the binary
 * @property {string} says first line of its answer to `--version`, which it may not know
 */

/**
 * The binary that `RAPIDSNARK` names.
 *
 * @returns {Rapidsnark | undefined} undefined where the variable is not set
 * @throws if it cannot be executed
 */
export function findRapidsnark() {
  const { RAPIDSNARK } = process.env;
  if (!RAPIDSNARK) return undefined;
  const path = resolve(RAPIDSNARK);
  const bad = (/** @type {string} */ why) => new Error(`RAPIDSNARK=${RAPIDSNARK}: ${why}`);
  let stat;
  try {
    stat = statSync(path);
    accessSync(path, constants.X_OK);
  } catch (error) {
    throw bad(/** @type {any} */ (error).code === "ENOENT" ? "no such file" : "not executable");
  }
  if (!stat.isFile()) throw bad("not a file");
  const { error, stdout, stderr } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 10_000 });
  if (error) throw bad(`cannot be run: ${error.message}`);
  const says = `${stdout}${stderr}`.trim().split("\n")[0].slice(0, 200);
  return { path, sha256: createHash("sha256").update(readFileSync(path)).digest("hex"), says };
}
