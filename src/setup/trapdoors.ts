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

/**
 * Trapdoors for a domain of `2^power` points: the given ones, or fresh ones from the host's CSPRNG.
 *
 * @throws SetupError `SETUP_TRAPDOOR`: not from 1 to r - 1; delta is ±gamma, which is what a key without any contribution
 *   has; tau is a root of unity of order `2^(power + 1)` or less, where Lagrange polynomials are 0 and 1. ProverError
 *   `NO_RANDOMNESS`.
 */
export function chooseTrapdoors(power: number, given?: Trapdoors): Trapdoors {
  const chosen = given ?? {
    tau: randomScalar(),
    alpha: randomScalar(),
    beta: randomScalar(),
    delta: randomScalar(),
  };
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
