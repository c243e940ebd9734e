/**
 * The bus: messages, their fingerprints, and the sum of what the verifier itself contributes (LogUp, eprint 2022/1530).
 *
 *     fingerprint(m) = m[0] + beta·m[1] + ... + beta^15·m[15] + beta^16·tag
 *     sum            = Σ multiplicity / (alpha + fingerprint)      sends count +, receives count −
 *
 * A block balances if the sums of all chunks and of the verifier add up to 0. Tags and coordinates come from the registry
 * `circuits/tags.json`.
 *
 * @module
 */

import { bn254 } from "@noble/curves/bn254.js";
import { VerifierError } from "./errors.js";
import { FR_MODULUS } from "./fq2.js";
import { COORDINATES, type MessageFields, TAGS, type TagName } from "./tags.generated.js";

/** A message with its multiplicity: how often it is sent (positive) or received (negative). */
export interface Message {
  readonly tag: TagName;
  /** Not 0 in what the verifier contributes; 0 in rows that do nothing. */
  readonly multiplicity: bigint;
  /** `COORDINATES` elements of fr; missing ones are 0. */
  readonly coordinates: readonly bigint[];
}

/** A message from its fields by name. */
export function message<N extends TagName>(tag: N, fields: MessageFields[N], multiplicity = 1n): Message {
  const coordinates = new Array<bigint>(COORDINATES).fill(0n);
  for (const [name, at] of TAGS[tag].fields) coordinates[at] = (fields as Record<string, bigint>)[name]!;
  return { tag, multiplicity, coordinates };
}

/** The same message received: with the opposite multiplicity. */
export function received(m: Message): Message {
  return { ...m, multiplicity: -m.multiplicity };
}

/** Fields of a message by name. */
export function fieldsOf({ tag, coordinates }: Message): Record<string, bigint> {
  return Object.fromEntries(TAGS[tag].fields.map(([name, at]) => [name, coordinates[at] ?? 0n]));
}

/** The challenges of a block. */
export interface Challenges {
  readonly alpha: bigint;
  readonly beta: bigint;
}

const mod = (x: bigint): bigint => {
  const y = x % FR_MODULUS;
  return y < 0n ? y + FR_MODULUS : y;
};

/** beta^0 to beta^16. */
export function powersOf(beta: bigint): bigint[] {
  const powers = [1n];
  for (let i = 1; i <= COORDINATES; i++) powers.push((powers[i - 1]! * beta) % FR_MODULUS);
  return powers;
}

/** `alpha + fingerprint(m)`, below r. */
export function denominator({ tag, coordinates }: Message, alpha: bigint, powers: readonly bigint[]): bigint {
  let f = alpha + powers[COORDINATES]! * BigInt(TAGS[tag].id);
  for (let i = 0; i < coordinates.length; i++) {
    const x = coordinates[i]!;
    if (x !== 0n) f += powers[i]! * x;
  }
  return mod(f);
}

/**
 * `Σ multiplicity / (alpha + fingerprint)` with one inversion.
 *
 * @throws VerifierError `BUS_SINGULAR` when a denominator is 0: nobody meets that by chance.
 */
export function busSum(messages: readonly Message[], { alpha, beta }: Challenges): bigint {
  const powers = powersOf(beta);
  const prefixes: bigint[] = [];
  const denominators: bigint[] = [];
  let product = 1n;
  for (const [i, m] of messages.entries()) {
    const d = denominator(m, alpha, powers);
    if (d === 0n) {
      throw new VerifierError("a message has the fingerprint -alpha", { code: "BUS_SINGULAR", where: `message ${i}` });
    }
    denominators.push(d);
    prefixes.push(product);
    product = (product * d) % FR_MODULUS;
  }
  let inverted = bn254.fields.Fr.inv(product);
  let sum = 0n;
  for (let i = messages.length - 1; i >= 0; i--) {
    sum += ((inverted * prefixes[i]!) % FR_MODULUS) * messages[i]!.multiplicity;
    inverted = (inverted * denominators[i]!) % FR_MODULUS;
  }
  return mod(sum);
}
