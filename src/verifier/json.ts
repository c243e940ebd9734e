/**
 * Reading untrusted JSON: the shapes of snarkjs' files, and the only way their numbers may be written.
 *
 * Reading happens in two steps. A snapshot copies exactly the fields that are used, each once, in one guarded place:
 * whatever a getter, proxy or array hole does there ends as `…_MALFORMED`. All checks then work on the copy, which no
 * foreign code can change or hook into.
 *
 * One encoding per number: a decimal string without sign, leading zeros, blanks or other decoration, below the modulus.
 * Otherwise the signals `s` and `s + r` would be two texts of one statement, and anything that identifies a statement by
 * its signals (nullifiers, caches) could be fooled. Nothing can identify a proof: Groth16 proofs are malleable, anybody
 * makes more proofs of the same statement from one, e.g. (-A, -B, C).
 *
 * @module
 */

import { VerifierError, type VerifierErrorCode } from "./errors.js";

/** Which input is being read; also the first part of `where` in errors. */
export type Subject = "vk" | "publicSignals" | "proof" | "keySet" | "chunk";

type Fault =
  | "MALFORMED"
  | "PROTOCOL"
  | "CURVE"
  | "NON_CANONICAL"
  | "POINT_NOT_ON_CURVE"
  | "POINT_NOT_IN_SUBGROUP"
  | "POINT_AT_INFINITY"
  | "COUNT"
  | "VERSION"
  | "LAYOUT";

const PREFIX = { vk: "VK", publicSignals: "SIGNALS", proof: "PROOF", keySet: "KEYSET", chunk: "CHUNK" } as const;

/** Builds the error `<prefix of subject>_<fault>` for the field at `path`, e.g. `.pi_a[0]`. */
export function fault(
  subject: Subject,
  kind: Fault,
  path: string,
  message: string,
  details: { expected?: string; got?: string; cause?: unknown } = {},
): VerifierError {
  return new VerifierError(message, {
    ...details,
    code: `${PREFIX[subject]}_${kind}` as VerifierErrorCode,
    where: `${subject}${path}`,
  });
}

/** A short, safe description of any value for `got`; never calls into the value. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") {
    return value.length <= 40
      ? JSON.stringify(value)
      : `${JSON.stringify(value.slice(0, 40))}… (${value.length} chars)`;
  }
  if (typeof value === "number" || typeof value === "boolean" || value === undefined) return String(value);
  const length = ArrayCopy.lengthOf(value);
  return length === undefined ? typeof value : `array of length ${length}`;
}

/** An array as it was found: its length, and copies of its elements if there are no more than the reader asked for. */
class ArrayCopy {
  readonly #length: number;
  readonly items: readonly unknown[];

  constructor(length: number, items: readonly unknown[]) {
    this.#length = length;
    this.items = items;
  }

  /** The length if `value` is an `ArrayCopy`. Unlike `instanceof`, a private name runs no trap of a hostile proxy. */
  static lengthOf(value: unknown): number | undefined {
    return typeof value === "object" && value !== null && #length in value ? value.#length : undefined;
  }
}

/** The length of an array in a snapshot, `undefined` if it is something else. */
export const arrayLength = (value: unknown): number | undefined => ArrayCopy.lengthOf(value);

/**
 * How to copy a field: `0` takes the value as it is (arrays stay opaque objects), `{ max, of }` copies the elements of an
 * array, each by the rule `of`, unless it is longer than `max` and so wrong whatever it holds.
 */
export type CopyRule = 0 | { readonly max: number; readonly of: CopyRule };

function copy(value: unknown, rule: CopyRule): unknown {
  if (rule === 0 || !Array.isArray(value)) return value;
  // a proxy can pass for an array and answer with anything
  const length = Number(value.length);
  const items: unknown[] = [];
  if (length <= rule.max) {
    for (let i = 0; i < length; i++) items.push(Object.hasOwn(value, i) ? copy(value[i], rule.of) : undefined);
  }
  return new ArrayCopy(length, items);
}

/** Copies one value, see the module comment. @throws VerifierError `…_MALFORMED` if looking at it throws */
export function snapshot(subject: Subject, value: unknown, rule: CopyRule): unknown {
  try {
    return copy(value, rule);
  } catch (cause) {
    throw fault(subject, "MALFORMED", "", "reading the value threw an exception", { cause });
  }
}

/**
 * Copies own properties of an object; missing ones become `undefined`, extra ones are ignored.
 *
 * @param path where the object stands in the input, for messages.
 * @throws VerifierError `…_MALFORMED` if `value` is not an object or looking at it throws
 */
export function snapshotFields<K extends string>(
  subject: Subject,
  value: unknown,
  rules: Readonly<Record<K, CopyRule>>,
  path = "",
): Record<K, unknown> {
  const out = {} as Record<K, unknown>;
  let isObject = false;
  try {
    isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    for (const key of Object.keys(rules) as K[]) {
      out[key] = isObject && Object.hasOwn(value as object, key) ? copy((value as never)[key], rules[key]) : undefined;
    }
  } catch (cause) {
    throw fault(subject, "MALFORMED", path, "reading the value threw an exception", { cause });
  }
  if (!isObject) throw fault(subject, "MALFORMED", path, "not an object", { expected: "object", got: describe(value) });
  return out;
}

/** The elements of a snapshot array of exactly `length`. @throws VerifierError `…_MALFORMED` */
export function tuple(subject: Subject, value: unknown, path: string, length: number): readonly unknown[] {
  if (ArrayCopy.lengthOf(value) !== length) {
    throw fault(subject, "MALFORMED", path, "not an array of the right length", {
      expected: `array of length ${length}`,
      got: describe(value),
    });
  }
  return (value as ArrayCopy).items;
}

/** Decimal digits of both BN254 moduli. Checked before any parsing, so a megabyte of digits costs nothing. */
const MAX_DIGITS = 77;
const CANONICAL_DECIMAL = /^(?:0|[1-9][0-9]*)$/;

/**
 * Decodes a canonical decimal string below `modulus`.
 *
 * @throws VerifierError `…_MALFORMED` if it is no string, `…_NON_CANONICAL` for every other deviation
 */
export function decimal(subject: Subject, value: unknown, path: string, modulus: bigint): bigint {
  if (typeof value !== "string") {
    throw fault(subject, "MALFORMED", path, "not a string", { expected: "decimal string", got: describe(value) });
  }
  if (value.length <= MAX_DIGITS && CANONICAL_DECIMAL.test(value)) {
    const n = BigInt(value);
    if (n < modulus) return n;
  }
  throw fault(subject, "NON_CANONICAL", path, "not a canonical number", {
    expected: `decimal string without leading zeros, below ${modulus}`,
    got: describe(value),
  });
}

/** Checks a `protocol` or `curve` field. @throws VerifierError `…_MALFORMED` or the given kind */
export function expectName(subject: Subject, value: unknown, kind: "PROTOCOL" | "CURVE", expected: string): void {
  const path = kind === "PROTOCOL" ? ".protocol" : ".curve";
  if (typeof value !== "string") {
    throw fault(subject, "MALFORMED", path, "not a string", { expected: `"${expected}"`, got: describe(value) });
  }
  if (value !== expected) {
    throw fault(subject, kind, path, `made for another ${kind === "PROTOCOL" ? "proof system" : "curve"}`, {
      expected: `"${expected}"`,
      got: describe(value),
    });
  }
}
