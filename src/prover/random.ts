/**
 * Secret scalars.
 *
 * @module
 */

import { ProverError } from "../errors.js";
import { FR_MODULUS, readBigintLE } from "../formats/bn254.js";

/**
 * Random bytes of the host's CSPRNG.
 *
 * @param length at most 65,536, of which 16 or more cannot all be 0 by chance.
 * @throws ProverError `NO_RANDOMNESS` where there is no `crypto.getRandomValues`, or one that only answers zeros.
 */
export function randomBytes(length: number): Uint8Array {
  const { crypto } = globalThis;
  const bytes = new Uint8Array(length);
  if (typeof crypto?.getRandomValues === "function") crypto.getRandomValues(bytes);
  if (bytes.some((byte) => byte !== 0)) return bytes;
  throw new ProverError("no source of randomness", { code: "NO_RANDOMNESS", expected: "crypto.getRandomValues" });
}

/**
 * A uniform non-zero element of fr from the host's CSPRNG: 64 bytes mod r, so that the bias is below 2^-250.
 *
 * @throws ProverError `NO_RANDOMNESS` where there is no `crypto.getRandomValues`, or one that only answers zeros.
 */
export function randomScalar(): bigint {
  const { crypto } = globalThis;
  const bytes = new Uint8Array(64);
  // 0 comes once in 2^254 times
  for (let tries = 0; tries < 2 && typeof crypto?.getRandomValues === "function"; tries++) {
    crypto.getRandomValues(bytes);
    const k = readBigintLE(bytes, 0, 64) % FR_MODULUS;
    if (k !== 0n) return k;
  }
  throw new ProverError("no source of randomness", { code: "NO_RANDOMNESS", expected: "crypto.getRandomValues" });
}
