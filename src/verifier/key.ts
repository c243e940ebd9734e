/**
 * The verifying key: `verification_key.json` of snarkjs, decoded, checked and prepared once for many verifications.
 *
 * @module
 */

import { interleavedMSMUnsafe, pippenger } from "@noble/curves/abstract/curve.js";
import type { Fp12 } from "@noble/curves/abstract/tower.js";
import { bn254 } from "@noble/curves/bn254.js";
import { VerifierError } from "./errors.js";
import { isZero, sub } from "./fq2.js";
import { arrayLength, describe, expectName, fault, snapshotFields, tuple } from "./json.js";
import { millerLoop } from "./pairing.js";
import { decodeG1, decodeG2, type G1, G1_RULE, type G2, G2_RULE } from "./points.js";

/**
 * `verification_key.json` as snarkjs writes it. Numbers are decimal strings, G1 points `[x, y, "1"]`, G2 points
 * `[[c0, c1], [c0, c1], ["1", "0"]]`. Further properties are ignored, `vk_alphabeta_12` too: e(alpha, beta) is computed
 * from the points, so that a key cannot contradict itself.
 */
export interface VerifyingKeyJson {
  readonly protocol: string;
  readonly curve: string;
  /** Number of public signals. */
  readonly nPublic: number;
  readonly vk_alpha_1: readonly string[];
  readonly vk_beta_2: readonly (readonly string[])[];
  readonly vk_gamma_2: readonly (readonly string[])[];
  readonly vk_delta_2: readonly (readonly string[])[];
  /** `nPublic + 1` G1 points: one for the constant 1, then one per signal. */
  readonly IC: readonly (readonly string[])[];
  readonly vk_alphabeta_12?: unknown;
}

/** How strict to be about a verifying key. Only own properties count; what is no object is taken for `{}`. */
export interface VerifyingKeyOptions {
  /**
   * Accept a key whose delta is ±gamma, i.e. one without any phase-2 contribution. Such a key proves nothing: from its
   * public parts alone anybody can make accepted proofs of any statement. For tests and development only.
   *
   * @defaultValue false
   */
  readonly allowUncontributed?: boolean;
}

/** What the verification equations need of a key. */
export interface PreparedKey {
  readonly nPublic: number;
  readonly alpha: G1;
  readonly beta: G2;
  readonly gamma: G2;
  readonly delta: G2;
  /** The Miller value of (-alpha, beta), before the final power. */
  readonly minusAlphaBeta: Fp12;
  /** Σ k_j·IC_j for `nPublic + 1` scalars in [0, r). */
  combineIC(scalars: bigint[]): G1;
}

let open: (value: unknown) => PreparedKey | undefined;

/** Known to this module only: `vk.constructor` is within everybody's reach, and what it makes is trusted unchecked. */
const TOKEN = Symbol("parseVerifyingKey");

/**
 * A checked verifying key with everything precomputed that doesn't depend on the proof. Immutable; made by
 * {@link parseVerifyingKey}.
 */
export class VerifyingKey {
  /** Number of public signals that a proof for this key comes with. */
  readonly nPublic: number;
  /** False if the key carries no phase-2 contribution and was accepted by `allowUncontributed` only. */
  readonly contributed: boolean;
  readonly #prepared: PreparedKey;

  /** @internal */
  constructor(token: symbol, prepared: PreparedKey, contributed: boolean) {
    if (token !== TOKEN) throw fault("vk", "MALFORMED", "", "only parseVerifyingKey makes parsed keys");
    this.nPublic = prepared.nPublic;
    this.contributed = contributed;
    this.#prepared = prepared;
    Object.freeze(this);
  }

