/**
 * Errors of row assignment.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";

/** Why a row could not be assigned: the trace contradicts itself, or a module its circuit. */
export class RowError extends ChunkproofError {
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}
