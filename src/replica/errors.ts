/**
 * Errors of replicas.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";

/**
 * A replica cannot work with its own state: `SNAPSHOT_ROOT` (the accounts do not make up the state root),
 * `SNAPSHOT_ACCOUNT` (an account with nothing in it, or one that is there twice), `SNAPSHOT_DIFF` (a change that no block
 * can have made).
 */
export class ReplicaError extends ChunkproofError {
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}
