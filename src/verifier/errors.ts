/**
 * The error family of chunkproof. The base class lives here because the verifier may import nothing outside its own
 * folder; everything else gets it through `src/errors.ts`.
 *
 * @module
 */

/** What an error says beside its message: machine-readable, stable across releases. */
export interface ErrorDetails {
  /** Stable identifier, upper snake case, e.g. `PROOF_POINT_NOT_ON_CURVE`. */
  code: string;
  /** File, field or index the fault was found in, e.g. `proof.json: pi_a[0]`. */
  where?: string | undefined;
  /** What should have been there. */
  expected?: string | undefined;
  /** What was there. */
  got?: string | undefined;
  cause?: unknown;
}

/** Base of every error that chunkproof throws on purpose. */
export class ChunkproofError extends Error {
  readonly code: string;
  readonly where: string | undefined;
  readonly expected: string | undefined;
  readonly got: string | undefined;

  /** @param message one sentence without the details; they are appended as `where: message (expected …, got …)`. */
  constructor(message: string, details: ErrorDetails) {
    const { code, where, expected, got, cause } = details;
    const tail = [expected === undefined ? "" : `expected ${expected}`, got === undefined ? "" : `got ${got}`]
      .filter((s) => s !== "")
      .join(", ");
    super(
      `${where === undefined ? "" : `${where}: `}${message}${tail === "" ? "" : ` (${tail})`}`,
      cause === undefined ? undefined : { cause },
    );
    this.name = new.target.name;
    this.code = code;
    this.where = where;
    this.expected = expected;
    this.got = got;
  }
}

/**
 * Why the verifier refused something. The prefix names the culprit: `VK_` the verifying key, `SIGNALS_` the public
 * signals, `PROOF_` the proof, `BATCH_` the list given to `verifyBatch`.
 *
 * | suffix                  | meaning                                                                                  |
 * | ----------------------- | ---------------------------------------------------------------------------------------- |
 * | `MALFORMED`             | a field is missing or has another type or length than the snarkjs JSON format gives it   |
 * | `PROTOCOL`, `CURVE`     | the object belongs to another proof system or curve                                      |
 * | `NPUBLIC_MISMATCH`      | `IC` doesn't hold `nPublic + 1` points                                                   |
 * | `COUNT`                 | not `nPublic` signals                                                                    |
 * | `NON_CANONICAL`         | a number is not the one accepted decimal string of its residue, or z is not 1            |
 * | `POINT_NOT_ON_CURVE`    | the coordinates don't satisfy the curve equation                                         |
 * | `POINT_NOT_IN_SUBGROUP` | a G2 point lies on the twist but outside the subgroup of order r                         |
 * | `POINT_AT_INFINITY`     | the neutral element where no honest party puts it                                        |
 * | `POINTS_COINCIDE`       | beta = ±gamma or beta = ±delta: anyone can forge proofs for this key                     |
 * | `NO_CONTRIBUTION`       | delta = ±gamma: no phase-2 contribution, so anyone can forge proofs for this key         |
 * | `INVALID`               | everything is well-formed, but the pairing equation fails                                |
 * | `EMPTY`                 | nothing to verify                                                                        |
 *
 * `RANDOMNESS_UNAVAILABLE`: `globalThis.crypto.getRandomValues` is missing or returns nothing but zeros, and without it no
 * batch can be checked. `BATCH_INCONSISTENT`: the batch was refused as a whole but none of its items was, or an item was not
 * looked at; a bug of the verifier or a fault of the machine.
 */
export type VerifierErrorCode =
  | "VK_MALFORMED"
  | "VK_PROTOCOL"
  | "VK_CURVE"
  | "VK_NPUBLIC_MISMATCH"
  | "VK_NON_CANONICAL"
  | "VK_POINT_NOT_ON_CURVE"
  | "VK_POINT_NOT_IN_SUBGROUP"
  | "VK_POINT_AT_INFINITY"
  | "VK_POINTS_COINCIDE"
  | "VK_NO_CONTRIBUTION"
  | "SIGNALS_MALFORMED"
  | "SIGNALS_COUNT"
  | "SIGNALS_NON_CANONICAL"
  | "PROOF_MALFORMED"
  | "PROOF_PROTOCOL"
  | "PROOF_CURVE"
  | "PROOF_NON_CANONICAL"
  | "PROOF_POINT_NOT_ON_CURVE"
  | "PROOF_POINT_NOT_IN_SUBGROUP"
  | "PROOF_POINT_AT_INFINITY"
  | "PROOF_INVALID"
  | "BATCH_MALFORMED"
  | "BATCH_EMPTY"
  | "BATCH_INCONSISTENT"
  | "RANDOMNESS_UNAVAILABLE";

/** {@link ErrorDetails} of the verifier: the code is one of a closed list. */
export interface VerifierErrorDetails extends ErrorDetails {
  code: VerifierErrorCode;
}

/** A verifying key, public signals, a proof or a batch was refused; `code` says why, `where` names the field. */
export class VerifierError extends ChunkproofError {
  declare readonly code: VerifierErrorCode;

  /** @param message one sentence without the details */
  constructor(message: string, details: VerifierErrorDetails) {
    super(message, details);
  }
}
