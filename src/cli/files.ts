/**
 * Output files of commands.
 *
 * @module
 */

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { FormatError } from "../errors.js";

/**
 * Checks that files can be put under these names, so that nobody waits for a result that can't be written, and no half of
 * a pair of files is replaced.
 *
 * @throws FormatError `FILE_UNWRITABLE`, also when two of the paths are the same.
 */
export async function checkWritable(...paths: readonly string[]): Promise<void> {
  for (const [i, path] of paths.entries()) {
    const refuse = (got: string, expected?: string) =>
      new FormatError("cannot be written", { code: "FILE_UNWRITABLE", where: path, expected, got });
    if (paths.indexOf(path) < i) throw refuse("the same path twice", "a path for each file");
    const local = /^file:/i.test(path) ? fileURLToPath(path) : path;
    try {
      await access(dirname(local), constants.W_OK | constants.X_OK);
    } catch (error) {
      throw refuse((error as Error).message);
    }
    const found = await stat(local).catch(() => undefined);
    if (found !== undefined && !found.isFile()) {
      throw refuse(found.isDirectory() ? "a directory" : "a pipe or device", "a regular file, or nothing yet");
    }
  }
}
