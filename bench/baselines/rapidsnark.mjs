/**
 * rapidsnark's prover, when the environment variable `RAPIDSNARK` names its binary. It takes all threads there are.
 *
 * @module
 */

/** Path of the binary. */
export const RAPIDSNARK = process.env.RAPIDSNARK;
