/**
 * Values of other programs' JSON: what nodes answer and what tracers write. Unlike the strict reading of our own files,
 * fields that are not asked for don't matter, letters may be of either case, numbers may be JSON integers or hex with
 * leading zeros.
 *
 * @module
 */

import { describe, fromHex, type Hex, quantity } from "./read.js";

/** An object whose fields are not looked at yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Longest spelling of a number: `0x` and a word, with some zeros more. */
const MAX_DIGITS = 80;

/** Takes apart JSON values; each method throws what `fault` makes, with the path of the value. */
export class LooseReader {
  readonly #fault: (message: string, path: string, expected: string, got: string) => Error;

  constructor(fault: (message: string, path: string, expected: string, got: string) => Error) {
    this.#fault = fault;
  }

  /** The error for the value at `path`. */
  fault(path: string, expected: string, value: unknown): Error {
    return this.#fault(value === undefined ? "missing" : "not what is expected here", path, expected, describe(value));
  }

  object(value: unknown, path: string): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.fault(path, "an object", value);
    return value as Fields;
  }

  list(value: unknown, path: string, length?: number): readonly unknown[] {
    if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
      throw this.fault(path, length === undefined ? "a list" : `a list of ${length}`, value);
    }
    return value;
  }

  /** A number from 0 to `max`: a JSON integer, or `0x` and hex digits. */
  number(value: unknown, path: string, max: bigint): bigint {
    const isInteger = typeof value === "number" && Number.isSafeInteger(value);
    const isText = typeof value === "string" && value.length <= MAX_DIGITS && /^0x[0-9a-fA-F]+$/.test(value);
    if (isInteger || isText) {
      const number = BigInt(value as number | string);
      if (number >= 0n && number <= max) return number;
    }
    throw this.fault(path, `a number of at most ${quantity(max)}`, value);
  }

  /** A word of the machine; the `0x` may be missing. */
  word(value: unknown, path: string): bigint {
    if (typeof value === "string" && /^(?:0x)?[0-9a-fA-F]{1,64}$/.test(value)) {
      return BigInt(value.startsWith("0x") ? value : `0x${value}`);
    }
    throw this.fault(path, "a word in hex", value);
  }

  /** Bytes as hex text, exactly `length` of them if given. */
  hex(value: unknown, path: string, length?: number): Hex {
    if (typeof value === "string" && value.length % 2 === 0 && /^0x[0-9a-fA-F]*$/.test(value)) {
      if (length === undefined || value.length === 2 + 2 * length) return value.toLowerCase() as Hex;
    }
    throw this.fault(path, length === undefined ? "bytes in hex" : `${length} bytes in hex`, value);
  }

  /** Bytes, as {@link hex}. */
  bytes(value: unknown, path: string, length?: number): Uint8Array {
    return fromHex(this.hex(value, path, length));
  }
}
