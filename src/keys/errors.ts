/**
 * Errors of key folders.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";

/**
 * A folder of keys is not what it must be: `KEYS_MISSING`, `KEYS_MALFORMED` (the manifest), `KEYS_DAMAGED` (a file that is not
 * the one that was made), `KEYS_FOREIGN` (made from other circuits than this package's).
 */
export class KeysError extends ChunkproofError {
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}
