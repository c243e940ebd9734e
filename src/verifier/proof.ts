/**
 * Proofs and public signals: `proof.json` and `public.json` of snarkjs, decoded and checked.
 *
 * @module
 */

import { FR_MODULUS } from "./fq2.js";
import { arrayLength, decimal, describe, expectName, fault, snapshot, snapshotFields, tuple } from "./json.js";
import { openVerifyingKey, type VerifyingKey } from "./key.js";
import { decodeG1, decodeTwist, type G1, G1_RULE, type G2, G2_RULE, toG2 } from "./points.js";

/**
 * `proof.json` as snarkjs writes it. Numbers are decimal strings. `curve` may be missing, as in the files of rapidsnark.
 * Further properties are ignored.
 */
export interface ProofJson {
  /** G1 point `[x, y, "1"]`. */
  readonly pi_a: readonly string[];
  /** G2 point `[[c0, c1], [c0, c1], ["1", "0"]]`. */
  readonly pi_b: readonly (readonly string[])[];
  /** G1 point `[x, y, "1"]`. */
  readonly pi_c: readonly string[];
  readonly protocol: string;
  readonly curve?: string;
}

/** `public.json`: the public signals in the order of the circuit (outputs first), as decimal strings in [0, r). */
export type PublicSignals = readonly string[];

/** The three points of a proof. */
export interface ProofPoints {
  readonly a: G1;
  readonly b: G2;
  readonly c: G1;
}

let open: (value: unknown) => ProofPoints | undefined;

/** Known to this module only: `proof.constructor` is within everybody's reach, and what it makes is trusted unchecked. */
const TOKEN = Symbol("parseProof");

/** A well-formed proof: all points finite and in their groups. Says nothing about validity. Made by {@link parseProof}. */
export class Proof {
  readonly #points: ProofPoints;

  /** @internal */
  constructor(token: symbol, points: ProofPoints) {
    if (token !== TOKEN) throw fault("proof", "MALFORMED", "", "only parseProof makes parsed proofs");
    this.#points = points;
    Object.freeze(this);
  }

  static {
    open = (value) => (typeof value === "object" && value !== null && #points in value ? value.#points : undefined);
  }
}

/**
 * Reads a parsed `Proof` or the JSON of one, all but the subgroup test of pi_b, which is most of the work and makes most of
 * the result: that happens when the returned function is called, from what was read, out of reach for any foreign code.
 */
export function readProof(proof: unknown): () => ProofPoints {
  const points = open(proof);
  if (points !== undefined) return () => points;
  const subject = "proof";
  const { protocol, curve, pi_a, pi_b, pi_c } = snapshotFields(subject, proof, {
    protocol: 0,
    curve: 0,
    pi_a: G1_RULE,
    pi_b: G2_RULE,
    pi_c: G1_RULE,
  });
  expectName(subject, protocol, "PROTOCOL", "groth16");
  if (curve !== undefined) expectName(subject, curve, "CURVE", "bn128");
  const a = decodeG1(subject, pi_a, ".pi_a");
  const c = decodeG1(subject, pi_c, ".pi_c");
  const b = decodeTwist(subject, pi_b, ".pi_b");
  return () => ({ a, b: toG2(subject, b, ".pi_b"), c });
}

/** The points of a parsed `Proof`; anything else is parsed first and fails like {@link parseProof}. */
export const proofPoints = (proof: unknown): ProofPoints => readProof(proof)();

/**
 * Checks the form of a proof and decodes it, for use with one or more calls of `verify`.
 *
 * The points must be finite: the prover's randomness makes infinity an event of probability 2⁻²⁵⁴ in pi_a and pi_b, and
 * just as unlikely in pi_c.
 *
 * @param json parsed `proof.json`, see {@link ProofJson}
 * @throws VerifierError `PROOF_MALFORMED`, `PROOF_PROTOCOL`, `PROOF_CURVE`, `PROOF_NON_CANONICAL`,
 *   `PROOF_POINT_AT_INFINITY`, `PROOF_POINT_NOT_ON_CURVE`, `PROOF_POINT_NOT_IN_SUBGROUP`
 */
export function parseProof(json: unknown): Proof {
  return new Proof(TOKEN, proofPoints(json));
}

/** {@link parsePublicSignals} for a known number of signals. */
export function readSignals(json: unknown, nPublic: number): bigint[] {
  const subject = "publicSignals";
  const array = snapshot(subject, json, { max: nPublic, of: 0 });
  const length = arrayLength(array);
  if (length === undefined) {
    throw fault(subject, "MALFORMED", "", "not an array", { expected: "array", got: describe(array) });
  }
  if (length !== nPublic) {
    throw fault(subject, "COUNT", "", "wrong number of public signals", {
      expected: String(nPublic),
      got: String(length),
    });
  }
  return tuple(subject, array, "", nPublic).map((value, i) => decimal(subject, value, `[${i}]`, FR_MODULUS));
}

/**
 * Checks public signals against a key and decodes them.
 *
 * @param json parsed `public.json`: exactly `vk.nPublic` canonical decimal strings below r
 * @param vk the key they belong to
 * @returns the values in [0, r)
 * @throws VerifierError `SIGNALS_MALFORMED`, `SIGNALS_COUNT`, `SIGNALS_NON_CANONICAL`; `VK_MALFORMED` if `vk` is not the
 *   result of `parseVerifyingKey`
 */
export function parsePublicSignals(json: unknown, vk: VerifyingKey): bigint[] {
  const key = openVerifyingKey(vk);
  if (key === undefined) throw fault("vk", "MALFORMED", "", "not a parsed verifying key");
  return readSignals(json, key.nPublic);
}
