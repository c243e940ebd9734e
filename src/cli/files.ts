/**
 * The files of a command: how messages call them, and whether those it writes can be written.
 *
 * @module
 */

import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { ChunkproofError, FormatError } from "../errors.js";
import { openSource } from "../formats/source.js";

const REMOTE = /^(https?|blob|data):/i;

/**
 * Checks that files can be put under the names in `outputs`, so that nobody waits for a result that can't be written, and
 * that none of them would replace another one or an input, whatever way its name is written.
 *
 * @throws FormatError `FILE_UNWRITABLE`.
 */
export async function checkWritable(outputs: readonly string[], inputs: readonly string[]): Promise<void> {
  const taken = new Map<string, string>();
  for (const input of inputs) {
    if (REMOTE.test(input)) continue;
    // that an input is missing is for its reader to say
    const place = await placeOf(input).catch(() => undefined);
    if (place !== undefined) taken.set(place, `the input ${input}`);
  }
  for (const path of outputs) {
    const refuse = (got: string, expected?: string) =>
      new FormatError("cannot be written", { code: "FILE_UNWRITABLE", where: path, expected, got });
    if (REMOTE.test(path)) throw refuse("a URL", "a path");
    let place: string;
    try {
      place = await placeOf(path);
      await access(dirname(place), constants.W_OK | constants.X_OK);
    } catch (error) {
      throw refuse((error as Error).message);
    }
    const found = await stat(place).catch(() => undefined);
    if (found !== undefined && !found.isFile()) {
      throw refuse(found.isDirectory() ? "a directory" : "a pipe or device", "a regular file, or nothing yet");
    }
    const other = taken.get(place);
    if (other !== undefined) throw refuse(`the same file as ${other}`, "a file of its own");
    taken.set(place, `the output ${path}`);
  }
}

/** Larger ones could not be held as one string. */
const MAX_BYTES = (1 << 29) - 1;

/**
 * Reads a whole file.
 *
 * @param what is expected there, for messages about URLs that are no name.
 * @throws FormatError those of `openSource`.
 */
export async function readBytes(path: string, what: string, signal: AbortSignal): Promise<Uint8Array> {
  const source = await openSource(path, what, signal, MAX_BYTES);
  try {
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

/** Reads a file and what it says; errors name the file. */
export async function readAs<T>(
  path: string,
  what: string,
  signal: AbortSignal,
  decode: (bytes: Uint8Array) => T | Promise<T>,
): Promise<T> {
  const bytes = await readBytes(path, what, signal);
  try {
    return await decode(bytes);
  } catch (error) {
    throw inFile(path, error);
  }
}

/** The one absolute path of a file that may not exist yet: links followed, `.` and `..` gone. */
async function placeOf(path: string): Promise<string> {
  const local = /^file:/i.test(path) ? fileURLToPath(path) : path;
  try {
    return await realpath(local);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    if (local === "" || local.endsWith("/") || local.endsWith(sep)) throw new Error("not the name of a file");
    return join(await realpath(dirname(local)), basename(local));
  }
}

/** What messages call a file: query and fragment of a URL may hold secrets, a data: URL holds the content. */
export function nameOf(path: string): string {
  if (/^data:/i.test(path)) return "data URL";
  return REMOTE.test(path) ? path.replace(/[?#].*$/s, "") : path;
}

/** Puts the file in front of what an error of chunkproof says: the library was given values and can't know it. */
export function inFile<E>(path: string, error: E): E {
  if (error instanceof ChunkproofError) {
    const name = nameOf(path);
    const where = error.where === undefined ? name : `${name}: ${error.where}`;
    Object.assign(error, { where, message: `${name}: ${error.message}` });
  }
  return error;
}
