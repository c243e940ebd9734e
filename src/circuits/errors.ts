/**
 * Errors of circuits: their sources, their compilation, their witnesses.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";

/**
 * A circuit is not what it must be: `CIRCUIT_SOURCE`, `CIRCUIT_LAYOUT`, `CIRCUIT_PUBLIC` (committed columns are not the
 * public signals), `CIRCUIT_SIZE`; `CIRCOM_MISSING`, `CIRCOM_FAILED`.
 */
export class CircuitError extends ChunkproofError {
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}

/** A constraint system could not be solved, or a plan for solving it is damaged; `where` names constraint or byte. */
export class SolverError extends ChunkproofError {
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}
