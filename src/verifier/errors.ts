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
 * signals, `PROOF_` the proof, `BATCH_` the list given to `verifyBatch` or `verifyChunks`, `KEYSET_` a
 * set of chunk verifying keys, `CHUNK_` the proof of a chunk, `TX_` a transaction, `HEADER_` a block header, `BLOCK_` a
 * block proof, `CLAIM_` what it claims, `BUS_` all of it together.
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
 * | `VERSION`               | written by another version of the format                                                 |
 * | `GAMMA`                 | gamma is not the generator of G2, so P doesn't say what D is                             |
 * | `PHASE1`                | keys of one set differ in alpha or beta                                                  |
 * | `DUPLICATE`             | two keys of a set have the same name                                                     |
 * | `INSECURE`              | development keys, which need `allowInsecure`                                             |
 * | `DIGEST`                | a good set of keys, but none that the caller accepts                                     |
 * | `LAYOUT`                | the key set has no key of that index                                                     |
 * | `CHALLENGES`            | alpha or beta is no number below r                                                       |
 * | `COMMITMENT`            | P isn't σ·D: nobody who made this commitment knew what is in it                          |
 *
 * | code                    | meaning                                                                                  |
 * | ----------------------- | ---------------------------------------------------------------------------------------- |
 * | `TX_MALFORMED`          | not the canonical encoding of a signed transaction                                       |
 * | `TX_TYPE`               | a transaction of another type than legacy, 1 and 2                                       |
 * | `TX_CHAIN_ID`           | signed for another chain, or for any (legacy without EIP-155)                            |
 * | `TX_CREATION`           | a transaction without a recipient                                                        |
 * | `TX_BOUNDS`             | nonce, gas limit or cost beyond what Ethereum or the circuits count                      |
 * | `TX_FEE`                | fee cap below the priority fee or below the block's base fee                             |
 * | `TX_INTRINSIC_GAS`      | gas limit below the intrinsic gas                                                        |
 * | `TX_SIGNATURE`          | r, s or v out of range, or a signature that no key can have made                         |
 * | `HEADER_MALFORMED`      | not the canonical encoding of a header of Cancun                                         |
 * | `HEADER_INVALID`        | the header breaks a rule of Ethereum, alone or after its parent                          |
 * | `HEADER_UNSUPPORTED`    | withdrawals, blobs, or a blob fee that only this verifier refuses                        |
 * | `HEADER_MISMATCH`       | a root, the bloom or the gas used isn't what follows from the block's contents           |
 * | `TX_NONCE`              | not the nonce of its sender                                                              |
 * | `TX_BALANCE`            | the sender can't pay, or a balance would reach 2^256                                     |
 * | `TX_SENDER_CODE`        | the sender has code (EIP-3607)                                                           |
 * | `TX_RECIPIENT`          | the recipient is a precompile, or has more code than the circuits count                  |
 * | `TX_BLOCK_GAS`          | more gas than the transactions before leave in the block                                 |
 * | `BLOCK_MALFORMED`       | not the one encoding of a block proof                                                    |
 * | `BLOCK_VERSION`         | a block proof of another version of the format                                           |
 * | `BLOCK_KEY_SET`         | a block proof for another set of keys                                                    |
 * | `BLOCK_PRE_STATE`       | a block proof on another state than the replica's, which is no forgery                   |
 * | `BLOCK_ANCESTRY`        | a block that asks for an older block's hash, not known here; no forgery                  |
 * | `CLAIM_RANGE`           | a number of a block proof outside its bounds, or too many topics                         |
 * | `CLAIM_ORDER`           | a list that doesn't strictly ascend in its key, or has a key twice                       |
 * | `CLAIM_COVER`           | a list lacks what the transactions touch, or has what they don't                         |
 * | `CLAIM_PRESENCE`        | a claim is missing, or there is one that nothing needs                                   |
 * | `CLAIM_SIZE`            | more entries, bytes, chunks or transactions than the block's gas pays for                |
 * | `CLAIM_TIME`            | a cell written when it is taken or later, a hash or log outside the rows of its          |
 * |                         | transaction, or a clock beyond its bound                                                 |
 * | `CLAIM_WARMTH`          | a cell that a later transaction is said to have touched                                  |
 * | `CLAIM_CODE`            | a code hash that isn't the account's, or more code than the circuits count               |
 * | `CLAIM_END`             | gas left, refund or logs that no execution ends with                                     |
 * | `CLAIM_LOOKUP`          | an entry that the table doesn't have                                                     |
 *
 * `BUS_SINGULAR`: a message of a block has the fingerprint -alpha, which nobody meets by chance. `BUS_UNBALANCED`: what is
 * sent isn't what is received: a step, a value or a time of the block is wrong, or a chunk is missing, foreign or there twice.
 *
 * `STATE_INVALID`, `OPTIONS_INVALID`: the caller's own state contradicts itself, or an option is not what it must be; thrown
 * by `verifyBlock`, never part of a verdict.
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
  | "KEYSET_MALFORMED"
  | "KEYSET_VERSION"
  | "KEYSET_PROTOCOL"
  | "KEYSET_CURVE"
  | "KEYSET_NON_CANONICAL"
  | "KEYSET_NPUBLIC_MISMATCH"
  | "KEYSET_POINT_NOT_ON_CURVE"
  | "KEYSET_POINT_NOT_IN_SUBGROUP"
  | "KEYSET_POINT_AT_INFINITY"
  | "KEYSET_GAMMA"
  | "KEYSET_PHASE1"
  | "KEYSET_NO_CONTRIBUTION"
  | "KEYSET_POINTS_COINCIDE"
  | "KEYSET_DUPLICATE"
  | "KEYSET_INSECURE"
  | "KEYSET_DIGEST"
  | "CHUNK_MALFORMED"
  | "CHUNK_NON_CANONICAL"
  | "CHUNK_POINT_NOT_ON_CURVE"
  | "CHUNK_POINT_NOT_IN_SUBGROUP"
  | "CHUNK_POINT_AT_INFINITY"
  | "CHUNK_LAYOUT"
  | "CHUNK_CHALLENGES"
  | "CHUNK_COMMITMENT"
  | "CHUNK_INVALID"
  | "TX_MALFORMED"
  | "TX_TYPE"
  | "TX_CHAIN_ID"
  | "TX_CREATION"
  | "TX_BOUNDS"
  | "TX_FEE"
  | "TX_INTRINSIC_GAS"
  | "TX_SIGNATURE"
  | "HEADER_MALFORMED"
  | "HEADER_INVALID"
  | "HEADER_UNSUPPORTED"
  | "HEADER_MISMATCH"
  | "TX_NONCE"
  | "TX_BALANCE"
  | "TX_SENDER_CODE"
  | "TX_RECIPIENT"
  | "TX_BLOCK_GAS"
  | "BLOCK_MALFORMED"
  | "BLOCK_VERSION"
  | "BLOCK_KEY_SET"
  | "BLOCK_PRE_STATE"
  | "BLOCK_ANCESTRY"
  | "CLAIM_RANGE"
  | "CLAIM_ORDER"
  | "CLAIM_COVER"
  | "CLAIM_PRESENCE"
  | "CLAIM_SIZE"
  | "CLAIM_TIME"
  | "CLAIM_WARMTH"
  | "CLAIM_CODE"
  | "CLAIM_END"
  | "CLAIM_LOOKUP"
  | "STATE_INVALID"
  | "OPTIONS_INVALID"
  | "RANDOMNESS_UNAVAILABLE"
  | "BUS_UNBALANCED"
  | "BUS_SINGULAR";

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
