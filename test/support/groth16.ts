/**
 * Groth16 instances without a circuit: whoever knows the trapdoors makes a valid proof of any statement. Used where a
 * test needs keys and proofs of a given shape, fast and without a ceremony.
 *
 * All randomness comes from a seed, so a failing test fails again.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { ProofJson, VerifyingKeyJson } from "../../src/verifier/index.js";

const { Fr } = bn254.fields;

export const Q: bigint = bn254.fields.Fp.ORDER;
export const R: bigint = Fr.ORDER;

/** JSON with the `readonly` taken off, for tests that tamper with it. */
export type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

/** Deterministic non-zero scalars below r. */
export function scalarSource(seed: string): () => bigint {
  let counter = 0;
  return () => {
    const k = Fr.create(BigInt(`0x${bytesToHex(sha512(utf8ToBytes(`${seed}/${counter++}`)))}`));
    return k === 0n ? 1n : k;
  };
}

/** [k]G1 in the JSON of snarkjs. */
export function g1Json(k: bigint): string[] {
  const scalar = Fr.create(k);
  if (scalar === 0n) return ["0", "1", "0"];
  const { x, y } = bn254.G1.Point.BASE.multiplyUnsafe(scalar).toAffine();
  return [`${x}`, `${y}`, "1"];
}

/** [k]G2 in the JSON of snarkjs. */
export function g2Json(k: bigint): string[][] {
  const scalar = Fr.create(k);
  if (scalar === 0n)
    return [
      ["0", "0"],
      ["1", "0"],
      ["0", "0"],
    ];
  const { x, y } = bn254.G2.Point.BASE.multiplyUnsafe(scalar).toAffine();
  return [
    [`${x.c0}`, `${x.c1}`],
    [`${y.c0}`, `${y.c1}`],
    ["1", "0"],
  ];
}

/** The discrete logarithms of a key's points. */
export interface Trapdoors {
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly gamma: bigint;
  readonly delta: bigint;
  readonly ic: readonly bigint[];
}

export interface Groth16Instance {
  readonly trapdoors: Trapdoors;
  readonly vk: Mutable<VerifyingKeyJson>;
  /** Random signals for this key. */
  signals(): string[];
  /** A fresh valid proof for any signals: a, b random, c = (ab - alpha·beta - gamma·Σ ic_j·s_j) / delta. */
  prove(publicSignals: readonly string[]): Required<Mutable<ProofJson>>;
}

/**
 * Makes a key for `nPublic` signals.
 *
 * @param overrides trapdoors to use instead of random ones, e.g. `{ gamma: 1n, delta: 1n }` for an uncontributed key
 */
export function makeInstance(
  nPublic: number,
  seed = "chunkproof",
  overrides: Partial<Trapdoors> = {},
): Groth16Instance {
  const next = scalarSource(`${seed}/${nPublic}`);
  const trapdoors: Trapdoors = {
    alpha: next(),
    beta: next(),
    gamma: next(),
    delta: next(),
    ic: Array.from({ length: nPublic + 1 }, next),
    ...overrides,
  };
  const { alpha, beta, gamma, delta, ic } = trapdoors;
  return {
    trapdoors,
    vk: {
      protocol: "groth16",
      curve: "bn128",
      nPublic,
      vk_alpha_1: g1Json(alpha),
      vk_beta_2: g2Json(beta),
      vk_gamma_2: g2Json(gamma),
      vk_delta_2: g2Json(delta),
      IC: ic.map(g1Json),
    },
    signals: () => Array.from({ length: nPublic }, () => `${next()}`),
    prove(publicSignals) {
      const a = next();
      const b = next();
      const x = publicSignals.reduce((sum, s, j) => sum + BigInt(s) * ic[j + 1]!, ic[0]!);
      const c = Fr.div(Fr.create(a * b - alpha * beta - x * gamma), delta);
      return { pi_a: g1Json(a), pi_b: g2Json(b), pi_c: g1Json(c), protocol: "groth16", curve: "bn128" };
    },
  };
}
