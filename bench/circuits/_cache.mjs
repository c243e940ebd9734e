/**
 * What takes long to make is kept under `.cache/bench`.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../_machine.mjs";
import { progress } from "../_progress.mjs";

const CACHE = join(ROOT, ".cache", "bench");

/** Hexadecimal SHA-256 of the parts, with their lengths, 16 digits. */
export function digest(/** @type {(string | Uint8Array)[]} */ ...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/**
 * The folder `name` of the cache; `make` fills it if it is not there yet.
 *
 * @param {string} name
 * @param {string | undefined} what said when it is made
 * @param {(folder: string) => Promise<void>} make
 */
export async function cached(name, what, make) {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  const temporary = await mkdtemp(join(CACHE, "tmp-"));
  const start = performance.now();
  if (what !== undefined) progress(`${what} ...`);
  try {
    await make(temporary);
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  const seconds = (performance.now() - start) / 1000;
  if (what !== undefined && seconds > 1) progress(`${what}: ${seconds.toFixed(1)} s`);
  return folder;
}
