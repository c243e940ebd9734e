/**
 * Errors outside the verifier. One class per place where something can go wrong, a stable `code` per condition.
 *
 * @module
 */

import { ChunkproofError } from "./verifier/errors.js";

export { ChunkproofError, type ErrorDetails } from "./verifier/errors.js";

/** A file (`.zkey`, `.wtns`, `.r1cs`, `.ptau`, JSON) is missing, truncated, foreign or malformed. */
export class FormatError extends ChunkproofError {}

/** The prover was used wrongly, or its input contradicts itself (witness of another circuit, closed key, ...). */
export class ProverError extends ChunkproofError {}

/** Setup cannot make a key from this circuit. */
export class SetupError extends ChunkproofError {}
