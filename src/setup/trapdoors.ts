/**
 * The secrets of a key: whoever knows one of them can forge proofs for it.
 *
 * @module
 */

import { SetupError } from "../errors.js";
import { FR_MODULUS } from "../formats/bn254.js";
import { randomScalar } from "../prover/random.js";
import { powMod } from "../prover/wasm/constants.js";

/** τ, α, β and δ of eprint 2016/260, elements of fr; γ is 1, as in every key of snarkjs. */
export interface Trapdoors {
  readonly tau: bigint;
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly delta: bigint;
}

const NAMES = ["tau", "alpha", "beta", "delta"] as const;

type Phase1Secrets = Omit<Trapdoors, "delta">;

let secretsOf: (phase1: unknown) => Phase1Secrets | undefined;

/**
 * τ, α and β for several development keys, as keys of one ceremony share them; every key still draws its own δ. They live in
 * this object only: nothing reads, prints or stores them. Made by {@link createPhase1}.
 */
export class Phase1 {
  readonly #secrets: Phase1Secrets;

  /** @internal */
  constructor(token: symbol, secrets: Phase1Secrets) {
    if (token !== TOKEN) throw new SetupError("only createPhase1 makes these", { code: "SETUP_OPTIONS" });
    this.#secrets = secrets;
    Object.freeze(this);
  }

  static {
    secretsOf = (value) =>
      typeof value === "object" && value !== null && #secrets in value ? value.#secrets : undefined;
  }
}

const TOKEN = Symbol("createPhase1");

/**
 * Draws the secrets that all development keys of one set share, from the host's CSPRNG. NOT FOR PRODUCTION.
 *
 * @throws ProverError `NO_RANDOMNESS`.
 */
export function createPhase1(): Phase1 {
  return new Phase1(TOKEN, { tau: randomScalar(), alpha: randomScalar(), beta: randomScalar() });
}

/**
 * Trapdoors for a domain of `2^power` points: the given ones, or fresh ones from the host's CSPRNG.
 *
 * @param shared where τ, α and β come from instead.
 * @throws SetupError `SETUP_TRAPDOOR`: not from 1 to r - 1; delta is ±gamma, which is what a key without any contribution
 *   has; tau is a root of unity of order `2^(power + 1)` or less, where Lagrange polynomials are 0 and 1. `SETUP_OPTIONS`:
 *   `shared` is no result of {@link createPhase1}. ProverError `NO_RANDOMNESS`.
 */
export function chooseTrapdoors(power: number, given?: Trapdoors, shared?: Phase1): Trapdoors {
  const chosen = given ?? { ...phase1Secrets(shared === undefined ? createPhase1() : shared), delta: randomScalar() };
  const refuse = (name: string, message: string, expected: string) =>
    new SetupError(message, { code: "SETUP_TRAPDOOR", where: name, expected });
  for (const name of NAMES) {
    const value: unknown = chosen[name];
    if (typeof value !== "bigint" || value <= 0n || value >= FR_MODULUS) {
      throw refuse(name, "is no usable trapdoor", "a bigint from 1 to r - 1");
    }
  }
  const { delta, tau, alpha, beta } = chosen;
  if (delta === 1n || delta === FR_MODULUS - 1n) throw refuse("delta", "equals gamma or -gamma", "neither 1 nor r - 1");
  if (powMod(tau, 2n ** BigInt(power + 1), FR_MODULUS) === 1n) {
    throw refuse("tau", "is a point of the evaluation domain", `no root of unity of order 2^${power + 1}`);
  }
  return { tau, alpha, beta, delta };
}

function phase1Secrets(phase1: unknown): Phase1Secrets {
  const secrets = secretsOf(phase1);
  if (secrets !== undefined) return secrets;
  throw new SetupError("bad option", { code: "SETUP_OPTIONS", where: "shared", expected: "a result of createPhase1" });
}