  static {
    // the private name is proof of origin: an object that merely looks like a key doesn't have it
    open = (value) => (typeof value === "object" && value !== null && #prepared in value ? value.#prepared : undefined);
  }
}

/** The inside of a `VerifyingKey`, or `undefined` for any other value. */
export const openVerifyingKey = (value: unknown): PreparedKey | undefined => open(value);

/**
 * Up to here noble's sum by tables is the faster one, beyond it the one by buckets: 130 ms against 150 for 400 points, 225
 * against 230 for 700, 670 against 550 for 2000, 1340 against 980 for 4000, the tables' own cost (an eighth, once) left out.
 * The buckets are also what makes a key of 2²⁰ points or more work at all: noble refuses to make so many tables.
 */
const MANY_POINTS = 700;

function prepare(alpha: G1, beta: G2, gamma: G2, delta: G2, ic: G1[]): PreparedKey {
  const { x, y } = alpha.negate().toAffine();
  let combine: ((scalars: bigint[]) => G1) | undefined;
  return {
    nPublic: ic.length - 1,
    alpha,
    beta,
    gamma,
    delta,
    minusAlphaBeta: millerLoop([{ lines: beta.lines, x, y }]),
    combineIC(scalars) {
      if (ic.length > MANY_POINTS) return pippenger(bn254.G1.Point, ic, scalars);
      // 8 odd multiples a point: for one to a few dozen full-size signals wider windows gain nothing
      combine ??= interleavedMSMUnsafe(bn254.G1.Point, ic, 5);
      return combine(scalars);
    },
  };
}

/** Whether p = ±q: on the twist equal x leaves no other possibility. */
const sameUpToSign = (p: G2, q: G2): boolean => isZero(sub(p.x, q.x));

/** Not inherited: polluting `Object.prototype` must not be enough to weaken the check. */
function allowsUncontributed(options: unknown): boolean {
  return (
    typeof options === "object" &&
    options !== null &&
    Object.hasOwn(options, "allowUncontributed") &&
    (options as VerifyingKeyOptions).allowUncontributed === true
  );
}

/**
 * Checks a verifying key and prepares it for reuse.
 *
 * No point may be infinity. An IC point would be, if nothing in the circuit used its signal, which could then be anything
 * in a valid proof; that is why snarkjs (and the setup of chunkproof) gives every public signal a constraint of its own.
 *
 * beta, gamma and delta must differ, up to signs: otherwise pairs of factors merge in the equation, and the public points
 * alone suffice to solve it for any signals. This finds the accidents (parts of a ceremony left out or repeated), not every
 * bad key: whoever made gamma, delta and beta may know other relations between them, which nobody else can see.
 *
 * @param json parsed `verification_key.json`, see {@link VerifyingKeyJson}
 * @param options see {@link VerifyingKeyOptions}
 * @returns a reusable key; preparing it costs about half as much as one verification
 * @throws VerifierError `VK_MALFORMED`, `VK_PROTOCOL`, `VK_CURVE`, `VK_NPUBLIC_MISMATCH`, `VK_NON_CANONICAL`,
 *   `VK_POINT_NOT_ON_CURVE`, `VK_POINT_NOT_IN_SUBGROUP`, `VK_POINT_AT_INFINITY`, `VK_POINTS_COINCIDE`,
 *   `VK_NO_CONTRIBUTION`
 */
export function parseVerifyingKey(json: unknown, options?: VerifyingKeyOptions): VerifyingKey {
  const subject = "vk";
  const { nPublic, ...rest } = snapshotFields(subject, json, {
    protocol: 0,
    curve: 0,
    nPublic: 0,
    vk_alpha_1: G1_RULE,
    vk_beta_2: G2_RULE,
    vk_gamma_2: G2_RULE,
    vk_delta_2: G2_RULE,
  });
  expectName(subject, rest.protocol, "PROTOCOL", "groth16");
  expectName(subject, rest.curve, "CURVE", "bn128");
  if (typeof nPublic !== "number" || !Number.isSafeInteger(nPublic) || nPublic < 0) {
    throw fault(subject, "MALFORMED", ".nPublic", "not a count", {
      expected: "non-negative integer",
      got: describe(nPublic),
    });
  }
  const { IC } = snapshotFields(subject, json, { IC: { max: nPublic + 1, of: G1_RULE } });
  const length = arrayLength(IC);
  if (length !== undefined && length !== nPublic + 1) {
    throw new VerifierError("the number of points does not fit nPublic", {
      code: "VK_NPUBLIC_MISMATCH",
      where: "vk.IC",
      expected: `${nPublic + 1} points`,
      got: String(length),
    });
  }
  const points = tuple(subject, IC, ".IC", nPublic + 1);
  const alpha = decodeG1(subject, rest.vk_alpha_1, ".vk_alpha_1");
  const beta = decodeG2(subject, rest.vk_beta_2, ".vk_beta_2");
  const gamma = decodeG2(subject, rest.vk_gamma_2, ".vk_gamma_2");
  const delta = decodeG2(subject, rest.vk_delta_2, ".vk_delta_2");
  const ic = points.map((point, i) => decodeG1(subject, point, `.IC[${i}]`));

  // like delta = ±gamma, but nothing that a key under development has by design
  for (const [name, point] of [
    ["vk_gamma_2", gamma],
    ["vk_delta_2", delta],
  ] as const) {
    if (!sameUpToSign(beta, point)) continue;
    throw new VerifierError("two points of the key coincide, so anyone can forge proofs for it", {
      code: "VK_POINTS_COINCIDE",
      where: "vk.vk_beta_2",
      expected: `a point other than ±${name}`,
    });
  }
  const contributed = !sameUpToSign(delta, gamma);
  if (!contributed && !allowsUncontributed(options)) {
    throw new VerifierError("the key has no phase-2 contribution, so anyone can forge proofs for it", {
      code: "VK_NO_CONTRIBUTION",
      where: "vk.vk_delta_2",
      expected: "a point other than ±vk_gamma_2",
    });
  }
  return new VerifyingKey(TOKEN, prepare(alpha, beta, gamma, delta, ic), contributed);
}
