/**
 * Errors of making block proofs.
 *
 * @module
 */

import { ChunkproofError, type ErrorDetails } from "../verifier/errors.js";

/**
 * A block could not be turned into chunks or proofs: `BLOCK_TRACE` (the rows do not end up where the trace does),
 * `BLOCK_PRESTATE` (the trace lacks an account, code or slot), `BLOCK_LAYOUTS` (no layout has a row that the block needs),
 * `BLOCK_REFUSED` (no replica accepts the block, whatever is proved; the verifier's error is the cause), `BLOCK_UNBALANCED`
 * (the bus does not balance), `BLOCK_COLUMNS` (bytes that are not the columns of a chunk).
 */
export class BlockError extends ChunkproofError {
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}
