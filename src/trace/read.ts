/**
 * Strict reading of JSON: every field is named, has one spelling, and nothing that is not asked for is accepted.
 *
 * Numbers: a quantity is `0x` and lower-case hex digits without leading zeros (`0x0` is zero); bytes are `0x` and two
 * lower-case hex digits a byte; small counts are plain JSON integers.
 *
 * @module
 */

import { TraceError, type TraceErrorCode } from "./errors.js";

/** Bytes as `0x` and lower-case hex digits. */
export type Hex = `0x${string}`;

/** Largest value of a machine word. */
export const MAX_WORD = (1n << 256n) - 1n;
export const MAX_UINT64 = (1n << 64n) - 1n;
/** ethereumjs keeps chain ids, and the v of signatures that holds twice the id, as JavaScript numbers. */
export const MAX_CHAIN_ID = (1n << 51n) - 1n;

/** A short, safe description of any JSON value for `got`. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") {
    return value.length <= 70
      ? JSON.stringify(value)
      : `${JSON.stringify(value.slice(0, 66))}… (${value.length} chars)`;
  }
  if (typeof value === "bigint") return quantity(value);
  if (value === null || typeof value === "number" || typeof value === "boolean") return String(value);
  return Array.isArray(value) ? `array of length ${value.length}` : typeof value;
}

/** `0x`, lower-case hex digits, no leading zeros. */
export function quantity(value: bigint): Hex {
  return value < 0n ? (`-0x${(-value).toString(16)}` as Hex) : `0x${value.toString(16)}`;
}

/** `0x` and two lower-case digits a byte. */
export function toHex(bytes: Uint8Array): Hex {
  let text = "0x";
  for (const byte of bytes) text += (byte + 256).toString(16).slice(1);
  return text as Hex;
}

/** The bytes of what {@link toHex} writes; the text must be checked before. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16);
  return bytes;
}

/** 32 bytes, big-endian. */
export function wordBytes(value: bigint): Uint8Array {
  return fromHex(`0x${value.toString(16).padStart(64, "0")}`);
}

/**
 * The value of up to any number of bytes, big-endian; 0 for none. The digits are put together first: shifting byte by byte
 * would be quadratic.
 */
export function bigEndian(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(toHex(bytes));
}

/**
 * Parses JSON; bytes must be UTF-8 without a byte order mark.
 *
 * @param code the error's code
 * @throws TraceError with this code and without `where`
 */
export function parseJson(bytes: Uint8Array | string, code: TraceErrorCode): unknown {
  let text: string;
  let value: unknown;
  try {
    text = typeof bytes === "string" ? bytes : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw new TraceError("not JSON, or truncated", {
      code,
      cause,
      expected: "JSON text in UTF-8",
      got: cause instanceof Error ? cause.message : String(cause),
    });
  }
  return value;
}

/**
 * Whether JSON text says nothing that its parsed value does not: a field given twice, an escape or a number such as `1.0`
 * would be swallowed by the parser. Texts with blanks inside strings don't pass.
 */
export function isPlainJson(bytes: Uint8Array, value: unknown): boolean {
  return new TextDecoder().decode(bytes).replace(/[ \t\r\n]+/g, "") === JSON.stringify(value);
}

type Fields = Readonly<Record<string, unknown>>;

/** Takes apart JSON values; each method throws a TraceError with the reader's code and the path as `where`. */
export class Reader {
  readonly #code: TraceErrorCode;

  constructor(code: TraceErrorCode) {
    this.#code = code;
  }

  /** The error for the field at `path`. */
  fault(path: string, message: string, expected: string, value: unknown): TraceError {
    return new TraceError(message, {
      code: this.#code,
      where: path === "" ? undefined : path,
      expected,
      got: describe(value),
    });
  }

  /** An object with all of `required`, perhaps some of `optional`, and nothing else. */
  object(value: unknown, path: string, required: readonly string[], optional: readonly string[] = []): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.fault(path, "not an object", "object", value);
    }
    const at = (name: string) => (path === "" ? name : `${path}.${name}`);
    for (const name of Object.keys(value)) {
      if (!required.includes(name) && !optional.includes(name)) {
        const known = [...required, ...optional].join(", ");
        throw this.fault(at(name.slice(0, 40)), "unknown field", `one of ${known}`, (value as Fields)[name]);
      }
    }
    for (const name of required) {
      if (!Object.hasOwn(value, name)) throw this.fault(at(name), "missing field", "a value", undefined);
    }
    return value as Fields;
  }

  array(value: unknown, path: string, length?: number): readonly unknown[] {
    if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
      throw this.fault(
        path,
        "not the right array",
        length === undefined ? "array" : `array of length ${length}`,
        value,
      );
    }
    return value;
  }

  string(value: unknown, path: string): string {
    if (typeof value !== "string") throw this.fault(path, "not a string", "string", value);
    return value;
  }

  /** A JSON integer from 0 to `max`. */
  integer(value: unknown, path: string, max: number): number {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max || Object.is(value, -0)) {
      throw this.fault(path, "not an integer in range", `0 to ${max}`, value);
    }
    return value;
  }

  /** A quantity from 0 to `max`. */
  quantity(value: unknown, path: string, max: bigint): bigint {
    // the length is looked at first, so that a megabyte of digits costs nothing
    if (typeof value === "string" && value.length <= 66 && /^0x(?:0|[1-9a-f][0-9a-f]*)$/.test(value)) {
      const number = BigInt(value);
      if (number <= max) return number;
    }
    throw this.fault(
      path,
      "not a quantity in range",
      `0x and hex digits without leading zeros, at most ${quantity(max)}`,
      value,
    );
  }

  /** Bytes as hex text, exactly `length` of them if given, at most `max`. */
  hex(value: unknown, path: string, length?: number, max?: number): Hex {
    if (typeof value === "string" && value.length % 2 === 0 && /^0x[0-9a-f]*$/.test(value)) {
      const count = (value.length - 2) / 2;
      if ((length === undefined || count === length) && (max === undefined || count <= max)) return value as Hex;
    }
    const size = length !== undefined ? `${length} bytes` : max !== undefined ? `at most ${max} bytes` : "bytes";
    throw this.fault(path, "not bytes in hex", `0x and lower-case hex digits, ${size}`, value);
  }

  /** Bytes, as {@link hex}. */
  bytes(value: unknown, path: string, length?: number, max?: number): Uint8Array {
    return fromHex(this.hex(value, path, length, max));
  }
}
